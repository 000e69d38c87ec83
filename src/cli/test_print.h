#pragma once
/*
 * A run on the terminal: results in the order of the files as soon as all before them are there,
 * and below them, on a terminal, a block with what runs now.
 */
#include "apitest/report.h"
#include "apitest/run.h"
#include "cli/cmd.h"

struct test_print {
    const struct cli *cli;
    struct apitest_run *run;         /* set once the runner is there */
    size_t printed;                  /* results that were printed or passed over */
    const struct apitest_test *test; /* whose name was printed last */
    struct str label;
    size_t done, bad, running;
    bool silent; /* a report goes to standard output */
    bool color, live;
};

void test_print_init(struct test_print *p, const struct cli *cli, bool silent);
/* For struct apitest_options. */
void test_print_progress(const struct apitest_case_result *result, bool started, void *ctx);
/* What is left, then the summary. */
void test_print_end(struct test_print *p);
