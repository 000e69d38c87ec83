/* Parameters of health checks: the right ones are read whole, of the wrong ones nothing. */
#include "check/code.h"
#include "check/plan.h"
#include "support/t.h"

static void test_every_code_has_a_name_of_its_own(void **state)
{
    (void) state;
    for (int i = 0; i < CHECK_CODES; i++) {
        const char *name = check_code_name((enum check_code) i);
        assert_non_null(name);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(name, check_code_name((enum check_code) j));
        }
    }
    assert_string_equal(check_code_name(CHECK_GRPC_STATUS), "grpc-status");
    assert_string_equal(check_code_name(CHECK_CODES), "internal");
}

static void test_a_list_of_statuses_has_what_it_names(void **state)
{
    (void) state;
    struct check_statuses statuses;
    struct err err;

    assert_int_equal(check_statuses_read(STR("200,204,300-399"), &statuses, &err), 0);
    const unsigned in[] = {200, 204, 300, 301, 399}, out[] = {100, 199, 201, 203, 299, 400, 503};
    T_TABLE(status, in)
    {
        t_check(check_statuses_has(&statuses, *status), "%u", *status);
    }
    T_TABLE(status, out)
    {
        t_check(!check_statuses_has(&statuses, *status), "%u", *status);
    }
}

static void test_wrong_statuses_say_what_would_be_right(void **state)
{
    (void) state;
    const char *const wrong[] = {"",        "2xx",  "99",   "600",  "200,", "200-",    "-200",
                                 "300-200", "200 ", "+200", "0200", "200;", "200--300"};

    T_TABLE(text, wrong)
    {
        struct check_statuses statuses = {.count = 77};
        struct err err;
        t_check(check_statuses_read(str_of(*text), &statuses, &err) == ERR_INVALID, "%s", *text);
        assert_int_equal(statuses.count, 77);
    }
    struct check_statuses statuses;
    struct err err;
    assert_err(check_statuses_read(STR("200,2xx"), &statuses, &err), &err, ERR_INVALID,
               "status has \"2xx\"; statuses from 100 to 599 and ranges of them are right, such as "
               "200,204,300-399");
}

static void test_more_statuses_than_fit_are_refused(void **state)
{
    (void) state;
    char text[4 * (CHECK_STATUS_RANGES + 1)];
    struct check_statuses statuses;
    struct err err;

    for (size_t i = 0; i <= CHECK_STATUS_RANGES; i++) {
        struct str item = STR("200,");
        memcpy(text + 4 * i, item.ptr, item.len);
    }
    struct str most = {text, 4 * CHECK_STATUS_RANGES - 1};
    struct str one_more = {text, sizeof(text) - 1};
    assert_int_equal(check_statuses_read(most, &statuses, &err), 0);
    assert_err(check_statuses_read(one_more, &statuses, &err), &err, ERR_INVALID,
               "status has more than 32 items; that many are right");
}

static void test_a_header_has_a_name_and_a_text(void **state)
{
    (void) state;
    struct str name, text;
    struct err err;

    assert_int_equal(check_header_read(STR("X-Version: a:b "), &name, &text, &err), 0);
    assert_str(name, "X-Version");
    assert_str(text, "a:b");
    const char *const wrong[] = {"", "X-Version", ": 42", "X Version: 42", "X\nY: 42"};
    T_TABLE(row, wrong)
    {
        t_check(check_header_read(str_of(*row), &name, &text, &err) == ERR_INVALID, "%s", *row);
    }
    assert_err(check_header_read(STR("X-Version 42"), &name, &text, &err), &err, ERR_INVALID,
               "header is \"X-Version 42\"; \"NAME: TEXT\" is right, with the text that a value of "
               "the header has to contain");
}

static void test_escapes_are_undone(void **state)
{
    (void) state;
    char room[64];
    struct buf buf;
    struct err err;

    buf_init_fixed(&buf, room, sizeof(room));
    assert_int_equal(check_escapes_read(STR("a\\r\\n\\t\\\\\\x00\\xfF$"), &buf, &err), 0);
    assert_int_equal(buf.len, 8);
    assert_memory_equal(buf.ptr, "a\r\n\t\\\0\xff$", 8);
}

