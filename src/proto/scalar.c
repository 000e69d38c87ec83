/* Scalars as text, read by the type of their field: see scalar.h. */
#include "proto/scalar.h"

#include "base/base64.h"
#include "base/mem.h"
#include "base/num.h"
#include "proto/text_int.h"

#include <limits.h>
#include <math.h>
#include <string.h>

/* What a read is about; every reader gets it whole. */
struct text {
    const struct proto_field_desc *field;
    struct str text;
    enum proto_notation notation;
    struct arena *arena;
    struct err *err;
};

/* As it stands in the source: what is bare in JSON has no quotes there. */
static const char *shown(const struct text *t, char out[256])
{
    (void) proto_quoted(t->text, out);
    if (t->notation == PROTO_JSON_BARE && strlen(out) == t->text.len + 2) {
        memmove(out, out + 1, t->text.len);
        out[t->text.len] = '\0';
    }
    return out;
}

static const char *type_name(const struct proto_field_desc *field)
{
    static const char *const names[] = {
        [PROTO_DOUBLE] = "double",   [PROTO_FLOAT] = "float",       [PROTO_INT64] = "int64",
        [PROTO_UINT64] = "uint64",   [PROTO_INT32] = "int32",       [PROTO_FIXED64] = "fixed64",
        [PROTO_FIXED32] = "fixed32", [PROTO_BOOL] = "bool",         [PROTO_STRING] = "string",
        [PROTO_BYTES] = "bytes",     [PROTO_UINT32] = "uint32",     [PROTO_ENUM] = "enum",
        [PROTO_SINT32] = "sint32",   [PROTO_SFIXED32] = "sfixed32", [PROTO_SFIXED64] = "sfixed64",
        [PROTO_SINT64] = "sint64",
    };
    return names[field->type];
}

static bool is_yaml(const struct text *t)
{
    return t->notation == PROTO_YAML_PLAIN || t->notation == PROTO_YAML_QUOTED;
}

static int refuse(const struct text *t, enum err_code code, const char *why)
{
    char text[256];
    return err_set(t->err, code, "%s is no %s%s%s", shown(t, text), type_name(t->field),
                   *why == '\0' ? "" : ": ", why);
}

/* ---- Integers. ---- */

/* A number of decimals, taken apart; the digits are those of text without '.', from first on. */
struct decimal {
    bool negative;
    size_t first, end; /* of text: from the first digit that is not 0 behind the last such digit */
    long exponent;     /* the value is the digits times ten to this */
};

/* The value of an exponent's digits; what is beyond any number of ours stops at a million. */
static long read_exponent(struct str s)
{
    long value = 0;
    bool negative = s.len > 0 && s.ptr[0] == '-';
    for (size_t i = s.len > 0 && !str_is_digit(s.ptr[0]); i < s.len && value < 1000000; i++) {
        value = value * 10 + (s.ptr[i] - '0');
    }
    return negative ? -value : value;
}

/* s: num_is_decimal.  False: the value is zero. */
static bool take_apart(struct str s, struct decimal *ret)
{
    struct decimal d = {.negative = s.ptr[0] == '-'};
    size_t mantissa = 0, point;
    while (mantissa < s.len && s.ptr[mantissa] != 'e' && s.ptr[mantissa] != 'E') {
        mantissa++;
    }
    if (mantissa < s.len) {
        d.exponent = read_exponent((struct str){s.ptr + mantissa + 1, s.len - mantissa - 1});
    }
    point = str_find_char((struct str){s.ptr, mantissa}, '.');
    d.first = d.negative;
    while (d.first < mantissa && (s.ptr[d.first] == '0' || s.ptr[d.first] == '.')) {
        d.first++;
    }
    if (d.first == mantissa) {
        return false;
    }
    d.end = mantissa;
    while (s.ptr[d.end - 1] == '0' || s.ptr[d.end - 1] == '.') {
        d.end--;
    }
    /* The last digit kept stands so far before or behind the point. */
    d.exponent += d.end <= point ? (long) (point - d.end) : -(long) (d.end - 1 - point);
    *ret = d;
    return true;
}

/* The size of a whole number.  ERR_INVALID: it has a fraction; ERR_FULL: above 64 bits. */
static int decimal_size(struct str s, bool *ret_negative, uint64_t *ret_size)
{
    struct decimal d;
    uint64_t size = 0;
    if (!take_apart(s, &d)) {
        *ret_negative = false;
        *ret_size = 0;
        return 0;
    }
    if (d.exponent < 0) {
        return ERR_INVALID;
    }
    if (d.exponent > 20 || d.end - d.first > 21) {
        return ERR_FULL;
    }
    for (size_t i = d.first; i < d.end + (size_t) d.exponent; i++) {
        if (i < d.end && s.ptr[i] == '.') {
            continue;
        }
        uint64_t digit = i < d.end ? (uint64_t) (s.ptr[i] - '0') : 0;
        if (__builtin_mul_overflow(size, 10, &size) || __builtin_add_overflow(size, digit, &size)) {
            return ERR_FULL;
        }
    }
    *ret_negative = d.negative;
    *ret_size = size;
    return 0;
}

