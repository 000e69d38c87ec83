
/* Names whose addresses are peers; see resolve.c. */

#ifndef _NGX_HTTP_POUROVER_RESOLVE_H_INCLUDED_
#define _NGX_HTTP_POUROVER_RESOLVE_H_INCLUDED_


#include "ngx_http_pourover.h"


/* all is read: EMERG when there are names and no resolver */
ngx_int_t ngx_http_pourover_resolve_check(ngx_conf_t *cf);
/* every tick of the worker that does what is to be done once */
void ngx_http_pourover_resolve_tick(ngx_http_pourover_zone_t *pz);
/* NGX_AGAIN: the request waits for the first addresses of the service */
ngx_int_t ngx_http_pourover_resolve_wait(ngx_http_request_t *r,
    ngx_http_pourover_service_t *ps);


#endif /* _NGX_HTTP_POUROVER_RESOLVE_H_INCLUDED_ */
