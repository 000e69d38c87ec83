#pragma once
/*
 * The cookies of one visitor, for the HTTP cases of a test (RFC 6265, for one host: domain is not
 * looked at).
 */
#include "base/buf.h"
#include "base/str.h"
#include "base/vec.h"

#define COOKIES_MAX 100

struct cookie {
    char *name, *value, *path;
};

struct cookies {
    VEC(struct cookie) list;
};

/* A Set-Cookie header of an answer to path; now_s: seconds since 1970.  What is malformed is
 * ignored. */
void cookies_take(struct cookies *cookies, struct str set_cookie, struct str path, int64_t now_s);
/* "a=1; b=2" for a request to path, or nothing. */
void cookies_header(const struct cookies *cookies, struct str path, struct buf *b);
void cookies_done(struct cookies *cookies);
