#pragma once
/*
 * Test visitors through the real path of one router: what the router did with them, as facts.
 *
 * Every visitor comes twice, first fresh and then with the id it was given; first cut-only (the
 * router answers itself), then through to the peers.  The router's verdict on each is held against
 * our own computation of the cut.
 */
#include "gateway/router.h"
#include "io/loop.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PROBE_PARALLEL  16
#define PROBE_PEERS_MAX 64
#define PROBE_MAX       1000000 /* visitors */

/* What must not happen even once. */
enum probe_fault {
    PROBE_NO_ANSWER,    /* no HTTP answer at all */
    PROBE_NO_VERDICT,   /* answered, but not by this router */
    PROBE_WRONG_SPLIT,  /* cut by another service, share or revision than the API shows */
    PROBE_NO_ID,        /* a fresh visitor was given no id */
    PROBE_WRONG_BUCKET, /* the bucket is not the one of id and salt */
    PROBE_WRONG_TRACK,  /* the track is not the one of bucket and share */
    PROBE_OTHER_REASON, /* decided by something else than the split */
    PROBE_MOVED,        /* a returning visitor changed the track */
    PROBE_NEW_ID,       /* a returning visitor was given another id */
    PROBE_WRONG_PEER,   /* answered by a peer of the other track */
    PROBE_SERVER_ERROR, /* HTTP 5xx on the way through; or not 204 on a cut-only visit */
    PROBE_FAULTS
};

enum probe_pass { PROBE_CUT, PROBE_THROUGH, PROBE_PASSES };

struct probe_plan {
    const char *url;  /* a visitors' address */
    const char *host; /* Host header; NULL: the url's */
    /* Header in which the service expects ids; NULL: the router issues them in a cookie. */
    const char *id_header;
    const char *service;
    struct router_split split; /* as the API shows it */
    const struct router_service *peers;
    struct router_token token;
    uint64_t visitors; /* 1 .. PROBE_MAX */
    bool cut_only;
    uint64_t timeout_ms;            /* of one visit */
    uint64_t deadline_ms;           /* of all, by clock_mono_ms; 0: none */
    const atomic_bool *interrupted; /* NULL: none */
};

struct probe_peer {
    char address[ROUTER_TEXT_MAX];
    enum track track;
    uint64_t visits;
};

struct probe_facts {
    struct {
        uint64_t fresh, canary; /* fresh visitors cut by the split, and how many to the canary */
        uint64_t returning;     /* that came back to the same track */
    } pass[PROBE_PASSES];
    uint64_t visits; /* requests made */
    struct probe_peer peer[PROBE_PEERS_MAX];
    size_t npeers;
    uint64_t fault[PROBE_FAULTS];
    char example[PROBE_FAULTS][256]; /* of each fault, the first */
};

/* "visitors were given no id"; for a count of them in front. */
extern const char *const probe_fault_text[PROBE_FAULTS];

/*
 * Runs the visits, PROBE_PARALLEL at a time.  0: ret holds the facts, faults among them.
 * ERR_UNREACHABLE: gave up, as the first visits all had no answer.  ERR_CANCELLED.  ERR_TIMEOUT.
 */
int probe_run(struct io_loop *loop, const struct probe_plan *plan, struct probe_facts *ret,
              struct err *err) __attribute__((warn_unused_result));

/* A verdict header's value.  ERR_REMOTE when it is malformed; *ret is then untouched. */
struct probe_verdict {
    char service[ROUTER_NAME_MAX];
    enum track track;
    char reason[32];
    uint32_t share_ppm;
    uint64_t revision;
    bool has_bucket;
    uint32_t bucket;
    char peer[ROUTER_TEXT_MAX]; /* "" for "-" */
};
int probe_parse_verdict(struct str text, struct probe_verdict *ret, struct err *err)
    __attribute__((warn_unused_result));
