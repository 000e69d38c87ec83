/* Cases of gRPC: the method, what is sent, what must come, the script of a stream. */
#include "apitest/suggest_int.h"
#include "apitest/suite_int.h"
#include "apitest/value_int.h"

#include <stdio.h>
#include <string.h>

static struct str method_name(const void *ctx, size_t i)
{
    const struct proto_service_desc *service = ctx;
    return service->method[i].name;
}

static const struct proto_method_desc *find_method(struct suite_reader *r,
                                                   const struct apitest_case *c)
{
    const struct conf_node *node = conf_get(c->node, "methodName");
    const struct proto_service_desc *service = r->test->service;
    if (node == NULL) {
        conf_error(r->diags, conf_get(c->node, "name"),
                   "case \"" STR_FMT "\" has no methodName: a method of " STR_FMT, STR_ARG(c->name),
                   STR_ARG(service->full_name));
        return NULL;
    }
    const struct proto_method_desc *method = proto_method_by_name(service, node->text);
    if (method == NULL) {
        char what[300];
        buf_print(what, sizeof what, "no method \"" STR_FMT "\" in " STR_FMT,
                  STR_ARG(apitest_cut(node->text, 64)),
                  STR_ARG(apitest_cut(service->full_name, 128)));
        apitest_error_unknown(r->diags, node, what, method_name, service, service->methods,
                              service->methods);
    }
    return method;
}

/* A map that is only an operator or has one: not a map of code, message, details. */
static bool is_operator(const struct conf_node *node)
{
    return node->kind == CONF_MAP && node->len > 0 && node->entry[0].key->text.len > 0 &&
           node->entry[0].key->text.ptr[0] == '$';
}

/* As deep as a file may be nested. */
static bool names_deadline(const struct conf_node *node)
{
    bool found = node->kind == CONF_SCALAR && str_eq_cstr(node->text, "DEADLINE_EXCEEDED");
    for (size_t i = 0; !found && node->kind != CONF_SCALAR && i < node->len; i++) {
        found = names_deadline(node->kind == CONF_LIST ? node->item[i] : node->entry[i].value);
    }
    return found;
}

static void read_code(struct suite_reader *r, const struct conf_node *node,
                      const struct apitest_scope *scope, struct apitest_error *error)
{
    struct apitest_type type = {.subject = APITEST_OF_TEXT};
    enum rpc_code code;
    if (node->kind == CONF_SCALAR && str_find_char(node->text, '$') == node->text.len) {
        if (!rpc_code_parse(node->text, &code)) {
            const char *near = str_nearest(node->text, rpc_code_names, RPC_CODES);
            conf_error(r->diags, node, "no status of gRPC \"" STR_FMT "\": %s%s%s",
                       STR_ARG(apitest_cut(node->text, 64)),
                       near == NULL ? "write 0 to 16, or a name such as NOT_FOUND"
                                    : "did you mean \"",
                       near == NULL ? "" : near, near == NULL ? "" : "\"?");
            return;
        }
        error->wants_ok = code == RPC_OK;
        error->has_code = true;
        error->one_code = code;
        error->names_deadline = code == RPC_DEADLINE_EXCEEDED;
        return;
    }
    error->names_deadline = names_deadline(node);
    error->code = apitest_pattern_compile(node, type, scope, r->suite->arena, r->diags);
}

struct apitest_error *suite_error(struct suite_reader *r, const struct conf_node *node,
                                  const struct apitest_scope *scope)
{
    struct apitest_error *error = suite_alloc(r, 1, sizeof *error);
    struct apitest_type text = {.subject = APITEST_OF_TEXT};
    error->pos = node->pos;
    if (node->kind != CONF_MAP || is_operator(node)) {
        read_code(r, node, scope, error);
        return error;
    }
    if (conf_check_keys(r->diags, node, "an error", apitest_error_keys) != 0) {
        return error;
    }
    const struct conf_node *code = conf_get(node, "code"), *message = conf_get(node, "message");
    const struct conf_node *details = conf_get(node, "details");
    if (code != NULL) {
        read_code(r, code, scope, error);
    }
    if (message != NULL) {
        error->message = apitest_pattern_compile(message, text, scope, r->suite->arena, r->diags);
    }
    if (details != NULL) {
        const struct proto_message_desc *status =
            proto_pool_message(r->pool, STR("google.rpc.Status"));
        error->details_field = proto_field_by_name(status, STR("details"));
        struct apitest_type type = {.subject = APITEST_OF_FIELD, .field = error->details_field};
        error->details = apitest_pattern_compile(details, type, scope, r->suite->arena, r->diags);
    }
    return error;
}

