
/*
 * The bodies of the API in JSON; docs/reference/api.md is their specification.
 * Counters are read while they count; what has several parts is copied under
 * the zone's mutex.  Peers are in render_peers.c.
 */

#include "ngx_http_pourover_api.h"
#include "ngx_http_pourover_check.h"
#include "ngx_http_pourover_render.h"

#include <math.h>

#include "base/clock.h"
#include "base/num.h"
#include "traffic/control.h"


void
ngx_http_pourover_json_begin(struct json_writer *w, struct buf *buf,
    ngx_http_pourover_zone_t *pz)
{
    json_writer_init(w, buf);
    json_obj_begin(w);
    json_kv_u64(w, "epoch", atomic_load(&pz->zone->epoch));
}


void
ngx_http_pourover_json_hex64(struct json_writer *w, const char *name,
    uint64_t value)
{
    char  text[17];

    num_hex64_text(value, text);
    json_kv_cstr(w, name, text);
}


static struct str
ngx_http_pourover_service_name(const struct service *service)
{
    return (struct str) { service->name, service->name_len };
}


static ngx_uint_t
ngx_http_pourover_is_listed(const struct service *service)
{
    return atomic_load(&service->listed);
}


void
ngx_http_pourover_render_split(struct json_writer *w, const struct split *split)
{
    json_key(w, "split");
    json_obj_begin(w);
    json_kv_u64(w, "share_ppm", split->share_ppm);
    json_kv_str(w, "salt", (struct str) { split->salt, split->salt_len });
    json_kv_bool(w, "enabled", split->enabled);
    json_kv_u64(w, "revision", split->revision);
    json_obj_end(w);
}


static void
ngx_http_pourover_json_state(struct json_writer *w,
    ngx_http_pourover_zone_t *pz)
{
    uint64_t           saved_at;
    ngx_err_t          failed;
    struct zone_file  *file;

    json_key(w, "state");

    if (pz->state.len == 0) {
        json_null(w);
        return;
    }

    file = &pz->zone->file;
    saved_at = atomic_load(&file->saved_at_ms);
    failed = (ngx_err_t) atomic_load(&file->failed);

    json_obj_begin(w);
    json_kv_str(w, "file", ngx_http_pourover_str(pz->state));
    json_kv_bool(w, "saved", saved_at != 0 && failed == 0);
    json_kv_u64(w, "saved_at_ms", saved_at);
    json_kv_cstr(w, "error", failed ? strerrordesc_np(failed) : "");
    json_obj_end(w);
}


static void
ngx_http_pourover_json_workers(struct json_writer *w,
    ngx_http_pourover_zone_t *pz)
{
    int32_t              pid;
    ngx_uint_t           i;
    struct zone_worker  *worker;

    json_key(w, "workers");
    json_arr_begin(w);

    for (i = 0; i < ZONE_WORKERS; i++) {
        worker = &pz->zone->worker[i];
        pid = atomic_load(&worker->pid);

        if (pid == 0) {
            continue;
        }

        json_obj_begin(w);
        json_kv_i64(w, "pid", pid);
        json_kv_i64(w, "slot", worker->slot);
        json_kv_u64(w, "generation", worker->generation);
        json_kv_bool(w, "exiting", atomic_load(&worker->exiting));
        json_obj_end(w);
    }

    json_arr_end(w);
}


