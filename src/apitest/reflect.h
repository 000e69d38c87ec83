#pragma once
/*
 * Descriptors from the server itself (grpc.reflection).  v1 first; v1alpha when v1 is UNIMPLEMENTED
 * or, as some proxies answer for what they do not know, UNAVAILABLE or UNKNOWN.
 */
#include "base/err.h"
#include "io/loop.h"
#include "proto/pool.h"
#include "rpc/conn.h"

/*
 * All services of the target and what they need.  Runs the loop until done.  ret: the caller's.
 * ERR_UNREACHABLE: no connection; ERR_TIMEOUT; ERR_NOT_FOUND: the server has no reflection;
 * ERR_REMOTE: it answered with an error, or its files do not fit together.
 */
int apitest_reflect(struct io_loop *loop, const struct rpc_conn_options *options,
                    uint64_t timeout_ms, struct proto_pool **ret, struct err *err)
    __attribute__((warn_unused_result));
