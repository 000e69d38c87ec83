/* The builder of plans: steps, groups, lanes, and the model of who serves. */
#include "release/plan_int.h"

#include "base/mem.h"

#include <string.h>

#define PPM 1000000u

static void count_rest(struct builder *b)
{
    for (int h = 0; h < b->spec->hosts; h++) {
        if (b->basis->host[h].serves) {
            b->rest[b->basis->host[h].track] += b->spec->host[h].weight;
            b->place[h] = PLACE_OLD;
        }
    }
    b->weight[RELEASE_STABLE] = b->rest[RELEASE_STABLE];
    b->weight[RELEASE_CANARY] = b->rest[RELEASE_CANARY];
}

void builder_init(struct builder *b, const struct release_spec *spec,
                  const struct release_basis *basis, enum release_direction direction,
                  struct release_plan *plan)
{
    memset(b, 0, sizeof *b);
    b->spec = spec;
    b->basis = basis;
    b->direction = direction;
    b->plan = plan;
    b->share_ppm = basis->share_ppm;
    memset(plan, 0, sizeof *plan);
    count_rest(b);
}

static struct release_step_plan *push(struct builder *b)
{
    struct release_plan *plan = b->plan;
    if (plan->len == b->cap) {
        b->cap = b->cap == 0 ? 64 : b->cap * 2;
        plan->step = mem_realloc_array(plan->step, b->cap, sizeof *plan->step);
    }
    struct release_step_plan *s = &plan->step[plan->len++];
    memset(s, 0, sizeof *s);
    return s;
}

void builder_lane(struct builder *b)
{
    const struct release_plan *plan = b->plan;
    if (plan->len > 0 && plan->step[plan->len - 1].group == b->group &&
        plan->step[plan->len - 1].lane == b->lane) {
        b->lane++;
    }
}

void builder_group(struct builder *b)
{
    const struct release_plan *plan = b->plan;
    if (plan->len > 0 && plan->step[plan->len - 1].group == b->group) {
        b->group++;
    }
    b->lane = 0;
}

struct release_step_plan *builder_add(struct builder *b, enum release_step_kind kind, int host)
{
    struct release_key key = {
        .direction = b->direction, .kind = kind, .part = (uint8_t) b->part, .host = (int16_t) host};
    for (size_t i = b->plan->len; i-- > 0;) {
        const struct release_key *k = &b->plan->step[i].key;
        if (k->kind == kind && k->part == key.part && k->host == key.host) {
            key.nth = (uint16_t) (k->nth + 1);
            break;
        }
    }
    struct release_step_plan *s = push(b);
    s->key = key;
    s->group = b->group;
    s->lane = b->lane;
    s->all = b->weight[RELEASE_STABLE] + b->weight[RELEASE_CANARY];
    if (host >= 0) {
        s->slot = b->basis->host[host].slot;
        s->track = b->basis->host[host].track;
    }
    return s;
}

void builder_end(struct builder *b)
{
    size_t len = b->plan->len;
    b->plan->groups = len == 0 ? 0 : (uint16_t) (b->plan->step[len - 1].group + 1);
    b->part = PART_SHUT;
    b->group = UINT16_MAX;
    for (int h = 0; h < b->spec->hosts; h++) {
        (void) builder_add(b, STEP_PUT_BACK, h);
        (void) builder_add(b, STEP_SHUT, h);
    }
    b->plan->total = b->plan->len;
    b->plan->len = len;
}

void release_plan_done(struct release_plan *plan)
{
    mem_free(plan->step);
    memset(plan, 0, sizeof *plan);
}

size_t release_plan_trouble(const struct release_plan *plan, int host, enum release_step_kind kind)
{
    return plan->len + (size_t) host * 2 + (kind == STEP_SHUT ? 1 : 0);
}

enum release_slot plan_other_slot(enum release_slot slot)
{
    return slot == RELEASE_SLOT_A ? RELEASE_SLOT_B : RELEASE_SLOT_A;
}

