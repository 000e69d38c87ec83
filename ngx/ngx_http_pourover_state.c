
/*
 * The state file's life: taken at the start, looked at by every worker's tick,
 * kept fresh by the holder of the lease.
 */

#include "ngx_http_pourover_state.h"

#include <fcntl.h>


#define NGX_HTTP_POUROVER_ALIVE        10000      /* ms: rewritten so often */
#define NGX_HTTP_POUROVER_OTHER_ALIVE  15000


/* a share that nobody can vouch for: nobody goes to the canary */

static void
ngx_http_pourover_state_refuse(ngx_http_pourover_zone_t *pz,
    struct service *service)
{
    struct split  split;

    (void) zone_split_read(service, &split);
    split.share_ppm = 0;
    split.revision = 0;

    ngx_shmtx_lock(&pz->shpool->mutex);
    zone_split_set_locked(pz->zone, service, split);
    service->restored = RESTORED_REFUSED;
    ngx_shmtx_unlock(&pz->shpool->mutex);
}


static void
ngx_http_pourover_state_refused(ngx_http_pourover_zone_t *pz,
    enum restored restored, const char *reason)
{
    struct zone     *zone;
    struct service  *service;

    zone = pz->zone;
    zone->restored = (uint32_t) restored;
    (void) ngx_cpystrn((u_char *) zone->restored_reason, (u_char *) reason,
                       ZONE_REASON_MAX);

    for (service = zone_service_first(zone);
         service;
         service = zone_service_next(zone, service))
    {
        if (service->restored != RESTORED_FILE) {
            ngx_http_pourover_state_refuse(pz, service);
        }
    }
}


/* 0: the line is not to be believed after all */

static ngx_uint_t
ngx_http_pourover_state_take_split(ngx_http_pourover_zone_t *pz,
    struct service *service, const struct state_line *line)
{
    if (service->restored != RESTORED_FRESH) {
        service->restored = RESTORED_REFUSED;
        return 0;
    }

    zone_split_set_locked(pz->zone, service, line->is.split);
    service->restored = RESTORED_FILE;

    return 1;
}


static void
ngx_http_pourover_state_take_peer(ngx_http_pourover_zone_t *pz,
    struct service *service, const struct state_line *line)
{
    int         rc;
    unsigned    slot;
    struct err  err;

    /* nothing is cold when all begins */
    rc = peer_diff_put_locked(pz->zone, service, &line->is.peer, 0, &slot,
                              &err);

    if (rc != 0 && rc != ERR_NOT_FOUND) {
        ngx_log_error(NGX_LOG_ALERT, pz->log, 0,
                      "service \"%*s\": a peer of the state file cannot be "
                      "taken: %s", line->name_len, line->name, err.msg);
    }
}


/* one line into a fresh zone; the mutex is held */

static ngx_uint_t
ngx_http_pourover_state_take_line(ngx_http_pourover_zone_t *pz,
    enum state_item item, const struct state_line *line)
{
    struct zone     *zone;
    struct service  *service;

    zone = pz->zone;
    service = zone_service_find(zone, state_name(line));

    if (item == STATE_FAILING && line->revision > zone->control_revision) {
        failing_set_locked(zone, &line->is.failing);
        zone->control_revision = line->revision;
    }

    if (service == NULL) {
        return 1;
    }

    if (item == STATE_SPLIT) {
        return ngx_http_pourover_state_take_split(pz, service, line);
    }

    if (item == STATE_CONTROL) {
        maintenance_set_locked(zone, service, &line->is.maintenance);
        service->control_revision = line->revision;

    } else if (item == STATE_PEER) {
        ngx_http_pourover_state_take_peer(pz, service, line);
    }

    return 1;
}


/* takes the lines of a file whose frame is right; *reason of the first that is
 * not to be believed */

