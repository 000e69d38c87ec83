/*
 * Start, stop, proxy and the command to fail: see driver.h.  The lease is entered for each act, not
 * over waits: somebody who takes it over meanwhile finds what was begun, and nothing is begun or
 * stopped behind his back.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "drivers/process_int.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define ASK_MS       2000u
#define ASK_LEAST_MS 250u
#define TURN_MS      20u
#define READY_MS     60000u /* when nothing was said */
#define COMMAND_MS   10000u
#define SECRETS_MAX  (512u * 1024)
#define SEE_ARENA    (64u << 20)

/* An answer of the address that is good, or any (good NULL), until the time is over. */
static bool is_fine(long status)
{
    return status >= 200 && status < 400;
}

static bool is_done(long status)
{
    return status >= 200 && status < 300;
}

struct asking {
    const char *method, *url;
    bool (*good)(long status); /* NULL: any answer */
    uint64_t until_ms;
    const char *what; /* "the applications to be ready" */
    enum release_role_kind role;
};

static int programs_live(const struct spot *spot, enum release_role_kind role, struct err *err)
{
    const struct release_role *r = &spot->config->role[role];
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->services.len; i++) {
        rc = slot_wait_up(spot, r->services.ptr[i], 0, spot_until(spot->p, READY_MS), err);
    }
    return rc;
}

/* A command is given under the lease, a question is not. */
static int ask_once(const struct spot *spot, const struct asking *asking, uint64_t timeout_ms,
                    long *ret_status, struct err *last, struct err *err)
{
    bool acts = strcmp(asking->method, "GET") != 0;
    int fd = -1, rc = acts ? lease_enter(spot->p, &fd, err) : 0;
    if (rc < 0) {
        return rc;
    }
    rc = ask_http(asking->method, asking->url, timeout_ms, ret_status, last);
    lease_leave(fd);
    return rc == ERR_INVALID || rc == ERR_INTERNAL ? err_set(err, last->code, "%s", last->msg) : 0;
}

static int ask_until(const struct spot *spot, const struct asking *asking, struct err *err)
{
    for (;;) {
        struct err last = {0};
        long status = 0;
        uint64_t now = clock_mono_ms(), left = asking->until_ms > now ? asking->until_ms - now : 1;
        int rc = programs_live(spot, asking->role, err);
        if (rc < 0) {
            return rc;
        }
        /* The last try has time for an answer, too: it is what a reader wants to see. */
        left = left > ASK_MS ? ASK_MS : left < ASK_LEAST_MS ? ASK_LEAST_MS : left;
        rc = ask_once(spot, asking, left, &status, &last, err);
        if (rc < 0) {
            return rc;
        }
        bool answered = last.code == ERR_NONE;
        if (answered && (asking->good == NULL || asking->good(status))) {
            return programs_live(spot, asking->role, err);
        }
        if (clock_mono_ms() >= asking->until_ms && answered) {
            return err_set(err, ERR_REMOTE, "host %s: waited for %s: %s %.200s answers %ld",
                           spot->host->name, asking->what, asking->method, asking->url, status);
        }
        if (clock_mono_ms() >= asking->until_ms) {
            return err_set(err, ERR_TIMEOUT, "host %s: waited for %s: %s", spot->host->name,
                           asking->what, last.msg);
        }
        rc = spot_wait(spot->p, TURN_MS, asking->what, err);
        if (rc < 0) {
            return rc;
        }
    }
}

static uint64_t ready_until(const struct spot *spot, const struct release_role *role)
{
    return spot_until(spot->p, role->ready_within_ms > 0 ? role->ready_within_ms : READY_MS);
}

/* Each up for its time before the next; the address of the role is that of all of them. */
static int start_role(const struct spot *spot, enum release_role_kind kind, struct str secrets,
                      struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    const struct release_role *role = &spot->config->role[kind];
    int rc = 0;
    arena_init(&arena, RUN_TEXT_MAX); /* before any return: it is cleaned up behind each */
    if (!slot_has_role(spot, kind)) {
        return 0;
    }
    for (size_t i = 0; rc == 0 && i < role->services.len; i++) {
        rc = slot_begin(spot, role->services.ptr[i], (enum run_role) kind, (unsigned) i, secrets,
                        err);
        rc = rc < 0 ? rc
                    : slot_wait_up(spot, role->services.ptr[i],
                                   kind == ROLE_PROXY ? 0 : role->up_for_ms,
                                   ready_until(spot, role), err);
    }
    if (rc == 0 && role->ready_http != NULL && kind != ROLE_PROXY) {
        struct asking asking = {"GET", NULL, is_fine, ready_until(spot, role), NULL, kind};
        asking.what =
            kind == ROLE_APP ? "the applications to be ready" : "its programs to be ready";
        rc = spot_expand(spot, role->ready_http, &arena, &asking.url, err);
        rc = rc < 0 ? rc : ask_until(spot, &asking, err);
    }
    return rc;
}

