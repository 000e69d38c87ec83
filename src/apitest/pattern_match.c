/* Patterns against values: the walk, what is told of differences, maps; scalars and lists beside.
 */
#include "apitest/pattern_int.h"
#include "apitest/suggest_int.h"

#include "base/cleanup.h"
#include "proto/scalar.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    STEPS_MAX = 20000000, /* patterns that are tried in one match: some seconds */
    DIFFS_MAX = 50,
    SHOWN_MAX = 400, /* bytes of a value in a difference */
    FIRST_MAX = 80,  /* bytes of a value in a note */
    PATH_MAX_BYTES = 4096,
    MATCH_BYTES_MAX = 256 * 1024 * 1024,
};

void apitest_match_begin(struct match *m, const struct apitest_scope *scope,
                         struct apitest_diffs *diffs, const char *path)
{
    *m = (struct match){.scope = scope, .diffs = diffs, .secrets = apitest_scope_secrets(scope)};
    m->secrets = diffs->secrets != NULL ? diffs->secrets : m->secrets;
    buf_init(&m->path, PATH_MAX_BYTES);
    arena_init(&m->arena, MATCH_BYTES_MAX);
    buf_add_cstr(&m->path, path);
}

bool apitest_match_end(struct match *m, bool matched)
{
    pcre2_match_data_free(m->regex_data);
    map_done(&m->made);
    buf_done(&m->path);
    arena_done(&m->arena);
    return matched && !m->broken;
}

/* The address itself is the key. */
static struct str key_of(const void *const *address)
{
    return (struct str){(const char *) address, sizeof(void *)};
}

void *apitest_made(const struct match *m, const void *of)
{
    return map_get(&m->made, key_of(&of));
}

void apitest_made_put(struct match *m, const void *of, void *made)
{
    (void) map_put(&m->made, key_of(&of), made);
}

static struct str keep(struct match *m, const char *text, size_t len)
{
    char *copy = arena_strdup(m->diffs->arena, (struct str){text, len});
    return copy == NULL ? STR("(no memory is left for this text)") : (struct str){copy, len};
}

/* The author's words; where they are a variable, its value first: that is what the reader wants. */
static void show_expected(struct match *m, const struct apitest_pattern *p, struct buf *b)
{
    struct apitest_text text = {.known = false};
    if (p->word != NULL) {
        buf_add_cstr(b, p->word);
        buf_add_cstr(b, ": ");
    }
    bool variable = p->op != PAT_SAME && p->operand.node == p->node && !p->operand.constant;
    struct conf_diags diags = {.errors = 0};
    variable = variable && apitest_expand(m->scope, p->node, &m->arena, &diags, &text) == 0;
    conf_diags_done(&diags);
    if (variable) {
        struct apitest_value value = apitest_value_of_text(text.text);
        apitest_value_show_safe(m->secrets, &value, SHOWN_MAX, b);
        buf_add_cstr(b, " (");
    }
    apitest_node_show(p->node, SHOWN_MAX, b);
    buf_add_cstr(b, variable ? ")" : "");
}

bool apitest_differs(struct match *m, const struct apitest_pattern *p,
                     const struct apitest_value *v, const char *expected, const char *got,
                     const char *note, ...)
{
    m->fails++;
    if (m->silent) {
        return false;
    }
    size_t max = m->diffs->max == 0 ? DIFFS_MAX : m->diffs->max;
    m->diffs->total++;
    if (m->diffs->list.len >= max) {
        return false;
    }
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, 4096);
    struct apitest_diff diff = {
        .path = keep(m, m->path.ptr == NULL ? "" : m->path.ptr, m->path.len), .pos = p->node->pos};
    show_expected(m, p, &b);
    diff.expected = expected != NULL ? keep(m, expected, strlen(expected)) : keep(m, b.ptr, b.len);
    buf_clear(&b);
    apitest_value_show_safe(m->secrets, v, SHOWN_MAX, &b);
    diff.got = got != NULL ? keep(m, got, strlen(got)) : keep(m, b.ptr, b.len);
    char text[1024];
    va_list args;
    va_start(args, note);
    int n = vsnprintf(text, sizeof text, note, args);
    va_end(args);
    diff.note = keep(m, text, n < 0 ? 0 : strlen(text));
    vec_push(&m->diffs->list, diff);
    return false;
}

