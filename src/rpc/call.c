/* A gRPC call: start, send, deadline, end; the answer is read in reply.c. */
#include "base/clock.h"
#include "base/mem.h"
#include "rpc/call_int.h"
#include "rpc/gzip.h"
#include "rpc/metadata.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SPARE_CALLS   256                 /* kept for the next ones, a connection */
#define KEEP_BYTES    ((size_t) 64 << 10) /* a spare call keeps no larger buffers */
#define OWN_FIELDS    11                  /* at most; metadata comes on top */
#define SEND_MAX      (SIZE_MAX / 4)      /* what is sent is the caller's to bound */
#define TIMEOUT_MAX   UINT64_C(99999999)  /* eight digits */
#define CONTENT_TYPE  "application/grpc"
#define OUR_ENCODINGS "identity, deflate, gzip"

uint64_t rpc_call_elapsed_us(const struct rpc_call *call)
{
    uint64_t read_at_us = call->stream.conn->read_at_us;
    uint64_t now_us = read_at_us > 0 ? read_at_us : clock_mono_us();
    return now_us > call->start_us ? now_us - call->start_us : 1; /* 0 means never */
}

void rpc_timeout_text(uint64_t ms, char out[16])
{
    static const struct {
        char unit;
        uint64_t ms;
    } units[] = {{'m', 1}, {'S', 1000}, {'M', 60000}, {'H', 3600000}};
    size_t i = 0;
    uint64_t value = ms;
    while (value > TIMEOUT_MAX && ++i < sizeof units / sizeof units[0]) {
        value = ms / units[i].ms + (ms % units[i].ms != 0 ? 1 : 0);
    }
    if (i == sizeof units / sizeof units[0]) {
        i--;
        value = TIMEOUT_MAX;
    }
    (void) snprintf(out, 16, "%llu%c", (unsigned long long) value, units[i].unit);
}

/* Memory */

static void free_call(struct rpc_call *call)
{
    rpc_fields_done(&call->headers);
    rpc_fields_done(&call->trailers);
    buf_done(&call->send);
    buf_done(&call->body);
    buf_done(&call->plain);
    buf_done(&call->message);
    buf_done(&call->details);
    mem_free(call->head);
    mem_free(call->nv);
    mem_free(call);
}

static void reset_buf(struct buf *b, size_t max)
{
    if (b->cap > KEEP_BYTES || b->max != max) {
        buf_done(b);
        buf_init(b, max);
    } else {
        buf_clear(b);
    }
}

static struct rpc_call *new_call(struct rpc_conn *conn)
{
    struct rpc_call *call = conn->spare;
    if (call == NULL) {
        call = mem_zalloc(sizeof *call);
    } else {
        conn->spare = call->next;
        conn->spares--;
        /* Only the memory stays. */
        struct rpc_call clean = {.headers = call->headers,
                                 .trailers = call->trailers,
                                 .head = call->head,
                                 .head_cap = call->head_cap,
                                 .nv = call->nv,
                                 .nv_cap = call->nv_cap,
                                 .send = call->send,
                                 .body = call->body,
                                 .plain = call->plain,
                                 .message = call->message,
                                 .details = call->details};
        *call = clean;
    }
    size_t message_max = conn->options.max_message_bytes;
    size_t header_max = conn->options.max_header_bytes + 4096;
    rpc_fields_clear(&call->headers);
    rpc_fields_clear(&call->trailers);
    reset_buf(&call->send, SEND_MAX);
    reset_buf(&call->body, message_max);
    reset_buf(&call->plain, message_max);
    reset_buf(&call->message, header_max);
    reset_buf(&call->details, header_max);
    return call;
}

static void give_back(struct rpc_call *call)
{
    struct rpc_conn *conn = call->stream.conn;
    bool keep = !conn->freed && conn->spares < SPARE_CALLS && call->headers.cap <= KEEP_BYTES &&
                call->trailers.cap <= KEEP_BYTES && call->head_cap <= KEEP_BYTES;
    if (keep) {
        call->next = conn->spare;
        conn->spare = call;
        conn->spares++;
    } else {
        free_call(call);
    }
    rpc_conn_release(conn);
}

