/* The forecast against what can be reckoned by hand. */
#include "release/simulate.h"
#include "support/t.h"

#include <math.h>
#include <string.h>

static struct release_spec spec_of(unsigned hosts, unsigned dcs)
{
    static const uint8_t order[] = {STEP_PREFLIGHT, STEP_ROOM, STEP_PULL, STEP_LEAVE, STEP_STOP,
                                    STEP_START,     STEP_TEST, STEP_JOIN, STEP_SOAK};
    struct release_spec spec = {.hosts = (uint16_t) hosts,
                                .dcs = (uint8_t) dcs,
                                .batch = 1,
                                .keep_up_total_ppm = 500000,
                                .step_ms = 10000000,
                                .requests_ms = 10000000,
                                .has_tests = true,
                                .headroom_ppm = 1200000,
                                .migrate_ms = 10000000};
    memcpy(spec.order, order, sizeof order);
    spec.orders = sizeof order;
    for (unsigned h = 0; h < hosts; h++) {
        spec.host[h] = (struct release_spec_host){.dc = (uint8_t) (h * dcs / hosts), .weight = 1};
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

static struct release_spec canary_spec(void)
{
    static const struct release_stage stages[] = {
        {0, false, 1000}, {100000, false, 2000}, {500000, false, 3000}, {1000000, false, 4000}};
    struct release_spec spec = spec_of(4, 2);
    spec.strategy = RELEASE_BY_CANARY;
    spec.host[1].pool = spec.host[3].pool = true;
    spec.stages = 4;
    memcpy(spec.stage, stages, sizeof stages);
    spec.grow = true;
    return spec;
}

static const char *const hosts[] = {"h0", "h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8"};
static const char *const dcs[] = {"west", "east", "north", "south"};
static const struct simulate_names names = {hosts, dcs};

/* A time of its own for each kind of step, measured once. */
static uint64_t once_ms[STEP_KINDS];

static struct simulate_wish wish_of(uint64_t runs)
{
    struct simulate_wish wish = {.runs = runs, .seed = 1};
    for (int k = 0; k < STEP_KINDS; k++) {
        once_ms[k] = 1000 + (uint64_t) k * 37;
        wish.times[k] = (struct simulate_times){&once_ms[k], 1};
    }
    return wish;
}

static struct simulate_result result_of(const struct release_spec *spec,
                                        const struct simulate_wish *wish)
{
    struct release_basis basis = basis_of(spec);
    struct simulate_result result;
    struct err err = {0};
    if (release_simulate(spec, &basis, wish, &result, &err) < 0) {
        fail_msg("%s", err.msg);
    }
    return result;
}

static char *weakest_of(const struct simulate_result *result, struct buf *b)
{
    buf_init(b, 4096);
    simulate_weakest(result, &names, b);
    return b->ptr;
}

/* The longest lane of each group, one group after another. */
static uint64_t critical_path_ms(const struct release_spec *spec, const uint64_t *ms)
{
    struct release_basis basis = basis_of(spec);
    struct release_plan plan;
    struct err err = {0};
    uint64_t all = 0, group = 0, lane = 0;
    assert_int_equal(release_plan_forward(spec, &basis, &plan, &err), 0);
    for (size_t i = 0; i < plan.len; i++) {
        const struct release_step_plan *s = &plan.step[i];
        bool waits =
            s->key.kind == STEP_SOAK || s->key.kind == STEP_DWELL || s->key.kind == STEP_KEEP_OLD;
        lane += waits ? s->wait_ms : ms[s->key.kind];
        bool last = i + 1 == plan.len, next = !last && s[1].group != s->group;
        if (last || next || s[1].lane != s->lane) {
            group = lane > group ? lane : group;
            lane = 0;
        }
        if (last || next) {
            all += group;
            group = 0;
        }
    }
    release_plan_done(&plan);
    return all;
}

static void without_faults_the_time_is_that_of_the_steps(void **state)
{
    (void) state;
    struct release_spec spec = spec_of(2, 1);
    spec.soak_ms = 7000;
    struct simulate_wish wish = wish_of(3);
    struct simulate_result result = result_of(&spec, &wish);
    uint64_t host = 7000;
    for (int i = 0; i + 1 < spec.orders; i++) { /* the soak is the last, and is a wait */
        host += once_ms[spec.order[i]];
    }
    assert_int_equal(result.end[SIMULATE_DONE], 3);
    assert_int_equal(result.mean_ms, once_ms[STEP_LOCK] + once_ms[STEP_PREFLIGHT] + 2 * host);
    assert_int_equal(result.p95_ms, result.mean_ms);
    simulate_result_done(&result);
}

static void hosts_of_a_batch_go_side_by_side(void **state)
{
    (void) state;
    struct release_spec spec = spec_of(8, 1);
    struct simulate_wish wish = wish_of(2);
    struct simulate_result one = result_of(&spec, &wish);
    spec.batch = 4;
    struct simulate_result four = result_of(&spec, &wish);
    uint64_t before = once_ms[STEP_LOCK] + once_ms[STEP_PREFLIGHT];
    assert_int_equal(one.mean_ms - before, 4 * (four.mean_ms - before));
    simulate_result_done(&one);
    simulate_result_done(&four);
}

static void the_slowest_of_a_batch_counts(void **state)
{
    (void) state;
    static const uint64_t pulls[] = {1000, 9000};
    struct release_spec spec = spec_of(4, 1);
    struct simulate_wish wish = wish_of(2000);
    spec.batch = 2;
    wish.times[STEP_PULL] = (struct simulate_times){pulls, 2};
    once_ms[STEP_PULL] = 7000; /* the greater of two: 9000 three times of four */
    struct simulate_result result = result_of(&spec, &wish);
    double wanted = (double) critical_path_ms(&spec, once_ms);
    double error = sqrt(2 * 0.1875 / (double) wish.runs) * 8000;
    t_check(fabs((double) result.mean_ms - wanted) < 4 * error, "%g, not %g +- %g",
            (double) result.mean_ms, wanted, 4 * error);
    simulate_result_done(&result);
}

/* Any spec that has a plan: the expected time is the plan's critical path. */
static void any_plan_without_faults_takes_its_critical_path(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    for (unsigned n = 0; n < 200; n++) {
        bool canary = t_random_below(&random, 3) == 0;
        struct release_spec spec =
            canary ? canary_spec() : spec_of(2 + (unsigned) t_random_below(&random, 7), 1);
        struct simulate_wish wish = wish_of(1);
        spec.swap = t_random_below(&random, 2) ? RELEASE_BESIDE : RELEASE_IN_PLACE;
        spec.batch = (uint16_t) (1 + t_random_below(&random, canary ? 1 : spec.hosts / 2));
        spec.has_proxy = t_random_below(&random, 2);
        spec.soak_ms = t_random_below(&random, 5000);
        spec.keep_old_ms = t_random_below(&random, 5000);
        spec.has_migration = t_random_below(&random, 2);
        spec.hooks_after = (uint8_t) t_random_below(&random, 3);
        for (int k = 0; k < STEP_KINDS; k++) {
            once_ms[k] = t_random_below(&random, 100000);
        }
        struct simulate_result result = result_of(&spec, &wish);
        assert_int_equal(result.end[SIMULATE_DONE], 1);
        assert_int_equal(result.mean_ms, critical_path_ms(&spec, once_ms));
        simulate_result_done(&result);
    }
}

static void assumed_times_have_the_mean_that_is_told(void **state)
{
    (void) state;
    struct release_spec spec = spec_of(2, 1);
    struct simulate_wish wish = {.runs = 2000, .seed = 1};
    struct simulate_result result = result_of(&spec, &wish);
    double wanted = (double) critical_path_ms(&spec, simulate_default_ms);
    /* preflights are side by side: the later of two is a sixth later than one */
    wanted += (double) simulate_default_ms[STEP_PREFLIGHT] / 6;
    double error = fabs((double) result.mean_ms - wanted) / wanted;
    t_check(error < 0.01, "%g ms, not %g", (double) result.mean_ms, wanted);
    assert_true(result.p95_ms > result.mean_ms);
    assert_true(result.assumed[STEP_PULL] && !result.measured[STEP_PULL]);
    assert_false(result.assumed[STEP_MIGRATE]);
    simulate_result_done(&result);
}

/* p of any of n independent steps, four standard errors wide. */
static void check_share(uint64_t seen, uint64_t runs, double p)
{
    double share = (double) seen / (double) runs;
    double error = sqrt(p * (1 - p) / (double) runs);
    t_check(fabs(share - p) <= 4 * error, "%g, not %g +- %g", share, p, 4 * error);
}

static void one_fault_halts_as_often_as_its_rate_says(void **state)
{
    (void) state;
    static const enum release_step_kind kinds[] = {STEP_PULL, STEP_START, STEP_TEST, STEP_JOIN};
    T_TABLE(kind, kinds)
    {
        for (unsigned batch = 1; batch <= 2; batch++) {
            struct release_spec spec = spec_of(6, 2);
            struct simulate_wish wish = wish_of(1500);
            spec.batch = (uint16_t) batch;
            spec.keep_up_total_ppm = 300000;
            wish.seed = *kind * 2 + batch; /* its own, yet the same each time: no luck */
            wish.rates.fail_ppm[*kind] = 20000;
            struct simulate_result result = result_of(&spec, &wish);
            check_share(result.end[SIMULATE_HALTED], wish.runs, 1 - pow(1 - 0.02, 6));
            assert_int_equal(result.end[SIMULATE_DONE] + result.end[SIMULATE_HALTED], wish.runs);
            for (size_t i = 0; i < result.stops; i++) {
                assert_int_equal(result.stop[i].kind, *kind);
                assert_int_equal(result.stop[i].by_cause[CAUSE_FAILED], result.stop[i].runs);
            }
            simulate_result_done(&result);
        }
    }
}

static void a_version_that_never_passes_halts_at_the_first_host(void **state)
{
    (void) state;
    struct release_spec spec = spec_of(4, 2);
    struct simulate_wish wish = wish_of(50);
    struct buf b;
    wish.rates.fail_ppm[STEP_TEST] = 1000000;
    struct simulate_result result = result_of(&spec, &wish);
    assert_int_equal(result.end[SIMULATE_HALTED], 50);
    assert_int_equal(result.mean_ms, 0);
    assert_string_equal(weakest_of(&result, &b),
                        "step test ends the most releases early: 50 of 50 runs, at h0 (failed)");
    buf_done(&b);
    simulate_result_done(&result);
}

static void the_same_seed_gives_the_same_figures(void **state)
{
    (void) state;
    struct release_spec spec = canary_spec();
    struct simulate_wish wish = {.runs = 300, .seed = 5, .rates = simulate_default_rates};
    struct buf text[3];
    wish.rates.crash_every_ms = 3600000;
    for (int i = 0; i < 3; i++) {
        wish.seed = i == 2 ? 6 : 5;
        struct simulate_result result = result_of(&spec, &wish);
        result.seed = 0;
        buf_init(&text[i], 65536);
        simulate_json(&result, &names, &text[i]);
        simulate_result_done(&result);
    }
    assert_string_equal(text[0].ptr, text[1].ptr);
    assert_string_not_equal(text[0].ptr, text[2].ptr);
    for (int i = 0; i < 3; i++) {
        buf_done(&text[i]);
    }
}

static void the_only_host_of_a_data_center_is_its_weakest_point(void **state)
{
    (void) state;
    struct release_spec spec = spec_of(3, 2); /* two in the first, one in the second */
    struct simulate_wish wish = wish_of(20);
    struct buf b;
    struct simulate_result result = result_of(&spec, &wish);
    assert_int_equal(result.outages, 20);
    assert_string_equal(weakest_of(&result, &b),
                        "east keeps no host in the routers while h2 is out "
                        "(6.1 s): 20 of 20 runs had an outage there");
    buf_done(&b);
    simulate_result_done(&result);
}

static void beside_takes_nobody_out(void **state)
{
    (void) state;
    struct release_spec spec = spec_of(2, 2);
    struct simulate_wish wish = wish_of(20);
    struct buf b;
    spec.swap = RELEASE_BESIDE;
    struct simulate_result result = result_of(&spec, &wish);
    assert_int_equal(result.end[SIMULATE_DONE], 20);
    assert_string_equal(weakest_of(&result, &b),
                        "none was found: no run ended early, and none had an outage");
    buf_done(&b);
    simulate_result_done(&result);
}

/*
 * Two hosts, each out for a quarter of an hour; the other crashes in that time.  The first window
 * is open if nobody crashed before; the second only if nobody did in the first.
 */
static void a_crash_beside_a_host_that_is_out_is_an_outage(void **state)
{
    (void) state;
    struct release_spec spec = spec_of(2, 1);
    struct simulate_wish wish = wish_of(1500);
    struct buf b;
    const double out_ms = 900000, every_ms = 9000000;
    for (int k = 0; k < STEP_KINDS; k++) {
        once_ms[k] = k == STEP_TEST ? (uint64_t) out_ms : 0;
    }
    wish.rates.crash_every_ms = (uint64_t) every_ms;
    wish.rates.repair_ms = 300000;
    struct simulate_result result = result_of(&spec, &wish);
    /* in each window both hosts can crash first; only the other's crash is an outage, and it is
     * one too while the crash of the tested host is being found out (10 s), which is left out */
    double survives = exp(-2 * out_ms / every_ms);
    double p = (1 - survives) / 2 * (1 + survives);
    double share = (double) result.outages / (double) wish.runs;
    t_check(share > p * 0.85 && share < p * 1.25, "%g, not about %g", share, p);
    assert_true(result.outage_kinds >= 2);
    assert_non_null(strstr(weakest_of(&result, &b), "west keeps one host in the routers while h"));
    assert_non_null(strstr(b.ptr, "failed in those 15 min"));
    assert_int_equal(result.out_ms[0], out_ms);
    buf_done(&b);
    simulate_result_done(&result);
}

static void a_crash_without_a_host_out_is_not_the_releases(void **state)
{
    (void) state;
    struct release_spec spec = spec_of(1, 1);
    struct simulate_wish wish = wish_of(200);
    spec.swap = RELEASE_BESIDE;
    wish.rates.crash_every_ms = 10000;
    wish.rates.repair_ms = 1000;
    struct simulate_result result = result_of(&spec, &wish);
    assert_int_equal(result.outages, 0);
    assert_true(result.end[SIMULATE_HALTED] > 0);
    for (size_t i = 0; i < result.stops; i++) {
        assert_int_equal(result.stop[i].by_cause[CAUSE_CRASH], result.stop[i].runs);
    }
    simulate_result_done(&result);
}

static uint64_t halts_by(const struct release_spec *spec, enum simulate_cause cause)
{
    struct simulate_wish wish = wish_of(300);
    uint64_t n = 0;
    once_ms[STEP_PULL] = 600000; /* somebody crashes while a host pulls, and is away for long */
    wish.rates.crash_every_ms = 7200000;
    wish.rates.repair_ms = 3600000;
    struct simulate_result result = result_of(spec, &wish);
    for (size_t i = 0; i < result.stops; i++) {
        uint64_t runs = result.stop[i].by_cause[cause];
        assert_true(runs == 0 || cause != CAUSE_OTHERS || result.stop[i].kind == STEP_LEAVE ||
                    result.stop[i].kind == STEP_STOP);
        n += runs;
    }
    simulate_result_done(&result);
    return n;
}

static void nobody_leaves_when_too_few_others_are_up(void **state)
{
    (void) state;
    struct release_spec spec = spec_of(4, 2);
    spec.keep_up_total_ppm = 750000;
    assert_in_range(halts_by(&spec, CAUSE_OTHERS), 30, 300);
    spec.keep_up_total_ppm = 10000; /* one other of four is enough */
    assert_in_range(halts_by(&spec, CAUSE_OTHERS), 0, 5);
    spec.keep_up_per_dc = 1;
    assert_in_range(halts_by(&spec, CAUSE_OTHERS), 10, 300);
}

static void stable_alone_on_one_host_is_found(void **state)
{
    (void) state;
    struct release_spec spec = canary_spec();
    struct simulate_wish wish = wish_of(400);
    struct buf b;
    spec.dcs = 1;
    spec.grow = true;
    for (int h = 0; h < 4; h++) {
        spec.host[h].dc = 0;
        spec.host[h].pool = h > 1;
    }
    spec.stages = 3;
    spec.stage[2].share_ppm = 600000; /* h0 has to grow over: h1 alone is stable */
    spec.stage[2].dwell_ms = 3600000;
    spec.keep_up_total_ppm = 200000;
    spec.headroom_ppm = 1000000;
    spec.hold_at_end = true;
    wish.rates.crash_every_ms = 36000000;
    wish.rates.repair_ms = 300000;
    struct simulate_result result = result_of(&spec, &wish);
    assert_non_null(
        strstr(weakest_of(&result, &b), "the fleet keeps one stable host in the routers while "));
    assert_non_null(strstr(b.ptr, "is on the canary: "));
    assert_non_null(strstr(b.ptr, "h1 failed in that time"));
    buf_done(&b);
    simulate_result_done(&result);
}

/* At the first stage nobody is sent to the canary: it is no help. */
static void a_canary_without_visitors_does_not_count_as_up(void **state)
{
    (void) state;
    struct release_spec spec = spec_of(2, 1);
    struct simulate_wish wish = wish_of(2000);
    struct buf b;
    spec.strategy = RELEASE_BY_CANARY;
    spec.host[1].pool = true;
    spec.stages = 1;
    spec.stage[0].dwell_ms = 3600000;
    spec.hold_at_end = true;
    wish.rates.crash_every_ms = 36000000;
    wish.rates.repair_ms = 300000;
    struct simulate_result result = result_of(&spec, &wish);
    check_share(result.outages, wish.runs, 1 - exp(-0.1)); /* an hour of ten */
    assert_non_null(
        strstr(weakest_of(&result, &b), "west keeps one host in the routers while h1 is out: "));
    buf_done(&b);
    simulate_result_done(&result);
}

/* In one data center the canary's host counts as the stable one does, whatever it has to keep. */
static void while_a_canary_walks_a_data_center_is_out_when_both_tracks_are(void **state)
{
    (void) state;
    struct release_spec spec = canary_spec();
    struct simulate_wish wish = wish_of(400);
    spec.stages = 2;
    spec.stage[1].dwell_ms = 3600000;
    spec.hold_at_end = true;
    wish.rates.crash_every_ms = 36000000;
    wish.rates.repair_ms = 300000;
    struct simulate_result result = result_of(&spec, &wish);
    uint64_t outages = result.outages;
    simulate_result_done(&result);
    spec.keep_up_per_dc = 1;
    result = result_of(&spec, &wish);
    assert_in_range(result.outages, 0, outages); /* it halts where too few others are up */
    simulate_result_done(&result);
    spec.stages = 1; /* nobody is sent to the canary: it does not count */
    spec.stage[0].dwell_ms = 3600000;
    result = result_of(&spec, &wish);
    assert_true(result.outages > 4 * outages + 4);
    simulate_result_done(&result);
}

static void stages_roll_back_by_their_limits_and_hold_without_data(void **state)
{
    (void) state;
    struct release_spec spec = canary_spec();
    struct simulate_wish wish = wish_of(1000);
    wish.rates.fail_ppm[STEP_DWELL] = 50000;
    struct simulate_result result = result_of(&spec, &wish);
    check_share(result.end[SIMULATE_ROLLED_BACK], wish.runs, 1 - pow(0.95, 4));
    assert_int_equal(result.stop[0].kind, STEP_DWELL);
    assert_int_equal(result.stop[0].by_cause[CAUSE_LIMITS], result.end[SIMULATE_ROLLED_BACK]);
    simulate_result_done(&result);

    wish = wish_of(1000);
    wish.rates.no_data_ppm = 50000;
    result = result_of(&spec, &wish);
    check_share(result.end[SIMULATE_HELD], wish.runs, 1 - pow(0.95, 4));
    assert_int_equal(result.stop[0].by_cause[CAUSE_NO_DATA], result.end[SIMULATE_HELD]);
    simulate_result_done(&result);

    wish = wish_of(5);
    spec.hold_at_end = true;
    result = result_of(&spec, &wish);
    assert_int_equal(result.end[SIMULATE_HELD], 5);
    assert_int_equal(result.stop[0].by_cause[CAUSE_PERSON], 5);
    simulate_result_done(&result);
}

/* Whatever the spec and the faults: each run ends, and each end but `done` has its step. */
static void every_run_ends_and_is_accounted_for(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    for (unsigned n = 0; n < 60; n++) {
        bool canary = t_random_below(&random, 2);
        struct release_spec spec =
            canary ? canary_spec() : spec_of(2 + (unsigned) t_random_below(&random, 6), 2);
        struct simulate_wish wish = {.runs = 40, .seed = t_random(&random)};
        spec.swap = t_random_below(&random, 2) ? RELEASE_BESIDE : RELEASE_IN_PLACE;
        spec.keep_up_total_ppm = 100000;
        spec.has_proxy = t_random_below(&random, 2);
        spec.has_migration = t_random_below(&random, 2);
        spec.soak_ms = t_random_below(&random, 2) * 30000;
        for (int k = 0; k < STEP_KINDS; k++) {
            wish.rates.fail_ppm[k] = (uint32_t) t_random_below(&random, 20000);
        }
        wish.rates.hang_ppm = wish.rates.ssh_ppm = wish.rates.router_ppm = 5000;
        wish.rates.no_data_ppm = 10000;
        wish.rates.crash_every_ms = 1 + t_random_below(&random, 36000000);
        wish.rates.repair_ms = t_random_below(&random, 600000);
        struct simulate_result result = result_of(&spec, &wish);
        uint64_t ends = 0, stops = 0;
        for (int e = 0; e < SIMULATE_ENDS; e++) {
            ends += result.end[e];
        }
        for (size_t i = 0; i < result.stops; i++) {
            stops += result.stop[i].runs;
        }
        assert_int_equal(ends, wish.runs);
        assert_int_equal(stops, wish.runs - result.end[SIMULATE_DONE]);
        assert_true(result.p95_ms == 0 || result.end[SIMULATE_DONE] > 0);
        simulate_result_done(&result);
    }
}

static void what_cannot_be_planned_cannot_be_forecast(void **state)
{
    (void) state;
    struct release_spec spec = spec_of(1, 1);
    struct release_basis basis = basis_of(&spec);
    struct simulate_wish wish = wish_of(1);
    struct simulate_result result;
    struct err err = {0};
    assert_int_equal(release_simulate(&spec, &basis, &wish, &result, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "the last copy cannot be replaced in place"));
    wish.runs = 0;
    assert_err(release_simulate(&spec, &basis, &wish, &result, &err), &err, ERR_INVALID,
               "0 runs; 1 to 1000000 would be right");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_faults_the_time_is_that_of_the_steps),
        cmocka_unit_test(hosts_of_a_batch_go_side_by_side),
        cmocka_unit_test(the_slowest_of_a_batch_counts),
        cmocka_unit_test(any_plan_without_faults_takes_its_critical_path),
        cmocka_unit_test(assumed_times_have_the_mean_that_is_told),
        cmocka_unit_test(one_fault_halts_as_often_as_its_rate_says),
        cmocka_unit_test(a_version_that_never_passes_halts_at_the_first_host),
        cmocka_unit_test(the_same_seed_gives_the_same_figures),
        cmocka_unit_test(the_only_host_of_a_data_center_is_its_weakest_point),
        cmocka_unit_test(beside_takes_nobody_out),
        cmocka_unit_test(a_crash_beside_a_host_that_is_out_is_an_outage),
        cmocka_unit_test(a_crash_without_a_host_out_is_not_the_releases),
        cmocka_unit_test(nobody_leaves_when_too_few_others_are_up),
        cmocka_unit_test(stable_alone_on_one_host_is_found),
        cmocka_unit_test(a_canary_without_visitors_does_not_count_as_up),
        cmocka_unit_test(while_a_canary_walks_a_data_center_is_out_when_both_tracks_are),
        cmocka_unit_test(stages_roll_back_by_their_limits_and_hold_without_data),
        cmocka_unit_test(every_run_ends_and_is_accounted_for),
        cmocka_unit_test(what_cannot_be_planned_cannot_be_forecast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
