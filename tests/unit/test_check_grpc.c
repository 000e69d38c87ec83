/*
 * The grpc dialogue against libnghttp2's server side, in memory: what a server of each kind answers
 * is recorded, then given to dialogues in pieces of every size.
 */
#include <nghttp2/nghttp2.h>

#include "support/t.h"
#include "support/talk.h"

/* A server's answer to the one request. */
struct script {
    const char *status, *type; /* type NULL: no content type */
    const char *told;          /* name of a header with the value 1, or NULL */
    const char *interim;       /* status of an interim answer, or NULL */
    struct str message;        /* with its prefix; ptr NULL: trailers only */
    const char *grpc_status, *grpc_message;
    uint32_t reset; /* RST_STREAM with this instead of an end; 0: none */
    bool goaway;    /* GOAWAY that takes no stream, instead of an answer */
};

struct server {
    const struct script *script;
    char path[64], authority[64], te[16], type[32];
    char body[300];
    size_t body_len;
    bool asked;
    size_t len;
    uint8_t bytes[4096];
};

static nghttp2_nv nv(const char *name, const char *value)
{
    return (nghttp2_nv){(uint8_t *) (uintptr_t) name, (uint8_t *) (uintptr_t) value, strlen(name),
                        strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    (void) session;
    (void) frame;
    (void) flags;
    struct server *server = user;
    struct str key = {(const char *) name, name_len};
    const struct {
        const char *name;
        char *to;
        size_t size;
    } wanted[] = {
        {":path", server->path, sizeof(server->path)},
        {":authority", server->authority, sizeof(server->authority)},
        {"te", server->te, sizeof(server->te)},
        {"content-type", server->type, sizeof(server->type)},
    };
    T_TABLE(row, wanted)
    {
        if (str_eq_cstr(key, row->name)) {
            assert_true(value_len < row->size);
            memcpy(row->to, value, value_len);
        }
    }
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t stream_id, const uint8_t *data,
                   size_t len, void *user)
{
    (void) session;
    (void) flags;
    (void) stream_id;
    struct server *server = user;
    assert_true(len <= sizeof(server->body) - server->body_len);
    memcpy(server->body + server->body_len, data, len);
    server->body_len += len;
    return 0;
}

static size_t trailers_of(const struct script *script, nghttp2_nv out[2])
{
    size_t n = 0;
    if (script->grpc_status != NULL) {
        out[n++] = nv("grpc-status", script->grpc_status);
    }
    if (script->grpc_message != NULL) {
        out[n++] = nv("grpc-message", script->grpc_message);
    }
    return n;
}

static ssize_t read_message(nghttp2_session *session, int32_t stream_id, uint8_t *to, size_t room,
                            uint32_t *flags, nghttp2_data_source *source, void *user)
{
    (void) source;
    const struct script *script = ((struct server *) user)->script;
    nghttp2_nv trailers[2];
    size_t n = trailers_of(script, trailers);

    assert_true(script->message.len <= room);
    memcpy(to, script->message.ptr, script->message.len);
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (n > 0 || script->reset != 0) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    }
    if (script->reset != 0) {
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream_id, script->reset);
    } else if (n > 0) {
        nghttp2_submit_trailer(session, stream_id, trailers, n);
    }
    return (ssize_t) script->message.len;
}

