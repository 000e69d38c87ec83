/* Errors: codes, complete messages, context, and messages that are too long. */
#include "support/t.h"

#include <errno.h>

static void test_set_returns_the_code_and_keeps_the_message(void **state)
{
    (void) state;
    struct err err = {.pos = {"old", 3, 4}};
    assert_err(err_set(&err, ERR_NOT_FOUND, "no route \"%s\"", "shop"), &err, ERR_NOT_FOUND,
               "no route \"shop\"");
    assert_null(err.pos.file);
    assert_int_equal(err.pos.line, 0);
}

static void test_null_err_is_fine(void **state)
{
    (void) state;
    assert_int_equal(err_set(NULL, ERR_FULL, "x"), ERR_FULL);
    assert_int_equal(err_errno(NULL, ENOENT, "x"), ERR_IO);
    assert_int_equal(err_wrap(NULL, "x"), ERR_INTERNAL);
}

static void test_wrap_puts_context_in_front_and_keeps_code_and_place(void **state)
{
    (void) state;
    struct err err;
    (void) err_set(&err, ERR_UNREACHABLE, "connect 10.0.0.5:8080: connection refused");
    err.pos = (struct pos){"release.yaml", 14, 15};
    assert_err(err_wrap(&err, "step %d", 3), &err, ERR_UNREACHABLE,
               "step 3: connect 10.0.0.5:8080: connection refused");
    assert_string_equal(err.pos.file, "release.yaml");
    assert_int_equal(err.pos.col, 15);
}

static void test_errno_appends_the_reason(void **state)
{
    (void) state;
    struct err err;
    assert_err(err_errno(&err, ENOENT, "open %s", "a.state"), &err, ERR_IO,
               "open a.state: No such file or directory");
    assert_err(err_errno(&err, 99999, "open"), &err, ERR_IO, "open: unknown error 99999");
}

static void test_a_message_may_quote_the_one_it_replaces(void **state)
{
    (void) state;
    struct err err;
    (void) err_set(&err, ERR_IO, "disk full");
    assert_err(err_set(&err, ERR_REMOTE, "peer said: %s", err.msg), &err, ERR_REMOTE,
               "peer said: disk full");
}

static void test_a_long_message_is_cut_between_characters(void **state)
{
    (void) state;
    struct err err;
    char text[1200] = "";
    /* Each shift puts another byte of the two-byte characters at the cut. */
    for (size_t shift = 0; shift < 2; shift++) {
        memset(text, 'x', shift);
        for (size_t i = 0; i < 500; i++) {
            memcpy(text + shift + 2 * i, "\xc3\xa4", 3);
        }
        (void) err_set(&err, ERR_INVALID, "%s", text);
        struct str msg = str_of(err.msg);
        assert_true(msg.len < sizeof err.msg && msg.len > sizeof err.msg - 6);
        assert_true(str_ends_with(msg, STR("\xc3\xa4...")));
        assert_true(str_is_utf8(msg));
        (void) err_wrap(&err, "outer");
        assert_true(str_starts_with(str_of(err.msg), STR("outer: ")));
        assert_true(str_is_utf8(str_of(err.msg)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_returns_the_code_and_keeps_the_message),
        cmocka_unit_test(test_null_err_is_fine),
        cmocka_unit_test(test_wrap_puts_context_in_front_and_keeps_code_and_place),
        cmocka_unit_test(test_errno_appends_the_reason),
        cmocka_unit_test(test_a_message_may_quote_the_one_it_replaces),
        cmocka_unit_test(test_a_long_message_is_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
