/*
 * .proto files as protoc compiles them, by our own reader; for tests.
 * usage: proto_compile [-I FOLDER]... [--set FILE] SOURCE...
 * Writes a FileDescriptorSet of the sources with all that they import.  With --set it compares with
 * that set instead (of protoc --include_imports), after both were written in the same way, and says
 * what differs; source_code_info does not count.
 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "proto/pool.h"
#include "proto/source.h"
#include "proto/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SET_BYTES_MAX ((size_t) 256 * 1024 * 1024)
#define PATHS_MAX     64

enum { SET_FILE = 1, FILE_NAME = 1, FILE_SOURCE_CODE_INFO = 9 };

static const char DESCRIPTOR[] = "google/protobuf/descriptor.proto";

struct options {
    const char *path[PATHS_MAX];
    size_t paths;
    const char *set;
};

static _Noreturn void fail(const struct err *err)
{
    if (err->pos.file != NULL && err->pos.line > 0) {
        (void) fprintf(stderr, "%s:%u:%u: ", err->pos.file, err->pos.line, err->pos.col);
    } else if (err->pos.file != NULL) {
        (void) fprintf(stderr, "%s: ", err->pos.file);
    }
    (void) fprintf(stderr, "%s\n", err->msg);
    exit(1); /* NOLINT(concurrency-mt-unsafe): one thread */
}

static struct proto_msg *new_message(struct proto_pool *pool, const char *name)
{
    const struct proto_message_desc *desc = proto_pool_message(pool, str_of(name));
    struct proto_msg *msg = desc == NULL ? NULL : proto_msg_new(proto_pool_arena(pool), desc);
    if (msg == NULL) {
        BUG("no %s", name);
    }
    return msg;
}

/* Written, read with all extensions that are known now, and written again. */
static void canonical(struct proto_pool *pool, const struct proto_msg *file, struct buf *ret)
{
    struct err err = {0};
    _cleanup_(buf_done) struct buf bytes;
    buf_init(&bytes, SET_BYTES_MAX);
    struct proto_msg *again = new_message(pool, "google.protobuf.FileDescriptorProto");
    if (proto_wire_write(file, PROTO_WIRE_PARTIAL, &bytes, &err) < 0 ||
        proto_wire_read(buf_str(&bytes), again, PROTO_WIRE_PARTIAL, &err) < 0) {
        fail(&err);
    }
    proto_clear(again, proto_field_of(again, FILE_SOURCE_CODE_INFO));
    if (proto_wire_write(again, PROTO_WIRE_PARTIAL, ret, &err) < 0) {
        fail(&err);
    }
}

static void read_file(const char *path, struct buf *ret)
{
    char chunk[65536];
    size_t n;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        perror(path);
        exit(1); /* NOLINT(concurrency-mt-unsafe): one thread */
    }
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0) {
        buf_add(ret, chunk, n);
    }
    (void) fclose(file);
}

/* The pool has its own descriptor.proto from the start; another version is parsed beside it. */
static const struct proto_msg *descriptor_source(struct proto_pool *pool, const char *path)
{
    struct err err = {0};
    struct proto_msg *file = NULL;
    _cleanup_(buf_done) struct buf text;
    buf_init(&text, SET_BYTES_MAX);
    read_file(path, &text);
    if (proto_source_parse(pool, buf_str(&text), DESCRIPTOR, path, &file, &err) < 0 ||
        proto_source_resolve(pool, file, path, &err) < 0) {
        fail(&err);
    }
    return file;
}

