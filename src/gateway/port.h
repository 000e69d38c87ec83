#pragma once
/*
 * What a release asks of its routers, as calls that block until it is proved at every router, or
 * until the deadline.  Each call opens its own loop and connections, so calls may be made from
 * several threads at once.  Nothing here takes a router's word for another's.
 *
 * A copy of the service is a peer: address and track.
 */
#include "gateway/fleet.h"

#include <stdatomic.h>

struct port_routers {
    const struct router *router; /* n */
    size_t n;
    const char *service;
    const char *bearer; /* NULL: none */
    const atomic_bool *cancelled;
    uint64_t deadline_ms; /* clock_mono_ms */
    uint64_t poll_ms;     /* between readings; 0: 100 */
    struct buf *told;     /* appended: what a reader should know, one line each; never NULL */
};

/* All calls: 0; ERR_UNREACHABLE (a router that is needed does not answer; named), ERR_TIMEOUT (says
 * what did not show), ERR_CONFLICT (somebody else changed it), ERR_REMOTE, ERR_DENIED, ERR_IO,
 * ERR_CANCELLED. */

/* Draining at every router, `by` being the reason; limits as of the router's API. */
int port_drain(const struct port_routers *at, const char *address, const char *by,
               uint64_t requests_ms, uint64_t streams_ms, struct err *err);
/* After port_drain: nothing in flight, by two readings at every router (drain.h).  What was cut by
 * the limits is told line by line. */
int port_quiet(const struct port_routers *at, const char *address, struct err *err);
/*
 * Ready on the track at every router and passing its check there (unchecked counts when the router
 * has no check); then each has sent it traffic, or had none to send to that track meanwhile: told
 * when not proved by traffic.  passing_within_ms: how long it may take to pass.
 */
int port_ready(const struct port_routers *at, const char *address, enum track track,
               struct err *err);
/* Adds the peer, draining, where it is missing. */
int port_add(const struct port_routers *at, const char *address, enum track track, const char *dc,
             uint64_t weight, const char *by, struct err *err);
int port_remove(const struct port_routers *at, const char *address, struct err *err);
int port_track(const struct port_routers *at, const char *address, enum track track,
               struct err *err);

/* What the routers see of tracks and of one data center; the least of all routers counts. */
struct port_capacity {
    uint64_t weight[TRACKS];         /* ready and passing (or unchecked) */
    uint64_t weight_without[TRACKS]; /* the same without `address` */
    uint64_t peers_dc_without; /* ready and passing peers of dc on address's track, without it */
    bool known;                /* address is a peer everywhere */
    enum track track;          /* of address */
};
/* address, dc: may be NULL. */
int port_capacity(const struct port_routers *at, const char *address, const char *dc,
                  struct port_capacity *ret, struct err *err);

/* salt NULL: kept.  A raise needs all routers; a lowering goes to each that answers and is tried
 * again at the others until the deadline. */
int port_share(const struct port_routers *at, uint32_t share_ppm, const char *salt,
               struct err *err);
/* The split that all agree on. */
int port_split(const struct port_routers *at, struct router_split *ret, struct err *err);
/* Sampled visitors through each of `visit` (NULL: the routers' own cut endpoint is not known:
 * told). */
int port_verify(const struct port_routers *at, const char *const *visit, size_t n_visit,
                uint32_t share_ppm, struct err *err);

/* A look at the canary's figures, for limits. */
struct port_figures {
    uint64_t requests[TRACKS], errors[TRACKS];
    uint64_t p99_us[TRACKS];
    bool broken; /* a router restarted between the two looks: no figures */
};
struct port_look; /* of all routers, at one time; owned */
int port_look(const struct port_routers *at, struct port_look **ret, struct err *err);
void port_look_free(struct port_look *take_look);
/* What came between two looks. */
void port_between(const struct port_look *from, const struct port_look *to,
                  struct port_figures *ret);
