/* Views of bytes: comparison, cutting, "did you mean", UTF-8. */
#include "support/t.h"

static void test_equality_looks_at_all_bytes(void **state)
{
    (void) state;
    assert_true(str_eq(STR("a\0b"), (struct str){"a\0b", 3}));
    assert_false(str_eq(STR("a\0b"), (struct str){"a\0c", 3}));
    assert_false(str_eq(STR("a"), STR("ab")));
    assert_true(str_eq(STR(""), (struct str){NULL, 0}));
    assert_true(str_eq_cstr(STR("abc"), "abc"));
    assert_false(str_eq_cstr(STR("abc\0"), "abc"));
    assert_int_equal(str_of(NULL).len, 0);
}

static void test_nocase_folds_ascii_letters_only(void **state)
{
    (void) state;
    assert_true(str_eq_nocase(STR("X-Pourover-Track"), STR("x-POUROVER-track")));
    assert_false(str_eq_nocase(STR("@"), STR("`"))); /* one bit apart, as A and a are */
    assert_false(str_eq_nocase(STR("["), STR("{")));
    assert_false(str_eq_nocase(STR("\xc3\x84"), STR("\xc3\xa4")));
    assert_false(str_eq_nocase(STR("a"), STR("")));
}

static void test_prefix_and_suffix(void **state)
{
    (void) state;
    assert_true(str_starts_with(STR("abc"), STR("ab")));
    assert_true(str_starts_with(STR("abc"), STR("")));
    assert_false(str_starts_with(STR("ab"), STR("abc")));
    assert_true(str_ends_with(STR("abc"), STR("bc")));
    assert_true(str_ends_with(STR(""), (struct str){NULL, 0}));
    assert_false(str_ends_with(STR("bc"), STR("abc")));
    assert_false(str_ends_with(STR("abc"), STR("ab")));
}

static void test_cut_gives_every_piece_once(void **state)
{
    (void) state;
    const struct {
        struct str input;
        const char *pieces; /* each in brackets */
    } rows[] = {
        {STR("a,b"), "[a][b]"},      {STR("a,,b"), "[a][][b]"}, {STR(",a,"), "[][a][]"},
        {STR("abc"), "[abc]"},       {STR(""), "[]"},           {STR(","), "[][]"},
        {(struct str){NULL, 0}, ""},
    };
    T_TABLE(row, rows)
    {
        char got[64] = "";
        size_t len = 0;
        struct str head, rest = row->input;
        while (str_cut(&rest, ',', &head)) {
            len += (size_t) snprintf(got + len, sizeof got - len, "[" STR_FMT "]", STR_ARG(head));
        }
        assert_string_equal(got, row->pieces);
        assert_null(rest.ptr);
    }
}

static void test_trim_takes_blanks_at_both_ends_only(void **state)
{
    (void) state;
    assert_str(str_trim(STR(" \t a b\r\n")), "a b");
    assert_str(str_trim(STR("ab")), "ab");
    assert_int_equal(str_trim(STR(" \n ")).len, 0);
    assert_int_equal(str_trim((struct str){NULL, 0}).len, 0);
}

static void test_find_char_gives_the_first_or_the_length(void **state)
{
    (void) state;
    assert_int_equal(str_find_char(STR("a=b=c"), '='), 1);
    assert_int_equal(str_find_char(STR("abc"), '='), 3);
    assert_int_equal(str_find_char((struct str){NULL, 0}, '='), 0);
}

static void test_nearest_finds_typing_mistakes_and_nothing_else(void **state)
{
    (void) state;
    static const char *const choices[] = {"strategy", "share", "track", "kill", "id", "stable"};
    const struct {
        const char *word, *nearest;
    } rows[] = {
        {"stragety", "strategy"},
        {"strategy", "strategy"},
        {"Share", "share"},
        {"shrae", "share"},
        {"shares", "share"},
        {"sahre", "share"},
        {"tracks", "track"},
        {"kil", "kill"},
        {"ids", "id"},
        {"stabel", "stable"},
        {"weight", NULL},
        {"x", NULL},
        {"", NULL},
        {"stop", NULL},
        {"killer-app", NULL},
    };
    T_TABLE(row, rows)
    {
        const char *got = str_nearest(str_of(row->word), choices, T_LEN(choices));
        const char *wanted = row->nearest == NULL ? "(none)" : row->nearest;
        t_check(strcmp(got == NULL ? "(none)" : got, wanted) == 0, "%s: %s, not %s", row->word,
                got == NULL ? "(none)" : got, wanted);
    }
}

static void test_nearest_takes_the_first_of_equals(void **state)
{
    (void) state;
    static const char *const choices[] = {"cat", "bat", "hat"};
    assert_string_equal(str_nearest(STR("rat"), choices, T_LEN(choices)), "cat");
    assert_string_equal(str_nearest(STR("hat"), choices, T_LEN(choices)), "hat");
}

