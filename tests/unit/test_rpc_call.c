/* A gRPC call against a server whose bytes are made by hand. */
#include "base/clock.h"
#include "rpc/call_int.h"
#include "support/rpc_wire.h"
#include "support/t.h"

static const struct rpc_call_request unary = {.path = "/a.B/C", .unary_reply = true};
static const char *const ok_headers[] = {":status", "200", "content-type", "application/grpc",
                                         NULL};
static const char *const ok_trailers[] = {"grpc-status", "0", NULL};

/* What one call saw, as text. */
struct seen {
    struct rpc_call *call;
    struct w_peer *peer;
    struct buf log;
    unsigned ends;
    struct rpc_result result; /* views are of the call */
    bool frees_call, frees_conn, restarts;
};

static void on_headers(struct rpc_call *call, struct rpc_headers headers, void *ctx)
{
    struct seen *seen = ctx;
    (void) call;
    buf_addf(&seen->log, "headers %zu;", headers.len);
}

static void on_message(struct rpc_call *call, const struct rpc_message *message, void *ctx)
{
    struct seen *seen = ctx;
    buf_addf(&seen->log, " message %d %zu " STR_FMT ";", message->compressed, message->wire_bytes,
             STR_ARG(message->bytes));
    if (seen->frees_call) {
        rpc_call_free(call);
        seen->call = NULL;
    }
    if (seen->frees_conn) {
        rpc_conn_free(seen->peer->conn);
        seen->peer->conn = NULL;
    }
}

static void on_end(struct rpc_call *call, const struct rpc_result *result, void *ctx)
{
    struct seen *seen = ctx;
    (void) call;
    seen->ends++;
    seen->result = *result;
    buf_addf(&seen->log, " end %s: " STR_FMT, rpc_code_name(result->code),
             STR_ARG(result->message));
}

static const struct rpc_call_events events = {on_headers, on_message, on_end};

static void start(struct seen *seen, struct w_peer *peer, const struct rpc_call_request *request)
{
    *seen = (struct seen){.peer = peer};
    buf_init(&seen->log, 65536);
    seen->call = rpc_call_start(peer->conn, request, &events, seen);
    rpc_call_send(seen->call, STR("hi"), false);
    rpc_call_close_send(seen->call);
}

static void done(struct seen *seen)
{
    rpc_call_free(seen->call);
    buf_done(&seen->log);
}

static void greet(struct w_peer *peer)
{
    static const char settings[] = {0, 0, 0, W_SETTINGS, 0, 0, 0, 0, 0};
    w_say(peer, (struct str){settings, sizeof settings});
}

/* The payload of the first frame of this type and stream that the client sent, ptr NULL: none. */
static struct str find_frame(const struct buf *heard, uint8_t type, uint32_t stream)
{
    size_t at = heard->len > 24 && memcmp(heard->ptr, "PRI * ", 6) == 0 ? 24 : 0;
    while (at + 9 <= heard->len) {
        const uint8_t *p = (const uint8_t *) heard->ptr + at;
        size_t len = (size_t) p[0] << 16 | (size_t) p[1] << 8 | p[2];
        uint32_t id = (uint32_t) p[5] << 24 | (uint32_t) p[6] << 16 | (uint32_t) p[7] << 8 | p[8];
        if (p[3] == type && id == stream && at + 9 + len <= heard->len) {
            return (struct str){heard->ptr + at + 9, len};
        }
        at += 9 + len;
    }
    return (struct str){NULL, 0};
}

static void add_answer(struct buf *b, uint32_t id)
{
    struct buf body;
    buf_init(&body, 65536);
    w_message(&body, 0, STR("first"));
    w_message(&body, 0, STR(""));
    w_message(&body, 0, STR("a longer third message"));
    w_headers(b, 0, id, ok_headers);
    w_frame(b, W_DATA, 0, id, buf_str(&body));
    w_headers(b, W_END_STREAM, id, ok_trailers);
    buf_done(&body);
}

