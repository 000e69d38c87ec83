#pragma once
/*
 * The other side of a gRPC connection for tests in C: bytes over a socketpair, frames made by hand.
 * Header fields are literals that touch no table, so that blocks can stand in any order.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "rpc/conn_int.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define W_DATA        0
#define W_HEADERS     1
#define W_RST         3
#define W_SETTINGS    4
#define W_PING        6
#define W_GOAWAY      7
#define W_END_STREAM  1
#define W_END_HEADERS 4

struct w_peer {
    struct io_loop *loop;
    struct rpc_conn *conn;
    int fd; /* of the server; -1: closed */
};

static inline void w_open(struct w_peer *peer, const struct rpc_conn_options *more)
{
    struct rpc_conn_options options =
        more != NULL ? *more : (struct rpc_conn_options){.authority = NULL};
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0) {
        BUG("no socketpair");
    }
    /* A connection after the first finds nobody. */
    (void) snprintf(options.target.path, sizeof options.target.path, "/nonexistent/socket");
    peer->loop = io_loop_new();
    peer->conn = rpc_conn_new(peer->loop, &options);
    peer->fd = fds[1];
    (void) rpc_link_adopt(peer->conn, fds[0]);
}

static inline void w_hang_up(struct w_peer *peer)
{
    if (peer->fd >= 0) {
        (void) close(peer->fd);
        peer->fd = -1;
    }
}

static inline void w_done(struct w_peer *peer)
{
    rpc_conn_free(peer->conn);
    w_hang_up(peer);
    io_loop_free(peer->loop);
}

/* Lets the loop take what is there: a few turns. */
static inline void w_turn(struct w_peer *peer)
{
    for (int i = 0; i < 3; i++) {
        (void) uv_run(io_loop_uv(peer->loop), UV_RUN_NOWAIT);
    }
}

static inline void w_say(struct w_peer *peer, struct str bytes)
{
    while (bytes.len > 0 && peer->fd >= 0) {
        ssize_t n = send(peer->fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);
        if (n <= 0) {
            return; /* the client is gone */
        }
        bytes = (struct str){bytes.ptr + n, bytes.len - (size_t) n};
        w_turn(peer);
    }
}

/* Appends what the client has said since the last time. */
static inline void w_hear(struct w_peer *peer, struct buf *out)
{
    char bytes[4096];
    ssize_t n;
    w_turn(peer);
    while (peer->fd >= 0 && (n = recv(peer->fd, bytes, sizeof bytes, 0)) > 0) {
        if (out != NULL) {
            buf_add(out, bytes, (size_t) n);
        }
        w_turn(peer);
    }
}

static inline void w_u32(struct buf *b, uint32_t value)
{
    const uint8_t bytes[4] = {(uint8_t) (value >> 24), (uint8_t) (value >> 16),
                              (uint8_t) (value >> 8), (uint8_t) value};
    buf_add(b, bytes, sizeof bytes);
}

static inline void w_frame(struct buf *b, uint8_t type, uint8_t flags, uint32_t stream,
                           struct str payload)
{
    const uint8_t head[5] = {(uint8_t) (payload.len >> 16), (uint8_t) (payload.len >> 8),
                             (uint8_t) payload.len, type, flags};
    buf_add(b, head, sizeof head);
    w_u32(b, stream);
    buf_add_str(b, payload);
}

/* Names and values by turns, ended by NULL; each below 127 bytes. */
static inline void w_headers(struct buf *b, uint8_t flags, uint32_t stream,
                             const char *const *fields)
{
    struct buf block;
    buf_init(&block, 65536);
    for (size_t i = 0; fields[i] != NULL; i++) {
        if (i % 2 == 0) {
            buf_add_char(&block, 0); /* RFC 7541 section 6.2.2: literal without indexing */
        }
        buf_add_char(&block, (char) (uint8_t) strlen(fields[i]));
        buf_add_cstr(&block, fields[i]);
    }
    w_frame(b, W_HEADERS, flags | W_END_HEADERS, stream, buf_str(&block));
    buf_done(&block);
}

static inline void w_message(struct buf *b, uint8_t flag, struct str bytes)
{
    buf_add_char(b, (char) flag);
    w_u32(b, (uint32_t) bytes.len);
    buf_add_str(b, bytes);
}
