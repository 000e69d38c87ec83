/* Patterns from maps: the fields of a message, the keys of a map, of JSON, and what an Any holds.
 */
#include "apitest/pattern_int.h"
#include "apitest/suggest_int.h"

#include "proto/wkt.h"

static struct apitest_pattern *new_map(struct compiler *c, enum pattern_op op,
                                       const struct conf_node *node, struct subject s)
{
    struct apitest_pattern *p = apitest_pattern_new(c, op, node, s);
    if (p == NULL) {
        return NULL;
    }
    p->member = arena_alloc(c->arena, node->len * sizeof *p->member);
    p->exact = c->exact;
    if (p->member == NULL) {
        (void) conf_error(c->diags, node, "no memory is left for expectations");
        return NULL;
    }
    return p;
}

/* Is there at all: counts only for what has nothing inside that would need it. */
static void count_members(struct apitest_pattern *p)
{
    p->checks = p->exact || (p->members == 0 && !p->subject.element) ? 1 : 0;
    for (size_t i = 0; i < p->members; i++) {
        p->checks += p->member[i].value != NULL ? p->member[i].value->checks : 0;
    }
}

static bool is_again(struct compiler *c, const struct apitest_pattern *p,
                     const struct conf_node *key, const struct proto_field_desc *field)
{
    for (size_t i = 0; i < p->members; i++) {
        if (p->member[i].field == field) {
            (void) conf_error(c->diags, key, "field " STR_FMT " is written twice",
                              STR_ARG(field->name));
            return true;
        }
    }
    return false;
}

/* skip: a key that is no field ("@type"), or NULL. */
static struct apitest_pattern *compile_fields(struct compiler *c, const struct conf_node *node,
                                              const struct proto_message_desc *desc, bool element,
                                              const char *skip)
{
    struct subject s = {.kind = SUBJECT_MESSAGE, .desc = desc, .element = element};
    struct apitest_pattern *p = new_map(c, PAT_FIELDS, node, s);
    bool good = p != NULL;
    for (size_t i = 0; p != NULL && i < node->len; i++) {
        const struct conf_node *key = node->entry[i].key;
        if (apitest_is_operator(key) || (skip != NULL && str_eq_cstr(key->text, skip))) {
            continue;
        }
        const struct proto_field_desc *field = apitest_field_of_key(key, desc, c->diags);
        if (field == NULL || is_again(c, p, key, field)) {
            good = false;
            continue;
        }
        struct apitest_pattern *value =
            apitest_compile(c, node->entry[i].value, apitest_subject_of_field(field));
        good = good && value != NULL;
        p->member[p->members++] = (struct pattern_member){.field = field, .value = value};
    }
    if (!good) {
        return NULL;
    }
    count_members(p);
    return p;
}

/* "$$name" is the key "$name". */
static const struct conf_node *plain_key(struct compiler *c, const struct conf_node *key)
{
    if (key->text.len < 2 || key->text.ptr[0] != '$' || key->text.ptr[1] != '$' ||
        (key->text.len > 2 && key->text.ptr[2] == '{')) {
        return key;
    }
    struct conf_node *copy = arena_alloc(c->arena, sizeof *copy);
    if (copy == NULL) {
        return key;
    }
    *copy = *key;
    copy->text = (struct str){key->text.ptr + 1, key->text.len - 1};
    return copy;
}

/* Keys of a map field (by the type of its key) or of JSON. */
static struct apitest_pattern *compile_keys(struct compiler *c, const struct conf_node *node,
                                            struct subject s)
{
    bool map = s.kind == SUBJECT_MAP;
    struct subject key_subject = {.kind = SUBJECT_TEXT};
    struct subject inner = apitest_inner(s);
    struct apitest_pattern *p = new_map(c, map ? PAT_ENTRIES : PAT_KEYS, node, s);
    bool good = p != NULL;
    if (map) {
        key_subject = apitest_subject_of_element(proto_map_key(s.field));
    }
    for (size_t i = 0; p != NULL && i < node->len; i++) {
        struct pattern_member member = {.field = NULL};
        if (apitest_is_operator(node->entry[i].key)) {
            continue;
        }
        struct conf_node *key = arena_alloc(c->arena, sizeof *key);
        if (key == NULL) {
            return NULL;
        }
        *key = *plain_key(c, node->entry[i].key);
        key->style = map ? key->style : CONF_SINGLE;
        inner.element = false;
        good = apitest_operand(c, &key_subject, key, &member.key) && good;
        member.value = apitest_compile(c, node->entry[i].value, inner);
        good = good && member.value != NULL;
        p->member[p->members++] = member;
    }
    if (!good) {
        return NULL;
    }
    count_members(p);
    return p;
}

