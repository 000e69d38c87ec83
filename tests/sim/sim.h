#pragma once
/*
 * One simulated release: the engine, the controllers that carry it out, the world, and what is held
 * about all of it.  A run is drawn from its seed alone; the same seed replays exactly.
 */
#include "sim/world.h"

#include <stddef.h>
#include <stdio.h>

#define SIM_NOTES    8192
#define SIM_FLIGHTS  32
#define SIM_LOG      1024
#define SIM_MACHINES 4

/* What has to hold, each held by a function of its own; the mutation run names the one that found
 * a planted bug. */
enum sim_invariant {
    INV_NO_VISITOR_BEFORE_JOIN, /* no action sends visitors to a copy that is untested or not up */
    INV_NO_STOP_IN_USE,         /* no action stops a copy that a router sends visitors to */
    INV_KEEP_UP,                /* no action leaves a track or data center too few copies */
    INV_TESTED,                 /* nothing joins that was not tested, this very instance */
    INV_BATCH,                  /* at most `batch` hosts out, of one data center */
    INV_DC_ORDER,               /* data center k + 1 is left alone until k is done */
    INV_HALT_SPREADS,           /* once a step failed, no other host is begun */
    INV_HALT_FREEZES,           /* halted, paused, held, ended: nothing but lowering */
    INV_RAISE,                  /* only asked for after all routers were read and bear it */
    INV_RAISE_FROZEN,           /* never while paused, held, halted or on the way back */
    INV_LOWER,                  /* lowering waits for nobody: no router is asked first */
    INV_MIGRATE_ONCE,           /* never again unless known to have failed, or people said so */
    INV_MIGRATE_PLACE,          /* before the first host leaves, or after all are new */
    INV_FLIP,                   /* no visitor changes the track while the share is to stay */
    INV_BARRIER,                /* not back over a barrier without force */
    INV_END_STATE,              /* done, rolled back: everything is where it has to be */
    INV_MENDED,                 /* after a mend, resume and rollback reach that end */
    INV_FENCED,                 /* nothing without the lease, nothing more when it is another's */
    INV_ENDS,                   /* every wait ends */
    INV_NOTED,                  /* an operation's step stands on the disk first */
    INV_PLAN_ORDER,             /* steps run in the order of the plan */
    INV_ONE_AT_A_TIME,          /* one operation at a host at a time, each id once */
    INV_DEADLINE,               /* each operation has a deadline that leaves it its time */
    INV_COMMAND,                /* commands do what they say or are refused with the reason */
    INV_BACK_ONLY_CHANGED,      /* the way back leaves alone who was not changed */
    INVARIANTS
};
extern const char *const sim_invariant_name[INVARIANTS];

struct sim_profile {
    const char *name;
    uint32_t interrupted; /* per operation, ppm: ssh dies, hangs */
    uint32_t refused;     /* per operation: a no for its own reasons */
    uint32_t happens;     /* per operation: something happens meanwhile */
    uint32_t broken_host; /* per host: no image, full disk, loops, tests that fail */
    uint32_t killed;      /* per write or action of the controller */
    uint32_t commanded;   /* per event */
    uint32_t verdict;     /* per dwell: exceeded, no data */
    uint32_t frozen;      /* per event: the controller is stopped and another takes over */
};
extern const struct sim_profile sim_profiles[];
const struct sim_profile *sim_profile_find(const char *name);

/* How an operation under way will end. */
enum sim_fate {
    FATE_NORMAL,
    FATE_AWAY_UNDONE,
    FATE_AWAY_DONE,
    FATE_LATE_UNDONE,
    FATE_LATE_DONE,
    FATE_REFUSED,
    FATE_NOTHING,
    FATE_EXCEEDED,
    FATE_CANCELLED_UNDONE,
    FATE_CANCELLED_DONE,
};

struct sim_flight {
    struct release_op op;
    uint64_t end_ms;
    enum sim_fate fate;
    uint8_t routers; /* those it gets at when it is interrupted */
};

/* A life of a controller. */
struct sim_controller {
    struct release *engine;
    uint32_t token;
    unsigned machine;
    struct sim_flight flight[SIM_FLIGHTS];
    unsigned flights;
    bool locked, fenced, ended;
    bool zombie; /* another life has taken over */
    bool fresh;  /* no notes: the release has not begun */
    bool missed; /* a host's notes could not be read */
    bool refused;
    enum release_refusal refusal; /* of the last command */
    struct {
        enum release_op_kind kind;
        int host;
    } answered;
    uint32_t last_op;
    struct {
        bool any;
        struct release_key key;
    } running[SIM_HOSTS + 1]; /* steps that stand on the disk as running; [0]: the service's */
};

enum sim_logged {
    LOG_EVENT,
    LOG_NOTE,
    LOG_DO,
    LOG_CANCEL,
    LOG_REFUSE,
    LOG_END,
    LOG_HAPPENS,
    LOG_LIFE
};

struct sim_entry {
    uint64_t at_ms;
    enum sim_logged what;
    uint32_t token;
    union {
        struct release_event event;
        struct release_op op;
        struct {
            enum release_note_kind kind;
            struct release_key key;
            uint8_t status, outcome, mode, direction;
            uint16_t attempt;
        } note;
        struct {
            enum sim_happening kind;
            unsigned whom;
        } happening;
        enum release_refusal refusal;
        const char *text;
    };
    enum release_mode mode;
    enum release_op_kind answered; /* LOG_EVENT of EVENT_DONE */
    int host;
};

