/* Where the journal lies, what it refuses to open, and its versions. */
#include "journal/journal_int.h"
#include "support/child.h"
#include "support/journal.h"

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

/* message: behind "journal PATH: "; every %F in it is the folder. */
static void assert_refused(const char *path, enum err_code code, const char *message)
{
    struct journal *j = NULL;
    struct err err = {0};
    char wanted[1024];
    struct buf b;
    buf_init_fixed(&b, wanted, sizeof wanted);
    buf_addf(&b, "journal %s: ", path);
    for (const char *at = message; *at != '\0'; at++) {
        if (at[0] == '%' && at[1] == 'F') {
            buf_add_cstr(&b, folder.path);
            at++;
        } else {
            buf_add_char(&b, *at);
        }
    }
    assert_err(journal_open(path, &j, &err), &err, code, wanted);
    assert_null(j);
}

static void assert_mode(const char *path, unsigned mode)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    t_check((st.st_mode & 07777) == mode, "%s: %04o", path, (unsigned) st.st_mode & 07777);
}

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    t_check(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
            sqlite3_errmsg(db));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_file_and_folders_are_made_for_this_user_only(void **state)
{
    (void) state;
    struct folder_name deep = folder_name(&folder, "a/b/journal.db");
    mode_t before = umask(0);
    struct journal *j = journal_opened(deep.path);
    (void) begun(j, "a", "shop");
    (void) umask(before);
    assert_mode(folder_name(&folder, "a").path, 0700);
    assert_mode(folder_name(&folder, "a/b").path, 0700);
    assert_mode(deep.path, 0600);
    assert_mode(folder_name(&folder, "a/b/journal.db-wal").path, 0600);
    assert_mode(folder_name(&folder, "a/b/journal.db-shm").path, 0600);
    journal_close(j);
    assert_int_equal(access(folder_name(&folder, "a/b/journal.db-wal").path, F_OK), -1);
}

static void test_what_is_no_file_of_ours_alone_is_refused(void **state)
{
    (void) state;
    struct folder_name other = folder_name(&folder, "other.db");
    assert_int_equal(mkdir(file.path, 0700), 0);
    assert_refused(file.path, ERR_INVALID,
                   "is a folder, not a file; move it, or name another file in POUROVER_JOURNAL");
    assert_int_equal(rmdir(file.path), 0);
    assert_int_equal(mkfifo(file.path, 0600), 0);
    assert_refused(file.path, ERR_INVALID,
                   "is a pipe, socket or device, not a file; move it, or name another file in "
                   "POUROVER_JOURNAL");
    assert_int_equal(unlink(file.path), 0);

    journal_close(journal_opened(other.path));
    assert_int_equal(symlink("other.db", file.path), 0);
    assert_refused(file.path, ERR_DENIED,
                   "is a symbolic link; name the file it leads to in POUROVER_JOURNAL");
    assert_int_equal(unlink(other.path), 0);
    assert_refused(file.path, ERR_DENIED,
                   "is a symbolic link; name the file it leads to in POUROVER_JOURNAL");
    assert_int_equal(access(other.path, F_OK), -1);
    assert_int_equal(unlink(file.path), 0);

    journal_close(journal_opened(file.path));
    assert_int_equal(link(file.path, other.path), 0);
    assert_refused(file.path, ERR_DENIED,
                   "has 2 names (hard links), under which its -wal file would be missed; remove "
                   "the others, or name another file in POUROVER_JOURNAL");
    assert_int_equal(unlink(other.path), 0);
    assert_int_equal(chmod(file.path, 0640), 0);
    assert_refused(file.path, ERR_DENIED, "is open to others (mode 0640); chmod 600 %F/journal.db");
    assert_int_equal(chmod(file.path, 0600), 0);
    assert_int_equal(chmod(folder.path, 0777), 0);
    assert_refused(file.path, ERR_DENIED,
                   "anybody may replace it, as its folder has mode 0777; chmod o-w %F, or name "
                   "another file in POUROVER_JOURNAL");
    assert_int_equal(chmod(folder.path, 01777), 0);
    journal_close(journal_opened(file.path));
}

