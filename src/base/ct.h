#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Equality of len bytes in a time that does not depend on them: for secrets and signatures. */
bool ct_equal(const void *a, const void *b, size_t len);
