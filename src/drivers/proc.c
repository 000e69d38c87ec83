/* Processes as /proc shows them: see proc_int.h. */
#include "drivers/proc_int.h"

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/siphash.h"
#include "base/vec.h"
#include "drivers/files_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ENVIRON_MAX (4u << 20)
#define ROW_MAX     512 /* a row of net/tcp6 has 180 */

static int pidfd_open_(pid_t pid)
{
    return (int) syscall(SYS_pidfd_open, pid, 0);
}

static bool read_proc(struct buf *b, int pid, const char *name)
{
    char path[96];
    buf_print(path, sizeof path, "/proc/%d/%s", pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int errnum = fd < 0 ? errno : file_read_all(fd, b);
    if (fd >= 0) {
        (void) close(fd);
    }
    return errnum == 0;
}

/* proc(5): pid (name) state ppid pgrp session ... the 22nd is the start time.  The name may have
 * any byte, also ")" and blanks. */
bool proc_stat(pid_t pid, struct proc_stat *ret)
{
    char mem[2048];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    if (pid <= 0 || !read_proc(&b, pid, "stat")) {
        return false;
    }
    const char *end = strrchr(mem, ')');
    if (end == NULL || end[1] != ' ') {
        return false;
    }
    struct str rest = str_of(end + 2), word;
    uint64_t value[20] = {0};
    *ret = (struct proc_stat){0};
    for (unsigned i = 3; i <= 22 && str_cut(&rest, ' ', &word); i++) {
        if (i == 3) {
            if (word.len > 0) {
                ret->state = word.ptr[0];
            }
        } else if ((i == 4 || i == 6 || i == 22) &&
                   num_u64(word, 0, UINT64_MAX, &value[i - 3]) < 0) {
            return false;
        }
    }
    ret->parent = (pid_t) value[1];
    ret->session = (pid_t) value[3];
    ret->start = value[19];
    return true;
}

bool proc_lives(struct proc proc)
{
    struct proc_stat stat;
    return proc_stat(proc.pid, &stat) && stat.start == proc.start && stat.state != 'Z' &&
           stat.state != 'X';
}

bool proc_signal(struct proc proc, int signum)
{
    if (proc.pid <= 1) {
        return false;
    }
    /* The descriptor holds the process, so that what is looked at is what gets the signal. */
    int fd = pidfd_open_(proc.pid);
    if (fd < 0) {
        return false;
    }
    bool sent = proc_lives(proc) && (int) syscall(SYS_pidfd_send_signal, fd, signum, NULL, 0) == 0;
    (void) close(fd);
    return sent;
}

void proc_each(bool (*f)(pid_t pid, const struct proc_stat *stat, void *ctx), void *ctx)
{
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    bool more = dir != NULL;
    while (more && (entry = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own dir */
        uint64_t pid;
        struct proc_stat stat;
        if (num_u64(str_of(entry->d_name), 1, INT32_MAX, &pid) == 0 &&
            proc_stat((pid_t) pid, &stat)) {
            more = f((pid_t) pid, &stat, ctx);
        }
    }
    if (dir != NULL) {
        (void) closedir(dir);
    }
}

bool proc_has_env(pid_t pid, const char *line)
{
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, ENVIRON_MAX);
    if (!read_proc(&b, pid, "environ")) {
        return false;
    }
    struct str rest = buf_str(&b), entry;
    while (str_cut(&rest, '\0', &entry)) {
        if (str_eq_cstr(entry, line)) {
            return true;
        }
    }
    return false;
}

bool proc_works_in(pid_t pid, const char *folder)
{
    char path[64], cwd[PATH_BYTES];
    buf_print(path, sizeof path, "/proc/%d/cwd", (int) pid);
    ssize_t n = readlink(path, cwd, sizeof cwd - 1);
    size_t len = strlen(folder);
    return n > 0 && (size_t) n >= len && memcmp(cwd, folder, len) == 0 &&
           ((size_t) n == len || cwd[len] == '/');
}

/* The inodes of sockets that listen on the port, of one of the two tables. */
typedef VEC(uint64_t) inodes;

/* One row: false when it is no listener's. */
static bool listener_row(struct str line, const char *wanted, inodes *found)
{
    /* sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode */
    struct str word[10] = {0}, piece;
    size_t n = 0;
    uint64_t inode;
    while (n < 10 && str_cut(&line, ' ', &piece)) {
        if (piece.len > 0) {
            word[n++] = piece;
        }
    }
    if (n < 4 || !str_eq_cstr(word[3], "0A")) {
        return false;
    }
    if (n == 10 && str_ends_with(word[1], str_of(wanted)) &&
        num_u64(word[9], 0, UINT64_MAX, &inode) == 0) {
        vec_push(found, inode);
    }
    return true;
}

/*
 * "It will first list all listening TCP sockets, and next list all established TCP connections"
 * (the kernel's Documentation/networking/proc_net_tcp.rst): of those a busy machine has tens of
 * thousands, which take a tenth of a second and megabytes to read.
 */
static void listeners_of(const char *table, uint16_t port, inodes *found)
{
    char path[96], wanted[8], text[ROW_MAX];
    buf_print(path, sizeof path, "/proc/%d/%s", (int) getpid(), table);
    buf_print(wanted, sizeof wanted, ":%04X", port);
    FILE *file = fopen(path, "re");
    bool more = file != NULL && fgets(text, sizeof text, file) != NULL; /* the head */
    while (more && fgets(text, sizeof text, file) != NULL) {
        struct str line = str_of(text);
        line.len -= line.len > 0 && line.ptr[line.len - 1] == '\n';
        more = listener_row(line, wanted, found);
    }
    if (file != NULL) {
        (void) fclose(file);
    }
}

struct holder_search {
    const inodes *found;
    size_t held; /* of found, by the last process that was looked at */
    pid_t pid;
};

static bool holds_one(pid_t pid, const struct proc_stat *stat, void *ctx)
{
    (void) stat;
    struct holder_search *search = ctx;
    char path[64];
    buf_print(path, sizeof path, "/proc/%d/fd", (int) pid);
    DIR *dir = opendir(path);
    const struct dirent *entry;
    search->held = 0;
    while (dir != NULL && search->held < search->found->len &&
           (entry = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe): own dir */
        char link[64], wanted[64];
        ssize_t n = readlinkat(dirfd(dir), entry->d_name, link, sizeof link - 1);
        link[n > 0 ? n : 0] = '\0';
        for (size_t i = 0; n > 0 && i < search->found->len; i++) {
            buf_print(wanted, sizeof wanted, "socket:[%llu]",
                      (unsigned long long) search->found->ptr[i]);
            search->held += strcmp(link, wanted) == 0;
        }
    }
    if (dir != NULL) {
        (void) closedir(dir);
    }
    search->pid = search->held > 0 ? pid : 0;
    return search->pid == 0;
}

/* One of the likely, if it holds them all; else the first of all processes that holds one. */
static pid_t find_holder(const inodes *found, const pid_t *likely, size_t n)
{
    struct holder_search search = {.found = found};
    for (size_t i = 0; i < n; i++) {
        (void) holds_one(likely[i], NULL, &search);
        if (search.held == found->len) {
            return likely[i];
        }
    }
    search.pid = 0;
    proc_each(holds_one, &search);
    return search.pid;
}

int proc_listener(uint16_t port, const pid_t *likely, size_t n, struct proc_listener *ret,
                  struct err *err)
{
    inodes found = {0};
    *ret = (struct proc_listener){0};
    if (access("/proc/self/net/tcp", R_OK) != 0) {
        return err_errno(err, errno, "/proc/self/net/tcp, which says who listens where");
    }
    listeners_of("net/tcp", port, &found);
    listeners_of("net/tcp6", port, &found);
    ret->any = found.len > 0;
    if (ret->any) {
        struct buf b;
        ret->pid = find_holder(&found, likely, n);
        buf_init_fixed(&b, ret->name, sizeof ret->name);
        if (ret->pid > 0 && read_proc(&b, ret->pid, "comm") && b.len > 0) {
            ret->name[b.len - 1] = '\0';
        }
    }
    vec_done(&found);
    return 0;
}

int proc_boot_id(const char *folder, char out[64], struct err *err)
{
    char path[PATH_BYTES];
    struct buf b;
    int rc = path_print(path, err, "%s/boot-id", folder);
    if (rc < 0) {
        return rc;
    }
    buf_init_fixed(&b, out, 64);
    rc = file_get(path, &b, err);
    if (rc == ERR_NOT_FOUND) {
        buf_clear(&b);
        rc = file_get("/proc/sys/kernel/random/boot_id", &b, err);
    }
    if (rc < 0) {
        return rc;
    }
    out[strcspn(out, "\n")] = '\0';
    return 0;
}

uint64_t proc_hash(const void *data, size_t len)
{
    static const uint8_t key[16] = "pourover.process";
    return siphash24(key, data, len);
}
