/* pourover test call, pourover test record: one method, called once or many times. */
#include "apitest/report.h"
#include "apitest/run.h"
#include "apitest/scaffold.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hist.h"
#include "base/mem.h"
#include "cli/out.h"
#include "cli/routers.h"
#include "cli/test_reach.h"
#include "proto/json.h"
#include "proto/wire.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DATA_MAX    ((size_t) 256 * 1024 * 1024)
#define DEADLINE_MS 10000

struct caller {
    struct cli *cli;
    struct test_world *w;
    const struct proto_method_desc *method;
    struct rpc_conn *conn;
    struct arena arena;
    VEC(struct proto_msg *) request;
    VEC(struct str) encoded; /* of them */
    VEC(struct rpc_header) metadata;
    VEC(struct rpc_header) as_written; /* the same with variables and base64, for the record */
    struct rpc_call_request call;

    /* one call */
    VEC(struct proto_msg *) response;
    struct arena reply_arena;
    bool recording;
    enum exit_code code;
    uint32_t status;
    struct buf message;

    /* many calls */
    uint64_t to_start, running, ended;
    uint64_t by_code[RPC_CODES + 1];
    struct hist latency_us;
    bool interrupted;
};

struct one {
    struct caller *caller;
    struct rpc_call *call;
};

/* The next JSON value of a text of several; false at the end. */
static bool next_value(struct str *rest, struct str *ret)
{
    *rest = str_trim(*rest);
    size_t depth = 0, i = 0;
    bool in_string = false;
    if (rest->len == 0) {
        return false;
    }
    for (; i < rest->len; i++) {
        char c = rest->ptr[i];
        if (in_string) {
            i += c == '\\';
            in_string = c != '"';
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            depth++;
        } else if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
        if (depth == 0 && !in_string) {
            break;
        }
    }
    size_t len = i < rest->len ? i + 1 : rest->len;
    *ret = (struct str){rest->ptr, len};
    *rest = (struct str){rest->ptr + len, rest->len - len};
    return true;
}

static int read_data(const char *data, struct buf *b, struct err *err)
{
    if (data[0] != '@') {
        buf_add_cstr(b, data);
        return 0;
    }
    bool standard_input = strcmp(data, "@-") == 0;
    int fd = standard_input ? STDIN_FILENO : open(data + 1, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(err, ERR_NOT_FOUND, "--data %s: cannot be opened", data);
    }
    int failed = file_read_all(fd, b);
    if (!standard_input) {
        (void) close(fd);
    }
    if (b->failed) {
        return err_set(err, ERR_FULL, "--data %s: larger than 256 MiB", data);
    }
    return failed == 0 ? 0 : err_set(err, ERR_IO, "--data %s: cannot be read", data);
}

static int add_request(struct caller *c, struct str json, struct err *err)
{
    struct proto_msg *msg = proto_msg_new(&c->arena, c->method->input);
    struct buf b;
    if (msg == NULL) {
        return err_set(err, ERR_FULL, "--data: too large");
    }
    if (json.len > 0 && proto_json_read(json, msg, 0, err) != 0) {
        return err_wrap(err, "--data, message %zu, %u:%u", c->request.len + 1, err->pos.line,
                        err->pos.col);
    }
    buf_init(&b, DATA_MAX);
    if (proto_wire_write(msg, 0, &b, err) != 0) {
        buf_done(&b);
        return err_wrap(err, "--data, message %zu", c->request.len + 1);
    }
    struct str encoded = {arena_strdup(&c->arena, buf_str(&b)), b.len};
    buf_done(&b);
    vec_push(&c->request, msg); /* NOLINT(bugprone-sizeof-expression): of pointers */
    vec_push(&c->encoded, encoded);
    return 0;
}

static int read_requests(struct caller *c, struct err *err)
{
    _cleanup_(buf_done) struct buf b;
    const char *data = c->cli->test.data;
    struct str value;
    buf_init(&b, DATA_MAX);
    if (data != NULL && read_data(data, &b, err) != 0) {
        return (int) err->code;
    }
    struct str rest = buf_str(&b);
    while (next_value(&rest, &value)) {
        if (add_request(c, value, err) != 0) {
            return (int) err->code;
        }
    }
    bool one = !c->method->client_streaming;
    if (one && c->request.len > 1) {
        return err_set(err, ERR_INVALID, "--data has %zu messages; " STR_FMT " is %s and takes one",
                       c->request.len, STR_ARG(c->method->name), proto_method_kind(c->method));
    }
    return one && c->request.len == 0 ? add_request(c, (struct str){"", 0}, err) : 0;
}

