/* A pool of files and what is found in it: see pool.h. */
#include "proto/pool.h"

#include "base/mem.h"
#include "proto/pool_int.h"

struct proto_pool *proto_pool_new(void)
{
    struct proto_pool *pool = mem_zalloc(sizeof *pool);
    pool->self = pool;
    arena_init(&pool->arena, PROTO_POOL_BYTES_MAX);
    proto_bootstrap(pool);
    return pool;
}

void proto_pool_free(struct proto_pool *take_pool)
{
    if (take_pool == NULL) {
        return;
    }
    struct proto_message_index *next;
    for (struct proto_message_index *index = take_pool->indexes; index != NULL; index = next) {
        next = index->next;
        vec_done(&index->known);
    }
    map_done(&take_pool->symbol);
    map_done(&take_pool->file);
    vec_done(&take_pool->loading);
    arena_done(&take_pool->arena);
    mem_free(take_pool);
}

struct arena *proto_pool_arena(struct proto_pool *pool)
{
    return &pool->arena;
}

struct proto_msg *proto_pool_file_new(struct proto_pool *pool)
{
    return proto_msg_new(&pool->arena, pool->file_type);
}

const struct proto_symbol *proto_pool_symbol(const struct proto_pool *pool, struct str name)
{
    const struct proto_symbol *symbol = map_get(&pool->symbol, name);
    if (symbol == NULL && proto_pool_load_symbol(pool->self, name)) {
        symbol = map_get(&pool->symbol, name);
    }
    return symbol;
}

const struct proto_message_desc *proto_pool_message(const struct proto_pool *pool, struct str name)
{
    const struct proto_symbol *symbol = proto_pool_symbol(pool, name);
    return symbol != NULL && symbol->kind == PROTO_SYMBOL_MESSAGE ? symbol->is.message : NULL;
}

const struct proto_enum_desc *proto_pool_enum(const struct proto_pool *pool, struct str name)
{
    const struct proto_symbol *symbol = proto_pool_symbol(pool, name);
    return symbol != NULL && symbol->kind == PROTO_SYMBOL_ENUM ? symbol->is.enumeration : NULL;
}

const struct proto_service_desc *proto_pool_service(const struct proto_pool *pool, struct str name)
{
    const struct proto_symbol *symbol = proto_pool_symbol(pool, name);
    return symbol != NULL && symbol->kind == PROTO_SYMBOL_SERVICE ? symbol->is.service : NULL;
}

const struct proto_field_desc *proto_pool_extension(const struct proto_pool *pool, struct str name)
{
    const struct proto_symbol *symbol = proto_pool_symbol(pool, name);
    return symbol != NULL && symbol->kind == PROTO_SYMBOL_EXTENSION ? symbol->is.extension : NULL;
}

const struct proto_field_desc *proto_pool_extension_by_number(const struct proto_pool *pool,
                                                              const struct proto_message_desc *of,
                                                              uint32_t number)
{
    return of->file->pool == pool ? proto_extension_of(of, number) : NULL;
}

const struct proto_file_desc *proto_pool_file(const struct proto_pool *pool, struct str name)
{
    return proto_pool_need(pool->self, name) ? map_get(&pool->file, name) : NULL;
}

size_t proto_pool_files(const struct proto_pool *pool)
{
    return pool->file.len;
}

const struct proto_file_desc *proto_pool_file_at(const struct proto_pool *pool, size_t i)
{
    return i < pool->file.len ? pool->file.entry[i].value : NULL;
}
