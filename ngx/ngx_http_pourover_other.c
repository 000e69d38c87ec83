
/*
 * pourover_other_track: a 404 from a request's own track is asked again at the
 * other one.  A page comes from one version, its hashed scripts may be there
 * in the other only.
 *
 *   at home   a 404 comes           -> turned, if the other track has a peer
 *   turned    it fails, nobody left -> back: a 404 is better than a 502
 *   turned    any answer            is the visitor's
 *   back      any answer            is the visitor's
 *
 * nginx asks the next peer by u->conf->next_upstream, so the request gets a
 * copy of that.  The header X-Pourover-Track is the request's own throughout.
 */

#include "ngx_http_pourover_upstream.h"


#define NGX_HTTP_POUROVER_MISSING                                             \
    (NGX_HTTP_UPSTREAM_FT_HTTP_403|NGX_HTTP_UPSTREAM_FT_HTTP_404)

/* whatever the other track does wrong is worse than the 404 */

#define NGX_HTTP_POUROVER_WRONG                                               \
    (NGX_HTTP_UPSTREAM_FT_ERROR|NGX_HTTP_UPSTREAM_FT_TIMEOUT                  \
     |NGX_HTTP_UPSTREAM_FT_INVALID_HEADER|NGX_HTTP_UPSTREAM_FT_HTTP_500       \
     |NGX_HTTP_UPSTREAM_FT_HTTP_502|NGX_HTTP_UPSTREAM_FT_HTTP_503             \
     |NGX_HTTP_UPSTREAM_FT_HTTP_504|NGX_HTTP_UPSTREAM_FT_HTTP_429)


char *
ngx_http_pourover_conf_other_track(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf)
{
    ngx_http_pourover_loc_conf_t  *plcf = conf;

    ngx_str_t   *value, list;
    ngx_uint_t   bits;
    struct str   rest, head;

    if (plcf->other_track != NGX_CONF_UNSET_UINT) {
        return (char *) "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 3 && ngx_strncmp(value[1].data, "off", 3) == 0) {
        plcf->other_track = 0;
        return NGX_CONF_OK;
    }

    bits = 0;

    if (ngx_http_pourover_conf_param(&value[1], "on", &list)) {
        rest = ngx_http_pourover_str(list);

        while (str_cut(&rest, ',', &head)) {
            if (str_eq(head, STR("404"))) {
                bits |= NGX_HTTP_UPSTREAM_FT_HTTP_404;

            } else if (str_eq(head, STR("403"))) {
                bits |= NGX_HTTP_UPSTREAM_FT_HTTP_403;

            } else {
                bits = 0;
                break;
            }
        }
    }

    if (bits == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "pourover_other_track cannot be \"%V\"; right is "
                           "on=404, on=404,403 or off", &value[1]);
        return NGX_CONF_ERROR;
    }

    plcf->other_track = bits;

    return NGX_CONF_OK;
}


static enum track
ngx_http_pourover_not(enum track track)
{
    return track == TRACK_CANARY ? TRACK_STABLE : TRACK_CANARY;
}


ngx_int_t
ngx_http_pourover_other_arm(ngx_http_pourover_attempt_t *pd)
{
    ngx_http_request_t            *r;
    ngx_http_upstream_t           *u;
    ngx_http_upstream_conf_t      *conf;
    ngx_http_pourover_loc_conf_t  *plcf;

    r = pd->request;
    plcf = ngx_http_get_module_loc_conf(r, ngx_http_pourover_module);

    if (plcf->other_track == 0
        || !(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
        || zone_ready(pd->service->service, ngx_http_pourover_not(pd->track),
                      LEVEL_PASSING)
           == 0)
    {
        return NGX_OK;
    }

    conf = ngx_palloc(r->pool, sizeof(ngx_http_upstream_conf_t));
    if (conf == NULL) {
        return NGX_ERROR;
    }

    u = r->upstream;
    *conf = *u->conf;
    conf->next_upstream |= plcf->other_track;

    if (conf->next_upstream_tries) {
        conf->next_upstream_tries++;
    }

    u->conf = conf;
    u->peer.tries++;
    pd->other = plcf->other_track;

    return NGX_OK;
}


/* the answer is one for which the other track is asked */

static ngx_uint_t
ngx_http_pourover_missing(ngx_http_pourover_attempt_t *pd)
{
    switch (pd->request->upstream->headers_in.status_n) {
    case NGX_HTTP_NOT_FOUND:
        return pd->other & NGX_HTTP_UPSTREAM_FT_HTTP_404;
    case NGX_HTTP_FORBIDDEN:
        return pd->other & NGX_HTTP_UPSTREAM_FT_HTTP_403;
    default:
        return 0;
    }
}


ngx_uint_t
ngx_http_pourover_other_turns(ngx_http_pourover_attempt_t *pd,
    ngx_uint_t state)
{
    return pd->other
           && pd->turned == NGX_HTTP_POUROVER_AT_HOME
           && (state & NGX_PEER_NEXT)
           && pd->track == pd->choice->decision.track
           && ngx_http_pourover_missing(pd);
}


void
ngx_http_pourover_other_enter(ngx_http_pourover_attempt_t *pd)
{
    ngx_http_upstream_conf_t  *conf;

    conf = pd->request->upstream->conf;
    conf->next_upstream &= ~NGX_HTTP_POUROVER_MISSING;
    conf->next_upstream |= NGX_HTTP_POUROVER_WRONG;
}


void
ngx_http_pourover_other_failed(ngx_peer_connection_t *pc,
    ngx_http_pourover_attempt_t *pd)
{
    pd->turned = NGX_HTTP_POUROVER_BACK;
    pd->track = ngx_http_pourover_not(pd->track);
    pd->tried.count = 0;
    pc->tries = 1;
}


void
ngx_http_pourover_other_next(ngx_peer_connection_t *pc,
    ngx_http_pourover_attempt_t *pd, ngx_uint_t state)
{
    switch (pd->turned) {

    case NGX_HTTP_POUROVER_AT_HOME:

        if (ngx_http_pourover_other_turns(pd, state)) {
            pd->turned = NGX_HTTP_POUROVER_TURNED;
            pd->track = ngx_http_pourover_not(pd->track);

            /* nginx looks for a status that is tried elsewhere while there is
             * one more try after this one */
            pc->tries = 2;
        }

        break;

    case NGX_HTTP_POUROVER_TURNED:

        if (state & NGX_PEER_FAILED) {
            if (!pd->redo) {
                ngx_http_pourover_other_failed(pc, pd);
            }

        } else if (pd->request->upstream->headers_in.status_n
                   && !ngx_http_pourover_missing(pd))
        {
            ngx_http_pourover_count(pd, COUNTER_OTHER_TRACK);
        }

        break;

    case NGX_HTTP_POUROVER_BACK:
        break;
    }
}
