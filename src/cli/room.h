#pragma once
/*
 * What commands on releases stand on: release.yaml, the journal, a controller, and what people see.
 * A release that is run here is shown as it goes: a live block on a terminal, else a line an event.
 */
#include "cli/cmd.h"
#include "cli/event.h"
#include "controller/controller.h"

#include <pthread.h>

struct room {
    struct cli *cli;
    struct release_config config;
    struct journal *journal;
    struct controller *controller;
    struct view view;
    char by[128];    /* who does it */
    bool of_several; /* one of the services of a run: asked and reported for all of them */
    bool begun;      /* a release was begun here */
    /* while a release runs */
    atomic_bool running;
    bool live;
    char shown[32];          /* the state that was printed last */
    pthread_mutex_t mutex;   /* of view and the terminal */
    atomic_bool interrupted; /* asks the controller to pause */
};

/* Reads the file, opens the journal, makes the controller; what is wrong is printed.  To be closed
 * in any case. */
enum exit_code room_open(struct room *r, struct cli *cli);
/* The same of a file, NULL: release.yaml. */
enum exit_code room_open_file(struct room *r, struct cli *cli, const char *file);
void room_close(struct room *r);
/* A controller anew, for another call of begin, plan or load. */
void room_again(struct room *r);

/* Fills the view from the controller's release; looks: from hosts and routers, too. */
void room_view(struct room *r, bool looks);
/* Reads the newest release (number 0) or another; what hosts know counts with hosts. */
int room_load(struct room *r, uint64_t number, bool hosts, struct err *err);
/* Takes times and texts from the journal's lines behind *seq; returns how many there were.
 * tell: each as an event; NULL: not. */
size_t room_read_lines(struct room *r, uint64_t *seq,
                       void (*tell)(struct room *r, const struct controller_event *e));
/* The one version that serves: ERR_CONFLICT when hosts differ, ERR_NOT_FOUND when none serves. */
int room_version(struct room *r, char out[128], struct err *err);

/*
 * Runs the release that was begun or loaded to its next stop, shows it, says how it ended, writes
 * the report.  command: what to do first; NULL: nothing.
 */
enum exit_code room_run(struct room *r, const struct release_event *command);
/* --junit: the report of n rooms.  Returns code, or a failure when that is EXIT_DONE. */
enum exit_code room_report(struct room *const *room, size_t n, enum exit_code code);
/* How an error of the controller ends a command: locked, unreachable, a plan that cannot be. */
enum exit_code room_fail(const struct room *r, const struct err *err);

/* Asks on a terminal, unless --yes; true elsewhere. */
bool room_ask(const struct room *r, const char *question);

/* How a release that stopped ends the command. */
struct room_end {
    enum release_mode mode;
    enum release_direction direction;
    bool has_culprit;
    enum release_step_kind kind;
    enum release_outcome outcome;
    bool asked_back;  /* rollback is what was asked for */
    bool interrupted; /* by a signal */
};
enum exit_code room_exit(const struct room_end *end);
