/* The forecast in words: sentences for every kind of weakest point, and JSON that is JSON. */
#include "support/t.h"
#include "base/json.h"
#include "release/simulate.h"

static const char *const hosts[] = {"west-1", "west-2", "east-1", "east-2"};
static const char *const dcs[] = {"west", "east"};
static const struct simulate_names names = {hosts, dcs};

static struct simulate_result result_of(uint64_t runs)
{
    struct simulate_result result = {.runs = runs,
                                     .seed = 1,
                                     .hosts = 4,
                                     .dcs = 2,
                                     .mean_ms = 250000,
                                     .p95_ms = 300000,
                                     .mean_any_ms = 240000};
    result.end[SIMULATE_DONE] = runs;
    return result;
}

static void check_weakest(const struct simulate_result *result, const char *wanted)
{
    struct buf b;
    buf_init(&b, 4096);
    simulate_weakest(result, &names, &b);
    assert_string_equal(b.ptr, wanted);
    buf_done(&b);
}

static struct simulate_outage outage_of(int dc, int out, int crashed, uint64_t runs)
{
    return (struct simulate_outage){
        .dc = dc, .out = out, .crashed = crashed, .rest = 2, .kept = crashed >= 0, .runs = runs};
}

static void outages_of_a_data_center_are_told_by_their_pair(void **state)
{
    (void) state;
    struct simulate_result result = result_of(10000);
    struct simulate_outage outage[] = {outage_of(0, 0, 1, 30), outage_of(1, 2, 3, 25),
                                       outage_of(0, 1, 0, 8)};
    result.outage = outage;
    result.outage_kinds = 1;
    result.out_ms[0] = 240000;
    check_weakest(&result, "west keeps one host in the routers while west-1 is out: 30 of 10,000 "
                           "runs had an outage there because west-2 failed in those 4 min");
    result.outage_kinds = 3;
    check_weakest(&result, "west keeps one host in the routers while west-1 is out: 38 of 10,000 "
                           "runs had an outage there, most often (30) because west-2 failed in "
                           "those 4 min");
    outage[2].runs = 0;
    outage[1].runs = 12345;
    check_weakest(&result, "east keeps one host in the routers while east-1 is out: 12,345 of "
                           "10,000 runs had an outage there because east-2 failed in that time");
}

static void the_release_alone_can_be_the_outage(void **state)
{
    (void) state;
    struct simulate_result result = result_of(1000000);
    struct simulate_outage outage[] = {outage_of(1, 2, -1, 1000000)};
    result.outage = outage;
    result.outage_kinds = 1;
    result.out_ms[2] = 61500;
    check_weakest(&result, "east keeps no host in the routers while east-1 is out (1 min 2 s): "
                           "1,000,000 of 1,000,000 runs had an outage there");
    outage[0] = outage_of(-1, 2, 0, 7);
    outage[0].stable = true;
    check_weakest(&result,
                  "the fleet keeps one stable host in the routers while east-1 is on the canary: 7 "
                  "of 1,000,000 runs had an outage there because west-1 failed in that "
                  "time");
}

static void steps_are_told_by_kind_and_by_host_where_one_stands_out(void **state)
{
    (void) state;
    struct simulate_result result = result_of(1000);
    struct simulate_stop stop[] = {
        {.kind = STEP_MIGRATE, .host = 0, .runs = 40, .by_cause = {[CAUSE_FAILED] = 40}},
        {.kind = STEP_TEST,
         .host = 1,
         .runs = 30,
         .by_cause = {[CAUSE_FAILED] = 25, [CAUSE_SSH] = 5}},
        {.kind = STEP_TEST, .host = 2, .runs = 25, .by_cause = {[CAUSE_FAILED] = 25}},
        {.kind = STEP_TEST, .host = 3, .runs = 6, .by_cause = {[CAUSE_CRASH] = 6}}};
    result.stop = stop;
    result.stops = 1;
    check_weakest(&result, "step migrate ends the most releases early: 40 of 1,000 runs, at west-1 "
                           "(failed)");
    result.stops = 4;
    check_weakest(&result,
                  "step test ends the most releases early: 61 of 1,000 runs (mostly: failed)");
    stop[1].runs = 50;
    check_weakest(&result,
                  "step test ends the most releases early: 81 of 1,000 runs, 50 of them at "
                  "west-2 (mostly: failed)");
    stop[0] = (struct simulate_stop){
        .kind = STEP_DWELL, .host = -1, .runs = 400, .by_cause = {[CAUSE_LIMITS] = 400}};
    check_weakest(&result, "step dwell ends the most releases early: 400 of 1,000 runs (limits "
                           "exceeded)");
}

