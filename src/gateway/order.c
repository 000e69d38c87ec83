/* Says orders and reads them back; see order.h. */
#include "gateway/order.h"

#include "base/clock.h"
#include "gateway/fleet_int.h"

#define POLL_MS 100

/* An order before it at the same router got no answer: it would only cost the timeout again. */
static const struct err *silent_before(const struct fleet_result *row, size_t order)
{
    for (size_t k = 0; k < order; k++) {
        if (row[k].why.code == ERR_UNREACHABLE) {
            return &row[k].why;
        }
    }
    return NULL;
}

static void judge_answer(const struct fleet_router *r, struct fleet_result *result)
{
    enum err_code code = r->err.code;
    result->unsaid = code == ERR_UNREACHABLE;
    if (code != 0 && code != ERR_IO && code != ERR_UNREACHABLE) {
        result->outcome = FLEET_REFUSED;
        result->why = r->err;
        return;
    }
    result->outcome = FLEET_NOT_PROVED;
    result->pending = true;
    if (code == ERR_IO) { /* not saved, but perhaps in effect: the reading tells */
        result->unsaved = r->err;
    } else if (code == ERR_UNREACHABLE) {
        result->why = r->err;
    }
}

static void say(struct fleet *fleet, const struct fleet_plan *plan, size_t k, uint64_t deadline_ms,
                struct fleet_result *result)
{
    const struct fleet_order *order = &plan->order[k];
    bool said[FLEET_MAX] = {false};
    for (size_t i = 0; i < fleet->len; i++) {
        struct fleet_result *row = &result[i * plan->n];
        const struct err *silent = silent_before(row, k);
        if (row[k].outcome != FLEET_UNTOUCHED || fleet_interrupted(fleet)) {
            continue;
        }
        if (silent != NULL) {
            row[k].outcome = FLEET_NOT_PROVED;
            row[k].why = *silent;
            row[k].unsaid = true;
            row[k].pending = plan->again != NULL;
            continue;
        }
        said[i] = true;
        fleet_start_call(&fleet->router[i], CALL_CHANGE, order->method, order->path, order->body,
                         NULL);
    }
    fleet_settle_until(fleet, fleet_grace(deadline_ms));
    for (size_t i = 0; i < fleet->len; i++) {
        if (said[i]) {
            judge_answer(&fleet->router[i], &result[i * plan->n + k]);
        }
    }
}

/* A router that was silent answers, and the order does not show. */
static void say_again(const struct fleet_router *r, const struct fleet_plan *plan, size_t k,
                      struct fleet_result *result)
{
    struct err why = {0};
    bool may = plan->again(r, k, plan->ctx, &why) == 0;
    result->pending = false;
    result->outcome = may ? FLEET_UNTOUCHED : FLEET_REFUSED;
    result->why = why;
}

/*
 * Judges the orders of a router that was just read.  Returns whether one has to be read, or said,
 * again.
 */
static bool judge_reading(const struct fleet_router *r, const struct fleet_plan *plan,
                          struct fleet_result *row)
{
    bool again = false;
    for (size_t k = 0; k < plan->n; k++) {
        struct fleet_result *result = &row[k];
        if (!result->pending) {
            continue;
        }
        if (r->err.code != 0) {
            result->why = r->err;
            again = true;
        } else if (plan->holds(r, k, plan->ctx)) {
            result->pending = false;
            result->outcome = FLEET_PROVED;
            result->why = (struct err){0};
        } else if (result->unsaved.code != 0) {
            result->pending = false;
            result->outcome = FLEET_REFUSED;
            result->why = result->unsaved;
        } else if (result->unsaid && plan->again != NULL) {
            say_again(r, plan, k, result);
            again = again || result->outcome == FLEET_UNTOUCHED;
        } else {
            (void) err_set(&result->why, ERR_TIMEOUT, "it was said, but does not show");
            again = true;
        }
    }
    return again;
}

static void start_reading(struct fleet_router *r, enum fleet_place place)
{
    switch (place) {
    case FLEET_IN_SERVICE:
        fleet_start_read(r, NULL);
        break;
    case FLEET_IN_STATUS:
        fleet_start_status(r, NULL);
        break;
    case FLEET_IN_EVENTS:
        fleet_start_events(r, "0", 1);
        break;
    }
}

static void say_all(struct fleet *fleet, const struct fleet_plan *plan, uint64_t deadline_ms,
                    struct fleet_result *result)
{
    for (size_t k = 0; k < plan->n; k++) {
        say(fleet, plan, k, deadline_ms, result);
    }
}

static void read_back(struct fleet *fleet, const struct fleet_plan *plan, uint64_t deadline_ms,
                      struct fleet_result *result)
{
    bool again = true;
    while (again) {
        bool asked[FLEET_MAX] = {false};
        for (size_t i = 0; i < fleet->len; i++) {
            for (size_t k = 0; k < plan->n; k++) {
                asked[i] = asked[i] || result[i * plan->n + k].pending;
            }
            if (asked[i]) {
                start_reading(&fleet->router[i], plan->place);
            }
        }
        fleet_settle_until(fleet, fleet_grace(deadline_ms));
        again = false;
        for (size_t i = 0; i < fleet->len; i++) {
            bool more = asked[i] && judge_reading(&fleet->router[i], plan, &result[i * plan->n]);
            again = again || more;
        }
        if (fleet_interrupted(fleet) || clock_mono_ms() >= deadline_ms) {
            return;
        }
        if (again) {
            fleet_pause(fleet, POLL_MS);
            say_all(fleet, plan, deadline_ms, result);
        }
    }
}

void fleet_tell(struct fleet *fleet, const struct fleet_plan *plan, uint64_t deadline_ms,
                struct fleet_result *result)
{
    for (size_t i = 0; i < fleet->len * plan->n && plan->again != NULL; i++) {
        bool was_away =
            result[i].outcome == FLEET_NOT_PROVED && result[i].why.code == ERR_UNREACHABLE;
        result[i].pending = result[i].unsaid = was_away;
    }
    say_all(fleet, plan, deadline_ms, result);
    read_back(fleet, plan, deadline_ms, result);
    for (size_t i = 0; i < fleet->len * plan->n; i++) {
        if (result[i].pending && fleet_interrupted(fleet)) {
            (void) err_set(&result[i].why, ERR_CANCELLED, "interrupted");
        } else if (result[i].outcome == FLEET_UNTOUCHED && !fleet_interrupted(fleet)) {
            result[i].outcome = FLEET_NOT_PROVED;
            (void) err_set(&result[i].why, ERR_TIMEOUT, "it answered too late to be told");
        }
    }
}
