/* pourover host leave, host join */
#include "cli/out.h"
#include "cli/room.h"
#include "cli/routers.h"

static enum exit_code work(struct room *r, int host, bool joins)
{
    const char *name = r->config.host[host].name;
    bool speaks = !r->cli->json && !r->cli->quiet;
    struct err err = {0};
    struct buf told;
    buf_init(&told, OUT_MAX);
    int rc = controller_host(r->controller, host, joins, r->by, &told, &err);
    if (told.len > 0 && speaks) {
        out_printf("%s\n", told.ptr);
    }
    if (rc == 0 && speaks) {
        out_printf("%s %s\n", name,
                   joins ? "is back: every router sends to it"
                         : "has left: no router sends to it, nothing is in flight");
    } else if (rc == 0 && r->cli->json) {
        out_printf("{\"host\":\"%s\",\"state\":\"%s\"}\n", name, joins ? "joined" : "left");
    }
    buf_done(&told);
    return rc < 0 ? room_fail(r, &err) : EXIT_DONE;
}

static enum exit_code run(struct cli *cli, bool joins)
{
    struct room r;
    struct err err = {0};
    enum exit_code code = room_open(&r, cli);
    if (code == EXIT_DONE) {
        int host = release_config_host(&r.config, cli->operand[0]);
        if (host < 0) {
            (void) err_set(&err, ERR_NOT_FOUND, "there is no host \"%s\" in %s", cli->operand[0],
                           r.config.fleet_path != NULL ? r.config.fleet_path : r.config.path);
            code = cli_fail(cli, &err);
        } else {
            code = work(&r, host, joins);
        }
    }
    room_close(&r);
    return code;
}

static enum exit_code run_leave(struct cli *cli)
{
    return run(cli, false);
}

static enum exit_code run_join(struct cli *cli)
{
    return run(cli, true);
}

static const struct opt *const options[] = {opt_asked, opt_release, NULL};

static const struct example leave_examples[] = {
    {"pourover host leave west-1 --why \"new memory\"", "before work on the machine"},
    {NULL, NULL},
};

const struct cmd cmd_host_leave = {
    .name = "host leave",
    .summary = "take a host out of all routers, proved, without a release",
    .operand = "HOST",
    .operands_min = 1,
    .operands_max = 1,
    .option = options,
    .details = "Drained at every router and read back, failing its check by command, nothing in "
               "flight. Nothing is stopped. The host's lease is held meanwhile: refused while a "
               "release is on its way there (exit code 7). The last host that takes requests stays "
               "unless --force.",
    .example = leave_examples,
    .run = run_leave,
};

static const struct example join_examples[] = {
    {"pourover host join west-1", "back, when the work is done"},
    {NULL, NULL},
};

const struct cmd cmd_host_join = {
    .name = "host join",
    .summary = "bring a host that left back into all routers, proved",
    .operand = "HOST",
    .operands_min = 1,
    .operands_max = 1,
    .option = options,
    .details = "Its check passes again, and every router says that it is ready and has sent "
               "requests to it, or had none to send. It is not tested: a release does that.",
    .example = join_examples,
    .run = run_join,
};
