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

static int take_track(struct cli *cli, const char *value, struct err *err)
{
    for (int i = 0; i < TRACKS; i++) {
        if (strcmp(value, track_name[i]) == 0) {
            cli->has_track = true;
            cli->track = (enum track) i;
            return 0;
        }
    }
    return err_set(err, ERR_INVALID, "\"%s\" is no track: there are stable and canary", value);
}

/* A text of one line that routers keep. */
static int take_text(const char *value, size_t max, const char **ret, struct err *err)
{
    for (const char *c = value; *c != '\0'; c++) {
        if ((unsigned char) *c < ' ' || *c == 0x7f) {
            return err_set(err, ERR_INVALID, "\"%s\" has a control character", value);
        }
    }
    if (strlen(value) > max || !str_is_utf8(str_of(value))) {
        return err_set(err, ERR_INVALID, "\"%s\" is not UTF-8 of at most %zu bytes", value, max);
    }
    *ret = value;
    return 0;
}

static int take_by(struct cli *cli, const char *value, struct err *err)
{
    return take_text(value, 64, &cli->by, err);
}

static int take_message(struct cli *cli, const char *value, struct err *err)
{
    return take_text(value, 200, &cli->message, err);
}

static int take_dc(struct cli *cli, const char *value, struct err *err)
{
    return take_text(value, 32, &cli->dc, err);
}

static int take_force(struct cli *cli, const char *value, struct err *err)
{
    (void) value, (void) err;
    cli->force = true;
    return 0;
}

static int take_requests_limit(struct cli *cli, const char *value, struct err *err)
{
    return take_ms(value, 0, MAX_DWELL_MS, "a time from 0 to 30d, such as 30s", &cli->requests_ms,
                   err);
}

static int take_streams_limit(struct cli *cli, const char *value, struct err *err)
{
    return take_ms(value, 0, MAX_DWELL_MS, "a time from 0 to 30d, such as 5m", &cli->streams_ms,
                   err);
}

static int take_wait(struct cli *cli, const char *value, struct err *err)
{
    return take_ms(value, 1, MAX_DWELL_MS, "a time from 1ms to 30d, such as 5m", &cli->wait_ms,
                   err);
}

static int take_no_wait(struct cli *cli, const char *value, struct err *err)
{
    (void) value, (void) err;
    cli->no_wait = true;
    return 0;
}

static int take_weight(struct cli *cli, const char *value, struct err *err)
{
    if (num_u64(str_of(value), 1, CLI_WEIGHT_MAX, &cli->weight) != 0) {
        return err_set(err, ERR_INVALID, "\"%s\" is not a weight from 1 to %d", value,
                       CLI_WEIGHT_MAX);
    }
    cli->has_weight = true;
    return 0;
}

static int take_follow(struct cli *cli, const char *value, struct err *err)
{
    (void) value, (void) err;
    cli->follow = true;
    return 0;
}

static int take_limit(struct cli *cli, const char *value, struct err *err)
{
    if (num_u64(str_of(value), 1, CLI_EVENTS_MAX, &cli->limit) != 0) {
        return err_set(err, ERR_INVALID, "\"%s\" is not a number of events from 1 to %d", value,
                       CLI_EVENTS_MAX);
    }
    return 0;
}

static int take_kind(struct cli *cli, const char *value, struct err *err)
{
    size_t n = 0;
    struct str word, rest = str_of(value);
    while (events_kind[n] != NULL) {
        n++;
    }
    while (str_cut(&rest, ',', &word)) {
        const char *near = str_nearest(word, events_kind, n);
        if (near == NULL || !str_eq_cstr(word, near)) {
            return err_set(err, ERR_INVALID, "\"" STR_FMT "\" is no kind of event%s%s%s",
                           STR_ARG(word), near != NULL ? "; did you mean \"" : "",
                           near != NULL ? near : "",
                           near != NULL ? "\"?" : "; see \"pourover router events --help\"");
        }
        vec_push(&cli->kinds, near);
    }
    return 0;
}

