/* One HTML page without anything from elsewhere: counts, coverage, every case, failures in full. */
#include "apitest/report_int.h"

#include "base/cleanup.h"
#include "base/clock.h"

static const char head[] =
    "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\">"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
    "'unsafe-inline'\">"
    "<title>API tests</title>\n<style>"
    ":root{color-scheme:light dark}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "td,th{padding:.3rem .6rem;text-align:left;border-bottom:1px solid #8884;vertical-align:top}"
    "pre{overflow:auto;background:#8881;padding:.8rem;border-radius:.4rem}"
    ".bad{color:#c22;font-weight:600}.good{color:#282}.mute{opacity:.65}"
    "td.n{text-align:right;font-variant-numeric:tabular-nums}</style>\n";

static void row(struct buf *b, const struct apitest_run *run,
                const struct apitest_case_result *result)
{
    static const char *const classes[] = {
        [APITEST_PASSED] = "good",  [APITEST_FAILED] = "bad",   [APITEST_UNREACHABLE] = "bad",
        [APITEST_LATE] = "bad",     [APITEST_SKIPPED] = "mute", [APITEST_NOT_RUN] = "bad",
        [APITEST_PENDING] = "mute",
    };
    bool good = result->outcome == APITEST_PASSED || result->outcome == APITEST_SKIPPED;
    buf_addf(b, "<tr><td class=\"%s\">%s<td>", classes[result->outcome],
             apitest_outcome_word(result->outcome));
    report_xml(run, result->c->test->name, b);
    buf_add_cstr(b, "<td>");
    report_xml(run, result->c->name, b);
    if (result->label.len > 0) {
        buf_add_cstr(b, " <span class=mute>");
        report_xml(run, result->label, b);
        buf_add_cstr(b, "</span>");
    }
    if (good && result->reason.len > 0) {
        buf_add_cstr(b, "<br><span class=mute>");
        report_xml(run, result->reason, b);
        buf_add_cstr(b, "</span>");
    }
    if (!good) {
        _cleanup_(buf_done) struct buf text;
        buf_init(&text, REPORT_BYTES_MAX);
        apitest_report_failure(run, result, false, &text);
        buf_add_cstr(b, "<pre>");
        report_xml(run, buf_str(&text), b);
        buf_add_cstr(b, "</pre>");
    }
    buf_addf(b, "<td class=n>%.2f ms</tr>\n", (double) result->took_us / 1000);
}

void apitest_report_html(const struct apitest_run *run, struct buf *b)
{
    _cleanup_(buf_done) struct buf raw;
    _cleanup_(buf_done) struct buf text;
    char when[32];
    buf_init(&raw, REPORT_BYTES_MAX);
    buf_init(&text, REPORT_BYTES_MAX);
    clock_format_utc_ms(run->wall_start_ms, when);
    buf_add_cstr(&raw, head);
    buf_addf(&raw, "<h1>API tests</h1>\n<p class=mute>%s, ", when);
    report_xml(run, str_of(run->target_text), &raw);
    buf_add_cstr(&raw, "</p>\n<p>");
    apitest_report_summary(run, false, &text);
    report_xml(run, buf_str(&text), &raw);
    buf_add_cstr(&raw, "</p>\n<pre>");
    buf_clear(&text);
    apitest_report_coverage(run, &text);
    report_xml(run, buf_str(&text), &raw);
    buf_add_cstr(&raw, "</pre>\n<table><tr><th>outcome<th>test<th>case<th>time</tr>\n");
    for (size_t i = 0; i < run->results; i++) {
        if (run->result[i].outcome != APITEST_PENDING) {
            row(&raw, run, &run->result[i]);
        }
    }
    buf_add_cstr(&raw, "</table>\n");
    buf_add_str(b, buf_str(&raw));
}
