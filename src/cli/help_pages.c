/* The same tables as reference in Markdown, as man pages and as completion for bash. */
#include "base/str.h"
#include "cli/help.h"

#include <string.h>

/* --- Markdown --- */

/* Text of a table's cell or a paragraph: characters that Markdown would take are escaped. */
static void md_text(struct buf *b, const char *text)
{
    for (; *text != '\0'; text++) {
        if (strchr("|<>*_[]`", *text) != NULL) {
            buf_add_char(b, '\\');
        }
        buf_add_char(b, *text);
    }
}

static void md_opt(const struct opt *opt, void *ctx)
{
    struct buf *b = ctx;
    if (cmd_find_opt(NULL, str_of(opt->name), 0) == opt) {
        return; /* the global ones stand once, at the top */
    }
    buf_addf(b, "| `--%s%s%s` | ", opt->name, opt->arg != NULL ? " " : "",
             opt->arg != NULL ? opt->arg : "");
    md_text(b, opt->help);
    buf_add_cstr(b, " |\n");
}

static void md_cmd(struct buf *b, const struct cmd *cmd)
{
    buf_addf(b, "\n## pourover %s%s%s\n", cmd->name, cmd->operand != NULL ? " " : "",
             cmd->operand != NULL ? cmd->operand : "");
    buf_addf(b, "%c", cmd->summary[0] - 'a' + 'A');
    md_text(b, cmd->summary + 1);
    buf_add_cstr(b, ".\n\n");
    md_text(b, cmd->details);
    buf_add_cstr(b, "\n");
    if (cmd->option[0] != NULL) {
        buf_add_cstr(b, "\n| option | does |\n|---|---|\n");
        for (size_t i = 0; cmd->option[i] != NULL; i++) {
            for (const struct opt *opt = cmd->option[i]; opt->name != NULL; opt++) {
                md_opt(opt, b);
            }
        }
    }
    buf_add_cstr(b, "\n```\n");
    for (const struct example *e = cmd->example; e->line != NULL; e++) {
        buf_addf(b, "%s\n    # %s\n", e->line, e->says);
    }
    buf_add_cstr(b, "```\n");
}

void help_markdown(struct buf *b)
{
    buf_add_cstr(b, "# Commands\n\nMade by `pourover help --markdown`; a test holds it current.\n\n"
                    "Options that every command has:\n\n| option | does |\n|---|---|\n");
    for (const struct opt *opt = opt_global; opt->name != NULL; opt++) {
        buf_addf(b, "| `%s--%s` | ",
                 opt->letter == 'q'   ? "-q`, `"
                 : opt->letter == 'v' ? "-v`, `"
                 : opt->letter == 'h' ? "-h`, `"
                                      : "",
                 opt->name);
        md_text(b, opt->help);
        buf_add_cstr(b, " |\n");
    }
    buf_add_cstr(b, "\n| exit code | name | meaning |\n|---|---|---|\n");
    for (size_t i = 0; i < exit_table_len; i++) {
        buf_addf(b, "| %d | %s | %s |\n", (int) exit_table[i].code, exit_table[i].name,
                 exit_table[i].meaning);
    }
    for (size_t i = 0; cmd_table[i] != NULL; i++) {
        md_cmd(b, cmd_table[i]);
    }
}

/* --- man --- */

/* Escapes for roff: backslashes, hyphens (so that they can be copied), a dot that begins a line. */
static void man_text(struct buf *b, const char *text)
{
    bool line_start = true;
    for (; *text != '\0'; text++) {
        if (strncmp(text, "\n\n", 2) == 0) {
            buf_add_cstr(b, "\n.PP\n");
            text++;
            line_start = true;
            continue;
        }
        if (line_start && (*text == '.' || *text == '\'')) {
            buf_add_cstr(b, "\\&");
        }
        if (*text == '\\') {
            buf_add_cstr(b, "\\e");
        } else if (*text == '-') {
            buf_add_cstr(b, "\\-");
        } else {
            buf_add_char(b, *text);
        }
        line_start = *text == '\n';
    }
    buf_add_char(b, '\n');
}