/* A text of the command line with its variables, as one in a file. */
static int expand(struct caller *c, struct str text, struct str *ret, struct err *err)
{
    struct conf_diags diags = {0};
    struct apitest_scope scope;
    struct apitest_text expanded = {0};
    struct conf_node node = {.kind = CONF_SCALAR, .style = CONF_DOUBLE, .text = text};
    const struct map *given = &c->w->load.given;
    apitest_scope_init(&scope, NULL, &c->w->secrets, &c->arena, true);
    for (size_t i = 0; i < given->len; i++) {
        (void) apitest_scope_set(&scope, given->entry[i].key, str_of(given->entry[i].value), true,
                                 false);
    }
    int rc = apitest_expand(&scope, &node, &c->arena, &diags, &expanded);
    if (rc != 0) {
        rc = err_set(err, ERR_INVALID, "%s",
                     diags.list.len > 0 ? diags.list.ptr[0].msg : "a text that cannot be read");
    }
    *ret = rc == 0 ? expanded.text : text;
    apitest_scope_done(&scope);
    conf_diags_done(&diags);
    return rc;
}

static int read_metadata(struct caller *c, struct err *err)
{
    for (size_t i = 0; i < c->cli->test.headers.len; i++) {
        struct str name, rest = str_of(c->cli->test.headers.ptr[i]);
        if (str_find_char(rest, ':') == rest.len) {
            /* Its value may be a secret. */
            size_t name_len = str_find_char(rest, ' ');
            return err_set(err, ERR_INVALID, "--header \"%.*s%s\" is not NAME:VALUE",
                           (int) (name_len < 40 ? name_len : 40), rest.ptr,
                           name_len < rest.len || rest.len > 40 ? "..." : "");
        }
        (void) str_cut(&rest, ':', &name);
        struct rpc_header header = {str_trim(name), str_trim(rest)}, written = header;
        bool binary = str_ends_with(header.name, STR("-bin"));
        if (expand(c, written.value, &header.value, err) != 0 ||
            (binary && apitest_bin_decode(header.value, &c->arena, &header.value, err) != 0)) {
            return err_wrap(err, "--header " STR_FMT, STR_ARG(header.name));
        }
        if (rpc_metadata_check(header.name, header.value, err) != 0) {
            return err_wrap(err, "--header");
        }
        vec_push(&c->metadata, header);
        vec_push(&c->as_written, written);
    }
    return 0;
}

static int caller_init(struct caller *c, struct test_world *w, struct err *err)
{
    const struct proto_pool *pool;
    const struct cli_test *o = &c->cli->test;
    if (test_world_pool(w, &pool, err) != 0) {
        return (int) err->code;
    }
    c->method = test_find_method(pool, c->cli->operand[0], err);
    if (c->method == NULL || read_requests(c, err) != 0 || read_metadata(c, err) != 0) {
        return (int) err->code;
    }
    c->conn = rpc_conn_new(w->loop, &w->target[0].conn);
    c->call = (struct rpc_call_request){
        .path = c->method->path,
        .metadata = {c->metadata.ptr, c->metadata.len},
        .deadline_ms = o->deadline_ms == 0 ? DEADLINE_MS : o->deadline_ms,
        .unary_reply = !c->method->server_streaming,
        .gzip = o->gzip,
    };
    return 0;
}

static void caller_done(struct caller *c)
{
    rpc_conn_free(c->conn);
    vec_done(&c->request);
    vec_done(&c->encoded);
    vec_done(&c->metadata);
    vec_done(&c->as_written);
    vec_done(&c->response);
    arena_done(&c->arena);
    arena_done(&c->reply_arena);
    buf_done(&c->message);
}

static struct rpc_call *start(struct caller *c, const struct rpc_call_events *events, void *ctx)
{
    struct rpc_call *call = rpc_call_start(c->conn, &c->call, events, ctx);
    for (size_t i = 0; i < c->encoded.len; i++) {
        rpc_call_send(call, c->encoded.ptr[i], c->call.gzip);
    }
    rpc_call_close_send(call);
    return call;
}

/* --- one call --- */

static void print_headers(const char *what, struct rpc_headers headers)
{
    for (size_t i = 0; i < headers.len; i++) {
        const struct rpc_header *h = &headers.item[i];
        bool binary = str_ends_with(h->name, STR("-bin"));
        fprintf(stderr, "%s " STR_FMT ": ", what, STR_ARG(h->name));
        if (binary) {
            fprintf(stderr, "(%zu bytes)\n", h->value.len);
        } else {
            fprintf(stderr, STR_FMT "\n", STR_ARG(h->value));
        }
    }
}

