/*
 * The runner of one program.
 *
 *     begun --gate--> up --dies--> waits --backoff--> up
 *                     up --dies too often--> loops (the runner ends)
 *                     up --TERM--> stopping --dies or grace is over--> stopped (the runner ends)
 *                     waits --TERM--> stopped
 *     a one-off: up --dies--> ended (the runner ends)
 *
 * What holds:
 * - The child goes on to its program only after state.json (and for a one-off its result) names
 *   it: what runs is always known to the next one who looks.
 * - The runner lets go of its lock only by ending, and then nothing of the program runs: it is the
 *   reaper of all that the program begins, and ends them all.  The child dies with the runner.
 * - A program that dies within the watch time counts as one death more; one that was up longer
 *   begins to count anew, so that a service which falls once a month is always begun again.
 */
#include "drivers/runner.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "drivers/runner_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BACKOFF_MS     100u /* doubled with each death */
#define BACKOFF_MAX_MS 5000u
#define THEN_AFTER_MS  1000u /* between the two signals: the first one has to be seen before */
#define END_ALL_MS     30000u
#define TIMED_OUT      124
#define NEVER          UINT64_MAX
#define ENV_MAX        (1u << 20)

struct runner {
    const char *folder;
    struct arena arena;
    struct run run;
    struct buf secrets;
    VEC(char *) env;
    struct run_state state;
    struct run_result result;
    struct run_log log;
    int signals, out[2];
    bool child_died, timed_out;
    int status; /* of waitpid, of the child that died */
    uint64_t then_at, kill_at, again_at, timeout_at;
};

static void set_status(struct runner *r, enum run_status status)
{
    struct err err = {0};
    r->state.status = status;
    r->state.since_ms = clock_wall_ms();
    if (run_state_write(r->folder, &r->state, &err) < 0) {
        run_log_say(&r->log, "%s", err.msg);
    }
}

/* "exit code 1", "signal 9 (Killed)". */
static void say_status(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status)) {
        const char *name = sigdescr_np(WTERMSIG(status));
        buf_print(out, size, "signal %d (%s)", WTERMSIG(status), name != NULL ? name : "?");
    } else {
        buf_print(out, size, "exit code %d", WEXITSTATUS(status));
    }
}

static int begin_child(struct runner *r, bool first, struct err *err)
{
    struct run_child child = {.run = &r->run, .env = r->env.ptr, .out = r->out[1]};
    int rc = run_child_fork(&child, err);
    if (rc < 0) {
        return rc;
    }
    r->state.child = child.proc;
    r->state.status = RUN_UP;
    r->state.since_ms = clock_wall_ms();
    r->state.up_ms = run_clock_ms();
    rc = run_state_write(r->folder, &r->state, err);
    if (rc == 0 && r->run.once) {
        r->result.begun = true;
        r->result.begun_ms = clock_wall_ms();
        memcpy(r->result.boot, r->state.boot, sizeof r->result.boot);
        rc = run_result_write(r->run.result, &r->result, err);
    }
    if (rc < 0 && first) {
        run_child_drop(&child);
        r->state.child = (struct proc){0, 0};
        return rc;
    }
    /* A service on a full disk is worth more than its notes: its child dies with us anyway. */
    rc = run_child_release(&child, err);
    if (rc < 0) {
        (void) run_child_end_all(child.proc.pid, END_ALL_MS);
        r->state.child = (struct proc){0, 0};
    }
    return rc;
}

static void begin_stop(struct runner *r)
{
    if (r->state.status == RUN_STOPPING) {
        return;
    }
    set_status(r, RUN_STOPPING);
    r->again_at = NEVER;
    r->kill_at = clock_mono_ms() + r->run.grace_ms;
    r->then_at = r->run.then_signal > 0 ? clock_mono_ms() + THEN_AFTER_MS : NEVER;
    if (r->state.child.pid > 0) {
        (void) kill(r->state.child.pid, r->run.stop_signal > 0 ? r->run.stop_signal : SIGTERM);
    }
}

static void on_signals(struct runner *r)
{
    struct signalfd_siginfo info;
    while (read(r->signals, &info, sizeof info) == (ssize_t) sizeof info) {
        if (info.ssi_signo == SIGTERM && r->state.status != RUN_STOPPING) {
            run_log_say(&r->log, "told to stop %s", r->run.program);
            begin_stop(r);
        }
    }
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
        if (pid == r->state.child.pid) {
            r->child_died = true;
            r->status = status;
        }
    }
}

static void copy_output(struct runner *r)
{
    char chunk[16384];
    ssize_t n;
    /* Bounded, so that a program that writes without end cannot keep us from its signals. */
    for (int i = 0; i < 16 && (n = read(r->out[0], chunk, sizeof chunk)) > 0; i++) {
        run_log_add(&r->log, chunk, (size_t) n);
    }
}

