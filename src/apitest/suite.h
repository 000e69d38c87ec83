#pragma once
/*
 * A file of API tests, read and checked: everything that can be wrong without a call is told here,
 * with its place.  What a key means stands in keys.c, from which the reference is made.
 */
#include "apitest/build.h"
#include "apitest/pattern.h"
#include "apitest/scope.h"
#include "conf/diag.h"
#include "conf/schema.h"
#include "proto/pool.h"
#include "rpc/call.h"

#include <stdbool.h>
#include <stdint.h>

enum apitest_role { APITEST_ROLE_SETUP, APITEST_ROLE_TEST, APITEST_ROLE_TEARDOWN };

enum apitest_kind { APITEST_GRPC, APITEST_HTTP };

/* `save: {orderId: responses[0].order.id}` */
struct apitest_save {
    struct str name;
    struct str path;
    bool secret;
    struct pos pos;
};

/* Named patterns: headers, trailers, wire and timing. */
struct apitest_named {
    struct str name;
    struct apitest_pattern *pattern;
    const struct conf_node *node;
    const struct proto_field_desc *bytes; /* of metadata in -bin: what its values are; else NULL */
};

struct apitest_named_list {
    struct apitest_named *item;
    size_t len;
};

/* A header or metadata entry to send: its value is expanded for each call. */
struct apitest_meta {
    struct str name;
    const struct conf_node *value;
};

struct apitest_meta_list {
    struct apitest_meta *item;
    size_t len;
};

enum apitest_step_kind {
    APITEST_SEND,
    APITEST_EXPECT,
    APITEST_QUIET,
    APITEST_CLOSE, /* half-close */
    APITEST_CANCEL,
    APITEST_HEADERS, /* wait for initial headers and match them */
    APITEST_END,
};

/* A line of `stream:`. */
struct apitest_step {
    enum apitest_step_kind kind;
    struct pos pos;
    const struct conf_node *message;   /* SEND */
    struct apitest_pattern *pattern;   /* EXPECT */
    struct apitest_named_list headers; /* HEADERS */
    uint64_t within_ms;        /* EXPECT, END: 0 as long as the deadline allows; QUIET: how long */
    bool compress;             /* SEND */
    struct apitest_save *save; /* EXPECT */
    size_t saves;
    const struct apitest_error *error; /* END: the status; NULL: any */
};

/* A wanted status: `error: {code: NOT_FOUND, ..}`, `end: {code: OK}`. */
struct apitest_error {
    struct pos pos;
    bool has_code;       /* one code is said; without it and code: anything but OK */
    bool wants_ok;       /* `end: {code: OK}` */
    bool names_deadline; /* DEADLINE_EXCEEDED is among what is wanted: our own does then, too */
    enum rpc_code one_code;
    struct apitest_pattern *code;    /* an operator on the name, as text; or NULL */
    struct apitest_pattern *message; /* as text; NULL: not said */
    struct apitest_pattern *details; /* on google.rpc.Status.details; NULL: not said */
    const struct proto_field_desc *details_field;
};

enum apitest_body_kind {
    APITEST_NO_BODY,
    APITEST_BODY_TEXT,
    APITEST_BODY_JSON,
    APITEST_BODY_FORM,
};

struct apitest_case {
    struct str name;
    struct pos pos;
    const struct apitest_test *test;
    const struct conf_node *node;
    enum apitest_kind kind;
    enum apitest_role role; /* in the test */
    size_t index;           /* of all cases of the run, in the order of the files */

    struct str *tag;
    size_t tags;
    struct str skip; /* reason; empty: not skipped */
    const struct conf_node
        *condition; /* `if`: run when it expands to something that is not false, 0 or empty */
    const struct conf_node *vars;
    uint64_t deadline_ms;
    uint64_t eventually_ms, every_ms; /* 0: once */
    uint32_t repeat;                  /* at least 1 */
    bool allow_side_effects;
    struct str *ignore; /* paths that may differ from the baseline */
    size_t ignores;
    struct apitest_save *save;
    size_t saves;

