/* Dynamic messages: see message.h. */
#include "proto/message.h"

#include "base/mem.h"
#include "proto/message_int.h"

#include <string.h>

struct proto_msg *proto_msg_new(struct arena *arena, const struct proto_message_desc *desc)
{
    size_t values = desc->fields * sizeof(union proto_value);
    size_t bits = (desc->fields + 31) / 32 * sizeof(uint32_t);
    struct proto_msg *msg = arena_alloc(arena, sizeof *msg + values + bits);
    if (msg != NULL) {
        void *behind = msg + 1;
        msg->desc = desc;
        msg->arena = arena;
        msg->value = behind;
        behind = msg->value + desc->fields;
        msg->has = behind;
    }
    return msg;
}

bool proto_is_zero(const struct proto_field_desc *field, union proto_value value)
{
    switch (field->type) {
    case PROTO_DOUBLE: /* -0 is not the default, so bits count */
    case PROTO_INT64:
    case PROTO_UINT64:
    case PROTO_FIXED64:
    case PROTO_SFIXED64:
    case PROTO_SINT64:
        return value.u64 == 0;
    case PROTO_FLOAT:
    case PROTO_INT32:
    case PROTO_FIXED32:
    case PROTO_UINT32:
    case PROTO_ENUM:
    case PROTO_SFIXED32:
    case PROTO_SINT32:
        return value.u32 == 0;
    case PROTO_BOOL:
        return !value.boolean;
    case PROTO_STRING:
    case PROTO_BYTES:
        return value.bytes.len == 0;
    case PROTO_GROUP:
    case PROTO_MESSAGE:
        return value.msg == NULL;
    }
    BUG("a field of type %d", (int) field->type);
}

