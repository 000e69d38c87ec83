/*
 * The way back: from what was touched to the old version everywhere.
 *
 * Visitors first: the share is lowered at once as far as old copies on stable can bear it; all the
 * way, as long as stable was not touched.  Hosts that serve nobody are mended next.  From 100 % on
 * the copy that serves stays: the touched stable hosts go back first, then the share is lowered,
 * then the canary's hosts follow.  Beside, the old copies are warm: a switch is all it takes.
 */
#include "release/plan_int.h"

#include <string.h>

#define PPM         1000000u
#define TOUCH_FLAGS ((unsigned) TOUCH_ON_CANARY | (unsigned) TOUCH_MOVING)

struct back {
    struct builder b;
    bool todo[RELEASE_HOSTS_MAX];
    bool begun[RELEASE_HOSTS_MAX];  /* beside: a new copy was begun and serves nobody */
    bool moving[RELEASE_HOSTS_MAX]; /* not on the same track everywhere */
    bool settled;                   /* the share is known */
    bool cold;                      /* some stable host was taken back on this way */
};

static bool is_beside(const struct back *back)
{
    return back->b.spec->swap == RELEASE_BESIDE;
}

static enum release_slot new_slot(const struct back *back, int host)
{
    enum release_slot old = back->b.basis->host[host].slot;
    return is_beside(back) && back->b.basis->host[host].serves ? plan_other_slot(old) : old;
}

static enum place_kind place_by_touch(const struct back *back, int host, unsigned touch)
{
    bool canary = (touch & TOUCH_ON_CANARY) != 0, serves = back->b.basis->host[host].serves;
    switch (touch & ~TOUCH_FLAGS) {
    case TOUCH_LEFT:
        return PLACE_AWAY;
    case TOUCH_STOPPED:
        return is_beside(back) && serves ? PLACE_OLD : PLACE_AWAY;
    case TOUCH_JOINED:
        if (canary && is_beside(back) && serves) {
            return PLACE_BOTH;
        }
        return canary ? PLACE_NEW_CANARY : PLACE_NEW_STABLE;
    case TOUCH_ALL:
        return canary ? PLACE_NEW_CANARY : PLACE_NEW_STABLE;
    default:
        return serves ? PLACE_OLD : PLACE_AWAY;
    }
}

static void back_init(struct back *back, const struct release_spec *spec,
                      const struct release_basis *basis, const struct release_note *note,
                      struct release_plan *plan)
{
    memset(back, 0, sizeof *back);
    builder_init(&back->b, spec, basis, RELEASE_BACK, plan);
    back->b.share_ppm = note->share_ppm;
    for (int h = 0; h < spec->hosts; h++) {
        unsigned touch = note->touch[h];
        back->todo[h] = touch != TOUCH_NONE;
        back->moving[h] = (touch & TOUCH_MOVING) != 0;
        back->begun[h] = is_beside(back) && touch == TOUCH_STOPPED;
        builder_place(&back->b, h, place_by_touch(back, h, touch));
    }
}

static uint64_t old_on_stable(const struct back *back)
{
    uint64_t weight = 0;
    for (int h = 0; h < back->b.spec->hosts; h++) {
        bool old = back->b.place[h] == PLACE_OLD || back->b.place[h] == PLACE_BOTH;
        weight += old && back->b.basis->host[h].track == RELEASE_STABLE
                      ? back->b.spec->host[h].weight
                      : 0;
    }
    return weight;
}

/* A stable pool that was just taken back gets its visitors in two moves. */
static bool lower(struct back *back, uint64_t weight)
{
    struct builder *b = &back->b;
    uint32_t share_ppm = builder_lowest_share(b, weight);
    if (b->spec->strategy != RELEASE_BY_CANARY || share_ppm >= b->share_ppm) {
        return false;
    }
    b->part = PART_WALK;
    if (back->cold && share_ppm < PPM / 2 && b->share_ppm > PPM / 2) {
        builder_share(b, PPM / 2);
    }
    builder_share(b, share_ppm);
    return true;
}

static void stop_copy(struct builder *b, int host, enum release_slot slot)
{
    struct release_step_plan *s = builder_add(b, STEP_STOP_OLD, host);
    s->version = RELEASE_NEW;
    s->slot = slot;
}

static void leave_and_stop(struct back *back, int host, bool out)
{
    static const enum release_step_kind kinds[] = {STEP_LEAVE, STEP_STOP};
    for (size_t i = 0; i < 2; i++) {
        struct release_step_plan *s = builder_add(&back->b, kinds[i], host);
        s->out = out;
        s->version = RELEASE_NONE;
    }
}

