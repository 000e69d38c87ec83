#pragma once
/* Metadata on the wire; what a user may give is checked by rpc_metadata_check (call.h). */
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

/* A name ending in "-bin": its values are base64 on the wire. */
bool rpc_metadata_is_bin(struct str name);

/* Appends the bytes as they stand in a -bin header: base64 without padding, as gRPC wants it. */
void rpc_bin_encode(struct str bytes, struct buf *out);

/*
 * Iterates over the values of a -bin header, which commas may join ("YWI=, Yw" are two):
 *     struct str bytes, rest = value;
 *     while ((rc = rpc_bin_next(&rest, &arena, &bytes, &err)) > 0) ...
 * 1: a value, whose bytes are in the arena (NUL behind them); 0: there is none left; ERR_INVALID:
 * no base64, ERR_FULL: above the arena's maximum.  An empty header has one empty value.
 */
int rpc_bin_next(struct str *rest, struct arena *a, struct str *ret_bytes, struct err *err)
    __attribute__((warn_unused_result));
