#pragma once
/*
 * The event loop: one thread, libuv.  Callbacks run inside io_loop_wait and get their ctx last.
 * Timers and signal watches belong to the loop and live until they are stopped or it is freed.
 */
#include <stdbool.h>
#include <stdint.h>

struct io_loop;
struct io_timer;
struct uv_loop_s;

typedef void (*io_fn)(void *ctx);

struct io_loop *io_loop_new(void);
/* Stops what still runs.  Clients of the loop (http) have to be freed before.  NULL is fine. */
void io_loop_free(struct io_loop *take_loop);

/* For the other files of this room. */
struct uv_loop_s *io_loop_uv(struct io_loop *loop);

/*
 * Runs the loop until done(ctx) says so, looked at after every batch of events, or until timeout_ms
 * have passed.  done NULL: only the time counts.  Returns whether done(ctx).
 */
bool io_loop_wait(struct io_loop *loop, uint64_t timeout_ms, bool (*done)(void *ctx), void *ctx);

/* Calls fn after delay_ms, then every repeat_ms (0: once; it still has to be stopped). */
struct io_timer *io_timer_start(struct io_loop *loop, uint64_t delay_ms, uint64_t repeat_ms,
                                io_fn fn, void *ctx);
/* fn is not called any more; allowed inside fn.  NULL is fine. */
void io_timer_stop(struct io_timer *take_timer);

/* Calls fn on each delivery of the signal until the loop is freed. */
void io_signal_watch(struct io_loop *loop, int signum, io_fn fn, void *ctx);
