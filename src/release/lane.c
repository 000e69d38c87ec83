/*
 * Lanes: the hosts of a batch side by side, each with its steps, each step with its operations; and
 * what a host gets when one of its steps has failed.
 *
 * In place, a host that has left and was not stopped is put back; one that was stopped is shut: out
 * of the routers, everything stopped.  Beside, the old copy takes the visitors again if they were
 * switched, and the new copy is shut.  A copy to which a router may still send, because it joined
 * and the routers cannot be told, is not stopped.
 */
#include "release/engine_int.h"

#include "base/mem.h"

#include <string.h>

#define DRAIN_MARGIN_MS 10000 /* over the limits of a drain, for the last readings */
#define WAIT_MARGIN_MS  5000

static const struct release_step_plan *step_at(struct release *r, const struct lane *lane)
{
    return lane->trouble == TROUBLE_PUT_BACK || lane->trouble == TROUBLE_SHUT
               ? &lane->in_trouble
               : &plan_now(r)->step[lane->at];
}

static bool is_beside(const struct release *r)
{
    return r->spec.swap == RELEASE_BESIDE;
}

/* The state of a lane's first step of a kind; NULL: it has none. */
static struct step_state *state_of(struct release *r, const struct lane *lane,
                                   enum release_step_kind kind, size_t *ret_step)
{
    for (size_t i = lane->first; i < lane->end; i++) {
        if (plan_now(r)->step[i].key.kind == kind) {
            if (ret_step != NULL) {
                *ret_step = i;
            }
            return state_now(r, i);
        }
    }
    return NULL;
}

static bool has_begun(struct release *r, const struct lane *lane, enum release_step_kind kind)
{
    const struct step_state *s = state_of(r, lane, kind, NULL);
    return s != NULL && s->status != STEP_PENDING;
}

/* Steps that leave a host as it was. */
static bool is_harmless(enum release_step_kind kind)
{
    return kind == STEP_PREFLIGHT || kind == STEP_ROOM || kind == STEP_PULL;
}

/* Whether stopping here would leave a host neither as it was nor as it should be. */
static bool is_on_its_way(struct release *r, const struct lane *lane)
{
    bool begun = false;
    for (size_t i = lane->first; i < lane->end; i++) {
        const struct release_step_plan *s = &plan_now(r)->step[i];
        begun = begun || (s->key.host >= 0 && !is_harmless(s->key.kind) &&
                          state_now(r, i)->status != STEP_PENDING);
    }
    return begun && plan_now(r)->step[lane->first].key.kind != STEP_MIGRATE;
}

static bool has_to_stop(struct release *r, const struct lane *lane)
{
    return r->mode != RELEASE_RUNNING && !is_on_its_way(r, lane);
}

/* Operations */

static uint64_t deadline_of(const struct release *r, const struct release_op *op)
{
    const struct release_spec *spec = &r->spec;
    uint64_t drain_ms = spec->requests_ms > spec->streams_ms ? spec->requests_ms : spec->streams_ms;
    switch ((int) op->kind) {
    case OP_QUIET:
        return drain_ms + DRAIN_MARGIN_MS;
    case OP_SOAK:
    case OP_WAIT:
        return op->wait_ms + WAIT_MARGIN_MS;
    case OP_DWELL:
        return op->wait_ms + spec->patience_ms + WAIT_MARGIN_MS;
    case OP_MIGRATE:
        return spec->migrate_ms + WAIT_MARGIN_MS;
    default:
        return spec->step_ms;
    }
}

static uint64_t instance_of(struct release *r, const struct lane *lane)
{
    const struct step_state *s = state_of(r, lane, STEP_START, NULL);
    return s == NULL ? 0 : s->instance;
}

static int step_index(struct release *r, const struct lane *lane)
{
    if (lane->trouble == TROUBLE_NONE) {
        return (int) lane->at;
    }
    return (int) release_plan_trouble(plan_now(r), lane->in_trouble.key.host,
                                      lane->trouble == TROUBLE_SHUT ? STEP_SHUT : STEP_PUT_BACK);
}

