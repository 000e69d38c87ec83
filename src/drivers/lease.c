/* The lease of a host: see lease_int.h. */
#include "base/clock.h"
#include "base/ct.h"
#include "base/json.h"
#include "base/num.h"
#include "drivers/process_int.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define LOCK_WITHIN_MS 30000u
#define LEASE_BYTES    4096u

struct lease {
    bool there;
    char owner[256], token[256], boot[64];
    uint64_t taken_ms, expires_ms, expires_boot_ms;
};

static bool read_value(struct json_reader *r, struct str key, struct lease *lease)
{
    struct {
        const char *name;
        char *text;
        size_t size;
        uint64_t *number;
    } field[] = {
        {"owner", lease->owner, sizeof lease->owner, NULL},
        {"token", lease->token, sizeof lease->token, NULL},
        {"boot", lease->boot, sizeof lease->boot, NULL},
        {"taken_ms", NULL, 0, &lease->taken_ms},
        {"expires_ms", NULL, 0, &lease->expires_ms},
        {"expires_boot_ms", NULL, 0, &lease->expires_boot_ms},
    };
    for (size_t i = 0; i < sizeof field / sizeof field[0]; i++) {
        struct str text;
        if (!str_eq_cstr(key, field[i].name)) {
            continue;
        }
        enum json_token token = json_next(r);
        if (field[i].text != NULL) {
            return token == JSON_STRING &&
                   json_unescape(r->value, field[i].text, field[i].size, &text) == 0;
        }
        return token == JSON_NUMBER && num_u64(r->value, 0, UINT64_MAX, field[i].number) == 0;
    }
    return json_skip(r) == 0;
}

static int read_lease(const char *folder, struct lease *ret, struct err *err)
{
    char path[PATH_BYTES], mem[LEASE_BYTES];
    struct buf b;
    struct json_reader r;
    *ret = (struct lease){0};
    buf_init_fixed(&b, mem, sizeof mem);
    int rc = path_print(path, err, "%s/lease", folder);
    rc = rc < 0 ? rc : file_get(path, &b, err);
    if (rc < 0) {
        return rc == ERR_NOT_FOUND ? 0 : rc;
    }
    json_reader_init(&r, buf_str(&b));
    enum json_token token = json_next(&r);
    bool good = token == JSON_OBJ_BEGIN;
    while (good && (token = json_next(&r)) == JSON_KEY) {
        good = read_value(&r, r.value, ret);
    }
    if (!good || token != JSON_OBJ_END || ret->token[0] == '\0') {
        return err_set(err, ERR_INVALID,
                       "%s is no lease: look who works at this host, then remove the file", path);
    }
    ret->there = true;
    return 0;
}

static int write_lease(const char *folder, const struct lease *lease, struct err *err)
{
    char path[PATH_BYTES], mem[LEASE_BYTES];
    struct buf b;
    struct json_writer w;
    buf_init_fixed(&b, mem, sizeof mem);
    json_writer_init(&w, &b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "owner", lease->owner);
    json_kv_cstr(&w, "token", lease->token);
    json_kv_u64(&w, "taken_ms", lease->taken_ms);
    json_kv_u64(&w, "expires_ms", lease->expires_ms);
    json_kv_cstr(&w, "boot", lease->boot);
    json_kv_u64(&w, "expires_boot_ms", lease->expires_boot_ms);
    json_obj_end(&w);
    buf_add_char(&b, '\n');
    if (b.failed) {
        return err_set(err, ERR_FULL, "owner and token of a lease are too long");
    }
    int rc = path_print(path, err, "%s/lease", folder);
    return rc < 0 ? rc : file_put(path, buf_str(&b), 0600, true, err);
}

static int left_of(const char *folder, const struct lease *lease, uint64_t *ret, struct err *err)
{
    char boot[64];
    int rc = proc_boot_id(folder, boot, err);
    if (rc < 0) {
        return rc;
    }
    bool same = strcmp(boot, lease->boot) == 0;
    uint64_t now = same ? run_clock_ms() : clock_wall_ms();
    uint64_t end = same ? lease->expires_boot_ms : lease->expires_ms;
    *ret = end > now ? end - now : 0;
    return 0;
}

