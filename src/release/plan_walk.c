/* The canary: its pool, the walk, the stable hosts after it, and the way down. */
#include "release/plan_int.h"

#define PPM 1000000u

/* Of a pool of copies beside stable ones: the first hosts of each data center. */
bool plan_in_pool(const struct release_spec *spec, int host)
{
    if (spec->beside_per_dc == 0) {
        return spec->host[host].pool;
    }
    unsigned before = 0;
    for (int h = 0; h < host; h++) {
        before += spec->host[h].dc == spec->host[host].dc;
    }
    return before < spec->beside_per_dc;
}

static const char *capacity_hint(const struct builder *b, enum release_track track)
{
    if (track == RELEASE_STABLE) {
        return "put fewer of the stable hosts into the pool, or lower keep_up.total";
    }
    return b->spec->grow ? "keep_up lets no more stable hosts go over to it: lower keep_up, or use "
                           "swap: beside"
                         : "make the pool larger, or let it grow (canary.pool.grow: true)";
}

static int refuse_capacity(const struct builder *b, enum release_track track, uint64_t need,
                           const char *when, uint32_t share_ppm, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "%s %g %%, %s has %llu of %llu of the capacity at rest and needs %llu: %s", when,
                   share_ppm / 1e4, track == RELEASE_CANARY ? "the canary pool" : "stable",
                   (unsigned long long) b->weight[track],
                   (unsigned long long) b->rest[RELEASE_STABLE], (unsigned long long) need,
                   capacity_hint(b, track));
}

/* Whether n hosts of a data center may leave stable now as far as it is concerned. */
static bool dc_spares(const struct builder *b, unsigned dc, unsigned n)
{
    return n == 0 ||
           builder_kept_in_dc(b, dc, RELEASE_STABLE) >= n + builder_need_of_dc(b, RELEASE_STABLE);
}

/* Whether a host may go from stable to the canary at the present share; in place, where it is out
 * meanwhile, the way back has to be open, too: its data center keeps hosts, on whichever track. */
static bool may_grow(const struct builder *b, int host)
{
    uint64_t need[RELEASE_TRACKS];
    unsigned dc = b->spec->host[host].dc;
    unsigned in_dc = builder_in_dc(b, dc, RELEASE_STABLE) + builder_in_dc(b, dc, RELEASE_CANARY);
    builder_needs(b, need);
    if (b->spec->swap == RELEASE_BESIDE) {
        return true;
    }
    return b->weight[RELEASE_STABLE] >= b->spec->host[host].weight + need[RELEASE_STABLE] &&
           dc_spares(b, dc, 1) && (b->spec->with_downtime || in_dc > b->spec->keep_up_per_dc);
}

static void add_soak(struct builder *b, int host, enum release_slot slot)
{
    if (b->spec->soak_ms > 0) {
        struct release_step_plan *s = builder_add(b, STEP_SOAK, host);
        s->wait_ms = b->spec->soak_ms;
        s->version = RELEASE_NEW;
        s->slot = slot;
    }
}

/* Brings the new version to a host and the host's new copy to the canary. */
static void to_canary(struct builder *b, int host)
{
    bool serves = b->basis->host[host].serves;
    enum release_slot slot = b->basis->host[host].slot;
    builder_lane(b);
    if (b->spec->swap == RELEASE_BESIDE) {
        slot = serves ? plan_other_slot(slot) : slot;
        builder_beside(b, host, slot, RELEASE_NEW, RELEASE_CANARY);
        add_soak(b, host, slot);
    } else {
        builder_in_place(b, host, RELEASE_NEW, RELEASE_CANARY, !serves);
    }
}

static void at_canary(struct builder *b, int host)
{
    bool both = b->spec->swap == RELEASE_BESIDE && b->basis->host[host].serves;
    builder_place(b, host, both ? PLACE_BOTH : PLACE_NEW_CANARY);
}

/* Hosts of a data center that stay on stable when these have left it for good: at share 0 they are
 * all that visitors there have. */
