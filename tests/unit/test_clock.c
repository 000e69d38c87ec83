/* Clocks: they run, they agree, and dates are those of the Gregorian calendar. */
#include "base/clock.h"
#include "support/t.h"

#include <time.h>

static void test_dates(void **state)
{
    (void) state;
    const struct {
        uint64_t ms;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {999, "1970-01-01T00:00:00.999Z"},
        {UINT64_C(951782399999), "2000-02-28T23:59:59.999Z"},
        {UINT64_C(951782400000), "2000-02-29T00:00:00.000Z"},
        {UINT64_C(4107542400000), "2100-03-01T00:00:00.000Z"}, /* no leap year */
        {UINT64_C(253402300799999), "9999-12-31T23:59:59.999Z"},
        {UINT64_C(253402300800000), "9999-12-31T23:59:59.999Z"},
        {UINT64_MAX, "9999-12-31T23:59:59.999Z"},
    };
    T_TABLE(row, rows)
    {
        char text[32];
        clock_format_utc_ms(row->ms, text);
        assert_string_equal(text, row->text);
    }
}

/* Each day of four centuries, which is a whole period of the calendar, and many beyond. */
static void test_each_day_agrees_with_libc(void **state)
{
    (void) state;
    for (uint64_t day = 0; day < 200000; day++) {
        char text[32], wanted[48];
        struct tm tm;
        time_t seconds = (time_t) (day * 86400 + day % 86400);
        assert_non_null(gmtime_r(&seconds, &tm));
        assert_true(strftime(wanted, sizeof wanted, "%Y-%m-%dT%H:%M:%S.007Z", &tm) > 0);
        clock_format_utc_ms((uint64_t) seconds * 1000 + 7, text);
        assert_string_equal(text, wanted);
    }
}

static void test_clocks_run_and_agree(void **state)
{
    (void) state;
    uint64_t us = clock_mono_us(), ms = clock_mono_ms();
    uint64_t deadline = us + 10000000;
    assert_true(ms >= us / 1000);
    while (clock_mono_us() == us) {
        assert_true(clock_mono_us() < deadline);
    }
    assert_true(clock_mono_us() > us);

    uint64_t wall_ms = clock_wall_ms(), wall_us = clock_wall_us();
    uint64_t now_ms = (uint64_t) time(NULL) * 1000;
    assert_true(wall_us / 1000 >= wall_ms);
    assert_true(wall_ms + 60000 > now_ms && wall_ms < now_ms + 60000);

    assert_true(clock_system.mono_ms(clock_system.ctx) >= ms);
    assert_true(clock_system.wall_ms(clock_system.ctx) >= wall_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_each_day_agrees_with_libc),
        cmocka_unit_test(test_clocks_run_and_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