static ngx_uint_t
ngx_http_pourover_state_take(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_state_file_t *file, struct err *reason)
{
    ngx_uint_t           bad;
    struct err           err;
    struct service      *service;
    enum state_item      item;
    struct state_line    line;
    struct state_reader  reader;

    bad = 0;
    (void) state_read(&reader, file->text, &file->header, &err);

    ngx_shmtx_lock(&pz->shpool->mutex);

    while ((item = state_next(&reader, &line, &err)) != STATE_END) {

        if (item != STATE_BAD
            && !ngx_http_pourover_state_take_line(pz, item, &line))
        {
            (void) err_set(&err, ERR_INVALID, "line %u: a second line of this "
                           "service", reader.line);
            item = STATE_BAD;
        }

        if (item == STATE_BAD && bad++ == 0) {
            *reason = err;
        }
    }

    for (service = zone_service_first(pz->zone);
         service;
         service = zone_service_next(pz->zone, service))
    {
        peer_diff_settle_locked(pz->zone, service);
    }

    ngx_shmtx_unlock(&pz->shpool->mutex);

    return bad;
}


/* is it the file that the zone wrote or read last? */

static ngx_uint_t
ngx_http_pourover_state_known(ngx_http_pourover_zone_t *pz, uint64_t inode,
    uint64_t mtime_ns, uint64_t size)
{
    struct zone_file  *known;

    known = &pz->zone->file;

    return atomic_load(&known->inode) == inode
           && atomic_load(&known->mtime_ns) == mtime_ns
           && atomic_load(&known->size) == size;
}


/* the worker user has to write what the master made */

static void
ngx_http_pourover_state_own(ngx_cycle_t *cycle, ngx_http_pourover_zone_t *pz)
{
    ngx_fd_t          fd;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    /* the directory is the worker user's: no link of his leads us elsewhere */
    fd = open((char *) pz->saver->lock.data,
              O_RDWR|O_CREAT|O_NOFOLLOW|O_CLOEXEC, 0640);

    if (fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                      "cannot make \"%V\"", &pz->saver->lock);
        return;
    }

    if (geteuid() == 0
        && (fchown(fd, ccf->user, ccf->group) == -1
            || (lchown((char *) pz->state.data, ccf->user, ccf->group) == -1
                && ngx_errno != NGX_ENOENT)))
    {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                      "cannot give \"%V\" to the worker user", &pz->state);
    }

    (void) ngx_close_file(fd);
}


static void
ngx_http_pourover_state_restore_fresh(ngx_cycle_t *cycle,
    ngx_http_pourover_zone_t *pz, ngx_http_pourover_state_file_t *file,
    ngx_int_t loaded)
{
    struct err  reason;
    ngx_uint_t  bad;

    if (loaded == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_NOTICE, cycle->log, 0,
                      "state file \"%V\" is not there yet: the services start "
                      "with what the configuration says", &pz->state);
        return;
    }

    if (loaded == NGX_ERROR) {
        ngx_http_pourover_state_refused(pz, RESTORED_REFUSED, file->err.msg);
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                      "state file \"%V\" is refused: %s; the share of every "
                      "service is 0 until it is set again, and peers that were "
                      "added, drained or removed by command, maintenance and "
                      "failing health checks are as the configuration says",
                      &pz->state, file->err.msg);
        return;
    }

    pz->zone->restored = RESTORED_FILE;
    bad = ngx_http_pourover_state_take(pz, file, &reason);

    if (bad) {
        ngx_http_pourover_state_refused(pz, RESTORED_PARTLY, reason.msg);
        ngx_log_error(NGX_LOG_ALERT, cycle->log, 0,
                      "state file \"%V\": %ui of its lines are refused, the "
                      "first for: %s; the share of services that it does not "
                      "vouch for is 0 until it is set again, and peers that "
                      "these lines were about are as the configuration says",
                      &pz->state, bad, reason.msg);
    }
}


void
ngx_http_pourover_state_restore(ngx_cycle_t *cycle,
    ngx_http_pourover_zone_t *pz)
{
    ngx_int_t                       rc;
    ngx_http_pourover_state_file_t  file;

    if (pz->state.len == 0) {
        return;
    }

    ngx_http_pourover_state_own(cycle, pz);
    rc = ngx_http_pourover_state_load(pz, &file);

    if (pz->fresh) {
        ngx_http_pourover_state_restore_fresh(cycle, pz, &file, rc);
        ngx_http_pourover_state_remember(pz, file.inode, file.mtime_ns,
                                         file.size);

    } else {
        if (rc == NGX_OK && !ngx_http_pourover_state_distrusted(pz)) {
            (void) ngx_http_pourover_state_adopt(pz, &file, cycle->log);
        }

        pz->saver->moved = !ngx_http_pourover_state_known(pz, file.inode,
                                                          file.mtime_ns,
                                                          file.size);
    }

    ngx_http_pourover_state_free(&file);
}