/* "0x1F" or "-0x1f".  ERR_NOT_FOUND: not of this form. */
static int hex_size(struct str s, bool *ret_negative, uint64_t *ret_size)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    size_t at = negative;
    uint64_t size = 0;
    if (s.len < at + 3 || s.ptr[at] != '0' || s.ptr[at + 1] != 'x') {
        return ERR_NOT_FOUND;
    }
    for (size_t i = at + 2; i < s.len; i++) {
        int digit = str_hex_digit(s.ptr[i]);
        if (digit < 0) {
            return ERR_NOT_FOUND;
        }
        if (size >> 60 != 0) {
            return ERR_FULL;
        }
        size = size << 4 | (uint64_t) digit;
    }
    *ret_negative = negative && size != 0;
    *ret_size = size;
    return 0;
}

static struct str without_first(struct str s)
{
    return (struct str){s.ptr + 1, s.len - 1};
}

/*
 * What would be the number that was meant: without blanks around, a +, leading zeros, separators,
 * and with digits around the point.  False: it cannot be told.
 */
static bool mend_number(struct str s, struct buf *b)
{
    enum { LONGEST = 60 };
    s = str_trim(s);
    bool negative = s.len > 0 && s.ptr[0] == '-';
    if (s.len > LONGEST) {
        return false;
    }
    if (s.len > 0 && (negative || s.ptr[0] == '+')) {
        s = without_first(s);
    }
    while (s.len > 1 && s.ptr[0] == '0' && (str_is_digit(s.ptr[1]) || s.ptr[1] == '_')) {
        s = without_first(s);
    }
    buf_add_cstr(b, negative ? "-" : "");
    buf_add_cstr(b, s.len > 0 && s.ptr[0] == '.' ? "0" : "");
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] != '_' && s.ptr[i] != ',') {
            buf_add_char(b, s.ptr[i]);
        }
    }
    buf_add_cstr(b, s.len > 0 && s.ptr[s.len - 1] == '.' ? "0" : "");
    return num_is_decimal(buf_str(b));
}

/* Why a text is no number. */
static int refuse_number(const struct text *t)
{
    char text[100];
    struct buf why;
    buf_init_fixed(&why, text, sizeof text);
    if (t->text.len == 0) {
        return refuse(t, ERR_INVALID, "write 0");
    }
    struct buf word;
    char mended[80];
    buf_init_fixed(&word, mended, sizeof mended);
    if (mend_number(t->text, &word)) {
        buf_addf(&why, "write %s", mended);
    }
    return refuse(t, ERR_INVALID, text);
}

/* Sign and size of a whole number in any notation that t may have. */
static int read_whole(const struct text *t, bool *ret_negative, uint64_t *ret_size)
{
    int rc = ERR_NOT_FOUND;
    if (t->notation == PROTO_YAML_PLAIN || t->notation == PROTO_TEXT) {
        rc = hex_size(t->text, ret_negative, ret_size);
    }
    if (rc == ERR_NOT_FOUND) {
        if (!num_is_decimal(t->text)) {
            return refuse_number(t);
        }
        rc = decimal_size(t->text, ret_negative, ret_size);
        if (rc == ERR_INVALID) {
            return refuse(t, rc, "it has a fraction");
        }
    }
    return rc == ERR_FULL ? refuse(t, rc, "it is out of range") : rc;
}

static int read_signed(const struct text *t, int64_t min, int64_t max, int64_t *ret)
{
    bool negative = false;
    uint64_t size = 0;
    int rc = read_whole(t, &negative, &size);
    if (rc == ERR_FULL || (rc == 0 && size > (negative ? (uint64_t) max + 1 : (uint64_t) max))) {
        char text[256];
        return err_set(t->err, ERR_FULL, "%s is out of range of %s: %lld to %lld", shown(t, text),
                       type_name(t->field), (long long) min, (long long) max);
    }
    if (rc == 0) {
        /* Negated as -(size - 1) - 1, as the least number has no positive twin. */
        *ret = negative ? -(int64_t) (size - 1) - 1 : (int64_t) size;
    }
    return rc;
}

