/*
 * Any text as a scalar of any type in any notation.  What is accepted has a text that reads as the
 * same value.  The first byte chooses type and notation.
 */
#include "base/arena.h"
#include "base/mem.h"
#include "proto/message.h"
#include "proto/scalar.h"
#include "proto/wkt.h"
#include "support/shop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct proto_pool *the_pool(void)
{
    static struct proto_pool *pool;
    struct err err;
    pool = pool == NULL ? shop_pool(&err) : pool;
    if (pool == NULL) {
        BUG("no schema: %s", err.msg);
    }
    return pool;
}

static void try_scalar(uint8_t choice, struct str text)
{
    static const enum proto_type types[] = {
        PROTO_DOUBLE,  PROTO_FLOAT,  PROTO_INT64, PROTO_UINT64,   PROTO_INT32,    PROTO_BOOL,
        PROTO_STRING,  PROTO_BYTES,  PROTO_ENUM,  PROTO_SFIXED32, PROTO_SFIXED64, PROTO_SINT32,
        PROTO_FIXED64, PROTO_SINT64, PROTO_ENUM,  PROTO_UINT32};
    bool closed = (choice & 15) == 14;
    struct proto_field_desc field = {
        .name = STR("f"),
        .full_name = STR("shop.M.f"),
        .type = types[choice & 15],
        .check_utf8 = true,
        .enumeration = proto_pool_enum(the_pool(), closed ? STR("old.Color") : STR("shop.Mood"))};
    enum proto_notation notation = (enum proto_notation)((choice >> 4) % 5);
    union proto_value value, again;
    struct arena arena;
    struct buf b;
    struct err err = {0};
    arena_init(&arena, 1 << 22);
    buf_init(&b, 1 << 22);
    int rc = proto_scalar_read(&field, text, notation, &arena, &value, &err);
    if (rc < 0) {
        if (rc != (int) err.code || err.msg[0] == '\0') {
            BUG("an error without its reason");
        }
    } else {
        proto_scalar_text(&field, value, &b);
        if (proto_scalar_read(&field, buf_str(&b), PROTO_TEXT, &arena, &again, &err) < 0 ||
            !proto_value_equal(&field, value, again)) {
            BUG("%s is another value: %s", b.ptr, err.msg);
        }
    }
    buf_done(&b);
    arena_done(&arena);
}

static void try_time(struct str text, int (*parse)(struct str, int64_t *, int32_t *, struct err *),
                     int (*write)(int64_t, int32_t, struct buf *, struct err *))
{
    int64_t seconds, seconds_again;
    int32_t nanos, nanos_again;
    char out[64];
    struct err err;
    struct buf b;
    buf_init_fixed(&b, out, sizeof out);
    if (parse(text, &seconds, &nanos, &err) < 0) {
        return;
    }
    if (write(seconds, nanos, &b, &err) < 0 || b.failed ||
        parse(buf_str(&b), &seconds_again, &nanos_again, &err) < 0 || seconds != seconds_again ||
        nanos != nanos_again) {
        BUG("%s is another time", out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) {
        struct str text = {(const char *) data + 1, size - 1};
        try_scalar(data[0], text);
        try_time(text, proto_timestamp_parse, proto_timestamp_text);
        try_time(text, proto_duration_parse, proto_duration_text);
    }
    return 0;
}
