
/*
 * The track of a request: decided once per service, frozen from then on, so
 * that redirects, retries and subrequests of one client request agree.
 */

#include "ngx_http_pourover.h"
#include "ngx_http_pourover_compat.h"

#include "base/ct.h"
#include "base/rand.h"


#define NGX_HTTP_POUROVER_START_LEN  13


/* forced tracks */

static void
ngx_http_pourover_forced_value(ngx_http_pourover_force_t *force,
    struct str value, enum wish *wish)
{
    struct str  track;

    if (force->secret.len) {
        /* TRACK.SECRET; the track is public, only the secret is compared so
         * that its time tells nothing */

        if (!str_cut(&value, '.', &track)
            || value.len != force->secret.len
            || !ct_equal(value.ptr, force->secret.data, value.len))
        {
            return;
        }

        value = track;
    }

    if (str_eq(value, STR("canary"))) {
        *wish = WISH_CANARY;

    } else if (str_eq(value, STR("stable"))) {
        *wish = WISH_STABLE;
    }
}


static void
ngx_http_pourover_forced_cookie(ngx_http_request_t *r,
    ngx_http_pourover_force_t *force, ngx_str_t *name, enum wish *wish)
{
    struct str        rest, value;
    ngx_uint_t        i;
    ngx_table_elt_t  *h;

    for (i = 0; (h = ngx_http_pourover_cookie_header(r, i)) != NULL; i++) {
        rest = ngx_http_pourover_str(h->value);

        while (*wish == WISH_NONE
               && cookie_next(&rest, ngx_http_pourover_str(*name), &value))
        {
            ngx_http_pourover_forced_value(force, value, wish);
        }
    }
}


static enum wish
ngx_http_pourover_forced(ngx_http_request_t *r,
    ngx_http_pourover_force_t *force)
{
    enum wish                          wish;
    ngx_uint_t                         i, at;
    ngx_list_part_t                   *part;
    ngx_table_elt_t                   *h;
    ngx_http_variable_value_t         *v;
    ngx_http_pourover_force_source_t  *source;

    if (force == NULL
        || (force->allow
            && ngx_cidr_match(r->connection->sockaddr, force->allow)
               != NGX_OK))
    {
        return WISH_NONE;
    }

    wish = WISH_NONE;
    source = force->sources.elts;

    for (i = 0; i < force->sources.nelts && wish == WISH_NONE; i++) {

        if (source[i].header.len) {
            part = &r->headers_in.headers.part;
            at = 0;
            h = ngx_http_pourover_next_header(&part, &at,
                                       (const char *) source[i].header.data,
                                       source[i].header.len);
            if (h) {
                ngx_http_pourover_forced_value(force,
                                   ngx_http_pourover_str(h->value), &wish);
            }

        } else if (source[i].cookie.len) {
            ngx_http_pourover_forced_cookie(r, force, &source[i].cookie,
                                            &wish);

        } else {
            v = ngx_http_get_indexed_variable(r, (ngx_uint_t) source[i].index);

            if (v && !v->not_found) {
                ngx_http_pourover_forced_value(force,
                    (struct str) { (const char *) v->data, v->len }, &wish);
            }
        }
    }

    return wish;
}


static enum wish
ngx_http_pourover_version(ngx_http_request_t *r)
{
    enum wish                      wish;
    ngx_http_pourover_srv_conf_t  *pscf;

    pscf = ngx_http_get_module_srv_conf(r, ngx_http_pourover_module);
    wish = WISH_NONE;

    if (pscf->version
        && ngx_http_pourover_version_wish(r, pscf->version, &wish) != NGX_OK
        && !pscf->version->missing_cut)
    {
        wish = WISH_STABLE;
    }

    return wish;
}


