#pragma once
/*
 * Numbers from text and back: strict, locale-free, without allocation.
 *
 * All readers return 0, ERR_INVALID when the form is wrong, or ERR_FULL when the form is right and
 * the value is out of range; *ret is untouched on failure.  The caller writes the message (it knows
 * the name of the thing), except where a struct err is taken.
 */
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

#define NUM_CHECKED __attribute__((warn_unused_result))

#define NUM_PPM_MAX 1000000u /* a share of 100% */

/* Decimal digits only: no sign, no space, no leading zero but in "0".  min <= value <= max. */
NUM_CHECKED int num_u64(struct str s, uint64_t min, uint64_t max, uint64_t *ret);

/* Like num_u64 with an optional leading '-'; "-0" is refused. */
NUM_CHECKED int num_i64(struct str s, int64_t min, int64_t max, int64_t *ret);

/* Whether s is a number as JSON writes it (RFC 8259 section 6): -12, 0.5, 1e-3. */
bool num_is_decimal(struct str s);

/*
 * A finite number in the form of num_is_decimal, at most 127 bytes long (else ERR_FULL).
 * Too large for a double: ERR_FULL.  Too small: rounded to 0 or a subnormal.
 */
NUM_CHECKED int num_double(struct str s, double *ret);
/* The same for a float, rounded once. */
NUM_CHECKED int num_float(struct str s, float *ret);

/* "250ms", "10s", "5m", "2h", "1d" or "0", whole numbers; another number needs its unit. */
NUM_CHECKED int num_duration_ms(struct str s, uint64_t *ret_ms);

/* "4096" or with a unit of 1024, 1024^2, 1024^3: "64k", "8m", "1g"; capital letters too. */
NUM_CHECKED int num_bytes(struct str s, uint64_t *ret_bytes);

/*
 * A share of traffic: "0", "0.1%" (up to 4 decimals), "250ppm", "100%".  A number without unit
 * other than 0 is refused, as it could mean either.  ret_ppm: 0..NUM_PPM_MAX.
 * ERR_INVALID or ERR_FULL with the message in err (may be NULL), to be wrapped with the name of the
 * thing: `"1" has no unit: write 1% or 1ppm`.
 */
NUM_CHECKED int num_share_ppm(struct str s, uint32_t *ret_ppm, struct err *err);

/*
 * The one text of a share that num_share_ppm reads back exactly: "0", "1ppm" to "9ppm", then
 * percent with as few decimals as are exact ("0.001%", "0.1%", "100%").  NUL terminated.
 */
void num_share_text(uint32_t ppm, char out[16]);

/* Exactly 16 hex digits 0-9a-f. */
NUM_CHECKED int num_hex64(struct str s, uint64_t *ret);
/* 16 hex digits 0-9a-f and NUL. */
void num_hex64_text(uint64_t value, char out[17]);
/* The same without the NUL; quick, for the path of requests. */
void num_hex64_digits(uint64_t value, char out[16]);
