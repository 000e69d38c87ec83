/* Choosing a peer; see pick.h. */
#include "traffic/pick.h"

#define PICK_PROBES 8

static bool was_tried(const struct pick_tried *tried, unsigned slot)
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
    unsigned healths; /* that take part, as bits */
    uint64_t state;   /* of the generator */
};

/* A peer that was drawn. slot -1: there is none. */
struct drawn {
    int slot;
    uint32_t meta;
};

#define NOBODY ((struct drawn){-1, 0})

/* splitmix64: G. Steele, D. Lea, C. Flood, OOPSLA 2014. Only spreads the caller's random bits. */
static uint64_t draw_bits(struct draw *draw)
{
    draw->state += 0x9e3779b97f4a7c15u;
    uint64_t z = draw->state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 .. n - 1, from 32 random bits. */
static uint32_t below(uint32_t bits, uint32_t n)
{
    return (uint32_t) (((uint64_t) bits * n) >> 32);
}

/* Where a level's health stands in META_HEALTH, as bits. */
static unsigned healths_of(enum level level)
{
    static const unsigned bits[] = {
        [LEVEL_NONE] = 0,
        [LEVEL_FAILING] = 1u << HEALTH_DOWN,
        [LEVEL_UNKNOWN] = 1u << HEALTH_UNKNOWN,
        [LEVEL_PASSING] = 1u << HEALTH_UP | 1u << HEALTH_UNCHECKED,
    };
    return bits[level];
}

static bool on_track(const struct draw *draw, uint32_t meta)
{
    return META_STATE(meta) == PEER_READY && META_TRACK(meta) == draw->track;
}

static bool eligible(const struct draw *draw, unsigned slot, uint32_t meta)
{
    return on_track(draw, meta) && (draw->healths >> META_HEALTH(meta) & 1u) != 0 &&
           !was_tried(draw->tried, slot);
}

/*
 * The best level that ready peers of the track have, tried or not, by their words themselves: the
 * service's counts may be ahead of them for a moment.
 */
static enum level level_now(const struct draw *draw, enum level least)
{
    enum level best = LEVEL_NONE;

    for (unsigned slot = 0; slot < draw->slots; slot++) {
        uint32_t meta = zone_peer_meta(draw->zone, draw->service, slot);
        enum level level = level_of(META_HEALTH(meta));
        if (level > best && level >= least && on_track(draw, meta)) {
            best = level;
        }
    }
    return best;
}

/* The eligible peers of a service that has few slots: all in its first chunk. */
struct few {
    unsigned n;
    uint32_t total; /* of their weights */
    struct drawn peer[ZONE_CHUNK_PEERS];
};

static void gather(const struct draw *draw, struct few *ret_few)
{
    const struct peer_chunk *chunk = zone_peer_chunk(draw->zone, draw->service, 0);
    ret_few->n = 0;
    ret_few->total = 0;
    for (unsigned slot = 0; slot < draw->slots; slot++) {
        uint32_t meta = atomic_load_explicit(&chunk->meta[slot], memory_order_relaxed);
        if (eligible(draw, slot, meta)) {
            ret_few->peer[ret_few->n++] = (struct drawn){(int) slot, meta};
            ret_few->total += META_WEIGHT(meta);
        }
    }
}

/* The peer at that place of the weights laid end to end, without the one at index other. */
static unsigned at_weight(const struct few *few, uint32_t place, unsigned other)
{
    unsigned last = other == 0 ? 1 : 0;

    for (unsigned i = 0; i < few->n; i++) {
        uint32_t weight = META_WEIGHT(few->peer[i].meta);
        if (i == other) {
            continue;
        }
        last = i;
        if (place < weight) {
            break;
        }
        place -= weight;
    }
    return last;
}

static void draw_few(struct draw *draw, struct drawn *ret_first, struct drawn *ret_second)
{
    struct few few;
    gather(draw, &few);
    if (few.n < 2) {
        *ret_first = few.n == 1 ? few.peer[0] : NOBODY;
        *ret_second = NOBODY;
        return;
    }
    uint64_t bits = draw_bits(draw);
    unsigned first = at_weight(&few, below((uint32_t) bits, few.total), few.n);
    uint32_t rest = few.total - META_WEIGHT(few.peer[first].meta);
    *ret_first = few.peer[first];
    *ret_second = few.peer[at_weight(&few, below((uint32_t) (bits >> 32), rest), first)];
}

/*
 * A blind probe, so that the cost does not grow with the number of peers: a probed peer is taken
 * with probability weight / greatest weight. other: a slot that is taken already, or -1.
 */
static struct drawn draw_probe(struct draw *draw, int other)
{
    uint32_t weight_max = atomic_load_explicit(&draw->service->weight_max, memory_order_relaxed);

    for (int probe = 0; probe < PICK_PROBES; probe++) {
        uint64_t bits = draw_bits(draw);
        unsigned slot = below((uint32_t) bits, draw->slots);
        uint32_t meta = zone_peer_meta(draw->zone, draw->service, slot);
        if ((int) slot != other && eligible(draw, slot, meta) &&
            below((uint32_t) (bits >> 32), weight_max) < META_WEIGHT(meta)) {
            return (struct drawn){(int) slot, meta};
        }
    }
    return NOBODY;
}

/* One peer by weight among all that are eligible, in one pass. */
static struct drawn draw_scan(struct draw *draw, int other)
{
    struct drawn drawn = NOBODY;
    uint32_t total = 0;

    for (unsigned slot = 0; slot < draw->slots; slot++) {
        uint32_t meta = zone_peer_meta(draw->zone, draw->service, slot);
        if ((int) slot == other || !eligible(draw, slot, meta)) {
            continue;
        }
        total += META_WEIGHT(meta);
        if (below((uint32_t) draw_bits(draw), total) < META_WEIGHT(meta)) {
            drawn = (struct drawn){(int) slot, meta};
        }
    }
    return drawn;
}

static struct drawn draw_one(struct draw *draw, int other)
{
    struct drawn drawn = draw_probe(draw, other);
    return drawn.slot >= 0 ? drawn : draw_scan(draw, other);
}

static int32_t in_flight(const struct draw *draw, int slot)
{
    struct peer_chunk *chunk = zone_peer_chunk(draw->zone, draw->service, (unsigned) slot);
    int32_t hint = atomic_load_explicit(&chunk->hint[(unsigned) slot % ZONE_CHUNK_PEERS],
                                        memory_order_relaxed);
    return hint > 0 ? hint : 0;
}

/* A canary's failing peers are tried only when stable has nothing better. */
static enum level least_level(const struct service *service, enum track track)
{
    return track == TRACK_CANARY && zone_level(service, TRACK_STABLE) >= LEVEL_UNKNOWN
               ? LEVEL_UNKNOWN
               : LEVEL_FAILING;
}

static struct drawn choose_of_two(struct draw *draw, enum level level)
{
    struct drawn first, second;

    draw->healths = healths_of(level);
    if (draw->slots <= ZONE_CHUNK_PEERS) {
        draw_few(draw, &first, &second);
    } else {
        first = draw_one(draw, -1);
        second = first.slot >= 0 ? draw_one(draw, first.slot) : NOBODY;
    }
    if (second.slot < 0) {
        return first;
    }
    uint64_t first_load = (uint64_t) in_flight(draw, first.slot) * META_WEIGHT(second.meta);
    uint64_t second_load = (uint64_t) in_flight(draw, second.slot) * META_WEIGHT(first.meta);
    return second_load < first_load ? second : first;
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
    enum level level = zone_level(service, track);
    struct drawn drawn = level != LEVEL_NONE ? choose_of_two(&draw, level) : NOBODY;

    /* Rare: nothing is left, or a peer changed while we looked. Its word is the truth. */
    for (int attempt = 0; drawn.slot < 0 && attempt < 2; attempt++) {
        level = level_now(&draw, least_level(service, track));
        if (level == LEVEL_NONE) {
            break;
        }
        drawn = choose_of_two(&draw, level);
        if (drawn.slot < 0 && level == LEVEL_PASSING) {
            drawn = choose_of_two(&draw, LEVEL_UNKNOWN);
        }
    }
    *ret_meta = drawn.meta;
    return drawn.slot;
}
