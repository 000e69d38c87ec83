/*
 * Changes of the split on all routers.
 *
 * Lowering, one machine a router, all with one goal revision (the highest one seen + 1):
 *     READING -> PUTTING    [lower_read]  its split is not the wanted one yet
 *     READING -> proved     [lower_read]  it is
 *     PUTTING -> READING    [lower_put]   answered, or in conflict with another writer: look again
 *     any     -> WAITING    [lower_later] no answer; READING again after RETRY_MS
 *     any     -> refused    [lower_read, lower_put]  for good
 * A router that is proved at a lower revision than the goal, which may rise meanwhile, reads again.
 *
 * Raising: all are read and agree; PUT to all with if_revision; read back until all agree; else
 * those that took it, and those that stayed, are brought to the old split under one new revision.
 */
#include "gateway/fleet_int.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

#define RETRY_MS     200
#define MEND_BY_SYNC "bring them together by \"pourover router sync\" first"
#define REVISION_LIMIT                                                        \
    UINT64_C(9007199254740991) /* every JSON reader can tell it from the next \
                                */

static void outcome(struct fleet_router *r, enum fleet_outcome value, const struct err *why)
{
    struct err none = {0};
    r->outcome = value;
    r->why = why != NULL ? *why : none;
}

static bool is_final(enum err_code code)
{
    return code == ERR_DENIED || code == ERR_NOT_FOUND || code == ERR_REMOTE;
}

static bool raises_on(const struct fleet_router *r, const struct router_patch *patch)
{
    struct router_split want = router_patched(&r->service.split, patch, 0);
    return router_split_raises(&r->service.split, &want);
}

static uint64_t highest_revision(const struct fleet *fleet)
{
    uint64_t highest = 0;
    for (size_t i = 0; i < fleet->len; i++) {
        const struct fleet_router *r = &fleet->router[i];
        if (r->has_read && r->service.split.revision > highest) {
            highest = r->service.split.revision;
        }
    }
    return highest;
}

/* --- lowering --- */

static void lower_read(struct fleet_router *r);

static void lower_later(struct fleet_router *r)
{
    outcome(r, FLEET_NOT_PROVED, &r->err);
    r->retry_at_ms = clock_mono_ms() + RETRY_MS;
}

static void lower_put(struct fleet_router *r)
{
    if (is_final(r->err.code)) {
        outcome(r, FLEET_REFUSED, &r->err);
        return;
    }
    if (r->err.code == ERR_IO) {
        r->why = r->err; /* in effect in memory; the reading after this proves that, not the file */
    } else if (r->err.code != 0 && r->err.code != ERR_CONFLICT) {
        lower_later(r);
        return;
    }
    fleet_start_read(r, lower_read);
}

static void lower_read(struct fleet_router *r)
{
    struct fleet *fleet = r->fleet;
    const struct router_split *split = &r->service.split;
    if (is_final(r->err.code)) {
        outcome(r, FLEET_REFUSED, &r->err);
        return;
    }
    if (r->err.code != 0) {
        lower_later(r);
        return;
    }
    struct router_split want = router_patched(split, fleet->patch, split->revision);
    if (router_split_raises(split, &want)) {
        char text[256];
        struct buf b;
        struct err why = {0};
        buf_init_fixed(&b, text, sizeof text);
        fleet_split_text(split, &b);
        (void) err_set(&why, ERR_CONFLICT, "somebody else lowered it meanwhile, to %s", text);
        outcome(r, FLEET_REFUSED, &why);
        return;
    }
    bool has_it = router_split_equal(split, &want);
    if (has_it && split->revision >= fleet->goal) {
        fleet->goal = split->revision;
        outcome(r, FLEET_PROVED, r->why.code == ERR_IO ? &r->why : NULL);
        return;
    }
    if (split->revision >= fleet->goal) {
        fleet->goal = split->revision + 1;
    }
    fleet_start_put(r, fleet->patch, fleet->goal, NULL, lower_put);
}

