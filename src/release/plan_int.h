#pragma once
/* Plans while they are made: a builder with a model of where copies serve after the last step. */
#include "release/plan.h"

#include <stddef.h>

enum place_kind {
    PLACE_AWAY,       /* serves nowhere */
    PLACE_OLD,        /* the old version, on the track of its rest */
    PLACE_NEW_STABLE, /* the new version, on stable */
    PLACE_NEW_CANARY,
    PLACE_BOTH, /* beside: old on stable and new on canary */
};

struct builder {
    const struct release_spec *spec;
    const struct release_basis *basis;
    enum release_direction direction;
    struct release_plan *plan;
    size_t cap;
    enum release_part part;
    uint16_t group, lane;
    /* the model */
    uint8_t place[RELEASE_HOSTS_MAX]; /* enum place_kind */
    uint64_t weight[RELEASE_TRACKS];  /* that takes requests on a track */
    uint64_t rest[RELEASE_TRACKS];    /* the same before the release */
    uint32_t share_ppm;
};

void builder_init(struct builder *b, const struct release_spec *spec,
                  const struct release_basis *basis, enum release_direction direction,
                  struct release_plan *plan);
/* Adds the two steps of trouble of each host, and closes the plan. */
void builder_end(struct builder *b);

/* What follows goes into a lane of its own; into the next group. */
void builder_lane(struct builder *b);
void builder_group(struct builder *b);
/* Also numbers steps of one kind, part and host. */
struct release_step_plan *builder_add(struct builder *b, enum release_step_kind kind, int host);

/* ceil(weight x ppm / 10^6) */
uint64_t plan_part_of(uint64_t weight, uint32_t ppm);

/*
 * What both tracks have to keep at the present share while hosts are taken out: keep_up of what is
 * theirs to bear, and at least one copy where visitors go.
 */
void builder_needs(const struct builder *b, uint64_t need[RELEASE_TRACKS]);
/* The same at another share. */
void builder_needs_at(const struct builder *b, uint32_t share_ppm, uint64_t need[RELEASE_TRACKS]);
/* What canary has to have while it is judged at the share. */
uint64_t builder_canary_need(const struct builder *b, uint32_t share_ppm);

/* The lowest share at which `weight` on stable bears the rest; nothing on stable bears nothing. */
uint32_t builder_lowest_share(const struct builder *b, uint64_t weight);
/* Hosts of a data center whose copies take requests on a track. */
unsigned builder_in_dc(const struct builder *b, unsigned dc, enum release_track track);
/*
 * keep_up.per_datacenter.  While a canary has a part of the visitors, hosts of both tracks count
 * together; while one track has all of them, its own do, and the other keeps none.
 */
bool builder_both_count(const struct builder *b);
/* Hosts of a data center that count when one leaves the track, and how many have to stay. */
unsigned builder_kept_in_dc(const struct builder *b, unsigned dc, enum release_track track);
uint16_t builder_need_of_dc(const struct builder *b, enum release_track track);

/* The runbook in place: to version, joining track.  out: the host takes no requests anyway. */
void builder_in_place(struct builder *b, int host, enum release_version version,
                      enum release_track track, bool out);
/* Beside, until the new copy serves on track next to the old one. */
void builder_beside(struct builder *b, int host, enum release_slot slot,
                    enum release_version version, enum release_track track);
void builder_share(struct builder *b, uint32_t share_ppm);

enum release_slot plan_other_slot(enum release_slot slot);
/* Moves a host in the model. */
void builder_place(struct builder *b, int host, enum place_kind place);

/* Whether the host is of the canary pool. */
bool plan_in_pool(const struct release_spec *spec, int host);

/* plan_walk.c */
int plan_pool(struct builder *b, struct err *err);
int plan_walk(struct builder *b, struct err *err);
int plan_stable(struct builder *b, struct err *err);
void plan_down(struct builder *b);