static void print_message(struct caller *c, const struct proto_msg *msg)
{
    struct buf b;
    struct err err = {0};
    unsigned flags = PROTO_JSON_PROTO_NAMES | PROTO_JSON_BARE_INT64 | PROTO_JSON_ANY_RAW;
    buf_init(&b, DATA_MAX);
    flags |= c->cli->json ? 0 : PROTO_JSON_INDENT;
    if (proto_json_write(msg, flags, &b, &err) != 0) {
        out_complain("the reply has no JSON form: %s", err.msg);
        c->code = EXIT_FAILED;
    } else {
        buf_add_char(&b, '\n');
        out_write(buf_str(&b));
        (void) fflush(stdout);
    }
    buf_done(&b);
}

static void one_message(struct rpc_call *call, const struct rpc_message *message, void *ctx)
{
    struct caller *c = ctx;
    struct err err = {0};
    struct proto_msg *msg = proto_msg_new(&c->reply_arena, c->method->output);
    if (msg == NULL || proto_wire_read(message->bytes, msg, 0, &err) != 0) {
        out_complain("a reply of %zu bytes is no " STR_FMT ": %s", message->bytes.len,
                     STR_ARG(c->method->output->full_name), err.msg);
        c->code = EXIT_FAILED;
        rpc_call_cancel(call);
        return;
    }
    if (c->recording) {
        vec_push(&c->response, msg); /* NOLINT(bugprone-sizeof-expression): of pointers */
        return;
    }
    print_message(c, msg);
    arena_done(&c->reply_arena);
    arena_init(&c->reply_arena, DATA_MAX);
}

static void print_details(struct caller *c, struct str details)
{
    const struct proto_message_desc *type =
        proto_pool_message(c->method->service->file->pool, STR("google.rpc.Status"));
    struct proto_msg *status = type == NULL ? NULL : proto_msg_new(&c->reply_arena, type);
    struct buf b;
    struct err err = {0};
    buf_init(&b, DATA_MAX);
    if (status != NULL && details.len > 0 && proto_wire_read(details, status, 0, &err) == 0 &&
        proto_json_write(status, PROTO_JSON_PROTO_NAMES | PROTO_JSON_INDENT | PROTO_JSON_ANY_RAW,
                         &b, &err) == 0) {
        fprintf(stderr, "%s\n", b.ptr);
    }
    buf_done(&b);
}

static void one_end(struct rpc_call *call, const struct rpc_result *result, void *ctx)
{
    struct caller *c = ctx;
    const char *name = rpc_code_name(result->code);
    (void) call;
    if (c->cli->verbose) {
        print_headers("<", result->headers);
        print_headers("<", result->trailers);
        fprintf(stderr, "< %s over %s, HTTP status %u, %.2f ms\n", result->conn.peer,
                result->conn.tls_version == NULL ? "plaintext" : result->conn.tls_version,
                result->http_status, (double) result->end_at_us / 1000);
    }
    c->ended++;
    c->status = result->code;
    buf_add_str(&c->message, result->message);
    if (result->code == RPC_OK) {
        return;
    }
    if (!c->recording || result->origin != RPC_FROM_SERVER) {
        out_complain("%s: " STR_FMT, name == NULL ? "?" : name, STR_ARG(result->message));
        print_details(c, result->details);
        c->code = result->origin == RPC_FROM_CONNECT ? EXIT_UNREACHABLE
                  : result->origin == RPC_FROM_CLIENT && result->code == RPC_DEADLINE_EXCEEDED
                      ? EXIT_DEADLINE
                      : EXIT_FAILED;
    }
}

static bool has_ended(void *ctx)
{
    const struct caller *c = ctx;
    return c->ended == c->cli->test.count;
}

static void on_signal(void *ctx)
{
    struct caller *c = ctx;
    c->interrupted = true;
    rpc_conn_close(c->conn);
}

static enum exit_code call_once(struct caller *c)
{
    static const struct rpc_call_events events = {NULL, one_message, one_end};
    c->cli->test.count = 1;
    struct rpc_call *call = start(c, &events, c);
    while (!has_ended(c)) {
        (void) io_loop_wait(c->w->loop, 3600000, has_ended, c);
    }
    rpc_call_free(call);
    return c->interrupted ? EXIT_INTERRUPTED : c->code;
}

/* --- many calls --- */

static void many_start(struct caller *c);

static void many_message(struct rpc_call *call, const struct rpc_message *message, void *ctx)
{
    (void) call, (void) message,
        (void) ctx; /* its framing was checked; its time is in the result */
}