static int read_unsigned(const struct text *t, uint64_t max, uint64_t *ret)
{
    bool negative = false;
    uint64_t size = 0;
    int rc = read_whole(t, &negative, &size);
    if (rc == ERR_FULL || (rc == 0 && (negative || size > max))) {
        char text[256];
        return err_set(t->err, ERR_FULL, "%s is out of range of %s: 0 to %llu", shown(t, text),
                       type_name(t->field), (unsigned long long) max);
    }
    if (rc == 0) {
        *ret = size;
    }
    return rc;
}

/* ---- Floating point. ---- */

/* NaN and infinities by their names.  ERR_NOT_FOUND: it is none of them. */
static int read_special(const struct text *t, double *ret)
{
    static const struct {
        const char *json, *yaml[3];
        double value;
    } special[] = {
        {"NaN", {".nan", ".NaN", ".NAN"}, (double) NAN},
        {"Infinity", {".inf", ".Inf", ".INF"}, (double) INFINITY},
        {"Infinity", {"+.inf", "+.Inf", "+.INF"}, (double) INFINITY},
        {"-Infinity", {"-.inf", "-.Inf", "-.INF"}, (double) -INFINITY},
    };
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
        bool found = t->notation != PROTO_JSON_BARE && str_eq_cstr(t->text, special[i].json);
        for (size_t j = 0; j < 3 && !found; j++) {
            found = (is_yaml(t) || t->notation == PROTO_TEXT) &&
                    str_eq_cstr(t->text, special[i].yaml[j]);
        }
        if (found) {
            *ret = special[i].value;
            return 0;
        }
    }
    return ERR_NOT_FOUND;
}

static int refuse_float(const struct text *t)
{
    static const char *const near[] = {"nan", "NAN", "inf", "INF", "Inf", "infinity", "INFINITY"};
    for (size_t i = 0; i < sizeof near / sizeof near[0]; i++) {
        struct str word = t->text;
        if (word.len > 0 && (word.ptr[0] == '-' || word.ptr[0] == '+')) {
            word = (struct str){word.ptr + 1, word.len - 1};
        }
        if (str_eq_cstr(word, near[i])) {
            return refuse(t, ERR_INVALID,
                          t->notation == PROTO_YAML_PLAIN
                              ? "write .nan, .inf or -.inf"
                              : "write \"NaN\", \"Infinity\" or \"-Infinity\"");
        }
    }
    return refuse_number(t);
}

static int read_float(const struct text *t, union proto_value *ret)
{
    double special;
    float f32 = 0;
    double f64 = 0;
    bool is_float = t->field->type == PROTO_FLOAT;
    int rc = read_special(t, &special);
    if (rc == 0) {
        f32 = (float) special;
        f64 = special;
    } else {
        rc = is_float ? num_float(t->text, &f32) : num_double(t->text, &f64);
    }
    if (rc == ERR_FULL && t->text.len > 127) {
        return refuse(t, ERR_FULL, "a number has at most 127 characters");
    }
    if (rc == ERR_FULL) {
        char text[256];
        return err_set(t->err, ERR_FULL, "%s is out of range of %s: at most %s in size",
                       shown(t, text), type_name(t->field),
                       is_float ? "3.4028235e38" : "1.7976931348623157e308");
    }
    if (rc < 0) {
        return refuse_float(t);
    }
    if (is_float) {
        ret->f32 = f32;
    } else {
        ret->f64 = f64;
    }
    return 0;
}

/* ---- The others. ---- */

static int read_bool(const struct text *t, union proto_value *ret)
{
    static const char *const yes[] = {"yes", "on", "y", "1", "t"};
    static const char *const no[] = {"no", "off", "n", "0", "f"};
    bool is_true = str_eq_nocase(t->text, STR("true"));
    bool is_false = str_eq_nocase(t->text, STR("false"));
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        is_true |= str_eq_nocase(t->text, str_of(yes[i]));
        is_false |= str_eq_nocase(t->text, str_of(no[i]));
    }
    bool exact = str_eq(t->text, STR("true")) || str_eq(t->text, STR("false"));
    bool bare = t->notation == PROTO_JSON_BARE || t->notation == PROTO_YAML_PLAIN ||
                t->notation == PROTO_TEXT;
    if (exact && bare) {
        ret->boolean = is_true;
        return 0;
    }
    if (exact) {
        return refuse(t, ERR_INVALID,
                      is_true ? "write true without quotes" : "write false without quotes");
    }
    return refuse(t, ERR_INVALID,
                  is_true    ? "write true"
                  : is_false ? "write false"
                             : "write true or false");
}

static int read_string(const struct text *t, union proto_value *ret)
{
    if (t->notation == PROTO_JSON_BARE) {
        return refuse(t, ERR_INVALID, "write it in quotes");
    }
    if (t->field->check_utf8 && !str_is_utf8(t->text)) {
        return refuse(t, ERR_INVALID, "it is not valid UTF-8");
    }
    ret->bytes = t->text;
    return 0;
}

