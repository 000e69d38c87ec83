#pragma once
/*
 * Runs a whole HTTP/1.1 answer through the parser and writes down what comes out, so that a test
 * can compare it: "200 OK|server: x|.|hello|end".  Pieces of the body are joined.
 */
#include "base/buf.h"
#include "rpc/h1_parse.h"

static inline void h1_write_event(int event, const struct h1_item *item, bool *in_body,
                                  struct buf *out)
{
    if (event != H1_BODY && *in_body) {
        buf_add_char(out, '|');
        *in_body = false;
    }
    if (event == H1_STATUS) {
        buf_addf(out, "%u ", item->status);
        buf_add_str(out, item->value);
        buf_add_char(out, '|');
    } else if (event == H1_HEADER || event == H1_TRAILER) {
        buf_add_str(out, item->name);
        buf_add_cstr(out, event == H1_TRAILER ? ":: " : ": ");
        buf_add_str(out, item->value);
        buf_add_char(out, '|');
    } else if (event == H1_HEADERS_END) {
        buf_add_cstr(out, ".|");
    } else if (event == H1_BODY) {
        buf_add_str(out, item->value);
        *in_body = true;
    } else if (event == H1_END) {
        buf_add_cstr(out, "end");
    }
}

/*
 * The bytes in blocks of next(ctx) bytes (at least 1), then the end when eof.  Returns 0 or the
 * error; ret_left: bytes that were not taken.
 */
static inline int h1_run(struct h1_parser *p, struct str bytes, size_t (*next)(void *ctx),
                         void *ctx, bool eof, struct buf *out, size_t *ret_left, struct err *err)
{
    bool in_body = false;
    int event = H1_MORE;
    struct h1_item item = {.status = 0};
    while (bytes.len > 0 && !h1_ended(p)) {
        size_t n = next(ctx);
        n = n < bytes.len ? n : bytes.len;
        struct str block = {bytes.ptr, n};
        while ((event = h1_next(p, &block, &item, err)) > H1_MORE) {
            h1_write_event(event, &item, &in_body, out);
        }
        bytes = (struct str){bytes.ptr + n - block.len, bytes.len - n + block.len};
        if (event < 0) {
            break;
        }
    }
    *ret_left = bytes.len;
    if (event == H1_MORE && eof) {
        event = h1_eof(p, err);
        if (event > H1_MORE) {
            h1_write_event(event, &item, &in_body, out);
        }
    }
    return event < 0 ? event : 0;
}
