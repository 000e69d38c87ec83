/* Values and expectations as a report shows them: see value.h. */
#include "apitest/value_int.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "proto/scalar.h"
#include "proto/wire.h"
#include "proto/wkt.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SHOW_DEPTH_MAX = 128, SCALAR_MAX = 64 * 1024 * 1024 };

/* What is written into b and how much still may be. */
struct show {
    struct buf *b;
    size_t room;
    bool full; /* something did not fit: "..." is to follow */
};

struct str apitest_cut(struct str text, size_t max)
{
    size_t n = text.len < max ? text.len : max;
    while (n > 0 && n < text.len && ((unsigned char) text.ptr[n] & 0xc0) == 0x80) {
        n--;
    }
    return (struct str){text.ptr, n};
}

static void put(struct show *s, struct str text)
{
    if (s->full) {
        return;
    }
    struct str some = apitest_cut(text, s->room);
    buf_add_str(s->b, some);
    s->room -= some.len;
    s->full = some.len < text.len;
}

static void put_cstr(struct show *s, const char *text)
{
    put(s, str_of(text));
}

static bool is_word(struct str text)
{
    static const char *const words[] = {"null", "true", "false", "yes", "no",  "on",
                                        "off",  "y",    "n",     "nan", "inf", "absent"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (str_eq_nocase(text, str_of(words[i]))) {
            return true;
        }
    }
    return false;
}

/* Whether the text may stand without quotes and cannot be taken for something else. */
static bool is_plain(struct str text)
{
    static const char others[] = "_./@+-!%^*()=;<>? ";
    if (text.len == 0 || is_word(text) || text.ptr[text.len - 1] == ' ') {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '/';
        bool other = (c >= '0' && c <= '9') || (c != '\0' && strchr(others, c) != NULL);
        if (!letter && (i == 0 || !other)) {
            return false;
        }
    }
    return true;
}

static void put_text(struct show *s, struct str text)
{
    if (is_plain(text)) {
        put(s, text);
        return;
    }
    /* A little more than fits, so that the cut is seen. */
    struct str some = apitest_cut(text, s->room + 8);
    _cleanup_(buf_done) struct buf quoted;
    buf_init(&quoted, SCALAR_MAX);
    json_quote(&quoted, some);
    struct str shown = buf_str(&quoted);
    shown.len -= some.len < text.len && shown.len > 0 ? 1 : 0;
    put(s, shown);
    s->full = s->full || some.len < text.len;
}

static void put_double(struct show *s, const struct proto_field_desc *field,
                       union proto_value value)
{
    double d = field->type == PROTO_FLOAT ? (double) value.f32 : value.f64;
    char text[64];
    struct buf b;
    buf_init_fixed(&b, text, sizeof text);
    if (isnan(d)) {
        buf_add_cstr(&b, ".nan");
    } else if (isinf(d)) {
        buf_add_cstr(&b, d < 0 ? "-.inf" : ".inf");
    } else {
        proto_scalar_text(field, value, &b);
    }
    put(s, buf_str(&b));
}

static void put_scalar(struct show *s, const struct proto_field_desc *field,
                       union proto_value value)
{
    if (field->type == PROTO_STRING) {
        put_text(s, value.bytes);
        return;
    }
    if (field->type == PROTO_FLOAT || field->type == PROTO_DOUBLE) {
        put_double(s, field, value);
        return;
    }
    if (field->type == PROTO_BYTES) {
        value.bytes.len = value.bytes.len > s->room + 8 ? s->room + 8 : value.bytes.len;
    }
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, SCALAR_MAX);
    proto_scalar_text(field, value, &b);
    if (field->type == PROTO_BYTES && b.len == 0) {
        buf_add_cstr(&b, "\"\"");
    }
    put(s, buf_str(&b));
}

static void put_message(struct show *s, const struct proto_msg *msg, unsigned depth);

static void put_item(struct show *s, const struct proto_field_desc *field, union proto_value item,
                     unsigned depth)
{
    if (field->message != NULL) {
        put_message(s, item.msg, depth + 1);
    } else {
        put_scalar(s, field, item);
    }
}

static void put_map(struct show *s, const struct proto_field_desc *field,
                    const struct proto_list *list, unsigned depth)
{
    put_cstr(s, "{");
    for (size_t i = 0; list != NULL && i < list->len && !s->full; i++) {
        const struct proto_msg *entry = list->item[i].msg;
        const struct proto_field_desc *value = proto_map_value(field);
        put_cstr(s, i == 0 ? "" : ", ");
        put_scalar(s, proto_map_key(field), proto_get(entry, proto_map_key(field)));
        put_cstr(s, ": ");
        put_item(s, value, proto_get(entry, value), depth);
    }
    put_cstr(s, "}");
}

