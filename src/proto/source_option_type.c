/* Views of fields and types, linked or not; see source_option_int.h. */
#include "proto/source_option_int.h"

#include <string.h>

static struct str without_dot(struct str name)
{
    return name.len > 0 && name.ptr[0] == '.' ? (struct str){name.ptr + 1, name.len - 1} : name;
}

struct option_type option_type_of(const struct source_symbol *symbol)
{
    return (struct option_type){.linked = symbol->source == NULL ? symbol->message : NULL,
                                .source = symbol->source,
                                .name = symbol->name};
}

static struct option_type linked_type(const struct proto_message_desc *desc)
{
    return (struct option_type){.linked = desc, .name = desc->full_name};
}

static void from_linked(const struct proto_field_desc *desc, struct option_field *ret)
{
    *ret = (struct option_field){
        .name = desc->is_extension ? desc->full_name : desc->name,
        .number = desc->number,
        .type = desc->type,
        .repeated = desc->repeated,
        .required = desc->required,
        .packed = desc->packed,
        .extension = desc->is_extension,
        .oneof = desc->oneof == NULL ? -1 : (int32_t) (desc->oneof - desc->parent->oneof),
        .linked_enum = desc->enumeration,
    };
    if (desc->message != NULL) {
        ret->message = linked_type(desc->message);
        ret->type_name = desc->message->full_name;
    } else if (desc->enumeration != NULL) {
        ret->type_name = desc->enumeration->full_name;
    }
}

static void from_source(const struct resolve *r, const struct proto_msg *field, struct str name,
                        struct option_field *ret)
{
    bool in_oneof =
        source_has(field, FIELD_ONEOF_INDEX) && !source_has(field, FIELD_PROTO3_OPTIONAL);
    *ret = (struct option_field){
        .name = name,
        .number = (uint32_t) source_i32(field, FIELD_NUMBER),
        .type = (enum proto_type) source_i32(field, FIELD_TYPE),
        .repeated = source_i32(field, FIELD_LABEL) == LABEL_REPEATED,
        .required = source_i32(field, FIELD_LABEL) == LABEL_REQUIRED,
        .extension = source_has(field, FIELD_EXTENDEE),
        .oneof = in_oneof ? source_i32(field, FIELD_ONEOF_INDEX) : -1,
        .type_name = without_dot(proto_str(field, FIELD_TYPE_NAME)),
    };
    const struct source_symbol *symbol =
        ret->type_name.len == 0 ? NULL : source_symbol_find(r, ret->type_name);
    if (symbol != NULL && symbol->kind == SOURCE_MESSAGE) {
        ret->message = option_type_of(symbol);
    } else if (symbol != NULL && symbol->kind == SOURCE_ENUM) {
        ret->source_enum = symbol->source;
        ret->linked_enum = symbol->source == NULL ? symbol->enumeration : NULL;
    }
}

bool option_type_field(const struct resolve *r, const struct option_type *type, struct str name,
                       struct option_field *ret)
{
    if (type->linked != NULL) {
        const struct proto_field_desc *field = proto_field_by_name(type->linked, name);
        if (field != NULL) {
            from_linked(field, ret);
        }
        return field != NULL;
    }
    for (size_t i = 0; i < source_len(type->source, MESSAGE_FIELD); i++) {
        const struct proto_msg *field = source_item(type->source, MESSAGE_FIELD, i);
        if (str_eq(proto_str(field, FIELD_NAME), name)) {
            from_source(r, field, name, ret);
            return true;
        }
    }
    return false;
}

bool option_type_field_at(const struct resolve *r, const struct option_type *type, size_t i,
                          struct option_field *ret)
{
    if (type->linked != NULL) {
        if (i < type->linked->fields) {
            from_linked(&type->linked->field[i], ret);
        }
        return i < type->linked->fields;
    }
    if (i >= source_len(type->source, MESSAGE_FIELD)) {
        return false;
    }
    const struct proto_msg *field = source_item(type->source, MESSAGE_FIELD, i);
    from_source(r, field, proto_str(field, FIELD_NAME), ret);
    return true;
}

bool option_type_is_message_set(const struct option_type *type)
{
    return type->linked != NULL ? type->linked->message_set : source_is_message_set(type->source);
}

void option_extension(const struct resolve *r, const struct source_symbol *symbol,
                      struct option_field *ret, struct str *ret_of)
{
    if (symbol->source == NULL) {
        from_linked(symbol->extension, ret);
        *ret_of = symbol->extension->parent->full_name;
    } else {
        from_source(r, symbol->source, symbol->name, ret);
        *ret_of = without_dot(proto_str(symbol->source, FIELD_EXTENDEE));
    }
}

const char *option_type_nearest(const struct resolve *r, const struct option_type *type,
                                struct str name, char out[65])
{
    struct option_field field;
    for (size_t i = 0; option_type_field_at(r, type, i, &field); i++) {
        if (field.name.len > 64 || field.number == OPTIONS_UNINTERPRETED) {
            continue;
        }
        memcpy(out, field.name.ptr, field.name.len);
        out[field.name.len] = '\0';
        const char *choice = out;
        if (str_nearest(name, &choice, 1) != NULL) {
            return out;
        }
    }
    return NULL;
}
