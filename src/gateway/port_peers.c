/* Peers: drained, quiet, added, removed, moved; see port.h. */
#include "gateway/drain.h"
#include "gateway/port_int.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#include <string.h>

static void begin_body(struct json_writer *w, struct buf *b, char *text, size_t size)
{
    buf_init_fixed(b, text, size);
    json_writer_init(w, b);
    json_obj_begin(w);
}

/* --- drain --- */

struct drain_order {
    const char *by;
    uint64_t requests_ms, streams_ms;
};

/* Whether what goes on at a peer ends no later than by a limit that was set now. */
static bool ends_by(uint64_t until_ms, uint64_t limit_ms, uint64_t now_ms)
{
    return limit_ms == 0 || (until_ms > 0 && until_ms <= now_ms + limit_ms);
}

static enum port_word say_drain(struct port *p, size_t i, const struct drain_order *order,
                                struct err *why)
{
    char text[256];
    struct json_writer w;
    struct buf b;
    begin_body(&w, &b, text, sizeof text);
    json_kv_cstr(&w, "state", router_state_name[ROUTER_DRAINING]);
    json_kv_cstr(&w, "by", order->by);
    json_kv_u64(&w, "requests_ms", order->requests_ms);
    json_kv_u64(&w, "streams_ms", order->streams_ms);
    json_obj_end(&w);
    port_order(&p->row[i], "PATCH", buf_str(&b));
    (void) err_set(why, ERR_TIMEOUT, "it was said, but does not show");
    return PORT_SAY;
}

/* Of a peer, or of a name, which has its own. */
static const struct router_drain *drain_of(const struct peer_view *view)
{
    return view->named != NULL ? &view->named->drain : &view->peer->drain;
}

static enum port_word judge_drain(struct port *p, size_t i, struct err *why)
{
    const struct drain_order *order = p->goal->ctx;
    struct peer_view view = {0};
    if (port_find(p, i, &view, why) == PORT_NEVER) {
        return why->code == ERR_NOT_FOUND ? port_lacks(p, i, why) : PORT_NEVER;
    }
    p->row[i].lacks = false;
    if (view.state == ROUTER_DOWN) {
        (void) err_set(why, ERR_CONFLICT, "somebody else took %s down", p->ref.address);
        return PORT_NEVER;
    }
    if (view.state == ROUTER_READY) {
        if (p->row[i].shown) {
            (void) err_set(why, ERR_CONFLICT, "somebody else ended the drain of %s meanwhile",
                           p->ref.address);
            return PORT_NEVER;
        }
        return say_drain(p, i, order, why);
    }
    const struct router_drain *drain = drain_of(&view);
    uint64_t now_ms = fleet_clock(&p->fleet.router[i]);
    if (strcmp(drain->by, order->by) != 0) {
        (void) err_set(why, ERR_CONFLICT, "%s is drained by %s%s%s, not by \"%s\": kept as it is",
                       p->ref.address, drain->by[0] != '\0' ? "\"" : "somebody who left no name",
                       drain->by, drain->by[0] != '\0' ? "\"" : "", order->by);
        return PORT_NEVER;
    }
    p->row[i].shown = true;
    if (!ends_by(drain->requests_until_ms, order->requests_ms, now_ms) ||
        !ends_by(drain->streams_until_ms, order->streams_ms, now_ms)) {
        return say_drain(p, i, order, why);
    }
    return PORT_HOLDS;
}

static int check_by(const char *by, struct err *err)
{
    size_t len = strlen(by);
    if (len == 0 || len >= ROUTER_BY_MAX) {
        return err_set(err, ERR_INVALID, "\"%s\" does not say who drains: 1 to %d bytes do", by,
                       ROUTER_BY_MAX - 1);
    }
    return 0;
}

int port_drain(const struct port_routers *at, const char *address, const char *by,
               uint64_t requests_ms, uint64_t streams_ms, struct err *err)
{
    struct port p;
    struct drain_order order = {by, requests_ms, streams_ms};
    struct port_goal goal = {
        .what = "not draining", .judge = judge_drain, .ctx = &order, .changes = true};
    int code = check_by(by, err);
    if (code != 0) {
        return code;
    }
    code = port_open(&p, at, address, err);
    code = code != 0 ? code : port_prove(&p, &goal, err);
    code = code != 0 ? code : port_check_lacking(&p, err);
    port_close(&p);
    return code;
}

