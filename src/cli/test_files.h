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
 * Begins to watch their folders; what is saved from now on ends a wait.  ret_fd: to be closed.
 * ERR_IO.
 */
int test_files_watch(const struct test_files *files, int *ret_fd, struct err *err)
    __attribute__((warn_unused_result));
/* Waits until a .yaml, .yml or .proto there was saved; false: SIGINT or SIGTERM came instead. */
bool test_files_wait(int fd);
