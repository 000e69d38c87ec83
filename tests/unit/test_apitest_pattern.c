/* Expectations against messages: whole differences, and mistakes that are told before any call. */
#include "support/apitest.h"

#include "apitest/value.h"

struct row {
    const char *yaml, *json, *wanted; /* wanted: all differences, "" when it matches */
};

static struct t_api t;

static int setup(void **state)
{
    (void) state;
    t_api_init(&t, false);
    t_api_set(&t, "sku", "A-100");
    t_api_set(&t, "n", "3");
    t_api_set(&t, "big", "9007199254740993");
    t_api_set(&t, "item", "{\"sku\": \"A\", \"quantity\": 3}");
    t_api_set(&t, "tags", "[\"x\",\"y\"]");
    t_api_set(&t, "at", "2026-01-01T00:00:00Z");
    t_api_set(&t, "span", "1.500s");
    t_api_set(&t, "state", "PAID");
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

static const struct row scalars_are_equal_by_type_rows[] = {
    {"id: a", "{\"id\":\"a\"}", ""},
    {"id: 007", "{\"id\":\"007\"}", ""},
    {"id: NO", "{\"id\":\"NO\"}", ""},
    {"id: 1.20", "{\"id\":\"1.20\"}", ""},
    {"id: a", "{\"id\":\"b\"}", "r.id@1:5: expected a, got b"},
    {"id: abc", "{\"id\":\"ABC\"}",
     "r.id@1:5: expected abc, got ABC (only capital letters differ)"},
    {"id: abc", "{\"id\":\"abc \"}",
     "r.id@1:5: expected abc, got \"abc \" (only the blanks at the ends differ)"},
    {"id: '5'", "{}", "r.id@1:5: expected \"5\", got \"\""},
    {"state: PAID", "{\"state\":\"PAID\"}", ""},
    {"state: 2", "{\"state\":\"PAID\"}", ""},
    {"state: PAID", "{\"state\":\"PENDING\"}", "r.state@1:8: expected PAID, got PENDING"},
    {"state: PAID", "{\"state\":7}", "r.state@1:8: expected PAID, got 7"},
    {"state: UNSPECIFIED", "{}", ""},
    {"big: 9007199254740993", "{\"big\":\"9007199254740993\"}", ""},
    {"big: 9007199254740993", "{\"big\":\"9007199254740992\"}",
     "r.big@1:6: expected 9007199254740993, got 9007199254740992 (the same as a double: did it "
     "go through a float64 (JavaScript, JSON)?)"},
    {"big: 4294967301", "{\"big\":\"5\"}",
     "r.big@1:6: expected 4294967301, got 5 (the low 32 bits of the expected one: did you mean "
     "int64 where this is made?)"},
    {"big: -9223372036854775808", "{\"big\":\"-9223372036854775808\"}", ""},
    {"ubig: 18446744073709551615", "{\"ubig\":\"18446744073709551615\"}", ""},
    {"ubig: 1", "{\"ubig\":\"18446744073709551615\"}",
     "r.ubig@1:7: expected 1, got 18446744073709551615"},
    {"ratio: 0.1", "{\"ratio\":0.1}", ""},
    {"ratio: .nan", "{\"ratio\":\"NaN\"}", ""},
    {"ratio: .inf", "{\"ratio\":\"-Infinity\"}", "r.ratio@1:8: expected .inf, got -.inf"},
    {"total: 0.1", "{\"total\":0.1}", ""},
    {"total: 0.1", "{\"total\":0.10000000149011612}",
     "r.total@1:8: expected 0.1, got 0.10000000149011612"},
    {"data: YWJj", "{\"data\":\"YWJj\"}", ""},
    {"data: {$hex: 61 62 63}", "{\"data\":\"YWJj\"}", ""},
    {"data: {$utf8: abc}", "{\"data\":\"YWJj\"}", ""},
    {"data: {$utf8: abd}", "{\"data\":\"YWJj\"}", "r.data@1:15: expected $utf8: abd, got YWJj"},
    {"ok: false", "{}", ""},
    {"ok: true", "{}", "r.ok@1:5: expected true, got false"},
    {"id: ${sku}", "{\"id\":\"A-100\"}", ""},
    {"id: x-${sku}", "{\"id\":\"x-A-100\"}", ""},
    {"id: ${sku}", "{\"id\":\"B\"}", "r.id@1:5: expected A-100 (${sku}), got B"},
    {"big: ${big}", "{\"big\":\"9007199254740993\"}", ""},
    {"big: \"${big}\"", "{\"big\":\"9007199254740993\"}", ""},
    {"big: ${sku}", "{}", "1:6: field big: \"A-100\" is no int64"},
    {"id: $${sku}", "{\"id\":\"${sku}\"}", ""},
};

static void test_scalars_are_equal_by_type(void **state)
{
    (void) state;
    T_TABLE(row, scalars_are_equal_by_type_rows)
    {
        run_row("shop.Order", row);
    }
}

static void test_presence(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {"coupon: null", "{}", ""},
        {"coupon: null", "{\"coupon\":\"\"}", "r.coupon@1:9: expected absent (null), got \"\""},
        {"coupon: ''", "{}",
         "r.coupon@1:9: expected \"\", got absent (not set, which is not the same as its default: "
         "null expects that)"},
        {"coupon: ''", "{\"coupon\":\"\"}", ""},
        {"opt: 0", "{}",
         "r.opt@1:6: expected 0, got absent (not set, which is not the same as its default: null "
         "expects that)"},
        {"opt: 1", "{}", "r.opt@1:6: expected 1, got absent"},
        {"opt: {$absent: true}", "{\"opt\":0}", "r.opt@1:16: expected $absent: true, got 0"},
        {"opt: {$absent: false}", "{}", "r.opt@1:16: expected $absent: false, got absent"},
        {"opt: {$present: true}", "{\"opt\":0}", ""},
        {"big: null", "{}", ""},
        {"big: null", "{\"big\":5}", "r.big@1:6: expected absent (null), got 5"},
        {"big: {$present: true}", "{}",
         "r.big@1:17: expected $present: true, got 0 (at its default, which is not sent: the field "
         "has no presence)"},
        {"lines: null", "{}", ""},
        {"lines: []", "{}", ""},
        {"lines: null", "{\"lines\":[{}]}", "r.lines@1:8: expected absent (null), got [{}]"},
        {"parent: null", "{}", ""},
        {"parent: {}", "{\"parent\":{}}", ""},
        {"parent: {}", "{}", "r.parent@1:9: expected {}, got absent (the message is not set)"},
        {"parent: {id: a}", "{}",
         "r.parent@1:9: expected {id: a}, got absent (the message is not set)"},
        {"parent: {parent: null}", "{\"parent\":{}}", ""},
        {"cash: false", "{\"cash\":false}", ""},
        {"cash: false", "{\"voucher\":\"x\"}",
         "r.cash@1:7: expected false, got absent (not set, which is not the same as its default: "
         "null expects that)"},
        {"$oneof: card", "{\"card\":{}}", ""},
        {"$oneof: card", "{\"voucher\":\"x\"}",
         "r@1:9: expected $oneof: card, got voucher (of oneof payment)"},
        {"{$oneof: cash, id: a}", "{\"id\":\"a\"}",
         "r@1:10: expected $oneof: cash, got none (of oneof payment)"},
        {"nothing: {}", "{\"nothing\":{}}", ""},
    };
    T_TABLE(row, rows)
    {
        run_row("shop.Order", row);
    }
}

