/* One attempt of a case: what its kinds have in common. */
#include "apitest/run_int.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/mem.h"
#include "proto/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ATTEMPT_BYTES_MAX ((size_t) 512 * 1024 * 1024)
#define EVENTS_MAX        1000 /* of a transcript */
#define EVENT_TEXT_MAX    2000
#define REASON_MAX        1200
#define FORMAT_MAX        32768 /* of a text before it is cut */
#define ATTEMPTS_KEPT     100

/*
 * Text of bounded length in an arena.  Secrets are hidden before it is cut: half of one would not
 * be known again.
 */
__attribute__((format(printf, 4, 0))) static struct str
formatted(struct attempt *attempt, struct arena *arena, size_t max, const char *fmt, va_list ap)
{
    char text[FORMAT_MAX];
    int len = vsnprintf(text, sizeof text, fmt, ap);
    struct buf b;
    buf_init(&b, FORMAT_MAX * 4);
    apitest_redact_cut(attempt->runner->options.load->secrets, str_of(text),
                       len >= 0 && (size_t) len < sizeof text, max, &b);
    struct str copy = str_of(arena_strdup(arena, b.len == 0 ? STR("") : buf_str(&b)));
    buf_done(&b);
    return copy;
}

void attempt_reason(struct attempt *attempt, const char *fmt, ...)
{
    va_list ap;
    if (attempt->out->reason.len > 0) {
        return;
    }
    va_start(ap, fmt);
    struct str text = formatted(attempt, attempt->text, REASON_MAX, fmt, ap);
    va_end(ap);
    /* Without a word it would be no reason, and the attempt a good one. */
    attempt->out->reason = text.len > 0 ? text : STR("(no memory is left for the reason)");
}

void attempt_reason_diags(struct attempt *attempt, struct conf_diags *diags)
{
    if (diags->list.len > 0) {
        const struct conf_diag *first = &diags->list.ptr[0];
        attempt_reason(attempt, "%s:%u:%u: %s", first->pos.file == NULL ? "" : first->pos.file,
                       first->pos.line, first->pos.col, first->msg);
    }
}

void attempt_event(struct attempt *attempt, char direction, const struct proto_msg *msg,
                   const char *fmt, ...)
{
    struct event event = {
        .at_us = clock_mono_us() - attempt->start_us,
        .direction = direction,
        .msg = msg,
    };
    if (attempt->events.len >= EVENTS_MAX) {
        return;
    }
    if (fmt != NULL) {
        va_list ap;
        va_start(ap, fmt);
        event.text = formatted(attempt, &attempt->arena, EVENT_TEXT_MAX, fmt, ap);
        va_end(ap);
    }
    vec_push(&attempt->events, event);
}

void attempt_differs(struct attempt *attempt, const char *path, struct pos pos,
                     const char *expected, const char *got)
{
    struct apitest_diffs *diffs = &attempt->out->diffs;
    struct apitest_diff diff = {
        .path = str_of(arena_strdup(diffs->arena, str_of(path))),
        .pos = pos,
        .expected = str_of(arena_strdup(diffs->arena, str_of(expected))),
        .got = str_of(arena_strdup(diffs->arena, str_of(got))),
    };
    diffs->total++;
    vec_push(&diffs->list, diff);
}

int apitest_bin_decode(struct str text, struct arena *arena, struct str *ret, struct err *err)
{
    size_t len, max = base64_decoded_max(text.len);
    char *bytes = arena_alloc(arena, max + 1);
    if (bytes == NULL) {
        return err_set(err, ERR_FULL, "too large");
    }
    if (base64_decode(text, bytes, max, &len, err) != 0) {
        return err_wrap(err, "its value is base64 in a file, this is not");
    }
    *ret = (struct str){bytes, len};
    return 0;
}

