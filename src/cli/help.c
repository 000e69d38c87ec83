/* Help as text for the terminal. */
#include "cli/help.h"

#include "base/str.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WIDTH 100

void help_each_opt(const struct cmd *cmd, void (*fn)(const struct opt *opt, void *ctx), void *ctx)
{
    for (size_t i = 0; cmd->option[i] != NULL; i++) {
        for (const struct opt *opt = cmd->option[i]; opt->name != NULL; opt++) {
            fn(opt, ctx);
        }
    }
    for (const struct opt *opt = opt_global; opt->name != NULL; opt++) {
        fn(opt, ctx);
    }
}

bool help_in_group(const struct cmd *cmd, const char *group)
{
    if (group == NULL) {
        return strchr(cmd->name, ' ') == NULL;
    }
    size_t len = strlen(group);
    return strncmp(cmd->name, group, len) == 0 && cmd->name[len] == ' ';
}

/* Words of the text, wrapped; every line but the first is indented; an empty line is kept. */
static void add_wrapped(struct buf *b, const char *text, size_t indent)
{
    size_t column = indent;
    for (const char *at = text; *at != '\0';) {
        if (strncmp(at, "\n\n", 2) == 0) {
            buf_addf(b, "\n\n%*s", (int) indent, "");
            column = indent;
            at += 2;
            continue;
        }
        size_t len = strcspn(at, " \n");
        if (column > indent && column + 1 + len > WIDTH) {
            buf_addf(b, "\n%*s", (int) indent, "");
            column = indent;
        } else if (column > indent) {
            buf_add_char(b, ' ');
            column++;
        }
        buf_add(b, at, len);
        column += len;
        at += len + (at[len] == ' ');
    }
    buf_add_char(b, '\n');
}

static void add_opt(const struct opt *opt, void *ctx)
{
    struct buf *b = ctx;
    char head[64];
    struct buf h;
    buf_init_fixed(&h, head, sizeof head);
    if (opt->letter != 0) {
        buf_addf(&h, "-%c, ", opt->letter);
    }
    buf_addf(&h, "--%s%s%s", opt->name, opt->arg != NULL ? " " : "",
             opt->arg != NULL ? opt->arg : "");
    buf_addf(b, "  %-24s ", head);
    add_wrapped(b, opt->help, 27);
}

void help_cmd(const struct cmd *cmd, struct buf *b)
{
    buf_addf(b, "usage: pourover %s%s%s [options]\n\n", cmd->name, cmd->operand != NULL ? " " : "",
             cmd->operand != NULL ? cmd->operand : "");
    buf_addf(b, "%c%s.\n\n", cmd->summary[0] - 'a' + 'A', cmd->summary + 1);
    add_wrapped(b, cmd->details, 0);
    buf_add_cstr(b, "\noptions:\n");
    help_each_opt(cmd, add_opt, b);
    buf_add_cstr(b, "\nexamples:\n");
    for (const struct example *e = cmd->example; e->line != NULL; e++) {
        buf_addf(b, "  %s\n      %s\n", e->line, e->says);
    }
    buf_add_cstr(b, "\nexit codes: pourover help exit-codes\n");
}

static void list_cmds(const char *group, struct buf *b)
{
    for (size_t i = 0; cmd_table[i] != NULL; i++) {
        const struct cmd *cmd = cmd_table[i];
        if (group == NULL || help_in_group(cmd, group)) {
            char head[64];
            struct buf h;
            buf_init_fixed(&h, head, sizeof head);
            buf_addf(&h, "%s%s%s", cmd->name, cmd->operand != NULL ? " " : "",
                     cmd->operand != NULL ? cmd->operand : "");
            buf_addf(b, "  %-27s  %s\n", head, cmd->summary);
        }
    }
}

bool help_group(const char *group, struct buf *b)
{
    bool found = false;
    for (size_t i = 0; cmd_table[i] != NULL; i++) {
        found = found || help_in_group(cmd_table[i], group);
    }
    if (found) {
        buf_addf(b, "usage: pourover %s COMMAND [options]\n\n", group);
        list_cmds(group, b);
        buf_addf(b, "\nhelp of one: pourover %s COMMAND --help\n", group);
    }
    return found;
}

void help_overview(struct buf *b)
{
    const char *routers = secure_getenv("POUROVER_ROUTERS");
    buf_add_cstr(
        b, "pourover: safe releases: a canary cut by visitor inside NGINX, API tests as a gate\n\n"
           "usage: pourover COMMAND [options]\n\n");
    list_cmds(NULL, b);
    if (access("release.yaml", R_OK) == 0) {
        buf_add_cstr(b, "\nnext: pourover status\n");
    } else if (routers != NULL && routers[0] != '\0') {
        buf_add_cstr(b, "\nnext: pourover router status\n");
    } else {
        buf_add_cstr(b, "\nnext: say where your routers' API is, and look:\n"
                        "  export POUROVER_ROUTERS=http://127.0.0.1:9900/pourover\n"
                        "  pourover router status\n");
    }
}

void help_exit_codes(struct buf *b)
{
    for (size_t i = 0; i < exit_table_len; i++) {
        buf_addf(b, "%4d  %-12s %s\n", (int) exit_table[i].code, exit_table[i].name,
                 exit_table[i].meaning);
    }
}