static int take_slow(struct cli *cli, const char *value, struct err *err)
{
    struct router_watch *w = &cli->record.want;
    struct str word, rest = str_of(value);
    cli->record.has_slow = true;
    w->nslow = 0;
    while (strcmp(value, "off") != 0 && str_cut(&rest, ',', &word)) {
        uint64_t ms = 0;
        if (num_duration_ms(word, &ms) != 0 || ms == 0 || ms > MAX_TIMEOUT_MS) {
            return err_set(err, ERR_INVALID, "\"" STR_FMT "\" is not a time from 1ms to 1h",
                           STR_ARG(word));
        }
        if (w->nslow == EVENTS_SLOW_MAX ||
            (w->nslow > 0 && ms * 1000 <= w->slow_us[w->nslow - 1])) {
            return err_set(err, ERR_INVALID,
                           "\"%s\" is not at most %d rising times, such as 500ms,2s, nor off",
                           value, EVENTS_SLOW_MAX);
        }
        w->slow_us[w->nslow++] = ms * 1000;
    }
    return 0;
}

static int take_hang(struct cli *cli, const char *value, struct err *err)
{
    cli->record.has_hang = true;
    return take_ms(value, 0, MAX_TIMEOUT_MS, "a time from 0 (off) to 1h, such as 10s",
                   &cli->record.want.hang_ms, err);
}

static int take_sample(struct cli *cli, const char *value, struct err *err)
{
    uint64_t n = 0;
    if (num_u64(str_of(value), 0, 65536, &n) != 0 || (n & (n - 1)) != 0) {
        return err_set(err, ERR_INVALID, "\"%s\" is not 0 (off) nor a power of two up to 65536",
                       value);
    }
    cli->record.has_sample = true;
    cli->record.want.sample = n;
    return 0;
}

static int take_also(struct cli *cli, const char *value, struct err *err)
{
    struct router_watch *w = &cli->record.want;
    struct str word, rest = str_of(value);
    cli->record.has_also = true;
    w->client_errors = w->redirects = false;
    while (strcmp(value, "none") != 0 && str_cut(&rest, ',', &word)) {
        bool client_errors = str_eq_cstr(word, "4xx"), redirects = str_eq_cstr(word, "3xx");
        if (!client_errors && !redirects) {
            return err_set(err, ERR_INVALID,
                           "\"" STR_FMT "\" is neither 4xx nor 3xx; or write none", STR_ARG(word));
        }
        w->client_errors = w->client_errors || client_errors;
        w->redirects = w->redirects || redirects;
    }
    return 0;
}

static int take_file(struct cli *cli, const char *value, struct err *err)
{
    (void) err; /* read when the command begins */
    vec_push(&cli->release_files, value);
    cli->release_file = cli->release_files.ptr[0];
    return 0;
}

