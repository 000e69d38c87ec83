/* A pinned address with its options, and the streams on it: see conn.h and conn_int.h. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/vec.h"
#include "rpc/conn_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void free_handle(uv_handle_t *handle)
{
    mem_free(handle);
}

/* Lists of streams */

static void list_add(struct rpc_streams *list, struct rpc_stream *s)
{
    s->prev = list->last;
    s->next = NULL;
    if (list->last != NULL) {
        list->last->next = s;
    } else {
        list->first = s;
    }
    list->last = s;
    list->len++;
}

static void list_remove(struct rpc_streams *list, struct rpc_stream *s)
{
    if (s->prev != NULL) {
        s->prev->next = s->next;
    } else {
        list->first = s->next;
    }
    if (s->next != NULL) {
        s->next->prev = s->prev;
    } else {
        list->last = s->prev;
    }
    s->prev = s->next = NULL;
    list->len--;
}

/* Times: a binary heap, and one timer for its first. */

static void heap_put(struct rpc_conn *conn, size_t i, struct rpc_due *due)
{
    conn->heap.ptr[i] = due;
    due->place = i + 1;
}

static void heap_up(struct rpc_conn *conn, size_t i, struct rpc_due *due)
{
    while (i > 0 && due->at_ms < conn->heap.ptr[(i - 1) / 2]->at_ms) {
        heap_put(conn, i, conn->heap.ptr[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    heap_put(conn, i, due);
}

static void heap_down(struct rpc_conn *conn, size_t i, struct rpc_due *due)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < conn->heap.len &&
            conn->heap.ptr[child + 1]->at_ms < conn->heap.ptr[child]->at_ms) {
            child++;
        }
        if (child >= conn->heap.len || due->at_ms <= conn->heap.ptr[child]->at_ms) {
            break;
        }
        heap_put(conn, i, conn->heap.ptr[child]);
        i = child;
    }
    heap_put(conn, i, due);
}

void rpc_due_clear(struct rpc_conn *conn, struct rpc_due *due)
{
    if (due->place == 0) {
        return;
    }
    size_t i = due->place - 1;
    struct rpc_due *last = conn->heap.ptr[--conn->heap.len];
    due->place = 0;
    if (last != due) {
        if (i > 0 && last->at_ms < conn->heap.ptr[(i - 1) / 2]->at_ms) {
            heap_up(conn, i, last);
        } else {
            heap_down(conn, i, last);
        }
    }
}

/* Not uv_now, which stands still while the loop does: a deadline would pass before its time. */
static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static void timer_fires(uv_timer_t *timer);

/*
 * The timer may fire too early (its due was cleared), never too late.  What is due now is for the
 * next turn of the loop: a timer of no delay would fire again and again in this one.
 */
static void timer_aim(struct rpc_conn *conn)
{
    uint64_t at_ms = conn->heap.len > 0 ? conn->heap.ptr[0]->at_ms : UINT64_MAX;
    if (at_ms == UINT64_MAX || conn->timer == NULL) {
        return;
    }
    uint64_t now = now_ms();
    if (at_ms <= now) {
        rpc_conn_kick(conn);
    } else if (at_ms < conn->timer_at_ms) {
        conn->timer_at_ms = at_ms;
        (void) uv_timer_start(conn->timer, timer_fires, at_ms - now, 0);
    }
}

void rpc_due_set(struct rpc_conn *conn, struct rpc_due *due, uint64_t delay_ms,
                 void (*fn)(struct rpc_due *due))
{
    rpc_due_clear(conn, due);
    uint64_t now = now_ms();
    /* The millisecond has begun: one more, so that it is never too early. */
    delay_ms += delay_ms > 0 && delay_ms < UINT64_MAX ? 1 : 0;
    due->at_ms = delay_ms < UINT64_MAX / 2 - now ? now + delay_ms : UINT64_MAX / 2;
    due->fn = fn;
    vec_push(&conn->heap, due); /* NOLINT(bugprone-sizeof-expression): of pointers */
    heap_up(conn, conn->heap.len - 1, due);
    timer_aim(conn);
}

/* As many as there are now: what is set with delay 0 in the meantime is for the next turn. */
static void run_due(struct rpc_conn *conn)
{
    uint64_t now = now_ms();
    for (size_t n = conn->heap.len; n > 0 && conn->heap.len > 0; n--) {
        struct rpc_due *due = conn->heap.ptr[0];
        if (due->at_ms > now) {
            break;
        }
        rpc_due_clear(conn, due);
        due->fn(due);
    }
}

