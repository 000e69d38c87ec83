#pragma once
/*
 * What a pattern is matched against: a view of a message, a field, a JSON value, a header, a number
 * or a time, as one type.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "proto/message.h"

struct apitest_json; /* a JSON value as a tree; numbers keep their text */

enum apitest_value_kind {
    APITEST_ABSENT,   /* not set */
    APITEST_MESSAGE,  /* proto */
    APITEST_FIELD,    /* proto: a singular scalar */
    APITEST_REPEATED, /* proto: list or map; field NULL: a list of messages */
    APITEST_JSON,
    APITEST_TEXT,
    APITEST_NUMBER, /* an integer */
    APITEST_BOOL,
    APITEST_MS,  /* a time span, in microseconds in number */
    APITEST_SET, /* several texts: all values of one header name */
};

struct apitest_value {
    enum apitest_value_kind kind;
    const struct proto_field_desc *field; /* FIELD, REPEATED; ABSENT if it is a field */
    union proto_value proto;              /* FIELD, REPEATED (list), MESSAGE (msg) */
    const struct apitest_json *json;
    struct str text;
    int64_t number;
    bool boolean;
    const struct str *item; /* SET */
    size_t items;
};

/* JSON of an HTTP body.  err->pos: place in the body. Depth bounded to 100. */
int apitest_json_parse(struct str text, struct arena *arena, const struct apitest_json **ret,
                       struct err *err);

/*
 * Follows "order.lines[0].sku", "labels["a.b"]" or "items[0]" from a value.  ERR_NOT_FOUND:
 * `responses[1]: there is 1 message`.  A path can be checked against a descriptor before anything
 * is there: apitest_path_check.
 */
int apitest_path_get(const struct apitest_value *root, struct str path, struct apitest_value *ret,
                     struct err *err);
int apitest_path_check(const struct proto_message_desc *desc, struct str path,
                       const struct proto_field_desc **ret_last, struct err *err);

/* As text for a variable: scalars as themselves, others as JSON. */
int apitest_value_text(const struct apitest_value *value, struct buf *b, struct err *err);
/* As a report shows it: YAML-like, strings quoted when needed, cut after max bytes with "...". */
void apitest_value_show(const struct apitest_value *value, size_t max, struct buf *b);
