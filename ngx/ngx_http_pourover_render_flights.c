
/*
 * What a drained peer has in flight, and what its drain cut, in JSON.
 */

#include "ngx_http_pourover_upstream.h"

#include "base/json.h"
#include "traffic/flight.h"


static void
ngx_http_pourover_render_one(struct json_writer *w,
    const struct flight *flight)
{
    char  unit[ID_SIGNED_LEN];

    json_obj_begin(w);

    if (flight->at_ms) {
        json_kv_u64(w, "at_ms", flight->at_ms);
    }

    json_kv_u64(w, "since_ms", flight->since_ms);
    json_kv_str(w, "method",
                (struct str) { flight->method, flight->method_len });
    json_kv_str(w, "uri", (struct str) { flight->uri, flight->uri_len });
    json_kv_bool(w, "stream", flight->stream);
    json_key(w, "unit");

    if (flight->has_unit) {
        (void) id_write(flight->unit, (struct id_key) { NULL, 0 }, unit);
        json_str(w, (struct str) { unit, ID_LEN });

    } else {
        json_null(w);
    }

    json_kv_str(w, "client",
                (struct str) { flight->client, flight->client_len });
    json_obj_end(w);
}


/* as it stands in the zone at one moment; NULL: nothing is there, or no room */

static struct flights *
ngx_http_pourover_copy_flights(ngx_http_pourover_zone_t *pz,
    const struct service *service, unsigned slot)
{
    struct flights  *copy, *flights;

    if (pz->zone->flights == 0) {
        return NULL;
    }

    copy = ngx_alloc(sizeof(struct flights), pz->log);
    if (copy == NULL) {
        return NULL;
    }

    ngx_shmtx_lock(&pz->shpool->mutex);

    flights = flights_find(pz->zone, service, slot);

    if (flights) {
        *copy = *flights;
    }

    ngx_shmtx_unlock(&pz->shpool->mutex);

    if (flights) {
        return copy;
    }

    ngx_free(copy);

    return NULL;
}


void
ngx_http_pourover_render_flights(struct json_writer *w,
    ngx_http_pourover_zone_t *pz, const struct service *service, unsigned slot)
{
    int64_t             more;
    uint64_t            i, first;
    ngx_uint_t          draining;
    struct flights     *flights;
    const struct peer  *peer;

    peer = zone_peer(pz->zone, service, slot);
    draining = META_STATE(zone_peer_meta(pz->zone, service, slot))
               == PEER_DRAINING;
    more = draining ? zone_pin_sum(pz->zone, service, slot).in_flight : 0;
    flights = ngx_http_pourover_copy_flights(pz, service, slot);

    json_key(w, "active");
    json_arr_begin(w);

    for (i = 0; flights && draining && i < FLIGHTS_LISTED; i++) {
        if (flights->active[i].pid) {
            ngx_http_pourover_render_one(w, &flights->active[i]);
            more--;
        }
    }

    json_arr_end(w);
    json_kv_i64(w, "more", ngx_max(more, 0));

    json_key(w, "cut");
    json_arr_begin(w);

    if (flights) {
        first = flights->cut_count > FLIGHTS_LISTED
                ? flights->cut_count - FLIGHTS_LISTED : 0;

        for (i = first; i < flights->cut_count; i++) {
            ngx_http_pourover_render_one(w,
                                         &flights->cut[i % FLIGHTS_LISTED]);
        }
    }

    json_arr_end(w);
    json_kv_u64(w, "cut_total", peer->cut_total);

    if (flights) {
        ngx_free(flights);
    }
}
