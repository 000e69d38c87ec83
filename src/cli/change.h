#pragma once
/* Changes of the split and how they are told; used by set, enable, disable, sync and walk. */
#include "base/json.h"
#include "cli/cmd.h"

/* "proved", "not proved", "refused" ...; by enum fleet_outcome */
extern const char *const change_outcome[];

/*
 * Runs fleet_change until cli's timeout and maps its result to an exit code: 0; 1 failed, refused
 * or not proved; 3 a raise that waits for a router, or no router was reached; 130. err: the message
 * when the exit code is not 0.
 */
enum exit_code change_split(struct cli *cli, const struct router_patch *patch, struct err *err);

/* Prints what became of each router, as text or JSON. */
void change_print(const struct cli *cli, const char *what, enum exit_code code,
                  const struct err *err);
/* The same as "routers":[...] of an object. */
void change_json_routers(const struct cli *cli, struct json_writer *w);
