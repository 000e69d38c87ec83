/* Which units a run has, and which of them begins next; what a run comes to. */
#include "apitest/coverage.h"
#include "apitest/run_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdio.h>
#include <string.h>

#define SCOPE_BYTES_MAX ((size_t) 64 * 1024 * 1024)
#define GRACE_MS        10000 /* for teardown when the budget is used up */
#define CASE_NAME_MAX   1000

static bool has_tag(const struct apitest_case *c, struct str tag)
{
    for (size_t i = 0; i < c->tags; i++) {
        if (str_eq(c->tag[i], tag)) {
            return true;
        }
    }
    for (size_t i = 0; i < c->test->tags; i++) {
        if (str_eq(c->test->tag[i], tag)) {
            return true;
        }
    }
    return false;
}

/* One of the tags without "!" if there are any, and none of those with it. */
static bool tags_choose(const struct apitest_options *options, const struct apitest_case *c)
{
    bool wanted = false, found = false;
    for (size_t i = 0; i < options->n_tags; i++) {
        const char *tag = options->tags[i];
        if (tag[0] == '!') {
            if (has_tag(c, str_of(tag + 1))) {
                return false;
            }
            continue;
        }
        wanted = true;
        found |= has_tag(c, str_of(tag));
    }
    return !wanted || found;
}

static bool runner_chooses(const struct apitest_runner *runner, const struct apitest_case *c)
{
    if (!tags_choose(&runner->options, c)) {
        return false;
    }
    if (runner->run_regex == NULL) {
        return true;
    }
    char name[CASE_NAME_MAX];
    struct buf b;
    buf_init_fixed(&b, name, sizeof name);
    buf_add_str(&b, c->test->name);
    buf_add_char(&b, '/');
    buf_add_str(&b, c->name);
    pcre2_match_data *match = pcre2_match_data_create(1, NULL);
    int found = pcre2_match(runner->run_regex, (PCRE2_SPTR) name, b.len, 0, 0, match, NULL);
    pcre2_match_data_free(match);
    return found >= 0;
}

static int compile_run(struct apitest_runner *runner, struct err *err)
{
    const char *run = runner->options.run;
    int code;
    PCRE2_SIZE at;
    if (run == NULL) {
        return 0;
    }
    runner->run_regex =
        pcre2_compile((PCRE2_SPTR) run, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &at, NULL);
    if (runner->run_regex == NULL) {
        char text[128] = "";
        (void) pcre2_get_error_message(code, (PCRE2_UCHAR *) text, sizeof text);
        return err_set(err, ERR_INVALID, "--run \"%s\": %s at character %zu", run, text,
                       (size_t) at + 1);
    }
    return 0;
}

static struct connections *connections_of(struct apitest_runner *runner,
                                          const struct apitest_target *target)
{
    for (size_t i = 0; i < runner->n_connections; i++) {
        if (runner->connections[i].target == target) {
            return &runner->connections[i];
        }
    }
    struct connections *to = &runner->connections[runner->n_connections++];
    to->target = target;
    return to;
}

/* The target of a test by its name.  NULL: told. */
static const struct apitest_target *
target_of(struct apitest_runner *runner, const struct apitest_test *test, struct conf_diags *diags)
{
    const struct apitest_options *options = &runner->options;
    const char *known[64];
    size_t n = 0;
    for (size_t i = 0; i < options->targets; i++) {
        if (str_eq_cstr(test->target, options->target[i].name)) {
            return &options->target[i];
        }
        if (n < 64 && options->target[i].name[0] != '\0') {
            known[n++] = options->target[i].name;
        }
    }
    const struct conf_node *node = conf_get(test->node, "target");
    if (node == NULL) {
        conf_error(diags, test->node,
                   "test \"" STR_FMT "\" needs a target: give --target HOST:PORT",
                   STR_ARG(test->name));
    } else if (n == 0) {
        conf_error(diags, node, "target \"" STR_FMT "\": give --target " STR_FMT "=HOST:PORT",
                   STR_ARG(test->target), STR_ARG(test->target));
    } else {
        conf_error_unknown(diags, node, "the command line (a target)", known, n);
    }
    return NULL;
}

static size_t case_count(const struct apitest_test *test)
{
    return test->setups + test->n_cases + test->teardowns;
}

static struct unit *unit_add(struct apitest_runner *runner, struct suite_run *suite,
                             const struct apitest_test *test, const struct apitest_target *a,
                             const struct apitest_target *b)
{
    struct unit *unit = &suite->unit[suite->units++];
    unit->runner = runner;
    unit->suite = suite;
    unit->test = test;
    unit->to[0] = connections_of(runner, a);
    unit->to[1] = connections_of(runner, b);
    unit->results = case_count(test);
    arena_init(&unit->arena, SCOPE_BYTES_MAX);
    apitest_scope_init(&unit->scope, &suite->scope, runner->options.load->secrets, &unit->arena,
                       false);
    return unit;
}

