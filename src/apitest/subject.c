/* What a pattern is matched against, and the reading of scalars for it. */
#include "apitest/pattern_int.h"

#include "base/num.h"
#include "proto/scalar.h"
#include "proto/wkt.h"

#include <stdio.h>
#include <string.h>

enum { NANOS = 1000000000 };

static enum subject_kind kind_of_scalar(const struct proto_field_desc *field)
{
    switch (field->type) {
    case PROTO_DOUBLE:
    case PROTO_FLOAT:
        return SUBJECT_FLOAT;
    case PROTO_BOOL:
        return SUBJECT_BOOL;
    case PROTO_STRING:
        return SUBJECT_STRING;
    case PROTO_BYTES:
        return SUBJECT_BYTES;
    case PROTO_ENUM:
        return SUBJECT_ENUM;
    case PROTO_INT64:
    case PROTO_UINT64:
    case PROTO_INT32:
    case PROTO_FIXED64:
    case PROTO_FIXED32:
    case PROTO_UINT32:
    case PROTO_SFIXED32:
    case PROTO_SFIXED64:
    case PROTO_SINT32:
    case PROTO_SINT64:
    case PROTO_GROUP:
    case PROTO_MESSAGE:
        break;
    }
    return SUBJECT_INTEGER;
}

struct subject apitest_subject_of_message(const struct proto_message_desc *desc)
{
    struct subject s = {.kind = SUBJECT_MESSAGE, .desc = desc};
    switch (desc->wkt) {
    case PROTO_WKT_ANY:
        s.kind = SUBJECT_ANY;
        break;
    case PROTO_WKT_TIMESTAMP:
        s.kind = SUBJECT_INSTANT;
        break;
    case PROTO_WKT_DURATION:
        s.kind = SUBJECT_SPAN;
        break;
    case PROTO_WKT_FIELD_MASK:
        s.kind = SUBJECT_MASK;
        break;
    case PROTO_WKT_STRUCT:
    case PROTO_WKT_VALUE:
    case PROTO_WKT_LIST_VALUE:
        s.kind = SUBJECT_JSON;
        break;
    case PROTO_WKT_WRAPPER:
        s.field = &desc->field[0];
        s.kind = kind_of_scalar(s.field);
        break;
    case PROTO_WKT_NONE:
    case PROTO_WKT_EMPTY:
        break;
    }
    return s;
}

struct subject apitest_subject_of_element(const struct proto_field_desc *field)
{
    struct subject s = {.field = field};
    if (field->message != NULL) {
        s = apitest_subject_of_message(field->message);
    } else {
        s.kind = kind_of_scalar(field);
    }
    s.element = true;
    return s;
}

struct subject apitest_subject_of_field(const struct proto_field_desc *field)
{
    struct subject s = {.kind = field->is_map ? SUBJECT_MAP : SUBJECT_LIST, .field = field};
    if (!field->repeated) {
        s = apitest_subject_of_element(field);
        s.element = false;
    }
    return s;
}

struct subject apitest_subject_of_type(struct apitest_type type)
{
    switch (type.subject) {
    case APITEST_OF_MESSAGE:
        return apitest_subject_of_message(type.desc);
    case APITEST_OF_FIELD:
        return apitest_subject_of_field(type.field);
    case APITEST_OF_JSON:
        return (struct subject){.kind = SUBJECT_JSON};
    case APITEST_OF_NUMBER:
        return (struct subject){.kind = SUBJECT_COUNT};
    case APITEST_OF_BOOL:
        return (struct subject){.kind = SUBJECT_BOOL};
    case APITEST_OF_MS:
        return (struct subject){.kind = SUBJECT_MS};
    case APITEST_OF_TEXT:
        break;
    }
    return (struct subject){.kind = SUBJECT_TEXT};
}

struct subject apitest_inner(struct subject s)
{
    if (s.kind == SUBJECT_LIST) {
        return apitest_subject_of_element(s.field);
    }
    if (s.kind == SUBJECT_MAP) {
        return apitest_subject_of_element(proto_map_value(s.field));
    }
    s.desc = NULL; /* JSON and TEXT are made of the same again */
    s.element = true;
    return s;
}

