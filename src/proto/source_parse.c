/* .proto files: what stands at the top of a file, and the steps that all statements share. */
#include "proto/source_int.h"

#include <stdarg.h>
#include <string.h>

void source_set(struct source *s, struct proto_msg *msg, uint32_t number, union proto_value value)
{
    s->full = !proto_set(msg, proto_field_of(msg, number), value) || s->full;
}

void source_set_str(struct source *s, struct proto_msg *msg, uint32_t number, struct str value)
{
    source_set(s, msg, number, (union proto_value){.bytes = value});
}

void source_set_i32(struct source *s, struct proto_msg *msg, uint32_t number, int32_t value)
{
    source_set(s, msg, number, (union proto_value){.i32 = value});
}

void source_set_bool(struct source *s, struct proto_msg *msg, uint32_t number)
{
    source_set(s, msg, number, (union proto_value){.boolean = true});
}

void source_add_str(struct source *s, struct proto_msg *msg, uint32_t number, struct str value)
{
    union proto_value item = {.bytes = value};
    s->full = !proto_add(msg, proto_field_of(msg, number), item) || s->full;
}

void source_add_i32(struct source *s, struct proto_msg *msg, uint32_t number, int32_t value)
{
    union proto_value item = {.i32 = value};
    s->full = !proto_add(msg, proto_field_of(msg, number), item) || s->full;
}

int source_full(const struct source *s)
{
    return err_set(s->lex.err, ERR_FULL,
                   "%s: there is no room for its descriptors: a pool holds %zu MiB", s->lex.shown,
                   PROTO_POOL_BYTES_MAX / 1024 / 1024);
}

int source_add_message(struct source *s, struct proto_msg *msg, uint32_t number,
                       struct proto_msg **ret)
{
    struct proto_msg *added = proto_add_message(msg, proto_field_of(msg, number));
    if (added == NULL || s->full) {
        return source_full(s);
    }
    *ret = added;
    return 0;
}

int source_want(struct source *s, const char *symbol, const char *where)
{
    if (!lex_is(&s->lex, symbol)) {
        return lex_expected(&s->lex, "\"%s\" %s", symbol, where);
    }
    return lex_next(&s->lex);
}

int source_take(struct source *s, const char *text, bool *ret_taken)
{
    *ret_taken = lex_is(&s->lex, text);
    return *ret_taken ? lex_next(&s->lex) : 0;
}

int source_semicolon(struct source *s, const char *behind)
{
    if (!lex_is(&s->lex, ";")) {
        /* The place where it is missing, which may be lines before the next token. */
        char seen[64];
        return lex_fail(&s->lex, s->lex.before, "expected \";\" behind %s, not %s", behind,
                        lex_shown(&s->lex, seen));
    }
    return lex_next(&s->lex);
}

int source_ident(struct source *s, const char *what, struct str *ret)
{
    if (s->lex.token.kind != LEX_IDENT) {
        return lex_expected(&s->lex, "%s", what);
    }
    *ret = s->lex.token.text;
    return lex_next(&s->lex);
}

int source_type_name(struct source *s, const char *what, bool leading_dot, struct str *ret)
{
    struct buf joined;
    char memory[1024];
    buf_init_fixed(&joined, memory, sizeof memory);
    const char *start = s->lex.token.text.ptr;
    if (leading_dot && lex_is(&s->lex, ".")) {
        buf_add_char(&joined, '.');
        TRY(lex_next(&s->lex));
    }
    const char *end;
    for (;;) {
        if (s->lex.token.kind != LEX_IDENT) {
            return lex_expected(&s->lex, "%s", what);
        }
        buf_add_str(&joined, s->lex.token.text);
        end = s->lex.token.text.ptr + s->lex.token.text.len;
        TRY(lex_next(&s->lex));
        if (!lex_is(&s->lex, ".")) {
            break;
        }
        buf_add_char(&joined, '.');
        TRY(lex_next(&s->lex));
    }
    if (joined.failed) {
        return lex_fail(&s->lex, start, "a name of more than %zu bytes", sizeof memory - 1);
    }
    if ((size_t) (end - start) == joined.len) {
        *ret = (struct str){start, joined.len};
        return 0;
    }
    const char *copy = arena_strdup(s->arena, buf_str(&joined));
    if (copy == NULL) {
        return source_full(s);
    }
    *ret = (struct str){copy, joined.len};
    return 0;
}

