/* The last events of a run, as lines for people. */
#include "sim/sim.h"

#include <string.h>

static const char *const event_name[EVENT_KINDS] = {
    [EVENT_BEGIN] = "begin",       [EVENT_RESUMED] = "resumed", [EVENT_DONE] = "answer",
    [EVENT_PAUSE] = "pause",       [EVENT_RESUME] = "resume",   [EVENT_PROMOTE] = "promote",
    [EVENT_ROLLBACK] = "rollback",
};

static const char *const mode_name[RELEASE_MODES] = {
    [RELEASE_RUNNING] = "running", [RELEASE_PAUSING] = "pausing", [RELEASE_PAUSED] = "paused",
    [RELEASE_HELD] = "held",       [RELEASE_HALTING] = "halting", [RELEASE_HALTED] = "halted",
    [RELEASE_TURNING] = "turning", [RELEASE_ENDED] = "ended",
};

static const char *const status_name[] = {"pending", "running", "done", "broken", "skipped"};

struct sim_entry *sim_log(struct sim_run *run, enum sim_logged what, uint32_t token)
{
    struct sim_entry *entry = &run->log[run->logged++ % SIM_LOG];
    entry->at_ms = run->world.now_ms;
    entry->what = what;
    entry->token = token;
    return entry;
}

static void print_op(const struct release_op *op, FILE *to)
{
    const char *name = release_op_name[op->kind];
    fprintf(to, "#%u %s", op->id, name == NULL ? "?" : name);
    if (op->host >= 0) {
        fprintf(to, " host %d%c v%d track %d", op->host, 'a' + (int) op->slot, (int) op->version,
                (int) op->track);
    }
    if (op->kind == OP_SHARE || op->kind == OP_CAPACITY || op->kind == OP_DWELL) {
        fprintf(to, " share %u%s", op->share_ppm, op->raise ? " raise" : "");
    }
    if (op->kind == OP_CAPACITY || op->kind == OP_KEEP_UP) {
        fprintf(to, " need %llu/%llu dc %u", (unsigned long long) op->need[0],
                (unsigned long long) op->need[1], op->need_dc);
    }
    fprintf(to, " attempt %u instance %llu\n", op->attempt, (unsigned long long) op->instance);
}

static void print_note(const struct sim_entry *e, FILE *to)
{
    const struct release_key *key = &e->note.key;
    if (e->note.kind == NOTE_STEP) {
        fprintf(to, "note  %s %s: %s", release_part_name[key->part], release_step_name[key->kind],
                status_name[e->note.status]);
        fprintf(to, " host %d nth %u direction %d attempt %u %s\n", key->host, key->nth,
                (int) key->direction, e->note.attempt,
                e->note.status == STEP_BROKEN ? release_outcome_name[e->note.outcome] : "");
    } else if (e->note.kind == NOTE_MODE) {
        fprintf(to, "note  mode %s direction %d\n", mode_name[e->note.mode], e->note.direction);
    } else {
        fprintf(to, "note  the way back begins\n");
    }
}

static void print_entry(const struct sim_entry *e, FILE *to)
{
    fprintf(to, "%10llu ms  life %u  ", (unsigned long long) e->at_ms, e->token);
    switch (e->what) {
    case LOG_EVENT:
        fprintf(to, "EVENT %s", event_name[e->event.kind]);
        if (e->event.kind == EVENT_DONE) {
            fprintf(to, " #%u %s host %d: %s", e->event.op, release_op_name[e->answered], e->host,
                    release_outcome_name[e->event.outcome]);
        }
        fprintf(to, "  (was %s)\n", mode_name[e->mode]);
        break;
    case LOG_NOTE:
        print_note(e, to);
        break;
    case LOG_DO:
        fprintf(to, "do    ");
        print_op(&e->op, to);
        break;
    case LOG_CANCEL:
        fprintf(to, "cancel #%u\n", e->op.id);
        break;
    case LOG_REFUSE:
        fprintf(to, "refused: %s\n", release_refusal_name[e->refusal]);
        break;
    case LOG_END:
        fprintf(to, "END   %s\n", mode_name[e->mode]);
        break;
    case LOG_HAPPENS:
        fprintf(to, "WORLD %s: %u\n", sim_happening_name[e->happening.kind], e->happening.whom);
        break;
    case LOG_LIFE:
        fprintf(to, "LIFE  %s\n", e->text);
        break;
    }
}

static void print_state(const char *name, const struct sim_state *s, FILE *to)
{
    fprintf(to, "%s: peers %05x ready %05x canary %05x share %u\n", name, s->peers, s->ready,
            s->canary, s->share_ppm);
}

static void print_world(const struct sim_run *run, FILE *to)
{
    const struct sim_world *w = &run->world;
    print_state("base", &w->base, to);
    print_state("meant", &w->meant, to);
    for (unsigned r = 0; r < w->routers; r++) {
        fprintf(to, "router %u%s, lost %05x%s, ", r, w->router[r].reachable ? "" : " CUT OFF",
                w->router[r].lost, w->router[r].share_lost ? " and share" : "");
        print_state("has", &w->router[r].now, to);
    }
    for (unsigned h = 0; h < w->spec->hosts; h++) {
        const struct sim_host *host = &w->host[h];
        fprintf(to, "host %u dc %u%s weight %u lease %u%s:", h, w->spec->host[h].dc,
                w->spec->host[h].pool ? " pool" : "", w->spec->host[h].weight, host->token,
                host->reachable ? "" : " CUT OFF");
        for (unsigned s = 0; s < RELEASE_SLOTS; s++) {
            const struct sim_copy *copy = &host->copy[s];
            fprintf(to, " [%c v%u #%llu%s%s%s%s]", 'a' + (int) s, copy->version,
                    (unsigned long long) copy->instance, copy->up ? " up" : "",
                    copy->tested ? " tested" : "", copy->by_world ? " by world" : "",
                    copy->fails ? " fails" : "");
        }
        fputc('\n', to);
    }
}

void sim_log_print(const struct sim_run *run, unsigned lines, FILE *to)
{
    const struct release_spec *spec = &run->spec;
    fprintf(to,
            "spec: %s, %s, %u hosts, %u data centers, batch %u, keep up %u ppm and %u, stages %u, "
            "beside %u%s%s%s, share %u\n",
            spec->strategy == RELEASE_ROLLING ? "rolling" : "canary",
            spec->swap == RELEASE_IN_PLACE ? "in place" : "beside", spec->hosts, spec->dcs,
            spec->batch, spec->keep_up_total_ppm, spec->keep_up_per_dc, spec->stages,
            spec->beside_per_dc, spec->grow ? " grow" : "", spec->hold_at_end ? " hold" : "",
            spec->retire_to_stable ? " to stable" : "", run->basis.share_ppm);
    print_world(run, to);
    lines = lines < SIM_LOG ? lines : SIM_LOG;
    unsigned from = run->logged > lines ? run->logged - lines : 0;
    for (unsigned i = from; i < run->logged; i++) {
        print_entry(&run->log[i % SIM_LOG], to);
    }
}
