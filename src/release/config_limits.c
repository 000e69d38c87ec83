/* Numbers that contradict one another: what has to stay up, and times of one chain. */
#include "base/num.h"
#include "release/config_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The first of these that somebody wrote, so that the message points into a file. */
static const struct conf_node *written(const struct config_build *b,
                                       const struct conf_node *const *node, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!config_is_default(b->c, node[i])) {
            return node[i];
        }
    }
    return config_map(b->root, "hosts");
}

static int by_weight(const void *a, const void *b)
{
    return (int) *(const uint16_t *) b - (int) *(const uint16_t *) a;
}

/* The largest part of the weights that can be out: a batch of the heaviest of one data center. */
static uint64_t worst_batch(const struct release_spec *spec, size_t dc)
{
    uint16_t weight[RELEASE_HOSTS_MAX];
    size_t n = 0;
    uint64_t sum = 0;
    for (size_t i = 0; i < spec->hosts; i++) {
        if (spec->host[i].dc == dc && !spec->host[i].pool) {
            weight[n++] = spec->host[i].weight;
        }
    }
    qsort(weight, n, sizeof weight[0], by_weight);
    for (size_t i = 0; i < n && i < spec->batch; i++) {
        sum += weight[i];
    }
    return sum;
}

static void check_total(struct config_build *b, const struct conf_node *total,
                        const struct conf_node *batch)
{
    const struct release_spec *spec = &b->c->spec;
    uint64_t all = 0, out = 0;
    size_t worst = 0, stable = 0;
    char wanted[16], stays[16];
    for (size_t i = 0; i < spec->hosts; i++) {
        all += spec->host[i].pool ? 0 : spec->host[i].weight;
        stable += !spec->host[i].pool;
    }
    for (size_t dc = 0; dc < spec->dcs; dc++) {
        uint64_t sum = worst_batch(spec, dc);
        worst = sum > out ? dc : worst;
        out = sum > out ? sum : out;
    }
    /* The only host of all is another matter, with its own words: the last copy is never taken. */
    if (all == 0 || stable < 2 || (all - out) * NUM_PPM_MAX >= spec->keep_up_total_ppm * all) {
        return;
    }
    num_share_text(spec->keep_up_total_ppm, wanted);
    num_share_text((uint32_t) ((all - out) * NUM_PPM_MAX / all / 10000 * 10000), stays);
    const struct conf_node *places[] = {total, batch};
    (void) conf_error(b->diags, written(b, places, 2),
                      "rolling.keep_up.total wants %s of the capacity to stay, but when %u host%s "
                      "of \"%.64s\" %s out, %s stay: lower it, or the batch",
                      wanted, (unsigned) spec->batch, spec->batch == 1 ? "" : "s", b->c->dc[worst],
                      spec->batch == 1 ? "is" : "are", stays);
}

static void check_per_dc(struct config_build *b, const struct conf_node *per_dc,
                         const struct conf_node *batch)
{
    const struct release_spec *spec = &b->c->spec;
    for (size_t dc = 0; dc < spec->dcs && spec->keep_up_per_dc > 0; dc++) {
        unsigned n = 0, keep = spec->keep_up_per_dc;
        for (size_t i = 0; i < spec->hosts; i++) {
            n += spec->host[i].dc == dc && !spec->host[i].pool;
        }
        if (n > 0 && n <= keep) {
            (void) conf_error(b->diags, per_dc,
                              "data center \"%.64s\" has %u stable host%s and %u of them %s to "
                              "stay, so none may leave",
                              b->c->dc[dc], n, n == 1 ? "" : "s", keep, keep == 1 ? "has" : "have");
            return;
        }
        if (n > 0 && n - keep < spec->batch) {
            const struct conf_node *places[] = {batch, per_dc};
            (void) conf_error(b->diags, written(b, places, 2),
                              "a batch of %u is more than may leave at once: data center \"%.64s\" "
                              "has %u stable hosts, of which keep_up holds %u",
                              (unsigned) spec->batch, b->c->dc[dc], n, keep);
            return;
        }
    }
}

