#pragma once
/*
 * What the engine knows of a release: the shape of the fleet and the rules, without names, files,
 * commands or addresses.  Made from release.yaml (config.h) or drawn by the simulation.
 *
 * Hosts are numbered 0..hosts-1 in the order of the file, data centers in the order in which they
 * are released.  A host has one or two slots (a, b): places where a copy of the service can live.
 */
#include <stdbool.h>
#include <stdint.h>

#define RELEASE_HOSTS_MAX  256
#define RELEASE_DCS_MAX    16
#define RELEASE_STAGES_MAX 32
#define RELEASE_ORDER_MAX  16
#define RELEASE_HOOKS_MAX  16

enum release_track { RELEASE_STABLE, RELEASE_CANARY, RELEASE_TRACKS };
enum release_strategy { RELEASE_ROLLING, RELEASE_BY_CANARY };
enum release_swap { RELEASE_IN_PLACE, RELEASE_BESIDE };
enum release_slot { RELEASE_SLOT_A, RELEASE_SLOT_B, RELEASE_SLOTS };
/* Which of the two versions of a release; NONE: no copy there. */
enum release_version { RELEASE_NONE, RELEASE_OLD, RELEASE_NEW };

/* Steps of a host's runbook and of the whole; the words of `order:` and of every report. */
enum release_step_kind {
    /* a host, in the order of the default runbook in place */
    STEP_PREFLIGHT,
    STEP_ROOM,
    STEP_PULL,
    STEP_LEAVE,
    STEP_STOP,
    STEP_PROXY,
    STEP_CONNECT,
    STEP_START,
    STEP_TEST,
    STEP_JOIN,
    STEP_SOAK,
    /* a host, beside */
    STEP_SWITCH,   /* visitors from one slot to the other */
    STEP_KEEP_OLD, /* the old copy stays warm */
    STEP_STOP_OLD,
    /* a host, on the way out of trouble */
    STEP_PUT_BACK, /* undoes a leave when nothing was stopped */
    STEP_SHUT,     /* out of the routers, everything of the release stopped */
    STEP_TRACK,    /* moved to the other track as it is */
    /* the service */
    STEP_LOCK,
    STEP_HOOK_BEFORE,
    STEP_MIGRATE,
    STEP_SHARE, /* set, read back, verified */
    STEP_DWELL, /* under judgement */
    STEP_HOOK_AFTER,
    STEP_KINDS
};

/* "preflight", "leave", ...: the words of release.yaml and reports. */
extern const char *const release_step_name[STEP_KINDS];

struct release_spec_host {
    uint8_t dc;
    bool pool;                /* of the canary pool, with strategy canary */
    uint16_t weight;          /* 1..1000, its part of the capacity */
    enum release_track track; /* where it is at rest; pool hosts: stable or canary */
};

struct release_stage {
    uint32_t share_ppm;
    bool staff; /* only people of the staff: the share stays where it is */
    uint64_t dwell_ms;
};

/* NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): in the order of meaning */
struct release_spec {
    enum release_strategy strategy;
    enum release_swap swap;
    uint16_t hosts;
    uint8_t dcs;
    struct release_spec_host host[RELEASE_HOSTS_MAX];

    /* The runbook in place, from preflight to soak; leave comes before stop, stop before start,
     * start before test, test before join. */
    uint8_t order[RELEASE_ORDER_MAX];
    uint8_t orders;
    bool has_proxy, has_connect, has_tests;

    uint16_t batch;             /* hosts of one data center out at once, at least 1 */
    uint16_t keep_up_per_dc;    /* hosts of a data center that stay (plan_int.h); 0: none has to */
    uint32_t keep_up_total_ppm; /* of the capacity of a track that stays in the routers */
    bool with_downtime;         /* the last serving copy may be taken out */
    uint64_t soak_ms, keep_old_ms;    /* keep_old: beside only */
    uint64_t requests_ms, streams_ms; /* limits of a drain */
    uint64_t step_ms;                 /* deadline of a host's step that has none of its own */

    /* canary */
    uint16_t beside_per_dc; /* pool of copies beside the stable ones, hosts of a data center; 0:
                               pool hosts */
    bool grow;
    uint32_t headroom_ppm; /* over the share of the capacity, 1200000 = 1.2 */
    uint8_t stages;
    struct release_stage stage[RELEASE_STAGES_MAX];
    bool retire_to_stable; /* pool hosts rest on stable; else their copies are stopped */
    bool hold_at_end;      /* a train: 100 % is not the end */
    uint64_t patience_ms;  /* after the dwell, for enough requests */

    bool has_migration, migrate_after, barrier;
    uint8_t hooks_before, hooks_after;
    uint64_t migrate_ms;
};