static void test_a_folder_may_be_a_link_and_a_path_relative(void **state)
{
    (void) state;
    char before[4096];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(symlink(".", folder_name(&folder, "link").path), 0);
    journal_close(journal_opened(folder_name(&folder, "link/link/journal.db").path));
    assert_int_equal(access(file.path, F_OK), 0);
    assert_int_equal(chdir(folder.path), 0);
    struct journal *j = journal_opened("here.db");
    assert_int_equal(chdir(before), 0);
    /* The folder is the one of the time of opening. */
    (void) begun(j, "a", "shop");
    journal_close(j);
    assert_int_equal(access(folder_name(&folder, "here.db").path, F_OK), 0);
}

static void test_a_path_without_a_file_is_refused(void **state)
{
    (void) state;
    struct journal *j;
    struct err err;
    assert_err(journal_open("", &j, &err), &err, ERR_INVALID,
               "journal \"\": names no file; write one in POUROVER_JOURNAL, such as "
               "/var/lib/pourover/journal.db");
    assert_int_equal(journal_open("/tmp/", &j, &err), ERR_INVALID);
    folder_write(file.path, "x", 1);
    struct folder_name below = folder_name(&folder, "journal.db/a/journal.db");
    assert_int_equal(journal_open(below.path, &j, &err), ERR_IO);
    t_check(strstr(err.msg, "cannot make the folder ") != NULL &&
                strstr(err.msg, "Not a directory") != NULL,
            "%s", err.msg);
}

/* Who may everything would not be refused: as nobody then. */
static int open_without_rights(void *ctx)
{
    const char *path = ctx;
    struct journal *j = NULL;
    struct err err = {0};
    if (geteuid() == 0 && (setegid(65534) != 0 || seteuid(65534) != 0)) {
        return 10;
    }
    if (journal_open(path, &j, &err) != ERR_IO) {
        print_error("%s: %d %s\n", path, (int) err.code, err.msg);
        return 11;
    }
    if (strstr(err.msg, path) == NULL || strstr(err.msg, "POUROVER_JOURNAL") == NULL) {
        print_error("%s\n", err.msg);
        return 12;
    }
    return 0;
}

static void give_to_nobody(const char *path)
{
    assert_true(geteuid() != 0 || chown(path, 65534, 65534) == 0);
}

static void test_a_folder_or_file_that_cannot_be_written_is_told(void **state)
{
    (void) state;
    struct folder_name deep = folder_name(&folder, "a/journal.db");
    journal_close(journal_opened(file.path));
    give_to_nobody(folder.path);
    give_to_nobody(file.path);
    assert_int_equal(chmod(file.path, 0400), 0);
    assert_int_equal(child_wait(child_start(open_without_rights, file.path)), 0);
    assert_int_equal(chmod(file.path, 0000), 0);
    assert_int_equal(child_wait(child_start(open_without_rights, file.path)), 0);
    assert_int_equal(chmod(file.path, 0600), 0);
    assert_int_equal(chmod(folder.path, 0500), 0);
    assert_int_equal(child_wait(child_start(open_without_rights, file.path)), 0);
    assert_int_equal(child_wait(child_start(open_without_rights, deep.path)), 0);
    struct folder_name fresh = folder_name(&folder, "new.db");
    assert_int_equal(child_wait(child_start(open_without_rights, fresh.path)), 0);
    assert_int_equal(chmod(folder.path, 0700), 0);
}

static void assert_left_as_it_is(const char *path, const char *bytes, size_t len,
                                 const char *message)
{
    char after[65536];
    folder_write(path, bytes, len);
    assert_refused(path, ERR_INVALID, message);
    assert_int_equal(folder_read(path, after, sizeof after), len);
    assert_memory_equal(after, bytes, len);
    assert_int_equal(unlink(path), 0);
}

