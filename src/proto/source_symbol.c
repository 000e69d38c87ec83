#include "proto/source_symbol_int.h"

#include <string.h>

size_t source_len(const struct proto_msg *msg, uint32_t number)
{
    return proto_len(msg, proto_field_of(msg, number));
}

struct proto_msg *source_item(const struct proto_msg *msg, uint32_t number, size_t i)
{
    return proto_item(msg, proto_field_of(msg, number), i).msg;
}

bool source_has(const struct proto_msg *msg, uint32_t number)
{
    return proto_has(msg, proto_field_of(msg, number));
}

int32_t source_i32(const struct proto_msg *msg, uint32_t number)
{
    return proto_get(msg, proto_field_of(msg, number)).i32;
}

struct proto_msg *source_child(const struct proto_msg *msg, uint32_t number)
{
    return source_has(msg, number) ? proto_get(msg, proto_field_of(msg, number)).msg : NULL;
}

const struct proto_msg *source_of_message(const struct proto_message_desc *desc)
{
    const struct proto_message_desc *const *siblings =
        desc->parent == NULL ? desc->file->message : desc->parent->message;
    size_t len = desc->parent == NULL ? desc->file->messages : desc->parent->messages;
    const struct proto_msg *above =
        desc->parent == NULL ? desc->file->source : source_of_message(desc->parent);
    uint32_t number = desc->parent == NULL ? FILE_MESSAGE : MESSAGE_NESTED;
    for (size_t i = 0; above != NULL && i < len; i++) {
        if (siblings[i] == desc) {
            return source_item(above, number, i);
        }
    }
    return NULL;
}

struct str source_join(struct arena *arena, struct str scope, struct str name)
{
    size_t len = scope.len + (scope.len > 0) + name.len;
    char *out = len > SOURCE_NAME_BYTES_MAX ? NULL : arena_alloc(arena, len + 1);
    if (out == NULL) {
        return (struct str){NULL, 0};
    }
    size_t at = 0;
    if (scope.len > 0) {
        memcpy(out, scope.ptr, scope.len);
        out[scope.len] = '.';
        at = scope.len + 1;
    }
    memcpy(out + at, name.ptr, name.len);
    return (struct str){out, len};
}

int source_resolve_full(struct resolve *r)
{
    return err_set(r->lex.err, ERR_FULL,
                   "%s: there is no room for its descriptors: a pool holds %zu MiB", r->lex.shown,
                   PROTO_POOL_BYTES_MAX / 1024 / 1024);
}

/* The index of linked files. */

void source_index_init(struct source_index *index)
{
    map_init(&index->map);
    arena_init(&index->arena, PROTO_POOL_BYTES_MAX);
}

void source_index_done(struct source_index *index)
{
    map_done(&index->map);
    arena_done(&index->arena);
}

static struct source_symbol *index_put(struct source_index *index, enum source_kind kind,
                                       struct str name, const struct proto_file_desc *file)
{
    struct source_symbol *symbol = map_get(&index->map, name);
    if (symbol != NULL) {
        return symbol;
    }
    symbol = arena_alloc(&index->arena, sizeof *symbol);
    if (symbol != NULL) {
        *symbol = (struct source_symbol){.kind = kind, .name = name, .file = file};
        (void) map_put(&index->map, name, symbol);
    }
    return symbol;
}

static bool index_enum(struct source_index *index, struct str scope,
                       const struct proto_enum_desc *desc)
{
    struct source_symbol *symbol = index_put(index, SOURCE_ENUM, desc->full_name, desc->file);
    if (symbol == NULL) {
        return false;
    }
    symbol->enumeration = desc;
    for (size_t i = 0; i < desc->values; i++) {
        struct str name = source_join(&index->arena, scope, desc->value[i].name);
        if (name.ptr == NULL || index_put(index, SOURCE_VALUE, name, desc->file) == NULL) {
            return false;
        }
    }
    return true;
}

