/* Second step of the linker: types and what follows from them; see link_int.h. */
#include "proto/link_int.h"

enum { NUMBER_MAX = 536870911, RESERVED_FIRST = 19000, RESERVED_LAST = 19999 };

static int resolve_extendee(struct linker *l, const struct link_field *made)
{
    struct proto_field_desc *field = made->desc;
    struct str name = proto_str(made->source, FIELD_EXTENDEE);
    if (!field->is_extension) {
        return name.len == 0 ? 0
                             : link_fail(l, field->full_name,
                                         "is a field of a message and also extends " STR_FMT
                                         "; extensions stand apart from fields",
                                         STR_ARG(name));
    }
    const struct proto_symbol *symbol = link_find(l, made->scope, name);
    if (symbol == NULL || symbol->kind != PROTO_SYMBOL_MESSAGE) {
        return link_fail(l, field->full_name,
                         "extends \"" STR_FMT "\", which is no message of this file or its imports",
                         STR_ARG(name));
    }
    field->parent = symbol->is.message;
    return 0;
}

static int check_number(struct linker *l, const struct link_field *made)
{
    struct proto_field_desc *field = made->desc;
    int32_t number = proto_at(made->source, FIELD_NUMBER).i32;
    int32_t max = field->is_extension && field->parent->message_set ? INT32_MAX - 1 : NUMBER_MAX;
    if (number < 1 || number > max) {
        return link_fail(l, field->full_name, "has number %d; numbers go from 1 to %d", number,
                         max);
    }
    if (number >= RESERVED_FIRST && number <= RESERVED_LAST) {
        return link_fail(l, field->full_name,
                         "has number %d; 19000 to 19999 are protobuf's own: take another", number);
    }
    field->number = (uint32_t) number;
    return 0;
}

static int check_label(struct linker *l, const struct link_field *made)
{
    struct proto_field_desc *field = made->desc;
    int32_t label = proto_at(made->source, FIELD_LABEL).i32;
    field->repeated = label == LABEL_REPEATED;
    field->required = label == LABEL_REQUIRED;
    field->proto3_optional = proto_at(made->source, FIELD_PROTO3_OPTIONAL).boolean;
    bool in_oneof = proto_has_at(made->source, FIELD_ONEOF_INDEX);
    if (field->required && l->file->syntax != PROTO_SYNTAX_2) {
        return link_fail(l, field->full_name, "is required, which only proto2 has");
    }
    if (field->required && field->is_extension) {
        return link_fail(l, field->full_name, "is a required extension: make it optional");
    }
    if (in_oneof && field->is_extension) {
        return link_fail(l, field->full_name, "is an extension in a oneof: take it out");
    }
    if (in_oneof && label != LABEL_OPTIONAL) {
        return link_fail(l, field->full_name, "is %s in a oneof, whose members are singular",
                         field->repeated ? "repeated" : "required");
    }
    if (field->proto3_optional && (field->repeated || l->file->syntax != PROTO_SYNTAX_3 ||
                                   (!in_oneof && !field->is_extension))) {
        return link_fail(l, field->full_name,
                         "has proto3_optional, which is for singular fields of proto3 in a oneof "
                         "of their own");
    }
    return 0;
}

static int check_map(struct linker *l, const struct link_field *made)
{
    struct proto_field_desc *field = made->desc;
    field->is_map = true;
    if (!field->repeated || field->is_extension || field->type != PROTO_MESSAGE ||
        field->message->parent != made->inside) {
        return link_fail(l, field->full_name,
                         "has type " STR_FMT ", an entry of a map; only the map's own field can "
                         "have it: repeated, in the message that the entry is nested in",
                         STR_ARG(field->message->full_name));
    }
    return 0;
}

/* What name means is the type; given: the type that the descriptor says, 0 for none. */
static int use_symbol(struct linker *l, const struct link_field *made, int32_t given,
                      const struct proto_symbol *symbol)
{
    struct proto_field_desc *field = made->desc;
    if (symbol->kind == PROTO_SYMBOL_MESSAGE && given != PROTO_ENUM) {
        field->type = given == PROTO_GROUP ? PROTO_GROUP : PROTO_MESSAGE;
        field->message = symbol->is.message;
        return field->message->is_map_entry ? check_map(l, made) : 0;
    }
    if (symbol->kind == PROTO_SYMBOL_ENUM && (given == 0 || given == PROTO_ENUM)) {
        field->type = PROTO_ENUM;
        field->enumeration = symbol->is.enumeration;
        if (!field->enumeration->closed || l->file->syntax != PROTO_SYNTAX_3) {
            return 0;
        }
        return link_fail(l, field->full_name,
                         "has type " STR_FMT ", an enum of proto2; proto3 can only use open enums",
                         STR_ARG(field->enumeration->full_name));
    }
    return link_fail(l, field->full_name, "type \"" STR_FMT "\" is no %s",
                     STR_ARG(proto_str(made->source, FIELD_TYPE_NAME)),
                     given == PROTO_ENUM ? "enum" : "message");
}

