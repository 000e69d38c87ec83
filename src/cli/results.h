#pragma once
/* What became of orders at routers, as text, JSON and exit code. */
#include "base/buf.h"
#include "base/json.h"
#include "cli/exits.h"
#include "gateway/order.h"

/*
 * One result for each router that was just read: those that were not reached are not proved.  The
 * others are untouched, or, when nothing will be changed, proved.  To be freed.
 */
struct fleet_result *results_new(const struct fleet *fleet, bool changes);
/* The worst of one result for each router, and in err why. */
enum exit_code results_judge(const struct fleet *fleet, const struct fleet_result *result,
                             struct err *err);

/* 0: proved; 4: not in time; 3: no answer; 1: refused, or not saved; 130: interrupted. */
enum exit_code result_exit(const struct fleet_result *r);
/* Whether a is worse than b: later in the list above. */
bool result_worse(enum exit_code a, enum exit_code b);

/* "drained", "refused: ..."; done: what it is called when it is proved. */
void result_text(const struct fleet_result *r, const char *done, struct buf *b);
/* Members of an object: result, saved, error. */
void result_json(const struct fleet_result *r, struct json_writer *w);
