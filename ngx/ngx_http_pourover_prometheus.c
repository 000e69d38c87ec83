
/*
 * The zone as Prometheus text (format 0.0.4).  Lines of one name stand
 * together, so each name goes over all services.
 */

#include "ngx_http_pourover.h"

#include <inttypes.h>

#include "traffic/event.h"


typedef struct {
    struct buf                *buf;
    ngx_http_pourover_zone_t  *zone;
    const struct service      *service;
    enum track                 track;
    const char                *name;
    enum counter               counter;           /* of lines_counter */
} ngx_http_pourover_metric_t;

/* writes the lines of one service, or of one track of it */
typedef void (*ngx_http_pourover_lines_pt)(ngx_http_pourover_metric_t *m);

typedef struct {
    const char                  *name;
    const char                  *type;
    const char                  *help;
    ngx_http_pourover_lines_pt   lines;
    ngx_uint_t                   tracks;          /* once for each track */
    enum counter                 counter;         /* COUNT: of its own lines */
} ngx_http_pourover_family_t;


const char *
ngx_http_pourover_grpc_name(ngx_uint_t status)
{
    static const char *const  names[ZONE_GRPC_STATUSES] = {
        "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12",
        "13", "14", "15", "16", "other", "missing"
    };

    return names[status];
}


const ngx_http_pourover_id_name_t
    ngx_http_pourover_ids[NGX_HTTP_POUROVER_IDS] =
{
    { "valid", COUNTER_ID_VALID },
    { "issued", COUNTER_ID_ISSUED },
    { "replaced", COUNTER_ID_REPLACED },
    { "sourced", COUNTER_ID_SOURCED },
    { "none", COUNTER_ID_NONE }
};


