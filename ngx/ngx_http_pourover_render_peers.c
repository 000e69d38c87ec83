
/*
 * Peers in the bodies of the API.  One is copied under the zone's mutex, so
 * that its texts and numbers belong together.
 */

#include "ngx_http_pourover_check.h"
#include "ngx_http_pourover_render.h"


/* what is told of a peer */

typedef struct {
    uint32_t                       meta;
    struct peer                    peer;
    struct pin_sum                 pins;
    ngx_uint_t                     addresses;     /* of a name */
} ngx_http_pourover_peer_copy_t;


/*
 * Whoever waits for the end of a drain must not see 0 while the zone has no
 * room to count all requests.
 */

static struct pin_sum
ngx_http_pourover_pins(const struct zone *zone, const struct service *service,
    unsigned slot)
{
    struct pin_sum  sum;

    sum = zone_pin_sum(zone, service, slot);

    if (sum.in_flight == 0 && atomic_load(&service->uncounted)) {
        sum.in_flight = 1;
    }

    return sum;
}


void
ngx_http_pourover_count_peers(ngx_http_pourover_zone_t *pz,
    const struct service *service,
    ngx_http_pourover_track_t tracks[TRACK_COUNT])
{
    uint32_t                    meta;
    unsigned                    slot, slots;
    ngx_http_pourover_track_t  *track;

    ngx_memzero(tracks, TRACK_COUNT * sizeof(ngx_http_pourover_track_t));
    slots = atomic_load(&service->slots);

    for (slot = 0; slot < slots; slot++) {
        meta = zone_peer_meta(pz->zone, service, slot);
        track = &tracks[META_TRACK(meta)];

        if (META_STATE(meta) != PEER_FREE && META_STATE(meta) <= PEER_REMOVED) {
            track->peers[META_STATE(meta)]++;
            track->in_flight += ngx_http_pourover_pins(pz->zone, service,
                                                       slot).in_flight;
        }
    }
}


void
ngx_http_pourover_render_tracks(struct json_writer *w,
    ngx_http_pourover_zone_t *pz, const struct service *service)
{
    enum track                  t;
    ngx_http_pourover_track_t  *track, tracks[TRACK_COUNT];

    ngx_http_pourover_count_peers(pz, service, tracks);

    json_key(w, "tracks");
    json_obj_begin(w);

    for (t = TRACK_STABLE; t < TRACK_COUNT; t++) {
        track = &tracks[t];

        json_key(w, zone_track_name(t));
        json_obj_begin(w);
        json_kv_u64(w, "peers", track->peers[PEER_READY]
                                + track->peers[PEER_DRAINING]
                                + track->peers[PEER_DOWN]);
        json_kv_u64(w, "live", zone_ready(service, t, LEVEL_PASSING));
        json_kv_u64(w, "failing", zone_ready(service, t, LEVEL_FAILING));
        json_kv_u64(w, "unknown", zone_ready(service, t, LEVEL_UNKNOWN));
        json_kv_i64(w, "in_flight", track->in_flight);
        json_obj_end(w);
    }

    json_obj_end(w);
}


static ngx_uint_t
ngx_http_pourover_count_addresses(const struct zone *zone,
    const struct service *service, unsigned name)
{
    unsigned    slot, slots;
    uint32_t    meta;
    ngx_uint_t  n;

    slots = atomic_load(&service->slots);
    n = 0;

    for (slot = 0; slot < slots; slot++) {
        meta = zone_peer_meta(zone, service, slot);

        n += META_STATE(meta) != PEER_FREE && META_STATE(meta) != PEER_REMOVED
             && zone_peer(zone, service, slot)->parent == name + 1;
    }

    return n;
}


/* NGX_DECLINED: there is nothing, or nothing any more */

static ngx_int_t
ngx_http_pourover_copy_peer(ngx_http_pourover_zone_t *pz,
    const struct service *service, unsigned slot,
    ngx_http_pourover_peer_copy_t *copy)
{
    ngx_shmtx_lock(&pz->shpool->mutex);

    copy->meta = zone_peer_meta(pz->zone, service, slot);

    if (META_STATE(copy->meta) == PEER_FREE
        || META_STATE(copy->meta) == PEER_REMOVED)
    {
        ngx_shmtx_unlock(&pz->shpool->mutex);
        return NGX_DECLINED;
    }

    copy->peer = *zone_peer(pz->zone, service, slot);

    if (copy->peer.is_name) {
        copy->addresses = ngx_http_pourover_count_addresses(pz->zone, service,
                                                            slot);

    } else {
        copy->pins = ngx_http_pourover_pins(pz->zone, service, slot);
    }

    ngx_shmtx_unlock(&pz->shpool->mutex);

    return NGX_OK;
}


