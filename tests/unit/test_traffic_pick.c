/* The choice of a peer: levels, weights, two choices, what was tried. */
#include "support/zone.h"

#include <math.h>

#include "traffic/pick.h"

static const struct health_rule RULE = {1, 1};

static void health(struct zone *zone, struct service *service, unsigned slot, enum health wanted)
{
    if (wanted == HEALTH_UNCHECKED) {
        return;
    }
    (void) zone_peer_health_locked(zone, service, slot, HEALTH_WATCHED, &RULE, NULL);
    if (wanted != HEALTH_UNKNOWN) {
        (void) zone_peer_health_locked(
            zone, service, slot, wanted == HEALTH_UP ? HEALTH_PASS : HEALTH_FAIL, &RULE, NULL);
    }
}

/* Peers as in "uud": unchecked -, unknown ?, up u, down d; in the slots that follow. */
static void add_peers(struct zone *zone, struct service *service, enum track track,
                      const char *healths)
{
    for (; *healths != '\0'; healths++) {
        unsigned slot = t_peer(zone, service, "a:1", track, 1);
        health(zone, service, slot,
               *healths == '?'   ? HEALTH_UNKNOWN
               : *healths == 'u' ? HEALTH_UP
               : *healths == 'd' ? HEALTH_DOWN
                                 : HEALTH_UNCHECKED);
    }
}

/* Which slots 200 draws find, as bits. */
static unsigned drawn(struct t_random *random, const struct zone *zone,
                      const struct service *service, enum track track,
                      const struct pick_tried *tried)
{
    unsigned found = 0;
    for (unsigned i = 0; i < 200; i++) {
        uint32_t meta = 0;
        int slot = pick_peer(zone, service, track, tried, t_random(random), &meta);
        if (slot >= 0) {
            assert_int_equal(meta, zone_peer_meta(zone, service, (unsigned) slot));
            found |= 1u << slot;
        }
    }
    return found;
}

static void test_only_the_best_level_of_a_track_takes_requests(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    const struct {
        const char *stable, *canary;
        unsigned from_stable, from_canary; /* bits of slots; stable's are the first */
    } rows[] = {
        {"uu", "u", 3, 4},
        {"ud", "du", 1, 8},
        {"u?", "?u", 1, 8},
        {"-?", "u", 1, 4},
        {"-u", "", 3, 0},
        {"?d", "?d", 1, 4},
        {"?", "d", 1, 0},
        {"u", "dd", 1, 0},
        {"dd", "u", 3, 4},
        {"dd", "d?", 3, 8},
        {"dd", "dd", 3, 12},
        {"", "dd", 0, 3},
        {"", "", 0, 0},
        {"d", "", 1, 0},
        {"uuuuuuuuuuuuuuuuuud", "d", 0x3ffff, 0},
        {"dddddddddddddddd?d", "dd", 0x10000, 0},
    };

    T_TABLE(row, rows)
    {
        struct zone *zone = t_zone(T_ZONE_SIZE);
        struct service *service = t_service(zone, "shop");
        struct pick_tried tried = {0};
        add_peers(zone, service, TRACK_STABLE, row->stable);
        add_peers(zone, service, TRACK_CANARY, row->canary);
        unsigned stable = drawn(&random, zone, service, TRACK_STABLE, &tried);
        unsigned canary = drawn(&random, zone, service, TRACK_CANARY, &tried);
        t_check(stable == row->from_stable, "\"%s\" \"%s\": %x", row->stable, row->canary, stable);
        t_check(canary == row->from_canary, "\"%s\" \"%s\": %x", row->stable, row->canary, canary);
        t_check((zone_level(service, TRACK_CANARY) != LEVEL_NONE) == (canary != 0), "\"%s\" \"%s\"",
                row->stable, row->canary);
    }
}

