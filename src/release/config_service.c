/* The service itself: its driver, programs, images, secrets, and how routers know it. */
#include "release/config_int.h"

#include <string.h>

const struct release_program *config_program(const struct release_config *c, const char *name)
{
    for (size_t i = 0; i < c->programs; i++) {
        if (strcmp(c->program[i].name, name) == 0) {
            return &c->program[i];
        }
    }
    return NULL;
}

static void build_driver(struct config_build *b)
{
    static const char *const words[] = {"process", "compose", "kubernetes"};
    const struct conf_node *first = NULL;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const struct conf_node *node = conf_get(b->root, words[i]);
        if (node != NULL && first != NULL) {
            (void) conf_error(b->diags, node,
                              "\"%s\" cannot be there beside \"%s\": a service has one driver",
                              words[i], words[b->c->driver]);
        } else if (node != NULL) {
            b->c->driver = (enum release_driver) i;
            first = node;
        }
    }
    if (first == NULL) {
        (void) conf_error(b->diags, b->root,
                          "nothing says what is released: it needs one of process, compose, "
                          "kubernetes");
    }
    const struct conf_node *hosts = config_map(b->root, "hosts");
    for (size_t i = 0; i < b->c->hosts && first != NULL; i++) {
        const struct conf_node *at = config_scalar(hosts->entry[i].value, "at");
        if (b->c->driver != RELEASE_PROCESS && b->c->host[i].folder != NULL) {
            (void) conf_error(b->diags, at,
                              "host \"%.64s\" is a folder of the process driver, but this release "
                              "has \"%s\"",
                              b->c->host[i].name, words[b->c->driver]);
        }
    }
}

static void build_programs(struct config_build *b, const struct conf_node *services)
{
    struct release_config *c = b->c;
    c->program = config_alloc(&c->arena, (services->len + 1) * sizeof *c->program);
    for (size_t i = 0; i < services->len; i++) {
        const struct conf_node *node = services->entry[i].value;
        struct release_program *program = &c->program[c->programs++];
        program->name = services->entry[i].key->text.ptr;
        program->pos = services->entry[i].key->pos;
        (void) config_name(b, services->entry[i].key, "a service");
        program->command = config_words(b, node, "command");
        program->env = config_pairs(b, node, "env");
        config_templates(b, node, "command", CONFIG_ON_HOST | CONFIG_SLOT);
        config_templates(b, node, "env", CONFIG_ON_HOST | CONFIG_SLOT);
    }
}

static void build_process(struct config_build *b)
{
    struct conf_node *process = config_map(b->root, "process");
    if (process == NULL) {
        return;
    }
    config_fill(&b->c->arena, process, config_defaults(b, "process"));
    const struct conf_node *source = config_scalar(process, "source");
    b->c->source = config_text(process, "source");
    config_template(b, source, b->c->source, 0);
    if (source != NULL && strstr(source->text.ptr, "${version}") == NULL) {
        (void) conf_error(b->diags, source,
                          "\"source\" has to have ${version}, or all versions are the same files");
    }
    b->c->keep = (unsigned) config_number(b, process, "keep", 2, 100);
    const struct conf_node *services = config_map(process, "services");
    if (services != NULL) {
        build_programs(b, services);
    }
}

/* What compose means is asked of compose itself; here only what stands in this file. */
static void build_compose(struct config_build *b)
{
    struct conf_node *compose = config_map(b->root, "compose");
    if (compose == NULL) {
        return;
    }
    config_fill(&b->c->arena, compose, config_defaults(b, "compose"));
    b->c->keep = (unsigned) config_number(b, compose, "keep", 2, 100);
    (void) config_pairs(b, compose, "env");
    config_templates(b, compose, "env", CONFIG_ON_HOST);
}

static void build_images(struct config_build *b)
{
    const struct conf_node *images = config_map(b->root, "images");
    if (images == NULL) {
        return;
    }
    b->c->image = config_alloc(&b->c->arena, (images->len + 1) * sizeof *b->c->image);
    for (size_t i = 0; i < images->len; i++) {
        const struct conf_node *node = images->entry[i].value;
        bool is_map = node->kind == CONF_MAP;
        const struct conf_node *text = is_map ? config_scalar(node, "image") : node;
        struct release_image *image = &b->c->image[b->c->images++];
        image->name = images->entry[i].key->text.ptr;
        image->pos = images->entry[i].key->pos;
        image->pinned = is_map && config_true(node, "pinned");
        image->image = text != NULL && text->kind == CONF_SCALAR ? text->text.ptr : NULL;
        config_template(b, text, image->image, 0);
        if (image->image != NULL && !image->pinned && strstr(image->image, "${version}") == NULL) {
            (void) conf_error(b->diags, text,
                              "image \"%.64s\" does not move with ${version}: write it into its "
                              "tag, or pinned: true",
                              image->name);
        }
    }
}

