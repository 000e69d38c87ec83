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
