/* Messages from YAML: what is sent, and every mistake with its place. */
#include "support/apitest.h"

#include "base/clock.h"

#include <unistd.h>

struct row {
    const char *yaml, *wanted; /* wanted: the message as JSON, or all errors */
};

static struct t_api t;

static int setup(void **state)
{
    (void) state;
    t_api_init(&t, false);
    t_api_set(&t, "sku", "A-100");
    t_api_set(&t, "n", "3");
    t_api_set(&t, "item", "{\"sku\":\"A\",\"quantity\":3}");
    t_api_set(&t, "list", "[1,2]");
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    t_api_done(&t);
    return 0;
}

static void run(const char *type, const struct row *row)
{
    struct proto_msg *msg = NULL;
    struct err err = {0};
    bool constant = false;
    t_api_again(&t);
    const struct conf_node *node = t_api_yaml(&t, row->yaml);
    if (apitest_build(node, t_api_type(&t, type), &t.scope, &t.arena, &t.diags, &msg, &constant) <
        0) {
        t_same(t_api_diags(&t), row->wanted, row->yaml);
        return;
    }
    assert_non_null(msg);
    buf_clear(&t.text);
    t_check(proto_json_write(msg, 0, &t.text, &err) == 0, "%s: %s", row->yaml, err.msg);
    t_same(t.text.ptr, row->wanted, row->yaml);
    assert_int_equal(constant,
                     strstr(row->yaml, "${") == NULL && strstr(row->yaml, "$now") == NULL);
}

static const struct row messages_rows[] = {
    {"", "{}"},
    {"null", "{}"},
    {"{}", "{}"},
    {"id: 007", "{\"id\":\"007\"}"},
    {"id: NO", "{\"id\":\"NO\"}"},
    {"id: null", "{}"},
    {"id: ''", "{}"},
    {"coupon: ''", "{\"coupon\":\"\"}"},
    {"opt: 0", "{\"opt\":0}"},
    {"big: 9007199254740993", "{\"big\":\"9007199254740993\"}"},
    {"ubig: 18446744073709551615", "{\"ubig\":\"18446744073709551615\"}"},
    {"state: PAID", "{\"state\":\"PAID\"}"},
    {"state: 2", "{\"state\":\"PAID\"}"},
    {"createdAt: 2026-01-01T01:00:00+01:00", "{\"createdAt\":\"2026-01-01T00:00:00Z\"}"},
    {"created_at: {seconds: 5}", "{\"createdAt\":\"1970-01-01T00:00:05Z\"}"},
    {"took: -1.5s", "{\"took\":\"-1.500s\"}"},
    {"mask: 'a,fooBar'", "{\"mask\":\"a,fooBar\"}"},
    {"{count: 0, note: x}", "{\"count\":0,\"note\":\"x\"}"},
    {"count: {value: 4}", "{\"count\":4}"},
    {"lines: [{sku: a}, {}]", "{\"lines\":[{\"sku\":\"a\"},{}]}"},
    {"lines: []", "{}"},
    {"numbers: [1, -2, 0x10]", "{\"numbers\":[1,-2,16]}"},
    {"labels: {a: 1, b: x}", "{\"labels\":{\"a\":\"1\",\"b\":\"x\"}}"},
    {"by_number: {-1: {sku: a}}", "{\"byNumber\":{\"-1\":{\"sku\":\"a\"}}}"},
    {"flags: {true: x}", "{\"flags\":{\"true\":\"x\"}}"},
    {"weights: {18446744073709551615: .5}", "1:33: field value: \".5\" is no double: write 0.5"},
    {"weights: {18446744073709551615: 0.5}", "{\"weights\":{\"18446744073709551615\":0.5}}"},
    {"card: {units: 5}", "{\"card\":{\"units\":\"5\"}}"},
    {"cash: false", "{\"cash\":false}"},
    {"{cash: null, voucher: x}", "{\"voucher\":\"x\"}"},
    {"data: YWJj", "{\"data\":\"YWJj\"}"},
    {"data: {$hex: 61 62 63}", "{\"data\":\"YWJj\"}"},
    {"data: {$utf8: abc}", "{\"data\":\"YWJj\"}"},
    {"id: {$repeatText: {text: ab, times: 3}}", "{\"id\":\"ababab\"}"},
    {"meta: {a: 1, b: [x, null, true, 1.5], c: {}}",
     "{\"meta\":{\"a\":1,\"b\":[\"x\",null,true,1.5],\"c\":{}}}"},
    {"{free: null, list: [1]}", "{\"free\":null,\"list\":[1]}"},
    {"free: '5'", "{\"free\":\"5\"}"},
    {"values: [null, 1]", "{\"values\":[null,1]}"},
    {"meta:\n  $$a: ${n}\n  b: \"${n}\"\n", "{\"meta\":{\"$a\":3,\"b\":\"3\"}}"},
    {"extra: {\"@type\": shop.Money, units: 5}",
     "{\"extra\":{\"@type\":\"type.googleapis.com/shop.Money\",\"units\":\"5\"}}"},
    {"extra: {\"@type\": x.example/google.protobuf.Duration, value: 1s}",
     "{\"extra\":{\"@type\":\"x.example/google.protobuf.Duration\",\"value\":\"1s\"}}"},
    {"card: {$json: '{\"units\": \"7\"}'}", "{\"card\":{\"units\":\"7\"}}"},
    {"$json: '{\"id\": \"x\"}'", "{\"id\":\"x\"}"},
    {"id: ${sku}", "{\"id\":\"A-100\"}"},
    {"id: x-${sku}", "{\"id\":\"x-A-100\"}"},
    {"big: ${n}", "{\"big\":\"3\"}"},
    {"lines: [\"${item}\"]", "{\"lines\":[{\"sku\":\"A\",\"quantity\":3}]}"},
    {"numbers: ${list}", "{\"numbers\":[1,2]}"},
    {"labels: {\"${sku}\": x}", "{\"labels\":{\"A-100\":\"x\"}}"},
    {"parent: {parent: {parent: {id: x}}}",
     "{\"parent\":{\"parent\":{\"parent\":{\"id\":\"x\"}}}}"},
};

