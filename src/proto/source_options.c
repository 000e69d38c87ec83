/*
 * What the options of a file mean: names are followed from the message of options into its fields
 * and extensions, values are written in their wire form, and that is read into the message.  What
 * is not linked yet, as it is defined in the same file, stays in its unknown fields.
 */
#include "base/cleanup.h"
#include "proto/source_option_int.h"
#include "proto/wire.h"

#define OPTIONS_PER_ELEMENT_MAX 1024u /* their cost is quadratic */
#define PATH_MAX_PARTS          32u
#define OPTION_BYTES_MAX        ((size_t) 64 * 1024 * 1024)

/* One option while it is interpreted: the fields of its name from the outside to the inside. */
struct path {
    struct option_field field[PATH_MAX_PARTS];
    size_t len;
};

static int unknown_option(struct resolve *r, const struct option_type *type, struct str name)
{
    char near[65];
    const char *meant = option_type_nearest(r, type, name, near);
    return lex_fail(&r->lex, name.ptr, "no option \"%.*s\" in " STR_FMT "%s%s%s",
                    name.len > 100 ? 100 : (int) name.len, name.ptr, STR_ARG(type->name),
                    meant == NULL ? "" : ": did you mean \"", meant == NULL ? "" : meant,
                    meant == NULL ? "" : "\"?");
}

/* A field by its full name in parentheses, which protoc takes too. */
static bool field_by_full_name(const struct resolve *r, const struct option_type *type,
                               struct str name, struct str scope, struct option_field *ret)
{
    size_t dot = name.len;
    while (dot > 0 && name.ptr[dot - 1] != '.') {
        dot--;
    }
    if (dot < 2) {
        return false;
    }
    const struct source_symbol *message =
        source_symbol_look(r, (struct str){name.ptr, dot - 1}, scope, true);
    return message != NULL && message->kind == SOURCE_MESSAGE &&
           str_eq(message->name, type->name) &&
           option_type_field(r, type, (struct str){name.ptr + dot, name.len - dot}, ret);
}

static int extension_part(struct resolve *r, const struct option_type *type, struct str name,
                          struct str scope, struct option_field *ret)
{
    const struct source_symbol *symbol = source_symbol_look(r, name, scope, false);
    if ((symbol == NULL || symbol->kind == SOURCE_FIELD) &&
        field_by_full_name(r, type, name, scope, ret)) {
        return 0;
    }
    if (symbol == NULL) {
        return source_symbol_unknown(r, name, scope, "option", name.ptr);
    }
    struct str of = {0};
    if (symbol->kind == SOURCE_EXTENSION) {
        option_extension(r, symbol, ret, &of);
    }
    if (symbol->kind != SOURCE_EXTENSION || !str_eq(of, type->name)) {
        return lex_fail(&r->lex, name.ptr, "\"" STR_FMT "\" is no extension of " STR_FMT,
                        STR_ARG(symbol->name), STR_ARG(type->name));
    }
    return 0;
}

static int follow_name(struct resolve *r, struct option_type type, const struct proto_msg *option,
                       struct str scope, struct path *path)
{
    size_t len = source_len(option, OPTION_NAME);
    for (size_t i = 0; i < len; i++) {
        const struct proto_msg *part = source_item(option, OPTION_NAME, i);
        struct str name = proto_str(part, NAME_PART);
        bool extension = proto_get(part, proto_field_of(part, NAME_IS_EXTENSION)).boolean;
        struct option_field *field = &path->field[i];
        if (i == PATH_MAX_PARTS) {
            return lex_fail(&r->lex, name.ptr, "a name of more than %u parts", PATH_MAX_PARTS);
        }
        path->len = i + 1;
        if (extension) {
            TRY(extension_part(r, &type, name, scope, field));
        } else if ((i == 0 && str_eq_cstr(name, "uninterpreted_option")) ||
                   !option_type_field(r, &type, name, field)) {
            return unknown_option(r, &type, name);
        }
        if (i + 1 == len) {
            break;
        }
        if (field->type != PROTO_MESSAGE && field->type != PROTO_GROUP) {
            return lex_fail(&r->lex, name.ptr,
                            "the option \"" STR_FMT "\" is no message: it has no fields",
                            STR_ARG(field->name));
        }
        if (field->repeated) {
            return lex_fail(&r->lex, name.ptr,
                            "the option \"" STR_FMT
                            "\" is repeated: its fields are set by = { ... }",
                            STR_ARG(field->name));
        }
        type = field->message;
    }
    return 0;
}

