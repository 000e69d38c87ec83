/* Choosing a peer; see pick.h. */
#include "traffic/pick.h"

#define PICK_PROBES 8

bool pick_was_tried(const struct pick_tried *tried, unsigned slot)
{
    for (uint32_t i = 0; i < tried->count; i++) {
        if (tried->slot[i] == slot) {
            return true;
        }
    }
    return false;
}

struct draw {
    const struct zone *zone;
    const struct service *service;
    const struct pick_tried *tried;
    enum track track;
    unsigned slots;
    uint64_t state; /* of the generator */
};

/* splitmix64: G. Steele, D. Lea, C. Flood, OOPSLA 2014. Only spreads the caller's random bits. */
static uint32_t draw_below(struct draw *draw, uint32_t n)
{
    draw->state += 0x9e3779b97f4a7c15u;
    uint64_t z = draw->state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return (uint32_t) (((z >> 32) * n) >> 32);
}

static bool eligible(const struct draw *draw, unsigned slot, uint32_t meta)
{
    return META_STATE(meta) == PEER_READY && META_TRACK(meta) == draw->track &&
           !pick_was_tried(draw->tried, slot);
}

/* By weight over all eligible peers; -1 if there is none. */
static int draw_scan(struct draw *draw, uint32_t *ret_meta)
{
    uint32_t total = 0;
    int chosen = -1;

    for (unsigned slot = 0; slot < draw->slots; slot++) {
        uint32_t meta = zone_peer_meta(draw->zone, draw->service, slot);
        if (!eligible(draw, slot, meta)) {
            continue;
        }
        total += META_WEIGHT(meta);
        if (draw_below(draw, total) < META_WEIGHT(meta)) {
            chosen = (int) slot;
            *ret_meta = meta;
        }
    }
    return chosen;
}

/*
 * One peer by weight. With many peers blind probes first, so that the cost does not grow with
 * their number: a probed peer is taken with probability weight / greatest weight.
 */
static int draw_peer(struct draw *draw, uint32_t *ret_meta)
{
    uint32_t weight_max = atomic_load_explicit(&draw->service->weight_max, memory_order_relaxed);

    for (int probe = 0; probe < PICK_PROBES && draw->slots > PICK_PROBES; probe++) {
        unsigned slot = draw_below(draw, draw->slots);
        uint32_t meta = zone_peer_meta(draw->zone, draw->service, slot);
        if (eligible(draw, slot, meta) && draw_below(draw, weight_max) < META_WEIGHT(meta)) {
            *ret_meta = meta;
            return (int) slot;
        }
    }
    return draw_scan(draw, ret_meta);
}

static int32_t in_flight(const struct draw *draw, int slot)
{
    struct peer_chunk *chunk = zone_peer_chunk(draw->zone, draw->service, (unsigned) slot);
    int32_t hint = atomic_load_explicit(&chunk->hint[(unsigned) slot % ZONE_CHUNK_PEERS],
                                        memory_order_relaxed);
    return hint > 0 ? hint : 0;
}

int pick_peer(const struct zone *zone, const struct service *service, enum track track,
              const struct pick_tried *tried, uint64_t random, uint32_t *ret_meta)
{
    struct draw draw = {
        .zone = zone,
        .service = service,
        .tried = tried,
        .track = track,
        .state = random,
        .slots = atomic_load_explicit(&service->slots, memory_order_acquire),
    };
    uint32_t first_meta = 0, second_meta = 0;

    int first = draw_peer(&draw, &first_meta);
    if (first < 0) {
        return -1;
    }
    int second = draw_peer(&draw, &second_meta);
    if (second >= 0 && second != first) {
        uint64_t first_load = (uint64_t) in_flight(&draw, first) * META_WEIGHT(second_meta);
        uint64_t second_load = (uint64_t) in_flight(&draw, second) * META_WEIGHT(first_meta);
        if (second_load < first_load) {
            *ret_meta = second_meta;
            return second;
        }
    }
    *ret_meta = first_meta;
    return first;
}
