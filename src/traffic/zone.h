/*
 * The shared zone: what all worker processes of one router know together. This file is its layout
 * and every operation on it, as plain C over a block of memory that the caller has mapped shared
 * (NGINX's zone, or a test's array). No allocation but from that block, no I/O, no clock.
 *
 * Shape
 *   struct zone                   header, at the start of the block
 *     service 0..N                a name, a split, two histograms a track
 *       peers, in chunks of 16    hot words (meta, hint) apart from the cold texts and health
 *       rows, one a process       counters of each track, and pins: in-flight per peer
 *       a ring of events          see event.h
 * Records are found by offset from the start of the block (0 = none); no pointer is ever stored.
 * Records are made and never given back: a service that the configuration drops keeps its record
 * for its return, a removed peer's slot is used again, a row serves the next process of its slot.
 *
 * Who may do what
 *   readers     never lock. A split is read by copy from a ring of four (zone_split_read).
 *   writers     call ..._locked functions with the zone's mutex held by the caller.
 *   a process   adds to the rows of its own process slot only; whoever starts in a slot takes its
 *               rows over and zeroes their pins, so a killed process leaks nothing for ever.
 *
 * The pin protocol, by which "draining and nothing in flight" is a proof:
 *   a request   adds 1 to its own pin, then (seq_cst) reads the peer's meta again; if that is not
 *               what it chose by, it takes the 1 back and chooses anew.
 *   a drainer   stores the new meta, then reads the sum of all pins: a request is either in the
 *               sum or has seen the new meta.
 *
 * What a peer is (state, asked for) and how it does (health, seen) are two things in one word; see
 * health.h. A name that is resolved again and again has a slot of its own, which never takes
 * requests; its addresses are peers that know it as their parent.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hist.h"
#include "base/str.h"
#include "traffic/cut.h"
#include "traffic/health.h"

#define ZONE_LAYOUT       2u
#define ZONE_NAME_MAX     64
#define ZONE_BY_MAX       64  /* who asked for something */
#define ZONE_TEXT_MAX     200 /* why, what visitors are told, what a check saw */
#define ZONE_ADDRESS_MAX  128
#define ZONE_SOCKADDR_MAX 112
#define ZONE_DC_MAX       32
#define ZONE_CHUNK_PEERS  16u
#define ZONE_CHUNKS       64u
#define ZONE_PEERS_MAX    (ZONE_CHUNK_PEERS * ZONE_CHUNKS)
#define ZONE_WEIGHT_MAX   1000u

enum track { TRACK_STABLE, TRACK_CANARY, TRACK_COUNT };

/* Why a request is on its track; order of the texts in zone_reason_name(). */
enum reason {
    REASON_SPLIT,
    REASON_FORCED,
    REASON_FALLBACK,
    REASON_NO_ID,
    REASON_DISABLED,
    REASON_VERSION_COOKIE,
    REASON_COUNT
};

/* PEER_NAME: not a peer but a name, whose addresses are peers; what is asked of it is in wanted. */
enum peer_state { PEER_FREE, PEER_READY, PEER_DRAINING, PEER_DOWN, PEER_REMOVED, PEER_NAME };

/* Where a peer comes from: nginx.conf, the API, or a name's address. */
enum peer_origin { ORIGIN_CONFIG, ORIGIN_API, ORIGIN_NAME };

enum service_kind { SERVICE_BALANCER, SERVICE_CUT };

/* How the state of a service came to be. */
enum restored { RESTORED_FRESH, RESTORED_FILE, RESTORED_KEPT, RESTORED_REFUSED, RESTORED_PARTLY };

const char *zone_track_name(enum track track);
const char *zone_reason_name(enum reason reason);
const char *zone_peer_state_name(enum peer_state state);
const char *zone_peer_origin_name(enum peer_origin origin);
const char *zone_restored_name(enum restored restored);

/* What a writer sets in one go. key is made from salt by zone_split_set_locked(). */
struct split {
    struct cut_key key;
    uint64_t revision;
    uint32_t share_ppm;
    bool enabled;
    uint8_t salt_len;
    char salt[CUT_SALT_MAX];
};

struct split_ring {
    struct split copy[4];
    _Atomic uint32_t current; /* counts writes; the present copy is copy[current % 4] */
};

