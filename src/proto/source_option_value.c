/* Values of options into their wire form. */
#include "proto/source_option_int.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_BEGIN = 3, WIRE_END = 4, WIRE_32 = 5 };

static void put_varint(struct buf *b, uint64_t value)
{
    char bytes[10];
    size_t n = 0;
    while (value >= 0x80) {
        bytes[n++] = (char) (unsigned char) (value | 0x80);
        value >>= 7;
    }
    bytes[n++] = (char) value;
    buf_add(b, bytes, n);
}

static void put_tag(struct buf *b, uint32_t number, unsigned wire_type)
{
    put_varint(b, (uint64_t) number << 3 | wire_type);
}

static void put_fixed(struct buf *b, uint64_t value, size_t size)
{
    char bytes[8];
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (char) (unsigned char) (value >> 8 * i);
    }
    buf_add(b, bytes, size);
}

void option_put_bytes(uint32_t number, struct str bytes, struct buf *b)
{
    put_tag(b, number, WIRE_BYTES);
    put_varint(b, bytes.len);
    buf_add_str(b, bytes);
}

void option_put_message(const struct option_field *field, struct str contents, struct buf *b)
{
    if (field->type != PROTO_GROUP) {
        option_put_bytes(field->number, contents, b);
        return;
    }
    put_tag(b, field->number, WIRE_BEGIN);
    buf_add_str(b, contents);
    put_tag(b, field->number, WIRE_END);
}

void option_put_item(uint32_t number, struct str contents, struct buf *b)
{
    put_tag(b, 1, WIRE_BEGIN);
    put_tag(b, 2, WIRE_VARINT);
    put_varint(b, number);
    option_put_bytes(3, contents, b);
    put_tag(b, 1, WIRE_END);
}

/* The value as it was written, for messages. */
static const char *shown(const struct option_value *value, char out[96])
{
    struct buf b;
    buf_init_fixed(&b, out, 96);
    switch (value->kind) {
    case OPTION_IS_UINT:
        buf_add_u64(&b, value->u64);
        break;
    case OPTION_IS_NEGATIVE:
        buf_add_i64(&b, value->i64);
        break;
    case OPTION_IS_DOUBLE:
        buf_addf(&b, "%g", value->f64);
        break;
    case OPTION_IS_IDENT:
    case OPTION_IS_STRING:
        buf_addf(&b, "\"%.*s\"", value->text.len > 80 ? 80 : (int) value->text.len,
                 value->text.len == 0 ? "" : value->text.ptr);
        break;
    }
    return out;
}

static int wrong(struct resolve *r, const struct option_field *field,
                 const struct option_value *value, const char *wanted)
{
    char text[96];
    return lex_fail(&r->lex, value->at, "the option \"" STR_FMT "\" is %s, not %s",
                    STR_ARG(field->name), wanted, shown(value, text));
}

static int signed_value(struct resolve *r, const struct option_field *field,
                        const struct option_value *value, bool is_64, int64_t *ret)
{
    int64_t min = is_64 ? INT64_MIN : INT32_MIN;
    int64_t max = is_64 ? INT64_MAX : INT32_MAX;
    if (value->kind == OPTION_IS_UINT && value->u64 <= (uint64_t) max) {
        *ret = (int64_t) value->u64;
        return 0;
    }
    if (value->kind == OPTION_IS_NEGATIVE && value->i64 >= min) {
        *ret = value->i64;
        return 0;
    }
    return wrong(r, field, value, is_64 ? "an integer of 64 bits" : "an integer of 32 bits");
}

static int unsigned_value(struct resolve *r, const struct option_field *field,
                          const struct option_value *value, bool is_64, uint64_t *ret)
{
    bool zero = value->lenient && value->kind == OPTION_IS_NEGATIVE && value->i64 == 0;
    if (!zero &&
        (value->kind != OPTION_IS_UINT || value->u64 > (is_64 ? UINT64_MAX : UINT32_MAX))) {
        return wrong(r, field, value,
                     is_64 ? "an unsigned integer of 64 bits" : "an unsigned integer of 32 bits");
    }
    *ret = zero ? 0 : value->u64;
    return 0;
}

