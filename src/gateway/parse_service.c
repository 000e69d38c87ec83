/* A service of a router with its peers and names, and one peer with its requests. */
#include "gateway/parse_int.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <string.h>

#define WEIGHT_MAX 1000000

const char *const track_name[TRACKS] = {"stable", "canary"};
const char *const router_state_name[ROUTER_STATES] = {"ready", "draining", "down"};
const char *const router_health_name[ROUTER_HEALTHS] = {"unchecked", "unknown", "up", "down"};

static int read_track_name(const json_t *obj, const char *where, enum track *ret, struct err *err)
{
    unsigned track = 0;
    int r = parse_word(obj, where, "track", track_name, TRACKS, &track, err);
    if (r == 0) {
        *ret = (enum track) track;
    }
    return r;
}

static int read_state(const json_t *obj, const char *where, enum router_state *ret, struct err *err)
{
    unsigned state = ROUTER_READY;
    int r = 0;
    if (json_object_get(obj, "state") != NULL) {
        r = parse_word(obj, where, "state", router_state_name, ROUTER_STATES, &state, err);
    }
    if (r == 0) {
        *ret = (enum router_state) state;
    }
    return r;
}

static int read_tracks(const json_t *obj, struct router_track *ret, struct err *err)
{
    const json_t *tracks = NULL;
    int r = parse_obj(obj, "", "tracks", &tracks, err);
    for (int i = 0; i < TRACKS && r == 0; i++) {
        const json_t *track = NULL;
        struct router_track *t = &ret[i];
        r = parse_obj(tracks, "tracks", track_name[i], &track, err);
        r = r != 0 ? r : parse_u64(track, "tracks", "peers", INT64_MAX, &t->peers, err);
        r = r != 0 ? r : parse_u64(track, "tracks", "live", INT64_MAX, &t->live, err);
        r = r != 0 ? r : parse_u64(track, "tracks", "in_flight", INT64_MAX, &t->in_flight, err);
        t->has_health = r == 0 && json_object_get(track, "failing") != NULL;
        if (t->has_health) {
            r = parse_u64(track, "tracks", "failing", INT64_MAX, &t->failing, err);
            r = r != 0 ? r : parse_u64(track, "tracks", "unknown", INT64_MAX, &t->unknown, err);
        }
    }
    return r;
}

static int read_check(const json_t *peer, struct router_peer *ret, struct err *err)
{
    static const char where[] = "peers[].check";
    struct router_check *c = &ret->check;
    const json_t *check = NULL;
    if (json_object_get(peer, "check") == NULL) {
        return 0;
    }
    int r = parse_obj(peer, "peers[]", "check", &check, err);
    r = r != 0 ? r : parse_text(check, where, "reason", c->reason, sizeof c->reason, err);
    r = r != 0 ? r : parse_shown(check, where, "text", c->text, sizeof c->text, err);
    r = r != 0 ? r : parse_u64(check, where, "at_ms", INT64_MAX, &c->at_ms, err);
    r = r != 0 ? r : parse_u64(check, where, "took_us", INT64_MAX, &c->took_us, err);
    r = r != 0 ? r : parse_u64(check, where, "streak", INT64_MAX, &c->streak, err);
    r = r != 0 ? r : parse_u64(check, where, "changes", INT64_MAX, &c->changes, err);
    ret->has_check = r == 0 && strcmp(c->reason, "none") != 0;
    return r;
}

/* Of a peer or a name, where it drains. */
static int read_drain(const json_t *obj, struct router_drain *d, bool *ret_has, struct err *err)
{
    static const char where[] = "drain";
    const json_t *drain = json_object_get(obj, where);
    if (drain == NULL || json_is_null(drain)) {
        return 0;
    }
    int r = parse_obj(obj, "", where, &drain, err);
    r = r != 0 ? r : parse_shown(drain, where, "by", d->by, sizeof d->by, err);
    r = r != 0 ? r : parse_u64(drain, where, "since_ms", INT64_MAX, &d->since_ms, err);
    r = r != 0
            ? r
            : parse_u64(drain, where, "requests_until_ms", INT64_MAX, &d->requests_until_ms, err);
    r = r != 0 ? r
               : parse_u64(drain, where, "streams_until_ms", INT64_MAX, &d->streams_until_ms, err);
    *ret_has = r == 0;
    return r;
}

static int read_health(const json_t *peer, struct router_peer *ret, struct err *err)
{
    unsigned health = ROUTER_UNCHECKED;
    int r = 0;
    if (json_object_get(peer, "health") != NULL) {
        r = parse_word(peer, "peers[]", "health", router_health_name, ROUTER_HEALTHS, &health, err);
    }
    if (r == 0) {
        ret->health = (enum router_health) health;
    }
    return r != 0 ? r : read_check(peer, ret, err);
}

