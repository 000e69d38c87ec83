
/* $pourover_...: what was decided, for configurations and access logs. */

#include "ngx_http_pourover.h"

#include "base/clock.h"


typedef enum {
    NGX_HTTP_POUROVER_VAR_ID = 0,
    NGX_HTTP_POUROVER_VAR_TRACK,
    NGX_HTTP_POUROVER_VAR_REASON,
    NGX_HTTP_POUROVER_VAR_SHARE,
    NGX_HTTP_POUROVER_VAR_REVISION,
    NGX_HTTP_POUROVER_VAR_EPOCH,
    NGX_HTTP_POUROVER_VAR_BUCKET,
    NGX_HTTP_POUROVER_VAR_PEER,
    NGX_HTTP_POUROVER_VAR_PEER_NAME
} ngx_http_pourover_var_e;


static ngx_int_t ngx_http_pourover_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_pourover_variable_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_pourover_variable_epoch(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_http_variable_t  ngx_http_pourover_vars[] = {

    { ngx_string("pourover_id"), NULL, ngx_http_pourover_variable_id,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("pourover_epoch"), NULL, ngx_http_pourover_variable_epoch,
      0, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("pourover_track"), NULL, ngx_http_pourover_variable,
      NGX_HTTP_POUROVER_VAR_TRACK, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("pourover_reason"), NULL, ngx_http_pourover_variable,
      NGX_HTTP_POUROVER_VAR_REASON, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("pourover_share"), NULL, ngx_http_pourover_variable,
      NGX_HTTP_POUROVER_VAR_SHARE, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("pourover_revision"), NULL, ngx_http_pourover_variable,
      NGX_HTTP_POUROVER_VAR_REVISION, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("pourover_bucket"), NULL, ngx_http_pourover_variable,
      NGX_HTTP_POUROVER_VAR_BUCKET, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("pourover_peer"), NULL, ngx_http_pourover_variable,
      NGX_HTTP_POUROVER_VAR_PEER, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("pourover_peer_name"), NULL, ngx_http_pourover_variable,
      NGX_HTTP_POUROVER_VAR_PEER_NAME, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


static ngx_int_t
ngx_http_pourover_text(ngx_http_variable_value_t *v, const void *data,
    size_t len)
{
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;
    v->data = (u_char *) data;
    v->len = (unsigned) len & 0xfffffff;

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_number(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uint64_t n)
{
    u_char  *p;

    p = ngx_pnalloc(r->pool, NGX_INT64_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_pourover_text(v, p, ngx_sprintf(p, "%uL", n) - p);
}


static ngx_int_t
ngx_http_pourover_variable_id(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_pourover_ctx_t  *ctx;

    ctx = ngx_http_pourover_get_ctx(r);

    return ctx ? ngx_http_pourover_text(v, ctx->id.data, ctx->id.len)
               : ngx_http_pourover_text(v, "", 0);
}


static ngx_int_t
ngx_http_pourover_variable_epoch(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_pourover_main_conf_t  *pmcf;

    pmcf = ngx_http_get_module_main_conf(r, ngx_http_pourover_module);

    if (pmcf->zone == NULL || pmcf->zone->zone == NULL) {
        return ngx_http_pourover_text(v, "", 0);
    }

    return ngx_http_pourover_number(r, v,
                                    atomic_load(&pmcf->zone->zone->epoch));
}


/*
 * In the host-switching form the variable is the hand-over: whoever reads the
 * track of a service without peers sends the request there.  A service with
 * peers may be reached so too, its gRPC part by an upstream of its own, say;
 * then only the directive that passes the request on counts, which evaluates
 * its parameter before it gives the upstream its configuration.  What access
 * logs read comes after the answer and our own log handler, and counts nothing.
 */

static void
ngx_http_pourover_hand_over(ngx_http_request_t *r,
    ngx_http_pourover_choice_t *choice)
{
    if (r->header_sent
        || (choice->service->kind != SERVICE_CUT
            && !(r->upstream && r->upstream->conf == NULL)))
    {
        return;
    }

    if (choice->first_get_us == 0) {
        choice->first_get_us = clock_mono_us();
    }

    ngx_http_pourover_event_begin(r, choice, choice->first_get_us);

    choice->used = 1;
    choice->by_main |= r == r->main;
}


static ngx_int_t
ngx_http_pourover_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const char                  *name;
    ngx_http_pourover_choice_t  *choice;

    choice = ngx_http_pourover_named_choice(r);
    if (choice == NULL) {
        return ngx_http_pourover_text(v, "", 0);
    }

    switch ((ngx_http_pourover_var_e) data) {

    case NGX_HTTP_POUROVER_VAR_TRACK:
        ngx_http_pourover_hand_over(r, choice);
        name = zone_track_name(choice->decision.track);
        return ngx_http_pourover_text(v, name, ngx_strlen(name));

    case NGX_HTTP_POUROVER_VAR_REASON:
        name = zone_reason_name(choice->decision.reason);
        return ngx_http_pourover_text(v, name, ngx_strlen(name));

    case NGX_HTTP_POUROVER_VAR_SHARE:
        return ngx_http_pourover_number(r, v, choice->share_ppm);

    case NGX_HTTP_POUROVER_VAR_REVISION:
        return ngx_http_pourover_number(r, v, choice->revision);

    case NGX_HTTP_POUROVER_VAR_BUCKET:
        return choice->decision.has_u
               ? ngx_http_pourover_number(r, v, choice->decision.bucket)
               : ngx_http_pourover_text(v, "", 0);

    case NGX_HTTP_POUROVER_VAR_PEER:
        return ngx_http_pourover_text(v, choice->peer.data, choice->peer.len);

    case NGX_HTTP_POUROVER_VAR_PEER_NAME:
        return ngx_http_pourover_text(v, choice->peer_name.data,
                                      choice->peer_name.len);

    case NGX_HTTP_POUROVER_VAR_ID:
    case NGX_HTTP_POUROVER_VAR_EPOCH:
        break;
    }

    return ngx_http_pourover_text(v, "", 0);
}


ngx_int_t
ngx_http_pourover_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_pourover_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}
