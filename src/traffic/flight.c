/* What is in flight at drained peers; see flight.h. */
#include "traffic/flight.h"

#include <string.h>

#include "traffic/zone_int.h"

uint8_t flight_text(char *to, size_t max, struct str text)
{
    size_t len = text.len < max ? text.len : max;
    if (len > 0) {
        memcpy(to, text.ptr, len);
    }
    return (uint8_t) len;
}

static struct flights *first(const struct zone *zone)
{
    return zone_at(zone, zone->flights);
}

static struct flights *next(const struct zone *zone, const struct flights *flights)
{
    return zone_at(zone, flights->next);
}

struct flights *flights_find(const struct zone *zone, const struct service *service, unsigned slot)
{
    uint32_t offset = zone_offset(zone, service);
    uint32_t generation = META_GENERATION(zone_peer_meta(zone, service, slot));
    struct flights *flights = first(zone);

    while (flights != NULL && !(flights->service == offset && flights->slot == slot &&
                                flights->generation == generation)) {
        flights = next(zone, flights);
    }
    return flights;
}

/* Nobody lists there any more: the peer is not drained, or is another one now. */
static bool is_idle(const struct zone *zone, const struct flights *flights)
{
    const struct service *service = zone_at(zone, flights->service);
    uint32_t meta = zone_peer_meta(zone, service, flights->slot);
    return META_STATE(meta) != PEER_DRAINING || META_GENERATION(meta) != flights->generation;
}

static struct flights *take_new(struct zone *zone, uint64_t reserve)
{
    if (zone_free(zone) < zone_round(sizeof(struct flights)) + reserve) {
        return NULL;
    }
    struct flights *flights = zone_take(zone, sizeof(*flights));
    if (flights != NULL) {
        flights->next = zone->flights;
        zone->flights = zone_offset(zone, flights);
    }
    return flights;
}

struct flights *flights_get_locked(struct zone *zone, const struct service *service, unsigned slot,
                                   uint64_t reserve)
{
    unsigned count = 0;
    struct flights *found = flights_find(zone, service, slot), *idle = NULL;

    if (found != NULL) {
        return found;
    }
    for (struct flights *one = first(zone); one != NULL; one = next(zone, one)) {
        count++;
        if (is_idle(zone, one) && (idle == NULL || one->used_ms < idle->used_ms)) {
            idle = one;
        }
    }
    found = count < FLIGHTS_MAX ? take_new(zone, reserve) : NULL;
    found = found != NULL ? found : idle;
    if (found == NULL) {
        return NULL;
    }
    memset(found->active, 0, sizeof(found->active));
    found->service = zone_offset(zone, service);
    found->slot = slot;
    found->generation = META_GENERATION(zone_peer_meta(zone, service, slot));
    found->cut_count = 0;
    return found;
}

void flights_begin_locked(struct flights *flights, int32_t pid)
{
    for (unsigned i = 0; i < FLIGHTS_LISTED; i++) {
        if (flights->active[i].pid == pid) {
            flights->active[i].pid = 0;
        }
    }
}

void flights_add_locked(struct flights *flights, const struct flight *flight, uint64_t now_ms)
{
    flights->used_ms = now_ms;
    for (unsigned i = 0; i < FLIGHTS_LISTED; i++) {
        if (flights->active[i].pid == 0) {
            flights->active[i] = *flight;
            return;
        }
    }
}

void flights_cut_locked(struct zone *zone, const struct service *service, unsigned slot,
                        struct flights *flights, const struct flight *flight, uint64_t now_ms)
{
    zone_peer_cold(zone, service, slot)->cut_total++;
    if (flights != NULL) {
        struct flight *place = &flights->cut[flights->cut_count++ % FLIGHTS_LISTED];
        *place = *flight;
        place->at_ms = now_ms;
        flights->used_ms = now_ms;
    }
}

void flights_forget_locked(const struct zone *zone, const struct service *service, unsigned slot)
{
    struct flights *flights = flights_find(zone, service, slot);
    if (flights != NULL) {
        memset(flights->active, 0, sizeof(flights->active));
    }
}

void flights_reap_locked(const struct zone *zone, bool (*alive)(int32_t pid))
{
    for (struct flights *one = first(zone); one != NULL; one = next(zone, one)) {
        for (unsigned i = 0; i < FLIGHTS_LISTED; i++) {
            if (one->active[i].pid != 0 && !alive(one->active[i].pid)) {
                one->active[i].pid = 0;
            }
        }
    }
}
