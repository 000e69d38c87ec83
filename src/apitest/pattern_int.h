#pragma once
/*
 * Inside of patterns: a tree of operators, each compiled against what it will meet.
 *
 * A node is made by the compiler (pattern_compile*.c) and only read afterwards (pattern_match*.c).
 * Scalars that hold no variable are read once, others at each match.
 */
#include "apitest/pattern.h"
#include "apitest/value_int.h"
#include "base/map.h"

/* What stands where a pattern is; bits, as operators say for which they are. */
enum subject_kind {
    SUBJECT_MESSAGE = 1 << 0,
    SUBJECT_INTEGER = 1 << 1,
    SUBJECT_FLOAT = 1 << 2,
    SUBJECT_ENUM = 1 << 3,
    SUBJECT_BOOL = 1 << 4,
    SUBJECT_STRING = 1 << 5,
    SUBJECT_BYTES = 1 << 6,
    SUBJECT_LIST = 1 << 7,
    SUBJECT_MAP = 1 << 8,
    SUBJECT_INSTANT = 1 << 9, /* Timestamp */
    SUBJECT_SPAN = 1 << 10,   /* Duration */
    SUBJECT_MASK = 1 << 11,   /* FieldMask */
    SUBJECT_ANY = 1 << 12,
    SUBJECT_JSON = 1 << 13,
    SUBJECT_TEXT = 1 << 14,
    SUBJECT_COUNT = 1 << 15,
    SUBJECT_MS = 1 << 16,
};

struct subject {
    enum subject_kind kind;
    const struct proto_message_desc *desc; /* of messages, also those read as one scalar */
    const struct proto_field_desc *field;  /* of scalars, lists and maps */
    bool element;                          /* of a list or a map: always there */
};

struct subject apitest_subject_of_message(const struct proto_message_desc *desc);
struct subject apitest_subject_of_field(const struct proto_field_desc *field);
struct subject apitest_subject_of_element(const struct proto_field_desc *field);
struct subject apitest_subject_of_type(struct apitest_type type);
/* "a string", "an int64", "a message shop.v1.Order", "a time" */
const char *apitest_subject_text(const struct subject *s, char out[128]);

/* A scalar of an expectation, as the kind of its subject wants it. */
struct scalar {
    union proto_value proto;         /* INTEGER FLOAT ENUM BOOL STRING BYTES */
    struct str text;                 /* TEXT MASK */
    int64_t number;                  /* COUNT; MS in microseconds; INSTANT and SPAN: seconds */
    int32_t nanos;                   /* INSTANT, SPAN: 0..999999999, so that order is plain */
    bool now;                        /* INSTANT: counted from now */
    bool loose;                      /* JSON, of a variable: text, of whatever kind is met */
    const struct apitest_json *json; /* JSON */
};

struct operand {
    const struct conf_node *node;
    bool constant; /* value is read already */
    struct scalar value;
};

/*
 * Reads a scalar.  known false (only while checking): depends on what is saved later.  Errors go to
 * diags.
 */
int apitest_scalar_read(const struct subject *s, const struct conf_node *node,
                        const struct apitest_scope *scope, struct arena *arena,
                        struct conf_diags *diags, struct scalar *ret, bool *ret_known,
                        bool *ret_constant);
/* A message about a text with a secret in it says nothing of the text (it may be cut there). */
void apitest_hide_value(const struct apitest_scope *scope, const struct apitest_text *text,
                        struct err *err);
/* The JSON value of a plain or quoted YAML scalar, as YAML 1.2 core reads it. */
const struct apitest_json *apitest_json_of_scalar(struct str text, enum conf_style style,
                                                  struct arena *arena);
/* "5s", "-1.5s", "250ms" into seconds and nanoseconds (0..999999999). */
int apitest_span_parse(struct str text, int64_t *ret_seconds, int32_t *ret_nanos, struct err *err);

enum pattern_op {
    PAT_ALL,  /* child: all */
    PAT_SOME, /* child: at least one */
    PAT_NOT,  /* child[0] */
    PAT_ABSENT,
    PAT_PRESENT,
    PAT_NULL, /* JSON: null, or not there */
    PAT_EQ,
    PAT_GT,
    PAT_GE,
    PAT_LT,
    PAT_LE,
    PAT_REGEX,
    PAT_STARTS,
    PAT_ENDS,
    PAT_HAS, /* a part of a text or of bytes */
    PAT_LEN, /* child[0] against the length */
    PAT_APPROX,
    PAT_TYPE,
    PAT_INSIDE, /* $json: child[0] against what the text holds */
    PAT_WITHIN,
    PAT_ONEOF,
    PAT_FIELDS,  /* member; exact */
    PAT_ENTRIES, /* member: a map's; exact */
    PAT_KEYS,    /* member: of a JSON object; exact */
    PAT_TYPED,   /* Any: type_name; child[0] (or none) against what is inside */
    PAT_UNKNOWN,
    PAT_SAME, /* message, list: JSON of a variable */
    PAT_LIST, /* child by place; exact length */
    PAT_PREFIX,
    PAT_CONTAINS,
    PAT_UNORDERED,
    PAT_EACH, /* child[0] against every element */
};

struct pattern_member {
    const struct proto_field_desc *field; /* FIELDS */
    struct operand key;                   /* ENTRIES, KEYS */
    struct apitest_pattern *value;
};

