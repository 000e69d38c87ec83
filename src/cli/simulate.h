#pragma once
/* pourover plan VERSION --simulate N */
#include "cli/cmd.h"
#include "release/config.h"

/*
 * Forecasts a release by the configuration: n runs (1..SIMULATE_RUNS_MAX; SIMULATE_RUNS when the
 * user gave no number), as if every host served and nothing was on the way.  Touches nothing: the
 * journal, where there is one, is only asked for the times of earlier releases.  Prints the report,
 * or the error.  The same file and the same journal give the same figures.
 */
#define SIMULATE_RUNS 10000
enum exit_code plan_simulate(struct cli *cli, const struct release_config *config, uint64_t n);
