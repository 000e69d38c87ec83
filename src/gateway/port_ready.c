/*
 * Ready, and proved by traffic; see port.h.
 *
 * At each router: a check that was made since this was asked has to pass, for what was seen before
 * the copy was started says nothing about it; then ready on the track is said where it does not
 * show; then the counts of that moment are the base.  A request at the peer after the base proves
 * it.  If there is none when the window is over, that says something only if so many requests went
 * to the track's other peers that this one was left out by chance in one of a million cases: then
 * it is waited on, and at the deadline it is a failure.  Else it is told that traffic proved
 * nothing.
 */
#include "gateway/port_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

#define WINDOW_MS 3000
#define CHANCE    1e-6

struct base {
    bool has;
    uint64_t at_ms, requests, track; /* counts of the peer, and of its track */
    bool unproved;                   /* the window is over: traffic says nothing */
    uint64_t others;                 /* requests that went to the track's other peers */
    uint64_t asked_at_ms;            /* the router's clock at the first reading */
};

struct ready {
    enum track track;
    struct base *base; /* one a router */
};

static uint64_t requests_at(const struct router_service *s, const struct peer_view *view)
{
    uint64_t sum = 0;
    const struct router_peer *each;
    for (size_t at = 0; (each = peers_next(s, view, &at)) != NULL;) {
        sum += each->requests;
    }
    return sum;
}

double port_part(const struct router_service *s, const struct peer_view *view)
{
    double all = 0, own = 0;
    for (size_t i = 0; i < s->npeers; i++) {
        const struct router_peer *peer = &s->peer[i];
        all += peer->track == view->track && peers_is_live(peer) ? peer->weight_now : 0;
    }
    const struct router_peer *each;
    for (size_t at = 0; (each = peers_next(s, view, &at)) != NULL;) {
        own += peers_is_live(each) ? each->weight_now : 0;
    }
    return all > 0 ? own / all : 0;
}

bool port_is_left_out(double part, uint64_t others)
{
    return pow(1 - part, (double) others) < CHANCE;
}

/* Of a name: the first address that does not pass; NULL: all do. */
static const struct router_peer *not_passing(const struct router_service *s,
                                             const struct peer_view *view)
{
    const struct router_peer *each;
    for (size_t at = 0; (each = peers_next(s, view, &at)) != NULL;) {
        if (each->health != ROUTER_PASSING && each->health != ROUTER_UNCHECKED) {
            return each;
        }
    }
    return NULL;
}

/* Of a name: the first address that has not passed a check since then; NULL: all have. */
static const struct router_peer *not_fresh(const struct router_service *s,
                                           const struct peer_view *view, uint64_t since_ms)
{
    const struct router_peer *each;
    for (size_t at = 0; (each = peers_next(s, view, &at)) != NULL;) {
        bool fresh = each->has_check && each->check.at_ms >= since_ms &&
                     strcmp(each->check.reason, "ok") == 0;
        if (each->health != ROUTER_UNCHECKED && (each->health != ROUTER_PASSING || !fresh)) {
            return each;
        }
    }
    return NULL;
}

static enum port_word wait_for_check(const struct router_peer *peer, struct err *why)
{
    bool has_text = peer->has_check && peer->check.text[0] != '\0';
    (void) err_set(why, ERR_TIMEOUT, "its check %s%s%s%s%s",
                   peer->health == ROUTER_FAILING ? "fails" : "has not passed yet",
                   peer->has_check ? ": " : "", peer->has_check ? peer->check.reason : "",
                   has_text ? ", " : "", has_text ? peer->check.text : "");
    return PORT_WAIT;
}

static enum port_word say_ready(struct port *p, size_t i, const struct peer_view *view,
                                struct err *why)
{
    const struct ready *ready = p->goal->ctx;
    if (p->row[i].shown) {
        (void) err_set(why, ERR_CONFLICT, "somebody else changed %s meanwhile: it is %s on %s",
                       p->ref.address, router_state_name[view->state], track_name[view->track]);
        return PORT_NEVER;
    }
    char text[96];
    struct buf b;
    buf_init_fixed(&b, text, sizeof text);
    buf_addf(&b, "{\"state\":\"ready\",\"track\":\"%s\"}", track_name[ready->track]);
    port_order(&p->row[i], "PATCH", buf_str(&b));
    (void) err_set(why, ERR_TIMEOUT, "it was said, but it is %s on %s",
                   router_state_name[view->state], track_name[view->track]);
    return PORT_SAY;
}

