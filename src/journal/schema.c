/*
 * The tables, as steps from version to version.  A step that was released is never changed: what
 * comes later is a step of its own, and tests/vectors keeps the tables of each version.
 */
#include "journal/journal_int.h"

static const char version1[] =
    "CREATE TABLE releases (\n"
    "  number INTEGER PRIMARY KEY AUTOINCREMENT,\n" /* a number of the past does not come again */
    "  id TEXT NOT NULL UNIQUE,\n"
    "  service TEXT NOT NULL,\n"
    "  environment TEXT NOT NULL,\n"
    "  kind TEXT NOT NULL,\n"
    "  version TEXT NOT NULL,\n"
    "  from_version TEXT NOT NULL,\n"
    "  state TEXT NOT NULL,\n"
    "  who TEXT NOT NULL,\n"
    "  why TEXT NOT NULL,\n"
    "  began_ms INTEGER NOT NULL,\n"
    "  ended_ms INTEGER NOT NULL,\n"
    "  config_path TEXT NOT NULL,\n"
    "  config_hash TEXT NOT NULL,\n"
    "  header TEXT NOT NULL\n"
    ") STRICT;\n"
    "CREATE INDEX releases_of_service ON releases (service, number);\n"
    "CREATE INDEX releases_open ON releases (number) WHERE ended_ms = 0;\n"
    "CREATE TABLE lines (\n"
    "  release INTEGER NOT NULL REFERENCES releases (number) ON DELETE CASCADE,\n"
    "  seq INTEGER NOT NULL,\n"
    "  at_ms INTEGER NOT NULL,\n"
    "  host TEXT NOT NULL,\n"
    "  text TEXT NOT NULL,\n"
    "  PRIMARY KEY (release, seq)\n"
    ") STRICT;\n"
    "CREATE TABLE requests (\n"
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
    "  release INTEGER NOT NULL REFERENCES releases (number) ON DELETE CASCADE,\n"
    "  text TEXT NOT NULL,\n"
    "  taken INTEGER NOT NULL DEFAULT 0 CHECK (taken IN (0, 1)),\n"
    "  answer TEXT\n"
    ") STRICT;\n"
    "CREATE INDEX requests_of_release ON requests (release, taken, id);\n"
    "CREATE TABLE step_times (\n"
    "  id INTEGER PRIMARY KEY,\n"
    "  service TEXT NOT NULL,\n"
    "  step TEXT NOT NULL,\n"
    "  took_ms INTEGER NOT NULL,\n"
    "  at_ms INTEGER NOT NULL\n"
    ") STRICT;\n"
    "CREATE INDEX step_times_of_step ON step_times (service, step, at_ms, id);\n";

static const char *const steps[] = {version1};

const struct journal_schema journal_schema_present = {steps, sizeof steps / sizeof steps[0]};

static int read_number(struct journal *j, const char *text, int64_t *ret, struct err *err)
{
    struct sql q = sql_new(j, text);
    int64_t value = sql_row(&q) ? sqlite3_column_int64(q.stmt, 0) : 0;
    int rc = sql_end(&q, "read", err);
    if (rc == 0) {
        *ret = value;
    }
    return rc;
}

/* Which version the file is of; 0: nothing is in it yet.  Writes nothing. */
static int read_version(struct journal *j, int present, int *ret, struct err *err)
{
    int64_t application = 0, version = 0, objects = 0;
    int rc = read_number(j, "PRAGMA application_id", &application, err);
    rc = rc == 0 ? read_number(j, "PRAGMA user_version", &version, err) : rc;
    rc = rc == 0 ? read_number(j, "SELECT count(*) FROM sqlite_schema", &objects, err) : rc;
    if (rc < 0) {
        return rc;
    }
    bool blank = application == 0 && version == 0 && objects == 0;
    if (application != JOURNAL_APPLICATION_ID && !blank) {
        return journal_err(j, err, ERR_INVALID,
                           "is no journal: it is a database of another program; it was left as it "
                           "is, name another file in POUROVER_JOURNAL");
    }
    if (version > present) {
        return journal_err(j, err, ERR_INVALID,
                           "is of version %lld, this pourover knows versions up to %d; use the "
                           "newer pourover that wrote it, or name another file in "
                           "POUROVER_JOURNAL",
                           (long long) version, present);
    }
    if (version < 0 || (version == 0 && !blank)) {
        return journal_err(j, err, ERR_INVALID,
                           "is damaged (version %lld); it was left as it is, move it with its "
                           "-wal and -shm files away or put a backup there",
                           (long long) version);
    }
    *ret = (int) version;
    return 0;
}

/* One step up, unless another process was quicker. */
static int bring_by_one(struct journal *j, const struct journal_schema *schema, int *version,
                        struct err *err)
{
    int rc = sql_begin(j, err);
    if (rc < 0) {
        return rc;
    }
    rc = read_version(j, schema->n, version, err);
    if (rc == 0 && *version < schema->n) {
        char mark[96], what[48];
        buf_print(what, sizeof what, "upgrade it to version %d", *version + 1);
        buf_print(mark, sizeof mark, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                  JOURNAL_APPLICATION_ID, *version + 1);
        rc = sql_exec(j, schema->step[*version], what, err);
        rc = rc == 0 ? sql_exec(j, mark, what, err) : rc;
        *version += rc == 0;
    }
    return sql_finish(j, rc, err);
}

/*
 * Each process that is in the file has to agree to the change of its mode; SQLite does not wait by
 * itself here, as it has a lock already.
 */
static int use_wal(struct journal *j, struct err *err)
{
    struct sql q;
    char *mode = NULL;
    j->wait_from_ms = 0;
    do {
        q = sql_new(j, "PRAGMA journal_mode = WAL");
        mode = sql_row(&q) ? sql_get_text(&q, 0) : NULL;
        if ((q.rc & 0xff) != SQLITE_BUSY || !journal_wait(j)) {
            break;
        }
        (void) sqlite3_finalize(q.stmt);
    } while (true);
    int rc = sql_end(&q, "open", err);
    if (rc == 0 && (mode == NULL || strcmp(mode, "wal") != 0)) {
        rc = journal_err(j, err, ERR_IO,
                         "its file system cannot share memory between processes, as several have "
                         "to read and write at once; name a file on a local disk in "
                         "POUROVER_JOURNAL");
    }
    mem_free(mode);
    return rc;
}

int journal_schema_bring(struct journal *j, const struct journal_schema *schema, struct err *err)
{
    int version = 0;
    /* One view of the file, as another process may be making its tables just now. */
    int rc = sql_exec(j, "BEGIN", "open", err);
    rc = rc == 0 ? sql_finish(j, read_version(j, schema->n, &version, err), err) : rc;
    /* Settled before the first table is made; later it changes nothing. */
    rc = rc == 0 && version == 0 ? sql_exec(j, "PRAGMA auto_vacuum = INCREMENTAL", "write", err)
                                 : rc;
    rc = rc == 0 ? use_wal(j, err) : rc;
    while (rc == 0 && version < schema->n) {
        rc = bring_by_one(j, schema, &version, err);
    }
    return rc;
}
