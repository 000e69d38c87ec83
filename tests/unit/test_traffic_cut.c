/* The cut: against the vectors that an independent script made, and over a million ids. */
#include "support/t.h"

#include <math.h>

#include "traffic/cut.h"
#include "traffic/id.h"

#define IDS 1000000u

__extension__ typedef unsigned __int128 uint128;

static void test_cut_agrees_with_the_vectors(void **state)
{
    (void) state;
    const char *other = getenv("T_VECTORS"); /* NOLINT(concurrency-mt-unsafe): one thread */
    FILE *file = fopen(other != NULL ? other : "tests/vectors/cut.tsv", "r");
    char salt[80], id[300], u_text[20], bucket_text[20];
    unsigned lines = 0;

    assert_non_null(file);
    while (fscanf(file, "%79s %299s %19s %19s", salt, id, u_text, bucket_text) == 4) {
        uint64_t u = 0, bucket = 0;
        struct cut_key key = cut_key_of(str_of(salt));
        assert_int_equal(num_hex64(str_of(u_text), &u), 0);
        assert_int_equal(num_u64(str_of(bucket_text), 0, CUT_BUCKETS - 1, &bucket), 0);
        t_check(cut_u(&key, str_of(id)) == u, "salt %s id %s", salt, id);
        t_check(cut_bucket(u) == bucket, "salt %s id %s", salt, id);
        lines++;
    }
    (void) fclose(file);
    print_message("# %u vectors agree\n", lines);
    assert_true(lines >= 1000);
}

static void test_bucket_edges(void **state)
{
    (void) state;
    assert_int_equal(cut_bucket(0), 0);
    assert_int_equal(cut_bucket(UINT64_MAX), CUT_BUCKETS - 1);
    /* the least u of bucket b is ceil(b * 2^64 / 1000000) */
    for (uint32_t b = 1; b < CUT_BUCKETS; b += 997) {
        uint128 edge = ((uint128) b << 64) / CUT_BUCKETS;
        uint64_t below = (uint64_t) edge, above = (uint64_t) edge + 1;
        uint64_t exact = (uint64_t) ((uint128) below * CUT_BUCKETS >> 64);
        assert_int_equal(cut_bucket(below), exact);
        assert_int_equal(cut_bucket(above), b);
    }
}

static uint32_t *million_buckets(struct t_random *random)
{
    struct cut_key key = cut_key_of(STR("r42"));
    uint32_t *bucket = malloc(IDS * sizeof(*bucket));

    assert_non_null(bucket);
    for (uint32_t i = 0; i < IDS; i++) {
        char id[ID_SIGNED_LEN];
        size_t len = id_write(t_random(random), (struct id_key){0}, id);
        bucket[i] = cut_bucket(cut_u(&key, (struct str){id, len}));
    }
    return bucket;
}

static void test_cohorts_are_nested_on_every_raise(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    uint32_t *bucket = million_buckets(&random);
    const uint32_t walk[] = {0, 1, 1000, 10000, 100000, 500000, 999999, 1000000};
    uint32_t before = 0;

    for (size_t s = 0; s < T_LEN(walk); s++) {
        uint32_t canary = 0, left = 0;
        for (uint32_t i = 0; i < IDS; i++) {
            bool now = cut_is_canary(bucket[i], walk[s]);
            canary += now;
            left += s > 0 && cut_is_canary(bucket[i], walk[s - 1]) && !now;
        }
        print_message("# share %u ppm: %u of %u\n", walk[s], canary, IDS);
        assert_int_equal(left, 0);
        assert_true(canary >= before);
        assert_true(walk[s] != 0 || canary == 0);
        assert_true(walk[s] != CUT_BUCKETS || canary == IDS);
        /* six standard deviations of a binomial: once in 10^9 runs by chance */
        double p = walk[s] / 1e6, sd = sqrt(IDS * p * (1 - p));
        assert_true(fabs(canary - IDS * p) <= 6 * sd + 1);
        before = canary;
    }
    free(bucket);
}

/* Every bucket exactly once: then a share is exact by count. */
static void test_a_share_is_exact_by_count(void **state)
{
    (void) state;
    const uint32_t share[] = {0, 1, 1000, 500000, 1000000};

    T_TABLE(ppm, share)
    {
        uint32_t canary = 0;
        for (uint32_t bucket = 0; bucket < CUT_BUCKETS; bucket++) {
            canary += cut_is_canary(bucket, *ppm);
        }
        assert_int_equal(canary, *ppm);
    }
}

/* 1000 cells: chi-square with 999 degrees of freedom, 6 standard deviations (sd = sqrt(2 * 999)).
 */
static void check_chi_square(const uint32_t *bucket)
{
    static uint32_t cell[1000];
    double sum = 0;

    memset(cell, 0, sizeof(cell));
    for (uint32_t i = 0; i < IDS; i++) {
        cell[bucket[i] / 1000]++;
    }
    for (unsigned i = 0; i < 1000; i++) {
        sum += (cell[i] - 1000.0) * (cell[i] - 1000.0) / 1000.0;
    }
    print_message("# chi-square of 1000 cells: %.1f, expected 999 +- 45\n", sum);
    assert_true(fabs(sum - 999) < 6 * sqrt(2 * 999.0));
}

static void test_buckets_of_random_and_of_sequential_ids_are_even(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    uint32_t *bucket = million_buckets(&random);
    struct cut_key key = cut_key_of(STR("rails-7"));

    check_chi_square(bucket);
    for (uint32_t i = 0; i < IDS; i++) {
        char id[16];
        int len = snprintf(id, sizeof(id), "%u", i);
        bucket[i] = cut_bucket(cut_u(&key, (struct str){id, (size_t) len}));
    }
    check_chi_square(bucket);
    free(bucket);
}

static void test_another_salt_draws_other_first_visitors(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    struct cut_key one = cut_key_of(STR("r1")), two = cut_key_of(STR("r2"));
    unsigned both = 0, first = 0;

    for (unsigned i = 0; i < 100000; i++) {
        char text[ID_SIGNED_LEN];
        struct str id = {text, id_write(t_random(&random), (struct id_key){0}, text)};
        bool a = cut_is_canary(cut_bucket(cut_u(&one, id)), 10000);
        first += a;
        both += a && cut_is_canary(cut_bucket(cut_u(&two, id)), 10000);
    }
    assert_true(first > 800);
    assert_true(both < 60); /* expected 10 of 1000 */
}

static void test_salts(void **state)
{
    (void) state;
    char longest[CUT_SALT_MAX + 1];
    memset(longest, 's', sizeof(longest));

    assert_true(cut_salt_valid(STR("r42")));
    assert_true(cut_salt_valid(STR("Rails-7.1_x")));
    assert_true(cut_salt_valid((struct str){longest, CUT_SALT_MAX}));
    assert_false(cut_salt_valid((struct str){longest, CUT_SALT_MAX + 1}));
    assert_false(cut_salt_valid(STR("")));
    assert_false(cut_salt_valid(STR("a b")));
    assert_false(cut_salt_valid(STR("caf\xc3\xa9")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut_agrees_with_the_vectors),
        cmocka_unit_test(test_bucket_edges),
        cmocka_unit_test(test_cohorts_are_nested_on_every_raise),
        cmocka_unit_test(test_a_share_is_exact_by_count),
        cmocka_unit_test(test_buckets_of_random_and_of_sequential_ids_are_even),
        cmocka_unit_test(test_another_salt_draws_other_first_visitors),
        cmocka_unit_test(test_salts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
