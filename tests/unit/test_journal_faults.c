/* The journal with a disk that is full or fails, and with files that were cut or changed. */
#include "base/mem.h"
#include "journal/journal_int.h"
#include "support/child.h"
#include "support/journal.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/types.h>

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

/* The n-th call of those that change or read the disk fails, and all behind it if `stays`. */
static struct {
    int errnum;
    long left; /* calls until it fails; negative: never */
    bool stays;
} fault = {.left = -1};

static bool fails_now(void)
{
    if (fault.left < 0) {
        return false;
    }
    if (fault.left > 0) {
        fault.left--;
        return false;
    }
    fault.left = fault.stays ? 0 : -1;
    errno = fault.errnum;
    return true;
}

static ssize_t faulty_pwrite(int fd, const void *bytes, size_t len, off_t at)
{
    return fails_now() ? -1 : pwrite(fd, bytes, len, at);
}

static ssize_t faulty_write(int fd, const void *bytes, size_t len)
{
    return fails_now() ? -1 : write(fd, bytes, len);
}

static ssize_t faulty_pread(int fd, void *bytes, size_t len, off_t at)
{
    return fails_now() ? -1 : pread(fd, bytes, len, at);
}

static int faulty_truncate(int fd, off_t size)
{
    return fails_now() ? -1 : ftruncate(fd, size);
}

static int faulty_fallocate(int fd, off_t at, off_t size)
{
    return fails_now() ? errno : posix_fallocate(fd, at, size);
}

static int faulty_open(const char *path, int flags, int mode)
{
    return fails_now() ? -1 : open(path, flags, mode);
}

static void replace(const char *name, sqlite3_syscall_ptr call)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    (void) vfs->xSetSystemCall(vfs, name, call);
}

enum kind { WRITES, READS, OPENS, KINDS };

static void replace_calls(enum kind kind)
{
    replace(NULL, NULL);
    if (kind == WRITES) {
        replace("write", (sqlite3_syscall_ptr) faulty_write);
        replace("pwrite", (sqlite3_syscall_ptr) faulty_pwrite);
        replace("pwrite64", (sqlite3_syscall_ptr) faulty_pwrite);
        replace("ftruncate", (sqlite3_syscall_ptr) faulty_truncate);
        replace("fallocate", (sqlite3_syscall_ptr) faulty_fallocate);
    } else if (kind == READS) {
        replace("pread", (sqlite3_syscall_ptr) faulty_pread);
        replace("pread64", (sqlite3_syscall_ptr) faulty_pread);
    } else if (kind == OPENS) {
        replace("open", (sqlite3_syscall_ptr) faulty_open);
    }
}

static void assert_told(const struct err *err, enum kind kind, long nth)
{
    t_check(strncmp(err->msg, "journal ", 8) == 0 && strstr(err->msg, file.path) != NULL,
            "%d, call %ld: %s", (int) kind, nth, err->msg);
    t_check(err->code == ERR_IO || err->code == ERR_INVALID || err->code == ERR_TIMEOUT,
            "%d, call %ld: %d %s", (int) kind, nth, (int) err->code, err->msg);
    /* SQLite itself knows only this one, and forgets the reason of others now and then. */
    if (fault.errnum == ENOSPC) {
        t_check(strstr(err->msg, "no space left") != NULL, "call %ld: %s", nth, err->msg);
    }
}

/* Which lines the journal said that it has: bit n for line n. */
static unsigned live(enum kind kind, long nth, bool *ret_begun)
{
    struct journal *j = NULL;
    struct err err = {0};
    uint64_t number = 0;
    unsigned said = 0;
    struct journal_release release = release_of("a", "shop");
    if (journal_open_with(file.path, 5, &journal_schema_present, &j, &err) < 0) {
        assert_told(&err, kind, nth);
        return 0;
    }
    if (journal_begin(j, &release, &number, &err) == 0) {
        *ret_begun = true;
    } else {
        assert_told(&err, kind, nth);
    }
    for (unsigned n = 1; n <= 4 && *ret_begun; n++) {
        if (append_line(j, "a", n, "{\"text\":\"a line of some length\"}", &err) == 0) {
            said |= 1u << n;
        } else {
            assert_told(&err, kind, nth);
        }
    }
    journal_close(j);
    return said;
}

