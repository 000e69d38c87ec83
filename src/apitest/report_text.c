/* What people read: failures with everything needed to understand and to repeat them, and the last
 * lines. */
#include "apitest/report_int.h"

#include "base/cleanup.h"

#include <stdio.h>

#define DIFFS_SHOWN 20

static const char *const reset = "\x1b[0m";

static void paint(struct buf *b, bool color, const char *code, struct str text)
{
    if (color) {
        buf_addf(b, "\x1b[%sm", code);
    }
    buf_add_str(b, text);
    if (color) {
        buf_add_cstr(b, reset);
    }
}

const char *apitest_outcome_word(enum apitest_outcome outcome)
{
    static const char *const words[] = {
        [APITEST_PENDING] = "-",           [APITEST_PASSED] = "pass", [APITEST_FAILED] = "FAIL",
        [APITEST_UNREACHABLE] = "NO CONN", [APITEST_LATE] = "LATE",   [APITEST_SKIPPED] = "skip",
        [APITEST_NOT_RUN] = "not run",
    };
    return words[outcome];
}

/* "12.3 ms" */
static void add_us(struct buf *b, uint64_t us)
{
    if (us < 10000) {
        buf_addf(b, "%.2f ms", (double) us / 1000);
    } else if (us < 1000000) {
        buf_addf(b, "%.1f ms", (double) us / 1000);
    } else {
        buf_addf(b, "%.2f s", (double) us / 1000000);
    }
}

/* Text of several lines under its label, each line at the same column. */
static void add_indented(const struct apitest_run *run, struct buf *b, const char *label,
                         struct str text)
{
    /* A secret of several lines is known only as long as it is whole. */
    _cleanup_(buf_done) struct buf plain;
    buf_init(&plain, REPORT_BYTES_MAX);
    report_plain(run, text, &plain);
    struct str line, rest = plain.len > 0 ? buf_str(&plain) : STR("");
    bool first = true;
    while (str_cut(&rest, '\n', &line)) {
        buf_addf(b, "      %-9s " STR_FMT "\n", first ? label : "", STR_ARG(line));
        first = false;
    }
}

/* The line of the file that an expectation stands in. */
static struct str source_line(const struct apitest_suite *suite, unsigned line)
{
    struct str text = suite->file.text, rest = text, found = {NULL, 0};
    for (unsigned i = 0; i < line && str_cut(&rest, '\n', &found); i++) {
    }
    return str_trim(found);
}

static void add_diff(const struct apitest_run *run, const struct apitest_suite *suite,
                     const struct apitest_diff *diff, bool color, struct buf *b)
{
    _cleanup_(buf_done) struct buf path;
    buf_init(&path, REPORT_BYTES_MAX);
    report_plain(run, diff->path, &path);
    buf_add_cstr(b, "  ");
    paint(b, color, "1", buf_str(&path));
    if (diff->pos.file != NULL) {
        buf_addf(b, "   %s:%u:%u", diff->pos.file, diff->pos.line, diff->pos.col);
        struct str line = source_line(suite, diff->pos.line);
        if (line.len > 0 && line.len <= 120) {
            buf_addf(b, "   " STR_FMT, STR_ARG(line));
        }
    }
    buf_add_char(b, '\n');
    add_indented(run, b, "expected", diff->expected);
    add_indented(run, b, "got", diff->got);
    if (diff->note.len > 0) {
        add_indented(run, b, "", diff->note);
    }
}

void apitest_shell_quote(struct buf *b, struct str text)
{
    buf_add_char(b, '\'');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'') {
            buf_add_cstr(b, "'\\''");
        } else {
            buf_add_char(b, text.ptr[i]);
        }
    }
    buf_add_char(b, '\'');
}

/* A regular expression that means the text itself. */
static void add_literal(struct buf *b, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (str_find_char(STR("\\^$.|?*+()[]{}"), c) < 14) {
            buf_add_char(b, '\\');
        }
        buf_add_char(b, c);
    }
}

void apitest_report_command(const struct apitest_run *run, const struct apitest_case *c,
                            struct buf *b)
{
    _cleanup_(buf_done) struct buf pattern;
    buf_init(&pattern, REPORT_BYTES_MAX);
    buf_add_char(&pattern, '^');
    add_literal(&pattern, c->test->name);
    buf_add_char(&pattern, '/');
    add_literal(&pattern, c->name);
    buf_add_char(&pattern, '$');
    buf_addf(b, "%s --run ", run->command == NULL ? "pourover test" : run->command);
    apitest_shell_quote(b, buf_str(&pattern));
}

static void add_line(const struct apitest_run *run, struct buf *b, struct str text)
{
    buf_add_cstr(b, "  ");
    report_plain(run, text, b);
    buf_add_char(b, '\n');
}

static void add_attempt(const struct apitest_run *run, const struct apitest_case_result *result,
                        const struct apitest_attempt *attempt, bool color, struct buf *b)
{
    const struct apitest_suite *suite = result->c->test->suite;
    size_t shown = attempt->diffs.list.len < DIFFS_SHOWN ? attempt->diffs.list.len : DIFFS_SHOWN;
    if (attempt->reason.len > 0) {
        add_line(run, b, attempt->reason);
    }
    for (size_t i = 0; i < shown; i++) {
        add_diff(run, suite, &attempt->diffs.list.ptr[i], color, b);
    }
    if (attempt->diffs.total > shown) {
        buf_addf(b, "  and %zu more differences\n", attempt->diffs.total - shown);
    }
    if (attempt->events > 0) {
        buf_add_cstr(b, "  transcript\n");
    }
    for (size_t i = 0; i < attempt->events; i++) {
        const struct apitest_event *event = &attempt->event[i];
        buf_addf(b, "    %9.2f ms %c ", (double) event->at_us / 1000, event->direction);
        report_plain(run, event->text, b);
        buf_add_char(b, '\n');
    }
}

