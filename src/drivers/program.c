/* A program's folder as the driver sees it: see program_int.h. */
#include "drivers/program_int.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "drivers/runner.h"
#include "drivers/runner_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BEGUN_WITHIN_MS 30000u
#define SWEEP_MS        5000u
#define RUN_ARENA       (4u * RUN_TEXT_MAX)

int program_see(const char *host, const char *folder, struct arena *arena, struct program *ret,
                struct err *err)
{
    const char *slash = strrchr(folder, '/');
    char boot[64];
    *ret = (struct program){
        .folder = arena_strdup(arena, str_of(folder)),
        .name = arena_strdup(arena, str_of(slash != NULL ? slash + 1 : folder)),
    };
    if (ret->folder == NULL || ret->name == NULL) {
        return err_set(err, ERR_FULL, "too many programs at %s", host);
    }
    ret->held = run_is_locked(folder);
    int rc = run_read(folder, arena, &ret->run, err);
    ret->known = rc == 0;
    if (!ret->known) { /* a runner that lives has to be stopped all the same */
        ret->run = (struct run){.program = ret->name,
                                .version = "",
                                .variant = "",
                                .release = "",
                                .role = RUN_APP,
                                .cwd = "",
                                .log = "",
                                .mark = RUN_MARK,
                                .hash = ""};
    }
    if (rc < 0 && rc != ERR_NOT_FOUND && rc != ERR_INVALID) {
        return rc;
    }
    rc = run_state_read(folder, &ret->state, err);
    if (rc == ERR_INVALID) { /* cut by a loss of power: after that nothing of it runs */
        ret->state = (struct run_state){0};
        rc = 0;
    }
    rc = rc < 0 ? rc : proc_boot_id(host, boot, err);
    if (rc < 0) {
        return rc;
    }
    ret->same_boot = strcmp(boot, ret->state.boot) == 0;
    ret->up = ret->held && ret->state.status == RUN_UP && proc_lives(ret->state.child);
    return 0;
}

struct sweep {
    const char *host;
    const char *mark;
    struct proc child; /* pid 0: not of this life of the machine */
    size_t found;
};

static bool sweep_one(pid_t pid, const struct proc_stat *stat, void *ctx)
{
    struct sweep *sweep = ctx;
    /* The number of a session is not used again while the session has a process; a leader that
     * lives and is another one shows that it was.  Programs may have written over their
     * environment, hence the folder as a second sign. */
    bool ours = proc_has_env(pid, sweep->mark);
    if (!ours && sweep->child.pid > 1 && stat->session == sweep->child.pid) {
        struct proc_stat leader;
        bool reused = proc_stat(sweep->child.pid, &leader) && leader.start != sweep->child.start;
        ours = !reused && proc_works_in(pid, sweep->host);
    }
    if (ours && stat->state != 'Z') {
        sweep->found++;
        (void) proc_signal((struct proc){pid, stat->start}, SIGKILL);
    }
    return true;
}

/* Ends what a runner that was killed has left behind.  The lock of the folder is held. */
static int sweep(const char *host, const struct program *program, struct err *err)
{
    if (!program->known || program->state.child.pid == 0) {
        return 0; /* a runner that ended by itself leaves nothing */
    }
    uint64_t until = clock_mono_ms() + SWEEP_MS;
    struct sweep sweep = {.host = host, .mark = program->run.mark};
    if (program->same_boot) {
        sweep.child = program->state.child;
    }
    do {
        sweep.found = 0;
        proc_each(sweep_one, &sweep);
        if (sweep.found > 0) {
            (void) poll(NULL, 0, 5);
        }
    } while (sweep.found > 0 && clock_mono_ms() < until);
    if (sweep.found > 0) {
        return err_set(err, ERR_IO,
                       "%zu processes that program %s left behind do not end, though killed",
                       sweep.found, program->name);
    }
    struct run_state state = program->state;
    state.status = RUN_STOPPED;
    state.child = (struct proc){0, 0};
    buf_print(state.died, sizeof state.died, "%s",
              program->same_boot ? "its runner was killed" : "the machine was started again");
    return run_state_write(program->folder, &state, err);
}

/* The runner's first moments, in a process of its own: only what a handler of signals may call. */
static _Noreturn void become_runner(int lock, int say, const char *folder)
{
    static char name[] = "pourover", word[] = DRIVER_RUNNER_WORD;
    static char *const env[] = {NULL};
    union {
        const char *text;
        char *arg; /* exec writes to none of them */
    } where = {.text = folder};
    char *const argv[] = {name, word, where.arg, NULL};
    (void) setsid();
    pid_t pid = _Fork(); /* fork is for one who has no other threads */
    if (pid != 0) {
        _exit(pid < 0 ? 1 : 0); /* the runner is nobody's child and leads no session */
    }
    int null = open("/dev/null", O_RDWR);
    if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
        dup2(lock, RUNNER_LOCK_FD) < 0 || dup2(say, RUNNER_SAY_FD) < 0) {
        _exit(1);
    }
    (void) close_range(RUNNER_FIRST_FD, ~0U, 0);
    (void) execve("/proc/self/exe", argv, env);
    _exit(1);
}

