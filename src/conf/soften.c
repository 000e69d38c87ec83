#include "conf/soften_int.h"

#include "base/buf.h"

#include <string.h>

/* U+F8F0 to U+F8F3 stand for { } [ ]; a text that has them, or an escape of one, is left alone. */
static const char brackets[] = "{}[]";
#define FIRST_BYTES "\xef\xa3"
#define THIRD_BYTE  0xb0

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* Bytes of ${NAME} at the start of s, or 0. */
static size_t variable_len(struct str s)
{
    size_t i = 2;
    if (s.len < 4 || s.ptr[0] != '$' || s.ptr[1] != '{' || !is_word(s.ptr[2]) ||
        str_is_digit(s.ptr[2])) {
        return 0;
    }
    while (i < s.len && (is_word(s.ptr[i]) || s.ptr[i] == '.' || s.ptr[i] == '-')) {
        i++;
    }
    return i < s.len && s.ptr[i] == '}' ? i + 1 : 0;
}

/* Bytes of [N] or [*] at the start of s, or 0. */
static size_t index_len(struct str s)
{
    size_t i = 1;
    if (s.len < 3 || s.ptr[0] != '[') {
        return 0;
    }
    if (s.ptr[1] == '*') {
        i = 2;
    }
    while (i < s.len && i < 10 && str_is_digit(s.ptr[i])) {
        i++;
    }
    return i > 1 && i < s.len && s.ptr[i] == ']' ? i + 1 : 0;
}

/* Whether an escape of one of the private characters begins at this backslash: \uF8F0. */
static bool is_escape(struct str s)
{
    const struct str forms[] = {STR("\\uf8f"), STR("\\U0000f8f")};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct str head = {s.ptr, s.len < forms[i].len ? s.len : forms[i].len};
        if (str_eq_nocase(head, forms[i])) {
            return true;
        }
    }
    return false;
}

/* Whether the private characters stand in the text already, or could come out of an escape. */
static bool is_taken(struct str text)
{
    if (memmem(text.ptr, text.len, FIRST_BYTES, 2) != NULL) {
        return true;
    }
    for (size_t at = str_find_char(text, '\\'); at < text.len;) {
        text = (struct str){text.ptr + at, text.len - at};
        if (is_escape(text)) {
            return true;
        }
        text = (struct str){text.ptr + 1, text.len - 1};
        at = str_find_char(text, '\\');
    }
    return false;
}

static void add_private(struct buf *b, char bracket)
{
    buf_add_cstr(b, FIRST_BYTES);
    buf_add_char(b, (char) (THIRD_BYTE + (strchr(brackets, bracket) - brackets)));
}

struct str conf_soften(struct str text, struct arena *arena)
{
    struct buf b;
    size_t done = 0;
    if (is_taken(text)) {
        return text;
    }
    buf_init(&b, text.len * 3 + 1);
    for (size_t i = 0; i < text.len; i++) {
        struct str rest = {text.ptr + i, text.len - i};
        size_t variable = variable_len(rest);
        size_t len = variable;
        if (len == 0 && i > 0 && is_word(text.ptr[i - 1])) {
            len = index_len(rest);
        }
        if (len == 0) {
            continue;
        }
        size_t open = variable > 0 ? i + 1 : i, close = i + len - 1;
        buf_add(&b, text.ptr + done, open - done);
        add_private(&b, text.ptr[open]);
        buf_add(&b, text.ptr + open + 1, close - open - 1);
        add_private(&b, text.ptr[close]);
        done = close + 1;
        i = close;
    }
    if (done == 0) {
        return text;
    }
    buf_add(&b, text.ptr + done, text.len - done);
    struct str soft = {arena_strdup(arena, buf_str(&b)), b.len};
    buf_done(&b);
    return soft;
}

size_t conf_harden(char *text, size_t len)
{
    char *first = memmem(text, len, FIRST_BYTES, 2);
    if (first == NULL) {
        return len;
    }
    size_t to = (size_t) (first - text);
    for (size_t i = to; i < len; i++) {
        unsigned char third = i + 2 < len ? (unsigned char) text[i + 2] : 0;
        if (third >= THIRD_BYTE && third < THIRD_BYTE + 4 &&
            memcmp(text + i, FIRST_BYTES, 2) == 0) {
            text[to++] = brackets[third - THIRD_BYTE];
            i += 2;
        } else {
            text[to++] = text[i];
        }
    }
    text[to] = '\0';
    return to;
}
