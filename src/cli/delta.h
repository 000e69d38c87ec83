#pragma once
/* What happened on the tracks between two readings of the statistics. */
#include "gateway/fleet.h"

struct track_delta {
    uint64_t requests, split, errors, crossed;
    struct hist *time; /* owned */
};

struct delta {
    struct track_delta track[TRACKS];
};

/* The counters of a router at a moment, to count from. */
struct delta_base {
    bool has_counts;
    char instance[17];
    struct delta at;
};

void delta_init(struct delta *d);
void delta_done(struct delta *d);
void delta_clear(struct delta *d);
void delta_add(struct delta *sum, const struct delta *d);

/* Zeroed is fine: counts then begin with the next reading. */
void delta_base_done(struct delta_base *base);
void delta_base_set(struct delta_base *base, const struct router_stats *now);
/* From the base to now; from zero when the router has restarted its counters since. */
void delta_since(const struct delta_base *base, const struct router_stats *now, struct delta *ret);

/* Canary's part: of all requests, of those decided by the split.  NaN without any. */
double delta_share(const struct delta *d);
double delta_split_share(const struct delta *d);
