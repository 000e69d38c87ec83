#pragma once
/*
 * Base64 (RFC 4648 sections 4 and 5), without allocation.
 *
 * Written in the standard alphabet.  Read in the standard or in the URL-safe one ("-_" for "+/"),
 * but not in both at once, with the padding or without any, and nothing else: no blanks, no line
 * ends, no half padding.  The bits that are left over at the end may be set ("-_" is the byte fb):
 * protobuf's JSON asks readers to take such text.
 */
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* Characters that len bytes take; len: at most SIZE_MAX / 2. */
size_t base64_encoded_len(size_t len, bool padded);

/*
 * Writes exactly base64_encoded_len(bytes.len, padded) characters to out, without a NUL, and
 * returns how many.
 */
size_t base64_encode(struct str bytes, bool padded, char *out);

/* Bytes that text of len characters can give at most. */
size_t base64_decoded_max(size_t len);

/*
 * The bytes of a text into out, which has size bytes and may not overlap the text.
 * ERR_INVALID with the message in err (may be NULL), to be wrapped with the name of the thing:
 * `character 3 is "$"`; ERR_FULL: more than size bytes.  out may be written on failure.
 */
int base64_decode(struct str text, char *out, size_t size, size_t *ret_len, struct err *err)
    __attribute__((warn_unused_result));
