/* pourover pause, resume, promote, rollback */
#include "base/json.h"
#include "cli/halt.h"
#include "cli/out.h"
#include "cli/room.h"
#include "cli/routers.h"
#include "cli/run_services.h"

#include <string.h>

struct order {
    const char *word, *told; /* told: what is said when the one who runs it has taken it */
    enum release_event_kind kind;
};

static void say(const struct room *r, const char *state, const char *text)
{
    struct buf b;
    if (!r->cli->json) {
        if (!r->cli->quiet) {
            out_printf("%s\n", text);
        }
        return;
    }
    struct json_writer w;
    buf_init(&b, OUT_MAX);
    json_writer_init(&w, &b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "event", "told");
    json_kv_cstr(&w, "service", r->view.service);
    json_kv_u64(&w, "release", r->view.number);
    json_kv_cstr(&w, "state", state);
    json_kv_cstr(&w, "text", text);
    json_obj_end(&w);
    buf_add_char(&b, '\n');
    out_write(buf_str(&b));
    buf_done(&b);
}

/* Nobody runs it: there is nothing to pause, only to tell. */
static enum exit_code pause_nobody(struct room *r)
{
    struct err err = {0};
    char text[512];
    enum release_mode mode = release_mode(controller_release(r->controller));
    if (mode == RELEASE_ENDED) {
        (void) err_set(&err, ERR_DENIED, "release %llu of %s is %s: there is nothing to pause",
                       (unsigned long long) r->view.number, r->view.service, r->view.state);
        return cli_fail(r->cli, &err);
    }
    buf_print(text, sizeof text,
              "nobody runs release %llu of %s to %s (%s): it stands still; go on with `pourover "
              "resume%s`, or back with `pourover rollback%s`",
              (unsigned long long) r->view.number, r->view.service, r->view.to, r->view.state,
              r->view.options, r->view.options);
    say(r, r->view.state, text);
    return mode == RELEASE_PAUSED ? EXIT_DONE : EXIT_HELD;
}

static enum exit_code run_here(struct room *r, const struct order *order)
{
    enum release_mode mode = release_mode(controller_release(r->controller));
    struct release_event event = {
        .kind = order->kind,
        .tell = (enum release_tell) r->cli->migration,
        .force = r->cli->force,
    };
    bool is_back = release_direction(controller_release(r->controller)) == RELEASE_BACK;
    if (mode == RELEASE_ENDED && order->kind == EVENT_RESUME) {
        char text[256];
        buf_print(text, sizeof text, "release %llu of %s is %s already: nothing is left to do",
                  (unsigned long long) r->view.number, r->view.service, r->view.state);
        say(r, r->view.state, text);
        return EXIT_DONE;
    }
    /* A controller that was killed in a run left it running: going on needs no word. */
    bool stands = mode == RELEASE_PAUSED || mode == RELEASE_PAUSING || mode == RELEASE_HELD ||
                  mode == RELEASE_HALTED || mode == RELEASE_ENDED;
    bool just_on = order->kind == EVENT_RESUME && !stands;
    if (order->kind == EVENT_ROLLBACK && mode != RELEASE_ENDED && is_back) {
        event.kind = EVENT_RESUME; /* it was said before: the way back goes on */
        just_on = !stands;
    }
    enum exit_code code = room_run(r, just_on ? NULL : &event);
    if (mode != RELEASE_ENDED && order->kind != EVENT_ROLLBACK) {
        run_services_tell_rest(r);
    }
    return code;
}

static enum exit_code ask_or_run(struct room *r, const struct order *order)
{
    struct err err = {0};
    char text[64], question[256];
    if (room_load(r, 0, true, &err) < 0) {
        return room_fail(r, &err);
    }
    room_view(r, false);
    buf_print(question, sizeof question, "%s release %llu of %s, %s -> %s (%s)?", order->word,
              (unsigned long long) r->view.number, r->view.service, r->view.from, r->view.to,
              r->view.state);
    if (order->kind != EVENT_PAUSE && !room_ask(r, question)) {
        return EXIT_HELD;
    }
    buf_print(text, sizeof text, "%s%s%s", order->word,
              order->kind == EVENT_ROLLBACK && r->cli->force ? " --force" : "",
              r->cli->migration == TELL_DONE    ? " done"
              : r->cli->migration == TELL_AGAIN ? " again"
                                                : "");
    int rc = controller_ask(r->controller, text, r->by, r->cli->why, &err);
    if (rc == 0) {
        char told[512];
        buf_print(told, sizeof told, "%s; follow it with `pourover watch%s`", order->told,
                  r->view.options);
        say(r, r->view.state, told);
        return EXIT_DONE;
    }
    bool silent = rc == ERR_TIMEOUT; /* its lease is of this release: that is taken over */
    if (rc != ERR_NOT_FOUND && (!silent || order->kind == EVENT_PAUSE)) {
        return room_fail(r, &err);
    }
    /* Whoever had it may have gone on while it was asked. */
    room_again(r);
    if (room_load(r, 0, true, &err) < 0) {
        return room_fail(r, &err);
    }
    room_view(r, false);
    return order->kind == EVENT_PAUSE ? pause_nobody(r) : run_here(r, order);
}