static int hear(int fd, const char *folder, struct err *err)
{
    char text[512];
    size_t len = 0;
    uint64_t until = clock_mono_ms() + BEGUN_WITHIN_MS;
    for (;;) {
        struct pollfd pfd = {fd, POLLIN, 0};
        uint64_t now = clock_mono_ms();
        if (now >= until) {
            return err_set(err, ERR_TIMEOUT, "the runner of %s did not answer within %u s", folder,
                           BEGUN_WITHIN_MS / 1000);
        }
        (void) poll(&pfd, 1, (int) (until - now));
        ssize_t n = pfd.revents == 0 ? -1 : read(fd, text + len, sizeof text - 1 - len);
        if (n == 0 || len + 1 == sizeof text) {
            break;
        }
        len += n > 0 ? (size_t) n : 0;
    }
    text[len] = '\0';
    if (strcmp(text, "ok") == 0) {
        return 0;
    }
    return err_set(err, ERR_IO, "%s", len > 0 ? text : "a runner ended before its program began");
}

/* The lock goes to the runner and is held by it alone afterwards. */
static int spawn(const char *folder, int take_lock, struct err *err)
{
    int say[2];
    if (pipe2(say, O_CLOEXEC) != 0) {
        int errnum = errno;
        (void) close(take_lock);
        return err_errno(err, errnum, "no pipe to a runner");
    }
    /* Out of the way of the numbers that they get in the runner. */
    int lock = fcntl(take_lock, F_DUPFD_CLOEXEC, 16), end = fcntl(say[1], F_DUPFD_CLOEXEC, 16);
    pid_t pid = lock < 0 || end < 0 ? -1 : fork();
    if (pid == 0) {
        become_runner(lock, end, folder);
    }
    int errnum = errno;
    const int given[] = {take_lock, say[1], lock, end};
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++) {
        if (given[i] >= 0) {
            (void) close(given[i]);
        }
    }
    int rc = pid < 0 ? err_errno(err, errnum, "no process for a runner") : 0;
    while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    rc = rc < 0 ? rc : hear(say[0], folder, err);
    (void) close(say[0]);
    return rc;
}

/* Lock taken, leftovers ended, the old state gone. */
static int make_ready(const char *host, const char *folder, int *ret_lock, struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    struct program before;
    char state[PATH_BYTES];
    arena_init(&arena, RUN_ARENA);
    int lock = -1, rc = run_lock(folder, &lock, err);
    if (rc < 0) {
        return rc;
    }
    rc = program_see(host, folder, &arena, &before, err);
    rc = rc < 0 ? rc : sweep(host, &before, err);
    rc = rc < 0 ? rc : path_print(state, err, "%s/state.json", folder);
    rc = rc < 0 ? rc : file_remove(state, err);
    if (rc < 0) {
        (void) close(lock);
        return rc;
    }
    *ret_lock = lock;
    return 0;
}

int program_begin(const char *host, const char *folder, const struct run *run, struct str secrets,
                  struct err *err)
{
    char env[PATH_BYTES];
    int lock = -1, rc = folder_make(folder, true, err);
    rc = rc < 0 ? rc : make_ready(host, folder, &lock, err);
    if (rc < 0) {
        return rc;
    }
    /* run.json first: whoever stops what it names removes the secrets, too. */
    rc = run_write(folder, run, err);
    rc = rc < 0 ? rc : path_print(env, err, "%s/env", folder);
    rc = rc < 0 ? rc : file_put(env, secrets, 0600, false, err);
    if (rc < 0) {
        (void) close(lock);
        return rc;
    }
    return spawn(folder, lock, err);
}

int program_begin_again(const char *host, const char *folder, struct err *err)
{
    int lock = -1, rc = make_ready(host, folder, &lock, err);
    return rc < 0 ? rc : spawn(folder, lock, err);
}

/* Secrets stay on the disk only while something uses them (cron: may be begun again). */
static int forget_secrets(const struct program *program, struct err *err)
{
    char env[PATH_BYTES];
    if (program->known && program->run.role == RUN_CRON) {
        return 0;
    }
    int rc = path_print(env, err, "%s/env", program->folder);
    return rc < 0 ? rc : file_remove(env, err);
}

int program_tell_stop(const char *host, const struct program *program, struct err *err)
{
    if (program->held) {
        /* Not there yet when its runner begins in this moment: the caller comes again. */
        (void) proc_signal(program->state.runner, SIGTERM);
        return 0;
    }
    int lock = -1, rc = run_lock(program->folder, &lock, err);
    if (rc < 0) {
        return rc == ERR_CONFLICT ? 0 : rc;
    }
    rc = sweep(host, program, err);
    rc = rc < 0 ? rc : forget_secrets(program, err);
    (void) close(lock);
    return rc;
}

int program_kill(const char *host, const struct program *program, struct err *err)
{
    uint64_t until = clock_mono_ms() + SWEEP_MS;
    if (program->held) {
        (void) proc_signal(program->state.runner, SIGKILL);
    }
    while (run_is_locked(program->folder) && clock_mono_ms() < until) {
        (void) poll(NULL, 0, 5);
    }
    int lock = -1, rc = run_lock(program->folder, &lock, err);
    if (rc < 0) {
        return rc;
    }
    rc = sweep(host, program, err);
    (void) close(lock);
    return rc;
}
