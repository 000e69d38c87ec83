#pragma once
/*
 * The binary form of messages (protobuf.dev/programming-guides/encoding).
 *
 * Read: groups, packed and unpacked, MessageSet, extensions of the pool of the message's
 * descriptor, closed enums; what is not known, or has another wire type, is kept in msg->unknown.
 * Refused: what is truncated, varints of more than 10 bytes, field number 0, wire types 6 and 7,
 * unmatched groups, nesting beyond PROTO_DEPTH_MAX, bad UTF-8 where the field wants it, missing
 * required fields. Written: known fields by number, then the unknown ones; the same message gives
 * the same bytes (maps by key).
 */
#include "base/buf.h"
#include "base/err.h"
#include "proto/message.h"

#define PROTO_DEPTH_MAX 100

enum {
    PROTO_WIRE_PARTIAL = 1, /* missing required fields are fine */
    PROTO_WIRE_BORROW = 2,  /* strings are views into bytes, which outlive the message */
};

/*
 * Merges bytes into msg.  ERR_INVALID: `shop.v1.Order.id: 5 bytes were announced, 2 are left (at
 * byte 17)`. ERR_FULL: above the arena's maximum.  msg may be half filled after a failure.
 */
int proto_wire_read(struct str bytes, struct proto_msg *msg, unsigned flags, struct err *err)
    __attribute__((warn_unused_result));
/* Appends.  ERR_INVALID: a required field is missing, bad UTF-8.  ERR_FULL: b is too small. */
int proto_wire_write(const struct proto_msg *msg, unsigned flags, struct buf *b, struct err *err)
    __attribute__((warn_unused_result));

/* Fields that are not known, one a call, as they stand in msg->unknown (wire-valid). */
struct proto_unknown {
    struct str rest; /* starts as msg->unknown */
    uint32_t number;
    unsigned wire_type;    /* 0 varint, 1 64 bit, 2 bytes, 3 group, 5 32 bit */
    uint64_t number_value; /* of 0, 1, 5 */
    struct str bytes;      /* of 2; of 3 what is inside */
};
bool proto_unknown_next(struct proto_unknown *it);
