/* Paths into values, such as order.lines[0].sku: see value.h. */
#include "apitest/suggest_int.h"
#include "apitest/value_int.h"

#include "base/json.h"
#include "base/num.h"
#include "proto/pool.h"
#include "proto/scalar.h"
#include "proto/wkt.h"

#include <string.h>

enum { KEY_MAX = 256 };

enum step_kind { STEP_NAME, STEP_INDEX, STEP_KEY, STEP_EXTENSION };

struct step {
    enum step_kind kind;
    struct str text;
    size_t index;
    struct str before; /* the path so far, for messages */
    struct str with;   /* and with this step */
    char key[KEY_MAX];
};

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '@' || c == '-' || (unsigned char) c >= 0x80;
}

static int bad(struct str path, size_t at, const char *text, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "\"" STR_FMT "\" is no path: %s at character %zu; right is "
                   "order.lines[0].sku or labels[\"a.b\"]",
                   STR_ARG(path), text, at + 1);
}

/* ["..."] or ['...']: at is behind the bracket. */
static int read_key(struct str path, size_t *at, struct step *ret, struct err *err)
{
    char quote = path.ptr[*at];
    size_t begin = *at + 1, end = begin;
    while (end < path.len && path.ptr[end] != quote) {
        end += quote == '"' && path.ptr[end] == '\\' ? 2 : 1;
    }
    if (end + 1 >= path.len || path.ptr[end + 1] != ']') {
        return bad(path, begin, "a key without its closing quote and ]", err);
    }
    struct str raw = {path.ptr + begin, end - begin};
    if (quote == '\'') {
        ret->text = raw;
    } else if (json_unescape(raw, ret->key, sizeof ret->key, &ret->text) < 0) {
        return bad(path, begin, "a malformed or too long key", err);
    }
    ret->kind = STEP_KEY;
    *at = end + 2;
    return 0;
}

static int read_bracket(struct str path, size_t *at, struct step *ret, struct err *err)
{
    size_t begin = *at + 1;
    if (begin < path.len && (path.ptr[begin] == '"' || path.ptr[begin] == '\'')) {
        *at = begin;
        return read_key(path, at, ret, err);
    }
    struct str inside = {path.ptr + begin, path.len - begin};
    inside.len = str_find_char(inside, ']');
    if (begin + inside.len == path.len || inside.len == 0) {
        return bad(path, *at, "a [ without its ]", err);
    }
    uint64_t index = 0;
    int r = num_u64(inside, 0, UINT32_MAX, &index);
    ret->kind = r == 0 ? STEP_INDEX : STEP_EXTENSION;
    ret->index = (size_t) index;
    ret->text = inside;
    if (r < 0 && (inside.ptr[0] == '-' || (inside.ptr[0] >= '0' && inside.ptr[0] <= '9'))) {
        return bad(path, begin, "a malformed index (it counts from 0)", err);
    }
    *at = begin + inside.len + 1;
    return 0;
}

/* Reads the step at *at; 1 when there is none any more. */
static int next_step(struct str path, size_t *at, struct step *ret, struct err *err)
{
    if (*at == path.len) {
        return 1;
    }
    int r = 0;
    *ret = (struct step){.before = {path.ptr, *at}};
    size_t begin = *at;
    if (path.ptr[begin] == '.' && begin > 0) {
        begin++;
    } else if (path.ptr[begin] != '[' && begin > 0) {
        return bad(path, begin, "something else than . or [", err);
    }
    if (begin < path.len && path.ptr[begin] == '[') {
        *at = begin;
        r = read_bracket(path, at, ret, err);
    } else {
        size_t end = begin;
        while (end < path.len && is_name_char(path.ptr[end])) {
            end++;
        }
        if (end == begin) {
            return bad(path, begin, "a name is missing", err);
        }
        ret->kind = STEP_NAME;
        ret->text = (struct str){path.ptr + begin, end - begin};
        *at = end;
    }
    ret->with = (struct str){path.ptr, *at};
    return r;
}

static int no_field(const struct proto_message_desc *desc, const struct step *step, struct err *err)
{
    char near[APITEST_NAME_SIZE];
    bool found = apitest_nearest_field(desc, step->text, near);
    return err_set(err, ERR_NOT_FOUND, STR_FMT ": no field \"" STR_FMT "\" in " STR_FMT "%s%s%s",
                   STR_ARG(step->with), STR_ARG(step->text), STR_ARG(desc->full_name),
                   found ? ": did you mean \"" : "", found ? near : "", found ? "\"?" : "");
}

