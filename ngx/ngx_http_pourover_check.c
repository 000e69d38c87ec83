
/*
 * Active checks: which peer is checked when, and what comes of it.
 *
 * The worker that holds the zone's lease has a task for every peer of every
 * checked service; each has a timer of its own.  The tick finds the peers that
 * came and went, and drops all tasks when the lease is lost, when the worker
 * is to exit, or when another configuration took effect: whoever holds the
 * lease next goes on from the time that the zone has for each peer's last
 * check, so no peer waits for longer than its interval.
 *
 * A result is worth something only under the lease that its check began with:
 * a holder that was stopped for a while finds that another one has checked
 * meanwhile, and what it saw before is old.
 *
 * Invariants: a task is in `all`; it waits (in `waiting`, no timer), or runs (a
 * stage, a timer that keeps an exiting worker until the tick drops it), or
 * sleeps (a timer that does not), or its peer is gone and so will it be.
 */

#include "ngx_http_pourover_check.h"

#include "base/clock.h"


#define NGX_HTTP_POUROVER_CHECKS_MAX  256         /* that run at once */

/* a timer that is later than this tells of this worker, not of the peer */
#define NGX_HTTP_POUROVER_STALL_MS    100


/* the task that has this member */

#define ngx_http_pourover_task_of(p, member)                                  \
    (void *) ((u_char *) (p) - offsetof(ngx_http_pourover_task_t, member))


static void ngx_http_pourover_task_timer(ngx_event_t *ev);
static void ngx_http_pourover_task_sleep(ngx_http_pourover_task_t *task);
static void ngx_http_pourover_begin_checks(ngx_event_t *ev);


/* of the process: whose tasks these are, and under which lease */

static struct {
    ngx_cycle_t       *cycle;
    uint64_t           lease;                     /* 0: no tasks */
    ngx_queue_t        all;
    ngx_queue_t        waiting;
    ngx_uint_t         running;
    ngx_event_t        begin;                     /* posted */
    ngx_connection_t   dummy;                     /* what timers belong to */
} ngx_http_pourover_checker = {
    .all = { &ngx_http_pourover_checker.all, &ngx_http_pourover_checker.all },
    .waiting = { &ngx_http_pourover_checker.waiting,
                 &ngx_http_pourover_checker.waiting },
    .begin = { .handler = ngx_http_pourover_begin_checks,
               .data = &ngx_http_pourover_checker.dummy },
    .dummy = { .fd = (ngx_socket_t) -1 },
};


static ngx_uint_t
ngx_http_pourover_is_checked(uint32_t meta)
{
    return META_STATE(meta) == PEER_READY
           || META_STATE(meta) == PEER_DRAINING
           || META_STATE(meta) == PEER_DOWN;
}


/* the task's slot still holds the peer that it is for */

static ngx_uint_t
ngx_http_pourover_task_current(ngx_http_pourover_task_t *task,
    struct zone *zone)
{
    uint32_t  meta;

    meta = zone_peer_meta(zone, task->service->service, (unsigned) task->slot);

    return META_GENERATION(meta) == task->generation
           && ngx_http_pourover_is_checked(meta);
}


static void
ngx_http_pourover_task_free(ngx_http_pourover_task_t *task)
{
    if (task->stage != NGX_HTTP_POUROVER_CHECK_IDLE) {
        ngx_http_pourover_check_close(task);
        ngx_http_pourover_checker.running--;
    }

    if (task->in_waiting) {
        ngx_queue_remove(&task->waiting);
    }

    if (task->timer.timer_set) {
        ngx_del_timer(&task->timer);
    }

    ngx_queue_remove(&task->all);
    task->service->tasks[task->slot] = NULL;

    ngx_free(task);
}


static void
ngx_http_pourover_drop_tasks(void)
{
    ngx_queue_t               *q, *next;
    ngx_http_pourover_task_t  *task;

    for (q = ngx_queue_head(&ngx_http_pourover_checker.all);
         q != ngx_queue_sentinel(&ngx_http_pourover_checker.all);
         q = next)
    {
        next = ngx_queue_next(q);
        task = ngx_http_pourover_task_of(q, all);
        ngx_http_pourover_task_free(task);
    }
}


/* up to so much of the interval as the jitter is */

static uint64_t
ngx_http_pourover_jitter(ngx_http_pourover_check_t *check)
{
    uint64_t  most;

    most = (uint64_t) check->interval * check->jitter / 100;

    return (uint64_t) ngx_random() % (most + 1);
}


/*
 * The first check of a peer that nobody has checked comes at once; else it
 * comes an interval after the last one, whoever made that, and not later.
 */