static void
ngx_http_pourover_json_drain(struct json_writer *w,
    const struct peer_drain *drain)
{
    json_key(w, "drain");

    if (drain->since_ms == 0) {
        json_null(w);
        return;
    }

    json_obj_begin(w);
    json_kv_str(w, "by", (struct str) { drain->by, drain->by_len });
    json_kv_u64(w, "since_ms", drain->since_ms);
    json_kv_u64(w, "requests_until_ms", drain->requests_until_ms);
    json_kv_u64(w, "streams_until_ms", drain->streams_until_ms);
    json_obj_end(w);
}


static void
ngx_http_pourover_json_peer(struct json_writer *w,
    const ngx_http_pourover_peer_copy_t *copy)
{
    enum peer_origin    origin;
    const struct peer  *peer;

    peer = &copy->peer;
    origin = peer->in_config ? ORIGIN_CONFIG : (enum peer_origin) peer->origin;

    json_kv_str(w, "name", (struct str) { peer->name, peer->name_len });
    json_kv_cstr(w, "origin", zone_peer_origin_name(origin));
    json_kv_cstr(w, "track", zone_track_name(META_TRACK(copy->meta)));
    json_kv_str(w, "dc", (struct str) { peer->dc, peer->dc_len });
    json_kv_u64(w, "weight", peer->weight);
    json_kv_double(w, "weight_now",
                   (double) META_WEIGHT(copy->meta) / ZONE_WEIGHT_UNIT);
    json_kv_cstr(w, "state", zone_peer_state_name(META_STATE(copy->meta)));
    ngx_http_pourover_json_health(w, copy->meta, &peer->seen);
    ngx_http_pourover_json_drain(w, &peer->drain);
    json_kv_i64(w, "in_flight", copy->pins.in_flight);
    json_kv_u64(w, "requests", copy->pins.requests);
    json_kv_u64(w, "failures", copy->pins.failures);
}


static void
ngx_http_pourover_json_name(struct json_writer *w,
    const ngx_http_pourover_peer_copy_t *copy)
{
    const struct peer  *peer;

    peer = &copy->peer;

    json_kv_cstr(w, "track", zone_track_name(META_TRACK(copy->meta)));
    json_kv_str(w, "dc", (struct str) { peer->dc, peer->dc_len });
    json_kv_u64(w, "weight", peer->weight);
    json_kv_cstr(w, "state",
                 zone_peer_state_name((enum peer_state) peer->wanted));
    ngx_http_pourover_json_drain(w, &peer->drain);
    json_kv_u64(w, "addresses", copy->addresses);
    json_kv_u64(w, "resolved_at_ms", atomic_load(&peer->resolved_at_ms));
    json_kv_str(w, "error", (struct str) { peer->error, peer->error_len });
}


static void
ngx_http_pourover_json_copy(struct json_writer *w,
    const ngx_http_pourover_peer_copy_t *copy)
{
    json_obj_begin(w);
    json_kv_str(w, "address", (struct str) { copy->peer.address,
                                             copy->peer.address_len });

    if (copy->peer.is_name) {
        ngx_http_pourover_json_name(w, copy);

    } else {
        ngx_http_pourover_json_peer(w, copy);
    }

    json_obj_end(w);
}


void
ngx_http_pourover_render_peer(struct json_writer *w,
    ngx_http_pourover_zone_t *pz, const struct service *service, unsigned slot)
{
    ngx_http_pourover_peer_copy_t  copy;

    if (ngx_http_pourover_copy_peer(pz, service, slot, &copy) == NGX_OK) {
        ngx_http_pourover_json_copy(w, &copy);

    } else {
        json_null(w);
    }
}


static void
ngx_http_pourover_json_list(struct json_writer *w, ngx_http_pourover_zone_t *pz,
    const struct service *service, const char *key, ngx_uint_t names)
{
    unsigned                       slot, slots;
    ngx_http_pourover_peer_copy_t  copy;

    slots = atomic_load(&service->slots);

    json_key(w, key);
    json_arr_begin(w);

    for (slot = 0; slot < slots; slot++) {
        if (ngx_http_pourover_copy_peer(pz, service, slot, &copy) == NGX_OK
            && copy.peer.is_name == names)
        {
            ngx_http_pourover_json_copy(w, &copy);
        }
    }

    json_arr_end(w);
}


void
ngx_http_pourover_render_peers(struct json_writer *w,
    ngx_http_pourover_zone_t *pz, const struct service *service)
{
    ngx_http_pourover_json_list(w, pz, service, "peers", 0);
    ngx_http_pourover_json_list(w, pz, service, "names", 1);
}
