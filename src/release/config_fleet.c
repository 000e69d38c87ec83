/* Data centers, hosts and routers. */
#include "base/num.h"
#include "release/config_int.h"

#include <string.h>

static const struct conf_node *entry_key(const struct conf_node *map, size_t i)
{
    return map->entry[i].key;
}

int release_config_host(const struct release_config *config, const char *name)
{
    for (size_t i = 0; i < config->hosts; i++) {
        if (strcmp(config->host[i].name, name) == 0) {
            return (int) i;
        }
    }
    return -1;
}

const struct release_port *config_port(const struct release_host *host, struct str name)
{
    for (size_t i = 0; i < host->ports; i++) {
        if (str_eq_cstr(name, host->port[i].name)) {
            return &host->port[i];
        }
    }
    return NULL;
}

static bool read_port(struct config_build *b, const struct conf_node *node, uint16_t *ret)
{
    uint64_t number = 0;
    char seen[64];
    if (node->kind != CONF_SCALAR || num_u64(node->text, 1, 65535, &number) < 0) {
        (void) conf_error(b->diags, node, "a port is a number from 1 to 65535, but this is %s",
                          conf_describe(node, seen));
        return false;
    }
    *ret = (uint16_t) number;
    return true;
}

/* One number is slot a; a list of two is slots a and b. */
static void build_port(struct config_build *b, const struct conf_entry *entry,
                       struct release_port *port)
{
    const struct conf_node *value = entry->value;
    port->name = entry->key->text.ptr;
    (void) config_name(b, entry->key, "a port");
    if (value->kind != CONF_LIST) {
        (void) read_port(b, value, &port->number[RELEASE_SLOT_A]);
        return;
    }
    if (value->len == 0 || value->len > RELEASE_SLOTS) {
        (void) conf_error(b->diags, value,
                          "port \"%.64s\" has %zu numbers: write one, or two for slots a and b",
                          port->name, value->len);
        return;
    }
    for (size_t i = 0; i < value->len; i++) {
        (void) read_port(b, value->item[i], &port->number[i]);
    }
}

static const struct conf_node *port_node(const struct conf_node *value, size_t slot)
{
    return value->kind == CONF_LIST ? value->item[slot] : value;
}

/* The name of what has this port already at the same address, or NULL. */
static const char *port_owner(const struct release_config *c, const struct release_host *host,
                              size_t ports, size_t slots, uint16_t number,
                              const struct release_host **ret_host)
{
    for (const struct release_host *h = c->host; h <= host; h++) {
        if (strcmp(h->address, host->address) != 0) {
            continue;
        }
        for (size_t p = 0; p < (h == host ? ports + 1 : h->ports); p++) {
            size_t to = h == host && p == ports ? slots : RELEASE_SLOTS;
            for (size_t s = 0; s < to; s++) {
                if (h->port[p].number[s] == number) {
                    *ret_host = h;
                    return h->port[p].name;
                }
            }
        }
    }
    return NULL;
}

static void check_twice(struct config_build *b, const struct release_host *host,
                        const struct conf_node *ports)
{
    const struct release_host *other = NULL;
    for (size_t p = 0; p < host->ports; p++) {
        const struct conf_node *value = ports->entry[p].value;
        for (size_t s = 0; s < RELEASE_SLOTS; s++) {
            uint16_t number = host->port[p].number[s];
            const char *owner = number == 0 ? NULL : port_owner(b->c, host, p, s, number, &other);
            if (owner != NULL) {
                (void) conf_error(b->diags, port_node(value, s),
                                  "port %u of %.64s has another use: \"%.64s\" of host \"%.64s\"",
                                  (unsigned) number, host->address, owner, other->name);
            }
        }
    }
}

static void build_ports(struct config_build *b, const struct conf_node *node,
                        struct release_host *host)
{
    const struct conf_node *ports = config_map(node, "ports");
    if (ports == NULL) {
        return;
    }
    host->port = config_alloc(&b->c->arena, (ports->len + 1) * sizeof *host->port);
    for (size_t i = 0; i < ports->len; i++) {
        build_port(b, &ports->entry[i], &host->port[host->ports++]);
    }
    check_twice(b, host, ports);
}

/* "ssh://deploy@203.0.113.10:22" -> "203.0.113.10"; "[::1]" keeps its brackets. */
static char *ssh_host(struct arena *arena, const char *at)
{
    struct str s = str_of(at + strlen("ssh://"));
    size_t user = str_find_char(s, '@');
    if (user < s.len) {
        s = (struct str){s.ptr + user + 1, s.len - user - 1};
    }
    size_t end = s.len > 0 && s.ptr[0] == '[' ? str_find_char(s, ']') + 1 : str_find_char(s, ':');
    s.len = end > s.len ? s.len : end;
    return arena_strdup(arena, s);
}

