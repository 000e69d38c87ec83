/*
 * The JSON form of messages: the reader.  See json.h.
 *
 * The text is pulled token by token and goes straight into the message.  The depth of recursion is
 * that of the text, which the reader of JSON bounds, and that of messages, as the binary form of a
 * deeper one could not be read.
 */
#include "base/cleanup.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "proto/json_int.h"
#include "proto/pool.h"
#include "proto/scalar.h"
#include "proto/text_int.h"
#include "proto/wire.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- Errors. ---- */

/* The place of the present token.  The text has no name; the caller may set a better one. */
static void set_pos(struct proto_json *j)
{
    j->err->pos.file = "json";
    json_reader_pos(&j->r, &j->err->pos.line, &j->err->pos.col);
}

int proto_json_refuse(struct proto_json *j, enum err_code code, const char *fmt, ...)
{
    char message[sizeof j->err->msg];
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    int rc = err_set(j->err, code, "%s", message);
    set_pos(j);
    return rc;
}

int proto_json_refuse_text(struct proto_json *j)
{
    return proto_json_refuse(j, ERR_INVALID, "%s",
                             j->r.error != NULL ? j->r.error : "the text ends too early");
}

int proto_json_refuse_full(struct proto_json *j)
{
    return proto_json_refuse(j, ERR_FULL, "the message is larger than there is memory for");
}

const char *proto_json_token_name(enum json_token token)
{
    switch (token) {
    case JSON_OBJ_BEGIN:
        return "an object";
    case JSON_ARR_BEGIN:
        return "a list";
    case JSON_KEY:
    case JSON_STRING:
        return "a string";
    case JSON_NUMBER:
        return "a number";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    case JSON_NULL:
        return "null";
    case JSON_ERROR:
    case JSON_END:
    case JSON_OBJ_END:
    case JSON_ARR_END:
        break;
    }
    return "the end";
}

/* ---- Scalars. ---- */

int proto_json_text(struct proto_json *j, struct str *ret)
{
    struct str raw = j->r.value;
    if (!j->r.escaped) {
        char *copy = arena_strdup(j->arena, raw);
        *ret = (struct str){copy, raw.len};
        return copy == NULL ? proto_json_refuse_full(j) : 0;
    }
    char *out = raw.len < j->arena->max_bytes ? arena_alloc(j->arena, raw.len + 1) : NULL;
    if (out == NULL) {
        return proto_json_refuse_full(j);
    }
    if (json_unescape_nul(raw, out, raw.len + 1, ret) < 0) {
        return proto_json_refuse(j, ERR_INVALID,
                                 "half of a surrogate pair: \\ud800 to \\udbff and \\udc00 to "
                                 "\\udfff stand for a character together only");
    }
    return 0;
}

int proto_json_scalar(struct proto_json *j, enum json_token token,
                      const struct proto_field_desc *type, const struct proto_field_desc *field,
                      union proto_value *ret)
{
    struct str text = j->r.value;
    if (token == JSON_ERROR) {
        return proto_json_refuse_text(j);
    }
    if (token == JSON_OBJ_BEGIN || token == JSON_ARR_BEGIN) {
        char name[256];
        return proto_json_refuse(j, ERR_INVALID, STR_FMT ": %s where a value of type %s belongs",
                                 STR_ARG(field->full_name), proto_json_token_name(token),
                                 proto_field_type_text(type, name, sizeof name));
    }
    if (token == JSON_STRING || token == JSON_KEY) {
        int rc = proto_json_text(j, &text);
        if (rc < 0) {
            return rc;
        }
    }
    /* A key is a string always; for a bool there is no other way to write it. */
    bool quoted = token == JSON_STRING || (token == JSON_KEY && type->type != PROTO_BOOL);
    enum proto_notation notation = quoted ? PROTO_JSON_STRING : PROTO_JSON_BARE;
    int rc = proto_scalar_read(type, text, notation, j->arena, ret, j->err);
    if (rc < 0) {
        (void) err_wrap(j->err, STR_FMT, STR_ARG(field->full_name));
        set_pos(j);
    }
    return rc;
}