ngx_http_pourover_choice_t *
ngx_http_pourover_choose(ngx_http_request_t *r,
    ngx_http_pourover_service_t *ps)
{
    struct split                   split;
    struct decide_in               in;
    ngx_http_pourover_ctx_t       *ctx;
    ngx_http_pourover_choice_t    *choice;
    ngx_http_pourover_loc_conf_t  *plcf;

    ctx = ngx_http_pourover_make_ctx(r);
    if (ctx == NULL) {
        return NULL;
    }

    for (choice = ctx->choices; choice; choice = choice->next) {
        if (choice->service == ps) {
            return choice;
        }
    }

    r = r->main;

    choice = ngx_http_pourover_alloc(r, ctx,
                                     sizeof(ngx_http_pourover_choice_t));
    if (choice == NULL) {
        return NULL;
    }

    ngx_memzero(choice, sizeof(ngx_http_pourover_choice_t));

    plcf = ngx_http_get_module_loc_conf(r, ngx_http_pourover_module);

    (void) zone_split_read(ps->service, &split);

    ngx_memzero(&in, sizeof(struct decide_in));
    in.split = &split;
    in.id = ngx_http_pourover_str(ctx->id);
    in.forced = ngx_http_pourover_forced(r, plcf->force);
    in.version = ngx_http_pourover_version(r);
    in.no_id_random = ctx->visitor && ctx->visitor->no_id_random;
    in.canary_live = ps->kind == SERVICE_CUT
                     || zone_level(ps->service, TRACK_CANARY) != LEVEL_NONE;

    if (in.no_id_random && in.id.len == 0
        && rand_bytes(&in.random, sizeof(in.random)) != 0)
    {
        in.no_id_random = 0;
    }

    choice->service = ps;
    choice->decision = decide(&in);
    choice->share_ppm = split.share_ppm;
    choice->revision = split.revision;
    choice->verify = ctx->verify != NGX_HTTP_POUROVER_VERIFY_NONE;
    choice->next = ctx->choices;
    ctx->choices = choice;

    return choice;
}


ngx_http_pourover_choice_t *
ngx_http_pourover_named_choice(ngx_http_request_t *r)
{
    ngx_http_pourover_loc_conf_t  *plcf;

    plcf = ngx_http_get_module_loc_conf(r, ngx_http_pourover_module);

    if (plcf->service == NULL) {
        /* a subrequest whose location names none speaks of the visitor's */
        plcf = ngx_http_get_module_loc_conf(r->main, ngx_http_pourover_module);
    }

    return plcf->service && plcf->service->service
           ? ngx_http_pourover_choose(r, plcf->service) : NULL;
}


/*
 * Headers for upstreams: clients' own copies are gone since POST_READ.  A name
 * is hashed once in the life of a process.
 */

static ngx_table_elt_t  ngx_http_pourover_h_track = {
    .key = ngx_string("X-Pourover-Track"),
    .lowcase_key = (u_char *) "x-pourover-track"
};

static ngx_table_elt_t  ngx_http_pourover_h_unit = {
    .key = ngx_string("X-Pourover-Unit"),
    .lowcase_key = (u_char *) "x-pourover-unit"
};

static ngx_table_elt_t  ngx_http_pourover_h_start = {
    .key = ngx_string("X-Pourover-Start"),
    .lowcase_key = (u_char *) "x-pourover-start"
};


static ngx_int_t
ngx_http_pourover_set_header(ngx_http_request_t *r, ngx_table_elt_t **h,
    ngx_table_elt_t *name, u_char *data, size_t len)
{
    if (*h == NULL) {
        *h = ngx_list_push(&r->headers_in.headers);
        if (*h == NULL) {
            return NGX_ERROR;
        }

        if (name->hash == 0) {
            name->hash = ngx_hash_key(name->lowcase_key, name->key.len);
        }

        **h = *name;
    }

    (*h)->value.data = data;
    (*h)->value.len = len;

    return NGX_OK;
}


/*
 * Milliseconds since 1970: 13 digits until the year 2286.  Most requests start
 * in the second of the one before.
 */

static void
ngx_http_pourover_start_text(ngx_http_request_t *r,
    u_char text[NGX_HTTP_POUROVER_START_LEN])
{
    time_t            rest;
    ngx_uint_t        i;

    static time_t     sec;
    static u_char     digits[NGX_HTTP_POUROVER_START_LEN - 3];

    if (r->start_sec != sec) {
        sec = r->start_sec;

        for (i = sizeof(digits), rest = sec; i; i--) {
            digits[i - 1] = (u_char) ('0' + rest % 10);
            rest /= 10;
        }
    }

    text = ngx_cpymem(text, digits, sizeof(digits));
    text[0] = (u_char) ('0' + r->start_msec / 100);
    text[1] = (u_char) ('0' + r->start_msec / 10 % 10);
    text[2] = (u_char) ('0' + r->start_msec % 10);
}