/* What is begun from now on is this version: the one that was there is the way back. */
static int note_copy(const struct spot *spot, struct err *err)
{
    struct copy_note note;
    int fd = -1, rc = lease_enter(spot->p, &fd, err);
    rc = rc < 0 ? rc : folder_make(spot->slot_dir, true, err);
    rc = rc < 0 ? rc : copy_note_read(spot->slot_dir, &note, err);
    if (rc == 0 && strcmp(note.now, spot->copy) != 0) {
        memcpy(note.before, note.now, sizeof note.before);
        memcpy(note.now, spot->copy, sizeof note.now);
        rc = copy_note_write(spot->slot_dir, &note, err);
    }
    lease_leave(fd);
    return rc;
}

/* Programs that release.yaml does not have any more would live on beside the new version. */
static int stop_others(const struct spot *spot, struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    struct slot_programs programs;
    unsigned roles = 0;
    arena_init(&arena, SEE_ARENA);
    int rc = slot_programs_see(spot, spot->p->slot, &arena, &programs, err);
    for (size_t i = 0; rc == 0 && i < programs.len; i++) {
        const struct program *program = &programs.ptr[i];
        if (program->held && program->run.role != RUN_PROXY && !slot_is_wanted(spot, program)) {
            spot_tell(spot->p,
                      "host %s: program %s is not in release.yaml any more: slot %c is "
                      "stopped first",
                      spot->host->name, program->name, slot_letter(spot->p->slot));
            roles = ROLE_BIT(RUN_APP) | ROLE_BIT(RUN_WORKER) | ROLE_BIT(RUN_CRON);
        }
    }
    return rc < 0 || roles == 0 ? rc : slot_stop(spot, spot->p->slot, roles, true, err);
}

static enum release_slot other_slot(enum release_slot slot)
{
    return slot == RELEASE_SLOT_A ? RELEASE_SLOT_B : RELEASE_SLOT_A;
}

static int stop_other_cron(const struct spot *spot, struct err *err)
{
    return slot_stop(spot, other_slot(spot->p->slot), ROLE_BIT(RUN_CRON), true, err);
}

/* The cron of a host runs in one slot: it moves along with the version that was started last. */
static int start_cron(const struct spot *spot, struct str secrets, struct err *err)
{
    if (!slot_has_role(spot, ROLE_CRON)) {
        return 0;
    }
    int rc = stop_other_cron(spot, err);
    return rc < 0 ? rc : start_role(spot, ROLE_CRON, secrets, err);
}

/* ... and back to the one that stays, when its slot is stopped. */
static int give_cron_back(const struct spot *spot, struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    struct slot_programs programs;
    struct driver_copy copy = {0};
    enum release_slot other = other_slot(spot->p->slot);
    arena_init(&arena, SEE_ARENA);
    int rc = slot_has_role(spot, ROLE_CRON) ? slot_copy(spot, other, &copy, err) : 0;
    if (rc < 0 || !slot_has_role(spot, ROLE_CRON) || !copy.any) {
        return rc;
    }
    rc = slot_programs_see(spot, other, &arena, &programs, err);
    for (size_t i = 0; rc == 0 && i < programs.len; i++) {
        if (programs.ptr[i].run.role == RUN_CRON && !programs.ptr[i].held) {
            int fd = -1;
            rc = lease_enter(spot->p, &fd, err);
            rc = rc < 0 ? rc : program_begin_again(spot->folder, programs.ptr[i].folder, err);
            lease_leave(fd);
        }
    }
    return rc;
}

static void forget(struct buf *secrets)
{
    if (secrets->ptr != NULL) {
        explicit_bzero(secrets->ptr, secrets->cap);
    }
    buf_done(secrets);
}