/* With PROTO_JSON_IGNORE_UNKNOWN the name of an enum's value that is not known is passed over. */
static bool is_ignored_enum(const struct proto_json *j, enum json_token token,
                            const struct proto_field_desc *type)
{
    char text[256];
    struct str name = j->r.value;
    if ((j->flags & PROTO_JSON_IGNORE_UNKNOWN) == 0 || type->type != PROTO_ENUM ||
        token != JSON_STRING) {
        return false;
    }
    if (j->r.escaped) {
        int rc = json_unescape_nul(j->r.value, text, sizeof text, &name);
        if (rc < 0) {
            return rc == ERR_FULL; /* longer than any name; or malformed, to be told */
        }
    }
    return proto_enum_by_name(type->enumeration, name) == NULL;
}

/* ---- Fields. ---- */

static bool is_message(const struct proto_field_desc *field)
{
    return field->type == PROTO_MESSAGE || field->type == PROTO_GROUP;
}

/* Whether null is a value of the field and not the lack of one. */
static bool takes_null(const struct proto_field_desc *field)
{
    return (is_message(field) && field->message->wkt == PROTO_WKT_VALUE) ||
           (field->type == PROTO_ENUM && field->enumeration->is_null_value);
}

static int refuse_null(struct proto_json *j, const struct proto_field_desc *field, const char *what)
{
    return proto_json_refuse(j, ERR_INVALID, STR_FMT ": null is no %s", STR_ARG(field->full_name),
                             what);
}

static int read_item(struct proto_json *j, enum json_token token, struct proto_msg *msg,
                     const struct proto_field_desc *field)
{
    union proto_value value;
    if (token == JSON_NULL && !takes_null(field)) {
        return refuse_null(j, field, "item of a list: leave it out");
    }
    if (is_message(field)) {
        struct proto_msg *item = proto_add_message(msg, field);
        return item == NULL ? proto_json_refuse_full(j) : proto_json_message(j, token, item);
    }
    if (is_ignored_enum(j, token, field)) {
        return 0;
    }
    int rc = proto_json_scalar(j, token, field, field, &value);
    if (rc == 0 && !proto_add(msg, field, value)) {
        return proto_json_refuse_full(j);
    }
    return rc;
}

static int read_list(struct proto_json *j, enum json_token token, struct proto_msg *msg,
                     const struct proto_field_desc *field)
{
    if (token == JSON_ERROR) {
        return proto_json_refuse_text(j);
    }
    if (token != JSON_ARR_BEGIN) {
        return proto_json_refuse(j, ERR_INVALID,
                                 STR_FMT ": %s where a list belongs: write it in [ ]",
                                 STR_ARG(field->full_name), proto_json_token_name(token));
    }
    for (;;) {
        token = json_next(&j->r);
        if (token == JSON_ARR_END) {
            return 0;
        }
        int rc = token == JSON_ERROR ? proto_json_refuse_text(j) : read_item(j, token, msg, field);
        if (rc < 0) {
            return rc;
        }
    }
}

/* ---- Maps. ---- */

/* A key as bytes that are the same for the same key, however it was written; number: their room. */
static struct str key_bytes(const struct proto_field_desc *key, union proto_value value,
                            uint64_t *number)
{
    switch (key->type) {
    case PROTO_STRING:
        return value.bytes;
    case PROTO_BOOL:
        *number = value.boolean;
        break;
    case PROTO_INT32:
    case PROTO_SINT32:
    case PROTO_SFIXED32:
    case PROTO_UINT32:
    case PROTO_FIXED32:
        *number = value.u32;
        break;
    case PROTO_INT64:
    case PROTO_SINT64:
    case PROTO_SFIXED64:
    case PROTO_UINT64:
    case PROTO_FIXED64:
        *number = value.u64;
        break;
    case PROTO_DOUBLE:
    case PROTO_FLOAT:
    case PROTO_BYTES:
    case PROTO_ENUM:
    case PROTO_GROUP:
    case PROTO_MESSAGE:
        BUG("no type of a map's key");
    }
    return (struct str){(const char *) number, sizeof *number};
}

