#pragma once
/*
 * A driver carries out operations at a host: folders and child processes (process.c), later Docker
 * Compose and Kubernetes.  Calls block until they are done or late; they are made from threads of
 * the controller, one at a time for a host, several hosts at once, so a driver has no state but
 * what is on the host.  Each call observes first: what is as wanted already is left as it is.
 *
 * Every call that changes something is made under the lease: the driver takes the host's lock file,
 * looks whether `token` is the lease's, acts, and lets go; another token is ERR_CONFLICT and
 * nothing was done.  ERR_CONFLICT is said of nothing else.
 */
#include "base/buf.h"
#include "base/err.h"
#include "release/config.h"

#include <stdatomic.h>

/* Whom a call is about. */
struct driver_place {
    const struct release_config *config;
    int host;
    enum release_slot slot;
    const char *version; /* "1.42.0"; of the copy that is meant */
    const char *variant; /* "" or "next" */
    const char *release; /* "shop-17": labels, names of one-offs */
    const char *token;   /* of the lease */
    const atomic_bool *cancelled;
    uint64_t deadline_ms; /* clock_mono_ms */
    bool more;            /* record_append: another line follows at once, which is synced */
    struct buf *told;     /* appended: what a reader should know, one line each; never NULL */
};

/* What lives in a slot. */
struct driver_copy {
    bool runs;         /* every program of the roles app and worker is up */
    bool any;          /* at least one is */
    char version[128]; /* of what runs or was started last; "" nothing */
    char variant[64];
    uint64_t instance; /* changes when any of its programs is another process; 0: none */
    unsigned restarts; /* since it was started */
    char dead[256];    /* "web: exit code 1, 3 times": programs that are not up; "" */
};

struct driver_seen {
    uint64_t boot; /* hash of the boot id */
    struct driver_copy copy[RELEASE_SLOTS];
    bool proxy_runs;
    uint64_t disk_free_bytes;
};

enum driver_migration {
    MIGRATION_NONE,
    MIGRATION_RUNS,
    MIGRATION_DONE,
    MIGRATION_FAILED,
    MIGRATION_LOST
};

struct driver {
    const char *name;
    /* 0, ERR_UNREACHABLE, ERR_IO.  Changes nothing. */
    int (*observe)(const struct driver_place *p, struct driver_seen *ret, struct err *err);
    /* Reachable, rights, tools, clock; told what is odd. */
    int (*preflight)(const struct driver_place *p, struct err *err);
    int (*room)(const struct driver_place *p, struct err *err);
    int (*pull)(const struct driver_place *p, struct err *err);
    int (*health_fail)(const struct driver_place *p, struct err *err);
    int (*health_pass)(const struct driver_place *p, struct err *err);
    /* Workers and cron, then applications of the slot; with stop_all the proxy of the slot too.
     * What was told to stop goes on to its end when the call is late or cancelled. */
    int (*stop)(const struct driver_place *p, bool stop_all, struct err *err);
    int (*proxy)(const struct driver_place *p, struct err *err);
    int (*connect)(const struct driver_place *p, struct err *err);
    int (*start)(const struct driver_place *p, uint64_t *ret_instance, struct err *err);
    /* Begins the one-off named by p->release and attempt unless it was; waits for its end.  Failed
     * and lost ones are 0, too, and told; with ERR_TIMEOUT and ERR_CANCELLED *ret says how far it
     * is. */
    int (*migrate)(const struct driver_place *p, unsigned attempt, enum driver_migration *ret,
                   struct err *err);
    /* The last lines that the copy's programs wrote, for reports; lines 0: all. */
    int (*logs)(const struct driver_place *p, unsigned lines, struct buf *ret, struct err *err);

    /* The lease, the host's own; by the host's clock.  Taken: ERR_CONFLICT when it is another's and
     * has not expired, unless by force; by the same token it is a beat. */
    int (*lease_take)(const struct driver_place *p, const char *owner, uint64_t ttl_ms, bool force,
                      struct err *err);
    int (*lease_beat)(const struct driver_place *p, uint64_t ttl_ms, struct err *err);
    int (*lease_drop)(const struct driver_place *p, struct err *err);
    /* Who has it: "" nobody. */
    int (*lease_read)(const struct driver_place *p, char owner[256], uint64_t *ret_left_ms,
                      struct err *err);

    /* Records: lines of JSON under the lease, appended and synced (unless p->more); the last
     * RECORDS_KEPT releases stay. */
    int (*record_append)(const struct driver_place *p, struct str line, struct err *err);
    /* All lines of a release, or of the newest one when p->release is NULL; none: nothing. */
    int (*record_read)(const struct driver_place *p, struct buf *ret, struct err *err);
    /* Requests by other machines: "pause", "rollback", ...; taken ones are removed.  Not under the
     * lease. */
    int (*request_put)(const struct driver_place *p, struct str line, struct err *err);
    int (*request_take)(const struct driver_place *p, struct buf *ret, struct err *err);
};

extern const struct driver driver_process;

/* The driver of a configuration; NULL: not there yet. */
const struct driver *driver_of(enum release_driver kind);
