/* HTTP/1.1 answers: the events, what is refused and why, and the same in any split of the bytes. */
#include "base/cleanup.h"
#include "support/h1.h"
#include "support/t.h"

#define OK "HTTP/1.1 200 OK\r\n"

struct answer {
    const char *bytes;
    bool head, eof, keep_alive;
    size_t left;
    const char *events;
};

static const struct answer answers[] = {
    {OK "Content-Length: 5\r\nServer:  a b\t\r\n\r\nhello", false, false, true, 0,
     "200 OK|content-length: 5|server: a b|.|hello|end"},
    {OK "content-length: 005\r\n\r\nhello!", false, false, true, 1,
     "200 OK|content-length: 005|.|hello|end"},
    {OK "Content-Length: 0\r\n\r\n", false, false, true, 0, "200 OK|content-length: 0|.|end"},
    {OK "Content-Length: 0\r\nConnection: x, Close\r\n\r\n", false, false, false, 0,
     "200 OK|content-length: 0|connection: x, Close|.|end"},
    {OK "X-Empty:\r\nX-High: \xc3\xa4\xff\r\n\r\nabc", false, true, false, 0,
     "200 OK|x-empty: |x-high: \xc3\xa4\xff|.|abc|end"},
    {OK "\r\n", false, true, false, 0, "200 OK|.|end"},
    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", false, false, false, 0,
     "200 OK|content-length: 1|.|a|end"},
    {"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\na", false, false, true,
     0, "200 OK|connection: Keep-Alive|content-length: 1|.|a|end"},
    {"HTTP/1.1 204\r\n\r\nrest", false, false, true, 4, "204 |.|end"},
    {"HTTP/1.1 204 \r\nContent-Length: 0\r\n\r\n", false, false, true, 0,
     "204 |content-length: 0|.|end"},
    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false, false, true, 0,
     "304 Not Modified|content-length: 9|.|end"},
    {OK "Content-Length: 9\r\n\r\n", true, false, true, 0, "200 OK|content-length: 9|.|end"},
    {OK "Transfer-Encoding: chunked\r\n\r\n", true, false, true, 0,
     "200 OK|transfer-encoding: chunked|.|end"},
    {OK "\r\n", true, false, true, 0, "200 OK|.|end"},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" OK
     "Content-Length: 1\r\n\r\na",
     false, false, true, 0, "200 OK|content-length: 1|.|a|end"},
    {OK "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0B ; x=\"y\"\r\n, brave new\r\n0\r\n\r\n+",
     false, false, true, 1, "200 OK|transfer-encoding: Chunked|.|hello, brave new|end"},
    {OK "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n000\r\nX-Sum: 7\r\nX-Sum: 8\r\n\r\n", false,
     false, true, 0, "200 OK|transfer-encoding: chunked|.|a|x-sum:: 7|x-sum:: 8|end"},
    {OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", false, false, true, 0,
     "200 OK|transfer-encoding: chunked|.|end"},
};

struct broken {
    const char *bytes;
    int code;
    const char *message;
};