/* Keys of one map: of the text so far, and of the entries that were there before it. */
struct keys {
    struct map seen, old;
};

static void keys_done(struct keys *keys)
{
    map_done(&keys->seen);
    map_done(&keys->old);
}

static void keys_init(struct keys *keys, const struct proto_msg *msg,
                      const struct proto_field_desc *field)
{
    const struct proto_field_desc *key_field = proto_map_key(field);
    map_init(&keys->seen);
    map_init(&keys->old);
    for (size_t i = 0; i < proto_len(msg, field); i++) {
        struct proto_msg *entry = proto_item(msg, field, i).msg;
        uint64_t number;
        struct str bytes = key_bytes(key_field, proto_get(entry, key_field), &number);
        (void) map_put(&keys->old, bytes, entry);
    }
}

/* One entry; the key is the present token. */
static int read_entry(struct proto_json *j, struct proto_msg *msg,
                      const struct proto_field_desc *field, struct keys *keys)
{
    const struct proto_field_desc *key_field = proto_map_key(field);
    const struct proto_field_desc *value_field = proto_map_value(field);
    union proto_value key = {.u64 = 0}, value;
    struct proto_msg *entry;
    char quoted[256];
    uint64_t number;
    int rc = proto_json_scalar(j, JSON_KEY, key_field, field, &key);
    if (rc < 0) {
        return rc;
    }
    struct str bytes = key_bytes(key_field, key, &number);
    if (map_put(&keys->seen, bytes, keys) != NULL) {
        return proto_json_refuse(j, ERR_INVALID, STR_FMT ": the key %s is there twice",
                                 STR_ARG(field->full_name), proto_quoted(j->r.value, quoted));
    }
    enum json_token token = json_next(&j->r);
    if (token == JSON_NULL && !takes_null(value_field)) {
        return refuse_null(j, field, "value of a map: leave the key out");
    }
    if (is_ignored_enum(j, token, value_field)) {
        return 0;
    }
    entry = map_get(&keys->old, bytes);
    if (entry == NULL) {
        entry = proto_add_message(msg, field);
    }
    if (entry == NULL || !proto_set(entry, key_field, key)) {
        return proto_json_refuse_full(j);
    }
    if (is_message(value_field)) {
        proto_clear(entry, value_field);
        struct proto_msg *inner = proto_mutable(entry, value_field);
        return inner == NULL ? proto_json_refuse_full(j) : proto_json_message(j, token, inner);
    }
    rc = proto_json_scalar(j, token, value_field, field, &value);
    return rc == 0 && !proto_set(entry, value_field, value) ? proto_json_refuse_full(j) : rc;
}

int proto_json_entries(struct proto_json *j, struct proto_msg *msg,
                       const struct proto_field_desc *field)
{
    _cleanup_(keys_done) struct keys keys;
    keys_init(&keys, msg, field);
    for (;;) {
        enum json_token token = json_next(&j->r);
        if (token == JSON_OBJ_END) {
            return 0;
        }
        int rc = token == JSON_ERROR ? proto_json_refuse_text(j) : read_entry(j, msg, field, &keys);
        if (rc < 0) {
            return rc;
        }
    }
}

static int read_map(struct proto_json *j, enum json_token token, struct proto_msg *msg,
                    const struct proto_field_desc *field)
{
    if (token == JSON_ERROR) {
        return proto_json_refuse_text(j);
    }
    if (token != JSON_OBJ_BEGIN) {
        return proto_json_refuse(j, ERR_INVALID,
                                 STR_FMT ": %s where a map belongs: write it in { }",
                                 STR_ARG(field->full_name), proto_json_token_name(token));
    }
    if (j->depth == PROTO_DEPTH_MAX) {
        return proto_json_refuse(j, ERR_INVALID, "more than %d messages in each other",
                                 PROTO_DEPTH_MAX);
    }
    j->depth++;
    int rc = proto_json_entries(j, msg, field);
    j->depth--;
    return rc;
}

/* ---- Members of an object. ---- */

struct seen_extension {
    const struct proto_field_desc *field;
};

