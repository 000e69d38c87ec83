#pragma once
/*
 * Several routers as one: read all in parallel, change all or none, say who differs.
 *
 * Calls here run the loop until they are done or out of time.  What a router last said stands in
 * its struct fleet_router; `err.code` 0 means that the last round reached it.
 */
#include "base/buf.h"
#include "gateway/events.h"
#include "gateway/router.h"
#include "io/http.h"
#include "io/loop.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FLEET_MAX 64
#define FLEET_PATIENCE_MS                                                  \
    250 /* for silent routers, before a lowering goes to those that answer \
         */

enum fleet_outcome {
    FLEET_UNTOUCHED,  /* no change was tried */
    FLEET_PROVED,     /* read back as wanted */
    FLEET_NOT_PROVED, /* cannot be reached, or not read back yet */
    FLEET_REFUSED,    /* the router, or somebody else's change there, said no */
    FLEET_SET_BACK,   /* took the change and was brought back */
};

struct fleet;

struct fleet_router {
    struct router at;
    struct err err; /* of the last call; names no router */
    struct router_status status;
    struct router_service service;
    struct router_stats stats;
    struct router_token token;
    struct router_detail detail; /* of the peer that was asked for last */
    struct router_events events; /* the page that was read last */
    int64_t ahead_ms;            /* the router's clock against ours, by its last status */
    bool flag_file_left;         /* the last change could not remove the flag to fail */
    bool has_read;               /* service holds an answer, be it an old one */
    enum fleet_outcome outcome;
    struct err why; /* of an outcome other than proved; code 0: nothing to say */

    /* private */
    struct fleet *fleet;
    bool busy;
    struct http_call *call; /* while busy */
    unsigned kind;          /* of the call under way */
    void (*then)(struct fleet_router *r);
    uint64_t retry_at_ms;
};

struct fleet {
    struct io_loop *loop;
    struct http_client *http;
    const char *bearer;             /* token for the API; NULL: none */
    uint64_t call_ms;               /* timeout of one call */
    const atomic_bool *interrupted; /* ends waits that can be given up; NULL: none */
    char service[ROUTER_NAME_MAX];
    struct fleet_router *router; /* len, owned */
    size_t len;

    /* private: the change under way */
    const struct router_patch *patch;
    uint64_t goal;
};

/* Takes over the routers' addresses. */
void fleet_init(struct fleet *fleet, struct io_loop *loop, struct http_client *http,
                struct router *take_router, size_t n);
void fleet_done(struct fleet *fleet);

/* One round of parallel calls each; every router is reached or has its err when they return. */
void fleet_read_status(struct fleet *fleet);
/* As soon as one router is reached, the silent ones are given up after FLEET_PATIENCE_MS. */
void fleet_read_status_soon(struct fleet *fleet);
void fleet_read(struct fleet *fleet);
void fleet_read_stats(struct fleet *fleet);
void fleet_read_tokens(struct fleet *fleet);

/* A page of each router behind its cursor; a NULL cursor: that one is not asked. */
void fleet_read_events(struct fleet *fleet, const char *const *after);

/* The settings that events carry, with a page of one event. */
void fleet_read_watch(struct fleet *fleet);

/* The router's wall clock now. */
uint64_t fleet_clock(const struct fleet_router *r);

/*
 * After fleet_read_status: fixes fleet->service.  wanted NULL: the only service of the routers that
 * were reached.  ERR_INVALID (several: the message lists them, or none of that name),
 * ERR_UNREACHABLE (no router was reached).
 */
int fleet_choose_service(struct fleet *fleet, const char *wanted, struct err *err)
    __attribute__((warn_unused_result));

/*
 * After fleet_read: all were reached and have the same share, salt, enabled and revision.
 * ERR_UNREACHABLE, ERR_CONFLICT; the message names the routers and what they have.
 */
int fleet_agree(const struct fleet *fleet, struct err *err) __attribute__((warn_unused_result));

/* A router's "enabled 10%, salt r42, revision 41" as text. */
void fleet_split_text(const struct router_split *split, struct buf *b);

/*
 * Changes the split on all routers and reads it back; each router's outcome says how it went there.
 *
 * A change that can move a visitor to the canary on any router is a raise: refused without a call
 * unless every router is reached, none is being upgraded and all agree; and when one of them does
 * not take it, the others are set back.  Any other change is a lowering: it goes to each router as
 * soon as that can be reached, and is tried again there until deadline_ms.
 *
 * deadline_ms: by clock_mono_ms.  0: proved on all.  ERR_UNREACHABLE, ERR_CONFLICT (they differ, or
 * somebody else changed the split meanwhile), ERR_TIMEOUT, ERR_REMOTE, ERR_CANCELLED (lowering
 * only), ERR_DENIED, ERR_IO (in effect, but not saved).
 */
int fleet_change(struct fleet *fleet, const struct router_patch *patch, uint64_t deadline_ms,
                 struct err *err) __attribute__((warn_unused_result));

/*
 * Brings every router to the split with the highest revision.  Two different splits of one revision
 * (two writers at once): the one with fewer visitors on the canary wins under a new revision.
 * Routers that have to be lowered are, at once; the others wait until all can be reached.
 */
int fleet_sync(struct fleet *fleet, uint64_t deadline_ms, struct err *err)
    __attribute__((warn_unused_result));
