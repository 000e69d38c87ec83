/*
 * Copies of folders and what is in them: see process_int.h.  A manifest has one line for each file
 * "SHA-256 MODE PATH" and for each link "-> TARGET PATH" with blanks of the target as they are; the
 * lines are sorted by the walk, which goes through each folder by name.
 */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/vec.h"
#include "drivers/process_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEPTH_MAX 64

struct walk {
    const char *root; /* for messages */
    int from, to;     /* folders; to -1: only the sums */
    struct buf *manifest;
    struct err *err;
};

static int names_of(int dirfd_, char ***ret, size_t *ret_len)
{
    VEC(char *) found = {0};
    int fd = openat(dirfd_, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    if (dir == NULL) {
        int errnum = errno;
        if (fd >= 0) {
            (void) close(fd);
        }
        return errnum;
    }
    while ((entry = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own dir */
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            vec_push(&found, mem_strdup(entry->d_name));
        }
    }
    (void) closedir(dir);
    *ret = found.ptr;
    *ret_len = found.len;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Whether a link stays inside, however it is gone through: the kernel knows. */
static int link_is_inside(const struct walk *w, const char *path)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH};
    int fd = (int) syscall(SYS_openat2, w->from, path, &how, sizeof how);
    if (fd >= 0) {
        (void) close(fd);
        return 0;
    }
    /* ENOENT: it leads to nothing, inside. */
    return errno == ENOENT ? 0 : errno;
}

static int one_link(const struct walk *w, const char *path)
{
    char target[PATH_BYTES];
    ssize_t n = readlinkat(w->from, path, target, sizeof target - 1);
    if (n < 0) {
        return err_errno(w->err, errno, "link %s/%s cannot be read", w->root, path);
    }
    target[n] = '\0';
    int errnum = target[0] == '/' ? EXDEV : link_is_inside(w, path);
    if (errnum == EXDEV) {
        return err_set(w->err, ERR_INVALID,
                       "link %s/%s leads to %s, outside of the folder: on the host there would be "
                       "something else",
                       w->root, path, target);
    }
    if (errnum != 0) {
        return err_errno(w->err, errnum, "link %s/%s to %s cannot be followed", w->root, path,
                         target);
    }
    if (w->to >= 0 && symlinkat(target, w->to, path) != 0) {
        return err_errno(w->err, errno, "link %s cannot be made", path);
    }
    buf_addf(w->manifest, "-> %s %s\n", target, path);
    return 0;
}

static int copy_bytes(const struct walk *w, int in, int out, const char *path, struct sha256 *sum)
{
    char *chunk = mem_alloc(65536);
    ssize_t n = 0;
    bool written = true;
    while (written && ((n = read(in, chunk, 65536)) > 0 || (n < 0 && errno == EINTR))) {
        if (n > 0) {
            sha256_add(sum, chunk, (size_t) n);
            written = out < 0 || write_all(out, chunk, (size_t) n) == 0;
        }
    }
    int errnum = errno;
    mem_free(chunk);
    if (!written) {
        return err_errno(w->err, errnum, "%s cannot be written", path);
    }
    return n < 0 ? err_errno(w->err, errnum, "%s/%s cannot be read", w->root, path) : 0;
}

