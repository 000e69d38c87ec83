/* A host's lease, records, requests and versions: what lies in its folder. */
#include "support/host.h"

static void test_a_lease_has_one_owner(void **state)
{
    struct host_world *w = *state;
    char owner[256];
    uint64_t left = 0;
    struct driver_place other = w->p;
    other.token = "token-2";
    int rc = host_driver->lease_take(&other, "bob@ci", 60000, false, &w->err);
    assert_int_equal(rc, ERR_CONFLICT);
    t_check(strstr(w->err.msg, "held by tests since") != NULL &&
                strstr(w->err.msg, "--force") != NULL,
            "%s", w->err.msg);
    assert_int_equal(host_driver->lease_beat(&other, 1000, &w->err), ERR_CONFLICT);
    assert_int_equal(host_driver->lease_drop(&other, &w->err), ERR_CONFLICT);
    host_ok(w, host_driver->lease_take(&w->p, "tests", 60000, false, &w->err)); /* a beat */
    host_ok(w, host_driver->lease_read(&w->p, owner, &left, &w->err));
    assert_string_equal(owner, "tests");
    assert_true(left > 30000 && left <= 60000);
    host_ok(w, host_driver->lease_drop(&w->p, &w->err));
    host_ok(w, host_driver->lease_read(&w->p, owner, &left, &w->err));
    assert_string_equal(owner, "");
    host_ok(w, host_driver->lease_take(&other, "bob@ci", 60000, false, &w->err));
    host_fails(w, host_driver->record_append(&w->p, STR("{}"), &w->err), ERR_CONFLICT,
               "held by bob@ci");
}

static void test_an_expired_lease_is_its_owners_until_it_is_taken(void **state)
{
    struct host_world *w = *state;
    struct driver_place other = w->p;
    other.token = "token-2";
    host_ok(w, host_driver->lease_beat(&w->p, 0, &w->err));
    host_ok(w, host_driver->record_append(&w->p, STR("{}"), &w->err));
    host_ok(w, host_driver->lease_take(&other, "bob", 60000, false, &w->err));
    t_check(strstr(w->told.ptr, "taken over from tests, which had expired") != NULL, "%s",
            w->told.ptr);
    host_fails(w, host_driver->record_append(&w->p, STR("{}"), &w->err), ERR_CONFLICT, "bob");
    host_fails(w, host_driver->lease_beat(&w->p, 1000, &w->err), ERR_CONFLICT, "bob");
}

static void test_force_takes_a_lease_and_says_from_whom(void **state)
{
    struct host_world *w = *state;
    struct driver_place other = w->p;
    other.token = "token-2";
    host_ok(w, host_driver->lease_take(&other, "bob", 60000, true, &w->err));
    t_check(strstr(w->told.ptr, "taken over from tests, by force") != NULL, "%s", w->told.ptr);
}

static void test_every_change_is_refused_to_one_who_was_fenced(void **state)
{
    struct host_world *w = *state;
    struct driver_place other = w->p;
    uint64_t instance = 0;
    enum driver_migration migration;
    other.token = "token-2";
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/stay");
    w->config.migration.given = true;
    host_ok(w, host_driver->pull(&w->p, &w->err));
    host_ok(w, host_driver->lease_take(&other, "bob", 60000, true, &w->err));
    host_fails(w, host_driver->preflight(&w->p, &w->err), ERR_CONFLICT, "bob");
    host_fails(w, host_driver->room(&w->p, &w->err), ERR_CONFLICT, "bob");
    host_fails(w, host_driver->pull(&w->p, &w->err), ERR_CONFLICT, "bob");
    host_fails(w, host_driver->start(&w->p, &instance, &w->err), ERR_CONFLICT, "bob");
    host_fails(w, host_driver->stop(&w->p, true, &w->err), ERR_CONFLICT, "bob");
    host_fails(w, host_driver->migrate(&w->p, 1, &migration, &w->err), ERR_CONFLICT, "bob");
    assert_int_equal(host_processes(w), 0);
}

static void test_a_folder_belongs_to_one_service(void **state)
{
    struct host_world *w = *state;
    w->config.service = "school";
    host_fails(w, host_driver->lease_take(&w->p, "tests", 60000, false, &w->err), ERR_CONFLICT,
               "belongs to service shop, not school");
    w->config.service = "shop";
}