static size_t error_checks(const struct apitest_error *error)
{
    if (error == NULL) {
        return 0;
    }
    return 1 + (error->message == NULL ? 0 : apitest_pattern_checks(error->message)) +
           (error->details == NULL ? 0 : apitest_pattern_checks(error->details));
}

static void check_message(struct suite_reader *r, const struct apitest_case *c,
                          const struct conf_node *node, const struct apitest_scope *scope)
{
    struct proto_msg *msg = NULL;
    (void) apitest_build(node, c->method->input, scope, r->suite->arena, r->diags, &msg, NULL);
}

static void read_requests(struct suite_reader *r, struct apitest_case *c,
                          const struct conf_node *list, const struct apitest_scope *scope)
{
    bool one = !c->method->client_streaming;
    size_t n = list == NULL ? 0 : list->len;
    if (one && n > 1) {
        conf_error(r->diags, list, STR_FMT " is %s: it takes one request, here are %zu",
                   STR_ARG(c->method->name), proto_method_kind(c->method), n);
    }
    const struct conf_node **request = suite_alloc(r, n + 1, sizeof(struct conf_node *));
    for (size_t i = 0; i < n; i++) {
        request[i] = list->item[i];
        check_message(r, c, request[i], scope);
    }
    /* A method that takes one request is sent an empty one when none is written. */
    c->requests = one && n == 0 ? 1 : n;
    c->request = request;
}

/* One of the keys of a step, or NULL with an error when there are none or several. */
static const struct conf_node *step_key(struct suite_reader *r, const struct conf_node *node,
                                        enum apitest_step_kind *ret_kind)
{
    static const struct {
        const char *key;
        enum apitest_step_kind kind;
    } rows[] = {
        {"send", APITEST_SEND},   {"expect", APITEST_EXPECT}, {"quiet", APITEST_QUIET},
        {"close", APITEST_CLOSE}, {"cancel", APITEST_CANCEL}, {"headers", APITEST_HEADERS},
        {"end", APITEST_END},
    };
    const struct conf_node *found = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct conf_node *value = conf_get(node, rows[i].key);
        if (value != NULL && found != NULL) {
            conf_error(r->diags, suite_key(node, rows[i].key),
                       "a step is one of send, expect, headers, quiet, close, cancel, end: write "
                       "two steps");
            return NULL;
        }
        if (value != NULL) {
            found = value;
            *ret_kind = rows[i].kind;
        }
    }
    if (found == NULL) {
        conf_error(r->diags, node,
                   "a step has one of send, expect, headers, quiet, close, cancel, end");
    }
    return found;
}

static void read_step_value(struct suite_reader *r, struct apitest_case *c,
                            const struct conf_node *value, struct apitest_scope *scope,
                            struct apitest_step *step)
{
    struct apitest_type type = {.subject = APITEST_OF_MESSAGE, .desc = c->method->output};
    switch (step->kind) {
    case APITEST_SEND:
        step->message = value;
        check_message(r, c, value, scope);
        break;
    case APITEST_EXPECT:
        step->pattern = apitest_pattern_compile(value, type, scope, r->suite->arena, r->diags);
        /* That a message comes is tested, too. */
        c->checks += 1 + (step->pattern == NULL ? 0 : apitest_pattern_checks(step->pattern));
        break;
    case APITEST_QUIET:
        (void) conf_duration_ms(r->diags, value, &step->within_ms);
        c->checks++;
        break;
    case APITEST_CLOSE:
        step->kind = str_eq_cstr(value->text, "cancel") ? APITEST_CANCEL : APITEST_CLOSE;
        break;
    case APITEST_CANCEL:
        if (!str_eq_cstr(value->text, "true")) {
            conf_error(r->diags, value, "write cancel: true, or leave the step out");
        }
        break;
    case APITEST_HEADERS:
        suite_headers(r, value, scope, &step->headers);
        c->checks += suite_named_checks(&step->headers);
        break;
    case APITEST_END:
        step->error = suite_error(r, value, scope);
        c->checks += error_checks(step->error);
        break;
    }
}

