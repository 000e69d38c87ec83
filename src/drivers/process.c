/* Looking at a host: observe, preflight, logs.  See driver.h. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "drivers/process_int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SEE_ARENA (64u << 20)
#define LOG_TAIL  (256u * 1024) /* of a program, when only some lines are asked for */

/* Of the host's file system, also when the folder is not there yet. */
static uint64_t disk_free(const char *folder)
{
    char path[PATH_BYTES];
    struct statvfs vfs;
    buf_print(path, sizeof path, "%s", folder);
    while (statvfs(path, &vfs) != 0) {
        char *slash = strrchr(path, '/');
        if (slash == NULL || slash == path) {
            return 0;
        }
        *slash = '\0';
    }
    return (uint64_t) vfs.f_bavail * vfs.f_frsize;
}

int process_observe(const struct driver_place *p, struct driver_seen *ret, struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    struct spot spot;
    struct slot_programs programs = {0};
    struct driver_seen seen = {0};
    char boot[64];
    arena_init(&arena, SEE_ARENA);
    int rc = spot_init(p, &spot, err);
    if (rc == 0 && access(spot.folder, R_OK | X_OK) != 0 && errno != ENOENT) {
        rc = err_set(err, ERR_UNREACHABLE, "host %s: folder %s cannot be read", spot.host->name,
                     spot.folder);
    }
    rc = rc < 0 ? rc : proc_boot_id(spot.folder, boot, err);
    for (int slot = 0; rc == 0 && slot < RELEASE_SLOTS; slot++) {
        rc = slot_copy(&spot, (enum release_slot) slot, &seen.copy[slot], err);
    }
    rc = rc < 0 ? rc : slot_programs_see(&spot, p->slot, &arena, &programs, err);
    if (rc < 0) {
        return rc;
    }
    size_t up = 0;
    for (size_t i = 0; i < programs.len; i++) {
        up += programs.ptr[i].run.role == RUN_PROXY && programs.ptr[i].up;
    }
    seen.proxy_runs = up > 0 && up >= p->config->role[ROLE_PROXY].services.len;
    seen.boot = proc_hash(boot, strlen(boot));
    seen.disk_free_bytes = disk_free(spot.folder);
    *ret = seen;
    return 0;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static int command_can_run(const struct spot *spot, const char *root, const char *name,
                           const struct release_texts *command, struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    const char *word = NULL, *path = NULL;
    arena_init(&arena, RUN_TEXT_MAX);
    int rc = command->len == 0 ? err_set(err, ERR_INVALID, "it has no command")
                               : spot_expand(spot, command->ptr[0], &arena, &word, err);
    /* What lies in the version's folder on the host lies in the source before. */
    size_t len = strlen(spot->version_dir);
    if (rc == 0 && word != NULL && len > 0 && strncmp(word, spot->version_dir, len) == 0 &&
        word[len] == '/') {
        word += len + 1;
    }
    rc = rc < 0 ? rc : spot_command(spot, root, word, &arena, &path, err);
    return rc < 0 ? err_wrap(err, "%s", name) : 0;
}

/* All commands that will be begun, looked up where the version is or will be copied from. */
static int commands_can_run(const struct spot *spot, const char *root, struct err *err)
{
    int rc = 0;
    char name[160];
    for (size_t i = 0; rc == 0 && i < spot->config->programs; i++) {
        const struct release_program *program = &spot->config->program[i];
        buf_print(name, sizeof name, "program %s", program->name);
        rc = command_can_run(spot, root, name, &program->command, err);
    }
    if (rc == 0 && spot->config->migration.given) {
        rc = command_can_run(spot, root, "migrate", &spot->config->migration.command, err);
    }
    return rc;
}

static int folder_is_ours(const struct spot *spot, struct err *err)
{
    char path[PATH_BYTES];
    int rc = folder_make(spot->folder, false, err);
    rc = rc < 0 ? rc : path_print(path, err, "%s/.writable", spot->folder);
    rc = rc < 0 ? rc : file_put(path, STR(""), 0600, false, err);
    rc = rc < 0 ? rc : file_remove(path, err);
    return rc < 0 ? err_wrap(err, "host %s", spot->host->name) : 0;
}

static int slot_has_ports(const struct spot *spot, struct err *err)
{
    for (size_t i = 0; i < spot->host->ports; i++) {
        if (spot->host->port[i].number[spot->p->slot] == 0) {
            return err_set(err, ERR_INVALID, "host %s has no port %s for slot %c", spot->host->name,
                           spot->host->port[i].name, slot_letter(spot->p->slot));
        }
    }
    return slot_ports(spot, err);
}

int process_preflight(const struct driver_place *p, struct err *err)
{
    struct spot spot;
    struct driver_seen seen;
    char source[PATH_BYTES];
    int fd = -1, rc = spot_init(p, &spot, err);
    rc = rc < 0 ? rc : lease_enter(p, &fd, err);
    rc = rc < 0 ? rc : folder_is_ours(&spot, err);
    lease_leave(fd);
    rc = rc < 0 ? rc : slot_has_ports(&spot, err);
    bool there = spot.version_dir[0] != '\0' && is_folder(spot.version_dir);
    if (rc == 0 && spot.version_dir[0] != '\0' && !there) {
        rc = spot_source(&spot, source, err);
        if (rc == 0 && !is_folder(source)) {
            rc = err_set(err, ERR_NOT_FOUND,
                         "version %s is neither on host %s nor in %s, where `source:` looks",
                         spot.copy, spot.host->name, source);
        }
    }
    if (rc == 0 && spot.version_dir[0] != '\0') {
        rc = commands_can_run(&spot, there ? spot.version_dir : source, err);
    }
    rc = rc < 0 ? rc : process_observe(p, &seen, err);
    for (int slot = 0; rc == 0 && slot < RELEASE_SLOTS; slot++) {
        if (seen.copy[slot].dead[0] != '\0') {
            spot_tell(p, "host %s, slot %c: %s", spot.host->name,
                      slot_letter((enum release_slot) slot), seen.copy[slot].dead);
        }
    }
    return rc;
}

/* Appends the end of a file, at most max bytes. */
static void add_tail(const char *path, uint64_t max, struct buf *b)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0) {
        return;
    }
    if (fstat(fd, &st) == 0) {
        off_t at = (uint64_t) st.st_size > max ? st.st_size - (off_t) max : 0;
        char chunk[8192];
        ssize_t n;
        /* A program may write meanwhile: not beyond the end that was seen. */
        while (at < st.st_size && (n = pread(fd, chunk, sizeof chunk, at)) > 0) {
            buf_add(b, chunk, (size_t) n);
            at += n;
        }
    }
    (void) close(fd);
}

