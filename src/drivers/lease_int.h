#pragma once
/*
 * The lease of a host: FOLDER/lease, one JSON object
 *     {"owner": "ada@laptop", "token": "...", "taken_ms": ..., "expires_ms": ...,
 *      "boot": "...", "expires_boot_ms": ...}
 * written by rename while FOLDER/lease.lock is held.  Times are the host's: wall clock, and time
 * since it was started, which counts as long as it is the same life of the machine (the wall clock
 * may jump).  A lease that has expired is still its owner's until somebody takes it.
 */
#include "drivers/driver.h"

int lease_take(const struct driver_place *p, const char *owner, uint64_t ttl_ms, bool force,
               struct err *err);
int lease_beat(const struct driver_place *p, uint64_t ttl_ms, struct err *err);
int lease_drop(const struct driver_place *p, struct err *err);
int lease_read(const struct driver_place *p, char owner[256], uint64_t *ret_left_ms,
               struct err *err);

/*
 * Begins a change: takes the lock and looks whether the lease is p's; as long as it is held nobody
 * can take the lease over.  For the short moment of acting only, not for waits.  ERR_CONFLICT: it
 * is another's, nothing may be done.  lease_leave(-1) is fine.
 */
int lease_enter(const struct driver_place *p, int *ret_fd, struct err *err);
void lease_leave(int fd);