int source_int(struct source *s, const char *what, int64_t min, int64_t max, int64_t *ret)
{
    const char *start = s->lex.token.text.ptr;
    bool minus = false;
    if (min < 0) {
        TRY(source_take(s, "-", &minus));
    }
    if (s->lex.token.kind != LEX_INT) {
        return lex_expected(&s->lex, "%s", what);
    }
    uint64_t value = 0;
    uint64_t limit = minus ? (uint64_t) - (min + 1) + 1 : (uint64_t) max;
    struct str text = s->lex.token.text;
    int64_t number = 0;
    if (lex_int_value(text, limit, &value) < 0 ||
        (number = minus ? (int64_t) (0 - value) : (int64_t) value) < min) {
        char seen[64];
        return lex_fail(&s->lex, start, "%s is out of range: %s is %lld to %lld",
                        lex_shown(&s->lex, seen), what, (long long) min, (long long) max);
    }
    *ret = number;
    return lex_next(&s->lex);
}

int source_field_number(struct source *s, bool extension, int32_t *ret)
{
    const char *start = s->lex.token.text.ptr;
    int64_t number = 0;
    /* Extensions of a MessageSet have greater numbers; the ranges of it are looked at later. */
    TRY(source_int(s, "a field number", 1, extension ? INT32_MAX : SOURCE_NUMBER_MAX, &number));
    if (number >= SOURCE_NUMBER_RESERVED_FIRST && number <= SOURCE_NUMBER_RESERVED_LAST) {
        return lex_fail(
            &s->lex, start,
            "the field numbers %d to %d are kept for protobuf itself: take another than %d",
            SOURCE_NUMBER_RESERVED_FIRST, SOURCE_NUMBER_RESERVED_LAST, (int) number);
    }
    *ret = (int32_t) number;
    return 0;
}

int source_range(struct source *s, int64_t min, int64_t max, int32_t to_max, const char *what,
                 int32_t *ret_start, int32_t *ret_end)
{
    int64_t start = 0;
    const char *at = s->lex.token.text.ptr;
    TRY(source_int(s, what, min, max, &start));
    int64_t end = start;
    bool to = false;
    bool is_max = false;
    TRY(source_take(s, "to", &to));
    if (to) {
        TRY(source_take(s, "max", &is_max));
        if (!is_max) {
            TRY(source_int(s, what, min, max, &end));
        }
    }
    if (end < start) {
        return lex_fail(&s->lex, at, "the range %lld to %lld ends before it begins",
                        (long long) start, (long long) end);
    }
    *ret_start = (int32_t) start;
    *ret_end = is_max ? to_max : (int32_t) end;
    return 0;
}

static int source_reserved_names(struct source *s, struct proto_msg *message, bool is_enum)
{
    bool comma = true;
    while (comma) {
        if (s->lex.token.kind != LEX_STRING) {
            return lex_expected(&s->lex, "a name in quotes");
        }
        struct str name = {0};
        TRY(lex_string(&s->lex, s->arena, &name));
        source_add_str(s, message, is_enum ? ENUM_RESERVED_NAME : MESSAGE_RESERVED_NAME, name);
        TRY(source_take(s, ",", &comma));
    }
    return source_semicolon(s, "the reserved names");
}

int source_reserved(struct source *s, struct proto_msg *message, bool is_enum)
{
    if (s->lex.token.kind == LEX_STRING) {
        return source_reserved_names(s, message, is_enum);
    }
    if (s->lex.token.kind == LEX_IDENT) {
        return lex_expected(&s->lex, "numbers or names in quotes");
    }
    bool comma = true;
    while (comma) {
        int32_t start = 0;
        int32_t end = 0;
        TRY(source_range(s, is_enum ? INT32_MIN : 1, is_enum ? INT32_MAX : INT32_MAX - 1,
                         is_enum ? INT32_MAX : SOURCE_RANGE_MAX,
                         is_enum ? "an enum number" : "a field number", &start, &end));
        struct proto_msg *range = NULL;
        TRY(source_add_message(s, message, is_enum ? ENUM_RESERVED_RANGE : MESSAGE_RESERVED_RANGE,
                               &range));
        source_set_i32(s, range, RANGE_START, start);
        source_set_i32(s, range, RANGE_END, is_enum || end == SOURCE_RANGE_MAX ? end : end + 1);
        TRY(source_take(s, ",", &comma));
    }
    return source_semicolon(s, "the reserved numbers");
}

static int parse_syntax(struct source *s)
{
    if (lex_is(&s->lex, "edition")) {
        return lex_fail(
            &s->lex, s->lex.token.text.ptr,
            "editions are not supported yet: write syntax = \"proto3\" or \"proto2\", or "
            "compile the file to a descriptor set");
    }
    bool there = false;
    TRY(source_take(s, "syntax", &there));
    if (!there) {
        return 0;
    }
    TRY(source_want(s, "=", "behind syntax"));
    const char *start = s->lex.token.text.ptr;
    if (s->lex.token.kind != LEX_STRING) {
        return lex_expected(&s->lex, "\"proto2\" or \"proto3\"");
    }
    struct str name = {0};
    TRY(lex_string(&s->lex, s->arena, &name));
    s->proto3 = str_eq_cstr(name, "proto3");
    if (!s->proto3 && !str_eq_cstr(name, "proto2")) {
        return lex_fail(&s->lex, start, "no syntax \"%.*s\": there are \"proto2\" and \"proto3\"",
                        name.len > 40 ? 40 : (int) name.len, name.ptr);
    }
    TRY(source_semicolon(s, "the syntax"));
    if (s->proto3) {
        source_set_str(s, s->file, FILE_SYNTAX, STR("proto3"));
    }
    return 0;
}