/* What an object had already, by which the same field twice is found. */
struct seen {
    uint8_t *field;                        /* by index */
    const struct proto_field_desc **oneof; /* by index: the member that was there */
    VEC(struct seen_extension) extension;
    bool type; /* "@type" */
};

static void seen_done(struct seen *seen)
{
    vec_done(&seen->extension);
}

static int seen_init(struct proto_json *j, const struct proto_message_desc *desc,
                     struct seen *ret_seen)
{
    struct seen seen = {
        .field = arena_alloc(j->arena, desc->fields),
        .oneof = arena_alloc(j->arena, desc->oneofs * sizeof(const struct proto_field_desc *)),
    };
    if (seen.field == NULL || seen.oneof == NULL) {
        return proto_json_refuse_full(j);
    }
    *ret_seen = seen;
    return 0;
}

static int see(struct proto_json *j, struct seen *seen, const struct proto_field_desc *field)
{
    if (!field->is_extension) {
        if (seen->field[field->index]++ == 0) {
            return 0;
        }
        return proto_json_refuse(
            j, ERR_INVALID, STR_FMT " is there twice (\"" STR_FMT "\" and \"" STR_FMT "\" are one)",
            STR_ARG(field->full_name), STR_ARG(field->name), STR_ARG(field->json_name));
    }
    for (size_t i = 0; i < seen->extension.len; i++) {
        if (seen->extension.ptr[i].field == field) {
            return proto_json_refuse(j, ERR_INVALID, "[" STR_FMT "] is there twice",
                                     STR_ARG(field->full_name));
        }
    }
    vec_push(&seen->extension, ((struct seen_extension){field}));
    return 0;
}

/* That of a oneof only one member is there. */
static int see_oneof(struct proto_json *j, struct seen *seen, const struct proto_field_desc *field)
{
    if (field->oneof == NULL) {
        return 0;
    }
    const struct proto_field_desc **who = &seen->oneof[field->oneof - field->parent->oneof];
    if (*who != NULL) {
        return proto_json_refuse(j, ERR_INVALID,
                                 STR_FMT ": \"" STR_FMT "\" is there already, and oneof " STR_FMT
                                         " can have one of them only",
                                 STR_ARG(field->full_name), STR_ARG((*who)->json_name),
                                 STR_ARG(field->oneof->name));
    }
    *who = field;
    return 0;
}

static bool is_extension_name(struct str name)
{
    return name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']';
}

/* Of the message itself, or an extension in brackets. */
static const struct proto_field_desc *
find_field(const struct proto_json *j, const struct proto_message_desc *desc, struct str name)
{
    const struct proto_field_desc *field = proto_field_by_any_name(desc, name);
    if (field == NULL && is_extension_name(name)) {
        field = proto_pool_extension(j->pool, (struct str){name.ptr + 1, name.len - 2});
        field = field != NULL && field->parent == desc ? field : NULL;
    }
    return field;
}

static int pass(struct proto_json *j)
{
    return json_skip(&j->r) < 0 ? proto_json_refuse_text(j) : 0;
}

static int refuse_name(struct proto_json *j, const struct proto_message_desc *desc, struct str name)
{
    char quoted[256], why[400];
    struct proto_names names;
    struct buf b;
    if (is_extension_name(name)) {
        return proto_json_refuse(j, ERR_INVALID, "no extension %s of " STR_FMT,
                                 proto_quoted(name, quoted), STR_ARG(desc->full_name));
    }
    names.len = 0;
    for (size_t i = 0; i < desc->fields; i++) {
        proto_names_add(&names, desc->field[i].json_name);
        if (!str_eq(desc->field[i].name, desc->field[i].json_name)) {
            proto_names_add(&names, desc->field[i].name);
        }
    }
    buf_init_fixed(&b, why, sizeof why);
    proto_names_suggest(&names, name, &b);
    return proto_json_refuse(j, ERR_INVALID, "no field %s in " STR_FMT "%s",
                             proto_quoted(name, quoted), STR_ARG(desc->full_name), why);
}