static void begin_op(struct release *r, struct lane *lane)
{
    const struct release_step_plan *step = step_at(r, lane);
    const enum release_op_kind kind = lane->op[lane->op_at];
    struct release_op op = {
        .kind = kind,
        .step = step_index(r, lane),
        .host = step->key.host,
        .slot = step->slot,
        .version = step->version,
        .track = step->track,
        .share_ppm = step->share_ppm,
        .need = {step->need[RELEASE_STABLE], step->need[RELEASE_CANARY]},
        .need_dc = step->need_dc,
        .both_dc = step->both_dc,
        .all = step->all,
        .raise = step->raise,
        .hook = step->key.nth,
        .after = step->key.part == PART_FINISH,
        .attempt = lane->trouble == TROUBLE_NONE ? state_now(r, lane->at)->attempt : 1,
        .instance = kind == OP_READY && lane->trouble == TROUBLE_NONE ? instance_of(r, lane) : 0,
        .wait_ms = step->wait_ms,
    };
    op.deadline_ms = deadline_of(r, &op);
    lane->op_id = engine_do(r, &op);
}

static void begin_step(struct release *r, struct lane *lane);

static void next_step(struct release *r, struct lane *lane)
{
    do {
        lane->at++;
    } while (lane->at < lane->end && step_is_over(state_now(r, lane->at)));
    if (lane->at == lane->end || has_to_stop(r, lane)) {
        lane->over = true;
    } else {
        begin_step(r, lane);
    }
}

static void step_done(struct release *r, struct lane *lane)
{
    struct step_state *s = state_now(r, lane->at);
    s->status = STEP_DONE;
    s->outcome = RELEASE_OK;
    engine_note_step(r, lane->at);
    next_step(r, lane);
}

/*
 * A migration is asked for by its attempt: it is the same one, whatever kept its end from us, until
 * it is known to have failed, or a person said so.
 */
static bool is_same_attempt(const struct release_step_plan *step, const struct step_state *s)
{
    return step->key.kind == STEP_MIGRATE && s->attempt > 0 &&
           (s->status == STEP_RUNNING || s->outcome != RELEASE_FAILED);
}

/* What is behind a step that is begun again has to be done again, too, whoever noted it as done. */
static void begin_anew_behind(struct release *r, const struct lane *lane)
{
    for (size_t i = lane->at + 1; i < lane->end; i++) {
        if (state_now(r, i)->status != STEP_PENDING) {
            state_now(r, i)->status = STEP_PENDING;
            engine_note_step(r, i);
        }
    }
}

static void begin_step(struct release *r, struct lane *lane)
{
    const struct release_step_plan *step = &plan_now(r)->step[lane->at];
    struct step_state *s = state_now(r, lane->at);
    if (step->hold) {
        lane->over = true;
        engine_fail(r, lane->at, RELEASE_NOTHING);
        return;
    }
    begin_anew_behind(r, lane);
    s->attempt = (uint16_t) (s->attempt + !is_same_attempt(step, s));
    s->status = STEP_RUNNING;
    engine_note_step(r, lane->at);
    lane->ops = (uint8_t) release_step_ops(&r->spec, step, lane->op);
    lane->op_at = 0;
    if (lane->ops == 0) {
        step_done(r, lane);
    } else {
        begin_op(r, lane);
    }
}

/* Not begun after all: nothing of it was done that has to be undone. */
static void abandon_step(struct release *r, struct lane *lane)
{
    struct step_state *s = state_now(r, lane->at);
    s->status = STEP_PENDING;
    engine_note_step(r, lane->at);
    lane->over = true;
}

static void op_ok(struct release *r, struct lane *lane, const struct release_event *event)
{
    if (lane->op[lane->op_at] == OP_START) {
        state_now(r, lane->at)->instance = event->instance;
    }
    if (lane->op[lane->op_at] == OP_OBSERVE && event->instance != 0) {
        lane->op_at++; /* what runs, and serves perhaps, is not taken out of the routers */
    }
    if (++lane->op_at == lane->ops) {
        step_done(r, lane);
    } else if (has_to_stop(r, lane)) {
        abandon_step(r, lane);
    } else {
        begin_op(r, lane);
    }
}

