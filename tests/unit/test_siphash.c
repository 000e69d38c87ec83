/* SipHash-2-4 against the vectors that its authors publish (key 00..0f, message 00..len - 1). */
#include "base/sha256.h"
#include "base/siphash.h"
#include "support/t.h"

static void test_published_vectors(void **state)
{
    (void) state;
    static const uint64_t wanted[16] = {
        0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
        0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
        0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
        0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
    };
    uint8_t key[16], message[64], all[64][8];
    for (uint8_t i = 0; i < 64; i++) {
        message[i] = i;
        key[i % 16] = i % 16;
    }
    for (uint8_t len = 0; len < 64; len++) {
        uint64_t hash = siphash24(key, message, len);
        t_check(len >= 16 || hash == wanted[len], "length %d", len);
        for (unsigned i = 0; i < 8; i++) {
            all[len][i] = (uint8_t) (hash >> (8 * i));
        }
    }
    /* SHA-256 of all 64 vectors as they are published, little-endian. */
    static const uint8_t digest[32] = {
        0x02, 0x26, 0xa9, 0x10, 0x02, 0xaf, 0x97, 0x75, 0xa7, 0x91, 0xb3,
        0xec, 0x5a, 0x48, 0xe6, 0x43, 0xf8, 0x84, 0x8d, 0x2d, 0x57, 0x74,
        0xde, 0xa9, 0xbe, 0x34, 0x38, 0xd5, 0x78, 0x6b, 0xb5, 0x8e,
    };
    uint8_t got[32];
    sha256(all, sizeof all, got);
    assert_memory_equal(got, digest, sizeof digest);
}

static void test_empty_message_may_be_null(void **state)
{
    (void) state;
    const uint8_t key[16] = {1};
    assert_true(siphash24(key, NULL, 0) == siphash24(key, "", 0));
}

static void test_alignment_does_not_matter(void **state)
{
    (void) state;
    const uint8_t key[16] = {1, 2, 3};
    uint8_t memory[80];
    uint64_t first = 0;
    for (size_t shift = 0; shift < 16; shift++) {
        for (size_t i = 0; i < 27; i++) {
            memory[shift + i] = (uint8_t) (7 * i);
        }
        uint64_t hash = siphash24(key, memory + shift, 27);
        first = shift == 0 ? hash : first;
        assert_true(hash == first);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_empty_message_may_be_null),
        cmocka_unit_test(test_alignment_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
