/* libuv behind loop.h: handles are heap objects that free themselves when libuv lets go of them. */
#include "io/loop.h"

#include "base/mem.h"

#include <uv.h>

struct io_loop {
    uv_loop_t uv;
};

struct io_timer {
    uv_timer_t uv; /* first: a handle is its object */
    io_fn fn;
    void *ctx;
};

struct signal_watch {
    uv_signal_t uv; /* first */
    io_fn fn;
    void *ctx;
};

struct io_loop *io_loop_new(void)
{
    struct io_loop *loop = mem_zalloc(sizeof *loop);
    int r = uv_loop_init(&loop->uv);
    if (r != 0) {
        BUG("uv_loop_init: %s", uv_strerror(r));
    }
    return loop;
}

static void free_handle(uv_handle_t *handle)
{
    mem_free(handle);
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void) arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, free_handle);
    }
}

void io_loop_free(struct io_loop *take_loop)
{
    if (take_loop == NULL) {
        return;
    }
    uv_walk(&take_loop->uv, close_handle, NULL);
    (void) uv_run(&take_loop->uv, UV_RUN_DEFAULT); /* only the close callbacks are left */
    if (uv_loop_close(&take_loop->uv) != 0) {
        BUG("the loop still has handles");
    }
    mem_free(take_loop);
}

struct uv_loop_s *io_loop_uv(struct io_loop *loop)
{
    return &loop->uv;
}

/* One call of io_loop_wait. */
struct wait {
    uv_prepare_t uv; /* first */
    bool (*done)(void *ctx);
    void *ctx;
    bool is_done, late;
};

static void time_up(void *ctx)
{
    struct wait *wait = ctx;
    wait->late = true;
}

/* Right before the loop would block: timers of this round have run. */
static void look(uv_prepare_t *uv)
{
    struct wait *wait = (struct wait *) uv;
    wait->is_done = wait->done != NULL && wait->done(wait->ctx);
    if (wait->is_done || wait->late) {
        uv_stop(uv->loop);
    }
}

bool io_loop_wait(struct io_loop *loop, uint64_t timeout_ms, bool (*done)(void *ctx), void *ctx)
{
    struct wait *wait = mem_zalloc(sizeof *wait);
    wait->done = done;
    wait->ctx = ctx;
    (void) uv_prepare_init(&loop->uv, &wait->uv);
    (void) uv_prepare_start(&wait->uv, look);
    uv_update_time(&loop->uv);
    struct io_timer *timer = io_timer_start(loop, timeout_ms, 0, time_up, wait);
    (void) uv_run(&loop->uv, UV_RUN_DEFAULT);
    bool is_done = wait->is_done;
    io_timer_stop(timer);
    close_handle((uv_handle_t *) &wait->uv, NULL);
    return is_done;
}

static void timer_fires(uv_timer_t *uv)
{
    struct io_timer *timer = (struct io_timer *) uv;
    timer->fn(timer->ctx);
}

struct io_timer *io_timer_start(struct io_loop *loop, uint64_t delay_ms, uint64_t repeat_ms,
                                io_fn fn, void *ctx)
{
    struct io_timer *timer = mem_zalloc(sizeof *timer);
    timer->fn = fn;
    timer->ctx = ctx;
    (void) uv_timer_init(&loop->uv, &timer->uv); /* cannot fail */
    (void) uv_timer_start(&timer->uv, timer_fires, delay_ms, repeat_ms);
    return timer;
}

void io_timer_stop(struct io_timer *take_timer)
{
    if (take_timer != NULL) {
        close_handle((uv_handle_t *) &take_timer->uv, NULL);
    }
}

static void signal_fires(uv_signal_t *uv, int signum)
{
    (void) signum;
    struct signal_watch *watch = (struct signal_watch *) uv;
    watch->fn(watch->ctx);
}

void io_signal_watch(struct io_loop *loop, int signum, io_fn fn, void *ctx)
{
    struct signal_watch *watch = mem_zalloc(sizeof *watch);
    watch->fn = fn;
    watch->ctx = ctx;
    int r = uv_signal_init(&loop->uv, &watch->uv);
    if (r == 0) {
        r = uv_signal_start(&watch->uv, signal_fires, signum);
    }
    if (r != 0) {
        BUG("cannot watch signal %d: %s", signum, uv_strerror(r));
    }
    uv_unref((uv_handle_t *) &watch->uv);
}
