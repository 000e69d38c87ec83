/* One opened socket: connect, read, write, close; see conn_int.h for its states. */
#include "base/clock.h"
#include "base/mem.h"
#include "rpc/conn_int.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define OUT_MAX   ((size_t) 1 << 30) /* far above RPC_OUT_HIGH; control frames are bounded too */
#define READS_MAX 8                  /* buffers read in one turn, so that others have theirs */

static void poll_fires(uv_poll_t *poll, int status, int events);

static void free_handle(uv_handle_t *handle)
{
    mem_free(handle);
}

static void watch(struct rpc_link *link, int events)
{
    if (link->events != events && link->poll != NULL) {
        link->events = events;
        (void) uv_poll_start(link->poll, events, poll_fires);
    }
}

/* The loss is told in the next turn, as no callback may run in rpc_call_start. */
static void fail_due(struct rpc_due *due)
{
    struct rpc_link *link =
        (struct rpc_link *) (void *) ((char *) due - offsetof(struct rpc_link, due));
    rpc_link_lost(link, &link->loss);
}

__attribute__((format(printf, 2, 3))) static void fail_soon(struct rpc_link *link, const char *fmt,
                                                            ...)
{
    va_list args;
    va_start(args, fmt);
    link->loss = (struct rpc_loss){.origin = RPC_FROM_CONNECT, .code = RPC_UNAVAILABLE};
    (void) vsnprintf(link->loss.msg, sizeof link->loss.msg, fmt, args);
    va_end(args);
    rpc_due_set(link->conn, &link->due, 0, fail_due);
}

static void connect_late(struct rpc_due *due)
{
    struct rpc_link *link =
        (struct rpc_link *) (void *) ((char *) due - offsetof(struct rpc_link, due));
    const struct rpc_conn *conn = link->conn;
    double seconds = (double) conn->options.connect_timeout_ms / 1e3;
    const char *what = "no connection to";
    if (link->state == RPC_LINK_HANDSHAKE) {
        what = link->received > 0 ? "no end of the TLS handshake with"
                                  : "no answer to the TLS handshake from";
    } else if (link->state == RPC_LINK_GREETING) {
        what = link->received > 0 ? "no HTTP/2 SETTINGS from"
                                  : "connected, but no HTTP/2 SETTINGS and not a byte from";
    }
    rpc_link_lostf(link, RPC_FROM_CONNECT, RPC_UNAVAILABLE, "%s %s within %g s", what, conn->where,
                   seconds);
}

static const char *connect_error(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return "connection refused: nothing listens there";
    case ENOENT:
        return "there is no such socket";
    case EAGAIN:
        return "its queue of connections is full"; /* of a unix socket */
    default:
        return strerror(error); /* NOLINT(concurrency-mt-unsafe): one thread */
    }
}

static bool resolve(struct rpc_link *link)
{
    struct rpc_conn *conn = link->conn;
    struct err err = {.msg = ""};
    if (!conn->resolved) {
        if (rpc_target_resolve(&conn->options.target, &conn->address, &err) < 0) {
            fail_soon(link, "%s", err.msg);
            return false;
        }
        conn->resolved = true;
    }
    (void) snprintf(conn->where, sizeof conn->where, "%s", conn->address.text);
    (void) snprintf(link->facts.peer, sizeof link->facts.peer, "%s", conn->address.text);
    return true;
}

/* Waits until the socket is connected. */
static void watch_socket(struct rpc_link *link)
{
    struct rpc_conn *conn = link->conn;
    link->poll = mem_zalloc(sizeof *link->poll);
    link->poll->data = link;
    int rc = uv_poll_init(io_loop_uv(conn->loop), link->poll, link->fd);
    if (rc != 0) {
        mem_free(link->poll);
        link->poll = NULL;
        fail_soon(link, "%s: the loop takes no socket: %s", conn->where, uv_strerror(rc));
        return;
    }
    watch(link, UV_WRITABLE);
    rpc_due_set(conn, &link->due, conn->options.connect_timeout_ms, connect_late);
}