static const struct row operators_rows[] = {
    {"id: {$regex: '^ord_[0-9a-z]{3}$'}", "{\"id\":\"ord_a1b\"}", ""},
    {"id: {$regex: '^ord_[0-9a-z]{3}$'}", "{\"id\":\"ord_A\"}",
     "r.id@1:14: expected $regex: \"^ord_[0-9a-z]{3}$\", got ord_A"},
    {"id: {$regex: \"^${sku}$\"}", "{\"id\":\"A-100\"}", ""},
    {"id: {$startsWith: ab, $endsWith: yz, $len: 5}", "{\"id\":\"abxyz\"}", ""},
    {"id: {$startsWith: b, $endsWith: y, $len: {$lt: 5}}", "{\"id\":\"abxyz\"}",
     "r.id@1:19: expected $startsWith: b, got abxyz\n"
     "r.id@1:33: expected $endsWith: y, got abxyz\n"
     "r.id@1:42: expected $len: {$lt: 5}, got length 5"},
    {"id: {$len: 2}", "{\"id\":\"\xc3\xa4\xe2\x82\xac\"}", ""},
    {"data: {$len: 3}", "{\"data\":\"YWJj\"}", ""},
    {"data: {$contains: YmM=}", "{\"data\":\"YWJj\"}", ""},
    {"lines: {$len: {$gte: 1}}", "{}", "r.lines@1:15: expected $len: {$gte: 1}, got length 0"},
    {"labels: {$len: 2}", "{\"labels\":{\"a\":\"1\",\"b\":\"2\"}}", ""},
    {"id: {$contains: bx}", "{\"id\":\"abxyz\"}", ""},
    {"id: {$ne: a}", "{\"id\":\"a\"}", "r.id@1:11: expected $ne: a, got a"},
    {"id: {$not: {$startsWith: a}}", "{\"id\":\"b\"}", ""},
    {"state: ${state}", "{\"state\":\"PAID\"}", ""},
    {"state: {$in: [\"${state}\"]}", "{\"state\":\"PAID\"}", ""},
    {"{id: {$eq: a}, ok: {$ne: true}}", "{\"id\":\"a\"}", ""},
    {"parent: {$ne: {id: a}}", "{\"parent\":{\"id\":\"a\"}}",
     "r.parent@1:15: expected $ne: {id: a}, got {id: a}"},
    {"parent: {$eq: {id: a}, $present: true}", "{\"parent\":{\"id\":\"a\",\"big\":1}}", ""},
    {"state: {$in: [PAID, PENDING]}", "{\"state\":\"PAID\"}", ""},
    {"state: {$in: [PAID, 1]}", "{}",
     "r.state@1:14: expected $in: [PAID, 1], got UNSPECIFIED (none of 2 matches)"},
    {"state: {$gte: PENDING}", "{\"state\":\"PAID\"}", ""},
    {"state: {$gt: PAID}", "{\"state\":\"PAID\"}", "r.state@1:14: expected $gt: PAID, got PAID"},
    {"big: {$gt: 9007199254740992, $lt: 9007199254740994}", "{\"big\":\"9007199254740993\"}", ""},
    {"ubig: {$gt: 9223372036854775808}", "{\"ubig\":\"18446744073709551615\"}", ""},
    {"ratio: {$lt: 0.1}", "{\"ratio\":0.1}", "r.ratio@1:14: expected $lt: 0.1, got 0.1"},
    {"ratio: {$gt: 1}", "{\"ratio\":\"NaN\"}", "r.ratio@1:14: expected $gt: 1, got .nan"},
    {"total: {$approx: {value: 0.3, tol: 0.1}}", "{\"total\":0.4}", ""},
    {"total: {$approx: {value: 0.3, tol: 0.05}}", "{\"total\":0.4}",
     "r.total@1:18: expected $approx: {value: 0.3, tol: 0.05}, got 0.4"},
    {"big: {$approx: {value: 9007199254740993, tol: 1}}", "{\"big\":\"9007199254740995\"}",
     "r.big@1:16: expected $approx: {value: 9007199254740993, tol: 1}, got 9007199254740995"},
    {"id: {$any: [{$startsWith: a}, {$endsWith: z}]}", "{\"id\":\"xyz\"}", ""},
    {"id: {$all: [{$startsWith: a}, {$endsWith: z}]}", "{\"id\":\"xyz\"}",
     "r.id@1:27: expected $startsWith: a, got xyz"},
    {"id: {$json: {a: 1, b: [x]}}", "{\"id\":\"{\\\"b\\\":[\\\"x\\\"],\\\"a\\\":1.0}\"}", ""},
    {"id: {$json: {a: 1}}", "{\"id\":\"{\"}",
     "r.id@1:13: expected $json: {a: 1}, got \"{\" (no JSON: the text ends too early (line 1, "
     "column 2 of the JSON))"},
    {"id: {$within: {of: '2026-01-01T00:00:00Z', by: 1s}}",
     "{\"id\":\"2026-01-01T00:00:01+00:00\"}", ""},
    {"$exact: {id: a}", "{\"id\":\"a\"}", ""},
    {"$exact: {id: a, card: {units: 1}}",
     "{\"id\":\"a\",\"big\":1,\"card\":{\"units\":1,\"currencyCode\":\"EUR\"}}",
     "r.card.currency_code@1:23: expected absent, got EUR (set, but not listed in $exact)\n"
     "r.big@1:9: expected absent, got 1 (set, but not listed in $exact)"},
    {"$exact: {card: {$all: [{units: 1}]}}", "{\"card\":{\"units\":1,\"currencyCode\":\"EUR\"}}",
     ""},
    {"labels: {$exact: {a: '1'}}", "{\"labels\":{\"a\":\"1\",\"b\":\"2\"}}",
     "r.labels.b@1:18: expected absent, got \"2\" (there, but not listed in $exact)"},
    {"card: ${item}", "{}", "r.card@1:7: expected ${item}, got absent"},
};

