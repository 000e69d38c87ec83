/* Numbers from text and back: see num.h. */
#include "base/num.h"

#include "base/buf.h"
#include "base/json.h"

#include <endian.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t count_digits(struct str s)
{
    size_t n = 0;
    while (n < s.len && str_is_digit(s.ptr[n])) {
        n++;
    }
    return n;
}

static struct str tail(struct str s, size_t from)
{
    return (struct str){s.ptr + from, s.len - from};
}

static int parse_digits(struct str s, uint64_t *ret)
{
    if (s.len == 0 || count_digits(s) != s.len || (s.ptr[0] == '0' && s.len > 1)) {
        return ERR_INVALID;
    }
    uint64_t value = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t) (s.ptr[i] - '0'), &value)) {
            return ERR_FULL;
        }
    }
    *ret = value;
    return 0;
}

int num_u64(struct str s, uint64_t min, uint64_t max, uint64_t *ret)
{
    uint64_t value;
    int rc = parse_digits(s, &value);
    if (rc < 0) {
        return rc;
    }
    if (value < min || value > max) {
        return ERR_FULL;
    }
    *ret = value;
    return 0;
}

int num_i64(struct str s, int64_t min, int64_t max, int64_t *ret)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    uint64_t size;
    int rc = parse_digits(negative ? tail(s, 1) : s, &size);
    if (rc < 0) {
        return rc;
    }
    if (negative && size == 0) {
        return ERR_INVALID;
    }
    if (size > (uint64_t) INT64_MAX + negative) {
        return ERR_FULL;
    }
    /* Negated as -(size - 1) - 1, as INT64_MIN has no positive twin. */
    int64_t value = negative ? -(int64_t) (size - 1) - 1 : (int64_t) size;
    if (value < min || value > max) {
        return ERR_FULL;
    }
    *ret = value;
    return 0;
}

bool num_is_decimal(struct str s)
{
    size_t at = s.len > 0 && s.ptr[0] == '-';
    size_t n = count_digits(tail(s, at));
    if (n == 0 || (n > 1 && s.ptr[at] == '0')) {
        return false;
    }
    at += n;
    if (at < s.len && s.ptr[at] == '.') {
        n = count_digits(tail(s, at + 1));
        if (n == 0) {
            return false;
        }
        at += 1 + n;
    }
    if (at < s.len && (s.ptr[at] == 'e' || s.ptr[at] == 'E')) {
        at++;
        if (at < s.len && (s.ptr[at] == '+' || s.ptr[at] == '-')) {
            at++;
        }
        n = count_digits(tail(s, at));
        if (n == 0) {
            return false;
        }
        at += n;
    }
    return at == s.len;
}

enum { DECIMAL_MAX = 127 };

/* A NUL-terminated copy of a number of the right form. */
static int copy_decimal(struct str s, char out[DECIMAL_MAX + 1])
{
    if (!num_is_decimal(s)) {
        return ERR_INVALID;
    }
    if (s.len > DECIMAL_MAX) {
        return ERR_FULL;
    }
    memcpy(out, s.ptr, s.len);
    out[s.len] = '\0';
    return 0;
}

/* A constant of glibc: this neither allocates nor needs a freelocale. */
static locale_t c_locale(void)
{
    return newlocale(LC_ALL_MASK, "C", (locale_t) 0);
}

int num_double(struct str s, double *ret)
{
    char text[DECIMAL_MAX + 1];
    int rc = copy_decimal(s, text);
    if (rc < 0) {
        return rc;
    }
    double value = strtod_l(text, NULL, c_locale());
    if (!isfinite(value)) {
        return ERR_FULL;
    }
    *ret = value;
    return 0;
}

int num_float(struct str s, float *ret)
{
    char text[DECIMAL_MAX + 1];
    int rc = copy_decimal(s, text);
    if (rc < 0) {
        return rc;
    }
    float value = strtof_l(text, NULL, c_locale());
    if (!isfinite(value)) {
        return ERR_FULL;
    }
    *ret = value;
    return 0;
}

