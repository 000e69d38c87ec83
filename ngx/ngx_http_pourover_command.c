
/*
 * The calls that change something, each with its body and its answer;
 * docs/reference/api.md is their specification.
 */

#include "ngx_http_pourover_api.h"
#include "ngx_http_pourover_render.h"
#include "ngx_http_pourover_upstream.h"

#include "base/clock.h"
#include "traffic/split_body.h"


static int
ngx_http_pourover_read_split(ngx_http_pourover_call_t *call, struct str body,
    struct str *field, struct err *err)
{
    return split_body_read(body, &call->change.request.split, field, err);
}


static void
ngx_http_pourover_tell_split(struct json_writer *w,
    ngx_http_pourover_call_t *call)
{
    ngx_http_pourover_render_split(w, &call->change.now);
}


/* ?track=; -1: it is not there */

static int
ngx_http_pourover_track_arg(ngx_http_pourover_call_t *call, int *ret_track,
    struct str *field, struct err *err)
{
    ngx_str_t  value;

    *ret_track = -1;

    if (ngx_http_arg(call->r, (u_char *) "track", sizeof("track") - 1, &value)
        != NGX_OK)
    {
        return 0;
    }

    if (str_eq_cstr(ngx_http_pourover_str(value), "stable")) {
        *ret_track = TRACK_STABLE;
        return 0;
    }

    if (str_eq_cstr(ngx_http_pourover_str(value), "canary")) {
        *ret_track = TRACK_CANARY;
        return 0;
    }

    *field = STR("track");

    return err_set(err, ERR_INVALID,
                   "?track= is \"%.*s\"; stable or canary is right",
                   (int) ngx_min(value.len, 40), (char *) value.data);
}


/* ADDRESS of the path, as NGINX prints it; what is no address stays */

static struct str
ngx_http_pourover_address_text(ngx_http_pourover_call_t *call,
    struct address *address)
{
    size_t  len;

    if (address_read(call->address, address, NULL) != 0) {
        address->len = 0;
        return call->address;
    }

    len = ngx_sock_ntop(&address->sa.any, (socklen_t) address->len,
                        call->canonical, sizeof(call->canonical), 1);

    return (struct str) { (char *) call->canonical, len };
}


static int
ngx_http_pourover_read_peer(ngx_http_pourover_call_t *call, struct str body,
    struct str *field, struct err *err, enum peer_verb verb)
{
    struct peer_command  *command;

    command = &call->change.request.peer;
    command->verb = verb;
    command->wall_ms = clock_wall_ms();
    command->mono_ms = clock_mono_ms();
    command->workers = ngx_http_pourover_processes((ngx_cycle_t *) ngx_cycle);

    if (ngx_http_pourover_track_arg(call, &command->track, field, err) != 0) {
        return ERR_INVALID;
    }

    command->text = ngx_http_pourover_address_text(call, &command->address);

    if (verb == PEER_DELETE) {
        return body.len == 0 ? 0
               : err_set(err, ERR_INVALID,
                         "there is a body; a DELETE has none");
    }

    return peer_body_read(body, verb, &command->body, field, err);
}


static int
ngx_http_pourover_read_peer_put(ngx_http_pourover_call_t *call,
    struct str body, struct str *field, struct err *err)
{
    return ngx_http_pourover_read_peer(call, body, field, err, PEER_PUT);
}


static int
ngx_http_pourover_read_peer_patch(ngx_http_pourover_call_t *call,
    struct str body, struct str *field, struct err *err)
{
    return ngx_http_pourover_read_peer(call, body, field, err, PEER_PATCH);
}


static int
ngx_http_pourover_read_peer_delete(ngx_http_pourover_call_t *call,
    struct str body, struct str *field, struct err *err)
{
    return ngx_http_pourover_read_peer(call, body, field, err, PEER_DELETE);
}


static void
ngx_http_pourover_tell_peer(struct json_writer *w,
    ngx_http_pourover_call_t *call)
{
    json_key(w, "peer");
    ngx_http_pourover_render_peer(w, call->zone, call->service,
                                  call->change.slot);
}


static int
ngx_http_pourover_read_maintenance(ngx_http_pourover_call_t *call,
    struct str body, struct str *field, struct err *err)
{
    struct maintenance_order  *order;

    order = &call->change.request.maintenance;

    if (maintenance_body_read(body, order, field, err) != 0) {
        return ERR_INVALID;
    }

    order->since_ms = clock_wall_ms();

    return 0;
}


static void
ngx_http_pourover_tell_maintenance(struct json_writer *w,
    ngx_http_pourover_call_t *call)
{
    ngx_http_pourover_render_maintenance(w, call->zone, call->service);
}


static int
ngx_http_pourover_read_failing(ngx_http_pourover_call_t *call,
    struct str body, struct str *field, struct err *err, ngx_uint_t on)
{
    struct failing_order  *order;

    order = &call->change.request.failing;

    if (failing_body_read(body, order, field, err) != 0) {
        return ERR_INVALID;
    }

    order->on = on;
    order->since_ms = clock_wall_ms();

    return 0;
}


