/* Base64: see base64.h. */
#include "base/base64.h"

#include <stdint.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_encoded_len(size_t len, bool padded)
{
    size_t rest = len % 3;
    size_t tail = rest == 0 ? 0 : padded ? 4 : rest + 1;
    return len / 3 * 4 + tail;
}

size_t base64_encode(struct str bytes, bool padded, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t have = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t bits = 0;
        for (size_t j = 0; j < 3; j++) {
            bits = bits << 8 | (j < have ? (uint8_t) bytes.ptr[i + j] : 0);
        }
        for (size_t j = 0; j < 4; j++) {
            if (j <= have) {
                out[n++] = alphabet[bits >> (18 - 6 * j) & 63];
            } else if (padded) {
                out[n++] = '=';
            }
        }
    }
    return n;
}

size_t base64_decoded_max(size_t len)
{
    return len / 4 * 3 + (len % 4 > 1 ? len % 4 - 1 : 0);
}

/* 0..63, or -1. */
static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    if (c == '+' || c == '-') {
        return 62;
    }
    return c == '/' || c == '_' ? 63 : -1;
}

static int refuse_char(struct str text, size_t at, struct err *err)
{
    size_t len = str_utf8_char((struct str){text.ptr + at, text.len - at});
    if (len == 0 || (uint8_t) text.ptr[at] < ' ' || text.ptr[at] == 0x7f) {
        return err_set(err, ERR_INVALID, "character %zu is the byte 0x%02x, which base64 has not",
                       at + 1, (unsigned) (uint8_t) text.ptr[at]);
    }
    return err_set(err, ERR_INVALID, "character %zu is \"" STR_FMT "\", which base64 has not",
                   at + 1, (int) len, text.ptr + at);
}

static size_t count_padding(struct str text)
{
    size_t pads = 0;
    while (pads < text.len && text.ptr[text.len - 1 - pads] == '=') {
        pads++;
    }
    return pads;
}

/* chars: those before the padding. */
static int check_lengths(size_t chars, size_t pads, struct err *err)
{
    size_t rest = chars % 4;
    if (pads > 0 && (rest < 2 || pads != 4 - rest)) {
        return err_set(err, ERR_INVALID,
                       "the padding \"=\" does not fill up to four characters: leave it out or "
                       "write all of it");
    }
    if (rest == 1) {
        return err_set(err, ERR_INVALID,
                       "%zu characters are one too many or too few: the last group has 2, 3 or 4",
                       chars);
    }
    return 0;
}

static int check_alphabet(struct str text, struct err *err)
{
    bool standard = false, url_safe = false;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (value_of(c) < 0) {
            return refuse_char(text, i, err);
        }
        standard |= c == '+' || c == '/';
        url_safe |= c == '-' || c == '_';
        if (standard && url_safe) {
            return err_set(err, ERR_INVALID,
                           "character %zu is of the other alphabet: write \"+/\" or \"-_\", not "
                           "both",
                           i + 1);
        }
    }
    return 0;
}

int base64_decode(struct str text, char *out, size_t size, size_t *ret_len, struct err *err)
{
    size_t pads = count_padding(text);
    text.len -= pads;
    int rc = check_alphabet(text, err);
    rc = rc < 0 ? rc : check_lengths(text.len, pads, err);
    if (rc < 0) {
        return rc;
    }
    if (base64_decoded_max(text.len) > size) {
        return err_set(err, ERR_FULL, "%zu bytes, at most %zu", base64_decoded_max(text.len), size);
    }
    uint32_t bits = 0;
    unsigned have = 0; /* bits that wait */
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        bits = bits << 6 | (uint32_t) value_of(text.ptr[i]);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (char) (uint8_t) (bits >> have);
            bits &= (1u << have) - 1;
        }
    }
    *ret_len = n;
    return 0;
}
