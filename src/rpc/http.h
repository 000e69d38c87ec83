#pragma once
/*
 * One HTTP request over HTTP/2 or HTTP/1.1 on a pinned connection: no redirect, no retry, no
 * decoding of the body but what is asked for.  Callbacks as in call.h.
 */
#include "base/str.h"
#include "rpc/call.h"
#include "rpc/conn.h"

#include <stdbool.h>
#include <stdint.h>

struct rpc_http;

struct rpc_http_request {
    const char *method;         /* "GET" */
    const char *path;           /* "/healthz?x=1" */
    const char *authority;      /* NULL: the connection's */
    struct rpc_headers headers; /* lower-case names; host, connection, content-length are ours */
    struct str body;            /* ptr NULL: none */
    uint64_t deadline_ms;       /* 0: none */
};

struct rpc_http_result {
    enum rpc_origin origin; /* RPC_FROM_SERVER: a whole answer came */
    enum rpc_code code;     /* when it did not: why (UNAVAILABLE, DEADLINE_EXCEEDED, ...) */
    struct str error;       /* then the words, else ""; what came before the fault is kept */
    unsigned status;        /* 0: none came */
    struct rpc_headers headers;
    struct rpc_headers trailers;
    struct str body;   /* content-encoding gzip and deflate are undone, others are left */
    bool body_decoded; /* a content-encoding was undone */
    uint64_t headers_at_us, end_at_us;
    struct rpc_conn_facts conn;
};

typedef void (*rpc_http_fn)(struct rpc_http *http, const struct rpc_http_result *result, void *ctx);

/*
 * Whether a request can be sent: method, path and authority, names of headers in lower case that
 * are not ours (host, connection, content-length, transfer-encoding, ...), values without control
 * characters.  ERR_INVALID with a message.
 */
int rpc_http_check(const struct rpc_http_request *request, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Calls fn exactly once, never before it returns; result lives until rpc_http_free.  Copies all it
 * needs of the request.  One that rpc_http_check refuses ends with INVALID_ARGUMENT.  Without a
 * user-agent among the headers there is one of ours.
 */
struct rpc_http *rpc_http_start(struct rpc_conn *conn, const struct rpc_http_request *request,
                                rpc_http_fn fn, void *ctx);
/* fn follows in the loop with RPC_CANCELLED.  Nothing after the end. */
void rpc_http_cancel(struct rpc_http *http);
/* Before the end: cancels without fn. */
void rpc_http_free(struct rpc_http *take_http);