/* What the checks remember. */
struct sim_held {
    /* Sets of hosts, a bit each. */
    uint32_t joined;  /* had a copy in the routers */
    uint32_t excused; /* out for good until mended: shut, or out when the way back began */
    uint32_t touched;
    uint32_t allowed; /* on their way when it began to halt; bit 0 the service, bit 1 host 0 */
    bool halting, turned;
    uint64_t capacity_ppm; /* share that was found to be borne, + 1; 0: something changed since */
};

struct sim_run {
    uint64_t seed;
    const struct sim_profile *profile;
    struct draw draw;
    struct release_spec spec;
    struct release_basis basis;
    struct sim_world world;
    struct sim_controller lead, zombie;
    struct sim_held held;
    bool faults;     /* may still come */
    bool forced;     /* a rollback over the barrier */
    bool mended;     /* and told to go on since */
    bool wants_back; /* what is said next when it stops */
    bool missed;     /* notes of some host by the last life that read them */
    unsigned machine, late;
    unsigned events, cycles;
    uint32_t lives;
    /* All that was ever written: note[i] lies where a bit says, hosts 0.., machines from bit 8. */
    struct release_note note[SIM_NOTES];
    uint16_t where[SIM_NOTES];
    unsigned notes;
    struct release_note load[SIM_NOTES];
    struct sim_entry log[SIM_LOG];
    unsigned logged;
    bool failed;
    enum sim_invariant broken;
    char why[200];
};

/* Draws what is to be released and how the fleet rests. */
void sim_draw_spec(struct draw *d, struct release_spec *spec, struct release_basis *basis);

enum sim_ended { SIM_PASSED, SIM_REFUSED, SIM_FAILED };
enum sim_ended sim_run(struct sim_run *run, const struct sim_profile *profile, uint64_t seed);

/* Says that an invariant does not hold; the first one counts. */
void sim_breaks(struct sim_run *run, enum sim_invariant invariant, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* controller.c: both carry out what the engine asks.  False: it was killed on the way. */
bool sim_controller_step(struct sim_run *run, struct sim_controller *c,
                         const struct release_event *event);
/* Ends the operation that ends first (the clock goes on to then) and tells the engine. */
void sim_controller_answer(struct sim_run *run, struct sim_controller *c, unsigned flight);
/* Operations under way when the controller died: done or not, nobody hears of it. */
void sim_controller_dies(struct sim_run *run, struct sim_controller *c);
/* A life on this machine; it reads its own journal, and what lies on the hosts unless own_only.
 * False: the spec is refused. */
bool sim_controller_begin(struct sim_run *run, struct sim_controller *c, unsigned machine,
                          bool own_only);

/* Whether some note lies on no host, but on this machine. */
bool sim_controller_knows_alone(const struct sim_run *run, unsigned machine);

/* fault.c */
uint64_t sim_waits_ms(const struct release_op *op);
void sim_fault_host(struct sim_run *run);
void sim_fault_op(struct sim_run *run, struct sim_flight *flight);

/* check.c, check_end.c */
struct sim_seen {
    sim_set up, ready[SIM_ROUTERS];
    struct sim_state meant;
};
bool sim_same_key(const struct release_key *a, const struct release_key *b);
void sim_check_see(const struct sim_run *run, struct sim_seen *ret);
/* What an operation did to the world that looked like this before. */
void sim_check_effect(struct sim_run *run, const struct sim_controller *c,
                      const struct release_op *op, const struct sim_seen *before);
void sim_check_do(struct sim_run *run, struct sim_controller *c, const struct release_op *op);
void sim_check_note(struct sim_run *run, struct sim_controller *c, const struct release_note *note);
void sim_check_answer(struct sim_run *run, struct sim_controller *c, const struct release_op *op,
                      enum release_outcome outcome);
void sim_check_world(struct sim_run *run);
void sim_check_plan(struct sim_run *run, const struct release *engine);
void sim_check_mode(struct sim_run *run, const struct sim_controller *c);
void sim_check_command(struct sim_run *run, const struct sim_controller *c,
                       const struct release_event *event, enum release_mode was,
                       enum release_direction direction);
/* The end of a release in this direction. */
void sim_check_end(struct sim_run *run, const struct sim_controller *c);

/* log.c */
struct sim_entry *sim_log(struct sim_run *run, enum sim_logged what, uint32_t token);
/* The last `lines` of them, and the world. */
void sim_log_print(const struct sim_run *run, unsigned lines, FILE *to);

/* coverage.c */
struct sim_coverage {
    uint64_t state[RELEASE_MODES][2];
    uint64_t step[STEP_KINDS][5];
    uint64_t arrow[RELEASE_MODES][EVENT_KINDS][RELEASE_MODES];
    uint64_t op[OP_KINDS][RELEASE_OUTCOMES];
    uint64_t refusal[REFUSALS];
    uint64_t runs, refused, events, resumed, taken_over;
};
extern struct sim_coverage sim_coverage;
/* Prints what was seen and what not; returns how much of what can be was not seen. */
unsigned sim_coverage_print(FILE *to);
