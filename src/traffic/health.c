/* The health of one peer; see health.h. */
#include "traffic/health.h"

static void streak_count(struct health_state *state, bool passing)
{
    if (state->passing != passing) {
        state->streak = 0;
    }
    state->passing = passing;
    if (state->streak < UINT32_MAX) {
        state->streak++;
    }
}

static enum health checked(struct health_state *state, bool pass, const struct health_rule *rule)
{
    streak_count(state, pass);
    if (state->ejected) {
        return HEALTH_DOWN;
    }
    switch (state->health) {
    case HEALTH_UNCHECKED:
    case HEALTH_UNKNOWN:
        return pass ? HEALTH_UP : HEALTH_DOWN;
    case HEALTH_UP:
        return !pass && state->streak >= rule->fall ? HEALTH_DOWN : HEALTH_UP;
    case HEALTH_DOWN:
    case HEALTH_COUNT:
        break;
    }
    return pass && state->streak >= rule->rise ? HEALTH_UP : HEALTH_DOWN;
}

static enum health eject_over(struct health_state *state, const struct health_rule *rule)
{
    if (!state->ejected) {
        return state->health;
    }
    state->ejected = false;
    if (!state->checked) {
        return HEALTH_UNCHECKED;
    }
    return state->passing && state->streak >= rule->rise ? HEALTH_UP : HEALTH_DOWN;
}

static enum health watched(struct health_state *state, bool yes)
{
    if (state->checked == yes) {
        return state->health;
    }
    state->checked = yes;
    state->streak = 0;
    state->passing = false;
    if (state->ejected) {
        return HEALTH_DOWN;
    }
    return yes ? HEALTH_UNKNOWN : HEALTH_UNCHECKED;
}

static enum health next(struct health_state *state, enum health_event event,
                        const struct health_rule *rule)
{
    switch (event) {
    case HEALTH_PASS:
    case HEALTH_FAIL:
    case HEALTH_TOLD:
        if (!state->checked) {
            return state->health; /* a reload took the checks away while this one ran */
        }
        if (event != HEALTH_TOLD) {
            return checked(state, event == HEALTH_PASS, rule);
        }
        streak_count(state, false);
        return HEALTH_DOWN;
    case HEALTH_EJECT:
        state->ejected = true;
        return HEALTH_DOWN;
    case HEALTH_EJECT_OVER:
        return eject_over(state, rule);
    case HEALTH_WATCHED:
    case HEALTH_UNWATCHED:
        break;
    }
    return watched(state, event == HEALTH_WATCHED);
}

bool health_step(struct health_state *state, enum health_event event,
                 const struct health_rule *rule)
{
    enum health before = state->health;
    state->health = next(state, event, rule);
    return state->health != before;
}

const char *health_name(enum health health)
{
    static const char *const name[HEALTH_COUNT] = {"unchecked", "unknown", "up", "down"};
    return name[health];
}
