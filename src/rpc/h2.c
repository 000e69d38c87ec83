/*
 * HTTP/2 on a link (libnghttp2, which works in memory only): streams, windows, settings, GOAWAY.
 *
 * Requests wait for the server's SETTINGS, so that MAX_CONCURRENT_STREAMS holds for the first one
 * too, and so that a server that speaks no HTTP/2 is told apart from one that does.  How many run
 * at once is counted here (link->active), and libnghttp2 never queues a request.
 *
 * Window updates are given by the library when bytes come in: they are handed on at once, and what
 * a call keeps of them is bounded by its limit on messages.
 */
#include "base/mem.h"
#include "rpc/conn_int.h"

#include <stdio.h>
#include <string.h>

#define FRAME_HEAD    9   /* RFC 9113 section 4.1 */
#define TYPE_SETTINGS 4   /* its type, the fourth byte */
#define DEBUG_MAX     120 /* of a GOAWAY's text in messages */

struct h2 {
    nghttp2_session *session;
    bool greeted; /* the first bytes were looked at */
    bool broken;  /* this side found a breach and says GOAWAY */
    uint32_t broken_error;
    char broken_text[200]; /* what libnghttp2 said last */
    char goaway_text[DEBUG_MAX + 1];
};

static void note(struct h2 *h2, const char *text)
{
    (void) snprintf(h2->broken_text, sizeof h2->broken_text, "%s", text);
}

/* "PROTOCOL_ERROR" or "error 153 (0x99)". */
static const char *error_text(uint32_t error, char out[32])
{
    const char *name = rpc_h2_error_name(error);
    if (name != NULL) {
        return name;
    }
    (void) snprintf(out, 32, "error %u (0x%x)", error, error);
    return out;
}

/* What the error of this side is about when libnghttp2 said nothing more. */
static const char *breach_text(const struct h2 *h2, uint32_t error)
{
    if (h2->broken_text[0] != '\0') {
        return h2->broken_text;
    }
    switch (error) {
    case NGHTTP2_COMPRESSION_ERROR:
        return "a block of headers cannot be decoded (HPACK)";
    case NGHTTP2_FRAME_SIZE_ERROR:
        return "a frame has a length that its type does not have";
    default:
        return "the order of frames or the length of a body is wrong";
    }
}

/* NULL when it was given up, and for all of a link that was lost within a callback. */
static struct rpc_stream *stream_of(const struct rpc_link *link, int32_t id)
{
    const struct h2 *h2 = link->session;
    return id > 0 && link->state != RPC_LINK_LOST
               ? nghttp2_session_get_stream_user_data(h2->session, id)
               : NULL;
}

/* Ends a stream that this side found wrong. */
__attribute__((format(printf, 4, 5))) static void
fail_stream(struct rpc_link *link, struct rpc_stream *s, enum rpc_code code, const char *fmt, ...)
{
    struct h2 *h2 = link->session;
    struct rpc_loss loss = {.origin = RPC_FROM_CLIENT, .code = code};
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(loss.msg, sizeof loss.msg, fmt, args);
    va_end(args);
    (void) nghttp2_session_set_stream_user_data(h2->session, s->id, NULL);
    (void) nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, s->id, NGHTTP2_PROTOCOL_ERROR);
    rpc_stream_lost(s, &loss);
}

/* Receiving */

