#include "support/t.h"

#include "proto/source_lex_int.h"

#include <math.h>

static struct lex lex_of(const char *text, struct err *err)
{
    struct lex lex;
    lex_init(&lex, str_of(text), "x.proto", err);
    return lex;
}

static void test_tokens_are_told_apart(void **state)
{
    (void) state;
    static const struct {
        enum lex_kind kind;
        const char *text;
    } WANTED[] = {
        {LEX_IDENT, "message"}, {LEX_IDENT, "_a1"},  {LEX_SYMBOL, "{"},  {LEX_INT, "12"},
        {LEX_INT, "0x1F"},      {LEX_INT, "017"},    {LEX_INT, "0"},     {LEX_FLOAT, "1.5"},
        {LEX_FLOAT, ".5"},      {LEX_FLOAT, "1e-3"}, {LEX_FLOAT, "2."},  {LEX_STRING, "\"a\\\"b\""},
        {LEX_STRING, "'c\"'"},  {LEX_SYMBOL, "."},   {LEX_IDENT, "b"},   {LEX_SYMBOL, "-"},
        {LEX_INT, "3"},         {LEX_SYMBOL, "/"},   {LEX_IDENT, "end"}, {LEX_END, ""},
        {LEX_END, ""},
    };
    struct err err = {0};
    struct lex lex =
        lex_of("\xef\xbb\xbf/* a */ message _a1{12 0x1F 017 0 1.5 .5 1e-3 2. \"a\\\"b\"'c\"'"
               " // to the end\n.b -3 / /**/end // no line behind",
               &err);
    T_TABLE(row, WANTED)
    {
        assert_int_equal(lex_next(&lex), 0);
        assert_int_equal(lex.token.kind, row->kind);
        assert_str(lex.token.text, row->text);
    }
}

static void test_strings_stand_for_bytes(void **state)
{
    (void) state;
    static const struct {
        const char *text, *bytes;
        size_t len;
    } ROWS[] = {
        {"\"plain\"", "plain", 5},
        {"''", "", 0},
        {"\"a\" 'b' /* c */ \"d\"", "abd", 3},
        {"\"\\a\\b\\f\\n\\r\\t\\v\\\\\\?\\'\\\"\"", "\a\b\f\n\r\t\v\\?'\"", 11},
        {"\"\\0\\12\\1234\"",
         "\0\n\123"
         "4",
         4},
        {"\"\\x1\\x41f\\XfF\"",
         "\x01"
         "Af\xff",
         4},
        {"\"\\u00e9\\U0001F600\"", "\xc3\xa9\xf0\x9f\x98\x80", 6},
        {"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", 4},
    };
    T_TABLE(row, ROWS)
    {
        struct err err = {0};
        struct arena arena;
        arena_init(&arena, 4096);
        struct lex lex = lex_of(row->text, &err);
        struct str value = {0};
        assert_int_equal(lex_next(&lex), 0);
        assert_int_equal(lex_string(&lex, &arena, &value), 0);
        assert_int_equal(value.len, row->len);
        assert_memory_equal(value.ptr, row->bytes, row->len);
        assert_int_equal(lex.token.kind, LEX_END);
        arena_done(&arena);
    }
}

static void test_what_is_no_token_is_refused_with_its_place(void **state)
{
    (void) state;
    static const struct {
        const char *text, *message;
        unsigned line, col;
    } ROWS[] = {
        {"\n  /* no end", "the comment that begins here has no end: close it with */", 2, 3},
        {"\"no end\n\"", "the string that begins here has no end on its line: close it with \"", 1,
         1},
        {"\"no end\\", "the string that begins here has no end on its line: close it with \"", 1,
         1},
        {"089", "\"089\" begins with 0 and so is octal, where the digit 8 is not", 1, 1},
        {"0x", "a hexadecimal number needs digits, such as 0x1f", 1, 1},
        {"12abc", "\"12a\" is no number", 1, 1},
        {"1.2.3", "\"1.2.\" is no number", 1, 1},
        {" 1e+", "an exponent needs digits, such as 1e5", 1, 2},
        {"\x01", "the byte 0x01 may not stand here", 1, 1},
        {"\xff", "the byte 0xff may not stand here", 1, 1},
        {"\xc3\xa9", "\"\xc3\xa9\" may stand in strings and comments only", 1, 1},
    };
    T_TABLE(row, ROWS)
    {
        struct err err = {0};
        struct lex lex = lex_of(row->text, &err);
        assert_err(lex_next(&lex), &err, ERR_INVALID, row->message);
        assert_string_equal(err.pos.file, "x.proto");
        assert_int_equal(err.pos.line, row->line);
        assert_int_equal(err.pos.col, row->col);
    }
}

