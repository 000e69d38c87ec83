/* The journal: releases, lines, requests, durations, pruning; one process. */
#include "journal/journal_int.h"
#include "journal/merge.h"
#include "support/journal.h"

static struct folder folder;
static struct journal *j;
static struct err err;

static int set_up(void **state)
{
    (void) state;
    folder = folder_new();
    j = journal_opened(folder_name(&folder, "journal.db").path);
    err = (struct err){0};
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    journal_close(j);
    folder_done(&folder);
    return 0;
}

static void assert_message(const char *wanted)
{
    char whole[512];
    (void) snprintf(whole, sizeof whole, "journal %s/journal.db: %s", folder.path, wanted);
    assert_string_equal(err.msg, whole);
}

/* "3 2 1" of the numbers that a filter chooses. */
static void assert_chosen(const struct journal_filter *filter, unsigned limit, const char *wanted)
{
    struct journal_releases list = {0};
    char numbers[128];
    struct buf b;
    buf_init_fixed(&b, numbers, sizeof numbers);
    assert_done(journal_select(j, filter, limit, &list, &err));
    for (size_t i = 0; i < list.list.len; i++) {
        buf_addf(&b, "%s%" PRIu64, i == 0 ? "" : " ", list.list.ptr[i].number);
    }
    assert_string_equal(numbers, wanted);
    journal_releases_done(&list);
}

static void assert_lines(const char *id, uint64_t after, const char *wanted)
{
    struct journal_lines lines = {0};
    char seen[512];
    struct buf b;
    buf_init_fixed(&b, seen, sizeof seen);
    assert_done(journal_read(j, id, after, &lines, &err));
    for (size_t i = 0; i < lines.list.len; i++) {
        const struct journal_line *line = &lines.list.ptr[i];
        buf_addf(&b, "%" PRIu64 "@%" PRIu64 " %s %s;", line->seq, line->at_ms, line->host,
                 line->text);
    }
    assert_string_equal(seen, wanted);
    journal_lines_done(&lines);
}

static void test_a_release_is_read_as_it_was_noted(void **state)
{
    (void) state;
    struct journal_release seen = {0};
    assert_int_equal(begun(j, "shop-1", "shop"), 1);
    assert_int_equal(begun(j, "shop-2", "shop"), 2);
    journal_close(j);
    j = journal_opened(folder_name(&folder, "journal.db").path);
    assert_done(journal_find(j, "shop", NULL, 1, &seen, &err));
    assert_int_equal(seen.number, 1);
    assert_string_equal(seen.id, "shop-1");
    assert_string_equal(seen.service, "shop");
    assert_string_equal(seen.environment, "production");
    assert_string_equal(seen.kind, "release");
    assert_string_equal(seen.version, "1.42.0");
    assert_string_equal(seen.from, "1.41.0");
    assert_string_equal(seen.state, "running");
    assert_string_equal(seen.by, "ada@west");
    assert_string_equal(seen.why, "the \xc3\xbc fix");
    assert_int_equal(seen.began_ms, 1769903999123);
    assert_int_equal(seen.ended_ms, 0);
    assert_string_equal(seen.config_path, "/srv/shop/release.yaml");
    assert_string_equal(seen.config_hash, "9f86d081");
    assert_string_equal(seen.header, "{\"a\":[1,2]}");
    journal_release_done(&seen);

    assert_done(journal_set_state(j, "shop-2", "done", 1769904999000, &err));
    assert_done(journal_find_id(j, "shop-2", &seen, &err));
    assert_string_equal(seen.state, "done");
    assert_int_equal(seen.ended_ms, 1769904999000);
    journal_release_done(&seen);
}

static void test_a_release_is_noted_once(void **state)
{
    (void) state;
    struct journal_release release = release_of("shop-1", "shop");
    uint64_t number = 77;
    (void) begun(j, "shop-1", "shop");
    assert_int_equal(journal_begin(j, &release, &number, &err), ERR_CONFLICT);
    assert_message("has a release \"shop-1\" already");
    assert_int_equal(number, 77);
    /* A refused one takes no number. */
    assert_int_equal(begun(j, "shop-2", "shop"), 2);
}

