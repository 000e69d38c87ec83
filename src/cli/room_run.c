/*
 * A release that runs here: what the controller tells is shown, signals ask to pause.
 *
 * The controller calls room_tell in the thread that runs it.  On a terminal a second thread draws
 * the block anew each second, for the times in it, and asks after Ctrl-C; both hold the mutex while
 * they touch the view or the terminal.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "cli/halt.h"
#include "cli/out.h"
#include "cli/room_int.h"
#include "cli/routers.h"
#include "cli/view_fill.h"
#include "release/needs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define TICK_MS    250
#define REPORT_MAX ((size_t) 64 * 1024 * 1024)

/* Of the one release that a process runs. */
static struct {
    atomic_int signals;
    atomic_bool *pause; /* set by the first signal; NULL: the terminal is asked first */
    volatile sig_atomic_t asks;
} got;

/* A second signal ends at once: the hosts know how far it came, `resume` goes on. */
static void on_signal(int number)
{
    (void) number;
    if (atomic_fetch_add(&got.signals, 1) > 0) {
        static const char said[] =
            "\npourover: ended; hosts and journal know how far it came: pourover resume\n";
        ssize_t n = write(STDERR_FILENO, said, sizeof said - 1);
        (void) n;
        _exit(EXIT_INTERRUPTED);
    }
    if (got.pause != NULL) {
        *got.pause = true;
    } else {
        got.asks = 1;
    }
}

static void catch_signals(struct room *r)
{
    struct sigaction act = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    bool asks = r->live && isatty(STDIN_FILENO) == 1;
    got.pause = asks ? NULL : &r->interrupted;
    (void) sigaction(SIGINT, &act, NULL);
    (void) sigaction(SIGTERM, &act, NULL);
    (void) sigaction(SIGHUP, &act, NULL);
    if (!asks && got.signals > 0) {
        r->interrupted = true; /* between two services of a run */
    }
}

static size_t terminal_rows(void)
{
    struct winsize size = {0};
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

static void draw(struct room *r)
{
    struct buf b;
    buf_init(&b, OUT_MAX);
    r->view.now_ms = clock_wall_ms();
    view_block(&r->view, terminal_rows() - 2, &b);
    if (r->interrupted) {
        buf_add_cstr(&b, "pausing when the hosts on their way are through; Ctrl-C ends at once\n");
    } else if (got.asks != 0) {
        buf_add_cstr(&b, "pause cleanly? y: when the hosts on their way are through; Ctrl-C again: "
                         "end at once; n: go on\n");
    }
    out_redraw(buf_str(&b));
    buf_done(&b);
}

/* The answer to "pause cleanly?", when there is one. */
static void hear(struct room *r)
{
    char line[64];
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&in, 1, 0) <= 0 || (in.revents & POLLIN) == 0) {
        return;
    }
    ssize_t n = read(STDIN_FILENO, line, sizeof line);
    got.asks = 0;
    if (n > 0 && (line[0] == 'y' || line[0] == 'Y')) {
        r->interrupted = true;
    } else {
        got.signals = 0;
    }
}

static void *tick(void *arg)
{
    struct room *r = arg;
    const struct timespec pause = {0, (long) TICK_MS * 1000000};
    for (unsigned n = 0; r->running; n++) {
        (void) nanosleep(&pause, NULL);
        (void) pthread_mutex_lock(&r->mutex);
        if (got.asks != 0) {
            hear(r);
        }
        if (r->running && (n % 4 == 0 || got.asks != 0)) {
            draw(r);
        }
        (void) pthread_mutex_unlock(&r->mutex);
    }
    return NULL;
}

