/* Options of the commands on releases. */
#include "cli/cmd.h"

#include "base/num.h"
#include "cli/simulate.h"
#include "release/engine.h"
#include "release/simulate.h"

#include <string.h>

#define TEXT_MAX      200
#define HISTORY_MAX   10000
#define LOG_LINES_MAX 100000

/* One line of text that journals and hosts keep. */
static int take_line(const char *value, size_t max, const char **ret, struct err *err)
{
    for (const char *c = value; *c != '\0'; c++) {
        if ((unsigned char) *c < ' ' || *c == 0x7f) {
            return err_set(err, ERR_INVALID, "the text has a control character");
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
    return take_line(value, 100, &cli->by, err);
}

static int take_why(struct cli *cli, const char *value, struct err *err)
{
    return take_line(value, TEXT_MAX, &cli->why, err);
}

static int take_junit(struct cli *cli, const char *value, struct err *err)
{
    (void) err; /* written at the end */
    cli->test.junit = value;
    return 0;
}

static int take_yes(struct cli *cli, const char *value, struct err *err)
{
    (void) value, (void) err;
    cli->yes = true;
    return 0;
}

static int take_force(struct cli *cli, const char *value, struct err *err)
{
    (void) value, (void) err;
    cli->force = true;
    return 0;
}

static int take_downtime(struct cli *cli, const char *value, struct err *err)
{
    (void) value, (void) err;
    cli->with_downtime = true;
    return 0;
}

static int take_offline(struct cli *cli, const char *value, struct err *err)
{
    (void) value, (void) err;
    cli->offline = true;
    return 0;
}

static int take_simulate(struct cli *cli, const char *value, struct err *err)
{
    if (value == NULL) {
        cli->simulate = SIMULATE_RUNS;
        return 0;
    }
    if (num_u64(str_of(value), 1, SIMULATE_RUNS_MAX, &cli->simulate) != 0) {
        return err_set(err, ERR_INVALID, "\"%s\" is not a number of runs from 1 to %d", value,
                       SIMULATE_RUNS_MAX);
    }
    return 0;
}

static int take_migration(struct cli *cli, const char *value, struct err *err)
{
    if (strcmp(value, "done") != 0 && strcmp(value, "again") != 0) {
        return err_set(err, ERR_INVALID, "\"%s\" is neither done nor again", value);
    }
    cli->migration = strcmp(value, "done") == 0 ? TELL_DONE : TELL_AGAIN;
    return 0;
}

static int take_variant(struct cli *cli, const char *value, struct err *err)
{
    for (const char *c = value; *c != '\0'; c++) {
        bool alnum =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (!alnum && strchr("._-", *c) == NULL) {
            return err_set(err, ERR_INVALID, "\"%s\" is no variant: A-Z a-z 0-9 . _ -", value);
        }
    }
    if (value[0] == '\0' || value[0] == '.' || strlen(value) >= 64) {
        return err_set(err, ERR_INVALID, "\"%s\" is no variant of 1 to 63 characters", value);
    }
    cli->variant = value;
    return 0;
}

static int take_limit(struct cli *cli, const char *value, struct err *err)
{
    if (num_u64(str_of(value), 1, HISTORY_MAX, &cli->limit) != 0) {
        return err_set(err, ERR_INVALID, "\"%s\" is not a number from 1 to %d", value, HISTORY_MAX);
    }
    return 0;
}

static int take_lines(struct cli *cli, const char *value, struct err *err)
{
    if (num_u64(str_of(value), 1, LOG_LINES_MAX, &cli->limit) != 0) {
        return err_set(err, ERR_INVALID, "\"%s\" is not a number from 1 to %d", value,
                       LOG_LINES_MAX);
    }
    return 0;
}

static int take_service(struct cli *cli, const char *value, struct err *err)
{
    return take_line(value, TEXT_MAX, &cli->service, err);
}

#define END                       \
    {                             \
        NULL, 0, NULL, NULL, NULL \
    }
#define BY                                                                         \
    {                                                                              \
        "by", 0, "TEXT", "who does it; default: the user and the machine", take_by \
    }
#define WHY                                                      \
    {                                                            \
        "why", 0, "TEXT", "why; kept with the release", take_why \
    }
#define YES                                                                           \
    {                                                                                 \
        "yes", 0, NULL, "do not ask first; nothing is asked off a terminal", take_yes \
    }
#define JUNIT                                                                        \
    {                                                                                \
        "junit", 0, "FILE", "write a report as JUnit, a testcase a step", take_junit \
    }
#define FORCE(help)                        \
    {                                      \
        "force", 0, NULL, help, take_force \
    }
#define FORCE_LEASE FORCE("break the lease that somebody else holds")
#define DOWNTIME                                                                        \
    {                                                                                   \
        "with-downtime", 0, NULL, "also where the last copy that serves has to go out", \
            take_downtime                                                               \
    }

const struct opt opt_plan[] = {
    {"offline", 0, NULL, "ask no host and no router: as if all served and nothing was on its way",
     take_offline},
    {"simulate", 0, "[N]",
     "forecast it by N runs with faults: how long it takes, what is likeliest to stop it; default "
     "10000",
     take_simulate},
    DOWNTIME,
    END,
};

const struct opt opt_begin[] = {BY, WHY, YES, DOWNTIME, FORCE_LEASE, JUNIT, END};

const struct opt opt_steer[] = {BY, WHY, YES, FORCE_LEASE, JUNIT, END};

const struct opt opt_resume[] = {
    {"migration", 0, "done|again",
     "how a migration ended of which nobody knows it: done, or it has to run again",
     take_migration},
    END,
};

const struct opt opt_back[] = {
    BY,
    WHY,
    YES,
    FORCE("also over a migration that is a barrier, and over the lease that somebody else holds"),
    JUNIT,
    END,
};

const struct opt opt_train[] = {
    {"variant", 0, "NAME", "what the copies on the canary track are built as: ${variant}",
     take_variant},
    END,
};

const struct opt opt_history[] = {
    {"service", 's', "NAME", "only releases of this service", take_service},
    {"limit", 0, "N", "only the newest N; default 20", take_limit},
    END,
};

const struct opt opt_lines[] = {
    {"lines", 0, "N", "the last N lines of a copy; default 200", take_lines},
    END,
};

const struct opt opt_asked[] = {BY, WHY, FORCE_LEASE, END};