static void test_operators(void **state)
{
    (void) state;
    T_TABLE(row, operators_rows)
    {
        run_row("shop.Order", row);
    }
}

static const struct row well_known_types_rows[] = {
    {"created_at: 2026-01-01T00:00:00Z", "{\"createdAt\":\"2026-01-01T00:00:00.000Z\"}", ""},
    {"created_at: 2026-01-01T01:00:00+01:00", "{\"createdAt\":\"2026-01-01T00:00:00Z\"}", ""},
    {"createdAt: 2026-01-01T00:00:00Z", "{\"createdAt\":\"2026-01-01T00:00:00.5Z\"}",
     "r.created_at@1:12: expected 2026-01-01T00:00:00Z, got 2026-01-01T00:00:00.500Z"},
    {"created_at: {$gt: 2025-12-31T23:59:59Z, $lte: 2026-01-01T00:00:00Z}",
     "{\"createdAt\":\"2026-01-01T00:00:00Z\"}", ""},
    {"created_at: {$within: {of: now, by: 5s}}", "{\"createdAt\":\"2025-12-31T23:59:55Z\"}", ""},
    {"created_at: {$within: {of: now, by: 5s}}", "{\"createdAt\":\"2025-12-31T23:59:54.5Z\"}",
     "r.created_at@1:23: expected $within: {of: now, by: 5s}, got 2025-12-31T23:59:54.500Z "
     "(5.500s earlier)"},
    {"created_at: {$within: {of: now-1m, by: 500ms}}", "{\"createdAt\":\"2025-12-31T23:59:00.5Z\"}",
     ""},
    {"created_at: {$within: {of: \"${at}\", by: \"${span}\"}}",
     "{\"createdAt\":\"2026-01-01T00:00:01.5Z\"}", ""},
    {"created_at: {$gte: \"${at}\"}", "{\"createdAt\":\"2025-12-31T23:59:59Z\"}",
     "r.created_at@1:20: expected $gte: \"2026-01-01T00:00:00Z\" (\"${at}\"), got "
     "2025-12-31T23:59:59Z"},
    {"created_at: ${at}", "{\"createdAt\":\"2025-12-31T23:59:59Z\"}",
     "r.created_at@1:13: expected \"2026-01-01T00:00:00Z\" (${at}), got 2025-12-31T23:59:59Z"},
    {"took: ${span}", "{\"took\":\"1.5s\"}", ""},
    {"created_at: {$lt: now}", "{\"createdAt\":\"2025-12-31T23:59:59.999999999Z\"}", ""},
    {"created_at: {seconds: 1767225600}", "{\"createdAt\":\"2026-01-01T00:00:00Z\"}", ""},
    {"created_at: {$present: true}", "{}",
     "r.created_at@1:24: expected $present: true, got absent"},
    {"took: 1.5s", "{\"took\":\"1.500s\"}", ""},
    {"took: 1500ms", "{\"took\":\"1.500s\"}", ""},
    {"took: {$lt: 1s}", "{\"took\":\"-0.5s\"}", ""},
    {"took: {$gt: -0.4s}", "{\"took\":\"-0.5s\"}", "r.took@1:13: expected $gt: -0.4s, got -0.500s"},
    {"took: {$within: {of: 1s, by: 100ms}}", "{\"took\":\"0.9s\"}", ""},
    {"count: 3", "{\"count\":3}", ""},
    {"count: {$gt: 2}", "{\"count\":3}", ""},
    {"count: 0", "{\"count\":0}", ""},
    {"count: 0", "{}", "r.count@1:8: expected 0, got absent"},
    {"count: {value: 3}", "{\"count\":3}", ""},
    {"count: null", "{\"count\":0}", "r.count@1:8: expected absent (null), got 0"},
    {"count: {$present: true}", "{\"count\":0}", ""},
    {"note: {$contains: b}", "{\"note\":\"abc\"}", ""},
    {"mask: 'a,fooBar'", "{\"mask\":\"a,fooBar\"}", ""},
    {"mask: {paths: [a, foo_bar]}", "{\"mask\":\"a,fooBar\"}", ""},
    {"meta: {a: 1, b: {c: [x, null, true]}}",
     "{\"meta\":{\"a\":1,\"b\":{\"c\":[\"x\",null,true]},\"d\":0}}", ""},
    {"meta: {a: '1'}", "{\"meta\":{\"a\":1}}",
     "r.meta.a@1:11: expected \"1\", got 1 (a number, not a string (in YAML: without quotes))"},
    {"meta: {ab: 1}", "{\"meta\":{\"abc\":1}}",
     "r.meta.ab@1:12: expected 1, got absent (there is a key \"abc\")"},
    {"meta: {a: {$type: string, $absent: false}}", "{\"meta\":{\"a\":\"x\"}}", ""},
    {"free: x", "{\"free\":\"x\"}", ""},
    {"free: null", "{\"free\":null}", ""},
    {"free: null", "{}", ""},
    {"free: {$absent: true}", "{\"free\":null}", "r.free@1:17: expected $absent: true, got null"},
    {"list: [1, {$gt: 1}]", "{\"list\":[1,2]}", ""},
    {"values: [1, x]", "{\"values\":[1,\"x\"]}", ""},
    {"meta: {a: \"${n}\", b: \"${n}\"}", "{\"meta\":{\"a\":3,\"b\":\"3\"}}", ""},
};

