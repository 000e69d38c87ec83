/* The whole of a run as JSON, for programs; and TAP, for those who have a harness for it. */
#include "apitest/report.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"

#define REPORT_BYTES_MAX ((size_t) 256 * 1024 * 1024)

static const char *const outcome_names[] = {
    [APITEST_PENDING] = "not_chosen", [APITEST_PASSED] = "passed",
    [APITEST_FAILED] = "failed",      [APITEST_UNREACHABLE] = "unreachable",
    [APITEST_LATE] = "late",          [APITEST_SKIPPED] = "skipped",
    [APITEST_NOT_RUN] = "not_run",
};

static void text_unless_empty(struct json_writer *w, const char *name, struct str text)
{
    if (text.len > 0) {
        json_kv_str(w, name, text);
    }
}

static void place(struct json_writer *w, struct pos pos)
{
    if (pos.file != NULL) {
        json_kv_cstr(w, "file", pos.file);
        json_kv_u64(w, "line", pos.line);
        json_kv_u64(w, "column", pos.col);
    }
}

static void diffs(struct json_writer *w, const struct apitest_diffs *list)
{
    json_key(w, "differences");
    json_arr_begin(w);
    for (size_t i = 0; i < list->list.len; i++) {
        const struct apitest_diff *diff = &list->list.ptr[i];
        json_obj_begin(w);
        json_kv_str(w, "path", diff->path);
        place(w, diff->pos);
        json_kv_str(w, "expected", diff->expected);
        json_kv_str(w, "got", diff->got);
        text_unless_empty(w, "note", diff->note);
        json_obj_end(w);
    }
    json_arr_end(w);
    if (list->total > list->list.len) {
        json_kv_u64(w, "differences_total", list->total);
    }
}

static void transcript(struct json_writer *w, const struct apitest_attempt *attempt)
{
    if (attempt->events == 0) {
        return;
    }
    json_key(w, "transcript");
    json_arr_begin(w);
    for (size_t i = 0; i < attempt->events; i++) {
        const struct apitest_event *event = &attempt->event[i];
        char direction[2] = {event->direction, '\0'};
        json_obj_begin(w);
        json_kv_u64(w, "at_us", event->at_us);
        json_kv_cstr(w, "direction", direction);
        json_kv_str(w, "text", event->text);
        json_obj_end(w);
    }
    json_arr_end(w);
}

static void attempt_json(struct json_writer *w, const struct apitest_attempt *attempt)
{
    json_obj_begin(w);
    json_kv_cstr(w, "outcome", outcome_names[attempt->outcome]);
    json_kv_u64(w, "start_us", attempt->start_us);
    json_kv_u64(w, "took_us", attempt->took_us);
    text_unless_empty(w, "peer", attempt->peer);
    text_unless_empty(w, "status", attempt->status);
    text_unless_empty(w, "message", attempt->message);
    text_unless_empty(w, "reason", attempt->reason);
    diffs(w, &attempt->diffs);
    transcript(w, attempt);
    json_obj_end(w);
}

static void case_json(struct json_writer *w, const struct apitest_run *run,
                      const struct apitest_case_result *result)
{
    const struct apitest_case *c = result->c;
    json_obj_begin(w);
    json_kv_str(w, "test", c->test->name);
    json_kv_str(w, "case", c->name);
    text_unless_empty(w, "targets", result->label);
    place(w, c->pos);
    if (c->method != NULL) {
        json_kv_cstr(w, "method", c->method->path + 1);
    }
    json_kv_cstr(w, "outcome", outcome_names[result->outcome]);
    text_unless_empty(w, "reason", result->reason);
    json_kv_u64(w, "took_us", result->took_us);
    json_kv_u64(w, "checks", result->checks);
    if (result->flaky) {
        json_kv_bool(w, "flaky", true);
    }
    if (result->outcome != APITEST_PASSED && result->outcome != APITEST_SKIPPED) {
        char command[4000];
        struct buf b;
        buf_init_fixed(&b, command, sizeof command);
        apitest_report_command(run, c, &b);
        json_kv_str(w, "again", buf_str(&b));
    }
    json_key(w, "attempts");
    json_arr_begin(w);
    for (size_t i = 0; i < result->attempts; i++) {
        attempt_json(w, &result->attempt[i]);
    }
    json_arr_end(w);
    json_obj_end(w);
}

