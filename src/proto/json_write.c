/* The JSON form of messages: the writer.  See json.h. */
#include "base/json.h"
#include "base/mem.h"
#include "proto/json.h"
#include "proto/pool.h"
#include "proto/scalar.h"
#include "proto/text_int.h"
#include "proto/wire.h"
#include "proto/wkt.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One writing of one message. */
struct writer {
    unsigned flags;
    const struct proto_pool *pool;
    unsigned depth;  /* messages that are open, those inside of an Any among them */
    unsigned indent; /* levels */
    struct buf *b;
    struct err *err;
};

static int write_message(struct writer *w, const struct proto_msg *msg);

static int refuse_full(struct writer *w)
{
    return err_set(w->err, ERR_FULL, "the text is longer than %zu bytes", w->b->max);
}

/* ---- Brackets, commas and lines. ---- */

static void new_line(struct writer *w)
{
    if ((w->flags & PROTO_JSON_INDENT) != 0) {
        buf_addf(w->b, "\n%*s", (int) (2 * w->indent), "");
    }
}

static void open_bracket(struct writer *w, char bracket)
{
    buf_add_char(w->b, bracket);
    w->indent++;
}

/* n: members so far. */
static void next_member(struct writer *w, size_t n)
{
    if (n > 0) {
        buf_add_char(w->b, ',');
    }
    new_line(w);
}

static void close_bracket(struct writer *w, char bracket, size_t n)
{
    w->indent--;
    if (n > 0) {
        new_line(w);
    }
    buf_add_char(w->b, bracket);
}

static void add_colon(struct writer *w)
{
    buf_add_cstr(w->b, (w->flags & PROTO_JSON_INDENT) != 0 ? ": " : ":");
}

/* ---- Values. ---- */

static bool is_wide(enum proto_type type)
{
    return type == PROTO_INT64 || type == PROTO_UINT64 || type == PROTO_SINT64 ||
           type == PROTO_FIXED64 || type == PROTO_SFIXED64;
}

static bool is_message(const struct proto_field_desc *field)
{
    return field->type == PROTO_MESSAGE || field->type == PROTO_GROUP;
}

static bool wants_quotes(const struct writer *w, const struct proto_field_desc *field,
                         union proto_value value)
{
    if (is_wide(field->type)) {
        return (w->flags & PROTO_JSON_BARE_INT64) == 0;
    }
    if (field->type == PROTO_FLOAT || field->type == PROTO_DOUBLE) {
        return !isfinite(field->type == PROTO_FLOAT ? (double) value.f32 : value.f64);
    }
    if (field->type == PROTO_ENUM) {
        return proto_enum_by_number(field->enumeration, value.i32) != NULL;
    }
    return field->type == PROTO_BYTES;
}

static void write_scalar(struct writer *w, const struct proto_field_desc *field,
                         union proto_value value)
{
    if (field->type == PROTO_STRING) {
        json_quote(w->b, value.bytes);
        return;
    }
    if (field->type == PROTO_ENUM && field->enumeration->is_null_value) {
        buf_add_cstr(w->b, "null");
        return;
    }
    if (field->type == PROTO_ENUM && (w->flags & PROTO_JSON_ENUM_NUMBERS) != 0) {
        buf_add_i64(w->b, value.i32);
        return;
    }
    bool quotes = wants_quotes(w, field, value);
    buf_add_cstr(w->b, quotes ? "\"" : "");
    proto_scalar_text(field, value, w->b);
    buf_add_cstr(w->b, quotes ? "\"" : "");
}

static int write_value(struct writer *w, const struct proto_field_desc *field,
                       union proto_value value)
{
    if (is_message(field)) {
        return write_message(w, value.msg);
    }
    write_scalar(w, field, value);
    return 0;
}

static int write_list(struct writer *w, const struct proto_msg *msg,
                      const struct proto_field_desc *field)
{
    size_t n = proto_len(msg, field);
    open_bracket(w, '[');
    for (size_t i = 0; i < n; i++) {
        next_member(w, i);
        int rc = write_value(w, field, proto_item(msg, field, i));
        if (rc < 0) {
            return rc;
        }
    }
    close_bracket(w, ']', n);
    return 0;
}

/* ---- Maps, by key, so that the same message gives the same text. ---- */

