/* JSON values as trees: see json_int.h. */
#include "apitest/json_int.h"

#include "base/json.h"
#include "base/map.h"
#include "base/vec.h"
#include "proto/scalar.h"

#include <string.h>

enum { FEW_MEMBERS = 16 };

struct parser {
    struct json_reader reader;
    struct arena *arena;
    struct err *err;
};

static struct apitest_json *fail(struct parser *p, enum err_code code, const char *text)
{
    unsigned line = 0, col = 0;
    json_reader_pos(&p->reader, &line, &col);
    (void) err_set(p->err, code, "%s (line %u, column %u of the JSON)", text, line, col);
    if (p->err != NULL) {
        p->err->pos = (struct pos){NULL, line, col};
    }
    return NULL;
}

static bool unescape(struct parser *p, struct str *ret)
{
    char *text = arena_alloc(p->arena, p->reader.value.len + 1);
    if (text == NULL) {
        (void) fail(p, ERR_FULL, "the JSON is too large");
        return false;
    }
    if (!p->reader.escaped) {
        memcpy(text, p->reader.value.ptr, p->reader.value.len);
        *ret = (struct str){text, p->reader.value.len};
    } else if (json_unescape_nul(p->reader.value, text, p->reader.value.len + 1, ret) < 0) {
        (void) fail(p, ERR_INVALID, "a string with half of a surrogate pair");
        return false;
    }
    return true;
}

static struct apitest_json *parse_token(struct parser *p, enum json_token token);

/* Keys are to be different: which of two values a reader takes is anybody's guess. */
static bool keys_differ(struct parser *p, const struct apitest_json_member *member, size_t n)
{
    struct map seen = {0};
    bool differ = true;
    if (n <= FEW_MEMBERS) {
        for (size_t i = 0; i < n && differ; i++) {
            for (size_t j = 0; j < i && differ; j++) {
                differ = !str_eq(member[i].key, member[j].key);
            }
        }
    } else {
        map_init(&seen);
        for (size_t i = 0; i < n && differ; i++) {
            differ = map_put(&seen, member[i].key, p) == NULL;
        }
        map_done(&seen);
    }
    if (!differ) {
        (void) fail(p, ERR_INVALID, "an object has a key twice");
    }
    return differ;
}

static struct apitest_json *parse_object(struct parser *p, struct apitest_json *json)
{
    VEC(struct apitest_json_member) members = {0};
    enum json_token token = JSON_ERROR;
    bool good = true;
    while (good && (token = json_next(&p->reader)) == JSON_KEY) {
        struct apitest_json_member member = {.value = NULL};
        good = unescape(p, &member.key);
        member.value = good ? parse_token(p, json_next(&p->reader)) : NULL;
        good = member.value != NULL;
        vec_push(&members, member);
    }
    if (good && token != JSON_OBJ_END) {
        (void) fail(p, ERR_INVALID, p->reader.error != NULL ? p->reader.error : "malformed");
        good = false;
    }
    good = good && keys_differ(p, members.ptr, members.len);
    if (good) {
        json->len = members.len;
        json->member = arena_alloc(p->arena, members.len * sizeof *members.ptr);
        good = json->member != NULL;
        if (!good) {
            (void) fail(p, ERR_FULL, "the JSON is too large");
        } else if (members.len > 0) {
            memcpy(json->member, members.ptr, members.len * sizeof *members.ptr);
        }
    }
    vec_done(&members);
    return good ? json : NULL;
}

static struct apitest_json *parse_list(struct parser *p, struct apitest_json *json)
{
    VEC(const struct apitest_json *) items = {0};
    enum json_token token;
    bool good = true;
    while (good && (token = json_next(&p->reader)) != JSON_ARR_END) {
        const struct apitest_json *item = parse_token(p, token);
        good = item != NULL;
        vec_push(&items, item); /* NOLINT(bugprone-sizeof-expression): of pointers */
    }
    if (good) {
        json->len = items.len;
        json->item = arena_alloc(p->arena, items.len * sizeof(struct apitest_json *));
        good = json->item != NULL;
        if (!good) {
            (void) fail(p, ERR_FULL, "the JSON is too large");
        } else if (items.len > 0) {
            memcpy(json->item, items.ptr, items.len * sizeof(struct apitest_json *));
        }
    }
    vec_done(&items);
    return good ? json : NULL;
}