/*
 * A flag file that somebody, or a healthcheck/ok that could not remove it, left
 * for the next start.  A binary upgrade is none: the state file has what the
 * old master was told last.
 */

void
ngx_http_pourover_state_fail_file(ngx_cycle_t *cycle,
    ngx_http_pourover_zone_t *pz)
{
    ngx_file_info_t       fi;
    struct failing_order  order;

    if (pz->fail_file.len == 0
        || ngx_file_info(pz->fail_file.data, &fi) == NGX_FILE_ERROR
        || (ngx_inherited && pz->zone->restored == RESTORED_FILE))
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                  "health checks fail from the start, because \"%V\" is there; "
                  "healthcheck/ok of the API ends that", &pz->fail_file);

    ngx_shmtx_lock(&pz->shpool->mutex);

    if (!atomic_load(&pz->zone->failing.on)) {
        ngx_memzero(&order, sizeof(struct failing_order));
        order.on = 1;
        order.since_ms = clock_wall_ms();
        order.by_len = sizeof("fail_file") - 1;
        ngx_memcpy(order.by, "fail_file", order.by_len);

        failing_set_locked(pz->zone, &order);
        pz->zone->control_revision++;

        if (pz->state.len) {
            pz->saver->moved = 1;
        }
    }

    ngx_shmtx_unlock(&pz->shpool->mutex);
}


void
ngx_http_pourover_state_open(ngx_http_pourover_zone_t *pz)
{
    u_char    text[NGX_INT_T_LEN + 1], *last;
    ngx_fd_t  fd;

    if (pz->state.len == 0) {
        return;
    }

    fd = open((char *) pz->saver->lock.data, O_RDWR|O_CREAT|O_CLOEXEC, 0640);

    if (fd == NGX_INVALID_FILE
        || ngx_http_pourover_state_lock(fd, F_RDLCK,
                                        NGX_HTTP_POUROVER_LOCK_ALIVE)
           != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ALERT, pz->log, ngx_errno,
                      "cannot lock \"%V\": another nginx could start with this "
                      "state file", &pz->saver->lock);
    }

    if (fd != NGX_INVALID_FILE) {
        /* for the message to another nginx */
        last = ngx_sprintf(text, "%P\n", ngx_parent);

        if (pwrite(fd, text, (size_t) (last - text), 0) == -1
            || ftruncate(fd, last - text) == -1)
        {
            ngx_log_error(NGX_LOG_WARN, pz->log, ngx_errno,
                          "cannot write to \"%V\"", &pz->saver->lock);
        }
    }

    pz->lock_fd = fd;
}


void
ngx_http_pourover_state_close(ngx_http_pourover_zone_t *pz)
{
    if (pz->lock_fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(pz->lock_fd);
        pz->lock_fd = NGX_INVALID_FILE;
    }
}


/* another wrote the file: what is higher there holds here too */

static void
ngx_http_pourover_state_look(ngx_http_pourover_zone_t *pz)
{
    ngx_int_t                       rc;
    ngx_file_info_t                 fi;
    ngx_http_pourover_state_file_t  file;

    if (ngx_file_info(pz->state.data, &fi) == NGX_FILE_ERROR
        || ngx_http_pourover_state_distrusted(pz)
        || ngx_http_pourover_state_known(pz, (uint64_t) fi.st_ino,
                                         ngx_http_pourover_mtime_ns(&fi),
                                         (uint64_t) fi.st_size))
    {
        return;
    }

    rc = ngx_http_pourover_state_load(pz, &file);

    if (rc == NGX_OK) {
        (void) ngx_http_pourover_state_adopt(pz, &file, pz->log);

    } else if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_WARN, pz->log, 0,
                      "state file \"%V\" was changed by another and is not "
                      "taken: %s; it will be replaced", &pz->state,
                      file.err.msg);
        file.inode = (uint64_t) fi.st_ino;
        file.mtime_ns = ngx_http_pourover_mtime_ns(&fi);
        file.size = (uint64_t) fi.st_size;
    }

    if (rc != NGX_DECLINED) {
        ngx_http_pourover_state_remember(pz, file.inode, file.mtime_ns,
                                         file.size);
    }

    ngx_http_pourover_state_free(&file);
}


