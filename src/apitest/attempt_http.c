/* An attempt that is an HTTP request. */
#include "apitest/run_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <stdio.h>

#define BODY_BYTES_MAX ((size_t) 64 * 1024 * 1024)

/* RFC 3986: all but the unreserved characters. */
static void add_encoded(struct buf *b, struct str text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char) text.ptr[i];
        bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            buf_add_char(b, (char) c);
        } else {
            buf_add_char(b, '%');
            buf_add_char(b, hex[c >> 4]);
            buf_add_char(b, hex[c & 15]);
        }
    }
}

static bool add_text(struct attempt *attempt, const struct conf_node *node, bool encode,
                     struct buf *b)
{
    struct apitest_text text = {0};
    struct conf_diags diags = {0};
    bool good = apitest_expand(attempt->scope, node, &attempt->arena, &diags, &text) == 0;
    if (!good) {
        attempt_reason_diags(attempt, &diags);
    } else if (encode) {
        add_encoded(b, text.text);
    } else {
        buf_add_str(b, text.text);
    }
    conf_diags_done(&diags);
    return good;
}

/* "a=1&b=2" */
static bool add_form(struct attempt *attempt, const struct conf_node *map, struct buf *b)
{
    for (size_t i = 0; map != NULL && i < map->len; i++) {
        if (i > 0) {
            buf_add_char(b, '&');
        }
        add_encoded(b, map->entry[i].key->text);
        buf_add_char(b, '=');
        if (!add_text(attempt, map->entry[i].value, true, b)) {
            return false;
        }
    }
    return true;
}

static bool build_path(struct attempt *attempt)
{
    const struct apitest_case *c = attempt->c;
    struct buf b;
    buf_init(&b, (size_t) 64 * 1024);
    bool good = add_text(attempt, c->http_path, false, &b);
    if (good && c->http_query != NULL) {
        buf_add_char(&b, str_find_char(buf_str(&b), '?') < b.len ? '&' : '?');
        good = add_form(attempt, c->http_query, &b);
    }
    if (good && (b.failed || b.len == 0 || b.ptr[0] != '/')) {
        attempt_reason(attempt, "path \"%.200s\": it begins with / and has at most 64 KiB",
                       b.ptr == NULL ? "" : b.ptr);
        good = false;
    }
    if (good) {
        attempt->http_path = mem_strdup_str(buf_str(&b));
    }
    buf_done(&b);
    return good;
}

static bool build_body(struct attempt *attempt, struct buf *b)
{
    const struct apitest_case *c = attempt->c;
    struct conf_diags diags = {0};
    bool good = true;
    switch (c->http_body_kind) {
    case APITEST_NO_BODY:
        return true;
    case APITEST_BODY_TEXT:
        return add_text(attempt, c->http_body, false, b);
    case APITEST_BODY_FORM:
        return add_form(attempt, c->http_body, b);
    case APITEST_BODY_JSON:
        good = apitest_build_json(c->http_body, attempt->scope, &attempt->arena, &diags, b) == 0;
        attempt_reason_diags(attempt, &diags);
        conf_diags_done(&diags);
        return good;
    }
    return false;
}

/* What goes beside the headers of the case: content-type of its body, the test's cookies. */
static void add_headers(struct attempt *attempt, struct rpc_headers *headers)
{
    static const char *const types[] = {NULL, NULL, "application/json",
                                        "application/x-www-form-urlencoded"};
    /* attempt_metadata leaves room for these two. */
    struct rpc_header *item = (struct rpc_header *) (uintptr_t) headers->item;
    const char *type = types[attempt->c->http_body_kind];
    if (type != NULL && rpc_headers_find(*headers, "content-type") == NULL) {
        item[headers->len++] = (struct rpc_header){STR("content-type"), str_of(type)};
    }
    struct buf b;
    buf_init(&b, 65536);
    cookies_header(&attempt->running->unit->cookies, str_of(attempt->http_path), &b);
    if (b.len > 0 && rpc_headers_find(*headers, "cookie") == NULL) {
        item[headers->len++] =
            (struct rpc_header){STR("cookie"), str_of(arena_strdup(&attempt->arena, buf_str(&b)))};
    }
    buf_done(&b);
}

