/* The addresses of a name as peers; see resolve.h. */
#include "traffic/resolve.h"

#include <string.h>

#include "base/buf.h"
#include "traffic/zone_int.h"

/* The peers of a name while an answer is taken: at most the old ones and as many new ones. */
struct children {
    struct {
        unsigned slot;
        bool kept; /* the answer has it */
    } of[2 * RESOLVE_ADDRESSES_MAX];
    unsigned count, kept;
};

int resolve_find(const struct zone *zone, const struct service *service, struct str address,
                 enum track track)
{
    unsigned slots = atomic_load_explicit(&service->slots, memory_order_acquire);

    for (unsigned slot = 0; slot < slots; slot++) {
        const struct peer *peer = zone_peer(zone, service, slot);
        if (META_STATE(zone_peer_meta(zone, service, slot)) == PEER_NAME &&
            peer->base_track == (uint8_t) track &&
            str_eq((struct str){peer->address, peer->address_len}, address)) {
            return (int) slot;
        }
    }
    return -1;
}

bool resolve_awaited(const struct zone *zone, const struct service *service)
{
    unsigned slots = atomic_load_explicit(&service->slots, memory_order_acquire);

    if (zone_level(service, TRACK_STABLE) != LEVEL_NONE ||
        zone_level(service, TRACK_CANARY) != LEVEL_NONE) {
        return false;
    }
    for (unsigned slot = 0; slot < slots; slot++) {
        const struct peer *peer = zone_peer(zone, service, slot);
        if (META_STATE(zone_peer_meta(zone, service, slot)) == PEER_NAME &&
            atomic_load(&peer->resolved_at_ms) == 0 && atomic_load(&peer->error_len) == 0) {
            return true;
        }
    }
    return false;
}

static void children_read(struct children *children, const struct zone *zone,
                          const struct service *service, unsigned name)
{
    unsigned slots = atomic_load(&service->slots);

    *children = (struct children){.count = 0};
    for (unsigned slot = 0; slot < slots && children->count < RESOLVE_ADDRESSES_MAX; slot++) {
        enum peer_state state = META_STATE(zone_peer_meta(zone, service, slot));
        if (state != PEER_FREE && state != PEER_REMOVED &&
            zone_peer(zone, service, slot)->parent == name + 1) {
            children->of[children->count++].slot = slot;
        }
    }
}

/* Index of the peer with that address, or count. */
static unsigned children_find(const struct children *children, const struct zone *zone,
                              const struct service *service, struct str text)
{
    unsigned i = 0;

    for (; i < children->count; i++) {
        const struct peer *peer = zone_peer(zone, service, children->of[i].slot);
        if (str_eq((struct str){peer->address, peer->address_len}, text)) {
            break;
        }
    }
    return i;
}

static void children_keep(struct children *children, const struct zone *zone,
                          const struct service *service, const struct resolve_address *address,
                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned child = children_find(children, zone, service, address[i].text);
        if (child < children->count && !children->of[child].kept) {
            children->of[child].kept = true;
            children->kept++;
        }
    }
}

static int child_add(struct zone *zone, struct service *service, unsigned slot,
                     const struct resolve_address *address, uint64_t now_ms, unsigned *ret_slot,
                     struct err *err)
{
    const struct peer *name = zone_peer(zone, service, slot);
    struct peer_spec spec = {
        .address = address->text,
        .name = {name->name, name->name_len},
        .dc = {name->dc, name->dc_len},
        .sockaddr = address->sockaddr,
        .sockaddr_len = address->sockaddr_len,
        .track = META_TRACK(zone_peer_meta(zone, service, slot)),
        .weight = name->weight,
        .origin = ORIGIN_NAME,
        .state = (enum peer_state) name->wanted,
        .checked = name->seen.state.checked,
        .parent = (int) slot,
    };

    if (address->text.len == 0 || address->sockaddr_len == 0) {
        return err_set(err, ERR_INVALID, "an address of the answer is empty");
    }
    int rc = zone_peer_add_locked(zone, service, &spec, now_ms, ret_slot, err);
    if (rc == 0 && spec.state == PEER_DRAINING) {
        struct peer_order order = {.has_state = true, .state = PEER_DRAINING, .drain = name->drain};
        zone_peer_order_locked(zone, service, *ret_slot, &order, 0);
    }
    return rc;
}