bool apitest_give_up(struct match *m, const struct apitest_pattern *p,
                     const struct apitest_value *v, const char *why)
{
    bool silent = m->silent;
    if (!m->broken) {
        m->silent = false;
        (void) apitest_differs(m, p, v, NULL, NULL, "%s", why);
        m->silent = silent;
    }
    m->broken = true;
    return false;
}

bool apitest_operand_now(struct match *m, const struct apitest_pattern *p, const struct subject *s,
                         const struct operand *operand, struct scalar *ret)
{
    const struct scalar *made = operand->constant ? &operand->value : apitest_made(m, operand);
    if (made != NULL) {
        *ret = *made;
        return true;
    }
    struct conf_diags diags = {.errors = 0};
    bool known = false, constant = false;
    int r =
        apitest_scalar_read(s, operand->node, m->scope, &m->arena, &diags, ret, &known, &constant);
    if (r < 0 || !known) {
        static const struct apitest_value nothing = {.kind = APITEST_ABSENT};
        (void) apitest_give_up(m, p, &nothing,
                               diags.list.len > 0 ? diags.list.ptr[0].msg
                                                  : "a variable has no value yet");
    } else if (s->kind == SUBJECT_INSTANT && ret->now) {
        int64_t nanos = ret->nanos + (int64_t) (m->diffs->now_ms % 1000) * 1000000;
        ret->number += (int64_t) (m->diffs->now_ms / 1000) + nanos / 1000000000;
        ret->nanos = (int32_t) (nanos % 1000000000);
    }
    conf_diags_done(&diags);
    struct scalar *copy = r == 0 && known ? arena_alloc(&m->arena, sizeof *copy) : NULL;
    if (copy != NULL) {
        *copy = *ret;
        apitest_made_put(m, operand, copy);
    }
    return r == 0 && known;
}

size_t apitest_path_index(struct match *m, size_t i)
{
    size_t len = m->path.len;
    buf_addf(&m->path, "[%zu]", i);
    return len;
}

void apitest_path_back(struct match *m, size_t len)
{
    m->path.len = len;
    m->path.failed = false;
    if (m->path.ptr != NULL) {
        m->path.ptr[len] = '\0';
    }
}

bool apitest_match_silent(struct match *m, const struct apitest_pattern *p,
                          const struct apitest_value *v, size_t *ret_fails)
{
    bool silent = m->silent;
    size_t fails = m->fails;
    m->silent = true;
    m->fails = 0;
    bool matched = apitest_pattern_match(m, p, v);
    if (ret_fails != NULL) {
        *ret_fails = m->fails;
    }
    m->silent = silent;
    m->fails = fails;
    return matched && !m->broken;
}

struct str apitest_match_first(struct match *m, const struct apitest_pattern *p,
                               const struct apitest_value *v, const char *name)
{
    struct apitest_diffs one = {.arena = &m->arena, .max = 1, .now_ms = m->diffs->now_ms};
    struct apitest_diffs *diffs = m->diffs;
    struct buf path = m->path;
    size_t fails = m->fails;
    bool silent = m->silent;
    buf_init(&m->path, PATH_MAX_BYTES);
    buf_add_cstr(&m->path, name);
    m->diffs = &one;
    m->silent = false;
    (void) apitest_pattern_match(m, p, v);
    buf_done(&m->path);
    m->path = path;
    m->diffs = diffs;
    m->silent = silent;
    m->fails = fails;
    /* Only a note is made here, of what has failed already: the next pattern tells of too many
     * steps where it counts. */
    m->broken = false;
    struct str text = {NULL, 0};
    if (one.list.len > 0) {
        const struct apitest_diff *d = &one.list.ptr[0];
        char *printed = arena_printf(&m->arena, STR_FMT ": expected " STR_FMT ", got " STR_FMT "%s",
                                     STR_ARG(d->path), STR_ARG(apitest_cut(d->expected, FIRST_MAX)),
                                     STR_ARG(apitest_cut(d->got, FIRST_MAX)),
                                     one.total > 1 ? " (and more)" : "");
        text = printed == NULL ? text : str_of(printed);
    }
    vec_done(&one.list);
    return text;
}

