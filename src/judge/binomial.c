/* Exact binomial statements; see binomial.h. */
#include "judge/binomial.h"

#include <math.h>

/* ln(n!) less Stirling's sqrt(2 pi n) (n/e)^n, for real n > 0 (Loader 2000). */
static double stirling_error(double n)
{
    if (n <= 15) {
        int sign;
        return lgamma_r(n + 1, &sign) - (n + 0.5) * log(n) + n - 0.5 * log(2 * M_PI);
    }
    double nn = n * n;
    return (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - (1.0 / 1680 - 1.0 / 1188 / nn) / nn) / nn) / nn) /
           n;
}

/* x ln(x / m) + m - x without losing the digits that cancel when x is near m.  x, m > 0. */
static double deviance(double x, double m)
{
    if (fabs(x - m) >= 0.1 * (x + m)) {
        return x * log(x / m) + m - x;
    }
    double v = (x - m) / (x + m);
    double sum = (x - m) * v;
    double term = 2 * x * v;
    for (int i = 3; i < 1000; i += 2) {
        term *= v * v;
        double next = sum + term / i;
        if (next == sum) {
            break;
        }
        sum = next;
    }
    return sum;
}

/* x^a (1-x)^b / B(a, b), for 0 < x < 1. */
static double beta_factor(double a, double b, double x)
{
    double n = a + b;
    double log_pmf = stirling_error(n) - stirling_error(a) - stirling_error(b) -
                     deviance(a, n * x) - deviance(b, n * (1 - x));
    return exp(log_pmf) * sqrt(a * b / (2 * M_PI * n));
}

/* The fraction of DLMF 8.17.22, evaluated from the front (Lentz, with Thompson and Barnett's
 * guard).
 */
static double beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1;
    double d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double value = d;
    for (int m = 1; m < 1000000; m++) {
        double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1 + even * d;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = 1 + even / c;
        c = fabs(c) < tiny ? tiny : c;
        value *= d * c;

        double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + odd * d;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = 1 + odd / c;
        c = fabs(c) < tiny ? tiny : c;
        value *= d * c;
        if (fabs(d * c - 1) < 1e-15) {
            break;
        }
    }
    return value;
}

double beta_regularized(double a, double b, double x)
{
    if (x <= 0) {
        return 0;
    }
    if (x >= 1) {
        return 1;
    }
    /* The fraction converges fast on this side of the mean only. */
    if (x < (a + 1) / (a + b + 2)) {
        return beta_factor(a, b, x) * beta_fraction(a, b, x) / a;
    }
    return 1 - beta_factor(b, a, 1 - x) * beta_fraction(b, a, 1 - x) / b;
}

double binomial_at_least(uint64_t k, uint64_t n, double p)
{
    if (k == 0) {
        return 1;
    }
    if (k > n) {
        return 0;
    }
    return beta_regularized((double) k, (double) (n - k + 1), p);
}

/* P(X <= k), with the digits of a small result (not 1 minus its complement). */
static double at_most(uint64_t k, uint64_t n, double p)
{
    return binomial_at_least(n - k, n, 1 - p);
}

/* The share at which k or more of n have the given probability.  Rises with the share. */
static double share_where_at_least(uint64_t k, uint64_t n, double probability)
{
    double low = 0, high = 1;
    for (;;) {
        double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high) {
            return middle;
        }
        if (binomial_at_least(k, n, middle) < probability) {
            low = middle;
        } else {
            high = middle;
        }
    }
}

void binomial_interval(uint64_t k, uint64_t n, double confidence, double *ret_low, double *ret_high)
{
    double side = (1 - confidence) / 2;
    *ret_low = k == 0 ? 0 : share_where_at_least(k, n, side);
    /* P(X <= k | p) = P(X >= n - k | 1 - p): the upper end is the lower one of the other track. */
    *ret_high = k == n ? 1 : 1 - share_where_at_least(n - k, n, side);
}

bool binomial_contradicts(uint64_t k, uint64_t n, double p, double confidence)
{
    double side = (1 - confidence) / 2;
    return binomial_at_least(k, n, p) < side || at_most(k, n, p) < side;
}

bool binomial_can_contradict(uint64_t n, double p, double confidence)
{
    return n > 0 &&
           (binomial_contradicts(0, n, p, confidence) || binomial_contradicts(n, n, p, confidence));
}

/* The least k of n that lies too high for p; n + 1 when none does. */
static uint64_t least_too_high(uint64_t n, double p, double side)
{
    uint64_t low = 0, high = n + 1;
    while (low + 1 < high) {
        uint64_t middle = low + (high - low) / 2;
        if (binomial_at_least(middle, n, p) < side) {
            high = middle;
        } else {
            low = middle;
        }
    }
    return high;
}

double binomial_power(uint64_t n, double p, double q, double confidence)
{
    double side = (1 - confidence) / 2;
    double above = binomial_at_least(least_too_high(n, p, side), n, q);
    double below = binomial_at_least(least_too_high(n, 1 - p, side), n, 1 - q);
    return above + below;
}

uint64_t binomial_needed(double p, double q, double confidence, double power)
{
    if (p == q) {
        return 0;
    }
    uint64_t high = 1;
    while (binomial_power(high, p, q, confidence) < power) {
        if (high == BINOMIAL_MAX_N) {
            return 0;
        }
        high = high > BINOMIAL_MAX_N / 2 ? BINOMIAL_MAX_N : high * 2;
    }
    uint64_t low = high / 2;
    while (low + 1 < high) {
        uint64_t middle = low + (high - low) / 2;
        if (binomial_power(middle, p, q, confidence) < power) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high;
}
