#pragma once
/* Command lines that people copy. */
#include "base/buf.h"

/* Appends a word for the shell, quoted when it needs to be. */
void shell_word(struct buf *b, const char *word);
