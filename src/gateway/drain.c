/* Proves drains; see drain.h. */
#include "gateway/drain.h"

#include "base/clock.h"
#include "gateway/fleet_int.h"

#define POLL_MS        200
#define READINGS       2  /* that prove it */
#define NAME_ADDRESSES 16 /* of one name, whose requests are listed */

struct drain {
    struct fleet *fleet;
    const struct peer_ref *ref;
    size_t n;
    uint64_t deadline_ms;
    struct fleet_result *result;
};

static struct fleet_result *row_of(const struct drain *d, size_t router)
{
    return &d->result[router * d->n];
}

static bool waits_for(const struct drain *d, size_t router)
{
    for (size_t k = 0; k < d->n; k++) {
        if (row_of(d, router)[k].pending) {
            return true;
        }
    }
    return false;
}

void fleet_drain_judge(const struct fleet_router *r, const struct peer_ref *ref,
                       struct fleet_result *result)
{
    struct peer_view view = {0};
    struct err *why = &result->why;
    enum peer_match match = peers_find(&r->service, ref, &view);
    if (match != PEER_FOUND || view.state != ROUTER_DRAINING) {
        result->pending = false;
        result->outcome = FLEET_REFUSED;
        (void) err_set(why, ERR_CONFLICT, "somebody else %s it meanwhile",
                       match != PEER_FOUND          ? "removed"
                       : view.state == ROUTER_READY ? "ended the drain of"
                                                    : "took down");
        return;
    }
    if (view.in_flight > 0) {
        result->clear = 0;
        (void) err_set(why, ERR_TIMEOUT, "%llu in flight", (unsigned long long) view.in_flight);
    } else if (r->status.upgrading) {
        result->clear = 0;
        (void) err_set(why, ERR_TIMEOUT,
                       "nginx is being upgraded: what the other master has in flight is not known");
    } else if (++result->clear < READINGS) {
        (void) err_set(why, ERR_TIMEOUT, "nothing was in flight, but that was read once only");
    } else {
        result->pending = false;
        result->outcome = FLEET_PROVED;
        *why = (struct err){0};
    }
}

static void judge_router(const struct drain *d, size_t i)
{
    const struct fleet_router *r = &d->fleet->router[i];
    for (size_t k = 0; k < d->n; k++) {
        struct fleet_result *result = &row_of(d, i)[k];
        if (result->pending && r->err.code != 0) {
            result->clear = 0;
            result->why = r->err;
        } else if (result->pending) {
            fleet_drain_judge(r, &d->ref[k], result);
        }
    }
}

/* Reads status, then service of the routers that are waited for.  Returns whether any still is. */
static bool read_round(const struct drain *d)
{
    struct fleet *fleet = d->fleet;
    bool waits[FLEET_MAX] = {false}, again = false;
    for (size_t i = 0; i < fleet->len; i++) {
        waits[i] = waits_for(d, i);
        if (waits[i]) {
            fleet_start_status(&fleet->router[i], NULL);
        }
    }
    fleet_settle_until(fleet, fleet_grace(d->deadline_ms));
    for (size_t i = 0; i < fleet->len; i++) {
        if (waits[i] && fleet->router[i].err.code == 0) {
            fleet_start_read(&fleet->router[i], NULL);
        }
    }
    fleet_settle_until(fleet, fleet_grace(d->deadline_ms));
    for (size_t i = 0; i < fleet->len; i++) {
        if (waits[i]) {
            judge_router(d, i);
            again = again || waits_for(d, i);
        }
    }
    return again;
}

void fleet_drain(struct fleet *fleet, const struct peer_ref *ref, size_t n, uint64_t deadline_ms,
                 void (*round)(void *ctx), void *ctx, struct fleet_result *result)
{
    struct drain d = {
        .fleet = fleet, .ref = ref, .n = n, .deadline_ms = deadline_ms, .result = result};
    for (size_t i = 0; i < fleet->len * n; i++) {
        result[i].pending = result[i].outcome == FLEET_PROVED;
        result[i].clear = 0;
        if (result[i].pending) {
            result[i].outcome = FLEET_NOT_PROVED;
        }
    }
    while (read_round(&d)) {
        if (fleet_interrupted(fleet) || clock_mono_ms() >= deadline_ms) {
            break;
        }
        if (round != NULL) {
            round(ctx);
        }
        fleet_pause(fleet, POLL_MS);
    }
    for (size_t i = 0; i < fleet->len * n && fleet_interrupted(fleet); i++) {
        if (result[i].pending) {
            (void) err_set(&result[i].why, ERR_CANCELLED, "interrupted");
        }
    }
}

/* --- requests --- */

/* Starts a reading of the peer's requests; false when the ref has no m-th peer there. */
static bool start_detail(struct fleet_router *r, const struct peer_ref *ref, size_t m)
{
    struct peer_view view = {0};
    const struct router_peer *p = NULL;
    size_t at = 0;
    if (r->err.code != 0 || peers_find(&r->service, ref, &view) != PEER_FOUND) {
        return false;
    }
    for (size_t i = 0; i <= m; i++) {
        p = peers_next(&r->service, &view, &at);
    }
    if (p == NULL) {
        return false;
    }
    char path[2048];
    struct buf b;
    struct peer_ref one = {.address = p->address, .has_track = true, .track = p->track};
    buf_init_fixed(&b, path, sizeof path);
    peers_path(r->fleet, &one, &b);
    fleet_start_call(r, CALL_DETAIL, "GET", path, (struct str){NULL, 0}, NULL);
    return true;
}

static void add_requests(const struct router_detail *d, struct drain_requests *ret)
{
    for (size_t i = 0; i < d->nactive; i++) {
        vec_push(&ret->active, d->active[i]);
    }
    for (size_t i = 0; i < d->ncut; i++) {
        if (d->peer.has_drain && d->cut[i].at_ms >= d->peer.drain.since_ms) {
            vec_push(&ret->cut, d->cut[i]);
        }
    }
    ret->more += d->more;
}

/* The m-th peer of a ref at all routers. Returns whether any has one. */
static bool read_details(struct fleet *fleet, const struct peer_ref *ref, size_t m,
                         uint64_t deadline_ms, struct drain_requests *ret, size_t stride)
{
    bool asked[FLEET_MAX] = {false}, any = false;
    for (size_t i = 0; i < fleet->len; i++) {
        asked[i] = start_detail(&fleet->router[i], ref, m);
        any = any || asked[i];
    }
    fleet_settle_until(fleet, fleet_grace(deadline_ms));
    for (size_t i = 0; i < fleet->len; i++) {
        struct fleet_router *r = &fleet->router[i];
        if (asked[i] && r->err.code == 0) {
            add_requests(&r->detail, &ret[i * stride]);
        } else if (asked[i]) {
            r->err = (struct err){0}; /* the reading of the service holds; only the list is short */
        }
    }
    return any;
}

void fleet_read_requests(struct fleet *fleet, const struct peer_ref *ref, size_t n,
                         uint64_t deadline_ms, struct drain_requests *ret)
{
    for (size_t k = 0; k < n; k++) {
        for (size_t m = 0; m < NAME_ADDRESSES; m++) {
            if (!read_details(fleet, &ref[k], m, deadline_ms, &ret[k], n)) {
                break;
            }
        }
    }
}

void drain_requests_done(struct drain_requests *list)
{
    vec_done(&list->active);
    vec_done(&list->cut);
}