static int one_file(const struct walk *w, const char *path, const struct stat *st)
{
    unsigned mode = st->st_mode & 0777;
    struct sha256 sum;
    uint8_t bytes[32];
    int in = openat(w->from, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (in < 0) {
        return err_errno(w->err, errno, "%s/%s cannot be read", w->root, path);
    }
    int out = -1, rc = 0;
    if (w->to >= 0) {
        out = openat(w->to, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (out < 0 || fchmod(out, mode) != 0) {
            rc = err_errno(w->err, errno, "%s cannot be written", path);
        }
    }
    sha256_init(&sum);
    rc = rc < 0 ? rc : copy_bytes(w, in, out, path, &sum);
    (void) close(in);
    if (out >= 0 && close(out) != 0 && rc == 0) {
        rc = err_errno(w->err, errno, "%s cannot be written", path);
    }
    sha256_done(&sum, bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        buf_addf(w->manifest, "%02x", bytes[i]);
    }
    buf_addf(w->manifest, " %03o %s\n", mode, path);
    return rc;
}

static int one_folder(const struct walk *w, const char *path, unsigned depth);

static int one(const struct walk *w, const char *path, unsigned depth)
{
    struct stat st;
    if (strpbrk(path, "\n") != NULL) {
        return err_set(w->err, ERR_INVALID, "a name in %s has an end of line in it", w->root);
    }
    if (fstatat(w->from, path, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return err_errno(w->err, errno, "%s/%s cannot be looked at", w->root, path);
    }
    if (S_ISLNK(st.st_mode)) {
        return one_link(w, path);
    }
    if (S_ISREG(st.st_mode)) {
        return one_file(w, path, &st);
    }
    if (!S_ISDIR(st.st_mode)) {
        return err_set(w->err, ERR_INVALID,
                       "%s/%s is no file, folder or link: it cannot be part of a version", w->root,
                       path);
    }
    if (w->to >= 0 && mkdirat(w->to, path, 0755) != 0) {
        return err_errno(w->err, errno, "folder %s cannot be made", path);
    }
    return one_folder(w, path, depth + 1);
}

static int one_folder(const struct walk *w, const char *path, unsigned depth)
{
    char **name = NULL;
    size_t len = 0;
    int fd = openat(w->from, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int errnum = fd < 0 ? errno : names_of(fd, &name, &len), rc = 0;
    if (fd >= 0) {
        (void) close(fd);
    }
    if (errnum != 0) {
        rc = err_errno(w->err, errnum, "folder %s/%s cannot be read", w->root, path);
    } else if (depth > DEPTH_MAX) {
        rc = err_set(w->err, ERR_FULL, "%s has folders deeper than %d", w->root, DEPTH_MAX);
    }
    if (len > 1) {
        qsort(name, len, sizeof *name, by_name);
    }
    for (size_t i = 0; i < len; i++) {
        char below[PATH_BYTES];
        bool top = strcmp(path, ".") == 0;
        if (rc == 0 && !(top && strcmp(name[i], MANIFEST_NAME) == 0)) {
            rc = top ? path_print(below, w->err, "%s", name[i])
                     : path_print(below, w->err, "%s/%s", path, name[i]);
            rc = rc < 0 ? rc : one(w, below, depth);
        }
        mem_free(name[i]);
    }
    mem_free(name);
    if (rc == 0 && w->manifest->failed) {
        rc = err_set(w->err, ERR_FULL, "%s has too many files: their sums are more than %zu bytes",
                     w->root, w->manifest->max);
    }
    return rc;
}

static int walk(const char *from, const char *to, struct buf *manifest, struct err *err)
{
    struct walk w = {from, -1, -1, manifest, err};
    w.from = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w.from < 0) {
        int errnum = errno;
        if (errnum == ENOENT) {
            return err_set(err, ERR_NOT_FOUND, "folder %s is not there", from);
        }
        return err_errno(err, errnum, "folder %s cannot be read", from);
    }
    int rc = 0;
    if (to != NULL) {
        w.to = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        rc = w.to < 0 ? err_errno(err, errno, "folder %s", to) : 0;
    }
    rc = rc < 0 ? rc : one_folder(&w, ".", 0);
    (void) close(w.from);
    if (w.to >= 0) {
        (void) close(w.to);
    }
    return rc;
}

int copy_tree(const char *from, const char *to, struct buf *manifest, struct err *err)
{
    return walk(from, to, manifest, err);
}

int copy_sums(const char *folder, struct buf *manifest, struct err *err)
{
    return walk(folder, NULL, manifest, err);
}

/* The path of a line: behind the second blank; for links behind the last one. */
static struct str path_of(struct str line)
{
    struct str head, rest = line;
    if (str_starts_with(line, STR("-> "))) {
        size_t i = line.len;
        while (i > 0 && line.ptr[i - 1] != ' ') {
            i--;
        }
        return (struct str){line.ptr + i, line.len - i};
    }
    (void) str_cut(&rest, ' ', &head);
    (void) str_cut(&rest, ' ', &head);
    return rest;
}

void copy_difference(struct str a, struct str b, char out[256])
{
    struct str left, right;
    out[0] = '\0';
    for (;;) {
        bool has_left = str_cut(&a, '\n', &left), has_right = str_cut(&b, '\n', &right);
        if (!has_left && !has_right) {
            return;
        }
        if (has_left && has_right && str_eq(left, right)) {
            continue;
        }
        /* One of them is missing or both are about the same: the first path is the one. */
        struct str path = path_of(has_left && left.len > 0 ? left : right);
        if (has_left && has_right && left.len > 0 && right.len > 0) {
            struct str other = path_of(right);
            size_t n = path.len < other.len ? path.len : other.len;
            int order = memcmp(path.ptr, other.ptr, n);
            path = order < 0 || (order == 0 && path.len <= other.len) ? path : other;
        }
        buf_print(out, 256, STR_FMT, STR_ARG(path));
        return;
    }
}
