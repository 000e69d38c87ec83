/* Fields of .proto files: labels, types, maps, groups, default values. */
#include "proto/pool_int.h"
#include "proto/source_int.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *word;
    enum proto_type type;
} TYPES[] = {
    {"double", PROTO_DOUBLE},     {"float", PROTO_FLOAT},       {"int64", PROTO_INT64},
    {"uint64", PROTO_UINT64},     {"int32", PROTO_INT32},       {"fixed64", PROTO_FIXED64},
    {"fixed32", PROTO_FIXED32},   {"bool", PROTO_BOOL},         {"string", PROTO_STRING},
    {"group", PROTO_GROUP},       {"bytes", PROTO_BYTES},       {"uint32", PROTO_UINT32},
    {"sfixed32", PROTO_SFIXED32}, {"sfixed64", PROTO_SFIXED64}, {"sint32", PROTO_SINT32},
    {"sint64", PROTO_SINT64},
};

/* A field while it is read. */
struct field {
    const struct source_field_place *place;
    struct proto_msg *msg;
    enum proto_type type; /* 0: by type_name */
    struct str type_name;
    int32_t label; /* 0: none */
    bool is_map;
    enum proto_type key_type;
    enum proto_type value_type; /* of a map */
    struct str value_type_name;
};

/* ret_type 0: a name. */
static int parse_type(struct source *s, enum proto_type *ret_type, struct str *ret_name)
{
    for (size_t i = 0; s->lex.token.kind == LEX_IDENT && i < sizeof TYPES / sizeof TYPES[0]; i++) {
        if (lex_is(&s->lex, TYPES[i].word)) {
            *ret_type = TYPES[i].type;
            return lex_next(&s->lex);
        }
    }
    *ret_type = (enum proto_type) 0;
    return source_type_name(s, "the type of a field", true, ret_name);
}

static bool is_key_type(enum proto_type type)
{
    return type != 0 && type != PROTO_DOUBLE && type != PROTO_FLOAT && type != PROTO_BYTES &&
           type != PROTO_GROUP;
}

/* "map<K, V>" behind "map" */
static int parse_map(struct source *s, struct field *f, const char *map_at)
{
    if (f->place->oneof >= 0) {
        return lex_fail(&s->lex, map_at, "a map may not stand in a oneof");
    }
    if (f->place->extendee.ptr != NULL) {
        return lex_fail(&s->lex, map_at, "an extension may not be a map");
    }
    if (f->label != 0) {
        return lex_fail(&s->lex, map_at,
                        "a map has no label: leave out what stands before \"map\"");
    }
    struct str key_name = {0};
    TRY(source_want(s, "<", "behind map"));
    const char *key_at = s->lex.token.text.ptr;
    TRY(parse_type(s, &f->key_type, &key_name));
    if (!is_key_type(f->key_type)) {
        return lex_fail(
            &s->lex, key_at,
            "the key of a map is an integer, a bool or a string, not a float, bytes, enum or "
            "message");
    }
    TRY(source_want(s, ",", "behind the type of the map's key"));
    const char *value_at = s->lex.token.text.ptr;
    TRY(parse_type(s, &f->value_type, &f->value_type_name));
    if (f->value_type == PROTO_GROUP) {
        return lex_fail(&s->lex, value_at, "the value of a map may not be a group");
    }
    f->is_map = true;
    f->label = LABEL_REPEATED;
    return source_want(s, ">", "behind the type of the map's value");
}

static int parse_label(struct source *s, struct field *f)
{
    static const char *const LABELS[] = {"", "optional", "required", "repeated"};
    for (int32_t label = LABEL_OPTIONAL; label <= LABEL_REPEATED; label++) {
        if (lex_is(&s->lex, LABELS[label])) {
            if (label == LABEL_REQUIRED && s->proto3) {
                return lex_fail(&s->lex, s->lex.token.text.ptr, "proto3 has no required fields");
            }
            f->label = label;
            return lex_next(&s->lex);
        }
    }
    return 0;
}

