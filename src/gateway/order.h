#pragma once
/*
 * Orders: changes that are said to every router once and read back until they show.
 *
 * Nothing that was answered is said twice: what got no answer may have been taken, and is read back
 * as if it had.  Routers that cannot be reached hold up nobody but the end.
 */
#include "gateway/fleet.h"

struct fleet_order {
    const char *method, *path; /* path: below the router's url */
    struct str body;           /* ptr NULL: none */
};

/* What became of one order at one router. */
struct fleet_result {
    enum fleet_outcome outcome;
    struct err why;     /* code 0: nothing to say */
    struct err unsaved; /* with code ERR_IO: in effect, but the router could not save it */

    /* private */
    bool pending;   /* said, or still to be said, and not read back yet */
    bool unsaid;    /* had no answer */
    unsigned clear; /* of a drain: readings in a row that prove it */
};

/* Where an order shows. */
enum fleet_place { FLEET_IN_SERVICE, FLEET_IN_STATUS, FLEET_IN_EVENTS };

struct fleet_plan {
    const struct fleet_order *order; /* n */
    size_t n;
    enum fleet_place place;
    /* Whether an order shows in what was just read of the router. */
    bool (*holds)(const struct fleet_router *r, size_t order, void *ctx);
    void *ctx;
    /*
     * Not NULL: routers that do not answer, or did not before (FLEET_NOT_PROVED with
     * ERR_UNREACHABLE when it is called), are tried again until the deadline.  When one answers and
     * the order does not show there, this says whether it may be said: 0, or an error for which it
     * is refused.
     */
    int (*again)(const struct fleet_router *r, size_t order, void *ctx, struct err *err);
};

/*
 * result: n of them for each router, router by router.  Those that are not FLEET_UNTOUCHED are not
 * said and left as they are.  When it returns all others are
 *   FLEET_PROVED      it is read back;
 *   FLEET_REFUSED     the router said no, for good;
 *   FLEET_NOT_PROVED  no answer (why: ERR_UNREACHABLE), it does not show (ERR_TIMEOUT), or
 *                     interrupted before that (ERR_CANCELLED);
 *   FLEET_UNTOUCHED   interrupted before it was said.
 * deadline_ms: by clock_mono_ms.
 */
void fleet_tell(struct fleet *fleet, const struct fleet_plan *plan, uint64_t deadline_ms,
                struct fleet_result *result);
