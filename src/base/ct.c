/* Comparison in constant time: see ct.h. */
#include "base/ct.h"

#include <stdint.h>

bool ct_equal(const void *a, const void *b, size_t len)
{
    /* volatile: the compiler may not leave the loop at the first difference. */
    const volatile uint8_t *x = a, *y = b;
    uint8_t difference = 0;
    for (size_t i = 0; i < len; i++) {
        difference |= x[i] ^ y[i];
    }
    return difference == 0;
}
