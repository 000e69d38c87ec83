/* The ring of events; see event.h. */
#include "traffic/event.h"

#include <limits.h>
#include <string.h>

#include "base/num.h"
#include "traffic/sketch.h"
#include "traffic/zone_int.h"

#define WORDS (sizeof(struct event) / sizeof(uint64_t))
#define WAYS  8u /* of a set: one line of the cache */

_Static_assert(sizeof(struct event) == 96, "a record is 12 words");

/* Records are copied word by word, because readers do so while they are written. */
struct record {
    _Atomic uint64_t word[WORDS];
};

/* Behind it: the sets of what was seen, then `places` records. */
struct event_ring {
    uint32_t places; /* one more than can be read: that one may be being written */
    uint32_t sets;   /* a power of two */
    _Atomic uint64_t head;
    _Alignas(64) _Atomic uint64_t seen[];
};

static const char *const kind_names[EVENT_KINDS] = {
    "app",       "grpc",        "connect",      "reset",    "timeout", "hang",
    "truncated", "client-gone", "client-error", "redirect", "slow",    "exposure",
};

const char *event_kind_name(enum event_kind kind)
{
    return kind_names[kind];
}

static uint32_t sets_for(uint32_t capacity)
{
    uint32_t sets = 1;
    while (sets * WAYS < 2 * capacity) {
        sets *= 2;
    }
    return sets;
}

uint64_t event_ring_bytes(uint32_t capacity)
{
    return zone_round(sizeof(struct event_ring) +
                      sets_for(capacity) * WAYS * (uint64_t) sizeof(uint64_t) +
                      (capacity + (uint64_t) 1) * sizeof(struct record));
}

bool event_ring_make_locked(struct zone *zone, struct service *service, uint32_t capacity)
{
    struct event_ring *ring = zone_take(zone, event_ring_bytes(capacity));
    if (ring == NULL) {
        return false;
    }
    ring->places = capacity + 1;
    ring->sets = sets_for(capacity);
    atomic_store_explicit(&service->ring, zone_offset(zone, ring), memory_order_release);
    return true;
}

uint32_t event_ring_capacity(const struct event_ring *ring)
{
    return ring->places - 1;
}

uint64_t event_ring_appended(const struct event_ring *ring)
{
    return atomic_load_explicit(&ring->head, memory_order_acquire);
}

static struct record *record_of(const struct event_ring *ring, uint64_t seq)
{
    struct record *records = (void *) (uintptr_t) &ring->seen[(size_t) ring->sets * WAYS];
    return &records[(seq - 1) % ring->places];
}

/* What was seen. */

#define SEEN_COUNT(word)       ((word) &0xffu)
#define SEEN_SAME(word, other) (((word) ^ (other)) >> 8 == 0)
#define SEEN_AGE(word)         ((word) >> 8 & 0xffu)

struct key {
    _Atomic uint64_t *set;
    uint64_t word; /* with a count of 1 */
};

static struct key key_of(struct event_ring *ring, const struct event *event)
{
    uint64_t what = event->kind | (event->kind == EVENT_SLOW ? event->status + UINT64_C(1) : 0)
                                      << 8;
    uint64_t hash = sketch_mix(sketch_mix(event->unit ^ sketch_mix(event->revision)) + what);

    return (struct key){
        .set = &ring->seen[(hash & (ring->sets - 1)) * WAYS],
        .word = (hash & ~UINT64_C(0xffff)) | (event->revision & 0xffu) << 8 | 1,
    };
}

static bool is_kept(const struct event *event, unsigned nth)
{
    return nth == 1 ||
           ((nth == 5 || nth == 25) && event->kind != EVENT_SLOW && event->kind != EVENT_EXPOSURE);
}

/* Counts it if it is there. Returns how often it was seen with this time; 0: it is not there. */
static unsigned seen_count(const struct key *key)
{
    for (unsigned way = 0; way < WAYS; way++) {
        uint64_t word = atomic_load_explicit(&key->set[way], memory_order_relaxed);
        while (SEEN_COUNT(word) != 0 && SEEN_SAME(word, key->word)) {
            if (SEEN_COUNT(word) == 0xffu) {
                return 0xffu;
            }
            if (atomic_compare_exchange_weak_explicit(&key->set[way], &word, word + 1,
                                                      memory_order_relaxed, memory_order_relaxed)) {
                return (unsigned) SEEN_COUNT(word) + 1;
            }
        }
    }
    return 0;
}

/* How little a word is worth beside the new one: an empty one most of all. */
static unsigned seen_worth(uint64_t word, uint64_t new)
{
    return (unsigned) SEEN_COUNT(word) +
           (word != 0 && SEEN_AGE(word) == SEEN_AGE(new) ? 0x100u : 0);
}

static void seen_insert(const struct key *key)
{
    unsigned least = 0, least_worth = UINT_MAX;

    for (unsigned way = 0; way < WAYS; way++) {
        uint64_t word = atomic_load_explicit(&key->set[way], memory_order_relaxed);
        unsigned worth = seen_worth(word, key->word);
        if (worth < least_worth) {
            least = way;
            least_worth = worth;
        }
    }
    atomic_store_explicit(&key->set[least], key->word, memory_order_relaxed);
}

unsigned event_nth(struct event_ring *ring, const struct event *event)
{
    if (!event->has_unit) {
        return 1;
    }
    struct key key = key_of(ring, event);
    unsigned nth = seen_count(&key);

    if (nth == 0) {
        return 1;
    }
    return is_kept(event, nth) ? nth : 0;
}