/* Counters per track and process. ids: how the request got its id. */
enum counter {
    COUNTER_REQUESTS,
    COUNTER_FIRST_FAILED,
    COUNTER_RETRIES,
    COUNTER_CROSSED,
    COUNTER_PANIC,       /* no peer passed, a failing one was tried */
    COUNTER_OTHER_TRACK, /* served by the other track after a 404 */
    COUNTER_MAINTENANCE, /* answered by command */
    COUNTER_CUT,         /* ended by the limit of a drain */
    COUNTER_BYTES_SENT,
    COUNTER_BYTES_RECEIVED,
    COUNTER_VERIFY_REQUESTS,
    COUNTER_ID_VALID,
    COUNTER_ID_ISSUED,
    COUNTER_ID_REPLACED,
    COUNTER_ID_SOURCED,
    COUNTER_ID_NONE,
    COUNTER_COUNT
};

/* Statuses: every registered code has a counter of its own, the rest share one a class. */
#define ZONE_STATUSES      80u
#define ZONE_GRPC_OTHER    17u /* a grpc-status that is no number of the specification */
#define ZONE_GRPC_MISSING  18u /* a gRPC request that ended without a grpc-status */
#define ZONE_GRPC_STATUSES 19u

/* What events tell of; docs/reference/api.md, "Events". */
enum event_kind {
    EVENT_APP,
    EVENT_GRPC,
    EVENT_CONNECT,
    EVENT_RESET,
    EVENT_TIMEOUT,
    EVENT_HANG,
    EVENT_TRUNCATED,
    EVENT_CLIENT_GONE,
    EVENT_CLIENT_ERROR,
    EVENT_REDIRECT,
    EVENT_SLOW,
    EVENT_EXPOSURE,
    EVENT_KINDS
};

struct counters {
    _Atomic uint64_t count[COUNTER_COUNT];
    _Atomic uint64_t event[EVENT_KINDS]; /* before thinning */
    _Atomic uint64_t reason[REASON_COUNT];
    _Atomic uint64_t grpc_status[ZONE_GRPC_STATUSES];
    _Atomic uint64_t status[ZONE_STATUSES];
};

/* Index of an HTTP status among struct counters' status, and its name: "404", or "4xx-other". */
unsigned zone_status_index(unsigned status);
const char *zone_status_name(unsigned index);
unsigned zone_status_names(void); /* how many indexes there are */

/* One peer's pin in one process. */
struct pin {
    _Atomic uint64_t requests;
    _Atomic uint32_t in_flight;
    _Atomic uint32_t failures;
};

struct pin_chunk {
    struct pin pin[ZONE_CHUNK_PEERS];
};

/* What one process has counted of one service. */
struct row {
    uint32_t next; /* next row of the service, 0 = last */
    int32_t slot;  /* ngx_process_slot */
    _Atomic int32_t pid;
    _Atomic uint64_t oldest_ms; /* wall clock: start of the oldest request in flight but streams, at
                                   the worker's last tick; 0: there was none */
    _Atomic uint32_t pins[ZONE_CHUNKS];
    struct counters track[TRACK_COUNT];
};

/*
 * A peer's hot word: state (3 bits), track (1), health (2), weight now in sixteenths (14),
 * generation of the slot (12). One atomic word, so that what a request chose by can be compared as
 * a whole. The weight is in sixteenths because it grows during a slow start.
 */
#define ZONE_WEIGHT_UNIT      16u
#define META_STATE(meta)      ((enum peer_state)((meta) &7u))
#define META_TRACK(meta)      ((enum track)(((meta) >> 3) & 1u))
#define META_HEALTH(meta)     ((enum health)(((meta) >> 4) & 3u))
#define META_WEIGHT(meta)     (((meta) >> 6) & 0x3fffu)
#define META_GENERATION(meta) ((meta) >> 20)
#define META(state, track, health, weight, generation)                             \
    ((uint32_t) (state) | ((uint32_t) (track) << 3) | ((uint32_t) (health) << 4) | \
     ((uint32_t) (weight) << 6) | ((uint32_t) (generation) << 20))

/* Who took a peer out, and until when requests and streams may go on there. Wall clock, 0: none. */
struct peer_drain {
    uint64_t since_ms, requests_until_ms, streams_until_ms;
    uint32_t by_len;
    char by[ZONE_BY_MAX];
};

