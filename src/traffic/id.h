/*
 * Visitor ids as text: the form that we issue, their signature, and where they stand in a Cookie
 * header. No state, no allocation.
 *
 * Issued form: 16 lower-case hexadecimal digits (64 random bits). Signed form: the same, a dot, and
 * 32 hexadecimal digits: the first 16 bytes of HMAC-SHA256(key, the 16 digits).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define ID_LEN        16
#define ID_SIGNED_LEN (ID_LEN + 1 + 32)
#define ID_KEY_MIN    16

/* A key for signing; len >= ID_KEY_MIN bytes, borrowed. len 0: ids are not signed. */
struct id_key {
    const uint8_t *ptr;
    size_t len;
};

/* Writes the cookie value of a new id (ID_LEN or ID_SIGNED_LEN bytes, no NUL); returns its length.
 */
size_t id_write(uint64_t id, struct id_key key, char out[ID_SIGNED_LEN]);

/*
 * Is value an id in canonical form, correctly signed if key.len > 0?  The id proper is the first
 * ID_LEN bytes of a valid value.
 */
bool id_valid(struct str value, struct id_key key);

/*
 * The next cookie called name in a Cookie header. rest is what has not been looked at yet and is
 * advanced. False when there is none left. The value is as sent, without surrounding spaces.
 */
bool cookie_next(struct str *rest, struct str name, struct str *ret_value);
