/* Time: see clock.h. */
#include "base/clock.h"

#include "base/buf.h"

#include <stddef.h>
#include <time.h>

static uint64_t read_us(clockid_t id)
{
    struct timespec now;
    (void) clock_gettime(id, &now); /* cannot fail for these two clocks */
    return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

uint64_t clock_mono_us(void)
{
    return read_us(CLOCK_MONOTONIC);
}

uint64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

uint64_t clock_wall_us(void)
{
    return read_us(CLOCK_REALTIME);
}

uint64_t clock_wall_ms(void)
{
    return clock_wall_us() / 1000;
}

struct date {
    uint64_t year;
    unsigned month, day;
};

/*
 * Gregorian date of a day since 1970-01-01.  Years begin in March here, so that the leap day is the
 * last of the year; an era is 400 years of 146097 days together (H. Hinnant, civil_from_days).
 * Not gmtime_r, which reads the time zone file and allocates on its first call.
 */
static struct date date_of(uint64_t days)
{
    uint64_t shifted = days + 719468; /* days since 0000-03-01 */
    uint64_t era = shifted / 146097, in_era = shifted % 146097;
    uint64_t year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    unsigned in_year = (unsigned) (in_era - (365 * year + year / 4 - year / 100));
    unsigned month = (5 * in_year + 2) / 153; /* 0: March */
    return (struct date){
        .year = era * 400 + year + (month >= 10),
        .month = month < 10 ? month + 3 : month - 9,
        .day = in_year - (153 * month + 2) / 5 + 1,
    };
}

void clock_format_utc_ms(uint64_t wall_ms, char out[32])
{
    const uint64_t end_of_9999 = UINT64_C(253402300799999);
    if (wall_ms > end_of_9999) {
        wall_ms = end_of_9999;
    }
    unsigned in_day = (unsigned) (wall_ms % 86400000);
    struct date date = date_of(wall_ms / 86400000);
    struct buf b;
    buf_init_fixed(&b, out, 32);
    buf_addf(&b, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned) date.year, date.month, date.day,
             in_day / 3600000, in_day / 60000 % 60, in_day / 1000 % 60, in_day % 1000);
}

static uint64_t system_mono_ms(void *ctx)
{
    (void) ctx;
    return clock_mono_ms();
}

static uint64_t system_wall_ms(void *ctx)
{
    (void) ctx;
    return clock_wall_ms();
}

const struct clock clock_system = {system_mono_ms, system_wall_ms, NULL};
