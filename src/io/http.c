/*
 * libcurl's multi interface driven by the loop: curl says which sockets and which time it waits
 * for, uv_poll and one timer tell it back.  Completed calls are handed out outside of curl's
 * callbacks, so that their functions may start and cancel others.
 */
#include "io/http.h"

#include "base/buf.h"
#include "base/mem.h"
#include "io/curl_int.h"

#include <string.h>
#include <sys/queue.h>
#include <uv.h>

#define MAX_HEADER_BYTES (64 * 1024)
#define USER_AGENT       "pourover/" POUROVER_VERSION

struct http_call {
    struct http_client *client;
    CURL *easy;
    struct curl_slist *headers;
    struct buf body, head;
    http_fn fn;
    void *ctx;
    char *socket; /* of a unix socket, or NULL */
    char error[CURL_ERROR_SIZE];
    TAILQ_ENTRY(http_call) link;
};

struct http_client {
    uv_loop_t *uv;
    CURLM *multi;
    uv_timer_t *timer;
    TAILQ_HEAD(, http_call) calls;
};

struct socket_poll {
    uv_poll_t uv; /* first */
    struct http_client *client;
    curl_socket_t fd;
};

static void call_free(struct http_call *call)
{
    TAILQ_REMOVE(&call->client->calls, call, link);
    (void) curl->multi_remove_handle(call->client->multi, call->easy);
    curl->easy_cleanup(call->easy);
    curl->slist_free_all(call->headers);
    buf_done(&call->body);
    buf_done(&call->head);
    mem_free(call->socket);
    mem_free(call);
}

static void explain(const struct http_call *call, CURLcode code, struct err *err)
{
    const char *text = call->error[0] != '\0' ? call->error : curl->easy_strerror(code);
    long reason = 0;
    (void) curl->easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &reason);
    if (call->body.failed) {
        (void) err_set(err, ERR_FULL, "the answer is longer than %zu bytes", call->body.max);
    } else if (call->head.failed) {
        (void) err_set(err, ERR_FULL, "the answer's headers are longer than %d bytes",
                       MAX_HEADER_BYTES);
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        (void) err_set(err, ERR_TIMEOUT, "no answer in time (%s)", text);
    } else if (call->socket != NULL && code == CURLE_COULDNT_CONNECT && reason > 0) {
        (void) err_errno(err, (int) reason, "connect %s", call->socket); /* curl names a port */
        err->code = ERR_UNREACHABLE;
    } else {
        (void) err_set(err, ERR_UNREACHABLE, "%s", text);
    }
}

static void complete(struct http_call *call, CURLcode code)
{
    struct err err = {0};
    struct http_response res = {.body = buf_str(&call->body), .headers = buf_str(&call->head)};
    if (code == CURLE_OK) {
        (void) curl->easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &res.status);
        call->fn(&res, NULL, call->ctx);
    } else {
        explain(call, code, &err);
        call->fn(NULL, &err, call->ctx);
    }
    call_free(call);
}

static void take_completed(struct http_client *client)
{
    CURLMsg *msg;
    int left;
    while ((msg = curl->multi_info_read(client->multi, &left)) != NULL) {
        if (msg->msg != CURLMSG_DONE) {
            continue;
        }
        CURLcode code = msg->data.result;
        char *call = NULL;
        (void) curl->easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &call);
        complete((struct http_call *) (void *) call, code);
    }
}

static void free_handle(uv_handle_t *handle)
{
    mem_free(handle);
}

static void socket_ready(uv_poll_t *uv, int status, int events)
{
    struct socket_poll *poll = (struct socket_poll *) uv;
    struct http_client *client = poll->client;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    flags |= (events & UV_READABLE) != 0 ? CURL_CSELECT_IN : 0;
    flags |= (events & UV_WRITABLE) != 0 ? CURL_CSELECT_OUT : 0;
    int running;
    (void) curl->multi_socket_action(client->multi, poll->fd, flags, &running);
    take_completed(client);
}

