#pragma once
/*
 * A run from the inside.
 *
 *     runner --has--> units --have--> cases --have--> attempts
 *
 * A unit is one test run once: with its own variables and cookies, on its targets.  `--cross` makes
 * two of a test, `--baseline` one more before each.  Its cases are run in order, or at once if it
 * is parallel.
 *
 * An attempt is one call or request of a case:
 *     begin -> (messages, steps) -> end: its outcome is written into the case's result, on_done is
 * called A case makes attempts until it is through: passed, none left to repeat     -> done, passed
 *     failed, `eventually` has time   -> waits, then the next attempt
 *     failed                          -> done, failed
 *     interrupt or budget             -> the attempt is cancelled; done, not run or late
 */
#include "apitest/cookies.h"
#include "apitest/run.h"
#include "rpc/call.h"
#include "rpc/http.h"

#define RESULT_BYTES_MAX ((size_t) 64 * 1024 * 1024) /* of texts of a case */

struct unit;
struct running;

/* A reply that waits for its like from the fresh target. */
struct kept_reply {
    struct arena arena;
    struct proto_msg **msg;
    size_t n;
    struct str body; /* of HTTP */
    uint32_t code;   /* of HTTP its status */
    bool there;
};

/* Connections to one target, opened by their first call. */
struct connections {
    const struct apitest_target *target;
    struct rpc_conn *grpc, *http, *https;
};

/* What is sent and received, for the transcript; rendered only when somebody wants it. */
struct event {
    uint64_t at_us;
    char direction;
    const struct proto_msg *msg; /* or */
    struct str text;
};

struct attempt {
    struct running *running; /* the case that it is of */
    const struct apitest_case *c;
    struct apitest_runner *runner;
    struct apitest_attempt *out;
    struct arena *text;              /* what of out is text */
    struct apitest_scope *scope;     /* of the case */
    struct apitest_scope step_scope; /* what steps saved */
    struct connections *to;
    struct arena arena; /* messages, until the attempt is over */
    uint64_t start_us;
    VEC(struct event) events;

    struct rpc_call *call;
    VEC(struct proto_msg *) replies;
    VEC(uint64_t) reply_at_us;
    VEC(bool) reply_compressed;
    size_t next_reply; /* of a script: replies before it were expected */
    size_t step;
    struct io_timer *timer;
    bool timer_fired;
    const struct rpc_result *result; /* the call has ended */
    struct rpc_headers headers;      /* initial ones; valid with has_headers */
    bool has_headers;
    bool cancelled;    /* a script is through, but the call was not */
    bool wrong_status; /* that was told */
    bool given_up;     /* told why; the call is being cancelled */
    bool over;

    struct rpc_http *http;
    char *http_path;
    const struct rpc_http_result *http_result;
};

/* A case that has begun. */
struct running {
    struct unit *unit;
    const struct apitest_case *c;
    struct apitest_case_result *result;
    struct apitest_scope scope;
    struct arena scope_arena;
    struct attempt *attempt; /* NULL: waits for the next */
    struct io_timer *wait;
    uint64_t begun_us, eventually_until_us;
    uint32_t passed; /* of repeat */
    struct running *next;
};

struct unit {
    struct apitest_runner *runner;
    struct suite_run *suite;
    const struct apitest_test *test;
    struct apitest_case_result
        *result; /* of its cases: setup, cases, teardown; of a baseline its own */
    size_t results;
    const char *label;
    struct connections *to[2]; /* hops between both; the same twice: none */
    struct unit *baseline;     /* has to be done before; NULL: none */
    bool is_baseline;
    struct kept_reply *kept; /* of a baseline: by case */
    struct apitest_scope scope;
    struct arena arena; /* for the scope */
    struct cookies cookies;
    bool chosen; /* some case of the test is */
    bool begun, done, setup_failed;
    size_t next;   /* case to be begun */
    size_t active; /* cases that run */
};

/* A file that is being run. */
struct suite_run {
    struct apitest_suite *suite;
    struct apitest_scope scope;
    struct arena arena;
    struct unit *unit; /* setup, tests, teardown; in this order */
    size_t units;
    enum apitest_role phase;
    bool chosen; /* some case of the file is */
    bool setup_failed, done;
};

