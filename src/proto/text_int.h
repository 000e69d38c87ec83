#pragma once
/* Input in messages, for the files that read text. */
#include "base/str.h"

/* The first bytes of a value as a JSON string, fit for a message whatever is in it; out. */
const char *proto_quoted(struct str s, char out[256]);
