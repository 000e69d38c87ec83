/*
 * Any text through the JSON reader of messages.  What it accepts is written, in one of the ways in
 * which it can be, and must then read as an equal message.  The first byte chooses type and way.
 */
#include "base/arena.h"
#include "base/mem.h"
#include "proto/json.h"
#include "proto/pool.h"
#include "support/shop.h"

#include <string.h>

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const types[] = {"shop.Order", "old.Thing", "google.protobuf.Value",
                                        "google.protobuf.Any"};
    static const unsigned flags[] = {0, PROTO_JSON_INDENT | PROTO_JSON_PROTO_NAMES,
                                     PROTO_JSON_BARE_INT64 | PROTO_JSON_ENUM_NUMBERS,
                                     PROTO_JSON_DEFAULTS};
    struct err err = {0};
    struct arena arena;
    struct buf text;
    if (size == 0) {
        return 0;
    }
    unsigned ignore = (data[0] & 16) != 0 ? PROTO_JSON_IGNORE_UNKNOWN : 0;
    const struct proto_message_desc *desc =
        proto_pool_message(the_pool(), str_of(types[data[0] & 3]));
    arena_init(&arena, 1 << 24);
    buf_init(&text, 1 << 26);
    struct proto_msg *msg = proto_msg_new(&arena, desc), *again = proto_msg_new(&arena, desc);
    if (msg == NULL || again == NULL) {
        BUG("an arena without room");
    }
    struct str given = {(const char *) data + 1, size - 1};
    int rc = proto_json_read(given, msg, ignore, &err);
    if (rc < 0) {
        if (rc != (int) err.code || err.msg[0] == '\0' || err.pos.line == 0 || err.pos.col == 0) {
            BUG("an error without its reason or place");
        }
    } else if (proto_json_write(msg, flags[data[0] >> 2 & 3], &text, &err) < 0) {
        BUG("read, but not written: %s", err.msg);
    } else if (proto_json_read(buf_str(&text), again, 0, &err) < 0 || !proto_equal(msg, again)) {
        BUG("written, but not read: %s: %s", err.msg, text.ptr);
    }
    buf_done(&text);
    arena_done(&arena);
    return 0;
}
