#pragma once
/* Words of messages, for the files that read text. */
#include "base/buf.h"
#include "base/str.h"

/* The first bytes of a value as a JSON string, fit for a message whatever is in it; out. */
const char *proto_quoted(struct str s, char out[256]);

/* What a wrong word may have meant.  Large, hence for the paths of errors. */
enum { PROTO_NAMES_MAX = 256, PROTO_NAME_SIZE = 65 };
struct proto_names {
    char copy[PROTO_NAMES_MAX][PROTO_NAME_SIZE];
    const char *name[PROTO_NAMES_MAX];
    size_t len;
};
/* Longer names and more of them are left out. */
void proto_names_add(struct proto_names *names, struct str name);
/* Appends `: did you mean "near"?` or, when there are few of them, `: it has a, b`. */
void proto_names_suggest(const struct proto_names *names, struct str word, struct buf *b);
