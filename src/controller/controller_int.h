#pragma once
/*
 * The controller's own.  One thread owns all of struct controller; an operation's thread owns its
 * struct task until it puts it into the list of those that are done.
 */
#include "base/vec.h"
#include "controller/controller.h"
#include "gateway/port.h"

#include <pthread.h>

#define LEASE_MS        30000 /* without a beat the lease is anybody's */
#define BEAT_MS         5000
#define LOOP_MS         50 /* how soon a request in the journal is seen */
#define STEP_TEXT_BYTES 16384
#define TOLD_BYTES      65536
#define RECORD_BYTES    ((size_t) 64 * 1024 * 1024) /* of a release at a host */

struct json_t; /* of jansson, whose header does not go with base/json.h */

extern const char *const note_status_name[], *const note_mode_name[], *const note_direction_name[],
                                                                          *const note_kind_name[];

struct task {
    struct controller *c;
    struct release_op op;
    pthread_t thread;
    atomic_bool cancelled;
    uint64_t deadline_ms; /* clock_mono_ms */
    enum release_outcome outcome;
    uint64_t instance;
    bool salts;             /* OP_SHARE: the first one of a walk chooses the salt */
    struct buf told;        /* lines worth reading, in the order in which they were said */
    struct task *next;      /* of those that run; the owner's */
    struct task *next_done; /* under the mutex */
};

/* What is known of a step beside the engine's own. */
struct step_text {
    char *text; /* owned; NULL: nothing */
    uint64_t began_ms, took_ms;
};

struct controller {
    struct controller_options options;
    const struct release_config *config;
    const struct driver *driver;
    struct router *router; /* routers of the config; owned */
    char *bearer;          /* owned; NULL: none */
    struct err broken;     /* of the construction; code 0: fine */

    struct release_header header;
    struct release *release;
    uint64_t number, seq;
    bool is_new;               /* begun in this life */
    bool more;                 /* a note to the same hosts follows the one that is written */
    struct step_text *text[2]; /* total of each plan */
    size_t texts[2];
    struct buf result; /* what the operation that just ended told */

    /* the lease */
    char token[33];
    bool locked;
    atomic_bool fenced;
    atomic_bool beating;
    pthread_t beat;
    bool has_beat;
    struct err lock_err;
    struct buf unsent; /* lines for all hosts from before there was a lease */

    /* operations */
    struct task *running;
    pthread_mutex_t mutex; /* of done and asked */
    pthread_cond_t cond;
    struct task *done;
    struct buf asked; /* requests that lay on hosts, lines */

    bool ended;
    bool has_refusal;
    enum release_refusal refusal;
    enum release_event_kind asked_kind; /* the last command */
    bool pause_said;
    char obeyed[17];        /* the id of the last request */
    const char *answer;     /* to it */
    const char *told_state; /* the last state that was told in this life */
};

/* notes.c: a note as JSON and back. ERR_INVALID: not one of ours, or of a host or step we lack. */
void controller_note_write(const struct release_config *config, const struct release_note *note,
                           const char *text, uint64_t took_ms, struct buf *b);
int controller_note_read(const struct release_config *config, const struct json_t *json,
                         struct release_note *ret, struct err *err);

/* header.c */
void controller_header_write(const struct release_config *config,
                             const struct release_header *header, struct buf *b);
int controller_header_read(const struct release_config *config, const struct json_t *json,
                           struct release_header *ret, struct err *err);

/* write.c: what is written before anything is done. */
int controller_write_line(struct controller *c, int host, struct str json, struct err *err);
int controller_write_note(struct controller *c, const struct release_note *note, const char *text,
                          uint64_t took_ms, struct err *err);
/* To one host.  ERR_CONFLICT: the lease is another's; else the host lacks the line, which is told.
 */
int controller_send(struct controller *c, int host, struct str line, struct err *err);
/* Lines from before the lease go to the hosts. */
int controller_send_unsent(struct controller *c, struct err *err);

/* ops.c */
void controller_start(struct controller *c, const struct release_op *op);
void controller_cancel(struct controller *c, uint32_t id);
/* The next that is done, within wait_ms; NULL: none.  To be given to controller_forget. */
struct task *controller_next(struct controller *c, uint64_t wait_ms);
void controller_forget(struct task *take_task);
/* One operation by itself, to its end. */
int controller_do(struct controller *c, const struct release_op *op, struct err *err);
void task_tell(struct task *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The error as text and as an outcome. */
enum release_outcome task_fail(struct task *t, const struct err *err);
bool task_is_over(const struct task *t);
/* Sleeps; false: cancelled or late before that. */
bool task_sleep(struct task *t, uint64_t ms);

/* places */
struct driver_place controller_place_of(struct controller *c, int host, enum release_slot slot,
                                        enum release_version version, struct task *t,
                                        struct buf *told);
const char *controller_version(const struct controller *c, int host, enum release_version version);
const char *controller_variant(const struct controller *c, int host, enum release_version version,
                               enum release_track track);
/* The address that routers know for a slot of a host. */
int controller_address(const struct controller *c, int host, enum release_slot slot, char out[256],
                       struct err *err);
struct port_routers controller_routers(struct controller *c, struct task *t);

/* What an operation does; in its own thread. */
enum release_outcome task_at_host(struct task *t);   /* ops_host.c */
enum release_outcome task_at_router(struct task *t); /* ops_router.c */
enum release_outcome task_test(struct task *t);      /* ops_test.c */

/* look.c: whether the slot's peer is ready and passing at every router. */
int controller_peer(struct controller *c, const char *address, const atomic_bool *cancelled,
                    uint64_t deadline_ms, bool *ret_serves, enum release_track *ret_track,
                    char text[64], struct err *err);

/* controller.c */
void controller_forget_release(struct controller *c);
int controller_load_found(struct controller *c, const struct journal_release *found,
                          struct err *err);
/* What the hosts know of the newest release comes into the journal. */
int controller_import_newest(struct controller *c, struct err *err);
/* The same of one release.  ERR_NOT_FOUND: no host has it. */
int controller_import(struct controller *c, const char *id, struct err *err);
/* The record that a host has of a release, the newest for id NULL. */
int controller_read_record(struct controller *c, int host, const char *id, struct buf *b);

/* takeover.c: before another life goes on. */
int controller_take_over(struct controller *c, struct err *err);

/* ask.c: a process of this machine that is gone. owner: as a lease has it. */
bool controller_owner_is_dead(const char *owner);

/* ended.c: by the lines alone, the state in which a release ended, and when. */
bool controller_ended(const struct journal_lines *lines, char state[32], uint64_t *ret_at_ms);
/* Into the journal, when it is so. */
int controller_close_ended(struct controller *c, const char *id, struct err *err);

/* plan_hash.c: of what the steps of a plan are, and in which order; 16 hex digits. */
void controller_plan_hash(const struct controller *c, char out[17]);
/* The release that was read and planned is the one that was begun.  ERR_INVALID: another
 * release.yaml. */
int controller_check_plan(const struct controller *c, struct err *err);

/* life.c */
int controller_have_lock(struct controller *c, struct err *err);
void controller_drop_lock(struct controller *c);
void controller_tell(struct controller *c, const struct controller_event *event);
void controller_make_texts(struct controller *c);
