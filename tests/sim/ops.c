/* Operations as the simulated world carries them out: see ops.h of the release room. */
#include "sim/world.h"

struct doing {
    struct sim_world *w;
    const struct release_op *op;
    uint32_t token;
    unsigned routers; /* those it gets at */
    uint64_t instance;
};

static struct sim_copy *copy_of(const struct doing *d)
{
    return &d->w->host[d->op->host].copy[d->op->slot];
}

static bool all_routers(const struct doing *d)
{
    for (unsigned r = 0; r < d->w->routers; r++) {
        if (!d->w->router[r].reachable || (d->routers & 1u << r) == 0) {
            return false;
        }
    }
    return true;
}

/* The routers that the operation gets at, one after the other: r is the next one, or the end. */
static unsigned next_router(const struct doing *d, unsigned r)
{
    while (r < d->w->routers && (!d->w->router[r].reachable || (d->routers & 1u << r) == 0)) {
        r++;
    }
    return r;
}

/* NOLINTBEGIN(bugprone-macro-parentheses): a declared name takes none */
#define EACH_ROUTER(d, r) \
    for (unsigned r = next_router((d), 0); r < (d)->w->routers; r = next_router((d), r + 1))
/* NOLINTEND(bugprone-macro-parentheses) */

/* Copies that a router sends visitors to: it has them ready and their check passes. */
static sim_set passing(const struct sim_world *w, const struct sim_router *router)
{
    sim_set fails = 0;
    for (unsigned h = 0; h < w->spec->hosts; h++) {
        for (unsigned s = 0; s < RELEASE_SLOTS; s++) {
            fails |= w->host[h].copy[s].fails ? sim_bit((int) h, s) : 0;
        }
    }
    return router->now.ready & sim_up(w) & ~fails;
}

static enum release_outcome do_nothing(struct doing *d)
{
    (void) d;
    return RELEASE_OK;
}

static enum release_outcome do_room(struct doing *d)
{
    return d->w->host[d->op->host].disk_full ? RELEASE_FAILED : RELEASE_OK;
}

static enum release_outcome do_pull(struct doing *d)
{
    struct sim_host *host = &d->w->host[d->op->host];
    if (d->op->version == RELEASE_NEW && host->no_image) {
        return RELEASE_FAILED;
    }
    host->pulled |= d->op->version == RELEASE_NEW;
    return RELEASE_OK;
}

/* Whether at each router every track has what it needs, without the copies that are to go. */
static bool enough(const struct doing *d, sim_set gone)
{
    EACH_ROUTER(d, r)
    {
        const struct sim_router *router = &d->w->router[r];
        sim_set rest = passing(d->w, router) & ~gone, canary = rest & router->now.canary;
        if (sim_weight(d->w, rest & ~canary) < d->op->need[RELEASE_STABLE] ||
            sim_weight(d->w, canary) < d->op->need[RELEASE_CANARY]) {
            return false;
        }
        if (d->op->kind != OP_KEEP_UP || d->op->need_dc == 0) {
            continue;
        }
        sim_set track = d->op->track == RELEASE_CANARY ? canary : rest & ~canary;
        track = d->op->both_dc ? rest : track;
        sim_set dc = sim_of_dc(d->w, d->w->spec->host[d->op->host].dc);
        if ((unsigned) __builtin_popcount(track & dc) < d->op->need_dc) {
            return false;
        }
    }
    return true;
}

static enum release_outcome do_keep_up(struct doing *d)
{
    if (!all_routers(d)) {
        return RELEASE_AWAY;
    }
    sim_set mine = sim_bit(d->op->host, 0) | sim_bit(d->op->host, 1);
    return enough(d, mine) ? RELEASE_OK : RELEASE_FAILED;
}

static enum release_outcome do_drain(struct doing *d)
{
    sim_set bit = sim_op_bit(d->op);
    d->w->meant.ready &= ~bit;
    EACH_ROUTER(d, r)
    {
        d->w->router[r].now.ready &= ~bit;
        d->w->router[r].lost &= ~bit;
    }
    return all_routers(d) ? RELEASE_OK : RELEASE_AWAY;
}

static enum release_outcome do_fail(struct doing *d)
{
    copy_of(d)->fails = d->w->spec->has_proxy;
    return RELEASE_OK;
}

static enum release_outcome do_pass(struct doing *d)
{
    copy_of(d)->fails = false;
    return RELEASE_OK;
}

static enum release_outcome do_quiet(struct doing *d)
{
    if (!all_routers(d)) {
        return RELEASE_AWAY;
    }
    EACH_ROUTER(d, r)
    {
        if ((d->w->router[r].now.ready & sim_op_bit(d->op)) != 0) {
            return RELEASE_FAILED;
        }
    }
    return RELEASE_OK;
}

static enum release_outcome do_stop(struct doing *d)
{
    struct sim_copy *copy = copy_of(d);
    copy->up = copy->tested = copy->by_world = false;
    copy->instance = 0;
    return RELEASE_OK;
}