static bool ends(const nghttp2_frame *frame)
{
    return (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct rpc_link *link = user_data;
    struct rpc_stream *s = stream_of(link, frame->hd.stream_id);
    (void) session;
    if (s != NULL) {
        s->ops->on_block_begin(s, ends(frame));
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user_data)
{
    struct rpc_link *link = user_data;
    struct rpc_stream *s = stream_of(link, frame->hd.stream_id);
    (void) session;
    (void) flags;
    if (s != NULL) {
        s->ops->on_field(s, (struct str){(const char *) name, name_len},
                         (struct str){(const char *) value, value_len});
    }
    return 0;
}

static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame,
                             const uint8_t *name, size_t name_len, const uint8_t *value,
                             size_t value_len, uint8_t flags, void *user_data)
{
    struct rpc_link *link = user_data;
    struct rpc_stream *s = stream_of(link, frame->hd.stream_id);
    char text[96];
    struct buf b;
    (void) session;
    (void) value;
    (void) value_len;
    (void) flags;
    if (s == NULL) {
        return 0;
    }
    buf_init_fixed(&b, text, sizeof text);
    for (size_t i = 0; i < name_len && i < 60; i++) {
        char c = (char) name[i];
        buf_add(&b, c >= ' ' && c <= '~' ? &c : "?", 1);
    }
    fail_stream(link, s, RPC_INTERNAL,
                "the answer has a header that HTTP/2 forbids: \"%s\" (name or value)", text);
    return 0;
}

static void on_settings(struct rpc_link *link, nghttp2_session *session)
{
    link->max_streams =
        nghttp2_session_get_remote_settings(session, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    rpc_link_ready(link);
}

static void on_goaway(struct rpc_link *link, const nghttp2_goaway *goaway)
{
    struct h2 *h2 = link->session;
    struct buf b;
    link->facts.goaway = true;
    link->facts.goaway_error = goaway->error_code;
    buf_init_fixed(&b, h2->goaway_text, sizeof h2->goaway_text);
    for (size_t i = 0; i < goaway->opaque_data_len && i < DEBUG_MAX - 1; i++) {
        char c = (char) goaway->opaque_data[i];
        buf_add(&b, c >= ' ' && c <= '~' ? &c : "?", 1);
    }
    rpc_link_drain(link);
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct rpc_link *link = user_data;
    struct rpc_stream *s = stream_of(link, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_SETTINGS) {
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) == 0) {
            on_settings(link, session);
        }
    } else if (frame->hd.type == NGHTTP2_GOAWAY) {
        on_goaway(link, &frame->goaway);
    } else if (s == NULL) {
        return 0;
    } else if (frame->hd.type == NGHTTP2_RST_STREAM) {
        s->rst = true;
    } else if (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) {
        if (frame->hd.type == NGHTTP2_HEADERS) {
            s->ops->on_block_end(s, ends(frame));
        }
        /* The callback may have given the stream up. */
        if (ends(frame) && stream_of(link, frame->hd.stream_id) == s) {
            (void) nghttp2_session_set_stream_user_data(session, s->id, NULL);
            if (!s->request_done) {
                (void) nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, s->id,
                                                 NGHTTP2_NO_ERROR);
            }
            rpc_stream_done(s);
        }
    }
    return 0;
}

static int on_data_chunk(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *data,
                         size_t len, void *user_data)
{
    struct rpc_link *link = user_data;
    struct rpc_stream *s = stream_of(link, id);
    (void) session;
    (void) flags;
    if (s != NULL && len > 0) {
        s->ops->on_data(s, (struct str){(const char *) data, len});
    }
    return 0;
}

static void describe_close(const struct rpc_link *link, const struct rpc_stream *s, uint32_t error,
                           struct rpc_loss *loss)
{
    const struct h2 *h2 = link->session;
    const char *where = link->conn->where;
    char room[32];
    if (s->rst) {
        *loss = (struct rpc_loss){.origin = RPC_FROM_HTTP,
                                  .code = rpc_code_of_h2(error),
                                  .rst = true,
                                  .rst_error = error};
        (void) snprintf(loss->msg, sizeof loss->msg, "%s reset the stream: %s", where,
                        error_text(error, room));
    } else if (link->facts.goaway && error == NGHTTP2_REFUSED_STREAM) {
        *loss = (struct rpc_loss){.origin = RPC_FROM_HTTP, .code = RPC_UNAVAILABLE, .goaway = true};
        (void) snprintf(loss->msg, sizeof loss->msg,
                        "%s said GOAWAY (%s%s%s) and did not take the request", where,
                        error_text(link->facts.goaway_error, room),
                        h2->goaway_text[0] != '\0' ? ": " : "", h2->goaway_text);
    } else {
        *loss = (struct rpc_loss){.origin = RPC_FROM_CLIENT, .code = RPC_INTERNAL};
        (void) snprintf(loss->msg, sizeof loss->msg, "%s breached HTTP/2: %s: %s", where,
                        error_text(error, room), breach_text(h2, error));
    }
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t error, void *user_data)
{
    struct rpc_link *link = user_data;
    struct rpc_stream *s = stream_of(link, id);
    link->active--;
    if (s != NULL) {
        struct rpc_loss loss;
        describe_close(link, s, error, &loss);
        (void) nghttp2_session_set_stream_user_data(session, id, NULL);
        rpc_stream_lost(s, &loss);
    }
    return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int lib_error,
                            void *user_data)
{
    static const char *const types[] = {"DATA",          "HEADERS",      "PRIORITY", "RST_STREAM",
                                        "SETTINGS",      "PUSH_PROMISE", "PING",     "GOAWAY",
                                        "WINDOW_UPDATE", "CONTINUATION"};
    struct rpc_link *link = user_data;
    struct h2 *h2 = link->session;
    size_t type = frame->hd.type;
    (void) session;
    if (h2->broken_text[0] == '\0') {
        (void) snprintf(h2->broken_text, sizeof h2->broken_text, "%s in a frame of type %s",
                        nghttp2_strerror(lib_error),
                        type < sizeof types / sizeof types[0] ? types[type] : "unknown");
    }
    return 0;
}

