#pragma once
/*
 * Files that need not be on the disk:
 * google/protobuf/{any,api,descriptor,duration,empty,field_mask,
 * source_context,struct,timestamp,type,wrappers}.proto and
 * google/rpc/{status,code,error_details}.proto, as our own sources of the same declarations, and
 * the reflection services grpc/reflection/{v1,v1alpha}/reflection.proto and
 * grpc/health/v1/health.proto.
 */
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct proto_builtin {
    const char *name; /* "google/protobuf/any.proto" */
    const char *text; /* .proto source */
};

extern const struct proto_builtin proto_builtins[];
extern const size_t proto_builtins_len;

/* NULL: not built in. */
const struct proto_builtin *proto_builtin_find(struct str name);
