/* Operations at a host and of the service that are no router's and no test. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "controller/controller_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SOAK_LOOK_MS 200
#define HOOK_BYTES   12288
#define HOOK_READS   32 /* more than a pipe holds */

static struct driver_place place_of(struct task *t)
{
    struct driver_place place =
        controller_place_of(t->c, t->op.host, t->op.slot, t->op.version, t, &t->told);
    place.variant = controller_variant(t->c, t->op.host, t->op.version, t->op.track);
    return place;
}

/* A driver says conflict for one thing only: the lease is another's. */
static enum release_outcome by_driver(struct task *t, int rc, const struct err *err)
{
    if (rc == ERR_CONFLICT) {
        t->c->fenced = true;
        task_tell(t, "%s", err->msg);
        return RELEASE_FENCED;
    }
    return rc < 0 ? task_fail(t, err) : RELEASE_OK;
}

static const char *dead_text(const struct driver_copy *copy)
{
    return copy->dead[0] != '\0' ? copy->dead : "it does not run";
}

/* For the whole time the same copy runs, is not restarted, and the routers see it pass. */
static enum release_outcome soak(struct task *t)
{
    const uint64_t until_ms = clock_mono_ms() + t->op.wait_ms;
    struct driver_place place = place_of(t);
    struct driver_seen first = {0};
    char address[256], state[64];
    struct err err = {0};
    if (controller_address(t->c, t->op.host, t->op.slot, address, &err) < 0) {
        return task_fail(t, &err);
    }
    for (bool begun = false;; begun = true) {
        struct driver_seen seen;
        enum release_track track;
        bool serves;
        int rc = t->c->driver->observe(&place, &seen, &err);
        if (rc < 0) {
            return by_driver(t, rc, &err);
        }
        const struct driver_copy *copy = &seen.copy[t->op.slot];
        first = begun ? first : seen;
        if (!copy->runs || copy->restarts > first.copy[t->op.slot].restarts ||
            copy->instance != first.copy[t->op.slot].instance) {
            task_tell(t, "after it had joined: %s",
                      copy->runs ? "it was restarted" : dead_text(copy));
            return RELEASE_EXCEEDED;
        }
        rc = controller_peer(t->c, address, &t->cancelled, t->deadline_ms, &serves, &track, state,
                             &err);
        if (rc == 0 && !serves) {
            task_tell(t, "after it had joined: the routers see it %s", state);
            return RELEASE_EXCEEDED;
        }
        if (rc < 0) {
            return task_fail(t, &err);
        }
        uint64_t now_ms = clock_mono_ms();
        if (now_ms >= until_ms) {
            return RELEASE_OK;
        }
        uint64_t left_ms = until_ms - now_ms;
        if (!task_sleep(t, left_ms < SOAK_LOOK_MS ? left_ms : SOAK_LOOK_MS)) {
            return t->cancelled ? RELEASE_CANCELLED : RELEASE_LATE;
        }
    }
}

static enum release_outcome observe(struct task *t)
{
    struct driver_place place = place_of(t);
    struct driver_seen seen;
    struct err err = {0};
    int rc = t->c->driver->observe(&place, &seen, &err);
    t->instance = rc < 0 ? 0 : seen.copy[t->op.slot].instance;
    return by_driver(t, rc, &err);
}

static enum release_outcome migrate(struct task *t)
{
    struct driver_place place = place_of(t);
    enum driver_migration state = MIGRATION_NONE;
    struct err err = {0};
    int rc = t->c->driver->migrate(&place, t->op.attempt, &state, &err);
    if (rc < 0) {
        return by_driver(t, rc, &err);
    }
    switch (state) {
    case MIGRATION_DONE:
        return RELEASE_OK;
    case MIGRATION_RUNS:
        return t->cancelled ? RELEASE_CANCELLED : RELEASE_LATE;
    case MIGRATION_FAILED:
        return RELEASE_FAILED;
    case MIGRATION_NONE:
    case MIGRATION_LOST:
        break;
    }
    task_tell(t, "the migration was begun and was cut off; nobody knows whether it was done");
    return RELEASE_UNKNOWN;
}

/* Leases: of all hosts, or of none. */

static void drop_all(struct task *t, int hosts)
{
    for (int h = 0; h < hosts; h++) {
        struct err err = {0};
        struct driver_place place =
            controller_place_of(t->c, h, RELEASE_SLOT_A, RELEASE_NEW, t, &t->told);
        (void) t->c->driver->lease_drop(&place, &err);
    }
}

static void owner_text(const struct controller *c, char out[256])
{
    char machine[65] = "";
    (void) gethostname(machine, sizeof machine - 1);
    buf_print(out, 256, "%s by %s on %s, pid %ld", c->header.id, c->header.by, machine,
              (long) getpid());
}

