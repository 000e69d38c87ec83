/* gzip and deflate blocks: there and back, limits, and what is broken. */
#include "base/cleanup.h"
#include "rpc/gzip.h"
#include "support/t.h"

#include <zlib.h>

/* "hello" by another implementation: gzip -n, and zlib's format by python. */
#define HELLO_GZIP                                                                         \
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36" \
    "\x05\x00\x00\x00"
#define HELLO_ZLIB "\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x15"
#define HELLO_RAW  "\xcb\x48\xcd\xc9\xc9\x07\x00"

static void test_blocks_are_read(void **state)
{
    (void) state;
    static const struct {
        struct str block;
        enum rpc_coding coding;
        const char *text;
    } rows[] = {
        {{HELLO_GZIP, sizeof HELLO_GZIP - 1}, RPC_GZIP, "hello"},
        {{HELLO_ZLIB, sizeof HELLO_ZLIB - 1}, RPC_DEFLATE, "hello"},
        {{HELLO_GZIP HELLO_GZIP, 2 * (sizeof HELLO_GZIP - 1)}, RPC_GZIP, "hellohello"},
    };
    T_TABLE(row, rows)
    {
        _cleanup_(buf_done) struct buf out;
        struct err err = {0};
        buf_init(&out, 10);
        t_check(rpc_inflate(row->block, row->coding, &out, &err) == 0, "%s", err.msg);
        assert_str(buf_str(&out), row->text);
    }
}

static void test_broken_blocks_say_what_is_wrong(void **state)
{
    (void) state;
    static const struct {
        struct str block;
        enum rpc_coding coding;
        const char *message;
    } rows[] = {
        {{"", 0}, RPC_GZIP, "the gzip data end in the middle, after 0 bytes"},
        {{HELLO_GZIP, 20}, RPC_GZIP, "the gzip data end in the middle, after 20 bytes"},
        {{HELLO_ZLIB, 5}, RPC_DEFLATE, "the deflate data end in the middle, after 5 bytes"},
        {{"<html>", 6}, RPC_GZIP, "the gzip data do not begin with 1f 8b"},
        {{HELLO_ZLIB, 13}, RPC_GZIP, "the gzip data do not begin with 1f 8b"},
        {{HELLO_RAW, sizeof HELLO_RAW - 1},
         RPC_DEFLATE,
         "the deflate data are not in the zlib format (RFC 1950), maybe raw deflate"},
        {{HELLO_GZIP "xy", sizeof HELLO_GZIP + 1},
         RPC_GZIP,
         "2 bytes stand behind the end of the gzip data"},
        {{HELLO_ZLIB HELLO_ZLIB, 26},
         RPC_DEFLATE,
         "13 bytes stand behind the end of the deflate data"},
        {{HELLO_GZIP HELLO_GZIP, 30}, RPC_GZIP, "the gzip data end in the middle, after 30 bytes"},
        {{"\x78\x9c\xcb\x48\xcd\xc9\xc9\x07\x00\x06\x2c\x02\x16", 13},
         RPC_DEFLATE,
         "the deflate data are broken near byte 13: incorrect data check"},
        {{"\x78\xbb\x01\x02\x03\x04", 6},
         RPC_DEFLATE,
         "the deflate data want a dictionary, which there is not"},
    };
    T_TABLE(row, rows)
    {
        _cleanup_(buf_done) struct buf out;
        struct err err = {0};
        buf_init(&out, 100);
        int rc = rpc_inflate(row->block, row->coding, &out, &err);
        assert_err(rc, &err, ERR_INVALID, row->message);
    }
}

static void test_a_bomb_is_stopped_at_the_limit(void **state)
{
    (void) state;
    _cleanup_(buf_done) struct buf text, bomb, out;
    static const char zeros[1 << 16];
    struct err err = {0};
    buf_init(&text, 64 << 20);
    buf_init(&bomb, 1 << 20);
    buf_init(&out, 1000);
    for (int i = 0; i < 64; i++) {
        buf_add(&text, zeros, sizeof zeros);
    }
    rpc_gzip(buf_str(&text), &bomb);
    assert_false(bomb.failed);
    assert_in_range(bomb.len, 1, 10000);
    assert_err(rpc_inflate(buf_str(&bomb), RPC_GZIP, &out, &err), &err, ERR_FULL,
               "the gzip data are more than 1000 bytes when uncompressed");
    assert_in_range(out.cap, 0, 1001);
}

static void test_any_text_comes_back(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    for (int round = 0; round < 60; round++) {
        _cleanup_(buf_done) struct buf text, block, back;
        size_t len = (size_t) t_random_below(&random, 70000), mask = t_random(&random) & 0xff;
        buf_init(&text, 70000);
        buf_init(&block, 80000);
        buf_init(&back, 70000);
        for (size_t i = 0; i < len; i++) {
            buf_add_char(&text, (char) (uint8_t) (t_random(&random) & mask));
        }
        rpc_gzip(buf_str(&text), &block);
        assert_int_equal(rpc_inflate(buf_str(&block), RPC_GZIP, &back, NULL), 0);
        assert_true(str_eq(buf_str(&text), buf_str(&back)));
    }
}

static void test_no_damage_passes(void **state)
{
    (void) state;
    size_t passed = 0;
    for (size_t i = 0; i < 8 * (sizeof HELLO_GZIP - 1); i++) {
        char block[] = HELLO_GZIP;
        _cleanup_(buf_done) struct buf out;
        struct err err = {0};
        buf_init(&out, 100);
        block[i / 8] = (char) (block[i / 8] ^ 1 << i % 8);
        int rc = rpc_inflate((struct str){block, sizeof block - 1}, RPC_GZIP, &out, &err);
        /* Time, system and the last bits, which nothing uses, say nothing about the text. */
        if (rc == 0) {
            t_check(str_eq_cstr(buf_str(&out), "hello"), "bit %zu", i);
            passed++;
        } else {
            assert_true(err.msg[0] != '\0');
        }
    }
    assert_in_range(passed, 0, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_read),
        cmocka_unit_test(test_broken_blocks_say_what_is_wrong),
        cmocka_unit_test(test_a_bomb_is_stopped_at_the_limit),
        cmocka_unit_test(test_any_text_comes_back),
        cmocka_unit_test(test_no_damage_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
