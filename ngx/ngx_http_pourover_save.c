
/*
 * One change: compared, set, saved.  Runs in the thread pool, see
 * state_change.c; what a change does to the zone is in apply.c.
 *
 *   lock      who writes holds STATE.lock: one change at a time, of all workers
 *             and of both masters of a binary upgrade
 *   adopt     the file's higher revisions, so that the comparison is with the
 *             latest change of whoever made it
 *   apply     under the zone's mutex.  A change that can move nobody to the
 *             canary is made here, in memory, whatever becomes of the file
 *   write     STATE.tmp, fsync
 *   rename    from here on the change outlives us
 *   publish   a split that can move visitors to the canary is set only now
 *
 * Killed before the rename: the caller got no answer and the file is the old
 * one; a raise was not done.  Killed behind it: the file has the new one, and
 * the next tick of any worker takes it into the zone.  The mutex is never held
 * over I/O.
 */

#include "ngx_http_pourover_state.h"

#include <fcntl.h>


#define NGX_HTTP_POUROVER_LOCK_WAIT    3000       /* ms */
#define NGX_HTTP_POUROVER_CARRIED      1024       /* services of no upstream */


typedef struct {
    ngx_http_pourover_zone_t        *zone;
    ngx_http_pourover_change_t      *change;
    ngx_log_t                       *log;

    ngx_fd_t                         lock;
    ngx_http_pourover_state_file_t   file;        /* as it is before */
    ngx_uint_t                       aside;       /* it is to be kept */

    struct buf                       head, body;  /* the new one */
    char                             head_text[STATE_LINE_MAX];
    uint64_t                         alive_at_ms;
    ngx_file_info_t                  written;

    ngx_err_t                        failed;      /* errno, 0: none */
} ngx_http_pourover_save_t;


/* the step that failed; the message is for the caller of the API and the log */

