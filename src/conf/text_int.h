#pragma once
/*
 * Lines and characters of YAML text.  Lines end at LF, CR, CR LF, NEL, LS and PS, as they do for
 * libyaml, so that a place means the same here and there.
 */
#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

/* Bytes of the line break at the start of s; 0: there is none. */
size_t text_break(struct str s);

/* The line (from 1) without its break; {NULL, 0} beyond the end. */
struct str text_line(struct str text, unsigned line);

/* What is in the line from this column (from 1, in characters) on; empty beyond its end. */
struct str text_from_col(struct str line, unsigned col);

/* The character at the start of s (not empty) and its bytes.  Bad UTF-8: U+FFFD, one byte. */
uint32_t text_char(struct str s, size_t *ret_bytes);

/* Columns of a terminal that the character takes: 0, 1 or 2. */
unsigned text_char_columns(uint32_t c);

/* Whether a terminal may get it: no control character, nor one that turns or hides text. */
bool text_char_harmless(uint32_t c);

/*
 * All is UTF-8 and has only characters that YAML allows.  err: the message and pos.line, pos.col;
 * pos.file is left for the caller.  Returns 0 or ERR_INVALID.
 */
int text_check(struct str text, struct err *err);

/* What stands at a place, for "unexpected ...": `"word"`, "tab", "end of the line or file". */
const char *text_seen(struct str text, unsigned line, unsigned col, char out[64]);

/*
 * The beginning of s for a message, in quotes, on one line: `"abc"`, `"a long te..."`; in single
 * ones when it has double ones.  Below 56 bytes, so that a word or two fit before it in 64.
 */
const char *text_quote(struct str s, char out[64]);
