/* What a copy has to pass and what runs around it: connect, migrate, tests, hooks. */
#include "base/num.h"
#include "release/config_int.h"

#include <glob.h>
#include <string.h>

static const char *const protocols[] = {
    [CONNECT_TCP] = "tcp",     [CONNECT_HTTP] = "http",       [CONNECT_POSTGRES] = "postgres",
    [CONNECT_MYSQL] = "mysql", [CONNECT_REDIS] = "redis",     [CONNECT_TLS] = "tls",
    [CONNECT_GRPC] = "grpc",   [CONNECT_COMMAND] = "command",
};
enum { PROTOCOLS = sizeof protocols / sizeof protocols[0] };

/* HOST:PORT, where either may be a variable. */
static bool is_address(struct str s)
{
    size_t colon = s.len;
    uint64_t port;
    while (colon > 0 && s.ptr[colon - 1] != ':') {
        colon--;
    }
    struct str last = {s.ptr + colon, s.len - colon};
    return colon > 1 && (num_u64(last, 1, 65535, &port) == 0 || str_ends_with(last, STR("}")));
}

static void check_connect(struct config_build *b, const struct conf_node *node,
                          const struct conf_node *to, enum release_connect_kind kind)
{
    bool says = config_text(node, "expect") != NULL;
    if (to->kind != CONF_SCALAR || kind == CONNECT_COMMAND) {
        return;
    }
    if (kind == CONNECT_HTTP && !str_starts_with(to->text, STR("http://")) &&
        !str_starts_with(to->text, STR("https://"))) {
        (void) conf_error(b->diags, to, "\"http\" has to be a URL, but is \"%.64s\"", to->text.ptr);
    } else if (kind != CONNECT_HTTP && !is_address(to->text)) {
        (void) conf_error(b->diags, to, "\"%s\" has to be HOST:PORT, but is \"%.64s\"",
                          protocols[kind], to->text.ptr);
    }
    if (kind == CONNECT_TCP && !says && !config_true(node, "bare")) {
        (void) conf_error(b->diags, to,
                          "that a TCP connection is accepted proves nothing behind a proxy: use "
                          "postgres, mysql, redis, http, tls or grpc, add expect (and send), or "
                          "bare: true");
    }
}

static bool has_unknown(const struct conf_node *node)
{
    for (size_t i = 0; i < node->len; i++) {
        struct str key = node->entry[i].key->text;
        if (!str_eq_cstr(key, "retry") && !str_eq_cstr(key, "send") &&
            !str_eq_cstr(key, "expect") && !str_eq_cstr(key, "bare")) {
            return true;
        }
    }
    return false;
}

static void build_connect(struct config_build *b, struct conf_node *node,
                          struct release_connect *ret)
{
    const struct conf_node *to = NULL;
    config_fill(&b->c->arena, node, config_defaults(b, "connect"));
    ret->pos = node->pos;
    ret->retry_ms = config_ms(b, node, "retry");
    ret->send = config_text(node, "send");
    ret->expect = config_text(node, "expect");
    ret->bare = config_true(node, "bare");
    for (size_t i = 0; i < PROTOCOLS; i++) {
        const struct conf_node *one = conf_get(node, protocols[i]);
        if (one != NULL && to != NULL) {
            (void) conf_error(b->diags, node,
                              "an item of \"connect\" speaks one protocol, this one two: %s and %s",
                              protocols[ret->kind], protocols[i]);
        } else if (one != NULL) {
            to = one;
            ret->kind = (enum release_connect_kind) i;
        }
    }
    if (to == NULL && has_unknown(node)) {
        return; /* told: it was meant as a protocol */
    }
    if (to == NULL) {
        (void) conf_error(b->diags, node,
                          "an item of \"connect\" needs what it speaks: one of http, postgres, "
                          "mysql, redis, tls, grpc, command, tcp");
        return;
    }
    for (size_t i = 0; ret->kind != CONNECT_TCP && i < 3; i++) {
        const char *key = (const char *const[]){"send", "expect", "bare"}[i];
        if (conf_get(node, key) != NULL) {
            (void) conf_error(b->diags, conf_get(node, key), "\"%s\" is of tcp only", key);
        }
    }
    if (ret->kind == CONNECT_COMMAND) {
        ret->command = config_words(b, node, "command");
        config_templates(b, node, "command", CONFIG_ON_HOST);
    } else if (to->kind == CONF_SCALAR) {
        ret->to = to->text.ptr;
        config_template(b, to, ret->to, CONFIG_ON_HOST);
    }
    check_connect(b, node, to, ret->kind);
}

