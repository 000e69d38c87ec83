/* Distinct units: the estimate lies within its stated error, whatever the units are. */
#include "support/t.h"

#include <math.h>

#include "traffic/sketch.h"

#define SERIES 100u

static struct sketch sketch;

/* Counts n random units whose u is at most max, each of them up to three times. */
static double estimate_of(struct t_random *random, uint64_t n, uint64_t max)
{
    sketch_clear(&sketch);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t u = t_random(random) & max;
        for (uint64_t times = 1 + t_random_below(random, 3); times > 0; times--) {
            sketch_add(&sketch, u);
        }
    }
    return sketch_estimate(&sketch);
}

/*
 * No one series is farther off than five standard errors (one in two million is), and the root mean
 * square of all is within the stated error; with 100 series it is known to a fourteenth, so five of
 * these are allowed.
 */
static void check_error(uint64_t n, uint64_t max, double error)
{
    struct t_random random = t_random_init();
    double squares = 0;

    for (unsigned i = 0; i < SERIES; i++) {
        double off = estimate_of(&random, n, max) / (double) n - 1;
        t_check(fabs(off) < 5 * error, "%llu units: %.4f off", (unsigned long long) n, off);
        squares += off * off;
    }
    double rms = sqrt(squares / SERIES);
    t_check(rms < error * 4 / 3, "%llu units: %.4f off in the mean", (unsigned long long) n, rms);
}

static void test_the_estimate_is_within_its_standard_error(void **state)
{
    (void) state;
    check_error(1000, UINT64_MAX, SKETCH_ERROR);
    check_error(3000, UINT64_MAX, SKETCH_ERROR);
    check_error(6000, UINT64_MAX, SKETCH_ERROR);
    check_error(100000, UINT64_MAX, SKETCH_ERROR);
}

static void test_units_of_a_share_below_a_thousandth_are_counted_as_well(void **state)
{
    (void) state;
    const uint64_t thousandth = UINT64_MAX >> 10;
    check_error(1000, thousandth, SKETCH_ERROR);
    check_error(100000, thousandth, SKETCH_ERROR);
    check_error(1000, UINT64_MAX >> 20, SKETCH_ERROR); /* of 2^44 values of u */
}

static void test_ten_units_are_ten_but_for_collisions(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    unsigned exact = 0;

    for (unsigned i = 0; i < 1000; i++) {
        double estimate = estimate_of(&random, 10, UINT64_MAX >> 10);
        exact += lround(estimate) == 10;
        assert_true(estimate > 6.9 &&
                    estimate < 10.1); /* four of ten in one register: never seen */
    }
    assert_true(exact > 950); /* 978 are expected */
}

static void test_an_empty_sketch_is_zero_and_one_unit_is_one(void **state)
{
    (void) state;
    sketch_clear(&sketch);
    assert_true(sketch_estimate(&sketch) == 0);
    for (unsigned i = 0; i < 1000; i++) {
        sketch_add(&sketch, 0);
    }
    assert_int_equal(lround(sketch_estimate(&sketch)), 1);
}

static void test_merged_sketches_count_a_unit_of_both_once(void **state)
{
    (void) state;
    static struct sketch other, both;
    struct t_random random = t_random_init();

    sketch_clear(&sketch);
    for (unsigned i = 0; i < 5000; i++) {
        uint64_t u = t_random(&random);
        sketch_add(i % 3 != 1 ? &sketch : &other, u);
        if (i % 3 == 2) {
            sketch_add(&other, u);
        }
        sketch_add(&both, u);
    }
    sketch_merge(&sketch, &other);
    assert_memory_equal(&sketch, &both, sizeof(sketch));
}

static void test_a_revision_has_its_place_until_four_others_came(void **state)
{
    (void) state;
    static _Alignas(64) uint8_t memory[1u << 20];
    static const uint8_t token[16];
    struct zone *zone = (void *) memory;
    struct service *service = NULL;

    assert_int_equal(zone_init(memory, sizeof(memory), 7, token, 1000, NULL), 0);
    assert_int_equal(zone_service_add_locked(zone, STR("a"), SERVICE_BALANCER, &service, NULL), 0);
    assert_non_null(exposure_of(service, 0));
    for (uint32_t revision = 1; revision <= 40; revision++) {
        struct split split = {.revision = revision, .share_ppm = revision * 10, .salt_len = 1};
        split.salt[0] = 'a';
        zone_split_set_locked(zone, service, split);
        struct exposure *exposure = exposure_of(service, revision);
        assert_int_equal(atomic_load(&exposure->share_ppm), revision * 10);
        for (unsigned track = 0; track < TRACK_COUNT; track++) {
            assert_true(sketch_estimate(&exposure->units[track]) == 0);
            sketch_add(&exposure->units[track], revision);
        }
        for (uint32_t back = 1; back < 4 && back < revision; back++) {
            exposure = exposure_of(service, revision - back);
            assert_int_equal(lround(sketch_estimate(&exposure->units[TRACK_CANARY])), 1);
        }
        assert_null(exposure_of(service, revision + 1));
        if (revision > 4) {
            assert_null(exposure_of(service, revision - 4));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_estimate_is_within_its_standard_error),
        cmocka_unit_test(test_units_of_a_share_below_a_thousandth_are_counted_as_well),
        cmocka_unit_test(test_ten_units_are_ten_but_for_collisions),
        cmocka_unit_test(test_an_empty_sketch_is_zero_and_one_unit_is_one),
        cmocka_unit_test(test_merged_sketches_count_a_unit_of_both_once),
        cmocka_unit_test(test_a_revision_has_its_place_until_four_others_came),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