const char *apitest_subject_text(const struct subject *s, char out[128])
{
    static const struct {
        enum subject_kind kind;
        const char *text;
    } names[] = {
        {SUBJECT_INSTANT, "a time (google.protobuf.Timestamp)"},
        {SUBJECT_SPAN, "a duration (google.protobuf.Duration)"},
        {SUBJECT_MASK, "a google.protobuf.FieldMask"},
        {SUBJECT_ANY, "a google.protobuf.Any"},
        {SUBJECT_JSON, "a JSON value"},
        {SUBJECT_TEXT, "a text"},
        {SUBJECT_COUNT, "a number"},
        {SUBJECT_MS, "a time span"},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].kind == s->kind) {
            return names[i].text;
        }
    }
    char type[112];
    if (s->kind == SUBJECT_MESSAGE) {
        struct buf b;
        buf_init_fixed(&b, out, 128);
        buf_add_cstr(&b, "a message ");
        buf_add_str(&b, apitest_cut(s->desc->full_name, 116));
    } else if (s->field == NULL) {
        return "a bool";
    } else if (s->kind == SUBJECT_LIST || s->kind == SUBJECT_MAP || s->field->repeated) {
        struct proto_field_desc single = *s->field;
        single.repeated = s->kind == SUBJECT_LIST || s->kind == SUBJECT_MAP;
        (void) snprintf(out, 128, "a %s", proto_field_type_text(&single, type, sizeof type));
    } else {
        const char *text = proto_field_type_text(s->field, type, sizeof type);
        (void) snprintf(out, 128, "%s %s", strchr("aeio", text[0]) != NULL ? "an" : "a", text);
    }
    return out;
}

/* "0x1F" and "0o17" into decimal. */
static const struct apitest_json *json_of_radix(struct str text, struct apitest_json *json,
                                                struct arena *arena)
{
    unsigned radix = text.len > 2 && text.ptr[0] == '0' && text.ptr[1] == 'x'   ? 16
                     : text.len > 2 && text.ptr[0] == '0' && text.ptr[1] == 'o' ? 8
                                                                                : 0;
    uint64_t value = 0;
    for (size_t i = 2; radix != 0 && i < text.len; i++) {
        int digit = str_hex_digit(text.ptr[i]);
        if (digit < 0 || (unsigned) digit >= radix || value > UINT64_MAX / radix) {
            return NULL;
        }
        value = value * radix + (unsigned) digit;
    }
    char *decimal = radix == 0 ? NULL : arena_printf(arena, "%llu", (unsigned long long) value);
    if (decimal == NULL) {
        return NULL;
    }
    json->kind = APITEST_JSON_NUMBER;
    json->text = str_of(decimal);
    return json;
}

/* Numbers that YAML 1.2 core knows and JSON does not write so: 007, +1, .5, 1. */
static struct str json_number(struct str text, struct arena *arena)
{
    struct str s = text;
    bool negative = s.len > 0 && s.ptr[0] == '-';
    if (negative || (s.len > 0 && s.ptr[0] == '+')) {
        s = (struct str){s.ptr + 1, s.len - 1};
    }
    while (s.len > 1 && s.ptr[0] == '0' && s.ptr[1] >= '0' && s.ptr[1] <= '9') {
        s = (struct str){s.ptr + 1, s.len - 1};
    }
    size_t point = str_find_char(s, '.');
    struct str whole = {s.ptr, point}, rest = {s.ptr + point, s.len - point};
    bool bare = rest.len > 0 && (rest.len == 1 || rest.ptr[1] < '0' || rest.ptr[1] > '9');
    if (bare && whole.len == 0) {
        return text; /* "." is no number */
    }
    rest = bare ? (struct str){rest.ptr + 1, rest.len - 1} : rest;
    char *json = arena_printf(arena, "%s" STR_FMT STR_FMT, negative ? "-" : "",
                              STR_ARG(whole.len > 0 ? whole : STR("0")), STR_ARG(rest));
    return json != NULL && text.len > 0 ? str_of(json) : text;
}

