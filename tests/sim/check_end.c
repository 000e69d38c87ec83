/* What has to hold of plans, notes, modes, commands and the end. */
#include "sim/sim.h"

#include <string.h>

/* Data centers and batches, in each plan: what holds of the list holds of the run that follows it.
 */
void sim_check_plan(struct sim_run *run, const struct release *engine)
{
    const struct release_plan *plan = release_plan_of(engine);
    int dc[PARTS][STEP_KINDS];
    bool back = release_direction(engine) == RELEASE_BACK;
    memset(dc, -1, sizeof(dc));
    int group = -1, group_dc = -1;
    unsigned out = 0;
    for (size_t i = 0; i < plan->len; i++) {
        const struct release_step_plan *step = &plan->step[i];
        enum release_step_kind kind = step->key.kind;
        bool walks = step->key.part == PART_POOL || step->key.part == PART_STABLE;
        if (step->key.host < 0 || !walks ||
            (kind != STEP_LEAVE && kind != STEP_START && kind != STEP_SWITCH)) {
            continue;
        }
        int of = run->spec.host[step->key.host].dc;
        int *last = &dc[step->key.part][kind];
        if (!back && of < *last) {
            sim_breaks(run, INV_DC_ORDER, "plan: host %d of data center %d comes after %d",
                       step->key.host, of, *last);
        }
        *last = of;
        if (kind != STEP_LEAVE || step->out) {
            continue;
        }
        if (step->group != group) {
            group = step->group;
            group_dc = of;
            out = 0;
        }
        if (++out > run->spec.batch || of != group_dc) {
            sim_breaks(run, INV_BATCH,
                       "plan: group %d takes out %u hosts, the last of data "
                       "center %d",
                       group, out, of);
        }
    }
}

bool sim_same_key(const struct release_key *a, const struct release_key *b)
{
    return a->kind == b->kind && a->host == b->host && a->part == b->part && a->nth == b->nth &&
           a->direction == b->direction;
}

static void check_order(struct sim_run *run, const struct sim_controller *c,
                        const struct release_note *note)
{
    const struct release_plan *plan = release_plan_of(c->engine);
    size_t at = 0;
    while (at < plan->len && !sim_same_key(&plan->step[at].key, &note->key)) {
        at++;
    }
    if (at == plan->len) {
        sim_breaks(run, INV_PLAN_ORDER, "%s at host %d runs and is not of the plan",
                   release_step_name[note->key.kind], note->key.host);
        return;
    }
    const struct release_step_plan *step = &plan->step[at];
    for (size_t i = 0; i < at; i++) {
        bool before = plan->step[i].group != step->group || plan->step[i].lane == step->lane;
        enum release_step_status status = release_status(c->engine, i);
        if (before && status != STEP_DONE && status != STEP_SKIPPED) {
            sim_breaks(run, INV_PLAN_ORDER, "%s at host %d runs before %s at host %d is done",
                       release_step_name[note->key.kind], note->key.host,
                       release_step_name[plan->step[i].key.kind], plan->step[i].key.host);
        }
    }
}

void sim_check_note(struct sim_run *run, struct sim_controller *c, const struct release_note *note)
{
    struct sim_held *held = &run->held;
    if (c->fenced) {
        sim_breaks(run, INV_FENCED, "a note after the lease was another's");
    }
    if (note->kind == NOTE_BACK) {
        const struct sim_migration *m = &run->world.migration;
        if (run->spec.barrier && !run->forced && m->begun > 0 && m->state != MIGRATE_FAILED) {
            sim_breaks(run, INV_BARRIER, "the way back begins, and the migration may be made");
        }
        for (unsigned h = 0; h < run->spec.hosts; h++) {
            bool out = (run->world.meant.ready & (sim_set) 3 << (h * RELEASE_SLOTS)) == 0;
            held->excused |= out ? 1u << h : 0;
        }
        held->halting = false;
        held->turned = true;
        sim_check_plan(run, c->engine);
    }
    if (note->kind != NOTE_STEP) {
        return;
    }
    sim_coverage.step[note->key.kind][note->status]++;
    if (note->status != STEP_RUNNING) {
        return;
    }
    if (note->key.host >= 0 && note->key.kind >= STEP_LEAVE && note->key.kind != STEP_MIGRATE &&
        note->key.direction == RELEASE_FORWARD) {
        held->touched |= 1u << note->key.host; /* it may have been done, for all that is known */
    }
    if (note->key.part != PART_SHUT) {
        check_order(run, c, note);
    } else if (note->key.kind == STEP_SHUT) {
        held->excused |= 1u << note->key.host;
    }
}