/* Starts what is due on each router; true when all are at their end. */
static bool lower_step(void *ctx)
{
    struct fleet *fleet = ctx;
    uint64_t now = clock_mono_ms();
    bool done = true;
    for (size_t i = 0; i < fleet->len; i++) {
        struct fleet_router *r = &fleet->router[i];
        bool behind = r->outcome == FLEET_PROVED && r->service.split.revision < fleet->goal;
        bool due = r->outcome == FLEET_NOT_PROVED && now >= r->retry_at_ms;
        if (!r->busy && (behind || due)) {
            fleet_start_read(r, lower_read);
        }
        done = done && !r->busy && r->outcome != FLEET_NOT_PROVED;
    }
    return done || fleet_interrupted(fleet);
}

static void tick(void *ctx)
{
    (void) ctx; /* wakes the loop, so that lower_step looks */
}

static int lower_result(struct fleet *fleet, struct err *err)
{
    const struct fleet_router *worst = NULL;
    for (size_t i = 0; i < fleet->len; i++) {
        const struct fleet_router *r = &fleet->router[i];
        if (r->outcome != FLEET_PROVED || r->why.code != 0) {
            worst = worst == NULL || r->outcome == FLEET_REFUSED ? r : worst;
        }
    }
    if (worst == NULL) {
        return fleet_agree(fleet, err);
    }
    if (fleet_interrupted(fleet)) {
        return err_set(err, ERR_CANCELLED, "interrupted before router %s was proved",
                       worst->at.name);
    }
    *err = worst->why;
    if (worst->outcome == FLEET_PROVED) {
        return err_wrap(err, "router %s: in effect, but not saved", worst->at.name);
    }
    return err_wrap(err, "router %s: %s", worst->at.name,
                    worst->outcome == FLEET_REFUSED ? "refused" : "not proved");
}

static int lower_all(struct fleet *fleet, uint64_t deadline_ms, struct err *err)
{
    for (size_t i = 0; i < fleet->len; i++) {
        struct fleet_router *r = &fleet->router[i];
        struct err waiting = {0};
        (void) err_set(&waiting, ERR_TIMEOUT, "no answer yet");
        outcome(r, FLEET_NOT_PROVED, &waiting);
        r->retry_at_ms = 0;
        if (r->busy) {
            r->then = lower_read;
        }
    }
    struct io_timer *timer = io_timer_start(fleet->loop, RETRY_MS / 4, RETRY_MS / 4, tick, NULL);
    uint64_t now = clock_mono_ms();
    (void) io_loop_wait(fleet->loop, deadline_ms > now ? deadline_ms - now : 0, lower_step, fleet);
    io_timer_stop(timer);
    int code = lower_result(fleet, err);
    fleet_give_up(fleet); /* a router that hangs shall not hold up the result */
    return code;
}

/* --- raising --- */

/* After a round of status: all were reached, none is in the window of two nginx masters. */
static int check_upgrades(const struct fleet *fleet, struct err *err)
{
    for (size_t i = 0; i < fleet->len; i++) {
        const struct fleet_router *r = &fleet->router[i];
        if (r->err.code != 0) {
            return fleet_blame(r, err);
        }
        if (r->status.upgrading) {
            return err_set(err, ERR_CONFLICT,
                           "router %s is in the middle of an upgrade of its nginx binary: end that "
                           "first",
                           r->at.name);
        }
    }
    return 0;
}

/* After all were read. */
static int may_raise(struct fleet *fleet, struct err *err)
{
    int code = fleet_agree(fleet, err);
    if (code == ERR_CONFLICT) {
        return err_wrap(err, "refused to raise; " MEND_BY_SYNC);
    }
    if (code != 0) {
        return err_wrap(err, "refused to raise, as that waits for all routers");
    }
    if (highest_revision(fleet) >= REVISION_LIMIT) {
        return err_set(err, ERR_FULL, "refused to raise: the revisions are used up");
    }
    fleet_read_status(fleet);
    return check_upgrades(fleet, err) == 0 ? 0 : err_wrap(err, "refused to raise");
}

