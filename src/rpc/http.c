/*
 * One HTTP request, whatever the protocol below: see http.h and conn_int.h.
 *
 * The request is copied and laid out as fields when it is started.  Blocks of fields come in this
 * order: any number of 1xx answers, which are skipped, the headers, the trailers.  The first end
 * counts: the answer, a loss, the deadline, a limit, a cancellation.
 */
#include "rpc/http.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/vec.h"
#include "rpc/conn_int.h"
#include "rpc/gzip.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define USER_AGENT "pourover/" POUROVER_VERSION
#define H2_CANCEL  8 /* RFC 9113 section 7 */
#define FIELD_WIRE 4 /* ": " and CR LF */
/* The memory of a field is at most this many times what it counts for on the wire. */
#define FIELD_MEMORY 16
#define MAX_INTERIMS 16

typedef VEC(struct rpc_header) fields;

struct rpc_http {
    struct rpc_stream stream; /* first */
    struct rpc_conn *conn;
    struct rpc_due due;       /* deadline or cancellation */
    struct io_timer *refusal; /* of a request that is not sent; NULL: it is */
    uint64_t started_us;
    uint64_t deadline_ms;
    rpc_http_fn fn;
    void *ctx;
    bool ended, cancelled;

    /* the request */
    struct arena request;
    VEC(nghttp2_nv) nv;
    struct buf body;
    bool has_body, is_head;
    size_t sent; /* of the body */

    /* the answer */
    struct arena answer;
    fields headers, trailers;
    bool interim, has_headers; /* interim: the block is of a 1xx */
    unsigned interims;
    size_t block_bytes;
    struct buf received, decoded;
    struct rpc_http_result result;
    char error[512];
};

static struct rpc_http *http_of(struct rpc_stream *s)
{
    return (struct rpc_http *) (void *) s;
}

static struct rpc_http *http_of_due(struct rpc_due *due)
{
    return (struct rpc_http *) (void *) ((char *) due - offsetof(struct rpc_http, due));
}

/* The end */

static void end(struct rpc_http *http, enum rpc_origin origin, enum rpc_code code)
{
    struct rpc_http_result *result = &http->result;
    rpc_due_clear(http->conn, &http->due);
    http->ended = true;
    result->origin = origin;
    result->code = code;
    result->error = str_of(http->error);
    result->headers = (struct rpc_headers){http->headers.ptr, http->headers.len};
    result->trailers = (struct rpc_headers){http->trailers.ptr, http->trailers.len};
    result->body = buf_str(result->body_decoded ? &http->decoded : &http->received);
    result->end_at_us = clock_mono_us() - http->started_us;
    if (http->stream.state != RPC_IDLE) {
        rpc_stream_facts(&http->stream, &result->conn);
    }
    http->fn(http, result, http->ctx);
}

/* This side found a fault: the stream is given up. */
__attribute__((format(printf, 3, 4))) static void fail(struct rpc_http *http, enum rpc_code code,
                                                       const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(http->error, sizeof http->error, fmt, args);
    va_end(args);
    rpc_stream_drop(&http->stream, H2_CANCEL);
    end(http, RPC_FROM_CLIENT, code);
}

static void deadline_due(struct rpc_due *due)
{
    struct rpc_http *http = http_of_due(due);
    char stage[256];
    if (http->has_headers) {
        (void) snprintf(stage, sizeof stage, "in the body, %zu bytes came", http->received.len);
    } else {
        rpc_stream_stage(&http->stream, stage, sizeof stage);
    }
    fail(http, RPC_DEADLINE_EXCEEDED, "no whole answer within %g s: %s",
         (double) http->deadline_ms / 1e3, stage);
}

static void cancel_due(struct rpc_due *due)
{
    fail(http_of_due(due), RPC_CANCELLED, "cancelled by this side");
}

static void refuse(void *ctx)
{
    struct rpc_http *http = ctx;
    io_timer_stop(http->refusal);
    http->refusal = NULL;
    end(http, RPC_FROM_CLIENT, RPC_INVALID_ARGUMENT);
}

/* Undoes the content-encoding; false: the body is broken, with the words in http->error. */
static bool decode(struct rpc_http *http, enum rpc_code *ret_code)
{
    struct rpc_headers headers = {http->headers.ptr, http->headers.len};
    const struct rpc_header *found = rpc_headers_find(headers, "content-encoding");
    struct err err = {.msg = ""};
    if (found == NULL || http->received.len == 0) {
        return true;
    }
    bool gzip =
        str_eq_nocase(found->value, STR("gzip")) || str_eq_nocase(found->value, STR("x-gzip"));
    if (!gzip && !str_eq_nocase(found->value, STR("deflate"))) {
        return true;
    }
    if (rpc_inflate(buf_str(&http->received), gzip ? RPC_GZIP : RPC_DEFLATE, &http->decoded, &err) <
        0) {
        (void) err_wrap(&err, "content-encoding of the body");
        (void) snprintf(http->error, sizeof http->error, "%s", err.msg);
        *ret_code = err.code == ERR_FULL ? RPC_RESOURCE_EXHAUSTED : RPC_INTERNAL;
        return false;
    }
    http->result.body_decoded = true;
    return true;
}

