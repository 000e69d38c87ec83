/* Messages from YAML: fields, lists, maps, well-known types.  Scalars and operators are beside. */
#include "apitest/build_int.h"
#include "apitest/pattern_int.h"
#include "apitest/suggest_int.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/map.h"
#include "proto/json.h"
#include "proto/scalar.h"
#include "proto/wkt.h"

int apitest_build_full(struct builder *b, const struct conf_node *node)
{
    return conf_error(b->diags, node, "the message is too large");
}

/* Errors go on to the next value, so that all are told. */
static int worse(int a, int b)
{
    return a < 0 ? a : b < 0 ? b : a > b ? a : b;
}

static bool takes_null(const struct proto_field_desc *field)
{
    return (field->message != NULL && field->message->wkt == PROTO_WKT_VALUE) ||
           (field->type == PROTO_ENUM && field->enumeration->is_null_value);
}

/* One singular value: of a field, an element, a map's value. */
static int build_value(struct builder *b, const struct conf_node *node,
                       const struct proto_field_desc *field, union proto_value *ret)
{
    if (field->message != NULL) {
        ret->msg = proto_msg_new(b->arena, field->message);
        if (ret->msg == NULL) {
            return apitest_build_full(b, node);
        }
        return apitest_build_message(b, node, ret->msg);
    }
    if (conf_is_null(node) && takes_null(field)) {
        ret->i32 = 0;
        return 0;
    }
    return apitest_build_scalar(b, node, field, ret);
}

static int build_element(struct builder *b, const struct conf_node *node,
                         const struct proto_field_desc *field, const char *what,
                         union proto_value *ret)
{
    if (conf_is_null(node) && !takes_null(field) &&
        !(field->type == PROTO_STRING && node->text.len == 0 && node->style != CONF_PLAIN)) {
        return conf_error(b->diags, node, "null as %s: leave it out, or write a value", what);
    }
    return build_value(b, node, field, ret);
}

/* A variable that holds a whole list or map, as JSON: {"field": TEXT} is read into the message. */
static int build_repeated_text(struct builder *b, const struct conf_node *node,
                               const struct proto_field_desc *field, struct proto_msg *msg)
{
    char seen[64], type[128];
    struct apitest_text text = {.known = false};
    struct err err = {0};
    int r = apitest_build_text(b, node, &text);
    if (r != 0) {
        return r;
    }
    if (!text.whole) {
        return conf_error(b->diags, node, "field " STR_FMT ": %s instead of %s (%s)",
                          STR_ARG(field->name), conf_describe(node, seen),
                          field->is_map ? "a map" : "a list",
                          proto_field_type_text(field, type, sizeof type));
    }
    _cleanup_(buf_done) struct buf json;
    buf_init(&json, BUILD_BYTES_MAX);
    buf_add_char(&json, '{');
    json_quote(&json, field->json_name);
    buf_add_char(&json, ':');
    buf_add_str(&json, text.text);
    buf_add_char(&json, '}');
    char *copy = json.failed ? NULL : arena_strdup(b->arena, buf_str(&json));
    if (copy == NULL) {
        return apitest_build_full(b, node);
    }
    r = proto_json_read((struct str){copy, json.len}, msg, 0, &err);
    return r < 0 ? conf_error(b->diags, node, "%s", err.msg) : 0;
}

static int build_list(struct builder *b, const struct conf_node *node,
                      const struct proto_field_desc *field, struct proto_msg *msg)
{
    int r = 0;
    if (node->kind == CONF_SCALAR) {
        return build_repeated_text(b, node, field, msg);
    }
    if (node->kind != CONF_LIST) {
        char type[128];
        return conf_error(b->diags, node, "field " STR_FMT ": a map instead of a list (%s)",
                          STR_ARG(field->name), proto_field_type_text(field, type, sizeof type));
    }
    for (size_t i = 0; i < node->len; i++) {
        union proto_value item = {.msg = NULL};
        int one = build_element(b, node->item[i], field, "an element of a list", &item);
        if (one == 0 && !proto_add(msg, field, item)) {
            return apitest_build_full(b, node);
        }
        r = worse(r, one);
    }
    return r;
}

