/* Log-linear histogram: see hist.h. */
#include "base/hist.h"

#include <math.h>

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "counters shared by processes must be lock-free");
_Static_assert(HIST_BUCKETS == 896, "the layout of the shared zone depends on it");

static uint64_t load(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

uint64_t hist_total(const struct hist *h)
{
    uint64_t total = 0;
    for (size_t i = 0; i < HIST_BUCKETS; i++) {
        total += load(&h->count[i]);
    }
    return total;
}

double hist_quantile_us(const struct hist *h, double q)
{
    uint64_t total = hist_total(h), seen = 0;
    double rank = q * (double) total; /* the first count of at least this, so no rounding up */
    if (total == 0) {
        return (double) NAN;
    }
    size_t last = 0; /* the greatest bucket in use, for a rank that rounding put above the total */
    for (size_t i = 0; i < HIST_BUCKETS; i++) {
        uint64_t count = load(&h->count[i]);
        seen += count;
        last = count > 0 ? i : last;
        if (count > 0 && (double) seen >= rank) {
            break;
        }
    }
    return ((double) hist_low(last) + (double) hist_high(last)) / 2;
}

void hist_merge(struct hist *dst, const struct hist *src)
{
    for (size_t i = 0; i < HIST_BUCKETS; i++) {
        uint64_t count = load(&src->count[i]);
        if (count > 0) {
            atomic_fetch_add_explicit(&dst->count[i], count, memory_order_relaxed);
        }
    }
    atomic_fetch_add_explicit(&dst->sum_us, load(&src->sum_us), memory_order_relaxed);
    uint64_t max = load(&src->max_us), seen = load(&dst->max_us);
    while (max > seen &&
           !atomic_compare_exchange_weak_explicit(&dst->max_us, &seen, max, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
}

static bool take(_Atomic uint64_t *from, uint64_t value)
{
    uint64_t has = load(from);
    atomic_store_explicit(from, has - value, memory_order_relaxed);
    return has >= value;
}

bool hist_subtract(struct hist *dst, const struct hist *src)
{
    bool all = true;
    for (size_t i = 0; i < HIST_BUCKETS; i++) {
        all = take(&dst->count[i], load(&src->count[i])) && all;
    }
    all = take(&dst->sum_us, load(&src->sum_us)) && all;
    atomic_store_explicit(&dst->max_us, 0, memory_order_relaxed);
    return all;
}
