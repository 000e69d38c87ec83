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
