#pragma once
/* The references of release.yaml and fleet.yaml in Markdown, from the tables of the loader. */
#include "base/buf.h"

void release_reference(struct buf *b);
void fleet_reference(struct buf *b);
