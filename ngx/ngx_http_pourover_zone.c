
/*
 * The shared zone through the life of the router.
 *
 *   zone_init     every configuration, also "nginx -t" and reloads that fail
 *                 later: a living zone is attached to and not written
 *   init_module   a configuration that takes effect: its services and peers
 *                 are merged in; cannot fail any more, nginx would exit
 *
 * A worker's part is in tick.c.
 *
 * What holds: share, salt, enabled and revision are the zone's (or the state
 * file's); nginx.conf says them for services that neither knows.  nginx.conf is
 * the base set of peers: what it adds, drops or weighs anew is done, what a
 * command changed stays (docs/reference/state.md).
 */

#include "ngx_http_pourover.h"

#include "base/clock.h"
#include "base/rand.h"
#include "traffic/peer_diff.h"


#define NGX_HTTP_POUROVER_NAME_PEERS  8

ngx_http_pourover_zone_t *
ngx_http_pourover_zone_of(ngx_cycle_t *cycle)
{
    ngx_http_pourover_main_conf_t  *pmcf;

    pmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_pourover_module);

    return pmcf ? pmcf->zone : NULL;
}


ngx_http_pourover_main_conf_t *
ngx_http_pourover_main_of(ngx_cycle_t *cycle)
{
    return ngx_http_cycle_get_module_main_conf(cycle, ngx_http_pourover_module);
}


uint32_t
ngx_http_pourover_processes(ngx_cycle_t *cycle)
{
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    return ccf->worker_processes > 0 ? (uint32_t) ccf->worker_processes : 1;
}


/*
 * Name and data center of a slot stay: with others it is another peer.  One
 * that a command removed or moved to the other track is known by what
 * nginx.conf says of it.
 */

static ngx_uint_t
ngx_http_pourover_is_peer(struct zone *zone, const struct service *service,
    unsigned slot, const struct peer_spec *spec)
{
    uint32_t            meta;
    const struct peer  *peer;

    meta = zone_peer_meta(zone, service, slot);
    peer = zone_peer(zone, service, slot);

    return META_STATE(meta) != PEER_FREE
           && (META_STATE(meta) != PEER_REMOVED || peer->in_config)
           && peer->is_name == spec->is_name
           && peer->parent == 0
           && peer->base_track == (uint8_t) spec->track
           && str_eq(spec->address,
                     (struct str) { peer->address, peer->address_len })
           && str_eq(spec->name, (struct str) { peer->name, peer->name_len })
           && str_eq(spec->dc, (struct str) { peer->dc, peer->dc_len });
}


/* the slot of a configured peer, -1: the zone does not have it */

static int
ngx_http_pourover_find_peer(struct zone *zone, const struct service *service,
    const struct peer_spec *spec)
{
    unsigned  slot, slots;

    slots = atomic_load(&service->slots);

    for (slot = 0; slot < slots; slot++) {
        if (ngx_http_pourover_is_peer(zone, service, slot, spec)) {
            return (int) slot;
        }
    }

    return -1;
}


uint64_t
ngx_http_pourover_reserve(ngx_http_pourover_zone_t *pz, ngx_cycle_t *cycle)
{
    uint32_t         processes;
    uint64_t         need;
    struct service  *service;

    processes = ngx_http_pourover_processes(cycle);
    need = 0;

    for (service = zone_service_first(pz->zone);
         service;
         service = zone_service_next(pz->zone, service))
    {
        need += zone_missing(pz->zone, service, 0, processes);
    }

    return need;
}


/* how many peers of a configuration the zone does not have yet; a name will
 * have some */

static uint32_t
ngx_http_pourover_new_peers(struct zone *zone, const struct service *service,
    ngx_http_pourover_service_t *ps)
{
    uint32_t                   n;
    ngx_uint_t                 i;
    ngx_http_pourover_peer_t  *peer;

    peer = ps->peers.elts;

    for (i = 0, n = 0; i < ps->peers.nelts; i++) {
        if (service == NULL
            || ngx_http_pourover_find_peer(zone, service, &peer[i].spec) < 0)
        {
            n += peer[i].spec.is_name ? 1 + NGX_HTTP_POUROVER_NAME_PEERS : 1;
        }
    }

    return n;
}


/* bytes of the ring of events that the service does not have yet, at least */

static uint64_t
ngx_http_pourover_missing_events(struct zone *zone,
    const struct service *service, ngx_http_pourover_service_t *ps)
{
    if (service && event_ring_of(zone, service)) {
        return 0;
    }

    return event_ring_bytes(ps->events ? (uint32_t) ps->events
                                       : EVENT_CAPACITY_MIN);
}


