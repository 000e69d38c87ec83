
/*
 * What the tick finds of requests in flight: those that take too long, and the
 * start of the oldest one whose events may still come.
 */

#include "ngx_http_pourover_event.h"

#include "base/clock.h"


/* calls of gRPC hold the watermark for so long, streams or not */
#define NGX_HTTP_POUROVER_STREAM_US  10000000


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

    } else if (ngx_http_pourover_is_stream(e->request->upstream)
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
        choice = ngx_http_pourover_queue_data(q, ngx_http_pourover_choice_t,
                                              event.link);

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
    struct row                      *row;
    struct zone_worker              *worker;
    ngx_http_pourover_service_t    **ps;
    ngx_http_pourover_main_conf_t   *pmcf;

    ngx_http_pourover_compare_clocks();
    now = clock_mono_us();

    pmcf = ngx_http_pourover_main_of((ngx_cycle_t *) ngx_cycle);
    ps = pmcf->services.elts;

    for (i = 0; i < pmcf->services.nelts; i++) {

        if (ps[i]->service == NULL
            || (ps[i]->row == NULL && ngx_queue_empty(&ps[i]->watched)))
        {
            continue;
        }

        oldest = ngx_http_pourover_event_oldest(ps[i], now);
        row = ngx_http_pourover_row(ps[i]);

        if (row) {
            atomic_store(&row->oldest_ms, oldest
                         ? ngx_http_pourover_wall_us(oldest) / 1000 : 0);
        }
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
