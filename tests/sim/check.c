/*
 * What has to hold after every event.  What an operation did is seen by comparing the world before
 * and after it, so that nothing here trusts what the engine says of itself.  What happens by the
 * world's own doing is excused: a copy that died, a router that forgot.
 */
#include "sim/sim.h"

#include <stdarg.h>
#include <string.h>

#define PPM 1000000u

const char *const sim_invariant_name[INVARIANTS] = {
    [INV_NO_VISITOR_BEFORE_JOIN] = "no visitor between leave and join",
    [INV_NO_STOP_IN_USE] = "no copy is stopped while visitors are sent to it",
    [INV_KEEP_UP] = "keep_up",
    [INV_TESTED] = "nothing joins untested",
    [INV_BATCH] = "at most a batch is out",
    [INV_DC_ORDER] = "data centers keep their order",
    [INV_HALT_SPREADS] = "a halt touches no other host",
    [INV_HALT_FREEZES] = "a halt freezes",
    [INV_RAISE] = "a raise is borne and read first",
    [INV_RAISE_FROZEN] = "no raise but while running forward",
    [INV_LOWER] = "lowering waits for nobody",
    [INV_MIGRATE_ONCE] = "no migration twice",
    [INV_MIGRATE_PLACE] = "a migration has its place",
    [INV_FLIP] = "no visitor flips",
    [INV_BARRIER] = "not back over a barrier",
    [INV_END_STATE] = "the end is where it has to be",
    [INV_MENDED] = "after a mend the end is reached",
    [INV_FENCED] = "nothing without the lease",
    [INV_ENDS] = "every wait ends",
    [INV_NOTED] = "notes before actions",
    [INV_PLAN_ORDER] = "steps run in the plan's order",
    [INV_ONE_AT_A_TIME] = "one operation at a host at a time",
    [INV_DEADLINE] = "each operation has a deadline",
    [INV_COMMAND] = "commands do what they say",
    [INV_BACK_ONLY_CHANGED] = "the way back leaves alone who was not changed",
};

__attribute__((format(printf, 2, 0))) static void say(struct sim_run *run, const char *fmt,
                                                      va_list args)
{
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the caller has begun it */
    (void) vsnprintf(run->why, sizeof(run->why), fmt, args);
}

void sim_breaks(struct sim_run *run, enum sim_invariant invariant, const char *fmt, ...)
{
    if (run->failed) {
        return;
    }
    run->failed = true;
    run->broken = invariant;
    va_list args;
    va_start(args, fmt);
    say(run, fmt, args);
    va_end(args);
}

void sim_check_see(const struct sim_run *run, struct sim_seen *ret)
{
    const struct sim_world *w = &run->world;
    ret->up = sim_up(w);
    ret->meant = w->meant;
    for (unsigned r = 0; r < w->routers; r++) {
        ret->ready[r] = w->router[r].now.ready & ~w->router[r].lost;
    }
}

static uint64_t part_of(uint64_t weight, uint64_t ppm)
{
    return (weight * ppm + PPM - 1) / PPM;
}

static sim_set on_track(const struct sim_state *s, enum release_track track)
{
    return track == RELEASE_CANARY ? s->ready & s->canary : s->ready & ~s->canary;
}

/* What a track has to bear at the present share, of the capacity that there was before. */
static uint64_t bears(const struct sim_run *run, enum release_track track)
{
    const struct sim_state *base = &run->world.base;
    uint64_t stable = sim_weight(&run->world, on_track(base, RELEASE_STABLE));
    if (run->spec.strategy != RELEASE_BY_CANARY) {
        return sim_weight(&run->world, on_track(base, track));
    }
    uint32_t share_ppm = run->world.meant.share_ppm;
    /* Rounded down: to the advantage of who has one unit of weight less by rounding. */
    return stable * (track == RELEASE_CANARY ? share_ppm : PPM - share_ppm) / PPM;
}

static uint64_t keep_up_of(const struct sim_run *run, enum release_track track)
{
    uint64_t all = bears(run, track), need = all * run->spec.keep_up_total_ppm / PPM;
    if (run->spec.with_downtime) {
        return 0;
    }
    return all > 0 && need == 0 ? 1 : need;
}

static unsigned hosts_in(sim_set copies)
{
    unsigned n = 0;
    for (; copies != 0; copies >>= RELEASE_SLOTS) {
        n += (copies & 3u) != 0;
    }
    return n;
}