static void
ngx_http_pourover_task_add(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_service_t *ps, unsigned slot, uint32_t meta)
{
    uint64_t                    checked_at;
    const struct peer          *peer;
    ngx_http_pourover_task_t   *task;

    task = ngx_calloc(sizeof(ngx_http_pourover_task_t), pz->log);
    if (task == NULL) {
        return;
    }

    peer = zone_peer(pz->zone, ps->service, slot);
    checked_at = atomic_load(&peer->seen.checked_at_ms);

    task->service = ps;
    task->slot = slot;
    task->generation = META_GENERATION(meta);
    task->address.len = ngx_min(peer->address_len, ZONE_ADDRESS_MAX);
    task->address.data = task->address_text;
    ngx_memcpy(task->address_text, peer->address, task->address.len);

    task->due_ms = clock_mono_ms();

    if (META_HEALTH(meta) != HEALTH_UNKNOWN && checked_at != 0) {
        task->due_ms = checked_at + ps->check->interval
                       - ngx_http_pourover_jitter(ps->check);
    }

    task->timer.handler = ngx_http_pourover_task_timer;
    task->timer.data = &ngx_http_pourover_checker.dummy;
    task->timer.log = pz->log;

    ngx_queue_insert_tail(&ngx_http_pourover_checker.all, &task->all);
    ps->tasks[slot] = task;

    ngx_http_pourover_task_sleep(task);
}


/* peers come and go at run time */

static void
ngx_http_pourover_scan_service(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_service_t *ps)
{
    uint32_t                   meta;
    unsigned                   slot, slots;
    ngx_http_pourover_task_t  *task;

    if (ps->tasks == NULL) {
        ps->tasks = ngx_pcalloc(pz->cycle->pool,
                                ZONE_PEERS_MAX * sizeof(void *));
        if (ps->tasks == NULL) {
            return;
        }
    }

    slots = atomic_load(&ps->service->slots);

    for (slot = 0; slot < slots; slot++) {
        meta = zone_peer_meta(pz->zone, ps->service, slot);
        task = ps->tasks[slot];

        if (task && !ngx_http_pourover_task_current(task, pz->zone)) {
            ngx_http_pourover_task_free(task);
            task = NULL;
        }

        if (task == NULL && ngx_http_pourover_is_checked(meta)) {
            ngx_http_pourover_task_add(pz, ps, slot, meta);
        }
    }
}


void
ngx_http_pourover_check_tick(ngx_http_pourover_zone_t *pz, ngx_uint_t holder)
{
    uint64_t                         lease;
    ngx_uint_t                       i;
    ngx_http_pourover_service_t    **ps;
    ngx_http_pourover_main_conf_t   *pmcf;

    lease = 0;

    if (holder && pz->generation == pz->zone->generation) {
        lease = atomic_load(&pz->zone->lease_number);
    }

    if (lease != ngx_http_pourover_checker.lease
        || ngx_http_pourover_checker.cycle != ngx_cycle)
    {
        ngx_http_pourover_drop_tasks();
        ngx_http_pourover_checker.lease = lease;
        ngx_http_pourover_checker.cycle = (ngx_cycle_t *) ngx_cycle;
        ngx_http_pourover_checker.begin.log = pz->log;
    }

    if (lease == 0) {
        return;
    }

    pmcf = ngx_http_pourover_main_of((ngx_cycle_t *) ngx_cycle);
    ps = pmcf->services.elts;

    for (i = 0; i < pmcf->services.nelts; i++) {
        if (ps[i]->check && ps[i]->service) {
            ngx_http_pourover_scan_service(pz, ps[i]);
        }
    }
}


static void
ngx_http_pourover_task_sleep(ngx_http_pourover_task_t *task)
{
    uint64_t  now;

    now = clock_mono_ms();

    task->timer.cancelable = 1;
    ngx_add_timer(&task->timer,
                  task->due_ms > now ? (ngx_msec_t) (task->due_ms - now) : 0);
}


/* checks must not take the connections that visitors need */

static ngx_uint_t
ngx_http_pourover_checks_max(void)
{
    return ngx_max(1, ngx_min(NGX_HTTP_POUROVER_CHECKS_MAX,
                              ngx_cycle->connection_n / 4));
}


static void
ngx_http_pourover_run(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_task_t *task)
{
    uint64_t                    now, jitter;
    ngx_http_pourover_check_t  *check;

    check = task->service->check;
    now = clock_mono_ms();

    if (now > task->due_ms + check->interval) {
        atomic_fetch_add(&pz->zone->checks_late, 1);
    }

    jitter = ngx_http_pourover_jitter(check);
    task->due_ms = now + check->interval;

    if (ngx_random() & 1) {
        task->due_ms += jitter;

    } else {
        task->due_ms -= jitter;
    }

    task->started_us = clock_mono_us();
    task->stage = NGX_HTTP_POUROVER_CHECK_CONNECTS;
    task->timer.cancelable = 0;
    ngx_add_timer(&task->timer, check->timeout);
    ngx_http_pourover_checker.running++;

    ngx_http_pourover_check_start(task);
}


/* begins what waits for its turn, as far as that is allowed */

