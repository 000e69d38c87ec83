/* Well-known types as text, and what is inside an Any: see wkt.h. */
#include "proto/wkt.h"

#include "base/mem.h"
#include "proto/pool.h"
#include "proto/text_int.h"
#include "proto/wire.h"

#include <string.h>

static int refuse_full(struct err *err)
{
    return err_set(err, ERR_FULL, "the message is larger than there is memory for");
}

/* ---- FieldMask: paths in snake_case, in JSON joined and in camelCase. ---- */

static int refuse_mask(struct str text, const char *why, struct err *err)
{
    char quoted[256];
    return err_set(err, ERR_INVALID, "%s is no field mask: %s", proto_quoted(text, quoted), why);
}

/* "fooBar.baz" into "foo_bar.baz". */
static int read_path(struct str text, struct arena *arena, struct str *ret, struct err *err)
{
    size_t len = 0;
    if (text.len == 0) {
        return refuse_mask(text, "a path between two commas is empty", err);
    }
    char *out = arena_alloc(arena, text.len * 2);
    if (out == NULL) {
        return refuse_full(err);
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '_') {
            return refuse_mask(text, "write fooBar for foo_bar", err);
        }
        if (c >= 'A' && c <= 'Z') {
            out[len++] = '_';
            c = (char) (c + ('a' - 'A'));
        }
        out[len++] = c;
    }
    *ret = (struct str){out, len};
    return 0;
}

static int read_mask(struct proto_msg *msg, struct str text, struct err *err)
{
    const struct proto_field_desc *paths = proto_field_of(msg, 1);
    struct str rest = text, head;
    proto_clear(msg, paths);
    while (text.len > 0 && str_cut(&rest, ',', &head)) {
        union proto_value path = {.u64 = 0};
        int rc = read_path(head, msg->arena, &path.bytes, err);
        if (rc < 0) {
            return rc;
        }
        if (!proto_add(msg, paths, path)) {
            return refuse_full(err);
        }
    }
    return 0;
}

/* "foo_bar.baz" as "fooBar.baz"; only what reads back the same. */
static int write_path(struct str path, struct buf *b, struct err *err)
{
    if (path.len == 0) {
        return refuse_mask(path, "a path is empty", err);
    }
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        if ((c >= 'A' && c <= 'Z') || c == ',') {
            return refuse_mask(path, "a path with capital letters or commas has no JSON form", err);
        }
        if (c == '_') {
            i++;
            c = '\0';
            if (i < path.len) {
                c = path.ptr[i];
            }
            if (c < 'a' || c > 'z') {
                return refuse_mask(
                    path, "a path where no small letter follows a _ has no JSON form", err);
            }
            c = (char) (c - ('a' - 'A'));
        }
        buf_add_char(b, c);
    }
    return 0;
}

static int write_mask(const struct proto_msg *msg, struct buf *b, struct err *err)
{
    const struct proto_field_desc *paths = proto_field_of(msg, 1);
    for (size_t i = 0; i < proto_len(msg, paths); i++) {
        buf_add_cstr(b, i > 0 ? "," : "");
        int rc = write_path(proto_item(msg, paths, i).bytes, b, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

/* ---- All that are strings in JSON. ---- */

int proto_wkt_read_text(struct proto_msg *msg, struct str text, struct err *err)
{
    int64_t seconds = 0;
    int32_t nanos = 0;
    int rc;
    if (msg->desc->wkt == PROTO_WKT_FIELD_MASK) {
        return read_mask(msg, text, err);
    }
    if (msg->desc->wkt == PROTO_WKT_TIMESTAMP) {
        rc = proto_timestamp_parse(text, &seconds, &nanos, err);
    } else if (msg->desc->wkt == PROTO_WKT_DURATION) {
        rc = proto_duration_parse(text, &seconds, &nanos, err);
    } else {
        BUG("a message of this type is no text");
    }
    if (rc < 0) {
        return rc;
    }
    if (!proto_set(msg, proto_field_of(msg, 1), (union proto_value){.i64 = seconds}) ||
        !proto_set(msg, proto_field_of(msg, 2), (union proto_value){.i32 = nanos})) {
        return refuse_full(err);
    }
    return 0;
}

int proto_wkt_text(const struct proto_msg *msg, struct buf *b, struct err *err)
{
    if (msg->desc->wkt == PROTO_WKT_FIELD_MASK) {
        return write_mask(msg, b, err);
    }
    int64_t seconds = proto_get(msg, proto_field_of(msg, 1)).i64;
    int32_t nanos = proto_get(msg, proto_field_of(msg, 2)).i32;
    if (msg->desc->wkt == PROTO_WKT_TIMESTAMP) {
        return proto_timestamp_text(seconds, nanos, b, err);
    }
    if (msg->desc->wkt == PROTO_WKT_DURATION) {
        return proto_duration_text(seconds, nanos, b, err);
    }
    BUG("a message of this type is no text");
}

/* ---- Any. ---- */

const struct proto_message_desc *proto_any_type(const struct proto_pool *pool, struct str type_url)
{
    const char *slash = type_url.len > 0 ? memrchr(type_url.ptr, '/', type_url.len) : NULL;
    if (slash != NULL) {
        size_t before = (size_t) (slash + 1 - type_url.ptr);
        type_url = (struct str){slash + 1, type_url.len - before};
    }
    return type_url.len == 0 ? NULL : proto_pool_message(pool, type_url);
}

int proto_any_unpack(const struct proto_msg *any, const struct proto_pool *pool,
                     struct proto_msg **ret, struct err *err)
{
    char quoted[256];
    struct str type_url = proto_get(any, proto_field_of(any, 1)).bytes;
    const struct proto_message_desc *desc = proto_any_type(pool, type_url);
    if (desc == NULL) {
        return err_set(err, ERR_NOT_FOUND, "the type %s in an Any is not known",
                       proto_quoted(type_url, quoted));
    }
    struct proto_msg *msg = proto_msg_new(any->arena, desc);
    if (msg == NULL) {
        return refuse_full(err);
    }
    /* The bytes of the Any live as long as its arena, hence as long as msg. */
    int rc =
        proto_wire_read(proto_get(any, proto_field_of(any, 2)).bytes, msg, PROTO_WIRE_BORROW, err);
    if (rc < 0) {
        return err_wrap(err, "in an Any");
    }
    *ret = msg;
    return 0;
}