/* One header to send: its value expanded, and decoded if the name ends in -bin. */
static bool one_header(struct attempt *attempt, const struct apitest_meta *meta,
                       struct rpc_header *ret)
{
    struct apitest_text text = {0};
    struct conf_diags diags = {0};
    struct err err = {0};
    bool good = apitest_expand(attempt->scope, meta->value, &attempt->arena, &diags, &text) == 0;
    if (!good) {
        attempt_reason_diags(attempt, &diags);
    }
    conf_diags_done(&diags);
    if (!good) {
        return false;
    }
    ret->name = meta->name;
    ret->value = text.text;
    bool binary = attempt->c->kind == APITEST_GRPC && str_ends_with(meta->name, STR("-bin"));
    if (binary && apitest_bin_decode(text.text, &attempt->arena, &ret->value, &err) != 0) {
        attempt_reason(attempt, "metadata " STR_FMT ": %s", STR_ARG(meta->name), err.msg);
        return false;
    }
    /* Headers of HTTP are checked with the request. */
    if (attempt->c->kind == APITEST_GRPC && rpc_metadata_check(ret->name, ret->value, &err) != 0) {
        attempt_reason(attempt, "%s", err.msg);
        return false;
    }
    return true;
}

bool attempt_metadata(struct attempt *attempt, struct rpc_headers *ret)
{
    const struct apitest_meta_list *list = &attempt->c->metadata;
    struct rpc_header *item = arena_alloc(&attempt->arena, (list->len + 2) * sizeof *item);
    size_t n = 0;
    for (size_t i = 0; i < list->len; i++) {
        /* A name that stands again further down, in the case itself, wins over the defaults. */
        bool again = false;
        for (size_t k = i + 1; k < list->len; k++) {
            again |= str_eq(list->item[i].name, list->item[k].name);
        }
        if (!again && !one_header(attempt, &list->item[i], &item[n++])) {
            return false;
        }
    }
    ret->item = item;
    ret->len = n;
    return true;
}

void attempt_hide(struct attempt *attempt, const struct apitest_value *value)
{
    struct buf b;
    buf_init(&b, CONF_BYTES_MAX);
    if (apitest_value_text(value, &b, NULL) == 0 && b.len > 0) {
        (void) apitest_secrets_add(attempt->runner->options.load->secrets, buf_str(&b), NULL);
    }
    buf_done(&b);
}

bool attempt_save(struct attempt *attempt, const struct apitest_save *save,
                  const struct apitest_value *value)
{
    struct buf b;
    struct err err = {0};
    struct unit *unit = attempt->running->unit;
    struct apitest_secrets *secrets = attempt->runner->options.load->secrets;
    buf_init(&b, CONF_BYTES_MAX);
    bool good = apitest_value_text(value, &b, &err) == 0;
    if (good && save->secret && b.len > 0) {
        good = apitest_secrets_add(secrets, buf_str(&b), &err) == 0;
    }
    struct apitest_scope *scope = &unit->scope;
    if (attempt->c->test->role == APITEST_ROLE_SETUP) {
        scope = &unit->suite->scope; /* for all tests of the file */
    }
    if (!good) {
        attempt_differs(attempt, save->path.ptr, save->pos, "a value to save", err.msg);
    } else if (!apitest_scope_set(scope, save->name, buf_str(&b), true, save->secret)) {
        attempt_reason(attempt, "saved variables are too large");
        good = false;
    }
    buf_done(&b);
    return good;
}

static void render(const struct event *event, struct buf *b)
{
    struct err err = {0};
    if (event->msg == NULL) {
        buf_add_str(b, event->text);
        return;
    }
    if (event->text.len > 0) {
        buf_add_str(b, event->text);
        buf_add_char(b, ' ');
    }
    if (proto_json_write(event->msg,
                         PROTO_JSON_PROTO_NAMES | PROTO_JSON_BARE_INT64 | PROTO_JSON_ANY_RAW, b,
                         &err) != 0) {
        buf_addf(b, "(%s)", err.msg);
    }
}