static void timer_fires(uv_timer_t *timer)
{
    struct rpc_conn *conn = timer->data;
    rpc_conn_enter(conn);
    conn->timer_at_ms = UINT64_MAX;
    run_due(conn);
    timer_aim(conn);
    rpc_conn_kick(conn);
    rpc_conn_leave(conn);
}

/* Life */

void rpc_conn_enter(struct rpc_conn *conn)
{
    conn->busy++;
}

/* All but the struct itself, which those who hold it look at. */
static void empty_conn(struct rpc_conn *conn)
{
    uv_close((uv_handle_t *) conn->idle, free_handle);
    uv_close((uv_handle_t *) conn->timer, free_handle);
    conn->idle = NULL;
    conn->timer = NULL;
    rpc_secure_conn_free(conn);
    rpc_call_spares_free(conn);
    mem_free((char *) (uintptr_t) conn->options.tls.ca_file);
    mem_free((char *) (uintptr_t) conn->options.tls.cert_file);
    mem_free((char *) (uintptr_t) conn->options.tls.key_file);
    mem_free((char *) (uintptr_t) conn->options.tls.server_name);
    mem_free(conn->authority);
    vec_done(&conn->heap);
    mem_free(conn->in);
}

void rpc_conn_hold(struct rpc_conn *conn)
{
    conn->holds++;
}

void rpc_conn_release(struct rpc_conn *conn)
{
    if (--conn->holds == 0) {
        mem_free(conn);
    }
}

void rpc_conn_leave(struct rpc_conn *conn)
{
    if (conn->busy > 1) {
        conn->busy--;
        return;
    }
    struct rpc_link **at = &conn->links;
    while (*at != NULL) {
        struct rpc_link *link = *at;
        if (link->state == RPC_LINK_LOST && link->due.place == 0) {
            *at = link->next;
            rpc_link_free(link);
        } else {
            at = &link->next;
        }
    }
    conn->busy--;
    if (conn->freed && conn->idle != NULL) {
        empty_conn(conn);
        rpc_conn_release(conn);
    }
}

static void idle_runs(uv_idle_t *idle)
{
    struct rpc_conn *conn = idle->data;
    (void) uv_idle_stop(idle);
    conn->kicked = false;
    rpc_conn_enter(conn);
    run_due(conn);
    timer_aim(conn);
    struct rpc_link *next;
    /* Links are added in front and freed only in leave, so that the walk is sound. */
    for (struct rpc_link *link = conn->links; link != NULL; link = next) {
        next = link->next;
        rpc_link_look(link);
        rpc_link_flush(link);
    }
    rpc_conn_leave(conn);
}

void rpc_conn_kick(struct rpc_conn *conn)
{
    if (!conn->kicked && !conn->freed) {
        conn->kicked = true;
        (void) uv_idle_start(conn->idle, idle_runs);
    }
}

static char *copy(const char *text)
{
    return text != NULL ? mem_strdup(text) : NULL;
}

static void set_defaults(struct rpc_conn *conn)
{
    struct rpc_conn_options *o = &conn->options;
    o->connect_timeout_ms = o->connect_timeout_ms > 0 ? o->connect_timeout_ms : 10000;
    o->max_message_bytes = o->max_message_bytes > 0 ? o->max_message_bytes : (size_t) 4 << 20;
    o->max_header_bytes = o->max_header_bytes > 0 ? o->max_header_bytes : (size_t) 64 << 10;
    o->window_bytes = o->window_bytes > 0 ? o->window_bytes : UINT32_C(4) << 20;
    if (o->window_bytes > INT32_MAX) {
        o->window_bytes = INT32_MAX;
    }
}

static char *default_authority(const struct rpc_target *target)
{
    char text[RPC_HOST_MAX + 16];
    if (target->path[0] != '\0') {
        return mem_strdup("localhost");
    }
    bool brackets = strchr(target->host, ':') != NULL;
    /* The zone of a link-local address is of this host only. */
    size_t len = str_find_char(str_of(target->host), '%');
    (void) snprintf(text, sizeof text, "%s%.*s%s:%u", brackets ? "[" : "", (int) len, target->host,
                    brackets ? "]" : "", target->port);
    return mem_strdup(text);
}

