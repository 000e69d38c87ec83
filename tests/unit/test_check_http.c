/* The http dialogue: each answer gives its verdict however it is cut into pieces. */
#include "support/t.h"
#include "support/talk.h"

static struct check_plan plan_of(void)
{
    struct check_plan plan = {.kind = CHECK_KIND_HTTP, .host = STR("shop"), .uri = STR("/healthz")};
    struct err err;

    assert_int_equal(check_statuses_read(STR("200-399"), &plan.statuses, &err), 0);
    return plan;
}

/* All cuts into two pieces, and into pieces of equal size. */
static void assert_answer(const struct check_plan *plan, struct t_answer answer,
                          enum check_code code, const char *text)
{
    size_t len = answer.bytes.len;

    for (size_t cut = 0; cut <= len; cut += len > 4096 ? 977 : 1) {
        struct check_verdict verdict = t_talk(plan, answer, cut, len + 1);
        t_check(verdict.code == code && strcmp(verdict.text, text) == 0,
                "cut at %zu of " STR_FMT ": %s, %s", cut, STR_ARG(answer.bytes),
                check_code_name(verdict.code), verdict.text);
    }
    for (size_t step = 1; step <= 64; step++) {
        struct check_verdict verdict = t_talk(plan, answer, step, step);
        assert_int_equal(verdict.code, code);
        assert_string_equal(verdict.text, text);
    }
}

static void test_the_request_says_who_asks_and_for_what(void **state)
{
    (void) state;
    struct check_plan plan = plan_of();
    struct check_talk *talk = check_talk_new(&plan);

    assert_str(check_talk_unsent(talk),
               "GET /healthz HTTP/1.1\r\nHost: shop\r\nUser-Agent: pourover-check\r\n"
               "Accept: */*\r\nConnection: close\r\n\r\n");
    check_talk_free(talk);
    plan.head = true;
    talk = check_talk_new(&plan);
    assert_true(str_starts_with(check_talk_unsent(talk), STR("HEAD /healthz HTTP/1.1\r\n")));
    check_talk_free(talk);
}

#define OK_LINE "HTTP/1.1 200 OK\r\n"

static const struct {
    const char *answer;
    bool closed;
    enum check_code code;
    const char *text;
} HEADS[] = {
    {OK_LINE "\r\n", false, CHECK_OK, "status 200"},
    {OK_LINE "Content-Length: 5\r\n\r\n", false, CHECK_OK, "status 200"},
    {"HTTP/1.0 302\n\n", false, CHECK_OK, "status 302"},
    {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" OK_LINE "\r\n",
     false, CHECK_OK, "status 200"},
    {"HTTP/1.1 503 Service Unavailable\r\n\r\n", false, CHECK_STATUS, "status 503"},
    {"HTTP/1.1 101 Switching Protocols\r\n\r\n", false, CHECK_STATUS, "status 101"},
    {OK_LINE "X-Pourover-Fail: 1\r\n", false, CHECK_TOLD, "the answer has X-Pourover-Fail: 1"},
    {OK_LINE "X-Pourover-Fail: 0\r\n\r\n", false, CHECK_OK, "status 200"},
    {"HTTP/1.1 503 no\r\nx-envoy-immediate-health-check-fail:\r\n", false, CHECK_TOLD,
     "the answer has x-envoy-immediate-health-check-fail"},
    {OK_LINE "Content-Len", false, CHECK_NONE, ""},
    {"", true, CHECK_CLOSED, "closed before an answer"},
    {OK_LINE "Content-Len", true, CHECK_CLOSED, "closed within the head of the answer"},
    {"SSH-2.0-OpenSSH_9.2\r\n", false, CHECK_PROTOCOL, "the answer is no HTTP/1"},
    {"HTTP/2", false, CHECK_PROTOCOL, "the answer is no HTTP/1"},
    {"HTTP/1.1 2000 OK\r\n", false, CHECK_PROTOCOL, "no status line: \"HTTP/1.1 2000 OK\""},
    {"HTTP/1.1 20\x01\r\n", false, CHECK_PROTOCOL, "no status line: \"HTTP/1.1 20\\x01\""},
    {"\n", false, CHECK_PROTOCOL, "no status line: \"\""},
    {OK_LINE "no header\r\n", false, CHECK_PROTOCOL, "no header: \"no header\""},
    {OK_LINE "Content-Length: 1\r\nContent-Length: 2\r\n", false, CHECK_PROTOCOL,
     "no Content-Length: \"2\""},
    {OK_LINE "Content-Length: -1\r\n", false, CHECK_PROTOCOL, "no Content-Length: \"-1\""},
};

static void test_heads(void **state)
{
    (void) state;
    struct check_plan plan = plan_of();

    T_TABLE(row, HEADS)
    {
        assert_answer(&plan, (struct t_answer){str_of(row->answer), row->closed}, row->code,
                      row->text);
    }
}

static void test_a_header_has_to_contain_a_text(void **state)
{
    (void) state;
    struct check_plan plan = plan_of();
    const struct {
        const char *answer;
        enum check_code code;
        const char *text;
    } rows[] = {
        {OK_LINE "x-version: v42-rc1\r\n\r\n", CHECK_OK, "status 200"},
        {OK_LINE "X-Version: 42\r\nX-Version: 41\r\n\r\n", CHECK_OK, "status 200"},
        {OK_LINE "X-Version: 41\r\n\r\n", CHECK_HEADER, "header X-Version is \"41\""},
        {OK_LINE "X-Version2: 42\r\n\r\n", CHECK_HEADER, "there is no header X-Version"},
        {"HTTP/1.1 500 no\r\nX-Version: 41\r\n\r\n", CHECK_STATUS, "status 500"},
        /* An interim answer's header is not the answer's. */
        {"HTTP/1.1 103 Early Hints\r\nX-Version: 42\r\n\r\n" OK_LINE "\r\n", CHECK_HEADER,
         "there is no header X-Version"},
    };

    plan.header_name = STR("X-Version");
    plan.header_text = STR("42");
    T_TABLE(row, rows)
    {
        assert_answer(&plan, (struct t_answer){str_of(row->answer), false}, row->code, row->text);
    }
}

