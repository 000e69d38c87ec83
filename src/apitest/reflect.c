/*
 * The dialogue of reflection, on one stream:
 *     list services -> for each service: the file that has it -> for each import that is missing:
 * that file One question at a time; files come in any order, several at once or twice.  Answers are
 * bounded in number by FILES_MAX.
 */
#include "apitest/reflect.h"

#include "base/cleanup.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/vec.h"
#include "proto/wire.h"
#include "rpc/call.h"

#include <string.h>

#define FILES_MAX 10000
#define BYTES_MAX ((size_t) 256 * 1024 * 1024)

/* ServerReflectionRequest's fields. */
enum { ASK_FILE_BY_NAME = 3, ASK_FILE_OF_SYMBOL = 4, ASK_LIST = 7 };

struct question {
    uint32_t field;
    char *text;
};

struct dialogue {
    const struct proto_pool *own; /* has the types of reflection itself */
    const char *package;
    const struct proto_message_desc *request, *response;
    struct rpc_call *call;
    VEC(struct question) question;
    size_t asked;
    struct map file;       /* name to the serialized FileDescriptorProto in a struct str */
    struct map asked_file; /* names asked for */
    struct arena arena;
    struct err err;
    uint32_t code;
    enum rpc_origin origin;
    size_t answers;
    bool ended;
};

static void ask(struct dialogue *d, uint32_t field, struct str text)
{
    struct question q = {field, mem_strdup_str(text)};
    vec_push(&d->question, q);
}

static void send_next(struct dialogue *d)
{
    struct buf b;
    struct err err = {0};
    if (d->asked == d->question.len) {
        rpc_call_close_send(d->call);
        return;
    }
    const struct question *q = &d->question.ptr[d->asked++];
    struct proto_msg *msg = proto_msg_new(&d->arena, d->request);
    union proto_value text = {.bytes = str_of(q->text)};
    buf_init(&b, 65536);
    if (msg == NULL || !proto_set(msg, proto_field_of(msg, q->field), text) ||
        proto_wire_write(msg, 0, &b, &err) != 0) {
        (void) err_set(&d->err, ERR_FULL, "reflection: too much for its memory");
        rpc_call_cancel(d->call);
    } else {
        rpc_call_send(d->call, buf_str(&b), false);
    }
    buf_done(&b);
}

/* An import that has not been seen is asked for. */
static void ask_for_imports(struct dialogue *d, const struct proto_msg *file)
{
    const struct proto_field_desc *dependency = proto_field_of(file, 3);
    for (size_t i = 0; i < proto_len(file, dependency); i++) {
        struct str name = proto_item(file, dependency, i).bytes;
        if (map_get(&d->file, name) == NULL && map_get(&d->asked_file, name) == NULL) {
            (void) map_put(&d->asked_file, name, d);
            ask(d, ASK_FILE_BY_NAME, name);
        }
    }
}

static int take_file(struct dialogue *d, struct str bytes)
{
    const struct proto_message_desc *type =
        proto_pool_message(d->own, STR("google.protobuf.FileDescriptorProto"));
    struct proto_msg *file = proto_msg_new(&d->arena, type);
    if (file == NULL || d->file.len >= FILES_MAX) {
        return err_set(&d->err, ERR_FULL, "reflection: more files than %d", FILES_MAX);
    }
    if (proto_wire_read(bytes, file, PROTO_WIRE_BORROW | PROTO_WIRE_PARTIAL, &d->err) != 0) {
        d->err.code = ERR_REMOTE;
        return err_wrap(&d->err, "reflection: a file descriptor");
    }
    struct str name = proto_str(file, 1);
    if (map_get(&d->file, name) == NULL) {
        struct str *copy = arena_alloc(&d->arena, sizeof *copy);
        if (copy == NULL) {
            return err_set(&d->err, ERR_FULL, "reflection: too much for its memory");
        }
        *copy = bytes;
        (void) map_put(&d->file, name, copy);
    }
    ask_for_imports(d, file);
    return 0;
}