static void test_what_cannot_be_noted_is_told(void **state)
{
    (void) state;
    static char large[JOURNAL_LINE_MAX + 3];
    uint64_t number;
    struct journal_release r = release_of("", "shop");
    assert_err(journal_begin(j, &r, &number, &err), &err, ERR_INVALID,
               "a release without id or service cannot be noted");
    r = release_of("shop-1", "shop");
    r.why = lent("\xff");
    assert_err(journal_begin(j, &r, &number, &err), &err, ERR_INVALID,
               "the reason of a release is no text of UTF-8");
    r.why = lent("");
    r.header = lent("{");
    assert_int_equal(journal_begin(j, &r, &number, &err), ERR_INVALID);
    r.header = lent("");
    r.began_ms = UINT64_MAX;
    assert_int_equal(journal_begin(j, &r, &number, &err), ERR_INVALID);
    assert_message("cannot write: a number is above 9223372036854775807");

    (void) begun(j, "shop-1", "shop");
    assert_err(append_line(j, "shop-1", 0, "{}", &err), &err, ERR_INVALID,
               "a line has the number 0; they begin at 1");
    assert_err(append_line(j, "shop-1", 1, "{\n}", &err), &err, ERR_INVALID,
               "a line has a line feed; one line of JSON is wanted");
    assert_int_equal(append_line(j, "shop-1", 1, "{\"a\"}", &err), ERR_INVALID);
    assert_err(append_line(j, "shop-1", 1, " {}", &err), &err, ERR_INVALID,
               "a line is no object of JSON, from { to }");
    memset(large, ' ', sizeof large - 1);
    large[0] = '{';
    large[JOURNAL_LINE_MAX - 1] = '}';
    assert_err(append_line(j, "shop-1", 1, large, &err), &err, ERR_FULL,
               "a line has 65538 bytes, at most 65536 can be noted");
    large[JOURNAL_LINE_MAX] = '\0';
    assert_done(append_line(j, "shop-1", 1, large, &err));
    assert_int_equal(append_line(j, "no", 1, "{}", &err), ERR_NOT_FOUND);
    assert_message("has no release \"no\"");
    assert_int_equal(journal_set_state(j, "no", "done", 1, &err), ERR_NOT_FOUND);
}

static void test_lines_come_in_order_and_the_same_again_is_fine(void **state)
{
    (void) state;
    (void) begun(j, "shop-1", "shop");
    (void) begun(j, "shop-2", "shop");
    assert_lines("shop-1", 0, "");
    assert_done(append_line(j, "shop-1", 1, "{\"n\":1}", &err));
    assert_done(append_line(j, "shop-1", 2, "{\"n\":2}", &err));
    assert_done(append_line(j, "shop-1", 5, "{\"n\":5}", &err));
    assert_done(append_line(j, "shop-2", 1, "{}", &err));
    assert_done(append_line(j, "shop-1", 2, "{\"n\":2}", &err));

    assert_int_equal(append_line(j, "shop-1", 2, "{\"n\":3}", &err), ERR_CONFLICT);
    assert_message("has another line 2 of release \"shop-1\"; another process carries it out, or "
                   "did");
    assert_int_equal(append_line(j, "shop-1", 2, "{\"n\":1}", &err), ERR_CONFLICT);
    struct journal_line other = {2, 1003, lent("west-1"), lent("{\"n\":2}")};
    assert_int_equal(journal_append(j, "shop-1", &other, &err), ERR_CONFLICT);
    other = (struct journal_line){2, 1002, lent("west-2"), lent("{\"n\":2}")};
    assert_int_equal(journal_append(j, "shop-1", &other, &err), ERR_CONFLICT);
    assert_int_equal(append_line(j, "shop-1", 4, "{\"n\":4}", &err), ERR_CONFLICT);
    assert_message("has line 5 of release \"shop-1\", so that line 4 comes too late");
    assert_lines("shop-1", 1, "2@1002 west-1 {\"n\":2};5@1005 west-1 {\"n\":5};");
    assert_lines("shop-1", 5, "");
    struct journal_lines lines;
    assert_int_equal(journal_read(j, "no", 0, &lines, &err), ERR_NOT_FOUND);
}

static void test_what_hosts_know_is_taken_over_at_once(void **state)
{
    (void) state;
    uint64_t number = 0;
    struct journal_release release = release_of("shop-9", "shop");
    struct journal_line line[] = {{1, 11, lent(""), lent("{\"n\":1}")},
                                  {2, 12, lent("w"), lent("{\"n\":2}")},
                                  {4, 14, lent("w"), lent("{\"n\":4}")}};
    assert_done(journal_import(j, &release, line, 1, false, &number, &err));
    assert_int_equal(number, 1);
    assert_done(journal_import(j, &release, line + 2, 1, false, &number, &err));
    /* A hole is filled later, when the host that has the line is back. */
    assert_done(journal_import(j, &release, line, 3, false, &number, &err));
    assert_int_equal(number, 1);
    assert_lines("shop-9", 0, "1@11  {\"n\":1};2@12 w {\"n\":2};4@14 w {\"n\":4};");

    struct journal_line other[] = {{3, 13, lent("w"), lent("{\"n\":3}")},
                                   {4, 14, lent("w"), lent("{\"n\":5}")}};
    assert_int_equal(journal_import(j, &release, other, 2, false, &number, &err), ERR_CONFLICT);
    assert_lines("shop-9", 2, "4@14 w {\"n\":4};");
    assert_done(journal_import(j, &release, other, 2, true, &number, &err));
    assert_lines("shop-9", 2, "3@13 w {\"n\":3};4@14 w {\"n\":5};");
}

