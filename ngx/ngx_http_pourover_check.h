
/*
 * What the files about active checks share:
 *
 *   ngx_http_pourover_conf_check.c        pourover_check and pourover_passive
 *   ngx_http_pourover_check.c             who is checked when; what comes of it
 *   ngx_http_pourover_check_connection.c  one check over one connection
 *   ngx_http_pourover_render_check.c      what the API tells of it
 *
 * What is said over the connection, and whether the answer is right, is decided
 * in src/check; what that makes of a peer's health, in src/traffic/health.h.
 */

#ifndef _NGX_HTTP_POUROVER_CHECK_H_INCLUDED_
#define _NGX_HTTP_POUROVER_CHECK_H_INCLUDED_


#include "ngx_http_pourover.h"

#include <ngx_event_connect.h>

#include "check/talk.h"


/* pourover_check */

struct ngx_http_pourover_check_s {
    struct check_plan              plan;
    ngx_msec_t                     interval;
    ngx_msec_t                     timeout;
    ngx_uint_t                     jitter;        /* percent */
    in_port_t                      port;          /* 0: the peer's */
#if (NGX_HTTP_SSL)
    ngx_ssl_t                     *ssl;           /* NULL: no TLS */
    ngx_str_t                      tls_name;      /* with a NUL; len 0: none */
    ngx_uint_t                     tls_verify;
#endif
};


typedef enum {
    NGX_HTTP_POUROVER_CHECK_IDLE = 0,
    NGX_HTTP_POUROVER_CHECK_CONNECTS,
    NGX_HTTP_POUROVER_CHECK_HANDSHAKES,
    NGX_HTTP_POUROVER_CHECK_TALKS
} ngx_http_pourover_stage_e;


/* one peer in the schedule of the worker that checks */

typedef struct ngx_http_pourover_task_s {
    ngx_queue_t                    all;
    ngx_queue_t                    waiting;       /* for its turn */
    ngx_http_pourover_service_t   *service;
    ngx_uint_t                     slot;
    uint32_t                       generation;    /* of the slot */
    ngx_str_t                      address;       /* of the peer */
    u_char                         address_text[ZONE_ADDRESS_MAX];
    uint64_t                       due_ms;        /* CLOCK_MONOTONIC */

    /* the next check's start, or the limit of the one that runs */
    ngx_event_t                    timer;

    /* while a check runs */
    ngx_http_pourover_stage_e      stage;
    uint64_t                       started_us;    /* CLOCK_MONOTONIC */
    ngx_pool_t                    *pool;
    ngx_log_t                      log;
    ngx_peer_connection_t          peer;
    union {
        struct sockaddr            sockaddr;
        u_char                     room[ZONE_SOCKADDR_MAX];
    } to;
    struct check_talk             *talk;

    unsigned                       in_waiting:1;
} ngx_http_pourover_task_t;


/* conf_check.c */
char *ngx_http_pourover_conf_active(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pourover_conf_passive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);

/* check.c; holder: this worker does what is to be done once */
void ngx_http_pourover_check_tick(ngx_http_pourover_zone_t *pz,
    ngx_uint_t holder);
/* a check came to its end; the connection is closed and forgotten */
void ngx_http_pourover_check_done(ngx_http_pourover_task_t *task,
    enum check_code code, const char *text);

/* check_connection.c; it ends by check_done(), which may be before it returns,
 * or by check_close() */
void ngx_http_pourover_check_start(ngx_http_pourover_task_t *task);
void ngx_http_pourover_check_timed_out(ngx_http_pourover_task_t *task);
/* without a result; a task without a check is fine */
void ngx_http_pourover_check_close(ngx_http_pourover_task_t *task);

/* render_check.c: "health" and "check" of a peer, "checker" of the router */
void ngx_http_pourover_json_health(struct json_writer *w, uint32_t meta,
    const struct peer_seen *seen);
void ngx_http_pourover_json_checker(struct json_writer *w,
    const struct zone *zone);


#endif /* _NGX_HTTP_POUROVER_CHECK_H_INCLUDED_ */
