/* String to pointer: see map.h.  Linear probing, at most half of the slots are in use. */
#include "base/map.h"

#include "base/mem.h"
#include "base/rand.h"
#include "base/siphash.h"

#include <string.h>

void map_init(struct map *m)
{
    *m = (struct map){.entry = NULL};
}

void map_done(struct map *m)
{
    if (m == NULL) {
        return;
    }
    for (size_t i = 0; i < m->len; i++) {
        mem_free(m->entry[i].owned_key);
    }
    mem_free(m->entry);
    mem_free(m->slot);
    map_init(m);
}

/* The slot that holds the key, or the free one where it would go.  nslots > 0. */
static size_t find_slot(const struct map *m, uint64_t hash, struct str key)
{
    size_t i = (size_t) hash & (m->nslots - 1);
    while (m->slot[i] != 0) {
        const struct map_entry *entry = &m->entry[m->slot[i] - 1];
        if (entry->hash == hash && str_eq(entry->key, key)) {
            break;
        }
        i = (i + 1) & (m->nslots - 1);
    }
    return i;
}

static void fill_slots(struct map *m)
{
    memset(m->slot, 0, m->nslots * sizeof m->slot[0]);
    for (size_t i = 0; i < m->len; i++) {
        m->slot[find_slot(m, m->entry[i].hash, m->entry[i].key)] = (uint32_t) (i + 1);
    }
}

static void grow(struct map *m)
{
    if (m->nslots == 0 && rand_bytes(m->key, sizeof m->key) < 0) {
        BUG("no random bytes for a map");
    }
    m->cap = m->cap == 0 ? 8 : m->cap * 2;
    if (m->cap >= UINT32_MAX / 2) {
        BUG("a map of %zu entries", m->cap);
    }
    m->entry = mem_realloc_array(m->entry, m->cap, sizeof m->entry[0]);
    m->nslots = m->cap * 2;
    m->slot = mem_realloc_array(m->slot, m->nslots, sizeof m->slot[0]);
    fill_slots(m);
}

/* Index of the key's entry, or m->len. */
static size_t find_entry(const struct map *m, struct str key)
{
    if (m->len == 0) {
        return m->len;
    }
    uint32_t index = m->slot[find_slot(m, siphash24(m->key, key.ptr, key.len), key)];
    return index == 0 ? m->len : index - 1;
}

void *map_get(const struct map *m, struct str key)
{
    size_t i = find_entry(m, key);
    return i == m->len ? NULL : m->entry[i].value;
}

void *map_put(struct map *m, struct str key, void *value)
{
    size_t i = find_entry(m, key);
    if (i < m->len) {
        void *before = m->entry[i].value;
        m->entry[i].value = value;
        return before;
    }
    if (m->len == m->cap) {
        grow(m);
    }
    char *copy = mem_strdup_str(key);
    uint64_t hash = siphash24(m->key, key.ptr, key.len);
    m->entry[m->len++] = (struct map_entry){{copy, key.len}, value, copy, hash};
    m->slot[find_slot(m, hash, key)] = (uint32_t) m->len;
    return NULL;
}

void *map_remove(struct map *m, struct str key)
{
    size_t i = find_entry(m, key);
    if (i == m->len) {
        return NULL;
    }
    void *value = m->entry[i].value;
    mem_free(m->entry[i].owned_key);
    m->len--;
    memmove(&m->entry[i], &m->entry[i + 1], (m->len - i) * sizeof m->entry[0]);
    fill_slots(m);
    return value;
}
