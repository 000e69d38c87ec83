/*
 * Timestamp and Duration as text: see wkt.h.  Days are counted as in Howard Hinnant's "chrono-
 * Compatible Low-Level Date Algorithms": years begin in March, so that the leap day is the last.
 */
#include "base/num.h"
#include "proto/text_int.h"
#include "proto/wkt.h"

#include <stdlib.h>

#define TIMESTAMP_MIN INT64_C(-62135596800) /* 0001-01-01T00:00:00Z */
#define TIMESTAMP_MAX INT64_C(253402300799) /* 9999-12-31T23:59:59Z */
#define DURATION_MAX  INT64_C(315576000000) /* 10000 years of 365.25 days */

enum { NANOS = 1000000000, DAY_SECONDS = 86400, ERA_DAYS = 146097 };

/* Days since 1970-01-01; year: 0 to 10000. */
static int64_t days_of(int year, int month, int day)
{
    int y = year - (month <= 2) + 400; /* an era earlier, so that nothing is negative */
    int era = y / 400, of_era = y % 400;
    int of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    return (int64_t) (era - 1) * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year -
           719468;
}

struct date {
    int year, month, day;
};

static struct date date_of(int64_t days)
{
    int64_t z = days + 719468 + ERA_DAYS;
    int64_t era = z / ERA_DAYS;
    int of_era = (int) (z % ERA_DAYS);
    int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * year + year / 4 - year / 100);
    int month = (5 * of_year + 2) / 153;
    struct date date = {.day = of_year - (153 * month + 2) / 5 + 1,
                        .month = month < 10 ? month + 3 : month - 9,
                        .year = year + (int) (era - 1) * 400};
    date.year += date.month <= 2;
    return date;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (leap && month == 2);
}

/* ---- Reading. ---- */

/* Takes n digits off the front. */
static bool take_digits(struct str *s, size_t n, int *ret)
{
    int value = 0;
    if (s->len < n) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9') {
            return false;
        }
        value = value * 10 + (s->ptr[i] - '0');
    }
    *s = (struct str){s->ptr + n, s->len - n};
    *ret = value;
    return true;
}

static bool take_char(struct str *s, char c)
{
    if (s->len == 0 || s->ptr[0] != c) {
        return false;
    }
    *s = (struct str){s->ptr + 1, s->len - 1};
    return true;
}

/* The 1 to 9 digits behind a point, if there is one.  False: too few or too many. */
static bool take_fraction(struct str *s, int32_t *ret_nanos)
{
    int32_t nanos = 0, unit = NANOS;
    if (take_char(s, '.')) {
        while (s->len > 0 && s->ptr[0] >= '0' && s->ptr[0] <= '9') {
            unit /= 10;
            if (unit == 0) {
                return false;
            }
            nanos += (s->ptr[0] - '0') * unit;
            *s = (struct str){s->ptr + 1, s->len - 1};
        }
        if (unit == NANOS) {
            return false;
        }
    }
    *ret_nanos = nanos;
    return true;
}

/* "Z" or "+09:30" up to the end, in seconds east of Greenwich. */
static bool take_offset(struct str *s, int *ret)
{
    int hours = 0, minutes = 0;
    if (!take_char(s, 'Z')) {
        bool west = take_char(s, '-');
        if ((!west && !take_char(s, '+')) || !take_digits(s, 2, &hours) || !take_char(s, ':') ||
            !take_digits(s, 2, &minutes) || hours > 23 || minutes > 59) {
            return false;
        }
        hours = west ? -hours : hours;
        minutes = west ? -minutes : minutes;
    }
    *ret = hours * 3600 + minutes * 60;
    return s->len == 0;
}

static int refuse_timestamp(struct str text, const char *why, struct err *err)
{
    char quoted[256];
    return err_set(err, ERR_INVALID, "%s is no timestamp: %s", proto_quoted(text, quoted), why);
}

struct clock {
    int hour, minute, second;
};

/* "2006-01-02T15:04:05"; whether there is such a day and time is not looked at. */
static bool take_date_time(struct str *s, struct date *ret_date, struct clock *ret_clock)
{
    return take_digits(s, 4, &ret_date->year) && take_char(s, '-') &&
           take_digits(s, 2, &ret_date->month) && take_char(s, '-') &&
           take_digits(s, 2, &ret_date->day) && take_char(s, 'T') &&
           take_digits(s, 2, &ret_clock->hour) && take_char(s, ':') &&
           take_digits(s, 2, &ret_clock->minute) && take_char(s, ':') &&
           take_digits(s, 2, &ret_clock->second);
}

static bool is_day(struct date d)
{
    return d.year >= 1 && d.month >= 1 && d.month <= 12 && d.day >= 1 &&
           d.day <= days_in_month(d.year, d.month);
}