static int refuse_dc(const struct builder *b, const int *host, unsigned n, struct err *err)
{
    unsigned dc = b->spec->host[host[0]].dc, left = 0, leaving = 0;
    for (int h = 0; h < b->spec->hosts; h++) {
        left += b->spec->host[h].dc == dc && b->place[h] == PLACE_OLD;
    }
    for (unsigned i = 0; i < n; i++) {
        leaving += b->place[host[i]] == PLACE_OLD;
    }
    if (leaving == 0 || b->spec->with_downtime || left - leaving >= b->spec->keep_up_per_dc) {
        return 0;
    }
    return err_set(err, ERR_INVALID,
                   "the canary pool would take %u of %u stable hosts of a data center, and "
                   "keep_up.per_datacenter wants %u to stay: take fewer of them into the pool, or "
                   "keep_up.per_datacenter: 0 where the routers also reach another data center",
                   leaving, left, b->spec->keep_up_per_dc);
}

static int pool_batch(struct builder *b, const int *host, unsigned n, struct err *err)
{
    uint64_t need[RELEASE_TRACKS], out = 0;
    unsigned leaving = 0;
    builder_needs(b, need);
    for (unsigned i = 0; i < n && b->spec->swap == RELEASE_IN_PLACE; i++) {
        out += b->basis->host[host[i]].serves ? b->spec->host[host[i]].weight : 0;
        leaving += b->basis->host[host[i]].serves;
    }
    if (!dc_spares(b, b->spec->host[host[0]].dc, leaving)) {
        return err_set(err, ERR_INVALID,
                       "the canary pool would leave a data center fewer stable hosts than the %u "
                       "that keep_up.per_datacenter wants: choose other hosts for the pool, use "
                       "swap: beside, or keep_up.per_datacenter: 0 where the routers also reach "
                       "another data center",
                       b->spec->keep_up_per_dc);
    }
    if (out > 0 && b->weight[RELEASE_STABLE] - out < need[RELEASE_STABLE]) {
        b->weight[RELEASE_STABLE] -= out;
        return refuse_capacity(b, RELEASE_STABLE, need[RELEASE_STABLE],
                               "when the canary pool has left it, at", 0, err);
    }
    if (b->spec->swap == RELEASE_IN_PLACE && refuse_dc(b, host, n, err) < 0) {
        return ERR_INVALID;
    }
    builder_group(b);
    for (unsigned i = 0; i < n; i++) {
        to_canary(b, host[i]);
    }
    for (unsigned i = 0; i < n; i++) {
        at_canary(b, host[i]);
    }
    return 0;
}

/* Hosts of a data center that `wanted` picks, batch by batch. */
static int each_batch(struct builder *b, bool (*wanted)(const struct builder *b, int host),
                      int (*batch)(struct builder *b, const int *host, unsigned n, struct err *err),
                      struct err *err)
{
    for (unsigned dc = 0; dc < b->spec->dcs; dc++) {
        int host[RELEASE_HOSTS_MAX];
        unsigned n = 0;
        for (int h = 0; h < b->spec->hosts; h++) {
            if (b->spec->host[h].dc == dc && wanted(b, h)) {
                host[n++] = h;
            }
        }
        for (unsigned i = 0; i < n; i += b->spec->batch) {
            unsigned len = n - i < b->spec->batch ? n - i : b->spec->batch;
            int rc = batch(b, host + i, len, err);
            if (rc < 0) {
                return rc;
            }
        }
    }
    return 0;
}

static bool is_of_pool(const struct builder *b, int host)
{
    return plan_in_pool(b->spec, host);
}

int plan_pool(struct builder *b, struct err *err)
{
    b->part = PART_POOL;
    int rc = each_batch(b, is_of_pool, pool_batch, err);
    if (rc == 0 && b->weight[RELEASE_CANARY] == 0) {
        return err_set(err, ERR_INVALID, "the canary pool has no host");
    }
    return rc;
}

/* One more host for the canary; false: none may go now. */
static bool grow(struct builder *b)
{
    for (unsigned dc = 0; dc < b->spec->dcs; dc++) {
        for (int h = 0; h < b->spec->hosts; h++) {
            if (b->spec->host[h].dc == dc && b->place[h] == PLACE_OLD && may_grow(b, h)) {
                builder_group(b);
                to_canary(b, h);
                at_canary(b, h);
                return true;
            }
        }
    }
    return false;
}

