#pragma once
/*
 * The journal of this machine: releases, what was noted of them, requests to whoever runs one.  The
 * only SQLite (WAL, synchronous=FULL, STRICT tables).  Several processes may have it open at once;
 * every call is one transaction and is durable when it returns.
 *
 * It knows nothing of the engine: notes are lines of JSON with a sequence number, the same lines
 * that lie on the hosts (drivers/driver.h; as text: merge.h).  Notes, headers and requests are
 * objects of JSON, from { to }, without a line feed.  An older file is brought to the present form
 * when it is opened, a newer one is refused.  A file that cannot be read is left as it is.
 *
 * A struct journal is for one thread at a time, and not for a child after fork.
 *
 * All calls, besides what they say: ERR_TIMEOUT (another process held the file for 10 seconds),
 * ERR_IO (disk full, not writable, moved away while open), ERR_INVALID (the file is damaged, or a
 * text is no UTF-8, a number above INT64_MAX), ERR_FULL (a text above its limit).  After an error
 * nothing of the call is in the file, but for one: when the disk fails at the very end of a write
 * (ERR_IO, "may be in the file or not").
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

struct journal;

#define JOURNAL_LINE_MAX     65536   /* bytes of a line, and of a request */
#define JOURNAL_HEADER_MAX   1048576 /* bytes of a header */
#define JOURNAL_FIELD_MAX    4096    /* bytes of any other text */
#define JOURNAL_HOST_MAX     255     /* bytes of the name of a host */
#define JOURNAL_REQUESTS_MAX 100     /* requests of a release that wait */
#define JOURNAL_TIMES_KEPT   100     /* durations of a step of a service */

/* "" where nothing is known (NULL is as "" for journal_begin).  Texts are owned. */
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

/*
 * path: made (0600) with its folders (0700) when missing.  ERR_IO, ERR_INVALID (no journal, or a
 * newer one), ERR_DENIED (others may write it, a link, a network file system), ERR_TIMEOUT.
 * The message names the file and says what to do.
 */
int journal_open(const char *path, struct journal **ret, struct err *err)
    __attribute__((warn_unused_result));
/* What the file system has not yet got from the -wal file is brought into the file.  NULL is fine.
 */
void journal_close(struct journal *take_journal);

/* POUROVER_JOURNAL, else $XDG_STATE_HOME/pourover/journal.db, else
 * ~/.local/state/pourover/journal.db, for root /var/lib/pourover/journal.db.  Owned. */
char *journal_default_path(void);

/* Gives the number; release->number does not count.  ERR_CONFLICT: the id is there already. */
int journal_begin(struct journal *j, const struct journal_release *release, uint64_t *ret_number,
                  struct err *err) __attribute__((warn_unused_result));
/* ERR_NOT_FOUND.  ended_ms 0: it goes on (again). */
int journal_set_state(struct journal *j, const char *id, const char *state, uint64_t ended_ms,
                      struct err *err) __attribute__((warn_unused_result));
/* seq has to be greater than all that are there, or the same line again.  ERR_CONFLICT: another
 * line has it, or a later one is there.  ERR_NOT_FOUND: the release. */
int journal_append(struct journal *j, const char *id, const struct journal_line *line,
                   struct err *err) __attribute__((warn_unused_result));

/*
 * What the hosts know, into this machine's journal, at once: the release when it is missing (else
 * release is not looked at but for its id), and those lines that are missing, wherever they stand.
 * A line that contradicts one of the journal: ERR_CONFLICT, or with hosts_win it takes its place.
 */
int journal_import(struct journal *j, const struct journal_release *release,
                   const struct journal_line *line, size_t n, bool hosts_win, uint64_t *ret_number,
                   struct err *err) __attribute__((warn_unused_result));

/* ERR_NOT_FOUND. number 0: the newest of the service and environment
 * (NULL: of any). */
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

/* NULL, false and 0 do not choose. */
struct journal_filter {
    const char *service, *environment, *kind, *state;
    bool open;       /* has not ended */
    uint64_t before; /* a smaller number: the next page */
};
/* Newest first, at most limit. */
int journal_select(struct journal *j, const struct journal_filter *filter, unsigned limit,
                   struct journal_releases *ret, struct err *err)
    __attribute__((warn_unused_result));
int journal_count(struct journal *j, const struct journal_filter *filter, uint64_t *ret,
                  struct err *err) __attribute__((warn_unused_result));
/*
 * Releases that ended go with their lines and requests, but for the newest keep_releases of each
 * service and environment; one that has not ended stays.  Each release is a transaction of its own,
 * so that others can write between; the file gets smaller.  ret: how many went; may be NULL.
 */
int journal_prune(struct journal *j, unsigned keep_releases, uint64_t *ret, struct err *err)
    __attribute__((warn_unused_result));

struct journal_lines {
    VEC(struct journal_line) list;
};
/* Those behind after_seq, in order.  ERR_NOT_FOUND: the release. */
int journal_read(struct journal *j, const char *id, uint64_t after_seq, struct journal_lines *ret,
                 struct err *err) __attribute__((warn_unused_result));
void journal_lines_done(struct journal_lines *lines);

/*
 * Requests to the process that runs the release.  ERR_NOT_FOUND: the release; ERR_FULL: nobody took
 * the last JOURNAL_REQUESTS_MAX of them.
 */
int journal_request(struct journal *j, const char *id, struct str text, uint64_t *ret_request,
                    struct err *err) __attribute__((warn_unused_result));
/*
 * For who waited for an answer in vain: the request is taken back, so that a later run does not do
 * it.  ERR_CONFLICT: it was taken, an answer may come; ERR_NOT_FOUND.
 */
int journal_withdraw(struct journal *j, uint64_t request, struct err *err)
    __attribute__((warn_unused_result));
struct journal_requests {
    VEC(struct journal_request) list;
};
/*
 * Takes all that wait, in order; no other process gets them.  The answer is given by journal_answer
 * later; if the taker dies before, there is none, and who asked sees that by a deadline.
 */
int journal_take_requests(struct journal *j, const char *id, struct journal_requests *ret,
                          struct err *err) __attribute__((warn_unused_result));
void journal_requests_done(struct journal_requests *list);
/* "" = taken; else why it was refused.  ERR_CONFLICT: not taken, or answered otherwise;
 * ERR_NOT_FOUND. */
int journal_answer(struct journal *j, uint64_t request, const char *answer, struct err *err)
    __attribute__((warn_unused_result));
/* *ret: NULL: no answer yet; else owned text.  ERR_NOT_FOUND. */
int journal_read_answer(struct journal *j, uint64_t request, char **ret, struct err *err)
    __attribute__((warn_unused_result));

/*
 * While relaxed, what is written is not brought to the disk by itself: the first write after it
 * brings all that was before, in order.  For what somebody can do without after a power cut.
 */
int journal_relax(struct journal *j, bool relaxed, struct err *err)
    __attribute__((warn_unused_result));

/* A step of the service took took_ms; not brought to the disk by itself.  The newest
 * JOURNAL_TIMES_KEPT by at_ms (wall) stay. */
int journal_add_time(struct journal *j, const char *service, const char *step, uint64_t took_ms,
                     uint64_t at_ms, struct err *err) __attribute__((warn_unused_result));
/* How long a step took in earlier releases of the service: the newest `limit` values,
 * newest first; out_ms has room for them. */
int journal_times(struct journal *j, const char *service, const char *step, unsigned limit,
                  uint64_t *out_ms, size_t *ret_n, struct err *err)
    __attribute__((warn_unused_result));