static const char *hop_label(struct suite_run *suite, const struct apitest_target *a,
                             const struct apitest_target *b, bool hops)
{
    return hops ? arena_printf(&suite->arena, "%s > %s", a->text, b->text)
                : arena_printf(&suite->arena, "%s", a->text);
}

static void add_units(struct apitest_runner *runner, struct suite_run *suite,
                      const struct apitest_test *test, struct conf_diags *diags)
{
    const struct apitest_options *options = &runner->options;
    /* A test that names its target goes there: what is crossed and compared is the default one. */
    bool named = test->target.len > 0;
    const struct apitest_target *a = named ? NULL : options->cross_a, *b = options->cross_b;
    if (a != NULL && test->role == APITEST_ROLE_TEST) {
        /* A session that hops: from a to b and back, then the other way round. */
        bool hops = test->n_cases > 1 && !test->parallel;
        unit_add(runner, suite, test, a, hops ? b : a)->label = hop_label(suite, a, b, hops);
        unit_add(runner, suite, test, b, hops ? a : b)->label = hop_label(suite, b, a, hops);
        return;
    }
    const struct apitest_target *target = a != NULL ? a : target_of(runner, test, diags);
    if (target == NULL) {
        return;
    }
    struct unit *baseline = NULL;
    if (options->baseline != NULL && test->role == APITEST_ROLE_TEST && !named) {
        baseline = unit_add(runner, suite, test, options->baseline, options->baseline);
        baseline->is_baseline = true;
        baseline->kept = mem_array(baseline->results + 1, sizeof *baseline->kept);
    }
    unit_add(runner, suite, test, target, target)->baseline = baseline;
}

/* Whether --run and --tags are asked for it; fixtures go with what they are for. */
static bool is_choice(const struct apitest_case *c)
{
    return c->role == APITEST_ROLE_TEST && c->test->role == APITEST_ROLE_TEST;
}

/* Whether methods of the cases may be called at all here. */
static void check_side_effects(const struct apitest_runner *runner, const struct apitest_test *test,
                               struct conf_diags *diags)
{
    for (size_t i = 0; runner->options.production && i < case_count(test); i++) {
        const struct unit probe = {.test = test};
        const struct apitest_case *c = unit_case(&probe, i);
        bool safe = c->kind == APITEST_HTTP ? strcmp(c->http_method, "GET") == 0 ||
                                                  strcmp(c->http_method, "HEAD") == 0 ||
                                                  strcmp(c->http_method, "OPTIONS") == 0
                                            : c->method->idempotency == PROTO_NO_SIDE_EFFECTS;
        bool chosen = !is_choice(c) || runner_chooses(runner, c);
        if (chosen && !safe && !c->allow_side_effects && c->skip.len == 0) {
            conf_error(
                diags, c->node,
                "case \"" STR_FMT "\" may have side effects, and --production allows them only "
                "where the file says allowSideEffects: true%s",
                STR_ARG(c->name),
                c->kind == APITEST_GRPC ? " (or the method idempotency_level = NO_SIDE_EFFECTS)"
                                        : "");
        }
    }
}

static void suite_init(struct apitest_runner *runner, struct suite_run *run,
                       struct apitest_suite *suite, struct conf_diags *diags)
{
    run->suite = suite;
    arena_init(&run->arena, SCOPE_BYTES_MAX);
    apitest_scope_init(&run->scope, NULL, runner->options.load->secrets, &run->arena, false);
    (void) apitest_suite_scope(suite, runner->options.load, &run->scope, diags);
    run->unit = mem_array(suite->tests * 2 + 1, sizeof *run->unit);
    for (size_t i = 0; i < suite->tests; i++) {
        check_side_effects(runner, suite->test[i], diags);
        add_units(runner, run, suite->test[i], diags);
    }
}

/* Results of a unit begin at `first`; a baseline has its own, which no report shows. */
static void number_results(struct unit *unit, struct apitest_case_result *first)
{
    unit->result = first;
    for (size_t i = 0; i < unit->results; i++) {
        struct apitest_case_result *result = &unit->result[i];
        result->c = unit_case(unit, i);
        result->label = str_of(unit->label);
        arena_init(&result->arena, RESULT_BYTES_MAX);
        bool choice = is_choice(result->c);
        result->chosen = !choice || runner_chooses(unit->runner, result->c);
        unit->chosen |= choice && result->chosen;
    }
    unit->suite->chosen |= unit->chosen;
}

