/*
 * The script of a stream: steps one after another.
 *
 * A step is done at once (send, close, cancel), or waits:
 *     expect    for the next message that no step has taken; the end of the call, or `within`,
 * fails it headers   for the initial headers; a call that ends without them fails it quiet     for
 * its time; a message within it fails it end       for the end of the call; a message that no step
 * has taken fails it, `within` too Every event of the call (headers, message, end) and every timer
 * comes here; the script goes on as far as it can.  All waits are bounded by the deadline of the
 * call, which ends it.  A script without `end` cancels what still runs behind its last step; what
 * is wanted beside it (headers, wire, timing, save) is compared then.
 */
#include "apitest/run_int.h"
#include "apitest/value_int.h"

#include <stdio.h>

#define CONNECT_LOOK_MS 1

enum walk { WALK_ON, WALK_WAIT, WALK_FAILED };

static const char *const step_names[] = {"send",   "expect",  "quiet", "close",
                                         "cancel", "headers", "end"};

static void on_timer(void *ctx)
{
    struct attempt *attempt = ctx;
    io_timer_stop(attempt->timer);
    attempt->timer = NULL;
    attempt->timer_fired = true;
    attempt_script(attempt);
}

static void start_timer(struct attempt *attempt, uint64_t ms)
{
    if (ms > 0 && attempt->timer == NULL && !attempt->timer_fired) {
        attempt->timer = io_timer_start(attempt->runner->loop, ms, 0, on_timer, attempt);
    }
}

static void step_path(const struct attempt *attempt, char out[64])
{
    const struct apitest_step *step = &attempt->c->step[attempt->step];
    buf_print(out, 64, "stream[%zu].%s", attempt->step, step_names[step->kind]);
}

static enum walk fails(struct attempt *attempt, const char *expected, const char *got)
{
    char path[64];
    step_path(attempt, path);
    attempt_differs(attempt, path, attempt->c->step[attempt->step].pos, expected, got);
    return WALK_FAILED;
}

/* How the call ended, for a step that waited for something else. */
static enum walk fails_by_end(struct attempt *attempt, const char *expected)
{
    struct buf got; /* whole: half of a secret in it would not be known again */
    buf_init(&got, attempt->out->status.len + 64);
    buf_addf(&got, "the call ended: " STR_FMT, STR_ARG(attempt->out->status));
    enum walk walk = fails(attempt, expected, got.ptr);
    buf_done(&got);
    return walk;
}

static bool step_save(struct attempt *attempt, const struct apitest_step *step,
                      struct proto_msg *msg)
{
    struct apitest_value root = {.kind = APITEST_MESSAGE, .proto.msg = msg}, value;
    for (size_t i = 0; i < step->saves; i++) {
        const struct apitest_save *save = &step->save[i];
        struct err err = {0};
        if (apitest_path_get(&root, save->path, &value, &err) != 0) {
            attempt_differs(attempt, save->path.ptr, save->pos, "a value to save", err.msg);
            return false;
        }
        if (!attempt_save(attempt, save, &value)) {
            return false;
        }
        struct buf b;
        buf_init(&b, CONF_BYTES_MAX);
        bool good =
            apitest_value_text(&value, &b, &err) == 0 &&
            apitest_scope_set(&attempt->step_scope, save->name, buf_str(&b), true, save->secret);
        buf_done(&b);
        if (!good) {
            attempt_reason(attempt, "%s", err.msg);
            return false;
        }
    }
    return true;
}

static enum walk walk_expect(struct attempt *attempt, const struct apitest_step *step)
{
    char path[64];
    if (attempt->next_reply == attempt->replies.len) {
        if (attempt->result != NULL) {
            return fails_by_end(attempt, "a message");
        }
        if (attempt->timer_fired) {
            buf_print(path, sizeof path, "none within %llu ms",
                      (unsigned long long) step->within_ms);
            return fails(attempt, "a message", path);
        }
        start_timer(attempt, step->within_ms);
        return WALK_WAIT;
    }
    struct proto_msg *msg = attempt->replies.ptr[attempt->next_reply++];
    struct apitest_value value = {.kind = APITEST_MESSAGE, .proto.msg = msg};
    attempt->out->diffs.checks++;
    step_path(attempt, path);
    bool good =
        apitest_match(step->pattern, &value, path, &attempt->step_scope, &attempt->out->diffs);
    return good && step_save(attempt, step, msg) ? WALK_ON : WALK_FAILED;
}

static enum walk walk_quiet(struct attempt *attempt, const struct apitest_step *step)
{
    if (attempt->next_reply < attempt->replies.len) {
        struct apitest_value value = {.kind = APITEST_MESSAGE,
                                      .proto.msg = attempt->replies.ptr[attempt->next_reply]};
        struct buf b;
        buf_init(&b, 1000);
        apitest_value_show_safe(attempt->runner->options.load->secrets, &value, 400, &b);
        (void) fails(attempt, "no message", b.ptr);
        buf_done(&b);
        return WALK_FAILED;
    }
    if (attempt->result != NULL) {
        return fails_by_end(attempt, "an open stream without a message");
    }
    if (attempt->timer_fired || step->within_ms == 0) {
        attempt->out->diffs.checks++;
        return WALK_ON;
    }
    start_timer(attempt, step->within_ms);
    return WALK_WAIT;
}

