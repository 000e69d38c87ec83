/*
 * What is asked of peers, and what is seen of them: every change of a peer's hot word goes through
 * zone_meta_store(), which keeps the service's counts. See zone.h.
 */
#include <string.h>

#include "traffic/flight.h"
#include "traffic/zone_int.h"

static _Atomic uint32_t *ready_of(struct service *service, uint32_t meta)
{
    return &service->ready[META_TRACK(meta)][META_HEALTH(meta)];
}

/*
 * Requests read the counts while they change. So a peer that leaves is no longer counted before it
 * goes, one that comes only when it is there, and one that changes its health is counted under
 * both for a moment: a track with a peer never looks empty.
 */
void zone_meta_store(struct zone *zone, struct service *service, unsigned slot, uint32_t new)
{
    struct peer_chunk *chunk = zone_peer_chunk(zone, service, slot);
    _Atomic uint32_t *word = &chunk->meta[slot % ZONE_CHUNK_PEERS];
    uint32_t old = atomic_load(word);
    bool was_ready = META_STATE(old) == PEER_READY, is_ready = META_STATE(new) == PEER_READY;

    if (new == old) {
        return;
    }
    if (META_WEIGHT(new) > atomic_load_explicit(&service->weight_max, memory_order_relaxed)) {
        atomic_store(&service->weight_max, META_WEIGHT(new));
    }
    service->removed += META_STATE(new) == PEER_REMOVED;
    service->removed -= META_STATE(old) == PEER_REMOVED;
    atomic_fetch_add(&service->draining, META_STATE(new) == PEER_DRAINING);
    atomic_fetch_sub(&service->draining, META_STATE(old) == PEER_DRAINING);
    if (was_ready && is_ready) {
        atomic_fetch_add(ready_of(service, new), 1);
    } else if (was_ready) {
        atomic_fetch_sub(ready_of(service, old), 1);
    }
    atomic_store(word, new);
    if (was_ready && is_ready) {
        atomic_fetch_sub(ready_of(service, old), 1);
    } else if (is_ready) {
        atomic_fetch_add(ready_of(service, new), 1);
    }
    (void) zone_epoch_bump(zone);
}

/* A peer in its slow start has at least a sixteenth. */
static uint32_t ramp_weight(const struct service *service, const struct peer *peer, uint64_t now_ms)
{
    uint64_t full = (uint64_t) peer->weight * ZONE_WEIGHT_UNIT;
    uint64_t since = now_ms > peer->ramp_since_ms ? now_ms - peer->ramp_since_ms : 0;
    uint64_t weight = since < service->slow_start_ms ? full * since / service->slow_start_ms : full;
    return weight > 0 ? (uint32_t) weight : 1;
}

static void ramp_end(struct service *service, struct peer *peer)
{
    if (peer->ramp_since_ms != 0) {
        peer->ramp_since_ms = 0;
        atomic_fetch_sub(&service->ramping, 1);
    }
}

uint32_t zone_ramp_begin(struct service *service, struct peer *peer, uint64_t now_ms)
{
    ramp_end(service, peer);
    if (service->slow_start_ms == 0) {
        return peer->weight * ZONE_WEIGHT_UNIT;
    }
    peer->ramp_since_ms = now_ms;
    atomic_fetch_add(&service->ramping, 1);
    return ramp_weight(service, peer, now_ms);
}

void zone_ramps_set_locked(struct zone *zone, struct service *service, uint64_t now_ms)
{
    unsigned slots = atomic_load(&service->slots);

    for (unsigned slot = 0; slot < slots && atomic_load(&service->ramping) > 0; slot++) {
        struct peer *peer = zone_peer_cold(zone, service, slot);
        uint32_t meta = zone_peer_meta(zone, service, slot);
        if (peer->ramp_since_ms == 0) {
            continue;
        }
        uint32_t weight = ramp_weight(service, peer, now_ms);
        if (weight == peer->weight * ZONE_WEIGHT_UNIT) {
            ramp_end(service, peer);
        }
        zone_meta_store(zone, service, slot,
                        META(META_STATE(meta), META_TRACK(meta), META_HEALTH(meta), weight,
                             META_GENERATION(meta)));
    }
}