static ngx_int_t
ngx_http_pourover_save_fail(ngx_http_pourover_save_t *s, ngx_err_t failed,
    const char *what)
{
    s->failed = failed;
    (void) err_errno(&s->change->err, failed,
                     "the state file \"%.*s\" was not written: %s",
                     (int) s->zone->state.len, s->zone->state.data, what);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_pourover_save_lock(ngx_http_pourover_save_t *s)
{
    uint64_t   end;
    ngx_int_t  rc;

    /* a description of its own: locks are not shared by threads of a process */
    s->lock = open((char *) s->zone->saver->lock.data,
                   O_RDWR|O_CREAT|O_CLOEXEC, 0640);

    if (s->lock == NGX_INVALID_FILE) {
        return ngx_http_pourover_save_fail(s, ngx_errno,
                                           "its lock cannot be opened");
    }

    end = clock_mono_ms() + NGX_HTTP_POUROVER_LOCK_WAIT;

    for ( ;; ) {
        rc = ngx_http_pourover_state_lock(s->lock, F_WRLCK,
                                          NGX_HTTP_POUROVER_LOCK_WRITE);
        if (rc == NGX_OK) {
            return NGX_OK;
        }

        if (rc == NGX_ERROR) {
            return ngx_http_pourover_save_fail(s, ngx_errno,
                                               "its lock cannot be taken");
        }

        if (clock_mono_ms() >= end) {
            return ngx_http_pourover_save_fail(s, NGX_ETIMEDOUT,
                                               "another process has its lock");
        }

        ngx_msleep(1);
    }
}


static void
ngx_http_pourover_save_load(ngx_http_pourover_save_t *s)
{
    ngx_int_t  rc;

    rc = ngx_http_pourover_state_load(s->zone, &s->file);

    if (rc == NGX_DECLINED) {
        return;
    }

    if (rc == NGX_ERROR || ngx_http_pourover_state_distrusted(s->zone)) {
        s->aside = 1;

        if (rc == NGX_ERROR) {
            ngx_http_pourover_state_free(&s->file);
        }

        return;
    }

    s->aside = ngx_http_pourover_state_adopt(s->zone, &s->file, s->log) > 0;
}


/* NGX_DECLINED: nothing was done; the change says why */

static ngx_int_t
ngx_http_pourover_save_apply(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change)
{
    int  rc;

    if (change->apply == NULL) {
        return NGX_OK;
    }

    ngx_shmtx_lock(&pz->shpool->mutex);
    rc = change->apply(pz, change);
    ngx_shmtx_unlock(&pz->shpool->mutex);

    return rc == 0 ? NGX_OK : NGX_DECLINED;
}


/* the lines of services that no upstream of ours has any more, or not yet */

static uint64_t
ngx_http_pourover_save_carry(ngx_http_pourover_save_t *s)
{
    uint64_t              n;
    ngx_uint_t            services;
    struct service       *service, *last;
    enum state_item       item;
    struct state_line     line;
    struct state_header   header;
    struct state_reader   reader;

    n = 0;
    services = 0;
    last = NULL;

    if (s->file.text.ptr == NULL
        || state_read(&reader, s->file.text, &header, NULL) != 0)
    {
        return 0;
    }

    while ((item = state_next(&reader, &line, NULL)) != STATE_END) {

        if (item == STATE_BAD || item == STATE_FAILING) {
            continue;
        }

        service = ngx_http_pourover_state_find(s->zone->zone, last,
                                               state_name(&line));
        if (service) {
            last = service;
            continue;
        }

        services += item == STATE_SPLIT;

        if (services > NGX_HTTP_POUROVER_CARRIED) {
            ngx_log_error(NGX_LOG_WARN, s->log, 0,
                          "state file \"%V\": more than %d services are not in "
                          "the configuration; \"%*s\" and those behind it are "
                          "forgotten", &s->zone->state,
                          NGX_HTTP_POUROVER_CARRIED, line.name_len, line.name);
            break;
        }

        state_put_line(&s->body, line.text);
        n++;
    }

    return n;
}


/* what the zone says, but for a split that is not set yet */

static ngx_int_t
ngx_http_pourover_save_services(ngx_http_pourover_save_t *s, uint64_t *lines)
{
    ngx_uint_t        whole;
    struct zone      *zone;
    struct split      split;
    struct service   *service;
    ngx_slab_pool_t  *shpool;

    zone = s->zone->zone;
    shpool = s->zone->shpool;

    for (service = zone_service_first(zone);
         service;
         service = zone_service_next(zone, service))
    {
        ngx_shmtx_lock(&shpool->mutex);

        whole = zone_split_read(service, &split);

        if (s->change->raise && service == s->change->service) {
            split = s->change->next;
        }

        state_put_split(&s->body, (struct str) { service->name,
                                                 service->name_len }, &split);
        *lines += 1 + state_put_control_locked(&s->body, zone, service);

        ngx_shmtx_unlock(&shpool->mutex);

        if (!whole) {
            return ngx_http_pourover_save_fail(s, NGX_EAGAIN,
                                               "splits change too fast");
        }
    }

    return NGX_OK;
}


static uint64_t
ngx_http_pourover_save_failing(ngx_http_pourover_save_t *s)
{
    uint64_t              revision;
    struct failing_order  failing;

    ngx_shmtx_lock(&s->zone->shpool->mutex);
    revision = s->zone->zone->control_revision;
    failing = failing_get_locked(s->zone->zone);
    ngx_shmtx_unlock(&s->zone->shpool->mutex);

    if (revision == 0) {
        return 0;
    }

    state_put_failing(&s->body, revision, &failing);

    return 1;
}


static ngx_int_t
ngx_http_pourover_save_compose(ngx_http_pourover_save_t *s)
{
    uint64_t             lines;
    struct state_header  header;

    buf_init(&s->body, STATE_TEXT_MAX);

    lines = ngx_http_pourover_save_failing(s);
    lines += ngx_http_pourover_save_carry(s);

    if (ngx_http_pourover_save_services(s, &lines) != NGX_OK) {
        return NGX_ERROR;
    }

    state_put_end(&s->body, lines);

    s->alive_at_ms = clock_wall_ms();
    header = (struct state_header) { s->zone->zone->instance, s->alive_at_ms,
                                     lines };
    buf_init_fixed(&s->head, s->head_text, sizeof(s->head_text));
    state_put_header(&s->head, &header);

    if (s->body.failed || s->body.len + s->head.len > STATE_TEXT_MAX) {
        return ngx_http_pourover_save_fail(s, EFBIG,
                                           "there are too many services");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_save_put(ngx_fd_t fd, const struct buf *buf)
{
    size_t   off;
    ssize_t  n;

    for (off = 0; off < buf->len; off += (size_t) n) {
        n = write(fd, buf->ptr + off, buf->len - off);

        if (n == -1) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* STATE.tmp, durable */

static ngx_int_t
ngx_http_pourover_save_write(ngx_http_pourover_save_t *s)
{
    ngx_fd_t   fd;
    ngx_err_t  err;
    char      *tmp;

    tmp = (char *) s->zone->saver->tmp.data;

    /* of a writer that died, perhaps of another user */
    (void) unlink(tmp);

    fd = open(tmp, O_WRONLY|O_CREAT|O_EXCL|O_CLOEXEC, 0640);
    if (fd == NGX_INVALID_FILE) {
        return ngx_http_pourover_save_fail(s, ngx_errno,
                                           "no new one can be made beside it");
    }

    if (ngx_http_pourover_save_put(fd, &s->head) != NGX_OK
        || ngx_http_pourover_save_put(fd, &s->body) != NGX_OK
        || fsync(fd) == -1
        || ngx_fd_info(fd, &s->written) == NGX_FILE_ERROR)
    {
        err = ngx_errno;
        (void) ngx_close_file(fd);
        (void) unlink(tmp);

        return ngx_http_pourover_save_fail(s, err, "the new one beside it");
    }

    (void) ngx_close_file(fd);

    return NGX_OK;
}


/*
 * What was refused is kept under another name.  The two change places in one
 * step where the file system can do that, so that at no moment there is no
 * file: a router that starts then would believe the configuration.
 */

static ngx_int_t
ngx_http_pourover_save_aside(ngx_http_pourover_save_t *s)
{
    char        kept[NGX_MAX_PATH];
    const char  *path, *tmp;

    path = (char *) s->zone->state.data;
    tmp = (char *) s->zone->saver->tmp.data;

    *ngx_snprintf((u_char *) kept, sizeof(kept) - 1, "%V.refused-%uL",
                  &s->zone->state, s->alive_at_ms) = '\0';

    if (rename(tmp, kept) == -1) {
        return NGX_ERROR;
    }

    if (renameat2(AT_FDCWD, kept, AT_FDCWD, path, RENAME_EXCHANGE) == -1
        && (rename(kept, tmp) == -1 || rename(path, kept) == -1
            || rename(tmp, path) == -1))
    {
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_WARN, s->log, 0,
                  "the state file that was refused is kept as \"%s\"", kept);

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_save_rename(ngx_http_pourover_save_t *s)
{
    ngx_fd_t                   fd;
    ngx_err_t                  err;
    ngx_http_pourover_zone_t  *pz;

    pz = s->zone;

    if (s->aside
        ? ngx_http_pourover_save_aside(s) != NGX_OK
        : rename((char *) pz->saver->tmp.data, (char *) pz->state.data) == -1)
    {
        err = ngx_errno;
        (void) unlink((char *) pz->saver->tmp.data);

        return ngx_http_pourover_save_fail(s, err,
                                           "the new one cannot take its place");
    }

    fd = open((char *) pz->saver->dir.data, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE || fsync(fd) == -1) {
        ngx_log_error(NGX_LOG_ALERT, s->log, ngx_errno,
                      "state file \"%V\" is in place, but a loss of power "
                      "could undo that", &pz->state);
    }

    if (fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(fd);
    }

    return NGX_OK;
}


/*
 * Nobody writes beside us while we hold the lock, but a lowering that could not
 * get it was set in memory all the same: then the raise was compared in vain.
 */

static ngx_uint_t
ngx_http_pourover_save_stale(ngx_http_pourover_change_t *change)
{
    struct split  now;

    return change->raise
           && (!zone_split_read(change->service, &now)
               || now.revision != change->before.revision);
}


static void
ngx_http_pourover_save_publish(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change)
{
    struct split  now;

    ngx_shmtx_lock(&pz->shpool->mutex);

    /* a tick may have taken it from the file already */
    if (zone_split_read(change->service, &now)
        && now.revision < change->next.revision)
    {
        zone_split_set_locked(pz->zone, change->service, change->next);
    }

    ngx_shmtx_unlock(&pz->shpool->mutex);
}


/* NGX_OK: saved; NGX_DECLINED: a conflict after all; NGX_ERROR: not saved */

static ngx_int_t
ngx_http_pourover_save_file(ngx_http_pourover_save_t *s)
{
    if (ngx_http_pourover_save_compose(s) != NGX_OK
        || ngx_http_pourover_save_write(s) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_http_pourover_save_stale(s->change)) {
        (void) unlink((char *) s->zone->saver->tmp.data);
        s->change->field = "if_revision";
        (void) err_set(&s->change->err, ERR_CONFLICT,
                       "the split was lowered while this change was being "
                       "saved; read it and decide anew");
        return NGX_DECLINED;
    }

    if (ngx_http_pourover_save_rename(s) != NGX_OK) {
        return NGX_ERROR;
    }

    if (s->change->raise) {
        ngx_http_pourover_save_publish(s->zone, s->change);
    }

    /* only now: if we are killed before, a tick takes the file that it sees */
    ngx_http_pourover_state_remember(s->zone, (uint64_t) s->written.st_ino,
                                  ngx_http_pourover_mtime_ns(&s->written),
                                  (uint64_t) s->written.st_size);
    atomic_store(&s->zone->zone->file.saved_at_ms, s->alive_at_ms);

    return NGX_OK;
}


static ngx_uint_t
ngx_http_pourover_save_status(ngx_int_t rc, const struct err *err)
{
    if (rc == NGX_OK) {
        return NGX_HTTP_OK;
    }

    if (rc == NGX_ERROR || err->code == ERR_FULL) {
        return NGX_HTTP_INSUFFICIENT_STORAGE;
    }

    return err->code == ERR_NOT_FOUND ? NGX_HTTP_NOT_FOUND
           : err->code == ERR_INVALID ? NGX_HTTP_BAD_REQUEST
           : NGX_HTTP_CONFLICT;
}


static void
ngx_http_pourover_save_result(ngx_http_pourover_save_t *s, ngx_int_t rc)
{
    ngx_err_t                    before;
    struct zone_file            *file;
    ngx_http_pourover_change_t  *change;

    change = s->change;

    if (rc == NGX_DECLINED) {
        return;
    }

    change->saved = rc == NGX_OK;
    file = &s->zone->zone->file;
    before = (ngx_err_t) atomic_exchange(&file->failed, (uint32_t) s->failed);

    if (rc == NGX_ERROR && (change->apply || before != s->failed)) {
        ngx_log_error(NGX_LOG_ALERT, s->log, 0, "%s%s", change->err.msg,
                      !change->apply ? ""
                      : change->raise ? "; the split was not changed"
                      : "; the change holds in memory only");

    } else if (rc == NGX_OK && before) {
        ngx_log_error(NGX_LOG_NOTICE, s->log, 0,
                      "state file \"%V\" is written again", &s->zone->state);
    }
}


static ngx_int_t
ngx_http_pourover_save_all(ngx_http_pourover_save_t *s)
{
    ngx_int_t  rc, locked;

    locked = ngx_http_pourover_save_lock(s);

    if (locked == NGX_OK) {
        ngx_http_pourover_save_load(s);
    }

    rc = ngx_http_pourover_save_apply(s->zone, s->change);

    if (rc == NGX_OK) {
        rc = locked == NGX_OK ? ngx_http_pourover_save_file(s) : NGX_ERROR;
    }

    ngx_http_pourover_save_result(s, rc);
    ngx_http_pourover_state_free(&s->file);
    buf_done(&s->body);

    if (s->lock != NGX_INVALID_FILE) {
        (void) ngx_close_file(s->lock);
    }

    return rc;
}


void
ngx_http_pourover_save(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change, ngx_log_t *log)
{
    ngx_int_t                 rc;
    ngx_http_pourover_save_t  s;

    if (pz->state.len == 0 || change->unsaved) {
        rc = ngx_http_pourover_save_apply(pz, change);

    } else {
        ngx_memzero(&s, sizeof(ngx_http_pourover_save_t));
        s.zone = pz;
        s.change = change;
        s.log = log;

        rc = ngx_http_pourover_save_all(&s);
    }

    change->status = ngx_http_pourover_save_status(rc, &change->err);
    ngx_http_pourover_apply_end(pz, change, log);
}
