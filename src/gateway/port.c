/* The machine of port.h's calls; see port_int.h. */
#include "gateway/port_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define POLL_MIN  20
#define POLL_MAX  100
#define POLL_PART 50 /* see poll_ms */
#define POLL_REST 4
#define RETRY_MS  200
#define TICK_MS   10
#define SAID_MAX  3                  /* orders that are answered, and do not show */
#define OLD_MS    500                /* a reading so much before all held is made again ... */
#define PASS_MS   (3 * PORT_CALL_MS) /* ... which takes at most so long */
#define SILENT_MS 500                /* without an answer at the deadline: that is the reason */

static struct port *port_of(const struct fleet_router *r)
{
    return (struct port *) (void *) r->fleet;
}

static struct port_row *row_of(const struct fleet_router *r)
{
    struct port *p = port_of(r);
    return &p->row[r - p->fleet.router];
}

/* --- opening --- */

static void tick(void *ctx)
{
    (void) ctx; /* wakes the loop, which then looks at what is due and whether it is over */
}

/* What goes into the path of a call as it is. */
static bool is_name(const char *text, size_t max)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] == 0x7f || strchr("/?#%\"\\", text[i]) != NULL) {
            return false;
        }
    }
    return len > 0 && len < max;
}

static int check(const struct port_routers *at, const char *address, struct err *err)
{
    if (at->n == 0 || at->n > FLEET_MAX) {
        return err_set(err, ERR_INVALID, "%zu routers are named: 1 to %d can be", at->n, FLEET_MAX);
    }
    if (!is_name(at->service, ROUTER_NAME_MAX)) {
        return err_set(err, ERR_INVALID, "\"%s\" is no name of a service", at->service);
    }
    size_t len = address != NULL ? strlen(address) : 1;
    if (len == 0 || len >= ROUTER_TEXT_MAX || (address != NULL && strpbrk(address, " \t\r\n"))) {
        return err_set(err, ERR_INVALID, "\"%s\" is no address of a peer, such as 10.0.1.11:8080",
                       address);
    }
    return 0;
}

static char *copy(const char *text)
{
    return text != NULL ? mem_strdup(text) : NULL;
}

int port_open(struct port *p, const struct port_routers *at, const char *address, struct err *err)
{
    *p = (struct port){.at = at, .ref = {.address = address}};
    int code = check(at, address, err);
    if (code != 0) {
        return code;
    }
    struct io_loop *loop = io_loop_new();
    code = http_client_new(loop, &p->http, err);
    if (code != 0) {
        io_loop_free(loop);
        return code;
    }
    p->loop = loop;
    struct router *router = mem_array(at->n, sizeof *router);
    for (size_t i = 0; i < at->n; i++) {
        router[i] = (struct router){.name = copy(at->router[i].name),
                                    .url = copy(at->router[i].url),
                                    .socket = copy(at->router[i].socket)};
    }
    fleet_init(&p->fleet, loop, p->http, router, at->n);
    mem_free(router);
    p->fleet.bearer = at->bearer;
    p->fleet.call_ms = PORT_CALL_MS;
    p->fleet.interrupted = at->cancelled;
    (void) snprintf(p->fleet.service, sizeof p->fleet.service, "%s", at->service);
    p->row = mem_array(at->n, sizeof *p->row);
    p->tick = io_timer_start(loop, TICK_MS, TICK_MS, tick, NULL);
    return 0;
}

void port_close(struct port *p)
{
    if (p->loop != NULL) {
        io_timer_stop(p->tick);
        http_client_free(p->http);
        fleet_done(&p->fleet);
        io_loop_free(p->loop);
        mem_free(p->row);
    }
    *p = (struct port){0};
}

void port_tell(const struct port *p, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void) vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    buf_addf(p->at->told, "%s\n", text);
}

bool port_cancelled(const struct port *p)
{
    return fleet_interrupted(&p->fleet);
}

void port_order(struct port_row *row, const char *method, struct str body)
{
    struct buf b;
    buf_init_fixed(&b, row->body, sizeof row->body);
    buf_add_str(&b, body);
    if (b.failed) {
        BUG("an order of %zu bytes", body.len);
    }
    row->method = method;
}

enum port_word port_find(const struct port *p, size_t i, struct peer_view *view, struct err *why)
{
    const char *address = p->ref.address;
    switch (peers_find(&p->fleet.router[i].service, &p->ref, view)) {
    case PEER_FOUND:
        return PORT_HOLDS;
    case PEER_MISSING:
        (void) err_set(why, ERR_NOT_FOUND, "there is no peer %s", address);
        break;
    case PEER_ON_BOTH:
        (void) err_set(why, ERR_CONFLICT, "%s is a peer of both tracks", address);
        break;
    case PEER_OF_NAME:
        (void) err_set(why, ERR_CONFLICT, "%s is an address of the name %s and changes with it",
                       address, view->peer->name);
        break;
    }
    return PORT_NEVER;
}

enum port_word port_lacks(struct port *p, size_t i, struct err *why)
{
    struct port_row *row = &p->row[i];
    if (row->shown) {
        (void) err_set(why, ERR_CONFLICT, "somebody else removed %s meanwhile", p->ref.address);
        return PORT_NEVER;
    }
    row->lacks = true;
    return PORT_HOLDS;
}

