/* What the engine gets: the rolling rules, the order of steps, the swap. */
#include "release/config_int.h"

#include <string.h>

/* The runbook in place, as it is without "order". */
static const enum release_step_kind runbook[] = {
    STEP_PREFLIGHT, STEP_ROOM,  STEP_PULL, STEP_LEAVE, STEP_STOP, STEP_PROXY,
    STEP_CONNECT,   STEP_START, STEP_TEST, STEP_JOIN,  STEP_SOAK,
};
enum { STEPS = sizeof runbook / sizeof runbook[0] };

/* What has to come before what, and why. */
static const struct {
    enum release_step_kind before, after;
    const char *why;
} arrows[] = {
    {STEP_LEAVE, STEP_STOP, "visitors are cut off"},
    {STEP_STOP, STEP_START, "two copies want the same ports"},
    {STEP_START, STEP_TEST, "there is nothing to test"},
    {STEP_TEST, STEP_JOIN, "visitors come to an untested copy"},
    {STEP_START, STEP_JOIN, "visitors come to nothing"},
    {STEP_ROOM, STEP_PULL, "there may be no room"},
    {STEP_PULL, STEP_START, "the version is not there"},
    {STEP_STOP, STEP_PROXY, "visitors are cut off"},
    {STEP_PROXY, STEP_START, "nothing keeps visitors away from an untested copy"},
    {STEP_CONNECT, STEP_START, "the copy comes up before its surroundings are known"},
    {STEP_JOIN, STEP_SOAK, "there is nothing to watch"},
};

static bool is_needed(const struct release_spec *spec, enum release_step_kind kind)
{
    return kind == STEP_PULL || kind == STEP_LEAVE || kind == STEP_STOP || kind == STEP_START ||
           kind == STEP_JOIN || (kind == STEP_PROXY && spec->has_proxy) ||
           (kind == STEP_CONNECT && spec->has_connect) || (kind == STEP_TEST && spec->has_tests);
}

/* A word for which there is nothing to do here is fine, and left out. */
static bool is_there(const struct release_spec *spec, enum release_step_kind kind)
{
    return (kind != STEP_PROXY || spec->has_proxy) && (kind != STEP_CONNECT || spec->has_connect) &&
           (kind != STEP_TEST || spec->has_tests);
}

static int find_step(const struct conf_node *node)
{
    for (size_t i = 0; i < STEPS; i++) {
        if (node->kind == CONF_SCALAR && str_eq_cstr(node->text, release_step_name[runbook[i]])) {
            return (int) i;
        }
    }
    return -1;
}

static void check_arrows(struct config_build *b, const struct conf_node *list,
                         const size_t place[STEP_KINDS])
{
    for (size_t i = 0; i < sizeof arrows / sizeof arrows[0]; i++) {
        size_t first = place[arrows[i].before], then = place[arrows[i].after];
        if (first != 0 && then != 0 && first > then) {
            (void) conf_error(b->diags, list->item[then - 1],
                              "\"%s\" has to come before \"%s\", or %s",
                              release_step_name[arrows[i].before],
                              release_step_name[arrows[i].after], arrows[i].why);
        }
    }
    if (place[STEP_PREFLIGHT] > 1) {
        (void) conf_error(b->diags, list->item[place[STEP_PREFLIGHT] - 1],
                          "\"preflight\" is always first");
    }
    for (size_t i = 0; i < STEPS; i++) {
        if (place[runbook[i]] == 0 && is_needed(&b->c->spec, runbook[i])) {
            (void) conf_error(b->diags, list, "\"order\" lacks \"%s\"",
                              release_step_name[runbook[i]]);
        }
    }
}