static void totals_json(struct json_writer *w, const struct apitest_totals *t)
{
    json_key(w, "totals");
    json_obj_begin(w);
    json_kv_u64(w, "passed", t->passed);
    json_kv_u64(w, "failed", t->failed);
    json_kv_u64(w, "unreachable", t->unreachable);
    json_kv_u64(w, "late", t->late);
    json_kv_u64(w, "skipped", t->skipped);
    json_kv_u64(w, "not_run", t->not_run);
    json_kv_u64(w, "flaky", t->flaky);
    json_kv_u64(w, "checks", t->checks);
    json_kv_u64(w, "took_us", t->took_us);
    json_obj_end(w);
}

static void coverage_json(struct json_writer *w, const struct apitest_run *run)
{
    json_key(w, "coverage");
    json_obj_begin(w);
    json_kv_u64(w, "methods", run->coverable);
    json_kv_u64(w, "called", run->covered);
    json_key(w, "not_called");
    json_arr_begin(w);
    for (size_t i = 0; i < run->methods; i++) {
        if (run->method[i].calls == 0 && !run->method[i].excluded) {
            json_cstr(w, run->method[i].method->path + 1);
        }
    }
    json_arr_end(w);
    json_obj_end(w);
}

void apitest_report_json(const struct apitest_run *run, struct buf *b)
{
    _cleanup_(buf_done) struct buf raw;
    struct json_writer w;
    char when[32];
    buf_init(&raw, REPORT_BYTES_MAX);
    json_writer_init(&w, &raw);
    clock_format_utc_ms(run->wall_start_ms, when);
    json_obj_begin(&w);
    json_kv_u64(&w, "version", 1);
    json_kv_cstr(&w, "started", when);
    json_kv_cstr(&w, "target", run->target_text);
    json_kv_bool(&w, "interrupted", run->interrupted);
    json_kv_bool(&w, "budget_used", run->budget_used);
    totals_json(&w, &run->totals);
    coverage_json(&w, run);
    json_key(&w, "cases");
    json_arr_begin(&w);
    for (size_t i = 0; i < run->results; i++) {
        if (run->result[i].outcome != APITEST_PENDING) {
            case_json(&w, run, &run->result[i]);
        }
    }
    json_arr_end(&w);
    json_obj_end(&w);
    buf_add_char(&raw, '\n');
    apitest_redact(run->secrets, buf_str(&raw), b);
}

/* One line, without what TAP reads as a directive. */
static void tap_name(struct buf *b, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '#' || c == '\\') {
            buf_add_char(b, '\\');
        }
        buf_add_char(b, (unsigned char) c < 0x20 ? ' ' : c);
    }
}

static void tap_lines(struct buf *b, struct str text)
{
    struct str line;
    while (str_cut(&text, '\n', &line)) {
        buf_addf(b, "# " STR_FMT "\n", STR_ARG(line));
    }
}

void apitest_report_tap(const struct apitest_run *run, struct buf *b)
{
    _cleanup_(buf_done) struct buf raw;
    size_t n = 0;
    buf_init(&raw, REPORT_BYTES_MAX);
    buf_add_cstr(&raw, "TAP version 13\n");
    for (size_t i = 0; i < run->results; i++) {
        const struct apitest_case_result *result = &run->result[i];
        if (result->outcome == APITEST_PENDING) {
            continue;
        }
        bool good = result->outcome == APITEST_PASSED || result->outcome == APITEST_SKIPPED;
        buf_addf(&raw, "%s %zu - ", good ? "ok" : "not ok", ++n);
        tap_name(&raw, result->c->test->name);
        buf_add_cstr(&raw, " / ");
        tap_name(&raw, result->c->name);
        if (result->label.len > 0) {
            buf_addf(&raw, " [" STR_FMT "]", STR_ARG(result->label));
        }
        if (result->outcome == APITEST_SKIPPED) {
            buf_add_cstr(&raw, " # SKIP ");
            tap_name(&raw, result->reason);
        }
        buf_add_char(&raw, '\n');
        if (!good) {
            _cleanup_(buf_done) struct buf text;
            buf_init(&text, REPORT_BYTES_MAX);
            apitest_report_failure(run, result, false, &text);
            tap_lines(&raw, buf_str(&text));
        }
    }
    buf_addf(&raw, "1..%zu\n", n);
    apitest_redact(run->secrets, buf_str(&raw), b);
}