static void on_done(struct rpc_stream *s)
{
    struct rpc_http *http = http_of(s);
    enum rpc_code code = RPC_OK;
    if (http->cancelled) {
        (void) snprintf(http->error, sizeof http->error, "cancelled by this side");
        end(http, RPC_FROM_CLIENT, RPC_CANCELLED);
    } else if (!http->has_headers) {
        (void) snprintf(http->error, sizeof http->error, "the answer has no status");
        end(http, RPC_FROM_CLIENT, RPC_INTERNAL);
    } else if (!decode(http, &code)) {
        end(http, RPC_FROM_CLIENT, code);
    } else {
        end(http, RPC_FROM_SERVER, RPC_OK);
    }
}

static void on_lost(struct rpc_stream *s, const struct rpc_loss *loss)
{
    struct rpc_http *http = http_of(s);
    if (http->cancelled) {
        (void) snprintf(http->error, sizeof http->error, "cancelled by this side");
        end(http, RPC_FROM_CLIENT, RPC_CANCELLED);
        return;
    }
    (void) snprintf(http->error, sizeof http->error, "%s", loss->msg);
    end(http, loss->origin, loss->code);
}

/* The answer */

static void on_block_begin(struct rpc_stream *s, bool last)
{
    struct rpc_http *http = http_of(s);
    (void) last;
    http->interim = false;
    http->block_bytes = 0;
}

/* Three digits; 0 when it is something else. */
static unsigned parse_status(struct str value)
{
    uint64_t status;
    return value.len == 3 && num_u64(value, 100, 999, &status) == 0 ? (unsigned) status : 0;
}

static void take_status(struct rpc_http *http, struct str value)
{
    unsigned status = parse_status(value);
    if (status >= 100 && status < 200) {
        http->interim = true;
        if (++http->interims > MAX_INTERIMS) {
            fail(http, RPC_RESOURCE_EXHAUSTED, "more than %d interim answers (1xx)", MAX_INTERIMS);
        }
        return;
    }
    http->result.status = status;
}

static void on_field(struct rpc_stream *s, struct str name, struct str value)
{
    struct rpc_http *http = http_of(s);
    size_t max = http->conn->options.max_header_bytes;
    if (str_eq_cstr(name, ":status") && !http->has_headers) {
        take_status(http, value);
        return;
    }
    http->block_bytes += name.len + value.len + FIELD_WIRE;
    if (http->block_bytes > max) {
        fail(http, RPC_RESOURCE_EXHAUSTED, "the %s of the answer are longer than %zu bytes",
             http->has_headers ? "trailers" : "headers", max);
        return;
    }
    if (http->interim) {
        return;
    }
    struct rpc_header field = {{arena_strdup(&http->answer, name), name.len},
                               {arena_strdup(&http->answer, value), value.len}};
    if (field.name.ptr == NULL || field.value.ptr == NULL) {
        fail(http, RPC_RESOURCE_EXHAUSTED, "the answer has too many headers");
    } else if (http->has_headers) {
        vec_push(&http->trailers, field);
    } else {
        vec_push(&http->headers, field);
    }
}

static void on_block_end(struct rpc_stream *s, bool last)
{
    struct rpc_http *http = http_of(s);
    (void) last;
    if (http->interim) {
        return;
    }
    if (!http->has_headers) {
        http->has_headers = true;
        http->result.headers_at_us = clock_mono_us() - http->started_us;
    }
}

static void on_data(struct rpc_stream *s, struct str bytes)
{
    struct rpc_http *http = http_of(s);
    buf_add_str(&http->received, bytes);
    if (http->received.failed) {
        fail(http, RPC_RESOURCE_EXHAUSTED, "the body of the answer is longer than %zu bytes",
             http->received.max);
    }
}

/* The request */

static struct rpc_head head(struct rpc_stream *s)
{
    const struct rpc_http *http = http_of(s);
    return (struct rpc_head){http->nv.ptr, http->nv.len, http->has_body};
}

static size_t peek(struct rpc_stream *s, size_t max, bool *ret_end)
{
    const struct rpc_http *http = http_of(s);
    size_t left = http->body.len - http->sent;
    *ret_end = left <= max;
    return left < max ? left : max;
}