static void test_a_file_of_somebody_else_is_left_as_it_is(void **state)
{
    (void) state;
    static const char message[] =
        "is no journal: it is not a file of SQLite; it was left as it is, name another in "
        "POUROVER_JOURNAL or move it away";
    char bytes[65536];
    memset(bytes, 'x', sizeof bytes);
    for (size_t len = 1; len < 5000; len = len * 3 + 1) {
        assert_left_as_it_is(file.path, bytes, len, message);
    }
    run_sql(file.path, "CREATE TABLE cookies (a); INSERT INTO cookies VALUES (1)");
    size_t len = folder_read(file.path, bytes, sizeof bytes);
    assert_int_equal(unlink(file.path), 0);
    assert_left_as_it_is(file.path, bytes, len,
                         "is no journal: it is a database of another program; it was left as it "
                         "is, name another file in POUROVER_JOURNAL");
}

static void test_an_empty_file_is_a_new_journal_unless_changes_wait(void **state)
{
    (void) state;
    folder_write(file.path, "", 0);
    folder_write(folder_name(&folder, "journal.db-wal").path, "x", 1);
    assert_refused(file.path, ERR_INVALID,
                   "is empty, but there are changes for it beside (-wal); it was cut, move both "
                   "away or put a backup there");
    assert_int_equal(unlink(folder_name(&folder, "journal.db-wal").path), 0);
    struct journal *j = journal_opened(file.path);
    (void) begun(j, "a", "shop");
    journal_close(j);
}

static void test_a_newer_version_is_refused_and_left_as_it_is(void **state)
{
    (void) state;
    static char before[262144], after[262144];
    const char *step[] = {journal_schema_present.step[0], "CREATE TABLE later (a TEXT) STRICT",
                          "ALTER TABLE releases ADD COLUMN more TEXT NOT NULL DEFAULT 'x'"};
    const struct journal_schema later = {step, 3};
    struct journal *j;
    struct err err = {0};
    assert_done(journal_open_with(file.path, 1000, &later, &j, &err));
    (void) begun(j, "a", "shop");
    journal_close(j);
    size_t len = folder_read(file.path, before, sizeof before);
    assert_refused(file.path, ERR_INVALID,
                   "is of version 3, this pourover knows versions up to 1; use the newer pourover "
                   "that wrote it, or name another file in POUROVER_JOURNAL");
    assert_int_equal(folder_read(file.path, after, sizeof after), len);
    assert_memory_equal(after, before, len);
    /* Also when the process that wrote it was killed and its last changes wait beside. */
    static char waiting[262144];
    struct folder_name wal = folder_name(&folder, "journal.db-wal");
    assert_done(journal_open_with(file.path, 1000, &later, &j, &err));
    (void) begun(j, "b", "shop");
    len = folder_read(file.path, before, sizeof before);
    size_t wal_len = folder_read(wal.path, waiting, sizeof waiting);
    journal_close(j);
    folder_write(file.path, before, len);
    folder_write(wal.path, waiting, wal_len);
    assert_int_equal(journal_open(file.path, &j, &err), ERR_INVALID);
    assert_int_equal(folder_read(file.path, after, sizeof after), len);
    assert_memory_equal(after, before, len);
    assert_int_equal(folder_read(wal.path, after, sizeof after), wal_len);
    assert_memory_equal(after, waiting, wal_len);
    assert_done(journal_open_with(file.path, 1000, &later, &j, &err));
    struct journal_release seen;
    assert_done(journal_find_id(j, "b", &seen, &err));
    journal_release_done(&seen);
    journal_close(j);

    run_sql(file.path, "PRAGMA user_version = 0");
    assert_refused(file.path, ERR_INVALID,
                   "is damaged (version 0); it was left as it is, move it with its -wal and -shm "
                   "files away or put a backup there");
}

/* What the tables of a file are made of. */
static void read_tables(const char *path, char *out, size_t size)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    struct buf b;
    buf_init_fixed(&b, out, size);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db,
                                        "SELECT coalesce(sql, name) FROM sqlite_schema "
                                        "ORDER BY name",
                                        -1, &q, NULL),
                     SQLITE_OK);
    while (sqlite3_step(q) == SQLITE_ROW) {
        buf_addf(&b, "%s\n", (const char *) sqlite3_column_text(q, 0));
    }
    assert_int_equal(sqlite3_finalize(q), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_false(b.failed);
    assert_true(b.len > 0);
}

