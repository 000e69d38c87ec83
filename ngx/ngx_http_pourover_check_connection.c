
/*
 * One check over one connection: connected, perhaps a TLS handshake, then what
 * src/check has to say and to hear.  Whatever comes of it goes to check_done(),
 * after which the connection is no more: every function here that may end the
 * check returns at once behind it.
 */

#include "ngx_http_pourover_check.h"


#define NGX_HTTP_POUROVER_CHECK_READS  16          /* then others have a turn */


static void ngx_http_pourover_check_connected(ngx_http_pourover_task_t *task);
static void ngx_http_pourover_check_connecting(ngx_event_t *wev);
static void ngx_http_pourover_check_ignore(ngx_event_t *ev);
static void ngx_http_pourover_check_talk(ngx_http_pourover_task_t *task);
static void ngx_http_pourover_check_read(ngx_event_t *rev);
static void ngx_http_pourover_check_write(ngx_event_t *wev);
#if (NGX_HTTP_SSL)
static void ngx_http_pourover_check_handshake(ngx_http_pourover_task_t *task);
static void ngx_http_pourover_check_shaken(ngx_connection_t *c);
#endif


static void
ngx_http_pourover_check_failed(ngx_http_pourover_task_t *task, ngx_err_t err)
{
    u_char  text[CHECK_TEXT_MAX];

    *ngx_strerror(err, text, sizeof(text) - 1) = '\0';
    ngx_http_pourover_check_done(task, CHECK_CONNECT, (char *) text);
}


/* the address to check; NGX_DECLINED: there is none */

static ngx_int_t
ngx_http_pourover_check_address(ngx_http_pourover_task_t *task)
{
    const struct peer         *peer;
    ngx_http_pourover_zone_t  *pz;

    pz = ngx_http_pourover_zone_of((ngx_cycle_t *) ngx_cycle);
    peer = zone_peer(pz->zone, task->service->service, (unsigned) task->slot);

    task->peer.sockaddr = &task->to.sockaddr;
    task->peer.socklen = ngx_min(peer->sockaddr_len, ZONE_SOCKADDR_MAX);
    ngx_memcpy(task->to.room, peer->sockaddr.bytes, task->peer.socklen);

    if (task->service->check->port == 0) {
        return NGX_OK;
    }

    if (task->to.sockaddr.sa_family == AF_UNIX) {
        return NGX_DECLINED;
    }

    ngx_inet_set_port(&task->to.sockaddr, task->service->check->port);

    return NGX_OK;
}


/*
 * What a check meets is told as a change of health, once; nginx's own lines
 * about it would fill the error log while a peer is down.
 */

static ngx_int_t
ngx_http_pourover_check_prepare(ngx_http_pourover_task_t *task)
{
    task->pool = ngx_create_pool(512, ngx_cycle->log);
    if (task->pool == NULL) {
        return NGX_ERROR;
    }

    task->log = *ngx_cycle->log;
    if ((task->log.log_level & NGX_LOG_DEBUG_ALL) == 0) {
        task->log.log_level = ngx_min(task->log.log_level, NGX_LOG_ALERT);
    }

    ngx_memzero(&task->peer, sizeof(ngx_peer_connection_t));
    task->peer.name = &task->address;
    task->peer.get = ngx_event_get_peer;
    task->peer.log = &task->log;
    task->peer.log_error = NGX_ERROR_ERR;

    return NGX_OK;
}


void
ngx_http_pourover_check_start(ngx_http_pourover_task_t *task)
{
    ngx_err_t          err;
    ngx_int_t          rc;
    ngx_connection_t  *c;

    if (ngx_http_pourover_check_prepare(task) != NGX_OK) {
        ngx_http_pourover_check_done(task, CHECK_INTERNAL, "no memory");
        return;
    }

    if (ngx_http_pourover_check_address(task) != NGX_OK) {
        ngx_http_pourover_check_done(task, CHECK_INTERNAL,
                                     "a unix socket has no other port");
        return;
    }

    rc = ngx_event_connect_peer(&task->peer);
    err = ngx_socket_errno;
    c = task->peer.connection;

    if (rc == NGX_DECLINED) {
        ngx_http_pourover_check_failed(task, err);
        return;
    }

    if ((rc != NGX_OK && rc != NGX_AGAIN) || c == NULL) {
        ngx_http_pourover_check_done(task, CHECK_INTERNAL, "no connection");
        return;
    }

    c->data = task;
    c->pool = task->pool;
    c->log = &task->log;
    c->read->log = c->log;
    c->write->log = c->log;
    c->read->handler = ngx_http_pourover_check_ignore;
    c->write->handler = ngx_http_pourover_check_connecting;

    if (rc == NGX_OK) {
        ngx_http_pourover_check_connected(task);
    }
}