static void
ngx_http_pourover_begin_checks(ngx_event_t *ev)
{
    ngx_queue_t               *q, *next;
    ngx_http_pourover_task_t  *task;
    ngx_http_pourover_zone_t  *pz;

    pz = ngx_http_pourover_zone_of((ngx_cycle_t *) ngx_cycle);

    if (pz == NULL || ngx_exiting) {
        return;
    }

    for (q = ngx_queue_head(&ngx_http_pourover_checker.waiting);
         q != ngx_queue_sentinel(&ngx_http_pourover_checker.waiting)
         && ngx_http_pourover_checker.running < ngx_http_pourover_checks_max();
         q = next)
    {
        next = ngx_queue_next(q);
        ngx_queue_remove(q);

        task = ngx_http_pourover_task_of(q, waiting);
        task->in_waiting = 0;

        /* else its peer is gone, which the next tick finds */

        if (ngx_http_pourover_task_current(task, pz->zone)) {
            ngx_http_pourover_run(pz, task);
        }
    }
}


/* a check's time has come, or is over */

static void
ngx_http_pourover_task_timer(ngx_event_t *ev)
{
    uint64_t                   took_ms;
    ngx_http_pourover_task_t  *task;

    task = ngx_http_pourover_task_of(ev, timer);

    if (task->stage == NGX_HTTP_POUROVER_CHECK_IDLE) {
        task->in_waiting = 1;
        ngx_queue_insert_tail(&ngx_http_pourover_checker.waiting,
                              &task->waiting);
        ngx_http_pourover_begin_checks(ev);
        return;
    }

    took_ms = (clock_mono_us() - task->started_us) / 1000;

    if (took_ms > task->service->check->timeout + NGX_HTTP_POUROVER_STALL_MS) {
        ngx_http_pourover_check_done(task, CHECK_INTERNAL,
                                     "the worker was busy with other things");
        return;
    }

    ngx_http_pourover_check_timed_out(task);
}


static enum health_event
ngx_http_pourover_event_of(enum check_code code)
{
    return code == CHECK_OK ? HEALTH_PASS
           : code == CHECK_TOLD ? HEALTH_TOLD
           : HEALTH_FAIL;
}


/* false: what was seen is not to be believed any more */

static ngx_uint_t
ngx_http_pourover_is_valid(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_task_t *task)
{
    return atomic_load(&pz->zone->lease_pid) == ngx_pid
           && atomic_load(&pz->zone->lease_number)
              == ngx_http_pourover_checker.lease
           && pz->zone->generation == pz->generation
           && ngx_http_pourover_task_current(task, pz->zone);
}


static void
ngx_http_pourover_record(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_task_t *task, enum check_code code, const char *text,
    uint32_t took_us)
{
    ngx_uint_t        changed, level;
    enum health       health;
    struct peer_note  note;

    note.code = code;
    note.text = str_of(text);
    note.now_ms = clock_mono_ms();
    note.took_us = took_us;

    ngx_shmtx_lock(&pz->shpool->mutex);

    if (!ngx_http_pourover_is_valid(pz, task)) {
        ngx_shmtx_unlock(&pz->shpool->mutex);
        return;
    }

    changed = zone_peer_health_locked(pz->zone, task->service->service,
                                      (unsigned) task->slot,
                                      ngx_http_pourover_event_of(code),
                                      &task->service->rule, &note);
    health = META_HEALTH(zone_peer_meta(pz->zone, task->service->service,
                                        (unsigned) task->slot));

    ngx_shmtx_unlock(&pz->shpool->mutex);

    atomic_fetch_add(&pz->zone->checks, 1);

    if (changed) {
        level = health == HEALTH_DOWN ? NGX_LOG_WARN : NGX_LOG_NOTICE;
        ngx_log_error(level, pz->log, 0,
                      "pourover: peer \"%V\" of \"%V\" is %s: %s (%s)",
                      &task->address, &task->service->name,
                      health_name(health), check_code_name(code), text);
    }
}


void
ngx_http_pourover_check_done(ngx_http_pourover_task_t *task,
    enum check_code code, const char *text)
{
    uint64_t                   took_us;
    ngx_http_pourover_zone_t  *pz;

    pz = ngx_http_pourover_zone_of((ngx_cycle_t *) ngx_cycle);
    took_us = clock_mono_us() - task->started_us;

    if (pz && code != CHECK_INTERNAL) {
        ngx_http_pourover_record(pz, task, code, text,
                              (uint32_t) ngx_min(ngx_max(took_us, 1),
                                                 NGX_MAX_UINT32_VALUE));
    } else if (pz) {
        ngx_log_error(NGX_LOG_ERR, pz->log, 0,
                      "pourover: peer \"%V\" of \"%V\" could not be checked: "
                      "%s", &task->address, &task->service->name, text);
    }

    /* the text may be the talk's, which ends here */

    ngx_http_pourover_check_close(task);
    ngx_http_pourover_checker.running--;

    if (task->timer.timer_set) {
        ngx_del_timer(&task->timer);
    }

    ngx_http_pourover_task_sleep(task);

    if (!ngx_queue_empty(&ngx_http_pourover_checker.waiting)) {
        ngx_post_event(&ngx_http_pourover_checker.begin, &ngx_posted_events);
    }
}
