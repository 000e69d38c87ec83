
/*
 * Records of events, and the clock by which they tell starts.
 */

#include "ngx_http_pourover_event.h"

#include "base/clock.h"
#include "traffic/sketch.h"


/* by so much two clocks that nobody set may seem to differ */
#define NGX_HTTP_POUROVER_STEP_US  10000


/* the wall clock's lead over CLOCK_MONOTONIC, by which starts are told */

static int64_t  ngx_http_pourover_lead_us;


uint64_t
ngx_http_pourover_wall_us(uint64_t mono_us)
{
    return mono_us + (uint64_t) ngx_http_pourover_lead_us;
}


/*
 * It changes only when the clock was set, so that it is the same for a
 * request's start and for a watermark.  A process that was interrupted between
 * its looks at the clocks knows nothing.
 */

void
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


void
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


ngx_uint_t
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


void
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
