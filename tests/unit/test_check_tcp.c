/* The tcp dialogue. */
#include "support/t.h"
#include "support/talk.h"

static void test_a_connection_alone_passes(void **state)
{
    (void) state;
    const struct check_plan plan = {.kind = CHECK_KIND_TCP};
    struct check_talk *talk = check_talk_new(&plan);

    assert_non_null(check_talk_verdict(talk));
    assert_int_equal(check_talk_verdict(talk)->code, CHECK_OK);
    assert_string_equal(check_talk_verdict(talk)->text, "connected");
    check_talk_free(talk);
}

static void test_what_only_sends_passes_when_all_is_sent(void **state)
{
    (void) state;
    const struct check_plan plan = {.kind = CHECK_KIND_TCP, .send = STR("QUIT\r\n")};
    struct check_talk *talk = check_talk_new(&plan);

    assert_str(check_talk_unsent(talk), "QUIT\r\n");
    check_talk_sent(talk, 4);
    assert_str(check_talk_unsent(talk), "\r\n");
    assert_null(check_talk_verdict(talk));
    check_talk_received(talk, "220 hello\r\n", 11); /* a greeting is nothing */
    assert_null(check_talk_verdict(talk));
    check_talk_sent(talk, 2);
    assert_int_equal(check_talk_verdict(talk)->code, CHECK_OK);
    check_talk_free(talk);

    talk = check_talk_new(&plan);
    check_talk_closed(talk);
    assert_int_equal(check_talk_verdict(talk)->code, CHECK_CLOSED);
    check_talk_free(talk);
}

static char flood[2 * CHECK_LOOK_MAX];

static void test_what_is_expected_has_to_come(void **state)
{
    (void) state;
    const struct check_plan plan = {
        .kind = CHECK_KIND_TCP, .send = STR("PING\r\n"), .expect = STR("+PONG")};
    memset(flood, '+', sizeof(flood));
    const struct {
        struct t_answer answer;
        enum check_code code;
        const char *text;
    } rows[] = {
        {{STR("+PONG\r\n"), false}, CHECK_OK, "the peer said \"+PONG\""},
        {{STR("hello\r\n++PONG"), false}, CHECK_OK, "the peer said \"+PONG\""},
        {{STR("+PON"), false}, CHECK_NONE, ""},
        {{STR("+PON"), true}, CHECK_BODY, "no \"+PONG\" in the peer's 4 bytes"},
        {{STR(""), true}, CHECK_CLOSED, "closed before an answer"},
        {{{flood, sizeof(flood)}, false},
         CHECK_BODY,
         "no \"+PONG\" in the peer's first 16384 bytes"},
    };

    T_TABLE(row, rows)
    {
        for (size_t step = 1; step <= row->answer.bytes.len + 1; step = step * 2 + 1) {
            for (size_t first = 0; first <= 15 && first <= row->answer.bytes.len; first++) {
                struct check_verdict verdict = t_talk(&plan, row->answer, first, step);
                assert_int_equal(verdict.code, row->code);
                assert_string_equal(verdict.text, row->text);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_connection_alone_passes),
        cmocka_unit_test(test_what_only_sends_passes_when_all_is_sent),
        cmocka_unit_test(test_what_is_expected_has_to_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
