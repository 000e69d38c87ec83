
/*
 * What came of an attempt at an upstream, from what nginx knows of it: the same
 * whatever it does about it, another try, an error page, a stale answer.
 *
 * r->upstream->state is looked at, not headers_in: a stale answer from the
 * cache is parsed into that.
 */

#include "ngx_http_pourover_event.h"


ngx_uint_t
ngx_http_pourover_is_answered(ngx_http_upstream_t *u)
{
    return u && u->state && u->state->header_time != (ngx_msec_t) -1;
}


ngx_uint_t
ngx_http_pourover_is_stream(ngx_http_upstream_t *u)
{
    ngx_table_elt_t  *type;

    if (!ngx_http_pourover_is_answered(u)) {
        return 0;
    }

    type = u->headers_in.content_type;

    return u->upgrade
           || (type
               && type->value.len >= sizeof("text/event-stream") - 1
               && ngx_strncasecmp(type->value.data,
                                  (u_char *) "text/event-stream",
                                  sizeof("text/event-stream") - 1)
                  == 0);
}


static ngx_uint_t
ngx_http_pourover_client_gone(ngx_http_request_t *r)
{
    return r->connection->error || r->connection->timedout;
}


/* what became of a body; a client that leaves in the middle is nobody's fault,
 * streams end so */

typedef enum {
    NGX_HTTP_POUROVER_REST_WHOLE = 0,             /* or not asked for */
    NGX_HTTP_POUROVER_REST_LEFT,                  /* by the client, or by us */
    NGX_HTTP_POUROVER_REST_CUT
} ngx_http_pourover_rest_e;


static ngx_http_pourover_rest_e
ngx_http_pourover_buffered_body(ngx_http_request_t *r, ngx_event_pipe_t *p)
{
    if (p == NULL || p->upstream_done
        || (p->upstream_eof && p->length == -1))
    {
        return NGX_HTTP_POUROVER_REST_WHOLE;
    }

    return !p->upstream_eof && !p->upstream_error
           && (p->downstream_error || ngx_http_pourover_client_gone(r))
           ? NGX_HTTP_POUROVER_REST_LEFT : NGX_HTTP_POUROVER_REST_CUT;
}


/*
 * A length of -1 is that of a body that ends with its connection, which is not
 * there any more when the request has ended.
 */

static ngx_http_pourover_rest_e
ngx_http_pourover_unbuffered_body(ngx_http_request_t *r,
    ngx_http_upstream_t *u, ngx_connection_t *c)
{
    if (u->length == 0
        || (u->length == -1 && (c == NULL || c->read->eof)))
    {
        return NGX_HTTP_POUROVER_REST_WHOLE;
    }

    return ngx_http_pourover_client_gone(r) ? NGX_HTTP_POUROVER_REST_LEFT
                                            : NGX_HTTP_POUROVER_REST_CUT;
}


static ngx_http_pourover_rest_e
ngx_http_pourover_body(ngx_http_request_t *r, ngx_connection_t *c)
{
    ngx_http_upstream_t  *u;

    u = r->upstream;

    if (!u->header_sent || u->upgrade || r->header_only) {
        return NGX_HTTP_POUROVER_REST_WHOLE;
    }

    return u->buffering ? ngx_http_pourover_buffered_body(r, u->pipe)
                        : ngx_http_pourover_unbuffered_body(r, u, c);
}


static enum event_kind
ngx_http_pourover_kind_by_status(ngx_uint_t status)
{
    if (status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return EVENT_APP;
    }

    if (status >= NGX_HTTP_BAD_REQUEST) {
        return EVENT_CLIENT_ERROR;
    }

    return status >= NGX_HTTP_SPECIAL_RESPONSE
           && status != NGX_HTTP_NOT_MODIFIED ? EVENT_REDIRECT : EVENT_KINDS;
}


/*
 * The faults of a server.  A code that gRPC does not have is to be taken as
 * UNKNOWN; a whole answer without one is not whole.
 */

