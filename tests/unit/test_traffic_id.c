/* Ids as text: canonical form, signature, place in a Cookie header. */
#include "support/t.h"

#include "traffic/id.h"

static const uint8_t KEY[] = "sixteen bytes or more of a key";
static const struct id_key SIGNED = {KEY, sizeof(KEY) - 1};
static const struct id_key PLAIN = {NULL, 0};

static void test_a_written_id_is_valid(void **state)
{
    (void) state;
    char text[ID_SIGNED_LEN];

    assert_int_equal(id_write(0, PLAIN, text), ID_LEN);
    assert_str(((struct str){text, ID_LEN}), "0000000000000000");
    assert_int_equal(id_write(UINT64_C(0xfedcba9876543210), PLAIN, text), ID_LEN);
    assert_str(((struct str){text, ID_LEN}), "fedcba9876543210");
    assert_true(id_valid((struct str){text, ID_LEN}, PLAIN));
}

static void test_malformed_ids_are_refused(void **state)
{
    (void) state;
    const char *const bad[] = {
        "",
        "0",
        "0.5",
        "NaN",
        "inf",
        "-0",
        "1.0",
        "1e-400",
        "0x0123456789abcd",
        "0123456789abcde",
        "0123456789abcdef0",
        "0123456789ABCDEF",
        "0123456789abcdeg",
        "0123456789abcde ",
        "0,12345678901234",
        "0123456789abcd\xc3",
        "................",
    };

    T_TABLE(text, bad)
    {
        t_check(!id_valid(str_of(*text), PLAIN), "%s", *text);
    }
    assert_false(id_valid((struct str){"0123456789abcd\0f", 16}, PLAIN));
}

static void test_a_signature_is_checked(void **state)
{
    (void) state;
    char text[ID_SIGNED_LEN];
    struct str value = {text, id_write(UINT64_C(0x0123456789abcdef), SIGNED, text)};

    assert_int_equal(value.len, ID_SIGNED_LEN);
    assert_true(id_valid(value, SIGNED));
    assert_false(id_valid(value, PLAIN));
    assert_false(id_valid((struct str){text, ID_LEN}, SIGNED));
    for (size_t i = 0; i < ID_SIGNED_LEN; i++) {
        text[i] ^= 1;
        t_check(!id_valid(value, SIGNED), "byte %zu", i);
        text[i] ^= 1;
    }
    static const uint8_t other[] = "another key of enough bytes";
    assert_false(id_valid(value, (struct id_key){other, sizeof(other) - 1}));
}

static void check_cookies(const char *header, const char *const *want, size_t n)
{
    struct str rest = str_of(header), value;
    size_t i = 0;

    while (cookie_next(&rest, STR("id"), &value)) {
        t_check(i < n, "%s has a cookie too many", header);
        if (i < n) {
            assert_str(value, want[i]);
        }
        i++;
    }
    t_check(i == n, "%s has %zu cookies, not %zu", header, i, n);
}

static void test_cookies_are_found_where_they_stand(void **state)
{
    (void) state;
    const char *const one[] = {"1"}, *const two[] = {"1", "2"}, *const empty[] = {""};

    check_cookies("", NULL, 0);
    check_cookies("id", NULL, 0);
    check_cookies("id=1", one, 1);
    check_cookies(" id=1 ;", one, 1);
    check_cookies("a=b; id=1; c=d", one, 1);
    check_cookies("id=1;id=2", two, 2);
    check_cookies("xid=9; id=1; id=2; idx=3", two, 2);
    check_cookies("id=", empty, 1);
    check_cookies(";;;=;id =3;", NULL, 0);
    check_cookies("a=id=1", NULL, 0);
    check_cookies("ID=1", NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_written_id_is_valid),
        cmocka_unit_test(test_malformed_ids_are_refused),
        cmocka_unit_test(test_a_signature_is_checked),
        cmocka_unit_test(test_cookies_are_found_where_they_stand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
