/* grpc-message: escapes, broken escapes, and every text there and back. */
#include "support/t.h"
#include "base/cleanup.h"
#include "rpc/percent.h"

static void test_messages_are_decoded(void **state)
{
    (void) state;
    static const struct {
        const char *wire, *text;
    } rows[] = {
        {"", ""},
        {"plain", "plain"},
        {"a%20b", "a b"},
        {"%", "%"},
        {"%4", "%4"},
        {"%zz", "%zz"},
        {"100%", "100%"},
        {"100% of", "100% of"},
        {"%%41", "%A"},
        {"%4%41", "%4A"},
        {"%e2%82%ac", "\xe2\x82\xac"},
        {"%E2%82%AC", "\xe2\x82\xac"},
        {"%2541", "%41"}, /* decoded once, not again */
        {"+", "+"},
        /* The interop tests' message: tab, line ends and a character beyond the first plane. */
        {"%09%0Atest with whitespace%0D%0Aand Unicode BMP %E2%98%BA and non-BMP %F0%9F%98%88%09%0A",
         "\t\ntest with whitespace\r\nand Unicode BMP \xe2\x98\xba and non-BMP \xf0\x9f\x98\x88"
         "\t\n"},
    };
    T_TABLE(row, rows)
    {
        _cleanup_(buf_done) struct buf out;
        buf_init(&out, 1024);
        rpc_percent_decode(str_of(row->wire), &out);
        assert_str(buf_str(&out), row->text);
    }
}

static void test_only_what_a_header_may_hold_is_written(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    for (int round = 0; round < 2000; round++) {
        _cleanup_(buf_done) struct buf wire, back;
        char text[40];
        size_t len = (size_t) t_random_below(&random, sizeof text + 1);
        for (size_t i = 0; i < len; i++) {
            text[i] = (char) (uint8_t) t_random(&random);
        }
        buf_init(&wire, 3 * sizeof text);
        buf_init(&back, sizeof text);
        rpc_percent_encode((struct str){text, len}, &wire);
        for (size_t i = 0; i < wire.len; i++) {
            assert_in_range(wire.ptr[i], ' ', '~');
        }
        rpc_percent_decode(buf_str(&wire), &back);
        assert_false(wire.failed || back.failed);
        assert_int_equal(back.len, len);
        assert_memory_equal(back.ptr, text, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_are_decoded),
        cmocka_unit_test(test_only_what_a_header_may_hold_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
