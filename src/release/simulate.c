/* The forecast: many runs, and what they come to. */
#include "release/simulate.h"

#include "base/mem.h"
#include "base/vec.h"
#include "release/simulate_int.h"

#include <stdlib.h>
#include <string.h>

const struct simulate_rates simulate_default_rates = {
    .fail_ppm =
        {
            [STEP_PREFLIGHT] = 500,
            [STEP_ROOM] = 500,
            [STEP_PULL] = 2000,
            [STEP_STOP] = 200,
            [STEP_PROXY] = 500,
            [STEP_CONNECT] = 1000,
            [STEP_START] = 5000,
            [STEP_TEST] = 10000,
            [STEP_JOIN] = 500,
            [STEP_SOAK] = 1000,
            [STEP_HOOK_BEFORE] = 1000,
            [STEP_MIGRATE] = 5000,
            [STEP_DWELL] = 5000,
            [STEP_HOOK_AFTER] = 1000,
        },
    .hang_ppm = 200,
    .ssh_ppm = 500,
    .router_ppm = 500,
    .no_data_ppm = 1000,
    .crash_every_ms = UINT64_C(30) * 24 * 3600 * 1000,
    .repair_ms = 300000,
};

const uint64_t simulate_default_ms[STEP_KINDS] = {
    [STEP_PREFLIGHT] = 1000, [STEP_ROOM] = 500,         [STEP_PULL] = 20000,
    [STEP_LEAVE] = 10000,    [STEP_STOP] = 5000,        [STEP_PROXY] = 2000,
    [STEP_CONNECT] = 1000,   [STEP_START] = 10000,      [STEP_TEST] = 20000,
    [STEP_JOIN] = 5000,      [STEP_SWITCH] = 10000,     [STEP_STOP_OLD] = 5000,
    [STEP_PUT_BACK] = 5000,  [STEP_SHUT] = 10000,       [STEP_TRACK] = 1000,
    [STEP_LOCK] = 1000,      [STEP_HOOK_BEFORE] = 5000, [STEP_MIGRATE] = 30000,
    [STEP_SHARE] = 1000,     [STEP_HOOK_AFTER] = 5000,
};

const char *const simulate_end_name[SIMULATE_ENDS] = {
    [SIMULATE_DONE] = "done",
    [SIMULATE_HALTED] = "halted",
    [SIMULATE_HELD] = "held",
    [SIMULATE_ROLLED_BACK] = "rolled back",
    [SIMULATE_STUCK] = "halted on the way back",
};

const char *const simulate_cause_name[CAUSES] = {
    [CAUSE_FAILED] = "failed",
    [CAUSE_HANG] = "late",
    [CAUSE_SSH] = "host unreachable",
    [CAUSE_ROUTER] = "router unreachable",
    [CAUSE_CRASH] = "host crashed",
    [CAUSE_OTHERS] = "too few others in the routers",
    [CAUSE_LIMITS] = "limits exceeded",
    [CAUSE_NO_DATA] = "too few requests",
    [CAUSE_PERSON] = "waits for a person",
};

/* Collects */

struct collect {
    struct simulate_result *result;
    VEC(struct simulate_stop) stop;
    VEC(struct simulate_outage) outage;
    uint64_t *took_ms; /* of the runs that were done */
    uint64_t any_ms, done_ms;
    uint64_t out_ms[RELEASE_HOSTS_MAX], outs[RELEASE_HOSTS_MAX];
};

static void collect_stop(struct collect *c, const struct simulate_run *run)
{
    size_t i = 0;
    while (i < c->stop.len &&
           (c->stop.ptr[i].kind != run->stop_kind || c->stop.ptr[i].host != run->stop_host)) {
        i++;
    }
    if (i == c->stop.len) {
        const struct simulate_stop fresh = {.kind = run->stop_kind, .host = run->stop_host};
        vec_push(&c->stop, fresh);
    }
    c->stop.ptr[i].runs++;
    c->stop.ptr[i].by_end[run->end]++;
    c->stop.ptr[i].by_cause[run->stop_cause]++;
}

static void collect_outage(struct collect *c, const struct simulate_outage *o)
{
    c->result->outages++;
    for (size_t i = 0; i < c->outage.len; i++) {
        struct simulate_outage *known = &c->outage.ptr[i];
        if (known->dc == o->dc && known->out == o->out && known->crashed == o->crashed &&
            known->kept == o->kept && known->stable == o->stable) {
            known->runs++;
            return;
        }
    }
    struct simulate_outage fresh = *o;
    fresh.runs = 1;
    vec_push(&c->outage, fresh);
}

