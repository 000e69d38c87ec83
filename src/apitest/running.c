/* A case from its begin to its result; its states stand in run_int.h. */
#include "apitest/run_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <string.h>

#define SCOPE_BYTES_MAX ((size_t) 64 * 1024 * 1024)
#define ATTEMPTS_ROOM   100 /* as attempt.c keeps */

static void finish(struct running *running, enum apitest_outcome outcome, struct str reason)
{
    struct unit *unit = running->unit;
    struct apitest_runner *runner = unit->runner;
    struct apitest_case_result *result = running->result;
    result->outcome = outcome;
    result->reason = reason;
    result->over = true;
    result->took_us = clock_mono_us() - running->begun_us;
    for (size_t i = 0; i < result->attempts; i++) {
        result->checks += result->attempt[i].diffs.checks;
    }
    for (struct running **at = &runner->running; *at != NULL; at = &(*at)->next) {
        if (*at == running) {
            *at = running->next;
            break;
        }
    }
    io_timer_stop(running->wait);
    apitest_scope_done(&running->scope);
    arena_done(&running->scope_arena);
    mem_free(running);
    unit_case_done(unit, result);
}

static void on_wait(void *ctx)
{
    struct running *running = ctx;
    io_timer_stop(running->wait);
    running->wait = NULL;
    attempt_begin(running);
}

/* Not from inside attempt_end, so that many attempts that end at once do not nest. */
static void again(struct running *running, uint64_t after_ms)
{
    running->wait = io_timer_start(running->unit->runner->loop, after_ms, 0, on_wait, running);
}

void running_attempt_done(struct running *running)
{
    struct apitest_case_result *result = running->result;
    const struct apitest_attempt *last = &result->attempt[result->attempts - 1];
    bool bad = outcome_is_bad(last->outcome);
    if (last->outcome == APITEST_PASSED) {
        running->passed++;
        if (running->passed < running->c->repeat) {
            again(running, 0);
            return;
        }
        for (size_t i = 0; i + 1 < result->attempts; i++) {
            result->flaky |= outcome_is_bad(result->attempt[i].outcome);
        }
    } else if (bad && !running->unit->runner->stopping &&
               clock_mono_us() + running->c->every_ms * 1000 < running->eventually_until_us) {
        again(running, running->c->every_ms);
        return;
    }
    finish(running, last->outcome, last->reason);
}

/* `if`: its text after expansion says whether to run; what is not set is empty. */
static bool condition_holds(struct running *running, struct str *ret_reason)
{
    const struct conf_node *node = running->c->condition;
    struct apitest_text text = {0};
    struct conf_diags diags = {0};
    if (node == NULL) {
        return true;
    }
    bool good = apitest_expand(&running->scope, node, &running->scope_arena, &diags, &text) == 0;
    conf_diags_done(&diags);
    struct str said = str_trim(text.text);
    if (good && said.len > 0 && !str_eq_nocase(said, STR("false")) && !str_eq_cstr(said, "0")) {
        return true;
    }
    *ret_reason =
        str_of(arena_printf(&running->result->arena, "if: \"" STR_FMT "\" is \"" STR_FMT "\"",
                            STR_ARG(node->text), STR_ARG(said)));
    return false;
}

void running_begin(struct unit *unit, const struct apitest_case *c,
                   struct apitest_case_result *result)
{
    struct apitest_runner *runner = unit->runner;
    struct running *running = mem_zalloc(sizeof *running);
    struct conf_diags diags = {0};
    running->unit = unit;
    running->c = c;
    running->result = result;
    running->begun_us = clock_mono_us();
    running->eventually_until_us = running->begun_us + c->eventually_ms * 1000;
    running->next = runner->running;
    runner->running = running;
    size_t room = c->eventually_ms > 0 || c->repeat > 1 ? ATTEMPTS_ROOM : 1;
    result->attempt = arena_alloc(&result->arena, room * sizeof *result->attempt);
    arena_init(&running->scope_arena, SCOPE_BYTES_MAX);
    apitest_scope_init(&running->scope, &unit->scope, runner->options.load->secrets,
                       &running->scope_arena, false);
    if (runner->options.progress != NULL && !unit->is_baseline) {
        runner->options.progress(result, true, runner->options.ctx);
    }
    if (apitest_vars_scope(c->vars, &running->scope, &diags) != 0) {
        struct str reason = str_of(arena_strdup(&result->arena, str_of(diags.list.ptr[0].msg)));
        conf_diags_done(&diags);
        finish(running, APITEST_FAILED, reason);
        return;
    }
    struct str reason = c->skip;
    if (reason.len > 0 || !condition_holds(running, &reason)) {
        finish(running, APITEST_SKIPPED, reason);
        return;
    }
    attempt_begin(running);
}

void running_stop(struct running *running, enum apitest_outcome outcome, const char *reason)
{
    if (running->attempt != NULL) {
        running->eventually_until_us = 0;
        attempt_abort(running->attempt, outcome, reason);
    } else {
        finish(running, outcome, str_of(arena_strdup(&running->result->arena, str_of(reason))));
    }
}
