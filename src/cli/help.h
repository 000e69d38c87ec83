#pragma once
/* Everything that is made of the tables of commands and options. */
#include "base/buf.h"
#include "cli/cmd.h"

/* "pourover": all commands with a line each, and what to do next. */
void help_overview(struct buf *b);
/* "pourover router": the commands of a group.  False when there is no such group. */
bool help_group(const char *group, struct buf *b);
void help_cmd(const struct cmd *cmd, struct buf *b);
void help_exit_codes(struct buf *b);

/* docs/reference/commands.md */
void help_markdown(struct buf *b);
/* A man page; group NULL: pourover(1).  False when there is no such group. */
bool help_man(const char *group, struct buf *b);
/* Completion for bash. */
void help_bash(struct buf *b);

/* Calls fn for each option of the command, its own ones first. */
void help_each_opt(const struct cmd *cmd, void (*fn)(const struct opt *opt, void *ctx), void *ctx);
/* Whether the command is in the group ("router"); group NULL: whether it is in none. */
bool help_in_group(const struct cmd *cmd, const char *group);