static void
ngx_http_pourover_state_saved(void *data)
{
    ngx_http_pourover_zone_t *pz = data;

    pz->saver->moved &= !pz->saver->save.saved;
    ngx_destroy_pool(pz->saver->pool);
    pz->saver->pool = NULL;
}


/* the file says that this router lives */

static void
ngx_http_pourover_state_beat(ngx_http_pourover_zone_t *pz)
{
    uint64_t                           saved_at, now;
    struct ngx_http_pourover_saver_s  *saver;

    saver = pz->saver;
    now = clock_wall_ms();
    saved_at = atomic_load(&pz->zone->file.saved_at_ms);

    if (saver->pool
        || (!saver->moved
            && saved_at <= now && now - saved_at < NGX_HTTP_POUROVER_ALIVE)
        || (ngx_msec_int_t) (ngx_current_msec - saver->next) < 0)
    {
        return;
    }

    saver->pool = ngx_create_pool(1024, pz->log);
    if (saver->pool == NULL) {
        return;
    }

    saver->next = ngx_current_msec + NGX_HTTP_POUROVER_ALIVE / 10;
    ngx_memzero(&saver->save, sizeof(ngx_http_pourover_change_t));

    if (ngx_http_pourover_state_change(pz, &saver->save,
                                       ngx_http_pourover_state_saved, pz,
                                       saver->pool)
        != NGX_AGAIN)
    {
        ngx_http_pourover_state_saved(pz);
    }
}


void
ngx_http_pourover_state_tick(ngx_http_pourover_zone_t *pz, ngx_uint_t holder)
{
    if (pz->state.len == 0) {
        return;
    }

    ngx_http_pourover_state_look(pz);

    if (holder) {
        ngx_http_pourover_state_beat(pz);
    }
}


/* the master that USR2 was sent to lives on; one that was killed leaves its pid
 * file behind */

static ngx_uint_t
ngx_http_pourover_old_master(void)
{
    u_char            text[NGX_INT64_LEN];
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_pid_t         pid;
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    fd = open((char *) ccf->oldpid.data, O_RDONLY|O_CLOEXEC|O_NONBLOCK);
    if (fd == NGX_INVALID_FILE) {
        return ngx_errno != NGX_ENOENT;
    }

    n = read(fd, text, sizeof(text));
    (void) ngx_close_file(fd);

    while (n > 0 && (text[n - 1] == CR || text[n - 1] == LF)) {
        n--;
    }

    pid = n > 0 ? (ngx_pid_t) ngx_atoi(text, (size_t) n) : NGX_ERROR;

    return pid == NGX_ERROR || kill(pid, 0) == 0 || ngx_errno != NGX_ESRCH;
}


ngx_uint_t
ngx_http_pourover_state_upgrading(ngx_http_pourover_zone_t *pz)
{
    char                 text[STATE_LINE_MAX];
    ssize_t              n;
    uint64_t             now;
    ngx_fd_t             fd;
    struct state_header  header;

    if (ngx_http_pourover_old_master()) {
        return 1;
    }

    if (pz->state.len == 0) {
        return 0;
    }

    fd = open((char *) pz->state.data, O_RDONLY|O_CLOEXEC|O_NONBLOCK);
    if (fd == NGX_INVALID_FILE) {
        return 0;
    }

    n = pread(fd, text, sizeof(text), 0);
    (void) ngx_close_file(fd);

    if (n <= 0 || state_read_header((struct str) { text, (size_t) n }, &header,
                                    NULL) != 0)
    {
        return 0;
    }

    now = clock_wall_ms();

    /* what was written before we started is of a router that is gone */

    return header.instance != pz->zone->instance
           && header.alive_at_ms > pz->zone->started_at_ms
           && header.alive_at_ms <= now
           && now - header.alive_at_ms < NGX_HTTP_POUROVER_OTHER_ALIVE;
}