static int resolve_type(struct linker *l, const struct link_field *made)
{
    struct proto_field_desc *field = made->desc;
    struct str name = proto_str(made->source, FIELD_TYPE_NAME);
    int32_t given =
        proto_has_at(made->source, FIELD_TYPE) ? proto_at(made->source, FIELD_TYPE).i32 : 0;
    if (given != 0 && given != PROTO_MESSAGE && given != PROTO_GROUP && given != PROTO_ENUM) {
        field->type = (enum proto_type) given;
        return name.len == 0 ? 0
                             : link_fail(l, field->full_name,
                                         "has a scalar type and also type name \"" STR_FMT "\"",
                                         STR_ARG(name));
    }
    if (name.len == 0) {
        return link_fail(l, field->full_name, "has no %s", given != 0 ? "type name" : "type");
    }
    const struct proto_symbol *symbol = link_find(l, made->scope, name);
    if (symbol == NULL) {
        return link_fail(l, field->full_name,
                         "type \"" STR_FMT "\" is not in this file nor in what it imports",
                         STR_ARG(name));
    }
    return use_symbol(l, made, given, symbol);
}

bool proto_json_name(struct arena *arena, struct str name, struct str *ret)
{
    if (str_find_char(name, '_') == name.len) {
        *ret = name;
        return true;
    }
    char *text = arena_alloc(arena, name.len + 1);
    if (text == NULL) {
        return false;
    }
    size_t len = 0;
    bool capital = false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (c == '_') {
            capital = true;
            continue;
        }
        if (capital && c >= 'a' && c <= 'z') {
            c = (char) (c & ~0x20);
        }
        text[len++] = c;
        capital = false;
    }
    *ret = (struct str){text, len};
    return true;
}

static int resolve_json_name(struct linker *l, const struct link_field *made)
{
    struct proto_field_desc *field = made->desc;
    field->json_name = proto_str(made->source, FIELD_JSON_NAME);
    if (proto_has_at(made->source, FIELD_JSON_NAME)) {
        return 0;
    }
    return proto_json_name(l->arena, field->name, &field->json_name) ? 0 : link_full(l);
}

static bool can_be_packed(const struct proto_field_desc *field)
{
    return field->repeated && field->type != PROTO_STRING && field->type != PROTO_BYTES &&
           field->message == NULL;
}

static int resolve_rest(struct linker *l, const struct link_field *made)
{
    struct proto_field_desc *field = made->desc;
    bool proto3 = l->file->syntax == PROTO_SYNTAX_3;
    if (can_be_packed(field)) {
        field->packed = field->options != NULL && proto_has_at(field->options, OPTION_PACKED)
                            ? proto_option(field->options, OPTION_PACKED)
                            : proto3;
    }
    field->check_utf8 = field->type == PROTO_STRING && proto3;
    field->has_presence =
        !field->repeated && (!proto3 || field->message != NULL || field->is_extension ||
                             proto_has_at(made->source, FIELD_ONEOF_INDEX));
    if (field->enumeration != NULL && !field->repeated) {
        field->fallback.i32 = field->enumeration->value[0].number;
    }
    if (!proto_has_at(made->source, FIELD_DEFAULT)) {
        return 0;
    }
    if (field->repeated || field->message != NULL || proto3) {
        return link_fail(l, field->full_name, "has a default, which %s",
                         proto3 ? "proto3 does not have" : "only singular scalars of proto2 have");
    }
    return link_default(l, field, proto_str(made->source, FIELD_DEFAULT));
}

int link_fields(struct linker *l)
{
    for (size_t i = 0; i < l->field.len; i++) {
        const struct link_field *made = &l->field.ptr[i];
        int (*const steps[])(struct linker *, const struct link_field *) = {
            resolve_extendee, check_number,      check_label,
            resolve_type,     resolve_json_name, resolve_rest,
        };
        for (size_t k = 0; k < sizeof steps / sizeof steps[0]; k++) {
            int status = steps[k](l, made);
            if (status != 0) {
                return status;
            }
        }
    }
    return 0;
}
