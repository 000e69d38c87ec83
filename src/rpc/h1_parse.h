#pragma once
/*
 * The answer to one HTTP/1.1 request (RFC 9112), bytes in, events out.  Pure: no socket, no clock.
 *
 *     h1_parser_init(&p, head, max_header_bytes);
 *     for each block of bytes:
 *         while ((event = h1_next(&p, &input, &item, &err)) > H1_MORE) ...
 *         event < 0: broken, the connection has to be closed
 *     at the end of the bytes: h1_eof(&p, &err)
 *
 * Events: STATUS, HEADER..., HEADERS_END, BODY..., TRAILER..., END.  In whatever blocks the bytes
 * come, the events are the same, but for the borders between BODY pieces.  Interim answers (1xx)
 * are skipped.
 *
 * It is strict, as a reader that guesses hides what another reader will see otherwise: lines end
 * in CR LF, headers are not folded, a length is said once and not beside chunks, nothing but
 * "chunked" is a transfer coding.
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum h1_event {
    H1_MORE = 0,    /* the input is used up; after END: nothing more is taken of it */
    H1_STATUS,      /* item.status; item.value: the reason */
    H1_HEADER,      /* item.name in lower case, item.value without blanks around it */
    H1_HEADERS_END, /* p->keep_alive is now known */
    H1_BODY,        /* item.value: a piece, not empty */
    H1_TRAILER,     /* as HEADER */
    H1_END,         /* exactly once; p->keep_alive: another request may follow */
};

struct h1_item {
    unsigned status;
    struct str name, value; /* valid until the next call */
};

struct h1_parser {
    bool keep_alive; /* the connection may be used again after END */
    unsigned status;
    /* private */
    int state;
    bool head; /* of a HEAD request: no body comes */
    bool http10, says_close, says_keep_alive, chunked, has_length;
    unsigned interims;       /* answers skipped */
    uint64_t length, left;   /* of the body or the chunk */
    size_t max_header_bytes; /* of status line and headers, and of trailers */
    size_t header_bytes;     /* so far */
    struct buf line;         /* the line that is not whole yet */
    struct buf name;         /* of the header handed out */
    bool line_given;         /* line was handed out and can go */
};

void h1_parser_init(struct h1_parser *p, bool head, size_t max_header_bytes);
/* NULL and zeroed are fine. */
void h1_parser_done(struct h1_parser *p);

/*
 * The next event; *input is moved behind what was taken.  ERR_INVALID: no answer as it should be,
 * ERR_FULL: headers above max_header_bytes.  After an error or END it may not be called again with
 * the hope of more.
 */
int h1_next(struct h1_parser *p, struct str *input, struct h1_item *ret, struct err *err)
    __attribute__((warn_unused_result));

/*
 * The other side closed: H1_END when that ends the body (no length was said), H1_MORE when END was
 * given already, else ERR_UNREACHABLE: the answer is cut off.
 */
int h1_eof(struct h1_parser *p, struct err *err) __attribute__((warn_unused_result));

/* Whether END was given. */
bool h1_ended(const struct h1_parser *p);
