#pragma once
/* Inside of the room: the connection, statements, transactions, and what an error of SQLite means
 * to people. */
#include "journal/journal.h"

#include <sqlite3.h>

struct journal {
    sqlite3 *db;
    char *path;            /* with its folder resolved */
    uint64_t patience_ms;  /* how long a call waits for other processes */
    uint64_t wait_from_ms; /* mono: since when it does */
    bool hands_off;        /* not known to be ours, or damaged: nothing is tidied at the end */
};

#define JOURNAL_NOT_ONE                                                                 \
    "is no journal: it is not a file of SQLite; it was left as it is, name another in " \
    "POUROVER_JOURNAL or move it away"

#define JOURNAL_APPLICATION_ID 0x706f7572 /* "pour" */

/* The steps from nothing to version n: step i makes version i + 1 of version i. */
struct journal_schema {
    const char *const *step;
    int n;
};
extern const struct journal_schema journal_schema_present;

/* What journal_open does, with the times and versions of a test. */
int journal_open_with(const char *path, uint64_t patience_ms, const struct journal_schema *schema,
                      struct journal **ret, struct err *err) __attribute__((warn_unused_result));

/*
 * Makes what is missing and looks whether the file can be a journal that is only ours.  ret_path:
 * owned, with the folder resolved.
 */
int journal_path_prepare(const char *path, char **ret_path, struct err *err)
    __attribute__((warn_unused_result));
/* "nfs" for the f_type of statfs of a file system that other machines write too; NULL: none. */
const char *journal_network_fs(uint64_t type);

/* Creates or upgrades; j is open, and nothing was written yet. */
int journal_schema_bring(struct journal *j, const struct journal_schema *schema, struct err *err)
    __attribute__((warn_unused_result));

/* Waits a little; false: patience_ms are over since wait_from_ms (0: begins now). */
bool journal_wait(struct journal *j);

void journal_set_hands_off(struct journal *j, bool on);

/* The error for rc of SQLite, seen when doing `what` ("read", "write").  Returns its code. */
int journal_fail(struct journal *j, int rc, const char *what, struct err *err);
/* err_set with "journal PATH: " in front. */
int journal_err(struct journal *j, struct err *err, enum err_code code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/*
 * A statement.  Errors stay in it until sql_end:
 *     struct sql q = sql_new(j, "SELECT a FROM t WHERE b = ?");
 *     sql_text(&q, b);
 *     while (sql_row(&q)) ... sql_get_u64(&q, 0) ...
 *     return sql_end(&q, "read", err);
 */
struct sql {
    struct journal *j;
    sqlite3_stmt *stmt;
    int rc; /* SQLITE_OK, SQLITE_ROW, SQLITE_DONE, or the first error */
    int bound;
};
struct sql sql_new(struct journal *j, const char *text);
/* Bind the next parameter; a text is borrowed until sql_end, NULL is "". */
void sql_u64(struct sql *q, uint64_t value);
void sql_text(struct sql *q, const char *value);
void sql_str(struct sql *q, struct str value);
/* Like sql_text, but NULL is NULL. */
void sql_text_or_null(struct sql *q, const char *value);
/* Whether there is another row. */
bool sql_row(struct sql *q);
uint64_t sql_get_u64(const struct sql *q, int column);
char *sql_get_text(const struct sql *q, int column); /* owned */
/* Frees it.  0, or the error. */
int sql_end(struct sql *q, const char *what, struct err *err) __attribute__((warn_unused_result));
/* Steps a statement without rows to its end, then sql_end. */
int sql_run(struct sql *q, const char *what, struct err *err) __attribute__((warn_unused_result));
/* One statement, or several, without parameters. */
int sql_exec(struct journal *j, const char *text, const char *what, struct err *err)
    __attribute__((warn_unused_result));

/* A write: begin, then end with what became of it so far.  An error takes all back and stays. */
int sql_begin(struct journal *j, struct err *err) __attribute__((warn_unused_result));
int sql_finish(struct journal *j, int rc, struct err *err) __attribute__((warn_unused_result));

/* The number of a release by its id.  ERR_NOT_FOUND with its message. */
int journal_number(struct journal *j, const char *id, uint64_t *ret, struct err *err)
    __attribute__((warn_unused_result));
/* ERR_INVALID or ERR_FULL: not UTF-8, above max bytes.  NULL is "". */
int journal_check_text(const char *name, struct str text, size_t max, struct err *err)
    __attribute__((warn_unused_result));
/* The same, and one object of JSON without a line feed. */
int journal_check_json(const char *name, struct str text, size_t max, struct err *err)
    __attribute__((warn_unused_result));
