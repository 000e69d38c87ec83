/* A file of tests into a suite: the file's keys, its tests, their cases. */
#include "apitest/suite_int.h"

#include "base/mem.h"
#include "base/num.h"

#include <string.h>

void *suite_alloc(struct suite_reader *r, size_t n, size_t size)
{
    void *ptr = arena_alloc(r->suite->arena, n * size + 1);
    if (ptr == NULL) {
        /* The arena is as large as the largest file needs; only a file of nothing but cases gets
         * here. */
        conf_error(r->diags, r->suite->file.document[0], "the file is too large to be held");
        ptr = mem_zalloc(n * size + 1);
    }
    return ptr;
}

void suite_texts(struct suite_reader *r, const struct conf_node *node, struct str **ret,
                 size_t *ret_len)
{
    *ret = NULL;
    *ret_len = 0;
    if (node == NULL || node->kind == CONF_MAP) {
        return;
    }
    size_t n = node->kind == CONF_LIST ? node->len : 1;
    struct str *text = suite_alloc(r, n, sizeof *text);
    for (size_t i = 0; i < n; i++) {
        text[i] = node->kind == CONF_LIST ? node->item[i]->text : node->text;
    }
    *ret = text;
    *ret_len = n;
}

const struct conf_node *suite_key(const struct conf_node *map, const char *key)
{
    for (size_t i = 0; map != NULL && map->kind == CONF_MAP && i < map->len; i++) {
        if (str_eq_cstr(map->entry[i].key->text, key)) {
            return map->entry[i].key;
        }
    }
    return NULL;
}

const struct conf_node *suite_inherit(const struct suite_reader *r, const struct conf_node *node,
                                      const char *key)
{
    const struct conf_node *found = conf_get(node, key);
    for (size_t i = 0; found == NULL && i < sizeof r->defaults / sizeof r->defaults[0]; i++) {
        found = conf_get(r->defaults[i], key);
    }
    return found;
}

/* The cases under one key of a test. */
static void read_cases(struct suite_reader *r, const struct conf_node *list, enum apitest_role role,
                       struct apitest_scope *scope, struct apitest_case ***ret, size_t *ret_len)
{
    if (list == NULL || list->kind != CONF_LIST) {
        return;
    }
    struct apitest_case **cases = suite_alloc(r, list->len, sizeof(struct apitest_case *));
    size_t n = 0;
    for (size_t i = 0; i < list->len; i++) {
        struct apitest_case *c = suite_case(r, list->item[i], role, scope);
        if (c != NULL) {
            r->test->saves_something |= c->saves > 0;
            cases[n++] = c;
        }
    }
    *ret = cases;
    *ret_len = n;
}

static int read_kind(struct suite_reader *r, const struct conf_node *node)
{
    struct apitest_test *test = r->test;
    const struct conf_node *http = conf_get(node, "http");
    const struct conf_node *service = conf_get(node, "serviceName");
    if (http == NULL) {
        test->kind = APITEST_GRPC;
        if (service == NULL) {
            return conf_error(r->diags, conf_get(node, "testName"),
                              "test \"" STR_FMT
                              "\" has neither serviceName (gRPC) nor http: write one of them",
                              STR_ARG(test->name));
        }
        r->pool = suite_pool(r, node);
        test->service = r->pool == NULL ? NULL : suite_service(r, node);
        return test->service == NULL ? ERR_INVALID : 0;
    }
    test->kind = APITEST_HTTP;
    if (service != NULL) {
        return conf_error(r->diags, suite_key(node, "serviceName"),
                          "a test is either gRPC (serviceName) or http: write two tests");
    }
    const struct conf_node *scheme = conf_get(http, "scheme");
    if (scheme != NULL && scheme->kind == CONF_SCALAR) {
        test->https = str_eq_cstr(scheme->text, "https");
        test->http_plain = str_eq_cstr(scheme->text, "http");
    }
    return 0;
}