    /* gRPC */
    const struct proto_method_desc *method;
    struct apitest_meta_list metadata; /* of HTTP its headers */
    const struct conf_node *const *request;
    size_t requests;
    bool compress;                      /* requests, but for steps that say otherwise */
    bool gzip;                          /* something may be compressed */
    struct apitest_sequence *responses; /* NULL: not said */
    struct apitest_error *error;        /* NULL: OK is wanted */
    struct apitest_step *step;
    size_t steps;
    struct apitest_named_list headers, trailers, either, wire, timing;

    /* HTTP */
    const char *http_method;
    const struct conf_node *http_path;
    const struct conf_node *http_query;
    enum apitest_body_kind http_body_kind;
    const struct conf_node *http_body;
    struct apitest_pattern *status, *json, *body;

    size_t checks; /* assertions; a status of its own counts */
};

struct apitest_test {
    enum apitest_role role; /* in the file */
    struct str name;
    struct pos pos;
    const struct apitest_suite *suite;
    const struct conf_node *node;
    enum apitest_kind kind;
    struct str target; /* name of a --target NAME=..; empty: the default one */
    bool https;        /* http: {scheme: https} */
    bool http_plain;   /* http: {scheme: http} */
    const struct proto_service_desc *service;
    struct str *tag;
    size_t tags;
    bool parallel; /* its cases do not depend on each other */
    bool saves_something;
    const struct conf_node *vars;
    struct apitest_case **setup, **cases, **teardown;
    size_t setups, n_cases, teardowns;
};

struct apitest_suite {
    struct conf_file file;
    struct arena *arena; /* of the file */
    const struct conf_node *vars;
    struct apitest_test **test; /* setup, tests and teardown, in this order */
    size_t tests;
    struct apitest_named_list requires; /* variables that must be given, with what they must match
                                           or NULL */
    uint32_t coverage_ppm;              /* `coverage: {methods: 95%}`; 0: none */
    struct str *exclude; /* methods that coverage does not ask for: "Service/Method" or "Method" */
    size_t excludes;
    struct conf_diags hollow; /* cases that test nothing; not errors of the file */
};

/* How the loader gets at descriptors and given variables. */
struct apitest_load {
    struct apitest_secrets *secrets;
    struct map given; /* --var NAME=VALUE: name to char * */
    const char *const *import_path;
    size_t n_import_paths;
    /* Descriptors by reflection for the target of that name; NULL: not possible here (pourover
     * check). */
    int (*reflect)(struct str target, const struct proto_pool **ret, struct err *err, void *ctx);
    void *ctx;
    int reflect_failed; /* code of an error of reflect: not the file is wrong then; 0: none */
    struct map pool;    /* proto files already loaded: path to struct proto_pool *; owned */
};

void apitest_load_init(struct apitest_load *load, struct apitest_secrets *secrets);
void apitest_load_done(struct apitest_load *load);

/* The files of a serialized FileDescriptorSet on the disk.  ERR_NOT_FOUND, ERR_IO, ERR_FULL,
 * ERR_INVALID. */
int apitest_pool_add_set(struct proto_pool *pool, const char *path, struct err *err)
    __attribute__((warn_unused_result));

/*
 * Reads and checks a file.  Errors go to diags, all that can be found; ret is given also then (for
 * the lines of source in messages) and has to be freed.  NULL: the file could not be read at all.
 */
struct apitest_suite *apitest_suite_load(struct apitest_load *load, const char *path,
                                         struct conf_diags *diags);
void apitest_suite_free(struct apitest_suite *take_suite);

/*
 * Fill an initialized scope: with what was given and the file's vars; with a test's vars; with a
 * case's. Used while checking and again for each run.
 */
int apitest_suite_scope(const struct apitest_suite *suite, const struct apitest_load *load,
                        struct apitest_scope *scope, struct conf_diags *diags);
int apitest_vars_scope(const struct conf_node *vars, struct apitest_scope *scope,
                       struct conf_diags *diags);

/* The tables of keys, for the reference and for `pourover schema test`. */
extern const struct conf_key apitest_file_keys[], apitest_test_keys[], apitest_defaults_keys[],
    apitest_case_keys[], apitest_detail_keys[], apitest_step_keys[], apitest_error_keys[],
    apitest_http_keys[], apitest_request_keys[], apitest_expect_keys[], apitest_wire_keys[],
    apitest_tls_keys[], apitest_timing_keys[], apitest_eventually_keys[], apitest_coverage_keys[];
