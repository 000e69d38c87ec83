#pragma once
/* A program's folder as the driver sees it, and what the driver does there. */
#include "base/buf.h"
#include "drivers/run_int.h"

struct program {
    const char *folder, *name; /* of the arena */
    bool known;                /* run.json is there and well */
    struct run run;
    struct run_state state;
    bool held; /* a runner lives */
    bool up;   /* and its program does */
    bool same_boot;
};

/* host: FOLDER.  Changes nothing. */
int program_see(const char *host, const char *folder, struct arena *arena, struct program *ret,
                struct err *err);

/*
 * Begins a runner for what run says, unless there is one: ERR_CONFLICT.  What an earlier runner
 * left behind is ended first.  Returns when the program was begun.  The lease is held by the
 * caller; the folder is made.  secrets: NAME=value with NUL behind each.
 */
int program_begin(const char *host, const char *folder, const struct run *run, struct str secrets,
                  struct err *err);
/* The same with the run.json and env that are there. */
int program_begin_again(const char *host, const char *folder, struct err *err);

/*
 * Tells the runner to stop, if there is one; else ends what one that was killed has left behind.
 * Does not wait.  The lease is held by the caller.
 */
int program_tell_stop(const char *host, const struct program *program, struct err *err);
/* Kills a runner that did not answer, and all of its program. */
int program_kill(const char *host, const struct program *program, struct err *err);
