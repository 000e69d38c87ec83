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

static void time_up(void *ctx)
{
    *(bool *) ctx = true;
}

bool io_loop_wait(struct io_loop *loop, uint64_t timeout_ms, bool (*done)(void *ctx), void *ctx)
{
    bool late = false;
    uv_update_time(&loop->uv);
    struct io_timer *timer = io_timer_start(loop, timeout_ms, 0, time_up, &late);
    bool is_done = done != NULL && done(ctx);
    while (!is_done && !late) {
        (void) uv_run(&loop->uv, UV_RUN_ONCE);
        is_done = done != NULL && done(ctx);
    }
    io_timer_stop(timer);
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
