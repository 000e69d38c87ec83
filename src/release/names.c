/* Words of the engine's enums, as people read them. */
#include "release/plan.h"

const char *const release_step_name[STEP_KINDS] = {
    [STEP_PREFLIGHT] = "preflight",
    [STEP_ROOM] = "room",
    [STEP_PULL] = "pull",
    [STEP_LEAVE] = "leave",
    [STEP_STOP] = "stop",
    [STEP_PROXY] = "proxy",
    [STEP_CONNECT] = "connect",
    [STEP_START] = "start",
    [STEP_TEST] = "test",
    [STEP_JOIN] = "join",
    [STEP_SOAK] = "soak",
    [STEP_SWITCH] = "switch",
    [STEP_KEEP_OLD] = "keep-old",
    [STEP_STOP_OLD] = "stop-old",
    [STEP_PUT_BACK] = "put-back",
    [STEP_SHUT] = "shut",
    [STEP_TRACK] = "track",
    [STEP_LOCK] = "lock",
    [STEP_HOOK_BEFORE] = "hook-before",
    [STEP_MIGRATE] = "migrate",
    [STEP_SHARE] = "share",
    [STEP_DWELL] = "dwell",
    [STEP_HOOK_AFTER] = "hook-after",
};

const char *const release_op_name[OP_KINDS] = {
    [OP_PREFLIGHT] = "preflight", [OP_ROOM] = "room",       [OP_PULL] = "pull",
    [OP_KEEP_UP] = "keep-up",     [OP_DRAIN] = "drain",     [OP_FAIL] = "fail-health",
    [OP_QUIET] = "quiet",         [OP_STOP] = "stop",       [OP_PROXY] = "proxy",
    [OP_CONNECT] = "connect",     [OP_START] = "start",     [OP_TEST] = "test",
    [OP_PASS] = "pass-health",    [OP_READY] = "ready",     [OP_ADD] = "add",
    [OP_REMOVE] = "remove",       [OP_TRACK] = "track",     [OP_SOAK] = "soak",
    [OP_WAIT] = "wait",           [OP_OBSERVE] = "observe", [OP_LOCK] = "lock",
    [OP_HOOK] = "hook",           [OP_MIGRATE] = "migrate", [OP_CAPACITY] = "capacity",
    [OP_SHARE] = "share",         [OP_VERIFY] = "verify",   [OP_DWELL] = "dwell",
};

const char *const release_outcome_name[RELEASE_OUTCOMES] = {
    [RELEASE_OK] = "ok",           [RELEASE_FAILED] = "failed",
    [RELEASE_LATE] = "late",       [RELEASE_AWAY] = "unreachable",
    [RELEASE_NOTHING] = "nothing", [RELEASE_EXCEEDED] = "exceeded",
    [RELEASE_FENCED] = "fenced",   [RELEASE_CANCELLED] = "cancelled",
    [RELEASE_UNKNOWN] = "unknown",
};

const char *const release_refusal_name[REFUSALS] = {
    [REFUSE_NOT_NOW] = "not-now",           [REFUSE_ENDED] = "ended",
    [REFUSE_BACK_OF_BACK] = "back-of-back", [REFUSE_BARRIER] = "barrier",
    [REFUSE_NOT_TOLD] = "not-told",
};

const char *const release_part_name[PARTS] = {
    [PART_PREPARE] = "prepare", [PART_POOL] = "canary pool", [PART_WALK] = "walk",
    [PART_STABLE] = "stable",   [PART_DOWN] = "down",        [PART_FINISH] = "finish",
    [PART_SHUT] = "shut",
};