static int
ngx_http_pourover_read_fail(ngx_http_pourover_call_t *call, struct str body,
    struct str *field, struct err *err)
{
    return ngx_http_pourover_read_failing(call, body, field, err, 1);
}


static int
ngx_http_pourover_read_ok(ngx_http_pourover_call_t *call, struct str body,
    struct str *field, struct err *err)
{
    return ngx_http_pourover_read_failing(call, body, field, err, 0);
}


static void
ngx_http_pourover_tell_failing(struct json_writer *w,
    ngx_http_pourover_call_t *call)
{
    ngx_http_pourover_render_healthcheck(w, call->zone);

    if (call->change.file_left) {
        json_kv_bool(w, "flag_file_left", 1);
    }
}


static int
ngx_http_pourover_read_watch(ngx_http_pourover_call_t *call, struct str body,
    struct str *field, struct err *err)
{
    return watch_body_read(body, &call->change.request.watch, field, err);
}


static void
ngx_http_pourover_tell_watch(struct json_writer *w,
    ngx_http_pourover_call_t *call)
{
    ngx_http_pourover_render_watch(w, call->service);
}


const ngx_http_pourover_write_t  ngx_http_pourover_write_split = {
    ngx_http_pourover_apply_split, NGX_HTTP_POUROVER_BODY_REQUIRED,
    ngx_http_pourover_read_split, ngx_http_pourover_tell_split, 0, 1
};

const ngx_http_pourover_write_t  ngx_http_pourover_write_peer_put = {
    ngx_http_pourover_apply_peer, NGX_HTTP_POUROVER_BODY_REQUIRED,
    ngx_http_pourover_read_peer_put, ngx_http_pourover_tell_peer, 0, 0
};

const ngx_http_pourover_write_t  ngx_http_pourover_write_peer_patch = {
    ngx_http_pourover_apply_peer, NGX_HTTP_POUROVER_BODY_REQUIRED,
    ngx_http_pourover_read_peer_patch, ngx_http_pourover_tell_peer, 0, 0
};

const ngx_http_pourover_write_t  ngx_http_pourover_write_peer_delete = {
    ngx_http_pourover_apply_peer, NGX_HTTP_POUROVER_BODY_NONE,
    ngx_http_pourover_read_peer_delete, NULL, 0, 0
};

const ngx_http_pourover_write_t  ngx_http_pourover_write_maintenance = {
    ngx_http_pourover_apply_maintenance, NGX_HTTP_POUROVER_BODY_REQUIRED,
    ngx_http_pourover_read_maintenance, ngx_http_pourover_tell_maintenance,
    0, 0
};

const ngx_http_pourover_write_t  ngx_http_pourover_write_watch = {
    ngx_http_pourover_apply_watch, NGX_HTTP_POUROVER_BODY_REQUIRED,
    ngx_http_pourover_read_watch, ngx_http_pourover_tell_watch, 1, 0
};

const ngx_http_pourover_write_t  ngx_http_pourover_write_fail = {
    ngx_http_pourover_apply_failing, NGX_HTTP_POUROVER_BODY_OPTIONAL,
    ngx_http_pourover_read_fail, ngx_http_pourover_tell_failing, 0, 0
};

const ngx_http_pourover_write_t  ngx_http_pourover_write_ok = {
    ngx_http_pourover_apply_failing, NGX_HTTP_POUROVER_BODY_OPTIONAL,
    ngx_http_pourover_read_ok, ngx_http_pourover_tell_failing, 0, 0
};


static void
ngx_http_pourover_peer_body(struct buf *buf, ngx_http_pourover_call_t *call)
{
    struct json_writer  w;

    ngx_http_pourover_json_begin(&w, buf, call->zone);
    ngx_http_pourover_tell_peer(&w, call);
    ngx_http_pourover_render_flights(&w, call->zone, call->service,
                                     call->change.slot);
    json_obj_end(&w);
}


/* GET of one peer */

ngx_int_t
ngx_http_pourover_get_one_peer(ngx_http_pourover_call_t *call)
{
    int             rc, track;
    struct err      err;
    struct str      text, field;
    struct address  address;

    if (ngx_http_pourover_track_arg(call, &track, &field, &err) != 0) {
        return ngx_http_pourover_error(call, NGX_HTTP_BAD_REQUEST, "invalid",
                                       field, err.msg);
    }

    text = ngx_http_pourover_address_text(call, &address);

    ngx_shmtx_lock(&call->zone->shpool->mutex);
    rc = peer_find(call->zone->zone, call->service, text, track,
                   &call->change.slot, &err);
    ngx_shmtx_unlock(&call->zone->shpool->mutex);

    if (rc == ERR_NOT_FOUND) {
        return ngx_http_pourover_no_peer(call, err.msg);
    }

    if (rc != 0) {
        return ngx_http_pourover_error(call, NGX_HTTP_CONFLICT, "conflict",
                                       STR(""), err.msg);
    }

    return ngx_http_pourover_send_body(call, NGX_HTTP_POUROVER_JSON,
                                       ngx_http_pourover_peer_body);
}