static void read_step(struct suite_reader *r, struct apitest_case *c, const struct conf_node *node,
                      struct apitest_scope *scope, struct apitest_step *step)
{
    step->pos = node->pos;
    const struct conf_node *value = step_key(r, node, &step->kind);
    const struct conf_node *within = conf_get(node, "within"), *save = conf_get(node, "save");
    const struct conf_node *compress = conf_get(node, "compress");
    step->compress = c->compress;
    if (value == NULL) {
        return;
    }
    read_step_value(r, c, value, scope, step);
    if (compress != NULL) {
        (void) conf_bool(r->diags, compress, &step->compress);
        c->gzip |= step->compress;
    }
    if (compress != NULL && step->kind != APITEST_SEND) {
        conf_error(r->diags, suite_key(node, "compress"),
                   "compress belongs to send; how the answer came is told by wire: {compressed}");
    }
    bool waits = step->kind == APITEST_EXPECT || step->kind == APITEST_END;
    if (within != NULL && !waits) {
        conf_error(r->diags, suite_key(node, "within"),
                   "within belongs to expect and end: nothing else waits for the server");
    } else if (within != NULL) {
        (void) conf_duration_ms(r->diags, within, &step->within_ms);
    }
    if (save != NULL && step->kind != APITEST_EXPECT) {
        conf_error(r->diags, suite_key(node, "save"),
                   "only an expect can save something of its message");
        return;
    }
    suite_saves(r, save, c->method, true, &step->save, &step->saves);
    for (size_t i = 0; i < step->saves; i++) {
        (void) apitest_scope_set(scope, step->save[i].name, (struct str){"", 0}, false,
                                 step->save[i].secret);
    }
}

/* What must hold between steps: nothing is sent after the half-close, nothing follows the end. */
static void check_script(struct suite_reader *r, const struct apitest_case *c)
{
    bool closed = false, ended = false;
    size_t sends = 0;
    for (size_t i = 0; i < c->steps; i++) {
        const struct apitest_step *step = &c->step[i];
        const struct conf_node *node = conf_get(conf_get(c->node, "detail"), "stream")->item[i];
        if (ended) {
            conf_error(r->diags, node, "nothing can follow the end of the stream");
            return;
        }
        if (closed && (step->kind == APITEST_SEND || step->kind == APITEST_CLOSE)) {
            conf_error(r->diags, node, "nothing can be sent after close: send");
        }
        sends += step->kind == APITEST_SEND;
        closed |= step->kind == APITEST_CLOSE;
        ended |= step->kind == APITEST_END;
        if (sends > 1 && step->kind == APITEST_SEND && !c->method->client_streaming) {
            conf_error(r->diags, node, STR_FMT " is %s: it takes one request",
                       STR_ARG(c->method->name), proto_method_kind(c->method));
        }
    }
}

static void read_stream(struct suite_reader *r, struct apitest_case *c,
                        const struct conf_node *list, const struct apitest_scope *outer)
{
    static const char *const others[] = {"requests", "responses", "error", "match"};
    const struct conf_node *detail = conf_get(c->node, "detail");
    for (size_t i = 0; i < 4; i++) {
        const struct conf_node *other = suite_key(detail, others[i]);
        if (other != NULL) {
            conf_error(r->diags, other, "%s cannot stand beside stream: write it as steps",
                       others[i]);
        }
    }
    struct apitest_scope scope; /* what steps save, later steps may use */
    apitest_scope_init(&scope, outer, r->load->secrets, r->suite->arena, true);
    c->step = suite_alloc(r, list->len, sizeof *c->step);
    for (size_t i = 0; i < list->len; i++) {
        if (list->item[i]->kind == CONF_MAP) {
            read_step(r, c, list->item[i], &scope, &c->step[c->steps++]);
        }
    }
    apitest_scope_done(&scope);
    if (c->steps == list->len) {
        check_script(r, c);
    }
}

