/* Scalars as text: what a field's type makes of what stands in JSON, in YAML and in variables. */
#include "support/t.h"

#include "base/arena.h"
#include "base/buf.h"
#include "proto/scalar.h"
#include "support/shop.h"

#include <float.h>
#include <math.h>

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

static struct proto_field_desc field_of(enum proto_type type)
{
    return (struct proto_field_desc){
        .name = STR("f"), .full_name = STR("shop.M.f"), .type = type, .check_utf8 = true};
}

static const char *notation_name(enum proto_notation notation)
{
    static const char *const names[] = {"JSON bare", "JSON string", "YAML plain", "YAML quoted",
                                        "text"};
    return names[notation];
}

/* The text of what was read, or the error's message. */
static void read_as(const struct proto_field_desc *field, enum proto_notation notation,
                    struct str text, char out[600])
{
    struct arena arena;
    struct buf b;
    struct err err = {0};
    union proto_value value = {.u64 = 77};
    arena_init(&arena, 4096);
    buf_init_fixed(&b, out, 600);
    int rc = proto_scalar_read(field, text, notation, &arena, &value, &err);
    if (rc == 0) {
        proto_scalar_text(field, value, &b);
    } else {
        assert_true(value.u64 == 77);
        assert_int_equal(err.code, rc);
        buf_add_cstr(&b, err.msg);
    }
    arena_done(&arena);
}

enum {
    ALL = 1 << PROTO_JSON_BARE | 1 << PROTO_JSON_STRING | 1 << PROTO_YAML_PLAIN |
          1 << PROTO_YAML_QUOTED | 1 << PROTO_TEXT,
    BARE = 1 << PROTO_JSON_BARE,
    STRING = 1 << PROTO_JSON_STRING,
    PLAIN = 1 << PROTO_YAML_PLAIN,
    QUOTED = 1 << PROTO_YAML_QUOTED,
    TEXT = 1 << PROTO_TEXT
};

struct row {
    enum proto_type type;
    unsigned notations;
    const char *text, *want;
};

static void check_rows(const struct row *rows, size_t n, const struct proto_enum_desc *enumeration)
{
    for (size_t i = 0; i < n; i++) {
        struct proto_field_desc field = field_of(rows[i].type);
        field.enumeration = enumeration;
        for (int notation = PROTO_JSON_BARE; notation <= PROTO_TEXT; notation++) {
            char got[600];
            if ((rows[i].notations >> notation & 1) == 0) {
                continue;
            }
            read_as(&field, (enum proto_notation) notation, str_of(rows[i].text), got);
            t_check(strcmp(got, rows[i].want) == 0, "%s as %s: %s, not %s", rows[i].text,
                    notation_name((enum proto_notation) notation), got, rows[i].want);
        }
    }
}

static void test_integers_are_exact_to_both_ends(void **state)
{
    (void) state;
    const struct row rows[] = {
        {PROTO_INT64, ALL, "9223372036854775807", "9223372036854775807"},
        {PROTO_INT64, ALL, "-9223372036854775808", "-9223372036854775808"},
        {PROTO_INT64, ALL, "9007199254740993", "9007199254740993"},
        {PROTO_INT64, ALL, "922337203685477580.7e1", "9223372036854775807"},
        {PROTO_INT64, ALL, "92233720368547758070e-1", "9223372036854775807"},
        {PROTO_SINT64, ALL, "-9007199254740993", "-9007199254740993"},
        {PROTO_SFIXED64, ALL, "9007199254740993", "9007199254740993"},
        {PROTO_UINT64, ALL, "18446744073709551615", "18446744073709551615"},
        {PROTO_FIXED64, ALL, "18446744073709551615", "18446744073709551615"},
        {PROTO_INT32, ALL, "2147483647", "2147483647"},
        {PROTO_SINT32, ALL, "-2147483648", "-2147483648"},
        {PROTO_SFIXED32, ALL, "-2147483648", "-2147483648"},
        {PROTO_UINT32, ALL, "4294967295", "4294967295"},
        {PROTO_FIXED32, ALL, "4294967295", "4294967295"},
        /* Other ways to write a whole number. */
        {PROTO_INT32, ALL, "1.0", "1"},
        {PROTO_INT32, ALL, "1e5", "100000"},
        {PROTO_INT32, ALL, "1.5e1", "15"},
        {PROTO_INT32, ALL, "100000e-5", "1"},
        {PROTO_INT32, ALL, "120.00", "120"},
        {PROTO_INT32, ALL, "0.0012E4", "12"},
        {PROTO_INT32, ALL, "-0", "0"},
        {PROTO_INT32, ALL, "0e999999999999999999999", "0"},
        {PROTO_UINT32, ALL, "-0", "0"},
        {PROTO_UINT32, ALL, "-0.0e5", "0"},
        {PROTO_INT32, PLAIN | TEXT, "0x10", "16"},
        {PROTO_INT32, PLAIN | TEXT, "-0x80000000", "-2147483648"},
        {PROTO_UINT64, PLAIN | TEXT, "0xFFFFffffFFFFffff", "18446744073709551615"},
        /* Out of range. */
        {PROTO_INT64, PLAIN, "9223372036854775808",
         "\"9223372036854775808\" is out of range of int64: -9223372036854775808 to "
         "9223372036854775807"},
        {PROTO_INT64, BARE, "-9223372036854775809",
         "-9223372036854775809 is out of range of int64: -9223372036854775808 to "
         "9223372036854775807"},
        {PROTO_UINT64, PLAIN, "18446744073709551616",
         "\"18446744073709551616\" is out of range of uint64: 0 to 18446744073709551615"},
        {PROTO_UINT64, PLAIN, "0x10000000000000000",
         "\"0x10000000000000000\" is out of range of uint64: 0 to 18446744073709551615"},
        {PROTO_UINT32, PLAIN, "-1", "\"-1\" is out of range of uint32: 0 to 4294967295"},
        {PROTO_INT32, PLAIN, "1e999999999999999999999",
         "\"1e999999999999999999999\" is out of range of int32: -2147483648 to 2147483647"},
        {PROTO_INT32, BARE, "2147483648",
         "2147483648 is out of range of int32: -2147483648 to 2147483647"},
    };
    check_rows(rows, T_LEN(rows), NULL);
}

