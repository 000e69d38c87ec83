/* The shared zone: services, splits, peers, rows, pins. */
#include "support/zone.h"

static uint64_t need_of(uint32_t services, uint32_t peers, uint32_t workers)
{
    return (sizeof(struct zone) + 63) / 64 * 64 +
           services * zone_missing(NULL, NULL, peers, workers);
}

static void test_a_service_is_found_again(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop"), *again = NULL;
    struct split split;

    assert_ptr_equal(zone_service_find(zone, STR("shop")), service);
    assert_null(zone_service_find(zone, STR("sho")));
    assert_int_equal(zone_service_add_locked(zone, STR("shop"), SERVICE_CUT, &again, NULL), 0);
    assert_ptr_equal(again, service);
    assert_true(zone_split_read(service, &split));
    assert_int_equal(split.share_ppm, 0);
    assert_true(split.enabled);
    assert_str(((struct str){split.salt, split.salt_len}), "shop");
}

static void test_a_split_is_published_whole(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    uint64_t epoch = atomic_load(&zone->epoch);

    for (uint32_t i = 1; i <= 100; i++) {
        struct split set = {.share_ppm = i, .revision = i, .enabled = i % 2, .salt_len = 2}, got;
        memcpy(set.salt, "r1", 2);
        zone_split_set_locked(zone, service, set);
        assert_true(zone_split_read(service, &got));
        assert_int_equal(got.share_ppm, i);
        assert_int_equal(got.revision, i);
        struct cut_key key = cut_key_of(STR("r1"));
        assert_memory_equal(got.key.byte, key.byte, sizeof(key.byte));
    }
    assert_int_equal(atomic_load(&zone->epoch), epoch + 100);
}

static void test_a_zone_of_the_needed_size_holds_what_it_was_made_for(void **state)
{
    (void) state;
    const struct {
        uint32_t services, peers, workers;
    } rows[] = {{1, 1, 1}, {1, 33, 4}, {3, 2, 2}, {5, 18, 2}};

    T_TABLE(row, rows)
    {
        uint64_t need = need_of(row->services, row->peers, row->workers);
        assert_true(need <= T_ZONE_SIZE);
        struct zone *zone = t_zone(need);
        for (uint32_t s = 0; s < row->services; s++) {
            char name[16], address[32];
            (void) snprintf(name, sizeof(name), "s%u", s);
            struct service *service = NULL;
            assert_int_equal(
                zone_service_add_locked(zone, str_of(name), SERVICE_BALANCER, &service, NULL), 0);
            for (uint32_t p = 0; p < row->peers; p++) {
                assert_true(zone_missing(zone, service, row->peers - p, row->workers) <=
                            zone_free(zone));
                (void) snprintf(address, sizeof(address), "10.0.0.%u:80", p);
                (void) t_peer(zone, service, address, TRACK_STABLE, 1);
            }
            for (int32_t slot = 0; slot < (int32_t) (2 * row->workers); slot++) {
                struct row *counts = zone_row_get_locked(zone, service, slot, 100 + slot);
                assert_non_null(counts);
                for (uint32_t p = 0; p < row->peers; p++) {
                    assert_non_null(zone_pin_get_locked(zone, counts, p));
                }
            }
            assert_int_equal(zone_missing(zone, service, 0, row->workers), 0);
        }
        assert_int_equal(zone_free(zone), 0);
    }
}

static void test_what_a_peer_takes_depends_on_the_slots_that_are_free(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    struct row *row = zone_row_get_locked(zone, service, 0, 1);

    for (unsigned i = 0; i < ZONE_CHUNK_PEERS; i++) {
        char address[] = {(char) ('a' + i), '\0'};
        (void) t_peer(zone, service, address, TRACK_STABLE, 1);
    }
    (void) zone_pin_get_locked(zone, row, 0);
    uint64_t rows = zone_missing(zone, service, 0, 1);
    assert_true(zone_missing(zone, service, 1, 1) > rows);
    zone_peer_set_locked(zone, service, 3, PEER_FREE, 1);
    assert_int_equal(zone_missing(zone, service, 1, 1), rows);
    assert_true(zone_missing(zone, service, 2, 1) > rows);
}

static void test_a_full_zone_refuses_and_keeps_what_it_has(void **state)
{
    (void) state;
    struct zone *zone = t_zone(need_of(1, 1, 1));
    struct service *service = t_service(zone, "shop"), *more = NULL;
    struct err err;

    (void) t_peer(zone, service, "a:1", TRACK_STABLE, 1);
    uint64_t left = zone_free(zone);
    while (zone_service_add_locked(zone, STR("more"), SERVICE_CUT, &more, NULL) == 0 &&
           zone_free(zone) < left) {
        left = zone_free(zone);
    }
    (void) zone_row_get_locked(zone, service, 0, 1);
    assert_int_equal(zone_service_add_locked(zone, STR("one too many"), SERVICE_CUT, &more, &err),
                     ERR_FULL);
    assert_string_equal(err.msg, "the zone is full: no room for service \"one too many\"");
    assert_true(zone_peer_find(zone, service, STR("a:1"), TRACK_STABLE) == 0);
}

