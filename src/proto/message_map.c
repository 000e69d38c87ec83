/*
 * Keys of maps.  A small map is searched from the front; a large one gets a hash of its keys, which
 * is completed at each search, so that entries may also be appended behind its back.
 */
#include "base/rand.h"
#include "base/siphash.h"
#include "proto/index_int.h"
#include "proto/message_int.h"

#include "base/mem.h"

#include <string.h>

enum { SMALL = 12 };

struct proto_map_index {
    uint32_t *slot; /* place in the list + 1; 0: free */
    size_t slots;   /* power of two */
    size_t done;    /* items of the list that are in */
    uint8_t key[16];
};

union proto_value proto_entry_key(const struct proto_msg *entry)
{
    return proto_get(entry, &entry->desc->field[0]);
}

int proto_key_compare(const struct proto_field_desc *key_field, union proto_value a,
                      union proto_value b)
{
    switch (key_field->type) {
    case PROTO_STRING:
    case PROTO_BYTES:
        return proto_str_compare(a.bytes, b.bytes);
    case PROTO_BOOL:
        return (int) a.boolean - (int) b.boolean;
    case PROTO_INT64:
    case PROTO_SFIXED64:
    case PROTO_SINT64:
        return (a.i64 > b.i64) - (a.i64 < b.i64);
    case PROTO_UINT64:
    case PROTO_FIXED64:
        return (a.u64 > b.u64) - (a.u64 < b.u64);
    case PROTO_UINT32:
    case PROTO_FIXED32:
        return (a.u32 > b.u32) - (a.u32 < b.u32);
    case PROTO_INT32:
    case PROTO_SFIXED32:
    case PROTO_SINT32:
    case PROTO_ENUM:
        return (a.i32 > b.i32) - (a.i32 < b.i32);
    case PROTO_DOUBLE:
    case PROTO_FLOAT:
    case PROTO_GROUP:
    case PROTO_MESSAGE:
        break;
    }
    BUG("a map key of type %d", (int) key_field->type);
}

static uint64_t hash_key(const struct proto_map_index *index, const struct proto_field_desc *field,
                         union proto_value key)
{
    if (field->type == PROTO_STRING) {
        return siphash24(index->key, key.bytes.ptr, key.bytes.len);
    }
    uint64_t number = field->type == PROTO_BOOL ? key.boolean : key.u32;
    if (field->type == PROTO_INT64 || field->type == PROTO_UINT64 || field->type == PROTO_SINT64 ||
        field->type == PROTO_FIXED64 || field->type == PROTO_SFIXED64) {
        number = key.u64;
    }
    return siphash24(index->key, &number, sizeof number);
}

/* The slot that holds the key, or the free one where it would go. */
static size_t find_slot(const struct proto_map_index *index, const struct proto_list *list,
                        const struct proto_field_desc *key_field, union proto_value key)
{
    size_t i = (size_t) hash_key(index, key_field, key) & (index->slots - 1);
    while (index->slot[i] != 0) {
        const struct proto_msg *entry = list->item[index->slot[i] - 1].msg;
        if (proto_key_compare(key_field, proto_entry_key(entry), key) == 0) {
            break;
        }
        i = (i + 1) & (index->slots - 1);
    }
    return i;
}

/* The first of equal keys keeps its slot. */
static void add_slots(struct proto_map_index *index, const struct proto_list *list,
                      const struct proto_field_desc *key_field)
{
    for (; index->done < list->len; index->done++) {
        union proto_value key = proto_entry_key(list->item[index->done].msg);
        size_t i = find_slot(index, list, key_field, key);
        if (index->slot[i] == 0) {
            index->slot[i] = (uint32_t) (index->done + 1);
        }
    }
}

/* False: no index can be had. */
static bool complete(struct proto_list *list, const struct proto_field_desc *key_field,
                     struct arena *arena)
{
    if (list->len >= UINT32_MAX / 4) {
        return false;
    }
    struct proto_map_index *index = list->index;
    if (index == NULL) {
        index = arena_alloc(arena, sizeof *index);
        if (index == NULL || rand_bytes(index->key, sizeof index->key) < 0) {
            return false;
        }
        list->index = index;
    }
    if (index->slots < list->len * 2) {
        size_t slots = index->slots == 0 ? 32 : index->slots;
        while (slots < list->len * 4) {
            slots *= 2;
        }
        uint32_t *slot = arena_alloc(arena, slots * sizeof *slot);
        if (slot == NULL) {
            return false;
        }
        index->slot = slot;
        index->slots = slots;
        index->done = 0;
    }
    add_slots(index, list, key_field);
    return true;
}

size_t proto_map_place(struct proto_list *list, const struct proto_field_desc *field,
                       union proto_value key, struct arena *arena)
{
    const struct proto_field_desc *key_field = proto_map_key(field);
    if (list->len > SMALL && complete(list, key_field, arena)) {
        uint32_t place = list->index->slot[find_slot(list->index, list, key_field, key)];
        return place == 0 ? list->len : place - 1;
    }
    for (size_t i = 0; i < list->len; i++) {
        if (proto_key_compare(key_field, proto_entry_key(list->item[i].msg), key) == 0) {
            return i;
        }
    }
    return list->len;
}

struct proto_msg *proto_map_find(const struct proto_msg *msg, const struct proto_field_desc *field,
                                 union proto_value key)
{
    const union proto_value *slot = proto_slot_find(msg, field);
    if (slot == NULL || slot->list == NULL) {
        return NULL;
    }
    size_t place = proto_map_place(slot->list, field, key, msg->arena);
    return place == slot->list->len ? NULL : slot->list->item[place].msg;
}

struct proto_msg *proto_map_entry(struct proto_msg *msg, const struct proto_field_desc *field,
                                  union proto_value key)
{
    struct proto_msg *entry = proto_map_find(msg, field, key);
    if (entry != NULL) {
        return entry;
    }
    entry = proto_msg_new(msg->arena, field->message);
    if (entry == NULL || !proto_set(entry, proto_map_key(field), key) ||
        !proto_add(msg, field, (union proto_value){.msg = entry})) {
        return NULL;
    }
    return entry;
}
