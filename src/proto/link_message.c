/* Third step of the linker: what holds for a message as a whole; see link_int.h. */
#include "proto/link_int.h"

#include <stdlib.h>

enum span_kind { SPAN_FIELD, SPAN_RESERVED, SPAN_EXTENSIONS };

/* Numbers that a message gives away: no two spans may overlap. */
struct span {
    uint32_t first, last;
    enum span_kind kind;
    const struct proto_field_desc *field;
};

static int by_first(const void *a, const void *b)
{
    const struct span *left = a, *right = b;
    return (left->first > right->first) - (left->first < right->first);
}

static int clash(struct linker *l, const struct proto_message_desc *desc, const struct span *a,
                 const struct span *b)
{
    static const char *const kinds[] = {[SPAN_FIELD] = "a field",
                                        [SPAN_RESERVED] = "reserved",
                                        [SPAN_EXTENSIONS] = "of extensions"};
    if (a->kind == SPAN_FIELD && b->kind == SPAN_FIELD) {
        return link_fail(l, desc->full_name,
                         "fields " STR_FMT " and " STR_FMT " both have number %u",
                         STR_ARG(a->field->name), STR_ARG(b->field->name), b->first);
    }
    if (a->kind != SPAN_FIELD && b->kind != SPAN_FIELD) {
        return link_fail(l, desc->full_name, "number %u is %s and again %s", b->first,
                         kinds[a->kind], kinds[b->kind]);
    }
    const struct proto_field_desc *field = a->kind == SPAN_FIELD ? a->field : b->field;
    enum span_kind kind = a->kind == SPAN_FIELD ? b->kind : a->kind;
    return link_fail(l, desc->full_name, "field " STR_FMT " has number %u, which is %s",
                     STR_ARG(field->name), field->number, kinds[kind]);
}

static int read_spans(struct linker *l, const struct link_message *made, uint32_t number,
                      enum span_kind kind, struct span *span)
{
    int64_t max = made->desc->message_set ? INT32_MAX : 536870912;
    for (size_t i = 0; i < proto_len_at(made->source, number); i++) {
        const struct proto_msg *one = proto_item_at(made->source, number, i).msg;
        int32_t first = proto_at(one, RANGE_START).i32, behind = proto_at(one, RANGE_END).i32;
        if (kind == SPAN_EXTENSIONS) {
            (void) link_options(l, one, RANGE_OPTIONS);
        }
        if (first < 1 || behind <= first || behind > max) {
            return link_fail(l, made->desc->full_name,
                             "has a range of numbers from %d to below %d; ranges lie in 1 to %lld",
                             first, behind, (long long) max - 1);
        }
        span[i] = (struct span){(uint32_t) first, (uint32_t) behind - 1, kind, NULL};
    }
    return 0;
}

/* Fills by_number and the ranges of the index. */
static int check_numbers(struct linker *l, const struct link_message *made)
{
    struct proto_message_desc *desc = made->desc;
    size_t reserved = proto_len_at(made->source, MESSAGE_RESERVED_RANGE);
    size_t ranges = proto_len_at(made->source, MESSAGE_EXTENSION_RANGE);
    size_t n = desc->fields + reserved + ranges;
    struct span *span = link_array(l, n, sizeof *span);
    const struct proto_field_desc **numbers = link_array(l, desc->fields, sizeof(void *));
    struct proto_range *range = link_array(l, ranges, sizeof *range);
    if (span == NULL || numbers == NULL || range == NULL) {
        return link_full(l);
    }
    for (size_t i = 0; i < desc->fields; i++) {
        const struct proto_field_desc *field = &desc->field[i];
        span[i] = (struct span){field->number, field->number, SPAN_FIELD, field};
    }
    int status = read_spans(l, made, MESSAGE_RESERVED_RANGE, SPAN_RESERVED, span + desc->fields);
    if (status == 0) {
        status = read_spans(l, made, MESSAGE_EXTENSION_RANGE, SPAN_EXTENSIONS,
                            span + desc->fields + reserved);
    }
    if (status != 0) {
        return status;
    }
    qsort(span, n, sizeof span[0], by_first);
    size_t fields = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && span[i - 1].last >= span[i].first) {
            return clash(l, desc, &span[i - 1], &span[i]);
        }
        if (span[i].kind == SPAN_FIELD) {
            numbers[fields++] = span[i].field;
        } else if (span[i].kind == SPAN_EXTENSIONS) {
            range[made->index->ranges++] = (struct proto_range){span[i].first, span[i].last};
        }
    }
    made->index->range = range;
    desc->by_number = numbers;
    return 0;
}

