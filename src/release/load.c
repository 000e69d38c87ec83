/* Notes: what a later life is made of, and what the way back begins from. */
#include "release/engine_int.h"

#include "base/mem.h"

#include <string.h>

static bool key_equal(const struct release_key *a, const struct release_key *b)
{
    return a->direction == b->direction && a->kind == b->kind && a->part == b->part &&
           a->host == b->host && a->nth == b->nth;
}

static int check_order(const struct release_spec *spec, struct err *err)
{
    static const enum release_step_kind needed[] = {STEP_LEAVE, STEP_STOP, STEP_START, STEP_JOIN};
    int last = -1;
    for (size_t n = 0; n < sizeof needed / sizeof *needed; n++) {
        int at = -1;
        for (int i = 0; i < spec->orders; i++) {
            at = spec->order[i] == needed[n] ? i : at;
        }
        if (at < 0 || at < last) {
            return err_set(err, ERR_INVALID,
                           "the order has to have leave, stop, start, join in turn");
        }
        last = at;
    }
    return 0;
}

static int check_spec(const struct release_spec *spec, struct err *err)
{
    if (spec->hosts == 0 || spec->hosts > RELEASE_HOSTS_MAX || spec->dcs == 0 ||
        spec->dcs > RELEASE_DCS_MAX || spec->batch == 0 || spec->step_ms == 0) {
        return err_set(err, ERR_INVALID,
                       "a release needs hosts, data centers, a batch and a deadline of steps");
    }
    if (spec->beside_per_dc > 0 && spec->swap != RELEASE_BESIDE) {
        return err_set(err, ERR_INVALID, "a pool of copies beside others needs swap: beside");
    }
    if (spec->has_migration && spec->migrate_ms == 0) {
        return err_set(err, ERR_INVALID, "a migration needs a timeout");
    }
    return spec->swap == RELEASE_IN_PLACE ? check_order(spec, err) : 0;
}

int release_new(const struct release_spec *spec, const struct release_basis *basis,
                struct release **ret, struct err *err)
{
    struct release_plan plan;
    if (check_spec(spec, err) < 0 || release_plan_forward(spec, basis, &plan, err) < 0) {
        return ERR_INVALID;
    }
    struct release *r = mem_zalloc(sizeof *r);
    r->spec = *spec;
    r->basis = *basis;
    r->plan[RELEASE_FORWARD] = plan;
    r->state[RELEASE_FORWARD] = mem_array(plan.total, sizeof **r->state);
    r->lane = mem_array(spec->hosts, sizeof *r->lane);
    r->max_acts = plan.total * 2 + 64;
    r->act = mem_array(r->max_acts, sizeof *r->act);
    r->culprit = -1;
    *ret = r;
    return 0;
}

void release_free(struct release *take_release)
{
    struct release *r = take_release;
    if (r == NULL) {
        return;
    }
    for (int d = 0; d < 2; d++) {
        release_plan_done(&r->plan[d]);
        mem_free(r->state[d]);
    }
    mem_free(r->lane);
    mem_free(r->act);
    mem_free(r);
}

/* Beside: whether visitors may have been taken from the old copy, in this attempt or another. */
static bool was_switched(const struct release *r, int host)
{
    const struct release_plan *plan = &r->plan[RELEASE_FORWARD];
    for (size_t i = 0; i < plan->len; i++) {
        if (plan->step[i].key.kind == STEP_SWITCH && plan->step[i].key.host == host &&
            r->state[RELEASE_FORWARD][i].attempt > 0) {
            return true;
        }
    }
    return false;
}

/* What a host is at least when its new copy was begun. */
static unsigned touch_of_begun(const struct release *r, int host)
{
    return was_switched(r, host) ? (unsigned) TOUCH_JOINED : (unsigned) TOUCH_STOPPED;
}

