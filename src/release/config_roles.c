/* Roles: what is stopped and started together. */
#include "release/config_int.h"

#include <signal.h>
#include <string.h>

const char *const config_role_name[ROLES] = {"proxy", "app", "worker", "cron"};

static const struct {
    const char *name;
    int number;
} signals[] = {{"TERM", SIGTERM}, {"INT", SIGINT},     {"QUIT", SIGQUIT},
               {"HUP", SIGHUP},   {"USR1", SIGUSR1},   {"USR2", SIGUSR2},
               {"TSTP", SIGTSTP}, {"WINCH", SIGWINCH}, {"KILL", SIGKILL}};
enum { SIGNALS = sizeof signals / sizeof signals[0] };

/* "TERM" or "SIGTERM". */
static int build_signal(struct config_build *b, const struct conf_node *stop, const char *key)
{
    const struct conf_node *node = config_scalar(stop, key);
    const char *known[SIGNALS];
    if (node == NULL) {
        return 0;
    }
    const char *name = node->text.ptr + (str_starts_with(node->text, STR("SIG")) ? 3 : 0);
    for (size_t i = 0; i < SIGNALS; i++) {
        if (strcmp(signals[i].name, name) == 0) {
            return signals[i].number;
        }
        known[i] = signals[i].name;
    }
    config_unknown(b, node, "signal", known, SIGNALS);
    return 0;
}

/* ":8080/healthz" is short for the host's own address. */
static const char *whole_url(struct config_build *b, const char *url)
{
    if (url[0] != ':') {
        return url;
    }
    return arena_printf(&b->c->arena, "http://%s%s",
                        b->c->driver == RELEASE_PROCESS ? "${host.address}" : "127.0.0.1", url);
}

static bool is_url(const char *url)
{
    return url[0] == ':' || strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
}

static void build_ready(struct config_build *b, const struct conf_node *node,
                        struct release_role *role, unsigned flags)
{
    const struct conf_node *ready = config_map(node, "ready");
    const struct conf_node *http = config_scalar(ready, "http");
    if (http != NULL && !is_url(http->text.ptr)) {
        (void) conf_error(b->diags, http,
                          "\"http\" has to be a URL or :PORT/PATH, but is \"%.64s\"",
                          http->text.ptr);
    } else if (http != NULL) {
        role->ready_http = whole_url(b, http->text.ptr);
        config_template(b, http, role->ready_http, flags);
    }
    role->ready_within_ms = config_ms(b, ready, "within");
    role->up_for_ms = config_ms(b, ready, "up_for");
    if (ready != NULL && role->up_for_ms > 0 && role->up_for_ms >= role->ready_within_ms) {
        const struct conf_node *up_for = config_scalar(ready, "up_for");
        const struct conf_node *within = config_scalar(ready, "within");
        (void) conf_error(b->diags, config_is_default(b->c, up_for) ? within : up_for,
                          "\"up_for\" has to be shorter than \"within\", or it is never ready");
    }
}

/* "POST :9901/healthcheck/fail" */
static const char *build_request(struct config_build *b, const struct conf_node *health,
                                 const char *key)
{
    const struct conf_node *node = config_scalar(health, key);
    struct str method, rest;
    if (node == NULL) {
        return NULL;
    }
    rest = node->text;
    (void) str_cut(&rest, ' ', &method);
    bool known = str_eq_cstr(method, "POST") || str_eq_cstr(method, "PUT") ||
                 str_eq_cstr(method, "GET") || str_eq_cstr(method, "DELETE");
    if (!known || rest.ptr == NULL || !is_url(rest.ptr)) {
        (void) conf_error(b->diags, node,
                          "\"%s\" has to be a method and a URL, such as POST :9901/%s, but is "
                          "\"%.64s\"",
                          key, key, node->text.ptr);
        return NULL;
    }
    const char *text =
        arena_printf(&b->c->arena, STR_FMT " %s", STR_ARG(method), whole_url(b, rest.ptr));
    config_template(b, node, text, CONFIG_ON_HOST);
    return text;
}

static void build_health(struct config_build *b, const struct conf_node *node,
                         struct release_role *role)
{
    const struct conf_node *health = config_map(node, "health");
    role->shared = config_true(node, "shared");
    role->fail = build_request(b, health, "fail");
    role->ok = build_request(b, health, "ok");
    role->flag = config_text(health, "flag");
    config_template(b, config_scalar(health, "flag"), role->flag, CONFIG_ON_HOST);
    if (health != NULL && (conf_get(health, "fail") == NULL) != (conf_get(health, "ok") == NULL)) {
        (void) conf_error(b->diags, health,
                          "\"fail\" and \"ok\" belong together: what is set has to be lifted");
    }
}

static void build_worker(struct config_build *b, const struct conf_node *node)
{
    const struct conf_node *traffic = config_scalar(node, "traffic");
    if (traffic != NULL && str_eq_cstr(traffic->text, "true")) {
        (void) conf_error(b->diags, traffic,
                          "a worker gets no requests: put what gets some into role app");
    }
}

