/* Whether release.yaml still makes the plan that a release was begun with. */
#include "base/num.h"
#include "base/sha256.h"
#include "controller/controller_int.h"

#include <string.h>

static void add_step(struct sha256 *s, const struct release_config *config,
                     const struct release_step_plan *step)
{
    char text[256];
    buf_print(text, sizeof text, "%s %s %u %s %u %u %d %d\n", release_part_name[step->key.part],
              release_step_name[step->key.kind], (unsigned) step->key.nth,
              step->key.host < 0 ? "-" : config->host[step->key.host].name, (unsigned) step->group,
              step->share_ppm, (int) step->slot, (int) step->hold);
    sha256_add(s, text, strlen(text));
}

void controller_plan_hash(const struct controller *c, char out[17])
{
    const struct release_plan *plan = release_plan_in(c->release, RELEASE_FORWARD);
    struct sha256 s;
    uint8_t digest[32];
    uint64_t number;
    sha256_init(&s);
    for (size_t i = 0; i < plan->len; i++) {
        add_step(&s, c->config, &plan->step[i]);
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
        "%s has another plan now than when release %s began: stages, order, batch, swap, "
        "hooks, migration and hosts may not change while it is on its way; put the file "
        "back as it was, then resume or roll back (tests, limits and times may change)",
        c->config->path, c->header.id);
}
