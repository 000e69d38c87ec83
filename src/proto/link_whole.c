/* Last step of the linker: what reaches over messages; see link_int.h. */
#include "proto/link_int.h"

#include <stdlib.h>

static int by_extendee(const void *a, const void *b)
{
    const struct proto_field_desc *const *left = a, *const *right = b;
    if ((*left)->parent != (*right)->parent) {
        return (*left)->parent > (*right)->parent ? 1 : -1;
    }
    return ((*left)->number > (*right)->number) - ((*left)->number < (*right)->number);
}

static bool in_range(const struct proto_message_index *index, uint32_t number)
{
    size_t low = 0, high = index->ranges;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (number < index->range[middle].first) {
            high = middle;
        } else if (number > index->range[middle].last) {
            low = middle + 1;
        } else {
            return true;
        }
    }
    return false;
}

static int check_extension(struct linker *l, const struct proto_field_desc *field)
{
    const struct proto_message_desc *of = field->parent;
    if (!in_range(of->index, field->number)) {
        return link_fail(l, field->full_name,
                         "has number %u, which " STR_FMT " has not set apart for extensions",
                         field->number, STR_ARG(of->full_name));
    }
    if (of->message_set && (field->type != PROTO_MESSAGE || field->repeated)) {
        return link_fail(l, field->full_name,
                         "extends the message set " STR_FMT ", which takes singular messages only",
                         STR_ARG(of->full_name));
    }
    return 0;
}

int link_extensions(struct linker *l)
{
    size_t n = l->extension.len;
    const struct proto_field_desc **list = link_array(l, n, sizeof(void *));
    if (list == NULL) {
        return link_full(l);
    }
    for (size_t i = 0; i < n; i++) {
        list[i] = l->extension.ptr[i];
        int status = check_extension(l, list[i]);
        if (status != 0) {
            return status;
        }
    }
    l->file->extension = list;
    l->file->extensions = n;
    if (n == 0) {
        return 0;
    }
    qsort(l->extension.ptr, n, sizeof(void *), by_extendee);
    for (size_t i = 1; i < n; i++) {
        const struct proto_field_desc *a = l->extension.ptr[i - 1], *b = l->extension.ptr[i];
        if (a->parent == b->parent && a->number == b->number) {
            return link_fail(l, b->full_name,
                             "extends " STR_FMT " with number %u, as " STR_FMT " does",
                             STR_ARG(b->parent->full_name), b->number, STR_ARG(a->full_name));
        }
    }
    return 0;
}

/* That `from` has a field of type `to`, both of this file. */
struct edge {
    const struct proto_message_desc *to;
    struct proto_message_desc *from;
};

static int by_target(const void *a, const void *b)
{
    const struct edge *left = a, *right = b;
    return (left->to > right->to) - (left->to < right->to);
}

