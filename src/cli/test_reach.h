#pragma once
/* From options to targets, given variables, descriptors. */
#include "apitest/run.h"
#include "apitest/suite.h"
#include "cli/cmd.h"

/* What a command of API tests runs on. */
struct test_world {
    struct cli *cli;
    struct io_loop *loop;
    struct apitest_secrets secrets;
    struct apitest_load load;
    struct apitest_target *target; /* of --target, then baseline and both of --cross */
    size_t targets;                /* of --target only */
    const struct apitest_target *baseline, *cross_a, *cross_b;
    struct map reflected; /* target name to struct proto_pool * */
    struct map silent;    /* the same to struct err *: asked in vain, not asked again */
    VEC(char *) text;     /* owned copies */
};

/* need_target: an error when there is none.  ERR_INVALID, ERR_IO. */
int test_world_init(struct test_world *w, struct cli *cli, bool need_target, struct err *err)
    __attribute__((warn_unused_result));
void test_world_done(struct test_world *w);

/* Descriptors for a command without a file of tests: --proto, --proto-set, else reflection. ret:
 * borrowed. */
int test_world_pool(struct test_world *w, const struct proto_pool **ret, struct err *err)
    __attribute__((warn_unused_result));

/*
 * "pkg.Service/Method", "pkg.Service.Method", "/pkg.Service/Method" or, when there is only one,
 * "Method".
 */
const struct proto_method_desc *test_find_method(const struct proto_pool *pool, const char *name,
                                                 struct err *err);
