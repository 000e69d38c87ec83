#pragma once
/* Files of tests: what operands name, and when one of them changes. */
#include "base/err.h"
#include "base/vec.h"

#include <stdbool.h>

struct test_files {
    VEC(char *) path;
};

/* An operand is a file, - for standard input, or a folder: its *.yaml and *.yml, by name. */
int test_files_find(struct test_files *files, const char *const *operand, size_t n, struct err *err)
    __attribute__((warn_unused_result));
void test_files_done(struct test_files *files);

/*
 * Waits until a file in one of their folders (.yaml, .yml, .proto) is saved, or the program is
 * interrupted. ERR_CANCELLED then.  interrupted: looked at whenever a signal comes.
 */
int test_files_wait(const struct test_files *files, const bool *interrupted, struct err *err)
    __attribute__((warn_unused_result));