/* Trouble */

static void note_trouble(struct release *r, const struct lane *lane, enum release_step_kind kind,
                         enum release_step_status status)
{
    size_t i = release_plan_trouble(plan_now(r), lane->in_trouble.key.host, kind);
    struct step_state *s = state_now(r, i);
    s->status = (uint8_t) status;
    s->attempt = (uint16_t) (s->attempt + (status == STEP_RUNNING));
    engine_note_step(r, i);
}

static void begin_trouble(struct release *r, struct lane *lane, enum trouble_stage stage)
{
    enum release_step_kind kind = stage == TROUBLE_SHUT ? STEP_SHUT : STEP_PUT_BACK;
    lane->trouble = (uint8_t) stage;
    lane->in_trouble.key =
        plan_now(r)->step[release_plan_trouble(plan_now(r), lane->in_trouble.key.host, kind)].key;
    lane->ops = (uint8_t) release_step_ops(&r->spec, &lane->in_trouble, lane->op);
    lane->op_at = 0;
    note_trouble(r, lane, kind, STEP_RUNNING);
    begin_op(r, lane);
}

/* What served on the host before this lane began. */
static void aim_at_former(const struct release *r, struct lane *lane, int host)
{
    struct release_step_plan *s = &lane->in_trouble;
    *s = (struct release_step_plan){.key = {.host = (int16_t) host}};
    s->slot = r->basis.host[host].slot;
    s->track = r->basis.host[host].track;
    s->version = RELEASE_OLD;
    if (r->direction == RELEASE_BACK) {
        /* the copy that is to go: on the track where it joined */
        s->version = RELEASE_NEW;
        s->slot = is_beside(r) ? plan_other_slot(s->slot) : s->slot;
        struct release_note touched;
        engine_touches(r, &touched);
        if (touched.touch[host] & TOUCH_ON_CANARY) {
            s->track = RELEASE_CANARY;
        }
    }
}

static void aim_at_begun(struct release *r, struct lane *lane, int host)
{
    size_t start = lane->first;
    (void) state_of(r, lane, STEP_START, &start);
    lane->in_trouble = plan_now(r)->step[start];
    lane->in_trouble.key.host = (int16_t) host;
}

/* Beside: whether visitors may have been taken from the old copy, in this attempt or another. */
static bool was_switched(struct release *r, const struct lane *lane)
{
    const struct step_state *s = state_of(r, lane, STEP_SWITCH, NULL);
    return s != NULL && s->attempt > 0;
}

/* Whether what served on the host before this lane is gone: by now, or since an earlier attempt. */
static bool was_stopped(struct release *r, const struct lane *lane, int host)
{
    const struct step_state *start = state_of(r, lane, STEP_START, NULL);
    size_t shut = release_plan_trouble(plan_now(r), host, STEP_SHUT);
    return has_begun(r, lane, STEP_STOP) || start->attempt > 0 || state_now(r, shut)->attempt > 0;
}

/* Whether the host took requests before this lane: only then it can be put back. */
static bool has_served(struct release *r, const struct lane *lane)
{
    size_t leave = lane->first;
    return state_of(r, lane, STEP_LEAVE, &leave) != NULL && !plan_now(r)->step[leave].out;
}

/* Whether routers may send to the copy that the lane starts: it joined, now or in an earlier
 * attempt; on the way back it served before. */
static bool may_be_sent_to(struct release *r, const struct lane *lane)
{
    const struct step_state *join = state_of(r, lane, STEP_JOIN, NULL);
    if (!is_beside(r)) {
        const struct step_state *leave = state_of(r, lane, STEP_LEAVE, NULL);
        return has_begun(r, lane, STEP_JOIN) || leave == NULL || leave->status != STEP_DONE;
    }
    return r->direction == RELEASE_BACK || (join != NULL && join->attempt > 0);
}