/* Of a step that was begun once and is to be begun anew: what it may have done is not undone. */
static unsigned touch_by_former(const struct release *r, const struct release_step_plan *step,
                                unsigned touch)
{
    switch ((int) step->key.kind) {
    case STEP_LEAVE:
        return touch == TOUCH_NONE && !step->out ? (unsigned) TOUCH_LEFT : touch;
    case STEP_START:
    case STEP_SHUT:
        return touch <= TOUCH_LEFT ? touch_of_begun(r, step->key.host) : touch;
    case STEP_STOP_OLD:
        return (unsigned) TOUCH_ALL | (touch & TOUCH_ON_CANARY);
    default:
        return touch;
    }
}

/* How far each host has come, by the steps that were begun. */
static unsigned touch_by(const struct release *r, size_t i, unsigned touch)
{
    const struct release_step_plan *step = &r->plan[RELEASE_FORWARD].step[i];
    const struct step_state *s = &r->state[RELEASE_FORWARD][i];
    const bool beside = r->spec.swap == RELEASE_BESIDE, retires = step->version == RELEASE_NONE;
    const unsigned canary = step->track == RELEASE_CANARY ? (unsigned) TOUCH_ON_CANARY : 0;
    const bool done = s->status == STEP_DONE;
    if (s->status == STEP_PENDING) {
        return s->attempt > 0 ? touch_by_former(r, step, touch) : touch;
    }
    switch ((int) step->key.kind) {
    case STEP_LEAVE:
        return retires ? touch : (unsigned) TOUCH_LEFT;
    case STEP_STOP:
        return (unsigned) TOUCH_STOPPED;
    case STEP_PROXY:
    case STEP_START:
        return touch_of_begun(r, step->key.host);
    case STEP_JOIN: /* nobody has counted on it before it was proved */
        return done ? (unsigned) TOUCH_JOINED | canary : touch_of_begun(r, step->key.host);
    case STEP_STOP_OLD:
        return (unsigned) TOUCH_ALL | (touch & TOUCH_ON_CANARY);
    case STEP_TRACK: /* until it is proved, the canary may still need the host */
        return done ? (touch & ~(unsigned) TOUCH_ON_CANARY) | canary : touch | TOUCH_MOVING;
    case STEP_PUT_BACK:
        return done && !beside ? (unsigned) TOUCH_NONE : touch;
    case STEP_SHUT: /* that the old copy was put back again is not sure enough to leave it alone */
        return touch_of_begun(r, step->key.host);
    default:
        return touch;
    }
}

/* The least that it may be: a change that was begun may have been made, at some routers or all. */
static uint32_t least_share(const struct release *r)
{
    uint32_t share_ppm = r->basis.share_ppm;
    const struct release_plan *plan = &r->plan[RELEASE_FORWARD];
    for (size_t i = 0; i < plan->len; i++) {
        const struct step_state *s = &r->state[RELEASE_FORWARD][i];
        if (plan->step[i].key.kind != STEP_SHARE || s->attempt == 0) {
            continue;
        }
        bool sure = s->status == STEP_DONE;
        share_ppm =
            sure || plan->step[i].share_ppm < share_ppm ? plan->step[i].share_ppm : share_ppm;
    }
    return share_ppm;
}

void engine_touches(const struct release *r, struct release_note *ret)
{
    const struct release_plan *plan = &r->plan[RELEASE_FORWARD];
    memset(ret, 0, sizeof *ret);
    ret->kind = NOTE_BACK;
    ret->host = -1;
    ret->share_ppm = least_share(r);
    for (size_t i = 0; i < plan->total; i++) {
        int host = plan->step[i].key.host;
        if (host >= 0) {
            ret->touch[host] = (uint8_t) touch_by(r, i, ret->touch[host]);
        }
    }
}

void engine_make_back(struct release *r, const struct release_note *note)
{
    release_plan_done(&r->plan[RELEASE_BACK]); /* it may have been noted twice */
    release_plan_back(&r->spec, &r->basis, note, &r->plan[RELEASE_BACK]);
    mem_free(r->state[RELEASE_BACK]);
    r->state[RELEASE_BACK] = mem_array(r->plan[RELEASE_BACK].total, sizeof **r->state);
    r->direction = RELEASE_BACK;
    r->group = 0;
    r->lanes = 0;
    r->culprit = -1;
    size_t acts = r->plan[RELEASE_BACK].total * 2 + 64;
    if (acts > r->max_acts) {
        r->act = mem_realloc_array(r->act, acts, sizeof *r->act);
        r->max_acts = acts;
    }
}