static void render_events(struct attempt *attempt)
{
    struct apitest_attempt *out = attempt->out;
    out->event = arena_alloc(attempt->text, attempt->events.len * sizeof *out->event + 1);
    for (size_t i = 0; out->event != NULL && i < attempt->events.len; i++) {
        const struct event *event = &attempt->events.ptr[i];
        struct buf b, cut;
        buf_init(&b, (size_t) 16 * 1024 * 1024);
        buf_init(&cut, (size_t) 64 * 1024 * 1024);
        render(event, &b);
        apitest_redact_cut(attempt->runner->options.load->secrets,
                           b.len == 0 ? STR("") : buf_str(&b), !b.failed, EVENT_TEXT_MAX, &cut);
        if (b.len > EVENT_TEXT_MAX) {
            buf_addf(&cut, " (%zu bytes)", b.len);
        }
        char *copy = arena_strdup(attempt->text, cut.len == 0 ? STR("") : buf_str(&cut));
        out->event[out->events++] =
            (struct apitest_event){event->at_us, event->direction, str_of(copy)};
        buf_done(&b);
        buf_done(&cut);
    }
}

void attempt_begin(struct running *running)
{
    struct apitest_runner *runner = running->unit->runner;
    struct apitest_case_result *result = running->result;
    if (result->attempts < ATTEMPTS_KEPT) {
        result->attempts++;
    }
    /* Beyond ATTEMPTS_KEPT the last one is written over, its texts too: the first tell how it
     * began, this how it ended. */
    struct apitest_attempt *out = &result->attempt[result->attempts - 1];
    struct arena *text = &result->arena;
    if (result->attempts == ATTEMPTS_KEPT) {
        result->checks += out->diffs.checks;
        text = &result->last;
        arena_done(text);
        arena_init(text, RESULT_BYTES_MAX);
    }
    vec_done(&out->diffs.list);
    *out = (struct apitest_attempt){.diffs = {.arena = text,
                                              .now_ms = clock_wall_ms(),
                                              .secrets = runner->options.load->secrets}};
    struct attempt *attempt = mem_zalloc(sizeof *attempt);
    running->attempt = attempt;
    attempt->running = running;
    attempt->c = running->c;
    attempt->runner = runner;
    attempt->out = out;
    attempt->text = text;
    attempt->scope = &running->scope;
    attempt->to = unit_connections(running->unit, (size_t) (result - running->unit->result));
    arena_init(&attempt->arena, ATTEMPT_BYTES_MAX);
    apitest_scope_init(&attempt->step_scope, attempt->scope, runner->options.load->secrets,
                       &attempt->arena, false);
    attempt->start_us = clock_mono_us();
    out->start_us = attempt->start_us - runner->start_us;
    if (attempt->c->kind == APITEST_GRPC) {
        attempt_grpc_begin(attempt);
    } else {
        attempt_http_begin(attempt);
    }
}

void attempt_end(struct attempt *attempt, enum apitest_outcome outcome)
{
    struct running *running = attempt->running;
    struct apitest_attempt *out = attempt->out;
    out->took_us = clock_mono_us() - attempt->start_us;
    out->outcome = outcome;
    io_timer_stop(attempt->timer);
    if (outcome_is_bad(outcome) || attempt->runner->options.verbose) {
        render_events(attempt);
    }
    rpc_call_free(attempt->call);
    rpc_http_free(attempt->http);
    mem_free(attempt->http_path);
    apitest_scope_done(&attempt->step_scope);
    vec_done(&attempt->events);
    vec_done(&attempt->replies);
    vec_done(&attempt->reply_at_us);
    vec_done(&attempt->reply_compressed);
    arena_done(&attempt->arena);
    running->attempt = NULL;
    mem_free(attempt);
    running_attempt_done(running);
}

void attempt_abort(struct attempt *attempt, enum apitest_outcome outcome, const char *reason)
{
    attempt_reason(attempt, "%s", reason);
    attempt_end(attempt, outcome);
}
