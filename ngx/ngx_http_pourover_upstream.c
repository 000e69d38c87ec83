
/*
 * Peers for requests, under nginx's upstream module and its keepalive.
 *
 * A request has tries for every peer of its track that may take requests now
 * and, on the canary, one more for a stable peer: a canary that dies between
 * the choice of the track and the connect costs nobody an answer.  Such a
 * request crossed.
 */

#include "ngx_http_pourover_upstream.h"

#include "base/clock.h"


static ngx_int_t ngx_http_pourover_get_peer(ngx_peer_connection_t *pc,
    void *data);
static void ngx_http_pourover_free_peer(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state);


static void
ngx_http_pourover_tell_full(ngx_http_pourover_service_t *ps)
{
    ngx_http_pourover_zone_t  *pz;

    if (ps->told_full) {
        return;
    }

    ps->told_full = 1;
    atomic_store(&ps->service->uncounted, 1);
    pz = ngx_http_pourover_zone_of((ngx_cycle_t *) ngx_cycle);

    ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, 0,
                  "pourover_zone \"%V\" is full: requests of this worker for "
                  "\"%V\" are served but not counted; make size= larger and "
                  "restart", &pz->name, &ps->name);
}


struct row *
ngx_http_pourover_row(ngx_http_pourover_service_t *ps)
{
    ngx_http_pourover_zone_t  *pz;

    if (ps->row) {
        return ps->row;
    }

    pz = ngx_http_pourover_zone_of((ngx_cycle_t *) ngx_cycle);

    ngx_shmtx_lock(&pz->shpool->mutex);
    ps->row = zone_row_get_locked(pz->zone, ps->service,
                                  (int32_t) ngx_process_slot, ngx_pid);
    ngx_shmtx_unlock(&pz->shpool->mutex);

    if (ps->row == NULL) {
        ngx_http_pourover_tell_full(ps);
    }

    return ps->row;
}


static struct pin *
ngx_http_pourover_pin(ngx_http_pourover_attempt_t *pd, unsigned slot)
{
    struct pin                *pin;
    ngx_http_pourover_zone_t  *pz;

    if (pd->row == NULL) {
        return NULL;
    }

    pz = ngx_http_pourover_zone_of((ngx_cycle_t *) ngx_cycle);
    pin = zone_pin(pz->zone, pd->row, slot);

    if (pin == NULL) {
        ngx_shmtx_lock(&pz->shpool->mutex);
        pin = zone_pin_get_locked(pz->zone, pd->row, slot);
        ngx_shmtx_unlock(&pz->shpool->mutex);

        if (pin == NULL) {
            ngx_http_pourover_tell_full(pd->service);
        }
    }

    return pin;
}


static ngx_uint_t
ngx_http_pourover_tries(struct service *service, enum track track)
{
    ngx_uint_t  n;
    enum level  level;

    level = zone_level(service, track);
    n = zone_ready(service, track, level);

    if (level == LEVEL_PASSING) {
        n += zone_ready(service, track, LEVEL_UNKNOWN);
    }

    n = ngx_min(n, PICK_TRIED_MAX - 1);

    return ngx_max(n, 1) + (track == TRACK_CANARY ? 1 : 0);
}


/*
 * Times and peer of a choice are the main request's; a subrequest notes them
 * only if the main request does not ask this service itself.
 */

static ngx_uint_t
ngx_http_pourover_speaks(ngx_http_request_t *r,
    ngx_http_pourover_choice_t *choice)
{
    return r == r->main || !choice->by_main;
}


