#pragma once
/*
 * YAML as a tree that keeps its places.  A thin composer over libyaml's events.
 *
 * Scalars are not resolved: `007`, `NO`, `1.20`, `null` are texts with a style, and whoever knows
 * the wanted type reads them (see schema.h, and proto/json.h for messages).  Refused with a place:
 * duplicate keys, keys that are no scalars, tags, merge keys, invalid UTF-8, nesting beyond
 * CONF_DEPTH_MAX, more nodes than CONF_NODES_MAX (aliases count what they stand for), recursive
 * aliases, control characters.  Anchors and aliases work; an alias is a node of its own whose items
 * or entries are shared.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

#define CONF_BYTES_MAX ((size_t) 16 * 1024 * 1024)
#define CONF_NODES_MAX 4000000
#define CONF_DEPTH_MAX 100

enum conf_kind { CONF_SCALAR, CONF_LIST, CONF_MAP };

/* How a scalar was written: plain text may mean null, true, 12; quoted and block text is text. */
enum conf_style { CONF_PLAIN, CONF_SINGLE, CONF_DOUBLE, CONF_LITERAL, CONF_FOLDED };

struct conf_node;

struct conf_entry {
    struct conf_node *key; /* always a scalar */
    struct conf_node *value;
};

struct conf_node {
    enum conf_kind kind;
    enum conf_style style; /* of a scalar */
    bool flow;             /* [..] or {..} */
    unsigned
        width; /* columns that it has in one line, for underlining; 0: more lines, or unknown */
    struct pos pos;  /* where it begins; of an alias: where the alias stands */
    struct str text; /* of a scalar; NUL behind it */
    size_t len;      /* items or entries */
    union {
        struct conf_node **item;  /* of a list */
        struct conf_entry *entry; /* of a map, in the order of the file */
    };
};

/* A file that was read: its documents, and its text for carets. */
struct conf_file {
    const char *name;            /* as the user gave it */
    struct str text;             /* no byte order mark, a line break at its end; NUL behind it */
    struct conf_node **document; /* at least one; an empty document is a plain scalar "" */
    size_t documents;
    struct arena arena; /* owns all of the above and may be used for what is made of it */
};

/*
 * name: for messages; err->pos.file is it.  text: copied.  ERR_INVALID, or ERR_FULL above a limit,
 * with err->pos set; the message tells what was seen and what would be right.  Columns count
 * characters.  See conf_load in diag.h for messages that show the line.
 */
int conf_parse(const char *name, struct str text, struct conf_file *ret, struct err *err)
    __attribute__((warn_unused_result));
/* "-" is standard input, named <stdin>.  ERR_IO, ERR_FULL above CONF_BYTES_MAX, or of conf_parse.
 */
int conf_read(const char *path, struct conf_file *ret, struct err *err)
    __attribute__((warn_unused_result));
void conf_file_done(struct conf_file *file);

/* The value of a key, or NULL.  map may be NULL or another kind: NULL. */
struct conf_node *conf_get(const struct conf_node *map, const char *key);

/* A plain scalar that YAML 1.2's core schema reads as null: "", ~, null, Null, NULL. */
bool conf_is_null(const struct conf_node *node);

/*
 * What was seen, for messages: "a list of 3", "an empty map", `text "abc"` (its begin), "null",
 * "nothing" for an empty value or NULL.
 */
const char *conf_describe(const struct conf_node *node, char out[64]);