static int read_value(struct proto_json *j, enum json_token token, struct proto_msg *msg,
                      const struct proto_field_desc *field)
{
    union proto_value value;
    if (field->is_map) {
        return read_map(j, token, msg, field);
    }
    if (field->repeated) {
        return read_list(j, token, msg, field);
    }
    if (is_message(field)) {
        struct proto_msg *inner = proto_mutable(msg, field);
        return inner == NULL ? proto_json_refuse_full(j) : proto_json_message(j, token, inner);
    }
    if (is_ignored_enum(j, token, field)) {
        return 0;
    }
    int rc = proto_json_scalar(j, token, field, field, &value);
    return rc == 0 && !proto_set(msg, field, value) ? proto_json_refuse_full(j) : rc;
}

/* The key is the present token. */
static int read_member(struct proto_json *j, struct proto_msg *msg, struct seen *seen,
                       struct str skip)
{
    struct str name = j->r.value;
    int rc = j->r.escaped ? proto_json_text(j, &name) : 0;
    if (rc < 0) {
        return rc;
    }
    if (skip.len > 0 && str_eq(name, skip)) {
        if (seen->type) {
            return proto_json_refuse(j, ERR_INVALID, "\"@type\" is there twice");
        }
        seen->type = true;
        return pass(j);
    }
    const struct proto_field_desc *field = find_field(j, msg->desc, name);
    if (field == NULL) {
        return (j->flags & PROTO_JSON_IGNORE_UNKNOWN) != 0 ? pass(j)
                                                           : refuse_name(j, msg->desc, name);
    }
    rc = see(j, seen, field);
    if (rc < 0) {
        return rc;
    }
    enum json_token token = json_next(&j->r);
    if (token == JSON_NULL && (field->repeated || !takes_null(field))) {
        proto_clear(msg, field);
        return 0;
    }
    rc = see_oneof(j, seen, field);
    return rc < 0 ? rc : read_value(j, token, msg, field);
}

int proto_json_members(struct proto_json *j, struct proto_msg *msg, struct str skip)
{
    _cleanup_(seen_done) struct seen seen = {0};
    int rc = seen_init(j, msg->desc, &seen);
    while (rc == 0) {
        enum json_token token = json_next(&j->r);
        if (token == JSON_OBJ_END) {
            return 0;
        }
        rc = token == JSON_ERROR ? proto_json_refuse_text(j) : read_member(j, msg, &seen, skip);
    }
    return rc;
}

/* ---- Messages. ---- */

static int read_plain(struct proto_json *j, enum json_token token, struct proto_msg *msg)
{
    if (token != JSON_OBJ_BEGIN) {
        return proto_json_refuse(j, ERR_INVALID,
                                 "%s where a message " STR_FMT " belongs: write it in { }",
                                 proto_json_token_name(token), STR_ARG(msg->desc->full_name));
    }
    return proto_json_members(j, msg, STR(""));
}

int proto_json_message(struct proto_json *j, enum json_token token, struct proto_msg *msg)
{
    if (token == JSON_ERROR) {
        return proto_json_refuse_text(j);
    }
    if (j->depth == PROTO_DEPTH_MAX) {
        return proto_json_refuse(j, ERR_INVALID, "more than %d messages in each other",
                                 PROTO_DEPTH_MAX);
    }
    j->depth++;
    int rc = msg->desc->wkt == PROTO_WKT_NONE || msg->desc->wkt == PROTO_WKT_EMPTY
                 ? read_plain(j, token, msg)
                 : proto_json_wkt(j, token, msg);
    j->depth--;
    return rc;
}

int proto_json_read(struct str text, struct proto_msg *msg, unsigned flags, struct err *err)
{
    struct err own;
    struct proto_json j = {.flags = flags,
                           .arena = msg->arena,
                           .pool = msg->desc->file->pool,
                           .err = err != NULL ? err : &own};
    json_reader_init_deep(&j.r, text, JSON_READER_DEPTH_MAX);
    int rc = proto_json_message(&j, json_next(&j.r), msg);
    if (rc == 0 && json_next(&j.r) != JSON_END) {
        rc = proto_json_refuse_text(&j);
    }
    return rc;
}
