/* Rows: what each process counts of each service; see zone.h. */
#include <string.h>

#include "traffic/flight.h"
#include "traffic/zone_int.h"

static struct row *row_first(const struct zone *zone, const struct service *service)
{
    return zone_at(zone, atomic_load_explicit(&service->rows, memory_order_acquire));
}

static struct row *row_next(const struct zone *zone, const struct row *row)
{
    return zone_at(zone, row->next);
}

static struct pin_chunk *pin_chunk(const struct zone *zone, const struct row *row, unsigned chunk)
{
    return zone_at(zone, atomic_load_explicit(&row->pins[chunk], memory_order_acquire));
}

struct row *zone_row_find(const struct zone *zone, const struct service *service, int32_t slot)
{
    struct row *row = row_first(zone, service);
    while (row != NULL && row->slot != slot) {
        row = row_next(zone, row);
    }
    return row;
}

/* Nothing is in flight any more in this row; what was counted stays. */
static void row_zero_pins(const struct zone *zone, struct row *row)
{
    atomic_store(&row->oldest_ms, 0);
    for (unsigned i = 0; i < ZONE_CHUNKS; i++) {
        struct pin_chunk *chunk = pin_chunk(zone, row, i);
        for (unsigned j = 0; chunk != NULL && j < ZONE_CHUNK_PEERS; j++) {
            atomic_store(&chunk->pin[j].in_flight, 0);
        }
    }
}

struct row *zone_row_get_locked(struct zone *zone, struct service *service, int32_t slot,
                                int32_t pid)
{
    struct row *row = zone_row_find(zone, service, slot);
    if (row == NULL) {
        row = zone_take(zone, sizeof(*row));
        if (row == NULL) {
            return NULL;
        }
        row->slot = slot;
        row->next = atomic_load_explicit(&service->rows, memory_order_relaxed);
        atomic_store(&row->pid, pid);
        atomic_store_explicit(&service->rows, zone_offset(zone, row), memory_order_release);
    } else if (atomic_load(&row->pid) != pid) {
        row_zero_pins(zone, row);
        atomic_store(&row->pid, pid);
    }
    return row;
}

struct pin *zone_pin(const struct zone *zone, const struct row *row, unsigned slot)
{
    struct pin_chunk *chunk = pin_chunk(zone, row, slot / ZONE_CHUNK_PEERS);
    return chunk != NULL ? &chunk->pin[slot % ZONE_CHUNK_PEERS] : NULL;
}

struct pin *zone_pin_get_locked(struct zone *zone, struct row *row, unsigned slot)
{
    struct pin *pin = zone_pin(zone, row, slot);
    if (pin != NULL) {
        return pin;
    }
    struct pin_chunk *chunk = zone_take(zone, sizeof(*chunk));
    if (chunk == NULL) {
        return NULL;
    }
    atomic_store_explicit(&row->pins[slot / ZONE_CHUNK_PEERS], zone_offset(zone, chunk),
                          memory_order_release);
    return &chunk->pin[slot % ZONE_CHUNK_PEERS];
}

static unsigned slots_free(const struct zone *zone, const struct service *service, unsigned slots)
{
    unsigned n = 0;
    for (unsigned slot = 0; slot < slots; slot++) {
        n += META_STATE(zone_peer_meta(zone, service, slot)) == PEER_FREE;
    }
    return n;
}

uint64_t zone_missing(const struct zone *zone, const struct service *service, uint32_t peers,
                      uint32_t workers)
{
    unsigned slots = service != NULL ? atomic_load(&service->slots) : 0;
    unsigned unused = slots_free(zone, service, slots);
    uint64_t chunks = (slots + ZONE_CHUNK_PEERS - 1) / ZONE_CHUNK_PEERS;
    uint64_t wanted =
        (slots + (peers > unused ? peers - unused : 0) + ZONE_CHUNK_PEERS - 1) / ZONE_CHUNK_PEERS;
    uint64_t rows = 0, pins = 0;

    for (struct row *row = service != NULL ? row_first(zone, service) : NULL; row != NULL;
         row = row_next(zone, row)) {
        rows++;
        for (unsigned i = 0; i < chunks; i++) {
            pins += pin_chunk(zone, row, i) != NULL;
        }
    }
    uint64_t processes = 2 * (uint64_t) (workers > 0 ? workers : 1);
    processes = processes > rows ? processes : rows;
    return (service == NULL ? zone_round(sizeof(*service)) : 0) +
           (wanted - chunks) * zone_round(sizeof(struct peer_chunk)) +
           (processes - rows) * zone_round(sizeof(struct row)) +
           (processes * wanted - pins) * zone_round(sizeof(struct pin_chunk));
}

struct pin_sum zone_pin_sum(const struct zone *zone, const struct service *service, unsigned slot)
{
    struct pin_sum sum = {0};

    for (struct row *row = row_first(zone, service); row != NULL; row = row_next(zone, row)) {
        struct pin *pin = zone_pin(zone, row, slot);
        if (pin != NULL) {
            sum.requests += atomic_load_explicit(&pin->requests, memory_order_relaxed);
            sum.failures += atomic_load_explicit(&pin->failures, memory_order_relaxed);
            sum.in_flight += atomic_load(&pin->in_flight);
        }
    }
    return sum;
}

