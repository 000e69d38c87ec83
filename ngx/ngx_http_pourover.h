
/*
 * What the files of the module share.  Each file does one part:
 *
 *   ngx_http_pourover_module.c     the tables: directives, hooks, the module
 *   ngx_http_pourover_conf.c       configurations made, merged, checked
 *   ngx_http_pourover_zone.c       the shared zone through its life
 *   ngx_http_pourover_tick.c       a worker's life; what is done periodically
 *   ngx_http_pourover_conf_*.c     ... about services, peers, visitors
 *   ngx_http_pourover_check*.c     active checks of peers
 *   ngx_http_pourover_resolve.c    names whose addresses are peers
 *   ngx_http_pourover_request.c    a request's context and headers
 *   ngx_http_pourover_visitor.c    the visitor's id: read or drawn
 *   ngx_http_pourover_answer.c     the visitor's cookie sent
 *   ngx_http_pourover_track.c      a request's track; headers for upstreams
 *   ngx_http_pourover_maintenance.c  services out of service by command
 *   ngx_http_pourover_healthcheck.c  health checks answered, or failed, here
 *   ngx_http_pourover_upstream.c   choosing a peer, retries
 *   ngx_http_pourover_session.c    TLS sessions with peers
 *   ngx_http_pourover_passive.c    what requests tell of a peer's health
 *   ngx_http_pourover_drain.c      what is in flight at drained peers
 *   ngx_http_pourover_other.c      a 404 asked again at the other track
 *   ngx_http_pourover_variables.c  $pourover_...
 *   ngx_http_pourover_log.c        statistics when a request ends
 *   ngx_http_pourover_event.c      events: requests watched, what came of them
 *   ngx_http_pourover_event_*.c    ... which kind, by the tick, recorded
 *   ngx_http_pourover_state.c      the state file: restored, kept fresh
 *   ngx_http_pourover_state_*.c    ... checked, read, changed in a thread
 *   ngx_http_pourover_save.c       one change: compared, set, saved
 *   ngx_http_pourover_apply.c      what each kind of change does to the zone
 *   ngx_http_pourover_guard.c      who may call the API
 *   ngx_http_pourover_api.c        the API: calls and answers
 *   ngx_http_pourover_put.c        ... those that change something
 *   ngx_http_pourover_command.c    ... each with its body and its answer
 *   ngx_http_pourover_render*.c    its bodies in JSON
 *   ngx_http_pourover_prometheus.c and as Prometheus text
 *
 * What can be decided without NGINX is decided in src/traffic.
 */

#ifndef _NGX_HTTP_POUROVER_H_INCLUDED_
#define _NGX_HTTP_POUROVER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "base/buf.h"
#include "traffic/cut.h"
#include "traffic/decide.h"
#include "traffic/event.h"
#include "traffic/id.h"
#include "traffic/pick.h"
#include "traffic/zone.h"


#define NGX_HTTP_POUROVER_VERSION  "0.1.0"

#define NGX_HTTP_POUROVER_TICK     100            /* ms */
#define NGX_HTTP_POUROVER_ROOM     768            /* bytes of a request */


/* a zone as configured, and where it lies; one per configuration cycle */

typedef struct {
    ngx_str_t                      name;
    ngx_shm_zone_t                *shm_zone;
    ngx_slab_pool_t               *shpool;        /* its mutex guards writers */
    struct zone                   *zone;          /* NULL until attached */

    ngx_str_t                      state;         /* path, len 0: no file */
    ngx_msec_t                     state_max_age;
    ngx_fd_t                       lock_fd;       /* STATE.lock's, here */
    struct ngx_http_pourover_saver_s  *saver;     /* of state.c and save.c */

    ngx_str_t                      fail_file;     /* path, len 0: none */
    ngx_uint_t                     fresh;         /* made by this cycle */
    uint32_t                       generation;    /* the zone's by this cycle */

    ngx_cycle_t                   *cycle;         /* that configured it */
    ngx_log_t                     *log;
} ngx_http_pourover_zone_t;


/* of check.h and told.h */
typedef struct ngx_http_pourover_check_s  ngx_http_pourover_check_t;
typedef struct ngx_http_pourover_maintenance_s  ngx_http_pourover_maintenance_t;
typedef struct ngx_http_pourover_healthcheck_s  ngx_http_pourover_healthcheck_t;


