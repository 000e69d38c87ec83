#pragma once
/* Files for a pool out of the JSON of a FileDescriptorProto with ' for ". */
#include "support/t.h"

#include "proto/json.h"
#include "proto/pool.h"

static inline struct proto_msg *t_file(struct proto_pool *pool, const char *text)
{
    struct err err;
    struct proto_msg *file = proto_pool_file_new(pool);
    char *json = arena_strdup(proto_pool_arena(pool), str_of(text));
    assert_non_null(file);
    assert_non_null(json);
    for (char *c = json; *c != '\0'; c++) {
        *c = (char) (*c == '\'' ? '"' : *c);
    }
    t_check(proto_json_read(str_of(json), file, 0, &err) == 0, "%s", err.msg);
    return file;
}

static inline int t_add(struct proto_pool *pool, const char *text, struct err *err)
{
    return proto_pool_add(pool, t_file(pool, text), err);
}