/* Whether what was written has the field at the end of the path already. */
static bool is_set(struct str bytes, const struct path *path, size_t i)
{
    struct proto_unknown it = {.rest = bytes};
    while (proto_unknown_next(&it)) {
        if (it.number != path->field[i].number) {
            continue;
        }
        if (i + 1 == path->len) {
            return true;
        }
        /* Recursion: at most PATH_MAX_PARTS. */
        if (is_set(it.bytes, path, i + 1)) {
            return true;
        }
    }
    return false;
}

static void take_value(const struct proto_msg *option, struct option_value *value)
{
    if (source_has(option, OPTION_IDENTIFIER)) {
        value->kind = OPTION_IS_IDENT;
        value->text = proto_str(option, OPTION_IDENTIFIER);
        value->at = value->text.ptr;
    } else if (source_has(option, OPTION_POSITIVE)) {
        value->kind = OPTION_IS_UINT;
        value->u64 = proto_get(option, proto_field_of(option, OPTION_POSITIVE)).u64;
    } else if (source_has(option, OPTION_NEGATIVE)) {
        value->kind = OPTION_IS_NEGATIVE;
        value->i64 = proto_get(option, proto_field_of(option, OPTION_NEGATIVE)).i64;
    } else if (source_has(option, OPTION_DOUBLE)) {
        value->kind = OPTION_IS_DOUBLE;
        value->f64 = proto_get(option, proto_field_of(option, OPTION_DOUBLE)).f64;
    } else {
        value->kind = OPTION_IS_STRING;
        value->text = proto_str(option, OPTION_STRING);
    }
}

static int put_value(struct resolve *r, const struct option_field *field,
                     const struct proto_msg *option, const char *at, struct buf *b)
{
    bool message = field->type == PROTO_MESSAGE || field->type == PROTO_GROUP;
    if (!source_has(option, OPTION_AGGREGATE)) {
        struct option_value value = {.at = at};
        take_value(option, &value);
        return option_put_scalar(r, field, &value, b);
    }
    if (!message) {
        return lex_fail(&r->lex, at,
                        "the option \"" STR_FMT "\" is no message: { ... } does not fit",
                        STR_ARG(field->name));
    }
    _cleanup_(buf_done) struct buf contents;
    buf_init(&contents, OPTION_BYTES_MAX);
    TRY(option_text(r, proto_str(option, OPTION_AGGREGATE), &field->message, &contents));
    option_put_message(field, buf_str(&contents), b);
    return 0;
}

static int interpret(struct resolve *r, const struct option_type *type,
                     const struct proto_msg *option, struct str scope, struct buf *b)
{
    struct path path = {.len = 0};
    if (source_len(option, OPTION_NAME) == 0) {
        return lex_fail(&r->lex, NULL, "an option without a name");
    }
    TRY(follow_name(r, *type, option, scope, &path));
    const struct proto_msg *last = source_item(option, OPTION_NAME, path.len - 1);
    const char *at = proto_str(last, NAME_PART).ptr;
    const struct option_field *field = &path.field[path.len - 1];
    if (!field->repeated && is_set(buf_str(b), &path, 0)) {
        return lex_fail(&r->lex, at, "the option \"" STR_FMT "\" is set twice",
                        STR_ARG(field->name));
    }
    if (path.len == 1 && type->linked != NULL && field->number == OPTION_MAP_ENTRY &&
        str_eq_cstr(field->name, "map_entry") &&
        str_eq_cstr(proto_str(option, OPTION_IDENTIFIER), "true")) {
        return lex_fail(&r->lex, at, "map_entry is set by protobuf itself: write map<Key, Value>");
    }
    _cleanup_(buf_done) struct buf inner;
    _cleanup_(buf_done) struct buf outer;
    buf_init(&inner, OPTION_BYTES_MAX);
    buf_init(&outer, OPTION_BYTES_MAX);
    TRY(put_value(r, field, option, at, &inner));
    for (size_t i = path.len - 1; i-- > 0;) {
        buf_clear(&outer);
        option_put_message(&path.field[i], buf_str(&inner), &outer);
        struct buf swap = inner;
        inner = outer;
        outer = swap;
    }
    buf_add_str(b, buf_str(&inner));
    if (b->failed || inner.failed) {
        return lex_fail(&r->lex, at, "the value of the option is too large");
    }
    return 0;
}

