#pragma once
/*
 * Runs suites against targets: which cases, in which order, how many at once; results in the order
 * of the files whatever ran first.
 */
#include "apitest/result.h"
#include "io/loop.h"
#include "rpc/conn.h"

/* A named place to test: --target NAME=ADDRESS; the name may be "". */
struct apitest_target {
    const char *name;
    struct rpc_conn_options conn; /* protocol is chosen by the kind of a test */
    char text[256];               /* as the user gave it */
};

struct apitest_options {
    const struct apitest_target *target;
    size_t targets;
    const struct apitest_target *baseline;          /* NULL: none */
    const struct apitest_target *cross_a, *cross_b; /* NULL: none */
    unsigned jobs;                                  /* cases at once, at least 1 */
    uint64_t budget_ms;                             /* of the whole run; 0: none */
    const char *run;         /* regular expression on "test/case"; NULL: all */
    const char *const *tags; /* "a" or "!a" */
    size_t n_tags;
    bool production; /* methods with side effects only where the suite allows it */
    bool verbose;    /* transcripts of cases that pass, too */
    size_t max_message_bytes;
    struct apitest_load *load; /* given variables */
    /* For the terminal; may be NULL.  started: the case begins; else its result is there. */
    void (*progress)(const struct apitest_case_result *result, bool started, void *ctx);
    void *ctx;
};

struct apitest_runner;

/* ERR_INVALID: bad regular expression, unknown target, side effects not allowed (told with its
 * place). */
struct apitest_runner *apitest_runner_new(struct io_loop *loop,
                                          const struct apitest_options *options,
                                          struct apitest_suite **suite, size_t n,
                                          struct conf_diags *diags, struct err *err);
/* Runs to the end. */
void apitest_runner_run(struct apitest_runner *runner);
/*
 * No further case is begun but those of teardown; running ones are cancelled.  A second call ends
 * those of teardown, too.  May be called from a signal watch of the loop.
 */
void apitest_runner_interrupt(struct apitest_runner *runner);
/* Complete after apitest_runner_run. */
struct apitest_run *apitest_runner_result(struct apitest_runner *runner);
void apitest_runner_free(struct apitest_runner *take_runner);

/* The value of metadata in -bin as it is written in files and options: base64 of the bytes. */
int apitest_bin_decode(struct str text, struct arena *arena, struct str *ret, struct err *err)
    __attribute__((warn_unused_result));
