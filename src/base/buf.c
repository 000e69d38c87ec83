/* Owned text with a maximum: see buf.h. */
#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What ptr of an empty growing buf points to: a terminated text before anything is allocated. */
static char empty_text[1];

void buf_init(struct buf *b, size_t max)
{
    *b = (struct buf){.ptr = empty_text, .max = max, .owned = true};
}

void buf_init_fixed(struct buf *b, void *mem, size_t size)
{
    *b = (struct buf){.ptr = mem, .cap = size, .max = size - 1};
    b->ptr[0] = '\0';
}

void buf_done(struct buf *b)
{
    if (b == NULL) {
        return;
    }
    if (b->owned && b->cap > 0) {
        mem_free(b->ptr);
    }
    *b = (struct buf){.ptr = NULL};
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = false;
    if (b->cap > 0) {
        b->ptr[0] = '\0';
    }
}

/* Room for more bytes of text and the NUL; false: the append is to be dropped. */
static bool reserve(struct buf *b, size_t more)
{
    if (b->failed || more > b->max - b->len) {
        b->failed = true;
        return false;
    }
    size_t need = b->len + more + 1;
    if (need <= b->cap) {
        return true;
    }
    if (!b->owned) { /* zeroed, never initialized */
        b->failed = true;
        return false;
    }
    size_t cap = b->cap < 32 ? 64 : b->cap * 2;
    if (cap - 1 > b->max) {
        cap = b->max + 1;
    }
    if (cap < need) {
        cap = need;
    }
    b->ptr = mem_realloc(b->cap > 0 ? b->ptr : NULL, cap);
    b->cap = cap;
    return true;
}

void buf_add(struct buf *b, const void *ptr, size_t len)
{
    if (len == 0 || !reserve(b, len)) {
        return;
    }
    memcpy(b->ptr + b->len, ptr, len);
    b->len += len;
    b->ptr[b->len] = '\0';
}

void buf_drop_front(struct buf *b, size_t len)
{
    if (len > b->len) {
        BUG("%zu bytes are not in a text of %zu", len, b->len);
    }
    if (len > 0) {
        b->len -= len;
        memmove(b->ptr, b->ptr + len, b->len + 1);
    }
}

void buf_add_str(struct buf *b, struct str s)
{
    buf_add(b, s.ptr, s.len);
}

void buf_add_cstr(struct buf *b, const char *cstr)
{
    buf_add_str(b, str_of(cstr));
}

void buf_add_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

void buf_add_u64(struct buf *b, uint64_t value)
{
    char digits[20]; /* 2^64 - 1 has 20 */
    size_t at = sizeof digits;
    do {
        digits[--at] = (char) ('0' + value % 10);
        value /= 10;
    } while (value > 0);
    buf_add(b, digits + at, sizeof digits - at);
}

void buf_add_i64(struct buf *b, int64_t value)
{
    if (value >= 0) {
        buf_add_u64(b, (uint64_t) value);
        return;
    }
    char text[21]; /* -2^63 has 20 */
    struct buf number;
    buf_init_fixed(&number, text, sizeof text);
    buf_add_char(&number, '-');
    buf_add_u64(&number, 0 - (uint64_t) value);
    buf_add_str(b, buf_str(&number));
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);

    size_t room = b->cap > b->len ? b->cap - b->len : 0;
    int n = vsnprintf(room > 0 ? b->ptr + b->len : NULL, room, fmt, args);
    if (n < 0) {
        b->failed = true;
    } else if (reserve(b, (size_t) n)) {
        if ((size_t) n >= room) {
            (void) vsnprintf(b->ptr + b->len, (size_t) n + 1, fmt, again);
        }
        b->len += (size_t) n;
    }
    if (b->cap > 0) {
        b->ptr[b->len] = '\0'; /* a dropped append leaves no trace */
    }
    va_end(again);
    va_end(args);
}

void buf_print(char *out, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    (void) vsnprintf(out, size, fmt, ap);
    va_end(ap);
}

struct str buf_str(const struct buf *b)
{
    return (struct str){b->ptr, b->len};
}
