
/*
 * The state file as it lies on disk: read, and taken into the zone.
 *
 * What was set goes from file to zone by one rule everywhere: the higher
 * revision wins.  So it does not matter who reads when, and while a binary
 * upgrade has two masters with two zones, the file is where they meet.
 */

#include "ngx_http_pourover_state.h"

#include <fcntl.h>


ngx_int_t
ngx_http_pourover_state_lock(ngx_fd_t fd, short type, off_t byte)
{
    struct flock  fl;

    ngx_memzero(&fl, sizeof(struct flock));
    fl.l_type = type;
    fl.l_whence = SEEK_SET;
    fl.l_start = byte;
    fl.l_len = 1;

    if (fcntl(fd, F_OFD_SETLK, &fl) == 0) {
        return NGX_OK;
    }

    return ngx_errno == NGX_EAGAIN || ngx_errno == NGX_EACCES ? NGX_DECLINED
                                                              : NGX_ERROR;
}


static ngx_int_t
ngx_http_pourover_state_fail(ngx_http_pourover_state_file_t *file,
    ngx_err_t failed, const char *what)
{
    file->failed = failed;
    (void) err_errno(&file->err, failed, "%s", what);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_pourover_state_read(ngx_fd_t fd, ngx_http_pourover_state_file_t *file)
{
    char             *text;
    size_t            len;
    ssize_t           n;
    ngx_file_info_t   fi;

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        return ngx_http_pourover_state_fail(file, ngx_errno,
                                            "it cannot be looked at");
    }

    file->inode = (uint64_t) fi.st_ino;
    file->mtime_ns = ngx_http_pourover_mtime_ns(&fi);
    file->size = (uint64_t) fi.st_size;

    if (!ngx_is_file(&fi)) {
        return ngx_http_pourover_state_fail(file,
                                        ngx_is_dir(&fi) ? EISDIR : EINVAL,
                                        "it is no regular file");
    }

    if (fi.st_size > (off_t) STATE_TEXT_MAX) {
        return ngx_http_pourover_state_fail(file, EFBIG, "it cannot be ours");
    }

    text = malloc((size_t) fi.st_size + 1);
    if (text == NULL) {
        return ngx_http_pourover_state_fail(file, ENOMEM,
                                            "it cannot be read");
    }

    file->text.ptr = text;

    for (len = 0; len < (size_t) fi.st_size; len += (size_t) n) {
        n = pread(fd, text + len, (size_t) fi.st_size - len, (off_t) len);

        if (n < 0) {
            return ngx_http_pourover_state_fail(file, ngx_errno,
                                                "it cannot be read");
        }

        if (n == 0) {
            break;
        }
    }

    file->text.len = len;

    return NGX_OK;
}


ngx_int_t
ngx_http_pourover_state_load(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_state_file_t *file)
{
    ngx_fd_t             fd;
    ngx_int_t            rc;
    struct state_reader  reader;

    ngx_memzero(file, sizeof(ngx_http_pourover_state_file_t));

    /* O_NONBLOCK: a pipe in its place must not hold us */
    fd = open((char *) pz->state.data, O_RDONLY|O_CLOEXEC|O_NONBLOCK);

    if (fd == NGX_INVALID_FILE) {
        if (ngx_errno == NGX_ENOENT) {
            return NGX_DECLINED;
        }

        return ngx_http_pourover_state_fail(file, ngx_errno,
                                            "it cannot be opened");
    }

    rc = ngx_http_pourover_state_read(fd, file);
    (void) ngx_close_file(fd);

    if (rc != NGX_OK) {
        return rc;
    }

    if (state_read(&reader, file->text, &file->header, &file->err) != 0) {
        return NGX_ERROR;
    }

    /* our own may be old when the whole machine was asleep */
    if (file->header.instance != pz->zone->instance
        && state_check_age(&file->header, clock_wall_ms(), pz->state_max_age,
                           &file->err) != 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


void
ngx_http_pourover_state_free(ngx_http_pourover_state_file_t *file)
{
    free((void *) file->text.ptr);
    file->text = (struct str) { NULL, 0 };
}


void
ngx_http_pourover_state_remember(ngx_http_pourover_zone_t *pz, uint64_t inode,
    uint64_t mtime_ns, uint64_t size)
{
    struct zone_file  *file;

    file = &pz->zone->file;
    atomic_store(&file->inode, inode);
    atomic_store(&file->mtime_ns, mtime_ns);
    atomic_store(&file->size, size);
}


ngx_uint_t
ngx_http_pourover_state_distrusted(ngx_http_pourover_zone_t *pz)
{
    return (pz->zone->restored == RESTORED_REFUSED
            || pz->zone->restored == RESTORED_PARTLY)
           && atomic_load(&pz->zone->file.saved_at_ms) == 0;
}


struct service *
ngx_http_pourover_state_find(struct zone *zone, struct service *last,
    struct str name)
{
    struct service  *service;

    service = last ? zone_service_next(zone, last) : zone_service_first(zone);

    if (service && str_eq((struct str) { service->name, service->name_len },
                          name))
    {
        return service;
    }

    return zone_service_find(zone, name);
}


static void
ngx_http_pourover_state_adopt_split(ngx_http_pourover_zone_t *pz,
    struct service *service, const struct state_line *line, ngx_log_t *log)
{
    ngx_uint_t           higher;
    struct split         now;
    const struct split  *split;

    split = &line->is.split;

    if (zone_split_read(service, &now) && now.revision >= split->revision) {
        return;
    }

    ngx_shmtx_lock(&pz->shpool->mutex);

    higher = zone_split_read(service, &now) && now.revision < split->revision;

    if (higher) {
        zone_split_set_locked(pz->zone, service, *split);
    }

    ngx_shmtx_unlock(&pz->shpool->mutex);

    if (higher) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "service \"%*s\": the split of revision %uL (share %uD "
                      "ppm) was taken from the state file",
                      line->name_len, line->name, split->revision,
                      split->share_ppm);
    }
}


