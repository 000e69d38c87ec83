/*
 * HTTP/1.1 on a link (RFC 9112): one request at a time, its answer parsed by h1_parse.c.  What
 * still waits has its turn after it, on this connection when both sides keep it, else on the next.
 *
 * The connection is given up (drained, so that it closes when nothing runs) when one side says so,
 * when an answer is broken or given up in the middle, when the answer ended before the request, and
 * when bytes come that nobody asked for.
 */
#include "base/mem.h"
#include "rpc/conn_int.h"
#include "rpc/h1_parse.h"

#include <stdarg.h>
#include <stdio.h>

#define TLS_ALERT     0x15 /* the types of records that a TLS server may begin with */
#define TLS_HANDSHAKE 0x16

struct h1 {
    struct rpc_stream *stream; /* that runs; NULL: none */
    struct h1_parser parser;   /* of its answer */
    bool in_trailers;
    bool used;         /* an answer has come on this connection before */
    uint64_t received; /* link->received when the request was sent */
};

static void h1_open(struct rpc_link *link)
{
    link->session = mem_zalloc(sizeof(struct h1));
    link->max_streams = 1;
    rpc_link_ready(link);
}

/* The others go to the next connection.  They may move again and again, as each move has an end of
 * a request before it. */
static void give_up_link(struct rpc_link *link)
{
    for (struct rpc_stream *s = link->waiting.first; s != NULL; s = s->next) {
        s->moved = false;
    }
    rpc_link_drain(link);
}

/* The stream leaves the session, however it ended. */
static struct rpc_stream *take_stream(struct rpc_link *link)
{
    struct h1 *h1 = link->session;
    struct rpc_stream *s = h1->stream;
    h1->stream = NULL;
    link->active--;
    h1_parser_done(&h1->parser);
    return s;
}

__attribute__((format(printf, 4, 5))) static void
fail(struct rpc_link *link, enum rpc_origin origin, enum rpc_code code, const char *fmt, ...)
{
    struct rpc_loss loss = {.origin = origin, .code = code};
    struct rpc_stream *s = take_stream(link);
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(loss.msg, sizeof loss.msg, fmt, args);
    va_end(args);
    give_up_link(link);
    rpc_stream_lost(s, &loss);
}

static void write_head(const struct rpc_head *head, struct buf *out)
{
    const nghttp2_nv *nv = head->nv;
    buf_add(out, nv[0].value, nv[0].valuelen);
    buf_add_char(out, ' ');
    buf_add(out, nv[2].value, nv[2].valuelen);
    buf_add_cstr(out, " HTTP/1.1\r\nhost: ");
    buf_add(out, nv[3].value, nv[3].valuelen);
    for (size_t i = 4; i < head->len; i++) {
        buf_add_cstr(out, "\r\n");
        buf_add(out, nv[i].name, nv[i].namelen);
        buf_add_cstr(out, ": ");
        buf_add(out, nv[i].value, nv[i].valuelen);
    }
    buf_add_cstr(out, "\r\n\r\n");
}

/* head: its first four are :method, :scheme, :path, :authority; a body has its content-length. */
static void h1_submit(struct rpc_link *link, struct rpc_stream *s)
{
    struct h1 *h1 = link->session;
    struct rpc_head head = s->ops->head(s);
    struct buf *out = rpc_link_out(link);
    size_t before = out->len;
    write_head(&head, out);
    link->queued += out->len - before;
    link->active++;
    s->sent_mark = link->queued;
    s->request_done = !head.body;
    struct str method = {(const char *) head.nv[0].value, head.nv[0].valuelen};
    h1->stream = s;
    h1->in_trailers = false;
    h1->received = link->received;
    h1_parser_init(&h1->parser, str_eq_cstr(method, "HEAD"), link->conn->options.max_header_bytes);
}

static void h1_pull(struct rpc_link *link)
{
    struct h1 *h1 = link->session;
    struct rpc_stream *s = h1->stream;
    struct buf *out = rpc_link_out(link);
    while (s != NULL && !s->request_done && out->len < RPC_OUT_HIGH) {
        bool end = false;
        size_t len = s->ops->peek(s, RPC_OUT_HIGH, &end);
        if (len == 0 && !end) {
            return; /* rpc_stream_wake will come */
        }
        s->ops->take(s, len, out);
        link->queued += len;
        s->sent_mark = link->queued;
        s->request_done = end;
    }
}

/* The pull of the next flush takes what there is. */
static void h1_wake(struct rpc_link *link, struct rpc_stream *s)
{
    (void) link;
    (void) s;
}

static void h1_drop(struct rpc_link *link, struct rpc_stream *s, uint32_t h2_error)
{
    (void) s;
    (void) h2_error;
    (void) take_stream(link);
    give_up_link(link);
}

static void answer_ends(struct rpc_link *link, struct str left)
{
    struct h1 *h1 = link->session;
    if (left.len > 0) {
        fail(
            link, RPC_FROM_CLIENT, RPC_INTERNAL,
            "%s sent at least %zu bytes behind the end of its answer: content-length is too small, "
            "or the answer should have no body",
            link->conn->where, left.len);
        return;
    }
    bool keep = h1->parser.keep_alive && h1->stream->request_done;
    struct rpc_stream *s = take_stream(link);
    h1->used = true;
    if (!keep) {
        give_up_link(link);
    }
    rpc_stream_done(s);
}

