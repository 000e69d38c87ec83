/* Enums and services of the linker; see link_int.h. */
#include "proto/link_int.h"

#include <stdlib.h>

static int by_name(const void *a, const void *b)
{
    const struct proto_enum_value_desc *const *left = a, *const *right = b;
    return proto_str_compare((*left)->name, (*right)->name);
}

/* Equal numbers stay in the order of the file. */
static int by_number(const void *a, const void *b)
{
    const struct proto_enum_value_desc *const *left = a, *const *right = b;
    int32_t x = (*left)->number, y = (*right)->number;
    return x != y ? (x > y) - (x < y) : (*left > *right) - (*left < *right);
}

static int index_enum(struct linker *l, const struct link_enum *made, bool alias)
{
    struct proto_enum_desc *desc = made->desc;
    struct proto_enum_index *index = link_array(l, 1, sizeof *index);
    const struct proto_enum_value_desc **names = link_array(l, desc->values, sizeof(void *));
    const struct proto_enum_value_desc **numbers = link_array(l, desc->values, sizeof(void *));
    if (index == NULL || names == NULL || numbers == NULL) {
        return link_full(l);
    }
    for (size_t i = 0; i < desc->values; i++) {
        names[i] = numbers[i] = &desc->value[i];
    }
    qsort(names, desc->values, sizeof(void *), by_name);
    qsort(numbers, desc->values, sizeof(void *), by_number);
    size_t n = 0;
    for (size_t i = 0; i < desc->values; i++) {
        if (n > 0 && numbers[n - 1]->number == numbers[i]->number) {
            if (!alias) {
                return link_fail(l, desc->full_name,
                                 "values " STR_FMT " and " STR_FMT
                                 " both have number %d; write option allow_alias = true if they "
                                 "shall",
                                 STR_ARG(numbers[n - 1]->name), STR_ARG(numbers[i]->name),
                                 numbers[i]->number);
            }
            continue;
        }
        numbers[n++] = numbers[i];
    }
    *index = (struct proto_enum_index){.by_name = names, .by_number = numbers, .numbers = n};
    desc->index = index;
    return 0;
}

struct span {
    int32_t first, last;
};

static int by_first(const void *a, const void *b)
{
    const struct span *left = a, *right = b;
    return (left->first > right->first) - (left->first < right->first);
}

static int check_reserved_numbers(struct linker *l, const struct link_enum *made)
{
    const struct proto_enum_index *index = made->desc->index;
    size_t n = proto_len_at(made->source, ENUM_RESERVED_RANGE);
    struct span *span = link_array(l, n, sizeof *span);
    if (span == NULL) {
        return link_full(l);
    }
    for (size_t i = 0; i < n; i++) {
        const struct proto_msg *one = proto_item_at(made->source, ENUM_RESERVED_RANGE, i).msg;
        span[i] = (struct span){proto_at(one, RANGE_START).i32, proto_at(one, RANGE_END).i32};
        if (span[i].first > span[i].last) {
            return link_fail(l, made->desc->full_name, "reserves %d to %d, which is empty",
                             span[i].first, span[i].last);
        }
    }
    qsort(span, n, sizeof span[0], by_first);
    for (size_t i = 0, k = 0; i < n; i++) {
        if (i > 0 && span[i - 1].last >= span[i].first) {
            return link_fail(l, made->desc->full_name, "reserves %d twice", span[i].first);
        }
        while (k < index->numbers && index->by_number[k]->number < span[i].first) {
            k++;
        }
        if (k < index->numbers && index->by_number[k]->number <= span[i].last) {
            return link_fail(l, made->desc->full_name,
                             "value " STR_FMT " has number %d, which is reserved",
                             STR_ARG(index->by_number[k]->name), index->by_number[k]->number);
        }
    }
    return 0;
}

int link_enums(struct linker *l)
{
    for (size_t i = 0; i < l->enumeration.len; i++) {
        const struct link_enum *made = &l->enumeration.ptr[i];
        struct proto_enum_desc *desc = made->desc;
        if (desc->values == 0) {
            return link_fail(l, desc->full_name,
                             "is an enum without values; it needs one at least");
        }
        if (!desc->closed && desc->value[0].number != 0) {
            return link_fail(l, desc->full_name,
                             "its first value " STR_FMT " has number %d; in proto3 it is 0",
                             STR_ARG(desc->value[0].name), desc->value[0].number);
        }
        int status = index_enum(l, made, proto_option(desc->options, OPTION_ALLOW_ALIAS));
        if (status == 0) {
            status = check_reserved_numbers(l, made);
        }
        for (size_t k = 0; status == 0 && k < proto_len_at(made->source, ENUM_RESERVED_NAME); k++) {
            struct str name = proto_item_at(made->source, ENUM_RESERVED_NAME, k).bytes;
            if (proto_enum_by_name(desc, name) != NULL) {
                status = link_fail(l, desc->full_name, "value " STR_FMT " has a reserved name",
                                   STR_ARG(name));
            }
        }
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

static int resolve_method(struct linker *l, const struct link_method *made, uint32_t number,
                          const struct proto_message_desc **ret)
{
    struct str name = proto_str(made->source, number);
    const struct proto_symbol *symbol = link_find(l, made->desc->full_name, name);
    if (symbol == NULL || symbol->kind != PROTO_SYMBOL_MESSAGE) {
        return link_fail(l, made->desc->full_name,
                         "its %s \"" STR_FMT "\" is no message of this file or its imports",
                         number == METHOD_INPUT ? "request" : "response", STR_ARG(name));
    }
    *ret = symbol->is.message;
    return 0;
}

int link_services(struct linker *l)
{
    for (size_t i = 0; i < l->method.len; i++) {
        const struct link_method *made = &l->method.ptr[i];
        struct proto_method_desc *desc = made->desc;
        int status = resolve_method(l, made, METHOD_INPUT, &desc->input);
        if (status == 0) {
            status = resolve_method(l, made, METHOD_OUTPUT, &desc->output);
        }
        if (status != 0) {
            return status;
        }
        desc->client_streaming = proto_at(made->source, METHOD_CLIENT_STREAMING).boolean;
        desc->server_streaming = proto_at(made->source, METHOD_SERVER_STREAMING).boolean;
        if (desc->options != NULL) {
            desc->deprecated = proto_option(desc->options, OPTION_DEPRECATED);
            desc->idempotency =
                (enum proto_idempotency) proto_at(desc->options, OPTION_IDEMPOTENCY).i32;
        }
        desc->path = arena_printf(l->arena, "/" STR_FMT "/" STR_FMT,
                                  STR_ARG(desc->service->full_name), STR_ARG(desc->name));
        if (desc->path == NULL) {
            return link_full(l);
        }
    }
    return 0;
}
