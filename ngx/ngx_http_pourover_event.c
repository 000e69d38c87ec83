
/*
 * Events: one request's bad outcome at a service, seen when its first attempt
 * at an upstream ends, when the tick finds that it takes too long, or when it
 * ends; and the visitors who were there.
 *
 * An outcome waits for the end of the request, so that its record can tell what
 * the visitor got, but for no longer than a second.  While it waits, and while
 * an outcome may still come, the request is in its service's list, by start:
 * the first one is the watermark, all before it have had their events.
 */

#include "ngx_http_pourover_event.h"

#include "base/clock.h"


/* the list */

static void
ngx_http_pourover_event_watch(ngx_http_pourover_choice_t *choice)
{
    ngx_queue_t                 *q, *list;
    ngx_http_pourover_choice_t  *other;

    list = &choice->service->watched;

    for (q = ngx_queue_last(list); q != list; q = ngx_queue_prev(q)) {
        other = ngx_http_pourover_queue_data(q, ngx_http_pourover_choice_t,
                                             event.link);

        if (other->event.begun_us <= choice->event.begun_us) {
            break;
        }
    }

    ngx_queue_insert_after(q, &choice->event.link);
    choice->event.watched = 1;
}


void
ngx_http_pourover_event_unwatch(ngx_http_pourover_choice_t *choice)
{
    if (choice->event.watched) {
        ngx_queue_remove(&choice->event.link);
        choice->event.watched = 0;
    }
}


/*
 * Does a subrequest give way to the main request?  What a mirror or the refresh
 * of a cache got, the visitor did not.
 */

static ngx_uint_t
ngx_http_pourover_event_yields(const ngx_http_pourover_event_t *e)
{
    return !e->written
           && (e->kind == EVENT_KINDS || e->request->background);
}


