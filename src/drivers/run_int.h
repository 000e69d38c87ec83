#pragma once
/*
 * A program's folder, FOLDER/slot-a/PROGRAM (or FOLDER/migrations/RELEASE-ATTEMPT):
 *     lock        held by the runner as long as it lives (a lock of the open file, which its
 *                 starter takes and hands down, so that there is no moment without it)
 *     run.json    what is run; written under the lock before a runner is begun
 *     env         secrets, NAME=value with NUL behind each; mode 0600
 *     state.json  what became of it; written by the runner
 */
#include "base/arena.h"
#include "base/err.h"
#include "drivers/files_int.h"
#include "drivers/proc_int.h"

#include <stdbool.h>
#include <stdint.h>

#define RUN_TEXT_MAX (1u << 20)
#define RUN_MARK     "POUROVER_RUN="

/* In the order of enum release_role_kind. */
enum run_role { RUN_PROXY, RUN_APP, RUN_WORKER, RUN_CRON, RUN_MIGRATION, RUN_ROLES };
extern const char *const run_role_name[RUN_ROLES];

struct run_texts {
    const char **ptr;
    size_t len;
};

/* run.json */
struct run {
    const char *program, *version, *variant, *release;
    enum run_role role;
    unsigned order; /* in which programs of a role were begun */
    const char *cwd, *log;
    const char *mark; /* RUN_MARK and random digits: a line of the environment of all it begins */
    struct run_texts command, env;
    const char *hash; /* of all that makes it another program */
    int stop_signal, then_signal;
    uint64_t grace_ms;
    unsigned restarts_max;
    uint64_t watch_ms;
    /* A one-off: run once, for so long, its end noted in this file. */
    bool once;
    uint64_t timeout_ms;
    const char *result;
};

enum run_status {
    RUN_NONE,     /* nothing was ever begun here */
    RUN_UP,       /* child lives */
    RUN_WAITS,    /* died, will be begun again */
    RUN_STOPPING, /* told to end */
    RUN_STOPPED,  /* ended as it was told */
    RUN_LOOPS,    /* died too often: given up */
    RUN_ENDED,    /* a one-off */
    RUN_STATUSES
};

/* state.json */
struct run_state {
    enum run_status status;
    char boot[64];
    struct proc runner, child; /* child.pid 0: none */
    uint64_t since_ms;         /* wall clock, of the status */
    uint64_t up_ms;            /* CLOCK_BOOTTIME when the child was begun */
    unsigned restarts;         /* since the runner was begun */
    unsigned deaths;           /* one after the other, each within the watch time */
    char died[128];            /* how the last child ended: "exit code 1" */
};

/* In the arena.  ERR_NOT_FOUND; ERR_INVALID names file and place. */
int run_read(const char *folder, struct arena *arena, struct run *ret, struct err *err);
int run_write(const char *folder, const struct run *run, struct err *err);
/* No file: all zero. */
int run_state_read(const char *folder, struct run_state *ret, struct err *err);
int run_state_write(const char *folder, const struct run_state *state, struct err *err);

/* How a one-off went; written with fsync before it is begun and at its end. */
struct run_result {
    bool begun, ended, lost;
    uint64_t begun_ms, ended_ms;
    char boot[64], how[128]; /* "exit code 1" */
    int code;                /* 0: well */
};
/* No file: all zero. */
int run_result_read(const char *path, struct run_result *ret, struct err *err);
int run_result_write(const char *path, const struct run_result *result, struct err *err);

/* Takes the lock of the folder: its descriptor, closed on exec.  ERR_CONFLICT: held by a runner. */
int run_lock(const char *folder, int *ret_fd, struct err *err);
/* Whether a runner holds it; takes nothing. */
bool run_is_locked(const char *folder);

/* Milliseconds since the machine was started, sleep counted. */
uint64_t run_clock_ms(void);
