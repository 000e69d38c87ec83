/* Expectations against JSON, texts, headers, numbers and times. */
#include "support/apitest.h"

#include "apitest/value.h"

struct row {
    enum apitest_subject subject;
    const char *yaml, *got, *wanted;
};

static struct t_api t;

static int setup(void **state)
{
    (void) state;
    t_api_init_plain(&t, false);
    t_api_set(&t, "id", "12");
    t_api_set(&t, "yes", "true");
    t_api_set(&t, "object", "{\"a\": [1, 2.0]}");
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    t_api_done(&t);
    return 0;
}

/* got: JSON, a text, or a number in digits; NULL: absent. */
static struct apitest_value value_of(const struct row *row)
{
    struct apitest_value value = {.kind = APITEST_ABSENT};
    struct err err = {0};
    if (row->got == NULL) {
        return value;
    }
    if (row->subject == APITEST_OF_JSON) {
        value.kind = APITEST_JSON;
        t_check(apitest_json_parse(str_of(row->got), &t.arena, &value.json, &err) == 0, "%s: %s",
                row->got, err.msg);
    } else if (row->subject == APITEST_OF_TEXT) {
        value.kind = APITEST_TEXT;
        value.text = str_of(row->got);
    } else if (row->subject == APITEST_OF_BOOL) {
        value.kind = APITEST_BOOL;
        value.boolean = str_eq_cstr(str_of(row->got), "true");
    } else {
        value.kind = row->subject == APITEST_OF_MS ? APITEST_MS : APITEST_NUMBER;
        assert_int_equal(num_i64(str_of(row->got), INT64_MIN, INT64_MAX, &value.number), 0);
    }
    return value;
}

static void run_value(const struct row *row, const struct apitest_value *value)
{
    struct apitest_type of = {.subject = row->subject};
    t_api_again(&t);
    struct apitest_pattern *p =
        apitest_pattern_compile(t_api_yaml(&t, row->yaml), of, &t.scope, &t.arena, &t.diags);
    if (p == NULL) {
        t_same(t_api_diags(&t), row->wanted, row->yaml);
        return;
    }
    bool matched = apitest_match(p, value, "v", &t.scope, &t.diffs);
    t_same(t_api_diffs(&t), row->wanted, row->yaml);
    assert_int_equal(matched, row->wanted[0] == '\0');
}

static void run_row(const struct row *row)
{
    struct apitest_value value = value_of(row);
    run_value(row, &value);
}

#define J APITEST_OF_JSON

