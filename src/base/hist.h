#pragma once
/*
 * Log-linear histogram of durations in microseconds.
 *
 * 0..31 us have a bucket each; every octave above is cut into 32 equal buckets, so a bucket is at
 * most 1/32 of its values wide and its middle at most 1/64 away from each.  Values of 2^32 us (71
 * minutes) and more go into the last bucket.
 *
 * Lies in shared memory: all-zero is empty, adds are relaxed atomics by any number of processes.
 * A reader beside writers sees each bucket exactly, but not all at one moment.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HIST_SUB_BITS 5
#define HIST_SUB      (1u << HIST_SUB_BITS)
#define HIST_MAX_BITS 32
#define HIST_BUCKETS  ((HIST_MAX_BITS - HIST_SUB_BITS + 1) * HIST_SUB) /* 896 */

struct hist {
    _Atomic uint64_t count[HIST_BUCKETS];
    _Atomic uint64_t sum_us;
    _Atomic uint64_t max_us; /* greatest value, not clamped */
};

/* Bucket of a value: 0..HIST_BUCKETS - 1. */
static inline size_t hist_index(uint64_t us)
{
    if (us < HIST_SUB) {
        return (size_t) us;
    }
    if (us >> HIST_MAX_BITS != 0) {
        return HIST_BUCKETS - 1;
    }
    unsigned shift = 63u - (unsigned) __builtin_clzll(us) - HIST_SUB_BITS;
    return (size_t) shift * HIST_SUB + (size_t) (us >> shift);
}

/* Least value of bucket i. */
static inline uint64_t hist_low(size_t i)
{
    if (i < 2 * HIST_SUB) {
        return i;
    }
    return (uint64_t) (HIST_SUB + i % HIST_SUB) << (i / HIST_SUB - 1);
}

/* Greatest value of bucket i (inclusive; the last bucket holds the clamped ones too). */
static inline uint64_t hist_high(size_t i)
{
    return hist_low(i + 1) - 1;
}

static inline void hist_add(struct hist *h, uint64_t us)
{
    atomic_fetch_add_explicit(&h->count[hist_index(us)], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&h->sum_us, us, memory_order_relaxed);
    uint64_t seen = atomic_load_explicit(&h->max_us, memory_order_relaxed);
    while (us > seen && !atomic_compare_exchange_weak_explicit(
                            &h->max_us, &seen, us, memory_order_relaxed, memory_order_relaxed)) {
    }
}

/* Number of values. */
uint64_t hist_total(const struct hist *h);

/*
 * The value of rank ceil(q * total), as the middle of its bucket: within 1/64 of the true one for
 * values below 2^32 us.  q in [0, 1].  NaN when the histogram is empty (JSON: null).
 */
double hist_quantile_us(const struct hist *h, double q);

/*
 * Takes the values of src out of dst: what came between two readings of one histogram.  dst is not
 * shared.  max_us becomes 0, as it is not known.  False, and dst is of no use: src has what dst has
 * not, so it is no earlier reading.
 */
bool hist_subtract(struct hist *dst, const struct hist *src);

/* Adds the values of src to dst. */
void hist_merge(struct hist *dst, const struct hist *src);
