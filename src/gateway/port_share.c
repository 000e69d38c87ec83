/* The split and what bears it; see port.h. */
#include "gateway/port_int.h"

#include "base/clock.h"
#include "base/num.h"

#include <stdio.h>
#include <string.h>

#define AGAIN_MS 200

/* --- capacity --- */

static bool is_of_view(const struct router_service *s, const struct peer_view *view,
                       const struct router_peer *peer)
{
    const struct router_peer *each;
    for (size_t at = 0; (each = peers_next(s, view, &at)) != NULL;) {
        if (each == peer) {
            return true;
        }
    }
    return false;
}

/* Of one router. */
static void count(const struct router_service *s, const struct peer_view *view, const char *dc,
                  struct port_capacity *ret)
{
    for (size_t i = 0; i < s->npeers; i++) {
        const struct router_peer *peer = &s->peer[i];
        if (!peers_is_live(peer)) {
            continue;
        }
        ret->weight[peer->track] += peer->weight;
        if (view != NULL && is_of_view(s, view, peer)) {
            continue;
        }
        ret->weight_without[peer->track] += peer->weight;
        if (view != NULL && (dc == NULL || strcmp(peer->dc, dc) == 0)) {
            ret->both_dc_without++;
            ret->peers_dc_without += peer->track == view->track;
        }
    }
}

static void keep_least(uint64_t *least, uint64_t value, bool first)
{
    *least = first || value < *least ? value : *least;
}

void port_capacity_add(const struct router_service *s, const struct peer_view *view, const char *dc,
                       bool first, struct port_capacity *all)
{
    struct port_capacity one = {0};
    count(s, view, dc, &one);
    for (int t = 0; t < TRACKS; t++) {
        keep_least(&all->weight[t], one.weight[t], first);
        keep_least(&all->weight_without[t], one.weight_without[t], first);
    }
    keep_least(&all->peers_dc_without, one.peers_dc_without, first);
    keep_least(&all->both_dc_without, one.both_dc_without, first);
    all->known = view != NULL && (first || all->known);
    all->somewhere = view != NULL || (!first && all->somewhere);
    all->track = view != NULL ? view->track : all->track;
}

static int add_router(const struct port *p, size_t i, const char *dc, struct port_capacity *all,
                      struct err *err)
{
    const struct fleet_router *r = &p->fleet.router[i];
    struct peer_view view = {0};
    bool has = false;
    if (p->ref.address != NULL) {
        struct err why = {0};
        has = port_find(p, i, &view, &why) == PORT_HOLDS;
        if (!has && why.code != ERR_NOT_FOUND) {
            *err = why;
            return err_wrap(err, "router %s", r->at.name);
        }
    }
    if (has && all->somewhere && view.track != all->track) {
        return err_set(err, ERR_CONFLICT, "router %s: %s is a peer of %s there, of %s at another",
                       r->at.name, p->ref.address, track_name[view.track], track_name[all->track]);
    }
    port_capacity_add(&r->service, has ? &view : NULL, dc, i == 0, all);
    return 0;
}

int port_capacity(const struct port_routers *at, const char *address, const char *dc,
                  struct port_capacity *ret, struct err *err)
{
    struct port p;
    struct port_capacity all = {0};
    int code = port_open(&p, at, address, err);
    code = code != 0 ? code : port_read(&p, false, err);
    for (size_t i = 0; i < at->n && code == 0; i++) {
        code = add_router(&p, i, dc, &all, err);
    }
    if (code == 0) {
        *ret = all;
    }
    port_close(&p);
    return code;
}

/* --- share --- */

/* No router was said anything: a raise that waits for one that is away. */
static bool waits_for_router(const struct port *p, int code)
{
    for (size_t i = 0; i < p->fleet.len; i++) {
        if (p->fleet.router[i].outcome != FLEET_UNTOUCHED) {
            return false;
        }
    }
    return code == ERR_UNREACHABLE;
}

/* A lowering ends at the deadline while a router is silent: that one is the reason. */
static int name_silent(const struct port *p, int code, struct err *err)
{
    for (size_t i = 0; i < p->fleet.len && code == ERR_TIMEOUT; i++) {
        const struct fleet_router *r = &p->fleet.router[i];
        if (r->outcome == FLEET_NOT_PROVED && r->why.code == ERR_TIMEOUT) {
            return err_set(err, ERR_UNREACHABLE, "router %s: not proved: no answer", r->at.name);
        }
    }
    return code;
}

/* A share behind a switch that somebody turned off sends nobody to the canary. */
static int check_enabled(const struct port *p, uint32_t share_ppm, struct err *err)
{
    for (size_t i = 0; i < p->fleet.len && share_ppm > 0; i++) {
        const struct fleet_router *r = &p->fleet.router[i];
        if (!r->service.split.enabled) {
            return err_set(err, ERR_CONFLICT,
                           "router %s: the split is disabled, so nobody is on the canary whatever "
                           "the share is: \"pourover router enable\" ends that",
                           r->at.name);
        }
    }
    return 0;
}

int port_share(const struct port_routers *at, uint32_t share_ppm, const char *salt, struct err *err)
{
    struct port p;
    struct router_patch patch = {
        .has_share = true, .share_ppm = share_ppm, .has_salt = salt != NULL};
    int length = snprintf(patch.salt, sizeof patch.salt, "%s", salt != NULL ? salt : "");
    if (share_ppm > NUM_PPM_MAX || length >= (int) sizeof patch.salt) {
        return err_set(err, ERR_INVALID, "a share of %u ppm with the salt \"%s\" cannot be",
                       share_ppm, salt != NULL ? salt : "");
    }
    int code = port_open(&p, at, NULL, err);
    if (code == 0) {
        code = fleet_change(&p.fleet, &patch, at->deadline_ms, err);
        while (waits_for_router(&p, code) && !port_cancelled(&p) &&
               clock_mono_ms() < at->deadline_ms) {
            fleet_pause(&p.fleet, AGAIN_MS);
            code = fleet_change(&p.fleet, &patch, at->deadline_ms, err);
        }
        if (waits_for_router(&p, code) && port_cancelled(&p)) {
            code = err_set(err, ERR_CANCELLED, "cancelled: not raised");
        }
        code = name_silent(&p, code, err);
        code = code != 0 ? code : check_enabled(&p, share_ppm, err);
    }
    port_close(&p);
    return code;
}

int port_split(const struct port_routers *at, struct router_split *ret, struct err *err)
{
    struct port p;
    int code = port_open(&p, at, NULL, err);
    code = code != 0 ? code : port_read(&p, false, err);
    code = code != 0 ? code : fleet_agree(&p.fleet, err);
    if (code == 0) {
        *ret = p.fleet.router[0].service.split;
    }
    port_close(&p);
    return code;
}