int release_find(const struct release *r, const struct release_key *key)
{
    const struct release_plan *plan = &r->plan[key->direction];
    for (size_t i = 0; i < plan->total; i++) {
        if (key_equal(&plan->step[i].key, key)) {
            return (int) i;
        }
    }
    return -1;
}

static void load_step(struct release *r, const struct release_note *note)
{
    int i = release_find(r, &note->key);
    if (i >= 0) {
        r->state[note->key.direction][i] = (struct step_state){.status = (uint8_t) note->status,
                                                               .outcome = (uint8_t) note->outcome,
                                                               .attempt = note->attempt,
                                                               .instance = note->instance};
    }
}

/* Notes of hosts that cannot be reached are missing: what came later says that it was done. */
static void fill_gaps(struct release *r)
{
    const struct release_plan *plan = plan_now(r);
    uint16_t group = 0;
    for (size_t i = 0; i < plan->len; i++) {
        if (state_now(r, i)->attempt > 0 && plan->step[i].group > group) {
            group = plan->step[i].group;
        }
    }
    for (size_t i = 0; i < plan->len; i++) {
        struct step_state *s = state_now(r, i);
        bool earlier = plan->step[i].group < group;
        /* A lane's steps stand together: this is done for each note of a release. */
        for (size_t k = i + 1;
             !earlier && s->attempt == 0 && k < plan->len &&
             plan->step[k].group == plan->step[i].group && plan->step[k].lane == plan->step[i].lane;
             k++) {
            earlier = state_now(r, k)->attempt > 0 && state_now(r, k)->status != STEP_PENDING;
        }
        if (earlier && !step_is_over(s)) {
            s->status = STEP_DONE;
        }
    }
    r->group = group;
}

void release_load(struct release *r, const struct release_note *note, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        switch (note[i].kind) {
        case NOTE_STEP:
            load_step(r, &note[i]);
            break;
        case NOTE_BACK:
            engine_make_back(r, &note[i]);
            break;
        case NOTE_MODE:
            r->mode = note[i].mode;
            r->culprit = note[i].key.host == -2 ? -1 : release_find(r, &note[i].key);
            r->culprit_outcome = note[i].outcome;
            break;
        case NOTE_KINDS:
            break;
        }
    }
    fill_gaps(r);
    r->lanes = 0;
}

/* Views */

enum release_mode release_mode(const struct release *r)
{
    return r->mode;
}

enum release_direction release_direction(const struct release *r)
{
    return r->direction;
}

const struct release_plan *release_plan_of(const struct release *r)
{
    return &r->plan[r->direction];
}

const struct release_plan *release_plan_in(const struct release *r,
                                           enum release_direction direction)
{
    return &r->plan[direction];
}

enum release_step_status release_status(const struct release *r, size_t i)
{
    return (enum release_step_status) r->state[r->direction][i].status;
}

uint16_t release_attempt(const struct release *r, size_t i)
{
    return r->state[r->direction][i].attempt;
}

int release_culprit(const struct release *r, enum release_outcome *ret)
{
    if (ret != NULL) {
        *ret = r->culprit_outcome;
    }
    return r->culprit;
}

uint32_t release_share_ppm(const struct release *r)
{
    uint32_t share_ppm = r->basis.share_ppm;
    for (int d = 0; d < 2; d++) {
        for (size_t i = 0; i < r->plan[d].len; i++) {
            if (r->plan[d].step[i].key.kind == STEP_SHARE && r->state[d][i].status == STEP_DONE) {
                share_ppm = r->plan[d].step[i].share_ppm;
            }
        }
    }
    return share_ppm;
}