int proto_timestamp_parse(struct str text, int64_t *ret_seconds, int32_t *ret_nanos,
                          struct err *err)
{
    struct date date;
    struct clock clock;
    int offset;
    int32_t nanos;
    struct str s = text;
    if (!take_date_time(&s, &date, &clock)) {
        return refuse_timestamp(text, "write it as in 2006-01-02T15:04:05Z", err);
    }
    if (!take_fraction(&s, &nanos)) {
        return refuse_timestamp(text, "a fraction of a second has 1 to 9 digits", err);
    }
    if (!take_offset(&s, &offset)) {
        return refuse_timestamp(text, "it has to end in Z or in an offset such as +01:00", err);
    }
    if (!is_day(date)) {
        return refuse_timestamp(text, "there is no such day", err);
    }
    if (clock.hour > 23 || clock.minute > 59 || clock.second > 59) {
        return refuse_timestamp(text, "there is no such time of a day (leap seconds have none)",
                                err);
    }
    int64_t seconds = days_of(date.year, date.month, date.day) * DAY_SECONDS + clock.hour * 3600 +
                      clock.minute * 60 + clock.second - offset;
    if (seconds < TIMESTAMP_MIN || seconds > TIMESTAMP_MAX) {
        return refuse_timestamp(text, "in UTC it is outside of the years 0001 to 9999", err);
    }
    *ret_seconds = seconds;
    *ret_nanos = nanos;
    return 0;
}

static int refuse_duration(struct str text, const char *why, struct err *err)
{
    char quoted[256];
    return err_set(err, ERR_INVALID, "%s is no duration: %s", proto_quoted(text, quoted), why);
}

int proto_duration_parse(struct str text, int64_t *ret_seconds, int32_t *ret_nanos, struct err *err)
{
    static const char form[] = "write seconds and an s, as in 1.5s or -0.25s";
    struct str s = text, whole;
    int32_t nanos;
    int64_t seconds;
    bool negative = take_char(&s, '-');
    whole = (struct str){s.ptr, 0};
    while (s.len > 0 && s.ptr[0] >= '0' && s.ptr[0] <= '9') {
        s = (struct str){s.ptr + 1, s.len - 1};
        whole.len++;
    }
    if (whole.len == 0) {
        return refuse_duration(text, form, err);
    }
    if (!take_fraction(&s, &nanos)) {
        return refuse_duration(text, "a fraction of a second has 1 to 9 digits", err);
    }
    if (s.len != 1 || s.ptr[0] != 's') {
        return refuse_duration(text, form, err);
    }
    int rc = num_i64(whole, 0, DURATION_MAX, &seconds);
    if (rc < 0) {
        return refuse_duration(text,
                               rc == ERR_FULL ? "it is longer than 315576000000s (10000 years)"
                                              : "it begins with a 0 too many",
                               err);
    }
    *ret_seconds = negative ? -seconds : seconds;
    *ret_nanos = negative ? -nanos : nanos;
    return 0;
}

/* ---- Writing. ---- */

/* Nothing, or a point and 3, 6 or 9 digits; nanos: 0 to 999999999. */
static void add_fraction(int32_t nanos, struct buf *b)
{
    if (nanos % 1000000 == 0) {
        if (nanos > 0) {
            buf_addf(b, ".%03d", nanos / 1000000);
        }
    } else if (nanos % 1000 == 0) {
        buf_addf(b, ".%06d", nanos / 1000);
    } else {
        buf_addf(b, ".%09d", nanos);
    }
}

int proto_timestamp_text(int64_t seconds, int32_t nanos, struct buf *b, struct err *err)
{
    if (seconds < TIMESTAMP_MIN || seconds > TIMESTAMP_MAX) {
        return err_set(err, ERR_INVALID,
                       "a timestamp of %lld seconds is outside of the years 0001 to 9999",
                       (long long) seconds);
    }
    if (nanos < 0 || nanos >= NANOS) {
        return err_set(err, ERR_INVALID,
                       "a timestamp with %d nanoseconds: they have to be 0 to 999999999", nanos);
    }
    int64_t from_min = seconds - TIMESTAMP_MIN; /* divides without a negative rest */
    int of_day = (int) (from_min % DAY_SECONDS);
    struct date date = date_of(from_min / DAY_SECONDS + TIMESTAMP_MIN / DAY_SECONDS);
    buf_addf(b, "%04d-%02d-%02dT%02d:%02d:%02d", date.year, date.month, date.day, of_day / 3600,
             of_day / 60 % 60, of_day % 60);
    add_fraction(nanos, b);
    buf_add_char(b, 'Z');
    return 0;
}

int proto_duration_text(int64_t seconds, int32_t nanos, struct buf *b, struct err *err)
{
    if (seconds < -DURATION_MAX || seconds > DURATION_MAX) {
        return err_set(err, ERR_INVALID,
                       "a duration of %lld seconds is longer than 315576000000s (10000 years)",
                       (long long) seconds);
    }
    if (nanos <= -NANOS || nanos >= NANOS) {
        return err_set(err, ERR_INVALID,
                       "a duration with %d nanoseconds: they have to be less than a second", nanos);
    }
    if ((seconds > 0 && nanos < 0) || (seconds < 0 && nanos > 0)) {
        return err_set(err, ERR_INVALID,
                       "a duration of %lld seconds and %d nanoseconds has two signs",
                       (long long) seconds, nanos);
    }
    buf_addf(b, "%s%lld", seconds < 0 || nanos < 0 ? "-" : "", (long long) llabs(seconds));
    add_fraction(abs(nanos), b);
    buf_add_char(b, 's');
    return 0;
}
