
/*
 * A worker's life, and its tick: every 100 ms in every worker.  One of them,
 * the holder of the lease, does what is to be done once: it reaps what a killed
 * worker left, sets hints right, brings slow starts and ejections forward,
 * resolves names, checks the peers and keeps the state file fresh.
 */

#include "ngx_http_pourover_check.h"
#include "ngx_http_pourover_resolve.h"
#include "ngx_http_pourover_upstream.h"

#include "base/clock.h"


#define NGX_HTTP_POUROVER_LEASE_MS  500
#define NGX_HTTP_POUROVER_REAP_MS   1000


/* of the process, not of a configuration: without a master a reload keeps the
 * process and frees the old configuration's memory */

static ngx_event_t       ngx_http_pourover_tick_event;
static ngx_connection_t  ngx_http_pourover_dummy;
static ngx_msec_t        ngx_http_pourover_reaped;

/* workers */

static bool
ngx_http_pourover_alive(int32_t pid)
{
    return kill(pid, 0) == 0 || ngx_errno != ESRCH;
}


/* whether this worker does what is to be done once */

static ngx_uint_t
ngx_http_pourover_holds_lease(struct zone *zone)
{
    int32_t   holder;
    uint64_t  now, beat;

    holder = atomic_load(&zone->lease_pid);
    beat = atomic_load(&zone->lease_beat_ms);
    now = clock_mono_ms();      /* last: a beat is never later than now */

    if (ngx_exiting) {
        (void) atomic_compare_exchange_strong(&zone->lease_pid,
                                              &(int32_t) { ngx_pid }, 0);
        return 0;
    }

    if (holder != ngx_pid) {
        if (holder != 0 && now - beat < NGX_HTTP_POUROVER_LEASE_MS
            && ngx_http_pourover_alive(holder))
        {
            return 0;
        }

        if (!atomic_compare_exchange_strong(&zone->lease_pid, &holder,
                                            ngx_pid))
        {
            return 0;
        }

        atomic_fetch_add(&zone->lease_number, 1);
    }

    atomic_store(&zone->lease_beat_ms, now);

    return 1;
}


static void
ngx_http_pourover_mark_exiting(struct zone *zone)
{
    ngx_uint_t  i;

    for (i = 0; i < ZONE_WORKERS; i++) {
        if (atomic_load(&zone->worker[i].pid) == ngx_pid) {
            atomic_store(&zone->worker[i].exiting, 1);
        }
    }
}


static void
ngx_http_pourover_reap(ngx_http_pourover_zone_t *pz)
{
    unsigned         n;
    struct service  *service;

    ngx_shmtx_lock(&pz->shpool->mutex);

    n = zone_reap_locked(pz->zone, ngx_http_pourover_alive);

    for (service = zone_service_first(pz->zone);
         service;
         service = zone_service_next(pz->zone, service))
    {
        zone_peers_sweep_locked(pz->zone, service);
    }

    ngx_shmtx_unlock(&pz->shpool->mutex);

    if (n) {
        ngx_log_error(NGX_LOG_NOTICE, pz->log, 0,
                      "pourover: a worker is gone, %ud of its counts of "
                      "requests in flight set to 0", n);
    }
}


/* slow starts go on, ejections end */

static void
ngx_http_pourover_bring_forward(ngx_http_pourover_zone_t *pz)
{
    uint64_t                         now;
    ngx_uint_t                       i;
    struct service                  *service;
    ngx_http_pourover_service_t    **ps;
    ngx_http_pourover_main_conf_t   *pmcf;

    pmcf = ngx_http_pourover_main_of((ngx_cycle_t *) ngx_cycle);
    if (pmcf == NULL) {
        return;
    }

    ps = pmcf->services.elts;
    now = clock_mono_ms();

    for (i = 0; i < pmcf->services.nelts; i++) {
        service = ps[i]->service;

        if (service == NULL
            || (atomic_load(&service->ramping) == 0
                && atomic_load(&service->ejected) == 0))
        {
            continue;
        }

        ngx_shmtx_lock(&pz->shpool->mutex);
        zone_ramps_set_locked(pz->zone, service, now);
        zone_ejections_end_locked(pz->zone, service, &ps[i]->rule,
                                  ps[i]->passive_fails
                                  ? (uint32_t) ps[i]->passive_fails - 1 : 0,
                                  now);
        ngx_shmtx_unlock(&pz->shpool->mutex);
    }
}


static void
ngx_http_pourover_tick(ngx_event_t *ev)
{
    ngx_uint_t                 holder;
    ngx_http_pourover_zone_t  *pz;

    pz = ngx_http_pourover_zone_of((ngx_cycle_t *) ngx_cycle);
    if (pz == NULL) {
        return;
    }

    holder = ngx_http_pourover_holds_lease(pz->zone);

    if (ngx_exiting) {
        ngx_http_pourover_mark_exiting(pz->zone);

        if (pz->state.len) {
            ngx_http_pourover_state_close(pz);
        }
    }

    if (holder && ngx_current_msec - ngx_http_pourover_reaped
                  >= NGX_HTTP_POUROVER_REAP_MS)
    {
        ngx_http_pourover_reaped = ngx_current_msec;
        ngx_http_pourover_reap(pz);
    }

    if (holder) {
        zone_hints_set_next(pz->zone);
        ngx_http_pourover_bring_forward(pz);
        ngx_http_pourover_resolve_tick(pz);
    }

    ngx_http_pourover_check_tick(pz, holder);
    ngx_http_pourover_event_tick(pz);
    ngx_http_pourover_drain_tick(pz);

    if (pz->state.len) {
        ngx_http_pourover_state_tick(pz, holder);
    }

    ngx_add_timer(ev, NGX_HTTP_POUROVER_TICK);
}


ngx_int_t
ngx_http_pourover_init_process(ngx_cycle_t *cycle)
{
    ngx_event_t               *tick;
    ngx_http_pourover_zone_t  *pz;

    pz = ngx_http_pourover_zone_of(cycle);

    if (pz == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return NGX_OK;
    }

    ngx_shmtx_lock(&pz->shpool->mutex);
    zone_worker_start_locked(pz->zone, (int32_t) ngx_process_slot, ngx_pid,
                             pz->zone->generation);
    ngx_shmtx_unlock(&pz->shpool->mutex);

    ngx_http_pourover_event_tick(pz);

    if (pz->state.len) {
        ngx_http_pourover_state_open(pz);
    }

    ngx_http_pourover_dummy.fd = (ngx_socket_t) -1;

    tick = &ngx_http_pourover_tick_event;
    tick->handler = ngx_http_pourover_tick;
    tick->data = &ngx_http_pourover_dummy;
    tick->log = cycle->log;
    tick->cancelable = 1;
    pz->log = cycle->log;

    /* at once: names have no peers before they are resolved */
    ngx_add_timer(tick, 1);

    return NGX_OK;
}


void
ngx_http_pourover_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                 i;
    ngx_http_pourover_zone_t  *pz;

    pz = ngx_http_pourover_zone_of(cycle);

    if (pz == NULL || pz->zone == NULL
        || (ngx_process != NGX_PROCESS_WORKER
            && ngx_process != NGX_PROCESS_SINGLE))
    {
        return;
    }

    (void) atomic_compare_exchange_strong(&pz->zone->lease_pid,
                                          &(int32_t) { ngx_pid }, 0);
    ngx_http_pourover_drain_leave(pz);

    for (i = 0; i < ZONE_WORKERS; i++) {
        (void) atomic_compare_exchange_strong(&pz->zone->worker[i].pid,
                                              &(int32_t) { ngx_pid }, 0);
    }
}
