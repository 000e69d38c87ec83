/* An attempt that is a gRPC call. */
#include "apitest/run_int.h"

#include "base/num.h"
#include "proto/wire.h"

#include <stdio.h>

#define HIDDEN_REPLIES_MAX 1000 /* of a script that are looked through for secrets */

static bool value_at(struct attempt *attempt, const struct apitest_save *save,
                     struct apitest_value *ret, struct err *err);

/*
 * What a case saves as a secret is one from when it comes, whether the case passes or not: what is
 * compared and shown of it is hidden already.
 */
static void hide_secrets(struct attempt *attempt)
{
    const struct apitest_case *c = attempt->c;
    for (size_t i = 0; i < c->saves; i++) {
        const struct apitest_save *save = &c->save[i];
        struct apitest_value value;
        bool of_reply = str_starts_with(save->path, STR("responses["));
        if (save->secret && (of_reply ? attempt->replies.len > 0 : attempt->result != NULL) &&
            value_at(attempt, save, &value, NULL)) {
            attempt_hide(attempt, &value);
        }
    }
    size_t n = attempt->replies.len;
    for (size_t s = 0; n > 0 && n <= HIDDEN_REPLIES_MAX && s < c->steps; s++) {
        struct apitest_value value,
            root = {.kind = APITEST_MESSAGE, .proto.msg = attempt->replies.ptr[n - 1]};
        for (size_t i = 0; i < c->step[s].saves; i++) {
            const struct apitest_save *save = &c->step[s].save[i];
            if (save->secret && apitest_path_get(&root, save->path, &value, NULL) == 0) {
                attempt_hide(attempt, &value);
            }
        }
    }
}

static void on_headers(struct rpc_call *call, struct rpc_headers headers, void *ctx)
{
    struct attempt *attempt = ctx;
    (void) call;
    attempt->headers = headers;
    attempt->has_headers = true;
    attempt->out->reached = true;
    attempt_event(attempt, '<', NULL, "headers");
    attempt_script(attempt);
}

/* A message that is no message of its type ends the case: nothing of it can be compared. */
static void on_message(struct rpc_call *call, const struct rpc_message *message, void *ctx)
{
    struct attempt *attempt = ctx;
    struct err err = {0};
    (void) call;
    attempt->out->reached = true;
    if (attempt->given_up) {
        return;
    }
    struct proto_msg *msg = proto_msg_new(&attempt->arena, attempt->c->method->output);
    int status = msg == NULL
                     ? err_set(&err, ERR_FULL, "the replies are larger than a case may hold")
                     : proto_wire_read(message->bytes, msg, 0, &err);
    if (status != 0) {
        char path[64], got[600], wanted[300];
        buf_print(path, sizeof path, "responses[%zu]", attempt->replies.len);
        buf_print(got, sizeof got, "%zu bytes that are none: %s", message->bytes.len, err.msg);
        buf_print(wanted, sizeof wanted, STR_FMT, STR_ARG(attempt->c->method->output->full_name));
        attempt_differs(attempt, path, attempt->c->pos, wanted, got);
        attempt->given_up = true;
        attempt_event(attempt, '<', NULL, "%s", got);
        rpc_call_cancel(attempt->call);
        return;
    }
    vec_push(&attempt->replies, msg); /* NOLINT(bugprone-sizeof-expression): of pointers */
    vec_push(&attempt->reply_at_us, message->at_us);
    vec_push(&attempt->reply_compressed, message->compressed);
    hide_secrets(attempt);
    attempt_event(attempt, '<', msg, NULL);
    attempt_script(attempt);
}

static void on_end(struct rpc_call *call, const struct rpc_result *result, void *ctx)
{
    struct attempt *attempt = ctx;
    const char *name = rpc_code_name(result->code);
    (void) call;
    attempt->result = result;
    hide_secrets(attempt);
    attempt->out->reached |= result->origin == RPC_FROM_SERVER || result->origin == RPC_FROM_HTTP ||
                             result->conn.protocol != NULL;
    attempt->out->peer = str_of(arena_strdup(attempt->text, str_of(result->conn.peer)));
    attempt->out->status =
        str_of(arena_printf(attempt->text, "%s%s" STR_FMT, name == NULL ? "?" : name,
                            result->message.len > 0 ? ": " : "", STR_ARG(result->message)));
    attempt->out->message = str_of(arena_strdup(attempt->text, result->message));
    attempt_event(attempt, '<', NULL, "end " STR_FMT, STR_ARG(attempt->out->status));
    if (attempt->given_up) {
        attempt_end(attempt, APITEST_FAILED);
    } else if (attempt->c->steps > 0) {
        attempt_script(attempt);
    } else {
        attempt_end(attempt, attempt_verdict(attempt, attempt->c->error));
    }
}