int port_check_lacking(const struct port *p, struct err *err)
{
    size_t lacking = 0;
    for (size_t i = 0; i < p->fleet.len; i++) {
        lacking += p->row[i].lacks;
    }
    if (lacking == p->fleet.len) {
        return err_set(err, ERR_NOT_FOUND, "no router has a peer %s", p->ref.address);
    }
    for (size_t i = 0; i < p->fleet.len; i++) {
        if (p->row[i].lacks) {
            port_tell(p, "router %s has no peer %s", p->fleet.router[i].at.name, p->ref.address);
        }
    }
    return 0;
}

/* --- the machine --- */

static void start(struct fleet_router *r);

static void refuse(struct fleet_router *r, const struct err *why)
{
    struct port_row *row = row_of(r);
    row->state = PORT_REFUSED;
    row->why = *why;
    if (row->why.code == ERR_FULL) { /* an answer without end */
        row->why.code = ERR_REMOTE;
    }
    port_of(r)->stop = true;
}

static void wait(struct fleet_router *r, const struct err *why, uint64_t ms)
{
    struct port_row *row = row_of(r);
    row->state = PORT_IDLE;
    row->why = *why;
    row->due_ms = clock_mono_ms() + ms;
}

/*
 * Between readings: a 50th of the time that it has taken so far, so that hardly any of what is
 * waited for is waited in vain; and four times what the last reading took, so that routers with
 * many peers do not spend their time on being asked.
 */
static uint64_t poll_ms(const struct port *p, const struct port_row *row)
{
    uint64_t now = clock_mono_ms(), part = (now - p->began_ms) / POLL_PART;
    uint64_t rest = POLL_REST * (now - row->began_ms), own = part > rest ? part : rest;
    own = own < POLL_MIN ? POLL_MIN : own > POLL_MAX ? POLL_MAX : own;
    return p->at->poll_ms > 0 ? p->at->poll_ms : own;
}

/* A reading that failed. */
static void not_read(struct fleet_router *r)
{
    struct err why = r->err;
    if (why.code == ERR_UNREACHABLE) {
        wait(r, &why, RETRY_MS);
        return;
    }
    if (why.code == ERR_NOT_FOUND) { /* the service, not a peer */
        why.code = ERR_REMOTE;
    }
    refuse(r, &why);
}

static void said(struct fleet_router *r)
{
    struct port_row *row = row_of(r);
    row->answer = r->err;
    enum err_code code = r->err.code;
    if (code == ERR_UNREACHABLE) { /* it may have been taken: a reading tells */
        wait(r, &r->err, RETRY_MS);
    } else if (code == 0 || code == ERR_IO || code == ERR_CONFLICT || code == ERR_NOT_FOUND) {
        row->said++;
        start(r); /* what was refused may be so by now all the same */
    } else {
        refuse(r, &r->err);
    }
}

static void say(struct fleet_router *r)
{
    struct port *p = port_of(r);
    struct port_row *row = row_of(r);
    struct err why = row->answer;
    if (row->said >= SAID_MAX) {
        if (why.code == 0) {
            (void) err_set(&why, ERR_CONFLICT, "it was said %u times, and does not show",
                           row->said);
        }
        refuse(r, &why);
        return;
    }
    char path[2048];
    struct buf b;
    buf_init_fixed(&b, path, sizeof path);
    peers_path(&p->fleet, &p->ref, &b);
    struct str body = str_of(row->body);
    row->state = PORT_SAYING;
    fleet_start_call(r, CALL_CHANGE, row->method, path, body.len > 0 ? body : (struct str){NULL, 0},
                     said);
}

/* In effect is not enough: a change that was not saved is gone when the router restarts. */
static bool is_saved(const struct fleet_router *r, struct err *why)
{
    const struct router_status *s = &r->status;
    if (!port_of(r)->goal->changes || s->saved) {
        return true;
    }
    (void) err_set(why, ERR_IO, "in effect, but not saved: %s",
                   s->state_error[0] != '\0' ? s->state_error : "the router does not say why");
    return false;
}

static void judge(struct fleet_router *r)
{
    struct port *p = port_of(r);
    struct port_row *row = row_of(r);
    size_t i = (size_t) (r - p->fleet.router);
    struct err why = {0};
    enum port_word word = p->goal->judge(p, i, &why);
    if (word == PORT_HOLDS && !is_saved(r, &why)) {
        word = PORT_WAIT;
    }
    switch (word) {
    case PORT_HOLDS:
        row->state = PORT_PROVED;
        row->proved_ms = clock_mono_ms();
        row->why = why;
        return;
    case PORT_WAIT:
        wait(r, &why, poll_ms(p, row));
        return;
    case PORT_SAY:
        row->why = why;
        say(r);
        return;
    case PORT_NEVER:
        refuse(r, &why);
        return;
    }
}

static void have_stats(struct fleet_router *r)
{
    if (r->err.code != 0) {
        not_read(r);
    } else {
        judge(r);
    }
}