static bool is_special(const struct proto_message_desc *desc)
{
    return desc->wkt != PROTO_WKT_NONE && desc->wkt != PROTO_WKT_EMPTY;
}

/* What is inside an Any of a known type: {"@type": T, field: ..} or {"@type": T, value: ..}. */
static struct apitest_pattern *compile_inside(struct compiler *c, const struct conf_node *node,
                                              const struct proto_message_desc *desc)
{
    const struct conf_node *value = conf_get(node, "value");
    if (!is_special(desc) || value == NULL) {
        return compile_fields(c, node, desc, true, "@type");
    }
    for (size_t i = 0; i < node->len; i++) {
        const struct conf_node *key = node->entry[i].key;
        if (!apitest_is_operator(key) && !str_eq_cstr(key->text, "value") &&
            !str_eq_cstr(key->text, "@type")) {
            (void) conf_error(c->diags, key,
                              "\"" STR_FMT "\" beside \"value\": an Any of " STR_FMT
                              " has its value there and nothing else",
                              STR_ARG(key->text), STR_ARG(desc->full_name));
            return NULL;
        }
    }
    return apitest_compile(c, value, apitest_subject_of_message(desc));
}

static bool only_raw(struct compiler *c, const struct conf_node *node, struct str name)
{
    for (size_t i = 0; i < node->len; i++) {
        const struct conf_node *key = node->entry[i].key;
        if (!apitest_is_operator(key) && !str_eq_cstr(key->text, "value") &&
            !str_eq_cstr(key->text, "@type")) {
            (void) conf_error(c->diags, key,
                              "the type " STR_FMT " is not known, so its fields are not: only its "
                              "bytes can be compared, as value: BASE64",
                              STR_ARG(name));
            return false;
        }
    }
    return true;
}

static struct apitest_pattern *compile_any(struct compiler *c, const struct conf_node *node,
                                           struct subject s)
{
    const struct conf_node *type = conf_get(node, "@type");
    struct apitest_text text = {.known = false};
    if (type == NULL) {
        return compile_fields(c, node, s.desc, s.element,
                              NULL); /* type_url and value as they are */
    }
    if (apitest_expand(c->scope, type, c->arena, c->diags, &text) < 0) {
        return NULL;
    }
    if (!text.constant || text.text.len == 0) {
        (void) conf_error(c->diags, type, "\"@type\" has to be the name of a message");
        return NULL;
    }
    struct apitest_pattern *p = apitest_pattern_new(c, PAT_TYPED, node, s);
    if (p == NULL || !apitest_children(c, p, 1)) {
        return NULL;
    }
    p->type_name = apitest_type_name(text.text);
    const struct proto_message_desc *desc = proto_any_type(s.desc->file->pool, text.text);
    if (desc == NULL && !only_raw(c, node, p->type_name)) {
        return NULL;
    }
    p->child[0] = desc == NULL ? compile_fields(c, node, s.desc, true, "@type")
                               : compile_inside(c, node, desc);
    if (p->child[0] == NULL) {
        return NULL;
    }
    bool empty = p->child[0]->members == 0 && p->child[0]->op == PAT_FIELDS && !p->child[0]->exact;
    p->children = empty ? 0 : 1;
    p->checks += empty ? 0 : p->child[0]->checks;
    return p;
}

struct apitest_pattern *apitest_compile_map(struct compiler *c, const struct conf_node *node,
                                            struct subject s)
{
    char what[128];
    if (s.kind == SUBJECT_MAP) {
        return compile_keys(c, node, s);
    }
    if (s.kind == SUBJECT_ANY) {
        return compile_any(c, node, s);
    }
    if (s.kind == SUBJECT_JSON) {
        return compile_keys(c, node, s);
    }
    if (s.desc != NULL) {
        return compile_fields(c, node, s.desc, s.element,
                              NULL); /* Timestamps and wrappers by their fields */
    }
    bool list = s.kind == SUBJECT_LIST;
    (void) conf_error(c->diags, node, "a map for %s: write %s, or operators such as %s",
                      apitest_subject_text(&s, what), list ? "a list" : "a value",
                      list ? "{$contains: [..]}" : "{$ne: ..}");
    return NULL;
}