/* Equal names stay in the order of the file, so that the first wins. */
static int by_name(const void *a, const void *b)
{
    const struct proto_name *left = a, *right = b;
    int order = proto_str_compare(left->name, right->name);
    return order != 0 ? order : (left->field > right->field) - (left->field < right->field);
}

static int check_names(struct linker *l, const struct link_message *made)
{
    const struct proto_message_desc *desc = made->desc;
    struct proto_name *name = link_array(l, desc->fields, sizeof *name);
    struct proto_name *json = link_array(l, desc->fields, sizeof *json);
    if (name == NULL || json == NULL) {
        return link_full(l);
    }
    for (size_t i = 0; i < desc->fields; i++) {
        name[i] = (struct proto_name){desc->field[i].name, &desc->field[i]};
        json[i] = (struct proto_name){desc->field[i].json_name, &desc->field[i]};
    }
    qsort(name, desc->fields, sizeof name[0], by_name);
    qsort(json, desc->fields, sizeof json[0], by_name);
    size_t jsons = 0;
    for (size_t i = 0; i < desc->fields; i++) {
        if (jsons > 0 && str_eq(json[jsons - 1].name, json[i].name)) {
            if (l->file->syntax == PROTO_SYNTAX_3) {
                return link_fail(l, desc->full_name,
                                 "fields " STR_FMT " and " STR_FMT " both are \"" STR_FMT
                                 "\" in JSON; set json_name of one",
                                 STR_ARG(json[jsons - 1].field->name), STR_ARG(json[i].field->name),
                                 STR_ARG(json[i].name));
            }
            continue;
        }
        json[jsons++] = json[i];
    }
    made->index->name = name;
    made->index->names = desc->fields;
    made->index->json = json;
    made->index->jsons = jsons;
    for (size_t i = 0; i < proto_len_at(made->source, MESSAGE_RESERVED_NAME); i++) {
        struct str reserved = proto_item_at(made->source, MESSAGE_RESERVED_NAME, i).bytes;
        if (proto_field_by_name(desc, reserved) != NULL) {
            return link_fail(l, desc->full_name, "field " STR_FMT " has a reserved name",
                             STR_ARG(reserved));
        }
    }
    return 0;
}

/* What is known of a oneof while its members are gathered. */
struct branch {
    struct proto_oneof_desc *real; /* NULL: made for one optional field of proto3 */
    const struct proto_field_desc **field;
    size_t members, filled;
    bool synthetic;
};

static int count_members(struct linker *l, const struct link_message *made, struct branch *branch,
                         size_t n)
{
    for (size_t i = 0; i < made->desc->fields; i++) {
        const struct proto_msg *one = proto_item_at(made->source, MESSAGE_FIELD, i).msg;
        if (!proto_has_at(one, FIELD_ONEOF_INDEX)) {
            continue;
        }
        int32_t at = proto_at(one, FIELD_ONEOF_INDEX).i32;
        if (at < 0 || (size_t) at >= n) {
            return link_fail(l, made->field[i].full_name, "is in oneof %d of %zu, counted from 0",
                             at, n);
        }
        branch[at].members++;
        branch[at].synthetic = branch[at].synthetic || made->field[i].proto3_optional;
        if (branch[at].synthetic && branch[at].members > 1) {
            return link_fail(l, made->field[i].full_name,
                             "shares its oneof with a field that is optional in proto3");
        }
    }
    return 0;
}

