/* Numbers: strict forms, exact ranges, and what is written reads back the same. */
#include "base/num.h"
#include "support/t.h"

#include <math.h>

enum { OK = 0 };

static void test_u64_takes_plain_decimals_in_range(void **state)
{
    (void) state;
    const struct {
        const char *text;
        uint64_t min, max;
        int rc;
        uint64_t value;
    } rows[] = {
        {"0", 0, 10, OK, 0},
        {"10", 0, 10, OK, 10},
        {"11", 0, 10, ERR_FULL, 0},
        {"4", 5, 10, ERR_FULL, 0},
        {"18446744073709551615", 0, UINT64_MAX, OK, UINT64_MAX},
        {"18446744073709551616", 0, UINT64_MAX, ERR_FULL, 0},
        {"99999999999999999999999", 0, UINT64_MAX, ERR_FULL, 0},
        {"99999999999999999999999x", 0, UINT64_MAX, ERR_INVALID, 0},
        {"", 0, 10, ERR_INVALID, 0},
        {"00", 0, 10, ERR_INVALID, 0},
        {"01", 0, 10, ERR_INVALID, 0},
        {"+1", 0, 10, ERR_INVALID, 0},
        {"-1", 0, 10, ERR_INVALID, 0},
        {" 1", 0, 10, ERR_INVALID, 0},
        {"1 ", 0, 10, ERR_INVALID, 0},
        {"1.0", 0, 10, ERR_INVALID, 0},
        {"1e1", 0, 10, ERR_INVALID, 0},
        {"0x1", 0, 10, ERR_INVALID, 0},
        {"\xd9\xa1", 0, 10, ERR_INVALID, 0}, /* a digit of another script */
    };
    T_TABLE(row, rows)
    {
        uint64_t value = 77;
        int rc = num_u64(str_of(row->text), row->min, row->max, &value);
        t_check(rc == row->rc, "\"%s\": %d, not %d", row->text, rc, row->rc);
        assert_int_equal(value, rc == OK ? row->value : 77); /* untouched on failure */
    }
}

static void test_i64_reaches_both_ends(void **state)
{
    (void) state;
    const struct {
        const char *text;
        int rc;
        int64_t value;
    } rows[] = {
        {"9223372036854775807", OK, INT64_MAX},
        {"-9223372036854775808", OK, INT64_MIN},
        {"9223372036854775808", ERR_FULL, 0},
        {"-9223372036854775809", ERR_FULL, 0},
        {"-1", OK, -1},
        {"0", OK, 0},
        {"-0", ERR_INVALID, 0},
        {"-", ERR_INVALID, 0},
        {"--1", ERR_INVALID, 0},
        {"-01", ERR_INVALID, 0},
        {"", ERR_INVALID, 0},
    };
    T_TABLE(row, rows)
    {
        int64_t value = 77;
        int rc = num_i64(str_of(row->text), INT64_MIN, INT64_MAX, &value);
        t_check(rc == row->rc, "\"%s\": %d, not %d", row->text, rc, row->rc);
        assert_true(value == (rc == OK ? row->value : 77));
    }
    int64_t value;
    assert_int_equal(num_i64(STR("-6"), -5, 5, &value), ERR_FULL);
    assert_int_equal(num_i64(STR("6"), -5, 5, &value), ERR_FULL);
}

static void test_double_is_finite_decimal_and_exact(void **state)
{
    (void) state;
    const struct {
        const char *text;
        int rc;
        double value;
    } rows[] = {
        {"0", OK, 0},
        {"-12.5", OK, -12.5},
        {"0.1", OK, 0.1},
        {"1e-3", OK, 0.001},
        {"1E+2", OK, 100},
        {"1.7976931348623157e308", OK, 1.7976931348623157e308},
        {"1e-400", OK, 0},
        {"1e309", ERR_FULL, 0},
        {"-1e309", ERR_FULL, 0},
        {"", ERR_INVALID, 0},
        {"-", ERR_INVALID, 0},
        {".5", ERR_INVALID, 0},
        {"5.", ERR_INVALID, 0},
        {"1,5", ERR_INVALID, 0},
        {"01", ERR_INVALID, 0},
        {"1e", ERR_INVALID, 0},
        {"1e+", ERR_INVALID, 0},
        {"1.e1", ERR_INVALID, 0},
        {"+1", ERR_INVALID, 0},
        {"0x1p3", ERR_INVALID, 0},
        {"nan", ERR_INVALID, 0},
        {"inf", ERR_INVALID, 0},
        {"1 ", ERR_INVALID, 0},
    };
    T_TABLE(row, rows)
    {
        double value = 77;
        int rc = num_double(str_of(row->text), &value);
        t_check(rc == row->rc, "\"%s\": %d, not %d", row->text, rc, row->rc);
        t_check(value == (rc == OK ? row->value : 77), "\"%s\": %g", row->text, value);
    }
    char digits[200];
    memset(digits, '1', sizeof digits);
    double value;
    assert_int_equal(num_double((struct str){digits, 127}, &value), OK);
    assert_int_equal(num_double((struct str){digits, 128}, &value), ERR_FULL);
}

