#pragma once
/*
 * What a release that stopped says: what failed and where, what was seen, what was done about it,
 * what is where now, how visitors are, and the commands for both ways on.
 */
#include "cli/view.h"

#define HALT_TEXT_MAX 2000 /* of what was seen; logs have the rest */

/* What became of the host whose step failed. */
enum halt_done {
    HALT_UNTOUCHED, /* nothing had to be done: it serves as before */
    HALT_PUT_BACK,  /* it serves again */
    HALT_SHUT,      /* out of the routers, everything of the release stopped */
    HALT_STUCK,     /* neither could be done */
};

struct halt_host {
    const char *name, *dc, *version, *state;
};

struct halt {
    const char *state; /* release_state_name */
    enum release_direction direction;
    bool has_step; /* else people paused it */
    enum release_step_kind kind;
    enum release_outcome outcome;
    bool hold;             /* of a dwell: only people go on from here */
    const char *host, *dc; /* NULL: a step of the whole service */
    const char *words;     /* of the step */
    const char *text;      /* what was seen; "" nothing */
    const char *from, *to;
    const char *options; /* " -e staging" */
    uint64_t number;     /* of history; 0: unknown */
    uint32_t share_ppm;  /* at the routers, or as the release set it last */
    uint32_t step_ppm;   /* of a share or dwell that failed */
    enum halt_done done;
    const char *done_text; /* why it could not be done; "" */
    bool any_left;         /* some host has left the routers since the release began */
    bool barrier;
    bool is_train;
    const struct halt_host *at; /* what is where */
    size_t hosts;
};

/* The whole message, several lines. */
void halt_message(const struct halt *h, struct buf *b);
/* The same of a view. */
void halt_of_view(const struct view *v, struct buf *b);
