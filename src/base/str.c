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
    return c >= 'A' && c <= 'Z' ? (char) (c + ('a' - 'A')) : c;
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

static bool is_tail(uint8_t byte)
{
    return (byte & 0xc0) == 0x80;
}

/* The ranges of the second byte are those of RFC 3629 section 4. */
size_t str_utf8_char(struct str s)
{
    uint8_t b[4] = {0};
    for (size_t i = 0; i < sizeof b && i < s.len; i++) {
        b[i] = (uint8_t) s.ptr[i];
    }
    if (b[0] < 0x80) {
        return s.len > 0;
    }
    if (b[0] >= 0xc2 && b[0] <= 0xdf) {
        return is_tail(b[1]) ? 2 : 0;
    }
    if (b[0] >= 0xe0 && b[0] <= 0xef) {
        uint8_t low = b[0] == 0xe0 ? 0xa0 : 0x80;
        uint8_t high = b[0] == 0xed ? 0x9f : 0xbf;
        return b[1] >= low && b[1] <= high && is_tail(b[2]) ? 3 : 0;
    }
    if (b[0] >= 0xf0 && b[0] <= 0xf4) {
        uint8_t low = b[0] == 0xf0 ? 0x90 : 0x80;
        uint8_t high = b[0] == 0xf4 ? 0x8f : 0xbf;
        return b[1] >= low && b[1] <= high && is_tail(b[2]) && is_tail(b[3]) ? 4 : 0;
    }
    return 0;
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
