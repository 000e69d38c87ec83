
/*
 * Parts of the API's bodies in JSON, shared by render*.c and command.c.
 */

#ifndef _NGX_HTTP_POUROVER_RENDER_H_INCLUDED_
#define _NGX_HTTP_POUROVER_RENDER_H_INCLUDED_


#include "ngx_http_pourover.h"

#include "base/json.h"


/* the object that each body is, with its first member, the epoch */
void ngx_http_pourover_json_begin(struct json_writer *w, struct buf *buf,
    ngx_http_pourover_zone_t *pz);

/* "tracks":{...}, "peers":[...],"names":[...] and so on */
void ngx_http_pourover_render_tracks(struct json_writer *w,
    ngx_http_pourover_zone_t *pz, const struct service *service);
void ngx_http_pourover_render_peers(struct json_writer *w,
    ngx_http_pourover_zone_t *pz, const struct service *service);
void ngx_http_pourover_render_maintenance(struct json_writer *w,
    ngx_http_pourover_zone_t *pz, const struct service *service);
void ngx_http_pourover_render_healthcheck(struct json_writer *w,
    ngx_http_pourover_zone_t *pz);

/* the object of the peer or name in a slot, as a value; null if it is gone */
void ngx_http_pourover_render_peer(struct json_writer *w,
    ngx_http_pourover_zone_t *pz, const struct service *service,
    unsigned slot);


#endif /* _NGX_HTTP_POUROVER_RENDER_H_INCLUDED_ */
