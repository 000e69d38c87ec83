/* What is kept and for how long: durations of steps, releases of the past. */
#include "journal/journal_int.h"

static int add_time(struct journal *j, const char *service, const char *step, uint64_t took_ms,
                    uint64_t at_ms, struct err *err)
{
    struct sql q =
        sql_new(j, "INSERT INTO step_times (service, step, took_ms, at_ms) VALUES (?, ?, ?, ?)");
    sql_text(&q, service);
    sql_text(&q, step);
    sql_u64(&q, took_ms);
    sql_u64(&q, at_ms);
    int rc = sql_run(&q, "write", err);
    if (rc < 0) {
        return rc;
    }
    q = sql_new(j, "DELETE FROM step_times WHERE id IN"
                   " (SELECT id FROM step_times WHERE service = ? AND step = ?"
                   " ORDER BY at_ms DESC, id DESC LIMIT -1 OFFSET ?)");
    sql_text(&q, service);
    sql_text(&q, step);
    sql_u64(&q, JOURNAL_TIMES_KEPT);
    return sql_run(&q, "write", err);
}

int journal_add_time(struct journal *j, const char *service, const char *step, uint64_t took_ms,
                     uint64_t at_ms, struct err *err)
{
    int rc = journal_check_text("the name of a service", str_of(service), JOURNAL_FIELD_MAX, err);
    rc = rc == 0 ? journal_check_text("the name of a step", str_of(step), JOURNAL_FIELD_MAX, err)
                 : rc;
    rc = rc == 0 ? journal_relax(j, true, err) : rc;
    if (rc < 0) {
        return rc;
    }
    rc = sql_begin(j, err);
    rc = rc < 0 ? rc : sql_finish(j, add_time(j, service, step, took_ms, at_ms, err), err);
    int after = journal_relax(j, false, rc < 0 ? NULL : err);
    return rc < 0 ? rc : after;
}

int journal_times(struct journal *j, const char *service, const char *step, unsigned limit,
                  uint64_t *out_ms, size_t *ret_n, struct err *err)
{
    size_t n = 0;
    struct sql q = sql_new(j, "SELECT took_ms FROM step_times WHERE service = ? AND step = ?"
                              " ORDER BY at_ms DESC, id DESC LIMIT ?");
    sql_text(&q, service);
    sql_text(&q, step);
    sql_u64(&q, limit);
    while (sql_row(&q)) {
        out_ms[n++] = sql_get_u64(&q, 0);
    }
    int rc = sql_end(&q, "read", err);
    if (rc == 0) {
        *ret_n = n;
    }
    return rc;
}

/* The oldest release that has to go; 0: none. */
static int find_superfluous(struct journal *j, unsigned keep, uint64_t *ret, struct err *err)
{
    struct sql q = sql_new(j, "SELECT min(number) FROM (SELECT number, row_number() OVER"
                              " (PARTITION BY service, environment ORDER BY number DESC) AS nth"
                              " FROM releases WHERE ended_ms > 0) WHERE nth > ?");
    sql_u64(&q, keep);
    uint64_t number = sql_row(&q) ? sql_get_u64(&q, 0) : 0;
    int rc = sql_end(&q, "read", err);
    if (rc == 0) {
        *ret = number;
    }
    return rc;
}

/* Looks and deletes under one lock, as a release may be resumed meanwhile. */
static int prune_one(struct journal *j, unsigned keep, bool *ret_done, struct err *err)
{
    uint64_t number = 0;
    int rc = sql_begin(j, err);
    if (rc < 0) {
        return rc;
    }
    rc = find_superfluous(j, keep, &number, err);
    if (rc == 0 && number > 0) {
        struct sql q = sql_new(j, "DELETE FROM releases WHERE number = ?");
        sql_u64(&q, number);
        rc = sql_run(&q, "write", err);
    }
    *ret_done = number == 0;
    return sql_finish(j, rc, err);
}

int journal_prune(struct journal *j, unsigned keep_releases, uint64_t *ret, struct err *err)
{
    uint64_t n = 0;
    bool done = false;
    int rc = 0;
    while (rc == 0 && !done) {
        rc = prune_one(j, keep_releases, &done, err);
        n += rc == 0 && !done;
    }
    if (rc == 0 && n > 0) {
        struct sql q = sql_new(j, "PRAGMA incremental_vacuum");
        rc = sql_run(&q, "write", err);
    }
    if (rc == 0 && ret != NULL) {
        *ret = n;
    }
    return rc;
}
