#pragma once
/*
 * Message types for tests: a schema as the JSON of google.protobuf.FileDescriptorProto, linked into
 * a pool.  It stands here in the order of a .proto file:
 *     protos_field("id", 1, "TYPE_INT64", "")     {"name": "id", "number": 1, ...}
 */
#include "support/t.h"

#include "base/buf.h"
#include "proto/json.h"
#include "proto/pool.h"

#define PROTO_FIELD(name, number, type) \
    "{\"name\":\"" name "\",\"number\":" #number ",\"type\":\"TYPE_" type "\"}"
/* more: further members, each with its comma in front. */
#define PROTO_FIELD_WITH(name, number, type, more) \
    "{\"name\":\"" name "\",\"number\":" #number ",\"type\":\"TYPE_" type "\"" more "}"
#define PROTO_REPEATED ",\"label\":\"LABEL_REPEATED\""
#define PROTO_OF(type) ",\"typeName\":\"" type "\""

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
