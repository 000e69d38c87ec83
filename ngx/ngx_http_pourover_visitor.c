
/*
 * The visitor: an id read from the request or drawn, before anything else of
 * the request runs.
 *
 * The id is decided in POST_READ.  Malformed requests never get there, and get
 * no cookie: their Cookie header was not read, so that a fresh id could
 * overwrite a valid one.
 */

#include "ngx_http_pourover.h"
#include "ngx_http_pourover_compat.h"

#include "base/ct.h"
#include "base/rand.h"


/* parallel first requests of one client are this close together */
#define NGX_HTTP_POUROVER_SHARE_MS  5000

/* ids drawn until one lies on the side that the application's cookie says;
 * any client can ask for that: all of them must not cost more than 0.1 ms */
#define NGX_HTTP_POUROVER_DRAWS     2000


typedef struct {
    uint64_t                       id;
    ngx_msec_t                     until;
} ngx_http_pourover_shared_id_t;


static void
ngx_http_pourover_set_id(ngx_http_pourover_ctx_t *ctx, u_char *data, size_t len,
    ngx_http_pourover_id_kind_e kind)
{
    ctx->id.data = data;
    ctx->id.len = len;
    ctx->id_kind = kind;
}


/* NGX_OK: a valid one, set; NGX_ABORT: only bad ones; NGX_DECLINED: none */

static ngx_int_t
ngx_http_pourover_read_cookie(ngx_http_request_t *r,
    ngx_http_pourover_ctx_t *ctx)
{
    ngx_int_t         rc;
    struct str        rest, value;
    ngx_uint_t        i;
    ngx_table_elt_t  *h;

    rc = NGX_DECLINED;

    for (i = 0; (h = ngx_http_pourover_cookie_header(r, i)) != NULL; i++) {
        rest = ngx_http_pourover_str(h->value);

        while (cookie_next(&rest, ngx_http_pourover_str(ctx->visitor->cookie),
                           &value))
        {
            if (id_valid(value, ctx->visitor->key)) {
                ngx_http_pourover_set_id(ctx, (u_char *) value.ptr, ID_LEN,
                                         NGX_HTTP_POUROVER_ID_VALID);
                return NGX_OK;
            }

            rc = NGX_ABORT;
        }
    }

    return rc;
}


static ngx_http_variable_value_t *
ngx_http_pourover_value(ngx_http_request_t *r, ngx_int_t index)
{
    ngx_http_variable_value_t  *v;

    v = ngx_http_get_indexed_variable(r, (ngx_uint_t) index);

    return v && !v->not_found && v->len ? v : NULL;
}


ngx_int_t
ngx_http_pourover_version_wish(ngx_http_request_t *r,
    ngx_http_pourover_version_t *version, enum wish *ret_wish)
{
    struct str        rest, value;
    ngx_uint_t        i;
    ngx_table_elt_t  *h;

    for (i = 0; (h = ngx_http_pourover_cookie_header(r, i)) != NULL; i++) {
        rest = ngx_http_pourover_str(h->value);

        while (cookie_next(&rest, ngx_http_pourover_str(version->cookie),
                           &value))
        {
            if (str_eq(value,
                       ngx_http_pourover_str(version->value[TRACK_CANARY])))
            {
                *ret_wish = WISH_CANARY;
                return NGX_OK;
            }

            if (str_eq(value,
                       ngx_http_pourover_str(version->value[TRACK_STABLE])))
            {
                *ret_wish = WISH_STABLE;
                return NGX_OK;
            }
        }
    }

    return NGX_DECLINED;
}


/* splitmix64, a bijection of 64 bits (Steele, Lea, Flood, OOPSLA 2014) */

static uint64_t
ngx_http_pourover_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;

    return z ^ (z >> 31);
}


/* the side of the visitor that the application's own cookie says */

typedef struct {
    enum wish                      wish;          /* WISH_NONE: no cookie */
    enum wish                      fresh;         /* where a new id shall lie */
    struct split                   split;
} ngx_http_pourover_side_t;


static void
ngx_http_pourover_side(ngx_http_request_t *r, ngx_http_pourover_side_t *side)
{
    ngx_http_pourover_loc_conf_t  *plcf;
    ngx_http_pourover_srv_conf_t  *pscf;

    side->wish = WISH_NONE;
    side->fresh = WISH_NONE;

    pscf = ngx_http_get_module_srv_conf(r, ngx_http_pourover_module);
    plcf = ngx_http_get_module_loc_conf(r, ngx_http_pourover_module);

    if (pscf->version == NULL || plcf->service == NULL) {
        return;
    }

    if (ngx_http_pourover_version_wish(r, pscf->version, &side->wish) == NGX_OK)
    {
        side->fresh = side->wish;

    } else if (!pscf->version->missing_cut) {
        /* served by stable now; an id that is there already stays */
        side->fresh = WISH_STABLE;
    }

    (void) zone_split_read(plcf->service->service, &side->split);
}


