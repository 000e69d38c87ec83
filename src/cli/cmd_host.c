/*
 * pourover host leave, host join: one host out of the routers and back, without a release.
 *
 * Its lease is held meanwhile, so that no release is on its way there; what is done is what a
 * release does: drained at every router, failing by command, nothing in flight; and back.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rand.h"
#include "cli/out.h"
#include "cli/room.h"
#include "cli/routers.h"
#include "gateway/port.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LEASE_MS    600000 /* longer than any drain; dropped at the end */
#define TOKEN_MAX   4096
#define MARGIN_MS   15000 /* over the limits of a drain, for readings */
#define ADDRESS_MAX 256

struct host_job {
    struct room *room;
    int host;
    const char *name;
    struct router *router; /* owned */
    char *bearer;          /* owned */
    char token[33], owner[256];
    uint64_t deadline_ms;
    struct buf told;
    struct controller_look look;
};

static const atomic_bool never = false;

static struct driver_place place_of(struct host_job *job, enum release_slot slot)
{
    const struct driver_copy *copy = &job->look.host[job->host].seen.copy[slot];
    return (struct driver_place){
        .config = &job->room->config,
        .host = job->host,
        .slot = slot,
        .version = copy->version,
        .variant = copy->variant,
        .token = job->token,
        .cancelled = &never,
        .deadline_ms = job->deadline_ms,
        .told = &job->told,
    };
}

static struct port_routers routers_of(struct host_job *job)
{
    return (struct port_routers){
        .router = job->router,
        .n = job->room->config.routers,
        .service = job->room->config.router_service,
        .bearer = job->bearer,
        .cancelled = &never,
        .deadline_ms = job->deadline_ms,
        .told = &job->told,
    };
}

static int read_token(struct host_job *job, const char *path, struct err *err)
{
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, TOKEN_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    int rc = fd < 0 ? errno : file_read_all(fd, &b);
    if (fd >= 0) {
        (void) close(fd);
    }
    if (rc != 0) {
        return err_errno(err, rc, "the routers' token file %s", path);
    }
    job->bearer = mem_strdup_str(str_trim(buf_str(&b)));
    return 0;
}

static int open_routers(struct host_job *job, struct err *err)
{
    const struct release_config *config = &job->room->config;
    job->router = mem_array(config->routers, sizeof *job->router);
    for (size_t i = 0; i < config->routers; i++) {
        const struct release_router *r = &config->router[i];
        char text[1024];
        buf_print(text, sizeof text, "%s=%s", r->name, r->nginx);
        if (router_parse(str_of(text), &job->router[i], err) < 0) {
            return err_wrap(err, "router %s", r->name);
        }
        if (r->token_file != NULL && job->bearer == NULL &&
            read_token(job, r->token_file, err) < 0) {
            return (int) err->code;
        }
    }
    return 0;
}

static int address_of(struct host_job *job, enum release_slot slot, char out[ADDRESS_MAX],
                      struct err *err)
{
    const struct release_place place = {.version = "", .host = job->host, .slot = slot};
    struct buf b;
    buf_init_fixed(&b, out, ADDRESS_MAX);
    return release_expand(&job->room->config, &place, job->room->config.peer, &b, err);
}

static int take_lease(struct host_job *job, struct err *err)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t random[16];
    char machine[65] = "";
    if (rand_bytes(random, sizeof random) < 0) {
        return err_set(err, ERR_IO, "the kernel gives no random bytes");
    }
    for (size_t i = 0; i < sizeof random; i++) {
        job->token[2 * i] = digits[random[i] >> 4];
        job->token[2 * i + 1] = digits[random[i] & 15];
    }
    (void) gethostname(machine, sizeof machine - 1);
    buf_print(job->owner, sizeof job->owner, "host %s by %s on %s, pid %ld",
              job->room->cli->cmd->name, job->room->by, machine, (long) getpid());
    struct driver_place place = place_of(job, RELEASE_SLOT_A);
    const struct driver *driver = driver_of(job->room->config.driver);
    int rc = driver->lease_take(&place, job->owner, LEASE_MS, job->room->cli->force, err);
    return rc < 0 ? err_wrap(err, "%s", job->name) : 0;
}

