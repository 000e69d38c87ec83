#pragma once
/*
 * A client's end of the line: one pinned address, and at most one connection to it at a time
 * (HTTP/2 or HTTP/1.1).  gRPC calls (call.h) and HTTP requests (http.h) run on it, any number at
 * once over HTTP/2.
 *
 * It never retries by itself, never takes another address, obeys no proxy variable and follows no
 * redirect.  A call that finds no connection opens one; a connection that was lost or told to go
 * away (GOAWAY) is opened anew by the next call, and that is counted.  What runs on one that goes
 * away may finish there, beside the new one; what still waited for its turn there (it was never
 * sent) moves to the new one.
 *
 * When the other side answers like TLS on plaintext or the reverse, or without ALPN h2, the error
 * says so and which scheme to write.
 */
#include "base/err.h"
#include "io/loop.h"
#include "rpc/target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rpc_conn;

enum rpc_protocol {
    RPC_H2,   /* gRPC always */
    RPC_H1,   /* HTTP/1.1 */
    RPC_AUTO, /* HTTP: by ALPN over TLS, else HTTP/1.1 */
};

struct rpc_tls {
    const char *ca_file;     /* PEM; NULL: the system's */
    const char *cert_file;   /* of the client, PEM; NULL: none */
    const char *key_file;    /* NULL: in cert_file */
    const char *server_name; /* SNI and the name that is verified; NULL: of authority, else host */
    bool insecure;           /* the certificate is not verified */
};

struct rpc_conn_options {
    struct rpc_target target;
    const struct rpc_address *address; /* pinned by the caller; NULL: resolved at the first use */
    const char *authority;             /* :authority or Host; NULL: host:port of the target */
    enum rpc_protocol protocol;
    struct rpc_tls tls;
    uint64_t connect_timeout_ms; /* of connect and handshake together; 0: 10 s */
    size_t max_message_bytes;    /* of a received gRPC message or HTTP body; 0: 4 MiB */
    size_t max_header_bytes;     /* of headers or of trailers; 0: 64 KiB */
    uint32_t window_bytes;       /* flow control, of each stream and the connection; 0: 4 MiB */
};

/* Facts of the wire, of the connection a call ran on.  Strings live as long as the connection. */
struct rpc_conn_facts {
    char peer[128];          /* "127.0.0.1:8080": what it is connected to */
    const char *protocol;    /* "h2", "http/1.1"; NULL: not connected */
    const char *alpn;        /* what the server chose; NULL: none, or plaintext */
    const char *tls_version; /* "TLSv1.3"; NULL: plaintext */
    const char *tls_cipher;
    char cert_subject[256];   /* of the server, one line; "" plaintext */
    int64_t cert_not_after_s; /* since 1970; 0: plaintext */
    uint64_t connects;        /* connections opened so far */
    bool goaway;              /* the server said GOAWAY on this connection */
    uint32_t goaway_error;
};

/* Copies all it needs of options.  Opens nothing yet. */
struct rpc_conn *rpc_conn_new(struct io_loop *loop, const struct rpc_conn_options *options);
/*
 * Cancels what still runs on it (their on_end comes with RPC_CANCELLED before this returns, and may
 * not start calls on it).  Calls may be freed afterwards.
 */
void rpc_conn_free(struct rpc_conn *take_conn);

/*
 * Closes the connection politely (GOAWAY, close_notify); the next call opens another.  Calls that
 * still run on it are cancelled as in rpc_conn_free.
 */
void rpc_conn_close(struct rpc_conn *conn);

void rpc_conn_facts(const struct rpc_conn *conn, struct rpc_conn_facts *ret);