static void build_secret(struct config_build *b, const struct conf_entry *entry,
                         struct release_secret *secret)
{
    const struct conf_node *node = entry->value;
    secret->name = entry->key->text.ptr;
    secret->pos = entry->key->pos;
    secret->env = config_text(node, "env");
    secret->file = config_text(node, "file");
    secret->command = config_words(b, node, "command");
    if (secret->file != NULL) {
        secret->file = config_path(&b->c->arena, b->c->dir, secret->file);
    }
    size_t forms = (size_t) (conf_get(node, "env") != NULL) +
                   (size_t) (conf_get(node, "file") != NULL) +
                   (size_t) (conf_get(node, "command") != NULL);
    if (node->kind == CONF_MAP && forms != 1) {
        (void) conf_error(b->diags, forms == 0 ? entry->key : node,
                          "secret \"%.64s\" needs exactly one of env, file, command", secret->name);
    }
    if (!config_is_env_name(secret->name)) {
        (void) conf_error(b->diags, entry->key,
                          "\"%.64s\" cannot be the name of a variable: it has letters, digits and "
                          "\"_\" and begins with no digit",
                          secret->name);
    }
    for (size_t i = 0; i < b->c->programs; i++) {
        const struct release_pairs *env = &b->c->program[i].env;
        for (size_t k = 0; k < env->len; k++) {
            if (strcmp(env->ptr[k].name, secret->name) == 0) {
                (void) conf_error(b->diags, entry->key,
                                  "\"%.64s\" is in env of \"%.64s\", too: remove it there",
                                  secret->name, b->c->program[i].name);
            }
        }
    }
}

static void build_secrets(struct config_build *b)
{
    const struct conf_node *top = config_map(b->root, "secrets");
    const struct conf_node *inner = config_map(config_map(b->root, "compose"), "secrets");
    size_t n = (top == NULL ? 0 : top->len) + (inner == NULL ? 0 : inner->len);
    b->c->secret = config_alloc(&b->c->arena, (n + 1) * sizeof *b->c->secret);
    for (size_t i = 0; top != NULL && i < top->len; i++) {
        build_secret(b, &top->entry[i], &b->c->secret[b->c->secrets++]);
    }
    for (size_t i = 0; inner != NULL && i < inner->len; i++) {
        build_secret(b, &inner->entry[i], &b->c->secret[b->c->secrets++]);
    }
}

static void check_registry(struct config_build *b)
{
    const struct conf_node *password =
        config_find(b->root, (const char *const[]){"registry", "password", NULL});
    if (password != NULL && password->kind == CONF_MAP && password->len != 1) {
        (void) conf_error(b->diags, password,
                          "the password needs exactly one of env, file, command");
    }
}

/* Names that stand for something elsewhere, so that they are checked here only for themselves. */
static void build_lists(struct config_build *b)
{
    b->c->needs = config_texts(b, b->root, "needs");
    b->c->needs_pos = config_alloc(&b->c->arena, (b->c->needs.len + 1) * sizeof *b->c->needs_pos);
    b->c->untouched = config_texts(b, b->root, "untouched");
    for (size_t i = 0; i < b->c->needs.len; i++) {
        const struct conf_node *node = config_texts_at(b->root, "needs", i);
        b->c->needs_pos[i] = node->pos;
        if (b->c->service != NULL && strcmp(b->c->needs.ptr[i], b->c->service) == 0) {
            (void) conf_error(b->diags, node, "\"%.64s\" needs itself: no order can hold that",
                              b->c->service);
        }
        for (size_t k = 0; k < i; k++) {
            if (strcmp(b->c->needs.ptr[i], b->c->needs.ptr[k]) == 0) {
                (void) conf_error(b->diags, node, "\"%.64s\" is listed twice", b->c->needs.ptr[i]);
            }
        }
    }
}

void config_service(struct config_build *b)
{
    const struct conf_node *service = config_scalar(b->root, "service");
    if (service != NULL && config_name(b, service, "a service")) {
        b->c->service = service->text.ptr;
    }
    b->c->router_service = config_text(b->root, "router_service");
    if (b->c->router_service == NULL && b->c->service != NULL) {
        b->c->router_service = b->c->service;
        config_put(&b->c->arena, b->root, "router_service", config_default(b, b->c->service));
    }
    build_lists(b);
    build_driver(b);
    build_process(b);
    build_compose(b);
    build_images(b);
    build_secrets(b);
    check_registry(b);
}

/* The port that has the name of the first application, or the only port of all. */
static const char *peer_port(const struct release_config *c)
{
    const struct release_texts *apps = &c->role[ROLE_APP].services;
    if (c->hosts == 0) {
        return NULL;
    }
    if (apps->len > 0 && config_port(&c->host[0], str_of(apps->ptr[0])) != NULL) {
        return apps->ptr[0];
    }
    return c->host[0].ports == 1 ? c->host[0].port[0].name : NULL;
}

void config_peer(struct config_build *b)
{
    struct release_config *c = b->c;
    const struct conf_node *peer = config_scalar(b->root, "peer");
    const struct conf_node *routers = conf_get(b->root, "routers");
    if (peer == NULL && conf_get(b->root, "peer") == NULL && c->role[ROLE_APP].given) {
        const char *port = peer_port(c);
        if (port != NULL) {
            char *text = arena_printf(&c->arena, "${host.address}:${port.%s}", port);
            config_put(&c->arena, b->root, "peer", config_default(b, text));
            peer = config_scalar(b->root, "peer");
        } else if (c->routers > 0 && c->hosts > 0 && c->driver == RELEASE_PROCESS) {
            (void) conf_error(b->diags, routers,
                              "nothing says under which address routers know a copy: write peer, "
                              "such as \"${host.address}:${port.NAME}\"");
        }
    }
    c->peer = peer == NULL ? NULL : peer->text.ptr;
    if (peer != NULL && str_find_char(peer->text, ':') == peer->text.len) {
        (void) conf_error(b->diags, peer,
                          "\"peer\" has to be HOST:PORT, such as ${host.address}:${port.web}, but "
                          "is \"%.64s\"",
                          c->peer);
    }
    /* A default's port that a host lacks is told at the host's ports, as there is no text. */
    const struct conf_node *hosts = config_map(b->root, "hosts");
    config_template(b, config_is_default(c, peer) ? hosts : peer, c->peer,
                    CONFIG_ON_HOST | CONFIG_SLOT);
}
