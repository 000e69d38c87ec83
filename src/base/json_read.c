/*
 * JSON text: the reader.  See json.h.
 *
 * The state says what may come next:
 *     VALUE        a value                      -> AFTER, or FIRST_ITEM / FIRST_KEY behind [ or {
 *     FIRST_ITEM   a value or ]                 -> as VALUE, or AFTER
 *     FIRST_KEY    a key with its colon, or }   -> VALUE, or AFTER
 *     KEY          a key with its colon         -> VALUE
 *     AFTER        , or the bracket that closes the container; at depth 0 the end of the text
 *     END, FAILED  nothing: both stay
 */
#include "base/json.h"

#include "base/err.h"
#include "base/num.h"

#include <stdio.h>
#include <string.h>

enum state { VALUE, FIRST_ITEM, FIRST_KEY, KEY, AFTER, END, FAILED };

void json_reader_init(struct json_reader *r, struct str text)
{
    json_reader_init_deep(r, text, JSON_READER_DEPTH);
}

void json_reader_init_deep(struct json_reader *r, struct str text, unsigned max_depth)
{
    *r = (struct json_reader){
        .text = text,
        .state = VALUE,
        .max_depth = max_depth < JSON_READER_DEPTH_MAX ? max_depth : JSON_READER_DEPTH_MAX};
}

static enum json_token fail(struct json_reader *r, size_t at, const char *error)
{
    r->state = FAILED;
    r->at = at;
    r->error = at < r->text.len ? error : "the text ends too early";
    r->value = (struct str){NULL, 0};
    r->escaped = false;
    return JSON_ERROR;
}

/* The next byte that is not white space; 0 at the end of the text (NUL is never valid JSON). */
static char peek(struct json_reader *r)
{
    for (; r->off < r->text.len; r->off++) {
        char c = r->text.ptr[r->off];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
            return c;
        }
    }
    return '\0';
}

static bool in_object(const struct json_reader *r)
{
    return (r->is_obj[r->depth / 32] >> r->depth % 32 & 1) != 0;
}

static enum json_token take(struct json_reader *r, size_t len, enum json_token token)
{
    r->value = (struct str){r->text.ptr + r->at, len};
    r->off = r->at + len;
    r->state = AFTER;
    return token;
}

/* The code unit of four hex digits, or -1. */
static int hex4(struct str s)
{
    int unit = 0;
    if (s.len < 4) {
        return -1;
    }
    for (size_t i = 0; i < 4; i++) {
        int digit = str_hex_digit(s.ptr[i]);
        if (digit < 0) {
            return -1;
        }
        unit = unit << 4 | digit;
    }
    return unit;
}

/* Length of the escape that begins at the backslash, 0 when it is malformed. */
static size_t escape_len(struct str s)
{
    if (s.len < 2 || s.ptr[1] == '\0' || strchr("\"\\/bfnrtu", s.ptr[1]) == NULL) {
        return 0;
    }
    if (s.ptr[1] != 'u') {
        return 2;
    }
    return hex4((struct str){s.ptr + 2, s.len - 2}) < 0 ? 0 : 6;
}

static enum json_token read_string(struct json_reader *r, enum json_token token)
{
    size_t i = r->at + 1;
    bool escaped = false;
    while (i < r->text.len && r->text.ptr[i] != '"') {
        struct str rest = {r->text.ptr + i, r->text.len - i};
        size_t n;
        if ((unsigned char) *rest.ptr < 0x20) {
            return fail(r, i, "a control character in a string must be escaped");
        }
        if (*rest.ptr == '\\') {
            escaped = true;
            n = escape_len(rest);
        } else {
            n = str_utf8_char(rest);
        }
        if (n == 0) {
            return fail(r, i, *rest.ptr == '\\' ? "malformed escape" : "invalid UTF-8");
        }
        i += n;
    }
    if (i == r->text.len) {
        return fail(r, i, NULL);
    }
    r->value = (struct str){r->text.ptr + r->at + 1, i - r->at - 1};
    r->escaped = escaped;
    r->off = i + 1;
    r->state = AFTER;
    return token;
}

static enum json_token read_key(struct json_reader *r)
{
    if (peek(r) != '"') {
        return fail(r, r->off, "expected a key in quotes");
    }
    if (read_string(r, JSON_KEY) == JSON_ERROR) {
        return JSON_ERROR;
    }
    if (peek(r) != ':') {
        return fail(r, r->off, "expected ':' after the key");
    }
    r->off++;
    r->state = VALUE;
    return JSON_KEY;
}

static enum json_token open_container(struct json_reader *r, bool is_obj)
{
    if (r->depth == r->max_depth) {
        (void) snprintf(r->message, sizeof r->message, "nested too deep (the limit is %u)",
                        r->max_depth);
        return fail(r, r->at, r->message);
    }
    r->depth++;
    uint32_t bit = UINT32_C(1) << r->depth % 32, *word = &r->is_obj[r->depth / 32];
    *word = is_obj ? *word | bit : *word & ~bit;
    (void) take(r, 1, JSON_OBJ_BEGIN);
    r->state = is_obj ? FIRST_KEY : FIRST_ITEM;
    return is_obj ? JSON_OBJ_BEGIN : JSON_ARR_BEGIN;
}

static enum json_token close_container(struct json_reader *r)
{
    enum json_token token = in_object(r) ? JSON_OBJ_END : JSON_ARR_END;
    r->depth--;
    return take(r, 1, token);
}

static enum json_token read_word(struct json_reader *r, struct str word, enum json_token token)
{
    struct str rest = {r->text.ptr + r->at, r->text.len - r->at};
    if (!str_starts_with(rest, word)) {
        return fail(r, r->at, "expected a value");
    }
    return take(r, word.len, token);
}

