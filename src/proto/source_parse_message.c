/* Messages and enums of .proto files. */
#include "base/cleanup.h"
#include "proto/source_int.h"

static int parse_extensions(struct source *s, struct proto_msg *message)
{
    const char *at = s->lex.token.text.ptr;
    if (s->proto3) {
        return lex_fail(&s->lex, at,
                        "proto3 has no extension ranges: use proto2, or google.protobuf.Any");
    }
    const struct proto_field_desc *ranges = proto_field_of(message, MESSAGE_EXTENSION_RANGE);
    size_t first = proto_len(message, ranges);
    bool comma = true;
    while (comma) {
        int32_t start = 0;
        int32_t end = 0;
        TRY(source_range(s, 1, INT32_MAX - 1, SOURCE_RANGE_MAX, "a field number", &start, &end));
        struct proto_msg *range = NULL;
        TRY(source_add_message(s, message, MESSAGE_EXTENSION_RANGE, &range));
        source_set_i32(s, range, RANGE_START, start);
        source_set_i32(s, range, RANGE_END, end == SOURCE_RANGE_MAX ? end : end + 1);
        TRY(source_take(s, ",", &comma));
    }
    if (lex_is(&s->lex, "[")) {
        /* The options are of every range of the statement: they are read once for each. */
        struct lex start = s->lex;
        for (size_t i = first; i < proto_len(message, ranges); i++) {
            s->lex = start;
            struct proto_msg *range = proto_item(message, ranges, i).msg;
            TRY(source_options_in_brackets(s, range, RANGE_OPTIONS, false));
        }
    }
    return source_semicolon(s, "the extension range");
}

static int parse_oneof_member(struct source *s, struct proto_msg *message, int32_t index)
{
    if (lex_is(&s->lex, "optional") || lex_is(&s->lex, "required") || lex_is(&s->lex, "repeated")) {
        char seen[64];
        return lex_fail(&s->lex, s->lex.token.text.ptr,
                        "a field of a oneof has no label: leave out %s", lex_shown(&s->lex, seen));
    }
    struct source_field_place place = {
        .parent = message, .fields = MESSAGE_FIELD, .messages = MESSAGE_NESTED, .oneof = index};
    return source_field(s, &place);
}

static int parse_oneof(struct source *s, struct proto_msg *message)
{
    struct proto_msg *oneof = NULL;
    struct str name = {0};
    int32_t index = (int32_t) proto_len(message, proto_field_of(message, MESSAGE_ONEOF));
    TRY(source_ident(s, "the name of a oneof", &name));
    TRY(source_add_message(s, message, MESSAGE_ONEOF, &oneof));
    source_set_str(s, oneof, ONEOF_NAME, name);
    TRY(source_want(s, "{", "behind the name of the oneof"));
    size_t members = 0;
    while (!lex_is(&s->lex, "}")) {
        bool option = false;
        TRY(source_take(s, "option", &option));
        if (option) {
            TRY(source_option_statement(s, oneof, ONEOF_OPTIONS));
        } else {
            TRY(parse_oneof_member(s, message, index));
            members++;
        }
    }
    if (members == 0) {
        return lex_fail(&s->lex, name.ptr, "the oneof \"" STR_FMT "\" has no field", STR_ARG(name));
    }
    return lex_next(&s->lex);
}

int source_extend(struct source *s, struct proto_msg *parent, uint32_t fields, uint32_t messages)
{
    struct source_field_place place = {
        .parent = parent, .fields = fields, .messages = messages, .oneof = -1};
    TRY(source_type_name(s, "the name of the message that is extended", true, &place.extendee));
    TRY(source_want(s, "{", "behind the name of the extended message"));
    if (lex_is(&s->lex, "}")) {
        return lex_expected(&s->lex, "a field in \"extend\"");
    }
    while (!lex_is(&s->lex, "}")) {
        TRY(source_field(s, &place));
    }
    return lex_next(&s->lex);
}

