/*
 * One run: a release from its beginning to its end, with whatever comes between.
 *
 * While faults may come, a release that stopped is gone on with a few times as it is; then all is
 * mended, and from there it has to reach its end without stopping again, except to ask a person.
 */
#include "sim/sim.h"

#include <string.h>

#define EVENTS_MAX 6000
#define CYCLES_MAX 3
#define TIME_MAX   (UINT64_C(60) * 24 * 3600 * 1000)

static bool faulty(struct sim_run *run, uint32_t ppm)
{
    return run->faults && draw_chance(&run->draw, ppm);
}

static void wake_zombie(struct sim_run *run)
{
    struct sim_controller *z = &run->zombie;
    sim_log(run, LOG_LIFE, z->token)->text = "wakes up";
    for (unsigned i = 0; i < 100 && !run->failed && z->engine != NULL && !z->ended; i++) {
        if (z->flights == 0) {
            sim_breaks(run, INV_ENDS, "a controller that lost its leases waits for nothing");
            break;
        }
        sim_controller_answer(run, z, 0);
    }
    if (!run->failed && z->engine != NULL && !z->ended) {
        sim_breaks(run, INV_FENCED, "a controller that lost its leases goes on");
    }
    release_free(z->engine);
    memset(z, 0, sizeof(*z));
}

static void begin_event(struct sim_run *run, enum release_event_kind kind)
{
    struct release_event event = {.kind = kind};
    if (!run->failed && !sim_controller_step(run, &run->lead, &event)) {
        sim_controller_dies(run, &run->lead);
    }
}

/* The next life of the controller: here, or on another machine. */
static void next_life(struct sim_run *run)
{
    unsigned here = run->machine;
    bool elsewhere = draw_chance(&run->draw, 500000);
    /* What could be written on no host, only this machine can go on with. */
    elsewhere = elsewhere && !sim_controller_knows_alone(run, here);
    unsigned machine = elsewhere ? draw_below(&run->draw, SIM_MACHINES) : here;
    /* Its own journal is enough for a machine that missed nothing when it was last read. */
    bool own_only = machine == here && !run->missed && draw_chance(&run->draw, 500000);
    release_free(run->lead.engine);
    run->lead.engine = NULL;
    run->mended = false; /* until it is told to go on again */
    run->held.halting = false;
    if (machine == here) {
        sim_coverage.resumed++;
    } else {
        sim_coverage.taken_over++;
    }
    (void) sim_controller_begin(run, &run->lead, machine, own_only);
    if (run->lead.fresh && machine != here) {
        /* No host could be read, so that machine knows of no release. */
        release_free(run->lead.engine);
        machine = here;
        (void) sim_controller_begin(run, &run->lead, machine, false);
    }
    run->machine = machine;
    run->missed = own_only ? run->missed : run->lead.missed;
    if (run->lead.fresh) {
        begin_event(run, EVENT_BEGIN);
    } else {
        begin_event(run, EVENT_RESUMED);
    }
}

/* The laptop's lid: this life stops, another one takes over, and the first wakes up later. */
static void freeze(struct sim_run *run)
{
    if (run->zombie.engine != NULL || run->lead.ended) {
        return;
    }
    sim_log(run, LOG_LIFE, run->lead.token)->text = "frozen";
    run->zombie = run->lead;
    run->zombie.zombie = true;
    run->lead.engine = NULL;
    next_life(run);
}

static void command(struct sim_run *run, struct release_event event)
{
    struct sim_controller *c = &run->lead;
    enum release_mode was = release_mode(c->engine);
    enum release_direction direction = release_direction(c->engine);
    run->forced |= event.kind == EVENT_ROLLBACK && event.force;
    bool was_ended = c->ended;
    c->ended = false;
    if (!sim_controller_step(run, c, &event)) {
        sim_controller_dies(run, c);
        return;
    }
    sim_check_command(run, c, &event, was, direction);
    c->ended |= was_ended && c->refused;
}

static void random_command(struct sim_run *run)
{
    if (run->lead.ended && (run->lead.fenced || !run->lead.locked)) {
        return; /* nobody is there to hear it */
    }
    static const enum release_event_kind kinds[] = {EVENT_PAUSE, EVENT_RESUME, EVENT_PROMOTE,
                                                    EVENT_ROLLBACK};
    struct release_event event = {.kind = kinds[draw_below(&run->draw, 4)]};
    event.force = draw_chance(&run->draw, 200000);
    command(run, event);
}

