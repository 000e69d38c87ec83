/* Releases and their lines. */
#include "base/cleanup.h"
#include "journal/journal_int.h"

#define COLUMNS                                                                        \
    "number, id, service, environment, kind, version, from_version, state, who, why, " \
    "began_ms, ended_ms, config_path, config_hash, header"

static int check_release(const struct journal_release *r, struct err *err)
{
    const struct {
        const char *name, *text;
    } fields[] = {{"the id of a release", r->id},
                  {"the name of a service", r->service},
                  {"the name of an environment", r->environment},
                  {"the kind of a release", r->kind},
                  {"a version", r->version},
                  {"the version before", r->from},
                  {"the state of a release", r->state},
                  {"the name of who releases", r->by},
                  {"the reason of a release", r->why},
                  {"the path of release.yaml", r->config_path},
                  {"the hash of release.yaml", r->config_hash}};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof fields / sizeof fields[0]; i++) {
        rc = journal_check_text(fields[i].name, str_of(fields[i].text), JOURNAL_FIELD_MAX, err);
    }
    if (rc == 0 && (str_of(r->id).len == 0 || str_of(r->service).len == 0)) {
        rc = err_set(err, ERR_INVALID, "a release without id or service cannot be noted");
    }
    if (rc == 0 && str_of(r->header).len > 0) {
        rc = journal_check_json("the header of a release", str_of(r->header), JOURNAL_HEADER_MAX,
                                err);
    }
    return rc;
}

static int insert_release(struct journal *j, const struct journal_release *r, uint64_t *ret_number,
                          struct err *err)
{
    struct sql q = sql_new(
        j, "INSERT INTO releases (id, service, environment, kind, version, from_version, state, "
           "who, why, began_ms, ended_ms, config_path, config_hash, header) "
           "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    const char *const texts[] = {r->id,   r->service, r->environment, r->kind, r->version,
                                 r->from, r->state,   r->by,          r->why};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        sql_text(&q, texts[i]);
    }
    sql_u64(&q, r->began_ms);
    sql_u64(&q, r->ended_ms);
    sql_text(&q, r->config_path);
    sql_text(&q, r->config_hash);
    sql_text(&q, r->header);
    (void) sql_row(&q);
    if (q.rc == SQLITE_CONSTRAINT_UNIQUE) {
        (void) sqlite3_finalize(q.stmt);
        return journal_err(j, err, ERR_CONFLICT, "has a release \"%.100s\" already", r->id);
    }
    int rc = sql_end(&q, "write", err);
    if (rc == 0) {
        *ret_number = (uint64_t) sqlite3_last_insert_rowid(j->db);
    }
    return rc;
}

int journal_begin(struct journal *j, const struct journal_release *release, uint64_t *ret_number,
                  struct err *err)
{
    uint64_t number = 0;
    int rc = check_release(release, err);
    rc = rc == 0 ? sql_begin(j, err) : rc;
    if (rc < 0) {
        return rc;
    }
    rc = sql_finish(j, insert_release(j, release, &number, err), err);
    if (rc == 0) {
        *ret_number = number;
    }
    return rc;
}

int journal_set_state(struct journal *j, const char *id, const char *state, uint64_t ended_ms,
                      struct err *err)
{
    uint64_t number;
    int rc = journal_check_text("the state of a release", str_of(state), JOURNAL_FIELD_MAX, err);
    rc = rc == 0 ? sql_begin(j, err) : rc;
    if (rc < 0) {
        return rc;
    }
    rc = journal_number(j, id, &number, err);
    if (rc == 0) {
        struct sql q = sql_new(j, "UPDATE releases SET state = ?, ended_ms = ? WHERE number = ?");
        sql_text(&q, state);
        sql_u64(&q, ended_ms);
        sql_u64(&q, number);
        rc = sql_run(&q, "write", err);
    }
    return sql_finish(j, rc, err);
}

static int check_line(const struct journal_line *line, struct err *err)
{
    int rc = journal_check_text("the name of a host", str_of(line->host), JOURNAL_HOST_MAX, err);
    rc = rc == 0 ? journal_check_json("a line", str_of(line->text), JOURNAL_LINE_MAX, err) : rc;
    if (rc == 0 && line->seq == 0) {
        rc = err_set(err, ERR_INVALID, "a line has the number 0; they begin at 1");
    }
    return rc;
}

enum present { LINE_MISSING, LINE_SAME, LINE_OTHER };

/* Whether the release has the line, and its greatest seq (0: none). */
static int look_for_line(struct journal *j, uint64_t number, const struct journal_line *line,
                         enum present *ret, uint64_t *ret_last, struct err *err)
{
    struct sql q = sql_new(j, "SELECT at_ms = ? AND host = ? AND text = ?,"
                              " (SELECT max(seq) FROM lines WHERE release = ?)"
                              " FROM (SELECT 1) LEFT JOIN lines ON release = ? AND seq = ?");
    sql_u64(&q, line->at_ms);
    sql_text(&q, line->host);
    sql_text(&q, line->text);
    sql_u64(&q, number);
    sql_u64(&q, number);
    sql_u64(&q, line->seq);
    if (sql_row(&q)) {
        bool missing = sqlite3_column_type(q.stmt, 0) == SQLITE_NULL;
        *ret = missing ? LINE_MISSING : sql_get_u64(&q, 0) == 1 ? LINE_SAME : LINE_OTHER;
        *ret_last = sql_get_u64(&q, 1);
    }
    return sql_end(&q, "read", err);
}

