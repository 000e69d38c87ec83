#pragma once
/*
 * Files of a host's folder.  What others may read is written to a temporary file and renamed; what
 * has to outlive a loss of power is synced, the file and its folder.
 */
#include "base/buf.h"
#include "base/err.h"

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

/* Paths here are made of a folder of the user and short names of ours. */
#define PATH_BYTES PATH_MAX

/* ERR_FULL: longer than PATH_BYTES - 1. */
__attribute__((format(printf, 3, 4))) int path_print(char out[PATH_BYTES], struct err *err,
                                                     const char *fmt, ...);

/*
 * Whether text can be one name of a path and of a release: letters, digits and "._+-", not
 * beginning with a dot or a minus, 1 to 127 bytes.
 */
bool name_is_plain(const char *text);
/* ERR_INVALID: `version "a/b": ...`. */
int name_check(const char *what, const char *text, struct err *err);

/* Makes the folder and those above it, mode 0755 (0700: `secret`). */
int folder_make(const char *path, bool secret, struct err *err);
int folder_sync(const char *path, struct err *err);

/* Writes the whole file by rename; synced: it and its folder are on the disk afterwards. */
int file_put(const char *path, struct str text, unsigned mode, bool synced, struct err *err);
/* Appends the file's text to b.  ERR_NOT_FOUND; ERR_FULL above b's maximum; ERR_IO. */
int file_get(const char *path, struct buf *b, struct err *err);
/* No such file is fine. */
int file_remove(const char *path, struct err *err);

/* Removes a folder with all that is in it, without following links.  No such folder is fine. */
int tree_remove(const char *path, struct err *err);
/* Bytes that a folder or file has on the disk; 0 when it cannot be read. */
uint64_t tree_bytes(const char *path);

/*
 * Names in a folder, sorted, NUL-terminated, without those that begin with a dot.  No such folder
 * gives none.  To be freed by names_done.
 */
struct names {
    char **ptr;
    size_t len, cap;
};
int folder_names(const char *path, struct names *ret, struct err *err);
void names_done(struct names *names);

/* Writes all; -1 with errno.  For pipes, sockets and files. */
int write_all(int fd, const void *data, size_t len);
