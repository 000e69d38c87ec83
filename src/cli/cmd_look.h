#pragma once
/* What is where; see cmd_status.c. */
#include "cli/cmd.h"

/* The status; kind: of a release of this kind, or it is not found; NULL: of any. */
enum exit_code look_status(struct cli *cli, const char *kind);