static void build_at(struct config_build *b, const struct conf_node *name,
                     const struct conf_node *node, struct release_host *host)
{
    const struct conf_node *at = config_scalar(node, "at");
    const char *address = config_text(node, "address");
    host->address = address == NULL ? "127.0.0.1" : address;
    if (at == NULL) {
        if (node->kind == CONF_MAP && conf_get(node, "at") == NULL) {
            (void) conf_error(b->diags, name,
                              "host \"%.64s\" needs \"at\": process:FOLDER, local or "
                              "ssh://USER@HOST",
                              host->name);
        }
        return;
    }
    host->at = at->text.ptr;
    if (str_starts_with(at->text, STR("process:"))) {
        const char *folder = at->text.ptr + strlen("process:");
        host->folder = config_path(&b->c->arena, b->c->dir, folder);
        if (folder[0] == '\0') {
            (void) conf_error(b->diags, at, "process: needs a folder: process:hosts/%.64s",
                              host->name);
        }
    } else if (str_starts_with(at->text, STR("ssh://"))) {
        char *remote = ssh_host(&b->c->arena, host->at);
        host->address = address == NULL ? remote : address;
        if (remote[0] == '\0') {
            (void) conf_error(b->diags, at, "\"%.64s\" has no host: write ssh://USER@HOST",
                              host->at);
        }
    } else if (!str_eq_cstr(at->text, "local")) {
        (void) conf_error(b->diags, at,
                          "\"at\" has to be process:FOLDER, local or ssh://USER@HOST, but is "
                          "\"%.64s\"",
                          host->at);
    }
    for (const struct release_host *h = b->c->host; host->folder != NULL && h < host; h++) {
        if (h->folder != NULL && strcmp(h->folder, host->folder) == 0) {
            (void) conf_error(b->diags, at, "hosts \"%.64s\" and \"%.64s\" are in the same folder",
                              h->name, host->name);
        }
    }
}

static int find_dc(const struct release_config *c, const char *name)
{
    for (size_t i = 0; i < c->dcs; i++) {
        if (strcmp(c->dc[i], name) == 0) {
            return (int) i;
        }
    }
    return -1;
}

static void add_dc(struct config_build *b, const struct conf_node *node)
{
    if (find_dc(b->c, node->text.ptr) >= 0) {
        (void) conf_error(b->diags, node, "data center \"%.64s\" is listed twice", node->text.ptr);
    } else if (b->c->dcs == RELEASE_DCS_MAX) {
        (void) conf_error(b->diags, node, "there are more than %d data centers", RELEASE_DCS_MAX);
    } else if (config_name(b, node, "a data center")) {
        b->c->dc[b->c->dcs++] = node->text.ptr;
    }
}

/* The listed ones; without a list those of the hosts, in the order in which they appear. */
static void build_dcs(struct config_build *b, const struct conf_node *hosts)
{
    const char *key = "datacenters";
    struct release_texts list = config_texts(b, b->root, key);
    b->c->dc = config_alloc(&b->c->arena, RELEASE_DCS_MAX * sizeof *b->c->dc);
    for (size_t i = 0; i < list.len; i++) {
        const struct conf_node *node = config_texts_at(b->root, key, i);
        if (node->kind == CONF_SCALAR) {
            add_dc(b, node);
        }
    }
    for (size_t i = 0; list.len == 0 && hosts != NULL && i < hosts->len; i++) {
        const struct conf_node *dc = config_scalar(hosts->entry[i].value, "datacenter");
        if (dc != NULL && find_dc(b->c, dc->text.ptr) < 0) {
            add_dc(b, dc);
        }
    }
    if (b->c->dcs == 0) {
        b->c->dc[b->c->dcs++] = "default";
    }
}

static void build_host_dc(struct config_build *b, const struct conf_node *name,
                          const struct conf_node *node, struct release_host *host)
{
    const struct conf_node *dc = config_scalar(node, "datacenter");
    int index = dc == NULL ? -1 : find_dc(b->c, dc->text.ptr);
    if (dc == NULL && b->c->dcs > 1) {
        char list[512];
        struct buf known;
        buf_init_fixed(&known, list, sizeof list);
        for (size_t i = 0; i < b->c->dcs; i++) {
            buf_addf(&known, "%s%s", i == 0 ? "" : ", ", b->c->dc[i]);
        }
        (void) conf_error(b->diags, name, "host \"%.64s\" needs \"datacenter\": one of %s",
                          host->name, list);
    } else if (dc != NULL && index < 0) {
        config_unknown(b, dc, "data center", b->c->dc, b->c->dcs);
    }
    host->dc = index < 0 ? 0 : (unsigned) index;
}

