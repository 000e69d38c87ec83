/* All options of all commands, each once. */
#include "cli/cmd.h"

#include "base/num.h"
#include "base/str.h"
#include "gateway/probe.h"
#include "traffic/cut.h"

#include <string.h>

#define MAX_TIMEOUT_MS (UINT64_C(3600) * 1000)
#define MAX_DWELL_MS   (UINT64_C(30) * 86400 * 1000)

static int take_json(struct cli *cli, const char *value, struct err *err)
{
    (void) value, (void) err;
    cli->json = true;
    return 0;
}

static int take_quiet(struct cli *cli, const char *value, struct err *err)
{
    (void) value, (void) err;
    cli->quiet = true;
    return 0;
}

static int take_verbose(struct cli *cli, const char *value, struct err *err)
{
    (void) value, (void) err;
    cli->verbose = true;
    return 0;
}

static int take_help(struct cli *cli, const char *value, struct err *err)
{
    (void) value, (void) err;
    cli->wants_help = true;
    return 0;
}

static int take_version(struct cli *cli, const char *value, struct err *err)
{
    (void) value, (void) err;
    cli->wants_version = true;
    return 0;
}

static int take_router(struct cli *cli, const char *value, struct err *err)
{
    (void) err; /* read when the routers are opened, as those of the environment are */
    vec_push(&cli->routers, value);
    return 0;
}

static int take_service(struct cli *cli, const char *value, struct err *err)
{
    for (const char *c = value; *c != '\0'; c++) {
        if (*c <= ' ' || *c > '~' || strchr("/?#%", *c) != NULL) {
            return err_set(
                err, ERR_INVALID,
                "\"%s\" is no name of a service: it has ASCII without spaces and / ? # %%", value);
        }
    }
    if (value[0] == '\0' || strlen(value) >= ROUTER_NAME_MAX) {
        return err_set(err, ERR_INVALID, "a name has 1 to %d characters", ROUTER_NAME_MAX - 1);
    }
    cli->service = value;
    return 0;
}

static int take_token_file(struct cli *cli, const char *value, struct err *err)
{
    (void) err; /* read when the routers are opened */
    cli->token_file = value;
    return 0;
}

static int take_ms(const char *value, uint64_t min, uint64_t max, const char *right, uint64_t *ret,
                   struct err *err)
{
    uint64_t ms;
    if (num_duration_ms(str_of(value), &ms) != 0 || ms < min || ms > max) {
        return err_set(err, ERR_INVALID, "\"%s\" is not %s", value, right);
    }
    *ret = ms;
    return 0;
}

static int take_timeout(struct cli *cli, const char *value, struct err *err)
{
    return take_ms(value, 1, MAX_TIMEOUT_MS, "a time from 1ms to 1h, such as 10s", &cli->timeout_ms,
                   err);
}

static int take_for(struct cli *cli, const char *value, struct err *err)
{
    return take_ms(value, 1, MAX_DWELL_MS, "a time from 1ms to 30d, such as 30s", &cli->for_ms,
                   err);
}

static int take_interval(struct cli *cli, const char *value, struct err *err)
{
    return take_ms(value, 100, MAX_TIMEOUT_MS, "a time from 100ms to 1h, such as 1s",
                   &cli->interval_ms, err);
}

static int take_dwell(struct cli *cli, const char *value, struct err *err)
{
    return take_ms(value, 0, MAX_DWELL_MS, "a time from 0 to 30d, such as 5m", &cli->dwell_ms, err);
}

static int take_salt(struct cli *cli, const char *value, struct err *err)
{
    if (!cut_salt_valid(str_of(value))) {
        return err_set(err, ERR_INVALID,
                       "\"%s\" is not a salt: 1 to 64 characters of A-Z a-z 0-9 . _ -", value);
    }
    cli->salt = value;
    return 0;
}

static int take_reason(struct cli *cli, const char *value, struct err *err)
{
    (void) err;
    cli->reason = value;
    return 0;
}

static int take_visit(struct cli *cli, const char *value, struct err *err)
{
    if (!http_url_is_valid(value)) {
        return err_set(err, ERR_INVALID,
                       "\"%s\" is not a visitors' address such as http://127.0.0.1:8080/", value);
    }
    vec_push(&cli->visits, value);
    return 0;
}

static bool is_token(const char *value, const char *also)
{
    for (const char *c = value; *c != '\0'; c++) {
        bool alnum =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (!alnum && strchr(also, *c) == NULL) {
            return false;
        }
    }
    return value[0] != '\0' && strlen(value) <= 255;
}

static int take_host_header(struct cli *cli, const char *value, struct err *err)
{
    if (!is_token(value, ".-_:[]")) {
        return err_set(err, ERR_INVALID, "\"%s\" is not a host such as shop.example", value);
    }
    cli->host_header = value;
    return 0;
}

static int take_id_header(struct cli *cli, const char *value, struct err *err)
{
    if (!is_token(value, "-_")) {
        return err_set(err, ERR_INVALID, "\"%s\" is not a name of a header such as X-User-Id",
                       value);
    }
    cli->id_header = value;
    return 0;
}

static int take_requests(struct cli *cli, const char *value, struct err *err)
{
    if (num_u64(str_of(value), 1, PROBE_MAX, &cli->requests) != 0) {
        return err_set(err, ERR_INVALID, "\"%s\" is not a number of visitors from 1 to %d", value,
                       PROBE_MAX);
    }
    return 0;
}

