#pragma once
/*
 * Maps with known keys, as tables: one table checks a file, tells its errors and makes its
 * reference and its JSON Schema.
 *
 *     static const struct conf_key case_keys[] = {
 *         {"name", CONF_WANT_TEXT, CONF_REQUIRED, "how reports call it"}, ... {0}};
 *     conf_check_keys(diags, node, "a case", case_keys)
 */
#include "conf/diag.h"

enum conf_want {
    CONF_WANT_ANY,
    CONF_WANT_TEXT,     /* a scalar that is not null */
    CONF_WANT_BOOL,     /* plain true or false; yes/no/on/off get a hint */
    CONF_WANT_INTEGER,  /* 0, 12, -3 */
    CONF_WANT_DURATION, /* 250ms 10s 5m */
    CONF_WANT_LIST,
    CONF_WANT_MAP,
    CONF_WANT_TEXTS,  /* one text or a list of texts */
    CONF_WANT_CHOICE, /* one of the names of `inner`, whose helps say what they mean */
    CONF_WANT_NAMES,  /* a map of free names; each value is a map of `inner`, without one a text */
    CONF_WANT_SHARE,  /* 0, 0.1%, 250ppm */
    CONF_WANT_BYTES,  /* 64KiB, 512MiB, 2GiB */
};

/* OR_TEXT: of a list with `inner` or of names: an item or value may also be a text. */
enum { CONF_REQUIRED = 1, CONF_NOT_EMPTY = 2, CONF_OR_TEXT = 4 };

struct conf_key {
    const char *name; /* NULL ends a table */
    enum conf_want want;
    unsigned flags;
    const char *help;             /* a phrase without full stop, for messages and the reference */
    const struct conf_key *inner; /* of a map, or of the items of a list; choices; or NULL */
};

/*
 * node has to be a map with known keys of the wanted kinds, the required ones there.  Adds an error
 * for each thing that is wrong; what: "a case".  Returns 0 or ERR_INVALID.  Goes into `inner`
 * tables too.  A table has at most 64 keys.
 */
int conf_check_keys(struct conf_diags *diags, const struct conf_node *node, const char *what,
                    const struct conf_key *key);

/* Readers of checked scalars. 0 or ERR_INVALID with the error added; *ret untouched on failure. */
int conf_bool(struct conf_diags *diags, const struct conf_node *node, bool *ret);
int conf_i64(struct conf_diags *diags, const struct conf_node *node, int64_t min, int64_t max,
             int64_t *ret);
int conf_duration_ms(struct conf_diags *diags, const struct conf_node *node, uint64_t *ret_ms);
/* "0", "4096", "64KiB", "512MiB", "2GiB" (also as num_bytes takes it).  No message. */
int conf_bytes(struct str text, uint64_t *ret_bytes) __attribute__((warn_unused_result));

/*
 * JSON Schema (draft 2020-12) of a table, as one JSON object value without "$schema", so that it
 * may be a part of a larger one.  A table that contains itself is left open there.
 */
struct json_writer;
void conf_schema_json(const struct conf_key *key, struct json_writer *w);
/* A Markdown table of the keys: name, kind, what it says; inner keys as `detail.requests`. */
void conf_schema_markdown(const struct conf_key *key, struct buf *b);