uint64_t plan_part_of(uint64_t weight, uint32_t ppm)
{
    return (weight * ppm + PPM - 1) / PPM;
}

/* Without a walk each track keeps its part of what it had; in a walk the share says what is whose.
 */
void builder_needs_at(const struct builder *b, uint32_t share_ppm, uint64_t need[RELEASE_TRACKS])
{
    const struct release_spec *spec = b->spec;
    uint64_t bears[RELEASE_TRACKS] = {b->rest[RELEASE_STABLE], b->rest[RELEASE_CANARY]};
    if (spec->strategy == RELEASE_BY_CANARY) {
        bears[RELEASE_CANARY] = plan_part_of(b->rest[RELEASE_STABLE], share_ppm);
        bears[RELEASE_STABLE] = plan_part_of(b->rest[RELEASE_STABLE], PPM - share_ppm);
    }
    for (int t = 0; t < RELEASE_TRACKS; t++) {
        need[t] = spec->with_downtime ? 0 : plan_part_of(bears[t], spec->keep_up_total_ppm);
        if (!spec->with_downtime && bears[t] > 0 && need[t] == 0) {
            need[t] = 1;
        }
    }
}

void builder_needs(const struct builder *b, uint64_t need[RELEASE_TRACKS])
{
    builder_needs_at(b, b->share_ppm, need);
}

uint64_t builder_canary_need(const struct builder *b, uint32_t share_ppm)
{
    uint64_t rest = b->rest[RELEASE_STABLE];
    const uint64_t whole = (uint64_t) PPM * PPM;
    uint64_t need =
        (rest * share_ppm * b->spec->headroom_ppm + whole - 1) / whole; /* rounded once */
    return need < rest ? need : rest;
}

uint32_t builder_lowest_share(const struct builder *b, uint64_t weight)
{
    uint64_t all = plan_part_of(b->rest[RELEASE_STABLE], b->spec->keep_up_total_ppm);
    uint64_t need[RELEASE_TRACKS];
    if (weight == 0) {
        return PPM;
    }
    if (weight >= all || b->spec->with_downtime) {
        return 0;
    }
    uint32_t share_ppm = (uint32_t) (((all - weight) * PPM + all - 1) / all);
    for (builder_needs_at(b, share_ppm, need); need[RELEASE_STABLE] > weight && share_ppm < PPM;
         builder_needs_at(b, share_ppm, need)) {
        share_ppm = share_ppm + PPM / 1000 < PPM ? share_ppm + PPM / 1000 : PPM;
    }
    return share_ppm;
}

bool builder_both_count(const struct builder *b)
{
    return b->spec->strategy == RELEASE_BY_CANARY && b->share_ppm > 0 && b->share_ppm < PPM;
}

uint16_t builder_need_of_dc(const struct builder *b, enum release_track track)
{
    bool has_visitors = b->spec->strategy != RELEASE_BY_CANARY || builder_both_count(b) ||
                        b->share_ppm == (track == RELEASE_STABLE ? 0 : PPM);
    return b->spec->with_downtime || !has_visitors ? 0 : b->spec->keep_up_per_dc;
}

static enum release_track track_of(const struct builder *b, int host)
{
    switch ((enum place_kind) b->place[host]) {
    case PLACE_NEW_CANARY:
        return RELEASE_CANARY;
    case PLACE_NEW_STABLE:
        return RELEASE_STABLE;
    case PLACE_AWAY:
    case PLACE_OLD:
    case PLACE_BOTH:
        break;
    }
    return b->basis->host[host].track;
}

static bool is_wanted(const struct release_spec *spec, enum release_step_kind kind)
{
    return (kind != STEP_PROXY || spec->has_proxy) && (kind != STEP_CONNECT || spec->has_connect) &&
           (kind != STEP_TEST || spec->has_tests) && (kind != STEP_SOAK || spec->soak_ms > 0);
}

