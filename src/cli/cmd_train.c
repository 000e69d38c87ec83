/* pourover train start, status, end */
#include "cli/cmd_begin.h"
#include "cli/cmd_look.h"
#include "cli/out.h"
#include "cli/routers.h"

#include <string.h>

/* The name is kept as the beginning of why: "train rails-7: ...". */
static void why_of(const struct cli *cli, char out[256])
{
    buf_print(out, 256, "train %.60s%s%.180s", cli->operand[0], cli->why != NULL ? ": " : "",
              cli->why != NULL ? cli->why : "");
}

/* Which train is in the way is worth more than that one is. */
static enum exit_code refused(struct room *r, const struct err *err)
{
    struct err said = *err, none = {0};
    room_again(r);
    if (err->code == ERR_CONFLICT && controller_load(r->controller, 0, false, &none) == 0 &&
        controller_header(r->controller)->why[0] != '\0') {
        (void) err_set(&said, err->code, "%s (%s)", err->msg,
                       controller_header(r->controller)->why);
    }
    return room_fail(r, &said);
}

static enum exit_code start(struct room *r, const char *version)
{
    struct err err = {0};
    char why[256];
    why_of(r->cli, why);
    struct controller_wish wish = {
        .kind = "train",
        .version = version,
        .variant = r->cli->variant,
        .by = r->by,
        .why = why,
        .with_downtime = r->cli->with_downtime,
    };
    if (controller_plan(r->controller, &wish, &err) < 0) {
        return refused(r, &err);
    }
    room_again(r);
    return release_begin(r, &wish);
}

static enum exit_code run_start(struct cli *cli)
{
    struct room r;
    struct err err = {0};
    char now[128];
    const char *version = cli->noperands > 1 ? cli->operand[1] : NULL;
    if (cli->variant == NULL) {
        (void) err_set(&err, ERR_INVALID,
                       "train start lacks --variant: what the new copies are built as, such as "
                       "--variant next");
        return cli_fail(cli, &err);
    }
    if (release_version_check(cli->operand[0], &err) < 0 ||
        (version != NULL && release_version_check(version, &err) < 0)) {
        return cli_fail(cli, &err);
    }
    enum exit_code code = room_open(&r, cli);
    if (code == EXIT_DONE && version == NULL) {
        /* A train that is on its way has two versions: that is told first. */
        int rc = room_version(&r, now, &err);
        struct err none = {0};
        bool on_way = controller_load(r.controller, 0, true, &none) == 0 &&
                      release_mode(controller_release(r.controller)) != RELEASE_ENDED;
        if (rc < 0 && on_way) {
            buf_print(now, sizeof now, "%s", controller_header(r.controller)->version);
            rc = 0;
        }
        room_again(&r);
        code = rc < 0 ? cli_fail(cli, &err) : EXIT_DONE;
        version = now;
    }
    if (code == EXIT_DONE) {
        code = start(&r, version);
    }
    room_close(&r);
    return code;
}

static enum exit_code run_status(struct cli *cli)
{
    return look_status(cli, "train");
}

/* At the end of its walk a train waits for a person: this is the word. */
static enum exit_code end(struct room *r)
{
    struct err err = {0};
    if (room_load(r, 0, true, &err) < 0) {
        return room_fail(r, &err);
    }
    const struct release *release = controller_release(r->controller);
    int culprit = release_culprit(release, NULL);
    bool is_train = strcmp(controller_header(r->controller)->kind, "train") == 0;
    bool waits = release_mode(release) == RELEASE_HELD && culprit >= 0 &&
                 release_plan_of(release)->step[culprit].hold;
    room_view(r, false);
    if (!is_train || release_mode(release) == RELEASE_ENDED) {
        (void) err_set(&err, ERR_NOT_FOUND, "no train of %s is on its way", r->config.service);
        return cli_fail(r->cli, &err);
    }
    if (!waits) {
        (void) err_set(&err, ERR_DENIED,
                       "the train is %s and not at the end of its walk: go on with `pourover "
                       "resume%s`, or take it back with `pourover rollback%s`",
                       r->view.state, r->view.options, r->view.options);
        return cli_fail_as(r->cli, &err, EXIT_HELD);
    }
    if (!room_ask(r, "bring the variant to all hosts and retire the canary?")) {
        return EXIT_HELD;
    }
    return room_run(r, &(struct release_event){.kind = EVENT_PROMOTE});
}

static enum exit_code run_end(struct cli *cli)
{
    struct room r;
    enum exit_code code = room_open(&r, cli);
    if (code == EXIT_DONE) {
        code = end(&r);
    }
    room_close(&r);
    return code;
}

static const struct opt *const start_options[] = {opt_train, opt_begin, opt_release, NULL};
static const struct opt *const status_options[] = {opt_release, NULL};
static const struct opt *const end_options[] = {opt_steer, opt_release, NULL};

static const struct example start_examples[] = {
    {"pourover train start rails-7 --variant next", "the version that serves, built as next"},
    {"pourover train start rails-7 --variant next 1.42.0", "of another version"},
    {NULL, NULL},
};

const struct cmd cmd_train_start = {
    .name = "train start",
    .summary = "begin a long walk of a variant, during which versions are still released",
    .operand = "NAME [VERSION]",
    .operands_min = 1,
    .operands_max = 2,
    .option = start_options,
    .details =
        "For upgrades that take days: the canary track gets the variant (the same version, built "
        "another way), and the share walks its stages. Pause it, release versions to both tracks "
        "with `pourover release`, go on with `pourover resume`: no visitor changes sides. At 100 % "
        "it waits for `pourover train end`. A second train of a service is refused.",
    .example = start_examples,
    .run = run_start,
};

static const struct example status_examples[] = {
    {"pourover train status", "how far it is"},
    {NULL, NULL},
};

const struct cmd cmd_train_status = {
    .name = "train status",
    .summary = "show the train: its stage, what is where, what to do next",
    .option = status_options,
    .details = "As `pourover status`, and exit code 2 when no train is on its way.",
    .example = status_examples,
    .run = run_status,
};

static const struct example end_examples[] = {
    {"pourover train end", "the variant for all"},
    {NULL, NULL},
};

const struct cmd cmd_train_end = {
    .name = "train end",
    .summary = "bring the variant to all hosts and retire the canary",
    .option = end_options,
    .details = "Only at the end of its walk, where it waits for this word; before that `pourover "
               "rollback` takes the train back. The stable hosts get the variant by the runbook, "
               "then the share goes down.",
    .example = end_examples,
    .run = run_end,
};
