#pragma once
/*
 * The release engine: events in, actions out.  No input or output, no clock, no driver, no
 * allocation but in release_new and where the way back begins.  States, arrows and invariants stand
 * at the top of engine.c.
 *
 * A release is a list of steps (plan.h) in groups.  Groups follow one another; in a group the lanes
 * (hosts of a batch) go side by side, a lane's steps one after the other; a step is a few
 * operations (ops.h).  The way back is a list of steps of its own, made when it begins from what
 * was done.
 *
 * What is known of a release is the sum of its notes.  A note says one thing and replaces an older
 * one about the same; notes are written down, in the journal and on the hosts they concern, before
 * the actions that follow them are done.  Whoever has all notes can go on.
 */
#include "base/err.h"
#include "release/ops.h"

struct release;

/* Direction and mode; release_state_name is what people read. */
enum release_mode {
    RELEASE_RUNNING,
    RELEASE_PAUSING, /* hosts on their way are seen through, then paused */
    RELEASE_PAUSED,  /* by people */
    RELEASE_HELD,    /* no verdict: no data, or the next move is for a person */
    RELEASE_HALTING, /* a step failed; hosts on their way are seen through or shut */
    RELEASE_HALTED,
    RELEASE_TURNING, /* rollback was said; what is under way is ended */
    RELEASE_ENDED,
    RELEASE_MODES
};

enum release_direction { RELEASE_FORWARD, RELEASE_BACK };

enum release_step_status { STEP_PENDING, STEP_RUNNING, STEP_DONE, STEP_BROKEN, STEP_SKIPPED };

/* What was found before the first step; fixed for the whole release, also on the way back. */
struct release_basis {
    struct {
        enum release_slot slot; /* where the serving copy lives */
        bool serves;            /* it is ready at the routers */
        enum release_track track;
    } host[RELEASE_HOSTS_MAX];
    uint32_t share_ppm; /* of a train that is in mid-walk; else 0 */
};

enum release_note_kind {
    NOTE_STEP, /* step `key`: status, attempt, instance, outcome */
    NOTE_MODE, /* mode, direction, step (the one that failed or is waited for), outcome, by whom */
    NOTE_BACK, /* the way back begins here: touched[] says from what */
    NOTE_KINDS
};

/* Which step of which list: the same in every plan that has it, whatever else changes there. */
struct release_key {
    enum release_direction direction;
    enum release_step_kind kind;
    uint8_t part; /* enum release_part of plan.h */
    int16_t host; /* -1: none */
    uint16_t nth; /* of the same kind, part and host: stage, hook */
};

/* How far a host had come when the way back began. */
enum release_touch {
    TOUCH_NONE,
    TOUCH_LEFT,    /* in place: out of the routers, nothing stopped */
    TOUCH_STOPPED, /* in place: stopped, and not back in the routers; beside: the new copy was begun
                    */
    TOUCH_JOINED,  /* the new copy serves; beside: the old one is still warm */
    TOUCH_ALL,     /* beside: the old copy is gone */
    TOUCH_ON_CANARY = 16, /* with one of the above: the new copy is on the canary track */
    TOUCH_MOVING = 32     /* and at some routers perhaps on stable already */
};

struct release_note {
    enum release_note_kind kind;
    int host; /* the note lies on this host; -1: on all */
    struct release_key key;
    enum release_step_status status;
    uint16_t attempt;
    uint64_t instance;
    enum release_outcome outcome;
    enum release_mode mode;
    enum release_direction direction;
    uint8_t touch[RELEASE_HOSTS_MAX]; /* NOTE_BACK: of each host */
    uint32_t share_ppm; /* NOTE_STEP of STEP_SHARE; NOTE_BACK: the least that it may be */
};

enum release_event_kind {
    EVENT_BEGIN,   /* a new release: all that there is is its spec and basis */
    EVENT_RESUMED, /* another life of the controller, after release_load */
    EVENT_DONE,    /* operation op ended: outcome, instance */
    EVENT_PAUSE,
    EVENT_RESUME,  /* from paused, held, halted */
    EVENT_PROMOTE, /* the present stage is over; held: go on */
    EVENT_ROLLBACK,
    EVENT_KINDS
};

/* EVENT_RESUME: of a migration of which nobody knows the end. */
enum release_tell { TELL_NOTHING, TELL_DONE, TELL_AGAIN };

struct release_event {
    enum release_event_kind kind;
    uint32_t op;
    enum release_outcome outcome;
    uint64_t instance;
    enum release_tell tell;
    bool force; /* EVENT_ROLLBACK: over a barrier */
};

enum release_act_kind {
    ACT_NOTE,   /* write down, durably, before anything behind it in the list */
    ACT_DO,     /* begin the operation */
    ACT_CANCEL, /* end operation op soon; it answers EVENT_DONE all the same */
    ACT_REFUSE, /* the event was a command that cannot be; why */
    ACT_END,    /* nothing more will come: done, rolled back, halted, paused, held, or fenced */
};

/* Why a command is refused. */
enum release_refusal {
    REFUSE_NOT_NOW, /* nothing to pause, to resume, to promote in this mode */
    REFUSE_ENDED,
    REFUSE_BACK_OF_BACK, /* a rollback is not rolled back */
    REFUSE_BARRIER,      /* the migration forbids to go back */
    REFUSE_NOT_TOLD,     /* of a migration nobody knows the end: resume has to say */
    REFUSALS
};
extern const char *const release_refusal_name[REFUSALS];

struct release_act {
    enum release_act_kind kind;
    struct release_op op;     /* ACT_DO; ACT_CANCEL: its id */
    struct release_note note; /* ACT_NOTE */
    enum release_refusal refusal;
};

/* Filled by release_step, in order.  A NOTE_BACK makes an act large: the list is of the engine. */
struct release_acts {
    const struct release_act *act;
    size_t len;
};

/* Copies both.  ERR_INVALID: the spec cannot be carried out (the message has no file). */
int release_new(const struct release_spec *spec, const struct release_basis *basis,
                struct release **ret, struct err *err);
void release_free(struct release *take_release);

/* Before the first event of a later life: the notes in the order of writing.  Unknown steps (of a
 * release.yaml that has changed since) are left out. */
void release_load(struct release *r, const struct release_note *note, size_t n);

/* The one step.  The list is valid until the next call. */
struct release_acts release_step(struct release *r, const struct release_event *event);

/* Views */
enum release_mode release_mode(const struct release *r);
enum release_direction release_direction(const struct release *r);
const char *release_state_of(enum release_direction direction, enum release_mode mode);
const char *release_state_name(
    const struct release *r); /* running, paused, held, halted, rolling back, done, rolled back */
const struct release_plan *release_plan_of(const struct release *r);
/* That of a direction; of the way back empty until it begins. */
const struct release_plan *release_plan_in(const struct release *r,
                                           enum release_direction direction);
/* Index of the step in the plan of its direction; -1: it has none of that key. */
int release_find(const struct release *r, const struct release_key *key);
/* Of the step at index i of the plan. */
enum release_step_status release_status(const struct release *r, size_t i);
uint16_t release_attempt(const struct release *r, size_t i);
/* Index of the step that the mode is about (failed, held at); -1: none. */
int release_culprit(const struct release *r, enum release_outcome *ret);
uint32_t release_share_ppm(const struct release *r);