/* Nobody waits for a removed peer's ejection, and who takes it in again knows nothing of it. */
static void health_forget(struct zone *zone, struct service *service, unsigned slot)
{
    static const struct health_rule any = {1, 1};
    struct peer_seen *seen = &zone_peer_cold(zone, service, slot)->seen;
    bool checked = seen->state.checked;

    atomic_store(&seen->fails, 0);
    (void) zone_peer_health_locked(zone, service, slot, HEALTH_EJECT_OVER, &any, NULL);
    (void) zone_peer_health_locked(zone, service, slot, HEALTH_UNWATCHED, &any, NULL);
    if (checked) {
        (void) zone_peer_health_locked(zone, service, slot, HEALTH_WATCHED, &any, NULL);
    }
}

/* now_ms 0: no slow start. */
static void peer_order(struct zone *zone, struct service *service, unsigned slot,
                       const struct peer_order *order, uint64_t now_ms)
{
    struct peer *peer = zone_peer_cold(zone, service, slot);
    uint32_t old = zone_peer_meta(zone, service, slot);
    enum peer_state before = META_STATE(old);
    enum peer_state state = order->has_state ? order->state : before;
    enum track track = order->has_track ? order->track : META_TRACK(old);
    uint32_t weight = META_WEIGHT(old);

    if (state == PEER_DRAINING && order->has_state) {
        peer->drain = order->drain;
    } else if (state != PEER_DRAINING) {
        peer->drain = (struct peer_drain){.since_ms = 0};
    }
    if (order->has_weight) {
        peer->weight = order->weight;
        weight = peer->ramp_since_ms != 0 && now_ms > 0 ? ramp_weight(service, peer, now_ms)
                                                        : order->weight * ZONE_WEIGHT_UNIT;
    }
    if (state == PEER_READY && before != PEER_READY && now_ms > 0) {
        weight = zone_ramp_begin(service, peer, now_ms);
    } else if (state != PEER_READY || weight == peer->weight * ZONE_WEIGHT_UNIT) {
        ramp_end(service, peer);
        weight = peer->weight * ZONE_WEIGHT_UNIT;
    }
    zone_meta_store(zone, service, slot,
                    META(state, track, META_HEALTH(old), weight, META_GENERATION(old)));
    if (before == PEER_DRAINING && state != PEER_DRAINING) {
        flights_forget_locked(zone, service, slot);
    }
    if (state == PEER_REMOVED && before != PEER_REMOVED) {
        health_forget(zone, service, slot);
    }
}

void zone_peer_set_locked(struct zone *zone, struct service *service, unsigned slot,
                          enum peer_state state, uint32_t weight)
{
    struct peer_order order = {.has_state =
                                   state != META_STATE(zone_peer_meta(zone, service, slot)),
                               .state = state,
                               .has_weight = true,
                               .weight = weight};
    zone_peer_order_locked(zone, service, slot, &order, 0);
}

/* A name keeps its state of a name; what is wanted is for its addresses. */
static void name_order(struct zone *zone, struct service *service, unsigned slot,
                       const struct peer_order *order, uint64_t now_ms)
{
    struct peer *name = zone_peer_cold(zone, service, slot);
    struct peer_order own = *order;
    unsigned slots = atomic_load(&service->slots);

    if (order->has_state) {
        name->wanted = (uint8_t) order->state;
        name->drain = order->state == PEER_DRAINING ? order->drain : (struct peer_drain){0};
    }
    for (unsigned child = 0; child < slots; child++) {
        enum peer_state state = META_STATE(zone_peer_meta(zone, service, child));
        if (state != PEER_FREE && state != PEER_REMOVED &&
            zone_peer(zone, service, child)->parent == slot + 1) {
            peer_order(zone, service, child, order, now_ms);
        }
    }
    if (own.has_state && own.state != PEER_REMOVED) {
        own.state = PEER_NAME;
    }
    struct peer_drain drain = name->drain;
    peer_order(zone, service, slot, &own, 0);
    name->drain = drain;
}

