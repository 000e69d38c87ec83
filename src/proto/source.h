#pragma once
/*
 * .proto sources into a pool: our own parser for proto2 and proto3, no protoc needed.  The
 * descriptors equal protoc's (source_code_info apart).
 */
#include "base/buf.h"
#include "base/err.h"
#include "proto/pool.h"

struct proto_source_options {
    const char *const *import_path; /* folders, in order; n_import_paths of them */
    size_t n_import_paths;
    /*
     * Appends the text of a file, for tests and editors; NULL: from the disk.  Returns 0,
     * ERR_NOT_FOUND (it is looked for in the next place), or another error (it is not).
     */
    int (*read)(const char *path, struct buf *ret, struct err *err, void *ctx);
    void *ctx;
};

/*
 * Parses and links path and all that it imports.  path: as the user gave it.  Its name in the pool
 * is relative to the first import path that it lies in; when it lies in none, its own folder is
 * taken as the first import path.  Imports are looked for in the import paths, then in the folder
 * of path and its parents (so that `import "shop/v1/x.proto"` works without any option), then among
 * the built-in files.
 *
 * err->pos: file:line:col of the source; its file lives as long as the pool.  ERR_NOT_FOUND: a file
 * is not there (the message lists where it was looked for); ERR_INVALID; ERR_FULL: above a bound
 * (16 MiB a file, 4096 files, what a pool holds).  On failure files that were imported may be in
 * the pool.  A file of this name that is in the pool already is taken as it is.
 */
int proto_source_load(struct proto_pool *pool, const char *path,
                      const struct proto_source_options *options,
                      const struct proto_file_desc **ret, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Parses one text into a FileDescriptorProto of the pool's arena, without linking: names of types
 * stay as they were written, options stay in uninterpreted_option.  text and name are copied.
 * name: of the file in the descriptor; shown: in errors, err->pos points to it.
 */
int proto_source_parse(struct proto_pool *pool, struct str text, const char *name,
                       const char *shown, struct proto_msg **ret, struct err *err)
    __attribute__((warn_unused_result));

/*
 * After the imports are in the pool: resolves type names to full ones and interprets options
 * (custom ones into extensions of the options messages; those that the file itself defines into
 * unknown fields, as they are not linked yet), as protoc does.  file: of proto_source_parse.
 * err->pos: the file only, as the text is not known any more; proto_source_load says line and
 * column.
 */
int proto_source_resolve(struct proto_pool *pool, struct proto_msg *file, const char *shown,
                         struct err *err) __attribute__((warn_unused_result));
