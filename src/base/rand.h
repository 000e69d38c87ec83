#pragma once
#include <stddef.h>

/* Fills out with len bytes of the kernel's generator.  0, or ERR_IO (out is then not to be used).
 */
int rand_bytes(void *out, size_t len) __attribute__((warn_unused_result));
