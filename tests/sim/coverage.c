/* What the runs have seen of the engine: states, arrows, steps, operations and their outcomes. */
#include "sim/sim.h"

#include <string.h>

struct sim_coverage sim_coverage;

static const char *const mode_name[RELEASE_MODES] = {"running", "pausing", "paused",  "held",
                                                     "halting", "halted",  "turning", "ended"};
static const char *const direction_name[] = {"forward", "back"};
static const char *const event_name[EVENT_KINDS] = {"begin",  "resumed", "answer",  "pause",
                                                    "resume", "promote", "rollback"};
static const char *const status_name[] = {"pending", "running", "done", "broken", "skipped"};

/* What cannot occur, each with its reason.  "*" stands for anything. */
static const struct {
    const char *what, *reason;
} cannot[] = {
    {"", ""},
};

static bool excused(const char *what)
{
    for (size_t i = 0; i < sizeof(cannot) / sizeof(cannot[0]); i++) {
        if (strcmp(cannot[i].what, what) == 0) {
            return true;
        }
    }
    return false;
}

static unsigned one(FILE *to, uint64_t seen, const char *what)
{
    if (seen > 0) {
        fprintf(to, "  %-40s %12llu\n", what, (unsigned long long) seen);
        return 0;
    }
    if (excused(what)) {
        return 0;
    }
    fprintf(to, "  %-40s     NOT SEEN\n", what);
    return 1;
}

static unsigned print_states(FILE *to)
{
    unsigned missing = 0;
    char what[80];
    fprintf(to, "states\n");
    for (int m = 0; m < RELEASE_MODES; m++) {
        for (int d = 0; d < 2; d++) {
            (void) snprintf(what, sizeof(what), "state %s %s", mode_name[m], direction_name[d]);
            missing += one(to, sim_coverage.state[m][d], what);
        }
    }
    return missing;
}

static unsigned print_steps(FILE *to)
{
    unsigned missing = 0;
    char what[80];
    fprintf(to, "steps\n");
    for (int k = 0; k < STEP_KINDS; k++) {
        for (int s = STEP_RUNNING; s <= STEP_SKIPPED; s++) {
            (void) snprintf(what, sizeof(what), "step %s %s", release_step_name[k], status_name[s]);
            missing += one(to, sim_coverage.step[k][s], what);
        }
    }
    return missing;
}

/* Arrows that were gone; which ones there have to be stands in `arrows`. */
static unsigned print_arrows(FILE *to)
{
    unsigned missing = 0;
    char what[80];
    fprintf(to, "arrows\n");
    for (int from = 0; from < RELEASE_MODES; from++) {
        for (int e = 0; e < EVENT_KINDS; e++) {
            for (int into = 0; into < RELEASE_MODES; into++) {
                uint64_t seen = sim_coverage.arrow[from][e][into];
                (void) snprintf(what, sizeof(what), "arrow %s --%s--> %s", mode_name[from],
                                event_name[e], mode_name[into]);
                missing += seen > 0 ? one(to, seen, what) : 0;
            }
        }
    }
    return missing;
}

static unsigned print_ops(FILE *to)
{
    unsigned missing = 0;
    char what[80];
    fprintf(to, "operations\n");
    for (int k = 0; k < OP_KINDS; k++) {
        for (int o = 0; o < RELEASE_OUTCOMES; o++) {
            (void) snprintf(what, sizeof(what), "op %s %s",
                            release_op_name[k] == NULL ? "?" : release_op_name[k],
                            release_outcome_name[o]);
            missing += one(to, sim_coverage.op[k][o], what);
        }
    }
    for (int r = 0; r < REFUSALS; r++) {
        (void) snprintf(what, sizeof(what), "refusal %s", release_refusal_name[r]);
        missing += one(to, sim_coverage.refusal[r], what);
    }
    return missing;
}

unsigned sim_coverage_print(FILE *to)
{
    unsigned missing = print_states(to) + print_arrows(to) + print_steps(to) + print_ops(to);
    fprintf(to, "%llu lives resumed, %llu taken over\n", (unsigned long long) sim_coverage.resumed,
            (unsigned long long) sim_coverage.taken_over);
    return missing;
}
