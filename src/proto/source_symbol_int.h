#pragma once
/*
 * The names that a file can speak of: its own, and those of the files that it imports.  Both are
 * looked for from the inside to the outside, as in C++.
 */
#include "proto/source_int.h"

enum source_kind {
    SOURCE_PACKAGE,
    SOURCE_MESSAGE,
    SOURCE_ENUM,
    SOURCE_VALUE,
    SOURCE_FIELD,
    SOURCE_EXTENSION,
    SOURCE_ONEOF,
    SOURCE_SERVICE,
    SOURCE_METHOD,
};

struct source_symbol {
    enum source_kind kind;
    struct str name;                    /* full, without a leading dot */
    struct str written;                 /* own ones: its last part in the text, for places */
    const struct proto_msg *source;     /* own ones: DescriptorProto, EnumDescriptorProto, ... */
    const struct proto_file_desc *file; /* others: where it is */
    union {                             /* others */
        const struct proto_message_desc *message;
        const struct proto_enum_desc *enumeration;
        const struct proto_field_desc *extension;
    };
};

/* The symbols of linked files, of as many as were added. */
struct source_index {
    struct map map; /* full name to struct source_symbol */
    struct arena arena;
};

void source_index_init(struct source_index *index);
void source_index_done(struct source_index *index);
/* false: full */
bool source_index_add(struct source_index *index, const struct proto_file_desc *file)
    __attribute__((warn_unused_result));

/* A file while it is resolved. */
struct resolve {
    struct lex lex; /* whole, shown and err of it, for errors */
    struct proto_pool *pool;
    struct arena *arena;  /* of the pool */
    struct arena scratch; /* until the end of the file */
    struct proto_msg *file;
    struct str package;
    bool proto3;
    struct map own;
    struct map extensions; /* own ones: extended message "." number to FieldDescriptorProto */
    const struct source_index *index;
    VEC(const struct proto_file_desc *) visible; /* the imports and what they import publicly */
};

/* Collects what file defines.  ERR_INVALID: a name is there twice. */
int source_symbols_collect(struct resolve *r);
/* What the imports in r->file make visible; file: by its index in the list of dependencies. */
void source_symbols_see(struct resolve *r, const struct proto_file_desc *file);

/* By full name without a leading dot; NULL: there is none, or it is not visible. */
const struct source_symbol *source_symbol_find(const struct resolve *r, struct str name);
/*
 * name: as it was written, with a leading dot when it is full.  scope: full name of what it stands
 * in.  types: messages and enums only.
 */
const struct source_symbol *source_symbol_look(const struct resolve *r, struct str name,
                                               struct str scope, bool types);
/* ERR_INVALID with what can be said of a name that was not found; what: "type", "option". */
int source_symbol_unknown(struct resolve *r, struct str name, struct str scope, const char *what,
                          const char *at);

/* scope "." name in the arena; "" "." name is name.  ptr NULL: full or longer than can be. */
#define SOURCE_NAME_BYTES_MAX 1024u
struct str source_join(struct arena *arena, struct str scope, struct str name);

int source_resolve_full(struct resolve *r);

/* A list of messages in a message, by number. */
size_t source_len(const struct proto_msg *msg, uint32_t number);
struct proto_msg *source_item(const struct proto_msg *msg, uint32_t number, size_t i);
bool source_has(const struct proto_msg *msg, uint32_t number);
int32_t source_i32(const struct proto_msg *msg, uint32_t number);
/* NULL: absent */
struct proto_msg *source_child(const struct proto_msg *msg, uint32_t number);

/* The DescriptorProto of a linked message. */
const struct proto_msg *source_of_message(const struct proto_message_desc *desc);

/* source_resolve.c */
int source_resolve_types(struct resolve *r);
/* source_options.c */
int source_resolve_options(struct resolve *r);
/* source_check.c: what holds for each message and enum of itself; after types and options. */
int source_check(struct resolve *r);