static struct apitest_json *parse_token(struct parser *p, enum json_token token)
{
    struct apitest_json *json = arena_alloc(p->arena, sizeof *json);
    if (json == NULL) {
        return fail(p, ERR_FULL, "the JSON is too large");
    }
    if (token == JSON_OBJ_BEGIN) {
        json->kind = APITEST_JSON_OBJECT;
        return parse_object(p, json);
    }
    if (token == JSON_ARR_BEGIN) {
        json->kind = APITEST_JSON_LIST;
        return parse_list(p, json);
    }
    if (token == JSON_STRING) {
        json->kind = APITEST_JSON_STRING;
        return unescape(p, &json->text) ? json : NULL;
    }
    if (token == JSON_NUMBER) {
        json->kind = APITEST_JSON_NUMBER;
        char *text = arena_strdup(p->arena, p->reader.value);
        json->text = (struct str){text, p->reader.value.len};
        return text != NULL ? json : fail(p, ERR_FULL, "the JSON is too large");
    }
    if (token == JSON_TRUE || token == JSON_FALSE) {
        json->kind = APITEST_JSON_BOOL;
        json->boolean = token == JSON_TRUE;
        return json;
    }
    if (token == JSON_NULL) {
        return json;
    }
    return fail(p, ERR_INVALID, p->reader.error != NULL ? p->reader.error : "the text is empty");
}

int apitest_json_parse(struct str text, struct arena *arena, const struct apitest_json **ret,
                       struct err *err)
{
    struct err unused = {0};
    struct parser p = {.arena = arena, .err = err != NULL ? err : &unused};
    json_reader_init_deep(&p.reader, text, APITEST_JSON_DEPTH_MAX);
    const struct apitest_json *json = parse_token(&p, json_next(&p.reader));
    if (json != NULL && json_next(&p.reader) != JSON_END) {
        json = fail(&p, ERR_INVALID, p.reader.error != NULL ? p.reader.error : "malformed");
    }
    if (json == NULL) {
        return (int) p.err->code;
    }
    *ret = json;
    return 0;
}

const char *apitest_json_kind_name(enum apitest_json_kind kind)
{
    static const char *const name[] = {"null", "bool", "number", "string", "list", "map"};
    return name[kind];
}

const struct apitest_json *apitest_json_find(const struct apitest_json *json, struct str key)
{
    for (size_t i = 0; json->kind == APITEST_JSON_OBJECT && i < json->len; i++) {
        if (str_eq(json->member[i].key, key)) {
            return json->member[i].value;
        }
    }
    return NULL;
}

/* 0.ddd times 10^exp, d of the digits first..last of text without its point; none: zero. */
struct decimal {
    bool negative;
    struct str text; /* digits with at most one point */
    size_t point;    /* its place, or text.len */
    size_t first, digits;
    int64_t exp;
};

enum { EXP_MAX = 1000000000 };

static struct decimal decimal_of(struct str s)
{
    struct decimal d = {.negative = s.len > 0 && s.ptr[0] == '-'};
    if (d.negative) {
        s = (struct str){s.ptr + 1, s.len - 1};
    }
    size_t e = str_find_char(s, 'e');
    e = e == s.len ? str_find_char(s, 'E') : e;
    for (size_t i = e + 1; i < s.len; i++) {
        if (s.ptr[i] >= '0' && s.ptr[i] <= '9' && d.exp < EXP_MAX) {
            d.exp = d.exp * 10 + (s.ptr[i] - '0');
        }
    }
    if (e + 1 < s.len && s.ptr[e + 1] == '-') {
        d.exp = -d.exp;
    }
    d.text = (struct str){s.ptr, e};
    d.point = str_find_char(d.text, '.');
    bool found = false;
    size_t last = 0, ordinal = 0;
    for (size_t i = 0; i < d.text.len; i++) {
        if (d.text.ptr[i] != '0' && i != d.point) {
            d.first = found ? d.first : ordinal;
            found = true;
            last = ordinal;
        }
        ordinal += i == d.point ? 0 : 1;
    }
    d.digits = found ? last - d.first + 1 : 0;
    d.exp += (int64_t) d.point - (int64_t) d.first;
    return d;
}