/*
 * The rows that the present services may still need are counted too.  What adds
 * nothing is never refused: it has the zone already.
 */

static ngx_int_t
ngx_http_pourover_fits(ngx_http_pourover_main_conf_t *pmcf,
    ngx_http_pourover_zone_t *pz, ngx_cycle_t *cycle)
{
    uint32_t                       processes, peers;
    uint64_t                       need, room;
    ngx_uint_t                     i, added;
    struct service                *service;
    ngx_http_pourover_service_t  **ps;

    ps = pmcf->services.elts;
    processes = ngx_http_pourover_processes(cycle);
    need = 0;
    added = 0;
    room = zone_free(pz->zone);

    for (i = 0; i < pmcf->services.nelts; i++) {
        service = zone_service_find(pz->zone,
                                    ngx_http_pourover_str(ps[i]->name));
        peers = ngx_http_pourover_new_peers(pz->zone, service, ps[i]);

        added += peers + (service == NULL);
        need += zone_missing(pz->zone, service, peers, processes)
                + ngx_http_pourover_missing_events(pz->zone, service, ps[i]);
    }

    if (added == 0 || need <= room) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                  "pourover_zone \"%V\" is too small: it has %uL bytes left, "
                  "services, peers and events still need %uL; make it "
                  "size=%uLk and restart",
                  &pz->name, room, need,
                  (pz->zone->size + need - room) / 1024 + 64);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_pourover_zone_fresh(ngx_http_pourover_zone_t *pz, ngx_cycle_t *cycle)
{
    void        *block;
    size_t       size;
    uint8_t      token[16];
    uint64_t     instance;
    struct err   err;

    size = (size_t) pz->shpool->pfree * ngx_pagesize;
    block = ngx_slab_alloc(pz->shpool, size);

    if (block == NULL
        || rand_bytes(&instance, sizeof(instance)) != 0
        || rand_bytes(token, sizeof(token)) != 0)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno,
                      "pourover_zone \"%V\" cannot be made", &pz->name);
        return NGX_ERROR;
    }

    ngx_memzero(block, ngx_min(size, sizeof(struct zone)));

    if (zone_init(block, size, instance, token, clock_wall_ms(), &err) != 0) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "pourover_zone \"%V\": %s",
                      &pz->name, err.msg);
        return NGX_ERROR;
    }

    pz->zone = block;
    pz->shpool->data = block;

    return NGX_OK;
}


