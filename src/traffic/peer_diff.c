/* Differences of peers from nginx.conf; see peer_diff.h. */
#include "traffic/peer_diff.h"

#include <string.h>

#include "traffic/address.h"

static struct str address_of(const struct peer *peer)
{
    return (struct str){peer->address, peer->address_len};
}

static size_t text_take(char *to, const char *from, size_t len)
{
    memcpy(to, from, len);
    to[len] = 0;
    return len;
}

bool peer_diff_get(const struct zone *zone, const struct service *service, unsigned slot,
                   struct peer_diff *ret_diff)
{
    if (!zone_peer_differs(zone, service, slot)) {
        return false;
    }
    const struct peer *peer = zone_peer(zone, service, slot);
    uint32_t meta = zone_peer_meta(zone, service, slot);
    enum peer_state state = META_STATE(meta);

    *ret_diff = (struct peer_diff){
        .in_config = peer->in_config,
        .base = peer->in_config ? (enum track) peer->base_track : META_TRACK(meta),
        .track = META_TRACK(meta),
        .weight = peer->weight,
        .state = state == PEER_NAME ? (enum peer_state) peer->wanted : state,
        .drain = peer->drain,
    };
    ret_diff->address_len = text_take(ret_diff->address, peer->address, peer->address_len);
    ret_diff->name_len = text_take(ret_diff->name, peer->name, peer->name_len);
    ret_diff->dc_len = text_take(ret_diff->dc, peer->dc, peer->dc_len);
    return true;
}

/* Is the slot in use, and by a peer or name with this address that is no address of a name? */
static bool is_own(const struct zone *zone, const struct service *service, unsigned slot,
                   struct str address)
{
    const struct peer *peer = zone_peer(zone, service, slot);

    return META_STATE(zone_peer_meta(zone, service, slot)) != PEER_FREE && peer->parent == 0 &&
           str_eq(address_of(peer), address);
}

int peer_diff_other(const struct zone *zone, const struct service *service, struct str address,
                    enum track track, int except)
{
    unsigned slots = atomic_load(&service->slots);

    for (unsigned slot = 0; slot < slots; slot++) {
        uint32_t meta = zone_peer_meta(zone, service, slot);
        if ((int) slot != except && is_own(zone, service, slot, address) &&
            META_STATE(meta) != PEER_REMOVED && META_TRACK(meta) == track) {
            return (int) slot;
        }
    }
    return -1;
}

/* The peer that the difference is about, by what nginx.conf says; -1: it does not have it. */
static int find_config(const struct zone *zone, const struct service *service, struct str address,
                       enum track base)
{
    unsigned slots = atomic_load(&service->slots);

    for (unsigned slot = 0; slot < slots; slot++) {
        const struct peer *peer = zone_peer(zone, service, slot);
        if (is_own(zone, service, slot, address) && peer->in_config &&
            peer->base_track == (uint8_t) base) {
            return (int) slot;
        }
    }
    return -1;
}

int peer_diff_find(const struct zone *zone, const struct service *service,
                   const struct peer_diff *diff)
{
    struct str address = {diff->address, diff->address_len};

    if (diff->in_config) {
        return find_config(zone, service, address, diff->base);
    }
    int slot = peer_diff_other(zone, service, address, diff->track, -1);
    return slot >= 0 && !zone_peer(zone, service, (unsigned) slot)->in_config ? slot : -1;
}

static int peer_add(struct zone *zone, struct service *service, const struct peer_diff *diff,
                    uint64_t now_ms, unsigned *ret_slot, struct err *err)
{
    struct address address;
    int rc = address_read((struct str){diff->address, diff->address_len}, &address, err);
    if (rc != 0) {
        return rc;
    }
    struct peer_spec spec = {
        .address = {diff->address, diff->address_len},
        .name = {diff->name, diff->name_len},
        .dc = {diff->dc, diff->dc_len},
        .sockaddr = &address.sa,
        .sockaddr_len = address.len,
        .track = diff->track,
        .weight = diff->weight,
        .origin = ORIGIN_API,
        .state = diff->state == PEER_DRAINING ? PEER_DOWN : diff->state,
        .checked = service->checked,
        .parent = -1,
    };
    zone_peers_sweep_locked(zone, service);
    return zone_peer_add_locked(zone, service, &spec, now_ms, ret_slot, err);
}

