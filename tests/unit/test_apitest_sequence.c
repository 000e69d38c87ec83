/* The messages of a stream against `responses:`. */
#include "support/apitest.h"

struct row {
    const char *yaml;
    bool unordered;
    const char *ids; /* a message for each letter: its sku */
    const char *wanted;
};

static struct t_api t;

static int setup(void **state)
{
    (void) state;
    t_api_init(&t, false);
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    t_api_done(&t);
    return 0;
}

static struct apitest_sequence *compile(const char *yaml, bool unordered)
{
    t_api_again(&t);
    return apitest_sequence_compile(t_api_yaml(&t, yaml), t_api_type(&t, "shop.Item"), unordered,
                                    &t.scope, &t.arena, &t.diags);
}

static size_t messages(const char *ids, struct proto_msg **msg)
{
    size_t n = strlen(ids);
    for (size_t i = 0; i < n; i++) {
        char json[32];
        (void) snprintf(json, sizeof json, "{\"sku\":\"%c\"}", ids[i]);
        msg[i] = t_api_json(&t, t_api_type(&t, "shop.Item"), json);
    }
    return n;
}

static void test_counts_and_order(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {"[{sku: A}, {sku: B}]", false, "AB", ""},
        {"[]", false, "", ""},
        {"[]", false, "A",
         "responses@1:1: expected 0 messages, got 1 message (more than expected: [0] {sku: A})"},
        {"[{sku: A}, {sku: B}]", false, "A",
         "responses@1:1: expected 2 messages, got 1 message (missing: [1] {sku: B})"},
        {"[{sku: A}, {sku: B}]", false, "ABC",
         "responses@1:1: expected 2 messages, got 3 messages (more than expected: [2] {sku: C})"},
        {"[{sku: A}, {sku: B}]", false, "AC", "responses[1].sku@1:18: expected B, got C"},
        {"[{sku: A}, {sku: B}]", false, "BA",
         "responses@1:1: expected [{sku: A}, {sku: B}], got [{sku: B}, {sku: A}] (the same "
         "messages "
         "in another order: match: unordered would match)"},
        {"[{sku: A}, {sku: B}]", true, "BA", ""},
        {"[{sku: A}, {}]", true, "AA", ""},
        {"[{sku: A}, {sku: B}]", true, "BAC",
         "responses[2]@1:1: expected no more messages, got {sku: C} (2 expectations for 3 "
         "messages, "
         "and none is left for this)"},
        {"[{sku: A}, {sku: A}]", true, "AC",
         "responses@1:12: expected {sku: A}, got [{sku: A}, {sku: C}] ([0] matches, but it is the "
         "message of expectation 1: {sku: A}; every expectation needs its own)\n"
         "responses[1]@1:1: expected no more messages, got {sku: C} (2 expectations for 2 "
         "messages, "
         "and none is left for this)"},
        {"[{sku: A}, $rest: any]", false, "ABC", ""},
        {"[{sku: A}, $rest: any]", false, "A", ""},
        {"[{sku: A}, $rest: any]", false, "",
         "responses@1:1: expected at least 1 message, got 0 messages (missing: [0] {sku: A})"},
        {"[{sku: B}, $rest: any]", true, "ABC", ""},
        {"[{sku: D}, $rest: any]", true, "AB",
         "responses@1:2: expected {sku: D}, got [{sku: A}, {sku: B}] (did not match any of 2 "
         "messages; nearest is [0].sku: expected D, got A)"},
    };
    T_TABLE(row, rows)
    {
        struct proto_msg *msg[16];
        struct apitest_sequence *q = compile(row->yaml, row->unordered);
        t_check(q != NULL, "%s: %s", row->yaml, t_api_diags(&t));
        size_t n = messages(row->ids, msg);
        bool matched = apitest_sequence_match(q, msg, n, &t.scope, &t.diffs);
        t_same(t_api_diffs(&t), row->wanted, row->yaml);
        assert_int_equal(matched, row->wanted[0] == '\0');
    }
}