static void test_well_known_types(void **state)
{
    (void) state;
    T_TABLE(row, well_known_types_rows)
    {
        run_row("shop.Order", row);
    }
}

static void test_any(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {"extra: {\"@type\": shop.Money, units: 5}",
         "{\"extra\":{\"@type\":\"type.googleapis.com/shop.Money\",\"units\":\"5\"}}", ""},
        {"extra: {\"@type\": type.googleapis.com/shop.Money}",
         "{\"extra\":{\"@type\":\"x.example/shop.Money\",\"units\":\"5\"}}", ""},
        {"extra: {\"@type\": shop.Money, units: 6}",
         "{\"extra\":{\"@type\":\"type.googleapis.com/shop.Money\",\"units\":\"5\"}}",
         "r.extra.units@1:37: expected 6, got 5"},
        {"extra: {\"@type\": shop.Item}",
         "{\"extra\":{\"@type\":\"type.googleapis.com/shop.Money\",\"units\":\"5\"}}",
         "r.extra@1:8: expected \"@type\": shop.Item, got {\"@type\": shop.Money, units: 5} "
         "(another "
         "type)"},
        {"extra: {\"@type\": shop.Item}", "{\"extra\":{}}",
         "r.extra@1:8: expected \"@type\": shop.Item, got {} (the Any is empty)"},
        {"extra: {\"@type\": google.protobuf.Duration, value: {$lt: 2s}}",
         "{\"extra\":{\"@type\":\"type.googleapis.com/"
         "google.protobuf.Duration\",\"value\":\"1s\"}}",
         ""},
        {"details: {$contains: [{\"@type\": shop.Item, sku: b}]}",
         "{\"details\":[{\"@type\":\"type.googleapis.com/shop.Money\"},"
         "{\"@type\":\"type.googleapis.com/shop.Item\",\"sku\":\"a\"}]}",
         "r.details@1:23: expected {\"@type\": shop.Item, sku: b}, got [{\"@type\": shop.Money}, "
         "{\"@type\": shop.Item, sku: a}] (did not match any of 2 elements; nearest is [0]: "
         "expected \"@type\": shop.Item, got {\"@type\": shop.Money})"},
        {"extra: {\"@type\": google.rpc.BadRequest, field_violations: [{field: q}]}",
         "{\"extra\":{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\",\"fieldViolations\":"
         "[{\"field\":\"q\",\"description\":\"x\"}]}}",
         ""},
        {"extra: {\"@type\": no.Such, units: 6}", "{}",
         "1:27: the type no.Such is not known, so its fields are not: only its bytes can be "
         "compared, as value: BASE64"},
        {"extra: {\"@type\": no.Such, value: CAE=}", "{\"extra\":{}}",
         "r.extra@1:8: expected \"@type\": no.Such, got {} (the Any is empty)"},
        {"extra: {type_url: {$endsWith: Money}}",
         "{\"extra\":{\"@type\":\"type.googleapis.com/shop.Money\"}}", ""},
    };
    T_TABLE(row, rows)
    {
        run_row("shop.Order", row);
    }
}