static void test_records_are_lines_and_a_torn_one_is_none(void **state)
{
    struct host_world *w = *state;
    struct buf b;
    buf_init(&b, 65536);
    host_ok(w, host_driver->record_append(&w->p, STR("{\"n\":1}"), &w->err));
    host_ok(w, host_driver->record_append(&w->p, STR("{\"n\":2}"), &w->err));
    const char *path = host_path(w, "host/records/shop-1.jsonl");
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    assert_int_equal(write(fd, "{\"n\":3", 6), 6); /* the power went here */
    (void) close(fd);
    host_ok(w, host_driver->record_read(&w->p, &b, &w->err));
    assert_str(buf_str(&b), "{\"n\":1}\n{\"n\":2}\n");
    host_ok(w, host_driver->record_append(&w->p, STR("{\"n\":4}"), &w->err));
    assert_string_equal(host_read(path), "{\"n\":1}\n{\"n\":2}\n{\"n\":4}\n");
    host_fails(w, host_driver->record_append(&w->p, STR("a\nb"), &w->err), ERR_INVALID,
               "end of line");
    buf_done(&b);
}

static void test_the_last_fifty_releases_are_kept_by_number(void **state)
{
    struct host_world *w = *state;
    char release[32], line[32];
    struct buf b;
    buf_init(&b, 65536);
    host_ok(w, host_driver->record_read(&w->p, &b, &w->err)); /* none is no error */
    assert_int_equal(b.len, 0);
    w->p.release = release;
    for (int i = 1; i <= 53; i++) {
        buf_print(release, sizeof release, "shop-%d", i);
        buf_print(line, sizeof line, "{\"n\":%d}", i);
        host_ok(w, host_driver->record_append(&w->p, str_of(line), &w->err));
    }
    assert_false(host_exists(host_path(w, "host/records/shop-3.jsonl")));
    assert_true(host_exists(host_path(w, "host/records/shop-4.jsonl")));
    w->p.release = NULL;
    host_ok(w, host_driver->record_read(&w->p, &b, &w->err));
    assert_str(buf_str(&b), "{\"n\":53}\n");
    w->p.release = "../lease";
    host_fails(w, host_driver->record_read(&w->p, &b, &w->err), ERR_INVALID, "../lease");
    buf_done(&b);
}

static void test_requests_are_taken_once_and_in_order(void **state)
{
    struct host_world *w = *state;
    struct driver_place other = w->p;
    struct buf b;
    other.token = "of somebody else";
    buf_init(&b, 65536);
    host_ok(w, host_driver->request_put(&other, STR("{\"pause\":true}"), &w->err));
    host_ok(w, host_driver->request_put(&other, STR("{\"rollback\":true}"), &w->err));
    host_ok(w, host_driver->request_take(&w->p, &b, &w->err));
    assert_str(buf_str(&b), "{\"pause\":true}\n{\"rollback\":true}\n");
    buf_clear(&b);
    host_ok(w, host_driver->request_take(&w->p, &b, &w->err));
    assert_int_equal(b.len, 0);
    buf_done(&b);
}

