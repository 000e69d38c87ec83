
/*
 * Names whose addresses are peers: "pourover_server NAME resolve".  The worker
 * that holds the lease asks nginx's resolver, again when an answer's validity
 * ends, and merges what it says into the zone (traffic/resolve.h).
 *
 * A query goes on when the lease is lost meanwhile; what it brings is dropped
 * then.  It keeps no worker that shuts down: its timer is cancelable and the
 * resolver's connections are known to nginx as such.
 *
 * Requests that come before the first answer of all wait for it: for some
 * milliseconds after a start, and while a binary upgrade has two masters.
 */

#include "ngx_http_pourover_resolve.h"

#include "base/clock.h"
#include "traffic/resolve.h"


#define NGX_HTTP_POUROVER_RESOLVE_AT_ONCE  32     /* queries begun in a tick */
#define NGX_HTTP_POUROVER_RESOLVE_TIMEOUT  5000   /* ms; nginx asks anew then */
#define NGX_HTTP_POUROVER_RESOLVE_AGAIN    1000   /* ms; after a failure */
#define NGX_HTTP_POUROVER_RESOLVE_LONGEST  10000  /* ms; after many */
#define NGX_HTTP_POUROVER_RESOLVE_WAIT     1000   /* ms; of a request */
#define NGX_HTTP_POUROVER_RESOLVE_LOOK     10     /* ms; how often it looks */


/* a name that is resolved again and again */

typedef struct {
    ngx_http_pourover_service_t   *service;
    ngx_http_pourover_peer_t      *peer;

    /* in the worker that does so */
    ngx_uint_t                     asked;         /* an answer is awaited */
    uint64_t                       lease;         /* ... under this number */
    uint64_t                       next_ms;       /* CLOCK_MONOTONIC */
    ngx_uint_t                     failed;        /* times in a row */
} ngx_http_pourover_name_t;


/* an answer's addresses with their ports, as resolve_answer_locked() takes
 * them */

typedef struct {
    struct resolve_address        *address;
    ngx_sockaddr_t                *sockaddr;
    u_char                        *text;
    ngx_uint_t                     count;
} ngx_http_pourover_answer_t;


ngx_int_t
ngx_http_pourover_resolve_check(ngx_conf_t *cf)
{
    ngx_uint_t                       i, j;
    ngx_http_pourover_peer_t        *peer;
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_pourover_name_t        *name;
    ngx_http_pourover_service_t    **ps;
    ngx_http_pourover_main_conf_t   *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pourover_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    ps = pmcf->services.elts;
    pmcf->clcf = clcf;

    if (ngx_array_init(&pmcf->names, cf->pool, 4,
                       sizeof(ngx_http_pourover_name_t)) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < pmcf->services.nelts; i++) {
        peer = ps[i]->peers.elts;

        for (j = 0; j < ps[i]->peers.nelts; j++) {

            if (!peer[j].spec.is_name) {
                continue;
            }

            if (clcf->resolver == NULL
                || clcf->resolver->connections.nelts == 0)
            {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "upstream \"%V\": there is no resolver for "
                              "\"%*s\"; write \"resolver ADDRESS valid=5s;\" "
                              "into the http block (127.0.0.11 in Docker) in "
                              "%s:%ui", &ps[i]->name, peer[j].spec.address.len,
                              peer[j].spec.address.ptr, ps[i]->file_name,
                              ps[i]->line);
                return NGX_ERROR;
            }

            name = ngx_array_push(&pmcf->names);
            if (name == NULL) {
                return NGX_ERROR;
            }

            ngx_memzero(name, sizeof(ngx_http_pourover_name_t));
            name->service = ps[i];
            name->peer = &peer[j];
        }
    }

    return NGX_OK;
}


static int
ngx_http_pourover_resolve_slot(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_name_t *name)
{
    return resolve_find(pz->zone, name->service->service,
                        name->peer->spec.address, name->peer->spec.track);
}


/* when it is asked again: 1, 2, 4 ... 10 s after failures in a row */

static void
ngx_http_pourover_resolve_later(ngx_http_pourover_name_t *name, time_t valid)
{
    uint64_t     ms;
    ngx_time_t  *tp;

    if (name->failed) {
        ms = NGX_HTTP_POUROVER_RESOLVE_AGAIN << ngx_min(name->failed - 1, 8);
        ms = ngx_min(ms, NGX_HTTP_POUROVER_RESOLVE_LONGEST);

    } else {
        /* the resolver answers from its cache while it is that second */
        tp = ngx_timeofday();
        ms = valid < tp->sec
             ? 0 : (uint64_t) (valid + 1 - tp->sec) * 1000 - tp->msec;
        ms = ngx_max(ms, NGX_HTTP_POUROVER_RESOLVE_AGAIN);
    }

    name->next_ms = clock_mono_ms() + ms;
}


