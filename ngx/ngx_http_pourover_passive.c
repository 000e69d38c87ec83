
/*
 * What requests tell of a peer's health: that they fail in a row, and what the
 * peer says of itself in the header of any answer.
 *
 * nginx looks each header of an upstream up in a table, so ours stand there
 * too: a request whose answer has none pays nothing.
 */

#include "ngx_http_pourover_upstream.h"

#include "base/clock.h"
#include "check/code.h"


static ngx_int_t ngx_http_pourover_told(ngx_http_request_t *r,
    ngx_table_elt_t *h, ngx_uint_t by_value);
static ngx_int_t ngx_http_pourover_hide(ngx_http_request_t *r,
    ngx_table_elt_t *h, ngx_uint_t unused);


/* Envoy obeys its header whatever the value is */

static ngx_http_upstream_header_t  ngx_http_pourover_told_headers[] = {

    { ngx_string("X-Pourover-Fail"),
      ngx_http_pourover_told, 1, ngx_http_pourover_hide, 0, 0 },

    { ngx_string("X-Envoy-Immediate-Health-Check-Fail"),
      ngx_http_pourover_told, 0, ngx_http_pourover_hide, 0, 0 },

    { ngx_null_string, NULL, 0, NULL, 0, 0 }
};


static struct peer_seen *
ngx_http_pourover_seen(ngx_http_pourover_attempt_t *pd)
{
    return &pd->chunk->peer[pd->slot % ZONE_CHUNK_PEERS].seen;
}


/* the peer's word, if it is still the one that was chosen; else 0 */

static uint32_t
ngx_http_pourover_meta(ngx_http_pourover_attempt_t *pd)
{
    uint32_t  meta;

    meta = atomic_load(&pd->chunk->meta[pd->slot % ZONE_CHUNK_PEERS]);

    return META_GENERATION(meta) == META_GENERATION(pd->meta) ? meta : 0;
}


static const char *
ngx_http_pourover_failure(ngx_peer_connection_t *pc, ngx_http_upstream_t *u,
    char *text, size_t size)
{
    ngx_connection_t  *c;

    c = pc->connection;

    if (u->headers_in.status_n) {
        *ngx_snprintf((u_char *) text, size - 1, "status %ui",
                      u->headers_in.status_n) = '\0';
        return text;
    }

    if (c && (c->read->timedout || c->write->timedout)) {
        return u->request_sent ? "no answer in time"
                               : "no connection in time";
    }

    if (!u->request_sent) {
        return "the connection could not be made";
    }

    return u->buffer.last != u->buffer.start
           ? "the answer was cut short, or is none of this protocol"
           : "the connection was closed before an answer";
}


static void
ngx_http_pourover_eject(ngx_peer_connection_t *pc,
    ngx_http_pourover_attempt_t *pd, uint32_t fails)
{
    bool                          done;
    char                          status[sizeof("status ") + NGX_INT_T_LEN];
    u_char                       *p, text[ZONE_TEXT_MAX];
    struct peer_note              note;
    ngx_http_pourover_zone_t     *pz;
    ngx_http_pourover_service_t  *ps;

    ps = pd->service;
    pz = ngx_http_pourover_zone_of((ngx_cycle_t *) ngx_cycle);

    p = ngx_snprintf(text, sizeof(text),
                     fails == 1 ? "%uD request failed: %s"
                                : "%uD requests in a row failed, the last: %s",
                     fails,
                     ngx_http_pourover_failure(pc, pd->request->upstream,
                                               status, sizeof(status)));

    ngx_memzero(&note, sizeof(struct peer_note));
    note.code = CHECK_PASSIVE;
    note.text = (struct str) { (char *) text, (size_t) (p - text) };
    note.now_ms = clock_mono_ms();

    ngx_shmtx_lock(&pz->shpool->mutex);
    done = ngx_http_pourover_meta(pd) != 0
           && zone_peer_eject_locked(pz->zone, ps->service, pd->slot,
                                     note.now_ms + ps->eject, &note);
    ngx_shmtx_unlock(&pz->shpool->mutex);

    if (done) {
        ngx_log_error(NGX_LOG_WARN, pd->request->connection->log, 0,
                      "pourover: peer \"%V\" of \"%V\" is taken out for %M ms: "
                      "%*s", pc->name, &ps->name, ps->eject, note.text.len,
                      note.text.ptr);
    }
}


void
ngx_http_pourover_peer_failed(ngx_peer_connection_t *pc,
    ngx_http_pourover_attempt_t *pd)
{
    uint32_t  meta, fails;

    if (pd->service->passive_fails == 0) {
        return;
    }

    meta = ngx_http_pourover_meta(pd);
    if (meta == 0) {
        return;
    }

    fails = atomic_fetch_add(&ngx_http_pourover_seen(pd)->fails, 1) + 1;

    if (fails >= pd->service->passive_fails
        && META_HEALTH(meta) != HEALTH_DOWN)
    {
        ngx_http_pourover_eject(pc, pd, fails);
    }
}


void
ngx_http_pourover_peer_answered(ngx_http_pourover_attempt_t *pd)
{
    struct peer_seen  *seen;

    seen = ngx_http_pourover_seen(pd);

    if (atomic_load_explicit(&seen->fails, memory_order_relaxed)
        && ngx_http_pourover_meta(pd))
    {
        atomic_store(&seen->fails, 0);
    }
}