static void test_what_is_no_integer_is_told_with_what_would_be(void **state)
{
    (void) state;
    const struct row rows[] = {
        {PROTO_INT32, STRING | PLAIN, "1.5", "\"1.5\" is no int32: it has a fraction"},
        {PROTO_INT32, BARE, "1.5", "1.5 is no int32: it has a fraction"},
        {PROTO_INT32, BARE, "1e-1", "1e-1 is no int32: it has a fraction"},
        {PROTO_INT32, BARE, "1e-999999999999999999999",
         "1e-999999999999999999999 is no int32: it has a fraction"},
        {PROTO_INT32, STRING | QUOTED, "", "\"\" is no int32: write 0"},
        {PROTO_INT32, STRING | QUOTED, " 1", "\" 1\" is no int32: write 1"},
        {PROTO_INT32, STRING | QUOTED, "1 ", "\"1 \" is no int32: write 1"},
        {PROTO_INT32, STRING | PLAIN, "+1", "\"+1\" is no int32: write 1"},
        {PROTO_INT32, STRING | PLAIN, "007", "\"007\" is no int32: write 7"},
        {PROTO_INT64, PLAIN, "-007", "\"-007\" is no int64: write -7"},
        {PROTO_INT64, PLAIN, "1_000_000", "\"1_000_000\" is no int64: write 1000000"},
        {PROTO_INT64, PLAIN, "00", "\"00\" is no int64: write 0"},
        {PROTO_INT64, PLAIN, "NO", "\"NO\" is no int64"},
        {PROTO_INT64, QUOTED | STRING, "0x10", "\"0x10\" is no int64"},
        {PROTO_INT64, PLAIN, "0x", "\"0x\" is no int64"},
        {PROTO_INT64, PLAIN, "0xg", "\"0xg\" is no int64"},
        {PROTO_INT64, PLAIN, "1.", "\"1.\" is no int64: write 1.0"},
        {PROTO_INT64, PLAIN, "-", "\"-\" is no int64"},
        {PROTO_INT64, BARE, "true", "true is no int64"},
        {PROTO_INT64, PLAIN, "NaN", "\"NaN\" is no int64"},
    };
    check_rows(rows, T_LEN(rows), NULL);
}