static void read_responses(struct suite_reader *r, struct apitest_case *c,
                           const struct conf_node *detail, const struct apitest_scope *scope)
{
    const struct conf_node *list = conf_get(detail, "responses");
    const struct conf_node *match = conf_get(detail, "match");
    bool unordered = match != NULL && str_eq_cstr(match->text, "unordered");
    if (list == NULL) {
        return;
    }
    c->responses = apitest_sequence_compile(list, c->method->output, unordered, scope,
                                            r->suite->arena, r->diags);
    if (c->responses == NULL) {
        c->checks++; /* told already */
        return;
    }
    size_t min = 0, max = SIZE_MAX;
    apitest_sequence_bounds(c->responses, &min, &max);
    /* `[{}]` tests that one message comes, if nothing else. */
    size_t checks = apitest_sequence_checks(c->responses);
    c->checks += checks == 0 && (min > 0 || max < SIZE_MAX) ? 1 : checks;
    bool unary = !c->method->server_streaming;
    if (unary && min > 1) {
        conf_error(r->diags, list, STR_FMT " is %s: one message comes, here are %zu",
                   STR_ARG(c->method->name), proto_method_kind(c->method), min);
    }
    bool fails = c->error != NULL && !c->error->wants_ok;
    if (unary && fails && min > 0) {
        conf_error(r->diags, list,
                   STR_FMT " is %s: it ends with an error or with a message, not with both",
                   STR_ARG(c->method->name), proto_method_kind(c->method));
    }
    if (unary && !fails && max == 0) {
        conf_error(r->diags, list,
                   STR_FMT " is %s: one message comes when there is no error; write it, [{}] when "
                           "nothing of it matters",
                   STR_ARG(c->method->name), proto_method_kind(c->method));
    }
}

int suite_case_grpc(struct suite_reader *r, struct apitest_case *c,
                    const struct apitest_scope *scope)
{
    const struct conf_node *detail = conf_get(c->node, "detail");
    const struct conf_node *error = conf_get(detail, "error"), *stream = conf_get(detail, "stream");
    const struct conf_node *compress = conf_get(detail, "compress");
    static const char *const of_http[] = {"http", "expect"};
    for (size_t i = 0; i < 2; i++) {
        const struct conf_node *wrong = suite_key(c->node, of_http[i]);
        if (wrong != NULL) {
            return conf_error(
                r->diags, wrong,
                "%s belongs to a test of HTTP; this one is gRPC: write methodName and detail",
                of_http[i]);
        }
    }
    c->method = find_method(r, c);
    if (c->method == NULL) {
        return ERR_INVALID;
    }
    if (compress != NULL) {
        (void) conf_bool(r->diags, compress, &c->compress);
        c->gzip = c->compress;
    }
    suite_meta(r, conf_get(r->defaults[1], "metadata"), scope, &c->metadata);
    suite_meta(r, conf_get(r->defaults[0], "metadata"), scope, &c->metadata);
    suite_meta(r, conf_get(detail, "metadata"), scope, &c->metadata);
    if (error != NULL) {
        c->error = suite_error(r, error, scope);
        c->checks += error_checks(c->error);
    }
    if (stream != NULL) {
        read_stream(r, c, stream, scope);
    } else {
        read_requests(r, c, conf_get(detail, "requests"), scope);
        read_responses(r, c, detail, scope);
    }
    suite_headers(r, conf_get(detail, "headers"), scope, &c->headers);
    suite_headers(r, conf_get(detail, "trailers"), scope, &c->trailers);
    suite_headers(r, conf_get(detail, "headersOrTrailers"), scope, &c->either);
    suite_wire(r, conf_get(detail, "wire"), scope, &c->wire);
    suite_timing(r, conf_get(detail, "timing"), c->method, scope, &c->timing);
    suite_saves(r, conf_get(c->node, "save"), c->method, false, &c->save, &c->saves);
    return 0;
}
