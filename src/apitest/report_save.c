/* Reports into files: whole or not at all. */
#include "apitest/report.h"

#include "base/cleanup.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, struct str text)
{
    while (text.len > 0) {
        ssize_t n = write(fd, text.ptr, text.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -1;
        }
        text = (struct str){text.ptr + n, text.len - (size_t) n};
    }
    return 0;
}

/* A pipe, a terminal or /dev/stdout cannot be renamed over. */
static bool is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static int save_special(const char *path, struct str text, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool bad = fd < 0 || write_all(fd, text) != 0;
    int errnum = errno;
    if (fd >= 0 && close(fd) != 0 && !bad) {
        bad = true;
        errnum = errno;
    }
    return bad ? err_errno(err, errnum, "%s: cannot be written", path) : 0;
}

int apitest_report_save(const char *path, struct str text, struct err *err)
{
    if (str_eq_cstr(str_of(path), "-")) {
        return write_all(STDOUT_FILENO, text) == 0
                   ? 0
                   : err_errno(err, errno, "standard output: cannot be written");
    }
    if (is_special(path)) {
        return save_special(path, text, err);
    }
    struct buf b;
    buf_init(&b, 8192);
    buf_addf(&b, "%s.XXXXXX", path);
    _cleanup_(mem_freep) char *temporary = mem_strdup_str(buf_str(&b));
    buf_done(&b);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0) {
        return err_errno(err, errno, "%s: cannot be written", path);
    }
    bool bad = write_all(fd, text) != 0 || fchmod(fd, 0644) != 0 || fsync(fd) != 0;
    int errnum = errno;
    if (close(fd) != 0 && !bad) {
        bad = true;
        errnum = errno;
    }
    if (!bad && rename(temporary, path) != 0) {
        bad = true;
        errnum = errno;
    }
    if (bad) {
        (void) unlink(temporary);
        return err_errno(err, errnum, "%s: cannot be written", path);
    }
    return 0;
}
