/* Statements, transactions, and the messages for what SQLite says. */
#include "base/json.h"
#include "journal/journal_int.h"

#include <errno.h>
#include <stdarg.h>

#define PATH_SHOWN 240 /* bytes of the path in a message, so that there is room for what to do */

int journal_err(struct journal *j, struct err *err, enum err_code code, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_set(err, code, "journal %.*s: %s", PATH_SHOWN, j->path, text);
}

/* SQLite keeps the errno of the connection only when nothing else was done since. */
static int system_errno(struct journal *j)
{
    int code = sqlite3_system_errno(j->db);
    sqlite3_file *wal = NULL;
    if (code == 0) {
        (void) sqlite3_file_control(j->db, "main", SQLITE_FCNTL_LAST_ERRNO, &code);
    }
    if (code == 0) {
        (void) sqlite3_file_control(j->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &wal);
        if (wal != NULL && wal->pMethods != NULL) {
            (void) wal->pMethods->xFileControl(wal, SQLITE_FCNTL_LAST_ERRNO, &code);
        }
    }
    return code;
}

/* What the system said below an error of input or output. */
static int fail_io(struct journal *j, int rc, const char *what, struct err *err)
{
    int code = system_errno(j);
    if (code == ENOSPC || code == EDQUOT) {
        return journal_fail(j, SQLITE_FULL, what, err);
    }
    if (code == EFBIG) {
        return journal_err(j, err, ERR_IO,
                           "cannot %s: a file may not be that large here (ulimit -f); raise the "
                           "limit",
                           what);
    }
    if (rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC) {
        return journal_err(j, err, ERR_IO,
                           "the disk failed at the end of a write (%s), which may be in the file "
                           "or not; see to the disk",
                           code != 0 ? strerrordesc_np(code) : sqlite3_errstr(rc));
    }
    return journal_err(
        j, err, ERR_IO, "cannot %s: %s %d (%s); see to the disk and to who may use the file", what,
        sqlite3_errstr(rc), rc, code != 0 ? strerrordesc_np(code) : "no reason given");
}

static int fail_access(struct journal *j, int rc, const char *what, struct err *err)
{
    int code = sqlite3_system_errno(j->db);
    return journal_err(j, err, ERR_IO,
                       "cannot %s: %s%s%s; this user has to be able to write the file and its "
                       "folder, or name another in POUROVER_JOURNAL",
                       what, sqlite3_errstr(rc), code != 0 ? ": " : "",
                       code != 0 ? strerrordesc_np(code) : "");
}

int journal_fail(struct journal *j, int rc, const char *what, struct err *err)
{
    switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return journal_err(j, err, ERR_TIMEOUT,
                           "cannot %s: another process has held it for %llu s; see which one with "
                           "fuser, then try again",
                           what, (unsigned long long) (j->patience_ms + 999) / 1000);
    case SQLITE_FULL:
        return journal_err(j, err, ERR_IO,
                           "cannot %s: no space left on its file system; nothing was changed, make "
                           "room and try again",
                           what);
    case SQLITE_NOTADB:
        return journal_err(j, err, ERR_INVALID, "%s", JOURNAL_NOT_ONE);
    case SQLITE_CORRUPT:
    case SQLITE_TOOBIG:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        /* The limits of the tables are looked after before, so a file that hits them is odd. */
        journal_set_hands_off(j, true);
        return journal_err(j, err, ERR_INVALID,
                           "is damaged (%s); it was left as it is, move it with its -wal and -shm "
                           "files away or put a backup there: what runs is known by the hosts",
                           sqlite3_errmsg(j->db));
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return fail_access(j, rc, what, err);
    case SQLITE_IOERR:
        return fail_io(j, rc, what, err);
    case SQLITE_ERROR:
        return journal_err(j, err, ERR_INVALID,
                           "cannot %s: %s; it is not what pourover made, it was left as it is, "
                           "move it away or put a backup there",
                           what, sqlite3_errmsg(j->db));
    default:
        return journal_err(j, err, ERR_INTERNAL, "cannot %s: %s (%d)", what, sqlite3_errmsg(j->db),
                           rc);
    }
}

