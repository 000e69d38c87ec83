#pragma once
/*
 * Operations: what the engine asks of others, one at a time for a host.  An operation is observed,
 * acted on if needed, and proved by whoever carries it out, so that saying it twice is the same as
 * saying it once; all have a deadline.  The simulation and the real world carry out the same ones.
 */
#include "release/spec.h"

enum release_op_kind {
    /* at a host: host, and slot and version where they matter */
    OP_PREFLIGHT, /* reachable, rights, clock, lease held */
    OP_ROOM,      /* enough free space, else prune what may be pruned, else fail */
    OP_PULL,      /* everything that `version` needs is on the host, hashes compared */
    OP_KEEP_UP,   /* by what every router sees now: without the host each track keeps its need[],
                     and `track`, which it leaves, or both tracks together keep need_dc hosts of
                     its data center */
    OP_DRAIN,     /* every router has slot's peer as draining, read back */
    OP_FAIL,      /* the host's health check fails by command; nothing to do without a proxy role */
    OP_QUIET,     /* nothing in flight at any router, proved, or the limits passed: what was cut is
                     listed */
    OP_STOP,      /* workers, then applications of slot are gone; nothing brings them back */
    OP_PROXY,     /* the proxy is up and fails by command */
    OP_CONNECT,   /* outside components answered from the host's network */
    OP_START,     /* applications of `version` are up and ready in slot; result has the instance */
    OP_TEST,      /* the API tests pass against exactly this slot */
    OP_PASS,      /* the command to fail is lifted */
    OP_READY,     /* instance is still the one given; every router has the peer ready on `track`,
                     sees its check pass, and has sent traffic or has none to send */
    OP_ADD,       /* every router has a peer for slot on `track`, draining */
    OP_REMOVE,    /* no router has a peer for slot */
    OP_TRACK,     /* every router has the peer on `track`; its state stays */
    OP_SOAK,      /* for soak_ms: no restart, the check passes, errors within bounds */
    OP_WAIT,      /* for `wait_ms` */
    OP_OBSERVE,   /* result: the instance that lives in slot now (0: none) */
    /* the service */
    OP_LOCK,     /* the lease of every host is held; whoever gets ACT_END drops them */
    OP_HOOK,     /* number `hook` of those before or after */
    OP_MIGRATE,  /* once per attempt: asked again with the same attempt it waits for the one that
                    runs, or tells how it ended */
    OP_CAPACITY, /* by what every router sees now, each track has its need[] */
    OP_SHARE,    /* every router has share_ppm, read back; a lowering goes to each that answers */
    OP_VERIFY,   /* sampled visitors are cut by share_ppm */
    OP_DWELL,    /* for wait_ms at share_ppm: within the limits, with enough requests */
    OP_KINDS
};

extern const char *const release_op_name[OP_KINDS];

struct release_op {
    uint32_t id; /* of this saying, never used twice in a life of the controller */
    enum release_op_kind kind;
    int step; /* its index in the plan of the present direction; -1: of none */
    int host; /* -1: none */
    enum release_slot slot;
    enum release_version version;
    enum release_track track;
    uint32_t share_ppm;
    uint64_t need[RELEASE_TRACKS]; /* OP_CAPACITY, OP_KEEP_UP: sums of weights */
    unsigned need_dc;              /* OP_KEEP_UP: hosts */
    bool both_dc;                  /* ... on both tracks together; else on `track` */
    uint64_t all;  /* of both tracks, as far as the plan knows; when routers see more, needs grow */
    bool raise;    /* OP_SHARE: some visitor may come to the canary; else it never waits */
    unsigned hook; /* OP_HOOK: 0.. of its list */
    bool after;    /* OP_HOOK, OP_MIGRATE: of those at the end */
    unsigned attempt;  /* of the step, from 1 */
    uint64_t instance; /* OP_READY: what was tested; 0: any */
    uint64_t wait_ms;
    uint64_t deadline_ms; /* from now; the one who carries out ends it with RELEASE_LATE */
};

/* How an operation ended. */
enum release_outcome {
    RELEASE_OK,
    RELEASE_FAILED,    /* a definite no */
    RELEASE_LATE,      /* its deadline passed; it may have been done */
    RELEASE_AWAY,      /* host or router cannot be reached; it may have been done */
    RELEASE_NOTHING,   /* nothing tested, no data */
    RELEASE_EXCEEDED,  /* OP_DWELL, OP_SOAK: a limit of errors or times was exceeded */
    RELEASE_FENCED,    /* somebody else holds the lease: nothing may be done any more */
    RELEASE_CANCELLED, /* by ACT_CANCEL */
    RELEASE_UNKNOWN,   /* OP_MIGRATE: it was begun and nobody knows how it ended */
    RELEASE_OUTCOMES
};

extern const char *const release_outcome_name[RELEASE_OUTCOMES];
