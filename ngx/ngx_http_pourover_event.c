
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

#include "ngx_http_pourover.h"

#include "base/clock.h"
#include "traffic/sketch.h"


#define NGX_HTTP_POUROVER_WAIT_US    1000000
/* calls of gRPC hold the watermark for so long, streams or not */
#define NGX_HTTP_POUROVER_STREAM_US  10000000
/* by so much two clocks that nobody set may seem to differ */
#define NGX_HTTP_POUROVER_STEP_US    10000


/* the wall clock's lead over CLOCK_MONOTONIC, by which starts are told */

static int64_t  ngx_http_pourover_lead_us;


static uint64_t
ngx_http_pourover_wall_us(uint64_t mono_us)
{
    return mono_us + (uint64_t) ngx_http_pourover_lead_us;
}


/*
 * It changes only when the clock was set, so that it is the same for a
 * request's start and for a watermark.  A process that was interrupted between
 * its looks at the clocks knows nothing.
 */

static void
ngx_http_pourover_compare_clocks(void)
{
    int64_t   lead, step;
    uint64_t  before, wall;

    before = clock_mono_us();
    wall = clock_wall_us();

    if (clock_mono_us() - before > NGX_HTTP_POUROVER_STEP_US / 10
        && ngx_http_pourover_lead_us)
    {
        return;
    }

    lead = (int64_t) (wall - before);
    step = lead - ngx_http_pourover_lead_us;

    if (step > NGX_HTTP_POUROVER_STEP_US || step < -NGX_HTTP_POUROVER_STEP_US) {
        ngx_http_pourover_lead_us = lead;
    }
}


/* records */

static void
ngx_http_pourover_event_write(ngx_http_pourover_choice_t *choice,
    struct event *event)
{
    struct row                 *row;
    struct event_ring          *ring;
    ngx_http_pourover_zone_t   *pz;
    ngx_http_pourover_event_t  *e;

    e = &choice->event;
    row = ngx_http_pourover_row(choice->service);

    if (row && event->kind != EVENT_EXPOSURE) {
        counter_add(&row->track[choice->decision.track].event[event->kind], 1);
    }

    pz = ngx_http_pourover_zone_of((ngx_cycle_t *) ngx_cycle);
    ring = event_ring_of(pz->zone, choice->service->service);

    if (ring == NULL) {
        return;
    }

    event->unit = choice->decision.u;
    event->has_unit = choice->decision.has_u;
    event->revision = choice->revision;
    event->nth = (uint8_t) event_nth(ring, event);

    if (event->nth == 0) {
        return;
    }

    event->start_us = ngx_http_pourover_wall_us(e->begun_us);
    event->share_ppm = choice->share_ppm;
    event->reason = e->fallback ? REASON_FALLBACK
                                : (uint8_t) choice->decision.reason;
    event->assigned = event->reason == REASON_FALLBACK
                      ? TRACK_CANARY : (uint8_t) choice->decision.track;
    event->served = e->served;
    event->route_len = (uint8_t) ngx_min(e->route->len, EVENT_ROUTE_MAX);
    ngx_memcpy(event->route, e->route->data, event->route_len);

    ngx_shmtx_lock(&pz->shpool->mutex);
    (void) event_add_locked(ring, event);
    ngx_shmtx_unlock(&pz->shpool->mutex);
}


/* final: what the visitor got, 0: that is not known yet */

static void
ngx_http_pourover_event_record(ngx_http_pourover_choice_t *choice,
    ngx_uint_t final)
{
    struct event                event;
    ngx_http_pourover_event_t  *e;

    e = &choice->event;
    e->written = 1;

    ngx_memzero(&event, sizeof(struct event));
    event.kind = e->kind;
    event.took_us = e->took_us;
    event.peer = e->peer;
    event.peer_generation = e->peer_generation;
    event.status = e->status;
    event.grpc = e->grpc;
    event.final_status = (uint16_t) final;

    ngx_http_pourover_event_write(choice, &event);
}


/* one beside the outcome: slow, with the threshold's index, or exposure */

static void
ngx_http_pourover_event_record_other(ngx_http_pourover_choice_t *choice,
    enum event_kind kind, ngx_uint_t index, uint64_t took_us)
{
    struct event  event;

    ngx_memzero(&event, sizeof(struct event));
    event.kind = (uint8_t) kind;
    event.took_us = (uint32_t) ngx_min(took_us, NGX_MAX_UINT32_VALUE);
    event.status = (uint16_t) index;
    event.peer = choice->event.peer;
    event.peer_generation = choice->event.peer_generation;
    event.grpc = -1;

    ngx_http_pourover_event_write(choice, &event);
}


/* returns whether there is a threshold that it did not pass */