static int read_bytes(const struct text *t, union proto_value *ret)
{
    struct err why;
    size_t size = base64_decoded_max(t->text.len), len = 0;
    if (t->notation == PROTO_JSON_BARE) {
        return refuse(t, ERR_INVALID, "write base64 in quotes");
    }
    char *out = arena_alloc(t->arena, size + 1);
    if (out == NULL) {
        return err_set(t->err, ERR_FULL,
                       "base64 of %zu characters is more than there is memory for", t->text.len);
    }
    int rc = base64_decode(t->text, out, size, &len, &why);
    if (rc < 0) {
        char text[256];
        return err_set(t->err, rc, "%s is no base64: %s", shown(t, text), why.msg);
    }
    ret->bytes = (struct str){out, len};
    return 0;
}

static int refuse_enum(const struct text *t, const char *more)
{
    char text[256], why[256];
    const struct proto_enum_desc *desc = t->field->enumeration;
    struct proto_names names;
    struct buf b;
    names.len = 0;
    for (size_t i = 0; i < desc->values; i++) {
        proto_names_add(&names, desc->value[i].name);
    }
    buf_init_fixed(&b, why, sizeof why);
    buf_add_cstr(&b, more);
    proto_names_suggest(&names, t->text, &b);
    return err_set(t->err, ERR_INVALID, "no value %s in enum " STR_FMT "%s", shown(t, text),
                   STR_ARG(desc->full_name), why);
}

static int read_enum_number(const struct text *t, union proto_value *ret)
{
    const struct proto_enum_desc *desc = t->field->enumeration;
    int64_t number = 0;
    int rc = read_signed(t, INT32_MIN, INT32_MAX, &number);
    if (rc < 0) {
        return rc;
    }
    if (desc->closed && proto_enum_by_number(desc, (int32_t) number) == NULL) {
        return refuse_enum(t, ", which is closed");
    }
    ret->i32 = (int32_t) number;
    return 0;
}

static int read_enum(const struct text *t, union proto_value *ret)
{
    const struct proto_enum_desc *desc = t->field->enumeration;
    bool bare = t->notation == PROTO_JSON_BARE || t->notation == PROTO_YAML_PLAIN;
    if (desc->is_null_value && bare && str_eq(t->text, STR("null"))) {
        ret->i32 = 0;
        return 0;
    }
    if (t->notation != PROTO_JSON_BARE) {
        const struct proto_enum_value_desc *value = proto_enum_by_name(desc, t->text);
        if (value != NULL) {
            ret->i32 = value->number;
            return 0;
        }
    }
    if (t->notation != PROTO_JSON_STRING && num_is_decimal(t->text)) {
        return read_enum_number(t, ret);
    }
    return refuse_enum(t, "");
}

static int read_any(const struct text *t, union proto_value *ret)
{
    int64_t i = 0;
    uint64_t u = 0;
    int rc;
    switch (t->field->type) {
    case PROTO_DOUBLE:
    case PROTO_FLOAT:
        return read_float(t, ret);
    case PROTO_INT64:
    case PROTO_SINT64:
    case PROTO_SFIXED64:
        rc = read_signed(t, INT64_MIN, INT64_MAX, &i);
        ret->i64 = i;
        return rc;
    case PROTO_INT32:
    case PROTO_SINT32:
    case PROTO_SFIXED32:
        rc = read_signed(t, INT32_MIN, INT32_MAX, &i);
        ret->i32 = (int32_t) i;
        return rc;
    case PROTO_UINT64:
    case PROTO_FIXED64:
        rc = read_unsigned(t, UINT64_MAX, &u);
        ret->u64 = u;
        return rc;
    case PROTO_UINT32:
    case PROTO_FIXED32:
        rc = read_unsigned(t, UINT32_MAX, &u);
        ret->u32 = (uint32_t) u;
        return rc;
    case PROTO_BOOL:
        return read_bool(t, ret);
    case PROTO_STRING:
        return read_string(t, ret);
    case PROTO_BYTES:
        return read_bytes(t, ret);
    case PROTO_ENUM:
        return read_enum(t, ret);
    case PROTO_GROUP:
    case PROTO_MESSAGE:
        break;
    }
    BUG("a message is no scalar");
}

int proto_scalar_read(const struct proto_field_desc *field, struct str text,
                      enum proto_notation notation, struct arena *arena, union proto_value *ret,
                      struct err *err)
{
    struct text t = {field, text, notation, arena, err};
    union proto_value value = {.u64 = 0};
    int rc = read_any(&t, &value);
    if (rc == 0) {
        *ret = value;
    }
    return rc;
}
