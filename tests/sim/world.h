#pragma once
/*
 * The simulated world of a release: hosts with two slots, routers, a migration, a clock.  It
 * carries out operations (ops.h) as drivers and routers do: observed, acted on if needed, proved;
 * done twice is done once; done although the answer is lost.
 *
 * A copy of the service is a bit, host * 2 + slot, so that what a router thinks of all copies is a
 * word.  What visitors get follows from these words: a router sends requests to every copy that it
 * has as ready.  Nothing is allocated.
 */
#include "release/engine.h"
#include "release/plan.h"
#include "sim/draw.h"

#define SIM_HOSTS   8
#define SIM_ROUTERS 3
#define SIM_PENDING 16

typedef uint32_t sim_set;

/* Whose lease it is: 0 nobody's, SIM_OTHER another release's, else the life of a controller. */
#define SIM_OTHER UINT32_MAX

struct sim_copy {
    uint64_t instance; /* 0: nothing runs */
    uint8_t version;   /* enum release_version: of what was started last */
    bool up;
    bool tested;   /* this instance */
    bool by_world; /* it is up or down because of the world, not of the engine */
    bool unseen;   /* it fell since somebody looked */
    bool fails;    /* its sidecar says so by command */
};

struct sim_host {
    struct sim_copy copy[RELEASE_SLOTS];
    uint32_t token; /* of the lease */
    bool reachable, pulled;
    /* until somebody mends it */
    bool no_image, disk_full, loops, tests_fail, outside_down;
};

/* What a router has in its state file. */
struct sim_state {
    sim_set peers, ready, canary;
    uint32_t share_ppm;
};

struct sim_router {
    struct sim_state now, old;
    sim_set lost; /* copies of which it forgot what it was told, until it is told again */
    bool share_lost;
    bool reachable;
};

enum sim_migration_state { MIGRATE_NONE, MIGRATE_RUNS, MIGRATE_DONE, MIGRATE_FAILED, MIGRATE_LOST };

struct sim_migration {
    enum sim_migration_state state;
    unsigned attempt;
    unsigned begun;    /* how often */
    bool allowed;      /* people said that it is to be run again */
    bool twice;        /* begun while an earlier one may have been made */
    bool fails, loses; /* how the next attempt ends */
};

/* What the world does by itself. */
enum sim_happening {
    HAPPENS_HOST_CUT,
    HAPPENS_HOST_BACK,
    HAPPENS_REBOOT_GONE,   /* programs are gone */
    HAPPENS_REBOOT_POLICY, /* they come back by themselves, as other instances */
    HAPPENS_COPY_DIES,
    HAPPENS_COPY_RESTARTS,
    HAPPENS_ROUTER_CUT,
    HAPPENS_ROUTER_BACK,
    HAPPENS_ROUTER_RESTART, /* with all it knew */
    HAPPENS_ROUTER_OLD,     /* with an older state file */
    HAPPENS_ROUTER_LOST,    /* without */
    HAPPENS_LEASE_LOST,     /* the clock jumps, it expires, another release takes it */
    HAPPENS_LEASE_FREE,
    HAPPENINGS
};
extern const char *const sim_happening_name[HAPPENINGS];

struct sim_pending {
    uint64_t at_ms;
    enum sim_happening kind;
    uint8_t whom; /* host, router or copy */
};

struct sim_world {
    const struct release_spec *spec;
    const struct release_basis *basis;
    uint64_t now_ms;
    uint64_t instances; /* handed out */
    struct sim_host host[SIM_HOSTS];
    struct sim_router router[SIM_ROUTERS];
    unsigned routers;
    struct sim_state base;  /* of the routers' own files */
    struct sim_state meant; /* what all routers would have, had none been cut off or forgotten */
    struct sim_migration migration;
    struct sim_pending pending[SIM_PENDING];
    unsigned pendings;
};

static inline sim_set sim_bit(int host, unsigned slot)
{
    return (sim_set) 1 << ((unsigned) host * RELEASE_SLOTS + slot);
}

static inline sim_set sim_op_bit(const struct release_op *op)
{
    return op->host < 0 ? 0 : sim_bit(op->host, (unsigned) op->slot);
}

/* Copies that are up; tested, those whose running instance passed its tests. */
sim_set sim_up(const struct sim_world *w);
sim_set sim_tested(const struct sim_world *w);
/* Up or down by the world's doing. */
sim_set sim_by_world(const struct sim_world *w);
sim_set sim_of_dc(const struct sim_world *w, unsigned dc);
/* Sum of the hosts' weights of the copies. */
uint64_t sim_weight(const struct sim_world *w, sim_set copies);

/* At rest before a release, nothing wrong. */
void sim_world_begin(struct sim_world *w, const struct release_spec *spec,
                     const struct release_basis *basis, unsigned routers);
/* All faults are over: reachable, not full, routers know again what they were told, copies that
 * died by the world's doing run again. */
void sim_world_mend(struct sim_world *w);
void sim_world_happen(struct sim_world *w, enum sim_happening kind, unsigned whom);
void sim_world_later(struct sim_world *w, uint64_t in_ms, enum sim_happening kind, unsigned whom);

/* Which routers an operation gets at, when it is interrupted; ALL: not interrupted. */
#define SIM_ALL_ROUTERS 7u

/*
 * Carries out op under the lease of token, now, and gives what is answered.  instance: OP_START,
 * OP_OBSERVE.
 */
enum release_outcome sim_world_do(struct sim_world *w, const struct release_op *op, uint32_t token,
                                  unsigned routers, uint64_t *ret_instance);