static void test_floats_are_the_shortest_that_read_back(void **state)
{
    (void) state;
    const struct row rows[] = {
        {PROTO_DOUBLE, ALL, "1.20", "1.2"},
        {PROTO_DOUBLE, ALL, "0.1", "0.1"},
        {PROTO_FLOAT, ALL, "0.1", "0.1"},
        {PROTO_FLOAT, ALL, "16777217", "16777216"},
        {PROTO_FLOAT, ALL, "3.4028235e38", "3.4028235e+38"},
        {PROTO_FLOAT, ALL, "1e-45", "1e-45"},
        {PROTO_FLOAT, ALL, "3.3554432e7", "33554432"},
        {PROTO_DOUBLE, ALL, "1e5", "100000"},
        {PROTO_DOUBLE, ALL, "123456789012345680000", "123456789012345680000"},
        {PROTO_DOUBLE, ALL, "1e21", "1e+21"},
        {PROTO_DOUBLE, ALL, "1.5e300", "1.5e+300"},
        {PROTO_DOUBLE, ALL, "0.000001", "0.000001"},
        {PROTO_DOUBLE, ALL, "0.00000123", "0.00000123"},
        {PROTO_DOUBLE, ALL, "0.0000001", "1e-7"},
        {PROTO_DOUBLE, ALL, "1.7976931348623157e308", "1.7976931348623157e+308"},
        {PROTO_DOUBLE, ALL, "5e-324", "5e-324"},
        {PROTO_DOUBLE, ALL, "1e-400", "0"},
        {PROTO_DOUBLE, ALL, "-0.0", "-0.0"},
        {PROTO_DOUBLE, ALL, "-12.5", "-12.5"},
        {PROTO_DOUBLE, ALL & ~BARE, "NaN", "NaN"},
        {PROTO_FLOAT, ALL & ~BARE, "Infinity", "Infinity"},
        {PROTO_DOUBLE, ALL & ~BARE, "-Infinity", "-Infinity"},
        {PROTO_DOUBLE, PLAIN | TEXT, ".nan", "NaN"},
        {PROTO_DOUBLE, PLAIN | TEXT, ".inf", "Infinity"},
        {PROTO_DOUBLE, PLAIN | TEXT, "+.Inf", "Infinity"},
        {PROTO_FLOAT, PLAIN | TEXT, "-.INF", "-Infinity"},
        {PROTO_FLOAT, STRING, ".inf", "\".inf\" is no float"},
        {PROTO_FLOAT, BARE, "3.41e38",
         "3.41e38 is out of range of float: at most 3.4028235e38 in size"},
        {PROTO_DOUBLE, PLAIN, "-1e309",
         "\"-1e309\" is out of range of double: at most 1.7976931348623157e308 in size"},
        {PROTO_DOUBLE, PLAIN, "nan", "\"nan\" is no double: write .nan, .inf or -.inf"},
        {PROTO_DOUBLE, STRING, "-inf",
         "\"-inf\" is no double: write \"NaN\", \"Infinity\" or \"-Infinity\""},
        {PROTO_DOUBLE, PLAIN, ".5", "\".5\" is no double: write 0.5"},
        {PROTO_DOUBLE, PLAIN, "5.", "\"5.\" is no double: write 5.0"},
        {PROTO_DOUBLE, PLAIN, "1.2.3", "\"1.2.3\" is no double"},
        {PROTO_DOUBLE, STRING, "", "\"\" is no double: write 0"},
        {PROTO_DOUBLE, STRING, "1 ", "\"1 \" is no double: write 1"},
    };
    check_rows(rows, T_LEN(rows), NULL);
}

static void test_bool_is_true_or_false(void **state)
{
    (void) state;
    const struct row rows[] = {
        {PROTO_BOOL, BARE | PLAIN | TEXT, "true", "true"},
        {PROTO_BOOL, BARE | PLAIN | TEXT, "false", "false"},
        {PROTO_BOOL, STRING | QUOTED, "true", "\"true\" is no bool: write true without quotes"},
        {PROTO_BOOL, QUOTED, "false", "\"false\" is no bool: write false without quotes"},
        {PROTO_BOOL, PLAIN, "yes", "\"yes\" is no bool: write true"},
        {PROTO_BOOL, PLAIN | TEXT, "On", "\"On\" is no bool: write true"},
        {PROTO_BOOL, PLAIN, "NO", "\"NO\" is no bool: write false"},
        {PROTO_BOOL, PLAIN, "off", "\"off\" is no bool: write false"},
        {PROTO_BOOL, PLAIN, "True", "\"True\" is no bool: write true"},
        {PROTO_BOOL, BARE, "1", "1 is no bool: write true"},
        {PROTO_BOOL, BARE, "0", "0 is no bool: write false"},
        {PROTO_BOOL, PLAIN, "maybe", "\"maybe\" is no bool: write true or false"},
        {PROTO_BOOL, BARE, "null", "null is no bool: write true or false"},
    };
    check_rows(rows, T_LEN(rows), NULL);
}

