#pragma once
/*
 * The forecast of a release: the user's own spec, played many times by the engine against a small
 * world with faults, and what came of it in figures and words.  Pure; single-threaded; the same
 * seed gives the same figures.
 *
 * The world has hosts that crash and come back, copies in slots, and routers that see them.  Each
 * step takes a time drawn from what was measured, and fails at a rate:
 *
 *   fail    the step says no: a pull, a start, a test, a stage whose limits are exceeded
 *   hang    a step at a host ends by its deadline
 *   ssh     a step at a host cannot reach it
 *   router  a step that needs the routers does not reach one of them
 *   crash   a host is gone for some time, with all that runs on it: a step at it fails, and its
 *           copy takes no visitors until it is back; a copy that was stopped stays so
 *
 * Faults are independent of one another, steps are not tried again, and a run ends where a person
 * would be asked.  A version that fails its tests everywhere is not foreseen, but told by the first
 * host.  Soaks, dwells and warm old copies take what the spec says; patience for more requests is
 * not modeled.
 *
 * An outage: a data center that served at rest has no copy in the routers that visitors are sent
 * to: canary copies while the share is above 0; stable ones always, as visitors of the canary fall
 * back to them.  Visitors of stable do not fall back: while both tracks have visitors, an outage is
 * also that stable has no copy anywhere.  In one data center hosts of both tracks count then, as
 * for keep_up.per_datacenter.  An outage counts only while the release itself has one of the hosts
 * concerned out: else it would have come without a release.
 */
#include "base/buf.h"
#include "release/plan.h"

#define SIMULATE_RUNS_MAX 1000000

/* Measured times of a kind of step, the newest or all: one of them is drawn.  n 0: the default. */
struct simulate_times {
    const uint64_t *ms;
    size_t n;
};

/* Chances in parts of a million, each for one attempt of one step. */
struct simulate_rates {
    uint32_t fail_ppm[STEP_KINDS];
    uint32_t hang_ppm, ssh_ppm, router_ppm;
    uint32_t no_data_ppm;    /* a dwell that ends without enough requests */
    uint64_t crash_every_ms; /* mean time between crashes of one host; 0: never */
    uint64_t repair_ms;      /* until a crashed host is back */
};

/* Assumptions, not measurements; the report says so. */
extern const struct simulate_rates simulate_default_rates;
/* Means of what is drawn, evenly from half to one and a half times, where nothing was measured. */
extern const uint64_t simulate_default_ms[STEP_KINDS];

struct simulate_wish {
    uint64_t runs; /* 1..SIMULATE_RUNS_MAX */
    uint64_t seed;
    struct simulate_times times[STEP_KINDS];
    struct simulate_rates rates;
};

enum simulate_end {
    SIMULATE_DONE,
    SIMULATE_HALTED,
    SIMULATE_HELD,
    SIMULATE_ROLLED_BACK,
    SIMULATE_STUCK, /* halted on the way back */
    SIMULATE_ENDS
};
extern const char *const simulate_end_name[SIMULATE_ENDS];

/* Why a step decided the end of a run. */
enum simulate_cause {
    CAUSE_FAILED,
    CAUSE_HANG,
    CAUSE_SSH,
    CAUSE_ROUTER,
    CAUSE_CRASH,
    CAUSE_OTHERS, /* too few others were in the routers */
    CAUSE_LIMITS,
    CAUSE_NO_DATA,
    CAUSE_PERSON, /* the plan wants a person's word here */
    CAUSES
};
extern const char *const simulate_cause_name[CAUSES];

/* Runs that did not end well because of one step. */
struct simulate_stop {
    enum release_step_kind kind;
    int host; /* -1: the service's */
    uint64_t runs, by_end[SIMULATE_ENDS], by_cause[CAUSES];
};

/* Runs whose first outage was this one. */
struct simulate_outage {
    bool stable;         /* of stable only: while visitors are on both tracks */
    int dc;              /* -1: anywhere */
    int out;             /* host that the release had out */
    int crashed;         /* host that was gone beside it; -1: none, the release alone did it */
    unsigned rest, kept; /* hosts there at rest, and without those that the release had out */
    uint64_t runs;
};

struct simulate_result {
    uint64_t runs, seed;
    uint64_t end[SIMULATE_ENDS];
    uint64_t mean_ms, p95_ms; /* of the runs that were done; 0: none was */
    uint64_t mean_any_ms;     /* until the end, whichever */
    uint64_t outages;         /* runs that had one */
    uint64_t
        out_ms[RELEASE_HOSTS_MAX]; /* mean time that a host is out once it is; 0: it never is */
    unsigned hosts, dcs;
    struct simulate_stop *stop; /* owned; the greatest first */
    size_t stops;
    struct simulate_outage *outage; /* owned; the greatest first */
    size_t outage_kinds;
    bool planned[STEP_KINDS];                       /* the plan has such a step */
    bool assumed[STEP_KINDS], measured[STEP_KINDS]; /* its time; of waits neither */
    struct simulate_rates rates;
};

/* ERR_INVALID: the number of runs, or the plan cannot be (the message is the plan's). */
int release_simulate(const struct release_spec *spec, const struct release_basis *basis,
                     const struct simulate_wish *wish, struct simulate_result *ret, struct err *err)
    __attribute__((warn_unused_result));
void simulate_result_done(struct simulate_result *result);

/* How people call hosts and data centers, by number. */
struct simulate_names {
    const char *const *host, *const *dc;
};

/* The weakest point, a sentence without its full stop: an outage before any halt, as that is what
 * visitors notice. */
void simulate_weakest(const struct simulate_result *result, const struct simulate_names *names,
                      struct buf *b);
void simulate_text(const struct simulate_result *result, const struct simulate_names *names,
                   struct buf *b);
/* One object, with a line feed behind it. */
void simulate_json(const struct simulate_result *result, const struct simulate_names *names,
                   struct buf *b);
