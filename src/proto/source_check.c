/* What has to hold inside of each message: numbers, names, reserved ones, options of fields. */
#include "base/cleanup.h"
#include "proto/source_check_int.h"

#include <stdlib.h>
#include <string.h>

/* Numbers from start to below end. */
struct span {
    int64_t start, end;
    bool extensions;
};

struct spans {
    VEC(struct span) list;
};

static void spans_done(struct spans *spans)
{
    vec_done(&spans->list);
}

static int by_start(const void *a, const void *b)
{
    const struct span *x = a;
    const struct span *y = b;
    return x->start < y->start ? -1 : x->start > y->start;
}

static void gather(struct spans *spans, const struct proto_msg *of, uint32_t number,
                   bool extensions, int64_t inclusive)
{
    for (size_t i = 0; i < source_len(of, number); i++) {
        const struct proto_msg *range = source_item(of, number, i);
        struct span span = {.start = source_i32(range, RANGE_START),
                            .end = source_i32(range, RANGE_END) + inclusive,
                            .extensions = extensions};
        vec_push(&spans->list, span);
    }
}

static const char *span_text(const struct span *span, char out[64])
{
    struct buf b;
    buf_init_fixed(&b, out, 64);
    bool one = span->end - span->start == 1;
    buf_addf(&b, "%s%s %lld", span->extensions ? "extension" : "reserved number", one ? "" : "s",
             (long long) span->start);
    if (!one) {
        buf_addf(&b, " to %lld", (long long) span->end - 1);
    }
    return out;
}

/* Sorts them; no number may be in two. */
static int sort_spans(struct resolve *r, struct spans *spans, struct str name)
{
    if (spans->list.len < 2) {
        return 0;
    }
    qsort(spans->list.ptr, spans->list.len, sizeof spans->list.ptr[0], by_start);
    for (size_t i = 1; i < spans->list.len; i++) {
        const struct span *a = &spans->list.ptr[i - 1];
        const struct span *b = &spans->list.ptr[i];
        if (b->start < a->end) {
            char first[64];
            char second[64];
            return lex_fail(&r->lex, name.ptr, "\"" STR_FMT "\": the %s and the %s overlap",
                            STR_ARG(name), span_text(a, first), span_text(b, second));
        }
    }
    return 0;
}

static const struct span *find_span(const struct spans *spans, int64_t number)
{
    size_t low = 0;
    size_t high = spans->list.len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct span *span = &spans->list.ptr[middle];
        if (number < span->start) {
            high = middle;
        } else if (number >= span->end) {
            low = middle + 1;
        } else {
            return span;
        }
    }
    return NULL;
}

static int gather_names(struct resolve *r, const struct proto_msg *of, uint32_t number,
                        struct map *names)
{
    static char there;
    const struct proto_field_desc *list = proto_field_of(of, number);
    for (size_t i = 0; i < proto_len(of, list); i++) {
        struct str name = proto_item(of, list, i).bytes;
        if (map_put(names, name, &there) != NULL) {
            return lex_fail(&r->lex, name.ptr, "the name \"%.*s\" is reserved twice",
                            name.len > 100 ? 100 : (int) name.len, name.ptr);
        }
    }
    return 0;
}

/* Of a list of fields or values: none may use what is reserved. */
static int check_reserved(struct resolve *r, const struct proto_msg *of, uint32_t list,
                          uint32_t number, uint32_t names_number, const struct spans *spans)
{
    _cleanup_(map_done) struct map names;
    map_init(&names);
    TRY(gather_names(r, of, names_number, &names));
    for (size_t i = 0; i < source_len(of, list); i++) {
        const struct proto_msg *item = source_item(of, list, i);
        struct str name = proto_str(item, FIELD_NAME);
        int32_t value = source_i32(item, number);
        const struct span *span = find_span(spans, value);
        if (span != NULL) {
            return lex_fail(&r->lex, name.ptr, "\"" STR_FMT "\" has the number %d, which is %s",
                            STR_ARG(name), (int) value,
                            span->extensions ? "in the range for extensions" : "reserved");
        }
        if (names.len > 0 && map_get(&names, name) != NULL) {
            return lex_fail(&r->lex, name.ptr, "the name \"" STR_FMT "\" is reserved",
                            STR_ARG(name));
        }
    }
    return 0;
}

struct numbered {
    int32_t number;
    size_t index;
};

static int by_number(const void *a, const void *b)
{
    const struct numbered *x = a;
    const struct numbered *y = b;
    if (x->number != y->number) {
        return x->number < y->number ? -1 : 1;
    }
    return x->index < y->index ? -1 : x->index > y->index;
}

