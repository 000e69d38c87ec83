/* The order of services; see needs.h. */
#include "release/needs.h"

#include "base/buf.h"

#include <stdbool.h>
#include <string.h>

int needs_find(const struct needs_service *service, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (strcmp(service[i].name, name) == 0) {
            return (int) i;
        }
    }
    return -1;
}

/* The first entry of a service's list that is given and not out yet; needs: there is none. */
static size_t waits_for(const struct needs_service *service, size_t n, size_t i, const bool *out,
                        size_t *ret_whom)
{
    size_t k;
    for (k = 0; k < service[i].needs; k++) {
        int whom = needs_find(service, n, service[i].need[k]);
        if (whom >= 0 && !out[whom]) {
            *ret_whom = (size_t) whom;
            break;
        }
    }
    return k;
}

/*
 * Everybody who is left waits for somebody who is left, so that a walk along these comes back to
 * where it was: that part of it is the circle.
 */
static void find_circle(const struct needs_service *service, size_t n, const bool *out,
                        struct needs_circle *ret)
{
    size_t walk[NEEDS_MAX], entry[NEEDS_MAX], at = 0, len = 0, begin;
    while (out[at]) {
        at++;
    }
    for (;;) {
        for (begin = 0; begin < len && walk[begin] != at; begin++) {
        }
        if (begin < len) {
            break;
        }
        walk[len] = at;
        entry[len] = waits_for(service, n, at, out, &at);
        len++;
    }
    ret->len = len - begin;
    memcpy(ret->service, walk + begin, ret->len * sizeof walk[0]);
    memcpy(ret->need, entry + begin, ret->len * sizeof entry[0]);
}

static int refuse_circle(const struct needs_service *service, const struct needs_circle *circle,
                         struct err *err)
{
    char chain[400];
    struct buf b;
    buf_init_fixed(&b, chain, sizeof chain);
    for (size_t i = 0; i < circle->len; i++) {
        buf_addf(&b, "%s needs ", service[circle->service[i]].name);
    }
    buf_add_cstr(&b, service[circle->service[0]].name);
    return err_set(err, ERR_INVALID, "%s: no order can hold that", chain);
}

int needs_order(const struct needs_service *service, size_t n, size_t *ret_order,
                struct needs_circle *ret_circle, struct err *err)
{
    bool out[NEEDS_MAX] = {false};
    ret_circle->len = 0;
    if (n > NEEDS_MAX) {
        return err_set(err, ERR_INVALID, "%zu services in one run; there may be %d", n, NEEDS_MAX);
    }
    for (size_t i = 0; i < n; i++) {
        int first = needs_find(service, n, service[i].name);
        if ((size_t) first < i) {
            return err_set(err, ERR_INVALID,
                           "%.150s and %.150s are both of service \"%.64s\": a run has each "
                           "service once",
                           service[first].file, service[i].file, service[i].name);
        }
    }
    for (size_t len = 0; len < n; len++) {
        size_t i = 0, whom;
        while (i < n && (out[i] || waits_for(service, n, i, out, &whom) < service[i].needs)) {
            i++;
        }
        if (i == n) {
            find_circle(service, n, out, ret_circle);
            return refuse_circle(service, ret_circle, err);
        }
        out[i] = true;
        ret_order[len] = i;
    }
    return 0;
}