static ngx_uint_t
ngx_http_pourover_on_side(ngx_http_pourover_side_t *side, enum wish wish,
    struct str id)
{
    uint32_t  bucket;

    if (wish == WISH_NONE) {
        return 1;
    }

    bucket = cut_bucket(cut_u(&side->split.key, id));

    return cut_is_canary(bucket, side->split.share_ppm)
           == (wish == WISH_CANARY);
}


/*
 * Draws an id that lies on the side.  NGX_DECLINED: the side is empty, or so
 * small that none was found; the visitor keeps the application's cookie and
 * the next request tries again.
 */

static ngx_int_t
ngx_http_pourover_draw(ngx_http_pourover_side_t *side, uint64_t *ret_id)
{
    char        text[ID_SIGNED_LEN];
    uint64_t    id;
    ngx_uint_t  i;

    if ((side->fresh == WISH_CANARY && side->split.share_ppm == 0)
        || (side->fresh == WISH_STABLE
            && side->split.share_ppm == CUT_BUCKETS))
    {
        return NGX_DECLINED;
    }

    if (rand_bytes(&id, sizeof(id)) != 0) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_HTTP_POUROVER_DRAWS; i++) {
        (void) id_write(id, (struct id_key) { NULL, 0 }, text);

        if (ngx_http_pourover_on_side(side, side->fresh,
                                      (struct str) { text, ID_LEN }))
        {
            *ret_id = id;
            return NGX_OK;
        }

        id = ngx_http_pourover_mix(id + 0x9e3779b97f4a7c15u);
    }

    return NGX_DECLINED;
}


/*
 * The id that an earlier stream of this connection drew moments ago: a
 * browser's first requests come at once, before it has the cookie.  Only if the
 * client itself is at the other end, not a proxy with many clients.
 */

static void
ngx_http_pourover_shared_cleanup(void *data)
{
    /* only marks the place */
}


static ngx_http_pourover_shared_id_t *
ngx_http_pourover_shared(ngx_http_request_t *r,
    ngx_http_pourover_visitor_t *visitor, ngx_uint_t proxied)
{
    ngx_pool_t          *pool;
    ngx_pool_cleanup_t  *cln;

    if (r->stream == NULL
        || visitor->share_connection == NGX_HTTP_POUROVER_OFF)
    {
        return NULL;
    }

#if (NGX_HTTP_V2)
    /* realip gives the stream's connection another address than the real one */

    proxied |= r->connection->sockaddr
               != r->stream->connection->connection->sockaddr;
#endif

    if (visitor->share_connection == NGX_HTTP_POUROVER_AUTO && proxied) {
        return NULL;
    }

    pool = r->connection->pool;   /* of the real connection, for HTTP/2 too */

    for (cln = pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_pourover_shared_cleanup) {
            return cln->data;
        }
    }

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_http_pourover_shared_id_t));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_http_pourover_shared_cleanup;
    ngx_memzero(cln->data, sizeof(ngx_http_pourover_shared_id_t));

    return cln->data;
}


static ngx_int_t
ngx_http_pourover_issue(ngx_http_request_t *r, ngx_http_pourover_ctx_t *ctx,
    ngx_http_pourover_side_t *side, ngx_uint_t proxied, ngx_uint_t replace)
{
    u_char                         *text;
    uint64_t                        id;
    ngx_int_t                       rc;
    ngx_http_pourover_shared_id_t  *shared;

    shared = ngx_http_pourover_shared(r, ctx->visitor, proxied);

    if (shared && shared->until
        && (ngx_msec_int_t) (shared->until - ngx_current_msec) > 0
        && side->wish == WISH_NONE && !replace)
    {
        id = shared->id;

    } else {
        rc = ngx_http_pourover_draw(side, &id);
        if (rc != NGX_OK) {
            return rc;
        }

        if (shared && !replace) {
            shared->id = id;
            shared->until = ngx_current_msec + NGX_HTTP_POUROVER_SHARE_MS;
        }
    }

    text = ngx_http_pourover_alloc(r, ctx, ID_SIGNED_LEN);
    if (text == NULL) {
        return NGX_ERROR;
    }

    ctx->cookie.data = text;
    ctx->cookie.len = id_write(id, ctx->visitor->key, (char *) text);

    ngx_http_pourover_set_id(ctx, text, ID_LEN,
                             replace ? NGX_HTTP_POUROVER_ID_REPLACED
                                     : NGX_HTTP_POUROVER_ID_ISSUED);

    return NGX_OK;
}


/*
 * A tier behind us reads the fresh id from the request's Cookie header.  It
 * comes first: a valid one that it replaces may still be there.
 */