static void test_duration_needs_a_unit(void **state)
{
    (void) state;
    const struct {
        const char *text;
        int rc;
        uint64_t ms;
    } rows[] = {
        {"0", OK, 0},
        {"250ms", OK, 250},
        {"10s", OK, 10000},
        {"5m", OK, 300000},
        {"2h", OK, 7200000},
        {"1d", OK, 86400000},
        {"0s", OK, 0},
        {"213503982334d", OK, UINT64_C(18446744073657600000)},
        {"213503982335d", ERR_FULL, 0},
        {"99999999999999999999s", ERR_FULL, 0},
        {"10", ERR_INVALID, 0},
        {"s", ERR_INVALID, 0},
        {"", ERR_INVALID, 0},
        {"1.5s", ERR_INVALID, 0},
        {"1 s", ERR_INVALID, 0},
        {"-1s", ERR_INVALID, 0},
        {"01s", ERR_INVALID, 0},
        {"1S", ERR_INVALID, 0},
        {"1min", ERR_INVALID, 0},
        {"1h30m", ERR_INVALID, 0},
        {"99999999999999999999x", ERR_INVALID, 0},
    };
    T_TABLE(row, rows)
    {
        uint64_t ms = 77;
        int rc = num_duration_ms(str_of(row->text), &ms);
        t_check(rc == row->rc, "\"%s\": %d, not %d", row->text, rc, row->rc);
        assert_int_equal(ms, rc == OK ? row->ms : 77);
    }
}

static void test_bytes_count_in_1024(void **state)
{
    (void) state;
    const struct {
        const char *text;
        int rc;
        uint64_t bytes;
    } rows[] = {
        {"0", OK, 0},
        {"4096", OK, 4096},
        {"64k", OK, 65536},
        {"8m", OK, 8388608},
        {"8M", OK, 8388608},
        {"1g", OK, 1073741824},
        {"17179869183g", OK, UINT64_C(18446744072635809792)},
        {"17179869184g", ERR_FULL, 0},
        {"8mb", ERR_INVALID, 0},
        {"8 m", ERR_INVALID, 0},
        {"k", ERR_INVALID, 0},
        {"", ERR_INVALID, 0},
        {"1.5m", ERR_INVALID, 0},
        {"-1", ERR_INVALID, 0},
    };
    T_TABLE(row, rows)
    {
        uint64_t bytes = 77;
        int rc = num_bytes(str_of(row->text), &bytes);
        t_check(rc == row->rc, "\"%s\": %d, not %d", row->text, rc, row->rc);
        assert_int_equal(bytes, rc == OK ? row->bytes : 77);
    }
}

static void test_share_reads_percent_and_ppm(void **state)
{
    (void) state;
    const struct {
        const char *text;
        uint32_t ppm;
    } rows[] = {
        {"0", 0},
        {"0%", 0},
        {"0ppm", 0},
        {"0.0001%", 1},
        {"1ppm", 1},
        {"0.1%", 1000},
        {"250ppm", 250},
        {"1%", 10000},
        {"12.3456%", 123456},
        {"99.9999%", 999999},
        {"100%", 1000000},
        {"100.0%", 1000000},
        {"1000000ppm", 1000000},
        {"0.1000%", 1000},
    };
    T_TABLE(row, rows)
    {
        struct err err;
        uint32_t ppm = 77;
        t_check(num_share_ppm(str_of(row->text), &ppm, &err) == 0, "%s: %s", row->text, err.msg);
        assert_int_equal(ppm, row->ppm);
    }
}

