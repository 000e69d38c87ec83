/* Migrations: once, whoever is killed. */
#include "support/host.h"

static void script(const struct host_world *w, const char *text)
{
    char all[2048];
    buf_print(all, sizeof all, "#!/bin/sh\necho begun >> ../../../count\n%s\n", text);
    host_write(host_path(w, "dist/1.0/bin/migrate"), all, 0755);
}

static const char *command[] = {"bin/migrate", "--to", "${version}"};

static void prepare(struct host_world *w, const char *text)
{
    script(w, text);
    w->config.migration =
        (struct release_migration){.given = true, .command = {command, 3}, .timeout_ms = 20000};
    host_ok(w, host_driver->pull(&w->p, &w->err));
}

static const char *count(const struct host_world *w)
{
    return host_read(host_path(w, "count"));
}

static void test_a_migration_runs_once_for_each_attempt(void **state)
{
    struct host_world *w = *state;
    enum driver_migration how = MIGRATION_NONE;
    prepare(w, "echo \"$0 $1 $2\"; sleep 0.2");
    host_ok(w, host_driver->migrate(&w->p, 1, &how, &w->err));
    assert_int_equal(how, MIGRATION_DONE);
    host_ok(w, host_driver->migrate(&w->p, 1, &how, &w->err)); /* reads that one */
    assert_int_equal(how, MIGRATION_DONE);
    assert_string_equal(count(w), "begun\n");
    assert_non_null(strstr(host_read(host_path(w, "host/logs/migration-shop-1-1.log")),
                           "bin/migrate --to 1.0\n"));
    host_ok(w, host_driver->migrate(&w->p, 2, &how, &w->err));
    assert_string_equal(count(w), "begun\nbegun\n");
    struct run_result result;
    host_ok(w, run_result_read(host_path(w, "host/migrations/shop-1-1.json"), &result, &w->err));
    assert_true(result.begun && result.ended && result.code == 0);
}

static void test_a_migration_that_fails_says_how(void **state)
{
    struct host_world *w = *state;
    enum driver_migration how = MIGRATION_NONE;
    prepare(w, "exit 3");
    host_ok(w, host_driver->migrate(&w->p, 1, &how, &w->err));
    assert_int_equal(how, MIGRATION_FAILED);
    t_check(strstr(w->told.ptr, "migration shop-1-1 failed: exit code 3") != NULL, "%s",
            w->told.ptr);
}

static void test_a_migration_that_takes_too_long_is_ended_and_lost(void **state)
{
    struct host_world *w = *state;
    enum driver_migration how = MIGRATION_NONE;
    prepare(w, "sleep 1000 & wait");
    w->config.migration.timeout_ms = 300;
    host_ok(w, host_driver->migrate(&w->p, 1, &how, &w->err));
    assert_int_equal(how, MIGRATION_LOST);
    t_check(strstr(w->told.ptr, "ended after 300 ms, its timeout") != NULL, "%s", w->told.ptr);
    host_until(host_processes(w) == 0);
}

static void test_a_migration_that_cannot_be_begun_has_failed(void **state)
{
    struct host_world *w = *state;
    enum driver_migration how = MIGRATION_NONE;
    prepare(w, "exit 0");
    host_write(host_path(w, "host/versions/1.0/bin/migrate"), "#!/no/such/shell\n", 0755);
    host_ok(w, host_driver->migrate(&w->p, 1, &how, &w->err));
    assert_int_equal(how, MIGRATION_FAILED);
    host_ok(w, host_driver->migrate(&w->p, 1, &how, &w->err));
    assert_int_equal(how, MIGRATION_FAILED);
    assert_string_equal(count(w), "");
}

static void test_who_asks_again_waits_for_the_one_that_runs(void **state)
{
    struct host_world *w = *state;
    enum driver_migration how = MIGRATION_NONE;
    prepare(w, "while ! test -e ../../../go; do sleep 0.02; done");
    w->p.deadline_ms = clock_mono_ms() + 500;
    assert_int_equal(host_driver->migrate(&w->p, 1, &how, &w->err), ERR_TIMEOUT);
    assert_int_equal(how, MIGRATION_RUNS);
    host_write(host_path(w, "go"), "", 0644);
    host_ok(w, host_driver->migrate(&w->p, 1, &how, &w->err));
    assert_int_equal(how, MIGRATION_DONE);
    assert_string_equal(count(w), "begun\n");
}

