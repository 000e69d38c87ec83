/* Routers in parallel: rounds of calls, the choice of the service, who agrees with whom. */
#include "gateway/fleet_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"

#include <string.h>

void fleet_init(struct fleet *fleet, struct io_loop *loop, struct http_client *http,
                struct router *take_router, size_t n)
{
    *fleet = (struct fleet){.loop = loop, .http = http, .call_ms = 5000, .len = n};
    fleet->router = mem_array(n + 1, sizeof *fleet->router);
    for (size_t i = 0; i < n; i++) {
        fleet->router[i].at = take_router[i];
        fleet->router[i].fleet = fleet;
    }
}

void fleet_done(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->len; i++) {
        router_done(&fleet->router[i].at);
        router_service_done(&fleet->router[i].service);
        router_stats_done(&fleet->router[i].stats);
        router_detail_done(&fleet->router[i].detail);
        router_events_done(&fleet->router[i].events);
    }
    mem_free(fleet->router);
    *fleet = (struct fleet){0};
}

bool fleet_interrupted(const struct fleet *fleet)
{
    return fleet->interrupted != NULL && atomic_load(fleet->interrupted);
}

int fleet_blame(const struct fleet_router *r, struct err *err)
{
    *err = r->err;
    return err_wrap(err, "router %s", r->at.name);
}

static int take_service(struct fleet_router *r, struct str body)
{
    struct router_service fresh = {0};
    int code = router_parse_service(body, &fresh, &r->err);
    if (code == 0) {
        router_service_done(&r->service);
        r->service = fresh;
        r->has_read = true;
    }
    return code;
}

static int take_stats(struct fleet_router *r, struct str body)
{
    struct router_stats fresh = {0};
    int code = router_parse_stats(body, &fresh, &r->err);
    if (code == 0) {
        router_stats_done(&r->stats);
        r->stats = fresh;
    }
    return code;
}

static int take_status(struct fleet_router *r, struct str body)
{
    int code = router_parse_status(body, &r->status, &r->err);
    if (code == 0 && r->status.now_ms > 0) {
        r->ahead_ms = (int64_t) (r->status.now_ms - clock_wall_ms());
    }
    return code;
}

static int take_detail(struct fleet_router *r, struct str body)
{
    struct router_detail fresh = {0};
    int code = router_parse_detail(body, &fresh, &r->err);
    if (code == 0) {
        router_detail_done(&r->detail);
        r->detail = fresh;
    }
    return code;
}

static int take_events(struct fleet_router *r, struct str body)
{
    struct router_events fresh = {0};
    int code = router_parse_events(body, &fresh, &r->err);
    if (code == 0) {
        router_events_done(&r->events);
        r->events = fresh;
    }
    return code;
}

static int take_answer(struct fleet_router *r, struct str body)
{
    switch ((enum call_kind) r->kind) {
    case CALL_STATUS:
        return take_status(r, body);
    case CALL_SERVICE:
        return take_service(r, body);
    case CALL_STATS:
        return take_stats(r, body);
    case CALL_TOKEN:
        return router_parse_token(body, &r->token, &r->err);
    case CALL_DETAIL:
        return take_detail(r, body);
    case CALL_EVENTS:
        return take_events(r, body);
    case CALL_CHANGE: /* what counts is what is read back, but for what is told nowhere else */
        r->flag_file_left = router_parse_flag_left(body);
        return 0;
    }
    BUG("call of unknown kind %u", r->kind);
}

static void answered(long status, struct str body, const struct err *err, void *ctx)
{
    struct fleet_router *r = ctx;
    (void) status;
    r->busy = false;
    r->err = (struct err){0};
    if (err != NULL) {
        r->err = *err;
        if (err->code == ERR_TIMEOUT || err->code == ERR_CANCELLED) {
            r->err.code = ERR_UNREACHABLE; /* for whoever calls, silence is as good as absence */
        }
    } else {
        (void) take_answer(r, body); /* tells through r->err */
    }
    if (r->then != NULL) {
        r->then(r);
    }
}

void fleet_start_call(struct fleet_router *r, enum call_kind kind, const char *method,
                      const char *path, struct str body, void (*then)(struct fleet_router *r))
{
    struct fleet *fleet = r->fleet;
    r->busy = true;
    r->kind = kind;
    r->then = then;
    r->call = router_call(fleet->http, &r->at, fleet->bearer, method, path, body, fleet->call_ms,
                          answered, r);
}

void fleet_path(const struct fleet *fleet, const char *tail, struct buf *b)
{
    buf_addf(b, "v1/services/%s%s", fleet->service, tail);
}

