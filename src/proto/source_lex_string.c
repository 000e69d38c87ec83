/* What string literals stand for. */
#include "proto/source_lex_int.h"

#include <string.h>

struct out {
    char *ptr;
    size_t len;
};

static int digit_of(char c, unsigned base)
{
    int value = str_hex_digit(c);
    return value < (int) base ? value : -1;
}

/* At most max digits at *at; returns how many there were. */
static size_t read_digits(const char **at, const char *end, unsigned base, size_t max,
                          uint32_t *ret)
{
    size_t n = 0;
    uint32_t value = 0;
    for (; n < max && *at < end && digit_of(**at, base) >= 0; n++, (*at)++) {
        value = value * base + (uint32_t) digit_of(**at, base);
    }
    *ret = value;
    return n;
}

static void add_utf8(struct out *out, uint32_t c)
{
    out->len += str_utf8_encode(c, out->ptr + out->len);
}

/* \u and \U; *at is behind the letter.  A pair of surrogates is one character. */
static int add_unicode(const struct lex *lex, const char **at, const char *end, struct out *out)
{
    const char *start = *at - 2;
    size_t wanted = (*at)[-1] == 'u' ? 4 : 8;
    uint32_t c = 0;
    if (read_digits(at, end, 16, wanted, &c) < wanted) {
        return lex_fail(lex, start, "\\%c needs %zu hexadecimal digits", start[1], wanted);
    }
    if (c > 0x10ffff) {
        return lex_fail(lex, start, "\\U%08x is no character: the last is \\U0010ffff", c);
    }
    if (c >= 0xd800 && c < 0xdc00 && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
        const char *low_at = *at + 2;
        uint32_t low = 0;
        if (read_digits(&low_at, end, 16, 4, &low) == 4 && low >= 0xdc00 && low < 0xe000) {
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
            *at = low_at;
        }
    }
    add_utf8(out, c);
    return 0;
}

/* *at is behind the backslash; what an escape stands for is never longer than itself. */
static int add_escape(const struct lex *lex, const char **at, const char *end, struct out *out)
{
    static const char LETTERS[] = "abfnrtv\\?'\"";
    static const char MEANT[] = "\a\b\f\n\r\t\v\\?'\"";
    char c = **at;
    const char *start = *at - 1;
    uint32_t value = 0;
    if (c >= '0' && c <= '7') {
        (void) read_digits(at, end, 8, 3, &value);
        out->ptr[out->len++] = (char) (unsigned char) value;
        return 0;
    }
    (*at)++;
    if (c == 'x' || c == 'X') {
        if (read_digits(at, end, 16, 2, &value) == 0) {
            return lex_fail(lex, start, "\\x needs hexadecimal digits, such as \\x1f");
        }
        out->ptr[out->len++] = (char) (unsigned char) value;
        return 0;
    }
    if (c == 'u' || c == 'U') {
        return add_unicode(lex, at, end, out);
    }
    const char *letter = c == '\0' ? NULL : strchr(LETTERS, c);
    if (letter == NULL) {
        return lex_fail(
            lex, start,
            "\\%c is no escape; there are \\a \\b \\f \\n \\r \\t \\v \\\\ \\? \\' \\\" \\123 "
            "\\x1f \\u1234 \\U00012345",
            c > ' ' && c <= '~' ? c : '?');
    }
    out->ptr[out->len++] = MEANT[letter - LETTERS];
    return 0;
}

static int add_literal(const struct lex *lex, struct str text, struct out *out)
{
    const char *at = text.ptr + 1;
    const char *end = text.ptr + text.len - 1;
    while (at < end) {
        const char *escape = memchr(at, '\\', (size_t) (end - at));
        size_t plain = (size_t) ((escape == NULL ? end : escape) - at);
        memcpy(out->ptr + out->len, at, plain);
        out->len += plain;
        at += plain;
        if (escape != NULL) {
            at++;
            TRY(add_escape(lex, &at, end, out));
        }
    }
    return 0;
}

int lex_string(struct lex *lex, struct arena *arena, struct str *ret)
{
    struct str first = lex->token.text;
    TRY(lex_next(lex));
    if (lex->token.kind != LEX_STRING && memchr(first.ptr, '\\', first.len) == NULL) {
        *ret = (struct str){first.ptr + 1, first.len - 2};
        return 0;
    }
    /* A first pass over the neighbors, for how long it can become. */
    struct lex ahead = *lex;
    size_t most = first.len;
    while (ahead.token.kind == LEX_STRING) {
        most += ahead.token.text.len;
        TRY(lex_next(&ahead));
    }
    struct out out = {arena_alloc(arena, most), 0};
    if (out.ptr == NULL) {
        return err_set(lex->err, ERR_FULL, "the descriptors of \"%s\" are too large", lex->shown);
    }
    TRY(add_literal(lex, first, &out));
    while (lex->token.kind == LEX_STRING) {
        TRY(add_literal(lex, lex->token.text, &out));
        TRY(lex_next(lex));
    }
    *ret = (struct str){out.ptr, out.len};
    return 0;
}
