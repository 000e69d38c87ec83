/* The shared zone: memory, services, splits; see zone.h. Peers and rows are in zone_peer.c and
 * zone_row.c, names in zone_name.c. */
#include "traffic/zone.h"

#include <string.h>

#include "traffic/sketch.h"
#include "traffic/zone_int.h"

#define ZONE_MAGIC 0x72766f70u /* "povr" */
#define ZONE_UNIT  64u

uint64_t zone_round(uint64_t size)
{
    return (size + ZONE_UNIT - 1) / ZONE_UNIT * ZONE_UNIT;
}

uint32_t zone_offset(const struct zone *zone, const void *record)
{
    return (uint32_t) ((uint64_t) ((const char *) record - (const char *) zone) / ZONE_UNIT);
}

void *zone_take(struct zone *zone, uint64_t size)
{
    size = zone_round(size);
    if (zone->size - zone->used < size) {
        return NULL;
    }
    void *record = (char *) zone + zone->used;
    zone->used += size;
    memset(record, 0, size);
    return record;
}

uint64_t zone_free(const struct zone *zone)
{
    return zone->size - zone->used;
}

int zone_init(void *block, uint64_t size, uint64_t instance, const uint8_t token[16],
              uint64_t now_ms, struct err *err)
{
    struct zone *zone = block;

    size = size / ZONE_UNIT * ZONE_UNIT;
    if (size < zone_round(sizeof(*zone))) {
        return err_set(err, ERR_FULL, "a zone needs at least %llu bytes, not %llu",
                       (unsigned long long) zone_round(sizeof(*zone)), (unsigned long long) size);
    }
    zone->layout = ZONE_LAYOUT;
    zone->size = size;
    zone->used = zone_round(sizeof(*zone));
    zone->instance = instance;
    zone->started_at_ms = now_ms;
    memcpy(zone->verify_token, token, sizeof(zone->verify_token));
    zone->magic = ZONE_MAGIC;
    return 0;
}

bool zone_valid(const void *block, uint64_t size)
{
    const struct zone *zone = block;
    return zone->magic == ZONE_MAGIC && zone->layout == ZONE_LAYOUT &&
           zone->size == size / ZONE_UNIT * ZONE_UNIT;
}

struct service *zone_service_first(const struct zone *zone)
{
    return zone_at(zone, zone->services);
}

struct service *zone_service_next(const struct zone *zone, const struct service *service)
{
    return zone_at(zone, service->next);
}

struct service *zone_service_find(const struct zone *zone, struct str name)
{
    struct service *service = zone_service_first(zone);
    while (service != NULL && !str_eq((struct str){service->name, service->name_len}, name)) {
        service = zone_service_next(zone, service);
    }
    return service;
}

int zone_service_add_locked(struct zone *zone, struct str name, enum service_kind kind,
                            struct service **ret_service, struct err *err)
{
    struct service *service = zone_service_find(zone, name);
    if (service != NULL) {
        service->kind = (uint32_t) kind;
        *ret_service = service;
        return 0;
    }
    if (name.len == 0 || name.len > ZONE_NAME_MAX) {
        return err_set(err, ERR_INVALID, "a service's name has 1 to %d bytes, not %zu",
                       ZONE_NAME_MAX, name.len);
    }
    service = zone_take(zone, sizeof(*service));
    if (service == NULL) {
        return err_set(err, ERR_FULL, "the zone is full: no room for service \"" STR_FMT "\"",
                       STR_ARG(name));
    }
    service->kind = (uint32_t) kind;
    service->name_len = (uint32_t) name.len;
    memcpy(service->name, name.ptr, name.len);
    atomic_store(&service->watch.hang_ms, WATCH_HANG_MS);

    struct split split = {.enabled = true};
    split.salt_len = (uint8_t) name.len;
    memcpy(split.salt, name.ptr, name.len);
    split.key = cut_key_of(name);
    service->split.copy[0] = split;

    /* linked last: a reader that walks the list meets only finished services */
    struct service *last = zone_service_first(zone);
    while (last != NULL && last->next != 0) {
        last = zone_service_next(zone, last);
    }
    atomic_thread_fence(memory_order_release);
    if (last != NULL) {
        last->next = zone_offset(zone, service);
    } else {
        zone->services = zone_offset(zone, service);
    }
    (void) zone_epoch_bump(zone);
    *ret_service = service;
    return 0;
}

bool zone_split_read(const struct service *service, struct split *ret_split)
{
    const struct split_ring *ring = &service->split;

    for (int attempt = 0; attempt < 2; attempt++) {
        uint32_t before = atomic_load_explicit(&ring->current, memory_order_acquire);
        *ret_split = ring->copy[before % 4];
        atomic_thread_fence(memory_order_acquire);
        uint32_t after = atomic_load_explicit(&ring->current, memory_order_relaxed);
        if (after - before < 3) {
            return true; /* a writer reaches this copy again only with its fourth write */
        }
    }
    *ret_split = (struct split){.enabled = true};
    return false;
}

void zone_split_set_locked(struct zone *zone, struct service *service, struct split split)
{
    struct split_ring *ring = &service->split;
    uint32_t current = atomic_load_explicit(&ring->current, memory_order_relaxed);

    split.key = cut_key_of((struct str){split.salt, split.salt_len});
    ring->copy[(current + 1) % 4] = split;
    exposure_begin(&service->exposure[(current + 1) % 4], &split);
    atomic_store_explicit(&ring->current, current + 1, memory_order_seq_cst);
    (void) zone_epoch_bump(zone);
}
