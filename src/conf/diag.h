#pragma once
/*
 * Several messages about files, each with its place, printed like a compiler's:
 *
 *     orders.yaml:14:15: error: no field "nmae" in shop.v1.Item: did you mean "name"?
 *        14 |       nmae: hoge
 *           |       ^~~~
 *
 * Names of files are borrowed: the files that were read outlive the messages about them.
 */
#include "base/buf.h"
#include "base/vec.h"
#include "conf/node.h"

#define CONF_DIAGS_MAX 50 /* more are counted, not kept; the same at the same place is one */

enum conf_severity { CONF_ERROR, CONF_WARNING };

struct conf_diag {
    enum conf_severity severity;
    struct pos pos;
    size_t width; /* columns to underline; 0: one caret */
    char *msg;    /* owned */
    char *line;   /* owned: the line of source, when its file could not be kept; else NULL */
};

/* Zeroed is empty. */
struct conf_diags {
    VEC(struct conf_diag) list;
    size_t errors, warnings; /* of all, those that were not kept too */
};

void conf_diags_done(struct conf_diags *diags);

/* node: the place and its width.  Returns ERR_INVALID, so that `return conf_error(...)` works. */
int conf_error(struct conf_diags *diags, const struct conf_node *node, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void conf_warn(struct conf_diags *diags, const struct conf_node *node, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* An error that a function left with its place.  Returns err->code. */
int conf_error_err(struct conf_diags *diags, const struct err *err);
/* The same for a place in a file that is none of those printed: it is read again for its line. */
int conf_error_elsewhere(struct conf_diags *diags, const struct err *err);

/*
 * `unknown key "nmae" in a case: did you mean "name"?` or, when none is near, the known ones:
 * `...: one of name, methodName, detail`.  what: "a case".  choice: n words.
 */
int conf_error_unknown(struct conf_diags *diags, const struct conf_node *key, const char *what,
                       const char *const *choice, size_t n);

/*
 * conf_read whose error is added to diags together with the line of source.  Returns what conf_read
 * returns; path has to outlive diags.  conf_load_text is the same for conf_parse.
 */
int conf_load(struct conf_diags *diags, const char *path, struct conf_file *ret)
    __attribute__((warn_unused_result));
int conf_load_text(struct conf_diags *diags, const char *name, struct str text,
                   struct conf_file *ret) __attribute__((warn_unused_result));

/*
 * Appends all, in the order of the places of a file.  file: array of the files that were read, for
 * the lines of source; a place in no file of these prints without source.  color: for a terminal.
 */
void conf_diags_print(const struct conf_diags *diags, const struct conf_file *const *file, size_t n,
                      bool color, struct buf *b);
