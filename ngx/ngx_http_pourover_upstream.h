
/*
 * What the files about requests at peers share: upstream.c and those beside
 * it, and who calls them.
 */

#ifndef _NGX_HTTP_POUROVER_UPSTREAM_H_INCLUDED_
#define _NGX_HTTP_POUROVER_UPSTREAM_H_INCLUDED_


#include "ngx_http_pourover.h"


/* session.c */

#if (NGX_HTTP_SSL)
ngx_int_t ngx_http_pourover_set_session(ngx_peer_connection_t *pc,
    void *data);
void ngx_http_pourover_save_session(ngx_peer_connection_t *pc, void *data);
#endif


#endif /* _NGX_HTTP_POUROVER_UPSTREAM_H_INCLUDED_ */
