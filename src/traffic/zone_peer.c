/* Peers of a service in the shared zone: found, added, pinned; see zone.h. What is asked and seen
 * of them is in zone_order.c. */
#include <string.h>

#include "traffic/zone_int.h"

const struct peer *zone_peer(const struct zone *zone, const struct service *service, unsigned slot)
{
    return zone_peer_cold(zone, service, slot);
}

struct peer *zone_peer_cold(const struct zone *zone, const struct service *service, unsigned slot)
{
    return &zone_peer_chunk(zone, service, slot)->peer[slot % ZONE_CHUNK_PEERS];
}

int zone_peer_find(const struct zone *zone, const struct service *service, struct str address,
                   enum track track)
{
    unsigned slots = atomic_load_explicit(&service->slots, memory_order_acquire);
    int of_a_name = -1;

    for (unsigned slot = 0; slot < slots; slot++) {
        uint32_t meta = zone_peer_meta(zone, service, slot);
        enum peer_state state = META_STATE(meta);
        const struct peer *peer = zone_peer(zone, service, slot);
        if (state != PEER_FREE && state != PEER_REMOVED && META_TRACK(meta) == track &&
            str_eq((struct str){peer->address, peer->address_len}, address)) {
            if (peer->parent == 0) {
                return (int) slot;
            }
            of_a_name = (int) slot;
        }
    }
    return of_a_name;
}

/* A slot in state free, its chunk made if need be; -1 when peers or zone are full. */
static int peer_free_slot(struct zone *zone, struct service *service)
{
    unsigned slots = atomic_load_explicit(&service->slots, memory_order_relaxed);

    for (unsigned slot = 0; slot < slots; slot++) {
        if (META_STATE(zone_peer_meta(zone, service, slot)) == PEER_FREE) {
            return (int) slot;
        }
    }
    if (slots == ZONE_PEERS_MAX) {
        return -1;
    }
    if (slots % ZONE_CHUNK_PEERS == 0) {
        struct peer_chunk *chunk = zone_take(zone, sizeof(*chunk));
        if (chunk == NULL) {
            return -1;
        }
        atomic_store_explicit(&service->peers[slots / ZONE_CHUNK_PEERS], zone_offset(zone, chunk),
                              memory_order_release);
    }
    atomic_store_explicit(&service->slots, slots + 1, memory_order_release);
    return (int) slots;
}

static bool peer_spec_fits(const struct peer_spec *spec)
{
    return spec->address.len <= ZONE_ADDRESS_MAX && spec->name.len <= ZONE_ADDRESS_MAX &&
           spec->dc.len <= ZONE_DC_MAX && spec->sockaddr_len <= ZONE_SOCKADDR_MAX &&
           spec->weight >= 1 && spec->weight <= ZONE_WEIGHT_MAX;
}

static uint16_t text_copy(char *to, struct str text)
{
    if (text.len > 0) {
        memcpy(to, text.ptr, text.len);
    }
    return (uint16_t) text.len;
}

static void peer_fill(struct peer *peer, const struct peer_spec *spec)
{
    memset(peer, 0, sizeof(*peer));
    peer->address_len = text_copy(peer->address, spec->address);
    peer->name_len = text_copy(peer->name, spec->name);
    peer->dc_len = text_copy(peer->dc, spec->dc);
    peer->sockaddr_len = (uint16_t) spec->sockaddr_len;
    if (spec->sockaddr_len > 0) {
        memcpy(peer->sockaddr.bytes, spec->sockaddr, spec->sockaddr_len);
    }
    peer->origin = (uint8_t) spec->origin;
    peer->is_name = spec->is_name;
    peer->wanted = (uint8_t) spec->state;
    peer->parent = (uint16_t) (spec->parent + 1);
    peer->weight = spec->weight;
    peer->base_track = (uint8_t) spec->track;
    peer->base_weight = spec->weight;
    peer->seen.state.checked = spec->checked;
    peer->seen.state.health = spec->checked ? HEALTH_UNKNOWN : HEALTH_UNCHECKED;
}

int zone_peer_add_locked(struct zone *zone, struct service *service, const struct peer_spec *spec,
                         uint64_t now_ms, unsigned *ret_slot, struct err *err)
{
    if (!peer_spec_fits(spec)) {
        return err_set(err, ERR_INVALID,
                       "peer \"" STR_FMT "\": address and name have at most %d bytes, dc %d, "
                       "weight is 1 to %u",
                       STR_ARG(spec->address), ZONE_ADDRESS_MAX, ZONE_DC_MAX, ZONE_WEIGHT_MAX);
    }
    int slot = peer_free_slot(zone, service);
    struct peer_chunk *chunk = slot >= 0 ? zone_peer_chunk(zone, service, (unsigned) slot) : NULL;
    if (chunk == NULL) {
        return err_set(err, ERR_FULL,
                       "no room for peer \"" STR_FMT "\": a service has at most %u peers, and the "
                       "zone %llu bytes left",
                       STR_ARG(spec->address), ZONE_PEERS_MAX,
                       (unsigned long long) zone_free(zone));
    }
    struct peer *peer = zone_peer_cold(zone, service, (unsigned) slot);
    peer_fill(peer, spec);
    zone_pins_forget(zone, service, (unsigned) slot);

    uint32_t old = zone_peer_meta(zone, service, (unsigned) slot);
    enum peer_state state = spec->is_name ? PEER_NAME : spec->state;
    uint32_t weight = spec->weight * ZONE_WEIGHT_UNIT;
    peer->cold = spec->checked && now_ms > 0;
    if (state == PEER_READY && !spec->checked && now_ms > 0) {
        weight = zone_ramp_begin(service, peer, now_ms);
    }
    zone_meta_store(
        zone, service, (unsigned) slot,
        META(state, spec->track, peer->seen.state.health, weight, META_GENERATION(old) + 1));
    *ret_slot = (unsigned) slot;
    return 0;
}

bool zone_pin_take(struct peer_chunk *chunk, unsigned slot, struct pin *pin, uint32_t meta)
{
    unsigned index = slot % ZONE_CHUNK_PEERS;

    zone_pin_announce(pin);
    if (!zone_pin_confirm(chunk, slot, pin, meta)) {
        return false;
    }
    counter_add(&pin->requests, 1);
    atomic_fetch_add_explicit(&chunk->hint[index], 1, memory_order_relaxed);
    return true;
}

void zone_pin_drop(struct peer_chunk *chunk, unsigned slot, struct pin *pin)
{
    atomic_fetch_sub_explicit(&chunk->hint[slot % ZONE_CHUNK_PEERS], 1, memory_order_relaxed);
    uint32_t in_flight = atomic_load_explicit(&pin->in_flight, memory_order_relaxed);
    atomic_store_explicit(&pin->in_flight, in_flight - 1, memory_order_release);
}