static void take_cookies(struct attempt *attempt)
{
    const struct rpc_headers headers = attempt->http_result->headers;
    for (size_t i = 0; i < headers.len; i++) {
        if (str_eq_cstr(headers.item[i].name, "set-cookie")) {
            cookies_take(&attempt->running->unit->cookies, headers.item[i].value,
                         str_of(attempt->http_path), (int64_t) (clock_wall_ms() / 1000));
        }
    }
}

static void match_body(struct attempt *attempt, struct apitest_value *json)
{
    const struct apitest_case *c = attempt->c;
    const struct rpc_http_result *result = attempt->http_result;
    struct err err = {0};
    struct apitest_value body = {.kind = APITEST_TEXT, .text = result->body};
    if (c->body != NULL) {
        (void) apitest_match(c->body, &body, "body", attempt->scope, &attempt->out->diffs);
    }
    bool saves_json = false;
    for (size_t i = 0; i < c->saves; i++) {
        saves_json |= str_starts_with(c->save[i].path, STR("json"));
    }
    if (c->json == NULL && !saves_json) {
        return;
    }
    if (apitest_json_parse(result->body, &attempt->arena, &json->json, &err) != 0) {
        char got[700];
        size_t shown = result->body.len < 200 ? result->body.len : 200;
        buf_print(got, sizeof got, "no JSON (%u:%u: %s): %.*s", err.pos.line, err.pos.col, err.msg,
                  (int) shown, result->body.ptr == NULL ? "" : result->body.ptr);
        attempt_differs(attempt, "json", c->pos, "JSON", got);
        return;
    }
    json->kind = APITEST_JSON;
    if (c->json != NULL) {
        (void) apitest_match(c->json, json, "json", attempt->scope, &attempt->out->diffs);
    }
}

static bool value_at(struct attempt *attempt, const struct apitest_value *json, struct str path,
                     struct apitest_value *ret, struct err *err)
{
    const struct rpc_http_result *result = attempt->http_result;
    bool header = str_starts_with(path, STR("headers."));
    if (header || str_starts_with(path, STR("trailers."))) {
        const struct rpc_header *found = rpc_headers_find(
            header ? result->headers : result->trailers, path.ptr + (header ? 8 : 9));
        *ret = (struct apitest_value){.kind = APITEST_TEXT,
                                      .text = found == NULL ? STR("") : found->value};
        return found != NULL || err_set(err, ERR_NOT_FOUND, "there is no such header") == 0;
    }
    if (str_eq_cstr(path, "status")) {
        *ret = (struct apitest_value){.kind = APITEST_NUMBER, .number = result->status};
        return true;
    }
    if (str_eq_cstr(path, "body")) {
        *ret = (struct apitest_value){.kind = APITEST_TEXT, .text = result->body};
        return true;
    }
    struct str inside = {path.ptr + 4, path.len - 4};
    if (inside.len > 0 && inside.ptr[0] == '.') {
        inside = (struct str){inside.ptr + 1, inside.len - 1};
    }
    *ret = *json;
    return inside.len == 0 || apitest_path_get(json, inside, ret, err) == 0;
}

static void save_all(struct attempt *attempt, const struct apitest_value *json)
{
    for (size_t i = 0; i < attempt->c->saves; i++) {
        const struct apitest_save *save = &attempt->c->save[i];
        struct apitest_value value;
        struct err err = {0};
        if (!value_at(attempt, json, save->path, &value, &err)) {
            attempt_differs(attempt, save->path.ptr, save->pos, "a value to save", err.msg);
            continue;
        }
        (void) attempt_save(attempt, save, &value);
    }
}

