/*
 * The engine: modes and events.
 *
 * Modes, and what brings from one to the other
 *
 *   running  --pause-->     pausing   hosts on their way are seen through, a dwell is broken off
 *   pausing  --no lane busy--> paused
 *   pausing  --resume, in another life--> running
 *   running  --a step failed--> halting   the failed host is put back or shut, the others on their
 *                                         way are seen through, nobody else is touched
 *   halting  --no lane busy--> halted
 *   running  --a dwell without enough data--> held
 *   running, pausing, halting, paused, held, halted --rollback--> turning
 *   running  --a limit exceeded in a dwell--> turning (held, behind a barrier)
 *   turning  --no operation under way--> running, direction back
 *   paused, held, halted --resume--> running
 *   held, running in a dwell --promote--> running, behind the dwell
 *   running  --the last group is through--> ended
 *
 * The direction is forward until the way back begins; it never turns again.  Paused, held, halted
 * and ended end the life of the controller (ACT_END); a later one loads the notes and takes the
 * lock first.
 *
 * What holds
 *   1. An operation is begun only after the note that its step runs.
 *   2. Groups follow one another: nothing of a group begins before all lanes of the one before are
 *      through.  So at most a batch is out, and data centers keep their order.
 *   3. In a lane a step begins when the one before is done; a copy joins only behind its tests, and
 *      after another life of the controller, only when it is still the copy that was tested.
 *   4. While halting, halted, pausing, paused, held or turning no host that serves is touched and
 *      the share is not raised.
 *   5. A migration is begun again only under another attempt, and only when it is known to have
 *      failed, or a person says so.
 *   6. Whoever lost the lease does nothing more, and writes nothing.
 */
#include "release/engine_int.h"

#include "base/mem.h"

#include <string.h>

static const char *const forward_names[RELEASE_MODES] = {
    [RELEASE_RUNNING] = "running",      [RELEASE_PAUSING] = "running",
    [RELEASE_PAUSED] = "paused",        [RELEASE_HELD] = "held",
    [RELEASE_HALTING] = "running",      [RELEASE_HALTED] = "halted",
    [RELEASE_TURNING] = "rolling back", [RELEASE_ENDED] = "done",
};

const char *release_state_of(enum release_direction direction, enum release_mode mode)
{
    if (direction == RELEASE_FORWARD) {
        return forward_names[mode];
    }
    if (mode == RELEASE_ENDED) {
        return "rolled back";
    }
    return mode == RELEASE_PAUSED || mode == RELEASE_HALTED ? forward_names[mode] : "rolling back";
}

const char *release_state_name(const struct release *r)
{
    return release_state_of(r->direction, r->mode);
}

/* Acts */

struct release_act *engine_act(struct release *r, enum release_act_kind kind)
{
    if (r->acts == r->max_acts) {
        BUG("more acts than steps can have");
    }
    struct release_act *act = &r->act[r->acts++];
    memset(act, 0, sizeof *act);
    act->kind = kind;
    return act;
}

uint32_t engine_do(struct release *r, const struct release_op *op)
{
    struct release_act *act = engine_act(r, ACT_DO);
    act->op = *op;
    act->op.id = ++r->next_op;
    return act->op.id;
}

void engine_note_step(struct release *r, size_t i)
{
    const struct step_state *s = state_now(r, i);
    struct release_note *note = &engine_act(r, ACT_NOTE)->note;
    note->kind = NOTE_STEP;
    note->key = plan_now(r)->step[i].key;
    note->host = note->key.host;
    note->status = (enum release_step_status) s->status;
    note->attempt = s->attempt;
    note->instance = s->instance;
    note->outcome = (enum release_outcome) s->outcome;
    note->share_ppm = plan_now(r)->step[i].share_ppm;
    note->direction = r->direction;
}

void engine_mode(struct release *r, enum release_mode mode)
{
    r->mode = mode;
    struct release_note *note = &engine_act(r, ACT_NOTE)->note;
    note->kind = NOTE_MODE;
    note->host = -1;
    note->mode = mode;
    note->direction = r->direction;
    note->outcome = r->culprit_outcome;
    note->key.host = -2;
    if (r->culprit >= 0) {
        note->key = plan_now(r)->step[r->culprit].key;
    }
}

void engine_end(struct release *r)
{
    r->over = true;
    (void) engine_act(r, ACT_END);
}

static void refuse(struct release *r, enum release_refusal why)
{
    engine_act(r, ACT_REFUSE)->refusal = why;
}

/* Going on */

