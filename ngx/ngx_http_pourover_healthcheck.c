
/*
 * Health checks that a router in front makes are answered here, by what the
 * applications behind say: a sidecar alone is never healthy.  While the zone's
 * flag says so they fail, and every answer of a service says it too.
 */

#include "ngx_http_pourover_told.h"


static ngx_http_output_header_filter_pt  ngx_http_next_header_filter;


static ngx_int_t ngx_http_pourover_healthcheck_handler(ngx_http_request_t *r);


/* the directive */

char *
ngx_http_pourover_conf_healthcheck(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_pourover_loc_conf_t  *plcf = conf;

    ngx_str_t                        *value, *name;
    ngx_uint_t                        i;
    ngx_http_core_loc_conf_t         *clcf;
    ngx_http_pourover_main_conf_t    *pmcf;
    ngx_http_pourover_healthcheck_t  *hc, **slot;

    if (plcf->healthcheck) {
        return (char *) "is duplicate";
    }

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pourover_module);
    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    value = cf->args->elts;

    hc = ngx_pcalloc(cf->pool, sizeof(ngx_http_pourover_healthcheck_t));
    slot = ngx_array_push(&pmcf->healthchecks);
    if (hc == NULL || slot == NULL
        || ngx_array_init(&hc->names, cf->pool, 1, sizeof(ngx_str_t)) != NGX_OK
        || ngx_array_init(&hc->services, cf->pool, 1,
                          sizeof(ngx_http_pourover_service_t *)) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    *slot = hc;
    plcf->healthcheck = hc;
    hc->clcf = clcf;
    hc->line = cf->conf_file->line;
    hc->file_name = ngx_pnalloc(cf->pool, cf->conf_file->file.name.len + 1);
    if (hc->file_name == NULL) {
        return NGX_CONF_ERROR;
    }

    (void) ngx_cpystrn(hc->file_name, cf->conf_file->file.name.data,
                       cf->conf_file->file.name.len + 1);

    for (i = 1; i < cf->args->nelts; i++) {
        name = ngx_array_push(&hc->names);
        if (name == NULL) {
            return NGX_CONF_ERROR;
        }

        *name = value[i];
    }

    if (hc->names.nelts && clcf->handler == NULL) {
        clcf->handler = ngx_http_pourover_healthcheck_handler;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_pourover_healthcheck_service(ngx_conf_t *cf,
    ngx_http_pourover_main_conf_t *pmcf, ngx_http_pourover_healthcheck_t *hc,
    ngx_str_t *name)
{
    const char                    *near;
    ngx_http_pourover_service_t   *ps, **slot;

    near = NULL;
    ps = ngx_http_pourover_find_service(pmcf, name, &near);

    if (ps == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "pourover_healthcheck: there is no service \"%V\"%s%s%s "
                      "in %s:%ui", name,
                      near ? ", did you mean \"" : "", near ? near : "",
                      near ? "\"?" : "", hc->file_name, hc->line);
        return NGX_ERROR;
    }

    if (!ps->checked) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "pourover_healthcheck: nobody checks the peers of "
                      "service \"%V\", so it would never pass; write "
                      "\"pourover_check http uri=/;\" into its upstream in "
                      "%s:%ui", name, hc->file_name, hc->line);
        return NGX_ERROR;
    }

    slot = ngx_array_push(&hc->services);
    if (slot == NULL) {
        return NGX_ERROR;
    }

    *slot = ps;

    return NGX_OK;
}


#if (NGX_HTTP_CACHE)