static int parse_label_and_type(struct source *s, struct field *f)
{
    TRY(parse_label(s, f));
    if (f->label == LABEL_OPTIONAL && s->proto3) {
        source_set_bool(s, f->msg, FIELD_PROTO3_OPTIONAL);
    }
    struct lex ahead = s->lex;
    const char *start = s->lex.token.text.ptr;
    if (lex_is(&s->lex, "map")) {
        TRY(lex_next(&ahead));
        if (lex_is(&ahead, "<")) {
            s->lex = ahead;
            return parse_map(s, f, start);
        }
    }
    bool needs_label = f->label == 0 && f->place->oneof < 0 && !s->proto3;
    if (f->label == 0) {
        f->label = LABEL_OPTIONAL;
    }
    if (needs_label) {
        char seen[64];
        if (s->lex.token.kind != LEX_IDENT && !lex_is(&s->lex, ".")) {
            return lex_expected(&s->lex, "a field or \"}\" in the message");
        }
        return lex_fail(
            &s->lex, start,
            "expected \"optional\", \"repeated\" or \"required\" before the type %s, as the "
            "file is proto2",
            lex_shown(&s->lex, seen));
    }
    TRY(parse_type(s, &f->type, &f->type_name));
    if (f->type == PROTO_GROUP && s->proto3) {
        return lex_fail(&s->lex, start, "proto3 has no groups: use a message");
    }
    return 0;
}

/* The shortest of the two that reads back as the same. */
static void double_text(double value, bool is_float, char out[32])
{
    double seen = is_float ? (double) (float) value : value;
    (void) snprintf(out, 32, "%.*g", is_float ? FLT_DIG : DBL_DIG, seen);
    double back = strtod(out, NULL);
    if ((is_float ? (double) (float) back : back) != seen) {
        (void) snprintf(out, 32, "%.*g", is_float ? FLT_DIG + 3 : DBL_DIG + 2, seen);
    }
}

static int default_float(struct source *s, struct proto_msg *field, bool is_float)
{
    bool minus = false;
    TRY(source_take(s, "-", &minus));
    double value = 0;
    if (lex_is(&s->lex, "inf")) {
        value = (double) INFINITY;
    } else if (lex_is(&s->lex, "nan")) {
        value = (double) NAN;
        minus = false;
    } else if (s->lex.token.kind == LEX_INT) {
        uint64_t whole = 0;
        if (lex_int_value(s->lex.token.text, UINT64_MAX, &whole) < 0) {
            return lex_fail(
                &s->lex, s->lex.token.text.ptr,
                "an integer that does not fit into 64 bits: write it with a point or an "
                "exponent");
        }
        value = (double) whole;
    } else if (s->lex.token.kind == LEX_FLOAT) {
        if (lex_float_value(s->lex.token.text, &value) < 0) {
            return lex_fail(&s->lex, s->lex.token.text.ptr,
                            "a number of so many digits is not read");
        }
    } else {
        return lex_expected(&s->lex, "a number as the default value");
    }
    char text[32];
    double_text(minus ? -value : value, is_float, text);
    const char *kept = arena_strdup(s->arena, str_of(text));
    TRY(kept == NULL ? source_full(s) : 0);
    source_set_str(s, field, FIELD_DEFAULT, str_of(kept));
    return lex_next(&s->lex);
}

static int default_int(struct source *s, struct proto_msg *field, int64_t min, uint64_t max)
{
    const char *start = s->lex.token.text.ptr;
    bool minus = false;
    TRY(source_take(s, "-", &minus));
    if (minus && min == 0) {
        return lex_fail(&s->lex, start,
                        "the default value of an unsigned field may not be negative");
    }
    if (s->lex.token.kind != LEX_INT) {
        return lex_expected(&s->lex, "an integer as the default value");
    }
    uint64_t value = 0;
    if (lex_int_value(s->lex.token.text, minus ? max + 1 : max, &value) < 0) {
        struct str text = s->lex.token.text;
        return lex_fail(&s->lex, start, "the default value %s%.*s is out of range: %lld to %llu",
                        minus ? "-" : "", text.len > 40 ? 40 : (int) text.len, text.ptr,
                        (long long) min, (unsigned long long) max);
    }
    const char *text =
        arena_printf(s->arena, "%s%llu", minus && value > 0 ? "-" : "", (unsigned long long) value);
    TRY(text == NULL ? source_full(s) : 0);
    source_set_str(s, field, FIELD_DEFAULT, str_of(text));
    return lex_next(&s->lex);
}

