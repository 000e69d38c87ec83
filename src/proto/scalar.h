#pragma once
/*
 * Scalars as text, read by the type of their field: the one reader for JSON, for YAML and for
 * values of variables.  Integers never pass through a double.
 */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "proto/desc.h"

enum proto_notation {
    PROTO_JSON_BARE,   /* 12, true; what stands in JSON without quotes */
    PROTO_JSON_STRING, /* unescaped text of a JSON string */
    PROTO_YAML_PLAIN,  /* 007 for a string is text; for an int32 it is an error; .nan, .inf */
    PROTO_YAML_QUOTED,
    PROTO_TEXT, /* of a variable: whatever notation fits */
};

/*
 * field: singular view of it (the type counts, repeated does not); not of messages.
 *
 * Integers: as JSON writes numbers, in every notation, as long as they are whole (1.0 and 1e5 are);
 * in PLAIN and TEXT also 0x10.  Floats: the same, at most 127 characters; NaN, Infinity, -Infinity
 * but for BARE; in YAML and TEXT also .nan, .inf, -.inf.  bool: only true and false, without
 * quotes; for yes, no, on, off the message says what to write.  Enums: by name but for BARE, by
 * number but for JSON_STRING; unknown numbers of open enums are values.  Strings: everything but
 * BARE, checked for UTF-8 where the field wants it.  bytes: base64 (base64.h).
 *
 * arena: for bytes only; may be NULL for other types.  ret: strings are views of text, bytes live
 * in the arena.  Integers above the range: ERR_FULL, all else ERR_INVALID, with messages such as
 * `"1.5" is no int32: it has a fraction` and `no value "FOO" in enum shop.State: did you mean
 * "FOOD"?`.
 */
int proto_scalar_read(const struct proto_field_desc *field, struct str text,
                      enum proto_notation notation, struct arena *arena, union proto_value *ret,
                      struct err *err) __attribute__((warn_unused_result));

/*
 * The text of a value: integers in decimal, floats the shortest that reads back (as float32 or
 * float64; NaN, Infinity, -Infinity; plain between 1e-6 and 1e21), enums by name (number when
 * unknown), bytes as base64, strings as they are.
 */
void proto_scalar_text(const struct proto_field_desc *field, union proto_value value,
                       struct buf *b);