static void drop_lease(struct host_job *job)
{
    struct err ignored = {0};
    struct driver_place place = place_of(job, RELEASE_SLOT_A);
    (void) driver_of(job->room->config.driver)->lease_drop(&place, &ignored);
}

/* The last of its track that takes requests is not taken out unasked. */
static int may_leave(struct host_job *job, const char *address, struct err *err)
{
    struct port_capacity left;
    struct port_routers at = routers_of(job);
    int rc = port_capacity(&at, address, NULL, &left, err);
    if (rc == 0 && left.known && left.weight[left.track] > 0 &&
        left.weight_without[left.track] == 0 && !job->room->cli->force) {
        rc = err_set(err, ERR_DENIED,
                     "%s is the last host that takes requests of %s: bring another one in first, "
                     "or say --force",
                     job->name, track_name[left.track]);
    }
    return rc;
}

/* Whether a slot has anything to leave from, or to join with. */
static bool is_known(const struct host_job *job, int slot)
{
    return job->look.host[job->host].known[slot];
}

static int leave_slot(struct host_job *job, enum release_slot slot, struct err *err)
{
    const struct release_config *config = &job->room->config;
    struct port_routers at = routers_of(job);
    char address[ADDRESS_MAX], by[64];
    buf_print(by, sizeof by, "%.60s", job->room->by);
    int rc = address_of(job, slot, address, err);
    rc = rc < 0 ? rc : may_leave(job, address, err);
    if (rc == 0) {
        rc = port_drain(&at, address, by, config->drain_requests_ms, config->drain_streams_ms, err);
    }
    if (rc == 0) {
        struct driver_place place = place_of(job, slot);
        rc = driver_of(config->driver)->health_fail(&place, err);
    }
    return rc < 0 ? rc : port_quiet(&at, address, err);
}

static int join_slot(struct host_job *job, enum release_slot slot, struct err *err)
{
    const struct controller_place *p = &job->look.host[job->host];
    struct port_routers at = routers_of(job);
    char address[ADDRESS_MAX];
    if (!p->seen.copy[slot].runs) {
        return 0; /* nothing lives there that could take requests */
    }
    int rc = address_of(job, slot, address, err);
    if (rc == 0) {
        struct driver_place place = place_of(job, slot);
        rc = driver_of(job->room->config.driver)->health_pass(&place, err);
    }
    enum track track = p->track[slot] == RELEASE_CANARY ? TRACK_CANARY : TRACK_STABLE;
    return rc < 0 ? rc : port_ready(&at, address, track, err);
}

/* Both slots, as far as routers know them. */
static int each_slot(struct host_job *job, bool joins, size_t *ret_n, struct err *err)
{
    int rc = 0;
    *ret_n = 0;
    for (int s = 0; rc == 0 && s < RELEASE_SLOTS; s++) {
        bool runs = job->look.host[job->host].seen.copy[s].runs;
        if (is_known(job, s) && (runs || !joins)) {
            (*ret_n)++;
            rc = joins ? join_slot(job, (enum release_slot) s, err)
                       : leave_slot(job, (enum release_slot) s, err);
        }
    }
    return rc;
}

static int do_job(struct host_job *job, bool joins, struct err *err)
{
    size_t n;
    controller_look(job->room->controller, &job->look);
    if (!job->look.host[job->host].reached) {
        return err_set(err, ERR_UNREACHABLE, "%s: %s", job->name, job->look.host[job->host].error);
    }
    if (job->look.routers_reached < job->look.routers) {
        return err_set(err, ERR_UNREACHABLE, "%s", job->look.routers_error);
    }
    int rc = open_routers(job, err);
    rc = rc < 0 ? rc : take_lease(job, err);
    if (rc < 0) {
        return rc;
    }
    rc = each_slot(job, joins, &n, err);
    drop_lease(job);
    if (rc == 0 && n == 0) {
        rc = err_set(err, ERR_NOT_FOUND, "%s",
                     joins ? "no router knows a copy there that runs: a release brings one"
                           : "no router knows a copy there: it is out");
    }
    return rc;
}