static void test_share_refuses_with_the_right_form(void **state)
{
    (void) state;
#define FORMS       "write a percentage such as 0.1%, or parts per million such as 250ppm"
#define NOT_A_SHARE " is not a share of traffic: " FORMS
#define NO_UNIT     " has no unit: " FORMS
#define TOO_FINE    " is finer than 1ppm: write at most 4 decimals (0.0001% is 1ppm)"
#define ABOVE       " is above 100% (1000000ppm), the whole traffic"
    const struct {
        struct str text;
        int rc;
        const char *message;
    } rows[] = {
        {STR("1"), ERR_INVALID, "\"1\" has no unit: write 1% or 1ppm"},
        {STR("100"), ERR_INVALID, "\"100\" has no unit: write 100% or 100ppm"},
        {STR("101"), ERR_INVALID, "\"101\" has no unit: write 101ppm"},
        {STR("1000000"), ERR_INVALID, "\"1000000\" has no unit: write 1000000ppm"},
        {STR("1000001"), ERR_INVALID, "\"1000001\"" NO_UNIT},
        {STR("0.0"), ERR_INVALID, "\"0.0\" has no unit: write 0.0%"},
        {STR("0.00001"), ERR_INVALID, "\"0.00001\"" NO_UNIT},
        {STR("100.5"), ERR_INVALID, "\"100.5\"" NO_UNIT},
        {STR("0.5"), ERR_INVALID, "\"0.5\" has no unit: write 0.5%"},
        {STR("0.00001%"), ERR_INVALID, "\"0.00001%\"" TOO_FINE},
        {STR("0.10000%"), ERR_INVALID, "\"0.10000%\"" TOO_FINE},
        {STR("1.5ppm"), ERR_INVALID, "\"1.5ppm\" is finer than 1ppm: write whole ppm"},
        {STR("100.0001%"), ERR_FULL, "\"100.0001%\"" ABOVE},
        {STR("101%"), ERR_FULL, "\"101%\"" ABOVE},
        {STR("99999999999999999999999%"), ERR_FULL, "\"99999999999999999999999%\"" ABOVE},
        {STR("1000001ppm"), ERR_FULL, "\"1000001ppm\"" ABOVE},
        {STR(""), ERR_INVALID, "\"\"" NOT_A_SHARE},
        {STR("%"), ERR_INVALID, "\"%\"" NOT_A_SHARE},
        {STR("5x"), ERR_INVALID, "\"5x\"" NOT_A_SHARE},
        {STR("-1%"), ERR_INVALID, "\"-1%\"" NOT_A_SHARE},
        {STR("+1%"), ERR_INVALID, "\"+1%\"" NOT_A_SHARE},
        {STR(" 1%"), ERR_INVALID, "\" 1%\"" NOT_A_SHARE},
        {STR("1 %"), ERR_INVALID, "\"1 %\"" NOT_A_SHARE},
        {STR("1%%"), ERR_INVALID, "\"1%%\"" NOT_A_SHARE},
        {STR(".5%"), ERR_INVALID, "\".5%\"" NOT_A_SHARE},
        {STR("5.%"), ERR_INVALID, "\"5.%\"" NOT_A_SHARE},
        {STR("1.2.3%"), ERR_INVALID, "\"1.2.3%\"" NOT_A_SHARE},
        {STR("01%"), ERR_INVALID, "\"01%\"" NOT_A_SHARE},
        {STR("1e2%"), ERR_INVALID, "\"1e2%\"" NOT_A_SHARE},
        {STR("1PPM"), ERR_INVALID, "\"1PPM\"" NOT_A_SHARE},
        {STR("1\n%"), ERR_INVALID, "\"1\\n%\"" NOT_A_SHARE},
        {STR("1%\0"), ERR_INVALID, "\"1%\\u0000\"" NOT_A_SHARE},
    };
    T_TABLE(row, rows)
    {
        struct err err;
        uint32_t ppm = 77;
        assert_err(num_share_ppm(row->text, &ppm, &err), &err, row->rc, row->message);
        assert_int_equal(ppm, 77);
        assert_int_equal(num_share_ppm(row->text, &ppm, NULL), row->rc);
    }
}

static void test_share_shows_the_start_of_a_long_value(void **state)
{
    (void) state;
    char text[5000];
    struct err err;
    uint32_t ppm;
    memset(text, '\x01', sizeof text); /* each takes six bytes in the message */
    assert_int_equal(num_share_ppm((struct str){text, sizeof text}, &ppm, &err), ERR_INVALID);
    assert_true(str_ends_with(str_of(err.msg), STR("such as 250ppm")));
    assert_non_null(strstr(err.msg, "\\u0001\"... is not"));
    memset(text, '7', sizeof text);
    assert_int_equal(num_share_ppm((struct str){text, sizeof text}, &ppm, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "7\"... has no unit: write a percentage"));
}