/* ErrorResponse {error_code, error_message} */
static int take_error(struct dialogue *d, const struct proto_msg *error)
{
    const struct question *q = &d->question.ptr[d->asked - 1];
    uint32_t code = (uint32_t) proto_get(error, proto_field_of(error, 1)).i32;
    const char *name = rpc_code_name(code);
    /* A built-in file that a server does not tell is ours; the linker will say if it is not. */
    if (q->field == ASK_FILE_BY_NAME) {
        return 0;
    }
    return err_set(&d->err, ERR_REMOTE,
                   "reflection: asked for \"%s\", the server said %s: " STR_FMT, q->text,
                   name == NULL ? "an unknown code" : name, STR_ARG(proto_str(error, 2)));
}

static int take_services(struct dialogue *d, const struct proto_msg *list)
{
    const struct proto_field_desc *service = proto_field_of(list, 1);
    for (size_t i = 0; i < proto_len(list, service); i++) {
        struct str name = proto_str(proto_item(list, service, i).msg, 1);
        if (!str_starts_with(name, STR("grpc.reflection."))) {
            ask(d, ASK_FILE_OF_SYMBOL, name);
        }
    }
    return 0;
}

static int take_response(struct dialogue *d, const struct proto_msg *response)
{
    const struct proto_field_desc *files = proto_field_of(response, 4);
    const struct proto_field_desc *list = proto_field_of(response, 6);
    const struct proto_field_desc *error = proto_field_of(response, 7);
    if (proto_has(response, error)) {
        return take_error(d, proto_get(response, error).msg);
    }
    if (proto_has(response, list)) {
        return take_services(d, proto_get(response, list).msg);
    }
    if (!proto_has(response, files)) {
        return err_set(&d->err, ERR_REMOTE, "reflection: an answer that says nothing");
    }
    const struct proto_msg *found = proto_get(response, files).msg;
    const struct proto_field_desc *bytes = proto_field_of(found, 1);
    for (size_t i = 0; i < proto_len(found, bytes); i++) {
        if (take_file(d, proto_item(found, bytes, i).bytes) != 0) {
            return d->err.code;
        }
    }
    return 0;
}

static void on_message(struct rpc_call *call, const struct rpc_message *message, void *ctx)
{
    struct dialogue *d = ctx;
    struct proto_msg *response = proto_msg_new(&d->arena, d->response);
    d->answers++;
    if (response == NULL) {
        (void) err_set(&d->err, ERR_FULL, "reflection: too much for its memory");
    } else if (proto_wire_read(message->bytes, response, 0, &d->err) != 0) {
        d->err.code = ERR_REMOTE;
        (void) err_wrap(&d->err, "reflection");
    } else if (take_response(d, response) == 0) {
        send_next(d);
        return;
    }
    rpc_call_cancel(call);
}

static void on_end(struct rpc_call *call, const struct rpc_result *result, void *ctx)
{
    struct dialogue *d = ctx;
    (void) call;
    d->ended = true;
    d->code = result->code;
    d->origin = result->origin;
    if (d->err.code != ERR_NONE) {
        return;
    }
    if (result->code == RPC_OK) {
        if (d->answers < d->question.len) {
            (void) err_set(&d->err, ERR_REMOTE,
                           "reflection: the server ended the stream after %zu answers, %zu were "
                           "asked for",
                           d->answers, d->question.len);
        }
        return;
    }
    const char *name = rpc_code_name(result->code);
    enum err_code code = result->origin == RPC_FROM_CONNECT      ? ERR_UNREACHABLE
                         : result->code == RPC_DEADLINE_EXCEEDED ? ERR_TIMEOUT
                         : result->code == RPC_UNIMPLEMENTED     ? ERR_NOT_FOUND
                                                                 : ERR_REMOTE;
    (void) err_set(
        &d->err, code, "reflection: %s: " STR_FMT "%s", name == NULL ? "?" : name,
        STR_ARG(result->message),
        code == ERR_NOT_FOUND ? " (the server tells no descriptors: write proto or protoSet)" : "");
}

