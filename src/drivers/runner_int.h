#pragma once
/* The runner's parts: its log and its child. */
#include "drivers/run_int.h"

/* Where the program writes to: FOLDER/logs/a-web.log, with the older half beside it as .1. */
struct run_log {
    const char *path;
    int fd; /* -1: cannot be written, what comes is dropped */
    uint64_t bytes;
};

#define RUN_LOG_BYTES (4u << 20) /* of one file; there are two */

void run_log_open(struct run_log *log, const char *path);
void run_log_close(struct run_log *log);
void run_log_add(struct run_log *log, const void *data, size_t len);
/* A line of the runner's own: "2026-01-31T23:59:59.123Z pourover: ...". */
void run_log_say(struct run_log *log, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Descriptors that the starter hands down. */
#define RUNNER_LOCK_FD  3
#define RUNNER_SAY_FD   4
#define RUNNER_FIRST_FD 5

struct run_child {
    const struct run *run;
    char *const *env; /* ends with NULL */
    int out;          /* where its output goes */
    struct proc proc;
    int gate; /* written to let it go on to its program */
    int fail; /* read: errno of exec, or nothing */
};

/*
 * Forks the child, which waits at its gate.  It is a session of its own and dies when this process
 * does, whatever happens.
 */
int run_child_fork(struct run_child *child, struct err *err);
/* Lets it go on; ERR_IO when the program cannot be begun. */
int run_child_release(struct run_child *child, struct err *err);
/* Lets it end at its gate, before anything was begun. */
void run_child_drop(struct run_child *child);
/* Ends all processes that are children of this one, and theirs, until there is none. */
bool run_child_end_all(pid_t session, uint64_t within_ms);