static void redact_into(const struct apitest_run *run, const struct buf *raw, struct buf *b)
{
    apitest_redact(run->secrets, buf_str(raw), b);
}

/* Without the message when that is the reason, which follows on its own line. */
static struct str short_status(const struct apitest_attempt *attempt)
{
    struct str status = attempt->status, reason = attempt->reason;
    if (reason.len > 0 && status.len > reason.len + 2 && str_ends_with(status, reason)) {
        status.len -= reason.len + 2; /* ": " */
    }
    return status;
}

void apitest_report_failure(const struct apitest_run *run, const struct apitest_case_result *result,
                            bool color, struct buf *b)
{
    _cleanup_(buf_done) struct buf raw;
    buf_init(&raw, REPORT_BYTES_MAX);
    const struct apitest_case *c = result->c;
    paint(&raw, color, "31;1", str_of(apitest_outcome_word(result->outcome)));
    buf_add_cstr(&raw, "  ");
    report_plain(run, c->test->name, &raw);
    buf_add_cstr(&raw, " / ");
    report_plain(run, c->name, &raw);
    if (result->label.len > 0) {
        buf_addf(&raw, "  [" STR_FMT "]", STR_ARG(result->label));
    }
    buf_add_cstr(&raw, "   ");
    add_us(&raw, result->took_us);
    if (result->attempts > 1) {
        buf_addf(&raw, ", %zu attempts; the last one:", result->attempts);
    }
    buf_addf(&raw, "   %s:%u\n", c->pos.file, c->pos.line);
    if (result->attempts > 0) {
        const struct apitest_attempt *last = &result->attempt[result->attempts - 1];
        if (last->peer.len > 0 || last->status.len > 0) {
            buf_addf(&raw, "  %s " STR_FMT ", status ",
                     c->method == NULL ? "HTTP" : c->method->path, STR_ARG(last->peer));
            report_plain(run, short_status(last), &raw);
            buf_add_char(&raw, '\n');
        }
        add_attempt(run, result, last, color, &raw);
    } else if (result->reason.len > 0) {
        add_line(run, &raw, result->reason);
    }
    buf_add_cstr(&raw, "  again: ");
    apitest_report_command(run, c, &raw);
    buf_add_cstr(&raw, "\n");
    redact_into(run, &raw, b);
}

static void add_count(struct buf *b, size_t n, const char *word, bool always)
{
    if (n > 0 || always) {
        buf_addf(b, "%s%zu %s", b->len > 0 && b->ptr[b->len - 1] != '\n' ? ", " : "", n, word);
    }
}

static void add_missing(const struct apitest_run *run, struct buf *b)
{
    size_t shown = 0;
    for (size_t i = 0; i < run->methods; i++) {
        const struct apitest_method_coverage *m = &run->method[i];
        if (m->calls == 0 && !m->excluded && shown++ < 20) {
            buf_addf(b, "  not called: " STR_FMT "/" STR_FMT "\n",
                     STR_ARG(m->method->service->full_name), STR_ARG(m->method->name));
        }
    }
    if (shown > 20) {
        buf_addf(b, "  and %zu more\n", shown - 20);
    }
}

uint32_t apitest_coverage_ppm(const struct apitest_run *run)
{
    return run->coverable == 0 ? 1000000
                               : (uint32_t) ((uint64_t) run->covered * 1000000 / run->coverable);
}

void apitest_report_coverage(const struct apitest_run *run, struct buf *b)
{
    if (run->methods == 0) {
        buf_add_cstr(b, "coverage: no gRPC service was tested\n");
        return;
    }
    buf_addf(b, "coverage: %zu of %zu methods were called (%.1f %%)", run->covered, run->coverable,
             (double) apitest_coverage_ppm(run) / 10000);
    if (run->methods > run->coverable) {
        buf_addf(b, ", %zu excluded", run->methods - run->coverable);
    }
    buf_add_char(b, '\n');
    add_missing(run, b);
}

void apitest_report_summary(const struct apitest_run *run, bool color, struct buf *b)
{
    const struct apitest_totals *t = &run->totals;
    char text[400];
    struct buf line;
    bool bad = t->failed + t->unreachable + t->late + t->not_run > 0;
    buf_init_fixed(&line, text, sizeof text);
    add_count(&line, t->passed, "passed", true);
    add_count(&line, t->failed, "failed", true);
    add_count(&line, t->unreachable, "not reached", false);
    add_count(&line, t->late, "too late", false);
    add_count(&line, t->skipped, "skipped", false);
    add_count(&line, t->not_run, "not run", false);
    add_count(&line, t->flaky, "passed only after a failure", false);
    paint(b, color, bad ? "31;1" : "32;1", buf_str(&line));
    buf_addf(b, "; %zu check%s in ", t->checks, t->checks == 1 ? "" : "s");
    add_us(b, t->took_us);
    buf_add_char(b, '\n');
}
