/*
 * The answer of a gRPC call: fields, messages, status (PROTOCOL-HTTP2 and http-grpc-status-mapping
 * of gRPC's documentation).
 *
 * Whatever the server says about the end of the call counts first.  When it says OK, but what it
 * sent is no complete answer, the status is INTERNAL and the words tell both.
 */
#include "base/num.h"
#include "rpc/call_int.h"
#include "rpc/gzip.h"
#include "rpc/percent.h"

#include <stdio.h>
#include <string.h>

#define FIELD_EXTRA 32 /* RFC 9113 section 6.5.2: MAX_HEADER_LIST_SIZE */
#define VALUE_SHOWN 80 /* of a header's value, in messages */

static struct rpc_call *call_of(struct rpc_stream *s)
{
    return (struct rpc_call *) s;
}

/* Blocks of fields */

void rpc_reply_block_begin(struct rpc_stream *s, bool last)
{
    struct rpc_call *call = call_of(s);
    (void) last;
    call->block = call->has_headers ? &call->trailers : &call->headers;
    call->block_bytes = 0;
    call->block_status = 0;
    rpc_fields_clear(call->block);
}

void rpc_reply_field(struct rpc_stream *s, struct str name, struct str value)
{
    struct rpc_call *call = call_of(s);
    struct err err = {.msg = ""};
    size_t max = call->stream.conn->options.max_header_bytes;
    if (call->over || call->block == NULL) {
        return;
    }
    call->block_bytes += name.len + value.len + FIELD_EXTRA;
    if (call->block_bytes > max) {
        rpc_call_fail(call, RPC_RESOURCE_EXHAUSTED, "the %s are larger than the limit of %zu bytes",
                      call->has_headers ? "trailers" : "headers", max);
        return;
    }
    if (name.len > 0 && name.ptr[0] == ':') {
        uint64_t status = 0;
        if (str_eq(name, STR(":status")) && num_u64(value, 0, 999, &status) == 0) {
            call->block_status = (unsigned) status;
        }
        return;
    }
    if (rpc_fields_add(call->block, name, value, &err) < 0 && !call->broken_bin &&
        !str_eq(name, STR("grpc-status-details-bin"))) {
        call->broken_bin = true;
        (void) snprintf(call->problem, sizeof call->problem, "\"%.*s\" is no base64: %.300s",
                        (int) (name.len < 64 ? name.len : 64), name.ptr, err.msg);
    }
}

static struct str value_of(struct rpc_headers headers, const char *name)
{
    const struct rpc_header *header = rpc_headers_find(headers, name);
    return header != NULL ? header->value : (struct str){"", 0};
}

/* "application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8" */
static bool is_grpc_type(struct str type)
{
    const struct str grpc = STR("application/grpc");
    struct str head = {type.ptr, type.len < grpc.len ? type.len : grpc.len};
    return str_eq_nocase(head, grpc) && (type.len == grpc.len || type.ptr[grpc.len] == '+' ||
                                         type.ptr[grpc.len] == ';' || type.ptr[grpc.len] == ' ');
}

static enum rpc_encoding encoding_of(struct str name)
{
    if (name.len == 0 || str_eq_nocase(name, STR("identity"))) {
        return RPC_IDENTITY;
    }
    if (str_eq_nocase(name, STR("gzip"))) {
        return RPC_ENCODING_GZIP;
    }
    return str_eq_nocase(name, STR("deflate")) ? RPC_ENCODING_DEFLATE : RPC_ENCODING_OTHER;
}

static void first_block(struct rpc_call *call, bool last)
{
    struct rpc_result *r = &call->result;
    struct rpc_headers headers = rpc_fields_view(&call->headers);
    call->has_headers = true;
    r->http_status = call->block_status;
    r->headers_at_us = rpc_call_elapsed_us(call);
    r->content_type = value_of(headers, "content-type");
    r->encoding = value_of(headers, "grpc-encoding");
    call->encoding = encoding_of(r->encoding);
    call->page =
        r->http_status != 200 || (r->content_type.len > 0 && !is_grpc_type(r->content_type));
    if (last) {
        r->trailers_only = true;
        r->trailers = headers;
        return;
    }
    r->headers = headers;
    if (call->events.on_headers != NULL) {
        rpc_call_enter(call);
        call->events.on_headers(call, headers, call->ctx);
        (void) rpc_call_leave(call);
    }
}