ngx_int_t
ngx_http_pourover_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_http_pourover_zone_t  *old = data;

    ngx_cycle_t                    *cycle;
    ngx_http_pourover_zone_t       *pz;
    ngx_http_pourover_main_conf_t  *pmcf;

    pz = shm_zone->data;
    cycle = (ngx_cycle_t *) pz->cycle;
    pmcf = ngx_http_pourover_main_of(cycle);
    pz->shpool = (void *) shm_zone->shm.addr;

    if (old) {
        pz->zone = old->zone;

    } else if (shm_zone->shm.exists) {
        pz->zone = pz->shpool->data;

    } else if (ngx_http_pourover_zone_fresh(pz, cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_pourover_fits(pmcf, pz, cycle);
}


/* a configuration takes effect */

static ngx_int_t
ngx_http_pourover_merge_peer(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_service_t *ps, ngx_http_pourover_peer_t *peer,
    struct err *err)
{
    int                found;
    unsigned           slot;
    uint64_t           now;
    struct service    *service;
    struct peer_spec   spec;
    struct zone_base   base;

    service = ps->service;
    found = ngx_http_pourover_find_peer(pz->zone, service, &peer->spec);
    slot = (unsigned) found;

    if (found < 0) {
        /* nothing is cold when all begins */
        now = pz->fresh ? 0 : clock_mono_ms();
        spec = peer->spec;
        spec.checked = ps->checked;

        if (peer_diff_ancestor(pz->zone, service, spec.address, spec.track)) {
            /* until it inherits */
            spec.state = PEER_DOWN;
        }

        if (zone_peer_add_locked(pz->zone, service, &spec, now, &slot, err)
            != 0)
        {
            return NGX_DECLINED;
        }
    }

    base = (struct zone_base) { peer->spec.weight, peer->down };
    zone_peer_base_locked(pz->zone, service, slot, &base);

    if (found < 0) {
        peer_diff_inherit_locked(pz->zone, service, slot);
    }

    return NGX_OK;
}


/* peers that the configuration does not have any more */

static void
ngx_http_pourover_remove_peers(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_service_t *ps)
{
    unsigned                   slot, slots;
    ngx_uint_t                 i;
    struct service            *service;
    ngx_http_pourover_peer_t  *peer;

    service = ps->service;
    peer = ps->peers.elts;
    slots = atomic_load(&service->slots);

    for (slot = 0; slot < slots; slot++) {

        for (i = 0; i < ps->peers.nelts; i++) {
            if (ngx_http_pourover_is_peer(pz->zone, service, slot,
                                          &peer[i].spec))
            {
                break;
            }
        }

        if (i == ps->peers.nelts) {
            zone_peer_base_locked(pz->zone, service, slot, NULL);
        }
    }

    zone_peers_sweep_locked(pz->zone, service);
}


/*
 * Workers choose peers meanwhile: the new ones come before the old ones go, or
 * there would be a moment without any.  Those that find no room have to wait
 * for the slots of the old ones.
 */

static void
ngx_http_pourover_merge_peers(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_service_t *ps, ngx_log_t *log)
{
    ngx_uint_t                 i, waiting;
    struct err                 err;
    ngx_http_pourover_peer_t  *peer;

    peer = ps->peers.elts;
    waiting = 0;

    for (i = 0; i < ps->peers.nelts; i++) {
        waiting += ngx_http_pourover_merge_peer(pz, ps, &peer[i], &err)
                   != NGX_OK;
    }

    ngx_http_pourover_remove_peers(pz, ps);
    peer_diff_settle_locked(pz->zone, ps->service);

    for (i = 0; waiting && i < ps->peers.nelts; i++) {
        if (ngx_http_pourover_merge_peer(pz, ps, &peer[i], &err) != NGX_OK)
        {
            ngx_log_error(NGX_LOG_ALERT, log, 0, "service \"%V\": %s",
                          &ps->name, err.msg);
        }
    }
}


static void
ngx_http_pourover_merge_service(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_service_t *ps, ngx_log_t *log)
{
    struct err       err;
    struct split     split;
    struct service  *service;

    service = zone_service_find(pz->zone, ngx_http_pourover_str(ps->name));

    if (service == NULL) {
        if (zone_service_add_locked(pz->zone, ngx_http_pourover_str(ps->name),
                                    ps->kind, &service, &err)
            != 0)
        {
            ngx_log_error(NGX_LOG_ALERT, log, 0, "service \"%V\": %s",
                          &ps->name, err.msg);
            return;
        }

        ngx_memzero(&split, sizeof(struct split));
        split.share_ppm = ps->share_ppm;
        split.enabled = ps->enabled;
        split.salt_len = (uint8_t) ps->salt.len;
        ngx_memcpy(split.salt, ps->salt.data, ps->salt.len);

        zone_split_set_locked(pz->zone, service, split);
        service->restored = RESTORED_FRESH;

    } else {
        service->kind = ps->kind;
        service->restored = RESTORED_KEPT;
    }

    atomic_store(&service->listed, pz->zone->generation);
    service->slow_start_ms = (uint32_t) ps->slow_start;
    ps->service = service;

    zone_health_watch_locked(pz->zone, service, ps->checked);
    ngx_http_pourover_merge_peers(pz, ps, log);
}


/* events=N holds from the start on; a ring is never made anew */

static void
ngx_http_pourover_make_ring(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_service_t *ps, uint32_t capacity, ngx_log_t *log)
{
    struct event_ring  *ring;

    ring = event_ring_of(pz->zone, ps->service);

    if (ring == NULL
        && !event_ring_make_locked(pz->zone, ps->service, capacity))
    {
        ngx_log_error(NGX_LOG_ALERT, log, 0,
                      "service \"%V\": no room for its events, none will be "
                      "kept; make size= of pourover_zone larger and restart",
                      &ps->name);
        return;
    }

    if (ring && ps->events && event_ring_capacity(ring) != ps->events) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "service \"%V\": events=%ui takes effect with a restart, "
                      "there are %uD until then",
                      &ps->name, ps->events, event_ring_capacity(ring));
    }
}


/*
 * Services that do not say how many events they keep share half of what is
 * left beyond the rows and 16 more peers of each service: the other half is for
 * services to come.
 */

