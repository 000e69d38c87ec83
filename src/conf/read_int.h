#pragma once
/* Reading a file's bytes apart from parsing them, for messages that show the line. */
#include "base/buf.h"
#include "base/err.h"

/*
 * path: "-" is standard input.  b: uninitialized; to be done in any case when it was zeroed before.
 * ERR_IO, or ERR_FULL above CONF_BYTES_MAX.
 */
int conf_text_read(const char *path, struct buf *b, struct err *err)
    __attribute__((warn_unused_result));

/* How messages call the file. */
const char *conf_text_name(const char *path);
