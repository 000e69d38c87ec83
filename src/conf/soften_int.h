#pragma once
/*
 * Two things that people write without quotes inside of [..] and {..}, where YAML would end a
 * scalar at their brackets: variables and paths with an index.
 *
 *     {sku: ${sku}, save: responses[0].order.id}
 *
 * Before libyaml reads a text, the brackets of ${NAME} and of WORD[N] are replaced by a private
 * character each, so that places stay the same; in every scalar that comes out they are put back.
 * No valid YAML changes its meaning: in quotes, comments and blocks the brackets come back as they
 * were, and in flow context they were an error.
 */
#include "base/arena.h"
#include "base/str.h"

/* A view of text itself when there is nothing to replace; ptr NULL: the arena is full. */
struct str conf_soften(struct str text, struct arena *arena);
/* Puts them back in place; returns the new length. */
size_t conf_harden(char *text, size_t len);
