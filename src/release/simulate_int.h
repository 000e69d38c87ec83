#pragma once
/*
 * The forecast's own: simulate.c (many runs and what they come to), simulate_run.c (one of them),
 * simulate_world.c (hosts and routers: what operations find and do), simulate_text.c (words).
 */
#include "release/simulate.h"

struct simulate_copy {
    bool in;       /* ready at the routers, as long as its host is up */
    uint8_t track; /* enum release_track */
};

/* The step that a host, or the service, is in. */
struct simulate_step {
    struct release_key key;
    uint64_t took_ms; /* what its main operation takes */
    uint8_t outcome;  /* enum release_outcome, of its main operation */
    uint8_t cause;    /* enum simulate_cause: of a failure */
};

struct simulate_host {
    bool up;
    uint64_t turns_ms; /* when it crashes, or is back; UINT64_MAX: never */
    struct simulate_copy copy[RELEASE_SLOTS];
    bool out; /* by the release: it served at rest, and its copies take no visitors now */
    uint64_t out_since_ms;
    struct simulate_step step;
};

/* An operation under way. */
struct simulate_doing {
    struct release_op op;
    uint64_t ends_ms;
    enum release_outcome outcome;
};

struct simulate_run {
    const struct release_spec *spec;
    const struct release_basis *basis;
    const struct simulate_wish *wish;
    uint64_t random; /* state of SplitMix64 */
    uint64_t now_ms;
    uint32_t share_ppm;
    struct simulate_host host[RELEASE_HOSTS_MAX];
    struct simulate_step service;
    struct simulate_doing doing[RELEASE_HOSTS_MAX + 1];
    size_t n_doing;
    bool ended;
    /* what it came to */
    enum simulate_end end;
    bool has_stop, has_outage;
    enum release_step_kind stop_kind;
    int stop_host;
    enum simulate_cause stop_cause;
    struct simulate_outage outage;
    uint64_t out_ms[RELEASE_HOSTS_MAX];
    uint32_t outs[RELEASE_HOSTS_MAX];
};

/* Plays the nth run; what it came to is read from run.  ERR_INVALID: the plan. */
int simulate_run_play(struct simulate_run *run, uint64_t nth, struct err *err);

static inline struct simulate_step *simulate_step_of(struct simulate_run *run, int host)
{
    return host < 0 ? &run->service : &run->host[host].step;
}

/* simulate_world.c */
/* 0..limit - 1; limit at least 1. */
uint64_t simulate_draw(struct simulate_run *run, uint64_t limit);
/* nth: of the runs; its random numbers follow from it and the seed. */
void simulate_world_begin(struct simulate_run *run, uint64_t nth);
/* Draws what a step that begins takes and whether it fails; its key is set. */
void simulate_world_draw(struct simulate_run *run, struct simulate_step *step);
/* What an operation that begins will come to as things are now: fills all but op. */
void simulate_world_find(struct simulate_run *run, struct simulate_doing *doing);
/* What an operation that ended well has done; its outcome, as it may be another after all. */
void simulate_world_do(struct simulate_run *run, struct simulate_doing *doing);
/* A host crashes, or is back. */
void simulate_world_turn(struct simulate_run *run, int host);
/* Who is out, and whether there is an outage; after each event. */
void simulate_world_look(struct simulate_run *run);