/* What a person says of a migration whose end nobody knows: it looked, so it is true. */
static void tell(struct sim_run *run, struct release_event *event)
{
    struct sim_migration *m = &run->world.migration;
    enum release_outcome outcome = RELEASE_OK;
    bool asked = release_culprit(run->lead.engine, &outcome) >= 0 && outcome == RELEASE_UNKNOWN;
    if (!asked || m->state != MIGRATE_LOST || (run->faults && draw_chance(&run->draw, 100000))) {
        event->tell = m->state == MIGRATE_DONE ? TELL_DONE : TELL_NOTHING;
        return;
    }
    event->tell = draw_chance(&run->draw, 500000) ? TELL_AGAIN : TELL_DONE;
    m->allowed = event->tell == TELL_AGAIN;
    m->state = event->tell == TELL_DONE ? MIGRATE_DONE : m->state;
}

static void go_on(struct sim_run *run)
{
    struct sim_controller *c = &run->lead;
    bool forward = release_direction(c->engine) == RELEASE_FORWARD;
    struct release_event event = {.kind = EVENT_RESUME};
    if (forward && run->wants_back) {
        event.kind = EVENT_ROLLBACK;
        event.force = draw_chance(&run->draw, 300000);
    } else if (release_mode(c->engine) == RELEASE_HELD && draw_chance(&run->draw, 500000)) {
        event.kind = EVENT_PROMOTE;
    }
    if (event.kind == EVENT_RESUME) {
        tell(run, &event);
    }
    command(run, event);
    if (c->engine != NULL && c->refused) {
        /* Back over a barrier is refused, and so is to go on without saying how a migration ended.
         */
        run->wants_back = false;
    }
}

static void mend(struct sim_run *run)
{
    sim_log(run, LOG_LIFE, 0)->text = "all is mended";
    sim_world_mend(&run->world);
    run->faults = false;
    run->wants_back = draw_chance(&run->draw, 400000);
}

/* Whether this end is the one that a release may come to after everything was mended. */
static void check_mended(struct sim_run *run, enum release_mode mode)
{
    if (run->mended && mode != RELEASE_HELD) {
        enum release_outcome outcome = RELEASE_OK;
        int step = release_culprit(run->lead.engine, &outcome);
        /* How a migration ended before the mend may be told only now. */
        if (step >= 0 && run->late++ < 2 &&
            release_plan_of(run->lead.engine)->step[step].key.kind == STEP_MIGRATE) {
            return;
        }
        const struct release_key *key =
            step < 0 ? NULL : &release_plan_of(run->lead.engine)->step[step].key;
        sim_breaks(run, INV_MENDED, "all is mended, and the release is %s: %s at host %d: %s",
                   release_state_name(run->lead.engine),
                   key == NULL ? "?" : release_step_name[key->kind], key == NULL ? -1 : key->host,
                   release_outcome_name[outcome]);
    }
}

/* The controller has ended: what comes next.  False: nothing. */
static bool next_cycle(struct sim_run *run)
{
    struct sim_controller *c = &run->lead;
    enum release_mode mode = release_mode(c->engine);
    bool lost = c->fenced || !c->locked;
    if (mode == RELEASE_ENDED && !lost) {
        sim_check_end(run, c);
        return false;
    }
    if (!lost) {
        check_mended(run, mode);
    }
    if (run->cycles++ > 50) {
        sim_breaks(run, INV_ENDS, "stopped %d times, and is not at its end", 50);
    }
    if (run->failed) {
        return false;
    }
    run->world.now_ms += draw_below(&run->draw, 3600000);
    if (run->faults && (run->cycles >= CYCLES_MAX || draw_chance(&run->draw, 300000))) {
        mend(run);
    }
    if (lost || c->missed || draw_chance(&run->draw, 300000)) {
        next_life(run);
        /* A life of a stopped release only takes the leases; what to do is said next. */
        return true;
    }
    go_on(run);
    run->mended = !run->faults && !c->refused;
    return true;
}

static void happen(struct sim_run *run, unsigned i)
{
    struct sim_pending pending = run->world.pending[i];
    run->world.pending[i] = run->world.pending[--run->world.pendings];
    struct sim_entry *e = sim_log(run, LOG_HAPPENS, 0);
    e->happening.kind = pending.kind;
    e->happening.whom = pending.whom;
    sim_world_happen(&run->world, pending.kind, pending.whom);
}