/*
 * A lease of this very release, or of a process that is known to be gone, is taken at once: whoever
 * had it can do nothing without its token.
 */
static bool may_take(struct task *t, const struct driver_place *place)
{
    char owner[256] = "";
    uint64_t left_ms;
    struct err err = {0};
    return t->c->options.force ||
           (t->c->driver->lease_read(place, owner, &left_ms, &err) == 0 && owner[0] != '\0' &&
            (str_starts_with(str_of(owner), str_of(t->c->header.id)) ||
             controller_owner_is_dead(owner)));
}

static int take_one(struct task *t, int host, const char *owner, bool by_force)
{
    struct err err = {0};
    struct driver_place place =
        controller_place_of(t->c, host, RELEASE_SLOT_A, RELEASE_NEW, t, &t->told);
    bool may = by_force && may_take(t, &place);
    int rc = t->c->driver->lease_take(&place, owner, LEASE_MS, may, &err);
    if (rc < 0) {
        t->c->lock_err = err;
        (void) err_wrap(&t->c->lock_err, "%s", t->c->config->host[host].name);
    }
    return rc;
}

/* Two that take it at the same time: whoever took the first host's last has it, and takes from the
 * other what that took of the rest. */
static int take_again(struct task *t, const char *owner)
{
    int rc = take_one(t, 0, owner, false);
    for (int h = 1; rc == 0 && h < (int) t->c->config->hosts; h++) {
        rc = take_one(t, h, owner, true);
    }
    return rc < 0 ? rc : take_one(t, 0, owner, false);
}

static enum release_outcome lock(struct task *t)
{
    char owner[256];
    int rc = 0;
    owner_text(t->c, owner);
    for (int h = 0; rc == 0 && h < (int) t->c->config->hosts; h++) {
        rc = take_one(t, h, owner, true);
        if (rc < 0) {
            drop_all(t, h);
        }
    }
    if (rc == 0) {
        rc = take_again(t, owner);
    }
    return rc < 0 ? task_fail(t, &t->c->lock_err) : RELEASE_OK;
}

/* Hooks: programs of the user's on this machine. */

/* In the child, which has one thread. */
static void set_env(const struct controller *c)
{
    /* NOLINTBEGIN(concurrency-mt-unsafe) */
    (void) setenv("POUROVER_SERVICE", c->config->service, 1);
    (void) setenv("POUROVER_VERSION", c->header.version, 1);
    (void) setenv("POUROVER_RELEASE", c->header.id, 1);
    (void) setenv("POUROVER_BY", c->header.by, 1);
    /* NOLINTEND(concurrency-mt-unsafe) */
}

/* As a program is begun by a shell: the controller ignores some signals. */
static void reset_signals(void)
{
    struct sigaction normal = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int signum = 1; signum < NSIG; signum++) {
        (void) sigaction(signum, &normal, NULL);
    }
    (void) sigemptyset(&none);
    (void) pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static pid_t spawn_hook(struct task *t, const struct release_hook *hook, int out)
{
    VEC(char *) argv = {0};
    for (size_t i = 0; i < hook->command.len; i++) {
        vec_push(&argv, (char *) (uintptr_t) hook->command.ptr[i]);
    }
    vec_push(&argv, NULL);
    pid_t pid = fork();
    if (pid == 0) {
        (void) setpgid(0, 0);
        reset_signals();
        (void) dup2(open("/dev/null", O_RDONLY), 0);
        (void) dup2(out, 1);
        (void) dup2(out, 2);
        if (chdir(t->c->config->dir) == 0) {
            set_env(t->c);
            (void) execvp(argv.ptr[0], argv.ptr);
        }
        (void) dprintf(2, "%s: %s\n", argv.ptr[0], strerrordesc_np(errno));
        _exit(127);
    }
    vec_done(&argv);
    return pid;
}

/* One piece of what it wrote, when there is some; the last bytes are kept: they say why it ended.
 */
static bool hear_hook(int in, int wait_ms, struct buf *output)
{
    char bytes[4096];
    struct pollfd fd = {.fd = in, .events = POLLIN};
    ssize_t n = poll(&fd, 1, wait_ms) > 0 ? read(in, bytes, sizeof bytes) : -1;
    if (n > 0 && output->len + (size_t) n > HOOK_BYTES) {
        buf_drop_front(output, output->len + (size_t) n - HOOK_BYTES);
    }
    if (n > 0) {
        buf_add(output, bytes, (size_t) n);
    }
    return n > 0;
}

