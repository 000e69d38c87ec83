#pragma once
/* Well-known types as text: Timestamp, Duration, FieldMask. */
#include "base/buf.h"
#include "base/err.h"
#include "proto/message.h"

/* RFC 3339 into seconds and nanoseconds: year 0001 to 9999, Z or an offset, at most 9 digits. */
int proto_timestamp_parse(struct str text, int64_t *ret_seconds, int32_t *ret_nanos,
                          struct err *err) __attribute__((warn_unused_result));
/* 0, 3, 6 or 9 digits.  ERR_INVALID: out of range. */
int proto_timestamp_text(int64_t seconds, int32_t nanos, struct buf *b, struct err *err)
    __attribute__((warn_unused_result));
/* "-1.5s": at most 315576000000 seconds (10000 years) and 9 digits behind the point. */
int proto_duration_parse(struct str text, int64_t *ret_seconds, int32_t *ret_nanos, struct err *err)
    __attribute__((warn_unused_result));
int proto_duration_text(int64_t seconds, int32_t nanos, struct buf *b, struct err *err)
    __attribute__((warn_unused_result));

/*
 * msg: of wkt TIMESTAMP, DURATION or FIELD_MASK (a string in JSON); others: BUG.  What was in msg
 * is replaced.  A FieldMask is "fooBar.baz,qux" for foo_bar.baz and qux; paths that would not read
 * back the same have no text (ERR_INVALID).  b has a part of the text after a failure.
 */
int proto_wkt_read_text(struct proto_msg *msg, struct str text, struct err *err)
    __attribute__((warn_unused_result));
int proto_wkt_text(const struct proto_msg *msg, struct buf *b, struct err *err)
    __attribute__((warn_unused_result));

/*
 * The type inside an Any: `type.googleapis.com/shop.v1.Order` or `shop.v1.Order`.  NULL: not in the
 * pool.
 */
const struct proto_message_desc *proto_any_type(const struct proto_pool *pool, struct str type_url);
/*
 * Reads value of an Any as its type, into the arena of any; its strings are views of those bytes.
 * ERR_NOT_FOUND: the type is not known.  ERR_INVALID: the bytes are not of it.
 */
int proto_any_unpack(const struct proto_msg *any, const struct proto_pool *pool,
                     struct proto_msg **ret, struct err *err) __attribute__((warn_unused_result));
