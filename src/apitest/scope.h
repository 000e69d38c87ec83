#pragma once
/*
 * Variables, and what must never be shown.
 *
 * Scopes nest: the file's vars, a test's vars and saved values, a case's vars.  Values are texts;
 * what type a text has is said by the place where it is used.  While a suite is being checked the
 * values of saved variables are not known yet: only their names.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/vec.h"
#include "conf/diag.h"
#include "conf/template.h"

#include <stdbool.h>
#include <stdint.h>

struct apitest_var {
    struct str text; /* of a message or a list: its JSON form */
    bool known;      /* false: set by a save that has not run */
    bool secret;
};

#define APITEST_SECRETS_BITS 12

/*
 * Secrets: of ${secret.NAME}, of `save: {x: {path: .., secret: true}}`.  Any output goes through
 * apitest_redact, which replaces them, their base64 (padded or not, both alphabets, at each of the
 * three alignments inside a longer text), their URL-encoded, JSON-escaped and hexadecimal forms by
 * ***.
 */
struct apitest_secrets {
    struct map by_name;    /* of --secrets FILE: name to char * */
    VEC(struct str) value; /* seen so far, longest first; owned */
    VEC(struct str) form;  /* all forms of them; owned */
    /* private: for each form which digits of base64 next to it are hidden too; and the table of
     * forms by the hash of their first four bytes (index + 1; 0: none) with its chains */
    size_t longest; /* bytes of a form */
    VEC(uint8_t) edge;
    VEC(uint32_t) next;
    uint32_t head[1 << APITEST_SECRETS_BITS];
};

void apitest_secrets_init(struct apitest_secrets *secrets);
void apitest_secrets_done(struct apitest_secrets *secrets);
/* NAME=VALUE lines; blank lines and lines with # are skipped.  Refuses a file others may write. */
int apitest_secrets_read(struct apitest_secrets *secrets, const char *path, struct err *err);
/* Below 4 bytes nothing can be hidden without hiding everything: ERR_INVALID says so. */
int apitest_secrets_add(struct apitest_secrets *secrets, struct str value, struct err *err);
/* --secrets FILE, then POUROVER_SECRET_NAME, then NAME of the environment.  The value is added. */
int apitest_secrets_get(struct apitest_secrets *secrets, struct str name, struct str *ret,
                        struct err *err);
/* Whether something would be hidden in the text. */
bool apitest_hides(const struct apitest_secrets *secrets, struct str text);
/*
 * Appends text without secrets.  A text is to be redacted before it is cut: the half of a secret is
 * not recognized any more (apitest_redact_cut does both).
 */
void apitest_redact(const struct apitest_secrets *secrets, struct str text, struct buf *b);
/*
 * The same, cut after max bytes with "..." behind.  whole false: text is the beginning of a longer
 * one, at least max + apitest_secrets_longest bytes of it, so that none is hidden by half.
 */
void apitest_redact_cut(const struct apitest_secrets *secrets, struct str text, bool whole,
                        size_t max, struct buf *b);
/* Bytes of the longest form; 0: there are none. */
size_t apitest_secrets_longest(const struct apitest_secrets *secrets);

struct apitest_scope {
    const struct apitest_scope *outer; /* NULL: the outermost */
    struct map vars;                   /* name to struct apitest_var * */
    struct apitest_secrets *secrets;   /* of the outermost */
    struct arena *arena;               /* for the variables */
    bool checking; /* no call has been made: env and secrets must exist, saves need not */
};

void apitest_scope_init(struct apitest_scope *scope, const struct apitest_scope *outer,
                        struct apitest_secrets *secrets, struct arena *arena, bool checking);
void apitest_scope_done(struct apitest_scope *scope);
/* Copies text into the arena.  known false: only the name is declared. */
bool apitest_scope_set(struct apitest_scope *scope, struct str name, struct str text, bool known,
                       bool secret);
/* NULL: there are none. */
struct apitest_secrets *apitest_scope_secrets(const struct apitest_scope *scope);
const struct apitest_var *apitest_scope_find(const struct apitest_scope *scope, struct str name);

/*
 * The text of a scalar with its variables put in.  ret_known false (only while checking): it
 * depends on what is not known yet.  ret_whole: the scalar is one variable and nothing else
 * (PROTO_TEXT). Errors go to diags with the place: unknown variable (did you mean), no such
 * environment variable, no secret.
 */
struct apitest_text {
    struct str text;
    bool known, whole, constant;
};
int apitest_expand(const struct apitest_scope *scope, const struct conf_node *node,
                   struct arena *arena, struct conf_diags *diags, struct apitest_text *ret);
