#include "cli/test_files.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILES_MAX 100000
#define SETTLE_MS 100 /* editors save in several steps */

static bool is_tests(const char *name)
{
    struct str s = str_of(name);
    return str_ends_with(s, STR(".yaml")) || str_ends_with(s, STR(".yml"));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

static void add_path(struct test_files *files, const char *dir, const char *name)
{
    struct buf b;
    buf_init(&b, 8192);
    buf_addf(&b, "%s%s%s", dir, str_ends_with(str_of(dir), STR("/")) ? "" : "/", name);
    char *path = mem_strdup_str(buf_str(&b));
    vec_push(&files->path, path);
    buf_done(&b);
}

static int add_dir(struct test_files *files, const char *path, struct err *err)
{
    size_t first = files->path.len;
    DIR *dir = opendir(path);
    if (dir == NULL) {
        return err_errno(err, errno, "%s: cannot be opened", path);
    }
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL && files->path.len < FILES_MAX) { /* NOLINT: one thread */
        if (entry->d_name[0] != '.' && is_tests(entry->d_name)) {
            add_path(files, path, entry->d_name);
        }
    }
    (void) closedir(dir);
    if (files->path.len == first) {
        return err_set(err, ERR_NOT_FOUND, "%s: no file *.yaml or *.yml in this folder", path);
    }
    qsort(files->path.ptr + first, files->path.len - first, sizeof(char *), by_name);
    return 0;
}

int test_files_find(struct test_files *files, const char *const *operand, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        struct stat st;
        if (strcmp(operand[i], "-") != 0 && stat(operand[i], &st) == 0 && S_ISDIR(st.st_mode)) {
            if (add_dir(files, operand[i], err) != 0) {
                return (int) err->code;
            }
            continue;
        }
        char *copy = mem_strdup(operand[i]);
        vec_push(&files->path, copy);
    }
    return 0;
}

void test_files_done(struct test_files *files)
{
    for (size_t i = 0; i < files->path.len; i++) {
        mem_free(files->path.ptr[i]);
    }
    vec_done(&files->path);
}

static bool matters(const char *buf, ssize_t len)
{
    for (ssize_t at = 0; at < len;) {
        struct inotify_event event;
        memcpy(&event, buf + at, sizeof event);
        const char *name = buf + at + sizeof event;
        if (event.len > 0 && (is_tests(name) || str_ends_with(str_of(name), STR(".proto")))) {
            return true;
        }
        at += (ssize_t) (sizeof event + event.len);
    }
    return false;
}

enum news { NEWS_NONE, NEWS_OTHER, NEWS_TESTS, NEWS_SIGNAL };

/* What comes within ms; -1: however long it takes. */
static enum news wait_once(int fd, int signals, int ms)
{
    char buf[4096];
    struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    if (poll(p, 2, ms) <= 0) {
        return NEWS_NONE;
    }
    if (p[1].revents != 0) {
        return NEWS_SIGNAL;
    }
    ssize_t n = read(fd, buf, sizeof buf);
    return n > 0 && matters(buf, n) ? NEWS_TESTS : NEWS_OTHER;
}

static int watch_dirs(int fd, const struct test_files *files, struct err *err)
{
    for (size_t i = 0; i < files->path.len; i++) {
        const char *path = files->path.ptr[i];
        const char *slash = strrchr(path, '/');
        char *dir = slash == NULL ? mem_strdup(".")
                                  : mem_strdup_str((struct str){path, (size_t) (slash - path) + 1});
        int wd = inotify_add_watch(fd, dir, IN_CLOSE_WRITE | IN_MOVED_TO);
        int errnum = errno;
        if (wd < 0) {
            (void) err_errno(err, errnum, "%s: cannot be watched", dir);
            mem_free(dir);
            return ERR_IO;
        }
        mem_free(dir);
    }
    return 0;
}

int test_files_watch(const struct test_files *files, int *ret_fd, struct err *err)
{
    int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (fd < 0) {
        return err_errno(err, errno, "--watch");
    }
    if (watch_dirs(fd, files, err) != 0) {
        (void) close(fd);
        return (int) err->code;
    }
    *ret_fd = fd;
    return 0;
}

bool test_files_wait(int fd)
{
    sigset_t wanted, before;
    enum news news = NEWS_NONE;
    (void) sigemptyset(&wanted);
    (void) sigaddset(&wanted, SIGINT);
    (void) sigaddset(&wanted, SIGTERM);
    (void) sigprocmask(SIG_BLOCK, &wanted, &before); /* NOLINT(concurrency-mt-unsafe): one thread */
    int signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    while (news != NEWS_TESTS && news != NEWS_SIGNAL && signals >= 0) {
        news = wait_once(fd, signals, -1);
    }
    while (news == NEWS_TESTS && wait_once(fd, signals, SETTLE_MS) != NEWS_NONE) {
    }
    if (signals >= 0) {
        struct signalfd_siginfo taken;
        (void) !read(signals, &taken, sizeof taken); /* or it would come once more below */
        (void) close(signals);
    }
    (void) sigprocmask(SIG_SETMASK, &before, NULL); /* NOLINT(concurrency-mt-unsafe): one thread */
    return news == NEWS_TESTS;
}
