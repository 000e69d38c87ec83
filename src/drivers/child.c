/* Commands that are run to their end, and single HTTP requests: see process_int.h. */
#include "base/clock.h"
#include "drivers/process_int.h"
#include "io/http.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_MAX 65536u

static _Noreturn void become(const struct child_run *run, int out)
{
    struct sigaction normal = {.sa_handler = SIG_DFL};
    sigset_t none;
    union {
        const char *const *texts;
        char *const *argv; /* exec writes to none of them */
    } command = {.texts = run->argv};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void) setsid();
    if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(null, 2) < 0) {
        _exit(127);
    }
    for (int signum = 1; signum < NSIG; signum++) {
        (void) sigaction(signum, &normal, NULL);
    }
    (void) sigemptyset(&none);
    (void) pthread_sigmask(SIG_SETMASK, &none, NULL);
    (void) close_range(3, ~0U, 0);
    if (chdir(run->cwd) == 0) {
        (void) execve(command.argv[0], command.argv, run->env);
    }
    _exit(127);
}

/* Reads until the end of the output or the time is over; what is too much is told at the end. */
static int collect(const struct child_run *run, int fd, struct buf *out, struct err *err)
{
    for (;;) {
        struct pollfd pfd = {fd, POLLIN, 0};
        uint64_t now = clock_mono_ms();
        if (run->cancelled != NULL && atomic_load(run->cancelled)) {
            return err_set(err, ERR_CANCELLED, "%s was cancelled", run->name);
        }
        if (now >= run->until_ms) {
            return err_set(err, ERR_TIMEOUT, "%s took too long and was ended", run->name);
        }
        uint64_t left = run->until_ms - now;
        if (poll(&pfd, 1, left < 50 ? (int) left : 50) <= 0) {
            continue;
        }
        char chunk[4096];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n == 0) {
            return 0;
        }
        if (n > 0 && out != NULL) {
            buf_add(out, chunk, (size_t) n);
        }
        explicit_bzero(chunk, sizeof chunk);
    }
}

/* The output may have been closed before the end. */
static int wait_for(const struct child_run *run, pid_t pid, int *ret_status, struct err *err)
{
    for (;;) {
        pid_t got = waitpid(pid, ret_status, WNOHANG);
        if (got == pid) {
            return 0;
        }
        if (got < 0 && errno != EINTR) {
            return err_errno(err, errno, "%s cannot be waited for", run->name);
        }
        if (clock_mono_ms() >= run->until_ms) {
            return err_set(err, ERR_TIMEOUT, "%s took too long and was ended", run->name);
        }
        (void) poll(NULL, 0, 2);
    }
}

int child_run(const struct child_run *run, struct buf *out, int *ret_code, struct err *err)
{
    int pipes[2], status = 0;
    if (pipe2(pipes, O_CLOEXEC) != 0) {
        return err_errno(err, errno, "no pipe for %s", run->name);
    }
    pid_t pid = fork();
    if (pid == 0) {
        become(run, pipes[1]);
    }
    int errnum = errno;
    (void) close(pipes[1]);
    if (pid < 0) {
        (void) close(pipes[0]);
        return err_errno(err, errnum, "no process for %s", run->name);
    }
    int rc = collect(run, pipes[0], out, err);
    rc = rc < 0 ? rc : wait_for(run, pid, &status, err);
    if (rc < 0) {
        (void) kill(-pid, SIGKILL); /* its session began with the fork; not waited for yet */
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, &status, 0);
    }
    (void) close(pipes[0]);
    if (rc == 0) {
        *ret_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    return rc;
}

struct answer {
    bool done;
    long status;
    struct err err;
};

static void on_answer(const struct http_response *res, const struct err *err, void *ctx)
{
    struct answer *answer = ctx;
    answer->done = true;
    if (err != NULL) {
        answer->err = *err;
    } else {
        answer->status = res->status;
    }
}

static bool is_answered(void *ctx)
{
    return ((const struct answer *) ctx)->done;
}

int ask_http(const char *method, const char *url, uint64_t timeout_ms, long *ret_status,
             struct err *err)
{
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct http_client *client = NULL;
    struct answer answer = {0};
    if (!http_url_is_valid(url)) {
        return err_set(err, ERR_INVALID, "\"%.200s\" is no address, write http://HOST:PORT/PATH",
                       url);
    }
    struct io_loop *loop = io_loop_new();
    int rc = http_client_new(loop, &client, err);
    if (rc == 0) {
        bool body = strcmp(method, "GET") != 0;
        const struct http_request req = {
            .method = method,
            .url = url,
            .headers = body ? headers : NULL,
            .body = {body ? "" : NULL, 0},
            .timeout_ms = timeout_ms > 0 ? timeout_ms : 1,
        };
        (void) http_start(client, &req, on_answer, &answer);
        (void) io_loop_wait(loop, timeout_ms + 1000, is_answered, &answer);
        rc = (int) answer.err.code;
        if (rc < 0) {
            rc = err_set(err, answer.err.code, "%s %.200s: %s", method, url, answer.err.msg);
        } else if (!answer.done) {
            rc = err_set(err, ERR_TIMEOUT, "%s %.200s: no answer", method, url);
        }
    }
    http_client_free(client);
    io_loop_free(loop);
    if (rc == 0) {
        *ret_status = answer.status;
    }
    return rc;
}