/* A file that was moved or deleted takes writes that nobody will see again. */
static int look_whether_moved(struct journal *j)
{
    int moved = 0;
    (void) sqlite3_file_control(j->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    return moved ? SQLITE_READONLY_DBMOVED : SQLITE_OK;
}

struct sql sql_new(struct journal *j, const char *text)
{
    struct sql q = {.j = j};
    q.rc = sqlite3_prepare_v2(j->db, text, -1, &q.stmt, NULL);
    return q;
}

static void bound(struct sql *q, int rc)
{
    if (q->rc == SQLITE_OK) {
        q->rc = rc;
    }
}

void sql_u64(struct sql *q, uint64_t value)
{
    int at = ++q->bound;
    bound(q, value > INT64_MAX ? SQLITE_RANGE : SQLITE_OK);
    if (q->rc == SQLITE_OK) {
        q->rc = sqlite3_bind_int64(q->stmt, at, (sqlite3_int64) value);
    }
}

void sql_str(struct sql *q, struct str value)
{
    int at = ++q->bound;
    if (q->rc == SQLITE_OK) {
        q->rc = sqlite3_bind_text64(q->stmt, at, value.len == 0 ? "" : value.ptr, value.len,
                                    SQLITE_STATIC, SQLITE_UTF8);
    }
}

void sql_text(struct sql *q, const char *value)
{
    sql_str(q, str_of(value));
}

void sql_text_or_null(struct sql *q, const char *value)
{
    if (value == NULL) {
        q->bound++; /* an unbound parameter is NULL */
    } else {
        sql_text(q, value);
    }
}

bool sql_row(struct sql *q)
{
    if (q->rc == SQLITE_OK) {
        q->rc = look_whether_moved(q->j);
    }
    if (q->rc == SQLITE_OK || q->rc == SQLITE_ROW) {
        q->rc = sqlite3_step(q->stmt);
    }
    return q->rc == SQLITE_ROW;
}

uint64_t sql_get_u64(const struct sql *q, int column)
{
    sqlite3_int64 value = sqlite3_column_int64(q->stmt, column);
    return value < 0 ? 0 : (uint64_t) value;
}

char *sql_get_text(const struct sql *q, int column)
{
    const unsigned char *text = sqlite3_column_text(q->stmt, column);
    int len = sqlite3_column_bytes(q->stmt, column);
    return mem_strdup_str((struct str){(const char *) text, text == NULL ? 0 : (size_t) len});
}

int sql_end(struct sql *q, const char *what, struct err *err)
{
    int rc = 0;
    if (q->rc == SQLITE_READONLY_DBMOVED) {
        rc = journal_err(q->j, err, ERR_IO,
                         "cannot %s: the file was moved or deleted while it was in use; put it "
                         "back, or begin anew",
                         what);
    } else if (q->rc == SQLITE_RANGE) {
        rc = journal_err(q->j, err, ERR_INVALID, "cannot %s: a number is above %lld", what,
                         (long long) INT64_MAX);
    } else if (q->rc != SQLITE_OK && q->rc != SQLITE_ROW && q->rc != SQLITE_DONE) {
        rc = journal_fail(q->j, q->rc, what, err);
    }
    (void) sqlite3_finalize(q->stmt);
    q->stmt = NULL;
    return rc;
}

int sql_run(struct sql *q, const char *what, struct err *err)
{
    while (sql_row(q)) {
    }
    return sql_end(q, what, err);
}

int sql_exec(struct journal *j, const char *text, const char *what, struct err *err)
{
    int rc = sqlite3_exec(j->db, text, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : journal_fail(j, rc, what, err);
}

int journal_relax(struct journal *j, bool relaxed, struct err *err)
{
    return sql_exec(j, relaxed ? "PRAGMA synchronous = NORMAL" : "PRAGMA synchronous = FULL",
                    "write", err);
}

int sql_begin(struct journal *j, struct err *err)
{
    struct sql q = sql_new(j, "BEGIN IMMEDIATE");
    return sql_run(&q, "write", err);
}

int sql_finish(struct journal *j, int rc, struct err *err)
{
    if (rc == 0) {
        struct sql q = sql_new(j, "COMMIT");
        rc = sql_run(&q, "write", err);
    }
    if (rc < 0 && !sqlite3_get_autocommit(j->db)) {
        (void) sqlite3_exec(j->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return rc;
}

int journal_number(struct journal *j, const char *id, uint64_t *ret, struct err *err)
{
    struct sql q = sql_new(j, "SELECT number FROM releases WHERE id = ?");
    sql_text(&q, id);
    bool found = sql_row(&q);
    uint64_t number = found ? sql_get_u64(&q, 0) : 0;
    int rc = sql_end(&q, "read", err);
    if (rc < 0) {
        return rc;
    }
    if (!found) {
        return journal_err(j, err, ERR_NOT_FOUND, "has no release \"%.100s\"", id);
    }
    *ret = number;
    return 0;
}

int journal_check_text(const char *name, struct str text, size_t max, struct err *err)
{
    if (text.len > max) {
        return err_set(err, ERR_FULL, "%s has %zu bytes, at most %zu can be noted", name, text.len,
                       max);
    }
    if (!str_is_utf8(text) || str_find_char(text, '\0') < text.len) {
        return err_set(err, ERR_INVALID, "%s is no text of UTF-8", name);
    }
    return 0;
}

int journal_check_json(const char *name, struct str text, size_t max, struct err *err)
{
    int rc = journal_check_text(name, text, max, err);
    if (rc < 0) {
        return rc;
    }
    if (str_find_char(text, '\n') < text.len) {
        return err_set(err, ERR_INVALID, "%s has a line feed; one line of JSON is wanted", name);
    }
    /* Without blanks around, so that it is the same bytes again out of an envelope (merge.h). */
    if (text.len < 2 || text.ptr[0] != '{' || text.ptr[text.len - 1] != '}') {
        return err_set(err, ERR_INVALID, "%s is no object of JSON, from { to }", name);
    }
    struct json_reader r;
    enum json_token token;
    json_reader_init_deep(&r, text, JSON_WRITER_DEPTH);
    while ((token = json_next(&r)) > JSON_END) {
    }
    if (token == JSON_ERROR) {
        return err_set(err, ERR_INVALID, "%s is no JSON: %s", name, r.error);
    }
    return 0;
}
