/*
 * Built-in files come into a pool when they are imported or one of their names is looked for.  A
 * file that a set brings under the same name takes the built-in one's place if it comes first.
 */
#include "proto/builtin.h"
#include "proto/numbers_int.h"
#include "proto/pool_int.h"
#include "proto/source.h"

#include <string.h>

bool proto_pool_is_builtin(struct str file)
{
    return str_eq_cstr(file, "google/protobuf/descriptor.proto") ||
           proto_builtin_find(file) != NULL;
}

static int load(struct proto_pool *pool, const struct proto_builtin *builtin, struct err *err)
{
    struct proto_msg *file;
    int status =
        proto_source_parse(pool, str_of(builtin->text), builtin->name, builtin->name, &file, err);
    if (status != 0) {
        return status;
    }
    for (size_t i = 0; i < proto_len_at(file, FILE_DEPENDENCY); i++) {
        (void) proto_pool_need(pool, proto_item_at(file, FILE_DEPENDENCY, i).bytes);
    }
    status = proto_source_resolve(pool, file, builtin->name, err);
    return status == 0 ? proto_link(pool, file, err) : status;
}

static bool load_once(struct proto_pool *pool, const struct proto_builtin *builtin)
{
    for (size_t i = 0; i < pool->loading.len; i++) {
        if (pool->loading.ptr[i] == builtin->name) {
            return false;
        }
    }
    struct err err;
    /* It stays in the list: what failed once (the pool has those names elsewhere) fails again. */
    vec_push(&pool->loading, builtin->name);
    return load(pool, builtin, &err) == 0;
}

bool proto_pool_need(struct proto_pool *pool, struct str name)
{
    if (map_get(&pool->file, name) != NULL) {
        return true;
    }
    const struct proto_builtin *builtin = proto_builtin_find(name);
    return builtin != NULL && load_once(pool, builtin);
}

/* google/protobuf/any.proto has names that begin with google.protobuf. */
static bool may_declare(const char *file, struct str name)
{
    const char *slash = strrchr(file, '/');
    size_t n = slash == NULL ? 0 : (size_t) (slash - file);
    if (name.len <= n || name.ptr[n] != '.') {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (name.ptr[i] != (file[i] == '/' ? '.' : file[i])) {
            return false;
        }
    }
    return true;
}

bool proto_pool_load_symbol(struct proto_pool *pool, struct str name)
{
    for (size_t i = 0; i < proto_builtins_len; i++) {
        const struct proto_builtin *builtin = &proto_builtins[i];
        if (may_declare(builtin->name, name) &&
            map_get(&pool->file, str_of(builtin->name)) == NULL && load_once(pool, builtin) &&
            map_get(&pool->symbol, name) != NULL) {
            return true;
        }
    }
    return false;
}