static struct simulate_result whole_of(struct simulate_stop *stop, struct simulate_outage *outage)
{
    struct simulate_result result = result_of(1000);
    result.end[SIMULATE_DONE] = 900;
    result.end[SIMULATE_HALTED] = 90;
    result.end[SIMULATE_ROLLED_BACK] = 10;
    result.rates = simulate_default_rates;
    result.measured[STEP_PULL] = result.measured[STEP_TEST] = true;
    result.assumed[STEP_START] = true;
    result.planned[STEP_PULL] = result.planned[STEP_TEST] = result.planned[STEP_START] = true;
    result.planned[STEP_DWELL] = result.planned[STEP_SHARE] = true;
    stop[0] = (struct simulate_stop){.kind = STEP_TEST,
                                     .host = 1,
                                     .runs = 90,
                                     .by_end = {[SIMULATE_HALTED] = 90},
                                     .by_cause = {[CAUSE_FAILED] = 90}};
    stop[1] = (struct simulate_stop){.kind = STEP_DWELL,
                                     .host = -1,
                                     .runs = 10,
                                     .by_end = {[SIMULATE_ROLLED_BACK] = 10},
                                     .by_cause = {[CAUSE_LIMITS] = 10}};
    outage[0] = outage_of(0, 0, 1, 3);
    result.stop = stop;
    result.stops = 2;
    result.outage = outage;
    result.outage_kinds = 1;
    result.outages = 3;
    result.out_ms[0] = 12500;
    return result;
}

static void the_report_says_ends_times_and_what_was_assumed(void **state)
{
    (void) state;
    struct simulate_stop stop[2];
    struct simulate_outage outage[1];
    struct simulate_result result = whole_of(stop, outage);
    struct buf b;
    buf_init(&b, 65536);
    simulate_text(&result, &names, &b);
    assert_string_equal(
        b.ptr,
        "forecast of 1,000 runs, seed 1\n"
        "  done                         900      90 %   in 4 min 10 s expected, 95 % within 5 min\n"
        "  halted                        90       9 %   at test 90\n"
        "  rolled back                   10       1 %   at dwell 10\n"
        "weakest point: west keeps one host in the routers while west-1 is out: 3 of 1,000 runs "
        "had "
        "an outage there because west-2 failed in those 12.5 s\n"
        "and: step test ends the most releases early: 90 of 1,000 runs, at west-2 (failed)\n"
        "times measured in earlier releases: pull, test\n"
        "times assumed, as none was measured: start\n"
        "assumed faults, of one step: pull 0.2 %, start 0.5 %, test 1 %, dwell 0.5 %, no answer "
        "0.02 %, host unreachable 0.05 %, router unreachable 0.05 %; a host crashes every 30 days "
        "and is back after 5 min\n");
    buf_done(&b);
}

static void json_is_one_object_and_says_the_same(void **state)
{
    (void) state;
    struct simulate_stop stop[2];
    struct simulate_outage outage[1];
    struct simulate_result result = whole_of(stop, outage);
    struct json_reader r;
    enum json_token token;
    struct buf b;
    buf_init(&b, 65536);
    simulate_json(&result, &names, &b);
    assert_false(b.failed);
    json_reader_init(&r, buf_str(&b));
    do {
        token = json_next(&r);
    } while (token > JSON_END);
    assert_int_equal(token, JSON_END);
    static const char *const parts[] = {
        ("{\"runs\":1000,\"seed\":1,\"ends\":{\"done\":900,\"halted\":90,\"held\":0,"
         "\"rolled_back\":10,\"halted_on_the_way_back\":0},\"done_ms\":{\"mean\":250000,"
         "\"p95\":300000}"),
        ("\"outages\":[{\"datacenter\":\"west\",\"track\":null,\"out\":\"west-1\","
         "\"crashed\":\"west-2\",\"hosts\":2,\"kept\":1,\"runs\":3,\"out_ms\":12500}]"),
        ("{\"step\":\"dwell\",\"host\":null,\"runs\":10,\"ends\":{\"rolled_back\":10},"
         "\"causes\":{\"limits_exceeded\":10}}"),
        "\"times_measured\":[\"pull\",\"test\"],\"times_assumed\":[\"start\"]"};
    T_TABLE(part, parts)
    {
        t_check(strstr(b.ptr, *part) != NULL, "no %s in %s", *part, b.ptr);
    }
    result.end[SIMULATE_DONE] = 0;
    buf_clear(&b);
    simulate_json(&result, &names, &b);
    assert_non_null(strstr(b.ptr, "\"done_ms\":null"));
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outages_of_a_data_center_are_told_by_their_pair),
        cmocka_unit_test(the_release_alone_can_be_the_outage),
        cmocka_unit_test(steps_are_told_by_kind_and_by_host_where_one_stands_out),
        cmocka_unit_test(the_report_says_ends_times_and_what_was_assumed),
        cmocka_unit_test(json_is_one_object_and_says_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