static void record_write(struct event_ring *ring, const struct event *event)
{
    struct record *record = record_of(ring, event->seq);
    uint64_t word[WORDS];

    memcpy(word, event, sizeof(word));
    /* whoever sees one of these words sees also that the record before it is counted */
    atomic_thread_fence(memory_order_release);
    for (unsigned i = 0; i < WORDS; i++) {
        atomic_store_explicit(&record->word[i], word[i], memory_order_relaxed);
    }
}

static void record_read(const struct event_ring *ring, uint64_t seq, struct event *ret_event)
{
    const struct record *record = record_of(ring, seq);
    uint64_t word[WORDS];

    for (unsigned i = 0; i < WORDS; i++) {
        word[i] = atomic_load_explicit(&record->word[i], memory_order_relaxed);
    }
    memcpy(ret_event, word, sizeof(word));
}

bool event_add_locked(struct event_ring *ring, struct event *event)
{
    struct key key = {0};
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    struct event last = {0};

    if (event->has_unit && event->nth == 1) {
        key = key_of(ring, event);
        unsigned nth = seen_count(&key);
        if (nth != 0 && !is_kept(event, nth)) {
            return false;
        }
        event->nth = nth != 0 ? (uint8_t) nth : 1;
    }
    if (head > 0) {
        record_read(ring, head, &last);
    }
    event->seq = head + 1;
    event->canaries = last.canaries + (event->assigned == TRACK_CANARY);
    record_write(ring, event);
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);

    if (key.set != NULL && event->nth == 1) {
        seen_insert(&key);
    }
    return true;
}

/* Readers. */

int event_cursor_parse(struct str text, struct event_cursor *ret_cursor, struct err *err)
{
    struct event_cursor cursor = {0};
    struct str rest = text, first = {0};

    (void) str_cut(&rest, '.', &first);
    cursor.has_canaries = rest.ptr != NULL;
    if (num_u64(first, 0, UINT64_MAX, &cursor.seq) != 0 ||
        (cursor.has_canaries && num_u64(rest, 0, cursor.seq, &cursor.canaries) != 0)) {
        return err_set(err, ERR_INVALID,
                       "after is \"" STR_FMT "\"; right is 0 or the next of the answer before",
                       STR_ARG(text));
    }
    *ret_cursor = cursor;
    return 0;
}

void event_reader_init(struct event_reader *reader, const struct event_ring *ring,
                       const struct event_cursor *after)
{
    *reader = (struct event_reader){.ring = ring, .at = *after};
    reader->appended = event_ring_appended(ring);
    if (after->seq > reader->appended) {
        reader->at = (struct event_cursor){0};
    }
    reader->knows_lost = reader->at.has_canaries;
    reader->at.has_canaries = reader->at.has_canaries || reader->at.seq == 0;
}

/* The first record whose place is not the next to be written. */
static uint64_t oldest_safe(const struct event_ring *ring)
{
    uint64_t head = event_ring_appended(ring);
    return head + 2 > ring->places ? head + 2 - ring->places : 1;
}

/* False: it was overwritten. */
static bool record_take(const struct event_ring *ring, uint64_t seq, struct event *ret_event)
{
    record_read(ring, seq, ret_event);
    atomic_thread_fence(memory_order_acquire);
    return seq >= oldest_safe(ring);
}

bool event_reader_next(struct event_reader *reader, struct event *ret_event)
{
    uint64_t seq = reader->at.seq + 1;

    while (seq <= reader->appended && !record_take(reader->ring, seq, ret_event)) {
        if (reader->read > 0) {
            return false;
        }
        seq = oldest_safe(reader->ring);
        reader->appended = event_ring_appended(reader->ring);
    }
    if (seq > reader->appended) {
        return false;
    }
    if (reader->read++ == 0 && reader->knows_lost) {
        uint64_t lost = seq - 1 - reader->at.seq;
        bool canary = ret_event->assigned == TRACK_CANARY;
        reader->lost[TRACK_CANARY] = ret_event->canaries - canary - reader->at.canaries;
        reader->lost[TRACK_STABLE] = lost - reader->lost[TRACK_CANARY];
        reader->knows_lost = reader->lost[TRACK_CANARY] <= lost;
    }
    reader->at = (struct event_cursor){seq, ret_event->canaries, true};
    return true;
}

uint64_t event_watermark_ms(const struct zone *zone, const struct service *service)
{
    uint64_t watermark = UINT64_MAX;

    for (unsigned i = 0; i < ZONE_WORKERS; i++) {
        const struct zone_worker *worker = &zone->worker[i];
        int32_t pid = atomic_load(&worker->pid);
        if (pid == 0) {
            continue;
        }
        /* in this order: what was in flight at that tick, or at a later one, that it tells */
        uint64_t ticked = atomic_load_explicit(&worker->ticked_ms, memory_order_acquire);
        const struct row *row = zone_row_find(zone, service, worker->slot);
        uint64_t oldest = row != NULL && atomic_load(&row->pid) == pid
                              ? atomic_load_explicit(&row->oldest_ms, memory_order_acquire)
                              : 0;
        uint64_t mark = oldest != 0 && oldest < ticked ? oldest : ticked;
        watermark = mark < watermark ? mark : watermark;
    }
    return watermark != UINT64_MAX ? watermark : 0;
}