/* What was seen of a peer last. All but fails is written by writers only. */
struct peer_seen {
    struct health_state state;
    _Atomic uint32_t fails;         /* requests in a row that failed; any process */
    uint64_t ejected_until_ms;      /* CLOCK_MONOTONIC; 0: not ejected */
    _Atomic uint64_t checked_at_ms; /* CLOCK_MONOTONIC; the last check's end, 0: none */
    _Atomic uint64_t noted_at_ms;   /* the same clock; what code and text tell of, 0: nothing yet */
    _Atomic uint32_t took_us;       /* of the last check */
    _Atomic uint32_t changes;       /* of health */
    _Atomic uint32_t code;          /* enum check_code */
    uint32_t text_len;
    char text[ZONE_TEXT_MAX];
};

/*
 * A peer's cold part. Texts and sockaddr are written while its slot is free, then constant until it
 * is free again; the rest changes under the mutex.
 */
struct peer {
    uint16_t address_len, name_len, dc_len, sockaddr_len;
    char address[ZONE_ADDRESS_MAX]; /* as NGINX prints it: "10.0.1.11:8080"; a name: "app:8080" */
    char name[ZONE_ADDRESS_MAX];    /* as configured, without the port when it is a host name */
    char dc[ZONE_DC_MAX];
    union {
        char bytes[ZONE_SOCKADDR_MAX];
        uint64_t align;
    } sockaddr;

    uint8_t origin;  /* enum peer_origin */
    bool is_name;    /* also while it is removed */
    uint8_t wanted;  /* of a name: enum peer_state that its addresses are in */
    uint16_t parent; /* slot of its name + 1, 0: it is not of a name */
    uint32_t weight; /* as it is set */

    /* what nginx.conf says, by which differences are told; in_config false: it does not have it */
    bool in_config, base_down;
    uint8_t base_track;
    uint32_t base_weight;

    uint64_t ramp_since_ms; /* CLOCK_MONOTONIC: when the slow start began; 0: full weight */
    bool cold;              /* added while all went on: the first check that passes begins one */
    struct peer_drain drain;
    uint64_t cut_total; /* requests that the limits of its drains ended */
    struct peer_seen seen;

    /* of a name */
    _Atomic uint64_t resolved_at_ms; /* wall clock, 0: never */
    _Atomic uint32_t error_len;
    char error[ZONE_TEXT_MAX]; /* why it has no addresses, or only old ones */
};

struct peer_chunk {
    _Atomic uint32_t meta[ZONE_CHUNK_PEERS];
    _Atomic int32_t hint[ZONE_CHUNK_PEERS]; /* in-flight of all processes, nearly; for balancing */
    struct peer peer[ZONE_CHUNK_PEERS];
};

/* Distinct units: the registers of a HyperLogLog; see sketch.h. */
#define SKETCH_REGISTERS 2048u

struct sketch {
    _Atomic uint8_t reg[SKETCH_REGISTERS];
};

/* Who was there under one revision; place i belongs to copy i of the split's ring. */
struct exposure {
    _Atomic uint64_t revision;
    _Atomic uint64_t since_ms; /* wall clock: its first request, 0: none yet */
    _Atomic uint32_t share_ppm;
    struct sketch units[TRACK_COUNT];
};

/* What the one who judges wants to hear of; docs/reference/api.md, "Watch". */
#define WATCH_SLOW_MAX   4u
#define WATCH_SAMPLE_MAX 65536u
#define WATCH_HANG_MS    60000u /* what a new service has */

struct watch {
    _Atomic uint32_t slow_us[WATCH_SLOW_MAX]; /* rising, 0: no more of them */
    _Atomic uint32_t hang_ms;                 /* 0: off */
    _Atomic uint32_t sample;                  /* a power of two, 0: off */
    _Atomic uint32_t kinds;                   /* bits of enum event_kind that are off by default */
};

/* A service out of service by command. */
struct maintenance {
    _Atomic uint32_t on;
    uint64_t since_ms;
    uint32_t by_len, message_len;
    char by[ZONE_BY_MAX], message[ZONE_TEXT_MAX];
};