void
ngx_http_pourover_render_status(struct buf *buf, ngx_http_pourover_zone_t *pz,
    const struct service *unused)
{
    struct zone         *zone;
    struct service      *service;
    struct json_writer   w;

    zone = pz->zone;

    ngx_http_pourover_json_begin(&w, buf, pz);
    json_kv_cstr(&w, "pourover", NGX_HTTP_POUROVER_VERSION);
    json_kv_cstr(&w, "nginx", NGINX_VERSION);
    json_kv_str(&w, "zone", ngx_http_pourover_str(pz->name));
    json_kv_u64(&w, "zone_size_bytes", zone->size);
    json_kv_u64(&w, "zone_used_bytes", zone->used);
    ngx_http_pourover_json_hex64(&w, "instance", zone->instance);
    json_kv_u64(&w, "started_at_ms", zone->started_at_ms);
    json_kv_u64(&w, "now_ms", clock_wall_ms());
    json_kv_cstr(&w, "restored",
                 zone_restored_name((enum restored) zone->restored));
    json_kv_cstr(&w, "restored_reason", zone->restored_reason);
    ngx_http_pourover_json_state(&w, pz);
    json_kv_bool(&w, "upgrading", ngx_http_pourover_state_upgrading(pz));
    ngx_http_pourover_render_healthcheck(&w, pz);
    ngx_http_pourover_json_checker(&w, zone);
    ngx_http_pourover_json_workers(&w, pz);

    json_key(&w, "services");
    json_arr_begin(&w);

    for (service = zone_service_first(zone);
         service;
         service = zone_service_next(zone, service))
    {
        if (ngx_http_pourover_is_listed(service)) {
            json_str(&w, ngx_http_pourover_service_name(service));
        }
    }

    json_arr_end(&w);
    json_obj_end(&w);
}


void
ngx_http_pourover_render_maintenance(struct json_writer *w,
    ngx_http_pourover_zone_t *pz, const struct service *service)
{
    struct maintenance_order  m;

    ngx_shmtx_lock(&pz->shpool->mutex);
    m = maintenance_get_locked(service);
    ngx_shmtx_unlock(&pz->shpool->mutex);

    json_key(w, "maintenance");
    json_obj_begin(w);
    json_kv_bool(w, "on", m.on);
    json_kv_str(w, "by", (struct str) { m.by, m.by_len });
    json_kv_str(w, "message", (struct str) { m.message, m.message_len });
    json_kv_u64(w, "since_ms", m.since_ms);
    json_obj_end(w);
}


void
ngx_http_pourover_render_healthcheck(struct json_writer *w,
    ngx_http_pourover_zone_t *pz)
{
    struct failing_order  f;

    ngx_shmtx_lock(&pz->shpool->mutex);
    f = failing_get_locked(pz->zone);
    ngx_shmtx_unlock(&pz->shpool->mutex);

    json_key(w, "healthcheck");
    json_obj_begin(w);
    json_kv_bool(w, "failing", f.on);
    json_kv_str(w, "by", (struct str) { f.by, f.by_len });
    json_kv_u64(w, "since_ms", f.since_ms);
    json_kv_str(w, "flag_file", ngx_http_pourover_str(pz->fail_file));
    json_obj_end(w);
}


/* the object's fields, without its braces */

static void
ngx_http_pourover_json_service(struct json_writer *w,
    ngx_http_pourover_zone_t *pz, const struct service *service)
{
    struct split  split;

    (void) zone_split_read(service, &split);

    json_kv_str(w, "name", ngx_http_pourover_service_name(service));
    json_kv_cstr(w, "kind", service->kind == SERVICE_CUT ? "cut" : "balancer");
    ngx_http_pourover_render_split(w, &split);
    json_kv_cstr(w, "restored",
                 zone_restored_name((enum restored) service->restored));
    ngx_http_pourover_render_maintenance(w, pz, service);
    ngx_http_pourover_render_tracks(w, pz, service);
}


void
ngx_http_pourover_render_services(struct buf *buf, ngx_http_pourover_zone_t *pz,
    const struct service *unused)
{
    struct service      *service;
    struct json_writer   w;

    ngx_http_pourover_json_begin(&w, buf, pz);
    json_key(&w, "services");
    json_arr_begin(&w);

    for (service = zone_service_first(pz->zone);
         service;
         service = zone_service_next(pz->zone, service))
    {
        if (!ngx_http_pourover_is_listed(service)) {
            continue;
        }

        json_obj_begin(&w);
        ngx_http_pourover_json_service(&w, pz, service);
        json_obj_end(&w);
    }

    json_arr_end(&w);
    json_obj_end(&w);
}


