/* Views of values, and their texts: see value.h. */
#include "apitest/value_int.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "proto/json.h"
#include "proto/scalar.h"
#include "proto/wkt.h"

#include <math.h>

enum { TEXT_MAX = 64 * 1024 * 1024 };

struct apitest_value apitest_value_of_message(const struct proto_msg *msg)
{
    /* A view does not change what it looks at; the union has no const member. */
    union proto_value value = {.msg = (struct proto_msg *) (uintptr_t) msg};
    return (struct apitest_value){.kind = msg == NULL ? APITEST_ABSENT : APITEST_MESSAGE,
                                  .proto = value};
}

struct apitest_value apitest_value_of_json(const struct apitest_json *json)
{
    return (struct apitest_value){.kind = json == NULL ? APITEST_ABSENT : APITEST_JSON,
                                  .json = json};
}

struct apitest_value apitest_value_of_text(struct str text)
{
    return (struct apitest_value){.kind = APITEST_TEXT, .text = text};
}

struct apitest_value apitest_value_of_item(const struct proto_field_desc *field,
                                           union proto_value item)
{
    struct apitest_value value = {.kind = APITEST_FIELD, .field = field, .proto = item};
    if (field->message != NULL) {
        value.kind = item.msg == NULL ? APITEST_ABSENT : APITEST_MESSAGE;
    }
    return value;
}

struct apitest_value apitest_value_of(const struct proto_msg *msg,
                                      const struct proto_field_desc *field)
{
    struct apitest_value value = {.kind = APITEST_ABSENT, .field = field};
    if (field->repeated) {
        value.kind = APITEST_REPEATED;
        value.proto = proto_get(msg, field);
    } else if (!field->has_presence || proto_has(msg, field)) {
        value = apitest_value_of_item(field, proto_get(msg, field));
    }
    return value;
}

void apitest_key_text(const struct proto_field_desc *map, const struct proto_msg *entry,
                      struct buf *b)
{
    proto_scalar_text(proto_map_key(map), proto_get(entry, proto_map_key(map)), b);
}

static void json_scalar(const struct proto_field_desc *field, union proto_value value,
                        struct buf *b)
{
    bool number = field->type == PROTO_INT32 || field->type == PROTO_UINT32 ||
                  field->type == PROTO_SINT32 || field->type == PROTO_FIXED32 ||
                  field->type == PROTO_SFIXED32 || field->type == PROTO_BOOL ||
                  (field->type == PROTO_FLOAT && isfinite(value.f32)) ||
                  (field->type == PROTO_DOUBLE && isfinite(value.f64));
    if (number) {
        proto_scalar_text(field, value, b);
        return;
    }
    _cleanup_(buf_done) struct buf text;
    buf_init(&text, TEXT_MAX);
    proto_scalar_text(field, value, &text);
    json_quote(b, buf_str(&text));
}

static int json_item(const struct proto_field_desc *field, union proto_value item, struct buf *b,
                     struct err *err)
{
    if (field->message != NULL) {
        return proto_json_write(item.msg, PROTO_JSON_PROTO_NAMES | PROTO_JSON_ANY_RAW, b, err);
    }
    json_scalar(field, item, b);
    return 0;
}

static int json_repeated(const struct proto_field_desc *field, const struct proto_list *list,
                         struct buf *b, struct err *err)
{
    int r = 0;
    buf_add_char(b, field->is_map ? '{' : '[');
    for (size_t i = 0; list != NULL && i < list->len && r == 0; i++) {
        buf_add_cstr(b, i == 0 ? "" : ",");
        if (field->is_map) {
            const struct proto_field_desc *value = proto_map_value(field);
            _cleanup_(buf_done) struct buf key;
            buf_init(&key, TEXT_MAX);
            apitest_key_text(field, list->item[i].msg, &key);
            json_quote(b, buf_str(&key));
            buf_add_char(b, ':');
            r = json_item(value, proto_get(list->item[i].msg, value), b, err);
        } else {
            r = json_item(field, list->item[i], b, err);
        }
    }
    buf_add_char(b, field->is_map ? '}' : ']');
    return r;
}