/* of: what may have options, at number; scope: full name of what it stands in. */
static int resolve_element(struct resolve *r, const struct proto_msg *of, uint32_t number,
                           struct str scope)
{
    struct proto_msg *options = source_child(of, number);
    size_t len = options == NULL ? 0 : source_len(options, OPTIONS_UNINTERPRETED);
    if (len == 0) {
        return 0;
    }
    struct option_type type = {.linked = options->desc, .name = options->desc->full_name};
    struct str first = proto_str(
        source_item(source_item(options, OPTIONS_UNINTERPRETED, 0), OPTION_NAME, 0), NAME_PART);
    if (len > OPTIONS_PER_ELEMENT_MAX) {
        return lex_fail(&r->lex, first.ptr, "more than %u options in one place",
                        OPTIONS_PER_ELEMENT_MAX);
    }
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, OPTION_BYTES_MAX);
    for (size_t i = 0; i < len; i++) {
        TRY(interpret(r, &type, source_item(options, OPTIONS_UNINTERPRETED, i), scope, &b));
    }
    proto_clear(options, proto_field_of(options, OPTIONS_UNINTERPRETED));
    struct err err = {0};
    if (proto_wire_read(buf_str(&b), options, PROTO_WIRE_PARTIAL, &err) < 0) {
        return err.code == ERR_FULL ? source_resolve_full(r)
                                    : lex_fail(&r->lex, first.ptr, "%s", err.msg);
    }
    return 0;
}

static int resolve_list(struct resolve *r, const struct proto_msg *of, uint32_t list,
                        uint32_t options, struct str scope)
{
    for (size_t i = 0; i < source_len(of, list); i++) {
        TRY(resolve_element(r, source_item(of, list, i), options, scope));
    }
    return 0;
}

static int resolve_enums(struct resolve *r, const struct proto_msg *of, uint32_t list,
                         struct str scope)
{
    TRY(resolve_list(r, of, list, ENUM_OPTIONS, scope));
    for (size_t i = 0; i < source_len(of, list); i++) {
        TRY(resolve_list(r, source_item(of, list, i), ENUM_VALUE, VALUE_OPTIONS, scope));
    }
    return 0;
}

/* Recursion: at most SOURCE_DEPTH_MAX. */
static int resolve_messages(struct resolve *r, const struct proto_msg *of, uint32_t list,
                            struct str scope)
{
    for (size_t i = 0; i < source_len(of, list); i++) {
        const struct proto_msg *message = source_item(of, list, i);
        struct str name = source_join(&r->scratch, scope, proto_str(message, MESSAGE_NAME));
        TRY(name.ptr == NULL ? source_resolve_full(r) : 0);
        TRY(resolve_element(r, message, MESSAGE_OPTIONS, scope));
        TRY(resolve_list(r, message, MESSAGE_FIELD, FIELD_OPTIONS, name));
        TRY(resolve_list(r, message, MESSAGE_EXTENSION, FIELD_OPTIONS, name));
        TRY(resolve_list(r, message, MESSAGE_ONEOF, ONEOF_OPTIONS, name));
        TRY(resolve_list(r, message, MESSAGE_EXTENSION_RANGE, RANGE_OPTIONS, scope));
        TRY(resolve_enums(r, message, MESSAGE_ENUM, name));
        TRY(resolve_messages(r, message, MESSAGE_NESTED, name));
    }
    return 0;
}

int source_resolve_options(struct resolve *r)
{
    TRY(resolve_element(r, r->file, FILE_OPTIONS, r->package));
    TRY(resolve_messages(r, r->file, FILE_MESSAGE, r->package));
    TRY(resolve_enums(r, r->file, FILE_ENUM, r->package));
    TRY(resolve_list(r, r->file, FILE_EXTENSION, FIELD_OPTIONS, r->package));
    TRY(resolve_list(r, r->file, FILE_SERVICE, SERVICE_OPTIONS, r->package));
    for (size_t i = 0; i < source_len(r->file, FILE_SERVICE); i++) {
        const struct proto_msg *service = source_item(r->file, FILE_SERVICE, i);
        struct str name = source_join(&r->scratch, r->package, proto_str(service, SERVICE_NAME));
        TRY(name.ptr == NULL ? source_resolve_full(r) : 0);
        TRY(resolve_list(r, service, SERVICE_METHOD, METHOD_OPTIONS, name));
    }
    return 0;
}
