/* What is to be released: drawn fleets and rules.  Small ones come most often. */
#include "sim/sim.h"

#include <string.h>

static const uint8_t order_default[] = {STEP_PREFLIGHT, STEP_ROOM,  STEP_PULL,    STEP_LEAVE,
                                        STEP_STOP,      STEP_PROXY, STEP_CONNECT, STEP_START,
                                        STEP_TEST,      STEP_JOIN,  STEP_SOAK};
/* As a cloud service wants it whose files may only be changed when nobody uses them. */
static const uint8_t order_leave_first[] = {STEP_PREFLIGHT, STEP_LEAVE, STEP_ROOM,    STEP_PULL,
                                            STEP_STOP,      STEP_PROXY, STEP_CONNECT, STEP_START,
                                            STEP_TEST,      STEP_JOIN,  STEP_SOAK};

static void draw_hosts(struct draw *d, struct release_spec *spec)
{
    spec->hosts = (uint16_t) draw_between(d, 1, draw_chance(d, 300000) ? SIM_HOSTS : 4);
    unsigned most = spec->hosts < 3 ? spec->hosts : 3;
    spec->dcs = (uint8_t) draw_between(d, 1, most);
    bool even = draw_chance(d, 700000);
    for (unsigned h = 0; h < spec->hosts; h++) {
        /* Each data center has one, the rest lie anywhere. */
        spec->host[h].dc = (uint8_t) (h < spec->dcs ? h : draw_below(d, spec->dcs));
        spec->host[h].weight = (uint16_t) (even ? 100 : draw_between(d, 50, 200));
        spec->host[h].track = RELEASE_STABLE;
    }
}

static void draw_order(struct draw *d, struct release_spec *spec)
{
    const uint8_t *order = draw_chance(d, 800000) ? order_default : order_leave_first;
    spec->has_proxy = draw_chance(d, 500000);
    spec->has_connect = draw_chance(d, 500000);
    spec->has_tests = draw_chance(d, 950000);
    for (unsigned i = 0; i < sizeof(order_default); i++) {
        bool out = (order[i] == STEP_PROXY && !spec->has_proxy) ||
                   (order[i] == STEP_CONNECT && !spec->has_connect) ||
                   (order[i] == STEP_TEST && !spec->has_tests);
        if (!out) {
            spec->order[spec->orders++] = order[i];
        }
    }
}

static void draw_rules(struct draw *d, struct release_spec *spec)
{
    static const uint32_t keep[] = {0, 0, 250000, 500000, 500000, 750000};
    spec->batch = (uint16_t) (draw_chance(d, 600000) ? 1 : draw_between(d, 2, 3));
    spec->keep_up_total_ppm = keep[draw_below(d, sizeof(keep) / sizeof(keep[0]))];
    spec->keep_up_per_dc = (uint16_t) draw_below(d, 2);
    spec->with_downtime = draw_chance(d, 150000);
    spec->soak_ms = draw_below(d, 3) * 10000;
    spec->keep_old_ms = draw_below(d, 3) * 60000;
    spec->requests_ms = 30000;
    spec->streams_ms = 300000;
    spec->step_ms = 300000;
    spec->has_migration = draw_chance(d, 400000);
    spec->migrate_after = draw_chance(d, 300000);
    spec->barrier = draw_chance(d, 300000);
    spec->migrate_ms = 900000;
    spec->hooks_before = (uint8_t) (draw_chance(d, 200000) ? draw_between(d, 1, 2) : 0);
    spec->hooks_after = (uint8_t) (draw_chance(d, 200000) ? draw_between(d, 1, 2) : 0);
    spec->headroom_ppm = draw_chance(d, 500000) ? 1200000 : 1000000;
}

static void draw_stages(struct draw *d, struct release_spec *spec)
{
    static const uint32_t share[] = {1000, 10000, 50000, 100000, 250000, 500000, 750000};
    unsigned n = 0;
    spec->stage[n++] = (struct release_stage){.share_ppm = 0};
    if (draw_chance(d, 300000)) {
        spec->stage[n++] = (struct release_stage){.staff = true, .dwell_ms = 60000};
    }
    for (unsigned i = 0; i < sizeof(share) / sizeof(share[0]); i++) {
        if (draw_chance(d, 250000)) {
            spec->stage[n++] = (struct release_stage){.share_ppm = share[i],
                                                      .dwell_ms = draw_below(d, 2) * 600000};
        }
    }
    spec->stage[n++] = (struct release_stage){.share_ppm = 1000000, .dwell_ms = 600000};
    spec->stages = (uint8_t) n;
    spec->patience_ms = 600000;
}

static void draw_canary(struct draw *d, struct release_spec *spec)
{
    draw_stages(d, spec);
    spec->retire_to_stable = draw_chance(d, 600000);
    spec->grow = draw_chance(d, 700000);
    spec->hold_at_end = draw_chance(d, 100000);
    if (spec->swap == RELEASE_BESIDE && draw_chance(d, 500000)) {
        spec->beside_per_dc = (uint16_t) draw_between(d, 1, 2);
        return;
    }
    unsigned pool = 0;
    for (unsigned h = 0; h < spec->hosts; h++) {
        spec->host[h].pool = draw_chance(d, 400000);
        pool += spec->host[h].pool;
    }
    spec->host[0].pool |= pool == 0;
    bool spares = pool < spec->hosts && spec->hosts > 1 && draw_chance(d, 500000);
    for (unsigned h = 0; h < spec->hosts; h++) {
        if (spec->host[h].pool && spares) {
            spec->host[h].track = RELEASE_CANARY;
        }
    }
}

static void draw_basis(struct draw *d, const struct release_spec *spec, struct release_basis *basis)
{
    for (unsigned h = 0; h < spec->hosts; h++) {
        basis->host[h].slot = spec->swap == RELEASE_BESIDE ? draw_below(d, 2) : RELEASE_SLOT_A;
        basis->host[h].track = spec->host[h].track;
        /* A host that rests on the canary's track has nothing to serve between releases. */
        basis->host[h].serves = spec->host[h].track == RELEASE_STABLE;
    }
}

/* A train in mid-walk: hosts on both tracks, a share that stays. */
static void draw_train(struct draw *d, struct release_spec *spec, struct release_basis *basis)
{
    for (unsigned h = 0; h < spec->hosts; h++) {
        if (draw_chance(d, 400000)) {
            spec->host[h].track = basis->host[h].track = RELEASE_CANARY;
        }
    }
    basis->share_ppm = draw_between(d, 1, 99) * 10000;
}

void sim_draw_spec(struct draw *d, struct release_spec *spec, struct release_basis *basis)
{
    memset(spec, 0, sizeof(*spec));
    memset(basis, 0, sizeof(*basis));
    spec->strategy = draw_chance(d, 550000) ? RELEASE_BY_CANARY : RELEASE_ROLLING;
    spec->swap = draw_chance(d, 400000) ? RELEASE_BESIDE : RELEASE_IN_PLACE;
    draw_hosts(d, spec);
    draw_order(d, spec);
    draw_rules(d, spec);
    if (spec->strategy == RELEASE_BY_CANARY) {
        draw_canary(d, spec);
    }
    draw_basis(d, spec, basis);
    if (spec->strategy == RELEASE_ROLLING && spec->hosts > 2 && draw_chance(d, 300000)) {
        draw_train(d, spec, basis);
    }
}
