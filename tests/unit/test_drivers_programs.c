/* Programs of a slot under their runners: begun, watched, stopped, whoever dies meanwhile. */
#include "support/host.h"

#include <pthread.h>

static void write_program(const struct host_world *w, const char *name, const char *text)
{
    char script[4096];
    buf_print(script, sizeof script, "#!/bin/sh\n%s\n", text);
    host_write(host_path(w, "dist/1.0/bin/%s", name), script, 0755);
    buf_print(script, sizeof script, "#!/bin/sh\n%s\n", text);
    host_write(host_path(w, "dist/2.0/bin/%s", name), script, 0755);
}

static uint64_t start(struct host_world *w)
{
    uint64_t instance = 0;
    host_ok(w, host_driver->pull(&w->p, &w->err));
    host_ok(w, host_driver->start(&w->p, &instance, &w->err));
    assert_true(instance != 0);
    return instance;
}

static struct driver_copy observe(struct host_world *w)
{
    struct driver_seen seen;
    host_ok(w, host_driver->observe(&w->p, &seen, &w->err));
    return seen.copy[w->p.slot];
}

static bool in_log(const struct host_world *w, const char *program, const char *text)
{
    return strstr(host_read(host_path(w, "host/logs/a-%s.log", program)), text) != NULL;
}

static void test_programs_are_begun_in_order_and_each_is_ready_before_the_next(void **state)
{
    struct host_world *w = *state;
    char note[128], url[64], port[8];
    buf_print(note, sizeof note, "%s/note", w->dir);
    buf_print(url, sizeof url, "http://127.0.0.1:${port.web}/healthz");
    buf_print(port, sizeof port, "%u", w->port[0].number[0]);
    write_program(w, "first",
                  "echo first >> $0.order; sleep 0.1; echo ready >> $0.order\n"
                  "cat $0.order >> ../../../order; exec sleep 1000");
    write_program(w, "job", "echo job >> ../../../order; exec sleep 1000");
    HOST_PROGRAM(w, ROLE_APP, "first", "bin/first");
    HOST_PROGRAM(w, ROLE_APP, "web", w->self, "serve", "${port.web}", "200 OK", note);
    HOST_PROGRAM(w, ROLE_WORKER, "job", "bin/job");
    w->config.role[ROLE_APP].up_for_ms = 250;
    w->config.role[ROLE_APP].ready_http = url;
    uint64_t instance = start(w);
    assert_string_equal(host_read(note), "GET /healthz HTTP/1.1\n");
    struct run_state first = host_state(w, "slot-a/first"), web = host_state(w, "slot-a/web");
    assert_true(web.up_ms >= first.up_ms + 250);
    host_until(strcmp(host_read(host_path(w, "order")), "first\nready\njob\n") == 0);
    struct driver_copy copy = observe(w);
    assert_true(copy.runs && copy.any);
    assert_string_equal(copy.version, "1.0");
    assert_string_equal(copy.dead, "");
    assert_true(copy.instance == instance);
    /* Said twice is said once. */
    assert_true(start(w) == instance);
    host_ok(w, host_driver->stop(&w->p, false, &w->err));
    copy = observe(w);
    assert_false(copy.runs || copy.any);
    assert_int_equal(copy.instance, 0);
    assert_string_equal(copy.version, "1.0");
    assert_int_equal(host_processes(w), 0);
    assert_true(start(w) != instance);
}

static void test_an_application_that_is_not_ready_fails_with_what_it_answers(void **state)
{
    struct host_world *w = *state;
    uint64_t instance;
    char note[128];
    buf_print(note, sizeof note, "%s/note", w->dir);
    HOST_PROGRAM(w, ROLE_APP, "web", w->self, "serve", "${port.web}", "503 No", note);
    w->config.role[ROLE_APP].ready_http = "http://127.0.0.1:${port.web}/healthz";
    w->config.role[ROLE_APP].ready_within_ms = 500;
    host_ok(w, host_driver->pull(&w->p, &w->err));
    host_fails(w, host_driver->start(&w->p, &instance, &w->err), ERR_REMOTE, "answers 503");
}