/* --- quiet --- */

static enum port_word judge_quiet(struct port *p, size_t i, struct err *why)
{
    struct fleet_result *result = &((struct fleet_result *) p->goal->ctx)[i];
    struct peer_view view = {0};
    if (port_find(p, i, &view, why) == PORT_NEVER) {
        return why->code == ERR_NOT_FOUND ? port_lacks(p, i, why) : PORT_NEVER;
    }
    p->row[i].lacks = false;
    p->row[i].shown = true;
    result->outcome = FLEET_NOT_PROVED;
    result->pending = true;
    fleet_drain_judge(&p->fleet.router[i], &p->ref, result);
    *why = result->why;
    return result->outcome == FLEET_PROVED    ? PORT_HOLDS
           : result->outcome == FLEET_REFUSED ? PORT_NEVER
                                              : PORT_WAIT;
}

static void tell_requests(const struct port *p, size_t i, const char *what,
                          const struct router_request *list, size_t len)
{
    const struct fleet_router *r = &p->fleet.router[i];
    for (size_t k = 0; k < len; k++) {
        const struct router_request *q = &list[k];
        uint64_t until = q->at_ms > 0 ? q->at_ms : fleet_clock(r);
        uint64_t age = until > q->since_ms ? until - q->since_ms : 0;
        port_tell(p, "router %s: %s: %s: %s %s%s after %llu.%03llu s", r->at.name, p->ref.address,
                  what, q->method, q->uri, q->stream ? " (a stream)" : "",
                  (unsigned long long) (age / 1000), (unsigned long long) (age % 1000));
    }
}

/* What the limits have ended, and, when the time is over, what goes on. */
static void tell_of_drain(struct port *p, bool over)
{
    size_t n = p->fleet.len;
    struct drain_requests *list = mem_array(n, sizeof *list);
    for (size_t i = 0; i < n; i++) {
        if (p->row[i].why.code != ERR_UNREACHABLE) { /* its last call was only given up */
            p->fleet.router[i].err = (struct err){0};
        }
    }
    fleet_read_requests(&p->fleet, &p->ref, 1, clock_mono_ms(), list);
    for (size_t i = 0; i < n; i++) {
        tell_requests(p, i, "cut", list[i].cut.ptr, list[i].cut.len);
        if (over) {
            tell_requests(p, i, "in flight", list[i].active.ptr, list[i].active.len);
        }
        if (over && list[i].more > 0) {
            port_tell(p, "router %s: %s: %llu more in flight", p->fleet.router[i].at.name,
                      p->ref.address, (unsigned long long) list[i].more);
        }
        drain_requests_done(&list[i]);
    }
    mem_free(list);
}

int port_quiet(const struct port_routers *at, const char *address, struct err *err)
{
    struct port p;
    int code = port_open(&p, at, address, err);
    if (code == 0) {
        struct fleet_result *result = mem_array(at->n, sizeof *result);
        struct port_goal goal = {.what = "not quiet", .judge = judge_quiet, .ctx = result};
        code = port_prove(&p, &goal, err);
        code = code != 0 ? code : port_check_lacking(&p, err);
        if (code == 0 || code == ERR_TIMEOUT || code == ERR_UNREACHABLE) {
            tell_of_drain(&p, code != 0);
        }
        mem_free(result);
    }
    port_close(&p);
    return code;
}

/* --- add --- */

struct add_order {
    enum track track;
    const char *dc, *by;
    uint64_t weight;
};