bool source_check_twice(const struct proto_msg *of, uint32_t list, uint32_t number,
                        const struct proto_msg **ret_first, const struct proto_msg **ret_second)
{
    size_t len = source_len(of, list);
    if (len < 2) {
        return false;
    }
    _cleanup_(mem_freep) struct numbered *items = mem_array(len, sizeof *items);
    for (size_t i = 0; i < len; i++) {
        items[i] = (struct numbered){source_i32(source_item(of, list, i), number), i};
    }
    qsort(items, len, sizeof *items, by_number);
    for (size_t i = 1; i < len; i++) {
        if (items[i - 1].number == items[i].number) {
            *ret_first = source_item(of, list, items[i - 1].index);
            *ret_second = source_item(of, list, items[i].index);
            return true;
        }
    }
    return false;
}

static int check_numbers(struct resolve *r, const struct proto_msg *message)
{
    const struct proto_msg *first;
    const struct proto_msg *second;
    if (!source_check_twice(message, MESSAGE_FIELD, FIELD_NUMBER, &first, &second)) {
        return 0;
    }
    struct str name = proto_str(second, FIELD_NAME);
    return lex_fail(&r->lex, name.ptr,
                    "\"" STR_FMT "\" and \"" STR_FMT "\" have the same field number %d",
                    STR_ARG(proto_str(first, FIELD_NAME)), STR_ARG(name),
                    (int) source_i32(second, FIELD_NUMBER));
}

/* Field names that differ in underscores and capitals only are one name to some readers of JSON. */
static int check_json_names(struct resolve *r, const struct proto_msg *message)
{
    _cleanup_(map_done) struct map names;
    map_init(&names);
    for (size_t i = 0; r->proto3 && i < source_len(message, MESSAGE_FIELD); i++) {
        struct proto_msg *field = source_item(message, MESSAGE_FIELD, i);
        struct str name = proto_str(field, FIELD_NAME);
        char *plain = arena_alloc(&r->scratch, name.len + 1);
        size_t len = 0;
        TRY(plain == NULL ? source_resolve_full(r) : 0);
        for (size_t j = 0; j < name.len; j++) {
            char c = name.ptr[j];
            if (c != '_') {
                plain[len++] = source_lower(c);
            }
        }
        const struct proto_msg *other = map_put(&names, (struct str){plain, len}, field);
        if (other != NULL) {
            return lex_fail(&r->lex, name.ptr,
                            "the JSON names of \"" STR_FMT "\" and \"" STR_FMT
                            "\" are too alike for proto3",
                            STR_ARG(proto_str(other, FIELD_NAME)), STR_ARG(name));
        }
    }
    return 0;
}

/* A flag of the options, by its name. */
static bool is_true(const struct proto_msg *options, const char *name)
{
    const struct proto_field_desc *field = proto_field_by_name(options->desc, str_of(name));
    return field != NULL && field->type == PROTO_BOOL && proto_get(options, field).boolean;
}

static bool can_be_packed(const struct proto_msg *field)
{
    int32_t type = source_i32(field, FIELD_TYPE);
    return source_i32(field, FIELD_LABEL) == LABEL_REPEATED && type != PROTO_STRING &&
           type != PROTO_BYTES && type != PROTO_MESSAGE && type != PROTO_GROUP;
}

static int check_field_options(struct resolve *r, const struct proto_msg *field)
{
    const struct proto_msg *options = source_child(field, FIELD_OPTIONS);
    struct str name = proto_str(field, FIELD_NAME);
    if (options == NULL) {
        return 0;
    }
    if (is_true(options, "packed") && !can_be_packed(field)) {
        return lex_fail(&r->lex, name.ptr,
                        "packed is for repeated numbers, bools and enums, which \"" STR_FMT
                        "\" is not",
                        STR_ARG(name));
    }
    bool lazy = is_true(options, "lazy") || is_true(options, "unverified_lazy");
    if (lazy && source_i32(field, FIELD_TYPE) != PROTO_MESSAGE) {
        return lex_fail(&r->lex, name.ptr, "lazy is for messages, which \"" STR_FMT "\" is not",
                        STR_ARG(name));
    }
    const struct proto_field_desc *jstype = proto_field_by_name(options->desc, STR("jstype"));
    bool given =
        jstype != NULL && proto_has(options, jstype) && proto_get(options, jstype).i32 != 0;
    switch (source_i32(field, FIELD_TYPE)) {
    case PROTO_INT64:
    case PROTO_UINT64:
    case PROTO_SINT64:
    case PROTO_FIXED64:
    case PROTO_SFIXED64:
        return 0;
    default:
        return !given ? 0
                      : lex_fail(&r->lex, name.ptr,
                                 "jstype is for integers of 64 bits, which \"" STR_FMT "\" is not",
                                 STR_ARG(name));
    }
}

