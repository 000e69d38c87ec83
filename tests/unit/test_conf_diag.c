/* Messages about files as people see them: whole texts, with the line and the mark under it. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "conf/diag.h"
#include "support/t.h"

static struct conf_file parse(const char *name, const char *text)
{
    struct conf_file file;
    struct err err;
    assert_int_equal(conf_parse(name, str_of(text), &file, &err), 0);
    return file;
}

static void assert_printed(struct conf_diags *diags, const struct conf_file *const *file, size_t n,
                           bool color, const char *wanted)
{
    struct buf b;
    buf_init(&b, 65536);
    conf_diags_print(diags, file, n, color, &b);
    assert_string_equal(b.len == 0 ? "" : b.ptr, wanted);
    buf_done(&b);
    conf_diags_done(diags);
    assert_int_equal(diags->errors + diags->warnings, 0);
}

static void test_line_mark_and_order_of_places(void **state)
{
    (void) state;
    _cleanup_(conf_file_done) struct conf_file file =
        parse("orders.yaml", "- cases:\n  - nmae: hoge\n    tags: [a, b]\n    x: 'it'\n");
    const struct conf_file *files[] = {&file};
    const struct conf_node *map = conf_get(file.document[0]->item[0], "cases")->item[0];
    struct conf_diags diags = {.errors = 0};
    conf_warn(&diags, map->entry[1].value, "two tags");
    int rc = conf_error(&diags, map->entry[0].key, "no field \"%s\" in %s", "nmae", "shop.v1.Item");
    assert_int_equal(rc, ERR_INVALID);
    (void) conf_error(&diags, map->entry[2].value, "quoted");
    (void) conf_error(&diags, NULL, "without place");
    assert_int_equal(diags.errors, 3);
    assert_int_equal(diags.warnings, 1);
    assert_printed(&diags, files, 1, false,
                   "orders.yaml:2:5: error: no field \"nmae\" in shop.v1.Item\n"
                   "    2 |   - nmae: hoge\n"
                   "      |     ^~~~\n"
                   "orders.yaml:3:11: warning: two tags\n"
                   "    3 |     tags: [a, b]\n"
                   "      |           ^~~~~~\n"
                   "orders.yaml:4:8: error: quoted\n"
                   "    4 |     x: 'it'\n"
                   "      |        ^~~~\n"
                   "error: without place\n");
}

static void test_color_for_terminals(void **state)
{
    (void) state;
    _cleanup_(conf_file_done) struct conf_file file = parse("a.yaml", "a: 1\n");
    const struct conf_file *files[] = {&file};
    struct conf_diags diags = {.errors = 0};
    conf_warn(&diags, file.document[0]->entry[0].value, "odd");
    assert_printed(&diags, files, 1, true,
                   "\033[1ma.yaml:1:4: \033[0m\033[1;35mwarning: \033[0modd\n"
                   "    1 | a: 1\n"
                   "      |    \033[1;32m^\033[0m\n");
}

static void test_files_come_in_their_order_and_others_have_no_source(void **state)
{
    (void) state;
    _cleanup_(conf_file_done) struct conf_file a = parse("a.yaml", "- 1\n- 2\n"),
                                               b = parse("b.yaml", "x\n");
    const struct conf_file *files[] = {&a, &b};
    struct conf_diags diags = {.errors = 0};
    const struct err elsewhere = {ERR_IO, {"c.proto", 3, 0}, "no such import"};
    const struct err nowhere = {ERR_NOT_FOUND, {"d.proto", 0, 0}, "not there"};
    assert_int_equal(conf_error_err(&diags, &elsewhere), ERR_IO);
    (void) conf_error(&diags, b.document[0], "in b");
    assert_int_equal(conf_error_err(&diags, &nowhere), ERR_NOT_FOUND);
    (void) conf_error(&diags, a.document[0]->item[1], "second in a");
    (void) conf_error(&diags, a.document[0]->item[0], "first in a");
    (void) conf_error(&diags, a.document[0]->item[0], "first in a, again");
    assert_printed(&diags, files, 2, false,
                   "a.yaml:1:3: error: first in a\n    1 | - 1\n      |   ^\n"
                   "a.yaml:1:3: error: first in a, again\n    1 | - 1\n      |   ^\n"
                   "a.yaml:2:3: error: second in a\n    2 | - 2\n      |   ^\n"
                   "b.yaml:1:1: error: in b\n    1 | x\n      | ^\n"
                   "c.proto:3: error: no such import\n"
                   "d.proto: error: not there\n");
}

/* What the terminal gets: marks stand under wide characters and behind tabs; nothing steers it. */
static void test_marks_stand_below_what_they_mean(void **state)
{
    (void) state;
    static const struct {
        const char *text, *printed;
    } rows[] = {
        {"\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e: v\n",
         "    1 | \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e: v\n      |         ^\n"},
        {"k:\t\tv\n", "    1 | k:        v\n      |           ^\n"},
        {"'e\xcc\x81': v\n", "    1 | 'e\xcc\x81': v\n      |      ^\n"},
        {"k: \xe6\x97\xa5\xe6\x9c\xac # c\n",
         "    1 | k: \xe6\x97\xa5\xe6\x9c\xac # c\n      |    ^~~~\n"},
        {"k: 'a\xe2\x80\xae\xef\xb8\x8f\xe2\x80\x8b'\n",
         "    1 | k: 'a\xef\xbf\xbd\xef\xb8\x8f\xef\xbf\xbd'\n      |    ^~~~~\n"},
        {"k: 'two\n  lines'\n", "    1 | k: 'two\n      |    ^\n"},
        {"k:\n", "    1 | k:\n      |   ^\n"},
    };
    T_TABLE(row, rows)
    {
        _cleanup_(conf_file_done) struct conf_file file = parse("a.yaml", row->text);
        const struct conf_file *files[] = {&file};
        struct conf_diags diags = {.errors = 0};
        (void) conf_error(&diags, file.document[0]->entry[0].value, "m");
        struct buf b;
        buf_init(&b, 4096);
        conf_diags_print(&diags, files, 1, false, &b);
        assert_string_equal(strchr(b.ptr, '\n') + 1, row->printed);
        buf_done(&b);
        conf_diags_done(&diags);
    }
}

