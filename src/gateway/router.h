#pragma once
/*
 * One router's API (docs/reference/api.md): its address, its answers as types, its calls.
 */
#include "base/buf.h"
#include "base/err.h"
#include "base/hist.h"
#include "base/str.h"
#include "io/http.h"

#include <stdbool.h>
#include <stdint.h>

#define ROUTER_NAME_MAX     128  /* bytes of a service's name */
#define ROUTER_TEXT_MAX     256  /* bytes of an address, a reason */
#define ROUTER_SERVICES_MAX 64   /* services of a router that we list */
#define ROUTER_PEERS_MAX    1024 /* peers of a service, and as many names */
#define ROUTER_BY_MAX       65   /* who asked for something, with its NUL */
#define ROUTER_LISTED_MAX   64   /* requests that are listed of one peer */
#define ROUTER_UNITS_MAX    4    /* revisions whose visitors are counted */

enum track { TRACK_STABLE, TRACK_CANARY, TRACKS };

extern const char *const track_name[TRACKS];

/* Where a router's API is.  Zeroed is empty. */
struct router {
    char *name;   /* what messages call it */
    char *url;    /* without the slash at the end */
    char *socket; /* path of a unix socket, or NULL */
};

/*
 * "[NAME=]http://HOST:PORT/PATH", also https, or "[NAME=]unix:/SOCKET:/PATH".  Without a NAME the
 * router is called by its host and port or its socket's path.
 * ERR_INVALID.
 */
int router_parse(struct str text, struct router *ret, struct err *err)
    __attribute__((warn_unused_result));
void router_done(struct router *r);

struct router_split {
    uint32_t share_ppm;
    char salt[65];
    bool enabled;
    uint64_t revision;
};

/* Same share, salt, enabled and revision. */
bool router_split_equal(const struct router_split *a, const struct router_split *b);
/* Whether going from one split to the other can move a visitor to the canary. */
bool router_split_raises(const struct router_split *from, const struct router_split *to);

struct router_track {
    uint64_t peers, live, in_flight;
    bool has_health;           /* the router tells the two below */
    uint64_t failing, unknown; /* of the ready peers */
};

/* What was asked of a peer. */
enum router_state { ROUTER_READY, ROUTER_DRAINING, ROUTER_DOWN, ROUTER_STATES };
extern const char *const router_state_name[ROUTER_STATES];

/* What was seen of a peer: nobody looks; no check has ended yet; the checks pass, or do not. */
enum router_health {
    ROUTER_UNCHECKED,
    ROUTER_UNKNOWN,
    ROUTER_PASSING,
    ROUTER_FAILING,
    ROUTER_HEALTHS
};
extern const char *const router_health_name[ROUTER_HEALTHS];

/* The last thing seen of a peer. */
struct router_check {
    char reason[32], text[ROUTER_TEXT_MAX];
    uint64_t at_ms, took_us, streak, changes;
};

/* Until when requests and streams may go on at a peer that drains; 0: no limit. */
struct router_drain {
    char by[ROUTER_BY_MAX];
    uint64_t since_ms, requests_until_ms, streams_until_ms;
};

struct router_peer {
    char address[ROUTER_TEXT_MAX];
    char name[ROUTER_TEXT_MAX]; /* as configured; of an address of a name: that name */
    char origin[16];            /* "config", "api", "name" */
    char dc[64];
    enum track track;
    enum router_state state;
    enum router_health health;
    uint64_t weight;
    double weight_now; /* less during a slow start */
    bool has_check, has_drain;
    struct router_check check;
    struct router_drain drain;
    uint64_t in_flight, requests, failures;
};

/* A name that the router resolves again and again; its addresses are peers of origin "name". */
struct router_name {
    char address[ROUTER_TEXT_MAX]; /* NAME:PORT */
    char dc[64];
    enum track track;
    enum router_state state;
    uint64_t weight, addresses;
    uint64_t resolved_at_ms; /* 0: never */
    bool has_drain;
    struct router_drain drain;
    char error[ROUTER_TEXT_MAX];
};

/* Visitors get a page instead of the service. */
struct router_maintenance {
    bool on;
    char by[ROUTER_BY_MAX], message[ROUTER_TEXT_MAX];
    uint64_t since_ms;
};

struct router_service {
    char name[ROUTER_NAME_MAX];
    bool is_cut; /* a split without peers */
    struct router_split split;
    char restored[16]; /* fresh, file, kept, refused, partly */
    struct router_maintenance maintenance;
    struct router_track track[TRACKS];
    struct router_peer *peer; /* npeers, owned */
    size_t npeers;
    struct router_name *named; /* nnames, owned */
    size_t nnames;
};

/* A request at a peer: in flight, or ended by the limit of a drain. */
struct router_request {
    uint64_t since_ms, at_ms; /* at_ms: when it was ended */
    char method[32], uri[ROUTER_TEXT_MAX];
    bool stream;
    char unit[17]; /* "" without an id */
    char client[64];
};