static void test_share_text_is_the_shortest_exact_one(void **state)
{
    (void) state;
    const struct {
        uint32_t ppm;
        const char *text;
    } rows[] = {
        {0, "0"},        {1, "1ppm"},          {9, "9ppm"},       {10, "0.001%"},
        {250, "0.025%"}, {1000, "0.1%"},       {10000, "1%"},     {123456, "12.3456%"},
        {500000, "50%"}, {999999, "99.9999%"}, {1000000, "100%"}, {UINT32_MAX, "429496.7295%"},
    };
    T_TABLE(row, rows)
    {
        char text[16];
        num_share_text(row->ppm, text);
        assert_string_equal(text, row->text);
    }
}

static void test_every_share_reads_back_the_same(void **state)
{
    (void) state;
    for (uint32_t ppm = 0; ppm <= NUM_PPM_MAX; ppm++) {
        char text[16];
        uint32_t back = UINT32_MAX;
        num_share_text(ppm, text);
        t_check(num_share_ppm(str_of(text), &back, NULL) == 0 && back == ppm, "%u as %s gives %u",
                ppm, text, back);
    }
}

static void test_hex_is_16_lower_case_digits(void **state)
{
    (void) state;
    uint64_t value = 77;
    assert_int_equal(num_hex64(STR("0123456789abcdef"), &value), OK);
    assert_int_equal(value, UINT64_C(0x0123456789abcdef));
    value = 77;
    const struct str refused[] = {
        STR(""),
        STR("0"),
        STR("0123456789abcde"),
        STR("0123456789abcdef0"),
        STR("0123456789ABCDEF"),
        STR("0123456789abcdeg"),
        STR("0x23456789abcdef"),
        STR(" 123456789abcdef"),
        STR("-123456789abcdef"),
        STR("0123456789abcde\0"),
        STR("0123456789abcde`"),
        STR("/123456789abcdef"),
    };
    T_TABLE(row, refused)
    {
        assert_int_equal(num_hex64(*row, &value), ERR_INVALID);
    }
    assert_int_equal(value, 77);

    struct t_random random = t_random_init();
    for (int i = 0; i < 10000; i++) {
        char text[17];
        uint64_t number = t_random(&random);
        num_hex64_text(number, text);
        assert_int_equal(num_hex64(str_of(text), &value), OK);
        assert_true(value == number);
    }
}

static void test_float_is_rounded_once(void **state)
{
    (void) state;
    const struct {
        const char *text;
        int rc;
        float value;
    } rows[] = {
        {"0.1", OK, 0.1F},
        {"3.4028235e38", OK, 3.4028235e38F},
        {"3.40282357e38", ERR_FULL, 0},
        {"-1e39", ERR_FULL, 0},
        {"1e-45", OK, 1.4e-45F},
        /* As a double it is halfway between two floats, and would then be rounded down. */
        {"1.0000000596046448", OK, 0x1.000002p0F},
        {"1.", ERR_INVALID, 0},
        {"nan", ERR_INVALID, 0},
    };
    T_TABLE(row, rows)
    {
        float value = 77;
        int rc = num_float(str_of(row->text), &value);
        t_check(rc == row->rc, "\"%s\": %d, not %d", row->text, rc, row->rc);
        t_check(value == (rc == OK ? row->value : 77), "\"%s\": %g", row->text, (double) value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_u64_takes_plain_decimals_in_range),
        cmocka_unit_test(test_i64_reaches_both_ends),
        cmocka_unit_test(test_double_is_finite_decimal_and_exact),
        cmocka_unit_test(test_float_is_rounded_once),
        cmocka_unit_test(test_duration_needs_a_unit),
        cmocka_unit_test(test_bytes_count_in_1024),
        cmocka_unit_test(test_share_reads_percent_and_ppm),
        cmocka_unit_test(test_share_refuses_with_the_right_form),
        cmocka_unit_test(test_share_shows_the_start_of_a_long_value),
        cmocka_unit_test(test_share_text_is_the_shortest_exact_one),
        cmocka_unit_test(test_every_share_reads_back_the_same),
        cmocka_unit_test(test_hex_is_16_lower_case_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