static const struct proto_field_desc *find_field(const struct proto_message_desc *desc,
                                                 const struct step *step)
{
    if (step->kind == STEP_NAME) {
        return proto_field_by_any_name(desc, step->text);
    }
    if (step->kind == STEP_EXTENSION) {
        const struct proto_field_desc *field = proto_pool_extension(desc->file->pool, step->text);
        return field != NULL && field->parent == desc ? field : NULL;
    }
    return NULL;
}

static int not_set(const struct step *step, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, STR_FMT ": " STR_FMT " is not set", STR_ARG(step->with),
                   STR_ARG(step->before));
}

static int out_of(const struct step *step, bool messages, size_t len, struct err *err)
{
    return err_set(err, ERR_NOT_FOUND, STR_FMT ": there %s %zu %s%s", STR_ARG(step->with),
                   len == 1 ? "is" : "are", len, messages ? "message" : "element",
                   len == 1 ? "" : "s");
}

static int wants(const struct step *step, const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, STR_FMT ": " STR_FMT " is %s", STR_ARG(step->with),
                   STR_ARG(step->before.len > 0 ? step->before : STR("the value")), what);
}

static int into_any(struct apitest_value *value, const struct step *step, struct err *err)
{
    struct proto_msg *msg = value->proto.msg, *inner = NULL;
    struct err why = {0};
    if (str_eq_cstr(step->text, "@type")) {
        *value = apitest_value_of_text(apitest_type_name(proto_str(msg, 1)));
        return 0;
    }
    if (proto_any_unpack(msg, msg->desc->file->pool, &inner, &why) == 0) {
        const struct proto_field_desc *field = find_field(inner->desc, step);
        if (field != NULL) {
            *value = apitest_value_of(inner, field);
            return 0;
        }
        if (inner->desc->wkt != PROTO_WKT_NONE && str_eq_cstr(step->text, "value")) {
            *value = apitest_value_of_message(inner);
            return 0;
        }
        return no_field(inner->desc, step, err);
    }
    const struct proto_field_desc *field = find_field(msg->desc, step);
    if (field == NULL) {
        return err_set(err, ERR_NOT_FOUND, STR_FMT ": %s", STR_ARG(step->with), why.msg);
    }
    *value = apitest_value_of(msg, field);
    return 0;
}

static int into_json(struct apitest_value *value, const struct step *step, struct err *err)
{
    const struct apitest_json *json = value->json;
    if (step->kind == STEP_INDEX) {
        if (json->kind != APITEST_JSON_LIST) {
            return wants(step, "no list", err);
        }
        if (step->index >= json->len) {
            return out_of(step, false, json->len, err);
        }
        *value = apitest_value_of_json(json->item[step->index]);
        return 0;
    }
    if (json->kind != APITEST_JSON_OBJECT) {
        return wants(step, "no map", err);
    }
    const struct apitest_json *found = apitest_json_find(json, step->text);
    if (found == NULL) {
        return err_set(err, ERR_NOT_FOUND, STR_FMT ": there is no \"" STR_FMT "\"",
                       STR_ARG(step->with), STR_ARG(step->text));
    }
    *value = apitest_value_of_json(found);
    return 0;
}

static int into_message(struct apitest_value *value, const struct step *step, struct err *err)
{
    struct proto_msg *msg = value->proto.msg;
    enum proto_wkt wkt = msg->desc->wkt;
    if (wkt == PROTO_WKT_ANY) {
        return into_any(value, step, err);
    }
    if (wkt == PROTO_WKT_STRUCT || wkt == PROTO_WKT_VALUE || wkt == PROTO_WKT_LIST_VALUE) {
        *value = apitest_value_of_json(apitest_json_of_message(msg, msg->arena));
        return value->json == NULL ? err_set(err, ERR_FULL, "no memory is left for the path")
                                   : into_json(value, step, err);
    }
    if (step->kind == STEP_INDEX) {
        return wants(step, "no list", err);
    }
    const struct proto_field_desc *field = find_field(msg->desc, step);
    if (field == NULL) {
        return no_field(msg->desc, step, err);
    }
    *value = apitest_value_of(msg, field);
    return 0;
}

static int into_map(struct apitest_value *value, const struct step *step, struct err *err)
{
    const struct proto_list *list = value->proto.list;
    for (size_t i = 0; list != NULL && i < list->len; i++) {
        char text[KEY_MAX];
        struct buf key;
        buf_init_fixed(&key, text, sizeof text);
        apitest_key_text(value->field, list->item[i].msg, &key);
        if (!key.failed && str_eq(buf_str(&key), step->text)) {
            const struct proto_field_desc *field = proto_map_value(value->field);
            *value = apitest_value_of_item(field, proto_get(list->item[i].msg, field));
            return 0;
        }
    }
    return err_set(err, ERR_NOT_FOUND, STR_FMT ": there is no key \"" STR_FMT "\"",
                   STR_ARG(step->with), STR_ARG(step->text));
}