void rpc_call_spares_free(struct rpc_conn *conn)
{
    while (conn->spare != NULL) {
        struct rpc_call *call = conn->spare;
        conn->spare = call->next;
        free_call(call);
    }
}

/* The request's head */

struct writer {
    struct rpc_call *call;
    char *at;
};

static void put(struct writer *w, struct str name, struct str value)
{
    struct rpc_call *call = w->call;
    char *name_at = w->at, *value_at = w->at + name.len;
    memcpy(name_at, name.ptr, name.len);
    if (value.len > 0) {
        memcpy(value_at, value.ptr, value.len);
    }
    w->at = value_at + value.len;
    call->nv[call->nv_len++] = (nghttp2_nv){
        .name = (uint8_t *) name_at,
        .namelen = name.len,
        .value = (uint8_t *) value_at,
        .valuelen = value.len,
        .flags = NGHTTP2_NV_FLAG_NONE,
    };
}

static void put_bin(struct writer *w, struct str name, struct str bytes)
{
    struct buf encoded;
    buf_init(&encoded, SIZE_MAX / 4);
    rpc_bin_encode(bytes, &encoded);
    put(w, name, buf_str(&encoded));
    buf_done(&encoded);
}

static void make_head(struct rpc_call *call, struct rpc_conn *conn,
                      const struct rpc_call_request *request)
{
    struct str path = str_of(request->path);
    struct str authority =
        str_of(request->authority != NULL ? request->authority : conn->authority);
    size_t size = path.len + authority.len + 512, count = OWN_FIELDS + request->metadata.len;
    for (size_t i = 0; i < request->metadata.len; i++) {
        const struct rpc_header *m = &request->metadata.item[i];
        size += m->name.len + m->value.len + m->value.len / 3 + 4;
    }
    if (size > call->head_cap) {
        mem_free(call->head);
        call->head = mem_alloc(size);
        call->head_cap = size;
    }
    if (count > call->nv_cap) {
        call->nv = mem_realloc_array(call->nv, count, sizeof *call->nv);
        call->nv_cap = count;
    }
    struct writer w = {call, call->head};
    call->nv_len = 0;
    put(&w, STR(":method"), STR("POST"));
    put(&w, STR(":scheme"), conn->options.target.tls ? STR("https") : STR("http"));
    put(&w, STR(":path"), path);
    put(&w, STR(":authority"), authority);
    put(&w, STR("te"), STR("trailers"));
    if (request->deadline_ms > 0) {
        call->nv_timeout = call->nv_len;
        put(&w, STR("grpc-timeout"), STR(""));
    }
    put(&w, STR("content-type"), STR(CONTENT_TYPE));
    put(&w, STR("user-agent"), STR("grpc-c-pourover/" POUROVER_VERSION));
    if (request->gzip) {
        put(&w, STR("grpc-encoding"), STR("gzip"));
    }
    put(&w, STR("grpc-accept-encoding"), STR(OUR_ENCODINGS));
    for (size_t i = 0; i < request->metadata.len; i++) {
        const struct rpc_header *m = &request->metadata.item[i];
        if (rpc_metadata_is_bin(m->name)) {
            put_bin(&w, m->name, m->value);
        } else {
            put(&w, m->name, m->value);
        }
    }
}

static struct rpc_call *call_of(struct rpc_stream *s)
{
    return (struct rpc_call *) s;
}

