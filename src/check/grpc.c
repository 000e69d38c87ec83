/*
 * The grpc dialogue: one call of grpc.health.v1.Health/Check in an HTTP/2 session of libnghttp2,
 * which works in memory only. The one message of each direction is coded by hand:
 *
 *     a frame      1 byte flag (0: not compressed), 4 bytes length, big endian, then the message
 *     the request  field 1, bytes: the service
 *     the answer   field 1, varint: 0 UNKNOWN, 1 SERVING, 2 NOT_SERVING, 3 SERVICE_UNKNOWN
 *
 * https://github.com/grpc/grpc/blob/master/doc/health-checking.md and PROTOCOL-HTTP2.md.
 *
 * Callbacks of libnghttp2 only note what they see and end the dialogue; none makes the library
 * fail. Whatever comes behind a verdict is ignored.
 */
#include <string.h>

#include "base/num.h"
#include "check/talk_int.h"

/*
 * More frames than any answer has. Each makes us send some 17 bytes at most (the answer to a ping),
 * so this bounds what a peer can make us send.
 */
#define FRAMES_MAX         200u

#define STREAM             1 /* the number of the one request's stream */

#define GRPC_OK            0
#define GRPC_NOT_FOUND     5
#define GRPC_UNIMPLEMENTED 12

enum serving { SERVING_UNKNOWN, SERVING, NOT_SERVING, SERVICE_UNKNOWN };

/* A varint at *at: at most 10 bytes, false when it does not end. */
static bool read_varint(const uint8_t *bytes, size_t len, size_t *at, uint64_t *ret)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 64 && *at < len; shift += 7) {
        uint8_t byte = bytes[(*at)++];
        value |= (uint64_t) (byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = value;
            return true;
        }
    }
    return false;
}

/* Moves *at behind a field's value; a varint's is read into *ret. */
static bool read_value(const uint8_t *bytes, size_t len, size_t *at, unsigned wire_type,
                       uint64_t *ret)
{
    uint64_t skip;

    switch (wire_type) {
    case 0:
        return read_varint(bytes, len, at, ret);
    case 1:
        skip = 8;
        break;
    case 2:
        if (!read_varint(bytes, len, at, &skip)) {
            return false;
        }
        break;
    case 5:
        skip = 4;
        break;
    default: /* groups are not used in this message's file */
        return false;
    }
    if (skip > len - *at) {
        return false;
    }
    *at += skip;
    return true;
}

/* HealthCheckResponse; unknown fields are skipped, of several statuses the last one counts. */
static bool read_response(const uint8_t *bytes, size_t len, uint64_t *ret_serving)
{
    uint64_t serving = SERVING_UNKNOWN, tag, value = 0;

    for (size_t at = 0; at < len;) {
        if (!read_varint(bytes, len, &at, &tag) ||
            !read_value(bytes, len, &at, (unsigned) (tag & 7), &value)) {
            return false;
        }
        if (tag == (1 << 3)) {
            serving = value;
        }
    }
    *ret_serving = serving;
    return true;
}

static void read_serving(struct check_talk *talk)
{
    const struct grpc_talk *grpc = &talk->grpc;
    size_t length = grpc->len - GRPC_PREFIX;
    uint64_t serving;

    if (!read_response(grpc->message + GRPC_PREFIX, length, &serving)) {
        talk_end(talk, CHECK_PROTOCOL, "the message of %zu bytes is no HealthCheckResponse",
                 length);
    } else if (serving == SERVING) {
        talk_end(talk, CHECK_OK, "SERVING");
    } else if (serving == SERVICE_UNKNOWN) {
        talk_end(talk, CHECK_SERVICE_UNKNOWN, "SERVICE_UNKNOWN");
    } else if (serving == NOT_SERVING) {
        talk_end(talk, CHECK_NOT_SERVING, "NOT_SERVING");
    } else if (serving == SERVING_UNKNOWN) {
        talk_end(talk, CHECK_NOT_SERVING, "UNKNOWN");
    } else {
        talk_end(talk, CHECK_NOT_SERVING, "serving status %llu", (unsigned long long) serving);
    }
}

static uint32_t message_length(const struct grpc_talk *grpc)
{
    const uint8_t *m = grpc->message;
    return (uint32_t) m[1] << 24 | (uint32_t) m[2] << 16 | (uint32_t) m[3] << 8 | m[4];
}

