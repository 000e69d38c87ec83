/* Headers, facts of the wire and times of an answer against what a case wants of them. */
#include "apitest/run_int.h"

#include "base/clock.h"

#include <stdio.h>
#include <string.h>

#define VALUES_MAX 64 /* of one header name that are looked at */

static void match(struct attempt *attempt, const struct apitest_named *named, const char *what,
                  const struct apitest_value *value)
{
    char path[300];
    buf_print(path, sizeof path, "%s." STR_FMT, what, STR_ARG(named->name));
    (void) apitest_match(named->pattern, value, path, attempt->scope, &attempt->out->diffs);
}

static size_t collect(struct rpc_headers headers, struct str name, struct str *ret, size_t n)
{
    for (size_t i = 0; i < headers.len && n < VALUES_MAX; i++) {
        if (str_eq(headers.item[i].name, name)) {
            ret[n++] = headers.item[i].value;
        }
    }
    return n;
}

/* Bytes: one of the values has to match; when none does, the first tells how. */
static void match_bytes(struct attempt *attempt, const struct apitest_named *named,
                        const char *what, const struct str *values, size_t n)
{
    struct apitest_value value = {.kind = APITEST_ABSENT, .field = named->bytes};
    for (size_t i = 0; i < n; i++) {
        struct apitest_diffs unwanted = {.arena = &attempt->arena};
        value.kind = APITEST_FIELD;
        value.proto.bytes = values[i];
        bool good = apitest_match(named->pattern, &value, "", attempt->scope, &unwanted);
        vec_done(&unwanted.list);
        if (good) {
            break;
        }
        value.proto.bytes = values[0];
    }
    match(attempt, named, what, &value);
}

void attempt_headers(struct attempt *attempt, const struct apitest_named_list *list,
                     const char *what, struct rpc_headers first, struct rpc_headers second)
{
    for (size_t i = 0; i < list->len; i++) {
        const struct apitest_named *named = &list->item[i];
        struct str values[VALUES_MAX];
        size_t n = collect(first, named->name, values, 0);
        n = collect(second, named->name, values, n);
        if (named->bytes != NULL) {
            match_bytes(attempt, named, what, values, n);
            continue;
        }
        struct apitest_value value = {.kind = n == 0   ? APITEST_ABSENT
                                              : n == 1 ? APITEST_TEXT
                                                       : APITEST_SET,
                                      .text = n == 0 ? STR("") : values[0],
                                      .item = values,
                                      .items = n};
        match(attempt, named, what, &value);
    }
}

static struct apitest_value text_value(const char *text)
{
    return (struct apitest_value){.kind = text == NULL || text[0] == '\0' ? APITEST_ABSENT
                                                                          : APITEST_TEXT,
                                  .text = str_of(text)};
}

static struct apitest_value bool_value(bool boolean)
{
    return (struct apitest_value){.kind = APITEST_BOOL, .boolean = boolean};
}

static struct apitest_value number_value(uint64_t number)
{
    return (struct apitest_value){.kind = APITEST_NUMBER, .number = (int64_t) number};
}

static struct apitest_value us_value(int64_t us)
{
    return (struct apitest_value){.kind = APITEST_MS, .number = us};
}

/* "TLSv1.3" against "1.2"; texts of equal form compare as they stand. */
static void match_min_version(struct attempt *attempt, const struct apitest_named *named,
                              const char *version)
{
    const char *got = version == NULL ? "" : version;
    const char *number = strncmp(got, "TLSv", 4) == 0 ? got + 4 : "";
    const char *wanted = named->node->text.ptr;
    /* "TLSv1" is 1.0. */
    const char *full = strcmp(number, "1") == 0 ? "1.0" : number;
    attempt->out->diffs.checks++;
    if (full[0] == '\0' || strcmp(full, wanted) < 0) {
        attempt_differs(attempt, "wire.tls.minVersion", named->node->pos, wanted,
                        got[0] == '\0' ? "no TLS" : got);
    }
}

/* Facts of the connection, the same for both kinds. */
static bool conn_fact(const struct rpc_conn_facts *facts, struct str name,
                      struct apitest_value *ret)
{
    if (str_eq_cstr(name, "goaway")) {
        *ret = bool_value(facts->goaway);
    } else if (str_eq_cstr(name, "protocol")) {
        *ret = text_value(facts->protocol);
    } else if (str_eq_cstr(name, "alpn")) {
        *ret = text_value(facts->alpn);
    } else if (str_eq_cstr(name, "connects")) {
        *ret = number_value(facts->connects);
    } else if (str_eq_cstr(name, "peer")) {
        *ret = text_value(facts->peer);
    } else if (str_eq_cstr(name, "tls.version")) {
        *ret = text_value(facts->tls_version);
    } else if (str_eq_cstr(name, "tls.cipher")) {
        *ret = text_value(facts->tls_cipher);
    } else if (str_eq_cstr(name, "tls.subject")) {
        *ret = text_value(facts->cert_subject);
    } else if (str_eq_cstr(name, "tls.expiresIn")) {
        int64_t left_s = facts->cert_not_after_s - (int64_t) (clock_wall_ms() / 1000);
        *ret = us_value(left_s * 1000000);
        ret->kind = facts->cert_not_after_s == 0 ? APITEST_ABSENT : APITEST_MS;
    } else {
        return false;
    }
    return true;
}

static bool all_compressed(const struct attempt *attempt)
{
    bool all = attempt->reply_compressed.len > 0;
    for (size_t i = 0; i < attempt->reply_compressed.len; i++) {
        all &= attempt->reply_compressed.ptr[i];
    }
    return all;
}

