/* The small world of the forecast: hosts, copies, routers, and faults at rates. */
#include "release/simulate_int.h"

#include <math.h>
#include <string.h>

#define PPM       1000000u
#define DETECT_MS 10000u /* until somebody who does not answer is said to be away */

static uint64_t random_next(struct simulate_run *run)
{
    uint64_t z = run->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* The remainder favors small numbers by less than limit / 2^64. */
uint64_t simulate_draw(struct simulate_run *run, uint64_t limit)
{
    return random_next(run) % limit;
}

/* Crashes come independently of what was before: exponential times between them. */
static uint64_t draw_crash_ms(struct simulate_run *run)
{
    uint64_t mean_ms = run->wish->rates.crash_every_ms;
    if (mean_ms == 0) {
        return UINT64_MAX;
    }
    double u = ((double) (random_next(run) >> 11) + 1) * 0x1p-53; /* above 0, at most 1 */
    double wait_ms = -log(u) * (double) mean_ms;
    return wait_ms < 1e18 ? run->now_ms + (uint64_t) wait_ms : UINT64_MAX;
}

/* Each run has its place in the numbers, far from that of any other run. */
static void begin_random(struct simulate_run *run, uint64_t nth)
{
    run->random = run->wish->seed;
    run->random = random_next(run) + nth * UINT64_C(0xd1342543de82ef95);
}

void simulate_world_begin(struct simulate_run *run, uint64_t nth)
{
    begin_random(run, nth);
    run->share_ppm = run->basis->share_ppm;
    for (int h = 0; h < run->spec->hosts; h++) {
        struct simulate_host *host = &run->host[h];
        host->up = true;
        host->turns_ms = draw_crash_ms(run);
        for (int s = 0; s < RELEASE_SLOTS; s++) {
            host->copy[s].track = (uint8_t) run->basis->host[h].track;
        }
        host->copy[run->basis->host[h].slot].in = run->basis->host[h].serves;
    }
}

/* Steps */

/* The operation that a step's time is spent in; the others of the step take none. */
static const uint8_t main_op[STEP_KINDS] = {
    [STEP_PREFLIGHT] = OP_PREFLIGHT, [STEP_ROOM] = OP_ROOM,       [STEP_PULL] = OP_PULL,
    [STEP_LEAVE] = OP_QUIET,         [STEP_STOP] = OP_STOP,       [STEP_PROXY] = OP_PROXY,
    [STEP_CONNECT] = OP_CONNECT,     [STEP_START] = OP_START,     [STEP_TEST] = OP_TEST,
    [STEP_JOIN] = OP_READY,          [STEP_SOAK] = OP_SOAK,       [STEP_SWITCH] = OP_QUIET,
    [STEP_KEEP_OLD] = OP_WAIT,       [STEP_STOP_OLD] = OP_STOP,   [STEP_PUT_BACK] = OP_READY,
    [STEP_SHUT] = OP_STOP,           [STEP_TRACK] = OP_TRACK,     [STEP_LOCK] = OP_LOCK,
    [STEP_HOOK_BEFORE] = OP_HOOK,    [STEP_MIGRATE] = OP_MIGRATE, [STEP_SHARE] = OP_SHARE,
    [STEP_DWELL] = OP_DWELL,         [STEP_HOOK_AFTER] = OP_HOOK,
};

static bool step_needs_routers(enum release_step_kind kind)
{
    static const bool needs[STEP_KINDS] = {
        [STEP_LEAVE] = true,  [STEP_STOP] = true,     [STEP_JOIN] = true,
        [STEP_SWITCH] = true, [STEP_STOP_OLD] = true, [STEP_PUT_BACK] = true,
        [STEP_TRACK] = true,  [STEP_SHARE] = true,    [STEP_DWELL] = true,
    };
    return needs[kind];
}

/* Without a sidecar there is nothing to say to a host that leaves. */
static bool step_needs_host(const struct simulate_run *run, const struct release_key *key)
{
    return key->host >= 0 && key->kind != STEP_TRACK && key->kind != STEP_SWITCH &&
           (key->kind != STEP_LEAVE || run->spec->has_proxy);
}

static uint64_t draw_took_ms(struct simulate_run *run, enum release_step_kind kind)
{
    const struct simulate_times *times = &run->wish->times[kind];
    uint64_t mean_ms = simulate_default_ms[kind];
    return times->n > 0 ? times->ms[simulate_draw(run, times->n)]
                        : mean_ms / 2 + simulate_draw(run, mean_ms + 1);
}

void simulate_world_draw(struct simulate_run *run, struct simulate_step *step)
{
    const struct simulate_rates *rates = &run->wish->rates;
    enum release_step_kind kind = step->key.kind;
    bool host = step_needs_host(run, &step->key), dwell = kind == STEP_DWELL;
    const struct {
        uint32_t ppm;
        enum release_outcome outcome;
        enum simulate_cause cause;
    } faults[] = {
        {rates->fail_ppm[kind], dwell ? RELEASE_EXCEEDED : RELEASE_FAILED,
         dwell ? CAUSE_LIMITS : CAUSE_FAILED},
        {dwell ? rates->no_data_ppm : 0, RELEASE_NOTHING, CAUSE_NO_DATA},
        {host ? rates->hang_ppm : 0, RELEASE_LATE, CAUSE_HANG},
        {host ? rates->ssh_ppm : 0, RELEASE_AWAY, CAUSE_SSH},
        {step_needs_routers(kind) && !dwell ? rates->router_ppm : 0, RELEASE_AWAY, CAUSE_ROUTER},
    };
    step->took_ms = draw_took_ms(run, kind);
    step->outcome = RELEASE_OK;
    step->cause = CAUSE_FAILED;
    if (step->key.part == PART_SHUT) {
        return; /* the run is decided already */
    }
    uint64_t x = simulate_draw(run, PPM);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        if (x < faults[i].ppm) {
            step->outcome = (uint8_t) faults[i].outcome;
            step->cause = (uint8_t) faults[i].cause;
            return;
        }
        x -= faults[i].ppm;
    }
}