static ngx_uint_t
ngx_http_pourover_event_slow(ngx_http_pourover_choice_t *choice,
    uint64_t took_us)
{
    uint32_t                    threshold;
    struct watch               *watch;
    ngx_http_pourover_event_t  *e;

    e = &choice->event;
    watch = &choice->service->service->watch;

    for ( /* void */ ; e->slow < WATCH_SLOW_MAX; e->slow++) {

        threshold = atomic_load_explicit(&watch->slow_us[e->slow],
                                         memory_order_relaxed);

        if (threshold == 0 || took_us <= threshold) {
            return threshold != 0;
        }

        ngx_http_pourover_event_record_other(choice, EVENT_SLOW, e->slow,
                                             took_us);
    }

    return 0;
}


/* the list */

static void
ngx_http_pourover_event_watch(ngx_http_pourover_choice_t *choice)
{
    ngx_queue_t                 *q, *list;
    ngx_http_pourover_choice_t  *other;

    list = &choice->service->watched;

    for (q = ngx_queue_last(list); q != list; q = ngx_queue_prev(q)) {
        other = ngx_queue_data(q, ngx_http_pourover_choice_t, event.link);

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


/* visitors whom the share assigned to a track, and the sampled ones of them */

static void
ngx_http_pourover_event_expose(ngx_http_pourover_choice_t *choice,
    uint64_t now_us)
{
    uint32_t          sample;
    enum track        track;
    struct service   *service;
    struct decision  *decision;
    struct exposure  *exposure;

    decision = &choice->decision;

    if (!decision->has_u
        || decision->reason == REASON_FORCED
        || decision->reason == REASON_VERSION_COOKIE)
    {
        return;
    }

    service = choice->service->service;
    track = decision->reason == REASON_FALLBACK ? TRACK_CANARY
                                                : decision->track;
    exposure = exposure_of(service, choice->revision);

    if (exposure) {
        sketch_add(&exposure->units[track], decision->u);

        if (atomic_load_explicit(&exposure->since_ms, memory_order_relaxed)
            == 0)
        {
            atomic_store(&exposure->since_ms,
                         ngx_http_pourover_wall_us(now_us) / 1000);
        }
    }

    sample = atomic_load_explicit(&service->watch.sample,
                                  memory_order_relaxed);

    if (sample && (decision->u & (sample - 1)) == 0) {
        ngx_http_pourover_event_record_other(choice, EVENT_EXPOSURE, 0, 0);
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


static void
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


/* how long the first attempt took to answer, or to end without an answer */

static uint64_t
ngx_http_pourover_event_header_us(ngx_http_pourover_choice_t *choice,
    ngx_http_upstream_t *u, uint64_t now_us)
{
    if (choice->header_us) {
        return choice->header_us - choice->event.begun_us;
    }

    return ngx_http_pourover_is_answered(u)
           ? (uint64_t) u->state->header_time * 1000
           : now_us - choice->event.begun_us;
}


void
ngx_http_pourover_event_attempt(ngx_http_pourover_attempt_t *attempt,
    ngx_peer_connection_t *pc, ngx_uint_t state)
{
    uint64_t                      now;
    ngx_http_request_t           *r;
    ngx_http_pourover_event_t    *e;
    ngx_http_pourover_choice_t   *choice;
    ngx_http_pourover_outcome_t   outcome;

    if (!ngx_http_pourover_event_counts(attempt)) {
        return;
    }

    r = attempt->request;
    choice = attempt->choice;
    e = &choice->event;
    now = clock_mono_us();
    outcome = ngx_http_pourover_outcome(r, pc, state);

    ngx_http_pourover_event_place(attempt);

    if (!e->over) {
        (void) ngx_http_pourover_event_slow(choice,
                     ngx_http_pourover_event_header_us(choice, r->upstream,
                                                       now));
        e->over = 1;
    }

    if (ngx_http_pourover_event_wants(choice, outcome.kind)) {
        ngx_http_pourover_event_set(choice, &outcome, now);

    } else if (state == 0) {
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

    if (choice->service->kind == SERVICE_CUT) {
        ngx_http_pourover_event_by_states(choice);
    }

    if (e->kind != EVENT_KINDS && !e->written) {
        ngx_http_pourover_event_record(choice,
                                       ngx_http_pourover_status(r, choice));
    }

    ngx_http_pourover_event_unwatch(choice);
}


/* the tick */

typedef struct {
    uint64_t                       now_us;
    uint64_t                       hang_us;       /* 0: off */
    uint64_t                       young_us;      /* nothing to see before */
} ngx_http_pourover_look_t;


/* has it waited all the time for its first attempt to answer? */

static ngx_uint_t
ngx_http_pourover_event_waits(ngx_http_pourover_event_t *e)
{
    ngx_uint_t            states;
    ngx_http_upstream_t  *u;

    u = e->request->upstream;

    if (e->over || u == NULL || u->state == NULL
        || ngx_http_pourover_is_answered(u))
    {
        return 0;
    }

    /* without a peer of ours nobody tells that the first attempt is over */

    states = e->request->upstream_states->nelts - e->first_state;

    return states <= (e->first_state ? 2 : 1);
}


/* an outcome is there; of one that hangs, thresholds may still be passed */

static void
ngx_http_pourover_event_look_bad(ngx_http_pourover_choice_t *choice,
    uint64_t age_us)
{
    ngx_uint_t                  slow;
    ngx_http_pourover_event_t  *e;

    e = &choice->event;

    if (!e->written && age_us > e->took_us + NGX_HTTP_POUROVER_WAIT_US) {
        ngx_http_pourover_event_record(choice, 0);
    }

    slow = ngx_http_pourover_event_waits(e)
           && ngx_http_pourover_event_slow(choice, age_us);

    if (e->written && !slow) {
        ngx_http_pourover_event_unwatch(choice);
    }
}


/* calls of gRPC never hang: nobody knows when a stream answers */

static void
ngx_http_pourover_event_look_waiting(ngx_http_pourover_choice_t *choice,
    const ngx_http_pourover_look_t *look)
{
    uint64_t                      waited;
    ngx_http_pourover_event_t    *e;
    ngx_http_pourover_outcome_t   outcome = { EVENT_HANG, 0, -1 };

    e = &choice->event;

    (void) ngx_http_pourover_event_slow(choice, look->now_us - e->begun_us);

    waited = (uint64_t) (ngx_current_msec - e->request->upstream->start_time)
             * 1000;

    if (look->hang_us && waited > look->hang_us
        && !ngx_http_pourover_is_grpc(e->request))
    {
        ngx_http_pourover_event_set(choice, &outcome, look->now_us);
        ngx_http_pourover_event_record(choice, 0);
    }
}


static void
ngx_http_pourover_event_look(ngx_http_pourover_choice_t *choice,
    const ngx_http_pourover_look_t *look)
{
    uint64_t                    age;
    ngx_http_pourover_event_t  *e;

    e = &choice->event;
    age = look->now_us - e->begun_us;

    if (e->kind != EVENT_KINDS) {
        ngx_http_pourover_event_look_bad(choice, age);

    } else if (ngx_http_pourover_is_endless(e->request->upstream)
               || (age > NGX_HTTP_POUROVER_STREAM_US
                   && ngx_http_pourover_is_grpc(e->request)))
    {
        ngx_http_pourover_event_unwatch(choice);

    } else if (ngx_http_pourover_event_waits(e)) {
        ngx_http_pourover_event_look_waiting(choice, look);
    }
}


/* the start of the oldest request whose events may still come, 0: none */

static uint64_t
ngx_http_pourover_event_oldest(ngx_http_pourover_service_t *ps, uint64_t now_us)
{
    uint64_t                     oldest, slow;
    ngx_queue_t                 *q, *next;
    struct watch                *watch;
    ngx_http_pourover_look_t     look;
    ngx_http_pourover_choice_t  *choice;

    watch = &ps->service->watch;
    slow = atomic_load(&watch->slow_us[0]);

    look.now_us = now_us;
    look.hang_us = (uint64_t) atomic_load(&watch->hang_ms) * 1000;
    look.young_us = NGX_HTTP_POUROVER_WAIT_US;
    look.young_us = slow ? ngx_min(look.young_us, slow) : look.young_us;
    look.young_us = look.hang_us ? ngx_min(look.young_us, look.hang_us)
                                 : look.young_us;
    oldest = 0;

    for (q = ngx_queue_head(&ps->watched); q != &ps->watched; q = next) {
        next = ngx_queue_next(q);
        choice = ngx_queue_data(q, ngx_http_pourover_choice_t, event.link);

        if (oldest && now_us - choice->event.begun_us < look.young_us) {
            break;
        }

        ngx_http_pourover_event_look(choice, &look);

        if (oldest == 0 && choice->event.watched) {
            oldest = choice->event.begun_us;
        }
    }

    return oldest;
}


void
ngx_http_pourover_event_tick(ngx_http_pourover_zone_t *pz)
{
    uint64_t                         now, oldest;
    ngx_uint_t                       i;
    struct zone_worker              *worker;
    ngx_http_pourover_service_t    **ps;
    ngx_http_pourover_main_conf_t   *pmcf;

    ngx_http_pourover_compare_clocks();
    now = clock_mono_us();

    pmcf = ngx_http_pourover_main_of((ngx_cycle_t *) ngx_cycle);
    ps = pmcf->services.elts;

    for (i = 0; i < pmcf->services.nelts; i++) {

        if (ps[i]->service == NULL || ps[i]->row == NULL) {
            continue;
        }

        oldest = ngx_http_pourover_event_oldest(ps[i], now);

        atomic_store(&ps[i]->row->oldest_ms,
                     oldest ? ngx_http_pourover_wall_us(oldest) / 1000 : 0);
    }

    /* only now: what it vouches for is there */

    for (i = 0; i < ZONE_WORKERS; i++) {
        worker = &pz->zone->worker[i];

        if (atomic_load(&worker->pid) == ngx_pid) {
            atomic_store(&worker->ticked_ms,
                         ngx_http_pourover_wall_us(now) / 1000);
        }
    }
}
