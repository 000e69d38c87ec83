/* SHA-256 (NIST examples), HMAC (RFC 4231), and the comparison in constant time. */
#include "base/ct.h"
#include "base/sha256.h"
#include "support/t.h"

static void assert_digest(const uint8_t got[32], const char *wanted)
{
    char hex[65];
    for (size_t i = 0; i < 32; i++) {
        (void) snprintf(hex + 2 * i, 3, "%02x", got[i]);
    }
    assert_string_equal(hex, wanted);
}

static void test_nist_examples(void **state)
{
    (void) state;
    const struct {
        const char *message, *digest;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
         "lmnopqrsmnopqrstnopqrstu",
         "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    };
    T_TABLE(row, rows)
    {
        uint8_t digest[32];
        sha256(row->message, strlen(row->message), digest);
        assert_digest(digest, row->digest);
    }
}

static void test_a_million_letters(void **state)
{
    (void) state;
    char *message = malloc(1000000);
    uint8_t digest[32];
    assert_non_null(message);
    memset(message, 'a', 1000000);
    sha256(message, 1000000, digest);
    assert_digest(digest, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(message);
}

/* Every length around the 64-byte blocks; the wanted digests were computed by Python's hashlib. */
static void test_every_length(void **state)
{
    (void) state;
    uint8_t message[200], all[200][32], reversed[150], digest[32];
    for (uint8_t i = 0; i < 200; i++) {
        message[i] = i;
        if (i < 150) {
            reversed[i] = (uint8_t) (149 - i);
        }
    }
    for (size_t len = 0; len < 200; len++) {
        sha256(message, len, all[len]);
    }
    sha256(all, sizeof all, digest);
    assert_digest(digest, "ba7b0fcea7d10c06b855b43d2b4dce1e3e842fff6be0acefb0faf4f2dd05bb47");
    for (size_t len = 0; len < 150; len++) {
        hmac_sha256(message, len, reversed, len, all[len]);
    }
    sha256(all, 150 * sizeof all[0], digest);
    assert_digest(digest, "260d5f312e6d18c2f08994fe3aafc06b3a838f2efb07920d6529b8551ca412e0");
}

static void test_hmac_cases_of_rfc_4231(void **state)
{
    (void) state;
    uint8_t key1[20], key3[20], key4[25], key6[131], data3[50], data4[50];
    memset(key1, 0x0b, sizeof key1);
    memset(key3, 0xaa, sizeof key3);
    memset(key6, 0xaa, sizeof key6);
    memset(data3, 0xdd, sizeof data3);
    memset(data4, 0xcd, sizeof data4);
    for (size_t i = 0; i < sizeof key4; i++) {
        key4[i] = (uint8_t) (i + 1);
    }
    const char *data6 = "Test Using Larger Than Block-Size Key - Hash Key First";
    const char *data7 = "This is a test using a larger than block-size key and a larger than "
                        "block-size data. The key needs to be hashed before being used by the "
                        "HMAC algorithm.";
    const struct {
        const void *key;
        size_t key_len;
        const void *data;
        size_t len;
        const char *digest;
    } rows[] = {
        {key1, sizeof key1, "Hi There", 8,
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe", 4, "what do ya want for nothing?", 28,
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {key3, sizeof key3, data3, sizeof data3,
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {key4, sizeof key4, data4, sizeof data4,
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
        {key6, sizeof key6, data6, strlen(data6),
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {key6, sizeof key6, data7, strlen(data7),
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    };
    T_TABLE(row, rows)
    {
        uint8_t digest[32];
        hmac_sha256(row->key, row->key_len, row->data, row->len, digest);
        assert_digest(digest, row->digest);
    }
}

static void test_ct_equal_sees_every_bit(void **state)
{
    (void) state;
    uint8_t a[32] = {0}, b[32] = {0};
    assert_true(ct_equal(a, b, sizeof a));
    assert_true(ct_equal(a, b, 0));
    for (size_t bit = 0; bit < 8 * sizeof a; bit++) {
        b[bit / 8] ^= (uint8_t) (1u << bit % 8);
        assert_false(ct_equal(a, b, sizeof a));
        b[bit / 8] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nist_examples),
        cmocka_unit_test(test_a_million_letters),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_hmac_cases_of_rfc_4231),
        cmocka_unit_test(test_ct_equal_sees_every_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