void
ngx_http_pourover_render_service(struct buf *buf, ngx_http_pourover_zone_t *pz,
    const struct service *service)
{
    struct json_writer  w;

    ngx_http_pourover_json_begin(&w, buf, pz);
    ngx_http_pourover_json_service(&w, pz, service);
    ngx_http_pourover_render_peers(&w, pz, service);
    json_obj_end(&w);
}


static void
ngx_http_pourover_json_quantile(struct json_writer *w, const char *name,
    const struct hist *hist, double q)
{
    double  us;

    us = hist_quantile_us(hist, q);
    json_key(w, name);

    if (isnan(us)) {
        json_null(w);

    } else {
        json_u64(w, (uint64_t) (us + 0.5));
    }
}


static void
ngx_http_pourover_json_hist(struct json_writer *w, const char *name,
    const struct hist *hist)
{
    size_t    i;
    uint64_t  n;

    json_key(w, name);
    json_obj_begin(w);
    json_kv_u64(w, "count", hist_total(hist));
    json_kv_u64(w, "sum_us", atomic_load(&hist->sum_us));
    json_kv_u64(w, "max_us", atomic_load(&hist->max_us));
    ngx_http_pourover_json_quantile(w, "p50_us", hist, 0.5);
    ngx_http_pourover_json_quantile(w, "p90_us", hist, 0.9);
    ngx_http_pourover_json_quantile(w, "p99_us", hist, 0.99);
    ngx_http_pourover_json_quantile(w, "p999_us", hist, 0.999);

    json_key(w, "buckets");
    json_arr_begin(w);

    for (i = 0; i < HIST_BUCKETS; i++) {
        n = atomic_load_explicit(&hist->count[i], memory_order_relaxed);

        if (n) {
            json_arr_begin(w);
            json_u64(w, i);
            json_u64(w, n);
            json_arr_end(w);
        }
    }

    json_arr_end(w);
    json_obj_end(w);
}


static void
ngx_http_pourover_json_statuses(struct json_writer *w,
    const struct counters_sum *sum)
{
    unsigned  i;

    json_key(w, "statuses");
    json_obj_begin(w);

    for (i = 0; i < zone_status_names(); i++) {
        if (sum->status[i]) {
            json_kv_u64(w, zone_status_name(i), sum->status[i]);
        }
    }

    json_obj_end(w);

    json_key(w, "grpc_statuses");
    json_obj_begin(w);

    for (i = 0; i < ZONE_GRPC_STATUSES; i++) {
        if (sum->grpc_status[i]) {
            json_kv_u64(w, ngx_http_pourover_grpc_name(i),
                        sum->grpc_status[i]);
        }
    }

    json_obj_end(w);
}


static void
ngx_http_pourover_json_event_counts(struct json_writer *w,
    const struct counters_sum *sum)
{
    enum event_kind  kind;

    json_key(w, "events");
    json_obj_begin(w);

    for (kind = 0; kind < EVENT_KINDS; kind++) {
        if (sum->event[kind]) {
            json_kv_u64(w, event_kind_name(kind), sum->event[kind]);
        }
    }

    json_obj_end(w);
}


