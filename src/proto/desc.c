/* Look-ups in descriptors: see desc.h.  All go over sorted tables that the linker made. */
#include "proto/desc.h"

#include "base/buf.h"
#include "proto/index_int.h"
#include "proto/pool.h"

#include <string.h>

int proto_str_compare(struct str a, struct str b)
{
    size_t n = a.len < b.len ? a.len : b.len;
    int order = n == 0 ? 0 : memcmp(a.ptr, b.ptr, n);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static const struct proto_field_desc *find_name(const struct proto_name *name, size_t n,
                                                struct str wanted)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = proto_str_compare(name[middle].name, wanted);
        if (order == 0) {
            return name[middle].field;
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

const struct proto_field_desc *proto_field_by_name(const struct proto_message_desc *desc,
                                                   struct str name)
{
    const struct proto_message_index *index = desc->index;
    return find_name(index->name, index->names, name);
}

const struct proto_field_desc *proto_field_by_any_name(const struct proto_message_desc *desc,
                                                       struct str name)
{
    const struct proto_message_index *index = desc->index;
    const struct proto_field_desc *field = find_name(index->name, index->names, name);
    return field != NULL ? field : find_name(index->json, index->jsons, name);
}

/* by_number is sorted; most messages count from 1 without holes. */
static const struct proto_field_desc *find_number(const struct proto_field_desc *const *by_number,
                                                  size_t n, uint32_t number)
{
    size_t low = 0, high = n;
    if (number - 1 < n) {
        if (by_number[number - 1]->number == number) {
            return by_number[number - 1];
        }
        high = number - 1; /* numbers only grow faster than places */
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (by_number[middle]->number == number) {
            return by_number[middle];
        }
        if (by_number[middle]->number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const struct proto_field_desc *proto_field_by_number(const struct proto_message_desc *desc,
                                                     uint32_t number)
{
    return number == 0 ? NULL : find_number(desc->by_number, desc->fields, number);
}

const struct proto_field_desc *proto_extension_of(const struct proto_message_desc *desc,
                                                  uint32_t number)
{
    const struct proto_message_index *index = desc->index;
    return number == 0 ? NULL : find_number(index->known.ptr, index->known.len, number);
}

bool proto_has_extensions(const struct proto_message_desc *desc)
{
    const struct proto_message_index *index = desc->index;
    return index->known.len > 0;
}

const struct proto_enum_value_desc *proto_enum_by_name(const struct proto_enum_desc *desc,
                                                       struct str name)
{
    const struct proto_enum_index *index = desc->index;
    size_t low = 0, high = desc->values;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = proto_str_compare(index->by_name[middle]->name, name);
        if (order == 0) {
            return index->by_name[middle];
        }
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

const struct proto_enum_value_desc *proto_enum_by_number(const struct proto_enum_desc *desc,
                                                         int32_t number)
{
    const struct proto_enum_index *index = desc->index;
    size_t low = 0, high = index->numbers;
    if (number >= 0 && (size_t) number < high && index->by_number[number]->number == number) {
        return index->by_number[number];
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (index->by_number[middle]->number == number) {
            return index->by_number[middle];
        }
        if (index->by_number[middle]->number < number) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return NULL;
}

const struct proto_oneof_desc *proto_oneof_by_name(const struct proto_message_desc *desc,
                                                   struct str name)
{
    for (size_t i = 0; i < desc->oneofs; i++) {
        if (str_eq(desc->oneof[i].name, name)) {
            return &desc->oneof[i];
        }
    }
    return NULL;
}

static const char *const type_names[] = {
    [PROTO_DOUBLE] = "double",     [PROTO_FLOAT] = "float",     [PROTO_INT64] = "int64",
    [PROTO_UINT64] = "uint64",     [PROTO_INT32] = "int32",     [PROTO_FIXED64] = "fixed64",
    [PROTO_FIXED32] = "fixed32",   [PROTO_BOOL] = "bool",       [PROTO_STRING] = "string",
    [PROTO_GROUP] = "group",       [PROTO_MESSAGE] = "message", [PROTO_BYTES] = "bytes",
    [PROTO_UINT32] = "uint32",     [PROTO_ENUM] = "enum",       [PROTO_SFIXED32] = "sfixed32",
    [PROTO_SFIXED64] = "sfixed64", [PROTO_SINT32] = "sint32",   [PROTO_SINT64] = "sint64",
};

/* The full name of a field's type, or an empty view for a scalar. */
static struct str type_full_name(const struct proto_field_desc *field)
{
    return field->message != NULL       ? field->message->full_name
           : field->enumeration != NULL ? field->enumeration->full_name
                                        : (struct str){NULL, 0};
}

const char *proto_field_type_text(const struct proto_field_desc *field, char *out, size_t size)
{
    struct buf b;
    buf_init_fixed(&b, out, size);
    const struct proto_field_desc *typed = field;
    if (field->is_map) {
        buf_add_cstr(&b, "map<");
        buf_add_cstr(&b, type_names[proto_map_key(field)->type]);
        buf_add_cstr(&b, ", ");
        typed = proto_map_value(field);
    } else if (field->repeated) {
        buf_add_cstr(&b, "repeated ");
    }
    struct str named = type_full_name(typed);
    if (named.len == 0 || !field->is_map) {
        buf_add_cstr(&b, type_names[typed->type]);
        buf_add_cstr(&b, named.len > 0 ? " " : "");
    }
    buf_add_str(&b, named);
    buf_add_cstr(&b, field->is_map ? ">" : "");
    return out;
}

const char *proto_method_kind(const struct proto_method_desc *method)
{
    if (method->client_streaming) {
        return method->server_streaming ? "bidirectional streaming" : "client streaming";
    }
    return method->server_streaming ? "server streaming" : "unary";
}

const struct proto_method_desc *proto_method_by_name(const struct proto_service_desc *service,
                                                     struct str name)
{
    for (size_t i = 0; i < service->methods; i++) {
        if (str_eq(service->method[i].name, name)) {
            return &service->method[i];
        }
    }
    return NULL;
}