void rpc_reply_block_end(struct rpc_stream *s, bool last)
{
    struct rpc_call *call = call_of(s);
    if (call->over || call->block == NULL) {
        return;
    }
    if (!call->has_headers) {
        if (call->block_status >= 200 || call->block_status == 0) {
            first_block(call, last);
        }
        return; /* 1xx: another block of headers will come */
    }
    call->has_trailers = true;
    call->result.trailers = rpc_fields_view(&call->trailers);
}

/* Messages */

/* The bytes of a compressed message; false: the call has failed. */
static bool uncompress(struct rpc_call *call, struct str *bytes)
{
    const struct rpc_result *r = &call->result;
    struct err err = {.msg = ""};
    if (call->encoding == RPC_IDENTITY) {
        rpc_call_fail(call, RPC_INTERNAL, "message %llu is compressed, but grpc-encoding is %s",
                      (unsigned long long) r->messages + 1,
                      r->encoding.len > 0 ? "identity" : "missing");
        return false;
    }
    if (call->encoding == RPC_ENCODING_OTHER) {
        rpc_call_fail(call, RPC_UNIMPLEMENTED,
                      "message %llu is compressed with \"%.*s\" (grpc-encoding), but the request "
                      "said grpc-accept-encoding: identity, deflate, gzip",
                      (unsigned long long) r->messages + 1,
                      (int) (r->encoding.len < VALUE_SHOWN ? r->encoding.len : VALUE_SHOWN),
                      r->encoding.ptr);
        return false;
    }
    buf_clear(&call->plain);
    int rc = rpc_inflate(*bytes, call->encoding == RPC_ENCODING_GZIP ? RPC_GZIP : RPC_DEFLATE,
                         &call->plain, &err);
    if (rc == ERR_FULL) {
        rpc_call_fail(call, RPC_RESOURCE_EXHAUSTED,
                      "message %llu has %zu bytes compressed, and uncompressed more than the limit "
                      "of %zu bytes",
                      (unsigned long long) r->messages + 1, bytes->len, call->plain.max);
    } else if (rc < 0) {
        rpc_call_fail(call, RPC_INTERNAL, "message %llu: %s", (unsigned long long) r->messages + 1,
                      err.msg);
    }
    *bytes = buf_str(&call->plain);
    return rc == 0;
}

/* False: the call is over (or gone). */
static bool deliver(struct rpc_call *call, struct str bytes)
{
    struct rpc_result *r = &call->result;
    struct rpc_message message = {
        .compressed = call->prefix[0] == 1,
        .wire_bytes = bytes.len,
        .at_us = rpc_call_elapsed_us(call),
    };
    call->prefix_len = 0;
    if (message.compressed && !uncompress(call, &bytes)) {
        return false;
    }
    message.bytes = bytes;
    r->messages++;
    if (r->first_message_at_us == 0) {
        r->first_message_at_us = message.at_us;
    }
    rpc_call_enter(call);
    if (call->events.on_message != NULL) {
        call->events.on_message(call, &message, call->ctx);
    }
    return rpc_call_leave(call);
}

static bool prefix_is_fine(struct rpc_call *call)
{
    const uint8_t *p = call->prefix;
    size_t max = call->body.max;
    call->need = (size_t) p[1] << 24 | (size_t) p[2] << 16 | (size_t) p[3] << 8 | p[4];
    unsigned long long number = (unsigned long long) call->result.messages + 1;
    if (p[0] > 1) {
        rpc_call_fail(call, RPC_INTERNAL,
                      "message %llu begins with the flag %u; 0 and 1 (compressed) are known",
                      number, p[0]);
        return false;
    }
    if (call->need > max) {
        rpc_call_fail(call, RPC_RESOURCE_EXHAUSTED,
                      "message %llu has %zu bytes, above the limit of %zu bytes", number,
                      call->need, max);
        return false;
    }
    buf_clear(&call->body);
    return true;
}