static int put_line(struct journal *j, uint64_t number, const struct journal_line *line,
                    struct err *err)
{
    struct sql q = sql_new(j, "INSERT OR REPLACE INTO lines (release, seq, at_ms, host, text) "
                              "VALUES (?, ?, ?, ?, ?)");
    sql_u64(&q, number);
    sql_u64(&q, line->seq);
    sql_u64(&q, line->at_ms);
    sql_text(&q, line->host);
    sql_text(&q, line->text);
    return sql_run(&q, "write", err);
}

static int other_line(struct journal *j, const char *id, uint64_t seq, struct err *err)
{
    return journal_err(j, err, ERR_CONFLICT,
                       "has another line %llu of release \"%.100s\"; another process carries it "
                       "out, or did",
                       (unsigned long long) seq, id);
}

static int append(struct journal *j, const char *id, const struct journal_line *line,
                  struct err *err)
{
    uint64_t number = 0, last = 0;
    enum present present = LINE_MISSING;
    int rc = journal_number(j, id, &number, err);
    rc = rc == 0 ? look_for_line(j, number, line, &present, &last, err) : rc;
    if (rc < 0 || present == LINE_SAME) {
        return rc;
    }
    if (present == LINE_OTHER) {
        return other_line(j, id, line->seq, err);
    }
    if (line->seq < last) {
        return journal_err(j, err, ERR_CONFLICT,
                           "has line %llu of release \"%.100s\", so that line %llu comes too late",
                           (unsigned long long) last, id, (unsigned long long) line->seq);
    }
    return put_line(j, number, line, err);
}

int journal_append(struct journal *j, const char *id, const struct journal_line *line,
                   struct err *err)
{
    int rc = check_line(line, err);
    rc = rc == 0 ? sql_begin(j, err) : rc;
    return rc < 0 ? rc : sql_finish(j, append(j, id, line, err), err);
}

static int import(struct journal *j, const struct journal_release *release,
                  const struct journal_line *line, size_t n, bool hosts_win, uint64_t *ret_number,
                  struct err *err)
{
    int rc = journal_number(j, release->id, ret_number, err);
    if (rc == ERR_NOT_FOUND) {
        rc = insert_release(j, release, ret_number, err);
    }
    for (size_t i = 0; rc == 0 && i < n; i++) {
        enum present present = LINE_MISSING;
        uint64_t last = 0;
        rc = look_for_line(j, *ret_number, &line[i], &present, &last, err);
        if (rc == 0 && present == LINE_OTHER && !hosts_win) {
            rc = other_line(j, release->id, line[i].seq, err);
        }
        if (rc == 0 && present != LINE_SAME) {
            rc = put_line(j, *ret_number, &line[i], err);
        }
    }
    return rc;
}

int journal_import(struct journal *j, const struct journal_release *release,
                   const struct journal_line *line, size_t n, bool hosts_win, uint64_t *ret_number,
                   struct err *err)
{
    uint64_t number = 0;
    int rc = check_release(release, err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        rc = check_line(&line[i], err);
    }
    rc = rc == 0 ? sql_begin(j, err) : rc;
    if (rc < 0) {
        return rc;
    }
    rc = sql_finish(j, import(j, release, line, n, hosts_win, &number, err), err);
    if (rc == 0) {
        *ret_number = number;
    }
    return rc;
}

static struct journal_release get_release(const struct sql *q)
{
    return (struct journal_release){
        .number = sql_get_u64(q, 0),
        .id = sql_get_text(q, 1),
        .service = sql_get_text(q, 2),
        .environment = sql_get_text(q, 3),
        .kind = sql_get_text(q, 4),
        .version = sql_get_text(q, 5),
        .from = sql_get_text(q, 6),
        .state = sql_get_text(q, 7),
        .by = sql_get_text(q, 8),
        .why = sql_get_text(q, 9),
        .began_ms = sql_get_u64(q, 10),
        .ended_ms = sql_get_u64(q, 11),
        .config_path = sql_get_text(q, 12),
        .config_hash = sql_get_text(q, 13),
        .header = sql_get_text(q, 14),
    };
}

void journal_release_done(struct journal_release *r)
{
    char *const texts[] = {r->id,      r->service,     r->environment, r->kind,
                           r->version, r->from,        r->state,       r->by,
                           r->why,     r->config_path, r->config_hash, r->header};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        mem_free(texts[i]);
    }
    *r = (struct journal_release){0};
}

/* Takes the rest of q: the one release, or the message that there is none. */
static int find_one(struct sql *q, const char *what, struct journal_release *ret, struct err *err)
{
    struct journal *j = q->j;
    struct journal_release found = {0};
    bool any = sql_row(q);
    if (any) {
        found = get_release(q);
    }
    int rc = sql_end(q, "read", err);
    if (rc == 0 && !any) {
        rc = journal_err(j, err, ERR_NOT_FOUND, "has no %s", what);
    }
    if (rc == 0) {
        *ret = found;
    }
    return rc;
}

