/* JSON reader: what RFC 8259 allows as tokens, what it forbids with its place and reason. */
#include "base/json.h"
#include "support/t.h"

/* The tokens of a text in short: { } [ ] k:KEY s:STRING n:NUMBER T F N, $ for the end, ! error. */
static void trace(struct str text, char *out, size_t size)
{
    struct json_reader r;
    struct buf b;
    enum json_token token;
    buf_init_fixed(&b, out, size);
    json_reader_init(&r, text);
    do {
        token = json_next(&r);
        buf_add_char(&b, "!${}[]ksnTFN"[token]);
        if (token == JSON_KEY || token == JSON_STRING || token == JSON_NUMBER) {
            buf_addf(&b, ":" STR_FMT "%s ", STR_ARG(r.value), r.escaped ? "*" : "");
        }
    } while (token > JSON_END);
    assert_int_equal(json_next(&r), token); /* the end and an error stay */
    assert_int_equal(r.error != NULL, token == JSON_ERROR);
}

static void test_valid_texts(void **state)
{
    (void) state;
    const struct {
        const char *text, *tokens;
    } rows[] = {
        {"{}", "{}$"},
        {"[]", "[]$"},
        {" \t\r\n[ ] ", "[]$"},
        {"null", "N$"},
        {"true", "T$"},
        {" false ", "F$"},
        {"\"\"", "s: $"},
        {"0", "n:0 $"},
        {"[-0,1.5,1e5,1E-5,-1.0e+2]", "[n:-0 n:1.5 n:1e5 n:1E-5 n:-1.0e+2 ]$"},
        {"{\"a\" : 1 , \"b\":[true,null]}", "{k:a n:1 k:b [TN]}$"},
        {"{\"a\":{},\"a\":{}}", "{k:a {}k:a {}}$"},
        {"[[[]],{}]", "[[[]]{}]$"},
        {"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u12aF\"]", "[s:\\\"\\\\\\/\\b\\f\\n\\r\\t\\u12aF* ]$"},
        {"[\"\\\\\"]", "[s:\\\\* ]$"},
        {"{\"\\u0061\":1}", "{k:\\u0061* n:1 }$"},
        {"\"\xc3\xa4\xf0\x9f\x98\x80\x7f\"", "s:\xc3\xa4\xf0\x9f\x98\x80\x7f $"},
    };
    T_TABLE(row, rows)
    {
        char got[200];
        trace(str_of(row->text), got, sizeof got);
        t_check(strcmp(got, row->tokens) == 0, "%s: %s, not %s", row->text, got, row->tokens);
    }
}

struct refusal {
    struct str text;
    unsigned line, col;
    const char *error;
};

static void assert_refused(const struct refusal *row)
{
    struct json_reader r;
    unsigned line = 0, col = 0;
    json_reader_init(&r, row->text);
    while (json_next(&r) > JSON_END) {
    }
    assert_int_equal(json_next(&r), JSON_ERROR);
    json_reader_pos(&r, &line, &col);
    t_check(strcmp(r.error, row->error) == 0 && line == row->line && col == row->col,
            STR_FMT ": %u:%u: %s, not %u:%u: %s", STR_ARG(row->text), line, col, r.error, row->line,
            row->col, row->error);
}

#define EARLY  "the text ends too early"
#define VALUE  "expected a value"
#define MORE   "more text after the value"
#define NUMBER "malformed number"
#define ESCAPE "malformed escape"

static void test_a_text_that_ends_too_early_is_refused_with_its_place(void **state)
{
    (void) state;
    const struct refusal rows[] = {
        {STR(""), 1, 1, EARLY},         {STR("  "), 1, 3, EARLY},
        {STR("["), 1, 2, EARLY},        {STR("{"), 1, 2, EARLY},
        {STR("[1"), 1, 3, EARLY},       {STR("[1,"), 1, 4, EARLY},
        {STR("{\"a\""), 1, 5, EARLY},   {STR("{\"a\":"), 1, 6, EARLY},
        {STR("{\"a\":1"), 1, 7, EARLY}, {STR("{\"a\":1,"), 1, 8, EARLY},
        {STR("\"abc"), 1, 5, EARLY},
    };
    T_TABLE(row, rows)
    {
        assert_refused(row);
    }
}