static void test_an_answer_is_the_same_however_it_is_split(void **state)
{
    const struct rpc_call_request stream = {.path = "/a.B/C"};
    struct buf answer;
    (void) state;
    buf_init(&answer, 65536);
    add_answer(&answer, 1);
    for (size_t cut = 0; cut <= answer.len; cut++) {
        struct w_peer peer;
        struct seen seen;
        w_open(&peer, NULL);
        start(&seen, &peer, &stream);
        greet(&peer);
        w_hear(&peer, NULL);
        w_say(&peer, (struct str){answer.ptr, cut});
        w_turn(&peer);
        w_say(&peer, (struct str){answer.ptr + cut, answer.len - cut});
        w_turn(&peer);
        assert_str(buf_str(&seen.log), "headers 1; message 0 5 first; message 0 0 ;"
                                       " message 0 22 a longer third message; end OK: ");
        assert_int_equal(seen.ends, 1);
        assert_true(seen.result.sent_all);
        done(&seen);
        w_done(&peer);
    }
    buf_done(&answer);
}

/* The same message split over DATA frames at every byte. */
static void test_a_message_is_the_same_in_any_frames(void **state)
{
    struct buf body;
    (void) state;
    buf_init(&body, 1000);
    w_message(&body, 0, STR("message"));
    for (size_t cut = 0; cut <= body.len; cut++) {
        struct w_peer peer;
        struct seen seen;
        struct buf answer;
        buf_init(&answer, 65536);
        w_headers(&answer, 0, 1, ok_headers);
        w_frame(&answer, W_DATA, 0, 1, (struct str){body.ptr, cut});
        w_frame(&answer, W_DATA, 0, 1, (struct str){body.ptr + cut, body.len - cut});
        w_headers(&answer, W_END_STREAM, 1, ok_trailers);
        w_open(&peer, NULL);
        start(&seen, &peer, &unary);
        greet(&peer);
        w_hear(&peer, NULL);
        w_say(&peer, buf_str(&answer));
        assert_str(buf_str(&seen.log), "headers 1; message 0 7 message; end OK: ");
        done(&seen);
        w_done(&peer);
        buf_done(&answer);
    }
    buf_done(&body);
}

static void test_a_request_is_one_write_behind_the_servers_settings(void **state)
{
    struct w_peer peer;
    struct seen seen;
    struct buf heard;
    (void) state;
    buf_init(&heard, 65536);
    w_open(&peer, NULL);
    start(&seen, &peer, &unary);
    w_hear(&peer, &heard);
    assert_true(find_frame(&heard, W_SETTINGS, 0).ptr != NULL);
    assert_true(find_frame(&heard, W_HEADERS, 1).ptr == NULL);
    buf_clear(&heard);
    greet(&peer);
    char bytes[4096];
    ssize_t n = recv(peer.fd, bytes, sizeof bytes, 0);
    assert_true(n > 0);
    buf_add(&heard, bytes, (size_t) n);
    struct str data = find_frame(&heard, W_DATA, 1);
    assert_true(find_frame(&heard, W_HEADERS, 1).ptr != NULL);
    assert_int_equal(data.len, 7);
    assert_memory_equal(data.ptr, "\0\0\0\0\x02hi", 7);
    done(&seen);
    w_done(&peer);
    buf_done(&heard);
}

/* The error code of the client's RST_STREAM of stream 1; -1: it sent none. */
static int64_t reset_by_client(struct w_peer *peer)
{
    struct buf heard;
    buf_init(&heard, 1 << 20);
    w_hear(peer, &heard);
    struct str rst = find_frame(&heard, W_RST, 1);
    int64_t error = rst.len == 4 ? rst.ptr[3] : -1;
    buf_done(&heard);
    return error;
}