static void
ngx_http_pourover_head(struct buf *buf, const char *name, const char *type,
    const char *help)
{
    buf_addf(buf, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}


static void
ngx_http_pourover_escaped(struct buf *buf, struct str text)
{
    size_t  i;

    for (i = 0; i < text.len; i++) {
        switch (text.ptr[i]) {
        case '\\':
            buf_add_cstr(buf, "\\\\");
            break;
        case '"':
            buf_add_cstr(buf, "\\\"");
            break;
        case '\n':
            buf_add_cstr(buf, "\\n");
            break;
        default:
            buf_add_char(buf, text.ptr[i]);
        }
    }
}


/* NAME SUFFIX {service="S",track="T",LABEL="VALUE"} and a blank */

static void
ngx_http_pourover_series(ngx_http_pourover_metric_t *m, const char *suffix,
    ngx_uint_t tracked, const char *label, const char *value)
{
    struct buf  *buf;

    buf = m->buf;

    buf_add_cstr(buf, m->name);
    buf_add_cstr(buf, suffix);
    buf_add_cstr(buf, "{service=\"");
    ngx_http_pourover_escaped(buf, (struct str) { m->service->name,
                                                  m->service->name_len });
    buf_add_char(buf, '"');

    if (tracked) {
        buf_addf(buf, ",track=\"%s\"", zone_track_name(m->track));
    }

    if (label) {
        buf_addf(buf, ",%s=\"%s\"", label, value);
    }

    buf_add_cstr(buf, "} ");
}


static void
ngx_http_pourover_metric_value(ngx_http_pourover_metric_t *m, uint64_t value)
{
    buf_add_u64(m->buf, value);
    buf_add_char(m->buf, '\n');
}


static void
ngx_http_pourover_lines_share(ngx_http_pourover_metric_t *m)
{
    struct split  split;

    (void) zone_split_read(m->service, &split);
    ngx_http_pourover_series(m, "", 0, NULL, NULL);
    buf_addf(m->buf, "%" PRIu32 ".%06" PRIu32 "\n",
             split.share_ppm / 1000000, split.share_ppm % 1000000);
}


static void
ngx_http_pourover_lines_enabled(ngx_http_pourover_metric_t *m)
{
    struct split  split;

    (void) zone_split_read(m->service, &split);
    ngx_http_pourover_series(m, "", 0, NULL, NULL);
    ngx_http_pourover_metric_value(m, split.enabled);
}


static void
ngx_http_pourover_lines_revision(ngx_http_pourover_metric_t *m)
{
    struct split  split;

    (void) zone_split_read(m->service, &split);
    ngx_http_pourover_series(m, "", 0, NULL, NULL);
    ngx_http_pourover_metric_value(m, split.revision);
}


static void
ngx_http_pourover_lines_peers(ngx_http_pourover_metric_t *m)
{
    enum peer_state            state;
    ngx_http_pourover_track_t  tracks[TRACK_COUNT];

    ngx_http_pourover_count_peers(m->zone, m->service, tracks);

    for (state = PEER_READY; state < PEER_REMOVED; state++) {
        ngx_http_pourover_series(m, "", 1, "state",
                                 zone_peer_state_name(state));
        ngx_http_pourover_metric_value(m, tracks[m->track].peers[state]);
    }
}


/* of the ready ones: what requests go by */

static void
ngx_http_pourover_lines_health(ngx_http_pourover_metric_t *m)
{
    enum health  health;

    for (health = HEALTH_UNCHECKED; health < HEALTH_COUNT; health++) {
        ngx_http_pourover_series(m, "", 1, "health", health_name(health));
        ngx_http_pourover_metric_value(m,
                          atomic_load(&m->service->ready[m->track][health]));
    }
}


static void
ngx_http_pourover_lines_in_flight(ngx_http_pourover_metric_t *m)
{
    ngx_http_pourover_track_t  tracks[TRACK_COUNT];

    ngx_http_pourover_count_peers(m->zone, m->service, tracks);
    ngx_http_pourover_series(m, "", 1, NULL, NULL);
    buf_add_i64(m->buf, tracks[m->track].in_flight);
    buf_add_char(m->buf, '\n');
}


static void
ngx_http_pourover_lines_requests(ngx_http_pourover_metric_t *m)
{
    enum reason          reason;
    struct counters_sum  sum;

    zone_counters_sum(m->zone->zone, m->service, m->track, &sum);

    for (reason = 0; reason < REASON_COUNT; reason++) {
        ngx_http_pourover_series(m, "", 1, "reason", zone_reason_name(reason));
        ngx_http_pourover_metric_value(m, sum.reason[reason]);
    }
}


static void
ngx_http_pourover_lines_responses(ngx_http_pourover_metric_t *m)
{
    unsigned             i;
    struct counters_sum  sum;

    zone_counters_sum(m->zone->zone, m->service, m->track, &sum);

    for (i = 0; i < zone_status_names(); i++) {
        if (sum.status[i]) {
            ngx_http_pourover_series(m, "", 1, "status", zone_status_name(i));
            ngx_http_pourover_metric_value(m, sum.status[i]);
        }
    }
}


static void
ngx_http_pourover_lines_grpc(ngx_http_pourover_metric_t *m)
{
    ngx_uint_t           i;
    struct counters_sum  sum;

    zone_counters_sum(m->zone->zone, m->service, m->track, &sum);

    for (i = 0; i < ZONE_GRPC_STATUSES; i++) {
        if (sum.grpc_status[i]) {
            ngx_http_pourover_series(m, "", 1, "grpc_status",
                                     ngx_http_pourover_grpc_name(i));
            ngx_http_pourover_metric_value(m, sum.grpc_status[i]);
        }
    }
}


static void
ngx_http_pourover_lines_events(ngx_http_pourover_metric_t *m)
{
    enum event_kind      kind;
    struct counters_sum  sum;

    zone_counters_sum(m->zone->zone, m->service, m->track, &sum);

    for (kind = 0; kind < EVENT_KINDS; kind++) {
        ngx_http_pourover_series(m, "", 1, "kind", event_kind_name(kind));
        ngx_http_pourover_metric_value(m, sum.event[kind]);
    }
}


static void
ngx_http_pourover_lines_counter(ngx_http_pourover_metric_t *m)
{
    struct counters_sum  sum;

    zone_counters_sum(m->zone->zone, m->service, m->track, &sum);
    ngx_http_pourover_series(m, "", 1, NULL, NULL);
    ngx_http_pourover_metric_value(m, sum.count[m->counter]);
}


static void
ngx_http_pourover_lines_ids(ngx_http_pourover_metric_t *m)
{
    ngx_uint_t           i;
    enum counter         counter;
    struct counters_sum  stable, canary;

    zone_counters_sum(m->zone->zone, m->service, TRACK_STABLE, &stable);
    zone_counters_sum(m->zone->zone, m->service, TRACK_CANARY, &canary);

    for (i = 0; i < NGX_HTTP_POUROVER_IDS; i++) {
        counter = ngx_http_pourover_ids[i].counter;

        ngx_http_pourover_series(m, "", 0, "came",
                                 ngx_http_pourover_ids[i].name);
        ngx_http_pourover_metric_value(m, stable.count[counter]
                                   + canary.count[counter]);
    }
}


/*
 * Bounds are powers of two of a microsecond: there the buckets of the
 * log-linear histogram end too, so that each count is exact.
 */

static void
ngx_http_pourover_lines_duration(ngx_http_pourover_metric_t *m)
{
    size_t              i;
    uint64_t            total, sum_us;
    ngx_uint_t          b;
    char                le[24];
    const struct hist  *hist;

    static const unsigned  bits[] = {
        8, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 24, 26
    };

    hist = &m->service->header_time[m->track];
    total = 0;
    i = 0;

    for (b = 0; b < sizeof(bits) / sizeof(bits[0]); b++) {
        for ( /* void */ ; hist_low(i) < UINT64_C(1) << bits[b]; i++) {
            total += atomic_load_explicit(&hist->count[i],
                                          memory_order_relaxed);
        }

        (void) ngx_sprintf((u_char *) le, "%uL.%06uL%Z",
                           (uint64_t) (UINT64_C(1) << bits[b]) / 1000000,
                           (uint64_t) (UINT64_C(1) << bits[b]) % 1000000);

        ngx_http_pourover_series(m, "_bucket", 1, "le", le);
        ngx_http_pourover_metric_value(m, total);
    }

    for ( /* void */ ; i < HIST_BUCKETS; i++) {
        total += atomic_load_explicit(&hist->count[i], memory_order_relaxed);
    }

    ngx_http_pourover_series(m, "_bucket", 1, "le", "+Inf");
    ngx_http_pourover_metric_value(m, total);

    sum_us = atomic_load(&hist->sum_us);
    ngx_http_pourover_series(m, "_sum", 1, NULL, NULL);
    buf_addf(m->buf, "%" PRIu64 ".%06" PRIu64 "\n", sum_us / 1000000,
             sum_us % 1000000);

    ngx_http_pourover_series(m, "_count", 1, NULL, NULL);
    ngx_http_pourover_metric_value(m, total);
}


static const ngx_http_pourover_family_t  ngx_http_pourover_families[] = {

    { "pourover_share_ratio", "gauge",
      "Share of visitors on the canary, 0 to 1.",
      ngx_http_pourover_lines_share, 0, COUNTER_COUNT },

    { "pourover_enabled", "gauge",
      "1 while the split is switched on.",
      ngx_http_pourover_lines_enabled, 0, COUNTER_COUNT },

    { "pourover_revision", "gauge",
      "Revision of the split.",
      ngx_http_pourover_lines_revision, 0, COUNTER_COUNT },

    { "pourover_ids_total", "counter",
      "Requests by how they came to their id.",
      ngx_http_pourover_lines_ids, 0, COUNTER_COUNT },

    { "pourover_peers", "gauge",
      "Peers by state.",
      ngx_http_pourover_lines_peers, 1, COUNTER_COUNT },

    { "pourover_ready_peers", "gauge",
      "Ready peers by health.",
      ngx_http_pourover_lines_health, 1, COUNTER_COUNT },

    { "pourover_in_flight_requests", "gauge",
      "Requests at the peers now.",
      ngx_http_pourover_lines_in_flight, 1, COUNTER_COUNT },

    { "pourover_requests_total", "counter",
      "Ended requests by the reason of their track.",
      ngx_http_pourover_lines_requests, 1, COUNTER_COUNT },

    { "pourover_responses_total", "counter",
      "Ended requests by the status that was answered.",
      ngx_http_pourover_lines_responses, 1, COUNTER_COUNT },

    { "pourover_grpc_responses_total", "counter",
      "Ended gRPC requests by their grpc-status.",
      ngx_http_pourover_lines_grpc, 1, COUNTER_COUNT },

    { "pourover_events_total", "counter",
      "Bad outcomes of first attempts by kind, and samples.",
      ngx_http_pourover_lines_events, 1, COUNTER_COUNT },

    { "pourover_first_attempt_failures_total", "counter",
      "Requests whose first peer failed.",
      ngx_http_pourover_lines_counter, 1, COUNTER_FIRST_FAILED },

    { "pourover_retries_total", "counter",
      "Attempts behind the first one.",
      ngx_http_pourover_lines_counter, 1, COUNTER_RETRIES },

    { "pourover_crossed_total", "counter",
      "Requests of the canary that a stable peer answered.",
      ngx_http_pourover_lines_counter, 1, COUNTER_CROSSED },

    { "pourover_panic_total", "counter",
      "Requests that a failing peer was tried for, as no peer passed.",
      ngx_http_pourover_lines_counter, 1, COUNTER_PANIC },

    { "pourover_other_track_total", "counter",
      "Requests that the other track answered after a 404.",
      ngx_http_pourover_lines_counter, 1, COUNTER_OTHER_TRACK },

    { "pourover_maintenance_total", "counter",
      "Requests that were answered by command.",
      ngx_http_pourover_lines_counter, 1, COUNTER_MAINTENANCE },

    { "pourover_cut_total", "counter",
      "Requests that the limit of a drain ended.",
      ngx_http_pourover_lines_counter, 1, COUNTER_CUT },

    { "pourover_sent_bytes_total", "counter",
      "Bytes sent to clients.",
      ngx_http_pourover_lines_counter, 1, COUNTER_BYTES_SENT },

    { "pourover_received_bytes_total", "counter",
      "Bytes received from clients.",
      ngx_http_pourover_lines_counter, 1, COUNTER_BYTES_RECEIVED },

    { "pourover_verify_requests_total", "counter",
      "Requests of pourover router verify, which count nowhere else.",
      ngx_http_pourover_lines_counter, 1, COUNTER_VERIFY_REQUESTS },

    { "pourover_request_duration_seconds", "histogram",
      "From the choice of the first peer to the header of the answer.",
      ngx_http_pourover_lines_duration, 1, COUNTER_COUNT },
};


static void
ngx_http_pourover_render_router(struct buf *buf, ngx_http_pourover_zone_t *pz)
{
    uint64_t      saved_at;
    struct zone  *zone;

    zone = pz->zone;
    saved_at = atomic_load(&zone->file.saved_at_ms);

    ngx_http_pourover_head(buf, "pourover_info", "gauge",
                           "1; what runs here is in the labels.");
    buf_addf(buf, "pourover_info{version=\"%s\",nginx=\"%s\",zone=\"",
             NGX_HTTP_POUROVER_VERSION, NGINX_VERSION);
    ngx_http_pourover_escaped(buf, ngx_http_pourover_str(pz->name));
    buf_addf(buf, "\",zone_instance=\"%016" PRIx64 "\"} 1\n", zone->instance);

    ngx_http_pourover_head(buf, "pourover_start_time_seconds", "gauge",
                           "When the zone was made and all counted from 0.");
    buf_addf(buf, "pourover_start_time_seconds %" PRIu64 ".%03" PRIu64 "\n",
             zone->started_at_ms / 1000, zone->started_at_ms % 1000);

    ngx_http_pourover_head(buf, "pourover_epoch", "gauge",
                           "Changes of the router's state.");
    buf_addf(buf, "pourover_epoch %" PRIu64 "\n", atomic_load(&zone->epoch));

    ngx_http_pourover_head(buf, "pourover_restored", "gauge",
                           "1; how the state came to be is in the label.");
    buf_addf(buf, "pourover_restored{how=\"%s\"} 1\n",
             zone_restored_name((enum restored) zone->restored));

    if (pz->state.len == 0) {
        return;
    }

    ngx_http_pourover_head(buf, "pourover_state_saved", "gauge",
                           "1 while the state file is as the last write left "
                           "it, 0 when that failed.");
    buf_addf(buf, "pourover_state_saved %d\n",
             saved_at != 0 && atomic_load(&zone->file.failed) == 0);

    ngx_http_pourover_head(buf, "pourover_state_saved_timestamp_seconds",
                           "gauge", "When the state file was last written.");
    buf_addf(buf, "pourover_state_saved_timestamp_seconds %" PRIu64 ".%03"
             PRIu64 "\n", saved_at / 1000, saved_at % 1000);
}


void
ngx_http_pourover_render_metrics(struct buf *buf, ngx_http_pourover_zone_t *pz,
    const struct service *unused)
{
    size_t                             i;
    ngx_http_pourover_metric_t         m;
    const ngx_http_pourover_family_t  *f;

    ngx_http_pourover_render_router(buf, pz);

    for (i = 0;
         i < sizeof(ngx_http_pourover_families)
             / sizeof(ngx_http_pourover_families[0]);
         i++)
    {
        f = &ngx_http_pourover_families[i];
        ngx_http_pourover_head(buf, f->name, f->type, f->help);

        for (m.service = zone_service_first(pz->zone);
             m.service && !buf->failed;
             m.service = zone_service_next(pz->zone, m.service))
        {
            if (!atomic_load(&m.service->listed)) {
                continue;
            }

            m.buf = buf;
            m.zone = pz;
            m.name = f->name;
            m.counter = f->counter;

            for (m.track = TRACK_STABLE;
                 m.track < (f->tracks ? TRACK_COUNT : TRACK_CANARY);
                 m.track++)
            {
                f->lines(&m);
            }
        }
    }
}
