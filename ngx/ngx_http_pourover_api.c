
/*
 * The API: calls and answers.  docs/reference/api.md is its specification,
 * guard.c says who may call, put.c and command.c change things, render*.c and
 * prometheus.c write the bodies.
 */

#include "ngx_http_pourover_api.h"
#include "ngx_http_pourover_compat.h"

#include "base/json.h"


#define NGX_HTTP_POUROVER_ANSWER_MIN  16384
#define NGX_HTTP_POUROVER_ANSWER_MAX  (256u * 1024 * 1024)


static const char  ngx_http_pourover_text[] =
    "text/plain; version=0.0.4; charset=utf-8";

#define NGX_HTTP_POUROVER_PLAIN(path)                                         \
    { path, sizeof(path) - 1 }, { "", 0 }, NGX_HTTP_POUROVER_PATH_PLAIN
#define NGX_HTTP_POUROVER_OF_SERVICE(tail)                                    \
    { "v1/services/", 12 }, { tail, sizeof(tail) - 1 },                       \
    NGX_HTTP_POUROVER_PATH_SERVICE
#define NGX_HTTP_POUROVER_OF_PEER                                             \
    { "v1/services/", 12 }, { "/peers/", 7 }, NGX_HTTP_POUROVER_PATH_PEER

#define NGX_HTTP_POUROVER_RENDER(render)                                      \
    NGX_HTTP_GET, render, NGX_HTTP_POUROVER_JSON, NULL, NULL
#define NGX_HTTP_POUROVER_ASK(get)                                            \
    NGX_HTTP_GET, NULL, NULL, get, NULL
#define NGX_HTTP_POUROVER_WRITE(method, write)                                \
    method, NULL, NULL, NULL, &write

static const ngx_http_pourover_route_t  ngx_http_pourover_routes[] = {

    { NGX_HTTP_POUROVER_PLAIN("v1/status"),
      NGX_HTTP_POUROVER_RENDER(ngx_http_pourover_render_status) },

    { NGX_HTTP_POUROVER_PLAIN("v1/services"),
      NGX_HTTP_POUROVER_RENDER(ngx_http_pourover_render_services) },

    { NGX_HTTP_POUROVER_OF_SERVICE(""),
      NGX_HTTP_POUROVER_RENDER(ngx_http_pourover_render_service) },

    { NGX_HTTP_POUROVER_OF_SERVICE("/split"),
      NGX_HTTP_POUROVER_WRITE(NGX_HTTP_PUT, ngx_http_pourover_write_split) },

    { NGX_HTTP_POUROVER_OF_PEER,
      NGX_HTTP_POUROVER_ASK(ngx_http_pourover_get_one_peer) },

    { NGX_HTTP_POUROVER_OF_PEER,
      NGX_HTTP_POUROVER_WRITE(NGX_HTTP_PUT,
                              ngx_http_pourover_write_peer_put) },

    { NGX_HTTP_POUROVER_OF_PEER,
      NGX_HTTP_POUROVER_WRITE(NGX_HTTP_PATCH,
                              ngx_http_pourover_write_peer_patch) },

    { NGX_HTTP_POUROVER_OF_PEER,
      NGX_HTTP_POUROVER_WRITE(NGX_HTTP_DELETE,
                              ngx_http_pourover_write_peer_delete) },

    { NGX_HTTP_POUROVER_OF_SERVICE("/maintenance"),
      NGX_HTTP_POUROVER_WRITE(NGX_HTTP_PUT,
                              ngx_http_pourover_write_maintenance) },

    { NGX_HTTP_POUROVER_OF_SERVICE("/stats"),
      NGX_HTTP_POUROVER_ASK(ngx_http_pourover_get_stats) },

    { NGX_HTTP_POUROVER_OF_SERVICE("/events"),
      NGX_HTTP_POUROVER_ASK(ngx_http_pourover_get_events) },

    { NGX_HTTP_POUROVER_OF_SERVICE("/watch"),
      NGX_HTTP_POUROVER_WRITE(NGX_HTTP_PUT, ngx_http_pourover_write_watch) },

    { NGX_HTTP_POUROVER_PLAIN("healthcheck/fail"),
      NGX_HTTP_POUROVER_WRITE(NGX_HTTP_POST, ngx_http_pourover_write_fail) },

    { NGX_HTTP_POUROVER_PLAIN("healthcheck/ok"),
      NGX_HTTP_POUROVER_WRITE(NGX_HTTP_POST, ngx_http_pourover_write_ok) },

    { NGX_HTTP_POUROVER_PLAIN("v1/verify"),
      NGX_HTTP_POUROVER_RENDER(ngx_http_pourover_render_verify) },

    { NGX_HTTP_POUROVER_PLAIN("metrics"),
      NGX_HTTP_GET, ngx_http_pourover_render_metrics, ngx_http_pourover_text,
      NULL, NULL },
};