/* The value of a map that is an enum begins with 0, as an absent one is its first value. */
static int check_map_entry(struct resolve *r, const struct proto_msg *message, struct str outer)
{
    const struct proto_msg *options = source_child(message, MESSAGE_OPTIONS);
    if (options == NULL || !is_true(options, "map_entry") ||
        source_len(message, MESSAGE_FIELD) != 2) {
        return 0;
    }
    const struct proto_msg *value = source_item(message, MESSAGE_FIELD, 1);
    struct str name = proto_str(value, FIELD_TYPE_NAME);
    if (source_i32(value, FIELD_TYPE) != PROTO_ENUM || name.len == 0) {
        return 0;
    }
    const struct source_symbol *symbol =
        source_symbol_find(r, (struct str){name.ptr + 1, name.len - 1});
    bool zero = symbol == NULL ||
                (symbol->source == NULL
                     ? symbol->enumeration->value[0].number == 0
                     : source_i32(source_item(symbol->source, ENUM_VALUE, 0), VALUE_NUMBER) == 0);
    if (!zero) {
        return lex_fail(&r->lex, outer.ptr, "the enum \"" STR_FMT "\" in a map has to begin with 0",
                        STR_ARG(symbol->name));
    }
    return 0;
}

static int check_message_set(struct resolve *r, const struct proto_msg *message)
{
    struct str name = proto_str(message, MESSAGE_NAME);
    bool set = source_is_message_set(message);
    if (set && r->proto3) {
        return lex_fail(&r->lex, name.ptr, "proto3 has no MessageSet");
    }
    if (set && source_len(message, MESSAGE_FIELD) > 0) {
        return lex_fail(&r->lex, name.ptr, "a MessageSet has extensions only, no fields");
    }
    int64_t max = set ? INT32_MAX : (int64_t) SOURCE_NUMBER_MAX + 1;
    for (size_t i = 0; i < source_len(message, MESSAGE_EXTENSION_RANGE); i++) {
        if (source_i32(source_item(message, MESSAGE_EXTENSION_RANGE, i), RANGE_END) > max) {
            return lex_fail(&r->lex, name.ptr, "\"" STR_FMT "\": numbers of extensions end at %lld",
                            STR_ARG(name), (long long) max - 1);
        }
    }
    return 0;
}

static int check_fields(struct resolve *r, const struct proto_msg *of, uint32_t list)
{
    for (size_t i = 0; i < source_len(of, list); i++) {
        TRY(check_field_options(r, source_item(of, list, i)));
    }
    return 0;
}

/* Recursion: at most SOURCE_DEPTH_MAX.  outer: a name of the text, for messages that have none. */
static int check_message(struct resolve *r, const struct proto_msg *message, struct str outer)
{
    struct str name = proto_str(message, MESSAGE_NAME);
    unsigned line;
    unsigned col;
    if (!lex_pos(r->lex.whole, name.ptr, &line, &col) && r->lex.whole.ptr != NULL) {
        name = outer;
    }
    _cleanup_(spans_done) struct spans spans = {0};
    gather(&spans, message, MESSAGE_RESERVED_RANGE, false, 0);
    gather(&spans, message, MESSAGE_EXTENSION_RANGE, true, 0);
    TRY(check_message_set(r, message));
    TRY(check_numbers(r, message));
    TRY(sort_spans(r, &spans, name));
    TRY(check_reserved(r, message, MESSAGE_FIELD, FIELD_NUMBER, MESSAGE_RESERVED_NAME, &spans));
    TRY(check_json_names(r, message));
    TRY(check_map_entry(r, message, outer));
    TRY(check_fields(r, message, MESSAGE_FIELD));
    TRY(check_fields(r, message, MESSAGE_EXTENSION));
    for (size_t i = 0; i < source_len(message, MESSAGE_ENUM); i++) {
        TRY(source_check_enum(r, source_item(message, MESSAGE_ENUM, i)));
    }
    for (size_t i = 0; i < source_len(message, MESSAGE_NESTED); i++) {
        TRY(check_message(r, source_item(message, MESSAGE_NESTED, i), name));
    }
    return 0;
}

static int check_enum_reserved(struct resolve *r, const struct proto_msg *enumeration)
{
    _cleanup_(spans_done) struct spans spans = {0};
    gather(&spans, enumeration, ENUM_RESERVED_RANGE, false, 1);
    TRY(sort_spans(r, &spans, proto_str(enumeration, ENUM_NAME)));
    return check_reserved(r, enumeration, ENUM_VALUE, VALUE_NUMBER, ENUM_RESERVED_NAME, &spans);
}

int source_check_enum(struct resolve *r, const struct proto_msg *enumeration)
{
    TRY(source_check_values(r, enumeration));
    return check_enum_reserved(r, enumeration);
}

int source_check(struct resolve *r)
{
    for (size_t i = 0; i < source_len(r->file, FILE_MESSAGE); i++) {
        const struct proto_msg *message = source_item(r->file, FILE_MESSAGE, i);
        TRY(check_message(r, message, proto_str(message, MESSAGE_NAME)));
    }
    for (size_t i = 0; i < source_len(r->file, FILE_ENUM); i++) {
        TRY(source_check_enum(r, source_item(r->file, FILE_ENUM, i)));
    }
    return check_fields(r, r->file, FILE_EXTENSION);
}
