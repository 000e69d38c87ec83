/* What is in flight at drained peers: flight.c. */
#include "support/zone.h"

#include "traffic/flight.h"
#include "traffic/zone_int.h"

static void order_state(struct zone *zone, struct service *service, unsigned slot,
                        enum peer_state state)
{
    struct peer_order order = {.has_state = true, .state = state};
    zone_peer_order_locked(zone, service, slot, &order, 0);
}

static struct flight flight_of(int32_t pid, const char *uri)
{
    struct flight flight = {.pid = pid, .since_ms = 5};
    flight.uri_len = flight_text(flight.uri, sizeof(flight.uri), str_of(uri));
    return flight;
}

static unsigned listed(const struct flights *flights)
{
    unsigned n = 0;
    for (unsigned i = 0; i < FLIGHTS_LISTED; i++) {
        n += flights->active[i].pid != 0;
    }
    return n;
}

static unsigned records(const struct zone *zone)
{
    unsigned n = 0;
    const struct flights *one = zone_at(zone, zone->flights);
    for (; one != NULL; one = zone_at(zone, one->next)) {
        n++;
    }
    return n;
}

static void test_each_worker_lists_its_own_anew(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    unsigned slot = t_peer(zone, service, "a:1", TRACK_STABLE, 1);
    struct flight one = flight_of(11, "/one"), two = flight_of(22, "/two");

    assert_null(flights_find(zone, service, slot));
    order_state(zone, service, slot, PEER_DRAINING);
    struct flights *flights = flights_get_locked(zone, service, slot, 0);
    assert_ptr_equal(flights_find(zone, service, slot), flights);
    for (unsigned tick = 0; tick < 3; tick++) {
        flights_begin_locked(flights, 11);
        flights_add_locked(flights, &one, 100);
        flights_begin_locked(flights, 22);
        flights_add_locked(flights, &two, 100);
        flights_add_locked(flights, &two, 100);
        assert_int_equal(listed(flights), 3);
    }
    flights_begin_locked(flights, 22); /* its requests have ended */
    assert_int_equal(listed(flights), 1);
    for (unsigned i = 0; i < FLIGHTS_LISTED + 5; i++) {
        flights_add_locked(flights, &two, 100);
    }
    assert_int_equal(listed(flights), FLIGHTS_LISTED);

    order_state(zone, service, slot, PEER_READY);
    assert_int_equal(listed(flights), 0);
    order_state(zone, service, slot, PEER_DRAINING);
    assert_ptr_equal(flights_get_locked(zone, service, slot, 0), flights);
    assert_int_equal(records(zone), 1);
}

static bool only_22_lives(int32_t pid)
{
    return pid == 22;
}

static void test_what_a_dead_worker_listed_is_dropped(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    unsigned slot = t_peer(zone, service, "a:1", TRACK_STABLE, 1);
    struct flight dead = flight_of(11, "/dead"), alive = flight_of(22, "/alive");

    order_state(zone, service, slot, PEER_DRAINING);
    struct flights *flights = flights_get_locked(zone, service, slot, 0);
    flights_add_locked(flights, &dead, 1);
    flights_add_locked(flights, &alive, 1);
    (void) zone_reap_locked(zone, only_22_lives);
    assert_int_equal(listed(flights), 1);
    assert_int_equal(flights->active[1].pid, 22);
}

static void test_the_last_that_were_cut_are_kept_and_all_are_counted(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    unsigned slot = t_peer(zone, service, "a:1", TRACK_STABLE, 1);

    order_state(zone, service, slot, PEER_DRAINING);
    struct flights *flights = flights_get_locked(zone, service, slot, 0);
    for (unsigned i = 0; i < FLIGHTS_LISTED + 2; i++) {
        struct flight flight = flight_of(11, "/x");
        flights_cut_locked(zone, service, slot, flights, &flight, 1000 + i);
    }
    flights_cut_locked(zone, service, slot, NULL, NULL, 0); /* there was no room to tell of it */
    assert_int_equal(zone_peer(zone, service, slot)->cut_total, FLIGHTS_LISTED + 3);
    assert_int_equal(flights->cut_count, FLIGHTS_LISTED + 2);
    assert_int_equal(flights->cut[0].at_ms, 1000 + FLIGHTS_LISTED); /* the oldest gave way */
    assert_int_equal(flights->cut[2].at_ms, 1002);

    order_state(zone, service, slot, PEER_READY); /* what was cut can still be read */
    assert_int_equal(flights_find(zone, service, slot)->cut_count, FLIGHTS_LISTED + 2);
    order_state(zone, service, slot, PEER_REMOVED);
    zone_peers_sweep_locked(zone, service);
    assert_int_equal(t_peer(zone, service, "b:1", TRACK_STABLE, 1), slot);
    assert_null(flights_find(zone, service, slot)); /* but not as another peer's */
    assert_int_equal(zone_peer(zone, service, slot)->cut_total, 0);
}

static void test_records_are_few_and_taken_over_from_the_oldest(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    struct flight flight = flight_of(11, "/x");

    for (unsigned i = 0; i < FLIGHTS_MAX + 2; i++) {
        unsigned slot = t_peer(zone, service, "a:1", TRACK_STABLE, 1);
        order_state(zone, service, slot, PEER_DRAINING);
        struct flights *flights = flights_get_locked(zone, service, slot, 0);
        assert_true((flights != NULL) == (i < FLIGHTS_MAX));
        if (flights != NULL) {
            flights_add_locked(flights, &flight, 100 + i);
        }
    }
    assert_int_equal(records(zone), FLIGHTS_MAX);
    order_state(zone, service, 5, PEER_READY);
    order_state(zone, service, 3, PEER_DOWN);
    struct flights *third = flights_find(zone, service, 3);
    assert_ptr_equal(flights_get_locked(zone, service, FLIGHTS_MAX, 0), third);
    assert_null(flights_find(zone, service, 3));
    assert_non_null(flights_find(zone, service, 5));
    assert_int_equal(listed(third), 0);
}

static void test_room_that_others_need_is_left(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    unsigned slot = t_peer(zone, service, "a:1", TRACK_STABLE, 1);
    uint64_t need = zone_round(sizeof(struct flights));

    order_state(zone, service, slot, PEER_DRAINING);
    uint64_t left = zone_free(zone);
    assert_null(flights_get_locked(zone, service, slot, left - need + 1));
    assert_int_equal(zone_free(zone), left);
    assert_non_null(flights_get_locked(zone, service, slot, left - need));
}

static void test_long_texts_are_cut(void **state)
{
    (void) state;
    char uri[FLIGHT_URI_MAX + 10], to[FLIGHT_URI_MAX];
    memset(uri, 'u', sizeof(uri));
    assert_int_equal(flight_text(to, sizeof(to), (struct str){uri, sizeof(uri)}), FLIGHT_URI_MAX);
    assert_int_equal(flight_text(to, sizeof(to), (struct str){NULL, 0}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_worker_lists_its_own_anew),
        cmocka_unit_test(test_what_a_dead_worker_listed_is_dropped),
        cmocka_unit_test(test_the_last_that_were_cut_are_kept_and_all_are_counted),
        cmocka_unit_test(test_records_are_few_and_taken_over_from_the_oldest),
        cmocka_unit_test(test_room_that_others_need_is_left),
        cmocka_unit_test(test_long_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
