#pragma once
/*
 * One call of port.h: its own loop, connections and fleet, and the machine that proves something at
 * every router.  Each router goes its own way, so that one that hangs costs the others nothing:
 *
 *     IDLE -> STATUS -> SERVICE [-> STATS]    reads, when it is due
 *     a reading -> HOLDS                      the goal's judge is content
 *     a reading -> SAYING -> STATUS           it wants an order to be said; then it is read back
 *     a reading -> IDLE                       not yet; due again after poll_ms
 *     any without an answer -> IDLE           due again after RETRY_MS
 *     any -> REFUSED                          the router, or the judge, says no for good
 *
 * All is proved when every router HOLDS by readings that lie close together: those that held long
 * before the last one are read again, so that what changed there meanwhile is seen.
 */
#include "gateway/fleet_int.h"
#include "gateway/peers.h"
#include "gateway/port.h"

#define PORT_CALL_MS 2000 /* for one call; a router that is slower counts as silent */

struct port;

enum port_word { PORT_HOLDS, PORT_WAIT, PORT_SAY, PORT_NEVER };

/* What is to hold at every router. */
struct port_goal {
    const char *what; /* "127.0.0.1:80 is not proved drained" */
    /*
     * Judges what was just read of router i.  why: to be set but for PORT_HOLDS; a code of
     * ERR_TIMEOUT is what the call says when the deadline passes.  PORT_SAY: p->row[i] has the
     * order.
     */
    enum port_word (*judge)(struct port *p, size_t i, struct err *why);
    void *ctx;
    bool changes; /* what holds has to be saved, too */
    bool stats;   /* r->stats is read, too */
};

enum port_state { PORT_IDLE, PORT_READING, PORT_SAYING, PORT_PROVED, PORT_REFUSED };

struct port_row {
    enum port_state state;
    uint64_t due_ms, began_ms, proved_ms;
    unsigned said;     /* how often the router has answered an order, and it did not show */
    bool shown;        /* for the judge: it has been seen as wanted */
    bool lacks;        /* for the judge: the router does not have the peer */
    struct err why;    /* why it is not proved yet, or refused */
    struct err answer; /* to the order that was said last; code 0: it was taken */
    const char *method;
    char body[512];
};

struct port {
    struct fleet fleet; /* first: a router finds its port by it */
    const struct port_routers *at;
    struct io_loop *loop;
    struct http_client *http;
    struct io_timer *tick; /* wakes the loop to look at the flag of another thread */
    struct peer_ref ref;   /* whom orders are about */
    const struct port_goal *goal;
    struct port_row *row; /* one a router */
    bool stop;            /* a refusal: routers that were not asked yet are asked, none again */
    uint64_t began_ms;    /* port_prove */
    uint64_t pass_ms;     /* when all held: what was read long before is read again */
};

/* ERR_INVALID: no routers, too many, or names that cannot be.  address NULL: the call is about no
 * peer.  To be closed also after an error. */
int port_open(struct port *p, const struct port_routers *at, const char *address, struct err *err)
    __attribute__((warn_unused_result));
void port_close(struct port *p);

/* Runs the machine until all is proved, or until the deadline.  Errors as of port.h. */
int port_prove(struct port *p, const struct port_goal *goal, struct err *err)
    __attribute__((warn_unused_result));
/* The same for status and service of every router, whatever they are. */
int port_read(struct port *p, bool stats, struct err *err) __attribute__((warn_unused_result));

/* The order about the peer that the machine says at PORT_SAY; body: JSON, ptr NULL: none. */
void port_order(struct port_row *row, const char *method, struct str body);

/* A line of p->at->told. */
void port_tell(const struct port *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

bool port_cancelled(const struct port *p);

/*
 * For judges to whom a router that lacks the peer is as good as one that drains it: PORT_HOLDS and
 * row->lacks.  It is PORT_NEVER when the router has had it in this call.
 */
enum port_word port_lacks(struct port *p, size_t i, struct err *why);
/* After that: ERR_NOT_FOUND when all routers lack it; else those that do are told. */
int port_check_lacking(const struct port *p, struct err *err) __attribute__((warn_unused_result));

/*
 * The peer at a router that was read.  PORT_HOLDS: view is set; PORT_NEVER: why (ERR_NOT_FOUND:
 * not there; ERR_CONFLICT: on both tracks, or of a name that has to be said instead).
 */
enum port_word port_find(const struct port *p, size_t i, struct peer_view *view, struct err *why);

/* --- pure parts --- */

/* Adds what one router sees; view NULL: the address is no peer there, or none is asked about. */
void port_capacity_add(const struct router_service *s, const struct peer_view *view, const char *dc,
                       bool first, struct port_capacity *all);

/* Which part of its track's requests the peer is to get, by the present weights: 0 to 1. */
double port_part(const struct router_service *s, const struct peer_view *view);
/* Whether that many requests to others cannot be chance for a peer with that part. */
bool port_is_left_out(double part, uint64_t others);

/* The counters of one router, and a look at all. */
struct port_seen {
    char instance[17];
    struct {
        uint64_t requests, errors;
        struct hist time;
    } track[TRACKS];
};

struct port_look {
    size_t n;
    struct port_seen *seen; /* n, owned; in the order of the routers */
};

/* seen: zeroed. */
void port_seen_set(const struct router_stats *stats, struct port_seen *seen);
