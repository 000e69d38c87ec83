
/*
 * What differs between nginx versions: 1.23.0 made repeated headers linked
 * lists and gave ngx_table_elt_t a "next".
 */

#ifndef _NGX_HTTP_POUROVER_COMPAT_H_INCLUDED_
#define _NGX_HTTP_POUROVER_COMPAT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


#if (nginx_version >= 1023000)
#define ngx_http_pourover_elt_init(h)  ((h)->next = NULL)
#else
#define ngx_http_pourover_elt_init(h)
#endif


/* the i-th Cookie header of a request, NULL behind the last */

static ngx_inline ngx_table_elt_t *
ngx_http_pourover_cookie_header(ngx_http_request_t *r, ngx_uint_t i)
{
#if (nginx_version >= 1023000)

    ngx_table_elt_t  *h;

    for (h = r->headers_in.cookie; h && i; h = h->next, i--) { /* void */ }

    return h;

#else

    ngx_table_elt_t  **h;

    h = r->headers_in.cookies.elts;

    return i < r->headers_in.cookies.nelts ? h[i] : NULL;

#endif
}


#endif /* _NGX_HTTP_POUROVER_COMPAT_H_INCLUDED_ */
