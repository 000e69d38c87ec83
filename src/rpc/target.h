#pragma once
/*
 * Where a client speaks to: exactly one address.
 *
 *     grpc://HOST:PORT  http://HOST:PORT    plaintext (HTTP/2 with prior knowledge for gRPC)
 *     grpcs://HOST:PORT https://HOST:PORT   TLS
 *     HOST:PORT                             plaintext
 *     unix:/path  unix:///path              plaintext over a unix socket
 *     grpcs+unix:/path https+unix:/path     TLS over a unix socket
 * HOST is a name, an IPv4 address or an IPv6 address in brackets.  The port may be left out of http
 * (80) and https (443) only.
 */
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define RPC_HOST_MAX 256 /* with the NUL */

struct rpc_target {
    bool tls;
    char host[RPC_HOST_MAX]; /* "" for a unix socket; an IPv6 address without brackets */
    uint16_t port;
    char path[108]; /* of a unix socket, else "" */
};

/* ERR_INVALID: `target "foo": write HOST:PORT, ...`. */
int rpc_target_parse(struct str text, struct rpc_target *ret, struct err *err)
    __attribute__((warn_unused_result));

/* "grpcs://[::1]:443": what rpc_target_parse reads back. */
void rpc_target_text(const struct rpc_target *target, char *out, size_t size);

/*
 * One address for the target, looked up once and then pinned: the first that getaddrinfo gives.
 * Blocks while a name is looked up.  ERR_UNREACHABLE: no such name.
 */
struct rpc_address {
    struct sockaddr_storage sa;
    socklen_t sa_len;
    char text[128]; /* "10.0.0.7:443", "[::1]:443", "unix:/run/x" */
};
int rpc_target_resolve(const struct rpc_target *target, struct rpc_address *ret, struct err *err)
    __attribute__((warn_unused_result));
