/* Messages from YAML: scalars, their operators, what an Any holds, free YAML as JSON. */
#include "apitest/build_int.h"
#include "apitest/pattern_int.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/num.h"
#include "conf/schema.h"
#include "proto/scalar.h"
#include "proto/wire.h"
#include "proto/wkt.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { NANOS = 1000000000 };

static const char *const operators[] = {"$hex", "$utf8", "$file", "$json", "$now", "$repeatText"};
enum { OPERATORS = sizeof operators / sizeof operators[0] };

const struct conf_entry *apitest_build_operator(const struct conf_node *node)
{
    bool one = node->kind == CONF_MAP && node->len == 1;
    return one && apitest_is_operator(node->entry[0].key) ? &node->entry[0] : NULL;
}

int apitest_build_text(struct builder *b, const struct conf_node *node, struct apitest_text *ret)
{
    int r = apitest_expand(b->scope, node, b->arena, b->diags, ret);
    if (r < 0) {
        return r;
    }
    b->constant = b->constant && ret->constant;
    b->unknown = b->unknown || !ret->known;
    return ret->known ? 0 : BUILD_UNKNOWN;
}

static int unknown_operator(struct builder *b, const struct conf_node *key,
                            const struct proto_field_desc *field)
{
    char type[128];
    const char *near = str_nearest(key->text, operators, OPERATORS);
    bool known = false;
    for (size_t i = 0; i < OPERATORS; i++) {
        known = known || str_eq_cstr(key->text, operators[i]);
    }
    if (!known && near != NULL) {
        return conf_error(b->diags, key, "unknown operator \"" STR_FMT "\": did you mean \"%s\"?",
                          STR_ARG(apitest_cut(key->text, 64)), near);
    }
    const char *right = field->type == PROTO_BYTES    ? "base64, $hex, $utf8, $file or $repeatText"
                        : field->type == PROTO_STRING ? "a text, $file or $repeatText"
                                                      : "a value";
    return conf_error(b->diags, key, "\"" STR_FMT "\" for field " STR_FMT " (%s): write %s",
                      STR_ARG(apitest_cut(key->text, 64)), STR_ARG(field->name),
                      proto_field_type_text(field, type, sizeof type), right);
}