static void
ngx_http_pourover_resolve_tell(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_name_t *name, ngx_uint_t level, struct str what)
{
    ngx_log_error(level, pz->log, 0, "upstream \"%V\": \"%*s\": %*s",
                  &name->service->name, name->peer->spec.address.len,
                  name->peer->spec.address.ptr, what.len, what.ptr);
}


static void
ngx_http_pourover_resolve_failed(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_name_t *name, const char *why)
{
    int         slot;
    bool        told;
    char        text[ZONE_TEXT_MAX];
    struct str  error;

    error.ptr = text;
    error.len = ngx_snprintf((u_char *) text, sizeof(text),
                             "the resolver failed: %s; the last addresses stay",
                             why)
                - (u_char *) text;

    name->failed++;
    ngx_http_pourover_resolve_later(name, 0);

    ngx_shmtx_lock(&pz->shpool->mutex);

    slot = ngx_http_pourover_resolve_slot(pz, name);
    told = slot >= 0
           && resolve_failed_locked(pz->zone, name->service->service,
                                    (unsigned) slot, error);

    ngx_shmtx_unlock(&pz->shpool->mutex);

    if (told) {
        ngx_http_pourover_resolve_tell(pz, name, NGX_LOG_WARN, error);
    }
}


static ngx_int_t
ngx_http_pourover_resolve_copy(ngx_resolver_ctx_t *ctx, in_port_t port,
    ngx_log_t *log, ngx_http_pourover_answer_t *answer)
{
    size_t            each;
    u_char           *p;
    ngx_uint_t        i;
    struct sockaddr  *sa;

    ngx_memzero(answer, sizeof(ngx_http_pourover_answer_t));

    if (ctx->state == NGX_RESOLVE_NXDOMAIN) {
        return NGX_OK;
    }

    each = sizeof(struct resolve_address) + sizeof(ngx_sockaddr_t)
           + NGX_SOCKADDR_STRLEN;

    p = ngx_calloc(ctx->naddrs * each, log);
    if (p == NULL) {
        return NGX_ERROR;
    }

    answer->count = ctx->naddrs;
    answer->address = (void *) p;
    answer->sockaddr = (void *) (answer->address + ctx->naddrs);
    answer->text = (void *) (answer->sockaddr + ctx->naddrs);

    for (i = 0; i < ctx->naddrs; i++) {
        sa = &answer->sockaddr[i].sockaddr;
        ngx_memcpy(sa, ctx->addrs[i].sockaddr, ctx->addrs[i].socklen);
        ngx_inet_set_port(sa, port);

        p = answer->text + i * NGX_SOCKADDR_STRLEN;

        answer->address[i].sockaddr = sa;
        answer->address[i].sockaddr_len = ctx->addrs[i].socklen;
        answer->address[i].text.ptr = (char *) p;
        answer->address[i].text.len = ngx_sock_ntop(sa, ctx->addrs[i].socklen,
                                                    p, NGX_SOCKADDR_STRLEN, 1);
    }

    return NGX_OK;
}


static void
ngx_http_pourover_resolve_merge(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_name_t *name, ngx_http_pourover_answer_t *answer)
{
    int                    slot;
    char                   text[ZONE_TEXT_MAX];
    struct str             error;
    const struct peer     *peer;
    struct resolve_now     now;
    struct resolve_change  change;

    now = (struct resolve_now) { clock_mono_ms(), clock_wall_ms() };

    ngx_shmtx_lock(&pz->shpool->mutex);

    slot = ngx_http_pourover_resolve_slot(pz, name);

    if (slot < 0) {
        ngx_shmtx_unlock(&pz->shpool->mutex);
        return;
    }

    change = resolve_answer_locked(pz->zone, name->service->service,
                                   (unsigned) slot, answer->address,
                                   answer->count, now);

    peer = zone_peer(pz->zone, name->service->service, (unsigned) slot);
    error = (struct str) { text, atomic_load(&peer->error_len) };
    ngx_memcpy(text, peer->error, error.len);

    ngx_shmtx_unlock(&pz->shpool->mutex);

    if (change.added || change.removed) {
        ngx_log_error(NGX_LOG_NOTICE, pz->log, 0,
                      "upstream \"%V\": of \"%*s\" %ud addresses came, %ud "
                      "went", &name->service->name,
                      name->peer->spec.address.len,
                      name->peer->spec.address.ptr, change.added,
                      change.removed);
    }

    if (change.told && error.len) {
        ngx_http_pourover_resolve_tell(pz, name, NGX_LOG_WARN, error);

    } else if (change.told) {
        ngx_http_pourover_resolve_tell(pz, name, NGX_LOG_NOTICE,
                                       STR("is resolved again"));
    }
}


