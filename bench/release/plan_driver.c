/*
 * Measures plans, the engine's state and the forecast, and prints one line of JSON for each:
 *     {"case":"in place","hosts":100,"steps":1102,"plan_ms":1.9,"state_bytes":...,"walk_ms":...}
 * plan_driver [ROUNDS]; figures are medians of the rounds.
 */
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "release/simulate.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOSTS      100
#define ROUNDS_MAX 1000

static struct release_spec spec_of(unsigned hosts)
{
    static const uint8_t order[] = {STEP_PREFLIGHT, STEP_ROOM,  STEP_PULL,    STEP_LEAVE,
                                    STEP_STOP,      STEP_PROXY, STEP_CONNECT, STEP_START,
                                    STEP_TEST,      STEP_JOIN,  STEP_SOAK};
    struct release_spec spec = {.hosts = (uint16_t) hosts,
                                .dcs = 2,
                                .batch = 1,
                                .keep_up_total_ppm = 500000,
                                .keep_up_per_dc = 1,
                                .step_ms = 300000,
                                .requests_ms = 30000,
                                .streams_ms = 300000,
                                .soak_ms = 10000,
                                .has_proxy = true,
                                .has_connect = true,
                                .has_tests = true,
                                .headroom_ppm = 1200000};
    memcpy(spec.order, order, sizeof order);
    spec.orders = sizeof order;
    for (unsigned h = 0; h < hosts; h++) {
        spec.host[h].dc = (uint8_t) (h * 2 / hosts);
        spec.host[h].weight = 1;
        spec.host[h].pool = h % (hosts / 2) == 0;
    }
    return spec;
}

static struct release_basis basis_of(const struct release_spec *spec)
{
    struct release_basis basis = {0};
    for (int h = 0; h < spec->hosts; h++) {
        basis.host[h].serves = true;
    }
    return basis;
}

static double now_ms(void)
{
    return (double) clock_mono_us() / 1e3;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

static double median(double *value, unsigned n)
{
    qsort(value, n, sizeof *value, by_size);
    return value[n / 2];
}

static void give_up(const struct err *err)
{
    (void) fprintf(stderr, "plan_driver: %s\n", err->msg);
    exit(1); /* NOLINT(concurrency-mt-unsafe): one thread */
}

/* Every operation is answered at once, the oldest first. */
static void walk(struct release *r)
{
    uint32_t *queue = mem_array(65536, sizeof *queue);
    size_t first = 0, len = 0;
    struct release_event event = {.kind = EVENT_BEGIN};
    for (bool ended = false; !ended;) {
        struct release_acts acts = release_step(r, &event);
        for (size_t i = 0; i < acts.len; i++) {
            if (acts.act[i].kind == ACT_DO) {
                queue[len++] = acts.act[i].op.id;
            }
            ended = ended || acts.act[i].kind == ACT_END;
        }
        event = (struct release_event){.kind = EVENT_DONE, .op = queue[first++], .instance = 1};
    }
    mem_free(queue);
}

static void measure(const char *name, const struct release_spec *spec, unsigned rounds)
{
    static double plan_ms[ROUNDS_MAX], walk_ms[ROUNDS_MAX];
    struct release_basis basis = basis_of(spec);
    struct err err = {0};
    size_t state_bytes = 0, steps = 0;
    for (unsigned n = 0; n < rounds; n++) {
        struct release_plan plan;
        struct release *r;
        double start = now_ms();
        if (release_plan_forward(spec, &basis, &plan, &err) < 0) {
            give_up(&err);
        }
        plan_ms[n] = now_ms() - start;
        steps = plan.len;
        release_plan_done(&plan);
        struct mallinfo2 before = mallinfo2();
        if (release_new(spec, &basis, &r, &err) < 0) {
            give_up(&err);
        }
        struct mallinfo2 after = mallinfo2();
        state_bytes = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;
        start = now_ms();
        walk(r);
        walk_ms[n] = now_ms() - start;
        release_free(r);
    }
    printf("{\"case\":\"%s\",\"hosts\":%u,\"steps\":%zu,\"plan_ms\":%.3f,\"state_bytes\":%zu,"
           "\"walk_ms\":%.3f}\n",
           name, spec->hosts, steps, median(plan_ms, rounds), state_bytes, median(walk_ms, rounds));
}

static void measure_forecast(uint64_t runs)
{
    struct release_spec spec = spec_of(8);
    struct release_basis basis = basis_of(&spec);
    struct simulate_wish wish = {.runs = runs, .seed = 1, .rates = simulate_default_rates};
    struct simulate_result result;
    struct err err = {0};
    double start = now_ms();
    if (release_simulate(&spec, &basis, &wish, &result, &err) < 0) {
        give_up(&err);
    }
    printf("{\"case\":\"forecast\",\"hosts\":8,\"runs\":%llu,\"forecast_ms\":%.1f}\n",
           (unsigned long long) runs, now_ms() - start);
    simulate_result_done(&result);
}

int main(int argc, char **argv)
{
    static const struct release_stage stages[] = {{0, false, 600000},
                                                  {10000, false, 600000},
                                                  {100000, false, 600000},
                                                  {500000, false, 600000},
                                                  {1000000, false, 600000}};
    uint64_t rounds = 50;
    if (argc > 1 && num_u64(str_of(argv[1]), 1, ROUNDS_MAX, &rounds) < 0) {
        (void) fprintf(stderr, "usage: plan_driver [ROUNDS], at most %d\n", ROUNDS_MAX);
        return 2;
    }
    struct release_spec spec = spec_of(HOSTS);
    measure("rolling, in place", &spec, (unsigned) rounds);
    spec.swap = RELEASE_BESIDE;
    measure("rolling, beside", &spec, (unsigned) rounds);
    spec = spec_of(HOSTS);
    spec.strategy = RELEASE_BY_CANARY;
    spec.grow = true;
    spec.stages = sizeof stages / sizeof *stages;
    memcpy(spec.stage, stages, sizeof stages);
    measure("canary that grows", &spec, (unsigned) rounds);
    measure_forecast(10000);
    return 0;
}