static int digit_of(const struct decimal *d, size_t i)
{
    size_t at = d->first + i;
    at += at >= d->point ? 1 : 0;
    return i < d->digits ? d->text.ptr[at] - '0' : 0;
}

static int order_of_magnitude(const struct decimal *a, const struct decimal *b)
{
    if (a->digits == 0 || b->digits == 0) {
        return (a->digits > 0) - (b->digits > 0);
    }
    if (a->exp != b->exp) {
        return a->exp < b->exp ? -1 : 1;
    }
    size_t n = a->digits > b->digits ? a->digits : b->digits;
    for (size_t i = 0; i < n; i++) {
        int difference = digit_of(a, i) - digit_of(b, i);
        if (difference != 0) {
            return difference < 0 ? -1 : 1;
        }
    }
    return 0;
}

/* -1 or 1 for an infinity, 2 for NaN, 0 for a number with digits. */
static int special(struct str s)
{
    return str_eq_cstr(s, "NaN")         ? 2
           : str_eq_cstr(s, "Infinity")  ? 1
           : str_eq_cstr(s, "-Infinity") ? -1
                                         : 0;
}

int apitest_json_order(struct str a, struct str b)
{
    int special_a = special(a), special_b = special(b);
    if (special_a == 2 || special_b == 2) {
        return special_a == special_b ? 0 : 2;
    }
    if (special_a != 0 || special_b != 0) {
        return (special_a > special_b) - (special_a < special_b);
    }
    struct decimal x = decimal_of(a), y = decimal_of(b);
    bool negative_x = x.negative && x.digits > 0, negative_y = y.negative && y.digits > 0;
    if (negative_x != negative_y) {
        return negative_x ? -1 : 1;
    }
    int order = order_of_magnitude(&x, &y);
    return negative_x ? -order : order;
}

static bool equal_objects(const struct apitest_json *a, const struct apitest_json *b)
{
    for (size_t i = 0; i < a->len; i++) {
        const struct apitest_json *other = i < b->len && str_eq(a->member[i].key, b->member[i].key)
                                               ? b->member[i].value
                                               : apitest_json_find(b, a->member[i].key);
        if (other == NULL || !apitest_json_equal(a->member[i].value, other)) {
            return false;
        }
    }
    return true;
}

bool apitest_json_equal(const struct apitest_json *a, const struct apitest_json *b)
{
    if (a->kind != b->kind || a->len != b->len) {
        return false;
    }
    switch (a->kind) {
    case APITEST_JSON_BOOL:
        return a->boolean == b->boolean;
    case APITEST_JSON_NUMBER:
        return apitest_json_order(a->text, b->text) == 0;
    case APITEST_JSON_STRING:
        return str_eq(a->text, b->text);
    case APITEST_JSON_OBJECT:
        return equal_objects(a, b);
    case APITEST_JSON_LIST:
        for (size_t i = 0; i < a->len; i++) {
            if (!apitest_json_equal(a->item[i], b->item[i])) {
                return false;
            }
        }
        return true;
    case APITEST_JSON_NULL:
        break;
    }
    return true;
}

void apitest_json_write(const struct apitest_json *json, struct buf *b)
{
    switch (json->kind) {
    case APITEST_JSON_NULL:
        buf_add_str(b, STR("null"));
        break;
    case APITEST_JSON_BOOL:
        buf_add_cstr(b, json->boolean ? "true" : "false");
        break;
    case APITEST_JSON_NUMBER:
        if (special(json->text) == 0) {
            buf_add_str(b, json->text);
            break;
        }
        json_quote(b, json->text);
        break;
    case APITEST_JSON_STRING:
        json_quote(b, json->text);
        break;
    case APITEST_JSON_LIST:
        for (size_t i = 0; i < json->len && !b->failed; i++) {
            buf_add_cstr(b, i == 0 ? "[" : ",");
            apitest_json_write(json->item[i], b);
        }
        buf_add_cstr(b, json->len == 0 ? "[]" : "]");
        break;
    case APITEST_JSON_OBJECT:
        for (size_t i = 0; i < json->len && !b->failed; i++) {
            buf_add_cstr(b, i == 0 ? "{" : ",");
            json_quote(b, json->member[i].key);
            buf_add_char(b, ':');
            apitest_json_write(json->member[i].value, b);
        }
        buf_add_cstr(b, json->len == 0 ? "{}" : "}");
        break;
    }
}

