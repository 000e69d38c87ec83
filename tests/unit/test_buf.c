/* Bounded text: growing, fixed, and what a full one does. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "support/t.h"

static void test_growing_buf_is_terminated_from_the_start(void **state)
{
    (void) state;
    struct buf b;
    buf_init(&b, 100);
    assert_string_equal(b.ptr, "");
    assert_int_equal(buf_str(&b).len, 0);
    buf_done(&b);
    buf_done(&b);
    buf_done(NULL);
}

static void test_appends_of_each_kind(void **state)
{
    (void) state;
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, 1000);
    buf_add(&b, "a\0b", 3);
    buf_add_str(&b, STR("|str|"));
    buf_add_str(&b, (struct str){NULL, 0});
    buf_add_cstr(&b, "cstr|");
    buf_add_char(&b, '|');
    buf_add_u64(&b, 0);
    buf_add_char(&b, ' ');
    buf_add_u64(&b, UINT64_MAX);
    buf_add_char(&b, ' ');
    buf_add_i64(&b, INT64_MIN);
    buf_add_char(&b, ' ');
    buf_add_i64(&b, INT64_MAX);
    buf_addf(&b, " %s-%03d", "x", 7);
    static const char wanted[] = "a\0b|str|cstr||0 18446744073709551615 -9223372036854775808 "
                                 "9223372036854775807 x-007";
    assert_int_equal(b.len, sizeof wanted - 1);
    assert_memory_equal(b.ptr, wanted, sizeof wanted);
    assert_false(b.failed);
}

/* Both kinds, every maximum: the text is full to the last byte, and the next byte is refused. */
static void test_maximum_is_exact(void **state)
{
    (void) state;
    for (size_t max = 1; max < 300; max++) {
        char mem[301];
        struct buf bufs[2];
        buf_init(&bufs[0], max);
        buf_init_fixed(&bufs[1], mem, max + 1);
        for (size_t kind = 0; kind < 2; kind++) {
            struct buf *b = &bufs[kind];
            for (size_t i = 0; i < max; i++) {
                buf_add_char(b, 'x');
            }
            assert_false(b->failed);
            assert_int_equal(b->len, max);
            assert_int_equal(strlen(b->ptr), max);
            assert_true(b->cap <= max + 1);
            buf_add_char(b, 'y');
            assert_true(b->failed);
            assert_int_equal(strlen(b->ptr), max);
            buf_done(b);
        }
    }
}

static void test_append_that_does_not_fit_is_dropped_whole(void **state)
{
    (void) state;
    char mem[8];
    struct buf b;
    buf_init_fixed(&b, mem, sizeof mem);
    buf_add_cstr(&b, "12345");
    buf_add_cstr(&b, "678");
    assert_true(b.failed);
    assert_string_equal(b.ptr, "12345");
    buf_add_cstr(&b, "6"); /* would fit, but would make a hole */
    assert_string_equal(b.ptr, "12345");
    buf_clear(&b);
    assert_false(b.failed);
    assert_string_equal(b.ptr, "");
    buf_addf(&b, "%s", "12345678");
    assert_true(b.failed);
    assert_string_equal(b.ptr, "");
    buf_clear(&b);
    buf_addf(&b, "%d", 1234567);
    assert_false(b.failed);
    assert_string_equal(b.ptr, "1234567");
}

static void test_format_longer_than_the_memory_grows_it(void **state)
{
    (void) state;
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, 5000);
    buf_addf(&b, "%04000d", 1);
    assert_false(b.failed);
    assert_int_equal(b.len, 4000);
    assert_int_equal(b.ptr[3999], '1');
    buf_addf(&b, "%02000d", 1);
    assert_true(b.failed);
    assert_int_equal(b.len, 4000);
    assert_int_equal(b.ptr[4000], '\0');
}

static void test_zeroed_buf_takes_nothing(void **state)
{
    (void) state;
    struct buf b = {0};
    buf_clear(&b);
    buf_addf(&b, "%d", 1);
    assert_true(b.failed);
    buf_done(&b);
    buf_addf(&b, "%s", "");
    buf_add_char(&b, 'x');
    assert_true(b.failed);
    assert_int_equal(b.len, 0);
}

static void test_dropping_the_front_keeps_the_rest(void **state)
{
    struct buf b;
    (void) state;
    buf_init(&b, 10);
    buf_drop_front(&b, 0);
    buf_add_cstr(&b, "0123456789");
    buf_drop_front(&b, 4);
    assert_string_equal(b.ptr, "456789");
    buf_add_cstr(&b, "abcd");
    assert_str(buf_str(&b), "456789abcd");
    buf_add_char(&b, 'e');
    assert_true(b.failed);
    buf_drop_front(&b, 10);
    assert_string_equal(b.ptr, "");
    assert_int_equal(b.len, 0);
    assert_true(b.failed);
    buf_done(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_growing_buf_is_terminated_from_the_start),
        cmocka_unit_test(test_appends_of_each_kind),
        cmocka_unit_test(test_maximum_is_exact),
        cmocka_unit_test(test_append_that_does_not_fit_is_dropped_whole),
        cmocka_unit_test(test_format_longer_than_the_memory_grows_it),
        cmocka_unit_test(test_zeroed_buf_takes_nothing),
        cmocka_unit_test(test_dropping_the_front_keeps_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