static void start_get(struct fleet_router *r, enum call_kind kind,
                      void (*then)(struct fleet_router *r))
{
    static const char *const tail[] = {[CALL_SERVICE] = "", [CALL_STATS] = "/stats"};
    char path[ROUTER_NAME_MAX + 32];
    struct buf b;
    buf_init_fixed(&b, path, sizeof path);
    if (kind == CALL_STATUS || kind == CALL_TOKEN) {
        buf_add_cstr(&b, kind == CALL_STATUS ? "v1/status" : "v1/verify");
    } else {
        fleet_path(r->fleet, tail[kind], &b);
    }
    fleet_start_call(r, kind, "GET", path, (struct str){NULL, 0}, then);
}

void fleet_start_read(struct fleet_router *r, void (*then)(struct fleet_router *r))
{
    start_get(r, CALL_SERVICE, then);
}

void fleet_start_status(struct fleet_router *r, void (*then)(struct fleet_router *r))
{
    start_get(r, CALL_STATUS, then);
}

void fleet_start_stats(struct fleet_router *r, void (*then)(struct fleet_router *r))
{
    start_get(r, CALL_STATS, then);
}

void fleet_start_events(struct fleet_router *r, const char *after, size_t limit)
{
    char path[ROUTER_NAME_MAX + 128];
    struct buf b;
    buf_init_fixed(&b, path, sizeof path);
    fleet_path(r->fleet, "/events", &b);
    buf_addf(&b, "?after=%s&limit=%zu", after, limit);
    fleet_start_call(r, CALL_EVENTS, "GET", path, (struct str){NULL, 0}, NULL);
}

void fleet_start_put(struct fleet_router *r, const struct router_patch *patch, uint64_t revision,
                     const uint64_t *if_revision, void (*then)(struct fleet_router *r))
{
    char text[512], path[ROUTER_NAME_MAX + 32];
    struct buf body, at;
    buf_init_fixed(&body, text, sizeof text);
    buf_init_fixed(&at, path, sizeof path);
    router_write_put(&body, patch, revision, if_revision);
    fleet_path(r->fleet, "/split", &at);
    fleet_start_call(r, CALL_CHANGE, "PUT", path, buf_str(&body), then);
}

static bool is_settled(void *ctx)
{
    const struct fleet *fleet = ctx;
    for (size_t i = 0; i < fleet->len; i++) {
        if (fleet->router[i].busy) {
            return false;
        }
    }
    return true;
}

void fleet_settle(struct fleet *fleet)
{
    /* Every call has its own deadline; twice that is for what starts a second one. */
    (void) io_loop_wait(fleet->loop, fleet->call_ms * 4, is_settled, fleet);
}

static bool is_settled_or_over(void *ctx)
{
    return is_settled(ctx) || fleet_interrupted(ctx);
}

void fleet_settle_until(struct fleet *fleet, uint64_t deadline_ms)
{
    uint64_t now = clock_mono_ms();
    (void) io_loop_wait(fleet->loop, deadline_ms > now ? deadline_ms - now : 0, is_settled_or_over,
                        fleet);
    fleet_give_up(fleet);
}

void fleet_give_up(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->len; i++) {
        struct fleet_router *r = &fleet->router[i];
        if (r->busy) {
            r->then = NULL;
            http_cancel(r->call);
            (void) err_set(&r->err, ERR_UNREACHABLE, "no answer in time");
        }
    }
}

uint64_t fleet_grace(uint64_t deadline_ms)
{
    uint64_t soon = clock_mono_ms() + 1000;
    return soon > deadline_ms ? soon : deadline_ms;
}

static bool is_over(void *ctx)
{
    return fleet_interrupted(ctx);
}

void fleet_pause(struct fleet *fleet, uint64_t ms)
{
    (void) io_loop_wait(fleet->loop, ms, is_over, fleet);
}

uint64_t fleet_clock(const struct fleet_router *r)
{
    return clock_wall_ms() + (uint64_t) r->ahead_ms;
}

static void start_all(struct fleet *fleet, enum call_kind kind)
{
    for (size_t i = 0; i < fleet->len; i++) {
        start_get(&fleet->router[i], kind, NULL);
    }
}

static void read_all(struct fleet *fleet, enum call_kind kind)
{
    start_all(fleet, kind);
    fleet_settle(fleet);
}

static bool one_is_reached(void *ctx)
{
    const struct fleet *fleet = ctx;
    for (size_t i = 0; i < fleet->len; i++) {
        if (!fleet->router[i].busy && fleet->router[i].err.code == 0) {
            return true;
        }
    }
    return is_settled(ctx);
}

void fleet_read_status_soon(struct fleet *fleet)
{
    start_all(fleet, CALL_STATUS);
    (void) io_loop_wait(fleet->loop, fleet->call_ms * 2, one_is_reached, fleet);
    (void) io_loop_wait(fleet->loop, FLEET_PATIENCE_MS, is_settled, fleet);
    for (size_t i = 0; i < fleet->len; i++) {
        if (fleet->router[i].busy) {
            http_cancel(fleet->router[i].call);
            (void) err_set(&fleet->router[i].err, ERR_UNREACHABLE, "no answer within %d ms",
                           FLEET_PATIENCE_MS);
        }
    }
}