void zone_peer_order_locked(struct zone *zone, struct service *service, unsigned slot,
                            const struct peer_order *order, uint64_t now_ms)
{
    if (zone_peer(zone, service, slot)->is_name) {
        name_order(zone, service, slot, order, now_ms);
    } else {
        peer_order(zone, service, slot, order, now_ms);
    }
}

void zone_peer_base_locked(struct zone *zone, struct service *service, unsigned slot,
                           const struct zone_base *base)
{
    struct peer *peer = zone_peer_cold(zone, service, slot);
    enum peer_state state = META_STATE(zone_peer_meta(zone, service, slot));
    bool is_new = !peer->in_config;
    struct peer_order order = {.weight = peer->weight};

    if (state == PEER_FREE || (base == NULL && is_new)) {
        return;
    }
    if (base == NULL) {
        peer->in_config = false;
        order.has_state = true;
        order.state = PEER_REMOVED;
        zone_peer_order_locked(zone, service, slot, &order, 0);
        return;
    }
    if (state != PEER_REMOVED && base->weight != peer->base_weight &&
        peer->weight == peer->base_weight) {
        order.has_weight = true;
        order.weight = base->weight;
    }
    if (!is_new && base->down != peer->base_down &&
        state == (peer->base_down ? PEER_DOWN : PEER_READY)) {
        order.has_state = true;
        order.state = base->down ? PEER_DOWN : PEER_READY;
    }
    peer->in_config = true;
    peer->base_weight = base->weight;
    peer->base_down = base->down;
    zone_peer_order_locked(zone, service, slot, &order, 0);
}

bool zone_peer_differs(const struct zone *zone, const struct service *service, unsigned slot)
{
    const struct peer *peer = zone_peer(zone, service, slot);
    uint32_t meta = zone_peer_meta(zone, service, slot);
    enum peer_state state = META_STATE(meta);

    if (state == PEER_FREE || peer->parent != 0) {
        return false; /* an address of a name is as its name is */
    }
    if (!peer->in_config) {
        return state != PEER_REMOVED;
    }
    if (state == PEER_NAME) {
        state = (enum peer_state) peer->wanted;
    }
    return state != (peer->base_down ? PEER_DOWN : PEER_READY) ||
           META_TRACK(meta) != (enum track) peer->base_track || peer->weight != peer->base_weight;
}

void zone_health_watch_locked(struct zone *zone, struct service *service, bool checked)
{
    static const struct health_rule any = {1, 1};
    unsigned slots = atomic_load(&service->slots);

    service->checked = checked;
    for (unsigned slot = 0; slot < slots; slot++) {
        enum peer_state state = META_STATE(zone_peer_meta(zone, service, slot));
        if (state != PEER_FREE) {
            (void) zone_peer_health_locked(zone, service, slot,
                                           checked ? HEALTH_WATCHED : HEALTH_UNWATCHED, &any, NULL);
        }
    }
}

static void note_take(struct peer_seen *seen, enum health_event event, const struct peer_note *note)
{
    size_t len = note->text.len < ZONE_TEXT_MAX ? note->text.len : ZONE_TEXT_MAX;

    atomic_store(&seen->code, note->code);
    if (len > 0) {
        memcpy(seen->text, note->text.ptr, len);
    }
    seen->text_len = (uint32_t) len;
    atomic_store(&seen->noted_at_ms, note->now_ms);
    if (event == HEALTH_PASS || event == HEALTH_FAIL || note->took_us > 0) {
        atomic_store(&seen->checked_at_ms, note->now_ms);
        atomic_store(&seen->took_us, note->took_us);
    }
}