static void
ngx_http_pourover_kind_by_grpc(ngx_http_upstream_t *u,
    ngx_http_pourover_outcome_t *outcome)
{
    ngx_uint_t  status;

    status = ngx_http_pourover_grpc_status(u);

    switch (status) {

    case ZONE_GRPC_MISSING:
        outcome->kind = EVENT_TRUNCATED;
        return;

    case ZONE_GRPC_OTHER:
        status = 2;
        outcome->kind = EVENT_GRPC;
        break;

    case 2:                                       /* UNKNOWN */
    case 4:                                       /* DEADLINE_EXCEEDED */
    case 12:                                      /* UNIMPLEMENTED */
    case 13:                                      /* INTERNAL */
    case 14:                                      /* UNAVAILABLE */
    case 15:                                      /* DATA_LOSS */
        outcome->kind = EVENT_GRPC;
        break;

    default:
        break;
    }

    outcome->grpc = (ngx_int_t) status;
}


/* the header of an answer came whole */

static void
ngx_http_pourover_kind_of_answer(ngx_http_request_t *r, ngx_connection_t *c,
    ngx_http_pourover_outcome_t *outcome)
{
    ngx_http_pourover_rest_e  body;

    outcome->kind = ngx_http_pourover_kind_by_status(outcome->status);

    if (outcome->status >= NGX_HTTP_SPECIAL_RESPONSE) {
        return;
    }

    body = ngx_http_pourover_body(r, c);

    if (body == NGX_HTTP_POUROVER_REST_CUT) {
        outcome->kind = EVENT_TRUNCATED;

    } else if (body == NGX_HTTP_POUROVER_REST_WHOLE
               && outcome->status == NGX_HTTP_OK && r->upstream->header_sent
               && ngx_http_pourover_is_grpc(r))
    {
        ngx_http_pourover_kind_by_grpc(r->upstream, outcome);
    }
}


ngx_http_pourover_outcome_t
ngx_http_pourover_outcome(ngx_http_request_t *r, ngx_peer_connection_t *pc,
    ngx_uint_t state)
{
    ngx_connection_t             *c;
    ngx_http_upstream_t          *u;
    ngx_http_pourover_outcome_t   outcome = { EVENT_KINDS, 0, -1 };

    u = r->upstream;
    c = pc->connection;

    if (ngx_http_pourover_is_answered(u)) {
        outcome.status = u->state->status;
        ngx_http_pourover_kind_of_answer(r, c, &outcome);

        return outcome;
    }

    if (state & NGX_PEER_FAILED) {

        if (c && (c->read->timedout || c->write->timedout)) {
            outcome.kind = EVENT_TIMEOUT;

        } else {
            outcome.kind = c && u->request_sent ? EVENT_RESET : EVENT_CONNECT;
        }

        return outcome;
    }

    /* it was given up before an answer came */

    if (ngx_http_pourover_client_gone(r)) {
        outcome.kind = EVENT_CLIENT_GONE;

    } else if (c == NULL) {
        outcome.kind = EVENT_CONNECT;
    }

    return outcome;
}


/*
 * Without a peer of ours there are only the states, as $upstream_status and its
 * like read them.  A status without the time of a header is nginx's own.
 */

ngx_http_pourover_outcome_t
ngx_http_pourover_outcome_by_states(ngx_http_request_t *r, ngx_uint_t first)
{
    ngx_uint_t                    n;
    ngx_http_upstream_state_t    *state;
    ngx_http_pourover_outcome_t   outcome = { EVENT_KINDS, 0, -1 };

    if (r->upstream_states == NULL) {
        return outcome;
    }

    state = r->upstream_states->elts;
    n = r->upstream_states->nelts;

    while (first < n && state[first].peer == NULL) {
        first++;              /* stands between two upstreams */
    }

    if (first >= n) {
        return outcome;
    }

    state += first;

    if (state->header_time != (ngx_msec_t) -1) {
        outcome.status = state->status;

        if (first == n - 1 && r->upstream) {
            ngx_http_pourover_kind_of_answer(r, NULL, &outcome);

        } else {
            outcome.kind = ngx_http_pourover_kind_by_status(state->status);
        }

    } else if (state->status == NGX_HTTP_GATEWAY_TIME_OUT) {
        outcome.kind = EVENT_TIMEOUT;

    } else if (state->status == NGX_HTTP_BAD_GATEWAY) {
        outcome.kind = state->bytes_sent ? EVENT_RESET : EVENT_CONNECT;

    } else if (ngx_http_pourover_client_gone(r)) {
        outcome.kind = EVENT_CLIENT_GONE;
    }

    return outcome;
}
