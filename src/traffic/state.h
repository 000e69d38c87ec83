/*
 * The text of the state file: what a router keeps over restarts, crashes and binary upgrades. Pure:
 * no I/O; reading allocates nothing and copies nothing but names and salts.
 *
 *   {"pourover_state":1,"instance":"9d0c6f2a41b7e835","alive_at_ms":1763766000000,"services":2,
 *    "sum":"..."}                                                          (one line in the file)
 *   {"name":"shop","share_ppm":0,"salt":"r7","enabled":true,"revision":3,"sum":"..."}
 *   {"name":"student-api","share_ppm":1000,"salt":"r42","enabled":true,"revision":41,"sum":"..."}
 *   {"end":2,"sum":"..."}
 *
 * Every line ends in a line feed; its sum is the SipHash-2-4 (a key of zeros) of its bytes before
 * `,"sum"`, 16 hex digits. A text that is cut, or whose header, end or number of lines is wrong, is
 * refused as a whole; a wrong line of a service is that service's loss alone.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "traffic/zone.h"

#define STATE_LAYOUT   1u
#define STATE_LINE_MAX 1024u       /* bytes of a line with its line feed */
#define STATE_TEXT_MAX (16u << 20) /* bytes of a whole text */

struct state_header {
    uint64_t instance;    /* of the zone that wrote the text */
    uint64_t alive_at_ms; /* wall clock: when it was written, which a living router does often */
    uint64_t services;    /* number of lines between header and end */
};

struct state_service {
    size_t name_len; /* 1 .. ZONE_NAME_MAX */
    char name[ZONE_NAME_MAX + 1];
    struct split split; /* without its key */
};

static inline struct str state_name(const struct state_service *service)
{
    return (struct str){service->name, service->name_len};
}

/* What is left of a text. */
struct state_reader {
    struct str rest;
    unsigned line; /* of the line read last, from 1 */
};

/*
 * Checks the frame of a whole text and starts reading its services. ERR_INVALID: refused; the
 * message says why.
 */
int state_read(struct state_reader *reader, struct str text, struct state_header *ret_header,
               struct err *err);

/* Only the first line; text may go on behind it or be cut there. */
int state_read_header(struct str text, struct state_header *ret_header, struct err *err);

enum state_item { STATE_END, STATE_SERVICE, STATE_BAD };

/*
 * The next service. STATE_SERVICE: ret_line is its line as it stands, without the line feed.
 * STATE_BAD: the line is not to be believed, err says why, reading may go on.
 */
enum state_item state_next(struct state_reader *reader, struct state_service *ret_service,
                           struct str *ret_line, struct err *err);

/*
 * Is what a router wrote at header->alive_at_ms still to be believed? Not when it lived last longer
 * than max_age_ms ago, or more than a day in the future.
 */
int state_check_age(const struct state_header *header, uint64_t now_ms, uint64_t max_age_ms,
                    struct err *err);

/* Appends a line. name: UTF-8. Look at buf->failed at the end. */
void state_put_header(struct buf *buf, const struct state_header *header);
void state_put_service(struct buf *buf, struct str name, const struct split *split);
void state_put_line(struct buf *buf, struct str line); /* one of state_next */
void state_put_end(struct buf *buf, uint64_t services);