static int on_error(nghttp2_session *session, int lib_error, const char *msg, size_t len,
                    void *user_data)
{
    struct rpc_link *link = user_data;
    (void) session;
    (void) lib_error;
    (void) len;
    note(link->session, msg);
    return 0;
}

/* Sending */

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *room, size_t max,
                         uint32_t *data_flags, nghttp2_data_source *source, void *user_data)
{
    struct rpc_link *link = user_data;
    struct rpc_stream *s = stream_of(link, id);
    bool end = false;
    (void) session;
    (void) room;
    (void) source;
    if (s == NULL) {
        /* Given up; RST_STREAM stands behind in the queue. */
        return NGHTTP2_ERR_DEFERRED;
    }
    size_t len = s->ops->peek(s, max, &end);
    if (len == 0 && !end) {
        s->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *data_flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (end) {
        *data_flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t) len;
}

static int send_body(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head,
                     size_t len, nghttp2_data_source *source, void *user_data)
{
    struct rpc_link *link = user_data;
    struct rpc_stream *s = stream_of(link, frame->hd.stream_id);
    struct buf *out = rpc_link_out(link);
    (void) session;
    (void) source;
    if (s == NULL) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (out->len >= RPC_OUT_HIGH) {
        return NGHTTP2_ERR_WOULDBLOCK;
    }
    buf_add(out, head, FRAME_HEAD);
    s->ops->take(s, len, out);
    link->queued += len;
    s->sent_mark = link->queued;
    s->request_done = ends(frame);
    return 0;
}

static int on_frame_send(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
    struct rpc_link *link = user_data;
    struct h2 *h2 = link->session;
    (void) session;
    if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR) {
        h2->broken = true;
        h2->broken_error = frame->goaway.error_code;
        if (h2->broken_text[0] == '\0' && frame->goaway.opaque_data_len > 0) {
            struct buf b;
            buf_init_fixed(&b, h2->broken_text, sizeof h2->broken_text);
            buf_add(&b, frame->goaway.opaque_data, frame->goaway.opaque_data_len);
        }
    }
    return 0;
}

/* A request that could not be sent: it was given up before, or the server said GOAWAY. */
static int on_frame_not_send(nghttp2_session *session, const nghttp2_frame *frame, int lib_error,
                             void *user_data)
{
    struct rpc_link *link = user_data;
    (void) session;
    if (frame->hd.type != NGHTTP2_HEADERS) {
        return 0;
    }
    struct rpc_stream *s = stream_of(link, frame->hd.stream_id);
    link->active--;
    if (s != NULL) {
        struct rpc_loss loss = {
            .origin = RPC_FROM_HTTP, .code = RPC_UNAVAILABLE, .goaway = link->facts.goaway};
        (void) snprintf(loss.msg, sizeof loss.msg, "%s took no request%s: %s", link->conn->where,
                        link->facts.goaway ? " after GOAWAY" : "", nghttp2_strerror(lib_error));
        rpc_stream_lost(s, &loss);
    }
    return 0;
}

/* The protocol */

