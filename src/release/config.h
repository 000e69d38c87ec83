#pragma once
/*
 * release.yaml, its overlay release.ENV.yaml and fleet.yaml, merged, checked and typed.
 *
 * All memory is of the config's arena; strings are NUL-terminated, NULL where nothing was said.
 * Texts with `${...}` are kept as written and expanded where they are used (release_expand).
 */
#include "conf/diag.h"
#include "conf/schema.h"
#include "release/spec.h"

enum release_driver { RELEASE_PROCESS, RELEASE_COMPOSE, RELEASE_KUBERNETES };

struct release_texts {
    const char **ptr;
    size_t len;
};

struct release_pair {
    const char *name, *value;
    struct pos pos;
};

struct release_pairs {
    struct release_pair *ptr;
    size_t len;
};

/* {env: NAME} or {command: [...]} or {file: PATH}: read when it is needed, never kept. */
struct release_secret {
    const char *name;
    const char *env, *file;
    struct release_texts command;
    struct pos pos;
};

struct release_image {
    const char *name, *image; /* "registry/app:${version}" */
    bool pinned;
    struct pos pos;
};

/* A program of the process driver. */
struct release_program {
    const char *name;
    struct release_texts command; /* templates; the first word relative to the version's folder */
    struct release_pairs env;     /* templates */
    struct pos pos;
};

struct release_port {
    const char *name;
    uint16_t number[RELEASE_SLOTS]; /* of slot a, of slot b; 0: the host has no slot b */
};

struct release_host {
    const char *name;
    unsigned dc;
    const char *at;      /* "process:FOLDER", "local", "ssh://user@host:port" */
    const char *folder;  /* of process:, relative to the file that names it, made absolute */
    const char *address; /* default 127.0.0.1 for process, else the host part of at */
    struct release_port *port;
    size_t ports;
    uint16_t weight;
    struct pos pos;
};

struct release_router {
    const char *name;
    const char *nginx; /* address of the API as router_parse takes it */
    const char *at;    /* ssh://...: the API is reached through it; NULL: directly */
    const char *token_file;
    const char *visit; /* where visitors reach it; NULL: not said */
    struct pos pos;
};

enum release_health_kind { HEALTH_NONE, HEALTH_CHECK_HTTP };

/* A role: what is stopped and started together. */
enum release_role_kind { ROLE_PROXY, ROLE_APP, ROLE_WORKER, ROLE_CRON, ROLES };

struct release_role {
    bool given;
    struct release_texts services; /* in the order of starting */
    bool shared;                   /* proxy: not part of the version */
    const char *fail,
        *ok;          /* proxy: "POST http://127.0.0.1:${port.admin}/pourover/healthcheck/fail" */
    const char *flag; /* proxy: path of a file that makes it start failing */
    const char *ready_http; /* "http://127.0.0.1:${port.web}/healthz" */
    uint64_t ready_within_ms;
    uint64_t up_for_ms;           /* ready when it has been up for so long; 0: not */
    int stop_signal, then_signal; /* 0: TERM; 0: none */
    uint64_t grace_ms;
    unsigned restarts_max;
    uint64_t restarts_watch_ms;
    const char *only_on; /* cron: host */
    bool pause_during_release;
    struct pos pos;
};

enum release_connect_kind {
    CONNECT_TCP,
    CONNECT_HTTP,
    CONNECT_POSTGRES,
    CONNECT_MYSQL,
    CONNECT_REDIS,
    CONNECT_TLS,
    CONNECT_GRPC,
    CONNECT_COMMAND
};

struct release_connect {
    enum release_connect_kind kind;
    const char *to; /* "db.internal:5432", a URL; templates */
    struct release_texts command;
    const char *send, *expect; /* of tcp: text to send, and that has to come */
    bool bare;                 /* of tcp: an accepted connection is enough */
    uint64_t retry_ms;
    struct pos pos;
};

struct release_migration {
    bool given;
    struct release_texts command;
    const char *in; /* service whose image or folder it runs in */
    bool after, barrier;
    uint64_t timeout_ms;
    struct pos pos;
};

struct release_tests {
    bool given;
    struct release_texts files;            /* globs, relative to release.yaml */
    const char *target;                    /* "${port.web}", "web:8080": of the slot under test */
    struct release_texts given_vars, tags; /* "NAME=VALUE" */
    struct release_texts requires;         /* names that have to be set in the environment */
    uint32_t coverage_ppm;                 /* of methods; 0: not asked */
    uint64_t budget_ms;
    struct pos pos;
};

