
/*
 * Services out of service by command: their visitors get 503 and a page.
 *
 * A request is one to a service when its location passes it on to an upstream
 * that is the service, or, where that is chosen by variables, when the service
 * is the one that pourover_service names.  Static files are nobody's.
 */

#include "ngx_http_pourover_resolve.h"
#include "ngx_http_pourover_told.h"


#define NGX_HTTP_POUROVER_GRPC_UNAVAILABLE  "14"

#define NGX_HTTP_POUROVER_MESSAGE                                             \
    "This service is being worked on. Please try again in a moment."


static u_char  ngx_http_pourover_page_head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\">\n"
    "<head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\">"
    "<title>Back soon</title></head>\n"
    "<body><h1>Back soon</h1><p>";

static u_char  ngx_http_pourover_page_tail[] = "</p></body>\n</html>\n";


static ngx_http_pourover_maintenance_t  ngx_http_pourover_plain = {
    .retry_after = ngx_string("60")
};


/* the directive */

static ngx_int_t
ngx_http_pourover_maintenance_param(ngx_conf_t *cf, ngx_str_t *arg,
    ngx_http_pourover_maintenance_t *maintenance)
{
    ngx_int_t  seconds;
    ngx_str_t  v;

    if (ngx_http_pourover_conf_param(arg, "page", &v)
        && v.len > 1 && (v.data[0] == '/' || v.data[0] == '@'))
    {
        maintenance->page = v;
        return NGX_OK;
    }

    if (ngx_http_pourover_conf_param(arg, "allow", &v)) {
        maintenance->allow = ngx_http_pourover_conf_cidrs(cf, &v);
        return maintenance->allow ? NGX_OK : NGX_ERROR;
    }

    if (ngx_http_pourover_conf_param(arg, "retry_after", &v)) {
        seconds = ngx_parse_time(&v, 1);

        if (seconds == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "pourover_maintenance: retry_after \"%V\" is no "
                               "time; right is retry_after=60s", &v);
            return NGX_ERROR;
        }

        maintenance->retry_after.data = ngx_pnalloc(cf->pool, NGX_INT_T_LEN);
        if (maintenance->retry_after.data == NULL) {
            return NGX_ERROR;
        }

        maintenance->retry_after.len =
                       ngx_sprintf(maintenance->retry_after.data, "%i", seconds)
                       - maintenance->retry_after.data;
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "pourover_maintenance: invalid parameter \"%V\"; it "
                       "takes [page=/URI|@NAME] [retry_after=TIME] "
                       "[allow=CIDR[,CIDR]], or off alone", arg);

    return NGX_ERROR;
}


char *
ngx_http_pourover_conf_maintenance(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_pourover_loc_conf_t  *plcf = conf;

    ngx_str_t                        *value;
    ngx_uint_t                        i;
    ngx_http_pourover_maintenance_t  *maintenance;

    if (plcf->maintenance != NGX_CONF_UNSET_PTR) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        plcf->maintenance = NULL;
        return NGX_CONF_OK;
    }

    maintenance = ngx_palloc(cf->pool, sizeof(ngx_http_pourover_maintenance_t));
    if (maintenance == NULL) {
        return NGX_CONF_ERROR;
    }

    *maintenance = ngx_http_pourover_plain;
    plcf->maintenance = maintenance;

    for (i = 1; i < cf->args->nelts; i++) {
        if (ngx_http_pourover_maintenance_param(cf, &value[i], maintenance)
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


void
ngx_http_pourover_merge_maintenance(ngx_http_pourover_loc_conf_t *prev,
    ngx_http_pourover_loc_conf_t *conf)
{
    ngx_conf_merge_ptr_value(conf->maintenance, prev->maintenance,
                             &ngx_http_pourover_plain);
}


/*
 * Which service the requests of a location go to.  nginx does not tell what a
 * location passes on to before it does; but the configuration of each of its
 * modules that do so begins with an ngx_http_upstream_conf_t, which has it.
 */

void
ngx_http_pourover_find_passing(ngx_conf_t *cf)
{
    ngx_uint_t                      i, j;
    ngx_module_t                   *module;
    ngx_http_pourover_main_conf_t  *pmcf;

    static const char *const  names[NGX_HTTP_POUROVER_PASSING] = {
        "ngx_http_proxy_module", "ngx_http_grpc_module",
        "ngx_http_fastcgi_module", "ngx_http_uwsgi_module",
        "ngx_http_scgi_module", "ngx_http_memcached_module"
    };

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pourover_module);

    for (i = 0; cf->cycle->modules[i]; i++) {
        module = cf->cycle->modules[i];

        for (j = 0; j < NGX_HTTP_POUROVER_PASSING; j++) {
            if (ngx_strcmp(module->name, names[j]) == 0) {
                pmcf->passing[pmcf->npassing++] = module->ctx_index;
            }
        }
    }
}


static ngx_http_pourover_service_t *
ngx_http_pourover_passes_to(ngx_http_request_t *r,
    ngx_http_pourover_loc_conf_t *plcf)
{
    ngx_uint_t                      i, fixed;
    ngx_http_upstream_conf_t       *conf;
    ngx_http_upstream_srv_conf_t   *us;
    ngx_http_pourover_service_t    *ps;
    ngx_http_pourover_main_conf_t  *pmcf;

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_pourover_module);
    fixed = 0;

    for (i = 0; i < pmcf->npassing; i++) {
        conf = r->loc_conf[pmcf->passing[i]];
        us = conf->upstream;

        if (us == NULL) {
            continue;
        }

        ps = us->srv_conf ? ngx_http_pourover_service_by(us) : NULL;
        if (ps) {
            return ps;
        }

        fixed = 1;
    }

    if (plcf->service == NULL
        || (fixed && plcf->service->kind != SERVICE_CUT))
    {
        return NULL;
    }

    return plcf->service;
}