static int check_oneofs(struct linker *l, const struct link_message *made)
{
    size_t n = proto_len_at(made->source, MESSAGE_ONEOF);
    struct branch *branch = link_array(l, n, sizeof *branch);
    struct proto_oneof_desc *real = link_array(l, n, sizeof *real);
    if (branch == NULL || real == NULL) {
        return link_full(l);
    }
    int status = count_members(l, made, branch, n);
    made->desc->oneof = real;
    for (size_t i = 0; status == 0 && i < n; i++) {
        struct str name = proto_str(proto_item_at(made->source, MESSAGE_ONEOF, i).msg, ONEOF_NAME);
        if (branch[i].members == 0) {
            return link_fail(l, made->desc->full_name,
                             "oneof " STR_FMT " has no fields; it needs one at least",
                             STR_ARG(name));
        }
        if (branch[i].synthetic) {
            continue;
        }
        branch[i].field = link_array(l, branch[i].members, sizeof(void *));
        if (branch[i].field == NULL) {
            return link_full(l);
        }
        branch[i].real = &real[made->desc->oneofs++];
        *branch[i].real = (struct proto_oneof_desc){
            .name = name,
            .parent = made->desc,
            .field = branch[i].field,
            .fields = branch[i].members,
        };
    }
    for (size_t i = 0; status == 0 && i < made->desc->fields; i++) {
        const struct proto_msg *one = proto_item_at(made->source, MESSAGE_FIELD, i).msg;
        struct branch *mine = proto_has_at(one, FIELD_ONEOF_INDEX)
                                  ? &branch[proto_at(one, FIELD_ONEOF_INDEX).i32]
                                  : NULL;
        if (mine != NULL && mine->real != NULL) {
            made->field[i].oneof = mine->real;
            mine->field[mine->filled++] = &made->field[i];
        }
    }
    return status;
}

static bool is_part_of_entry(const struct proto_field_desc *field, uint32_t number,
                             const char *name)
{
    return field->number == number && str_eq_cstr(field->name, name) && !field->repeated &&
           !field->required && field->type != PROTO_GROUP;
}

static int check_map_entry(struct linker *l, const struct link_message *made)
{
    const struct proto_message_desc *desc = made->desc;
    const struct proto_field_desc *key = made->field, *value = key + 1;
    if (desc->fields != 2 || desc->oneofs > 0 || made->index->ranges > 0 || desc->parent == NULL ||
        !is_part_of_entry(key, 1, "key") || !is_part_of_entry(value, 2, "value")) {
        return link_fail(
            l, desc->full_name,
            "is no entry of a map: that has the optional fields key = 1 and value = 2, "
            "nothing else, and is nested");
    }
    if (key->type == PROTO_DOUBLE || key->type == PROTO_FLOAT || key->type == PROTO_BYTES ||
        key->type == PROTO_ENUM || key->message != NULL) {
        char type[256];
        return link_fail(l, desc->full_name,
                         "has keys of type %s; keys of a map are integers, bool or string",
                         proto_field_type_text(key, type, sizeof type));
    }
    if (value->enumeration != NULL && value->fallback.i32 != 0) {
        return link_fail(l, desc->full_name,
                         "has values of enum " STR_FMT ", which begins with %d; in a map it is 0",
                         STR_ARG(value->enumeration->full_name), value->fallback.i32);
    }
    return 0;
}

static int check_message_set(struct linker *l, const struct proto_message_desc *desc)
{
    if (l->file->syntax == PROTO_SYNTAX_3 || desc->fields > 0) {
        return link_fail(l, desc->full_name,
                         "has message_set_wire_format, which is for messages of proto2 without "
                         "fields, only extensions");
    }
    return 0;
}

int link_messages(struct linker *l)
{
    for (size_t i = 0; i < l->message.len; i++) {
        const struct link_message *made = &l->message.ptr[i];
        int status = check_numbers(l, made);
        if (status == 0) {
            status = check_names(l, made);
        }
        if (status == 0) {
            status = check_oneofs(l, made);
        }
        if (status == 0 && made->desc->is_map_entry) {
            status = check_map_entry(l, made);
        }
        if (status == 0 && made->desc->message_set) {
            status = check_message_set(l, made->desc);
        }
        if (status == 0 && made->index->ranges > 0 && l->file->syntax == PROTO_SYNTAX_3) {
            status = link_fail(l, made->desc->full_name,
                               "has a range for extensions, which proto3 does not have");
        }
        if (status != 0) {
            return status;
        }
    }
    return 0;
}