/* All with the end of the bytes behind them. */
static const struct broken broken[] = {
    {"", ERR_UNREACHABLE, "the server closed the connection without an answer"},
    {"HTTP/1.1 2", ERR_UNREACHABLE, "the server closed the connection in the headers"},
    {"HTTP/1.1 100 Continue\r\n\r\n", ERR_UNREACHABLE,
     "the server closed the connection without an answer"},
    {OK "A: b\r\n", ERR_UNREACHABLE, "the server closed the connection in the headers"},
    {OK "Content-Length: 5\r\n\r\nhel", ERR_UNREACHABLE,
     "the server closed the connection in the body: 3 of 5 bytes came"},
    {OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", ERR_UNREACHABLE,
     "the server closed the connection before the last chunk of the body"},
    {OK "Transfer-Encoding: chunked\r\n\r\n0\r\n", ERR_UNREACHABLE,
     "the server closed the connection before the last chunk of the body"},
    {"HTTP/2 200 OK\r\n\r\n", ERR_INVALID,
     "the answer is not HTTP/1.1: it begins with \"HTTP/2 200 OK\" and other bytes"},
    {"HTTP/1.2 200 OK\r\n\r\n", ERR_INVALID,
     "the status line is \"HTTP/1.2 200 OK\", not like \"HTTP/1.1 200 OK\""},
    {"HTTP/1.1  200 OK\r\n\r\n", ERR_INVALID,
     "the status line is \"HTTP/1.1  200 OK\", not like \"HTTP/1.1 200 OK\""},
    {"HTTP/1.1 20 OK\r\n\r\n", ERR_INVALID,
     "the status line is \"HTTP/1.1 20 OK\", not like \"HTTP/1.1 200 OK\""},
    {"HTTP/1.1 2000 OK\r\n\r\n", ERR_INVALID,
     "the status line is \"HTTP/1.1 2000 OK\", not like \"HTTP/1.1 200 OK\""},
    {"HTTP/1.1 200 a\001b\r\n\r\n", ERR_INVALID,
     "the status line is \"HTTP/1.1 200 a\", not like \"HTTP/1.1 200 OK\""},
    {"HTTP/1.1 101 Switching Protocols\r\n\r\n", ERR_INVALID,
     "the answer is 101, another protocol, which nobody asked for"},
    {"\r\n" OK, ERR_INVALID, "the answer is not HTTP/1.1: it begins with \"\" and other bytes"},
    {"HTTP/1.1 200 OK\n\n", ERR_INVALID, "a line of the answer ends with LF alone, not with CR LF"},
    {OK "A: b\rc\r\n\r\n", ERR_INVALID, "a line of the answer has a CR without LF"},
    {OK "A: b\r\r\n\r\n", ERR_INVALID, "a line of the answer has a CR without LF"},
    {OK "A: b\r\n c\r\n\r\n", ERR_INVALID,
     "a header of the answer is folded: a line begins with a blank"},
    {OK "A : b\r\n\r\n", ERR_INVALID,
     "a header line of the answer is no \"name: value\": \"A : b\""},
    {OK "A\r\n\r\n", ERR_INVALID, "a header line of the answer is no \"name: value\": \"A\""},
    {OK ": b\r\n\r\n", ERR_INVALID, "a header line of the answer is no \"name: value\": \": b\""},
    {OK "A(: b\r\n\r\n", ERR_INVALID,
     "a header line of the answer is no \"name: value\": \"A(: b\""},
    {OK "A: \002\r\n\r\n", ERR_INVALID, "header \"a\" of the answer has a control character"},
    {OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", ERR_INVALID,
     "content-length stands twice in the answer"},
    {OK "Content-Length: 5, 5\r\n\r\nhello", ERR_INVALID,
     "content-length is \"5, 5\", no number of bytes"},
    {OK "Content-Length: +5\r\n\r\nhello", ERR_INVALID,
     "content-length is \"+5\", no number of bytes"},
    {OK "Content-Length: -1\r\n\r\n", ERR_INVALID, "content-length is \"-1\", no number of bytes"},
    {OK "Content-Length: 0x5\r\n\r\n", ERR_INVALID,
     "content-length is \"0x5\", no number of bytes"},
    {OK "Content-Length:\r\n\r\n", ERR_INVALID, "content-length is \"\", no number of bytes"},
    {OK "Content-Length: 9223372036854775808\r\n\r\n", ERR_INVALID,
     "content-length is \"9223372036854775808\", no number of bytes"},
    {OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", ERR_INVALID,
     "the answer has both content-length and transfer-encoding: where its body ends is a guess"},
    {OK "Transfer-Encoding: gzip, chunked\r\n\r\n", ERR_INVALID,
     "transfer-encoding is \"gzip, chunked\"; only \"chunked\" is understood"},
    {OK "Transfer-Encoding: identity\r\n\r\n", ERR_INVALID,
     "transfer-encoding is \"identity\"; only \"chunked\" is understood"},
    {OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", ERR_INVALID,
     "transfer-encoding stands twice in the answer"},
    {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ERR_INVALID,
     "an answer of HTTP/1.0 has no transfer-encoding"},
    {"HTTP/1.1 204 x\r\nTransfer-Encoding: chunked\r\n\r\n", ERR_INVALID,
     "an answer with status 204 has no transfer-encoding"},
    {OK "Transfer-Encoding: chunked\r\n\r\n\r\n", ERR_INVALID,
     "a chunk begins with \"\", not with its length in hex digits"},
    {OK "Transfer-Encoding: chunked\r\n\r\n5 x\r\nhello\r\n", ERR_INVALID,
     "a chunk begins with \"5 x\", not with its length in hex digits"},
    {OK "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n", ERR_INVALID,
     "a chunk begins with \"0x5\", not with its length in hex digits"},
    {OK "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n", ERR_INVALID,
     "a chunk begins with \"10000000000000005\", not with its length in hex digits"},
    {OK "Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n", ERR_INVALID,
     "a chunk is longer than it said"},
    {OK "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n", ERR_INVALID,
     "a line of the answer ends with LF alone, not with CR LF"},
    {OK "Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\r\n\r\n", ERR_INVALID,
     "\"content-length\" does not belong into trailers"},
};

static size_t whole(void *ctx)
{
    (void) ctx;
    return SIZE_MAX;
}

static size_t single(void *ctx)
{
    (void) ctx;
    return 1;
}

static size_t any(void *ctx)
{
    return 1 + (size_t) t_random_below(ctx, 12);
}

