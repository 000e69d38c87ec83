/* The maximum matching against brute force. */
#include "support/t.h"

#include "apitest/matching.h"

enum { SIDE = 7 };

/* The best over all ways to give left nodes from l on right nodes that are not used yet. */
static size_t brute_force(const uint8_t *edge, size_t n_left, size_t n_right, size_t l,
                          unsigned used)
{
    if (l == n_left) {
        return 0;
    }
    size_t best = brute_force(edge, n_left, n_right, l + 1, used);
    for (size_t r = 0; r < n_right; r++) {
        if (edge[l * n_right + r] != 0 && (used >> r & 1) == 0) {
            size_t with = 1 + brute_force(edge, n_left, n_right, l + 1, used | 1u << r);
            best = with > best ? with : best;
        }
    }
    return best;
}

/* Both directions agree, pairs are edges, and there are as many as was said. */
static void assert_valid(const uint8_t *edge, size_t n_left, size_t n_right, const size_t *of_left,
                         const size_t *of_right, size_t pairs)
{
    size_t left = 0, right = 0;
    for (size_t l = 0; l < n_left; l++) {
        if (of_left[l] != APITEST_UNMATCHED) {
            assert_true(of_left[l] < n_right);
            assert_true(edge[l * n_right + of_left[l]] != 0);
            assert_int_equal(of_right[of_left[l]], l);
            left++;
        }
    }
    for (size_t r = 0; r < n_right; r++) {
        right += of_right[r] != APITEST_UNMATCHED ? 1 : 0;
    }
    assert_int_equal(left, pairs);
    assert_int_equal(right, pairs);
}

static void test_it_is_as_large_as_brute_force_finds(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    for (int round = 0; round < 5000; round++) {
        uint8_t edge[SIDE * SIDE] = {0};
        size_t of_left[SIDE], of_right[SIDE];
        size_t n_left = t_random_below(&random, SIDE + 1);
        size_t n_right = t_random_below(&random, SIDE + 1);
        uint64_t density = 1 + t_random_below(&random, 9);
        for (size_t i = 0; i < n_left * n_right; i++) {
            edge[i] = t_random_below(&random, 10) < density;
        }
        size_t pairs = apitest_matching(edge, n_left, n_right, of_left, of_right);
        assert_int_equal(pairs, brute_force(edge, n_left, n_right, 0, 0));
        assert_valid(edge, n_left, n_right, of_left, of_right, pairs);
    }
}

/* Where taking the first that fits is wrong all along: l fits r = l and r = l + 1. */
static void test_long_chains_are_found(void **state)
{
    (void) state;
    enum { N = 1500 };
    uint8_t *edge = calloc((size_t) N * N, 1);
    size_t *of_left = calloc(N, sizeof *of_left), *of_right = calloc(N, sizeof *of_right);
    assert_true(edge != NULL && of_left != NULL && of_right != NULL);
    for (size_t l = 0; l < N; l++) {
        edge[l * N + (l + 1) % N] = 1;
        edge[l * N + l] = l + 1 < N; /* the last one has only the first, which all others pass on */
    }
    assert_int_equal(apitest_matching(edge, N, N, of_left, of_right), N);
    assert_valid(edge, N, N, of_left, of_right, N);
    memset(edge, 1, (size_t) N * N);
    assert_int_equal(apitest_matching(edge, N, N, of_left, of_right), N);
    free(edge);
    free(of_left);
    free(of_right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_as_large_as_brute_force_finds),
        cmocka_unit_test(test_long_chains_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
