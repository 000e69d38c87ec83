/* The walk of a canary release: pool, stages, limits. */
#include "base/num.h"
#include "release/config_int.h"

#include <string.h>

/* "1.2": 1200000. */
static void build_headroom(struct config_build *b, const struct conf_node *canary)
{
    const struct conf_node *node = config_scalar(canary, "headroom");
    double factor = 0;
    if (node == NULL) {
        return;
    }
    if (num_double(node->text, &factor) < 0 || factor < 1 || factor > 10) {
        (void) conf_error(b->diags, node,
                          "\"headroom\" has to be a factor from 1 to 10, such as 1.2, but is "
                          "\"%.32s\"",
                          node->text.ptr);
        return;
    }
    b->c->spec.headroom_ppm = (uint32_t) (factor * 1e6 + 0.5);
}

static void build_pool_hosts(struct config_build *b, const struct conf_node *pool)
{
    struct release_config *c = b->c;
    struct release_texts list = config_texts(b, pool, "hosts");
    const char *known[RELEASE_HOSTS_MAX];
    bool at_rest = config_is(pool, "rest", "stable");
    for (size_t i = 0; i < c->hosts; i++) {
        known[i] = c->host[i].name;
    }
    for (size_t i = 0; i < list.len; i++) {
        const struct conf_node *node = config_texts_at(pool, "hosts", i);
        int host = release_config_host(c, list.ptr[i]);
        if (node->kind != CONF_SCALAR || c->hosts == 0) {
            continue;
        }
        if (host < 0) {
            config_unknown(b, node, "host", known, c->hosts);
            continue;
        }
        struct release_spec_host *spec = &c->spec.host[host];
        if (spec->pool) {
            (void) conf_error(b->diags, node, "host \"%.64s\" is listed twice", list.ptr[i]);
        }
        spec->pool = true;
        spec->track = at_rest ? RELEASE_STABLE : RELEASE_CANARY;
    }
    size_t left = 0;
    for (size_t i = 0; i < c->hosts; i++) {
        left += !c->spec.host[i].pool;
    }
    if (c->hosts > 0 && left == 0) {
        (void) conf_error(b->diags, conf_get(pool, "hosts"),
                          "all hosts are in the canary pool: at least one has to stay stable");
    }
}

static void build_beside(struct config_build *b, const struct conf_node *pool)
{
    struct release_config *c = b->c;
    const struct conf_node *node = config_scalar(pool, "beside");
    c->spec.beside_per_dc = (uint16_t) config_number(b, pool, "beside", 1, RELEASE_HOSTS_MAX);
    for (size_t dc = 0; dc < c->dcs && c->hosts > 0 && node != NULL; dc++) {
        unsigned n = 0;
        for (size_t i = 0; i < c->hosts; i++) {
            n += c->host[i].dc == dc;
        }
        if (n < c->spec.beside_per_dc) {
            (void) conf_error(b->diags, node,
                              "\"beside\" is %u hosts of each data center, but \"%.64s\" has %u",
                              (unsigned) c->spec.beside_per_dc, c->dc[dc], n);
            return;
        }
    }
}

static void build_pool(struct config_build *b, const struct conf_node *canary)
{
    struct conf_node *pool = config_map(canary, "pool");
    if (pool == NULL) {
        if (conf_get(canary, "pool") == NULL) {
            (void) conf_error(b->diags,
                              config_is_default(b->c, canary) ? config_scalar(b->root, "strategy")
                                                              : canary,
                              "a canary needs a pool: canary.pool.hosts: [NAME, ...], or "
                              "canary.pool.beside: N");
        }
        return;
    }
    config_fill(&b->c->arena, pool, config_defaults(b, "pool"));
    bool hosts = conf_get(pool, "hosts") != NULL, beside = conf_get(pool, "beside") != NULL;
    b->c->spec.grow = config_true(pool, "grow") || config_true(canary, "grow");
    b->c->spec.retire_to_stable = config_is(pool, "rest", "stable");
    if (hosts == beside) {
        (void) conf_error(b->diags, pool, "the pool needs %s",
                          hosts ? "one of hosts and beside, not both"
                                : "hosts: [NAME, ...] or beside: N");
    }
    if (hosts) {
        build_pool_hosts(b, pool);
    } else if (beside) {
        build_beside(b, pool);
    }
}

/* A text is a share or "staff"; a map says the same by keys, and its own dwell. */
static bool read_stage(struct config_build *b, const struct conf_node *node,
                       struct release_stage *stage)
{
    const struct conf_node *share = node;
    struct err err = {.code = ERR_NONE};
    if (node->kind == CONF_MAP) {
        bool staff = config_true(node, "staff");
        share = conf_get(node, "share");
        if ((share != NULL) == staff) {
            (void) conf_error(b->diags, node, "a stage needs either share or staff: true");
            return false;
        }
        stage->dwell_ms =
            conf_get(node, "dwell") == NULL ? stage->dwell_ms : config_ms(b, node, "dwell");
        stage->staff = staff;
        if (staff) {
            return true;
        }
    } else if (node->kind == CONF_SCALAR && str_eq_cstr(node->text, "staff")) {
        stage->staff = true;
        return true;
    }
    if (share->kind != CONF_SCALAR || num_share_ppm(share->text, &stage->share_ppm, &err) < 0) {
        if (node->kind != CONF_MAP && share->kind == CONF_SCALAR) {
            (void) conf_error(b->diags, share, "a stage is a share or staff: %s", err.msg);
        }
        return false;
    }
    return true;
}

