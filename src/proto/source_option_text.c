/* The text format of aggregate values: { name: "x" [pkg.ext]: 1 nested { ... } list: [1, 2] }. */
#include "base/cleanup.h"
#include "proto/source_option_int.h"
#include "proto/wire.h"

#include <string.h>

#define TEXT_DEPTH_MAX 64u
#define TEXT_BYTES_MAX ((size_t) 64 * 1024 * 1024)

struct text {
    struct resolve *r;
    struct lex lex;
    unsigned depth;
};

/* What a message has had, to refuse a second value. */
struct seen {
    VEC(uint32_t) number;
    VEC(int32_t) oneof;
};

static void seen_done(struct seen *seen)
{
    vec_done(&seen->number);
    vec_done(&seen->oneof);
}

static int read_message(struct text *t, const struct option_type *type, const char *close,
                        struct buf *b);

static int note(struct text *t, struct seen *seen, const struct option_field *field, const char *at)
{
    for (size_t i = 0; !field->repeated && i < seen->number.len; i++) {
        if (seen->number.ptr[i] == field->number) {
            return lex_fail(&t->lex, at, "\"" STR_FMT "\" is given twice and is not repeated",
                            STR_ARG(field->name));
        }
    }
    for (size_t i = 0; field->oneof >= 0 && i < seen->oneof.len; i++) {
        if (seen->oneof.ptr[i] == field->oneof) {
            return lex_fail(&t->lex, at, "\"" STR_FMT "\" is of a oneof that has a value already",
                            STR_ARG(field->name));
        }
    }
    if (!field->repeated) {
        vec_push(&seen->number, field->number);
    }
    if (field->oneof >= 0) {
        vec_push(&seen->oneof, field->oneof);
    }
    return 0;
}

/* In a MessageSet an extension may be named by its message type. */
static const struct source_symbol *
by_message(const struct text *t, const struct source_symbol *symbol, const struct option_type *type)
{
    if (symbol->kind != SOURCE_MESSAGE || !option_type_is_message_set(type)) {
        return symbol;
    }
    if (symbol->source == NULL) {
        const struct proto_file_desc *file = symbol->file;
        for (size_t i = 0; i < file->extensions; i++) {
            const struct proto_field_desc *field = file->extension[i];
            if (field->message == symbol->message && str_eq(field->parent->full_name, type->name)) {
                return source_symbol_find(t->r, field->full_name);
            }
        }
        return symbol;
    }
    for (size_t i = 0; i < source_len(symbol->source, MESSAGE_EXTENSION); i++) {
        struct option_field field = {0};
        struct str of = {0};
        struct str name = proto_str(source_item(symbol->source, MESSAGE_EXTENSION, i), FIELD_NAME);
        name = source_join(&t->r->scratch, symbol->name, name);
        const struct source_symbol *extension =
            name.ptr == NULL ? NULL : source_symbol_find(t->r, name);
        if (extension != NULL && extension->kind == SOURCE_EXTENSION) {
            option_extension(t->r, extension, &field, &of);
        }
        if (str_eq(of, type->name) && str_eq(field.type_name, symbol->name)) {
            return extension;
        }
    }
    return symbol;
}

/* "[pkg.ext]" behind the bracket. */
static int read_extension(struct text *t, const struct option_type *type, struct str name,
                          const char *at, struct option_field *ret)
{
    const struct source_symbol *symbol = source_symbol_look(t->r, name, type->name, false);
    if (symbol == NULL) {
        return source_symbol_unknown(t->r, name, type->name, "extension", at);
    }
    symbol = by_message(t, symbol, type);
    struct str of = {0};
    if (symbol->kind == SOURCE_EXTENSION) {
        option_extension(t->r, symbol, ret, &of);
    }
    if (symbol->kind != SOURCE_EXTENSION || !str_eq(of, type->name)) {
        return lex_fail(&t->lex, at, "\"" STR_FMT "\" is no extension of " STR_FMT,
                        STR_ARG(symbol->name), STR_ARG(type->name));
    }
    return 0;
}