static bool halts(enum release_mode mode)
{
    return mode == RELEASE_HALTING || mode == RELEASE_PAUSING || mode == RELEASE_TURNING;
}

/* The hosts of the last group that are not as they were; bit 0 is the service, bit 1 host 0. */
static uint32_t on_their_way(const struct release *engine)
{
    const struct release_plan *plan = release_plan_of(engine);
    uint32_t hosts = 0;
    for (size_t i = plan->len; i-- > 0;) {
        if (release_attempt(engine, i) == 0) {
            continue;
        }
        for (size_t k = 0; k < plan->len; k++) {
            const struct release_key *key = &plan->step[k].key;
            bool begun = plan->step[k].group == plan->step[i].group &&
                         release_attempt(engine, k) > 0 &&
                         (key->host < 0 || key->kind >= STEP_LEAVE);
            hosts |= begun ? 1u << (plan->step[k].key.host + 1) : 0;
        }
        break;
    }
    return hosts;
}

void sim_check_mode(struct sim_run *run, const struct sim_controller *c)
{
    if (c->zombie) {
        return;
    }
    bool now = halts(release_mode(c->engine));
    if (now && !run->held.halting) {
        run->held.allowed = on_their_way(c->engine);
    }
    run->held.halting = now;
}

static bool is_stopped(enum release_mode mode)
{
    return mode == RELEASE_PAUSED || mode == RELEASE_HELD || mode == RELEASE_HALTED;
}

static void check_rollback(struct sim_run *run, const struct sim_controller *c,
                           enum release_mode was, enum release_direction direction)
{
    bool can = direction == RELEASE_FORWARD && was != RELEASE_TURNING && was != RELEASE_ENDED;
    bool barred = c->refusal == REFUSE_BARRIER && run->spec.barrier;
    if (!c->refused && release_mode(c->engine) != RELEASE_TURNING &&
        release_direction(c->engine) != RELEASE_BACK) {
        sim_breaks(run, INV_COMMAND, "rollback did nothing");
    }
    if (c->refused && can && !barred) {
        sim_breaks(run, INV_COMMAND, "rollback was refused: %s", release_refusal_name[c->refusal]);
    }
}

void sim_check_command(struct sim_run *run, const struct sim_controller *c,
                       const struct release_event *event, enum release_mode was,
                       enum release_direction direction)
{
    enum release_mode is = release_mode(c->engine);
    if (!c->locked) {
        return; /* it waits for the lease */
    }
    if (event->kind == EVENT_PAUSE) {
        if (c->refused ? was == RELEASE_RUNNING : is == RELEASE_RUNNING) {
            sim_breaks(run, INV_COMMAND, "pause %s", c->refused ? "was refused" : "did nothing");
        }
    } else if (event->kind == EVENT_RESUME) {
        if (c->refused ? is_stopped(was) && c->refusal != REFUSE_NOT_TOLD : !is_stopped(was)) {
            sim_breaks(run, INV_COMMAND, "resume %s", c->refused ? "was refused" : "was taken");
        }
    } else if (event->kind == EVENT_ROLLBACK) {
        check_rollback(run, c, was, direction);
    }
}

/* Where a host has to be at the end; the other slot is to be empty. */
struct rest {
    bool serves;
    unsigned slot;
    enum release_version version;
    enum release_track track;
};