/* Reads back until all have the split or the deadline; a router that said no ends it at once. */
static bool read_back(struct fleet *fleet, const struct router_split *want, uint64_t deadline_ms)
{
    bool refused = false;
    for (size_t i = 0; i < fleet->len; i++) {
        const struct err *err = &fleet->router[i].err;
        refused =
            refused || (err->code != 0 && err->code != ERR_TIMEOUT && err->code != ERR_UNREACHABLE);
        fleet->router[i].why = *err;
    }
    for (;;) {
        bool all = true;
        fleet_read(fleet);
        for (size_t i = 0; i < fleet->len; i++) {
            struct fleet_router *r = &fleet->router[i];
            bool has_it = r->err.code == 0 && router_split_equal(&r->service.split, want);
            all = all && has_it;
            r->outcome = has_it ? FLEET_PROVED : FLEET_NOT_PROVED;
            if (has_it) {
                r->why = (struct err){0};
            } else if (r->why.code == 0) {
                r->why = r->err;
            }
        }
        if (all || refused || clock_mono_ms() >= deadline_ms) {
            return all;
        }
        (void) io_loop_wait(fleet->loop, RETRY_MS / 2, NULL, NULL);
    }
}

static struct router_patch patch_of(const struct router_split *split)
{
    struct router_patch patch = {.has_share = true,
                                 .share_ppm = split->share_ppm,
                                 .has_salt = true,
                                 .has_enabled = true,
                                 .enabled = split->enabled};
    memcpy(patch.salt, split->salt, sizeof patch.salt);
    return patch;
}

/* Those with the new split go back by compare and set; those with the old one follow in revision.
 */
static void set_back(struct fleet *fleet, const struct router_split *was,
                     const struct router_split *want)
{
    struct router_patch patch = patch_of(was);
    uint64_t revision = highest_revision(fleet) + 1;
    for (size_t i = 0; i < fleet->len; i++) {
        struct fleet_router *r = &fleet->router[i];
        const struct router_split *split = &r->service.split;
        bool took = router_split_equal(split, want);
        if (r->err.code == 0 && (took || router_split_equal(split, was))) {
            r->outcome = took ? FLEET_SET_BACK : FLEET_REFUSED;
            fleet_start_put(r, &patch, revision, &split->revision, NULL);
        }
    }
    fleet_settle(fleet);
    fleet_read(fleet);
    for (size_t i = 0; i < fleet->len; i++) {
        struct fleet_router *r = &fleet->router[i];
        bool back = r->err.code == 0 && r->service.split.share_ppm == was->share_ppm &&
                    r->service.split.enabled == was->enabled;
        if (r->outcome == FLEET_SET_BACK && !back) {
            outcome(r, FLEET_NOT_PROVED, &r->err);
        }
    }
}

static int raise_failed(struct fleet *fleet, const struct router_split *was,
                        const struct router_split *want, struct err *err)
{
    const struct fleet_router *first = NULL;
    for (size_t i = 0; i < fleet->len; i++) {
        const struct fleet_router *r = &fleet->router[i];
        first = first == NULL && r->outcome != FLEET_PROVED ? r : first;
    }
    if (first == NULL) {
        BUG("a raise failed on no router");
    }
    int code =
        err_set(err, ERR_TIMEOUT, "router %s did not show the new split in time", first->at.name);
    if (first->why.code == ERR_CONFLICT && first->err.code == 0 &&
        !router_split_equal(&first->service.split, was)) {
        char text[200];
        struct buf b;
        buf_init_fixed(&b, text, sizeof text);
        fleet_split_text(&first->service.split, &b);
        code = err_set(err, ERR_CONFLICT, "somebody else changed router %s meanwhile: it has %s",
                       first->at.name, text);
    } else if (first->why.code != 0) {
        *err = first->why;
        code = err_wrap(err, "router %s did not take it", first->at.name);
    }
    bool took = false;
    for (size_t i = 0; i < fleet->len; i++) {
        took = took || fleet->router[i].outcome == FLEET_PROVED;
    }
    set_back(fleet, was, want);
    (void) err_wrap(err, took ? "not raised, and set back where it was taken" : "not raised");
    return code;
}

static int raise_all(struct fleet *fleet, const struct router_patch *patch, uint64_t deadline_ms,
                     struct err *err)
{
    int code = may_raise(fleet, err);
    if (code != 0) {
        return code;
    }
    struct router_split was = fleet->router[0].service.split;
    struct router_split want = router_patched(&was, patch, was.revision + 1);
    for (size_t i = 0; i < fleet->len; i++) {
        fleet_start_put(&fleet->router[i], patch, want.revision, &was.revision, NULL);
    }
    fleet_settle(fleet);
    if (read_back(fleet, &want, deadline_ms)) {
        return 0;
    }
    return raise_failed(fleet, &was, &want, err);
}