static ngx_int_t
ngx_http_pourover_tell_upstream(ngx_http_request_t *r,
    ngx_http_pourover_ctx_t *ctx, ngx_http_pourover_choice_t *choice)
{
    u_char  *unit, *start;

    if (ngx_http_pourover_set_header(r, &ctx->h_track,
                              &ngx_http_pourover_h_track,
                              choice->decision.track == TRACK_CANARY
                              ? (u_char *) "canary" : (u_char *) "stable", 6)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ctx->h_start == NULL) {
        start = ngx_http_pourover_alloc(r, ctx, NGX_HTTP_POUROVER_START_LEN);
        if (start == NULL) {
            return NGX_ERROR;
        }

        ngx_http_pourover_start_text(r, start);

        if (ngx_http_pourover_set_header(r, &ctx->h_start,
                                         &ngx_http_pourover_h_start, start,
                                         NGX_HTTP_POUROVER_START_LEN)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (!choice->decision.has_u) {
        return NGX_OK;
    }

    unit = ngx_http_pourover_alloc(r, ctx, ID_LEN);
    if (unit == NULL) {
        return NGX_ERROR;
    }

    (void) id_write(choice->decision.u, (struct id_key) { NULL, 0 },
                    (char *) unit);

    return ngx_http_pourover_set_header(r, &ctx->h_unit,
                                        &ngx_http_pourover_h_unit, unit,
                                        ID_LEN);
}


/*
 * POST_READ has taken clients' copies away, but not those that the server
 * passes on and only this location does not, nor our own of a location that
 * redirected to this one.  It did not run at all for the error page of a
 * request that was refused while it was read: then there may not even be a
 * list of headers.
 */

static ngx_int_t
ngx_http_pourover_clean(ngx_http_request_t *r,
    ngx_http_pourover_loc_conf_t *plcf)
{
    ngx_http_pourover_ctx_t       *ctx;
    ngx_http_core_srv_conf_t      *cscf;
    ngx_http_pourover_loc_conf_t  *server;

    if (r->headers_in.headers.last == NULL) {
        return ngx_list_init(&r->headers_in.headers, r->pool, 4,
                             sizeof(ngx_table_elt_t));
    }

    ctx = ngx_http_pourover_get_ctx(r);

    if (plcf->headers == NGX_HTTP_POUROVER_HEADERS_PASS) {
        return NGX_OK;
    }

    if (ctx && ctx->h_track) {

        if (plcf->service && plcf->headers == NGX_HTTP_POUROVER_HEADERS_ON) {
            return NGX_OK;   /* will be written over */
        }

        ctx->h_track = NULL;
        ctx->h_unit = NULL;
        ctx->h_start = NULL;

        return ngx_http_pourover_remove_ours(r);
    }

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
    server = cscf->ctx->loc_conf[ngx_http_pourover_module.ctx_index];

    return server->headers == NGX_HTTP_POUROVER_HEADERS_PASS
           || (r->internal && ctx == NULL)
           ? ngx_http_pourover_remove_ours(r) : NGX_OK;
}


ngx_int_t
ngx_http_pourover_track_handler(ngx_http_request_t *r)
{
    ngx_http_pourover_ctx_t       *ctx;
    ngx_http_pourover_choice_t    *choice;
    ngx_http_pourover_loc_conf_t  *plcf;

    if (r != r->main) {
        return NGX_DECLINED;
    }

    plcf = ngx_http_get_module_loc_conf(r, ngx_http_pourover_module);

    if (ngx_http_pourover_clean(r, plcf) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (plcf->service == NULL || plcf->service->service == NULL) {
        return NGX_DECLINED;
    }

    choice = ngx_http_pourover_choose(r, plcf->service);
    if (choice == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_http_pourover_get_ctx(r);

    if (ctx->verify == NGX_HTTP_POUROVER_VERIFY_CUT) {
        return NGX_HTTP_NO_CONTENT;
    }

    if (plcf->headers == NGX_HTTP_POUROVER_HEADERS_ON
        && ngx_http_pourover_tell_upstream(r, ctx, choice) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return NGX_DECLINED;
}