static void put_repeated(struct show *s, const struct proto_field_desc *field,
                         const struct proto_list *list, unsigned depth)
{
    if (field != NULL && field->is_map) {
        put_map(s, field, list, depth);
        return;
    }
    put_cstr(s, "[");
    for (size_t i = 0; list != NULL && i < list->len && !s->full; i++) {
        put_cstr(s, i == 0 ? "" : ", ");
        if (field == NULL) {
            put_message(s, list->item[i].msg, depth + 1);
        } else {
            put_item(s, field, list->item[i], depth);
        }
    }
    put_cstr(s, "]");
}

/* The set fields, and that there are unknown ones; up to the closing brace. */
static void put_fields(struct show *s, const struct proto_msg *msg, const char *separator,
                       unsigned depth)
{
    struct proto_iter it = {.msg = msg};
    while (!s->full && proto_next(&it)) {
        put_cstr(s, separator);
        separator = ", ";
        put_cstr(s, it.field->is_extension ? "\"[" : "");
        put(s, it.field->is_extension ? it.field->full_name : it.field->name);
        put_cstr(s, it.field->is_extension ? "]\": " : ": ");
        if (it.field->repeated) {
            put_repeated(s, it.field, it.value.list, depth);
        } else {
            put_item(s, it.field, it.value, depth);
        }
    }
    struct proto_unknown unknown = {.rest = msg->unknown};
    while (!s->full && proto_unknown_next(&unknown)) {
        char text[64];
        (void) snprintf(text, sizeof text, "%sunknown field %u", separator, unknown.number);
        separator = ", ";
        put_cstr(s, text);
    }
    put_cstr(s, "}");
}

struct str apitest_type_name(struct str type_url)
{
    for (size_t i = type_url.len; i > 0; i--) {
        if (type_url.ptr[i - 1] == '/') {
            return (struct str){type_url.ptr + i, type_url.len - i};
        }
    }
    return type_url;
}

static void put_any(struct show *s, const struct proto_msg *msg, unsigned depth)
{
    struct proto_msg *inner = NULL;
    struct err err = {0};
    struct str url = proto_str(msg, 1);
    if (url.len == 0 || proto_any_unpack(msg, msg->desc->file->pool, &inner, &err) < 0) {
        put_cstr(s, "{");
        put_fields(s, msg, "", depth);
        return;
    }
    put_cstr(s, "{\"@type\": ");
    put(s, apitest_type_name(url));
    if (inner->desc->wkt == PROTO_WKT_NONE || inner->desc->wkt == PROTO_WKT_EMPTY) {
        put_fields(s, inner, ", ", depth);
        return;
    }
    put_cstr(s, ", value: ");
    put_message(s, inner, depth + 1);
    put_cstr(s, "}");
}

static void put_json(struct show *s, const struct apitest_json *json)
{
    if (json->kind == APITEST_JSON_STRING) {
        put_text(s, json->text);
    } else if (json->kind == APITEST_JSON_LIST) {
        put_cstr(s, "[");
        for (size_t i = 0; i < json->len && !s->full; i++) {
            put_cstr(s, i == 0 ? "" : ", ");
            put_json(s, json->item[i]);
        }
        put_cstr(s, "]");
    } else if (json->kind == APITEST_JSON_OBJECT) {
        put_cstr(s, "{");
        for (size_t i = 0; i < json->len && !s->full; i++) {
            put_cstr(s, i == 0 ? "" : ", ");
            put_text(s, json->member[i].key);
            put_cstr(s, ": ");
            put_json(s, json->member[i].value);
        }
        put_cstr(s, "}");
    } else if (json->kind == APITEST_JSON_NUMBER) {
        put(s, json->text);
    } else {
        put_cstr(s, json->kind == APITEST_JSON_NULL ? "null" : json->boolean ? "true" : "false");
    }
}

static bool put_wkt(struct show *s, const struct proto_msg *msg, unsigned depth)
{
    enum proto_wkt wkt = msg->desc->wkt;
    if (wkt == PROTO_WKT_ANY) {
        put_any(s, msg, depth);
    } else if (wkt == PROTO_WKT_WRAPPER) {
        put_scalar(s, &msg->desc->field[0], proto_get(msg, &msg->desc->field[0]));
    } else if (wkt == PROTO_WKT_STRUCT || wkt == PROTO_WKT_VALUE || wkt == PROTO_WKT_LIST_VALUE) {
        const struct apitest_json *json = apitest_json_of_message(msg, msg->arena);
        if (json == NULL) {
            return false;
        }
        put_json(s, json);
    } else if (wkt == PROTO_WKT_TIMESTAMP || wkt == PROTO_WKT_DURATION ||
               wkt == PROTO_WKT_FIELD_MASK) {
        struct err err = {0};
        _cleanup_(buf_done) struct buf b;
        buf_init(&b, SCALAR_MAX);
        if (proto_wkt_text(msg, &b, &err) < 0) {
            return false;
        }
        if (wkt == PROTO_WKT_FIELD_MASK) {
            put_text(s, buf_str(&b));
        } else {
            put(s, buf_str(&b));
        }
    } else {
        return false;
    }
    return true;
}

