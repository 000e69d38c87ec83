#pragma once
/* The engine's own: engine.c (modes and events), lane.c (steps and operations), load.c (notes). */
#include "release/plan_int.h"

struct step_state {
    uint8_t status;  /* enum release_step_status */
    uint8_t outcome; /* of the last attempt */
    uint16_t attempt;
    uint64_t instance; /* STEP_START: what was started */
};

struct lane {
    size_t first, end; /* its steps */
    size_t at;
    enum release_op_kind op[8];
    uint8_t ops, op_at;
    uint32_t op_id;  /* under way; 0: none */
    bool over;       /* nothing more of it until the group is entered again */
    bool observing;  /* the operation asks whether the copy is still the tested one */
    bool skipping;   /* the operation is cancelled because a person promotes */
    uint8_t trouble; /* enum trouble_stage */
    bool keep_copy;  /* the routers may still send to it: it is not stopped */
    struct release_step_plan in_trouble; /* the step of trouble under way */
};

enum trouble_stage { TROUBLE_NONE, TROUBLE_PUT_BACK, TROUBLE_SHUT, TROUBLE_OVER };

struct release {
    struct release_spec spec;
    struct release_basis basis;
    struct release_plan plan[2]; /* by direction; the way back is empty until it begins */
    struct step_state *state[2]; /* total of the plan */
    enum release_direction direction;
    enum release_mode mode;
    uint16_t group;
    struct lane *lane; /* lanes in use, room for one a host */
    size_t lanes;
    int culprit; /* index of a step in the plan of this direction; -1 */
    enum release_outcome culprit_outcome;
    uint32_t lock_id;             /* of the lock of a later life, under way; 0: none */
    bool over;                    /* ACT_END was said */
    struct release_event waiting; /* a command that came while the lock was not there yet */
    bool has_waiting;
    uint32_t next_op;
    struct release_act *act; /* room for max_acts */
    size_t acts, max_acts;
};

static inline struct release_plan *plan_now(struct release *r)
{
    return &r->plan[r->direction];
}

static inline struct step_state *state_now(struct release *r, size_t i)
{
    return &r->state[r->direction][i];
}

static inline bool step_is_over(const struct step_state *s)
{
    return s->status == STEP_DONE || s->status == STEP_SKIPPED;
}

/* engine.c */
struct release_act *engine_act(struct release *r, enum release_act_kind kind);
void engine_mode(struct release *r, enum release_mode mode);
void engine_note_step(struct release *r, size_t i);
void engine_end(struct release *r);
/* When no lane is busy: the next group, or what the mode comes to. */
void engine_settle(struct release *r);
/* The step failed for the release; what the lane needs is the caller's. */
void engine_fail(struct release *r, size_t step, enum release_outcome outcome);
bool engine_may_go_back(const struct release *r);

/* lane.c */
/* fresh: another life of the controller; copies are looked at before they are trusted. */
void lanes_enter(struct release *r, uint16_t group, bool fresh);
/* An operation ended. false: it is of no lane. */
bool lanes_done(struct release *r, const struct release_event *event);
bool lanes_are_busy(const struct release *r);
bool lanes_are_complete(struct release *r);
/* Ends what is under way and can be ended. */
void lanes_cancel(struct release *r, bool dwells_only);
/* Steps that failed, and what was done about them, are as if they had not begun. */
void lanes_forget_trouble(struct release *r);
struct lane *lane_of_dwell(struct release *r);
uint32_t engine_do(struct release *r, const struct release_op *op);

/* load.c */
void engine_make_back(struct release *r, const struct release_note *note);
void engine_touches(const struct release *r, struct release_note *ret);
