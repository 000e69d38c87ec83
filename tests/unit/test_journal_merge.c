/* The envelope of lines, and the union of what hosts have of a release. */
#include "base/buf.h"
#include "journal/merge.h"
#include "support/t.h"

#define LINE(seq, note) "{\"seq\":" #seq ",\"at_ms\":7,\"host\":\"w\",\"note\":" note "}"

static void assert_seqs(const struct journal_merged *m, const char *wanted)
{
    char seen[256];
    struct buf b;
    buf_init_fixed(&b, seen, sizeof seen);
    for (size_t i = 0; i < m->lines.list.len; i++) {
        buf_addf(&b, "%" PRIu64 " ", m->lines.list.ptr[i].seq);
    }
    for (size_t i = 0; i < m->gaps.len; i++) {
        buf_addf(&b, "(%" PRIu64 "-%" PRIu64 ")", m->gaps.ptr[i].first, m->gaps.ptr[i].last);
    }
    assert_string_equal(seen, wanted);
}

static void assert_flaw(const struct journal_merged *m, size_t i, enum journal_flaw_kind kind,
                        const char *message)
{
    assert_true(i < m->flaws.len);
    assert_string_equal(m->flaws.ptr[i].message, message);
    assert_int_equal(m->flaws.ptr[i].kind, kind);
}

static void test_an_envelope_reads_back(void **state)
{
    (void) state;
    char host[] = "we\"st\xc3\xbc-1", text[] = "{\"a\":[{\"b\":\"}]\"}],\"c\":null}";
    struct journal_line line = {12, 1769903999123, host, text}, seen = {0};
    struct err err = {0};
    struct buf b;
    buf_init(&b, 1000);
    journal_line_write(&b, &line);
    assert_str(buf_str(&b), "{\"seq\":12,\"at_ms\":1769903999123,\"host\":\"we\\\"st\xc3\xbc-1\","
                            "\"note\":{\"a\":[{\"b\":\"}]\"}],\"c\":null}}\n");
    assert_int_equal(journal_line_read(buf_str(&b), &seen, &err), 0);
    assert_int_equal(seen.seq, 12);
    assert_int_equal(seen.at_ms, 1769903999123);
    assert_string_equal(seen.host, host);
    assert_string_equal(seen.text, text);
    journal_line_done(&seen);
    /* Another order, spaces, and a member of a later version. */
    assert_int_equal(journal_line_read(STR(" {\"note\": {\"a\": 1}, \"new\":[1], \"host\":\"\","
                                           "\"at_ms\":0,\"seq\":1} "),
                                       &seen, &err),
                     0);
    assert_string_equal(seen.text, "{\"a\": 1}");
    journal_line_done(&seen);
    buf_done(&b);
}

static void test_what_is_no_envelope_is_told(void **state)
{
    (void) state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", "it is no object of JSON"},
        {"[]", "it is no object of JSON"},
        {"{}", "\"seq\" is missing"},
        {"{\"seq\":1,\"at_ms\":7,\"host\":\"w\"}", "\"note\" is missing"},
        {LINE(0, "{}"), "\"seq\" is no whole number from 1 on"},
        {LINE(-1, "{}"), "\"seq\" is no whole number from 1 on"},
        {LINE(1.5, "{}"), "\"seq\" is no whole number from 1 on"},
        {LINE(9223372036854775808, "{}"), "\"seq\" is no whole number from 1 on"},
        {LINE(1, "[]"), "\"note\" is no object"},
        {LINE(1, "{},\"seq\":2"), "\"seq\" stands there twice"},
        {"{\"seq\":1,\"host\":\"\\u0000\"}", "\"host\" is no name of at most 255 bytes"},
        {LINE(1, "{}") "\n" LINE(2, "{}"), "it is more than one line"},
    };
    T_TABLE(row, rows)
    {
        struct journal_line seen;
        struct err err = {0};
        assert_err(journal_line_read(str_of(row->text), &seen, &err), &err, ERR_INVALID,
                   row->message);
    }
}

static void test_the_union_is_in_order_and_tells_gaps(void **state)
{
    (void) state;
    const struct journal_source source[] = {
        {"a", STR(LINE(7, "{}") "\n" LINE(2, "{\"x\":2}") "\n")},
        {"b", STR(LINE(2, "{\"x\":2}") "\n\n" LINE(3, "{}") "\n" LINE(3, "{}") "\n")},
        {"c", STR("")},
        {"d", {NULL, 0}},
    };
    struct journal_merged m;
    journal_merge(source, T_LEN(source), &m);
    assert_seqs(&m, "2 3 7 (1-1)(4-6)");
    assert_string_equal(m.lines.list.ptr[0].text, "{\"x\":2}");
    assert_string_equal(m.lines.list.ptr[0].host, "w");
    assert_int_equal(m.flaws.len, 0);
    journal_merged_done(&m);
    journal_merge(source, 0, &m);
    assert_seqs(&m, "");
    journal_merged_done(&m);
}

static void test_a_contradiction_is_told_with_both_places(void **state)
{
    (void) state;
    const struct journal_source source[] = {
        {"west-1", STR(LINE(1, "{}") "\n" LINE(2, "{\"x\":1}") "\n")},
        {"west-2", STR(LINE(2, "{\"x\":2}") "\n" LINE(2, "{\"x\":1}") "\n")},
        {"east-1", STR("{\"seq\":1,\"at_ms\":8,\"host\":\"w\",\"note\":{}}\n")},
    };
    struct journal_merged m;
    journal_merge(source, T_LEN(source), &m);
    assert_seqs(&m, "1 2 ");
    assert_string_equal(m.lines.list.ptr[1].text, "{\"x\":1}");
    assert_int_equal(m.contradictions, 2);
    assert_flaw(&m, 0, FLAW_CONTRADICTION,
                "east-1: line 1: line 1 of the release is another one than at west-1, line 1");
    assert_flaw(&m, 1, FLAW_CONTRADICTION,
                "west-2: line 1: line 2 of the release is another one than at west-1, line 2");
    assert_int_equal(m.flaws.ptr[1].seq, 2);
    journal_merged_done(&m);
}

