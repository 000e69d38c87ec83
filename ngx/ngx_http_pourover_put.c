
/*
 * The calls that change something: the body is read, the change is made and
 * saved in the thread pool, then the answer is sent.  What is special to each
 * is in command.c.
 */

#include "ngx_http_pourover_api.h"

#include "base/json.h"


#define NGX_HTTP_POUROVER_BODY_MAX  16384


static const char  ngx_http_pourover_large_message[] =
    "the body is larger than 16384 bytes, which no change needs";


static const char *
ngx_http_pourover_put_code(const struct err *err)
{
    return err->code == ERR_INVALID ? "invalid"
           : err->code == ERR_CONFLICT ? "conflict"
           : err->code == ERR_FULL ? "full"
           : "not_saved";
}


static ngx_int_t
ngx_http_pourover_put_answer(ngx_http_pourover_call_t *call)
{
    void                             *mem;
    struct buf                        buf;
    struct json_writer                w;
    ngx_http_pourover_change_t       *change;
    const ngx_http_pourover_write_t  *write;

    change = &call->change;
    write = call->route->write;

    if (change->status == NGX_HTTP_NOT_FOUND) {
        return ngx_http_pourover_no_peer(call, change->err.msg);
    }

    if (change->status != NGX_HTTP_OK) {
        return ngx_http_pourover_error(call, change->status,
                                       ngx_http_pourover_put_code(&change->err),
                                       str_of(change->field), change->err.msg);
    }

    mem = ngx_pnalloc(call->r->pool, NGX_HTTP_POUROVER_ERROR_MAX);
    if (mem == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    buf_init_fixed(&buf, mem, NGX_HTTP_POUROVER_ERROR_MAX);
    json_writer_init(&w, &buf);
    json_obj_begin(&w);
    json_kv_u64(&w, "epoch", change->epoch);

    if (!write->unsaved) {
        json_kv_bool(&w, "saved", change->saved);
    }

    if (write->render) {
        write->render(&w, call);
    }

    json_obj_end(&w);

    return ngx_http_pourover_send(call->r, NGX_HTTP_OK, NGX_HTTP_POUROVER_JSON,
                                  buf_str(&buf));
}


/* back from the thread pool */

static void
ngx_http_pourover_put_done(void *data)
{
    ngx_http_pourover_call_t *call = data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = call->r;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    r->main->blocked--;
    r->aio = 0;

    if (r->write_event_handler != ngx_http_request_empty_handler) {
        /* the connection was closed meanwhile: this ends the request */
        r->write_event_handler(r);

    } else {
        ngx_http_finalize_request(r, ngx_http_pourover_put_answer(call));
    }

    ngx_http_run_posted_requests(c);
}


/* of a body, in memory or, beyond client_body_buffer_size, in a file */

static char *
ngx_http_pourover_copy(char *p, ngx_buf_t *b)
{
    ssize_t  size;

    size = (ssize_t) ngx_buf_size(b);

    if (size == 0) {
        /* the last one of a chunked body has no memory */
        return p;
    }

    if (ngx_buf_in_memory(b)) {
        return (char *) ngx_cpymem(p, b->pos, size);
    }

    return ngx_read_file(b->file, (u_char *) p, (size_t) size, b->file_pos)
           == size ? p + size : NULL;
}


/* the body's bytes in one piece; len > BODY_MAX: it is larger than that */

static ngx_int_t
ngx_http_pourover_body(ngx_http_request_t *r, struct str *ret_body)
{
    char         *p;
    off_t         len;
    ngx_chain_t  *cl;

    *ret_body = (struct str) { "", 0 };

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    len = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len += ngx_buf_size(cl->buf);

        if (len > NGX_HTTP_POUROVER_BODY_MAX) {
            ret_body->len = NGX_HTTP_POUROVER_BODY_MAX + 1;
            return NGX_OK;
        }
    }

    p = ngx_pnalloc(r->pool, (size_t) len + 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ret_body->ptr = p;
    ret_body->len = (size_t) len;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        p = ngx_http_pourover_copy(p, cl->buf);
        if (p == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_pourover_put_body(ngx_http_pourover_call_t *call)
{
    ngx_int_t                         rc;
    struct err                        err;
    struct str                        body, field;
    ngx_http_request_t               *r;
    ngx_http_pourover_change_t       *change;
    const ngx_http_pourover_write_t  *write;

    r = call->r;
    change = &call->change;
    write = call->route->write;

    if (ngx_http_pourover_body(r, &body) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (body.len > NGX_HTTP_POUROVER_BODY_MAX) {
        return ngx_http_pourover_error(call, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                       "too_large", STR(""),
                                       ngx_http_pourover_large_message);
    }

    field = STR("");

    if (write->read(call, body, &field, &err) != 0) {
        return ngx_http_pourover_error(call, NGX_HTTP_BAD_REQUEST, "invalid",
                                       field, err.msg);
    }

    change->apply = write->apply;
    change->service = call->service;
    change->unsaved = write->unsaved;
    change->field = "";

    rc = ngx_http_pourover_state_change(call->zone, change,
                                        ngx_http_pourover_put_done, call,
                                        r->pool);
    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc == NGX_AGAIN) {
        r->main->blocked++;
        r->aio = 1;
        r->write_event_handler = ngx_http_request_empty_handler;
        return NGX_DONE;
    }

    return ngx_http_pourover_put_answer(call);
}


static void
ngx_http_pourover_put_handler(ngx_http_request_t *r)
{
    ngx_int_t                  rc;
    ngx_http_pourover_call_t  *call;

    call = ngx_http_pourover_call(r);
    rc = call ? ngx_http_pourover_put_body(call)
              : NGX_HTTP_INTERNAL_SERVER_ERROR;

    if (rc != NGX_DONE) {
        ngx_http_finalize_request(r, rc);
    }
}


/*
 * A browser sends a form without asking whether it may, but never as JSON, and
 * a POST without a Content-Type only from a script, with an Origin, which the
 * guard has refused.
 */

static ngx_uint_t
ngx_http_pourover_is_json(ngx_http_request_t *r)
{
    size_t            len;
    ngx_table_elt_t  *type;

    type = r->headers_in.content_type;
    len = sizeof(NGX_HTTP_POUROVER_JSON) - 1;

    return type && type->value.len >= len
           && ngx_strncasecmp(type->value.data,
                              (u_char *) NGX_HTTP_POUROVER_JSON, len) == 0
           && (type->value.len == len || type->value.data[len] == ';'
               || type->value.data[len] == ' ');
}


/* a body that is not read has to be thrown away before the answer */

static ngx_int_t
ngx_http_pourover_put_refuse(ngx_http_pourover_call_t *call, ngx_uint_t status,
    const char *code, const char *message)
{
    ngx_int_t  rc;

    rc = ngx_http_discard_request_body(call->r);
    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_http_pourover_error(call, status, code, STR(""), message);
}


/* may the body be of this type, if there is one? */

static ngx_uint_t
ngx_http_pourover_type_right(ngx_http_request_t *r,
    ngx_http_pourover_body_e body)
{
    return body == NGX_HTTP_POUROVER_BODY_NONE
           || ngx_http_pourover_is_json(r)
           || (body == NGX_HTTP_POUROVER_BODY_OPTIONAL
               && r->headers_in.content_type == NULL
               && r->headers_in.content_length_n <= 0
               && !r->headers_in.chunked);
}


ngx_int_t
ngx_http_pourover_put(ngx_http_pourover_call_t *call)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = call->r;

    if (!ngx_http_pourover_type_right(r, call->route->write->body)) {
        return ngx_http_pourover_put_refuse(call,
                                    NGX_HTTP_UNSUPPORTED_MEDIA_TYPE,
                                    "media_type",
                                    "the Content-Type is not right; right is "
                                    NGX_HTTP_POUROVER_JSON);
    }

    if (r->headers_in.content_length_n > NGX_HTTP_POUROVER_BODY_MAX) {
        return ngx_http_pourover_put_refuse(call,
                                    NGX_HTTP_REQUEST_ENTITY_TOO_LARGE,
                                    "too_large",
                                    ngx_http_pourover_large_message);
    }

    r->request_body_in_single_buf = 1;
    rc = ngx_http_read_client_request_body(r, ngx_http_pourover_put_handler);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}