static enum release_outcome do_connect(struct doing *d)
{
    return d->w->host[d->op->host].outside_down ? RELEASE_FAILED : RELEASE_OK;
}

static enum release_outcome do_start(struct doing *d)
{
    const struct sim_host *host = &d->w->host[d->op->host];
    struct sim_copy *copy = copy_of(d);
    if (d->op->version == RELEASE_NEW && !host->pulled) {
        return RELEASE_FAILED;
    }
    if (copy->version != d->op->version || !copy->up) {
        *copy = (struct sim_copy){.version = (uint8_t) d->op->version,
                                  .up = true,
                                  .instance = ++d->w->instances,
                                  .by_world = copy->unseen, /* nobody can have known */
                                  .fails = copy->fails};
    }
    d->instance = copy->instance;
    copy->by_world = copy->by_world && d->w->spec->has_tests; /* until it is tested */
    if (d->op->version == RELEASE_NEW && host->loops) {
        copy->up = false;
        return RELEASE_FAILED;
    }
    return RELEASE_OK;
}

static enum release_outcome do_test(struct doing *d)
{
    struct sim_copy *copy = copy_of(d);
    if (!copy->up || (d->op->version == RELEASE_NEW && d->w->host[d->op->host].tests_fail)) {
        return RELEASE_FAILED;
    }
    copy->tested = true;
    copy->by_world = false;
    return RELEASE_OK;
}

static enum release_outcome do_ready(struct doing *d)
{
    const struct sim_copy *copy = copy_of(d);
    sim_set bit = sim_op_bit(d->op);
    if (!copy->up || (d->op->instance != 0 && copy->instance != d->op->instance)) {
        return RELEASE_FAILED;
    }
    EACH_ROUTER(d, r)
    {
        struct sim_router *router = &d->w->router[r];
        if ((router->now.peers & bit) == 0) {
            return RELEASE_FAILED;
        }
        router->now.ready |= bit;
        router->now.canary &= ~bit;
        router->now.canary |= d->op->track == RELEASE_CANARY ? bit : 0;
        router->lost &= ~bit;
    }
    if (copy->fails) {
        return RELEASE_LATE;
    }
    if (!all_routers(d)) {
        return RELEASE_AWAY;
    }
    d->w->meant.ready |= bit;
    d->w->meant.canary &= ~bit;
    d->w->meant.canary |= d->op->track == RELEASE_CANARY ? bit : 0;
    return RELEASE_OK;
}

static void set_track(struct sim_state *state, sim_set bit, enum release_track track)
{
    state->canary &= ~bit;
    state->canary |= track == RELEASE_CANARY ? bit : 0;
}

static enum release_outcome do_add(struct doing *d)
{
    sim_set bit = sim_op_bit(d->op);
    if ((d->w->meant.peers & bit) == 0) {
        d->w->meant.peers |= bit;
        d->w->meant.ready &= ~bit;
        set_track(&d->w->meant, bit, d->op->track);
    }
    EACH_ROUTER(d, r)
    {
        struct sim_router *router = &d->w->router[r];
        if ((router->now.peers & bit) == 0) {
            router->now.peers |= bit;
            router->now.ready &= ~bit;
            set_track(&router->now, bit, d->op->track);
            router->lost &= ~bit;
        }
    }
    return all_routers(d) ? RELEASE_OK : RELEASE_AWAY;
}

static enum release_outcome do_remove(struct doing *d)
{
    sim_set bit = sim_op_bit(d->op);
    d->w->meant.peers &= ~bit;
    d->w->meant.ready &= ~bit;
    d->w->meant.canary &= ~bit;
    EACH_ROUTER(d, r)
    {
        struct sim_router *router = &d->w->router[r];
        router->now.peers &= ~bit;
        router->now.ready &= ~bit;
        router->now.canary &= ~bit;
        router->lost &= ~bit;
    }
    return all_routers(d) ? RELEASE_OK : RELEASE_AWAY;
}

static enum release_outcome do_track(struct doing *d)
{
    sim_set bit = sim_op_bit(d->op);
    EACH_ROUTER(d, r)
    {
        if ((d->w->router[r].now.peers & bit) == 0) {
            return RELEASE_FAILED;
        }
        set_track(&d->w->router[r].now, bit, d->op->track);
    }
    if (!all_routers(d)) {
        return RELEASE_AWAY;
    }
    set_track(&d->w->meant, bit, d->op->track);
    return RELEASE_OK;
}

static enum release_outcome do_soak(struct doing *d)
{
    const struct sim_copy *copy = copy_of(d);
    return copy->up && !copy->by_world ? RELEASE_OK : RELEASE_FAILED;
}

static enum release_outcome do_observe(struct doing *d)
{
    d->instance = copy_of(d)->up ? copy_of(d)->instance : 0;
    copy_of(d)->unseen = false;
    return RELEASE_OK;
}

