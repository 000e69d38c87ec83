/* The forms of a secret: itself, base64, percent-encoded, escaped for JSON and XML, hexadecimal. */
#include "apitest/secrets_int.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "rpc/percent.h"

#include <string.h>

/* The longest form: each byte as \u00XX. */
enum { FORM_MAX = 1024 * 1024 };

static const char digits_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char digits_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool apitest_is_base64(char c)
{
    return is_alnum(c) || (c != '\0' && strchr("+/-_", c) != NULL);
}

/*
 * The digits that the value alone decides when `shift` bytes stand before it in its group of three.
 * Bit i of the text is bit i of: shift unknown bytes, then the value.
 */
static void add_base64(struct apitest_secrets *secrets, struct str value, size_t shift,
                       const char *digits, struct buf *b)
{
    size_t first_bit = shift * 8, end_bit = first_bit + value.len * 8;
    size_t first = (first_bit + 5) / 6, end = end_bit / 6;
    buf_clear(b);
    for (size_t digit = first; digit < end; digit++) {
        unsigned six = 0;
        for (size_t bit = digit * 6; bit < digit * 6 + 6; bit++) {
            size_t at = bit - first_bit;
            six = six << 1 | ((unsigned) (unsigned char) value.ptr[at / 8] >> (7 - at % 8) & 1u);
        }
        buf_add_char(b, digits[six]);
    }
    unsigned edge = (first_bit % 6 != 0 ? (unsigned) SECRET_EDGE_BEFORE : 0u) |
                    (end_bit % 6 != 0 ? (unsigned) SECRET_EDGE_AFTER : 0u);
    apitest_secrets_form(secrets, buf_str(b), edge);
}

/* Letters and digits, and the bytes of plain, stay; others become %XX. */
static void add_percent(struct apitest_secrets *secrets, struct str value, const char *plain,
                        const char *hex, bool plus, struct buf *b)
{
    buf_clear(b);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char) value.ptr[i];
        if (is_alnum((char) c) || (c != '\0' && strchr(plain, c) != NULL)) {
            buf_add_char(b, (char) c);
        } else if (plus && c == ' ') {
            buf_add_char(b, '+');
        } else {
            buf_add_char(b, '%');
            buf_add_char(b, hex[c >> 4]);
            buf_add_char(b, hex[c & 15]);
        }
    }
    apitest_secrets_form(secrets, buf_str(b), 0);
}

static void add_grpc_message(struct apitest_secrets *secrets, struct str value, struct buf *b)
{
    buf_clear(b);
    rpc_percent_encode(value, b);
    apitest_secrets_form(secrets, buf_str(b), 0);
}

static uint32_t decode(struct str s, size_t n)
{
    const unsigned char *p = (const unsigned char *) s.ptr;
    uint32_t c = n == 1 ? p[0] : p[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        c = c << 6 | (p[i] & 0x3fu);
    }
    return c;
}

static void add_u(struct buf *b, uint32_t unit, bool upper)
{
    buf_addf(b, upper ? "\\u%04X" : "\\u%04x", (unsigned) unit);
}

/* ascii: as \uXXXX what is beyond ASCII; slash: "/" as "\/"; what writers of JSON differ in. */
static void add_json(struct apitest_secrets *secrets, struct str value, bool ascii, bool upper,
                     bool slash, struct buf *b)
{
    static const char bytes[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    buf_clear(b);
    for (size_t i = 0, n; i < value.len; i += n) {
        struct str rest = {value.ptr + i, value.len - i};
        n = str_utf8_char(rest);
        n = n == 0 ? 1 : n;
        uint32_t c = decode(rest, n);
        const char *at = c > 0 && c < 0x80 ? strchr(bytes, (int) c) : NULL;
        if (at != NULL) {
            buf_add_char(b, '\\');
            buf_add_char(b, letters[at - bytes]);
        } else if (c == '/' && slash) {
            buf_add_cstr(b, "\\/");
        } else if (c < 0x20 || (ascii && c >= 0x7f && c < 0x10000)) {
            add_u(b, c, upper);
        } else if (ascii && c >= 0x10000) {
            add_u(b, 0xd800 + ((c - 0x10000) >> 10), upper);
            add_u(b, 0xdc00 + ((c - 0x10000) & 0x3ff), upper);
        } else {
            buf_add(b, rest.ptr, n);
        }
    }
    apitest_secrets_form(secrets, buf_str(b), 0);
}

static void add_xml(struct apitest_secrets *secrets, struct str value, const char *apostrophe,
                    const char *quote, struct buf *b)
{
    buf_clear(b);
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        const char *word = c == '&'    ? "&amp;"
                           : c == '<'  ? "&lt;"
                           : c == '>'  ? "&gt;"
                           : c == '"'  ? quote
                           : c == '\'' ? apostrophe
                                       : NULL;
        if (word != NULL) {
            buf_add_cstr(b, word);
        } else {
            buf_add_char(b, c);
        }
    }
    apitest_secrets_form(secrets, buf_str(b), 0);
}

static void add_hex(struct apitest_secrets *secrets, struct str value, const char *hex,
                    struct buf *b)
{
    buf_clear(b);
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char) value.ptr[i];
        buf_add_char(b, hex[c >> 4]);
        buf_add_char(b, hex[c & 15]);
    }
    apitest_secrets_form(secrets, buf_str(b), 0);
}

void apitest_secrets_forms(struct apitest_secrets *secrets, struct str value)
{
    static const char *const hex[] = {"0123456789abcdef", "0123456789ABCDEF"};
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, FORM_MAX);
    apitest_secrets_form(secrets, value, 0);
    for (size_t shift = 0; shift < 3; shift++) {
        add_base64(secrets, value, shift, digits_std, &b);
        add_base64(secrets, value, shift, digits_url, &b);
    }
    for (size_t i = 0; i < 2; i++) {
        add_hex(secrets, value, hex[i], &b);
        add_percent(secrets, value, "-._~", hex[i], false, &b);
        add_percent(secrets, value, "-._~/", hex[i], false, &b);
        add_percent(secrets, value, "-._~!'()*", hex[i], false, &b);
        add_percent(secrets, value, "-._*", hex[i], true, &b);
        add_json(secrets, value, true, i == 1, false, &b);
        add_json(secrets, value, true, i == 1, true, &b);
        add_json(secrets, value, false, i == 1, false, &b);
        add_json(secrets, value, false, i == 1, true, &b);
    }
    add_grpc_message(secrets, value, &b);
    add_xml(secrets, value, "&#39;", "&quot;", &b);
    add_xml(secrets, value, "&apos;", "&quot;", &b);
    add_xml(secrets, value, "'", "\"", &b);
    add_xml(secrets, value, "'", "&quot;", &b);
    add_xml(secrets, value, "&#x27;", "&#34;", &b);
    buf_clear(&b);
    json_quote(&b, value);
    if (b.len > 2) {
        apitest_secrets_form(secrets, (struct str){b.ptr + 1, b.len - 2}, 0);
    }
}