static void build_list(struct config_build *b, const struct conf_node *list)
{
    struct release_spec *spec = &b->c->spec;
    const char *known[STEPS];
    size_t place[STEP_KINDS] = {0}; /* from 1 */
    for (size_t i = 0; i < STEPS; i++) {
        known[i] = release_step_name[runbook[i]];
    }
    spec->order[spec->orders++] = STEP_PREFLIGHT;
    for (size_t i = 0; i < list->len; i++) {
        const struct conf_node *node = list->item[i];
        int step = find_step(node);
        if (step < 0) {
            if (node->kind == CONF_SCALAR) {
                config_unknown(b, node, "step", known, STEPS);
            }
            continue;
        }
        enum release_step_kind kind = runbook[step];
        if (place[kind] != 0) {
            (void) conf_error(b->diags, node, "step \"%s\" is listed twice", known[step]);
            continue;
        }
        place[kind] = i + 1;
        if (kind != STEP_PREFLIGHT && is_there(spec, kind)) {
            spec->order[spec->orders++] = (uint8_t) kind;
        }
    }
    check_arrows(b, list, place);
}

static void build_order(struct config_build *b)
{
    struct release_spec *spec = &b->c->spec;
    const struct conf_node *list = config_list(b->root, "order");
    const struct conf_node *word = config_scalar(b->root, "order");
    if (list != NULL && list->len > 0) {
        build_list(b, list);
        return;
    }
    if (word != NULL && !str_eq_cstr(word->text, "default")) {
        (void) conf_error(b->diags, word,
                          "\"order\" has to be default or a list of steps, but is \"%.64s\"",
                          word->text.ptr);
    }
    for (size_t i = 0; i < STEPS; i++) {
        if (is_there(spec, runbook[i])) {
            spec->order[spec->orders++] = (uint8_t) runbook[i];
        }
    }
}

/* The first host and port that slot b lacks; NULL: two copies can live on every host. */
static const struct release_host *lacks_slot_b(const struct config_build *b, const char **ret_port)
{
    for (size_t i = 0; i < b->c->hosts; i++) {
        const struct release_host *host = &b->c->host[i];
        *ret_port = NULL;
        for (size_t p = 0; p < b->ports.len; p++) {
            const struct release_port *port = config_port(host, str_of(b->ports.ptr[p].name));
            if (port != NULL && port->number[RELEASE_SLOT_B] == 0) {
                *ret_port = port->name;
                return host;
            }
        }
        if (b->ports.len == 0) {
            return host;
        }
    }
    return NULL;
}

static void need_slot_b(struct config_build *b, const struct conf_node *node, const char *what)
{
    const char *port = NULL;
    const struct release_host *host = lacks_slot_b(b, &port);
    if (host == NULL || b->c->hosts == 0 || b->c->driver != RELEASE_PROCESS) {
        return;
    }
    if (port != NULL) {
        (void) conf_error(b->diags, node,
                          "%s needs two copies on a host, but port \"%.64s\" of host \"%.64s\" has "
                          "one number: write %.64s: [A, B]",
                          what, port, host->name, port);
    } else {
        (void) conf_error(b->diags, node,
                          "%s needs two copies on a host, but no program uses a port that differs: "
                          "write ${port.NAME} in its command or env, and NAME: [A, B] under ports",
                          what);
    }
}

static void build_swap(struct config_build *b)
{
    struct release_spec *spec = &b->c->spec;
    const struct conf_node *swap = config_scalar(b->root, "swap");
    const struct conf_node *beside =
        config_find(b->root, (const char *const[]){"canary", "pool", "beside", NULL});
    const char *port = NULL;
    bool beside_can = b->c->driver == RELEASE_PROCESS && lacks_slot_b(b, &port) == NULL;
    bool beside_pool = beside != NULL && spec->strategy == RELEASE_BY_CANARY;
    if (config_is(b->root, "swap", "beside")) {
        need_slot_b(b, swap, "swap: beside");
        spec->swap = RELEASE_BESIDE;
    } else if (config_is(b->root, "swap", "auto")) {
        spec->swap =
            beside_pool || (b->c->hosts == 1 && beside_can) ? RELEASE_BESIDE : RELEASE_IN_PLACE;
    } else if (beside_pool && config_is(b->root, "swap", "in-place")) {
        (void) conf_error(b->diags, swap,
                          "canary.pool.beside puts new copies next to the old ones: write swap: "
                          "auto or beside, or canary.pool.hosts");
    }
    if (beside != NULL) {
        need_slot_b(b, beside, "a pool beside");
    }
}

