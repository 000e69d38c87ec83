/* One HTML page without anything from elsewhere: counts, coverage, every case, failures in full. */
#include "apitest/report.h"

#include "base/cleanup.h"
#include "base/clock.h"

#define REPORT_BYTES_MAX ((size_t) 256 * 1024 * 1024)

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

static void add_escaped(struct buf *b, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '<') {
            buf_add_cstr(b, "&lt;");
        } else if (c == '>') {
            buf_add_cstr(b, "&gt;");
        } else if (c == '&') {
            buf_add_cstr(b, "&amp;");
        } else if (c == '"') {
            buf_add_cstr(b, "&quot;");
        } else if (c != '\0') {
            buf_add_char(b, c);
        }
    }
}

/* Secrets go before anything is escaped: escaped they would not be known again. */
static void add_html(struct buf *b, const struct apitest_run *run, struct str text)
{
    _cleanup_(buf_done) struct buf plain;
    buf_init(&plain, REPORT_BYTES_MAX);
    apitest_redact(run->secrets, text, &plain);
    add_escaped(b, buf_str(&plain));
}

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
    add_html(b, run, result->c->test->name);
    buf_add_cstr(b, "<td>");
    add_html(b, run, result->c->name);
    if (result->label.len > 0) {
        buf_add_cstr(b, " <span class=mute>");
        add_html(b, run, result->label);
        buf_add_cstr(b, "</span>");
    }
    if (good && result->reason.len > 0) {
        buf_add_cstr(b, "<br><span class=mute>");
        add_html(b, run, result->reason);
        buf_add_cstr(b, "</span>");
    }
    if (!good) {
        _cleanup_(buf_done) struct buf text;
        buf_init(&text, REPORT_BYTES_MAX);
        apitest_report_failure(run, result, false, &text);
        buf_add_cstr(b, "<pre>");
        add_html(b, run, buf_str(&text));
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
    add_html(&raw, run, str_of(run->target_text));
    buf_add_cstr(&raw, "</p>\n<p>");
    apitest_report_summary(run, false, &text);
    add_html(&raw, run, buf_str(&text));
    buf_add_cstr(&raw, "</p>\n<pre>");
    buf_clear(&text);
    apitest_report_coverage(run, &text);
    add_html(&raw, run, buf_str(&text));
    buf_add_cstr(&raw, "</pre>\n<table><tr><th>outcome<th>test<th>case<th>time</tr>\n");
    for (size_t i = 0; i < run->results; i++) {
        if (run->result[i].outcome != APITEST_PENDING) {
            row(&raw, run, &run->result[i]);
        }
    }
    buf_add_cstr(&raw, "</table>\n");
    buf_add_str(b, buf_str(&raw));
}