/* The stream ended as it should: what does it say? */
static void end_stream(struct check_talk *talk)
{
    const struct grpc_talk *grpc = &talk->grpc;

    if (!grpc->has_grpc_status) {
        talk_end(talk, CHECK_PROTOCOL, "the answer ended without a grpc-status");
        return;
    }
    if (grpc->grpc_status == GRPC_OK) {
        if (grpc->len < GRPC_PREFIX || grpc->len < GRPC_PREFIX + message_length(grpc)) {
            talk_end(talk, CHECK_PROTOCOL, "grpc-status 0 without a whole message");
            return;
        }
        read_serving(talk);
        return;
    }
    enum check_code code = grpc->grpc_status == GRPC_NOT_FOUND       ? CHECK_SERVICE_UNKNOWN
                           : grpc->grpc_status == GRPC_UNIMPLEMENTED ? CHECK_UNIMPLEMENTED
                                                                     : CHECK_GRPC_STATUS;
    talk_end(talk, code, "grpc-status %llu%s%s", (unsigned long long) grpc->grpc_status,
             grpc->shown_message[0] != '\0' ? ": " : "", grpc->shown_message);
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *user)
{
    struct check_talk *talk = user;

    (void) session;
    (void) hd;
    if (++talk->grpc.frames > FRAMES_MAX) {
        talk_end(talk, CHECK_PROTOCOL, "more than %u HTTP/2 frames", FRAMES_MAX);
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    struct check_talk *talk = user;
    struct grpc_talk *grpc = &talk->grpc;
    struct str key = {(const char *) name, name_len}, text = {(const char *) value, value_len};

    (void) session;
    (void) frame;
    (void) flags;
    if (talk_ended(talk) || talk_told(talk, key, text)) {
        return 0;
    }
    if (str_eq_cstr(key, ":status")) {
        grpc->http_status = 0;
        if (num_u64(text, 100, 999, &grpc->http_status) != 0) {
            talk_end(talk, CHECK_PROTOCOL, "a :status that is no number");
        }
    } else if (str_eq_cstr(key, "content-type")) {
        grpc->grpc_type = str_starts_with(text, STR("application/grpc"));
        talk_show(text, grpc->shown_type, sizeof(grpc->shown_type));
    } else if (str_eq_cstr(key, "grpc-status")) {
        char shown[32];
        grpc->has_grpc_status = true;
        if (num_u64(text, 0, UINT32_MAX, &grpc->grpc_status) != 0) {
            talk_end(talk, CHECK_PROTOCOL, "grpc-status is \"%s\"",
                     talk_show(text, shown, sizeof(shown)));
        }
    } else if (str_eq_cstr(key, "grpc-message")) {
        talk_show(text, grpc->shown_message, sizeof(grpc->shown_message));
    }
    return 0;
}

/* A block of headers is whole. */
static void end_headers(struct check_talk *talk)
{
    struct grpc_talk *grpc = &talk->grpc;

    if (grpc->final || grpc->http_status < 200) {
        return; /* trailers, or an interim answer */
    }
    grpc->final = true;
    if (grpc->http_status != 200) {
        talk_end(talk, CHECK_STATUS, "status %llu", (unsigned long long) grpc->http_status);
    } else if (!grpc->grpc_type) {
        talk_end(talk, CHECK_PROTOCOL, "the content type is \"%s\", not application/grpc",
                 grpc->shown_type);
    }
}

static int on_frame_recv(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct check_talk *talk = user;
    uint8_t type = frame->hd.type;

    (void) session;
    if (type == NGHTTP2_SETTINGS) {
        talk->grpc.settings_seen = true;
    } else if (type == NGHTTP2_HEADERS) {
        end_headers(talk);
    } else if (type == NGHTTP2_RST_STREAM) {
        talk_end(talk, CHECK_CLOSED, "the peer reset the stream: %s",
                 nghttp2_http2_strerror(frame->rst_stream.error_code));
    } else if (type == NGHTTP2_GOAWAY && frame->goaway.last_stream_id < STREAM) {
        talk_end(talk, CHECK_CLOSED, "the peer goes away: %s",
                 nghttp2_http2_strerror(frame->goaway.error_code));
    }
    if ((type == NGHTTP2_HEADERS || type == NGHTTP2_DATA) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        end_stream(talk);
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t len, void *user)
{
    struct check_talk *talk = user;
    struct grpc_talk *grpc = &talk->grpc;

    (void) session;
    (void) flags;
    (void) stream_id;
    for (size_t i = 0; i < len && !talk_ended(talk); i++) {
        if (grpc->len >= GRPC_PREFIX && grpc->len == GRPC_PREFIX + message_length(grpc)) {
            talk_end(talk, CHECK_PROTOCOL, "more than one message");
            break;
        }
        grpc->message[grpc->len++] = data[i];
        if (grpc->message[0] != 0) {
            talk_end(talk, CHECK_PROTOCOL, "the message is compressed, which was not offered");
        } else if (grpc->len == GRPC_PREFIX && message_length(grpc) > GRPC_MESSAGE_MAX) {
            talk_end(talk, CHECK_PROTOCOL, "a message of %u bytes, at most %u are taken",
                     message_length(grpc), GRPC_MESSAGE_MAX);
        }
    }
    return 0;
}

static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int lib_error,
                            void *user)
{
    (void) session;
    (void) frame;
    talk_end(user, CHECK_PROTOCOL, "HTTP/2: %s", nghttp2_strerror(lib_error));
    return 0;
}

/* Without a verdict it was we who ended the stream, as libnghttp2 did not like what came. */
static int on_stream_close(nghttp2_session *session, int32_t stream_id, uint32_t error_code,
                           void *user)
{
    (void) session;
    (void) stream_id;
    talk_end(user, CHECK_PROTOCOL, "HTTP/2: %s", nghttp2_http2_strerror(error_code));
    return 0;
}

static int on_error(nghttp2_session *session, int lib_error, const char *text, size_t len,
                    void *user)
{
    struct check_talk *talk = user;

    (void) session;
    (void) lib_error;
    talk_show((struct str){text, len}, talk->grpc.error, sizeof(talk->grpc.error));
    return 0;
}

static ssize_t read_request(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t room,
                            uint32_t *flags, nghttp2_data_source *source, void *user)
{
    struct grpc_talk *grpc = &((struct check_talk *) user)->grpc;
    size_t left = grpc->request_len - grpc->request_sent;
    size_t n = left < room ? left : room;

    (void) session;
    (void) stream_id;
    (void) source;
    memcpy(to, grpc->request + grpc->request_sent, n);
    grpc->request_sent += n;
    if (grpc->request_sent == grpc->request_len) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return (ssize_t) n;
}

/* A service has at most 255 bytes, so its length takes two bytes of varint at most. */
static void make_request(struct grpc_talk *grpc, struct str service)
{
    uint8_t *at = grpc->request + GRPC_PREFIX;

    if (service.len > 0) {
        *at++ = 1 << 3 | 2;
        if (service.len > 127) {
            *at++ = (uint8_t) (service.len & 127) | 128;
            *at++ = (uint8_t) (service.len >> 7);
        } else {
            *at++ = (uint8_t) service.len;
        }
        memcpy(at, service.ptr, service.len);
        at += service.len;
    }
    grpc->request_len = (size_t) (at - grpc->request);
    size_t length = grpc->request_len - GRPC_PREFIX;
    grpc->request[3] = (uint8_t) (length >> 8);
    grpc->request[4] = (uint8_t) length;
}

static nghttp2_nv header(struct str name, struct str value)
{
    return (nghttp2_nv){(uint8_t *) (uintptr_t) name.ptr, (uint8_t *) (uintptr_t) value.ptr,
                        name.len, value.len, NGHTTP2_NV_FLAG_NONE};
}

static int submit(struct check_talk *talk)
{
    struct grpc_talk *grpc = &talk->grpc;
    const nghttp2_settings_entry settings[] = {
        /* A peer is not to make us keep a table for the one answer that we want. */
        {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 0},
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
    };
    const nghttp2_nv headers[] = {
        header(STR(":method"), STR("POST")),
        header(STR(":scheme"), talk->plan->tls ? STR("https") : STR("http")),
        header(STR(":path"), STR("/grpc.health.v1.Health/Check")),
        header(STR(":authority"), talk->plan->host),
        header(STR("te"), STR("trailers")),
        header(STR("content-type"), STR("application/grpc")),
        header(STR("user-agent"), STR("pourover-check")),
    };
    const nghttp2_data_provider body = {.read_callback = read_request};

    int rc = nghttp2_submit_settings(grpc->session, NGHTTP2_FLAG_NONE, settings,
                                     sizeof(settings) / sizeof(settings[0]));
    if (rc != 0) {
        return rc;
    }
    return nghttp2_submit_request(grpc->session, NULL, headers,
                                  sizeof(headers) / sizeof(headers[0]), &body, NULL) < 0
               ? -1
               : 0;
}

/* Takes what the session wants to send. */
static void collect_output(struct check_talk *talk)
{
    const uint8_t *bytes;
    ssize_t n;

    while ((n = nghttp2_session_mem_send(talk->grpc.session, &bytes)) > 0) {
        if ((size_t) n > sizeof(talk->out) - talk->out_len) {
            talk_end(talk, CHECK_PROTOCOL, "the peer asks for too many answers");
            return;
        }
        memcpy(talk->out + talk->out_len, bytes, (size_t) n);
        talk->out_len += (size_t) n;
    }
    if (n < 0) {
        talk_end(talk, CHECK_INTERNAL, "HTTP/2: %s", nghttp2_strerror((int) n));
    }
}

void grpc_talk_start(struct check_talk *talk)
{
    struct grpc_talk *grpc = &talk->grpc;
    nghttp2_session_callbacks *callbacks = NULL;

    make_request(grpc, talk->plan->service);

    if (nghttp2_session_callbacks_new(&callbacks) == 0) {
        nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(callbacks, on_invalid_frame);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
        nghttp2_session_callbacks_set_error_callback2(callbacks, on_error);
        (void) nghttp2_session_client_new(&grpc->session, callbacks, talk);
        nghttp2_session_callbacks_del(callbacks);
    }
    if (grpc->session == NULL || submit(talk) != 0) {
        talk_end(talk, CHECK_INTERNAL, "HTTP/2: out of memory");
        return;
    }
    collect_output(talk);
}

void grpc_talk_done(struct check_talk *talk)
{
    nghttp2_session_del(talk->grpc.session);
}

static void broke_http2(struct check_talk *talk, const char *how)
{
    if (talk->grpc.settings_seen) {
        talk_end(talk, CHECK_PROTOCOL, "HTTP/2: %s", how);
    } else {
        talk_end(talk, CHECK_PROTOCOL, "the answer is no HTTP/2");
    }
}

/*
 * Bytes of one frame at most: what the session answers to one is taken before it sees the next, or
 * the cut of the bytes would matter.
 */
static void give(struct check_talk *talk, const void *bytes, size_t n)
{
    ssize_t taken = nghttp2_session_mem_recv(talk->grpc.session, bytes, n);

    if (taken == NGHTTP2_ERR_NOMEM) {
        talk_end(talk, CHECK_INTERNAL, "HTTP/2: out of memory");
    } else if (taken < 0) {
        broke_http2(talk, nghttp2_strerror((int) taken));
    }
    if (talk_ended(talk)) {
        return;
    }
    collect_output(talk);
    if (nghttp2_session_want_read(talk->grpc.session) == 0) {
        broke_http2(talk, talk->grpc.error);
    }
}

/* libnghttp2 counts a CONTINUATION frame anew with each piece of its head, so it gets heads whole.
 */
static void give_piece(struct check_talk *talk, struct str *bytes)
{
    struct grpc_talk *grpc = &talk->grpc;
    size_t n = 1;

    if (grpc->payload_left > 0) {
        n = bytes->len < grpc->payload_left ? bytes->len : grpc->payload_left;
        grpc->payload_left -= n;
        give(talk, bytes->ptr, n);
    } else {
        grpc->head[grpc->head_len++] = (uint8_t) *bytes->ptr;
        if (grpc->head_len == sizeof(grpc->head)) {
            grpc->head_len = 0;
            grpc->payload_left =
                (size_t) grpc->head[0] << 16 | (size_t) grpc->head[1] << 8 | grpc->head[2];
            give(talk, grpc->head, sizeof(grpc->head));
        }
    }
    bytes->ptr += n;
    bytes->len -= n;
}

void grpc_talk_received(struct check_talk *talk, struct str bytes)
{
    while (bytes.len > 0 && !talk_ended(talk)) {
        give_piece(talk, &bytes);
    }
}

void grpc_talk_closed(struct check_talk *talk)
{
    talk_end(talk, CHECK_CLOSED, "closed %s",
             talk->grpc.final ? "within the answer" : "before an answer");
}