static int set_expiry(const char *folder, struct lease *lease, uint64_t ttl_ms, struct err *err)
{
    lease->expires_ms = clock_wall_ms() + ttl_ms;
    lease->expires_boot_ms = run_clock_ms() + ttl_ms;
    return proc_boot_id(folder, lease->boot, err);
}

static int lock(const struct driver_place *p, const char *folder, int *ret_fd, struct err *err)
{
    char path[PATH_BYTES];
    int rc = path_print(path, err, "%s/lease.lock", folder);
    if (rc < 0) {
        return rc;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_errno(err, errno, "%s cannot be opened", path);
    }
    uint64_t until = spot_until(p, LOCK_WITHIN_MS);
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        int errnum = errno;
        if (errnum != EWOULDBLOCK && errnum != EINTR) {
            (void) close(fd);
            return err_errno(err, errnum, "%s cannot be locked", path);
        }
        rc = spot_wait(p, 5, "the lock of the host", err);
        if (rc == 0 && clock_mono_ms() > until) {
            rc = err_set(err, ERR_TIMEOUT,
                         "%s is held by another pourover for more than %u s: is it stopped?", path,
                         LOCK_WITHIN_MS / 1000);
        }
        if (rc < 0) {
            (void) close(fd);
            return rc;
        }
    }
    *ret_fd = fd;
    return 0;
}

void lease_leave(int fd)
{
    if (fd >= 0) {
        (void) close(fd);
    }
}

static bool is_own(const struct lease *lease, const char *token)
{
    size_t len = token == NULL ? 0 : strlen(token);
    return lease->there && len > 0 && len == strlen(lease->token) &&
           ct_equal(token, lease->token, len);
}

static int refuse(const struct spot *spot, const struct lease *lease, uint64_t left_ms,
                  struct err *err)
{
    char since[32];
    if (!lease->there) {
        return err_set(err, ERR_CONFLICT,
                       "host %s: the lease is nobody's any more: nothing was done",
                       spot->host->name);
    }
    clock_format_utc_ms(lease->taken_ms, since);
    return err_set(err, ERR_CONFLICT,
                   "host %s is held by %.200s since %s, for %" PRIu64
                   " s more unless it is prolonged: wait for its end, ask there, or take it with "
                   "--force",
                   spot->host->name, lease->owner, since, (left_ms + 999) / 1000);
}