static void test_a_last_line_that_was_cut_is_left_out_at_every_length(void **state)
{
    (void) state;
    static const char text[] = LINE(1, "{}") "\n" LINE(2, "{\"x\":{\"seq\":9}}");
    const size_t first = sizeof LINE(1, "{}") - 1, whole = sizeof text - 1;
    for (size_t len = 0; len <= whole; len++) {
        const struct journal_source source = {"w", {text, len}};
        struct journal_merged m;
        journal_merge(&source, 1, &m);
        bool torn = len > 0 && len != first && len != first + 1 && len != whole;
        assert_int_equal(m.lines.list.len, (size_t) (len >= first) + (len == whole));
        assert_int_equal(m.torn, torn);
        assert_int_equal(m.garbage, 0);
        journal_merged_done(&m);
    }
}

static void test_a_line_behind_one_that_was_cut_is_found(void **state)
{
    (void) state;
    static const char first[] = LINE(1, "{\"x\":{\"seq\":9,\"at_ms\":1}}");
    for (size_t len = 1; len < sizeof first - 1; len++) {
        char text[256];
        struct buf b;
        buf_init_fixed(&b, text, sizeof text);
        buf_add(&b, first, len);
        buf_add_cstr(&b, LINE(2, "{\"seq\":{\"seq\":8}}") "\n" LINE(3, "{}") "\n");
        const struct journal_source source = {"w", buf_str(&b)};
        struct journal_merged m;
        journal_merge(&source, 1, &m);
        assert_seqs(&m, "2 3 (1-1)");
        assert_int_equal(m.torn, 1);
        assert_flaw(&m, 0, FLAW_TORN,
                    "w: line 1: a line that was cut stands in front of line 2 of the release");
        journal_merged_done(&m);
    }
}

static void test_garbage_is_told_with_its_place_and_counted(void **state)
{
    (void) state;
    static const char zeros[] =
        LINE(1, "{}") "\n\0\0\0\nhello\n" LINE(2, "{\"a\":1") "\n" LINE(3, "{}") "\n";
    const struct journal_source source = {"east-1", {zeros, sizeof zeros - 1}};
    struct journal_merged m;
    journal_merge(&source, 1, &m);
    assert_seqs(&m, "1 3 (2-2)");
    assert_int_equal(m.garbage, 3);
    assert_flaw(&m, 1, FLAW_GARBAGE,
                "east-1: line 3: no line of a release: it is no object of JSON");
    journal_merged_done(&m);

    struct buf b;
    buf_init(&b, 10000);
    for (int i = 0; i < 500; i++) {
        buf_add_cstr(&b, "x\n");
    }
    const struct journal_source much = {"w", buf_str(&b)};
    journal_merge(&much, 1, &m);
    assert_int_equal(m.garbage, 500);
    assert_int_equal(m.flaws.len, JOURNAL_FLAWS_MAX);
    journal_merged_done(&m);
    buf_done(&b);
}

/* Each line lies on some of 100 hosts, in any order; the union is all of them. */
static void test_many_hosts_give_all_lines(void **state)
{
    (void) state;
    enum { HOSTS = 100, LINES = 1000 };
    struct t_random random = t_random_init();
    struct buf text[HOSTS];
    struct journal_source source[HOSTS];
    char note[64], name[] = "w";
    for (size_t i = 0; i < HOSTS; i++) {
        buf_init(&text[i], 10u << 20);
    }
    for (uint64_t seq = 1; seq <= LINES; seq++) {
        (void) snprintf(note, sizeof note, "{\"n\":%" PRIu64 "}", seq * seq);
        struct journal_line line = {seq, seq + 5, name, note};
        uint64_t one = t_random_below(&random, HOSTS);
        bool all = t_random_below(&random, 2) == 0;
        for (size_t i = 0; i < HOSTS; i++) {
            if (all || i == one || t_random_below(&random, 4) == 0) {
                journal_line_write(&text[i], &line);
            }
        }
    }
    for (size_t i = 0; i < HOSTS; i++) {
        assert_false(text[i].failed);
        source[i] = (struct journal_source){"w", buf_str(&text[i])};
    }
    struct journal_merged m;
    journal_merge(source, HOSTS, &m);
    assert_int_equal(m.lines.list.len, LINES);
    assert_int_equal(m.gaps.len + m.flaws.len, 0);
    for (uint64_t seq = 1; seq <= LINES; seq++) {
        (void) snprintf(note, sizeof note, "{\"n\":%" PRIu64 "}", seq * seq);
        assert_int_equal(m.lines.list.ptr[seq - 1].seq, seq);
        assert_string_equal(m.lines.list.ptr[seq - 1].text, note);
    }
    journal_merged_done(&m);
    for (size_t i = 0; i < HOSTS; i++) {
        buf_done(&text[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_envelope_reads_back),
        cmocka_unit_test(test_what_is_no_envelope_is_told),
        cmocka_unit_test(test_the_union_is_in_order_and_tells_gaps),
        cmocka_unit_test(test_a_contradiction_is_told_with_both_places),
        cmocka_unit_test(test_a_last_line_that_was_cut_is_left_out_at_every_length),
        cmocka_unit_test(test_a_line_behind_one_that_was_cut_is_found),
        cmocka_unit_test(test_garbage_is_told_with_its_place_and_counted),
        cmocka_unit_test(test_many_hosts_give_all_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
