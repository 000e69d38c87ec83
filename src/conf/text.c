/* Lines and characters of YAML text: see text_int.h. */
#include "conf/text_int.h"

#include "base/buf.h"

#include <stdbool.h>
#include <stdio.h>

enum { QUOTE_CHARS = 32, QUOTE_BYTES = 56, REPLACEMENT = 0xfffd, BYTE_ORDER_MARK = 0xfeff };

static bool has_prefix(struct str s, const char *prefix, size_t len)
{
    return str_starts_with(s, (struct str){prefix, len});
}

size_t text_break(struct str s)
{
    if (s.len == 0) {
        return 0;
    }
    switch ((uint8_t) s.ptr[0]) {
    case '\n':
        return 1;
    case '\r':
        return s.len > 1 && s.ptr[1] == '\n' ? 2 : 1;
    case 0xc2:
        return has_prefix(s, "\xc2\x85", 2) ? 2 : 0;
    case 0xe2:
        return has_prefix(s, "\xe2\x80\xa8", 3) || has_prefix(s, "\xe2\x80\xa9", 3) ? 3 : 0;
    default:
        return 0;
    }
}

static void skip(struct str *s, size_t n)
{
    s->ptr += n;
    s->len -= n;
}

struct str text_line(struct str text, unsigned line)
{
    for (unsigned at = 1; at < line;) {
        if (text.len == 0) {
            return (struct str){NULL, 0};
        }
        size_t n = text_break(text);
        at += n > 0;
        skip(&text, n > 0 ? n : 1);
    }
    struct str found = {text.ptr, 0};
    while (text.len > 0 && text_break(text) == 0) {
        skip(&text, 1);
        found.len++;
    }
    return found;
}

uint32_t text_char(struct str s, size_t *ret_bytes)
{
    static const uint8_t mask[5] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    size_t n = str_utf8_char(s);
    if (n == 0) {
        *ret_bytes = 1;
        return REPLACEMENT;
    }
    uint32_t c = (uint8_t) s.ptr[0] & mask[n];
    for (size_t i = 1; i < n; i++) {
        c = c << 6 | ((uint8_t) s.ptr[i] & 0x3f);
    }
    *ret_bytes = n;
    return c;
}

struct str text_from_col(struct str line, unsigned col)
{
    for (unsigned at = 1; at < col && line.len > 0; at++) {
        size_t n;
        (void) text_char(line, &n);
        skip(&line, n);
    }
    return line;
}

struct range {
    uint32_t first, last;
};

static bool in_ranges(uint32_t c, const struct range *range, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (c >= range[i].first && c <= range[i].last) {
            return true;
        }
    }
    return false;
}

/* The large blocks of Unicode's EastAsianWidth W and F, and of marks that combine. */
unsigned text_char_columns(uint32_t c)
{
    static const struct range wide[] = {
        {0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
        {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},
        {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
        {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
    };
    static const struct range combining[] = {
        {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x064b, 0x065f}, {0x1ab0, 0x1aff},
        {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0x3099, 0x309a}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
    };
    if (c < 0x300) {
        return 1;
    }
    if (in_ranges(c, combining, sizeof combining / sizeof combining[0])) {
        return 0;
    }
    return in_ranges(c, wide, sizeof wide / sizeof wide[0]) ? 2 : 1;
}

/* Besides control characters: those without width and those that change the direction of text. */
bool text_char_harmless(uint32_t c)
{
    static const struct range bad[] = {
        {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},     {0x061c, 0x061c}, {0x200b, 0x200f},
        {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe0fff},
    };
    return !in_ranges(c, bad, sizeof bad / sizeof bad[0]);
}

/* c-printable of YAML 1.2 section 5.1, as libyaml reads it. */
static bool is_allowed(uint32_t c)
{
    return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c <= 0x7e) || c == 0x85 ||
           (c >= 0xa0 && c <= 0xfffd && c != BYTE_ORDER_MARK) || c >= 0x10000;
}

static int refuse_char(uint32_t c, struct err *err)
{
    if (c == BYTE_ORDER_MARK) {
        return err_set(err, ERR_INVALID,
                       "a byte order mark (U+FEFF) inside the text: it may only be the very first "
                       "character; remove it");
    }
    return err_set(err, ERR_INVALID,
                   "the control character U+%04X: only tabs and line breaks may be in YAML; in a "
                   "text in double quotes write \"\\x%02X\"",
                   (unsigned) c, (unsigned) c);
}

static int refuse_byte(struct str rest, bool first, struct err *err)
{
    if (first && (has_prefix(rest, "\xff\xfe", 2) || has_prefix(rest, "\xfe\xff", 2))) {
        return err_set(err, ERR_INVALID, "the file is UTF-16: save it as UTF-8");
    }
    return err_set(err, ERR_INVALID, "the byte 0x%02X is not UTF-8: save the file as UTF-8",
                   (unsigned) (uint8_t) rest.ptr[0]);
}

int text_check(struct str text, struct err *err)
{
    struct pos pos = {NULL, 1, 1};
    struct str rest = text;
    while (rest.len > 0) {
        size_t n = str_utf8_char(rest), line_break = text_break(rest);
        if (n == 0) {
            (void) refuse_byte(rest, rest.ptr == text.ptr, err);
            break;
        }
        uint32_t c = text_char(rest, &n);
        if (!is_allowed(c)) {
            (void) refuse_char(c, err);
            break;
        }
        if (line_break > 0) {
            pos.line++;
            pos.col = 1;
        } else {
            pos.col++;
        }
        skip(&rest, line_break > 0 ? line_break : n);
    }
    if (rest.len == 0) {
        return 0;
    }
    if (err != NULL) {
        err->pos = pos;
    }
    return ERR_INVALID;
}

/* At most QUOTE_CHARS characters; many long ones end it earlier, at QUOTE_BYTES with the NUL. */
const char *text_quote(struct str s, char out[64])
{
    const char quote =
        str_find_char(s, '"') < s.len && str_find_char(s, '\'') == s.len ? '\'' : '"';
    struct buf b;
    buf_init_fixed(&b, out, 64);
    buf_add_char(&b, quote);
    for (unsigned i = 0; s.len > 0; i++) {
        size_t n;
        uint32_t c = text_char(s, &n);
        if (!text_char_harmless(c) || i == QUOTE_CHARS ||
            b.len + n + sizeof "...\"" > QUOTE_BYTES) {
            buf_add_cstr(&b, "...");
            break;
        }
        buf_add(&b, s.ptr, n);
        skip(&s, n);
    }
    buf_add_char(&b, quote);
    return out;
}

const char *text_seen(struct str text, unsigned line, unsigned col, char out[64])
{
    struct str whole = text_line(text, line), rest = text_from_col(whole, col),
               word = {rest.ptr, 0};
    if (whole.ptr == NULL || (rest.len == 0 && whole.ptr + whole.len == text.ptr + text.len)) {
        return "end of the file";
    }
    if (rest.len == 0) {
        return "end of the line";
    }
    if (rest.ptr[0] == '\t') {
        return "tab";
    }
    if (rest.ptr[0] == ' ') {
        return "blank";
    }
    while (word.len < rest.len && rest.ptr[word.len] != ' ' && rest.ptr[word.len] != '\t') {
        word.len++;
    }
    return text_quote(word, out);
}