static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *userp, void *socketp)
{
    (void) easy;
    struct http_client *client = userp;
    struct socket_poll *poll = socketp;
    if (what == CURL_POLL_REMOVE) {
        if (poll != NULL) {
            (void) uv_poll_stop(&poll->uv);
            uv_close((uv_handle_t *) &poll->uv, free_handle);
            (void) curl->multi_assign(client->multi, fd, NULL);
        }
        return 0;
    }
    if (poll == NULL) {
        poll = mem_zalloc(sizeof *poll);
        poll->client = client;
        poll->fd = fd;
        if (uv_poll_init_socket(client->uv, &poll->uv, fd) != 0) {
            mem_free(poll);
            return -1;
        }
        (void) curl->multi_assign(client->multi, fd, poll);
    }
    int events = ((what & CURL_POLL_IN) != 0 ? UV_READABLE : 0) |
                 ((what & CURL_POLL_OUT) != 0 ? UV_WRITABLE : 0);
    return uv_poll_start(&poll->uv, events, socket_ready);
}

static void timer_fires(uv_timer_t *timer)
{
    struct http_client *client = timer->data;
    int running;
    (void) curl->multi_socket_action(client->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    take_completed(client);
}

static int set_timer(CURLM *multi, long timeout_ms, void *userp)
{
    (void) multi;
    struct http_client *client = userp;
    if (timeout_ms < 0) {
        return uv_timer_stop(client->timer);
    }
    /* The loop cuts its time to milliseconds.  A timer that fires a fraction too early finds
     * nothing due in curl, which then waits for a timer that it believes to be still set: 1 ms on
     * top. */
    uint64_t delay_ms = timeout_ms > 0 ? (uint64_t) timeout_ms + 1 : 0;
    uv_update_time(client->uv);
    return uv_timer_start(client->timer, timer_fires, delay_ms, 0);
}

int http_client_new(struct io_loop *loop, struct http_client **ret, struct err *err)
{
    int rc = curl_open(err);
    if (rc < 0) {
        return rc;
    }
    struct http_client *client = mem_zalloc(sizeof *client);
    client->uv = io_loop_uv(loop);
    TAILQ_INIT(&client->calls);
    if (!curl_begin() || (client->multi = curl->multi_init()) == NULL) {
        BUG("libcurl cannot start");
    }
    client->timer = mem_zalloc(sizeof *client->timer);
    (void) uv_timer_init(client->uv, client->timer);
    client->timer->data = client;
    (void) curl->multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    (void) curl->multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    (void) curl->multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    (void) curl->multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    *ret = client;
    return 0;
}

void http_client_free(struct http_client *take_client)
{
    if (take_client == NULL) {
        return;
    }
    while (!TAILQ_EMPTY(&take_client->calls)) {
        http_cancel(TAILQ_FIRST(&take_client->calls));
    }
    (void) curl->multi_cleanup(take_client->multi);
    uv_close((uv_handle_t *) take_client->timer, free_handle);
    mem_free(take_client);
    curl_end();
}

static size_t keep(struct buf *b, const char *ptr, size_t len)
{
    buf_add(b, ptr, len);
    return b->failed ? 0 : len;
}

static size_t on_body(char *ptr, size_t size, size_t n, void *ctx)
{
    struct http_call *call = ctx;
    return call->body.max == 0 ? size * n : keep(&call->body, ptr, size * n);
}

static size_t on_header(char *ptr, size_t size, size_t n, void *ctx)
{
    struct http_call *call = ctx;
    struct str line = {ptr, size * n};
    if (str_starts_with(line, STR("HTTP/"))) {
        buf_clear(&call->head); /* what came before belongs to a 1xx */
        return line.len;
    }
    struct str text = str_trim(line);
    if (text.len > 0) {
        buf_add_str(&call->head, text);
        (void) keep(&call->head, "\n", 1);
    }
    return call->head.failed ? 0 : line.len;
}

static void set_options(struct http_call *call, const struct http_request *req)
{
    CURL *easy = call->easy;
    (void) curl->easy_setopt(easy, CURLOPT_URL, req->url);
    (void) curl->easy_setopt(easy, CURLOPT_CUSTOMREQUEST, req->method);
    (void) curl->easy_setopt(easy, CURLOPT_PRIVATE, (char *) call);
    (void) curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, call->error);
    (void) curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    (void) curl->easy_setopt(easy, CURLOPT_NOPROXY, "*");
    (void) curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    (void) curl->easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    /* Parallel streams of one HTTP/2 connection may count as one visitor: one connection each. */
    (void) curl->easy_setopt(easy, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    (void) curl->easy_setopt(easy, CURLOPT_USERAGENT, USER_AGENT);
    (void) curl->easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long) req->timeout_ms);
    (void) curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    (void) curl->easy_setopt(easy, CURLOPT_WRITEDATA, call);
    (void) curl->easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    (void) curl->easy_setopt(easy, CURLOPT_HEADERDATA, call);
    (void) curl->easy_setopt(easy, CURLOPT_HTTPHEADER, call->headers);
    /* When a kept connection dies, libcurl says it again on another one: fine for what only reads.
     */
    long fresh = strcmp(req->method, "GET") != 0;
    (void) curl->easy_setopt(easy, CURLOPT_FRESH_CONNECT, fresh);
    if (req->socket != NULL) {
        call->socket = mem_strdup(req->socket);
        (void) curl->easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, req->socket);
    }
    if (req->body.ptr != NULL) {
        (void) curl->easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) req->body.len);
        (void) curl->easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, req->body.ptr);
    }
}

