/* Opening and closing. */
#include "base/clock.h"
#include "journal/journal_int.h"

#include <errno.h>

#define PATIENCE_MS 10000
#define WAL_MAX     "4194304" /* bytes that the -wal file keeps after its changes are in the file */
#define VALUE_MAX   (4 * JOURNAL_HEADER_MAX) /* bytes of any value: a bound for strange files */

bool journal_wait(struct journal *j)
{
    uint64_t now = clock_mono_ms();
    if (j->wait_from_ms == 0) {
        j->wait_from_ms = now;
    }
    if (now - j->wait_from_ms >= j->patience_ms) {
        return false;
    }
    /* Processes that wait for one another shall not go in step. */
    const struct timespec pause = {0, 500000 + (long) (clock_mono_us() % 8) * 500000};
    (void) nanosleep(&pause, NULL);
    return true;
}

static int on_busy(void *ctx, int calls)
{
    struct journal *j = ctx;
    if (calls == 0) {
        j->wait_from_ms = 0;
    }
    return journal_wait(j);
}

/* SQLite, too, brings what waits in the -wal file into the file when it closes it. */
void journal_set_hands_off(struct journal *j, bool on)
{
    j->hands_off = on;
    (void) sqlite3_db_config(j->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, on ? 1 : 0, NULL);
}

static int open_file(struct journal *j, struct err *err)
{
    /* NOFOLLOW: the folder is resolved; a link that somebody put there meanwhile is not taken. */
    int rc =
        sqlite3_open_v2(j->path, &j->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc != SQLITE_OK) {
        j->hands_off = true;
        return journal_fail(j, rc, "open", err);
    }
    journal_set_hands_off(j, true);
    if (sqlite3_db_readonly(j->db, "main") == 1) {
        return journal_fail(j, SQLITE_READONLY, "open", err);
    }
    (void) sqlite3_busy_handler(j->db, on_busy, j);
    (void) sqlite3_limit(j->db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
    (void) sqlite3_db_config(j->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void) sqlite3_db_config(j->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return sql_exec(j,
                    "PRAGMA synchronous = FULL;"
                    "PRAGMA foreign_keys = ON;"
                    "PRAGMA cell_size_check = ON;"
                    "PRAGMA temp_store = MEMORY;"
                    "PRAGMA journal_size_limit = " WAL_MAX,
                    "open", err);
}

int journal_open_with(const char *path, uint64_t patience_ms, const struct journal_schema *schema,
                      struct journal **ret, struct err *err)
{
    char *whole = NULL;
    int rc = journal_path_prepare(path, &whole, err);
    if (rc < 0) {
        return rc;
    }
    struct journal *j = mem_zalloc(sizeof *j);
    j->path = whole;
    j->patience_ms = patience_ms;
    rc = open_file(j, err);
    rc = rc == 0 ? journal_schema_bring(j, schema, err) : rc;
    if (rc < 0) {
        journal_close(j);
        return rc;
    }
    journal_set_hands_off(j, false);
    *ret = j;
    return 0;
}

int journal_open(const char *path, struct journal **ret, struct err *err)
{
    return journal_open_with(path, PATIENCE_MS, &journal_schema_present, ret, err);
}

void journal_close(struct journal *take_journal)
{
    if (take_journal == NULL) {
        return;
    }
    /* The last one to close does the same by itself and removes the -wal file. */
    if (!take_journal->hands_off) {
        (void) sqlite3_wal_checkpoint_v2(take_journal->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL,
                                         NULL);
    }
    (void) sqlite3_close(take_journal->db);
    mem_free(take_journal->path);
    mem_free(take_journal);
}
