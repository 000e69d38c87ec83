#pragma once
/*
 * Texts with variables: "Bearer ${secret.TOKEN}", "${sku}-${env.REGION}", "$${literal}".
 *     ${NAME}        a variable or a saved value
 *     ${env.NAME}    of the environment
 *     ${secret.NAME} a secret, never to be shown
 *     $${            the two characters ${
 * A name is [A-Za-z_][A-Za-z0-9_.-]*.  A `$` elsewhere is itself; one right before a variable
 * cannot be written, as `$${` is taken first.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

enum conf_part_kind { CONF_PART_TEXT, CONF_PART_VAR, CONF_PART_ENV, CONF_PART_SECRET };

struct conf_part {
    enum conf_part_kind kind;
    struct str text; /* the text, or the name without env. or secret. */
    size_t offset;   /* in the source */
};

/* Whether a variable can have this name: not that of the environment or of secrets, either. */
bool conf_is_variable(struct str name);

struct conf_template {
    struct conf_part *part;
    size_t len;
    bool constant; /* no variable inside: part[0].text is all, also of an empty source */
    bool whole; /* one variable and nothing else: the value is re-read by the type of its place */
};

#define CONF_PARTS_MAX 10000

/*
 * Parts live in the arena; views into source where possible.  ERR_INVALID: `"${sku": no "}" closes
 * the variable`; ERR_FULL above CONF_PARTS_MAX parts or the arena's maximum.
 */
int conf_template_parse(struct str source, struct arena *arena, struct conf_template *ret,
                        struct err *err) __attribute__((warn_unused_result));

/*
 * Gives the value of a part that is no text, 0; or a negative code with err.  ret: lives until the
 * caller is done.
 */
typedef int (*conf_lookup_fn)(const struct conf_part *part, struct str *ret, struct err *err,
                              void *ctx);
/* Appends to b.  0, what lookup returned, or ERR_FULL when b is full. */
int conf_template_expand(const struct conf_template *tpl, conf_lookup_fn lookup, void *ctx,
                         struct buf *b, struct err *err) __attribute__((warn_unused_result));
