#pragma once
/*
 * The order in which services of one run are released: each behind those that it needs.  Pure.
 *
 * The order is stable: whenever several may come next, the one that was given first does.  What a
 * service needs and nobody gave is not looked at: it is released on its own.
 */
#include "base/err.h"

#include <stddef.h>

#define NEEDS_MAX 32 /* services of one run */

/* All is borrowed. */
struct needs_service {
    const char *name;
    const char *file;        /* for messages */
    const char *const *need; /* names */
    const struct pos *pos;   /* where each of them is written */
    size_t needs;
};

/* service[i] needs service[i + 1] by entry need[i] of its list; the last one needs the first. */
struct needs_circle {
    size_t service[NEEDS_MAX], need[NEEDS_MAX];
    size_t len; /* 0: there is none */
};

/*
 * Sets ret_order to the indices of all n services.  ERR_INVALID: a circle, of which one is in
 * ret_circle (the shortest text that says why: no service is in it twice); or, with an empty
 * ret_circle, two of the same name, or more than NEEDS_MAX.  The circle is set in any case.
 */
int needs_order(const struct needs_service *service, size_t n, size_t *ret_order,
                struct needs_circle *ret_circle, struct err *err)
    __attribute__((warn_unused_result));

/* Index of a service by name; -1. */
int needs_find(const struct needs_service *service, size_t n, const char *name);