static void
ngx_http_pourover_resolved(ngx_resolver_ctx_t *ctx)
{
    ngx_http_pourover_zone_t    *pz;
    ngx_http_pourover_name_t    *name;
    ngx_http_pourover_answer_t   answer;

    pz = ngx_http_pourover_zone_of((ngx_cycle_t *) ngx_cycle);
    name = ctx->data;
    name->asked = 0;

    if (pz == NULL || ngx_exiting
        || atomic_load(&pz->zone->lease_pid) != ngx_pid
        || atomic_load(&pz->zone->lease_number) != name->lease)
    {
        ngx_resolve_name_done(ctx);
        return;
    }

    if (ctx->state && ctx->state != NGX_RESOLVE_NXDOMAIN) {
        ngx_http_pourover_resolve_failed(pz, name,
                                         ngx_resolver_strerror(ctx->state));

    } else if (ngx_http_pourover_resolve_copy(ctx, name->peer->port, pz->log,
                                              &answer)
               != NGX_OK)
    {
        ngx_http_pourover_resolve_failed(pz, name, "no memory");

    } else {
        name->failed = answer.count ? 0 : name->failed + 1;
        ngx_http_pourover_resolve_later(name, ctx->valid);
        ngx_http_pourover_resolve_merge(pz, name, &answer);

        if (answer.address) {
            ngx_free(answer.address);
        }
    }

    ngx_resolve_name_done(ctx);
}


static void
ngx_http_pourover_resolve_ask(ngx_http_pourover_zone_t *pz,
    ngx_http_core_loc_conf_t *clcf, ngx_http_pourover_name_t *name)
{
    ngx_resolver_ctx_t  *ctx;

    if (ngx_http_pourover_resolve_slot(pz, name) < 0) {
        /* a command removed it, and may bring it back */
        name->next_ms = clock_mono_ms() + NGX_HTTP_POUROVER_RESOLVE_AGAIN;
        return;
    }

    ctx = ngx_resolve_start(clcf->resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        ngx_http_pourover_resolve_failed(pz, name, "no memory");
        return;
    }

    ctx->name.len = name->peer->spec.name.len;
    ctx->name.data = (u_char *) name->peer->spec.name.ptr;
    ctx->handler = ngx_http_pourover_resolved;
    ctx->data = name;
    ctx->timeout = ngx_min(clcf->resolver_timeout,
                           NGX_HTTP_POUROVER_RESOLVE_TIMEOUT);
    ctx->cancelable = 1;

    name->asked = 1;
    name->lease = atomic_load(&pz->zone->lease_number);

    if (ngx_resolve_name(ctx) != NGX_OK) {
        name->asked = 0;
        ngx_http_pourover_resolve_failed(pz, name, "it cannot be asked");
    }
}


void
ngx_http_pourover_resolve_tick(ngx_http_pourover_zone_t *pz)
{
    uint64_t                        now;
    ngx_uint_t                      i, asked;
    ngx_http_pourover_name_t       *name;
    ngx_http_pourover_main_conf_t  *pmcf;

    pmcf = ngx_http_pourover_main_of((ngx_cycle_t *) ngx_cycle);
    name = pmcf->names.elts;
    now = clock_mono_ms();
    asked = 0;

    for (i = 0; i < pmcf->names.nelts; i++) {

        if (name[i].asked || now < name[i].next_ms
            || name[i].service->service == NULL)
        {
            continue;
        }

        ngx_http_pourover_resolve_ask(pz, pmcf->clcf, &name[i]);

        if (++asked == NGX_HTTP_POUROVER_RESOLVE_AT_ONCE) {
            break;
        }
    }
}


/* a request may be looked at again */

static void
ngx_http_pourover_resolve_wake(ngx_http_request_t *r)
{
    ngx_event_t  *wev;

    wev = r->connection->write;

    if (wev->delayed) {

        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }

        return;
    }

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_core_run_phases;

    ngx_http_core_run_phases(r);
}


ngx_int_t
ngx_http_pourover_resolve_wait(ngx_http_request_t *r,
    ngx_http_pourover_service_t *ps)
{
    ngx_time_t                *tp;
    ngx_http_pourover_zone_t  *pz;

    if (zone_level(ps->service, TRACK_STABLE) != LEVEL_NONE || r != r->main) {
        return NGX_DECLINED;
    }

    pz = ngx_http_pourover_zone_of((ngx_cycle_t *) ngx_cycle);
    tp = ngx_timeofday();

    if (!resolve_awaited(pz->zone, ps->service)
        || (tp->sec - r->start_sec) * 1000 + (time_t) tp->msec
           - (time_t) r->start_msec >= NGX_HTTP_POUROVER_RESOLVE_WAIT)
    {
        return NGX_DECLINED;
    }

    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_pourover_resolve_wake;
    r->connection->write->delayed = 1;
    ngx_add_timer(r->connection->write, NGX_HTTP_POUROVER_RESOLVE_LOOK);

    return NGX_AGAIN;
}