/* Recursion is as deep as messages are nested, which the pool bounds. */
static bool index_message(struct source_index *index, const struct proto_message_desc *desc)
{
    struct source_symbol *symbol = index_put(index, SOURCE_MESSAGE, desc->full_name, desc->file);
    if (symbol == NULL) {
        return false;
    }
    symbol->message = desc;
    for (size_t i = 0; i < desc->messages; i++) {
        if (!index_message(index, desc->message[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < desc->enumerations; i++) {
        if (!index_enum(index, desc->full_name, desc->enumeration[i])) {
            return false;
        }
    }
    return true;
}

static bool index_package(struct source_index *index, const struct proto_file_desc *file)
{
    for (size_t len = 0; len < file->package.len; len++) {
        len += str_find_char((struct str){file->package.ptr + len, file->package.len - len}, '.');
        struct str name = {file->package.ptr, len};
        if (index_put(index, SOURCE_PACKAGE, name, file) == NULL) {
            return false;
        }
    }
    return true;
}

bool source_index_add(struct source_index *index, const struct proto_file_desc *file)
{
    bool ok = index_package(index, file);
    for (size_t i = 0; ok && i < file->messages; i++) {
        ok = index_message(index, file->message[i]);
    }
    for (size_t i = 0; ok && i < file->enumerations; i++) {
        ok = index_enum(index, file->package, file->enumeration[i]);
    }
    for (size_t i = 0; ok && i < file->services; i++) {
        ok = index_put(index, SOURCE_SERVICE, file->service[i]->full_name, file) != NULL;
    }
    for (size_t i = 0; ok && i < file->extensions; i++) {
        struct source_symbol *symbol =
            index_put(index, SOURCE_EXTENSION, file->extension[i]->full_name, file);
        ok = symbol != NULL;
        if (ok) {
            symbol->extension = file->extension[i];
        }
    }
    return ok;
}

/* The file's own symbols. */

static bool in_package(struct str package, struct str name)
{
    return str_starts_with(package, name) &&
           (package.len == name.len || package.ptr[name.len] == '.');
}

static const char *kind_text(enum source_kind kind)
{
    static const char *const TEXT[] = {
        [SOURCE_PACKAGE] = "a package", [SOURCE_MESSAGE] = "a message",
        [SOURCE_ENUM] = "an enum",      [SOURCE_VALUE] = "a value of an enum",
        [SOURCE_FIELD] = "a field",     [SOURCE_EXTENSION] = "an extension",
        [SOURCE_ONEOF] = "a oneof",     [SOURCE_SERVICE] = "a service",
        [SOURCE_METHOD] = "a method",
    };
    return TEXT[kind];
}

static struct str base_name(struct str path)
{
    size_t start = path.len;
    while (start > 0 && path.ptr[start - 1] != '/') {
        start--;
    }
    return (struct str){path.ptr + start, path.len - start};
}

static int twice(struct resolve *r, const struct source_symbol *first, enum source_kind kind,
                 struct str name, struct str written)
{
    unsigned line = 0;
    unsigned col = 0;
    const char *hint = kind == SOURCE_VALUE && first->kind == SOURCE_VALUE
                           ? "; values of enums stand beside their enum, not in it"
                           : "";
    if (first->file != NULL) {
        if (str_eq(base_name(first->file->name), base_name(proto_str(r->file, FILE_NAME)))) {
            hint = ": if both are one file, give an import path by which it has one name";
        }
        return lex_fail(&r->lex, written.ptr, "\"" STR_FMT "\" is %s already in " STR_FMT "%s",
                        STR_ARG(name), kind_text(first->kind), STR_ARG(first->file->name), hint);
    }
    if (!lex_pos(r->lex.whole, first->written.ptr, &line, &col)) {
        return lex_fail(&r->lex, written.ptr, "\"" STR_FMT "\" is %s already%s", STR_ARG(name),
                        kind_text(first->kind), hint);
    }
    return lex_fail(&r->lex, written.ptr, "\"" STR_FMT "\" is %s already, in line %u%s",
                    STR_ARG(name), kind_text(first->kind), line, hint);
}

static int own_put(struct resolve *r, enum source_kind kind, struct str scope, struct str written,
                   const struct proto_msg *source, struct str *ret_name)
{
    struct str name = source_join(&r->scratch, scope, written);
    if (name.ptr == NULL) {
        return lex_fail(&r->lex, written.ptr, "a full name of more than %u bytes",
                        SOURCE_NAME_BYTES_MAX);
    }
    struct source_symbol *symbol = arena_alloc(&r->scratch, sizeof *symbol);
    if (symbol == NULL) {
        return source_resolve_full(r);
    }
    const struct source_symbol *other = map_get(&r->index->map, name);
    *symbol =
        (struct source_symbol){.kind = kind, .name = name, .written = written, .source = source};
    struct source_symbol *before = map_put(&r->own, name, symbol);
    bool package = kind == SOURCE_PACKAGE;
    if (before != NULL && !(package && before->kind == SOURCE_PACKAGE)) {
        return twice(r, before, kind, name, written);
    }
    if (other != NULL && !(package && other->kind == SOURCE_PACKAGE)) {
        return twice(r, other, kind, name, written);
    }
    *ret_name = name;
    return 0;
}

static int collect_list(struct resolve *r, enum source_kind kind, struct str scope,
                        const struct proto_msg *of, uint32_t number)
{
    struct str name;
    for (size_t i = 0; i < source_len(of, number); i++) {
        const struct proto_msg *item = source_item(of, number, i);
        TRY(own_put(r, kind, scope, proto_str(item, FIELD_NAME), item, &name));
    }
    return 0;
}

static int collect_enum(struct resolve *r, struct str scope, const struct proto_msg *enumeration)
{
    struct str name;
    TRY(own_put(r, SOURCE_ENUM, scope, proto_str(enumeration, ENUM_NAME), enumeration, &name));
    return collect_list(r, SOURCE_VALUE, scope, enumeration, ENUM_VALUE);
}

/* Recursion: at most SOURCE_DEPTH_MAX, by the parser. */
static int collect_message(struct resolve *r, struct str scope, const struct proto_msg *message)
{
    struct str name;
    TRY(own_put(r, SOURCE_MESSAGE, scope, proto_str(message, MESSAGE_NAME), message, &name));
    TRY(collect_list(r, SOURCE_FIELD, name, message, MESSAGE_FIELD));
    TRY(collect_list(r, SOURCE_ONEOF, name, message, MESSAGE_ONEOF));
    for (size_t i = 0; i < source_len(message, MESSAGE_NESTED); i++) {
        TRY(collect_message(r, name, source_item(message, MESSAGE_NESTED, i)));
    }
    for (size_t i = 0; i < source_len(message, MESSAGE_ENUM); i++) {
        TRY(collect_enum(r, name, source_item(message, MESSAGE_ENUM, i)));
    }
    return collect_list(r, SOURCE_EXTENSION, name, message, MESSAGE_EXTENSION);
}

int source_symbols_collect(struct resolve *r)
{
    struct str name;
    for (size_t len = 0; len < r->package.len; len++) {
        len += str_find_char((struct str){r->package.ptr + len, r->package.len - len}, '.');
        TRY(own_put(r, SOURCE_PACKAGE, (struct str){NULL, 0}, (struct str){r->package.ptr, len},
                    NULL, &name));
    }
    for (size_t i = 0; i < source_len(r->file, FILE_MESSAGE); i++) {
        TRY(collect_message(r, r->package, source_item(r->file, FILE_MESSAGE, i)));
    }
    for (size_t i = 0; i < source_len(r->file, FILE_ENUM); i++) {
        TRY(collect_enum(r, r->package, source_item(r->file, FILE_ENUM, i)));
    }
    TRY(collect_list(r, SOURCE_EXTENSION, r->package, r->file, FILE_EXTENSION));
    for (size_t i = 0; i < source_len(r->file, FILE_SERVICE); i++) {
        const struct proto_msg *service = source_item(r->file, FILE_SERVICE, i);
        struct str full;
        TRY(own_put(r, SOURCE_SERVICE, r->package, proto_str(service, SERVICE_NAME), service,
                    &full));
        TRY(collect_list(r, SOURCE_METHOD, full, service, SERVICE_METHOD));
    }
    return 0;
}

/* Looking. */

static bool is_visible(const struct resolve *r, const struct proto_file_desc *file)
{
    for (size_t i = 0; i < r->visible.len; i++) {
        if (r->visible.ptr[i] == file) {
            return true;
        }
    }
    return false;
}

void source_symbols_see(struct resolve *r, const struct proto_file_desc *file)
{
    /* visible is the queue, too: what a file imports publicly is looked at in its turn. */
    size_t next = r->visible.len;
    if (is_visible(r, file)) {
        return;
    }
    vec_push(&r->visible, file); /* NOLINT(bugprone-sizeof-expression): of pointers */
    for (; next < r->visible.len; next++) {
        const struct proto_file_desc *seen = r->visible.ptr[next];
        if (seen->source == NULL) {
            continue;
        }
        const struct proto_field_desc *list = proto_field_of(seen->source, FILE_PUBLIC_DEPENDENCY);
        for (size_t i = 0; i < proto_len(seen->source, list); i++) {
            size_t which = (size_t) proto_item(seen->source, list, i).i32;
            if (which < seen->imports && !is_visible(r, seen->import[which])) {
                /* NOLINTNEXTLINE(bugprone-sizeof-expression): of pointers */
                vec_push(&r->visible, seen->import[which]);
            }
        }
    }
}

const struct source_symbol *source_symbol_find(const struct resolve *r, struct str name)
{
    const struct source_symbol *symbol = map_get(&r->own, name);
    if (symbol != NULL) {
        return symbol;
    }
    symbol = map_get(&r->index->map, name);
    if (symbol == NULL) {
        return NULL;
    }
    if (symbol->kind != SOURCE_PACKAGE) {
        return is_visible(r, symbol->file) ? symbol : NULL;
    }
    for (size_t i = 0; i < r->visible.len; i++) {
        if (in_package(r->visible.ptr[i]->package, name)) {
            return symbol;
        }
    }
    return NULL;
}

static bool can_hold(enum source_kind kind)
{
    return kind == SOURCE_PACKAGE || kind == SOURCE_MESSAGE || kind == SOURCE_ENUM ||
           kind == SOURCE_SERVICE;
}

/* scope "." first of name in memory. */
static struct str join_in(char memory[2 * SOURCE_NAME_BYTES_MAX + 2], struct str scope,
                          struct str name)
{
    memcpy(memory, scope.ptr, scope.len);
    memory[scope.len] = '.';
    memcpy(memory + scope.len + 1, name.ptr, name.len);
    return (struct str){memory, scope.len + 1 + name.len};
}

const struct source_symbol *source_symbol_look(const struct resolve *r, struct str name,
                                               struct str scope, bool types)
{
    char memory[2 * SOURCE_NAME_BYTES_MAX + 2];
    if (name.len > SOURCE_NAME_BYTES_MAX || scope.len > SOURCE_NAME_BYTES_MAX) {
        return NULL;
    }
    if (name.len > 0 && name.ptr[0] == '.') {
        return source_symbol_find(r, (struct str){name.ptr + 1, name.len - 1});
    }
    struct str first = {name.ptr, str_find_char(name, '.')};
    while (scope.len > 0) {
        const struct source_symbol *symbol = source_symbol_find(r, join_in(memory, scope, first));
        if (symbol != NULL && first.len < name.len && can_hold(symbol->kind)) {
            return source_symbol_find(r, join_in(memory, scope, name));
        }
        if (symbol != NULL && first.len == name.len &&
            (!types || symbol->kind == SOURCE_MESSAGE || symbol->kind == SOURCE_ENUM)) {
            return symbol;
        }
        while (scope.len > 0 && scope.ptr[scope.len - 1] != '.') {
            scope.len--;
        }
        scope.len -= scope.len > 0;
    }
    return source_symbol_find(r, name);
}
