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

/* What cannot occur, each with its reason.  A star stands for one word. */
static const struct {
    const char *what, *reason;
} cannot[] = {
    {"state held back", "nobody judges the way back"},
    {"step * skipped", "what is not needed is not in the plan"},
    {"op test nothing", NULL},
    {"op dwell nothing", NULL},
    {"op * nothing", "only tests and dwells speak of data"},
    {"op dwell exceeded", NULL},
    {"op soak exceeded", NULL},
    {"op * exceeded", "only dwells and soaks have limits"},
    {"op migrate unknown", NULL},
    {"op * unknown", "everything else is asked again to the same effect"},
    {"op wait failed", "time passes"},
};

/* Arrows of the engine's prose: the mode before, the event, the modes after. */
static const struct {
    enum release_mode from;
    enum release_event_kind event;
    enum release_mode into;
} arrows[] = {
    {RELEASE_RUNNING, EVENT_BEGIN, RELEASE_RUNNING},
    {RELEASE_RUNNING, EVENT_RESUMED, RELEASE_RUNNING},
    {RELEASE_RUNNING, EVENT_PAUSE, RELEASE_PAUSING},
    {RELEASE_PAUSING, EVENT_DONE, RELEASE_PAUSED},
    {RELEASE_PAUSING, EVENT_DONE, RELEASE_HALTING},
    {RELEASE_PAUSING, EVENT_RESUMED, RELEASE_PAUSING},
    {RELEASE_PAUSING, EVENT_DONE, RELEASE_RUNNING},
    {RELEASE_RUNNING, EVENT_DONE, RELEASE_HALTING},
    {RELEASE_HALTING, EVENT_DONE, RELEASE_HALTED},
    {RELEASE_HALTING, EVENT_RESUMED, RELEASE_HALTING},
    {RELEASE_RUNNING, EVENT_DONE, RELEASE_HELD},
    {RELEASE_RUNNING, EVENT_ROLLBACK, RELEASE_TURNING},
    {RELEASE_PAUSING, EVENT_ROLLBACK, RELEASE_TURNING},
    {RELEASE_HALTING, EVENT_ROLLBACK, RELEASE_TURNING},
    {RELEASE_PAUSED, EVENT_ROLLBACK, RELEASE_RUNNING},
    {RELEASE_HELD, EVENT_ROLLBACK, RELEASE_RUNNING},
    {RELEASE_HALTED, EVENT_ROLLBACK, RELEASE_RUNNING},
    {RELEASE_TURNING, EVENT_DONE, RELEASE_RUNNING},
    {RELEASE_TURNING, EVENT_RESUMED, RELEASE_TURNING},
    {RELEASE_PAUSED, EVENT_RESUME, RELEASE_RUNNING},
    {RELEASE_HELD, EVENT_RESUME, RELEASE_RUNNING},
    {RELEASE_HALTED, EVENT_RESUME, RELEASE_RUNNING},
    {RELEASE_HELD, EVENT_PROMOTE, RELEASE_RUNNING},
    {RELEASE_RUNNING, EVENT_PROMOTE, RELEASE_RUNNING},
    {RELEASE_PAUSED, EVENT_RESUMED, RELEASE_PAUSED},
    {RELEASE_HELD, EVENT_RESUMED, RELEASE_HELD},
    {RELEASE_HALTED, EVENT_RESUMED, RELEASE_HALTED},
    {RELEASE_RUNNING, EVENT_DONE, RELEASE_ENDED},
};

static bool same_words(const char *pattern, const char *what)
{
    while (*pattern != '\0' && *what != '\0') {
        if (*pattern == '*') {
            what += strcspn(what, " ");
            pattern++;
        } else if (*pattern++ != *what++) {
            return false;
        }
    }
    return *pattern == *what;
}

/* The first line that speaks of it counts: without a reason it can occur. */
static bool excused(const char *what)
{
    for (size_t i = 0; i < sizeof(cannot) / sizeof(cannot[0]); i++) {
        if (same_words(cannot[i].what, what)) {
            return cannot[i].reason != NULL;
        }
    }
    return false;
}

static unsigned one(FILE *to, uint64_t seen, const char *what)
{
    if (seen > 0 && excused(what)) {
        fprintf(to, "  %-40s SEEN, and is said not to occur\n", what);
        return 1;
    }
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

static bool must_be(int from, int event, int into)
{
    for (size_t i = 0; i < sizeof(arrows) / sizeof(arrows[0]); i++) {
        if ((int) arrows[i].from == from && (int) arrows[i].event == event &&
            (int) arrows[i].into == into) {
            return true;
        }
    }
    return false;
}

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
                missing += seen > 0 || must_be(from, e, into) ? one(to, seen, what) : 0;
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
