#pragma once
/* Opens the routers that options or environment name, for the commands that speak to them. */
#include "base/json.h"
#include "cli/cmd.h"

/*
 * Reads the addresses and the token, starts loop and client, asks every router for its status and
 * fixes the service.  Routers that cannot be reached have their err in cli->fleet; an error is
 * returned only when none can be, or when an address, the token or the service is wrong.
 */
int routers_open(struct cli *cli, struct err *err) __attribute__((warn_unused_result));
/* The same without a call: cli->fleet.service stays empty. */
int routers_prepare(struct cli *cli, struct err *err) __attribute__((warn_unused_result));
void routers_close(struct cli *cli);

/* From now on SIGINT, SIGTERM and SIGHUP set cli->interrupted instead of ending the program. */
void routers_catch_signals(struct cli *cli);

/* clock_mono_ms at which --timeout ends. */
uint64_t routers_deadline(const struct cli *cli);

/*
 * How a command ends: the message on stderr, or, with --json and not yet printed, as
 * {"error":"...","exit":N} on stdout.  Returns the exit code.
 */
enum exit_code cli_fail(const struct cli *cli, const struct err *err);
/* The same with a code that the error alone does not say. */
enum exit_code cli_fail_as(const struct cli *cli, const struct err *err, enum exit_code code);

/* {"share_ppm":...,"salt":...,"enabled":...,"revision":...} as the value of a key. */
void json_kv_split(struct json_writer *w, const char *name, const struct router_split *split);
/* The same of maintenance. */
void json_kv_maintenance(struct json_writer *w, const struct router_maintenance *m);