static enum json_token read_number(struct json_reader *r)
{
    size_t end = r->at;
    while (end < r->text.len && r->text.ptr[end] != '\0' &&
           strchr("0123456789+-.eE", r->text.ptr[end]) != NULL) {
        end++;
    }
    if (!num_is_decimal((struct str){r->text.ptr + r->at, end - r->at})) {
        return fail(r, r->at, "malformed number");
    }
    return take(r, end - r->at, JSON_NUMBER);
}

static enum json_token read_value(struct json_reader *r)
{
    switch (peek(r)) {
    case '{':
        return open_container(r, true);
    case '[':
        return open_container(r, false);
    case '"':
        return read_string(r, JSON_STRING);
    case 't':
        return read_word(r, STR("true"), JSON_TRUE);
    case 'f':
        return read_word(r, STR("false"), JSON_FALSE);
    case 'n':
        return read_word(r, STR("null"), JSON_NULL);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return read_number(r);
    default:
        return fail(r, r->off, "expected a value");
    }
}

/* Behind a value: the comma is eaten here, so that the token of this call is what follows it. */
static enum json_token read_after(struct json_reader *r)
{
    char c = peek(r);
    if (r->depth == 0) {
        if (r->off < r->text.len) {
            return fail(r, r->off, "more text after the value");
        }
        r->state = END;
        return JSON_END;
    }
    if (c == (in_object(r) ? '}' : ']')) {
        return close_container(r);
    }
    if (c != ',') {
        return fail(r, r->off, in_object(r) ? "expected ',' or '}'" : "expected ',' or ']'");
    }
    r->off++;
    (void) peek(r);
    r->at = r->off;
    return in_object(r) ? read_key(r) : read_value(r);
}

enum json_token json_next(struct json_reader *r)
{
    r->value = (struct str){NULL, 0};
    r->escaped = false;
    if (r->state == FAILED) {
        return JSON_ERROR;
    }
    char c = peek(r);
    r->at = r->off;
    switch ((enum state) r->state) {
    case VALUE:
        return read_value(r);
    case FIRST_ITEM:
        return c == ']' ? close_container(r) : read_value(r);
    case FIRST_KEY:
        return c == '}' ? close_container(r) : read_key(r);
    case KEY:
        return read_key(r);
    case AFTER:
        return read_after(r);
    case END:
        return JSON_END;
    case FAILED:
        break;
    }
    return JSON_ERROR;
}

int json_skip(struct json_reader *r)
{
    unsigned depth = r->depth;
    enum json_token token = json_next(r);
    if (token == JSON_KEY || token == JSON_OBJ_END || token == JSON_ARR_END) {
        return ERR_INVALID;
    }
    while (token > JSON_END && r->depth > depth) {
        token = json_next(r);
    }
    return token > JSON_END ? 0 : ERR_INVALID;
}

void json_reader_pos(const struct json_reader *r, unsigned *ret_line, unsigned *ret_col)
{
    unsigned line = 1, col = 1;
    for (size_t i = 0; i < r->at && i < r->text.len; i++) {
        if (r->text.ptr[i] == '\n') {
            line++;
            col = 1;
        } else {
            col++;
        }
    }
    *ret_line = line;
    *ret_col = col;
}

/*
 * The code point of the escape at the start of s, or of the surrogate pair of two escapes.
 * Returns the bytes read; 0: malformed or a lone surrogate.
 */
static size_t decode_escape(struct str s, uint32_t *ret_char)
{
    static const char letters[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    size_t n = escape_len(s);
    if (n == 2) {
        *ret_char = (uint8_t) bytes[strchr(letters, s.ptr[1]) - letters];
    }
    if (n != 6) {
        return n;
    }
    uint32_t unit = (uint32_t) hex4((struct str){s.ptr + 2, 4});
    if (unit >= 0xd800 && unit <= 0xdbff) {
        struct str next = {s.ptr + 6, s.len - 6};
        if (escape_len(next) != 6) {
            return 0;
        }
        uint32_t low = (uint32_t) hex4((struct str){next.ptr + 2, 4});
        if (low < 0xdc00 || low > 0xdfff) {
            return 0;
        }
        *ret_char = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
        return 12;
    }
    if (unit >= 0xdc00 && unit <= 0xdfff) {
        return 0;
    }
    *ret_char = unit;
    return 6;
}

static int unescape(struct str raw, bool nul, char *out, size_t size, struct str *ret)
{
    size_t len = 0;
    while (raw.len > 0) {
        char bytes[4] = {raw.ptr[0]};
        size_t nread = 1, nbytes = 1;
        if (raw.ptr[0] == '\\') {
            uint32_t c = 0;
            nread = decode_escape(raw, &c);
            nbytes = str_utf8_encode(c, bytes);
        }
        if (nread == 0 || (bytes[0] == '\0' && !nul)) {
            return ERR_INVALID;
        }
        if (len + nbytes >= size) {
            return ERR_FULL;
        }
        memcpy(out + len, bytes, nbytes);
        len += nbytes;
        raw.ptr += nread;
        raw.len -= nread;
    }
    if (len >= size) {
        return ERR_FULL;
    }
    out[len] = '\0';
    *ret = (struct str){out, len};
    return 0;
}

int json_unescape(struct str raw, char *out, size_t size, struct str *ret)
{
    return unescape(raw, false, out, size, ret);
}

int json_unescape_nul(struct str raw, char *out, size_t size, struct str *ret)
{
    return unescape(raw, true, out, size, ret);
}