static int plan_stage(struct builder *b, const struct release_stage *stage, struct err *err)
{
    uint32_t share_ppm = stage->share_ppm;
    uint64_t need[RELEASE_TRACKS], judged = builder_canary_need(b, share_ppm);
    builder_needs_at(b, share_ppm, need);
    while (b->spec->grow && b->weight[RELEASE_CANARY] < judged && grow(b)) {
    }
    uint64_t to_set = b->spec->grow ? need[RELEASE_CANARY] : judged;
    if (b->weight[RELEASE_CANARY] < to_set) {
        return refuse_capacity(b, RELEASE_CANARY, to_set, "at stage", share_ppm, err);
    }
    if (b->weight[RELEASE_STABLE] < need[RELEASE_STABLE]) {
        return refuse_capacity(b, RELEASE_STABLE, need[RELEASE_STABLE], "at stage", share_ppm, err);
    }
    builder_share(b, share_ppm);
    b->plan->step[b->plan->len - 1].need[RELEASE_CANARY] = to_set;
    while (b->weight[RELEASE_CANARY] < judged) {
        if (!b->spec->grow || !grow(b)) {
            return refuse_capacity(b, RELEASE_CANARY, judged, "at stage", share_ppm, err);
        }
    }
    builder_group(b);
    struct release_step_plan *s = builder_add(b, STEP_DWELL, -1);
    s->share_ppm = share_ppm;
    s->wait_ms = stage->dwell_ms;
    s->need[RELEASE_CANARY] = judged;
    s->need[RELEASE_STABLE] = need[RELEASE_STABLE];
    return 0;
}

int plan_walk(struct builder *b, struct err *err)
{
    b->part = PART_WALK;
    for (unsigned i = 0; i < b->spec->stages; i++) {
        const struct release_stage *stage = &b->spec->stage[i];
        if (!stage->staff && plan_stage(b, stage, err) < 0) {
            return ERR_INVALID;
        }
    }
    if (b->spec->hold_at_end) {
        builder_group(b);
        struct release_step_plan *s = builder_add(b, STEP_DWELL, -1);
        s->share_ppm = b->share_ppm;
        s->hold = true;
    }
    return 0;
}

static bool is_left(const struct builder *b, int host)
{
    return b->place[host] == PLACE_OLD || b->place[host] == PLACE_AWAY;
}

/* The other hosts; no visitor is on stable now. */
static int stable_batch(struct builder *b, const int *host, unsigned n, struct err *err)
{
    (void) err;
    builder_group(b);
    for (unsigned i = 0; i < n; i++) {
        enum release_slot old = b->basis->host[host[i]].slot;
        bool serves = b->basis->host[host[i]].serves;
        builder_lane(b);
        if (b->spec->swap == RELEASE_IN_PLACE) {
            builder_in_place(b, host[i], RELEASE_NEW, RELEASE_STABLE, !serves);
            continue;
        }
        enum release_slot slot = serves ? plan_other_slot(old) : old;
        builder_beside(b, host[i], slot, RELEASE_NEW, RELEASE_STABLE);
        if (serves) {
            builder_add(b, STEP_SWITCH, host[i])->version = RELEASE_OLD;
        }
        add_soak(b, host[i], slot);
    }
    for (unsigned i = 0; i < n; i++) {
        builder_place(b, host[i], PLACE_NEW_STABLE);
    }
    return 0;
}

/* Beside: the old copies go, so that stable has none when visitors come back to it. */
static int stop_old_batch(struct builder *b, const int *host, unsigned n, struct err *err)
{
    (void) err;
    builder_group(b);
    for (unsigned i = 0; i < n; i++) {
        builder_lane(b);
        builder_add(b, STEP_STOP_OLD, host[i])->version = RELEASE_OLD;
        if (b->place[host[i]] == PLACE_BOTH) {
            builder_place(b, host[i], PLACE_NEW_CANARY);
        }
    }
    return 0;
}

static bool has_old_beside(const struct builder *b, int host)
{
    return b->basis->host[host].serves;
}

