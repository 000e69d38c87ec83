/* The whole of a run as JSON, for programs; and TAP, for those who have a harness for it. */
#include "apitest/report_int.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"

static const char *const outcome_names[] = {
    [APITEST_PENDING] = "not_chosen", [APITEST_PASSED] = "passed",
    [APITEST_FAILED] = "failed",      [APITEST_UNREACHABLE] = "unreachable",
    [APITEST_LATE] = "late",          [APITEST_SKIPPED] = "skipped",
    [APITEST_NOT_RUN] = "not_run",
};

struct out {
    struct json_writer w;
    const struct apitest_run *run;
};

/* Strings are redacted one by one: a secret such as 1234 must not take a number of the report. */
static void text(struct out *out, const char *name, struct str value)
{
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, REPORT_BYTES_MAX);
    report_redacted(out->run, value, &b);
    json_kv_str(&out->w, name, buf_str(&b));
}

static void text_unless_empty(struct out *out, const char *name, struct str value)
{
    if (value.len > 0) {
        text(out, name, value);
    }
}

static void place(struct out *out, struct pos pos)
{
    struct json_writer *w = &out->w;
    if (pos.file != NULL) {
        text(out, "file", str_of(pos.file));
        json_kv_u64(w, "line", pos.line);
        json_kv_u64(w, "column", pos.col);
    }
}

static void diffs(struct out *out, const struct apitest_diffs *list)
{
    struct json_writer *w = &out->w;
    json_key(w, "differences");
    json_arr_begin(w);
    for (size_t i = 0; i < list->list.len; i++) {
        const struct apitest_diff *diff = &list->list.ptr[i];
        json_obj_begin(w);
        text(out, "path", diff->path);
        place(out, diff->pos);
        text(out, "expected", diff->expected);
        text(out, "got", diff->got);
        text_unless_empty(out, "note", diff->note);
        json_obj_end(w);
    }
    json_arr_end(w);
    if (list->total > list->list.len) {
        json_kv_u64(w, "differences_total", list->total);
    }
}

static void transcript(struct out *out, const struct apitest_attempt *attempt)
{
    struct json_writer *w = &out->w;
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
        text(out, "text", event->text);
        json_obj_end(w);
    }
    json_arr_end(w);
}

static void attempt_json(struct out *out, const struct apitest_attempt *attempt)
{
    struct json_writer *w = &out->w;
    json_obj_begin(w);
    json_kv_cstr(w, "outcome", outcome_names[attempt->outcome]);
    json_kv_u64(w, "start_us", attempt->start_us);
    json_kv_u64(w, "took_us", attempt->took_us);
    text_unless_empty(out, "peer", attempt->peer);
    text_unless_empty(out, "status", attempt->status);
    text_unless_empty(out, "message", attempt->message);
    text_unless_empty(out, "reason", attempt->reason);
    diffs(out, &attempt->diffs);
    transcript(out, attempt);
    json_obj_end(w);
}

static void case_json(struct out *out, const struct apitest_case_result *result)
{
    struct json_writer *w = &out->w;
    const struct apitest_case *c = result->c;
    json_obj_begin(w);
    text(out, "test", c->test->name);
    text(out, "case", c->name);
    text_unless_empty(out, "targets", result->label);
    place(out, c->pos);
    if (c->method != NULL) {
        json_kv_cstr(w, "method", c->method->path + 1);
    }
    json_kv_cstr(w, "outcome", outcome_names[result->outcome]);
    text_unless_empty(out, "reason", result->reason);
    json_kv_u64(w, "took_us", result->took_us);
    json_kv_u64(w, "checks", result->checks);
    if (result->flaky) {
        json_kv_bool(w, "flaky", true);
    }
    if (result->outcome != APITEST_PASSED && result->outcome != APITEST_SKIPPED) {
        _cleanup_(buf_done) struct buf b;
        buf_init(&b, REPORT_BYTES_MAX);
        apitest_report_command(out->run, c, &b);
        text(out, "again", buf_str(&b));
    }
    json_key(w, "attempts");
    json_arr_begin(w);
    for (size_t i = 0; i < result->attempts; i++) {
        attempt_json(out, &result->attempt[i]);
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
    struct out out = {.run = run};
    struct json_writer *w = &out.w;
    char when[32];
    json_writer_init(w, b);
    clock_format_utc_ms(run->wall_start_ms, when);
    json_obj_begin(w);
    json_kv_u64(w, "version", 1);
    json_kv_cstr(w, "started", when);
    text(&out, "target", str_of(run->target_text));
    json_kv_bool(w, "interrupted", run->interrupted);
    json_kv_bool(w, "budget_used", run->budget_used);
    totals_json(w, &run->totals);
    coverage_json(w, run);
    json_key(w, "cases");
    json_arr_begin(w);
    for (size_t i = 0; i < run->results; i++) {
        if (run->result[i].outcome != APITEST_PENDING) {
            case_json(&out, &run->result[i]);
        }
    }
    json_arr_end(w);
    json_obj_end(w);
    buf_add_char(b, '\n');
}

/* One line, without what TAP reads as a directive. */
static void tap_name(const struct apitest_run *run, struct buf *b, struct str text)
{
    _cleanup_(buf_done) struct buf plain;
    buf_init(&plain, REPORT_BYTES_MAX);
    report_plain(run, text, &plain);
    for (size_t i = 0; i < plain.len; i++) {
        char c = plain.ptr[i];
        if (c == '#' || c == '\\') {
            buf_add_char(b, '\\');
        }
        bool control = (unsigned char) c < 0x20;
        buf_add(b, control ? " " : &plain.ptr[i], 1);
    }
}

static void tap_lines(struct buf *b, struct str text)
{
    struct str line;
    while (str_cut(&text, '\n', &line)) {
        buf_addf(b, "#%s" STR_FMT "\n", line.len > 0 ? " " : "", STR_ARG(line));
    }
}

void apitest_report_tap(const struct apitest_run *run, struct buf *b)
{
    size_t n = 0;
    buf_add_cstr(b, "TAP version 13\n");
    for (size_t i = 0; i < run->results; i++) {
        const struct apitest_case_result *result = &run->result[i];
        if (result->outcome == APITEST_PENDING) {
            continue;
        }
        bool good = result->outcome == APITEST_PASSED || result->outcome == APITEST_SKIPPED;
        buf_addf(b, "%s %zu - ", good ? "ok" : "not ok", ++n);
        tap_name(run, b, result->c->test->name);
        buf_add_cstr(b, " / ");
        tap_name(run, b, result->c->name);
        if (result->label.len > 0) {
            buf_add_cstr(b, " [");
            tap_name(run, b, result->label);
            buf_add_char(b, ']');
        }
        if (result->outcome == APITEST_SKIPPED) {
            buf_add_cstr(b, " # SKIP ");
            tap_name(run, b, result->reason);
        }
        buf_add_char(b, '\n');
        if (!good) {
            _cleanup_(buf_done) struct buf text;
            buf_init(&text, REPORT_BYTES_MAX);
            apitest_report_failure(run, result, false, &text);
            tap_lines(b, buf_str(&text));
        }
    }
    buf_addf(b, "1..%zu\n", n);
}
