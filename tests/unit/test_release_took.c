/* What of a release's time could not be avoided. */
#include "release/took.h"
#include "support/t.h"

static void one_host_after_another_is_a_sum(void **state)
{
    (void) state;
    static const struct release_took took[] = {
        {STEP_LOCK, 0, 0, 900, 0},       {STEP_PREFLIGHT, 1, 0, 800, 0},
        {STEP_PULL, 2, 0, 10000, 0},     {STEP_LEAVE, 2, 0, 3000, 2500},
        {STEP_STOP, 2, 0, 2000, 1900},   {STEP_START, 2, 0, 4000, 3000},
        {STEP_TEST, 2, 0, 5000, 0},      {STEP_JOIN, 2, 0, 700, 500},
        {STEP_SOAK, 2, 0, 10100, 10000}, {STEP_PULL, 3, 0, 1, 0},
    };
    assert_int_equal(release_unavoidable_ms(took, T_LEN(took)),
                     10000 + 2500 + 1900 + 3000 + 5000 + 500 + 10000 + 1);
}

static void side_by_side_the_longest_lane_counts(void **state)
{
    (void) state;
    static const struct release_took took[] = {
        {STEP_PULL, 2, 0, 10000, 0}, {STEP_TEST, 2, 0, 1000, 0}, {STEP_PULL, 2, 1, 2000, 0},
        {STEP_TEST, 2, 1, 9500, 0},  {STEP_TEST, 3, 0, 10, 0},
    };
    assert_int_equal(release_unavoidable_ms(took, T_LEN(took)), 11500 + 10);
}

/* Steps end in any order, and are noted in that order. */
static void the_order_of_the_rows_does_not_matter(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    struct release_took took[40];
    for (size_t i = 0; i < T_LEN(took); i++) {
        took[i] = (struct release_took){
            .kind = (enum release_step_kind) t_random_below(&random, STEP_KINDS),
            .group = (uint16_t) t_random_below(&random, 6),
            .lane = (uint16_t) t_random_below(&random, 3),
            .took_ms = t_random_below(&random, 1000),
            .waited_ms = t_random_below(&random, 1200)};
    }
    uint64_t ms = release_unavoidable_ms(took, T_LEN(took)), wall = 0;
    for (size_t i = T_LEN(took); i-- > 1;) {
        size_t k = (size_t) t_random_below(&random, i + 1);
        struct release_took swap = took[i];
        took[i] = took[k];
        took[k] = swap;
    }
    for (size_t i = 0; i < T_LEN(took); i++) {
        wall += took[i].took_ms;
    }
    assert_int_equal(release_unavoidable_ms(took, T_LEN(took)), ms);
    assert_true(ms <= wall);
}

static void no_more_was_waited_than_the_step_took(void **state)
{
    (void) state;
    static const struct release_took took[] = {{STEP_SOAK, 0, 0, 100, 5000}};
    assert_int_equal(release_unavoidable_ms(took, 1), 100);
    assert_int_equal(release_unavoidable_ms(NULL, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_host_after_another_is_a_sum),
        cmocka_unit_test(side_by_side_the_longest_lane_counts),
        cmocka_unit_test(the_order_of_the_rows_does_not_matter),
        cmocka_unit_test(no_more_was_waited_than_the_step_took),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
