/*
 * From messages to bytes: see wire.h.  Written from the end to the front, so that the length of
 * what is inside is known when it is to be written before it.
 */
#include "base/mem.h"
#include "proto/index_int.h"
#include "proto/message_int.h"
#include "proto/wire_int.h"

#include <stdlib.h>

struct writer {
    uint8_t *mem; /* the bytes are mem[at] to mem[cap - 1] */
    size_t at, cap, max;
    bool owned;
    unsigned flags;
    size_t depth;
    struct err *err;
};

static int full(struct writer *w)
{
    return err_set(w->err, ERR_FULL, "the message has more than %zu bytes", w->max);
}

/* Room for n more bytes in front. */
static bool room(struct writer *w, size_t n)
{
    size_t len = w->cap - w->at;
    if (n <= w->at) {
        return true;
    }
    if (len > w->max || n > w->max - len) {
        return false;
    }
    size_t cap = w->cap * 2 < len + n ? len + n : w->cap * 2;
    uint8_t *mem = mem_alloc(cap);
    memcpy(mem + cap - len, w->mem + w->at, len);
    if (w->owned) {
        mem_free(w->mem);
    }
    w->mem = mem;
    w->at = cap - len;
    w->cap = cap;
    w->owned = true;
    return true;
}

static int put(struct writer *w, const void *bytes, size_t n)
{
    if (!room(w, n)) {
        return full(w);
    }
    w->at -= n;
    if (n > 0) {
        memcpy(w->mem + w->at, bytes, n);
    }
    return 0;
}

static int put_varint(struct writer *w, uint64_t value)
{
    uint8_t bytes[10];
    size_t n = 0;
    for (; value >= 0x80; value >>= 7) {
        bytes[n++] = (uint8_t) (value | 0x80);
    }
    bytes[n++] = (uint8_t) value;
    return put(w, bytes, n);
}

static int put_fixed(struct writer *w, uint64_t value, size_t size)
{
    uint8_t bytes[8];
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t) (value >> (8 * i));
    }
    return put(w, bytes, size);
}

static int put_tag(struct writer *w, uint32_t number, unsigned type)
{
    return put_varint(w, (uint64_t) number << 3 | type);
}

static uint64_t as_varint(enum proto_type type, union proto_value value)
{
    switch ((unsigned) type) {
    case PROTO_BOOL:
        return value.boolean;
    case PROTO_INT32:
    case PROTO_ENUM:
        return (uint64_t) (int64_t) value.i32;
    case PROTO_UINT32:
        return value.u32;
    case PROTO_SINT32:
        return value.u32 << 1 ^ (value.i32 < 0 ? UINT32_MAX : 0);
    case PROTO_SINT64:
        return value.u64 << 1 ^ (value.i64 < 0 ? UINT64_MAX : 0);
    default:
        return value.u64;
    }
}

static int put_message(struct writer *w, const struct proto_msg *msg);

/* Length and fields; msg NULL is an empty one. */
static int put_below(struct writer *w, const struct proto_msg *msg)
{
    size_t before = w->cap - w->at;
    int status = msg == NULL ? 0 : put_message(w, msg);
    return status == 0 ? put_varint(w, w->cap - w->at - before) : status;
}

static int put_string(struct writer *w, const struct proto_field_desc *field, struct str bytes)
{
    if (field->check_utf8 && !str_is_utf8(bytes)) {
        return err_set(w->err, ERR_INVALID, STR_FMT ": the string is not UTF-8",
                       STR_ARG(field->full_name));
    }
    int status = put(w, bytes.ptr, bytes.len);
    return status == 0 ? put_varint(w, bytes.len) : status;
}

/* A value without its tag. */
static int put_value(struct writer *w, const struct proto_field_desc *field,
                     union proto_value value)
{
    if (field->type == PROTO_MESSAGE) {
        return put_below(w, value.msg);
    }
    if (field->type == PROTO_STRING || field->type == PROTO_BYTES) {
        return put_string(w, field, value.bytes);
    }
    unsigned type = proto_wire_type(field->type);
    return type == WIRE_VARINT ? put_varint(w, as_varint(field->type, value))
           : type == WIRE_64   ? put_fixed(w, value.u64, 8)
                               : put_fixed(w, value.u32, 4);
}

static int put_single(struct writer *w, const struct proto_field_desc *field,
                      union proto_value value)
{
    int status = 0;
    if (field->type == PROTO_GROUP) {
        status = put_tag(w, field->number, WIRE_END_GROUP);
        status = status == 0 ? put_message(w, value.msg) : status;
    } else {
        status = put_value(w, field, value);
    }
    return status == 0 ? put_tag(w, field->number, proto_wire_type(field->type)) : status;
}