static enum walk walk_headers(struct attempt *attempt, const struct apitest_step *step)
{
    if (!attempt->has_headers) {
        return attempt->result == NULL ? WALK_WAIT : fails_by_end(attempt, "headers");
    }
    size_t before = attempt->out->diffs.total;
    attempt_headers(attempt, &step->headers, "headers", attempt->headers,
                    (struct rpc_headers){NULL, 0});
    return attempt->out->diffs.total == before ? WALK_ON : WALK_FAILED;
}

static enum walk walk_end(struct attempt *attempt, const struct apitest_step *step)
{
    if (attempt->next_reply < attempt->replies.len) {
        struct apitest_value value = {.kind = APITEST_MESSAGE,
                                      .proto.msg = attempt->replies.ptr[attempt->next_reply]};
        struct buf b;
        buf_init(&b, 1000);
        buf_add_cstr(&b, "a further message: ");
        apitest_value_show_safe(attempt->runner->options.load->secrets, &value, 400, &b);
        (void) fails(attempt, "the end of the stream", b.ptr);
        buf_done(&b);
        return WALK_FAILED;
    }
    if (attempt->result == NULL) {
        if (attempt->timer_fired) {
            char got[64];
            buf_print(got, sizeof got, "still open after %llu ms",
                      (unsigned long long) step->within_ms);
            return fails(attempt, "the end of the stream", got);
        }
        start_timer(attempt, step->within_ms);
        return WALK_WAIT;
    }
    return attempt_status(attempt, step->error) == APITEST_PASSED ? WALK_ON : WALK_FAILED;
}

/* A call is cancelled once there is a connection for it: before, the server would never hear of it.
 */
static enum walk walk_cancel(struct attempt *attempt)
{
    struct rpc_conn_facts facts;
    rpc_conn_facts(connections_get(attempt->to, attempt->runner, attempt->c), &facts);
    if (facts.protocol == NULL && attempt->result == NULL) {
        attempt->timer_fired = false; /* looks again and again, until the deadline at most */
        start_timer(attempt, CONNECT_LOOK_MS);
        return WALK_WAIT;
    }
    rpc_call_cancel(attempt->call);
    return WALK_ON;
}

static enum walk walk(struct attempt *attempt, const struct apitest_step *step)
{
    switch (step->kind) {
    case APITEST_SEND:
        return attempt_send(attempt, step->message, step->compress) ? WALK_ON : WALK_FAILED;
    case APITEST_CLOSE:
        rpc_call_close_send(attempt->call);
        return WALK_ON;
    case APITEST_CANCEL:
        return walk_cancel(attempt);
    case APITEST_EXPECT:
        return walk_expect(attempt, step);
    case APITEST_QUIET:
        return walk_quiet(attempt, step);
    case APITEST_HEADERS:
        return walk_headers(attempt, step);
    case APITEST_END:
        return walk_end(attempt, step);
    }
    return WALK_FAILED;
}

/* A failed step of a call that had no connection or no time is not a wrong answer. */
static enum apitest_outcome failure(struct attempt *attempt)
{
    const struct rpc_result *result = attempt->result;
    if (result == NULL) {
        return APITEST_FAILED;
    }
    if (result->origin == RPC_FROM_CONNECT) {
        attempt_reason(attempt, STR_FMT, STR_ARG(result->message));
        return result->code == RPC_DEADLINE_EXCEEDED ? APITEST_LATE : APITEST_UNREACHABLE;
    }
    bool late = result->origin == RPC_FROM_CLIENT && result->code == RPC_DEADLINE_EXCEEDED;
    return late ? APITEST_LATE : APITEST_FAILED;
}

/* All steps were right. */
static enum apitest_outcome verdict(struct attempt *attempt)
{
    /* Where nobody listens it is quiet, too. */
    if (attempt->result->origin == RPC_FROM_CONNECT || !attempt->out->reached) {
        attempt_reason(attempt, "the script ended before there was a connection");
        return APITEST_UNREACHABLE;
    }
    return attempt_grpc_rest(attempt);
}

void attempt_script(struct attempt *attempt)
{
    if (attempt->c->steps == 0 || attempt->over) {
        return;
    }
    while (attempt->step < attempt->c->steps) {
        enum walk next = walk(attempt, &attempt->c->step[attempt->step]);
        if (next == WALK_WAIT) {
            return;
        }
        io_timer_stop(attempt->timer);
        attempt->timer = NULL;
        attempt->timer_fired = false;
        if (next == WALK_FAILED) {
            attempt->over = true;
            attempt_end(attempt, failure(attempt));
            return;
        }
        attempt->step++;
    }
    if (attempt->result == NULL) {
        /* Goes on when the call has ended: before, not all of its facts are there. */
        attempt->cancelled = true;
        rpc_call_cancel(attempt->call);
        return;
    }
    attempt->over = true;
    attempt_end(attempt, verdict(attempt));
}
