/* The JSON form of messages: read, and written again. */
#include "support/t.h"

#include "base/arena.h"
#include "base/buf.h"
#include "proto/json.h"
#include "proto/wire.h"
#include "support/shop.h"

static struct proto_pool *pool;

static int setup(void **state)
{
    (void) state;
    struct err err = {0};
    pool = shop_pool(&err);
    if (pool == NULL) {
        print_error("%u:%u: %s\n", err.pos.line, err.pos.col, err.msg);
    }
    return pool == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void) state;
    proto_pool_free(pool);
    return 0;
}

/* What a text of this type is as our own, or "line:col: message" when it is refused. */
static void convert(const char *type, struct str text, unsigned flags, struct buf *ret)
{
    struct arena arena;
    struct err err = {0};
    arena_init(&arena, 1 << 20);
    struct proto_msg *msg = proto_msg_new(&arena, proto_pool_message(pool, str_of(type)));
    int rc = proto_json_read(text, msg, flags, &err);
    if (rc == 0) {
        rc = proto_json_write(msg, flags, ret, &err);
        t_check(rc == 0, "read, but not written: %s", err.msg);
    } else {
        assert_int_equal(rc, err.code);
        assert_non_null(err.pos.file);
        buf_addf(ret, "%u:%u: %s", err.pos.line, err.pos.col, err.msg);
    }
    arena_done(&arena);
}

struct row {
    const char *text, *want; /* NULL: the same as text */
};

static void check_flags(const char *type, const struct row *rows, size_t n, unsigned flags)
{
    for (size_t i = 0; i < n; i++) {
        struct buf got;
        const char *want = rows[i].want != NULL ? rows[i].want : rows[i].text;
        buf_init(&got, 1 << 20);
        convert(type, str_of(rows[i].text), flags, &got);
        t_check(strcmp(got.ptr, want) == 0, "%s\n gives %s\n not   %s", rows[i].text, got.ptr,
                want);
        buf_done(&got);
    }
}

static void check(const char *type, const struct row *rows, size_t n)
{
    check_flags(type, rows, n, 0);
}

static void test_scalars(void **state)
{
    (void) state;
    const struct row rows[] = {
        {"{}", NULL},
        {"{\"id\":\"9007199254740993\",\"bigCount\":\"18446744073709551615\"}", NULL},
        {"{\"id\":9223372036854775807}", "{\"id\":\"9223372036854775807\"}"},
        {"{\"id\":-9223372036854775808}", "{\"id\":\"-9223372036854775808\"}"},
        {"{\"quantity\":\"1e5\"}", "{\"quantity\":100000}"},
        {"{\"quantity\":1.0}", "{\"quantity\":1}"},
        {"{\"price\":0.1,\"weight\":0.1}", NULL},
        {"{\"price\":\"NaN\",\"weight\":\"-Infinity\"}", NULL},
        {"{\"price\":-0.0}", NULL},
        {"{\"price\":\"1.5\"}", "{\"price\":1.5}"},
        {"{\"gift\":true,\"name\":\"a\\u00e4\\ud83d\\ude00\\u0000b\"}",
         "{\"gift\":true,\"name\":\"aä\U0001f600\\u0000b\"}"},
        {"{\"photo\":\"-_8\"}", "{\"photo\":\"+/8=\"}"},
        {"{\"state\":2,\"states\":[\"PAID\",1,77]}",
         "{\"state\":\"PAID\",\"states\":[\"PAID\",\"PENDING\",77]}"},
        /* What is the default is not set. */
        {"{\"id\":0,\"price\":0,\"name\":\"\",\"gift\":false,\"state\":\"UNKNOWN\",\"photo\":\"\"}",
         "{}"},
        {"{\"note\":\"\"}", NULL},
        {" {\n\t\"quantity\" : 1 }\r\n", "{\"quantity\":1}"},
    };
    check("shop.Order", rows, T_LEN(rows));
}

