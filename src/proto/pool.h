#pragma once
/*
 * A pool: files that are linked with each other.  Files come as google.protobuf.FileDescriptorProto
 * messages: of a descriptor set, of reflection, or of .proto sources (source.h).
 *
 * google/protobuf/descriptor.proto is there from the start (a pool begins with a table of it), the
 * other files of google/protobuf/ and google/rpc/ are built in and come when they are imported or
 * looked for (builtin.h).  So a look-up in a const pool may add files, though it changes none: a
 * pool belongs to one thread.
 *
 * Types are found in the whole pool; that a file imports what it uses is for its compiler to check.
 * Where a set has its own version of a built-in file, the one that came first stays.  Editions are
 * refused: a file is of proto2 or proto3.
 */
#include "base/err.h"
#include "proto/desc.h"
#include "proto/message.h"

/* A pool holds at most so much memory. */
#define PROTO_POOL_BYTES_MAX ((size_t) 256 * 1024 * 1024)

struct proto_pool *proto_pool_new(void);
void proto_pool_free(struct proto_pool *take_pool);
/* For messages that shall live as long as the pool. */
struct arena *proto_pool_arena(struct proto_pool *pool);

/*
 * Links one file; its imports have to be in the pool or built in.  file: of type
 * google.protobuf.FileDescriptorProto, in the pool's arena (proto_pool_file_new).  The same file
 * twice (equal) is fine; another of that name is ERR_CONFLICT.  ERR_INVALID: what is wrong, with
 * the file's name in the message.  ERR_NOT_FOUND: an import is not there.  Nothing is added on
 * failure, but what was used of the pool's memory stays used.
 */
int proto_pool_add(struct proto_pool *pool, const struct proto_msg *file, struct err *err)
    __attribute__((warn_unused_result));
/* A new empty FileDescriptorProto in the pool's arena.  NULL: full. */
struct proto_msg *proto_pool_file_new(struct proto_pool *pool);

/*
 * Files of a set in any order, duplicates allowed.  bytes: a serialized FileDescriptorSet, copied.
 * On failure the files that were linked before the wrong one stay.
 */
int proto_pool_add_set(struct proto_pool *pool, struct str bytes, struct err *err)
    __attribute__((warn_unused_result));
/* The same with the serialized FileDescriptorProto of each (reflection); n of them. */
int proto_pool_add_files(struct proto_pool *pool, const struct str *bytes, size_t n,
                         struct err *err) __attribute__((warn_unused_result));

/* By full name without a leading dot; NULL when there is none.  Built-in files are loaded for it.
 */
const struct proto_message_desc *proto_pool_message(const struct proto_pool *pool, struct str name);
const struct proto_enum_desc *proto_pool_enum(const struct proto_pool *pool, struct str name);
const struct proto_service_desc *proto_pool_service(const struct proto_pool *pool, struct str name);
const struct proto_field_desc *proto_pool_extension(const struct proto_pool *pool, struct str name);
/* When several extend a message with one number: the one that was linked first. */
const struct proto_field_desc *proto_pool_extension_by_number(const struct proto_pool *pool,
                                                              const struct proto_message_desc *of,
                                                              uint32_t number);
const struct proto_file_desc *proto_pool_file(const struct proto_pool *pool, struct str name);

/* Files in the order in which they were linked; descriptor.proto is the first. */
size_t proto_pool_files(const struct proto_pool *pool);
const struct proto_file_desc *proto_pool_file_at(const struct proto_pool *pool, size_t i);

/* NULL when there is none. */
const struct proto_method_desc *proto_method_by_name(const struct proto_service_desc *service,
                                                     struct str name);
