/* Reports of a run that was made by hand: odd texts stay inside of their places, secrets outside.
 */
#include "support/t.h"

#include "apitest/report.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#define REPLACED "\xEF\xBF\xBD"

enum { CASES = 7, OUT_MAX = 1 << 20 };

/* Text, its bytes may be anything but what ends a C string. */
#define T(literal) ((struct str){(literal), sizeof(literal) - 1})

static const struct str secret = {"a&b<\"\nc>'d", sizeof "a&b<\"\nc>'d" - 1};

struct world {
    struct apitest_secrets secrets;
    struct apitest_suite suite;
    struct apitest_test test[2];
    struct apitest_case c[CASES];
    struct apitest_attempt attempt[CASES];
    struct apitest_diff diff[CASES];
    struct apitest_event event;
    struct apitest_case_result result[CASES];
    struct apitest_suite *suites[1];
    struct apitest_run run;
};

static void one(struct world *w, size_t i, size_t test, struct str name,
                enum apitest_outcome outcome)
{
    w->c[i] = (struct apitest_case){
        .name = name, .pos = {"odd.yaml", (unsigned) (10 + i), 3}, .test = &w->test[test]};
    w->result[i] = (struct apitest_case_result){
        .c = &w->c[i], .outcome = outcome, .took_us = 1500, .checks = 2};
}

/* Gives the case an attempt with one difference. */
static void differ(struct world *w, size_t i, struct str path, struct str expected, struct str got)
{
    struct apitest_attempt *a = &w->attempt[i];
    w->diff[i] = (struct apitest_diff){.path = path, .expected = expected, .got = got};
    *a = (struct apitest_attempt){.outcome = w->result[i].outcome, .took_us = 1500};
    a->diffs.list.ptr = &w->diff[i];
    a->diffs.list.len = 1;
    a->diffs.total = 1;
    w->result[i].attempt = a;
    w->result[i].attempts = 1;
}

static struct world *world(void)
{
    static struct world w;
    struct err err = {0};
    memset(&w, 0, sizeof w);
    apitest_secrets_init(&w.secrets);
    assert_int_equal(apitest_secrets_add(&w.secrets, secret, &err), 0);
    assert_int_equal(apitest_secrets_add(&w.secrets, T("1500"), &err), 0);
    w.suite.file.text = T("- testName: odd\n");
    w.suites[0] = &w.suite;
    w.test[0] = (struct apitest_test){.name = T("odd # \\ <&\"> ]]>"), .suite = &w.suite};
    w.test[1] = (struct apitest_test){.name = T("even"), .suite = &w.suite};
    one(&w, 0, 0, T("good\x01\x1b[31m\xC2\x9B\xff\xEF\xBF\xBF\xC3\xA4"), APITEST_PASSED);
    one(&w, 1, 0, T("bad"), APITEST_FAILED);
    differ(&w, 1, T("responses[0].msg"), T("x ]]> <a href=\"b\">"),
           T("\x1b[2J\x00 & \xed\xa0\x80"));
    one(&w, 2, 0, T("secret"), APITEST_FAILED);
    differ(&w, 2, T("responses[0].token"), secret, T("<a&b<\"\nc>'d>"));
    w.event = (struct apitest_event){.at_us = 1500, .direction = '<', .text = secret};
    w.attempt[2].event = &w.event;
    w.attempt[2].events = 1;
    w.attempt[2].status = secret;
    one(&w, 3, 0, T("later"), APITEST_SKIPPED);
    w.result[3].reason = T("# not\ntoday <&>");
    one(&w, 4, 1, T("there"), APITEST_UNREACHABLE);
    w.result[4].reason = T("127.0.0.1:1: refused\r\n");
    one(&w, 5, 1, T("never chosen"), APITEST_PENDING);
    one(&w, 6, 1, T("not begun"), APITEST_NOT_RUN);
    w.result[6].reason = T("budget of the run");
    for (size_t i = 4; i < CASES; i++) {
        w.result[i].label = T("A > B # \n");
    }
    w.run = (struct apitest_run){
        .suite = w.suites,
        .suites = 1,
        .result = w.result,
        .results = CASES,
        .totals = {.passed = 1,
                   .failed = 2,
                   .unreachable = 1,
                   .skipped = 1,
                   .not_run = 1,
                   .checks = 12,
                   .took_us = 9000},
        .target_text = "127.0.0.1:1",
        .command = NULL,
        .secrets = &w.secrets,
        .wall_start_ms = 1767225600000,
    };
    return &w;
}

static struct str report(void (*write)(const struct apitest_run *, struct buf *),
                         const struct world *w, struct buf *b)
{
    buf_init(b, OUT_MAX);
    write(&w->run, b);
    assert_false(b->failed);
    return buf_str(b);
}

static bool has(struct str text, struct str part)
{
    return memmem(text.ptr, text.len, part.ptr, part.len) != NULL;
}