static enum port_word say_add(struct port *p, size_t i, struct err *why)
{
    const struct add_order *order = p->goal->ctx;
    char text[256];
    struct json_writer w;
    struct buf b;
    begin_body(&w, &b, text, sizeof text);
    json_kv_cstr(&w, "track", track_name[order->track]);
    json_kv_cstr(&w, "state", router_state_name[ROUTER_DRAINING]);
    if (order->dc != NULL) {
        json_kv_cstr(&w, "dc", order->dc);
    }
    if (order->weight > 0) {
        json_kv_u64(&w, "weight", order->weight);
    }
    json_obj_end(&w);
    port_order(&p->row[i], "PUT", buf_str(&b));
    (void) err_set(why, ERR_TIMEOUT, "it was said, but does not show");
    return PORT_SAY;
}

/* A peer cannot be added with the name of who drains it: that follows. */
static enum port_word judge_add(struct port *p, size_t i, struct err *why)
{
    const struct add_order *order = p->goal->ctx;
    struct peer_view view = {0};
    if (port_find(p, i, &view, why) == PORT_NEVER) {
        return why->code == ERR_NOT_FOUND ? say_add(p, i, why) : PORT_NEVER;
    }
    if (view.track != order->track) {
        (void) err_set(why, ERR_CONFLICT, "%s is a peer of %s already", p->ref.address,
                       track_name[view.track]);
        return PORT_NEVER;
    }
    if (view.state == ROUTER_DRAINING && drain_of(&view)->by[0] == '\0') {
        struct drain_order drain = {.by = order->by};
        return say_drain(p, i, &drain, why);
    }
    return PORT_HOLDS;
}

int port_add(const struct port_routers *at, const char *address, enum track track, const char *dc,
             uint64_t weight, const char *by, struct err *err)
{
    struct port p;
    struct add_order order = {track, dc, by, weight};
    struct port_goal goal = {
        .what = "not added", .judge = judge_add, .ctx = &order, .changes = true};
    int code = check_by(by, err);
    if (code != 0) {
        return code;
    }
    code = port_open(&p, at, address, err);
    code = code != 0 ? code : port_prove(&p, &goal, err);
    port_close(&p);
    return code;
}

/* --- remove and track --- */

static enum port_word judge_removed(struct port *p, size_t i, struct err *why)
{
    struct peer_view view = {0};
    if (port_find(p, i, &view, why) == PORT_NEVER) {
        return why->code == ERR_NOT_FOUND ? PORT_HOLDS : PORT_NEVER;
    }
    port_order(&p->row[i], "DELETE", (struct str){NULL, 0});
    (void) err_set(why, ERR_TIMEOUT, "it is there still");
    return PORT_SAY;
}

int port_remove(const struct port_routers *at, const char *address, struct err *err)
{
    struct port p;
    struct port_goal goal = {.what = "not removed", .judge = judge_removed, .changes = true};
    int code = port_open(&p, at, address, err);
    code = code != 0 ? code : port_prove(&p, &goal, err);
    port_close(&p);
    return code;
}

static enum port_word judge_track(struct port *p, size_t i, struct err *why)
{
    const enum track *track = p->goal->ctx;
    struct peer_view view = {0};
    if (port_find(p, i, &view, why) == PORT_NEVER) {
        return PORT_NEVER;
    }
    if (view.track == *track) {
        p->row[i].shown = true;
        return PORT_HOLDS;
    }
    if (p->row[i].shown) {
        (void) err_set(why, ERR_CONFLICT, "somebody else moved %s back to %s meanwhile",
                       p->ref.address, track_name[view.track]);
        return PORT_NEVER;
    }
    char text[64];
    struct buf b;
    buf_init_fixed(&b, text, sizeof text);
    buf_addf(&b, "{\"track\":\"%s\"}", track_name[*track]);
    port_order(&p->row[i], "PATCH", buf_str(&b));
    (void) err_set(why, ERR_TIMEOUT, "it is on %s still", track_name[view.track]);
    return PORT_SAY;
}

int port_track(const struct port_routers *at, const char *address, enum track track,
               struct err *err)
{
    struct port p;
    struct port_goal goal = {
        .what = "not moved", .judge = judge_track, .ctx = &track, .changes = true};
    int code = port_open(&p, at, address, err);
    code = code != 0 ? code : port_prove(&p, &goal, err);
    port_close(&p);
    return code;
}
