#pragma once
/*
 * Which methods of the tested services were called.  A method is covered by a case that was run and
 * passed or failed and whose call had a connection, not by one that never got there.
 */
#include "apitest/result.h"
#include "base/buf.h"

/* Fills the methods of a run and their counts, all files together. */
void apitest_coverage_count(struct apitest_run *run);

/*
 * The same of one file, for its own gate: its methods that count, and how many of them its cases
 * called. missing: gets a line for each of the first that were not.
 */
void apitest_coverage_of_file(const struct apitest_run *run, const struct apitest_suite *suite,
                              size_t *ret_called, size_t *ret_all, struct buf *missing);