/* Operations that begin */

static bool op_needs_host(const struct simulate_run *run, enum release_op_kind kind)
{
    static const bool needs[OP_KINDS] = {
        [OP_PREFLIGHT] = true, [OP_ROOM] = true,    [OP_PULL] = true,    [OP_STOP] = true,
        [OP_PROXY] = true,     [OP_CONNECT] = true, [OP_START] = true,   [OP_TEST] = true,
        [OP_READY] = true,     [OP_SOAK] = true,    [OP_MIGRATE] = true,
    };
    return needs[kind] || ((kind == OP_FAIL || kind == OP_PASS) && run->spec->has_proxy);
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t takes_ms(struct simulate_run *run, const struct simulate_step *step,
                         const struct release_op *op)
{
    if (op->kind != main_op[step->key.kind]) {
        return 0;
    }
    bool waits = op->kind == OP_SOAK || op->kind == OP_WAIT || op->kind == OP_DWELL;
    uint64_t took_ms = waits ? op->wait_ms : step->took_ms;
    if (step->outcome == RELEASE_OK) {
        return took_ms;
    }
    switch ((int) step->cause) {
    case CAUSE_HANG:
        return op->deadline_ms;
    case CAUSE_SSH:
    case CAUSE_ROUTER:
        return DETECT_MS;
    case CAUSE_LIMITS: /* at any time of the dwell */
        return simulate_draw(run, took_ms + 1);
    case CAUSE_NO_DATA:
        return took_ms + run->spec->patience_ms;
    default:
        return took_ms;
    }
}

void simulate_world_find(struct simulate_run *run, struct simulate_doing *doing)
{
    const struct release_op *op = &doing->op;
    struct simulate_step *step = simulate_step_of(run, op->host);
    doing->outcome = RELEASE_OK;
    if (op_needs_host(run, op->kind) && !run->host[op->host].up) {
        doing->outcome = RELEASE_AWAY;
        step->cause = CAUSE_CRASH;
        doing->ends_ms = run->now_ms + least(DETECT_MS, op->deadline_ms);
        return;
    }
    if (op->kind == main_op[step->key.kind]) {
        doing->outcome = (enum release_outcome) step->outcome;
    }
    uint64_t ms = takes_ms(run, step, op);
    if (ms > op->deadline_ms) {
        ms = op->deadline_ms;
        doing->outcome = RELEASE_LATE;
        step->cause = CAUSE_HANG;
    }
    doing->ends_ms = run->now_ms + ms;
}

/* Operations that end well */

/* What the routers see on a track; without one host, -1: with all. */
static uint64_t weight_on(const struct simulate_run *run, enum release_track track, int without)
{
    uint64_t weight = 0;
    for (int h = 0; h < run->spec->hosts; h++) {
        const struct simulate_host *host = &run->host[h];
        for (int s = 0; s < RELEASE_SLOTS && host->up && h != without; s++) {
            weight +=
                host->copy[s].in && host->copy[s].track == track ? run->spec->host[h].weight : 0;
        }
    }
    return weight;
}

static unsigned others_in_dc(const struct simulate_run *run, const struct release_op *op)
{
    unsigned n = 0;
    for (int h = 0; h < run->spec->hosts; h++) {
        bool on = false;
        for (int s = 0; s < RELEASE_SLOTS; s++) {
            const struct simulate_copy *copy = &run->host[h].copy[s];
            on = on || (copy->in && (op->both_dc || copy->track == op->track));
        }
        n += on && h != op->host && run->host[h].up &&
             run->spec->host[h].dc == run->spec->host[op->host].dc;
    }
    return n;
}

static bool enough(const struct simulate_run *run, const struct release_op *op)
{
    int without = op->kind == OP_KEEP_UP ? op->host : -1;
    for (int t = 0; t < RELEASE_TRACKS; t++) {
        if (weight_on(run, (enum release_track) t, without) < op->need[t]) {
            return false;
        }
    }
    return op->kind != OP_KEEP_UP || others_in_dc(run, op) >= op->need_dc;
}

static void do_at_copy(const struct release_op *op, struct simulate_copy *copy)
{
    switch ((int) op->kind) {
    case OP_DRAIN:
    case OP_REMOVE:
        copy->in = false;
        break;
    case OP_READY:
        copy->in = true;
        copy->track = (uint8_t) op->track;
        break;
    case OP_TRACK:
        copy->track = (uint8_t) op->track;
        break;
    default:
        break;
    }
}

void simulate_world_do(struct simulate_run *run, struct simulate_doing *doing)
{
    const struct release_op *op = &doing->op;
    if ((op->kind == OP_KEEP_UP || op->kind == OP_CAPACITY) && !enough(run, op)) {
        doing->outcome = RELEASE_FAILED;
        simulate_step_of(run, op->host)->cause = CAUSE_OTHERS;
    } else if (op->kind == OP_SHARE) {
        run->share_ppm = op->share_ppm;
    } else if (op->host >= 0) {
        do_at_copy(op, &run->host[op->host].copy[op->slot]);
    }
}

/* Crashes */

/*
 * What ran is started again with the host.  A copy that is not in the routers yet has an operation
 * under way at its host, which fails: so no other copy joins than the one that was tested.
 */
void simulate_world_turn(struct simulate_run *run, int h)
{
    struct simulate_host *host = &run->host[h];
    host->up = !host->up;
    if (host->up) {
        host->turns_ms = draw_crash_ms(run);
        return;
    }
    host->turns_ms = run->now_ms + run->wish->rates.repair_ms;
    for (size_t i = 0; i < run->n_doing; i++) {
        struct simulate_doing *doing = &run->doing[i];
        if (doing->op.host == h && op_needs_host(run, doing->op.kind)) {
            doing->outcome = doing->op.kind == OP_MIGRATE ? RELEASE_UNKNOWN : RELEASE_AWAY;
            doing->ends_ms = least(doing->ends_ms, run->now_ms + DETECT_MS);
            host->step.cause = CAUSE_CRASH;
        }
    }
}

/* Outages */

/* Stable copies are always of use: visitors of the canary fall back to them. */
static bool is_visited(enum release_track track, uint32_t share_ppm)
{
    return track == RELEASE_STABLE || share_ppm > 0;
}

static bool served_at_rest(const struct simulate_run *run, int h)
{
    return run->basis->host[h].serves &&
           is_visited(run->basis->host[h].track, run->basis->share_ppm);
}

/* Whether the routers send visitors to a copy on it, as far as the release has its say. */
static bool is_in(const struct simulate_run *run, int h, bool stable_only)
{
    for (int s = 0; s < RELEASE_SLOTS; s++) {
        const struct simulate_copy *copy = &run->host[h].copy[s];
        enum release_track track = (enum release_track) copy->track;
        if (copy->in && is_visited(track, run->share_ppm) &&
            (!stable_only || track == RELEASE_STABLE)) {
            return true;
        }
    }
    return false;
}

static void note_out(struct simulate_run *run, int h)
{
    struct simulate_host *host = &run->host[h];
    bool out = served_at_rest(run, h) && !is_in(run, h, false);
    if (out && !host->out) {
        host->out_since_ms = run->now_ms;
    } else if (!out && host->out) {
        run->out_ms[h] += run->now_ms - host->out_since_ms;
        run->outs[h]++;
    }
    host->out = out;
}

/* dc -1: wherever. */
static void look_at(struct simulate_run *run, int dc, bool stable_only)
{
    struct simulate_outage o = {.dc = dc, .out = -1, .crashed = -1, .stable = stable_only};
    for (int h = 0; h < run->spec->hosts; h++) {
        bool here = dc < 0 || run->spec->host[h].dc == dc;
        bool stable = run->basis->host[h].track == RELEASE_STABLE;
        if (!here || !served_at_rest(run, h) || (stable_only && !stable)) {
            continue;
        }
        o.rest++;
        if (!is_in(run, h, stable_only)) {
            bool later = o.out < 0 || run->host[h].out_since_ms > run->host[o.out].out_since_ms;
            o.out = later ? h : o.out;
        } else if (run->host[h].up) {
            return;
        } else {
            o.kept++;
            o.crashed = h;
        }
    }
    if (o.rest > 0 && o.out >= 0) {
        run->outage = o;
        run->has_outage = true;
    }
}

void simulate_world_look(struct simulate_run *run)
{
    for (int h = 0; h < run->spec->hosts; h++) {
        note_out(run, h);
    }
    bool both = run->share_ppm > 0 && run->share_ppm < PPM;
    for (int dc = 0; dc < run->spec->dcs && !run->has_outage; dc++) {
        look_at(run, dc, false); /* hosts of both tracks count */
    }
    if (both && !run->has_outage) {
        look_at(run, -1, true);
    }
}
