#pragma once
/* How releases are begun; see cmd_release.c. */
#include "cli/room.h"

/* Can stand in a folder's name and an image's tag: A-Z a-z 0-9 . _ + -, at most 120.  ERR_INVALID.
 */
int release_version_check(const char *version, struct err *err);
/* Asks on a terminal, unless the room is of several; begins, runs. */
enum exit_code release_begin(struct room *r, const struct controller_wish *wish);
/* The same; a train that walks stands still meanwhile, and goes on with the new version. */
enum exit_code release_begin_beside_train(struct room *r, const struct controller_wish *wish);