static void test_wrong_escapes_are_shown(void **state)
{
    (void) state;
    const char *const wrong[] = {"\\", "\\q", "\\x", "\\x1", "\\xg0", "\\x0g", "ok\\R"};
    char room[8];
    struct buf buf;
    struct err err;

    T_TABLE(text, wrong)
    {
        buf_init_fixed(&buf, room, sizeof(room));
        t_check(check_escapes_read(str_of(*text), &buf, &err) == ERR_INVALID, "%s", *text);
    }
    buf_init_fixed(&buf, room, sizeof(room));
    assert_err(check_escapes_read(STR("PING\\q and more"), &buf, &err), &err, ERR_INVALID,
               "\"\\q a\" is no escape; \\r, \\n, \\t, \\\\ and \\xHH with two hex digits are "
               "right");
    buf_init_fixed(&buf, room, sizeof(room));
    assert_err(check_escapes_read(STR("12345678"), &buf, &err), &err, ERR_FULL,
               "a text of 8 bytes is too long; at most 7 are right");
}

/* A plan that is right, of each kind; the rows below spoil one member. */
static struct check_plan right_plan(enum check_kind kind)
{
    return (struct check_plan){.kind = kind,
                               .host = STR("shop"),
                               .uri = STR("/"),
                               .send = STR("PING"),
                               .expect = STR("PONG")};
}

static void test_a_plan_is_held_to_its_limits(void **state)
{
    (void) state;
    static char long_text[CHECK_URI_MAX + 2];
    struct err err;

    memset(long_text, '/', sizeof(long_text) - 1);
    const struct check_plan http = right_plan(CHECK_KIND_HTTP), grpc = right_plan(CHECK_KIND_GRPC),
                            tcp = right_plan(CHECK_KIND_TCP);
    assert_int_equal(check_plan_valid(&http, &err), 0);
    assert_int_equal(check_plan_valid(&grpc, &err), 0);
    assert_int_equal(check_plan_valid(&tcp, &err), 0);

    struct check_plan plan = http;
    plan.uri = STR("healthz");
    assert_err(check_plan_valid(&plan, &err), &err, ERR_INVALID,
               "uri is \"healthz\"; a path that begins with \"/\" is right");
    plan.uri = STR("/a b");
    assert_err(check_plan_valid(&plan, &err), &err, ERR_INVALID,
               "uri is \"/a b\"; at most 2048 visible ASCII characters are right, others as %HH");
    plan.uri = str_of(long_text);
    assert_int_equal(check_plan_valid(&plan, &err), ERR_INVALID);
    plan = http;
    plan.host = STR("a\r\nX: y");
    assert_int_equal(check_plan_valid(&plan, &err), ERR_INVALID);
    plan = http;
    plan.head = true;
    plan.body = STR("ready");
    assert_err(check_plan_valid(&plan, &err), &err, ERR_INVALID,
               "body asks for \"ready\", but answers to HEAD have no body; method=GET is right");
    plan = http;
    plan.body = STR("");
    assert_err(check_plan_valid(&plan, &err), &err, ERR_INVALID,
               "body is a text of 0 bytes; 1 to 1024 are right");
    plan = grpc;
    plan.service = STR("a b");
    assert_err(check_plan_valid(&plan, &err), &err, ERR_INVALID,
               "service is \"a b\"; at most 255 visible ASCII characters are right");
    plan = tcp;
    plan.expect = (struct str){long_text, CHECK_NEEDLE_MAX + 1};
    assert_int_equal(check_plan_valid(&plan, &err), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_code_has_a_name_of_its_own),
        cmocka_unit_test(test_a_list_of_statuses_has_what_it_names),
        cmocka_unit_test(test_wrong_statuses_say_what_would_be_right),
        cmocka_unit_test(test_more_statuses_than_fit_are_refused),
        cmocka_unit_test(test_a_header_has_a_name_and_a_text),
        cmocka_unit_test(test_escapes_are_undone),
        cmocka_unit_test(test_wrong_escapes_are_shown),
        cmocka_unit_test(test_a_plan_is_held_to_its_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
