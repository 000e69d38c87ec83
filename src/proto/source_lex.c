#include "proto/source_lex_int.h"

#include "base/buf.h"
#include "base/num.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

void lex_init(struct lex *lex, struct str whole, const char *shown, struct err *err)
{
    *lex = (struct lex){.whole = whole, .shown = shown, .err = err};
    lex->at = whole.ptr == NULL ? "" : whole.ptr;
    lex->end = lex->at + whole.len;
    if (str_starts_with(whole, STR("\xef\xbb\xbf"))) {
        lex->at += 3;
    }
    lex->before = lex->at;
}

bool lex_pos(struct str text, const char *at, unsigned *ret_line, unsigned *ret_col)
{
    if (at == NULL || text.ptr == NULL || at < text.ptr || at > text.ptr + text.len) {
        return false;
    }
    unsigned line = 1;
    const char *start = text.ptr;
    for (const char *p = text.ptr; p < at; p++) {
        if (*p == '\n') {
            line++;
            start = p + 1;
        }
    }
    *ret_line = line;
    *ret_col = (unsigned) (at - start) + 1;
    return true;
}

__attribute__((format(printf, 3, 0))) static int fail_at(const struct lex *lex, const char *at,
                                                         const char *fmt, va_list args)
{
    char message[sizeof lex->err->msg];
    (void) vsnprintf(message, sizeof message, fmt, args);
    int code = err_set(lex->err, ERR_INVALID, "%s", message);
    if (lex->err != NULL) {
        struct pos pos = {.file = lex->shown};
        (void) lex_pos(lex->whole, at, &pos.line, &pos.col);
        lex->err->pos = pos;
    }
    return code;
}

int lex_fail(const struct lex *lex, const char *at, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int code = fail_at(lex, at, fmt, args);
    va_end(args);
    return code;
}

const char *lex_shown(const struct lex *lex, char out[64])
{
    if (lex->token.kind == LEX_END) {
        bool part = lex->end != lex->whole.ptr + lex->whole.len; /* of an aggregate */
        (void) snprintf(out, 64, "the end of the %s", part ? "value" : "file");
        return out;
    }
    struct str text = lex->token.text;
    const char *quote = lex->token.kind == LEX_STRING ? "" : "\"";
    size_t len = 0;
    for (size_t n; len < 40 && (n = str_utf8_char((struct str){text.ptr + len, text.len - len}));) {
        len += n;
    }
    struct buf b;
    buf_init_fixed(&b, out, 64);
    buf_add_cstr(&b, quote);
    buf_add(&b, text.ptr, len);
    buf_add_cstr(&b, len < text.len ? "..." : "");
    buf_add_cstr(&b, quote);
    return out;
}

int lex_expected(const struct lex *lex, const char *fmt, ...)
{
    char what[256];
    char seen[64];
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return lex_fail(lex, lex->token.text.ptr, "expected %s, not %s", what, lex_shown(lex, seen));
}

/* Moves lex->at to the first byte of a token. */
static int skip_blanks(struct lex *lex)
{
    const char *at = lex->at;
    const char *end = lex->end;
    while (at < end) {
        if (*at == ' ' || (*at >= '\t' && *at <= '\r')) {
            at++;
        } else if (*at == '/' && at + 1 < end && at[1] == '/') {
            const char *line = memchr(at, '\n', (size_t) (end - at));
            at = line == NULL ? end : line + 1;
        } else if (*at == '/' && at + 1 < end && at[1] == '*') {
            const char *close = memmem(at + 2, (size_t) (end - at) - 2, "*/", 2);
            if (close == NULL) {
                return lex_fail(lex, at,
                                "the comment that begins here has no end: close it with */");
            }
            at = close + 2;
        } else {
            break;
        }
    }
    lex->at = at;
    return 0;
}

static const char *skip_digits(const char *at, const char *end)
{
    while (at < end && str_is_digit(*at)) {
        at++;
    }
    return at;
}

/* at: behind the digits before the point, at "." or "e" or what follows the number. */
static int lex_fraction(struct lex *lex, const char *start, const char **at)
{
    const char *p = *at;
    if (p < lex->end && *p == '.') {
        p = skip_digits(p + 1, lex->end);
        lex->token.kind = LEX_FLOAT;
    }
    if (p < lex->end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < lex->end && (*p == '+' || *p == '-')) {
            p++;
        }
        if (p == lex->end || !str_is_digit(*p)) {
            return lex_fail(lex, start, "an exponent needs digits, such as 1e5");
        }
        p = skip_digits(p, lex->end);
        lex->token.kind = LEX_FLOAT;
    }
    *at = p;
    return 0;
}