struct apitest_pattern {
    enum pattern_op op;
    struct subject subject;
    const struct conf_node *node;   /* the place, and the author's words */
    const char *word;               /* the operator before them, or NULL */
    size_t checks;                  /* of this and what is below */
    bool exact;                     /* FIELDS, ENTRIES, KEYS */
    struct operand operand, second; /* APPROX: value, tol; WITHIN: of, by; others: the first */
    struct subject second_subject;
    void *regex; /* pcre2_code of a constant REGEX */
    const struct proto_field_desc *branch;
    struct str type_name; /* TYPED; TYPE */
    struct pattern_member *member;
    size_t members;
    struct apitest_pattern **child;
    size_t children;
};

struct compiler {
    const struct apitest_scope *scope;
    struct arena *arena;
    struct conf_diags *diags;
    bool exact; /* within $exact: plain maps are whole */
    unsigned depth;
};

/* NULL: errors are in diags. */
struct apitest_pattern *apitest_compile(struct compiler *c, const struct conf_node *node,
                                        struct subject s);
/* A node without children, or NULL with the error told. */
struct apitest_pattern *apitest_pattern_new(struct compiler *c, enum pattern_op op,
                                            const struct conf_node *node, struct subject s);
bool apitest_children(struct compiler *c, struct apitest_pattern *p, size_t n);
/* Reads the operand of a node; false with errors told. */
bool apitest_operand(struct compiler *c, const struct subject *s, const struct conf_node *node,
                     struct operand *ret);
/* Plain keys of a map (entries of node without operators); nested: an empty one means "is there".
 */
struct apitest_pattern *apitest_compile_map(struct compiler *c, const struct conf_node *node,
                                            struct subject s);
struct apitest_pattern *apitest_compile_items(struct compiler *c, const struct conf_node *node,
                                              struct subject s, enum pattern_op op);
/* One operator: its key, and what stands behind. */
struct apitest_pattern *apitest_compile_operator(struct compiler *c, const struct conf_node *key,
                                                 const struct conf_node *node, struct subject s);
/* "$gt", but neither "${name}..." nor "$$key". */
bool apitest_is_operator(const struct conf_node *key);
/* The expectation inside of lists: what one element is. */
struct subject apitest_inner(struct subject s);

/* "00 ff" into bytes; false: malformed. */
bool apitest_hex_bytes(struct str text, struct arena *arena, struct str *ret);
/* pcre2 with its limits.  NULL with the error told. */
void *apitest_regex_compile(struct str text, struct arena *arena, struct err *err, size_t *ret_at);

/* A match in progress. */
struct match {
    const struct apitest_scope *scope;
    const struct apitest_secrets *secrets; /* or NULL */
    struct apitest_diffs *diffs;
    struct buf path;
    bool silent;  /* nothing is told: only fails counts */
    bool broken;  /* could not be finished: nothing that was found out counts */
    size_t fails; /* differences */
    size_t steps;
    void *regex_data; /* pcre2_match_data */
    /* By address of what it was made of: contents of an Any, JSON of a Struct, scalars and regular
     * expressions with variables; each element of a list would make them anew otherwise. */
    struct map made;
    struct arena arena; /* for what one match needs */
};

/* NULL: not made yet. */
void *apitest_made(const struct match *m, const void *of);
void apitest_made_put(struct match *m, const void *of, void *made);
bool apitest_pattern_match(struct match *m, const struct apitest_pattern *p,
                           const struct apitest_value *v);
bool apitest_match_scalar(struct match *m, const struct apitest_pattern *p,
                          const struct apitest_value *v);
/* TYPED, UNKNOWN, ONEOF, SAME. */
bool apitest_match_message(struct match *m, const struct apitest_pattern *p,
                           const struct apitest_value *v);
bool apitest_match_list(struct match *m, const struct apitest_pattern *p,
                        const struct apitest_value *v);
bool apitest_match_text(struct match *m, const struct apitest_pattern *p,
                        const struct apitest_value *v);
void apitest_match_begin(struct match *m, const struct apitest_scope *scope,
                         struct apitest_diffs *diffs, const char *path);
bool apitest_match_end(struct match *m, bool matched);
/* Runs without telling; ret_fails (may be NULL): how many differences. */
bool apitest_match_silent(struct match *m, const struct apitest_pattern *p,
                          const struct apitest_value *v, size_t *ret_fails);
/* The first difference as "path: expected x, got y", for a note. */
struct str apitest_match_first(struct match *m, const struct apitest_pattern *p,
                               const struct apitest_value *v, const char *name);
/* The present value of an operand; false: told as a difference (and broken). */
bool apitest_operand_now(struct match *m, const struct apitest_pattern *p, const struct subject *s,
                         const struct operand *operand, struct scalar *ret);

/* One difference; got NULL: v as text; expected NULL: the author's words.  Returns false. */
bool apitest_differs(struct match *m, const struct apitest_pattern *p,
                     const struct apitest_value *v, const char *expected, const char *got,
                     const char *note, ...) __attribute__((format(printf, 6, 7)));
/*
 * It cannot be found out: tells why, also in a silent run, and the whole match fails, so that not
 * even $not passes on it.
 */
bool apitest_give_up(struct match *m, const struct apitest_pattern *p,
                     const struct apitest_value *v, const char *why);
/* "[i]" behind the path; returns the length before, for apitest_path_back. */
size_t apitest_path_index(struct match *m, size_t i);
void apitest_path_back(struct match *m, size_t len);

/* -1, 0, 1; 2: neither (NaN, other kinds). */
int apitest_order(struct match *m, const struct subject *s, const struct apitest_value *v,
                  const struct scalar *scalar);
/* The text of a string, a header, a JSON string.  False: v has none. */
bool apitest_text_of(const struct apitest_value *v, struct str *ret);
/* A message that stands for a scalar or for JSON as that. */
bool apitest_adapt(struct match *m, const struct subject *s, const struct apitest_value *v,
                   struct apitest_value *ret);
