#pragma once
/* What fleet.c offers to the changes in change.c, order.c and drain.c. */
#include "gateway/fleet.h"

enum call_kind {
    CALL_STATUS,
    CALL_SERVICE,
    CALL_STATS,
    CALL_TOKEN,
    CALL_DETAIL,
    CALL_EVENTS,
    CALL_CHANGE
};

/*
 * Starts a call; r->err and r's answer are set before then(r), which may be NULL.  path: below the
 * router's url.
 */
void fleet_start_call(struct fleet_router *r, enum call_kind kind, const char *method,
                      const char *path, struct str body, void (*then)(struct fleet_router *r));
void fleet_start_read(struct fleet_router *r, void (*then)(struct fleet_router *r));
void fleet_start_status(struct fleet_router *r, void (*then)(struct fleet_router *r));
void fleet_start_stats(struct fleet_router *r, void (*then)(struct fleet_router *r));
void fleet_start_events(struct fleet_router *r, const char *after, size_t limit);
/* if_revision NULL: "any". */
void fleet_start_put(struct fleet_router *r, const struct router_patch *patch, uint64_t revision,
                     const uint64_t *if_revision, void (*then)(struct fleet_router *r));
/* "v1/services/NAME" and the tail. */
void fleet_path(const struct fleet *fleet, const char *tail, struct buf *b);
/* Waits until no call is under way. */
void fleet_settle(struct fleet *fleet);
/* The same until the deadline or an interruption; what is then under way is given up. */
void fleet_settle_until(struct fleet *fleet, uint64_t deadline_ms);
/* Gives up what is under way, without a word to whoever waits for it. */
void fleet_give_up(struct fleet *fleet);
/* The deadline, or a second from now: a router that hangs shall not cost the others their turn. */
uint64_t fleet_grace(uint64_t deadline_ms);
/* Waits so long, or until an interruption. */
void fleet_pause(struct fleet *fleet, uint64_t ms);
bool fleet_interrupted(const struct fleet *fleet);
/* Sets err to a copy of the router's with "router NAME: " in front. */
int fleet_blame(const struct fleet_router *r, struct err *err);