static void build_hosts(struct config_build *b, struct conf_node *hosts)
{
    struct release_config *c = b->c;
    if (hosts->len > RELEASE_HOSTS_MAX) {
        (void) conf_error(b->diags, hosts, "there are %zu hosts, at most %d", hosts->len,
                          RELEASE_HOSTS_MAX);
    }
    c->host = config_alloc(&c->arena, RELEASE_HOSTS_MAX * sizeof *c->host);
    for (size_t i = 0; i < hosts->len && i < RELEASE_HOSTS_MAX; i++) {
        const struct conf_node *name = entry_key(hosts, i);
        struct conf_node *node = hosts->entry[i].value;
        struct release_host *host = &c->host[i];
        host->name = name->text.ptr;
        host->pos = name->pos;
        (void) config_name(b, name, "a host");
        config_fill(&c->arena, node, config_defaults(b, "host"));
        host->weight = (uint16_t) config_number(b, node, "weight", 1, 1000);
        build_at(b, name, node, host);
        build_host_dc(b, name, node, host);
        build_ports(b, node, host);
        c->hosts++;
        if (node->kind == CONF_MAP && conf_get(node, "address") == NULL) {
            config_put(&c->arena, node, "address", config_default(b, host->address));
        }
        if (node->kind == CONF_MAP && conf_get(node, "datacenter") == NULL) {
            config_put(&c->arena, node, "datacenter", config_default(b, c->dc[host->dc]));
        }
    }
}

static void check_router(struct config_build *b, const struct conf_node *name,
                         const struct conf_node *node, const struct release_router *router)
{
    const struct conf_node *nginx = config_scalar(node, "nginx");
    const struct conf_node *envoy = config_scalar(node, "envoy"), *at = config_scalar(node, "at");
    if (node->kind != CONF_MAP) {
        return;
    }
    if ((nginx == NULL) == (envoy == NULL) && conf_get(node, "nginx") == NULL) {
        (void) conf_error(b->diags, name,
                          "router \"%.64s\" needs \"nginx\": the address of its API, such as "
                          "http://127.0.0.1:9900/pourover",
                          router->name);
    } else if (nginx != NULL && envoy != NULL) {
        (void) conf_error(b->diags, envoy, "router \"%.64s\" has both \"nginx\" and \"envoy\"",
                          router->name);
    }
    if (nginx != NULL && !str_starts_with(nginx->text, STR("http://")) &&
        !str_starts_with(nginx->text, STR("https://")) &&
        !str_starts_with(nginx->text, STR("unix:/"))) {
        (void) conf_error(b->diags, nginx,
                          "\"nginx\" has to be http://HOST:PORT/PATH or unix:/SOCKET:/PATH, but is "
                          "\"%.64s\"",
                          nginx->text.ptr);
    }
    if (at != NULL && !str_starts_with(at->text, STR("ssh://"))) {
        (void) conf_error(b->diags, at, "\"at\" of a router has to be ssh://..., but is \"%.64s\"",
                          at->text.ptr);
    }
}

static void build_routers(struct config_build *b, const struct conf_node *routers)
{
    struct release_config *c = b->c;
    c->router = config_alloc(&c->arena, (routers->len + 1) * sizeof *c->router);
    for (size_t i = 0; i < routers->len; i++) {
        const struct conf_node *node = routers->entry[i].value;
        struct release_router *router = &c->router[c->routers++];
        const char *token = config_text(node, "token");
        router->name = entry_key(routers, i)->text.ptr;
        router->pos = entry_key(routers, i)->pos;
        router->nginx = config_text(node, "nginx");
        router->at = config_true(node, "direct") ? NULL : config_text(node, "at");
        router->visit = config_text(node, "visit");
        router->token_file = token == NULL ? NULL : config_path(&c->arena, c->dir, token);
        (void) config_name(b, entry_key(routers, i), "a router");
        check_router(b, entry_key(routers, i), node, router);
    }
}

void config_fleet(struct config_build *b)
{
    struct conf_node *hosts = config_map(b->root, "hosts");
    const struct conf_node *routers = config_map(b->root, "routers");
    build_dcs(b, hosts);
    if (hosts != NULL && hosts->len > 0) {
        build_hosts(b, hosts);
    } else if (!b->fleet_failed && (hosts != NULL || conf_get(b->root, "hosts") == NULL)) {
        (void) conf_error(b->diags, hosts != NULL ? hosts : b->root,
                          "there are no hosts: write hosts: {NAME: {at: ...}}, or name the file "
                          "that has them by fleet");
    }
    if (routers != NULL) {
        build_routers(b, routers);
    }
}
