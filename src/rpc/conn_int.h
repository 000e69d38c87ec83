#pragma once
/*
 * The inside of a connection, for the files of this room.
 *
 *     struct rpc_conn    what users have: a pinned address and its options
 *     struct rpc_link    one opened socket with TLS and a protocol on it (link.c, tls.c)
 *     struct rpc_proto   what speaks on a link: HTTP/2 (h2.c), HTTP/1.1 (h1.c)
 *     struct rpc_stream  one request and its answer, whatever the protocol; a gRPC call (call.c)
 *                        and an HTTP request (http.c) have one as a member
 *
 * A stream waits on a link until the link is ready and has room (max_streams), then it runs, then
 * it is over.  A link that was told to go away takes no new streams (draining) and is closed when
 * the last of its streams is over; those that still wait move to the next link, once.
 *
 *     stream   RPC_IDLE --rpc_stream_start--> RPC_WAITING --submit--> RPC_RUNNING
 *              RPC_WAITING, RPC_RUNNING --on_done, on_lost or rpc_stream_drop--> RPC_OVER
 *     link     CONNECTING --> HANDSHAKE (TLS only) --> GREETING --rpc_link_ready--> READY
 *              any --rpc_link_lost--> LOST
 *
 * Everything that may run callbacks happens between rpc_conn_enter and rpc_conn_leave; links and
 * connections are given back only in the outermost rpc_conn_leave, so that a callback may free what
 * it likes.  After a callback a link may be LOST: look at link->state.
 */
#include "base/buf.h"
#include "rpc/call.h"
#include "rpc/conn.h"

#include <nghttp2/nghttp2.h>
#include <uv.h>

/* Protocols stop to give bytes when so many wait for the socket. */
#define RPC_OUT_HIGH ((size_t) 256 << 10)

struct rpc_link;
struct rpc_stream;

/* One time at which fn is called, in the loop.  Zeroed: not set. */
struct rpc_due {
    uint64_t at_ms;
    size_t place; /* in the heap + 1; 0: not set */
    void (*fn)(struct rpc_due *due);
};
/* delay_ms 0: in the next turn of the loop.  Sets again what is set. */
void rpc_due_set(struct rpc_conn *conn, struct rpc_due *due, uint64_t delay_ms,
                 void (*fn)(struct rpc_due *due));
void rpc_due_clear(struct rpc_conn *conn, struct rpc_due *due);

/* Why a stream has no whole answer. */
struct rpc_loss {
    enum rpc_origin origin;
    enum rpc_code code;
    bool rst; /* by RST_STREAM of the server */
    uint32_t rst_error;
    bool goaway;
    char msg[512];
};

/* The head of a request: ":method", ":scheme", ":path", ":authority" in this order, then fields. */
struct rpc_head {
    const nghttp2_nv *nv;
    size_t len;
    bool body; /* peek and take will give one, perhaps an empty one */
};

struct rpc_stream_ops {
    /* Right before the request is sent; what it points to lives until the call returns. */
    struct rpc_head (*head)(struct rpc_stream *s);
    /*
     * The body: how many bytes of up to max can be sent now, and whether nothing follows them.
     * 0 without an end: nothing now, rpc_stream_wake will come.  take appends len <= what peek
     * said.
     */
    size_t (*peek)(struct rpc_stream *s, size_t max, bool *ret_end);
    void (*take)(struct rpc_stream *s, size_t len, struct buf *out);
    /* A block of fields begins; last: it ends the answer (trailers, or an answer of headers only).
     */
    void (*on_block_begin)(struct rpc_stream *s, bool last);
    /* One field of it, in order; ":status" first (HTTP/1.1 too).  Names are in lower case. */
    void (*on_field)(struct rpc_stream *s, struct str name, struct str value);
    /* The block is whole.  It may be of a 1xx answer, after which another begins. */
    void (*on_block_end)(struct rpc_stream *s, bool last);
    void (*on_data)(struct rpc_stream *s, struct str bytes);
    /* The answer is whole, the stream is over; s is not touched any more. */
    void (*on_done)(struct rpc_stream *s);
    /* There will be no (further) answer, the stream is over; s is not touched any more. */
    void (*on_lost)(struct rpc_stream *s, const struct rpc_loss *loss);
};

enum rpc_stream_state { RPC_IDLE, RPC_WAITING, RPC_RUNNING, RPC_OVER };

