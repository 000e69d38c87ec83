/* What the baseline answered: kept until the fresh target has answered, then compared with that. */
#include "apitest/run_int.h"
#include "apitest/value_int.h"

#include "base/cleanup.h"
#include "proto/wire.h"

#include <string.h>

#define KEPT_BYTES_MAX ((size_t) 512 * 1024 * 1024)
#define SHOWN_MAX      400

/* The baseline's reply to the same case.  NULL: *ret_outcome says why there is nothing to compare
 * with: PASSED, when no baseline was asked for. */
static const struct kept_reply *reply_of(struct attempt *attempt, enum apitest_outcome *ret_outcome)
{
    const struct unit *unit = attempt->running->unit, *baseline = unit->baseline;
    *ret_outcome = APITEST_PASSED;
    if (baseline == NULL) {
        return NULL;
    }
    size_t i = (size_t) (attempt->running->result - unit->result);
    if (baseline->kept[i].there) {
        return &baseline->kept[i];
    }
    /* Not compared is not the same: it must not pass. */
    const struct apitest_case_result *result = &baseline->result[i];
    struct str reason = result->reason;
    if (reason.len == 0 && result->attempts > 0) {
        reason = result->attempt[result->attempts - 1].reason;
    }
    attempt_reason(attempt, "the baseline gave no reply to compare with: " STR_FMT,
                   STR_ARG(reason.len > 0 ? reason : STR("its case did not pass")));
    bool own = result->outcome == APITEST_UNREACHABLE || result->outcome == APITEST_LATE;
    *ret_outcome = own ? result->outcome : APITEST_FAILED;
    return NULL;
}

static void compare_calls(struct attempt *attempt, const struct kept_reply *kept, size_t n)
{
    const struct apitest_case *c = attempt->c;
    if (kept->code != attempt->result->code) {
        attempt_differs(attempt, "status (baseline)", c->pos, rpc_code_name(kept->code),
                        attempt->out->status.ptr);
    }
    if (kept->n != n) {
        char a[64], b[64];
        buf_print(a, sizeof a, "%zu messages", kept->n);
        buf_print(b, sizeof b, "%zu messages", n);
        attempt_differs(attempt, "responses (baseline)", c->pos, a, b);
        return;
    }
    for (size_t k = 0; k < n; k++) {
        char path[64];
        buf_print(path, sizeof path, "responses[%zu] (baseline)", k);
        (void) apitest_compare(kept->msg[k], attempt->replies.ptr[k], c->ignore, c->ignores, path,
                               &attempt->out->diffs);
    }
}

/* Messages of a script behind its last step came or not, as it happened: they are left out. */
static size_t compared_replies(const struct attempt *attempt)
{
    return attempt->cancelled ? attempt->next_reply : attempt->replies.len;
}

static bool is_ignored(const struct apitest_case *c, const char *what)
{
    for (size_t i = 0; i < c->ignores; i++) {
        if (str_eq_cstr(c->ignore[i], what)) {
            return true;
        }
    }
    return false;
}

static void compare_bodies(struct attempt *attempt, const struct kept_reply *kept)
{
    struct str body = attempt->http_result->body;
    const struct apitest_json *base = NULL, *fresh = NULL;
    struct err err = {0};
    attempt->out->diffs.checks++;
    if (str_eq(kept->body, body) || is_ignored(attempt->c, "body")) {
        return;
    }
    if (apitest_json_parse(kept->body, &attempt->arena, &base, &err) == 0 &&
        apitest_json_parse(body, &attempt->arena, &fresh, &err) == 0) {
        (void) apitest_compare_json(base, fresh, attempt->c->ignore, attempt->c->ignores,
                                    "json (baseline)", &attempt->out->diffs);
        return;
    }
    const struct apitest_secrets *secrets = attempt->runner->options.load->secrets;
    struct apitest_value a = {.kind = APITEST_TEXT, .text = kept->body};
    struct apitest_value b = {.kind = APITEST_TEXT, .text = body};
    _cleanup_(buf_done) struct buf expected, got;
    buf_init(&expected, 4096);
    buf_init(&got, 4096);
    apitest_value_show_safe(secrets, &a, SHOWN_MAX, &expected);
    apitest_value_show_safe(secrets, &b, SHOWN_MAX, &got);
    attempt_differs(attempt, "body (baseline)", attempt->c->pos, buf_str(&expected).ptr,
                    buf_str(&got).ptr);
}

static void compare_answers(struct attempt *attempt, const struct kept_reply *kept)
{
    if (kept->code != attempt->http_result->status) {
        char a[16];
        buf_print(a, sizeof a, "%u", kept->code);
        attempt_differs(attempt, "status (baseline)", attempt->c->pos, a, attempt->out->status.ptr);
        return;
    }
    compare_bodies(attempt, kept);
}

enum apitest_outcome baseline_compare(struct attempt *attempt)
{
    enum apitest_outcome outcome;
    const struct kept_reply *kept = reply_of(attempt, &outcome);
    if (kept == NULL) {
        return outcome;
    }
    if (attempt->c->kind == APITEST_HTTP) {
        compare_answers(attempt, kept);
    } else {
        compare_calls(attempt, kept, compared_replies(attempt));
    }
    return attempt->out->diffs.total == 0 ? APITEST_PASSED : APITEST_FAILED;
}

/* A copy of its own: all of it, nested messages too, is then in the memory that is kept. */
static bool copy_message(struct kept_reply *kept, const struct proto_msg *msg)
{
    _cleanup_(buf_done) struct buf b;
    struct err err = {0};
    buf_init(&b, KEPT_BYTES_MAX);
    struct proto_msg *copy = proto_msg_new(&kept->arena, msg->desc);
    if (copy == NULL || proto_wire_write(msg, PROTO_WIRE_PARTIAL, &b, &err) != 0 ||
        proto_wire_read(b.len == 0 ? STR("") : buf_str(&b), copy, PROTO_WIRE_PARTIAL, &err) != 0) {
        return false;
    }
    kept->msg[kept->n++] = copy;
    return true;
}

void baseline_keep(struct attempt *attempt)
{
    struct unit *unit = attempt->running->unit;
    if (!unit->is_baseline) {
        return;
    }
    struct kept_reply *kept = &unit->kept[attempt->running->result - unit->result];
    arena_done(&kept->arena);
    *kept = (struct kept_reply){.there = true};
    arena_init(&kept->arena, KEPT_BYTES_MAX);
    if (attempt->c->kind == APITEST_HTTP) {
        struct str body = attempt->http_result->body;
        kept->code = attempt->http_result->status;
        const char *copy = arena_strdup(&kept->arena, body);
        kept->body = (struct str){copy == NULL ? "" : copy, copy == NULL ? 0 : body.len};
        kept->there = copy != NULL;
        return;
    }
    size_t n = compared_replies(attempt);
    kept->code = attempt->result->code;
    kept->msg = arena_alloc(&kept->arena, (n + 1) * sizeof(struct proto_msg *));
    for (size_t i = 0; i < n && kept->there; i++) {
        kept->there = kept->msg != NULL && copy_message(kept, attempt->replies.ptr[i]);
    }
}