#define assert_has(text, literal) t_check(has(text, T(literal)), "%s in:\n%s", literal, (text).ptr)
#define assert_has_not(text, literal) \
    t_check(!has(text, T(literal)), "%s in:\n%s", literal, (text).ptr)

/* UTF-8 without control characters, and nothing of the secret in any form it could have here. */
static void assert_harmless(struct str text)
{
    assert_true(str_is_utf8(text));
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char) text.ptr[i];
        t_check((c >= ' ' && c != 0x7f) || c == '\n', "byte 0x%02x at %zu", c, i);
    }
    assert_has(text, "***");
    static const char *const forms[] = {"a&b<",    "c>'d",       "a&amp;b",
                                        "c&gt;'d", "b<\\\"\\nc", "b&lt;&quot;"};
    T_TABLE(form, forms)
    {
        t_check(!has(text, str_of(*form)), "%s in:\n%s", *form, text.ptr);
    }
}

/* The end of a tag that begins at text.ptr[at] == '<': attributes are in quotes, without "<". */
static size_t tag_end(struct str text, size_t at)
{
    bool quoted = false;
    for (at++; at < text.len; at++) {
        quoted = text.ptr[at] == '"' ? !quoted : quoted;
        assert_true(text.ptr[at] != '<');
        if (!quoted && text.ptr[at] == '>') {
            return at;
        }
    }
    fail_msg("a tag that does not end");
    return at;
}

/* Tags nest, "&" begins an entity, "]]>" stands nowhere. */
static void assert_well_formed(struct str text)
{
    struct str open[16];
    size_t depth = 0;
    assert_has_not(text, "]]>");
    for (size_t i = str_find_char(text, '\n'); i < text.len; i++) {
        struct str rest = {text.ptr + i, text.len - i};
        if (rest.ptr[0] == '&') {
            assert_true(str_find_char(rest, ';') < 7);
        }
        if (rest.ptr[0] != '<') {
            continue;
        }
        size_t end = tag_end(text, i);
        struct str name = {rest.ptr + 1, 0};
        bool closes = name.ptr[0] == '/';
        name.ptr += closes ? 1 : 0;
        while (name.ptr[name.len] > ' ' && strchr("/>", name.ptr[name.len]) == NULL) {
            name.len++;
        }
        if (closes) {
            assert_true(depth > 0 && str_eq(open[--depth], name));
        } else if (text.ptr[end - 1] != '/') {
            assert_true(depth < T_LEN(open));
            open[depth++] = name;
        }
        i = end;
    }
    assert_int_equal(depth, 0);
}

static void test_junit(void **state)
{
    (void) state;
    struct world *w = world();
    struct buf b;
    struct str text = report(apitest_report_junit, w, &b);
    assert_harmless(text);
    assert_well_formed(text);
    /* counts of all, then of each test; what was not chosen is not there */
    assert_has(text, "<testsuites name=\"pourover\" tests=\"6\" failures=\"2\" errors=\"2\" "
                     "skipped=\"1\" time=\"0.009000\">\n");
    assert_has(text, "<testsuite name=\"odd # \\ &lt;&amp;&quot;&gt; ]]&gt;\" "
                     "timestamp=\"2026-01-01T00:00:00.000Z\" tests=\"4\" failures=\"2\" "
                     "errors=\"0\" skipped=\"1\" time=\"0.006000\">\n");
    assert_has(text, "<testsuite name=\"even\" timestamp=\"2026-01-01T00:00:00.000Z\" tests=\"2\" "
                     "failures=\"0\" errors=\"2\" skipped=\"0\" time=\"0.004500\">\n");
    assert_has_not(text, "never chosen");
    assert_has(text, "name=\"good" REPLACED REPLACED "[31m" REPLACED REPLACED REPLACED
                     "\xC3\xA4\" file=\"odd.yaml\" line=\"10\" assertions=\"2\"");
    assert_has(text, "<failure message=\"responses[0].msg: expected x ]]&gt; &lt;a "
                     "href=&quot;b&quot;&gt;, got " REPLACED "[2J" REPLACED " &amp; " REPLACED);
    assert_has(text, "<failure message=\"responses[0].token: expected ***, got &lt;***&gt;\">");
    assert_has(text, "<skipped message=\"# not&#10;today &lt;&amp;&gt;\"/>");
    assert_has(text, "<error type=\"NO CONN\" message=\"127.0.0.1:1: refused&#13;&#10;\">");
    assert_has(text, "name=\"not begun [A &gt; B # &#10;]\"");
    buf_done(&b);
    apitest_secrets_done(&w->secrets);
}

static void test_junit_keeps_long_names(void **state)
{
    (void) state;
    struct world *w = world();
    char name[5001];
    memset(name, 'n', sizeof name);
    w->c[1].name = (struct str){name, 5000};
    struct buf b, json;
    struct str text = report(apitest_report_junit, w, &b);
    assert_true(has(text, w->c[1].name));
    text = report(apitest_report_json, w, &json);
    name[4998] = '/';
    w->c[1].name = (struct str){name, 10};
    /* the command that repeats it has the whole name, too */
    assert_has(text, "nnnnnnnnnn$'\"");
    buf_done(&json);
    buf_done(&b);
    apitest_secrets_done(&w->secrets);
}

