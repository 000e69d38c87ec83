/*
 * Migrations: a one-off under a runner, once for each release and attempt.
 *
 *     none --begun (noted with fsync, then the gate opens)--> runs --noted with fsync--> ended
 *                                                             runs --runner killed, reboot--> lost
 *
 * Before the note nothing of it ran, so that beginning it again is no second time; after the note
 * it is never begun again under this attempt, whatever happens.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "drivers/process_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define GRACE_MS    10000u
#define TURN_MS     20u
#define TIMEOUT_MS  (15u * 60 * 1000)
#define SECRETS_MAX (512u * 1024)
#define SEE_ARENA   (16u << 20)

struct one_off {
    struct spot spot;
    char name[192], folder[PATH_BYTES], result[PATH_BYTES];
};

static int one_off_init(const struct driver_place *p, unsigned attempt, struct one_off *ret,
                        struct err *err)
{
    int rc = spot_init(p, &ret->spot, err);
    rc = rc < 0 ? rc : name_check("release", p->release, err);
    if (rc == 0 && !p->config->migration.given) {
        rc = err_set(err, ERR_INVALID, "release.yaml has no `migrate:`");
    }
    if (rc < 0) {
        return rc;
    }
    buf_print(ret->name, sizeof ret->name, "%s-%u", p->release, attempt);
    rc = name_check("migration", ret->name, err);
    rc =
        rc < 0 ? rc : path_print(ret->folder, err, "%s/migrations/%s", ret->spot.folder, ret->name);
    return rc < 0
               ? rc
               : path_print(ret->result, err, "%s/migrations/%s.json", ret->spot.folder, ret->name);
}

static int begin(struct one_off *one, struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    struct buf secrets;
    struct run run;
    char logs[PATH_BYTES];
    const struct release_migration *m = &one->spot.config->migration;
    arena_init(&arena, SEE_ARENA);
    buf_init(&secrets, SECRETS_MAX);
    int rc = spot_run(&one->spot, one->name, RUN_MIGRATION, 0, &arena, &run, err);
    if (rc == 0) {
        run.once = true;
        run.result = one->result;
        run.timeout_ms = m->timeout_ms > 0 ? m->timeout_ms : TIMEOUT_MS;
        run.grace_ms = GRACE_MS;
    }
    rc = rc < 0 ? rc : path_print(logs, err, "%s/logs", one->spot.folder);
    rc = rc < 0 ? rc : folder_make(logs, false, err);
    rc = rc < 0 ? rc : spot_secrets(&one->spot, &secrets, err);
    rc = rc < 0 ? rc : program_begin(one->spot.folder, one->folder, &run, buf_str(&secrets), err);
    if (secrets.ptr != NULL) {
        explicit_bzero(secrets.ptr, secrets.cap);
    }
    buf_done(&secrets);
    return rc;
}

/* Nobody watches it any more: what is left of it is ended, and that it is lost is noted. */
static int lose(struct one_off *one, const struct program *program, struct run_result *result,
                struct err *err)
{
    int rc = program_tell_stop(one->spot.folder, program, err);
    if (rc == 0 && !result->lost) {
        result->lost = true;
        rc = run_result_write(one->result, result, err);
    }
    return rc;
}

/* Looks, and begins it when it was not: what it is now. */
/* Killed in its middle is not the same as having failed: it cannot tell how far it came. */
static enum driver_migration how_it_ended(const struct run_result *result)
{
    struct str how = str_of(result->how);
    bool killed = str_starts_with(how, STR("signal ")) || str_starts_with(how, STR("ended after "));
    return result->code == 0 ? MIGRATION_DONE : killed ? MIGRATION_LOST : MIGRATION_FAILED;
}

static int turn(struct one_off *one, enum driver_migration *ret, struct run_result *result,
                struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    struct program program;
    arena_init(&arena, SEE_ARENA);
    int fd = -1, rc = lease_enter(one->spot.p, &fd, err);
    rc = rc < 0 ? rc : program_see(one->spot.folder, one->folder, &arena, &program, err);
    /* After the lock was looked at: a runner notes the end before it lets go. */
    rc = rc < 0 ? rc : run_result_read(one->result, result, err);
    if (rc < 0) {
        lease_leave(fd);
        return rc;
    }
    if (program.held) {
        *ret = MIGRATION_RUNS; /* also for the moment between the note of its end and its own */
    } else if (result->ended) {
        *ret = how_it_ended(result);
        rc = program_tell_stop(one->spot.folder, &program, err); /* its secrets */
    } else if (result->begun) {
        *ret = MIGRATION_LOST;
        rc = lose(one, &program, result, err);
    } else {
        *ret = MIGRATION_RUNS;
        rc = begin(one, err);
        if (rc == ERR_CONFLICT) { /* a runner that is just ending without having begun */
            rc = 0;
        }
    }
    lease_leave(fd);
    return rc;
}

static void tell(const struct one_off *one, enum driver_migration how,
                 const struct run_result *result)
{
    const struct driver_place *p = one->spot.p;
    if (how == MIGRATION_FAILED) {
        spot_tell(p, "host %s: migration %s failed: %s; its output is in logs/migration-%s.log",
                  one->spot.host->name, one->name, result->how, one->name);
    } else if (how == MIGRATION_LOST) {
        spot_tell(p,
                  "host %s: migration %s was begun and broken off (%s); nobody knows how far it "
                  "came: look at logs/migration-%s.log and at the data",
                  one->spot.host->name, one->name,
                  result->ended ? result->how : "its runner was killed or the machine restarted",
                  one->name);
    }
}

int process_migrate(const struct driver_place *p, unsigned attempt, enum driver_migration *ret,
                    struct err *err)
{
    struct one_off one;
    struct run_result result = {0};
    enum driver_migration how = MIGRATION_NONE;
    int rc = one_off_init(p, attempt, &one, err);
    char what[256];
    buf_print(what, sizeof what, "migration %s", one.name);
    while (rc == 0) {
        rc = turn(&one, &how, &result, err);
        if (rc < 0 || how != MIGRATION_RUNS) {
            break;
        }
        rc = spot_wait(p, TURN_MS, what, err);
    }
    if (rc == ERR_IO && run_result_read(one.result, &result, NULL) == 0 && result.ended) {
        how = MIGRATION_FAILED; /* its command cannot be begun, which is noted */
        rc = 0;
        spot_tell(p, "host %s: %s", one.spot.host->name, err->msg);
        err->code = ERR_NONE;
    }
    if (rc == 0) {
        tell(&one, how, &result);
    }
    if (rc == 0 || rc == ERR_TIMEOUT || rc == ERR_CANCELLED) {
        *ret = how;
    }
    return rc;
}
