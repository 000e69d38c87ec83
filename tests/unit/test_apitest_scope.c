/* Variables in texts: nested scopes, what is not known yet, what is missing. */
#include "support/apitest.h"

struct row {
    const char *yaml, *wanted; /* wanted: the text, or the errors */
    bool known, whole, constant;
};

static void run(struct t_api *t, const struct apitest_scope *scope, const struct row *row)
{
    struct apitest_text text = {.known = false};
    t_api_again(t);
    const struct conf_node *node = t_api_yaml(t, row->yaml);
    int r = apitest_expand(scope, node, &t->arena, &t->diags, &text);
    if (r < 0) {
        assert_int_equal(r, ERR_INVALID);
        t_same(t_api_diags(t), row->wanted, row->yaml);
        return;
    }
    t_check(str_eq_cstr(text.text, row->wanted), "%s: " STR_FMT, row->yaml, STR_ARG(text.text));
    t_check(text.known == row->known && text.whole == row->whole && text.constant == row->constant,
            "%s: known %d whole %d constant %d", row->yaml, text.known, text.whole, text.constant);
}

static void test_texts_with_variables(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {"abc", "abc", true, false, true},
        {"$5 and $${x}", "$5 and ${x}", true, false, true},
        {"${name}", "outer", true, true, false},
        {"\"${name}\"", "outer", true, true, false},
        {"${over}", "inner", true, true, false},
        {"a ${over}-${name} b", "a inner-outer b", true, false, false},
        {"${env.T_SCOPE}", "from outside", true, true, false},
        {"x${secret.T_SECRET}", "xhidden", true, false, false},
        {"${nmae}", "1:1: unknown variable \"nmae\": did you mean \"name\"?", false, false, false},
        {"ab ${zzzzzzz} ${env.T_NO_SUCH}",
         "1:4: unknown variable \"zzzzzzz\": neither in vars nor saved by a case before\n"
         "1:15: the environment variable T_NO_SUCH is not set",
         false, false, false},
        {"${secret.T_NO_SECRET}",
         "1:1: no secret \"T_NO_SECRET\": give it in --secrets FILE as T_NO_SECRET=VALUE, or set "
         "POUROVER_SECRET_T_NO_SECRET",
         false, false, false},
        {"${later}", "1:1: \"later\" has no value: the case that saves it did not get that far",
         false, false, false},
        {"[a]", "1:1: a list of 1 instead of a text", false, false, false},
    };
    struct t_api t;
    struct apitest_scope inner;
    t_api_init_plain(&t, false);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    assert_int_equal(setenv("T_SCOPE", "from outside", 1), 0);
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): one thread */
    assert_int_equal(setenv("T_SECRET", "hidden", 1), 0);
    t_api_set(&t, "name", "outer");
    t_api_set(&t, "over", "outer");
    apitest_scope_init(&inner, &t.scope, NULL, &t.arena, false);
    assert_true(apitest_scope_set(&inner, STR("over"), STR("inner"), true, false));
    assert_true(apitest_scope_set(&inner, STR("later"), STR("ignored"), false, false));
    T_TABLE(row, rows)
    {
        run(&t, &inner, row);
    }
    /* What came of a secret is hidden from now on. */
    struct buf b;
    buf_init(&b, 100);
    apitest_redact(&t.secrets, STR("it is hidden"), &b);
    assert_string_equal(b.ptr, "it is ***");
    buf_done(&b);
    apitest_scope_done(&inner);
    t_api_done(&t);
}

static void test_what_is_saved_later_is_not_known_while_checking(void **state)
{
    (void) state;
    static const struct row rows[] = {
        {"${later}", "", false, true, false},
        {"x${later}", "", false, false, false},
        {"x${nowhere}",
         "1:2: unknown variable \"nowhere\": neither in vars nor saved by a case before", false,
         false, false},
    };
    struct t_api t;
    t_api_init_plain(&t, true);
    assert_true(apitest_scope_set(&t.scope, STR("later"), STR(""), false, false));
    T_TABLE(row, rows)
    {
        run(&t, &t.scope, row);
    }
    const struct apitest_var *var = apitest_scope_find(&t.scope, STR("later"));
    assert_non_null(var);
    assert_false(var->known);
    /* A save that has run makes it known, at the same name. */
    assert_true(apitest_scope_set(&t.scope, STR("later"), STR("now"), true, true));
    var = apitest_scope_find(&t.scope, STR("later"));
    assert_true(var->known && var->secret);
    assert_str(var->text, "now");
    t_api_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_with_variables),
        cmocka_unit_test(test_what_is_saved_later_is_not_known_while_checking),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