static void many_end(struct rpc_call *call, const struct rpc_result *result, void *ctx)
{
    struct one *one = ctx;
    struct caller *c = one->caller;
    hist_add(&c->latency_us, result->end_at_us);
    c->by_code[result->code < RPC_CODES ? result->code : RPC_CODES]++;
    if (result->origin == RPC_FROM_CONNECT) {
        c->code = EXIT_UNREACHABLE;
        buf_clear(&c->message);
        buf_add_str(&c->message, result->message);
        c->to_start = 0; /* nobody is there: the rest would say the same */
        c->cli->test.count = c->ended + c->running;
    }
    rpc_call_free(call);
    mem_free(one);
    c->running--;
    c->ended++;
    many_start(c);
}

static void many_start(struct caller *c)
{
    static const struct rpc_call_events events = {NULL, many_message, many_end};
    while (c->to_start > 0 && c->running < c->cli->test.concurrency && !c->interrupted) {
        struct one *one = mem_zalloc(sizeof *one);
        one->caller = c;
        c->to_start--;
        c->running++;
        one->call = start(c, &events, one);
    }
    if (c->interrupted) {
        c->cli->test.count = c->ended + c->running;
    }
}

static void print_many(const struct caller *c, uint64_t took_us)
{
    struct buf b;
    buf_init(&b, OUT_MAX);
    out_count(&b, c->ended);
    buf_addf(&b, " calls in %.2f s, %.0f a second; latency ", (double) took_us / 1e6,
             (double) c->ended * 1e6 / (double) (took_us == 0 ? 1 : took_us));
    static const double quantiles[] = {0.5, 0.9, 0.99};
    for (size_t i = 0; i < 3; i++) {
        buf_addf(&b, "p%g %.2f ms, ", quantiles[i] * 100,
                 hist_quantile_us(&c->latency_us, quantiles[i]) / 1000);
    }
    buf_addf(&b, "greatest %.2f ms\n", hist_quantile_us(&c->latency_us, 1) / 1000);
    for (uint32_t i = 0; i <= RPC_CODES; i++) {
        if (c->by_code[i] > 0) {
            buf_addf(&b, "  %-20s ", i < RPC_CODES ? rpc_code_name(i) : "other");
            out_count(&b, c->by_code[i]);
            buf_add_char(&b, '\n');
        }
    }
    out_write(buf_str(&b));
    buf_done(&b);
}

static enum exit_code call_many(struct caller *c)
{
    uint64_t start_us = clock_mono_us();
    c->to_start = c->cli->test.count;
    many_start(c);
    while (!has_ended(c)) {
        (void) io_loop_wait(c->w->loop, 3600000, has_ended, c);
    }
    print_many(c, clock_mono_us() - start_us);
    if (c->code == EXIT_UNREACHABLE) {
        out_complain("%s", c->message.ptr);
        return c->code;
    }
    return c->interrupted                   ? EXIT_INTERRUPTED
           : c->by_code[RPC_OK] == c->ended ? EXIT_DONE
                                            : EXIT_FAILED;
}

/* --- recording --- */

static enum exit_code save_recorded(struct caller *c)
{
    const struct cli_test *o = &c->cli->test;
    struct err err = {0};
    struct buf b;
    struct apitest_source source = {o->protos.ptr, o->protos.len, o->proto_set};
    struct apitest_recorded call = {
        .method = c->method,
        .request = c->request.ptr,
        .requests = c->request.len,
        .response = c->response.ptr,
        .responses = c->response.len,
        .code = c->status,
        .message = buf_str(&c->message),
        .metadata = {c->as_written.ptr, c->as_written.len},
    };
    buf_init(&b, DATA_MAX);
    apitest_scaffold_recorded(&call, &source, &b);
    int status = apitest_report_save(o->output == NULL ? "-" : o->output, buf_str(&b), &err);
    buf_done(&b);
    return status == 0 ? EXIT_DONE : cli_fail(c->cli, &err);
}

static enum exit_code run(struct cli *cli, bool recording)
{
    struct err err = {0};
    struct test_world w;
    struct caller *c = mem_zalloc(sizeof *c);
    enum exit_code code = EXIT_DONE;
    c->cli = cli;
    c->w = &w;
    c->recording = recording;
    arena_init(&c->arena, DATA_MAX);
    arena_init(&c->reply_arena, DATA_MAX);
    buf_init(&c->message, 65536);
    if (test_world_init(&w, cli, true, &err) != 0 || caller_init(c, &w, &err) != 0) {
        code = cli_fail(cli, &err);
    } else {
        io_signal_watch(w.loop, SIGINT, on_signal, c);
        io_signal_watch(w.loop, SIGTERM, on_signal, c);
        code = cli->test.count > 1 && !recording ? call_many(c) : call_once(c);
    }
    if (code == EXIT_DONE && recording) {
        code = save_recorded(c);
    }
    caller_done(c);
    mem_free(c);
    test_world_done(&w);
    return code;
}