/* a service as configured */

typedef struct {
    ngx_str_t                      name;
    enum service_kind              kind;
    uint32_t                       share_ppm;
    ngx_str_t                      salt;
    ngx_flag_t                     enabled;

    ngx_str_t                      zone_name;
    ngx_http_upstream_srv_conf_t  *uscf;          /* NULL for a cut */
    ngx_array_t                    servers;       /* of server_t */
    ngx_array_t                    peers;         /* of peer_t: all */

    ngx_msec_t                     slow_start;    /* 0: none */
    ngx_uint_t                     events;        /* kept; 0: as room allows */

    ngx_uint_t                     checked;       /* it has active checks */
    ngx_http_pourover_check_t     *check;         /* NULL: none */
    struct ngx_http_pourover_task_s  **tasks;     /* by slot, lazily */
    struct health_rule             rule;
    ngx_uint_t                     passive_set;   /* the directive was there */
    ngx_uint_t                     passive_fails; /* in a row; 0: off */
    ngx_msec_t                     eject;

    struct service                *service;       /* set by init_module */
    struct row                    *row;           /* this process's, lazily */
    ngx_queue_t                    attempts;      /* this process's, in flight:
                                                     of attempt_t, by link */
    ngx_queue_t                    watched;       /* this process's, by start:
                                                     of choice_t, by
                                                     event.link */

    ngx_uint_t                     inited;        /* our init_upstream ran */
    u_char                        *file_name;     /* where it stands, for */
    ngx_uint_t                     line;          /*   messages made later */

    ngx_uint_t                     told_full;     /* that the zone is full */
#if (NGX_HTTP_SSL)
    struct ngx_http_pourover_session_s  *sessions;   /* by slot */
#endif
} ngx_http_pourover_service_t;


/* a pourover_server line, and a peer made of such a line or a server line */

typedef struct {
    ngx_addr_t                    *addrs;
    ngx_uint_t                     naddrs;
    ngx_str_t                      name;
    ngx_str_t                      dc;
    enum track                     track;
    ngx_uint_t                     weight;
    ngx_uint_t                     resolve;       /* name is HOST:PORT then */
    in_port_t                      port;
} ngx_http_pourover_server_t;

typedef struct {
    struct peer_spec               spec;
    ngx_uint_t                     down;
    in_port_t                      port;          /* of a name's addresses */
} ngx_http_pourover_peer_t;


#define NGX_HTTP_POUROVER_PASSING  6

typedef struct {
    ngx_http_pourover_zone_t      *zone;          /* NULL: module not used */
    ngx_array_t                    services;      /* of service_t * */
    ngx_array_t                    names;         /* of name_t, of resolve.c */
    ngx_http_core_loc_conf_t      *clcf;          /* of the http block */
    ngx_array_t                    apis;          /* of api_conf_t * */
    ngx_array_t                    healthchecks;  /* of healthcheck_t * */
    ngx_uint_t                     npassing;      /* modules that pass on: */
    ngx_uint_t                     passing[NGX_HTTP_POUROVER_PASSING];
    ngx_uint_t                     peers;         /* of all services */
} ngx_http_pourover_main_conf_t;


/* pourover_visitor */

typedef struct {
    ngx_int_t                      index;         /* of the variable */
    ngx_uint_t                     cookie;        /* 1: the id that we issue */
} ngx_http_pourover_source_t;

typedef struct {
    ngx_array_t                    sources;       /* of source_t */
    ngx_str_t                      cookie;        /* its name; len 0: none */
    ngx_str_t                      attributes;    /* "; Max-Age=..." */
    ngx_uint_t                     secure;        /* auto, on, off */
    ngx_int_t                      consent;       /* NGX_ERROR: none */
    ngx_uint_t                     share_connection;  /* auto, on, off */
    struct id_key                  key;
    unsigned                       login_switch:1;
    unsigned                       no_id_random:1;
    unsigned                       cache_keep:1;
} ngx_http_pourover_visitor_t;

