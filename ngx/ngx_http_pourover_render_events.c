
/*
 * The bodies of the API about events: the ring as a reader sees it, what is
 * watched for, and how many units there were.
 */

#include "ngx_http_pourover_api.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/num.h"
#include "traffic/sketch.h"


#define NGX_HTTP_POUROVER_EVENTS      1000
#define NGX_HTTP_POUROVER_EVENTS_MAX  10000


void
ngx_http_pourover_render_watch(struct json_writer *w,
    const struct service *service)
{
    uint32_t             kinds, slow;
    ngx_uint_t           i;
    const struct watch  *watch;

    watch = &service->watch;
    kinds = atomic_load(&watch->kinds);

    json_key(w, "watch");
    json_obj_begin(w);

    json_key(w, "slow_us");
    json_arr_begin(w);

    for (i = 0; i < WATCH_SLOW_MAX; i++) {
        slow = atomic_load(&watch->slow_us[i]);

        if (slow == 0) {
            break;
        }

        json_u64(w, slow);
    }

    json_arr_end(w);

    json_kv_u64(w, "hang_ms", atomic_load(&watch->hang_ms));
    json_kv_u64(w, "sample", atomic_load(&watch->sample));

    json_key(w, "kinds");
    json_arr_begin(w);

    if (kinds & (1u << EVENT_CLIENT_ERROR)) {
        json_cstr(w, "4xx");
    }

    if (kinds & (1u << EVENT_REDIRECT)) {
        json_cstr(w, "3xx");
    }

    json_arr_end(w);
    json_obj_end(w);
}


/* "": there was none, or another has its slot now */

static void
ngx_http_pourover_json_event_peer(struct json_writer *w,
    ngx_http_pourover_call_t *call, const struct event *event)
{
    unsigned     slot;
    uint32_t     meta;
    struct zone *zone;
    struct peer  peer;

    zone = call->zone->zone;
    peer.address_len = 0;

    if (event->peer) {
        slot = event->peer - 1u;
        peer = *zone_peer(zone, call->service, slot);
        meta = zone_peer_meta(zone, call->service, slot);

        if (META_GENERATION(meta) != event->peer_generation
            || META_STATE(meta) == PEER_FREE)
        {
            peer.address_len = 0;
        }
    }

    json_kv_str(w, "peer", (struct str) { peer.address, peer.address_len });
}


static void
ngx_http_pourover_json_event(struct json_writer *w,
    ngx_http_pourover_call_t *call, const struct event *event)
{
    char        text[32];
    struct buf  start;

    buf_init_fixed(&start, text, sizeof(text));
    buf_addf(&start, "%llu.%03u", (unsigned long long) event->start_us / 1000,
             (unsigned) (event->start_us % 1000));

    json_obj_begin(w);
    json_kv_u64(w, "seq", event->seq);
    json_key(w, "start_ms");
    json_raw(w, buf_str(&start));

    if (event->has_unit) {
        num_hex64_text(event->unit, text);
    }

    json_kv_cstr(w, "unit", event->has_unit ? text : NULL);
    json_kv_cstr(w, "assigned", zone_track_name(event->assigned));
    json_kv_cstr(w, "served", zone_track_name(event->served));
    json_kv_cstr(w, "reason", zone_reason_name(event->reason));
    json_kv_u64(w, "revision", event->revision);
    json_kv_u64(w, "share_ppm", event->share_ppm);
    json_kv_cstr(w, "kind", event_kind_name(event->kind));
    json_kv_u64(w, "nth", event->nth);
    json_kv_u64(w, "status", event->status);
    json_kv_i64(w, "grpc", event->grpc);
    json_kv_u64(w, "took_us", event->took_us);
    json_kv_u64(w, "final_status", event->final_status);
    ngx_http_pourover_json_event_peer(w, call, event);
    json_kv_str(w, "route", (struct str) { event->route, event->route_len });
    json_obj_end(w);
}


static void
ngx_http_pourover_json_cursor(struct json_writer *w,
    const struct event_cursor *cursor)
{
    char        text[48];
    struct buf  next;

    buf_init_fixed(&next, text, sizeof(text));
    buf_add_u64(&next, cursor->seq);

    if (cursor->has_canaries) {
        buf_add_char(&next, '.');
        buf_add_u64(&next, cursor->canaries);
    }

    json_kv_str(w, "next", buf_str(&next));
}


static void
ngx_http_pourover_json_lost(struct json_writer *w,
    const struct event_reader *reader)
{
    json_key(w, "lost");

    if (!reader->knows_lost) {
        json_null(w);
        return;
    }

    json_obj_begin(w);
    json_kv_u64(w, "stable", reader->lost[TRACK_STABLE]);
    json_kv_u64(w, "canary", reader->lost[TRACK_CANARY]);
    json_obj_end(w);
}


/* the ring is read behind the watermark, which vouches for what is in it */