/*
 * Whether keep_up could not even be held if all others served as they did before the release: on
 * the way back the host has to go all the same.
 */
static bool has_to_go(const struct sim_run *run, const struct release_op *op, uint64_t need)
{
    const struct sim_world *w = &run->world;
    sim_set rest = w->base.ready & ~((sim_set) 3 << (unsigned) (op->host * RELEASE_SLOTS));
    sim_set dc = sim_of_dc(w, run->spec.host[op->host].dc);
    return sim_weight(w, rest) < need || hosts_in(rest & dc) < run->spec.keep_up_per_dc;
}

/* A track that lost a copy by the operation still has what it needs. */
static void check_keep_up(struct sim_run *run, const struct release_op *op, bool back,
                          const struct sim_seen *before)
{
    const struct sim_state *now = &run->world.meant;
    for (int t = 0; t < RELEASE_TRACKS; t++) {
        enum release_track track = (enum release_track) t;
        sim_set had = on_track(&before->meant, track), has = on_track(now, track);
        if ((had & ~has & before->up) == 0 || run->spec.with_downtime) {
            continue; /* what is down takes nothing away */
        }
        uint64_t need = keep_up_of(run, track), weight = sim_weight(&run->world, has);
        if (back && has_to_go(run, op, need)) {
            continue;
        }
        if (weight < need) {
            sim_breaks(run, INV_KEEP_UP, "%s of host %d leaves track %d a capacity of %llu of %llu",
                       release_op_name[op->kind], op->host, t, (unsigned long long) weight,
                       (unsigned long long) need);
        }
        bool bears_all = run->spec.strategy != RELEASE_BY_CANARY ||
                         now->share_ppm == (track == RELEASE_STABLE ? 0 : PPM);
        sim_set dc = sim_of_dc(&run->world, run->spec.host[op->host].dc);
        if (bears_all && hosts_in(has & dc) < hosts_in(had & dc) &&
            hosts_in(has & dc) < run->spec.keep_up_per_dc) {
            sim_breaks(run, INV_KEEP_UP,
                       "%s of host %d leaves its data center %u hosts on track %d",
                       release_op_name[op->kind], op->host, hosts_in(has & dc), t);
        }
    }
}

static const struct release_key *step_of(const struct sim_controller *c, int host)
{
    const struct release_key *key = &c->running[host + 1].key;
    return c->running[host + 1].any ? key : NULL;
}

/* Hosts that served and have no copy in the routers now, by the engine's doing. */
static void check_batch(struct sim_run *run, const struct release_op *op, bool back)
{
    unsigned n = 0, dcs = 0;
    sim_set ready = run->world.meant.ready;
    for (unsigned h = 0; h < run->spec.hosts; h++) {
        sim_set host = (sim_set) 3 << (h * RELEASE_SLOTS);
        /* On the way back a host that did not serve before is to go, and is not missed. */
        bool counts = back ? run->basis.host[h].serves : (run->held.joined & 1u << h) != 0;
        if ((ready & host) == 0 && counts && (run->held.excused & 1u << h) == 0) {
            n++;
            dcs |= 1u << run->spec.host[h].dc;
        }
    }
    if (n > run->spec.batch || (dcs & (dcs - 1)) != 0) {
        sim_breaks(run, INV_BATCH, "drained host %d, and %u hosts of data centers %#x are out",
                   op->host, n, dcs);
    }
}

static void check_drained(struct sim_run *run, const struct sim_controller *c,
                          const struct release_op *op, const struct sim_seen *before)
{
    const struct release_key *key = step_of(c, op->host);
    bool gone = (before->meant.ready & ~run->world.meant.ready) != 0;
    bool moved = before->meant.canary != run->world.meant.canary;
    if (key == NULL || key->kind == STEP_SHUT) {
        return; /* what is broken goes whatever is left */
    }
    if (gone || key->part != PART_DOWN) {
        check_keep_up(run, op, key->direction == RELEASE_BACK, before);
    } else if (moved && on_track(&run->world.meant, RELEASE_STABLE) == 0) {
        /* On the way down both tracks run the new version, and stable serves who finds no canary.
         */
        sim_breaks(run, INV_KEEP_UP, "%s of host %d leaves stable nothing",
                   release_op_name[op->kind], op->host);
    }
    if (gone && key->part != PART_DOWN) {
        check_batch(run, op, key->direction == RELEASE_BACK);
    }
}