struct service {
    uint32_t next; /* next service, 0 = last */
    uint32_t kind; /* enum service_kind */
    uint32_t restored;
    uint32_t name_len;
    char name[ZONE_NAME_MAX];
    _Atomic uint32_t listed; /* generation that has it, 0: not the present one */
    _Atomic uint32_t slots;  /* peer slots in use so far: 0 .. ZONE_PEERS_MAX */
    _Atomic uint32_t rows;   /* first row */
    _Atomic uint32_t ready[TRACK_COUNT][HEALTH_COUNT]; /* ready peers */
    _Atomic uint32_t weight_max; /* greatest weight that a peer ever had, sixteenths */
    _Atomic uint32_t ramping;    /* peers in their slow start */
    _Atomic uint32_t ejected;    /* peers that wait for the end of an ejection */
    _Atomic uint32_t draining;   /* peers in that state */
    _Atomic uint32_t uncounted;  /* the zone was full: some requests are in no pin, so that a sum of
                                    0 proves nothing; until the zone is made anew */
    uint32_t slow_start_ms;
    bool checked;              /* has active checks; writers only */
    uint32_t removed;          /* peers in that state; writers only */
    uint64_t control_revision; /* counts changes of peers and maintenance that are saved */
    struct maintenance maintenance;
    struct watch watch;
    _Atomic uint32_t ring; /* struct event_ring, 0: there is none */
    _Atomic uint32_t peers[ZONE_CHUNKS];
    struct split_ring split;
    struct hist header_time[TRACK_COUNT];
    struct hist upstream_time[TRACK_COUNT];
    struct exposure exposure[4];
};

/* The state file as the router last saw or wrote it. */
struct zone_file {
    _Atomic uint64_t inode, mtime_ns, size;
    _Atomic uint64_t saved_at_ms;
    _Atomic uint32_t failed; /* errno of the last write, 0 = written */
};

#define ZONE_WORKERS    128u
#define ZONE_REASON_MAX 200

struct zone_worker {
    _Atomic int32_t pid; /* 0 = free */
    int32_t slot;
    uint32_t generation; /* reloads before this worker started */
    _Atomic uint32_t exiting;
    _Atomic uint64_t ticked_ms; /* wall clock: its last tick */
};

/* The health checks that are answered here fail by command. */
struct failing {
    _Atomic uint32_t on;
    uint64_t since_ms;
    uint32_t by_len;
    char by[ZONE_BY_MAX];
};

struct zone {
    uint32_t magic, layout;
    uint64_t size; /* of the whole block, bytes */
    uint64_t used;
    uint64_t instance; /* random: another zone, other counters */
    uint64_t started_at_ms;
    uint8_t verify_token[16];
    _Atomic uint64_t epoch;
    uint32_t restored; /* enum restored */
    char restored_reason[ZONE_REASON_MAX];
    uint32_t generation;       /* counts configurations merged: 1 after the start */
    uint32_t services;         /* first service */
    _Atomic int32_t lease_pid; /* the worker that does the periodic work */
    _Atomic uint64_t lease_beat_ms;
    _Atomic uint64_t lease_number;        /* rises with every holder */
    _Atomic uint64_t checks, checks_late; /* active checks made, and those that began late */
    _Atomic uint32_t hinted;              /* service whose hints were set last, 0 = none */
    struct failing failing;
    uint64_t control_revision; /* counts changes of failing that are saved */
    uint32_t flights;          /* struct flights, see flight.h; 0: none yet */
    struct zone_file file;
    struct zone_worker worker[ZONE_WORKERS];
};

/* Bytes that are left for records. */
uint64_t zone_free(const struct zone *zone);

/*
 * Makes a fresh zone in a zeroed block of size bytes (aligned to 64). token: 16 random bytes.
 * ERR_FULL when size is below the header's.
 */
int zone_init(void *block, uint64_t size, uint64_t instance, const uint8_t token[16],
              uint64_t now_ms, struct err *err);

/* Is the block one of ours, of this layout and size? */
bool zone_valid(const void *block, uint64_t size);

struct service *zone_service_first(const struct zone *zone);
struct service *zone_service_next(const struct zone *zone, const struct service *service);
/* The service of that name, listed or not; NULL if there is none. */
struct service *zone_service_find(const struct zone *zone, struct str name);
/* Finds or makes; ERR_FULL. A new one has the split {share 0, enabled, revision 0, salt name}. */
int zone_service_add_locked(struct zone *zone, struct str name, enum service_kind kind,
                            struct service **ret_service, struct err *err);

/*
 * Reads the split. False (and ret_split is share 0, enabled, the salt empty) only if writers went
 * once around the ring twice in a row while it was read: the caller then serves stable.
 */
bool zone_split_read(const struct service *service, struct split *ret_split);
/* Publishes a split; the key is made from the salt here. Also counts the zone's epoch. */
void zone_split_set_locked(struct zone *zone, struct service *service, struct split split);

/*
 * What a peer is, for adding. sockaddr: sockaddr_len bytes. weight: 1 .. ZONE_WEIGHT_MAX.
 * is_name: it is a name to be resolved, address is NAME:PORT. parent: slot of its name, or -1.
 */
