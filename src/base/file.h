#pragma once
/* Whole files into memory. */
#include "base/buf.h"

/*
 * Appends what the descriptor gives until its end.  Returns 0, a positive errno value of read, or
 * EFBIG when it is more than b takes (b->failed is set then).
 */
int file_read_all(int fd, struct buf *b) __attribute__((warn_unused_result));