static void test_an_early_answer_stops_the_request(void **state)
{
    struct w_peer peer;
    struct seen seen = {.peer = &peer};
    struct buf answer;
    (void) state;
    buf_init(&answer, 65536);
    buf_init(&seen.log, 65536);
    w_open(&peer, NULL);
    seen.call = rpc_call_start(peer.conn, &unary, &events, &seen);
    rpc_call_send(seen.call, STR("hi"), false);
    greet(&peer);
    w_hear(&peer, NULL);
    static const char *const invalid[] = {":status",          "200",         "content-type",
                                          "application/grpc", "grpc-status", "3",
                                          "grpc-message",     "no%20more",   NULL};
    w_headers(&answer, W_END_STREAM, 1, invalid);
    w_say(&peer, buf_str(&answer));
    assert_str(buf_str(&seen.log), " end INVALID_ARGUMENT: no more");
    assert_true(seen.result.trailers_only);
    assert_int_equal(reset_by_client(&peer), NGHTTP2_NO_ERROR);
    rpc_call_send(seen.call, STR("ignored"), false);
    rpc_call_close_send(seen.call);
    done(&seen);
    w_done(&peer);
    buf_done(&answer);
}

static void test_cancel_ends_later_and_tells_the_server(void **state)
{
    struct w_peer peer;
    struct seen seen;
    (void) state;
    w_open(&peer, NULL);
    start(&seen, &peer, &unary);
    greet(&peer);
    w_hear(&peer, NULL);
    rpc_call_cancel(seen.call);
    rpc_call_cancel(seen.call);
    assert_int_equal(seen.ends, 0);
    assert_false(rpc_call_ended(seen.call));
    assert_int_equal(reset_by_client(&peer), NGHTTP2_CANCEL);
    assert_int_equal(seen.ends, 1);
    assert_true(rpc_call_ended(seen.call));
    assert_int_equal(seen.result.code, RPC_CANCELLED);
    assert_int_equal(seen.result.origin, RPC_FROM_CLIENT);
    done(&seen);
    w_done(&peer);
}

static void test_a_freed_call_cancels_without_an_end(void **state)
{
    struct w_peer peer;
    struct seen seen;
    (void) state;
    w_open(&peer, NULL);
    start(&seen, &peer, &unary);
    greet(&peer);
    w_hear(&peer, NULL);
    rpc_call_free(seen.call);
    seen.call = NULL;
    assert_int_equal(reset_by_client(&peer), NGHTTP2_CANCEL);
    assert_int_equal(seen.ends, 0);
    done(&seen);
    w_done(&peer);
}

static void test_a_callback_may_free_its_call_or_the_connection(void **state)
{
    (void) state;
    for (int what = 1; what < 4; what++) {
        struct w_peer peer;
        struct seen seen;
        struct buf answer;
        buf_init(&answer, 65536);
        add_answer(&answer, 1);
        w_open(&peer, NULL);
        start(&seen, &peer, &unary);
        seen.frees_call = (what & 1) != 0;
        seen.frees_conn = (what & 2) != 0;
        greet(&peer);
        w_hear(&peer, NULL);
        w_say(&peer, buf_str(&answer));
        if (seen.frees_call) {
            assert_str(buf_str(&seen.log), "headers 1; message 0 5 first;");
        } else {
            assert_str(buf_str(&seen.log), "headers 1; message 0 5 first; end CANCELLED: "
                                           "the connection was closed by this side");
        }
        done(&seen);
        w_done(&peer);
        buf_done(&answer);
    }
}

static void test_freeing_the_connection_ends_all_calls_first(void **state)
{
    struct w_peer peer;
    struct seen running, cancelled;
    (void) state;
    w_open(&peer, NULL);
    start(&running, &peer, &unary);
    start(&cancelled, &peer, &unary);
    greet(&peer);
    w_hear(&peer, NULL);
    rpc_call_cancel(cancelled.call);
    rpc_conn_free(peer.conn);
    peer.conn = NULL;
    assert_int_equal(running.result.code, RPC_CANCELLED);
    assert_int_equal(cancelled.ends, 1);
    assert_str(cancelled.result.message, "cancelled by this side");
    done(&running); /* calls may outlive their connection */
    done(&cancelled);
    w_done(&peer);
}

static bool has_ended(void *ctx)
{
    const struct seen *seen = ctx;
    return seen->ends > 0;
}