static void test_strings_are_what_is_written(void **state)
{
    (void) state;
    const struct row rows[] = {
        {PROTO_STRING, ALL & ~BARE, "007", "007"},
        {PROTO_STRING, ALL & ~BARE, "NO", "NO"},
        {PROTO_STRING, ALL & ~BARE, "1.20", "1.20"},
        {PROTO_STRING, ALL & ~BARE, "true", "true"},
        {PROTO_STRING, ALL & ~BARE, "2026-01-02", "2026-01-02"},
        {PROTO_STRING, ALL & ~BARE, "", ""},
        {PROTO_STRING, BARE, "12", "12 is no string: write it in quotes"},
        {PROTO_STRING, PLAIN, "a\xff", "\"a\xef\xbf\xbd\" is no string: it is not valid UTF-8"},
    };
    check_rows(rows, T_LEN(rows), NULL);

    struct proto_field_desc proto2 = field_of(PROTO_STRING);
    char got[600];
    proto2.check_utf8 = false;
    read_as(&proto2, PROTO_YAML_QUOTED, STR("a\xff"), got);
    assert_string_equal(got, "a\xff");

    struct proto_field_desc field = field_of(PROTO_STRING);
    union proto_value value = {.u64 = 0};
    assert_int_equal(proto_scalar_read(&field, STR("a\0b"), PROTO_JSON_STRING, NULL, &value, NULL),
                     0);
    assert_int_equal(value.bytes.len, 3);
}

static void test_bytes_are_base64(void **state)
{
    (void) state;
    const struct row rows[] = {
        {PROTO_BYTES, ALL & ~BARE, "", ""},
        {PROTO_BYTES, ALL & ~BARE, "AQI=", "AQI="},
        {PROTO_BYTES, ALL & ~BARE, "AQI", "AQI="},
        {PROTO_BYTES, ALL & ~BARE, "-_", "+w=="},
        {PROTO_BYTES, ALL & ~BARE, "+/+/", "+/+/"},
        {PROTO_BYTES, PLAIN, "a",
         "\"a\" is no base64: 1 characters are one too many or too few: "
         "the last group has 2, 3 or 4"},
        {PROTO_BYTES, STRING, "hi!",
         "\"hi!\" is no base64: character 3 is \"!\", which base64 has "
         "not"},
        {PROTO_BYTES, BARE, "12", "12 is no bytes: write base64 in quotes"},
    };
    check_rows(rows, T_LEN(rows), NULL);

    struct proto_field_desc field = field_of(PROTO_BYTES);
    struct buf b;
    char bytes[1000], text[2000];
    struct arena arena;
    union proto_value value;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char) (uint8_t) (i * 7);
    }
    buf_init_fixed(&b, text, sizeof text);
    arena_init(&arena, 4096);
    proto_scalar_text(&field, (union proto_value){.bytes = {bytes, sizeof bytes}}, &b);
    assert_int_equal(
        proto_scalar_read(&field, buf_str(&b), PROTO_JSON_STRING, &arena, &value, NULL), 0);
    assert_true(str_eq(value.bytes, (struct str){bytes, sizeof bytes}));
    arena_done(&arena);

    struct err err;
    arena_init(&arena, 16);
    assert_err(proto_scalar_read(&field, buf_str(&b), PROTO_JSON_STRING, &arena, &value, &err),
               &err, ERR_FULL, "base64 of 1336 characters is more than there is memory for");
    arena_done(&arena);
}

static void test_enums_are_names_or_numbers(void **state)
{
    (void) state;
    const struct row open[] = {
        {PROTO_ENUM, ALL & ~BARE, "SAD", "SAD"},
        {PROTO_ENUM, ALL & ~BARE, "MERRY", "HAPPY"},
        {PROTO_ENUM, ALL & ~STRING, "1", "HAPPY"},
        {PROTO_ENUM, ALL & ~STRING, "-2", "SAD"},
        {PROTO_ENUM, BARE, "1.0", "HAPPY"},
        {PROTO_ENUM, ALL & ~STRING, "77", "77"},
        {PROTO_ENUM, BARE, "1.5", "1.5 is no enum: it has a fraction"},
        {PROTO_ENUM, BARE, "2147483648",
         "2147483648 is out of range of enum: -2147483648 to 2147483647"},
        {PROTO_ENUM, STRING, "1",
         "no value \"1\" in enum shop.Mood: it has NEUTRAL, HAPPY, MERRY, SAD"},
        {PROTO_ENUM, PLAIN, "NUETRAL",
         "no value \"NUETRAL\" in enum shop.Mood: did you mean \"NEUTRAL\"?"},
        {PROTO_ENUM, PLAIN, "happy",
         "no value \"happy\" in enum shop.Mood: did you mean \"HAPPY\"?"},
        {PROTO_ENUM, PLAIN, "",
         "no value \"\" in enum shop.Mood: it has NEUTRAL, HAPPY, MERRY, SAD"},
        {PROTO_ENUM, BARE, "null",
         "no value null in enum shop.Mood: it has NEUTRAL, HAPPY, MERRY, SAD"},
    };
    const struct row closed[] = {
        {PROTO_ENUM, BARE | PLAIN, "1", "RED"},
        {PROTO_ENUM, BARE, "77",
         "no value 77 in enum old.Color, which is closed: it has RED, BLUE"},
    };
    const struct row null[] = {
        {PROTO_ENUM, BARE | PLAIN, "null", "NULL_VALUE"},
        {PROTO_ENUM, STRING | QUOTED, "NULL_VALUE", "NULL_VALUE"},
        {PROTO_ENUM, STRING, "null",
         "no value \"null\" in enum google.protobuf.NullValue: it has NULL_VALUE"},
    };
    check_rows(open, T_LEN(open), proto_pool_enum(pool, STR("shop.Mood")));
    check_rows(closed, T_LEN(closed), proto_pool_enum(pool, STR("old.Color")));
    check_rows(null, T_LEN(null), proto_pool_enum(pool, STR("google.protobuf.NullValue")));
}

