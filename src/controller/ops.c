/* Operations in threads: begun, cancelled, ended. */
#include "controller/controller_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define STACK_BYTES ((size_t) 1024 * 1024)

/* What does not fit is cut at its end: nobody reads so much. */
static void add_cut(struct buf *b, struct str text)
{
    size_t room = b->max > b->len ? b->max - b->len : 0;
    text.len = text.len < room ? text.len : room;
    buf_add_str(b, text);
}

void task_tell(struct task *t, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&text, fmt, args);
    va_end(args);
    if (len < 0) {
        BUG("out of memory");
    }
    if (t->told.len > 0) {
        add_cut(&t->told, STR("\n"));
    }
    add_cut(&t->told, str_of(text));
    mem_free(text);
}

enum release_outcome task_fail(struct task *t, const struct err *err)
{
    task_tell(t, "%s", err->msg);
    switch ((int) err->code) {
    case ERR_UNREACHABLE:
        return RELEASE_AWAY;
    case ERR_TIMEOUT:
        return RELEASE_LATE;
    case ERR_CANCELLED:
        return RELEASE_CANCELLED;
    default:
        return RELEASE_FAILED;
    }
}

bool task_is_over(const struct task *t)
{
    return t->cancelled || t->c->fenced || clock_mono_ms() >= t->deadline_ms;
}

bool task_sleep(struct task *t, uint64_t ms)
{
    uint64_t until_ms = clock_mono_ms() + ms;
    while (clock_mono_ms() < until_ms) {
        uint64_t left_ms = until_ms - clock_mono_ms();
        struct timespec part = {0, (long) (left_ms < 20 ? left_ms : 20) * 1000000};
        if (task_is_over(t)) {
            return false;
        }
        (void) nanosleep(&part, NULL);
    }
    return true;
}

static enum release_outcome carry_out(struct task *t)
{
    switch ((int) t->op.kind) {
    case OP_TEST:
        return task_test(t);
    case OP_KEEP_UP:
    case OP_DRAIN:
    case OP_QUIET:
    case OP_READY:
    case OP_ADD:
    case OP_REMOVE:
    case OP_TRACK:
    case OP_CAPACITY:
    case OP_SHARE:
    case OP_VERIFY:
    case OP_DWELL:
        return task_at_router(t);
    default:
        return task_at_host(t);
    }
}

static void *run_task(void *arg)
{
    struct task *t = arg;
    t->outcome = carry_out(t);
    if (t->c->fenced) {
        t->outcome = RELEASE_FENCED;
    }
    (void) pthread_mutex_lock(&t->c->mutex);
    struct task **end = &t->c->done;
    while (*end != NULL) {
        end = &(*end)->next_done;
    }
    *end = t;
    (void) pthread_cond_signal(&t->c->cond);
    (void) pthread_mutex_unlock(&t->c->mutex);
    return NULL;
}

/* Signals are for the thread that owns the controller. */
static void start_thread(struct task *t)
{
    pthread_attr_t attr;
    sigset_t all, before;
    (void) sigfillset(&all);
    (void) pthread_attr_init(&attr);
    (void) pthread_attr_setstacksize(&attr, STACK_BYTES);
    (void) pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&t->thread, &attr, run_task, t);
    (void) pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void) pthread_attr_destroy(&attr);
    if (rc != 0) {
        BUG("no thread for an operation: %s", strerrordesc_np(rc));
    }
}

void controller_start(struct controller *c, const struct release_op *op)
{
    struct task *t = mem_zalloc(sizeof *t);
    t->c = c;
    t->op = *op;
    t->deadline_ms = clock_mono_ms() + op->deadline_ms;
    buf_init(&t->told, TOLD_BYTES);
    t->salts = op->kind == OP_SHARE && op->share_ppm == 0 && c->release != NULL &&
               release_direction(c->release) == RELEASE_FORWARD &&
               release_share_ppm(c->release) == 0;
    t->next = c->running;
    c->running = t;
    start_thread(t);
}

void controller_cancel(struct controller *c, uint32_t id)
{
    for (struct task *t = c->running; t != NULL; t = t->next) {
        if (t->op.id == id) {
            t->cancelled = true;
        }
    }
}

static void wait_for_done(struct controller *c, uint64_t wait_ms)
{
    struct timespec until;
    (void) clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t) (wait_ms / 1000);
    until.tv_nsec += (long) (wait_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (c->done == NULL && pthread_cond_timedwait(&c->cond, &c->mutex, &until) != ETIMEDOUT) {
    }
}

static void remove_running(struct controller *c, const struct task *t)
{
    struct task **at = &c->running;
    while (*at != t) {
        at = &(*at)->next;
    }
    *at = t->next;
}

struct task *controller_next(struct controller *c, uint64_t wait_ms)
{
    (void) pthread_mutex_lock(&c->mutex);
    wait_for_done(c, wait_ms);
    struct task *t = c->done;
    if (t != NULL) {
        c->done = t->next_done;
    }
    (void) pthread_mutex_unlock(&c->mutex);
    if (t != NULL) {
        (void) pthread_join(t->thread, NULL);
        remove_running(c, t);
    }
    return t;
}

void controller_forget(struct task *take_task)
{
    buf_done(&take_task->told);
    mem_free(take_task);
}

int controller_do(struct controller *c, const struct release_op *op, struct err *err)
{
    static const enum err_code codes[RELEASE_OUTCOMES] = {
        [RELEASE_FAILED] = ERR_DENIED,       [RELEASE_LATE] = ERR_TIMEOUT,
        [RELEASE_AWAY] = ERR_UNREACHABLE,    [RELEASE_NOTHING] = ERR_INTERNAL,
        [RELEASE_EXCEEDED] = ERR_INTERNAL,   [RELEASE_FENCED] = ERR_CONFLICT,
        [RELEASE_CANCELLED] = ERR_CANCELLED, [RELEASE_UNKNOWN] = ERR_INTERNAL,
    };
    struct task *t = NULL;
    controller_start(c, op);
    while (t == NULL) {
        t = controller_next(c, 1000);
    }
    int rc = (int) codes[t->outcome];
    struct str told = buf_str(&t->told);
    if (rc == 0 && told.len > 0) {
        controller_tell(c, &(struct controller_event){.kind = CONTROLLER_TOLD, .text = told.ptr});
    } else if (rc < 0) {
        (void) err_set(err, (enum err_code) rc, "%s: " STR_FMT, release_op_name[op->kind],
                       (int) (told.len < 400 ? told.len : 400), told.ptr);
    }
    controller_forget(t);
    return rc;
}
