#pragma once
/* Whole blocks of compressed bytes (zlib): gRPC messages and HTTP bodies. */
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum rpc_coding {
    RPC_GZIP,    /* RFC 1952; several members in a row are one text */
    RPC_DEFLATE, /* "deflate" of HTTP and gRPC: the zlib format, RFC 1950 */
};

/*
 * Appends what the block stands for to out, whose max is the limit on all of it.
 * ERR_FULL: it would be more; ERR_INVALID: broken, cut off, or something stands behind the end.
 * The message speaks of "the gzip" or "the deflate" data.  out may be longer on failure.
 */
int rpc_inflate(struct str block, enum rpc_coding coding, struct buf *out, struct err *err)
    __attribute__((warn_unused_result));

/* Appends the text as one gzip member; looks at out->failed tell whether it fitted. */
void rpc_gzip(struct str text, struct buf *out);
