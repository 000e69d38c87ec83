/* First step of the linker: descriptors with names, nothing resolved; see link_int.h. */
#include "proto/link_int.h"

#include <string.h>

static const char *const kind_names[] = {
    [PROTO_SYMBOL_PACKAGE] = "a package",      [PROTO_SYMBOL_MESSAGE] = "a message",
    [PROTO_SYMBOL_ENUM] = "an enum",           [PROTO_SYMBOL_VALUE] = "a value of an enum",
    [PROTO_SYMBOL_FIELD] = "a field",          [PROTO_SYMBOL_ONEOF] = "a oneof",
    [PROTO_SYMBOL_EXTENSION] = "an extension", [PROTO_SYMBOL_SERVICE] = "a service",
    [PROTO_SYMBOL_METHOD] = "a method",
};

const struct proto_symbol *link_symbol(const struct linker *l, struct str name)
{
    const struct proto_symbol *symbol = map_get(&l->symbol, name);
    return symbol != NULL ? symbol : map_get(&l->pool->symbol, name);
}

static int add_symbol(struct linker *l, struct str full_name, struct proto_symbol symbol)
{
    const struct proto_symbol *old = link_symbol(l, full_name);
    if (old != NULL && old->kind == PROTO_SYMBOL_PACKAGE && symbol.kind == PROTO_SYMBOL_PACKAGE) {
        return 0;
    }
    if (old != NULL) {
        return link_fail(l, full_name, "is already %s of " STR_FMT "; a name can mean one thing",
                         kind_names[old->kind], STR_ARG(old->file->name));
    }
    struct proto_symbol *copy = link_array(l, 1, sizeof *copy);
    if (copy == NULL) {
        return link_full(l);
    }
    *copy = symbol;
    copy->file = l->file;
    (void) map_put(&l->symbol, full_name, copy);
    return 0;
}

static bool is_identifier(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i > 0 && c >= '0' && c <= '9')) {
            return false;
        }
    }
    return name.len > 0;
}

/* scope.name, checked. */
static int make_name(struct linker *l, struct str scope, struct str name, struct str *ret)
{
    if (!is_identifier(name)) {
        return link_fail(l, scope, "\"" STR_FMT "\" is no name: letters, digits and _ make one",
                         STR_ARG(name));
    }
    size_t len = scope.len + (scope.len > 0) + name.len;
    if (name.len > LINK_NAME_MAX || len > LINK_NAME_MAX) {
        return link_fail(l, scope, "a name of more than %d bytes is in it", LINK_NAME_MAX);
    }
    if (scope.len == 0) {
        *ret = name;
        return 0;
    }
    char *text = link_array(l, len + 1, 1);
    if (text == NULL) {
        return link_full(l);
    }
    memcpy(text, scope.ptr, scope.len);
    text[scope.len] = '.';
    memcpy(text + scope.len + 1, name.ptr, name.len);
    *ret = (struct str){text, len};
    return 0;
}

static int declare_field(struct linker *l, struct link_field made, bool is_extension)
{
    struct proto_field_desc *field = made.desc;
    field->name = proto_str(made.source, FIELD_NAME);
    field->file = l->file;
    field->is_extension = is_extension;
    field->options = link_options(l, made.source, FIELD_OPTIONS);
    int status = make_name(l, made.scope, field->name, &field->full_name);
    if (status != 0) {
        return status;
    }
    struct proto_symbol symbol = {.kind = PROTO_SYMBOL_FIELD};
    if (is_extension) {
        symbol.kind = PROTO_SYMBOL_EXTENSION;
        symbol.is.extension = field;
        vec_push(&l->extension, field); /* NOLINT(bugprone-sizeof-expression): of pointers */
    }
    vec_push(&l->field, made);
    return add_symbol(l, field->full_name, symbol);
}

