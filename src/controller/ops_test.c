/* The API tests against exactly one copy, in this process. */
#include "apitest/coverage.h"
#include "apitest/reflect.h"
#include "apitest/report.h"
#include "apitest/run.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/num.h"
#include "controller/controller_int.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#define REFLECT_MS     10000
#define WATCH_MS       20
#define FAILURES_SHOWN 3
#define TEST_JOBS      4

struct test_run {
    struct task *t;
    struct io_loop *loop;
    struct apitest_secrets secrets;
    struct apitest_load load;
    struct apitest_target target;
    struct proto_pool *reflected;
    struct conf_diags diags;
    VEC(struct apitest_suite *) suite;
    struct apitest_runner *runner;
    bool stopped;
};

static int reflect(struct str name, const struct proto_pool **ret, struct err *err, void *ctx)
{
    struct test_run *run = ctx;
    (void) name;
    if (run->reflected == NULL &&
        apitest_reflect(run->loop, &run->target.conn, REFLECT_MS, &run->reflected, err) < 0) {
        return err_wrap(err, "%s", run->target.text);
    }
    *ret = run->reflected;
    return 0;
}

/* "web", "8080", "127.0.0.1:${port.web}": of the slot under test. */
static int aim(struct test_run *run, struct err *err)
{
    struct task *t = run->t;
    const struct release_config *config = t->c->config;
    const struct release_host *host = &config->host[t->op.host];
    const struct release_place place = {
        .version = controller_version(t->c, t->op.host, t->op.version),
        .variant = controller_variant(t->c, t->op.host, t->op.version, t->op.track),
        .host = t->op.host,
        .slot = t->op.slot,
    };
    _cleanup_(buf_done) struct buf b;
    uint64_t number;
    buf_init(&b, sizeof run->target.text - 1);
    if (release_expand(config, &place, config->tests.target, &b, err) < 0) {
        return err_wrap(err, "tests.target");
    }
    buf_print(run->target.text, sizeof run->target.text, "%s", b.ptr);
    if (num_u64(buf_str(&b), 1, 65535, &number) == 0) {
        buf_print(run->target.text, sizeof run->target.text, "%s:%s", host->address, b.ptr);
    }
    for (size_t i = 0; i < host->ports; i++) {
        if (str_eq_cstr(buf_str(&b), host->port[i].name)) {
            buf_print(run->target.text, sizeof run->target.text, "%s:%u", host->address,
                      host->port[i].number[t->op.slot]);
        }
    }
    run->target.name = "";
    return rpc_target_parse(str_of(run->target.text), &run->target.conn.target, err);
}

static int given(struct test_run *run, struct err *err)
{
    const struct release_tests *tests = &run->t->c->config->tests;
    for (size_t i = 0; i < tests->requires.len; i++) {
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets it */
        if (getenv(tests->requires.ptr[i]) == NULL) {
            return err_set(err, ERR_INVALID, "the tests require %s in the environment",
                           tests->requires.ptr[i]);
        }
    }
    for (size_t i = 0; i < tests->given_vars.len; i++) {
        const char *var = tests->given_vars.ptr[i], *equals = strchr(var, '=');
        if (equals != NULL) {
            (void) map_put(&run->load.given, (struct str){var, (size_t) (equals - var)},
                           (void *) (uintptr_t) (equals + 1));
        }
    }
    return 0;
}

static int load_files(struct test_run *run, struct err *err)
{
    const struct release_config *config = run->t->c->config;
    size_t found = 0;
    for (size_t i = 0; i < config->tests.files.len; i++) {
        char pattern[4096];
        glob_t names = {0};
        const char *file = config->tests.files.ptr[i];
        buf_print(pattern, sizeof pattern, "%s%s%s", file[0] == '/' ? "" : config->dir,
                  file[0] == '/' ? "" : "/", file);
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets the locale */
        if (glob(pattern, 0, NULL, &names) == 0) {
            for (size_t k = 0; k < names.gl_pathc; k++) {
                struct apitest_suite *suite =
                    apitest_suite_load(&run->load, names.gl_pathv[k], &run->diags);
                if (suite != NULL) {
                    vec_push(&run->suite, suite); /* NOLINT(bugprone-sizeof-expression) */
                }
                found++;
            }
        }
        globfree(&names);
    }
    return found > 0 ? 0 : err_set(err, ERR_NOT_FOUND, "no file of tests was found");
}

/* Messages about the files, without what is secret. */
static void tell_diags(struct test_run *run, const struct conf_diags *diags)
{
    _cleanup_(buf_done) struct buf raw, text;
    VEC(const struct conf_file *) files = {0};
    buf_init(&raw, STEP_TEXT_BYTES * 4);
    buf_init(&text, STEP_TEXT_BYTES * 4);
    for (size_t i = 0; i < run->suite.len; i++) {
        const struct conf_file *file = &run->suite.ptr[i]->file;
        vec_push(&files, file); /* NOLINT(bugprone-sizeof-expression) */
    }
    conf_diags_print(diags, files.ptr, files.len, false, &raw);
    apitest_redact(&run->secrets, buf_str(&raw), &text);
    task_tell(run->t, STR_FMT, STR_ARG(str_trim(buf_str(&text))));
    vec_done(&files);
}