static void test_wrong_structure_is_refused_with_its_place(void **state)
{
    (void) state;
    const struct refusal rows[] = {
        {STR("]"), 1, 1, VALUE},
        {STR("[,1]"), 1, 2, VALUE},
        {STR("[1,]"), 1, 4, VALUE},
        {STR("[1 2]"), 1, 4, "expected ',' or ']'"},
        {STR("[1}"), 1, 3, "expected ',' or ']'"},
        {STR("[1:2]"), 1, 3, "expected ',' or ']'"},
        {STR("{\n  \"a\": 1\n  \"b\": 2}"), 3, 3, "expected ',' or '}'"},
        {STR("{\"a\":1]"), 1, 7, "expected ',' or '}'"},
        {STR("{\"a\":1,}"), 1, 8, "expected a key in quotes"},
        {STR("{,}"), 1, 2, "expected a key in quotes"},
        {STR("{a:1}"), 1, 2, "expected a key in quotes"},
        {STR("{1:1}"), 1, 2, "expected a key in quotes"},
        {STR("{'a':1}"), 1, 2, "expected a key in quotes"},
        {STR("{\"a\" 1}"), 1, 6, "expected ':' after the key"},
        {STR("{\"a\"}"), 1, 5, "expected ':' after the key"},
        {STR("{\"a\":}"), 1, 6, VALUE},
        {STR("{\"a\":,}"), 1, 6, VALUE},
        {STR("{} {}"), 1, 4, MORE},
        {STR("1 2"), 1, 3, MORE},
        {STR("[]]"), 1, 3, MORE},
        {STR("1,"), 1, 2, MORE},
        {STR("truex"), 1, 5, MORE},
    };
    T_TABLE(row, rows)
    {
        assert_refused(row);
    }
}

static void test_wrong_words_numbers_and_strings_is_refused_with_its_place(void **state)
{
    (void) state;
    const struct refusal rows[] = {
        {STR("nul"), 1, 1, VALUE},
        {STR("True"), 1, 1, VALUE},
        {STR("NaN"), 1, 1, VALUE},
        {STR("Infinity"), 1, 1, VALUE},
        {STR("-"), 1, 1, NUMBER},
        {STR("-x"), 1, 1, NUMBER},
        {STR("+1"), 1, 1, VALUE},
        {STR(".5"), 1, 1, VALUE},
        {STR("5."), 1, 1, NUMBER},
        {STR("01"), 1, 1, NUMBER},
        {STR("-01"), 1, 1, NUMBER},
        {STR("1e"), 1, 1, NUMBER},
        {STR("1.2.3"), 1, 1, NUMBER},
        {STR("1-2"), 1, 1, NUMBER},
        {STR("0x10"), 1, 2, MORE},
        {STR("[\"a\nb\"]"), 1, 4, "a control character in a string must be escaped"},
        {STR("[\"a\0b\"]"), 1, 4, "a control character in a string must be escaped"},
        {STR("\"\\x\""), 1, 2, ESCAPE},
        {STR("\"\\u12g4\""), 1, 2, ESCAPE},
        {STR("\"\\u12\""), 1, 2, ESCAPE},
        {STR("\"\\\0\""), 1, 2, ESCAPE},
        {STR("\"\\"), 1, 2, ESCAPE},
        {STR("\"a\xff\""), 1, 3, "invalid UTF-8"},
        {STR("\"\xc3\""), 1, 2, "invalid UTF-8"},
        {STR("\"\xed\xa0\x80\""), 1, 2, "invalid UTF-8"},
        {STR("\xef\xbb\xbf{}"), 1, 1, VALUE},
        {STR("[1]\0"), 1, 4, MORE},
        {STR("\0"), 1, 1, VALUE},
        {STR("/* c */ 1"), 1, 1, VALUE},
    };
    T_TABLE(row, rows)
    {
        assert_refused(row);
    }
}

static void test_nesting_is_bounded(void **state)
{
    (void) state;
    char text[200], got[400];
    for (size_t depth = 1; depth <= 60; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        trace((struct str){text, 2 * depth}, got, sizeof got);
        bool accepted = got[strlen(got) - 1] == '$';
        assert_int_equal(accepted, depth <= JSON_READER_DEPTH);
    }
}

