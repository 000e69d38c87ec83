/*
 * The shared zone: what all worker processes of one router know together. This file is its layout
 * and every operation on it, as plain C over a block of memory that the caller has mapped shared
 * (NGINX's zone, or a test's array). No allocation but from that block, no I/O, no clock.
 *
 * Shape
 *   struct zone                   header, at the start of the block
 *     service 0..N                a name, a split, two histograms a track
 *       peers, in chunks of 16    hot words (meta, hint) apart from the cold texts
 *       rows, one a process       counters of each track, and pins: in-flight per peer
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

#define ZONE_LAYOUT       1u
#define ZONE_NAME_MAX     64
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

enum peer_state { PEER_FREE, PEER_READY, PEER_DRAINING, PEER_DOWN, PEER_REMOVED };

enum service_kind { SERVICE_BALANCER, SERVICE_CUT };

/* How the state of a service came to be. */
enum restored { RESTORED_FRESH, RESTORED_FILE, RESTORED_KEPT, RESTORED_REFUSED, RESTORED_PARTLY };

const char *zone_track_name(enum track track);
const char *zone_reason_name(enum reason reason);
const char *zone_peer_state_name(enum peer_state state);
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

struct counters {
    _Atomic uint64_t count[COUNTER_COUNT];
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
    _Atomic uint32_t pins[ZONE_CHUNKS];
    struct counters track[TRACK_COUNT];
};

/*
 * A peer's hot word: state (3 bits), track (1), weight (12), generation (16). One atomic word, so
 * that what a request chose by can be compared as a whole.
 */
#define META_STATE(meta)      ((enum peer_state)((meta) &7u))
#define META_TRACK(meta)      ((enum track)(((meta) >> 3) & 1u))
#define META_WEIGHT(meta)     (((meta) >> 4) & 0xfffu)
#define META_GENERATION(meta) ((meta) >> 16)
#define META(state, track, weight, generation)                                     \
    ((uint32_t) (state) | ((uint32_t) (track) << 3) | ((uint32_t) (weight) << 4) | \
     ((uint32_t) (generation) << 16))

/* A peer's cold part: written while its slot is free, then constant until it is free again. */
struct peer {
    uint16_t address_len, name_len, dc_len, sockaddr_len;
    char address[ZONE_ADDRESS_MAX]; /* as NGINX prints it: "10.0.1.11:8080" */
    char name[ZONE_ADDRESS_MAX];    /* as configured, without the port when it is a host name */
    char dc[ZONE_DC_MAX];
    union {
        char bytes[ZONE_SOCKADDR_MAX];
        uint64_t align;
    } sockaddr;
};

struct peer_chunk {
    _Atomic uint32_t meta[ZONE_CHUNK_PEERS];
    _Atomic int32_t hint[ZONE_CHUNK_PEERS]; /* in-flight of all processes, nearly; for balancing */
    struct peer peer[ZONE_CHUNK_PEERS];
};

struct service {
    uint32_t next; /* next service, 0 = last */
    uint32_t kind; /* enum service_kind */
    uint32_t restored;
    uint32_t name_len;
    char name[ZONE_NAME_MAX];
    _Atomic uint32_t listed;            /* generation that has it, 0: not the present one */
    _Atomic uint32_t slots;             /* peer slots in use so far: 0 .. ZONE_PEERS_MAX */
    _Atomic uint32_t rows;              /* first row */
    _Atomic uint32_t live[TRACK_COUNT]; /* ready peers */
    _Atomic uint32_t weight_max;        /* greatest weight that a peer ever had */
    uint32_t removed;                   /* peers in that state; writers only */
    _Atomic uint32_t peers[ZONE_CHUNKS];
    struct split_ring split;
    struct hist header_time[TRACK_COUNT];
    struct hist upstream_time[TRACK_COUNT];
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
    _Atomic uint32_t hinted; /* service whose hints were set last, 0 = none */
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

/* What a peer is, for adding. sockaddr: sockaddr_len bytes. weight: 1 .. ZONE_WEIGHT_MAX. */
struct peer_spec {
    struct str address, name, dc;
    const void *sockaddr;
    size_t sockaddr_len;
    enum track track;
    uint32_t weight;
};

/* Slot of the peer with this address and track, or -1. Removed peers are not found. */
int zone_peer_find(const struct zone *zone, const struct service *service, struct str address,
                   enum track track);
/* Adds a ready peer into a free slot; ERR_FULL, ERR_INVALID (a text too long). */
int zone_peer_add_locked(struct zone *zone, struct service *service, const struct peer_spec *spec,
                         struct err *err);
/* Changes state and weight of the peer in slot; counts live and epoch. */
void zone_peer_set_locked(struct zone *zone, struct service *service, unsigned slot,
                          enum peer_state state, uint32_t weight);
/* Frees the slots of removed peers that nobody has pinned. */
void zone_peers_sweep_locked(struct zone *zone, struct service *service);

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