static int compare_u64(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int compare_keys(const struct proto_msg *a, const struct proto_msg *b)
{
    const struct proto_field_desc *field = &a->desc->field[0];
    union proto_value x = proto_get(a, field), y = proto_get(b, field);
    int64_t i = 0, j = 0;
    switch (field->type) {
    case PROTO_STRING: {
        size_t len = x.bytes.len < y.bytes.len ? x.bytes.len : y.bytes.len;
        int order = len == 0 ? 0 : memcmp(x.bytes.ptr, y.bytes.ptr, len);
        return order != 0 ? order : compare_u64(x.bytes.len, y.bytes.len);
    }
    case PROTO_UINT64:
    case PROTO_FIXED64:
        return compare_u64(x.u64, y.u64);
    case PROTO_UINT32:
    case PROTO_FIXED32:
        return compare_u64(x.u32, y.u32);
    case PROTO_BOOL:
        return (int) x.boolean - (int) y.boolean;
    case PROTO_INT64:
    case PROTO_SINT64:
    case PROTO_SFIXED64:
        i = x.i64;
        j = y.i64;
        break;
    case PROTO_INT32:
    case PROTO_SINT32:
    case PROTO_SFIXED32:
    case PROTO_ENUM:
        i = x.i32;
        j = y.i32;
        break;
    case PROTO_DOUBLE:
    case PROTO_FLOAT:
    case PROTO_GROUP:
    case PROTO_MESSAGE:
    case PROTO_BYTES:
        BUG("no type of a map's key");
    }
    return (i > j) - (i < j);
}

struct entry {
    const struct proto_msg *msg;
};

static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return compare_keys(x->msg, y->msg);
}

static int write_entry(struct writer *w, const struct proto_field_desc *field,
                       const struct proto_msg *entry)
{
    const struct proto_field_desc *key = proto_map_key(field), *value = proto_map_value(field);
    union proto_value key_value = proto_get(entry, key);
    if (key->type == PROTO_STRING) {
        json_quote(w->b, key_value.bytes);
    } else {
        buf_add_char(w->b, '"');
        proto_scalar_text(key, key_value, w->b);
        buf_add_char(w->b, '"');
    }
    add_colon(w);
    union proto_value inner = proto_get(entry, value);
    if (is_message(value) && inner.msg == NULL) {
        return err_set(w->err, ERR_INVALID, STR_FMT ": an entry of the map has no value",
                       STR_ARG(field->full_name));
    }
    return write_value(w, value, inner);
}

static int write_map(struct writer *w, const struct proto_msg *msg,
                     const struct proto_field_desc *field)
{
    size_t n = proto_len(msg, field);
    struct entry *entry = mem_array(n + 1, sizeof *entry);
    int rc = 0;
    for (size_t i = 0; i < n; i++) {
        entry[i].msg = proto_item(msg, field, i).msg;
    }
    qsort(entry, n, sizeof *entry, compare_entries);
    open_bracket(w, '{');
    for (size_t i = 0; i < n && rc == 0; i++) {
        next_member(w, i);
        rc = write_entry(w, field, entry[i].msg);
    }
    close_bracket(w, '}', n);
    mem_free(entry);
    return rc;
}

/* ---- Fields. ---- */

static void write_name(struct writer *w, const struct proto_field_desc *field)
{
    if (field->is_extension) {
        buf_addf(w->b, "\"[" STR_FMT "]\"", STR_ARG(field->full_name));
    } else {
        json_quote(w->b, (w->flags & PROTO_JSON_PROTO_NAMES) != 0 ? field->name : field->json_name);
    }
    add_colon(w);
}

static int write_field(struct writer *w, const struct proto_msg *msg,
                       const struct proto_field_desc *field, size_t *n)
{
    next_member(w, (*n)++);
    write_name(w, field);
    if (field->is_map) {
        return write_map(w, msg, field);
    }
    return field->repeated ? write_list(w, msg, field)
                           : write_value(w, field, proto_get(msg, field));
}

/* Members of an object that has n already. */
static int write_fields(struct writer *w, const struct proto_msg *msg, size_t *n)
{
    struct proto_iter it = {.msg = msg};
    int rc = 0;
    if ((w->flags & PROTO_JSON_DEFAULTS) == 0) {
        while (rc == 0 && proto_next(&it)) {
            rc = write_field(w, msg, it.field, n);
        }
        return rc;
    }
    for (size_t i = 0; i < msg->desc->fields && rc == 0; i++) {
        const struct proto_field_desc *field = msg->desc->by_number[i];
        if (proto_has(msg, field) || field->repeated || !field->has_presence) {
            rc = write_field(w, msg, field, n);
        }
    }
    while (rc == 0 && proto_next(&it)) {
        if (it.field->is_extension) {
            rc = write_field(w, msg, it.field, n);
        }
    }
    return rc;
}

static int write_plain(struct writer *w, const struct proto_msg *msg)
{
    size_t n = 0;
    open_bracket(w, '{');
    int rc = write_fields(w, msg, &n);
    close_bracket(w, '}', n);
    return rc;
}