static void answer(nghttp2_session *session, struct server *server, int32_t stream_id)
{
    const struct script *script = server->script;
    nghttp2_nv headers[8];
    size_t n = 0;

    if (script->interim != NULL) {
        const nghttp2_nv interim[] = {nv(":status", script->interim)};
        nghttp2_submit_headers(session, NGHTTP2_FLAG_NONE, stream_id, NULL, interim, 1, NULL);
    }
    headers[n++] = nv(":status", script->status);
    if (script->type != NULL) {
        headers[n++] = nv("content-type", script->type);
    }
    if (script->told != NULL) {
        headers[n++] = nv(script->told, "1");
    }
    nghttp2_data_provider body = {.read_callback = read_message};
    if (script->message.ptr == NULL) {
        n += trailers_of(script, headers + n);
        assert_int_equal(nghttp2_submit_response(session, stream_id, headers, n, NULL), 0);
    } else {
        assert_int_equal(nghttp2_submit_response(session, stream_id, headers, n, &body), 0);
    }
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct server *server = user;

    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0 || frame->hd.stream_id != 1) {
        return 0;
    }
    server->asked = true;
    if (server->script->goaway) {
        nghttp2_submit_goaway(session, NGHTTP2_FLAG_NONE, 0, NGHTTP2_ENHANCE_YOUR_CALM, NULL, 0);
    } else {
        answer(session, server, frame->hd.stream_id);
    }
    return 0;
}

/* Asks the server of the script once, by the plan; its bytes are in server. */
static void record(const struct check_plan *plan, const struct script *script,
                   struct server *server)
{
    struct check_talk *talk = check_talk_new(plan);
    nghttp2_session_callbacks *callbacks;
    nghttp2_session *session;
    const uint8_t *bytes;
    ssize_t n;

    *server = (struct server){.script = script};
    assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    assert_int_equal(nghttp2_session_server_new(&session, callbacks, server), 0);
    nghttp2_session_callbacks_del(callbacks);
    assert_int_equal(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0), 0);

    struct str out = check_talk_unsent(talk);
    assert_int_equal(nghttp2_session_mem_recv(session, (const uint8_t *) out.ptr, out.len),
                     out.len);
    while ((n = nghttp2_session_mem_send(session, &bytes)) > 0) {
        assert_true((size_t) n <= sizeof(server->bytes) - server->len);
        memcpy(server->bytes + server->len, bytes, (size_t) n);
        server->len += (size_t) n;
    }
    assert_int_equal(n, 0);
    assert_true(server->asked);
    nghttp2_session_del(session);
    check_talk_free(talk);
}

static void assert_bytes(const struct check_plan *plan, struct t_answer answer,
                         enum check_code code, const char *text)
{
    size_t len = answer.bytes.len;

    for (size_t cut = 0; cut <= len; cut++) {
        struct check_verdict verdict = t_talk(plan, answer, cut, len + 1);
        t_check(verdict.code == code && strcmp(verdict.text, text) == 0,
                "cut at %zu of %zu: %s, \"%s\" instead of \"%s\"", cut, len,
                check_code_name(verdict.code), verdict.text, text);
    }
    for (size_t step = 1; step <= 16; step++) {
        struct check_verdict verdict = t_talk(plan, answer, step, step);
        assert_int_equal(verdict.code, code);
        assert_string_equal(verdict.text, text);
    }
}

static const struct check_plan PLAN = {
    .kind = CHECK_KIND_GRPC, .host = {"shop", 4}, .service = {"demo.Echo", 9}};

/* STR for initializers of constants. */
#define BYTES(lit)              \
    {                           \
        "" lit, sizeof(lit) - 1 \
    }
#define MESSAGE(bytes) BYTES("\0\0\0\0" bytes)
#define GRPC           .status = "200", .type = "application/grpc"
#define STATUS(n)      MESSAGE("\x02\x08" n), .grpc_status = "0"

static void test_the_request_is_a_call_of_the_health_service(void **state)
{
    (void) state;
    const struct script script = {GRPC, .message = STATUS("\x01")};
    struct server server;
    char service[CHECK_HOST_MAX];

    record(&PLAN, &script, &server);
    assert_string_equal(server.path, "/grpc.health.v1.Health/Check");
    assert_string_equal(server.authority, "shop");
    assert_string_equal(server.te, "trailers");
    assert_string_equal(server.type, "application/grpc");
    assert_int_equal(server.body_len, 16);
    assert_memory_equal(server.body,
                        "\0\0\0\0\x0b\x0a\x09"
                        "demo.Echo",
                        16);

    struct check_plan plan = PLAN;
    plan.service = STR("");
    record(&plan, &script, &server);
    assert_int_equal(server.body_len, 5);
    assert_memory_equal(server.body, "\0\0\0\0\0", 5);

    /* A length above 127 takes two bytes. */
    memset(service, 's', sizeof(service));
    plan.service = (struct str){service, sizeof(service)};
    record(&plan, &script, &server);
    assert_int_equal(server.body_len, 5 + 3 + sizeof(service));
    assert_memory_equal(server.body,
                        "\0\0\0\x01\x02\x0a\xff\x01"
                        "s",
                        9);
}

