/* pourover status, watch */
#include "base/clock.h"
#include "cli/cmd_look.h"
#include "cli/halt.h"
#include "cli/out.h"
#include "cli/room.h"
#include "cli/routers.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#define WATCH_MS 500  /* between two looks at the journal */
#define FAR_MS   3000 /* between two looks at the hosts, when the journal is silent */

static bool is_stopped(const struct room *r)
{
    enum release_mode mode = r->view.mode;
    return !r->view.none &&
           (mode == RELEASE_PAUSED || mode == RELEASE_HELD || mode == RELEASE_HALTED);
}

static void add_status(const struct room *r, struct buf *b)
{
    if (r->cli->json) {
        view_status_json(&r->view, b);
        return;
    }
    view_status_table(&r->view, b);
    if (is_stopped(r)) {
        buf_add_char(b, '\n');
        halt_of_view(&r->view, b);
    }
}

static bool all_reached(const struct view *v)
{
    bool reached = v->routers_reached == v->routers;
    for (size_t i = 0; i < v->hosts; i++) {
        reached = reached && v->host[i].reached;
    }
    return reached;
}

/* The release, where one is known, and everything as it is; a release that cannot be read is told
 * and does not hide the hosts. */
static void look(struct room *r)
{
    struct err err = {0};
    uint64_t seq = 0;
    int rc = controller_load(r->controller, 0, true, &err);
    if (rc < 0 && rc != ERR_NOT_FOUND) {
        out_complain("%s", err.msg);
    }
    if (rc < 0) {
        room_again(r);
    }
    room_view(r, true);
    if (rc == 0) {
        (void) room_read_lines(r, &seq, NULL);
        view_places(&r->view);
    }
}

enum exit_code look_status(struct cli *cli, const char *kind)
{
    struct room r;
    struct buf b;
    struct err err = {0};
    enum exit_code code = room_open(&r, cli);
    if (code == EXIT_DONE) {
        look(&r);
        if (kind != NULL && (r.view.none || strcmp(r.view.kind, kind) != 0)) {
            (void) err_set(&err, ERR_NOT_FOUND, "no %s of %s is on its way", kind,
                           r.config.service);
            code = cli_fail(cli, &err);
        } else {
            buf_init(&b, OUT_MAX);
            add_status(&r, &b);
            out_write(buf_str(&b));
            buf_done(&b);
            code = all_reached(&r.view) ? EXIT_DONE : EXIT_UNREACHABLE;
        }
    }
    room_close(&r);
    return code;
}

static enum exit_code run_status(struct cli *cli)
{
    return look_status(cli, NULL);
}

/* watch */

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void) number;
    stopped = 1;
}

static void print_event(struct room *r, const struct controller_event *e)
{
    struct buf b;
    if (r->live) {
        return;
    }
    buf_init(&b, OUT_MAX);
    if (r->cli->json) {
        event_json(&r->view, e, &b);
    } else {
        event_line(&r->view, e, &b);
    }
    out_write(buf_str(&b));
    buf_done(&b);
}

static void draw(struct room *r)
{
    struct buf b;
    if (!r->live) {
        return;
    }
    buf_init(&b, OUT_MAX);
    r->view.now_ms = clock_wall_ms();
    view_block(&r->view, 40, &b);
    out_redraw(buf_str(&b));
    buf_done(&b);
}

static bool has_stopped(const struct room *r)
{
    return r->view.mode == RELEASE_ENDED || is_stopped(r);
}

/* Once more from the journal, and from the hosts when another machine may be at work. */
static int reload(struct room *r, bool hosts, struct err *err)
{
    room_again(r);
    int rc = room_load(r, 0, hosts, err);
    if (rc == 0) {
        room_view(r, false);
    }
    return rc;
}

/* Silently what is known already: times and texts. */
static void catch_up(struct room *r)
{
    uint64_t from = 0;
    (void) room_read_lines(r, &from, NULL);
}

static enum exit_code follow(struct room *r)
{
    struct err err = {0};
    uint64_t seq = 0, heard_ms = clock_mono_ms();
    const struct timespec pause = {0, (long) WATCH_MS * 1000000};
    if (room_load(r, 0, true, &err) < 0) {
        return room_fail(r, &err);
    }
    room_view(r, false);
    (void) room_read_lines(r, &seq, print_event);
    while (!has_stopped(r) && stopped == 0) {
        draw(r);
        (void) nanosleep(&pause, NULL);
        /* A journal that is silent: another machine may be at work, or nobody. */
        bool far = clock_mono_ms() - heard_ms > FAR_MS;
        if (far && reload(r, true, &err) < 0) {
            return room_fail(r, &err);
        }
        heard_ms = far ? clock_mono_ms() : heard_ms;
        if (room_read_lines(r, &seq, print_event) > 0) {
            heard_ms = clock_mono_ms();
            /* What came may have turned the release: the view is made anew. */
            if (reload(r, false, &err) < 0) {
                return room_fail(r, &err);
            }
            catch_up(r);
        }
    }
    draw(r);
    return EXIT_DONE;
}

static enum exit_code end_watch(struct room *r)
{
    struct buf b;
    buf_init(&b, OUT_MAX);
    if (r->view.mode == RELEASE_ENDED) {
        view_summary(&r->view, &b);
    } else if (is_stopped(r)) {
        halt_of_view(&r->view, &b);
    }
    if (!r->cli->json) {
        out_write(buf_str(&b));
    }
    buf_done(&b);
    if (stopped != 0) {
        return EXIT_INTERRUPTED;
    }
    struct room_end end = {.mode = r->view.mode,
                           .direction = r->view.direction,
                           .has_culprit = r->view.culprit >= 0,
                           .outcome = r->view.outcome};
    if (end.has_culprit) {
        end.kind = r->view.step[r->view.culprit].plan.key.kind;
    }
    return room_exit(&end);
}

static enum exit_code run_watch(struct cli *cli)
{
    struct room r;
    struct sigaction act = {.sa_handler = on_signal};
    enum exit_code code = room_open(&r, cli);
    if (code == EXIT_DONE) {
        (void) sigaction(SIGINT, &act, NULL);
        (void) sigaction(SIGTERM, &act, NULL);
        r.live = out_is_live() && !cli->json;
        code = follow(&r);
        code = code == EXIT_DONE ? end_watch(&r) : code;
    }
    room_close(&r);
    return code;
}

static const struct opt *const options[] = {opt_release, NULL};

static const struct example status_examples[] = {
    {"pourover status", "which version is where, the share, the newest release, what to do next"},
    {NULL, NULL},
};

const struct cmd cmd_status = {
    .name = "status",
    .summary = "show which version is where, the newest release, and what to do next",
    .option = options,
    .details = "Asks all hosts and routers, and changes nothing. It works from any machine with "
               "release.yaml that reaches the hosts: what is known of the newest release lies on "
               "them. The exit code is 3 when a host or a router could not be reached.",
    .example = status_examples,
    .run = run_status,
};

static const struct example watch_examples[] = {
    {"pourover watch", "the release as it goes, whoever runs it; until it stops, or Ctrl-C"},
    {"pourover watch --json", "an object an event"},
    {NULL, NULL},
};

const struct cmd cmd_watch = {
    .name = "watch",
    .summary = "follow a release that another process runs",
    .option = options,
    .details = "Shows what has happened and goes on with what happens, from this machine's journal "
               "and, when that is silent, from the hosts. Watching does nothing to the release. "
               "Ends when the release does, with the exit code that the one who runs it has.",
    .example = watch_examples,
    .run = run_watch,
};