const struct apitest_json *apitest_json_of_scalar(struct str text, enum conf_style style,
                                                  struct arena *arena)
{
    struct apitest_json *json = arena_alloc(arena, sizeof *json);
    struct conf_node node = {.kind = CONF_SCALAR, .style = style, .text = text};
    if (json == NULL) {
        return NULL;
    }
    json->kind = APITEST_JSON_STRING;
    json->text = text;
    if (style != CONF_PLAIN || text.len > 127) {
        return json;
    }
    if (conf_is_null(&node)) {
        json->kind = APITEST_JSON_NULL;
        return json;
    }
    bool yes = str_eq_cstr(text, "true") || str_eq_cstr(text, "True") || str_eq_cstr(text, "TRUE");
    bool no =
        str_eq_cstr(text, "false") || str_eq_cstr(text, "False") || str_eq_cstr(text, "FALSE");
    if (yes || no) {
        json->kind = APITEST_JSON_BOOL;
        json->boolean = yes;
        return json;
    }
    if (json_of_radix(text, json, arena) != NULL) {
        return json;
    }
    struct str number = text.len > 0 && strchr("+-.0123456789", text.ptr[0]) != NULL
                            ? json_number(text, arena)
                            : text;
    if (num_is_decimal(number)) {
        json->kind = APITEST_JSON_NUMBER;
        json->text = number;
    }
    return json;
}

int apitest_span_parse(struct str text, int64_t *ret_seconds, int32_t *ret_nanos, struct err *err)
{
    int64_t seconds = 0;
    int32_t nanos = 0;
    uint64_t ms = 0;
    bool negative = text.len > 0 && text.ptr[0] == '-';
    struct str positive = negative ? (struct str){text.ptr + 1, text.len - 1} : text;
    if (proto_duration_parse(text, &seconds, &nanos, NULL) < 0) {
        if (num_duration_ms(positive, &ms) < 0 || ms > INT64_MAX / 4) {
            return err_set(err, ERR_INVALID,
                           "\"" STR_FMT "\" is no duration: write 250ms, 1.5s, 5m",
                           STR_ARG(apitest_cut(text, 64)));
        }
        seconds = (int64_t) (ms / 1000);
        nanos = (int32_t) (ms % 1000) * 1000000;
        seconds = negative ? -seconds : seconds;
        nanos = negative ? -nanos : nanos;
    }
    *ret_seconds = nanos < 0 ? seconds - 1 : seconds;
    *ret_nanos = nanos < 0 ? nanos + NANOS : nanos;
    return 0;
}

/* "now", "now-5s", "now + 1m", or RFC 3339. */
static int read_instant(struct str text, struct scalar *ret, struct err *err)
{
    if (!str_starts_with(text, STR("now"))) {
        int r = proto_timestamp_parse(text, &ret->number, &ret->nanos, err);
        return r;
    }
    ret->now = true;
    struct str rest = str_trim((struct str){text.ptr + 3, text.len - 3});
    if (rest.len == 0) {
        return 0;
    }
    bool minus = rest.ptr[0] == '-';
    struct str span = str_trim((struct str){rest.ptr + 1, rest.len - 1});
    if ((!minus && rest.ptr[0] != '+') ||
        apitest_span_parse(span, &ret->number, &ret->nanos, NULL) < 0) {
        return err_set(err, ERR_INVALID,
                       "\"" STR_FMT "\" is no time: write now, now-5s or RFC 3339",
                       STR_ARG(apitest_cut(text, 64)));
    }
    if (minus) {
        ret->number = ret->nanos > 0 ? -ret->number - 1 : -ret->number;
        ret->nanos = ret->nanos > 0 ? NANOS - ret->nanos : 0;
    }
    return 0;
}

static int read_ms(struct str text, struct scalar *ret, struct err *err)
{
    int64_t seconds = 0;
    int32_t nanos = 0;
    int r = apitest_span_parse(text, &seconds, &nanos, err);
    if (r == 0 && (seconds < 0 || seconds > 1000000000)) {
        return err_set(err, ERR_INVALID, "\"" STR_FMT "\" is no time span that can pass",
                       STR_ARG(text));
    }
    ret->number = seconds * 1000000 + nanos / 1000;
    return r;
}

