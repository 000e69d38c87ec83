#include "cli/test_print.h"

#include "cli/out.h"

#include <stdlib.h>
#include <string.h>

static bool wants_color(void)
{
    const char *no_color = secure_getenv("NO_COLOR");
    return out_is_live() && (no_color == NULL || no_color[0] == '\0');
}

void test_print_init(struct test_print *p, const struct cli *cli, bool silent)
{
    *p = (struct test_print){.cli = cli, .silent = silent};
    p->color = wants_color();
    p->live = out_is_live() && !silent && !cli->quiet;
}

static bool is_bad(const struct apitest_case_result *result)
{
    return result->outcome != APITEST_PASSED && result->outcome != APITEST_SKIPPED &&
           result->outcome != APITEST_PENDING;
}

static void add_heading(struct test_print *p, const struct apitest_case_result *result,
                        struct buf *b)
{
    const struct apitest_test *test = result->c->test;
    if (test == p->test && str_eq(result->label, p->label)) {
        return;
    }
    p->test = test;
    p->label = result->label;
    buf_addf(b, STR_FMT, STR_ARG(test->name));
    if (result->label.len > 0) {
        buf_addf(b, "  [" STR_FMT "]", STR_ARG(result->label));
    }
    buf_add_char(b, '\n');
}

/* "  pass  create            12.3 ms" */
static void add_line(const struct test_print *p, const struct apitest_case_result *result,
                     struct buf *b)
{
    static const enum paint paints[] = {
        [APITEST_PENDING] = PAINT_FAINT, [APITEST_PASSED] = PAINT_GOOD,
        [APITEST_FAILED] = PAINT_BAD,    [APITEST_UNREACHABLE] = PAINT_BAD,
        [APITEST_LATE] = PAINT_BAD,      [APITEST_SKIPPED] = PAINT_FAINT,
        [APITEST_NOT_RUN] = PAINT_BAD,
    };
    const char *word = apitest_outcome_word(result->outcome);
    buf_add_cstr(b, "  ");
    out_paint(b, paints[result->outcome], word);
    buf_addf(b, "%*s" STR_FMT "  %.1f ms", (int) (9 - strlen(word)), "", STR_ARG(result->c->name),
             (double) result->took_us / 1000);
    if (result->attempts > 1) {
        buf_addf(b, ", %zu attempts", result->attempts);
    }
    if (result->reason.len > 0 && !is_bad(result)) {
        buf_addf(b, "  (" STR_FMT ")", STR_ARG(result->reason));
    }
    buf_add_char(b, '\n');
    if (p->cli->verbose && result->attempts > 0) {
        const struct apitest_attempt *last = &result->attempt[result->attempts - 1];
        for (size_t i = 0; i < last->events && !is_bad(result); i++) {
            buf_addf(b, "    %9.2f ms %c " STR_FMT "\n", (double) last->event[i].at_us / 1000,
                     last->event[i].direction, STR_ARG(last->event[i].text));
        }
    }
}

static void add_result(struct test_print *p, const struct apitest_case_result *result,
                       struct buf *b)
{
    struct buf raw;
    if (result->outcome == APITEST_PENDING || (p->cli->quiet && !is_bad(result))) {
        return;
    }
    buf_init(&raw, OUT_MAX);
    add_heading(p, result, &raw);
    add_line(p, result, &raw);
    apitest_redact(p->run->secrets, buf_str(&raw), b);
    buf_done(&raw);
    if (is_bad(result) && result->outcome != APITEST_NOT_RUN) {
        apitest_report_failure(p->run, result, p->color, b);
        buf_add_char(b, '\n');
    } else if (is_bad(result)) {
        buf_addf(b, "      " STR_FMT "\n", STR_ARG(result->reason));
    }
}

/* All results whose turn it is. */
static void flush(struct test_print *p, bool all)
{
    struct buf b;
    buf_init(&b, (size_t) 256 * 1024 * 1024);
    while (p->printed < p->run->results && (all || p->run->result[p->printed].over)) {
        add_result(p, &p->run->result[p->printed++], &b);
    }
    if (b.len > 0 && !p->silent) {
        if (p->live) {
            out_redraw(STR(""));
        }
        out_write(buf_str(&b));
    }
    buf_done(&b);
}

static void draw(struct test_print *p)
{
    struct buf b;
    size_t shown = 0;
    buf_init(&b, OUT_MAX);
    buf_addf(&b, "%zu of %zu cases", p->done, p->run->results);
    if (p->bad > 0) {
        buf_addf(&b, ", %zu failed", p->bad);
    }
    for (size_t i = p->printed; i < p->run->results && shown < 5 && p->running > 0; i++) {
        const struct apitest_case_result *result = &p->run->result[i];
        if (!result->over && result->attempt != NULL) {
            buf_addf(&b, "\n  running  " STR_FMT " / " STR_FMT, STR_ARG(result->c->test->name),
                     STR_ARG(result->c->name));
            shown++;
        }
    }
    buf_add_char(&b, '\n');
    out_redraw(buf_str(&b));
    buf_done(&b);
}

void test_print_progress(const struct apitest_case_result *result, bool started, void *ctx)
{
    struct test_print *p = ctx;
    if (started) {
        p->running++;
    } else {
        p->running -= p->running > 0;
        p->done++;
        p->bad += is_bad(result);
        flush(p, false);
    }
    if (p->live) {
        draw(p);
    }
}

void test_print_end(struct test_print *p)
{
    struct buf b;
    flush(p, true);
    if (p->live) {
        out_redraw(STR(""));
    }
    if (p->silent) {
        return;
    }
    buf_init(&b, OUT_MAX);
    if (p->cli->test.coverage) {
        apitest_report_coverage(p->run, &b);
    }
    apitest_report_summary(p->run, p->color, &b);
    out_write(buf_str(&b));
    buf_done(&b);
}