/* `compressed: [true, false]`: the flags as JSON. */
static void match_flags(struct attempt *attempt, const struct apitest_named *named)
{
    struct buf b;
    struct err err = {0};
    struct apitest_value value = {.kind = APITEST_JSON};
    buf_init(&b, (size_t) 16 * 1024 * 1024);
    buf_add_char(&b, '[');
    for (size_t i = 0; i < attempt->reply_compressed.len; i++) {
        buf_addf(&b, "%s%s", i == 0 ? "" : ",",
                 attempt->reply_compressed.ptr[i] ? "true" : "false");
    }
    buf_add_char(&b, ']');
    if (apitest_json_parse(buf_str(&b), &attempt->arena, &value.json, &err) == 0) {
        match(attempt, named, "wire", &value);
    } else {
        attempt_reason(attempt, "%s", err.msg);
    }
    buf_done(&b);
}

static struct apitest_value grpc_fact(const struct attempt *attempt, struct str name)
{
    const struct rpc_result *result = attempt->result;
    struct apitest_value value = {.kind = APITEST_ABSENT};
    if (conn_fact(&result->conn, name, &value)) {
        return value;
    }
    if (str_eq_cstr(name, "trailersOnly")) {
        return bool_value(result->trailers_only);
    }
    if (str_eq_cstr(name, "httpStatus")) {
        return number_value(result->http_status);
    }
    if (str_eq_cstr(name, "compressed")) {
        return bool_value(all_compressed(attempt));
    }
    if (str_eq_cstr(name, "rst")) {
        return text_value(result->rst ? rpc_h2_error_name(result->rst_error) : NULL);
    }
    struct str text = str_eq_cstr(name, "encoding") ? result->encoding : result->content_type;
    value =
        (struct apitest_value){.kind = text.len == 0 ? APITEST_ABSENT : APITEST_TEXT, .text = text};
    return value;
}

static void grpc_wire(struct attempt *attempt)
{
    const struct apitest_named_list *list = &attempt->c->wire;
    for (size_t i = 0; i < list->len; i++) {
        const struct apitest_named *named = &list->item[i];
        if (str_eq_cstr(named->name, "tls.minVersion")) {
            match_min_version(attempt, named, attempt->result->conn.tls_version);
        } else if (str_eq_cstr(named->name, "compressed") && named->node->kind == CONF_LIST) {
            match_flags(attempt, named);
        } else {
            struct apitest_value value = grpc_fact(attempt, named->name);
            match(attempt, named, "wire", &value);
        }
    }
}

static void match_gaps(struct attempt *attempt, const struct apitest_named *named)
{
    if (attempt->reply_at_us.len < 2) {
        struct apitest_value none = {.kind = APITEST_ABSENT};
        match(attempt, named, "timing", &none); /* or a gap of any length would pass */
    }
    for (size_t i = 1; i < attempt->reply_at_us.len; i++) {
        struct apitest_value value =
            us_value((int64_t) (attempt->reply_at_us.ptr[i] - attempt->reply_at_us.ptr[i - 1]));
        size_t before = attempt->out->diffs.total;
        match(attempt, named, "timing", &value);
        if (attempt->out->diffs.total != before) {
            return; /* one gap that is too long says enough */
        }
    }
}

static void timing(struct attempt *attempt, uint64_t total_us, uint64_t headers_us,
                   uint64_t message_us)
{
    const struct apitest_named_list *list = &attempt->c->timing;
    for (size_t i = 0; i < list->len; i++) {
        const struct apitest_named *named = &list->item[i];
        if (str_eq_cstr(named->name, "gap")) {
            match_gaps(attempt, named);
            continue;
        }
        uint64_t us = str_eq_cstr(named->name, "total")     ? total_us
                      : str_eq_cstr(named->name, "headers") ? headers_us
                                                            : message_us;
        struct apitest_value value = us_value((int64_t) us);
        value.kind = us == 0 ? APITEST_ABSENT : APITEST_MS;
        match(attempt, named, "timing", &value);
    }
}

void attempt_grpc_facts(struct attempt *attempt)
{
    const struct rpc_result *result = attempt->result;
    const struct apitest_case *c = attempt->c;
    static const struct rpc_headers none = {NULL, 0};
    attempt_headers(attempt, &c->headers, "headers", result->headers, none);
    attempt_headers(attempt, &c->trailers, "trailers", result->trailers, none);
    attempt_headers(attempt, &c->either, "headersOrTrailers", result->headers, result->trailers);
    grpc_wire(attempt);
    timing(attempt, result->end_at_us, result->headers_at_us, result->first_message_at_us);
}

void attempt_http_facts(struct attempt *attempt)
{
    const struct rpc_http_result *result = attempt->http_result;
    const struct apitest_case *c = attempt->c;
    static const struct rpc_headers none = {NULL, 0};
    attempt_headers(attempt, &c->headers, "headers", result->headers, none);
    attempt_headers(attempt, &c->trailers, "trailers", result->trailers, none);
    for (size_t i = 0; i < c->wire.len; i++) {
        const struct apitest_named *named = &c->wire.item[i];
        struct apitest_value value = {.kind = APITEST_ABSENT};
        if (str_eq_cstr(named->name, "tls.minVersion")) {
            match_min_version(attempt, named, result->conn.tls_version);
            continue;
        }
        if (str_eq_cstr(named->name, "httpStatus")) {
            value = number_value(result->status);
        } else {
            (void) conn_fact(&result->conn, named->name, &value);
        }
        match(attempt, named, "wire", &value);
    }
    timing(attempt, result->end_at_us, result->headers_at_us, 0);
}
