#pragma once
/* Lines of the journal as the events that they stand for: for those who look on, or back. */
#include "cli/event.h"

struct journal_event {
    struct controller_event event;
    struct release_step_plan step;
    struct release_key key;
    char state[32];
    char *text;
};

/* False: the line is none that is shown.  To be done in both cases. */
bool journal_event_read(const struct release_config *config, const struct journal_line *line,
                        struct journal_event *ret);
/* Takes it over; steps that the present plan does not have are those of the way forward. */
void journal_event_apply(struct view *v, const struct journal_event *e);
void journal_event_done(struct journal_event *e);