/* Takes some of the bytes; false: the call is over (or gone). */
static bool take_some(struct rpc_call *call, struct str *bytes)
{
    if (call->prefix_len < RPC_PREFIX) {
        size_t n = RPC_PREFIX - call->prefix_len;
        n = n < bytes->len ? n : bytes->len;
        memcpy(call->prefix + call->prefix_len, bytes->ptr, n);
        call->prefix_len += n;
        *bytes = (struct str){bytes->ptr + n, bytes->len - n};
        if (call->prefix_len < RPC_PREFIX) {
            return true;
        }
        if (!prefix_is_fine(call)) {
            return false;
        }
    }
    size_t missing = call->need - call->body.len;
    struct str part = {bytes->ptr, bytes->len < missing ? bytes->len : missing};
    *bytes = (struct str){bytes->ptr + part.len, bytes->len - part.len};
    if (part.len == call->need) {
        return deliver(call, part); /* whole in one piece: no copy */
    }
    buf_add_str(&call->body, part);
    return part.len < missing || deliver(call, buf_str(&call->body));
}

static struct str page_shown(const struct rpc_call *call, char *out, size_t size)
{
    struct buf b;
    buf_init_fixed(&b, out, size);
    bool blank = false;
    for (size_t i = 0; i < call->page_len; i++) {
        const char *at = &call->page_text[i];
        bool is_blank = (unsigned char) *at <= ' ' || *at == 0x7f;
        if (!is_blank || !blank) {
            buf_add(&b, is_blank ? " " : at, 1);
        }
        blank = is_blank;
    }
    return str_trim(buf_str(&b));
}

/* The status when the server gave none: made of HTTP's. */
static void finish_by_http(struct rpc_call *call)
{
    const struct rpc_result *r = &call->result;
    char room[RPC_PAGE_BYTES + 1];
    struct str text = page_shown(call, room, sizeof room);
    struct str type = r->content_type;
    type.len = type.len < VALUE_SHOWN ? type.len : VALUE_SHOWN;
    buf_clear(&call->message);
    buf_addf(&call->message, "HTTP status %u ", r->http_status);
    if (type.len > 0) {
        buf_addf(&call->message, "with content-type " STR_FMT, STR_ARG(type));
    } else {
        buf_add_cstr(&call->message, "without content-type");
    }
    buf_add_cstr(&call->message, is_grpc_type(r->content_type) || !call->page
                                     ? ", and no grpc-status"
                                     : ", not gRPC's");
    if (text.len > 0) {
        buf_addf(&call->message, ": " STR_FMT, STR_ARG(text));
    }
    rpc_call_finish(call, RPC_FROM_HTTP, rpc_code_of_http(r->http_status));
}

void rpc_reply_data(struct rpc_stream *s, struct str bytes)
{
    struct rpc_call *call = call_of(s);
    if (call->over) {
        return;
    }
    if (call->page) {
        size_t n = sizeof call->page_text - call->page_len;
        n = n < bytes.len ? n : bytes.len;
        memcpy(call->page_text + call->page_len, bytes.ptr, n);
        call->page_len += n;
        if (call->page_len == sizeof call->page_text) {
            /* Enough to tell what it is; it need not end. */
            rpc_stream_drop(s, NGHTTP2_CANCEL);
            finish_by_http(call);
        }
        return;
    }
    while (bytes.len > 0 && take_some(call, &bytes)) {
        /* An empty message is whole with its prefix. */
        if (call->prefix_len == RPC_PREFIX && call->need == 0 && !deliver(call, STR(""))) {
            return;
        }
    }
}

/* The status */

static size_t count_of(struct rpc_headers headers, const char *name)
{
    size_t n = 0;
    for (size_t i = 0; i < headers.len; i++) {
        n += str_eq_cstr(headers.item[i].name, name) ? 1 : 0;
    }
    return n;
}

/* Words of ours in front of what the server said. */
static void prepend(struct rpc_call *call, const char *words)
{
    struct buf *b = &call->message;
    char said[256];
    (void) snprintf(said, sizeof said, STR_FMT,
                    (int) (b->len < sizeof said ? b->len : sizeof said - 1),
                    b->ptr != NULL ? b->ptr : "");
    buf_clear(b);
    buf_add_cstr(b, words);
    if (said[0] != '\0') {
        buf_addf(b, "; its message: %s", said);
    }
}

static bool parse_status(struct rpc_call *call, struct str text, enum rpc_code *ret)
{
    uint64_t code = 0;
    char words[300];
    if (num_u64(text, 0, RPC_CODES - 1, &code) == 0) {
        *ret = (enum rpc_code) code;
        return true;
    }
    bool number = text.len > 0;
    for (size_t i = 0; i < text.len; i++) {
        number = number && text.ptr[i] >= '0' && text.ptr[i] <= '9';
    }
    (void) snprintf(words, sizeof words, "the server's grpc-status \"%.*s\" is %s",
                    (int) (text.len < VALUE_SHOWN ? text.len : VALUE_SHOWN), text.ptr,
                    number ? "no code of gRPC (0 to 16)" : "no number");
    prepend(call, words);
    return false;
}