/*
 * tests/vectors/journal_N.sql is a journal of version N with a release in it, kept as it was
 * released: it has to be read by every later version, and the newest has to be what a new file is.
 */
static void test_each_older_version_is_brought_to_the_present_one(void **state)
{
    (void) state;
    static char sql[65536], tables[16384], wanted[16384];
    struct folder_name fresh = folder_name(&folder, "fresh.db");
    struct err err = {0};
    journal_close(journal_opened(fresh.path));
    read_tables(fresh.path, wanted, sizeof wanted);
    for (int version = 1; version <= journal_schema_present.n; version++) {
        char name[64];
        struct journal_release seen;
        struct journal_lines lines;
        (void) snprintf(name, sizeof name, "tests/vectors/journal_%d.sql", version);
        sql[folder_read(name, sql, sizeof sql)] = '\0';
        folder_write(file.path, "", 0);
        run_sql(file.path, sql);
        struct journal *j = journal_opened(file.path);
        assert_done(journal_find(j, "shop", "production", 7, &seen, &err));
        assert_string_equal(seen.id, "shop-20260131T235959-3f9a");
        assert_string_equal(seen.by, "ada@west");
        journal_release_done(&seen);
        assert_done(journal_read(j, "shop-20260131T235959-3f9a", 0, &lines, &err));
        assert_int_equal(lines.list.len, 2);
        journal_lines_done(&lines);
        assert_int_equal(begun(j, "next", "shop"), 8);
        journal_close(j);
        read_tables(file.path, tables, sizeof tables);
        assert_string_equal(tables, wanted);
        assert_int_equal(unlink(file.path), 0);
    }
}

static void test_a_step_that_fails_leaves_the_version_before(void **state)
{
    (void) state;
    const char *step[] = {journal_schema_present.step[0], "CREATE TABLE later (a TEXT) STRICT",
                          "CREATE TABLE half (a TEXT) STRICT; CREATE TABLE lines (a TEXT) STRICT"};
    const struct journal_schema wrong = {step, 3}, right = {step, 2};
    struct journal_release seen;
    struct journal *j = journal_opened(file.path);
    struct err err = {0};
    (void) begun(j, "a", "shop");
    journal_close(j);
    assert_int_equal(journal_open_with(file.path, 1000, &wrong, &j, &err), ERR_INVALID);
    t_check(strstr(err.msg, "cannot upgrade it to version 3: ") != NULL &&
                strstr(err.msg, "table lines already exists") != NULL,
            "%s", err.msg);
    assert_done(journal_open_with(file.path, 1000, &right, &j, &err));
    assert_done(journal_find_id(j, "a", &seen, &err));
    journal_release_done(&seen);
    journal_close(j);
    run_sql(file.path, "CREATE TABLE half (a TEXT)"); /* not there */
}

