/* Expectations under strain: bad expressions, long lists, many differences, cut secrets. */
#include "support/apitest.h"

#include "apitest/value.h"

struct row {
    const char *yaml, *json, *wanted;
};

static struct t_api t;

static int setup(void **state)
{
    (void) state;
    t_api_init(&t, false);
    t_api_set(&t, "sku", "A-100");
    t_api_set(&t, "n", "3");
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    t_api_done(&t);
    return 0;
}

static void run_row(const char *type, const struct row *row)
{
    const struct proto_message_desc *desc = t_api_type(&t, type);
    struct apitest_type of = {.subject = APITEST_OF_MESSAGE, .desc = desc};
    t_api_again(&t);
    const struct conf_node *node = t_api_yaml(&t, row->yaml);
    struct apitest_pattern *p = apitest_pattern_compile(node, of, &t.scope, &t.arena, &t.diags);
    if (p == NULL) {
        t_same(t_api_diags(&t), row->wanted, row->yaml);
        return;
    }
    struct proto_msg *msg = t_api_json(&t, desc, row->json);
    struct apitest_value value = {.kind = APITEST_MESSAGE, .proto = {.msg = msg}};
    bool matched = apitest_match(p, &value, "r", &t.scope, &t.diffs);
    t_same(t_api_diffs(&t), row->wanted, row->yaml);
    assert_int_equal(matched, row->wanted[0] == '\0');
    assert_int_equal(t.diffs.total == 0, matched);
}

static void test_bad_expressions_are_bounded(void **state)
{
    (void) state;
    char json[4096] = "{\"id\":\"";
    memset(json + strlen(json), 'a', 2000);
    (void) snprintf(json + strlen(json), 16, "!\"}");
    const struct row row = {"id: {$any: [{$not: {$regex: '^(a+)+$'}}, x]}", json, NULL};
    const struct proto_message_desc *desc = t_api_type(&t, "shop.Order");
    struct apitest_type of = {.subject = APITEST_OF_MESSAGE, .desc = desc};
    t_api_again(&t);
    struct apitest_pattern *p =
        apitest_pattern_compile(t_api_yaml(&t, row.yaml), of, &t.scope, &t.arena, &t.diags);
    assert_non_null(p);
    struct apitest_value value = {.kind = APITEST_MESSAGE,
                                  .proto = {.msg = t_api_json(&t, desc, row.json)}};
    /* Not even $not passes on what was not found out. */
    assert_false(apitest_match(p, &value, "r", &t.scope, &t.diffs));
    assert_int_equal(t.diffs.total, 1);
    t_check(strstr(t_api_diffs(&t), "$regex was given up: match limit exceeded") != NULL, "%s",
            t_api_diffs(&t));
}

static void test_many_differences_are_counted(void **state)
{
    (void) state;
    struct buf json, yaml;
    buf_init(&json, 1 << 20);
    buf_init(&yaml, 1 << 20);
    for (int i = 0; i < 200; i++) {
        buf_addf(&json, "%s%d", i == 0 ? "{\"numbers\":[" : ",", i);
        buf_addf(&yaml, "%s%d", i == 0 ? "numbers: [" : ", ", i + 1000);
    }
    buf_add_cstr(&json, "]}");
    buf_add_cstr(&yaml, "]");
    const struct proto_message_desc *desc = t_api_type(&t, "shop.Order");
    struct apitest_type of = {.subject = APITEST_OF_MESSAGE, .desc = desc};
    t_api_again(&t);
    t.diffs.max = 3;
    struct apitest_pattern *p =
        apitest_pattern_compile(t_api_yaml(&t, yaml.ptr), of, &t.scope, &t.arena, &t.diags);
    struct apitest_value value = {.kind = APITEST_MESSAGE,
                                  .proto = {.msg = t_api_json(&t, desc, json.ptr)}};
    assert_false(apitest_match(p, &value, "r", &t.scope, &t.diffs));
    assert_int_equal(t.diffs.list.len, 3);
    assert_int_equal(t.diffs.total, 200);
    assert_int_equal(t.diffs.checks, 201);
    t.diffs.max = 0;
    buf_done(&json);
    buf_done(&yaml);
}

/* What an element needs is made once: a long list with Any and variables stays cheap. */
static void test_long_lists(void **state)
{
    (void) state;
    enum { N = 300 };
    struct buf json, yaml;
    buf_init(&json, 1 << 20);
    buf_init(&yaml, 1 << 20);
    buf_add_cstr(
        &yaml, "tags: {$each: {$regex: \"^${sku}-\", $not: \"${n}\"}}\ndetails:\n  $unordered:\n");
    for (int i = 0; i < N; i++) {
        buf_addf(&json, "%s\"A-100-%d\"", i == 0 ? "{\"tags\":[" : ",", i);
        buf_addf(&yaml, "  - {\"@type\": shop.Item, quantity: %d}\n", i);
    }
    for (int i = N - 1; i >= 0; i--) {
        buf_addf(&json, "%s{\"@type\":\"t/shop.Item\",\"quantity\":%d}",
                 i == N - 1 ? "],\"details\":[" : ",", i);
    }
    buf_add_cstr(&json, "]}");
    const struct row row = {yaml.ptr, json.ptr, ""};
    run_row("shop.Order", &row);
    buf_done(&json);
    buf_done(&yaml);
}

/* Wherever a long value is cut, no part of a secret is left over. */
static void test_cuts_leave_no_half_of_a_secret(void **state)
{
    (void) state;
    static const char secret[] = "correct-horse-battery-staple";
    const struct proto_message_desc *desc = t_api_type(&t, "shop.Order");
    struct apitest_type of = {.subject = APITEST_OF_MESSAGE, .desc = desc};
    struct err err = {0};
    struct t_random random = t_random_init();
    assert_int_equal(apitest_secrets_add(&t.secrets, str_of(secret), &err), 0);
    t_api_again(&t);
    struct apitest_pattern *p =
        apitest_pattern_compile(t_api_yaml(&t, "tags: [x]"), of, &t.scope, &t.arena, &t.diags);
    assert_non_null(p);
    for (size_t pad = 0; pad < 450; pad += 1 + t_random_below(&random, 3)) {
        char json[1024];
        (void) snprintf(json, sizeof json, "{\"tags\":[\"%s %.*s%s\",\"%.*s%s\"]}", secret,
                        (int) pad,
                        "........................................................................"
                        "........................................................................"
                        "........................................................................"
                        "........................................................................"
                        "........................................................................"
                        "........................................................................"
                        "........................................................................",
                        secret, (int) (pad % 140),
                        "........................................................................"
                        "........................................................................",
                        secret);
        t_api_again(&t);
        struct apitest_value value = {.kind = APITEST_MESSAGE,
                                      .proto = {.msg = t_api_json(&t, desc, json)}};
        assert_false(apitest_match(p, &value, "r", &t.scope, &t.diffs));
        assert_int_equal(t.diffs.list.len, 2);
        t_check(strstr(t_api_diffs(&t), "corr") == NULL, "%zu: %s", pad, t_api_diffs(&t));
        t_check(strstr(t_api_diffs(&t), "***") != NULL, "%zu: %s", pad, t_api_diffs(&t));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_expressions_are_bounded),
        cmocka_unit_test(test_many_differences_are_counted),
        cmocka_unit_test(test_long_lists),
        cmocka_unit_test(test_cuts_leave_no_half_of_a_secret),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
