/* What the variables of a suite are worth: given ones, the file's, a test's, a case's. */
#include "apitest/suite_int.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* --var, else the environment. */
static const char *given_value(const struct apitest_load *load, struct str name)
{
    const char *value = map_get(&load->given, name);
    if (value == NULL) {
        _cleanup_(mem_freep) char *copy = mem_strdup_str(name);
        value = getenv(copy); /* NOLINT(concurrency-mt-unsafe): one thread */
    }
    return value;
}

int suite_variable(struct conf_diags *diags, const struct conf_node *name)
{
    char seen[64];
    return name->kind == CONF_SCALAR && conf_is_variable(name->text)
               ? 0
               : conf_error(diags, name,
                            "%s is no name of a variable: it begins with a letter or _, and has "
                            "letters, digits, \"_\", \"-\" and \".\"; it cannot begin with env. or "
                            "secret.",
                            conf_describe(name, seen));
}

int apitest_vars_scope(const struct conf_node *vars, struct apitest_scope *scope,
                       struct conf_diags *diags)
{
    int status = 0;
    for (size_t i = 0; vars != NULL && vars->kind == CONF_MAP && i < vars->len; i++) {
        const struct conf_node *key = vars->entry[i].key;
        const struct conf_node *value = vars->entry[i].value;
        struct apitest_text text = {0};
        if (suite_variable(diags, key) != 0) {
            status = ERR_INVALID;
            continue;
        }
        if (value->kind != CONF_SCALAR) {
            char seen[64];
            status = conf_error(diags, value, "variable \"" STR_FMT "\" has to be one text, not %s",
                                STR_ARG(key->text), conf_describe(value, seen));
            continue;
        }
        if (apitest_expand(scope, value, scope->arena, diags, &text) != 0) {
            status = ERR_INVALID;
            continue;
        }
        if (!apitest_scope_set(scope, key->text, text.text, text.known, false)) {
            status = conf_error(diags, value, "variables are too large");
        }
    }
    return status;
}

int apitest_suite_scope(const struct apitest_suite *suite, const struct apitest_load *load,
                        struct apitest_scope *scope, struct conf_diags *diags)
{
    int status = 0;
    for (size_t i = 0; i < load->given.len; i++) {
        (void) apitest_scope_set(scope, load->given.entry[i].key,
                                 str_of(load->given.entry[i].value), true, false);
    }
    for (size_t i = 0; i < suite->requires.len; i++) {
        const struct apitest_named *named = &suite->requires.item[i];
        const char *value = given_value(load, named->name);
        if (value == NULL || value[0] == '\0') {
            status = conf_error(diags, named->node,
                                "this file requires " STR_FMT
                                " and calls nothing without it: give --var " STR_FMT
                                "=... or set it in the environment",
                                STR_ARG(named->name), STR_ARG(named->name));
            continue;
        }
        (void) apitest_scope_set(scope, named->name, str_of(value), true, false);
    }
    /* Given variables win over those of the file: they are set once more behind them. */
    if (apitest_vars_scope(suite->vars, scope, diags) != 0) {
        status = ERR_INVALID;
    }
    for (size_t i = 0; i < load->given.len; i++) {
        (void) apitest_scope_set(scope, load->given.entry[i].key,
                                 str_of(load->given.entry[i].value), true, false);
    }
    return status;
}
