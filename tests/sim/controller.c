/*
 * The controller of a simulated release: carries out what the engine asks, in order, and may die
 * between any two writes and between a write and an action.
 *
 * A life takes the leases of all hosts that it reaches before it reads notes: what an older life
 * could still have written is then refused by the hosts.  Its lock is to hold them still: where a
 * host was not reached, or its lease was lost meanwhile, there are notes that this life does not
 * know, and the next one reads again.
 */
#include "sim/sim.h"

#include <string.h>

#define MACHINE_BIT(m) (1u << (8 + (m)))

/* Between any two of these the controller may die. */
static bool survives(struct sim_run *run)
{
    return !(run->faults && draw_chance(&run->draw, run->profile->killed));
}

/* Where a note lies: on the host it is about, or on all others when that one is away. */
static unsigned hosts_of(const struct sim_run *run, const struct release_note *note, uint32_t token)
{
    unsigned all = 0;
    for (unsigned h = 0; h < run->spec.hosts; h++) {
        const struct sim_host *host = &run->world.host[h];
        all |= host->reachable && host->token == token ? 1u << h : 0;
    }
    unsigned mine = note->host < 0 ? all : all & 1u << note->host;
    return mine != 0 ? mine : all;
}

/* What stands on a disk as running, for the check that notes come first. */
static void follow(struct sim_controller *c, const struct release_note *note)
{
    if (note->kind != NOTE_STEP) {
        return;
    }
    unsigned i = (unsigned) (note->key.host + 1);
    if (note->status == STEP_RUNNING) {
        c->running[i].any = true;
        c->running[i].key = note->key;
    } else if (sim_same_key(&c->running[i].key, &note->key)) {
        c->running[i].any = false;
    }
}

static void log_note(struct sim_run *run, const struct sim_controller *c,
                     const struct release_note *note)
{
    struct sim_entry *e = sim_log(run, LOG_NOTE, c->token);
    e->note.kind = note->kind;
    e->note.key = note->key;
    e->note.status = (uint8_t) note->status;
    e->note.outcome = (uint8_t) note->outcome;
    e->note.mode = (uint8_t) note->mode;
    e->note.direction = (uint8_t) note->direction;
    e->note.attempt = note->attempt;
}

static bool holds_all(const struct sim_run *run, uint32_t token)
{
    for (unsigned h = 0; h < run->spec.hosts; h++) {
        if (run->world.host[h].token != token) {
            return false;
        }
    }
    return true;
}

static bool write_note(struct sim_run *run, struct sim_controller *c,
                       const struct release_note *note)
{
    if (!survives(run)) {
        return false;
    }
    if (run->notes == SIM_NOTES) {
        sim_breaks(run, INV_ENDS, "%d notes were written and the release has not ended", SIM_NOTES);
        return false;
    }
    log_note(run, c, note);
    unsigned i = run->notes++;
    run->note[i] = *note;
    /* What a life writes that lost its leases counts nowhere. */
    bool counts = !c->zombie || holds_all(run, c->token);
    run->where[i] = (uint16_t) (counts ? MACHINE_BIT(c->machine) : 0);
    sim_check_note(run, c, note);
    follow(c, note);
    unsigned hosts = hosts_of(run, note, c->token);
    for (unsigned h = 0; hosts >> h != 0; h++) {
        if ((hosts & 1u << h) == 0) {
            continue;
        }
        if (!survives(run)) {
            return false;
        }
        run->where[i] = (uint16_t) (run->where[i] | 1u << h);
    }
    return true;
}

/* After a lock: what this machine knows and a host does not is brought to it. */
static void bring_up(struct sim_run *run, const struct sim_controller *c)
{
    for (unsigned i = 0; i < run->notes; i++) {
        if ((run->where[i] & MACHINE_BIT(c->machine)) != 0) {
            run->where[i] = (uint16_t) (run->where[i] | hosts_of(run, &run->note[i], c->token));
        }
    }
}

bool sim_controller_knows_alone(const struct sim_run *run, unsigned machine)
{
    for (unsigned i = 0; i < run->notes; i++) {
        if (run->where[i] == MACHINE_BIT(machine)) {
            return true;
        }
    }
    return false;
}