/* a.b.c, and with slashes the URL of a type; moves behind it. */
static int read_name(struct text *t, struct str *ret, size_t *ret_slash)
{
    const char *start = t->lex.token.text.ptr;
    const char *end = start;
    size_t slash = SIZE_MAX;
    while (!lex_is(&t->lex, "]")) {
        bool joins = lex_is(&t->lex, ".") || lex_is(&t->lex, "/") || lex_is(&t->lex, "-");
        if (t->lex.token.kind != LEX_IDENT && !joins) {
            return lex_expected(&t->lex, "the name of an extension and \"]\"");
        }
        if (t->lex.token.text.ptr != end) {
            return lex_fail(&t->lex, end, "a name of an extension has no blanks inside");
        }
        if (lex_is(&t->lex, "/")) {
            slash = (size_t) (end - start);
        }
        end = t->lex.token.text.ptr + t->lex.token.text.len;
        TRY(lex_next(&t->lex));
    }
    if (start == end) {
        return lex_expected(&t->lex, "the name of an extension");
    }
    *ret = (struct str){start, (size_t) (end - start)};
    *ret_slash = slash;
    return lex_next(&t->lex);
}

/* Floats are not written in octal or hexadecimal. */
static int check_float(struct text *t, const struct option_field *field)
{
    struct str text = t->lex.token.text;
    bool is_float = field->type == PROTO_FLOAT || field->type == PROTO_DOUBLE;
    if (is_float && t->lex.token.kind == LEX_INT && text.len > 1 && text.ptr[0] == '0') {
        return lex_fail(&t->lex, text.ptr, "a float is written in decimal, not as \"%.*s\"",
                        text.len > 40 ? 40 : (int) text.len, text.ptr);
    }
    return 0;
}

static int read_scalar(struct text *t, const struct option_field *field, struct buf *b)
{
    struct option_value value = {.lenient = true, .at = t->lex.token.text.ptr};
    bool minus = lex_is(&t->lex, "-");
    const char *start = t->lex.token.text.ptr;
    if (minus) {
        TRY(lex_next(&t->lex));
    }
    struct str text = t->lex.token.text;
    if (t->lex.token.kind == LEX_STRING && !minus) {
        value.kind = OPTION_IS_STRING;
        TRY(lex_string(&t->lex, &t->r->scratch, &value.text));
        return option_put_scalar(t->r, field, &value, b);
    }
    bool is_float = field->type == PROTO_FLOAT || field->type == PROTO_DOUBLE;
    TRY(check_float(t, field));
    bool whole =
        t->lex.token.kind == LEX_INT &&
        lex_int_value(text, minus ? (uint64_t) INT64_MAX + 1 : UINT64_MAX, &value.u64) == 0;
    if (whole) {
        value.kind = minus ? OPTION_IS_NEGATIVE : OPTION_IS_UINT;
        value.i64 = (int64_t) (0 - value.u64);
    } else if (t->lex.token.kind == LEX_FLOAT || (t->lex.token.kind == LEX_INT && is_float)) {
        value.kind = OPTION_IS_DOUBLE;
        if (lex_float_value(text, &value.f64) < 0) {
            return lex_fail(&t->lex, start, "a number of so many digits is not read");
        }
        value.f64 = minus ? -value.f64 : value.f64;
    } else if (t->lex.token.kind == LEX_IDENT) {
        value.kind = OPTION_IS_IDENT;
        value.text = text;
        if (minus) {
            value.text.ptr = arena_printf(&t->r->scratch, "-" STR_FMT, STR_ARG(text));
            value.text.len++;
            TRY(value.text.ptr == NULL ? source_resolve_full(t->r) : 0);
        }
    } else {
        return lex_expected(&t->lex, "a value of \"" STR_FMT "\"", STR_ARG(field->name));
    }
    TRY(lex_next(&t->lex));
    return option_put_scalar(t->r, field, &value, b);
}

/* "{ ... }" or "< ... >" into contents. */
static int read_block(struct text *t, const struct option_type *type, struct buf *contents)
{
    bool angle = lex_is(&t->lex, "<");
    if (!angle && !lex_is(&t->lex, "{")) {
        return lex_expected(&t->lex, "\"{\" before a message " STR_FMT, STR_ARG(type->name));
    }
    if (++t->depth > TEXT_DEPTH_MAX) {
        return lex_fail(&t->lex, t->lex.token.text.ptr,
                        "more than %u messages are nested in each other", TEXT_DEPTH_MAX);
    }
    TRY(lex_next(&t->lex));
    TRY(read_message(t, type, angle ? ">" : "}", contents));
    t->depth--;
    return lex_next(&t->lex);
}

