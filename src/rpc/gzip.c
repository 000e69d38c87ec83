/* zlib: see gzip.h. */
#include "rpc/gzip.h"

#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>
#define ZLIB_CONST /* its input is const only when asked */
#include <zlib.h>

#define CHUNK_BYTES 16384
/* zlib counts in unsigned int: longer blocks are given to it in pieces. */
#define PIECE_BYTES ((size_t) 1 << 30)

struct inflate_state {
    z_stream z;
    bool gzip;
    const char *name;
    struct str rest; /* not yet given to zlib */
};

/* The piece that zlib reads next; z.avail_in bytes of it are left in state->rest. */
static void feed(struct inflate_state *state)
{
    if (state->z.avail_in == 0 && state->rest.len > 0) {
        size_t n = state->rest.len < PIECE_BYTES ? state->rest.len : PIECE_BYTES;
        state->z.next_in = (const Bytef *) state->rest.ptr;
        state->z.avail_in = (uInt) n;
        state->rest = (struct str){state->rest.ptr + n, state->rest.len - n};
    }
}

static size_t unread(const struct inflate_state *state)
{
    return state->z.avail_in + state->rest.len;
}

/* Whether the magic bytes are right (RFC 1952 section 2.3, RFC 1950 section 2.2). */
static bool begins_well(const struct inflate_state *state, struct str block)
{
    if (block.len < 2) {
        return true;
    }
    unsigned first = (uint8_t) block.ptr[0], second = (uint8_t) block.ptr[1];
    return state->gzip ? first == 0x1f && second == 0x8b
                       : (first & 15) == 8 && (first * 256 + second) % 31 == 0;
}

static int explain(const struct inflate_state *state, int zrc, struct str block, struct err *err)
{
    if (zrc == Z_BUF_ERROR) {
        return err_set(err, ERR_INVALID, "the %s data end in the middle, after %zu bytes",
                       state->name, block.len);
    }
    if (zrc == Z_NEED_DICT) {
        return err_set(err, ERR_INVALID, "the %s data want a dictionary, which there is not",
                       state->name);
    }
    if (state->z.total_out == 0 && !begins_well(state, block)) {
        return err_set(err, ERR_INVALID, "%s",
                       state->gzip ? "the gzip data do not begin with 1f 8b"
                                   : "the deflate data are not in the zlib format (RFC 1950), "
                                     "maybe raw deflate");
    }
    return err_set(err, ERR_INVALID, "the %s data are broken near byte %zu: %s", state->name,
                   block.len - unread(state), state->z.msg != NULL ? state->z.msg : zError(zrc));
}

/* One stream from its header to its checksum.  Returns what zlib said last. */
static int inflate_one(struct inflate_state *state, struct buf *out)
{
    unsigned char chunk[CHUNK_BYTES];
    int zrc = Z_OK;
    while (zrc == Z_OK && !out->failed) {
        feed(state);
        state->z.next_out = chunk;
        state->z.avail_out = sizeof chunk;
        zrc = inflate(&state->z, Z_NO_FLUSH);
        buf_add(out, chunk, sizeof chunk - state->z.avail_out);
    }
    return zrc;
}

static int inflate_all(struct inflate_state *state, struct str block, struct buf *out,
                       struct err *err)
{
    do {
        int zrc = inflate_one(state, out);
        if (out->failed) {
            return err_set(err, ERR_FULL, "the %s data are more than %zu bytes when uncompressed",
                           state->name, out->max);
        }
        if (zrc != Z_STREAM_END) {
            return explain(state, zrc, block, err);
        }
        feed(state);
    } while (state->gzip && unread(state) > 0 && *state->z.next_in == 0x1f &&
             inflateReset(&state->z) == Z_OK);
    if (unread(state) > 0) {
        return err_set(err, ERR_INVALID, "%zu bytes stand behind the end of the %s data",
                       unread(state), state->name);
    }
    return 0;
}

int rpc_inflate(struct str block, enum rpc_coding coding, struct buf *out, struct err *err)
{
    bool gzip = coding == RPC_GZIP;
    struct inflate_state state = {.gzip = gzip, .name = gzip ? "gzip" : "deflate", .rest = block};
    if (inflateInit2(&state.z, gzip ? 15 + 16 : 15) != Z_OK) {
        BUG("zlib cannot start");
    }
    int rc = inflate_all(&state, block, out, err);
    (void) inflateEnd(&state.z);
    return rc;
}

void rpc_gzip(struct str text, struct buf *out)
{
    unsigned char chunk[CHUNK_BYTES];
    z_stream z = {0};
    if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        BUG("zlib cannot start");
    }
    int zrc = Z_OK;
    while (zrc == Z_OK && !out->failed) {
        if (z.avail_in == 0 && text.len > 0) {
            size_t n = text.len < PIECE_BYTES ? text.len : PIECE_BYTES;
            z.next_in = (const Bytef *) text.ptr;
            z.avail_in = (uInt) n;
            text = (struct str){text.ptr + n, text.len - n};
        }
        z.next_out = chunk;
        z.avail_out = sizeof chunk;
        zrc = deflate(&z, text.len > 0 ? Z_NO_FLUSH : Z_FINISH);
        buf_add(out, chunk, sizeof chunk - z.avail_out);
    }
    (void) deflateEnd(&z);
}