/* Beside: the old copy takes the visitors again, be it warm or started anew. */
static void restore_beside(struct back *back, int host, bool warm)
{
    struct builder *b = &back->b;
    enum release_slot old = b->basis->host[host].slot;
    bool was_canary = b->place[host] == PLACE_NEW_CANARY;
    if (warm) {
        builder_add(b, STEP_JOIN, host)->version = RELEASE_OLD;
    } else {
        builder_beside(b, host, old, RELEASE_OLD, b->basis->host[host].track);
    }
    if (was_canary && b->spec->strategy == RELEASE_BY_CANARY) {
        builder_place(b, host, PLACE_BOTH); /* the new copy serves until the share is 0 */
        back->todo[host] = true;
        back->cold = true;
        return;
    }
    struct release_step_plan *s = builder_add(b, STEP_SWITCH, host);
    s->version = RELEASE_NEW;
    s->slot = plan_other_slot(old);
    stop_copy(b, host, plan_other_slot(old));
    builder_place(b, host, PLACE_OLD);
}

static void restore(struct back *back, int host, const struct release_note *note)
{
    struct builder *b = &back->b;
    unsigned touch = note->touch[host] & ~TOUCH_FLAGS;
    bool serves = b->basis->host[host].serves, away = b->place[host] == PLACE_AWAY;
    builder_lane(b);
    back->todo[host] = false;
    if (!serves && is_beside(back)) {
        stop_copy(b, host, new_slot(back, host));
        builder_place(b, host, PLACE_AWAY);
    } else if (!serves) {
        leave_and_stop(back, host, away || b->share_ppm == 0);
        builder_place(b, host, PLACE_AWAY);
    } else if (is_beside(back)) {
        restore_beside(back, host, touch != TOUCH_ALL);
    } else if (touch == TOUCH_LEFT) {
        builder_add(b, STEP_PUT_BACK, host)->version = RELEASE_OLD;
        builder_place(b, host, PLACE_OLD);
    } else {
        bool canary = b->place[host] == PLACE_NEW_CANARY;
        builder_in_place(b, host, RELEASE_OLD, b->basis->host[host].track, away);
        back->cold = back->cold || !canary;
        builder_place(b, host, PLACE_OLD);
    }
}

/* Copies that serve nobody: all at once. */
static bool restore_idle(struct back *back, const struct release_note *note)
{
    struct builder *b = &back->b;
    bool any = false;
    for (int h = b->spec->hosts - 1; h >= 0; h--) {
        bool both = b->place[h] == PLACE_BOTH;
        if (!back->todo[h] || !(back->begun[h] || b->place[h] == PLACE_AWAY || both)) {
            continue;
        }
        if (both && b->share_ppm > 0) {
            continue;
        }
        if (!any) {
            builder_group(b);
            any = true;
        }
        if (back->begun[h] || both) {
            builder_lane(b);
            stop_copy(b, h, new_slot(back, h));
            builder_place(b, h, b->basis->host[h].serves ? PLACE_OLD : PLACE_AWAY);
            back->todo[h] = false;
        } else {
            restore(back, h, note);
        }
    }
    return any;
}

/* Beside without a walk, the old copies still warm: all switch back at once. */
static bool restore_warm(struct back *back, const struct release_note *note)
{
    struct builder *b = &back->b;
    bool any = false;
    for (int h = b->spec->hosts - 1; h >= 0 && is_beside(back); h--) {
        unsigned touch = note->touch[h] & ~TOUCH_FLAGS;
        bool walks = b->spec->strategy == RELEASE_BY_CANARY && b->place[h] != PLACE_NEW_STABLE;
        if (!back->todo[h] || touch != TOUCH_JOINED || walks || !b->basis->host[h].serves) {
            continue;
        }
        if (!any) {
            builder_group(b);
            any = true;
        }
        restore(back, h, note);
    }
    return any;
}

/* weight: of what stays so far; n: hosts of the data center that go already. */
static bool may_go(const struct back *back, int host, const uint64_t weight[RELEASE_TRACKS],
                   unsigned n)
{
    const struct builder *b = &back->b;
    uint64_t need[RELEASE_TRACKS];
    enum release_track track = b->place[host] == PLACE_NEW_CANARY ? RELEASE_CANARY : RELEASE_STABLE;
    builder_needs(b, need);
    if (is_beside(back)) {
        return true;
    }
    return weight[track] >= b->spec->host[host].weight + need[track] &&
           builder_kept_in_dc(b, b->spec->host[host].dc, track) > n + builder_need_of_dc(b, track);
}

