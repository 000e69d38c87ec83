/*
 * How a text is written as a YAML scalar.  Plain is what no reader of YAML 1.1 or 1.2 takes for
 * something else; that is narrower than what the grammar allows, and easier to be sure of.
 */
#include "conf/scalar_int.h"

#include "conf/text_int.h"

#include <string.h>

static const struct str replacement = {"\xef\xbf\xbd", 3};

/* Words that some reader takes for null, a truth value, a number or a key with a meaning. */
static bool is_reserved(struct str text)
{
    static const char *const words[] = {"null", "true", "false", "yes",  "no",  "on",  "off",
                                        "y",    "n",    ".inf",  ".nan", "inf", "nan", "infinity"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (str_eq_nocase(text, str_of(words[i]))) {
            return true;
        }
    }
    return false;
}

/* 12, 0x1f, 1e3, 1_000, 12:30:45, 2024-01-31: all that begins so and has only such characters. */
static bool looks_like_number(struct str text)
{
    static const char number[] = "0123456789abcdefABCDEFxXoO_+-.:";
    size_t first = text.ptr[0] == '.' && text.len > 1 ? 1 : 0;
    if (text.ptr[first] < '0' || text.ptr[first] > '9') {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        if (memchr(number, text.ptr[i], sizeof number - 1) == NULL) {
            return false;
        }
    }
    return true;
}

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool may_begin_plain(char c)
{
    return is_alnum(c) || (unsigned char) c >= 0x80 || strchr("_/.$()^+<;\\", c) != NULL;
}

/* The character at i may stand in a plain scalar with these neighbors. */
static bool is_plain_at(struct str text, size_t i, bool flow)
{
    switch (text.ptr[i]) {
    case ':':
        return i + 1 < text.len && (is_alnum(text.ptr[i + 1]) || text.ptr[i + 1] == '/');
    case '#':
        return text.ptr[i - 1] != ' ';
    case ',':
    case '[':
    case ']':
    case '{':
    case '}':
        return !flow;
    default:
        return true;
    }
}

static bool is_harmless(struct str text)
{
    size_t n;
    for (; text.len > 0; text = (struct str){text.ptr + n, text.len - n}) {
        uint32_t c = text_char(text, &n);
        /* Bad UTF-8 and what is no character of YAML need an escape. */
        if (!text_char_harmless(c) || str_utf8_char(text) == 0 || (c & 0xfffe) == 0xfffe) {
            return false;
        }
    }
    return true;
}

static bool is_plain(struct str text, bool flow)
{
    if (text.len == 0 || text.ptr[0] == '\0' || !may_begin_plain(text.ptr[0]) ||
        text.ptr[text.len - 1] == ' ' || is_reserved(text) || looks_like_number(text) ||
        str_starts_with(text, STR("...")) || str_starts_with(text, STR("<<")) ||
        text.ptr[0] == '+') {
        return false;
    }
    for (size_t i = 1; i < text.len; i++) {
        if (!is_plain_at(text, i, flow)) {
            return false;
        }
    }
    return is_harmless(text);
}

static void add_escape(struct buf *b, uint32_t c)
{
    switch (c) {
    case '\n':
        buf_add_cstr(b, "\\n");
        break;
    case '\r':
        buf_add_cstr(b, "\\r");
        break;
    case '\t':
        buf_add_cstr(b, "\\t");
        break;
    case '"':
        buf_add_cstr(b, "\\\"");
        break;
    case '\\':
        buf_add_cstr(b, "\\\\");
        break;
    default:
        buf_addf(b, c < 0x100 ? "\\x%02X" : c < 0x10000 ? "\\u%04X" : "\\U%08X", (unsigned) c);
    }
}

static void add_double(struct buf *b, struct str text)
{
    size_t n;
    buf_add_char(b, '"');
    for (; text.len > 0; text = (struct str){text.ptr + n, text.len - n}) {
        uint32_t c = text_char(text, &n);
        if (str_utf8_char(text) == 0) {
            buf_add_str(b, replacement);
        } else if (c == '"' || c == '\\' || !text_char_harmless(c) || (c & 0xfffe) == 0xfffe) {
            add_escape(b, c);
        } else {
            buf_add(b, text.ptr, n);
        }
    }
    buf_add_char(b, '"');
}

static void add_single(struct buf *b, struct str text)
{
    buf_add_char(b, '\'');
    for (size_t i = 0; i < text.len; i++) {
        buf_add_cstr(b, text.ptr[i] == '\'' ? "'" : "");
        buf_add_char(b, text.ptr[i]);
    }
    buf_add_char(b, '\'');
}

/* Single quotes where double ones would need escapes only for themselves and backslashes. */
void scalar_add(struct buf *b, struct str text, bool flow)
{
    bool escapes = str_find_char(text, '"') < text.len || str_find_char(text, '\\') < text.len;
    if (is_plain(text, flow)) {
        buf_add_str(b, text);
    } else if (escapes && is_harmless(text)) {
        add_single(b, text);
    } else {
        add_double(b, text);
    }
}

bool scalar_is_block(struct str text)
{
    struct str line, rest = text;
    size_t first = 0;
    while (first < text.len && (text.ptr[first] == '\n' || text.ptr[first] == ' ')) {
        first++;
    }
    if (first == text.len || str_find_char(text, '\n') == text.len) {
        return false;
    }
    while (str_cut(&rest, '\n', &line)) {
        if (!is_harmless(line)) {
            return false;
        }
    }
    return true;
}

void scalar_add_block(struct buf *b, struct str text, unsigned indent)
{
    buf_add_char(b, '|');
    if (text.ptr[0] == ' ' || text.ptr[0] == '\n') {
        buf_add_char(b, '2');
    }
    if (!str_ends_with(text, STR("\n"))) {
        buf_add_char(b, '-');
    } else if (str_ends_with(text, STR("\n\n"))) {
        buf_add_char(b, '+');
    }
    buf_add_char(b, '\n');
    struct str line, rest = text;
    while (str_cut(&rest, '\n', &line) && (rest.ptr != NULL || line.len > 0)) {
        for (unsigned i = 0; i < indent && line.len > 0; i++) {
            buf_add_char(b, ' ');
        }
        buf_add_str(b, line);
        buf_add_char(b, '\n');
    }
}

void scalar_add_comment(struct buf *b, struct str line)
{
    size_t n;
    for (; line.len > 0; line = (struct str){line.ptr + n, line.len - n}) {
        uint32_t c = text_char(line, &n);
        bool fine = text_char_harmless(c) && str_utf8_char(line) > 0 && (c & 0xfffe) != 0xfffe;
        buf_add_str(b, fine ? (struct str){line.ptr, n} : replacement);
    }
}