static void test_nearest_ignores_very_long_words(void **state)
{
    (void) state;
    char word[200];
    memset(word, 'a', sizeof word);
    word[sizeof word - 1] = '\0';
    const char *const choices[] = {word};
    assert_null(str_nearest(str_of(word), choices, 1));
    assert_null(str_nearest(STR("a"), choices, 1));
    assert_null(str_nearest(STR("a"), choices, 0));
}

static void test_utf8_follows_rfc_3629(void **state)
{
    (void) state;
    const struct {
        struct str bytes;
        bool valid;
    } rows[] = {
        {STR(""), true},
        {STR("plain"), true},
        {STR("a\0b"), true},
        {STR("\xc2\x80\xdf\xbf"), true},         /* U+0080, U+07FF */
        {STR("\xe0\xa0\x80\xef\xbf\xbf"), true}, /* U+0800, U+FFFF */
        {STR("\xed\x9f\xbf\xee\x80\x80"), true}, /* around the surrogates */
        {STR("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), true},
        {STR("\x80"), false},             /* a tail alone */
        {STR("\xc0\xaf"), false},         /* overlong */
        {STR("\xc1\xbf"), false},         /* overlong */
        {STR("\xe0\x9f\xbf"), false},     /* overlong */
        {STR("\xf0\x8f\xbf\xbf"), false}, /* overlong */
        {STR("\xed\xa0\x80"), false},     /* surrogate */
        {STR("\xf4\x90\x80\x80"), false}, /* above U+10FFFF */
        {STR("\xf5\x80\x80\x80"), false},
        {STR("\xff"), false},
        {STR("ok\xc3"), false}, /* cut off */
        {STR("\xe2\x82"), false},
        {STR("\xf0\x9f\x98"), false},
        {STR("\xe2\x28\xa1"), false},
        {STR("\xe2\x82\x28"), false},
        {STR("\xf0\x9f\x98\x28"), false},
    };
    T_TABLE(row, rows)
    {
        t_check(str_is_utf8(row->bytes) == row->valid, "row %zu", (size_t) (row - rows));
    }
}

static void test_utf8_char_knows_every_code_point(void **state)
{
    (void) state;
    for (uint32_t c = 0; c < 0x110000; c++) {
        char b[4] = {(char) c};
        size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
        if (len > 1) {
            static const uint32_t mark[] = {0, 0, 0xc0, 0xe0, 0xf0};
            for (size_t i = len; i-- > 1;) {
                b[i] = (char) (0x80 | (c >> (6 * (len - 1 - i)) & 0x3f));
            }
            b[0] = (char) (mark[len] | c >> (6 * (len - 1)));
        }
        bool surrogate = c >= 0xd800 && c <= 0xdfff;
        t_check(str_utf8_char((struct str){b, len}) == (surrogate ? 0 : len), "U+%04X", c);
        assert_int_equal(str_utf8_char((struct str){b, len - 1}), 0);
    }
}

static void test_every_code_point_is_written_as_it_is_read(void **state)
{
    (void) state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        char out[4];
        if (c >= 0xd800 && c <= 0xdfff) {
            continue;
        }
        size_t n = str_utf8_encode(c, out);
        t_check(str_utf8_char((struct str){out, n}) == n, "U+%04x", c);
    }
}

static void test_digits_are_ascii_and_nothing_else(void **state)
{
    (void) state;
    static const char digits[] = "0123456789abcdef", capitals[] = "0123456789ABCDEF";
    for (int c = 0; c < 256; c++) {
        const char *low = c == 0 ? NULL : strchr(digits, c),
                   *high = c == 0 ? NULL : strchr(capitals, c);
        int wanted = low != NULL    ? (int) (low - digits)
                     : high != NULL ? (int) (high - capitals)
                                    : -1;
        assert_int_equal(str_hex_digit((char) c), wanted);
        assert_int_equal(str_is_digit((char) c), wanted >= 0 && wanted < 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equality_looks_at_all_bytes),
        cmocka_unit_test(test_nocase_folds_ascii_letters_only),
        cmocka_unit_test(test_prefix_and_suffix),
        cmocka_unit_test(test_cut_gives_every_piece_once),
        cmocka_unit_test(test_trim_takes_blanks_at_both_ends_only),
        cmocka_unit_test(test_find_char_gives_the_first_or_the_length),
        cmocka_unit_test(test_nearest_finds_typing_mistakes_and_nothing_else),
        cmocka_unit_test(test_nearest_takes_the_first_of_equals),
        cmocka_unit_test(test_nearest_ignores_very_long_words),
        cmocka_unit_test(test_utf8_follows_rfc_3629),
        cmocka_unit_test(test_utf8_char_knows_every_code_point),
        cmocka_unit_test(test_every_code_point_is_written_as_it_is_read),
        cmocka_unit_test(test_digits_are_ascii_and_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