static void test_wrong_escapes_are_refused_at_their_place(void **state)
{
    (void) state;
    static const struct {
        const char *text, *message;
        unsigned col;
    } ROWS[] = {
        {"\"a\\x\"", "\\x needs hexadecimal digits, such as \\x1f", 3},
        {"\"\\u12\"", "\\u needs 4 hexadecimal digits", 2},
        {"\"\\U00110000\"", "\\U00110000 is no character: the last is \\U0010ffff", 2},
        {"'\\q'",
         "\\q is no escape; there are \\a \\b \\f \\n \\r \\t \\v \\\\ \\? \\' \\\" \\123 \\x1f "
         "\\u1234 "
         "\\U00012345",
         2},
        {"'a' 'b\\9'",
         "\\9 is no escape; there are \\a \\b \\f \\n \\r \\t \\v \\\\ \\? \\' \\\" \\123 \\x1f "
         "\\u1234 "
         "\\U00012345",
         7},
    };
    T_TABLE(row, ROWS)
    {
        struct err err = {0};
        struct arena arena;
        arena_init(&arena, 4096);
        struct lex lex = lex_of(row->text, &err);
        struct str value = {0};
        assert_int_equal(lex_next(&lex), 0);
        assert_err(lex_string(&lex, &arena, &value), &err, ERR_INVALID, row->message);
        assert_int_equal(err.pos.col, row->col);
        arena_done(&arena);
    }
}

static void test_integers_have_three_bases_and_64_bits(void **state)
{
    (void) state;
    static const struct {
        const char *text;
        uint64_t max, value;
        int code;
    } ROWS[] = {
        {"0", 0, 0, 0},
        {"18446744073709551615", UINT64_MAX, UINT64_MAX, 0},
        {"18446744073709551616", UINT64_MAX, 0, ERR_FULL},
        {"0xFFFFFFFFFFFFFFFF", UINT64_MAX, UINT64_MAX, 0},
        {"0x10000000000000000", UINT64_MAX, 0, ERR_FULL},
        {"0777", UINT64_MAX, 511, 0},
        {"256", 255, 0, ERR_FULL},
    };
    T_TABLE(row, ROWS)
    {
        uint64_t value = 0;
        assert_int_equal(lex_int_value(str_of(row->text), row->max, &value), row->code);
        assert_true(value == row->value);
    }
}

static void test_floats_of_all_forms_are_read(void **state)
{
    (void) state;
    static const struct {
        const char *text;
        double value;
    } ROWS[] = {{".5", 0.5},    {"1.", 1},     {"1.e2", 100},
                {"0.25", 0.25}, {"1E+5", 1e5}, {"1e400", (double) INFINITY},
                {"1e-400", 0},  {"12", 12}};
    T_TABLE(row, ROWS)
    {
        double value = -1;
        assert_int_equal(lex_float_value(str_of(row->text), &value), 0);
        assert_true(value == row->value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tokens_are_told_apart),
        cmocka_unit_test(test_strings_stand_for_bytes),
        cmocka_unit_test(test_what_is_no_token_is_refused_with_its_place),
        cmocka_unit_test(test_wrong_escapes_are_refused_at_their_place),
        cmocka_unit_test(test_integers_have_three_bases_and_64_bits),
        cmocka_unit_test(test_floats_of_all_forms_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