static const struct row json_rows[] = {
    {J, "{status: ok}", "{\"status\":\"ok\",\"more\":1}", ""},
    {J, "{status: ok}", "{\"status\":\"no\"}", "v.status@1:10: expected ok, got \"no\""},
    {J, "{status: ok}", "[]", "v@1:1: expected {status: ok}, got [] (a list, not a map)"},
    {J, "{}", "[]", "v@1:1: expected {}, got [] (a list, not a map)"},
    {J, "1", "1.0", ""},
    {J, "1", "10e-1", ""},
    {J, "0x10", "16", ""},
    {J, "007", "7", ""},
    {J, "-.5", "-0.50", ""},
    {J, "9007199254740993", "9007199254740992",
     "v@1:1: expected 9007199254740993, got 9007199254740992"},
    {J, "123456789012345678901234567890", "123456789012345678901234567890.0", ""},
    {J, "1e400", "1e400", ""},
    {J, "0", "-0.0", ""},
    {J, "'1'", "1",
     "v@1:1: expected \"1\", got 1 (a number, not a string (in YAML: without "
     "quotes))"},
    {J, "1", "\"1\"",
     "v@1:1: expected 1, got \"1\" (a string, not a number (in YAML: with "
     "quotes))"},
    {J, "true", "true", ""},
    {J, "yes", "\"yes\"", ""},
    {J, "null", "null", ""},
    {J, "null", NULL, ""},
    {J, "null", "0", "v@1:1: expected absent (null), got 0"},
    {J, "{a: null}", "{}", ""},
    {J, "{a: {$type: 'null'}}", "{}",
     "v.a@1:13: expected $type: \"null\", got absent (the key is "
     "not there)"},
    {J, "{a: {$absent: true}}", "{\"a\":null}", "v.a@1:15: expected $absent: true, got null"},
    {J, "{$type: object, $len: 1}", "{\"a\":null}", ""},
    {J, "{$type: integer}", "1.5", "v@1:9: expected $type: integer, got 1.5 (a number)"},
    {J, "{$type: integer}", "15", ""},
    {J, "{$type: numbr}", "15",
     "1:9: $type: \"numbr\" is no type of JSON: null, bool, number, integer, string, list or "
     "map"},
    {J, "{$gt: 1, $lte: 2.5}", "2.50", ""},
    {J, "{$gt: 1}", "\"2\"", "v@1:7: expected $gt: 1, got \"2\""},
    {J, "{$gt: a}", "1", "1:7: $gt compares numbers; \"a\" is none"},
    {J, "[1, {$gt: 1}]", "[1, 2]", ""},
    {J, "{$contains: b}", "\"abc\"", ""},
    {J, "{$contains: b}", "[\"a\",\"b\"]", ""},
    {J, "{$contains: 2}", "[\"2\"]",
     "v@1:13: expected $contains: 2, got [\"2\"] (none of 1 "
     "elements)"},
    {J, "{$contains: [{a: 1}, {a: 1}]}", "[{\"a\":1},{\"a\":2}]",
     "v@1:22: expected {a: 1}, got [{a: 1}, {a: 2}] ([0] matches, but it is the element "
     "of expectation 1: {a: 1}; every expectation needs its own)"},
    {J, "{$unordered: [{b: 1}, {a: 1}]}", "[{\"a\":1,\"b\":1},{\"b\":1}]", ""},
    {J, "{$each: {ok: true}}", "[{\"ok\":true},{\"ok\":false}]",
     "v[1].ok@1:14: expected true, got false"},
    {J, "{$exact: {a: 1}}", "{\"a\":1,\"b c\":2}",
     "v[\"b c\"]@1:10: expected absent, got 2 (there, but not listed in $exact)"},
    {J, "{$$ref: x}", "{\"$ref\":\"x\"}", ""},
    {J, "{$ref: x}", "{}", "1:2: unknown operator \"$ref\""},
    {J, "${id}", "12", ""},
    {J, "${id}", "\"12\"", ""},
    {J, "${yes}", "true", ""},
    {J, "${object}", "{\"a\":[1.0,2]}", ""},
    {J, "${id}", "13", "v@1:1: expected \"12\" (${id}), got 13"},
    {J, "x${id}", "\"x12\"", ""},
    {J, "{$within: {of: now, by: 1h}}", "\"2026-01-01T00:59:00Z\"", ""},
    {J, "{$within: {of: now, by: 1h}}", "\"later\"",
     "v@1:11: expected $within: {of: now, by: 1h}, got later (it is no time of RFC 3339)"},
    {J, "{$approx: {value: 0.3, tol: 0}}", "0.30", ""},
    {J, "{s: {$json: {x: 1}}}", "{\"s\":\"{\\\"x\\\":2}\"}", "v.s.x@1:17: expected 1, got 2"},
    {J, "{s: {$regex: '\\x00'}}", "{\"s\":\"a\\u0000b\"}", ""},
};

static void test_json(void **state)
{
    (void) state;
    T_TABLE(row, json_rows)
    {
        run_row(row);
    }
}

static void test_texts(void **state)
{
    (void) state;
#define T APITEST_OF_TEXT
    static const struct row rows[] = {
        {T, "application/json", "application/json", ""},
        {T, "200", "200", ""},
        {T, "true", "true", ""},
        {T, "null", "x", "v@1:1: expected absent (null), got x"},
        {T, "null", NULL, ""},
        {T, "''", "", ""},
        {T, "{$startsWith: app}", "application/json", ""},
        {T, "{$regex: '^[0-9a-f]{8}$'}", "0123abcd", ""},
        {T, "{$present: true}", "x", ""},
        {T, "{$present: true}", NULL, "v@1:12: expected $present: true, got absent"},
        {T, "{$gt: 10}", "11", ""},
        {T, "{$gt: 10}", "9.5", "v@1:7: expected $gt: 10, got \"9.5\""},
        {T, "{$gt: 10}", "soon", "v@1:7: expected $gt: 10, got soon (it is no number)"},
        {T, "{$json: {a: 1}}", "{\"a\": 1}", ""},
        {T, "a", NULL, "v@1:1: expected a, got absent"},
        {T, "{a: 1}", "a", "1:1: a map for a text: write a value, or operators such as {$ne: ..}"},
    };
    T_TABLE(row, rows)
    {
        run_row(row);
    }
}