static int follow(struct apitest_value *value, const struct step *step, struct err *err)
{
    if (value->kind == APITEST_ABSENT) {
        return not_set(step, err);
    }
    if (value->kind == APITEST_MESSAGE) {
        return into_message(value, step, err);
    }
    if (value->kind == APITEST_JSON) {
        return into_json(value, step, err);
    }
    if (value->kind == APITEST_REPEATED && value->field != NULL && value->field->is_map) {
        return into_map(value, step, err);
    }
    size_t len = 0;
    if (!apitest_list_of(value, &len)) {
        return wants(step, "a single value: nothing is inside", err);
    }
    if (step->kind != STEP_INDEX) {
        return wants(step, "a list: say which element, as in [0]", err);
    }
    if (step->index >= len) {
        return out_of(step, value->field == NULL && value->kind == APITEST_REPEATED, len, err);
    }
    *value = apitest_list_item(value, step->index);
    return 0;
}

int apitest_path_get(const struct apitest_value *root, struct str path, struct apitest_value *ret,
                     struct err *err)
{
    struct apitest_value value = *root;
    struct step step;
    size_t at = 0;
    int r;
    while ((r = next_step(path, &at, &step, err)) == 0) {
        r = follow(&value, &step, err);
        if (r < 0) {
            return r;
        }
    }
    if (r < 0) {
        return r;
    }
    *ret = value;
    return 0;
}

/* Where a check is: in a message (desc), in a field, or where only the call can tell (free). */
struct place {
    const struct proto_message_desc *desc;
    const struct proto_field_desc *field; /* a list or a map; or a scalar */
    bool free;
};

static bool is_free(const struct proto_message_desc *desc)
{
    return desc->wkt == PROTO_WKT_ANY || desc->wkt == PROTO_WKT_STRUCT ||
           desc->wkt == PROTO_WKT_VALUE || desc->wkt == PROTO_WKT_LIST_VALUE;
}

static void enter(struct place *place, const struct proto_field_desc *field, bool element)
{
    bool list = field->repeated && !element;
    place->field = field;
    place->desc = list ? NULL : field->message;
    place->free = place->desc != NULL && is_free(place->desc);
}

static int check_step(struct place *place, const struct step *step,
                      const struct proto_field_desc **last, struct err *err)
{
    if (place->free) {
        return 0;
    }
    if (place->desc != NULL) {
        const struct proto_field_desc *field = find_field(place->desc, step);
        if (field == NULL) {
            return step->kind == STEP_INDEX ? wants(step, "no list", err)
                                            : no_field(place->desc, step, err);
        }
        enter(place, field, false);
        *last = field;
        return 0;
    }
    if (!place->field->repeated) {
        return wants(step, "a single value: nothing is inside", err);
    }
    if (place->field->is_map) {
        *last = proto_map_value(place->field);
        enter(place, proto_map_value(place->field), true);
        return 0;
    }
    if (step->kind != STEP_INDEX) {
        return wants(step, "a list: say which element, as in [0]", err);
    }
    const struct proto_field_desc *field = place->field;
    enter(place, field, true);
    *last = field;
    return 0;
}

int apitest_path_check(const struct proto_message_desc *desc, struct str path,
                       const struct proto_field_desc **ret_last, struct err *err)
{
    struct place place = {.desc = desc, .free = is_free(desc)};
    const struct proto_field_desc *last = NULL;
    struct step step;
    size_t at = 0;
    bool element = false;
    int r;
    while ((r = next_step(path, &at, &step, err)) == 0) {
        if (element) {
            return wants(&step, "a single value: nothing is inside", err);
        }
        bool was_list = place.desc == NULL && !place.free;
        r = check_step(&place, &step, &last, err);
        if (r < 0) {
            return r;
        }
        element = was_list && place.desc == NULL;
    }
    if (r < 0) {
        return r;
    }
    if (ret_last != NULL) {
        *ret_last = place.free ? NULL : last;
    }
    return 0;
}

static bool is_word(struct str key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return key.len > 0;
}

void apitest_path_key(struct buf *path, struct str key)
{
    if (is_word(key)) {
        buf_add_cstr(path, path->len > 0 ? "." : "");
        buf_add_str(path, key);
        return;
    }
    buf_add_char(path, '[');
    json_quote(path, key);
    buf_add_char(path, ']');
}

void apitest_path_field(struct buf *path, const struct proto_field_desc *field)
{
    buf_add_cstr(path, path->len > 0 ? "." : "");
    buf_add_cstr(path, field->is_extension ? "[" : "");
    buf_add_str(path, field->is_extension ? field->full_name : field->name);
    buf_add_cstr(path, field->is_extension ? "]" : "");
}
