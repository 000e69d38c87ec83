/* A release as JUnit's XML, for CI: a testcase a step. */
#include "cli/view.h"

/* What XML cannot hold becomes "?". */
static void xml(struct buf *b, const char *text)
{
    struct str s = str_of(text);
    for (size_t i = 0; i < s.len;) {
        unsigned char c = (unsigned char) s.ptr[i];
        size_t len = str_utf8_char((struct str){s.ptr + i, s.len - i});
        if (c == '<') {
            buf_add_cstr(b, "&lt;");
        } else if (c == '>') {
            buf_add_cstr(b, "&gt;");
        } else if (c == '&') {
            buf_add_cstr(b, "&amp;");
        } else if (c == '"') {
            buf_add_cstr(b, "&quot;");
        } else if (c == '\n') {
            buf_add_cstr(b, "&#10;");
        } else if (len == 0 || c < ' ' || c == 0x7f) {
            buf_add_char(b, '?');
        } else {
            buf_add(b, s.ptr + i, len);
        }
        i += len == 0 ? 1 : len;
    }
}

static void testcase(const struct view *v, const struct view_step *s, struct buf *b)
{
    const char *host = view_host_of(v, s);
    buf_add_cstr(b, "  <testcase classname=\"");
    xml(b, host[0] != '\0' ? host : "service");
    buf_addf(b, "\" name=\"%s: ", view_part(s->plan.key.part));
    xml(b, release_step_name[s->plan.key.kind]);
    if (s->words != NULL) {
        buf_add_cstr(b, ": ");
        xml(b, s->words);
    }
    buf_addf(b, "\" time=\"%llu.%03llu\"", (unsigned long long) (s->took_ms / 1000),
             (unsigned long long) (s->took_ms % 1000));
    if (s->status == STEP_DONE) {
        buf_add_cstr(b, "/>\n");
        return;
    }
    if (s->status == STEP_BROKEN) {
        buf_addf(b, ">\n    <failure type=\"%s\" message=\"", release_outcome_name[s->outcome]);
        xml(b, s->text != NULL ? s->text : "");
        buf_add_cstr(b, "\"/>\n  </testcase>\n");
        return;
    }
    buf_addf(b, ">\n    <skipped message=\"%s\"/>\n  </testcase>\n",
             s->status == STEP_SKIPPED ? "not needed" : "not reached");
}

static bool is_told(const struct view *v, size_t i)
{
    return i < v->len || v->step[i].status != STEP_PENDING;
}

static void testsuite(const struct view *v, struct buf *b)
{
    size_t tests = 0, failures = 0, skipped = 0;
    for (size_t i = 0; i < v->total; i++) {
        enum release_step_status status = v->step[i].status;
        if (is_told(v, i)) {
            tests++;
            failures += status == STEP_BROKEN;
            skipped += status != STEP_DONE && status != STEP_BROKEN;
        }
    }
    buf_add_cstr(b, "<testsuite name=\"pourover ");
    xml(b, v->service);
    buf_add_char(b, ' ');
    xml(b, v->to);
    buf_addf(b, "\" tests=\"%zu\" failures=\"%zu\" errors=\"0\" skipped=\"%zu\" time=\"", tests,
             failures, skipped);
    uint64_t took = v->now_ms > v->began_ms ? v->now_ms - v->began_ms : 0;
    buf_addf(b, "%llu.%03llu\">\n", (unsigned long long) (took / 1000),
             (unsigned long long) (took % 1000));
    for (size_t i = 0; i < v->total; i++) {
        if (is_told(v, i)) {
            testcase(v, &v->step[i], b);
        }
    }
    buf_add_cstr(b, "</testsuite>\n");
}

static void add_head(struct buf *b)
{
    buf_add_cstr(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
}

void view_junit(const struct view *v, struct buf *b)
{
    add_head(b);
    testsuite(v, b);
}

void view_junit_all(const struct view *const *v, size_t n, struct buf *b)
{
    add_head(b);
    buf_add_cstr(b, "<testsuites>\n");
    for (size_t i = 0; i < n; i++) {
        testsuite(v[i], b);
    }
    buf_add_cstr(b, "</testsuites>\n");
}