static int parse_package(struct source *s)
{
    const char *start = s->lex.token.text.ptr;
    struct str name = {0};
    TRY(source_type_name(s, "the name of the package", false, &name));
    TRY(source_semicolon(s, "the package"));
    if (proto_has(s->file, proto_field_of(s->file, FILE_PACKAGE))) {
        return lex_fail(&s->lex, start, "a second package: the file has \"" STR_FMT "\" already",
                        STR_ARG(proto_str(s->file, FILE_PACKAGE)));
    }
    if (name.len > 511) {
        return lex_fail(&s->lex, start, "the name of the package has %zu bytes, at most 511",
                        name.len);
    }
    source_set_str(s, s->file, FILE_PACKAGE, name);
    return 0;
}

static int parse_import(struct source *s)
{
    const struct proto_field_desc *dependency = proto_field_of(s->file, FILE_DEPENDENCY);
    int32_t index = (int32_t) proto_len(s->file, dependency);
    bool is_public = false;
    bool is_weak = false;
    TRY(source_take(s, "public", &is_public));
    if (!is_public) {
        TRY(source_take(s, "weak", &is_weak));
    }
    if (s->lex.token.kind != LEX_STRING) {
        return lex_expected(&s->lex, "the imported file in quotes");
    }
    if ((unsigned) index >= SOURCE_FILES_MAX) {
        return lex_fail(&s->lex, s->lex.token.text.ptr, "more than %u imports", SOURCE_FILES_MAX);
    }
    struct str name = {0};
    TRY(lex_string(&s->lex, s->arena, &name));
    source_add_str(s, s->file, FILE_DEPENDENCY, name);
    if (is_public) {
        source_add_i32(s, s->file, FILE_PUBLIC_DEPENDENCY, index);
    }
    if (is_weak) {
        source_add_i32(s, s->file, FILE_WEAK_DEPENDENCY, index);
    }
    return source_semicolon(s, "the import");
}

/* "(stream Type)" */
static int parse_method_type(struct source *s, struct proto_msg *method, uint32_t type,
                             uint32_t streaming)
{
    TRY(source_want(s, "(", "before the type of the message"));
    bool stream = false;
    TRY(source_take(s, "stream", &stream));
    if (stream) {
        source_set_bool(s, method, streaming);
    }
    struct str name = {0};
    TRY(source_type_name(s, "the name of a message", true, &name));
    source_set_str(s, method, type, name);
    return source_want(s, ")", "behind the type of the message");
}

static int parse_method_options(struct source *s, struct proto_msg *method)
{
    /* {} alone is a message of options without any. */
    if (proto_mutable(method, proto_field_of(method, METHOD_OPTIONS)) == NULL) {
        return source_full(s);
    }
    TRY(lex_next(&s->lex));
    bool done = false;
    while (!done) {
        bool word = false;
        bool empty = false;
        TRY(source_take(s, "option", &word));
        if (word) {
            TRY(source_option_statement(s, method, METHOD_OPTIONS));
            continue;
        }
        TRY(source_take(s, ";", &empty));
        if (!empty) {
            TRY(source_want(s, "}", "or \"option\" in the method"));
            done = true;
        }
    }
    return 0;
}

static int parse_method(struct source *s, struct proto_msg *service)
{
    struct proto_msg *method = NULL;
    struct str name = {0};
    TRY(source_ident(s, "the name of a method", &name));
    TRY(source_add_message(s, service, SERVICE_METHOD, &method));
    source_set_str(s, method, METHOD_NAME, name);
    TRY(parse_method_type(s, method, METHOD_INPUT, METHOD_CLIENT_STREAMING));
    TRY(source_want(s, "returns", "behind the type of the request"));
    TRY(parse_method_type(s, method, METHOD_OUTPUT, METHOD_SERVER_STREAMING));
    return lex_is(&s->lex, "{") ? parse_method_options(s, method)
                                : source_semicolon(s, "the method");
}