struct unit {
    struct str name; /* lower case */
    uint64_t factor;
};

static int parse_with_unit(struct str s, const struct unit *unit, size_t nunits, uint64_t *ret)
{
    size_t n = count_digits(s);
    uint64_t value;
    int rc = parse_digits((struct str){s.ptr, n}, &value);
    if (rc == ERR_INVALID) {
        return rc;
    }
    for (size_t i = 0; i < nunits; i++) {
        if (str_eq(unit[i].name, tail(s, n))) {
            if (rc < 0 || __builtin_mul_overflow(value, unit[i].factor, &value)) {
                return ERR_FULL;
            }
            *ret = value;
            return 0;
        }
    }
    return ERR_INVALID;
}

int num_duration_ms(struct str s, uint64_t *ret_ms)
{
    const struct unit unit[] = {
        {STR("ms"), 1},        {STR("s"), 1000},       {STR("m"), 60 * 1000},
        {STR("h"), 3600000ul}, {STR("d"), 86400000ul},
    };
    if (str_eq(s, STR("0"))) {
        *ret_ms = 0;
        return 0;
    }
    return parse_with_unit(s, unit, sizeof unit / sizeof unit[0], ret_ms);
}

int num_bytes(struct str s, uint64_t *ret_bytes)
{
    const struct unit unit[] = {
        {STR(""), 1},          {STR("k"), 1ul << 10}, {STR("m"), 1ul << 20}, {STR("g"), 1ul << 30},
        {STR("K"), 1ul << 10}, {STR("M"), 1ul << 20}, {STR("G"), 1ul << 30},
    };
    return parse_with_unit(s, unit, sizeof unit / sizeof unit[0], ret_bytes);
}

/* The first bytes of a value as a JSON string, fit for a message whatever is in it. */
static const char *quoted(struct str s, char out[256])
{
    enum { SHOWN = 40 }; /* 6 bytes each at worst */
    struct buf b;
    buf_init_fixed(&b, out, 256);
    json_quote(&b, (struct str){s.ptr, s.len < SHOWN ? s.len : SHOWN});
    if (s.len > SHOWN) {
        buf_add_cstr(&b, "...");
    }
    return out;
}

static int refuse_share(struct str s, enum err_code code, const char *why, struct err *err)
{
    char text[256];
    return err_set(err, code, "%s %s", quoted(s, text), why);
}

/* whole and decimals of a percentage, in ppm; ERR_FULL above 100%. */
static int percent_ppm(struct str whole, struct str decimals, uint64_t *ret_ppm)
{
    uint64_t percent;
    int rc = num_u64(whole, 0, 100, &percent);
    if (rc < 0) {
        return rc;
    }
    uint64_t ppm = percent * 10000, step = 1000;
    for (size_t i = 0; i < decimals.len; i++, step /= 10) {
        ppm += (uint64_t) (decimals.ptr[i] - '0') * step;
    }
    *ret_ppm = ppm;
    return ppm > NUM_PPM_MAX ? ERR_FULL : 0;
}

#define SHARE_FORMS "write a percentage such as 0.1%, or parts per million such as 250ppm"

/* A number alone could mean percent or ppm: shows what it would be in each that can hold it. */
static int refuse_bare(struct str s, struct str whole, struct str decimals, struct err *err)
{
    int len = (int) s.len; /* short whenever it is printed */
    uint64_t ppm;
    bool is_share = decimals.len <= 4 && percent_ppm(whole, decimals, &ppm) == 0;
    if (is_share && decimals.len > 0) {
        return err_set(err, ERR_INVALID, "\"%.*s\" has no unit: write %.*s%%", len, s.ptr, len,
                       s.ptr);
    }
    if (is_share) {
        return err_set(err, ERR_INVALID, "\"%.*s\" has no unit: write %.*s%% or %.*sppm", len,
                       s.ptr, len, s.ptr, len, s.ptr);
    }
    if (num_u64(s, 0, NUM_PPM_MAX, &ppm) == 0) {
        return err_set(err, ERR_INVALID, "\"%.*s\" has no unit: write %.*sppm", len, s.ptr, len,
                       s.ptr);
    }
    return refuse_share(s, ERR_INVALID, "has no unit: " SHARE_FORMS, err);
}