static void test_long_values_are_shown_in_part(void **state)
{
    (void) state;
    const struct row rows[] = {
        {PROTO_INT32, PLAIN, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"... is no int32"},
        {PROTO_INT32, PLAIN, "\x1b[31m", "\"\\u001b[31m\" is no int32"},
    };
    check_rows(rows, T_LEN(rows), NULL);

    char digits[400], got[600];
    struct proto_field_desc field = field_of(PROTO_INT32);
    memset(digits, '0', sizeof digits);
    digits[0] = '1';
    read_as(&field, PROTO_JSON_BARE, (struct str){digits, sizeof digits}, got);
    assert_string_equal(got, "\"1000000000000000000000000000000000000000\"... is out of range of "
                             "int32: -2147483648 to 2147483647");
    field.type = PROTO_DOUBLE;
    read_as(&field, PROTO_JSON_BARE, (struct str){digits, sizeof digits}, got);
    assert_string_equal(got, "\"1000000000000000000000000000000000000000\"... is no double: a "
                             "number has at most 127 characters");
}

/* The value of random bits, from text that is written and read again. */
static void test_every_number_reads_back_the_same(void **state_)
{
    static const enum proto_type types[] = {
        PROTO_DOUBLE,  PROTO_FLOAT,  PROTO_INT64,   PROTO_UINT64,   PROTO_INT32,
        PROTO_FIXED64, PROTO_SINT64, PROTO_FIXED32, PROTO_SFIXED32, PROTO_SFIXED64,
        PROTO_UINT32,  PROTO_SINT32, PROTO_ENUM};
    (void) state_;
    struct t_random random = t_random_init();
    for (int i = 0; i < 20000; i++) {
        struct proto_field_desc field = field_of(types[t_random_below(&random, T_LEN(types))]);
        union proto_value value = {.u64 = t_random(&random) >> t_random_below(&random, 64)}, again;
        union proto_value sized = {.u64 = 0};
        bool narrow = field.type == PROTO_FLOAT || field.type == PROTO_INT32 ||
                      field.type == PROTO_FIXED32 || field.type == PROTO_SFIXED32 ||
                      field.type == PROTO_UINT32 || field.type == PROTO_SINT32 ||
                      field.type == PROTO_ENUM;
        char text[64];
        struct buf b;
        struct err err = {0};
        memcpy(&sized, &value, narrow ? 4 : 8);
        if ((field.type == PROTO_DOUBLE && isnan(sized.f64)) ||
            (field.type == PROTO_FLOAT && isnan(sized.f32))) {
            continue;
        }
        field.enumeration = proto_pool_enum(pool, STR("shop.Mood"));
        buf_init_fixed(&b, text, sizeof text);
        proto_scalar_text(&field, sized, &b);
        int rc = proto_scalar_read(&field, buf_str(&b), PROTO_YAML_PLAIN, NULL, &again, &err);
        t_check(rc == 0 && again.u64 == sized.u64, "%s of type %d: %s", text, (int) field.type,
                err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers_are_exact_to_both_ends),
        cmocka_unit_test(test_what_is_no_integer_is_told_with_what_would_be),
        cmocka_unit_test(test_floats_are_the_shortest_that_read_back),
        cmocka_unit_test(test_bool_is_true_or_false),
        cmocka_unit_test(test_strings_are_what_is_written),
        cmocka_unit_test(test_bytes_are_base64),
        cmocka_unit_test(test_enums_are_names_or_numbers),
        cmocka_unit_test(test_long_values_are_shown_in_part),
        cmocka_unit_test(test_every_number_reads_back_the_same),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
