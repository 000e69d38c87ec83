/*
 * What holds when nothing is said: YAML of its own, put below the files, so that checking, typing
 * and printing have one way for values and the origin of each is where it stands.
 */
#include "release/config_int.h"

#include <string.h>

const char release_defaults[] =
    "all:\n"
    "  schema: 1\n"
    "  strategy: rolling\n"
    "  swap: auto\n"
    "  order: default\n"
    "  rolling:\n"
    "    batch: 1\n"
    "    keep_up: {total: 50%, per_datacenter: 0}\n"
    "    drain: {requests: 30s, streams: 5m}\n"
    "    soak: 10s\n"
    "    keep_old: 10m\n"
    "    deadline: 5m\n"
    "  disk: {free: 1GiB}\n"
    "fleet: {schema: 1}\n"
    "host: {weight: 1}\n"
    "process: {keep: 5}\n"
    "compose: {at: controller, keep: 5}\n"
    "proxy:\n"
    "  shared: false\n"
    "  ready: {within: 30s}\n"
    "  stop: {signal: TERM, grace: 30s}\n"
    "  restarts: {max: 0, watch: 30s}\n"
    "app:\n"
    "  ready: {within: 90s}\n"
    "  stop: {signal: TERM, grace: 30s}\n"
    "  restarts: {max: 0, watch: 30s}\n"
    "worker:\n"
    "  ready: {within: 90s, up_for: 15s}\n"
    "  stop: {signal: TERM, grace: 60s}\n"
    "  restarts: {max: 0, watch: 30s}\n"
    "cron:\n"
    "  ready: {within: 90s, up_for: 5s}\n"
    "  stop: {signal: TERM, grace: 60s}\n"
    "  restarts: {max: 0, watch: 30s}\n"
    "connect: {retry: 30s}\n"
    "migrate: {when: before, once: true, timeout: 15m, barrier: false}\n"
    "tests: {budget: 2m}\n"
    "canary:\n"
    "  stages: [0, 1%, 10%, 50%, 100%]\n"
    "  dwell: 10m\n"
    "  limits: {min_requests: 100}\n"
    "  headroom: 1.2\n"
    "  patience: 30m\n"
    "pool: {rest: stable, grow: false}\n"
    "hook: {timeout: 1m}\n";

int config_defaults_load(struct config_build *b)
{
    return conf_load_text(b->diags, "(default)", str_of(release_defaults), &b->c->defaults);
}

const struct conf_node *config_defaults(const struct config_build *b, const char *section)
{
    return conf_get(b->c->defaults.document[0], section);
}

struct conf_node *config_default(struct config_build *b, const char *text)
{
    struct conf_node *node = config_alloc(&b->c->arena, sizeof *node);
    *node = (struct conf_node){.kind = CONF_SCALAR, .style = CONF_PLAIN};
    node->pos = b->c->defaults.document[0]->pos;
    node->text = (struct str){arena_strdup(&b->c->arena, str_of(text)), strlen(text)};
    return node;
}

bool config_is_default(const struct release_config *c, const struct conf_node *node)
{
    return node == NULL ||
           (c->defaults.document != NULL && node->pos.file == c->defaults.document[0]->pos.file);
}
