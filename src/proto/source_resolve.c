/* Names of types into full ones. */
#include "proto/source_symbol_int.h"

#include <string.h>

/* The nearest name among the types that can be seen, by the last part of the wanted one. */
static const char *nearest_type(const struct resolve *r, struct str name)
{
    size_t dot = name.len;
    while (dot > 0 && name.ptr[dot - 1] != '.') {
        dot--;
    }
    struct str last = {name.ptr + dot, name.len - dot};
    const struct map *maps[] = {&r->own, &r->index->map};
    const char *best = NULL;
    for (size_t m = 0; m < 2 && best == NULL; m++) {
        for (size_t i = 0; i < maps[m]->len && best == NULL; i++) {
            const struct source_symbol *symbol = maps[m]->entry[i].value;
            struct str full = symbol->name;
            size_t start = full.len;
            while (start > 0 && full.ptr[start - 1] != '.') {
                start--;
            }
            const char *choice = maps[m]->entry[i].owned_key + start;
            bool type = symbol->kind == SOURCE_MESSAGE || symbol->kind == SOURCE_ENUM;
            if (type && str_nearest(last, &choice, 1) != NULL) {
                best = maps[m]->entry[i].owned_key;
            }
        }
    }
    return best;
}

static struct str outer_scope(struct str scope)
{
    while (scope.len > 0 && scope.ptr[scope.len - 1] != '.') {
        scope.len--;
    }
    scope.len -= scope.len > 0;
    return scope;
}

/* The symbol in a file that is loaded, but not imported here, that the name may mean; or NULL. */
static const struct source_symbol *in_other_file(struct resolve *r, struct str bare,
                                                 struct str scope)
{
    for (;; scope = outer_scope(scope)) {
        struct str full = source_join(&r->scratch, scope, bare);
        const struct source_symbol *symbol =
            full.ptr == NULL ? NULL : map_get(&r->index->map, full);
        bool useful =
            symbol != NULL && symbol->kind != SOURCE_PACKAGE && symbol->kind != SOURCE_VALUE;
        if (useful || scope.len == 0) {
            return useful ? symbol : NULL;
        }
    }
}

/* What the first part of the name means in an inner scope, where the search ends; or NULL. */
static const struct source_symbol *hidden_by(struct resolve *r, struct str first, struct str scope)
{
    const struct source_symbol *symbol = NULL;
    for (; symbol == NULL && scope.len > 0; scope = outer_scope(scope)) {
        struct str start = source_join(&r->scratch, scope, first);
        symbol = start.ptr == NULL ? NULL : source_symbol_find(r, start);
    }
    return symbol;
}

int source_symbol_unknown(struct resolve *r, struct str name, struct str scope, const char *what,
                          const char *at)
{
    bool full = name.len > 0 && name.ptr[0] == '.';
    struct str bare = {name.ptr + full, name.len - full};
    if (bare.len > 200) {
        return lex_fail(&r->lex, at, "no %s of this name of %zu bytes", what, bare.len);
    }
    if (full) {
        scope.len = 0;
    }
    const struct source_symbol *other = in_other_file(r, bare, scope);
    if (other != NULL) {
        return lex_fail(&r->lex, at,
                        "\"" STR_FMT "\" is defined in \"" STR_FMT
                        "\", which is not imported here: add import \"" STR_FMT "\";",
                        STR_ARG(other->name), STR_ARG(other->file->name),
                        STR_ARG(other->file->name));
    }
    struct str first = {bare.ptr, str_find_char(bare, '.')};
    const struct source_symbol *inner = first.len < bare.len ? hidden_by(r, first, scope) : NULL;
    if (inner != NULL) {
        return lex_fail(&r->lex, at,
                        "no %s \"" STR_FMT "\": \"" STR_FMT "\" is \"" STR_FMT
                        "\" here, which has no such name inside; begin with a dot to look from the "
                        "outside",
                        what, STR_ARG(name), STR_ARG(first), STR_ARG(inner->name));
    }
    const struct proto_message_desc *builtin = proto_pool_message(r->pool, bare);
    if (builtin != NULL) {
        return lex_fail(&r->lex, at, "\"" STR_FMT "\" is not imported: add import \"" STR_FMT "\";",
                        STR_ARG(bare), STR_ARG(builtin->file->name));
    }
    const char *near = str_eq_cstr(str_of(what), "option") ? NULL : nearest_type(r, bare);
    if (near != NULL) {
        return lex_fail(&r->lex, at,
                        "no %s \"" STR_FMT "\" here or in the imports: did you mean \"%s\"?", what,
                        STR_ARG(name), near);
    }
    return lex_fail(&r->lex, at, "no %s \"" STR_FMT "\" here or in the imports", what,
                    STR_ARG(name));
}

static struct str last_part(struct str name)
{
    size_t dot = name.len;
    while (dot > 0 && name.ptr[dot - 1] != '.') {
        dot--;
    }
    return (struct str){name.ptr + dot, name.len - dot};
}