static bool begin_op(struct sim_run *run, struct sim_controller *c, const struct release_op *op)
{
    if (!survives(run)) {
        return false;
    }
    sim_log(run, LOG_DO, c->token)->op = *op;
    sim_check_do(run, c, op);
    if (c->flights == SIM_FLIGHTS) {
        sim_breaks(run, INV_ONE_AT_A_TIME, "%d operations are under way at once", SIM_FLIGHTS);
        return false;
    }
    struct sim_flight *flight = &c->flight[c->flights++];
    flight->op = *op;
    sim_fault_op(run, flight);
    return true;
}

static void cancel_op(struct sim_run *run, struct sim_controller *c, uint32_t id)
{
    sim_log(run, LOG_CANCEL, c->token)->op.id = id;
    for (unsigned i = 0; i < c->flights; i++) {
        struct sim_flight *flight = &c->flight[i];
        if (flight->op.id == id) {
            uint64_t soon = run->world.now_ms + draw_below(&run->draw, 50);
            flight->fate =
                draw_chance(&run->draw, 500000) ? FATE_CANCELLED_DONE : FATE_CANCELLED_UNDONE;
            flight->end_ms = soon < flight->end_ms ? soon : flight->end_ms;
            return;
        }
    }
    sim_breaks(run, INV_ONE_AT_A_TIME, "operation %u is cancelled and not under way", id);
}

static bool carry_out(struct sim_run *run, struct sim_controller *c, const struct release_act *act)
{
    switch (act->kind) {
    case ACT_NOTE:
        return write_note(run, c, &act->note);
    case ACT_DO:
        return begin_op(run, c, &act->op);
    case ACT_CANCEL:
        cancel_op(run, c, act->op.id);
        return true;
    case ACT_REFUSE:
        sim_log(run, LOG_REFUSE, c->token)->refusal = act->refusal;
        sim_coverage.refusal[act->refusal]++;
        c->refused = true;
        c->refusal = act->refusal;
        return true;
    case ACT_END:
        sim_log(run, LOG_END, c->token)->mode = release_mode(c->engine);
        c->ended = true;
        return true;
    }
    return true;
}

bool sim_controller_step(struct sim_run *run, struct sim_controller *c,
                         const struct release_event *event)
{
    enum release_mode was = release_mode(c->engine);
    struct sim_entry *e = sim_log(run, LOG_EVENT, c->token);
    e->event = *event;
    e->mode = was;
    e->answered = c->answered.kind;
    e->host = c->answered.host;
    c->refused = false;
    run->events++;
    struct release_acts acts = release_step(c->engine, event);
    enum release_mode is = release_mode(c->engine);
    sim_coverage.arrow[was][event->kind][is]++;
    sim_coverage.state[is][release_direction(c->engine)]++;
    sim_check_mode(run, c);
    for (size_t i = 0; i < acts.len && !run->failed; i++) {
        if (!carry_out(run, c, &acts.act[i])) {
            return false;
        }
    }
    return true;
}

static enum release_outcome end_op(struct sim_run *run, struct sim_controller *c,
                                   const struct sim_flight *flight, uint64_t *ret_instance)
{
    static const struct {
        bool done;
        enum release_outcome outcome; /* OK: what the world says */
    } ends[] = {
        [FATE_NORMAL] = {true, RELEASE_OK},
        [FATE_AWAY_UNDONE] = {false, RELEASE_AWAY},
        [FATE_AWAY_DONE] = {true, RELEASE_AWAY},
        [FATE_LATE_UNDONE] = {false, RELEASE_LATE},
        [FATE_LATE_DONE] = {true, RELEASE_LATE},
        [FATE_REFUSED] = {false, RELEASE_FAILED},
        [FATE_NOTHING] = {false, RELEASE_NOTHING},
        [FATE_EXCEEDED] = {false, RELEASE_EXCEEDED},
        [FATE_CANCELLED_UNDONE] = {false, RELEASE_CANCELLED},
        [FATE_CANCELLED_DONE] = {true, RELEASE_CANCELLED},
    };
    enum release_outcome outcome = RELEASE_OK;
    if (ends[flight->fate].done) {
        struct sim_seen before;
        sim_check_see(run, &before);
        unsigned routers = flight->fate == FATE_NORMAL ? SIM_ALL_ROUTERS : flight->routers;
        outcome = sim_world_do(&run->world, &flight->op, c->token, routers, ret_instance);
        sim_check_effect(run, c, &flight->op, &before);
    }
    /* Another's lease is seen whatever else happens. */
    if (flight->fate != FATE_NORMAL && outcome != RELEASE_FENCED) {
        outcome = ends[flight->fate].outcome;
    }
    return outcome;
}

