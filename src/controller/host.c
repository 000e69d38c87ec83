/*
 * A host out of the routers and back, by a person, without a release.  Its lease is held meanwhile,
 * so that no release is on its way there; what is done is what a release does: drained at every
 * router, failing by command, nothing in flight; and back.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "controller/controller_int.h"

#include <unistd.h>

#define HOST_LEASE_MS 600000 /* longer than any drain; dropped at the end */
#define MARGIN_MS     15000  /* over the limits of a drain, for readings */

struct host_job {
    struct controller *c;
    int host;
    bool joins;
    const char *by;
    uint64_t deadline_ms;
    struct buf *told;
    struct controller_look look;
};

static const atomic_bool never = false;

static struct driver_place place_of(struct host_job *job, enum release_slot slot)
{
    const struct driver_copy *copy = &job->look.host[job->host].seen.copy[slot];
    return (struct driver_place){
        .config = job->c->config,
        .host = job->host,
        .slot = slot,
        .version = copy->version,
        .variant = copy->variant,
        .token = job->c->token,
        .cancelled = &never,
        .deadline_ms = job->deadline_ms,
        .told = job->told,
    };
}

static struct port_routers routers_of(const struct host_job *job)
{
    return (struct port_routers){
        .router = job->c->router,
        .n = job->c->config->routers,
        .service = job->c->config->router_service,
        .bearer = job->c->bearer,
        .cancelled = &never,
        .deadline_ms = job->deadline_ms,
        .told = job->told,
    };
}

static const char *name_of(const struct host_job *job)
{
    return job->c->config->host[job->host].name;
}

/* The last of its track that takes requests is not taken out unasked. */
static int may_leave(const struct host_job *job, const char *address, struct err *err)
{
    struct port_capacity left;
    struct port_routers at = routers_of(job);
    int rc = port_capacity(&at, address, NULL, &left, err);
    if (rc == 0 && left.known && left.weight[left.track] > 0 &&
        left.weight_without[left.track] == 0 && !job->c->options.force) {
        rc = err_set(err, ERR_DENIED,
                     "%s is the last host that takes requests of %s: bring another one in first, "
                     "or say --force",
                     name_of(job), track_name[left.track]);
    }
    return rc;
}

static int leave_slot(struct host_job *job, enum release_slot slot, const char *address,
                      struct err *err)
{
    const struct release_config *config = job->c->config;
    struct port_routers at = routers_of(job);
    struct driver_place place = place_of(job, slot);
    char by[64];
    buf_print(by, sizeof by, "%.60s", job->by);
    int rc = may_leave(job, address, err);
    if (rc == 0) {
        rc = port_drain(&at, address, by, config->drain_requests_ms, config->drain_streams_ms, err);
    }
    rc = rc < 0 ? rc : job->c->driver->health_fail(&place, err);
    return rc < 0 ? rc : port_quiet(&at, address, err);
}

static int join_slot(struct host_job *job, enum release_slot slot, const char *address,
                     struct err *err)
{
    bool canary = job->look.host[job->host].track[slot] == RELEASE_CANARY;
    struct port_routers at = routers_of(job);
    struct driver_place place = place_of(job, slot);
    int rc = job->c->driver->health_pass(&place, err);
    return rc < 0 ? rc : port_ready(&at, address, canary ? TRACK_CANARY : TRACK_STABLE, err);
}

/* Both slots, as far as routers know them; nothing joins that does not run. */
static int each_slot(struct host_job *job, struct err *err)
{
    const struct controller_place *p = &job->look.host[job->host];
    size_t n = 0;
    int rc = 0;
    for (int s = 0; rc == 0 && s < RELEASE_SLOTS; s++) {
        const enum release_slot slot = (enum release_slot) s;
        char address[256];
        if (!p->known[s] || (job->joins && !p->seen.copy[s].runs)) {
            continue;
        }
        n++;
        rc = controller_address(job->c, job->host, slot, address, err);
        rc = rc < 0       ? rc
             : job->joins ? join_slot(job, slot, address, err)
                          : leave_slot(job, slot, address, err);
    }
    if (rc == 0 && n == 0) {
        rc = err_set(err, ERR_NOT_FOUND, "%s",
                     job->joins ? "no router knows a copy there that runs: a release brings one"
                                : "no router knows a copy there: it is out");
    }
    return rc;
}

static int do_job(struct host_job *job, struct err *err)
{
    const struct controller_place *p = &job->look.host[job->host];
    struct err ignored = {0};
    char owner[256], machine[65] = "";
    controller_look(job->c, &job->look);
    if (!p->reached) {
        return err_set(err, ERR_UNREACHABLE, "%s: %s", name_of(job), p->error);
    }
    if (job->look.routers_reached < job->look.routers) {
        return err_set(err, ERR_UNREACHABLE, "%s", job->look.routers_error);
    }
    (void) gethostname(machine, sizeof machine - 1);
    buf_print(owner, sizeof owner, "host %s by %s on %s, pid %ld", job->joins ? "join" : "leave",
              job->by, machine, (long) getpid());
    struct driver_place place = place_of(job, RELEASE_SLOT_A);
    int rc = job->c->driver->lease_take(&place, owner, HOST_LEASE_MS, job->c->options.force, err);
    if (rc < 0) {
        return err_wrap(err, "%s", name_of(job));
    }
    rc = each_slot(job, err);
    (void) job->c->driver->lease_drop(&place, &ignored);
    return rc;
}

int controller_host(struct controller *c, int host, bool joins, const char *by, struct buf *told,
                    struct err *err)
{
    const struct release_config *config = c->config;
    uint64_t drain_ms = config->drain_requests_ms > config->drain_streams_ms
                            ? config->drain_requests_ms
                            : config->drain_streams_ms;
    if (c->broken.code != 0) {
        *err = c->broken;
        return (int) err->code;
    }
    struct host_job *job = mem_zalloc(sizeof *job);
    job->c = c;
    job->host = host;
    job->joins = joins;
    job->by = by;
    job->told = told;
    job->deadline_ms = clock_mono_ms() + drain_ms + config->deadline_ms + MARGIN_MS;
    int rc = do_job(job, err);
    mem_free(job);
    return rc;
}
