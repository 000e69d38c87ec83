/* Requests to the process that runs a release. */
#include "journal/journal_int.h"

static int put_request(struct journal *j, const char *id, struct str text, uint64_t *ret,
                       struct err *err)
{
    uint64_t number = 0;
    int rc = journal_number(j, id, &number, err);
    if (rc < 0) {
        return rc;
    }
    struct sql waiting =
        sql_new(j, "SELECT count(*) FROM requests WHERE release = ? AND taken = 0");
    sql_u64(&waiting, number);
    uint64_t n = sql_row(&waiting) ? sql_get_u64(&waiting, 0) : 0;
    rc = sql_end(&waiting, "read", err);
    if (rc == 0 && n >= JOURNAL_REQUESTS_MAX) {
        rc = journal_err(j, err, ERR_FULL,
                         "has %llu requests to release \"%.100s\" that nobody took; no process "
                         "runs it here",
                         (unsigned long long) n, id);
    }
    if (rc < 0) {
        return rc;
    }
    struct sql q = sql_new(j, "INSERT INTO requests (release, text) VALUES (?, ?)");
    sql_u64(&q, number);
    sql_str(&q, text);
    rc = sql_run(&q, "write", err);
    if (rc == 0) {
        *ret = (uint64_t) sqlite3_last_insert_rowid(j->db);
    }
    return rc;
}

int journal_request(struct journal *j, const char *id, struct str text, uint64_t *ret_request,
                    struct err *err)
{
    uint64_t request = 0;
    int rc = journal_check_json("a request", text, JOURNAL_LINE_MAX, err);
    rc = rc == 0 ? sql_begin(j, err) : rc;
    if (rc < 0) {
        return rc;
    }
    rc = sql_finish(j, put_request(j, id, text, &request, err), err);
    if (rc == 0) {
        *ret_request = request;
    }
    return rc;
}

/* How far a request has come. */
static int look_at_request(struct journal *j, uint64_t request, bool *ret_taken, char **ret_answer,
                           struct err *err)
{
    struct sql q = sql_new(j, "SELECT taken, answer FROM requests WHERE id = ?");
    bool taken = false, found;
    char *answer = NULL;
    sql_u64(&q, request);
    found = sql_row(&q);
    if (found) {
        taken = sql_get_u64(&q, 0) != 0;
        answer = sqlite3_column_type(q.stmt, 1) == SQLITE_NULL ? NULL : sql_get_text(&q, 1);
    }
    int rc = sql_end(&q, "read", err);
    if (rc == 0 && !found) {
        rc =
            journal_err(j, err, ERR_NOT_FOUND, "has no request %llu", (unsigned long long) request);
    }
    if (rc == 0) {
        *ret_taken = taken;
        *ret_answer = answer;
    }
    return rc;
}

static int withdraw(struct journal *j, uint64_t request, struct err *err)
{
    bool taken = false;
    char *answer = NULL;
    int rc = look_at_request(j, request, &taken, &answer, err);
    mem_free(answer);
    if (rc == 0 && taken) {
        rc = journal_err(j, err, ERR_CONFLICT, "request %llu was taken already",
                         (unsigned long long) request);
    }
    if (rc < 0) {
        return rc;
    }
    struct sql q = sql_new(j, "DELETE FROM requests WHERE id = ?");
    sql_u64(&q, request);
    return sql_run(&q, "write", err);
}

int journal_withdraw(struct journal *j, uint64_t request, struct err *err)
{
    int rc = sql_begin(j, err);
    return rc < 0 ? rc : sql_finish(j, withdraw(j, request, err), err);
}

static int read_waiting(struct journal *j, uint64_t number, const char *id,
                        struct journal_requests *ret, struct err *err)
{
    struct sql q = sql_new(j, "SELECT id, text FROM requests WHERE release = ? AND taken = 0 "
                              "ORDER BY id");
    sql_u64(&q, number);
    while (sql_row(&q)) {
        struct journal_request request = {
            .id = sql_get_u64(&q, 0), .release = mem_strdup(id), .text = sql_get_text(&q, 1)};
        vec_push(&ret->list, request);
    }
    return sql_end(&q, "read", err);
}

int journal_take_requests(struct journal *j, const char *id, struct journal_requests *ret,
                          struct err *err)
{
    struct journal_requests found = {0};
    uint64_t number = 0;
    int rc = journal_number(j, id, &number, err);
    rc = rc == 0 ? read_waiting(j, number, id, &found, err) : rc;
    if (rc == 0 && found.list.len > 0) {
        /* Looked at again under the lock of writers; most calls find nothing and need none. */
        journal_requests_done(&found);
        rc = sql_begin(j, err);
        if (rc == 0) {
            rc = read_waiting(j, number, id, &found, err);
            if (rc == 0) {
                struct sql q =
                    sql_new(j, "UPDATE requests SET taken = 1 WHERE release = ? AND taken = 0");
                sql_u64(&q, number);
                rc = sql_run(&q, "write", err);
            }
            rc = sql_finish(j, rc, err);
        }
    }
    if (rc < 0) {
        journal_requests_done(&found);
        return rc;
    }
    *ret = found;
    return 0;
}

void journal_requests_done(struct journal_requests *list)
{
    for (size_t i = 0; i < list->list.len; i++) {
        mem_free(list->list.ptr[i].release);
        mem_free(list->list.ptr[i].text);
    }
    vec_done(&list->list);
}

static int answer_request(struct journal *j, uint64_t request, const char *answer, struct err *err)
{
    bool taken = false;
    char *before = NULL;
    int rc = look_at_request(j, request, &taken, &before, err);
    bool same = before != NULL && strcmp(before, answer) == 0;
    bool other = before != NULL && !same;
    mem_free(before);
    if (rc < 0 || same) {
        return rc;
    }
    if (!taken || other) {
        return journal_err(j, err, ERR_CONFLICT, "request %llu was %s",
                           (unsigned long long) request,
                           other ? "answered otherwise already" : "not taken yet");
    }
    struct sql q = sql_new(j, "UPDATE requests SET answer = ? WHERE id = ?");
    sql_text(&q, answer);
    sql_u64(&q, request);
    return sql_run(&q, "write", err);
}

int journal_answer(struct journal *j, uint64_t request, const char *answer, struct err *err)
{
    int rc = journal_check_text("an answer", str_of(answer), JOURNAL_FIELD_MAX, err);
    rc = rc == 0 ? sql_begin(j, err) : rc;
    return rc < 0 ? rc : sql_finish(j, answer_request(j, request, answer, err), err);
}

int journal_read_answer(struct journal *j, uint64_t request, char **ret, struct err *err)
{
    bool taken;
    return look_at_request(j, request, &taken, ret, err);
}
