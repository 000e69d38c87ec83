/* Defaults of proto2 as they stand in descriptors; see link_int.h. */
#include "base/num.h"
#include "proto/link_int.h"

#include <math.h>
#include <string.h>

static int wrong(struct linker *l, const struct proto_field_desc *field, struct str text,
                 const char *right)
{
    return link_fail(l, field->full_name, "default \"" STR_FMT "\" is no %s", STR_ARG(text), right);
}

static int signed_default(struct linker *l, struct proto_field_desc *field, struct str text,
                          bool wide)
{
    int64_t value = 0;
    int64_t min = wide ? INT64_MIN : INT32_MIN, max = wide ? INT64_MAX : INT32_MAX;
    if (!str_eq_cstr(text, "-0") && num_i64(text, min, max, &value) != 0) {
        return wrong(l, field, text, wide ? "number of 64 bits" : "number of 32 bits");
    }
    if (wide) {
        field->fallback.i64 = value;
    } else {
        field->fallback.i32 = (int32_t) value;
    }
    return 0;
}

static int unsigned_default(struct linker *l, struct proto_field_desc *field, struct str text,
                            bool wide)
{
    uint64_t value = 0;
    if (!str_eq_cstr(text, "-0") && num_u64(text, 0, wide ? UINT64_MAX : UINT32_MAX, &value) != 0) {
        return wrong(l, field, text,
                     wide ? "number of 64 bits without a sign"
                          : "number of 32 bits without a sign");
    }
    if (wide) {
        field->fallback.u64 = value;
    } else {
        field->fallback.u32 = (uint32_t) value;
    }
    return 0;
}

static int float_default(struct linker *l, struct proto_field_desc *field, struct str text)
{
    static const struct {
        const char *text;
        double value;
    } words[] = {{"inf", (double) INFINITY},
                 {"-inf", -(double) INFINITY},
                 {"nan", (double) NAN},
                 {"-nan", (double) NAN}};
    double value = 0;
    bool found = false;
    for (size_t i = 0; i < sizeof words / sizeof words[0] && !found; i++) {
        found = str_eq_cstr(text, words[i].text);
        value = words[i].value;
    }
    if (!found && num_double(text, &value) != 0) {
        return wrong(l, field, text, "number");
    }
    if (field->type == PROTO_FLOAT) {
        field->fallback.f32 = (float) value;
    } else {
        field->fallback.f64 = value;
    }
    return 0;
}

/* 16 and more: no digit of any base that escapes have. */
static unsigned digit_of(char c)
{
    int digit = str_hex_digit(c);
    return digit < 0 ? 16 : (unsigned) digit;
}

/* One escape of C behind its backslash.  Returns how many bytes it has, 0 for none. */
static size_t read_escape(struct str s, char *ret)
{
    static const char letters[] = "abfnrtv\\'\"?", means[] = "\a\b\f\n\r\t\v\\'\"?";
    if (s.len == 0) {
        return 0;
    }
    const char *letter = s.ptr[0] == '\0' ? NULL : strchr(letters, s.ptr[0]);
    if (letter != NULL) {
        *ret = means[letter - letters];
        return 1;
    }
    bool hex = s.ptr[0] == 'x' || s.ptr[0] == 'X';
    size_t start = hex ? 1 : 0, n = start, most = 3;
    unsigned value = 0, base = hex ? 16 : 8;
    while (n < s.len && n < most && digit_of(s.ptr[n]) < base) {
        value = value * base + digit_of(s.ptr[n++]);
    }
    *ret = (char) value;
    return n == start || value > 255 ? 0 : n;
}

static int bytes_default(struct linker *l, struct proto_field_desc *field, struct str text)
{
    char *out = link_array(l, text.len + 1, 1);
    if (out == NULL) {
        return link_full(l);
    }
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        out[len] = text.ptr[i];
        if (text.ptr[i] == '\\') {
            struct str behind = {text.ptr + i + 1, text.len - i - 1};
            size_t n = read_escape(behind, &out[len]);
            if (n == 0) {
                return wrong(l, field, text, "text with escapes of C");
            }
            i += n;
        }
        len++;
    }
    field->fallback.bytes = (struct str){out, len};
    return 0;
}

static int enum_default(struct linker *l, struct proto_field_desc *field, struct str text)
{
    /* Linear: the enum's tables may not be made yet. */
    const struct proto_enum_desc *desc = field->enumeration;
    for (size_t i = 0; i < desc->values; i++) {
        if (str_eq(desc->value[i].name, text)) {
            field->fallback.i32 = desc->value[i].number;
            return 0;
        }
    }
    return link_fail(l, field->full_name, "default \"" STR_FMT "\" is no value of enum " STR_FMT,
                     STR_ARG(text), STR_ARG(desc->full_name));
}

int link_default(struct linker *l, struct proto_field_desc *field, struct str text)
{
    switch (field->type) {
    case PROTO_INT32:
    case PROTO_SINT32:
    case PROTO_SFIXED32:
        return signed_default(l, field, text, false);
    case PROTO_INT64:
    case PROTO_SINT64:
    case PROTO_SFIXED64:
        return signed_default(l, field, text, true);
    case PROTO_UINT32:
    case PROTO_FIXED32:
        return unsigned_default(l, field, text, false);
    case PROTO_UINT64:
    case PROTO_FIXED64:
        return unsigned_default(l, field, text, true);
    case PROTO_DOUBLE:
    case PROTO_FLOAT:
        return float_default(l, field, text);
    case PROTO_BOOL:
        field->fallback.boolean = str_eq_cstr(text, "true");
        return field->fallback.boolean || str_eq_cstr(text, "false")
                   ? 0
                   : wrong(l, field, text, "bool: true or false");
    case PROTO_STRING:
        field->fallback.bytes = text;
        return 0;
    case PROTO_BYTES:
        return bytes_default(l, field, text);
    case PROTO_ENUM:
        return enum_default(l, field, text);
    case PROTO_GROUP:
    case PROTO_MESSAGE:
        break;
    }
    return wrong(l, field, text, "default of a message, which has none");
}
