/* Timestamp and Duration as text. */
#include "support/t.h"

#include "base/buf.h"
#include "proto/wkt.h"

#define FORM  "write it as in 2006-01-02T15:04:05Z"
#define END   "it has to end in Z or in an offset such as +01:00"
#define DAY   "there is no such day"
#define TIME  "there is no such time of a day (leap seconds have none)"
#define RANGE "in UTC it is outside of the years 0001 to 9999"
#define DIGIT "a fraction of a second has 1 to 9 digits"

static void test_timestamps_are_read(void **state)
{
    (void) state;
    const struct {
        const char *text;
        int64_t seconds;
        int32_t nanos;
        const char *again;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0, 0, NULL},
        {"0001-01-01T00:00:00Z", INT64_C(-62135596800), 0, NULL},
        {"9999-12-31T23:59:59.999999999Z", INT64_C(253402300799), 999999999, NULL},
        {"1969-12-31T23:59:59.500Z", -1, 500000000, NULL},
        {"2000-02-29T12:00:00Z", 951825600, 0, NULL},
        {"1900-03-01T00:00:00Z", INT64_C(-2203891200), 0, NULL},
        {"2024-02-29T00:00:00.000001Z", 1709164800, 1000, NULL},
        {"2024-12-31T23:59:59.000000001Z", 1735689599, 1, NULL},
        {"2026-01-02T03:04:05.1Z", 1767323045, 100000000, "2026-01-02T03:04:05.100Z"},
        {"2026-01-02T03:04:05.0Z", 1767323045, 0, "2026-01-02T03:04:05Z"},
        {"2026-01-02T03:04:05.12345Z", 1767323045, 123450000, "2026-01-02T03:04:05.123450Z"},
        {"2026-01-02T12:34:05+09:30", 1767323045, 0, "2026-01-02T03:04:05Z"},
        {"2026-01-01T19:04:05-08:00", 1767323045, 0, "2026-01-02T03:04:05Z"},
        {"2026-01-02T03:04:05-00:00", 1767323045, 0, "2026-01-02T03:04:05Z"},
        {"0001-01-01T01:00:00+01:00", INT64_C(-62135596800), 0, "0001-01-01T00:00:00Z"},
    };
    T_TABLE(row, rows)
    {
        int64_t seconds = 77;
        int32_t nanos = 77;
        struct err err = {0};
        char text[64];
        struct buf b;
        buf_init_fixed(&b, text, sizeof text);
        int rc = proto_timestamp_parse(str_of(row->text), &seconds, &nanos, &err);
        t_check(rc == 0, "%s: %s", row->text, err.msg);
        t_check(seconds == row->seconds && nanos == row->nanos, "%s: %" PRId64 " %d", row->text,
                seconds, nanos);
        assert_int_equal(proto_timestamp_text(seconds, nanos, &b, &err), 0);
        assert_string_equal(text, row->again != NULL ? row->again : row->text);
    }
}

static void test_what_is_no_timestamp(void **state)
{
    (void) state;
    const struct {
        const char *text, *why;
    } rows[] = {
        {"", FORM},
        {"2026-01-02", FORM},
        {"2026-01-02 03:04:05Z", FORM},
        {"2026-01-02t03:04:05Z", FORM},
        {"2026-1-2T03:04:05Z", FORM},
        {" 2026-01-02T03:04:05Z", FORM},
        {"12026-01-02T03:04:05Z", FORM},
        {"-026-01-02T03:04:05Z", FORM},
        {"2026-01-02T03:04Z", FORM},
        {"2026-01-02T03:04:05", END},
        {"2026-01-02T03:04:05z", END},
        {"2026-01-02T03:04:05Z ", END},
        {"2026-01-02T03:04:05+0100", END},
        {"2026-01-02T03:04:05+1:00", END},
        {"2026-01-02T03:04:05+24:00", END},
        {"2026-01-02T03:04:05+01:60", END},
        {"2026-01-02T03:04:05.Z", DIGIT},
        {"2026-01-02T03:04:05.1234567890Z", DIGIT},
        {"2026-02-29T03:04:05Z", DAY},
        {"1900-02-29T03:04:05Z", DAY},
        {"2026-04-31T03:04:05Z", DAY},
        {"2026-13-01T03:04:05Z", DAY},
        {"2026-00-01T03:04:05Z", DAY},
        {"2026-01-00T03:04:05Z", DAY},
        {"0000-01-01T00:00:00Z", DAY},
        {"2026-01-02T24:00:00Z", TIME},
        {"2026-01-02T03:60:05Z", TIME},
        {"2016-12-31T23:59:60Z", TIME},
        {"0001-01-01T00:00:00+01:00", RANGE},
        {"9999-12-31T23:59:59-00:01", RANGE},
    };
    T_TABLE(row, rows)
    {
        int64_t seconds = 77;
        int32_t nanos = 77;
        struct err err;
        char want[300];
        (void) snprintf(want, sizeof want, "\"%s\" is no timestamp: %s", row->text, row->why);
        assert_err(proto_timestamp_parse(str_of(row->text), &seconds, &nanos, &err), &err,
                   ERR_INVALID, want);
        assert_true(seconds == 77 && nanos == 77);
    }
}