static void test_a_program_that_dies_again_and_again_is_given_up(void **state)
{
    struct host_world *w = *state;
    uint64_t instance;
    write_program(w, "loop", "echo runs now >> $0.times; exit 7");
    HOST_PROGRAM(w, ROLE_APP, "loop", "bin/loop");
    w->config.role[ROLE_APP].restarts_max = 2;
    w->config.role[ROLE_APP].up_for_ms = 5000;
    host_ok(w, host_driver->pull(&w->p, &w->err));
    host_fails(w, host_driver->start(&w->p, &instance, &w->err), ERR_REMOTE,
               "program loop does not stay up: exit code 7, begun 3 times");
    assert_string_equal(host_read(host_path(w, "host/versions/1.0/bin/loop.times")),
                        "runs now\nruns now\nruns now\n");
    struct driver_copy copy = observe(w);
    assert_false(copy.any);
    assert_string_equal(copy.dead, "loop: exit code 7, 3 times");
    assert_int_equal(copy.restarts, 2);
    host_until(host_processes(w) == 0);
}

static void test_a_program_that_was_up_for_the_watch_time_is_begun_again(void **state)
{
    struct host_world *w = *state;
    write_program(w, "web", "exec sleep 1000");
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/web");
    w->config.role[ROLE_APP].restarts_max = 0;
    w->config.role[ROLE_APP].restarts_watch_ms = 200;
    w->config.role[ROLE_APP].up_for_ms = 300;
    uint64_t instance = start(w);
    assert_int_equal(kill(host_state(w, "slot-a/web").child.pid, SIGKILL), 0);
    host_until(observe(w).restarts == 1 && observe(w).runs);
    struct driver_copy copy = observe(w);
    assert_true(copy.instance != instance && copy.instance != 0);
    assert_true(in_log(w, "web", "web ended: signal 9 (Killed)"));
    assert_true(start(w) == copy.instance); /* and it is as wanted */
}

static void test_a_command_that_cannot_be_begun_is_told_at_once(void **state)
{
    struct host_world *w = *state;
    uint64_t instance;
    host_write(host_path(w, "dist/1.0/bin/bad"), "#!/no/such/shell\n", 0755);
    HOST_PROGRAM(w, ROLE_APP, "bad", "bin/bad");
    host_ok(w, host_driver->pull(&w->p, &w->err));
    host_fails(w, host_driver->start(&w->p, &instance, &w->err), ERR_IO, "bin/bad in folder");
    host_until(host_processes(w) == 0);
}

static void test_a_worker_finishes_its_job_within_the_grace(void **state)
{
    struct host_world *w = *state;
    write_program(w, "job",
                  "trap 'echo quiet' TSTP\n"
                  "trap 'echo finishing; sleep 1; echo done > ../../../done; exit 0' TERM\n"
                  "echo runs now\nwhile :; do sleep 0.05; done");
    write_program(w, "web",
                  "trap 'ls ../../../done && echo after the job; exit 0' TERM\n"
                  "echo runs now\nwhile :; do sleep 0.05; done");
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/web");
    HOST_PROGRAM(w, ROLE_WORKER, "job", "bin/job");
    w->config.role[ROLE_WORKER].stop_signal = SIGTSTP;
    w->config.role[ROLE_WORKER].then_signal = SIGTERM;
    w->config.role[ROLE_WORKER].grace_ms = 20000;
    (void) start(w);
    host_until(in_log(w, "job", "runs now") && in_log(w, "web", "runs now"));
    host_ok(w, host_driver->stop(&w->p, false, &w->err));
    assert_string_equal(host_read(host_path(w, "done")), "done\n");
    const char *log = host_read(host_path(w, "host/logs/a-job.log"));
    const char *quiet = strstr(log, "quiet\n"), *finishing = strstr(log, "finishing\n");
    t_check(quiet != NULL && finishing > quiet, "%s", log); /* one signal after the other */
    assert_true(in_log(w, "web", "after the job"));
}