static enum exit_code steer(struct cli *cli, const struct order *order)
{
    struct room r;
    enum exit_code code = room_open(&r, cli);
    if (code == EXIT_DONE) {
        code = ask_or_run(&r, order);
    }
    room_close(&r);
    return code;
}

static enum exit_code run_pause(struct cli *cli)
{
    return steer(cli, &(struct order){"pause", "it pauses when the hosts on their way are through",
                                      EVENT_PAUSE});
}

static enum exit_code run_resume(struct cli *cli)
{
    return steer(cli, &(struct order){"resume", "it goes on", EVENT_RESUME});
}

static enum exit_code run_promote(struct cli *cli)
{
    return steer(cli, &(struct order){"promote", "it goes on to the next stage", EVENT_PROMOTE});
}

static enum exit_code run_rollback(struct cli *cli)
{
    return steer(cli, &(struct order){"rollback", "it rolls back", EVENT_ROLLBACK});
}

static const struct opt *const steer_options[] = {opt_steer, opt_release, NULL};
static const struct opt *const resume_options[] = {opt_resume, opt_steer, opt_release, NULL};
static const struct opt *const back_options[] = {opt_back, opt_release, NULL};

#define WHO_DOES_IT                                                                               \
    "When a process runs the release, here or on another machine, it is asked and does it. When " \
    "nobody does, it is done here: what hosts and journal know is enough, so any machine with "   \
    "release.yaml that reaches the hosts will do."

static const struct example pause_examples[] = {
    {"pourover pause", "when the hosts on their way are through"},
    {NULL, NULL},
};

const struct cmd cmd_pause = {
    .name = "pause",
    .summary = "let a release stand still when the hosts on their way are through",
    .option = steer_options,
    .details = "Hosts that left the routers are seen through, a stage of the canary is broken off, "
               "the share stays where it is. The process that runs the release ends with exit code "
               "6; `pourover resume` goes on. When nobody runs it, that is told: exit code 0 when "
               "it is paused already, else 6.",
    .example = pause_examples,
    .run = run_pause,
};

static const struct example resume_examples[] = {
    {"pourover resume", "go on where it was, with what failed begun anew"},
    {"pourover resume --migration done",
     "after a look at the data: the migration whose end nobody knew did end well"},
    {NULL, NULL},
};

const struct cmd cmd_resume = {
    .name = "resume",
    .summary = "go on with a release that is paused, held or halted, or was killed",
    .option = resume_options,
    .details =
        WHO_DOES_IT "\n\nThe host whose step failed begins its runbook anew; what was done is "
                    "looked at, not done again. A migration is never run twice unasked.",
    .example = resume_examples,
    .run = run_resume,
};

static const struct example promote_examples[] = {
    {"pourover promote --why \"looked at it\"", "on to the next stage, whatever the dwell says"},
    {NULL, NULL},
};

const struct cmd cmd_promote = {
    .name = "promote",
    .summary = "end the present stage of a canary and go on to the next",
    .option = steer_options,
    .details = WHO_DOES_IT "\n\nOf a release that is held, or in the dwell of a stage.",
    .example = promote_examples,
    .run = run_promote,
};

static const struct example back_examples[] = {
    {"pourover rollback --why \"orders fail\"", "at any time, from any machine"},
    {NULL, NULL},
};

const struct cmd cmd_rollback = {
    .name = "rollback",
    .summary = "bring the old version back, only where something changed",
    .option = back_options,
    .details =
        WHO_DOES_IT "\n\nIn every phase. The share goes to 0 first, by one change at each router; "
                    "then the hosts that changed get the old version by the same runbook. It needs "
                    "no source of versions but what hosts keep. It is refused behind a migration "
                    "that is a barrier, unless --force.",
    .example = back_examples,
    .run = run_rollback,
};