struct rpc_conn *rpc_conn_new(struct io_loop *loop, const struct rpc_conn_options *options)
{
    struct rpc_conn *conn = mem_zalloc(sizeof *conn);
    struct uv_loop_s *uv = io_loop_uv(loop);
    conn->loop = loop;
    conn->holds = 1;
    conn->options = *options;
    set_defaults(conn);
    if (options->address != NULL) {
        conn->address = *options->address;
        conn->resolved = true;
    }
    conn->options.address = NULL;
    conn->options.authority = NULL;
    conn->authority = options->authority != NULL ? mem_strdup(options->authority)
                                                 : default_authority(&options->target);
    conn->options.tls.ca_file = copy(options->tls.ca_file);
    conn->options.tls.cert_file = copy(options->tls.cert_file);
    conn->options.tls.key_file = copy(options->tls.key_file);
    conn->options.tls.server_name = copy(options->tls.server_name);
    conn->timer_at_ms = UINT64_MAX;
    conn->idle = mem_zalloc(sizeof *conn->idle);
    conn->timer = mem_zalloc(sizeof *conn->timer);
    conn->idle->data = conn->timer->data = conn;
    (void) uv_idle_init(uv, conn->idle); /* cannot fail, as the timer's */
    (void) uv_timer_init(uv, conn->timer);
    return conn;
}

/* Cancels what runs or waits, and closes the links. */
static void close_links(struct rpc_conn *conn)
{
    const struct rpc_loss loss = {.origin = RPC_FROM_CLIENT,
                                  .code = RPC_CANCELLED,
                                  .msg = "the connection was closed by this side"};
    rpc_conn_enter(conn);
    conn->closing = true;
    struct rpc_link *next;
    for (struct rpc_link *link = conn->links; link != NULL; link = next) {
        next = link->next;
        if (link->state != RPC_LINK_LOST) {
            rpc_link_close(link);
        }
        rpc_due_clear(conn, &link->due);
        rpc_link_lost(link, &loss);
    }
    conn->closing = false;
    run_due(conn); /* ends that were to be told in the next turn */
    rpc_conn_leave(conn);
}

void rpc_conn_close(struct rpc_conn *conn)
{
    close_links(conn);
}

void rpc_conn_free(struct rpc_conn *take_conn)
{
    if (take_conn == NULL || take_conn->freed) {
        return;
    }
    rpc_conn_enter(take_conn);
    take_conn->freed = true;
    close_links(take_conn);
    (void) uv_idle_stop(take_conn->idle);
    (void) uv_timer_stop(take_conn->timer);
    rpc_conn_leave(take_conn);
}

/* Streams */

static struct rpc_link *link_for_new(struct rpc_conn *conn)
{
    if (conn->link == NULL) {
        conn->link = rpc_link_open(conn);
    }
    return conn->link;
}

static void wait_on(struct rpc_stream *s, struct rpc_link *link)
{
    s->link = link;
    s->state = RPC_WAITING;
    list_add(&link->waiting, s);
}

void rpc_stream_start(struct rpc_conn *conn, struct rpc_stream *s)
{
    s->conn = conn;
    if (conn->freed) {
        BUG("a call on a connection that was freed");
    }
    wait_on(s, link_for_new(conn));
    rpc_conn_kick(conn);
}

void rpc_stream_run(struct rpc_stream *s)
{
    struct rpc_link *link = s->link;
    list_remove(&link->waiting, s);
    s->state = RPC_RUNNING;
    list_add(&link->running, s);
    link->proto->submit(link, s);
}

void rpc_stream_wake(struct rpc_stream *s)
{
    if (s->state == RPC_RUNNING && s->link->state != RPC_LINK_LOST) {
        s->link->proto->wake(s->link, s);
        rpc_conn_kick(s->conn);
    }
}

static void leave_link(struct rpc_stream *s)
{
    list_remove(s->state == RPC_WAITING ? &s->link->waiting : &s->link->running, s);
    s->state = RPC_OVER;
}

void rpc_stream_drop(struct rpc_stream *s, uint32_t h2_error)
{
    if (s->state != RPC_WAITING && s->state != RPC_RUNNING) {
        return;
    }
    bool running = s->state == RPC_RUNNING;
    leave_link(s);
    if (running && s->link->state != RPC_LINK_LOST) {
        s->link->proto->drop(s->link, s, h2_error);
    }
    rpc_conn_kick(s->conn);
}

bool rpc_stream_sent_all(const struct rpc_stream *s)
{
    return s->link != NULL && s->sent_mark <= s->link->flushed;
}

void rpc_stream_done(struct rpc_stream *s)
{
    leave_link(s);
    s->ops->on_done(s);
}

void rpc_stream_lost(struct rpc_stream *s, const struct rpc_loss *loss)
{
    leave_link(s);
    s->ops->on_lost(s, loss);
}

static void fill_facts(const struct rpc_conn *conn, const struct rpc_link *link,
                       struct rpc_conn_facts *ret)
{
    if (link != NULL) {
        *ret = link->facts;
    } else {
        *ret = (struct rpc_conn_facts){.protocol = NULL};
    }
    ret->connects = conn->connects;
}