static int parse_service(struct source *s)
{
    struct proto_msg *service = NULL;
    struct str name = {0};
    TRY(source_ident(s, "the name of a service", &name));
    TRY(source_add_message(s, s->file, FILE_SERVICE, &service));
    source_set_str(s, service, SERVICE_NAME, name);
    TRY(source_want(s, "{", "behind the name of the service"));
    bool done = false;
    while (!done) {
        if (lex_is(&s->lex, "rpc")) {
            TRY(lex_next(&s->lex));
            TRY(parse_method(s, service));
        } else if (lex_is(&s->lex, "option")) {
            TRY(lex_next(&s->lex));
            TRY(source_option_statement(s, service, SERVICE_OPTIONS));
        } else if (lex_is(&s->lex, ";")) {
            TRY(lex_next(&s->lex));
        } else if (lex_is(&s->lex, "}")) {
            TRY(lex_next(&s->lex));
            done = true;
        } else {
            return lex_expected(&s->lex, "\"rpc\", \"option\" or \"}\" in the service");
        }
    }
    return 0;
}

static int unknown_statement(struct source *s)
{
    static const char *const WORDS[] = {"message", "enum",    "service", "extend",
                                        "import",  "package", "option",  "syntax"};
    const char *near = s->lex.token.kind != LEX_IDENT
                           ? NULL
                           : str_nearest(s->lex.token.text, WORDS, sizeof WORDS / sizeof WORDS[0]);
    char seen[64];
    if (lex_is(&s->lex, "syntax")) {
        return lex_fail(&s->lex, s->lex.token.text.ptr, "syntax has to be the first statement");
    }
    if (near != NULL) {
        return lex_fail(&s->lex, s->lex.token.text.ptr,
                        "no statement begins with %s: did you mean \"%s\"?",
                        lex_shown(&s->lex, seen), near);
    }
    return lex_expected(&s->lex,
                        "a statement: message, enum, service, extend, import, package or option");
}

static int parse_statement(struct source *s)
{
    struct str word = s->lex.token.text;
    if (s->lex.token.kind != LEX_IDENT && !lex_is(&s->lex, ";")) {
        return unknown_statement(s);
    }
    if (lex_is(&s->lex, "syntax")) {
        return unknown_statement(s);
    }
    TRY(lex_next(&s->lex));
    if (str_eq_cstr(word, "message")) {
        return source_message(s, s->file, FILE_MESSAGE);
    }
    if (str_eq_cstr(word, "enum")) {
        return source_enum(s, s->file, FILE_ENUM);
    }
    if (str_eq_cstr(word, "service")) {
        return parse_service(s);
    }
    if (str_eq_cstr(word, "extend")) {
        return source_extend(s, s->file, FILE_EXTENSION, FILE_MESSAGE);
    }
    if (str_eq_cstr(word, "import")) {
        return parse_import(s);
    }
    if (str_eq_cstr(word, "package")) {
        return parse_package(s);
    }
    if (str_eq_cstr(word, "option")) {
        return source_option_statement(s, s->file, FILE_OPTIONS);
    }
    return str_eq_cstr(word, ";") ? 0 : ERR_NOT_FOUND;
}

static int parse_file(struct source *s)
{
    TRY(lex_next(&s->lex));
    TRY(parse_syntax(s));
    while (s->lex.token.kind != LEX_END) {
        struct lex start = s->lex;
        int rc = parse_statement(s);
        if (rc == ERR_NOT_FOUND) {
            s->lex = start;
            return unknown_statement(s);
        }
        if (rc < 0) {
            return rc;
        }
        if (s->full) {
            return source_full(s);
        }
    }
    return s->full ? source_full(s) : 0;
}

int source_parse(struct proto_pool *pool, struct str text, const char *name, const char *shown,
                 struct proto_msg **ret, struct err *err)
{
    if (text.len > SOURCE_FILE_BYTES_MAX) {
        return err_set(err, ERR_FULL, "%s: the file has %zu bytes, at most %zu MiB are read", shown,
                       text.len, SOURCE_FILE_BYTES_MAX / 1024 / 1024);
    }
    struct arena *arena = proto_pool_arena(pool);
    struct source s = {.pool = pool, .arena = arena, .file = proto_pool_file_new(pool)};
    lex_init(&s.lex, text, shown, err);
    if (s.file == NULL) {
        return source_full(&s);
    }
    source_set_str(&s, s.file, FILE_NAME, str_of(name));
    int rc = parse_file(&s);
    if (rc == 0) {
        *ret = s.file;
    }
    return rc;
}

int proto_source_parse(struct proto_pool *pool, struct str text, const char *name,
                       const char *shown, struct proto_msg **ret, struct err *err)
{
    struct arena *arena = proto_pool_arena(pool);
    const char *copy = arena_strdup(arena, text);
    const char *kept = arena_strdup(arena, str_of(name));
    if (copy == NULL || kept == NULL) {
        return err_set(err, ERR_FULL, "%s: there is no room for the file in the pool", shown);
    }
    return source_parse(pool, (struct str){copy, text.len}, kept, shown, ret, err);
}