static void check_ends(struct config_build *b, const struct conf_node *list)
{
    const struct release_spec *spec = &b->c->spec;
    size_t last = list->len;
    while (last > 0 && spec->stage[last - 1].staff) {
        last--;
    }
    if (spec->stage[0].staff || spec->stage[0].share_ppm != 0) {
        (void) conf_error(b->diags, list->item[0],
                          "the first stage has to be 0, where it is proved that nobody is sent");
    }
    if (last != list->len || spec->stage[list->len - 1].share_ppm != NUM_PPM_MAX) {
        (void) conf_error(b->diags, list->item[list->len - 1], "the last stage has to be 100%%");
    }
}

static void build_stages(struct config_build *b, const struct conf_node *canary)
{
    struct release_spec *spec = &b->c->spec;
    const struct conf_node *list = config_list(canary, "stages");
    uint64_t dwell = config_ms(b, canary, "dwell");
    uint32_t share = 0;
    bool right = true;
    if (list == NULL || list->len == 0) {
        return;
    }
    if (list->len > RELEASE_STAGES_MAX) {
        (void) conf_error(b->diags, list, "there are %zu stages, at most %d", list->len,
                          RELEASE_STAGES_MAX);
        return;
    }
    for (size_t i = 0; i < list->len; i++) {
        struct release_stage stage = {.share_ppm = share, .dwell_ms = dwell};
        char before[16], now[16];
        bool read = read_stage(b, list->item[i], &stage);
        if (read && i > 0 && !stage.staff && stage.share_ppm <= share) {
            num_share_text(share, before);
            num_share_text(stage.share_ppm, now);
            (void) conf_error(b->diags, list->item[i], "stages rise, but %s comes after %s", now,
                              before);
        }
        share = read ? stage.share_ppm : share;
        right = right && read;
        spec->stage[spec->stages++] = stage;
    }
    if (right) {
        check_ends(b, list);
    }
}

static void build_limits(struct config_build *b, const struct conf_node *canary)
{
    const struct conf_node *node = config_map(canary, "limits");
    struct release_limits *l = &b->c->limits;
    l->has_errors = config_scalar(node, "errors") != NULL;
    l->errors_ppm = config_share(node, "errors");
    l->has_p99 = config_scalar(node, "p99") != NULL;
    l->p99_us = config_ms(b, node, "p99") * 1000;
    l->min_requests = config_number(b, node, "min_requests", 0, 1000000000);
    if (l->has_p99 && l->p99_us == 0) {
        (void) conf_error(b->diags, config_scalar(node, "p99"), "\"p99\" may not be 0");
    }
}

static void build_staff(struct config_build *b, const struct conf_node *canary)
{
    const struct conf_node *staff = config_map(canary, "staff");
    const char *header = config_text(staff, "header"), *list = config_text(staff, "list");
    bool asked = false;
    for (size_t i = 0; i < b->c->spec.stages; i++) {
        asked = asked || b->c->spec.stage[i].staff;
    }
    if (staff != NULL && (header == NULL || list == NULL)) {
        (void) conf_error(b->diags, staff, "\"staff\" needs header and list");
    } else if (staff != NULL) {
        b->c->staff.ptr = config_alloc(&b->c->arena, 2 * sizeof *b->c->staff.ptr);
        b->c->staff.ptr[0] = header;
        b->c->staff.ptr[1] = config_path(&b->c->arena, b->c->dir, list);
        b->c->staff.len = 2;
    } else if (asked && conf_get(canary, "staff") == NULL) {
        (void) conf_error(b->diags, conf_get(canary, "stages"),
                          "a stage is for the staff, but nothing says who that is: write "
                          "canary.staff: {header: X-Staff, list: FILE}");
    }
}

void config_canary(struct config_build *b)
{
    struct conf_node *canary = config_map(b->root, "canary");
    bool wanted = config_is(b->root, "strategy", "canary");
    if (canary == NULL && wanted && conf_get(b->root, "canary") == NULL) {
        canary = config_default(b, "");
        *canary = (struct conf_node){.kind = CONF_MAP, .pos = canary->pos};
        config_put(&b->c->arena, b->root, "canary", canary);
    }
    if (canary == NULL) {
        return;
    }
    config_fill(&b->c->arena, canary, config_defaults(b, "canary"));
    b->c->spec.patience_ms = config_ms(b, canary, "patience");
    build_pool(b, canary);
    build_headroom(b, canary);
    build_stages(b, canary);
    build_staff(b, canary);
    build_limits(b, canary);
}