static void connect_socket(struct rpc_link *link)
{
    struct rpc_conn *conn = link->conn;
    const struct sockaddr *sa = (const struct sockaddr *) &conn->address.sa;
    int one = 1;
    link->fd = socket(sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->fd < 0) {
        fail_soon(link, "%s: no socket: %s", conn->where, connect_error(errno));
        return;
    }
    if (sa->sa_family != AF_UNIX) {
        (void) setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    if (connect(link->fd, sa, conn->address.sa_len) < 0 && errno != EINPROGRESS) {
        fail_soon(link, "%s: %s", conn->where, connect_error(errno));
        return;
    }
    watch_socket(link);
}

static struct rpc_link *new_link(struct rpc_conn *conn)
{
    struct rpc_link *link = mem_zalloc(sizeof *link);
    link->conn = conn;
    link->fd = -1;
    link->max_streams = 1;
    buf_init(&link->plain, OUT_MAX);
    buf_init(&link->out, OUT_MAX);
    link->next = conn->links;
    conn->links = link;
    if (conn->in == NULL) {
        conn->in = mem_alloc(RPC_IN_BYTES);
    }
    return link;
}

struct rpc_link *rpc_link_adopt(struct rpc_conn *conn, int take_fd)
{
    struct rpc_link *link = new_link(conn);
    (void) snprintf(conn->where, sizeof conn->where, "adopted");
    conn->link = link;
    link->fd = take_fd;
    watch_socket(link);
    return link;
}

struct rpc_link *rpc_link_open(struct rpc_conn *conn)
{
    struct rpc_link *link = new_link(conn);
    if (resolve(link)) {
        connect_socket(link);
    }
    return link;
}

static void begin_protocol(struct rpc_link *link, bool h2)
{
    link->state = RPC_LINK_GREETING;
    link->proto = h2 ? &rpc_proto_h2 : &rpc_proto_h1;
    link->proto->open(link);
}

void rpc_link_secured(struct rpc_link *link)
{
    begin_protocol(link, link->facts.alpn != NULL && strcmp(link->facts.alpn, "h2") == 0);
}

static void connected(struct rpc_link *link)
{
    int error = 0;
    socklen_t len = sizeof error;
    struct err err = {.msg = ""};
    if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0) {
        error = errno;
    }
    if (error != 0) {
        rpc_link_lostf(link, RPC_FROM_CONNECT, RPC_UNAVAILABLE, "%s: %s", link->conn->where,
                       connect_error(error));
        return;
    }
    link->conn->connects++;
    if (!link->conn->options.target.tls) {
        begin_protocol(link, link->conn->options.protocol == RPC_H2);
        return;
    }
    link->state = RPC_LINK_HANDSHAKE;
    if (rpc_secure_open(link, &err) < 0) {
        rpc_link_lostf(link, RPC_FROM_CONNECT, RPC_UNAVAILABLE, "%s", err.msg);
    }
}

struct buf *rpc_link_out(struct rpc_link *link)
{
    return link->secure != NULL ? &link->plain : &link->out;
}

void rpc_link_plain(struct rpc_link *link, struct str bytes)
{
    link->proto->receive(link, bytes);
}

static void receive(struct rpc_link *link, struct str bytes)
{
    if (link->received < sizeof link->first) {
        size_t room = sizeof link->first - (size_t) link->received;
        memcpy(link->first + link->received, bytes.ptr, bytes.len < room ? bytes.len : room);
    }
    link->received += bytes.len;
    if (link->secure != NULL) {
        rpc_secure_receive(link, bytes);
    } else {
        rpc_link_plain(link, bytes);
    }
}

void rpc_text_shown(struct str bytes, char *out, size_t size)
{
    struct buf b;
    buf_init_fixed(&b, out, size);
    buf_add_char(&b, '"');
    for (size_t i = 0; i < bytes.len && bytes.ptr[i] != '\r' && bytes.ptr[i] != '\n'; i++) {
        if (b.len + 6 > size) {
            break;
        }
        unsigned char c = (unsigned char) bytes.ptr[i];
        if (c >= ' ' && c <= '~') {
            buf_add_char(&b, (char) c);
        } else {
            buf_addf(&b, "\\x%02x", c);
        }
    }
    buf_add_char(&b, '"');
}

/* The socket is at its end. */
static void at_eof(struct rpc_link *link)
{
    if (link->secure != NULL && rpc_secure_eof(link)) {
        return;
    }
    if (link->proto != NULL && link->state != RPC_LINK_LOST) {
        link->proto->eof(link);
    }
    if (link->state == RPC_LINK_LOST) {
        return;
    }
    if (link->state == RPC_LINK_READY) {
        rpc_link_lostf(link, RPC_FROM_HTTP, RPC_UNAVAILABLE, "%s closed the connection%s",
                       link->conn->where, link->facts.goaway ? " after GOAWAY" : "");
        return;
    }
    char hint[400];
    bool tls = link->secure != NULL;
    rpc_conn_hint(link->conn, !tls, hint, sizeof hint);
    rpc_link_lostf(link, RPC_FROM_CONNECT, RPC_UNAVAILABLE,
                   "%s closed the connection before it said anything%s%s", link->conn->where,
                   tls ? " in HTTP/2" : "; if it wants TLS, write ", tls ? "" : hint);
}

static void read_error(struct rpc_link *link, int error)
{
    bool reset = error == ECONNRESET || error == EPIPE;
    rpc_link_lostf(link, link->state == RPC_LINK_READY ? RPC_FROM_HTTP : RPC_FROM_CONNECT,
                   RPC_UNAVAILABLE, "%s%s%s", link->conn->where,
                   reset ? " reset the connection" : ": ",
                   reset ? (link->state == RPC_LINK_READY ? "" : " before it said anything")
                         : strerror(error)); /* NOLINT(concurrency-mt-unsafe): one thread */
}