static void into_trouble(struct release *r, struct lane *lane)
{
    int host = plan_now(r)->step[lane->first].key.host;
    bool has_join = state_of(r, lane, STEP_JOIN, NULL) != NULL;
    bool starts = state_of(r, lane, STEP_START, NULL) != NULL;
    lane->keep_copy = may_be_sent_to(r, lane);
    lane->trouble = TROUBLE_OVER;
    if (host < 0 || !has_join || !starts) {
        lane->over = true;
        return;
    }
    if (!is_beside(r)) {
        if (was_stopped(r, lane, host)) {
            aim_at_begun(r, lane, host);
            begin_trouble(r, lane, TROUBLE_SHUT);
        } else if (has_begun(r, lane, STEP_LEAVE) && has_served(r, lane)) {
            aim_at_former(r, lane, host);
            begin_trouble(r, lane, TROUBLE_PUT_BACK);
        }
    } else if (was_switched(r, lane)) {
        aim_at_former(r, lane, host);
        begin_trouble(r, lane, TROUBLE_PUT_BACK);
    } else if (has_begun(r, lane, STEP_PROXY) || has_begun(r, lane, STEP_START)) {
        aim_at_begun(r, lane, host);
        begin_trouble(r, lane, TROUBLE_SHUT);
    }
    lane->over = lane->trouble == TROUBLE_OVER;
}

static void trouble_over(struct release *r, struct lane *lane, bool ok)
{
    bool was_put_back = lane->trouble == TROUBLE_PUT_BACK;
    int host = lane->in_trouble.key.host;
    note_trouble(r, lane, was_put_back ? STEP_PUT_BACK : STEP_SHUT, ok ? STEP_DONE : STEP_BROKEN);
    if (was_put_back && is_beside(r) && ok) {
        aim_at_begun(r, lane, host);
        begin_trouble(r, lane, TROUBLE_SHUT);
        return;
    }
    lane->trouble = TROUBLE_OVER;
    lane->over = true;
}

/* In a shut what the routers or the sidecar do not take is left, unless they may still send. */
static void trouble_done(struct release *r, struct lane *lane, enum release_outcome outcome)
{
    enum release_op_kind op = lane->op[lane->op_at];
    bool last = lane->op_at + 1 == lane->ops;
    bool may_go_on = lane->trouble == TROUBLE_SHUT && !last && op != OP_STOP &&
                     (!lane->keep_copy || op == OP_FAIL || op == OP_QUIET);
    if (outcome != RELEASE_OK && !may_go_on) {
        trouble_over(r, lane, false);
    } else if (last) {
        trouble_over(r, lane, true);
    } else {
        lane->op_at++;
        begin_op(r, lane);
    }
}

static void step_failed(struct release *r, struct lane *lane, enum release_outcome outcome)
{
    struct step_state *s = state_now(r, lane->at);
    const struct release_step_plan *step = &plan_now(r)->step[lane->at];
    /* Others are missing: the host may not go on, and nothing of it was stopped. */
    bool not_begun =
        step->key.kind == STEP_STOP && lane->op[lane->op_at] == OP_KEEP_UP && s->attempt == 1;
    s->status = not_begun ? STEP_PENDING : STEP_BROKEN;
    s->outcome = (uint8_t) outcome;
    engine_note_step(r, lane->at);
    engine_fail(r, lane->at, outcome);
    if (r->over || r->mode == RELEASE_TURNING) {
        lane->over = true;
    } else {
        into_trouble(r, lane);
    }
}

/* Entering a group */

static void restart(struct release *r, struct lane *lane)
{
    for (size_t i = lane->first; i < lane->end; i++) {
        struct step_state *s = state_now(r, i);
        if (s->status != STEP_PENDING && !is_harmless(plan_now(r)->step[i].key.kind)) {
            s->status = STEP_PENDING;
            engine_note_step(r, i);
        }
    }
    lane->at = lane->first;
    while (step_is_over(state_now(r, lane->at))) {
        lane->at++;
    }
    begin_step(r, lane);
}

/* That routers send to the copy is what another life cannot know: notes of a shut may be lost. */
static void prove_join_again(struct release *r, struct lane *lane)
{
    size_t join = lane->end;
    const struct step_state *s = state_of(r, lane, STEP_JOIN, &join);
    if (s == NULL || s->status != STEP_DONE) {
        return;
    }
    for (size_t i = join; i < lane->end; i++) {
        if (state_now(r, i)->status == STEP_DONE) {
            state_now(r, i)->status = STEP_PENDING;
            engine_note_step(r, i);
        }
    }
    lane->at = join;
}

