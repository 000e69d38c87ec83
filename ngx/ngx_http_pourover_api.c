
/*
 * The API: calls and answers.  docs/reference/api.md is its specification,
 * guard.c says who may call, put.c changes a split, render.c and prometheus.c
 * write the bodies.
 */

#include "ngx_http_pourover_api.h"
#include "ngx_http_pourover_compat.h"

#include "base/json.h"


#define NGX_HTTP_POUROVER_ANSWER_MIN  16384
#define NGX_HTTP_POUROVER_ANSWER_MAX  (256u * 1024 * 1024)


static const char  ngx_http_pourover_text[] =
    "text/plain; version=0.0.4; charset=utf-8";

static const ngx_http_pourover_route_t  ngx_http_pourover_routes[] = {

    { { "v1/services/", 12 }, { "/split", 6 }, 1,
      NULL, NULL, NULL },

    { { "v1/services/", 12 }, { "/stats", 6 }, 1,
      NULL, NULL, ngx_http_pourover_get_stats },

    { { "v1/services/", 12 }, { "/events", 7 }, 1,
      NULL, NULL, ngx_http_pourover_get_events },

    { { "v1/services/", 12 }, { "", 0 }, 1,
      ngx_http_pourover_render_service, NGX_HTTP_POUROVER_JSON, NULL },

    { { "v1/services", 11 }, { "", 0 }, 0,
      ngx_http_pourover_render_services, NGX_HTTP_POUROVER_JSON, NULL },

    { { "v1/status", 9 }, { "", 0 }, 0,
      ngx_http_pourover_render_status, NGX_HTTP_POUROVER_JSON, NULL },

    { { "v1/verify", 9 }, { "", 0 }, 0,
      ngx_http_pourover_render_verify, NGX_HTTP_POUROVER_JSON, NULL },

    { { "metrics", 7 }, { "", 0 }, 0,
      ngx_http_pourover_render_metrics, ngx_http_pourover_text, NULL },
};

static const char *const  ngx_http_pourover_paths[] = {
    "v1/status", "v1/services", "v1/services/S", "v1/services/S/split",
    "v1/services/S/stats", "v1/services/S/events", "v1/verify", "metrics"
};


static ngx_int_t
ngx_http_pourover_header(ngx_http_request_t *r, const char *name,
    const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    h->hash = 1;
    ngx_http_pourover_elt_init(h);
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = (u_char *) value;
    h->value.len = ngx_strlen(value);

    return NGX_OK;
}