/* A join on the way forward comes behind tests of this instance; a put-back takes what there is. */
static void check_routers(struct sim_run *run, const struct sim_controller *c,
                          const struct release_op *op, const struct sim_seen *before)
{
    const struct sim_world *w = &run->world;
    const struct release_key *key = step_of(c, op->host);
    bool strict = op->kind == OP_READY && key != NULL && key->kind == STEP_JOIN &&
                  key->direction == RELEASE_FORWARD;
    sim_set excused = strict ? 0 : sim_by_world(w);
    sim_set up = sim_up(w), tested = run->spec.has_tests ? sim_tested(w) : up;
    for (unsigned r = 0; r < w->routers; r++) {
        sim_set ready = w->router[r].now.ready & ~w->router[r].lost;
        sim_set fresh = ready & ~before->ready[r];
        if ((fresh & ~up) != 0) {
            sim_breaks(run, INV_NO_VISITOR_BEFORE_JOIN,
                       "%s made copies %#x ready at router %u, and they are not up",
                       release_op_name[op->kind], fresh & ~up, r);
        }
        if ((fresh & ~tested & ~excused) != 0) {
            sim_breaks(run, INV_TESTED,
                       "%s made copies %#x ready at router %u, and nobody tested them",
                       release_op_name[op->kind], fresh & ~tested, r);
        }
        sim_set stopped = before->up & ~up & ready;
        if (stopped != 0) {
            sim_breaks(run, INV_NO_STOP_IN_USE, "%s stopped copies %#x, and router %u sends there",
                       release_op_name[op->kind], stopped, r);
        }
    }
}

/* Whoever gets more visitors bears them, before they come. */
static void check_share(struct sim_run *run, const struct release_op *op,
                        const struct sim_seen *before)
{
    const struct sim_world *w = &run->world;
    uint64_t stable = sim_weight(w, on_track(&w->meant, RELEASE_STABLE));
    if (w->meant.share_ppm < before->meant.share_ppm) {
        if (stable < keep_up_of(run, RELEASE_STABLE)) {
            sim_breaks(run, INV_KEEP_UP, "lowered to %u ppm, and stable has %llu of %llu",
                       op->share_ppm, (unsigned long long) stable,
                       (unsigned long long) keep_up_of(run, RELEASE_STABLE));
        }
        return;
    }
    if (w->meant.share_ppm == before->meant.share_ppm) {
        return;
    }
    uint64_t all = sim_weight(w, on_track(&w->base, RELEASE_STABLE));
    uint64_t part = part_of(all, op->share_ppm), need = part_of(part, run->spec.headroom_ppm);
    need = need > all ? all : need;
    need = run->spec.grow ? keep_up_of(run, RELEASE_CANARY) : need;
    uint64_t has = sim_weight(w, on_track(&w->meant, RELEASE_CANARY));
    if (has < need) {
        sim_breaks(run, INV_RAISE, "raised to %u ppm, and the canary has %llu of %llu",
                   op->share_ppm, (unsigned long long) has, (unsigned long long) need);
    }
}

/* A rolling release leaves everybody on the track where they are. */
static void check_flips(struct sim_run *run, const struct release_op *op)
{
    const struct sim_world *w = &run->world;
    if (run->spec.strategy == RELEASE_BY_CANARY) {
        return;
    }
    for (unsigned h = 0; h < run->spec.hosts; h++) {
        sim_set ready = w->meant.ready & (sim_set) 3 << (h * RELEASE_SLOTS);
        sim_set canary = run->basis.host[h].track == RELEASE_CANARY ? ready : 0;
        if ((ready & w->meant.canary) != canary) {
            sim_breaks(run, INV_FLIP, "%s brought host %u to the other track",
                       release_op_name[op->kind], h);
        }
    }
    if (w->meant.share_ppm != run->basis.share_ppm) {
        sim_breaks(run, INV_FLIP, "a rolling release set the share to %u ppm", w->meant.share_ppm);
    }
}

static const bool changes[OP_KINDS] = {
    [OP_DRAIN] = true, [OP_STOP] = true,   [OP_START] = true, [OP_READY] = true,
    [OP_ADD] = true,   [OP_REMOVE] = true, [OP_TRACK] = true,
};

