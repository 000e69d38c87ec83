#pragma once
/*
 * Reports of a run.  All text passes through apitest_redact on its way out; every writer is pure
 * (run in, text out), files are written whole (temporary file, sync, rename) by
 * apitest_report_save.
 */
#include "apitest/result.h"
#include "base/buf.h"

/* Failures as people read them: a diff with the YAML line, the request, the transcript, the command
 * to repeat. */
void apitest_report_failure(const struct apitest_run *run, const struct apitest_case_result *result,
                            bool color, struct buf *b);
/* The last lines: counts, coverage, what was not tested. */
void apitest_report_summary(const struct apitest_run *run, bool color, struct buf *b);
/* Methods that were called and those that were not. */
void apitest_report_coverage(const struct apitest_run *run, struct buf *b);
uint32_t apitest_coverage_ppm(const struct apitest_run *run);
/* "pass", "FAIL", ... */
const char *apitest_outcome_word(enum apitest_outcome outcome);
/* Appends the text in '...' for a shell. */
void apitest_shell_quote(struct buf *b, struct str text);
/* The command that repeats just this case. */
void apitest_report_command(const struct apitest_run *run, const struct apitest_case *c,
                            struct buf *b);
void apitest_report_junit(const struct apitest_run *run, struct buf *b);
void apitest_report_json(const struct apitest_run *run, struct buf *b);
void apitest_report_tap(const struct apitest_run *run, struct buf *b);
void apitest_report_html(const struct apitest_run *run, struct buf *b);

/* path "-": standard output.  ERR_IO. */
int apitest_report_save(const char *path, struct str text, struct err *err)
    __attribute__((warn_unused_result));
