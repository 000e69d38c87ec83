#pragma once
#include <stddef.h>
#include <stdint.h>

/*
 * SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash of any bytes.  The 64-bit result as a number
 * (the reference writes it little-endian).  key: 16 bytes.  data may be NULL when len is 0.
 */
uint64_t siphash24(const uint8_t key[16], const void *data, size_t len);