static void test_a_deadline_says_what_it_waited_for(void **state)
{
    static const struct {
        bool greets, answers;
        const char *says;
    } rows[] = {
        {false, false,
         " end DEADLINE_EXCEEDED: the deadline of 20 ms passed: waiting for the first words "
         "(SETTINGS) of adopted"},
        {true, false, " end DEADLINE_EXCEEDED: the deadline of 20 ms passed: waiting for adopted"},
        {true, true,
         "headers 1; end DEADLINE_EXCEEDED: the deadline of 20 ms passed after the headers came: "
         "waiting for adopted"},
    };
    (void) state;
    T_TABLE(row, rows)
    {
        struct rpc_call_request request = unary;
        struct w_peer peer;
        struct seen seen;
        struct buf answer;
        request.deadline_ms = 20;
        buf_init(&answer, 65536);
        w_headers(&answer, 0, 1, ok_headers);
        w_open(&peer, NULL);
        start(&seen, &peer, &request);
        if (row->greets) {
            greet(&peer);
        }
        if (row->answers) {
            w_say(&peer, buf_str(&answer));
        }
        assert_true(io_loop_wait(peer.loop, 10000, has_ended, &seen));
        assert_str(buf_str(&seen.log), row->says);
        assert_int_equal(seen.result.origin, RPC_FROM_CLIENT);
        assert_int_equal(reset_by_client(&peer), row->greets ? NGHTTP2_CANCEL : -1);
        done(&seen);
        w_done(&peer);
        buf_done(&answer);
    }
}

static void test_timeouts_have_eight_digits_at_most(void **state)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } rows[] = {
        {0, "0m"},
        {1, "1m"},
        {99999999, "99999999m"},
        {100000000, "100000S"},
        {100000001, "100001S"},
        {UINT64_C(99999999000), "99999999S"},
        {UINT64_C(99999999001), "1666667M"},
        {UINT64_C(6000000000000), "1666667H"},
        {UINT64_MAX, "99999999H"},
    };
    (void) state;
    T_TABLE(row, rows)
    {
        char text[16];
        rpc_timeout_text(row->ms, text);
        t_check(strcmp(text, row->text) == 0, "%" PRIu64 " ms: \"%s\", not \"%s\"", row->ms, text,
                row->text);
    }
}

static void test_binary_fields_are_decoded(void **state)
{
    static const struct {
        const char *value;
        size_t count;
        const char *first, *last;
        int rc;
    } rows[] = {
        {"", 1, "", "", 0},
        {"YWI=", 1, "ab", "ab", 0},
        {"YWI", 1, "ab", "ab", 0},
        {"YQ,Yg", 2, "a", "b", 0},
        {"YQ==, Yg", 2, "a", "b", 0},
        {",", 2, "", "", 0},
        {"*", 1, "*", "*", ERR_INVALID},
    };
    (void) state;
    T_TABLE(row, rows)
    {
        struct rpc_fields fields = {.bytes = NULL};
        struct err err;
        assert_int_equal(rpc_fields_add(&fields, STR("x-bin"), str_of(row->value), &err), row->rc);
        struct rpc_headers view = rpc_fields_view(&fields);
        t_check(view.len == row->count, "%s: %zu", row->value, view.len);
        assert_str(view.item[0].value, row->first);
        assert_str(view.item[view.len - 1].value, row->last);
        assert_str(view.item[0].name, "x-bin");
        rpc_fields_done(&fields);
    }
}

/* Views stay right when their memory moves. */
static void test_fields_of_any_number(void **state)
{
    struct rpc_fields fields = {.bytes = NULL};
    struct err err;
    char text[32];
    (void) state;
    for (unsigned i = 0; i < 5000; i++) {
        (void) snprintf(text, sizeof text, "value-%u", i);
        assert_int_equal(rpc_fields_add(&fields, STR("name"), str_of(text), &err), 0);
    }
    struct rpc_headers view = rpc_fields_view(&fields);
    assert_int_equal(view.len, 5000);
    for (unsigned i = 0; i < 5000; i++) {
        (void) snprintf(text, sizeof text, "value-%u", i);
        assert_str(view.item[i].value, text);
    }
    rpc_fields_done(&fields);
}

