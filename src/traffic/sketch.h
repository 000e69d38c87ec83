/*
 * How many different units there were: the HyperLogLog of 2048 registers that struct sketch is.
 * P. Flajolet et al., "HyperLogLog: the analysis of a near-optimal cardinality estimation
 * algorithm", 2007; the estimator is that of O. Ertl, "New cardinality estimation algorithms for
 * HyperLogLog sketches", 2017, section 4, which needs no other formula for small numbers.
 *
 * Standard error: 1.04 / sqrt(2048) = 2.3 %, less for small numbers: two in 2048 share a register,
 * so ten units are counted as ten but for one time in 46. All-zero is empty. Two routers' sketches
 * of the same salt are merged by the greater of each register.
 */
#pragma once

#include "traffic/zone.h"

#define SKETCH_ERROR 0.023

/*
 * Spreads all 64 bits, one to one. The u of a canary's units is below the share: its upper bits are
 * alike. (Mix 13 of D. Stafford, as in SplitMix64.)
 */
static inline uint64_t sketch_mix(uint64_t u)
{
    u = (u ^ u >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    u = (u ^ u >> 27) * UINT64_C(0x94d049bb133111eb);
    return u ^ u >> 31;
}

/* Counts a unit; any number of processes at the same time. */
static inline void sketch_add(struct sketch *sketch, uint64_t u)
{
    uint64_t mixed = sketch_mix(u);
    _Atomic uint8_t *reg = &sketch->reg[mixed % SKETCH_REGISTERS];
    /* the bit above the rest ends the count of zeros at 54 */
    uint8_t rank = (uint8_t) (1 + __builtin_ctzll(mixed / SKETCH_REGISTERS | UINT64_C(1) << 53));
    uint8_t seen = atomic_load_explicit(reg, memory_order_relaxed);

    while (rank > seen && !atomic_compare_exchange_weak_explicit(
                              reg, &seen, rank, memory_order_relaxed, memory_order_relaxed)) {
    }
}

void sketch_clear(struct sketch *sketch);

/* Takes the units of from in. */
void sketch_merge(struct sketch *sketch, const struct sketch *from);

double sketch_estimate(const struct sketch *sketch);

/* Where the units of a revision are counted; NULL: it is none of the last four. */
static inline struct exposure *exposure_of(struct service *service, uint64_t revision)
{
    uint32_t current = atomic_load_explicit(&service->split.current, memory_order_relaxed);

    for (uint32_t i = 0; i < 4; i++) {
        struct exposure *exposure = &service->exposure[(current - i) % 4];
        if (atomic_load_explicit(&exposure->revision, memory_order_relaxed) == revision) {
            return exposure;
        }
    }
    return NULL;
}

/* Makes the place of a split that is about to be published its own, with no unit. */
void exposure_begin(struct exposure *exposure, const struct split *split);