/* One machine's journal, written as text to a host, read there into another machine's. */
static void test_lines_go_from_journal_to_journal_as_text(void **state)
{
    (void) state;
    struct folder_name second = folder_name(&folder, "second.db");
    struct journal *other = journal_opened(second.path);
    struct journal_lines lines = {0};
    struct journal_merged merged;
    struct journal_release release = release_of("a", "shop");
    struct buf b;
    uint64_t number;
    (void) begun(j, "a", "shop");
    assert_done(append_line(j, "a", 1, "{ \"x\" : [1, {\"seq\":2}] }", &err));
    assert_done(append_line(j, "a", 2, "{\"\xc3\xbc\":\"\\u0000\\n\"}", &err));
    assert_done(journal_read(j, "a", 0, &lines, &err));
    buf_init(&b, 10000);
    for (size_t i = 0; i < lines.list.len; i++) {
        journal_line_write(&b, &lines.list.ptr[i]);
    }
    journal_lines_done(&lines);
    const struct journal_source source[] = {{"west-1", buf_str(&b)}, {"west-2", buf_str(&b)}};
    journal_merge(source, T_LEN(source), &merged);
    assert_int_equal(merged.flaws.len + merged.gaps.len, 0);
    struct journal_line *line = merged.lines.list.ptr;
    assert_int_equal(merged.lines.list.len, 2);
    assert_done(journal_import(other, &release, line, 2, false, &number, &err));
    /* The same lines to both: nothing contradicts. */
    assert_done(journal_import(j, &release, line, 2, false, &number, &err));
    journal_close(j);
    j = other;
    assert_lines("a", 0,
                 "1@1001 west-1 { \"x\" : [1, {\"seq\":2}] };"
                 "2@1002 west-1 {\"\xc3\xbc\":\"\\u0000\\n\"};");
    journal_merged_done(&merged);
    buf_done(&b);
}

static void test_releases_are_found_and_listed(void **state)
{
    (void) state;
    struct journal_release seen;
    struct journal_release staging = release_of("s", "shop");
    staging.environment = lent("staging");
    uint64_t number = 0;
    (void) begun(j, "a", "shop");
    (void) begun(j, "b", "mail");
    assert_done(journal_begin(j, &staging, &number, &err));
    (void) begun(j, "d", "mail");
    assert_done(journal_set_state(j, "a", "done", 5, &err));

    assert_done(journal_find(j, NULL, NULL, 0, &seen, &err));
    assert_string_equal(seen.id, "d");
    journal_release_done(&seen);
    assert_done(journal_find(j, "shop", "production", 0, &seen, &err));
    assert_string_equal(seen.id, "a");
    journal_release_done(&seen);
    assert_int_equal(journal_find(j, "shop", "production", 3, &seen, &err), ERR_NOT_FOUND);
    assert_message("has no release 3 of service shop in production");
    assert_int_equal(journal_find_id(j, "zz", &seen, &err), ERR_NOT_FOUND);
    assert_message("has no release \"zz\"");

    struct journal_releases list = {0};
    assert_done(journal_list(j, "mail", 10, &list, &err));
    assert_int_equal(list.list.len, 2);
    assert_string_equal(list.list.ptr[0].id, "d");
    journal_releases_done(&list);

    assert_chosen(&(struct journal_filter){0}, 10, "4 3 2 1");
    assert_chosen(&(struct journal_filter){0}, 2, "4 3");
    assert_chosen(&(struct journal_filter){.before = 3}, 10, "2 1");
    assert_chosen(&(struct journal_filter){.open = true}, 10, "4 3 2");
    assert_chosen(&(struct journal_filter){.environment = "staging"}, 10, "3");
    assert_chosen(&(struct journal_filter){.service = "shop", .state = "done"}, 10, "1");
    assert_chosen(&(struct journal_filter){.kind = "restart"}, 10, "");
    assert_done(journal_count(j, &(struct journal_filter){.open = true}, &number, &err));
    assert_int_equal(number, 3);
}