/* Reads a test whose keys are known to be right. */
static void read_test(struct suite_reader *r, const struct conf_node *node,
                      const struct apitest_scope *outer, struct apitest_scope *saves_to)
{
    struct apitest_test *test = r->test;
    const struct conf_node *target = conf_get(node, "target");
    const struct conf_node *parallel = conf_get(node, "parallel");
    test->name = conf_get(node, "testName")->text;
    test->target = target == NULL ? (struct str){NULL, 0} : target->text;
    test->vars = conf_get(node, "vars");
    suite_texts(r, conf_get(node, "tags"), &test->tag, &test->tags);
    if (parallel != NULL) {
        (void) conf_bool(r->diags, parallel, &test->parallel);
    }
    r->defaults[0] = conf_get(node, "defaults");
    if (read_kind(r, node) != 0) {
        return;
    }
    struct apitest_scope *scope = saves_to;
    struct apitest_scope own;
    if (scope == NULL) {
        apitest_scope_init(&own, outer, r->load->secrets, r->suite->arena, true);
        scope = &own;
    }
    (void) apitest_vars_scope(test->vars, scope, r->diags);
    read_cases(r, conf_get(node, "setup"), APITEST_ROLE_SETUP, scope, &test->setup, &test->setups);
    read_cases(r, conf_get(node, "cases"), APITEST_ROLE_TEST, scope, &test->cases, &test->n_cases);
    read_cases(r, conf_get(node, "teardown"), APITEST_ROLE_TEARDOWN, scope, &test->teardown,
               &test->teardowns);
    if (scope == &own) {
        apitest_scope_done(&own);
    }
}

static void read_tests(struct suite_reader *r, const struct conf_node *list, enum apitest_role role)
{
    if (list == NULL || list->kind != CONF_LIST) {
        return;
    }
    for (size_t i = 0; i < list->len; i++) {
        const struct conf_node *node = list->item[i];
        if (conf_check_keys(r->diags, node, "a test", apitest_test_keys) != 0) {
            continue;
        }
        struct apitest_test *test = suite_alloc(r, 1, sizeof *test);
        test->role = role;
        test->pos = node->pos;
        test->node = node;
        test->suite = r->suite;
        r->test = test;
        r->pool = NULL;
        /* What a setup of the file saves, all tests may use. */
        read_test(r, node, &r->scope, role == APITEST_ROLE_SETUP ? &r->scope : NULL);
        r->suite->test[r->suite->tests++] = test;
    }
}

static void read_requires(struct suite_reader *r, const struct conf_node *node)
{
    if (node == NULL) {
        return;
    }
    struct apitest_suite *suite = r->suite;
    suite->requires.item = suite_alloc(r, node->len + 1, sizeof *suite->requires.item);
    for (size_t i = 0; i < node->len || (node->kind == CONF_SCALAR && i == 0); i++) {
        const struct conf_node *name = node->kind == CONF_MAP    ? node->entry[i].key
                                       : node->kind == CONF_LIST ? node->item[i]
                                                                 : node;
        struct apitest_named *named = &suite->requires.item[suite->requires.len];
        if (suite_variable(r->diags, name) != 0) {
            continue;
        }
        named->name = name->text;
        named->node = name;
        suite->requires.len++;
    }
}

/* The value of one required variable against what it must be like. */
static void match_required(struct suite_reader *r, const struct apitest_named *named)
{
    const struct apitest_var *var = apitest_scope_find(&r->scope, named->name);
    if (named->pattern == NULL || var == NULL) {
        return;
    }
    struct apitest_value value = {.kind = APITEST_TEXT, .text = var->text};
    struct apitest_diffs diffs = {.arena = r->suite->arena};
    if (!apitest_match(named->pattern, &value, "value", &r->scope, &diffs)) {
        conf_error(r->diags, named->node,
                   STR_FMT " is \"" STR_FMT
                           "\", which is not what this file requires: nothing is called",
                   STR_ARG(named->name), STR_ARG(var->text));
    }
    vec_done(&diffs.list);
}

/* Patterns may use variables, hence after the scope is there. */
static void read_requires_patterns(struct suite_reader *r, const struct conf_node *node)
{
    struct apitest_type type = {.subject = APITEST_OF_TEXT};
    for (size_t i = 0; node != NULL && node->kind == CONF_MAP && i < r->suite->requires.len; i++) {
        r->suite->requires.item[i].pattern = apitest_pattern_compile(
            node->entry[i].value, type, &r->scope, r->suite->arena, r->diags);
        match_required(r, &r->suite->requires.item[i]);
    }
}

static void read_coverage(struct suite_reader *r, const struct conf_node *node)
{
    const struct conf_node *methods = conf_get(node, "methods");
    if (methods == NULL) {
        return;
    }
    struct err err = {0};
    if (num_share_ppm(methods->text, &r->suite->coverage_ppm, &err) != 0) {
        conf_error(r->diags, methods, "coverage: %s", err.msg);
    }
    suite_texts(r, conf_get(node, "exclude"), &r->suite->exclude, &r->suite->excludes);
}

/* Whether some test has the method: "Method", "Service/Method" or "pkg.Service/Method". */
static bool has_method(const struct apitest_suite *suite, struct str name)
{
    struct str method = name, service = {NULL, 0};
    if (str_find_char(name, '/') < name.len) {
        (void) str_cut(&method, '/', &service);
    }
    for (size_t i = 0; i < suite->tests; i++) {
        const struct proto_service_desc *s = suite->test[i]->service;
        if (s == NULL || proto_method_by_name(s, method) == NULL) {
            continue;
        }
        if (service.len == 0 || str_eq(service, s->name) || str_eq(service, s->full_name)) {
            return true;
        }
    }
    return false;
}