/* ---- Types with a form of their own. ---- */

static int write_any_value(struct writer *w, const struct proto_msg *msg)
{
    struct proto_iter it = {.msg = msg};
    if (!proto_next(&it)) {
        return err_set(w->err, ERR_INVALID, "a google.protobuf.Value without any value");
    }
    if (it.field->type == PROTO_DOUBLE && !isfinite(it.value.f64)) {
        return err_set(w->err, ERR_INVALID,
                       "a google.protobuf.Value that is no finite number has no JSON form");
    }
    return write_value(w, it.field, it.value);
}

static int write_text(struct writer *w, const struct proto_msg *msg)
{
    struct buf text;
    buf_init(&text, w->b->max);
    int rc = proto_wkt_text(msg, &text, w->err);
    if (rc == 0 && text.failed) {
        rc = refuse_full(w);
    }
    json_quote(w->b, buf_str(&text)); /* a path may have any character */
    buf_done(&text);
    return rc;
}

static void write_type(struct writer *w, struct str type_url, size_t *n)
{
    next_member(w, (*n)++);
    buf_add_cstr(w->b, "\"@type\"");
    add_colon(w);
    json_quote(w->b, type_url);
}

static void write_value_name(struct writer *w, size_t *n)
{
    next_member(w, (*n)++);
    buf_add_cstr(w->b, "\"value\"");
    add_colon(w);
}

static int write_any(struct writer *w, const struct proto_msg *any)
{
    const struct proto_field_desc *value = proto_field_of(any, 2);
    struct str type_url = proto_str(any, 1), bytes = proto_get(any, value).bytes;
    struct proto_msg *inner = NULL;
    size_t n = 0;
    int rc = 0;
    if (type_url.len == 0 && bytes.len == 0) {
        buf_add_cstr(w->b, "{}");
        return 0;
    }
    if ((w->flags & PROTO_JSON_ANY_RAW) == 0 || proto_any_type(w->pool, type_url) != NULL) {
        rc = proto_any_unpack(any, w->pool, &inner, w->err);
        if (rc == ERR_NOT_FOUND) {
            w->err->code = ERR_INVALID;
            return ERR_INVALID;
        }
    }
    if (rc < 0) {
        return rc;
    }
    open_bracket(w, '{');
    write_type(w, type_url, &n);
    if (inner == NULL) {
        write_value_name(w, &n);
        write_scalar(w, value, (union proto_value){.bytes = bytes});
    } else if (inner->desc->wkt == PROTO_WKT_NONE || inner->desc->wkt == PROTO_WKT_EMPTY) {
        rc = write_fields(w, inner, &n);
    } else {
        write_value_name(w, &n);
        rc = write_message(w, inner);
    }
    close_bracket(w, '}', n);
    return rc;
}

static int write_form(struct writer *w, const struct proto_msg *msg)
{
    const struct proto_field_desc *first;
    switch (msg->desc->wkt) {
    case PROTO_WKT_NONE:
    case PROTO_WKT_EMPTY:
        return write_plain(w, msg);
    case PROTO_WKT_ANY:
        return write_any(w, msg);
    case PROTO_WKT_TIMESTAMP:
    case PROTO_WKT_DURATION:
    case PROTO_WKT_FIELD_MASK:
        return write_text(w, msg);
    case PROTO_WKT_VALUE:
        return write_any_value(w, msg);
    case PROTO_WKT_STRUCT:
        return write_map(w, msg, proto_field_of(msg, 1));
    case PROTO_WKT_LIST_VALUE:
        return write_list(w, msg, proto_field_of(msg, 1));
    case PROTO_WKT_WRAPPER:
        first = proto_field_of(msg, 1);
        return write_value(w, first, proto_get(msg, first));
    }
    BUG("an unknown form");
}

static int write_message(struct writer *w, const struct proto_msg *msg)
{
    if (w->depth == PROTO_DEPTH_MAX) {
        return err_set(w->err, ERR_INVALID, "more than %d messages in each other", PROTO_DEPTH_MAX);
    }
    w->depth++;
    int rc = write_form(w, msg);
    w->depth--;
    return rc;
}

int proto_json_write(const struct proto_msg *msg, unsigned flags, struct buf *b, struct err *err)
{
    struct err own;
    struct writer w = {
        .flags = flags, .pool = msg->desc->file->pool, .b = b, .err = err != NULL ? err : &own};
    int rc = write_message(&w, msg);
    return rc == 0 && b->failed ? refuse_full(&w) : rc;
}