/* 1: it was no statement with a word of its own, so it is a field. */
static int parse_worded(struct source *s, struct proto_msg *message)
{
    static const char *const WORDS[] = {"message", "enum",   "extensions", "reserved",
                                        "extend",  "option", "oneof",      ";"};
    size_t which = 0;
    while (which < sizeof WORDS / sizeof WORDS[0] && !lex_is(&s->lex, WORDS[which])) {
        which++;
    }
    if (which == sizeof WORDS / sizeof WORDS[0]) {
        return 1;
    }
    TRY(lex_next(&s->lex));
    switch (which) {
    case 0:
        return source_message(s, message, MESSAGE_NESTED);
    case 1:
        return source_enum(s, message, MESSAGE_ENUM);
    case 2:
        return parse_extensions(s, message);
    case 3:
        return source_reserved(s, message, false);
    case 4:
        return source_extend(s, message, MESSAGE_EXTENSION, MESSAGE_NESTED);
    case 5:
        return source_option_statement(s, message, MESSAGE_OPTIONS);
    case 6:
        return parse_oneof(s, message);
    default:
        return 0;
    }
}

bool source_is_message_set(const struct proto_msg *message)
{
    const struct proto_msg *options =
        proto_get(message, proto_field_of(message, MESSAGE_OPTIONS)).msg;
    if (options == NULL) {
        return false;
    }
    const struct proto_field_desc *flag = proto_field_of(options, OPTION_MESSAGE_SET);
    if (proto_has(options, flag)) {
        return proto_get(options, flag).boolean;
    }
    const struct proto_field_desc *list = proto_field_of(options, OPTIONS_UNINTERPRETED);
    for (size_t i = 0; i < proto_len(options, list); i++) {
        const struct proto_msg *option = proto_item(options, list, i).msg;
        const struct proto_field_desc *parts = proto_field_of(option, OPTION_NAME);
        const struct proto_msg *part = proto_item(option, parts, 0).msg;
        if (proto_len(option, parts) == 1 &&
            str_eq_cstr(proto_str(part, NAME_PART), "message_set_wire_format") &&
            str_eq_cstr(proto_str(option, OPTION_IDENTIFIER), "true")) {
            return true;
        }
    }
    return false;
}

/* What "max" means is known once all options of the message are. */
static void finish_ranges(struct source *s, struct proto_msg *message, uint32_t number)
{
    const struct proto_field_desc *list = proto_field_of(message, number);
    size_t len = proto_len(message, list);
    if (len == 0) {
        return;
    }
    int32_t max = source_is_message_set(message) ? INT32_MAX : SOURCE_NUMBER_MAX + 1;
    for (size_t i = 0; i < len; i++) {
        struct proto_msg *range = proto_item(message, list, i).msg;
        if (proto_get(range, proto_field_of(range, RANGE_END)).i32 == SOURCE_RANGE_MAX) {
            source_set_i32(s, range, RANGE_END, max);
        }
    }
}

static void note_names(struct map *names, const struct proto_msg *message, uint32_t number)
{
    const struct proto_field_desc *list = proto_field_of(message, number);
    for (size_t i = 0; i < proto_len(message, list); i++) {
        struct proto_msg *item = proto_item(message, list, i).msg;
        (void) map_put(names, proto_str(item, FIELD_NAME), item);
    }
}

static int add_synthetic_oneof(struct source *s, struct proto_msg *message, struct proto_msg *field,
                               struct map *names)
{
    struct str plain = proto_str(field, FIELD_NAME);
    const char *name = arena_printf(s->arena, "_" STR_FMT, STR_ARG(plain));
    while (name != NULL && map_get(names, str_of(name)) != NULL) {
        name = arena_printf(s->arena, "X%s", name);
    }
    struct proto_msg *oneof = NULL;
    TRY(name == NULL ? source_full(s) : 0);
    size_t index = proto_len(message, proto_field_of(message, MESSAGE_ONEOF));
    source_set_i32(s, field, FIELD_ONEOF_INDEX, (int32_t) index);
    TRY(source_add_message(s, message, MESSAGE_ONEOF, &oneof));
    source_set_str(s, oneof, ONEOF_NAME, str_of(name));
    (void) map_put(names, str_of(name), oneof);
    return 0;
}

/* Each optional field of proto3 has a oneof of its own, "_" and its name, behind the written ones.
 */
