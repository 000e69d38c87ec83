#pragma once
#include <stddef.h>
#include <stdint.h>

/* SHA-256 (FIPS 180-4) of len bytes.  data may be NULL when len is 0. */
void sha256(const void *data, size_t len, uint8_t out[32]);

/* HMAC-SHA-256 (RFC 2104).  Keys of any length; compare results with ct_equal only. */
void hmac_sha256(const void *key, size_t key_len, const void *msg, size_t msg_len, uint8_t out[32]);