static void turn_back(struct release *r)
{
    struct release_note touched;
    engine_touches(r, &touched);
    engine_act(r, ACT_NOTE)->note = touched;
    engine_make_back(r, &touched);
    engine_mode(r, RELEASE_RUNNING);
    lanes_enter(r, 0, false);
}

static void end_in(struct release *r, enum release_mode mode)
{
    engine_mode(r, mode);
    engine_end(r);
}

void engine_settle(struct release *r)
{
    while (!r->over && !lanes_are_busy(r)) {
        switch (r->mode) {
        case RELEASE_PAUSING:
            end_in(r, RELEASE_PAUSED);
            return;
        case RELEASE_HALTING:
            end_in(r, RELEASE_HALTED);
            return;
        case RELEASE_TURNING:
            turn_back(r);
            break;
        case RELEASE_RUNNING:
            if (!lanes_are_complete(r)) {
                BUG("a lane has stopped in a running release");
            }
            if (r->group + 1 >= plan_now(r)->groups) {
                r->culprit = r->direction == RELEASE_BACK ? r->culprit : -1;
                end_in(r, RELEASE_ENDED);
                return;
            }
            lanes_enter(r, (uint16_t) (r->group + 1), false);
            break;
        case RELEASE_PAUSED:
        case RELEASE_HELD:
        case RELEASE_HALTED:
        case RELEASE_ENDED:
        case RELEASE_MODES:
            engine_end(r);
            return;
        }
    }
}

static bool has_migrated(const struct release *r)
{
    const struct release_plan *plan = &r->plan[RELEASE_FORWARD];
    for (size_t i = 0; i < plan->len; i++) {
        if (plan->step[i].key.kind == STEP_MIGRATE && r->state[RELEASE_FORWARD][i].attempt > 0) {
            return true;
        }
    }
    return false;
}

bool engine_may_go_back(const struct release *r)
{
    return r->direction == RELEASE_FORWARD && !(r->spec.barrier && has_migrated(r));
}

static void to_turning(struct release *r)
{
    engine_mode(r, RELEASE_TURNING);
    lanes_cancel(r, false);
}

void engine_fail(struct release *r, size_t step, enum release_outcome outcome)
{
    bool dwell = plan_now(r)->step[step].key.kind == STEP_DWELL;
    if (r->mode == RELEASE_TURNING) {
        return;
    }
    if (r->mode != RELEASE_HALTING) {
        r->culprit = (int) step;
        r->culprit_outcome = outcome;
    }
    if (dwell && outcome == RELEASE_EXCEEDED && engine_may_go_back(r)) {
        to_turning(r);
    } else if (dwell && outcome != RELEASE_FAILED) {
        end_in(r, RELEASE_HELD);
    } else if (r->mode != RELEASE_HALTING) {
        engine_mode(r, RELEASE_HALTING);
    }
}

/* Commands */

static void do_pause(struct release *r)
{
    if (r->mode != RELEASE_RUNNING) {
        refuse(r, r->mode == RELEASE_ENDED ? REFUSE_ENDED : REFUSE_NOT_NOW);
        return;
    }
    engine_mode(r, RELEASE_PAUSING);
    lanes_cancel(r, true);
}

static void forget_culprit(struct release *r)
{
    r->culprit = -1;
    r->culprit_outcome = RELEASE_OK;
}

/* A step that only a person can say is done. */
static void call_done(struct release *r, size_t step)
{
    struct step_state *s = state_now(r, step);
    s->status = STEP_DONE;
    s->outcome = RELEASE_OK;
    engine_note_step(r, step);
}

static bool is_stopped(const struct release *r)
{
    return r->mode == RELEASE_PAUSED || r->mode == RELEASE_HELD || r->mode == RELEASE_HALTED;
}

static void do_resume(struct release *r, enum release_tell tell)
{
    if (!is_stopped(r)) {
        refuse(r, r->mode == RELEASE_ENDED ? REFUSE_ENDED : REFUSE_NOT_NOW);
        return;
    }
    int culprit = r->culprit;
    bool unknown = culprit >= 0 && r->culprit_outcome == RELEASE_UNKNOWN;
    if (unknown && tell == TELL_NOTHING) {
        refuse(r, REFUSE_NOT_TOLD);
        return;
    }
    r->over = false;
    if (unknown && tell == TELL_DONE) {
        call_done(r, (size_t) culprit);
    } else if (unknown) {
        state_now(r, (size_t) culprit)->outcome = RELEASE_FAILED;
    }
    forget_culprit(r);
    lanes_forget_trouble(r);
    engine_mode(r, RELEASE_RUNNING);
    lanes_enter(r, r->group, true);
}

