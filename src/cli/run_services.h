#pragma once
/*
 * Several services released, or restarted, in one run: all are looked at and planned before the
 * first is touched, then one after the other; one that stops, stops the run.
 */
#include "cli/services.h"

/* kind: "release", "restart".  The exit code is the first that is not EXIT_DONE. */
enum exit_code run_services(struct services *s, const char *kind);

/*
 * Of a release that was begun as one of several, by another process that is gone: which of them
 * were not begun, and the command for them.  Prints nothing when there are none.
 */
void run_services_tell_rest(const struct room *r);