/* The window of a router, or what of it the deadline leaves. */
static bool window_is_over(const struct port *p, const struct base *base)
{
    uint64_t now = clock_mono_ms(), poll = p->at->poll_ms > 0 ? p->at->poll_ms : 100;
    return now >= base->at_ms + WINDOW_MS || now + 3 * poll >= p->at->deadline_ms;
}

/* Whether the split sends nobody there, so that no traffic is to be waited for. */
static bool nobody_is_sent(const struct router_service *s, enum track track)
{
    bool none = !s->split.enabled || s->split.share_ppm == 0;
    return track == TRACK_CANARY && none;
}

static enum port_word judge_traffic(struct port *p, size_t i, const struct peer_view *view,
                                    struct err *why)
{
    const struct ready *ready = p->goal->ctx;
    const struct fleet_router *r = &p->fleet.router[i];
    struct base *base = &ready->base[i];
    uint64_t requests = requests_at(&r->service, view);
    uint64_t track = r->stats.track[ready->track].requests;
    if (!base->has || requests < base->requests || track < base->track) { /* or it restarted */
        *base = (struct base){.has = true,
                              .at_ms = clock_mono_ms(),
                              .requests = requests,
                              .track = track,
                              .asked_at_ms = base->asked_at_ms};
    }
    uint64_t others = track - base->track;
    base->others = others;
    base->unproved = false;
    if (requests > base->requests) {
        return PORT_HOLDS;
    }
    if (port_is_left_out(port_part(&r->service, view), others)) {
        (void) err_set(why, ERR_TIMEOUT,
                       "%llu requests went to %s since it is ready, and none to it",
                       (unsigned long long) others, track_name[ready->track]);
        return PORT_WAIT;
    }
    if (nobody_is_sent(&r->service, ready->track) || window_is_over(p, base)) {
        base->unproved = true;
        return PORT_HOLDS;
    }
    (void) err_set(why, ERR_TIMEOUT, "it has had no request yet");
    return PORT_WAIT;
}

static enum port_word judge_ready(struct port *p, size_t i, struct err *why)
{
    const struct ready *ready = p->goal->ctx;
    const struct router_service *s = &p->fleet.router[i].service;
    struct peer_view view = {0};
    if (port_find(p, i, &view, why) == PORT_NEVER) {
        return PORT_NEVER;
    }
    struct base *base = &ready->base[i];
    if (base->asked_at_ms == 0) {
        base->asked_at_ms = fleet_clock(&p->fleet.router[i]);
    }
    if (view.state != ROUTER_READY && !p->row[i].shown) {
        const struct router_peer *stale = not_fresh(s, &view, base->asked_at_ms);
        if (stale != NULL) {
            return wait_for_check(stale, why);
        }
    }
    if (view.state != ROUTER_READY || view.track != ready->track) {
        return say_ready(p, i, &view, why);
    }
    p->row[i].shown = true;
    const struct router_peer *failing = not_passing(s, &view);
    if (failing != NULL) {
        base->has = false;
        return wait_for_check(failing, why);
    }
    if (view.peer == NULL) {
        (void) err_set(why, ERR_TIMEOUT, "%s has no address yet", p->ref.address);
        return PORT_WAIT;
    }
    return judge_traffic(p, i, &view, why);
}

static void tell_unproved(const struct port *p, const struct ready *ready)
{
    for (size_t i = 0; i < p->fleet.len; i++) {
        const struct fleet_router *r = &p->fleet.router[i];
        const struct base *base = &ready->base[i];
        if (base->unproved) {
            const char *track = track_name[ready->track];
            port_tell(p,
                      "router %s: %s is ready on %s, not proved by traffic: %llu request%s to %s "
                      "since, none to it%s",
                      r->at.name, p->ref.address, track, (unsigned long long) base->others,
                      base->others == 1 ? "" : "s", track,
                      nobody_is_sent(&r->service, ready->track) ? "; the split sends nobody there"
                                                                : "");
        }
    }
}

int port_ready(const struct port_routers *at, const char *address, enum track track,
               struct err *err)
{
    struct port p;
    int code = port_open(&p, at, address, err);
    if (code == 0) {
        struct ready ready = {.track = track, .base = mem_array(at->n, sizeof *ready.base)};
        struct port_goal goal = {.what = "not proved ready",
                                 .judge = judge_ready,
                                 .ctx = &ready,
                                 .changes = true,
                                 .stats = true};
        code = port_prove(&p, &goal, err);
        if (code == 0) {
            tell_unproved(&p, &ready);
        }
        mem_free(ready.base);
    }
    port_close(&p);
    return code;
}