static void all_results(struct apitest_runner *runner)
{
    struct apitest_run *run = &runner->run;
    for (size_t s = 0; s < run->suites; s++) {
        for (size_t u = 0; u < runner->suite[s].units; u++) {
            const struct unit *unit = &runner->suite[s].unit[u];
            run->results += unit->is_baseline ? 0 : unit->results;
        }
    }
    run->result = mem_array(run->results + 1, sizeof *run->result);
    size_t at = 0;
    for (size_t s = 0; s < run->suites; s++) {
        for (size_t u = 0; u < runner->suite[s].units; u++) {
            struct unit *unit = &runner->suite[s].unit[u];
            if (unit->is_baseline) {
                number_results(unit, mem_array(unit->results + 1, sizeof *unit->result));
                continue;
            }
            number_results(unit, &run->result[at]);
            at += unit->results;
        }
    }
}

struct apitest_runner *apitest_runner_new(struct io_loop *loop,
                                          const struct apitest_options *options,
                                          struct apitest_suite **suite, size_t n,
                                          struct conf_diags *diags, struct err *err)
{
    struct apitest_runner *runner = mem_zalloc(sizeof *runner);
    runner->loop = loop;
    runner->options = *options;
    runner->connections = mem_array(options->targets + 4, sizeof *runner->connections);
    runner->suite = mem_array(n + 1, sizeof *runner->suite);
    runner->run.suite = suite;
    runner->run.secrets = options->load->secrets;
    if (compile_run(runner, err) != 0) {
        apitest_runner_free(runner);
        return NULL;
    }
    size_t before = diags->errors;
    for (size_t i = 0; i < n; i++) {
        runner->run.suites++;
        suite_init(runner, &runner->suite[i], suite[i], diags);
    }
    if (diags->errors > before) {
        (void) err_set(err, ERR_INVALID, "nothing was called");
        apitest_runner_free(runner);
        return NULL;
    }
    all_results(runner);
    return runner;
}

/* The next unit of a file that may begin a case now, or NULL; goes to the next phase when all are
 * done. */
static struct unit *next_of(struct suite_run *suite)
{
    while (!suite->done) {
        bool open = false;
        for (size_t i = 0; i < suite->units; i++) {
            struct unit *unit = &suite->unit[i];
            if (unit->test->role != suite->phase) {
                continue;
            }
            if (unit_can_begin(unit)) {
                return unit;
            }
            open |= !unit->done;
            /* Tests of setup and teardown run one after another. */
            if (!unit->done && suite->phase != APITEST_ROLE_TEST) {
                return NULL;
            }
        }
        if (open) {
            return NULL;
        }
        suite->done = suite->phase == APITEST_ROLE_TEARDOWN;
        suite->phase = suite->done ? suite->phase : suite->phase + 1;
    }
    return NULL;
}

static struct unit *next_unit(struct apitest_runner *runner)
{
    for (size_t i = 0; i < runner->run.suites; i++) {
        struct unit *unit = next_of(&runner->suite[i]);
        if (unit != NULL) {
            return unit;
        }
    }
    return NULL;
}

void runner_pump(struct apitest_runner *runner)
{
    /* A case that is over at once comes back here from inside; the outer loop goes on then. */
    if (runner->pumping) {
        return;
    }
    runner->pumping = true;
    while (runner->active < runner->options.jobs) {
        struct unit *unit = next_unit(runner);
        if (unit == NULL) {
            break;
        }
        unit_begin_next(unit);
    }
    runner->pumping = false;
}

static bool all_done(void *ctx)
{
    struct apitest_runner *runner = ctx;
    for (size_t i = 0; i < runner->run.suites; i++) {
        if (!runner->suite[i].done) {
            return false;
        }
    }
    return true;
}

/* Running cases that are no teardown are ended; with all, those too. */
static void stop_running(struct apitest_runner *runner, bool all, enum apitest_outcome outcome)
{
    bool again = true;
    while (again) {
        again = false;
        for (struct running *at = runner->running; at != NULL; at = at->next) {
            bool is_teardown = at->c->role == APITEST_ROLE_TEARDOWN ||
                               at->unit->test->role == APITEST_ROLE_TEARDOWN;
            if (all || !is_teardown) {
                running_stop(at, outcome, runner->stop_reason);
                again = true; /* the list has changed */
                break;
            }
        }
    }
}

static void on_grace(void *ctx)
{
    struct apitest_runner *runner = ctx;
    io_timer_stop(runner->grace);
    runner->grace = NULL;
    runner->aborting = true;
    stop_running(runner, true, APITEST_LATE);
    runner_pump(runner);
}