#define NGX_HTTP_POUROVER_ROUTES                                              \
    (sizeof(ngx_http_pourover_routes) / sizeof(ngx_http_pourover_routes[0]))

static const struct {
    ngx_uint_t   method;
    const char  *name;
} ngx_http_pourover_methods[] = {
    { NGX_HTTP_GET, "GET, HEAD" },
    { NGX_HTTP_PUT, "PUT" },
    { NGX_HTTP_PATCH, "PATCH" },
    { NGX_HTTP_DELETE, "DELETE" },
    { NGX_HTTP_POST, "POST" }
};

#define NGX_HTTP_POUROVER_METHODS                                             \
    (sizeof(ngx_http_pourover_methods) / sizeof(ngx_http_pourover_methods[0]))

static const char *const  ngx_http_pourover_paths[] = {
    "v1/status", "v1/services", "v1/services/S", "v1/services/S/split",
    "v1/services/S/peers/ADDRESS", "v1/services/S/maintenance",
    "v1/services/S/stats", "v1/services/S/events", "v1/services/S/watch",
    "healthcheck/fail", "healthcheck/ok", "v1/verify", "metrics"
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

    /* as it is now, when the change was thought of another state */
    if (call->change.status == status && call->route->write->render
        && (status == NGX_HTTP_INSUFFICIENT_STORAGE
            ? call->change.err.code != ERR_FULL
            : status == NGX_HTTP_CONFLICT && call->route->write->conflicts))
    {
        call->route->write->render(&w, call);
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
               "calls are v1/status, v1/services, v1/services/S and what is "
               "below it, healthcheck/fail, healthcheck/ok, v1/verify and "
               "metrics");
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


ngx_int_t
ngx_http_pourover_no_peer(ngx_http_pourover_call_t *call, const char *message)
{
    char                *text;
    size_t               n, slot, slots;
    struct err           err;
    const char         **names, *near;
    enum peer_state      state;
    const struct peer   *peer;

    slots = atomic_load(&call->service->slots);
    names = ngx_palloc(call->r->pool, (slots + 1) * sizeof(char *));
    text = ngx_pnalloc(call->r->pool, (slots + 1) * (ZONE_ADDRESS_MAX + 1));
    if (names == NULL || text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    n = 0;

    ngx_shmtx_lock(&call->zone->shpool->mutex);

    for (slot = 0; slot < slots; slot++) {
        state = META_STATE(zone_peer_meta(call->zone->zone, call->service,
                                          (unsigned) slot));

        if (state != PEER_FREE && state != PEER_REMOVED) {
            peer = zone_peer(call->zone->zone, call->service, (unsigned) slot);
            names[n++] = text;
            (void) ngx_cpystrn((u_char *) text, (u_char *) peer->address,
                               peer->address_len + 1u);
            text += peer->address_len + 1;
        }
    }

    ngx_shmtx_unlock(&call->zone->shpool->mutex);

    near = str_nearest(call->address, names, n);
    (void) err_set(&err, ERR_NOT_FOUND, "%s%s%s%s", message,
                   near ? "; did you mean \"" : "", near ? near : "",
                   near ? "\"?" : "");

    return ngx_http_pourover_error(call, NGX_HTTP_NOT_FOUND, "not_found",
                                   STR(""), err.msg);
}


/* does the path fit?  Then call has what is in it: a service's name has no
 * slash, the address of a peer may have some */

static ngx_uint_t
ngx_http_pourover_route_fits(const ngx_http_pourover_route_t *route,
    ngx_http_pourover_call_t *call)
{
    struct str  name, rest;

    if (route->path == NGX_HTTP_POUROVER_PATH_PLAIN) {
        return str_eq(call->path, route->head);
    }

    if (!str_starts_with(call->path, route->head)) {
        return 0;
    }

    name.ptr = call->path.ptr + route->head.len;
    name.len = call->path.len - route->head.len;
    name.len = str_find_char(name, '/');

    rest.ptr = name.ptr + name.len;
    rest.len = (size_t) (call->path.ptr + call->path.len - rest.ptr);

    if (name.len == 0 || !str_starts_with(rest, route->tail)) {
        return 0;
    }

    rest.ptr += route->tail.len;
    rest.len -= route->tail.len;

    if ((rest.len > 0) != (route->path == NGX_HTTP_POUROVER_PATH_PEER)) {
        return 0;
    }

    call->name = name;
    call->address = rest;

    return 1;
}


static void
ngx_http_pourover_route(ngx_http_pourover_call_t *call)
{
    ngx_uint_t  i, method;

    method = call->r->method == NGX_HTTP_HEAD ? NGX_HTTP_GET : call->r->method;

    for (i = 0; i < NGX_HTTP_POUROVER_ROUTES; i++) {
        if (!ngx_http_pourover_route_fits(&ngx_http_pourover_routes[i], call)) {
            continue;
        }

        call->known = 1;

        if (ngx_http_pourover_routes[i].method == method) {
            call->route = &ngx_http_pourover_routes[i];
            return;
        }
    }
}


/* the size that a body is likely to have, so that it is written once */

static size_t
ngx_http_pourover_guess(ngx_http_pourover_call_t *call)
{
    size_t           size;
    struct service  *service;

    size = NGX_HTTP_POUROVER_ANSWER_MIN;

    if (call->service) {
        return size + atomic_load(&call->service->slots) * 1024;
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
    ngx_http_pourover_route(call);

    if (call->name.len) {
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
    char        *allow;
    ngx_uint_t   i, j;
    struct buf   buf;
    struct err   err;

    allow = ngx_pnalloc(call->r->pool, 64);
    if (allow == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    buf_init_fixed(&buf, allow, 64);

    for (i = 0; i < NGX_HTTP_POUROVER_METHODS; i++) {
        for (j = 0; j < NGX_HTTP_POUROVER_ROUTES; j++) {
            if (ngx_http_pourover_routes[j].method
                == ngx_http_pourover_methods[i].method
                && ngx_http_pourover_route_fits(&ngx_http_pourover_routes[j],
                                                call))
            {
                buf_addf(&buf, "%s%s", buf.len ? ", " : "",
                         ngx_http_pourover_methods[i].name);
            }
        }
    }

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

    if (guard == NGX_OK && call->route && call->route->write
        && (call->name.len == 0 || call->service))
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

    if (!call->known) {
        return ngx_http_pourover_no_call(call);
    }

    if (call->route == NULL) {
        return ngx_http_pourover_wrong_method(call);
    }

    if (call->name.len && call->service == NULL) {
        return ngx_http_pourover_no_service(call);
    }

    if (call->route->get) {
        return call->route->get(call);
    }

    return ngx_http_pourover_send_body(call, call->route->type,
                                       ngx_http_pourover_rendered);
}
