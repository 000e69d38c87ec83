/* The envelope of a line, and the union of many hosts' lines. */
#include "journal/merge.h"

#include "base/json.h"
#include "base/num.h"

#include <stdarg.h>

void journal_line_write(struct buf *b, const struct journal_line *line)
{
    struct json_writer w;
    json_writer_init(&w, b);
    json_obj_begin(&w);
    json_kv_u64(&w, "seq", line->seq);
    json_kv_u64(&w, "at_ms", line->at_ms);
    json_kv_str(&w, "host", str_of(line->host));
    json_key(&w, "note");
    json_raw(&w, str_of(line->text));
    json_obj_end(&w);
    buf_add_char(b, '\n');
}

/* A line that is not copied yet, and where it stands. */
struct view {
    uint64_t seq, at_ms;
    struct str host; /* still escaped */
    struct str note;
    size_t source, line;
};

enum member { MEMBER_SEQ, MEMBER_AT_MS, MEMBER_HOST, MEMBER_NOTE, MEMBERS };
static const char *const member_name[MEMBERS] = {"seq", "at_ms", "host", "note"};

static int read_u64(struct json_reader *r, const char *name, uint64_t min, uint64_t *ret,
                    struct err *err)
{
    if (json_next(r) != JSON_NUMBER || num_u64(r->value, min, INT64_MAX, ret) < 0) {
        return err_set(err, ERR_INVALID, "\"%s\" is no whole number from %llu on", name,
                       (unsigned long long) min);
    }
    return 0;
}

static int read_host(struct json_reader *r, struct str *ret, struct err *err)
{
    char host[JOURNAL_HOST_MAX + 1];
    struct str plain;
    if (json_next(r) != JSON_STRING || json_unescape(r->value, host, sizeof host, &plain) < 0) {
        return err_set(err, ERR_INVALID, "\"host\" is no name of at most %d bytes",
                       JOURNAL_HOST_MAX);
    }
    *ret = r->value;
    return 0;
}

static int read_note(struct json_reader *r, struct str *ret, struct err *err)
{
    if (json_next(r) != JSON_OBJ_BEGIN) {
        return err_set(err, ERR_INVALID, "\"note\" is no object");
    }
    const char *first = r->value.ptr;
    unsigned depth = 1;
    while (depth > 0) {
        enum json_token token = json_next(r);
        if (token <= JSON_END) {
            return err_set(err, ERR_INVALID, "%s", r->error != NULL ? r->error : "it is cut");
        }
        depth += token == JSON_OBJ_BEGIN || token == JSON_ARR_BEGIN;
        depth -= token == JSON_OBJ_END || token == JSON_ARR_END;
    }
    size_t len = (size_t) (r->value.ptr + r->value.len - first);
    if (len > JOURNAL_LINE_MAX) {
        return err_set(err, ERR_FULL, "\"note\" has %zu bytes, at most %d are read", len,
                       JOURNAL_LINE_MAX);
    }
    *ret = (struct str){first, len};
    return 0;
}

static int read_member(struct json_reader *r, unsigned *seen, struct view *v, struct err *err)
{
    unsigned m = 0;
    while (m < MEMBERS && !str_eq_cstr(r->value, member_name[m])) {
        m++;
    }
    if (m == MEMBERS) {
        return json_skip(r) < 0 ? err_set(err, ERR_INVALID, "%s", r->error) : 0;
    }
    if ((*seen & 1u << m) != 0) {
        return err_set(err, ERR_INVALID, "\"%s\" stands there twice", member_name[m]);
    }
    *seen |= 1u << m;
    switch ((enum member) m) {
    case MEMBER_SEQ:
        return read_u64(r, "seq", 1, &v->seq, err);
    case MEMBER_AT_MS:
        return read_u64(r, "at_ms", 0, &v->at_ms, err);
    case MEMBER_HOST:
        return read_host(r, &v->host, err);
    case MEMBER_NOTE:
    case MEMBERS:
    default:
        return read_note(r, &v->note, err);
    }
}

static int read_view(struct str text, struct view *ret, struct err *err)
{
    struct view v = {0};
    struct json_reader r;
    unsigned seen = 0;
    enum json_token token;
    if (text.len > JOURNAL_ENVELOPE_MAX) {
        return err_set(err, ERR_FULL, "it has %zu bytes, at most %d are read", text.len,
                       JOURNAL_ENVELOPE_MAX);
    }
    json_reader_init_deep(&r, text, JSON_WRITER_DEPTH + 1);
    if (json_next(&r) != JSON_OBJ_BEGIN) {
        return err_set(err, ERR_INVALID, "it is no object of JSON");
    }
    while ((token = json_next(&r)) == JSON_KEY) {
        int rc = read_member(&r, &seen, &v, err);
        if (rc < 0) {
            return rc;
        }
    }
    if (token != JSON_OBJ_END || json_next(&r) != JSON_END) {
        return err_set(err, ERR_INVALID, "%s", r.error != NULL ? r.error : "it is cut");
    }
    for (unsigned m = 0; m < MEMBERS; m++) {
        if ((seen & 1u << m) == 0) {
            return err_set(err, ERR_INVALID, "\"%s\" is missing", member_name[m]);
        }
    }
    *ret = v;
    return 0;
}