static void test_odd_characters_of_messages_are_harmless(void **state)
{
    (void) state;
    struct conf_diags diags = {.errors = 0};
    (void) conf_error(&diags, NULL, "a\033[31m\r\nb.yaml:1:1: error: \x7f\xff\xe2\x80\xae");
    assert_printed(&diags, NULL, 0, false,
                   "error: a\xef\xbf\xbd[31m\xef\xbf\xbd\n    b.yaml:1:1: error: "
                   "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\n");
}

/* A line of 1,000 keys, one of them wrong: what is shown has the place and at most 123 columns. */
static void test_wide_lines_are_cut_around_the_place(void **state)
{
    (void) state;
    struct buf text;
    buf_init(&text, 65536);
    buf_add_char(&text, '{');
    for (int i = 0; i < 1000; i++) {
        buf_addf(&text, "key%d: %d, ", i, i);
    }
    buf_add_char(&text, '}');
    _cleanup_(conf_file_done) struct conf_file file = parse("a.yaml", text.ptr);
    const struct conf_file *files[] = {&file};
    for (size_t i = 0; i < 1000; i++) {
        struct conf_diags diags = {.errors = 0};
        const struct conf_node *key = file.document[0]->entry[i].key;
        (void) conf_error(&diags, key, "m");
        struct buf b;
        buf_init(&b, 4096);
        conf_diags_print(&diags, files, 1, false, &b);
        struct str rest = buf_str(&b), line = {NULL, 0}, mark = {NULL, 0};
        assert_true(str_cut(&rest, '\n', &line) && str_cut(&rest, '\n', &line) &&
                    str_cut(&rest, '\n', &mark));
        assert_true(line.len <= 8 + 120 + 3);
        size_t at = str_find_char(mark, '^');
        struct str shown = {line.ptr + at, key->text.len};
        assert_true(at + key->text.len <= line.len);
        assert_true(str_eq(shown, key->text));
        assert_int_equal(mark.len - at, key->text.len);
        assert_true(str_ends_with(line, STR("...")) || str_ends_with(line, STR("}")));
        buf_done(&b);
        conf_diags_done(&diags);
    }
    buf_done(&text);
}

