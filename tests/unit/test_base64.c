/* Base64: vectors of RFC 4648, both alphabets, with and without padding, and what is refused. */
#include "base/base64.h"
#include "support/t.h"

struct pair {
    const char *bytes, *padded, *bare;
};

/* RFC 4648 section 10. */
static const struct pair vectors[] = {
    {"", "", ""},
    {"f", "Zg==", "Zg"},
    {"fo", "Zm8=", "Zm8"},
    {"foo", "Zm9v", "Zm9v"},
    {"foob", "Zm9vYg==", "Zm9vYg"},
    {"fooba", "Zm9vYmE=", "Zm9vYmE"},
    {"foobar", "Zm9vYmFy", "Zm9vYmFy"},
};

static void test_the_vectors_of_the_rfc(void **state)
{
    (void) state;
    T_TABLE(row, vectors)
    {
        char text[16], bytes[16];
        size_t len;
        struct str in = str_of(row->bytes);
        assert_int_equal(base64_encoded_len(in.len, true), strlen(row->padded));
        assert_int_equal(base64_encoded_len(in.len, false), strlen(row->bare));
        assert_str(((struct str){text, base64_encode(in, true, text)}), row->padded);
        assert_str(((struct str){text, base64_encode(in, false, text)}), row->bare);
        const char *const forms[] = {row->padded, row->bare};
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(base64_decode(str_of(forms[i]), bytes,
                                           base64_decoded_max(strlen(forms[i])), &len, NULL),
                             0);
            assert_str(((struct str){bytes, len}), row->bytes);
        }
    }
}

static void test_both_alphabets_are_read(void **state)
{
    (void) state;
    char out[4];
    size_t len = 0;
    const char *const forms[] = {"+/+/", "-_-_"};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(base64_decode(str_of(forms[i]), out, sizeof out, &len, NULL), 0);
        assert_int_equal(len, 3);
        assert_memory_equal(out, "\xfb\xff\xbf", 3);
    }
    /* Bits left over: the text that protobuf's conformance tests have. */
    assert_int_equal(base64_decode(STR("-_"), out, sizeof out, &len, NULL), 0);
    assert_int_equal(len, 1);
    assert_memory_equal(out, "\xfb", 1);
}

static void test_what_is_refused_says_why(void **state)
{
    (void) state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"Z", "1 characters are one too many or too few: the last group has 2, 3 or 4"},
        {"Zm9vY", "5 characters are one too many or too few: the last group has 2, 3 or 4"},
        {"Zg=",
         "the padding \"=\" does not fill up to four characters: leave it out or write all of it"},
        {"Zg===",
         "the padding \"=\" does not fill up to four characters: leave it out or write all of it"},
        {"Zm9v=",
         "the padding \"=\" does not fill up to four characters: leave it out or write all of it"},
        {"====",
         "the padding \"=\" does not fill up to four characters: leave it out or write all of it"},
        {"Zg==Zg==", "character 3 is \"=\", which base64 has not"},
        {"Zm 9v", "character 3 is \" \", which base64 has not"},
        {"Zm 9vY", "character 3 is \" \", which base64 has not"},
        {"Zm9\n", "character 4 is the byte 0x0a, which base64 has not"},
        {"Z\xc3\xa4g", "character 2 is \"\xc3\xa4\", which base64 has not"},
        {"Zg\xff\xff", "character 3 is the byte 0xff, which base64 has not"},
        {"+_aa", "character 2 is of the other alphabet: write \"+/\" or \"-_\", not both"},
    };
    T_TABLE(row, rows)
    {
        char out[16];
        size_t len = 77;
        struct err err = {0};
        int rc = base64_decode(str_of(row->text), out, sizeof out, &len, &err);
        t_check(rc == ERR_INVALID, "%s", row->text);
        assert_string_equal(err.msg, row->message);
        assert_int_equal(len, 77);
    }
}

static void test_out_is_never_passed(void **state)
{
    (void) state;
    char out[4] = "abc";
    size_t len = 0;
    struct err err = {0};
    assert_err(base64_decode(STR("Zm9v"), out, 2, &len, &err), &err, ERR_FULL,
               "3 bytes, at most 2");
    assert_string_equal(out, "abc");
    assert_int_equal(base64_decode(STR("Zm9v"), out, 3, &len, &err), 0);
    assert_int_equal(out[3], '\0');
}

static void test_any_bytes_come_back(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    for (int round = 0; round < 2000; round++) {
        char bytes[64], text[96], back[64];
        size_t len = (size_t) t_random_below(&random, sizeof bytes + 1), got;
        for (size_t i = 0; i < len; i++) {
            bytes[i] = (char) (uint8_t) t_random(&random);
        }
        bool padded = t_random_below(&random, 2) == 0;
        size_t n = base64_encode((struct str){bytes, len}, padded, text);
        assert_int_equal(n, base64_encoded_len(len, padded));
        assert_int_equal(base64_decode((struct str){text, n}, back, sizeof back, &got, NULL), 0);
        assert_int_equal(got, len);
        assert_memory_equal(back, bytes, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_vectors_of_the_rfc),
        cmocka_unit_test(test_both_alphabets_are_read),
        cmocka_unit_test(test_what_is_refused_says_why),
        cmocka_unit_test(test_out_is_never_passed),
        cmocka_unit_test(test_any_bytes_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