static void test_durations_are_read(void **state)
{
    (void) state;
    const struct {
        const char *text;
        int64_t seconds;
        int32_t nanos;
        const char *again;
    } rows[] = {
        {"0s", 0, 0, NULL},
        {"1.500s", 1, 500000000, NULL},
        {"-1.500s", -1, -500000000, NULL},
        {"-0.500s", 0, -500000000, NULL},
        {"0.000000001s", 0, 1, NULL},
        {"-0.000001s", 0, -1000, NULL},
        {"315576000000s", INT64_C(315576000000), 0, NULL},
        {"-315576000000.999999999s", INT64_C(-315576000000), -999999999, NULL},
        {"1.5s", 1, 500000000, "1.500s"},
        {"-0s", 0, 0, "0s"},
    };
    T_TABLE(row, rows)
    {
        int64_t seconds = 77;
        int32_t nanos = 77;
        struct err err = {0};
        char text[64];
        struct buf b;
        buf_init_fixed(&b, text, sizeof text);
        int rc = proto_duration_parse(str_of(row->text), &seconds, &nanos, &err);
        t_check(rc == 0, "%s: %s", row->text, err.msg);
        t_check(seconds == row->seconds && nanos == row->nanos, "%s: %" PRId64 " %d", row->text,
                seconds, nanos);
        assert_int_equal(proto_duration_text(seconds, nanos, &b, &err), 0);
        assert_string_equal(text, row->again != NULL ? row->again : row->text);
    }
}

static void test_what_is_no_duration(void **state)
{
    (void) state;
    const char *form = "write seconds and an s, as in 1.5s or -0.25s";
    const char *range = "it is longer than 315576000000s (10000 years)";
    const struct {
        const char *text, *why;
    } rows[] = {
        {"", form},
        {"1", form},
        {"s", form},
        {"1ms", form},
        {"+1s", form},
        {" 1s", form},
        {"1s ", form},
        {".5s", form},
        {"1e3s", form},
        {"--1s", form},
        {"1S", form},
        {"1.s", DIGIT},
        {"1.-5s", DIGIT},
        {"1.0000000000s", DIGIT},
        {"01s", "it begins with a 0 too many"},
        {"315576000001s", range},
        {"-315576000001s", range},
        {"99999999999999999999999s", range},
    };
    T_TABLE(row, rows)
    {
        int64_t seconds = 77;
        int32_t nanos = 77;
        struct err err;
        char want[300];
        (void) snprintf(want, sizeof want, "\"%s\" is no duration: %s", row->text, row->why);
        assert_err(proto_duration_parse(str_of(row->text), &seconds, &nanos, &err), &err,
                   ERR_INVALID, want);
        assert_true(seconds == 77 && nanos == 77);
    }
}

static void test_what_is_out_of_range_has_no_text(void **state)
{
    (void) state;
    struct err err;
    struct buf b;
    char text[64];
    buf_init_fixed(&b, text, sizeof text);
    assert_err(proto_timestamp_text(INT64_C(253402300800), 0, &b, &err), &err, ERR_INVALID,
               "a timestamp of 253402300800 seconds is outside of the years 0001 to 9999");
    assert_err(proto_timestamp_text(INT64_C(-62135596801), 0, &b, &err), &err, ERR_INVALID,
               "a timestamp of -62135596801 seconds is outside of the years 0001 to 9999");
    assert_err(proto_timestamp_text(0, -1, &b, &err), &err, ERR_INVALID,
               "a timestamp with -1 nanoseconds: they have to be 0 to 999999999");
    assert_err(proto_timestamp_text(0, 1000000000, &b, &err), &err, ERR_INVALID,
               "a timestamp with 1000000000 nanoseconds: they have to be 0 to 999999999");
    assert_err(proto_duration_text(INT64_MIN, 0, &b, &err), &err, ERR_INVALID,
               "a duration of -9223372036854775808 seconds is longer than 315576000000s (10000 "
               "years)");
    assert_err(proto_duration_text(INT64_C(315576000001), 0, &b, &err), &err, ERR_INVALID,
               "a duration of 315576000001 seconds is longer than 315576000000s (10000 years)");
    assert_err(proto_duration_text(0, INT32_MIN, &b, &err), &err, ERR_INVALID,
               "a duration with -2147483648 nanoseconds: they have to be less than a second");
    assert_err(proto_duration_text(1, -1, &b, &err), &err, ERR_INVALID,
               "a duration of 1 seconds and -1 nanoseconds has two signs");
    assert_err(proto_duration_text(-1, 1, &b, &err), &err, ERR_INVALID,
               "a duration of -1 seconds and 1 nanoseconds has two signs");
    assert_int_equal(b.len, 0);
}

static void test_every_second_reads_back_the_same(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    for (int i = 0; i < 20000; i++) {
        int64_t seconds =
            INT64_C(-62135596800) + (int64_t) t_random_below(&random, UINT64_C(315537897600));
        int32_t nanos = (int32_t) t_random_below(&random, 1000000000);
        int64_t again = 0;
        int32_t nanos_again = 0;
        char text[64];
        struct buf b;
        struct err err = {0};
        buf_init_fixed(&b, text, sizeof text);
        assert_int_equal(proto_timestamp_text(seconds, nanos, &b, &err), 0);
        assert_int_equal(proto_timestamp_parse(buf_str(&b), &again, &nanos_again, &err), 0);
        t_check(again == seconds && nanos_again == nanos, "%s", text);
        buf_clear(&b);
        seconds = t_random_below(&random, 2) == 0 ? -seconds : seconds;
        nanos = seconds < 0 ? -nanos : nanos;
        assert_int_equal(proto_duration_text(seconds, nanos, &b, &err), 0);
        assert_int_equal(proto_duration_parse(buf_str(&b), &again, &nanos_again, &err), 0);
        t_check(again == seconds && nanos_again == nanos, "%s", text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timestamps_are_read),
        cmocka_unit_test(test_what_is_no_timestamp),
        cmocka_unit_test(test_durations_are_read),
        cmocka_unit_test(test_what_is_no_duration),
        cmocka_unit_test(test_what_is_out_of_range_has_no_text),
        cmocka_unit_test(test_every_second_reads_back_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