static void test_many_are_counted_and_not_kept(void **state)
{
    (void) state;
    struct conf_diags diags = {.errors = 0};
    for (int i = 0; i < CONF_DIAGS_MAX + 2; i++) {
        (void) conf_error(&diags, NULL, "error %d", i);
    }
    conf_warn(&diags, NULL, "warning");
    assert_int_equal(diags.errors, CONF_DIAGS_MAX + 2);
    assert_int_equal(diags.warnings, 1);
    assert_int_equal(diags.list.len, CONF_DIAGS_MAX);
    struct buf b;
    buf_init(&b, 65536);
    conf_diags_print(&diags, NULL, 0, false, &b);
    assert_true(
        str_ends_with(buf_str(&b), STR("error: error 49\nand 3 more, which are not shown\n")));
    buf_done(&b);
    conf_diags_done(&diags);
}

static void test_the_same_at_the_same_place_is_told_once(void **state)
{
    (void) state;
    _cleanup_(conf_file_done) struct conf_file file = parse("a.yaml", "a: 1\n");
    const struct conf_file *files[] = {&file};
    struct conf_diags diags = {.errors = 0};
    const struct conf_entry *entry = &file.document[0]->entry[0];
    for (int i = 0; i < 3; i++) {
        (void) conf_error(&diags, entry->key, "wrong");
        (void) conf_error(&diags, NULL, "nowhere");
    }
    conf_warn(&diags, entry->key, "wrong");
    (void) conf_error(&diags, entry->value, "wrong");
    (void) conf_error(&diags, entry->key, "wrong, too");
    assert_int_equal(diags.errors, 4);
    assert_int_equal(diags.warnings, 1);
    assert_printed(&diags, files, 1, false,
                   "a.yaml:1:1: error: wrong\n"
                   "    1 | a: 1\n"
                   "      | ^\n"
                   "a.yaml:1:1: warning: wrong\n"
                   "    1 | a: 1\n"
                   "      | ^\n"
                   "a.yaml:1:1: error: wrong, too\n"
                   "    1 | a: 1\n"
                   "      | ^\n"
                   "a.yaml:1:4: error: wrong\n"
                   "    1 | a: 1\n"
                   "      |    ^\n"
                   "error: nowhere\n");
}

static void test_unknown_keys_get_the_near_one_or_the_list(void **state)
{
    (void) state;
    static const char *const words[] = {"name", "methodName", "detail"};
    static const char *const many[] = {"a1", "a2", "a3", "a4", "a5", "a6", "a7",
                                       "a8", "a9", "ab", "ac", "ad", "ae"};
    _cleanup_(conf_file_done) struct conf_file file =
        parse("a.yaml", "{nmae: 1, other: 2, \"\\e\\n\": 3}");
    const struct conf_entry *entry = file.document[0]->entry;
    struct conf_diags diags = {.errors = 0};
    assert_int_equal(conf_error_unknown(&diags, entry[0].key, "a case", words, 3), ERR_INVALID);
    (void) conf_error_unknown(&diags, entry[1].key, "a case", words, 3);
    (void) conf_error_unknown(&diags, entry[1].key, "a case", words, 1);
    (void) conf_error_unknown(&diags, entry[1].key, "\"none\"", words, 0);
    (void) conf_error_unknown(&diags, entry[2].key, "a box", many, T_LEN(many));
    static const char *const wanted[] = {
        "unknown key \"nmae\" in a case: did you mean \"name\"?",
        "unknown key \"other\" in a case: one of name, methodName, detail",
        "unknown key \"other\" in a case: it has only name",
        "unknown key \"other\" in \"none\": it has no keys",
        "unknown key \"...\" in a box: one of a1, a2, a3, a4, a5, a6, a7, a8, a9, ab, ac, ad, ...",
    };
    for (size_t i = 0; i < T_LEN(wanted); i++) {
        assert_string_equal(diags.list.ptr[i].msg, wanted[i]);
        assert_int_equal(diags.list.ptr[i].pos.line, 1);
    }
    conf_diags_done(&diags);
}