static void observe(struct release *r, struct lane *lane, const struct release_step_plan *start)
{
    struct release_op op = {.kind = OP_OBSERVE,
                            .step = (int) lane->at,
                            .host = start->key.host,
                            .slot = start->slot,
                            .version = start->version,
                            .deadline_ms = r->spec.step_ms};
    lane->observing = true;
    lane->op_id = engine_do(r, &op);
}

static void observed(struct release *r, struct lane *lane, const struct release_event *event)
{
    lane->observing = false;
    if (event->outcome != RELEASE_OK) {
        step_failed(r, lane, event->outcome);
    } else if (event->instance != instance_of(r, lane)) {
        restart(r, lane);
    } else {
        prove_join_again(r, lane);
        begin_step(r, lane);
    }
}

/* A shut or put back that was begun is finished, whatever became of the controller. */
static bool is_in_trouble(struct release *r, const struct lane *lane)
{
    int host = plan_now(r)->step[lane->first].key.host;
    if (host >= 0) {
        for (int k = 0; k < 2; k++) {
            size_t i = release_plan_trouble(plan_now(r), host, k == 0 ? STEP_PUT_BACK : STEP_SHUT);
            if (state_now(r, i)->status != STEP_PENDING) {
                return true;
            }
        }
    }
    for (size_t i = lane->first; i < lane->end; i++) {
        if (state_now(r, i)->status == STEP_BROKEN) {
            return true;
        }
    }
    return false;
}

static void enter_lane(struct release *r, struct lane *lane, bool fresh)
{
    size_t start = lane->end;
    while (lane->at < lane->end && step_is_over(state_now(r, lane->at))) {
        lane->at++;
    }
    bool complete = lane->at == lane->end;
    if (!complete && r->mode == RELEASE_HALTING && is_in_trouble(r, lane)) {
        into_trouble(r, lane);
    } else if (complete || has_to_stop(r, lane)) {
        lane->over = true;
    } else if (fresh && state_of(r, lane, STEP_START, &start) != NULL &&
               state_now(r, start)->status == STEP_DONE) {
        observe(r, lane, &plan_now(r)->step[start]);
    } else {
        begin_step(r, lane);
    }
}

static void find_lanes(struct release *r)
{
    const struct release_plan *plan = plan_now(r);
    r->lanes = 0;
    for (size_t i = 0; i < plan->len; i++) {
        if (plan->step[i].group != r->group) {
            continue;
        }
        struct lane *last = r->lanes == 0 ? NULL : &r->lane[r->lanes - 1];
        if (last == NULL || plan->step[i].lane != plan->step[last->first].lane) {
            last = &r->lane[r->lanes++];
            memset(last, 0, sizeof *last);
            last->first = last->at = i;
        }
        last->end = i + 1;
    }
}

void lanes_enter(struct release *r, uint16_t group, bool fresh)
{
    r->group = group;
    find_lanes(r);
    for (size_t i = 0; i < r->lanes; i++) {
        enter_lane(r, &r->lane[i], fresh);
    }
}

/* Beside, a new copy that could not be shut still serves: only what failed is done again. */
static bool has_to_begin_anew(struct release *r, const struct lane *lane, int host)
{
    size_t shut = release_plan_trouble(plan_now(r), host, STEP_SHUT);
    return !is_beside(r) || !was_switched(r, lane) || state_now(r, shut)->status != STEP_PENDING;
}

