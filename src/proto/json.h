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

/*
 * Merges one JSON value into msg, whose arena gets copies of all that it needs: text may go
 * afterwards.  Fields go by name or json_name.  null unsets a field; it is a value for Value and
 * NullValue only, and refused in lists and maps.
 *
 * Refused: what is no JSON (json.h), text after the value, fields and keys of maps that are there
 * twice, a second member of a oneof, numbers out of range, unknown values of closed enums, nesting
 * beyond PROTO_DEPTH_MAX messages, an Any without "@type" or of an unknown type.  Not looked at:
 * whether required fields are there (writing the binary form does).
 *
 * ERR_INVALID and ERR_FULL: err->pos has line and column of the value or key at fault; its file is
 * "json", for want of a name: the caller may set one.  The message names the field:
 * `shop.Order.quantity: 1.5 is no int32: it has a fraction`.  msg may be half filled after a
 * failure.
 */
int proto_json_read(struct str text, struct proto_msg *msg, unsigned flags, struct err *err)
    __attribute__((warn_unused_result));
/*
 * Appends one JSON value; fields by number, maps by key, so that equal messages give the same text.
 * Unknown fields are left out; bytes of a string that are no UTF-8 (proto2) become U+FFFD.
 *
 * ERR_INVALID: has no JSON form (Timestamp out of range, a Value without a value, unknown type in
 * an Any, beyond PROTO_DEPTH_MAX).  ERR_FULL: b is too small.  b has a part of the text after a
 * failure.
 */
int proto_json_write(const struct proto_msg *msg, unsigned flags, struct buf *b, struct err *err)
    __attribute__((warn_unused_result));
