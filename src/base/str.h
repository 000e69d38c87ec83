#pragma once
/*
 * Borrowed views of bytes.  Any byte may be inside, also NUL; not terminated; never owned.
 * A view of length 0 may have ptr NULL.  No allocation in this file.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    const char *ptr;
    size_t len;
};

/* A view of a string literal. */
#define STR(lit) ((struct str){"" lit, sizeof(lit) - 1})

/* printf of a view: printf("id " STR_FMT "\n", STR_ARG(id)).  Lengths above INT_MAX: not for this.
 */
#define STR_FMT    "%.*s"
#define STR_ARG(s) (int) (s).len, (s).ptr

/* View of a NUL-terminated string; NULL gives the empty view. */
struct str str_of(const char *cstr);

bool str_eq(struct str a, struct str b);
bool str_eq_cstr(struct str a, const char *cstr);
/* Equal when the letters A-Z count as a-z; other bytes must be the same. */
bool str_eq_nocase(struct str a, struct str b);
bool str_starts_with(struct str s, struct str prefix);
bool str_ends_with(struct str s, struct str suffix);

/*
 * Iterates over the pieces between separators:
 *     struct str head, rest = list;
 *     while (str_cut(&rest, ',', &head)) ...
 * "a,,b" gives "a", "", "b"; "" gives one empty piece; a view with ptr NULL gives none.
 * Each call moves *rest behind the piece; after the last piece *rest is {NULL, 0}.
 */
bool str_cut(struct str *rest, char sep, struct str *ret_head);

/* Without spaces, tabs, CR and LF at both ends. */
struct str str_trim(struct str s);

/* Index of the first c, or s.len when there is none. */
size_t str_find_char(struct str s, char c);

/*
 * The choice that the writer of `word` most likely meant, for "did you mean"; NULL when none is
 * near: at most one edit (insert, delete, replace, swap of neighbors) for each three letters of the
 * word, at least one.  Case does not count.  The first of equally near choices wins.
 * choice: n strings of at most 64 bytes (longer ones are never near).
 */
const char *str_nearest(struct str word, const char *const *choice, size_t n);

/* Length in bytes (1 to 4) of the well-formed UTF-8 character at the start; 0 when there is none.
 */
size_t str_utf8_char(struct str s);

/* Well-formed UTF-8 from end to end (RFC 3629: no surrogates, no overlong forms, <= U+10FFFF). */
bool str_is_utf8(struct str s);

/* Writes a code point up to U+10FFFF that is no surrogate; returns its 1 to 4 bytes. */
size_t str_utf8_encode(uint32_t c, char out[4]);

static inline bool str_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* 0..15, or -1 when c is no hexadecimal digit. */
static inline int str_hex_digit(char c)
{
    if (str_is_digit(c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}
