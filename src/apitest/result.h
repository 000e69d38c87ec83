#pragma once
/* What came of a run: for reports.  Everything is text already or facts; nothing points into a
 * call. */
#include "apitest/pattern.h"
#include "apitest/suite.h"

enum apitest_outcome {
    APITEST_PENDING,
    APITEST_PASSED,
    APITEST_FAILED,      /* an assertion */
    APITEST_UNREACHABLE, /* no connection, TLS */
    APITEST_LATE,        /* deadline or budget used up without a status of the server */
    APITEST_SKIPPED,     /* with a reason */
    APITEST_NOT_RUN,     /* budget, interrupt, or setup failed: with a reason */
};

/* A line of the transcript of a call. */
struct apitest_event {
    uint64_t at_us;
    char direction;  /* '>' sent, '<' received, '.' other */
    struct str text; /* "message {name: a}", "headers", "end OK" */
};

struct apitest_attempt {
    enum apitest_outcome outcome;
    uint64_t start_us; /* since the start of the run */
    uint64_t took_us;
    struct apitest_diffs diffs;
    struct str reason; /* of everything that is no difference: one sentence */
    struct apitest_event *event;
    size_t events, events_cap;
    bool reached;       /* there was a connection for it */
    struct str peer;    /* "10.0.0.7:443" */
    struct str status;  /* "OK", "INVALID_ARGUMENT: quantity", "200" */
    struct str message; /* of a gRPC status */
};

struct apitest_case_result {
    const struct apitest_case *c;
    enum apitest_outcome outcome; /* of the last attempt */
    struct str label;             /* "" or "hop A>B>A" of --cross, "baseline" */
    struct str reason;
    struct apitest_attempt *attempt;
    size_t attempts;
    uint64_t took_us;
    size_t checks;
    bool flaky;  /* passed after a failed attempt */
    bool chosen; /* by --run and --tags; cases of setup and teardown go with their test */
    bool over;   /* outcome is final; PENDING then means not chosen */
    uint64_t reconnects;
    struct arena arena, last; /* last: of an attempt that was written over others */
};

struct apitest_totals {
    size_t passed, failed, unreachable, late, skipped, not_run, checks, flaky;
    size_t tested; /* passed ones that are neither setup nor teardown */
    uint64_t took_us;
};

struct apitest_method_coverage {
    const struct proto_method_desc *method;
    size_t calls;
    bool excluded;
};

struct apitest_run {
    struct apitest_suite **suite;
    size_t suites;
    struct apitest_case_result *result; /* in the order of the files, whatever ran first */
    size_t results;
    struct apitest_totals totals;
    struct apitest_method_coverage *method; /* of the services that are tested */
    size_t methods;
    size_t covered, coverable;
    bool interrupted, budget_used;
    const char *target_text; /* of the default target */
    char
        *command; /* "pourover test orders.yaml --target ..." without --run, for repeating a case */
    const struct apitest_secrets *secrets;
    uint64_t wall_start_ms;
};
