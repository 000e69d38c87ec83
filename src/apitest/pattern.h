#pragma once
/*
 * Expectations: compiled once from YAML against the type of what will be matched, so that every
 * mistake in them is told before the first call; then matched any number of times.
 *
 * Rules in short (docs/reference/apitest.md has all): a map lists the fields that matter; a list
 * has the same length and order; a scalar is equal by the field's type; null is "not set"; a key
 * that begins with $ is an operator.
 */
#include "apitest/scope.h"
#include "apitest/value.h"
#include "base/vec.h"

struct apitest_pattern;

/* What will be matched. */
enum apitest_subject {
    APITEST_OF_MESSAGE, /* desc */
    APITEST_OF_FIELD,   /* field */
    APITEST_OF_JSON,
    APITEST_OF_TEXT,   /* a header, a status message */
    APITEST_OF_NUMBER, /* an HTTP status, a count */
    APITEST_OF_BOOL,
    APITEST_OF_MS, /* a time: $lt: 200ms */
};

struct apitest_type {
    enum apitest_subject subject;
    const struct proto_message_desc *desc;
    const struct proto_field_desc *field;
};

/* An operator as the reference shows it. */
struct apitest_operator {
    const char *name;   /* "$gt" */
    const char *help;   /* a phrase in Markdown */
    char subjects[128]; /* what it is for: "numbers, enums" */
};

/* The i-th of all operators of expectations; false behind the last. */
bool apitest_operator_at(size_t i, struct apitest_operator *ret);

/* NULL with errors in diags. */
struct apitest_pattern *apitest_pattern_compile(const struct conf_node *node,
                                                struct apitest_type type,
                                                const struct apitest_scope *scope,
                                                struct arena *arena, struct conf_diags *diags);

/* How many things it asserts; 0: nothing is tested by it. */
size_t apitest_pattern_checks(const struct apitest_pattern *pattern);

/* One difference. */
struct apitest_diff {
    struct str path;     /* "responses[0].order.id" */
    struct pos pos;      /* of the expectation in the file */
    struct str expected; /* text */
    struct str got;
    struct str note; /* "did not match any of 3 elements; nearest was [1]: ..." or "" */
};

struct apitest_diffs {
    VEC(struct apitest_diff) list; /* texts in arena */
    struct arena *arena;
    size_t max; /* more are counted only; 0: 50 */
    size_t total;
    size_t checks;   /* assertions that were made */
    uint64_t now_ms; /* wall clock, for $within: {of: now} */
    /* May be NULL; apitest_match takes the scope's.  Texts of differences are without secrets, as
     * long values are cut. */
    const struct apitest_secrets *secrets;
};

/* path: what the value is called in the report.  Returns whether it matched; appends differences.
 */
bool apitest_match(const struct apitest_pattern *pattern, const struct apitest_value *value,
                   const char *path, const struct apitest_scope *scope,
                   struct apitest_diffs *diffs);

/*
 * The messages of a stream: `responses:` with exact count and order, $rest, $repeat, or match:
 * unordered.
 */
struct apitest_sequence;
struct apitest_sequence *apitest_sequence_compile(const struct conf_node *list,
                                                  const struct proto_message_desc *desc,
                                                  bool unordered, const struct apitest_scope *scope,
                                                  struct arena *arena, struct conf_diags *diags);
size_t apitest_sequence_checks(const struct apitest_sequence *sequence);
/* At least so many messages and at most (SIZE_MAX: any number). */
void apitest_sequence_bounds(const struct apitest_sequence *sequence, size_t *ret_min,
                             size_t *ret_max);
bool apitest_sequence_match(const struct apitest_sequence *sequence, struct proto_msg *const *msg,
                            size_t n, const struct apitest_scope *scope,
                            struct apitest_diffs *diffs);

/*
 * Two replies of the same request: differences of fresh against base, but for the paths of ignore
 * ("order.id", "lines[*].at").
 */
bool apitest_compare(const struct proto_msg *base, const struct proto_msg *fresh,
                     const struct str *ignore, size_t n_ignore, const char *path,
                     struct apitest_diffs *diffs);
/* The same of two JSON bodies; apitest_json: see value.h. */
bool apitest_compare_json(const struct apitest_json *base, const struct apitest_json *fresh,
                          const struct str *ignore, size_t n_ignore, const char *path,
                          struct apitest_diffs *diffs);