void
ngx_http_pourover_event_begin(ngx_http_request_t *r,
    ngx_http_pourover_choice_t *choice, uint64_t now_us)
{
    ngx_http_core_loc_conf_t   *clcf;
    ngx_http_pourover_event_t  *e;

    e = &choice->event;

    if (choice->verify) {
        return;
    }

    if (choice->used
        && !(r == r->main && !choice->by_main
             && ngx_http_pourover_event_yields(e)))
    {
        if (!e->watched) {
            ngx_http_pourover_event_watch(choice);
        }

        return;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    ngx_http_pourover_event_unwatch(choice);

    e->request = r;
    e->route = &clcf->name;
    e->begun_us = now_us;
    e->kind = EVENT_KINDS;
    e->grpc = -1;
    e->over = 0;
    e->served = (uint8_t) choice->decision.track;
    e->first_state = r->upstream_states
                     ? (uint32_t) r->upstream_states->nelts : 0;

    ngx_http_pourover_event_watch(choice);

    if (!choice->used) {
        ngx_http_pourover_event_expose(choice, now_us);
    }
}


/* attempts */

static ngx_uint_t
ngx_http_pourover_event_wants(ngx_http_pourover_choice_t *choice,
    enum event_kind kind)
{
    uint32_t  kinds;

    if (kind == EVENT_CLIENT_ERROR || kind == EVENT_REDIRECT) {
        kinds = atomic_load_explicit(&choice->service->service->watch.kinds,
                                     memory_order_relaxed);
        return kinds & (1u << kind);
    }

    return kind != EVENT_KINDS;
}


void
ngx_http_pourover_event_set(ngx_http_pourover_choice_t *choice,
    const ngx_http_pourover_outcome_t *outcome, uint64_t now_us)
{
    uint64_t                    took;
    ngx_http_pourover_event_t  *e;

    e = &choice->event;
    took = now_us - e->begun_us;

    e->kind = (uint8_t) outcome->kind;
    e->status = (uint16_t) outcome->status;
    e->grpc = (int8_t) outcome->grpc;
    e->took_us = (uint32_t) ngx_min(took, NGX_MAX_UINT32_VALUE);
}


/* does this attempt say something of its request? */

static ngx_uint_t
ngx_http_pourover_event_counts(ngx_http_pourover_attempt_t *attempt)
{
    ngx_http_pourover_choice_t  *choice;

    choice = attempt->choice;

    return choice->event.begun_us != 0
           && choice->event.kind == EVENT_KINDS
           && attempt->attempts <= 1
           && !(attempt->request->background && choice->by_main);
}


static void
ngx_http_pourover_event_place(ngx_http_pourover_attempt_t *attempt)
{
    ngx_http_pourover_event_t  *e;

    e = &attempt->choice->event;

    e->attempt = attempt;
    e->served = (uint8_t) attempt->track;
    e->fallback = attempt->track != attempt->choice->decision.track;
    e->peer = 0;
    e->peer_generation = 0;

    if (attempt->chunk) {
        e->peer = (uint16_t) (attempt->slot + 1);
        e->peer_generation = (uint16_t) META_GENERATION(attempt->meta);
    }
}


void
ngx_http_pourover_event_chosen(ngx_http_pourover_attempt_t *attempt)
{
    if (ngx_http_pourover_event_counts(attempt)) {
        ngx_http_pourover_event_place(attempt);
    }
}


/* how long the first attempt took to answer, or to end without an answer */

static uint64_t
ngx_http_pourover_event_header_us(ngx_http_pourover_choice_t *choice,
    ngx_http_upstream_t *u)
{
    if (choice->header_us) {
        return choice->header_us - choice->event.begun_us;
    }

    return ngx_http_pourover_is_answered(u)
           ? (uint64_t) u->state->header_time * 1000
           : clock_mono_us() - choice->event.begun_us;
}


void
ngx_http_pourover_event_attempt(ngx_http_pourover_attempt_t *attempt,
    ngx_peer_connection_t *pc, ngx_uint_t state)
{
    ngx_http_request_t           *r;
    ngx_http_pourover_choice_t   *choice;
    ngx_http_pourover_outcome_t   outcome;

    if (!ngx_http_pourover_event_counts(attempt)) {
        return;
    }

    r = attempt->request;
    choice = attempt->choice;

    if (!choice->event.over) {
        choice->event.over = 1;

        if (atomic_load_explicit(&choice->service->service->watch.slow_us[0],
                                 memory_order_relaxed))
        {
            ngx_http_pourover_event_place(attempt);
            (void) ngx_http_pourover_event_slow(choice,
                     ngx_http_pourover_event_header_us(choice, r->upstream));
        }
    }

    outcome = ngx_http_pourover_outcome(r, pc, state);

    if (ngx_http_pourover_event_wants(choice, outcome.kind)) {
        ngx_http_pourover_event_place(attempt);
        ngx_http_pourover_event_set(choice, &outcome, clock_mono_us());

    } else {
        /* of another attempt nothing is told */
        ngx_http_pourover_event_unwatch(choice);
    }
}


void
ngx_http_pourover_event_forget(ngx_http_pourover_attempt_t *attempt)
{
    ngx_http_pourover_event_t  *e;

    e = &attempt->choice->event;

    if (attempt->attempts <= 1 && e->attempt == attempt && !e->written) {
        e->kind = EVENT_KINDS;
        e->over = 0;
    }
}


void
ngx_http_pourover_event_nobody(ngx_http_pourover_attempt_t *attempt)
{
    ngx_http_pourover_outcome_t  outcome = { EVENT_CONNECT, 0, -1 };

    if (attempt->attempts == 0 && ngx_http_pourover_event_counts(attempt)) {
        ngx_http_pourover_event_place(attempt);
        ngx_http_pourover_event_set(attempt->choice, &outcome,
                                    clock_mono_us());
        attempt->choice->event.over = 1;
    }
}


/* ends */

static void
ngx_http_pourover_event_by_states(ngx_http_pourover_choice_t *choice)
{
    ngx_http_pourover_event_t    *e;
    ngx_http_pourover_outcome_t   outcome;

    e = &choice->event;

    if (choice->header_us) {
        (void) ngx_http_pourover_event_slow(choice, choice->header_us
                                                    - e->begun_us);
    }

    outcome = ngx_http_pourover_outcome_by_states(e->request, e->first_state);

    if (e->kind == EVENT_KINDS
        && ngx_http_pourover_event_wants(choice, outcome.kind))
    {
        ngx_http_pourover_event_set(choice, &outcome, clock_mono_us());
    }
}


void
ngx_http_pourover_event_end(ngx_http_request_t *r,
    ngx_http_pourover_choice_t *choice)
{
    ngx_http_pourover_event_t  *e;

    e = &choice->event;

    if (e->begun_us == 0) {
        return;
    }

    /* no peer of ours was asked: the host was switched */

    if (!e->over) {
        ngx_http_pourover_event_by_states(choice);
    }

    if (e->kind != EVENT_KINDS && !e->written) {
        ngx_http_pourover_event_record(choice,
                                       ngx_http_pourover_status(r, choice));
    }

    ngx_http_pourover_event_unwatch(choice);
}
