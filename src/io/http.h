#pragma once
/*
 * HTTP/1.1 client on the loop (libcurl, opened at its first use).  Every request has a deadline and
 * a bounded answer; no redirect is followed, no proxy variable of the environment is obeyed,
 * nothing but a GET is sent twice.  Each thread has clients of its own, on a loop of its own.
 */
#include "base/err.h"
#include "base/str.h"
#include "io/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_client;
struct http_call;

struct http_request {
    const char *method;         /* "GET", "PUT" */
    const char *url;            /* http:// or https:// */
    const char *socket;         /* path of a unix socket to connect to; NULL: as the url says */
    const char *const *headers; /* "Name: value", ends with NULL; NULL: none */
    struct str body;            /* sent when ptr is not NULL */
    uint64_t timeout_ms;        /* for all of it; at least 1 */
    size_t max_bytes;           /* of the answer's body; 0: the body is read and dropped */
};

struct http_response {
    long status;        /* 200 */
    struct str body;    /* valid during the callback */
    struct str headers; /* lines "Name: value\n" as received; valid during the callback */
};

/*
 * Exactly once for each call.  err NULL: there is an answer.  Else res is NULL and err is
 * ERR_UNREACHABLE (no connection, broken off), ERR_TIMEOUT, ERR_FULL (above max_bytes) or
 * ERR_CANCELLED; its message names neither method nor url.
 * May start and cancel other calls.
 */
typedef void (*http_fn)(const struct http_response *res, const struct err *err, void *ctx);

/* The first opens libcurl; ERR_INTERNAL: it is not there. */
int http_client_new(struct io_loop *loop, struct http_client **ret, struct err *err)
    __attribute__((warn_unused_result));
/* Cancels what still runs.  NULL is fine. */
void http_client_free(struct http_client *take_client);

/*
 * An absolute http or https address with a host, without user, password and fragment.  Looked at
 * less closely when libcurl is not there, as http_client_new will say.
 */
bool http_url_is_valid(const char *url);

/* Copies all it needs of req.  Never calls fn before it returns. */
struct http_call *http_start(struct http_client *client, const struct http_request *req, http_fn fn,
                             void *ctx);
/* Calls fn with ERR_CANCELLED; the call is gone afterwards. */
void http_cancel(struct http_call *take_call);

/*
 * The next value of a header: *rest starts as res->headers and is advanced behind it.
 * name: in any case.  Returns false when there is none left.
 */
bool http_header_next(struct str *rest, const char *name, struct str *ret_value);