static int add_synthetic_oneofs(struct source *s, struct proto_msg *message)
{
    const struct proto_field_desc *fields = proto_field_of(message, MESSAGE_FIELD);
    _cleanup_(map_done) struct map names = {0}; /* filled when there is a first one */
    for (size_t i = 0; i < proto_len(message, fields); i++) {
        struct proto_msg *field = proto_item(message, fields, i).msg;
        if (!proto_has(field, proto_field_of(field, FIELD_PROTO3_OPTIONAL))) {
            continue;
        }
        if (names.len == 0) {
            map_init(&names);
            note_names(&names, message, MESSAGE_FIELD);
            note_names(&names, message, MESSAGE_ONEOF);
        }
        TRY(add_synthetic_oneof(s, message, field, &names));
    }
    return 0;
}

int source_message_body(struct source *s, struct proto_msg *message)
{
    struct str name = proto_str(message, MESSAGE_NAME);
    TRY(source_want(s, "{", "behind the name of the message"));
    if (++s->depth > SOURCE_DEPTH_MAX) {
        return lex_fail(&s->lex, name.ptr, "more than %u messages are nested in each other",
                        SOURCE_DEPTH_MAX);
    }
    while (!lex_is(&s->lex, "}")) {
        if (s->lex.token.kind == LEX_END) {
            return lex_fail(&s->lex, name.ptr,
                            "the message \"" STR_FMT "\" has no end: \"}\" is missing",
                            STR_ARG(name));
        }
        int rc = parse_worded(s, message);
        if (rc == 1) {
            struct source_field_place place = {.parent = message,
                                               .fields = MESSAGE_FIELD,
                                               .messages = MESSAGE_NESTED,
                                               .oneof = -1};
            rc = source_field(s, &place);
        }
        TRY(rc);
        TRY(s->full ? source_full(s) : 0);
    }
    s->depth--;
    finish_ranges(s, message, MESSAGE_EXTENSION_RANGE);
    finish_ranges(s, message, MESSAGE_RESERVED_RANGE);
    TRY(s->proto3 ? add_synthetic_oneofs(s, message) : 0);
    return lex_next(&s->lex);
}

int source_message(struct source *s, struct proto_msg *parent, uint32_t number)
{
    struct proto_msg *message = NULL;
    struct str name = {0};
    TRY(source_ident(s, "the name of a message", &name));
    TRY(source_add_message(s, parent, number, &message));
    source_set_str(s, message, MESSAGE_NAME, name);
    return source_message_body(s, message);
}

static int parse_value(struct source *s, struct proto_msg *enumeration)
{
    struct proto_msg *value = NULL;
    struct str name = {0};
    int64_t number = 0;
    TRY(source_ident(s, "the name of a value, \"option\", \"reserved\" or \"}\" in the enum",
                     &name));
    TRY(source_want(s, "=", "and a number behind the name of the value"));
    TRY(source_int(s, "an enum number", INT32_MIN, INT32_MAX, &number));
    TRY(source_add_message(s, enumeration, ENUM_VALUE, &value));
    source_set_str(s, value, VALUE_NAME, name);
    source_set_i32(s, value, VALUE_NUMBER, (int32_t) number);
    if (lex_is(&s->lex, "[")) {
        TRY(source_options_in_brackets(s, value, VALUE_OPTIONS, false));
    }
    return source_semicolon(s, "the value");
}

int source_enum(struct source *s, struct proto_msg *parent, uint32_t number)
{
    struct proto_msg *enumeration = NULL;
    struct str name = {0};
    TRY(source_ident(s, "the name of an enum", &name));
    TRY(source_add_message(s, parent, number, &enumeration));
    source_set_str(s, enumeration, ENUM_NAME, name);
    TRY(source_want(s, "{", "behind the name of the enum"));
    while (!lex_is(&s->lex, "}")) {
        bool empty = false;
        bool option = false;
        bool reserved = false;
        TRY(source_take(s, ";", &empty));
        if (empty) {
            continue;
        }
        TRY(source_take(s, "option", &option));
        TRY(option ? 0 : source_take(s, "reserved", &reserved));
        TRY(option     ? source_option_statement(s, enumeration, ENUM_OPTIONS)
            : reserved ? source_reserved(s, enumeration, true)
                       : parse_value(s, enumeration));
        TRY(s->full ? source_full(s) : 0);
    }
    if (proto_len(enumeration, proto_field_of(enumeration, ENUM_VALUE)) == 0) {
        return lex_fail(&s->lex, name.ptr, "the enum \"" STR_FMT "\" has no value", STR_ARG(name));
    }
    return lex_next(&s->lex);
}