static int end_of_once(struct runner *r)
{
    struct err err = {0};
    r->result.ended = true;
    r->result.ended_ms = clock_wall_ms();
    if (r->timed_out) {
        r->result.code = TIMED_OUT;
        buf_print(r->result.how, sizeof r->result.how, "ended after %llu ms, its timeout",
                  (unsigned long long) r->run.timeout_ms);
    } else {
        r->result.code = WIFEXITED(r->status) ? WEXITSTATUS(r->status) : 128 + WTERMSIG(r->status);
        memcpy(r->result.how, r->state.died, sizeof r->result.how);
    }
    if (run_result_write(r->run.result, &r->result, &err) < 0) {
        run_log_say(&r->log, "%s", err.msg);
        return 1;
    }
    set_status(r, RUN_ENDED);
    return 0;
}

/* The child is dead: what now.  Returns whether the runner goes on. */
static bool after_death(struct runner *r)
{
    r->child_died = false;
    say_status(r->status, r->state.died, sizeof r->state.died);
    run_log_say(&r->log, "%s ended: %s", r->run.program, r->state.died);
    if (!run_child_end_all(r->state.child.pid, END_ALL_MS)) {
        run_log_say(&r->log, "processes of %s cannot be ended", r->run.program);
    }
    copy_output(r);
    r->state.child = (struct proc){0, 0};
    if (r->run.once) {
        (void) end_of_once(r);
        return false;
    }
    if (r->state.status == RUN_STOPPING) {
        set_status(r, RUN_STOPPED);
        return false;
    }
    bool was_up = run_clock_ms() - r->state.up_ms >= r->run.watch_ms;
    r->state.deaths = was_up ? 1 : r->state.deaths + 1;
    /* What was up for the watch time may be begun again once, whatever the maximum is. */
    if (!was_up && r->state.deaths > r->run.restarts_max) {
        set_status(r, RUN_LOOPS);
        return false;
    }
    unsigned shift = r->state.deaths < 7 ? r->state.deaths - 1 : 6;
    uint64_t backoff = (uint64_t) BACKOFF_MS << shift;
    r->again_at = clock_mono_ms() + (backoff < BACKOFF_MAX_MS ? backoff : BACKOFF_MAX_MS);
    set_status(r, RUN_WAITS);
    return true;
}

static void on_time(struct runner *r)
{
    uint64_t now = clock_mono_ms();
    if (now >= r->timeout_at) {
        run_log_say(&r->log, "%s took too long", r->run.program);
        r->timeout_at = NEVER;
        r->timed_out = true;
        begin_stop(r);
    }
    if (now >= r->then_at) {
        r->then_at = NEVER;
        (void) kill(r->state.child.pid, r->run.then_signal);
    }
    if (now >= r->kill_at) {
        r->kill_at = now + 1000;
        run_log_say(&r->log, "%s did not end within its grace and is killed", r->run.program);
        (void) kill(r->state.child.pid, SIGKILL);
    }
    if (now >= r->again_at) {
        struct err err = {0};
        r->again_at = NEVER;
        r->state.restarts++;
        run_log_say(&r->log, "%s is begun again", r->run.program);
        if (begin_child(r, false, &err) < 0) {
            run_log_say(&r->log, "%s", err.msg);
            r->state.up_ms = run_clock_ms();
            r->status = 127 << 8;
            r->child_died = true;
        }
    }
}

static int time_left(const struct runner *r)
{
    const uint64_t times[] = {r->then_at, r->kill_at, r->again_at, r->timeout_at};
    uint64_t first = NEVER, now = clock_mono_ms();
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
        first = times[i] < first ? times[i] : first;
    }
    if (first == NEVER) {
        return -1;
    }
    return first <= now ? 0 : first - now > 60000 ? 60000 : (int) (first - now);
}

static void loop(struct runner *r)
{
    for (;;) {
        struct pollfd fds[2] = {{r->signals, POLLIN, 0}, {r->out[0], POLLIN, 0}};
        int left = r->child_died ? 0 : time_left(r);
        (void) poll(fds, 2, left);
        copy_output(r);
        on_signals(r);
        if (r->child_died && !after_death(r)) {
            return;
        }
        if (r->state.status == RUN_STOPPING && r->state.child.pid == 0) {
            set_status(r, RUN_STOPPED); /* told between two lives */
            return;
        }
        on_time(r);
    }
}

/* Environment: what run.json says and the secrets, which stand nowhere else. */
static int read_env(struct runner *r, struct err *err)
{
    char path[PATH_BYTES];
    int rc = path_print(path, err, "%s/env", r->folder);
    buf_init(&r->secrets, ENV_MAX);
    rc = rc < 0 ? rc : file_get(path, &r->secrets, err);
    if (rc < 0 && rc != ERR_NOT_FOUND) {
        return rc;
    }
    for (size_t i = 0; i < r->run.env.len; i++) {
        char *line = mem_strdup(r->run.env.ptr[i]);
        vec_push(&r->env, line);
    }
    struct str rest = buf_str(&r->secrets), entry;
    while (rest.len > 0 && str_cut(&rest, '\0', &entry)) {
        char *line = mem_strdup_str(entry);
        vec_push(&r->env, line);
    }
    char *mark = mem_strdup(r->run.mark);
    vec_push(&r->env, mark);
    vec_push(&r->env, NULL);
    return 0;
}