static void test_what_ignores_the_signal_is_killed_with_all_it_began(void **state)
{
    struct host_world *w = *state;
    /* A child in a session of its own, and one that has lost its parent. */
    write_program(w, "web",
                  "trap '' TERM HUP\n(setsid sh -c 'trap \"\" TERM; sleep 1000' &)\n"
                  "sh -c 'sleep 1000 & sleep 1000' &\necho runs now\n"
                  "while :; do sleep 0.05; done");
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/web");
    w->config.role[ROLE_APP].grace_ms = 300;
    (void) start(w);
    host_until(in_log(w, "web", "runs now") && host_processes(w) >= 6);
    host_ok(w, host_driver->stop(&w->p, false, &w->err));
    assert_int_equal(host_processes(w), 0);
    assert_true(in_log(w, "web", "did not end within its grace and is killed"));
}

static void test_a_killed_runner_takes_its_program_along(void **state)
{
    struct host_world *w = *state;
    write_program(w, "web", "(setsid sleep 1000 &)\nsleep 1000 &\necho runs now\nwait");
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/web");
    uint64_t instance = start(w);
    host_until(in_log(w, "web", "runs now") && host_processes(w) >= 4);
    struct run_state before = host_state(w, "slot-a/web");
    assert_int_equal(kill(before.runner.pid, SIGKILL), 0);
    host_until(!proc_lives(before.child));
    struct driver_copy copy = observe(w);
    assert_false(copy.any);
    assert_string_equal(copy.dead, "web: its runner was killed");
    assert_true(host_processes(w) >= 2); /* what it began runs unseen ... */
    assert_true(start(w) != instance);   /* ... until the next call */
    host_until(in_log(w, "web", "runs now") && host_processes(w) == 4);
    assert_int_equal(kill(host_state(w, "slot-a/web").runner.pid, SIGKILL), 0);
    host_ok(w, host_driver->stop(&w->p, false, &w->err));
    assert_int_equal(host_processes(w), 0);
}

/* Programs that write over their environment, as nginx does for its title, are known by their
 * session and folder. */
static void test_what_hides_its_environment_is_found_by_its_session(void **state)
{
    struct host_world *w = *state;
    write_program(w, "web", "env -i sleep 1000 &\necho runs now\nwait");
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/web");
    (void) start(w);
    host_until(in_log(w, "web", "runs now") && host_processes(w) == 3);
    struct run_state before = host_state(w, "slot-a/web");
    assert_int_equal(kill(before.runner.pid, SIGKILL), 0);
    host_until(!proc_lives(before.child) && host_processes(w) == 1);
    host_ok(w, host_driver->stop(&w->p, false, &w->err));
    assert_int_equal(host_processes(w), 0);
}

static void test_another_environment_of_the_caller_makes_no_other_program(void **state)
{
    struct host_world *w = *state;
    struct release_pair pair = {.name = "LANG", .value = "C"};
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/stay");
    uint64_t instance = start(w);
    assert_int_equal(setenv("TZ", "Asia/Tokyo", 1), 0); /* NOLINT: one thread */
    assert_true(start(w) == instance);
    assert_int_equal(unsetenv("TZ"), 0); /* NOLINT: one thread */
    w->program[0].env.ptr = &pair;       /* said in release.yaml */
    w->program[0].env.len = 1;
    assert_true(start(w) != instance);
    w->program[0].env.len = 0;
}

static void test_a_runner_whose_notes_were_spoiled_is_stopped_all_the_same(void **state)
{
    struct host_world *w = *state;
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/stay");
    (void) start(w);
    host_write(host_path(w, "host/slot-a/web/run.json"), "{", 0600);
    host_ok(w, host_driver->stop(&w->p, false, &w->err));
    assert_int_equal(host_processes(w), 0);
}

static void test_a_pid_that_is_used_again_is_not_taken_for_ours(void **state)
{
    struct host_world *w = *state;
    struct run_state mine;
    struct proc_stat stat;
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/stay");
    (void) start(w);
    mine = host_state(w, "slot-a/web");
    assert_int_equal(kill(mine.runner.pid, SIGKILL), 0);
    host_until(!proc_lives(mine.runner) && !proc_lives(mine.child));
    /* Somebody else, who has got the numbers of both. */
    pid_t other = fork();
    if (other == 0) {
        (void) setsid();
        (void) !chdir(w->folder);
        (void) poll(NULL, 0, 60000);
        _exit(0);
    }
    host_until(proc_stat(other, &stat) && stat.session == other);
    mine.runner = mine.child = (struct proc){other, stat.start + 1};
    assert_int_equal(run_state_write(host_path(w, "host/slot-a/web"), &mine, &w->err), 0);
    struct driver_copy copy = observe(w);
    assert_false(copy.any);
    host_ok(w, host_driver->stop(&w->p, false, &w->err));
    assert_int_equal(waitpid(other, NULL, WNOHANG), 0); /* it lives */
    (void) kill(other, SIGKILL);
    (void) waitpid(other, NULL, 0);
}

