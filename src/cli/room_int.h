#pragma once
/* The room's own: what a controller tells, and how a release that runs is shown. */
#include "cli/room.h"

void room_tell(const struct controller_event *event, void *ctx);
