
/*
 * TLS sessions with peers, of which nginx asks the balancer.
 */

#include "ngx_http_pourover_upstream.h"


#if (NGX_HTTP_SSL)

/* a TLS session to the peer in a slot, good for one generation of the slot */

typedef struct ngx_http_pourover_session_s  ngx_http_pourover_session_t;

struct ngx_http_pourover_session_s {
    uint32_t                       generation;
    ngx_ssl_session_t             *session;
};


/*
 * TLS sessions live in the process that made them; a slot's generation tells
 * them from those of the peer that had the slot before.
 */

static ngx_http_pourover_session_t *
ngx_http_pourover_session(ngx_http_pourover_attempt_t *pd)
{
    ngx_http_pourover_session_t  *session;

    if (pd->service->sessions == NULL) {
        pd->service->sessions = ngx_pcalloc(ngx_cycle->pool,
                      ZONE_PEERS_MAX * sizeof(ngx_http_pourover_session_t));
        if (pd->service->sessions == NULL) {
            return NULL;
        }
    }

    session = &pd->service->sessions[pd->slot];

    if (session->session && session->generation != META_GENERATION(pd->meta)) {
        ngx_ssl_free_session(session->session);
        session->session = NULL;
    }

    session->generation = META_GENERATION(pd->meta);

    return session;
}


ngx_int_t
ngx_http_pourover_set_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_pourover_attempt_t  *pd = data;

    ngx_http_pourover_session_t  *session;

    session = ngx_http_pourover_session(pd);
    if (session == NULL) {
        return NGX_ERROR;
    }

    return ngx_ssl_set_session(pc->connection, session->session);
}


void
ngx_http_pourover_save_session(ngx_peer_connection_t *pc, void *data)
{
    ngx_http_pourover_attempt_t  *pd = data;

    ngx_ssl_session_t            *new;
    ngx_http_pourover_session_t  *session;

    session = ngx_http_pourover_session(pd);
    new = ngx_ssl_get_session(pc->connection);

    if (session == NULL || new == NULL) {
        return;
    }

    if (session->session) {
        ngx_ssl_free_session(session->session);
    }

    session->session = new;
}

#endif
