/* Where the service is now: all hosts and all routers, read and nothing else. */
#include "base/clock.h"
#include "base/mem.h"
#include "controller/controller_int.h"
#include "gateway/peers.h"

#include <string.h>

#define LOOK_MS 5000 /* for a host or a router to answer */

/* One reading of all routers. */
struct glance {
    struct io_loop *loop;
    struct http_client *http;
    struct fleet fleet;
};

static int glance(struct controller *c, const atomic_bool *cancelled, uint64_t deadline_ms,
                  struct glance *g, struct err *err)
{
    size_t n = c->config->routers;
    g->loop = io_loop_new();
    if (http_client_new(g->loop, &g->http, err) < 0) {
        return (int) err->code;
    }
    struct router *copy = mem_array(n, sizeof *copy);
    uint64_t now_ms = clock_mono_ms();
    for (size_t i = 0; i < n; i++) {
        copy[i] = (struct router){
            .name = mem_strdup(c->router[i].name),
            .url = mem_strdup(c->router[i].url),
            .socket = c->router[i].socket == NULL ? NULL : mem_strdup(c->router[i].socket)};
    }
    fleet_init(&g->fleet, g->loop, g->http, copy, n);
    mem_free(copy);
    g->fleet.bearer = c->bearer;
    g->fleet.interrupted = cancelled;
    g->fleet.call_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 1;
    g->fleet.call_ms = g->fleet.call_ms > LOOK_MS ? LOOK_MS : g->fleet.call_ms;
    buf_print(g->fleet.service, sizeof g->fleet.service, "%s", c->config->router_service);
    fleet_read(&g->fleet);
    return 0;
}

static void glance_done(struct glance *g)
{
    if (g->fleet.router != NULL) {
        fleet_done(&g->fleet);
    }
    http_client_free(g->http);
    io_loop_free(g->loop);
}

static void state_text(const struct router_peer *peer, char out[64])
{
    if (peer->state == ROUTER_DRAINING && peer->has_drain) {
        buf_print(out, 64, "draining by %s", peer->drain.by);
    } else if (peer->state == ROUTER_READY && peer->health == ROUTER_FAILING) {
        buf_print(out, 64, "ready, failing: %s", peer->check.text);
    } else {
        buf_print(out, 64, "%s, %s", router_state_name[peer->state],
                  router_health_name[peer->health]);
    }
}

/* What all routers that were reached say of an address; serves: ready and passing at each. */
static void peer_of(const struct fleet *fleet, const char *address, bool *ret_known,
                    bool *ret_ready, bool *ret_serves, enum release_track *ret_track, char text[64])
{
    size_t known = 0, ready = 0, serving = 0, reached = 0;
    buf_print(text, 64, "unknown");
    for (size_t i = 0; i < fleet->len; i++) {
        const struct fleet_router *r = &fleet->router[i];
        if (r->err.code != 0) {
            continue;
        }
        reached++;
        for (size_t p = 0; p < r->service.npeers; p++) {
            const struct router_peer *peer = &r->service.peer[p];
            if (strcmp(peer->address, address) != 0) {
                continue;
            }
            bool serves = peer->state == ROUTER_READY && peer->health != ROUTER_FAILING;
            known++;
            serving += serves;
            ready += peer->state == ROUTER_READY;
            *ret_track = peer->track == TRACK_CANARY ? RELEASE_CANARY : RELEASE_STABLE;
            if (known == 1 || !serves) {
                state_text(peer, text);
            }
            break;
        }
    }
    *ret_known = known > 0;
    *ret_ready = reached > 0 && ready == reached;
    *ret_serves = reached > 0 && serving == reached;
}

int controller_peer(struct controller *c, const char *address, const atomic_bool *cancelled,
                    uint64_t deadline_ms, bool *ret_serves, enum release_track *ret_track,
                    char text[64], struct err *err)
{
    struct glance g = {0};
    bool known, ready;
    int rc = glance(c, cancelled, deadline_ms, &g, err);
    for (size_t i = 0; rc == 0 && i < g.fleet.len; i++) {
        if (g.fleet.router[i].err.code != 0) {
            *err = g.fleet.router[i].err;
            (void) err_wrap(err, "router %s", g.fleet.router[i].at.name);
            rc = (int) err->code;
        }
    }
    if (rc == 0) {
        peer_of(&g.fleet, address, &known, &ready, ret_serves, ret_track, text);
    }
    glance_done(&g);
    return rc;
}

static void look_at_routers(struct controller *c, struct controller_look *ret)
{
    struct glance g = {0};
    struct err err = {0};
    ret->routers = c->config->routers;
    if (glance(c, NULL, clock_mono_ms() + LOOK_MS, &g, &err) < 0) {
        buf_print(ret->routers_error, sizeof ret->routers_error, "%s", err.msg);
        glance_done(&g);
        return;
    }
    for (size_t i = 0; i < g.fleet.len; i++) {
        const struct fleet_router *r = &g.fleet.router[i];
        if (r->err.code != 0) {
            buf_print(ret->routers_error, sizeof ret->routers_error, "router %s: %.400s",
                      r->at.name, r->err.msg);
            continue;
        }
        ret->routers_reached++;
        bool higher = !ret->has_split || r->service.split.share_ppm > ret->share_ppm;
        if (higher) {
            ret->share_ppm = r->service.split.share_ppm;
            ret->enabled = r->service.split.enabled;
            memcpy(ret->salt, r->service.split.salt, sizeof ret->salt);
        }
        ret->has_split = true;
    }
    for (int h = 0; h < (int) c->config->hosts; h++) {
        for (int s = 0; s < RELEASE_SLOTS; s++) {
            char address[256];
            if (controller_address(c, h, (enum release_slot) s, address, &err) == 0) {
                struct controller_place *p = &ret->host[h];
                peer_of(&g.fleet, address, &p->known[s], &p->ready[s], &p->serves[s], &p->track[s],
                        p->state[s]);
            }
        }
    }
    glance_done(&g);
}

static void look_at_host(struct controller *c, int host, struct controller_place *ret)
{
    struct err err = {0};
    struct buf told;
    buf_init(&told, TOLD_BYTES);
    struct driver_place place =
        controller_place_of(c, host, RELEASE_SLOT_A, RELEASE_NEW, NULL, &told);
    place.deadline_ms = clock_mono_ms() + LOOK_MS;
    ret->reached = c->driver->observe(&place, &ret->seen, &err) == 0;
    if (!ret->reached) {
        buf_print(ret->error, sizeof ret->error, "%s", err.msg);
    } else if (c->driver->lease_read(&place, ret->lease, &ret->lease_left_ms, &err) < 0) {
        ret->lease[0] = '\0';
    } else if (controller_owner_is_dead(ret->lease)) {
        ret->lease_left_ms = 0;
    }
    buf_done(&told);
}

void controller_look(struct controller *c, struct controller_look *ret)
{
    memset(ret, 0, sizeof *ret);
    for (int h = 0; h < (int) c->config->hosts; h++) {
        look_at_host(c, h, &ret->host[h]);
    }
    look_at_routers(c, ret);
}