void sim_controller_answer(struct sim_run *run, struct sim_controller *c, unsigned flight)
{
    struct sim_flight ended = c->flight[flight];
    c->flight[flight] = c->flight[--c->flights];
    struct release_event event = {.kind = EVENT_DONE, .op = ended.op.id};
    bool may = ended.op.kind != OP_LOCK || c->fresh || holds_all(run, c->token);
    event.outcome = may ? end_op(run, c, &ended, &event.instance) : RELEASE_FENCED;
    sim_coverage.op[ended.op.kind][event.outcome]++;
    sim_check_answer(run, c, &ended.op, event.outcome);
    if (ended.op.kind == OP_LOCK && event.outcome == RELEASE_OK) {
        bring_up(run, c);
    }
    c->answered.kind = ended.op.kind;
    c->answered.host = ended.op.host;
    if (!run->failed && !sim_controller_step(run, c, &event)) {
        sim_controller_dies(run, c);
    }
}

void sim_controller_dies(struct sim_run *run, struct sim_controller *c)
{
    sim_log(run, LOG_LIFE, c->token)->text = "killed";
    for (unsigned i = 0; i < c->flights && !run->failed; i++) {
        struct sim_flight *flight = &c->flight[i];
        uint64_t instance;
        flight->fate = draw_chance(&run->draw, 500000) ? FATE_AWAY_DONE : FATE_AWAY_UNDONE;
        (void) end_op(run, c, flight, &instance);
    }
    release_free(c->engine);
    memset(c, 0, sizeof(*c));
}

static void lease_all(struct sim_run *run, uint32_t token)
{
    for (unsigned h = 0; h < run->spec.hosts; h++) {
        struct sim_host *host = &run->world.host[h];
        if (host->reachable && host->token != SIM_OTHER) {
            host->token = token;
        }
    }
}

/* Reads the notes that lie where `read` has a bit, and keeps them on this machine. */
static unsigned gather(struct sim_run *run, const struct sim_controller *c, unsigned read)
{
    unsigned n = 0;
    for (unsigned i = 0; i < run->notes; i++) {
        if ((run->where[i] & read) != 0) {
            run->where[i] = (uint16_t) (run->where[i] | MACHINE_BIT(c->machine));
            run->load[n++] = run->note[i];
        }
    }
    return n;
}

bool sim_controller_begin(struct sim_run *run, struct sim_controller *c, unsigned machine,
                          bool own_only)
{
    struct err err;
    memset(c, 0, sizeof(*c));
    c->machine = machine;
    c->token = ++run->lives;
    if (release_new(&run->spec, &run->basis, &c->engine, &err) < 0) {
        return false;
    }
    c->fresh = c->token == 1;
    if (c->fresh) {
        sim_check_plan(run, c->engine);
        return true;
    }
    unsigned read = MACHINE_BIT(machine);
    lease_all(run, c->token);
    for (unsigned h = 0; h < run->spec.hosts; h++) {
        bool reached = run->world.host[h].token == c->token;
        read |= reached && !own_only ? 1u << h : 0;
        c->missed |= !reached;
    }
    unsigned n = gather(run, c, read);
    c->fresh = n == 0;
    release_load(c->engine, run->load, n);
    for (unsigned i = 0; i < n; i++) {
        follow(c, &run->load[i]);
    }
    sim_log(run, LOG_LIFE, c->token)->text = own_only ? "resumed here" : "taken over";
    return true;
}