bool apitest_adapt(struct match *m, const struct subject *s, const struct apitest_value *v,
                   struct apitest_value *ret)
{
    *ret = *v;
    if (v->kind == APITEST_SET && v->items == 0) {
        *ret = (struct apitest_value){.kind = APITEST_ABSENT};
    } else if (v->kind == APITEST_SET && v->items == 1) {
        *ret = apitest_value_of_text(v->item[0]);
    }
    if (v->kind != APITEST_MESSAGE || s->desc == NULL) {
        return true;
    }
    const struct proto_msg *msg = v->proto.msg;
    if (s->kind == SUBJECT_JSON) {
        const struct apitest_json *json = apitest_made(m, msg);
        if (json == NULL) {
            json = apitest_json_of_message(msg, &m->arena);
            if (json == NULL) {
                return false;
            }
            apitest_made_put(m, msg, (void *) (uintptr_t) json);
        }
        *ret = apitest_value_of_json(json);
        return true;
    }
    if (s->kind == SUBJECT_MASK) {
        struct buf b;
        buf_init(&b, MATCH_BYTES_MAX);
        int r = apitest_value_text(v, &b, NULL);
        char *text = r < 0 ? NULL : arena_strdup(&m->arena, buf_str(&b));
        *ret = apitest_value_of_text((struct str){text, b.len});
        buf_done(&b);
        return text != NULL;
    }
    if (s->desc->wkt == PROTO_WKT_WRAPPER && s->kind != SUBJECT_MESSAGE) {
        *ret = apitest_value_of(msg, s->field);
    }
    return true;
}

static bool match_all(struct match *m, const struct apitest_pattern *p,
                      const struct apitest_value *v)
{
    bool matched = true;
    for (size_t i = 0; i < p->children; i++) {
        matched = apitest_pattern_match(m, p->child[i], v) && matched;
    }
    return matched;
}

static bool match_some(struct match *m, const struct apitest_pattern *p,
                       const struct apitest_value *v)
{
    for (size_t i = 0; i < p->children; i++) {
        if (apitest_match_silent(m, p->child[i], v, NULL)) {
            return true;
        }
    }
    return m->broken ? false
                     : apitest_differs(m, p, v, NULL, NULL, "none of %zu matches", p->children);
}

static bool match_not(struct match *m, const struct apitest_pattern *p,
                      const struct apitest_value *v)
{
    bool matched = apitest_match_silent(m, p->child[0], v, NULL);
    return matched ? apitest_differs(m, p, v, NULL, NULL, "%s", "") : !m->broken;
}

/* Not set; of a field without presence: at its default; of a list: empty. */
static bool is_absent(const struct apitest_value *v)
{
    bool element = v->field != NULL && (v->field->repeated || v->field->parent->is_map_entry);
    if (v->kind == APITEST_FIELD && v->field != NULL && !v->field->has_presence && !element) {
        return proto_value_equal(v->field, v->proto, v->field->fallback);
    }
    if (v->kind == APITEST_REPEATED) {
        return v->proto.list == NULL || v->proto.list->len == 0;
    }
    return v->kind == APITEST_ABSENT || (v->kind == APITEST_SET && v->items == 0);
}