static int prepare(struct runner *r, struct err *err)
{
    struct sigaction normal = {.sa_handler = SIG_DFL};
    sigset_t set;
    struct proc_stat self;
    char host[PATH_BYTES];
    (void) prctl(PR_SET_CHILD_SUBREAPER, 1);
    (void) sigfillset(&set);
    (void) sigdelset(&set, SIGSEGV);
    (void) sigdelset(&set, SIGBUS);
    (void) sigdelset(&set, SIGABRT);
    (void) pthread_sigmask(SIG_SETMASK, &set, NULL);
    /* What was ignored by whoever began us would never come. */
    for (int signum = 1; signum < NSIG; signum++) {
        struct sigaction now;
        if (sigaction(signum, NULL, &now) == 0 && now.sa_handler == SIG_IGN) {
            (void) sigaction(signum, &normal, NULL);
        }
    }
    r->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (r->signals < 0 || pipe2(r->out, O_CLOEXEC) != 0 ||
        fcntl(r->out[0], F_SETFL, O_NONBLOCK) != 0) {
        return err_errno(err, errno, "no signals or pipe for a runner");
    }
    arena_init(&r->arena, 4u * RUN_TEXT_MAX);
    int rc = run_read(r->folder, &r->arena, &r->run, err);
    /* FOLDER of FOLDER/slot-a/PROGRAM */
    rc = rc < 0 ? rc : path_print(host, err, "%s/../..", r->folder);
    rc = rc < 0 ? rc : proc_boot_id(host, r->state.boot, err);
    rc = rc < 0 ? rc : read_env(r, err);
    if (rc < 0) {
        return rc;
    }
    if (!proc_stat(getpid(), &self)) {
        return err_set(err, ERR_IO, "/proc has nothing about pid %d", (int) getpid());
    }
    r->state.runner = (struct proc){getpid(), self.start};
    run_log_open(&r->log, r->run.log);
    return 0;
}

static int begin(struct runner *r, struct err *err)
{
    int rc = prepare(r, err);
    if (rc < 0) {
        return rc;
    }
    run_log_say(&r->log, "%s of %s%s%s is begun for %s", r->run.program, r->run.version,
                r->run.variant != NULL && r->run.variant[0] != '\0' ? " " : "",
                r->run.variant != NULL ? r->run.variant : "",
                r->run.release != NULL ? r->run.release : "nobody");
    r->then_at = r->kill_at = r->again_at = r->timeout_at = NEVER;
    rc = begin_child(r, true, err);
    if (rc < 0) {
        run_log_say(&r->log, "%s", err->msg);
        memcpy(r->state.died, "cannot be begun", sizeof "cannot be begun");
        if (r->run.once && r->result.begun) { /* it is known how it ended: it never ran */
            r->status = 127 << 8;
            (void) end_of_once(r);
        } else {
            set_status(r, RUN_LOOPS);
        }
        return rc;
    }
    if (r->run.once && r->run.timeout_ms > 0) {
        r->timeout_at = clock_mono_ms() + r->run.timeout_ms;
    }
    return 0;
}

static void done(struct runner *r)
{
    for (size_t i = 0; i < r->env.len; i++) {
        mem_free(r->env.ptr[i]);
    }
    vec_done(&r->env);
    buf_done(&r->secrets);
    arena_done(&r->arena);
    run_log_close(&r->log);
}

int driver_runner(int argc, char **argv)
{
    static const char usage[] = "pourover: this is how pourover begins programs at a host; it is "
                                "not a command\n";
    struct runner r = {.folder = argv[2], .log = {NULL, -1, 0}};
    struct err err = {0};
    if (argc != 3 || fcntl(RUNNER_LOCK_FD, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(RUNNER_SAY_FD, F_SETFD, FD_CLOEXEC) != 0) {
        (void) write_all(STDERR_FILENO, usage, sizeof usage - 1);
        return 2;
    }
    (void) prctl(PR_SET_NAME, "pourover-runner");
    (void) !chdir("/");
    (void) umask(022); /* not that of whoever began it */
    int rc = begin(&r, &err);
    const char *said = rc < 0 ? err.msg : "ok";
    (void) write_all(RUNNER_SAY_FD, said, strlen(said));
    (void) close(RUNNER_SAY_FD);
    if (rc == 0) {
        loop(&r);
    }
    done(&r);
    return rc < 0 ? 1 : 0;
}