static bool files_are_right(struct test_run *run, enum release_outcome *ret)
{
    if (run->diags.errors > 0) {
        tell_diags(run, &run->diags);
        *ret = run->load.reflect_failed == ERR_UNREACHABLE ? RELEASE_AWAY : RELEASE_FAILED;
        return false;
    }
    for (size_t i = 0; i < run->suite.len; i++) {
        if (run->suite.ptr[i]->hollow.errors > 0) {
            tell_diags(run, &run->suite.ptr[i]->hollow);
            task_tell(run->t, "what tests nothing cannot pass");
            *ret = RELEASE_NOTHING;
            return false;
        }
    }
    return true;
}

static void watch(void *ctx)
{
    struct test_run *run = ctx;
    if (task_is_over(run->t) && !run->stopped) {
        run->stopped = true;
        apitest_runner_interrupt(run->runner);
    }
}

static void tell_failures(struct test_run *run, const struct apitest_run *result)
{
    size_t shown = 0;
    for (size_t i = 0; i < result->results && shown < FAILURES_SHOWN; i++) {
        const struct apitest_case_result *r = &result->result[i];
        bool bad = r->outcome == APITEST_FAILED || r->outcome == APITEST_UNREACHABLE ||
                   r->outcome == APITEST_LATE;
        if (bad) {
            _cleanup_(buf_done) struct buf b;
            buf_init(&b, TOLD_BYTES);
            apitest_report_failure(result, r, false, &b);
            struct str text = str_trim(buf_str(&b));
            task_tell(run->t, STR_FMT, (int) (text.len < 900 ? text.len : 900), text.ptr);
            shown++;
        }
    }
}

static bool coverage_is_enough(struct test_run *run, const struct apitest_run *result)
{
    uint32_t wanted_ppm = run->t->c->config->tests.coverage_ppm;
    uint32_t is_ppm = apitest_coverage_ppm(result);
    char wanted[16], is[16];
    if (wanted_ppm == 0 || is_ppm >= wanted_ppm) {
        return true;
    }
    num_share_text(wanted_ppm, wanted);
    num_share_text(is_ppm, is);
    task_tell(run->t, "the tests call %s of the methods and tests.coverage wants %s", is, wanted);
    return false;
}

static enum release_outcome verdict(struct test_run *run, const struct apitest_run *result)
{
    const struct apitest_totals *totals = &result->totals;
    task_tell(run->t, "%zu of %zu API tests passed at %s", totals->passed,
              totals->passed + totals->failed + totals->unreachable + totals->late,
              run->target.text);
    tell_failures(run, result);
    if (run->stopped) {
        return run->t->cancelled ? RELEASE_CANCELLED : RELEASE_LATE;
    }
    if (totals->failed > 0 || totals->not_run > 0) {
        return RELEASE_FAILED;
    }
    if (totals->unreachable > 0) {
        return RELEASE_AWAY;
    }
    if (totals->late > 0 || result->budget_used) {
        return RELEASE_LATE;
    }
    if (totals->tested == 0 || totals->checks == 0) {
        task_tell(run->t, "nothing was tested");
        return RELEASE_NOTHING;
    }
    return coverage_is_enough(run, result) ? RELEASE_OK : RELEASE_FAILED;
}

static enum release_outcome run_suites(struct test_run *run)
{
    const struct release_tests *tests = &run->t->c->config->tests;
    struct err err = {0};
    char command[512];
    const struct apitest_options options = {
        .target = &run->target,
        .targets = 1,
        .jobs = TEST_JOBS,
        .budget_ms = tests->budget_ms,
        .tags = tests->tags.ptr,
        .n_tags = tests->tags.len,
        .load = &run->load,
    };
    run->runner =
        apitest_runner_new(run->loop, &options, run->suite.ptr, run->suite.len, &run->diags, &err);
    if (run->runner == NULL) {
        tell_diags(run, &run->diags);
        return task_fail(run->t, &err);
    }
    struct apitest_run *result = apitest_runner_result(run->runner);
    buf_print(command, sizeof command, "pourover test %s --target %s", tests->files.ptr[0],
              run->target.text);
    result->target_text = run->target.text;
    result->command = command;
    struct io_timer *timer = io_timer_start(run->loop, WATCH_MS, WATCH_MS, watch, run);
    apitest_runner_run(run->runner);
    io_timer_stop(timer);
    return verdict(run, result);
}

enum release_outcome task_test(struct task *t)
{
    struct test_run run = {.t = t};
    enum release_outcome outcome = RELEASE_FAILED;
    struct err err = {0};
    apitest_secrets_init(&run.secrets);
    apitest_load_init(&run.load, &run.secrets);
    run.loop = io_loop_new();
    run.load.reflect = reflect;
    run.load.ctx = &run;
    if (aim(&run, &err) < 0 || given(&run, &err) < 0 || load_files(&run, &err) < 0) {
        outcome = task_fail(t, &err);
    } else if (files_are_right(&run, &outcome)) {
        outcome = run_suites(&run);
    }
    apitest_runner_free(run.runner);
    for (size_t i = 0; i < run.suite.len; i++) {
        apitest_suite_free(run.suite.ptr[i]);
    }
    vec_done(&run.suite);
    conf_diags_done(&run.diags);
    proto_pool_free(run.reflected);
    apitest_load_done(&run.load);
    apitest_secrets_done(&run.secrets);
    io_loop_free(run.loop);
    return outcome;
}