static struct journal_line copy_view(const struct view *v)
{
    char host[JOURNAL_HOST_MAX + 1];
    struct str plain;
    if (json_unescape(v->host, host, sizeof host, &plain) < 0) {
        plain = (struct str){0}; /* read_host tried it, so it does not come to this */
    }
    return (struct journal_line){v->seq, v->at_ms, mem_strdup_str(plain), mem_strdup_str(v->note)};
}

int journal_line_read(struct str text, struct journal_line *ret, struct err *err)
{
    struct view v;
    if (str_find_char(text, '\n') + 1 == text.len) {
        text.len--;
    }
    if (str_find_char(text, '\n') < text.len) {
        return err_set(err, ERR_INVALID, "it is more than one line");
    }
    int rc = read_view(text, &v, err);
    if (rc == 0) {
        *ret = copy_view(&v);
    }
    return rc;
}

void journal_line_done(struct journal_line *line)
{
    mem_free(line->host);
    mem_free(line->text);
    *line = (struct journal_line){0};
}

static __attribute__((format(printf, 4, 5))) void
add_flaw(struct journal_merged *m, enum journal_flaw_kind kind, uint64_t seq, const char *fmt, ...)
{
    size_t *const count[] = {
        [FLAW_TORN] = &m->torn,
        [FLAW_GARBAGE] = &m->garbage,
        [FLAW_CONTRADICTION] = &m->contradictions,
    };
    (*count[kind])++;
    if (m->flaws.len == JOURNAL_FLAWS_MAX) {
        return;
    }
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct journal_flaw flaw = {kind, seq, mem_strdup(text)};
    vec_push(&m->flaws, flaw);
}

struct views {
    VEC(struct view) list;
};

/*
 * A host that crashed while a line was written leaves a part of it, and the next line may stand
 * right behind it.  Where a line begins can be told: inside of a text the quotes are escaped, and
 * an object inside of a note leaves something behind its end.
 */
static bool read_behind_torn(struct str text, struct view *ret)
{
    static const char begin[] = "{\"seq\":";
    const char *from = text.ptr + 1, *end = text.ptr + text.len, *at;
    bool found = false;
    while (!found && from < end &&
           (at = memmem(from, (size_t) (end - from), begin, sizeof begin - 1)) != NULL) {
        found = read_view((struct str){at, (size_t) (end - at)}, ret, NULL) == 0;
        from = at + 1;
    }
    return found;
}

static void read_source(const struct journal_source *source, size_t index, struct views *views,
                        struct journal_merged *ret)
{
    struct str rest = source->text, text;
    size_t line = 0;
    while (str_cut(&rest, '\n', &text)) {
        bool last = rest.ptr == NULL;
        struct view v = {0};
        struct err err = {0};
        line++;
        if (text.len == 0) {
            continue;
        }
        bool good = read_view(text, &v, &err) == 0;
        if (!good && read_behind_torn(text, &v)) {
            good = true;
            add_flaw(ret, FLAW_TORN, 0,
                     "%s: line %zu: a line that was cut stands in front of line %llu of the "
                     "release",
                     source->name, line, (unsigned long long) v.seq);
        } else if (!good) {
            add_flaw(ret, last ? FLAW_TORN : FLAW_GARBAGE, 0, "%s: line %zu: %s%s", source->name,
                     line, last ? "the last line was cut: " : "no line of a release: ", err.msg);
        }
        if (good) {
            v.source = index;
            v.line = line;
            vec_push(&views->list, v);
        }
    }
}

static int by_seq(const void *pa, const void *pb)
{
    const struct view *a = pa, *b = pb;
    if (a->seq != b->seq) {
        return a->seq < b->seq ? -1 : 1;
    }
    if (a->source != b->source) {
        return a->source < b->source ? -1 : 1;
    }
    return a->line < b->line ? -1 : a->line > b->line;
}

static bool same(const struct view *a, const struct view *b)
{
    return a->at_ms == b->at_ms && str_eq(a->host, b->host) && str_eq(a->note, b->note);
}

void journal_merge(const struct journal_source *source, size_t n, struct journal_merged *ret)
{
    struct journal_merged m = {0};
    struct views views = {0};
    for (size_t i = 0; i < n; i++) {
        read_source(&source[i], i, &views, &m);
    }
    if (views.list.len > 0) {
        qsort(views.list.ptr, views.list.len, sizeof *views.list.ptr, by_seq);
    }
    const struct view *kept = NULL;
    for (size_t i = 0; i < views.list.len; i++) {
        const struct view *v = &views.list.ptr[i];
        if (kept != NULL && kept->seq == v->seq) {
            if (!same(kept, v)) {
                add_flaw(&m, FLAW_CONTRADICTION, v->seq,
                         "%s: line %zu: line %llu of the release is another one than at %s, line "
                         "%zu",
                         source[v->source].name, v->line, (unsigned long long) v->seq,
                         source[kept->source].name, kept->line);
            }
            continue;
        }
        uint64_t wanted = kept == NULL ? 1 : kept->seq + 1;
        if (v->seq > wanted) {
            struct journal_gap gap = {wanted, v->seq - 1};
            vec_push(&m.gaps, gap);
        }
        struct journal_line line = copy_view(v);
        vec_push(&m.lines.list, line);
        kept = v;
    }
    vec_done(&views.list);
    *ret = m;
}

void journal_merged_done(struct journal_merged *merged)
{
    journal_lines_done(&merged->lines);
    for (size_t i = 0; i < merged->flaws.len; i++) {
        mem_free(merged->flaws.ptr[i].message);
    }
    vec_done(&merged->flaws);
    vec_done(&merged->gaps);
}
