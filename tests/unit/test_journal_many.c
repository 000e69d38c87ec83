/* The journal with several processes in it, also such that are killed. */
#include "journal/journal_int.h"
#include "support/child.h"
#include "support/journal.h"

#include <signal.h>

static struct folder folder;
static struct folder_name file;

static int set_up(void **state)
{
    (void) state;
    folder = folder_new();
    file = folder_name(&folder, "journal.db");
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    folder_done(&folder);
    return 0;
}

/* In a child: tells and gives the exit code. */
static int told(const char *what, const struct err *err)
{
    print_error("%s: %s\n", what, err->msg);
    return 3;
}

static size_t count_lines(struct journal *j, const char *id)
{
    struct journal_lines lines = {0};
    struct err err = {0};
    assert_done(journal_read(j, id, 0, &lines, &err));
    size_t n = lines.list.len;
    for (size_t i = 0; i < n; i++) {
        char text[64];
        (void) snprintf(text, sizeof text, "{\"n\":%zu}", i + 1);
        assert_int_equal(lines.list.ptr[i].seq, i + 1);
        assert_string_equal(lines.list.ptr[i].text, text);
    }
    journal_lines_done(&lines);
    return n;
}

enum { EACH = 1000 };

static int append_thousand(void *ctx)
{
    const char *id = ctx;
    struct journal *j;
    struct err err = {0};
    if (journal_open(file.path, &j, &err) < 0) {
        return told("open", &err);
    }
    for (uint64_t seq = 1; seq <= EACH; seq++) {
        char text[64];
        (void) snprintf(text, sizeof text, "{\"n\":%" PRIu64 "}", seq);
        if (append_line(j, id, seq, text, &err) < 0) {
            return told("append", &err);
        }
    }
    journal_close(j);
    return 0;
}

static void test_two_write_and_one_reads_and_nothing_is_lost(void **state)
{
    (void) state;
    char one[] = "one", two[] = "two";
    struct journal *j = journal_opened(file.path);
    (void) begun(j, one, "shop");
    (void) begun(j, two, "mail");
    pid_t a = child_start(append_thousand, one), b = child_start(append_thousand, two);
    size_t seen = 0;
    while (seen < EACH) {
        size_t now = count_lines(j, one);
        assert_true(now >= seen);
        seen = now;
        siginfo_t ended = {0};
        assert_int_equal(waitid(P_PID, (id_t) a, &ended, WEXITED | WNOHANG | WNOWAIT), 0);
        if (ended.si_pid == a && count_lines(j, one) < EACH) {
            break; /* it failed, and its exit code says so */
        }
    }
    assert_int_equal(child_wait(a), 0);
    assert_int_equal(child_wait(b), 0);
    assert_int_equal(count_lines(j, one), EACH);
    assert_int_equal(count_lines(j, two), EACH);
    journal_close(j);
    /* All of it is in the one file then. */
    assert_int_equal(access(folder_name(&folder, "journal.db-wal").path, F_OK), -1);
}

static int open_and_begin(void *ctx)
{
    char id[32];
    struct journal *j;
    struct err err = {0};
    uint64_t number = 0;
    (void) ctx;
    (void) snprintf(id, sizeof id, "r-%ld", (long) getpid());
    struct journal_release release = release_of(id, "shop");
    if (journal_open(file.path, &j, &err) < 0) {
        return told("open", &err);
    }
    if (journal_begin(j, &release, &number, &err) < 0) {
        return told("begin", &err);
    }
    journal_close(j);
    return 0;
}

static void test_many_make_the_same_new_file(void **state)
{
    (void) state;
    pid_t pid[8];
    for (int round = 1; round <= 5; round++) {
        uint64_t n = 0;
        struct err err = {0};
        for (size_t i = 0; i < T_LEN(pid); i++) {
            pid[i] = child_start(open_and_begin, NULL);
        }
        for (size_t i = 0; i < T_LEN(pid); i++) {
            assert_int_equal(child_wait(pid[i]), 0);
        }
        struct journal *j = journal_opened(file.path);
        assert_done(journal_count(j, &(struct journal_filter){0}, &n, &err));
        assert_int_equal(n, T_LEN(pid));
        journal_close(j);
        assert_int_equal(unlink(file.path), 0);
    }
}

static const char later_step[] = "CREATE TABLE later (a TEXT) STRICT";

static int open_later(void *ctx)
{
    const char *step[] = {journal_schema_present.step[0], later_step};
    const struct journal_schema later = {step, 2};
    struct journal *j;
    struct err err = {0};
    (void) ctx;
    if (journal_open_with(file.path, 10000, &later, &j, &err) < 0) {
        return told("open", &err);
    }
    journal_close(j);
    return 0;
}

static void test_many_upgrade_the_same_file(void **state)
{
    (void) state;
    pid_t pid[6];
    struct journal *j = journal_opened(file.path);
    (void) begun(j, "a", "shop");
    journal_close(j);
    for (size_t i = 0; i < T_LEN(pid); i++) {
        pid[i] = child_start(open_later, NULL);
    }
    for (size_t i = 0; i < T_LEN(pid); i++) {
        assert_int_equal(child_wait(pid[i]), 0);
    }
}