struct release_limits {
    bool has_errors, has_p99;
    uint32_t errors_ppm;
    uint64_t p99_us;
    uint64_t min_requests;
};

struct release_hook {
    const char *name;
    struct release_texts command; /* on the controller, with POUROVER_... in the environment */
    uint64_t timeout_ms;
    struct pos pos;
};

enum release_hook_time { HOOK_BEFORE, HOOK_AFTER, HOOK_ON_FAILURE, HOOK_TIMES };

struct release_config {
    struct arena arena;
    const char *path, *fleet_path, *env; /* as named; fleet_path NULL: hosts are in path */
    const char *dir;                     /* folder of path, absolute */
    const char *service;
    struct release_texts needs, untouched;
    struct pos *needs_pos; /* where each of needs is written */
    enum release_driver driver;

    const char **dc; /* dcs names in the order of releasing */
    struct release_host *host;
    struct release_router *router;
    size_t dcs, hosts, routers;

    const char *router_service; /* how the routers call the service; default: service */
    const char *peer;           /* "${host.address}:${port.web}": the address that routers know */
    struct release_role role[ROLES];
    struct release_image *image;
    size_t images;

    /* driver process */
    const char *source; /* "dist/${version}": folder that step pull copies, relative to dir */
    struct release_program *program;
    size_t programs;
    unsigned keep; /* versions that stay on a host */

    struct release_secret *secret; /* environment of the programs, as files of mode 0600 */
    size_t secrets;

    uint64_t disk_free_bytes;
    struct release_connect *connect;
    size_t connects;
    struct release_migration migration;
    struct release_tests tests;
    struct release_limits limits; /* of the canary's stages */
    struct release_texts staff;   /* header "X-Staff", list file: kept, used later */
    struct release_hook *hook[HOOK_TIMES];
    size_t hooks[HOOK_TIMES];
    uint64_t deadline_ms; /* of a step that has none of its own */
    uint64_t drain_requests_ms, drain_streams_ms;

    struct release_spec spec; /* what the engine gets */
    char hash[17];            /* of all files that were read */

    struct conf_file **file; /* that were read, for messages */
    size_t files;
    struct conf_node *merged; /* for `config`; with defaults, whose places are in `defaults` */
    struct conf_file defaults;
};

/*
 * Reads path (and path's stem + ".ENV.yaml" over it when env is not NULL: maps merge, lists and
 * scalars replace; the fleet file that it names).  All that is wrong is added to diags.  On failure
 * ret still has the files for printing, and has to be released.
 */
int release_config_load(const char *path, const char *env, struct conf_diags *diags,
                        struct release_config *ret);
void release_config_done(struct release_config *config);

/* A fleet file alone: hosts, data centers and routers of ret are set.  As above. */
int release_fleet_load(const char *path, struct conf_diags *diags, struct release_config *ret);

/* Whether name is that of an overlay, STEM.ENV.yaml beside STEM.yaml; both are then copied. */
bool release_overlay_name(const char *name, char **ret_path, char **ret_env);

/*
 * What the configuration says and this version cannot carry out: an error for each, at its place.
 * `check` and `config` take such a file, `plan` and `release` do not.  0 or ERR_INVALID.
 */
int release_config_unsupported(const struct release_config *config, struct conf_diags *diags);

/* Host by name; -1. */
int release_config_host(const struct release_config *config, const char *name);

/* The tables behind release.yaml and fleet.yaml: for `schema`, the reference and messages. */
extern const struct conf_key release_keys[], fleet_keys[];
/* YAML, by section: `all` is for every file, others are for sections that are there. */
extern const char release_defaults[];

/* The whole configuration as YAML with the origin of each value in a comment (`config`). */
void release_config_print(const struct release_config *config, struct buf *b);

/*
 * Expands a template for a place: ${version}, ${variant}, ${service}, ${host}, ${host.address},
 * ${datacenter}, ${slot} (a or b), ${folder} (of the version on the host), ${port.NAME},
 * ${env.NAME}.  host -1: no host.  ERR_INVALID names the variable; ERR_FULL.
 */
struct release_place {
    const char *version, *variant, *folder;
    int host;
    enum release_slot slot;
};
int release_expand(const struct release_config *config, const struct release_place *place,
                   const char *text, struct buf *b, struct err *err)
    __attribute__((warn_unused_result));