static void put_message(struct show *s, const struct proto_msg *msg, unsigned depth)
{
    if (msg == NULL) {
        put_cstr(s, "{}");
    } else if (depth > SHOW_DEPTH_MAX) {
        s->full = true;
    } else if (!put_wkt(s, msg, depth)) {
        put_cstr(s, "{");
        put_fields(s, msg, "", depth);
    }
}

/* Microseconds as "950us", "12.5ms", "1.25s". */
static void put_span(struct show *s, int64_t us)
{
    uint64_t n = us < 0 ? (uint64_t) 0 - (uint64_t) us : (uint64_t) us;
    uint64_t unit = n >= 1000000 ? 1000000 : n >= 1000 ? 1000 : 1;
    char text[64];
    int len = unit == 1
                  ? snprintf(text, sizeof text, "%llu", (unsigned long long) n)
                  : snprintf(text, sizeof text, "%llu.%0*llu", (unsigned long long) (n / unit),
                             unit == 1000 ? 3 : 6, (unsigned long long) (n % unit));
    while (unit > 1 && len > 1 && text[len - 1] == '0') {
        text[--len] = '\0';
    }
    len -= unit > 1 && text[len - 1] == '.' ? 1 : 0;
    text[len] = '\0';
    put_cstr(s, us < 0 ? "-" : "");
    put_cstr(s, text);
    put_cstr(s, unit == 1000000 ? "s" : unit == 1000 ? "ms" : "us");
}

static void put_set(struct show *s, const struct apitest_value *value)
{
    put_cstr(s, value->items == 1 ? "" : "[");
    for (size_t i = 0; i < value->items && !s->full; i++) {
        put_cstr(s, i == 0 ? "" : ", ");
        put_text(s, value->item[i]);
    }
    put_cstr(s, value->items == 1 ? "" : "]");
}

static void put_value(struct show *s, const struct apitest_value *value)
{
    char text[32];
    switch (value->kind) {
    case APITEST_ABSENT:
        put_cstr(s, "absent");
        break;
    case APITEST_MESSAGE:
        put_message(s, value->proto.msg, 0);
        break;
    case APITEST_FIELD:
        put_scalar(s, value->field, value->proto);
        break;
    case APITEST_REPEATED:
        put_repeated(s, value->field, value->proto.list, 0);
        break;
    case APITEST_JSON:
        put_json(s, value->json);
        break;
    case APITEST_TEXT:
        put_text(s, value->text);
        break;
    case APITEST_NUMBER:
        (void) snprintf(text, sizeof text, "%lld", (long long) value->number);
        put_cstr(s, text);
        break;
    case APITEST_BOOL:
        put_cstr(s, value->boolean ? "true" : "false");
        break;
    case APITEST_MS:
        put_span(s, value->number);
        break;
    case APITEST_SET:
        put_set(s, value);
        break;
    }
}

void apitest_value_show(const struct apitest_value *value, size_t max, struct buf *b)
{
    struct show s = {.b = b, .room = max};
    put_value(&s, value);
    if (s.full) {
        buf_add_cstr(b, "...");
    }
}

void apitest_value_show_safe(const struct apitest_secrets *secrets,
                             const struct apitest_value *value, size_t max, struct buf *b)
{
    size_t longest = apitest_secrets_longest(secrets);
    struct buf all;
    buf_init(&all, SCALAR_MAX);
    struct show s = {.b = &all, .room = max + longest};
    put_value(&s, value);
    apitest_redact_cut(secrets, buf_str(&all), !s.full, max, b);
    buf_done(&all);
}

void apitest_text_show(struct str text, size_t max, struct buf *b)
{
    struct show s = {.b = b, .room = max};
    put_text(&s, text);
    if (s.full) {
        buf_add_cstr(b, "...");
    }
}

static void put_node(struct show *s, const struct conf_node *node)
{
    if (node->kind == CONF_SCALAR && node->style == CONF_PLAIN) {
        put(s, node->text.len == 0 ? STR("null") : node->text);
    } else if (node->kind == CONF_SCALAR) {
        /* Quotes that change nothing are left out; those that make text of a number stay. */
        put_text(s, node->text);
    } else if (node->kind == CONF_LIST) {
        put_cstr(s, "[");
        for (size_t i = 0; i < node->len && !s->full; i++) {
            put_cstr(s, i == 0 ? "" : ", ");
            put_node(s, node->item[i]);
        }
        put_cstr(s, "]");
    } else {
        put_cstr(s, "{");
        for (size_t i = 0; i < node->len && !s->full; i++) {
            put_cstr(s, i == 0 ? "" : ", ");
            put_node(s, node->entry[i].key);
            put_cstr(s, ": ");
            put_node(s, node->entry[i].value);
        }
        put_cstr(s, "}");
    }
}

void apitest_node_show(const struct conf_node *node, size_t max, struct buf *b)
{
    struct show s = {.b = b, .room = max};
    put_node(&s, node);
    if (s.full) {
        buf_add_cstr(b, "...");
    }
}