static const struct row lists_rows[] = {
    {"numbers: [1, 2]", "{\"numbers\":[1,2]}", ""},
    {"numbers: [1, 2]", "{\"numbers\":[1,3]}", "r.numbers[1]@1:14: expected 2, got 3"},
    {"numbers: [1, 2]", "{\"numbers\":[1]}",
     "r.numbers@1:10: expected 2 elements, got 1 element (missing: [1] 2)"},
    {"numbers: [1]", "{\"numbers\":[1,2,3]}",
     "r.numbers@1:10: expected 1 element, got 3 elements (more than expected: [1] 2)"},
    {"numbers: [1, 2, 3]", "{\"numbers\":[3,2,1]}",
     "r.numbers@1:10: expected [1, 2, 3], got [3, 2, 1] (the same elements in another order: "
     "$unordered would match)"},
    {"numbers: {$prefix: [1, 2]}", "{\"numbers\":[1,2,3]}", ""},
    {"numbers: {$prefix: [1, 2]}", "{\"numbers\":[1]}",
     "r.numbers@1:20: expected at least 2 elements, got 1 element (missing: [1] 2)"},
    {"numbers: {$each: {$gt: 1}}", "{\"numbers\":[2,1,0]}",
     "r.numbers[1]@1:24: expected $gt: 1, got 1\nr.numbers[2]@1:24: expected $gt: 1, got 0"},
    {"numbers: {$contains: [2, 3]}", "{\"numbers\":[1,2,3]}", ""},
    {"numbers: {$contains: 2}", "{\"numbers\":[1,2,3]}", ""},
    /* one element for one expectation */
    {"numbers: {$contains: [2, 2]}", "{\"numbers\":[1,2,3]}",
     "r.numbers@1:26: expected 2, got [1, 2, 3] ([1] matches, but it is the element of "
     "expectation 1: 2; every expectation needs its own)"},
    {"lines: {$contains: [{sku: A, quantity: 2}]}",
     "{\"lines\":[{\"sku\":\"B\"},{\"sku\":\"A\",\"quantity\":3}]}",
     "r.lines@1:21: expected {sku: A, quantity: 2}, got [{sku: B}, {sku: A, quantity: 3}] (did "
     "not match any of 2 elements; nearest is [1].quantity: expected 2, got 3)"},
    /* the greedy choice would be wrong: the first fits both */
    {"lines: {$unordered: [{quantity: {$gt: 0}}, {sku: A}]}",
     "{\"lines\":[{\"sku\":\"A\",\"quantity\":1},{\"sku\":\"B\",\"quantity\":2}]}", ""},
    {"numbers: {$unordered: [1, 2, {$gt: 0}]}", "{\"numbers\":[3,2,1]}", ""},
    {"numbers: {$unordered: [1, 2, 3]}", "{\"numbers\":[3,2,4]}",
     "r.numbers@1:24: expected 1, got [3, 2, 4] (did not match any of 3 elements; nearest is "
     "[2]: expected 1, got 4)\n"
     "r.numbers[2]@1:23: expected no more elements, got 4 (3 expectations for 3 elements, and "
     "none is left for this)"},
    {"numbers: {$unordered: [1]}", "{\"numbers\":[1,1]}",
     "r.numbers[1]@1:23: expected no more elements, got 1 (1 expectation for 2 elements, and "
     "none is left for this)"},
    {"history: [PAID, 1]", "{\"history\":[\"PAID\",\"PENDING\"]}", ""},
    {"tags: ${tags}", "{\"tags\":[\"x\",\"y\"]}", ""},
    {"tags: ${tags}", "{\"tags\":[\"y\"]}",
     "r.tags@1:7: expected [x, \"y\"], got [\"y\"] (the value of ${tags})"},
    {"lines: [\"${item}\"]", "{\"lines\":[{\"sku\":\"A\",\"quantity\":3}]}", ""},
    {"times: [{$lt: now}, 2026-01-01T00:00:00Z]",
     "{\"times\":[\"2025-01-01T00:00:00Z\",\"2026-01-01T00:00:00Z\"]}", ""},
};