/* keep_up cannot be held: what the others have is all that can be asked for. */
static void ask_for_what_is_left(struct builder *b, size_t from,
                                 const uint64_t weight[RELEASE_TRACKS])
{
    for (size_t i = from; i < b->plan->len; i++) {
        struct release_step_plan *s = &b->plan->step[i];
        s->need_dc = 0;
        for (int t = 0; t < RELEASE_TRACKS; t++) {
            s->need[t] = s->need[t] < weight[t] ? s->need[t] : weight[t];
        }
    }
}

/* A host that did not serve before goes last: it bears its part while the others change. */
static bool is_of_use(const struct back *back, int host)
{
    const struct builder *b = &back->b;
    bool waits = b->share_ppm > 0;
    for (int h = 0; h < b->spec->hosts; h++) {
        waits = waits || (back->todo[h] && b->basis->host[h].serves);
    }
    return b->spec->strategy == RELEASE_BY_CANARY && !b->basis->host[host].serves && waits;
}

/*
 * Hosts with the new version on a track, the data center released last first, at most `batch` of
 * one data center at once.  forced: one, whatever the model says; the routers are asked anyway.
 */
static bool restore_some(struct back *back, enum place_kind place, bool forced,
                         const struct release_note *note)
{
    struct builder *b = &back->b;
    for (unsigned dc = b->spec->dcs; dc-- > 0;) {
        uint64_t weight[RELEASE_TRACKS] = {b->weight[RELEASE_STABLE], b->weight[RELEASE_CANARY]};
        int host[RELEASE_HOSTS_MAX];
        unsigned n = 0, max = forced ? 1 : b->spec->batch;
        for (int h = b->spec->hosts - 1; h >= 0 && n < max; h--) {
            bool fits = back->todo[h] && b->place[h] == place && b->spec->host[h].dc == dc &&
                        !is_of_use(back, h);
            if (fits && (forced || may_go(back, h, weight, n))) {
                host[n++] = h;
                weight[place == PLACE_NEW_CANARY] -= b->spec->host[h].weight;
            }
        }
        if (n > 0) {
            size_t from = b->plan->len;
            builder_group(b);
            for (unsigned i = 0; i < n; i++) {
                restore(back, host[i], note);
            }
            if (forced) {
                ask_for_what_is_left(b, from, weight);
            }
            return true;
        }
    }
    return false;
}

/* What the share is has to be sure before anybody leaves: it is brought to the least it may be. */
static bool settle_share(struct back *back)
{
    struct builder *b = &back->b;
    bool settles = false;
    for (int h = 0; h < b->spec->hosts; h++) {
        settles = settles || back->todo[h];
    }
    settles =
        settles && b->spec->strategy == RELEASE_BY_CANARY && !back->settled && b->plan->len == 0;
    back->settled = true;
    if (settles) {
        b->part = PART_WALK;
        builder_share(b, b->share_ppm);
        b->part = PART_STABLE;
    }
    return settles;
}

/* All routers have to agree again on who is the canary before anybody leaves it. */
static bool settle_tracks(struct back *back)
{
    struct builder *b = &back->b;
    bool any = false;
    for (int h = 0; h < b->spec->hosts; h++) {
        if (back->moving[h] && b->place[h] == PLACE_NEW_CANARY) {
            if (!any) {
                builder_group(b);
            }
            builder_lane(b);
            struct release_step_plan *s = builder_add(b, STEP_TRACK, h);
            s->version = RELEASE_NEW;
            s->track = RELEASE_CANARY;
            s->slot = new_slot(back, h);
            any = true;
        }
        back->moving[h] = false;
    }
    return any;
}

static bool next_move(struct back *back, const struct release_note *note)
{
    if (lower(back, old_on_stable(back))) {
        return true;
    }
    back->b.part = PART_STABLE;
    return settle_share(back) || settle_tracks(back) || restore_warm(back, note) ||
           restore_idle(back, note) || restore_some(back, PLACE_NEW_STABLE, false, note) ||
           restore_some(back, PLACE_NEW_CANARY, false, note) ||
           lower(back, back->b.weight[RELEASE_STABLE]) ||
           restore_some(back, PLACE_NEW_STABLE, true, note) ||
           restore_some(back, PLACE_NEW_CANARY, true, note);
}

void release_plan_back(const struct release_spec *spec, const struct release_basis *basis,
                       const struct release_note *back_note, struct release_plan *ret)
{
    struct back back;
    back_init(&back, spec, basis, back_note, ret);
    while (next_move(&back, back_note)) {
    }
    builder_end(&back.b);
}
