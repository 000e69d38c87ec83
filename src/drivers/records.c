/*
 * Records and requests at a host: see driver.h.  A record is a line; a line that a loss of power or
 * a kill has cut is no line, and is cut off before the next one is appended.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/rand.h"
#include "drivers/process_int.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECORDS_KEPT   50u
#define RECORDS_MAX    (16u << 20) /* of a release */
#define LINE_MAX_BYTES (1u << 20)
#define REQUEST_MAX    65536u
#define REQUESTS_MAX   100u
#define ENDING         ".jsonl"

static int check_line(const char *what, struct str line, size_t max, struct err *err)
{
    if (line.len == 0 || line.len > max) {
        return err_set(err, ERR_FULL, "a %s of %zu bytes: 1 to %zu", what, line.len, max);
    }
    return memchr(line.ptr, '\n', line.len) == NULL
               ? 0
               : err_set(err, ERR_INVALID, "a %s has an end of line in it", what);
}

/* The file up to its last end of line. */
static off_t whole_lines(int fd, off_t size)
{
    char chunk[4096];
    while (size > 0) {
        size_t n = size < (off_t) sizeof chunk ? (size_t) size : sizeof chunk;
        ssize_t got = pread(fd, chunk, n, size - (off_t) n);
        if (got <= 0) {
            return size;
        }
        for (size_t i = (size_t) got; i > 0; i--) {
            if (chunk[i - 1] == '\n') {
                return size - (off_t) n + (off_t) i;
            }
        }
        size -= (off_t) n;
    }
    return 0;
}

static int append(const char *path, struct str line, bool synced, struct err *err)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || fstat(fd, &st) != 0) {
        int errnum = errno;
        if (fd >= 0) {
            (void) close(fd);
        }
        return err_errno(err, errnum, "%s cannot be opened", path);
    }
    off_t at = whole_lines(fd, st.st_size);
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, line.len + 1);
    buf_add_str(&b, line);
    buf_add_char(&b, '\n');
    int rc = 0;
    if (at + (off_t) b.len > (off_t) RECORDS_MAX) {
        rc = err_set(err, ERR_FULL, "%s would have more than %u bytes", path, RECORDS_MAX);
    } else if (ftruncate(fd, at) != 0 || lseek(fd, at, SEEK_SET) != at ||
               write_all(fd, b.ptr, b.len) != 0 || (synced && fsync(fd) != 0)) {
        rc = err_errno(err, errno, "%s cannot be written", path);
    }
    (void) close(fd);
    return rc;
}

struct record {
    const char *name;
    struct timespec when;
};

