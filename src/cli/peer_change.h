#pragma once
/*
 * Changes of peers on all routers and how they are told; used by drain, undrain, down, add, remove
 * and weight.
 */
#include "cli/cmd.h"
#include "gateway/drain.h"

struct peer_change {
    const char *what;   /* "undrain" */
    const char *done;   /* what a peer then is: "ready" */
    const char *method; /* of the call */
    struct str body;    /* ptr NULL: none */
    bool takes_out;     /* not done where stable would be left without a peer, but by --force */
    bool adds;          /* the peer need not be there before */
    bool insists;       /* a router that cannot be reached is tried again until --timeout */
    /* Whether the change shows.  view NULL: the router does not have the peer. */
    bool (*holds)(const struct peer_view *view, const struct cli *cli);
};

struct peer_work {
    struct cli *cli;
    const struct peer_change *change;
    struct peer_ref ref[CLI_OPERANDS_MAX]; /* n: the operands */
    size_t n;
    struct fleet_result *result;     /* n for each router */
    struct drain_requests *requests; /* the same */
};

/*
 * Opens the routers and says the change to each that has the peers, until --timeout.  peers: how
 * many operands are peers.  Nothing is said anywhere when an operand is wrong (ERR_INVALID), no
 * router has it (ERR_NOT_FOUND), none is reached (ERR_UNREACHABLE), or stable would be left without
 * a peer that takes requests (ERR_CONFLICT).
 */
int peer_work_begin(struct cli *cli, const struct peer_change *change, size_t peers,
                    struct peer_work *ret, struct err *err) __attribute__((warn_unused_result));

/* A table of all peers at all routers, with what became of them. */
void peer_work_table(const struct peer_work *work, struct buf *b);

/* Prints how it ended, frees, and returns the exit code: the worst of all. */
enum exit_code peer_work_end(struct peer_work *work);

/* All of it, without a wait in between. */
enum exit_code peer_change_run(struct cli *cli, const struct peer_change *change, size_t peers);
