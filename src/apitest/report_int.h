#pragma once
/* Between the writers of reports: text is redacted in parts, before it is escaped or split. */
#include "apitest/report.h"

#define REPORT_BYTES_MAX ((size_t) 256 * 1024 * 1024)

/* Appends text without secrets. */
void report_redacted(const struct apitest_run *run, struct str text, struct buf *b);
/*
 * The same for people: control characters but line breaks and tabs, and what is not UTF-8, become
 * U+FFFD, so that what a server says moves no cursor.
 */
void report_plain(const struct apitest_run *run, struct str text, struct buf *b);
/*
 * The same for XML 1.0 and HTML, in attributes and between tags: what they cannot hold becomes
 * U+FFFD, the rest is escaped.
 */
void report_xml(const struct apitest_run *run, struct str text, struct buf *b);