static void test_messages(void **state)
{
    (void) state;
    T_TABLE(row, messages_rows)
    {
        run("shop.Order", row);
    }
}

static void test_proto2(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {"{id: a, size: 1}", "{\"id\":\"a\",\"size\":1}"},
        {"{id: a, size: 1, box: {width: 2}}", "{\"id\":\"a\",\"size\":1,\"box\":{\"width\":2}}"},
        {"{id: a, size: 1, \"[old.weight]\": 5, \"[old.names]\": [x]}",
         "{\"id\":\"a\",\"size\":1,\"[old.weight]\":5,\"[old.names]\":[\"x\"]}"},
        {"", "1:1: old.Thing lacks the required fields id, size"},
        {"id: a", "1:1: old.Thing lacks the required field size"},
        {"{id: a, size: 1, inner: {size: 1}}", "1:25: old.Thing lacks the required field id"},
        {"{id: a, size: 1, color: GREEN}",
         "1:25: field color: no value \"GREEN\" in enum old.Color: it has RED, BLUE"},
    };
    T_TABLE(row, rows)
    {
        run("old.Thing", row);
    }
}

static void test_all_mistakes_are_told_at_once(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {"idd: a\nbig: 1.5\nlines:\n- {sku: a, quantity: x}\n- 5\nlabels: [a]\nstate: PAYD\n",
         "1:1: no field \"idd\" in shop.Order: did you mean \"id\"?\n"
         "2:6: field big: \"1.5\" is no int64: it has a fraction\n"
         "4:22: field quantity: \"x\" is no int32\n"
         "5:3: text \"5\" instead of a message shop.Item: write a map of its fields\n"
         "6:9: field labels: a list instead of a map (map<string, string>)\n"
         "7:8: field state: no value \"PAYD\" in enum shop.State: did you mean \"PAID\"?"},
        {"{voucher: a, cash: true}", "1:14: oneof payment has \"voucher\" (line 1) already: only "
                                     "one of its members may be set"},
        {"{created_at: {}, createdAt: {}}",
         "1:18: \"createdAt\" is the same field as \"created_at\" (line 1)"},
        {"ok: yes", "1:5: field ok: \"yes\" is no bool: write true"},
        {"numbers: 5", "1:10: field numbers: text \"5\" instead of a list (repeated int32)"},
        {"numbers: [null]", "1:11: null as an element of a list: leave it out, or write a value"},
        {"labels: {a: null}", "1:13: null as a value of a map: leave it out, or write a value"},
        {"by_number: {1: {}, 0x1: {}}", "1:20: the key 1 is in the map twice"},
        {"by_number: {x: {}}", "1:13: a key of the map: \"x\" is no int32"},
        {"id: [a]", "1:5: field id: a list of 1 instead of a value (string)"},
        {"card: [a]", "1:7: a list instead of a message shop.Money: the field is not repeated"},
        {"data: {$hex: 6}", "1:14: $hex: \"6\" is not pairs of hexadecimal digits"},
        {"data: {$hexx: 61}", "1:8: unknown operator \"$hexx\": did you mean \"$hex\"?"},
        {"big: {$hex: 61}", "1:7: \"$hex\" for field big (int64): write a value"},
        {"card: {$gt: 5}",
         "1:8: \"$gt\" makes no sense here: a message shop.Money is made of its fields, or of "
         "{$json: '{..}'} alone"},
        {"took: {$now: 5s}",
         "1:8: $now is a google.protobuf.Timestamp, not google.protobuf.Duration"},
        {"created_at: {$now: soon}", "1:20: $now: \"soon\" is no duration: write 250ms, 1.5s, 5m"},
        {"id: {$repeatText: {text: abcd, times: 100000000}}",
         "1:19: $repeatText: 4 bytes 100000000 times are more than 67108864"},
        {"data: {$file: no/such/file}", "1:15: $file: no/such/file: No such file or directory"},
        {"extra: {\"@type\": no.Such, a: 1}",
         "1:8: no message type no.Such is known: import its file, or give its bytes as value: "
         "BASE64"},
        {"extra: {\"@type\": shop.Money, unitss: 1}",
         "1:30: no field \"unitss\" in shop.Money: did you mean \"units\"?"},
        {"id: ${skuu}", "1:5: unknown variable \"skuu\": did you mean \"sku\"?"},
        {"big: ${sku}", "1:6: field big: \"A-100\" is no int64"},
        {"[a]", "1:1: a list instead of a message shop.Order: the field is not repeated"},
    };
    T_TABLE(row, rows)
    {
        run("shop.Order", row);
    }
}