/* By the last line: a train is newer than a release that ended within it. */
static int oldest_first(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    if (x->when.tv_sec != y->when.tv_sec) {
        return x->when.tv_sec < y->when.tv_sec ? -1 : 1;
    }
    if (x->when.tv_nsec != y->when.tv_nsec) {
        return x->when.tv_nsec < y->when.tv_nsec ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

/* Names of releases without the ending, the oldest first; views into names. */
static struct record *sorted(const char *folder, struct names *names, size_t *ret_len)
{
    struct record *record = mem_array(names->len + 1, sizeof *record);
    size_t len = 0;
    for (size_t i = 0; i < names->len; i++) {
        char path[PATH_BYTES];
        struct stat st = {0};
        struct str name = str_of(names->ptr[i]);
        if (!str_ends_with(name, STR(ENDING)) ||
            path_print(path, NULL, "%s/%s", folder, names->ptr[i]) < 0 || stat(path, &st) != 0) {
            continue;
        }
        name.len -= sizeof ENDING - 1;
        names->ptr[i][name.len] = '\0';
        record[len++] = (struct record){names->ptr[i], st.st_mtim};
    }
    if (len > 1) {
        qsort(record, len, sizeof *record, oldest_first);
    }
    *ret_len = len;
    return record;
}

static int drop_old(const char *folder, const char *own, struct err *err)
{
    struct names names = {0};
    size_t len = 0;
    int rc = folder_names(folder, &names, err);
    if (rc < 0) {
        return rc;
    }
    struct record *record = sorted(folder, &names, &len);
    for (size_t i = 0; rc == 0 && i + RECORDS_KEPT < len; i++) {
        char path[PATH_BYTES];
        if (strcmp(record[i].name, own) != 0) {
            rc = path_print(path, err, "%s/%s" ENDING, folder, record[i].name);
            rc = rc < 0 ? rc : file_remove(path, err);
        }
    }
    mem_free(record);
    names_done(&names);
    return rc;
}

int process_record_append(const struct driver_place *p, struct str line, struct err *err)
{
    struct spot spot;
    char folder[PATH_BYTES], path[PATH_BYTES];
    int fd = -1, rc = spot_init(p, &spot, err);
    rc = rc < 0 ? rc : name_check("release", p->release, err);
    rc = rc < 0 ? rc : check_line("record", line, LINE_MAX_BYTES, err);
    rc = rc < 0 ? rc : path_print(folder, err, "%s/records", spot.folder);
    rc = rc < 0 ? rc : path_print(path, err, "%s/%s" ENDING, folder, p->release);
    rc = rc < 0 ? rc : lease_enter(p, &fd, err);
    rc = rc < 0 ? rc : folder_make(folder, false, err);
    bool is_new = rc == 0 && access(path, F_OK) != 0;
    rc = rc < 0 ? rc : append(path, line, !p->more, err);
    if (rc == 0 && is_new) {
        rc = folder_sync(folder, err);
        rc = rc < 0 ? rc : folder_sync(spot.folder, err);
        rc = rc < 0 ? rc : drop_old(folder, p->release, err);
    }
    lease_leave(fd);
    return rc;
}

static int newest(const char *folder, char out[160], struct err *err)
{
    struct names names = {0};
    size_t len = 0;
    int rc = folder_names(folder, &names, err);
    if (rc < 0) {
        return rc;
    }
    struct record *record = sorted(folder, &names, &len);
    buf_print(out, 160, "%s", len > 0 ? record[len - 1].name : "");
    mem_free(record);
    names_done(&names);
    return 0;
}

int process_record_read(const struct driver_place *p, struct buf *ret, struct err *err)
{
    _cleanup_(buf_done) struct buf text;
    struct spot spot;
    char folder[PATH_BYTES], path[PATH_BYTES], name[160] = "";
    buf_init(&text, RECORDS_MAX);
    int rc = spot_init(p, &spot, err);
    rc = rc < 0 ? rc : path_print(folder, err, "%s/records", spot.folder);
    if (rc == 0 && p->release != NULL) {
        rc = name_check("release", p->release, err);
        buf_print(name, sizeof name, "%s", p->release);
    } else if (rc == 0) {
        rc = newest(folder, name, err);
    }
    if (rc < 0 || name[0] == '\0') {
        return rc;
    }
    rc = path_print(path, err, "%s/%s" ENDING, folder, name);
    rc = rc < 0 ? rc : file_get(path, &text, err);
    if (rc < 0) {
        return rc == ERR_NOT_FOUND ? 0 : rc;
    }
    struct str all = buf_str(&text);
    while (all.len > 0 && all.ptr[all.len - 1] != '\n') {
        all.len--; /* cut in the middle of writing */
    }
    buf_add_str(ret, all);
    return ret->failed ? err_set(err, ERR_FULL, "%s has more than %zu bytes", path, ret->max) : 0;
}

int process_request_put(const struct driver_place *p, struct str line, struct err *err)
{
    struct spot spot;
    struct names names = {0};
    char folder[PATH_BYTES], path[PATH_BYTES];
    uint32_t digits = 0;
    int rc = spot_init(p, &spot, err);
    rc = rc < 0 ? rc : check_line("request", line, REQUEST_MAX, err);
    rc = rc < 0 ? rc : path_print(folder, err, "%s/requests", spot.folder);
    rc = rc < 0 ? rc : folder_make(folder, false, err);
    rc = rc < 0 ? rc : folder_names(folder, &names, err);
    if (rc == 0 && names.len >= REQUESTS_MAX) {
        rc = err_set(err, ERR_FULL,
                     "host %s has %zu requests that nobody took: is the release still carried out?",
                     spot.host->name, names.len);
    }
    names_done(&names);
    if (rc == 0 && rand_bytes(&digits, sizeof digits) < 0) {
        rc = err_set(err, ERR_IO, "no random bytes for the name of a request");
    }
    /* In order of time; what comes in the same moment in any order. */
    rc = rc < 0 ? rc
                : path_print(path, err, "%s/%020" PRIu64 "-%08" PRIx32 ".json", folder,
                             clock_wall_us(), digits);
    return rc < 0 ? rc : file_put(path, line, 0644, true, err);
}

int process_request_take(const struct driver_place *p, struct buf *ret, struct err *err)
{
    struct spot spot;
    struct names names = {0};
    char folder[PATH_BYTES], path[PATH_BYTES];
    int rc = spot_init(p, &spot, err);
    rc = rc < 0 ? rc : path_print(folder, err, "%s/requests", spot.folder);
    rc = rc < 0 ? rc : folder_names(folder, &names, err);
    for (size_t i = 0; rc == 0 && i < names.len; i++) {
        _cleanup_(buf_done) struct buf text;
        buf_init(&text, REQUEST_MAX);
        rc = path_print(path, err, "%s/%s", folder, names.ptr[i]);
        rc = rc < 0 ? rc : file_get(path, &text, err);
        if (rc == ERR_NOT_FOUND) { /* another one took it */
            rc = 0;
            continue;
        }
        if (rc == 0 && ret->len + text.len + 1 > ret->max) {
            break; /* stays for the next time */
        }
        if (rc == 0) {
            struct str line = buf_str(&text);
            buf_add(ret, line.ptr, str_find_char(line, '\n'));
            buf_add_char(ret, '\n');
            rc = file_remove(path, err);
        }
    }
    names_done(&names);
    return rc;
}
