#pragma once
/*
 * Plans: the steps of a release in the order in which they are done.  `pourover plan` prints this
 * list, the engine walks it, the journal's rows are its steps.
 */
#include "release/engine.h"

/* Parts of a release, in the order of a canary release; a rolling one has no walk. */
enum release_part {
    PART_PREPARE, /* lock, preflight of all, hooks, migration */
    PART_POOL,    /* the canary pool gets the new version */
    PART_WALK,    /* stages; with grow also hosts between them */
    PART_STABLE,  /* the others get the new version */
    PART_DOWN,    /* the share back to 0, tracks back to rest */
    PART_FINISH,  /* hooks, unlock */
    PART_SHUT,    /* what a failed host gets */
    PARTS
};
extern const char *const release_part_name[PARTS];

struct release_step_plan {
    struct release_key key;
    enum release_slot slot;       /* where it acts */
    enum release_version version; /* of the copy it is about */
    enum release_track track;     /* where the host joins, or which one a host leaves */
    uint32_t share_ppm;           /* STEP_SHARE, STEP_DWELL */
    bool raise;
    bool out;  /* the host takes no requests anyway: whether it may leave need not be asked */
    bool hold; /* STEP_DWELL: only a person goes on from here */
    uint64_t wait_ms;
    uint64_t need[RELEASE_TRACKS]; /* STEP_SHARE, STEP_DWELL, STEP_LEAVE, STEP_STOP, STEP_TRACK */
    uint16_t need_dc;              /* hosts of its data center that stay when it leaves */
    bool both_dc;                  /* ... on both tracks together; else on the one that it leaves */
    uint64_t all;                  /* what both tracks have together when the step begins */
    uint16_t group, lane;          /* lane: number within the group */
};

struct release_plan {
    struct release_step_plan *step; /* total, owned */
    size_t len;                     /* steps in the order of the plan, by group and lane */
    size_t total; /* and behind them, for each host, what it gets in trouble: put-back, shut */
    uint16_t groups;
};

/*
 * The way forward.  ERR_INVALID: what is asked for cannot be, with the reason in the user's words
 * (numbers of hosts and shares, no names): the last copy, a stage above the capacity, no pool.
 */
int release_plan_forward(const struct release_spec *spec, const struct release_basis *basis,
                         struct release_plan *ret, struct err *err);
/* The way back from what was touched while the share was this one. */
void release_plan_back(const struct release_spec *spec, const struct release_basis *basis,
                       const struct release_note *back, struct release_plan *ret);
void release_plan_done(struct release_plan *plan);

/* The operations of a step, in order; returns how many. */
size_t release_step_ops(const struct release_spec *spec, const struct release_step_plan *step,
                        enum release_op_kind out[8]);
/* Index of what a host gets in trouble; kind: STEP_PUT_BACK or STEP_SHUT. */
size_t release_plan_trouble(const struct release_plan *plan, int host, enum release_step_kind kind);