/* The file is not there afterwards, its line is. */
static void test_a_file_that_is_no_yaml_shows_its_line(void **state)
{
    (void) state;
    struct conf_diags diags = {.errors = 0};
    struct conf_file file = {.documents = 7};
    assert_int_equal(conf_load_text(&diags, "a.yaml",
                                    STR("\xef\xbb\xbf"
                                        "a: 1\n\tb: @2\n"),
                                    &file),
                     ERR_INVALID);
    assert_int_equal(conf_load_text(&diags, "b.yaml", STR("a: @2"), &file), ERR_INVALID);
    assert_int_equal(conf_load_text(&diags, "c.yaml", STR("a: \xff\n"), &file), ERR_INVALID);
    assert_int_equal(conf_load(&diags, "/nowhere/a.yaml", &file), ERR_IO);
    assert_int_equal(file.documents, 7);
    assert_printed(&diags, NULL, 0, false,
                   "a.yaml:2:1: error: a tab indents this line: YAML wants blanks there\n"
                   "    2 |     b: @2\n"
                   "      | ^\n"
                   "b.yaml:1:4: error: a text cannot begin with \"@\": put \"@2\" in quotes\n"
                   "    1 | a: @2\n"
                   "      |    ^\n"
                   "c.yaml:1:4: error: the byte 0xFF is not UTF-8: save the file as UTF-8\n"
                   "    1 | a: \xef\xbf\xbd\n"
                   "      |    ^\n"
                   "error: cannot open /nowhere/a.yaml: No such file or directory\n");
}

static void test_marks_stand_below_the_lines_of_long_files(void **state)
{
    (void) state;
    _cleanup_(buf_done) struct buf text;
    struct conf_diags diags = {.errors = 0};
    struct conf_file file;
    buf_init(&text, 1 << 20);
    for (int i = 1; i < 100000; i++) {
        buf_add_char(&text, '\n');
    }
    buf_add_cstr(&text, "k: @v");
    assert_int_equal(conf_load_text(&diags, "a.yaml", buf_str(&text), &file), ERR_INVALID);
    assert_printed(&diags, NULL, 0, false,
                   "a.yaml:100000:4: error: a text cannot begin with \"@\": put \"@v\" in quotes\n"
                   "100000 | k: @v\n"
                   "       |    ^\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_mark_and_order_of_places),
        cmocka_unit_test(test_color_for_terminals),
        cmocka_unit_test(test_files_come_in_their_order_and_others_have_no_source),
        cmocka_unit_test(test_marks_stand_below_what_they_mean),
        cmocka_unit_test(test_odd_characters_of_messages_are_harmless),
        cmocka_unit_test(test_wide_lines_are_cut_around_the_place),
        cmocka_unit_test(test_many_are_counted_and_not_kept),
        cmocka_unit_test(test_the_same_at_the_same_place_is_told_once),
        cmocka_unit_test(test_unknown_keys_get_the_near_one_or_the_list),
        cmocka_unit_test(test_a_file_that_is_no_yaml_shows_its_line),
        cmocka_unit_test(test_marks_stand_below_the_lines_of_long_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
