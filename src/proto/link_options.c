/*
 * Custom options.  Descriptors are read with all extensions unknown, as those of options may come
 * with the same file.  Once it is linked, options are read again, by the extensions that the file
 * can see: its own and those of its imports.  Files that it does not know may use the same numbers
 * for other things.
 */
#include "proto/link_int.h"
#include "proto/message_int.h"

/* The file, its imports, and what those import publicly. */
static void find_visible(const struct proto_pool *pool, struct proto_file_desc *of,
                         struct map *visible)
{
    VEC(const struct proto_file_desc *) todo = {0};
    for (size_t i = 0; i < of->imports; i++) {
        vec_push(&todo, of->import[i]); /* NOLINT(bugprone-sizeof-expression): of pointers */
    }
    (void) map_put(visible, of->name, of);
    while (todo.len > 0) {
        const struct proto_file_desc *file = todo.ptr[--todo.len];
        struct proto_file_desc *known = map_get(&pool->file, file->name);
        if (map_put(visible, file->name, known) != NULL) {
            continue;
        }
        for (size_t i = 0; i < proto_len_at(file->source, FILE_PUBLIC_DEPENDENCY); i++) {
            int32_t at = proto_item_at(file->source, FILE_PUBLIC_DEPENDENCY, i).i32;
            struct str name = proto_item_at(file->source, FILE_DEPENDENCY, (size_t) at).bytes;
            known = map_get(&pool->file, name);
            if (known != NULL) {        /* a weak one may be missing */
                vec_push(&todo, known); /* NOLINT(bugprone-sizeof-expression): of pointers */
            }
        }
    }
    vec_done(&todo);
}

static void read_again(struct proto_msg *options, const struct map *visible)
{
    struct proto_unknown it = {.rest = options->unknown};
    options->unknown = (struct str){NULL, 0};
    options->unknown_mem = NULL;
    options->unknown_cap = 0;
    for (struct str before = it.rest; proto_unknown_next(&it); before = it.rest) {
        struct str one = {before.ptr, before.len - it.rest.len};
        const struct proto_field_desc *field = proto_extension_of(options->desc, it.number);
        bool seen = field != NULL && map_get(visible, field->file->name) != NULL;
        if (seen &&
            proto_wire_read(one, options, PROTO_WIRE_PARTIAL | PROTO_WIRE_BORROW, NULL) == 0) {
            continue;
        }
        if (!proto_unknown_add(options, one)) {
            return; /* the pool is full, which the next file is told */
        }
    }
}

void link_custom_options(struct linker *l)
{
    struct map visible = {0};
    if (l->options.len > 0) {
        find_visible(l->pool, l->file, &visible);
    }
    for (size_t i = 0; i < l->options.len; i++) {
        if (proto_has_extensions(l->options.ptr[i]->desc)) {
            read_again(l->options.ptr[i], &visible);
        }
    }
    map_done(&visible);
}

static void read_below(struct proto_msg *msg, const struct map *visible)
{
    if (msg->unknown.len > 0 && proto_has_extensions(msg->desc)) {
        read_again(msg, visible);
    }
    struct proto_iter it = {.msg = msg};
    while (proto_next(&it)) {
        size_t n = it.field->message == NULL || it.field->is_extension ? 0
                   : it.field->repeated                                ? it.value.list->len
                                                                       : 1;
        for (size_t i = 0; i < n; i++) {
            read_below(it.field->repeated ? it.value.list->item[i].msg : it.value.msg, visible);
        }
    }
}

void proto_read_custom_options(const struct proto_pool *pool, struct str file,
                               struct proto_msg *copy)
{
    struct map visible = {0};
    find_visible(pool, map_get(&pool->file, file), &visible);
    read_below(copy, &visible);
    map_done(&visible);
}