static int double_value(struct resolve *r, const struct option_field *field,
                        const struct option_value *value, double *ret)
{
    bool minus = false;
    struct str word = value->text;
    switch (value->kind) {
    case OPTION_IS_UINT:
        *ret = (double) value->u64;
        return 0;
    case OPTION_IS_NEGATIVE:
        *ret = value->lenient && value->i64 == 0 ? -0.0 : (double) value->i64;
        return 0;
    case OPTION_IS_DOUBLE:
        *ret = value->f64;
        return 0;
    case OPTION_IS_IDENT:
        minus = word.len > 0 && word.ptr[0] == '-';
        word = (struct str){word.ptr + minus, word.len - minus};
        if (value->lenient &&
            (str_eq_nocase(word, STR("inf")) || str_eq_nocase(word, STR("infinity")))) {
            *ret = minus ? (double) -INFINITY : (double) INFINITY;
            return 0;
        }
        if (value->lenient && str_eq_nocase(word, STR("nan"))) {
            *ret = minus ? -(double) NAN : (double) NAN;
            return 0;
        }
        break;
    case OPTION_IS_STRING:
        break;
    }
    return wrong(r, field, value, "a number");
}

static int bool_value(struct resolve *r, const struct option_field *field,
                      const struct option_value *value, uint64_t *ret)
{
    bool word = value->kind == OPTION_IS_IDENT;
    bool lenient_word = word && value->lenient;
    if ((word && str_eq_cstr(value->text, "true")) ||
        (lenient_word && (str_eq_cstr(value->text, "t") || str_eq_cstr(value->text, "True")))) {
        *ret = 1;
        return 0;
    }
    if ((word && str_eq_cstr(value->text, "false")) ||
        (lenient_word && (str_eq_cstr(value->text, "f") || str_eq_cstr(value->text, "False")))) {
        *ret = 0;
        return 0;
    }
    if (value->lenient && value->kind == OPTION_IS_UINT && value->u64 <= 1) {
        *ret = value->u64;
        return 0;
    }
    return wrong(r, field, value, "true or false");
}

static bool enum_number(const struct option_field *field, struct str name, int64_t *ret)
{
    if (field->linked_enum != NULL) {
        const struct proto_enum_value_desc *found = proto_enum_by_name(field->linked_enum, name);
        if (found != NULL) {
            *ret = found->number;
        }
        return found != NULL;
    }
    for (size_t i = 0; field->source_enum != NULL && i < source_len(field->source_enum, ENUM_VALUE);
         i++) {
        const struct proto_msg *item = source_item(field->source_enum, ENUM_VALUE, i);
        if (str_eq(proto_str(item, VALUE_NAME), name)) {
            *ret = source_i32(item, VALUE_NUMBER);
            return true;
        }
    }
    return false;
}

static bool enum_has_number(const struct resolve *r, const struct option_field *field,
                            int64_t number)
{
    if (field->linked_enum != NULL) {
        return !field->linked_enum->closed ||
               proto_enum_by_number(field->linked_enum, (int32_t) number) != NULL;
    }
    for (size_t i = 0; field->source_enum != NULL && i < source_len(field->source_enum, ENUM_VALUE);
         i++) {
        if (source_i32(source_item(field->source_enum, ENUM_VALUE, i), VALUE_NUMBER) == number) {
            return true;
        }
    }
    return r->proto3;
}

/* The name that was meant, or NULL. */
static const char *nearest_value(const struct option_field *field, struct str name, char out[65])
{
    bool linked = field->linked_enum != NULL;
    size_t len =
        linked ? field->linked_enum->values
               : (field->source_enum == NULL ? 0 : source_len(field->source_enum, ENUM_VALUE));
    for (size_t i = 0; i < len; i++) {
        struct str choice =
            linked ? field->linked_enum->value[i].name
                   : proto_str(source_item(field->source_enum, ENUM_VALUE, i), VALUE_NAME);
        if (choice.len > 64) {
            continue;
        }
        memcpy(out, choice.ptr, choice.len);
        out[choice.len] = '\0';
        const char *text = out;
        if (str_nearest(name, &text, 1) != NULL) {
            return out;
        }
    }
    return NULL;
}

