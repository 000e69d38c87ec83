/* Distinct units; see sketch.h. */
#include "traffic/sketch.h"

#define RANKS 55u /* 0: no unit, 1 .. 54 */

static uint8_t reg_of(const struct sketch *sketch, unsigned i)
{
    return atomic_load_explicit(&sketch->reg[i], memory_order_relaxed);
}

void sketch_clear(struct sketch *sketch)
{
    for (unsigned i = 0; i < SKETCH_REGISTERS; i++) {
        atomic_store_explicit(&sketch->reg[i], 0, memory_order_relaxed);
    }
}

void sketch_merge(struct sketch *sketch, const struct sketch *from)
{
    for (unsigned i = 0; i < SKETCH_REGISTERS; i++) {
        if (reg_of(from, i) > reg_of(sketch, i)) {
            atomic_store_explicit(&sketch->reg[i], reg_of(from, i), memory_order_relaxed);
        }
    }
}

/* x + x^2 + 2 x^4 + 4 x^8 + ... for 0 <= x < 1: what the registers that no unit hit stand for. */
static double sigma(double x)
{
    double sum = x, weight = 1, before;

    do {
        x *= x;
        before = sum;
        sum += x * weight;
        weight += weight;
    } while (sum > before);
    return sum;
}

double sketch_estimate(const struct sketch *sketch)
{
    const double m = SKETCH_REGISTERS;
    unsigned count[RANKS] = {0};

    for (unsigned i = 0; i < SKETCH_REGISTERS; i++) {
        uint8_t rank = reg_of(sketch, i);
        count[rank < RANKS ? rank : RANKS - 1]++;
    }
    if (count[0] == SKETCH_REGISTERS) {
        return 0;
    }
    /* registers of the highest rank would be told apart only beyond 2^60 units */
    double z = 0;
    for (unsigned rank = RANKS - 1; rank > 0; rank--) {
        z = 0.5 * (z + count[rank]);
    }
    z += m * sigma(count[0] / m);
    return m * m / (2 * 0.69314718055994530942 * z);
}

void exposure_begin(struct exposure *exposure, const struct split *split)
{
    /* a request that was cut four splits ago finds its place gone before it is emptied */
    atomic_store(&exposure->revision, UINT64_MAX);
    for (unsigned track = 0; track < TRACK_COUNT; track++) {
        sketch_clear(&exposure->units[track]);
    }
    atomic_store(&exposure->since_ms, 0);
    atomic_store(&exposure->share_ppm, split->share_ppm);
    atomic_store(&exposure->revision, split->revision);
}
