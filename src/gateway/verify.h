#pragma once
/*
 * Judges what test visitors found (probe.h): whether each router cuts visitors as its API says, by
 * facts that must hold for each of them, and by the exact interval of the share that was counted.
 */
#include "gateway/fleet.h"
#include "gateway/probe.h"

#define VERIFY_CERTAINTY 0.99 /* of `needed` */

enum verify_word {
    VERIFY_PROVED,
    VERIFY_NOTHING,     /* too few visitors to say anything, or none came */
    VERIFY_UNREACHABLE, /* no answer from the router, or from its visitors' address */
    VERIFY_LATE,        /* the deadline passed */
    VERIFY_WRONG,       /* a definite mismatch */
    VERIFY_CANCELLED,
};

struct verify_plan {
    const char *const *visit; /* visitors' addresses: one for all routers, or one for each */
    size_t n_visit;
    const char *host, *id_header; /* as of struct probe_plan */
    uint64_t visitors;
    bool cut_only;
    uint64_t timeout_ms, deadline_ms; /* of one visit; of all, 0: none */
    double confidence;
    const atomic_bool *interrupted; /* NULL: none */
};

struct verify_result {
    const struct fleet_router *router;
    enum verify_word word;
    char message[600]; /* why, when it is not proved */
    bool has_facts;
    struct probe_facts facts;
    double confidence;
    double share;           /* expected: 0 when disabled */
    uint64_t fresh, canary; /* of both passes */
    double low, high;       /* interval around canary / fresh, when fresh > 0 */
    double other;           /* a share that would be seen ... */
    uint64_t needed;        /* ... with VERIFY_CERTAINTY from so many visitors */
};

/*
 * Reads split and token of every router and sends the visitors.  result: one for each router.
 * Returns the worst: the last in the order of the enum.
 */
enum verify_word fleet_verify(struct fleet *fleet, const struct verify_plan *plan,
                              struct verify_result *result);

/* A share other than p that is worth noticing. */
double verify_other_share(double p);

/* One address before several routers: what another one answered says nothing about this one. */
bool verify_is_elsewhere(const struct verify_plan *plan, size_t routers,
                         const struct verify_result *r);
