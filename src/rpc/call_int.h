#pragma once
/* The inside of a gRPC call: call.c starts, sends and ends it, reply.c reads the answer. */
#include "rpc/conn_int.h"

#define RPC_PREFIX 5 /* flag and length in front of each message */

/* Fields of a block; the memory is used again by the next call. */
struct rpc_fields {
    char *bytes;
    size_t len, cap;
    struct rpc_header *item;
    size_t count, room;
};

/* What grpc-encoding says. */
enum rpc_encoding { RPC_IDENTITY, RPC_ENCODING_GZIP, RPC_ENCODING_DEFLATE, RPC_ENCODING_OTHER };

#define RPC_PAGE_BYTES 160 /* of a body that is not gRPC's: shown in the message */

struct rpc_call {
    struct rpc_stream stream; /* first: a stream of this kind is its call */
    struct rpc_call *next;    /* among the spare ones */
    struct rpc_call_events events;
    void *ctx;
    uint64_t start_us;
    uint64_t deadline_ms; /* 0: none */
    struct rpc_due due;
    unsigned depth; /* of callbacks that run now */
    bool over;      /* the result is decided */
    bool ended;     /* on_end was called, or will not be */
    bool freed;     /* by rpc_call_free within a callback */
    bool unary_reply, gzip;
    /* the request */
    char *head; /* what nv points to */
    size_t head_cap;
    nghttp2_nv *nv;
    size_t nv_len, nv_cap;
    size_t nv_timeout; /* place of grpc-timeout; 0: none */
    char timeout[16];
    struct buf send; /* framed messages */
    size_t sent;     /* of send */
    bool send_closed;
    /* the answer */
    struct rpc_fields headers, trailers;
    struct rpc_fields *block; /* that comes in */
    size_t block_bytes;       /* as HTTP/2 counts it: 32 more for each field */
    unsigned block_status;
    bool has_headers; /* of the final answer */
    bool has_trailers;
    bool broken_bin; /* a -bin value was no base64: words are in problem */
    bool page;       /* the body is not gRPC's */
    char page_text[RPC_PAGE_BYTES];
    size_t page_len;
    enum rpc_encoding encoding;
    uint8_t prefix[RPC_PREFIX];
    size_t prefix_len;
    size_t need;      /* length of the message in work */
    struct buf body;  /* of it, as far as it came */
    struct buf plain; /* uncompressed */
    struct buf message, details;
    char problem[512];
    struct rpc_result result;
};

extern const struct rpc_stream_ops rpc_call_ops;

/* grpc-timeout: at most 8 digits and a unit; rounded up.  ms: any. */
void rpc_timeout_text(uint64_t ms, char out[16]);
/* Since the start, 1 at least; for what was read: until it was read. */
uint64_t rpc_call_elapsed_us(const struct rpc_call *call);

/* Decides the result and calls on_end; the call may be gone afterwards. */
void rpc_call_finish(struct rpc_call *call, enum rpc_origin origin, uint32_t code);
/* The same for what this side found wrong: drops the stream, writes the message. */
__attribute__((format(printf, 3, 4))) void rpc_call_fail(struct rpc_call *call, enum rpc_code code,
                                                         const char *fmt, ...);
/*
 * The deadline decides by the clock, not by whether the timer or the answer is seen first: a server
 * that gives up at its own copy of the deadline is always later than ours.
 */
bool rpc_call_is_late(const struct rpc_call *call);
void rpc_call_expire(struct rpc_call *call, const char *what);
/* Around callbacks; after leave the call may be gone when it returns false. */
void rpc_call_enter(struct rpc_call *call);
bool rpc_call_leave(struct rpc_call *call);

void rpc_fields_clear(struct rpc_fields *fields);
void rpc_fields_done(struct rpc_fields *fields);
struct rpc_headers rpc_fields_view(const struct rpc_fields *fields);
/*
 * Appends a field; a -bin value is decoded and may become several.  ERR_INVALID: it is no base64;
 * it is kept as it came then.
 */
int rpc_fields_add(struct rpc_fields *fields, struct str name, struct str value, struct err *err)
    __attribute__((warn_unused_result));

/* reply.c: the parts of rpc_call_ops that read. */
void rpc_reply_block_begin(struct rpc_stream *s, bool last);
void rpc_reply_field(struct rpc_stream *s, struct str name, struct str value);
void rpc_reply_block_end(struct rpc_stream *s, bool last);
void rpc_reply_data(struct rpc_stream *s, struct str bytes);
void rpc_reply_done(struct rpc_stream *s);
void rpc_reply_lost(struct rpc_stream *s, const struct rpc_loss *loss);
