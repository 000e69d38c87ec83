
/*
 * The answer to a visitor: the cookie, once, on every kind of it; the verdict
 * for "pourover router verify".
 *
 * There is no flag for "sent": nginx runs the filters again with a cleaned
 * list (412), and again with an uncleaned one (416).  The list itself tells.
 */

#include "ngx_http_pourover.h"
#include "ngx_http_pourover_compat.h"

#include "base/clock.h"


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


ngx_int_t
ngx_http_pourover_push_header(ngx_http_request_t *r, const char *key,
    ngx_str_t *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    h->key.data = (u_char *) key;
    h->key.len = ngx_strlen(key);
    h->value = *value;
    ngx_http_pourover_elt_init(h);

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_make_set_cookie(ngx_http_request_t *r,
    ngx_http_pourover_ctx_t *ctx)
{
    u_char                       *p;
    ngx_uint_t                    i, secure;
    ngx_list_part_t              *part;
    ngx_table_elt_t              *h;
    ngx_http_pourover_visitor_t  *visitor;

    visitor = ctx->visitor;
    secure = visitor->secure == NGX_HTTP_POUROVER_ON;

    if (visitor->secure == NGX_HTTP_POUROVER_AUTO) {
#if (NGX_HTTP_SSL)
        secure = r->connection->ssl != NULL;
#endif
        part = &r->headers_in.headers.part;
        i = 0;

        h = ngx_http_pourover_next_header(&part, &i, "x-forwarded-proto", 17);
        if (h && h->value.len == 5
            && ngx_strncasecmp(h->value.data, (u_char *) "https", 5) == 0)
        {
            secure = 1;
        }
    }

    p = ngx_pnalloc(r->pool, visitor->cookie.len + 1 + ctx->cookie.len
                             + visitor->attributes.len + sizeof("; Secure"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    ctx->set_cookie.data = p;
    p = ngx_sprintf(p, "%V=%V%V%s", &visitor->cookie, &ctx->cookie,
                    &visitor->attributes, secure ? "; Secure" : "");
    ctx->set_cookie.len = p - ctx->set_cookie.data;

    return NGX_OK;
}


/*
 * Whether a shared cache may keep the answer: it is told so, or its status is
 * kept by default (RFC 9110, 15.1).
 */

static ngx_uint_t
ngx_http_pourover_cacheable_status(ngx_uint_t status)
{
    switch (status) {
    case 200: case 203: case 204: case 206: case 300: case 301: case 308:
    case 404: case 405: case 410: case 414: case 501:
        return 1;
    default:
        return 0;
    }
}


static ngx_int_t
ngx_http_pourover_make_private(ngx_http_request_t *r)
{
    u_char           *p;
    ngx_str_t         value;
    ngx_uint_t        i, found;
    struct str        rest, head;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_out.headers.part;
    i = 0;
    found = 0;

    while ((h = ngx_http_pourover_next_header(&part, &i, "cache-control", 13))
           != NULL)
    {
        if (h->hash == 0) {
            continue;
        }

        found = 1;

        /* "a,b" becomes ", a, b": less than twice as long */

        value.data = ngx_pnalloc(r->pool, sizeof("private")
                                          + 2 * h->value.len);
        if (value.data == NULL) {
            return NGX_ERROR;
        }

        p = ngx_cpymem(value.data, "private", 7);
        rest = ngx_http_pourover_str(h->value);

        while (str_cut(&rest, ',', &head)) {
            head = str_trim(head);

            if (head.len == 0
                || str_eq_nocase(head, STR("public"))
                || str_eq_nocase(head, STR("private"))
                || str_starts_with(head, STR("s-maxage")))
            {
                continue;
            }

            p = ngx_sprintf(p, ", %*s", head.len, head.ptr);
        }

        value.len = p - value.data;
        h->value = value;
    }

    if (found
        || !ngx_http_pourover_cacheable_status(r->headers_out.status))
    {
        return NGX_OK;
    }

    ngx_str_set(&value, "private");

    return ngx_http_pourover_push_header(r, "Cache-Control", &value);
}


/* an upstream's cookie of our name is dropped; 1: ours is there already */

static ngx_uint_t
ngx_http_pourover_sweep_cookies(ngx_http_request_t *r,
    ngx_http_pourover_ctx_t *ctx)
{
    ngx_str_t         *name;
    ngx_uint_t         i;
    ngx_list_part_t   *part;
    ngx_table_elt_t   *h;

    name = &ctx->visitor->cookie;
    part = &r->headers_out.headers.part;
    i = 0;

    while ((h = ngx_http_pourover_next_header(&part, &i, "set-cookie", 10))
           != NULL)
    {
        if (h->hash == 0) {
            continue;
        }

        if (ctx->set_cookie.len && h->value.data == ctx->set_cookie.data) {
            return 1;
        }

        if (h->value.len > name->len && h->value.data[name->len] == '='
            && ngx_strncmp(h->value.data, name->data, name->len) == 0)
        {
            h->hash = 0;
        }
    }

    return 0;
}


static ngx_int_t
ngx_http_pourover_send_cookie(ngx_http_request_t *r,
    ngx_http_pourover_ctx_t *ctx)
{
    if (ngx_http_pourover_sweep_cookies(r, ctx) || ctx->cookie.len == 0) {
        return NGX_OK;
    }

    if (ctx->set_cookie.len == 0
        && ngx_http_pourover_make_set_cookie(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_pourover_push_header(r, "Set-Cookie", &ctx->set_cookie)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ctx->visitor->cache_keep ? NGX_OK
                                    : ngx_http_pourover_make_private(r);
}


static ngx_int_t
ngx_http_pourover_send_verdict(ngx_http_request_t *r,
    ngx_http_pourover_choice_t *choice)
{
    u_char     *p;
    ngx_str_t   value, name;

    name = choice->service->name;

    value.data = ngx_pnalloc(r->pool,
                       sizeof("service= track=canary reason=version-cookie "
                              "share_ppm= revision= bucket= peer=")
                       + name.len + choice->peer.len + 3 * NGX_INT64_LEN);
    if (value.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(value.data,
                    "service=%V track=%s reason=%s share_ppm=%uD revision=%uL",
                    &name, zone_track_name(choice->decision.track),
                    zone_reason_name(choice->decision.reason),
                    choice->share_ppm, choice->revision);

    p = choice->decision.has_u
        ? ngx_sprintf(p, " bucket=%uD", choice->decision.bucket)
        : ngx_cpymem(p, " bucket=-", sizeof(" bucket=-") - 1);

    p = choice->peer.len ? ngx_sprintf(p, " peer=%V", &choice->peer)
                         : ngx_cpymem(p, " peer=-", sizeof(" peer=-") - 1);

    value.len = p - value.data;

    return ngx_http_pourover_push_header(r, "X-Pourover-Verdict", &value);
}


static ngx_int_t
ngx_http_pourover_header_filter(ngx_http_request_t *r)
{
    ngx_uint_t                   verdict;
    ngx_http_pourover_ctx_t     *ctx;
    ngx_http_pourover_choice_t  *choice;

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    ctx = ngx_http_pourover_get_ctx(r);
    if (ctx == NULL) {
        return ngx_http_next_header_filter(r);
    }

    if (ctx->visitor && ctx->visitor->cookie.len
        && ngx_http_pourover_send_cookie(r, ctx) != NGX_OK)
    {
        return NGX_ERROR;
    }

    verdict = ctx->verify == NGX_HTTP_POUROVER_VERIFY_NONE;

    for (choice = ctx->choices; choice; choice = choice->next) {

        if (choice->by_main && choice->first_get_us && !choice->header_us) {
            choice->header_us = clock_mono_us();
        }

        if (!verdict
            && (choice->by_main
                || ctx->verify == NGX_HTTP_POUROVER_VERIFY_CUT))
        {
            verdict = 1;

            if (ngx_http_pourover_send_verdict(r, choice) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return ngx_http_next_header_filter(r);
}


ngx_int_t
ngx_http_pourover_answer_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_pourover_header_filter;

    return NGX_OK;
}