int process_start(const struct driver_place *p, uint64_t *ret_instance, struct err *err)
{
    _cleanup_(forget) struct buf secrets;
    struct spot spot;
    struct driver_copy copy = {0};
    buf_init(&secrets, SECRETS_MAX);
    int rc = spot_init(p, &spot, err);
    if (rc == 0 && spot.copy[0] == '\0') {
        rc = err_set(err, ERR_INVALID, "nothing can be started without a version");
    }
    if (rc == 0 && access(spot.version_dir, R_OK | X_OK) != 0) {
        rc = err_set(err, ERR_NOT_FOUND, "host %s: version %s is not there: pull it first",
                     spot.host->name, spot.copy);
    }
    rc = rc < 0 ? rc : note_copy(&spot, err);
    rc = rc < 0 ? rc : stop_others(&spot, err);
    rc = rc < 0 ? rc : slot_ports(&spot, err);
    rc = rc < 0 ? rc : spot_secrets(&spot, &secrets, err);
    if (rc == 0 && slot_has_role(&spot, ROLE_CRON) &&
        p->config->role[ROLE_CRON].pause_during_release) {
        rc = stop_other_cron(&spot, err);
    }
    rc = rc < 0 ? rc : start_role(&spot, ROLE_APP, buf_str(&secrets), err);
    rc = rc < 0 ? rc : start_role(&spot, ROLE_WORKER, buf_str(&secrets), err);
    rc = rc < 0 ? rc : start_cron(&spot, buf_str(&secrets), err);
    rc = rc < 0 ? rc : slot_copy(&spot, p->slot, &copy, err);
    if (rc == 0 && !copy.runs) {
        rc = err_set(err, ERR_REMOTE, "host %s: not everything of version %s stays up%s%s",
                     spot.host->name, spot.copy, copy.dead[0] != '\0' ? ": " : "", copy.dead);
    }
    if (rc == 0) {
        *ret_instance = copy.instance;
    }
    return rc;
}

int process_stop(const struct driver_place *p, bool stop_all, struct err *err)
{
    struct spot spot;
    int fd = -1, rc = spot_init(p, &spot, err);
    rc = rc < 0 ? rc : lease_enter(p, &fd, err); /* also when there is nothing to stop */
    lease_leave(fd);
    rc = rc < 0 ? rc
                : slot_stop(&spot, p->slot, ROLE_BIT(RUN_WORKER) | ROLE_BIT(RUN_CRON), true, err);
    rc = rc < 0 ? rc : slot_stop(&spot, p->slot, ROLE_BIT(RUN_APP), false, err);
    if (rc == 0 && stop_all) {
        rc = slot_stop(&spot, p->slot, ROLE_BIT(RUN_PROXY), false, err);
    }
    return rc < 0 ? rc : give_cron_back(&spot, err);
}

/* The flag: a file whose being there makes the proxy fail its check, also after a restart. */
static int set_flag(const struct spot *spot, bool failing, struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    const char *text = NULL;
    char path[PATH_BYTES], line[256];
    arena_init(&arena, RUN_TEXT_MAX);
    if (spot->config->role[ROLE_PROXY].flag == NULL) {
        return 0;
    }
    int fd = -1, rc = spot_expand(spot, spot->config->role[ROLE_PROXY].flag, &arena, &text, err);
    rc = rc < 0 ? rc
                : path_print(path, err, "%s%s%s", text[0] == '/' ? "" : spot->folder,
                             text[0] == '/' ? "" : "/", text);
    rc = rc < 0 ? rc : lease_enter(spot->p, &fd, err);
    if (rc < 0) {
        return rc;
    }
    if (failing) {
        char folder[PATH_BYTES];
        buf_print(folder, sizeof folder, "%s", path);
        *strrchr(folder, '/') = '\0';
        buf_print(line, sizeof line, "%s\n", spot->p->release == NULL ? "" : spot->p->release);
        rc = folder[0] == '\0' ? 0 : folder_make(folder, false, err);
        rc = rc < 0 ? rc : file_put(path, str_of(line), 0644, true, err);
    } else {
        rc = file_remove(path, err);
    }
    lease_leave(fd);
    return rc;
}

