#pragma once
/* The percent-encoding of grpc-message (PROTOCOL-HTTP2, "Percent-Encoded"). */
#include "base/buf.h"
#include "base/str.h"

/*
 * Appends the text to out: at most text.len bytes.  An escape that is none ("%", "%4", "%zz") stays
 * as it is, as gRPC wants it: better a strange message than none.  The result need not be UTF-8.
 */
void rpc_percent_decode(struct str text, struct buf *out);

/* Appends the text so that it may stand in a header: at most three times text.len bytes. */
void rpc_percent_encode(struct str text, struct buf *out);