/* Keys that are written differently may be the same key: 1 and 0x1. */
static int build_key(struct builder *b, const struct conf_node *node,
                     const struct proto_field_desc *key, struct map *seen, union proto_value *ret)
{
    struct apitest_text text = {.known = false};
    struct err err = {0};
    int r = apitest_build_text(b, node, &text);
    if (r != 0) {
        return r;
    }
    if (proto_scalar_read(key, text.text, PROTO_TEXT, b->arena, ret, &err) < 0) {
        apitest_hide_value(b->scope, &text, &err);
        return conf_error(b->diags, node, "a key of the map: %s", err.msg);
    }
    _cleanup_(buf_done) struct buf name;
    buf_init(&name, BUILD_BYTES_MAX);
    proto_scalar_text(key, *ret, &name);
    if (map_put(seen, buf_str(&name), b) != NULL) {
        return conf_error(b->diags, node, "the key " STR_FMT " is in the map twice",
                          STR_ARG(apitest_cut(buf_str(&name), 64)));
    }
    return 0;
}

static int build_map(struct builder *b, const struct conf_node *node,
                     const struct proto_field_desc *field, struct proto_msg *msg)
{
    int r = 0;
    if (node->kind == CONF_SCALAR) {
        return build_repeated_text(b, node, field, msg);
    }
    if (node->kind != CONF_MAP) {
        char type[128];
        return conf_error(b->diags, node, "field " STR_FMT ": a list instead of a map (%s)",
                          STR_ARG(field->name), proto_field_type_text(field, type, sizeof type));
    }
    struct map seen;
    map_init(&seen);
    for (size_t i = 0; i < node->len; i++) {
        union proto_value key = {.msg = NULL}, value = {.msg = NULL};
        int one = build_key(b, node->entry[i].key, proto_map_key(field), &seen, &key);
        one = worse(one, build_element(b, node->entry[i].value, proto_map_value(field),
                                       "a value of a map", &value));
        r = worse(r, one);
        if (one != 0) {
            continue;
        }
        struct proto_msg *entry = proto_add_message(msg, field);
        if (entry == NULL || !proto_set(entry, proto_map_key(field), key) ||
            !proto_set(entry, proto_map_value(field), value)) {
            r = apitest_build_full(b, node);
            break;
        }
    }
    map_done(&seen);
    return r;
}

static int build_field(struct builder *b, const struct conf_node *node,
                       const struct proto_field_desc *field, struct proto_msg *msg)
{
    union proto_value value = {.msg = NULL};
    if (field->is_map) {
        return build_map(b, node, field, msg);
    }
    if (field->repeated) {
        return build_list(b, node, field, msg);
    }
    int r = build_value(b, node, field, &value);
    if (r == 0 && !proto_set(msg, field, value)) {
        return apitest_build_full(b, node);
    }
    return r;
}

/* What was written of a message: for fields written twice, oneofs and required fields. */
struct written {
    const struct proto_field_desc **field;
    const struct conf_node **key;
    size_t len;
};

static int check_again(struct builder *b, const struct written *w, const struct conf_node *key,
                       const struct proto_field_desc *field)
{
    for (size_t i = 0; i < w->len; i++) {
        if (w->field[i] == field) {
            return conf_error(b->diags, key,
                              "\"" STR_FMT "\" is the same field as \"" STR_FMT "\" (line %u)",
                              STR_ARG(key->text), STR_ARG(w->key[i]->text), w->key[i]->pos.line);
        }
        if (field->oneof != NULL && w->field[i]->oneof == field->oneof) {
            return conf_error(
                b->diags, key,
                "oneof " STR_FMT " has \"" STR_FMT "\" (line %u) already: only one of "
                "its members may be set",
                STR_ARG(field->oneof->name), STR_ARG(w->key[i]->text), w->key[i]->pos.line);
        }
    }
    return 0;
}