static void test_headers_of_one_name(void **state)
{
    (void) state;
    static const struct str both[] = {{"a=1", 3}, {"b=2", 3}};
    static const struct row rows[] = {
        {T, "b=2", NULL, ""},
        {T, "c", NULL, "v@1:1: expected c, got [a=1, b=2] (none of its 2 values)"},
        {T, "{$startsWith: b}", NULL, ""},
        {T, "{$ne: b=2}", NULL, "v@1:7: expected $ne: b=2, got [a=1, b=2]"},
        {T, "[a=1, b=2]", NULL, ""},
        {T, "{$unordered: [b=2, a=1]}", NULL, ""},
        {T, "{$contains: [b=2]}", NULL, ""},
        {T, "{$each: {$contains: '='}}", NULL, ""},
        {T, "[a=1]", NULL,
         "v@1:1: expected 1 element, got 2 elements (more than expected: [1] b=2)"},
    };
    struct apitest_value value = {.kind = APITEST_SET, .item = both, .items = 2};
    T_TABLE(row, rows)
    {
        run_value(row, &value);
    }
    struct apitest_value none = {.kind = APITEST_SET, .items = 0};
    const struct row absent = {T, "null", NULL, ""};
    run_value(&absent, &none);
}

static void test_numbers_and_times(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {APITEST_OF_NUMBER, "200", "200", ""},
        {APITEST_OF_NUMBER, "200", "503", "v@1:1: expected 200, got 503"},
        {APITEST_OF_NUMBER, "{$in: [200, 204]}", "204", ""},
        {APITEST_OF_NUMBER, "ok", "204", "1:1: \"ok\" is no whole number"},
        {APITEST_OF_BOOL, "true", "true", ""},
        {APITEST_OF_BOOL, "true", "false", "v@1:1: expected true, got false"},
        {APITEST_OF_BOOL, "yes", "true", "1:1: \"yes\" is no bool: write true or false"},
        {APITEST_OF_MS, "{$lt: 200ms}", "199999", ""},
        {APITEST_OF_MS, "{$lt: 200ms}", "200000", "v@1:7: expected $lt: 200ms, got 200ms"},
        {APITEST_OF_MS, "{$lt: 200ms}", "212500", "v@1:7: expected $lt: 200ms, got 212.5ms"},
        {APITEST_OF_MS, "{$gte: 1.5s}", "950", "v@1:8: expected $gte: 1.5s, got 950us"},
        {APITEST_OF_MS, "{$gt: 168h}", "700000000000", ""},
        {APITEST_OF_MS, "{$lt: 200}", "1", "1:7: \"200\" is no duration: write 250ms, 1.5s, 5m"},
        {APITEST_OF_MS, "{$regex: a}", "1",
         "1:2: $regex makes no sense for a time span: there are $eq $ne $not $gt $gte $lt $lte $in "
         "$any $all $absent $present"},
    };
    T_TABLE(row, rows)
    {
        run_row(row);
    }
}

static void test_bad_json_is_refused_with_its_place(void **state)
{
    (void) state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", "the text ends too early (line 1, column 1 of the JSON)"},
        {"{\"a\":1,\n\"a\":2}", "an object has a key twice (line 2, column 6 of the JSON)"},
        {"[1,]", "expected a value (line 1, column 4 of the JSON)"},
        {"[1 2]", "expected ',' or ']' (line 1, column 4 of the JSON)"},
        {"\"\\ud800\"", "a string with half of a surrogate pair (line 1, column 1 of the JSON)"},
        {"1 2", "more text after the value (line 1, column 3 of the JSON)"},
    };
    T_TABLE(row, rows)
    {
        const struct apitest_json *json = NULL;
        struct err err = {0};
        assert_err(apitest_json_parse(str_of(row->text), &t.arena, &json, &err), &err, ERR_INVALID,
                   row->message);
    }
    char deep[400];
    for (size_t depth = 95; depth < 105; depth++) {
        const struct apitest_json *json = NULL;
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        int r = apitest_json_parse((struct str){deep, 2 * depth}, &t.arena, &json, NULL);
        assert_int_equal(r == 0, depth <= 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_headers_of_one_name),
        cmocka_unit_test(test_numbers_and_times),
        cmocka_unit_test(test_bad_json_is_refused_with_its_place),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