static int take_environment(struct cli *cli, const char *value, struct err *err)
{
    if (value[0] == '\0' || strchr(value, '/') != NULL) {
        return err_set(err, ERR_INVALID, "\"%s\" is no name of an environment, such as staging",
                       value);
    }
    cli->environment = value;
    return 0;
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
#define ROUTER                                                                           \
    {                                                                                    \
        "router", 0, "[NAME=]URL",                                                       \
            "a router's API, repeatable: http://127.0.0.1:9900/pourover or "             \
            "unix:/run/pourover.sock:/pourover; default: the words of POUROVER_ROUTERS", \
            take_router                                                                  \
    }
#define TOKEN_AND_TIMEOUT                                                               \
    {"token-file", 0, "FILE", "the token of the API; default: POUROVER_TOKEN, or none", \
     take_token_file},                                                                  \
    {                                                                                   \
        "timeout", 0, "TIME", "how long to try; default 10s", take_timeout              \
    }
#define VISITING                                                                               \
    {"visit", 0, "URL",                                                                        \
     "a visitors' address: one for each router in the same order, or one for all (required)",  \
     take_visit},                                                                              \
        {"host-header", 0, "HOST", "the Host to ask for; default: the one of the URL",         \
         take_host_header},                                                                    \
        {"id-header", 0, "NAME",                                                               \
         "the service takes ids from this header: send our own; default: the cookie that the " \
         "router issues",                                                                      \
         take_id_header},                                                                      \
        {"requests", 0, "N",                                                                   \
         "fresh and as many returning visitors, at each router and again at its "              \
         "peers; default 400",                                                                 \
         take_requests},                                                                       \
    {                                                                                          \
        "cut-only", 0, NULL, "ask the routers alone, not the peers behind them", take_cut_only \
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
    ROUTER,
    {"service", 0, "NAME", "the service; default: the only one", take_service},
    TOKEN_AND_TIMEOUT,
    END,
};

const struct opt opt_reach[] = {
    ROUTER,
    TOKEN_AND_TIMEOUT,
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

const struct opt opt_track[] = {
    {"track", 0, "TRACK", "stable or canary, where both have the peer", take_track},
    END,
};

const struct opt opt_by[] = {
    {"by", 0, "TEXT", "who or what does it; the routers keep it and tell it", take_by},
    END,
};

const struct opt opt_out[] = {
    {"force", 0, NULL, "also where stable is left without a peer that takes requests", take_force},
    END,
};

const struct opt opt_drain[] = {
    {"requests", 0, "TIME", "end requests that are in flight after so long; default: never",
     take_requests_limit},
    {"streams", 0, "TIME",
     "the same of streams: gRPC, websockets, server-sent events; default: never",
     take_streams_limit},
    {"wait", 0, "TIME",
     "how long to wait until nothing is in flight; default 60s, or 10s longer than the limits",
     take_wait},
    {"no-wait", 0, NULL, "do not wait: set it to drain and read that back", take_no_wait},
    END,
};

const struct opt opt_add[] = {
    {"track", 0, "TRACK", "stable or canary; default stable", take_track},
    {"weight", 0, "N", "its part of the requests, 1 to 1000; default 1", take_weight},
    {"dc", 0, "NAME", "its data center", take_dc},
    END,
};

const struct opt opt_maintenance[] = {
    {"message", 0, "TEXT", "what visitors read on the page", take_message},
    END,
};

const struct opt opt_events[] = {
    {"follow", 0, NULL, "go on with what happens, until Ctrl-C", take_follow},
    {"limit", 0, "N", "only the last N of all; default: all that the routers have", take_limit},
    {"kind", 0, "KIND,...", "only events of these kinds; default: all", take_kind},
    END,
};

const struct opt opt_record[] = {
    {"slow", 0, "TIME,...", "what takes longer; up to four thresholds, rising, or off", take_slow},
    {"hang", 0, "TIME", "what has no end after this time, but streams; 0 is off", take_hang},
    {"sample", 0, "N", "the first request of one visitor in N, a power of two; 0 is off",
     take_sample},
    {"also", 0, "LIST", "4xx, 3xx: such answers too; or none", take_also},
    END,
};

#define ENVIRONMENT                                                                         \
    {                                                                                       \
        "environment", 'e', "NAME",                                                         \
            "put release.NAME.yaml over release.yaml: maps merge, lists and texts replace", \
            take_environment                                                                \
    }

const struct opt opt_release[] = {
    {"file", 'f', "FILE", "the release file; default release.yaml", take_file},
    ENVIRONMENT,
    END,
};

const struct opt opt_releases[] = {
    {"file", 'f', "FILE",
     "the release file; default release.yaml; more than once: several services in one run",
     take_file},
    ENVIRONMENT,
    END,
};

const struct opt opt_environment[] = {
    ENVIRONMENT,
    END,
};

const struct opt opt_help[] = {
    {"markdown", 0, NULL, "print the reference of all commands", take_markdown},
    {"man", 0, NULL, "print a man page: of pourover, or of the group that is named", take_man},
    END,
};
