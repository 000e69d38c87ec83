#pragma once
/* What fleet.c offers to the changes in change.c. */
#include "gateway/fleet.h"

/* Starts a call; r->err and r's answer are set before then(r), which may be NULL. */
void fleet_start_read(struct fleet_router *r, void (*then)(struct fleet_router *r));
/* if_revision NULL: "any". */
void fleet_start_put(struct fleet_router *r, const struct router_patch *patch, uint64_t revision,
                     const uint64_t *if_revision, void (*then)(struct fleet_router *r));
/* Waits until no call is under way. */
void fleet_settle(struct fleet *fleet);
bool fleet_interrupted(const struct fleet *fleet);
/* Sets err to a copy of the router's with "router NAME: " in front. */
int fleet_blame(const struct fleet_router *r, struct err *err);
