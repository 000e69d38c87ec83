
/*
 * What each kind of change does to the zone; its mutex is held.  In a thread of
 * the pool, so nothing of a request is touched here.
 */

#include "ngx_http_pourover_state.h"


/* a split that may move visitors to the canary is only prepared, to be saved
 * before anybody sees it */

int
ngx_http_pourover_apply_split(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change)
{
    int         rc;
    struct err  err;

    (void) zone_split_read(change->service, &change->before);

    rc = split_change(&change->before, &change->request.split, &change->next,
                      &change->field, &err);
    if (rc != 0) {
        change->err = err;
        return rc;
    }

    change->raise = pz->state.len
                    && split_can_raise(&change->before, &change->next);

    if (!change->raise) {
        zone_split_set_locked(pz->zone, change->service, change->next);
    }

    return 0;
}


int
ngx_http_pourover_apply_peer(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change)
{
    int         rc;
    struct err  err;

    rc = peer_command_locked(pz->zone, change->service, &change->request.peer,
                             &change->slot, &change->field, &err);
    if (rc != 0) {
        change->err = err;
    }

    return rc;
}


int
ngx_http_pourover_apply_maintenance(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change)
{
    struct maintenance_order  now, *order;

    order = &change->request.maintenance;
    now = maintenance_get_locked(change->service);

    if (now.on && order->on) {
        order->since_ms = now.since_ms;
    }

    maintenance_set_locked(pz->zone, change->service, order);
    change->service->control_revision++;

    return 0;
}


int
ngx_http_pourover_apply_failing(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change)
{
    struct failing_order  now, *order;

    order = &change->request.failing;
    now = failing_get_locked(pz->zone);

    if (now.on && order->on) {
        order->since_ms = now.since_ms;
    }

    failing_set_locked(pz->zone, order);
    pz->zone->control_revision++;

    return 0;
}


int
ngx_http_pourover_apply_watch(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change)
{
    watch_set_locked(pz->zone, change->service, &change->request.watch);

    return 0;
}


/*
 * The file of fail_file= goes when the flag is off: if we are killed before,
 * the next start fails, which is the safe side.
 */

void
ngx_http_pourover_apply_end(ngx_http_pourover_zone_t *pz,
    ngx_http_pourover_change_t *change, ngx_log_t *log)
{
    if (change->apply == ngx_http_pourover_apply_split) {
        (void) zone_split_read(change->service, &change->now);
    }

    if (change->apply == ngx_http_pourover_apply_failing
        && !change->request.failing.on && pz->fail_file.len
        && unlink((char *) pz->fail_file.data) == -1
        && ngx_errno != NGX_ENOENT)
    {
        change->file_left = 1;
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      "cannot remove \"%V\": the next start will fail the "
                      "health checks again", &pz->fail_file);
    }

    change->epoch = atomic_load(&pz->zone->epoch);
}