struct peer_spec {
    struct str address, name, dc;
    const void *sockaddr;
    size_t sockaddr_len;
    enum track track;
    uint32_t weight;
    enum peer_origin origin;
    enum peer_state state; /* ready, draining or down; what it wants, for a name */
    bool is_name, checked; /* checked: the service has active checks */
    int parent;
};

/*
 * Slot of the peer or name with this address and track, or -1. Removed ones are not found. A name
 * may have the address of a peer that stands alone: then it is the slot of the latter.
 */
int zone_peer_find(const struct zone *zone, const struct service *service, struct str address,
                   enum track track);
/*
 * Adds a peer into a free slot; ERR_FULL, ERR_INVALID (a text too long). now_ms: CLOCK_MONOTONIC,
 * from which its slow start counts; 0: it has its full weight at once.
 */
int zone_peer_add_locked(struct zone *zone, struct service *service, const struct peer_spec *spec,
                         uint64_t now_ms, unsigned *ret_slot, struct err *err);

/* What is asked of a peer. */
struct peer_order {
    bool has_state, has_track, has_weight;
    enum peer_state state; /* ready, draining, down or removed */
    enum track track;
    uint32_t weight;
    struct peer_drain drain; /* with draining */
};
/*
 * Changes a peer; a name with all its addresses. Counts ready peers and the epoch. now_ms:
 * CLOCK_MONOTONIC, for the slow start of a peer that becomes ready.
 */
void zone_peer_order_locked(struct zone *zone, struct service *service, unsigned slot,
                            const struct peer_order *order, uint64_t now_ms);
/* Sets state and weight only, without a slow start. */
void zone_peer_set_locked(struct zone *zone, struct service *service, unsigned slot,
                          enum peer_state state, uint32_t weight);

/* What nginx.conf says of a peer. */
struct zone_base {
    uint32_t weight;
    bool down;
};
/*
 * nginx.conf has the peer, and says this; NULL: it does not have it (any more). What it says anew
 * is done, unless a command said otherwise; a peer that it drops is removed. Peers that it never
 * had stay.
 */
void zone_peer_base_locked(struct zone *zone, struct service *service, unsigned slot,
                           const struct zone_base *base);
/* Does the peer differ from what nginx.conf says of it, or does nginx.conf not have it? */
bool zone_peer_differs(const struct zone *zone, const struct service *service, unsigned slot);

/* The service has active checks (any more), or not: its peers become unknown, or unchecked. */
void zone_health_watch_locked(struct zone *zone, struct service *service, bool checked);

/* What was seen of a peer, and why: code is an enum check_code, text up to ZONE_TEXT_MAX bytes. */
struct peer_note {
    uint32_t code;
    struct str text;
    uint64_t now_ms;  /* CLOCK_MONOTONIC */
    uint32_t took_us; /* of a check; 0: what is noted was seen by a request */
};
/*
 * Lets the event come to the peer (health.h). note NULL: nothing is told. A peer that comes up
 * begins its slow start, unless it was unknown since all began. Returns whether its health changed.
 */
bool zone_peer_health_locked(struct zone *zone, struct service *service, unsigned slot,
                             enum health_event event, const struct health_rule *rule,
                             const struct peer_note *note);
/*
 * Takes a peer down until that time, for requests that failed in a row. Returns false when it is
 * down already, or removed: then nothing is done.
 */
bool zone_peer_eject_locked(struct zone *zone, struct service *service, unsigned slot,
                            uint64_t until_ms, const struct peer_note *note);
/* Ends the ejections whose time has passed. fails: what such a peer's count of failures becomes. */
void zone_ejections_end_locked(struct zone *zone, struct service *service,
                               const struct health_rule *rule, uint32_t fails, uint64_t now_ms);
/* Brings the weights of peers in their slow start forward. */
void zone_ramps_set_locked(struct zone *zone, struct service *service, uint64_t now_ms);

/* Frees the slots of removed peers that nobody has pinned, but for those that nginx.conf has. */
void zone_peers_sweep_locked(struct zone *zone, struct service *service);

/*
 * What the best ready peers of a track are; requests go to those. A canary has LEVEL_FAILING only
 * when stable has nothing better: it falls back to stable before it tries peers that do not pass.
 */
enum level { LEVEL_NONE, LEVEL_FAILING, LEVEL_UNKNOWN, LEVEL_PASSING };
enum level zone_level(const struct service *service, enum track track);