static int read_value(struct text *t, const struct option_type *of,
                      const struct option_field *field, struct buf *b)
{
    if (field->type != PROTO_MESSAGE && field->type != PROTO_GROUP) {
        return read_scalar(t, field, b);
    }
    _cleanup_(buf_done) struct buf contents;
    buf_init(&contents, TEXT_BYTES_MAX);
    TRY(read_block(t, &field->message, &contents));
    if (field->extension && option_type_is_message_set(of)) {
        option_put_item(field->number, buf_str(&contents), b);
    } else {
        option_put_message(field, buf_str(&contents), b);
    }
    return 0;
}

/* "[a, b]" */
static int read_list(struct text *t, const struct option_type *of, const struct option_field *field,
                     struct buf *b)
{
    if (!field->repeated) {
        return lex_fail(&t->lex, t->lex.token.text.ptr,
                        "\"" STR_FMT "\" is not repeated: no list can be set",
                        STR_ARG(field->name));
    }
    TRY(lex_next(&t->lex));
    bool more = !lex_is(&t->lex, "]");
    while (more) {
        TRY(read_value(t, of, field, b));
        more = lex_is(&t->lex, ",");
        TRY(more ? lex_next(&t->lex) : 0);
    }
    if (!lex_is(&t->lex, "]")) {
        return lex_expected(&t->lex, "\",\" or \"]\" in the list");
    }
    return lex_next(&t->lex);
}

/* The bytes that protobuf writes for a linked message: fields in the order of their numbers. */
static int normalize(struct text *t, const struct option_type *type, struct buf *contents)
{
    if (type->linked == NULL) {
        return 0;
    }
    struct err err = {0};
    struct proto_msg *msg = proto_msg_new(&t->r->scratch, type->linked);
    if (msg == NULL || proto_wire_read(buf_str(contents), msg, 0, &err) < 0) {
        return msg == NULL ? source_resolve_full(t->r)
                           : lex_fail(&t->lex, t->lex.before, "%s", err.msg);
    }
    buf_clear(contents);
    return proto_wire_write(msg, 0, contents, &err) < 0
               ? lex_fail(&t->lex, t->lex.before, "%s", err.msg)
               : 0;
}

/* "[type.googleapis.com/pkg.Type] { ... }" in an Any, behind the name. */
static int read_any(struct text *t, struct str url, size_t slash, struct buf *b)
{
    struct str prefix = {url.ptr, slash == SIZE_MAX ? 0 : slash};
    if (!str_eq_cstr(prefix, "type.googleapis.com") &&
        !str_eq_cstr(prefix, "type.googleprod.com")) {
        return lex_fail(&t->lex, url.ptr,
                        "the type in an Any is written as "
                        "[type.googleapis.com/full.name.of.Type]");
    }
    struct str name = {url.ptr + slash + 1, url.len - slash - 1};
    const struct source_symbol *symbol = source_symbol_find(t->r, name);
    if (symbol == NULL || symbol->kind != SOURCE_MESSAGE) {
        return lex_fail(&t->lex, name.ptr, "no message \"%.*s\" here or in the imports",
                        name.len > 200 ? 200 : (int) name.len, name.ptr);
    }
    if (lex_is(&t->lex, ":")) {
        TRY(lex_next(&t->lex));
    }
    _cleanup_(buf_done) struct buf contents;
    buf_init(&contents, TEXT_BYTES_MAX);
    struct option_type type = option_type_of(symbol);
    TRY(read_block(t, &type, &contents));
    TRY(normalize(t, &type, &contents));
    option_put_bytes(1, url, b);
    option_put_bytes(2, buf_str(&contents), b);
    return 0;
}