struct apitest_runner {
    struct io_loop *loop;
    struct apitest_options options;
    struct apitest_run run;
    struct suite_run *suite;
    struct connections *connections;
    size_t n_connections;
    size_t active;
    struct running *running; /* list */
    struct io_timer *budget, *grace;
    bool stopping, aborting, pumping, pump_again;
    const char *stop_reason;
    uint64_t start_us;
    void *run_regex;
};

/* attempt.c: one call of a case; running->attempt is there until running_attempt_done. */
void attempt_begin(struct running *running);
/* Cancels; the outcome is told as `outcome` with the reason, running_attempt_done follows at once.
 */
void attempt_abort(struct attempt *attempt, enum apitest_outcome outcome, const char *reason);
/* Writes the outcome, frees the call, tells the case.  The attempt is gone afterwards. */
void attempt_end(struct attempt *attempt, enum apitest_outcome outcome);
/* Adds a sentence that says why it did not pass; the first one stays. */
void attempt_reason(struct attempt *attempt, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Errors of building or expanding at run time become the reason. */
void attempt_reason_diags(struct attempt *attempt, struct conf_diags *diags);
void attempt_event(struct attempt *attempt, char direction, const struct proto_msg *msg,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* A difference that is no pattern's. */
void attempt_differs(struct attempt *attempt, const char *path, struct pos pos,
                     const char *expected, const char *got);
/* Headers to send, expanded.  ret: item is to be freed.  False: told. */
bool attempt_metadata(struct attempt *attempt, struct rpc_headers *ret);
/* The variables that a case saves; false: told. */
bool attempt_save(struct attempt *attempt, const struct apitest_save *save,
                  const struct apitest_value *value);

/* What it says is never shown from now on. */
void attempt_hide(struct attempt *attempt, const struct apitest_value *value);

/* attempt_baseline.c: both kinds.  compare: PASSED when there is none; else its outcome, told. */
enum apitest_outcome baseline_compare(struct attempt *attempt);
void baseline_keep(struct attempt *attempt);

/* attempt_grpc.c */
void attempt_grpc_begin(struct attempt *attempt);
/* Messages to send, built and encoded.  False: told. */
bool attempt_send(struct attempt *attempt, const struct conf_node *node, bool compress);
/* Matches the status.  Returns the outcome. */
enum apitest_outcome attempt_status(struct attempt *attempt, const struct apitest_error *error);
/* What the whole call is compared with, after its end. */
enum apitest_outcome attempt_verdict(struct attempt *attempt, const struct apitest_error *error);
/* Headers, trailers, wire, timing, the baseline, saves: when status and messages were right. */
enum apitest_outcome attempt_grpc_rest(struct attempt *attempt);

/* attempt_script.c: goes on with the script as far as it can; at the end the attempt is over. */
void attempt_script(struct attempt *attempt);

/* attempt_http.c */
void attempt_http_begin(struct attempt *attempt);

/* attempt_facts.c */
void attempt_headers(struct attempt *attempt, const struct apitest_named_list *list,
                     const char *what, struct rpc_headers first, struct rpc_headers second);
void attempt_grpc_facts(struct attempt *attempt);
void attempt_http_facts(struct attempt *attempt);

/* running.c: a case from its begin to its result. */
void running_begin(struct unit *unit, const struct apitest_case *c,
                   struct apitest_case_result *result);
void running_attempt_done(struct running *running);
/* Interrupt or budget. */
void running_stop(struct running *running, enum apitest_outcome outcome, const char *reason);

/* unit.c */
bool unit_can_begin(const struct unit *unit);
void unit_begin_next(struct unit *unit);
void unit_case_done(struct unit *unit, struct apitest_case_result *result);
const struct apitest_case *unit_case(const struct unit *unit, size_t i);
/* The target of its i-th case. */
struct connections *unit_connections(const struct unit *unit, size_t i);
struct rpc_conn *connections_get(struct connections *to, struct apitest_runner *runner,
                                 const struct apitest_case *c);

/* run.c: begins what can be begun. */
void runner_pump(struct apitest_runner *runner);

static inline bool outcome_is_bad(enum apitest_outcome outcome)
{
    return outcome == APITEST_FAILED || outcome == APITEST_UNREACHABLE || outcome == APITEST_LATE;
}
