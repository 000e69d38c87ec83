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
    /* The text of a file, for tests and editors; NULL: from the disk.  Returns 0 or ERR_NOT_FOUND.
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
 * err->pos: file:line:col of the source.  ERR_NOT_FOUND: a file is not there (the message lists
 * where it was looked for); ERR_INVALID.
 */
int proto_source_load(struct proto_pool *pool, const char *path,
                      const struct proto_source_options *options,
                      const struct proto_file_desc **ret, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Parses one text into a FileDescriptorProto of the pool's arena, without linking; options that
 * need other files stay in uninterpreted_option.  name: of the file in the descriptor; shown: in
 * errors.
 */
int proto_source_parse(struct proto_pool *pool, struct str text, const char *name,
                       const char *shown, struct proto_msg **ret, struct err *err)
    __attribute__((warn_unused_result));

/*
 * After the imports are in the pool: resolves type names to full ones and interprets options
 * (custom ones into extensions of the options messages), as protoc does.  file: of
 * proto_source_parse.
 */
int proto_source_resolve(struct proto_pool *pool, struct proto_msg *file, const char *shown,
                         struct err *err) __attribute__((warn_unused_result));