static const struct {
    struct script script;
    enum check_code code;
    const char *text;
} ANSWERS[] = {
    {{GRPC, .message = STATUS("\x01")}, CHECK_OK, "SERVING"},
    {{.status = "200",
      .type = "application/grpc+proto",
      .interim = "103",
      .message = STATUS("\x01")},
     CHECK_OK,
     "SERVING"},
    {{GRPC, .message = STATUS("\x02")}, CHECK_NOT_SERVING, "NOT_SERVING"},
    {{GRPC, .message = STATUS("\x00")}, CHECK_NOT_SERVING, "UNKNOWN"},
    {{GRPC, .message = MESSAGE("\0"), .grpc_status = "0"}, CHECK_NOT_SERVING, "UNKNOWN"},
    {{GRPC, .message = STATUS("\x03")}, CHECK_SERVICE_UNKNOWN, "SERVICE_UNKNOWN"},
    {{GRPC, .message = STATUS("\x07")}, CHECK_NOT_SERVING, "serving status 7"},
    /* Unknown fields of each wire type around the status. */
    {{GRPC,
      .message = MESSAGE("\x17\x10\x96\x01\x19"
                         "12345678"
                         "\x08\x01\x22\x02\x08\x02\x2d"
                         "1234"),
      .grpc_status = "0"},
     CHECK_OK,
     "SERVING"},
    {{GRPC, .grpc_status = "5", .grpc_message = "unknown service"},
     CHECK_SERVICE_UNKNOWN,
     "grpc-status 5: unknown service"},
    {{GRPC, .grpc_status = "12"}, CHECK_UNIMPLEMENTED, "grpc-status 12"},
    {{GRPC, .grpc_status = "14", .grpc_message = "no"}, CHECK_GRPC_STATUS, "grpc-status 14: no"},
    {{GRPC, .message = MESSAGE("\x02\x08\x01"), .grpc_status = "13"},
     CHECK_GRPC_STATUS,
     "grpc-status 13"},
    {{GRPC, .grpc_status = "x"}, CHECK_PROTOCOL, "grpc-status is \"x\""},
    {{GRPC, .grpc_status = "0"}, CHECK_PROTOCOL, "grpc-status 0 without a whole message"},
    {{GRPC, .message = MESSAGE("\x03\x08\x01"), .grpc_status = "0"},
     CHECK_PROTOCOL,
     "grpc-status 0 without a whole message"},
    {{GRPC, .message = MESSAGE("\x02\x08\x01")},
     CHECK_PROTOCOL,
     "the answer ended without a grpc-status"},
    {{GRPC, .message = BYTES("\1\0\0\0\2\x08\x01"), .grpc_status = "0"},
     CHECK_PROTOCOL,
     "the message is compressed, which was not offered"},
    {{GRPC, .message = BYTES("\0\0\1\0\0"), .grpc_status = "0"},
     CHECK_PROTOCOL,
     "a message of 65536 bytes, at most 1024 are taken"},
    {{GRPC, .message = MESSAGE("\x02\x08\x01\0"), .grpc_status = "0"},
     CHECK_PROTOCOL,
     "more than one message"},
    {{GRPC, .message = MESSAGE("\x02\x08\xff"), .grpc_status = "0"},
     CHECK_PROTOCOL,
     "the message of 2 bytes is no HealthCheckResponse"},
    {{GRPC, .message = MESSAGE("\x02\x12\x7f"), .grpc_status = "0"},
     CHECK_PROTOCOL,
     "the message of 2 bytes is no HealthCheckResponse"},
    {{GRPC, .message = MESSAGE("\x02\x0b\x01"), .grpc_status = "0"},
     CHECK_PROTOCOL,
     "the message of 2 bytes is no HealthCheckResponse"},
    {{.status = "404", .type = "text/html"}, CHECK_STATUS, "status 404"},
    {{.status = "200", .type = "text/html", .message = BYTES("<html>")},
     CHECK_PROTOCOL,
     "the content type is \"text/html\", not application/grpc"},
    {{GRPC, .told = "x-pourover-fail", .message = STATUS("\x01")},
     CHECK_TOLD,
     "the answer has X-Pourover-Fail: 1"},
    {{.status = "503", .told = "x-envoy-immediate-health-check-fail"},
     CHECK_TOLD,
     "the answer has x-envoy-immediate-health-check-fail"},
    {{GRPC, .message = MESSAGE("\x02\x08\x01"), .reset = NGHTTP2_INTERNAL_ERROR},
     CHECK_CLOSED,
     "the peer reset the stream: INTERNAL_ERROR"},
    {{.goaway = true}, CHECK_CLOSED, "the peer goes away: ENHANCE_YOUR_CALM"},
};

