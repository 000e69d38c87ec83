#pragma once
#include <stddef.h>
#include <stdint.h>

/* SHA-256 (FIPS 180-4) of len bytes.  data may be NULL when len is 0. */
void sha256(const void *data, size_t len, uint8_t out[32]);

/* The same piece by piece: for files. */
struct sha256 {
    uint32_t h[8];
    uint64_t len;      /* bytes so far */
    uint8_t block[64]; /* len % 64 of them wait here */
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t len);
void sha256_done(struct sha256 *s, uint8_t out[32]);

/* HMAC-SHA-256 (RFC 2104).  Keys of any length; compare results with ct_equal only. */
void hmac_sha256(const void *key, size_t key_len, const void *msg, size_t msg_len, uint8_t out[32]);
