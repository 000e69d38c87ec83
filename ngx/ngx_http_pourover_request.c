
/*
 * A client request's context, and the list of its headers.
 */

#include "ngx_http_pourover.h"
#include "ngx_http_pourover_compat.h"


/*
 * Contexts go from request to request: they are warm in the cache, and a
 * request's pool, of which nginx's own work fills nearly two blocks, does not
 * need a third for what we add.
 */

static ngx_http_pourover_ctx_t  *ngx_http_pourover_free;


/* also marks the context's place among the pool's cleanups */

static void
ngx_http_pourover_ctx_cleanup(void *data)
{
    ngx_http_pourover_ctx_t  *ctx = data;

    ngx_http_pourover_choice_t  *choice;

    /* one that the access log made */

    for (choice = ctx->choices; choice; choice = choice->next) {
        ngx_http_pourover_event_unwatch(choice);
    }

#if defined(__SANITIZE_ADDRESS__)
    /* whoever still uses it is to be seen */
    ngx_free(ctx);
#else
    ctx->next = ngx_http_pourover_free;
    ngx_http_pourover_free = ctx;
#endif
}


ngx_http_pourover_ctx_t *
ngx_http_pourover_get_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t       *cln;
    ngx_http_pourover_ctx_t  *ctx;

    r = r->main;
    ctx = ngx_http_get_module_ctx(r, ngx_http_pourover_module);

    if (ctx == NULL && (r->internal || r->filter_finalize)) {

        /* redirects to locations and special responses forget contexts */

        for (cln = r->pool->cleanup; cln; cln = cln->next) {
            if (cln->handler == ngx_http_pourover_ctx_cleanup) {
                ctx = cln->data;
                ngx_http_set_ctx(r, ctx, ngx_http_pourover_module);
                break;
            }
        }
    }

    return ctx;
}


ngx_http_pourover_ctx_t *
ngx_http_pourover_make_ctx(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t            *cln;
    ngx_http_pourover_ctx_t       *ctx;
    ngx_http_pourover_srv_conf_t  *pscf;

    ctx = ngx_http_pourover_get_ctx(r);
    if (ctx) {
        return ctx;
    }

    r = r->main;

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    ctx = ngx_http_pourover_free;

    if (ctx) {
        ngx_http_pourover_free = ctx->next;

    } else {
        ctx = ngx_alloc(sizeof(ngx_http_pourover_ctx_t), r->connection->log);
        if (ctx == NULL) {
            return NULL;
        }
    }

    ngx_memzero(ctx, offsetof(ngx_http_pourover_ctx_t, room));
    cln->data = ctx;
    cln->handler = ngx_http_pourover_ctx_cleanup;

    pscf = ngx_http_get_module_srv_conf(r, ngx_http_pourover_module);
    ctx->visitor = pscf->visitor;

    ngx_http_set_ctx(r, ctx, ngx_http_pourover_module);

    return ctx;
}


void *
ngx_http_pourover_alloc(ngx_http_request_t *r, ngx_http_pourover_ctx_t *ctx,
    size_t size)
{
    void  *p;

    size = ngx_align(size, NGX_ALIGNMENT);

    if (size > NGX_HTTP_POUROVER_ROOM - ctx->used) {
        return ngx_palloc(r->pool, size);
    }

    p = ctx->room + ctx->used;
    ctx->used += size;

    return p;
}


/* request headers */

static ngx_uint_t
ngx_http_pourover_name_is(ngx_str_t *key, const char *name, size_t len)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < len; i++) {
        c = key->data[i];
        c = c == '_' ? '-' : ngx_tolower(c);

        if (c != (u_char) name[i]) {
            return 0;
        }
    }

    return 1;
}


ngx_table_elt_t *
ngx_http_pourover_next_header(ngx_list_part_t **part, ngx_uint_t *i,
    const char *name, size_t len)
{
    ngx_table_elt_t  *h;

    while (*part) {

        while (*i < (*part)->nelts) {
            h = (ngx_table_elt_t *) (*part)->elts + (*i)++;

            if (h->key.len == len
                && ngx_http_pourover_name_is(&h->key, name, len))
            {
                return h;
            }
        }

        *part = (*part)->next;
        *i = 0;
    }

    return NULL;
}


static ngx_uint_t
ngx_http_pourover_is_ours(ngx_table_elt_t *h)
{
    return h->key.len > sizeof("x-pourover-") - 1
           && (h->key.data[0] | 0x20) == 'x'
           && (h->key.data[2] | 0x20) == 'p'
           && ngx_http_pourover_name_is(&h->key, "x-pourover-",
                                        sizeof("x-pourover-") - 1);
}


static ngx_uint_t
ngx_http_pourover_is_proxys(ngx_table_elt_t *h)
{
    return (h->key.len == 3 && ngx_http_pourover_name_is(&h->key, "via", 3))
           || (h->key.len == 9
               && (ngx_http_pourover_name_is(&h->key, "forwarded", 9)
                   || ngx_http_pourover_name_is(&h->key, "x-real-ip", 9)))
           || (h->key.len == 15
               && ngx_http_pourover_name_is(&h->key, "x-forwarded-for", 15));
}


void
ngx_http_pourover_look(ngx_http_request_t *r, ngx_http_pourover_seen_t *seen)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_memzero(seen, sizeof(ngx_http_pourover_seen_t));

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (ngx_http_pourover_is_ours(&h[i])) {
                seen->ours++;

                if (h[i].key.len == sizeof("x-pourover-verify") - 1
                    && (h[i].key.data[11] | 0x20) == 'v')
                {
                    seen->verify = &h[i];
                }

                continue;
            }

            seen->proxied |= ngx_http_pourover_is_proxys(&h[i]);
        }
    }
}


/*
 * Takes X-Pourover-... out of the list.  A part that loses one gets a new
 * array: r->headers_in.host and its like point into the old one, which a later
 * push would otherwise write over.
 */

ngx_int_t
ngx_http_pourover_remove_ours(ngx_http_request_t *r)
{
    ngx_list_t       *list;
    ngx_uint_t        i, n;
    ngx_list_part_t  *part, *prev;
    ngx_table_elt_t  *from, *to;

    list = &r->headers_in.headers;
    prev = NULL;

    for (part = &list->part; part; part = part->next) {
        from = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (ngx_http_pourover_is_ours(&from[i])) {
                break;
            }
        }

        if (i == part->nelts) {
            prev = part;
            continue;
        }

        to = ngx_palloc(r->pool, list->nalloc * sizeof(ngx_table_elt_t));
        if (to == NULL) {
            return NGX_ERROR;
        }

        for (i = 0, n = 0; i < part->nelts; i++) {
            if (!ngx_http_pourover_is_ours(&from[i])) {
                to[n++] = from[i];
            }
        }

        part->elts = to;
        part->nelts = n;

        if (n == 0 && prev) {
            /* nginx's loops read the first element of every further part */
            prev->next = part->next;

            if (list->last == part) {
                list->last = prev;
            }

        } else {
            prev = part;
        }
    }

    return NGX_OK;
}