/*
 * For each n: in a new journal the n-th call of the kind fails, once or from then on.  What was
 * said to be noted is there afterwards, what was said not to be is not.
 */
static void check_each_fault(enum kind kind, int errnum, bool stays)
{
    bool hit = true;
    long nth = 0;
    for (; hit; nth++) {
        bool is_begun = false;
        t_check(nth < 2000, "it fails without end");
        replace_calls(kind);
        fault.errnum = errnum;
        fault.stays = stays;
        fault.left = nth;
        unsigned said = live(kind, nth, &is_begun), there = 0;
        hit = fault.stays ? fault.left == 0 : fault.left == -1;
        fault.left = -1;
        replace(NULL, NULL);

        struct journal *j = journal_opened(file.path);
        struct err err = {0};
        struct journal_lines lines = {0};
        int rc = journal_read(j, "a", 0, &lines, &err);
        t_check(rc == (is_begun ? 0 : ERR_NOT_FOUND), "call %ld: %d %s", nth, rc, err.msg);
        for (size_t i = 0; i < lines.list.len; i++) {
            there |= 1u << lines.list.ptr[i].seq;
        }
        t_check(there == said, "call %ld: %x said, %x there", nth, said, there);
        journal_lines_done(&lines);
        journal_close(j);
        assert_int_equal(unlink(file.path), 0);
    }
    t_check(nth > 3, "only %ld calls", nth);
}

static void test_a_full_disk_is_told_and_nothing_is_lost(void **state)
{
    (void) state;
    check_each_fault(WRITES, ENOSPC, false);
    check_each_fault(WRITES, ENOSPC, true);
    check_each_fault(WRITES, EDQUOT, true);
}

static void test_a_disk_that_cannot_be_read_is_told(void **state)
{
    (void) state;
    check_each_fault(READS, EIO, false);
    check_each_fault(READS, EIO, true);
}

static void test_no_more_open_files_is_told(void **state)
{
    (void) state;
    check_each_fault(OPENS, EMFILE, false);
    check_each_fault(OPENS, EMFILE, true);
}

/* In a child, as a limit does not go away: 0 when the limit was told and nothing was lost. */
static int write_to_the_limit(void *ctx)
{
    const struct rlimit small = {200000, 200000};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct journal *j;
    struct err err = {0};
    struct journal_lines lines;
    uint64_t seq = 0;
    static char text[8001] = "{\"x\":\"";
    (void) ctx;
    memset(text + 6, 'x', sizeof text - 9);
    text[sizeof text - 3] = '"';
    text[sizeof text - 2] = '}';
    if (sigaction(SIGXFSZ, &ignore, NULL) != 0 || setrlimit(RLIMIT_FSIZE, &small) != 0) {
        return 10;
    }
    j = journal_opened(file.path);
    (void) begun(j, "a", "shop");
    while (seq < 1000 && append_line(j, "a", seq + 1, text, &err) == 0) {
        seq++;
    }
    if (seq == 1000 || err.code != ERR_IO || strstr(err.msg, "ulimit -f") == NULL) {
        print_error("%" PRIu64 " lines: %s\n", seq, err.msg);
        return 11;
    }
    if (journal_read(j, "a", 0, &lines, &err) < 0 || lines.list.len != seq) {
        print_error("%" PRIu64 " lines: %s\n", seq, err.msg);
        return 12;
    }
    journal_lines_done(&lines);
    journal_close(j);
    return 0;
}

