/* JUnit's XML: a testsuite for each test, a testcase for each case. */
#include "apitest/report_int.h"

#include "base/cleanup.h"
#include "base/clock.h"

static void attribute(struct buf *b, const struct apitest_run *run, const char *name,
                      struct str value)
{
    buf_addf(b, " %s=\"", name);
    report_xml(run, value, b);
    buf_add_char(b, '"');
}

static void seconds(struct buf *b, const char *name, uint64_t us)
{
    buf_addf(b, " %s=\"%llu.%06llu\"", name, (unsigned long long) (us / 1000000),
             (unsigned long long) (us % 1000000));
}

/* What is in the body of a failure: the same text as on the terminal. */
static void body(struct buf *b, const struct apitest_run *run,
                 const struct apitest_case_result *result)
{
    _cleanup_(buf_done) struct buf text;
    buf_init(&text, REPORT_BYTES_MAX);
    apitest_report_failure(run, result, false, &text);
    report_xml(run, buf_str(&text), b);
}

static void attempts(struct buf *b, const struct apitest_run *run,
                     const struct apitest_case_result *result)
{
    if (result->attempts < 2) {
        return;
    }
    buf_add_cstr(b, "<system-out>");
    for (size_t i = 0; i < result->attempts; i++) {
        const struct apitest_attempt *a = &result->attempt[i];
        buf_addf(b, "attempt %zu: %s after %llu us, status ", i + 1,
                 apitest_outcome_word(a->outcome), (unsigned long long) a->took_us);
        report_xml(run, a->status, b);
        if (a->diffs.list.len > 0) {
            buf_add_cstr(b, ", ");
            report_xml(run, a->diffs.list.ptr[0].path, b);
            buf_add_cstr(b, " was ");
            report_xml(run, a->diffs.list.ptr[0].got, b);
        }
        buf_add_cstr(b, "&#10;");
    }
    buf_add_cstr(b, "</system-out>");
}

/* What is wrong in one line: the reason, else the first difference. */
static void message(struct buf *b, const struct apitest_run *run,
                    const struct apitest_case_result *result)
{
    _cleanup_(buf_done) struct buf text;
    buf_init(&text, REPORT_BYTES_MAX);
    buf_add_str(&text, result->reason);
    if (result->reason.len == 0 && result->attempts > 0) {
        const struct apitest_attempt *last = &result->attempt[result->attempts - 1];
        if (last->diffs.list.len > 0) {
            const struct apitest_diff *diff = &last->diffs.list.ptr[0];
            buf_add_str(&text, diff->path);
            buf_add_cstr(&text, ": expected ");
            buf_add_str(&text, diff->expected);
            buf_add_cstr(&text, ", got ");
            buf_add_str(&text, diff->got);
        } else {
            buf_add_str(&text, last->status);
        }
    }
    attribute(b, run, "message", buf_str(&text));
}

static void testcase(struct buf *b, const struct apitest_run *run,
                     const struct apitest_case_result *result)
{
    const struct apitest_case *c = result->c;
    buf_add_cstr(b, "    <testcase");
    attribute(b, run, "classname", c->test->name);
    _cleanup_(buf_done) struct buf full;
    buf_init(&full, REPORT_BYTES_MAX);
    buf_add_str(&full, c->name);
    if (result->label.len > 0) {
        buf_addf(&full, " [" STR_FMT "]", STR_ARG(result->label));
    }
    attribute(b, run, "name", buf_str(&full));
    attribute(b, run, "file", str_of(c->pos.file));
    buf_addf(b, " line=\"%u\" assertions=\"%zu\"", c->pos.line, result->checks);
    seconds(b, "time", result->took_us);
    buf_add_cstr(b, ">");
    switch (result->outcome) {
    case APITEST_FAILED:
        buf_add_cstr(b, "<failure");
        message(b, run, result);
        buf_add_cstr(b, ">");
        body(b, run, result);
        buf_add_cstr(b, "</failure>");
        break;
    case APITEST_UNREACHABLE:
    case APITEST_LATE:
    case APITEST_NOT_RUN:
        buf_add_cstr(b, "<error");
        attribute(b, run, "type", str_of(apitest_outcome_word(result->outcome)));
        message(b, run, result);
        buf_add_cstr(b, ">");
        body(b, run, result);
        buf_add_cstr(b, "</error>");
        break;
    case APITEST_SKIPPED:
        buf_add_cstr(b, "<skipped");
        attribute(b, run, "message", result->reason);
        buf_add_cstr(b, "/>");
        break;
    case APITEST_PASSED:
    case APITEST_PENDING:
        break;
    }
    attempts(b, run, result);
    buf_add_cstr(b, "</testcase>\n");
}

/* Counts of the results from first on that are of the same test and run. */
struct group {
    size_t n, tests, failures, errors, skipped;
    uint64_t took_us;
};

static struct group group_at(const struct apitest_run *run, size_t first)
{
    struct group g = {0};
    const struct apitest_case_result *head = &run->result[first];
    for (size_t i = first; i < run->results; i++) {
        const struct apitest_case_result *result = &run->result[i];
        if (result->c->test != head->c->test || !str_eq(result->label, head->label)) {
            break;
        }
        g.n++;
        g.tests += result->outcome != APITEST_PENDING;
        g.failures += result->outcome == APITEST_FAILED;
        g.errors += result->outcome == APITEST_UNREACHABLE || result->outcome == APITEST_LATE ||
                    result->outcome == APITEST_NOT_RUN;
        g.skipped += result->outcome == APITEST_SKIPPED;
        g.took_us += result->took_us;
    }
    return g;
}

static void counts(struct buf *b, const struct group *g)
{
    buf_addf(b, " tests=\"%zu\" failures=\"%zu\" errors=\"%zu\" skipped=\"%zu\"", g->tests,
             g->failures, g->errors, g->skipped);
    seconds(b, "time", g->took_us);
}

void apitest_report_junit(const struct apitest_run *run, struct buf *b)
{
    _cleanup_(buf_done) struct buf raw;
    char when[32];
    struct group all = {0};
    buf_init(&raw, REPORT_BYTES_MAX);
    clock_format_utc_ms(run->wall_start_ms, when);
    for (size_t i = 0; i < run->results;) {
        struct group g = group_at(run, i);
        all.tests += g.tests;
        all.failures += g.failures;
        all.errors += g.errors;
        all.skipped += g.skipped;
        i += g.n;
    }
    all.took_us = run->totals.took_us;
    buf_add_cstr(&raw, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"pourover\"");
    counts(&raw, &all);
    buf_add_cstr(&raw, ">\n");
    for (size_t i = 0; i < run->results;) {
        struct group g = group_at(run, i);
        buf_add_cstr(&raw, "  <testsuite");
        attribute(&raw, run, "name", run->result[i].c->test->name);
        attribute(&raw, run, "timestamp", str_of(when));
        counts(&raw, &g);
        buf_add_cstr(&raw, ">\n");
        for (size_t k = i; k < i + g.n; k++) {
            if (run->result[k].outcome != APITEST_PENDING) {
                testcase(&raw, run, &run->result[k]);
            }
        }
        buf_add_cstr(&raw, "  </testsuite>\n");
        i += g.n;
    }
    buf_add_cstr(&raw, "</testsuites>\n");
    buf_add_str(b, buf_str(&raw));
}