/* Bytes as protoc writes them into default_value: C escapes, octal ones for what does not print. */
static bool escape_bytes(struct arena *arena, struct str bytes, struct str *ret)
{
    static const char PLAIN[] = "\n\r\t\"'\\";
    static const char LETTERS[] = "nrt\"'\\";
    char *out = arena_alloc(arena, bytes.len * 4 + 1);
    if (out == NULL) {
        return false;
    }
    size_t len = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char) bytes.ptr[i];
        const char *special = c == 0 ? NULL : strchr(PLAIN, c);
        if (special != NULL) {
            out[len++] = '\\';
            out[len++] = LETTERS[special - PLAIN];
        } else if (c >= ' ' && c <= '~') {
            out[len++] = (char) c;
        } else {
            out[len++] = '\\';
            out[len++] = (char) ('0' + (c >> 6));
            out[len++] = (char) ('0' + (c >> 3 & 7));
            out[len++] = (char) ('0' + (c & 7));
        }
    }
    *ret = (struct str){out, len};
    return true;
}

static int default_string(struct source *s, struct proto_msg *field, bool is_bytes)
{
    if (s->lex.token.kind != LEX_STRING) {
        return lex_expected(&s->lex, "a string in quotes as the default value");
    }
    struct str value = {0};
    TRY(lex_string(&s->lex, s->arena, &value));
    if (is_bytes && !escape_bytes(s->arena, value, &value)) {
        return source_full(s);
    }
    source_set_str(s, field, FIELD_DEFAULT, value);
    return 0;
}

static int default_ident(struct source *s, struct proto_msg *field, enum proto_type type)
{
    if (type == PROTO_BOOL && !lex_is(&s->lex, "true") && !lex_is(&s->lex, "false")) {
        return lex_expected(&s->lex, "true or false as the default value");
    }
    struct str name = {0};
    TRY(source_ident(s, "the name of an enum value as the default value", &name));
    source_set_str(s, field, FIELD_DEFAULT, name);
    return 0;
}

int source_default(struct source *s, struct proto_msg *field)
{
    enum proto_type type =
        (enum proto_type) proto_get(field, proto_field_of(field, FIELD_TYPE)).i32;
    if (!proto_has(field, proto_field_of(field, FIELD_TYPE))) {
        type = PROTO_ENUM;
    }
    switch (type) {
    case PROTO_DOUBLE:
    case PROTO_FLOAT:
        return default_float(s, field, type == PROTO_FLOAT);
    case PROTO_INT32:
    case PROTO_SINT32:
    case PROTO_SFIXED32:
        return default_int(s, field, INT32_MIN, INT32_MAX);
    case PROTO_INT64:
    case PROTO_SINT64:
    case PROTO_SFIXED64:
        return default_int(s, field, INT64_MIN, INT64_MAX);
    case PROTO_UINT32:
    case PROTO_FIXED32:
        return default_int(s, field, 0, UINT32_MAX);
    case PROTO_UINT64:
    case PROTO_FIXED64:
        return default_int(s, field, 0, UINT64_MAX);
    case PROTO_STRING:
    case PROTO_BYTES:
        return default_string(s, field, type == PROTO_BYTES);
    case PROTO_BOOL:
    case PROTO_ENUM:
        return default_ident(s, field, type);
    case PROTO_GROUP:
    case PROTO_MESSAGE:
        break;
    }
    return lex_fail(&s->lex, s->lex.token.text.ptr, "a message has no default value");
}

static int add_entry_field(struct source *s, struct proto_msg *entry, const char *name,
                           enum proto_type type, struct str type_name)
{
    struct proto_msg *field = NULL;
    TRY(source_add_message(s, entry, MESSAGE_FIELD, &field));
    source_set_str(s, field, FIELD_NAME, str_of(name));
    source_set_str(s, field, FIELD_JSON_NAME, str_of(name));
    source_set_i32(s, field, FIELD_NUMBER, str_eq_cstr(str_of(name), "key") ? 1 : 2);
    source_set_i32(s, field, FIELD_LABEL, LABEL_OPTIONAL);
    if (type != 0) {
        source_set_i32(s, field, FIELD_TYPE, (int32_t) type);
    } else {
        source_set_str(s, field, FIELD_TYPE_NAME, type_name);
    }
    return 0;
}

