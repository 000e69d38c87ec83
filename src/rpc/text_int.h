#pragma once
/* Small things about foreign text. */
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

/* For messages: the longest start that is printable UTF-8 of one line and at most max bytes. */
struct str rpc_shown(struct str text, size_t max);

/* Of a token (RFC 9110 section 5.6.2): what methods and names of headers are made of. */
bool rpc_is_token_char(char c);