static void add_leaving(struct builder *b, struct release_step_plan *s, bool out)
{
    enum release_track from = track_of(b, s->key.host);
    s->out = out;
    s->track = from;
    builder_needs(b, s->need);
    s->need_dc = builder_need_of_dc(b, from);
    s->both_dc = builder_both_count(b);
}

void builder_in_place(struct builder *b, int host, enum release_version version,
                      enum release_track track, bool out)
{
    for (unsigned i = 0; i < b->spec->orders; i++) {
        enum release_step_kind kind = (enum release_step_kind) b->spec->order[i];
        if (!is_wanted(b->spec, kind)) {
            continue;
        }
        struct release_step_plan *s = builder_add(b, kind, host);
        s->version = version;
        s->track = track;
        s->wait_ms = kind == STEP_SOAK ? b->spec->soak_ms : 0;
        if (kind == STEP_LEAVE || kind == STEP_STOP) {
            add_leaving(b, s, out);
        }
    }
}

void builder_beside(struct builder *b, int host, enum release_slot slot,
                    enum release_version version, enum release_track track)
{
    static const enum release_step_kind kinds[] = {STEP_PREFLIGHT, STEP_ROOM,    STEP_PULL,
                                                   STEP_PROXY,     STEP_CONNECT, STEP_START,
                                                   STEP_TEST,      STEP_JOIN};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (is_wanted(b->spec, kinds[i])) {
            struct release_step_plan *s = builder_add(b, kinds[i], host);
            s->version = version;
            s->track = track;
            s->slot = slot;
        }
    }
}

void builder_share(struct builder *b, uint32_t share_ppm)
{
    builder_group(b);
    struct release_step_plan *s = builder_add(b, STEP_SHARE, -1);
    s->share_ppm = share_ppm;
    s->raise = share_ppm > b->share_ppm;
    if (b->direction == RELEASE_FORWARD) { /* on the way back the plan has looked; it is urgent */
        builder_needs_at(b, share_ppm, s->need);
    }
    b->share_ppm = share_ppm;
    builder_group(b);
}

static bool is_on(const struct builder *b, int host, enum place_kind place, int track)
{
    static const bool on[][RELEASE_TRACKS] = {[PLACE_AWAY] = {false, false},
                                              [PLACE_OLD] = {false, false},
                                              [PLACE_NEW_STABLE] = {true, false},
                                              [PLACE_NEW_CANARY] = {false, true},
                                              [PLACE_BOTH] = {true, true}};
    return place == PLACE_OLD ? (int) b->basis->host[host].track == track : on[place][track];
}

unsigned builder_in_dc(const struct builder *b, unsigned dc, enum release_track track)
{
    unsigned n = 0;
    for (int h = 0; h < b->spec->hosts; h++) {
        n += b->spec->host[h].dc == dc && is_on(b, h, (enum place_kind) b->place[h], (int) track);
    }
    return n;
}

unsigned builder_kept_in_dc(const struct builder *b, unsigned dc, enum release_track track)
{
    unsigned n = 0;
    if (!builder_both_count(b)) {
        return builder_in_dc(b, dc, track);
    }
    for (int h = 0; h < b->spec->hosts; h++) {
        enum place_kind place = (enum place_kind) b->place[h];
        bool serves = is_on(b, h, place, RELEASE_STABLE) || is_on(b, h, place, RELEASE_CANARY);
        n += b->spec->host[h].dc == dc && serves;
    }
    return n;
}

void builder_place(struct builder *b, int host, enum place_kind place)
{
    const uint64_t weight = b->spec->host[host].weight;
    for (int t = 0; t < RELEASE_TRACKS; t++) {
        b->weight[t] += is_on(b, host, place, t) ? weight : 0;
        b->weight[t] -= is_on(b, host, (enum place_kind) b->place[host], t) ? weight : 0;
    }
    b->place[host] = (uint8_t) place;
}
