#pragma once
/* Where files are looked for, and reading them; private to source_load.c and source_find.c. */
#include "proto/source_symbol_int.h"

#define SOURCE_PATH_BYTES_MAX 4000u

struct source_search {
    const struct proto_source_options *options;
    struct arena *arena;      /* of the pool, for texts and names */
    VEC(const char *) folder; /* in the order in which they are looked at; "" is the present one */
};

struct source_found {
    const char *shown; /* path of the file, or name of the built-in one */
    struct str text;
};

/*
 * Sets up the folders for path and gives its name in the pool.  ERR_INVALID: no path that can be.
 */
int source_search_init(struct source_search *search, struct arena *arena, const char *path,
                       const struct proto_source_options *options, const char **ret_name,
                       struct err *err);
void source_search_done(struct source_search *search);
/* The file that the user named. */
int source_read_root(struct source_search *search, const char *path, struct source_found *ret,
                     struct err *err);
/*
 * An imported file by its name.  ERR_NOT_FOUND: with the list of places; ERR_INVALID: the name can
 * be none; no place is set.
 */
int source_find(struct source_search *search, struct str name, struct source_found *ret,
                struct err *err);

/*
 * Resolves a parsed file; text: what it was parsed from, for places; its imports are in the pool
 * and in index.
 */
int source_resolve(struct proto_pool *pool, struct proto_msg *file, struct str text,
                   const char *shown, const struct source_index *index, struct err *err);
/* The linked file of that name, without loading built-in ones; NULL: none. */
const struct proto_file_desc *source_linked(const struct proto_pool *pool, struct str name);
