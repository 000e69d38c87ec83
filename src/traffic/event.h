/*
 * The ring of events of a service, in the zone: bad outcomes and sampled visitors, one by one, for
 * the one who judges a release. docs/reference/api.md, "Events", says what the fields mean.
 *
 * Appending
 *   A unit is thinned: of its events of one kind under one revision the 1st, 5th and 25th are kept.
 *   Who has an event asks event_nth(), which counts it without a lock; only what is to be kept
 *   takes the zone's mutex and comes into the ring by event_add_locked(). The record is written
 *   first and counted last, so that a process that is killed in between leaves nothing torn, and
 *   the next one writes over it.
 *
 * Reading
 *   Nothing is locked. A record is copied, then the reader looks whether its place was being
 *   written meanwhile. Each record has the number of canary records up to it: so a reader that
 *   remembers this number with the sequence number knows how many of each track it has missed.
 *
 * The cache of what was seen: two words a record, in sets of eight, each {48 bits of a hash of
 * unit, kind and revision, 8 bits of the revision, a count up to 255}. When a set is full, what is
 * of another revision goes, then what was seen least; such a unit begins anew with a 1st event.
 */
#pragma once

#include "traffic/zone.h"

#define EVENT_CAPACITY_MIN     256u
#define EVENT_CAPACITY_DEFAULT 4096u /* at most, where nobody says how many */
#define EVENT_CAPACITY_MAX     (1u << 20)
#define EVENT_ROUTE_MAX        31u

/* A record. Times are microseconds; start by the wall clock of the router. */
struct event {
    uint64_t seq; /* 1, 2, ... */
    uint64_t start_us;
    uint64_t unit;     /* u of the cut, if has_unit */
    uint64_t revision; /* of the split that it was cut by */
    uint64_t canaries; /* how many of the records up to this one have assigned canary */
    uint32_t took_us;
    uint32_t share_ppm;
    uint16_t peer; /* slot + 1; 0: none */
    uint16_t peer_generation;
    uint16_t status;       /* of HTTP, 0: none came; EVENT_SLOW: which threshold */
    uint16_t final_status; /* what the visitor got; 0: not known yet */
    uint8_t kind;          /* enum event_kind */
    uint8_t nth;           /* of its unit, kind and revision */
    uint8_t assigned;      /* enum track */
    uint8_t served;        /* enum track */
    uint8_t reason;        /* enum reason */
    uint8_t has_unit;
    int8_t grpc; /* -1: none came */
    uint8_t route_len;
    char route[EVENT_ROUTE_MAX + 1];
};

struct event_ring; /* of event.c */

const char *event_kind_name(enum event_kind kind);

/* What a ring of that many records takes of the zone. */
uint64_t event_ring_bytes(uint32_t capacity);
/* Gives the service its ring, for good; false: the zone is full. */
bool event_ring_make_locked(struct zone *zone, struct service *service, uint32_t capacity);
/* NULL: it has none. */
static inline struct event_ring *event_ring_of(const struct zone *zone,
                                               const struct service *service)
{
    return zone_at(zone, atomic_load_explicit(&service->ring, memory_order_acquire));
}
uint32_t event_ring_capacity(const struct event_ring *ring);
/* Records appended so far. */
uint64_t event_ring_appended(const struct event_ring *ring);

/*
 * Counts an event of its unit, kind and revision (for slow ones also status). Returns which of them
 * it is, when it is to be kept: 1, 5 or 25; of exposure and slow only the 1st is. Without a unit
 * always 1. 0: it is not kept.
 */
unsigned event_nth(struct event_ring *ring, const struct event *event);
/*
 * Appends a record whose nth is what event_nth() said; seq and canaries are set here. False:
 * another process has had this event of the unit meanwhile, it is not kept.
 */
bool event_add_locked(struct event_ring *ring, struct event *event);

/* Where a reader is: SEQ, or SEQ.CANARIES as `next` says. */
struct event_cursor {
    uint64_t seq, canaries;
    bool has_canaries;
};
/* "0", "1042" or "1042.97"; ERR_INVALID with a finished message. */
int event_cursor_parse(struct str text, struct event_cursor *ret_cursor, struct err *err);

struct event_reader {
    const struct event_ring *ring;
    struct event_cursor at;     /* behind the last record that was read */
    uint64_t appended;          /* when reading began: what came later is not read */
    uint64_t lost[TRACK_COUNT]; /* overwritten between where it began and the first record */
    bool knows_lost;            /* else where it began had no CANARIES */
    uint64_t read;              /* records */
};
/*
 * Begins behind the cursor; behind what was ever appended it begins with the first record, as a
 * ring that is new to this reader.
 */
void event_reader_init(struct event_reader *reader, const struct event_ring *ring,
                       const struct event_cursor *after);
/*
 * The next record. False: there is none, or it was overwritten while the reader stood before it; a
 * new reader then begins behind `at` and counts the loss.
 */
bool event_reader_next(struct event_reader *reader, struct event *ret_event);

/*
 * Every event of a request that began before this is in the ring: the least, over the living
 * workers, of their last tick and the start of the oldest request in flight at it (but streams).
 * To be asked before the ring is read. 0: nobody has ticked yet.
 */
uint64_t event_watermark_ms(const struct zone *zone, const struct service *service);