static void test_wrong_values_are_told_with_their_place(void **state)
{
    (void) state;
    const struct row rows[] = {
        {"{\"quantity\": 1.5}", "1:14: shop.Order.quantity: 1.5 is no int32: it has a fraction"},
        {"{\n  \"id\":\n    9223372036854775808}",
         "3:5: shop.Order.id: 9223372036854775808 is out of range of int64: -9223372036854775808 "
         "to 9223372036854775807"},
        {"{\"quantity\": \"\"}", "1:14: shop.Order.quantity: \"\" is no int32: write 0"},
        {"{\"gift\": \"true\"}",
         "1:10: shop.Order.gift: \"true\" is no bool: write true without quotes"},
        {"{\"name\": 12}", "1:10: shop.Order.name: 12 is no string: write it in quotes"},
        {"{\"name\": {}}", "1:10: shop.Order.name: an object where a value of type string belongs"},
        {"{\"quantity\": [1]}",
         "1:14: shop.Order.quantity: a list where a value of type int32 belongs"},
        {"{\"numbers\": 1}",
         "1:13: shop.Order.numbers: a number where a list belongs: write it in [ ]"},
        {"{\"line\": 1}", "1:10: a number where a message shop.Line belongs: write it in { }"},
        {"{\"lines\": {}}",
         "1:11: shop.Order.lines: an object where a list belongs: write it in [ ]"},
        {"{\"stock\": []}", "1:11: shop.Order.stock: a list where a map belongs: write it in { }"},
        {"{\"state\": \"PIAD\"}", "1:11: shop.Order.state: no value \"PIAD\" in enum shop.State: "
                                  "did you mean \"PAID\"?"},
        {"{\"photo\": \"a\"}", "1:11: shop.Order.photo: \"a\" is no base64: 1 characters are one "
                               "too many or too few: the last group has 2, 3 or 4"},
        {"{\"name\": \"\\ud83d\"}", "1:10: half of a surrogate pair: \\ud800 to \\udbff and "
                                    "\\udc00 to \\udfff stand for a character together only"},
        {"{\"weight\": 3.5e38}", "1:12: shop.Order.weight: 3.5e38 is out of range of float: at "
                                 "most 3.4028235e38 in size"},
        /* The text itself. */
        {"", "1:1: the text ends too early"},
        {"null", "1:1: null where a message shop.Order belongs: write it in { }"},
        {"{} x", "1:4: more text after the value"},
        {"{\"id\": 1,}", "1:10: expected a key in quotes"},
        {"{\"id\": 01}", "1:8: malformed number"},
        {"{\"price\": NaN}", "1:11: expected a value"},
        {"{\"name\": 'a'}", "1:10: expected a value"},
        {"{\"numbers\": [1, 2", "1:18: the text ends too early"},
        {"{\"name\": \"\xff\"}", "1:11: invalid UTF-8"},
    };
    check("shop.Order", rows, T_LEN(rows));
}

static void test_fields_go_by_both_names(void **state)
{
    (void) state;
    const struct row rows[] = {
        {"{\"big_count\":1}", "{\"bigCount\":\"1\"}"},
        {"{\"@other\":\"a\"}", NULL},
        {"{\"other\":\"a\"}", "{\"@other\":\"a\"}"},
        {"{\"\\u0069d\":1}", "{\"id\":\"1\"}"},
        {"{\"quantity\":1,\"quantity\":1}",
         "1:15: shop.Order.quantity is there twice (\"quantity\" and \"quantity\" are one)"},
        {"{\"bigCount\":1,\"big_count\":1}",
         "1:15: shop.Order.big_count is there twice (\"big_count\" and \"bigCount\" are one)"},
        {"{\"id\":null,\"id\":1}",
         "1:12: shop.Order.id is there twice (\"id\" and \"id\" are one)"},
        {"{\"quantitty\":1}",
         "1:2: no field \"quantitty\" in shop.Order: did you mean \"quantity\"?"},
        {"{\"line\":{\"SKU_NAME\":1}}",
         "1:10: no field \"SKU_NAME\" in shop.Line: it has sku, quantity, inner"},
        {"{\"[old.weight]\":1}", "1:2: no extension \"[old.weight]\" of shop.Order"},
    };
    check("shop.Order", rows, T_LEN(rows));
    const struct row unknown[] = {
        {"{\"wrong\":{\"a\":[1,{}]},\"quantity\":1}", "{\"quantity\":1}"},
        {"{\"state\":\"NEW\",\"states\":[\"NEW\",\"PAID\"],\"flags\":{\"true\":\"NEW\"}}",
         "{\"states\":[\"PAID\"]}"},
        {"{\"state\":\"\\u004eEW\",\"states\":[\"\\u0050AID\"]}", "{\"states\":[\"PAID\"]}"},
        {"{\"wrong\":[}", "1:11: expected a value"},
    };
    check_flags("shop.Order", unknown, T_LEN(unknown), PROTO_JSON_IGNORE_UNKNOWN);
}

