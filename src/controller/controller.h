#pragma once
/*
 * Carries out what the engine asks: one release from its begin, or from where another life of a
 * controller left it, to the next stop.  Notes go to the journal and to the hosts before actions;
 * operations run in threads of their own, everything else in the one that calls.
 */
#include "drivers/driver.h"
#include "journal/journal.h"
#include "release/config.h"
#include "release/plan.h"

#include <stdatomic.h>

struct controller;

/* What stays the same over the whole release: the first line of its journal and of every record. */
struct release_header {
    char id[96];                    /* "shop-20260131T235959-3f9a01" */
    char kind[16];                  /* release, restart, train, train-release */
    char version[128], variant[64]; /* of the new copies; variant: of those on the canary track */
    char by[128], why[256];
    char config_hash[17];
    char plan[17]; /* hash of the plan: notes are about its steps, and fit no other */
    bool with_downtime;
    uint64_t began_ms; /* wall */
    struct release_basis basis;
    char old_version[RELEASE_HOSTS_MAX][128], old_variant[RELEASE_HOSTS_MAX][64];
    char salt[65];                       /* of the canary's split */
    char rest[2400], rest_command[6000]; /* of a run of several services: those behind this one, and
                                            the command that releases them; "" none */
};

enum controller_event_kind {
    CONTROLLER_STEP,  /* a step of the plan, or of trouble, changed: step, status, text, took_ms */
    CONTROLLER_MODE,  /* the state changed: text is why */
    CONTROLLER_SHARE, /* all routers show share_ppm */
    CONTROLLER_TOLD,  /* a line worth reading about an operation under way */
};

struct controller_event {
    enum controller_event_kind kind;
    uint64_t at_ms;                       /* wall */
    const struct release_step_plan *step; /* NULL: none */
    enum release_step_status status;
    enum release_outcome outcome;
    unsigned attempt;
    uint64_t took_ms; /* of a step that is over */
    uint32_t share_ppm;
    const char *state; /* release_state_name */
    const char *text;  /* "" nothing */
};

struct controller_options {
    const struct release_config *config;
    struct journal *journal;
    void (*tell)(const struct controller_event *event, void *ctx); /* NULL: nobody listens */
    void *ctx;
    const atomic_bool *interrupted; /* asks to pause; NULL: never */
    bool force;                     /* breaks the lease of another */
};

struct controller *controller_new(const struct controller_options *options);
void controller_free(struct controller *take_controller);

/* Where the service is now. */
struct controller_place {
    bool reached; /* the host */
    struct driver_seen seen;
    char error[256];            /* why it was not reached */
    bool known[RELEASE_SLOTS];  /* some router has the slot's peer */
    bool ready[RELEASE_SLOTS];  /* it takes requests as far as commands go, at every router */
    bool serves[RELEASE_SLOTS]; /* it is ready at every router that was reached */
    enum release_track track[RELEASE_SLOTS];
    char state[RELEASE_SLOTS]
              [64];  /* "ready, passing", "draining by release shop-17", or how routers differ */
    char lease[256]; /* who holds it; "" nobody */
    uint64_t lease_left_ms;
};
struct controller_look {
    struct controller_place host[RELEASE_HOSTS_MAX];
    size_t routers, routers_reached;
    char routers_error[512];
    bool has_split;
    uint32_t share_ppm;
    char salt[65];
    bool enabled;
};
/* Asks all hosts and routers at once; what cannot be reached is told in ret. */
void controller_look(struct controller *c, struct controller_look *ret);

/*
 * A new release.  Fills the header from a look, makes the engine and writes the first line.
 * ERR_CONFLICT: another release of the service has not ended (named, with the ways on), or the
 * lease is another's; ERR_UNREACHABLE; ERR_INVALID: the plan cannot be.
 */
struct controller_wish {
    const char *kind, *version, *variant, *by, *why;
    bool with_downtime;
    const char *rest, *rest_command; /* as in the header; NULL: none */
};
int controller_begin(struct controller *c, const struct controller_wish *wish, struct err *err);
/* The plan alone: a look, no write.  ERR_... as above. */
int controller_plan(struct controller *c, const struct controller_wish *wish, struct err *err);
/* The plan without looking at anything: as if every host served and nothing was on the way. */
int controller_plan_offline(struct controller *c, const struct controller_wish *wish,
                            struct err *err);

/*
 * A release that was begun: number of this machine's journal, 0: the newest of the service.  What
 * the hosts know is read when the journal has nothing or `hosts` is set, and joined with the
 * journal. ERR_NOT_FOUND, ERR_INVALID (release.yaml has other hosts or stages than the release).
 */
int controller_load(struct controller *c, uint64_t number, bool hosts, struct err *err);

/*
 * Trains: a canary that outlives single releases.  A release that begins while one stands brings
 * its version to both tracks, the share as it is; then the train carries that version.
 */
/* The train of the service that has not ended.  ERR_NOT_FOUND. */
int controller_load_train(struct controller *c, struct err *err);
/* Of the train that was loaded; the next run tells the hosts. */
int controller_train_carries(struct controller *c, const char *version, struct err *err);

/*
 * Takes a host out of the routers, or lets it join again, by a person: under its lease, proved at
 * every router.  told: appended, what a reader should know, one line each.  ERR_DENIED: it is the
 * last one that takes requests (options.force: all the same); ERR_NOT_FOUND: there is nothing to
 * leave or to join; ERR_CONFLICT: the lease is another's; ERR_UNREACHABLE, ERR_TIMEOUT.
 */
int controller_host(struct controller *c, int host, bool joins, const char *by, struct buf *told,
                    struct err *err);

/* Runs to the next stop. command: what to do first, or NULL: go on.  0: see controller_release;
 * ERR_CONFLICT: the lease is another's; ERR_DENIED: the command was refused, err says why. */
int controller_run(struct controller *c, const struct release_event *command, struct err *err);

/* Views; valid after begin, plan or load. */
const struct release *controller_release(const struct controller *c);
const struct release_header *controller_header(const struct controller *c);
uint64_t controller_number(const struct controller *c);
/* The last text that was told of a step of the present plan; "" none. */
const char *controller_text(const struct controller *c, size_t step);
uint64_t controller_took_ms(const struct controller *c, size_t step);
/* "west-1 start 2.0 in slot a", "share 10 %": a step in words; b is appended to. */
void controller_step_words(const struct controller *c, const struct release_step_plan *step,
                           struct buf *b);

/*
 * A command for whoever runs the release now: put into the journal and, when that is another
 * machine's, on the hosts.  text: "pause", "rollback", ...  Waits for the answer.  ERR_NOT_FOUND:
 * nobody runs it (run it yourself); ERR_DENIED: refused, err says why; ERR_TIMEOUT: whoever has the
 * lease does not answer, and the command is withdrawn.
 */
int controller_ask(struct controller *c, const char *text, const char *by, const char *why,
                   struct err *err);
/* Waits until nobody has the lease of any host.  ERR_TIMEOUT. */
int controller_wait_free(struct controller *c, uint64_t timeout_ms, struct err *err);