static void test_lists(void **state)
{
    (void) state;
    T_TABLE(row, lists_rows)
    {
        run_row("shop.Order", row);
    }
}

static void test_maps(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {"labels: {a: '1'}", "{\"labels\":{\"b\":\"2\",\"a\":\"1\"}}", ""},
        {"labels: {a.b: x}", "{\"labels\":{\"a.b\":\"y\"}}",
         "r.labels[\"a.b\"]@1:15: expected x, got \"y\""},
        {"labels: {region: x}", "{\"labels\":{\"regoin\":\"x\"}}",
         "r.labels.region@1:18: expected x, got absent (there is a key \"regoin\")"},
        {"labels: {a: null}", "{\"labels\":{}}", ""},
        {"labels: {a: null}", "{\"labels\":{\"a\":\"\"}}",
         "r.labels.a@1:13: expected absent (null), got \"\""},
        {"labels: {a: {$absent: true}}", "{\"labels\":{\"a\":\"1\"}}",
         "r.labels.a@1:23: expected $absent: true, got \"1\""},
        {"labels: {a: {$absent: true}}", "{}", ""},
        {"labels: {\"${sku}\": x}", "{\"labels\":{\"A-100\":\"x\"}}", ""},
        {"labels: {$$a: x}", "{\"labels\":{\"$a\":\"x\"}}", ""},
        {"by_number: {1: {sku: A}, -2: {sku: B}}",
         "{\"byNumber\":{\"-2\":{\"sku\":\"B\"},\"1\":{\"sku\":\"A\"}}}", ""},
        {"by_number: {1: {sku: A}}", "{\"byNumber\":{\"1\":{\"sku\":\"B\"}}}",
         "r.by_number[\"1\"].sku@1:22: expected A, got B"},
        {"flags: {true: y, false: n}", "{\"flags\":{\"true\":\"y\",\"false\":\"n\"}}", ""},
        {"states: {a: PAID}", "{\"states\":{\"a\":\"PAID\"}}", ""},
        {"weights: {18446744073709551615: {$gt: 1}}",
         "{\"weights\":{\"18446744073709551615\":1.5}}", ""},
        {"labels: {$each: {$len: 1}}", "{\"labels\":{\"a\":\"1\",\"b\":\"22\"}}",
         "r.labels.b@1:24: expected $len: 1, got length 2"},
    };
    T_TABLE(row, rows)
    {
        run_row("shop.Order", row);
    }
}