static void test_repeats(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {"[{sku: A}, {$repeat: {min: 1, max: 2, of: {sku: B}}}]", false, "AB", ""},
        {"[{sku: A}, {$repeat: {min: 1, max: 2, of: {sku: B}}}]", false, "ABB", ""},
        {"[{sku: A}, {$repeat: {min: 1, max: 2, of: {sku: B}}}]", false, "ABBB",
         "responses[3]@1:1: expected no more messages, got {sku: B} (1 more than expected)"},
        {"[{sku: A}, {$repeat: {min: 1, max: 2, of: {sku: B}}}]", false, "A",
         "responses@1:43: expected {sku: B}, got no more messages (1 came; here 1 more is "
         "expected)"},
        {"[{sku: A}, {$repeat: {min: 2, of: {sku: B}}}]", false, "ABC",
         "responses[2].sku@1:41: expected B, got C"},
        {"[{$repeat: {min: 0, of: {sku: A}}}, {sku: B}]", false, "B", ""},
        /* taking as many as fit would leave nothing for the last */
        {"[{$repeat: {of: {}}}, {sku: B}]", false, "AABAB", ""},
        {"[{$repeat: {max: 3, of: {sku: {$in: [A, B]}}}}, {$repeat: {of: {sku: B}}}, {sku: B}]",
         false, "ABBBB", ""},
        {"[{$repeat: {max: 1, of: {sku: A}}}, $rest: any]", false, "AXY", ""},
    };
    T_TABLE(row, rows)
    {
        struct proto_msg *msg[16];
        struct apitest_sequence *q = compile(row->yaml, row->unordered);
        t_check(q != NULL, "%s: %s", row->yaml, t_api_diags(&t));
        size_t n = messages(row->ids, msg);
        bool matched = apitest_sequence_match(q, msg, n, &t.scope, &t.diffs);
        t_same(t_api_diffs(&t), row->wanted, row->yaml);
        assert_int_equal(matched, row->wanted[0] == '\0');
    }
}

static void test_mistakes(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {"{sku: A}", false, NULL, "1:1: responses are a list of messages, not a map"},
        {"[{skuu: A}, {quantity: x}]", false, NULL,
         "1:3: no field \"skuu\" in shop.Item: did you mean \"sku\"?\n"
         "1:24: field quantity: \"x\" is no int32"},
        {"[$rest: any, {sku: A}]", false, NULL, "1:9: $rest has to be the last"},
        {"[$rest: {sku: A}]", false, NULL,
         "1:9: $rest is always \"any\"; for more of a kind write $repeat"},
        {"[{$repeat: {min: 3, max: 2, of: {}}}]", false, NULL,
         "1:12: $repeat: max has to be at least min, and at least 1"},
        {"[{$repeat: {min: 3}}]", false, NULL, "1:12: $repeat needs \"of\": what each of them is"},
        {"[{$repeat: {of: {}}}]", true, NULL,
         "1:1: $repeat has no place in match: unordered: write each message, or $rest"},
        {"[{$repeat: {of: {}}, sku: A}]", false, NULL,
         "1:2: $repeat has to stand alone in its item"},
        {"[null]", false, NULL, "1:2: null for a message shop.Item: an element is always set"},
    };
    T_TABLE(row, rows)
    {
        assert_null(compile(row->yaml, row->unordered));
        t_same(t_api_diags(&t), row->wanted, row->yaml);
    }
}

static void test_bounds_and_checks(void **state)
{
    (void) state;
    static const struct {
        const char *yaml;
        size_t min, max, checks;
    } rows[] = {
        {"[]", 0, 0, 1},
        {"[{}]", 1, 1, 0},
        {"[{}, {}]", 2, 2, 1},
        {"[{sku: A}]", 1, 1, 1},
        {"[$rest: any]", 0, SIZE_MAX, 0},
        {"[{}, $rest: any]", 1, SIZE_MAX, 0},
        {"[{sku: A}, $rest: any]", 1, SIZE_MAX, 1},
        {"[{$repeat: {min: 2, max: 5, of: {sku: A}}}, {}]", 3, 6, 2},
        {"[{$repeat: {of: {}}}]", 1, SIZE_MAX, 0},
    };
    T_TABLE(row, rows)
    {
        size_t min = 0, max = 0;
        struct apitest_sequence *q = compile(row->yaml, false);
        assert_non_null(q);
        apitest_sequence_bounds(q, &min, &max);
        t_check(min == row->min && max == row->max && apitest_sequence_checks(q) == row->checks,
                "%s: %zu..%zu, %zu checks", row->yaml, min, max, apitest_sequence_checks(q));
    }
}

/* A long stream costs no more than its length. */
static void test_long_streams(void **state)
{
    (void) state;
    enum { N = 100000 };
    struct proto_msg **msg = calloc(N, sizeof(struct proto_msg *));
    assert_non_null(msg);
    struct proto_msg *one = t_api_json(&t, t_api_type(&t, "shop.Item"), "{\"sku\":\"A\"}");
    for (size_t i = 0; i < N; i++) {
        msg[i] = one;
    }
    struct apitest_sequence *q =
        compile("[{$repeat: {of: {sku: A}}}, {$repeat: {of: {sku: A}}}, {sku: A}]", false);
    assert_non_null(q);
    assert_true(apitest_sequence_match(q, msg, N, &t.scope, &t.diffs));
    free(msg);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts_and_order), cmocka_unit_test(test_repeats),
        cmocka_unit_test(test_mistakes),         cmocka_unit_test(test_bounds_and_checks),
        cmocka_unit_test(test_long_streams),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