bool attempt_send(struct attempt *attempt, const struct conf_node *node, bool compress)
{
    struct conf_diags diags = {0};
    struct proto_msg *msg = NULL;
    struct err err = {0};
    int status = apitest_build(node, attempt->c->method->input, &attempt->step_scope,
                               &attempt->arena, &diags, &msg, NULL);
    if (status != 0) {
        attempt_reason_diags(attempt, &diags);
    }
    conf_diags_done(&diags);
    if (status != 0) {
        return false;
    }
    struct buf b;
    buf_init(&b, (size_t) 256 * 1024 * 1024);
    bool good = proto_wire_write(msg, 0, &b, &err) == 0;
    if (good) {
        attempt_event(attempt, '>', msg, NULL);
        rpc_call_send(attempt->call, buf_str(&b), compress);
    } else {
        attempt_reason(attempt, "%s", err.msg);
    }
    buf_done(&b);
    return good;
}

static bool send_requests(struct attempt *attempt)
{
    const struct apitest_case *c = attempt->c;
    for (size_t i = 0; i < c->requests; i++) {
        if (!attempt_send(attempt, c->request[i], c->compress)) {
            return false;
        }
    }
    rpc_call_close_send(attempt->call);
    return true;
}

void attempt_grpc_begin(struct attempt *attempt)
{
    static const struct rpc_call_events events = {on_headers, on_message, on_end};
    const struct apitest_case *c = attempt->c;
    struct rpc_call_request request = {
        .path = c->method->path,
        .deadline_ms = c->deadline_ms,
        .unary_reply = !c->method->server_streaming,
        .gzip = c->gzip,
    };
    if (!attempt_metadata(attempt, &request.metadata)) {
        attempt_end(attempt, APITEST_FAILED);
        return;
    }
    struct rpc_conn *conn = connections_get(attempt->to, attempt->runner, c);
    attempt->call = rpc_call_start(conn, &request, &events, attempt);
    if (c->steps > 0) {
        attempt_script(attempt);
    } else if (!send_requests(attempt)) {
        attempt_end(attempt, APITEST_FAILED);
    }
}

/* The status that came is not the one that was wanted. */
static enum apitest_outcome wrong_status(struct attempt *attempt, const struct apitest_error *error)
{
    const struct rpc_result *result = attempt->result;
    char wanted[64] = "OK";
    if (result->origin == RPC_FROM_CONNECT) {
        attempt_reason(attempt, STR_FMT, STR_ARG(result->message));
        return result->code == RPC_DEADLINE_EXCEEDED ? APITEST_LATE : APITEST_UNREACHABLE;
    }
    if (result->origin == RPC_FROM_CLIENT && result->code == RPC_DEADLINE_EXCEEDED) {
        attempt_reason(attempt, "no end within the deadline of %llu ms (%llu messages came)",
                       (unsigned long long) attempt->c->deadline_ms,
                       (unsigned long long) result->messages);
        return APITEST_LATE;
    }
    if (error != NULL && error->has_code) {
        buf_print(wanted, sizeof wanted, "%s", rpc_code_name(error->one_code));
    } else if (error != NULL) {
        buf_print(wanted, sizeof wanted, "an error");
    }
    attempt->wrong_status = true;
    attempt_differs(attempt, "status", error == NULL ? attempt->c->pos : error->pos, wanted,
                    attempt->out->status.ptr);
    return APITEST_FAILED;
}

static void match_text(struct attempt *attempt, const struct apitest_pattern *pattern,
                       struct str text, const char *path)
{
    struct apitest_value value = {.kind = APITEST_TEXT, .text = text};
    if (pattern != NULL) {
        (void) apitest_match(pattern, &value, path, attempt->scope, &attempt->out->diffs);
    }
}

/* google.rpc.Status of grpc-status-details-bin; its list of details against the pattern. */
static void match_details(struct attempt *attempt, const struct apitest_error *error)
{
    const struct proto_field_desc *field = error->details_field;
    struct proto_msg *status = proto_msg_new(&attempt->arena, field->parent);
    struct err err = {0};
    if (status == NULL || proto_wire_read(attempt->result->details, status, 0, &err) != 0) {
        attempt_differs(attempt, "error.details", error->pos,
                        "google.rpc.Status in grpc-status-details-bin", err.msg);
        return;
    }
    struct apitest_value value = {
        .kind = APITEST_REPEATED, .field = field, .proto = proto_get(status, field)};
    (void) apitest_match(error->details, &value, "error.details", attempt->scope,
                         &attempt->out->diffs);
}

