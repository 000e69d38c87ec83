#pragma once
/*
 * JSON text (RFC 8259): a writer on struct buf and a strict pull reader.  No allocation in either.
 */
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Writer.  Commas and colons are set by themselves:
 *     json_obj_begin(&w);
 *     json_kv_u64(&w, "version", 3);
 *     json_key(&w, "peers");
 *     json_arr_begin(&w); json_cstr(&w, "10.0.0.5"); json_arr_end(&w);
 *     json_obj_end(&w);
 * Look at buf->failed at the end: it is set when the text did not fit or was nested deeper than
 * JSON_WRITER_DEPTH.  That begins match ends and keys come before values is the caller's duty.
 */
#define JSON_WRITER_DEPTH 32

struct json_writer {
    struct buf *buf;
    unsigned depth;
    uint64_t comma; /* bit d: the level d has an element already */
    bool after_key;
};

void json_writer_init(struct json_writer *w, struct buf *buf);
void json_obj_begin(struct json_writer *w);
void json_obj_end(struct json_writer *w);
void json_arr_begin(struct json_writer *w);
void json_arr_end(struct json_writer *w);
void json_key(struct json_writer *w, const char *name);
void json_key_str(struct json_writer *w, struct str name);

/* Any bytes: quotes, backslashes, control characters (DEL and U+0080..U+009F too) are escaped;
 * bad UTF-8 becomes U+FFFD. */
void json_str(struct json_writer *w, struct str value);
/* NULL is written as null. */
void json_cstr(struct json_writer *w, const char *value);
void json_u64(struct json_writer *w, uint64_t value);
void json_i64(struct json_writer *w, int64_t value);
void json_bool(struct json_writer *w, bool value);
void json_null(struct json_writer *w);
/* The shortest of 15 to 17 digits that reads back the same; NaN and infinities: null. */
void json_double(struct json_writer *w, double value);
/* One value that is JSON text already. */
void json_raw(struct json_writer *w, struct str text);

void json_kv_u64(struct json_writer *w, const char *name, uint64_t value);
void json_kv_i64(struct json_writer *w, const char *name, int64_t value);
void json_kv_str(struct json_writer *w, const char *name, struct str value);
void json_kv_cstr(struct json_writer *w, const char *name, const char *value);
void json_kv_bool(struct json_writer *w, const char *name, bool value);
void json_kv_double(struct json_writer *w, const char *name, double value);

/* Appends s as a JSON string with its quotes; what json_str writes, for use without a writer. */
void json_quote(struct buf *buf, struct str s);

/*
 * Reader.  Pulls one token a call from a text that must outlive it:
 *     while ((token = json_next(&r)) > JSON_END) ...
 * JSON_END comes once the one value and the text are at their end; JSON_ERROR and JSON_END stay.
 * Refused beyond the grammar: invalid UTF-8, nesting deeper than JSON_READER_DEPTH (or what
 * json_reader_init_deep was given).
 * Not refused: the same key twice (the caller's duty, where it matters).
 */
#define JSON_READER_DEPTH     16
#define JSON_READER_DEPTH_MAX 127

enum json_token {
    JSON_ERROR,
    JSON_END,
    JSON_OBJ_BEGIN,
    JSON_OBJ_END,
    JSON_ARR_BEGIN,
    JSON_ARR_END,
    JSON_KEY,
    JSON_STRING,
    JSON_NUMBER,
    JSON_TRUE,
    JSON_FALSE,
    JSON_NULL,
};

struct json_reader {
    struct str value; /* KEY, STRING: the bytes between the quotes, still escaped; else the token */
    bool escaped;     /* KEY, STRING: value has escapes, use json_unescape */
    const char *error; /* after JSON_ERROR: static, or of this reader; else NULL */
    /* private */
    struct str text;
    size_t off;     /* first byte not read */
    size_t at;      /* start of the present token, or the place of the error */
    unsigned depth; /* open objects and arrays */
    unsigned max_depth;
    uint32_t is_obj[4]; /* bit d: the container d is an object */
    int state;
    char message[64]; /* room for an error with a number in it */
};

void json_reader_init(struct json_reader *r, struct str text);
/* For texts that are nested deeper, such as other people's: max_depth up to JSON_READER_DEPTH_MAX.
 */
void json_reader_init_deep(struct json_reader *r, struct str text, unsigned max_depth);
enum json_token json_next(struct json_reader *r);

/*
 * Skips the next value with all that is inside; to be called after JSON_KEY, or in an array that
 * has a further value.  0, or ERR_INVALID when the text is wrong (r->error says why) or no value
 * follows.
 */
int json_skip(struct json_reader *r) __attribute__((warn_unused_result));

/* Place of the present token or of the error.  Both count from 1; col counts bytes. */
void json_reader_pos(const struct json_reader *r, unsigned *ret_line, unsigned *ret_col);

/*
 * The text that a KEY or STRING stands for.  raw: r->value.  out: size bytes, gets the text and a
 * NUL; never longer than raw.len + 1.  ret: view of out without the NUL.
 * ERR_FULL when it does not fit; ERR_INVALID for \u0000, a lone surrogate, or a malformed escape.
 */
int json_unescape(struct str raw, char *out, size_t size, struct str *ret)
    __attribute__((warn_unused_result));
/* The same for those who take any text: \u0000 is a NUL byte in it. */
int json_unescape_nul(struct str raw, char *out, size_t size, struct str *ret)
    __attribute__((warn_unused_result));
