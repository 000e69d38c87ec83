
/*
 * What the files about requests at peers share: upstream.c and those beside
 * it, and who calls them.
 */

#ifndef _NGX_HTTP_POUROVER_UPSTREAM_H_INCLUDED_
#define _NGX_HTTP_POUROVER_UPSTREAM_H_INCLUDED_


#include "ngx_http_pourover.h"


/* upstream.c */

/* under the chosen track, unless the request only verifies */
void ngx_http_pourover_count(ngx_http_pourover_attempt_t *pd,
    enum counter counter);


/* session.c */

#if (NGX_HTTP_SSL)
ngx_int_t ngx_http_pourover_set_session(ngx_peer_connection_t *pc,
    void *data);
void ngx_http_pourover_save_session(ngx_peer_connection_t *pc, void *data);
#endif


/* passive.c */

/* X-Pourover-Fail and its like are looked for in the answers of upstreams */
ngx_int_t ngx_http_pourover_told_init(ngx_conf_t *cf);
/* while the peer is still pinned */
void ngx_http_pourover_peer_failed(ngx_peer_connection_t *pc,
    ngx_http_pourover_attempt_t *pd);
void ngx_http_pourover_peer_answered(ngx_http_pourover_attempt_t *pd);


/*
 * drain.c: every tick of every worker.  Lists what it has in flight at peers
 * that are drained, and ends what is there beyond the drain's limits.
 */

void ngx_http_pourover_drain_tick(ngx_http_pourover_zone_t *pz);
/* a worker that goes has nothing in flight */
void ngx_http_pourover_drain_leave(ngx_http_pourover_zone_t *pz);


/* render_flights.c */

struct json_writer;

/* "active":[...],"more":0,"cut":[...],"cut_total":0 of the peer in the slot */
void ngx_http_pourover_render_flights(struct json_writer *w,
    ngx_http_pourover_zone_t *pz, const struct service *service,
    unsigned slot);


#endif /* _NGX_HTTP_POUROVER_UPSTREAM_H_INCLUDED_ */