/* As of a gRPC call: what is saved as a secret is hidden before anything is compared. */
static void hide_secrets(struct attempt *attempt)
{
    struct apitest_value json = {.kind = APITEST_ABSENT}, value;
    bool any = false;
    for (size_t i = 0; i < attempt->c->saves; i++) {
        any |= attempt->c->save[i].secret;
    }
    if (any &&
        apitest_json_parse(attempt->http_result->body, &attempt->arena, &json.json, NULL) == 0) {
        json.kind = APITEST_JSON;
    }
    for (size_t i = 0; any && i < attempt->c->saves; i++) {
        const struct apitest_save *save = &attempt->c->save[i];
        bool of_json = str_starts_with(save->path, STR("json"));
        if (save->secret && (!of_json || json.kind == APITEST_JSON) &&
            value_at(attempt, &json, save->path, &value, NULL)) {
            attempt_hide(attempt, &value);
        }
    }
}

static enum apitest_outcome no_answer(struct attempt *attempt)
{
    const struct rpc_http_result *result = attempt->http_result;
    attempt_reason(attempt, STR_FMT, STR_ARG(result->error));
    if (result->code == RPC_DEADLINE_EXCEEDED) {
        return APITEST_LATE;
    }
    return result->origin == RPC_FROM_CONNECT ? APITEST_UNREACHABLE : APITEST_FAILED;
}

static void on_answer(struct rpc_http *http, const struct rpc_http_result *result, void *ctx)
{
    struct attempt *attempt = ctx;
    struct arena *arena = &attempt->running->result->arena;
    const struct apitest_case *c = attempt->c;
    (void) http;
    attempt->http_result = result;
    attempt->out->peer = str_of(arena_strdup(arena, str_of(result->conn.peer)));
    if (result->origin != RPC_FROM_SERVER) {
        attempt->out->status = str_of(rpc_code_name(result->code));
        attempt_end(attempt, no_answer(attempt));
        return;
    }
    attempt->out->status = str_of(arena_printf(arena, "%u", result->status));
    attempt_event(attempt, '<', NULL, "%u, %zu bytes", result->status, result->body.len);
    attempt->out->reached = true;
    hide_secrets(attempt);
    take_cookies(attempt);
    struct apitest_value status = {.kind = APITEST_NUMBER, .number = result->status};
    struct apitest_value json = {.kind = APITEST_ABSENT};
    if (c->status != NULL) {
        (void) apitest_match(c->status, &status, "status", attempt->scope, &attempt->out->diffs);
    }
    match_body(attempt, &json);
    attempt_http_facts(attempt);
    if (attempt->out->diffs.total > 0 && result->body.len > 0) {
        size_t shown = result->body.len < 1000 ? result->body.len : 1000;
        attempt_event(attempt, '<', NULL, "body %.*s", (int) shown, result->body.ptr);
    }
    enum apitest_outcome outcome = APITEST_PASSED;
    if (attempt->out->diffs.total == 0) {
        outcome = baseline_compare(attempt);
    }
    if (outcome == APITEST_PASSED && attempt->out->diffs.total == 0) {
        save_all(attempt, &json);
    }
    baseline_keep(attempt);
    bool good = attempt->out->diffs.total == 0 && attempt->out->reason.len == 0;
    attempt_end(attempt, outcome != APITEST_PASSED ? outcome
                         : good                    ? APITEST_PASSED
                                                   : APITEST_FAILED);
}

void attempt_http_begin(struct attempt *attempt)
{
    const struct apitest_case *c = attempt->c;
    struct rpc_http_request request = {.method = c->http_method, .deadline_ms = c->deadline_ms};
    struct buf body;
    buf_init(&body, BODY_BYTES_MAX);
    if (!build_path(attempt) || !build_body(attempt, &body) ||
        !attempt_metadata(attempt, &request.headers)) {
        buf_done(&body);
        attempt_end(attempt, APITEST_FAILED);
        return;
    }
    add_headers(attempt, &request.headers);
    request.path = attempt->http_path;
    if (c->http_body_kind != APITEST_NO_BODY) {
        request.body = body.len == 0 ? STR("") : buf_str(&body);
    }
    attempt_event(attempt, '>', NULL, "%s %s (%zu bytes)", request.method, request.path, body.len);
    attempt->http = rpc_http_start(connections_get(attempt->to, attempt->runner, c), &request,
                                   on_answer, attempt);
    buf_done(&body);
}