/* the service that the request goes to, or NULL */

static ngx_http_pourover_service_t *
ngx_http_pourover_asked(ngx_http_request_t *r,
    ngx_http_pourover_loc_conf_t *plcf)
{
    if (r->content_handler == NULL
        || r->content_handler == ngx_http_pourover_api_handler)
    {
        return NULL;
    }

    if (!plcf->looked) {
        plcf->passes_to = ngx_http_pourover_passes_to(r, plcf);
        plcf->looked = 1;
    }

    return plcf->passes_to && plcf->passes_to->service ? plcf->passes_to
                                                       : NULL;
}


static ngx_uint_t
ngx_http_pourover_maintained(ngx_http_request_t *r,
    ngx_http_pourover_maintenance_t *maintenance,
    ngx_http_pourover_service_t *ps)
{
    return atomic_load_explicit(&ps->service->maintenance.on,
                                memory_order_relaxed)
           && maintenance
           && !(maintenance->allow
                && ngx_cidr_match(r->connection->sockaddr, maintenance->allow)
                   == NGX_OK);
}


/* the answer */

static ngx_int_t
ngx_http_pourover_maintenance_count(ngx_http_request_t *r,
    ngx_http_pourover_service_t *ps)
{
    struct row                  *row;
    ngx_http_pourover_choice_t  *choice;

    choice = ngx_http_pourover_choose(r, ps);
    if (choice == NULL) {
        return NGX_ERROR;
    }

    row = ngx_http_pourover_row(ps);

    if (row && !choice->verify) {
        counter_add(&row->track[choice->decision.track]
                         .count[COUNTER_MAINTENANCE], 1);
    }

    return NGX_OK;
}


/* what the command said, or what we say; a copy */

static ngx_int_t
ngx_http_pourover_maintenance_text(ngx_http_request_t *r,
    ngx_http_pourover_service_t *ps, ngx_str_t *text)
{
    struct maintenance             *maintenance;
    ngx_http_pourover_main_conf_t  *pmcf;

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_pourover_module);
    maintenance = &ps->service->maintenance;

    text->data = ngx_pnalloc(r->pool, ZONE_TEXT_MAX);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    ngx_shmtx_lock(&pmcf->zone->shpool->mutex);
    text->len = maintenance->message_len;
    ngx_memcpy(text->data, maintenance->message, text->len);
    ngx_shmtx_unlock(&pmcf->zone->shpool->mutex);

    if (text->len == 0) {
        ngx_str_set(text, NGX_HTTP_POUROVER_MESSAGE);
    }

    return NGX_OK;
}


/*
 * A client of gRPC gets what ends a call at once: headers that are trailers
 * too.  The message is percent-encoded, as its specification wants.
 */