static void test_answers(void **state)
{
    (void) state;
    T_TABLE(row, ANSWERS)
    {
        struct server server;
        record(&PLAN, &row->script, &server);
        struct t_answer answer = {{(const char *) server.bytes, server.len}, false};
        assert_bytes(&PLAN, answer, row->code, row->text);
        /* Whoever answers and closes at once says the same. */
        answer.closed = true;
        assert_bytes(&PLAN, answer, row->code, row->text);
    }
}

static void test_an_answer_that_breaks_off_is_no_pass(void **state)
{
    (void) state;
    const struct script script = {GRPC, .message = STATUS("\x01")};
    struct server server;

    record(&PLAN, &script, &server);
    for (size_t len = 0; len < server.len; len++) {
        struct t_answer answer = {{(const char *) server.bytes, len}, true};
        struct check_verdict verdict = t_talk(&PLAN, answer, len, 1);
        assert_int_equal(verdict.code, CHECK_CLOSED);
        answer.closed = false;
        assert_int_equal(t_talk(&PLAN, answer, len, 1).code, CHECK_NONE);
    }
}

static void test_peers_that_speak_no_http2(void **state)
{
    (void) state;
    const char *const wrong[] = {"HTTP/1.1 400 Bad Request\r\n\r\n", "220 mail ESMTP\r\n",
                                 "\x15\x03\x01\x00\x02\x02\x46\x15\x03"};

    T_TABLE(bytes, wrong)
    {
        size_t len = *bytes == wrong[2] ? 9 : strlen(*bytes);
        assert_bytes(&PLAN, (struct t_answer){{*bytes, len}, false}, CHECK_PROTOCOL,
                     "the answer is no HTTP/2");
    }
}

/* Server's SETTINGS, then many pings: each wants an answer. */
static void test_a_peer_that_floods_is_given_up(void **state)
{
    (void) state;
    static uint8_t bytes[9 + 1000 * 17];

    bytes[3] = NGHTTP2_SETTINGS;
    for (uint8_t *ping = bytes + 9; ping < bytes + sizeof(bytes); ping += 17) {
        ping[2] = 8;
        ping[3] = NGHTTP2_PING;
    }
    struct t_answer answer = {{(const char *) bytes, sizeof(bytes)}, false};
    for (size_t first = 0; first < sizeof(bytes); first += 487) {
        struct check_verdict verdict = t_talk(&PLAN, answer, first, sizeof(bytes));
        assert_int_equal(verdict.code, CHECK_PROTOCOL);
        assert_string_equal(verdict.text, "more than 200 HTTP/2 frames");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_request_is_a_call_of_the_health_service),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_an_answer_that_breaks_off_is_no_pass),
        cmocka_unit_test(test_peers_that_speak_no_http2),
        cmocka_unit_test(test_a_peer_that_floods_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