static void forget_trouble_of(struct release *r, const struct lane *lane, int host)
{
    const struct release_plan *plan = plan_now(r);
    bool anew = host >= 0 && has_to_begin_anew(r, lane, host);
    bool as_it_was =
        host >= 0 &&
        state_now(r, release_plan_trouble(plan, host, STEP_PUT_BACK))->status == STEP_DONE;
    for (size_t k = lane->first; k < lane->end; k++) {
        struct step_state *s = state_now(r, k);
        bool begun = s->status != STEP_PENDING && plan->step[k].key.kind != STEP_MIGRATE;
        bool undone = as_it_was && !is_beside(r) && s->attempt > 0 &&
                      (plan->step[k].key.kind == STEP_STOP || plan->step[k].key.kind == STEP_LEAVE);
        if (s->status == STEP_BROKEN || (anew && begun) || undone) {
            s->status = STEP_PENDING;
            s->attempt = undone ? 0 : s->attempt;
            engine_note_step(r, k);
        }
    }
    for (int k = 0; host >= 0 && k < 2; k++) {
        size_t t = release_plan_trouble(plan, host, k == 0 ? STEP_PUT_BACK : STEP_SHUT);
        if (state_now(r, t)->status != STEP_PENDING) {
            state_now(r, t)->status = STEP_PENDING;
            engine_note_step(r, t);
        }
    }
}

/* A host that was put back or shut begins its runbook anew. */
void lanes_forget_trouble(struct release *r)
{
    find_lanes(r); /* a later life has entered none */
    for (size_t i = 0; i < r->lanes; i++) {
        const struct lane *lane = &r->lane[i];
        if (is_in_trouble(r, lane)) {
            forget_trouble_of(r, lane, plan_now(r)->step[lane->first].key.host);
        }
    }
}

/* What ends */

/* What was done on the way to turn counts, and nothing more is begun. */
static void end_in_turning(struct release *r, struct lane *lane, const struct release_event *event)
{
    lane->over = true;
    if (!lane->observing && lane->trouble == TROUBLE_NONE && event->outcome == RELEASE_OK &&
        lane->op_at + 1 == lane->ops) {
        state_now(r, lane->at)->status = STEP_DONE;
        state_now(r, lane->at)->instance = event->instance;
        engine_note_step(r, lane->at);
    }
}

static void op_ended(struct release *r, struct lane *lane, const struct release_event *event)
{
    bool skipped = lane->skipping;
    lane->op_id = 0;
    lane->skipping = false;
    if (r->mode == RELEASE_TURNING) {
        end_in_turning(r, lane, event);
    } else if (lane->observing) {
        observed(r, lane, event);
    } else if (lane->trouble != TROUBLE_NONE) {
        trouble_done(r, lane, event->outcome);
    } else if (event->outcome == RELEASE_OK || skipped) {
        op_ok(r, lane, event);
    } else if (event->outcome == RELEASE_CANCELLED && r->mode != RELEASE_RUNNING) {
        abandon_step(r, lane);
    } else {
        step_failed(r, lane, event->outcome);
    }
}

bool lanes_done(struct release *r, const struct release_event *event)
{
    for (size_t i = 0; i < r->lanes; i++) {
        if (r->lane[i].op_id == event->op && event->op != 0) {
            op_ended(r, &r->lane[i], event);
            return true;
        }
    }
    return false;
}

bool lanes_are_busy(const struct release *r)
{
    for (size_t i = 0; i < r->lanes; i++) {
        if (r->lane[i].op_id != 0) {
            return true;
        }
    }
    return false;
}

bool lanes_are_complete(struct release *r)
{
    for (size_t i = 0; i < r->lanes; i++) {
        for (size_t k = r->lane[i].first; k < r->lane[i].end; k++) {
            if (!step_is_over(state_now(r, k))) {
                return false;
            }
        }
    }
    return true;
}

/* Waits can be broken off at once; the rest is told to end soon. */
void lanes_cancel(struct release *r, bool dwells_only)
{
    for (size_t i = 0; i < r->lanes; i++) {
        struct lane *lane = &r->lane[i];
        if (lane->op_id != 0 && (!dwells_only || step_at(r, lane)->key.kind == STEP_DWELL)) {
            engine_act(r, ACT_CANCEL)->op.id = lane->op_id;
        }
    }
}

struct lane *lane_of_dwell(struct release *r)
{
    for (size_t i = 0; i < r->lanes; i++) {
        struct lane *lane = &r->lane[i];
        if (lane->op_id != 0 && step_at(r, lane)->key.kind == STEP_DWELL &&
            lane->op[lane->op_at] == OP_DWELL) {
            return lane;
        }
    }
    return NULL;
}