static void man_opt(const struct opt *opt, struct buf *b)
{
    buf_add_cstr(b, ".TP\n\\fB");
    if (opt->letter != 0) {
        buf_addf(b, "\\-%c\\fR, \\fB", opt->letter);
    }
    buf_add_cstr(b, "\\-\\-");
    for (const char *c = opt->name; *c != '\0'; c++) {
        buf_add_cstr(b, *c == '-' ? "\\-" : (char[]){*c, '\0'});
    }
    buf_addf(b, "\\fR%s%s%s\n", opt->arg != NULL ? " \\fI" : "", opt->arg != NULL ? opt->arg : "",
             opt->arg != NULL ? "\\fR" : "");
    man_text(b, opt->help);
}

static void man_cmd(struct buf *b, const struct cmd *cmd)
{
    buf_addf(b, ".SS \"pourover %s%s%s\"\n", cmd->name, cmd->operand != NULL ? " " : "",
             cmd->operand != NULL ? cmd->operand : "");
    man_text(b, cmd->summary);
    buf_add_cstr(b, ".PP\n");
    man_text(b, cmd->details);
    for (size_t i = 0; cmd->option[i] != NULL; i++) {
        for (const struct opt *opt = cmd->option[i]; opt->name != NULL; opt++) {
            man_opt(opt, b);
        }
    }
    buf_add_cstr(b, ".PP\nExamples:\n");
    for (const struct example *e = cmd->example; e->line != NULL; e++) {
        buf_add_cstr(b, ".TP\n");
        man_text(b, e->line);
        man_text(b, e->says);
    }
}

/* Groups of commands that have a page of their own. */
static const struct {
    const char *name, *says;
} groups[] = {
    {"router", "the commands on routers"},
    {"test", "API tests over gRPC and HTTP"},
    {"host", "one host, out of the routers and back"},
    {"train", "a long walk during which versions are released"},
};

#define GROUPS (sizeof groups / sizeof groups[0])

static const char *group_says(const char *group)
{
    for (size_t i = 0; group != NULL && i < GROUPS; i++) {
        if (strcmp(groups[i].name, group) == 0) {
            return groups[i].says;
        }
    }
    return group != NULL ? "a group of commands" : "safe releases behind NGINX";
}

static void man_see_also(struct buf *b, const char *group)
{
    buf_addf(b, ".SH SEE ALSO\n");
    if (group != NULL) {
        buf_add_cstr(b, "\\fBpourover\\fR(1)\n");
        return;
    }
    for (size_t i = 0; i < GROUPS; i++) {
        buf_addf(b, "%s\\fBpourover\\-%s\\fR(1)", i > 0 ? ", " : "", groups[i].name);
    }
    buf_add_char(b, '\n');
}

bool help_man(const char *group, struct buf *b)
{
    bool found = false;
    buf_addf(b, ".TH POUROVER%s%s 1 \"\" \"pourover %s\"\n.SH NAME\n", group != NULL ? "\\-" : "",
             group != NULL ? group : "", POUROVER_VERSION);
    buf_addf(b, "pourover%s%s \\- %s\n.SH SYNOPSIS\n", group != NULL ? "\\-" : "",
             group != NULL ? group : "", group_says(group));
    buf_addf(b, "\\fBpourover%s%s\\fR \\fICOMMAND\\fR [\\fIoptions\\fR]\n.SH COMMANDS\n",
             group != NULL ? " " : "", group != NULL ? group : "");
    for (size_t i = 0; cmd_table[i] != NULL; i++) {
        /* `test` is a command and the group of `test new`, too. */
        bool itself = group != NULL && strcmp(cmd_table[i]->name, group) == 0;
        if (itself || help_in_group(cmd_table[i], group)) {
            man_cmd(b, cmd_table[i]);
            found = true;
        }
    }
    buf_add_cstr(b, ".SH OPTIONS OF EVERY COMMAND\n");
    for (const struct opt *opt = opt_global; opt->name != NULL; opt++) {
        man_opt(opt, b);
    }
    buf_add_cstr(b, ".SH EXIT STATUS\n");
    for (size_t i = 0; i < exit_table_len; i++) {
        buf_addf(b, ".TP\n\\fB%d\\fR %s\n", (int) exit_table[i].code, exit_table[i].name);
        man_text(b, exit_table[i].meaning);
    }
    man_see_also(b, group);
    return found;
}

