/* A host out of the routers and back, by a person, without a release. */
#include "base/mem.h"
#include "controller/controller_int.h"

#include <string.h>

#define PPM 1000000u

/* Others keep what keep_up wants of the track's capacity now, and at least one copy. */
static void needs(const struct controller *c, const struct controller_look *look, int host,
                  enum release_slot slot, struct release_op *op)
{
    enum release_track track = look->host[host].track[slot];
    uint64_t weight = 0;
    for (int h = 0; h < (int) c->config->hosts; h++) {
        for (int s = 0; s < RELEASE_SLOTS; s++) {
            bool counts = look->host[h].serves[s] && look->host[h].track[s] == track;
            weight += counts ? c->config->spec.host[h].weight : 0;
        }
    }
    uint64_t need = (weight * c->config->spec.keep_up_total_ppm + PPM - 1) / PPM;
    op->need[track] = need > 0 ? need : 1;
}

static int carry_out(struct controller *c, const struct controller_look *look, int host, bool joins,
                     struct err *err)
{
    static const enum release_op_kind leave[] = {OP_KEEP_UP, OP_DRAIN, OP_FAIL, OP_QUIET};
    static const enum release_op_kind join[] = {OP_PASS, OP_READY};
    const struct controller_place *p = &look->host[host];
    enum release_slot slot = p->known[RELEASE_SLOT_B] && p->seen.copy[RELEASE_SLOT_B].runs &&
                                     !p->seen.copy[RELEASE_SLOT_A].runs
                                 ? RELEASE_SLOT_B
                                 : RELEASE_SLOT_A;
    size_t n = joins ? 2 : 4;
    for (size_t i = 0; i < n; i++) {
        struct release_op op = {
            .kind = joins ? join[i] : leave[i],
            .step = -1,
            .host = host,
            .slot = slot,
            .version = RELEASE_OLD,
            .track = p->known[slot] ? p->track[slot] : c->config->spec.host[host].track,
            .deadline_ms = c->config->spec.step_ms,
        };
        if (op.kind == OP_KEEP_UP) {
            if (c->options.force || !p->serves[slot]) {
                continue;
            }
            needs(c, look, host, slot, &op);
        }
        int rc = controller_do(c, &op, err);
        if (rc < 0) {
            return rc;
        }
    }
    return 0;
}

int controller_host(struct controller *c, int host, bool joins, const char *by, struct err *err)
{
    const struct controller_wish wish = {.kind = "host", .version = "-", .by = by};
    const struct release_op lock = {
        .kind = OP_LOCK, .step = -1, .host = -1, .deadline_ms = c->config->spec.step_ms};
    controller_forget_release(c);
    int rc =
        c->broken.code != 0 ? (int) (*err = c->broken).code : controller_fill_header(c, &wish, err);
    if (rc < 0) {
        return rc;
    }
    struct controller_look *look = mem_zalloc(sizeof *look);
    controller_look(c, look);
    for (int h = 0; h < (int) c->config->hosts; h++) {
        for (int s = 0; s < RELEASE_SLOTS; s++) {
            if (look->host[h].seen.copy[s].any) {
                buf_print(c->header.old_version[h], sizeof c->header.old_version[h], "%s",
                          look->host[h].seen.copy[s].version);
            }
        }
    }
    rc = controller_do(c, &lock, err);
    if (rc == 0) {
        rc = controller_have_lock(c, err);
    }
    if (rc == 0) {
        rc = carry_out(c, look, host, joins, err);
    }
    controller_drop_lock(c);
    mem_free(look);
    return rc;
}