static void test_proto2(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {"color: BLUE", "{\"id\":\"a\",\"size\":1}",
         "r.color@1:8: expected BLUE, got absent (not set, which is not the same as its default: "
         "null expects that)"},
        {"text: {$absent: true}", "{\"id\":\"a\",\"size\":1}", ""},
        {"box: {width: 1}", "{\"id\":\"a\",\"size\":1,\"box\":{\"width\":1}}", ""},
        {"\"[old.weight]\": 5", "{\"id\":\"a\",\"size\":1,\"[old.weight]\":6}",
         "r.[old.weight]@1:17: expected 5, got 6"},
        {"\"[old.label]\": {text: x}", "{\"id\":\"a\",\"size\":1,\"[old.label]\":{\"text\":\"x\"}}",
         ""},
        {"$exact: {id: a, size: 1}", "{\"id\":\"a\",\"size\":1,\"[old.names]\":[\"x\"]}",
         "r.[old.names]@1:9: expected absent, got [x] (set, but not listed in $exact)"},
        {"\"[old.wieght]\": 5", "{}", "1:1: no extension \"old.wieght\" of old.Thing"},
    };
    T_TABLE(row, rows)
    {
        run_row("old.Thing", row);
    }
}

static const struct row mistakes_are_told_when_compiling_rows[] = {
    {"quantitiy: 1", NULL, "1:1: no field \"quantitiy\" in shop.Item: did you mean \"quantity\"?"},
    {"zzzzzz: 1", NULL, "1:1: no field \"zzzzzz\" in shop.Item: it has sku, quantity, price"},
    {"quantity: 1.5", NULL, "1:11: field quantity: \"1.5\" is no int32: it has a fraction"},
    {"{quantity: x, sku: [a], price: 5}", NULL,
     "1:12: field quantity: \"x\" is no int32\n"
     "1:20: a list for a string: for one of several values write {$in: [..]}\n"
     "1:32: \"5\" for a message shop.Money: write a map of its fields, or null"},
    {"sku: {a: 1}", NULL, "1:6: a map for a string: write a value, or operators such as {$ne: ..}"},
    {"sku: {$regx: a}", NULL, "1:7: unknown operator \"$regx\": did you mean \"$regex\"?"},
    {"sku: {$zzzzzzzz: a}", NULL, "1:7: unknown operator \"$zzzzzzzz\""},
    {"sku: {$gt: a}", NULL,
     "1:7: $gt makes no sense for a string: there are $eq $ne $not $in $any $all $regex "
     "$startsWith $endsWith $contains $len $json $within $absent $present"},
    {"quantity: {$regex: a}", NULL,
     "1:12: $regex makes no sense for an int32: there are $eq $ne $not $gt $gte $lt $lte $in "
     "$any $all $approx $absent $present"},
    {"price: {$gt: 1}", NULL,
     "1:9: $gt makes no sense for a message shop.Money: there are $eq $ne $not $in $any $all "
     "$oneof $exact $unknown $absent $present"},
    {"sku: {$regex: 'a(b'}", NULL,
     "1:19: $regex: missing closing parenthesis (at character 4 of the pattern)"},
    {"sku: {$in: []}", NULL,
     "1:12: $in wants a list of at least one expectation, not an empty list"},
    {"sku: {$in: a}", NULL, "1:12: $in wants a list of at least one expectation, not text \"a\""},
    {"quantity: {$approx: {value: 1, tl: 2}}", NULL,
     "1:32: unknown key \"tl\" in $approx: did you mean \"tol\"?"},
    {"quantity: {$approx: {value: 1, tol: -2}}", NULL, "1:37: $approx: a tolerance is not below 0"},
    {"quantity: {$gt: 1, $lt: x}", NULL, "1:25: field quantity: \"x\" is no int32"},
    {"sku: {$within: {of: now, by: soon}}", NULL,
     "1:30: \"soon\" is no duration: write 250ms, 1.5s, 5m"},
    {"sku: {$within: {of: yesterday, by: 1s}}", NULL,
     "1:21: \"yesterday\" is no timestamp: write it as in 2006-01-02T15:04:05Z"},
    {"sku: {$absent: yes}", NULL, "1:16: $absent is true or false, not \"yes\""},
    {"$unknown: forbid", NULL, "1:11: $unknown is deny or allow, not \"forbid\""},
    {"$oneof: sku", NULL, "1:9: $oneof: \"sku\" is in no oneof of shop.Item: it has none"},
    {"sku: ${skuu}", NULL, "1:6: unknown variable \"skuu\": did you mean \"sku\"?"},
    {"sku: ${env.NO_SUCH_VARIABLE}", NULL,
     "1:6: the environment variable NO_SUCH_VARIABLE is not set"},
    {"{sku: a, \"sku\": b}", NULL, NULL},
    {"quantity: ${sku}", NULL, "1:11: field quantity: \"A-100\" is no int32"},
    {"quantity: yes", NULL, "1:11: field quantity: \"yes\" is no int32"},
};