static void test_a_retry_goes_down_to_unknown_peers_but_not_to_failing_ones(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    const struct {
        const char *stable;
        uint32_t tried; /* the first so many slots */
        unsigned found;
    } rows[] = {
        {"uu?d", 1, 2}, {"uu?d", 2, 4}, {"uu?d", 3, 0}, {"??d", 2, 0},
        {"dd", 1, 2},   {"-?", 1, 2},   {"u", 1, 0},    {"uuuuuuuuuuuuuuuuu?d", 17, 1u << 17}};

    T_TABLE(row, rows)
    {
        struct zone *zone = t_zone(T_ZONE_SIZE);
        struct service *service = t_service(zone, "shop");
        struct pick_tried tried = {0};
        add_peers(zone, service, TRACK_STABLE, row->stable);
        for (uint32_t i = 0; i < row->tried; i++) {
            tried.slot[tried.count++] = (uint16_t) i;
        }
        unsigned found = drawn(&random, zone, service, TRACK_STABLE, &tried);
        t_check(found == row->found, "\"%s\" %u tried: %x", row->stable, row->tried, found);
    }
}

static void count_draws(struct t_random *random, const struct zone *zone,
                        const struct service *service, unsigned draws, unsigned *ret_count)
{
    struct pick_tried tried = {0};
    for (unsigned i = 0; i < draws; i++) {
        uint32_t meta = 0;
        int slot = pick_peer(zone, service, TRACK_STABLE, &tried, t_random(random), &meta);
        assert_true(slot >= 0);
        ret_count[slot]++;
    }
}

static void test_peers_are_chosen_by_weight(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    const unsigned sizes[] = {3, 30}; /* one chunk, several */
    const unsigned draws = 80000;

    T_TABLE(size, sizes)
    {
        struct zone *zone = t_zone(T_ZONE_SIZE);
        struct service *service = t_service(zone, "shop");
        unsigned count[31] = {0};
        for (unsigned i = 0; i < *size; i++) {
            const uint32_t weight[] = {1, 2, 5};
            (void) t_peer(zone, service, "a:1", TRACK_STABLE, weight[i % 3]);
        }
        unsigned canary = t_peer(zone, service, "c:1", TRACK_CANARY, 1);
        count_draws(&random, zone, service, draws, count);
        for (unsigned i = 0; i < *size; i++) {
            const double weight[] = {1, 2, 5};
            double share = weight[i % 3] / 8.0 * 3 / *size;
            t_check(fabs(count[i] / (double) draws - share) < 0.1 * share + 0.002,
                    "%u peers: slot %u has %u of %u", *size, i, count[i], draws);
        }
        assert_int_equal(count[canary], 0);
    }
}

static void test_a_peer_in_its_slow_start_is_chosen_by_its_weight_now(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    struct peer_order down = {.has_state = true, .state = PEER_DOWN};
    struct peer_order ready = {.has_state = true, .state = PEER_READY};
    unsigned old = t_peer(zone, service, "a:1", TRACK_STABLE, 1);
    unsigned back = t_peer(zone, service, "b:1", TRACK_STABLE, 1);

    service->slow_start_ms = 1000;
    zone_peer_order_locked(zone, service, back, &down, 5000);
    zone_peer_order_locked(zone, service, back, &ready, 5000);
    const struct {
        uint64_t at_ms;
        double share;
    } rows[] = {{5000, 1.0 / 17}, {5250, 4.0 / 20}, {5500, 8.0 / 24}, {6000, 0.5}};
    T_TABLE(row, rows)
    {
        unsigned count[2] = {0};
        zone_ramps_set_locked(zone, service, row->at_ms);
        count_draws(&random, zone, service, 20000, count);
        t_check(fabs(count[back] / 20000.0 - row->share) < 0.02, "%u: %u and %u",
                (unsigned) row->at_ms, count[old], count[back]);
    }
}

static void pin(struct zone *zone, struct service *service, struct row *row, unsigned slot)
{
    struct pin *pin = zone_pin_get_locked(zone, row, slot);
    assert_true(zone_pin_take(zone_peer_chunk(zone, service, slot), slot, pin,
                              zone_peer_meta(zone, service, slot)));
}