static void test_null_is_unset_and_nothing_else(void **state)
{
    (void) state;
    const struct row rows[] = {
        {"{\"id\":null,\"line\":null,\"lines\":null,\"stock\":null,\"any\":null,\"note\":null,"
         "\"int64Value\":null,\"createdAt\":null,\"struct\":null}",
         "{}"},
        {"{\"value\":null}", NULL},
        {"{\"nothing\":null}", NULL},
        {"{\"nothing\":\"NULL_VALUE\"}", "{\"nothing\":null}"},
        {"{\"valueList\":[null,1]}", NULL},
        {"{\"valueList\":null}", "{}"},
        {"{\"values\":{\"1\":null}}", NULL},
        {"{\"numbers\":[1,null]}",
         "1:15: shop.Order.numbers: null is no item of a list: leave it out"},
        {"{\"lines\":[null]}", "1:11: shop.Order.lines: null is no item of a list: leave it out"},
        {"{\"stock\":{\"a\":null}}",
         "1:15: shop.Order.stock: null is no value of a map: leave the key out"},
        {"{\"line\":{\"inner\":{\"quantity\":1}},\"lines\":[{},{\"sku\":\"a\"}]}", NULL},
    };
    check("shop.Order", rows, T_LEN(rows));
}

static void test_a_oneof_has_one_member(void **state)
{
    (void) state;
    const struct row rows[] = {
        {"{\"cash\":0}", NULL},
        {"{\"card\":\"\"}", NULL},
        {"{\"card\":null,\"cash\":1}", "{\"cash\":1}"},
        {"{\"cash\":1,\"card\":null}", "{\"cash\":1}"},
        {"{\"card\":\"a\",\"cash\":1}", "1:20: shop.Order.cash: \"card\" is there already, and "
                                        "oneof payment can have one of them only"},
        {"{\"card\":\"a\",\"nothing\":null}", "1:23: shop.Order.nothing: \"card\" is there "
                                              "already, and oneof payment can have one of them "
                                              "only"},
    };
    check("shop.Order", rows, T_LEN(rows));
}

static void test_maps(void **state)
{
    (void) state;
    const struct row rows[] = {
        {"{\"stock\":{\"b\":1,\"\":0,\"a\":2}}", "{\"stock\":{\"\":0,\"a\":2,\"b\":1}}"},
        {"{\"byId\":{\"10\":{},\"-9\":{\"sku\":\"x\"},\"9223372036854775807\":{}}}",
         "{\"byId\":{\"-9\":{\"sku\":\"x\"},\"10\":{},\"9223372036854775807\":{}}}"},
        {"{\"flags\":{\"true\":\"PAID\",\"false\":0}}",
         "{\"flags\":{\"false\":\"UNKNOWN\",\"true\":\"PAID\"}}"},
        {"{\"values\":{\"4294967295\":[1,{\"a\":null}]}}", NULL},
        {"{\"stock\":{\"a\":1,\"a\":2}}", "1:17: shop.Order.stock: the key \"a\" is there twice"},
        {"{\"byId\":{\"1\":{},\"1.0\":{}}}",
         "1:17: shop.Order.by_id: the key \"1.0\" is there twice"},
        {"{\"byId\":{\"one\":{}}}", "1:10: shop.Order.by_id: \"one\" is no int64"},
        {"{\"flags\":{\"yes\":1}}", "1:11: shop.Order.flags: yes is no bool: write true"},
        {"{\"values\":{\"-1\":1}}",
         "1:12: shop.Order.values: \"-1\" is out of range of uint32: 0 to 4294967295"},
        {"{\"stock\":{\"a\":1.5}}", "1:15: shop.Order.stock: 1.5 is no int32: it has a fraction"},
    };
    check("shop.Order", rows, T_LEN(rows));
}