/* Adds what the answer has and the zone has not. err: of the last one that could not be added. */
static unsigned children_add(struct children *children, struct zone *zone, struct service *service,
                             unsigned slot, const struct resolve_address *address, size_t count,
                             uint64_t now_ms, struct err *err)
{
    unsigned added = 0;

    for (size_t i = 0; i < count && children->kept < RESOLVE_ADDRESSES_MAX; i++) {
        unsigned child = 0;
        if (children_find(children, zone, service, address[i].text) < children->count ||
            child_add(zone, service, slot, &address[i], now_ms, &child, err) != 0) {
            continue;
        }
        children->of[children->count].slot = child;
        children->of[children->count++].kept = true;
        children->kept++;
        added++;
    }
    return added;
}

static unsigned children_remove(struct children *children, struct zone *zone,
                                struct service *service)
{
    static const struct peer_order remove = {.has_state = true, .state = PEER_REMOVED};
    unsigned left = 0;

    for (unsigned i = 0; i < children->count; i++) {
        if (children->of[i].kept) {
            children->of[left++] = children->of[i];
        } else {
            zone_peer_order_locked(zone, service, children->of[i].slot, &remove, 0);
        }
    }
    unsigned removed = children->count - left;
    children->count = left;
    zone_peers_sweep_locked(zone, service);
    return removed;
}

/* Is an address of the answer no peer, because there are too many? */
static bool left_out(const struct children *children, const struct zone *zone,
                     const struct service *service, const struct resolve_address *address,
                     size_t count)
{
    size_t i = 0;

    while (i < count && children_find(children, zone, service, address[i].text) < children->count) {
        i++;
    }
    return i < count;
}

static bool error_tell(struct peer *name, struct str text)
{
    size_t len = text.len < ZONE_TEXT_MAX ? text.len : ZONE_TEXT_MAX;

    if (str_eq((struct str){name->error, atomic_load(&name->error_len)},
               (struct str){text.ptr, len})) {
        return false;
    }
    if (len > 0) {
        memcpy(name->error, text.ptr, len);
    }
    atomic_store(&name->error_len, (uint32_t) len);
    return true;
}

struct resolve_change resolve_answer_locked(struct zone *zone, struct service *service,
                                            unsigned slot, const struct resolve_address *address,
                                            size_t count, struct resolve_now now)
{
    struct peer *name = zone_peer_cold(zone, service, slot);
    /* nothing is cold when all begins */
    uint64_t now_ms = atomic_load(&name->resolved_at_ms) != 0 ? now.mono_ms : 0;
    struct resolve_change change = {.told = false};
    struct children children;
    struct err err = {.code = ERR_NONE};
    char mem[ZONE_TEXT_MAX + 1];
    struct buf text;

    buf_init_fixed(&text, mem, sizeof(mem));
    children_read(&children, zone, service, slot);
    children_keep(&children, zone, service, address, count);
    change.added = children_add(&children, zone, service, slot, address, count, now_ms, &err);
    change.removed = children_remove(&children, zone, service);
    if (err.code != ERR_NONE && change.removed > 0) { /* their slots may do */
        err.code = ERR_NONE;
        change.added += children_add(&children, zone, service, slot, address, count, now_ms, &err);
    }

    if (count == 0) {
        buf_add_cstr(&text, "it has no address");
    } else if (err.code == ERR_FULL) {
        buf_addf(&text,
                 "not all its addresses have room: a service has at most %u peers, and the "
                 "zone %llu bytes left",
                 ZONE_PEERS_MAX, (unsigned long long) zone_free(zone));
    } else if (err.code != ERR_NONE) {
        buf_addf(&text, "%.190s", err.msg);
    } else if (left_out(&children, zone, service, address, count)) {
        buf_addf(&text, "it has more than %u addresses, the others are left out",
                 RESOLVE_ADDRESSES_MAX);
    }
    change.told = error_tell(name, buf_str(&text));
    atomic_store(&name->resolved_at_ms, now.wall_ms);
    return change;
}

bool resolve_failed_locked(struct zone *zone, struct service *service, unsigned slot,
                           struct str why)
{
    return error_tell(zone_peer_cold(zone, service, slot), why);
}
