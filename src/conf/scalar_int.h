#pragma once
/* How a text is written as a YAML scalar. */
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>

/* Plain where it stays the same text, else in quotes; always one line. */
void scalar_add(struct buf *b, struct str text, bool flow);

/* Whether a literal block (|) can hold it and reads better: several lines of harmless text. */
bool scalar_is_block(struct str text);

/* "|" with its indicators, and the lines at this indent, which is that of the parent and 2. */
void scalar_add_block(struct buf *b, struct str text, unsigned indent);

/* Text of a comment in one line: what could end the line or is not allowed becomes U+FFFD. */
void scalar_add_comment(struct buf *b, struct str line);
