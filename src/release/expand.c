/* Texts with variables: expanded for a place, and looked at when the configuration is read. */
#include "base/cleanup.h"
#include "conf/template.h"
#include "release/config_int.h"

#include <stdlib.h>
#include <string.h>

enum { TEXT_MAX = 65536 };

static const char *const names[] = {"version",    "variant", "service", "host",      "host.address",
                                    "datacenter", "slot",    "folder",  "port.NAME", "env.NAME"};
enum { NAMES = sizeof names / sizeof names[0], NAMES_OF_ALL = 3 };

struct lookup {
    const struct release_config *config;
    const struct release_place *place;
    char text[24];
};

static int refuse(const struct conf_part *part, const char *why, struct err *err)
{
    return err_set(err, ERR_INVALID, "${" STR_FMT "}: %s", STR_ARG(part->text), why);
}

static int give(const char *value, const struct conf_part *part, struct str *ret, struct err *err)
{
    if (value == NULL) {
        return refuse(part, "is not known here", err);
    }
    *ret = str_of(value);
    return 0;
}

static int look_up_host(struct lookup *l, const struct conf_part *part, struct str *ret,
                        struct err *err)
{
    if (l->place->host < 0 || (size_t) l->place->host >= l->config->hosts) {
        return refuse(part, "there is no host here", err);
    }
    const struct release_host *host = &l->config->host[l->place->host];
    if (str_eq_cstr(part->text, "host")) {
        return give(host->name, part, ret, err);
    }
    if (str_eq_cstr(part->text, "host.address")) {
        return give(host->address, part, ret, err);
    }
    if (str_eq_cstr(part->text, "datacenter")) {
        return give(l->config->dc[host->dc], part, ret, err);
    }
    struct str name = {part->text.ptr + 5, part->text.len - 5}; /* port. */
    const struct release_port *port = config_port(host, name);
    if (port == NULL) {
        return err_set(err, ERR_INVALID, "${" STR_FMT "}: host \"%s\" has no port \"" STR_FMT "\"",
                       STR_ARG(part->text), host->name, STR_ARG(name));
    }
    if (port->number[l->place->slot] == 0) {
        return err_set(err, ERR_INVALID,
                       "${" STR_FMT "}: port \"%s\" of host \"%s\" has no slot %s",
                       STR_ARG(part->text), port->name, host->name,
                       l->place->slot == RELEASE_SLOT_A ? "a" : "b");
    }
    buf_print(l->text, sizeof l->text, "%u", (unsigned) port->number[l->place->slot]);
    *ret = str_of(l->text);
    return 0;
}

static bool is_of_host(struct str name)
{
    return str_eq_cstr(name, "host") || str_eq_cstr(name, "host.address") ||
           str_eq_cstr(name, "datacenter") || str_starts_with(name, STR("port."));
}

static int look_up(const struct conf_part *part, struct str *ret, struct err *err, void *ctx)
{
    struct lookup *l = ctx;
    char name[256];
    if (part->kind == CONF_PART_ENV) {
        buf_print(name, sizeof name, STR_FMT, STR_ARG(part->text));
        const char *value = part->text.len < sizeof name ? getenv(name) : NULL; /* NOLINT */
        return value == NULL ? err_set(err, ERR_INVALID,
                                       "${env.%s}: the environment has no variable %s", name, name)
                             : give(value, part, ret, err);
    }
    if (part->kind == CONF_PART_SECRET) {
        return refuse(part, "secrets are not put into texts", err);
    }
    if (str_eq_cstr(part->text, "version")) {
        return give(l->place->version, part, ret, err);
    }
    if (str_eq_cstr(part->text, "variant")) {
        return give(l->place->variant == NULL ? "" : l->place->variant, part, ret, err);
    }
    if (str_eq_cstr(part->text, "service")) {
        return give(l->config->service, part, ret, err);
    }
    if (str_eq_cstr(part->text, "slot")) {
        return give(l->place->slot == RELEASE_SLOT_A ? "a" : "b", part, ret, err);
    }
    if (str_eq_cstr(part->text, "folder")) {
        return give(l->place->folder, part, ret, err);
    }
    return is_of_host(part->text) ? look_up_host(l, part, ret, err)
                                  : refuse(part, "there is no such variable", err);
}

int release_expand(const struct release_config *config, const struct release_place *place,
                   const char *text, struct buf *b, struct err *err)
{
    struct lookup l = {.config = config, .place = place};
    struct conf_template tpl;
    struct arena arena;
    arena_init(&arena, SIZE_MAX / 2);
    int rc = conf_template_parse(str_of(text), &arena, &tpl, err);
    rc = rc < 0 ? rc : conf_template_expand(&tpl, look_up, &l, b, err);
    arena_done(&arena);
    return rc;
}