static void
ngx_http_pourover_make_rings(ngx_http_pourover_main_conf_t *pmcf,
    ngx_http_pourover_zone_t *pz, ngx_cycle_t *cycle)
{
    uint32_t                       processes;
    uint64_t                       reserve, room;
    ngx_uint_t                     i, waiting;
    ngx_http_pourover_service_t  **ps;

    ps = pmcf->services.elts;
    processes = ngx_http_pourover_processes(cycle);
    reserve = 0;
    waiting = 0;

    for (i = 0; i < pmcf->services.nelts; i++) {

        if (ps[i]->service == NULL) {
            continue;
        }

        if (ps[i]->events) {
            ngx_http_pourover_make_ring(pz, ps[i], (uint32_t) ps[i]->events,
                                        cycle->log);

        } else if (event_ring_of(pz->zone, ps[i]->service) == NULL) {
            waiting++;
        }

        reserve += zone_missing(pz->zone, ps[i]->service, ZONE_CHUNK_PEERS,
                                processes);
    }

    if (waiting == 0) {
        return;
    }

    room = zone_free(pz->zone);
    room = room > reserve ? (room - reserve) / 2 / waiting : 0;
    room = room * EVENT_CAPACITY_DEFAULT
           / event_ring_bytes(EVENT_CAPACITY_DEFAULT);
    room = ngx_min(room, EVENT_CAPACITY_DEFAULT);
    room = ngx_max(room, EVENT_CAPACITY_MIN);

    for (i = 0; i < pmcf->services.nelts; i++) {
        if (ps[i]->service && !ps[i]->events) {
            ngx_http_pourover_make_ring(pz, ps[i], (uint32_t) room,
                                        cycle->log);
        }
    }
}


/*
 * No list of peers has them: who only looks into nginx.conf would not know why
 * they get nothing.
 */

static void
ngx_http_pourover_warn_removed(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_service_t *ps, ngx_log_t *log)
{
    int                        found;
    uint32_t                   meta;
    ngx_uint_t                 i;
    ngx_http_pourover_peer_t  *peer;

    peer = ps->peers.elts;

    for (i = 0; ps->service && i < ps->peers.nelts; i++) {
        found = ngx_http_pourover_find_peer(pz->zone, ps->service,
                                            &peer[i].spec);
        if (found < 0) {
            continue;
        }

        meta = zone_peer_meta(pz->zone, ps->service, (unsigned) found);

        if (META_STATE(meta) == PEER_REMOVED) {
            ngx_log_error(NGX_LOG_WARN, log, 0,
                          "service \"%V\": peer \"%*s\" stays removed, as "
                          "a command said; \"pourover router add\" brings it "
                          "back",
                          &ps->name, peer[i].spec.address.len,
                          peer[i].spec.address.ptr);
        }
    }
}


ngx_int_t
ngx_http_pourover_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t                       i;
    struct service                  *service;
    ngx_http_pourover_zone_t        *pz;
    ngx_http_pourover_service_t    **ps;
    ngx_http_pourover_main_conf_t   *pmcf;

    pmcf = ngx_http_pourover_main_of(cycle);

    if (ngx_test_config || pmcf == NULL || pmcf->zone == NULL) {
        return NGX_OK;
    }

    pz = pmcf->zone;
    ps = pmcf->services.elts;
    pz->log = cycle->log;
    pz->fresh = pz->zone->generation == 0;

    ngx_shmtx_lock(&pz->shpool->mutex);

    pz->generation = ++pz->zone->generation;
    pz->zone->restored = pz->fresh ? RESTORED_FRESH : RESTORED_KEPT;

    for (i = 0; i < pmcf->services.nelts; i++) {
        ngx_http_pourover_merge_service(pz, ps[i], cycle->log);
    }

    ngx_http_pourover_make_rings(pmcf, pz, cycle);

    /* the others, only now: the API is asked meanwhile */

    for (service = zone_service_first(pz->zone);
         service;
         service = zone_service_next(pz->zone, service))
    {
        if (atomic_load(&service->listed) != pz->zone->generation) {
            atomic_store(&service->listed, 0);
        }
    }

    ngx_shmtx_unlock(&pz->shpool->mutex);

    if (pz->state.len) {
        ngx_http_pourover_state_restore(cycle, pz);
    }

    for (i = 0; i < pmcf->services.nelts; i++) {
        ngx_http_pourover_warn_removed(pz, ps[i], cycle->log);
    }

    if (pz->fresh) {
        ngx_http_pourover_state_fail_file(cycle, pz);
    }

    return NGX_OK;
}
