
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


/*
 * other.c: pourover_other_track.  A GET that gets a 404 from its own track is
 * asked at the other one; if that fails, again at its own, which tells the 404.
 */

char *ngx_http_pourover_conf_other_track(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
/* at the start: whether this request may be asked again */
ngx_int_t ngx_http_pourover_other_arm(ngx_http_pourover_attempt_t *pd);
/* an attempt that ended with that state is one to ask the other track after */
ngx_uint_t ngx_http_pourover_other_turns(ngx_http_pourover_attempt_t *pd,
    ngx_uint_t state);
/* ... has ended: where does the next one go? */
void ngx_http_pourover_other_next(ngx_peer_connection_t *pc,
    ngx_http_pourover_attempt_t *pd, ngx_uint_t state);
/* an attempt at the other track begins: what is worse than the 404 there? */
void ngx_http_pourover_other_enter(ngx_http_pourover_attempt_t *pd);
/* the other track has no peer that answers */
void ngx_http_pourover_other_failed(ngx_peer_connection_t *pc,
    ngx_http_pourover_attempt_t *pd);


/* render_flights.c */

struct json_writer;

/* "active":[...],"more":0,"cut":[...],"cut_total":0 of the peer in the slot */
void ngx_http_pourover_render_flights(struct json_writer *w,
    ngx_http_pourover_zone_t *pz, const struct service *service,
    unsigned slot);


#endif /* _NGX_HTTP_POUROVER_UPSTREAM_H_INCLUDED_ */