static void test_well_known_types(void **state)
{
    (void) state;
    const struct row rows[] = {
        {"{\"createdAt\":\"2026-01-02T03:04:05.100Z\",\"took\":\"-0.500s\"}", NULL},
        {"{\"createdAt\":\"2026-01-02T03:04:05.1+01:00\"}",
         "{\"createdAt\":\"2026-01-02T02:04:05.100Z\"}"},
        {"{\"createdAt\":\"1970-01-01T00:00:00Z\",\"took\":\"0s\"}", NULL},
        {"{\"createdAt\":\"yesterday\"}", "1:14: \"yesterday\" is no timestamp: write it as in "
                                          "2006-01-02T15:04:05Z"},
        {"{\"createdAt\":5}", "1:14: a number where a google.protobuf.Timestamp belongs: write it "
                              "as a string"},
        {"{\"mask\":\"fooBar.baz,qux\"}", NULL},
        {"{\"mask\":\"\"}", NULL},
        {"{\"mask\":\"a\\\"b\\n\\u0000c\"}", NULL},
        {"{\"mask\":\"foo_bar\"}", "1:9: \"foo_bar\" is no field mask: write fooBar for foo_bar"},
        {"{\"mask\":\"a,,b\"}", "1:9: \"\" is no field mask: a path between two commas is empty"},
        {"{\"int64Value\":\"5\",\"stringValue\":\"\"}", NULL},
        {"{\"int64Value\":0}", "{\"int64Value\":\"0\"}"},
        {"{\"int64Value\":\"a\"}", "1:15: google.protobuf.Int64Value.value: \"a\" is no int64"},
        {"{\"struct\":{\"a\":[1,\"b\",true,null,{}],\"b\":{\"c\":1.5}}}", NULL},
        {"{\"struct\":[]}", "1:11: a list where a google.protobuf.Struct belongs: write it in { }"},
        {"{\"value\":\"x\",\"list\":[1,[],[[]]],\"empty\":{}}", NULL},
        {"{\"list\":{}}",
         "1:9: an object where a google.protobuf.ListValue belongs: write it in [ ]"},
        {"{\"list\":[1,x]}", "1:12: expected a value"},
        {"{\"value\":[\"\\udc00\"]}", "1:11: half of a surrogate pair: \\ud800 to \\udbff and "
                                      "\\udc00 to \\udfff stand for a character together only"},
        {"{\"took\":\"\\udc00\"}", "1:9: half of a surrogate pair: \\ud800 to \\udbff and \\udc00 "
                                   "to \\udfff stand for a character together only"},
        {"{\"empty\":{\"a\":1}}", "1:11: no field \"a\" in google.protobuf.Empty"},
    };
    check("shop.Order", rows, T_LEN(rows));
}

#define LINE    "type.googleapis.com/shop.Line"
#define GOOGLE  "type.googleapis.com/google.protobuf."
#define ANY(in) "{\"any\":{\"@type\":\"" in "}}"

