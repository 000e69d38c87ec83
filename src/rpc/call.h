#pragma once
/*
 * One gRPC call of any kind, bytes of messages in and out (PROTOCOL-HTTP2).  What came over the
 * wire is kept: headers and trailers in their order, flags, times.
 *
 *     call = rpc_call_start(conn, &request, &events, ctx);
 *     rpc_call_send(call, bytes, false);  ...  rpc_call_close_send(call);
 *       ... on_headers once or never, on_message for each message, then on_end exactly once
 *     rpc_call_free(call);
 *
 * Callbacks never run inside rpc_call_start or _send, but inside the loop (or rpc_conn_free).  In a
 * callback any function may be called, rpc_call_free in on_end too.
 */
#include "base/str.h"
#include "rpc/conn.h"
#include "rpc/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rpc_call;

/* A header or a metadata entry.  A name ending in "-bin": value are the raw bytes, not base64. */
struct rpc_header {
    struct str name; /* lower case */
    struct str value;
};

struct rpc_headers {
    const struct rpc_header *item; /* in the order of the wire; duplicates stay */
    size_t len;
};

/* First of that name, or NULL. */
const struct rpc_header *rpc_headers_find(struct rpc_headers headers, const char *name);

/*
 * NULL-safe check of what a user gives as metadata: name of [0-9a-z_.-], no "grpc-" but for what
 * is allowed, no pseudo header, value of printable ASCII unless -bin.  ERR_INVALID with a message.
 */
int rpc_metadata_check(struct str name, struct str value, struct err *err)
    __attribute__((warn_unused_result));

struct rpc_call_request {
    const char *path;            /* "/shop.v1.OrderService/Create" */
    const char *authority;       /* NULL: the connection's */
    struct rpc_headers metadata; /* checked by rpc_metadata_check */
    uint64_t deadline_ms;        /* from now; sent as grpc-timeout; 0: none */
    bool unary_reply;            /* method without server streaming: exactly one message wanted */
    bool gzip;                   /* says grpc-encoding: gzip, so that messages may be compressed */
};

struct rpc_message {
    struct str bytes;  /* uncompressed; valid during the callback */
    bool compressed;   /* the flag of the frame */
    size_t wire_bytes; /* length in the frame */
    uint64_t at_us;    /* since rpc_call_start, mono */
};

/* Where a status comes from. */
enum rpc_origin {
    RPC_FROM_SERVER,  /* grpc-status of trailers or of a trailers-only answer */
    RPC_FROM_HTTP,    /* no grpc-status: made of the HTTP status, RST_STREAM, GOAWAY */
    RPC_FROM_CLIENT,  /* this side: deadline, limit, cancelled, malformed answer */
    RPC_FROM_CONNECT, /* there was no connection: refused, timeout, TLS */
};

struct rpc_result {
    uint32_t code; /* enum rpc_code */
    enum rpc_origin origin;
    struct str message; /* grpc-message decoded, or our words: what was seen, what would be right */
    struct str details; /* grpc-status-details-bin decoded, else empty */
    struct rpc_headers headers;  /* empty for trailers-only */
    struct rpc_headers trailers; /* trailers, or all of a trailers-only answer */
    bool trailers_only;
    unsigned http_status; /* 0: none came */
    struct str content_type;
    bool rst; /* the server sent RST_STREAM */
    uint32_t rst_error;
    bool goaway;       /* the stream ended by GOAWAY */
    bool sent_all;     /* everything given to rpc_call_send was given to the socket */
    uint64_t messages; /* received */
    uint64_t headers_at_us, first_message_at_us, end_at_us; /* since start; 0: never */
    struct str encoding; /* grpc-encoding of the answer, "" none */
    struct rpc_conn_facts conn;
};

struct rpc_call_events {
    /* initial headers; not for trailers-only; may be NULL */
    void (*on_headers)(struct rpc_call *call, struct rpc_headers headers, void *ctx);
    void (*on_message)(struct rpc_call *call, const struct rpc_message *message, void *ctx);
    /* result: valid until rpc_call_free */
    void (*on_end)(struct rpc_call *call, const struct rpc_result *result, void *ctx);
};

struct rpc_call *rpc_call_start(struct rpc_conn *conn, const struct rpc_call_request *request,
                                const struct rpc_call_events *events, void *ctx);
/*
 * Queues a message (copied).  compress: with gzip (request.gzip has to be set) and the flag.
 * Ignored after the end.
 */
void rpc_call_send(struct rpc_call *call, struct str bytes, bool compress);
/* No message will follow.  A call without this is not complete for most servers. */
void rpc_call_close_send(struct rpc_call *call);
/* RST_STREAM(CANCEL); on_end follows with RPC_CANCELLED.  Nothing after the end. */
void rpc_call_cancel(struct rpc_call *call);
bool rpc_call_ended(const struct rpc_call *call);
/* Before the end: cancels without on_end. */
void rpc_call_free(struct rpc_call *take_call);
