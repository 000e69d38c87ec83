/*
 * Any bytes as an HTTP/1.1 answer.  The first byte says how: HEAD or not, and how the bytes are
 * split; at once and split must give the same events, the same rest and the same kind of error.
 */
#include "base/mem.h"
#include "support/h1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_HEADER_BYTES 1024

static size_t whole(void *ctx)
{
    (void) ctx;
    return SIZE_MAX;
}

/* 1 to 8 bytes, in an order that the input sets. */
static size_t pieces(void *ctx)
{
    uint32_t *state = ctx;
    *state = *state * 1103515245u + 12345u;
    return 1 + (*state >> 16) % 8;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct h1_parser one, two;
    struct buf at_once, split;
    struct err err = {.msg = ""}, err_split = {.msg = ""};
    size_t left, left_split;
    if (size == 0) {
        return 0;
    }
    struct str bytes = {(const char *) data + 1, size - 1};
    bool head = (data[0] & 1) != 0;
    uint32_t state = data[0] >> 1;
    buf_init(&at_once, 8 * size + 64);
    buf_init(&split, 8 * size + 64);
    h1_parser_init(&one, head, MAX_HEADER_BYTES);
    h1_parser_init(&two, head, MAX_HEADER_BYTES);
    int rc = h1_run(&one, bytes, whole, NULL, true, &at_once, &left, &err);
    int rc_split = h1_run(&two, bytes, pieces, &state, true, &split, &left_split, &err_split);
    if (rc != rc_split || one.keep_alive != two.keep_alive ||
        !str_eq(buf_str(&at_once), buf_str(&split)) || (rc == 0 && left != left_split)) {
        BUG("split differs: %d \"%s\" %s, %d \"%s\" %s", rc, at_once.ptr, err.msg, rc_split,
            split.ptr, err_split.msg);
    }
    if (at_once.failed || (rc == 0) != h1_ended(&one)) {
        BUG("an answer without end or error");
    }
    if (rc < 0 && (err.msg[0] == '\0' || !str_is_utf8(str_of(err.msg)))) {
        BUG("refused with a wrong message");
    }
    h1_parser_done(&one);
    h1_parser_done(&two);
    buf_done(&at_once);
    buf_done(&split);
    return 0;
}