static void test_any(void **state)
{
    (void) state;
    const struct row rows[] = {
        {"{\"any\":{}}", NULL},
        {ANY(LINE "\",\"sku\":\"a\",\"quantity\":1"), NULL},
        {"{\"any\":{\"quantity\":1,\"inner\":{\"sku\":\"[{\"},\"@type\":\"" LINE "\"}}",
         ANY(LINE "\",\"quantity\":1,\"inner\":{\"sku\":\"[{\"}")},
        {"{\"any\":{\"\\u0040type\":\"" LINE "\",\"sku\":\"a\"}}", ANY(LINE "\",\"sku\":\"a\"")},
        {ANY("shop.Line\",\"sku\":\"a\""), NULL},
        {ANY(GOOGLE "Duration\",\"value\":\"1.500s\""), NULL},
        {"{\"any\":{\"value\":\"1.500s\",\"@type\":\"" GOOGLE "Duration\"}}",
         ANY(GOOGLE "Duration\",\"value\":\"1.500s\"")},
        {ANY(GOOGLE "Value\",\"value\":null"), NULL},
        {ANY(GOOGLE "Empty\""), NULL},
        {ANY(GOOGLE "Int64Value\",\"value\":\"5\""), NULL},
        {ANY(GOOGLE "Any\",\"value\":{\"@type\":\"" LINE "\",\"sku\":\"a\"}"), NULL},
        {ANY("shop.Lin\",\"sku\":\"a\""), "1:8: the type \"shop.Lin\" in an Any is not known"},
        {"{\"any\":{\"sku\":\"a\"}}", "1:8: an Any without \"@type\", its type"},
        {"{\"any\":{\"@type\":1}}", "1:17: \"@type\" is a number: write a string"},
        {ANY(LINE "\",\"sku\":\"a\",\"@type\":\"" LINE "\""), "1:59: \"@type\" is there twice"},
        {ANY(GOOGLE "Duration\",\"value\":\"1s\",\"value\":\"1s\""),
         "1:77: \"value\" is there twice"},
        {ANY(GOOGLE "Duration\",\"seconds\":1"),
         "1:64: no field \"seconds\" in an Any of google.protobuf.Duration: it has \"@type\" and "
         "\"value\""},
        {ANY(GOOGLE "Duration\""), "1:63: an Any of google.protobuf.Duration without \"value\""},
        {ANY(LINE "\",\"sku\":1"), "1:55: shop.Line.sku: 1 is no string: write it in quotes"},
    };
    check("shop.Order", rows, T_LEN(rows));
    const struct row more[] = {
        {"{\"any\":[]}", "1:8: a list where a google.protobuf.Any belongs: write it in { }"},
        {"{\"any\":{\"a\":[}}}", "1:14: expected a value"},
        {"{\"any\":{\"a\" 1}}", "1:13: expected ':' after the key"},
        {ANY("old.Thing\",\"name\":\"a\""), NULL},
        {ANY("old.Thing\",\"color\":\"RED\""), "1:42: old.Thing.name: is required and not set"},
        {ANY(GOOGLE "Duration\",\"\\u0076alue\":\"1s\""),
         ANY(GOOGLE "Duration\",\"value\":\"1s\"")},
    };
    check("shop.Order", more, T_LEN(more));
    const struct row unknown[] = {
        {ANY(GOOGLE "Duration\",\"x\":[1],\"value\":\"1s\""),
         ANY(GOOGLE "Duration\",\"value\":\"1s\"")},
        {ANY(LINE "\",\"x\":[1],\"sku\":\"a\""), ANY(LINE "\",\"sku\":\"a\"")},
    };
    check_flags("shop.Order", unknown, T_LEN(unknown), PROTO_JSON_IGNORE_UNKNOWN);
}