#define NGX_HTTP_POUROVER_AUTO  0
#define NGX_HTTP_POUROVER_ON    1
#define NGX_HTTP_POUROVER_OFF   2


/* pourover_version_cookie */

typedef struct {
    ngx_str_t                      cookie;
    ngx_str_t                      value[TRACK_COUNT];
    ngx_uint_t                     missing_cut;
} ngx_http_pourover_version_t;


/* pourover_force */

typedef struct {
    ngx_str_t                      header;        /* lower case */
    ngx_str_t                      cookie;
    ngx_int_t                      index;
} ngx_http_pourover_force_source_t;

typedef struct {
    ngx_array_t                    sources;       /* of force_source_t */
    ngx_array_t                   *allow;         /* of ngx_cidr_t */
    ngx_str_t                      secret;        /* len 0: none */
} ngx_http_pourover_force_t;


typedef struct {
    ngx_http_pourover_service_t   *service;       /* in an upstream block */
    ngx_http_pourover_visitor_t   *visitor;       /* NULL: off */
    ngx_http_pourover_version_t   *version;       /* NULL: off */
} ngx_http_pourover_srv_conf_t;


/* pourover_headers */

#define NGX_HTTP_POUROVER_HEADERS_ON    0
#define NGX_HTTP_POUROVER_HEADERS_OFF   1
#define NGX_HTTP_POUROVER_HEADERS_PASS  2         /* set before us */

typedef struct {
    ngx_str_t                      service_name;  /* data NULL: unset */
    u_char                        *service_file;
    ngx_uint_t                     service_line;
    ngx_http_pourover_service_t   *service;       /* NULL: off, or several */
    ngx_http_pourover_force_t     *force;         /* NULL: off */
    ngx_uint_t                     headers;
    ngx_http_pourover_maintenance_t  *maintenance;   /* NULL: off */
    ngx_http_pourover_healthcheck_t  *healthcheck;   /* NULL: none */

    ngx_uint_t                     looked;        /* passes_to is known */
    ngx_http_pourover_service_t   *passes_to;     /* NULL: to none */
    ngx_uint_t                     other_track;   /* next_upstream bits */
} ngx_http_pourover_loc_conf_t;


/* the API in one location */

typedef struct {
    ngx_str_t                      token;         /* len 0: none */
    ngx_array_t                   *allow;         /* of ngx_cidr_t */
    ngx_flag_t                     insecure;
    ngx_http_core_srv_conf_t      *cscf;
    ngx_http_core_loc_conf_t      *clcf;          /* its location */
    u_char                        *file_name;
    ngx_uint_t                     line;
} ngx_http_pourover_api_conf_t;


typedef struct ngx_http_pourover_ctx_s  ngx_http_pourover_ctx_t;

typedef enum {
    NGX_HTTP_POUROVER_ID_NONE = 0,
    NGX_HTTP_POUROVER_ID_VALID,                   /* our cookie, canonical */
    NGX_HTTP_POUROVER_ID_ISSUED,                  /* drawn now, none came */
    NGX_HTTP_POUROVER_ID_REPLACED,                /* drawn, a bad one came */
    NGX_HTTP_POUROVER_ID_SOURCED                  /* a variable's value */
} ngx_http_pourover_id_kind_e;


/* what may become an event of a request at a service; all zero: nothing can */

typedef struct ngx_http_pourover_attempt_s  ngx_http_pourover_attempt_t;

typedef struct {
    ngx_queue_t                    link;          /* while watched is set */
    ngx_http_request_t            *request;       /* that was handed over */
    ngx_http_pourover_attempt_t   *attempt;       /* that the kind is of */
    ngx_str_t                     *route;         /* name of the location */
    uint64_t                       begun_us;      /* CLOCK_MONOTONIC */
    uint32_t                       took_us;
    uint32_t                       first_state;   /* in upstream_states */
    uint16_t                       peer;          /* slot + 1, 0: none */
    uint16_t                       peer_generation;
    uint16_t                       status;
    int8_t                         grpc;
    uint8_t                        kind;          /* EVENT_KINDS: none yet */
    uint8_t                        slow;          /* thresholds passed */
    uint8_t                        served;        /* track */
    unsigned                       watched:1;     /* the tick looks at it */
    unsigned                       over:1;        /* the first attempt is */
    unsigned                       fallback:1;    /* it was at stable, for
                                                     want of a canary */
    unsigned                       written:1;     /* the kind is recorded */
} ngx_http_pourover_event_t;