static int check_required(struct builder *b, const struct written *w, const struct conf_node *node,
                          const struct proto_message_desc *desc)
{
    struct buf names;
    char text[256];
    size_t missing = 0;
    buf_init_fixed(&names, text, sizeof text);
    for (size_t i = 0; i < desc->fields; i++) {
        bool there = !desc->field[i].required;
        for (size_t j = 0; j < w->len && !there; j++) {
            there = w->field[j] == &desc->field[i];
        }
        if (!there) {
            buf_add_cstr(&names, missing++ > 0 ? ", " : "");
            buf_add_str(&names, desc->field[i].name);
        }
    }
    return missing == 0 ? 0
                        : conf_error(b->diags, node, STR_FMT " lacks the required field%s %s%s",
                                     STR_ARG(desc->full_name), missing == 1 ? "" : "s", text,
                                     names.failed ? ", ..." : "");
}

static bool is_null_for(const struct conf_node *node, const struct proto_field_desc *field)
{
    return conf_is_null(node) && (field->repeated || !takes_null(field));
}

int apitest_build_fields(struct builder *b, const struct conf_node *node, struct proto_msg *msg,
                         const char *skip)
{
    int r = 0;
    struct written w = {.field = mem_array(node->len + 1, sizeof(struct proto_field_desc *)),
                        .key = mem_array(node->len + 1, sizeof(struct conf_node *))};
    for (size_t i = 0; i < node->len; i++) {
        const struct conf_node *key = node->entry[i].key;
        if (skip != NULL && str_eq_cstr(key->text, skip)) {
            continue;
        }
        if (key->text.len > 0 && key->text.ptr[0] == '$') {
            r = conf_error(b->diags, key,
                           "\"" STR_FMT "\" makes no sense here: a message " STR_FMT
                           " is made of its fields, or of {$json: '{..}'} alone",
                           STR_ARG(apitest_cut(key->text, 64)), STR_ARG(msg->desc->full_name));
            continue;
        }
        const struct proto_field_desc *field = apitest_field_of_key(key, msg->desc, b->diags);
        if (field == NULL) {
            r = ERR_INVALID;
            continue;
        }
        if (is_null_for(node->entry[i].value, field)) {
            continue;
        }
        int again = check_again(b, &w, key, field);
        w.field[w.len] = field;
        w.key[w.len++] = key;
        r = worse(r, worse(again, build_field(b, node->entry[i].value, field, msg)));
    }
    r = worse(r, check_required(b, &w, node, msg->desc));
    mem_free(w.field);
    mem_free(w.key);
    return r;
}

/* Struct, Value, ListValue: by way of their JSON. */
static int build_json_message(struct builder *b, const struct conf_node *node,
                              struct proto_msg *msg)
{
    struct err err = {0};
    _cleanup_(buf_done) struct buf json;
    buf_init(&json, BUILD_BYTES_MAX);
    int r = apitest_build_free(b, node, &json);
    if (r != 0) {
        return r;
    }
    char *copy = json.failed ? NULL : arena_strdup(b->arena, buf_str(&json));
    if (copy == NULL) {
        return apitest_build_full(b, node);
    }
    r = proto_json_read((struct str){copy, json.len}, msg, 0, &err);
    return r < 0 ? conf_error(b->diags, node, "%s", err.msg) : 0;
}

/* A scalar where a message is wanted: well-known types as text, or a variable with JSON. */
static int build_message_text(struct builder *b, const struct conf_node *node,
                              struct proto_msg *msg)
{
    enum proto_wkt wkt = msg->desc->wkt;
    struct apitest_text text = {.known = false};
    struct err err = {0};
    int r = apitest_build_text(b, node, &text);
    if (r != 0) {
        return r;
    }
    if (wkt == PROTO_WKT_TIMESTAMP || wkt == PROTO_WKT_DURATION || wkt == PROTO_WKT_FIELD_MASK) {
        r = proto_wkt_read_text(msg, text.text, &err);
    } else if (text.whole) {
        r = proto_json_read(text.text, msg, 0, &err);
    } else {
        char seen[64];
        return conf_error(b->diags, node,
                          "%s instead of a message " STR_FMT ": write a map of its fields",
                          conf_describe(node, seen), STR_ARG(msg->desc->full_name));
    }
    if (r < 0) {
        apitest_hide_value(b->scope, &text, &err);
    }
    return r < 0 ? conf_error(b->diags, node, "%s", err.msg) : 0;
}