static nghttp2_session *new_session(struct rpc_link *link)
{
    const struct rpc_conn_options *o = &link->conn->options;
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    nghttp2_session *session;
    if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0) {
        BUG("out of memory");
    }
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback(callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data_chunk);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
    nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
    nghttp2_session_callbacks_set_error_callback2(callbacks, on_error);
    nghttp2_session_callbacks_set_send_data_callback(callbacks, send_body);
    nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, on_frame_not_send);
    nghttp2_option_set_no_closed_streams(option, 1);
    /* Servers end a grpc-message with a blank, which gRPC does not encode. */
    nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(option, 1);
    /* Frames of 16 KiB: as many as the limit on headers can fill. */
    nghttp2_option_set_max_continuations(option, o->max_header_bytes / 16384 + 8);
    if (nghttp2_session_client_new2(&session, callbacks, link, option) != 0) {
        BUG("out of memory");
    }
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    return session;
}

static void h2_open(struct rpc_link *link)
{
    const struct rpc_conn_options *o = &link->conn->options;
    struct h2 *h2 = mem_zalloc(sizeof *h2);
    uint32_t header_max =
        o->max_header_bytes < UINT32_MAX ? (uint32_t) o->max_header_bytes : UINT32_MAX;
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, o->window_bytes},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, header_max},
    };
    link->session = h2;
    h2->session = new_session(link);
    (void) nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
                                   sizeof settings / sizeof settings[0]);
    (void) nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
                                                 (int32_t) o->window_bytes);
}

static void h2_submit(struct rpc_link *link, struct rpc_stream *s)
{
    struct h2 *h2 = link->session;
    struct rpc_head head = s->ops->head(s);
    const nghttp2_data_provider body = {.source = {.ptr = NULL}, .read_callback = read_body};
    int32_t id =
        nghttp2_submit_request(h2->session, NULL, head.nv, head.len, head.body ? &body : NULL, s);
    s->request_done = !head.body;
    if (id < 0) {
        struct rpc_loss loss = {.origin = RPC_FROM_CLIENT, .code = RPC_UNAVAILABLE};
        (void) snprintf(loss.msg, sizeof loss.msg, "the request cannot be sent: %s",
                        nghttp2_strerror(id));
        rpc_stream_lost(s, &loss);
        rpc_link_drain(link); /* the numbers of its streams are used up */
        return;
    }
    s->id = id;
    link->active++;
}

static void h2_wake(struct rpc_link *link, struct rpc_stream *s)
{
    struct h2 *h2 = link->session;
    if (s->deferred) {
        s->deferred = false;
        (void) nghttp2_session_resume_data(h2->session, s->id);
    }
}

static void h2_drop(struct rpc_link *link, struct rpc_stream *s, uint32_t h2_error)
{
    struct h2 *h2 = link->session;
    (void) nghttp2_session_set_stream_user_data(h2->session, s->id, NULL);
    (void) nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, s->id, h2_error);
}

/* The first bytes are no HTTP/2: says what they are. */
static void lost_otherwise(struct rpc_link *link, struct str bytes)
{
    const struct rpc_conn *conn = link->conn;
    bool plain = link->secure == NULL;
    bool h1 = str_starts_with(bytes, STR("HTTP/1."));
    char hint[400], text[300];
    rpc_conn_hint(conn, true, hint, sizeof hint);
    rpc_text_shown((struct str){bytes.ptr, bytes.len < 64 ? bytes.len : 64}, text, sizeof text);
    if (plain && bytes.len >= 3 && (bytes.ptr[0] == 0x15 || bytes.ptr[0] == 0x16) &&
        bytes.ptr[1] == 3) {
        rpc_link_lostf(link, RPC_FROM_CONNECT, RPC_UNAVAILABLE, "%s answered with TLS: write %s",
                       conn->where, hint);
    } else if (plain && h1 && memmem(bytes.ptr, bytes.len, "HTTPS", 5) != NULL) {
        /* Pages of Go's server and others. */
        rpc_link_lostf(link, RPC_FROM_CONNECT, RPC_UNAVAILABLE, "%s wants TLS: write %s",
                       conn->where, hint);
    } else if (h1) {
        /* nginx answers so on a port of TLS, too, and does not say why. */
        rpc_link_lostf(link, RPC_FROM_CONNECT, RPC_UNAVAILABLE,
                       "%s speaks HTTP/1 here, and gRPC needs HTTP/2: it answered %s%s%s",
                       conn->where, text, plain ? "; if it wants TLS, write " : "",
                       plain ? hint : "");
    } else {
        rpc_link_lostf(link, RPC_FROM_CONNECT, RPC_UNAVAILABLE,
                       "%s speaks no HTTP/2: it answered %s", conn->where, text);
    }
}

