/* Heap memory that is never NULL, and BUG: see mem.h. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* calloc(0) and realloc(0) may give NULL, so at least one byte is asked for. */
static size_t at_least_one(size_t size)
{
    return size == 0 ? 1 : size;
}

static __attribute__((noreturn)) void out_of_memory(size_t size)
{
    (void) fprintf(stderr, "out of memory: %zu bytes wanted\n", size);
    abort();
}

void *mem_alloc(size_t size)
{
    return mem_realloc(NULL, size);
}

void *mem_zalloc(size_t size)
{
    return mem_array(1, size);
}

void *mem_array(size_t n, size_t size)
{
    size_t total;
    bool too_large = __builtin_mul_overflow(n, size, &total);
    void *ptr = too_large ? NULL : calloc(1, at_least_one(total));
    if (ptr == NULL) {
        out_of_memory(too_large ? SIZE_MAX : total);
    }
    return ptr;
}

void *mem_realloc(void *take_ptr, size_t size)
{
    void *ptr = realloc(take_ptr, at_least_one(size));
    if (ptr == NULL) {
        out_of_memory(size);
    }
    return ptr;
}

void *mem_realloc_array(void *take_ptr, size_t n, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(n, size, &total)) {
        out_of_memory(SIZE_MAX);
    }
    return mem_realloc(take_ptr, total);
}

char *mem_strdup_str(struct str s)
{
    char *copy = mem_alloc(s.len + 1);
    if (s.len > 0) {
        memcpy(copy, s.ptr, s.len);
    }
    copy[s.len] = '\0';
    return copy;
}

char *mem_strdup(const char *cstr)
{
    return mem_strdup_str(str_of(cstr));
}

void mem_free(void *take_ptr)
{
    free(take_ptr);
}

void mem_freep(void *pointer_to_ptr)
{
    void *ptr;
    memcpy(&ptr, pointer_to_ptr, sizeof ptr);
    free(ptr);
    memset(pointer_to_ptr, 0, sizeof ptr);
}

void bug_abort(const char *file, int line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void) fprintf(stderr, "%s:%d: bug: ", file, line);
    (void) vfprintf(stderr, fmt, args);
    (void) fputc('\n', stderr);
    va_end(args);
    abort();
}
