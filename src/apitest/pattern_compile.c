/* Patterns from YAML: scalars, lists and what kind a node is; maps and operators are beside. */
#include "apitest/pattern_int.h"

#include <string.h>

enum { DEPTH_MAX = 256 };

struct apitest_pattern *apitest_pattern_new(struct compiler *c, enum pattern_op op,
                                            const struct conf_node *node, struct subject s)
{
    struct apitest_pattern *p = arena_alloc(c->arena, sizeof *p);
    if (p == NULL) {
        (void) conf_error(c->diags, node, "no memory is left for expectations");
        return NULL;
    }
    *p = (struct apitest_pattern){.op = op, .node = node, .subject = s, .checks = 1};
    return p;
}

bool apitest_children(struct compiler *c, struct apitest_pattern *p, size_t n)
{
    p->child = arena_alloc(c->arena, n * sizeof(struct apitest_pattern *));
    p->children = n;
    if (p->child == NULL) {
        (void) conf_error(c->diags, p->node, "no memory is left for expectations");
        return false;
    }
    return true;
}

bool apitest_operand(struct compiler *c, const struct subject *s, const struct conf_node *node,
                     struct operand *ret)
{
    struct operand operand = {.node = node};
    bool known = false, constant = false;
    if (apitest_scalar_read(s, node, c->scope, c->arena, c->diags, &operand.value, &known,
                            &constant) < 0) {
        return false;
    }
    operand.constant = known && constant;
    *ret = operand;
    return true;
}

bool apitest_is_operator(const struct conf_node *key)
{
    struct str text = key->text;
    return text.len > 1 && text.ptr[0] == '$' && text.ptr[1] != '{' && text.ptr[1] != '$';
}

struct apitest_pattern *apitest_compile_items(struct compiler *c, const struct conf_node *node,
                                              struct subject s, enum pattern_op op)
{
    struct subject inner = apitest_inner(s);
    bool exact = c->exact, good = true;
    struct apitest_pattern *p = apitest_pattern_new(c, op, node, s);
    if (p == NULL || !apitest_children(c, p, node->len)) {
        return NULL;
    }
    c->exact = exact && op != PAT_CONTAINS;
    for (size_t i = 0; i < node->len; i++) {
        p->child[i] = apitest_compile(c, node->item[i], inner);
        good = good && p->child[i] != NULL;
        p->checks += p->child[i] != NULL ? p->child[i]->checks : 0;
    }
    c->exact = exact;
    bool length = op == PAT_LIST || op == PAT_UNORDERED || node->len > 0;
    p->checks -= length ? 0 : 1;
    return good ? p : NULL;
}

/* A variable that holds a whole message or list, as JSON. */
static struct apitest_pattern *compile_same(struct compiler *c, const struct conf_node *node,
                                            struct subject s)
{
    static const struct subject text = {.kind = SUBJECT_TEXT};
    char what[128];
    struct conf_template tpl;
    struct err err = {0};
    if (conf_template_parse(node->text, c->arena, &tpl, &err) < 0) {
        (void) conf_error(c->diags, node, "%s", err.msg);
        return NULL;
    }
    if (!tpl.whole) {
        const char *right = s.kind == SUBJECT_LIST  ? "a list [..]"
                            : s.kind == SUBJECT_MAP ? "a map of keys"
                            : s.kind == SUBJECT_ANY ? "a map with \"@type\""
                                                    : "a map of its fields";
        (void) conf_error(c->diags, node, "\"" STR_FMT "\" for %s: write %s, or null",
                          STR_ARG(apitest_cut(node->text, 64)), apitest_subject_text(&s, what),
                          right);
        return NULL;
    }
    struct apitest_pattern *p = apitest_pattern_new(c, PAT_SAME, node, s);
    return p != NULL && apitest_operand(c, &text, node, &p->operand) ? p : NULL;
}

static struct apitest_pattern *compile_null(struct compiler *c, const struct conf_node *node,
                                            struct subject s)
{
    bool json = s.kind == SUBJECT_JSON;
    bool null_value = s.kind == SUBJECT_ENUM && s.field->enumeration->is_null_value;
    if (s.element && !json && !null_value) {
        char what[128];
        (void) conf_error(c->diags, node, "null for %s: an element is always set",
                          apitest_subject_text(&s, what));
        return NULL;
    }
    return apitest_pattern_new(c, json || null_value ? PAT_NULL : PAT_ABSENT, node, s);
}

