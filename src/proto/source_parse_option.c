/* Options as they are written: names, values, aggregates; what they mean is source_options.c's. */
#include "proto/source_int.h"

static int parse_name(struct source *s, struct proto_msg *option)
{
    bool more = true;
    while (more) {
        struct proto_msg *part = NULL;
        struct str name = {0};
        bool extension = false;
        TRY(source_add_message(s, option, OPTION_NAME, &part));
        TRY(source_take(s, "(", &extension));
        if (extension) {
            TRY(source_type_name(s, "the name of an option", true, &name));
            TRY(source_want(s, ")", "behind the name of the option"));
        } else {
            TRY(source_ident(s, "the name of an option", &name));
        }
        source_set_str(s, part, NAME_PART, name);
        source_set(s, part, NAME_IS_EXTENSION, (union proto_value){.boolean = extension});
        TRY(source_take(s, ".", &more));
    }
    return 0;
}

/* "{ ... }": kept as text, between the braces. */
static int parse_aggregate(struct source *s, struct proto_msg *option)
{
    const char *open = s->lex.token.text.ptr;
    size_t depth = 0;
    do {
        if (s->lex.token.kind == LEX_END) {
            return lex_fail(&s->lex, open,
                            "the value that begins here has no end: \"}\" is missing");
        }
        depth += lex_is(&s->lex, "{");
        depth -= lex_is(&s->lex, "}");
        if (depth > 0) {
            TRY(lex_next(&s->lex));
        }
    } while (depth > 0);
    struct str text = {open + 1, (size_t) (s->lex.token.text.ptr - open) - 1};
    source_set_str(s, option, OPTION_AGGREGATE, text);
    return lex_next(&s->lex);
}

static int parse_int(struct source *s, struct proto_msg *option, bool minus)
{
    uint64_t value = 0;
    uint64_t max = minus ? (uint64_t) INT64_MAX + 1 : UINT64_MAX;
    if (lex_int_value(s->lex.token.text, max, &value) < 0) {
        char seen[64];
        return lex_fail(&s->lex, s->lex.token.text.ptr, "%s does not fit into 64 bits",
                        lex_shown(&s->lex, seen));
    }
    if (minus) {
        union proto_value negative = {.i64 = (int64_t) (0 - value)};
        source_set(s, option, OPTION_NEGATIVE, negative);
    } else {
        source_set(s, option, OPTION_POSITIVE, (union proto_value){.u64 = value});
    }
    return lex_next(&s->lex);
}

static int parse_value(struct source *s, struct proto_msg *option)
{
    bool minus = false;
    TRY(source_take(s, "-", &minus));
    struct str text = s->lex.token.text;
    if (s->lex.token.kind == LEX_INT) {
        return parse_int(s, option, minus);
    }
    if (s->lex.token.kind == LEX_FLOAT) {
        double value = 0;
        if (lex_float_value(text, &value) < 0) {
            return lex_fail(&s->lex, text.ptr, "a number of so many digits is not read");
        }
        source_set(s, option, OPTION_DOUBLE, (union proto_value){.f64 = minus ? -value : value});
        return lex_next(&s->lex);
    }
    if (minus) {
        return lex_expected(&s->lex, "a number behind \"-\"");
    }
    if (s->lex.token.kind == LEX_IDENT) {
        source_set_str(s, option, OPTION_IDENTIFIER, text);
        return lex_next(&s->lex);
    }
    if (s->lex.token.kind == LEX_STRING) {
        struct str value = {0};
        TRY(lex_string(&s->lex, s->arena, &value));
        source_set_str(s, option, OPTION_STRING, value);
        return 0;
    }
    if (lex_is(&s->lex, "{")) {
        return parse_aggregate(s, option);
    }
    return lex_expected(&s->lex, "the value of the option");
}

static int parse_option(struct source *s, struct proto_msg *of, uint32_t options_number)
{
    struct proto_msg *options = proto_mutable(of, proto_field_of(of, options_number));
    struct proto_msg *option = NULL;
    TRY(options == NULL ? source_full(s) : 0);
    TRY(source_add_message(s, options, OPTIONS_UNINTERPRETED, &option));
    TRY(parse_name(s, option));
    TRY(source_want(s, "=", "behind the name of the option"));
    return parse_value(s, option);
}

int source_option_statement(struct source *s, struct proto_msg *of, uint32_t options_number)
{
    TRY(parse_option(s, of, options_number));
    return source_semicolon(s, "the option");
}

static int parse_json_name(struct source *s, struct proto_msg *field)
{
    const char *at = s->lex.token.text.ptr;
    if (proto_has(field, proto_field_of(field, FIELD_JSON_NAME))) {
        return lex_fail(&s->lex, at, "json_name is given twice");
    }
    if (proto_has(field, proto_field_of(field, FIELD_EXTENDEE))) {
        return lex_fail(&s->lex, at,
                        "an extension has no json_name: in JSON it is [its full name]");
    }
    TRY(lex_next(&s->lex));
    TRY(source_want(s, "=", "behind json_name"));
    if (s->lex.token.kind != LEX_STRING) {
        return lex_expected(&s->lex, "the JSON name in quotes");
    }
    struct str name = {0};
    TRY(lex_string(&s->lex, s->arena, &name));
    source_set_str(s, field, FIELD_JSON_NAME, name);
    return 0;
}

static int parse_default(struct source *s, struct proto_msg *field)
{
    const char *at = s->lex.token.text.ptr;
    if (s->proto3) {
        return lex_fail(&s->lex, at, "proto3 has no default values of one's own");
    }
    if (proto_has(field, proto_field_of(field, FIELD_DEFAULT))) {
        return lex_fail(&s->lex, at, "the default value is given twice");
    }
    if (proto_get(field, proto_field_of(field, FIELD_LABEL)).i32 == LABEL_REPEATED) {
        return lex_fail(&s->lex, at, "a repeated field has no default value");
    }
    TRY(lex_next(&s->lex));
    TRY(source_want(s, "=", "behind default"));
    return source_default(s, field);
}

int source_options_in_brackets(struct source *s, struct proto_msg *of, uint32_t options_number,
                               bool field)
{
    TRY(lex_next(&s->lex));
    bool comma = true;
    while (comma) {
        if (field && lex_is(&s->lex, "default")) {
            TRY(parse_default(s, of));
        } else if (field && lex_is(&s->lex, "json_name")) {
            TRY(parse_json_name(s, of));
        } else {
            TRY(parse_option(s, of, options_number));
        }
        TRY(source_take(s, ",", &comma));
    }
    return source_want(s, "]", "or \",\" behind the option");
}
