/* Peers as text and JSON; see peer_text.h. */
#include "cli/peer_text.h"

#include "cli/out.h"

#include <string.h>

/* Clocks of routers and states are read one after the other: the past may lie ahead a little. */
static uint64_t minus(uint64_t later, uint64_t earlier)
{
    return later > earlier ? later - earlier : 0;
}

void peer_text_address(struct buf *b, const struct router_peer *p)
{
    buf_add_cstr(b, p->address);
    if (strncmp(p->address, p->name, strlen(p->name)) != 0) {
        buf_addf(b, " (%s)", p->name);
    }
}

void peer_text_weight(struct buf *b, const struct router_peer *p)
{
    if (p->weight_now < (double) p->weight) {
        buf_addf(b, "%.1f/", p->weight_now);
    }
    buf_add_u64(b, p->weight);
}

static void add_limit(struct buf *b, const char *what, uint64_t until_ms, uint64_t now_ms)
{
    if (until_ms > now_ms) {
        buf_addf(b, ", %s end in ", what);
        out_time(b, until_ms - now_ms);
    } else if (until_ms > 0) {
        buf_addf(b, ", %s ended", what);
    }
}

void peer_text_state(struct buf *b, enum router_state state, const struct router_drain *d,
                     uint64_t now_ms)
{
    buf_add_cstr(b, router_state_name[state]);
    if (d != NULL) {
        buf_addf(b, "%s%s for ", d->by[0] != '\0' ? " by " : "", d->by);
        out_time(b, minus(now_ms, d->since_ms));
        add_limit(b, "requests", d->requests_until_ms, now_ms);
        add_limit(b, "streams", d->streams_until_ms, now_ms);
    }
}

void peer_text_ago(struct buf *b, uint64_t at_ms, uint64_t now_ms)
{
    if (at_ms > 0) {
        buf_add_cstr(b, ", ");
        out_time(b, minus(now_ms, at_ms));
        buf_add_cstr(b, " ago");
    }
}

void peer_text_health(struct buf *b, const struct router_peer *p, uint64_t now_ms)
{
    const struct router_check *c = &p->check;
    buf_add_cstr(b, router_health_name[p->health]);
    if (p->health == ROUTER_FAILING && p->has_check) {
        buf_addf(b, ": %s (%llu in a row", c->text[0] != '\0' ? c->text : c->reason,
                 (unsigned long long) c->streak);
        peer_text_ago(b, c->at_ms, now_ms);
        buf_add_char(b, ')');
    }
}

void peer_text_request(struct buf *b, const struct router_request *q, uint64_t now_ms)
{
    bool ended = q->at_ms > 0;
    buf_addf(b, "%s %s, %s", q->method, q->uri, q->stream ? "a stream, " : "");
    out_time(b, minus(ended ? q->at_ms : now_ms, q->since_ms));
    buf_addf(b, " old%s%s, client %s", q->unit[0] != '\0' ? ", unit " : "", q->unit, q->client);
}

void peer_json_drain(struct json_writer *w, const struct router_drain *d)
{
    if (d == NULL) {
        json_null(w);
        return;
    }
    json_obj_begin(w);
    json_kv_cstr(w, "by", d->by);
    json_kv_u64(w, "since_ms", d->since_ms);
    json_kv_u64(w, "requests_until_ms", d->requests_until_ms);
    json_kv_u64(w, "streams_until_ms", d->streams_until_ms);
    json_obj_end(w);
}

static void json_check(struct json_writer *w, const struct router_check *c)
{
    json_obj_begin(w);
    json_kv_cstr(w, "reason", c->reason);
    json_kv_cstr(w, "text", c->text);
    json_kv_u64(w, "at_ms", c->at_ms);
    json_kv_u64(w, "took_us", c->took_us);
    json_kv_u64(w, "streak", c->streak);
    json_kv_u64(w, "changes", c->changes);
    json_obj_end(w);
}

void peer_json(struct json_writer *w, const struct router_peer *p)
{
    json_kv_cstr(w, "address", p->address);
    json_kv_cstr(w, "name", p->name);
    json_kv_cstr(w, "origin", p->origin);
    json_kv_cstr(w, "track", track_name[p->track]);
    json_kv_cstr(w, "dc", p->dc);
    json_kv_u64(w, "weight", p->weight);
    json_kv_double(w, "weight_now", p->weight_now);
    json_kv_cstr(w, "state", router_state_name[p->state]);
    json_kv_cstr(w, "health", router_health_name[p->health]);
    json_key(w, "check");
    if (p->has_check) {
        json_check(w, &p->check);
    } else {
        json_null(w);
    }
    json_key(w, "drain");
    peer_json_drain(w, p->has_drain ? &p->drain : NULL);
    json_kv_u64(w, "in_flight", p->in_flight);
    json_kv_u64(w, "requests", p->requests);
    json_kv_u64(w, "failures", p->failures);
}

void peer_json_request(struct json_writer *w, const struct router_request *q)
{
    json_obj_begin(w);
    if (q->at_ms > 0) {
        json_kv_u64(w, "at_ms", q->at_ms);
    }
    json_kv_u64(w, "since_ms", q->since_ms);
    json_kv_cstr(w, "method", q->method);
    json_kv_cstr(w, "uri", q->uri);
    json_kv_bool(w, "stream", q->stream);
    json_kv_cstr(w, "unit", q->unit[0] != '\0' ? q->unit : NULL);
    json_kv_cstr(w, "client", q->client);
    json_obj_end(w);
}