void rpc_stream_facts(const struct rpc_stream *s, struct rpc_conn_facts *ret)
{
    fill_facts(s->conn, s->link, ret);
}

void rpc_conn_facts(const struct rpc_conn *conn, struct rpc_conn_facts *ret)
{
    fill_facts(conn, conn->link != NULL ? conn->link : conn->links, ret);
}

void rpc_stream_stage(const struct rpc_stream *s, char *out, size_t size)
{
    const char *where = s->conn->where;
    switch (s->link->state) {
    case RPC_LINK_CONNECTING:
        (void) snprintf(out, size, "connecting to %s", where);
        return;
    case RPC_LINK_HANDSHAKE:
        (void) snprintf(out, size, "the TLS handshake with %s", where);
        return;
    case RPC_LINK_GREETING:
        (void) snprintf(out, size, "waiting for the first words (SETTINGS) of %s", where);
        return;
    case RPC_LINK_READY:
    case RPC_LINK_LOST:
    default:
        break;
    }
    if (s->state == RPC_WAITING) {
        (void) snprintf(out, size, "waiting for its turn: %s takes %zu at once", where,
                        s->link->max_streams);
    } else if (!s->request_done) {
        (void) snprintf(out, size, "the request was not yet sent to its end");
    } else {
        (void) snprintf(out, size, "waiting for %s", where);
    }
}

/* Links, as far as their streams are concerned */

void rpc_link_ready(struct rpc_link *link)
{
    if (link->state == RPC_LINK_GREETING) {
        link->state = RPC_LINK_READY;
        link->facts.protocol = link->proto->name;
        rpc_due_clear(link->conn, &link->due);
    }
}

void rpc_link_drain(struct rpc_link *link)
{
    struct rpc_conn *conn = link->conn;
    link->draining = true;
    if (conn->link == link) {
        conn->link = NULL;
    }
    /* What was not sent is not tried again by going elsewhere; but not without an end. */
    size_t n = link->waiting.len;
    while (n-- > 0 && link->waiting.first != NULL) {
        struct rpc_stream *s = link->waiting.first;
        if (s->moved) {
            struct rpc_loss loss = {
                .origin = RPC_FROM_HTTP, .code = RPC_UNAVAILABLE, .goaway = link->facts.goaway};
            (void) snprintf(loss.msg, sizeof loss.msg,
                            "%s closed two connections before the request had its turn",
                            conn->where);
            rpc_stream_lost(s, &loss);
            continue;
        }
        list_remove(&link->waiting, s);
        s->moved = true;
        wait_on(s, link_for_new(conn));
    }
    rpc_conn_kick(conn);
}

void rpc_link_lost(struct rpc_link *link, const struct rpc_loss *loss)
{
    struct rpc_conn *conn = link->conn;
    bool worked = link->state == RPC_LINK_READY;
    if (link->state != RPC_LINK_LOST) {
        link->loss = *loss;
        link->state = RPC_LINK_LOST;
        rpc_link_close(link);
    }
    if (conn->link == link) {
        conn->link = NULL;
    }
    rpc_due_clear(conn, &link->due);
    rpc_conn_enter(conn);
    if (worked && !conn->closing) {
        rpc_link_drain(link);
    }
    while (link->running.first != NULL) {
        rpc_stream_lost(link->running.first, &link->loss);
    }
    while (link->waiting.first != NULL) {
        rpc_stream_lost(link->waiting.first, &link->loss);
    }
    rpc_conn_leave(conn);
}

void rpc_link_lostf(struct rpc_link *link, enum rpc_origin origin, enum rpc_code code,
                    const char *fmt, ...)
{
    struct rpc_loss loss = {.origin = origin, .code = code, .goaway = link->facts.goaway};
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(loss.msg, sizeof loss.msg, fmt, args);
    va_end(args);
    rpc_link_lost(link, &loss);
}

void rpc_conn_hint(const struct rpc_conn *conn, bool tls, char *out, size_t size)
{
    struct rpc_target target = conn->options.target;
    char text[RPC_HOST_MAX + 128];
    target.tls = tls;
    rpc_target_text(&target, text, sizeof text);
    if (conn->options.protocol == RPC_H2) {
        (void) snprintf(out, size, "%s", text);
        return;
    }
    const char *rest = strchr(text, ':');
    const char *scheme =
        target.path[0] == '\0' ? (tls ? "https" : "http") : (tls ? "https+unix" : "unix");
    (void) snprintf(out, size, "%s%s", scheme, rest != NULL ? rest : "");
}
