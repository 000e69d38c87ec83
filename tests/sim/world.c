/* Hosts, routers and what happens to them without anybody's asking. */
#include "sim/world.h"

#include <string.h>

const char *const sim_happening_name[HAPPENINGS] = {
    [HAPPENS_HOST_CUT] = "host cut off",
    [HAPPENS_HOST_BACK] = "host back",
    [HAPPENS_REBOOT_GONE] = "host reboots, programs are gone",
    [HAPPENS_REBOOT_POLICY] = "host reboots, programs start by policy",
    [HAPPENS_COPY_DIES] = "copy dies",
    [HAPPENS_COPY_RESTARTS] = "copy restarts by policy",
    [HAPPENS_ROUTER_CUT] = "router cut off",
    [HAPPENS_ROUTER_BACK] = "router back",
    [HAPPENS_ROUTER_RESTART] = "router restarts",
    [HAPPENS_ROUTER_OLD] = "router restarts with an old state",
    [HAPPENS_ROUTER_LOST] = "router restarts without its state",
    [HAPPENS_LEASE_LOST] = "clock jumps, another takes the lease",
    [HAPPENS_LEASE_FREE] = "lease is free",
};

/* NOLINTBEGIN(bugprone-macro-parentheses): a declared name takes none */
#define EACH_COPY(w, h, s)                          \
    for (unsigned h = 0; h < (w)->spec->hosts; h++) \
        for (unsigned s = 0; s < RELEASE_SLOTS; s++)
/* NOLINTEND(bugprone-macro-parentheses) */

sim_set sim_up(const struct sim_world *w)
{
    sim_set set = 0;
    EACH_COPY(w, h, s)
    {
        set |= w->host[h].copy[s].up ? sim_bit((int) h, s) : 0;
    }
    return set;
}

sim_set sim_tested(const struct sim_world *w)
{
    sim_set set = 0;
    EACH_COPY(w, h, s)
    {
        set |= w->host[h].copy[s].tested ? sim_bit((int) h, s) : 0;
    }
    return set;
}

sim_set sim_by_world(const struct sim_world *w)
{
    sim_set set = 0;
    EACH_COPY(w, h, s)
    {
        set |= w->host[h].copy[s].by_world ? sim_bit((int) h, s) : 0;
    }
    return set;
}

sim_set sim_of_dc(const struct sim_world *w, unsigned dc)
{
    sim_set set = 0;
    for (unsigned h = 0; h < w->spec->hosts; h++) {
        set |= w->spec->host[h].dc == dc ? sim_bit((int) h, 0) | sim_bit((int) h, 1) : 0;
    }
    return set;
}

uint64_t sim_weight(const struct sim_world *w, sim_set copies)
{
    uint64_t sum = 0;
    for (unsigned h = 0; h < w->spec->hosts; h++) {
        unsigned n = (copies >> (h * RELEASE_SLOTS)) & 3u;
        sum += (uint64_t) w->spec->host[h].weight * ((n & 1u) + (n >> 1));
    }
    return sum;
}

void sim_world_begin(struct sim_world *w, const struct release_spec *spec,
                     const struct release_basis *basis, unsigned routers)
{
    memset(w, 0, sizeof(*w));
    w->spec = spec;
    w->basis = basis;
    w->now_ms = 1;
    w->routers = routers;
    for (unsigned h = 0; h < spec->hosts; h++) {
        w->host[h].reachable = true;
        sim_set bit = sim_bit((int) h, (unsigned) basis->host[h].slot);
        bool serves = basis->host[h].serves;
        /* A pool host in place stands in the routers' configuration even while it has no copy. */
        w->base.peers |= serves || spec->swap == RELEASE_IN_PLACE ? bit : 0;
        if (!serves) {
            continue;
        }
        w->host[h].copy[basis->host[h].slot] = (struct sim_copy){
            .instance = ++w->instances, .version = RELEASE_OLD, .up = true, .tested = true};
        w->base.ready |= bit;
        w->base.canary |= basis->host[h].track == RELEASE_CANARY ? bit : 0;
    }
    w->meant = w->base;
    w->meant.share_ppm = basis->share_ppm;
    for (unsigned r = 0; r < routers; r++) {
        w->router[r] = (struct sim_router){.now = w->meant, .old = w->meant, .reachable = true};
    }
}