static void
ngx_http_pourover_check_ignore(ngx_event_t *ev)
{
}


static void
ngx_http_pourover_check_connecting(ngx_event_t *wev)
{
    int                err;
    socklen_t          len;
    ngx_connection_t  *c;

    c = wev->data;
    err = 0;
    len = sizeof(int);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, (void *) &err, &len) == -1) {
        err = ngx_socket_errno;
    }

    if (err) {
        ngx_http_pourover_check_failed(c->data, err);
        return;
    }

    ngx_http_pourover_check_connected(c->data);
}


static void
ngx_http_pourover_check_connected(ngx_http_pourover_task_t *task)
{
#if (NGX_HTTP_SSL)
    if (task->service->check->ssl) {
        ngx_http_pourover_check_handshake(task);
        return;
    }
#endif

    ngx_http_pourover_check_talk(task);
}


#if (NGX_HTTP_SSL)

static void
ngx_http_pourover_check_handshake(ngx_http_pourover_task_t *task)
{
    ngx_int_t                   rc;
    ngx_connection_t           *c;
    ngx_http_pourover_check_t  *check;

    c = task->peer.connection;
    check = task->service->check;
    task->stage = NGX_HTTP_POUROVER_CHECK_HANDSHAKES;

    if (ngx_ssl_create_connection(check->ssl, c, NGX_SSL_CLIENT) != NGX_OK
        || (check->tls_name.len
            && SSL_set_tlsext_host_name(c->ssl->connection,
                                        (char *) check->tls_name.data) == 0))
    {
        ngx_http_pourover_check_done(task, CHECK_INTERNAL,
                                     "TLS could not be begun");
        return;
    }

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_AGAIN) {
        c->ssl->handler = ngx_http_pourover_check_shaken;
        return;
    }

    ngx_http_pourover_check_shaken(c);
}


static void
ngx_http_pourover_check_shaken(ngx_connection_t *c)
{
    long                        rc;
    u_char                      text[CHECK_TEXT_MAX];
    ngx_http_pourover_task_t   *task;
    ngx_http_pourover_check_t  *check;

    task = c->data;
    check = task->service->check;

    if (!c->ssl->handshaked) {
        ngx_http_pourover_check_done(task, CHECK_TLS,
                                     "the TLS handshake failed");
        return;
    }

    rc = check->tls_verify ? SSL_get_verify_result(c->ssl->connection)
                           : X509_V_OK;

    if (rc != X509_V_OK) {
        *ngx_snprintf(text, sizeof(text) - 1, "the certificate: %s",
                      X509_verify_cert_error_string(rc)) = '\0';
        ngx_http_pourover_check_done(task, CHECK_TLS, (char *) text);
        return;
    }

    if (check->tls_verify && ngx_ssl_check_host(c, &check->tls_name) != NGX_OK)
    {
        *ngx_snprintf(text, sizeof(text) - 1, "the certificate is not for %V",
                      &check->tls_name) = '\0';
        ngx_http_pourover_check_done(task, CHECK_TLS, (char *) text);
        return;
    }

    ngx_http_pourover_check_talk(task);
}

#endif


/* true: the check has ended */

static ngx_uint_t
ngx_http_pourover_check_settled(ngx_http_pourover_task_t *task)
{
    const struct check_verdict  *verdict;

    verdict = check_talk_verdict(task->talk);
    if (verdict == NULL) {
        return 0;
    }

    ngx_http_pourover_check_done(task, verdict->code, verdict->text);

    return 1;
}