static void test_a_version_is_copied_whole_with_modes_and_links(void **state)
{
    struct host_world *w = *state;
    struct stat st;
    char target[64] = "";
    assert_int_equal(symlink("bin/stay", host_path(w, "dist/1.0/start")), 0);
    assert_int_equal(symlink("../version", host_path(w, "dist/1.0/bin/v")), 0);
    host_ok(w, host_driver->pull(&w->p, &w->err));
    assert_string_equal(host_read(host_path(w, "host/versions/1.0/version")), "1.0");
    assert_string_equal(host_read(host_path(w, "host/versions/1.0/bin/v")), "1.0");
    assert_int_equal(stat(host_path(w, "host/versions/1.0/bin/stay"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0755);
    assert_true(readlink(host_path(w, "host/versions/1.0/start"), target, 63) > 0);
    assert_string_equal(target, "bin/stay");
    assert_true(strstr(host_read(host_path(w, "host/versions/1.0/.pourover-manifest")),
                       " 644 version\n") != NULL);
    w->told.ptr != NULL ? buf_clear(&w->told) : (void) 0;
    host_ok(w, host_driver->pull(&w->p, &w->err)); /* as it is wanted already */
    assert_int_equal(w->told.len, 0);
    w->p.variant = "next";
    host_ok(w, host_driver->pull(&w->p, &w->err));
    assert_true(host_exists(host_path(w, "host/versions/1.0@next/version")));
}

static void test_links_that_lead_outside_are_refused(void **state)
{
    static const char *const targets[] = {"/etc/passwd", "../../host", "b/../../x"};
    struct host_world *w = *state;
    T_TABLE(target, targets)
    {
        (void) unlink(host_path(w, "dist/1.0/out"));
        assert_int_equal(symlink(*target, host_path(w, "dist/1.0/out")), 0);
        (void) mkdir(host_path(w, "dist/1.0/b"), 0755);
        host_fails(w, host_driver->pull(&w->p, &w->err), ERR_INVALID, "outside of the folder");
        assert_false(host_exists(host_path(w, "host/versions/1.0")));
    }
    /* A link to a link: by its text it stays inside, by the file system it does not. */
    assert_int_equal(rmdir(host_path(w, "dist/1.0/b")), 0);
    assert_int_equal(symlink(".", host_path(w, "dist/1.0/b")), 0);
    assert_int_equal(unlink(host_path(w, "dist/1.0/out")), 0);
    assert_int_equal(symlink("b/../2.0", host_path(w, "dist/1.0/out")), 0);
    host_fails(w, host_driver->pull(&w->p, &w->err), ERR_INVALID, "outside of the folder");
    assert_int_equal(unlink(host_path(w, "dist/1.0/out")), 0);
    assert_int_equal(mkfifo(host_path(w, "dist/1.0/pipe"), 0600), 0);
    host_fails(w, host_driver->pull(&w->p, &w->err), ERR_INVALID, "no file, folder or link");
}

static void test_changes_by_hand_are_told_and_put_right(void **state)
{
    struct host_world *w = *state;
    host_ok(w, host_driver->pull(&w->p, &w->err));
    host_write(host_path(w, "host/versions/1.0/version"), "by hand", 0644);
    host_ok(w, host_driver->pull(&w->p, &w->err));
    t_check(strstr(w->told.ptr, "version 1.0 was changed by hand: version") != NULL, "%s",
            w->told.ptr);
    assert_string_equal(host_read(host_path(w, "host/versions/1.0/version")), "1.0");
    buf_clear(&w->told);
    host_write(host_path(w, "host/versions/1.0/added"), "", 0644);
    assert_int_equal(rename(host_path(w, "dist/1.0"), host_path(w, "dist/away")), 0);
    host_ok(w, host_driver->pull(&w->p, &w->err)); /* a rollback needs no source */
    t_check(strstr(w->told.ptr, "changed by hand: added") != NULL, "%s", w->told.ptr);
}

static void test_a_version_that_runs_is_not_replaced_by_other_files(void **state)
{
    struct host_world *w = *state;
    uint64_t instance;
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/stay");
    host_ok(w, host_driver->pull(&w->p, &w->err));
    host_ok(w, host_driver->start(&w->p, &instance, &w->err));
    host_write(host_path(w, "dist/1.0/version"), "1.0 built again", 0644);
    host_fails(w, host_driver->pull(&w->p, &w->err), ERR_INVALID,
               "has other files under this name (version)");
    host_ok(w, host_driver->stop(&w->p, true, &w->err));
    host_ok(w, host_driver->pull(&w->p, &w->err));
    assert_string_equal(host_read(host_path(w, "host/versions/1.0/version")), "1.0 built again");
}

/* Copies the version until it is killed, at a random moment of it. */
static void test_a_copy_that_was_killed_is_never_taken_for_a_version(void **state)
{
    struct host_world *w = *state;
    struct t_random random = t_random_init();
    for (int i = 0; i < 200; i++) {
        host_write(host_path(w, "dist/1.0/many/%d", i), "text\n", 0644);
    }
    for (int i = 0; i < 12; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            (void) host_driver->pull(&w->p, &w->err);
            _exit(0);
        }
        (void) poll(NULL, 0, (int) t_random_below(&random, 40));
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);
        if (host_exists(host_path(w, "host/versions/1.0"))) {
            host_ok(w, host_driver->pull(&w->p, &w->err));
            t_check(w->told.len == 0, "%s", w->told.ptr); /* all of it was there */
            assert_int_equal(tree_remove(host_path(w, "host/versions/1.0"), &w->err), 0);
        }
    }
    host_ok(w, host_driver->pull(&w->p, &w->err));
    assert_string_equal(host_read(host_path(w, "host/versions/1.0/many/199")), "text\n");
    assert_int_equal(w->told.len, 0);
}

static void test_old_versions_go_but_never_the_running_one_nor_the_one_before(void **state)
{
    struct host_world *w = *state;
    char version[16];
    uint64_t instance;
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/stay");
    w->config.keep = 2;
    for (int i = 1; i <= 2; i++) {
        buf_print(version, sizeof version, "%d.0", i);
        w->p.version = version;
        host_ok(w, host_driver->pull(&w->p, &w->err));
        host_ok(w, host_driver->stop(&w->p, false, &w->err));
        host_ok(w, host_driver->start(&w->p, &instance, &w->err));
    }
    for (int i = 3; i <= 6; i++) {
        buf_print(version, sizeof version, "%d.0", i);
        host_version(w, version);
        host_ok(w, host_driver->pull(&w->p, &w->err));
    }
    assert_true(host_exists(host_path(w, "host/versions/1.0")));
    assert_true(host_exists(host_path(w, "host/versions/2.0")));
    assert_false(host_exists(host_path(w, "host/versions/3.0")));
    assert_false(host_exists(host_path(w, "host/versions/4.0")));
    assert_true(host_exists(host_path(w, "host/versions/5.0")));
    assert_true(host_exists(host_path(w, "host/versions/6.0")));
}