static bool has_ended(void *ctx)
{
    return ((struct dialogue *) ctx)->ended;
}

static int talk(struct dialogue *d, struct io_loop *loop, struct rpc_conn *conn,
                uint64_t timeout_ms)
{
    static const struct rpc_call_events events = {NULL, on_message, on_end};
    struct buf path;
    char text[128];
    buf_init_fixed(&path, text, sizeof text);
    buf_addf(&path, "%s.ServerReflectionRequest", d->package);
    d->request = proto_pool_message(d->own, buf_str(&path));
    buf_clear(&path);
    buf_addf(&path, "%s.ServerReflectionResponse", d->package);
    d->response = proto_pool_message(d->own, buf_str(&path));
    buf_clear(&path);
    buf_addf(&path, "/%s.ServerReflection/ServerReflectionInfo", d->package);
    struct rpc_call_request request = {.path = text, .deadline_ms = timeout_ms};
    if (d->request == NULL || d->response == NULL) {
        return err_set(&d->err, ERR_INTERNAL, "reflection: its own types are missing");
    }
    ask(d, ASK_LIST, STR("*"));
    d->call = rpc_call_start(conn, &request, &events, d);
    send_next(d);
    while (!d->ended) {
        (void) io_loop_wait(loop, timeout_ms + 1000, has_ended, d);
    }
    rpc_call_free(d->call);
    d->call = NULL;
    return (int) d->err.code;
}

static int make_pool(struct dialogue *d, struct proto_pool **ret, struct err *err)
{
    struct proto_pool *pool = proto_pool_new();
    struct str *bytes = mem_array(d->file.len + 1, sizeof *bytes);
    for (size_t i = 0; i < d->file.len; i++) {
        bytes[i] = *(struct str *) d->file.entry[i].value;
    }
    int status = proto_pool_add_files(pool, bytes, d->file.len, err);
    mem_free(bytes);
    if (status != 0) {
        proto_pool_free(pool);
        err->code = ERR_REMOTE;
        return err_wrap(err, "the files that the server reflects do not fit together");
    }
    *ret = pool;
    return 0;
}

static void dialogue_done(struct dialogue *d)
{
    for (size_t i = 0; i < d->question.len; i++) {
        mem_free(d->question.ptr[i].text);
    }
    vec_done(&d->question);
    map_done(&d->file);
    map_done(&d->asked_file);
    arena_done(&d->arena);
}

static void dialogue_init(struct dialogue *d, const struct proto_pool *own, const char *package)
{
    *d = (struct dialogue){.own = own, .package = package};
    map_init(&d->file);
    map_init(&d->asked_file);
    arena_init(&d->arena, BYTES_MAX);
}

/* What is answered by servers and proxies that do not know the newer service. */
static bool try_older(const struct dialogue *d)
{
    bool kind =
        d->code == RPC_UNIMPLEMENTED || d->code == RPC_UNAVAILABLE || d->code == RPC_UNKNOWN;
    return d->answers == 0 && kind && d->origin != RPC_FROM_CONNECT;
}

int apitest_reflect(struct io_loop *loop, const struct rpc_conn_options *options,
                    uint64_t timeout_ms, struct proto_pool **ret, struct err *err)
{
    struct proto_pool *own = proto_pool_new();
    struct rpc_conn_options own_options = *options;
    own_options.max_message_bytes = BYTES_MAX / 4;
    struct rpc_conn *conn = rpc_conn_new(loop, &own_options);
    struct dialogue d;
    dialogue_init(&d, own, "grpc.reflection.v1");
    int status = talk(&d, loop, conn, timeout_ms);
    if (status != 0 && try_older(&d)) {
        dialogue_done(&d);
        dialogue_init(&d, own, "grpc.reflection.v1alpha");
        status = talk(&d, loop, conn, timeout_ms);
    }
    if (status == 0) {
        status = make_pool(&d, ret, err);
    } else if (err != NULL) {
        *err = d.err;
    }
    dialogue_done(&d);
    rpc_conn_free(conn);
    proto_pool_free(own);
    return status;
}