static ngx_int_t
ngx_http_pourover_forward_cookie(ngx_http_request_t *r,
    ngx_http_pourover_ctx_t *ctx)
{
    size_t            len;
    u_char           *p;
    ngx_str_t         pair;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    i = 0;
    h = ngx_http_pourover_next_header(&part, &i, "cookie", 6);

    len = ctx->visitor->cookie.len + 1 + ctx->cookie.len
          + (h ? h->value.len + 2 : 0);

    pair.data = ngx_pnalloc(r->pool, len);
    if (pair.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(pair.data, "%V=%V", &ctx->visitor->cookie, &ctx->cookie);

    if (h) {
        p = ngx_sprintf(p, "; %V", &h->value);
    }

    pair.len = p - pair.data;

    if (h == NULL) {
        h = ngx_list_push(&r->headers_in.headers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        ngx_str_set(&h->key, "Cookie");
        h->lowcase_key = (u_char *) "cookie";
        h->hash = ngx_hash_key(h->lowcase_key, h->key.len);
        ngx_http_pourover_elt_init(h);
    }

    h->value = pair;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_find_id(ngx_http_request_t *r, ngx_http_pourover_ctx_t *ctx,
    ngx_uint_t proxied)
{
    ngx_int_t                     cookie, rc;
    ngx_uint_t                    i;
    ngx_http_pourover_side_t      side;
    ngx_http_pourover_source_t   *source;
    ngx_http_variable_value_t    *v;
    ngx_http_pourover_visitor_t  *visitor;

    visitor = ctx->visitor;
    source = visitor->sources.elts;
    cookie = visitor->cookie.len ? ngx_http_pourover_read_cookie(r, ctx)
                                 : NGX_DECLINED;

    ngx_http_pourover_side(r, &side);

    if (cookie == NGX_OK
        && !ngx_http_pourover_on_side(&side, side.wish,
                                      ngx_http_pourover_str(ctx->id)))
    {
        cookie = NGX_ABORT;
        ctx->id.len = 0;
    }

    for (i = 0; i < visitor->sources.nelts; i++) {

        if (cookie == NGX_OK && (source[i].cookie || !visitor->login_switch)) {
            return NGX_OK;
        }

        if (source[i].cookie) {
            continue;
        }

        v = ngx_http_pourover_value(r, source[i].index);

        if (v && v->len <= CUT_ID_MAX) {
            ngx_http_pourover_set_id(ctx, v->data, v->len,
                                     NGX_HTTP_POUROVER_ID_SOURCED);
            return NGX_OK;
        }
    }

    ngx_http_pourover_set_id(ctx, NULL, 0, NGX_HTTP_POUROVER_ID_NONE);

    if (visitor->cookie.len == 0) {
        return NGX_OK;
    }

    if (visitor->consent != NGX_ERROR) {
        v = ngx_http_pourover_value(r, visitor->consent);

        if (v == NULL || (v->len == 1 && v->data[0] == '0')) {
            return NGX_OK;
        }
    }

    rc = ngx_http_pourover_issue(r, ctx, &side, proxied, cookie == NGX_ABORT);
    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? NGX_OK : rc;
    }

    return ngx_http_pourover_forward_cookie(r, ctx);
}


static void
ngx_http_pourover_read_verify(ngx_http_request_t *r,
    ngx_http_pourover_ctx_t *ctx, ngx_str_t *value)
{
    size_t                          len;
    u_char                          token[32];
    ngx_http_pourover_main_conf_t  *pmcf;

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_pourover_module);
    len = sizeof(token);

    ngx_hex_dump(token, pmcf->zone->zone->verify_token, len / 2);

    if (value->len < len || !ct_equal(value->data, token, len)) {
        return;
    }

    if (value->len == len) {
        ctx->verify = NGX_HTTP_POUROVER_VERIFY_THROUGH;

    } else if (value->len == len + 4
               && ngx_strncmp(value->data + len, " cut", 4) == 0)
    {
        ctx->verify = NGX_HTTP_POUROVER_VERIFY_CUT;
    }
}


ngx_int_t
ngx_http_pourover_visitor_handler(ngx_http_request_t *r)
{
    ngx_str_t                      verify;
    ngx_http_pourover_ctx_t       *ctx;
    ngx_http_pourover_seen_t       seen;
    ngx_http_pourover_loc_conf_t  *plcf;
    ngx_http_pourover_srv_conf_t  *pscf;

    pscf = ngx_http_get_module_srv_conf(r, ngx_http_pourover_module);
    plcf = ngx_http_get_module_loc_conf(r, ngx_http_pourover_module);

    ngx_http_pourover_look(r, &seen);
    ngx_str_null(&verify);

    if (seen.ours && plcf->headers != NGX_HTTP_POUROVER_HEADERS_PASS) {
        if (seen.verify) {
            verify = seen.verify->value;
        }

        if (ngx_http_pourover_remove_ours(r) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (pscf->visitor == NULL && verify.len == 0) {
        return NGX_DECLINED;
    }

    ctx = ngx_http_pourover_make_ctx(r);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (verify.len) {
        ngx_http_pourover_read_verify(r, ctx, &verify);
    }

    if (ctx->visitor
        && ngx_http_pourover_find_id(r, ctx, seen.proxied) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}