static void stop(struct apitest_runner *runner, enum apitest_outcome outcome, const char *reason)
{
    runner->stopping = true;
    runner->stop_reason = reason;
    runner->grace = io_timer_start(runner->loop, GRACE_MS, 0, on_grace, runner);
    runner->pumping = true; /* nothing is begun while the list is taken apart */
    stop_running(runner, false, outcome);
    runner->pumping = false;
    runner_pump(runner);
}

static void on_budget(void *ctx)
{
    struct apitest_runner *runner = ctx;
    io_timer_stop(runner->budget);
    runner->budget = NULL;
    if (!runner->stopping) {
        runner->run.budget_used = true;
        stop(runner, APITEST_LATE, "the budget of the run was used up");
    }
}

void apitest_runner_interrupt(struct apitest_runner *runner)
{
    runner->run.interrupted = true;
    if (!runner->stopping) {
        stop(runner, APITEST_NOT_RUN, "interrupted");
        return;
    }
    runner->aborting = true;
    stop_running(runner, true, APITEST_NOT_RUN);
    runner_pump(runner);
}

static void count(struct apitest_run *run)
{
    struct apitest_totals *totals = &run->totals;
    for (size_t i = 0; i < run->results; i++) {
        const struct apitest_case_result *result = &run->result[i];
        size_t *counts[] = {
            [APITEST_PENDING] = NULL,
            [APITEST_PASSED] = &totals->passed,
            [APITEST_FAILED] = &totals->failed,
            [APITEST_UNREACHABLE] = &totals->unreachable,
            [APITEST_LATE] = &totals->late,
            [APITEST_SKIPPED] = &totals->skipped,
            [APITEST_NOT_RUN] = &totals->not_run,
        };
        if (counts[result->outcome] != NULL) {
            (*counts[result->outcome])++;
        }
        totals->tested += result->outcome == APITEST_PASSED &&
                          result->c->role == APITEST_ROLE_TEST &&
                          result->c->test->role == APITEST_ROLE_TEST;
        totals->checks += result->checks;
        totals->flaky += result->flaky;
    }
}

void apitest_runner_run(struct apitest_runner *runner)
{
    runner->start_us = clock_mono_us();
    runner->run.wall_start_ms = clock_wall_ms();
    if (runner->options.budget_ms > 0) {
        runner->budget =
            io_timer_start(runner->loop, runner->options.budget_ms, 0, on_budget, runner);
    }
    runner_pump(runner);
    while (!all_done(runner)) {
        (void) io_loop_wait(runner->loop, 3600 * 1000, all_done, runner);
    }
    runner->run.totals.took_us = clock_mono_us() - runner->start_us;
    apitest_coverage_count(&runner->run);
    count(&runner->run);
}

struct apitest_run *apitest_runner_result(struct apitest_runner *runner)
{
    return &runner->run;
}

static void results_free(struct apitest_case_result *result, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t a = 0; a < result[i].attempts; a++) {
            vec_done(&result[i].attempt[a].diffs.list);
        }
        arena_done(&result[i].arena);
        arena_done(&result[i].last);
    }
}

static void unit_free(struct unit *unit)
{
    for (size_t i = 0; unit->kept != NULL && i < unit->results; i++) {
        arena_done(&unit->kept[i].arena);
    }
    mem_free(unit->kept);
    if (unit->is_baseline && unit->result != NULL) {
        results_free(unit->result, unit->results);
        mem_free(unit->result);
    }
    cookies_done(&unit->cookies);
    apitest_scope_done(&unit->scope);
    arena_done(&unit->arena);
}

void apitest_runner_free(struct apitest_runner *take_runner)
{
    struct apitest_runner *runner = take_runner;
    if (runner == NULL) {
        return;
    }
    io_timer_stop(runner->budget);
    io_timer_stop(runner->grace);
    for (size_t i = 0; i < runner->run.suites; i++) {
        struct suite_run *suite = &runner->suite[i];
        for (size_t u = 0; u < suite->units; u++) {
            unit_free(&suite->unit[u]);
        }
        mem_free(suite->unit);
        apitest_scope_done(&suite->scope);
        arena_done(&suite->arena);
    }
    for (size_t i = 0; i < runner->n_connections; i++) {
        rpc_conn_free(runner->connections[i].grpc);
        rpc_conn_free(runner->connections[i].http);
        rpc_conn_free(runner->connections[i].https);
    }
    if (runner->run.result != NULL) {
        results_free(runner->run.result, runner->run.results);
    }
    pcre2_code_free(runner->run_regex);
    mem_free(runner->run.result);
    mem_free(runner->run.method);
    mem_free(runner->connections);
    mem_free(runner->suite);
    mem_free(runner);
}