static void check_answer(const struct answer *row, size_t (*next)(void *), void *ctx)
{
    _cleanup_(buf_done) struct buf out;
    struct h1_parser p;
    struct err err = {0};
    size_t left = 0;
    buf_init(&out, 1000);
    h1_parser_init(&p, row->head, 1000);
    int rc = h1_run(&p, str_of(row->bytes), next, ctx, row->eof, &out, &left, &err);
    t_check(rc == 0, "%s: %s", row->bytes, err.msg);
    assert_str(buf_str(&out), row->events);
    assert_true(h1_ended(&p));
    assert_int_equal(p.keep_alive, row->keep_alive);
    assert_int_equal(left, row->left);
    h1_parser_done(&p);
}

static void test_answers_give_their_events(void **state)
{
    (void) state;
    T_TABLE(row, answers)
    {
        check_answer(row, whole, NULL);
    }
}

static void test_any_split_gives_the_same_events(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    T_TABLE(row, answers)
    {
        check_answer(row, single, NULL);
        for (int i = 0; i < 50; i++) {
            check_answer(row, any, &random);
        }
    }
}

static void check_broken(const struct broken *row, size_t (*next)(void *), bool message)
{
    _cleanup_(buf_done) struct buf out;
    struct h1_parser p;
    struct err err = {0};
    size_t left;
    buf_init(&out, 1000);
    h1_parser_init(&p, false, 1000);
    int rc = h1_run(&p, str_of(row->bytes), next, NULL, true, &out, &left, &err);
    t_check(rc == row->code, "%s", row->bytes);
    t_check(!message || strcmp(err.msg, row->message) == 0, "%s", err.msg);
    h1_parser_done(&p);
}

static void test_broken_answers_say_what_is_wrong(void **state)
{
    (void) state;
    T_TABLE(row, broken)
    {
        check_broken(row, whole, true);
        /* What could be shown of the first line depends on the split. */
        check_broken(row, single, strstr(row->message, "it begins with") == NULL);
    }
}

static void test_other_protocols_are_named(void **state)
{
    (void) state;
    static const struct {
        struct str bytes;
        const char *message;
    } rows[] = {
        {{"SSH-2.0-OpenSSH_9.2\r\n", 21},
         "the answer is not HTTP/1.1: it begins with \"SSH-2.0-OpenSSH_9.2\" and other bytes"},
        {{"\0\0\022\004\0\0\0\0\0", 9},
         "the answer is not HTTP/1.1 but looks like HTTP/2: the server speaks it without being "
         "asked"},
    };
    T_TABLE(row, rows)
    {
        struct h1_parser p;
        struct h1_item item;
        struct err err = {0};
        struct str input = row->bytes;
        h1_parser_init(&p, false, 1000);
        assert_err(h1_next(&p, &input, &item, &err), &err, ERR_INVALID, row->message);
        h1_parser_done(&p);
    }
}

/* Feeds a beginning and then one text over and over, until an error. */
static void check_flood(const char *begin, const char *again, const char *message)
{
    struct h1_parser p;
    struct h1_item item;
    struct err err = {0};
    struct str input = str_of(begin);
    int rc = 0;
    h1_parser_init(&p, false, 2000);
    for (int i = 0; i < 100000 && rc == 0; i++) {
        while ((rc = h1_next(&p, &input, &item, &err)) > 0) {
        }
        input = input.len > 0 ? input : str_of(again);
    }
    assert_err(rc, &err, ERR_FULL, message);
    assert_in_range(p.line.cap, 0, 5000);
    h1_parser_done(&p);
}

static void test_no_flood_is_swallowed(void **state)
{
    (void) state;
    check_flood(OK, "A: b\r\n", "the headers of the answer are longer than 2000 bytes");
    check_flood(OK "A: ", "b", "the headers of the answer are longer than 2000 bytes");
    check_flood("HTTP/1.1 200 ", "b", "the headers of the answer are longer than 2000 bytes");
    check_flood(OK "Transfer-Encoding: chunked\r\n\r\n0\r\n", "A: b\r\n",
                "the trailers of the answer are longer than 2000 bytes");
    check_flood(OK "Transfer-Encoding: chunked\r\n\r\n1;", "b",
                "the chunk lines of the answer are longer than 4096 bytes");
    check_flood(OK "Transfer-Encoding: chunked\r\n\r\n", "0",
                "the chunk lines of the answer are longer than 4096 bytes");
    check_flood("", "HTTP/1.1 102 Processing\r\n\r\n", "more than 16 interim answers (1xx)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_give_their_events),
        cmocka_unit_test(test_any_split_gives_the_same_events),
        cmocka_unit_test(test_broken_answers_say_what_is_wrong),
        cmocka_unit_test(test_other_protocols_are_named),
        cmocka_unit_test(test_no_flood_is_swallowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