static void test_a_migration_whose_runner_was_killed_is_lost_and_not_begun_again(void **state)
{
    struct host_world *w = *state;
    enum driver_migration how = MIGRATION_NONE;
    prepare(w, "(setsid sleep 1000 &); sleep 1000");
    w->p.deadline_ms = clock_mono_ms() + 400;
    assert_int_equal(host_driver->migrate(&w->p, 1, &how, &w->err), ERR_TIMEOUT);
    host_until(strcmp(count(w), "begun\n") == 0);
    assert_int_equal(kill(host_state(w, "migrations/shop-1-1").runner.pid, SIGKILL), 0);
    host_ok(w, host_driver->migrate(&w->p, 1, &how, &w->err));
    assert_int_equal(how, MIGRATION_LOST);
    t_check(strstr(w->told.ptr, "nobody knows how far it came") != NULL, "%s", w->told.ptr);
    assert_int_equal(host_processes(w), 0); /* nothing of it runs on unseen */
    host_ok(w, host_driver->migrate(&w->p, 1, &how, &w->err));
    assert_int_equal(how, MIGRATION_LOST);
    assert_string_equal(count(w), "begun\n");
}

static void test_a_reboot_loses_a_migration(void **state)
{
    struct host_world *w = *state;
    enum driver_migration how = MIGRATION_NONE;
    host_write(host_path(w, "host/boot-id"), "one\n", 0644);
    prepare(w, "sleep 1000");
    w->p.deadline_ms = clock_mono_ms() + 400;
    assert_int_equal(host_driver->migrate(&w->p, 1, &how, &w->err), ERR_TIMEOUT);
    struct run_state before = host_state(w, "migrations/shop-1-1");
    assert_int_equal(kill(before.runner.pid, SIGKILL), 0);
    host_until(!proc_lives(before.child));
    host_write(host_path(w, "host/boot-id"), "two\n", 0644);
    host_ok(w, host_driver->migrate(&w->p, 1, &how, &w->err));
    assert_int_equal(how, MIGRATION_LOST);
}

/* The controller or the runner is killed at a random moment, again and again, until it has ended:
 * it was begun once at most, and what is said of it is true. */
static void test_it_is_begun_once_whoever_is_killed_when(void **state)
{
    struct host_world *w = *state;
    struct t_random random = t_random_init();
    prepare(w, "sleep 0.1; echo done >> ../../../count");
    char release[32];
    w->p.release = release;
    unsigned lost = 0, done = 0;
    for (int i = 0; i < 14; i++) {
        enum driver_migration how = MIGRATION_NONE;
        buf_print(release, sizeof release, "shop-%d", i);
        (void) unlink(host_path(w, "count"));
        pid_t pid = fork();
        if (pid == 0) {
            w->p.deadline_ms = clock_mono_ms() + HOST_DEADLINE_MS;
            _exit(host_driver->migrate(&w->p, 1, &how, &w->err) == 0 ? 0 : 1);
        }
        uint64_t until = clock_mono_us() + t_random_below(&random, 250000);
        while (clock_mono_us() < until) {
            (void) poll(NULL, 0, 1);
        }
        (void) kill(pid, SIGKILL);
        (void) waitpid(pid, NULL, 0);
        char folder[64];
        buf_print(folder, sizeof folder, "migrations/shop-%d-1", i);
        struct run_state runner = host_state(w, folder);
        if (i % 2 == 0) {
            (void) proc_signal(runner.runner, SIGKILL);
        }
        host_ok(w, host_driver->migrate(&w->p, 1, &how, &w->err));
        if (how == MIGRATION_DONE) {
            assert_string_equal(count(w), "begun\ndone\n");
            done++;
        } else {
            assert_int_equal(how, MIGRATION_LOST);
            assert_true(strcmp(count(w), "") == 0 || strcmp(count(w), "begun\n") == 0 ||
                        strcmp(count(w), "begun\ndone\n") == 0);
            lost++;
        }
        assert_int_equal(host_processes(w), 0);
    }
    print_message("# done %u, lost %u\n", done, lost);
    assert_true(done > 0);
    w->p.release = "shop-1";
}

int main(int argc, char **argv)
{
    HOST_ROLES(argc, argv);
    const struct CMUnitTest tests[] = {
        HOST_TEST(test_a_migration_runs_once_for_each_attempt),
        HOST_TEST(test_a_migration_that_fails_says_how),
        HOST_TEST(test_a_migration_that_takes_too_long_is_ended_and_lost),
        HOST_TEST(test_a_migration_that_cannot_be_begun_has_failed),
        HOST_TEST(test_who_asks_again_waits_for_the_one_that_runs),
        HOST_TEST(test_a_migration_whose_runner_was_killed_is_lost_and_not_begun_again),
        HOST_TEST(test_a_reboot_loses_a_migration),
        HOST_TEST(test_it_is_begun_once_whoever_is_killed_when),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