/* A name of the text, or when that was put together, the name of its field. */
static const char *place_of(const struct resolve *r, struct str name, const struct proto_msg *field)
{
    unsigned line;
    unsigned col;
    return lex_pos(r->lex.whole, name.ptr, &line, &col) ? name.ptr
                                                        : proto_str(field, FIELD_NAME).ptr;
}

static int set_full(struct resolve *r, struct proto_msg *msg, uint32_t number,
                    const struct source_symbol *symbol)
{
    char *full = arena_alloc(r->arena, symbol->name.len + 2);
    if (full == NULL) {
        return source_resolve_full(r);
    }
    full[0] = '.';
    memcpy(full + 1, symbol->name.ptr, symbol->name.len);
    union proto_value value = {.bytes = {full, symbol->name.len + 1}};
    return proto_set(msg, proto_field_of(msg, number), value) ? 0 : source_resolve_full(r);
}

/* The default value of an enum field has to be one of its names. */
static int check_enum_default(struct resolve *r, const struct proto_msg *field,
                              const struct source_symbol *symbol)
{
    struct str name = proto_str(field, FIELD_DEFAULT);
    bool found = false;
    if (symbol->source == NULL) {
        found = proto_enum_by_name(symbol->enumeration, name) != NULL;
    } else {
        for (size_t i = 0; !found && i < source_len(symbol->source, ENUM_VALUE); i++) {
            const struct proto_msg *value = source_item(symbol->source, ENUM_VALUE, i);
            found = str_eq(proto_str(value, VALUE_NAME), name);
        }
    }
    if (!found) {
        return lex_fail(&r->lex, name.ptr, "no value \"" STR_FMT "\" in enum " STR_FMT,
                        STR_ARG(name), STR_ARG(symbol->name));
    }
    return 0;
}

static int resolve_enum_field(struct resolve *r, const struct proto_msg *field, const char *at,
                              const struct source_symbol *symbol)
{
    if (r->proto3 && symbol->source == NULL && symbol->enumeration->closed) {
        return lex_fail(&r->lex, at,
                        "\"" STR_FMT "\" is an enum of proto2, which a proto3 message may not use",
                        STR_ARG(symbol->name));
    }
    return source_has(field, FIELD_DEFAULT) ? check_enum_default(r, field, symbol) : 0;
}

static int resolve_type(struct resolve *r, struct proto_msg *field, struct str scope)
{
    struct str name = proto_str(field, FIELD_TYPE_NAME);
    const char *at = place_of(r, name, field);
    const struct source_symbol *symbol = source_symbol_look(r, name, scope, true);
    if (symbol == NULL) {
        return source_symbol_unknown(r, name, scope, "type", at);
    }
    bool is_enum = symbol->kind == SOURCE_ENUM;
    if (!is_enum && symbol->kind != SOURCE_MESSAGE) {
        return lex_fail(&r->lex, at, "\"" STR_FMT "\" is no type", STR_ARG(symbol->name));
    }
    if (is_enum) {
        TRY(resolve_enum_field(r, field, at, symbol));
    } else if (source_has(field, FIELD_DEFAULT)) {
        return lex_fail(&r->lex, proto_str(field, FIELD_DEFAULT).ptr,
                        "a message has no default value");
    }
    if (!source_has(field, FIELD_TYPE)) {
        union proto_value type = {.i32 = is_enum ? PROTO_ENUM : PROTO_MESSAGE};
        if (!proto_set(field, proto_field_of(field, FIELD_TYPE), type)) {
            return source_resolve_full(r);
        }
    }
    return set_full(r, field, FIELD_TYPE_NAME, symbol);
}

/* Whether a number lies in an extension range of the DescriptorProto. */
static bool is_declared(const struct proto_msg *message, int32_t number)
{
    for (size_t i = 0; i < source_len(message, MESSAGE_EXTENSION_RANGE); i++) {
        const struct proto_msg *range = source_item(message, MESSAGE_EXTENSION_RANGE, i);
        if (number >= source_i32(range, RANGE_START) && number < source_i32(range, RANGE_END)) {
            return true;
        }
    }
    return false;
}

static bool is_options_message(struct str name)
{
    struct str prefix = STR("google.protobuf.");
    struct str last = last_part(name);
    return str_starts_with(name, prefix) && last.len + prefix.len == name.len &&
           str_ends_with(last, STR("Options"));
}

/* Two extensions of the file may not have the same number. */
static int note_extension(struct resolve *r, const struct source_symbol *of,
                          struct proto_msg *field)
{
    struct str own = proto_str(field, FIELD_NAME);
    int32_t number = source_i32(field, FIELD_NUMBER);
    char text[16];
    struct buf b;
    buf_init_fixed(&b, text, sizeof text);
    buf_add_i64(&b, number);
    struct str key = source_join(&r->scratch, of->name, buf_str(&b));
    TRY(key.ptr == NULL ? source_resolve_full(r) : 0);
    const struct proto_msg *other = map_put(&r->extensions, key, field);
    if (other != NULL) {
        return lex_fail(
            &r->lex, own.ptr,
            "\"" STR_FMT "\" and \"" STR_FMT "\" extend \"" STR_FMT "\" with the same number %d",
            STR_ARG(proto_str(other, FIELD_NAME)), STR_ARG(own), STR_ARG(of->name), (int) number);
    }
    return 0;
}

