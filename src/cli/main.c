/* pourover: the table of commands, and main. */
#include "base/buf.h"
#include "cli/cmd.h"
#include "cli/help.h"
#include "cli/out.h"
#include "cli/routers.h"
#include "drivers/runner.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

const struct cmd *const cmd_table[] = {
    &cmd_plan,
    &cmd_release,
    &cmd_restart,
    &cmd_status,
    &cmd_watch,
    &cmd_pause,
    &cmd_resume,
    &cmd_promote,
    &cmd_rollback,
    &cmd_history,
    &cmd_show,
    &cmd_logs,
    &cmd_host_leave,
    &cmd_host_join,
    &cmd_train_start,
    &cmd_train_status,
    &cmd_train_end,
    &cmd_router_status,
    &cmd_router_watch,
    &cmd_router_set,
    &cmd_router_enable,
    &cmd_router_disable,
    &cmd_router_sync,
    &cmd_router_who,
    &cmd_router_verify,
    &cmd_router_walk,
    &cmd_router_peers,
    &cmd_router_drain,
    &cmd_router_undrain,
    &cmd_router_down,
    &cmd_router_add,
    &cmd_router_remove,
    &cmd_router_weight,
    &cmd_router_health,
    &cmd_router_maintenance,
    &cmd_router_events,
    &cmd_router_record,
    &cmd_test_new,
    &cmd_test_call,
    &cmd_test_record,
    &cmd_test,
    &cmd_check,
    &cmd_config,
    &cmd_schema,
    &cmd_help,
    &cmd_completion,
    NULL,
};

/* Everything that is answered without running a command. */
static enum exit_code run_without_cmd(struct cli *cli)
{
    struct buf b;
    buf_init(&b, OUT_MAX);
    if (cli->wants_version) {
        buf_add_cstr(&b, "pourover " POUROVER_VERSION "\n");
    } else if (cli->cmd != NULL) {
        help_cmd(cli->cmd, &b);
    } else if (cli->noperands == 0 || !help_group(cli->operand[0], &b)) {
        help_overview(&b);
    }
    out_write(buf_str(&b));
    buf_done(&b);
    return EXIT_DONE;
}

static enum exit_code run(struct cli *cli, int argc, char **argv)
{
    struct err err = {0};
    if (cmd_parse(cli, argc, argv, &err) != 0) {
        return cli_fail(cli, &err);
    }
    if (cli->cmd == NULL || cli->wants_help || cli->wants_version) {
        return run_without_cmd(cli);
    }
    enum exit_code code = cli->cmd->run(cli);
    routers_close(cli);
    return code;
}

/*
 * A release has a thread for each operation under way.  glibc would give each a heap of its own,
 * and would keep large pieces that were given back once: of 100 hosts that made more than half of
 * the memory.
 */
static void spare_memory(void)
{
    /* NOLINTBEGIN(concurrency-mt-unsafe): before there is a second thread */
    (void) mallopt(M_ARENA_MAX, 1);
    (void) mallopt(M_MMAP_THRESHOLD, 128 * 1024);
    (void) mallopt(M_TRIM_THRESHOLD, 128 * 1024);
    /* NOLINTEND(concurrency-mt-unsafe) */
}

int main(int argc, char **argv)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct cli cli;
    if (argc > 1 && strcmp(argv[1], DRIVER_RUNNER_WORD) == 0) {
        return driver_runner(argc, argv); /* hidden: how the process driver begins programs */
    }
    spare_memory();
    (void) sigaction(SIGPIPE, &ignore, NULL); /* a closed pipe is an error of write, told below */
    cli_init(&cli);
    enum exit_code code = run(&cli, argc - 1, argv + 1);
    cli_done(&cli);
    if (!out_close() && code == EXIT_DONE) {
        out_complain("the output could not be written");
        code = EXIT_FAILED;
    }
    return (int) code;
}