static int unknown_field(struct text *t, const struct option_type *type, struct str name)
{
    char near[65];
    const char *meant = option_type_nearest(t->r, type, name, near);
    return lex_fail(&t->lex, name.ptr, "no field \"%.*s\" in message " STR_FMT "%s%s%s",
                    name.len > 100 ? 100 : (int) name.len, name.ptr, STR_ARG(type->name),
                    meant == NULL ? "" : ": did you mean \"", meant == NULL ? "" : meant,
                    meant == NULL ? "" : "\"?");
}

/* A group goes by the name of its type. */
static int named_field(struct text *t, const struct option_type *type, struct option_field *ret)
{
    struct str name = t->lex.token.text;
    char lower[256];
    if (t->lex.token.kind != LEX_IDENT) {
        return lex_expected(&t->lex, "the name of a field of " STR_FMT, STR_ARG(type->name));
    }
    bool found = option_type_field(t->r, type, name, ret) && ret->type != PROTO_GROUP;
    if (!found && name.len < sizeof lower) {
        for (size_t i = 0; i < name.len; i++) {
            char c = name.ptr[i];
            lower[i] = source_lower(c);
        }
        found = option_type_field(t->r, type, (struct str){lower, name.len}, ret) &&
                ret->type == PROTO_GROUP && str_ends_with(ret->type_name, name);
    }
    return found ? lex_next(&t->lex) : unknown_field(t, type, name);
}

static int read_field(struct text *t, const struct option_type *type, struct seen *seen,
                      struct buf *b)
{
    struct option_field field = {0};
    const char *at = t->lex.token.text.ptr;
    if (lex_is(&t->lex, "[")) {
        struct str name = {0};
        size_t slash = SIZE_MAX;
        TRY(lex_next(&t->lex));
        TRY(read_name(t, &name, &slash));
        if (str_eq_cstr(type->name, "google.protobuf.Any")) {
            struct option_field url = {.number = 1, .name = STR("type_url"), .oneof = -1};
            TRY(note(t, seen, &url, at));
            return read_any(t, name, slash, b);
        }
        TRY(read_extension(t, type, name, at, &field));
    } else {
        TRY(named_field(t, type, &field));
    }
    TRY(note(t, seen, &field, at));
    bool message = field.type == PROTO_MESSAGE || field.type == PROTO_GROUP;
    if (lex_is(&t->lex, ":")) {
        TRY(lex_next(&t->lex));
    } else if (!message) {
        return lex_expected(&t->lex, "\":\" behind \"" STR_FMT "\"", STR_ARG(field.name));
    }
    return lex_is(&t->lex, "[") ? read_list(t, type, &field, b) : read_value(t, type, &field, b);
}

static int check_required(struct text *t, const struct option_type *type, const struct seen *seen)
{
    struct option_field field;
    if (type->linked != NULL && !type->linked->has_required) {
        return 0;
    }
    for (size_t i = 0; option_type_field_at(t->r, type, i, &field); i++) {
        bool there = !field.required;
        for (size_t j = 0; !there && j < seen->number.len; j++) {
            there = seen->number.ptr[j] == field.number;
        }
        if (!there) {
            return lex_fail(&t->lex, t->lex.token.text.ptr,
                            "the required field \"" STR_FMT "\" of " STR_FMT " is missing",
                            STR_ARG(field.name), STR_ARG(type->name));
        }
    }
    return 0;
}

/* Up to close, which stays the present token; NULL: to the end. */
static int read_message(struct text *t, const struct option_type *type, const char *close,
                        struct buf *b)
{
    _cleanup_(seen_done) struct seen seen = {0};
    while (close == NULL ? t->lex.token.kind != LEX_END : !lex_is(&t->lex, close)) {
        TRY(read_field(t, type, &seen, b));
        if (lex_is(&t->lex, ",") || lex_is(&t->lex, ";")) {
            TRY(lex_next(&t->lex));
        }
        if (b->failed) {
            return lex_fail(&t->lex, t->lex.before, "the value of the option is too large");
        }
    }
    return check_required(t, type, &seen);
}

int option_text(struct resolve *r, struct str text, const struct option_type *type, struct buf *b)
{
    struct text t = {.r = r, .lex = r->lex};
    t.lex.at = text.ptr;
    t.lex.end = text.ptr + text.len;
    TRY(lex_next(&t.lex));
    return read_message(&t, type, NULL, b);
}