void config_connects(struct config_build *b)
{
    const struct conf_node *list = config_list(b->root, "connect");
    if (list == NULL) {
        return;
    }
    b->c->connect = config_alloc(&b->c->arena, (list->len + 1) * sizeof *b->c->connect);
    for (size_t i = 0; i < list->len; i++) {
        if (list->item[i]->kind == CONF_MAP) {
            build_connect(b, list->item[i], &b->c->connect[b->c->connects++]);
        }
    }
}

void config_migration(struct config_build *b)
{
    struct conf_node *node = config_map(b->root, "migrate");
    struct release_migration *m = &b->c->migration;
    const struct release_texts *apps = &b->c->role[ROLE_APP].services;
    if (node == NULL) {
        return;
    }
    config_fill(&b->c->arena, node, config_defaults(b, "migrate"));
    const struct conf_node *in = config_scalar(node, "in"), *once = config_scalar(node, "once");
    m->given = true;
    m->pos = node->pos;
    m->command = config_words(b, node, "command");
    config_templates(b, node, "command", CONFIG_ON_HOST);
    m->after = config_is(node, "when", "after");
    m->barrier = config_true(node, "barrier");
    m->timeout_ms = config_ms(b, node, "timeout");
    if (in == NULL && conf_get(node, "in") == NULL && apps->len > 0) {
        config_put(&b->c->arena, node, "in", config_default(b, apps->ptr[0]));
        in = config_scalar(node, "in");
    }
    m->in = in == NULL ? NULL : in->text.ptr;
    if (in != NULL && b->c->programs > 0 && config_program(b->c, m->in) == NULL) {
        const char *known[64];
        size_t n = 0;
        for (; n < b->c->programs && n < 64; n++) {
            known[n] = b->c->program[n].name;
        }
        config_unknown(b, in, "service", known, n);
    }
    if (once != NULL && str_eq_cstr(once->text, "false")) {
        (void) conf_error(b->diags, once,
                          "a migration runs once a release: leave \"once\" out, or write a hook");
    }
    const struct conf_node *timeout = config_scalar(node, "timeout");
    if (timeout != NULL && m->timeout_ms == 0 && str_eq_cstr(timeout->text, "0")) {
        (void) conf_error(b->diags, timeout, "\"timeout\" may not be 0");
    }
}

static void check_file(struct config_build *b, const struct conf_node *node)
{
    char *path = config_path(&b->c->arena, b->c->dir, node->text.ptr);
    glob_t found = {.gl_pathc = 0};
    if (glob(path, GLOB_NOSORT, NULL, &found) != 0) { /* NOLINT(concurrency-mt-unsafe) */
        (void) conf_error(b->diags, node, "there is no file \"%.200s\" in %.200s", node->text.ptr,
                          b->c->dir);
    }
    globfree(&found);
}

/* "${port.web}" and the name of a port are short for the host's own address. */
static const char *whole_target(struct config_build *b, const struct conf_node *node)
{
    struct str s = node->text;
    struct arena *arena = &b->c->arena;
    if (b->c->driver != RELEASE_PROCESS) {
        return s.ptr;
    }
    if (str_starts_with(s, STR("${port."))) {
        return arena_printf(arena, "${host.address}:%s", s.ptr);
    }
    if (b->c->hosts > 0 && config_port(&b->c->host[0], s) != NULL) {
        return arena_printf(arena, "${host.address}:${port.%s}", s.ptr);
    }
    size_t colon = str_find_char(s, ':');
    const char *service = arena_strdup(arena, (struct str){s.ptr, colon});
    if (colon == s.len && strstr(s.ptr, "${") == NULL) {
        (void) conf_error(b->diags, node,
                          "\"target\" has to be HOST:PORT or the name of a port, but is \"%.64s\"",
                          s.ptr);
    } else if (config_program(b->c, service) != NULL) {
        (void) conf_error(b->diags, node,
                          "service \"%.64s\" has no address of its own: write "
                          "${host.address}:${port.NAME}",
                          service);
    }
    return s.ptr;
}