/* The message of a map's entries: foo_bar has FooBarEntry beside it. */
static int add_map_entry(struct source *s, struct field *f)
{
    struct str name = proto_str(f->msg, FIELD_NAME);
    char *entry_name = arena_alloc(s->arena, name.len + sizeof "Entry");
    TRY(entry_name == NULL ? source_full(s) : 0);
    size_t len = 0;
    bool upper = true;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (upper) {
            c = source_upper(c);
        }
        upper = c == '_';
        if (!upper) {
            entry_name[len++] = c;
        }
    }
    memcpy(entry_name + len, "Entry", sizeof "Entry");
    struct str kept = {entry_name, len + 5};
    struct proto_msg *entry = NULL;
    TRY(source_add_message(s, f->place->parent, f->place->messages, &entry));
    source_set_str(s, entry, MESSAGE_NAME, kept);
    struct proto_msg *options = proto_mutable(entry, proto_field_of(entry, MESSAGE_OPTIONS));
    TRY(options == NULL ? source_full(s) : 0);
    source_set_bool(s, options, OPTION_MAP_ENTRY);
    TRY(add_entry_field(s, entry, "key", f->key_type, (struct str){0}));
    TRY(add_entry_field(s, entry, "value", f->value_type, f->value_type_name));
    source_set_i32(s, f->msg, FIELD_TYPE, PROTO_MESSAGE);
    source_set_str(s, f->msg, FIELD_TYPE_NAME, kept);
    return 0;
}

static int parse_group(struct source *s, struct field *f)
{
    struct str name = proto_str(f->msg, FIELD_NAME);
    if (name.ptr[0] < 'A' || name.ptr[0] > 'Z') {
        return lex_fail(&s->lex, name.ptr,
                        "the name of a group begins with a capital letter, unlike \"%.*s\"",
                        name.len > 60 ? 60 : (int) name.len, name.ptr);
    }
    char *lower = arena_alloc(s->arena, name.len + 1);
    struct proto_msg *group = NULL;
    TRY(lower == NULL ? source_full(s) : 0);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        lower[i] = source_lower(c);
    }
    TRY(source_add_message(s, f->place->parent, f->place->messages, &group));
    source_set_str(s, group, MESSAGE_NAME, name);
    source_set_str(s, f->msg, FIELD_NAME, (struct str){lower, name.len});
    source_set_str(s, f->msg, FIELD_TYPE_NAME, name);
    return source_message_body(s, group);
}

static int set_json_name(struct source *s, struct proto_msg *field)
{
    struct str json_name = {0};
    if (proto_has(field, proto_field_of(field, FIELD_JSON_NAME))) {
        return 0;
    }
    if (!proto_json_name(s->arena, proto_str(field, FIELD_NAME), &json_name)) {
        return source_full(s);
    }
    source_set_str(s, field, FIELD_JSON_NAME, json_name);
    return 0;
}

int source_field(struct source *s, const struct source_field_place *place)
{
    struct field f = {.place = place};
    TRY(source_add_message(s, place->parent, place->fields, &f.msg));
    TRY(parse_label_and_type(s, &f));
    struct str name = {0};
    int32_t number = 0;
    TRY(source_ident(s, "the name of a field", &name));
    TRY(source_want(s, "=", "and a number behind the name of the field"));
    TRY(source_field_number(s, place->extendee.ptr != NULL, &number));
    source_set_str(s, f.msg, FIELD_NAME, name);
    source_set_i32(s, f.msg, FIELD_NUMBER, number);
    source_set_i32(s, f.msg, FIELD_LABEL, f.label);
    if (place->extendee.ptr != NULL) {
        source_set_str(s, f.msg, FIELD_EXTENDEE, place->extendee);
    }
    if (place->oneof >= 0) {
        source_set_i32(s, f.msg, FIELD_ONEOF_INDEX, place->oneof);
    }
    if (f.type != 0) {
        source_set_i32(s, f.msg, FIELD_TYPE, (int32_t) f.type);
    } else if (!f.is_map) {
        source_set_str(s, f.msg, FIELD_TYPE_NAME, f.type_name);
    }
    if (lex_is(&s->lex, "[")) {
        TRY(source_options_in_brackets(s, f.msg, FIELD_OPTIONS, true));
    }
    if (f.type == PROTO_GROUP) {
        TRY(parse_group(s, &f));
    } else {
        TRY(source_semicolon(s, "the field"));
    }
    TRY(f.is_map ? add_map_entry(s, &f) : 0);
    return set_json_name(s, f.msg);
}
