#pragma once
/*
 * Exact statements about a share that was counted: intervals, and how many visitors a certainty
 * needs.  Nothing here approximates the binomial distribution by another one.
 *
 * Shares and probabilities are fractions in [0, 1]; confidence 0.999 leaves 0.0005 on each side.
 */
#include <stdbool.h>
#include <stdint.h>

#define BINOMIAL_MAX_N UINT64_C(1000000000)

/*
 * Regularized incomplete beta function I_x(a, b).  a, b > 0, x in [0, 1].
 * Continued fraction by Lentz's method (DLMF 8.17.22), its factor by Loader's saddle-point form, so
 * that a + b of 10^9 costs no digits.
 */
double beta_regularized(double a, double b, double x);

/* P(X >= k) for X ~ Binomial(n, p).  k 0 gives 1, k > n gives 0. */
double binomial_at_least(uint64_t k, uint64_t n, double p);

/*
 * Two-sided interval of Clopper and Pearson (Biometrika 26, 1934) for the share of which k of n
 * were drawn: whatever the true share, the interval misses it with at most 1 - confidence. k <= n,
 * 1 <= n <= BINOMIAL_MAX_N, confidence in (0, 1).
 */
void binomial_interval(uint64_t k, uint64_t n, double confidence, double *ret_low,
                       double *ret_high);

/* Whether that interval lies beside p: k of n contradict a share of p. */
bool binomial_contradicts(uint64_t k, uint64_t n, double p, double confidence);

/* Whether any count of n visitors could contradict a share of p; if not, n says nothing. */
bool binomial_can_contradict(uint64_t n, double p, double confidence);

/* How probable it is that n visitors contradict a share of p when the true share is q. */
double binomial_power(uint64_t n, double p, double q, double confidence);

/*
 * Visitors with which a true share of q contradicts p with at least this power (a fraction below
 * 1).  As the power has teeth in n, a few less may do by luck of rounding.  0 when p equals q or
 * when BINOMIAL_MAX_N would not be enough.
 */
uint64_t binomial_needed(double p, double q, double confidence, double power);