static void build_rolling(struct config_build *b)
{
    struct release_spec *spec = &b->c->spec;
    const struct conf_node *rolling = config_map(b->root, "rolling");
    const struct conf_node *keep_up = config_map(rolling, "keep_up");
    const struct conf_node *drain = config_map(rolling, "drain");
    spec->batch = (uint16_t) config_number(b, rolling, "batch", 1, RELEASE_HOSTS_MAX);
    spec->keep_up_total_ppm = config_share(keep_up, "total");
    spec->keep_up_per_dc =
        (uint16_t) config_number(b, keep_up, "per_datacenter", 0, RELEASE_HOSTS_MAX);
    spec->soak_ms = config_ms(b, rolling, "soak");
    spec->keep_old_ms = config_ms(b, rolling, "keep_old");
    spec->requests_ms = b->c->drain_requests_ms = config_ms(b, drain, "requests");
    spec->streams_ms = b->c->drain_streams_ms = config_ms(b, drain, "streams");
    spec->step_ms = b->c->deadline_ms = config_ms(b, rolling, "deadline");
    const struct conf_node *deadline = config_scalar(rolling, "deadline");
    if (deadline != NULL && spec->step_ms < 1000) {
        (void) conf_error(b->diags, deadline, "\"deadline\" has to be at least 1s");
    }
}

static void build_disk(struct config_build *b)
{
    const struct conf_node *disk = config_map(b->root, "disk");
    static const char *const known[] = {"images", "build_cache", "stopped_containers"};
    const struct conf_node *free = config_scalar(disk, "free");
    struct release_texts prune = config_texts(b, disk, "prune");
    if (free != NULL && conf_bytes(free->text, &b->c->disk_free_bytes) < 0) {
        b->c->disk_free_bytes = 0; /* told by the table */
    }
    (void) config_number(b, disk, "keep_images", 2, 100);
    for (size_t i = 0; i < prune.len; i++) {
        const struct conf_node *node = config_texts_at(disk, "prune", i);
        bool right = false;
        for (size_t k = 0; k < 3; k++) {
            right = right || strcmp(prune.ptr[i], known[k]) == 0;
        }
        if (!right && node->kind == CONF_SCALAR) {
            config_unknown(b, node, "thing to prune", known, 3);
        }
    }
}

void config_spec(struct config_build *b)
{
    struct release_config *c = b->c;
    struct release_spec *spec = &c->spec;
    spec->strategy = config_is(b->root, "strategy", "canary") ? RELEASE_BY_CANARY : RELEASE_ROLLING;
    spec->hosts = (uint16_t) c->hosts;
    spec->dcs = (uint8_t) c->dcs;
    for (size_t i = 0; i < c->hosts; i++) {
        spec->host[i].dc = (uint8_t) c->host[i].dc;
        spec->host[i].weight = c->host[i].weight;
    }
    spec->has_proxy = c->role[ROLE_PROXY].given;
    spec->has_connect = c->connects > 0;
    spec->has_tests = c->tests.given;
    spec->has_migration = c->migration.given;
    spec->migrate_after = c->migration.after;
    spec->barrier = c->migration.barrier;
    spec->migrate_ms = c->migration.timeout_ms;
    spec->hooks_before = (uint8_t) c->hooks[HOOK_BEFORE];
    spec->hooks_after = (uint8_t) c->hooks[HOOK_AFTER];
    build_rolling(b);
    build_disk(b);
    build_order(b);
    build_swap(b);
}