static void test_room_prunes_and_then_names_what_uses_most(void **state)
{
    struct host_world *w = *state;
    char version[16];
    w->config.keep = 10;
    w->p.version = version;
    for (int i = 1; i <= 3; i++) {
        buf_print(version, sizeof version, "%d.0", i);
        host_version(w, version);
        host_ok(w, host_driver->pull(&w->p, &w->err));
    }
    host_ok(w, host_driver->room(&w->p, &w->err));
    assert_true(host_exists(host_path(w, "host/versions/1.0")));
    w->config.keep = 1;
    w->config.disk_free_bytes = UINT64_MAX >> 2;
    host_fails(w, host_driver->room(&w->p, &w->err), ERR_FULL, "most of it has versions/3.0");
    assert_false(host_exists(host_path(w, "host/versions/1.0")));
    assert_false(host_exists(host_path(w, "host/versions/2.0")));
    assert_true(host_exists(host_path(w, "host/versions/3.0")));
}

static void test_preflight_says_what_is_missing(void **state)
{
    struct host_world *w = *state;
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/stay");
    host_ok(w, host_driver->preflight(&w->p, &w->err));
    w->p.version = "9.9";
    host_fails(w, host_driver->preflight(&w->p, &w->err), ERR_NOT_FOUND,
               "version 9.9 is neither on host west-1 nor in");
    w->p.version = "1.0";
    assert_int_equal(chmod(host_path(w, "dist/1.0/bin/stay"), 0644), 0);
    host_fails(w, host_driver->preflight(&w->p, &w->err), ERR_DENIED, "chmod +x");
    assert_int_equal(unlink(host_path(w, "dist/1.0/bin/stay")), 0);
    host_fails(w, host_driver->preflight(&w->p, &w->err), ERR_NOT_FOUND, "program web: ");
    w->port[0].number[RELEASE_SLOT_B] = 0;
    w->p.slot = RELEASE_SLOT_B;
    host_fails(w, host_driver->preflight(&w->p, &w->err), ERR_INVALID, "no port web for slot b");
    w->p.version = "../1.0";
    host_fails(w, host_driver->preflight(&w->p, &w->err), ERR_INVALID, "version \"../1.0\"");
}

static void test_a_port_that_somebody_else_has_is_told_with_his_name(void **state)
{
    struct host_world *w = *state;
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons(w->port[0].number[0])};
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char pid[32];
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/stay");
    (void) setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    assert_int_equal(bind(fd, (struct sockaddr *) &in, sizeof in), 0);
    assert_int_equal(listen(fd, 1), 0);
    buf_print(pid, sizeof pid, "(pid %d)", (int) getpid());
    host_fails(w, host_driver->preflight(&w->p, &w->err), ERR_INVALID, "is taken by test_drivers");
    assert_non_null(strstr(w->err.msg, pid));
    (void) close(fd);
    host_ok(w, host_driver->preflight(&w->p, &w->err));
}

int main(int argc, char **argv)
{
    HOST_ROLES(argc, argv);
    const struct CMUnitTest tests[] = {
        HOST_TEST(test_a_lease_has_one_owner),
        HOST_TEST(test_an_expired_lease_is_its_owners_until_it_is_taken),
        HOST_TEST(test_force_takes_a_lease_and_says_from_whom),
        HOST_TEST(test_every_change_is_refused_to_one_who_was_fenced),
        HOST_TEST(test_a_folder_belongs_to_one_service),
        HOST_TEST(test_records_are_lines_and_a_torn_one_is_none),
        HOST_TEST(test_the_last_fifty_releases_are_kept_by_number),
        HOST_TEST(test_requests_are_taken_once_and_in_order),
        HOST_TEST(test_a_version_is_copied_whole_with_modes_and_links),
        HOST_TEST(test_links_that_lead_outside_are_refused),
        HOST_TEST(test_changes_by_hand_are_told_and_put_right),
        HOST_TEST(test_a_version_that_runs_is_not_replaced_by_other_files),
        HOST_TEST(test_a_copy_that_was_killed_is_never_taken_for_a_version),
        HOST_TEST(test_old_versions_go_but_never_the_running_one_nor_the_one_before),
        HOST_TEST(test_room_prunes_and_then_names_what_uses_most),
        HOST_TEST(test_preflight_says_what_is_missing),
        HOST_TEST(test_a_port_that_somebody_else_has_is_told_with_his_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
