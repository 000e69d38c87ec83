/* Of the time of a release: what could not be avoided. */
#include "release/took.h"

enum counts { COUNTS_NOTHING, COUNTS_ALL, COUNTS_WAITED };

static const uint8_t counts[STEP_KINDS] = {
    [STEP_PULL] = COUNTS_ALL,        [STEP_TEST] = COUNTS_ALL,
    [STEP_HOOK_BEFORE] = COUNTS_ALL, [STEP_HOOK_AFTER] = COUNTS_ALL,
    [STEP_MIGRATE] = COUNTS_ALL,     [STEP_START] = COUNTS_WAITED,
    [STEP_JOIN] = COUNTS_WAITED,     [STEP_PUT_BACK] = COUNTS_WAITED,
    [STEP_LEAVE] = COUNTS_WAITED,    [STEP_SWITCH] = COUNTS_WAITED,
    [STEP_STOP] = COUNTS_WAITED,     [STEP_STOP_OLD] = COUNTS_WAITED,
    [STEP_SHUT] = COUNTS_WAITED,     [STEP_SOAK] = COUNTS_WAITED,
    [STEP_DWELL] = COUNTS_WAITED,    [STEP_KEEP_OLD] = COUNTS_WAITED,
};

static uint64_t unavoidable_of(const struct release_took *took)
{
    switch ((enum counts) counts[took->kind]) {
    case COUNTS_ALL:
        return took->took_ms;
    case COUNTS_WAITED:
        return took->waited_ms < took->took_ms ? took->waited_ms : took->took_ms;
    case COUNTS_NOTHING:
        break;
    }
    return 0;
}

static uint64_t of_lane(const struct release_took *took, size_t n, size_t first)
{
    uint64_t ms = 0;
    for (size_t i = first; i < n; i++) {
        bool same = took[i].group == took[first].group && took[i].lane == took[first].lane;
        ms += same ? unavoidable_of(&took[i]) : 0;
    }
    return ms;
}

/* Whether an earlier row is of the same group, and of the same lane. */
static bool was_before(const struct release_took *took, size_t at, bool lane)
{
    for (size_t i = 0; i < at; i++) {
        if (took[i].group == took[at].group && (!lane || took[i].lane == took[at].lane)) {
            return true;
        }
    }
    return false;
}

static uint64_t of_group(const struct release_took *took, size_t n, size_t first)
{
    uint64_t longest = 0;
    for (size_t i = first; i < n; i++) {
        if (took[i].group == took[first].group && !was_before(took, i, true)) {
            uint64_t ms = of_lane(took, n, i);
            longest = ms > longest ? ms : longest;
        }
    }
    return longest;
}

uint64_t release_unavoidable_ms(const struct release_took *took, size_t n)
{
    uint64_t ms = 0;
    for (size_t i = 0; i < n; i++) {
        ms += was_before(took, i, false) ? 0 : of_group(took, n, i);
    }
    return ms;
}