static void test_a_limit_of_file_sizes_is_told(void **state)
{
    (void) state;
    assert_int_equal(child_wait(child_start(write_to_the_limit, NULL)), 0);
    struct journal *j = journal_opened(file.path);
    struct journal_lines lines;
    struct err err = {0};
    assert_done(journal_read(j, "a", 0, &lines, &err));
    assert_true(lines.list.len > 3);
    journal_lines_done(&lines);
    journal_close(j);
}

static char *whole;
static size_t whole_len;

static void make_whole(void)
{
    struct err err = {0};
    struct journal *j = journal_opened(file.path);
    (void) begun(j, "a", "shop");
    for (uint64_t seq = 1; seq <= 200; seq++) {
        assert_done(append_line(j, "a", seq, "{\"text\":\"a line of some length\"}", &err));
    }
    journal_close(j);
    whole = mem_alloc(1u << 20);
    whole_len = folder_read(file.path, whole, 1u << 20);
    assert_true(whole_len > 20000);
}

/* Opens and reads all; what comes is either a message, or lines that read well. */
static int try_to_read(struct err *err)
{
    struct journal *j = NULL;
    struct journal_lines lines = {0};
    struct journal_releases list = {0};
    int rc = journal_open_with(file.path, 5, &journal_schema_present, &j, err);
    if (rc == 0) {
        rc = journal_list(j, NULL, 10, &list, err);
        rc = rc == 0 ? journal_read(j, "a", 0, &lines, err) : rc;
        rc = rc == 0 ? append_line(j, "a", 201, "{}", err) : rc;
        journal_lines_done(&lines);
        journal_releases_done(&list);
        journal_close(j);
    }
    return rc;
}

static void remove_all(void)
{
    (void) unlink(file.path);
    (void) unlink(folder_name(&folder, "journal.db-wal").path);
    (void) unlink(folder_name(&folder, "journal.db-shm").path);
}

static void test_a_file_that_was_cut_is_told_and_left_as_it_is(void **state)
{
    (void) state;
    make_whole();
    char *after = mem_alloc(1u << 20);
    for (size_t len = 1; len < whole_len; len += len < 200 ? 1 : 389) {
        struct err err = {0};
        remove_all();
        folder_write(file.path, whole, len);
        int rc = try_to_read(&err);
        t_check(rc == ERR_INVALID, "%zu bytes: %d %s", len, rc, err.msg);
        t_check(strstr(err.msg, file.path) != NULL && strstr(err.msg, "it was left as it is"),
                "%zu bytes: %s", len, err.msg);
        assert_int_equal(folder_read(file.path, after, 1u << 20), len);
        assert_memory_equal(after, whole, len);
    }
    mem_free(after);
    mem_free(whole);
}

static void test_changed_bytes_give_a_message_or_nothing_but_no_crash(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    make_whole();
    int refused = 0;
    for (size_t at = 0; at < 1500; at++) {
        struct err err = {0};
        /* Each byte of the header, then any. */
        size_t place = at < 100 ? at : t_random_below(&random, whole_len);
        char kept = whole[place];
        whole[place] = (char) (kept ^ (char) (1 + t_random_below(&random, 255)));
        remove_all();
        folder_write(file.path, whole, whole_len);
        whole[place] = kept;
        int rc = try_to_read(&err);
        refused += rc < 0;
        t_check(rc == 0 || strstr(err.msg, file.path) != NULL, "byte %zu: %s", place, err.msg);
        t_check(rc == 0 || rc == ERR_INVALID || rc == ERR_IO || rc == ERR_NOT_FOUND ||
                    rc == ERR_CONFLICT,
                "byte %zu: %d %s", place, rc, err.msg);
    }
    t_check(refused > 50, "only %d", refused);
    mem_free(whole);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_full_disk_is_told_and_nothing_is_lost),
        CASE(test_a_disk_that_cannot_be_read_is_told),
        CASE(test_no_more_open_files_is_told),
        CASE(test_a_limit_of_file_sizes_is_told),
        CASE(test_a_file_that_was_cut_is_told_and_left_as_it_is),
        CASE(test_changed_bytes_give_a_message_or_nothing_but_no_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
