/*
 * .proto sources of anybody.  The file is parsed, resolved and linked; then its descriptor is
 * written, read and linked into a second pool, which has to take what the first one took.
 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "proto/source.h"
#include "proto/wire.h"

#include <stdlib.h>

struct text {
    const uint8_t *data;
    size_t size;
};

/* "main.proto" is the input; "other.proto" is a small one to import. */
static int read_text(const char *path, struct buf *ret, struct err *err, void *ctx)
{
    static const char OTHER[] = "syntax = \"proto2\"; package other;\n"
                                "import \"google/protobuf/descriptor.proto\";\n"
                                "message M { optional int32 a = 1; extensions 100 to max; }\n"
                                "enum E { A = 0; B = 1; }\n"
                                "extend google.protobuf.MessageOptions { optional M m = 50000; }\n";
    const struct text *text = ctx;
    if (str_eq_cstr(str_of(path), "main.proto")) {
        buf_add(ret, text->data, text->size);
        return 0;
    }
    if (str_eq_cstr(str_of(path), "other.proto")) {
        buf_add_cstr(ret, OTHER);
        return 0;
    }
    return err_set(err, ERR_NOT_FOUND, "no file");
}

static void pool_done(struct proto_pool **pool)
{
    proto_pool_free(*pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text text = {data, size};
    struct proto_source_options options = {.read = read_text, .ctx = &text};
    const struct proto_file_desc *file = NULL;
    struct err err = {0};
    _cleanup_(pool_done) struct proto_pool *pool = proto_pool_new();
    if (proto_source_load(pool, "main.proto", &options, &file, &err) < 0) {
        if (err.msg[0] == '\0') {
            abort();
        }
        return 0;
    }
    _cleanup_(pool_done) struct proto_pool *second = proto_pool_new();
    for (size_t i = 1; i < proto_pool_files(pool); i++) {
        _cleanup_(buf_done) struct buf bytes;
        buf_init(&bytes, PROTO_POOL_BYTES_MAX);
        if (proto_wire_write(proto_pool_file_at(pool, i)->source, 0, &bytes, &err) < 0) {
            abort();
        }
        struct str view = buf_str(&bytes);
        if (proto_pool_add_files(second, &view, 1, &err) < 0) {
            abort();
        }
    }
    return 0;
}
