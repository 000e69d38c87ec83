/* pourover release, pourover restart, pourover plan */
#include "cli/cmd_begin.h"
#include "cli/out.h"
#include "cli/routers.h"
#include "cli/run_services.h"
#include "cli/simulate.h"

#include <string.h>

int release_version_check(const char *version, struct err *err)
{
    size_t len = strlen(version);
    for (const char *c = version; *c != '\0'; c++) {
        bool alnum =
            (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9');
        if (!alnum && (c == version || strchr("._+-", *c) == NULL)) {
            return err_set(err, ERR_INVALID,
                           "\"%s\" is no version: it begins with a letter or digit and has only "
                           "A-Z a-z 0-9 . _ + -",
                           version);
        }
    }
    if (len == 0 || len > 120) {
        return err_set(err, ERR_INVALID, "a version has 1 to 120 characters");
    }
    return 0;
}

/* On a terminal the size of it is told before it is begun. */
static bool may_begin(struct room *r, const struct controller_wish *wish, struct err *err)
{
    char question[256];
    if (r->of_several || r->cli->yes || r->cli->json || !out_is_live()) {
        return true;
    }
    if (controller_plan(r->controller, wish, err) < 0) {
        return false;
    }
    room_view(r, false);
    buf_print(question, sizeof question, "%s: %s -> %s, %zu steps on %zu hosts; begin?",
              r->view.service, r->view.from, r->view.to, r->view.len, r->view.hosts);
    room_again(r);
    return room_ask(r, question);
}

enum exit_code release_begin(struct room *r, const struct controller_wish *wish)
{
    struct err err = {0};
    if (!may_begin(r, wish, &err)) {
        return err.code != 0 ? room_fail(r, &err) : EXIT_HELD;
    }
    if (controller_begin(r->controller, wish, &err) < 0) {
        if (err.code == ERR_UNREACHABLE) {
            (void) err_wrap(&err, "nothing was begun");
        }
        return room_fail(r, &err);
    }
    r->begun = true;
    return room_run(r, NULL);
}

/*
 * A train that walks stands still while a release goes to both of its tracks, and goes on where it
 * was when that is done; one that stood before stands on.
 */
static enum exit_code stop_train(struct room *r, bool *ret_has_train, bool *ret_walked)
{
    struct err err = {0};
    *ret_has_train = *ret_walked = false;
    int rc = controller_load_train(r->controller, &err);
    if (rc < 0) {
        return rc == ERR_NOT_FOUND ? EXIT_DONE : room_fail(r, &err);
    }
    *ret_has_train = true;
    *ret_walked = release_mode(controller_release(r->controller)) == RELEASE_RUNNING;
    rc = *ret_walked ? controller_ask(r->controller, "pause", r->by, "a release within it", &err)
                     : 0;
    if (rc == 0 && *ret_walked) {
        rc = controller_wait_free(r->controller, r->config.spec.step_ms, &err);
    }
    room_again(r);
    return rc == 0 || rc == ERR_NOT_FOUND ? EXIT_DONE : room_fail(r, &err);
}

static enum exit_code go_on_with_train(struct room *r, const char *version, bool walked)
{
    const struct release_event resume = {.kind = EVENT_RESUME};
    struct err err = {0};
    room_again(r);
    if (controller_load_train(r->controller, &err) < 0 ||
        controller_train_carries(r->controller, version, &err) < 0) {
        return room_fail(r, &err);
    }
    room_view(r, false);
    if (walked) {
        bool stands = release_mode(controller_release(r->controller)) != RELEASE_RUNNING;
        return room_run(r, stands ? &resume : NULL);
    }
    return controller_run(r->controller, NULL, &err) < 0 ? room_fail(r, &err) : EXIT_DONE;
}

enum exit_code release_begin_beside_train(struct room *r, const struct controller_wish *wish)
{
    bool has_train, walked;
    enum exit_code code = stop_train(r, &has_train, &walked);
    if (code == EXIT_DONE) {
        code = release_begin(r, wish);
    }
    return code == EXIT_DONE && has_train ? go_on_with_train(r, wish->version, walked) : code;
}

static enum exit_code begin_one(struct service *one, const char *kind)
{
    struct room *r = &one->room;
    struct err err = {0};
    if (one->version == NULL) {
        if (room_version(r, one->now, &err) < 0) {
            return cli_fail(r->cli, &err);
        }
        one->version = one->now;
    }
    struct controller_wish wish = {
        .kind = kind,
        .version = one->version,
        .by = r->by,
        .why = r->cli->why,
        .with_downtime = r->cli->with_downtime,
    };
    return release_begin_beside_train(r, &wish);
}

static enum exit_code begin(struct cli *cli, const char *kind, bool has_versions)
{
    struct services s;
    enum exit_code code = services_open(&s, cli, has_versions);
    if (code == EXIT_DONE) {
        code = s.len == 1 ? begin_one(s.of[0], kind) : run_services(&s, kind);
    }
    services_close(&s);
    return code;
}

static enum exit_code run_release(struct cli *cli)
{
    return begin(cli, "release", true);
}

static enum exit_code run_restart(struct cli *cli)
{
    return begin(cli, "restart", false);
}

static void print_plan(struct room *r)
{
    struct buf b;
    buf_init(&b, OUT_MAX);
    room_view(r, false);
    if (r->cli->json) {
        view_plan_json(&r->view, &b);
    } else {
        view_plan(&r->view, &b);
    }
    out_write(buf_str(&b));
    buf_done(&b);
}

static enum exit_code plan_one(struct service *one)
{
    struct room *r = &one->room;
    struct err err = {0};
    struct controller_wish wish = {
        .kind = "release",
        .version = one->version,
        .by = r->by,
        .with_downtime = r->cli->with_downtime,
    };
    int rc = r->cli->offline ? controller_plan_offline(r->controller, &wish, &err)
                             : controller_plan(r->controller, &wish, &err);
    if (rc < 0) {
        return room_fail(r, &err);
    }
    print_plan(r);
    return EXIT_DONE;
}

static enum exit_code run_plan(struct cli *cli)
{
    struct services s;
    struct err err = {0};
    enum exit_code code = services_open(&s, cli, true);
    if (code == EXIT_DONE && cli->simulate > 0 && s.len > 1) {
        (void) err_set(&err, ERR_INVALID, "--simulate forecasts one service: give one file");
        code = cli_fail(cli, &err);
    } else if (code == EXIT_DONE && cli->simulate > 0) {
        code = plan_simulate(cli, &s.of[0]->room.config, cli->simulate);
    } else if (code == EXIT_DONE) {
        for (size_t i = 0; i < s.len; i++) { /* what cannot be is told of all */
            enum exit_code planned = plan_one(s.of[i]);
            code = code == EXIT_DONE ? planned : code;
        }
    }
    services_close(&s);
    return code;
}

static const struct opt *const release_options[] = {opt_begin, opt_releases, NULL};
static const struct opt *const plan_options[] = {opt_plan, opt_releases, NULL};

static const struct example release_examples[] = {
    {"pourover release 1.42.0", "all hosts of release.yaml, one after the other, or by its canary"},
    {"pourover release 1.42.0 -e staging --why \"SHOP-512\" --junit release.xml",
     "in CI: a line a step, a report, an exit code"},
    {"pourover release shop=2.0 school-api=1.4 -f shop/release.yaml -f api/release.yaml",
     "several services in the order in which they need each other"},
    {NULL, NULL},
};

const struct cmd cmd_release = {
    .name = "release",
    .summary = "bring a version to all hosts, host by host, each proved before the next",
    .operand = "VERSION...",
    .operands_min = 1,
    .operands_max = NEEDS_MAX + 1,
    .several = true,
    .option = release_options,
    .details =
        "Does the runbook of release.yaml: a host leaves the routers (read back, and nothing in "
        "flight), is stopped, gets the version, is started, tested by the API tests of its own, "
        "joins, and is watched. With strategy canary the share of visitors walks up its stages. "
        "Whatever fails: the host that failed is put back, or stopped and kept out; no other host "
        "is touched; what failed, what is where now and both ways on are printed.\n\n"
        "Ctrl-C asks whether to pause cleanly; off a terminal SIGINT and SIGTERM pause cleanly. A "
        "second one ends at once. In both cases `pourover resume` goes on, from any machine that "
        "has release.yaml and reaches the hosts.\n\n"
        "With --file more than once several services are released, each behind those that it "
        "`needs`, else in the order given. VERSION is for all, SERVICE=VERSION for one of them. "
        "All files are read and all plans made before the first host is touched. When a service "
        "stops, those behind it are not begun, and the command that goes on with them is printed, "
        "also by `pourover resume` of the one that stopped. The exit code is that one's.\n\n"
        "Exit code 1: halted, or rolled back by a limit; 3, 4 and 5: halted because something "
        "could not be reached, was late, or nothing was tested; 6: paused or held; 7: another "
        "release is on its way; 130: paused by a signal.",
    .example = release_examples,
    .run = run_release,
};

static const struct example restart_examples[] = {
    {"pourover restart --why \"new certificates\"", "the same version again, host by host"},
    {NULL, NULL},
};

const struct cmd cmd_restart = {
    .name = "restart",
    .summary = "start the version that serves again, by the same runbook",
    .several = true,
    .option = release_options,
    .details =
        "A release of the version that all hosts serve now. Refused when they differ. Several "
        "services are restarted as `pourover release` releases them.",
    .example = restart_examples,
    .run = run_restart,
};

static const struct example plan_examples[] = {
    {"pourover plan 1.42.0", "each step, in the order in which they are done"},
    {"pourover plan 1.42.0 --json", "the same for programs"},
    {"pourover plan 1.42.0 --simulate 10000", "how long it takes, and what is likeliest to fail"},
    {NULL, NULL},
};

const struct cmd cmd_plan = {
    .name = "plan",
    .summary = "print the steps of a release, and touch nothing",
    .operand = "VERSION...",
    .operands_min = 1,
    .operands_max = NEEDS_MAX + 1,
    .several = true,
    .option = plan_options,
    .details = "Asks hosts and routers what is where, and prints what `pourover release` would do: "
               "the same steps in the same order that its journal lists. A step with > waits for "
               "all steps above it; hosts of a batch go side by side.\n\n"
               "What cannot be is refused here, with the ways on: the last copy that serves, a "
               "stage above what the canary's pool can bear. With --file more than once the plans "
               "of several services are printed in the order in which they are released.",
    .example = plan_examples,
    .run = run_plan,
};
