#pragma once
/*
 * What people see of a release, as plain data: made of a controller's views by view_fill.c, or by
 * hand in tests.  Everything that is printed of a release is a function of it to text.
 */
#include "base/buf.h"
#include "base/vec.h"
#include "release/plan.h"

#define VIEW_HOST_MAX 64

/* What lives in a slot of a host, as far as it was looked at. */
struct view_copy {
    char version[200]; /* "2.0", "2.0 next": what runs or was started last; "" nothing */
    bool runs, known, serves;
    enum release_track track;
    char state[64]; /* at the routers: "ready, passing" */
    char dead[256]; /* "web: exit code 1, 3 times"; "" */
};

struct view_host {
    char name[VIEW_HOST_MAX];
    unsigned dc;
    bool looked; /* members below are known */
    bool reached;
    char error[256];
    struct view_copy copy[RELEASE_SLOTS];
    char lease[256];
    uint64_t lease_left_ms;
    char old_version[200]; /* what it had when the release began */
    bool served;           /* it served then */
    /* what is there now: kept by view_places and view_step_over */
    char now_version[200], now_state[320];
};

struct view_step {
    struct release_step_plan plan;
    enum release_step_status status;
    enum release_outcome outcome;
    unsigned attempt;
    uint64_t began_ms, took_ms; /* wall; 0: not known */
    char *text;                 /* the last that was told of it; owned; NULL: nothing */
    char *words;                /* what it is: "start 2.0 in slot a"; owned; NULL: not said */
};

struct view {
    char service[128], environment[64], kind[16];
    char from[200], to[200]; /* versions */
    char by[128], why[256], state[32];
    char reason[512]; /* of the state; "" */
    uint64_t number, began_ms, now_ms, ended_ms;
    enum release_mode mode;
    enum release_direction direction;
    bool barrier; /* what was migrated forbids to go back */
    bool none;    /* there is no release: only hosts, as they are */
    bool looked;  /* routers were asked: the share is theirs */
    uint32_t share_ppm;
    size_t routers, routers_reached;
    char routers_error[512];

    const char *const *dc; /* names; borrowed */
    size_t dcs;
    struct view_host *host; /* owned */
    size_t hosts;
    struct view_step *step;     /* total; owned */
    size_t len, total;          /* steps of the plan; with those of trouble behind them */
    VEC(struct view_step) past; /* on the way back: steps of the way forward, as they began */
    int culprit;                /* -1: none */
    enum release_outcome outcome;
    char options[256]; /* " -e staging": what commands that are proposed need, too */
};

void view_done(struct view *v);

/* Words for machines: prepare, pool, walk, stable, down, finish, shut. */
const char *view_part(unsigned part);
/* pending, running, done, failed, skipped */
const char *view_status(enum release_step_status status);
/* Name of the step's host; "" none. */
const char *view_host_of(const struct view *v, const struct view_step *s);
/* "10 %", "0.1 %" */
void view_share(struct buf *b, uint32_t share_ppm);
/* The text in one line: line feeds become "; ", control characters "?". */
void view_one_line(struct buf *b, const char *text);

/* The step of a key; NULL. */
struct view_step *view_find(const struct view *v, const struct release_key *key);

/* Sets now_version and now_state of all hosts: by the look where there was one, else by the steps
 * that are done. */
void view_places(struct view *v);
/* The same of one host, when a step of it is over. */
void view_step_over(struct view *v, const struct view_step *s);

/* The live block.  rows: of the terminal; where not all hosts fit, those that wait are counted; 0:
 * all fit. */
void view_block(const struct view *v, size_t rows, struct buf *b);
/* What stands at the end of a release that went its way. */
void view_summary(const struct view *v, struct buf *b);
/* The table of status: hosts, share, newest release, what to do next. */
void view_status_table(const struct view *v, struct buf *b);
/* Steps in the order of the plan, with times and texts; "<": of the way forward, before a rollback;
 * "!": what a host got in trouble. */
void view_steps_table(const struct view *v, struct buf *b);
/* The plan as text and as JSON. */
void view_plan(const struct view *v, struct buf *b);
void view_plan_json(const struct view *v, struct buf *b);
/* The state as one JSON object. */
void view_status_json(const struct view *v, struct buf *b);
/* A testsuite, a testcase a step. */
void view_junit(const struct view *v, struct buf *b);
/* Testsuites, one a service. */
void view_junit_all(const struct view *const *v, size_t n, struct buf *b);