/* --- completion --- */

static void bash_opt(const struct opt *opt, void *ctx)
{
    struct buf *b = ctx;
    buf_addf(b, " --%s", opt->name);
}

static void bash_case(struct buf *b, const struct cmd *cmd)
{
    buf_addf(b, "    \"%s\")\n        words=\"", cmd->name);
    for (size_t i = 0; cmd->choices != NULL && cmd->choices[i] != NULL; i++) {
        buf_addf(b, "%s%s", i > 0 ? " " : "", cmd->choices[i]);
    }
    buf_add_cstr(b, "\"\n        options=\"");
    help_each_opt(cmd, bash_opt, b);
    buf_add_cstr(b, "\" ;;\n");
}

/* The second words of a group; group NULL: all first words. */
static void bash_words(struct buf *b, const char *group)
{
    const char *space = "";
    struct str before = {NULL, 0};
    for (size_t i = 0; cmd_table[i] != NULL; i++) {
        struct str head, rest = str_of(cmd_table[i]->name);
        (void) str_cut(&rest, ' ', &head);
        if (group == NULL && !str_eq(head, before)) {
            buf_addf(b, "%s" STR_FMT, space, STR_ARG(head));
            before = head;
            space = " ";
        } else if (group != NULL && str_eq_cstr(head, group)) {
            buf_addf(b, "%s" STR_FMT, space, STR_ARG(rest));
            space = " ";
        }
    }
}

/* Groups whose name alone is no command. */
static bool is_pure_group(const char *group)
{
    for (size_t i = 0; cmd_table[i] != NULL; i++) {
        if (strcmp(cmd_table[i]->name, group) == 0) {
            return false;
        }
    }
    return true;
}

static void bash_groups(struct buf *b)
{
    for (size_t i = 0; i < GROUPS; i++) {
        if (is_pure_group(groups[i].name)) {
            buf_addf(b, "    %s) words=\"", groups[i].name);
            bash_words(b, groups[i].name);
            buf_add_cstr(b, "\" options=--help ;;\n");
        }
    }
}

/* "router|host|train" */
static void bash_group_names(struct buf *b)
{
    const char *bar = "";
    for (size_t i = 0; i < GROUPS; i++) {
        if (is_pure_group(groups[i].name)) {
            buf_addf(b, "%s%s", bar, groups[i].name);
            bar = "|";
        }
    }
}

void help_bash(struct buf *b)
{
    buf_add_cstr(b, "# Completion of pourover for bash; made by `pourover completion bash`.\n"
                    "_pourover() {\n"
                    "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
                    "    local words='' options='' command=${COMP_WORDS[1]}\n"
                    "    case $command in\n    ");
    bash_group_names(b);
    buf_add_cstr(b, ") [ \"$COMP_CWORD\" -gt 2 ] && command=\"$command ${COMP_WORDS[2]}\" ;;\n"
                    "    esac\n"
                    "    [ \"$COMP_CWORD\" -eq 1 ] && command=''\n"
                    "    case $command in\n    '') words=\"");
    bash_words(b, NULL);
    buf_add_cstr(b, "\" options='--help --version' ;;\n");
    bash_groups(b);
    for (size_t i = 0; cmd_table[i] != NULL; i++) {
        bash_case(b, cmd_table[i]);
    }
    buf_add_cstr(b,
                 "    esac\n"
                 "    case $before in\n"
                 "    --token-file|--file|-f|--junit) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
                 "    *) case $word in\n"
                 "        -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
                 "        *) COMPREPLY=($(compgen -W \"$words\" -- \"$word\")) ;;\n"
                 "        esac ;;\n"
                 "    esac\n"
                 "}\n"
                 "complete -F _pourover pourover\n");
}