/* what was decided for one service in one request; frozen once made */

typedef struct ngx_http_pourover_choice_s  ngx_http_pourover_choice_t;

struct ngx_http_pourover_choice_s {
    ngx_http_pourover_choice_t    *next;
    ngx_http_pourover_service_t   *service;
    struct decision                decision;
    uint32_t                       share_ppm;
    uint64_t                       revision;

    unsigned                       used:1;        /* handed to the service */
    unsigned                       by_main:1;     /* ... by the main request */
    unsigned                       crossed:1;     /* canary served by stable */
    unsigned                       verify:1;

    ngx_http_upstream_t           *upstream;      /* the last that used it */
    ngx_str_t                      peer;          /* address, last tried */
    ngx_str_t                      peer_name;
    uint64_t                       first_get_us;  /* CLOCK_MONOTONIC */
    uint64_t                       header_us;
    uint64_t                       last_free_us;

    ngx_http_pourover_event_t      event;
};


/* pourover_other_track: where a request is with it */

typedef enum {
    NGX_HTTP_POUROVER_AT_HOME = 0,                /* at its own track */
    NGX_HTTP_POUROVER_TURNED,                     /* at the other one */
    NGX_HTTP_POUROVER_BACK                        /* that failed: at its own */
} ngx_http_pourover_turned_e;


/*
 * A request at the service's peers.  It is in the service's list from the
 * moment a peer is pinned until that is given back, in between for each peer
 * that is tried; whoever walks the list may end requests, nothing else may.
 */

struct ngx_http_pourover_attempt_s {
    ngx_queue_t                    link;          /* while chunk is set */
    ngx_http_request_t            *request;
    ngx_http_pourover_ctx_t       *ctx;
    ngx_http_pourover_service_t   *service;
    ngx_http_pourover_choice_t    *choice;
    struct counters               *counters;      /* NULL: the zone is full */
    struct row                    *row;
    uint64_t                       begun_us;      /* CLOCK_MONOTONIC */

    enum track                     track;         /* of the present attempt */
    struct pick_tried              tried;
    ngx_uint_t                     attempts;
    ngx_uint_t                     redo;          /* a cached one had died */
    ngx_uint_t                     other;         /* next_upstream bits of what
                                                     is asked at the other track
                                                     too; 0: nothing */
    ngx_http_pourover_turned_e     turned;

    unsigned                       panic:1;       /* counted as such */
    unsigned                       due:1;         /* the limit of a drain has
                                                     passed: to be ended */
    unsigned                       cut:1;         /* ... it was */

    struct peer_chunk             *chunk;         /* of the pinned peer */
    struct pin                    *pin;           /* NULL: nothing pinned */
    unsigned                       slot;
    uint32_t                       meta;          /* what it was chosen by */
};


typedef enum {
    NGX_HTTP_POUROVER_VERIFY_NONE = 0,
    NGX_HTTP_POUROVER_VERIFY_THROUGH,
    NGX_HTTP_POUROVER_VERIFY_CUT
} ngx_http_pourover_verify_e;


/* one per client request, kept over internal redirects */

struct ngx_http_pourover_ctx_s {
    ngx_http_pourover_ctx_t       *next;          /* while it is free */
    ngx_str_t                      id;            /* len 0: none */
    ngx_str_t                      cookie;        /* to send, len 0: none */
    ngx_http_pourover_id_kind_e    id_kind;
    ngx_http_pourover_verify_e     verify;
    ngx_str_t                      set_cookie;    /* made at the first header */
    ngx_http_pourover_choice_t    *choices;
    ngx_http_pourover_visitor_t   *visitor;       /* of its server, or NULL */
    ngx_uint_t                     maintained;    /* answered by command */

    ngx_table_elt_t               *h_track;       /* ours in headers_in */
    ngx_table_elt_t               *h_unit;
    ngx_table_elt_t               *h_start;

    size_t                         used;          /* of room */
    u_char                         room[NGX_HTTP_POUROVER_ROOM];
};