static void test_a_request_is_put_taken_and_answered(void **state)
{
    (void) state;
    struct journal_requests taken = {0};
    uint64_t pause = 0, stop = 0;
    char *answer = lent("untouched");
    (void) begun(j, "a", "shop");
    (void) begun(j, "b", "shop");
    assert_done(journal_request(j, "a", STR("{\"do\":\"pause\"}"), &pause, &err));
    assert_done(journal_request(j, "a", STR("{\"do\":\"rollback\"}"), &stop, &err));
    assert_done(journal_take_requests(j, "b", &taken, &err));
    assert_int_equal(taken.list.len, 0);
    assert_done(journal_take_requests(j, "a", &taken, &err));
    assert_int_equal(taken.list.len, 2);
    assert_int_equal(taken.list.ptr[0].id, pause);
    assert_string_equal(taken.list.ptr[0].release, "a");
    assert_string_equal(taken.list.ptr[0].text, "{\"do\":\"pause\"}");
    assert_string_equal(taken.list.ptr[1].text, "{\"do\":\"rollback\"}");
    journal_requests_done(&taken);
    assert_done(journal_take_requests(j, "a", &taken, &err));
    assert_int_equal(taken.list.len, 0);

    assert_done(journal_read_answer(j, pause, &answer, &err));
    assert_null(answer);
    assert_done(journal_answer(j, pause, "", &err));
    assert_done(journal_answer(j, stop, "it has ended", &err));
    assert_done(journal_read_answer(j, pause, &answer, &err));
    assert_string_equal(answer, "");
    mem_free(answer);
    assert_done(journal_read_answer(j, stop, &answer, &err));
    assert_string_equal(answer, "it has ended");
    mem_free(answer);
    assert_done(journal_answer(j, stop, "it has ended", &err));
    assert_int_equal(journal_answer(j, stop, "", &err), ERR_CONFLICT);
    assert_message("request 2 was answered otherwise already");
    assert_int_equal(journal_answer(j, 9, "", &err), ERR_NOT_FOUND);
    assert_int_equal(journal_read_answer(j, 9, &answer, &err), ERR_NOT_FOUND);
}

static void test_a_request_can_be_taken_back_until_it_is_taken(void **state)
{
    (void) state;
    struct journal_requests taken = {0};
    uint64_t request = 0;
    (void) begun(j, "a", "shop");
    assert_done(journal_request(j, "a", STR("{}"), &request, &err));
    assert_int_equal(journal_answer(j, request, "", &err), ERR_CONFLICT);
    assert_done(journal_withdraw(j, request, &err));
    assert_int_equal(journal_withdraw(j, request, &err), ERR_NOT_FOUND);
    assert_done(journal_take_requests(j, "a", &taken, &err));
    assert_int_equal(taken.list.len, 0);
    assert_done(journal_request(j, "a", STR("{}"), &request, &err));
    assert_int_equal(request, 2);
    assert_done(journal_take_requests(j, "a", &taken, &err));
    assert_int_equal(taken.list.len, 1);
    journal_requests_done(&taken);
    assert_int_equal(journal_withdraw(j, request, &err), ERR_CONFLICT);
    assert_message("request 2 was taken already");
}

static void test_requests_that_nobody_takes_have_a_bound(void **state)
{
    (void) state;
    uint64_t request = 0;
    (void) begun(j, "a", "shop");
    for (int i = 0; i < JOURNAL_REQUESTS_MAX; i++) {
        assert_done(journal_request(j, "a", STR("{}"), &request, &err));
    }
    assert_int_equal(journal_request(j, "a", STR("{}"), &request, &err), ERR_FULL);
    assert_message("has 100 requests to release \"a\" that nobody took; no process runs it here");
    assert_int_equal(journal_request(j, "no", STR("{}"), &request, &err), ERR_NOT_FOUND);
    assert_int_equal(journal_request(j, "a", STR("pause"), &request, &err), ERR_INVALID);
}

static void test_durations_come_newest_first_and_old_ones_go(void **state)
{
    (void) state;
    uint64_t took[JOURNAL_TIMES_KEPT + 50];
    size_t n = 0;
    for (uint64_t i = 1; i <= JOURNAL_TIMES_KEPT + 20; i++) {
        assert_done(journal_add_time(j, "shop", "start", i * 10, 1000 + i, &err));
    }
    assert_done(journal_add_time(j, "shop", "pull", 7, 5000, &err));
    assert_done(journal_add_time(j, "mail", "start", 8, 5000, &err));
    /* Older than all that are kept. */
    assert_done(journal_add_time(j, "shop", "start", 9999, 1, &err));
    assert_done(journal_times(j, "shop", "start", 3, took, &n, &err));
    assert_int_equal(n, 3);
    assert_int_equal(took[0], (JOURNAL_TIMES_KEPT + 20) * 10);
    assert_int_equal(took[2], (JOURNAL_TIMES_KEPT + 18) * 10);
    assert_done(journal_times(j, "shop", "start", (unsigned) T_LEN(took), took, &n, &err));
    assert_int_equal(n, JOURNAL_TIMES_KEPT);
    assert_int_equal(took[n - 1], 210);
    assert_done(journal_times(j, "shop", "pull", 9, took, &n, &err));
    assert_int_equal(n, 1);
    assert_done(journal_times(j, "shop", "no", 9, took, &n, &err));
    assert_int_equal(n, 0);
}

