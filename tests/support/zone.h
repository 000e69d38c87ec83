#pragma once
/* A zone in a test's own memory, with one service and peers. */
#include "support/t.h"
#include "traffic/zone.h"

#define T_ZONE_SIZE (1u << 20)

static _Alignas(64) uint8_t t_zone_memory[T_ZONE_SIZE];

static inline struct zone *t_zone(uint64_t size)
{
    static const uint8_t token[16] = {1};
    memset(t_zone_memory, 0, sizeof(t_zone_memory));
    assert_int_equal(zone_init(t_zone_memory, size, 7, token, 1000, NULL), 0);
    assert_true(zone_valid(t_zone_memory, size));
    return (struct zone *) (void *) t_zone_memory;
}

static inline struct service *t_service(struct zone *zone, const char *name)
{
    struct service *service = NULL;
    assert_int_equal(zone_service_add_locked(zone, str_of(name), SERVICE_BALANCER, &service, NULL),
                     0);
    return service;
}

static inline struct peer_spec t_spec(const char *address, enum track track, uint32_t weight)
{
    return (struct peer_spec){.address = str_of(address),
                              .name = str_of(address),
                              .sockaddr = address,
                              .sockaddr_len = strlen(address),
                              .track = track,
                              .weight = weight,
                              .state = PEER_READY,
                              .parent = -1};
}

/* Adds a ready peer without a slow start; returns its slot. */
static inline unsigned t_peer(struct zone *zone, struct service *service, const char *address,
                              enum track track, uint32_t weight)
{
    struct peer_spec spec = t_spec(address, track, weight);
    unsigned slot = 0;
    assert_int_equal(zone_peer_add_locked(zone, service, &spec, 0, &slot, NULL), 0);
    return slot;
}