static void test_attempts_are_kept(void **state)
{
    (void) state;
    struct world *w = world();
    struct apitest_attempt attempts[2] = {w->attempt[2], {.outcome = APITEST_PASSED}};
    struct buf b;
    w->result[2].outcome = APITEST_PASSED;
    w->result[2].attempt = attempts;
    w->result[2].attempts = 2;
    struct str text = report(apitest_report_junit, w, &b);
    assert_harmless(text);
    assert_well_formed(text);
    assert_has(text,
               "<system-out>attempt 1: FAIL after 1500 us, status ***, responses[0].token was "
               "&lt;***&gt;&#10;attempt 2: pass after 0 us, status &#10;</system-out>");
    buf_done(&b);
    apitest_secrets_done(&w->secrets);
}

static void test_tap(void **state)
{
    (void) state;
    struct world *w = world();
    struct buf b;
    struct str text = report(apitest_report_tap, w, &b), line;
    assert_harmless(text);
    assert_has(text, "TAP version 13\nok 1 - odd \\# \\\\ <&\"> ]]> / good" REPLACED REPLACED
                     "[31m" REPLACED REPLACED REPLACED "\xC3\xA4\nnot ok 2 - ");
    assert_has(text, "\nok 4 - odd \\# \\\\ <&\"> ]]> / later # SKIP \\# not today <&>\n");
    assert_has(text, "\nnot ok 6 - even / not begun [A > B \\#  ]\n");
    assert_has(text, "\n1..6\n");
    /* every other line is a comment */
    for (struct str rest = text; str_cut(&rest, '\n', &line) && line.len > 0;) {
        t_check(line.ptr[0] == '#' || str_starts_with(line, T("ok ")) ||
                    str_starts_with(line, T("not ok ")) || str_starts_with(line, T("1..6")) ||
                    str_starts_with(line, T("TAP ")),
                STR_FMT, STR_ARG(line));
    }
    buf_done(&b);
    apitest_secrets_done(&w->secrets);
}

static void test_json(void **state)
{
    (void) state;
    struct world *w = world();
    struct buf b;
    struct str text = report(apitest_report_json, w, &b);
    struct json_reader r;
    assert_harmless(text);
    json_reader_init(&r, text);
    enum json_token token;
    while ((token = json_next(&r)) > JSON_END) {
    }
    t_check(token == JSON_END, "no JSON:\n%s", b.ptr);
    /* a secret that looks like a number takes none of the report */
    assert_has(text, "\"took_us\":1500");
    assert_has(text, "\"expected\":\"***\",\"got\":\"<***>\"");
    assert_has(text, "\"direction\":\"<\",\"text\":\"***\"");
    assert_has(text, "\"totals\":{\"passed\":1,\"failed\":2,\"unreachable\":1,\"late\":0,"
                     "\"skipped\":1,\"not_run\":1,\"flaky\":0,\"checks\":12,\"took_us\":9000}");
    assert_has_not(text, "never chosen");
    buf_done(&b);
    apitest_secrets_done(&w->secrets);
}

static void test_html(void **state)
{
    (void) state;
    struct world *w = world();
    struct buf b;
    struct str text = report(apitest_report_html, w, &b);
    assert_harmless(text);
    assert_has(text, "<td>odd # \\ &lt;&amp;&quot;&gt; ]]&gt;<td>bad<pre>");
    assert_has(text, "expected  x ]]&gt; &lt;a href=&quot;b&quot;&gt;");
    assert_has_not(text, "<a href");
    assert_has(text, "<td>later<br><span class=mute># not&#10;today &lt;&amp;&gt;</span>");
    buf_done(&b);
    apitest_secrets_done(&w->secrets);
}

static void add_failure(const struct apitest_run *run, struct buf *b)
{
    apitest_report_failure(run, &run->result[2], false, b);
}

/* A secret of two lines is hidden before its lines are put at their columns. */
static void test_failure(void **state)
{
    (void) state;
    struct world *w = world();
    struct buf b;
    struct str text = report(add_failure, w, &b);
    assert_harmless(text);
    assert_has(text, "      expected  ***\n      got       <***>\n");
    assert_has(text, " < ***\n");
    assert_has(text, "again: pourover test --run '^odd # \\\\ <&\"> \\]\\]>/secret$'\n");
    buf_done(&b);
    apitest_secrets_done(&w->secrets);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_junit),
        cmocka_unit_test(test_junit_keeps_long_names),
        cmocka_unit_test(test_attempts_are_kept),
        cmocka_unit_test(test_tap),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_html),
        cmocka_unit_test(test_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