static bool match_absent(struct match *m, const struct apitest_pattern *p,
                         const struct apitest_value *v)
{
    bool want = p->op != PAT_PRESENT;
    bool absent = is_absent(v);
    if (p->op == PAT_NULL && v->kind == APITEST_JSON) {
        absent = v->json->kind == APITEST_JSON_NULL;
    } else if (p->op == PAT_NULL && v->kind == APITEST_FIELD) {
        absent = v->proto.i32 == 0;
    }
    if (absent == want) {
        return true;
    }
    bool implicit = v->kind == APITEST_FIELD && !v->field->has_presence;
    return apitest_differs(
        m, p, v, p->word == NULL ? "absent (null)" : NULL, NULL, "%s",
        absent && implicit ? "at its default, which is not sent: the field has no presence" : "");
}

static bool match_member(struct match *m, const struct pattern_member *member,
                         const struct apitest_value *v)
{
    if (v->kind == APITEST_ABSENT && member->value->op == PAT_FIELDS) {
        return apitest_differs(m, member->value, v, NULL, NULL, "%s", "the message is not set");
    }
    return apitest_pattern_match(m, member->value, v);
}

static bool has_member(const struct apitest_pattern *p, const struct proto_field_desc *field)
{
    for (size_t i = 0; i < p->members; i++) {
        if (p->member[i].field == field) {
            return true;
        }
    }
    return false;
}

static bool match_fields(struct match *m, const struct apitest_pattern *p,
                         const struct apitest_value *v)
{
    bool matched = true;
    if (v->kind != APITEST_MESSAGE) {
        return apitest_differs(m, p, v, NULL, NULL, "%s", "");
    }
    const struct proto_msg *msg = v->proto.msg;
    size_t back = m->path.len;
    for (size_t i = 0; i < p->members; i++) {
        struct apitest_value inner = apitest_value_of(msg, p->member[i].field);
        apitest_path_field(&m->path, p->member[i].field);
        matched = match_member(m, &p->member[i], &inner) && matched;
        apitest_path_back(m, back);
    }
    struct proto_iter it = {.msg = msg};
    while (p->exact && proto_next(&it)) {
        if (!has_member(p, it.field)) {
            struct apitest_value inner = apitest_value_of(msg, it.field);
            apitest_path_field(&m->path, it.field);
            matched = apitest_differs(m, p, &inner, "absent", NULL, "%s",
                                      "set, but not listed in $exact");
            apitest_path_back(m, back);
        }
    }
    return matched;
}

static bool same_key(const struct proto_field_desc *key, union proto_value a, union proto_value b)
{
    return proto_value_equal(key, a, b);
}

static bool missing_key(struct match *m, const struct apitest_pattern *p, const char *near)
{
    static const struct apitest_value nothing = {.kind = APITEST_ABSENT};
    /* What asks for absence is content. */
    if (apitest_match_silent(m, p, &nothing, NULL)) {
        return true;
    }
    return m->broken ? false
                     : apitest_differs(m, p, &nothing, NULL, NULL, "%s%s%s",
                                       near != NULL ? "there is a key \"" : "the key is not there",
                                       near != NULL ? near : "", near != NULL ? "\"" : "");
}

struct entry_keys {
    const struct proto_list *list;
    const struct proto_field_desc *key;
};

static struct str entry_key(const void *ctx, size_t i)
{
    const struct entry_keys *keys = ctx;
    return keys->key->type == PROTO_STRING ? proto_get(keys->list->item[i].msg, keys->key).bytes
                                           : (struct str){"", 0};
}