/* Field numbers of google/protobuf/struct.proto. */
enum { VALUE_NUMBER = 2, VALUE_STRING = 3, VALUE_BOOL = 4, VALUE_STRUCT = 5, VALUE_LIST = 6 };

static const struct apitest_json *json_of(const struct proto_msg *msg, struct arena *arena,
                                          unsigned depth);

static const struct apitest_json *json_of_struct(const struct proto_msg *msg, struct arena *arena,
                                                 unsigned depth)
{
    const struct proto_field_desc *fields = proto_field_of(msg, 1);
    size_t n = proto_len(msg, fields);
    struct apitest_json *json = arena_alloc(arena, sizeof *json);
    struct apitest_json_member *member = arena_alloc(arena, n * sizeof *member);
    if (json == NULL || member == NULL) {
        return NULL;
    }
    *json = (struct apitest_json){.kind = APITEST_JSON_OBJECT, .len = n, .member = member};
    for (size_t i = 0; i < n; i++) {
        const struct proto_msg *entry = proto_item(msg, fields, i).msg;
        const struct proto_msg *value = proto_get(entry, proto_map_value(fields)).msg;
        member[i].key = proto_get(entry, proto_map_key(fields)).bytes;
        member[i].value = json_of(value, arena, depth + 1);
        if (member[i].value == NULL) {
            return NULL;
        }
    }
    return json;
}

static const struct apitest_json *json_of_list(const struct proto_msg *msg, struct arena *arena,
                                               unsigned depth)
{
    const struct proto_field_desc *values = proto_field_of(msg, 1);
    size_t n = proto_len(msg, values);
    struct apitest_json *json = arena_alloc(arena, sizeof *json);
    const struct apitest_json **item = arena_alloc(arena, n * sizeof(struct apitest_json *));
    if (json == NULL || item == NULL) {
        return NULL;
    }
    *json = (struct apitest_json){.kind = APITEST_JSON_LIST, .len = n, .item = item};
    for (size_t i = 0; i < n; i++) {
        item[i] = json_of(proto_item(msg, values, i).msg, arena, depth + 1);
        if (item[i] == NULL) {
            return NULL;
        }
    }
    return json;
}

static const struct apitest_json *json_of_value(const struct proto_msg *msg, struct arena *arena,
                                                unsigned depth)
{
    struct apitest_json *json = arena_alloc(arena, sizeof *json);
    struct proto_iter it = {.msg = msg};
    if (json == NULL || !proto_next(&it)) {
        return json; /* a Value with nothing set has no JSON form; null is the nearest */
    }
    struct buf b;
    char text[64];
    switch (it.field->number) {
    case VALUE_NUMBER:
        buf_init_fixed(&b, text, sizeof text);
        proto_scalar_text(it.field, it.value, &b);
        json->kind = APITEST_JSON_NUMBER;
        json->text = (struct str){arena_strdup(arena, buf_str(&b)), b.len};
        return json->text.ptr == NULL ? NULL : json;
    case VALUE_STRING:
        json->kind = APITEST_JSON_STRING;
        json->text = it.value.bytes;
        return json;
    case VALUE_BOOL:
        json->kind = APITEST_JSON_BOOL;
        json->boolean = it.value.boolean;
        return json;
    case VALUE_STRUCT:
    case VALUE_LIST:
        return json_of(it.value.msg, arena, depth + 1);
    default:
        return json;
    }
}

static const struct apitest_json *json_of(const struct proto_msg *msg, struct arena *arena,
                                          unsigned depth)
{
    static const struct apitest_json null = {.kind = APITEST_JSON_NULL};
    if (depth > 2 * APITEST_JSON_DEPTH_MAX) {
        return NULL;
    }
    if (msg == NULL) {
        return &null;
    }
    if (msg->desc->wkt == PROTO_WKT_STRUCT) {
        return json_of_struct(msg, arena, depth);
    }
    return msg->desc->wkt == PROTO_WKT_LIST_VALUE ? json_of_list(msg, arena, depth)
                                                  : json_of_value(msg, arena, depth);
}

const struct apitest_json *apitest_json_of_message(const struct proto_msg *msg, struct arena *arena)
{
    return json_of(msg, arena, 0);
}
