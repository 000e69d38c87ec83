/*
 * Differences of peers from nginx.conf: what commands made of them and the state file keeps. Pure,
 * over the zone.
 *
 * A difference is known by the service, the address, and the track that nginx.conf has the peer on;
 * one that was added by its address and its own track. docs/reference/state.md tells who wins.
 */
#pragma once

#include "traffic/zone.h"

struct peer_diff {
    size_t address_len, name_len, dc_len;
    char address[ZONE_ADDRESS_MAX + 1], name[ZONE_ADDRESS_MAX + 1], dc[ZONE_DC_MAX + 1];
    bool in_config;  /* nginx.conf has it */
    enum track base; /* ... on this track */
    enum track track;
    uint32_t weight;
    enum peer_state state; /* ready, draining, down or removed */
    struct peer_drain drain;
};

/* The difference of what is in the slot; false: it is as nginx.conf says, or there is nothing. */
bool peer_diff_get(const struct zone *zone, const struct service *service, unsigned slot,
                   struct peer_diff *ret_diff);

/* The slot of the peer that the difference is about, or -1. */
int peer_diff_find(const struct zone *zone, const struct service *service,
                   const struct peer_diff *diff);

/*
 * Makes the difference; those of nginx.conf's peers have to come before those of added ones, and
 * peer_diff_settle_locked() at the end. now_ms: CLOCK_MONOTONIC, for slow starts; 0: there are
 * none. ERR_NOT_FOUND: nginx.conf does not have the peer any more, and its difference is of no use;
 * ERR_FULL.
 */
int peer_diff_put_locked(struct zone *zone, struct service *service, const struct peer_diff *diff,
                         uint64_t now_ms, unsigned *ret_slot, struct err *err);

/* Makes the peer as nginx.conf says; one that it does not have is removed. */
void peer_diff_undo_locked(struct zone *zone, struct service *service, unsigned slot,
                           uint64_t now_ms);

/*
 * A peer that is new in nginx.conf may be there already: added by command, or in nginx.conf under
 * another name or data center. What was asked of such an ancestor is asked of the new one, which is
 * added down and then inherits; what was added by command is removed.
 */
bool peer_diff_ancestor(const struct zone *zone, const struct service *service, struct str address,
                        enum track base);
void peer_diff_inherit_locked(struct zone *zone, struct service *service, unsigned slot);

/*
 * When nginx.conf is another one now, a track may have an address twice: what a command moved there
 * goes back to the track where nginx.conf has it.
 */
void peer_diff_settle_locked(struct zone *zone, struct service *service);

/*
 * The slot with this address on this track but `except` (-1: none), neither a removed one nor an
 * address of a name; or -1.
 */
int peer_diff_other(const struct zone *zone, const struct service *service, struct str address,
                    enum track track, int except);
