/*
 * Any bytes through the reader of messages.  What it accepts is written, must read as an equal
 * message and be written the same again.  The first byte chooses the type and the flags.
 */
#include "base/arena.h"
#include "support/rich.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct proto_pool *the_pool(void)
{
    static struct proto_pool *pool;
    pool = pool == NULL ? rich_pool() : pool;
    return pool;
}

static void walk_unknown(const struct proto_msg *msg)
{
    struct proto_unknown it = {.rest = msg->unknown};
    while (proto_unknown_next(&it)) {
        if (it.number == 0 || it.wire_type > 5 || it.wire_type == 4) {
            BUG("an unknown field of number %u and wire type %u", it.number, it.wire_type);
        }
    }
    if (it.rest.len != 0) {
        BUG("%zu bytes of the unknown fields are left", it.rest.len);
    }
}

static void write_again(const struct proto_msg *msg, struct arena *arena, unsigned partial)
{
    struct err err;
    struct buf bytes, more;
    buf_init(&bytes, 1 << 26);
    buf_init(&more, 1 << 26);
    struct proto_msg *again = proto_msg_new(arena, msg->desc);
    if (again == NULL || proto_wire_write(msg, partial, &bytes, &err) != 0) {
        BUG("read, but not written: %s", err.msg);
    }
    int status = proto_wire_read(buf_str(&bytes), again, partial | PROTO_WIRE_BORROW, &err);
    if (status == 0 && !proto_equal(msg, again)) {
        BUG("another message was read than written");
    }
    if (status == 0 && (proto_wire_write(again, partial, &more, &err) != 0 ||
                        !str_eq(buf_str(&bytes), buf_str(&more)))) {
        BUG("the same message gave other bytes");
    }
    if (status != 0 && status != ERR_FULL) {
        BUG("written, but not read: %s", err.msg);
    }
    buf_done(&bytes);
    buf_done(&more);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"rich2.Two", "rich3.Three", "rich2.Needs", "rich2.Set"};
    struct err err = {0};
    struct arena arena;
    if (size == 0) {
        return 0;
    }
    unsigned flags = data[0] >> 2 & (PROTO_WIRE_PARTIAL | PROTO_WIRE_BORROW);
    const struct proto_message_desc *desc =
        proto_pool_message(the_pool(), str_of(types[data[0] & 3]));
    arena_init(&arena, 1 << 24);
    struct proto_msg *msg = proto_msg_new(&arena, desc);
    if (msg == NULL) {
        BUG("an arena without room");
    }
    struct str given = {(const char *) data + 1, size - 1};
    int status = proto_wire_read(given, msg, flags, &err);
    if (status != 0) {
        if (status != (int) err.code || err.msg[0] == '\0') {
            BUG("an error without its reason");
        }
    } else {
        walk_unknown(msg);
        write_again(msg, &arena, flags & PROTO_WIRE_PARTIAL);
    }
    arena_done(&arena);
    return 0;
}
