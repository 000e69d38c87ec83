/*
 * What a health check, or other evidence about a peer, came to: a code for programs, told by the
 * API as `reason`. Who keeps a code in shared memory or in a file keeps its number; names are for
 * readers.
 */
#pragma once

enum check_code {
    CHECK_NONE,    /* nothing was seen yet */
    CHECK_OK,      /* the check passed */
    CHECK_CONNECT, /* no connection could be made */
    CHECK_TIMEOUT, /* the time limit passed */
    CHECK_CLOSED,  /* the peer ended the connection or the stream before its answer was whole */
    CHECK_TLS,     /* the handshake failed, or the certificate is not the right one */
    CHECK_PROTOCOL,
    CHECK_STATUS, /* an HTTP status that is not among the right ones */
    CHECK_HEADER,
    CHECK_BODY, /* also: tcp, what is expected did not come */
    CHECK_GRPC_STATUS,
    CHECK_NOT_SERVING,
    CHECK_SERVICE_UNKNOWN, /* grpc: the peer's health service does not know the service */
    CHECK_UNIMPLEMENTED,   /* grpc: the peer has no health service */
    CHECK_TOLD,            /* an answer said that the peer is to be taken down */
    CHECK_PASSIVE,         /* requests failed, no check did */
    CHECK_INTERNAL,        /* the check could not be made; says nothing of the peer */
    CHECK_CODES
};

/* "none", "ok", "connect" and so on; "internal" for what is no code. */
const char *check_code_name(enum check_code code);