bool zone_peer_health_locked(struct zone *zone, struct service *service, unsigned slot,
                             enum health_event event, const struct health_rule *rule,
                             const struct peer_note *note)
{
    struct peer *peer = zone_peer_cold(zone, service, slot);
    uint32_t old = zone_peer_meta(zone, service, slot);
    enum health before = META_HEALTH(old);
    uint32_t weight = META_WEIGHT(old);
    bool was_ejected = peer->seen.state.ejected;

    if (note != NULL) {
        note_take(&peer->seen, event, note);
    }
    bool changed = health_step(&peer->seen.state, event, rule);
    atomic_fetch_add(&service->ejected, !was_ejected && peer->seen.state.ejected);
    atomic_fetch_sub(&service->ejected, was_ejected && !peer->seen.state.ejected);
    if (!changed) {
        return false;
    }
    if (before != HEALTH_UNKNOWN || peer->seen.state.health == HEALTH_DOWN) {
        atomic_fetch_add(&peer->seen.changes, 1);
    }
    bool starts = before == HEALTH_DOWN || (peer->cold && before == HEALTH_UNKNOWN);
    peer->cold = false;
    if (starts && META_STATE(old) == PEER_READY && note != NULL &&
        peer->seen.state.health != HEALTH_DOWN) {
        weight = zone_ramp_begin(service, peer, note->now_ms);
    }
    zone_meta_store(zone, service, slot,
                    META(META_STATE(old), META_TRACK(old), peer->seen.state.health, weight,
                         META_GENERATION(old)));
    return true;
}

bool zone_peer_eject_locked(struct zone *zone, struct service *service, unsigned slot,
                            uint64_t until_ms, const struct peer_note *note)
{
    static const struct health_rule any = {1, 1};
    uint32_t meta = zone_peer_meta(zone, service, slot);

    if (META_STATE(meta) == PEER_REMOVED || META_HEALTH(meta) == HEALTH_DOWN) {
        return false;
    }
    zone_peer_cold(zone, service, slot)->seen.ejected_until_ms = until_ms;
    return zone_peer_health_locked(zone, service, slot, HEALTH_EJECT, &any, note);
}

void zone_ejections_end_locked(struct zone *zone, struct service *service,
                               const struct health_rule *rule, uint32_t fails, uint64_t now_ms)
{
    unsigned slots = atomic_load(&service->slots);

    for (unsigned slot = 0; slot < slots && atomic_load(&service->ejected) > 0; slot++) {
        struct peer_seen *seen = &zone_peer_cold(zone, service, slot)->seen;
        if (!seen->state.ejected || now_ms < seen->ejected_until_ms) {
            continue;
        }
        struct peer_note note = {.code = atomic_load(&seen->code),
                                 .text = {seen->text, seen->text_len},
                                 .now_ms = now_ms};
        atomic_store(&seen->fails, fails);
        (void) zone_peer_health_locked(zone, service, slot, HEALTH_EJECT_OVER, rule, &note);
    }
}

uint32_t zone_ready(const struct service *service, enum track track, enum level level)
{
    const _Atomic uint32_t *ready = service->ready[track];

    switch (level) {
    case LEVEL_PASSING:
        return atomic_load_explicit(&ready[HEALTH_UNCHECKED], memory_order_relaxed) +
               atomic_load_explicit(&ready[HEALTH_UP], memory_order_relaxed);
    case LEVEL_UNKNOWN:
        return atomic_load_explicit(&ready[HEALTH_UNKNOWN], memory_order_relaxed);
    case LEVEL_FAILING:
        return atomic_load_explicit(&ready[HEALTH_DOWN], memory_order_relaxed);
    case LEVEL_NONE:
        break;
    }
    return 0;
}

enum level zone_level(const struct service *service, enum track track)
{
    if (zone_ready(service, track, LEVEL_PASSING) > 0) {
        return LEVEL_PASSING;
    }
    if (zone_ready(service, track, LEVEL_UNKNOWN) > 0) {
        return LEVEL_UNKNOWN;
    }
    if (zone_ready(service, track, LEVEL_FAILING) == 0) {
        return LEVEL_NONE;
    }
    return track == TRACK_CANARY && zone_level(service, TRACK_STABLE) >= LEVEL_UNKNOWN
               ? LEVEL_NONE
               : LEVEL_FAILING;
}