/* Advances to whatever comes first: an operation's end, or something of the world. */
static void advance(struct sim_run *run)
{
    struct sim_controller *c = &run->lead;
    struct sim_world *w = &run->world;
    unsigned flight = 0, pending = 0;
    for (unsigned i = 1; i < c->flights; i++) {
        flight = c->flight[i].end_ms < c->flight[flight].end_ms ? i : flight;
    }
    for (unsigned i = 1; i < w->pendings; i++) {
        pending = w->pending[i].at_ms < w->pending[pending].at_ms ? i : pending;
    }
    uint64_t end_ms = c->flight[flight].end_ms;
    if (w->pendings > 0 && w->pending[pending].at_ms < end_ms) {
        w->now_ms = w->pending[pending].at_ms > w->now_ms ? w->pending[pending].at_ms : w->now_ms;
        happen(run, pending);
        return;
    }
    w->now_ms = end_ms > w->now_ms ? end_ms : w->now_ms;
    sim_controller_answer(run, c, flight);
}

static bool too_long(struct sim_run *run)
{
    if (run->events > EVENTS_MAX) {
        sim_breaks(run, INV_ENDS, "not at an end after %d events", EVENTS_MAX);
    } else if (run->world.now_ms > TIME_MAX) {
        sim_breaks(run, INV_ENDS, "not at an end after 60 days");
    }
    return run->failed;
}

static void loop(struct sim_run *run)
{
    struct sim_controller *c = &run->lead;
    while (!run->failed && !too_long(run)) {
        if (c->engine == NULL) {
            run->world.now_ms += draw_below(&run->draw, 600000);
            next_life(run);
        } else if (c->ended) {
            if (!next_cycle(run)) {
                break;
            }
        } else if (c->flights == 0) {
            sim_breaks(run, INV_ENDS, "nothing is under way and the release is %s",
                       release_state_name(c->engine));
        } else {
            advance(run);
        }
        sim_check_world(run);
        if (run->failed || c->engine == NULL) {
            continue;
        }
        if (faulty(run, run->profile->commanded)) {
            random_command(run);
        } else if (faulty(run, run->profile->frozen)) {
            freeze(run);
        } else if (run->zombie.engine != NULL && (draw_chance(&run->draw, 50000) || !run->faults)) {
            wake_zombie(run);
        }
    }
}

/* Draws until a release can be begun: many drawn fleets are too small for their rules. */
static bool begin_release(struct sim_run *run)
{
    for (unsigned i = 0; i < 100; i++) {
        sim_draw_spec(&run->draw, &run->spec, &run->basis);
        unsigned routers = draw_between(&run->draw, 1, SIM_ROUTERS);
        sim_world_begin(&run->world, &run->spec, &run->basis, routers);
        run->lives = 0;
        if (sim_controller_begin(run, &run->lead, 0, true)) {
            break;
        }
        sim_coverage.refused++;
    }
    for (unsigned h = 0; h < run->spec.hosts; h++) {
        run->held.joined |= run->basis.host[h].serves ? 1u << h : 0;
    }
    return run->lead.engine != NULL;
}

enum sim_ended sim_run(struct sim_run *run, const struct sim_profile *profile, uint64_t seed)
{
    struct draw draw = {seed};
    run->seed = seed;
    run->draw.state = draw_next(&draw);
    run->profile = profile;
    run->events = run->cycles = run->notes = run->logged = 0;
    run->lives = 0;
    run->machine = run->late = 0;
    run->failed = run->forced = run->mended = run->missed = false;
    run->faults = run->profile->interrupted > 0;
    run->wants_back = draw_chance(&run->draw, 300000);
    memset(&run->held, 0, sizeof(run->held));
    memset(&run->lead, 0, sizeof(run->lead));
    memset(&run->zombie, 0, sizeof(run->zombie));
    sim_coverage.runs++;
    if (!begin_release(run)) {
        return SIM_REFUSED;
    }
    if (run->faults) {
        sim_fault_host(run);
    }
    begin_event(run, EVENT_BEGIN);
    loop(run);
    sim_coverage.events += run->events;
    release_free(run->lead.engine);
    release_free(run->zombie.engine);
    return run->failed ? SIM_FAILED : SIM_PASSED;
}
