/* Variables: see scope.h. */
#include "apitest/scope.h"

#include <stdlib.h>

enum { NAMES_MAX = 256, TEXT_MAX = 64 * 1024 * 1024 };

void apitest_scope_init(struct apitest_scope *scope, const struct apitest_scope *outer,
                        struct apitest_secrets *secrets, struct arena *arena, bool checking)
{
    *scope = (struct apitest_scope){
        .outer = outer, .secrets = secrets, .arena = arena, .checking = checking};
    map_init(&scope->vars);
}

void apitest_scope_done(struct apitest_scope *scope)
{
    if (scope != NULL) {
        map_done(&scope->vars);
        *scope = (struct apitest_scope){.outer = NULL};
    }
}

bool apitest_scope_set(struct apitest_scope *scope, struct str name, struct str text, bool known,
                       bool secret)
{
    struct apitest_var *var = arena_alloc(scope->arena, sizeof *var);
    char *copy = arena_strdup(scope->arena, known ? text : STR(""));
    if (var == NULL || copy == NULL) {
        return false;
    }
    *var = (struct apitest_var){{copy, known ? text.len : 0}, known, secret};
    (void) map_put(&scope->vars, name, var);
    return true;
}

const struct apitest_var *apitest_scope_find(const struct apitest_scope *scope, struct str name)
{
    for (; scope != NULL; scope = scope->outer) {
        const struct apitest_var *var = map_get(&scope->vars, name);
        if (var != NULL) {
            return var;
        }
    }
    return NULL;
}

struct apitest_secrets *apitest_scope_secrets(const struct apitest_scope *scope)
{
    while (scope != NULL && scope->secrets == NULL) {
        scope = scope->outer;
    }
    return scope == NULL ? NULL : scope->secrets;
}

/* What a lookup needs besides the part. */
struct lookup {
    const struct apitest_scope *scope;
    struct arena *arena;
    bool unknown; /* a variable without a value was met while checking */
};

static int unknown_variable(const struct apitest_scope *scope, struct str name, struct err *err)
{
    const char *choice[NAMES_MAX] = {NULL};
    size_t n = 0;
    for (; scope != NULL; scope = scope->outer) {
        for (size_t i = 0; i < scope->vars.len && n < NAMES_MAX; i++) {
            choice[n++] = scope->vars.entry[i].owned_key;
        }
    }
    const char *near = str_nearest(name, choice, n);
    if (near != NULL) {
        return err_set(err, ERR_NOT_FOUND, "unknown variable \"" STR_FMT "\": did you mean \"%s\"?",
                       STR_ARG(name), near);
    }
    return err_set(err, ERR_NOT_FOUND,
                   "unknown variable \"" STR_FMT "\": neither in vars nor saved by a case before%s",
                   STR_ARG(name), n == 0 ? " (there are none here)" : "");
}

static int lookup_var(struct lookup *l, struct str name, struct str *ret, struct err *err)
{
    const struct apitest_var *var = apitest_scope_find(l->scope, name);
    if (var == NULL) {
        return unknown_variable(l->scope, name, err);
    }
    if (!var->known && !l->scope->checking) {
        return err_set(err, ERR_NOT_FOUND,
                       "\"" STR_FMT "\" has no value: the case that saves it did not get that far",
                       STR_ARG(name));
    }
    l->unknown = l->unknown || !var->known;
    *ret = var->text;
    return 0;
}

static int lookup_env(struct lookup *l, struct str name, struct str *ret, struct err *err)
{
    char *owned = arena_strdup(l->arena, name);
    if (owned == NULL) {
        return err_set(err, ERR_FULL, "no memory is left for the name of a variable");
    }
    const char *value = getenv(owned); /* NOLINT(concurrency-mt-unsafe): one thread */
    if (value == NULL) {
        return err_set(err, ERR_NOT_FOUND, "the environment variable %s is not set", owned);
    }
    *ret = str_of(value);
    return 0;
}

static int lookup_part(const struct conf_part *part, struct str *ret, struct err *err, void *ctx)
{
    struct lookup *l = ctx;
    switch (part->kind) {
    case CONF_PART_VAR:
        return lookup_var(l, part->text, ret, err);
    case CONF_PART_ENV:
        return lookup_env(l, part->text, ret, err);
    case CONF_PART_SECRET: {
        struct apitest_secrets *secrets = apitest_scope_secrets(l->scope);
        if (secrets == NULL) {
            return err_set(err, ERR_NOT_FOUND, "no secrets are allowed here");
        }
        return apitest_secrets_get(secrets, part->text, ret, err);
    }
    case CONF_PART_TEXT:
        break;
    }
    *ret = part->text;
    return 0;
}

/* The place inside a plain scalar of one line; of others the scalar's. */
static struct conf_node node_at(const struct conf_node *node, size_t offset)
{
    struct conf_node at = *node;
    if (node->style == CONF_PLAIN && node->pos.col > 0 && offset < node->text.len &&
        str_find_char(node->text, '\n') == node->text.len) {
        at.pos.col += (unsigned) offset;
        at.width = at.width > offset ? at.width - (unsigned) offset : 0;
        at.text = (struct str){node->text.ptr + offset, node->text.len - offset};
    }
    return at;
}

/* Looks at each variable by itself, so that all errors come with their own place. */
static int check_parts(struct lookup *l, const struct conf_template *tpl,
                       const struct conf_node *node, struct conf_diags *diags)
{
    int r = 0;
    for (size_t i = 0; i < tpl->len; i++) {
        struct str value = {NULL, 0};
        struct err err = {0};
        if (lookup_part(&tpl->part[i], &value, &err, l) < 0) {
            struct conf_node at = node_at(node, tpl->part[i].offset);
            r = conf_error(diags, &at, "%s", err.msg);
        }
    }
    return r;
}

int apitest_expand(const struct apitest_scope *scope, const struct conf_node *node,
                   struct arena *arena, struct conf_diags *diags, struct apitest_text *ret)
{
    struct conf_template tpl;
    struct err err = {0};
    if (node->kind != CONF_SCALAR) {
        char seen[64];
        return conf_error(diags, node, "%s instead of a text", conf_describe(node, seen));
    }
    if (conf_template_parse(node->text, arena, &tpl, &err) < 0) {
        return conf_error(diags, node, "%s", err.msg);
    }
    struct lookup l = {.scope = scope, .arena = arena};
    if (check_parts(&l, &tpl, node, diags) < 0) {
        return ERR_INVALID;
    }
    struct apitest_text text = {
        .known = !l.unknown, .whole = tpl.whole, .constant = tpl.constant, .text = STR("")};
    if (!l.unknown) {
        struct buf b;
        buf_init(&b, TEXT_MAX);
        int r = conf_template_expand(&tpl, lookup_part, &l, &b, &err);
        char *copy = r < 0 || b.failed ? NULL : arena_strdup(arena, buf_str(&b));
        text.text = (struct str){copy, b.len};
        buf_done(&b);
        if (copy == NULL) {
            return conf_error(diags, node, "%s",
                              r < 0 ? err.msg : "the text is too large with its variables put in");
        }
    }
    *ret = text;
    return 0;
}
