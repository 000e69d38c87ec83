
/*
 * Changes go through the thread pool, as fsync() may take long; without
 * threads, or without a file, they are made in the event loop.
 */

#include "ngx_http_pourover_state.h"


#define NGX_HTTP_POUROVER_CHANGE_LONG  60000      /* ms, then it is told */


typedef struct {
    ngx_http_pourover_zone_t        *zone;
    ngx_http_pourover_change_t      *change;
    void                           (*done)(void *data);
    void                            *data;
} ngx_http_pourover_job_t;


static void
ngx_http_pourover_change_job(void *data, ngx_log_t *log)
{
    ngx_http_pourover_job_t *job = data;

    ngx_http_pourover_save(job->zone, job->change, log);
}


#if (NGX_THREADS)

static void
ngx_http_pourover_change_done(ngx_event_t *ev)
{
    ngx_http_pourover_job_t *job = ev->data;

    if (ev->timedout) {
        ev->timedout = 0;
        ngx_log_error(NGX_LOG_ALERT, ev->log, 0,
                      "saving the state file \"%V\" takes longer than a minute",
                      &job->zone->state);
        return;
    }

    if (ev->timer_set) {
        ngx_del_timer(ev);
    }

    job->done(job->data);
}

#endif


ngx_int_t
ngx_http_pourover_state_change(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change, void (*done)(void *data), void *data,
    ngx_pool_t *pool)
{
    ngx_http_pourover_job_t  *job, here;
#if (NGX_THREADS)
    ngx_thread_task_t        *task;

    if (pz->state.len && !change->unsaved) {
        task = ngx_thread_task_alloc(pool, sizeof(ngx_http_pourover_job_t));
        if (task == NULL) {
            return NGX_ERROR;
        }

        job = task->ctx;
        *job = (ngx_http_pourover_job_t) { pz, change, done, data };

        task->handler = ngx_http_pourover_change_job;
        task->event.handler = ngx_http_pourover_change_done;
        task->event.data = job;
        task->event.log = pz->log;

        if (ngx_thread_task_post(pz->saver->thread_pool, task) != NGX_OK) {
            return NGX_ERROR;
        }

        /* or a worker that is told to exit would not wait for it */
        ngx_add_timer(&task->event, NGX_HTTP_POUROVER_CHANGE_LONG);

        return NGX_AGAIN;
    }
#endif

    here = (ngx_http_pourover_job_t) { pz, change, done, data };
    job = &here;
    ngx_http_pourover_change_job(job, pz->log);

    return NGX_OK;
}
