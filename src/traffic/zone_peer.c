/* Peers of a service in the shared zone; see zone.h. */
#include <string.h>

#include "traffic/zone_int.h"

const struct peer *zone_peer(const struct zone *zone, const struct service *service, unsigned slot)
{
    return &zone_peer_chunk(zone, service, slot)->peer[slot % ZONE_CHUNK_PEERS];
}

int zone_peer_find(const struct zone *zone, const struct service *service, struct str address,
                   enum track track)
{
    unsigned slots = atomic_load_explicit(&service->slots, memory_order_acquire);

    for (unsigned slot = 0; slot < slots; slot++) {
        uint32_t meta = zone_peer_meta(zone, service, slot);
        enum peer_state state = META_STATE(meta);
        const struct peer *peer = zone_peer(zone, service, slot);
        if (state != PEER_FREE && state != PEER_REMOVED && META_TRACK(meta) == track &&
            str_eq((struct str){peer->address, peer->address_len}, address)) {
            return (int) slot;
        }
    }
    return -1;
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

static void weight_seen(struct service *service, uint32_t weight)
{
    if (weight > atomic_load_explicit(&service->weight_max, memory_order_relaxed)) {
        atomic_store(&service->weight_max, weight);
    }
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

int zone_peer_add_locked(struct zone *zone, struct service *service, const struct peer_spec *spec,
                         struct err *err)
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
    unsigned index = (unsigned) slot % ZONE_CHUNK_PEERS;
    struct peer *peer = &chunk->peer[index];
    peer->address_len = text_copy(peer->address, spec->address);
    peer->name_len = text_copy(peer->name, spec->name);
    peer->dc_len = text_copy(peer->dc, spec->dc);
    peer->sockaddr_len = (uint16_t) spec->sockaddr_len;
    memcpy(peer->sockaddr.bytes, spec->sockaddr, spec->sockaddr_len);

    zone_pins_forget(zone, service, (unsigned) slot);
    weight_seen(service, spec->weight);
    uint32_t generation = META_GENERATION(atomic_load(&chunk->meta[index])) + 1;
    atomic_store(&chunk->meta[index], META(PEER_READY, spec->track, spec->weight, generation));
    atomic_fetch_add(&service->live[spec->track], 1);
    (void) zone_epoch_bump(zone);
    return 0;
}

void zone_peer_set_locked(struct zone *zone, struct service *service, unsigned slot,
                          enum peer_state state, uint32_t weight)
{
    struct peer_chunk *chunk = zone_peer_chunk(zone, service, slot);
    _Atomic uint32_t *word = &chunk->meta[slot % ZONE_CHUNK_PEERS];
    uint32_t old = atomic_load(word);
    uint32_t new = META(state, META_TRACK(old), weight, META_GENERATION(old));

    if (new == old) {
        return;
    }
    if (META_STATE(old) == PEER_READY && state != PEER_READY) {
        atomic_fetch_sub(&service->live[META_TRACK(old)], 1);
    }
    service->removed += state == PEER_REMOVED;
    service->removed -= META_STATE(old) == PEER_REMOVED;
    weight_seen(service, weight);
    atomic_store(word, new);
    if (META_STATE(old) != PEER_READY && state == PEER_READY) {
        atomic_fetch_add(&service->live[META_TRACK(old)], 1);
    }
    (void) zone_epoch_bump(zone);
}

bool zone_pin_take(struct peer_chunk *chunk, unsigned slot, struct pin *pin, uint32_t meta)
{
    unsigned index = slot % ZONE_CHUNK_PEERS;

    atomic_fetch_add(&pin->in_flight, 1);
    if (atomic_load(&chunk->meta[index]) != meta) {
        atomic_fetch_sub(&pin->in_flight, 1);
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
