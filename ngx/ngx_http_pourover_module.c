
/*
 * The module's tables.  docs/reference/nginx-directives.md is their manual.
 *
 * Life of a request, and where it is written:
 *
 *   POST_READ     who is it?          visitor.c   id from header, cookie, draw
 *   PREACCESS     which track?        track.c     frozen; headers for upstreams
 *                 by command?         maintenance.c, healthcheck.c
 *   peer.init     which peer?         upstream.c  two choices, retries, pins
 *   header filter the cookie          answer.c    once, on every kind of answer
 *   LOG           what came of it?    log.c       counted in this process's row
 */

#include "ngx_http_pourover_check.h"
#include "ngx_http_pourover_resolve.h"
#include "ngx_http_pourover_told.h"
#include "ngx_http_pourover_upstream.h"


static ngx_int_t ngx_http_pourover_init(ngx_conf_t *cf);


static ngx_command_t  ngx_http_pourover_commands[] = {

    { ngx_string("pourover_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_pourover_conf_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pourover"),
      NGX_HTTP_UPS_CONF|NGX_CONF_1MORE,
      ngx_http_pourover_conf_upstream,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pourover_server"),
      NGX_HTTP_UPS_CONF|NGX_CONF_1MORE,
      ngx_http_pourover_conf_server,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pourover_check"),
      NGX_HTTP_UPS_CONF|NGX_CONF_1MORE,
      ngx_http_pourover_conf_active,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pourover_passive"),
      NGX_HTTP_UPS_CONF|NGX_CONF_1MORE,
      ngx_http_pourover_conf_passive,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pourover_cut"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_pourover_conf_cut,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pourover_service"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_pourover_conf_service,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pourover_visitor"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_http_pourover_conf_visitor,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pourover_version_cookie"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_http_pourover_conf_version,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pourover_force"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_pourover_conf_force,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pourover_headers"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_pourover_conf_headers,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pourover_maintenance"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_pourover_conf_maintenance,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pourover_healthcheck"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_pourover_conf_healthcheck,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pourover_other_track"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_pourover_conf_other_track,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("pourover_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_ANY,
      ngx_http_pourover_api,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_pourover_module_ctx = {
    ngx_http_pourover_add_variables,       /* preconfiguration */
    ngx_http_pourover_init,                /* postconfiguration */

    ngx_http_pourover_create_main_conf,    /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_http_pourover_create_srv_conf,     /* create server configuration */
    ngx_http_pourover_merge_srv_conf,      /* merge server configuration */

    ngx_http_pourover_create_loc_conf,     /* create location configuration */
    ngx_http_pourover_merge_loc_conf       /* merge location configuration */
};


ngx_module_t  ngx_http_pourover_module = {
    NGX_MODULE_V1,
    &ngx_http_pourover_module_ctx,         /* module context */
    ngx_http_pourover_commands,            /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_pourover_init_module,         /* init module */
    ngx_http_pourover_init_process,        /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_pourover_exit_process,        /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/*
 * First in the list of its phase.  nginx goes through the lists from their
 * ends: realip has told the client's address when POST_READ comes to us.  Only
 * the log phase goes from the start: we have counted when access logs read
 * $pourover_track, which hands nothing over any more.
 */

static ngx_int_t
ngx_http_pourover_push(ngx_conf_t *cf, ngx_uint_t phase,
    ngx_http_handler_pt handler)
{
    ngx_http_handler_pt        *h, *first;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    h = ngx_array_push(&cmcf->phases[phase].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    first = cmcf->phases[phase].handlers.elts;
    ngx_memmove(first + 1, first, (u_char *) h - (u_char *) first);
    *first = handler;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_init(ngx_conf_t *cf)
{
    ngx_http_pourover_main_conf_t  *pmcf;

    pmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_pourover_module);

    if (ngx_http_pourover_conf_check(cf) != NGX_OK
        || ngx_http_pourover_resolve_check(cf) != NGX_OK
        || ngx_http_pourover_healthcheck_check(cf) != NGX_OK
        || ngx_http_pourover_api_check(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (pmcf->zone == NULL) {
        /* loaded but not used: nothing of the request path is touched */
        return NGX_OK;
    }

    if (pmcf->zone->state.len
        && ngx_http_pourover_state_check(cf, pmcf->zone) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_pourover_push(cf, NGX_HTTP_POST_READ_PHASE,
                               ngx_http_pourover_visitor_handler) != NGX_OK
        || ngx_http_pourover_push(cf, NGX_HTTP_PREACCESS_PHASE,
                                  ngx_http_pourover_told_handler) != NGX_OK
        || ngx_http_pourover_push(cf, NGX_HTTP_PREACCESS_PHASE,
                                  ngx_http_pourover_track_handler) != NGX_OK
        || ngx_http_pourover_push(cf, NGX_HTTP_LOG_PHASE,
                                  ngx_http_pourover_log_handler) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* ours comes after the one that takes such a header out of an answer */
    if (ngx_http_pourover_told_init(cf) != NGX_OK
        || ngx_http_pourover_healthcheck_init(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_pourover_answer_init(cf);
}