static void test_two_draws_are_never_the_same_peer(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    const unsigned sizes[] = {2, 30};

    /* one request at the first peer: were it drawn twice, it would be taken */
    T_TABLE(size, sizes)
    {
        struct zone *zone = t_zone(T_ZONE_SIZE);
        struct service *service = t_service(zone, "shop");
        struct row *row = zone_row_get_locked(zone, service, 0, 1);
        unsigned count[30] = {0};
        add_peers(zone, service, TRACK_STABLE, "u");
        for (unsigned i = 1; i + 1 < *size; i++) {
            add_peers(zone, service, TRACK_STABLE, "d");
        }
        add_peers(zone, service, TRACK_STABLE, "u");
        pin(zone, service, row, 0);
        count_draws(&random, zone, service, 5000, count);
        assert_int_equal(count[0], 0);
        assert_int_equal(count[*size - 1], 5000);
    }
}

static void test_load_is_weighed(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    struct row *row = zone_row_get_locked(zone, service, 0, 1);
    unsigned light = t_peer(zone, service, "a:1", TRACK_STABLE, 1);
    unsigned heavy = t_peer(zone, service, "b:1", TRACK_STABLE, 5);
    unsigned count[2] = {0};

    pin(zone, service, row, light);
    for (unsigned i = 0; i < 4; i++) {
        pin(zone, service, row, heavy); /* 4 for a weight of 5 is less than 1 for 1 */
    }
    count_draws(&random, zone, service, 1000, count);
    assert_int_equal(count[heavy], 1000);
    pin(zone, service, row, heavy);
    pin(zone, service, row, heavy);
    count_draws(&random, zone, service, 1000, count);
    assert_int_equal(count[light], 1000);
}

static void test_the_peer_with_less_in_flight_is_taken(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    struct row *row = zone_row_get_locked(zone, service, 0, 1);
    struct pick_tried tried = {0};
    unsigned in_flight[100] = {0}, most = 0, least = 1000;

    for (unsigned i = 0; i < 100; i++) {
        (void) t_peer(zone, service, "a:1", TRACK_STABLE, 1);
    }
    for (unsigned i = 0; i < 1000; i++) {
        uint32_t meta = 0;
        int slot = pick_peer(zone, service, TRACK_STABLE, &tried, t_random(&random), &meta);
        assert_true(slot >= 0);
        pin(zone, service, row, (unsigned) slot);
        in_flight[slot]++;
    }
    for (unsigned i = 0; i < 100; i++) {
        most = in_flight[i] > most ? in_flight[i] : most;
        least = in_flight[i] < least ? in_flight[i] : least;
    }
    print_message("# 1000 requests on 100 peers: %u to %u each\n", least, most);
    assert_true(most <= 14); /* one choice alone gives 20 and more */
}

static void test_draining_down_and_removed_peers_get_nothing(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    const enum peer_state states[] = {PEER_DRAINING, PEER_DOWN, PEER_REMOVED, PEER_FREE};
    const unsigned sizes[] = {2, 30};

    T_TABLE(size, sizes)
    {
        T_TABLE(asked, states)
        {
            struct zone *zone = t_zone(T_ZONE_SIZE);
            struct service *service = t_service(zone, "shop");
            struct pick_tried tried = {0};
            for (unsigned i = 0; i < *size; i++) {
                (void) t_peer(zone, service, "a:1", TRACK_STABLE, 1);
            }
            for (unsigned i = 0; i < *size; i++) {
                if (i != 1) {
                    zone_peer_set_locked(zone, service, i, *asked, 1);
                }
            }
            assert_int_equal(drawn(&random, zone, service, TRACK_STABLE, &tried), 2);
            zone_peer_set_locked(zone, service, 1, *asked, 1);
            assert_int_equal(drawn(&random, zone, service, TRACK_STABLE, &tried), 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_the_best_level_of_a_track_takes_requests),
        cmocka_unit_test(test_a_retry_goes_down_to_unknown_peers_but_not_to_failing_ones),
        cmocka_unit_test(test_peers_are_chosen_by_weight),
        cmocka_unit_test(test_a_peer_in_its_slow_start_is_chosen_by_its_weight_now),
        cmocka_unit_test(test_two_draws_are_never_the_same_peer),
        cmocka_unit_test(test_load_is_weighed),
        cmocka_unit_test(test_the_peer_with_less_in_flight_is_taken),
        cmocka_unit_test(test_draining_down_and_removed_peers_get_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
