#pragma once
/*
 * What a unit test needs: cmocka and a few words more.  One program a source file:
 *     static void test_zero_sends_nobody(void **state) { (void) state; ... }
 *     int main(void)
 *     {
 *         const struct CMUnitTest tests[] = {cmocka_unit_test(test_zero_sends_nobody)};
 *         return cmocka_run_group_tests(tests, NULL, NULL);
 *     }
 * Never skip(): cmocka tells TAP that a skipped test failed; meson decides what is run.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/num.h"
#include "base/rand.h"
#include "base/str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* Runs the body for each element of an array:  T_TABLE (row, rows) { ... row->input ... } */
/* NOLINTBEGIN(bugprone-macro-parentheses): a declared name takes none */
#define T_TABLE(row, array) \
    for (const __typeof__((array)[0]) *row = (array); row < (array) + T_LEN(array); row++)
/* NOLINTEND(bugprone-macro-parentheses) */

/* Fails with a text of its own, such as the row of the table. */
#define t_check(condition, ...)                       \
    do {                                              \
        if (!(condition)) {                           \
            print_error("%s is false: ", #condition); \
            fail_msg(__VA_ARGS__);                    \
        }                                             \
    } while (0)

/* A view equals a C string. */
#define assert_str(view, cstr)                                                              \
    do {                                                                                    \
        struct str view_ = (view);                                                          \
        const char *cstr_ = (cstr);                                                         \
        t_check(str_eq_cstr(view_, cstr_), "\"" STR_FMT "\" is not \"%s\"", STR_ARG(view_), \
                cstr_);                                                                     \
    } while (0)

/* A call returned this code and left it with this whole message in *err. */
#define assert_err(returned, err, wanted_code, message) \
    do {                                                \
        assert_int_equal((returned), (wanted_code));    \
        assert_int_equal((err)->code, (wanted_code));   \
        assert_string_equal((err)->msg, (message));     \
    } while (0)

/*
 * Random numbers of a property test (SplitMix64).  t_random_init prints the seed; T_SEED=N in the
 * environment runs the same again.
 */
struct t_random {
    uint64_t state;
};

static inline struct t_random t_random_init(void)
{
    struct t_random random = {0};
    struct str given = str_of(getenv("T_SEED")); /* NOLINT(concurrency-mt-unsafe): one thread */
    if (given.len > 0 && num_u64(given, 0, UINT64_MAX, &random.state) < 0) {
        fail_msg("T_SEED=" STR_FMT " is no number", STR_ARG(given));
    }
    if (given.len == 0 && rand_bytes(&random.state, sizeof random.state) < 0) {
        fail_msg("no seed");
    }
    print_message("# seed: T_SEED=%" PRIu64 "\n", random.state);
    return random;
}

static inline uint64_t t_random(struct t_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

/* 0..n - 1; good enough for tests: n is small. */
static inline uint64_t t_random_below(struct t_random *random, uint64_t n)
{
    return t_random(random) % n;
}
