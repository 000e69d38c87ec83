#pragma once
/* Makes what is shown of a controller's views. */
#include "cli/view.h"
#include "controller/controller.h"

/* The release's plan, states and texts; hosts as it found them.  Without a release: hosts alone. */
void view_fill(struct view *v, const struct controller *c, const struct release_config *config);
/* Where everything is. */
void view_fill_look(struct view *v, const struct controller_look *look);