static void test_now_moves(void **state)
{
    (void) state;
    struct proto_msg *msg = NULL;
    bool constant = true;
    t_api_again(&t);
    int64_t before = (int64_t) (clock_wall_ms() / 1000);
    const struct conf_node *node = t_api_yaml(&t, "created_at: {$now: -1h}");
    assert_int_equal(apitest_build(node, t_api_type(&t, "shop.Order"), &t.scope, &t.arena, &t.diags,
                                   &msg, &constant),
                     0);
    assert_false(constant);
    const struct proto_field_desc *field = proto_field_by_name(msg->desc, STR("created_at"));
    struct proto_msg *at = proto_get(msg, field).msg;
    int64_t seconds = proto_get(at, proto_field_of(at, 1)).i64;
    assert_true(seconds >= before - 3600 && seconds <= before - 3600 + 60);
}

/* While checking, what is saved later leaves no message but all other mistakes are told. */
static void test_checking_without_values(void **state)
{
    (void) state;
    struct proto_msg *msg = (struct proto_msg *) &t;
    bool constant = true;
    struct apitest_scope scope;
    t_api_again(&t);
    apitest_scope_init(&scope, &t.scope, NULL, &t.arena, true);
    assert_true(apitest_scope_set(&scope, STR("later"), STR(""), false, false));
    const struct proto_message_desc *desc = t_api_type(&t, "shop.Order");
    const struct conf_node *node = t_api_yaml(
        &t, "{id: \"${later}\", meta: {a: \"${later}\"}, lines: [{sku: \"${later}\"}], numbers: "
            "\"${later}\", took: \"${later}\", extra: {\"@type\": shop.Item, sku: \"${later}\"}}");
    int r = apitest_build(node, desc, &scope, &t.arena, &t.diags, &msg, &constant);
    t_check(r == 0, "%s", t_api_diags(&t));
    assert_null(msg);
    assert_false(constant);
    node = t_api_yaml(&t, "{id: \"${later}\", big: x}");
    assert_int_equal(apitest_build(node, desc, &scope, &t.arena, &t.diags, &msg, &constant),
                     ERR_INVALID);
    t_same(t_api_diags(&t), "1:23: field big: \"x\" is no int64", "checking");
    apitest_scope_done(&scope);
}

