#pragma once
/* The inside of a pool, for the linker and for what loads files. */
#include "base/arena.h"
#include "base/map.h"
#include "base/vec.h"
#include "proto/index_int.h"
#include "proto/pool.h"

enum proto_symbol_kind {
    PROTO_SYMBOL_PACKAGE,
    PROTO_SYMBOL_MESSAGE,
    PROTO_SYMBOL_ENUM,
    PROTO_SYMBOL_VALUE,
    PROTO_SYMBOL_FIELD,
    PROTO_SYMBOL_ONEOF,
    PROTO_SYMBOL_EXTENSION,
    PROTO_SYMBOL_SERVICE,
    PROTO_SYMBOL_METHOD,
};

/* What a full name means.  Which member counts is said by kind; the others have none. */
struct proto_symbol {
    enum proto_symbol_kind kind;
    const struct proto_file_desc *file; /* of a package the first file that has it */
    union {
        const struct proto_message_desc *message;
        const struct proto_enum_desc *enumeration;
        const struct proto_service_desc *service;
        const struct proto_field_desc *extension;
    } is;
    struct proto_message_index *index; /* of a message */
};

struct proto_pool {
    struct arena arena;
    struct map symbol; /* full name to struct proto_symbol */
    struct map file;   /* name to struct proto_file_desc */
    struct proto_message_index *indexes;
    const struct proto_message_desc *file_type; /* google.protobuf.FileDescriptorProto */
    /*
     * The pool itself: a look-up in a const pool may load a built-in file, which changes nothing
     * that was seen before.
     */
    struct proto_pool *self;
    VEC(const char *) loading; /* built-in files that are being loaded: guards against cycles */
};

/* Of the symbol with this full name, loading a built-in file for it; or NULL. */
const struct proto_symbol *proto_pool_symbol(const struct proto_pool *pool, struct str name);

/* The json_name that a field has by itself: foo_bar is fooBar.  false: the arena is full. */
bool proto_json_name(struct arena *arena, struct str name, struct str *ret)
    __attribute__((warn_unused_result));

/* Fills an empty pool with google/protobuf/descriptor.proto. */
void proto_bootstrap(struct proto_pool *pool);

/*
 * Links one file whose name is not in the pool and whose imports are; see proto_pool_add.
 * The file of the error is named in the message.
 */
int proto_link(struct proto_pool *pool, const struct proto_msg *file, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Reads the options of a copy of a file of the pool as they were when it was linked.
 * copy: a FileDescriptorProto in which they are unknown fields.
 */
void proto_read_custom_options(const struct proto_pool *pool, struct str file,
                               struct proto_msg *copy);

/* Makes sure that a file is in the pool, loading it when it is built in.  false: it is not there.
 */
bool proto_pool_need(struct proto_pool *pool, struct str name);
/* Loads the built-in file that declares name, if there is one; false: nothing was loaded. */
bool proto_pool_load_symbol(struct proto_pool *pool, struct str name);
/* Whether the file is one of those that are built in, descriptor.proto among them. */
bool proto_pool_is_builtin(struct str file);