static ngx_int_t
ngx_http_pourover_maintenance_grpc(ngx_http_request_t *r, ngx_str_t *text)
{
    u_char     *p;
    size_t      i;
    ngx_int_t   rc;
    ngx_str_t   message, status;

    static const u_char  hex[] = "0123456789ABCDEF";

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    p = ngx_pnalloc(r->pool, 3 * text->len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    message.data = p;

    for (i = 0; i < text->len; i++) {
        if (text->data[i] < ' ' || text->data[i] > '~'
            || text->data[i] == '%')
        {
            *p++ = '%';
            *p++ = hex[text->data[i] >> 4];
            *p++ = hex[text->data[i] & 15];

        } else {
            *p++ = text->data[i];
        }
    }

    message.len = p - message.data;
    ngx_str_set(&status, NGX_HTTP_POUROVER_GRPC_UNAVAILABLE);

    if (ngx_http_pourover_push_header(r, "grpc-status", &status) != NGX_OK
        || ngx_http_pourover_push_header(r, "grpc-message", &message)
           != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = 0;
    ngx_str_set(&r->headers_out.content_type, "application/grpc");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->header_only = 1;

    return ngx_http_send_header(r);
}


/* does the client want a page? */

static ngx_uint_t
ngx_http_pourover_wants_html(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    i = 0;

    h = ngx_http_pourover_next_header(&part, &i, "accept", 6);

    return h
           && ngx_strlcasestrn(h->value.data, h->value.data + h->value.len,
                               (u_char *) "text/html", 9 - 1)
              != NULL;
}


static ngx_int_t
ngx_http_pourover_maintenance_page(ngx_http_request_t *r, ngx_str_t *text)
{
    u_char                    *p;
    ngx_str_t                  type;
    ngx_http_complex_value_t   cv;

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));

    p = ngx_pnalloc(r->pool, sizeof(ngx_http_pourover_page_head)
                             + sizeof(ngx_http_pourover_page_tail)
                             + 6 * text->len + 1);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    cv.value.data = p;

    if (ngx_http_pourover_wants_html(r)) {
        ngx_str_set(&type, "text/html; charset=utf-8");
        p = ngx_cpymem(p, ngx_http_pourover_page_head,
                       sizeof(ngx_http_pourover_page_head) - 1);
        p = (u_char *) ngx_escape_html(p, text->data, text->len);
        p = ngx_cpymem(p, ngx_http_pourover_page_tail,
                       sizeof(ngx_http_pourover_page_tail) - 1);

    } else {
        ngx_str_set(&type, "text/plain; charset=utf-8");
        p = ngx_cpymem(p, text->data, text->len);
        *p++ = '\n';
    }

    cv.value.len = p - cv.value.data;

    return ngx_http_send_response(r, NGX_HTTP_SERVICE_UNAVAILABLE, &type, &cv);
}


/* as nginx sends its error pages */

static ngx_int_t
ngx_http_pourover_maintenance_redirect(ngx_http_request_t *r, ngx_str_t *page)
{
    ngx_str_t  uri, args;

    uri = *page;
    r->err_status = NGX_HTTP_SERVICE_UNAVAILABLE;

    if (uri.data[0] == '@') {
        return ngx_http_named_location(r, &uri);
    }

    if (r->method != NGX_HTTP_HEAD) {
        r->method = NGX_HTTP_GET;
        r->method_name = ngx_http_core_get_method;
    }

    ngx_http_split_args(r, &uri, &args);

    return ngx_http_internal_redirect(r, &uri, &args);
}


static ngx_int_t
ngx_http_pourover_maintenance_answer(ngx_http_request_t *r)
{
    ngx_str_t                      text, no_store;
    ngx_uint_t                     again;
    ngx_http_pourover_ctx_t       *ctx;
    ngx_http_pourover_service_t   *ps;
    ngx_http_pourover_loc_conf_t  *plcf;

    plcf = ngx_http_get_module_loc_conf(r, ngx_http_pourover_module);
    ctx = ngx_http_pourover_make_ctx(r);
    ps = plcf->passes_to;

    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    again = ctx->maintained;    /* the page is the service's own */
    ctx->maintained = 1;
    ngx_str_set(&no_store, "no-store");

    if (!again
        && (ngx_http_pourover_maintenance_count(r, ps) != NGX_OK
            || ngx_http_pourover_push_header(r, "Cache-Control", &no_store)
               != NGX_OK
            || ngx_http_pourover_push_header(r, "Retry-After",
                                             &plcf->maintenance->retry_after)
               != NGX_OK))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_pourover_maintenance_text(r, ps, &text) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (ngx_http_pourover_is_grpc(r)) {
        return ngx_http_pourover_maintenance_grpc(r, &text);
    }

    if (plcf->maintenance->page.len && !again) {
        return ngx_http_pourover_maintenance_redirect(r,
                                                    &plcf->maintenance->page);
    }

    return ngx_http_pourover_maintenance_page(r, &text);
}


/*
 * In PREACCESS, before the track is decided: while a request waits for names to
 * be resolved, the canary looks dead.  The answer is given as content, so that
 * a location's access rules hold for it.
 */

ngx_int_t
ngx_http_pourover_told_handler(ngx_http_request_t *r)
{
    ngx_http_pourover_service_t   *ps;
    ngx_http_pourover_loc_conf_t  *plcf;

    plcf = ngx_http_get_module_loc_conf(r, ngx_http_pourover_module);

    if (plcf->healthcheck) {
        return ngx_http_pourover_healthcheck_enter(r);
    }

    ps = ngx_http_pourover_asked(r, plcf);

    if (ps == NULL) {
        return NGX_DECLINED;
    }

    if (!ngx_http_pourover_maintained(r, plcf->maintenance, ps)) {
        return ngx_http_pourover_resolve_wait(r, ps);
    }

    if (r != r->main) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    r->content_handler = ngx_http_pourover_maintenance_answer;

    return NGX_DECLINED;
}
