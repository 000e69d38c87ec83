/* Memory that lives and dies together: see arena.h. */
#include "base/arena.h"

#include "base/mem.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK_MIN = 4096, BLOCK_MAX = 65536 };

struct arena_block {
    struct arena_block *next;
    size_t used, size;
    alignas(max_align_t) unsigned char bytes[];
};

void arena_init(struct arena *a, size_t max_bytes)
{
    *a = (struct arena){.max_bytes = max_bytes};
}

void arena_done(struct arena *a)
{
    if (a == NULL) {
        return;
    }
    for (struct arena_block *block = a->block, *next; block != NULL; block = next) {
        next = block->next;
        mem_free(block);
    }
    *a = (struct arena){.block = NULL};
}

/* Blocks double, so that a large parse needs few of them. */
static void add_block(struct arena *a, size_t need)
{
    size_t size = a->block == NULL ? BLOCK_MIN : a->block->size * 2;
    size = size > BLOCK_MAX ? BLOCK_MAX : size;
    size = size < need ? need : size;
    struct arena_block *block = mem_zalloc(sizeof *block + size);
    block->size = size;
    block->next = a->block;
    a->block = block;
}

void *arena_alloc(struct arena *a, size_t size)
{
    const size_t unit = alignof(max_align_t);
    if (size > a->max_bytes) {
        return NULL;
    }
    size_t rounded = size == 0 ? unit : (size + unit - 1) / unit * unit;
    if (rounded > a->max_bytes - a->used_bytes) {
        return NULL;
    }
    if (a->block == NULL || rounded > a->block->size - a->block->used) {
        add_block(a, rounded);
    }
    void *ptr = a->block->bytes + a->block->used;
    a->block->used += rounded;
    a->used_bytes += rounded;
    return ptr;
}

char *arena_strdup(struct arena *a, struct str s)
{
    char *copy = s.len < a->max_bytes ? arena_alloc(a, s.len + 1) : NULL;
    if (copy != NULL && s.len > 0) {
        memcpy(copy, s.ptr, s.len);
    }
    return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    char *text = n < 0 ? NULL : arena_alloc(a, (size_t) n + 1);
    if (text != NULL) {
        (void) vsnprintf(text, (size_t) n + 1, fmt, again);
    }
    va_end(again);
    va_end(args);
    return text;
}
