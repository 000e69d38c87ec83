#pragma once
/*
 * Growing array of any type:
 *     VEC(struct peer) peers = {0};
 *     vec_push(&peers, peer);
 *     for (size_t i = 0; i < peers.len; i++) ... peers.ptr[i] ...
 *     vec_done(&peers);
 * Zeroed is empty.  A push may move ptr.
 */
#include "base/mem.h"

#include <stddef.h>

#define VEC(T)           \
    struct {             \
        T *ptr;          \
        size_t len, cap; \
    }

/* Appends a value; for struct values use a variable or a parenthesized compound literal. */
#define vec_push(v, value)                                                      \
    do {                                                                        \
        if ((v)->len == (v)->cap) {                                             \
            (v)->cap = (v)->cap == 0 ? 8 : (v)->cap * 2;                        \
            (v)->ptr = mem_realloc_array((v)->ptr, (v)->cap, sizeof *(v)->ptr); \
        }                                                                       \
        (v)->ptr[(v)->len++] = (value);                                         \
    } while (0)

/* Frees the array (not what its elements point to); the vector is then empty. */
#define vec_done(v)              \
    do {                         \
        mem_free((v)->ptr);      \
        (v)->ptr = NULL;         \
        (v)->len = (v)->cap = 0; \
    } while (0)
