/* The histogram: its buckets, the promised precision of quantiles, and writers side by side. */
#include "support/t.h"
#include "base/hist.h"

#include <math.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_buckets_follow_each_other_without_gap(void **state)
{
    (void) state;
    assert_int_equal(hist_low(0), 0);
    for (size_t i = 0; i < HIST_BUCKETS; i++) {
        assert_int_equal(hist_index(hist_low(i)), i);
        assert_int_equal(hist_index(hist_high(i)), i);
        if (i > 0) {
            assert_true(hist_low(i) == hist_high(i - 1) + 1);
        }
        uint64_t width = hist_high(i) - hist_low(i) + 1;
        assert_true(width == 1 || width * 32 <= hist_low(i));
    }
    assert_true(hist_high(HIST_BUCKETS - 1) == UINT32_MAX);
    assert_int_equal(hist_high(31), 31);
}

static void test_huge_values_go_into_the_last_bucket(void **state)
{
    (void) state;
    assert_int_equal(hist_index(UINT64_C(1) << 32), HIST_BUCKETS - 1);
    assert_int_equal(hist_index(UINT64_MAX), HIST_BUCKETS - 1);
    struct hist *h = calloc(1, sizeof *h);
    assert_non_null(h);
    hist_add(h, UINT64_C(1) << 40);
    assert_int_equal(hist_total(h), 1);
    assert_true(h->max_us == UINT64_C(1) << 40); /* told in full */
    free(h);
}

static void test_empty_histogram_has_no_quantile(void **state)
{
    (void) state;
    struct hist *h = calloc(1, sizeof *h);
    assert_non_null(h);
    assert_int_equal(hist_total(h), 0);
    assert_true(isnan(hist_quantile_us(h, 0.5)));
    free(h);
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* Durations of all sizes: uniform in the exponent. */
static uint64_t random_duration(struct t_random *random)
{
    uint64_t bits = t_random_below(random, 33);
    return bits == 0 ? 0 : t_random(random) >> (64 - bits);
}

static void assert_quantiles(const struct hist *h, const uint64_t *sorted, size_t n)
{
    static const double qs[] = {0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1};
    T_TABLE(q, qs)
    {
        size_t rank = (size_t) (*q * (double) n);
        rank += (double) rank < *q * (double) n;
        double wanted = (double) sorted[rank == 0 ? 0 : rank - 1];
        double got = hist_quantile_us(h, *q);
        t_check(fabs(got - wanted) <= wanted / 64, "n %zu, q %g: %g, not %g", n, *q, got, wanted);
    }
}

static void test_quantiles_are_within_a_64th_of_the_sorted_values(void **state)
{
    (void) state;
    enum { MAX = 5000 };
    static uint64_t values[MAX];
    static struct hist h, sum;
    struct t_random random = t_random_init();
    uint64_t total = 0, sum_us = 0, max_us = 0;
    for (int round = 0; round < 100; round++) {
        size_t n = 1 + t_random_below(&random, round < 50 ? 20 : MAX);
        memset(&h, 0, sizeof h);
        for (size_t i = 0; i < n; i++) {
            values[i] = random_duration(&random);
            hist_add(&h, values[i]);
            sum_us += values[i];
            max_us = values[i] > max_us ? values[i] : max_us;
        }
        qsort(values, n, sizeof *values, compare);
        assert_int_equal(hist_total(&h), n);
        assert_quantiles(&h, values, n);
        hist_merge(&sum, &h);
        total += n;
    }
    assert_int_equal(hist_total(&sum), total);
    assert_true(sum.sum_us == sum_us);
    assert_true(sum.max_us == max_us);
}

static void test_merge_keeps_the_greater_maximum(void **state)
{
    (void) state;
    static struct hist small, large;
    hist_add(&small, 100);
    hist_add(&large, 101);
    hist_merge(&small, &large);
    assert_int_equal(small.max_us, 101);
    assert_int_equal(small.sum_us, 201);
    hist_add(&large, 7);
    hist_merge(&small, &large); /* 101 and 7 */
    assert_int_equal(small.max_us, 101);
    assert_int_equal(hist_total(&small), 4);
}

static void test_subtract_leaves_what_came_between_two_readings(void **state)
{
    (void) state;
    static struct hist before, after, between;
    for (uint64_t us = 0; us < 3000; us += 7) {
        hist_add(&before, us);
        hist_add(&after, us);
    }
    for (uint64_t us = 10; us < 90000; us += 110) {
        hist_add(&after, us);
        hist_add(&between, us);
    }
    assert_true(hist_subtract(&after, &before));
    for (size_t i = 0; i < HIST_BUCKETS; i++) {
        assert_int_equal(after.count[i], between.count[i]);
    }
    assert_int_equal(after.sum_us, between.sum_us);
    assert_int_equal(after.max_us, 0);
    assert_true(hist_subtract(&after, &after)); /* of itself: nothing is left */
    assert_int_equal(hist_total(&after), 0);
}

static void test_subtract_tells_that_the_other_is_no_earlier_reading(void **state)
{
    (void) state;
    static struct hist before, after;
    hist_add(&before, 100);
    hist_add(&after, 200); /* more in sum, but one bucket has less */
    assert_false(hist_subtract(&after, &before));
}

static void test_processes_add_side_by_side_without_a_loss(void **state)
{
    (void) state;
    enum { PROCESSES = 4, ADDS = 50000 };
    struct hist *h =
        mmap(NULL, sizeof *h, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(h != MAP_FAILED);
    for (int p = 0; p < PROCESSES; p++) {
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            for (uint64_t i = 1; i <= ADDS; i++) {
                hist_add(h, i % 100);
            }
            hist_add(h, 1000 + (uint64_t) p);
            _exit(0);
        }
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_int_equal(hist_total(h), PROCESSES * (ADDS + 1));
    assert_int_equal(h->count[7], PROCESSES * ADDS / 100);
    assert_int_equal(h->sum_us, PROCESSES * (ADDS / 100 * 4950) + 4006);
    assert_int_equal(h->max_us, 1000 + PROCESSES - 1);
    assert_int_equal(munmap(h, sizeof *h), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets_follow_each_other_without_gap),
        cmocka_unit_test(test_huge_values_go_into_the_last_bucket),
        cmocka_unit_test(test_empty_histogram_has_no_quantile),
        cmocka_unit_test(test_quantiles_are_within_a_64th_of_the_sorted_values),
        cmocka_unit_test(test_merge_keeps_the_greater_maximum),
        cmocka_unit_test(test_subtract_leaves_what_came_between_two_readings),
        cmocka_unit_test(test_subtract_tells_that_the_other_is_no_earlier_reading),
        cmocka_unit_test(test_processes_add_side_by_side_without_a_loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
