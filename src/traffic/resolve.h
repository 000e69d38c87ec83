/*
 * The addresses of a name as peers of its service: answers of a resolver are merged into the zone.
 * Pure; the zone's mutex is held by the caller.
 *
 * What holds
 *   - The peers of a name are the addresses of its last answer, each once, at most
 *     RESOLVE_ADDRESSES_MAX of them.
 *   - New ones are there before old ones go: no moment without a peer.
 *   - One that stays is not touched: its counts, its health and its slow start go on.
 *   - A new one is as its name is: track, weight, data center, what is wanted of it, its drain.
 *   - While the resolver fails the last addresses stay.
 */
#pragma once

#include "traffic/zone.h"

#define RESOLVE_ADDRESSES_MAX 64u

/* An address of an answer, its port in it. text: as NGINX prints it. */
struct resolve_address {
    struct str text;
    const void *sockaddr;
    size_t sockaddr_len;
};

struct resolve_now {
    uint64_t mono_ms, wall_ms;
};

/* What an answer changed. told: the name's error is another one now, maybe none. */
struct resolve_change {
    unsigned added, removed;
    bool told;
};

/*
 * Slot of the name that is resolved for this line of nginx.conf, or -1: it is not there, or
 * removed. track: as nginx.conf says it.
 */
int resolve_find(const struct zone *zone, const struct service *service, struct str address,
                 enum track track);

/* Has the service no ready peer at all, and a name whose first answer is still to come? */
bool resolve_awaited(const struct zone *zone, const struct service *service);

/*
 * Takes an answer for the name in slot. count 0: the name has no address, and so no peers. What
 * there is no room for is told in the name's error.
 */
struct resolve_change resolve_answer_locked(struct zone *zone, struct service *service,
                                            unsigned slot, const struct resolve_address *address,
                                            size_t count, struct resolve_now now);

/* The resolver failed, and says why (not empty). Returns whether the name's error is another one
 * now. */
bool resolve_failed_locked(struct zone *zone, struct service *service, unsigned slot,
                           struct str why);
