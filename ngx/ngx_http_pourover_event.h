
/*
 * What the files about events share.
 */

#ifndef _NGX_HTTP_POUROVER_EVENT_H_INCLUDED_
#define _NGX_HTTP_POUROVER_EVENT_H_INCLUDED_


#include "ngx_http_pourover.h"


/* so long an outcome waits for the end of its request */
#define NGX_HTTP_POUROVER_WAIT_US  1000000


/* event_kind.c */

typedef struct {
    enum event_kind                kind;          /* EVENT_KINDS: none */
    ngx_uint_t                     status;        /* of HTTP, 0: none came */
    ngx_int_t                      grpc;          /* -1: none came */
} ngx_http_pourover_outcome_t;

/* of the attempt that ends with state; pc->connection may be NULL */
ngx_http_pourover_outcome_t ngx_http_pourover_outcome(ngx_http_request_t *r,
    ngx_peer_connection_t *pc, ngx_uint_t state);
/* of the first attempt, when r has ended and no peer of ours was asked; first:
 * where its states begin */
ngx_http_pourover_outcome_t ngx_http_pourover_outcome_by_states(
    ngx_http_request_t *r, ngx_uint_t first);
/* has the header of the answer come? */
ngx_uint_t ngx_http_pourover_is_answered(ngx_http_upstream_t *u);


/* event.c */

void ngx_http_pourover_event_set(ngx_http_pourover_choice_t *choice,
    const ngx_http_pourover_outcome_t *outcome, uint64_t now_us);


/* event_record.c */

/* of a time of CLOCK_MONOTONIC; each tick compares the clocks */
uint64_t ngx_http_pourover_wall_us(uint64_t mono_us);
void ngx_http_pourover_compare_clocks(void);

/* records the outcome that is set; final: what the visitor got, 0: that is not
 * known yet */
void ngx_http_pourover_event_record(ngx_http_pourover_choice_t *choice,
    ngx_uint_t final);
/* records the thresholds that were passed; 1: there is one that was not */
ngx_uint_t ngx_http_pourover_event_slow(ngx_http_pourover_choice_t *choice,
    uint64_t took_us);
/* counts a visitor whom the share assigned to a track; records a sampled one */
void ngx_http_pourover_event_expose(ngx_http_pourover_choice_t *choice,
    uint64_t now_us);


#endif /* _NGX_HTTP_POUROVER_EVENT_H_INCLUDED_ */