/* An extension of a message set: group 1 of type 2 and message 3. */
static int put_item(struct writer *w, const struct proto_field_desc *field, union proto_value value)
{
    int status = put_tag(w, 1, WIRE_END_GROUP);
    status = status == 0 ? put_below(w, value.msg) : status;
    status = status == 0 ? put_tag(w, 3, WIRE_BYTES) : status;
    status = status == 0 ? put_varint(w, field->number) : status;
    status = status == 0 ? put_tag(w, 2, WIRE_VARINT) : status;
    return status == 0 ? put_tag(w, 1, WIRE_GROUP) : status;
}

static int by_key(const void *a, const void *b)
{
    const struct proto_msg *const *left = a, *const *right = b;
    return proto_key_compare(&(*left)->desc->field[0], proto_entry_key(*left),
                             proto_entry_key(*right));
}

static int put_entry(struct writer *w, const struct proto_field_desc *field,
                     const struct proto_msg *entry)
{
    size_t before = w->cap - w->at;
    const struct proto_field_desc *value = proto_map_value(field);
    int status = put(w, entry->unknown.ptr, entry->unknown.len);
    status = status == 0 ? put_single(w, value, proto_get(entry, value)) : status;
    status = status == 0 ? put_single(w, proto_map_key(field), proto_entry_key(entry)) : status;
    status = status == 0 ? put_varint(w, w->cap - w->at - before) : status;
    return status == 0 ? put_tag(w, field->number, WIRE_BYTES) : status;
}

static int put_map(struct writer *w, const struct proto_field_desc *field,
                   const struct proto_list *list)
{
    const struct proto_msg **entry = mem_array(list->len, sizeof(void *));
    int status = 0;
    for (size_t i = 0; i < list->len; i++) {
        entry[i] = list->item[i].msg;
    }
    qsort(entry, list->len, sizeof(void *), by_key);
    for (size_t i = list->len; status == 0 && i > 0; i--) {
        status = put_entry(w, field, entry[i - 1]);
    }
    mem_free(entry);
    return status;
}

static int put_list(struct writer *w, const struct proto_field_desc *field,
                    const struct proto_list *list)
{
    if (list == NULL || list->len == 0) {
        return 0;
    }
    if (field->is_map) {
        return put_map(w, field, list);
    }
    size_t before = w->cap - w->at;
    for (size_t i = list->len; i > 0; i--) {
        int status = field->packed ? put_value(w, field, list->item[i - 1])
                                   : put_single(w, field, list->item[i - 1]);
        if (status != 0) {
            return status;
        }
    }
    if (!field->packed) {
        return 0;
    }
    int status = put_varint(w, w->cap - w->at - before);
    return status == 0 ? put_tag(w, field->number, WIRE_BYTES) : status;
}

static int put_field(struct writer *w, const struct proto_msg *msg,
                     const struct proto_field_desc *field)
{
    union proto_value value = msg->value[field->index];
    if (field->repeated) {
        return put_list(w, field, value.list);
    }
    if (field->has_presence ? proto_has_bit(msg, field) : !proto_is_zero(field, value)) {
        return put_single(w, field, value);
    }
    if (field->required && (w->flags & PROTO_WIRE_PARTIAL) == 0) {
        return err_set(w->err, ERR_INVALID, STR_FMT ": is required and not set",
                       STR_ARG(field->full_name));
    }
    return 0;
}

static int put_extension(struct writer *w, const struct proto_msg *msg,
                         const struct proto_extension_value *one)
{
    return one->field->repeated     ? put_list(w, one->field, one->value.list)
           : msg->desc->message_set ? put_item(w, one->field, one->value)
                                    : put_single(w, one->field, one->value);
}

static int put_message(struct writer *w, const struct proto_msg *msg)
{
    const struct proto_message_desc *desc = msg->desc;
    if (w->depth > PROTO_DEPTH_MAX) {
        return err_set(w->err, ERR_INVALID, STR_FMT ": messages are nested more than %d deep",
                       STR_ARG(desc->full_name), PROTO_DEPTH_MAX);
    }
    w->depth++;
    int status = put(w, msg->unknown.ptr, msg->unknown.len);
    size_t field = desc->fields, extension = msg->extensions;
    while (status == 0 && (field > 0 || extension > 0)) {
        const struct proto_extension_value *one =
            extension > 0 ? &msg->extension[extension - 1] : NULL;
        if (one != NULL &&
            (field == 0 || one->field->number > desc->by_number[field - 1]->number)) {
            status = put_extension(w, msg, one);
            extension--;
        } else {
            status = put_field(w, msg, desc->by_number[--field]);
        }
    }
    w->depth--;
    return status;
}

int proto_wire_write(const struct proto_msg *msg, unsigned flags, struct buf *b, struct err *err)
{
    uint8_t small[1024];
    struct writer w = {
        .mem = small,
        .at = sizeof small,
        .cap = sizeof small,
        .max = b->failed ? 0 : b->max - b->len,
        .flags = flags,
        .err = err,
    };
    int status = put_message(&w, msg);
    if (status == 0) {
        buf_add(b, w.mem + w.at, w.cap - w.at);
        status = b->failed ? full(&w) : 0;
    }
    if (w.owned) {
        mem_free(w.mem);
    }
    return status;
}