/* "POST http://..." */
static int tell_proxy(const struct spot *spot, const char *command, uint64_t until_ms,
                      const char *what, struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    const char *text = NULL;
    char method[16];
    arena_init(&arena, RUN_TEXT_MAX);
    int rc = spot_expand(spot, command, &arena, &text, err);
    if (rc < 0) {
        return rc;
    }
    const char *blank = strchr(text, ' ');
    if (blank == NULL || blank == text || (size_t) (blank - text) >= sizeof method) {
        return err_set(err, ERR_INVALID,
                       "\"%.200s\" is no command: write POST http://HOST:PORT/PATH", text);
    }
    buf_print(method, sizeof method, "%.*s", (int) (blank - text), text);
    const struct asking asking = {method,    blank + strspn(blank, " "), is_done, until_ms, what,
                                  ROLE_PROXY};
    return ask_until(spot, &asking, err);
}

static int proxy_is_up(const struct spot *spot, bool *ret, struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    struct slot_programs programs;
    size_t up = 0;
    arena_init(&arena, SEE_ARENA);
    int rc = slot_programs_see(spot, spot->p->slot, &arena, &programs, err);
    for (size_t i = 0; rc == 0 && i < programs.len; i++) {
        up += programs.ptr[i].run.role == RUN_PROXY && programs.ptr[i].up;
    }
    *ret = up > 0 && up >= spot->config->role[ROLE_PROXY].services.len;
    return rc;
}

static int set_health(const struct driver_place *p, bool failing, struct err *err)
{
    struct spot spot;
    bool up = false;
    int rc = spot_init(p, &spot, err);
    if (rc < 0 || !slot_has_role(&spot, ROLE_PROXY)) {
        return rc;
    }
    const struct release_role *role = &p->config->role[ROLE_PROXY];
    const char *command = failing ? role->fail : role->ok;
    rc = set_flag(&spot, failing, err);
    rc = rc < 0 ? rc : proxy_is_up(&spot, &up, err);
    if (rc < 0 || command == NULL) {
        return rc;
    }
    if (!up && failing) {
        spot_tell(p, "host %s: the proxy does not run, so that its check fails without a command",
                  spot.host->name);
        return 0;
    }
    if (!up) {
        return err_set(err, ERR_REMOTE,
                       "host %s: the proxy does not run and cannot be told to pass its check",
                       spot.host->name);
    }
    return tell_proxy(&spot, command, spot_until(p, COMMAND_MS),
                      failing ? "the proxy to fail its check" : "the proxy to pass its check", err);
}

int process_health_fail(const struct driver_place *p, struct err *err)
{
    return set_health(p, true, err);
}

int process_health_pass(const struct driver_place *p, struct err *err)
{
    return set_health(p, false, err);
}

int process_proxy(const struct driver_place *p, struct err *err)
{
    _cleanup_(forget) struct buf secrets;
    _cleanup_(arena_done) struct arena arena;
    struct spot spot;
    buf_init(&secrets, SECRETS_MAX);
    arena_init(&arena, RUN_TEXT_MAX);
    int rc = spot_init(p, &spot, err);
    if (rc < 0 || !slot_has_role(&spot, ROLE_PROXY)) {
        return rc;
    }
    const struct release_role *role = &p->config->role[ROLE_PROXY];
    int fd = -1;
    rc = lease_enter(p, &fd, err);
    rc = rc < 0 ? rc : folder_make(spot.slot_dir, true, err);
    lease_leave(fd);
    rc = rc < 0 ? rc : set_flag(&spot, true, err);
    rc = rc < 0 ? rc : slot_ports(&spot, err);
    rc = rc < 0 ? rc : spot_secrets(&spot, &secrets, err);
    rc = rc < 0 ? rc : start_role(&spot, ROLE_PROXY, buf_str(&secrets), err);
    if (rc == 0 && role->fail != NULL) {
        rc = tell_proxy(&spot, role->fail, ready_until(&spot, role), "the proxy to fail its check",
                        err);
    } else if (rc == 0 && role->ready_http != NULL) {
        /* Any answer: while it fails by command its own health is no 200. */
        struct asking asking = {
            "GET", NULL, NULL, ready_until(&spot, role), "the proxy to answer", ROLE_PROXY};
        rc = spot_expand(&spot, role->ready_http, &arena, &asking.url, err);
        rc = rc < 0 ? rc : ask_until(&spot, &asking, err);
    } else if (rc == 0) {
        for (size_t i = 0; rc == 0 && i < role->services.len; i++) {
            rc = slot_wait_up(&spot, role->services.ptr[i], role->up_for_ms,
                              ready_until(&spot, role), err);
        }
    }
    return rc;
}
