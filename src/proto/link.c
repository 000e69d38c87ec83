/* The linker's frame: a file comes in, goes through the steps of link_int.h, and is committed. */
#include "proto/link_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int link_fail(struct linker *l, struct str symbol, const char *fmt, ...)
{
    char text[sizeof l->err->msg];
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_set(l->err, ERR_INVALID, STR_FMT ": " STR_FMT "%s%s", STR_ARG(l->file->name),
                   STR_ARG(symbol), symbol.len > 0 ? ": " : "", text);
}

int link_full(struct linker *l)
{
    return err_set(l->err, ERR_FULL, STR_FMT ": descriptors take more than %zu MiB",
                   STR_ARG(l->file->name), PROTO_POOL_BYTES_MAX >> 20);
}

void *link_array(struct linker *l, size_t n, size_t size)
{
    return n > SIZE_MAX / size ? NULL : arena_alloc(l->arena, n * size);
}

const struct proto_msg *link_options(struct linker *l, const struct proto_msg *source,
                                     uint32_t number)
{
    struct proto_msg *options = proto_at(source, number).msg;
    if (options != NULL && options->unknown.len > 0) {
        vec_push(&l->options, options); /* NOLINT(bugprone-sizeof-expression): of pointers */
    }
    return options;
}

static int read_syntax(struct linker *l)
{
    struct str syntax = proto_str(l->source, FILE_SYNTAX);
    if (syntax.len == 0 || str_eq_cstr(syntax, "proto2")) {
        l->file->syntax = PROTO_SYNTAX_2;
    } else if (str_eq_cstr(syntax, "proto3")) {
        l->file->syntax = PROTO_SYNTAX_3;
    } else if (str_eq_cstr(syntax, "editions")) {
        return link_fail(l, (struct str){NULL, 0},
                         "is written in an edition of protobuf, which is not supported; supported "
                         "are proto2 and proto3");
    } else {
        return link_fail(l, (struct str){NULL, 0},
                         "has syntax \"" STR_FMT "\"; known are proto2 and proto3",
                         STR_ARG(syntax));
    }
    return 0;
}

static bool is_weak(const struct linker *l, size_t import)
{
    for (size_t i = 0; i < proto_len_at(l->source, FILE_WEAK_DEPENDENCY); i++) {
        int32_t at = proto_item_at(l->source, FILE_WEAK_DEPENDENCY, i).i32;
        if (at >= 0 && (size_t) at == import) {
            return true;
        }
    }
    return false;
}

static int read_imports(struct linker *l)
{
    size_t n = proto_len_at(l->source, FILE_DEPENDENCY);
    const struct proto_file_desc **list = link_array(l, n, sizeof(void *));
    if (list == NULL) {
        return link_full(l);
    }
    l->file->import = list;
    for (size_t i = 0; i < n; i++) {
        struct str name = proto_item_at(l->source, FILE_DEPENDENCY, i).bytes;
        if (proto_pool_need(l->pool, name)) {
            list[l->file->imports++] = map_get(&l->pool->file, name);
        } else if (!is_weak(l, i)) { /* a weak one may be missing */
            (void) err_set(l->err, ERR_NOT_FOUND,
                           STR_FMT ": imports \"" STR_FMT
                                   "\", which is not there: add that file too",
                           STR_ARG(l->file->name), STR_ARG(name));
            return ERR_NOT_FOUND;
        }
    }
    for (size_t i = 0; i < proto_len_at(l->source, FILE_PUBLIC_DEPENDENCY); i++) {
        int32_t at = proto_item_at(l->source, FILE_PUBLIC_DEPENDENCY, i).i32;
        if (at < 0 || (size_t) at >= n) {
            return link_fail(l, (struct str){NULL, 0}, "import %d is public, but there are %zu", at,
                             n);
        }
    }
    return 0;
}

static int by_number(const void *a, const void *b)
{
    const struct proto_field_desc *const *left = a, *const *right = b;
    return ((*left)->number > (*right)->number) - ((*left)->number < (*right)->number);
}

/*
 * Extensions of the file, which come by extendee and number, become known to their extendees.
 * Another file's with the same number stays the one: organizations that do not know each other
 * number their options alike, and protoc takes that.
 */
static void commit_extensions(struct linker *l)
{
    struct proto_message_index *index = NULL;
    size_t before = 0;
    for (size_t i = 0; i < l->extension.len; i++) {
        const struct proto_field_desc *field = l->extension.ptr[i];
        if (i == 0 || field->parent != l->extension.ptr[i - 1]->parent) {
            const struct proto_symbol *symbol = link_symbol(l, field->parent->full_name);
            index = symbol->index;
            before = index->known.len;
        }
        if (proto_extension_of(field->parent, field->number) == NULL) {
            vec_push(&index->known, field); /* NOLINT(bugprone-sizeof-expression): of pointers */
        }
        bool last = i + 1 == l->extension.len || l->extension.ptr[i + 1]->parent != field->parent;
        if (last && before > 0) {
            qsort(index->known.ptr, index->known.len, sizeof(void *), by_number);
        }
    }
}

static void commit(struct linker *l)
{
    commit_extensions(l);
    for (size_t i = 0; i < l->message.len; i++) {
        l->message.ptr[i].index->next = l->pool->indexes;
        l->pool->indexes = l->message.ptr[i].index;
    }
    if (l->pool->symbol.len == 0) {
        map_done(&l->pool->symbol);
        l->pool->symbol = l->symbol;
        map_init(&l->symbol);
    }
    for (size_t i = 0; i < l->symbol.len; i++) {
        (void) map_put(&l->pool->symbol, l->symbol.entry[i].key, l->symbol.entry[i].value);
    }
    (void) map_put(&l->pool->file, l->file->name, l->file);
    link_custom_options(l);
}

static int run(struct linker *l)
{
    int (*const steps[])(struct linker *) = {
        read_syntax,   read_imports,    link_declare,  link_enums,    link_fields,
        link_messages, link_extensions, link_required, link_services,
    };
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        int status = steps[i](l);
        if (status != 0) {
            return status;
        }
    }
    link_well_known(l);
    commit(l);
    return 0;
}

int proto_link(struct proto_pool *pool, const struct proto_msg *file, struct err *err)
{
    struct linker l = {.pool = pool, .arena = &pool->arena, .err = err, .source = file};
    struct proto_file_desc *desc = arena_alloc(&pool->arena, sizeof *desc);
    if (desc == NULL) {
        return err_set(err, ERR_FULL, "descriptors take more than %zu MiB",
                       PROTO_POOL_BYTES_MAX >> 20);
    }
    l.file = desc;
    desc->name = proto_str(file, FILE_NAME);
    desc->package = proto_str(file, FILE_PACKAGE);
    desc->pool = pool;
    desc->source = file;
    (void) link_options(&l, file, FILE_OPTIONS);
    int status = run(&l);
    map_done(&l.symbol);
    vec_done(&l.message);
    vec_done(&l.field);
    vec_done(&l.enumeration);
    vec_done(&l.method);
    vec_done(&l.extension);
    vec_done(&l.options);
    return status;
}