int journal_find(struct journal *j, const char *service, const char *environment, uint64_t number,
                 struct journal_release *ret, struct err *err)
{
    char what[320];
    struct sql q = sql_new(j, "SELECT " COLUMNS " FROM releases"
                              " WHERE (?1 IS NULL OR service = ?1)"
                              " AND (?2 IS NULL OR environment = ?2)"
                              " AND (?3 = 0 OR number = ?3) ORDER BY number DESC LIMIT 1");
    sql_text_or_null(&q, service);
    sql_text_or_null(&q, environment);
    sql_u64(&q, number);
    char which[32] = "";
    if (number > 0) {
        buf_print(which, sizeof which, " %llu", (unsigned long long) number);
    }
    buf_print(what, sizeof what, "release%s%s%.80s%s%.80s", which,
              service != NULL ? " of service " : "", service != NULL ? service : "",
              environment != NULL ? " in " : "", environment != NULL ? environment : "");
    return find_one(&q, what, ret, err);
}

int journal_find_id(struct journal *j, const char *id, struct journal_release *ret, struct err *err)
{
    char what[160];
    struct sql q = sql_new(j, "SELECT " COLUMNS " FROM releases WHERE id = ?");
    sql_text(&q, id);
    buf_print(what, sizeof what, "release \"%.100s\"", id);
    return find_one(&q, what, ret, err);
}

int journal_list(struct journal *j, const char *service, unsigned limit,
                 struct journal_releases *ret, struct err *err)
{
    return journal_select(j, &(struct journal_filter){.service = service}, limit, ret, err);
}

#define CHOSEN                                                                               \
    " FROM releases WHERE (?1 IS NULL OR service = ?1) AND (?2 IS NULL OR environment = ?2)" \
    " AND (?3 IS NULL OR kind = ?3) AND (?4 IS NULL OR state = ?4)"                          \
    " AND (?5 = 0 OR ended_ms = 0) AND (?6 = 0 OR number < ?6)"

static void choose(struct sql *q, const struct journal_filter *f)
{
    sql_text_or_null(q, f->service);
    sql_text_or_null(q, f->environment);
    sql_text_or_null(q, f->kind);
    sql_text_or_null(q, f->state);
    sql_u64(q, f->open);
    sql_u64(q, f->before);
}

int journal_select(struct journal *j, const struct journal_filter *filter, unsigned limit,
                   struct journal_releases *ret, struct err *err)
{
    struct journal_releases found = {0};
    struct sql q = sql_new(j, "SELECT " COLUMNS CHOSEN " ORDER BY number DESC LIMIT ?7");
    choose(&q, filter);
    sql_u64(&q, limit);
    while (sql_row(&q)) {
        struct journal_release release = get_release(&q);
        vec_push(&found.list, release);
    }
    int rc = sql_end(&q, "read", err);
    if (rc < 0) {
        journal_releases_done(&found);
        return rc;
    }
    *ret = found;
    return 0;
}

int journal_count(struct journal *j, const struct journal_filter *filter, uint64_t *ret,
                  struct err *err)
{
    struct sql q = sql_new(j, "SELECT count(*)" CHOSEN);
    choose(&q, filter);
    uint64_t count = sql_row(&q) ? sql_get_u64(&q, 0) : 0;
    int rc = sql_end(&q, "read", err);
    if (rc == 0) {
        *ret = count;
    }
    return rc;
}

void journal_releases_done(struct journal_releases *list)
{
    for (size_t i = 0; i < list->list.len; i++) {
        journal_release_done(&list->list.ptr[i]);
    }
    vec_done(&list->list);
}

int journal_read(struct journal *j, const char *id, uint64_t after_seq, struct journal_lines *ret,
                 struct err *err)
{
    struct journal_lines found = {0};
    uint64_t number = 0;
    int rc = journal_number(j, id, &number, err);
    if (rc < 0) {
        return rc;
    }
    struct sql q = sql_new(j, "SELECT seq, at_ms, host, text FROM lines"
                              " WHERE release = ? AND seq > ? ORDER BY seq");
    sql_u64(&q, number);
    sql_u64(&q, after_seq);
    while (sql_row(&q)) {
        struct journal_line line = {.seq = sql_get_u64(&q, 0),
                                    .at_ms = sql_get_u64(&q, 1),
                                    .host = sql_get_text(&q, 2),
                                    .text = sql_get_text(&q, 3)};
        vec_push(&found.list, line);
    }
    rc = sql_end(&q, "read", err);
    if (rc < 0) {
        journal_lines_done(&found);
        return rc;
    }
    *ret = found;
    return 0;
}

void journal_lines_done(struct journal_lines *lines)
{
    for (size_t i = 0; i < lines->list.len; i++) {
        mem_free(lines->list.ptr[i].host);
        mem_free(lines->list.ptr[i].text);
    }
    vec_done(&lines->list);
}