static void do_promote(struct release *r)
{
    struct lane *lane = r->mode == RELEASE_RUNNING ? lane_of_dwell(r) : NULL;
    if (lane != NULL) {
        lane->skipping = true;
        engine_act(r, ACT_CANCEL)->op.id = lane->op_id;
        return;
    }
    if (r->mode != RELEASE_HELD || r->culprit < 0) {
        refuse(r, r->mode == RELEASE_ENDED ? REFUSE_ENDED : REFUSE_NOT_NOW);
        return;
    }
    size_t step = (size_t) r->culprit;
    forget_culprit(r);
    r->over = false;
    call_done(r, step);
    engine_mode(r, RELEASE_RUNNING);
    lanes_enter(r, r->group, true);
}

static void do_rollback(struct release *r, bool force)
{
    if (r->mode == RELEASE_ENDED) {
        refuse(r, REFUSE_ENDED);
    } else if (r->direction == RELEASE_BACK) {
        refuse(r, REFUSE_BACK_OF_BACK);
    } else if (r->mode == RELEASE_TURNING) {
        refuse(r, REFUSE_NOT_NOW);
    } else if (!force && !engine_may_go_back(r)) {
        refuse(r, REFUSE_BARRIER);
    } else {
        r->over = false;
        forget_culprit(r);
        to_turning(r);
    }
}

static void do_command(struct release *r, const struct release_event *event)
{
    switch (event->kind) {
    case EVENT_PAUSE:
        do_pause(r);
        break;
    case EVENT_RESUME:
        do_resume(r, event->tell);
        break;
    case EVENT_PROMOTE:
        do_promote(r);
        break;
    case EVENT_ROLLBACK:
        do_rollback(r, event->force);
        break;
    case EVENT_BEGIN:
    case EVENT_RESUMED:
    case EVENT_DONE:
    case EVENT_KINDS:
        break;
    }
}

/* Another life */

static void take_lock(struct release *r)
{
    struct release_op op = {
        .kind = OP_LOCK, .step = -1, .host = -1, .deadline_ms = r->spec.step_ms};
    r->lock_id = engine_do(r, &op);
}

static bool is_on_the_move(const struct release *r)
{
    return r->mode == RELEASE_RUNNING || r->mode == RELEASE_PAUSING || r->mode == RELEASE_HALTING;
}

static void locked(struct release *r, enum release_outcome outcome)
{
    bool has_command = r->has_waiting;
    r->lock_id = 0;
    r->has_waiting = false;
    if (outcome != RELEASE_OK) {
        engine_end(r);
        return;
    }
    bool turns = has_command && r->waiting.kind == EVENT_ROLLBACK && is_on_the_move(r) &&
                 r->direction == RELEASE_FORWARD && (r->waiting.force || engine_may_go_back(r));
    if (has_command && r->waiting.kind == EVENT_PAUSE) {
        do_command(r, &r->waiting); /* before anything is begun that a pause would not begin */
        has_command = false;
    } else if (has_command && r->waiting.kind == EVENT_RESUME && r->mode == RELEASE_PAUSING) {
        engine_mode(r, RELEASE_RUNNING); /* whoever paused it is gone, and somebody says: go on */
        has_command = false;
    }
    if (is_on_the_move(r) && !turns) {
        lanes_enter(r, r->group, true);
    }
    if (has_command) {
        do_command(r, &r->waiting);
    }
}

static void done(struct release *r, const struct release_event *event)
{
    if (event->outcome == RELEASE_FENCED) {
        engine_end(r);
    } else if (event->op == r->lock_id && r->lock_id != 0) {
        locked(r, event->outcome);
    } else {
        (void) lanes_done(r, event);
    }
}

struct release_acts release_step(struct release *r, const struct release_event *event)
{
    bool was_over = r->over;
    r->acts = 0;
    if (event->kind == EVENT_BEGIN) {
        engine_mode(r, RELEASE_RUNNING);
        lanes_enter(r, 0, false);
    } else if (event->kind == EVENT_RESUMED) {
        take_lock(r);
    } else if (event->kind == EVENT_DONE) {
        if (!was_over) {
            done(r, event);
        }
    } else if (r->lock_id != 0) {
        r->waiting = *event;
        r->has_waiting = true;
    } else {
        do_command(r, event);
    }
    bool waits_for_lock = r->lock_id != 0;
    if (!r->over && !waits_for_lock && !(was_over && event->kind == EVENT_DONE)) {
        engine_settle(r);
    }
    return (struct release_acts){r->act, r->acts};
}
