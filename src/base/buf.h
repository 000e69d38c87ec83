#pragma once
/*
 * Owned text with a maximum: grows on the heap (buf_init) or fills memory of the caller
 * (buf_init_fixed, which never allocates).
 *
 * Appends do not fail loudly: one that would pass the maximum is dropped whole and sets `failed`;
 * it and all further appends are then dropped until buf_clear.  So a caller appends freely, looks
 * at `failed` once, and never has a text with a hole. After init the text is NUL terminated at all
 * times (the NUL does not count in len).
 */
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
    char *ptr;   /* the text; read only for others than this file */
    size_t len;  /* bytes of text, without the NUL */
    size_t cap;  /* bytes at ptr, with the NUL; 0: nothing allocated yet */
    size_t max;  /* greatest len */
    bool owned;  /* ptr is (or will be) of the heap */
    bool failed; /* an append was dropped */
};

/* Empty, growing up to max bytes of text.  Nothing is allocated before the first append. */
void buf_init(struct buf *b, size_t max);
/* Empty, in size >= 1 bytes at mem: at most size - 1 bytes of text. */
void buf_init_fixed(struct buf *b, void *mem, size_t size);
/* Frees what is owned; b is then as if zeroed.  NULL and zeroed are fine. */
void buf_done(struct buf *b);
/* Empties the text, keeps the memory, resets failed. */
void buf_clear(struct buf *b);

void buf_add(struct buf *b, const void *ptr, size_t len);
void buf_add_str(struct buf *b, struct str s);
void buf_add_cstr(struct buf *b, const char *cstr);
void buf_add_char(struct buf *b, char c);
void buf_add_u64(struct buf *b, uint64_t value);
void buf_add_i64(struct buf *b, int64_t value);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints at most size - 1 bytes and a NUL: for texts that may be cut, such as paths in messages. */
void buf_print(char *out, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Removes the first len <= b->len bytes; the rest moves to the front.  Keeps the memory and failed.
 */
void buf_drop_front(struct buf *b, size_t len);

/* View of the text; valid until the next append, clear or done. */
struct str buf_str(const struct buf *b);