void zone_pins_forget(const struct zone *zone, const struct service *service, unsigned slot)
{
    for (struct row *row = row_first(zone, service); row != NULL; row = row_next(zone, row)) {
        struct pin *pin = zone_pin(zone, row, slot);
        if (pin != NULL) {
            atomic_store_explicit(&pin->requests, 0, memory_order_relaxed);
            atomic_store_explicit(&pin->failures, 0, memory_order_relaxed);
        }
    }
}

void zone_peers_sweep_locked(struct zone *zone, struct service *service)
{
    unsigned slots = atomic_load_explicit(&service->slots, memory_order_relaxed);

    for (unsigned slot = 0; slot < slots && service->removed > 0; slot++) {
        uint32_t meta = zone_peer_meta(zone, service, slot);
        if (META_STATE(meta) == PEER_REMOVED && !zone_peer(zone, service, slot)->in_config &&
            zone_pin_sum(zone, service, slot).in_flight == 0) {
            zone_meta_store(zone, service, slot, meta - PEER_REMOVED + PEER_FREE);
        }
    }
}

static void sum_add(uint64_t *to, const _Atomic uint64_t *from, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        to[i] += atomic_load_explicit(&from[i], memory_order_relaxed);
    }
}

void zone_counters_sum(const struct zone *zone, const struct service *service, enum track track,
                       struct counters_sum *ret_sum)
{
    memset(ret_sum, 0, sizeof(*ret_sum));
    for (struct row *row = row_first(zone, service); row != NULL; row = row_next(zone, row)) {
        const struct counters *counters = &row->track[track];
        sum_add(ret_sum->count, counters->count, COUNTER_COUNT);
        sum_add(ret_sum->reason, counters->reason, REASON_COUNT);
        sum_add(ret_sum->grpc_status, counters->grpc_status, ZONE_GRPC_STATUSES);
        sum_add(ret_sum->status, counters->status, ZONE_STATUSES);
        sum_add(ret_sum->event, counters->event, EVENT_KINDS);
    }
}

void zone_hints_set(const struct zone *zone, const struct service *service)
{
    unsigned slots = atomic_load_explicit(&service->slots, memory_order_acquire);

    for (unsigned slot = 0; slot < slots; slot++) {
        struct peer_chunk *chunk = zone_peer_chunk(zone, service, slot);
        _Atomic int32_t *hint = &chunk->hint[slot % ZONE_CHUNK_PEERS];
        int32_t before = atomic_load(hint);
        int32_t sum = (int32_t) zone_pin_sum(zone, service, slot).in_flight;
        if (before != sum) {
            (void) atomic_compare_exchange_strong(hint, &before, sum);
        }
    }
}

void zone_hints_set_next(struct zone *zone)
{
    struct service *service = zone_at(zone, atomic_load(&zone->hinted));

    service = service != NULL ? zone_service_next(zone, service) : NULL;
    service = service != NULL ? service : zone_service_first(zone);
    if (service != NULL) {
        zone_hints_set(zone, service);
        atomic_store(&zone->hinted, zone_offset(zone, service));
    }
}

/* The worker's place in the list, or a free one, or that of a dead process in the same slot. */
static struct zone_worker *worker_place(struct zone *zone, int32_t slot)
{
    struct zone_worker *unused = NULL;

    for (struct zone_worker *worker = zone->worker; worker < zone->worker + ZONE_WORKERS;
         worker++) {
        bool listed = atomic_load(&worker->pid) != 0;
        if (listed && worker->slot == slot) {
            return worker;
        }
        if (!listed && unused == NULL) {
            unused = worker;
        }
    }
    return unused;
}

void zone_worker_start_locked(struct zone *zone, int32_t slot, int32_t pid, uint32_t generation)
{
    struct service *service = zone_service_first(zone);

    for (; service != NULL; service = zone_service_next(zone, service)) {
        struct row *row = zone_row_find(zone, service, slot);
        if (row != NULL) {
            row_zero_pins(zone, row);
            atomic_store(&row->pid, pid);
            zone_hints_set(zone, service);
        }
    }
    struct zone_worker *worker = worker_place(zone, slot);
    if (worker != NULL) {
        worker->slot = slot;
        worker->generation = generation;
        atomic_store(&worker->exiting, 0);
        atomic_store(&worker->pid, pid);
    }
}

unsigned zone_reap_locked(struct zone *zone, bool (*alive)(int32_t pid))
{
    unsigned reaped = 0;
    struct service *service = zone_service_first(zone);

    for (; service != NULL; service = zone_service_next(zone, service)) {
        unsigned before = reaped;
        for (struct row *row = row_first(zone, service); row != NULL; row = row_next(zone, row)) {
            int32_t pid = atomic_load(&row->pid);
            if (pid != 0 && !alive(pid)) {
                row_zero_pins(zone, row);
                atomic_store(&row->pid, 0);
                reaped++;
            }
        }
        if (reaped > before) {
            zone_hints_set(zone, service);
        }
        zone_peers_sweep_locked(zone, service);
    }
    for (unsigned i = 0; i < ZONE_WORKERS; i++) {
        int32_t pid = atomic_load(&zone->worker[i].pid);
        if (pid != 0 && !alive(pid)) {
            atomic_store(&zone->worker[i].pid, 0);
        }
    }
    flights_reap_locked(zone, alive);
    return reaped;
}