enum apitest_outcome attempt_status(struct attempt *attempt, const struct apitest_error *error)
{
    const struct rpc_result *result = attempt->result;
    bool is_ok = result->code == RPC_OK;
    attempt->out->diffs.checks++;
    if (result->origin == RPC_FROM_CONNECT) {
        return wrong_status(attempt, error); /* nothing answered: that never is what was wanted */
    }
    /* That this side did not wait longer is an answer only for those who say so. */
    bool late = result->origin == RPC_FROM_CLIENT && result->code == RPC_DEADLINE_EXCEEDED;
    if (late && error != NULL && !error->names_deadline) {
        return wrong_status(attempt, error);
    }
    if (error == NULL || error->wants_ok) {
        return is_ok ? APITEST_PASSED : wrong_status(attempt, error);
    }
    if (error->has_code ? result->code != error->one_code : error->code == NULL && is_ok) {
        return wrong_status(attempt, error);
    }
    const char *name = rpc_code_name(result->code);
    match_text(attempt, error->code, str_of(name), "error.code");
    match_text(attempt, error->message, result->message, "error.message");
    if (error->details != NULL) {
        match_details(attempt, error);
    }
    return attempt->out->diffs.total == 0 ? APITEST_PASSED : APITEST_FAILED;
}

/* "responses[1].order.id", "headers.x-a", "error.message", "status" */
static bool value_at(struct attempt *attempt, const struct apitest_save *save,
                     struct apitest_value *ret, struct err *err)
{
    const struct rpc_result *result = attempt->result;
    struct str path = save->path, rest = path, index;
    if (str_starts_with(path, STR("headers.")) || str_starts_with(path, STR("trailers."))) {
        bool first = path.ptr[0] == 'h';
        const struct rpc_header *header = rpc_headers_find(
            first ? result->headers : result->trailers, path.ptr + (first ? 8 : 9));
        *ret = (struct apitest_value){.kind = header == NULL ? APITEST_ABSENT : APITEST_TEXT,
                                      .text = header == NULL ? STR("") : header->value};
        return header != NULL || err_set(err, ERR_NOT_FOUND, "there is no such header") == 0;
    }
    if (!str_starts_with(path, STR("responses["))) {
        bool is_message = str_eq_cstr(path, "error.message");
        *ret = (struct apitest_value){.kind = APITEST_TEXT,
                                      .text = is_message ? result->message
                                                         : str_of(rpc_code_name(result->code))};
        return true;
    }
    (void) str_cut(&rest, ']', &index);
    index = (struct str){index.ptr + 10, index.len - 10};
    uint64_t i;
    if (num_u64(index, 0, SIZE_MAX, &i) != 0 || i >= attempt->replies.len) {
        return err_set(err, ERR_NOT_FOUND, "%zu messages came", attempt->replies.len) == 0;
    }
    *ret = (struct apitest_value){.kind = APITEST_MESSAGE, .proto.msg = attempt->replies.ptr[i]};
    if (rest.len > 0 && rest.ptr[0] == '.') {
        rest = (struct str){rest.ptr + 1, rest.len - 1};
    }
    struct apitest_value root = *ret;
    return rest.len == 0 || apitest_path_get(&root, rest, ret, err) == 0;
}

static void save_all(struct attempt *attempt)
{
    for (size_t i = 0; i < attempt->c->saves; i++) {
        const struct apitest_save *save = &attempt->c->save[i];
        struct apitest_value value;
        struct err err = {0};
        if (!value_at(attempt, save, &value, &err)) {
            attempt_differs(attempt, save->path.ptr, save->pos, "a value to save", err.msg);
            continue;
        }
        (void) attempt_save(attempt, save, &value);
    }
}

enum apitest_outcome attempt_grpc_rest(struct attempt *attempt)
{
    enum apitest_outcome outcome = APITEST_PASSED;
    /* Another status has other headers, trailers and times: to tell them too would hide what
     * matters. */
    if (!attempt->wrong_status) {
        attempt_grpc_facts(attempt);
    }
    if (attempt->out->diffs.total == 0) {
        outcome = baseline_compare(attempt);
    }
    if (outcome == APITEST_PASSED && attempt->out->diffs.total == 0) {
        save_all(attempt);
    }
    baseline_keep(attempt);
    bool good = attempt->out->diffs.total == 0 && attempt->out->reason.len == 0;
    return outcome != APITEST_PASSED ? outcome : good ? APITEST_PASSED : APITEST_FAILED;
}

enum apitest_outcome attempt_verdict(struct attempt *attempt, const struct apitest_error *error)
{
    const struct apitest_case *c = attempt->c;
    enum apitest_outcome outcome = attempt_status(attempt, error);
    if (outcome == APITEST_UNREACHABLE || outcome == APITEST_LATE) {
        return outcome;
    }
    /* A wrong status explains missing replies: only what came beside it is compared then. */
    bool status_is_right = outcome == APITEST_PASSED;
    if (c->responses != NULL && (status_is_right || attempt->replies.len > 0)) {
        attempt->out->diffs.checks++;
        (void) apitest_sequence_match(c->responses, attempt->replies.ptr, attempt->replies.len,
                                      attempt->scope, &attempt->out->diffs);
    }
    return attempt_grpc_rest(attempt);
}
