/* The way forward: preparation, the rollout of a rolling release, the end. */
#include "release/plan_int.h"

#include <string.h>

static void add_hooks(struct builder *b, enum release_step_kind kind, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        builder_group(b);
        (void) builder_add(b, kind, -1);
    }
}

static int first_host(const struct release_spec *spec)
{
    int first = 0;
    for (int h = 1; h < spec->hosts; h++) {
        first = spec->host[h].dc < spec->host[first].dc ? h : first;
    }
    return first;
}

static void add_migration(struct builder *b, bool after)
{
    if (b->spec->has_migration && b->spec->migrate_after == after) {
        builder_group(b);
        struct release_step_plan *s = builder_add(b, STEP_MIGRATE, first_host(b->spec));
        s->version = RELEASE_NEW;
        s->slot = b->spec->swap == RELEASE_BESIDE ? plan_other_slot(s->slot) : s->slot;
    }
}

/* A migration runs in the new version, so that has to be on its host before any host leaves. */
static void add_pull_for_migration(struct builder *b)
{
    static const enum release_step_kind kinds[] = {STEP_ROOM, STEP_PULL};
    if (!b->spec->has_migration || b->spec->migrate_after) {
        return;
    }
    builder_group(b);
    for (size_t i = 0; i < 2; i++) {
        builder_add(b, kinds[i], first_host(b->spec))->version = RELEASE_NEW;
    }
}

static void prepare(struct builder *b)
{
    b->part = PART_PREPARE;
    (void) builder_add(b, STEP_LOCK, -1);
    builder_group(b);
    for (int h = 0; h < b->spec->hosts; h++) {
        builder_lane(b);
        builder_add(b, STEP_PREFLIGHT, h)->version = RELEASE_NEW;
    }
    add_hooks(b, STEP_HOOK_BEFORE, b->spec->hooks_before);
    add_pull_for_migration(b);
    add_migration(b, false);
}

static void finish(struct builder *b)
{
    b->part = PART_FINISH;
    add_migration(b, true);
    add_hooks(b, STEP_HOOK_AFTER, b->spec->hooks_after);
}

static unsigned serving_in_dc(const struct builder *b, unsigned dc, enum release_track track)
{
    unsigned n = 0;
    for (int h = 0; h < b->spec->hosts; h++) {
        n += b->spec->host[h].dc == dc && b->place[h] != PLACE_AWAY &&
             b->basis->host[h].track == track;
    }
    return n;
}

static int refuse_batch(const struct builder *b, const int *host, unsigned n,
                        enum release_track track, struct err *err)
{
    static const char *const track_name[] = {"stable", "canary"};
    const struct release_spec *spec = b->spec;
    uint64_t need[RELEASE_TRACKS], out = 0;
    unsigned leaving = 0, dc = 0;
    for (unsigned i = 0; i < n; i++) {
        bool serves = b->place[host[i]] != PLACE_AWAY && b->basis->host[host[i]].track == track;
        out += serves ? spec->host[host[i]].weight : 0;
        leaving += serves;
        dc = spec->host[host[i]].dc;
    }
    unsigned left = serving_in_dc(b, dc, track);
    builder_needs(b, need);
    if (leaving == 0) {
        return 0;
    }
    if (b->weight[track] - out < need[track]) {
        return err_set(
            err, ERR_INVALID,
            "%u host%s out at once would leave %llu of %llu of the capacity of %s in the "
            "routers, and keep_up wants %llu%s",
            leaving, leaving == 1 ? "" : "s", (unsigned long long) (b->weight[track] - out),
            (unsigned long long) b->rest[track], track_name[track],
            (unsigned long long) need[track],
            b->weight[track] == out
                ? ": the last copy cannot be replaced in place; use swap: beside, "
                  "--with-downtime, or another host"
                : ": use a smaller batch, swap: beside, or a smaller keep_up.total");
    }
    if (!spec->with_downtime && left - leaving < spec->keep_up_per_dc) {
        return err_set(
            err, ERR_INVALID,
            "%u host%s out at once would leave %u of %u %s hosts of a data center in the "
            "routers, and keep_up.per_datacenter wants %u: use a smaller batch, swap: "
            "beside, or keep_up.per_datacenter: 0 where the routers also reach another "
            "data center",
            leaving, leaving == 1 ? "" : "s", left - leaving, left, track_name[track],
            spec->keep_up_per_dc);
    }
    return 0;
}