extern ngx_module_t  ngx_http_pourover_module;


/* what one pass over the request's headers has seen */

typedef struct {
    ngx_uint_t                     ours;          /* X-Pourover-... */
    ngx_table_elt_t               *verify;
    ngx_uint_t                     proxied;       /* by a proxy before us */
} ngx_http_pourover_seen_t;


/* request.c */

/* of the main request of r; NULL if there is none yet */
ngx_http_pourover_ctx_t *ngx_http_pourover_get_ctx(ngx_http_request_t *r);
/* ... made if there is none; NULL: no memory */
ngx_http_pourover_ctx_t *ngx_http_pourover_make_ctx(ngx_http_request_t *r);
/* memory, not zeroed, that lives as long as the main request; NULL: none */
void *ngx_http_pourover_alloc(ngx_http_request_t *r,
    ngx_http_pourover_ctx_t *ctx, size_t size);
/* the next header with this name (lower case, "_" counts as "-"); part and i
 * are the place to go on from: start with the list's part and 0 */
ngx_table_elt_t *ngx_http_pourover_next_header(ngx_list_part_t **part,
    ngx_uint_t *i, const char *name, size_t len);
void ngx_http_pourover_look(ngx_http_request_t *r,
    ngx_http_pourover_seen_t *seen);
ngx_int_t ngx_http_pourover_remove_ours(ngx_http_request_t *r);


/* visitor.c, answer.c */

ngx_int_t ngx_http_pourover_visitor_handler(ngx_http_request_t *r);
/* NGX_OK: the application's cookie names a track */
ngx_int_t ngx_http_pourover_version_wish(ngx_http_request_t *r,
    ngx_http_pourover_version_t *version, enum wish *ret_wish);
ngx_int_t ngx_http_pourover_answer_init(ngx_conf_t *cf);
ngx_int_t ngx_http_pourover_push_header(ngx_http_request_t *r, const char *key,
    ngx_str_t *value);


/* conf.c */

void *ngx_http_pourover_create_main_conf(ngx_conf_t *cf);
void *ngx_http_pourover_create_srv_conf(ngx_conf_t *cf);
char *ngx_http_pourover_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
void *ngx_http_pourover_create_loc_conf(ngx_conf_t *cf);
char *ngx_http_pourover_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);

