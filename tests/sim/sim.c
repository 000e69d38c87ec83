/*
 * Releases in a simulated world, with faults drawn from a seed; see sim.h.
 *
 * usage: sim [--runs N] [--seed S] [--profile quiet|faults|storm|all] [--coverage] [--each]
 * [--show]
 *            [--lines N]
 *     run i of seed S is the only run of seed S + i, so that a failure says how it is replayed;
 *     --each goes on after a failure, --show prints the last lines of runs that pass, too
 */
#include "sim/sim.h"
#include "base/mem.h"
#include "base/num.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

struct options {
    uint64_t runs, seed, lines;
    const struct sim_profile *profile; /* NULL: one after the other */
    bool coverage, each, show;
};

static uint64_t number(const char *text)
{
    uint64_t value;
    if (num_u64(str_of(text), 0, UINT64_MAX, &value) < 0) {
        fprintf(stderr, "sim: \"%s\" is not a number\n", text);
        exit(2); /* NOLINT(concurrency-mt-unsafe): one thread */
    }
    return value;
}

static int next_option(int argc, char **argv, const struct option *known)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    return getopt_long(argc, argv, "", known, NULL);
}

static struct options parse(int argc, char **argv)
{
    static const struct option known[] = {
        {"runs", required_argument, NULL, 'n'},    {"seed", required_argument, NULL, 's'},
        {"profile", required_argument, NULL, 'p'}, {"coverage", no_argument, NULL, 'c'},
        {"each", no_argument, NULL, 'e'},          {"show", no_argument, NULL, 'w'},
        {"lines", required_argument, NULL, 'l'},   {NULL, 0, NULL, 0}};
    struct options o = {.runs = 1000, .seed = 1, .lines = 40};
    for (int option; (option = next_option(argc, argv, known)) != -1;) {
        if (option == 'n') {
            o.runs = number(optarg);
        } else if (option == 's') {
            o.seed = number(optarg);
        } else if (option == 'l') {
            o.lines = number(optarg);
        } else if (option == 'c') {
            o.coverage = true;
        } else if (option == 'w') {
            o.show = true;
        } else if (option == 'e') {
            o.each = true;
        } else if (option == 'p' && strcmp(optarg, "all") == 0) {
            o.profile = NULL;
        } else if (option == 'p' && (o.profile = sim_profile_find(optarg)) != NULL) {
            continue;
        } else {
            fprintf(stderr, "usage: sim [--runs N] [--seed S] [--profile quiet|faults|storm|all] "
                            "[--coverage] [--each] [--show] [--lines N]\n");
            exit(2); /* NOLINT(concurrency-mt-unsafe): one thread */
        }
    }
    return o;
}

static void report(const struct sim_run *run)
{
    printf("FAILED seed %llu profile %s: %s: %s\n", (unsigned long long) run->seed,
           run->profile->name, sim_invariant_name[run->broken], run->why);
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    struct sim_run *run = mem_zalloc(sizeof(*run));
    uint64_t failed = 0, by[INVARIANTS] = {0};
    for (uint64_t i = 0; i < o.runs; i++) {
        /* Which profile a seed has depends on the seed alone. */
        const struct sim_profile *profile =
            o.profile != NULL ? o.profile : &sim_profiles[(o.seed + i) % 3];
        enum sim_ended ended = sim_run(run, profile, o.seed + i);
        if (o.show && ended == SIM_PASSED) {
            sim_log_print(run, (unsigned) o.lines, stdout);
        }
        if (ended != SIM_FAILED) {
            continue;
        }
        failed++;
        by[run->broken]++;
        if (o.each) {
            report(run);
            continue;
        }
        report(run);
        sim_log_print(run, (unsigned) o.lines, stdout);
        printf("again: sim --runs 1 --seed %llu --profile %s\n", (unsigned long long) run->seed,
               run->profile->name);
        break;
    }
    for (int i = 0; i < INVARIANTS && o.each; i++) {
        if (by[i] > 0) {
            printf("%10llu  %s\n", (unsigned long long) by[i], sim_invariant_name[i]);
        }
    }
    unsigned missing = o.coverage ? sim_coverage_print(stdout) : 0;
    printf("seed %llu: %llu runs, %llu specs refused, %llu events, %llu failed, %u not seen\n",
           (unsigned long long) o.seed, (unsigned long long) sim_coverage.runs,
           (unsigned long long) sim_coverage.refused, (unsigned long long) sim_coverage.events,
           (unsigned long long) failed, missing);
    mem_free(run);
    return failed > 0 || missing > 0;
}