static int declare_extensions(struct linker *l, const struct proto_message_desc *inside,
                              const struct proto_msg *source, uint32_t number, struct str scope)
{
    size_t n = proto_len_at(source, number);
    struct proto_field_desc *field = link_array(l, n, sizeof *field);
    if (field == NULL) {
        return link_full(l);
    }
    for (size_t i = 0; i < n; i++) {
        const struct proto_msg *one = proto_item_at(source, number, i).msg;
        int status = declare_field(l, (struct link_field){&field[i], one, scope, inside}, true);
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int declare_values(struct linker *l, struct proto_enum_desc *desc, struct str scope,
                          const struct proto_msg *source)
{
    size_t n = proto_len_at(source, ENUM_VALUE);
    struct proto_enum_value_desc *value = link_array(l, n, sizeof *value);
    if (value == NULL) {
        return link_full(l);
    }
    desc->value = value;
    desc->values = n;
    for (size_t i = 0; i < n; i++) {
        const struct proto_msg *one = proto_item_at(source, ENUM_VALUE, i).msg;
        struct str full_name = {NULL, 0};
        value[i].name = proto_str(one, VALUE_NAME);
        value[i].number = proto_at(one, VALUE_NUMBER).i32;
        value[i].options = link_options(l, one, VALUE_OPTIONS);
        int status =
            make_name(l, scope, value[i].name, &full_name); /* beside the enum, not in it */
        if (status == 0) {
            status = add_symbol(l, full_name, (struct proto_symbol){.kind = PROTO_SYMBOL_VALUE});
        }
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int declare_enums(struct linker *l, const struct proto_msg *source, uint32_t number,
                         struct str scope, const struct proto_enum_desc *const **ret, size_t *ret_n)
{
    size_t n = proto_len_at(source, number);
    const struct proto_enum_desc **list = link_array(l, n, sizeof(void *));
    struct proto_enum_desc *desc = link_array(l, n, sizeof *desc);
    if (list == NULL || desc == NULL) {
        return link_full(l);
    }
    for (size_t i = 0; i < n; i++) {
        const struct proto_msg *one = proto_item_at(source, number, i).msg;
        desc[i].name = proto_str(one, ENUM_NAME);
        desc[i].file = l->file;
        desc[i].closed = l->file->syntax == PROTO_SYNTAX_2;
        desc[i].options = link_options(l, one, ENUM_OPTIONS);
        list[i] = &desc[i];
        int status = make_name(l, scope, desc[i].name, &desc[i].full_name);
        if (status == 0) {
            status = add_symbol(
                l, desc[i].full_name,
                (struct proto_symbol){.kind = PROTO_SYMBOL_ENUM, .is.enumeration = &desc[i]});
        }
        if (status == 0) {
            status = declare_values(l, &desc[i], scope, one);
        }
        if (status != 0) {
            return status;
        }
        vec_push(&l->enumeration, ((struct link_enum){&desc[i], one}));
    }
    *ret = list;
    *ret_n = n;
    return 0;
}

static int declare_members(struct linker *l, struct link_message *made)
{
    struct proto_message_desc *desc = made->desc;
    desc->fields = proto_len_at(made->source, MESSAGE_FIELD);
    made->field = link_array(l, desc->fields, sizeof *made->field);
    if (made->field == NULL) {
        return link_full(l);
    }
    desc->field = made->field;
    desc->index = made->index;
    for (size_t i = 0; i < desc->fields; i++) {
        const struct proto_msg *one = proto_item_at(made->source, MESSAGE_FIELD, i).msg;
        made->field[i].index = i;
        made->field[i].parent = desc;
        int status = declare_field(
            l, (struct link_field){&made->field[i], one, desc->full_name, desc}, false);
        if (status != 0) {
            return status;
        }
    }
    for (size_t i = 0; i < proto_len_at(made->source, MESSAGE_ONEOF); i++) {
        const struct proto_msg *one = proto_item_at(made->source, MESSAGE_ONEOF, i).msg;
        struct str full_name = {NULL, 0};
        (void) link_options(l, one, ONEOF_OPTIONS);
        int status = make_name(l, desc->full_name, proto_str(one, ONEOF_NAME), &full_name);
        if (status == 0) {
            status = add_symbol(l, full_name, (struct proto_symbol){.kind = PROTO_SYMBOL_ONEOF});
        }
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int declare_messages(struct linker *l, const struct proto_message_desc *parent,
                            const struct proto_msg *source, size_t depth,
                            const struct proto_message_desc *const **ret, size_t *ret_n);

static int declare_message(struct linker *l, struct proto_message_desc *desc,
                           const struct proto_msg *source, size_t depth)
{
    desc->name = proto_str(source, MESSAGE_NAME);
    desc->file = l->file;
    desc->options = link_options(l, source, MESSAGE_OPTIONS);
    desc->is_map_entry = proto_option(desc->options, OPTION_MAP_ENTRY);
    desc->message_set = proto_option(desc->options, OPTION_MESSAGE_SET);
    struct str scope = desc->parent == NULL ? l->file->package : desc->parent->full_name;
    struct link_message made = {
        .desc = desc, .source = source, .index = link_array(l, 1, sizeof *made.index)};
    if (made.index == NULL) {
        return link_full(l);
    }
    int status = make_name(l, scope, desc->name, &desc->full_name);
    if (status == 0) {
        struct proto_symbol symbol = {
            .kind = PROTO_SYMBOL_MESSAGE, .is.message = desc, .index = made.index};
        status = add_symbol(l, desc->full_name, symbol);
    }
    if (status == 0) {
        status = declare_members(l, &made);
    }
    if (status == 0) {
        vec_push(&l->message, made);
        status = declare_enums(l, source, MESSAGE_ENUM, desc->full_name, &desc->enumeration,
                               &desc->enumerations);
    }
    if (status == 0) {
        status = declare_extensions(l, desc, source, MESSAGE_EXTENSION, desc->full_name);
    }
    if (status == 0) {
        status = declare_messages(l, desc, source, depth + 1, &desc->message, &desc->messages);
    }
    return status;
}

/* The messages of a file (parent NULL) or of a message. */
static int declare_messages(struct linker *l, const struct proto_message_desc *parent,
                            const struct proto_msg *source, size_t depth,
                            const struct proto_message_desc *const **ret, size_t *ret_n)
{
    uint32_t number = parent == NULL ? FILE_MESSAGE : MESSAGE_NESTED;
    size_t n = proto_len_at(source, number);
    if (depth > PROTO_DEPTH_MAX) {
        return link_fail(l, parent->full_name, "is nested more than %d deep", PROTO_DEPTH_MAX);
    }
    const struct proto_message_desc **list = link_array(l, n, sizeof(void *));
    struct proto_message_desc *desc = link_array(l, n, sizeof *desc);
    if (list == NULL || desc == NULL) {
        return link_full(l);
    }
    for (size_t i = 0; i < n; i++) {
        list[i] = &desc[i];
        desc[i].parent = parent;
        int status = declare_message(l, &desc[i], proto_item_at(source, number, i).msg, depth);
        if (status != 0) {
            return status;
        }
    }
    *ret = list;
    *ret_n = n;
    return 0;
}

static int declare_methods(struct linker *l, struct proto_service_desc *service,
                           const struct proto_msg *source)
{
    size_t n = proto_len_at(source, SERVICE_METHOD);
    struct proto_method_desc *method = link_array(l, n, sizeof *method);
    if (method == NULL) {
        return link_full(l);
    }
    service->method = method;
    service->methods = n;
    for (size_t i = 0; i < n; i++) {
        const struct proto_msg *one = proto_item_at(source, SERVICE_METHOD, i).msg;
        method[i].name = proto_str(one, METHOD_NAME);
        method[i].service = service;
        method[i].options = link_options(l, one, METHOD_OPTIONS);
        int status = make_name(l, service->full_name, method[i].name, &method[i].full_name);
        if (status == 0) {
            status = add_symbol(l, method[i].full_name,
                                (struct proto_symbol){.kind = PROTO_SYMBOL_METHOD});
        }
        if (status != 0) {
            return status;
        }
        vec_push(&l->method, ((struct link_method){&method[i], one}));
    }
    return 0;
}

static int declare_services(struct linker *l)
{
    size_t n = proto_len_at(l->source, FILE_SERVICE);
    const struct proto_service_desc **list = link_array(l, n, sizeof(void *));
    struct proto_service_desc *desc = link_array(l, n, sizeof *desc);
    if (list == NULL || desc == NULL) {
        return link_full(l);
    }
    for (size_t i = 0; i < n; i++) {
        const struct proto_msg *one = proto_item_at(l->source, FILE_SERVICE, i).msg;
        list[i] = &desc[i];
        desc[i].name = proto_str(one, SERVICE_NAME);
        desc[i].file = l->file;
        desc[i].options = link_options(l, one, SERVICE_OPTIONS);
        int status = make_name(l, l->file->package, desc[i].name, &desc[i].full_name);
        if (status == 0) {
            status = add_symbol(
                l, desc[i].full_name,
                (struct proto_symbol){.kind = PROTO_SYMBOL_SERVICE, .is.service = &desc[i]});
        }
        if (status == 0) {
            status = declare_methods(l, &desc[i], one);
        }
        if (status != 0) {
            return status;
        }
    }
    l->file->service = list;
    l->file->services = n;
    return 0;
}

/* Each of a, a.b, a.b.c of package a.b.c. */
static int declare_package(struct linker *l)
{
    struct str package = l->file->package, head = package, rest = package;
    if (package.len > LINK_NAME_MAX) {
        return link_fail(l, (struct str){NULL, 0}, "its package has more than %d bytes",
                         LINK_NAME_MAX);
    }
    while (package.len > 0 && str_cut(&rest, '.', &head)) {
        struct str so_far = {package.ptr, (size_t) (head.ptr - package.ptr) + head.len};
        if (!is_identifier(head)) {
            return link_fail(l, package, "is no package: names with dots between them make one");
        }
        int status = add_symbol(l, so_far, (struct proto_symbol){.kind = PROTO_SYMBOL_PACKAGE});
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

int link_declare(struct linker *l)
{
    struct proto_file_desc *file = l->file;
    int status = declare_package(l);
    if (status == 0) {
        status = declare_messages(l, NULL, l->source, 0, &file->message, &file->messages);
    }
    if (status == 0) {
        status = declare_enums(l, l->source, FILE_ENUM, file->package, &file->enumeration,
                               &file->enumerations);
    }
    if (status == 0) {
        status = declare_extensions(l, NULL, l->source, FILE_EXTENSION, file->package);
    }
    return status == 0 ? declare_services(l) : status;
}
