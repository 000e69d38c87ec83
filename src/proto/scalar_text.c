/* The text of scalars: see scalar.h. */
#include "base/base64.h"
#include "base/mem.h"
#include "proto/scalar.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXP_TEXT_MAX = 32, FLOAT_DIGITS = 9, DOUBLE_DIGITS = 17 };

static void exp_text(double value, unsigned digits, char out[EXP_TEXT_MAX])
{
    struct buf b;
    buf_init_fixed(&b, out, EXP_TEXT_MAX);
    buf_addf(&b, "%.*e", (int) digits - 1, value);
}

/* The shortest number that reads back, as "d.ddde+XX".  More digits come no less close. */
static void shortest_exp(double value, bool is_float, char out[EXP_TEXT_MAX])
{
    /* A constant of glibc: the point stays a point in every locale. */
    locale_t c_locale = newlocale(LC_ALL_MASK, "C", (locale_t) 0);
    locale_t before = uselocale(c_locale);
    unsigned few = 1, enough = is_float ? FLOAT_DIGITS : DOUBLE_DIGITS;
    while (few < enough) {
        unsigned digits = (few + enough) / 2;
        exp_text(value, digits, out);
        if (is_float ? strtof(out, NULL) == (float) value : strtod(out, NULL) == value) {
            enough = digits;
        } else {
            few = digits + 1;
        }
    }
    exp_text(value, enough, out);
    (void) uselocale(before);
}

/* "+05" or "-12" */
static int exponent_of(const char *text)
{
    int value = 0;
    for (const char *c = text + 1; *c != '\0'; c++) {
        value = value * 10 + (*c - '0');
    }
    return *text == '-' ? -value : value;
}

/* Laid out as ECMAScript does (ECMA-262, Number::toString): plain from 1e-7 to 1e21. */
static void float_text(double value, bool is_float, struct buf *b)
{
    char text[EXP_TEXT_MAX], digits[EXP_TEXT_MAX];
    int n = 0;
    if (isnan(value)) {
        buf_add_cstr(b, "NaN");
        return;
    }
    buf_add_cstr(b, signbit(value) ? "-" : "");
    if (isinf(value) || value == 0) {
        /* Readers that take -0 for an integer would lose the sign, hence "-0.0". */
        buf_add_cstr(b, isinf(value) ? "Infinity" : signbit(value) ? "0.0" : "0");
        return;
    }
    shortest_exp(fabs(value), is_float, text);
    const char *e = strchr(text, 'e');
    for (const char *c = text; c < e; c++) {
        if (*c != '.') {
            digits[n++] = *c;
        }
    }
    int point = exponent_of(e + 1) + 1; /* digits before the point */
    if (point > 21 || point < -5) {
        buf_add(b, digits, 1);
        buf_add_cstr(b, n > 1 ? "." : "");
        buf_add(b, digits + 1, (size_t) n - 1);
        buf_addf(b, "e%+d", point - 1);
        return;
    }
    if (point <= 0) {
        buf_addf(b, "0.%.*s", -point, "000000");
        buf_add(b, digits, (size_t) n);
        return;
    }
    for (int i = 0; i < n || i < point; i++) {
        if (i == point) {
            buf_add_char(b, '.');
        }
        if (i < n) {
            buf_add_char(b, digits[i]);
        } else {
            buf_add_char(b, '0');
        }
    }
}

static void bytes_text(struct str bytes, struct buf *b)
{
    enum { PIECE = 192 }; /* a multiple of three: pieces need no padding */
    char out[PIECE / 3 * 4];
    while (bytes.len > 0) {
        size_t n = bytes.len < PIECE ? bytes.len : PIECE;
        buf_add(b, out, base64_encode((struct str){bytes.ptr, n}, true, out));
        bytes = (struct str){bytes.ptr + n, bytes.len - n};
    }
}

static void enum_text(const struct proto_enum_desc *desc, int32_t number, struct buf *b)
{
    const struct proto_enum_value_desc *value = proto_enum_by_number(desc, number);
    if (value == NULL) {
        buf_add_i64(b, number);
    } else {
        buf_add_str(b, value->name);
    }
}

void proto_scalar_text(const struct proto_field_desc *field, union proto_value value, struct buf *b)
{
    switch (field->type) {
    case PROTO_DOUBLE:
        float_text(value.f64, false, b);
        return;
    case PROTO_FLOAT:
        float_text((double) value.f32, true, b);
        return;
    case PROTO_INT64:
    case PROTO_SINT64:
    case PROTO_SFIXED64:
        buf_add_i64(b, value.i64);
        return;
    case PROTO_INT32:
    case PROTO_SINT32:
    case PROTO_SFIXED32:
        buf_add_i64(b, value.i32);
        return;
    case PROTO_UINT64:
    case PROTO_FIXED64:
        buf_add_u64(b, value.u64);
        return;
    case PROTO_UINT32:
    case PROTO_FIXED32:
        buf_add_u64(b, value.u32);
        return;
    case PROTO_BOOL:
        buf_add_cstr(b, value.boolean ? "true" : "false");
        return;
    case PROTO_STRING:
        buf_add_str(b, value.bytes);
        return;
    case PROTO_BYTES:
        bytes_text(value.bytes, b);
        return;
    case PROTO_ENUM:
        enum_text(field->enumeration, value.i32, b);
        return;
    case PROTO_GROUP:
    case PROTO_MESSAGE:
        break;
    }
    BUG("a message is no scalar");
}
