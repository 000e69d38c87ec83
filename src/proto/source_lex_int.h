#pragma once
/*
 * Tokens of .proto sources, and of the text format of aggregate option values, which has the same.
 * Comments and white space are skipped.  No recursion, no allocation but for the values of strings.
 */
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

/* Passes a failure on to the caller. */
#define TRY(call)               \
    do {                        \
        int try_result_ = call; \
        if (try_result_ < 0) {  \
            return try_result_; \
        }                       \
    } while (0)

enum lex_kind {
    LEX_END,
    LEX_IDENT,
    LEX_INT,    /* 12, 0x1f, 017; without a sign */
    LEX_FLOAT,  /* 1.5, .5, 1e3 */
    LEX_STRING, /* with its quotes */
    LEX_SYMBOL, /* one byte */
};

struct lex_token {
    enum lex_kind kind;
    struct str text; /* view of the source; of LEX_END empty, at its end */
};

struct lex {
    struct str whole;       /* the file, for positions */
    const char *shown;      /* its name in errors */
    struct err *err;        /* may be NULL */
    const char *at, *end;   /* what is not read yet; inside whole */
    struct lex_token token; /* the present one */
    const char *before;     /* end of the token before it */
};

/* Of the whole file; a byte order mark is skipped.  No token is present before lex_next. */
void lex_init(struct lex *lex, struct str whole, const char *shown, struct err *err);
/* Moves to the next token.  ERR_INVALID: there is none that can be. */
int lex_next(struct lex *lex) __attribute__((warn_unused_result));

bool lex_is(const struct lex *lex, const char *text); /* symbol or identifier */

/*
 * The bytes that the present string and those right behind it stand for: a view of the source, or
 * in the arena; moves behind them.  ERR_INVALID: a wrong escape; ERR_FULL.
 */
int lex_string(struct lex *lex, struct arena *arena, struct str *ret)
    __attribute__((warn_unused_result));

/* Of an LEX_INT.  ERR_FULL: above max. */
int lex_int_value(struct str token, uint64_t max, uint64_t *ret)
    __attribute__((warn_unused_result));
/* Of an LEX_FLOAT or a decimal LEX_INT; infinity when it is too large.  ERR_FULL: too long. */
int lex_float_value(struct str token, double *ret) __attribute__((warn_unused_result));

/* ERR_INVALID with the place of at, a pointer into whole (any other: the file alone). */
int lex_fail(const struct lex *lex, const char *at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* "expected WHAT, not TOKEN" at the present token. */
int lex_expected(const struct lex *lex, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The present token for a message: `"foo"`, `the end of the file`; cut when it is long. */
const char *lex_shown(const struct lex *lex, char out[64]);

/* Line and column (bytes), both from 1, of a pointer into text; false: it is not in it. */
bool lex_pos(struct str text, const char *at, unsigned *ret_line, unsigned *ret_col);