static void build_cron(struct config_build *b, const struct conf_node *node,
                       struct release_role *role)
{
    const struct conf_node *only = config_scalar(node, "only_on");
    const char *known[RELEASE_HOSTS_MAX];
    role->pause_during_release = config_is(node, "pause_during", "release");
    if (only == NULL) {
        return;
    }
    for (size_t i = 0; i < b->c->hosts; i++) {
        known[i] = b->c->host[i].name;
    }
    role->only_on = only->text.ptr;
    if (b->c->hosts > 0 && release_config_host(b->c, role->only_on) < 0) {
        config_unknown(b, only, "host", known, b->c->hosts);
    }
}

/* The role before this one that has the service; NULL: none. */
static const char *other_role(const struct release_config *c, size_t role, size_t to,
                              const char *service)
{
    for (size_t r = 0; r <= role; r++) {
        for (size_t i = 0; i < (r == role ? to : c->role[r].services.len); i++) {
            if (strcmp(c->role[r].services.ptr[i], service) == 0) {
                return config_role_name[r];
            }
        }
    }
    return NULL;
}

static void check_services(struct config_build *b, const struct conf_node *node, size_t role)
{
    const struct release_texts *services = &b->c->role[role].services;
    const char *known[64];
    size_t n = 0;
    for (; n < b->c->programs && n < 64; n++) {
        known[n] = b->c->program[n].name;
    }
    for (size_t i = 0; i < services->len; i++) {
        const struct conf_node *at = config_texts_at(node, "services", i);
        const char *name = services->ptr[i], *other = other_role(b->c, role, i, name);
        if (at->kind != CONF_SCALAR) {
            continue;
        }
        if (other != NULL) {
            (void) conf_error(b->diags, at, "service \"%.64s\" is in role %s already", name, other);
        } else if (config_has(b->c->untouched, name)) {
            (void) conf_error(b->diags, at, "service \"%.64s\" is among those left untouched",
                              name);
        } else if (b->c->driver == RELEASE_PROCESS && b->c->programs > 0 &&
                   config_program(b->c, name) == NULL) {
            config_unknown(b, at, "service", known, n);
        }
    }
}

static void build_role(struct config_build *b, struct conf_node *roles, size_t r)
{
    struct release_role *role = &b->c->role[r];
    struct conf_node *node = config_map(roles, config_role_name[r]);
    if (node == NULL) {
        return;
    }
    config_fill(&b->c->arena, node, config_defaults(b, config_role_name[r]));
    const struct conf_node *stop = config_map(node, "stop");
    const struct conf_node *restarts = config_map(node, "restarts");
    role->given = true;
    role->pos = node->pos;
    role->services = config_texts(b, node, "services");
    role->stop_signal = build_signal(b, stop, "signal");
    role->then_signal = build_signal(b, stop, "then");
    role->grace_ms = config_ms(b, stop, "grace");
    role->restarts_max = (unsigned) config_number(b, restarts, "max", 0, 1000);
    role->restarts_watch_ms = config_ms(b, restarts, "watch");
    build_ready(b, node, role, r == ROLE_PROXY ? CONFIG_ON_HOST : CONFIG_ON_HOST | CONFIG_SLOT);
    check_services(b, node, r);
    if (r == ROLE_PROXY) {
        build_health(b, node, role);
    } else if (r == ROLE_WORKER) {
        build_worker(b, node);
    } else if (r == ROLE_CRON) {
        build_cron(b, node, role);
    }
}

/* All programs (with Compose, all images) are applications when nobody says otherwise. */
static struct conf_node *default_roles(struct config_build *b)
{
    struct release_config *c = b->c;
    const struct conf_node *names =
        config_map(c->driver == RELEASE_PROCESS ? config_map(b->root, "process") : b->root,
                   c->driver == RELEASE_PROCESS ? "services" : "images");
    struct conf_node *list = config_default(b, ""), *app = config_default(b, "");
    struct conf_node *roles = config_default(b, "");
    if (names == NULL) {
        return NULL;
    }
    *list = (struct conf_node){.kind = CONF_LIST, .flow = true, .pos = list->pos};
    list->item = config_alloc(&c->arena, (names->len + 1) * sizeof(struct conf_node *));
    for (; list->len < names->len; list->len++) {
        list->item[list->len] = config_default(b, names->entry[list->len].key->text.ptr);
    }
    *app = (struct conf_node){.kind = CONF_MAP, .pos = app->pos};
    *roles = (struct conf_node){.kind = CONF_MAP, .pos = roles->pos};
    config_put(&c->arena, app, "services", list);
    config_put(&c->arena, roles, "app", app);
    config_put(&c->arena, b->root, "roles", roles);
    return roles;
}

void config_roles(struct config_build *b)
{
    struct conf_node *roles = config_map(b->root, "roles");
    const struct conf_node *services = config_map(config_map(b->root, "process"), "services");
    if (conf_get(b->root, "roles") == NULL) {
        roles = default_roles(b);
    }
    for (size_t r = 0; r < ROLES && roles != NULL; r++) {
        build_role(b, roles, r);
    }
    for (size_t i = 0; i < b->c->programs && roles != NULL; i++) {
        if (other_role(b->c, ROLES - 1, b->c->role[ROLES - 1].services.len,
                       b->c->program[i].name) == NULL) {
            (void) conf_error(b->diags, services->entry[i].key,
                              "service \"%.64s\" is in no role, so nobody starts it: add it to "
                              "roles.app.services, or to worker, cron, proxy",
                              b->c->program[i].name);
        }
    }
}