void config_keep_up(struct config_build *b)
{
    const struct conf_node *rolling = config_map(b->root, "rolling");
    const struct conf_node *batch = config_scalar(rolling, "batch");
    const struct conf_node *keep_up = config_map(rolling, "keep_up");
    if (b->c->spec.swap != RELEASE_IN_PLACE || b->c->hosts == 0) {
        return;
    }
    check_total(b, config_scalar(keep_up, "total"), batch);
    check_per_dc(b, config_scalar(keep_up, "per_datacenter"), batch);
}

/* Warns when the shorter time is not below the longer one; at the one that somebody wrote. */
static void chain(struct config_build *b, const char *const *small, const char *const *large,
                  bool equal_is_fine, const char *why)
{
    const struct conf_node *a = config_find(b->root, small), *z = config_find(b->root, large);
    uint64_t a_ms, z_ms;
    char name[2][128] = {"", ""};
    if (a == NULL || z == NULL || a->kind != CONF_SCALAR || z->kind != CONF_SCALAR ||
        num_duration_ms(a->text, &a_ms) < 0 || num_duration_ms(z->text, &z_ms) < 0 || a_ms < z_ms ||
        (equal_is_fine && a_ms == z_ms) ||
        (config_is_default(b->c, a) && config_is_default(b->c, z))) {
        return;
    }
    for (size_t i = 0; i < 2; i++) {
        struct buf path;
        buf_init_fixed(&path, name[i], sizeof name[i]);
        for (const char *const *word = i == 0 ? small : large; *word != NULL; word++) {
            buf_addf(&path, "%s%s", path.len == 0 ? "" : ".", *word);
        }
    }
    conf_warn(b->diags, config_is_default(b->c, a) ? z : a,
              "%s (%.16s) is not below %s (%.16s): %s", name[0], a->text.ptr, name[1], z->text.ptr,
              why);
}

#define PATH(...)         \
    (const char *const[]) \
    {                     \
        __VA_ARGS__, NULL \
    }

void config_chain(struct config_build *b)
{
    for (size_t r = 0; r < ROLES; r++) {
        const char *role = config_role_name[r];
        chain(b, PATH("roles", role, "ready", "within"), PATH("rolling", "deadline"), false,
              "the step ends before it is known whether the role is ready");
        chain(b, PATH("roles", role, "stop", "grace"), PATH("rolling", "deadline"), false,
              "the step ends before the role is killed");
    }
    chain(b, PATH("rolling", "drain", "requests"), PATH("roles", "app", "stop", "grace"), true,
          "requests that a drain waits for are killed by the stop");
    chain(b, PATH("rolling", "drain", "requests"), PATH("rolling", "drain", "streams"), true,
          "streams are cut before requests");
    chain(b, PATH("tests", "budget"), PATH("rolling", "deadline"), true,
          "the step ends before the tests do");
    const struct conf_node *list = config_list(b->root, "connect");
    for (size_t i = 0; list != NULL && i < list->len; i++) {
        uint64_t retry = i < b->c->connects ? b->c->connect[i].retry_ms : 0;
        const struct conf_node *node = config_scalar(list->item[i], "retry");
        if (node != NULL && retry >= b->c->deadline_ms && b->c->deadline_ms > 0) {
            conf_warn(b->diags, config_is_default(b->c, node) ? list->item[i] : node,
                      "connect.retry (%.16s) is not below rolling.deadline: the step ends first",
                      node->text.ptr);
        }
    }
    if (b->c->hosts > 0 && b->c->routers == 0 && b->c->role[ROLE_APP].given) {
        conf_warn(b->diags, config_map(b->root, "hosts"),
                  "there are no routers: nobody takes visitors away from a host before it stops");
    }
}
