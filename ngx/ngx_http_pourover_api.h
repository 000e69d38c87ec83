
/*
 * A call of the API, shared by api.c and put.c.
 */

#ifndef _NGX_HTTP_POUROVER_API_H_INCLUDED_
#define _NGX_HTTP_POUROVER_API_H_INCLUDED_


#include "ngx_http_pourover.h"


#define NGX_HTTP_POUROVER_JSON       "application/json"
#define NGX_HTTP_POUROVER_ERROR_MAX  8192


/* HEAD, or HEAD NAME TAIL with the name of a service; the first that fits */

typedef struct ngx_http_pourover_call_s  ngx_http_pourover_call_t;

typedef void (*ngx_http_pourover_body_pt)(struct buf *buf,
    ngx_http_pourover_call_t *call);

typedef struct {
    struct str                    head;
    struct str                    tail;
    ngx_uint_t                    named;
    ngx_http_pourover_render_pt   render;         /* NULL: it is the PUT */
    const char                   *type;
    ngx_int_t                   (*get)(ngx_http_pourover_call_t *call);
} ngx_http_pourover_route_t;


/* what a request asks for */

struct ngx_http_pourover_call_s {
    ngx_http_request_t               *r;
    ngx_http_pourover_zone_t         *zone;
    const ngx_http_pourover_route_t  *route;
    struct str                        path;       /* below the location */
    struct str                        name;       /* of a service */
    struct service                   *service;
    ngx_http_pourover_change_t        change;
    struct event_cursor               after;      /* of events */
    uint64_t                          limit;
    ngx_uint_t                        registers;  /* of the statistics */
};


/* NULL: no memory */
ngx_http_pourover_call_t *ngx_http_pourover_call(ngx_http_request_t *r);

/* answers with the text, which lives as long as the request */
ngx_int_t ngx_http_pourover_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, struct str text);

/* answers with an error; field "": the fault is no field's.  A call that has a
 * change tells the split too */
ngx_int_t ngx_http_pourover_error(ngx_http_pourover_call_t *call,
    ngx_uint_t status, const char *code, struct str field,
    const char *message);

ngx_int_t ngx_http_pourover_put(ngx_http_pourover_call_t *call);

/* answers with what body writes into a buf that is large enough */
ngx_int_t ngx_http_pourover_send_body(ngx_http_pourover_call_t *call,
    const char *type, ngx_http_pourover_body_pt body);

/* calls that have arguments */
ngx_int_t ngx_http_pourover_get_events(ngx_http_pourover_call_t *call);
ngx_int_t ngx_http_pourover_get_stats(ngx_http_pourover_call_t *call);


#endif /* _NGX_HTTP_POUROVER_API_H_INCLUDED_ */
