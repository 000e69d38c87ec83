/* Whether messages say the same. */
#include "base/mem.h"
#include "proto/message_int.h"

bool proto_value_equal(const struct proto_field_desc *field, union proto_value a,
                       union proto_value b)
{
    switch (field->type) {
    case PROTO_DOUBLE:
        return a.u64 == b.u64 || (a.f64 != a.f64 && b.f64 != b.f64);
    case PROTO_FLOAT:
        return a.u32 == b.u32 || (a.f32 != a.f32 && b.f32 != b.f32);
    case PROTO_INT64:
    case PROTO_UINT64:
    case PROTO_FIXED64:
    case PROTO_SFIXED64:
    case PROTO_SINT64:
        return a.u64 == b.u64;
    case PROTO_INT32:
    case PROTO_FIXED32:
    case PROTO_UINT32:
    case PROTO_ENUM:
    case PROTO_SFIXED32:
    case PROTO_SINT32:
        return a.u32 == b.u32;
    case PROTO_BOOL:
        return a.boolean == b.boolean;
    case PROTO_STRING:
    case PROTO_BYTES:
        return str_eq(a.bytes, b.bytes);
    case PROTO_GROUP:
    case PROTO_MESSAGE:
        return proto_equal(a.msg, b.msg);
    }
    BUG("a field of type %d", (int) field->type);
}

static bool maps_equal(const struct proto_msg *b, const struct proto_field_desc *field,
                       const struct proto_list *list_a)
{
    for (size_t i = 0; i < list_a->len; i++) {
        const struct proto_msg *entry = list_a->item[i].msg;
        const struct proto_msg *other = proto_map_find(b, field, proto_entry_key(entry));
        if (other == NULL) {
            return false;
        }
        const struct proto_field_desc *value = proto_map_value(field);
        union proto_value value_a = proto_get(entry, value), value_b = proto_get(other, value);
        if (value->message != NULL && (value_a.msg == NULL || value_b.msg == NULL)) {
            if (value_a.msg != value_b.msg) {
                return false;
            }
        } else if (!proto_value_equal(value, value_a, value_b)) {
            return false;
        }
    }
    return true;
}

static bool lists_equal(const struct proto_msg *b, const struct proto_field_desc *field,
                        const struct proto_list *list_a, const struct proto_list *list_b)
{
    if (list_a->len != list_b->len) {
        return false;
    }
    if (field->is_map) {
        return maps_equal(b, field, list_a);
    }
    for (size_t i = 0; i < list_a->len; i++) {
        if (!proto_value_equal(field, list_a->item[i], list_b->item[i])) {
            return false;
        }
    }
    return true;
}

bool proto_equal(const struct proto_msg *a, const struct proto_msg *b)
{
    if (a == b) {
        return true;
    }
    if (a->desc != b->desc || !str_eq(a->unknown, b->unknown)) {
        return false;
    }
    struct proto_iter it_a = {.msg = a}, it_b = {.msg = b};
    while (proto_next(&it_a)) {
        if (!proto_next(&it_b) || it_a.field != it_b.field) {
            return false;
        }
        if (it_a.field->repeated ? !lists_equal(b, it_a.field, it_a.value.list, it_b.value.list)
                                 : !proto_value_equal(it_a.field, it_a.value, it_b.value)) {
            return false;
        }
    }
    return !proto_next(&it_b);
}
