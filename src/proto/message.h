#pragma once
/*
 * Dynamic messages: values by descriptor, in an arena, freed with it.  Every function that
 * allocates returns false (or NULL) when the arena is full.
 *
 * Strings are borrowed: their bytes have to live as long as the message.
 * A map is a list of entry messages (key and value always set when read from the wire); keys are
 * unique: the later one of the wire wins, at the place of the first.  The key of an entry is not
 * changed once the map was searched.
 */
#include "base/arena.h"
#include "proto/desc.h"

struct proto_map_index;

struct proto_list {
    union proto_value *item;
    size_t len, cap;
    struct proto_map_index *index; /* private: keys of a large map */
};

struct proto_extension_value {
    const struct proto_field_desc *field;
    union proto_value value;
};

struct proto_msg {
    const struct proto_message_desc *desc;
    struct arena *arena;
    union proto_value *value; /* by field->index; of absent fields zero, not the default */
    uint32_t *has;            /* a bit a field; repeated fields have none: look at the list */
    struct proto_extension_value *extension; /* set ones, by number */
    size_t extensions, extensions_cap;
    struct str unknown; /* fields that are not known, as on the wire, in their order */
    char *unknown_mem;  /* private */
    size_t unknown_cap;
};

struct proto_msg *proto_msg_new(struct arena *arena, const struct proto_message_desc *desc)
    __attribute__((warn_unused_result));

/*
 * Whether the field is set: with presence as set; without presence when it is not the default;
 * repeated when it is not empty.  field: of the message's descriptor or an extension of it.
 */
bool proto_has(const struct proto_msg *msg, const struct proto_field_desc *field);
/* The value or the default; of an absent message NULL; of an empty repeated field list NULL. */
union proto_value proto_get(const struct proto_msg *msg, const struct proto_field_desc *field);
/* Sets a singular field; in a oneof clears the others. */
bool proto_set(struct proto_msg *msg, const struct proto_field_desc *field, union proto_value value)
    __attribute__((warn_unused_result));
void proto_clear(struct proto_msg *msg, const struct proto_field_desc *field);
/* The message of a singular field, made if it is absent. */
struct proto_msg *proto_mutable(struct proto_msg *msg, const struct proto_field_desc *field)
    __attribute__((warn_unused_result));
/* Appends to a repeated field. */
bool proto_add(struct proto_msg *msg, const struct proto_field_desc *field, union proto_value value)
    __attribute__((warn_unused_result));
/* Appends an empty message to a repeated field. */
struct proto_msg *proto_add_message(struct proto_msg *msg, const struct proto_field_desc *field)
    __attribute__((warn_unused_result));
size_t proto_len(const struct proto_msg *msg, const struct proto_field_desc *field);
union proto_value proto_item(const struct proto_msg *msg, const struct proto_field_desc *field,
                             size_t i);
/* The entry with this key, or NULL.  Large maps are hashed, once. */
struct proto_msg *proto_map_find(const struct proto_msg *msg, const struct proto_field_desc *field,
                                 union proto_value key);
/* The entry with this key, made (with key set) when there is none. */
struct proto_msg *proto_map_entry(struct proto_msg *msg, const struct proto_field_desc *field,
                                  union proto_value key) __attribute__((warn_unused_result));
/* The set member of a oneof, or NULL. */
const struct proto_field_desc *proto_which(const struct proto_msg *msg,
                                           const struct proto_oneof_desc *oneof);

/*
 * Iterates over set fields by number, extensions among them:
 *     struct proto_iter it = {.msg = msg};
 *     while (proto_next(&it)) ... it.field, it.value ...
 */
struct proto_iter {
    const struct proto_msg *msg;
    const struct proto_field_desc *field;
    union proto_value value; /* of a repeated field the list */
    size_t next;             /* private */
    uint64_t number;         /* private */
};
bool proto_next(struct proto_iter *it);

/* Equal scalars of one field; NaN equals NaN; -0 differs from 0. Messages: proto_equal. */
bool proto_value_equal(const struct proto_field_desc *field, union proto_value a,
                       union proto_value b);
/* Same type, same set fields, maps in any order, unknown fields as bytes. */
bool proto_equal(const struct proto_msg *a, const struct proto_msg *b);

/*
 * By number, for messages of known types such as descriptors: the field must be there (BUG).
 *     proto_str(file, 1)     google.protobuf.FileDescriptorProto.name
 */
const struct proto_field_desc *proto_field_of(const struct proto_msg *msg, uint32_t number);
struct str proto_str(const struct proto_msg *msg, uint32_t number);
