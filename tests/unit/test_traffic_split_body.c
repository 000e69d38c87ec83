/* Bodies that set a split: the right ones are read whole, of the wrong ones nothing. */
#include "support/t.h"
#include "traffic/split_body.h"

static void test_a_whole_body_is_read(void **state)
{
    (void) state;
    struct split_request request;
    struct str field;
    struct err err;

    assert_int_equal(split_body_read(STR(" {\"share_ppm\":10000,\"salt\":\"r42\",\"enabled\":true,"
                                         "\"revision\":42,\"if_revision\":41} "),
                                     &request, &field, &err),
                     0);
    assert_true(request.has_share && request.has_salt && request.has_enabled && !request.if_any);
    assert_int_equal(request.share_ppm, 10000);
    assert_str(((struct str){request.salt, request.salt_len}), "r42");
    assert_true(request.enabled);
    assert_int_equal(request.revision, 42);
    assert_int_equal(request.if_revision, 41);
}

static void test_any_and_absent_fields(void **state)
{
    (void) state;
    struct split_request request;
    struct str field;
    struct err err;

    assert_int_equal(
        split_body_read(
            STR("{\"if_revision\":\"any\",\"revision\":9007199254740991,\"share_ppm\":0}"),
            &request, &field, &err),
        0);
    assert_true(request.has_share && !request.has_salt && !request.has_enabled && request.if_any);
    assert_int_equal(request.revision, SPLIT_REVISION_MAX);
}

#define REST "\"revision\":2,\"if_revision\":1}"

static const struct {
    const char *body, *field, *message;
} WRONG[] = {
    {"", "", "the text is no JSON: the text ends too early (line 1, column 1)"},
    {"[]", "", "the text is no JSON object; {\"share_ppm\":...} is right"},
    {"7", "", "the text is no JSON object; {\"share_ppm\":...} is right"},
    {"{\"share_ppm\":1," REST "x", "", NULL},
    {"{\"share_ppm\":1", "", NULL},
    {"{\"share_pm\":1," REST, "share_pm",
     "unknown field \"share_pm\"; did you mean \"share_ppm\"?"},
    {"{\"weight\":1," REST, "weight", "unknown field \"weight\""},
    {"{\"share_ppm\":1,\"share_ppm\":1," REST, "share_ppm",
     "share_ppm is there twice; once is right"},
    {"{\"share_ppm\":1000001," REST, "share_ppm",
     "share_ppm is 1000001; a whole number from 0 to 1000000 is right"},
    {"{\"share_ppm\":-1," REST, "share_ppm",
     "share_ppm is -1; a whole number from 0 to 1000000 is right"},
    {"{\"share_ppm\":-0," REST, "share_ppm", NULL},
    {"{\"share_ppm\":1.0," REST, "share_ppm", NULL},
    {"{\"share_ppm\":1e3," REST, "share_ppm", NULL},
    {"{\"share_ppm\":\"1%\"," REST, "share_ppm",
     "share_ppm is \"1%\"; a whole number from 0 to 1000000 is right"},
    {"{\"share_ppm\":null," REST, "share_ppm", NULL},
    {"{\"share_ppm\":[1]," REST, "share_ppm", "share_ppm is an array; a single value is right"},
    {"{\"share_ppm\":{}," REST, "share_ppm", "share_ppm is an object; a single value is right"},
    {"{\"salt\":\"\"," REST, "salt", NULL},
    {"{\"salt\":\"a b\"," REST, "salt",
     "salt is \"a b\"; 1 to 64 characters of A-Z a-z 0-9 . _ - are right"},
    {"{\"salt\":7," REST, "salt", "salt is 7; a text in quotes is right"},
    {"{\"salt\":\"\\u0000\"," REST, "salt", NULL},
    {"{\"salt\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"," REST,
     "salt", "salt is \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\"; at most 64 bytes are right"},
    {"{\"enabled\":1," REST, "enabled", "enabled is 1; true or false is right"},
    {"{\"enabled\":\"true\"," REST, "enabled", "enabled is \"true\"; true or false is right"},
    {"{\"enabled\":true,\"if_revision\":1}", "revision",
     "revision is missing; a whole number from 1 to 9007199254740991 is right"},
    {"{\"enabled\":true,\"revision\":1}", "if_revision",
     "if_revision is missing; a whole number from 0 to 9007199254740991 is right"},
    {"{\"enabled\":true,\"revision\":0,\"if_revision\":0}", "revision", NULL},
    {"{\"enabled\":true,\"revision\":9007199254740992,\"if_revision\":0}", "revision", NULL},
    {"{\"enabled\":true,\"revision\":2,\"if_revision\":\"1\"}", "if_revision",
     "if_revision is a text; the number of the present revision is right, or \"any\" for a "
     "change that moves nobody to the canary"},
    {"{" REST, "share_ppm", "nothing to set; at least one of share_ppm, salt and enabled is right"},
};

static void test_wrong_bodies_say_what_would_be_right(void **state)
{
    (void) state;
    T_TABLE(row, WRONG)
    {
        struct split_request request = {.revision = 77};
        struct str field;
        struct err err;

        int rc = split_body_read(str_of(row->body), &request, &field, &err);
        t_check(rc == ERR_INVALID, "%s: %d", row->body, rc);
        assert_str(field, row->field);
        if (row->message != NULL) {
            assert_string_equal(err.msg, row->message);
        }
        assert_int_equal(request.revision, 77); /* untouched */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_body_is_read),
        cmocka_unit_test(test_any_and_absent_fields),
        cmocka_unit_test(test_wrong_bodies_say_what_would_be_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