static int build_json_text(struct builder *b, const struct conf_node *node, struct proto_msg *msg)
{
    struct apitest_text text = {.known = false};
    struct err err = {0};
    int r = apitest_build_text(b, node, &text);
    if (r != 0) {
        return r;
    }
    r = proto_json_read(text.text, msg, 0, &err);
    return r < 0 ? conf_error(b->diags, node, "$json: %s (line %u, column %u of it)", err.msg,
                              err.pos.line, err.pos.col)
                 : 0;
}

static int build_map_message(struct builder *b, const struct conf_node *node, struct proto_msg *msg)
{
    const struct conf_entry *op = apitest_build_operator(node);
    if (op != NULL && str_eq_cstr(op->key->text, "$json")) {
        return build_json_text(b, op->value, msg);
    }
    if (op != NULL && str_eq_cstr(op->key->text, "$now")) {
        return apitest_build_now(b, op, msg);
    }
    return msg->desc->wkt == PROTO_WKT_ANY ? apitest_build_any(b, node, msg)
                                           : apitest_build_fields(b, node, msg, NULL);
}

int apitest_build_message(struct builder *b, const struct conf_node *node, struct proto_msg *msg)
{
    enum proto_wkt wkt = msg->desc->wkt;
    if (wkt == PROTO_WKT_STRUCT || wkt == PROTO_WKT_VALUE || wkt == PROTO_WKT_LIST_VALUE) {
        return build_json_message(b, node, msg);
    }
    if (node->kind == CONF_MAP) {
        bool operator_of_scalar = wkt == PROTO_WKT_WRAPPER &&
                                  apitest_build_operator(node) != NULL &&
                                  !str_eq_cstr(node->entry[0].key->text, "$json");
        if (!operator_of_scalar) {
            return build_map_message(b, node, msg);
        }
    }
    if (wkt == PROTO_WKT_WRAPPER && node->kind != CONF_LIST) {
        const struct proto_field_desc *field = &msg->desc->field[0];
        union proto_value value = {.msg = NULL};
        int r = apitest_build_scalar(b, node, field, &value);
        return r == 0 && !proto_set(msg, field, value) ? apitest_build_full(b, node) : r;
    }
    if (node->kind == CONF_LIST) {
        return conf_error(b->diags, node,
                          "a list instead of a message " STR_FMT ": the field is not repeated",
                          STR_ARG(msg->desc->full_name));
    }
    return build_message_text(b, node, msg);
}

int apitest_build(const struct conf_node *node, const struct proto_message_desc *desc,
                  const struct apitest_scope *scope, struct arena *arena, struct conf_diags *diags,
                  struct proto_msg **ret, bool *ret_constant)
{
    static const struct conf_node nothing = {.kind = CONF_MAP, .flow = true};
    struct builder b = {.scope = scope, .arena = arena, .diags = diags, .constant = true};
    struct proto_msg *msg = proto_msg_new(arena, desc);
    bool json = desc->wkt == PROTO_WKT_VALUE;
    struct conf_node empty = nothing;
    if (node != NULL) {
        empty.pos = node->pos;
    }
    if (msg == NULL) {
        return conf_error(diags, node == NULL ? &nothing : node, "the message is too large");
    }
    bool none = node == NULL || (conf_is_null(node) && !json);
    int r =
        none ? apitest_build_fields(&b, &empty, msg, NULL) : apitest_build_message(&b, node, msg);
    if (r < 0) {
        return ERR_INVALID;
    }
    *ret = r == BUILD_UNKNOWN || b.unknown ? NULL : msg;
    if (ret_constant != NULL) {
        *ret_constant = b.constant;
    }
    return 0;
}
