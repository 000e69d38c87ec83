#pragma once
/* Message types for unit tests, linked into a pool. */
#include "support/shop.h"
#include "support/t.h"

#include "proto/json.h"
#include "proto/pool.h"

/* json: of a google.protobuf.FileDescriptorProto. */
static inline void protos_add(struct proto_pool *pool, const char *json)
{
    struct err err = {0};
    struct proto_msg *file = proto_pool_file_new(pool);
    assert_non_null(file);
    int rc = proto_json_read(str_of(json), file, 0, &err);
    t_check(rc == 0, "%u:%u: %s", err.pos.line, err.pos.col, err.msg);
    rc = proto_pool_add(pool, file, &err);
    t_check(rc == 0, "%s", err.msg);
}

static inline const struct proto_message_desc *protos_find(const struct proto_pool *pool,
                                                           const char *name)
{
    const struct proto_message_desc *desc = proto_pool_message(pool, str_of(name));
    t_check(desc != NULL, "no message %s", name);
    return desc;
}

/* With shop.proto and old.proto of shop.h. */
static inline struct proto_pool *shop_pool(void)
{
    struct proto_pool *pool = proto_pool_new();
    protos_add(pool, shop_proto);
    protos_add(pool, old_proto);
    return pool;
}
