#pragma once
/*
 * Heap memory that is never NULL: out of memory prints a line and aborts (the journal makes a
 * restart safe).  Not for ngx/ nor for the rooms it links: there the caller gives the memory.
 */
#include "base/str.h"

#include <stddef.h>

#define MEM_RESULT __attribute__((warn_unused_result, returns_nonnull))

MEM_RESULT void *mem_alloc(size_t size);
/* Zeroed. */
MEM_RESULT void *mem_zalloc(size_t size);
/* Zeroed; n * size may not overflow (aborts). */
MEM_RESULT void *mem_array(size_t n, size_t size);
MEM_RESULT void *mem_realloc(void *take_ptr, size_t size);
MEM_RESULT void *mem_realloc_array(void *take_ptr, size_t n, size_t size);
MEM_RESULT char *mem_strdup(const char *cstr);
/* Copy of a view with a NUL behind it. */
MEM_RESULT char *mem_strdup_str(struct str s);
void mem_free(void *take_ptr);

/* For _cleanup_: takes the address of the pointer. */
void mem_freep(void *pointer_to_ptr);

/* A broken invariant of ours: prints file, line, message and aborts, in release builds too. */
#define BUG(...) bug_abort(__FILE__, __LINE__, __VA_ARGS__)
__attribute__((noreturn, format(printf, 3, 4))) void bug_abort(const char *file, int line,
                                                               const char *fmt, ...);