static void print_event(struct room *r, const struct controller_event *e)
{
    struct buf b;
    bool failed = e->kind == CONTROLLER_STEP && e->status == STEP_BROKEN;
    bool again = e->kind == CONTROLLER_MODE && strcmp(r->shown, e->state) == 0;
    if ((r->cli->quiet && !failed) || (again && !r->cli->json)) {
        return;
    }
    if (e->kind == CONTROLLER_MODE) {
        buf_print(r->shown, sizeof r->shown, "%s", e->state);
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

void room_tell(const struct controller_event *event, void *ctx)
{
    struct room *r = ctx;
    if (!r->running) {
        return;
    }
    (void) pthread_mutex_lock(&r->mutex);
    /* The way back has steps of its own: they are known when it begins. */
    if (release_direction(controller_release(r->controller)) != r->view.direction ||
        (event->step != NULL && view_find(&r->view, &event->step->key) == NULL)) {
        char reason[sizeof r->view.reason];
        memcpy(reason, r->view.reason, sizeof reason);
        view_fill(&r->view, r->controller, &r->config);
        memcpy(r->view.reason, reason, sizeof reason);
    }
    event_apply(&r->view, event);
    r->view.mode = release_mode(controller_release(r->controller));
    if (r->live) {
        draw(r);
    } else {
        print_event(r, event);
    }
    (void) pthread_mutex_unlock(&r->mutex);
}

/* The end */

enum exit_code room_report(struct room *const *room, size_t n, enum exit_code code)
{
    struct err err = {0};
    _cleanup_(buf_done) struct buf b = {0};
    const char *path = room[0]->cli->test.junit;
    if (path == NULL) {
        return code;
    }
    buf_init(&b, REPORT_MAX);
    if (n == 1) {
        view_junit(&room[0]->view, &b);
    } else {
        const struct view *view[NEEDS_MAX];
        for (size_t i = 0; i < n; i++) {
            view[i] = &room[i]->view;
        }
        view_junit_all(view, n, &b);
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    size_t done = 0;
    while (fd >= 0 && done < b.len) {
        ssize_t got_rid = write(fd, b.ptr + done, b.len - done);
        if (got_rid < 0 && errno != EINTR) {
            break;
        }
        done += got_rid > 0 ? (size_t) got_rid : 0;
    }
    if (fd < 0 || done < b.len || close(fd) != 0) {
        (void) err_errno(&err, errno, "--junit %s", path);
        out_complain("%s", err.msg);
        return code == EXIT_DONE ? EXIT_FAILED : code;
    }
    return code;
}

/* Of several services there is one report, when all of them are over. */
static enum exit_code write_report(struct room *r, enum exit_code code)
{
    return r->of_several ? code : room_report(&r, 1, code);
}

static void add_end(const struct room *r, struct buf *b)
{
    if (r->view.mode == RELEASE_ENDED) {
        view_summary(&r->view, b);
    } else {
        halt_of_view(&r->view, b);
    }
}

static void print_end(const struct room *r, enum exit_code code)
{
    _cleanup_(buf_done) struct buf text, b;
    buf_init(&text, OUT_MAX);
    buf_init(&b, OUT_MAX);
    add_end(r, &text);
    if (r->cli->json) {
        struct json_writer w;
        json_writer_init(&w, &b);
        json_obj_begin(&w);
        json_kv_cstr(&w, "event", "end");
        json_kv_u64(&w, "at_ms", clock_wall_ms());
        json_kv_cstr(&w, "service", r->view.service);
        json_kv_u64(&w, "release", r->view.number);
        json_kv_cstr(&w, "state", r->view.state);
        json_kv_u64(&w, "exit", code);
        json_kv_str(&w, "text", buf_str(&text));
        json_obj_end(&w);
        buf_add_char(&b, '\n');
        out_write(buf_str(&b));
    } else if (code != EXIT_DONE || !r->cli->quiet) {
        out_write(buf_str(&text));
    }
}

static struct room_end end_of(const struct room *r, bool asked_back)
{
    const struct view *v = &r->view;
    struct room_end end = {
        .mode = v->mode,
        .direction = v->direction,
        .has_culprit = v->culprit >= 0,
        .outcome = v->outcome,
        .asked_back = asked_back,
        .interrupted = r->interrupted,
    };
    if (end.has_culprit) {
        end.kind = v->step[v->culprit].plan.key.kind;
    }
    return end;
}

/* What the journal does not say: when steps began, and why the state is what it is. */
static void look_back(struct room *r)
{
    char reason[sizeof r->view.reason];
    uint64_t seq = 0, end_ms = clock_wall_ms();
    memcpy(reason, r->view.reason, sizeof reason);
    room_view(r, true);
    (void) room_read_lines(r, &seq, NULL);
    if (reason[0] != '\0') {
        memcpy(r->view.reason, reason, sizeof reason);
    }
    r->view.now_ms = end_ms;
    view_places(&r->view);
}

/* It could not go on, and no step is to blame: a journal that cannot be written, for one. */
static enum exit_code broke_off(const struct room *r, const struct err *err)
{
    enum exit_code code = room_fail(r, err);
    enum release_mode mode = release_mode(controller_release(r->controller));
    bool stands = err->code != ERR_CONFLICT && err->code != ERR_DENIED && mode != RELEASE_ENDED;
    if (stands && !r->cli->json) {
        out_complain("the release stands still where it was, and the hosts know how far it came: "
                     "`pourover status%s` shows it. When what is named above is mended, `pourover "
                     "resume%s` goes on and `pourover rollback%s` goes back; at once by another "
                     "machine that reaches the hosts, or here with another journal "
                     "(POUROVER_JOURNAL=FILE)",
                     r->view.options, r->view.options, r->view.options);
    }
    return code;
}

enum exit_code room_run(struct room *r, const struct release_event *command)
{
    struct err err = {0};
    pthread_t ticker = 0;
    room_view(r, false);
    bool asked_back =
        r->view.direction == RELEASE_BACK || (command != NULL && command->kind == EVENT_ROLLBACK);
    r->live = out_is_live() && !r->cli->json && !r->cli->quiet;
    r->running = true;
    catch_signals(r);
    bool ticks = r->live && pthread_create(&ticker, NULL, tick, r) == 0;
    int rc = controller_run(r->controller, command, &err);
    r->running = false;
    if (ticks) {
        (void) pthread_join(ticker, NULL);
    }
    got.asks = 0;
    if (rc < 0 && rc != ERR_UNREACHABLE) {
        return write_report(r, broke_off(r, &err));
    }
    if (r->live) {
        draw(r);
        out_settle();
    }
    look_back(r);
    struct room_end end = end_of(r, asked_back);
    enum exit_code code = rc == ERR_UNREACHABLE ? EXIT_UNREACHABLE : room_exit(&end);
    print_end(r, code);
    return write_report(r, code);
}

bool room_ask(const struct room *r, const char *question)
{
    char line[16];
    if (r->cli->yes || r->cli->json || !out_is_live() || isatty(STDIN_FILENO) != 1) {
        return true;
    }
    out_printf("%s [y/N] ", question);
    ssize_t n = read(STDIN_FILENO, line, sizeof line);
    return n > 0 && (line[0] == 'y' || line[0] == 'Y');
}