static void test_proto2(void **state)
{
    (void) state;
    const struct row rows[] = {
        {"{\"color\":\"BLUE\",\"colors\":[2,\"RED\"],\"part\":{\"size\":0},\"name\":\"\"}",
         "{\"color\":\"BLUE\",\"colors\":[\"BLUE\",\"RED\"],\"part\":{\"size\":0},\"name\":\"\"}"},
        {"{\"name\":\"a\",\"[old.weight]\":\"5\",\"[old.sub]\":[{\"name\":\"b\"}]}", NULL},
        {"{\"[old.weight]\":0}", "{\"[old.weight]\":\"0\"}"},
        {"{\"[old.weight]\":1,\"[old.weight]\":1}", "1:19: [old.weight] is there twice"},
        {"{\"[old.wieght]\":1}", "1:2: no extension \"[old.wieght]\" of old.Thing"},
        {"{\"color\":7}",
         "1:10: old.Thing.color: no value 7 in enum old.Color, which is closed: it has RED, BLUE"},
        {"{\"byName\":{\"a\":\"BIG\"}}", NULL},
    };
    check("old.Thing", rows, T_LEN(rows));
}

static void test_flags_of_writing(void **state)
{
    (void) state;
    const struct row names[] = {{"{\"big_count\":1,\"state\":\"PAID\",\"values\":{\"1\":null}}",
                                 "{\"big_count\":1,\"state\":2,\"values\":{\"1\":null}}"}};
    check_flags("shop.Order", names, T_LEN(names),
                PROTO_JSON_PROTO_NAMES | PROTO_JSON_ENUM_NUMBERS | PROTO_JSON_BARE_INT64);
    const struct row indent[] = {
        {"{\"line\":{\"sku\":\"a\",\"inner\":{}},\"numbers\":[1,2],\"stock\":{\"a\":1},\"any\":{"
         "\"@type\":\"" LINE "\",\"sku\":\"b\"}}",
         "{\n  \"line\": {\n    \"sku\": \"a\",\n    \"inner\": {}\n  },\n  \"numbers\": [\n    "
         "1,\n    2\n  ],\n  \"stock\": {\n    \"a\": 1\n  },\n  \"any\": {\n    \"@type\": "
         "\"" LINE "\",\n    \"sku\": \"b\"\n  }\n}"},
        {"{}", "{}"},
    };
    check_flags("shop.Order", indent, T_LEN(indent), PROTO_JSON_INDENT);
    const struct row defaults[] = {
        {"{\"card\":\"\"}",
         "{\"id\":\"0\",\"bigCount\":\"0\",\"quantity\":0,\"price\":0,\"weight\":0,\"gift\":false,"
         "\"name\":\"\",\"photo\":\"\",\"state\":\"UNKNOWN\",\"lines\":[],\"numbers\":[],"
         "\"states\":[],\"stock\":{},\"byId\":{},\"flags\":{},\"values\":{},\"card\":\"\","
         "\"@other\":\"\",\"valueList\":[]}"}};
    check_flags("shop.Order", defaults, T_LEN(defaults), PROTO_JSON_DEFAULTS);
}

/* A message of bytes as JSON, or the error's message. */
static void write_wire(const char *type, struct str bytes, unsigned flags, struct buf *ret)
{
    struct arena arena;
    struct err err = {0};
    arena_init(&arena, 1 << 20);
    struct proto_msg *msg = proto_msg_new(&arena, proto_pool_message(pool, str_of(type)));
    int rc = proto_wire_read(bytes, msg, 0, &err);
    t_check(rc == 0, "%s", err.msg);
    struct buf text;
    buf_init(&text, 1 << 16);
    rc = proto_json_write(msg, flags, &text, &err);
    if (rc < 0) {
        assert_int_equal(rc, ERR_INVALID);
    }
    buf_add_cstr(ret, rc < 0 ? err.msg : text.ptr);
    buf_done(&text);
    arena_done(&arena);
}

static void test_bad_utf8_of_proto2_is_shown(void **state)
{
    (void) state;
    struct buf got;
    buf_init(&got, 1 << 16);
    write_wire("old.Thing",
               STR("\x22\x01x\x2a\x03"
                   "a\xff"
                   "b"),
               0, &got);
    assert_string_equal(got.ptr, "{\"name\":\"x\",\"raw\":\"a\xef\xbf\xbd"
                                 "b\"}");
    buf_done(&got);
}