static void test_a_file_that_is_held_is_told_after_a_while(void **state)
{
    (void) state;
    struct journal *j;
    struct err err = {0};
    char wanted[512];
    sqlite3 *db;
    assert_done(journal_open_with(file.path, 20, &journal_schema_present, &j, &err));
    (void) begun(j, "a", "shop");
    assert_int_equal(sqlite3_open(file.path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    (void) snprintf(wanted, sizeof wanted,
                    "journal %s: cannot write: another process has held it for 1 s; see which one "
                    "with fuser, then try again",
                    file.path);
    assert_err(append_line(j, "a", 1, "{}", &err), &err, ERR_TIMEOUT, wanted);
    /* A writer does not keep readers out. */
    struct journal_lines lines;
    assert_done(journal_read(j, "a", 0, &lines, &err));
    assert_int_equal(lines.list.len, 0);
    assert_int_equal(sqlite3_exec(db, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    assert_done(append_line(j, "a", 1, "{}", &err));
    journal_close(j);

    assert_int_equal(
        sqlite3_exec(db, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE", NULL, NULL, NULL),
        SQLITE_OK);
    assert_int_equal(journal_open_with(file.path, 20, &journal_schema_present, &j, &err),
                     ERR_TIMEOUT);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    journal_close(journal_opened(file.path));
}

static void test_a_file_that_was_moved_takes_no_more(void **state)
{
    (void) state;
    struct journal *j = journal_opened(file.path);
    struct err err = {0};
    struct journal_lines lines;
    char wanted[512];
    (void) begun(j, "a", "shop");
    assert_int_equal(rename(file.path, folder_name(&folder, "moved.db").path), 0);
    (void) snprintf(wanted, sizeof wanted,
                    "journal %s: cannot write: the file was moved or deleted while it was in use; "
                    "put it back, or begin anew",
                    file.path);
    assert_err(append_line(j, "a", 1, "{}", &err), &err, ERR_IO, wanted);
    assert_int_equal(journal_read(j, "a", 0, &lines, &err), ERR_IO);
    assert_int_equal(rename(folder_name(&folder, "moved.db").path, file.path), 0);
    assert_done(append_line(j, "a", 1, "{}", &err));
    journal_close(j);
}

static void assert_default(const char *journal, const char *xdg, const char *home,
                           const char *wanted)
{
    const char *const values[] = {journal, xdg, home};
    const char *const names[] = {"POUROVER_JOURNAL", "XDG_STATE_HOME", "HOME"};
    for (size_t i = 0; i < T_LEN(names); i++) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
        int rc = values[i] == NULL ? unsetenv(names[i]) : setenv(names[i], values[i], 1);
        assert_int_equal(rc, 0);
    }
    char *path = journal_default_path();
    assert_string_equal(path, wanted);
    mem_free(path);
}

static int look_at_defaults(void *ctx)
{
    (void) ctx;
    assert_default("/a/b.db", "/x", "/h", "/a/b.db");
    assert_default("b.db", "/x", "/h", "b.db");
    assert_default("", "/x", "/h", "/x/pourover/journal.db");
    if (geteuid() == 0) {
        assert_default(NULL, "x", "/h", "/var/lib/pourover/journal.db");
        assert_default(NULL, NULL, "/h", "/var/lib/pourover/journal.db");
        if (seteuid(65534) != 0) {
            return 10;
        }
    }
    assert_default(NULL, "", "/h", "/h/.local/state/pourover/journal.db");
    assert_default(NULL, "relative", "/h", "/h/.local/state/pourover/journal.db");
    return 0;
}

static void test_the_default_path_is_of_environment_and_user(void **state)
{
    (void) state;
    assert_int_equal(child_wait(child_start(look_at_defaults, NULL)), 0);
}

static void test_file_systems_of_many_machines_are_known(void **state)
{
    (void) state;
    assert_string_equal(journal_network_fs(0x6969), "nfs");
    assert_string_equal(journal_network_fs(0xff534d42), "cifs");
    /* As a signed type of 32 bits gives it. */
    assert_string_equal(journal_network_fs(UINT64_C(0xffffffffff534d42)), "cifs");
    assert_null(journal_network_fs(0xef53));     /* ext4 */
    assert_null(journal_network_fs(0x01021994)); /* tmpfs */
    assert_null(journal_network_fs(0x65735546)); /* FUSE: many are local */
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_file_and_folders_are_made_for_this_user_only),
        CASE(test_what_is_no_file_of_ours_alone_is_refused),
        CASE(test_a_folder_may_be_a_link_and_a_path_relative),
        CASE(test_a_path_without_a_file_is_refused),
        CASE(test_a_folder_or_file_that_cannot_be_written_is_told),
        CASE(test_a_file_of_somebody_else_is_left_as_it_is),
        CASE(test_an_empty_file_is_a_new_journal_unless_changes_wait),
        CASE(test_a_newer_version_is_refused_and_left_as_it_is),
        CASE(test_each_older_version_is_brought_to_the_present_one),
        CASE(test_a_step_that_fails_leaves_the_version_before),
        CASE(test_a_file_that_is_held_is_told_after_a_while),
        CASE(test_a_file_that_was_moved_takes_no_more),
        CASE(test_the_default_path_is_of_environment_and_user),
        CASE(test_file_systems_of_many_machines_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