void fleet_read_status(struct fleet *fleet)
{
    read_all(fleet, CALL_STATUS);
}

void fleet_read(struct fleet *fleet)
{
    read_all(fleet, CALL_SERVICE);
}

void fleet_read_stats(struct fleet *fleet)
{
    read_all(fleet, CALL_STATS);
}

void fleet_read_events(struct fleet *fleet, const char *const *after)
{
    for (size_t i = 0; i < fleet->len; i++) {
        if (after[i] != NULL) {
            fleet_start_events(&fleet->router[i], after[i], EVENTS_PAGE);
        }
    }
    fleet_settle_until(fleet, clock_mono_ms() + fleet->call_ms * 2);
}

void fleet_read_watch(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->len; i++) {
        fleet_start_events(&fleet->router[i], "0", 1);
    }
    fleet_settle(fleet);
}

void fleet_read_tokens(struct fleet *fleet)
{
    read_all(fleet, CALL_TOKEN);
}

/* The names of all services of the routers that were reached, each once. */
static size_t collect_names(const struct fleet *fleet, const char *name[], size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < fleet->len; i++) {
        const struct fleet_router *r = &fleet->router[i];
        for (size_t k = 0; r->err.code == 0 && k < r->status.services.len; k++) {
            size_t at = 0;
            while (at < n && strcmp(name[at], r->status.services.name[k]) != 0) {
                at++;
            }
            if (at == n && n < max) {
                name[n++] = r->status.services.name[k];
            }
        }
    }
    return n;
}

static void list_names(const char *const name[], size_t n, struct buf *b)
{
    for (size_t i = 0; i < n; i++) {
        buf_addf(b, "%s%s", i > 0 ? ", " : "", name[i]);
    }
}

static bool any_reached(const struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->len; i++) {
        if (fleet->router[i].err.code == 0) {
            return true;
        }
    }
    return false;
}

int fleet_choose_service(struct fleet *fleet, const char *wanted, struct err *err)
{
    const char *name[ROUTER_SERVICES_MAX];
    char text[384];
    struct buf list, out;
    if (!any_reached(fleet)) {
        return fleet_blame(&fleet->router[0], err);
    }
    size_t n = collect_names(fleet, name, ROUTER_SERVICES_MAX);
    buf_init_fixed(&list, text, sizeof text);
    list_names(name, n, &list);
    buf_init_fixed(&out, fleet->service, sizeof fleet->service);
    if (wanted == NULL && n == 1) {
        buf_add_cstr(&out, name[0]);
        return 0;
    }
    if (n == 0) {
        return err_set(err, ERR_INVALID,
                       "no router has a service: name one in nginx.conf by "
                       "\"pourover zone=...\" in its upstream");
    }
    if (wanted == NULL) {
        return err_set(err, ERR_INVALID, "there are %zu services: say which by --service: %s", n,
                       text);
    }
    for (size_t i = 0; i < n; i++) {
        if (strcmp(name[i], wanted) == 0) {
            buf_add_cstr(&out, wanted);
            return 0;
        }
    }
    const char *near = str_nearest(str_of(wanted), name, n);
    return err_set(err, ERR_INVALID, "--service: there is no \"%s\"%s%s%s; there is: %s", wanted,
                   near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
                   near != NULL ? "\"?" : "", text);
}

void fleet_split_text(const struct router_split *split, struct buf *b)
{
    char share[16];
    num_share_text(split->share_ppm, share);
    buf_addf(b, "%s%s, salt %s, revision %llu", share, split->enabled ? "" : " but disabled",
             split->salt, (unsigned long long) split->revision);
}

int fleet_agree(const struct fleet *fleet, struct err *err)
{
    for (size_t i = 0; i < fleet->len; i++) {
        if (fleet->router[i].err.code != 0) {
            return fleet_blame(&fleet->router[i], err);
        }
    }
    const struct fleet_router *first = &fleet->router[0];
    for (size_t i = 1; i < fleet->len; i++) {
        const struct fleet_router *r = &fleet->router[i];
        if (!router_split_equal(&first->service.split, &r->service.split)) {
            char text[400];
            struct buf b;
            buf_init_fixed(&b, text, sizeof text);
            buf_addf(&b, "%s has ", first->at.name);
            fleet_split_text(&first->service.split, &b);
            buf_addf(&b, "; %s has ", r->at.name);
            fleet_split_text(&r->service.split, &b);
            return err_set(err, ERR_CONFLICT, "the routers differ: %s", text);
        }
    }
    return 0;
}