char *ngx_http_pourover_conf_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pourover_conf_upstream(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pourover_conf_server(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pourover_conf_cut(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pourover_conf_service(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pourover_conf_headers(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pourover_conf_visitor(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pourover_conf_force(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
char *ngx_http_pourover_conf_version(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
/* "name=value": 1 and the value, or 0 */
ngx_uint_t ngx_http_pourover_conf_param(ngx_str_t *arg, const char *name,
    ngx_str_t *ret_value);
/* "A,B,C" of addresses and networks; NULL: told */
ngx_array_t *ngx_http_pourover_conf_cidrs(ngx_conf_t *cf, ngx_str_t *list);
/* a file's bytes without the white space around them; at least min bytes */
ngx_int_t ngx_http_pourover_conf_secret(ngx_conf_t *cf, ngx_str_t *path,
    size_t min, ngx_str_t *ret_secret);
/* what is wrong with the services as a whole, once all is read */
ngx_int_t ngx_http_pourover_conf_check(ngx_conf_t *cf);


/* track.c */

ngx_int_t ngx_http_pourover_track_handler(ngx_http_request_t *r);
/* the choice for a service, made now if it is not there; NULL: no memory */
ngx_http_pourover_choice_t *ngx_http_pourover_choose(ngx_http_request_t *r,
    ngx_http_pourover_service_t *ps);
/* the choice that variables speak of; NULL: no service is named */
ngx_http_pourover_choice_t *ngx_http_pourover_named_choice(
    ngx_http_request_t *r);


/* the service that an upstream block is */

static ngx_inline ngx_http_pourover_service_t *
ngx_http_pourover_service_by(ngx_http_upstream_srv_conf_t *us)
{
    ngx_http_pourover_srv_conf_t  *pscf;

    pscf = ngx_http_conf_upstream_srv_conf(us, ngx_http_pourover_module);

    return pscf->service;
}


/* conf_peers.c, upstream.c */

ngx_int_t ngx_http_pourover_init_upstream(ngx_conf_t *cf,
    ngx_http_upstream_srv_conf_t *us);
ngx_int_t ngx_http_pourover_init_peer(ngx_http_request_t *r,
    ngx_http_upstream_srv_conf_t *us);
/* this process's row of the service, NULL when the zone is full */
struct row *ngx_http_pourover_row(ngx_http_pourover_service_t *ps);


/* variables.c, log.c */

ngx_int_t ngx_http_pourover_add_variables(ngx_conf_t *cf);
ngx_int_t ngx_http_pourover_log_handler(ngx_http_request_t *r);
ngx_uint_t ngx_http_pourover_is_grpc(ngx_http_request_t *r);
/* 0 to 16, ZONE_GRPC_OTHER or ZONE_GRPC_MISSING */
ngx_uint_t ngx_http_pourover_grpc_status(ngx_http_upstream_t *u);
/* what the visitor got from the service */
ngx_uint_t ngx_http_pourover_status(ngx_http_request_t *r,
    ngx_http_pourover_choice_t *choice);


/*
 * event*.c
 *
 * A request is watched from its hand-over to the service until nothing can come
 * of it any more: the first attempt ended well, or its event is recorded.
 */

/* r is handed to the service; before the choice is marked as used */
void ngx_http_pourover_event_begin(ngx_http_request_t *r,
    ngx_http_pourover_choice_t *choice, uint64_t now_us);
/* a peer is chosen: what is told before the attempt ends names it */
void ngx_http_pourover_event_chosen(ngx_http_pourover_attempt_t *attempt);
/* an attempt ends, its peer still being known */
void ngx_http_pourover_event_attempt(ngx_http_pourover_attempt_t *attempt,
    ngx_peer_connection_t *pc, ngx_uint_t state);
/* ... and was none: the kept connection had died, the peer is asked again */
void ngx_http_pourover_event_forget(ngx_http_pourover_attempt_t *attempt);
/* there is no peer that could be asked */
void ngx_http_pourover_event_nobody(ngx_http_pourover_attempt_t *attempt);
/* the request ends */
void ngx_http_pourover_event_end(ngx_http_request_t *r,
    ngx_http_pourover_choice_t *choice);
/* nothing can come of it any more */
void ngx_http_pourover_event_unwatch(ngx_http_pourover_choice_t *choice);
/* every tick of every worker, and when it starts */
void ngx_http_pourover_event_tick(ngx_http_pourover_zone_t *pz);
/* an answer without an end to wait for: upgraded, or server-sent events */
ngx_uint_t ngx_http_pourover_is_stream(ngx_http_upstream_t *u);


/* zone.c */

ngx_http_pourover_main_conf_t *ngx_http_pourover_main_of(ngx_cycle_t *cycle);
ngx_http_pourover_zone_t *ngx_http_pourover_zone_of(ngx_cycle_t *cycle);
/* how many workers there are, but for those that are shutting down */
uint32_t ngx_http_pourover_processes(ngx_cycle_t *cycle);
ngx_int_t ngx_http_pourover_zone_init(ngx_shm_zone_t *shm_zone, void *data);
ngx_int_t ngx_http_pourover_init_module(ngx_cycle_t *cycle);
/* bytes of the zone that the services still need for rows and pins */
uint64_t ngx_http_pourover_reserve(ngx_http_pourover_zone_t *pz,
    ngx_cycle_t *cycle);


/* tick.c */

ngx_int_t ngx_http_pourover_init_process(ngx_cycle_t *cycle);
void ngx_http_pourover_exit_process(ngx_cycle_t *cycle);


/*
 * state*.c, save.c
 *
 * The state file has lines of JSON for each service; see traffic/state.h.
 */

/* at configuration time, also under "nginx -t": EMERG and NGX_ERROR when the
 * worker user could not write it, or another nginx uses it */
ngx_int_t ngx_http_pourover_state_check(ngx_conf_t *cf,
    ngx_http_pourover_zone_t *pz);
/* in the master, when all services are in the zone and its mutex is free.  A
 * fresh zone takes what the file says, restored of zone and services is set; a
 * zone that lived on takes that of services that came back.  Never fails */
void ngx_http_pourover_state_restore(ngx_cycle_t *cycle,
    ngx_http_pourover_zone_t *pz);
/* then: a fresh zone starts failing if the file of fail_file= is there */
void ngx_http_pourover_state_fail_file(ngx_cycle_t *cycle,
    ngx_http_pourover_zone_t *pz);
/* a worker starts, and stops taking new work */
void ngx_http_pourover_state_open(ngx_http_pourover_zone_t *pz);
void ngx_http_pourover_state_close(ngx_http_pourover_zone_t *pz);
/* every tick of every worker; holder: this worker does the periodic work */
void ngx_http_pourover_state_tick(ngx_http_pourover_zone_t *pz,
    ngx_uint_t holder);
/* do two masters live, of a binary upgrade? */
ngx_uint_t ngx_http_pourover_state_upgrading(ngx_http_pourover_zone_t *pz);


/* guard.c */

char *ngx_http_pourover_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
/* all is read: refuses an API off loopback without a guard */
ngx_int_t ngx_http_pourover_api_check(ngx_conf_t *cf);
/* NGX_OK, or the status to refuse the request with and a *message */
ngx_int_t ngx_http_pourover_guard(ngx_http_request_t *r,
    ngx_http_pourover_api_conf_t *api, const char **message);


/* api.c */

ngx_int_t ngx_http_pourover_api_handler(ngx_http_request_t *r);


/*
 * render.c, prometheus.c: the bodies of the API.  They are written into a buf
 * of fixed size, which is made anew and larger when its failed is set.
 */

typedef void (*ngx_http_pourover_render_pt)(struct buf *buf,
    ngx_http_pourover_zone_t *pz, const struct service *service);

void ngx_http_pourover_render_status(struct buf *buf,
    ngx_http_pourover_zone_t *pz, const struct service *unused);
void ngx_http_pourover_render_services(struct buf *buf,
    ngx_http_pourover_zone_t *pz, const struct service *unused);
void ngx_http_pourover_render_service(struct buf *buf,
    ngx_http_pourover_zone_t *pz, const struct service *service);
void ngx_http_pourover_render_verify(struct buf *buf,
    ngx_http_pourover_zone_t *pz, const struct service *unused);
void ngx_http_pourover_render_metrics(struct buf *buf,
    ngx_http_pourover_zone_t *pz, const struct service *unused);

struct json_writer;

/* "split":{...} */
void ngx_http_pourover_render_split(struct json_writer *w,
    const struct split *split);
/* "name":"0123456789abcdef" */
void ngx_http_pourover_json_hex64(struct json_writer *w, const char *name,
    uint64_t value);
/* render_events.c: "watch":{...}, "units_error":..,"units":[...] */
void ngx_http_pourover_render_watch(struct json_writer *w,
    const struct service *service);
void ngx_http_pourover_render_units(struct json_writer *w,
    const struct service *service, ngx_uint_t registers);

/* peers of a track by state, and requests in flight at them */

typedef struct {
    ngx_uint_t                     peers[PEER_REMOVED + 1];
    int64_t                        in_flight;
} ngx_http_pourover_track_t;

void ngx_http_pourover_count_peers(ngx_http_pourover_zone_t *pz,
    const struct service *service,
    ngx_http_pourover_track_t tracks[TRACK_COUNT]);


/* the names of counters: a gRPC status by its index, how ids came */

const char *ngx_http_pourover_grpc_name(ngx_uint_t status);

typedef struct {
    const char                    *name;
    enum counter                   counter;
} ngx_http_pourover_id_name_t;

#define NGX_HTTP_POUROVER_IDS  5

extern const ngx_http_pourover_id_name_t
    ngx_http_pourover_ids[NGX_HTTP_POUROVER_IDS];


/* ngx_queue_data, without a cast that clang takes for a misaligned one */

#define ngx_http_pourover_queue_data(q, type, link)                           \
    ((type *) (void *) ((u_char *) (q) - offsetof(type, link)))


#define ngx_http_pourover_str(s)                                              \
    ((struct str) { (const char *) (s).data, (s).len })


#endif /* _NGX_HTTP_POUROVER_H_INCLUDED_ */