static void have_service(struct fleet_router *r)
{
    if (r->err.code != 0) {
        not_read(r);
    } else if (port_of(r)->goal->stats) {
        fleet_start_stats(r, have_stats);
    } else {
        judge(r);
    }
}

static void have_status(struct fleet_router *r)
{
    if (r->err.code != 0) {
        not_read(r);
    } else {
        fleet_start_read(r, have_service);
    }
}

static void start(struct fleet_router *r)
{
    struct port_row *row = row_of(r);
    row->state = PORT_READING;
    row->began_ms = clock_mono_ms();
    fleet_start_status(r, have_status);
}

/* All hold: those that were read long before are read again, in a pass that is short enough. */
static bool read_old_again(struct port *p)
{
    uint64_t now = clock_mono_ms();
    bool again = false;
    if (p->pass_ms == 0 || now - p->pass_ms > PASS_MS) {
        p->pass_ms = now;
    }
    for (size_t i = 0; i < p->fleet.len; i++) {
        if (p->row[i].proved_ms + OLD_MS < p->pass_ms) {
            start(&p->fleet.router[i]);
            again = true;
        }
    }
    return again;
}

/* Starts what is due; true when it is over. */
static bool step(void *ctx)
{
    struct port *p = ctx;
    uint64_t now = clock_mono_ms();
    bool all = true, busy = false;
    if (port_cancelled(p)) {
        return true;
    }
    for (size_t i = 0; i < p->fleet.len; i++) {
        struct fleet_router *r = &p->fleet.router[i];
        struct port_row *row = &p->row[i];
        bool first = row->began_ms == 0;
        if (row->state == PORT_IDLE && now >= row->due_ms && (first || !p->stop)) {
            start(r);
        }
        all = all && row->state == PORT_PROVED;
        busy = busy || r->busy;
    }
    if (p->stop) {
        return !busy;
    }
    return all && !read_old_again(p);
}

/* --- its end --- */

static int rank(enum err_code code)
{
    static const enum err_code order[] = {ERR_TIMEOUT, ERR_IO, ERR_UNREACHABLE};
    int i = 0;
    while (i < (int) (sizeof order / sizeof order[0]) && order[i] != code) {
        i++;
    }
    return i;
}

/* At the deadline: what is still under way has had no answer. */
static void give_up(struct port *p)
{
    uint64_t now = clock_mono_ms();
    for (size_t i = 0; i < p->fleet.len; i++) {
        struct fleet_router *r = &p->fleet.router[i];
        struct port_row *row = &p->row[i];
        unsigned long long ms = row->began_ms > 0 ? now - row->began_ms : 0;
        if (r->busy && ms >= SILENT_MS) {
            (void) err_set(&row->why, ERR_UNREACHABLE, "no answer in %llu ms", ms);
        } else if (row->state != PORT_PROVED && row->why.code == 0) {
            (void) err_set(&row->why, ERR_TIMEOUT, "there was no time to ask: no answer in %llu ms",
                           ms);
        }
    }
    fleet_give_up(&p->fleet);
}

static int tell_worst(const struct port *p, struct err *err)
{
    size_t worst = p->fleet.len, others = 0;
    for (size_t i = 0; i < p->fleet.len; i++) {
        const struct port_row *row = &p->row[i];
        if (row->state == PORT_PROVED || (p->stop && row->state != PORT_REFUSED)) {
            continue;
        }
        others++;
        if (worst == p->fleet.len || rank(row->why.code) > rank(p->row[worst].why.code)) {
            worst = i;
        }
    }
    if (worst == p->fleet.len) {
        BUG("all routers are proved, and it failed");
    }
    *err = p->row[worst].why;
    char more[48] = "";
    if (others > 1) {
        (void) snprintf(more, sizeof more, " (and %zu more)", others - 1);
    }
    if (p->stop) {
        return err_wrap(err, "router %s%s", p->fleet.router[worst].at.name, more);
    }
    return err_wrap(err, "%s at router %s%s", p->goal->what, p->fleet.router[worst].at.name, more);
}

int port_prove(struct port *p, const struct port_goal *goal, struct err *err)
{
    p->goal = goal;
    p->stop = false;
    p->pass_ms = 0;
    memset(p->row, 0, p->fleet.len * sizeof *p->row);
    uint64_t now = clock_mono_ms(), end = p->at->deadline_ms;
    p->began_ms = now;
    bool over = io_loop_wait(p->loop, end > now ? end - now : 0, step, p);
    if (port_cancelled(p)) {
        fleet_give_up(&p->fleet);
        return err_set(err, ERR_CANCELLED, "cancelled: %s", goal->what);
    }
    if (over && !p->stop) {
        return 0;
    }
    give_up(p);
    return tell_worst(p, err);
}

static enum port_word whatever(struct port *p, size_t i, struct err *why)
{
    (void) p;
    (void) i;
    (void) why;
    return PORT_HOLDS;
}

int port_read(struct port *p, bool stats, struct err *err)
{
    struct port_goal goal = {.what = "not read", .judge = whatever, .stats = stats};
    return port_prove(p, &goal, err);
}
