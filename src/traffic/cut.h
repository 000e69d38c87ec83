/*
 * The cut: from a visitor's id and a train's salt to the track. docs/reference/cut.md is the
 * specification; tests/vectors/cut.tsv pins it. No state, no allocation; used by the NGINX module,
 * the command line and the judge.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define CUT_BUCKETS  1000000u
#define CUT_SALT_MAX 64
#define CUT_ID_MAX   256

struct cut_key {
    uint8_t byte[16];
};

/* 1 to CUT_SALT_MAX characters of A-Z a-z 0-9 . _ - */
bool cut_salt_valid(struct str salt);

/* The key of a train: the first 16 bytes of SHA-256("pourover/cut/" + salt). */
struct cut_key cut_key_of(struct str salt);

/* u of an id: SipHash-2-4 of its text bytes. id: 1 to CUT_ID_MAX bytes. */
uint64_t cut_u(const struct cut_key *key, struct str id);

/* 0 .. CUT_BUCKETS - 1: the upper part of u * 1000000. */
uint32_t cut_bucket(uint64_t u);

/* share_ppm: 0 (nobody) .. 1000000 (everybody). */
static inline bool cut_is_canary(uint32_t bucket, uint32_t share_ppm)
{
    return bucket < share_ppm;
}
