#pragma once
/*
 * The linker: a FileDescriptorProto becomes descriptors.
 *
 *   declare   descriptors are made and all names are known (link_declare.c)
 *   fields    each field gets its type, presence, default (link_field.c, link_default.c)
 *   messages  numbers, oneofs and map entries are checked, tables made (link_message.c,
 * link_enum.c) whole     extensions, required fields, well-known types (link_whole.c) commit    all
 * of it goes into the pool (link.c); until here the pool is as before
 */
#include "proto/numbers_int.h"
#include "proto/pool_int.h"
#include "proto/wire.h"

/* A full name may have so many bytes, so that deep nesting of long names stays small. */
enum { LINK_NAME_MAX = 1024 };

struct link_message {
    struct proto_message_desc *desc;
    const struct proto_msg *source;
    struct proto_field_desc *field;
    struct proto_message_index *index;
};

struct link_field {
    struct proto_field_desc *desc;
    const struct proto_msg *source;
    struct str scope;                        /* where names of types are looked for from */
    const struct proto_message_desc *inside; /* that it is written in; NULL: at the top */
};

struct link_enum {
    struct proto_enum_desc *desc;
    const struct proto_msg *source;
};

struct link_method {
    struct proto_method_desc *desc;
    const struct proto_msg *source;
};

struct linker {
    struct proto_pool *pool;
    struct arena *arena; /* the pool's */
    struct err *err;
    struct proto_file_desc *file;
    const struct proto_msg *source;
    struct map symbol; /* new ones */
    VEC(struct link_message) message;
    VEC(struct link_field) field; /* extensions too */
    VEC(struct link_enum) enumeration;
    VEC(struct link_method) method;
    VEC(struct proto_field_desc *) extension;
    VEC(struct proto_msg *) options; /* those with fields that were not known yet */
};

/* "FILE: SYMBOL: text"; returns the code. */
int link_fail(struct linker *l, struct str symbol, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
int link_full(struct linker *l);
/* n zeroed things of the arena; NULL: full.  n == 0 gives some place. */
void *link_array(struct linker *l, size_t n, size_t size);
/* The options of a descriptor, or NULL. */
const struct proto_msg *link_options(struct linker *l, const struct proto_msg *source,
                                     uint32_t number);

int link_declare(struct linker *l);
/* A symbol of the file or of the pool, by full name; NULL when there is none. */
const struct proto_symbol *link_symbol(const struct linker *l, struct str name);
/*
 * What name means when it is written in scope (protobuf's rule: the innermost scope that has its
 * first part).  A leading dot makes it a full name.  NULL: nothing.
 */
const struct proto_symbol *link_find(const struct linker *l, struct str scope, struct str name);

int link_fields(struct linker *l);
int link_default(struct linker *l, struct proto_field_desc *field, struct str text);
int link_messages(struct linker *l);
int link_enums(struct linker *l);
int link_services(struct linker *l);
int link_extensions(struct linker *l);
int link_required(struct linker *l);
void link_well_known(struct linker *l);
/* After all is in the pool: options that extensions explain (link_options.c). */
void link_custom_options(struct linker *l);