/* The bytes of a file; its path is relative to the file that it is written in. */
static int build_file(struct builder *b, const struct conf_node *node, struct str *ret)
{
    struct apitest_text text = {.known = false};
    int r = apitest_build_text(b, node, &text);
    if (r != 0) {
        return r;
    }
    struct str base = str_of(node->pos.file);
    while (base.len > 0 && base.ptr[base.len - 1] != '/') {
        base.len--;
    }
    bool absolute = text.text.len > 0 && text.text.ptr[0] == '/';
    char *path = arena_printf(b->arena, STR_FMT STR_FMT, STR_ARG(absolute ? STR("") : base),
                              STR_ARG(text.text));
    if (path == NULL) {
        return apitest_build_full(b, node);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    _cleanup_(buf_done) struct buf bytes;
    buf_init(&bytes, BUILD_BYTES_MAX);
    int failed = fd < 0 ? errno : file_read_all(fd, &bytes);
    if (fd >= 0) {
        (void) close(fd);
    }
    if (failed != 0) {
        struct err err = {0};
        (void) err_errno(&err, failed, "$file: %s", path);
        return conf_error(b->diags, node, "%s", err.msg);
    }
    char *copy = arena_strdup(b->arena, buf_str(&bytes));
    *ret = (struct str){copy, bytes.len};
    return copy == NULL ? apitest_build_full(b, node) : 0;
}

static int build_repeat(struct builder *b, const struct conf_node *node, struct str *ret)
{
    static const struct conf_key keys[] = {
        {"text", CONF_WANT_TEXT, CONF_REQUIRED, "what is repeated", NULL},
        {"times", CONF_WANT_INTEGER, CONF_REQUIRED, "how often", NULL},
        {NULL, CONF_WANT_ANY, 0, NULL, NULL},
    };
    struct apitest_text text = {.known = false};
    int64_t times = 0;
    if (conf_check_keys(b->diags, node, "$repeatText", keys) < 0 ||
        conf_i64(b->diags, conf_get(node, "times"), 0, INT32_MAX, &times) < 0) {
        return ERR_INVALID;
    }
    int r = apitest_build_text(b, conf_get(node, "text"), &text);
    if (r != 0) {
        return r;
    }
    size_t len = text.text.len;
    if (len > 0 && (size_t) times > BUILD_BYTES_MAX / len) {
        return conf_error(b->diags, node, "$repeatText: %zu bytes %lld times are more than %zu",
                          len, (long long) times, BUILD_BYTES_MAX);
    }
    char *copy = arena_alloc(b->arena, len * (size_t) times + 1);
    if (copy == NULL) {
        return apitest_build_full(b, node);
    }
    for (size_t i = 0; i < (size_t) times && len > 0; i++) {
        memcpy(copy + i * len, text.text.ptr, len);
    }
    *ret = (struct str){copy, len * (size_t) times};
    return 0;
}

static int build_operator(struct builder *b, const struct conf_entry *entry,
                          const struct proto_field_desc *field, union proto_value *ret)
{
    struct str name = entry->key->text, bytes = {NULL, 0};
    struct apitest_text text = {.known = false};
    bool is_bytes = field->type == PROTO_BYTES, is_text = is_bytes || field->type == PROTO_STRING;
    int r = 0;
    if (str_eq_cstr(name, "$file") && is_text) {
        r = build_file(b, entry->value, &bytes);
    } else if (str_eq_cstr(name, "$repeatText") && is_text) {
        r = build_repeat(b, entry->value, &bytes);
    } else if ((str_eq_cstr(name, "$hex") || str_eq_cstr(name, "$utf8")) && is_bytes) {
        r = apitest_build_text(b, entry->value, &text);
        bytes = text.text;
        if (r == 0 && str_eq_cstr(name, "$hex") &&
            !apitest_hex_bytes(text.text, b->arena, &bytes)) {
            return conf_error(b->diags, entry->value,
                              "$hex: \"" STR_FMT "\" is not pairs of hexadecimal digits",
                              STR_ARG(apitest_cut(text.text, 64)));
        }
    } else {
        return unknown_operator(b, entry->key, field);
    }
    if (r == 0 && field->type == PROTO_STRING && field->check_utf8 && !str_is_utf8(bytes)) {
        return conf_error(b->diags, entry->value, "field " STR_FMT ": a string has to be UTF-8",
                          STR_ARG(field->name));
    }
    ret->bytes = bytes;
    return r;
}

int apitest_build_scalar(struct builder *b, const struct conf_node *node,
                         const struct proto_field_desc *field, union proto_value *ret)
{
    const struct conf_entry *entry = apitest_build_operator(node);
    struct apitest_text text = {.known = false};
    struct err err = {0};
    char seen[64], type[128];
    struct proto_field_desc single = *field;
    single.repeated = false;
    if (entry != NULL) {
        return build_operator(b, entry, &single, ret);
    }
    if (node->kind != CONF_SCALAR) {
        return conf_error(b->diags, node, "field " STR_FMT ": %s instead of a value (%s)",
                          STR_ARG(field->name), conf_describe(node, seen),
                          proto_field_type_text(&single, type, sizeof type));
    }
    int r = apitest_build_text(b, node, &text);
    if (r != 0) {
        return r;
    }
    enum proto_notation notation = !text.constant              ? PROTO_TEXT
                                   : node->style == CONF_PLAIN ? PROTO_YAML_PLAIN
                                                               : PROTO_YAML_QUOTED;
    if (proto_scalar_read(field, text.text, notation, b->arena, ret, &err) < 0) {
        apitest_hide_value(b->scope, &text, &err);
        return conf_error(b->diags, node, "field " STR_FMT ": %s", STR_ARG(field->name), err.msg);
    }
    return 0;
}

int apitest_build_now(struct builder *b, const struct conf_entry *entry, struct proto_msg *msg)
{
    struct apitest_text text = {.known = false};
    int64_t seconds = 0;
    int32_t nanos = 0;
    struct err err = {0};
    if (msg->desc->wkt != PROTO_WKT_TIMESTAMP) {
        return conf_error(b->diags, entry->key, "$now is a google.protobuf.Timestamp, not " STR_FMT,
                          STR_ARG(msg->desc->full_name));
    }
    b->constant = false;
    if (!conf_is_null(entry->value)) {
        int r = apitest_build_text(b, entry->value, &text);
        if (r != 0) {
            return r;
        }
        struct str span = text.text;
        span = span.len > 0 && span.ptr[0] == '+' ? (struct str){span.ptr + 1, span.len - 1} : span;
        if (apitest_span_parse(span, &seconds, &nanos, &err) < 0) {
            return conf_error(b->diags, entry->value, "$now: %s", err.msg);
        }
    }
    uint64_t now_ms = clock_wall_ms();
    int64_t sum = nanos + (int64_t) (now_ms % 1000) * 1000000;
    union proto_value s = {.i64 = seconds + (int64_t) (now_ms / 1000) + sum / NANOS};
    union proto_value n = {.i32 = (int32_t) (sum % NANOS)};
    if (!proto_set(msg, proto_field_of(msg, 1), s) || !proto_set(msg, proto_field_of(msg, 2), n)) {
        return apitest_build_full(b, entry->value);
    }
    return 0;
}

static int set_any(struct builder *b, const struct conf_node *node, struct proto_msg *msg,
                   struct str type, struct str bytes)
{
    bool full = str_find_char(type, '/') < type.len;
    char *url =
        arena_printf(b->arena, "%s" STR_FMT, full ? "" : "type.googleapis.com/", STR_ARG(type));
    char *value = arena_strdup(b->arena, bytes);
    if (url == NULL || value == NULL) {
        return apitest_build_full(b, node);
    }
    union proto_value u = {.bytes = str_of(url)}, v = {.bytes = {value, bytes.len}};
    return proto_set(msg, proto_field_of(msg, 1), u) && proto_set(msg, proto_field_of(msg, 2), v)
               ? 0
               : apitest_build_full(b, node);
}

/* An Any of a type that is not known: {"@type": T, value: BASE64}. */
static int build_raw_any(struct builder *b, const struct conf_node *node, struct proto_msg *msg,
                         struct str type)
{
    const struct conf_node *value = conf_get(node, "value");
    union proto_value bytes = {.bytes = {NULL, 0}};
    if (node->len != (value != NULL ? 2u : 1u) || value == NULL) {
        return conf_error(b->diags, node,
                          "no message type " STR_FMT
                          " is known: import its file, or give its bytes "
                          "as value: BASE64",
                          STR_ARG(apitest_cut(type, 200)));
    }
    int r = apitest_build_scalar(b, value, proto_field_of(msg, 2), &bytes);
    return r == 0 ? set_any(b, node, msg, type, bytes.bytes) : r;
}

int apitest_build_any(struct builder *b, const struct conf_node *node, struct proto_msg *msg)
{
    const struct conf_node *type = conf_get(node, "@type"), *value = conf_get(node, "value");
    struct apitest_text text = {.known = false};
    struct err err = {0};
    if (type == NULL) {
        return apitest_build_fields(b, node, msg, NULL);
    }
    int r = apitest_build_text(b, type, &text);
    if (r != 0) {
        return r;
    }
    const struct proto_message_desc *desc = proto_any_type(msg->desc->file->pool, text.text);
    if (desc == NULL) {
        return build_raw_any(b, node, msg, text.text);
    }
    struct proto_msg *inner = proto_msg_new(b->arena, desc);
    if (inner == NULL) {
        return apitest_build_full(b, node);
    }
    bool special = desc->wkt != PROTO_WKT_NONE && desc->wkt != PROTO_WKT_EMPTY;
    if (special && value != NULL && node->len == 2) {
        r = apitest_build_message(b, value, inner);
    } else {
        r = apitest_build_fields(b, node, inner, "@type");
    }
    if (r != 0) {
        return r;
    }
    _cleanup_(buf_done) struct buf bytes;
    buf_init(&bytes, BUILD_BYTES_MAX);
    if (proto_wire_write(inner, 0, &bytes, &err) < 0) {
        return conf_error(b->diags, node, "%s", err.msg);
    }
    return set_any(b, node, msg, text.text, buf_str(&bytes));
}

/* {$json: '..'} and {$repeatText: ..}; other keys that begin with $ are written with two. */
static int free_operator(struct builder *b, const struct conf_entry *entry, struct buf *json)
{
    struct apitest_text text = {.known = false};
    struct str repeated = {NULL, 0};
    struct err err = {0};
    int r = 0;
    if (str_eq_cstr(entry->key->text, "$repeatText")) {
        r = build_repeat(b, entry->value, &repeated);
        if (r == 0) {
            json_quote(json, repeated);
        }
        return r;
    }
    if (!str_eq_cstr(entry->key->text, "$json")) {
        return conf_error(
            b->diags, entry->key,
            "no operator \"" STR_FMT "\" in JSON: a key that begins with $ is written "
            "with two, \"$" STR_FMT "\"",
            STR_ARG(apitest_cut(entry->key->text, 64)), STR_ARG(apitest_cut(entry->key->text, 64)));
    }
    const struct apitest_json *tree = NULL;
    r = apitest_build_text(b, entry->value, &text);
    if (r == 0 && apitest_json_parse(text.text, b->arena, &tree, &err) < 0) {
        return conf_error(b->diags, entry->value, "$json: %s", err.msg);
    }
    buf_add_str(json, text.text);
    return r;
}

static int free_scalar(struct builder *b, const struct conf_node *node, struct buf *json)
{
    struct apitest_text text = {.known = false};
    const struct apitest_json *tree = NULL;
    int r = apitest_build_text(b, node, &text);
    if (r != 0) {
        return r;
    }
    /* A variable alone, without quotes, is read like a plain scalar; JSON of a saved map too. */
    bool plain = node->style == CONF_PLAIN && (text.constant || text.whole);
    bool nested =
        !text.constant && text.text.len > 0 && (text.text.ptr[0] == '{' || text.text.ptr[0] == '[');
    if (plain && nested && apitest_json_parse(text.text, b->arena, &tree, NULL) == 0) {
        buf_add_str(json, text.text);
        return 0;
    }
    tree = apitest_json_of_scalar(text.text, plain ? CONF_PLAIN : CONF_SINGLE, b->arena);
    if (tree == NULL) {
        return apitest_build_full(b, node);
    }
    apitest_json_write(tree, json);
    return 0;
}

static int free_key(struct builder *b, const struct conf_node *node, struct buf *json)
{
    struct conf_node key = *node;
    struct apitest_text text = {.known = false};
    if (key.text.len > 2 && key.text.ptr[0] == '$' && key.text.ptr[1] == '$' &&
        key.text.ptr[2] != '{') {
        key.text = (struct str){key.text.ptr + 1, key.text.len - 1};
    }
    int r = apitest_build_text(b, &key, &text);
    json_quote(json, text.text);
    return r;
}

int apitest_build_free(struct builder *b, const struct conf_node *node, struct buf *json)
{
    int r = 0;
    if (node->kind == CONF_SCALAR) {
        return free_scalar(b, node, json);
    }
    bool map = node->kind == CONF_MAP;
    if (map && node->len > 0 && apitest_is_operator(node->entry[0].key)) {
        return node->len == 1 ? free_operator(b, &node->entry[0], json)
                              : conf_error(b->diags, node->entry[0].key,
                                           "an operator has to stand alone in its map");
    }
    buf_add_char(json, map ? '{' : '[');
    for (size_t i = 0; i < node->len && !json->failed; i++) {
        buf_add_cstr(json, i == 0 ? "" : ",");
        int one = map ? free_key(b, node->entry[i].key, json) : 0;
        buf_add_cstr(json, map ? ":" : "");
        int two = apitest_build_free(b, map ? node->entry[i].value : node->item[i], json);
        int worst = one < 0 || two < 0 ? ERR_INVALID : one > two ? one : two;
        r = r < 0 || worst < 0 ? ERR_INVALID : r > worst ? r : worst;
    }
    buf_add_char(json, map ? '}' : ']');
    return r;
}

int apitest_build_json(const struct conf_node *node, const struct apitest_scope *scope,
                       struct arena *arena, struct conf_diags *diags, struct buf *ret)
{
    struct builder b = {.scope = scope, .arena = arena, .diags = diags, .constant = true};
    int r = apitest_build_free(&b, node, ret);
    if (r >= 0 && ret->failed) {
        return conf_error(diags, node, "the JSON is larger than %zu bytes", ret->max);
    }
    return r < 0 ? ERR_INVALID : 0;
}
