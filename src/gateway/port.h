#pragma once
/*
 * What a release asks of its routers, as calls that block until it is proved at every router, or
 * until the deadline.  Each call opens its own loop and connections, so calls may be made from
 * several threads at once.  Nothing here takes a router's word for another's.
 *
 * A copy of the service is a peer: address and track.  The address is the one of a peer, or a name
 * that the routers resolve (then all its addresses are meant).
 *
 * All calls look first, act where it is needed, and read back: to make one again is to make it
 * once.  A router that does not answer is tried again until the deadline and holds up none of the
 * others; one that hangs counts as silent after two seconds.  When the flag of `cancelled` is set,
 * a call ends within about 20 ms; only a raise that was begun, and a round of test visitors, are
 * seen through first.
 */
#include "gateway/fleet.h"

#include <stdatomic.h>

struct port_routers {
    const struct router *router; /* n: 1 to FLEET_MAX */
    size_t n;
    const char *service;
    const char *bearer;           /* NULL: none */
    const atomic_bool *cancelled; /* NULL: none */
    uint64_t deadline_ms;         /* clock_mono_ms */
    uint64_t poll_ms; /* between readings; 0: 20, and more (to 100) the longer it takes */
    struct buf *told; /* appended: what a reader should know, one line each; never NULL */
};

/*
 * All calls: 0, or
 *   ERR_UNREACHABLE  a router that is needed does not answer: it is named
 *   ERR_TIMEOUT      says at which router what did not show
 *   ERR_CONFLICT     somebody else holds it, or changed it meanwhile
 *   ERR_NOT_FOUND    there is no such peer; port_verify: nothing was tested
 *   ERR_IO           in effect, but a router could not save it until the deadline
 *   ERR_REMOTE       a router has no such service, refuses, or answers what cannot be; port_verify:
 *                    a definite mismatch
 *   ERR_DENIED, ERR_CANCELLED, ERR_INVALID (what was given cannot be), ERR_INTERNAL (no libcurl)
 * Outputs are untouched on failure.
 */

/*
 * Draining at every router, `by` (1 to 64 bytes) being the reason; limits as of the router's API,
 * 0: none.  A drain by the same name is taken as it is, so that limits go on from when they were
 * set; it is set anew only where they would be later than if they began now.  A drain by another
 * name, or a peer that is down by command, is left as it is: ERR_CONFLICT says whose it is.  A
 * router that lacks the peer, as after an addition that was broken off, sends it nothing: told.
 * ERR_NOT_FOUND: all lack it.
 */
int port_drain(const struct port_routers *at, const char *address, const char *by,
               uint64_t requests_ms, uint64_t streams_ms, struct err *err);
/*
 * After port_drain: nothing in flight, by two readings at every router (drain.h).  What was cut by
 * the limits is told line by line; when the deadline passes, what is in flight, too.  Routers that
 * lack the peer are told; ERR_NOT_FOUND: all do.
 */
int port_quiet(const struct port_routers *at, const char *address, struct err *err);
/*
 * Ready on the track at every router (whoever drained it there) and passing its check (unchecked
 * counts when the router has no check); then each has sent it traffic.  A router that sent none
 * within three seconds, or before the deadline, is told as not proved by traffic, unless so many
 * requests went to the track's other peers that this was no chance: then ERR_TIMEOUT.  Where the
 * split sends nobody, traffic is not waited for.  ERR_NOT_FOUND: a router lacks the peer; port_add
 * comes first.
 */
int port_ready(const struct port_routers *at, const char *address, enum track track,
               struct err *err);
/*
 * Adds the peer, draining by `by`, where it is missing; where it is there on that track, it stays
 * as it is.  dc NULL, weight 0: as the router says of new ones.
 */
int port_add(const struct port_routers *at, const char *address, enum track track, const char *dc,
             uint64_t weight, const char *by, struct err *err);
int port_remove(const struct port_routers *at, const char *address, struct err *err);
/* Its state stays. */
int port_track(const struct port_routers *at, const char *address, enum track track,
               struct err *err);

/* What the routers see of tracks and of one data center; the least of all routers counts. */
struct port_capacity {
    uint64_t weight[TRACKS];         /* ready and passing (or unchecked) */
    uint64_t weight_without[TRACKS]; /* the same without `address` */
    /* Ready and passing peers of dc (NULL: of all) on address's track, without it; 0: not known. */
    uint64_t peers_dc_without;
    uint64_t both_dc_without; /* the same on both tracks together */
    bool known;               /* address is a peer everywhere */
    bool somewhere;           /* ... of one router at least */
    enum track track;         /* of address, where it is known */
};
/* address, dc: may be NULL. */
int port_capacity(const struct port_routers *at, const char *address, const char *dc,
                  struct port_capacity *ret, struct err *err);

/*
 * salt NULL: kept.  A raise needs all routers, which have to agree, and waits for those that are
 * away; what fails half way is set back, which may take some seconds more than the deadline.  A
 * lowering goes at once to each that answers and is tried again at the others until the deadline.
 * ERR_CONFLICT, too: the split is disabled, so that a share above 0 means nothing.
 */
int port_share(const struct port_routers *at, uint32_t share_ppm, const char *salt,
               struct err *err);
/* The split that all agree on. */
int port_split(const struct port_routers *at, struct router_split *ret, struct err *err);
/*
 * Sampled visitors, answered by the routers themselves, through each of `visit`: one address for
 * each router, or one for all.  None: told, and 0.  share_ppm: what the routers are to have.
 */
int port_verify(const struct port_routers *at, const char *const *visit, size_t n_visit,
                uint32_t share_ppm, struct err *err);

/* A look at the canary's figures, for limits. */
struct port_figures {
    uint64_t requests[TRACKS], errors[TRACKS]; /* errors: as of struct router_counts */
    uint64_t p99_us[TRACKS];                   /* of the times to the answer's head; 0: none */
    bool broken; /* a router restarted between the two looks: no figures */
};
struct port_look; /* of all routers, at one time; owned */
int port_look(const struct port_routers *at, struct port_look **ret, struct err *err);
void port_look_free(struct port_look *take_look);
/* What came between two looks at the same routers. */
void port_between(const struct port_look *from, const struct port_look *to,
                  struct port_figures *ret);