/* What no answer is: maybe another protocol. */
static void answer_is_broken(struct rpc_link *link, const struct err *err)
{
    const struct h1 *h1 = link->session;
    const char *where = link->conn->where;
    bool first = h1->received == 0 && link->secure == NULL;
    if (first && (link->first[0] == TLS_ALERT || link->first[0] == TLS_HANDSHAKE)) {
        char hint[400];
        rpc_conn_hint(link->conn, true, hint, sizeof hint);
        fail(link, RPC_FROM_CONNECT, RPC_UNAVAILABLE,
             "%s answers in TLS, not in plaintext: write %s", where, hint);
        return;
    }
    fail(link, RPC_FROM_CLIENT, err->code == ERR_FULL ? RPC_RESOURCE_EXHAUSTED : RPC_INTERNAL,
         "%s: %s", where, err->msg);
}

static void hand_on(struct h1 *h1, int event, const struct h1_item *item)
{
    struct rpc_stream *s = h1->stream;
    char status[4];
    switch ((enum h1_event) event) {
    case H1_STATUS:
        (void) snprintf(status, sizeof status, "%03u", item->status % 1000);
        s->ops->on_block_begin(s, false);
        s->ops->on_field(s, STR(":status"), (struct str){status, 3});
        break;
    case H1_TRAILER:
        if (!h1->in_trailers) {
            h1->in_trailers = true;
            s->ops->on_block_begin(s, true);
        }
        s->ops->on_field(s, item->name, item->value);
        break;
    case H1_HEADER:
        s->ops->on_field(s, item->name, item->value);
        break;
    case H1_HEADERS_END:
        s->ops->on_block_end(s, false);
        break;
    case H1_BODY:
        s->ops->on_data(s, item->value);
        break;
    case H1_END:
        if (h1->in_trailers) {
            s->ops->on_block_end(s, true);
        }
        break;
    case H1_MORE:
    default:
        break;
    }
}

static void h1_receive(struct rpc_link *link, struct str bytes)
{
    struct h1 *h1 = link->session;
    struct rpc_stream *s = h1->stream;
    struct h1_item item;
    struct err err = {.msg = ""};
    if (s == NULL) {
        give_up_link(link); /* a farewell such as 408, or an answer to nothing */
        return;
    }
    for (;;) {
        int event = h1_next(&h1->parser, &bytes, &item, &err);
        if (event < 0) {
            answer_is_broken(link, &err);
            return;
        }
        if (event == H1_MORE) {
            return;
        }
        hand_on(h1, event, &item);
        /* What was called may have given the stream up, or the link. */
        if (link->state == RPC_LINK_LOST || h1->stream != s) {
            return;
        }
        if (event == H1_END) {
            answer_ends(link, bytes);
            return;
        }
    }
}

static void h1_closed(struct rpc_link *link)
{
    struct h1 *h1 = link->session;
    struct err err = {.msg = ""};
    if (h1->stream == NULL) {
        return;
    }
    int event = h1_eof(&h1->parser, &err);
    if (event == H1_END && rpc_secure_ended(link)) {
        answer_ends(link, STR(""));
        return;
    }
    if (event == H1_END) {
        fail(link, RPC_FROM_HTTP, RPC_UNAVAILABLE,
             "%s closed the connection without the end of TLS (close_notify): whether that was the "
             "whole body is not known, as the answer has no content-length",
             link->conn->where);
        return;
    }
    const char *where = link->conn->where;
    bool silent = link->received == h1->received;
    char hint[400] = "";
    if (silent && h1->used) {
        fail(link, RPC_FROM_HTTP, RPC_UNAVAILABLE,
             "%s closed the kept connection as the request was sent: whether it was taken is not "
             "known, so it was not sent again",
             where);
        return;
    }
    if (silent && link->secure == NULL) {
        rpc_conn_hint(link->conn, true, hint, sizeof hint);
    }
    fail(link, RPC_FROM_HTTP, RPC_UNAVAILABLE, "%s: %s%s%s", where, err.msg,
         hint[0] != '\0' ? "; if it wants TLS, write " : "", hint);
}

static void h1_nothing(struct rpc_link *link)
{
    (void) link;
}

static void h1_free(struct rpc_link *link)
{
    struct h1 *h1 = link->session;
    if (h1 != NULL) {
        h1_parser_done(&h1->parser);
        mem_free(h1);
        link->session = NULL;
    }
}

const struct rpc_proto rpc_proto_h1 = {
    .name = "http/1.1",
    .open = h1_open,
    .submit = h1_submit,
    .wake = h1_wake,
    .drop = h1_drop,
    .receive = h1_receive,
    .eof = h1_closed,
    .pull = h1_pull,
    .flushed = h1_nothing,
    .goodbye = h1_nothing,
    .free = h1_free,
};
