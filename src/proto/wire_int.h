#pragma once
/* The lowest part of the binary form: varints, fixed numbers, skipping. */
#include "proto/message.h"
#include "proto/wire.h"

#include <stdint.h>
#include <string.h>

enum { WIRE_VARINT, WIRE_64, WIRE_BYTES, WIRE_GROUP, WIRE_END_GROUP, WIRE_32 };

/* A flag for reading: extensions stay among the unknown fields. */
enum { PROTO_WIRE_PLAIN = 1 << 8 };

/* A place in bytes; moves forward only. */
struct wire_cursor {
    const uint8_t *at, *end;
    const char *fault; /* what is wrong at the place, after a failure */
};

bool proto_wire_varint_long(struct wire_cursor *c, uint64_t *ret);

static inline bool proto_wire_varint(struct wire_cursor *c, uint64_t *ret)
{
    if (c->at < c->end && *c->at < 0x80) {
        *ret = *c->at++;
        return true;
    }
    return proto_wire_varint_long(c, ret);
}

/* Number and wire type of the next field; wire types 6 and 7 are refused. */
bool proto_wire_tag(struct wire_cursor *c, uint32_t *ret_number, unsigned *ret_type);
/* 4 or 8 bytes, little-endian, whatever the machine. */
bool proto_wire_fixed(struct wire_cursor *c, size_t size, uint64_t *ret);
/* Moves behind the value of a field of which the tag was read; depth: what is above it. */
bool proto_wire_skip(struct wire_cursor *c, uint32_t number, unsigned type, size_t depth);

/* The wire type of single values. */
unsigned proto_wire_type(enum proto_type type);

/* A required field that is not set, in msg or (when it is worth it) below; NULL: none. */
const struct proto_field_desc *proto_missing_field(const struct proto_msg *msg, bool in_all);