/* Do the first bytes look like what they have to be, a SETTINGS frame of stream 0? */
static bool greets(struct rpc_link *link, struct str bytes)
{
    static const char rest[5] = {0, 0, 0, 0}; /* flags and stream behind the type */
    size_t n = bytes.len < FRAME_HEAD ? bytes.len : FRAME_HEAD;
    if ((n > 3 && bytes.ptr[3] != TYPE_SETTINGS) ||
        (n > 4 && memcmp(bytes.ptr + 4, rest, n - 4) != 0) || (n > 0 && bytes.ptr[0] != 0)) {
        lost_otherwise(link, bytes);
        return false;
    }
    return true;
}

static void h2_receive(struct rpc_link *link, struct str bytes)
{
    struct h2 *h2 = link->session;
    if (!h2->greeted && !greets(link, bytes)) {
        return;
    }
    h2->greeted = true;
    if (!h2->broken) {
        h2->broken_text[0] = '\0'; /* words of earlier bytes are about something else */
    }
    ssize_t n = nghttp2_session_mem_recv(h2->session, (const uint8_t *) bytes.ptr, bytes.len);
    if (n < 0 && link->state != RPC_LINK_LOST) {
        if (h2->broken_text[0] == '\0') {
            note(h2, nghttp2_strerror((int) n));
        }
        h2->broken = true;
        h2->broken_error = NGHTTP2_PROTOCOL_ERROR;
    }
}

static void h2_eof(struct rpc_link *link)
{
    const struct h2 *h2 = link->session;
    char room[32];
    if (link->facts.goaway) {
        rpc_link_lostf(link, RPC_FROM_HTTP, RPC_UNAVAILABLE,
                       "%s closed the connection after GOAWAY (%s%s%s)", link->conn->where,
                       error_text(link->facts.goaway_error, room),
                       h2->goaway_text[0] != '\0' ? ": " : "", h2->goaway_text);
    }
}

static void h2_pull(struct rpc_link *link)
{
    struct h2 *h2 = link->session;
    struct buf *out = rpc_link_out(link);
    while (out->len < RPC_OUT_HIGH) {
        const uint8_t *data;
        ssize_t n = nghttp2_session_mem_send(h2->session, &data);
        if (n <= 0) {
            h2->broken = h2->broken || n < 0;
            break;
        }
        buf_add(out, data, (size_t) n);
    }
}

static void h2_flushed(struct rpc_link *link)
{
    struct h2 *h2 = link->session;
    char room[32];
    if (h2->broken) {
        bool greeting = link->state == RPC_LINK_GREETING;
        rpc_link_lostf(link, greeting ? RPC_FROM_CONNECT : RPC_FROM_CLIENT,
                       greeting ? RPC_UNAVAILABLE : RPC_INTERNAL, "%s breached HTTP/2: %s: %s",
                       link->conn->where, error_text(h2->broken_error, room),
                       breach_text(h2, h2->broken_error));
    }
}

static void h2_goodbye(struct rpc_link *link)
{
    struct h2 *h2 = link->session;
    if (link->conn->busy <= 1) { /* else libnghttp2 may be at work up the stack */
        (void) nghttp2_session_terminate_session(h2->session, NGHTTP2_NO_ERROR);
        h2_pull(link);
    }
}

static void h2_free(struct rpc_link *link)
{
    struct h2 *h2 = link->session;
    if (h2 != NULL) {
        nghttp2_session_del(h2->session);
        mem_free(h2);
        link->session = NULL;
    }
}

const struct rpc_proto rpc_proto_h2 = {
    .name = "h2",
    .open = h2_open,
    .submit = h2_submit,
    .wake = h2_wake,
    .drop = h2_drop,
    .receive = h2_receive,
    .eof = h2_eof,
    .pull = h2_pull,
    .flushed = h2_flushed,
    .goodbye = h2_goodbye,
    .free = h2_free,
};