struct rpc_stream {
    const struct rpc_stream_ops *ops;
    struct rpc_conn *conn;
    struct rpc_link *link; /* it waits for or runs on; valid in on_done and on_lost too */
    struct rpc_stream *prev, *next;
    enum rpc_stream_state state;
    bool moved;         /* to another link already */
    bool request_done;  /* the end of the request was given to the link */
    int32_t id;         /* HTTP/2's */
    bool deferred;      /* HTTP/2 waits for rpc_stream_wake */
    bool rst;           /* HTTP/2: RST_STREAM came */
    uint64_t sent_mark; /* link->queued behind its last byte */
};

/* Starts a stream whose ops are set; callbacks come later, in the loop. */
void rpc_stream_start(struct rpc_conn *conn, struct rpc_stream *s);
/* There is something (or an end) to send. */
void rpc_stream_wake(struct rpc_stream *s);
/* Gives the stream up (RST_STREAM with h2_error when it runs); no callback follows. */
void rpc_stream_drop(struct rpc_stream *s, uint32_t h2_error);
/* All that was taken of it is in the socket. */
bool rpc_stream_sent_all(const struct rpc_stream *s);
/* Facts of the connection that it runs, ran or waits on. */
void rpc_stream_facts(const struct rpc_stream *s, struct rpc_conn_facts *ret);
/* For protocols: takes the stream off its link (RPC_OVER), then calls on_done or on_lost. */
void rpc_stream_done(struct rpc_stream *s);
void rpc_stream_lost(struct rpc_stream *s, const struct rpc_loss *loss);
/* Of a waiting stream whose link has room: makes it RPC_RUNNING and submits it. */
void rpc_stream_run(struct rpc_stream *s);
/* What it waits for, for the message of a deadline: "connecting to 127.0.0.1:80". */
void rpc_stream_stage(const struct rpc_stream *s, char *out, size_t size);

/* A protocol on a link.  session: its own, in link->session.  None may free the link. */
struct rpc_proto {
    const char *name;
    /* The socket is there (and TLS): makes the session.  Calls rpc_link_ready when streams may
     * start, now or later. */
    void (*open)(struct rpc_link *link);
    /* Sends the head of a stream that was just made RPC_RUNNING; counts link->active. */
    void (*submit)(struct rpc_link *link, struct rpc_stream *s);
    void (*wake)(struct rpc_link *link, struct rpc_stream *s);
    /* A running stream is given up: nothing of it may be called any more. */
    void (*drop)(struct rpc_link *link, struct rpc_stream *s, uint32_t h2_error);
    void (*receive)(struct rpc_link *link, struct str bytes);
    /* The other side has sent its last byte; afterwards the link is lost, by the caller. */
    void (*eof)(struct rpc_link *link);
    /* Appends what is to be sent to rpc_link_out, until about RPC_OUT_HIGH wait there. */
    void (*pull)(struct rpc_link *link);
    /* After bytes went to the socket; may call rpc_link_lost. */
    void (*flushed)(struct rpc_link *link);
    /* Says goodbye into rpc_link_out, if it has words for that. */
    void (*goodbye)(struct rpc_link *link);
    void (*free)(struct rpc_link *link);
};
extern const struct rpc_proto rpc_proto_h2;
extern const struct rpc_proto rpc_proto_h1;

enum rpc_link_state {
    RPC_LINK_CONNECTING,
    RPC_LINK_HANDSHAKE, /* TLS */
    RPC_LINK_GREETING,  /* the protocol's first words */
    RPC_LINK_READY,
    RPC_LINK_LOST,
};

struct rpc_streams {
    struct rpc_stream *first, *last;
    size_t len;
};

struct rpc_secure; /* TLS of one link (tls.c) */

struct rpc_link {
    struct rpc_conn *conn;
    struct rpc_link *next;
    enum rpc_link_state state;
    bool draining;
    int fd;
    int events; /* that uv_poll watches */
    uv_poll_t *poll;
    struct rpc_secure *secure; /* NULL: plaintext */
    const struct rpc_proto *proto;
    void *session;
    size_t max_streams, active; /* at once; started and not over by the protocol's own count */
    struct rpc_streams waiting, running;
    struct buf plain;     /* TLS: what is to be encrypted */
    struct buf out;       /* for the socket */
    size_t out_sent;      /* of out */
    uint64_t queued;      /* bytes of streams taken into plain or out so far */
    uint64_t flushed;     /* of those, how many are in the socket */
    uint64_t received;    /* raw bytes */
    char first[64];       /* of them the first, for messages */
    struct rpc_due due;   /* connect timeout */
    struct rpc_loss loss; /* LOST: why; also for a loss that waits to be told */
    struct rpc_conn_facts facts;
};

