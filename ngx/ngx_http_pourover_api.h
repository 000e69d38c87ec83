
/*
 * A call of the API, shared by api.c, put.c and command.c.
 */

#ifndef _NGX_HTTP_POUROVER_API_H_INCLUDED_
#define _NGX_HTTP_POUROVER_API_H_INCLUDED_


#include "ngx_http_pourover_change.h"

#include "base/json.h"


#define NGX_HTTP_POUROVER_JSON       "application/json"
#define NGX_HTTP_POUROVER_ERROR_MAX  8192


typedef struct ngx_http_pourover_call_s  ngx_http_pourover_call_t;


/* a call that changes something */

typedef enum {
    NGX_HTTP_POUROVER_BODY_NONE = 0,
    NGX_HTTP_POUROVER_BODY_OPTIONAL,
    NGX_HTTP_POUROVER_BODY_REQUIRED
} ngx_http_pourover_body_e;

typedef struct {
    ngx_http_pourover_apply_pt        apply;
    ngx_http_pourover_body_e          body;

    /* the body and the call into the change; 0, or the code of err, with the
     * field at fault */
    int                             (*read)(ngx_http_pourover_call_t *call,
                                            struct str body, struct str *field,
                                            struct err *err);
    /* what answers tell besides epoch and saved; NULL: nothing */
    void                            (*render)(struct json_writer *w,
                                              ngx_http_pourover_call_t *call);

    unsigned                          unsaved:1;
    unsigned                          conflicts:1;  /* 409 tells it too */
} ngx_http_pourover_write_t;


/*
 * HEAD, or HEAD SERVICE TAIL, or HEAD SERVICE TAIL ADDRESS.  A row for each
 * method: a GET has a render or, when it needs more than the service, a get;
 * all others have a write.
 */

typedef enum {
    NGX_HTTP_POUROVER_PATH_PLAIN = 0,
    NGX_HTTP_POUROVER_PATH_SERVICE,
    NGX_HTTP_POUROVER_PATH_PEER
} ngx_http_pourover_path_e;

typedef struct {
    struct str                        head;
    struct str                        tail;
    ngx_http_pourover_path_e          path;
    ngx_uint_t                        method;
    ngx_http_pourover_render_pt       render;
    const char                       *type;
    ngx_int_t                       (*get)(ngx_http_pourover_call_t *call);
    const ngx_http_pourover_write_t  *write;
} ngx_http_pourover_route_t;


/* what a request asks for */

struct ngx_http_pourover_call_s {
    ngx_http_request_t               *r;
    ngx_http_pourover_zone_t         *zone;
    const ngx_http_pourover_route_t  *route;      /* NULL: none, or ... */
    ngx_uint_t                        known;      /* ... of other methods */
    struct str                        path;       /* below the location */
    struct str                        name;       /* of a service */
    struct str                        address;    /* of a peer */
    u_char                            canonical[NGX_SOCKADDR_STRLEN];
    struct service                   *service;
    ngx_http_pourover_change_t        change;
    struct event_cursor               after;      /* of events */
    uint64_t                          limit;
    ngx_uint_t                        registers;  /* of the statistics */
};


/* writes the whole body of an answer */
typedef void (*ngx_http_pourover_body_pt)(struct buf *buf,
    ngx_http_pourover_call_t *call);


/* NULL: no memory */
ngx_http_pourover_call_t *ngx_http_pourover_call(ngx_http_request_t *r);

/* answers with the text, which lives as long as the request */
ngx_int_t ngx_http_pourover_send(ngx_http_request_t *r, ngx_uint_t status,
    const char *type, struct str text);

/* answers 200 with what body writes, in as much memory as that needs */
ngx_int_t ngx_http_pourover_send_body(ngx_http_pourover_call_t *call,
    const char *type, ngx_http_pourover_body_pt body);

/* answers with an error; field "": the fault is no field's */
ngx_int_t ngx_http_pourover_error(ngx_http_pourover_call_t *call,
    ngx_uint_t status, const char *code, struct str field,
    const char *message);

/* ... that there is no such peer; message says so */
ngx_int_t ngx_http_pourover_no_peer(ngx_http_pourover_call_t *call,
    const char *message);

ngx_int_t ngx_http_pourover_put(ngx_http_pourover_call_t *call);


/* calls that have arguments, of command.c and render*.c */
ngx_int_t ngx_http_pourover_get_one_peer(ngx_http_pourover_call_t *call);
ngx_int_t ngx_http_pourover_get_stats(ngx_http_pourover_call_t *call);
ngx_int_t ngx_http_pourover_get_events(ngx_http_pourover_call_t *call);


/* command.c */

extern const ngx_http_pourover_write_t
    ngx_http_pourover_write_split, ngx_http_pourover_write_peer_put,
    ngx_http_pourover_write_peer_patch, ngx_http_pourover_write_peer_delete,
    ngx_http_pourover_write_maintenance, ngx_http_pourover_write_watch,
    ngx_http_pourover_write_fail, ngx_http_pourover_write_ok;


#endif /* _NGX_HTTP_POUROVER_API_H_INCLUDED_ */