static enum release_outcome do_lock(struct doing *d)
{
    for (unsigned h = 0; h < d->w->spec->hosts; h++) {
        struct sim_host *host = &d->w->host[h];
        if (!host->reachable) {
            return RELEASE_AWAY;
        }
        if (host->token == SIM_OTHER) {
            return RELEASE_FAILED;
        }
        if (host->token > d->token) {
            return RELEASE_FENCED;
        }
        host->token = d->token;
    }
    return RELEASE_OK;
}

static enum release_outcome do_migrate(struct doing *d)
{
    struct sim_migration *m = &d->w->migration;
    if (m->attempt != d->op->attempt || m->state == MIGRATE_NONE) {
        m->twice |= m->state != MIGRATE_NONE && m->state != MIGRATE_FAILED && !m->allowed;
        m->attempt = d->op->attempt;
        m->state = MIGRATE_RUNS;
        m->begun++;
        m->allowed = false;
    }
    if (m->state == MIGRATE_RUNS) {
        m->state = m->loses ? MIGRATE_LOST : m->fails ? MIGRATE_FAILED : MIGRATE_DONE;
    }
    switch (m->state) {
    case MIGRATE_DONE:
        return RELEASE_OK;
    case MIGRATE_FAILED:
        return RELEASE_FAILED;
    case MIGRATE_NONE:
    case MIGRATE_RUNS:
    case MIGRATE_LOST:
        break;
    }
    return RELEASE_UNKNOWN;
}

static enum release_outcome do_capacity(struct doing *d)
{
    if (!all_routers(d)) {
        return RELEASE_AWAY;
    }
    return enough(d, 0) ? RELEASE_OK : RELEASE_FAILED;
}

/* A raise is made only where all can be read first; it may end in the middle all the same. */
static enum release_outcome do_share(struct doing *d)
{
    for (unsigned r = 0; r < d->w->routers; r++) {
        if (d->op->raise && !d->w->router[r].reachable) {
            return RELEASE_AWAY;
        }
    }
    EACH_ROUTER(d, r)
    {
        d->w->router[r].now.share_ppm = d->op->share_ppm;
        d->w->router[r].share_lost = false;
    }
    d->w->meant.share_ppm = d->op->share_ppm;
    return all_routers(d) ? RELEASE_OK : RELEASE_AWAY;
}

static enum release_outcome do_verify(struct doing *d)
{
    if (!all_routers(d)) {
        return RELEASE_AWAY;
    }
    EACH_ROUTER(d, r)
    {
        if (d->w->router[r].now.share_ppm != d->op->share_ppm) {
            return RELEASE_FAILED;
        }
    }
    return RELEASE_OK;
}

static const struct {
    enum release_outcome (*act)(struct doing *);
    bool host; /* reached by ssh */
} how[OP_KINDS] = {
    [OP_PREFLIGHT] = {do_nothing, true}, [OP_ROOM] = {do_room, true},
    [OP_PULL] = {do_pull, true},         [OP_KEEP_UP] = {do_keep_up, false},
    [OP_DRAIN] = {do_drain, false},      [OP_FAIL] = {do_fail, true},
    [OP_QUIET] = {do_quiet, false},      [OP_STOP] = {do_stop, true},
    [OP_PROXY] = {do_fail, true},        [OP_CONNECT] = {do_connect, true},
    [OP_START] = {do_start, true},       [OP_TEST] = {do_test, true},
    [OP_PASS] = {do_pass, true},         [OP_READY] = {do_ready, true},
    [OP_ADD] = {do_add, false},          [OP_REMOVE] = {do_remove, false},
    [OP_TRACK] = {do_track, false},      [OP_SOAK] = {do_soak, true},
    [OP_WAIT] = {do_nothing, false},     [OP_OBSERVE] = {do_observe, true},
    [OP_LOCK] = {do_lock, false},        [OP_HOOK] = {do_nothing, false},
    [OP_MIGRATE] = {do_migrate, false},  [OP_CAPACITY] = {do_capacity, false},
    [OP_SHARE] = {do_share, false},      [OP_VERIFY] = {do_verify, false},
    [OP_DWELL] = {do_nothing, false},
};

/* Whether somebody else has the lease of the host, or of any host when it is about the service. */
static bool fenced(const struct doing *d)
{
    if (d->op->kind == OP_LOCK) {
        return false;
    }
    for (unsigned h = 0; h < d->w->spec->hosts; h++) {
        if ((d->op->host < 0 || d->op->host == (int) h) && d->w->host[h].token != d->token) {
            return true;
        }
    }
    return false;
}

enum release_outcome sim_world_do(struct sim_world *w, const struct release_op *op, uint32_t token,
                                  unsigned routers, uint64_t *ret_instance)
{
    struct doing d = {.w = w, .op = op, .token = token, .routers = routers};
    if (how[op->kind].host && !w->host[op->host].reachable) {
        return RELEASE_AWAY;
    }
    if (op->kind == OP_MIGRATE && !w->host[0].reachable) {
        return RELEASE_AWAY;
    }
    if (fenced(&d)) {
        return RELEASE_FENCED;
    }
    enum release_outcome outcome = how[op->kind].act(&d);
    *ret_instance = d.instance;
    return outcome;
}
