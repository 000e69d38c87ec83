#pragma once
/*
 * Memory that lives and dies together: per parse, per request.  Nothing in it is freed singly.
 * Bounded: an allocation that would pass the maximum gives NULL, as the size comes from input.
 */
#include "base/str.h"

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *block; /* newest first */
    size_t used_bytes;         /* asked for, rounded up to alignment */
    size_t max_bytes;
};

#define ARENA_RESULT __attribute__((warn_unused_result))

/* Nothing is allocated yet. */
void arena_init(struct arena *a, size_t max_bytes);
/* Frees all; a is then as if zeroed.  NULL and zeroed are fine. */
void arena_done(struct arena *a);
/* Zeroed, aligned for any type.  NULL above the maximum. */
ARENA_RESULT void *arena_alloc(struct arena *a, size_t size);
/* Copy with a NUL behind it.  NULL above the maximum. */
ARENA_RESULT char *arena_strdup(struct arena *a, struct str s);
/* Formatted text.  NULL above the maximum. */
ARENA_RESULT __attribute__((format(printf, 2, 3))) char *arena_printf(struct arena *a,
                                                                      const char *fmt, ...);