/* Until the hook itself has ended; children that it left may hold its output and write on. */
static enum release_outcome wait_for_hook(struct task *t, pid_t pid, int in, uint64_t until_ms,
                                          struct buf *output, int *ret_status)
{
    enum release_outcome outcome = RELEASE_OK;
    while (waitpid(pid, ret_status, WNOHANG) != pid) {
        (void) hear_hook(in, 20, output);
        if (outcome == RELEASE_OK && (t->cancelled || clock_mono_ms() >= until_ms)) {
            outcome = t->cancelled ? RELEASE_CANCELLED : RELEASE_LATE;
            (void) kill(-pid, SIGKILL);
        }
    }
    for (int i = 0; i < HOOK_READS && hear_hook(in, 0, output); i++) {
    }
    return outcome == RELEASE_OK && *ret_status != 0 ? RELEASE_FAILED : outcome;
}

static void tell_hook(struct task *t, const struct release_hook *hook, enum release_outcome outcome,
                      int status, struct str said)
{
    char how[96];
    if (outcome == RELEASE_LATE) {
        buf_print(how, sizeof how, "did not end within its timeout of %g s and was killed",
                  (double) hook->timeout_ms / 1e3);
    } else if (outcome == RELEASE_CANCELLED) {
        buf_print(how, sizeof how, "was killed because the release goes back");
    } else if (WIFSIGNALED(status)) {
        buf_print(how, sizeof how, "was killed by signal %d (%s)", WTERMSIG(status),
                  sigdescr_np(WTERMSIG(status)));
    } else {
        buf_print(how, sizeof how, "ended with exit code %d", WEXITSTATUS(status));
    }
    task_tell(t, "hook %s %s%s" STR_FMT, hook->name, how, said.len > 0 ? ": " : "", STR_ARG(said));
}

static enum release_outcome run_hook(struct task *t)
{
    enum release_hook_time when = t->op.after ? HOOK_AFTER : HOOK_BEFORE;
    const struct release_hook *hook = &t->c->config->hook[when][t->op.hook];
    uint64_t until_ms = clock_mono_ms() + hook->timeout_ms;
    _cleanup_(buf_done) struct buf output;
    int fd[2], status = 0;
    buf_init(&output, HOOK_BYTES);
    if (pipe2(fd, O_CLOEXEC) != 0) {
        task_tell(t, "hook %s: no pipe: %s", hook->name, strerrordesc_np(errno));
        return RELEASE_FAILED;
    }
    pid_t pid = spawn_hook(t, hook, fd[1]);
    int errnum = errno;
    (void) close(fd[1]);
    if (pid < 0) {
        (void) close(fd[0]);
        task_tell(t, "hook %s: no process: %s", hook->name, strerrordesc_np(errnum));
        return RELEASE_FAILED;
    }
    enum release_outcome outcome = wait_for_hook(t, pid, fd[0], until_ms, &output, &status);
    (void) close(fd[0]);
    if (outcome != RELEASE_OK) {
        tell_hook(t, hook, outcome, status, str_trim(buf_str(&output)));
    }
    return outcome;
}

static enum release_outcome start(struct task *t, const struct driver_place *place)
{
    struct err err = {0};
    return by_driver(t, t->c->driver->start(place, &t->instance, &err), &err);
}

enum release_outcome task_at_host(struct task *t)
{
    const struct driver *driver = t->c->driver;
    struct driver_place place = {0};
    struct err err = {0};
    if (t->op.host >= 0) {
        place = place_of(t);
    }
    switch ((int) t->op.kind) {
    case OP_PREFLIGHT:
        return by_driver(t, driver->preflight(&place, &err), &err);
    case OP_ROOM:
        return by_driver(t, driver->room(&place, &err), &err);
    case OP_PULL:
        return by_driver(t, driver->pull(&place, &err), &err);
    case OP_FAIL:
        return by_driver(t, driver->health_fail(&place, &err), &err);
    case OP_PASS:
        return by_driver(t, driver->health_pass(&place, &err), &err);
    case OP_STOP:
        return by_driver(t, driver->stop(&place, false, &err), &err);
    case OP_PROXY:
        return by_driver(t, driver->proxy(&place, &err), &err);
    case OP_CONNECT:
        return by_driver(t, driver->connect(&place, &err), &err);
    case OP_START:
        return start(t, &place);
    case OP_SOAK:
        return soak(t);
    case OP_OBSERVE:
        return observe(t);
    case OP_MIGRATE:
        return migrate(t);
    case OP_LOCK:
        return lock(t);
    case OP_HOOK:
        return run_hook(t);
    case OP_WAIT:
        if (task_sleep(t, t->op.wait_ms)) {
            return RELEASE_OK;
        }
        return t->cancelled ? RELEASE_CANCELLED : RELEASE_LATE;
    default:
        BUG("no host does \"%s\"", release_op_name[t->op.kind]);
    }
}
