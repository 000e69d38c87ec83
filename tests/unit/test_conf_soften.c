/* Variables and indexes without quotes inside of [..] and {..}. */
#include "conf/node.h"
#include "support/t.h"

/* The text of the value of the first key, whatever is around. */
static const struct row {
    const char *yaml, *text;
} rows[] = {
    {"{a: ${sku}}", "${sku}"},
    {"{a: ${env.X-1}, b: 2}", "${env.X-1}"},
    {"{a: x${b}y${c}}", "x${b}y${c}"},
    {"{a: responses[0].order.id}", "responses[0].order.id"},
    {"{a: lines[*].at[12]}", "lines[*].at[12]"},
    {"a: ${sku}", "${sku}"},
    {"a: 'b[0] ${c}'", "b[0] ${c}"},
    {"a: \"b[0] ${c}\\t\"", "b[0] ${c}\t"},
    {"a: |-\n  b[0]\n  ${c}", "b[0]\n${c}"},
    {"a: b[0] # c[1] ${d}", "b[0]"},
    {"a: \"\\uF8F0 b[0]\"", "\xef\xa3\xb0 b[0]"},
    {"a: \xef\xa3\xb1 b[0]", "\xef\xa3\xb1 b[0]"},
    {"a: \"\\U0000f8F0 b[0]\"", "\xef\xa3\xb0 b[0]"},
    {"{a: ${sku}, commit: 1f8f0bc}", "${sku}"}, /* is no escape */
    {"a: ${1} $x {", "${1} $x {"},
};

static void test_they_come_out_as_they_were_written(void **state)
{
    (void) state;
    T_TABLE(row, rows)
    {
        struct conf_file file;
        struct err err = {0};
        t_check(conf_parse("f", str_of(row->yaml), &file, &err) == 0, "%s: %s", row->yaml, err.msg);
        const struct conf_node *value = conf_get(file.document[0], "a");
        t_check(value != NULL && str_eq_cstr(value->text, row->text), "%s: \"" STR_FMT "\"",
                row->yaml, STR_ARG(value->text));
        conf_file_done(&file);
    }
}

static void test_places_stay(void **state)
{
    (void) state;
    struct conf_file file;
    struct err err = {0};
    assert_int_equal(conf_parse("f", STR("[{a: ${b}, c: d[0]}, e]"), &file, &err), 0);
    assert_int_equal(file.document[0]->item[1]->pos.col, 22);
    assert_int_equal(conf_get(file.document[0]->item[0], "c")->pos.col, 15);
    conf_file_done(&file);
    assert_int_equal(conf_parse("f", STR("{a: ${b}, c: d[0], e: }}"), &file, &err), ERR_INVALID);
    assert_int_equal(err.pos.col, 24);
}

/* What looks like neither stays an error of YAML. */
static void test_nothing_else_is_let_through(void **state)
{
    (void) state;
    static const char *const bad[] = {"{a: ${}}",  "{a: ${b c}}", "{a: b[c]}",
                                      "{a: [0]b}", "{a: b[0}",    "{a: ${b}"};
    T_TABLE(yaml, bad)
    {
        struct conf_file file;
        struct err err = {0};
        t_check(conf_parse("f", str_of(*yaml), &file, &err) == ERR_INVALID, "%s was taken", *yaml);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_they_come_out_as_they_were_written),
        cmocka_unit_test(test_places_stay),
        cmocka_unit_test(test_nothing_else_is_let_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
