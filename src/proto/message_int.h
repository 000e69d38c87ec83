#pragma once
/* What reading and writing need of messages beside message.h. */
#include "proto/message.h"

#define PROTO_ZERO ((union proto_value){.bytes = {NULL, 0}})

static inline bool proto_has_bit(const struct proto_msg *msg, const struct proto_field_desc *field)
{
    return (msg->has[field->index / 32] >> (field->index % 32) & 1) != 0;
}

static inline void proto_set_bit(struct proto_msg *msg, const struct proto_field_desc *field)
{
    msg->has[field->index / 32] |= UINT32_C(1) << (field->index % 32);
}

/* Whether a scalar is the default of fields without presence. */
bool proto_is_zero(const struct proto_field_desc *field, union proto_value value);

/* Where the value is kept; of an extension that is not set: made.  NULL: the arena is full. */
union proto_value *proto_slot(struct proto_msg *msg, const struct proto_field_desc *field);
/* The same, NULL when an extension is not set. */
const union proto_value *proto_slot_find(const struct proto_msg *msg,
                                         const struct proto_field_desc *field);

/* Clears the members of field's oneof but field itself. */
void proto_clear_others(struct proto_msg *msg, const struct proto_field_desc *field);

/* The list of a repeated field with room for `more` items behind len.  NULL: the arena is full. */
struct proto_list *proto_list_room(struct proto_msg *msg, const struct proto_field_desc *field,
                                   size_t more);

/* Appends to the unknown fields. */
bool proto_unknown_add(struct proto_msg *msg, struct str bytes);

/* The order of keys of one map field, as they are written: numbers by value, strings by bytes. */
int proto_key_compare(const struct proto_field_desc *key_field, union proto_value a,
                      union proto_value b);
/* The place of the entry with this key in the list, or list->len.  arena: for the index. */
size_t proto_map_place(struct proto_list *list, const struct proto_field_desc *field,
                       union proto_value key, struct arena *arena);
/* The key of an entry (its default when it was not set). */
union proto_value proto_entry_key(const struct proto_msg *entry);