static void test_after_a_reboot_nothing_runs_and_numbers_mean_nothing(void **state)
{
    struct host_world *w = *state;
    struct driver_seen before, after;
    struct run_state state_before;
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/stay");
    host_write(host_path(w, "host/boot-id"), "one\n", 0644);
    uint64_t instance = start(w);
    host_ok(w, host_driver->observe(&w->p, &before, &w->err));
    state_before = host_state(w, "slot-a/web");
    assert_int_equal(kill(state_before.runner.pid, SIGKILL), 0);
    host_until(!proc_lives(state_before.child));
    host_write(host_path(w, "host/boot-id"), "two\n", 0644);
    host_ok(w, host_driver->observe(&w->p, &after, &w->err));
    assert_true(before.boot != after.boot);
    assert_false(after.copy[0].any);
    assert_string_equal(after.copy[0].dead, "web: the machine was started again");
    assert_string_equal(after.copy[0].version, "1.0");
    assert_true(start(w) != instance);
}

/* What the driver is told by a controller that is killed at a random moment of it. */
static void killed(struct host_world *w, bool starts, uint64_t after_us)
{
    uint64_t instance;
    pid_t pid = fork();
    if (pid == 0) {
        w->p.deadline_ms = clock_mono_ms() + HOST_DEADLINE_MS;
        if (starts) {
            (void) host_driver->start(&w->p, &instance, &w->err);
        } else {
            (void) host_driver->stop(&w->p, true, &w->err);
        }
        _exit(0);
    }
    uint64_t until = clock_mono_us() + after_us;
    while (clock_mono_us() < until) {
        (void) poll(NULL, 0, 1);
    }
    (void) kill(pid, SIGKILL);
    (void) waitpid(pid, NULL, 0);
}

static void test_a_controller_killed_at_any_moment_changes_no_end(void **state)
{
    struct host_world *w = *state;
    struct t_random random = t_random_init();
    write_program(w, "slow", "trap 'sleep 0.1; exit 0' TERM\nwhile :; do sleep 0.02; done");
    HOST_PROGRAM(w, ROLE_APP, "one", "bin/stay");
    HOST_PROGRAM(w, ROLE_APP, "two", "bin/slow");
    HOST_PROGRAM(w, ROLE_WORKER, "job", "bin/stay");
    host_ok(w, host_driver->pull(&w->p, &w->err));
    for (int i = 0; i < 4; i++) {
        killed(w, true, t_random_below(&random, 200000));
        if (i % 2 == 0) {
            uint64_t instance = start(w);
            assert_true(observe(w).runs && start(w) == instance);
            assert_int_equal(host_processes(w) >= 6, 1);
        }
        killed(w, false, t_random_below(&random, 200000));
        host_ok(w, host_driver->stop(&w->p, true, &w->err));
        assert_int_equal(host_processes(w), 0);
        assert_false(observe(w).any);
    }
}

