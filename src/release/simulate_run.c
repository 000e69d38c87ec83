/* One run of the forecast: the engine's actions are carried out by the small world, in the order of
 * time. */
#include "release/simulate_int.h"

#include "base/mem.h"

#include <string.h>

static void on_mode(struct simulate_run *run, const struct release_note *note)
{
    bool back = note->direction == RELEASE_BACK;
    bool decides = note->mode == RELEASE_HALTING || note->mode == RELEASE_HELD ||
                   note->mode == RELEASE_TURNING;
    if (decides && note->key.host != -2) {
        const struct simulate_step *step = simulate_step_of(run, note->key.host);
        bool begun = step->key.kind == note->key.kind && step->key.nth == note->key.nth;
        run->has_stop = true;
        run->stop_kind = note->key.kind;
        run->stop_host = note->key.host;
        run->stop_cause = begun ? (enum simulate_cause) step->cause : CAUSE_PERSON;
    }
    if (note->mode == RELEASE_HELD) {
        run->end = SIMULATE_HELD;
    } else if (note->mode == RELEASE_HALTED) {
        run->end = back ? SIMULATE_STUCK : SIMULATE_HALTED;
    } else if (note->mode == RELEASE_ENDED) {
        run->end = back ? SIMULATE_ROLLED_BACK : SIMULATE_DONE;
    }
}

static void on_note(struct simulate_run *run, const struct release_note *note)
{
    if (note->kind == NOTE_MODE) {
        on_mode(run, note);
    } else if (note->kind == NOTE_STEP && note->status == STEP_RUNNING) {
        struct simulate_step *step = simulate_step_of(run, note->key.host);
        step->key = note->key;
        simulate_world_draw(run, step);
    }
}

static void cancel(struct simulate_run *run, uint32_t id)
{
    for (size_t i = 0; i < run->n_doing; i++) {
        if (run->doing[i].op.id == id) {
            run->doing[i].outcome = RELEASE_CANCELLED;
            run->doing[i].ends_ms = run->now_ms;
        }
    }
}

static void take_acts(struct simulate_run *run, struct release_acts acts)
{
    for (size_t i = 0; i < acts.len; i++) {
        const struct release_act *act = &acts.act[i];
        switch (act->kind) {
        case ACT_NOTE:
            on_note(run, &act->note);
            break;
        case ACT_DO:
            if (run->n_doing == sizeof run->doing / sizeof *run->doing) {
                BUG("more operations than hosts");
            }
            run->doing[run->n_doing] = (struct simulate_doing){.op = act->op};
            simulate_world_find(run, &run->doing[run->n_doing++]);
            break;
        case ACT_CANCEL:
            cancel(run, act->op.id);
            break;
        case ACT_END:
            run->ended = true;
            break;
        case ACT_REFUSE:
            BUG("the engine refused what was not asked");
        }
    }
}

/* Of those that end at the same time the one that was begun first. */
static size_t next_doing(const struct simulate_run *run)
{
    size_t next = 0;
    if (run->n_doing == 0) {
        BUG("a release waits for nothing");
    }
    for (size_t i = 1; i < run->n_doing; i++) {
        const struct simulate_doing *a = &run->doing[i], *b = &run->doing[next];
        next =
            a->ends_ms < b->ends_ms || (a->ends_ms == b->ends_ms && a->op.id < b->op.id) ? i : next;
    }
    return next;
}

static int next_turn(const struct simulate_run *run)
{
    int next = 0;
    for (int h = 1; h < run->spec->hosts; h++) {
        next = run->host[h].turns_ms < run->host[next].turns_ms ? h : next;
    }
    return next;
}

static void finish_op(struct simulate_run *run, struct release *release, size_t i)
{
    struct simulate_doing doing = run->doing[i];
    run->doing[i] = run->doing[--run->n_doing];
    run->now_ms = doing.ends_ms;
    if (doing.outcome == RELEASE_OK) {
        simulate_world_do(run, &doing);
    }
    const struct release_event event = {.kind = EVENT_DONE,
                                        .op = doing.op.id,
                                        .outcome = doing.outcome,
                                        .instance = doing.op.kind == OP_START ? doing.op.id : 0};
    take_acts(run, release_step(release, &event));
}

int simulate_run_play(struct simulate_run *run, uint64_t nth, struct err *err)
{
    const struct release_event begin = {.kind = EVENT_BEGIN};
    const struct release_spec *spec = run->spec;
    const struct release_basis *basis = run->basis;
    const struct simulate_wish *wish = run->wish;
    struct release *release;
    int rc = release_new(spec, basis, &release, err);
    if (rc < 0) {
        return rc;
    }
    memset(run, 0, sizeof *run);
    run->spec = spec;
    run->basis = basis;
    run->wish = wish;
    simulate_world_begin(run, nth);
    take_acts(run, release_step(release, &begin));
    while (!run->ended) {
        size_t op = next_doing(run);
        int host = next_turn(run);
        if (run->host[host].turns_ms < run->doing[op].ends_ms) {
            run->now_ms = run->host[host].turns_ms;
            simulate_world_turn(run, host);
        } else {
            finish_op(run, release, op);
        }
        simulate_world_look(run);
    }
    release_free(release);
    return 0;
}