static void
ngx_http_pourover_state_adopt_control(ngx_http_pourover_zone_t *pz,
    struct service *service, const struct state_line *line,
    struct state_reader *reader, ngx_log_t *log)
{
    int         rc;
    struct err  err;

    ngx_shmtx_lock(&pz->shpool->mutex);
    rc = state_take_control_locked(pz->zone, service, line, reader,
                                   clock_mono_ms(), &err);
    ngx_shmtx_unlock(&pz->shpool->mutex);

    if (rc == 1) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "service \"%*s\": peers and maintenance of revision %uL "
                      "were taken from the state file",
                      line->name_len, line->name, line->revision);

    } else if (rc != 0) {
        ngx_log_error(NGX_LOG_ALERT, log, 0,
                      "service \"%*s\": not all peers of the state file could "
                      "be taken: %s", line->name_len, line->name, err.msg);
    }
}


static void
ngx_http_pourover_state_adopt_failing(ngx_http_pourover_zone_t *pz,
    const struct state_line *line, ngx_log_t *log)
{
    ngx_uint_t  higher;

    ngx_shmtx_lock(&pz->shpool->mutex);

    higher = line->revision > pz->zone->control_revision;

    if (higher) {
        failing_set_locked(pz->zone, &line->is.failing);
        pz->zone->control_revision = line->revision;
    }

    ngx_shmtx_unlock(&pz->shpool->mutex);

    if (higher) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "health checks are told to %s by the state file",
                      line->is.failing.on ? "fail" : "pass");
    }
}


/* what commands made of services and of the router.  A file with a bad line
 * would undo what that line says, so it has none here */

static void
ngx_http_pourover_state_adopt_controls(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_state_file_t *file, ngx_log_t *log)
{
    struct service       *service;
    enum state_item       item;
    struct state_line     line;
    struct state_header   header;
    struct state_reader   reader;

    if (state_read(&reader, file->text, &header, NULL) != 0) {
        return;
    }

    while ((item = state_next(&reader, &line, NULL)) != STATE_END) {

        if (item == STATE_FAILING) {
            ngx_http_pourover_state_adopt_failing(pz, &line, log);
            continue;
        }

        service = item == STATE_CONTROL
                  ? zone_service_find(pz->zone, state_name(&line)) : NULL;

        if (service) {
            ngx_http_pourover_state_adopt_control(pz, service, &line, &reader,
                                                  log);
        }
    }
}


ngx_uint_t
ngx_http_pourover_state_adopt(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_state_file_t *file, ngx_log_t *log)
{
    ngx_uint_t            bad;
    struct service       *service, *last;
    enum state_item       item;
    struct state_line     line;
    struct state_header   header;
    struct state_reader   reader;

    bad = 0;
    last = NULL;

    if (state_read(&reader, file->text, &header, NULL) != 0) {
        return 1;
    }

    while ((item = state_next(&reader, &line, NULL)) != STATE_END) {

        bad += item == STATE_BAD;

        service = item == STATE_SPLIT
                  ? ngx_http_pourover_state_find(pz->zone, last,
                                                 state_name(&line)) : NULL;

        if (service) {
            last = service;
            ngx_http_pourover_state_adopt_split(pz, service, &line, log);
        }
    }

    if (bad == 0) {
        ngx_http_pourover_state_adopt_controls(pz, file, log);
    }

    return bad;
}