static bool match_entry(struct match *m, const struct apitest_pattern *p,
                        const struct pattern_member *member, const struct proto_list *list,
                        bool *used)
{
    const struct proto_field_desc *key = proto_map_key(p->subject.field);
    const struct proto_field_desc *value = proto_map_value(p->subject.field);
    struct subject key_subject = apitest_subject_of_element(key);
    size_t back = m->path.len, n = list == NULL ? 0 : list->len;
    struct scalar wanted;
    if (!apitest_operand_now(m, p, &key_subject, &member->key, &wanted)) {
        return false;
    }
    struct buf text;
    buf_init(&text, PATH_MAX_BYTES);
    proto_scalar_text(key, wanted.proto, &text);
    apitest_path_key(&m->path, buf_str(&text));
    bool found = false, matched = false;
    for (size_t i = 0; i < n && !found; i++) {
        const struct proto_msg *entry = list->item[i].msg;
        found = same_key(key, proto_get(entry, key), wanted.proto);
        if (found) {
            struct apitest_value inner = apitest_value_of_item(value, proto_get(entry, value));
            used[i] = true;
            matched = apitest_pattern_match(m, member->value, &inner);
        }
    }
    if (!found) {
        struct entry_keys keys = {list, key};
        char near[APITEST_NAME_SIZE];
        bool is_near =
            n > 0 && !m->silent && apitest_nearest(buf_str(&text), entry_key, &keys, n, near);
        matched = missing_key(m, member->value, is_near ? near : NULL);
    }
    buf_done(&text);
    apitest_path_back(m, back);
    return matched;
}

static bool match_entries(struct match *m, const struct apitest_pattern *p,
                          const struct apitest_value *v)
{
    bool matched = true;
    if (v->kind != APITEST_REPEATED) {
        return apitest_differs(m, p, v, NULL, NULL, "%s", "");
    }
    const struct proto_list *list = v->proto.list;
    size_t n = list == NULL ? 0 : list->len, back = m->path.len;
    bool *used = mem_array(n + 1, sizeof *used);
    for (size_t i = 0; i < p->members; i++) {
        matched = match_entry(m, p, &p->member[i], list, used) && matched;
    }
    const struct proto_field_desc *value = proto_map_value(v->field);
    for (size_t i = 0; p->exact && i < n; i++) {
        if (!used[i]) {
            struct apitest_value inner =
                apitest_value_of_item(value, proto_get(list->item[i].msg, value));
            _cleanup_(buf_done) struct buf text;
            buf_init(&text, PATH_MAX_BYTES);
            apitest_key_text(v->field, list->item[i].msg, &text);
            apitest_path_key(&m->path, buf_str(&text));
            matched = apitest_differs(m, p, &inner, "absent", NULL, "%s",
                                      "there, but not listed in $exact");
            apitest_path_back(m, back);
        }
    }
    mem_free(used);
    return matched;
}

static bool match_key(struct match *m, const struct apitest_pattern *p,
                      const struct pattern_member *member, const struct apitest_json *json,
                      struct str *ret_key)
{
    static const struct subject text = {.kind = SUBJECT_TEXT};
    size_t back = m->path.len;
    struct scalar key;
    if (!apitest_operand_now(m, p, &text, &member->key, &key)) {
        return false;
    }
    *ret_key = key.text;
    apitest_path_key(&m->path, key.text);
    const struct apitest_json *found = apitest_json_find(json, key.text);
    bool matched;
    if (found != NULL) {
        struct apitest_value inner = apitest_value_of_json(found);
        matched = apitest_pattern_match(m, member->value, &inner);
    } else {
        char near[APITEST_NAME_SIZE];
        bool is_near = !m->silent && apitest_nearest_key(json, key.text, near);
        matched = missing_key(m, member->value, is_near ? near : NULL);
    }
    apitest_path_back(m, back);
    return matched;
}