int plan_stable(struct builder *b, struct err *err)
{
    b->part = PART_STABLE;
    int rc = each_batch(b, is_left, stable_batch, err);
    if (rc < 0 || b->spec->swap == RELEASE_IN_PLACE) {
        return rc;
    }
    return each_batch(b, has_old_beside, stop_old_batch, err);
}

static bool goes_to_stable(const struct builder *b, int host)
{
    const struct release_spec *spec = b->spec;
    return spec->swap == RELEASE_BESIDE || spec->retire_to_stable || !plan_in_pool(spec, host) ||
           b->basis->host[host].serves;
}

static void to_stable(struct builder *b, int host)
{
    builder_group(b);
    struct release_step_plan *s = builder_add(b, STEP_TRACK, host);
    s->version = RELEASE_NEW;
    s->track = RELEASE_STABLE;
    if (b->spec->swap == RELEASE_BESIDE && b->basis->host[host].serves) {
        s->slot = plan_other_slot(s->slot);
    }
    builder_place(b, host, PLACE_NEW_STABLE);
}

/* Hosts go over until stable bears what the next share leaves it, or none may go. */
static void move_for(struct builder *b, uint32_t share_ppm)
{
    uint64_t need[RELEASE_TRACKS];
    uint64_t whole = plan_part_of(b->rest[RELEASE_STABLE], PPM - share_ppm);
    builder_needs(b, need);
    for (int h = 0; h < b->spec->hosts && b->weight[RELEASE_STABLE] < whole; h++) {
        if (b->place[h] == PLACE_NEW_CANARY && goes_to_stable(b, h) &&
            b->weight[RELEASE_CANARY] - b->spec->host[h].weight >= need[RELEASE_CANARY]) {
            to_stable(b, h);
        }
    }
}

/* One host goes over though the canary needs it. */
static bool move_one(struct builder *b)
{
    for (int h = 0; h < b->spec->hosts; h++) {
        if (b->place[h] == PLACE_NEW_CANARY && goes_to_stable(b, h)) {
            to_stable(b, h);
            return true;
        }
    }
    return false;
}

/*
 * The next share on the way down to `until`: as low as stable bears, when what is left of the
 * canary bears its part; else 0, when stable bears all.
 */
static uint32_t next_down(const struct builder *b, uint32_t until)
{
    uint64_t need[RELEASE_TRACKS];
    uint32_t lowest = builder_lowest_share(b, b->weight[RELEASE_STABLE]);
    uint32_t share_ppm = lowest > until ? lowest : until;
    builder_needs_at(b, share_ppm, need);
    if (share_ppm < PPM && b->weight[RELEASE_CANARY] >= need[RELEASE_CANARY]) {
        return share_ppm;
    }
    return lowest == 0 ? 0 : b->share_ppm;
}

static void retire(struct builder *b, int host)
{
    builder_group(b);
    struct release_step_plan *s = builder_add(b, STEP_LEAVE, host);
    s->out = true;
    s = builder_add(b, STEP_STOP, host);
    s->out = true;
    builder_place(b, host, PLACE_AWAY);
}

/*
 * Both tracks run the new version.  Hosts go over to stable as far as keep_up lets them, and the
 * share follows as far as stable bears it.  Where that comes to a stop, as with a last copy, which
 * cannot be on both tracks, a host goes over first: whoever finds no canary is served by stable.
 */
void plan_down(struct builder *b)
{
    b->part = PART_DOWN;
    const uint32_t stages[] = {PPM / 2, 0};
    for (unsigned i = 0; i < 2; i++) {
        while (stages[i] < b->share_ppm) {
            move_for(b, stages[i]);
            uint32_t share_ppm = next_down(b, stages[i]);
            if (share_ppm < b->share_ppm) {
                builder_share(b, share_ppm);
            } else if (!move_one(b)) {
                break;
            }
        }
    }
    for (int h = 0; h < b->spec->hosts; h++) {
        if (b->place[h] == PLACE_NEW_CANARY) {
            if (goes_to_stable(b, h)) {
                to_stable(b, h);
            } else {
                retire(b, h);
            }
        }
    }
}