void sim_world_mend(struct sim_world *w)
{
    w->pendings = 0;
    for (unsigned h = 0; h < w->spec->hosts; h++) {
        struct sim_host *host = &w->host[h];
        host->reachable = true;
        host->no_image = host->disk_full = host->loops = host->tests_fail = host->outside_down =
            false;
        host->token = host->token == SIM_OTHER ? 0 : host->token;
    }
    EACH_COPY(w, h, s)
    {
        struct sim_copy *copy = &w->host[h].copy[s];
        if (copy->version != RELEASE_NONE && !copy->up && copy->by_world) {
            copy->up = true;
            copy->instance = ++w->instances;
        }
    }
    for (unsigned r = 0; r < w->routers; r++) {
        struct sim_router *router = &w->router[r];
        router->reachable = true;
        router->now.peers = (router->now.peers & ~router->lost) | (w->meant.peers & router->lost);
        router->now.ready = (router->now.ready & ~router->lost) | (w->meant.ready & router->lost);
        router->now.canary =
            (router->now.canary & ~router->lost) | (w->meant.canary & router->lost);
        router->now.share_ppm = router->share_lost ? w->meant.share_ppm : router->now.share_ppm;
        router->lost = 0;
        router->share_lost = false;
    }
    w->migration.fails = w->migration.loses = false;
}

/* Programs of a host end, and come back if a policy says so: as instances that nobody tested. */
static void reboot(struct sim_world *w, unsigned h, bool policy)
{
    for (unsigned s = 0; s < RELEASE_SLOTS; s++) {
        struct sim_copy *copy = &w->host[h].copy[s];
        if (copy->instance == 0) {
            continue;
        }
        copy->up = policy;
        copy->instance = policy ? ++w->instances : 0;
        copy->tested = false;
        copy->by_world = copy->unseen = true;
        copy->fails = false; /* the command is in the proxy's memory and dies with it */
    }
    if (w->migration.state == MIGRATE_RUNS && h == 0) {
        w->migration.state = MIGRATE_LOST;
    }
}

static void copy_falls(struct sim_world *w, unsigned place, bool restarts)
{
    struct sim_copy *copy = &w->host[place / RELEASE_SLOTS].copy[place % RELEASE_SLOTS];
    if (copy->instance == 0) {
        return;
    }
    copy->up = restarts;
    copy->instance = restarts ? ++w->instances : 0;
    copy->tested = false;
    copy->by_world = copy->unseen = true;
}

static void forget(struct sim_world *w, struct sim_router *router, const struct sim_state *state)
{
    /* What it thinks of any copy may now be wrong; where it is not, nothing is to be excused. */
    router->lost |= (router->now.peers ^ state->peers) | (router->now.ready ^ state->ready) |
                    (router->now.canary ^ state->canary);
    router->share_lost |= router->now.share_ppm != state->share_ppm;
    router->now = *state;
    (void) w;
}

static void router_happen(struct sim_world *w, enum sim_happening kind, struct sim_router *router)
{
    if (kind == HAPPENS_ROUTER_CUT || kind == HAPPENS_ROUTER_BACK) {
        router->reachable = kind == HAPPENS_ROUTER_BACK;
    } else if (kind == HAPPENS_ROUTER_OLD) {
        forget(w, router, &router->old);
    } else if (kind == HAPPENS_ROUTER_LOST) {
        forget(w, router, &w->base);
    }
    router->old = router->now;
}

static void leases(struct sim_world *w, bool other)
{
    for (unsigned h = 0; h < w->spec->hosts; h++) {
        if (other) {
            w->host[h].token = SIM_OTHER;
        } else if (w->host[h].token == SIM_OTHER) {
            w->host[h].token = 0;
        }
    }
}

void sim_world_happen(struct sim_world *w, enum sim_happening kind, unsigned whom)
{
    switch (kind) {
    case HAPPENS_HOST_CUT:
    case HAPPENS_HOST_BACK:
        w->host[whom].reachable = kind == HAPPENS_HOST_BACK;
        break;
    case HAPPENS_REBOOT_GONE:
    case HAPPENS_REBOOT_POLICY:
        reboot(w, whom, kind == HAPPENS_REBOOT_POLICY);
        break;
    case HAPPENS_COPY_DIES:
    case HAPPENS_COPY_RESTARTS:
        copy_falls(w, whom, kind == HAPPENS_COPY_RESTARTS);
        break;
    case HAPPENS_ROUTER_CUT:
    case HAPPENS_ROUTER_BACK:
    case HAPPENS_ROUTER_RESTART:
    case HAPPENS_ROUTER_OLD:
    case HAPPENS_ROUTER_LOST:
        router_happen(w, kind, &w->router[whom]);
        break;
    case HAPPENS_LEASE_LOST:
    case HAPPENS_LEASE_FREE:
        leases(w, kind == HAPPENS_LEASE_LOST);
        break;
    case HAPPENINGS:
        break;
    }
}

void sim_world_later(struct sim_world *w, uint64_t in_ms, enum sim_happening kind, unsigned whom)
{
    if (w->pendings < SIM_PENDING) {
        w->pending[w->pendings++] =
            (struct sim_pending){.at_ms = w->now_ms + in_ms, .kind = kind, .whom = (uint8_t) whom};
    }
}
