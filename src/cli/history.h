#pragma once
/* Releases of the past as text. */
#include "cli/view.h"
#include "journal/journal.h"

void history_table(const struct journal_releases *list, struct buf *b);
void history_json(const struct journal_releases *list, struct buf *b);
/* One release: what, who, why, and its steps. */
void show_text(const struct view *v, struct buf *b);
void show_json(const struct view *v, struct buf *b);