static void last_lines(struct str text, unsigned lines, struct buf *ret)
{
    size_t at = text.len;
    unsigned seen = 0;
    while (lines > 0 && at > 0) {
        if (text.ptr[at - 1] == '\n' && at < text.len && ++seen == lines) {
            break;
        }
        at--;
    }
    buf_add(ret, text.ptr + at, text.len - at);
    if (text.len > 0 && text.ptr[text.len - 1] != '\n') {
        buf_add_char(ret, '\n');
    }
}

int process_logs(const struct driver_place *p, unsigned lines, struct buf *ret, struct err *err)
{
    _cleanup_(arena_done) struct arena arena;
    struct spot spot;
    struct slot_programs programs = {0};
    arena_init(&arena, SEE_ARENA);
    int rc = spot_init(p, &spot, err);
    rc = rc < 0 ? rc : slot_programs_see(&spot, p->slot, &arena, &programs, err);
    for (size_t i = 0; rc == 0 && i < programs.len; i++) {
        _cleanup_(buf_done) struct buf text;
        char older[PATH_BYTES];
        buf_init(&text, 16u << 20);
        rc = path_print(older, err, "%s.1", programs.ptr[i].run.log);
        if (rc < 0) {
            break;
        }
        add_tail(older, lines > 0 ? LOG_TAIL : UINT64_MAX >> 1, &text);
        add_tail(programs.ptr[i].run.log, lines > 0 ? LOG_TAIL : UINT64_MAX >> 1, &text);
        buf_addf(ret, "== %s ==\n", programs.ptr[i].name);
        last_lines(buf_str(&text), lines, ret);
        if (ret->failed) {
            rc = err_set(err, ERR_FULL, "the logs of host %s have more than %zu bytes",
                         spot.host->name, ret->max);
        }
    }
    return rc;
}