static void take(struct rpc_stream *s, size_t len, struct buf *out)
{
    struct rpc_http *http = http_of(s);
    buf_add(out, http->body.ptr + http->sent, len);
    http->sent += len;
}

static const struct rpc_stream_ops ops = {
    .head = head,
    .peek = peek,
    .take = take,
    .on_block_begin = on_block_begin,
    .on_field = on_field,
    .on_block_end = on_block_end,
    .on_data = on_data,
    .on_done = on_done,
    .on_lost = on_lost,
};

static void add_field(struct rpc_http *http, struct str name, struct str value)
{
    char *copy_name = arena_strdup(&http->request, name);
    char *copy_value = arena_strdup(&http->request, value);
    if (copy_name == NULL || copy_value == NULL) {
        BUG("the request's own bytes do not fit"); /* the arena has no maximum */
    }
    nghttp2_nv nv = {(uint8_t *) copy_name, (uint8_t *) copy_value, name.len, value.len,
                     NGHTTP2_NV_FLAG_NONE};
    vec_push(&http->nv, nv);
}

/* Methods whose request is expected to have a body say that there is none. */
static bool wants_body(struct str method)
{
    return str_eq_cstr(method, "POST") || str_eq_cstr(method, "PUT") ||
           str_eq_cstr(method, "PATCH");
}

static void lay_out(struct rpc_http *http, const struct rpc_http_request *request)
{
    const struct rpc_conn *conn = http->conn;
    struct str method = str_of(request->method);
    char length[24];
    add_field(http, STR(":method"), method);
    add_field(http, STR(":scheme"), conn->options.target.tls ? STR("https") : STR("http"));
    add_field(http, STR(":path"), str_of(request->path));
    add_field(http, STR(":authority"),
              str_of(request->authority != NULL ? request->authority : conn->authority));
    if (rpc_headers_find(request->headers, "user-agent") == NULL) {
        add_field(http, STR("user-agent"), STR(USER_AGENT));
    }
    for (size_t i = 0; i < request->headers.len; i++) {
        add_field(http, request->headers.item[i].name, request->headers.item[i].value);
    }
    if (request->body.ptr != NULL || wants_body(method)) {
        (void) snprintf(length, sizeof length, "%zu", request->body.len);
        add_field(http, STR("content-length"), str_of(length));
    }
    http->has_body = request->body.len > 0;
    buf_add_str(&http->body, request->body);
}

struct rpc_http *rpc_http_start(struct rpc_conn *conn, const struct rpc_http_request *request,
                                rpc_http_fn fn, void *ctx)
{
    struct rpc_http *http = mem_zalloc(sizeof *http);
    struct err err = {.msg = ""};
    http->stream.ops = &ops;
    http->conn = conn;
    rpc_conn_hold(conn); /* it may be freed before the request is */
    http->fn = fn;
    http->ctx = ctx;
    http->started_us = clock_mono_us();
    http->deadline_ms = request->deadline_ms;
    arena_init(&http->request, SIZE_MAX);
    arena_init(&http->answer, FIELD_MEMORY * conn->options.max_header_bytes);
    buf_init(&http->body, SIZE_MAX - 1);
    buf_init(&http->received, conn->options.max_message_bytes);
    buf_init(&http->decoded, conn->options.max_message_bytes);
    if (rpc_http_check(request, &err) < 0) {
        (void) snprintf(http->error, sizeof http->error, "%s", err.msg);
        http->refusal = io_timer_start(conn->loop, 0, 0, refuse, http);
        return http;
    }
    lay_out(http, request);
    rpc_stream_start(conn, &http->stream);
    if (http->deadline_ms > 0) {
        rpc_due_set(conn, &http->due, http->deadline_ms, deadline_due);
    }
    return http;
}

void rpc_http_cancel(struct rpc_http *http)
{
    if (!http->ended && !http->cancelled && http->refusal == NULL) {
        http->cancelled = true;
        rpc_due_set(http->conn, &http->due, 0, cancel_due);
    }
}

void rpc_http_free(struct rpc_http *take_http)
{
    if (take_http == NULL) {
        return;
    }
    if (take_http->refusal != NULL) {
        io_timer_stop(take_http->refusal);
    } else if (!take_http->ended) {
        rpc_due_clear(take_http->conn, &take_http->due);
        rpc_stream_drop(&take_http->stream, H2_CANCEL);
    }
    arena_done(&take_http->request);
    arena_done(&take_http->answer);
    vec_done(&take_http->nv);
    vec_done(&take_http->headers);
    vec_done(&take_http->trailers);
    buf_done(&take_http->body);
    buf_done(&take_http->received);
    buf_done(&take_http->decoded);
    rpc_conn_release(take_http->conn);
    mem_free(take_http);
}
