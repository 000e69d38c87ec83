#pragma once
/* A folder of a test's own, and what lies in it. */
#include "support/t.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    char path[64];
};

/* In memory where the system has that: what is tested is not the disk. */
static inline struct folder folder_new(void)
{
    struct folder f = {"/dev/shm/pourover-test-XXXXXX"};
    if (mkdtemp(f.path) == NULL) {
        f = (struct folder){"/tmp/pourover-test-XXXXXX"};
        assert_non_null(mkdtemp(f.path));
    }
    return f;
}

static inline int folder_remove_one(const char *path, const struct stat *st, int kind,
                                    struct FTW *ftw)
{
    (void) st;
    (void) kind;
    (void) ftw;
    return remove(path);
}

static inline void folder_done(const struct folder *f)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    assert_int_equal(nftw(f->path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

struct folder_name {
    char path[256];
};

static inline struct folder_name folder_name(const struct folder *f, const char *name)
{
    struct folder_name n;
    (void) snprintf(n.path, sizeof n.path, "%s/%s", f->path, name);
    return n;
}

static inline void folder_write(const char *path, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t) len);
    assert_int_equal(close(fd), 0);
}

/* The bytes of a file of less than size bytes. */
static inline size_t folder_read(const char *path, void *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    ssize_t n = read(fd, out, size);
    assert_true(n >= 0 && (size_t) n < size);
    assert_int_equal(close(fd), 0);
    return (size_t) n;
}