static void test_programs_live_on_without_terminal_and_controller(void **state)
{
    struct host_world *w = *state;
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/stay");
    host_ok(w, host_driver->pull(&w->p, &w->err));
    int lost[2];
    assert_int_equal(pipe(lost), 0); /* a descriptor that must not be handed down */
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t instance;
        (void) setsid();
        _exit(host_driver->start(&w->p, &instance, &w->err) == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    (void) kill(-pid, SIGHUP);
    (void) close(lost[1]);
    char byte;
    assert_int_equal(read(lost[0], &byte, 1), 0); /* nobody else has its other end */
    (void) close(lost[0]);
    struct driver_copy copy = observe(w);
    assert_true(copy.runs);
    struct proc_stat stat;
    assert_true(proc_stat(host_state(w, "slot-a/web").runner.pid, &stat));
    assert_int_not_equal(stat.parent, getpid());
    assert_int_not_equal(stat.session, pid);
}

static void test_what_its_starter_ignored_a_runner_hears(void **state)
{
    struct host_world *w = *state;
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/stay");
    host_ok(w, host_driver->pull(&w->p, &w->err));
    pid_t pid = fork();
    if (pid == 0) {
        uint64_t instance;
        struct sigaction ignore = {.sa_handler = SIG_IGN};
        (void) sigaction(SIGTERM, &ignore, NULL);
        (void) sigaction(SIGCHLD, &ignore, NULL);
        _exit(host_driver->start(&w->p, &instance, &w->err) == 0 ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    host_ok(w, host_driver->stop(&w->p, false, &w->err));
    assert_int_equal(host_state(w, "slot-a/web").status, RUN_STOPPED);
}

static void test_one_who_was_fenced_in_the_middle_of_a_start_begins_no_more(void **state)
{
    struct host_world *w = *state;
    uint64_t instance;
    HOST_PROGRAM(w, ROLE_APP, "one", "bin/stay");
    HOST_PROGRAM(w, ROLE_APP, "two", "bin/stay");
    w->config.role[ROLE_APP].up_for_ms = 1000;
    host_ok(w, host_driver->pull(&w->p, &w->err));
    pid_t pid = fork();
    if (pid == 0) {
        _exit(host_driver->start(&w->p, &instance, &w->err) == ERR_CONFLICT ? 0 : 1);
    }
    host_until(host_state(w, "slot-a/one").status == RUN_UP);
    w->p.token = "token-2";
    host_ok(w, host_driver->lease_take(&w->p, "bob", 60000, true, &w->err));
    host_ok(w, host_driver->stop(&w->p, true, &w->err));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(host_processes(w) == 0);
    assert_false(host_exists(host_path(w, "host/slot-a/two/state.json")));
}

static void test_secrets_are_files_of_mode_0600_and_in_no_command_line(void **state)
{
    struct host_world *w = *state;
    const char *command[] = {"bin/secret"};
    struct release_secret secrets[] = {
        {.name = "FROM_ENV", .env = "HOST_TEST_SECRET"},
        {.name = "FROM_FILE", .file = "secret.txt"},
        {.name = "FROM_COMMAND", .command = {command, 1}},
    };
    struct stat st;
    assert_int_equal(setenv("HOST_TEST_SECRET", "s3cret-one", 1), 0); /* NOLINT: one thread */
    host_write(host_path(w, "secret.txt"), "s3cret-two\n", 0600);
    host_write(host_path(w, "bin/secret"), "#!/bin/sh\necho s3cret-three\n", 0755);
    write_program(w, "web",
                  "echo has ${#FROM_ENV} ${#FROM_FILE} ${#FROM_COMMAND}\n"
                  "test -z \"$HOST_TEST_SECRET\" && echo nothing else\nexec sleep 1000");
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/web");
    w->config.secret = secrets;
    w->config.secrets = 3;
    (void) start(w);
    host_until(in_log(w, "web", "has 10 10 12\nnothing else\n"));
    assert_int_equal(stat(host_path(w, "host/slot-a/web/env"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(stat(host_path(w, "host/slot-a"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    struct run_state run = host_state(w, "slot-a/web");
    const pid_t pids[] = {run.runner.pid, run.child.pid};
    T_TABLE(pid, pids)
    {
        char path[64], text[4096];
        buf_print(path, sizeof path, "/proc/%d/cmdline", (int) *pid);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = read(fd, text, sizeof text);
        (void) close(fd);
        assert_true(n > 0);
        assert_null(memmem(text, (size_t) n, "s3cret", 6));
    }
    assert_null(strstr(host_read(host_path(w, "host/slot-a/web/run.json")), "s3cret"));
    assert_null(strstr(host_read(host_path(w, "host/slot-a/web/state.json")), "s3cret"));
    host_ok(w, host_driver->stop(&w->p, true, &w->err));
    assert_false(host_exists(host_path(w, "host/slot-a/web/env")));
    (void) unlink(host_path(w, "secret.txt"));
    uint64_t instance;
    host_fails(w, host_driver->start(&w->p, &instance, &w->err), ERR_NOT_FOUND,
               "secret FROM_FILE: ");
    w->config.secrets = 0;
}

static void test_logs_are_bounded_and_their_last_lines_are_shown(void **state)
{
    struct host_world *w = *state;
    struct buf b;
    struct stat st;
    buf_init(&b, 1u << 20);
    write_program(w, "web",
                  "head -c 9000000 /dev/zero | tr '\\0' 'x' | fold -w 99\n"
                  "echo; echo the last line\nexec sleep 1000");
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/web");
    (void) start(w);
    host_until((buf_clear(&b), host_driver->logs(&w->p, 1, &b, &w->err) == 0 &&
                                   strstr(b.ptr, "the last line\n") != NULL));
    assert_str(buf_str(&b), "== web ==\nthe last line\n");
    assert_int_equal(stat(host_path(w, "host/logs/a-web.log"), &st), 0);
    assert_true(st.st_size <= 4 << 20);
    assert_int_equal(stat(host_path(w, "host/logs/a-web.log.1"), &st), 0);
    assert_true(st.st_size <= 4 << 20);
    buf_done(&b);
}

static void test_a_slot_whose_programs_are_other_ones_now_is_emptied_first(void **state)
{
    struct host_world *w = *state;
    HOST_PROGRAM(w, ROLE_APP, "old", "bin/stay");
    (void) start(w);
    w->config.programs = 0;
    w->config.role[ROLE_APP].services.len = 0;
    HOST_PROGRAM(w, ROLE_APP, "new", "bin/stay");
    w->p.version = "2.0";
    (void) start(w);
    assert_int_equal(host_processes(w), 2);
    struct driver_copy copy = observe(w);
    assert_string_equal(copy.version, "2.0");
    assert_true(copy.runs);
    /* The same program of another version is another one. */
    w->p.version = "1.0";
    (void) start(w);
    assert_int_equal(host_processes(w), 2);
    host_until(in_log(w, "new", "of 1.0 begins"));
}

static void test_cron_runs_in_one_slot_and_on_its_host_only(void **state)
{
    struct host_world *w = *state;
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/stay");
    HOST_PROGRAM(w, ROLE_CRON, "cron", "bin/stay");
    w->config.role[ROLE_CRON].only_on = "east-1";
    (void) start(w);
    assert_false(host_exists(host_path(w, "host/slot-a/cron")));
    w->config.role[ROLE_CRON].only_on = "west-1";
    (void) start(w);
    assert_int_equal(host_state(w, "slot-a/cron").status, RUN_UP);
    w->p.slot = RELEASE_SLOT_B;
    w->p.version = "2.0";
    (void) start(w); /* beside: the cron moves to the new copy */
    assert_int_equal(host_state(w, "slot-a/cron").status, RUN_STOPPED);
    assert_int_equal(host_state(w, "slot-b/cron").status, RUN_UP);
    host_ok(w, host_driver->stop(&w->p, false, &w->err)); /* the way back */
    assert_int_equal(host_state(w, "slot-a/cron").status, RUN_UP);
    assert_int_equal(host_state(w, "slot-b/cron").status, RUN_STOPPED);
    w->p.slot = RELEASE_SLOT_A;
    host_ok(w, host_driver->stop(&w->p, false, &w->err));
    assert_int_equal(host_processes(w), 0);
}

struct hand {
    struct host_world *w;
    pthread_t thread;
    const char *failed;
};

static void *work(void *ctx)
{
    struct hand *hand = ctx;
    struct host_world *w = hand->w;
    uint64_t instance;
    for (int i = 0; i < 2 && hand->failed == NULL; i++) {
        w->p.deadline_ms = clock_mono_ms() + HOST_DEADLINE_MS;
        if (host_driver->pull(&w->p, &w->err) < 0 ||
            host_driver->start(&w->p, &instance, &w->err) < 0 ||
            host_driver->stop(&w->p, true, &w->err) < 0) {
            hand->failed = w->err.msg;
        }
    }
    return NULL;
}

/* The controller works at several hosts at once, each in a thread. */
static void test_hosts_are_worked_at_by_threads(void **state)
{
    struct hand hand[3] = {{.w = *state}};
    for (size_t i = 0; i < T_LEN(hand); i++) {
        void *world = *state;
        if (i > 0) {
            assert_int_equal(host_setup(&world), 0);
        }
        hand[i].w = world;
        HOST_PROGRAM(hand[i].w, ROLE_APP, "web", "bin/stay");
        HOST_PROGRAM(hand[i].w, ROLE_WORKER, "job", "bin/stay");
        assert_int_equal(pthread_create(&hand[i].thread, NULL, work, &hand[i]), 0);
    }
    for (size_t i = 0; i < T_LEN(hand); i++) {
        (void) pthread_join(hand[i].thread, NULL);
    }
    for (size_t i = 0; i < T_LEN(hand); i++) {
        t_check(hand[i].failed == NULL, "host %zu: %s", i, hand[i].failed);
        assert_int_equal(host_processes(hand[i].w), 0);
        void *world = hand[i].w;
        assert_int_equal(i > 0 ? host_teardown(&world) : 0, 0);
    }
}

static void test_a_wait_ends_by_its_deadline_and_when_it_is_cancelled(void **state)
{
    struct host_world *w = *state;
    uint64_t instance;
    HOST_PROGRAM(w, ROLE_APP, "web", "bin/stay");
    w->config.role[ROLE_APP].up_for_ms = 60000;
    w->config.role[ROLE_APP].ready_within_ms = 120000;
    host_ok(w, host_driver->pull(&w->p, &w->err));
    w->p.deadline_ms = clock_mono_ms() + 700;
    int rc = host_driver->start(&w->p, &instance, &w->err);
    t_check(rc == ERR_TIMEOUT, "%s", w->err.msg);
    atomic_store(&w->cancelled, true);
    host_fails(w, host_driver->start(&w->p, &instance, &w->err), ERR_CANCELLED, "cancelled");
    atomic_store(&w->cancelled, false);
}

int main(int argc, char **argv)
{
    HOST_ROLES(argc, argv);
    const struct CMUnitTest tests[] = {
        HOST_TEST(test_programs_are_begun_in_order_and_each_is_ready_before_the_next),
        HOST_TEST(test_an_application_that_is_not_ready_fails_with_what_it_answers),
        HOST_TEST(test_a_program_that_dies_again_and_again_is_given_up),
        HOST_TEST(test_a_program_that_was_up_for_the_watch_time_is_begun_again),
        HOST_TEST(test_a_command_that_cannot_be_begun_is_told_at_once),
        HOST_TEST(test_a_worker_finishes_its_job_within_the_grace),
        HOST_TEST(test_what_ignores_the_signal_is_killed_with_all_it_began),
        HOST_TEST(test_a_killed_runner_takes_its_program_along),
        HOST_TEST(test_what_hides_its_environment_is_found_by_its_session),
        HOST_TEST(test_another_environment_of_the_caller_makes_no_other_program),
        HOST_TEST(test_a_runner_whose_notes_were_spoiled_is_stopped_all_the_same),
        HOST_TEST(test_a_pid_that_is_used_again_is_not_taken_for_ours),
        HOST_TEST(test_after_a_reboot_nothing_runs_and_numbers_mean_nothing),
        HOST_TEST(test_a_controller_killed_at_any_moment_changes_no_end),
        HOST_TEST(test_programs_live_on_without_terminal_and_controller),
        HOST_TEST(test_what_its_starter_ignored_a_runner_hears),
        HOST_TEST(test_one_who_was_fenced_in_the_middle_of_a_start_begins_no_more),
        HOST_TEST(test_secrets_are_files_of_mode_0600_and_in_no_command_line),
        HOST_TEST(test_logs_are_bounded_and_their_last_lines_are_shown),
        HOST_TEST(test_a_slot_whose_programs_are_other_ones_now_is_emptied_first),
        HOST_TEST(test_cron_runs_in_one_slot_and_on_its_host_only),
        HOST_TEST(test_hosts_are_worked_at_by_threads),
        HOST_TEST(test_a_wait_ends_by_its_deadline_and_when_it_is_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
