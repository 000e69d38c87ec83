/*
 * The text of the state file: what a router keeps over restarts, crashes and binary upgrades. Pure:
 * no I/O; reading allocates nothing and copies nothing but short texts.
 *
 *   {"pourover_state":2,"instance":"9d0c6f2a41b7e835","alive_at_ms":1763766000000,"lines":5,
 *    "sum":"..."}                                                          (one line in the file)
 *   {"failing":false,"revision":2,"by":"release 12","since_ms":1763765000000,"sum":"..."}
 *   {"name":"shop","share_ppm":0,"salt":"r7","enabled":true,"revision":3,"sum":"..."}
 *   {"name":"student-api","share_ppm":1000,"salt":"r42","enabled":true,"revision":41,"sum":"..."}
 *   {"control":"student-api","revision":7,"maintenance":false,"by":"","message":"","since_ms":0,
 *    "sum":"..."}
 *   {"peer":"10.0.1.11:8080","service":"student-api","config":"stable","track":"stable","weight":1,
 *    "dc":"","name":"","state":"draining","by":"release 12",
 *    "since_ms":1763765900000,"requests_until_ms":0,"streams_until_ms":0,"sum":"..."}
 *   {"end":5,"sum":"..."}
 *
 * "failing" is of the router and there once at most. "name" is the split of a service; "control",
 * which counts the changes of peers and maintenance, and the differences of its peers from
 * nginx.conf stand right behind it, in this order. "config" "": nginx.conf does not have the peer;
 * only then "dc" and "name" are told.
 *
 * Every line ends in a line feed; its sum is the SipHash-2-4 (a key of zeros) of its bytes before
 * `,"sum"`, 16 hex digits. A text that is cut, or whose header, end or number of lines is wrong, is
 * refused as a whole; another wrong line is that line's loss alone. Layout 1, which knew splits
 * only and called "lines" "services", is read too.
 */
#pragma once

#include "base/buf.h"
#include "base/err.h"
#include "traffic/control.h"
#include "traffic/peer_diff.h"
#include "traffic/zone.h"

#define STATE_LAYOUT   2u
#define STATE_LINE_MAX 4096u       /* bytes of a line with its line feed */
#define STATE_TEXT_MAX (16u << 20) /* bytes of a whole text */

struct state_header {
    uint64_t instance;    /* of the zone that wrote the text */
    uint64_t alive_at_ms; /* wall clock: when it was written, which a living router does often */
    uint64_t lines;       /* number of lines between header and end */
};

enum state_item { STATE_END, STATE_SPLIT, STATE_CONTROL, STATE_PEER, STATE_FAILING, STATE_BAD };

struct state_line {
    struct str text; /* as it stands, without the line feed */
    size_t name_len; /* of the service: 1 .. ZONE_NAME_MAX; 0: it is of none */
    char name[ZONE_NAME_MAX + 1];
    uint64_t revision; /* of control and failing: how many changes were saved */
    union {
        struct split split; /* without its key */
        struct maintenance_order maintenance;
        struct peer_diff peer;
        struct failing_order failing;
    } is;
};

static inline struct str state_name(const struct state_line *line)
{
    return (struct str){line->name, line->name_len};
}

/* What is left of a text. */
struct state_reader {
    struct str rest;
    unsigned layout;
    unsigned line; /* of the line read last, from 1 */
};

/*
 * Checks the frame of a whole text and starts reading its lines. ERR_INVALID: refused; the message
 * says why.
 */
int state_read(struct state_reader *reader, struct str text, struct state_header *ret_header,
               struct err *err);

/* Only the first line; text may go on behind it or be cut there. */
int state_read_header(struct str text, struct state_header *ret_header, struct err *err);

/*
 * The next line. STATE_BAD: it is not to be believed, err says why, reading may go on. err may be
 * NULL.
 */
enum state_item state_next(struct state_reader *reader, struct state_line *ret_line,
                           struct err *err);

/*
 * Is what a router wrote at header->alive_at_ms still to be believed? Not when it lived last longer
 * than max_age_ms ago, or more than a day in the future.
 */
int state_check_age(const struct state_header *header, uint64_t now_ms, uint64_t max_age_ms,
                    struct err *err);

/* Append a line each. name: UTF-8. Look at buf->failed at the end. */
void state_put_header(struct buf *buf, const struct state_header *header);
void state_put_failing(struct buf *buf, uint64_t revision, const struct failing_order *failing);
void state_put_split(struct buf *buf, struct str name, const struct split *split);
void state_put_line(struct buf *buf, struct str line); /* one of state_next */
void state_put_end(struct buf *buf, uint64_t lines);
/* The control line of a service and its peers' differences; how many lines that are. The mutex is
 * held. */
uint64_t state_put_control_locked(struct buf *buf, const struct zone *zone,
                                  const struct service *service);

/*
 * Takes what the control line `line` and the lines of peers behind it in the reader say, as a
 * whole: peers that they do not name are as nginx.conf says. now_ms as for peer_diff_put_locked.
 * Nothing is done, and 0 returned, when the zone's control revision is not lower. Returns 1, or
 * ERR_FULL when there is no room for a peer; the others are there then. The reader is moved behind
 * those lines in any case.
 */
int state_take_control_locked(struct zone *zone, struct service *service,
                              const struct state_line *line, struct state_reader *reader,
                              uint64_t now_ms, struct err *err);