static void job_done(struct host_job *job)
{
    for (size_t i = 0; job->router != NULL && i < job->room->config.routers; i++) {
        router_done(&job->router[i]);
    }
    mem_free(job->router);
    mem_free(job->bearer);
    buf_done(&job->told);
    mem_free(job);
}

static enum exit_code work(struct room *r, int host, bool joins)
{
    struct err err = {0};
    uint64_t drain_ms = r->config.drain_requests_ms > r->config.drain_streams_ms
                            ? r->config.drain_requests_ms
                            : r->config.drain_streams_ms;
    struct host_job *job = mem_zalloc(sizeof *job);
    job->room = r;
    job->host = host;
    job->name = r->config.host[host].name;
    job->deadline_ms = clock_mono_ms() + drain_ms + r->config.deadline_ms + MARGIN_MS;
    buf_init(&job->told, OUT_MAX);
    int rc = do_job(job, joins, &err);
    if (job->told.len > 0 && !r->cli->json && !r->cli->quiet) {
        out_printf("%s\n", job->told.ptr);
    }
    if (rc == 0 && !r->cli->quiet && !r->cli->json) {
        out_printf("%s %s\n", job->name,
                   joins ? "is back: every router sends to it"
                         : "has left: no router sends to it, nothing is in flight");
    } else if (rc == 0 && r->cli->json) {
        out_printf("{\"host\":\"%s\",\"state\":\"%s\"}\n", job->name, joins ? "joined" : "left");
    }
    job_done(job);
    return rc < 0 ? room_fail(r, &err) : EXIT_DONE;
}

static enum exit_code run(struct cli *cli, bool joins)
{
    struct room r;
    struct err err = {0};
    enum exit_code code = room_open(&r, cli);
    if (code == EXIT_DONE) {
        int host = release_config_host(&r.config, cli->operand[0]);
        if (host < 0) {
            (void) err_set(&err, ERR_NOT_FOUND, "there is no host \"%s\" in %s", cli->operand[0],
                           r.config.fleet_path != NULL ? r.config.fleet_path : r.config.path);
            code = cli_fail(cli, &err);
        } else {
            code = work(&r, host, joins);
        }
    }
    room_close(&r);
    return code;
}

static enum exit_code run_leave(struct cli *cli)
{
    return run(cli, false);
}

static enum exit_code run_join(struct cli *cli)
{
    return run(cli, true);
}

static const struct opt *const options[] = {opt_asked, opt_release, NULL};

static const struct example leave_examples[] = {
    {"pourover host leave west-1 --why \"new memory\"", "before work on the machine"},
    {NULL, NULL},
};

const struct cmd cmd_host_leave = {
    .name = "host leave",
    .summary = "take a host out of all routers, proved, without a release",
    .operand = "HOST",
    .operands_min = 1,
    .operands_max = 1,
    .option = options,
    .details = "Drained at every router and read back, failing its check by command, nothing in "
               "flight. Nothing is stopped. The host's lease is held meanwhile: refused while a "
               "release is on its way there (exit code 7). The last host that takes requests stays "
               "unless --force.",
    .example = leave_examples,
    .run = run_leave,
};

static const struct example join_examples[] = {
    {"pourover host join west-1", "back, when the work is done"},
    {NULL, NULL},
};

const struct cmd cmd_host_join = {
    .name = "host join",
    .summary = "bring a host that left back into all routers, proved",
    .operand = "HOST",
    .operands_min = 1,
    .operands_max = 1,
    .option = options,
    .details = "Its check passes again, and every router says that it is ready and has sent "
               "requests to it, or had none to send. It is not tested: a release does that.",
    .example = join_examples,
    .run = run_join,
};
