#pragma once
/*
 * String to pointer, in order of insertion.  Open addressing with SipHash under a random key, so
 * that input cannot make it slow.  Keys are copied; values are borrowed.  Zeroed is empty. for
 * (size_t i = 0; i < m.len; i++) ... m.entry[i].key, m.entry[i].value ...
 */
#include "base/str.h"

#include <stddef.h>
#include <stdint.h>

struct map_entry {
    struct str key; /* view of owned_key, which is NUL terminated */
    void *value;
    /* private */
    char *owned_key;
    uint64_t hash;
};

struct map {
    struct map_entry *entry; /* in order of insertion */
    size_t len, cap;
    uint32_t *slot; /* index into entry + 1; 0: free */
    size_t nslots;  /* power of two, or 0 */
    uint8_t key[16];
};

void map_init(struct map *m);
/* Frees entries and keys (not the values); m is then empty.  NULL and zeroed are fine. */
void map_done(struct map *m);
/* The value, or NULL when the key is not there. */
void *map_get(const struct map *m, struct str key);
/* Sets the value (not NULL); a known key keeps its place.  Returns the value before, or NULL. */
void *map_put(struct map *m, struct str key, void *value);
/* Removes the key; the order of the others stays.  O(len).  Returns its value, or NULL. */
void *map_remove(struct map *m, struct str key);