static struct curl_slist *header_list(const char *const *header)
{
    struct curl_slist *list = curl->slist_append(NULL, "Expect:"); /* no 100-continue */
    for (size_t i = 0; header != NULL && header[i] != NULL; i++) {
        struct curl_slist *longer = curl->slist_append(list, header[i]);
        list = longer != NULL ? longer : list;
    }
    return list;
}

struct http_call *http_start(struct http_client *client, const struct http_request *req, http_fn fn,
                             void *ctx)
{
    struct http_call *call = mem_zalloc(sizeof *call);
    call->client = client;
    call->fn = fn;
    call->ctx = ctx;
    buf_init(&call->body, req->max_bytes);
    buf_init(&call->head, MAX_HEADER_BYTES);
    call->easy = curl->easy_init();
    if (call->easy == NULL) {
        BUG("libcurl is out of memory");
    }
    call->headers = header_list(req->headers);
    set_options(call, req);
    TAILQ_INSERT_TAIL(&client->calls, call, link);
    (void) curl->multi_add_handle(client->multi, call->easy);
    return call;
}

void http_cancel(struct http_call *take_call)
{
    struct err err = {0};
    (void) err_set(&err, ERR_CANCELLED, "cancelled");
    take_call->fn(NULL, &err, take_call->ctx);
    call_free(take_call);
}

static bool has_part(CURLU *parsed, CURLUPart part)
{
    char *text = NULL;
    bool has = curl->url_get(parsed, part, &text, 0) == CURLUE_OK;
    curl->free(text);
    return has;
}

bool http_url_is_valid(const char *url)
{
    struct str s = str_of(url);
    bool valid = str_starts_with(s, STR("http://")) || str_starts_with(s, STR("https://"));
    valid = valid && strstr(url, ":///") == NULL; /* curl would skip the third slash */
    for (const char *c = url; *c != '\0'; c++) {
        valid = valid && (unsigned char) *c > ' ' && *c != 0x7f;
    }
    if (!valid || curl_open(NULL) < 0) {
        return valid;
    }
    CURLU *parsed = curl->url();
    valid = parsed != NULL && curl->url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK &&
            !has_part(parsed, CURLUPART_USER) && !has_part(parsed, CURLUPART_FRAGMENT);
    curl->url_cleanup(parsed);
    return valid;
}

bool http_header_next(struct str *rest, const char *name, struct str *ret_value)
{
    struct str line;
    while (str_cut(rest, '\n', &line)) {
        size_t colon = str_find_char(line, ':');
        struct str key = {line.ptr, colon};
        if (colon < line.len && str_eq_nocase(key, str_of(name))) {
            *ret_value = str_trim((struct str){line.ptr + colon + 1, line.len - colon - 1});
            return true;
        }
    }
    return false;
}