static void test_peers_come_go_and_their_slots_are_used_again(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    struct row *row = zone_row_get_locked(zone, service, 3, 77);
    struct pin *pin = zone_pin_get_locked(zone, row, 0);

    (void) t_peer(zone, service, "a:1", TRACK_STABLE, 1);
    (void) t_peer(zone, service, "b:1", TRACK_CANARY, 1);
    assert_int_equal(zone_ready(service, TRACK_STABLE, LEVEL_PASSING), 1);
    uint32_t meta = zone_peer_meta(zone, service, 0);
    struct peer_chunk *chunk = zone_peer_chunk(zone, service, 0);
    assert_true(zone_pin_take(chunk, 0, pin, meta));

    zone_peer_set_locked(zone, service, 0, PEER_REMOVED, 1);
    assert_int_equal(zone_level(service, TRACK_STABLE), LEVEL_NONE);
    zone_peers_sweep_locked(zone, service);
    assert_int_equal(META_STATE(zone_peer_meta(zone, service, 0)), PEER_REMOVED);
    assert_int_equal(zone_peer_find(zone, service, STR("a:1"), TRACK_STABLE), -1);
    (void) t_peer(zone, service, "c:1", TRACK_STABLE, 1);
    assert_int_equal(zone_peer_find(zone, service, STR("c:1"), TRACK_STABLE), 2);

    atomic_store(&pin->failures, 1);
    zone_pin_drop(chunk, 0, pin);
    zone_peers_sweep_locked(zone, service);
    assert_int_equal(zone_pin_sum(zone, service, 0).requests, 1);
    (void) t_peer(zone, service, "d:1", TRACK_STABLE, 1);
    assert_int_equal(zone_pin_sum(zone, service, 0).requests, 0);
    assert_int_equal(zone_pin_sum(zone, service, 0).failures, 0);
    assert_int_equal(zone_peer_find(zone, service, STR("d:1"), TRACK_STABLE), 0);
    assert_true(META_GENERATION(zone_peer_meta(zone, service, 0)) != META_GENERATION(meta));
    assert_false(zone_pin_take(chunk, 0, pin, meta));
    assert_int_equal(zone_pin_sum(zone, service, 0).in_flight, 0);
}

static bool only_78_lives(int32_t pid)
{
    return pid == 78;
}

static void test_a_killed_process_leaks_nothing(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");

    (void) t_peer(zone, service, "a:1", TRACK_STABLE, 1);
    uint32_t meta = zone_peer_meta(zone, service, 0);
    struct peer_chunk *chunk = zone_peer_chunk(zone, service, 0);
    for (int32_t slot = 0; slot < 2; slot++) {
        struct row *row = zone_row_get_locked(zone, service, slot, 77 + slot);
        struct pin *pin = zone_pin_get_locked(zone, row, 0);
        assert_true(zone_pin_take(chunk, 0, pin, meta));
        counter_add(&row->track[0].count[COUNTER_REQUESTS], 5);
    }
    assert_int_equal(zone_pin_sum(zone, service, 0).in_flight, 2);
    assert_int_equal(zone_reap_locked(zone, only_78_lives), 1);
    assert_int_equal(zone_pin_sum(zone, service, 0).in_flight, 1);
    assert_int_equal(atomic_load(&chunk->hint[0]), 1);
    zone_worker_start_locked(zone, 1, 79, 1); /* respawned in the slot of 78 */
    assert_int_equal(zone_pin_sum(zone, service, 0).in_flight, 0);
    assert_int_equal(atomic_load(&chunk->hint[0]), 0);

    struct service *other = NULL;
    assert_int_equal(zone_service_add_locked(zone, STR("o"), SERVICE_BALANCER, &other, NULL), 0);
    for (int i = 0; i < 3; i++) {
        atomic_store(&chunk->hint[0], 3);
        zone_hints_set_next(zone);
        zone_hints_set_next(zone);
        assert_int_equal(atomic_load(&chunk->hint[0]), 0);
    }

    struct counters_sum sum;
    zone_counters_sum(zone, service, TRACK_STABLE, &sum);
    assert_int_equal(sum.count[COUNTER_REQUESTS], 10); /* what was counted stays */
    assert_int_equal(zone_pin_sum(zone, service, 0).requests, 2);
}

static void test_statuses_have_names(void **state)
{
    (void) state;
    assert_string_equal(zone_status_name(zone_status_index(200)), "200");
    assert_string_equal(zone_status_name(zone_status_index(101)), "101");
    assert_string_equal(zone_status_name(zone_status_index(511)), "511");
    assert_string_equal(zone_status_name(zone_status_index(499)), "499");
    assert_string_equal(zone_status_name(zone_status_index(418)), "4xx-other");
    assert_string_equal(zone_status_name(zone_status_index(599)), "5xx-other");
    assert_string_equal(zone_status_name(zone_status_index(0)), "other");
    assert_string_equal(zone_status_name(zone_status_index(9)), "other");
    assert_string_equal(zone_status_name(zone_status_index(70000)), "other");
    for (unsigned code = 100; code < 600; code++) {
        unsigned index = zone_status_index(code);
        assert_true(index < zone_status_names());
        const char *name = zone_status_name(index);
        char text[4];
        (void) snprintf(text, sizeof(text), "%u", code);
        t_check(strcmp(name, text) == 0 || name[0] == text[0], "%u is %s", code, name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_service_is_found_again),
        cmocka_unit_test(test_a_split_is_published_whole),
        cmocka_unit_test(test_a_zone_of_the_needed_size_holds_what_it_was_made_for),
        cmocka_unit_test(test_what_a_peer_takes_depends_on_the_slots_that_are_free),
        cmocka_unit_test(test_a_full_zone_refuses_and_keeps_what_it_has),
        cmocka_unit_test(test_peers_come_go_and_their_slots_are_used_again),
        cmocka_unit_test(test_a_killed_process_leaks_nothing),
        cmocka_unit_test(test_statuses_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