static int enum_value(struct resolve *r, const struct option_field *field,
                      const struct option_value *value, int64_t *ret)
{
    if (value->lenient && value->kind != OPTION_IS_IDENT) {
        int64_t number = 0;
        TRY(signed_value(r, field, value, false, &number));
        if (enum_has_number(r, field, number)) {
            *ret = number;
            return 0;
        }
    }
    if (value->kind != OPTION_IS_IDENT) {
        return wrong(r, field, value, "a name of an enum's value");
    }
    if (!enum_number(field, value->text, ret)) {
        char near[65];
        char text[96];
        const char *meant = nearest_value(field, value->text, near);
        return lex_fail(&r->lex, value->at, "no value %s in enum " STR_FMT "%s%s%s",
                        shown(value, text), STR_ARG(field->type_name),
                        meant == NULL ? "" : ": did you mean \"", meant == NULL ? "" : meant,
                        meant == NULL ? "" : "\"?");
    }
    return 0;
}

static int put_float(struct resolve *r, const struct option_field *field,
                     const struct option_value *value, struct buf *b)
{
    double number = 0;
    TRY(double_value(r, field, value, &number));
    uint64_t bits = 0;
    if (field->type == PROTO_DOUBLE) {
        memcpy(&bits, &number, sizeof number);
        put_tag(b, field->number, WIRE_64);
        put_fixed(b, bits, 8);
        return 0;
    }
    /* Beyond the largest float, what rounds down to it is it; the rest is infinite. */
    float single = (float) number;
    uint32_t single_bits = 0;
    memcpy(&single_bits, &single, sizeof single);
    put_tag(b, field->number, WIRE_32);
    put_fixed(b, single_bits, 4);
    return 0;
}

static int put_signed(struct resolve *r, const struct option_field *field,
                      const struct option_value *value, struct buf *b)
{
    int64_t number = 0;
    bool is_64 =
        field->type == PROTO_INT64 || field->type == PROTO_SINT64 || field->type == PROTO_SFIXED64;
    TRY(field->type == PROTO_ENUM ? enum_value(r, field, value, &number)
                                  : signed_value(r, field, value, is_64, &number));
    uint64_t bits = (uint64_t) number;
    if (field->type == PROTO_SFIXED32 || field->type == PROTO_SFIXED64) {
        put_tag(b, field->number, is_64 ? WIRE_64 : WIRE_32);
        put_fixed(b, bits, is_64 ? 8 : 4);
        return 0;
    }
    put_tag(b, field->number, WIRE_VARINT);
    if (field->type == PROTO_SINT32 || field->type == PROTO_SINT64) {
        bits = bits << 1 ^ (number < 0 ? UINT64_MAX : 0);
    }
    put_varint(b, bits);
    return 0;
}

static int put_unsigned(struct resolve *r, const struct option_field *field,
                        const struct option_value *value, struct buf *b)
{
    uint64_t number = 0;
    bool is_64 = field->type == PROTO_UINT64 || field->type == PROTO_FIXED64;
    TRY(field->type == PROTO_BOOL ? bool_value(r, field, value, &number)
                                  : unsigned_value(r, field, value, is_64, &number));
    if (field->type == PROTO_FIXED32 || field->type == PROTO_FIXED64) {
        put_tag(b, field->number, is_64 ? WIRE_64 : WIRE_32);
        put_fixed(b, number, is_64 ? 8 : 4);
        return 0;
    }
    put_tag(b, field->number, WIRE_VARINT);
    put_varint(b, number);
    return 0;
}

int option_put_scalar(struct resolve *r, const struct option_field *field,
                      const struct option_value *value, struct buf *b)
{
    switch (field->type) {
    case PROTO_DOUBLE:
    case PROTO_FLOAT:
        return put_float(r, field, value, b);
    case PROTO_INT64:
    case PROTO_INT32:
    case PROTO_ENUM:
    case PROTO_SFIXED32:
    case PROTO_SFIXED64:
    case PROTO_SINT32:
    case PROTO_SINT64:
        return put_signed(r, field, value, b);
    case PROTO_UINT64:
    case PROTO_UINT32:
    case PROTO_FIXED64:
    case PROTO_FIXED32:
    case PROTO_BOOL:
        return put_unsigned(r, field, value, b);
    case PROTO_STRING:
    case PROTO_BYTES:
        if (value->kind != OPTION_IS_STRING) {
            return wrong(r, field, value, "a string in quotes");
        }
        option_put_bytes(field->number, value->text, b);
        return 0;
    case PROTO_GROUP:
    case PROTO_MESSAGE:
        break;
    }
    return wrong(r, field, value, "a message: write { field: value }");
}