/* to_end: until the end or the error that the socket has; libuv watches it no more. */
static void read_socket(struct rpc_link *link, bool to_end)
{
    char *in = link->conn->in;
    for (int i = 0; (i < READS_MAX || to_end) && link->state != RPC_LINK_LOST; i++) {
        ssize_t n = recv(link->fd, in, RPC_IN_BYTES, 0);
        if (n > 0) {
            link->conn->read_at_us = clock_mono_us();
            receive(link, (struct str){in, (size_t) n});
            link->conn->read_at_us = 0;
        } else if (n == 0) {
            at_eof(link);
            return;
        } else if (errno != EINTR) {
            if (errno != EAGAIN || to_end) {
                read_error(link, errno != EAGAIN ? errno : ECONNRESET);
            }
            return;
        }
        if (n > 0 && (size_t) n < RPC_IN_BYTES && !to_end) {
            return;
        }
    }
}

void rpc_link_look(struct rpc_link *link)
{
    if (link->state == RPC_LINK_READY && link->running.first == NULL &&
        link->waiting.first != NULL) {
        read_socket(link, false);
    }
}

/* Starts what waits, as far as there is room. */
static void submit_waiting(struct rpc_link *link)
{
    while (link->state == RPC_LINK_READY && !link->draining && link->waiting.first != NULL &&
           link->active < link->max_streams) {
        rpc_stream_run(link->waiting.first);
    }
}

/* Sends what is in out; false when the socket takes no more now. */
static bool send_out(struct rpc_link *link)
{
    while (link->out_sent < link->out.len) {
        ssize_t n = send(link->fd, link->out.ptr + link->out_sent, link->out.len - link->out_sent,
                         MSG_NOSIGNAL);
        if (n >= 0) {
            link->out_sent += (size_t) n;
        } else if (errno == EAGAIN) {
            return false;
        } else if (errno != EINTR) {
            /* What was received before the reset may say why: it is read first. */
            int error = errno;
            read_socket(link, false);
            if (link->state != RPC_LINK_LOST) {
                read_error(link, error);
            }
            return false;
        }
    }
    buf_clear(&link->out);
    link->out_sent = 0;
    if (link->plain.len == 0) {
        link->flushed = link->queued;
    }
    return true;
}

static void pull(struct rpc_link *link)
{
    if (link->proto != NULL && link->state != RPC_LINK_LOST) {
        link->proto->pull(link);
    }
    if (link->secure != NULL && link->state != RPC_LINK_LOST) {
        rpc_secure_pull(link);
    }
}

void rpc_link_flush(struct rpc_link *link)
{
    if (link->state == RPC_LINK_LOST || link->state == RPC_LINK_CONNECTING || link->fd < 0) {
        return;
    }
    submit_waiting(link);
    /* Nothing is pulled while something waits, so that out does not grow without bound. */
    for (int i = 0; i < READS_MAX && (link->out.len == 0 || send_out(link)); i++) {
        pull(link);
        if (link->state == RPC_LINK_LOST || link->out.len == 0) {
            break;
        }
        if (link->out.len < RPC_OUT_HIGH) {
            (void) send_out(link);
            break;
        }
    }
    if (link->state != RPC_LINK_LOST && link->proto != NULL) {
        link->proto->flushed(link);
    }
    if (link->state == RPC_LINK_LOST) {
        return;
    }
    if (link->draining && link->running.len == 0 && link->active == 0) {
        rpc_link_close(link);
        rpc_link_lostf(link, RPC_FROM_CLIENT, RPC_UNAVAILABLE, "the connection was used up");
        return;
    }
    watch(link, UV_READABLE | (link->out.len > 0 ? UV_WRITABLE : 0));
}

static void poll_fires(uv_poll_t *poll, int status, int events)
{
    struct rpc_link *link = poll->data;
    struct rpc_conn *conn = link->conn;
    rpc_conn_enter(conn);
    if (link->state == RPC_LINK_CONNECTING) {
        connected(link);
    } else if (status < 0 || (events & UV_READABLE) != 0) {
        read_socket(link, status < 0);
    }
    rpc_link_flush(link);
    rpc_conn_leave(conn);
}

void rpc_link_close(struct rpc_link *link)
{
    if (link->fd < 0) {
        return;
    }
    if (link->proto != NULL &&
        (link->state == RPC_LINK_GREETING || link->state == RPC_LINK_READY)) {
        link->proto->goodbye(link);
        if (link->secure != NULL) {
            rpc_secure_goodbye(link);
        }
        if (link->out_sent < link->out.len) {
            (void) send(link->fd, link->out.ptr + link->out_sent, link->out.len - link->out_sent,
                        MSG_NOSIGNAL);
        }
    }
    if (link->poll != NULL) {
        uv_close((uv_handle_t *) link->poll, free_handle);
        link->poll = NULL;
    }
    (void) close(link->fd);
    link->fd = -1;
}

void rpc_link_free(struct rpc_link *take_link)
{
    rpc_link_close(take_link);
    if (take_link->proto != NULL) {
        take_link->proto->free(take_link);
    }
    if (take_link->secure != NULL) {
        rpc_secure_free(take_link);
    }
    buf_done(&take_link->plain);
    buf_done(&take_link->out);
    mem_free(take_link);
}
