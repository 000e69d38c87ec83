#pragma once
/*
 * Private to the reader of .proto sources.  A file goes through
 *     parse     text to FileDescriptorProto, names as they were written, options uninterpreted
 *     check     what a file must hold to by itself: numbers, names, reserved ones
 *     resolve   names of types to full ones, by a table of symbols
 *     options   uninterpreted options to set ones
 *
 * Names in the message are views of the text, so that the place of an error is found from the name
 * that it is about, without a table of places.
 */
#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "proto/builtin.h"
#include "proto/numbers_int.h"
#include "proto/source.h"
#include "proto/source_lex_int.h"

#define SOURCE_FILE_BYTES_MAX ((size_t) 16 * 1024 * 1024)
#define SOURCE_FILES_MAX      4096u
#define SOURCE_DEPTH_MAX      31u /* messages and groups in each other, aggregates too */

enum {
    SOURCE_NUMBER_MAX = 536870911, /* 2^29 - 1 */
    SOURCE_NUMBER_RESERVED_FIRST = 19000,
    SOURCE_NUMBER_RESERVED_LAST = 19999,
    SOURCE_RANGE_MAX =
        -1, /* end of a range until it is known whether the message is a MessageSet */
};

/* One text while it is parsed. */
struct source {
    struct lex lex;
    struct proto_pool *pool;
    struct arena *arena;
    struct proto_msg *file;
    bool proto3;
    unsigned depth;
    bool full; /* the arena was full at a set */
};

static inline char source_lower(char c)
{
    static const char LOWER[] = "abcdefghijklmnopqrstuvwxyz";
    if (c >= 'A' && c <= 'Z') {
        return LOWER[c - 'A'];
    }
    return c;
}

static inline char source_upper(char c)
{
    static const char UPPER[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if (c >= 'a' && c <= 'z') {
        return UPPER[c - 'a'];
    }
    return c;
}

/* Like proto_source_parse; text and name have to live as long as the pool. */
int source_parse(struct proto_pool *pool, struct str text, const char *name, const char *shown,
                 struct proto_msg **ret, struct err *err);

/* Setters that note a full arena in s->full; the parser looks at it at each statement. */
void source_set(struct source *s, struct proto_msg *msg, uint32_t number, union proto_value value);
void source_set_str(struct source *s, struct proto_msg *msg, uint32_t number, struct str value);
void source_set_i32(struct source *s, struct proto_msg *msg, uint32_t number, int32_t value);
void source_set_bool(struct source *s, struct proto_msg *msg, uint32_t number);
void source_add_str(struct source *s, struct proto_msg *msg, uint32_t number, struct str value);
void source_add_i32(struct source *s, struct proto_msg *msg, uint32_t number, int32_t value);
/* ERR_FULL */
int source_add_message(struct source *s, struct proto_msg *msg, uint32_t number,
                       struct proto_msg **ret);
int source_full(const struct source *s);

/* The present token must be it; moves on. */
int source_want(struct source *s, const char *symbol, const char *where);
/* Moves on when the present token is it. */
int source_take(struct source *s, const char *text, bool *ret_taken);
/* The ";" at the end of a statement. */
int source_semicolon(struct source *s, const char *behind);
int source_ident(struct source *s, const char *what, struct str *ret);
/* a.b.c or .a.b.c; a view of the source when nothing stands between. */
int source_type_name(struct source *s, const char *what, bool leading_dot, struct str *ret);
/* A decimal, hexadecimal or octal number from min to max, with a sign when min is below 0. */
int source_int(struct source *s, const char *what, int64_t min, int64_t max, int64_t *ret);
/* A field number. */
int source_field_number(struct source *s, bool extension, int32_t *ret);
/* "a to b", "a to max", "a"; both ends inclusive; the word max becomes to_max. */
int source_range(struct source *s, int64_t min, int64_t max, int32_t to_max, const char *what,
                 int32_t *ret_start, int32_t *ret_end);
/* Reads "reserved" behind the word; message: of an enum or a message. */
int source_reserved(struct source *s, struct proto_msg *message, bool is_enum);

/* source_parse_option.c: "option" behind the word up to ";", into a message of options. */
int source_option_statement(struct source *s, struct proto_msg *of, uint32_t options_number);
/* "[a = 1, b = 2]"; field: default and json_name are its own. */
int source_options_in_brackets(struct source *s, struct proto_msg *of, uint32_t options_number,
                               bool field);

/* source_parse_message.c, source_parse_field.c, source_parse_enum.c: behind the first word. */
int source_message(struct source *s, struct proto_msg *parent, uint32_t number);
int source_message_body(struct source *s, struct proto_msg *message);
/* Whether message_set_wire_format is set, interpreted or not. */
bool source_is_message_set(const struct proto_msg *message);
int source_enum(struct source *s, struct proto_msg *parent, uint32_t number);
int source_extend(struct source *s, struct proto_msg *parent, uint32_t fields, uint32_t messages);
/* The value behind "default =" of a field. */
int source_default(struct source *s, struct proto_msg *field);

struct source_field_place {
    struct proto_msg *parent;  /* message or file */
    uint32_t fields, messages; /* numbers of its lists of fields and nested messages */
    struct str extendee;       /* ptr NULL: none */
    int32_t oneof;             /* -1: none */
};
int source_field(struct source *s, const struct source_field_place *place);
