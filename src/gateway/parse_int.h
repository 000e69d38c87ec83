#pragma once
/*
 * Readers of the members of an answer.  Each returns 0, or ERR_REMOTE with the place in err;
 * outputs are then untouched.  where: the place of obj in the answer, "" for its top.
 * The ..._maybe readers leave *ret as it is when the member is not there: a router of an older
 * version lacks it.
 */
#include "gateway/router.h"

#include <jansson.h>

/* The answer's object, to be released; "the answer is not JSON" says what is most likely wrong. */
int parse_load(struct str text, json_t **ret, struct err *err);
/* For _cleanup_. */
void parse_release(json_t **json);

/* "the answer's WHERE.KEY is not RIGHT" */
int parse_wrong(struct err *err, const char *where, const char *key, const char *right);

int parse_obj(const json_t *obj, const char *where, const char *key, const json_t **ret,
              struct err *err);
int parse_u64(const json_t *obj, const char *where, const char *key, uint64_t max, uint64_t *ret,
              struct err *err);
int parse_u64_maybe(const json_t *obj, const char *where, const char *key, uint64_t max,
                    uint64_t *ret, struct err *err);
int parse_bool(const json_t *obj, const char *where, const char *key, bool *ret, struct err *err);
int parse_bool_maybe(const json_t *obj, const char *where, const char *key, bool *ret,
                     struct err *err);
/* A number that is not negative. */
int parse_double(const json_t *obj, const char *where, const char *key, double *ret,
                 struct err *err);
/* A string of printable characters that fits into size bytes with its NUL. */
int parse_text(const json_t *obj, const char *where, const char *key, char *out, size_t size,
               struct err *err);
int parse_text_maybe(const json_t *obj, const char *where, const char *key, char *out, size_t size,
                     struct err *err);
/* The same of a value; key is what the message calls it. */
int parse_copy(const json_t *value, const char *where, const char *key, char *out, size_t size,
               struct err *err);
/*
 * What visitors or applications have written, such as a URI: cut to size, what is not printable is
 * "?", so that nobody out there can make an answer unreadable.  null is "".
 */
int parse_shown(const json_t *obj, const char *where, const char *key, char *out, size_t size,
                struct err *err);
/* One of n words. */
int parse_word(const json_t *obj, const char *where, const char *key, const char *const *word,
               size_t n, unsigned *ret, struct err *err);
/* An array of at most max values; NULL and 0 when it is not there. */
int parse_array_maybe(const json_t *obj, const char *where, const char *key, size_t max,
                      const json_t **ret, size_t *ret_len, struct err *err);

int parse_split(const json_t *obj, struct router_split *ret, struct err *err);
