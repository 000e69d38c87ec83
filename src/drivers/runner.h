#pragma once
/*
 * The runner: a small process of its own beside each program, begun by the driver as
 *     pourover process-runner FOLDER/slot-a/PROGRAM
 * and living on when whoever began it is gone.  See run_int.h for the files it reads and writes.
 */
#define DRIVER_RUNNER_WORD "process-runner"

/* The hidden command; argv[1] is DRIVER_RUNNER_WORD.  Returns the exit code. */
int driver_runner(int argc, char **argv);