static int message_text(const struct proto_msg *msg, struct buf *b, struct err *err)
{
    enum proto_wkt wkt = msg->desc->wkt;
    if (wkt == PROTO_WKT_TIMESTAMP || wkt == PROTO_WKT_DURATION || wkt == PROTO_WKT_FIELD_MASK) {
        return proto_wkt_text(msg, b, err);
    }
    if (wkt == PROTO_WKT_WRAPPER) {
        proto_scalar_text(&msg->desc->field[0], proto_get(msg, &msg->desc->field[0]), b);
        return 0;
    }
    if (wkt == PROTO_WKT_VALUE) {
        const struct apitest_json *json = apitest_json_of_message(msg, msg->arena);
        if (json != NULL) {
            struct apitest_value value = apitest_value_of_json(json);
            return apitest_value_text(&value, b, err);
        }
    }
    return proto_json_write(msg, PROTO_JSON_PROTO_NAMES | PROTO_JSON_ANY_RAW, b, err);
}

static void set_text(const struct apitest_value *value, struct buf *b)
{
    for (size_t i = 0; i < value->items; i++) {
        buf_add_cstr(b, i == 0 ? "" : ", ");
        buf_add_str(b, value->item[i]);
    }
}

int apitest_value_text(const struct apitest_value *value, struct buf *b, struct err *err)
{
    int r = 0;
    switch (value->kind) {
    case APITEST_ABSENT:
        return err_set(err, ERR_NOT_FOUND, "it is not set");
    case APITEST_MESSAGE:
        r = message_text(value->proto.msg, b, err);
        break;
    case APITEST_FIELD:
        proto_scalar_text(value->field, value->proto, b);
        break;
    case APITEST_REPEATED:
        if (value->field == NULL) {
            return err_set(err, ERR_INVALID, "a list of messages: say which, as in [0]");
        }
        r = json_repeated(value->field, value->proto.list, b, err);
        break;
    case APITEST_JSON:
        if (value->json->kind == APITEST_JSON_STRING) {
            buf_add_str(b, value->json->text);
        } else {
            apitest_json_write(value->json, b);
        }
        break;
    case APITEST_TEXT:
        buf_add_str(b, value->text);
        break;
    case APITEST_NUMBER:
        buf_add_i64(b, value->number);
        break;
    case APITEST_BOOL:
        buf_add_cstr(b, value->boolean ? "true" : "false");
        break;
    case APITEST_MS:
        apitest_value_show(value, TEXT_MAX, b);
        break;
    case APITEST_SET:
        set_text(value, b);
        break;
    }
    if (r == 0 && b->failed) {
        return err_set(err, ERR_FULL, "the value is longer than %zu bytes", b->max);
    }
    return r;
}

bool apitest_list_of(const struct apitest_value *v, size_t *ret_len)
{
    if (v->kind == APITEST_REPEATED) {
        *ret_len = v->proto.list == NULL ? 0 : v->proto.list->len;
    } else if (v->kind == APITEST_SET) {
        *ret_len = v->items;
    } else if (v->kind == APITEST_TEXT) {
        *ret_len = 1;
    } else if (v->kind == APITEST_JSON && v->json->kind == APITEST_JSON_LIST) {
        *ret_len = v->json->len;
    } else {
        return false;
    }
    return true;
}

struct apitest_value apitest_list_item(const struct apitest_value *v, size_t i)
{
    if (v->kind == APITEST_SET) {
        return apitest_value_of_text(v->item[i]);
    }
    if (v->kind == APITEST_JSON) {
        return apitest_value_of_json(v->json->item[i]);
    }
    if (v->kind == APITEST_TEXT) {
        return *v;
    }
    if (v->field == NULL) {
        return apitest_value_of_message(v->proto.list->item[i].msg);
    }
    if (v->field->is_map) {
        const struct proto_field_desc *value = proto_map_value(v->field);
        return apitest_value_of_item(value, proto_get(v->proto.list->item[i].msg, value));
    }
    return apitest_value_of_item(v->field, v->proto.list->item[i]);
}