int num_share_ppm(struct str s, uint32_t *ret_ppm, struct err *err)
{
    struct str whole = {s.ptr, count_digits(s)};
    struct str decimals = {NULL, 0}, unit = tail(s, whole.len);
    if (unit.len > 0 && unit.ptr[0] == '.') {
        decimals = (struct str){unit.ptr + 1, count_digits(tail(unit, 1))};
        unit = tail(unit, 1 + decimals.len);
    }
    bool is_percent = str_eq(unit, STR("%")), is_ppm = str_eq(unit, STR("ppm"));

    if (!num_is_decimal((struct str){s.ptr, s.len - unit.len}) ||
        !(is_percent || is_ppm || unit.len == 0)) {
        return refuse_share(s, ERR_INVALID, "is not a share of traffic: " SHARE_FORMS, err);
    }
    if (unit.len == 0 && !str_eq(s, STR("0"))) {
        return refuse_bare(s, whole, decimals, err);
    }
    if (is_ppm && decimals.len > 0) {
        return refuse_share(s, ERR_INVALID, "is finer than 1ppm: write whole ppm", err);
    }
    if (decimals.len > 4) {
        return refuse_share(s, ERR_INVALID,
                            "is finer than 1ppm: write at most 4 decimals (0.0001% is 1ppm)", err);
    }
    uint64_t ppm = 0;
    int rc = is_ppm ? num_u64(whole, 0, NUM_PPM_MAX, &ppm) : percent_ppm(whole, decimals, &ppm);
    if (rc < 0) {
        return refuse_share(s, ERR_FULL, "is above 100% (1000000ppm), the whole traffic", err);
    }
    *ret_ppm = (uint32_t) ppm;
    return 0;
}

void num_share_text(uint32_t ppm, char out[16])
{
    struct buf b;
    buf_init_fixed(&b, out, 16);
    if (ppm < 10) {
        buf_addf(&b, ppm == 0 ? "0" : "%uppm", ppm);
        return;
    }
    unsigned decimals = ppm % 10000, width = 4;
    buf_add_u64(&b, ppm / 10000);
    if (decimals > 0) {
        while (decimals % 10 == 0) {
            decimals /= 10;
            width--;
        }
        buf_addf(&b, ".%0*u", (int) width, decimals);
    }
    buf_add_char(&b, '%');
}

int num_hex64(struct str s, uint64_t *ret)
{
    uint64_t value = 0;
    if (s.len != 16) {
        return ERR_INVALID;
    }
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (str_is_digit(c)) {
            value = value << 4 | (uint64_t) (c - '0');
        } else if (c >= 'a' && c <= 'f') {
            value = value << 4 | (uint64_t) (c - 'a' + 10);
        } else {
            return ERR_INVALID;
        }
    }
    *ret = value;
    return 0;
}

/*
 * Eight digits at once, as one word of eight bytes: the nibbles are spread, one a byte, the highest
 * into the lowest byte; then '0' is added to each, and to those above 9 what 'a' lies behind '9'.
 */
static uint64_t hex32_word(uint32_t value)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t x = __builtin_bswap32(value);

    x = (x | x << 16) & 0x0000ffff0000ffffu;
    x = (x | x << 8) & 0x00ff00ff00ff00ffu;
    x = (x >> 4 & 0x000f000f000f000fu) | (x & 0x000f000f000f000fu) << 8;
    uint64_t above_9 = (x + 6 * ones) >> 4 & ones;
    return x + '0' * ones + above_9 * ('a' - '9' - 1);
}

void num_hex64_digits(uint64_t value, char out[16])
{
    uint64_t word[2] = {htole64(hex32_word((uint32_t) (value >> 32))),
                        htole64(hex32_word((uint32_t) value))};
    memcpy(out, word, sizeof(word));
}

void num_hex64_text(uint64_t value, char out[17])
{
    num_hex64_digits(value, out);
    out[16] = '\0';
}
