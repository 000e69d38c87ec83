#pragma once
/*
 * The journal of this machine: releases, what was noted of them, requests to whoever runs one.  The
 * only SQLite (WAL, synchronous=FULL, STRICT tables).  Several processes may have it open at once;
 * every call is one transaction and is durable when it returns.
 *
 * It knows nothing of the engine: notes are lines of JSON with a sequence number, the same lines
 * that lie on the hosts (drivers/driver.h).  An older file is brought to the present form when it
 * is opened, a newer one is refused.
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

struct journal;

#define JOURNAL_LINE_MAX 65536 /* bytes of a line */

/* "" where nothing is known.  Texts are owned. */
struct journal_release {
    uint64_t number;                    /* 1, 2, ...: what people call it, per machine */
    char *id;                           /* "shop-20260131T235959-3f9a": the same on every machine */
    char *service, *environment, *kind; /* kind: release, restart, train */
    char *version, *from, *state, *by, *why;
    uint64_t began_ms, ended_ms; /* wall; ended 0: not yet */
    char *config_path, *config_hash;
    char *header; /* line of JSON: what the controller needs to go on */
};

struct journal_line {
    uint64_t seq; /* of the release, from 1 */
    uint64_t at_ms;
    char *host; /* "" of all */
    char *text; /* JSON */
};

struct journal_request {
    uint64_t id;
    char *release, *text; /* JSON: {"do":"rollback","by":...,"why":...} */
};

/* path: made with its folder (0700) when missing.  ERR_IO, ERR_INVALID (no journal, or a newer
 * one). */
int journal_open(const char *path, struct journal **ret, struct err *err)
    __attribute__((warn_unused_result));
void journal_close(struct journal *take_journal);

/* POUROVER_JOURNAL, else $XDG_STATE_HOME/pourover/journal.db, else
 * ~/.local/state/pourover/journal.db, for root /var/lib/pourover/journal.db.  Owned. */
char *journal_default_path(void);

/* Gives the number.  ERR_CONFLICT: the id is there already. */
int journal_begin(struct journal *j, const struct journal_release *release, uint64_t *ret_number,
                  struct err *err) __attribute__((warn_unused_result));
int journal_set_state(struct journal *j, const char *id, const char *state, uint64_t ended_ms,
                      struct err *err) __attribute__((warn_unused_result));
/* seq has to be greater than all that are there, or the same line again.  ERR_CONFLICT: another
 * line has it. */
int journal_append(struct journal *j, const char *id, const struct journal_line *line,
                   struct err *err) __attribute__((warn_unused_result));

/* ERR_NOT_FOUND. number 0: the newest of the service (NULL: of any). */
int journal_find(struct journal *j, const char *service, const char *environment, uint64_t number,
                 struct journal_release *ret, struct err *err) __attribute__((warn_unused_result));
int journal_find_id(struct journal *j, const char *id, struct journal_release *ret, struct err *err)
    __attribute__((warn_unused_result));
void journal_release_done(struct journal_release *release);

struct journal_releases {
    VEC(struct journal_release) list;
};
/* Newest first. service NULL: of all. */
int journal_list(struct journal *j, const char *service, unsigned limit,
                 struct journal_releases *ret, struct err *err) __attribute__((warn_unused_result));
void journal_releases_done(struct journal_releases *list);

struct journal_lines {
    VEC(struct journal_line) list;
};
/* Those behind after_seq, in order. */
int journal_read(struct journal *j, const char *id, uint64_t after_seq, struct journal_lines *ret,
                 struct err *err) __attribute__((warn_unused_result));
void journal_lines_done(struct journal_lines *lines);

/* Requests to the process that runs the release. */
int journal_request(struct journal *j, const char *id, struct str text, uint64_t *ret_request,
                    struct err *err) __attribute__((warn_unused_result));
struct journal_requests {
    VEC(struct journal_request) list;
};
/* Takes all that wait; they are marked as seen with the answer that journal_answer gives later. */
int journal_take_requests(struct journal *j, const char *id, struct journal_requests *ret,
                          struct err *err) __attribute__((warn_unused_result));
void journal_requests_done(struct journal_requests *list);
/* "" = taken; else why it was refused. */
int journal_answer(struct journal *j, uint64_t request, const char *answer, struct err *err)
    __attribute__((warn_unused_result));
/* *ret: NULL: no answer yet; else owned text. */
int journal_read_answer(struct journal *j, uint64_t request, char **ret, struct err *err)
    __attribute__((warn_unused_result));

/* How long a step took in earlier releases of the service: the newest `limit` values. */
int journal_times(struct journal *j, const char *service, const char *step, unsigned limit,
                  uint64_t *out_ms, size_t *ret_n, struct err *err)
    __attribute__((warn_unused_result));