static bool all_answered(void *ctx)
{
    const struct fleet *fleet = ctx;
    for (size_t i = 0; i < fleet->len; i++) {
        if (fleet->router[i].busy) {
            return false;
        }
    }
    return true;
}

static bool raises_somewhere(const struct fleet *fleet, const struct router_patch *patch)
{
    bool none_read = true;
    for (size_t i = 0; i < fleet->len; i++) {
        const struct fleet_router *r = &fleet->router[i];
        if (!r->busy && r->err.code == 0) {
            none_read = false;
            if (raises_on(r, patch)) {
                return true;
            }
        }
    }
    return none_read;
}

int fleet_change(struct fleet *fleet, const struct router_patch *patch, uint64_t deadline_ms,
                 struct err *err)
{
    fleet->patch = patch;
    fleet->goal = 0;
    for (size_t i = 0; i < fleet->len; i++) {
        outcome(&fleet->router[i], FLEET_UNTOUCHED, NULL);
        fleet->router[i].has_read = false;
    }
    if (router_patch_only_lowers(patch)) {
        return lower_all(fleet, deadline_ms, err);
    }
    for (size_t i = 0; i < fleet->len; i++) {
        fleet_start_read(&fleet->router[i], NULL);
    }
    if (!io_loop_wait(fleet->loop, FLEET_PATIENCE_MS, all_answered, fleet) &&
        raises_somewhere(fleet, patch)) {
        fleet_settle(fleet);
    }
    if (raises_somewhere(fleet, patch)) {
        return raise_all(fleet, patch, deadline_ms, err);
    }
    return lower_all(fleet, deadline_ms, err);
}

/* --- sync --- */

static bool fewer_on_canary(const struct router_split *a, const struct router_split *b)
{
    if (a->enabled != b->enabled) {
        return !a->enabled;
    }
    return a->share_ppm < b->share_ppm;
}

/* The split that all are brought to; see fleet_sync. */
static struct router_split sync_target(const struct fleet *fleet)
{
    struct router_split best = {0};
    bool found = false, tie = false;
    for (size_t i = 0; i < fleet->len; i++) {
        const struct router_split *split = &fleet->router[i].service.split;
        if (fleet->router[i].err.code != 0) {
            continue;
        }
        if (!found || split->revision > best.revision) {
            best = *split;
            tie = false;
        } else if (split->revision == best.revision && !router_split_equal(split, &best)) {
            tie = true;
            best = fewer_on_canary(split, &best) ? *split : best;
        }
        found = true;
    }
    best.revision += tie ? 1 : 0;
    return best;
}

int fleet_sync(struct fleet *fleet, uint64_t deadline_ms, struct err *err)
{
    fleet_read_status(fleet);
    struct err upgrade = {0};
    (void) check_upgrades(fleet, &upgrade);
    fleet_read(fleet);
    if (fleet_agree(fleet, err) == 0) {
        for (size_t i = 0; i < fleet->len; i++) {
            outcome(&fleet->router[i], FLEET_PROVED, NULL);
        }
        return 0;
    }
    struct router_split want = sync_target(fleet);
    struct router_patch patch = patch_of(&want);
    struct err silent = upgrade; /* why raising has to wait */
    for (size_t i = 0; i < fleet->len; i++) {
        struct fleet_router *r = &fleet->router[i];
        outcome(r, FLEET_UNTOUCHED, NULL);
        if (r->err.code != 0) {
            (void) fleet_blame(r, &silent);
        }
    }
    for (size_t i = 0; i < fleet->len; i++) {
        struct fleet_router *r = &fleet->router[i];
        const struct router_split *split = &r->service.split;
        bool waits = silent.code != 0 && router_split_raises(split, &want);
        if (r->err.code == 0 && !waits && !router_split_equal(split, &want)) {
            fleet_start_put(r, &patch, want.revision, &split->revision, NULL);
        }
    }
    fleet_settle(fleet);
    if (read_back(fleet, &want, silent.code != 0 ? 0 : deadline_ms)) {
        return 0;
    }
    if (silent.code != 0) {
        *err = silent;
        return err_wrap(err, "only lowered what had to be; the rest waits for all routers");
    }
    return fleet_agree(fleet, err);
}