ngx_int_t
ngx_http_pourover_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us)
{
    ngx_http_upstream_t          *u;
    ngx_http_pourover_ctx_t      *ctx;
    ngx_http_pourover_choice_t   *choice;
    ngx_http_pourover_service_t  *ps;
    ngx_http_pourover_attempt_t  *pd;

    ps = ngx_http_pourover_service_by(us);

    choice = ngx_http_pourover_choose(r, ps);
    if (choice == NULL) {
        return NGX_ERROR;
    }

    ctx = ngx_http_pourover_get_ctx(r);

    pd = ngx_http_pourover_alloc(r, ctx,
                                 sizeof(ngx_http_pourover_attempt_t));
    if (pd == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(pd, sizeof(ngx_http_pourover_attempt_t));

    u = r->upstream;
    pd->begun_us = clock_mono_us();

    ngx_http_pourover_event_begin(r, choice, pd->begun_us);
    choice->used = 1;

    if (r == r->main && !r->header_sent) {
        /* what a subrequest to this service noted is not the visitor's, nor
         * is a header that gave way to an error page from here */
        choice->by_main = 1;
        choice->first_get_us = 0;
        choice->header_us = 0;
        choice->last_free_us = 0;
    }

    if (ngx_http_pourover_speaks(r, choice)) {
        choice->upstream = u;
    }

    pd->request = r;
    pd->ctx = ctx;
    pd->service = ps;
    pd->choice = choice;
    pd->track = choice->decision.track;
    pd->row = ngx_http_pourover_row(ps);
    pd->counters = pd->row ? &pd->row->track[choice->decision.track] : NULL;

    u->peer.data = pd;
    u->peer.get = ngx_http_pourover_get_peer;
    u->peer.free = ngx_http_pourover_free_peer;
    u->peer.tries = ngx_http_pourover_tries(ps->service, pd->track);
#if (NGX_HTTP_SSL)
    u->peer.set_session = ngx_http_pourover_set_session;
    u->peer.save_session = ngx_http_pourover_save_session;
#endif

    return ngx_http_pourover_other_arm(pd);
}


void
ngx_http_pourover_count(ngx_http_pourover_attempt_t *pd,
    enum counter counter)
{
    if (pd->counters && !pd->choice->verify) {
        counter_add(&pd->counters->count[counter], 1);
    }
}


/*
 * Fresh bits for pick_peer(), which spreads them: a count in great steps from
 * a place of this process's own.
 */

static uint64_t
ngx_http_pourover_bits(void)
{
    static uint64_t  bits;

    if (bits == 0) {
        bits = ((uint64_t) ngx_random() << 32) ^ (uint64_t) ngx_pid;
    }

    bits += 0xbf58476d1ce4e5b9u;

    return bits;
}


/* pins a ready peer of the track; 0: there is none that was not tried */

static ngx_uint_t
ngx_http_pourover_take(ngx_http_pourover_attempt_t *pd)
{
    int                        slot;
    struct zone               *zone;
    ngx_http_pourover_zone_t  *pz;

    pz = ngx_http_pourover_zone_of((ngx_cycle_t *) ngx_cycle);
    zone = pz->zone;

    for ( ;; ) {
        slot = pick_peer(zone, pd->service->service, pd->track, &pd->tried,
                         ngx_http_pourover_bits(), &pd->meta);
        if (slot < 0) {
            return 0;
        }

        pd->slot = (unsigned) slot;
        pd->chunk = zone_peer_chunk(zone, pd->service->service, pd->slot);
        pd->pin = ngx_http_pourover_pin(pd, pd->slot);

        if (pd->pin == NULL
            || zone_pin_take(pd->chunk, pd->slot, pd->pin, pd->meta))
        {
            return 1;
        }
    }
}


static void
ngx_http_pourover_drop(ngx_http_pourover_attempt_t *pd)
{
    if (pd->pin) {
        zone_pin_drop(pd->chunk, pd->slot, pd->pin);
    }

    pd->pin = NULL;
    pd->chunk = NULL;
}


/* its track has no peer left: one more try at the other one */

static ngx_uint_t
ngx_http_pourover_cross(ngx_peer_connection_t *pc,
    ngx_http_pourover_attempt_t *pd)
{
    if (pd->turned == NGX_HTTP_POUROVER_TURNED) {
        ngx_http_pourover_other_failed(pc, pd);
        return ngx_http_pourover_take(pd);
    }

    if (pd->track != TRACK_CANARY) {
        return 0;
    }

    pd->track = TRACK_STABLE;

    if (!ngx_http_pourover_take(pd)) {
        return 0;
    }

    pc->tries = 1;
    ngx_http_pourover_count(pd, COUNTER_CROSSED);

    return 1;
}


static void
ngx_http_pourover_count_attempt(ngx_http_pourover_attempt_t *pd)
{
    if (META_HEALTH(pd->meta) == HEALTH_DOWN && !pd->panic) {
        pd->panic = 1;
        ngx_http_pourover_count(pd, COUNTER_PANIC);
    }

    if (pd->attempts > 0 && !pd->redo && !pd->turned) {
        ngx_http_pourover_count(pd, COUNTER_RETRIES);
    }

    if (pd->redo) {
        ngx_http_pourover_event_forget(pd);
    }

    pd->attempts += !pd->redo;
    pd->redo = 0;

    ngx_http_pourover_event_chosen(pd);
}


static ngx_int_t
ngx_http_pourover_get_peer(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_pourover_attempt_t  *pd = data;

    u_char                      *p;
    const struct peer           *peer;
    ngx_http_pourover_choice_t  *choice;

    choice = pd->choice;
    pc->cached = 0;
    pc->connection = NULL;
    pd->due = 0;
    pd->cut = 0;

    if (pd->turned == NGX_HTTP_POUROVER_TURNED) {
        ngx_http_pourover_other_enter(pd);
    }

    if (!ngx_http_pourover_take(pd) && !ngx_http_pourover_cross(pc, pd)) {
        ngx_http_pourover_event_nobody(pd);
        return NGX_BUSY;
    }

    ngx_http_pourover_count_attempt(pd);

    /*
     * Copied anew for each attempt: $upstream_addr is read when the request
     * ends, and the slot may be another peer's by then.
     */

    peer = &pd->chunk->peer[pd->slot % ZONE_CHUNK_PEERS];

    p = ngx_http_pourover_alloc(pd->request, pd->ctx, sizeof(ngx_str_t)
                               + ngx_align(peer->sockaddr_len, NGX_ALIGNMENT)
                               + peer->address_len + peer->name_len);
    if (p == NULL) {
        ngx_http_pourover_drop(pd);
        return NGX_ERROR;
    }

    pc->name = (void *) p;
    p += sizeof(ngx_str_t);

    pc->sockaddr = (void *) p;
    pc->socklen = peer->sockaddr_len;
    ngx_memcpy(p, peer->sockaddr.bytes, peer->sockaddr_len);
    p += ngx_align(peer->sockaddr_len, NGX_ALIGNMENT);

    pc->name->data = p;
    pc->name->len = peer->address_len;
    p = ngx_cpymem(p, peer->address, peer->address_len);

    ngx_memcpy(p, peer->name, peer->name_len);

    ngx_queue_insert_tail(&pd->service->attempts, &pd->link);

    if (ngx_http_pourover_speaks(pd->request, choice)) {
        choice->peer = *pc->name;
        choice->peer_name.data = p;
        choice->peer_name.len = peer->name_len;

        if (choice->first_get_us == 0) {
            choice->first_get_us = pd->begun_us;
        }
    }

    return NGX_OK;
}


/*
 * A kept connection had died while nobody used it: that says nothing of the
 * peer, and nginx gives the try back.  A peer that timed out, or answered with
 * a status that is tried elsewhere, is another matter.
 */

static ngx_uint_t
ngx_http_pourover_was_dead(ngx_peer_connection_t *pc, ngx_http_upstream_t *u,
    ngx_uint_t state)
{
    return (state & NGX_PEER_FAILED)
           && pc->cached
           && u->headers_in.status_n == 0
           && !(pc->connection
                && (pc->connection->read->timedout
                    || pc->connection->write->timedout));
}


static void
ngx_http_pourover_note_failure(ngx_peer_connection_t *pc,
    ngx_http_pourover_attempt_t *pd, ngx_uint_t state)
{
    if (pd->tried.count < PICK_TRIED_MAX) {
        pd->tried.slot[pd->tried.count++] = (uint16_t) pd->slot;
    }

    if (!(state & NGX_PEER_FAILED)) {
        ngx_http_pourover_peer_answered(pd);
        return;
    }

    if (pd->pin) {
        atomic_fetch_add_explicit(&pd->pin->failures, 1, memory_order_relaxed);
    }

    if (pd->attempts == 1) {
        ngx_http_pourover_count(pd, COUNTER_FIRST_FAILED);
    }

    ngx_http_pourover_peer_failed(pc, pd);
}


/* what the limit of a drain ended, or the other track is asked for, is no bad
 * outcome */

static void
ngx_http_pourover_tell(ngx_peer_connection_t *pc,
    ngx_http_pourover_attempt_t *pd, ngx_uint_t state)
{
    if (!pd->cut && !ngx_http_pourover_other_turns(pd, state)) {
        ngx_http_pourover_event_attempt(pd, pc, state);

    } else if (pd->choice->event.request == pd->request) {
        pd->choice->event.over = 1;
        ngx_http_pourover_event_unwatch(pd->choice);
    }
}


static void
ngx_http_pourover_free_peer(ngx_peer_connection_t *pc, void *data,
    ngx_uint_t state)
{
    ngx_http_pourover_attempt_t  *pd = data;

    if (pd->chunk == NULL) {
        return;
    }

    if (ngx_http_pourover_speaks(pd->request, pd->choice)) {
        pd->choice->last_free_us = clock_mono_us();
    }

    if (pd->cut) {
        /* the limit of a drain did it, not the peer */

    } else if (ngx_http_pourover_was_dead(pc, pd->request->upstream, state)) {
        pd->redo = 1;

    } else if (state & (NGX_PEER_FAILED|NGX_PEER_NEXT)) {
        ngx_http_pourover_note_failure(pc, pd, state);

    } else if (pd->request->upstream->headers_in.status_n) {
        ngx_http_pourover_peer_answered(pd);
    }

    ngx_http_pourover_tell(pc, pd, state);

    ngx_queue_remove(&pd->link);
    ngx_http_pourover_drop(pd);

    if (pc->tries) {
        pc->tries--;
    }

    if (pd->other) {
        ngx_http_pourover_other_next(pc, pd, state);
    }
}