/* the request's attempt that has a peer now; NULL: it is none of a service */

static ngx_http_pourover_attempt_t *
ngx_http_pourover_attempt_of(ngx_http_request_t *r)
{
    ngx_queue_t                  *q, *list;
    ngx_http_pourover_ctx_t      *ctx;
    ngx_http_pourover_choice_t   *choice;
    ngx_http_pourover_attempt_t  *pd;

    ctx = ngx_http_pourover_get_ctx(r);

    for (choice = ctx ? ctx->choices : NULL; choice; choice = choice->next) {
        list = &choice->service->attempts;

        for (q = ngx_queue_head(list);
             q != ngx_queue_sentinel(list);
             q = ngx_queue_next(q))
        {
            pd = ngx_http_pourover_queue_data(q, ngx_http_pourover_attempt_t,
                                              link);

            if (pd->request == r) {
                return pd;
            }
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_pourover_told(ngx_http_request_t *r, ngx_table_elt_t *h,
    ngx_uint_t by_value)
{
    bool                          done;
    u_char                       *p, text[ZONE_TEXT_MAX];
    uint32_t                      meta;
    struct peer_note              note;
    ngx_http_pourover_zone_t     *pz;
    ngx_http_pourover_attempt_t  *pd;

    if (r->cached
        || (by_value && !(h->value.len == 1 && h->value.data[0] == '1')))
    {
        return NGX_OK;
    }

    pd = ngx_http_pourover_attempt_of(r);
    if (pd == NULL || !pd->service->checked) {
        return NGX_OK;
    }

    meta = ngx_http_pourover_meta(pd);
    if (meta == 0 || META_HEALTH(meta) == HEALTH_DOWN) {
        return NGX_OK;
    }

    p = ngx_snprintf(text, sizeof(text), "an answer said %V", &h->key);

    ngx_memzero(&note, sizeof(struct peer_note));
    note.code = CHECK_TOLD;
    note.text = (struct str) { (char *) text, (size_t) (p - text) };
    note.now_ms = clock_mono_ms();

    pz = ngx_http_pourover_zone_of((ngx_cycle_t *) ngx_cycle);

    ngx_shmtx_lock(&pz->shpool->mutex);
    done = ngx_http_pourover_meta(pd) != 0
           && zone_peer_health_locked(pz->zone, pd->service->service, pd->slot,
                                      HEALTH_TOLD, &pd->service->rule, &note);
    ngx_shmtx_unlock(&pz->shpool->mutex);

    if (done) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "pourover: peer \"%V\" of \"%V\" is down: %*s",
                      r->upstream->peer.name, &pd->service->name,
                      note.text.len, note.text.ptr);
    }

    return NGX_OK;
}


/* instead of being copied into the answer; other upstreams' go through */

static ngx_int_t
ngx_http_pourover_hide(ngx_http_request_t *r, ngx_table_elt_t *h,
    ngx_uint_t unused)
{
    ngx_table_elt_t               *ho;
    ngx_http_upstream_srv_conf_t  *uscf;

    uscf = r->upstream->conf->upstream ? r->upstream->conf->upstream
                                       : r->upstream->upstream;

    if (uscf == NULL
        || (uscf->srv_conf && ngx_http_pourover_service_by(uscf)))
    {
        return NGX_OK;
    }

    ho = ngx_list_push(&r->headers_out.headers);
    if (ho == NULL) {
        return NGX_ERROR;
    }

    *ho = *h;

    return NGX_OK;
}


/* nginx's table is made anew with ours in it */

ngx_int_t
ngx_http_pourover_told_init(ngx_conf_t *cf)
{
    ngx_uint_t                      i;
    ngx_hash_t                     *table;
    ngx_array_t                     keys;
    ngx_hash_elt_t                 *elt;
    ngx_hash_key_t                 *key;
    ngx_hash_init_t                 hash;
    ngx_http_upstream_header_t     *header;
    ngx_http_upstream_main_conf_t  *umcf;

    umcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_upstream_module);
    table = &umcf->headers_in_hash;

    if (ngx_array_init(&keys, cf->temp_pool, 32, sizeof(ngx_hash_key_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < table->size; i++) {

        for (elt = table->buckets[i];
             elt && elt->value;
             elt = (void *) ngx_align_ptr(&elt->name[0] + elt->len,
                                          sizeof(void *)))
        {
            key = ngx_array_push(&keys);
            if (key == NULL) {
                return NGX_ERROR;
            }

            key->key.data = elt->name;
            key->key.len = elt->len;
            key->key_hash = ngx_hash_key_lc(elt->name, elt->len);
            key->value = elt->value;
        }
    }

    for (header = ngx_http_pourover_told_headers; header->name.len; header++) {
        key = ngx_array_push(&keys);
        if (key == NULL) {
            return NGX_ERROR;
        }

        key->key = header->name;
        key->key_hash = ngx_hash_key_lc(header->name.data, header->name.len);
        key->value = header;
    }

    hash.hash = table;
    hash.key = ngx_hash_key_lc;
    hash.max_size = 512;
    hash.bucket_size = ngx_align(128, ngx_cacheline_size);
    hash.name = (char *) "upstream_headers_in_hash";
    hash.pool = cf->pool;
    hash.temp_pool = NULL;

    return ngx_hash_init(&hash, keys.elts, keys.nelts);
}
