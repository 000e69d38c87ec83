/*
 * The health of one peer: what checks, requests and the peer itself say of it, as one state. Pure.
 *
 * States
 *   unchecked  nobody looks: the service has no active checks, and requests do not fail in a row
 *   unknown    checks are made, none has ended yet
 *   up         the checks pass
 *   down       they do not, or the peer said so, or it is ejected: too many requests in a row
 * failed
 *
 * Arrows
 *   unchecked -> unknown    HEALTH_WATCHED: the service has checks now
 *   unknown   -> up, down   the first check decides, either way
 *   up        -> down       `fall` checks in a row failed; HEALTH_TOLD or HEALTH_EJECT at once
 *   down      -> up         `rise` checks in a row passed, and it is not ejected (any more)
 *   unchecked -> down       HEALTH_EJECT
 *   down      -> unchecked  HEALTH_EJECT_OVER without checks; HEALTH_UNWATCHED unless it is ejected
 *   any       -> unchecked  HEALTH_UNWATCHED
 *
 * What holds
 *   - Health says nothing of what was asked of a peer (enum peer_state): no check, passed or
 * failed, ends a drain or begins one.
 *   - A streak counts what came in a row, and goes on over everything but its opposite.
 *   - While ejected a peer is down, whatever its checks say.
 *   - Without checks no result of one counts.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum health { HEALTH_UNCHECKED, HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN, HEALTH_COUNT };

enum health_event {
    HEALTH_PASS,       /* a check passed */
    HEALTH_FAIL,       /* a check failed */
    HEALTH_TOLD,       /* an answer of the peer said that it is to be taken out; only if checked */
    HEALTH_EJECT,      /* too many requests in a row failed */
    HEALTH_EJECT_OVER, /* the time of the ejection has passed */
    HEALTH_WATCHED,    /* the service has active checks */
    HEALTH_UNWATCHED,  /* it has none */
};

struct health_rule {
    uint32_t rise, fall; /* at least 1 */
};

struct health_state {
    enum health health;
    bool checked;    /* the service has active checks */
    bool ejected;    /* by requests, for a time */
    bool passing;    /* which way the streak goes */
    uint32_t streak; /* checks in a row, 0: none yet */
};

/* Takes the event. Returns whether the health is another now. */
bool health_step(struct health_state *state, enum health_event event,
                 const struct health_rule *rule);

const char *health_name(enum health health); /* "up" */