static int read_weight(const json_t *obj, struct router_peer *ret, struct err *err)
{
    static const char where[] = "peers[]";
    int r = parse_u64_maybe(obj, where, "weight", WEIGHT_MAX, &ret->weight, err);
    ret->weight_now = (double) ret->weight;
    if (r == 0 && json_object_get(obj, "weight_now") != NULL) {
        r = parse_double(obj, where, "weight_now", &ret->weight_now, err);
    }
    return r;
}

static int read_peer(const json_t *obj, struct router_peer *ret, struct err *err)
{
    static const char where[] = "peers[]";
    struct router_peer p = {.origin = "config", .weight = 1};
    int r = parse_text(obj, where, "address", p.address, sizeof p.address, err);
    memcpy(p.name, p.address, sizeof p.name);
    r = r != 0 ? r : parse_text_maybe(obj, where, "name", p.name, sizeof p.name, err);
    r = r != 0 ? r : parse_text_maybe(obj, where, "origin", p.origin, sizeof p.origin, err);
    r = r != 0 ? r : parse_text_maybe(obj, where, "dc", p.dc, sizeof p.dc, err);
    r = r != 0 ? r : read_track_name(obj, where, &p.track, err);
    r = r != 0 ? r : read_state(obj, where, &p.state, err);
    r = r != 0 ? r : read_weight(obj, &p, err);
    r = r != 0 ? r : read_health(obj, &p, err);
    r = r != 0 ? r : read_drain(obj, &p.drain, &p.has_drain, err);
    r = r != 0 ? r : parse_u64_maybe(obj, where, "in_flight", INT64_MAX, &p.in_flight, err);
    r = r != 0 ? r : parse_u64_maybe(obj, where, "requests", INT64_MAX, &p.requests, err);
    r = r != 0 ? r : parse_u64_maybe(obj, where, "failures", INT64_MAX, &p.failures, err);
    if (r == 0) {
        *ret = p;
    }
    return r;
}

/* The list of services has no peers, nor has a cut. */
static int read_peers(const json_t *obj, struct router_service *s, struct err *err)
{
    const json_t *peers = NULL;
    size_t n = 0;
    int r = parse_array_maybe(obj, "", "peers", ROUTER_PEERS_MAX, &peers, &n, err);
    s->peer = r == 0 ? mem_array(n + 1, sizeof *s->peer) : NULL;
    for (size_t i = 0; i < n && r == 0; i++) {
        r = read_peer(json_array_get(peers, i), &s->peer[i], err);
        s->npeers = i + 1;
    }
    return r;
}

static int read_name(const json_t *obj, struct router_name *ret, struct err *err)
{
    static const char where[] = "names[]";
    struct router_name *n = ret;
    n->weight = 1;
    int r = parse_text(obj, where, "address", n->address, sizeof n->address, err);
    r = r != 0 ? r : read_track_name(obj, where, &n->track, err);
    r = r != 0 ? r : parse_text_maybe(obj, where, "dc", n->dc, sizeof n->dc, err);
    r = r != 0 ? r : parse_u64_maybe(obj, where, "weight", WEIGHT_MAX, &n->weight, err);
    r = r != 0 ? r : read_state(obj, where, &n->state, err);
    r = r != 0 ? r : read_drain(obj, &n->drain, &n->has_drain, err);
    r = r != 0 ? r : parse_u64(obj, where, "addresses", INT64_MAX, &n->addresses, err);
    r = r != 0 ? r : parse_u64(obj, where, "resolved_at_ms", INT64_MAX, &n->resolved_at_ms, err);
    return r != 0 ? r : parse_shown(obj, where, "error", n->error, sizeof n->error, err);
}

static int read_names(const json_t *obj, struct router_service *s, struct err *err)
{
    const json_t *names = NULL;
    size_t n = 0;
    int r = parse_array_maybe(obj, "", "names", ROUTER_PEERS_MAX, &names, &n, err);
    s->named = r == 0 ? mem_array(n + 1, sizeof *s->named) : NULL;
    for (size_t i = 0; i < n && r == 0; i++) {
        r = read_name(json_array_get(names, i), &s->named[i], err);
        s->nnames = i + 1;
    }
    return r;
}