static void test_what_has_no_json_form(void **state)
{
    (void) state;
    const struct {
        struct str bytes;
        unsigned flags;
        const char *want;
    } rows[] = {
        /* any { type_url: "x.Y" value: "\x01" } */
        {STR("\xf2\x01\x08\x0a\x03x.Y\x12\x01\x01"), 0, "the type \"x.Y\" in an Any is not known"},
        {STR("\xf2\x01\x08\x0a\x03x.Y\x12\x01\x01"), PROTO_JSON_ANY_RAW,
         "{\"any\":{\"@type\":\"x.Y\",\"value\":\"AQ==\"}}"},
        /* An Any of shop.Line whose value is cut. */
        {STR("\xf2\x01\x0e\x0a\x09shop.Line\x12\x01\x0a"), PROTO_JSON_ANY_RAW, NULL},
        /* created_at { nanos: -1 } */
        {STR("\xfa\x01\x0b\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), 0,
         "a timestamp with -1 nanoseconds: they have to be 0 to 999999999"},
        /* value {} */
        {STR("\x9a\x02\x00"), 0, "a google.protobuf.Value without any value"},
        /* value { number_value: nan } */
        {STR("\x9a\x02\x09\x11\x00\x00\x00\x00\x00\x00\xf8\x7f"), 0,
         "a google.protobuf.Value that is no finite number has no JSON form"},
        /* mask { paths: "fooBar" } and so on */
        {STR("\x8a\x02\x08\x0a\x06"
             "fooBar"),
         0, "\"fooBar\" is no field mask: a path with capital letters or commas has no JSON form"},
        {STR("\x8a\x02\x09\x0a\x07"
             "foo_3_b"),
         0,
         "\"foo_3_b\" is no field mask: a path where no small letter follows a _ has no JSON form"},
        {STR("\x8a\x02\x02\x0a\x00"), 0, "\"\" is no field mask: a path is empty"},
    };
    T_TABLE(row, rows)
    {
        struct buf got;
        buf_init(&got, 1 << 16);
        write_wire("shop.Order", row->bytes, row->flags, &got);
        if (row->want != NULL) {
            assert_string_equal(got.ptr, row->want);
        } else {
            t_check(strstr(got.ptr, "in an Any: ") == got.ptr, "%s", got.ptr);
        }
        buf_done(&got);
    }
}

static void test_nesting_is_bounded(void **state)
{
    (void) state;
    for (size_t depth = 1; depth <= 130; depth++) {
        struct buf text, got;
        buf_init(&text, 1 << 16);
        buf_init(&got, 1 << 16);
        for (size_t i = 1; i < depth; i++) {
            buf_add_cstr(&text, "{\"inner\":");
        }
        buf_add_cstr(&text, "{}");
        for (size_t i = 1; i < depth; i++) {
            buf_add_cstr(&text, "}");
        }
        convert("shop.Line", buf_str(&text), 0, &got);
        bool same = str_eq(buf_str(&text), buf_str(&got));
        t_check(same == (depth <= 100), "%zu: %s", depth, got.ptr);
        if (depth == 101) {
            assert_string_equal(got.ptr, "1:901: more than 100 messages in each other");
        }
        buf_done(&text);
        buf_done(&got);
    }
}

/* An Any in an Any in an Any: little bytes, much depth. */
static void test_nesting_of_any_is_bounded(void **state)
{
    (void) state;
    const struct str url = STR("google.protobuf.Any");
    struct buf bytes, outer, got;
    buf_init(&bytes, 1 << 16);
    buf_init(&outer, 1 << 16);
    buf_init(&got, 1 << 16);
    for (size_t depth = 1; depth <= 200; depth++) {
        buf_clear(&outer);
        /* A length may have two bytes where one would do. */
        char length[] = {(char) (uint8_t) (0x80 | (bytes.len & 0x7f)), (char) (bytes.len >> 7)};
        buf_addf(&outer, "\x0a%c" STR_FMT "\x12", (int) url.len, STR_ARG(url));
        buf_add(&outer, length, sizeof length);
        buf_add_str(&outer, buf_str(&bytes));
        buf_clear(&bytes);
        buf_add_str(&bytes, buf_str(&outer));
        buf_clear(&got);
        write_wire("google.protobuf.Any", buf_str(&bytes), 0, &got);
        bool refused = strcmp(got.ptr, "more than 100 messages in each other") == 0;
        t_check(refused == (depth > 99), "%zu: %s", depth, got.ptr);
    }
    buf_done(&bytes);
    buf_done(&outer);
    buf_done(&got);
}

/* What does not fit into the message's arena, or into the text's buffer, is refused. */
static void test_memory_is_bounded(void **state)
{
    (void) state;
    struct str text = STR("{\"name\":\"0123456789\",\"lines\":[{},{\"sku\":\"abc\"}],"
                          "\"stock\":{\"a\":1},\"any\":{\"@type\":\"" LINE "\",\"sku\":\"a\"}}");
    bool fits = false;
    struct err err;
    for (size_t max = 1024; !fits; max += 16) {
        struct arena arena;
        arena_init(&arena, max);
        struct proto_msg *msg = proto_msg_new(&arena, proto_pool_message(pool, STR("shop.Order")));
        if (msg != NULL) {
            int rc = proto_json_read(text, msg, 0, &err);
            fits = rc == 0;
            if (!fits) {
                assert_err(rc, &err, ERR_FULL, "the message is larger than there is memory for");
            }
        }
        for (size_t size = 1; fits && size <= text.len; size++) {
            char out[256];
            struct buf b;
            buf_init_fixed(&b, out, size);
            assert_int_equal(proto_json_write(msg, 0, &b, &err), ERR_FULL);
        }
        arena_done(&arena);
        assert_true(max < 100000);
    }
}

static void test_a_text_is_merged_into_the_message(void **state)
{
    (void) state;
    struct arena arena;
    struct err err;
    struct buf b;
    arena_init(&arena, 1 << 20);
    buf_init(&b, 1 << 16);
    struct proto_msg *msg = proto_msg_new(&arena, proto_pool_message(pool, STR("shop.Order")));
    const char *texts[] = {
        "{\"id\":1,\"line\":{\"sku\":\"a\",\"quantity\":1},\"numbers\":[1],\"stock\":{\"a\":1,"
        "\"b\":2},\"card\":\"x\",\"name\":\"n\"}",
        "{\"line\":{\"quantity\":2},\"numbers\":[2],\"stock\":{\"b\":3,\"c\":4},\"cash\":5,"
        "\"name\":null}"};
    for (size_t i = 0; i < T_LEN(texts); i++) {
        assert_int_equal(proto_json_read(str_of(texts[i]), msg, 0, &err), 0);
    }
    assert_int_equal(proto_json_write(msg, 0, &b, &err), 0);
    assert_string_equal(b.ptr, "{\"id\":\"1\",\"line\":{\"sku\":\"a\",\"quantity\":2},\"numbers\":["
                               "1,2],\"stock\":{\"a\":1,\"b\":3,\"c\":4},\"cash\":5}");
    buf_done(&b);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_wrong_values_are_told_with_their_place),
        cmocka_unit_test(test_fields_go_by_both_names),
        cmocka_unit_test(test_null_is_unset_and_nothing_else),
        cmocka_unit_test(test_a_oneof_has_one_member),
        cmocka_unit_test(test_maps),
        cmocka_unit_test(test_well_known_types),
        cmocka_unit_test(test_any),
        cmocka_unit_test(test_proto2),
        cmocka_unit_test(test_flags_of_writing),
        cmocka_unit_test(test_bad_utf8_of_proto2_is_shown),
        cmocka_unit_test(test_what_has_no_json_form),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_nesting_of_any_is_bounded),
        cmocka_unit_test(test_memory_is_bounded),
        cmocka_unit_test(test_a_text_is_merged_into_the_message),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
