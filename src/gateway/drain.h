#pragma once
/*
 * The proof of a drain: at a router that still has requests of its own in flight, nothing is
 * proved by one reading.
 *
 * A drain is proved at a router by two readings one after the other, each of which says that the
 * peer drains, that nothing is in flight there, and that no second NGINX master serves beside this
 * one: what that one has in flight is not known.
 */
#include "base/vec.h"
#include "gateway/order.h"
#include "gateway/peers.h"

/*
 * Waits until every drain that is proved to be set (FLEET_PROVED in result, n for each router) is
 * proved to be over.  Those become FLEET_PROVED; FLEET_NOT_PROVED with why ERR_TIMEOUT (the text
 * says what is in flight), ERR_UNREACHABLE or, when interrupted, ERR_CANCELLED; FLEET_REFUSED when
 * somebody else ended the drain.  All others are left as they are.
 * round: called after each reading; NULL: not.  deadline_ms: by clock_mono_ms.
 */
void fleet_drain(struct fleet *fleet, const struct peer_ref *ref, size_t n, uint64_t deadline_ms,
                 void (*round)(void *ctx), void *ctx, struct fleet_result *result);

/* One reading, of status and then of the service: what fleet_drain makes of it. */
void fleet_drain_judge(const struct fleet_router *r, const struct peer_ref *ref,
                       struct fleet_result *result);

/* Requests at a peer, or at all addresses of a name, at one router. */
struct drain_requests {
    VEC(struct router_request) active, cut; /* cut: by the limits of the present drain */
    uint64_t more;                          /* active ones that are not listed */
};

/*
 * One round of calls: what is in flight and what was cut at every ref that drains, of the routers
 * that were read last.  ret: n for each router, zeroed.  A router that does not answer lists
 * nothing.
 */
void fleet_read_requests(struct fleet *fleet, const struct peer_ref *ref, size_t n,
                         uint64_t deadline_ms, struct drain_requests *ret);
void drain_requests_done(struct drain_requests *list);
