/* A test that is run once: its cases in order, or at once, on its targets. */
#include "apitest/run_int.h"

#include "base/mem.h"

#include <string.h>

const struct apitest_case *unit_case(const struct unit *unit, size_t i)
{
    const struct apitest_test *test = unit->test;
    if (i < test->setups) {
        return test->setup[i];
    }
    i -= test->setups;
    return i < test->n_cases ? test->cases[i] : test->teardown[i - test->n_cases];
}

struct connections *unit_connections(const struct unit *unit, size_t i)
{
    /* Hops: the first case on the first target, the next on the other, and back again. */
    bool is_fixture = i < unit->test->setups || i >= unit->test->setups + unit->test->n_cases;
    return unit->to[is_fixture ? 0 : (i - unit->test->setups) % 2];
}

static struct rpc_conn *connection_new(struct connections *to, struct apitest_runner *runner,
                                       enum rpc_protocol protocol, bool tls)
{
    struct rpc_conn_options options = to->target->conn;
    options.protocol = protocol;
    options.target.tls = tls;
    return rpc_conn_new(runner->loop, &options);
}

struct rpc_conn *connections_get(struct connections *to, struct apitest_runner *runner,
                                 const struct apitest_case *c)
{
    bool tls = to->target->conn.target.tls;
    struct rpc_conn **conn = &to->grpc;
    enum rpc_protocol protocol = RPC_H2;
    if (c->kind == APITEST_HTTP) {
        tls = c->test->https || (tls && !c->test->http_plain);
        conn = tls ? &to->https : &to->http;
        protocol = RPC_AUTO;
    }
    if (*conn == NULL) {
        *conn = connection_new(to, runner, protocol, tls);
    }
    return *conn;
}

/* A case that will not be run. */
static void leave_out(struct unit *unit, enum apitest_outcome outcome, const char *reason)
{
    struct apitest_case_result *result = &unit->result[unit->next++];
    result->outcome = outcome;
    result->over = true;
    result->reason = str_of(arena_strdup(&result->arena, str_of(reason)));
    if (unit->runner->options.progress != NULL && !unit->is_baseline) {
        unit->runner->options.progress(result, false, unit->runner->options.ctx);
    }
}

/* Why the next case may not be begun any more, or NULL. */
static const char *stopped(const struct unit *unit, const struct apitest_case *c)
{
    const struct apitest_runner *runner = unit->runner;
    bool is_teardown =
        c->role == APITEST_ROLE_TEARDOWN || unit->test->role == APITEST_ROLE_TEARDOWN;
    /* What was set up is torn down, as long as somebody still waits for it. */
    if (runner->aborting || (runner->stopping && !(is_teardown && unit->begun))) {
        return runner->stop_reason;
    }
    if (unit->setup_failed && c->role == APITEST_ROLE_TEST) {
        return "a case of setup did not pass";
    }
    if (unit->suite->setup_failed && unit->test->role == APITEST_ROLE_TEST) {
        return "a setup test of the file did not pass";
    }
    return NULL;
}

/* Passes over what is not chosen or may not run. */
static void pass_over(struct unit *unit)
{
    while (unit->next < unit->results) {
        const struct apitest_case *c = unit_case(unit, unit->next);
        const char *why = stopped(unit, c);
        if (!unit->result[unit->next].chosen) {
            leave_out(unit, APITEST_PENDING, "not chosen");
        } else if (why != NULL) {
            leave_out(unit, APITEST_NOT_RUN, why);
        } else {
            return;
        }
    }
}

static void settle(struct unit *unit)
{
    if (unit->active == 0) {
        pass_over(unit);
        unit->done = unit->next == unit->results;
    }
}

/* A test, or a file, of which no case is chosen needs no setup. */
static bool has_chosen(const struct unit *unit)
{
    return unit->test->role == APITEST_ROLE_TEST ? unit->chosen : unit->suite->chosen;
}

bool unit_can_begin(const struct unit *unit)
{
    if (unit->done || unit->next == unit->results) {
        return false;
    }
    if (unit->baseline != NULL && !unit->baseline->done) {
        return false;
    }
    if (unit->active == 0) {
        return true;
    }
    /* Beside a running case only another of a parallel test's own cases. */
    const struct apitest_case *c = unit_case(unit, unit->next);
    bool both = c->role == APITEST_ROLE_TEST && unit->next > unit->test->setups;
    return unit->test->parallel && both;
}

static void begin_unit(struct unit *unit)
{
    struct conf_diags diags = {0};
    unit->begun = true;
    if (!has_chosen(unit)) {
        while (unit->next < unit->results) {
            leave_out(unit, APITEST_PENDING, "not chosen");
        }
    }
    /* Was right when the file was checked; what may fail now are values of a setup. */
    if (apitest_vars_scope(unit->test->vars, &unit->scope, &diags) != 0) {
        unit->setup_failed = true;
    }
    conf_diags_done(&diags);
}

void unit_begin_next(struct unit *unit)
{
    if (!unit->begun) {
        if (unit->runner->stopping && unit->test->role == APITEST_ROLE_TEST) {
            while (unit->next < unit->results) {
                leave_out(unit, APITEST_NOT_RUN, unit->runner->stop_reason);
            }
        }
        begin_unit(unit);
    }
    pass_over(unit);
    if (unit->next == unit->results) {
        settle(unit);
        return;
    }
    const struct apitest_case *c = unit_case(unit, unit->next);
    struct apitest_case_result *result = &unit->result[unit->next++];
    unit->active++;
    unit->runner->active++;
    running_begin(unit, c, result);
}

void unit_case_done(struct unit *unit, struct apitest_case_result *result)
{
    struct apitest_runner *runner = unit->runner;
    bool passed = result->outcome == APITEST_PASSED || result->outcome == APITEST_SKIPPED;
    unit->active--;
    runner->active--;
    if (!passed && result->c->role == APITEST_ROLE_SETUP) {
        unit->setup_failed = true;
    }
    if (!passed && unit->test->role == APITEST_ROLE_SETUP) {
        unit->suite->setup_failed = true;
    }
    if (runner->options.progress != NULL && !unit->is_baseline) {
        runner->options.progress(result, false, runner->options.ctx);
    }
    settle(unit);
    runner_pump(runner);
}