ngx_int_t
ngx_http_pourover_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, struct str text)
{
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t   out;

    r->headers_out.status = status;
    r->headers_out.content_length_n = (off_t) text.len;
    r->headers_out.content_type.data = (u_char *) type;
    r->headers_out.content_type.len = ngx_strlen(type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    if (ngx_http_pourover_header(r, "Cache-Control", "no-store") != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = (u_char *) text.ptr;
    b->last = b->pos + text.len;
    b->memory = 1;
    b->last_buf = r == r->main;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_http_pourover_error(ngx_http_pourover_call_t *call, ngx_uint_t status,
    const char *code, struct str field, const char *message)
{
    void                *mem;
    struct buf           buf;
    struct json_writer   w;

    mem = ngx_pnalloc(call->r->pool, NGX_HTTP_POUROVER_ERROR_MAX);
    if (mem == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    buf_init_fixed(&buf, mem, NGX_HTTP_POUROVER_ERROR_MAX);
    json_writer_init(&w, &buf);
    json_obj_begin(&w);
    json_kv_u64(&w, "epoch", atomic_load(&call->zone->zone->epoch));

    if (status == NGX_HTTP_INSUFFICIENT_STORAGE) {
        json_kv_bool(&w, "saved", 0);
    }

    json_key(&w, "error");
    json_obj_begin(&w);
    json_kv_cstr(&w, "code", code);
    json_kv_cstr(&w, "message", message);
    json_kv_str(&w, "field", field);
    json_obj_end(&w);

    if (call->change.service) {
        ngx_http_pourover_render_split(&w, &call->change.now);
    }

    json_obj_end(&w);

    return ngx_http_pourover_send(call->r, status, NGX_HTTP_POUROVER_JSON,
                                  buf_str(&buf));
}


static ngx_int_t
ngx_http_pourover_not_found(ngx_http_pourover_call_t *call, const char *what,
    struct str name, const char *near, const char *right)
{
    struct err  err;

    if (name.len > 2 * ZONE_NAME_MAX) {
        name.len = 2 * ZONE_NAME_MAX;
    }

    if (near) {
        (void) err_set(&err, ERR_NOT_FOUND, "there is no %s \"" STR_FMT
                       "\"; did you mean \"%s\"?", what, STR_ARG(name), near);

    } else {
        (void) err_set(&err, ERR_NOT_FOUND, "there is no %s \"" STR_FMT
                       "\"; %s", what, STR_ARG(name), right);
    }

    return ngx_http_pourover_error(call, NGX_HTTP_NOT_FOUND, "not_found",
                                   STR(""), err.msg);
}


static ngx_int_t
ngx_http_pourover_no_call(ngx_http_pourover_call_t *call)
{
    return ngx_http_pourover_not_found(call, "call", call->path,
               str_nearest(call->path, ngx_http_pourover_paths,
                           sizeof(ngx_http_pourover_paths)
                           / sizeof(ngx_http_pourover_paths[0])),
               "calls are v1/status, v1/services, v1/services/S, "
               "v1/services/S/split, v1/services/S/stats, "
               "v1/services/S/events, v1/verify and metrics");
}


static ngx_int_t
ngx_http_pourover_no_service(ngx_http_pourover_call_t *call)
{
    char             *text;
    size_t            n, room;
    const char      **names;
    struct zone      *zone;
    struct service   *service;

    zone = call->zone->zone;
    room = 0;

    for (service = zone_service_first(zone);
         service;
         service = zone_service_next(zone, service))
    {
        room++;
    }

    names = ngx_palloc(call->r->pool, (room + 1) * sizeof(char *));
    text = ngx_pnalloc(call->r->pool, (room + 1) * (ZONE_NAME_MAX + 1));
    if (names == NULL || text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    n = 0;

    /* a reload may add some meanwhile */

    for (service = zone_service_first(zone);
         service && n < room;
         service = zone_service_next(zone, service))
    {
        if (atomic_load(&service->listed)) {
            names[n++] = text;
            (void) ngx_cpystrn((u_char *) text, (u_char *) service->name,
                               service->name_len + 1);
            text += service->name_len + 1;
        }
    }

    return ngx_http_pourover_not_found(call, "service", call->name,
                                       str_nearest(call->name, names, n),
                                       "v1/services lists them all");
}


/* does the path fit?  *name: what stands between head and tail */

static ngx_uint_t
ngx_http_pourover_route_fits(const ngx_http_pourover_route_t *route,
    struct str path, struct str *name)
{
    if (!route->named) {
        return str_eq(path, route->head);
    }

    if (path.len <= route->head.len + route->tail.len
        || !str_starts_with(path, route->head)
        || !str_ends_with(path, route->tail))
    {
        return 0;
    }

    name->ptr = path.ptr + route->head.len;
    name->len = path.len - route->head.len - route->tail.len;

    return 1;
}


static const ngx_http_pourover_route_t *
ngx_http_pourover_route(struct str path, struct str *name)
{
    ngx_uint_t  i;

    for (i = 0;
         i < sizeof(ngx_http_pourover_routes)
             / sizeof(ngx_http_pourover_routes[0]);
         i++)
    {
        if (ngx_http_pourover_route_fits(&ngx_http_pourover_routes[i], path,
                                         name))
        {
            return &ngx_http_pourover_routes[i];
        }
    }

    return NULL;
}


/* the size that a body is likely to have, so that it is written once */

static size_t
ngx_http_pourover_guess(ngx_http_pourover_call_t *call)
{
    size_t           size;
    struct service  *service;

    size = NGX_HTTP_POUROVER_ANSWER_MIN;

    if (call->service) {
        return size + atomic_load(&call->service->slots) * 512;
    }

    for (service = zone_service_first(call->zone->zone);
         service;
         service = zone_service_next(call->zone->zone, service))
    {
        size += 512;
    }

    return size;
}


ngx_int_t
ngx_http_pourover_send_body(ngx_http_pourover_call_t *call, const char *type,
    ngx_http_pourover_body_pt body)
{
    void                *mem;
    size_t               size;
    struct buf           buf;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(call->r->pool, 0);
    if (cln == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    for (size = ngx_http_pourover_guess(call);
         size <= NGX_HTTP_POUROVER_ANSWER_MAX;
         size *= 4)
    {
        mem = ngx_alloc(size, call->r->connection->log);
        if (mem == NULL) {
            break;
        }

        buf_init_fixed(&buf, mem, size);
        body(&buf, call);

        if (!buf.failed) {
            cln->handler = free;
            cln->data = mem;

            return ngx_http_pourover_send(call->r, NGX_HTTP_OK, type,
                                          buf_str(&buf));
        }

        ngx_free(mem);
    }

    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static void
ngx_http_pourover_rendered(struct buf *buf, ngx_http_pourover_call_t *call)
{
    call->route->render(buf, call->zone, call->service);
}


static ngx_int_t
ngx_http_pourover_get(ngx_http_pourover_call_t *call)
{
    if (call->route->get) {
        return call->route->get(call);
    }

    return ngx_http_pourover_send_body(call, call->route->type,
                                       ngx_http_pourover_rendered);
}


static ngx_http_pourover_api_conf_t *
ngx_http_pourover_api_conf(ngx_http_request_t *r)
{
    ngx_uint_t                       i;
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_pourover_api_conf_t   **api;
    ngx_http_pourover_main_conf_t   *pmcf;

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_pourover_module);
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    api = pmcf->apis.elts;

    for (i = 0; i < pmcf->apis.nelts; i++) {
        if (api[i]->clcf == clcf) {
            return api[i];
        }
    }

    return NULL;
}


ngx_http_pourover_call_t *
ngx_http_pourover_call(ngx_http_request_t *r)
{
    size_t                          len;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_pourover_call_t       *call;
    ngx_http_pourover_main_conf_t  *pmcf;

    call = ngx_pcalloc(r->pool, sizeof(ngx_http_pourover_call_t));
    if (call == NULL) {
        return NULL;
    }

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_pourover_module);
    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    len = ngx_min(clcf->name.len, r->uri.len);

    call->r = r;
    call->zone = pmcf->zone;
    call->path.ptr = (char *) r->uri.data + len;
    call->path.len = r->uri.len - len;
    call->route = ngx_http_pourover_route(call->path, &call->name);

    if (call->route && call->route->named) {
        call->service = zone_service_find(call->zone->zone, call->name);

        if (call->service && !atomic_load(&call->service->listed)) {
            call->service = NULL;
        }
    }

    return call;
}


static ngx_int_t
ngx_http_pourover_refuse(ngx_http_pourover_call_t *call, ngx_uint_t status,
    const char *message)
{
    if (status == NGX_HTTP_UNAUTHORIZED
        && ngx_http_pourover_header(call->r, "WWW-Authenticate",
                                    "Bearer realm=\"pourover\"")
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_pourover_error(call, status,
                                   status == NGX_HTTP_UNAUTHORIZED
                                   ? "unauthorized" : "forbidden",
                                   STR(""), message);
}


static ngx_int_t
ngx_http_pourover_wrong_method(ngx_http_pourover_call_t *call)
{
    const char  *allow;
    struct err   err;

    allow = call->route->render || call->route->get ? "GET, HEAD" : "PUT";

    if (ngx_http_pourover_header(call->r, "Allow", allow) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    (void) err_set(&err, ERR_INVALID, "the method is " STR_FMT
                   "; right for this call is %s",
                   STR_ARG(ngx_http_pourover_str(call->r->method_name)),
                   allow);

    return ngx_http_pourover_error(call, NGX_HTTP_NOT_ALLOWED, "method",
                                   STR(""), err.msg);
}


ngx_int_t
ngx_http_pourover_api_handler(ngx_http_request_t *r)
{
    ngx_int_t                      rc, guard;
    const char                    *message;
    ngx_http_pourover_call_t      *call;
    ngx_http_pourover_api_conf_t  *api;

    api = ngx_http_pourover_api_conf(r);
    call = ngx_http_pourover_call(r);

    if (api == NULL || call == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    guard = ngx_http_pourover_guard(r, api, &message);

    if (guard == NGX_OK && call->route && call->route->render == NULL
        && call->route->get == NULL && call->service && r->method == NGX_HTTP_PUT)
    {
        return ngx_http_pourover_put(call);
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    if (guard != NGX_OK) {
        return ngx_http_pourover_refuse(call, (ngx_uint_t) guard, message);
    }

    if (call->route == NULL) {
        return ngx_http_pourover_no_call(call);
    }

    if (call->route->render || call->route->get
        ? !(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
                            : r->method != NGX_HTTP_PUT)
    {
        return ngx_http_pourover_wrong_method(call);
    }

    if (call->route->named && call->service == NULL) {
        return ngx_http_pourover_no_service(call);
    }

    return ngx_http_pourover_get(call);
}