static enum place_kind place_of_rest(const struct builder *b, int host)
{
    return b->basis->host[host].track == RELEASE_CANARY ? PLACE_NEW_CANARY : PLACE_NEW_STABLE;
}

static int roll_batch(struct builder *b, const int *host, unsigned n, struct err *err)
{
    if (refuse_batch(b, host, n, RELEASE_STABLE, err) < 0 ||
        refuse_batch(b, host, n, RELEASE_CANARY, err) < 0) {
        return ERR_INVALID;
    }
    builder_group(b);
    for (unsigned i = 0; i < n; i++) {
        builder_lane(b);
        bool out = !b->basis->host[host[i]].serves;
        builder_in_place(b, host[i], RELEASE_NEW, b->basis->host[host[i]].track, out);
    }
    for (unsigned i = 0; i < n; i++) {
        builder_place(b, host[i], place_of_rest(b, host[i]));
    }
    return 0;
}

static int roll_in_place(struct builder *b, struct err *err)
{
    for (unsigned dc = 0; dc < b->spec->dcs; dc++) {
        int host[RELEASE_HOSTS_MAX];
        unsigned n = 0;
        for (int h = 0; h < b->spec->hosts; h++) {
            if (b->spec->host[h].dc == dc) {
                host[n++] = h;
            }
            if (n == b->spec->batch) {
                if (roll_batch(b, host, n, err) < 0) {
                    return ERR_INVALID;
                }
                n = 0;
            }
        }
        if (n > 0 && roll_batch(b, host, n, err) < 0) {
            return ERR_INVALID;
        }
    }
    return 0;
}

static void switch_lane(struct builder *b, int host)
{
    enum release_slot old = b->basis->host[host].slot;
    bool serves = b->basis->host[host].serves;
    builder_lane(b);
    builder_beside(b, host, serves ? plan_other_slot(old) : old, RELEASE_NEW,
                   b->basis->host[host].track);
    if (serves) {
        builder_add(b, STEP_SWITCH, host)->version = RELEASE_OLD;
    }
    if (b->spec->soak_ms > 0) {
        struct release_step_plan *s = builder_add(b, STEP_SOAK, host);
        s->wait_ms = b->spec->soak_ms;
        s->version = RELEASE_NEW;
        s->slot = serves ? plan_other_slot(old) : old;
    }
}

/* Old copies stay warm until all hosts have switched, then one wait is enough for all. */
static void stop_old_copies(struct builder *b)
{
    if (b->spec->keep_old_ms > 0) {
        builder_group(b);
        builder_add(b, STEP_KEEP_OLD, -1)->wait_ms = b->spec->keep_old_ms;
    }
    for (unsigned dc = 0; dc < b->spec->dcs; dc++) {
        builder_group(b);
        for (int h = 0; h < b->spec->hosts; h++) {
            if (b->spec->host[h].dc == dc && b->basis->host[h].serves) {
                builder_lane(b);
                builder_add(b, STEP_STOP_OLD, h)->version = RELEASE_OLD;
            }
        }
    }
}

static void roll_beside(struct builder *b)
{
    for (unsigned dc = 0; dc < b->spec->dcs; dc++) {
        unsigned n = 0;
        for (int h = 0; h < b->spec->hosts; h++) {
            if (b->spec->host[h].dc != dc) {
                continue;
            }
            if (n++ % b->spec->batch == 0) {
                builder_group(b);
            }
            switch_lane(b, h);
        }
    }
    stop_old_copies(b);
}

int release_plan_forward(const struct release_spec *spec, const struct release_basis *basis,
                         struct release_plan *ret, struct err *err)
{
    struct builder b;
    int rc = 0;
    builder_init(&b, spec, basis, RELEASE_FORWARD, ret);
    prepare(&b);
    builder_group(&b);
    b.part = PART_STABLE;
    if (spec->strategy == RELEASE_BY_CANARY) {
        rc = plan_pool(&b, err);
        rc = rc < 0 ? rc : plan_walk(&b, err);
        rc = rc < 0 ? rc : plan_stable(&b, err);
        if (rc == 0) {
            plan_down(&b);
        }
    } else if (spec->swap == RELEASE_BESIDE) {
        roll_beside(&b);
    } else {
        rc = roll_in_place(&b, err);
    }
    if (rc < 0) {
        release_plan_done(ret);
        return rc;
    }
    finish(&b);
    builder_end(&b);
    return 0;
}