static struct rpc_head on_head(struct rpc_stream *s)
{
    struct rpc_call *call = call_of(s);
    if (call->nv_timeout > 0) {
        uint64_t elapsed_ms = (clock_mono_us() - call->start_us) / 1000;
        uint64_t left_ms = call->deadline_ms > elapsed_ms ? call->deadline_ms - elapsed_ms : 1;
        rpc_timeout_text(left_ms, call->timeout);
        call->nv[call->nv_timeout].value = (uint8_t *) call->timeout;
        call->nv[call->nv_timeout].valuelen = strlen(call->timeout);
    }
    return (struct rpc_head){call->nv, call->nv_len, true};
}

static size_t on_peek(struct rpc_stream *s, size_t max, bool *ret_end)
{
    const struct rpc_call *call = call_of(s);
    size_t left = call->send.len - call->sent;
    *ret_end = call->send_closed && left <= max;
    return left < max ? left : max;
}

static void on_take(struct rpc_stream *s, size_t len, struct buf *out)
{
    struct rpc_call *call = call_of(s);
    buf_add(out, call->send.ptr + call->sent, len);
    call->sent += len;
    if (call->sent == call->send.len) {
        reset_buf(&call->send, SEND_MAX);
        call->sent = 0;
    } else if (call->sent >= KEEP_BYTES && call->sent >= call->send.len / 2) {
        /* Who sends without end shall not keep without end. */
        buf_drop_front(&call->send, call->sent);
        call->sent = 0;
    }
}

const struct rpc_stream_ops rpc_call_ops = {
    .head = on_head,
    .peek = on_peek,
    .take = on_take,
    .on_block_begin = rpc_reply_block_begin,
    .on_field = rpc_reply_field,
    .on_block_end = rpc_reply_block_end,
    .on_data = rpc_reply_data,
    .on_done = rpc_reply_done,
    .on_lost = rpc_reply_lost,
};

/* The end */

void rpc_call_enter(struct rpc_call *call)
{
    call->depth++;
}

bool rpc_call_leave(struct rpc_call *call)
{
    bool alive = !call->freed && !call->over;
    if (--call->depth == 0 && call->freed) {
        give_back(call);
    }
    return alive;
}

/* What is known when the result is decided. */
static void decide(struct rpc_call *call, enum rpc_origin origin, uint32_t code)
{
    struct rpc_result *r = &call->result;
    call->over = true;
    r->code = code;
    r->origin = origin;
    r->message = buf_str(&call->message);
    r->details = buf_str(&call->details);
    r->end_at_us = rpc_call_elapsed_us(call);
    r->sent_all = call->sent == call->send.len && rpc_stream_sent_all(&call->stream);
    rpc_stream_facts(&call->stream, &r->conn);
    rpc_due_clear(call->stream.conn, &call->due);
}

static void tell(struct rpc_call *call)
{
    call->ended = true;
    rpc_call_enter(call);
    if (call->events.on_end != NULL && !call->freed) {
        call->events.on_end(call, &call->result, call->ctx);
    }
    (void) rpc_call_leave(call);
}

void rpc_call_finish(struct rpc_call *call, enum rpc_origin origin, uint32_t code)
{
    if (!call->over) {
        decide(call, origin, code);
        tell(call);
    }
}

void rpc_call_fail(struct rpc_call *call, enum rpc_code code, const char *fmt, ...)
{
    char text[600];
    va_list args;
    if (call->over) {
        return;
    }
    va_start(args, fmt);
    (void) vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    buf_clear(&call->message);
    buf_add_cstr(&call->message, text);
    rpc_stream_drop(&call->stream, NGHTTP2_CANCEL);
    rpc_call_finish(call, RPC_FROM_CLIENT, code);
}

static struct rpc_call *call_of_due(struct rpc_due *due)
{
    return (struct rpc_call *) (void *) ((char *) due - offsetof(struct rpc_call, due));
}

bool rpc_call_is_late(const struct rpc_call *call)
{
    return call->deadline_ms > 0 && rpc_call_elapsed_us(call) / 1000 >= call->deadline_ms;
}