static void
ngx_http_pourover_check_talk(ngx_http_pourover_task_t *task)
{
    ngx_connection_t  *c;

    c = task->peer.connection;
    task->stage = NGX_HTTP_POUROVER_CHECK_TALKS;
    task->talk = check_talk_new(&task->service->check->plan);

    if (task->talk == NULL) {
        ngx_http_pourover_check_done(task, CHECK_INTERNAL, "no memory");
        return;
    }

    c->read->handler = ngx_http_pourover_check_read;
    c->write->handler = ngx_http_pourover_check_write;

    if (!ngx_http_pourover_check_settled(task)) {
        /* it writes what there is to be sent before it waits */
        ngx_http_pourover_check_read(c->read);
    }
}


static void
ngx_http_pourover_check_write(ngx_event_t *wev)
{
    ssize_t                    n;
    struct str                 unsent;
    ngx_connection_t          *c;
    ngx_http_pourover_task_t  *task;

    c = wev->data;
    task = c->data;

    for ( ;; ) {
        unsent = check_talk_unsent(task->talk);
        if (unsent.len == 0) {
            break;
        }

        n = c->send(c, (u_char *) unsent.ptr, unsent.len);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n > 0) {
            check_talk_sent(task->talk, (size_t) n);

        } else {
            check_talk_closed(task->talk);
        }

        if (ngx_http_pourover_check_settled(task)) {
            return;
        }
    }

    if (ngx_handle_write_event(wev, 0) != NGX_OK) {
        ngx_http_pourover_check_done(task, CHECK_INTERNAL, "no events");
    }
}


static void
ngx_http_pourover_check_read(ngx_event_t *rev)
{
    u_char                     bytes[4096];
    ssize_t                    n;
    ngx_uint_t                 i;
    ngx_connection_t          *c;
    ngx_http_pourover_task_t  *task;

    c = rev->data;
    task = c->data;

    for (i = 0; i < NGX_HTTP_POUROVER_CHECK_READS; i++) {
        n = c->recv(c, bytes, sizeof(bytes));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n > 0) {
            check_talk_received(task->talk, bytes, (size_t) n);

        } else {
            check_talk_closed(task->talk);
        }

        if (ngx_http_pourover_check_settled(task)) {
            return;
        }
    }

    if (i == NGX_HTTP_POUROVER_CHECK_READS) {
        ngx_post_event(rev, &ngx_posted_next_events);

    } else if (ngx_handle_read_event(rev, 0) != NGX_OK) {
        ngx_http_pourover_check_done(task, CHECK_INTERNAL, "no events");
        return;
    }

    ngx_http_pourover_check_write(c->write);
}


void
ngx_http_pourover_check_timed_out(ngx_http_pourover_task_t *task)
{
    u_char       text[CHECK_TEXT_MAX];
    const char  *what;

    what = task->stage == NGX_HTTP_POUROVER_CHECK_CONNECTS ? "connection"
           : task->stage == NGX_HTTP_POUROVER_CHECK_TALKS ? "answer"
           : "end of the TLS handshake";

    *ngx_snprintf(text, sizeof(text) - 1, "no %s within %M ms", what,
                  task->service->check->timeout) = '\0';

    ngx_http_pourover_check_done(task, CHECK_TIMEOUT, (char *) text);
}


void
ngx_http_pourover_check_close(ngx_http_pourover_task_t *task)
{
    ngx_connection_t  *c;

    c = task->peer.connection;

    check_talk_free(task->talk);
    task->talk = NULL;

    if (c) {
#if (NGX_HTTP_SSL)
        if (c->ssl) {
            c->ssl->no_wait_shutdown = 1;

            if (ngx_ssl_shutdown(c) == NGX_AGAIN) {
                c->ssl->no_send_shutdown = 1;
                (void) ngx_ssl_shutdown(c);
            }
        }
#endif
        ngx_close_connection(c);
        task->peer.connection = NULL;
    }

    if (task->pool) {
        ngx_destroy_pool(task->pool);
        task->pool = NULL;
    }

    task->stage = NGX_HTTP_POUROVER_CHECK_IDLE;
}
