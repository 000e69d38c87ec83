/* Cases of HTTP: the request and what must come of it. */
#include "apitest/suite_int.h"
#include "rpc/http.h"

static void read_body(struct suite_reader *r, const struct conf_node *http, struct apitest_case *c)
{
    static const struct {
        const char *key;
        enum apitest_body_kind kind;
    } rows[] = {
        {"body", APITEST_BODY_TEXT}, {"json", APITEST_BODY_JSON}, {"form", APITEST_BODY_FORM}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct conf_node *node = conf_get(http, rows[i].key);
        if (node == NULL) {
            continue;
        }
        if (c->http_body != NULL) {
            conf_error(r->diags, suite_key(http, rows[i].key),
                       "a request has one of body, json, form");
        }
        c->http_body = node;
        c->http_body_kind = rows[i].kind;
    }
}

/* Variables inside are checked by expanding what is to be sent once. */
static void check_request(struct suite_reader *r, const struct apitest_case *c,
                          const struct apitest_scope *scope)
{
    struct apitest_text text = {0};
    (void) apitest_expand(scope, c->http_path, r->suite->arena, r->diags, &text);
    if (text.known && (text.text.len == 0 || text.text.ptr[0] != '/')) {
        conf_error(r->diags, c->http_path, "path \"" STR_FMT "\": write /" STR_FMT,
                   STR_ARG(text.text), STR_ARG(text.text));
    } else if (text.known) {
        struct err err = {0};
        const struct rpc_http_request request = {.method = "GET", .path = text.text.ptr};
        if (rpc_http_check(&request, &err) != 0) {
            conf_error(r->diags, c->http_path, "%s", err.msg);
        }
    }
    const struct conf_node *maps[] = {c->http_query,
                                      c->http_body_kind == APITEST_BODY_FORM ? c->http_body : NULL};
    for (size_t m = 0; m < 2; m++) {
        for (size_t i = 0; maps[m] != NULL && i < maps[m]->len; i++) {
            const struct conf_node *value = maps[m]->entry[i].value;
            if (value->kind != CONF_SCALAR) {
                char seen[64];
                conf_error(r->diags, value, "\"" STR_FMT "\" has to be one text, not %s",
                           STR_ARG(maps[m]->entry[i].key->text), conf_describe(value, seen));
                continue;
            }
            (void) apitest_expand(scope, value, r->suite->arena, r->diags, &text);
        }
    }
    if (c->http_body_kind == APITEST_BODY_JSON) {
        struct buf b;
        buf_init(&b, CONF_BYTES_MAX);
        (void) apitest_build_json(c->http_body, scope, r->suite->arena, r->diags, &b);
        buf_done(&b);
    }
    if (c->http_body_kind == APITEST_BODY_TEXT) {
        (void) apitest_expand(scope, c->http_body, r->suite->arena, r->diags, &text);
    }
}

static struct apitest_pattern *pattern(struct suite_reader *r, const struct conf_node *node,
                                       enum apitest_subject subject,
                                       const struct apitest_scope *scope, struct apitest_case *c)
{
    struct apitest_type type = {.subject = subject};
    if (node == NULL) {
        return NULL;
    }
    struct apitest_pattern *p =
        apitest_pattern_compile(node, type, scope, r->suite->arena, r->diags);
    c->checks += p == NULL ? 1 : apitest_pattern_checks(p);
    return p;
}

static const char *http_method(struct suite_reader *r, const struct conf_node *node)
{
    if (node == NULL) {
        return "GET";
    }
    if (node->text.len == 0) {
        conf_error(r->diags, node, "an empty method: write GET, or leave method out");
    }
    for (size_t i = 0; i < node->text.len; i++) {
        char c = node->text.ptr[i];
        if (c < 'A' || c > 'Z') {
            conf_error(r->diags, node,
                       "method \"" STR_FMT "\": write it in capital letters, GET or POST",
                       STR_ARG(node->text));
            break;
        }
    }
    return node->text.ptr;
}

int suite_case_http(struct suite_reader *r, struct apitest_case *c,
                    const struct apitest_scope *scope)
{
    const struct conf_node *http = conf_get(c->node, "http");
    const struct conf_node *expect = conf_get(c->node, "expect");
    static const char *const of_grpc[] = {"methodName", "detail"};
    for (size_t i = 0; i < 2; i++) {
        const struct conf_node *wrong = conf_get(c->node, of_grpc[i]);
        if (wrong != NULL) {
            return conf_error(
                r->diags, suite_key(c->node, of_grpc[i]),
                "%s belongs to a test of gRPC; this one is http: write http and expect",
                of_grpc[i]);
        }
    }
    if (http == NULL) {
        return conf_error(r->diags, conf_get(c->node, "name"),
                          "case \"" STR_FMT "\" has no http: {method, path}", STR_ARG(c->name));
    }
    const struct conf_node *defaults[] = {conf_get(r->defaults[1], "metadata"),
                                          conf_get(r->defaults[0], "metadata"),
                                          conf_get(http, "headers")};
    c->http_method = http_method(r, conf_get(http, "method"));
    c->http_path = conf_get(http, "path");
    c->http_query = conf_get(http, "query");
    read_body(r, http, c);
    check_request(r, c, scope);
    for (size_t i = 0; i < 3; i++) {
        suite_meta(r, defaults[i], scope, &c->metadata);
    }
    c->status = pattern(r, conf_get(expect, "status"), APITEST_OF_NUMBER, scope, c);
    c->json = pattern(r, conf_get(expect, "json"), APITEST_OF_JSON, scope, c);
    c->body = pattern(r, conf_get(expect, "body"), APITEST_OF_TEXT, scope, c);
    suite_headers(r, conf_get(expect, "headers"), scope, &c->headers);
    suite_headers(r, conf_get(expect, "trailers"), scope, &c->trailers);
    suite_wire(r, conf_get(expect, "wire"), scope, &c->wire);
    suite_timing(r, conf_get(expect, "timing"), NULL, scope, &c->timing);
    suite_saves(r, conf_get(c->node, "save"), NULL, false, &c->save, &c->saves);
    return 0;
}