static void collect_run(struct collect *c, const struct simulate_run *run)
{
    struct simulate_result *result = c->result;
    if (run->end == SIMULATE_DONE) {
        c->took_ms[result->end[SIMULATE_DONE]] = run->now_ms;
        c->done_ms += run->now_ms;
    }
    result->end[run->end]++;
    c->any_ms += run->now_ms;
    if (run->has_stop) {
        collect_stop(c, run);
    }
    if (run->has_outage) {
        collect_outage(c, &run->outage);
    }
    for (int h = 0; h < run->spec->hosts; h++) {
        c->out_ms[h] += run->out_ms[h];
        c->outs[h] += run->outs[h];
    }
}

static int by_ms(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *) a, y = *(const uint64_t *) b;
    return (x > y) - (x < y);
}

static int by_stop_runs(const void *a, const void *b)
{
    const struct simulate_stop *x = a, *y = b;
    if (x->runs != y->runs) {
        return x->runs > y->runs ? -1 : 1;
    }
    return x->kind != y->kind ? (x->kind > y->kind) - (x->kind < y->kind)
                              : (x->host > y->host) - (x->host < y->host);
}

static int by_outage_runs(const void *a, const void *b)
{
    const struct simulate_outage *x = a, *y = b;
    if (x->runs != y->runs) {
        return x->runs > y->runs ? -1 : 1;
    }
    return x->out != y->out ? (x->out > y->out) - (x->out < y->out)
                            : (x->crashed > y->crashed) - (x->crashed < y->crashed);
}

static void conclude(struct collect *c)
{
    struct simulate_result *result = c->result;
    size_t done = (size_t) result->end[SIMULATE_DONE];
    if (done > 0) {
        qsort(c->took_ms, done, sizeof *c->took_ms, by_ms);
        result->mean_ms = c->done_ms / done;
        result->p95_ms = c->took_ms[(done * 95 + 99) / 100 - 1];
    }
    result->mean_any_ms = c->any_ms / result->runs;
    for (size_t h = 0; h < result->hosts; h++) {
        result->out_ms[h] = c->outs[h] > 0 ? c->out_ms[h] / c->outs[h] : 0;
    }
    if (c->stop.len > 0) {
        qsort(c->stop.ptr, c->stop.len, sizeof *c->stop.ptr, by_stop_runs);
    }
    if (c->outage.len > 0) {
        qsort(c->outage.ptr, c->outage.len, sizeof *c->outage.ptr, by_outage_runs);
    }
    result->stop = c->stop.ptr;
    result->stops = c->stop.len;
    result->outage = c->outage.ptr;
    result->outage_kinds = c->outage.len;
}

/* Waits are the spec's own: they need no measurement. */
static void tell_times(const struct release_plan *plan, const struct simulate_wish *wish,
                       struct simulate_result *result)
{
    for (size_t i = 0; i < plan->len; i++) {
        enum release_step_kind kind = plan->step[i].key.kind;
        bool waits = kind == STEP_SOAK || kind == STEP_DWELL || kind == STEP_KEEP_OLD;
        result->planned[kind] = true;
        result->measured[kind] = !waits && wish->times[kind].n > 0;
        result->assumed[kind] = !waits && wish->times[kind].n == 0;
    }
}

int release_simulate(const struct release_spec *spec, const struct release_basis *basis,
                     const struct simulate_wish *wish, struct simulate_result *ret, struct err *err)
{
    struct release_plan plan;
    if (wish->runs == 0 || wish->runs > SIMULATE_RUNS_MAX) {
        return err_set(err, ERR_INVALID, "%llu runs; 1 to %u would be right",
                       (unsigned long long) wish->runs, (unsigned) SIMULATE_RUNS_MAX);
    }
    if (release_plan_forward(spec, basis, &plan, err) < 0) {
        return ERR_INVALID;
    }
    struct simulate_result result = {.runs = wish->runs,
                                     .seed = wish->seed,
                                     .hosts = spec->hosts,
                                     .dcs = spec->dcs,
                                     .rates = wish->rates};
    struct collect c = {.result = &result};
    struct simulate_run *run = mem_zalloc(sizeof *run);
    int rc = 0;
    tell_times(&plan, wish, &result);
    release_plan_done(&plan);
    c.took_ms = mem_array((size_t) wish->runs, sizeof *c.took_ms);
    run->spec = spec;
    run->basis = basis;
    run->wish = wish;
    for (uint64_t n = 0; n < wish->runs && rc == 0; n++) {
        rc = simulate_run_play(run, n, err);
        if (rc == 0) {
            collect_run(&c, run);
        }
    }
    if (rc == 0) {
        conclude(&c);
        *ret = result;
    } else {
        vec_done(&c.stop);
        vec_done(&c.outage);
    }
    mem_free(c.took_ms);
    mem_free(run);
    return rc;
}

void simulate_result_done(struct simulate_result *result)
{
    mem_free(result->stop);
    mem_free(result->outage);
    memset(result, 0, sizeof *result);
}