static struct apitest_pattern *compile_scalar(struct compiler *c, const struct conf_node *node,
                                              struct subject s)
{
    const int whole = SUBJECT_MESSAGE | SUBJECT_ANY | SUBJECT_LIST | SUBJECT_MAP;
    bool null_text = s.kind == SUBJECT_TEXT && node->text.len == 0;
    if (conf_is_null(node) && !null_text) {
        return compile_null(c, node, s);
    }
    if (((int) s.kind & whole) != 0) {
        return compile_same(c, node, s);
    }
    struct apitest_pattern *p = apitest_pattern_new(c, PAT_EQ, node, s);
    return p != NULL && apitest_operand(c, &s, node, &p->operand) ? p : NULL;
}

static struct apitest_pattern *compile_list(struct compiler *c, const struct conf_node *node,
                                            struct subject s)
{
    const int lists = SUBJECT_LIST | SUBJECT_JSON | SUBJECT_TEXT;
    char what[128];
    if (((int) s.kind & lists) == 0) {
        (void) conf_error(c->diags, node, "a list for %s%s", apitest_subject_text(&s, what),
                          s.kind == SUBJECT_MESSAGE || s.kind == SUBJECT_MAP
                              ? ""
                              : ": for one of several values write {$in: [..]}");
        return NULL;
    }
    return apitest_compile_items(c, node, s, PAT_LIST);
}

/* A map of operators, of plain keys, or of both: all have to hold. */
static struct apitest_pattern *compile_map(struct compiler *c, const struct conf_node *node,
                                           struct subject s)
{
    size_t operators = 0, n = 0;
    bool good = true;
    for (size_t i = 0; i < node->len; i++) {
        operators += apitest_is_operator(node->entry[i].key) ? 1 : 0;
    }
    if (operators == 0) {
        return apitest_compile_map(c, node, s);
    }
    struct apitest_pattern *p = apitest_pattern_new(c, PAT_ALL, node, s);
    if (p == NULL || !apitest_children(c, p, operators + 1)) {
        return NULL;
    }
    p->checks = 0;
    for (size_t i = 0; i < node->len; i++) {
        if (!apitest_is_operator(node->entry[i].key)) {
            continue;
        }
        struct apitest_pattern *child =
            apitest_compile_operator(c, node->entry[i].key, node->entry[i].value, s);
        good = good && child != NULL;
        p->checks += child != NULL ? child->checks : 0;
        p->child[n++] = child;
    }
    if (operators < node->len) {
        p->child[n] = apitest_compile_map(c, node, s);
        good = good && p->child[n] != NULL;
        p->checks += p->child[n] != NULL ? p->child[n]->checks : 0;
        n++;
    }
    p->children = n;
    return good && n == 1 ? p->child[0] : good ? p : NULL;
}

struct apitest_pattern *apitest_compile(struct compiler *c, const struct conf_node *node,
                                        struct subject s)
{
    struct apitest_pattern *p = NULL;
    if (c->depth == DEPTH_MAX) {
        (void) conf_error(c->diags, node, "nested too deep");
        return NULL;
    }
    c->depth++;
    switch (node->kind) {
    case CONF_SCALAR:
        p = compile_scalar(c, node, s);
        break;
    case CONF_LIST:
        p = compile_list(c, node, s);
        break;
    case CONF_MAP:
        p = compile_map(c, node, s);
        break;
    }
    c->depth--;
    return p;
}

struct apitest_pattern *apitest_pattern_compile(const struct conf_node *node,
                                                struct apitest_type type,
                                                const struct apitest_scope *scope,
                                                struct arena *arena, struct conf_diags *diags)
{
    struct compiler c = {.scope = scope, .arena = arena, .diags = diags};
    struct subject s = apitest_subject_of_type(type);
    /* What is matched as a whole is there, so that {} asserts nothing of it. */
    s.element = type.subject == APITEST_OF_MESSAGE || type.subject == APITEST_OF_JSON;
    return apitest_compile(&c, node, s);
}

size_t apitest_pattern_checks(const struct apitest_pattern *pattern)
{
    return pattern == NULL ? 0 : pattern->checks;
}