/* 1: they differ. */
static int compare(struct proto_pool *pool, const struct options *options,
                   const struct proto_msg *own)
{
    struct err err = {0};
    _cleanup_(buf_done) struct buf bytes;
    buf_init(&bytes, SET_BYTES_MAX);
    read_file(options->set, &bytes);
    struct proto_msg *set = new_message(pool, "google.protobuf.FileDescriptorSet");
    if (proto_wire_read(buf_str(&bytes), set, PROTO_WIRE_PARTIAL, &err) < 0) {
        fail(&err);
    }
    int status = 0;
    const struct proto_field_desc *list = proto_field_of(set, SET_FILE);
    for (size_t i = 0; i < proto_len(set, list); i++) {
        const struct proto_msg *theirs = proto_item(set, list, i).msg;
        struct str name = proto_str(theirs, FILE_NAME);
        const struct proto_file_desc *linked = proto_pool_file(pool, name);
        bool is_descriptor = str_eq_cstr(name, DESCRIPTOR);
        const struct proto_msg *ours = is_descriptor && own != NULL ? own
                                       : linked != NULL             ? linked->source
                                                                    : NULL;
        _cleanup_(buf_done) struct buf a;
        _cleanup_(buf_done) struct buf b;
        buf_init(&a, SET_BYTES_MAX);
        buf_init(&b, SET_BYTES_MAX);
        if (is_descriptor && own == NULL) {
            continue;
        }
        if (ours != NULL) {
            canonical(pool, ours, &a);
            canonical(pool, theirs, &b);
        }
        if (ours == NULL || !str_eq(buf_str(&a), buf_str(&b))) {
            (void) fprintf(stderr, STR_FMT ": %s\n", STR_ARG(name),
                           ours == NULL ? "only protoc has it" : "not what protoc makes of it");
            status = 1;
        }
    }
    return status;
}

/* Adds the file behind all that it imports.  Recursion: as deep as the chain of imports. */
static void add_file(struct proto_msg *set, const struct proto_file_desc *file)
{
    const struct proto_field_desc *list = proto_field_of(set, SET_FILE);
    for (size_t i = 0; i < proto_len(set, list); i++) {
        if (str_eq(proto_str(proto_item(set, list, i).msg, FILE_NAME), file->name)) {
            return;
        }
    }
    for (size_t i = 0; i < file->imports; i++) {
        add_file(set, file->import[i]);
    }
    struct proto_msg *copy = proto_add_message(set, list);
    struct err err = {0};
    _cleanup_(buf_done) struct buf bytes;
    buf_init(&bytes, SET_BYTES_MAX);
    if (copy == NULL || proto_wire_write(file->source, PROTO_WIRE_PARTIAL, &bytes, &err) < 0 ||
        proto_wire_read(buf_str(&bytes), copy, PROTO_WIRE_PARTIAL, &err) < 0) {
        fail(&err);
    }
}

static void write_set(const struct proto_msg *set)
{
    struct err err = {0};
    _cleanup_(buf_done) struct buf bytes;
    buf_init(&bytes, SET_BYTES_MAX);
    if (proto_wire_write(set, PROTO_WIRE_PARTIAL, &bytes, &err) < 0) {
        fail(&err);
    }
    (void) fwrite(bytes.ptr, 1, bytes.len, stdout);
}

int main(int argc, char **argv)
{
    struct options options = {0};
    int i = 1;
    for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
        if (strcmp(argv[i], "-I") == 0 && options.paths < PATHS_MAX) {
            options.path[options.paths++] = argv[i + 1];
        } else if (strcmp(argv[i], "--set") == 0) {
            options.set = argv[i + 1];
        } else {
            break;
        }
    }
    struct proto_pool *pool = proto_pool_new();
    struct proto_msg *set = new_message(pool, "google.protobuf.FileDescriptorSet");
    struct proto_source_options source = {.import_path = options.path,
                                          .n_import_paths = options.paths};
    const struct proto_msg *own = NULL;
    for (; i < argc; i++) {
        struct err err = {0};
        const struct proto_file_desc *file = NULL;
        if (proto_source_load(pool, argv[i], &source, &file, &err) < 0) {
            fail(&err);
        }
        if (str_eq_cstr(file->name, DESCRIPTOR) && options.set != NULL) {
            own = descriptor_source(pool, argv[i]);
        } else if (options.set == NULL) {
            add_file(set, file);
        }
    }
    int status = 0;
    if (options.set != NULL) {
        status = compare(pool, &options, own);
    } else {
        write_set(set);
    }
    proto_pool_free(pool);
    return status;
}