static int read_maintenance(const json_t *obj, struct router_maintenance *ret, struct err *err)
{
    static const char where[] = "maintenance";
    const json_t *m = NULL;
    if (json_object_get(obj, where) == NULL) {
        return 0;
    }
    int r = parse_obj(obj, "", where, &m, err);
    r = r != 0 ? r : parse_bool(m, where, "on", &ret->on, err);
    r = r != 0 ? r : parse_shown(m, where, "by", ret->by, sizeof ret->by, err);
    r = r != 0 ? r : parse_shown(m, where, "message", ret->message, sizeof ret->message, err);
    return r != 0 ? r : parse_u64(m, where, "since_ms", INT64_MAX, &ret->since_ms, err);
}

int router_parse_service(struct str json, struct router_service *ret, struct err *err)
{
    _cleanup_(parse_release) json_t *root = NULL;
    struct router_service s = {0};
    char kind[16] = "";
    int r = parse_load(json, &root, err);
    r = r != 0 ? r : parse_text(root, "", "name", s.name, sizeof s.name, err);
    r = r != 0 ? r : parse_text(root, "", "kind", kind, sizeof kind, err);
    r = r != 0 ? r : parse_text(root, "", "restored", s.restored, sizeof s.restored, err);
    r = r != 0 ? r : parse_split(root, &s.split, err);
    r = r != 0 ? r : read_maintenance(root, &s.maintenance, err);
    r = r != 0 ? r : read_tracks(root, s.track, err);
    r = r != 0 ? r : read_peers(root, &s, err);
    r = r != 0 ? r : read_names(root, &s, err);
    if (r != 0) {
        router_service_done(&s);
        return r;
    }
    s.is_cut = strcmp(kind, "cut") == 0;
    *ret = s;
    return 0;
}

void router_service_done(struct router_service *s)
{
    mem_free(s->peer);
    mem_free(s->named);
    s->peer = NULL;
    s->named = NULL;
    s->npeers = s->nnames = 0;
}

static int read_request(const json_t *obj, const char *where, struct router_request *ret,
                        struct err *err)
{
    struct router_request *q = ret;
    int r = parse_u64(obj, where, "since_ms", INT64_MAX, &q->since_ms, err);
    r = r != 0 ? r : parse_u64_maybe(obj, where, "at_ms", INT64_MAX, &q->at_ms, err);
    r = r != 0 ? r : parse_shown(obj, where, "method", q->method, sizeof q->method, err);
    r = r != 0 ? r : parse_shown(obj, where, "uri", q->uri, sizeof q->uri, err);
    r = r != 0 ? r : parse_bool(obj, where, "stream", &q->stream, err);
    if (r == 0 && !json_is_null(json_object_get(obj, "unit"))) {
        r = parse_text(obj, where, "unit", q->unit, sizeof q->unit, err);
    }
    return r != 0 ? r : parse_shown(obj, where, "client", q->client, sizeof q->client, err);
}

static int read_requests(const json_t *root, const char *key, const char *where,
                         struct router_request **ret, size_t *ret_len, struct err *err)
{
    const json_t *list = NULL;
    size_t n = 0;
    int r = parse_array_maybe(root, "", key, ROUTER_LISTED_MAX, &list, &n, err);
    struct router_request *q = mem_array(n + 1, sizeof *q);
    for (size_t i = 0; i < n && r == 0; i++) {
        r = read_request(json_array_get(list, i), where, &q[i], err);
    }
    if (r != 0) {
        mem_free(q);
        return r;
    }
    *ret = q;
    *ret_len = n;
    return 0;
}

int router_parse_detail(struct str json, struct router_detail *ret, struct err *err)
{
    _cleanup_(parse_release) json_t *root = NULL;
    const json_t *peer = NULL;
    struct router_detail d = {0};
    int r = parse_load(json, &root, err);
    r = r != 0 ? r : parse_obj(root, "", "peer", &peer, err);
    r = r != 0 ? r : read_peer(peer, &d.peer, err);
    r = r != 0 ? r : read_requests(root, "active", "active[]", &d.active, &d.nactive, err);
    r = r != 0 ? r : read_requests(root, "cut", "cut[]", &d.cut, &d.ncut, err);
    r = r != 0 ? r : parse_u64_maybe(root, "", "more", INT64_MAX, &d.more, err);
    r = r != 0 ? r : parse_u64_maybe(root, "", "cut_total", INT64_MAX, &d.cut_total, err);
    if (r != 0) {
        router_detail_done(&d);
        return r;
    }
    *ret = d;
    return 0;
}

void router_detail_done(struct router_detail *d)
{
    mem_free(d->active);
    mem_free(d->cut);
    *d = (struct router_detail){0};
}