#define CHUNKED OK_LINE "Transfer-Encoding: gzip, Chunked\r\nContent-Length: 1\r\n\r\n"

static const struct {
    const char *answer;
    bool closed;
    enum check_code code;
    const char *text;
} BODIES[] = {
    {OK_LINE "Content-Length: 9\r\n\r\nall ready", false, CHECK_OK, "status 200"},
    /* As early as it is sure. */
    {OK_LINE "Content-Length: 900\r\n\r\nrereready", false, CHECK_OK, "status 200"},
    {OK_LINE "Content-Length: 900\r\n\r\nread", false, CHECK_NONE, ""},
    {OK_LINE "Content-Length: 900\r\n\r\nread", true, CHECK_CLOSED,
     "closed within the body of the answer"},
    {OK_LINE "Content-Length: 8\r\n\r\nall ready", false, CHECK_BODY,
     "the body of 8 bytes has no \"ready\""},
    {OK_LINE "Content-Length: 0\r\n\r\nready", false, CHECK_BODY,
     "the body of 0 bytes has no \"ready\""},
    {OK_LINE "\r\nready", false, CHECK_OK, "status 200"},
    {OK_LINE "\r\nno", false, CHECK_NONE, ""},
    {OK_LINE "\r\nno", true, CHECK_BODY, "the body of 2 bytes has no \"ready\""},
    {"HTTP/1.1 204 No Content\r\n\r\nready", false, CHECK_BODY,
     "the body of 0 bytes has no \"ready\""},
    {"HTTP/1.1 500 no\r\n\r\nready", false, CHECK_STATUS, "status 500"},
    {CHUNKED "2\r\nre\r\n0003;x=y\r\nady\r\n0\r\n\r\n", false, CHECK_OK, "status 200"},
    {CHUNKED "A \nsome bytes\n0\r\n", false, CHECK_BODY, "the body of 10 bytes has no \"ready\""},
    {CHUNKED "5\r\nready", false, CHECK_OK, "status 200"},
    {CHUNKED "4\r\nready", false, CHECK_PROTOCOL, "no end of a chunk: \"y\""},
    {CHUNKED "5\r\nread", true, CHECK_CLOSED, "closed within the body of the answer"},
    {CHUNKED "g\r\n", false, CHECK_PROTOCOL, "no size of a chunk: \"g\""},
    {CHUNKED "\r\n", false, CHECK_PROTOCOL, "no size of a chunk: \"\\x0d\""},
    {CHUNKED "fffffffffffffff\r\nready", false, CHECK_OK, "status 200"},
    {CHUNKED "ffffffffffffffff\r\nready", false, CHECK_PROTOCOL, "no size of a chunk: \"f\""},
};

static void test_bodies(void **state)
{
    (void) state;
    struct check_plan plan = plan_of();

    plan.body = STR("ready");
    T_TABLE(row, BODIES)
    {
        assert_answer(&plan, (struct t_answer){str_of(row->answer), row->closed}, row->code,
                      row->text);
    }
}

static char large[3 * CHECK_LOOK_MAX];

static void put(size_t at, struct str text)
{
    memcpy(large + at, text.ptr, text.len);
}

static void test_no_more_than_16_kib_are_looked_at(void **state)
{
    (void) state;
    struct check_plan plan = plan_of();
    const size_t head = sizeof(OK_LINE "\r\n") - 1;

    plan.body = STR("ready");
    memset(large, 'x', sizeof(large));
    put(0, STR(OK_LINE "\r\n"));
    struct t_answer answer = {{large, sizeof(large)}, false};
    put(head + CHECK_LOOK_MAX - 4, STR("ready"));
    assert_answer(&plan, answer, CHECK_BODY, "the body has no \"ready\" in its first 16384 bytes");
    put(head + CHECK_LOOK_MAX - 5, STR("ready"));
    assert_answer(&plan, answer, CHECK_OK, "status 200");

    /* A head may be that long, with all interim ones. */
    memset(large, 'x', sizeof(large));
    put(0, STR(OK_LINE "X:"));
    put(CHECK_LOOK_MAX - 4, STR("\r\n\r\n"));
    plan.body = (struct str){NULL, 0};
    assert_answer(&plan, answer, CHECK_OK, "status 200");
    put(CHECK_LOOK_MAX - 4, STR("x\r\n\r\n"));
    assert_answer(&plan, answer, CHECK_PROTOCOL, "the head is longer than 16384 bytes");
}

static void test_long_texts_are_cut_and_printable(void **state)
{
    (void) state;
    struct check_plan plan = plan_of();
    char answer[512];

    plan.header_name = STR("X-A-Header-With-A-Name-That-Is-Very-Long-Indeed");
    plan.header_text = STR("no");
    int n = snprintf(answer, sizeof(answer), OK_LINE STR_FMT ": %0200d\r\n\r\n",
                     STR_ARG(plan.header_name), 0);
    assert_answer(&plan, (struct t_answer){{answer, (size_t) n}, false}, CHECK_HEADER,
                  "header X-A-Header-With-A-Name-That-... is "
                  "\"00000000000000000000000000000000000000000000...\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_request_says_who_asks_and_for_what),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_a_header_has_to_contain_a_text),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_no_more_than_16_kib_are_looked_at),
        cmocka_unit_test(test_long_texts_are_cut_and_printable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
