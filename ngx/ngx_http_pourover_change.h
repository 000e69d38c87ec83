
/*
 * Changes by the API, shared by state*.c, save.c, apply.c and the API.
 */

#ifndef _NGX_HTTP_POUROVER_CHANGE_H_INCLUDED_
#define _NGX_HTTP_POUROVER_CHANGE_H_INCLUDED_


#include "ngx_http_pourover.h"

#include "traffic/control.h"
#include "traffic/peer_command.h"
#include "traffic/split_change.h"


/*
 * A change: what is to be done, by which of apply.c's functions, and the
 * result.  It is made in the zone and then saved as the zone is; only a split
 * that may move visitors to the canary is saved first.
 */

typedef struct ngx_http_pourover_change_s  ngx_http_pourover_change_t;

/* under the zone's mutex.  0, or the code of change->err, with field; then
 * nothing is done */
typedef int (*ngx_http_pourover_apply_pt)(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change);

struct ngx_http_pourover_change_s {
    ngx_http_pourover_apply_pt     apply;         /* NULL: only save */
    struct service                *service;       /* NULL: of none */

    union {
        struct split_request       split;
        struct peer_command        peer;
        struct maintenance_order   maintenance;
        struct failing_order       failing;
        struct watch_order         watch;
    } request;

    unsigned                       unsaved:1;     /* it is for memory only */
    unsigned                       raise:1;       /* next is not set yet */
    struct split                   before, next;

    /* the result */
    ngx_uint_t                     status;
    unsigned                       saved:1;
    unsigned                       file_left:1;   /* of fail_file= */
    struct split                   now;
    unsigned                       slot;          /* of the peer */
    uint64_t                       epoch;
    const char                    *field;         /* at fault, or "" */
    struct err                     err;           /* unless status is 200 */
};

/* apply.c */

int ngx_http_pourover_apply_split(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change);
int ngx_http_pourover_apply_peer(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change);
int ngx_http_pourover_apply_maintenance(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change);
int ngx_http_pourover_apply_failing(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change);
int ngx_http_pourover_apply_watch(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change);
/* the change is made, and saved if that could be */
void ngx_http_pourover_apply_end(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change, ngx_log_t *log);

/*
 * Compare, set and save.  NGX_OK: it is finished.  NGX_AGAIN: it goes on in the
 * thread pool, done is called in the event loop when it is finished; change
 * and pool have to live until then.  NGX_ERROR: nothing was done.
 */
ngx_int_t ngx_http_pourover_state_change(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change, void (*done)(void *data), void *data,
    ngx_pool_t *pool);


#endif /* _NGX_HTTP_POUROVER_CHANGE_H_INCLUDED_ */