/* Cut at each byte, a text is an error and never something else. */
static void test_each_beginning_of_a_text_is_refused(void **state)
{
    (void) state;
    static const char text[] =
        "{\"a\":[1,-2.5e3,\"x\\u00e4\\n\xc3\xa4\"],\"b\":{\"c\":null},\"d\":true}";
    for (size_t len = 0; len < sizeof text - 1; len++) {
        char got[300];
        char *exact = malloc(len == 0 ? 1 : len); /* for the sanitizer to see a read past the end */
        assert_non_null(exact);
        memcpy(exact, text, len);
        trace((struct str){exact, len}, got, sizeof got);
        assert_int_equal(got[strlen(got) - 1], '!');
        free(exact);
    }
}

static void test_position_of_tokens(void **state)
{
    (void) state;
    struct json_reader r;
    unsigned line, col;
    json_reader_init(&r, STR("{\n  \"a\": 12,\n  \"b\": []}"));
    const struct {
        enum json_token token;
        unsigned line, col;
    } rows[] = {
        {JSON_OBJ_BEGIN, 1, 1}, {JSON_KEY, 2, 3},     {JSON_NUMBER, 2, 8},   {JSON_KEY, 3, 3},
        {JSON_ARR_BEGIN, 3, 8}, {JSON_ARR_END, 3, 9}, {JSON_OBJ_END, 3, 10}, {JSON_END, 3, 11},
    };
    T_TABLE(row, rows)
    {
        assert_int_equal(json_next(&r), row->token);
        json_reader_pos(&r, &line, &col);
        assert_int_equal(line, row->line);
        assert_int_equal(col, row->col);
    }
}

static void test_skip_passes_one_value(void **state)
{
    (void) state;
    static const char *const values[] = {
        "1", "\"x\"", "null", "[]", "{}", "[1,[2,{\"y\":[]}]]", "{\"y\":{\"z\":[1,2]},\"w\":0}"};
    T_TABLE(value, values)
    {
        char text[100];
        struct json_reader r;
        (void) snprintf(text, sizeof text, "{\"a\":%s,\"b\":[%s,7]}", *value, *value);
        json_reader_init(&r, str_of(text));
        assert_int_equal(json_next(&r), JSON_OBJ_BEGIN);
        assert_int_equal(json_next(&r), JSON_KEY);
        assert_int_equal(json_skip(&r), 0);
        assert_int_equal(json_next(&r), JSON_KEY);
        assert_str(r.value, "b");
        assert_int_equal(json_next(&r), JSON_ARR_BEGIN);
        assert_int_equal(json_skip(&r), 0);
        assert_int_equal(json_next(&r), JSON_NUMBER);
        assert_str(r.value, "7");
        assert_int_equal(json_next(&r), JSON_ARR_END);
    }
}

static void test_skip_refuses_where_no_value_is(void **state)
{
    (void) state;
    struct json_reader r;
    json_reader_init(&r, STR("[]"));
    assert_int_equal(json_next(&r), JSON_ARR_BEGIN);
    assert_int_equal(json_skip(&r), ERR_INVALID);
    assert_int_equal(json_skip(&r), ERR_INVALID); /* the end of the text */
    json_reader_init(&r, STR("[[1,x]]"));
    assert_int_equal(json_skip(&r), ERR_INVALID);
    assert_string_equal(r.error, "expected a value");
}