struct rpc_conn {
    struct io_loop *loop;
    struct rpc_conn_options options; /* texts are owned */
    struct rpc_address address;
    bool resolved;
    char *authority;        /* never NULL */
    char where[160];        /* "127.0.0.1:8080", for messages */
    struct rpc_link *link;  /* that takes streams; NULL: none */
    struct rpc_link *links; /* all */
    unsigned busy;          /* depth of rpc_conn_enter */
    bool closing;           /* in rpc_conn_close: what waits does not move on */
    bool freed;             /* rpc_conn_free was called */
    size_t holds;           /* of rpc_conn_hold, and one until rpc_conn_free is done */
    bool kicked;
    uint64_t connects;
    uv_idle_t *idle;
    uv_timer_t *timer;
    uint64_t timer_at_ms; /* UINT64_MAX: off */
    struct {
        struct rpc_due **ptr;
        size_t len, cap;
    } heap;
    char *in;               /* RPC_IN_BYTES for reading */
    uint64_t read_at_us;    /* when the bytes came that are looked at now; 0: none are */
    void *tls;              /* SSL_CTX, made by the first link that needs it */
    struct rpc_call *spare; /* calls to be used again (call.c) */
    size_t spares;
};
#define RPC_IN_BYTES ((size_t) 64 << 10)

void rpc_conn_enter(struct rpc_conn *conn);
void rpc_conn_leave(struct rpc_conn *conn);
/* Keeps the struct: calls may be freed after their connection. */
void rpc_conn_hold(struct rpc_conn *conn);
void rpc_conn_release(struct rpc_conn *conn);
/* Makes the loop flush in its next turn, or later in this one. */
void rpc_conn_kick(struct rpc_conn *conn);
/* "grpcs" or "https" and the like: the scheme to write for this target with or without TLS. */
void rpc_conn_hint(const struct rpc_conn *conn, bool tls, char *out, size_t size);

/* Where protocols write. */
struct buf *rpc_link_out(struct rpc_link *link);
/* Streams may start; proto's max_streams is set. */
void rpc_link_ready(struct rpc_link *link);
/* No new streams; waiting ones move on; the link ends with its last running stream. */
void rpc_link_drain(struct rpc_link *link);
/* Closes the socket, ends all streams with the loss (FROM_CONNECT for those that wait). */
void rpc_link_lost(struct rpc_link *link, const struct rpc_loss *loss);
__attribute__((format(printf, 4, 5))) void rpc_link_lostf(struct rpc_link *link,
                                                          enum rpc_origin origin,
                                                          enum rpc_code code, const char *fmt, ...);
/* link.c */
struct rpc_link *rpc_link_open(struct rpc_conn *conn);
/* For tests: a link on a socket that is connected; it becomes the connection's. */
struct rpc_link *rpc_link_adopt(struct rpc_conn *conn, int take_fd);
void rpc_link_flush(struct rpc_link *link);
/*
 * Before the first request after a rest: reads what came meanwhile, as the loop may have stood
 * still; a connection that the server closed in the meantime is not used then.
 */
void rpc_link_look(struct rpc_link *link);
/* Says goodbye as far as the socket takes it at once, and closes it. */
void rpc_link_close(struct rpc_link *link);
void rpc_link_free(struct rpc_link *take_link);
/* The first line of bytes in quotes, for a message: "HTTP/1.1 400 Bad Request". */
void rpc_text_shown(struct str bytes, char *out, size_t size);

/* tls.c */
int rpc_secure_open(struct rpc_link *link, struct err *err) __attribute__((warn_unused_result));
/* Raw bytes in; decrypted ones go to rpc_link's protocol.  May call rpc_link_lost. */
void rpc_secure_receive(struct rpc_link *link, struct str bytes);
/* Encrypts link->plain into link->out, and begins the handshake.  May call rpc_link_lost. */
void rpc_secure_pull(struct rpc_link *link);
/* The socket is at its end: the loss in words of TLS, false when it was an orderly end. */
bool rpc_secure_eof(struct rpc_link *link);
/* Plaintext, or close_notify came: what was received is all that was sent. */
bool rpc_secure_ended(const struct rpc_link *link);
void rpc_secure_goodbye(struct rpc_link *link);
void rpc_secure_free(struct rpc_link *link);
void rpc_secure_conn_free(struct rpc_conn *conn);
/* link.c: TLS is there; the protocol is chosen by what ALPN gave. */
void rpc_link_secured(struct rpc_link *link);
/* link.c: decrypted bytes. */
void rpc_link_plain(struct rpc_link *link, struct str bytes);

/* call.c */
void rpc_call_spares_free(struct rpc_conn *conn);