static void test_mistakes_are_told_when_compiling(void **state)
{
    (void) state;
    T_TABLE(row, mistakes_are_told_when_compiling_rows)
    {
        if (row->wanted == NULL) {
            continue; /* the composer refuses the same key twice */
        }
        t_api_again(&t);
        struct apitest_type of = {.subject = APITEST_OF_MESSAGE,
                                  .desc = t_api_type(&t, "shop.Item")};
        t.scope.checking = true;
        struct apitest_pattern *p =
            apitest_pattern_compile(t_api_yaml(&t, row->yaml), of, &t.scope, &t.arena, &t.diags);
        t.scope.checking = false;
        t_same(t_api_diags(&t), row->wanted, row->yaml);
        assert_null(p);
    }
}

static void test_checks_are_counted_honestly(void **state)
{
    (void) state;
    static const struct {
        const char *yaml;
        size_t checks;
    } rows[] = {
        {"{}", 0},
        {"{id: a}", 1},
        {"{id: null}", 1},
        {"{id: {$gt: 1}}", SIZE_MAX},
        {"{id: {$startsWith: a, $len: 3}}", 2},
        {"{parent: {}}", 1},
        {"{parent: {id: a, big: 1}}", 2},
        {"{lines: [{}, {}]}", 1},
        {"{lines: [{sku: a}]}", 2},
        {"{lines: []}", 1},
        {"{lines: {$each: {}}}", 0},
        {"{lines: {$contains: []}}", 0},
        {"{lines: {$prefix: []}}", 0},
        {"{$unknown: allow}", 0},
        {"{$unknown: deny}", 1},
        {"{$exact: {}}", 1},
        {"{$any: [{id: a}, {}]}", 0},
        {"{$all: [{id: a}, {}]}", 1},
        {"{labels: {}}", 1},
        {"{extra: {\"@type\": shop.Item}}", 1},
        {"{extra: {\"@type\": shop.Item, sku: a}}", 2},
    };
    T_TABLE(row, rows)
    {
        t_api_again(&t);
        struct apitest_type of = {.subject = APITEST_OF_MESSAGE,
                                  .desc = t_api_type(&t, "shop.Order")};
        struct apitest_pattern *p =
            apitest_pattern_compile(t_api_yaml(&t, row->yaml), of, &t.scope, &t.arena, &t.diags);
        size_t checks = p == NULL ? SIZE_MAX : apitest_pattern_checks(p);
        t_check(checks == row->checks, "%s: %zu", row->yaml, checks);
    }
}

static void test_unknown_fields_are_told(void **state)
{
    (void) state;
    /* 1: "a"; 99: varint 300; 100: bytes "hi"; lines { 50: fixed32 1; } */
    static const char bytes[] = "\x0a\x01"
                                "a\x98\x06\xac\x02\xa2\x06\x02hi\x2a\x06\x95\x03\x01\x00\x00\x00";
    struct err err = {0};
    struct proto_msg *msg = proto_msg_new(&t.arena, t_api_type(&t, "shop.Order"));
    t_check(proto_wire_read((struct str){bytes, sizeof bytes - 1}, msg, 0, &err) == 0, "%s",
            err.msg);
    struct apitest_type of = {.subject = APITEST_OF_MESSAGE, .desc = msg->desc};
    t_api_again(&t);
    struct apitest_pattern *p = apitest_pattern_compile(t_api_yaml(&t, "{id: a, $unknown: deny}"),
                                                        of, &t.scope, &t.arena, &t.diags);
    assert_non_null(p);
    struct apitest_value value = {.kind = APITEST_MESSAGE, .proto = {.msg = msg}};
    assert_false(apitest_match(p, &value, "r", &t.scope, &t.diffs));
    t_same(t_api_diffs(&t),
           "r@1:19: expected no unknown fields ($unknown: deny), got field 99 (varint) 300, field "
           "100 (bytes) hi (not in shop.Order: the other side knows another schema)\n"
           "r.lines[0]@1:19: expected no unknown fields ($unknown: deny), got field 50 (32 bits) 1 "
           "(not in shop.Item: the other side knows another schema)",
           "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars_are_equal_by_type),
        cmocka_unit_test(test_presence),
        cmocka_unit_test(test_operators),
        cmocka_unit_test(test_well_known_types),
        cmocka_unit_test(test_any),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_maps),
        cmocka_unit_test(test_proto2),
        cmocka_unit_test(test_mistakes_are_told_when_compiling),
        cmocka_unit_test(test_checks_are_counted_honestly),
        cmocka_unit_test(test_unknown_fields_are_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
