/* The arena: aligned, zeroed, apart from each other, and bounded. */
#include "base/arena.h"
#include "base/cleanup.h"
#include "support/t.h"

static void test_pieces_are_aligned_zeroed_and_apart(void **state)
{
    (void) state;
    enum { PIECES = 2000 };
    static unsigned char *piece[PIECES];
    static size_t size[PIECES];
    struct t_random random = t_random_init();
    _cleanup_(arena_done) struct arena a;
    arena_init(&a, SIZE_MAX);
    for (size_t i = 0; i < PIECES; i++) {
        size[i] = t_random_below(&random, i % 100 == 0 ? 100000 : 300);
        piece[i] = arena_alloc(&a, size[i]);
        assert_non_null(piece[i]);
        assert_int_equal((uintptr_t) piece[i] % _Alignof(max_align_t), 0);
        for (size_t j = 0; j < size[i]; j++) {
            assert_int_equal(piece[i][j], 0);
        }
        memset(piece[i], (int) (i % 255 + 1), size[i]);
    }
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t j = 0; j < size[i]; j++) {
            assert_int_equal(piece[i][j], i % 255 + 1);
        }
    }
}

/* The last piece of a block ends with it: AddressSanitizer sees one that would go beyond. */
static void test_blocks_are_filled_to_their_end_and_not_beyond(void **state)
{
    (void) state;
    _cleanup_(arena_done) struct arena a;
    arena_init(&a, SIZE_MAX);
    for (size_t i = 0; i < 20000; i++) {
        char *piece = arena_alloc(&a, 16);
        assert_non_null(piece);
        memset(piece, 'x', 16);
    }
    assert_int_equal(a.used_bytes, 20000 * 16);
}

static void test_maximum_gives_null_and_the_rest_stays_usable(void **state)
{
    (void) state;
    _cleanup_(arena_done) struct arena a;
    arena_init(&a, 256);
    assert_null(arena_alloc(&a, 257));
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_non_null(arena_alloc(&a, 128));
    assert_null(arena_alloc(&a, 129));
    assert_non_null(arena_alloc(&a, 128));
    assert_null(arena_alloc(&a, 0));
    assert_null(arena_strdup(&a, STR("")));
    assert_null(arena_printf(&a, "%d", 1));
    assert_int_equal(a.used_bytes, 256);
}

static void test_texts_are_copies(void **state)
{
    (void) state;
    struct arena a;
    arena_init(&a, 100000);
    char source[] = "shop";
    char *copy = arena_strdup(&a, str_of(source));
    source[0] = 'x';
    assert_string_equal(copy, "shop");
    assert_string_equal(arena_strdup(&a, (struct str){NULL, 0}), "");
    assert_null(arena_strdup(&a, (struct str){"x", SIZE_MAX}));
    assert_string_equal(arena_printf(&a, "%s-%03d", copy, 7), "shop-007");
    char *longer = arena_printf(&a, "%09999d", 1);
    assert_non_null(longer);
    assert_int_equal(strlen(longer), 9999);
    arena_done(&a);
    assert_null(a.block);
    arena_done(&a);
    arena_done(NULL);
    assert_null(arena_alloc(&a, 1)); /* zeroed: no memory is allowed */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces_are_aligned_zeroed_and_apart),
        cmocka_unit_test(test_blocks_are_filled_to_their_end_and_not_beyond),
        cmocka_unit_test(test_maximum_gives_null_and_the_rest_stays_usable),
        cmocka_unit_test(test_texts_are_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
