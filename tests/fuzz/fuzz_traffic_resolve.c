/*
 * Answers of a resolver: any sequence of address lists, with doubles, IPv6 and odd lengths, leaves
 * the zone with the addresses of the last one, each once, and its counts right.
 *
 * The input is a list of records: a byte that tells what comes (0x80: the resolver fails; 0x40:
 * an order to the name; else an answer of so many addresses), then a byte for the length of each
 * address' text and one for its sockaddr's, and the bytes of both, which overlap.
 */
#include <stdlib.h>
#include <string.h>

#include "traffic/resolve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ZONE_SIZE (1u << 18)

struct input {
    const uint8_t *data;
    size_t size;
};

static uint8_t next_byte(struct input *input)
{
    if (input->size == 0) {
        return 0;
    }
    input->size--;
    return *input->data++;
}

static struct resolve_address next_address(struct input *input)
{
    size_t text = next_byte(input), sockaddr = next_byte(input);

    text = text < input->size ? text : input->size;
    sockaddr = sockaddr < input->size ? sockaddr : input->size;
    struct resolve_address address = {{(const char *) input->data, text}, input->data, sockaddr};
    input->data += text;
    input->size -= text;
    return address;
}

static void check_counts(const struct zone *zone, const struct service *service)
{
    unsigned ready[TRACK_COUNT] = {0}, living = 0;

    for (unsigned slot = 0; slot < atomic_load(&service->slots); slot++) {
        uint32_t meta = zone_peer_meta(zone, service, slot);
        ready[META_TRACK(meta)] += META_STATE(meta) == PEER_READY;
        living += META_STATE(meta) != PEER_FREE && META_STATE(meta) != PEER_REMOVED;
    }
    if (ready[0] != zone_ready(service, TRACK_STABLE, LEVEL_PASSING) ||
        ready[1] != zone_ready(service, TRACK_CANARY, LEVEL_PASSING) ||
        living > 1 + RESOLVE_ADDRESSES_MAX) {
        abort();
    }
}

/* Each address that fits is a peer, unless there are too many; each peer is in the answer. */
static void check_answer(const struct zone *zone, const struct service *service,
                         const struct resolve_address *address, size_t count)
{
    unsigned found[RESOLVE_ADDRESSES_MAX + 1] = {0}, peers = 0;

    for (unsigned slot = 1; slot < atomic_load(&service->slots); slot++) {
        enum peer_state state = META_STATE(zone_peer_meta(zone, service, slot));
        const struct peer *peer = zone_peer(zone, service, slot);
        if (state == PEER_FREE || state == PEER_REMOVED) {
            continue;
        }
        size_t i = 0;
        while (i < count &&
               !str_eq(address[i].text, (struct str){peer->address, peer->address_len})) {
            i++;
        }
        for (unsigned j = 0; j < peers; j++) {
            if (found[j] == i) {
                abort();
            }
        }
        if (i == count || peers >= RESOLVE_ADDRESSES_MAX) {
            abort();
        }
        found[peers++] = (unsigned) i;
    }
}

static void run(struct zone *zone, struct service *service, struct input input)
{
    struct resolve_address address[128];
    struct resolve_now now = {.mono_ms = 1, .wall_ms = 1};

    while (input.size > 0) {
        uint8_t kind = next_byte(&input);
        now.mono_ms += 10;
        if (kind & 0x80u) {
            (void) resolve_failed_locked(zone, service, 0,
                                         (struct str){(const char *) input.data, input.size});
        } else if (kind & 0x40u) {
            struct peer_order order = {.has_state = true,
                                       .state = (enum peer_state)(PEER_READY + kind % 3),
                                       .has_track = true,
                                       .track = (enum track)(kind / 4 % 2),
                                       .has_weight = true,
                                       .weight = 1 + kind / 8 % 8};
            zone_peer_order_locked(zone, service, 0, &order, now.mono_ms);
        } else {
            size_t count = (size_t) kind * 2;
            for (size_t i = 0; i < count; i++) {
                address[i] = next_address(&input);
            }
            (void) resolve_answer_locked(zone, service, 0, address, count, now);
            check_answer(zone, service, address, count);
        }
        check_counts(zone, service);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t token[16];
    struct peer_spec name = {.address = STR("app:80"),
                             .name = STR("app"),
                             .weight = 1,
                             .state = PEER_READY,
                             .is_name = true,
                             .parent = -1};
    struct service *service = NULL;
    unsigned slot = 0;
    void *block = aligned_alloc(64, ZONE_SIZE);

    if (block == NULL) {
        return 0;
    }
    memset(block, 0, ZONE_SIZE);
    if (zone_init(block, ZONE_SIZE, 1, token, 1, NULL) != 0 ||
        zone_service_add_locked(block, STR("shop"), SERVICE_BALANCER, &service, NULL) != 0 ||
        zone_peer_add_locked(block, service, &name, 0, &slot, NULL) != 0 || slot != 0) {
        abort();
    }
    service->slow_start_ms = 100;
    run(block, service, (struct input){data, size});
    free(block);
    return 0;
}
