/* Which operations a step is made of. */
#include "release/plan.h"

#include <string.h>

#define OPS_MAX 8

struct recipe {
    uint8_t len;
    uint8_t op[OPS_MAX];
};

#define RECIPE(...)                                                    \
    {                                                                  \
        .len = sizeof((uint8_t[]){__VA_ARGS__}), .op = { __VA_ARGS__ } \
    }

static const struct recipe in_place[STEP_KINDS] = {
    [STEP_PREFLIGHT] = RECIPE(OP_PREFLIGHT),
    [STEP_ROOM] = RECIPE(OP_ROOM),
    [STEP_PULL] = RECIPE(OP_PULL),
    /* The routers first: what keeps a host out has to outlive its sidecar. */
    [STEP_LEAVE] = RECIPE(OP_KEEP_UP, OP_DRAIN, OP_FAIL, OP_QUIET),
    [STEP_STOP] = RECIPE(OP_KEEP_UP, OP_STOP),
    [STEP_PROXY] = RECIPE(OP_PROXY),
    [STEP_CONNECT] = RECIPE(OP_CONNECT),
    [STEP_START] = RECIPE(OP_START),
    [STEP_TEST] = RECIPE(OP_TEST),
    [STEP_JOIN] = RECIPE(OP_PASS, OP_READY),
    [STEP_SOAK] = RECIPE(OP_SOAK),
    [STEP_PUT_BACK] = RECIPE(OP_PASS, OP_READY),
    [STEP_SHUT] = RECIPE(OP_DRAIN, OP_FAIL, OP_QUIET, OP_STOP),
    [STEP_TRACK] = RECIPE(OP_TRACK),
    [STEP_LOCK] = RECIPE(OP_LOCK),
    [STEP_HOOK_BEFORE] = RECIPE(OP_HOOK),
    [STEP_MIGRATE] = RECIPE(OP_MIGRATE),
    [STEP_SHARE] = RECIPE(OP_CAPACITY, OP_SHARE, OP_VERIFY),
    [STEP_DWELL] = RECIPE(OP_CAPACITY, OP_DWELL),
    [STEP_HOOK_AFTER] = RECIPE(OP_HOOK),
};

/* Where two copies live on a host; what is not here is as in place. */
static const struct recipe beside[STEP_KINDS] = {
    /* A copy that served, and died there, is still known to the routers. */
    [STEP_START] = RECIPE(OP_OBSERVE, OP_DRAIN, OP_START),
    [STEP_JOIN] = RECIPE(OP_ADD, OP_PASS, OP_READY),
    [STEP_SWITCH] = RECIPE(OP_DRAIN, OP_QUIET),
    [STEP_KEEP_OLD] = RECIPE(OP_WAIT),
    [STEP_STOP_OLD] = RECIPE(OP_DRAIN, OP_QUIET, OP_REMOVE, OP_STOP),
    [STEP_SHUT] = RECIPE(OP_DRAIN, OP_QUIET, OP_REMOVE, OP_STOP),
};

size_t release_step_ops(const struct release_spec *spec, const struct release_step_plan *step,
                        enum release_op_kind out[8])
{
    const struct recipe *r = &in_place[step->key.kind];
    if (spec->swap == RELEASE_BESIDE && beside[step->key.kind].len > 0) {
        r = &beside[step->key.kind];
    }
    size_t n = 0;
    for (size_t i = 0; i < r->len; i++) {
        enum release_op_kind op = (enum release_op_kind) r->op[i];
        bool asks_for_nothing = (op == OP_KEEP_UP && step->out) ||
                                (op == OP_CAPACITY && step->need[RELEASE_STABLE] == 0 &&
                                 step->need[RELEASE_CANARY] == 0) ||
                                (op == OP_DWELL && step->hold);
        if (!asks_for_nothing) {
            out[n++] = op;
        }
    }
    return n;
}