static int read_bool(struct str text, struct scalar *ret, struct err *err)
{
    ret->proto.boolean = str_eq_cstr(text, "true");
    if (!ret->proto.boolean && !str_eq_cstr(text, "false")) {
        return err_set(err, ERR_INVALID, "\"" STR_FMT "\" is no bool: write true or false",
                       STR_ARG(apitest_cut(text, 64)));
    }
    return 0;
}

static int read_count(struct str text, struct scalar *ret, struct err *err)
{
    if (num_i64(text, INT64_MIN, INT64_MAX, &ret->number) < 0) {
        return err_set(err, ERR_INVALID, "\"" STR_FMT "\" is no whole number",
                       STR_ARG(apitest_cut(text, 64)));
    }
    return 0;
}

static int read_json(const struct apitest_text *text, enum conf_style style, struct arena *arena,
                     struct scalar *ret, struct err *err)
{
    /* Text around a variable makes text; a variable alone is whatever it is compared with. */
    ret->loose = text->whole;
    ret->json = apitest_json_of_scalar(text->text, text->constant ? style : CONF_SINGLE, arena);
    return ret->json != NULL ? 0 : err_set(err, ERR_FULL, "no memory is left for expectations");
}

static int read_text(const struct subject *s, const struct apitest_text *text,
                     enum conf_style style, struct arena *arena, struct scalar *ret,
                     struct err *err)
{
    switch (s->kind) {
    case SUBJECT_INSTANT:
        return read_instant(text->text, ret, err);
    case SUBJECT_SPAN:
        return apitest_span_parse(text->text, &ret->number, &ret->nanos, err);
    case SUBJECT_COUNT:
        return read_count(text->text, ret, err);
    case SUBJECT_MS:
        return read_ms(text->text, ret, err);
    case SUBJECT_JSON:
        return read_json(text, style, arena, ret, err);
    case SUBJECT_TEXT:
    case SUBJECT_MASK:
        ret->text = text->text;
        return 0;
    case SUBJECT_BOOL:
    case SUBJECT_INTEGER:
    case SUBJECT_FLOAT:
    case SUBJECT_ENUM:
    case SUBJECT_STRING:
    case SUBJECT_BYTES:
    case SUBJECT_MESSAGE:
    case SUBJECT_ANY:
    case SUBJECT_LIST:
    case SUBJECT_MAP:
        break;
    }
    if (s->field == NULL) {
        return read_bool(text->text, ret, err);
    }
    enum proto_notation notation = !text->constant       ? PROTO_TEXT
                                   : style == CONF_PLAIN ? PROTO_YAML_PLAIN
                                                         : PROTO_YAML_QUOTED;
    return proto_scalar_read(s->field, text->text, notation, arena, &ret->proto, err);
}

void apitest_hide_value(const struct apitest_scope *scope, const struct apitest_text *text,
                        struct err *err)
{
    if (!text->constant && apitest_hides(apitest_scope_secrets(scope), text->text)) {
        (void) err_set(err, err->code, "the value, which holds a secret, is not of this type");
    }
}

int apitest_scalar_read(const struct subject *s, const struct conf_node *node,
                        const struct apitest_scope *scope, struct arena *arena,
                        struct conf_diags *diags, struct scalar *ret, bool *ret_known,
                        bool *ret_constant)
{
    struct apitest_text text = {.known = false};
    struct scalar scalar = {.number = 0};
    struct err err = {0};
    if (apitest_expand(scope, node, arena, diags, &text) < 0) {
        return ERR_INVALID;
    }
    if (text.known && read_text(s, &text, node->style, arena, &scalar, &err) < 0) {
        bool named = s->field != NULL && s->desc == NULL;
        apitest_hide_value(scope, &text, &err);
        return conf_error(diags, node, "%s" STR_FMT "%s%s", named ? "field " : "",
                          STR_ARG(named ? s->field->name : STR("")), named ? ": " : "", err.msg);
    }
    *ret = scalar;
    *ret_known = text.known;
    *ret_constant = text.constant && !scalar.now;
    return 0;
}