void rpc_call_expire(struct rpc_call *call, const char *what)
{
    const struct rpc_result *r = &call->result;
    char came[64] = "";
    if (r->messages > 0) {
        (void) snprintf(came, sizeof came, " after %llu message%s",
                        (unsigned long long) r->messages, r->messages == 1 ? "" : "s");
    } else if (call->has_headers) {
        (void) snprintf(came, sizeof came, " after the headers came");
    }
    rpc_call_fail(call, RPC_DEADLINE_EXCEEDED, "the deadline of %llu ms passed%s: %s",
                  (unsigned long long) call->deadline_ms, came, what);
}

static void deadline_passed(struct rpc_due *due)
{
    struct rpc_call *call = call_of_due(due);
    char stage[300];
    rpc_stream_stage(&call->stream, stage, sizeof stage);
    rpc_call_expire(call, stage);
}

static void tell_later(struct rpc_due *due)
{
    tell(call_of_due(due));
}

/* The calls of users */

struct rpc_call *rpc_call_start(struct rpc_conn *conn, const struct rpc_call_request *request,
                                const struct rpc_call_events *events, void *ctx)
{
    struct rpc_call *call = new_call(conn);
    call->stream.ops = &rpc_call_ops;
    call->events = *events;
    call->ctx = ctx;
    call->start_us = clock_mono_us();
    call->deadline_ms = request->deadline_ms;
    call->unary_reply = request->unary_reply;
    call->gzip = request->gzip;
    make_head(call, conn, request);
    rpc_conn_hold(conn);
    rpc_stream_start(conn, &call->stream);
    if (call->deadline_ms > 0) {
        rpc_due_set(conn, &call->due, call->deadline_ms, deadline_passed);
    }
    return call;
}

static void frame_message(struct rpc_call *call, struct str bytes, bool compressed)
{
    uint32_t len = (uint32_t) bytes.len;
    const uint8_t prefix[RPC_PREFIX] = {compressed ? 1 : 0, (uint8_t) (len >> 24),
                                        (uint8_t) (len >> 16), (uint8_t) (len >> 8), (uint8_t) len};
    buf_add(&call->send, prefix, sizeof prefix);
    buf_add_str(&call->send, bytes);
}

void rpc_call_send(struct rpc_call *call, struct str bytes, bool compress)
{
    if (call->over || call->send_closed) {
        return;
    }
    if (bytes.len > UINT32_MAX) {
        BUG("a message of %zu bytes: gRPC has 32 bits for the length", bytes.len);
    }
    if (compress && call->gzip) {
        struct buf packed;
        buf_init(&packed, UINT32_MAX);
        rpc_gzip(bytes, &packed);
        frame_message(call, packed.failed ? bytes : buf_str(&packed), !packed.failed);
        buf_done(&packed);
    } else {
        frame_message(call, bytes, false);
    }
    rpc_stream_wake(&call->stream);
}

void rpc_call_close_send(struct rpc_call *call)
{
    if (!call->over && !call->send_closed) {
        call->send_closed = true;
        rpc_stream_wake(&call->stream);
    }
}

void rpc_call_cancel(struct rpc_call *call)
{
    if (call->over) {
        return;
    }
    buf_clear(&call->message);
    buf_add_cstr(&call->message, "cancelled by this side");
    decide(call, RPC_FROM_CLIENT, RPC_CANCELLED);
    rpc_stream_drop(&call->stream, NGHTTP2_CANCEL);
    rpc_due_set(call->stream.conn, &call->due, 0, tell_later);
}

bool rpc_call_ended(const struct rpc_call *call)
{
    return call->ended;
}

void rpc_call_free(struct rpc_call *take_call)
{
    if (take_call == NULL || take_call->freed) {
        return;
    }
    if (!take_call->ended) {
        rpc_stream_drop(&take_call->stream, NGHTTP2_CANCEL);
        rpc_due_clear(take_call->stream.conn, &take_call->due);
        take_call->over = take_call->ended = true;
    }
    take_call->freed = true;
    if (take_call->depth == 0) {
        give_back(take_call);
    }
}
