/* The runner's child and log: see runner_int.h. */
#include "drivers/runner_int.h"

#include "base/buf.h"
#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

void run_log_open(struct run_log *log, const char *path)
{
    struct stat st;
    log->path = path;
    log->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    log->bytes = log->fd >= 0 && fstat(log->fd, &st) == 0 ? (uint64_t) st.st_size : 0;
}

void run_log_close(struct run_log *log)
{
    if (log->fd >= 0) {
        (void) close(log->fd);
        log->fd = -1;
    }
}

void run_log_add(struct run_log *log, const void *data, size_t len)
{
    if (log->bytes + len > RUN_LOG_BYTES && log->bytes > 0) {
        char older[PATH_BYTES];
        run_log_close(log);
        if (path_print(older, NULL, "%s.1", log->path) == 0) {
            (void) rename(log->path, older);
        }
        run_log_open(log, log->path);
    }
    /* A full disk loses lines; a program that is held up by them would lose visitors. */
    if (log->fd >= 0 && write_all(log->fd, data, len) == 0) {
        log->bytes += len;
    }
}

void run_log_say(struct run_log *log, const char *fmt, ...)
{
    char mem[1024], text[800], when[32];
    struct buf b;
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    clock_format_utc_ms(clock_wall_ms(), when);
    buf_init_fixed(&b, mem, sizeof mem);
    buf_addf(&b, "%s pourover: %s\n", when, text);
    run_log_add(log, b.ptr, b.len);
}

/* Between fork and exec: only what may be called in a handler of signals. */
static _Noreturn void become(const struct run_child *child, pid_t runner, int gate, int fail)
{
    struct sigaction normal = {.sa_handler = SIG_DFL};
    sigset_t none;
    char byte;
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    (void) setsid();
    (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != runner || null < 0 || dup2(null, 0) < 0 || dup2(child->out, 1) < 0 ||
        dup2(child->out, 2) < 0 || read(gate, &byte, 1) != 1) {
        _exit(127); /* the runner is gone, or does not want it */
    }
    for (int signum = 1; signum < NSIG; signum++) {
        (void) sigaction(signum, &normal, NULL);
    }
    (void) sigemptyset(&none);
    (void) pthread_sigmask(SIG_SETMASK, &none, NULL);
    if (chdir(child->run->cwd) == 0) {
        union {
            const char **texts;
            char *const *argv; /* exec writes to none of them */
        } command = {.texts = child->run->command.ptr};
        (void) execve(command.argv[0], command.argv, child->env);
    }
    int errnum = errno;
    (void) !write(fail, &errnum, sizeof errnum);
    _exit(127);
}

int run_child_fork(struct run_child *child, struct err *err)
{
    int gate[2], fail[2];
    struct proc_stat stat;
    if (pipe2(gate, O_CLOEXEC) != 0) {
        return err_errno(err, errno, "no pipe to program %s", child->run->program);
    }
    if (pipe2(fail, O_CLOEXEC) != 0) {
        int errnum = errno;
        (void) close(gate[0]);
        (void) close(gate[1]);
        return err_errno(err, errnum, "no pipe from program %s", child->run->program);
    }
    pid_t runner = getpid(), pid = fork();
    if (pid == 0) {
        (void) close(gate[1]); /* else it would hold its own gate open */
        become(child, runner, gate[0], fail[1]);
    }
    int errnum = errno;
    (void) close(gate[0]);
    (void) close(fail[1]);
    child->gate = gate[1];
    child->fail = fail[0];
    child->proc = (struct proc){pid, 0};
    if (pid < 0) {
        (void) close(gate[1]);
        (void) close(fail[0]);
        return err_errno(err, errnum, "no process for program %s", child->run->program);
    }
    if (proc_stat(pid, &stat)) {
        child->proc.start = stat.start;
    }
    return 0;
}

void run_child_drop(struct run_child *child)
{
    (void) close(child->gate);
    (void) close(child->fail);
    (void) waitpid(child->proc.pid, NULL, 0);
    child->proc = (struct proc){0, 0};
}

int run_child_release(struct run_child *child, struct err *err)
{
    int errnum = 0;
    (void) !write(child->gate, "", 1);
    (void) close(child->gate);
    ssize_t n;
    while ((n = read(child->fail, &errnum, sizeof errnum)) < 0 && errno == EINTR) {
    }
    (void) close(child->fail);
    if (n != (ssize_t) sizeof errnum) {
        return 0;
    }
    return err_errno(err, errnum, "program %s: %s in folder %s cannot be begun",
                     child->run->program, child->run->command.ptr[0], child->run->cwd);
}

static bool end_own(pid_t pid, const struct proc_stat *stat, void *ctx)
{
    const pid_t *self = ctx;
    if (stat->parent == *self) {
        (void) kill(pid, SIGKILL); /* not waited for yet, so that the pid is still its own */
    }
    return true;
}

bool run_child_end_all(pid_t session, uint64_t within_ms)
{
    uint64_t until = clock_mono_ms() + within_ms;
    pid_t self = getpid();
    /* What a dead one leaves behind becomes our child (PR_SET_CHILD_SUBREAPER), so that after some
     * turns there is none: waitpid says so. */
    if (session > 1) {
        (void) kill(-session, SIGKILL);
    }
    for (;;) {
        pid_t pid = waitpid(-1, NULL, WNOHANG);
        if (pid < 0 && errno == ECHILD) {
            return true;
        }
        if (pid > 0) {
            continue;
        }
        if (clock_mono_ms() > until) {
            return false;
        }
        proc_each(end_own, &self);
        (void) poll(NULL, 0, 2);
    }
}
