
/*
 * The state file on disk, shared by state*.c and save.c.
 *
 * STATE         the file; replaced by rename only, so a reader sees a whole one
 * STATE.tmp     the next one while it is written
 * STATE.lock    byte 0: held shared by each worker that takes work, so that
 *               another nginx does not start with the same file;
 *               byte 1: held by who writes.  Open file description locks: the
 *               kernel gives them back whatever happens to the process
 * STATE.refused-MS   what could not be believed, kept for who wants to look
 */

#ifndef _NGX_HTTP_POUROVER_STATE_H_INCLUDED_
#define _NGX_HTTP_POUROVER_STATE_H_INCLUDED_


#include "ngx_http_pourover_change.h"

#include "base/clock.h"
#include "traffic/state.h"


#define NGX_HTTP_POUROVER_LOCK_ALIVE   0
#define NGX_HTTP_POUROVER_LOCK_WRITE   1


struct ngx_http_pourover_saver_s {
    ngx_str_t                      dir;
    ngx_str_t                      lock;
    ngx_str_t                      tmp;
#if (NGX_THREADS)
    ngx_thread_pool_t             *thread_pool;
#endif

    /* of this process: the periodic saving */
    ngx_http_pourover_change_t     save;
    ngx_pool_t                    *pool;          /* not NULL: under way */
    ngx_msec_t                     next;          /* not before */
    ngx_uint_t                     moved;         /* by a reload: save now */
};


/* a state file as it was read */

typedef struct {
    struct str                     text;          /* ngx_alloc()ed */
    struct state_header            header;
    uint64_t                       inode, mtime_ns, size;
    ngx_err_t                      failed;        /* errno, 0: read */
    struct err                     err;           /* why it is refused */
} ngx_http_pourover_state_file_t;


/*
 * Reads and checks the file.  NGX_OK; NGX_DECLINED: there is none; NGX_ERROR:
 * it is refused, err says why.  To be given back by state_free in any case.
 */
ngx_int_t ngx_http_pourover_state_load(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_state_file_t *file);
void ngx_http_pourover_state_free(ngx_http_pourover_state_file_t *file);

/* the service of a line; quick when it is the one behind the last line's */
struct service *ngx_http_pourover_state_find(struct zone *zone,
    struct service *last, struct str name);
/* takes what has a higher revision than the zone's: splits, and if no line is
 * bad what commands made of services and of the router; returns how many lines
 * are bad */
ngx_uint_t ngx_http_pourover_state_adopt(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_state_file_t *file, ngx_log_t *log);

/* the file that is in place now is the one that this zone knows */
void ngx_http_pourover_state_remember(ngx_http_pourover_zone_t *pz,
    uint64_t inode, uint64_t mtime_ns, uint64_t size);
/* 1 while the file that was refused at the start is still in place */
ngx_uint_t ngx_http_pourover_state_distrusted(ngx_http_pourover_zone_t *pz);

/* the whole of a change; may take long */
void ngx_http_pourover_save(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change, ngx_log_t *log);

/* F_RDLCK, F_WRLCK or F_UNLCK of one byte; NGX_DECLINED: another has it */
ngx_int_t ngx_http_pourover_state_lock(ngx_fd_t fd, short type, off_t byte);


#define ngx_http_pourover_mtime_ns(info)                                      \
    ((uint64_t) (info)->st_mtim.tv_sec * 1000000000                           \
     + (uint64_t) (info)->st_mtim.tv_nsec)


#endif /* _NGX_HTTP_POUROVER_STATE_H_INCLUDED_ */
