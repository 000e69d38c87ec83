/* JSON writer: commas, escapes, numbers, and the reader understands all of it. */
#include "base/json.h"
#include "base/num.h"
#include "support/t.h"

#include <math.h>

static void test_commas_and_colons_set_themselves(void **state)
{
    (void) state;
    char text[500];
    struct buf b;
    struct json_writer w;
    buf_init_fixed(&b, text, sizeof text);
    json_writer_init(&w, &b);
    json_obj_begin(&w);
    json_key(&w, "empty");
    json_arr_begin(&w);
    json_arr_end(&w);
    json_key(&w, "list");
    json_arr_begin(&w);
    json_u64(&w, UINT64_MAX);
    json_i64(&w, -1);
    json_obj_begin(&w);
    json_obj_end(&w);
    json_null(&w);
    json_bool(&w, false);
    json_cstr(&w, NULL);
    json_cstr(&w, "x");
    json_raw(&w, STR("[1]"));
    json_arr_begin(&w);
    json_arr_begin(&w);
    json_arr_end(&w);
    json_arr_end(&w);
    json_arr_end(&w);
    json_key_str(&w, STR("k\"ey"));
    json_str(&w, STR("v"));
    json_kv_u64(&w, "u", 1);
    json_kv_i64(&w, "i", -1);
    json_kv_str(&w, "s", STR("t"));
    json_kv_cstr(&w, "c", "d");
    json_kv_bool(&w, "b", true);
    json_kv_double(&w, "d", 0.5);
    json_obj_end(&w);
    assert_string_equal(text, "{\"empty\":[],\"list\":[18446744073709551615,-1,{},null,false,null,"
                              "\"x\",[1],[[]]],\"k\\\"ey\":\"v\",\"u\":1,\"i\":-1,\"s\":\"t\","
                              "\"c\":\"d\",\"b\":true,\"d\":0.5}");
    assert_false(b.failed);
}

static void test_strings_are_escaped(void **state)
{
    (void) state;
    const struct {
        struct str value;
        const char *written;
    } rows[] = {
        {STR(""), "\"\""},
        {(struct str){NULL, 0}, "\"\""},
        {STR("a/b"), "\"a/b\""},
        {STR("\"\\\n\r\t"), "\"\\\"\\\\\\n\\r\\t\""},
        {STR("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\\u007f\""},
        {STR("\xc2\x80\xc2\x9f\xc2\xa0"), "\"\\u0080\\u009f\xc2\xa0\""},
        {STR("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\""},
        {STR("a\xff"
             "b"),
         "\"a\xef\xbf\xbd"
         "b\""},
        {STR("\xe2\x82"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {STR("\xed\xa0\x80"), "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    T_TABLE(row, rows)
    {
        char text[100];
        struct buf b;
        buf_init_fixed(&b, text, sizeof text);
        json_quote(&b, row->value);
        assert_string_equal(text, row->written);
    }
}

static void test_doubles_are_short_and_exact(void **state)
{
    (void) state;
    const struct {
        double value;
        const char *written;
    } rows[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {0.1, "0.1"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1e300, "1e+300"},
        {-2.5e-7, "-2.5e-07"},
        {123456789012.0, "123456789012"},
        {(double) NAN, "null"},
        {(double) INFINITY, "null"},
        {(double) -INFINITY, "null"},
    };
    T_TABLE(row, rows)
    {
        char text[100];
        struct buf b;
        struct json_writer w;
        buf_init_fixed(&b, text, sizeof text);
        json_writer_init(&w, &b);
        json_double(&w, row->value);
        assert_string_equal(text, row->written);
    }
}

static void test_each_double_reads_back_the_same(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = t_random(&random);
        double value, back;
        char text[100];
        struct buf b;
        struct json_writer w;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) {
            continue;
        }
        buf_init_fixed(&b, text, sizeof text);
        json_writer_init(&w, &b);
        json_double(&w, value);
        assert_int_equal(num_double(buf_str(&b), &back), 0);
        t_check(back == value && signbit(back) == signbit(value), "%s", text);
    }
}

static void test_nesting_too_deep_and_a_stray_end_fail(void **state)
{
    (void) state;
    char text[200];
    struct buf b;
    struct json_writer w;
    for (size_t depth = JSON_WRITER_DEPTH; depth <= JSON_WRITER_DEPTH + 40; depth++) {
        buf_init_fixed(&b, text, sizeof text);
        json_writer_init(&w, &b);
        for (size_t i = 0; i < depth; i++) {
            json_arr_begin(&w);
        }
        assert_int_equal(b.failed, depth > JSON_WRITER_DEPTH);
    }
    buf_init_fixed(&b, text, sizeof text);
    json_writer_init(&w, &b);
    json_arr_end(&w);
    assert_true(b.failed);
}

static void test_what_does_not_fit_sets_failed(void **state)
{
    (void) state;
    static const char wanted[] = "{\"key\":[\"a\\nb\",12]}";
    for (size_t size = 1; size <= sizeof wanted; size++) {
        char text[sizeof wanted];
        struct buf b;
        struct json_writer w;
        buf_init_fixed(&b, text, size);
        json_writer_init(&w, &b);
        json_obj_begin(&w);
        json_key(&w, "key");
        json_arr_begin(&w);
        json_cstr(&w, "a\nb");
        json_u64(&w, 12);
        json_arr_end(&w);
        json_obj_end(&w);
        assert_int_equal(b.failed, size < sizeof wanted);
        assert_memory_equal(text, wanted, b.len); /* a clean beginning in each case */
    }
}

/* Whatever bytes are written as a string, the reader gives them back (bad UTF-8 replaced). */
static void test_random_strings_come_back(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    for (int round = 0; round < 20000; round++) {
        char bytes[24], text[200], back[200];
        size_t len = t_random_below(&random, sizeof bytes);
        for (size_t i = 0; i < len; i++) {
            /* ASCII mostly, with quotes and control characters; no NUL, which the reader refuses */
            uint64_t below = t_random_below(&random, 8) == 0 ? 255 : 127;
            bytes[i] = (char) (1 + t_random_below(&random, below));
        }
        struct buf b;
        struct json_reader r;
        struct str value;
        buf_init_fixed(&b, text, sizeof text);
        json_quote(&b, (struct str){bytes, len});
        assert_false(b.failed);
        json_reader_init(&r, buf_str(&b));
        assert_int_equal(json_next(&r), JSON_STRING);
        assert_int_equal(json_unescape(r.value, back, sizeof back, &value), 0);
        assert_true(str_is_utf8(value));
        if (str_is_utf8((struct str){bytes, len})) {
            assert_true(str_eq(value, (struct str){bytes, len}));
        }
        assert_int_equal(json_next(&r), JSON_END);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commas_and_colons_set_themselves),
        cmocka_unit_test(test_strings_are_escaped),
        cmocka_unit_test(test_doubles_are_short_and_exact),
        cmocka_unit_test(test_each_double_reads_back_the_same),
        cmocka_unit_test(test_nesting_too_deep_and_a_stray_end_fail),
        cmocka_unit_test(test_what_does_not_fit_sets_failed),
        cmocka_unit_test(test_random_strings_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