static bool match_keys(struct match *m, const struct apitest_pattern *p,
                       const struct apitest_value *v)
{
    bool matched = true;
    if (v->kind != APITEST_JSON || v->json->kind != APITEST_JSON_OBJECT) {
        return apitest_differs(m, p, v, NULL, NULL, "a %s, not a map",
                               v->kind == APITEST_JSON ? apitest_json_kind_name(v->json->kind)
                                                       : "value that is absent");
    }
    size_t back = m->path.len;
    struct str *key = mem_array(p->members + 1, sizeof *key);
    for (size_t i = 0; i < p->members; i++) {
        matched = match_key(m, p, &p->member[i], v->json, &key[i]) && matched;
    }
    for (size_t i = 0; p->exact && i < v->json->len; i++) {
        bool listed = false;
        for (size_t j = 0; j < p->members && !listed; j++) {
            listed = str_eq(key[j], v->json->member[i].key);
        }
        if (!listed) {
            struct apitest_value inner = apitest_value_of_json(v->json->member[i].value);
            apitest_path_key(&m->path, v->json->member[i].key);
            matched = apitest_differs(m, p, &inner, "absent", NULL, "%s",
                                      "there, but not listed in $exact");
            apitest_path_back(m, back);
        }
    }
    mem_free(key);
    return matched;
}

typedef bool (*match_fn)(struct match *m, const struct apitest_pattern *p,
                         const struct apitest_value *v);

static const match_fn by_op[] = {
    [PAT_ALL] = match_all,
    [PAT_SOME] = match_some,
    [PAT_NOT] = match_not,
    [PAT_ABSENT] = match_absent,
    [PAT_PRESENT] = match_absent,
    [PAT_NULL] = match_absent,
    [PAT_EQ] = apitest_match_scalar,
    [PAT_GT] = apitest_match_scalar,
    [PAT_GE] = apitest_match_scalar,
    [PAT_LT] = apitest_match_scalar,
    [PAT_LE] = apitest_match_scalar,
    [PAT_REGEX] = apitest_match_text,
    [PAT_STARTS] = apitest_match_text,
    [PAT_ENDS] = apitest_match_text,
    [PAT_HAS] = apitest_match_text,
    [PAT_LEN] = apitest_match_text,
    [PAT_APPROX] = apitest_match_scalar,
    [PAT_TYPE] = apitest_match_scalar,
    [PAT_INSIDE] = apitest_match_text,
    [PAT_WITHIN] = apitest_match_scalar,
    [PAT_ONEOF] = apitest_match_message,
    [PAT_FIELDS] = match_fields,
    [PAT_ENTRIES] = match_entries,
    [PAT_KEYS] = match_keys,
    [PAT_TYPED] = apitest_match_message,
    [PAT_UNKNOWN] = apitest_match_message,
    [PAT_SAME] = apitest_match_message,
    [PAT_LIST] = apitest_match_list,
    [PAT_PREFIX] = apitest_match_list,
    [PAT_CONTAINS] = apitest_match_list,
    [PAT_UNORDERED] = apitest_match_list,
    [PAT_EACH] = apitest_match_list,
};

bool apitest_pattern_match(struct match *m, const struct apitest_pattern *p,
                           const struct apitest_value *given)
{
    struct apitest_value value;
    if (m->broken) {
        return false;
    }
    if (++m->steps > STEPS_MAX || m->arena.used_bytes > MATCH_BYTES_MAX / 2) {
        return apitest_give_up(m, p, given, "given up: the comparison takes too many steps");
    }
    if (!apitest_adapt(m, &p->subject, given, &value)) {
        return apitest_differs(m, p, given, NULL, NULL, "%s", "the value is out of its range");
    }
    const struct apitest_value *v = &value;
    bool leaf = p->op != PAT_ALL && p->op != PAT_FIELDS && p->op != PAT_ENTRIES &&
                p->op != PAT_KEYS && p->op != PAT_EACH;
    m->diffs->checks += leaf && !m->silent ? 1 : 0;
    if (p->op == PAT_ABSENT || p->op == PAT_PRESENT) {
        return match_absent(m, p, given); /* a wrapper is there or not, whatever it holds */
    }
    return by_op[p->op](m, p, v);
}

bool apitest_match(const struct apitest_pattern *pattern, const struct apitest_value *value,
                   const char *path, const struct apitest_scope *scope, struct apitest_diffs *diffs)
{
    struct match m;
    apitest_match_begin(&m, scope, diffs, path);
    return apitest_match_end(&m, apitest_pattern_match(&m, pattern, value));
}