/* One peer with its requests. */
struct router_detail {
    struct router_peer peer;
    struct router_request *active, *cut; /* nactive and ncut, owned */
    size_t nactive, ncut;
    uint64_t more;      /* active ones that are not listed */
    uint64_t cut_total; /* listed or not */
};

struct router_services {
    char name[ROUTER_SERVICES_MAX][ROUTER_NAME_MAX];
    size_t len;
};

/* The health checks that are answered at the router fail by command. */
struct router_failing {
    bool failing;
    char by[ROUTER_BY_MAX], flag_file[ROUTER_TEXT_MAX];
    uint64_t since_ms;
};

/* The worker that makes the active checks. */
struct router_checker {
    uint64_t pid, checks, late;
};

struct router_status {
    char version[32], nginx[32], instance[17];
    char restored[16], restored_reason[ROUTER_TEXT_MAX];
    bool has_state_file, saved; /* saved is true without a state file */
    char state_error[ROUTER_TEXT_MAX];
    bool upgrading;
    uint64_t now_ms;      /* the router's clock; 0: it does not tell */
    bool has_healthcheck; /* the router knows the command to fail */
    struct router_failing failing;
    bool has_checker;
    struct router_checker checker;
    struct router_services services;
};

struct router_counts {
    uint64_t requests;
    uint64_t split;  /* of these, decided by the split */
    uint64_t errors; /* HTTP 5xx, and gRPC's server faults: 2, 4, 12 to 15, none at all */
    uint64_t crossed, first_failed, retries;
    uint64_t panic, other_track, maintenance, cut; /* 0 where the router does not tell */
    struct hist *time;                             /* header_time, owned */
};

/* Distinct visitors under one revision. */
struct router_units {
    uint64_t revision, since_ms;
    uint32_t share_ppm;
    uint64_t count[TRACKS];
};

struct router_stats {
    char instance[17];
    uint64_t since_ms;
    struct router_split split;
    struct router_counts track[TRACKS];
    double units_error; /* standard error of the counts, relative */
    struct router_units units[ROUTER_UNITS_MAX];
    size_t nunits;
};

struct router_token {
    char header[64];
    char token[ROUTER_TEXT_MAX];
};

/*
 * Answers.  Unknown members are fine, missing or malformed ones are ERR_REMOTE with their place
 * ("split.share_ppm is not an integer from 0 to 1000000"); *ret is then untouched.
 */
int router_parse_service(struct str json, struct router_service *ret, struct err *err)
    __attribute__((warn_unused_result));
void router_service_done(struct router_service *s);
int router_parse_detail(struct str json, struct router_detail *ret, struct err *err)
    __attribute__((warn_unused_result));
void router_detail_done(struct router_detail *d);
int router_parse_status(struct str json, struct router_status *ret, struct err *err)
    __attribute__((warn_unused_result));
int router_parse_stats(struct str json, struct router_stats *ret, struct err *err)
    __attribute__((warn_unused_result));
void router_stats_done(struct router_stats *s);
/* Whether the answer to healthcheck/ok says that the flag file could not be removed. */
bool router_parse_flag_left(struct str json);
int router_parse_token(struct str json, struct router_token *ret, struct err *err)
    __attribute__((warn_unused_result));
/* {"error":{"code":..., "message":...}} as a message, or the start of whatever else came. */
void router_parse_error(long status, struct str body, struct err *ret_err);

/* What a PUT changes. */
struct router_patch {
    bool has_share, has_salt, has_enabled;
    uint32_t share_ppm;
    char salt[65];
    bool enabled;
};

/* Whether the patch cannot move a visitor to the canary, whatever the split is. */
bool router_patch_only_lowers(const struct router_patch *patch);

/* split with the patch applied and this revision. */
struct router_split router_patched(const struct router_split *split,
                                   const struct router_patch *patch, uint64_t revision);

/* The body of a PUT.  if_revision NULL: "any". */
void router_write_put(struct buf *b, const struct router_patch *patch, uint64_t revision,
                      const uint64_t *if_revision);

/*
 * err NULL: status is 2xx.  Else: ERR_UNREACHABLE, ERR_TIMEOUT, ERR_CANCELLED, ERR_FULL without an
 * answer (status 0); by an answer of the router ERR_NOT_FOUND (404), ERR_CONFLICT (409), ERR_DENIED
 * (401, 403), ERR_IO (507), ERR_REMOTE (all else), body being the answer's.
 */
typedef void (*router_fn)(long status, struct str body, const struct err *err, void *ctx);

/*
 * path: below the router's url, "v1/status".  body.ptr NULL: none.  token: bearer token, NULL or ""
 * when there is none.  The call can be cancelled until fn is called.
 */
struct http_call *router_call(struct http_client *http, const struct router *r, const char *token,
                              const char *method, const char *path, struct str body,
                              uint64_t timeout_ms, router_fn fn, void *ctx);
