/* Versions at a host: room, pull, prune.  See process_int.h for where they lie. */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "drivers/process_int.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MANIFEST_BYTES (64u << 20)
#define SEE_ARENA      (64u << 20)

int spot_source(const struct spot *spot, char out[PATH_BYTES], struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    const char *text = NULL;
    arena_init(&arena, RUN_TEXT_MAX);
    if (spot->config->source == NULL) {
        return err_set(err, ERR_INVALID, "release.yaml has no `source:`, the folder to copy");
    }
    int rc = spot_expand(spot, spot->config->source, &arena, &text, err);
    if (rc < 0) {
        return err_wrap(err, "source");
    }
    return text[0] == '/' ? path_print(out, err, "%s", text)
                          : path_print(out, err, "%s/%s", spot->config->dir, text);
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Names of versions that have to stay. */
struct kept {
    char name[RELEASE_SLOTS * 2 + 1][COPY_NAME_BYTES];
    struct names running;
};

static int find_kept(const struct spot *spot, struct kept *ret, struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    int rc = 0;
    arena_init(&arena, SEE_ARENA);
    *ret = (struct kept){0};
    memcpy(ret->name[RELEASE_SLOTS * 2], spot->copy, sizeof spot->copy);
    for (int slot = 0; rc == 0 && slot < RELEASE_SLOTS; slot++) {
        char slot_dir[PATH_BYTES];
        struct copy_note note;
        struct slot_programs programs;
        rc = path_print(slot_dir, err, "%s/slot-%c", spot->folder,
                        slot_letter((enum release_slot) slot));
        rc = rc < 0 ? rc : copy_note_read(slot_dir, &note, err);
        rc =
            rc < 0 ? rc : slot_programs_see(spot, (enum release_slot) slot, &arena, &programs, err);
        if (rc < 0) {
            break;
        }
        memcpy(ret->name[2 * slot], note.now, sizeof note.now);
        memcpy(ret->name[2 * slot + 1], note.before, sizeof note.before);
        for (size_t i = 0; i < programs.len; i++) {
            if (programs.ptr[i].held) {
                vec_push(&ret->running, mem_strdup(programs.ptr[i].run.cwd));
            }
        }
    }
    return rc;
}

static void kept_done(struct kept *kept)
{
    for (size_t i = 0; i < kept->running.len; i++) {
        mem_free(kept->running.ptr[i]);
    }
    vec_done(&kept->running);
}

static bool is_running(const struct kept *kept, const char *path)
{
    for (size_t i = 0; i < kept->running.len; i++) {
        if (strcmp(kept->running.ptr[i], path) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_to_stay(const struct kept *kept, const char *name, const char *path)
{
    for (size_t i = 0; i < sizeof kept->name / sizeof kept->name[0]; i++) {
        if (strcmp(kept->name[i], name) == 0) {
            return true;
        }
    }
    return is_running(kept, path);
}

struct version {
    const char *name;
    struct timespec when; /* of its manifest: when it was copied */
};

static int newest_first(const void *a, const void *b)
{
    const struct version *x = a, *y = b;
    if (x->when.tv_sec != y->when.tv_sec) {
        return x->when.tv_sec > y->when.tv_sec ? -1 : 1;
    }
    if (x->when.tv_nsec != y->when.tv_nsec) {
        return x->when.tv_nsec > y->when.tv_nsec ? -1 : 1;
    }
    return strcmp(x->name, y->name);
}

/* A version is renamed before it is taken apart, so that no half of one is ever taken for it. */
static int remove_version(const struct spot *spot, const char *name, struct err *err)
{
    char path[PATH_BYTES], gone[PATH_BYTES];
    int rc = path_print(path, err, "%s/versions/%s", spot->folder, name);
    rc = rc < 0 ? rc : path_print(gone, err, "%s/versions/.gone-%s", spot->folder, name);
    rc = rc < 0 ? rc : tree_remove(gone, err);
    if (rc == 0 && rename(path, gone) != 0) {
        rc = err_errno(err, errno, "version %s cannot be removed", name);
    }
    return rc < 0 ? rc : tree_remove(gone, err);
}

static int prune_names(const struct spot *spot, const struct names *names, const struct kept *kept,
                       struct err *err)
{
    struct version *version = mem_array(names->len + 1, sizeof *version);
    char path[PATH_BYTES];
    int rc = 0;
    unsigned keep = spot->config->keep, seen = 0;
    for (size_t i = 0; i < names->len; i++) {
        struct stat st = {0};
        if (path_print(path, NULL, "%s/versions/%s/" MANIFEST_NAME, spot->folder, names->ptr[i]) ==
            0) {
            (void) stat(path, &st);
        }
        version[i] = (struct version){names->ptr[i], st.st_mtim};
    }
    qsort(version, names->len, sizeof *version, newest_first);
    for (size_t i = 0; rc == 0 && i < names->len; i++) {
        rc = path_print(path, err, "%s/versions/%s", spot->folder, version[i].name);
        if (rc == 0 && ++seen > keep && !has_to_stay(kept, version[i].name, path)) {
            rc = remove_version(spot, version[i].name, err);
            if (rc == 0) {
                spot_tell(spot->p, "host %s: version %s was removed, the last %u stay",
                          spot->host->name, version[i].name, keep);
            }
        }
    }
    mem_free(version);
    return rc;
}

int versions_prune(const struct spot *spot, struct err *err)
{
    struct names names = {0};
    struct kept kept = {0};
    char path[PATH_BYTES];
    int rc = path_print(path, err, "%s/versions", spot->folder);
    rc = rc < 0 ? rc : folder_names(path, &names, err);
    rc = rc < 0 ? rc : find_kept(spot, &kept, err);
    if (rc == 0 && names.len > 0) {
        rc = prune_names(spot, &names, &kept, err);
    }
    kept_done(&kept);
    names_done(&names);
    return rc;
}

static int free_bytes(const char *folder, uint64_t *ret, struct err *err)
{
    struct statvfs vfs;
    if (statvfs(folder, &vfs) != 0) {
        return err_errno(err, errno, "the file system of %s", folder);
    }
    *ret = (uint64_t) vfs.f_bavail * vfs.f_frsize;
    return 0;
}

static void biggest(const struct spot *spot, char out[256])
{
    static const char *const places[] = {"versions", "logs"};
    uint64_t most = 0;
    buf_print(out, 256, "nothing of this service");
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char path[PATH_BYTES];
        struct names names = {0};
        if (path_print(path, NULL, "%s/%s", spot->folder, places[i]) < 0 ||
            folder_names(path, &names, NULL) < 0) {
            continue;
        }
        for (size_t j = 0; j < names.len; j++) {
            uint64_t bytes =
                path_print(path, NULL, "%s/%s/%s", spot->folder, places[i], names.ptr[j]) < 0
                    ? 0
                    : tree_bytes(path);
            if (bytes > most) {
                most = bytes;
                buf_print(out, 256, "%s/%s with %" PRIu64 " MiB", places[i], names.ptr[j],
                          bytes >> 20);
            }
        }
        names_done(&names);
    }
}

int process_room(const struct driver_place *p, struct err *err)
{
    struct spot spot;
    char source[PATH_BYTES], most[256];
    uint64_t have = 0, wanted = p->config->disk_free_bytes;
    int fd = -1, rc = spot_init(p, &spot, err);
    rc = rc < 0 ? rc : lease_enter(p, &fd, err);
    if (rc < 0) {
        return rc;
    }
    if (spot.version_dir[0] != '\0' && !is_folder(spot.version_dir)) {
        rc = spot_source(&spot, source, err);
        wanted += rc < 0 ? 0 : tree_bytes(source);
    }
    rc = rc < 0 ? rc : free_bytes(spot.folder, &have, err);
    if (rc == 0 && have < wanted) {
        rc = versions_prune(&spot, err);
        rc = rc < 0 ? rc : free_bytes(spot.folder, &have, err);
    }
    lease_leave(fd);
    if (rc == 0 && have < wanted) {
        biggest(&spot, most);
        rc = err_set(err, ERR_FULL,
                     "host %s: %" PRIu64 " MiB are free at %s and %" PRIu64
                     " MiB are wanted; most of it has %s",
                     spot.host->name, have >> 20, spot.folder, wanted >> 20, most);
    }
    return rc;
}

static int read_manifest(const char *folder, struct buf *b, struct err *err)
{
    char path[PATH_BYTES];
    int rc = path_print(path, err, "%s/" MANIFEST_NAME, folder);
    return rc < 0 ? rc : file_get(path, b, err);
}

/*
 * What is to be done about a version that is there: nothing, or to copy it again.  Files changed by
 * hand are told; they are put right only where nothing runs from them.
 */
static int look_at_present(const struct spot *spot, const char *source, bool *ret_again,
                           struct err *err)
{
    _cleanup_(buf_done) struct buf noted, present, wanted;
    struct kept kept = {0};
    char path[256];
    *ret_again = false;
    buf_init(&noted, MANIFEST_BYTES);
    buf_init(&present, MANIFEST_BYTES);
    buf_init(&wanted, MANIFEST_BYTES);
    int rc = read_manifest(spot->version_dir, &noted, err);
    if (rc < 0 && rc != ERR_NOT_FOUND) {
        return rc;
    }
    rc = copy_sums(spot->version_dir, &present, err);
    rc = rc < 0 ? rc : find_kept(spot, &kept, err);
    bool runs = rc == 0 && is_running(&kept, spot->version_dir);
    kept_done(&kept);
    if (rc < 0) {
        return rc;
    }
    copy_difference(buf_str(&noted), buf_str(&present), path);
    bool drift = path[0] != '\0', has_source = is_folder(source);
    if (drift) {
        spot_tell(spot->p, "host %s: version %s was changed by hand: %s", spot->host->name,
                  spot->copy, path);
    }
    rc = has_source ? copy_sums(source, &wanted, err) : 0;
    if (rc < 0) {
        return rc;
    }
    copy_difference(buf_str(&noted), buf_str(&wanted), path);
    bool other = has_source && path[0] != '\0';
    if (other && runs) {
        return err_set(err, ERR_INVALID,
                       "host %s runs version %s, and %s has other files under this name (%.100s): "
                       "give them another version",
                       spot->host->name, spot->copy, source, path);
    }
    if (other) {
        spot_tell(spot->p, "host %s: version %s was there with other files (%s) and is replaced",
                  spot->host->name, spot->copy, path);
    }
    *ret_again = has_source && !runs && (drift || other);
    return 0;
}

/* Copies into a folder of its own, all of it on the disk. */
static int fill(const struct spot *spot, const char *source, const char *into, struct err *err)
{
    _cleanup_(buf_done) struct buf manifest;
    char path[PATH_BYTES];
    buf_init(&manifest, MANIFEST_BYTES);
    int rc = folder_make(into, false, err);
    rc = rc < 0 ? rc : copy_tree(source, into, &manifest, err);
    rc = rc < 0 ? rc : path_print(path, err, "%s/" MANIFEST_NAME, into);
    rc = rc < 0 ? rc : file_put(path, buf_str(&manifest), 0644, false, err);
    if (rc < 0) {
        return err_wrap(err, "host %s: version %s", spot->host->name, spot->copy);
    }
    int fd = open(into, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || syncfs(fd) != 0) {
        rc = err_errno(err, errno, "folder %s cannot be synced", into);
    }
    if (fd >= 0) {
        (void) close(fd);
    }
    return rc;
}

static int put_in_place(const struct spot *spot, const char *from, struct err *err)
{
    char versions[PATH_BYTES];
    int fd = -1, rc = lease_enter(spot->p, &fd, err);
    if (rc < 0) {
        return rc;
    }
    rc = path_print(versions, err, "%s/versions", spot->folder);
    rc = rc < 0 ? rc : folder_make(versions, false, err);
    if (rc == 0 && is_folder(spot->version_dir)) {
        rc = remove_version(spot, spot->copy, err);
    }
    if (rc == 0 && rename(from, spot->version_dir) != 0) {
        rc = err_errno(err, errno, "version %s cannot be put in its place", spot->copy);
    }
    rc = rc < 0 ? rc : folder_sync(versions, err);
    rc = rc < 0 ? rc : versions_prune(spot, err);
    lease_leave(fd);
    return rc;
}

int process_pull(const struct driver_place *p, struct err *err)
{
    struct spot spot;
    char source[PATH_BYTES], into[PATH_BYTES];
    bool again = true;
    int fd = -1, rc = spot_init(p, &spot, err);
    if (rc == 0 && spot.copy[0] == '\0') {
        rc = err_set(err, ERR_INVALID, "nothing can be pulled without a version");
    }
    rc = rc < 0 ? rc : spot_source(&spot, source, err);
    rc = rc < 0 ? rc : lease_enter(p, &fd, err);
    /* What one that was killed has left half copied. */
    rc = rc < 0 ? rc : path_print(into, err, "%s/pulling", spot.folder);
    rc = rc < 0 ? rc : tree_remove(into, err);
    rc = rc < 0 ? rc
                : path_print(into, err, "%s/pulling/%s.%d.%" PRIu64, spot.folder, spot.copy,
                             (int) getpid(), clock_mono_us());
    lease_leave(fd);
    if (rc == 0 && is_folder(spot.version_dir)) {
        rc = look_at_present(&spot, source, &again, err);
    }
    if (rc < 0 || !again) {
        return rc;
    }
    rc = fill(&spot, source, into, err);
    rc = rc < 0 ? rc : put_in_place(&spot, into, err);
    (void) tree_remove(into, NULL);
    return rc;
}
