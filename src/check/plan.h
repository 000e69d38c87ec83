/*
 * What one kind of health check asks a peer and what it wants to hear, with the reading of its
 * parameters from text. Pure, no allocation: all texts are borrowed and outlive the plan.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define CHECK_LOOK_MAX      16384u /* bytes of a head and of a body that are looked at */
#define CHECK_URI_MAX       2048u
#define CHECK_HOST_MAX      255u
#define CHECK_NEEDLE_MAX    1024u /* of a text that is looked for or sent */
#define CHECK_STATUS_RANGES 32u

enum check_kind { CHECK_KIND_HTTP, CHECK_KIND_GRPC, CHECK_KIND_TCP };

/* "200,204,300-399" */
struct check_statuses {
    size_t count;
    struct {
        uint16_t first, last;
    } range[CHECK_STATUS_RANGES];
};

/* Members of other kinds are not looked at. A text with ptr NULL is not there. */
struct check_plan {
    enum check_kind kind;
    bool tls;  /* grpc: the scheme is https; the caller makes the TLS */
    bool head; /* http: HEAD instead of GET */

    struct str host;                /* http: Host, grpc: :authority */
    struct str uri;                 /* http */
    struct check_statuses statuses; /* http: the right ones */
    struct str header_name;         /* http: a header that has to be there ... */
    struct str header_text;         /* ... and what one of its values has to contain */
    struct str body;                /* http: what the body has to contain */

    struct str service; /* grpc: may be empty, which asks for the server as a whole */

    struct str send, expect; /* tcp */
};

/* Statuses are 100 to 599. ERR_INVALID says what would be right; *ret_statuses is then untouched.
 */
int check_statuses_read(struct str text, struct check_statuses *ret_statuses, struct err *err);
bool check_statuses_has(const struct check_statuses *statuses, unsigned status);

/* "NAME: TEXT"; spaces around both do not count. Views of text. */
int check_header_read(struct str text, struct str *ret_name, struct str *ret_text, struct err *err);

/*
 * Appends text with \r \n \t \\ and \xHH undone. ERR_INVALID for another letter behind a backslash,
 * ERR_FULL when buf is; buf is to be cleared then.
 */
int check_escapes_read(struct str text, struct buf *buf, struct err *err);

/*
 * Is the plan one that a dialogue can be made of? ERR_INVALID with a message that names the
 * parameter as the directive does: `uri is "healthz"; a path that begins with "/" is right`.
 */
int check_plan_valid(const struct check_plan *plan, struct err *err);