/* The first edge to desc, or n. */
static size_t find_edge(const struct edge *edge, size_t n, const struct proto_message_desc *desc)
{
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (edge[middle].to < desc) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/*
 * has_required goes from each message to those that have a field of it, along edges backwards, so
 * that each edge is walked once.
 */
int link_required(struct linker *l)
{
    VEC(struct edge) edge = {0};
    VEC(struct proto_message_desc *) todo = {0};
    for (size_t i = 0; i < l->message.len; i++) {
        struct proto_message_desc *desc = l->message.ptr[i].desc;
        for (size_t k = 0; k < desc->fields; k++) {
            const struct proto_field_desc *field = &desc->field[k];
            const struct proto_message_desc *type = field->message;
            if (type != NULL && type->file == l->file) {
                vec_push(&edge, ((struct edge){type, desc}));
            }
            desc->has_required = desc->has_required || field->required ||
                                 (type != NULL && type->file != l->file && type->has_required);
        }
        if (desc->has_required) {
            vec_push(&todo, desc); /* NOLINT(bugprone-sizeof-expression): of pointers */
        }
    }
    if (edge.len > 0) {
        qsort(edge.ptr, edge.len, sizeof edge.ptr[0], by_target);
    }
    while (todo.len > 0) {
        const struct proto_message_desc *desc = todo.ptr[--todo.len];
        for (size_t i = find_edge(edge.ptr, edge.len, desc); i < edge.len && edge.ptr[i].to == desc;
             i++) {
            struct proto_message_desc *from = edge.ptr[i].from;
            if (!from->has_required) {
                from->has_required = true;
                vec_push(&todo, from); /* NOLINT(bugprone-sizeof-expression): of pointers */
            }
        }
    }
    vec_done(&edge);
    vec_done(&todo);
    return 0;
}

/* The shape that a well-known type must have to be treated as one: number and type of fields. */
struct shape {
    const char *name;
    enum proto_wkt wkt;
    unsigned fields;
    struct {
        uint8_t type;
        bool repeated;
    } field[6]; /* by number, from 1 */
};

#define WRAPPER(NAME, TYPE)                                    \
    {                                                          \
        "google.protobuf." NAME "Value", PROTO_WKT_WRAPPER, 1, \
        {                                                      \
            {                                                  \
                TYPE, false                                    \
            }                                                  \
        }                                                      \
    }

static const struct shape shapes[] = {
    {"google.protobuf.Any", PROTO_WKT_ANY, 2, {{PROTO_STRING, false}, {PROTO_BYTES, false}}},
    {"google.protobuf.Timestamp",
     PROTO_WKT_TIMESTAMP,
     2,
     {{PROTO_INT64, false}, {PROTO_INT32, false}}},
    {"google.protobuf.Duration",
     PROTO_WKT_DURATION,
     2,
     {{PROTO_INT64, false}, {PROTO_INT32, false}}},
    {"google.protobuf.FieldMask", PROTO_WKT_FIELD_MASK, 1, {{PROTO_STRING, true}}},
    {"google.protobuf.Struct", PROTO_WKT_STRUCT, 1, {{PROTO_MESSAGE, true}}},
    {"google.protobuf.ListValue", PROTO_WKT_LIST_VALUE, 1, {{PROTO_MESSAGE, true}}},
    {"google.protobuf.Value",
     PROTO_WKT_VALUE,
     6,
     {{PROTO_ENUM, false},
      {PROTO_DOUBLE, false},
      {PROTO_STRING, false},
      {PROTO_BOOL, false},
      {PROTO_MESSAGE, false},
      {PROTO_MESSAGE, false}}},
    {"google.protobuf.Empty", PROTO_WKT_EMPTY, 0, {{0, false}}},
    WRAPPER("Double", PROTO_DOUBLE),
    WRAPPER("Float", PROTO_FLOAT),
    WRAPPER("Int64", PROTO_INT64),
    WRAPPER("UInt64", PROTO_UINT64),
    WRAPPER("Int32", PROTO_INT32),
    WRAPPER("UInt32", PROTO_UINT32),
    WRAPPER("Bool", PROTO_BOOL),
    WRAPPER("String", PROTO_STRING),
    WRAPPER("Bytes", PROTO_BYTES),
};

static bool has_shape(const struct proto_message_desc *desc, const struct shape *shape)
{
    if (!str_eq_cstr(desc->full_name, shape->name) || desc->fields != shape->fields) {
        return false;
    }
    for (size_t i = 0; i < desc->fields; i++) {
        const struct proto_field_desc *field = desc->by_number[i];
        if (field->number != i + 1 || (uint8_t) field->type != shape->field[i].type ||
            field->repeated != shape->field[i].repeated || field->required) {
            return false;
        }
    }
    return true;
}

static bool is_type(const struct proto_field_desc *field, enum proto_wkt wkt)
{
    return field->message != NULL && field->message->wkt == wkt;
}

/* Struct, Value and ListValue are well known together or not at all. */
static bool is_whole(const struct proto_message_desc *desc)
{
    const struct proto_field_desc *const *field = desc->by_number;
    if (desc->wkt == PROTO_WKT_STRUCT) {
        return field[0]->is_map && proto_map_key(field[0])->type == PROTO_STRING &&
               is_type(proto_map_value(field[0]), PROTO_WKT_VALUE);
    }
    if (desc->wkt == PROTO_WKT_LIST_VALUE) {
        return is_type(field[0], PROTO_WKT_VALUE);
    }
    if (desc->wkt == PROTO_WKT_VALUE) {
        return desc->oneofs == 1 && desc->oneof[0].fields == desc->fields &&
               field[0]->enumeration->is_null_value && is_type(field[4], PROTO_WKT_STRUCT) &&
               is_type(field[5], PROTO_WKT_LIST_VALUE);
    }
    return true;
}

void link_well_known(struct linker *l)
{
    if (!str_eq_cstr(l->file->package, "google.protobuf")) {
        return;
    }
    for (size_t i = 0; i < l->enumeration.len; i++) {
        struct proto_enum_desc *desc = l->enumeration.ptr[i].desc;
        desc->is_null_value = str_eq_cstr(desc->full_name, "google.protobuf.NullValue") &&
                              desc->values == 1 && desc->value[0].number == 0;
    }
    for (size_t i = 0; i < l->message.len; i++) {
        struct proto_message_desc *desc = l->message.ptr[i].desc;
        for (size_t k = 0; k < sizeof shapes / sizeof shapes[0]; k++) {
            if (has_shape(desc, &shapes[k])) {
                desc->wkt = shapes[k].wkt;
            }
        }
    }
    for (size_t round = 0; round < 3; round++) { /* one that falls takes the other two with it */
        for (size_t i = 0; i < l->message.len; i++) {
            struct proto_message_desc *desc = l->message.ptr[i].desc;
            desc->wkt = is_whole(desc) ? desc->wkt : PROTO_WKT_NONE;
        }
    }
}