void sim_check_effect(struct sim_run *run, const struct sim_controller *c,
                      const struct release_op *op, const struct sim_seen *before)
{
    struct sim_held *held = &run->held;
    check_routers(run, c, op, before);
    if (op->kind == OP_DRAIN || op->kind == OP_TRACK || op->kind == OP_REMOVE) {
        check_drained(run, c, op, before);
    } else if (op->kind == OP_SHARE) {
        check_share(run, op, before);
    } else if (op->kind == OP_MIGRATE && run->world.migration.twice) {
        sim_breaks(run, INV_MIGRATE_ONCE, "attempt %u was begun, and the one before had not failed",
                   op->attempt);
    }
    check_flips(run, op);
    for (unsigned h = 0; h < run->spec.hosts; h++) {
        if ((run->world.meant.ready & (sim_set) 3 << (h * RELEASE_SLOTS)) != 0) {
            held->joined |= 1u << h;
            held->excused &= ~(1u << h);
        }
    }
    if (changes[op->kind] || op->kind == OP_SHARE) {
        held->capacity_ppm = 0;
    }
}

void sim_check_world(struct sim_run *run)
{
    const struct sim_world *w = &run->world;
    sim_set excused = sim_by_world(w), up = sim_up(w);
    sim_set serves = run->spec.has_tests ? up & sim_tested(w) : up;
    for (unsigned r = 0; r < w->routers; r++) {
        const struct sim_router *router = &w->router[r];
        sim_set bad = router->now.ready & ~serves & ~excused & ~router->lost;
        if (bad != 0) {
            sim_breaks(run, INV_NO_VISITOR_BEFORE_JOIN,
                       "router %u sends visitors to copies %#x, which are not up or not tested", r,
                       bad);
        }
    }
}

/* Before an operation */

static void check_share_op(struct sim_run *run, const struct sim_controller *c,
                           const struct release_op *op)
{
    uint32_t highest = run->world.meant.share_ppm;
    for (unsigned r = 0; r < run->world.routers; r++) {
        uint32_t share_ppm = run->world.router[r].now.share_ppm;
        highest = share_ppm > highest ? share_ppm : highest;
    }
    if (op->share_ppm > highest && !op->raise) {
        sim_breaks(run, INV_RAISE, "%u ppm is more than %u and is not said to be a raise",
                   op->share_ppm, highest);
    }
    if (op->raise && (release_mode(c->engine) != RELEASE_RUNNING ||
                      release_direction(c->engine) == RELEASE_BACK)) {
        sim_breaks(run, INV_RAISE_FROZEN, "a raise to %u ppm while %s", op->share_ppm,
                   release_state_name(c->engine));
    }
    if (op->raise && !run->spec.with_downtime &&
        run->held.capacity_ppm <= (uint64_t) op->share_ppm) {
        sim_breaks(run, INV_RAISE,
                   "a raise to %u ppm before the routers were asked whether it is "
                   "borne",
                   op->share_ppm);
    }
}

static void check_migrate_op(struct sim_run *run, const struct sim_controller *c,
                             const struct release_op *op)
{
    if (release_direction(c->engine) == RELEASE_BACK) {
        sim_breaks(run, INV_MIGRATE_PLACE, "a migration on the way back");
    }
    if (!run->spec.migrate_after && run->held.touched != 0) {
        sim_breaks(run, INV_MIGRATE_PLACE, "a migration after hosts %#x were touched",
                   run->held.touched);
    }
    for (unsigned h = 0; h < run->spec.hosts && run->spec.migrate_after; h++) {
        for (unsigned s = 0; s < RELEASE_SLOTS; s++) {
            const struct sim_copy *copy = &run->world.host[h].copy[s];
            if (copy->up && copy->version == RELEASE_OLD) {
                sim_breaks(run, INV_MIGRATE_PLACE, "a migration while host %u is old", h);
            }
        }
    }
    (void) op;
}

static void check_lane(struct sim_run *run, struct sim_controller *c, const struct release_op *op)
{
    if (op->id <= c->last_op) {
        sim_breaks(run, INV_ONE_AT_A_TIME, "operation %u comes after %u", op->id, c->last_op);
    }
    c->last_op = op->id;
    for (unsigned i = 0; i < c->flights; i++) {
        if (c->flight[i].op.host == op->host) {
            sim_breaks(run, INV_ONE_AT_A_TIME, "%s at host %d while %s is under way",
                       release_op_name[op->kind], op->host, release_op_name[c->flight[i].op.kind]);
        }
    }
    if (op->deadline_ms == 0 || op->deadline_ms < sim_waits_ms(op)) {
        sim_breaks(run, INV_DEADLINE, "%s has %llu ms and waits for %llu",
                   release_op_name[op->kind], (unsigned long long) op->deadline_ms,
                   (unsigned long long) sim_waits_ms(op));
    }
}