static void test_files(void **state)
{
    (void) state;
    char path[] = "/tmp/test_build_XXXXXX", yaml[64];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a\0\xff", 3), 3);
    assert_int_equal(close(fd), 0);
    (void) snprintf(yaml, sizeof yaml, "data: {$file: %s}", path);
    const struct row bytes = {yaml, "{\"data\":\"YQD/\"}"};
    run("shop.Order", &bytes);
    char text[64];
    (void) snprintf(text, sizeof text, "id: {$file: %s}", path);
    const struct row bad = {text, "1:13: field id: a string has to be UTF-8"};
    run("shop.Order", &bad);
    assert_int_equal(unlink(path), 0);
}

static void test_json_of_free_yaml(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {"{a: 1, b: [x, '1', true, null, ~], c: 0x10, d: 1.50, e: -0.5, f: no}",
         "{\"a\":1,\"b\":[\"x\",\"1\",true,null,null],\"c\":16,\"d\":1.50,\"e\":-0.5,\"f\":"
         "\"no\"}"},
        {"{}", "{}"},
        {"[]", "[]"},
        {"text", "\"text\""},
        {"${n}", "3"},
        {"\"${n}\"", "\"3\""},
        {"n${n}", "\"n3\""},
        {"${item}", "{\"sku\":\"A\",\"quantity\":3}"},
        {"\"${item}\"", "\"{\\\"sku\\\":\\\"A\\\",\\\"quantity\\\":3}\""},
        {"{\"${sku}\": 1}", "{\"A-100\":1}"},
        {"{$$ref: x}", "{\"$ref\":\"x\"}"},
        {"{$ref: x}", "1:2: no operator \"$ref\" in JSON: a key that begins with $ is written with "
                      "two, \"$$ref\""},
        {"{a: {$json: '[1, 2]'}}", "{\"a\":[1, 2]}"},
        {"{a: {$json: '[1, 2'}}",
         "1:13: $json: the text ends too early (line 1, column 6 of the JSON)"},
        {"{a: {$repeatText: {text: x, times: 3}}}", "{\"a\":\"xxx\"}"},
        {"a: ${nope}\nb: ${nope2}",
         "1:4: unknown variable \"nope\": neither in vars nor saved by a case before\n"
         "2:4: unknown variable \"nope2\": neither in vars nor saved by a case before"},
    };
    T_TABLE(row, rows)
    {
        t_api_again(&t);
        struct buf b;
        buf_init(&b, 1 << 20);
        int r = apitest_build_json(t_api_yaml(&t, row->yaml), &t.scope, &t.arena, &t.diags, &b);
        t_same(r < 0 ? t_api_diags(&t) : b.ptr, row->wanted, row->yaml);
        buf_done(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_proto2),
        cmocka_unit_test(test_all_mistakes_are_told_at_once),
        cmocka_unit_test(test_now_moves),
        cmocka_unit_test(test_checking_without_values),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_json_of_free_yaml),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