static void test_old_releases_go_but_none_that_has_not_ended(void **state)
{
    (void) state;
    static char text[30001] = "{\"x\":\"";
    uint64_t gone = 0, request = 0, number = 0;
    struct stat before, after;
    char *answer;
    memset(text + 6, 'x', sizeof text - 9);
    text[sizeof text - 3] = '"';
    text[sizeof text - 2] = '}';
    for (int i = 1; i <= 6; i++) {
        char id[16];
        (void) snprintf(id, sizeof id, "s%d", i);
        (void) begun(j, id, "shop");
        for (uint64_t seq = 1; seq <= 10; seq++) {
            assert_done(append_line(j, id, seq, text, &err));
        }
        if (i != 2) {
            assert_done(journal_set_state(j, id, "done", 9, &err));
        }
    }
    assert_done(journal_request(j, "s1", STR("{}"), &request, &err));
    (void) begun(j, "m1", "mail");
    assert_done(journal_set_state(j, "m1", "done", 9, &err));
    journal_close(j);
    assert_int_equal(stat(folder_name(&folder, "journal.db").path, &before), 0);
    j = journal_opened(folder_name(&folder, "journal.db").path);

    assert_done(journal_prune(j, 2, &gone, &err));
    assert_int_equal(gone, 3);
    assert_chosen(&(struct journal_filter){0}, 10, "7 6 5 2");
    assert_int_equal(journal_read_answer(j, request, &answer, &err), ERR_NOT_FOUND);
    assert_done(journal_prune(j, 2, &gone, &err));
    assert_int_equal(gone, 0);
    assert_done(journal_prune(j, 0, NULL, &err));
    assert_chosen(&(struct journal_filter){0}, 10, "2");
    journal_close(j);
    assert_int_equal(stat(folder_name(&folder, "journal.db").path, &after), 0);
    t_check(after.st_size < before.st_size / 3, "%ld bytes of %ld", (long) after.st_size,
            (long) before.st_size);
    j = journal_opened(folder_name(&folder, "journal.db").path);
    /* Numbers of the past do not come again. */
    struct journal_release release = release_of("new", "shop");
    assert_done(journal_begin(j, &release, &number, &err));
    assert_int_equal(number, 8);
}

static uint64_t pragma_of(const char *text)
{
    struct sql q = sql_new(j, text);
    assert_true(sql_row(&q));
    uint64_t value = sql_get_u64(&q, 0);
    assert_int_equal(sql_end(&q, "read", &err), 0);
    return value;
}

/* A loss of power cannot be had in a test; that SQLite is told to expect it can be seen. */
static void test_each_write_is_synced(void **state)
{
    (void) state;
    assert_int_equal(pragma_of("PRAGMA synchronous"), 2); /* FULL */
    assert_int_equal(pragma_of("SELECT journal_mode = 'wal' FROM pragma_journal_mode"), 1);
    assert_int_equal(pragma_of("PRAGMA foreign_keys"), 1);
    assert_int_equal(pragma_of("SELECT count(*) FROM pragma_table_list"
                               " WHERE schema = 'main' AND name NOT LIKE 'sqlite%' AND NOT strict"),
                     0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_release_is_read_as_it_was_noted),
        CASE(test_each_write_is_synced),
        CASE(test_a_release_is_noted_once),
        CASE(test_what_cannot_be_noted_is_told),
        CASE(test_lines_come_in_order_and_the_same_again_is_fine),
        CASE(test_what_hosts_know_is_taken_over_at_once),
        CASE(test_lines_go_from_journal_to_journal_as_text),
        CASE(test_releases_are_found_and_listed),
        CASE(test_a_request_is_put_taken_and_answered),
        CASE(test_a_request_can_be_taken_back_until_it_is_taken),
        CASE(test_requests_that_nobody_takes_have_a_bound),
        CASE(test_durations_come_newest_first_and_old_ones_go),
        CASE(test_old_releases_go_but_none_that_has_not_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