static void
ngx_http_pourover_render_events(struct buf *buf,
    ngx_http_pourover_call_t *call)
{
    uint64_t              watermark;
    struct zone          *zone;
    struct event          event;
    struct event_ring    *ring;
    struct json_writer    w;
    struct event_reader   reader;

    zone = call->zone->zone;
    watermark = event_watermark_ms(zone, call->service);
    ring = event_ring_of(zone, call->service);

    ngx_memzero(&reader, sizeof(struct event_reader));

    json_writer_init(&w, buf);
    json_obj_begin(&w);
    json_kv_u64(&w, "epoch", atomic_load(&zone->epoch));
    json_kv_str(&w, "service", (struct str) { call->service->name,
                                              call->service->name_len });
    ngx_http_pourover_json_hex64(&w, "instance", zone->instance);
    json_kv_u64(&w, "now_ms", clock_wall_ms());
    json_kv_u64(&w, "watermark_ms", watermark);
    ngx_http_pourover_render_watch(&w, call->service);

    json_key(&w, "events");
    json_arr_begin(&w);

    if (ring) {
        event_reader_init(&reader, ring, &call->after);

        while (reader.read < call->limit && !buf->failed
               && event_reader_next(&reader, &event))
        {
            ngx_http_pourover_json_event(&w, call, &event);
        }
    }

    json_arr_end(&w);

    ngx_http_pourover_json_cursor(&w, &reader.at);
    ngx_http_pourover_json_lost(&w, &reader);
    json_kv_u64(&w, "appended", reader.appended);
    json_kv_u64(&w, "capacity", ring ? event_ring_capacity(ring) : 0);
    json_obj_end(&w);
}


ngx_int_t
ngx_http_pourover_get_events(ngx_http_pourover_call_t *call)
{
    uint64_t    limit;
    ngx_str_t   value;
    struct err  err;

    limit = NGX_HTTP_POUROVER_EVENTS;

    if (ngx_http_arg(call->r, (u_char *) "after", 5, &value) == NGX_OK
        && event_cursor_parse(ngx_http_pourover_str(value), &call->after, &err)
           != 0)
    {
        return ngx_http_pourover_error(call, NGX_HTTP_BAD_REQUEST, "invalid",
                                       STR("after"), err.msg);
    }

    if (ngx_http_arg(call->r, (u_char *) "limit", 5, &value) == NGX_OK
        && num_u64(ngx_http_pourover_str(value), 1,
                   NGX_HTTP_POUROVER_EVENTS_MAX, &limit)
           != 0)
    {
        (void) err_set(&err, ERR_INVALID, "limit is \"" STR_FMT
                       "\"; right is a number from 1 to %d",
                       STR_ARG(ngx_http_pourover_str(value)),
                       NGX_HTTP_POUROVER_EVENTS_MAX);

        return ngx_http_pourover_error(call, NGX_HTTP_BAD_REQUEST, "invalid",
                                       STR("limit"), err.msg);
    }

    call->limit = limit;

    return ngx_http_pourover_send_body(call, NGX_HTTP_POUROVER_JSON,
                                       ngx_http_pourover_render_events);
}


/* units of the statistics */

static void
ngx_http_pourover_json_registers(struct json_writer *w,
    const struct exposure *exposure)
{
    u_char      text[ngx_base64_encoded_length(SKETCH_REGISTERS)];
    uint8_t     registers[SKETCH_REGISTERS];
    ngx_str_t   from, to;
    enum track  t;
    ngx_uint_t  i;

    json_key(w, "registers");
    json_obj_begin(w);

    for (t = TRACK_STABLE; t < TRACK_COUNT; t++) {

        for (i = 0; i < SKETCH_REGISTERS; i++) {
            registers[i] = atomic_load_explicit(&exposure->units[t].reg[i],
                                                memory_order_relaxed);
        }

        from.data = registers;
        from.len = SKETCH_REGISTERS;
        to.data = text;
        ngx_encode_base64(&to, &from);

        json_kv_str(w, zone_track_name(t), ngx_http_pourover_str(to));
    }

    json_obj_end(w);
}


/* has a newer copy the same revision?  So it is when a service begins */

static ngx_uint_t
ngx_http_pourover_is_superseded(const struct service *service,
    uint32_t current, uint32_t back)
{
    uint32_t                i;
    const struct exposure  *exposure;

    exposure = &service->exposure[(current - back) % 4];

    for (i = 0; i < back; i++) {
        if (atomic_load(&service->exposure[(current - i) % 4].revision)
            == atomic_load(&exposure->revision))
        {
            return 1;
        }
    }

    return 0;
}


void
ngx_http_pourover_render_units(struct json_writer *w,
    const struct service *service, ngx_uint_t registers)
{
    uint32_t                current, back;
    enum track              t;
    const struct exposure  *exposure;

    json_kv_double(w, "units_error", SKETCH_ERROR);
    json_key(w, "units");
    json_arr_begin(w);

    current = atomic_load(&service->split.current);

    for (back = 0; back < 4 && back <= current; back++) {

        if (ngx_http_pourover_is_superseded(service, current, back)) {
            continue;
        }

        exposure = &service->exposure[(current - back) % 4];

        json_obj_begin(w);
        json_kv_u64(w, "revision", atomic_load(&exposure->revision));
        json_kv_u64(w, "share_ppm", atomic_load(&exposure->share_ppm));
        json_kv_u64(w, "since_ms", atomic_load(&exposure->since_ms));

        for (t = TRACK_STABLE; t < TRACK_COUNT; t++) {
            json_kv_u64(w, zone_track_name(t),
                    (uint64_t) (sketch_estimate(&exposure->units[t]) + 0.5));
        }

        if (registers) {
            ngx_http_pourover_json_registers(w, exposure);
        }

        json_obj_end(w);
    }

    json_arr_end(w);
}
