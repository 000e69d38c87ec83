/* Borrowed views of bytes: see str.h. */
#include "base/str.h"

#include <stdint.h>
#include <string.h>

enum { NEAREST_MAX = 64 }; /* longer words are no typing mistakes of names */

struct str str_of(const char *cstr)
{
    return (struct str){cstr, cstr == NULL ? 0 : strlen(cstr)};
}

static char lower(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (char) (c + ('a' - 'A'));
    }
    return c;
}

bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_eq_cstr(struct str a, const char *cstr)
{
    return str_eq(a, str_of(cstr));
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool str_starts_with(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_eq((struct str){s.ptr, prefix.len}, prefix);
}

bool str_ends_with(struct str s, struct str suffix)
{
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.ptr + (s.len - suffix.len), suffix.ptr, suffix.len) == 0);
}

bool str_cut(struct str *rest, char sep, struct str *ret_head)
{
    if (rest->ptr == NULL) {
        return false;
    }
    size_t end = str_find_char(*rest, sep);
    *ret_head = (struct str){rest->ptr, end};
    if (end == rest->len) {
        *rest = (struct str){NULL, 0};
    } else {
        *rest = (struct str){rest->ptr + end + 1, rest->len - end - 1};
    }
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_blank(s.ptr[s.len - 1])) {
        s.len--;
    }
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    return s;
}

size_t str_find_char(struct str s, char c)
{
    const char *found = s.len == 0 ? NULL : memchr(s.ptr, c, s.len);
    return found == NULL ? s.len : (size_t) (found - s.ptr);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/*
 * Edits from a to b, both at most NEAREST_MAX long: optimal string alignment, three rows of the
 * table.  row[2] is the one in work, row[1] and row[0] are those before it.
 */
static size_t edit_distance(struct str a, struct str b)
{
    size_t row[3][NEAREST_MAX + 1];
    for (size_t j = 0; j <= b.len; j++) {
        row[0][j] = 0;
        row[1][j] = j;
    }
    for (size_t i = 1; i <= a.len; i++) {
        row[2][0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            bool same = lower(a.ptr[i - 1]) == lower(b.ptr[j - 1]);
            size_t edits = least(least(row[1][j], row[2][j - 1]) + 1, row[1][j - 1] + !same);
            if (i > 1 && j > 1 && lower(a.ptr[i - 1]) == lower(b.ptr[j - 2]) &&
                lower(a.ptr[i - 2]) == lower(b.ptr[j - 1])) {
                edits = least(edits, row[0][j - 2] + 1);
            }
            row[2][j] = edits;
        }
        memcpy(row[0], row[1], sizeof row[0]);
        memcpy(row[1], row[2], sizeof row[1]);
    }
    return row[1][b.len];
}

const char *str_nearest(struct str word, const char *const *choice, size_t n)
{
    const char *nearest = NULL;
    size_t allowed = word.len < 6 ? 1 : word.len / 3;

    if (word.len == 0 || word.len > NEAREST_MAX) {
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        struct str candidate = str_of(choice[i]);
        if (candidate.len > NEAREST_MAX) {
            continue;
        }
        size_t edits = edit_distance(word, candidate);
        if (edits <= allowed && edits < word.len) {
            nearest = choice[i];
            if (edits == 0) {
                break;
            }
            allowed = edits - 1;
        }
    }
    return nearest;
}

/* Bytes of a character by its first one; 0 for a byte that cannot be the first. */
static size_t utf8_len(uint8_t first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        return 2;
    }
    if (first >= 0xe0 && first <= 0xef) {
        return 3;
    }
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* The table of RFC 3629 section 4: some first bytes narrow the range of the second. */
static bool is_second(uint8_t first, uint8_t byte)
{
    switch (first) {
    case 0xe0:
        return byte >= 0xa0 && byte <= 0xbf;
    case 0xed:
        return byte >= 0x80 && byte <= 0x9f;
    case 0xf0:
        return byte >= 0x90 && byte <= 0xbf;
    case 0xf4:
        return byte >= 0x80 && byte <= 0x8f;
    default:
        return (byte & 0xc0) == 0x80;
    }
}

size_t str_utf8_char(struct str s)
{
    size_t len = s.len == 0 ? 0 : utf8_len((uint8_t) s.ptr[0]);
    if (len > s.len || (len > 1 && !is_second((uint8_t) s.ptr[0], (uint8_t) s.ptr[1]))) {
        return 0;
    }
    for (size_t i = 2; i < len; i++) {
        if (((uint8_t) s.ptr[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    return len;
}

bool str_is_utf8(struct str s)
{
    while (s.len > 0) {
        size_t n = str_utf8_char(s);
        if (n == 0) {
            return false;
        }
        s.ptr += n;
        s.len -= n;
    }
    return true;
}

size_t str_utf8_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char) c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char) (0xc0 | c >> 6);
        out[1] = (char) (0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char) (0xe0 | c >> 12);
        out[1] = (char) (0x80 | (c >> 6 & 0x3f));
        out[2] = (char) (0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char) (0xf0 | c >> 18);
    out[1] = (char) (0x80 | (c >> 12 & 0x3f));
    out[2] = (char) (0x80 | (c >> 6 & 0x3f));
    out[3] = (char) (0x80 | (c & 0x3f));
    return 4;
}