static int resolve_extendee(struct resolve *r, struct proto_msg *field, struct str scope)
{
    struct str name = proto_str(field, FIELD_EXTENDEE);
    struct str own = proto_str(field, FIELD_NAME);
    const struct source_symbol *symbol = source_symbol_look(r, name, scope, false);
    if (symbol == NULL) {
        return source_symbol_unknown(r, name, scope, "message", name.ptr);
    }
    if (symbol->kind != SOURCE_MESSAGE) {
        return lex_fail(&r->lex, name.ptr, "\"" STR_FMT "\" is no message: only those are extended",
                        STR_ARG(symbol->name));
    }
    const struct proto_msg *message =
        symbol->source != NULL ? symbol->source : source_of_message(symbol->message);
    if (r->proto3 && !is_options_message(symbol->name)) {
        return lex_fail(&r->lex, name.ptr,
                        "proto3 extends the options of google/protobuf/descriptor.proto only, not "
                        "\"" STR_FMT "\"",
                        STR_ARG(symbol->name));
    }
    int32_t number = source_i32(field, FIELD_NUMBER);
    if (message != NULL && !is_declared(message, number)) {
        return lex_fail(&r->lex, own.ptr,
                        "\"" STR_FMT "\" has no extension range with the number %d",
                        STR_ARG(symbol->name), (int) number);
    }
    if (source_i32(field, FIELD_LABEL) == LABEL_REQUIRED) {
        return lex_fail(&r->lex, own.ptr, "an extension may not be required");
    }
    bool plain_message = source_i32(field, FIELD_LABEL) == LABEL_OPTIONAL &&
                         source_has(field, FIELD_TYPE) &&
                         source_i32(field, FIELD_TYPE) == PROTO_MESSAGE;
    if (message != NULL && source_is_message_set(message) && !plain_message) {
        return lex_fail(&r->lex, own.ptr, "an extension of a MessageSet is an optional message");
    }
    TRY(note_extension(r, symbol, field));
    return set_full(r, field, FIELD_EXTENDEE, symbol);
}

static int resolve_fields(struct resolve *r, const struct proto_msg *of, uint32_t number,
                          struct str scope)
{
    const struct proto_field_desc *list = proto_field_of(of, number);
    for (size_t i = 0; i < proto_len(of, list); i++) {
        struct proto_msg *field = proto_item(of, list, i).msg;
        if (source_has(field, FIELD_TYPE_NAME)) {
            TRY(resolve_type(r, field, scope));
        }
        if (source_has(field, FIELD_EXTENDEE)) {
            TRY(resolve_extendee(r, field, scope));
        }
    }
    return 0;
}

/* Recursion: at most SOURCE_DEPTH_MAX. */
static int resolve_message(struct resolve *r, const struct proto_msg *message, struct str scope)
{
    struct str name = source_join(&r->scratch, scope, proto_str(message, MESSAGE_NAME));
    if (name.ptr == NULL) {
        return source_resolve_full(r);
    }
    for (size_t i = 0; i < source_len(message, MESSAGE_NESTED); i++) {
        TRY(resolve_message(r, source_item(message, MESSAGE_NESTED, i), name));
    }
    TRY(resolve_fields(r, message, MESSAGE_FIELD, name));
    return resolve_fields(r, message, MESSAGE_EXTENSION, name);
}

static int resolve_method_type(struct resolve *r, struct proto_msg *method, uint32_t number,
                               struct str scope)
{
    struct str name = proto_str(method, number);
    const struct source_symbol *symbol = source_symbol_look(r, name, scope, false);
    if (symbol == NULL) {
        return source_symbol_unknown(r, name, scope, "message", name.ptr);
    }
    if (symbol->kind != SOURCE_MESSAGE) {
        return lex_fail(&r->lex, name.ptr,
                        "\"" STR_FMT "\" is no message: only those are sent by methods",
                        STR_ARG(symbol->name));
    }
    return set_full(r, method, number, symbol);
}

int source_resolve_types(struct resolve *r)
{
    for (size_t i = 0; i < source_len(r->file, FILE_MESSAGE); i++) {
        TRY(resolve_message(r, source_item(r->file, FILE_MESSAGE, i), r->package));
    }
    TRY(resolve_fields(r, r->file, FILE_EXTENSION, r->package));
    for (size_t i = 0; i < source_len(r->file, FILE_SERVICE); i++) {
        const struct proto_msg *service = source_item(r->file, FILE_SERVICE, i);
        struct str scope = source_join(&r->scratch, r->package, proto_str(service, SERVICE_NAME));
        if (scope.ptr == NULL) {
            return source_resolve_full(r);
        }
        for (size_t j = 0; j < source_len(service, SERVICE_METHOD); j++) {
            struct proto_msg *method = source_item(service, SERVICE_METHOD, j);
            TRY(resolve_method_type(r, method, METHOD_INPUT, scope));
            TRY(resolve_method_type(r, method, METHOD_OUTPUT, scope));
        }
    }
    return 0;
}