/* When the file is read */

/* "$port.web" of every host: in slot a now, in slot b when the swap wants it (config_spec.c). */
static void check_port(struct config_build *b, const struct conf_node *node, struct str name,
                       unsigned flags)
{
    const struct release_config *c = b->c;
    for (size_t i = 0; i < c->hosts; i++) {
        const struct release_port *port = config_port(&c->host[i], name);
        if (port == NULL) {
            const char *known[32];
            size_t n = 0;
            for (; n < 32 && n < c->host[i].ports; n++) {
                known[n] = c->host[i].port[n].name;
            }
            const char *near = str_nearest(name, known, n);
            (void) conf_error(b->diags, node,
                              "${port." STR_FMT "}: host \"%.64s\" has no port of this name%s%s%s",
                              STR_ARG(name), c->host[i].name,
                              near == NULL ? "" : ": did you mean ${port.",
                              near == NULL ? "" : near, near == NULL ? "" : "}?");
            return;
        }
    }
    if ((flags & CONFIG_SLOT) != 0) {
        const struct config_port one = {arena_strdup(&b->c->arena, name), node};
        vec_push(&b->ports, one);
    }
}

static void check_variable(struct config_build *b, const struct conf_node *node, struct str name,
                           unsigned flags)
{
    if (str_starts_with(name, STR("port."))) {
        if ((flags & CONFIG_ON_HOST) != 0) {
            check_port(b, node, (struct str){name.ptr + 5, name.len - 5}, flags);
            return;
        }
    }
    for (size_t i = 0; i < NAMES; i++) {
        if (str_eq_cstr(name, names[i]) && (i < NAMES_OF_ALL || (flags & CONFIG_ON_HOST) != 0)) {
            return;
        }
    }
    bool known = is_of_host(name) || str_eq_cstr(name, "slot") || str_eq_cstr(name, "folder");
    const char *near = str_nearest(name, names, NAMES);
    if (known) {
        (void) conf_error(b->diags, node,
                          "${" STR_FMT "} is of a host, and this text is of none: it may have "
                          "${version}, ${variant}, ${service}, ${env.NAME}",
                          STR_ARG(name));
    } else if (near != NULL) {
        (void) conf_error(b->diags, node, "unknown variable ${" STR_FMT "}: did you mean ${%s}?",
                          STR_ARG(name), near);
    } else {
        (void) conf_error(b->diags, node,
                          "unknown variable ${" STR_FMT "}: one of version, variant, service%s, "
                          "env.NAME",
                          STR_ARG(name),
                          (flags & CONFIG_ON_HOST) == 0
                              ? ""
                              : ", host, host.address, datacenter, slot, folder, port.NAME");
    }
}

void config_template(struct config_build *b, const struct conf_node *node, const char *text,
                     unsigned flags)
{
    struct conf_template tpl;
    struct err err = {.code = ERR_NONE};
    if (text == NULL) {
        return;
    }
    if (strlen(text) > TEXT_MAX) {
        (void) conf_error(b->diags, node, "a text has at most %d bytes, this one %zu", TEXT_MAX,
                          strlen(text));
        return;
    }
    if (conf_template_parse(str_of(text), &b->c->arena, &tpl, &err) < 0) {
        (void) conf_error(b->diags, node, "%s", err.msg);
        return;
    }
    for (size_t i = 0; i < tpl.len; i++) {
        if (tpl.part[i].kind == CONF_PART_SECRET) {
            (void) conf_error(b->diags, node,
                              "${secret." STR_FMT "}: secrets are not put into texts, where others "
                              "can see them: name it under \"secrets\"",
                              STR_ARG(tpl.part[i].text));
        } else if (tpl.part[i].kind == CONF_PART_VAR) {
            check_variable(b, node, tpl.part[i].text, flags);
        }
    }
}

void config_templates(struct config_build *b, const struct conf_node *map, const char *key,
                      unsigned flags)
{
    const struct conf_node *node = conf_get(map, key);
    for (size_t i = 0; node != NULL && node->kind != CONF_SCALAR && i < node->len; i++) {
        const struct conf_node *one =
            node->kind == CONF_LIST ? node->item[i] : node->entry[i].value;
        if (one->kind == CONF_SCALAR) {
            config_template(b, one, one->text.ptr, flags);
        }
    }
    if (node != NULL && node->kind == CONF_SCALAR) {
        config_template(b, node, node->text.ptr, flags);
    }
}