static void test_unescape(void **state)
{
    (void) state;
    const struct {
        struct str raw;
        int rc;
        const char *text;
    } rows[] = {
        {STR(""), 0, ""},
        {STR("plain \xc3\xa4"), 0, "plain \xc3\xa4"},
        {STR("\\\"\\\\\\/\\b\\f\\n\\r\\t"), 0, "\"\\/\b\f\n\r\t"},
        {STR("\\u0041\\u00e4\\u20AC\\uFFFF"), 0, "A\xc3\xa4\xe2\x82\xac\xef\xbf\xbf"},
        {STR("\\ud83d\\ude00"), 0, "\xf0\x9f\x98\x80"},
        {STR("\\uD800\\uDC00\\udbff\\udfff"), 0, "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
        {STR("\\u0000"), ERR_INVALID, NULL},
        {STR("a\0b"), ERR_INVALID, NULL},
        {STR("\\ud83d"), ERR_INVALID, NULL},
        {STR("\\ud83dx"), ERR_INVALID, NULL},
        {STR("\\ud83d\\n"), ERR_INVALID, NULL},
        {STR("\\ud83d\\u0041"), ERR_INVALID, NULL},
        {STR("\\ud83d\\ud83d"), ERR_INVALID, NULL},
        {STR("\\ud83d\\udbff"), ERR_INVALID, NULL},
        {STR("\\ud83d\\ue000"), ERR_INVALID, NULL},
        {STR("\\ude00"), ERR_INVALID, NULL},
        {STR("\\u12"), ERR_INVALID, NULL},
        {STR("\\x"), ERR_INVALID, NULL},
        {STR("\\"), ERR_INVALID, NULL},
    };
    T_TABLE(row, rows)
    {
        char out[64];
        struct str text = STR("untouched");
        assert_int_equal(json_unescape(row->raw, out, sizeof out, &text), row->rc);
        assert_str(text, row->rc == 0 ? row->text : "untouched");
        if (row->rc == 0) {
            size_t len = strlen(row->text); /* exactly len + 1 bytes are needed */
            assert_int_equal(json_unescape(row->raw, out, len + 1, &text), 0);
            assert_int_equal(out[len], '\0');
            assert_int_equal(json_unescape(row->raw, out, len, &text), ERR_FULL);
        }
    }
}

static void test_unescape_with_nul_takes_any_text(void **state)
{
    (void) state;
    char out[16];
    struct str text = STR("untouched");
    assert_int_equal(json_unescape_nul(STR("a\\u0000b"), out, sizeof out, &text), 0);
    t_check(str_eq(text, STR("a\0b")), STR_FMT, STR_ARG(text));
    assert_int_equal(json_unescape_nul(STR("\\ud83d"), out, sizeof out, &text), ERR_INVALID);
    assert_int_equal(json_unescape_nul(STR("ab"), out, 2, &text), ERR_FULL);
}

static void test_deep_texts_are_read_by_those_who_ask(void **state)
{
    (void) state;
    char text[1000];
    for (size_t depth = 1; depth <= 140; depth++) {
        /* {"a":[{"a":[ ... : each level must remember what closes it. */
        size_t len = 0;
        for (size_t d = 0; d < depth; d++) {
            text[len++] = d % 3 == 0 ? '{' : '[';
            if (d % 3 == 0) {
                text[len++] = '"';
                text[len++] = '"';
                text[len++] = ':';
            }
        }
        text[len++] = '1';
        for (size_t d = depth; d-- > 0;) {
            text[len++] = d % 3 == 0 ? '}' : ']';
        }
        struct json_reader r;
        enum json_token token;
        json_reader_init_deep(&r, (struct str){text, len}, 100);
        while ((token = json_next(&r)) > JSON_END) {
        }
        t_check((token == JSON_END) == (depth <= 100), "%zu levels", depth);
        if (depth == 101) {
            assert_string_equal(r.error, "nested too deep (the limit is 100)");
        }
        json_reader_init_deep(&r, (struct str){text, len}, 1000);
        t_check((json_skip(&r) == 0) == (depth <= JSON_READER_DEPTH_MAX), "%zu levels", depth);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_valid_texts),
        cmocka_unit_test(test_a_text_that_ends_too_early_is_refused_with_its_place),
        cmocka_unit_test(test_wrong_structure_is_refused_with_its_place),
        cmocka_unit_test(test_wrong_words_numbers_and_strings_is_refused_with_its_place),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_each_beginning_of_a_text_is_refused),
        cmocka_unit_test(test_position_of_tokens),
        cmocka_unit_test(test_skip_passes_one_value),
        cmocka_unit_test(test_skip_refuses_where_no_value_is),
        cmocka_unit_test(test_unescape),
        cmocka_unit_test(test_unescape_with_nul_takes_any_text),
        cmocka_unit_test(test_deep_texts_are_read_by_those_who_ask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