static void
ngx_http_pourover_json_track(struct json_writer *w,
    const struct service *service, enum track t,
    const struct counters_sum *sum)
{
    enum reason  reason;

    json_key(w, zone_track_name(t));
    json_obj_begin(w);
    json_kv_u64(w, "requests", sum->count[COUNTER_REQUESTS]);
    ngx_http_pourover_json_statuses(w, sum);

    json_key(w, "reasons");
    json_obj_begin(w);

    for (reason = 0; reason < REASON_COUNT; reason++) {
        json_kv_u64(w, zone_reason_name(reason), sum->reason[reason]);
    }

    json_obj_end(w);

    json_kv_u64(w, "first_failed", sum->count[COUNTER_FIRST_FAILED]);
    json_kv_u64(w, "retries", sum->count[COUNTER_RETRIES]);
    json_kv_u64(w, "crossed", sum->count[COUNTER_CROSSED]);
    json_kv_u64(w, "bytes_sent", sum->count[COUNTER_BYTES_SENT]);
    json_kv_u64(w, "panic", sum->count[COUNTER_PANIC]);
    json_kv_u64(w, "other_track", sum->count[COUNTER_OTHER_TRACK]);
    json_kv_u64(w, "maintenance", sum->count[COUNTER_MAINTENANCE]);
    json_kv_u64(w, "cut", sum->count[COUNTER_CUT]);
    json_kv_u64(w, "bytes_received", sum->count[COUNTER_BYTES_RECEIVED]);
    json_kv_u64(w, "verify_requests", sum->count[COUNTER_VERIFY_REQUESTS]);
    ngx_http_pourover_json_event_counts(w, sum);
    ngx_http_pourover_json_hist(w, "header_time", &service->header_time[t]);
    ngx_http_pourover_json_hist(w, "upstream_time", &service->upstream_time[t]);
    json_obj_end(w);
}


static void
ngx_http_pourover_render_stats(struct buf *buf, ngx_http_pourover_call_t *call)
{
    enum track                 t;
    ngx_uint_t                 i;
    enum counter               counter;
    struct split               split;
    struct json_writer         w;
    struct counters_sum        sum[TRACK_COUNT];
    const struct service      *service;
    ngx_http_pourover_zone_t  *pz;

    pz = call->zone;
    service = call->service;

    (void) zone_split_read(service, &split);

    ngx_http_pourover_json_begin(&w, buf, pz);
    json_kv_str(&w, "service", ngx_http_pourover_service_name(service));
    ngx_http_pourover_json_hex64(&w, "instance", pz->zone->instance);
    json_kv_u64(&w, "since_ms", pz->zone->started_at_ms);
    ngx_http_pourover_render_split(&w, &split);

    json_key(&w, "tracks");
    json_obj_begin(&w);

    for (t = TRACK_STABLE; t < TRACK_COUNT; t++) {
        zone_counters_sum(pz->zone, service, t, &sum[t]);
        ngx_http_pourover_json_track(&w, service, t, &sum[t]);
    }

    json_obj_end(&w);

    json_key(&w, "ids");
    json_obj_begin(&w);

    for (i = 0; i < NGX_HTTP_POUROVER_IDS; i++) {
        counter = ngx_http_pourover_ids[i].counter;

        json_kv_u64(&w, ngx_http_pourover_ids[i].name,
                    sum[TRACK_STABLE].count[counter]
                    + sum[TRACK_CANARY].count[counter]);
    }

    json_obj_end(&w);

    ngx_http_pourover_render_units(&w, service, call->registers);
    json_obj_end(&w);
}


ngx_int_t
ngx_http_pourover_get_stats(ngx_http_pourover_call_t *call)
{
    ngx_str_t  value;

    call->registers = ngx_http_arg(call->r, (u_char *) "registers", 9, &value)
                      == NGX_OK
                      && value.len == 1 && value.data[0] == '1';

    return ngx_http_pourover_send_body(call, NGX_HTTP_POUROVER_JSON,
                                       ngx_http_pourover_render_stats);
}


void
ngx_http_pourover_render_verify(struct buf *buf, ngx_http_pourover_zone_t *pz,
    const struct service *unused)
{
    u_char              token[2 * sizeof(pz->zone->verify_token)];
    struct json_writer  w;

    (void) ngx_hex_dump(token, pz->zone->verify_token,
                        sizeof(pz->zone->verify_token));

    ngx_http_pourover_json_begin(&w, buf, pz);
    json_kv_cstr(&w, "header", "X-Pourover-Verify");
    json_kv_str(&w, "token", (struct str) { (char *) token, sizeof(token) });
    json_obj_end(&w);
}
