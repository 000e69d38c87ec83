/* Memory of the zone, for the files that make records in it. */
#pragma once

#include "traffic/zone.h"

/* What a record of size bytes takes. */
uint64_t zone_round(uint64_t size);

/* A zeroed record of size bytes, never given back but to a free list; NULL when the zone is full.
 */
void *zone_take(struct zone *zone, uint64_t size);

/* Offset of a record that lies in the zone, in units of 64 bytes. */
uint32_t zone_offset(const struct zone *zone, const void *record);

/* Sets what all processes counted at the peer in slot to 0; nobody may have it pinned. */
void zone_pins_forget(const struct zone *zone, const struct service *service, unsigned slot);

/* A peer's cold part, to be written under the mutex. */
struct peer *zone_peer_cold(const struct zone *zone, const struct service *service, unsigned slot);

/* Stores a peer's hot word and keeps the service's counts and the epoch. */
void zone_meta_store(struct zone *zone, struct service *service, unsigned slot, uint32_t new);

/* Begins the peer's slow start, if the service has one; returns its weight now, in sixteenths. */
uint32_t zone_ramp_begin(struct service *service, struct peer *peer, uint64_t now_ms);

/*
 * The two steps of zone_pin_take(), apart so that a test can put a drainer's steps between them.
 * Both are sequentially consistent, as the drainer's are: it is in that one order of all four that
 * either the drainer reads our count or we read its word.
 */
static inline void zone_pin_announce(struct pin *pin)
{
    atomic_fetch_add(&pin->in_flight, 1);
}

static inline bool zone_pin_confirm(struct peer_chunk *chunk, unsigned slot, struct pin *pin,
                                    uint32_t meta)
{
    if (atomic_load(&chunk->meta[slot % ZONE_CHUNK_PEERS]) == meta) {
        return true;
    }
    atomic_fetch_sub(&pin->in_flight, 1);
    return false;
}
