/* Whether release.yaml still makes the plan that a release was begun with. */
#include "base/num.h"
#include "base/sha256.h"
#include "controller/controller_int.h"

#include <string.h>

/*
 * What a person mends when it was what halted the release: a check, a hook, a migration.  Their
 * steps may come and go; who is released when, and the shares, may not.
 */
static bool may_change(enum release_step_kind kind)
{
    return kind == STEP_ROOM || kind == STEP_PULL || kind == STEP_PROXY || kind == STEP_CONNECT ||
           kind == STEP_TEST || kind == STEP_SOAK || kind == STEP_HOOK_BEFORE ||
           kind == STEP_HOOK_AFTER || kind == STEP_MIGRATE;
}

static void add_step(struct sha256 *s, const struct release_config *config,
                     const struct release_step_plan *step, unsigned group)
{
    char text[256];
    buf_print(text, sizeof text, "%s %s %u %s %u %u %d %d\n", release_part_name[step->key.part],
              release_step_name[step->key.kind], (unsigned) step->key.nth,
              step->key.host < 0 ? "-" : config->host[step->key.host].name, group, step->share_ppm,
              (int) step->slot, (int) step->hold);
    sha256_add(s, text, strlen(text));
}

void controller_plan_hash(const struct controller *c, char out[17])
{
    const struct release_plan *plan = release_plan_in(c->release, RELEASE_FORWARD);
    struct sha256 s;
    uint8_t digest[32];
    uint64_t number;
    sha256_init(&s);
    unsigned group = 0;
    int before = -1;
    for (size_t i = 0; i < plan->len; i++) {
        const struct release_step_plan *step = &plan->step[i];
        if (!may_change(step->key.kind)) {
            group += before != step->group;
            before = step->group;
            add_step(&s, c->config, step, group);
        }
    }
    sha256_done(&s, digest);
    memcpy(&number, digest, sizeof number);
    num_hex64_text(number, out);
}

int controller_check_plan(const struct controller *c, struct err *err)
{
    char now[17];
    controller_plan_hash(c, now);
    if (c->header.plan[0] == '\0' || strcmp(now, c->header.plan) == 0) {
        return 0;
    }
    return err_set(
        err, ERR_INVALID,
        "%s has another plan now than when release %s began: hosts, stages, order, batch and swap "
        "may "
        "not change while it is on its way; put the file back as it was, then resume or roll back "
        "(tests, checks, hooks, limits and times may change)",
        c->config->path, c->header.id);
}