/* The place of the extension in msg->extension, or where it would be inserted. */
static size_t find_extension(const struct proto_msg *msg, const struct proto_field_desc *field)
{
    size_t low = 0, high = msg->extensions;
    if (high > 0 && msg->extension[high - 1].field->number < field->number) {
        return high; /* writers go by number */
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (msg->extension[middle].field->number < field->number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    /* Files that do not know each other may extend a message with one number. */
    while (low < msg->extensions && msg->extension[low].field->number == field->number &&
           msg->extension[low].field != field) {
        low++;
    }
    return low;
}

static void check_parent(const struct proto_msg *msg, const struct proto_field_desc *field)
{
    if (field->parent != msg->desc) {
        BUG(STR_FMT " is no field of " STR_FMT, STR_ARG(field->full_name),
            STR_ARG(msg->desc->full_name));
    }
}

const union proto_value *proto_slot_find(const struct proto_msg *msg,
                                         const struct proto_field_desc *field)
{
    check_parent(msg, field);
    if (!field->is_extension) {
        return &msg->value[field->index];
    }
    size_t i = find_extension(msg, field);
    return i < msg->extensions && msg->extension[i].field == field ? &msg->extension[i].value
                                                                   : NULL;
}

union proto_value *proto_slot(struct proto_msg *msg, const struct proto_field_desc *field)
{
    check_parent(msg, field);
    if (!field->is_extension) {
        return &msg->value[field->index];
    }
    size_t i = find_extension(msg, field);
    if (i < msg->extensions && msg->extension[i].field == field) {
        return &msg->extension[i].value;
    }
    if (msg->extensions == msg->extensions_cap) {
        size_t cap = msg->extensions_cap == 0 ? 4 : msg->extensions_cap * 2;
        struct proto_extension_value *more = arena_alloc(msg->arena, cap * sizeof *more);
        if (more == NULL) {
            return NULL;
        }
        if (msg->extensions > 0) {
            memcpy(more, msg->extension, msg->extensions * sizeof *more);
        }
        msg->extension = more;
        msg->extensions_cap = cap;
    }
    struct proto_extension_value *place = msg->extension + i;
    memmove(place + 1, place, (msg->extensions - i) * sizeof *place);
    *place = (struct proto_extension_value){field, PROTO_ZERO};
    msg->extensions++;
    return &place->value;
}

bool proto_has(const struct proto_msg *msg, const struct proto_field_desc *field)
{
    const union proto_value *slot = proto_slot_find(msg, field);
    if (slot == NULL) {
        return false;
    }
    if (field->repeated) {
        return slot->list != NULL && slot->list->len > 0;
    }
    if (field->is_extension) {
        return true;
    }
    return field->has_presence ? proto_has_bit(msg, field) : !proto_is_zero(field, *slot);
}

union proto_value proto_get(const struct proto_msg *msg, const struct proto_field_desc *field)
{
    return proto_has(msg, field) ? *proto_slot_find(msg, field) : field->fallback;
}

void proto_clear_others(struct proto_msg *msg, const struct proto_field_desc *field)
{
    for (size_t i = 0; i < field->oneof->fields; i++) {
        const struct proto_field_desc *other = field->oneof->field[i];
        if (other != field && proto_has_bit(msg, other)) {
            proto_clear(msg, other);
        }
    }
}

bool proto_set(struct proto_msg *msg, const struct proto_field_desc *field, union proto_value value)
{
    union proto_value *slot = proto_slot(msg, field);
    if (field->repeated) {
        BUG(STR_FMT " is repeated", STR_ARG(field->full_name));
    }
    if (slot == NULL) {
        return false;
    }
    *slot = value;
    if (field->has_presence && !field->is_extension) {
        proto_set_bit(msg, field);
        if (field->oneof != NULL) {
            proto_clear_others(msg, field);
        }
    }
    return true;
}

void proto_clear(struct proto_msg *msg, const struct proto_field_desc *field)
{
    check_parent(msg, field);
    if (!field->is_extension) {
        msg->value[field->index] = PROTO_ZERO;
        msg->has[field->index / 32] &= ~(UINT32_C(1) << (field->index % 32));
        return;
    }
    size_t i = find_extension(msg, field);
    if (i < msg->extensions && msg->extension[i].field == field) {
        struct proto_extension_value *place = msg->extension + i;
        msg->extensions--;
        memmove(place, place + 1, (msg->extensions - i) * sizeof *place);
    }
}

struct proto_msg *proto_mutable(struct proto_msg *msg, const struct proto_field_desc *field)
{
    if (proto_has(msg, field)) {
        return proto_get(msg, field).msg;
    }
    struct proto_msg *made = proto_msg_new(msg->arena, field->message);
    return made != NULL && proto_set(msg, field, (union proto_value){.msg = made}) ? made : NULL;
}

struct proto_list *proto_list_room(struct proto_msg *msg, const struct proto_field_desc *field,
                                   size_t more)
{
    union proto_value *slot = proto_slot(msg, field);
    if (!field->repeated) {
        BUG(STR_FMT " is not repeated", STR_ARG(field->full_name));
    }
    if (slot == NULL) {
        return NULL;
    }
    if (slot->list == NULL) {
        slot->list = arena_alloc(msg->arena, sizeof *slot->list);
        if (slot->list == NULL) {
            return NULL;
        }
    }
    struct proto_list *list = slot->list;
    if (more > list->cap - list->len) {
        size_t cap = list->cap == 0 ? 4 : list->cap * 2;
        cap = cap - list->len < more ? list->len + more : cap;
        if (cap > SIZE_MAX / sizeof *list->item) {
            return NULL;
        }
        union proto_value *item = arena_alloc(msg->arena, cap * sizeof *item);
        if (item == NULL) {
            return NULL;
        }
        if (list->len > 0) {
            memcpy(item, list->item, list->len * sizeof *item);
        }
        list->item = item;
        list->cap = cap;
    }
    return list;
}

bool proto_add(struct proto_msg *msg, const struct proto_field_desc *field, union proto_value value)
{
    struct proto_list *list = proto_list_room(msg, field, 1);
    if (list == NULL) {
        return false;
    }
    list->item[list->len++] = value;
    return true;
}

struct proto_msg *proto_add_message(struct proto_msg *msg, const struct proto_field_desc *field)
{
    struct proto_msg *made = proto_msg_new(msg->arena, field->message);
    return made != NULL && proto_add(msg, field, (union proto_value){.msg = made}) ? made : NULL;
}

size_t proto_len(const struct proto_msg *msg, const struct proto_field_desc *field)
{
    const union proto_value *slot = proto_slot_find(msg, field);
    return slot == NULL || slot->list == NULL ? 0 : slot->list->len;
}

union proto_value proto_item(const struct proto_msg *msg, const struct proto_field_desc *field,
                             size_t i)
{
    if (i >= proto_len(msg, field)) {
        BUG(STR_FMT "[%zu] is not there", STR_ARG(field->full_name), i);
    }
    return proto_slot_find(msg, field)->list->item[i];
}

const struct proto_field_desc *proto_which(const struct proto_msg *msg,
                                           const struct proto_oneof_desc *oneof)
{
    for (size_t i = 0; i < oneof->fields; i++) {
        if (proto_has_bit(msg, oneof->field[i])) {
            return oneof->field[i];
        }
    }
    return NULL;
}

/* next counts by_number; number counts msg->extension. */
bool proto_next(struct proto_iter *it)
{
    const struct proto_msg *msg = it->msg;
    const struct proto_message_desc *desc = msg->desc;
    while (it->next < desc->fields && !proto_has(msg, desc->by_number[it->next])) {
        it->next++;
    }
    while (it->number < msg->extensions && !proto_has(msg, msg->extension[it->number].field)) {
        it->number++; /* a repeated one that became empty */
    }
    bool field = it->next < desc->fields, extension = it->number < msg->extensions;
    if (field && extension) {
        extension = msg->extension[it->number].field->number < desc->by_number[it->next]->number;
    }
    if (extension) {
        it->field = msg->extension[it->number].field;
        it->value = msg->extension[it->number++].value;
        return true;
    }
    if (field) {
        it->field = desc->by_number[it->next++];
        it->value = msg->value[it->field->index];
        return true;
    }
    return false;
}

bool proto_unknown_add(struct proto_msg *msg, struct str bytes)
{
    size_t len = msg->unknown.len + bytes.len;
    if (bytes.len == 0) {
        return true;
    }
    if (len > msg->unknown_cap) {
        size_t cap = len < 32 ? 32 : len * 2;
        char *to = arena_alloc(msg->arena, cap);
        if (to == NULL) {
            return false;
        }
        if (msg->unknown.len > 0) {
            memcpy(to, msg->unknown.ptr, msg->unknown.len);
        }
        msg->unknown_mem = to;
        msg->unknown_cap = cap;
    }
    memcpy(msg->unknown_mem + msg->unknown.len, bytes.ptr, bytes.len);
    msg->unknown = (struct str){msg->unknown_mem, len};
    return true;
}

const struct proto_field_desc *proto_field_of(const struct proto_msg *msg, uint32_t number)
{
    const struct proto_field_desc *field = proto_field_by_number(msg->desc, number);
    if (field == NULL) {
        BUG("no field %u in " STR_FMT, number, STR_ARG(msg->desc->full_name));
    }
    return field;
}

struct str proto_str(const struct proto_msg *msg, uint32_t number)
{
    return proto_get(msg, proto_field_of(msg, number)).bytes;
}
