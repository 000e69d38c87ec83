/*
 * Which peer of a track takes a request: power of two choices. Two different peers are drawn by
 * weight, the one with fewer requests in flight for its weight is taken. Only the peers of the
 * track's best level (zone.h) take part.
 * M. Mitzenmacher, "The power of two choices in randomized load balancing", IEEE TPDS 12(10), 2001.
 */
#pragma once

#include "traffic/zone.h"

#define PICK_TRIED_MAX 32u

/* Peers that this request has already tried in vain. */
struct pick_tried {
    uint16_t slot[PICK_TRIED_MAX];
    uint32_t count;
};

/*
 * A ready peer of the track that was not tried: one of the best level, or an unknown one when all
 * that pass were tried. Failing ones are not what a request tries after those that pass.
 * random: 64 fresh bits. ret_meta: the word it was chosen by, for zone_pin_take(); HEALTH_DOWN in
 * it: this was panic. Returns its slot, or -1 if there is none.
 */
int pick_peer(const struct zone *zone, const struct service *service, enum track track,
              const struct pick_tried *tried, uint64_t random, uint32_t *ret_meta);