struct taker {
    int pipe;
    uint64_t wanted; /* ids up to this one */
};

/* Takes until the last request was taken, by whomever; tells each id that it got. */
static int take(void *ctx)
{
    const struct taker *t = ctx;
    struct journal *j;
    struct err err = {0};
    if (journal_open(file.path, &j, &err) < 0) {
        return told("open", &err);
    }
    for (int calls = 0; calls < 100000; calls++) {
        struct journal_requests got = {0};
        if (journal_take_requests(j, "a", &got, &err) < 0) {
            return told("take", &err);
        }
        bool last = false;
        for (size_t i = 0; i < got.list.len; i++) {
            uint64_t id = got.list.ptr[i].id;
            last = id == t->wanted;
            if (journal_answer(j, id, "", &err) < 0 ||
                write(t->pipe, &id, sizeof id) != sizeof id) {
                return told("answer", &err);
            }
        }
        journal_requests_done(&got);
        char *answer = NULL;
        if (!last && journal_read_answer(j, t->wanted, &answer, &err) == 0 && answer != NULL) {
            last = true;
            mem_free(answer);
        }
        if (last) {
            journal_close(j);
            return 0;
        }
    }
    return 4;
}

static void test_each_request_is_taken_by_one(void **state)
{
    (void) state;
    enum { REQUESTS = 90 };
    struct journal *j = journal_opened(file.path);
    struct err err = {0};
    int fd[2], seen[REQUESTS + 1] = {0};
    uint64_t id;
    (void) begun(j, "a", "shop");
    assert_int_equal(pipe(fd), 0);
    struct taker taker = {fd[1], REQUESTS};
    pid_t pid[] = {child_start(take, &taker), child_start(take, &taker), child_start(take, &taker)};
    (void) close(fd[1]);
    for (int i = 0; i < REQUESTS; i++) {
        assert_done(journal_request(j, "a", STR("{\"do\":\"pause\"}"), &id, &err));
    }
    while (read(fd[0], &id, sizeof id) == sizeof id) {
        assert_true(id <= REQUESTS);
        seen[id]++;
    }
    for (size_t i = 0; i < T_LEN(pid); i++) {
        assert_int_equal(child_wait(pid[i]), 0);
    }
    for (int i = 1; i <= REQUESTS; i++) {
        t_check(seen[i] == 1, "request %d was taken %d times", i, seen[i]);
    }
    (void) close(fd[0]);
    journal_close(j);
}

struct writer {
    int pipe;
    uint64_t from;
};

/* Appends for ever and tells each line that the journal has. */
static int append_until_killed(void *ctx)
{
    const struct writer *w = ctx;
    struct journal *j;
    struct err err = {0};
    if (journal_open(file.path, &j, &err) < 0) {
        return told("open", &err);
    }
    for (uint64_t seq = w->from;; seq++) {
        char text[64];
        (void) snprintf(text, sizeof text, "{\"n\":%" PRIu64 "}", seq);
        if (append_line(j, "a", seq, text, &err) < 0 ||
            write(w->pipe, &seq, sizeof seq) != sizeof seq) {
            return told("append", &err);
        }
    }
}

static void assert_whole(void)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    assert_int_equal(sqlite3_open(file.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    assert_string_equal((const char *) sqlite3_column_text(q, 0), "ok");
    (void) sqlite3_finalize(q);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Lives are cut by SIGKILL after some microseconds; what a life said is there, at most one more. */
static void test_a_killed_writer_loses_nothing_that_it_said(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    struct journal *j = journal_opened(file.path);
    uint64_t has = 0;
    (void) begun(j, "a", "shop");
    journal_close(j);
    for (int life = 1; life <= 30; life++) {
        int fd[2];
        uint64_t said = has, seq;
        assert_int_equal(pipe(fd), 0);
        struct writer writer = {fd[1], has + 1};
        pid_t pid = child_start(append_until_killed, &writer);
        (void) close(fd[1]);
        /* Some lives end while the file is opened, most while they write. */
        const struct timespec pause = {0, (long) t_random_below(&random, 30000000)};
        (void) nanosleep(&pause, NULL);
        assert_int_equal(kill(pid, SIGKILL), 0);
        assert_int_equal(child_wait(pid), 1000 + SIGKILL);
        while (read(fd[0], &seq, sizeof seq) == sizeof seq) {
            assert_int_equal(seq, said + 1);
            said = seq;
        }
        (void) close(fd[0]);
        j = journal_opened(file.path);
        has = count_lines(j, "a");
        t_check(has == said || has == said + 1, "life %d: %" PRIu64 " said, %" PRIu64 " there",
                life, said, has);
        journal_close(j);
        assert_whole();
    }
    t_check(has > 30, "only %" PRIu64 " lines were written in all lives", has);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_two_write_and_one_reads_and_nothing_is_lost),
        CASE(test_many_make_the_same_new_file),
        CASE(test_many_upgrade_the_same_file),
        CASE(test_each_request_is_taken_by_one),
        CASE(test_a_killed_writer_loses_nothing_that_it_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