static void build_target(struct config_build *b, struct conf_node *node)
{
    const struct conf_node *target = config_scalar(node, "target");
    if (target != NULL) {
        b->c->tests.target = whole_target(b, target);
        config_template(b, target, b->c->tests.target, CONFIG_ON_HOST | CONFIG_SLOT);
    } else if (conf_get(node, "target") == NULL && b->c->peer != NULL) {
        b->c->tests.target = b->c->peer;
        config_put(&b->c->arena, node, "target", config_default(b, b->c->peer));
    } else if (conf_get(node, "target") == NULL) {
        (void) conf_error(b->diags, node,
                          "tests need a target: where the copy under test answers, such as "
                          "\"${host.address}:${port.web}\"");
    }
}

static void build_vars(struct config_build *b, const struct conf_node *node)
{
    const struct conf_node *vars = config_map(node, "vars");
    struct release_texts *given = &b->c->tests.given_vars;
    config_templates(b, node, "vars", CONFIG_ON_HOST | CONFIG_SLOT);
    if (vars == NULL) {
        return;
    }
    given->ptr = config_alloc(&b->c->arena, (vars->len + 1) * sizeof *given->ptr);
    for (size_t i = 0; i < vars->len; i++) {
        if (vars->entry[i].value->kind == CONF_SCALAR) {
            given->ptr[given->len++] =
                arena_printf(&b->c->arena, "%s=%s", vars->entry[i].key->text.ptr,
                             vars->entry[i].value->text.ptr);
        }
    }
}

void config_tests(struct config_build *b)
{
    struct conf_node *node = config_map(b->root, "tests");
    struct release_tests *t = &b->c->tests;
    if (node == NULL) {
        return;
    }
    config_fill(&b->c->arena, node, config_defaults(b, "tests"));
    t->given = true;
    t->pos = node->pos;
    t->files = config_texts(b, node, "files");
    t->tags = config_texts(b, node, "tags");
    t->requires = config_texts(b, node, "requires");
    t->coverage_ppm = config_share(config_map(node, "coverage"), "methods");
    t->budget_ms = config_ms(b, node, "budget");
    build_target(b, node);
    build_vars(b, node);
    for (size_t i = 0; i < t->files.len; i++) {
        const struct conf_node *at = config_texts_at(node, "files", i);
        if (at->kind == CONF_SCALAR) {
            check_file(b, at);
        }
    }
    for (size_t i = 0; i < t->requires.len; i++) {
        if (!config_is_env_name(t->requires.ptr[i])) {
            (void) conf_error(b->diags, config_texts_at(node, "requires", i),
                              "\"%.64s\" cannot be the name of a variable of the environment",
                              t->requires.ptr[i]);
        }
    }
}

void config_hooks(struct config_build *b)
{
    static const char *const when[HOOK_TIMES] = {"before", "after", "on_failure"};
    const struct conf_node *hooks = config_map(b->root, "hooks");
    for (size_t t = 0; t < HOOK_TIMES; t++) {
        const struct conf_node *list = config_list(hooks, when[t]);
        if (list == NULL) {
            continue;
        }
        if (list->len > RELEASE_HOOKS_MAX) {
            (void) conf_error(b->diags, list, "there are %zu hooks %s, at most %d", list->len,
                              when[t], RELEASE_HOOKS_MAX);
        }
        b->c->hook[t] = config_alloc(&b->c->arena, (list->len + 1) * sizeof *b->c->hook[t]);
        for (size_t i = 0; i < list->len && i < RELEASE_HOOKS_MAX; i++) {
            struct release_hook *hook = &b->c->hook[t][b->c->hooks[t]];
            struct conf_node *node = list->item[i];
            if (node->kind != CONF_MAP) {
                continue;
            }
            b->c->hooks[t]++;
            config_fill(&b->c->arena, node, config_defaults(b, "hook"));
            hook->pos = node->pos;
            hook->command = config_words(b, node, "command");
            hook->name = config_text(node, "name");
            if (hook->name == NULL && hook->command.len > 0) {
                hook->name = hook->command.ptr[0];
            }
            hook->timeout_ms = config_ms(b, node, "timeout");
            config_templates(b, node, "command", 0);
        }
    }
}
