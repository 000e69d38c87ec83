#pragma once
/* Numbers drawn from a seed: splitmix64 (Steele, Lea, Flood 2014), the same on every machine. */
#include <stdbool.h>
#include <stdint.h>

struct draw {
    uint64_t state;
};

static inline uint64_t draw_next(struct draw *d)
{
    uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 0..n-1; n at least 1. */
static inline uint32_t draw_below(struct draw *d, uint32_t n)
{
    return (uint32_t) (((draw_next(d) >> 32) * n) >> 32);
}

/* from..to, both may come. */
static inline uint32_t draw_between(struct draw *d, uint32_t from, uint32_t to)
{
    return from + draw_below(d, to - from + 1);
}

static inline bool draw_chance(struct draw *d, uint32_t ppm)
{
    return ppm > 0 && draw_below(d, 1000000) < ppm;
}