/* That the step of which it is stands on the disk as running. */
static void check_noted(struct sim_run *run, const struct sim_controller *c,
                        const struct release_op *op)
{
    const struct release_key *key = step_of(c, op->host);
    if ((op->kind == OP_LOCK && c->token > 1) || op->kind == OP_OBSERVE) {
        return; /* they change nothing that a note speaks of */
    }
    if (key == NULL) {
        sim_breaks(run, INV_NOTED, "%s at host %d, and no step of it is noted as running",
                   release_op_name[op->kind], op->host);
        return;
    }
    enum release_op_kind ops[8];
    struct release_step_plan step = {.key = *key, .need = {1, 1}};
    size_t n = release_step_ops(&run->spec, &step, ops);
    for (size_t i = 0; i < n; i++) {
        if (ops[i] == op->kind) {
            return;
        }
    }
    sim_breaks(run, INV_NOTED, "%s at host %d while %s is noted as running",
               release_op_name[op->kind], op->host, release_step_name[key->kind]);
}

static void check_frozen(struct sim_run *run, const struct sim_controller *c,
                         const struct release_op *op)
{
    enum release_mode mode = release_mode(c->engine);
    bool lowering = op->kind == OP_SHARE && !op->raise, locking = op->kind == OP_LOCK;
    bool stopped = mode == RELEASE_PAUSED || mode == RELEASE_HELD || mode == RELEASE_HALTED ||
                   mode == RELEASE_ENDED;
    if (stopped && !lowering && !locking) {
        sim_breaks(run, INV_HALT_FREEZES, "%s at host %d while %s", release_op_name[op->kind],
                   op->host, release_state_name(c->engine));
    }
    if (run->held.halting && !c->zombie && !lowering && !locking && op->kind != OP_OBSERVE &&
        (run->held.allowed & 1u << (op->host + 1)) == 0) {
        sim_breaks(run, INV_HALT_SPREADS, "%s at host %d after a step failed elsewhere",
                   release_op_name[op->kind], op->host);
    }
}

void sim_check_do(struct sim_run *run, struct sim_controller *c, const struct release_op *op)
{
    bool back = release_direction(c->engine) == RELEASE_BACK;
    if (op->host >= (int) run->spec.hosts || op->host < -1) {
        sim_breaks(run, INV_NOTED, "%s at host %d", release_op_name[op->kind], op->host);
        return;
    }
    if (c->fenced || (!c->locked && op->kind != OP_LOCK)) {
        sim_breaks(run, INV_FENCED, "%s at host %d %s", release_op_name[op->kind], op->host,
                   c->fenced ? "after the lease was another's" : "before the leases were held");
    }
    check_lane(run, c, op);
    check_noted(run, c, op);
    if (c->zombie) {
        return; /* it knows no better, and nothing of it will be done */
    }
    check_frozen(run, c, op);
    if (op->kind == OP_SHARE) {
        check_share_op(run, c, op);
    } else if (op->kind == OP_CAPACITY && back) {
        sim_breaks(run, INV_LOWER, "all routers are asked before the share is lowered");
    } else if (op->kind == OP_MIGRATE) {
        check_migrate_op(run, c, op);
    }
    if (back && changes[op->kind] && (run->held.touched & 1u << op->host) == 0) {
        sim_breaks(run, INV_BACK_ONLY_CHANGED, "%s at host %d, which was not changed",
                   release_op_name[op->kind], op->host);
    }
    if (changes[op->kind] && !back) {
        run->held.touched |= 1u << op->host;
    }
}

void sim_check_answer(struct sim_run *run, struct sim_controller *c, const struct release_op *op,
                      enum release_outcome outcome)
{
    if (outcome == RELEASE_FENCED) {
        c->fenced = true;
    }
    if (op->kind == OP_LOCK) {
        c->locked |= outcome == RELEASE_OK;
    }
    if (op->kind == OP_CAPACITY && outcome == RELEASE_OK) {
        run->held.capacity_ppm = (uint64_t) op->share_ppm + 1;
    }
}
