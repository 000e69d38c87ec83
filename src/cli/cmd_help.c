/* pourover help, pourover completion */
#include "base/buf.h"
#include "cli/help.h"
#include "cli/out.h"
#include "cli/routers.h"

#include <string.h>

static enum exit_code print(struct buf *b)
{
    out_write(buf_str(b));
    buf_done(b);
    return EXIT_DONE;
}

/* "router set" of the operands router and set. */
static const struct cmd *find_named(const struct cli *cli)
{
    char name[128];
    struct buf b;
    buf_init_fixed(&b, name, sizeof name);
    for (size_t i = 0; i < cli->noperands; i++) {
        buf_addf(&b, "%s%s", i > 0 ? " " : "", cli->operand[i]);
    }
    for (size_t i = 0; cmd_table[i] != NULL; i++) {
        if (strcmp(cmd_table[i]->name, name) == 0) {
            return cmd_table[i];
        }
    }
    return NULL;
}

static enum exit_code unknown_topic(const struct cli *cli, struct buf *b)
{
    struct err err = {0};
    buf_done(b);
    (void) err_set(&err, ERR_INVALID, "there is no help on \"%s%s%s\"; see \"pourover --help\"",
                   cli->operand[0], cli->noperands > 1 ? " " : "",
                   cli->noperands > 1 ? cli->operand[1] : "");
    return cli_fail(cli, &err);
}

static enum exit_code run_help(struct cli *cli)
{
    const char *topic = cli->noperands > 0 ? cli->operand[0] : NULL;
    const struct cmd *cmd = find_named(cli);
    struct buf b;
    buf_init(&b, OUT_MAX);
    if (cli->format != NULL && strcmp(cli->format, "markdown") == 0) {
        help_markdown(&b);
    } else if (cli->format != NULL) {
        if (!help_man(topic, &b)) {
            return unknown_topic(cli, &b);
        }
    } else if (topic == NULL) {
        help_overview(&b);
    } else if (cmd != NULL) {
        help_cmd(cmd, &b);
    } else if (strcmp(topic, "exit-codes") == 0) {
        help_exit_codes(&b);
    } else if (cli->noperands > 1 || !help_group(topic, &b)) {
        return unknown_topic(cli, &b);
    }
    return print(&b);
}

static enum exit_code run_completion(struct cli *cli)
{
    struct err err = {0};
    struct buf b;
    if (strcmp(cli->operand[0], "bash") != 0) {
        (void) err_set(&err, ERR_INVALID, "there is no completion for \"%s\": there is bash",
                       cli->operand[0]);
        return cli_fail(cli, &err);
    }
    buf_init(&b, OUT_MAX);
    help_bash(&b);
    return print(&b);
}

static const struct opt *const help_options[] = {opt_help, NULL};
static const struct opt *const no_options[] = {NULL};

static const char *const help_choices[] = {"router", "exit-codes", NULL};
static const char *const completion_choices[] = {"bash", NULL};

static const struct example help_examples[] = {
    {"pourover help router set", "one command"},
    {"pourover help exit-codes", "the table of exit codes"},
    {NULL, NULL},
};
static const struct example completion_examples[] = {
    {"source <(pourover completion bash)", "in this shell, or in ~/.bashrc"},
    {NULL, NULL},
};

const struct cmd cmd_help = {
    .name = "help",
    .summary = "print the help of a command, or the exit codes",
    .operand = "[COMMAND]",
    .operands_max = 2,
    .choices = help_choices,
    .option = help_options,
    .details = "Without a command: all commands, and what to do next.",
    .example = help_examples,
    .run = run_help,
};

const struct cmd cmd_completion = {
    .name = "completion",
    .summary = "print the completion for a shell",
    .operand = "bash",
    .operands_min = 1,
    .operands_max = 1,
    .choices = completion_choices,
    .option = no_options,
    .details = "Commands and options are completed.",
    .example = completion_examples,
    .run = run_completion,
};