/* The server said OK: is the answer one? */
static bool is_complete(struct rpc_call *call)
{
    const struct rpc_result *r = &call->result;
    char words[400] = "";
    if (call->prefix_len > 0 && call->prefix_len < RPC_PREFIX) {
        (void) snprintf(words, sizeof words,
                        "the server said OK, but the answer ends within the prefix of message "
                        "%llu: %zu of its %d bytes came",
                        (unsigned long long) r->messages + 1, call->prefix_len, RPC_PREFIX);
    } else if (call->prefix_len > 0) {
        (void) snprintf(words, sizeof words,
                        "the server said OK, but the answer ends within message %llu: %zu of %zu "
                        "bytes came",
                        (unsigned long long) r->messages + 1, call->body.len, call->need);
    } else if (call->unary_reply && r->messages != 1) {
        (void) snprintf(words, sizeof words,
                        "the server said OK, but sent %s%llu messages%s: this method answers with "
                        "exactly one",
                        r->messages == 0 ? "no message (" : "", (unsigned long long) r->messages,
                        r->messages == 0 ? ")" : "");
    } else if (call->broken_bin) {
        (void) snprintf(words, sizeof words, "the server said OK, but its metadata %.300s",
                        call->problem);
    } else {
        return true;
    }
    prepend(call, words);
    return false;
}

static void finish_by_status(struct rpc_call *call, struct str status)
{
    struct rpc_headers trailers = call->result.trailers;
    enum rpc_code code;
    buf_clear(&call->message);
    rpc_percent_decode(value_of(trailers, "grpc-message"), &call->message);
    buf_add_str(&call->details, value_of(trailers, "grpc-status-details-bin"));
    if (!parse_status(call, status, &code)) {
        rpc_call_finish(call, RPC_FROM_SERVER, RPC_UNKNOWN);
        return;
    }
    if (count_of(trailers, "grpc-status") > 1) {
        prepend(call, "the server sent more than one grpc-status");
        rpc_call_finish(call, RPC_FROM_CLIENT, RPC_INTERNAL);
        return;
    }
    if (code == RPC_OK && !is_complete(call)) {
        rpc_call_finish(call, RPC_FROM_CLIENT, RPC_INTERNAL);
        return;
    }
    rpc_call_finish(call, RPC_FROM_SERVER, code);
}

void rpc_reply_done(struct rpc_stream *s)
{
    struct rpc_call *call = call_of(s);
    if (call->over) {
        return;
    }
    if (rpc_call_is_late(call)) {
        rpc_call_expire(call, "the answer ended too late");
        return;
    }
    const struct rpc_header *status = rpc_headers_find(call->result.trailers, "grpc-status");
    if (status != NULL) {
        finish_by_status(call, status->value);
        return;
    }
    if (call->page || call->result.content_type.len == 0) {
        finish_by_http(call);
        return;
    }
    const char *came = "trailers came, but";
    if (call->result.trailers_only) {
        came = "only headers came, and";
    } else if (!call->has_trailers) {
        came = "no trailers came, so";
    }
    rpc_call_fail(call, RPC_INTERNAL,
                  "the answer ended without a grpc-status after %llu message%s: %s %s",
                  (unsigned long long) call->result.messages, call->result.messages == 1 ? "" : "s",
                  came, "whether the server succeeded is not known");
}

void rpc_reply_lost(struct rpc_stream *s, const struct rpc_loss *loss)
{
    struct rpc_call *call = call_of(s);
    struct rpc_result *r = &call->result;
    if (call->over) {
        return;
    }
    r->rst = loss->rst;
    r->rst_error = loss->rst_error;
    r->goaway = loss->goaway;
    if (rpc_call_is_late(call)) {
        rpc_call_expire(call, loss->msg);
        return;
    }
    if (call->has_headers && call->page) {
        finish_by_http(call);
        return;
    }
    buf_clear(&call->message);
    buf_add_cstr(&call->message, loss->msg);
    if (call->prefix_len > 0) {
        buf_addf(&call->message, ", within message %llu", (unsigned long long) r->messages + 1);
    }
    rpc_call_finish(call, loss->origin, loss->code);
}
