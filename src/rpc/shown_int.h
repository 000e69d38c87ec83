#pragma once
/* Foreign text in messages. */
#include "base/str.h"

#include <stddef.h>

/* The longest start of text that is printable UTF-8 of one line and not longer than max bytes. */
struct str rpc_shown(struct str text, size_t max);
