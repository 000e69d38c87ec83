#pragma once
/* Children of a test that run a function and end by its result. */
#include "support/t.h"

#include <sys/wait.h>
#include <unistd.h>

/* The child ends with what run gives; it never comes back into the test. */
static inline pid_t child_start(int (*run)(void *ctx), void *ctx)
{
    (void) fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        _exit(run(ctx));
    }
    return pid;
}

/* The exit code, or 1000 + the signal. */
static inline int child_wait(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}
