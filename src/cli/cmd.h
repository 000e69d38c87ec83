#pragma once
/*
 * Commands as tables: --help, the man pages, the reference and the completion are made of them.
 */
#include "base/err.h"
#include "base/vec.h"
#include "cli/exits.h"
#include "cli/test_options.h"
#include "gateway/fleet.h"
#include "io/http.h"
#include "io/loop.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_OPERANDS_MAX 4096 /* files that a shell expands */
#define CLI_STAGES_MAX   32
#define CLI_WEIGHT_MAX   1000   /* of a peer */
#define CLI_EVENTS_MAX   100000 /* held at once, of all routers together */

struct cli;

/* An option.  A table of them ends with a row whose name is NULL. */
struct opt {
    const char *name; /* without the dashes */
    char letter;      /* of the short form, 0: none */
    const char *arg;  /* what it takes: "URL"; in brackets: a number that may be missing, value is
                         NULL then; NULL: nothing */
    const char *help; /* what it does; "; default 10s" where there is one */
    /* value is NULL when arg is.  The message needs no name of the option: it is put in front. */
    int (*take)(struct cli *cli, const char *value, struct err *err);
};

/* ends with a row whose line is NULL */
struct example {
    const char *line, *says;
};

struct cmd {
    const char *name;    /* "router set": as typed behind pourover */
    const char *summary; /* one line, no full stop */
    const char *operand; /* "SHARE"; NULL: none.  In brackets when it may be missing. */
    size_t operands_min, operands_max;
    bool several;                    /* takes the files of several services */
    const char *const *choices;      /* for completion of the operand; ends with NULL; or NULL */
    const struct opt *const *option; /* tables of options, ends with NULL */
    const char *details;             /* paragraphs separated by an empty line */
    const struct example *example;
    enum exit_code (*run)(struct cli *cli);
};

struct stage_list {
    uint32_t share_ppm[CLI_STAGES_MAX];
    size_t len;
};

/* What is to be written down as events; members without has_ stay. */
struct record_wish {
    bool has_slow, has_hang, has_sample, has_also;
    struct router_watch want;
};

/* What the command line said, and what commands run on. */
struct cli {
    const struct cmd *cmd;
    const char *operand[CLI_OPERANDS_MAX];
    size_t noperands;
    bool json, quiet, verbose, wants_help, wants_version;

    VEC(const char *) routers;
    const char *service, *token_file;
    uint64_t timeout_ms;

    const char *salt, *reason;
    VEC(const char *) visits;
    const char *host_header, *id_header;
    uint64_t requests;
    double confidence;
    bool cut_only, has_max_errors;
    uint32_t max_errors_ppm;
    struct stage_list stages;
    uint64_t dwell_ms;
    uint64_t for_ms, interval_ms;
    bool has_track, has_weight, force, no_wait, follow;
    enum track track;
    const char *by, *message, *dc;
    uint64_t requests_ms, streams_ms; /* limits of a drain; 0: none */
    uint64_t wait_ms;                 /* 0: the default */
    uint64_t weight, limit;
    VEC(const char *) kinds; /* of events; of events_kind */
    struct record_wish record;
    VEC(const char *) release_files;        /* as given; more than one: cmd->several */
    const char *release_file, *environment; /* the first; NULL: release.yaml, none */
    const char *why, *variant;              /* of releases */
    bool yes, with_downtime, offline;
    int migration;      /* enum release_tell */
    uint64_t simulate;  /* runs; 0: not */
    const char *format; /* of help: "markdown", "man"; NULL: text */
    struct cli_test test;

    /* while a command runs on routers; see routers.h */
    struct io_loop *loop;
    struct http_client *http;
    struct fleet fleet;
    char *bearer;
    atomic_bool interrupted;
};

extern const struct cmd cmd_router_status, cmd_router_watch, cmd_router_set, cmd_router_enable,
    cmd_router_disable, cmd_router_sync, cmd_router_who, cmd_router_verify, cmd_router_walk,
    cmd_router_peers, cmd_router_drain, cmd_router_undrain, cmd_router_down, cmd_router_add,
    cmd_router_remove, cmd_router_weight, cmd_router_maintenance, cmd_router_health,
    cmd_router_events, cmd_router_record, cmd_test, cmd_test_new, cmd_test_call, cmd_test_record,
    cmd_plan, cmd_release, cmd_restart, cmd_status, cmd_watch, cmd_history, cmd_show, cmd_logs,
    cmd_pause, cmd_resume, cmd_rollback, cmd_promote, cmd_host_leave, cmd_host_join,
    cmd_train_start, cmd_train_status, cmd_train_end, cmd_check, cmd_config, cmd_schema, cmd_help,
    cmd_completion;

/* All commands in the order of the help; ends with NULL. */
extern const struct cmd *const cmd_table[];

/* The options that every command has. */
extern const struct opt opt_global[];
extern const struct opt opt_routers[]; /* and which service of them */
extern const struct opt opt_reach[];   /* without a service */
extern const struct opt opt_change[];
extern const struct opt opt_switch[];
extern const struct opt opt_watch[];
extern const struct opt opt_who[];
extern const struct opt opt_verify[];
extern const struct opt opt_walk[];
extern const struct opt opt_track[];
extern const struct opt opt_by[];
extern const struct opt opt_out[]; /* of what takes peers out */
extern const struct opt opt_drain[];
extern const struct opt opt_add[];
extern const struct opt opt_maintenance[];
extern const struct opt opt_events[];
extern const struct opt opt_record[];
extern const struct opt opt_release[];     /* which release file and environment */
extern const struct opt opt_releases[];    /* the same, of several services */
extern const struct opt opt_environment[]; /* the environment alone */
extern const struct opt opt_plan[];
extern const struct opt opt_begin[]; /* by whom and why, reports */
extern const struct opt opt_steer[]; /* of commands on a release that was begun */
extern const struct opt opt_resume[];
extern const struct opt opt_back[];
extern const struct opt opt_train[];
extern const struct opt opt_history[];
extern const struct opt opt_lines[]; /* of logs */
extern const struct opt opt_asked[]; /* by, why, yes, force: of one host */
extern const struct opt opt_help[];
extern const struct opt opt_target[];  /* whom API tests call, and how */
extern const struct opt opt_given[];   /* variables, secrets, import paths */
extern const struct opt opt_test[];    /* which tests, how many at once, reports */
extern const struct opt opt_schemas[]; /* where descriptors come from, without a file of tests */
extern const struct opt opt_call[];
extern const struct opt opt_output[];

/* The option of a command, its global ones included; NULL when it has none of that name. */
const struct opt *cmd_find_opt(const struct cmd *cmd, struct str name, char letter);

/*
 * Finds the command in argv (words behind the program's name) and takes its options.
 * cli->cmd NULL after success: there was no command.  ERR_INVALID.
 */
int cmd_parse(struct cli *cli, int argc, char **argv, struct err *err)
    __attribute__((warn_unused_result));
void cli_init(struct cli *cli);
void cli_done(struct cli *cli);