static void test_a_second_goaway_does_not_lose_a_waiting_call(void **state)
{
    static const char one_at_once[] = {0, 0, 6, W_SETTINGS, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 1};
    struct w_peer peer;
    struct seen running, waiting;
    struct buf answer;
    (void) state;
    buf_init(&answer, 65536);
    w_open(&peer, NULL);
    start(&running, &peer, &unary);
    start(&waiting, &peer, &unary);
    w_say(&peer, (struct str){one_at_once, sizeof one_at_once});
    w_hear(&peer, NULL);
    static const char none[8] = {0x7f, (char) 0xff, (char) 0xff, (char) 0xff};
    w_frame(&answer, W_GOAWAY, 0, 0, (struct str){none, sizeof none});
    w_say(&peer, buf_str(&answer));
    w_hear(&peer, NULL);
    /* It never was sent, so it goes to the next connection, where nobody is. */
    assert_int_equal(waiting.result.code, RPC_UNAVAILABLE);
    assert_int_equal(waiting.result.origin, RPC_FROM_CONNECT);
    assert_int_equal(waiting.result.conn.connects, 1);
    assert_int_equal(running.ends, 0);
    buf_clear(&answer);
    add_answer(&answer, 1);
    w_say(&peer, buf_str(&answer));
    assert_int_equal(running.ends, 1);
    assert_true(running.result.conn.goaway);
    done(&running);
    done(&waiting);
    w_done(&peer);
    buf_done(&answer);
}

/* The server went away while the loop stood still. */
static void test_a_connection_that_was_closed_in_a_rest_is_not_used(void **state)
{
    struct w_peer peer;
    struct seen first, second;
    struct buf answer;
    (void) state;
    buf_init(&answer, 65536);
    add_answer(&answer, 1);
    w_open(&peer, NULL);
    start(&first, &peer, &(struct rpc_call_request){.path = "/a.B/C"});
    greet(&peer);
    w_hear(&peer, NULL);
    w_say(&peer, buf_str(&answer));
    assert_int_equal(first.result.code, RPC_OK);
    w_hang_up(&peer);
    start(&second, &peer, &unary);
    w_turn(&peer);
    /* Nobody is where the next connection goes. */
    assert_str(buf_str(&second.log),
               " end UNAVAILABLE: unix:/nonexistent/socket: there is no such socket");
    assert_int_equal(second.result.origin, RPC_FROM_CONNECT);
    done(&first);
    done(&second);
    w_done(&peer);
    buf_done(&answer);
}

/* Time passes while the loop stands still; a deadline begins with the call. */
static void test_a_deadline_is_not_too_early(void **state)
{
    struct rpc_call_request request = unary;
    struct w_peer peer;
    struct seen seen;
    (void) state;
    request.deadline_ms = 30;
    w_open(&peer, NULL);
    w_turn(&peer);
    uint64_t until = clock_mono_us() + 50000;
    while (clock_mono_us() < until) {
    }
    start(&seen, &peer, &request);
    assert_true(io_loop_wait(peer.loop, 10000, has_ended, &seen));
    assert_true(seen.result.end_at_us >= 30000);
    done(&seen);
    w_done(&peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answer_is_the_same_however_it_is_split),
        cmocka_unit_test(test_a_message_is_the_same_in_any_frames),
        cmocka_unit_test(test_a_request_is_one_write_behind_the_servers_settings),
        cmocka_unit_test(test_an_early_answer_stops_the_request),
        cmocka_unit_test(test_cancel_ends_later_and_tells_the_server),
        cmocka_unit_test(test_a_freed_call_cancels_without_an_end),
        cmocka_unit_test(test_a_callback_may_free_its_call_or_the_connection),
        cmocka_unit_test(test_freeing_the_connection_ends_all_calls_first),
        cmocka_unit_test(test_a_deadline_says_what_it_waited_for),
        cmocka_unit_test(test_a_connection_that_was_closed_in_a_rest_is_not_used),
        cmocka_unit_test(test_a_deadline_is_not_too_early),
        cmocka_unit_test(test_timeouts_have_eight_digits_at_most),
        cmocka_unit_test(test_binary_fields_are_decoded),
        cmocka_unit_test(test_fields_of_any_number),
        cmocka_unit_test(test_a_second_goaway_does_not_lose_a_waiting_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
