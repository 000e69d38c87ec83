#pragma once
/* Peers and names of a service as commands call them, and how routers differ in them. */
#include "base/buf.h"
#include "gateway/fleet.h"

/* Who is meant. */
struct peer_ref {
    const char *address; /* of a peer, or a name that is resolved */
    bool has_track;      /* else: whichever track has it */
    enum track track;
};

enum peer_match {
    PEER_MISSING,
    PEER_FOUND,
    PEER_ON_BOTH, /* tracks: it has to be said which one */
    PEER_OF_NAME, /* an address of a name: it changes with that */
};

/* What a service shows of it. */
struct peer_view {
    const struct router_name *named; /* NULL: it is a peer */
    const struct router_peer *peer; /* the first of them; of PEER_OF_NAME the address; NULL: none */
    size_t peers;
    enum track track;
    enum router_state state;
    uint64_t weight, in_flight;
    const char *dc;
};

/* ret is set when it is found, or an address of a name. */
enum peer_match peers_find(const struct router_service *service, const struct peer_ref *ref,
                           struct peer_view *ret);

/* The next peer that the view is of, from *at on; NULL at the end. */
const struct router_peer *peers_next(const struct router_service *service,
                                     const struct peer_view *view, size_t *at);

/* Whether new requests go to the peer before they go to others. */
bool peers_is_live(const struct router_peer *p);

/*
 * Whether stable keeps a peer that takes requests when these are taken out, as far as it has one
 * now.
 */
bool peers_may_leave(const struct router_service *service, const struct peer_ref *ref, size_t n);

/* "there is no peer X; did you mean Y?", from what the routers that were read have. */
int peers_unknown(const struct fleet *fleet, const struct peer_ref *ref, struct err *err);

/*
 * After fleet_read: lines that say in what the routers that were reached differ: a peer, a name or
 * its state is on one and not on the other, weights, maintenance.  Returns how many lines.
 */
size_t peers_differ(const struct fleet *fleet, struct buf *lines);

/* Path of the API's calls for it: peers/ADDRESS, escaped, with the track if that is said. */
void peers_path(const struct fleet *fleet, const struct peer_ref *ref, struct buf *b);