/* Lock and lease as it stands. */
static int look(const struct driver_place *p, struct spot *spot, struct lease *lease, int *ret_fd,
                struct err *err)
{
    int fd = -1, rc = spot_init(p, spot, err);
    rc = rc < 0 ? rc : lock(p, spot->folder, &fd, err);
    rc = rc < 0 ? rc : read_lease(spot->folder, lease, err);
    if (rc < 0) {
        lease_leave(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

int lease_enter(const struct driver_place *p, int *ret_fd, struct err *err)
{
    struct spot spot;
    struct lease lease;
    int fd = -1, rc = look(p, &spot, &lease, &fd, err);
    if (rc < 0) {
        return rc;
    }
    if (!is_own(&lease, p->token)) {
        uint64_t left = 0;
        (void) left_of(spot.folder, &lease, &left, NULL);
        lease_leave(fd);
        return refuse(&spot, &lease, left, err);
    }
    *ret_fd = fd;
    return 0;
}

/* One service a folder: two would take each other's slots. */
static int claim_folder(const struct spot *spot, struct err *err)
{
    char path[PATH_BYTES], mem[256];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    int rc = path_print(path, err, "%s/service", spot->folder);
    rc = rc < 0 ? rc : file_get(path, &b, err);
    struct str wanted = str_of(spot->config->service);
    if (rc == ERR_NOT_FOUND) {
        return file_put(path, wanted, 0644, true, err);
    }
    if (rc == 0 && !str_eq(str_trim(buf_str(&b)), wanted)) {
        return err_set(err, ERR_CONFLICT,
                       "folder %s of host %s belongs to service %.100s, not %.100s: give each "
                       "service a folder of its own",
                       spot->folder, spot->host->name, mem, spot->config->service);
    }
    return rc;
}

/* The lease as p's own, to be written. */
static int make_own(const struct driver_place *p, const char *owner, struct lease *lease,
                    struct err *err)
{
    if (p->token == NULL || strlen(p->token) >= sizeof lease->token) {
        return err_set(err, ERR_FULL, "the token of a lease is missing or too long");
    }
    if (!is_own(lease, p->token)) {
        lease->taken_ms = clock_wall_ms();
    }
    buf_print(lease->owner, sizeof lease->owner, "%s", owner);
    buf_print(lease->token, sizeof lease->token, "%s", p->token);
    return 0;
}

/* Whether the lease that is there may be taken. */
static int may_take(const struct spot *spot, const struct lease *lease, bool force, struct err *err)
{
    uint64_t left = 0;
    if (!lease->there || is_own(lease, spot->p->token)) {
        return 0;
    }
    int rc = left_of(spot->folder, lease, &left, err);
    if (rc < 0) {
        return rc;
    }
    if (left > 0 && !force) {
        return refuse(spot, lease, left, err);
    }
    spot_tell(spot->p, "host %s: the lease was taken over from %s%s", spot->host->name,
              lease->owner, left > 0 ? ", by force" : ", which had expired");
    return 0;
}

int lease_take(const struct driver_place *p, const char *owner, uint64_t ttl_ms, bool force,
               struct err *err)
{
    struct spot spot;
    struct lease lease = {0};
    int fd = -1, rc = spot_init(p, &spot, err);
    if (rc == 0 && (p->token == NULL || p->token[0] == '\0')) {
        rc = err_set(err, ERR_INVALID, "a lease needs a token");
    }
    rc = rc < 0 ? rc : folder_make(spot.folder, false, err);
    rc = rc < 0 ? rc : look(p, &spot, &lease, &fd, err);
    rc = rc < 0 ? rc : claim_folder(&spot, err);
    rc = rc < 0 ? rc : may_take(&spot, &lease, force, err);
    rc = rc < 0 ? rc : make_own(p, owner, &lease, err);
    rc = rc < 0 ? rc : set_expiry(spot.folder, &lease, ttl_ms, err);
    rc = rc < 0 ? rc : write_lease(spot.folder, &lease, err);
    lease_leave(fd);
    return rc;
}

int lease_beat(const struct driver_place *p, uint64_t ttl_ms, struct err *err)
{
    struct spot spot;
    struct lease lease;
    int fd = -1, rc = lease_enter(p, &fd, err);
    if (rc < 0) {
        return rc;
    }
    rc = spot_init(p, &spot, err);
    rc = rc < 0 ? rc : read_lease(spot.folder, &lease, err);
    rc = rc < 0 ? rc : set_expiry(spot.folder, &lease, ttl_ms, err);
    rc = rc < 0 ? rc : write_lease(spot.folder, &lease, err);
    lease_leave(fd);
    return rc;
}

int lease_drop(const struct driver_place *p, struct err *err)
{
    struct spot spot;
    struct lease lease;
    char path[PATH_BYTES];
    int fd = -1, rc = look(p, &spot, &lease, &fd, err);
    if (rc < 0) {
        return rc;
    }
    if (lease.there && !is_own(&lease, p->token)) {
        rc = refuse(&spot, &lease, 0, err);
    }
    rc = rc < 0 ? rc : path_print(path, err, "%s/lease", spot.folder);
    rc = rc < 0 ? rc : file_remove(path, err);
    rc = rc < 0 ? rc : folder_sync(spot.folder, err);
    lease_leave(fd);
    return rc;
}

int lease_read(const struct driver_place *p, char owner[256], uint64_t *ret_left_ms,
               struct err *err)
{
    struct spot spot;
    struct lease lease;
    uint64_t left = 0;
    /* Without the lock: the file is replaced as a whole. */
    int rc = spot_init(p, &spot, err);
    rc = rc < 0 ? rc : read_lease(spot.folder, &lease, err);
    if (rc == 0 && lease.there) {
        rc = left_of(spot.folder, &lease, &left, err);
    }
    if (rc < 0) {
        return rc;
    }
    buf_print(owner, 256, "%s", lease.owner);
    *ret_left_ms = left;
    return 0;
}