/* A method that is left out of the coverage has to be there: a misspelt one would hide another. */
static void check_excludes(struct suite_reader *r, const struct conf_node *exclude)
{
    for (size_t i = 0; i < r->suite->excludes && r->diags->errors == 0; i++) {
        if (!has_method(r->suite, r->suite->exclude[i])) {
            conf_error(r->diags, exclude->kind == CONF_LIST ? exclude->item[i] : exclude,
                       "\"" STR_FMT "\" is no method of the tested services: write Method or "
                       "Service/Method",
                       STR_ARG(r->suite->exclude[i]));
        }
    }
}

static void read_map(struct suite_reader *r, const struct conf_node *root)
{
    struct apitest_suite *suite = r->suite;
    int64_t version = 1;
    /* All keys of all tests: what they mean is looked at when they are right. */
    if (conf_check_keys(r->diags, root, "the file", apitest_file_keys) != 0) {
        return;
    }
    const struct conf_node *node = conf_get(root, "version");
    if (conf_i64(r->diags, node, INT64_MIN, INT64_MAX, &version) != 0) {
        return;
    }
    if (version != 1) {
        conf_error(r->diags, node, "version " STR_FMT " is not known here: write version: 1",
                   STR_ARG(node->text));
        return;
    }
    suite->vars = conf_get(root, "vars");
    r->defaults[1] = conf_get(root, "defaults");
    read_requires(r, conf_get(root, "requires"));
    if (apitest_suite_scope(suite, r->load, &r->scope, r->diags) != 0) {
        return;
    }
    size_t before = r->diags->errors;
    read_requires_patterns(r, conf_get(root, "requires"));
    if (r->diags->errors > before) {
        return; /* tests with reflection would call already */
    }
    read_coverage(r, conf_get(root, "coverage"));
    size_t n = 0;
    static const char *const lists[] = {"setup", "tests", "teardown"};
    for (size_t i = 0; i < 3; i++) {
        const struct conf_node *list = conf_get(root, lists[i]);
        n += list == NULL ? 0 : list->len;
    }
    suite->test = suite_alloc(r, n, sizeof(struct apitest_test *));
    for (size_t i = 0; i < 3; i++) {
        read_tests(r, conf_get(root, lists[i]), (enum apitest_role) i);
    }
    check_excludes(r, conf_get(conf_get(root, "coverage"), "exclude"));
}

static void read_root(struct suite_reader *r, const struct conf_node *root)
{
    char seen[64];
    if (r->suite->file.documents > 1) {
        conf_error(r->diags, r->suite->file.document[1],
                   "a file of tests is one document: write further tests as items of the list");
        return;
    }
    switch (root->kind) {
    case CONF_MAP:
        read_map(r, root);
        return;
    case CONF_LIST:
        (void) apitest_suite_scope(r->suite, r->load, &r->scope, r->diags);
        r->suite->test = suite_alloc(r, root->len, sizeof(struct apitest_test *));
        read_tests(r, root, APITEST_ROLE_TEST);
        return;
    case CONF_SCALAR:
        break;
    }
    if (conf_is_null(root)) {
        conf_error(&r->suite->hollow, root, "the file is empty: it tests nothing");
        return;
    }
    conf_error(r->diags, root,
               "a file of tests is a list of tests, or a map with version and tests; here is %s",
               conf_describe(root, seen));
}

struct apitest_suite *apitest_suite_load(struct apitest_load *load, const char *path,
                                         struct conf_diags *diags)
{
    struct apitest_suite *suite = mem_zalloc(sizeof *suite);
    if (conf_load(diags, path, &suite->file) != 0) {
        mem_free(suite);
        return NULL;
    }
    suite->arena = &suite->file.arena;
    struct suite_reader r = {.suite = suite, .load = load, .diags = diags};
    apitest_scope_init(&r.scope, NULL, load->secrets, suite->arena, true);
    read_root(&r, suite->file.document[0]);
    if (diags->errors == 0 && suite->hollow.errors == 0 && suite->tests == 0) {
        conf_error(&suite->hollow, suite->file.document[0], "the file has no tests");
    }
    apitest_scope_done(&r.scope);
    return suite;
}

void apitest_suite_free(struct apitest_suite *take_suite)
{
    if (take_suite != NULL) {
        conf_diags_done(&take_suite->hollow);
        conf_file_done(&take_suite->file);
        mem_free(take_suite);
    }
}