static int take_confidence(struct cli *cli, const char *value, struct err *err)
{
    struct str s = str_of(value);
    double percent = 0;
    bool has_unit = str_ends_with(s, STR("%"));
    s.len -= has_unit ? 1 : 0;
    if (!has_unit || num_double(s, &percent) != 0 || percent < 50 || percent > 99.999999) {
        return err_set(err, ERR_INVALID, "\"%s\" is not a confidence from 50%% to 99.999999%%",
                       value);
    }
    cli->confidence = percent / 100;
    return 0;
}

static int take_cut_only(struct cli *cli, const char *value, struct err *err)
{
    (void) value, (void) err;
    cli->cut_only = true;
    return 0;
}

static int take_stages(struct cli *cli, const char *value, struct err *err)
{
    struct stage_list list = {0};
    struct str word, rest = str_of(value);
    while (str_cut(&rest, ',', &word)) {
        if (list.len == CLI_STAGES_MAX) {
            return err_set(err, ERR_INVALID, "more than %d stages", CLI_STAGES_MAX);
        }
        int code = num_share_ppm(str_trim(word), &list.share_ppm[list.len], err);
        if (code != 0) {
            return err_wrap(err, "stage %zu", list.len + 1);
        }
        if (list.len > 0 && list.share_ppm[list.len] <= list.share_ppm[list.len - 1]) {
            return err_set(err, ERR_INVALID,
                           "stage %zu, \"" STR_FMT "\", is not above the one before: a walk rises, "
                           "such as 0,0.1%%,1%%,10%%,50%%,100%%",
                           list.len + 1, STR_ARG(word));
        }
        list.len++;
    }
    cli->stages = list;
    return 0;
}

static int take_max_errors(struct cli *cli, const char *value, struct err *err)
{
    cli->has_max_errors = true;
    return num_share_ppm(str_of(value), &cli->max_errors_ppm, err);
}

static int take_markdown(struct cli *cli, const char *value, struct err *err)
{
    (void) value, (void) err;
    cli->format = "markdown";
    return 0;
}

static int take_man(struct cli *cli, const char *value, struct err *err)
{
    (void) value, (void) err;
    cli->format = "man";
    return 0;
}

#define END                       \
    {                             \
        NULL, 0, NULL, NULL, NULL \
    }
#define REASON                                                      \
    {                                                               \
        "reason", 0, "TEXT", "printed with the result", take_reason \
    }
#define SALT(help)                         \
    {                                      \
        "salt", 0, "SALT", help, take_salt \
    }
#define VISITING                                                                                  \
    {"visit", 0, "URL",                                                                           \
     "a visitors' address: one for each router in the same order, or one for all (required)",     \
     take_visit},                                                                                 \
        {"host-header", 0, "HOST", "the Host to ask for; default: the one of the URL",            \
         take_host_header},                                                                       \
        {"id-header", 0, "NAME",                                                                  \
         "the service takes ids from this header: send our own; default: the cookie that the "    \
         "router issues",                                                                         \
         take_id_header},                                                                         \
        {"requests", 0, "N", "fresh and as many returning visitors for each router; default 400", \
         take_requests},                                                                          \
    {                                                                                             \
        "cut-only", 0, NULL, "ask the routers alone, not the peers behind them", take_cut_only    \
    }

const struct opt opt_global[] = {
    {"json", 0, NULL, "print JSON: one object, or one a line where the command goes on", take_json},
    {"quiet", 'q', NULL, "print only what failed", take_quiet},
    {"verbose", 'v', NULL, "print more: every peer", take_verbose},
    {"help", 'h', NULL, "print the help of the command", take_help},
    {"version", 0, NULL, "print the version", take_version},
    END,
};

const struct opt opt_routers[] = {
    {"router", 0, "[NAME=]URL",
     "a router's API, repeatable: http://127.0.0.1:9900/pourover or "
     "unix:/run/pourover.sock:/pourover; default: the words of POUROVER_ROUTERS",
     take_router},
    {"service", 0, "NAME", "the service; default: the only one", take_service},
    {"token-file", 0, "FILE", "the token of the API; default: POUROVER_TOKEN, or none",
     take_token_file},
    {"timeout", 0, "TIME", "how long to try; default 10s", take_timeout},
    END,
};

const struct opt opt_change[] = {
    SALT("a new salt, which draws new first visitors"),
    REASON,
    END,
};

const struct opt opt_switch[] = {
    REASON,
    END,
};

const struct opt opt_watch[] = {
    {"for", 0, "TIME", "end after this time; default: at Ctrl-C", take_for},
    {"interval", 0, "TIME", "time between two readings; default 1s", take_interval},
    END,
};

const struct opt opt_who[] = {
    SALT("compute with this salt instead of asking a router"),
    END,
};

const struct opt opt_verify[] = {
    VISITING,
    {"confidence", 0, "PERCENT",
     "of the interval around the measured share: a right share is called wrong at most so rarely; "
     "default 99.9%",
     take_confidence},
    END,
};

const struct opt opt_walk[] = {
    {"stages", 0, "SHARE,...", "the shares, rising; default 0,0.1%,1%,10%,50%,100%", take_stages},
    {"dwell", 0, "TIME", "how long to stay at each; default 10s", take_dwell},
    {"max-errors", 0, "SHARE",
     "go back when more of the canary's requests fail within a stage; default: not looked at",
     take_max_errors},
    REASON,
    VISITING,
    {"confidence", 0, "PERCENT",
     "of all stages together: a walk of right shares is stopped at most so rarely; default 99.9%",
     take_confidence},
    END,
};

const struct opt opt_help[] = {
    {"markdown", 0, NULL, "print the reference of all commands", take_markdown},
    {"man", 0, NULL, "print a man page: of pourover, or of the group that is named", take_man},
    END,
};