static enum exit_code run_call(struct cli *cli)
{
    return run(cli, false);
}

static enum exit_code run_record(struct cli *cli)
{
    return run(cli, true);
}

static const struct opt *const call_options[] = {opt_target, opt_schemas, opt_call, opt_given,
                                                 NULL};
static const struct example call_examples[] = {
    {"pourover test call shop.v1.OrderService/Get --target 127.0.0.1:50051 --data '{\"id\": "
     "\"ord_1\"}'",
     "call once; the descriptors come from the server's reflection"},
    {"pourover test call Get --target 127.0.0.1:50051 --proto order.proto --count 10000 "
     "--concurrency 50",
     "call ten thousand times, fifty at once, and print the times"},
    {NULL, NULL},
};

const struct cmd cmd_test_call = {
    .name = "test call",
    .summary = "call one gRPC method and print the replies as JSON",
    .operand = "SERVICE/METHOD",
    .operands_min = 1,
    .operands_max = 1,
    .option = call_options,
    .details = "Replies go to standard output, one JSON value each; the status, when it is not OK, "
               "with its "
               "details to standard error. -v prints headers, trailers and times, too.\n\n"
               "Exit codes: 0 OK; 1 another status; 2 usage; 3 not reached; 4 the deadline passed.",
    .example = call_examples,
    .run = run_call,
};

static const struct opt *const record_options[] = {opt_target, opt_schemas, opt_call,
                                                   opt_given,  opt_output,  NULL};
static const struct example record_examples[] = {
    {"pourover test record HelloService/SayHello --target 127.0.0.1:50051 --proto service.proto "
     "--data '{\"name\": \"hoge\"}' --output hello.yaml",
     "call and write a test that wants the same again"},
    {NULL, NULL},
};

const struct cmd cmd_test_record = {
    .name = "test record",
    .summary = "call one gRPC method and write the call as a test",
    .operand = "SERVICE/METHOD",
    .operands_min = 1,
    .operands_max = 1,
    .option = record_options,
    .details = "Takes the options of test call. An error status is recorded as the wanted one. "
               "Look the file over: times and ids that change want an operator. A header such as "
               "'authorization: Bearer ${secret.TOKEN}' is written as it stands, without the "
               "secret.",
    .example = record_examples,
    .run = run_record,
};

static enum exit_code run_new(struct cli *cli)
{
    struct err err = {0};
    struct test_world w;
    struct buf b;
    const struct proto_pool *pool;
    const struct cli_test *o = &cli->test;
    struct apitest_source source = {o->protos.ptr, o->protos.len, o->proto_set};
    const char *service = cli->noperands > 0 ? cli->operand[0] : NULL;
    enum exit_code code = EXIT_DONE;
    bool needs_target = o->protos.len == 0 && o->proto_set == NULL;
    buf_init(&b, DATA_MAX);
    if (test_world_init(&w, cli, needs_target, &err) != 0 ||
        test_world_pool(&w, &pool, &err) != 0 ||
        apitest_scaffold_new(pool, &source, service, &b, &err) != 0 ||
        apitest_report_save(o->output == NULL ? "-" : o->output, buf_str(&b), &err) != 0) {
        code = cli_fail(cli, &err);
    }
    buf_done(&b);
    test_world_done(&w);
    return code;
}

static const struct opt *const new_options[] = {opt_target, opt_schemas, opt_given, opt_output,
                                                NULL};
static const struct example new_examples[] = {
    {"pourover test new --proto order.proto --output orders.yaml",
     "a skeleton of all services of the source"},
    {"pourover test new shop.v1.OrderService --target 127.0.0.1:50051",
     "of one service, by reflection"},
    {NULL, NULL},
};

const struct cmd cmd_test_new = {
    .name = "test new",
    .summary = "write a skeleton of tests for a service",
    .operand = "[SERVICE]",
    .operands_min = 0,
    .operands_max = 1,
    .option = new_options,
    .details =
        "One case for each method, its request filled in by type. Methods that are not marked "
        "NO_SIDE_EFFECTS are skipped, with the reason, until you have looked at them.",
    .example = new_examples,
    .run = run_new,
};