static int lex_number(struct lex *lex)
{
    const char *start = lex->at;
    const char *at = start;
    lex->token.kind = LEX_INT;
    if (*at == '0' && at + 1 < lex->end && (at[1] == 'x' || at[1] == 'X')) {
        for (at += 2; at < lex->end && str_hex_digit(*at) >= 0;) {
            at++;
        }
        if (at == start + 2) {
            return lex_fail(lex, start, "a hexadecimal number needs digits, such as 0x1f");
        }
    } else if (*at == '0' && at + 1 < lex->end && str_is_digit(at[1])) {
        at = skip_digits(at, lex->end);
        for (const char *p = start; p < at; p++) {
            if (!is_octal(*p)) {
                return lex_fail(lex, start,
                                "\"%.*s\" begins with 0 and so is octal, where the digit %c is not",
                                at - start > 40 ? 40 : (int) (at - start), start, *p);
            }
        }
    } else {
        at = skip_digits(at, lex->end);
        TRY(lex_fraction(lex, start, &at));
    }
    if (at < lex->end && (is_letter(*at) || *at == '.')) {
        return lex_fail(lex, start, "\"%.*s\" is no number",
                        (int) (at - start > 40 ? 40 : at - start + 1), start);
    }
    lex->token.text = (struct str){start, (size_t) (at - start)};
    lex->at = at;
    return 0;
}

static int lex_quoted(struct lex *lex)
{
    const char *start = lex->at;
    const char *at = start + 1;
    while (at < lex->end && *at != *start) {
        if (*at == '\n' || *at == '\0') {
            break;
        }
        at += *at == '\\' && at + 1 < lex->end && at[1] != '\n' ? 2 : 1;
    }
    if (at >= lex->end || *at != *start) {
        return lex_fail(lex, start,
                        "the string that begins here has no end on its line: close it with %c",
                        *start);
    }
    lex->token = (struct lex_token){LEX_STRING, {start, (size_t) (at + 1 - start)}};
    lex->at = at + 1;
    return 0;
}

int lex_next(struct lex *lex)
{
    const char *before = lex->at;
    TRY(skip_blanks(lex));
    const char *at = lex->at;
    lex->before = before;
    if (at == lex->end) {
        lex->token = (struct lex_token){LEX_END, {at, 0}};
        return 0;
    }
    if (is_letter(*at)) {
        const char *p = at + 1;
        while (p < lex->end && (is_letter(*p) || str_is_digit(*p))) {
            p++;
        }
        lex->token = (struct lex_token){LEX_IDENT, {at, (size_t) (p - at)}};
        lex->at = p;
        return 0;
    }
    if (str_is_digit(*at) || (*at == '.' && at + 1 < lex->end && str_is_digit(at[1]))) {
        return lex_number(lex);
    }
    if (*at == '"' || *at == '\'') {
        return lex_quoted(lex);
    }
    if (*at < ' ' || *at > '~') {
        size_t len = str_utf8_char((struct str){at, (size_t) (lex->end - at)});
        if (len > 1) {
            return lex_fail(lex, at, "\"%.*s\" may stand in strings and comments only", (int) len,
                            at);
        }
        return lex_fail(lex, at, "the byte 0x%02x may not stand here",
                        (unsigned) (unsigned char) *at);
    }
    lex->token = (struct lex_token){LEX_SYMBOL, {at, 1}};
    lex->at = at + 1;
    return 0;
}

bool lex_is(const struct lex *lex, const char *text)
{
    return (lex->token.kind == LEX_SYMBOL || lex->token.kind == LEX_IDENT) &&
           str_eq_cstr(lex->token.text, text);
}

int lex_int_value(struct str token, uint64_t max, uint64_t *ret)
{
    unsigned base = 10;
    size_t i = 0;
    if (token.len > 1 && token.ptr[0] == '0') {
        base = token.ptr[1] == 'x' || token.ptr[1] == 'X' ? 16 : 8;
        i = base == 16 ? 2 : 1;
    }
    uint64_t value = 0;
    for (; i < token.len; i++) {
        if (__builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, (uint64_t) str_hex_digit(token.ptr[i]), &value)) {
            return ERR_FULL;
        }
    }
    if (value > max) {
        return ERR_FULL;
    }
    *ret = value;
    return 0;
}

int lex_float_value(struct str token, double *ret)
{
    /* Into the form that num_double reads: 0.5 for .5, 1 for 1., no zeros in front. */
    char text[128];
    struct buf b;
    buf_init_fixed(&b, text, sizeof text);
    size_t i = 0;
    while (i + 1 < token.len && token.ptr[i] == '0' && str_is_digit(token.ptr[i + 1])) {
        i++;
    }
    if (i < token.len && token.ptr[i] == '.') {
        buf_add_char(&b, '0');
    }
    for (; i < token.len; i++) {
        bool bare = token.ptr[i] == '.' && (i + 1 == token.len || !str_is_digit(token.ptr[i + 1]));
        if (!bare) {
            buf_add_char(&b, token.ptr[i]);
        }
    }
    double value = 0;
    if (b.failed) {
        return ERR_FULL;
    }
    int rc = num_double(buf_str(&b), &value);
    if (rc == ERR_INVALID) {
        return rc;
    }
    *ret = rc == ERR_FULL ? (double) INFINITY : value;
    return 0;
}
