#pragma once
/*
 * What of a release's time could not be avoided: the bench divides the wall time by it, the goal is
 * at most 1.05.
 */
#include "release/plan.h"

#include <stddef.h>

/* A step that was done.  Group and lane as in the plan: lanes of a group went side by side. */
struct release_took {
    enum release_step_kind kind;
    uint16_t group, lane;
    uint64_t took_ms; /* from its begin to its end */
    uint64_t
        waited_ms; /* of it: what the world outside needed, see below; at most took_ms counts */
};

/*
 * Counted are
 *   pull, test, hooks, migration   all that they took
 *   start                          waited_ms: from the start of the applications to the first ready
 *   join, put-back                 waited_ms: rise x interval of the routers' checks
 *   leave, switch                  waited_ms: until the last request was over
 *   stop, stop-old, shut           waited_ms: the grace that was used
 *   soak, dwell, keep-old          waited_ms: what release.yaml asks for
 * and nothing of the others.  Of lanes side by side the longest counts.  took: in any order.
 */
uint64_t release_unavoidable_ms(const struct release_took *took, size_t n);