static inline enum level level_of(enum health health)
{
    return health == HEALTH_DOWN      ? LEVEL_FAILING
           : health == HEALTH_UNKNOWN ? LEVEL_UNKNOWN
                                      : LEVEL_PASSING;
}

/* Ready peers of that level. */
uint32_t zone_ready(const struct service *service, enum track track, enum level level);

const struct peer *zone_peer(const struct zone *zone, const struct service *service, unsigned slot);

/* Sum over all rows of one peer's pin. */
struct pin_sum {
    uint64_t requests, failures;
    int64_t in_flight;
};
struct pin_sum zone_pin_sum(const struct zone *zone, const struct service *service, unsigned slot);

/* Sum over all rows of the counters of a track, into plain numbers. */
struct counters_sum {
    uint64_t count[COUNTER_COUNT];
    uint64_t reason[REASON_COUNT];
    uint64_t grpc_status[ZONE_GRPC_STATUSES];
    uint64_t status[ZONE_STATUSES];
    uint64_t event[EVENT_KINDS];
};
void zone_counters_sum(const struct zone *zone, const struct service *service, enum track track,
                       struct counters_sum *ret_sum);

/* The row of a process slot; NULL if there is none yet. */
struct row *zone_row_find(const struct zone *zone, const struct service *service, int32_t slot);
/* Finds or makes it, taken over for pid; NULL when the zone is full. */
struct row *zone_row_get_locked(struct zone *zone, struct service *service, int32_t slot,
                                int32_t pid);
/* The pin of a peer in a row; NULL if the row has no chunk for it yet. */
struct pin *zone_pin(const struct zone *zone, const struct row *row, unsigned slot);
/* Finds or makes the chunk; NULL when the zone is full. */
struct pin *zone_pin_get_locked(struct zone *zone, struct row *row, unsigned slot);

/*
 * Bytes that the service (NULL: one to be made) still takes when peers more peers are added and
 * workers processes each count, twice over (a reload has both generations).
 */
uint64_t zone_missing(const struct zone *zone, const struct service *service, uint32_t peers,
                      uint32_t workers);

/* A process starts in a slot: its rows are taken over, their pins zeroed; it is listed as worker.
 */
void zone_worker_start_locked(struct zone *zone, int32_t slot, int32_t pid, uint32_t generation);
/*
 * Sets the hints of the service's peers to what is in flight. A hint that a request changes at the
 * same moment is left for the next time, so it is to be done again and again.
 */
void zone_hints_set(const struct zone *zone, const struct service *service);
/* The same for one service after the other, with every call the next. */
void zone_hints_set_next(struct zone *zone);
/* Zeroes the pins of rows whose process is gone, and sets the hints right. Returns rows zeroed. */
unsigned zone_reap_locked(struct zone *zone, bool (*alive)(int32_t pid));

/*
 * Tries to pin the peer: counts it in flight, then checks that its meta still is what the caller
 * chose by. False: nothing is pinned, choose anew. pin is the caller's own process's.
 */
bool zone_pin_take(struct peer_chunk *chunk, unsigned slot, struct pin *pin, uint32_t meta);
void zone_pin_drop(struct peer_chunk *chunk, unsigned slot, struct pin *pin);

/* Adds to a counter of the caller's own process: nobody else writes it, so no bus is locked. */
static inline void counter_add(_Atomic uint64_t *counter, uint64_t n)
{
    uint64_t seen = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, seen + n, memory_order_relaxed);
}

static inline uint64_t zone_epoch_bump(struct zone *zone)
{
    return atomic_fetch_add(&zone->epoch, 1) + 1;
}

static inline void *zone_at(const struct zone *zone, uint32_t offset)
{
    return offset != 0 ? (char *) (uintptr_t) zone + (uint64_t) offset * 64u : NULL;
}

static inline struct peer_chunk *zone_peer_chunk(const struct zone *zone,
                                                 const struct service *service, unsigned slot)
{
    const _Atomic uint32_t *offset = &service->peers[slot / ZONE_CHUNK_PEERS];
    return zone_at(zone, atomic_load_explicit(offset, memory_order_acquire));
}

static inline uint32_t zone_peer_meta(const struct zone *zone, const struct service *service,
                                      unsigned slot)
{
    const struct peer_chunk *chunk = zone_peer_chunk(zone, service, slot);
    return atomic_load_explicit(&chunk->meta[slot % ZONE_CHUNK_PEERS], memory_order_relaxed);
}
