/* Files of a host's folder: see files_int.h. */
#include "drivers/files_int.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/vec.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TREE_DEPTH_MAX 128

int path_print(char out[PATH_BYTES], struct err *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(out, PATH_BYTES, fmt, args);
    va_end(args);
    if (n < 0 || n >= PATH_BYTES) {
        out[0] = '\0';
        return err_set(err, ERR_FULL, "a path of %d bytes: at most %d can be used", n,
                       PATH_BYTES - 1);
    }
    return 0;
}

bool name_is_plain(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "._+-";
    size_t len = text == NULL ? 0 : strlen(text);
    return len >= 1 && len <= 127 && text[0] != '.' && text[0] != '-' &&
           strspn(text, allowed) == len;
}

int name_check(const char *what, const char *text, struct err *err)
{
    if (name_is_plain(text)) {
        return 0;
    }
    return err_set(err, ERR_INVALID,
                   "%s \"%.140s\" names a file on the host: letters, digits and ._+- can be in it, "
                   "not a dot or minus at its start, at most 127 bytes",
                   what, text == NULL ? "" : text);
}

int folder_make(const char *path, bool secret, struct err *err)
{
    char part[PATH_BYTES];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof part) {
        return err_set(err, ERR_INVALID, "\"%.200s\" is no path of a folder", path);
    }
    for (size_t i = 1; i <= len; i++) {
        if (i < len && path[i] != '/') {
            continue;
        }
        memcpy(part, path, i);
        part[i] = '\0';
        if (mkdir(part, i == len && secret ? 0700 : 0755) != 0 && errno != EEXIST) {
            return err_errno(err, errno, "folder %s cannot be made", part);
        }
    }
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
        return err_set(err, ERR_IO, "%s is there and is no folder", path);
    }
    return 0;
}

int folder_sync(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) {
        int errnum = errno;
        if (fd >= 0) {
            (void) close(fd);
        }
        return err_errno(err, errnum, "folder %s cannot be synced", path);
    }
    (void) close(fd);
    return 0;
}

int write_all(int fd, const void *data, size_t len)
{
    const char *p = data;
    while (len > 0) {
        ssize_t n = write(fd, p, len);
        if (n < 0 && errno != EINTR) {
            return -1;
        }
        if (n > 0) {
            p += n;
            len -= (size_t) n;
        }
    }
    return 0;
}

static int parent_of(const char *path, char out[PATH_BYTES])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t) (slash - path);
    memcpy(out, path, len);
    out[len] = '\0';
    return 0;
}

int file_put(const char *path, struct str text, unsigned mode, bool synced, struct err *err)
{
    char temporary[PATH_BYTES], folder[PATH_BYTES];
    uint64_t number;
    (void) parent_of(path, folder);
    if (rand_bytes(&number, sizeof number) < 0) {
        return err_set(err, ERR_IO, "no random bytes for a file's name");
    }
    int rc = path_print(temporary, err, "%s/.%016" PRIx64 ".tmp", folder, number);
    if (rc < 0) {
        return rc;
    }
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        return err_errno(err, errno, "%s cannot be written", path);
    }
    bool good = fchmod(fd, mode) == 0 && write_all(fd, text.ptr, text.len) == 0 &&
                (!synced || fsync(fd) == 0);
    int errnum = errno;
    if (close(fd) != 0 && good) {
        good = false;
        errnum = errno;
    }
    if (good && rename(temporary, path) != 0) {
        good = false;
        errnum = errno;
    }
    if (!good) {
        (void) unlink(temporary);
        return err_errno(err, errnum, "%s cannot be written", path);
    }
    return synced ? folder_sync(folder, err) : 0;
}

int file_get(const char *path, struct buf *b, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int errnum = errno;
        if (errnum == ENOENT || errnum == ENOTDIR) {
            return err_set(err, ERR_NOT_FOUND, "%s is not there", path);
        }
        return err_errno(err, errnum, "%s cannot be read", path);
    }
    int errnum = file_read_all(fd, b);
    (void) close(fd);
    if (errnum == EFBIG) {
        return err_set(err, ERR_FULL, "%s has more than %zu bytes", path, b->max);
    }
    return errnum == 0 ? 0 : err_errno(err, errnum, "%s cannot be read", path);
}

int file_remove(const char *path, struct err *err)
{
    if (unlink(path) != 0 && errno != ENOENT) {
        return err_errno(err, errno, "%s cannot be removed", path);
    }
    return 0;
}

static bool is_dot(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* 0, or errno of the first thing that could not be removed. */
static int remove_at(int at, const char *name, unsigned depth)
{
    if (unlinkat(at, name, 0) == 0 || errno == ENOENT) {
        return 0;
    }
    if (errno != EISDIR && errno != EPERM) {
        return errno;
    }
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || depth > TREE_DEPTH_MAX) {
        int errnum = fd < 0 ? errno : ELOOP;
        if (fd >= 0) {
            (void) close(fd);
        }
        return errnum;
    }
    (void) fchmod(fd, 0700); /* a copied folder may be read only */
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        (void) close(fd);
        return ENOMEM;
    }
    int rc = 0;
    const struct dirent *entry;
    while (rc == 0 && (entry = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own dir */
        rc = is_dot(entry->d_name) ? 0 : remove_at(dirfd(dir), entry->d_name, depth + 1);
    }
    (void) closedir(dir);
    if (rc == 0 && unlinkat(at, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
        rc = errno;
    }
    return rc;
}

int tree_remove(const char *path, struct err *err)
{
    int errnum = remove_at(AT_FDCWD, path, 0);
    return errnum == 0 ? 0 : err_errno(err, errnum, "%s cannot be removed", path);
}

static uint64_t bytes_at(int at, const char *name, unsigned depth)
{
    struct stat st;
    if (fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return 0;
    }
    uint64_t sum = (uint64_t) st.st_blocks * 512;
    int fd = S_ISDIR(st.st_mode) && depth <= TREE_DEPTH_MAX
                 ? openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                 : -1;
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (dir == NULL) {
        if (fd >= 0) {
            (void) close(fd);
        }
        return sum;
    }
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own dir */
        sum += is_dot(entry->d_name) ? 0 : bytes_at(dirfd(dir), entry->d_name, depth + 1);
    }
    (void) closedir(dir);
    return sum;
}

uint64_t tree_bytes(const char *path)
{
    return bytes_at(AT_FDCWD, path, 0);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

int folder_names(const char *path, struct names *ret, struct err *err)
{
    VEC(char *) found = {0};
    DIR *dir = opendir(path);
    *ret = (struct names){0};
    if (dir == NULL) {
        return errno == ENOENT ? 0 : err_errno(err, errno, "folder %s cannot be read", path);
    }
    const struct dirent *entry;
    while ((entry = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own dir */
        if (entry->d_name[0] != '.') {
            vec_push(&found, mem_strdup(entry->d_name));
        }
    }
    (void) closedir(dir);
    if (found.len > 1) {
        qsort(found.ptr, found.len, sizeof found.ptr[0], by_name);
    }
    *ret = (struct names){found.ptr, found.len, found.cap};
    return 0;
}

void names_done(struct names *names)
{
    for (size_t i = 0; i < names->len; i++) {
        mem_free(names->ptr[i]);
    }
    mem_free(names->ptr);
    *names = (struct names){0};
}