static struct rest rest_of(const struct sim_run *run, unsigned h, enum release_direction direction)
{
    const struct release_spec *spec = &run->spec;
    struct rest rest = {.serves = run->basis.host[h].serves,
                        .slot = (unsigned) run->basis.host[h].slot,
                        .version = RELEASE_OLD,
                        .track = run->basis.host[h].track};
    if (direction == RELEASE_BACK) {
        return rest;
    }
    bool retires = spec->strategy == RELEASE_BY_CANARY && spec->swap == RELEASE_IN_PLACE &&
                   spec->host[h].pool && !spec->retire_to_stable && !rest.serves;
    rest.slot = spec->swap == RELEASE_BESIDE && rest.serves ? 1 - rest.slot : rest.slot;
    rest.version = RELEASE_NEW;
    rest.serves = !retires;
    rest.track = spec->strategy == RELEASE_BY_CANARY ? RELEASE_STABLE : rest.track;
    return rest;
}

static void check_copy(struct sim_run *run, unsigned h, unsigned s, const struct rest *rest)
{
    const struct sim_copy *copy = &run->world.host[h].copy[s];
    bool wanted = rest->serves && rest->slot == s;
    if (copy->up != wanted && !copy->by_world) {
        sim_breaks(run, INV_END_STATE, "host %u: the copy in slot %u is %s", h, s,
                   copy->up ? "up" : "not up");
    }
    if (wanted && copy->version != rest->version) {
        sim_breaks(run, INV_END_STATE, "host %u: slot %u has version %u and not %u", h, s,
                   copy->version, (unsigned) rest->version);
    }
    if (wanted && copy->fails && !copy->by_world) {
        sim_breaks(run, INV_END_STATE, "host %u still fails its check by command", h);
    }
}

static void check_peer(struct sim_run *run, unsigned r, unsigned h, unsigned s,
                       const struct rest *rest)
{
    const struct sim_router *router = &run->world.router[r];
    sim_set bit = sim_bit((int) h, s);
    bool wanted = rest->serves && rest->slot == s;
    if ((router->lost & bit) != 0) {
        return;
    }
    if (((router->now.ready & bit) != 0) != wanted) {
        sim_breaks(run, INV_END_STATE, "router %u: host %u slot %u is %s", r, h, s,
                   wanted ? "not ready" : "ready");
    }
    bool canary = (router->now.canary & bit) != 0;
    if (wanted && canary != (rest->track == RELEASE_CANARY)) {
        sim_breaks(run, INV_END_STATE, "router %u: host %u is on the other track", r, h);
    }
    if (!wanted && (router->now.peers & bit) != 0 && run->spec.swap == RELEASE_BESIDE) {
        sim_breaks(run, INV_END_STATE, "router %u: host %u slot %u is still a peer", r, h, s);
    }
}

void sim_check_end(struct sim_run *run, const struct sim_controller *c)
{
    enum release_direction direction = release_direction(c->engine);
    for (unsigned h = 0; h < run->spec.hosts; h++) {
        struct rest rest = rest_of(run, h, direction);
        for (unsigned s = 0; s < RELEASE_SLOTS; s++) {
            check_copy(run, h, s, &rest);
            for (unsigned r = 0; r < run->world.routers; r++) {
                check_peer(run, r, h, s, &rest);
            }
        }
    }
    for (unsigned r = 0; r < run->world.routers; r++) {
        const struct sim_router *router = &run->world.router[r];
        if (router->now.share_ppm != run->basis.share_ppm && !router->share_lost) {
            sim_breaks(run, INV_END_STATE, "router %u has a share of %u ppm", r,
                       router->now.share_ppm);
        }
    }
    enum sim_migration_state state = run->world.migration.state;
    if (direction == RELEASE_FORWARD && run->spec.has_migration && state != MIGRATE_DONE) {
        sim_breaks(run, INV_END_STATE, "done, and the migration is not");
    }
}
