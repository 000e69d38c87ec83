
/*
 * What is in flight at peers that are drained: each worker tells of its own
 * requests, and ends those that a limit of the drain does not let go on.
 *
 * A request is ended as if its peer had not answered in time: nginx's own code
 * tries it elsewhere if it may, or ends it as it ends any other.  So a gRPC
 * client gets RST_STREAM, a websocket is closed.
 */

#include "ngx_http_pourover_event.h"
#include "ngx_http_pourover_upstream.h"

#include "base/clock.h"
#include "traffic/flight.h"


static void
ngx_http_pourover_flight(ngx_http_pourover_attempt_t *pd,
    struct flight *flight)
{
    struct str           uri, path;
    ngx_http_request_t  *r;

    r = pd->request->main;

    ngx_memzero(flight, sizeof(struct flight));

    flight->pid = ngx_pid;
    flight->stream = ngx_http_pourover_is_grpc(r)
                     || ngx_http_pourover_is_stream(pd->request->upstream);
    flight->since_ms = (uint64_t) r->start_sec * 1000 + r->start_msec;
    flight->has_unit = pd->choice->decision.has_u;
    flight->unit = pd->choice->decision.u;

    /* what is behind "?" may be nobody's business */

    uri = ngx_http_pourover_str(r->unparsed_uri);
    (void) str_cut(&uri, '?', &path);

    flight->uri_len = flight_text(flight->uri, FLIGHT_URI_MAX, path);
    flight->method_len = flight_text(flight->method, FLIGHT_METHOD_MAX,
                                   ngx_http_pourover_str(r->method_name));
    flight->client_len = flight_text(flight->client, FLIGHT_CLIENT_MAX,
                        ngx_http_pourover_str(r->connection->addr_text));
}


static struct flights *
ngx_http_pourover_flights(ngx_http_pourover_zone_t *pz,
    struct service *service, unsigned slot)
{
    struct flights  *flights;

    flights = flights_find(pz->zone, service, slot);

    return flights ? flights
                   : flights_get_locked(pz->zone, service, slot,
                               ngx_http_pourover_reserve(pz,
                                              (ngx_cycle_t *) ngx_cycle));
}


/* with the zone's mutex held */

static void
ngx_http_pourover_list_attempt(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_attempt_t *pd, uint64_t now)
{
    uint32_t            meta;
    uint64_t            until;
    struct flight       flight;
    struct flights     *flights;
    struct service     *service;
    const struct peer  *peer;

    service = pd->service->service;
    meta = zone_peer_meta(pz->zone, service, pd->slot);

    if (META_STATE(meta) != PEER_DRAINING
        || META_GENERATION(meta) != META_GENERATION(pd->meta))
    {
        return;
    }

    ngx_http_pourover_flight(pd, &flight);

    peer = zone_peer(pz->zone, service, pd->slot);
    until = flight.stream ? peer->drain.streams_until_ms
                          : peer->drain.requests_until_ms;
    pd->due = until != 0 && now >= until;

    flights = ngx_http_pourover_flights(pz, service, pd->slot);

    if (flights) {
        flights_add_locked(flights, &flight, now);
    }
}


static void
ngx_http_pourover_list(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_service_t *ps, uint64_t now)
{
    unsigned                      slot, slots;
    ngx_queue_t                  *q;
    struct flights               *flights;
    ngx_http_pourover_attempt_t  *pd;

    slots = atomic_load(&ps->service->slots);

    ngx_shmtx_lock(&pz->shpool->mutex);

    for (slot = 0; slot < slots && pz->zone->flights; slot++) {
        flights = flights_find(pz->zone, ps->service, slot);

        if (flights) {
            flights_begin_locked(flights, ngx_pid);
        }
    }

    for (q = ngx_queue_head(&ps->attempts);
         q != ngx_queue_sentinel(&ps->attempts);
         q = ngx_queue_next(q))
    {
        pd = ngx_http_pourover_queue_data(q, ngx_http_pourover_attempt_t,
                                          link);
        ngx_http_pourover_list_attempt(pz, pd, now);
    }

    ngx_shmtx_unlock(&pz->shpool->mutex);
}


static ngx_http_pourover_attempt_t *
ngx_http_pourover_first_due(ngx_http_pourover_service_t *ps)
{
    ngx_queue_t                  *q;
    ngx_http_pourover_attempt_t  *pd;

    for (q = ngx_queue_head(&ps->attempts);
         q != ngx_queue_sentinel(&ps->attempts);
         q = ngx_queue_next(q))
    {
        pd = ngx_http_pourover_queue_data(q, ngx_http_pourover_attempt_t,
                                          link);

        if (pd->due && !pd->cut) {
            return pd;
        }
    }

    return NULL;
}


static void
ngx_http_pourover_cut(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_attempt_t *pd, uint64_t now)
{
    struct flight      flight;
    struct service    *service;
    ngx_connection_t  *c;

    service = pd->service->service;
    c = pd->request->upstream->peer.connection;

    pd->cut = 1;

    if (c == NULL) {
        return;
    }

    ngx_http_pourover_flight(pd, &flight);

    ngx_shmtx_lock(&pz->shpool->mutex);
    flights_cut_locked(pz->zone, service, pd->slot,
                       flights_find(pz->zone, service, pd->slot), &flight,
                       now);
    ngx_shmtx_unlock(&pz->shpool->mutex);

    ngx_http_pourover_count(pd, COUNTER_CUT);

    ngx_log_error(NGX_LOG_NOTICE, c->log, 0,
                  "pourover: the limit of the drain of \"%V\" has passed, "
                  "what is in flight there is ended",
                  pd->request->upstream->peer.name);

    /*
     * Both: which of them is looked at depends on what nginx waits for.  What
     * limit_rate delays would take the mark away.
     */

    c->read->delayed = 0;
    c->read->timedout = 1;
    c->write->timedout = 1;

    c->read->handler(c->read);
}


void
ngx_http_pourover_drain_tick(ngx_http_pourover_zone_t *pz)
{
    uint64_t                         now;
    ngx_uint_t                       i;
    ngx_http_pourover_attempt_t     *pd;
    ngx_http_pourover_service_t    **ps;
    ngx_http_pourover_main_conf_t   *pmcf;

    pmcf = ngx_http_pourover_main_of((ngx_cycle_t *) ngx_cycle);
    if (pmcf == NULL) {
        return;
    }

    ps = pmcf->services.elts;
    now = clock_wall_ms();

    for (i = 0; i < pmcf->services.nelts; i++) {

        if (ps[i]->service == NULL
            || atomic_load(&ps[i]->service->draining) == 0)
        {
            continue;
        }

        ngx_http_pourover_list(pz, ps[i], now);

        /* each end may be that of others too, so it is looked for anew */

        while ((pd = ngx_http_pourover_first_due(ps[i])) != NULL) {
            ngx_http_pourover_cut(pz, pd, now);
        }
    }
}


void
ngx_http_pourover_drain_leave(ngx_http_pourover_zone_t *pz)
{
    unsigned                         slot, slots;
    struct flights                  *flights;
    struct service                  *service;

    if (pz->zone->flights == 0) {
        return;
    }

    ngx_shmtx_lock(&pz->shpool->mutex);

    for (service = zone_service_first(pz->zone);
         service;
         service = zone_service_next(pz->zone, service))
    {
        slots = atomic_load(&service->slots);

        for (slot = 0; slot < slots; slot++) {
            flights = flights_find(pz->zone, service, slot);

            if (flights) {
                flights_begin_locked(flights, ngx_pid);
            }
        }
    }

    ngx_shmtx_unlock(&pz->shpool->mutex);
}
