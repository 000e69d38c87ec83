#pragma once
/* One event of a release as a line: for logs of CI, and for programs. */
#include "cli/view.h"
#include "controller/controller.h"

/* "14:03:09 west-1     stop      done 1.2s  text\n", in the zone of TZ. */
void event_line(const struct view *v, const struct controller_event *e, struct buf *b);
/* {"event":"step",...}\n */
void event_json(const struct view *v, const struct controller_event *e, struct buf *b);
/* Takes it over into what is shown. */
void event_apply(struct view *v, const struct controller_event *e);
/* "14:03:09" */
void event_clock(struct buf *b, uint64_t wall_ms);
