/* Exact binomial statements against published tables and values of 40 digits computed apart. */
#include "judge/binomial.h"
#include "support/t.h"

#include <math.h>

static bool is_near(double got, double want, double relative)
{
    return fabs(got - want) <= relative * fabs(want);
}

static void test_incomplete_beta(void **state)
{
    (void) state;
    static const struct {
        double a, b, x, want;
    } rows[] = {
        {0.5, 0.5, 0.25, 1.0 / 3},
        {2, 3, 0.4, 0.5248},
        {1, 1, 0.37, 0.37},
        {10, 91, 0.1, 0.54870983455799649},
        {1, 1000, 0.001, 0.63230457522903596},
        {500, 500, 0.51, 0.73642439164341471},
        {1000, 999001, 0.001, 0.50421155516699229},
        {3, 4, 0, 0},
        {3, 4, 1, 1},
    };
    T_TABLE(row, rows)
    {
        double got = beta_regularized(row->a, row->b, row->x);
        t_check(is_near(got, row->want, 1e-13), "I_%g(%g, %g) is %.17g, not %.17g", row->x, row->a,
                row->b, got, row->want);
    }
}

static void test_tails(void **state)
{
    (void) state;
    static const struct {
        uint64_t k, n;
        double p, want;
    } rows[] = {
        {0, 5, 0.3, 1},
        {6, 5, 0.3, 0},
        {1, 1, 0, 0},
        {30, 30, 0.5, 9.3132257461547852e-10},
        {1001, 1000001, 0.001, 0.49160325270261196},
        {1200, 1000000, 0.001, 4.5896386061007507e-10},
        {3, 7, 0.999, 0.99999999999997903},
        {100700, 1000000, 0.1, 0.0099109679485281562},
        {560, 1000, 0.5, 8.2524935275226518e-5},
    };
    T_TABLE(row, rows)
    {
        double got = binomial_at_least(row->k, row->n, row->p);
        t_check(is_near(got, row->want, 1e-11), "P(X >= %" PRIu64 ") of %" PRIu64 " is %.17g",
                row->k, row->n, got);
    }
}

/* Newcombe 1998 (Stat. Med. 17:857-872), table I, method 5; and values of 40 digits. */
static void test_intervals(void **state)
{
    (void) state;
    static const struct {
        uint64_t k, n;
        double confidence, low, high, digits;
    } rows[] = {
        {81, 263, 0.95, 0.2527, 0.3676, 5e-5},
        {15, 148, 0.95, 0.0578, 0.1617, 5e-5},
        {0, 20, 0.95, 0, 0.1684, 5e-5},
        {1, 29, 0.95, 0.0009, 0.1776, 5e-5},
        {10, 100, 0.95, 0.049004689221486, 0.176222597740023, 1e-13},
        {5, 10, 0.95, 0.187086028447399, 0.812913971552601, 1e-13},
        {0, 400, 0.999, 0, 0.0188228514413917, 1e-13},
        {1, 400, 0.999, 1.25031182256527e-6, 0.0247174583447484, 1e-13},
        {40, 400, 0.999, 0.0571990335499398, 0.158264520825224, 1e-13},
        {399, 400, 0.99, 0.981573264501472, 0.999987468723958, 1e-13},
        {400, 400, 0.999, 1 - 0.0188228514413917, 1, 1e-13},
        {1000, 1000000, 0.999, 0.000899253562507663, 0.00110833393675299, 1e-13},
    };
    T_TABLE(row, rows)
    {
        double low, high;
        binomial_interval(row->k, row->n, row->confidence, &low, &high);
        t_check(fabs(low - row->low) <= row->digits && fabs(high - row->high) <= row->digits,
                "%" PRIu64 "/%" PRIu64 ": %.15g to %.15g", row->k, row->n, low, high);
    }
}

/* The promise of the interval, summed over all counts: it misses at most 1 - confidence. */
static void test_false_alarms_stay_below_the_promise(void **state)
{
    (void) state;
    static const double shares[] = {0.001, 0.01, 0.1, 0.37, 0.5, 0.99};
    T_TABLE(p, shares)
    {
        double missed = 0;
        for (uint64_t k = 0; k <= 400; k++) {
            double exactly = binomial_at_least(k, 400, *p) - binomial_at_least(k + 1, 400, *p);
            missed += binomial_contradicts(k, 400, *p, 0.99) ? exactly : 0;
        }
        t_check(missed <= 0.01, "share %g: %g", *p, missed);
    }
}

static void test_contradiction_is_the_interval(void **state)
{
    (void) state;
    for (uint64_t k = 0; k <= 50; k++) {
        for (int percent = 1; percent < 100; percent++) {
            double low, high, p = percent / 100.0;
            binomial_interval(k, 50, 0.99, &low, &high);
            assert_int_equal(binomial_contradicts(k, 50, p, 0.99), p < low || p > high);
        }
    }
}

static void test_edges_are_definite(void **state)
{
    (void) state;
    assert_true(binomial_contradicts(1, 1000, 0, 0.999));
    assert_false(binomial_contradicts(0, 1000, 0, 0.999));
    assert_true(binomial_contradicts(999, 1000, 1, 0.999));
    assert_false(binomial_contradicts(1000, 1000, 1, 0.999));
}

static void test_too_few_say_nothing(void **state)
{
    (void) state;
    assert_false(binomial_can_contradict(0, 0.5, 0.999));
    assert_false(binomial_can_contradict(10, 0.5, 0.999));
    assert_true(binomial_can_contradict(11, 0.5, 0.999)); /* 2^-11 < 0.0005 <= 2^-10 */
    assert_true(binomial_can_contradict(1, 0, 0.999));
    assert_true(binomial_can_contradict(2, 0.001, 0.999));
}

static void test_needed_visitors_have_the_power(void **state)
{
    (void) state;
    static const struct {
        double p, q;
    } rows[] = {{0.001, 0.002}, {0.01, 0.02}, {0.5, 0.55}, {0.5, 0.25}, {0.1, 0.2}, {1, 0.99}};
    T_TABLE(row, rows)
    {
        uint64_t n = binomial_needed(row->p, row->q, 0.999, 0.99);
        t_check(n > 0 && binomial_power(n, row->p, row->q, 0.999) >= 0.99, "%g %g: %" PRIu64,
                row->p, row->q, n);
        t_check(binomial_power(n - n / 20, row->p, row->q, 0.999) < 0.99,
                "%g %g: far fewer than %" PRIu64 " would do", row->p, row->q, n);
    }
    /* (1 - 0.001)^n <= 0.01 */
    assert_int_equal(binomial_needed(0, 0.001, 0.999, 0.99), 4603);
    assert_int_equal(binomial_needed(0.1, 0.1, 0.999, 0.99), 0);
    assert_int_equal(binomial_needed(1e-9, 2e-9, 0.999, 0.99), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_incomplete_beta),
        cmocka_unit_test(test_tails),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_false_alarms_stay_below_the_promise),
        cmocka_unit_test(test_contradiction_is_the_interval),
        cmocka_unit_test(test_edges_are_definite),
        cmocka_unit_test(test_too_few_say_nothing),
        cmocka_unit_test(test_needed_visitors_have_the_power),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
