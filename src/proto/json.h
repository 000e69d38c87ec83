#pragma once
/*
 * The JSON form of messages (protobuf.dev/programming-guides/json), both ways, all well-known
 * types, extensions as "[pkg.ext]", Any by the types of the pool of the message's descriptor.
 */
#include "base/buf.h"
#include "base/err.h"
#include "proto/message.h"

enum {
    PROTO_JSON_IGNORE_UNKNOWN = 1, /* read: fields and enum names that are not known */
    PROTO_JSON_PROTO_NAMES = 2,    /* write: created_at, not createdAt */
    PROTO_JSON_ENUM_NUMBERS = 4,   /* write */
    PROTO_JSON_DEFAULTS = 8,       /* write: fields without presence too, empty lists and maps */
    PROTO_JSON_INDENT = 16,        /* write: two spaces a level, a line a field */
    PROTO_JSON_BARE_INT64 = 32,    /* write: 64-bit integers as numbers */
    PROTO_JSON_ANY_RAW = 64, /* write: an Any of unknown type as {"@type": .., "value": base64} */
};

/* err->pos: line and column in the text.  Merged into msg. */
int proto_json_read(struct str text, struct proto_msg *msg, unsigned flags, struct err *err)
    __attribute__((warn_unused_result));
/* Appends one JSON value.  ERR_INVALID: has no JSON form (Timestamp out of range, unknown type in
 * an Any). */
int proto_json_write(const struct proto_msg *msg, unsigned flags, struct buf *b, struct err *err)
    __attribute__((warn_unused_result));