int peer_diff_put_locked(struct zone *zone, struct service *service, const struct peer_diff *diff,
                         uint64_t now_ms, unsigned *ret_slot, struct err *err)
{
    struct str address = {diff->address, diff->address_len};
    struct peer_order order = {.has_state = true, .state = diff->state, .drain = diff->drain};
    int slot = diff->in_config ? find_config(zone, service, address, diff->base)
                               : peer_diff_other(zone, service, address, diff->track, -1);
    unsigned found = (unsigned) slot;

    if (diff->in_config && slot < 0) {
        return err_set(err, ERR_NOT_FOUND, "nginx.conf does not have \"" STR_FMT "\" any more",
                       STR_ARG(address));
    }
    if (slot < 0) {
        int rc = peer_add(zone, service, diff, now_ms, &found, err);
        if (rc != 0) {
            return rc;
        }
    } else if (diff->in_config || !zone_peer(zone, service, found)->in_config) {
        /* else nginx.conf has what was added: it says how much it gets */
        order.has_weight = true;
        order.weight = diff->weight;
        order.has_track = true;
        order.track = diff->track;
    }
    zone_peer_order_locked(zone, service, found, &order, now_ms);
    *ret_slot = found;
    return 0;
}

void peer_diff_undo_locked(struct zone *zone, struct service *service, unsigned slot,
                           uint64_t now_ms)
{
    const struct peer *peer = zone_peer(zone, service, slot);
    struct peer_order order = {.has_state = true, .state = PEER_REMOVED};

    if (peer->in_config) {
        order = (struct peer_order){.has_state = true,
                                    .has_track = true,
                                    .has_weight = true,
                                    .state = peer->base_down ? PEER_DOWN : PEER_READY,
                                    .track = (enum track) peer->base_track,
                                    .weight = peer->base_weight};
    }
    zone_peer_order_locked(zone, service, slot, &order, now_ms);
}

/* What was there before the peer in `slot`: with the same address, and the same place in nginx.conf
 * or, if it was added by command, on the same track. */
static bool is_ancestor(const struct zone *zone, const struct service *service, unsigned slot,
                        struct str address, enum track base, struct peer_diff *ret_diff)
{
    return is_own(zone, service, slot, address) && peer_diff_get(zone, service, slot, ret_diff) &&
           ret_diff->base == base;
}

bool peer_diff_ancestor(const struct zone *zone, const struct service *service, struct str address,
                        enum track base)
{
    unsigned slots = atomic_load(&service->slots);
    struct peer_diff diff;

    for (unsigned slot = 0; slot < slots; slot++) {
        if (is_ancestor(zone, service, slot, address, base, &diff)) {
            return true;
        }
    }
    return false;
}

static void inherit(struct zone *zone, struct service *service, unsigned slot, unsigned ancestor,
                    const struct peer_diff *diff)
{
    struct peer_order order = {.has_state = true,
                               .has_weight = diff->in_config,
                               .has_track = diff->in_config,
                               .state = diff->state,
                               .weight = diff->weight,
                               .track = diff->track,
                               .drain = diff->drain};

    zone_peer_order_locked(zone, service, slot, &order, 0);
    if (!diff->in_config) {
        peer_diff_undo_locked(zone, service, ancestor, 0);
    }
}

void peer_diff_inherit_locked(struct zone *zone, struct service *service, unsigned slot)
{
    const struct peer *peer = zone_peer(zone, service, slot);
    enum track base = (enum track) peer->base_track;
    struct str address = address_of(peer);
    unsigned slots = atomic_load(&service->slots);
    struct peer_diff diff;

    for (unsigned other = 0; other < slots; other++) {
        if (other != slot && is_ancestor(zone, service, other, address, base, &diff)) {
            inherit(zone, service, slot, other, &diff);
        }
    }
}

/* Is the peer away from where nginx.conf has it, and in the way of another one? */
static bool is_in_the_way(const struct zone *zone, const struct service *service, unsigned slot)
{
    const struct peer *peer = zone_peer(zone, service, slot);
    uint32_t meta = zone_peer_meta(zone, service, slot);

    return peer->in_config && META_STATE(meta) != PEER_REMOVED &&
           META_TRACK(meta) != (enum track) peer->base_track &&
           peer_diff_other(zone, service, address_of(peer), META_TRACK(meta), (int) slot) >= 0;
}

void peer_diff_settle_locked(struct zone *zone, struct service *service)
{
    unsigned slots = atomic_load(&service->slots);

    for (unsigned slot = 0; slot < slots; slot++) {
        if (is_in_the_way(zone, service, slot)) {
            struct peer_order order = {.has_track = true};
            order.track = (enum track) zone_peer(zone, service, slot)->base_track;
            zone_peer_order_locked(zone, service, slot, &order, 0);
        }
    }
}
