/*
 * Which track a request is on, and why. Pure: everything that is known of the request goes in.
 *
 * Order, first that applies:
 *   disabled         the service's split is switched off: stable
 *   forced           header, cookie or list said so
 *   version-cookie   the application's own cookie said so
 *   split            the visitor's bucket against the share
 *   no-id            nothing to cut by: stable, or a draw of its own for this request
 * and last: a canary without a live peer falls back to stable (fallback), here, before the
 * request's headers are made, so that what upstreams are told is true.
 */
#pragma once

#include "traffic/zone.h"

/* A track that something outside the cut asks for. */
enum wish { WISH_NONE, WISH_STABLE, WISH_CANARY };

struct decide_in {
    const struct split *split;
    struct str id; /* len 0: none */
    enum wish forced;
    enum wish version;
    bool no_id_random; /* without an id: draw by random instead of stable */
    uint64_t random;   /* 64 fresh bits, used only then */
    bool canary_live;  /* the canary has a ready peer, or the service has no peers of ours */
};

struct decision {
    enum track track;
    enum reason reason;
    bool has_u;
    uint64_t u;
    uint32_t bucket; /* valid if has_u */
};

struct decision decide(const struct decide_in *in);