static ngx_int_t
ngx_http_pourover_healthcheck_cache(ngx_conf_t *cf,
    ngx_http_pourover_main_conf_t *pmcf, ngx_http_pourover_healthcheck_t *hc)
{
    ngx_uint_t                 i, fixed;
    ngx_http_upstream_conf_t  *conf;

    /* inherited settings of a module that the location does not use are
     * nothing; which one it uses is known unless a variable is in between */

    for (i = 0, fixed = 0; i < pmcf->npassing; i++) {
        conf = hc->clcf->loc_conf[pmcf->passing[i]];
        fixed |= conf->upstream != NULL;
    }

    for (i = 0; i < pmcf->npassing; i++) {
        conf = hc->clcf->loc_conf[pmcf->passing[i]];

        if (conf->cache && (conf->upstream || !fixed)) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "pourover_healthcheck: a cache would answer for the "
                          "application; write \"proxy_cache off;\" into its "
                          "location in %s:%ui", hc->file_name, hc->line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}

#endif


static ngx_int_t
ngx_http_pourover_healthcheck_check_one(ngx_conf_t *cf,
    ngx_http_pourover_main_conf_t *pmcf, ngx_http_pourover_healthcheck_t *hc)
{
    ngx_str_t   *name;
    ngx_uint_t   i;

    if (pmcf->zone == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "pourover_healthcheck needs a zone; write "
                      "\"pourover_zone name=main size=8m state=FILE;\" into "
                      "the http block in %s:%ui", hc->file_name, hc->line);
        return NGX_ERROR;
    }

    if (hc->names.nelts == 0) {

        if (hc->clcf->handler == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "pourover_healthcheck: checks have to reach the "
                          "application; write proxy_pass or grpc_pass into its "
                          "location, or name the services in %s:%ui",
                          hc->file_name, hc->line);
            return NGX_ERROR;
        }

#if (NGX_HTTP_CACHE)
        return ngx_http_pourover_healthcheck_cache(cf, pmcf, hc);
#else
        return NGX_OK;
#endif
    }

    if (hc->clcf->handler != ngx_http_pourover_healthcheck_handler) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "pourover_healthcheck answers by itself when it names "
                      "services; leave proxy_pass and its like out of its "
                      "location in %s:%ui", hc->file_name, hc->line);
        return NGX_ERROR;
    }

    name = hc->names.elts;

    for (i = 0; i < hc->names.nelts; i++) {
        if (ngx_http_pourover_healthcheck_service(cf, pmcf, hc, &name[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_pourover_healthcheck_check(ngx_conf_t *cf)
{
    ngx_uint_t                         i;
    ngx_http_pourover_main_conf_t     *pmcf;
    ngx_http_pourover_healthcheck_t  **hc;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pourover_module);
    hc = pmcf->healthchecks.elts;

    for (i = 0; i < pmcf->healthchecks.nelts; i++) {
        if (ngx_http_pourover_healthcheck_check_one(cf, pmcf, hc[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* answers */

static ngx_uint_t
ngx_http_pourover_failing(ngx_http_request_t *r)
{
    ngx_http_pourover_main_conf_t  *pmcf;

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_pourover_module);

    return atomic_load_explicit(&pmcf->zone->zone->failing.on,
                                memory_order_relaxed);
}


static ngx_int_t
ngx_http_pourover_healthcheck_say(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *text)
{
    ngx_str_t                 type;
    ngx_http_complex_value_t  cv;

    ngx_memzero(&cv, sizeof(ngx_http_complex_value_t));
    cv.value = *text;
    ngx_str_set(&type, "text/plain");

    return ngx_http_send_response(r, status, &type, &cv);
}


static ngx_int_t
ngx_http_pourover_healthcheck_fail(ngx_http_request_t *r)
{
    size_t                          len;
    u_char                          by[ZONE_BY_MAX];
    ngx_str_t                       text;
    struct failing                 *failing;
    ngx_http_pourover_main_conf_t  *pmcf;

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_pourover_module);
    failing = &pmcf->zone->zone->failing;

    text.data = ngx_pnalloc(r->pool,
                            sizeof("told to fail by \n") + ZONE_BY_MAX);
    if (text.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_shmtx_lock(&pmcf->zone->shpool->mutex);
    len = failing->by_len;
    ngx_memcpy(by, failing->by, len);
    ngx_shmtx_unlock(&pmcf->zone->shpool->mutex);

    text.len = ngx_sprintf(text.data, "told to fail%s%*s\n",
                           len ? " by " : "", len, by)
               - text.data;

    return ngx_http_pourover_healthcheck_say(r, NGX_HTTP_SERVICE_UNAVAILABLE,
                                             &text);
}


ngx_int_t
ngx_http_pourover_healthcheck_enter(ngx_http_request_t *r)
{
    if (ngx_http_pourover_failing(r)) {
        r->content_handler = ngx_http_pourover_healthcheck_fail;
    }

    return NGX_DECLINED;
}


static ngx_uint_t
ngx_http_pourover_passes(ngx_http_pourover_service_t *ps)
{
    struct service  *service;

    service = ps->service;

    return service
           && (atomic_load(&service->ready[TRACK_STABLE][HEALTH_UP])
               || atomic_load(&service->ready[TRACK_CANARY][HEALTH_UP]));
}


/* by the active checks of the services that are named */

static ngx_int_t
ngx_http_pourover_healthcheck_handler(ngx_http_request_t *r)
{
    u_char                            *p;
    size_t                             len;
    ngx_str_t                          text;
    ngx_uint_t                         i, failed;
    ngx_http_pourover_service_t      **ps;
    ngx_http_pourover_loc_conf_t      *plcf;
    ngx_http_pourover_healthcheck_t   *hc;

    plcf = ngx_http_get_module_loc_conf(r, ngx_http_pourover_module);
    hc = plcf->healthcheck;
    ps = hc->services.elts;
    len = sizeof("no peer passes its check:\n");

    for (i = 0; i < hc->services.nelts; i++) {
        len += ps[i]->name.len + sizeof(", ");
    }

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    text.data = p;
    p = ngx_sprintf(p, "no peer passes its check:");

    for (i = 0, failed = 0; i < hc->services.nelts; i++) {
        if (!ngx_http_pourover_passes(ps[i])) {
            p = ngx_sprintf(p, "%s %V", failed++ ? "," : "", &ps[i]->name);
        }
    }

    *p++ = '\n';
    text.len = p - text.data;

    if (failed == 0) {
        ngx_str_set(&text, "ok\n");
    }

    return ngx_http_pourover_healthcheck_say(r,
                               failed ? NGX_HTTP_SERVICE_UNAVAILABLE
                                      : NGX_HTTP_OK, &text);
}


/* every answer */

static ngx_uint_t
ngx_http_pourover_is_services(ngx_http_request_t *r,
    ngx_http_pourover_loc_conf_t *plcf)
{
    ngx_http_pourover_ctx_t     *ctx;
    ngx_http_pourover_choice_t  *choice;

    if (plcf->healthcheck) {
        return 1;
    }

    ctx = ngx_http_pourover_get_ctx(r);
    if (ctx == NULL) {
        return 0;
    }

    for (choice = ctx->choices; choice && !choice->used; choice = choice->next)
    {
        /* void */
    }

    return choice != NULL || ctx->maintained;
}


/* one header of that name, with this value */

static ngx_int_t
ngx_http_pourover_only_header(ngx_http_request_t *r, const char *lowcase,
    const char *key, ngx_str_t *value)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_out.headers.part;
    i = 0;

    while ((h = ngx_http_pourover_next_header(&part, &i, lowcase,
                                              ngx_strlen(lowcase)))
           != NULL)
    {
        h->hash = 0;
    }

    return ngx_http_pourover_push_header(r, key, value);
}


static ngx_int_t
ngx_http_pourover_healthcheck_filter(ngx_http_request_t *r)
{
    ngx_str_t                      value;
    ngx_http_pourover_loc_conf_t  *plcf;

    if (r != r->main) {
        return ngx_http_next_header_filter(r);
    }

    plcf = ngx_http_get_module_loc_conf(r, ngx_http_pourover_module);

    if (plcf->healthcheck) {
        ngx_str_set(&value, "no-store");

        if (ngx_http_pourover_only_header(r, "cache-control", "Cache-Control",
                                          &value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (ngx_http_pourover_failing(r)
        && ngx_http_pourover_is_services(r, plcf))
    {
        ngx_str_set(&value, "1");

        if (ngx_http_pourover_only_header(r, "x-pourover-fail",
                                          "X-Pourover-Fail", &value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return ngx_http_next_header_filter(r);
}


ngx_int_t
ngx_http_pourover_healthcheck_init(ngx_conf_t *cf)
{
    ngx_http_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_pourover_healthcheck_filter;

    return NGX_OK;
}
