#pragma once
/* Files of tests that the program writes: a skeleton of a service, a recorded call. */
#include "base/buf.h"
#include "base/err.h"
#include "proto/pool.h"
#include "rpc/call.h"

/* Where the written file says its descriptors are from. */
struct apitest_source {
    const char *const *proto; /* paths as they shall stand; n of them; none: reflection: true */
    size_t n;
    const char *proto_set; /* or NULL */
};

/*
 * One test for each service, one case for each method: requests filled in by type, streams with one
 * message. Methods that are not marked free of side effects are skipped with the reason.  service:
 * full name, or NULL for all but those of grpc itself.  ERR_NOT_FOUND: there is no service.
 */
int apitest_scaffold_new(const struct proto_pool *pool, const struct apitest_source *source,
                         const char *service, struct buf *b, struct err *err)
    __attribute__((warn_unused_result));

/* What a call was, as a test that wants the same again. */
struct apitest_recorded {
    const struct proto_method_desc *method;
    struct proto_msg *const *request;
    size_t requests;
    struct proto_msg *const *response;
    size_t responses;
    uint32_t code;
    struct str message;
    struct rpc_headers metadata; /* as it stands in a file: with variables, -bin as base64 */
};
void apitest_scaffold_recorded(const struct apitest_recorded *call,
                               const struct apitest_source *source, struct buf *b);
