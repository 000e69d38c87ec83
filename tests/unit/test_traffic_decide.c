/* The decision table of a request's track. */
#include "support/t.h"

#include "traffic/decide.h"

struct row_in { /* NOLINT(clang-analyzer-optin.performance.Padding): read as a table */
    const char *what;
    uint32_t share_ppm;
    bool disabled;
    const char *id;
    enum wish forced, version;
    bool random, canary_down;
    enum track track;
    enum reason reason;
};

#define S TRACK_STABLE
#define C TRACK_CANARY

static const struct row_in TABLE[] = {
    {"0 sends nobody", 0, false, "a", 0, 0, false, false, S, REASON_SPLIT},
    {"100 % sends everybody", 1000000, false, "a", 0, 0, false, false, C, REASON_SPLIT},
    {"no id goes to stable", 1000000, false, "", 0, 0, false, false, S, REASON_NO_ID},
    {"no id, drawn, 100 %", 1000000, false, "", 0, 0, true, false, C, REASON_NO_ID},
    {"no id, drawn, 0", 0, false, "", 0, 0, true, false, S, REASON_NO_ID},
    {"forced beats the share", 0, false, "a", WISH_CANARY, 0, false, false, C, REASON_FORCED},
    {"forced to stable", 1000000, false, "a", WISH_STABLE, 0, false, false, S, REASON_FORCED},
    {"forced beats the version cookie", 0, false, "a", WISH_CANARY, WISH_STABLE, false, false, C,
     REASON_FORCED},
    {"the version cookie beats the share", 0, false, "a", 0, WISH_CANARY, false, false, C,
     REASON_VERSION_COOKIE},
    {"the kill switch beats the share", 1000000, true, "a", 0, 0, false, false, S, REASON_DISABLED},
    {"the kill switch beats forced", 0, true, "a", WISH_CANARY, 0, false, false, S,
     REASON_DISABLED},
    {"the kill switch beats the version cookie", 0, true, "a", 0, WISH_CANARY, false, false, S,
     REASON_DISABLED},
    {"a dead canary falls back", 1000000, false, "a", 0, 0, false, true, S, REASON_FALLBACK},
    {"a dead canary falls back, forced too", 0, false, "a", WISH_CANARY, 0, false, true, S,
     REASON_FALLBACK},
    {"stable does not fall back", 0, false, "a", 0, 0, false, true, S, REASON_SPLIT},
};

static void test_decision_table(void **state)
{
    (void) state;
    T_TABLE(row, TABLE)
    {
        struct split split = {.share_ppm = row->share_ppm, .enabled = !row->disabled};
        split.key = cut_key_of(STR("r"));
        struct decide_in in = {
            .split = &split,
            .id = str_of(row->id),
            .forced = row->forced,
            .version = row->version,
            .no_id_random = row->random,
            .random = 7,
            .canary_live = !row->canary_down,
        };
        struct decision got = decide(&in);
        t_check(got.track == row->track && got.reason == row->reason, "%s: %s, %s", row->what,
                zone_track_name(got.track), zone_reason_name(got.reason));
        t_check(got.has_u == (in.id.len > 0), "%s", row->what);
    }
}

static void test_u_and_bucket_are_the_cuts(void **state)
{
    (void) state;
    struct split split = {.share_ppm = 500000, .enabled = true};
    split.key = cut_key_of(STR("r"));
    for (unsigned i = 0; i < 1000; i++) {
        char id[16];
        int len = snprintf(id, sizeof(id), "%u", i);
        struct decide_in in = {.split = &split, .id = {id, (size_t) len}, .canary_live = true};
        struct decision got = decide(&in);
        assert_true(got.u == cut_u(&split.key, in.id));
        assert_int_equal(got.bucket, cut_bucket(got.u));
        assert_int_equal(got.track == TRACK_CANARY, got.bucket < 500000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decision_table),
        cmocka_unit_test(test_u_and_bucket_are_the_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
