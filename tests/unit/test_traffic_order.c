/* What is asked of peers and seen of them: zone_order.c. */
#include "support/zone.h"

#include "traffic/zone_int.h"

static const struct health_rule RULE = {2, 3};

static uint32_t meta_of(const struct zone *zone, const struct service *service, unsigned slot)
{
    return zone_peer_meta(zone, service, slot);
}

static enum peer_state state_of(const struct zone *zone, const struct service *service,
                                unsigned slot)
{
    return META_STATE(meta_of(zone, service, slot));
}

static void order_state(struct zone *zone, struct service *service, unsigned slot,
                        enum peer_state state, uint64_t now_ms)
{
    struct peer_order order = {.has_state = true, .state = state};
    zone_peer_order_locked(zone, service, slot, &order, now_ms);
}

static void see(struct zone *zone, struct service *service, unsigned slot, enum health_event event,
                uint64_t now_ms)
{
    struct peer_note note = {.code = 1, .text = STR("seen"), .now_ms = now_ms};
    (void) zone_peer_health_locked(zone, service, slot, event, &RULE, &note);
}

static void test_an_order_changes_what_it_names_only(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    unsigned slot = t_peer(zone, service, "a:1", TRACK_STABLE, 3);
    struct peer_order weigh = {.has_weight = true, .weight = 7};
    struct peer_order move = {.has_track = true, .track = TRACK_CANARY};
    uint64_t epoch = atomic_load(&zone->epoch);

    zone_peer_order_locked(zone, service, slot, &weigh, 1);
    assert_int_equal(META_WEIGHT(meta_of(zone, service, slot)), 7 * ZONE_WEIGHT_UNIT);
    assert_int_equal(META_TRACK(meta_of(zone, service, slot)), TRACK_STABLE);
    zone_peer_order_locked(zone, service, slot, &move, 1);
    assert_int_equal(META_WEIGHT(meta_of(zone, service, slot)), 7 * ZONE_WEIGHT_UNIT);
    assert_int_equal(zone_ready(service, TRACK_STABLE, LEVEL_PASSING), 0);
    assert_int_equal(zone_ready(service, TRACK_CANARY, LEVEL_PASSING), 1);
    assert_int_equal(atomic_load(&zone->epoch), epoch + 2);
    zone_peer_order_locked(zone, service, slot, &move, 1);
    assert_int_equal(atomic_load(&zone->epoch), epoch + 2); /* nothing changed */
}

static void test_a_drain_keeps_who_asked_until_it_ends(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    unsigned slot = t_peer(zone, service, "a:1", TRACK_STABLE, 1);
    const struct peer *peer = zone_peer(zone, service, slot);
    struct peer_order drain = {.has_state = true,
                               .state = PEER_DRAINING,
                               .drain = {.since_ms = 5, .requests_until_ms = 9, .by_len = 3}};
    struct peer_order weigh = {.has_weight = true, .weight = 2};

    memcpy(drain.drain.by, "mia", 3);
    zone_peer_order_locked(zone, service, slot, &drain, 1);
    assert_int_equal(atomic_load(&service->draining), 1);
    zone_peer_order_locked(zone, service, slot, &weigh, 1);
    assert_int_equal(peer->drain.requests_until_ms, 9);
    assert_str(((struct str){peer->drain.by, peer->drain.by_len}), "mia");
    drain.drain.requests_until_ms = 20;
    zone_peer_order_locked(zone, service, slot, &drain, 1);
    assert_int_equal(peer->drain.requests_until_ms, 20); /* limits are set anew */
    assert_int_equal(atomic_load(&service->draining), 1);

    for (unsigned i = 0; i < 5; i++) {
        see(zone, service, slot, i % 2 ? HEALTH_PASS : HEALTH_WATCHED, 10);
        assert_int_equal(state_of(zone, service, slot), PEER_DRAINING); /* no check ends it */
    }
    order_state(zone, service, slot, PEER_READY, 30);
    assert_int_equal(peer->drain.since_ms, 0);
    assert_int_equal(peer->drain.by_len, 0);
    assert_int_equal(atomic_load(&service->draining), 0);
}

static unsigned add_name(struct zone *zone, struct service *service, const char *name)
{
    struct peer_spec spec = t_spec(name, TRACK_CANARY, 2);
    unsigned slot;
    spec.is_name = true;
    spec.sockaddr_len = 0;
    assert_int_equal(zone_peer_add_locked(zone, service, &spec, 0, &slot, NULL), 0);
    return slot;
}

static unsigned add_address(struct zone *zone, struct service *service, const char *address,
                            unsigned name)
{
    struct peer_spec spec = t_spec(address, TRACK_CANARY, 2);
    unsigned slot;
    spec.origin = ORIGIN_NAME;
    spec.parent = (int) name;
    assert_int_equal(zone_peer_add_locked(zone, service, &spec, 0, &slot, NULL), 0);
    return slot;
}

static void test_what_is_asked_of_a_name_is_done_to_its_addresses(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    unsigned stranger = t_peer(zone, service, "s:1", TRACK_CANARY, 1);
    unsigned name = add_name(zone, service, "app:80");
    unsigned one = add_address(zone, service, "10.0.0.1:80", name);
    unsigned two = add_address(zone, service, "10.0.0.2:80", name);
    struct peer_order order = {.has_state = true,
                               .state = PEER_DRAINING,
                               .drain = {.since_ms = 5},
                               .has_track = true,
                               .track = TRACK_STABLE,
                               .has_weight = true,
                               .weight = 9};

    assert_int_equal(zone_ready(service, TRACK_CANARY, LEVEL_PASSING), 3);
    zone_peer_order_locked(zone, service, name, &order, 0);
    assert_int_equal(state_of(zone, service, name), PEER_NAME);
    assert_int_equal(zone_peer(zone, service, name)->wanted, PEER_DRAINING);
    assert_int_equal(zone_peer(zone, service, name)->drain.since_ms, 5);
    const unsigned addresses[] = {one, two};
    T_TABLE(slot, addresses)
    {
        assert_int_equal(state_of(zone, service, *slot), PEER_DRAINING);
        assert_int_equal(META_TRACK(meta_of(zone, service, *slot)), TRACK_STABLE);
        assert_int_equal(zone_peer(zone, service, *slot)->weight, 9);
        assert_int_equal(zone_peer(zone, service, *slot)->drain.since_ms, 5);
    }
    assert_int_equal(atomic_load(&service->draining), 2);
    assert_int_equal(state_of(zone, service, stranger), PEER_READY);

    order_state(zone, service, two, PEER_REMOVED, 0); /* the address is gone */
    order_state(zone, service, name, PEER_READY, 0);
    assert_int_equal(state_of(zone, service, one), PEER_READY);
    assert_int_equal(state_of(zone, service, two), PEER_REMOVED);
    assert_int_equal(zone_peer(zone, service, name)->drain.since_ms, 0);
    order_state(zone, service, name, PEER_REMOVED, 0);
    assert_int_equal(state_of(zone, service, name), PEER_REMOVED);
    assert_int_equal(state_of(zone, service, one), PEER_REMOVED);
    zone_peers_sweep_locked(zone, service);
    assert_int_equal(state_of(zone, service, name), PEER_FREE);
    assert_int_equal(service->removed, 0);
}

/* nginx.conf has the peer with that weight, up or down. */
static void base(struct zone *zone, struct service *service, unsigned slot, uint32_t weight,
                 bool down)
{
    struct zone_base says = {.weight = weight, .down = down};
    zone_peer_base_locked(zone, service, slot, &says);
}

static void test_a_configuration_changes_what_no_command_has(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    unsigned slot = t_peer(zone, service, "a:1", TRACK_STABLE, 1);
    const struct peer *peer = zone_peer(zone, service, slot);
    struct peer_order weigh = {.has_weight = true, .weight = 5};

    assert_true(zone_peer_differs(zone, service, slot)); /* no configuration has it yet */
    base(zone, service, slot, 1, false);
    assert_false(zone_peer_differs(zone, service, slot));
    base(zone, service, slot, 2, true); /* weighed anew, and down */
    assert_int_equal(peer->weight, 2);
    assert_int_equal(state_of(zone, service, slot), PEER_DOWN);
    assert_false(zone_peer_differs(zone, service, slot));

    order_state(zone, service, slot, PEER_READY, 0);
    zone_peer_order_locked(zone, service, slot, &weigh, 0);
    assert_true(zone_peer_differs(zone, service, slot));
    base(zone, service, slot, 2, true); /* a reload that changes nothing */
    assert_int_equal(peer->weight, 5);
    assert_int_equal(state_of(zone, service, slot), PEER_READY);
    base(zone, service, slot, 3, true); /* another weight: the command's stays */
    assert_int_equal(peer->weight, 5);
    assert_true(zone_peer_differs(zone, service, slot));
    base(zone, service, slot, 5, false); /* the configuration says the same now */
    assert_false(zone_peer_differs(zone, service, slot));
}

static void test_a_removal_is_kept_until_the_configuration_drops_the_peer(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    unsigned slot = t_peer(zone, service, "a:1", TRACK_STABLE, 1);
    unsigned other = t_peer(zone, service, "b:1", TRACK_STABLE, 1);

    base(zone, service, slot, 1, false);
    order_state(zone, service, slot, PEER_REMOVED, 0);
    zone_peers_sweep_locked(zone, service);
    assert_int_equal(state_of(zone, service, slot), PEER_REMOVED); /* a tombstone */
    assert_true(zone_peer_differs(zone, service, slot));
    base(zone, service, slot, 4, false); /* it is not undone by a reload */
    assert_int_equal(state_of(zone, service, slot), PEER_REMOVED);

    zone_peer_base_locked(zone, service, slot, NULL);
    assert_false(zone_peer_differs(zone, service, slot));
    zone_peers_sweep_locked(zone, service);
    assert_int_equal(state_of(zone, service, slot), PEER_FREE);
    zone_peer_base_locked(zone, service, other, NULL); /* it never had that one */
    assert_int_equal(state_of(zone, service, other), PEER_READY);
    assert_true(zone_peer_differs(zone, service, other));
}

static void test_an_ejection_ends_with_its_time_or_with_the_peer(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    unsigned slot = t_peer(zone, service, "a:1", TRACK_STABLE, 1);
    const struct peer *peer = zone_peer(zone, service, slot);
    struct peer_note note = {.code = 1, .text = STR("5 failed"), .now_ms = 100};

    assert_true(zone_peer_eject_locked(zone, service, slot, 200, &note));
    assert_int_equal(META_HEALTH(meta_of(zone, service, slot)), HEALTH_DOWN);
    zone_ejections_end_locked(zone, service, &RULE, 4, 199);
    assert_int_equal(META_HEALTH(meta_of(zone, service, slot)), HEALTH_DOWN);
    zone_ejections_end_locked(zone, service, &RULE, 4, 200);
    assert_int_equal(META_HEALTH(meta_of(zone, service, slot)), HEALTH_UNCHECKED);
    assert_int_equal(atomic_load(&peer->seen.fails), 4); /* one more ejects again */
    assert_int_equal(atomic_load(&service->ejected), 0);

    assert_true(zone_peer_eject_locked(zone, service, slot, 300, &note));
    order_state(zone, service, slot, PEER_REMOVED, 0);
    zone_peers_sweep_locked(zone, service);
    assert_int_equal(t_peer(zone, service, "b:1", TRACK_STABLE, 1), slot);
    assert_int_equal(atomic_load(&service->ejected), 0); /* nobody waits for its end */
    assert_int_equal(META_HEALTH(meta_of(zone, service, slot)), HEALTH_UNCHECKED);
}

static void test_a_slow_start_grows_from_a_sixteenth_to_all(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    service->slow_start_ms = 1000;
    unsigned slot = t_peer(zone, service, "a:1", TRACK_STABLE, 4);
    assert_int_equal(atomic_load(&service->ramping), 0); /* nothing is cold when all begins */

    order_state(zone, service, slot, PEER_DOWN, 5000);
    order_state(zone, service, slot, PEER_READY, 5000);
    const struct {
        uint64_t at_ms;
        uint32_t weight;
    } rows[] = {{5000, 1}, {5010, 1}, {5250, 16}, {5500, 32}, {5999, 63}, {6000, 64}};
    T_TABLE(row, rows)
    {
        zone_ramps_set_locked(zone, service, row->at_ms);
        assert_int_equal(META_WEIGHT(meta_of(zone, service, slot)), row->weight);
    }
    assert_int_equal(atomic_load(&service->ramping), 0);

    see(zone, service, slot, HEALTH_WATCHED, 0);
    see(zone, service, slot, HEALTH_PASS, 7000); /* the first check of one in service */
    assert_int_equal(META_WEIGHT(meta_of(zone, service, slot)), 64);
    see(zone, service, slot, HEALTH_TOLD, 8000);
    see(zone, service, slot, HEALTH_PASS, 8500);
    see(zone, service, slot, HEALTH_PASS, 9000);
    assert_int_equal(META_WEIGHT(meta_of(zone, service, slot)), 1); /* it came back */
    order_state(zone, service, slot, PEER_DRAINING, 9100);
    assert_int_equal(atomic_load(&service->ramping), 0);
    assert_int_equal(META_WEIGHT(meta_of(zone, service, slot)), 64);
}

/* What the service's counts have to be, from the peers themselves. */
static void recount(const struct zone *zone, const struct service *service, const char *after)
{
    uint32_t ready[TRACK_COUNT][HEALTH_COUNT] = {0};
    uint32_t draining = 0, removed = 0, ejected = 0, ramping = 0;
    unsigned slots = atomic_load(&service->slots);

    for (unsigned slot = 0; slot < slots; slot++) {
        uint32_t meta = meta_of(zone, service, slot);
        const struct peer *peer = zone_peer(zone, service, slot);
        ready[META_TRACK(meta)][META_HEALTH(meta)] += META_STATE(meta) == PEER_READY;
        draining += META_STATE(meta) == PEER_DRAINING;
        removed += META_STATE(meta) == PEER_REMOVED;
        ejected += peer->seen.state.ejected;
        ramping += peer->ramp_since_ms != 0;
        if (META_STATE(meta) == PEER_FREE) {
            t_check(!peer->seen.state.ejected && peer->ramp_since_ms == 0, "%s", after);
            continue;
        }
        t_check(META_HEALTH(meta) == peer->seen.state.health, "%s", after);
        t_check(META_STATE(meta) == PEER_NAME || META_STATE(meta) == PEER_REMOVED || !peer->is_name,
                "%s", after);
        t_check(META_STATE(meta) == PEER_DRAINING || peer->is_name || peer->drain.since_ms == 0,
                "%s", after);
        t_check(peer->ramp_since_ms != 0 ? META_STATE(meta) == PEER_READY
                                         : META_WEIGHT(meta) == peer->weight * ZONE_WEIGHT_UNIT,
                "%s", after);
        t_check(META_WEIGHT(meta) >= 1 && META_WEIGHT(meta) <= atomic_load(&service->weight_max),
                "%s", after);
    }
    for (enum track track = 0; track < TRACK_COUNT; track++) {
        for (enum health health = 0; health < HEALTH_COUNT; health++) {
            t_check(atomic_load(&service->ready[track][health]) == ready[track][health],
                    "%s: %s %s %u, not %u", after, zone_track_name(track), health_name(health),
                    atomic_load(&service->ready[track][health]), ready[track][health]);
        }
    }
    t_check(atomic_load(&service->draining) == draining, "%s", after);
    t_check(service->removed == removed, "%s", after);
    t_check(atomic_load(&service->ejected) == ejected, "%s", after);
    t_check(atomic_load(&service->ramping) == ramping, "%s", after);
}

/* A slot that is taken, by chance; -1: the one that was drawn is free. */
static int any_slot(struct t_random *random, const struct zone *zone, const struct service *service)
{
    unsigned slots = atomic_load(&service->slots);
    unsigned slot = slots > 0 ? (unsigned) t_random_below(random, slots) : 0;
    return slots == 0 || state_of(zone, service, slot) == PEER_FREE ? -1 : (int) slot;
}

static void add_any(struct t_random *random, struct zone *zone, struct service *service,
                    uint64_t now_ms)
{
    static const enum peer_state states[] = {PEER_READY, PEER_DRAINING, PEER_DOWN};
    struct peer_spec spec = t_spec("a:1", (enum track) t_random_below(random, 2),
                                   1 + (uint32_t) t_random_below(random, 9));
    int parent = any_slot(random, zone, service);
    unsigned slot;

    spec.state = states[t_random_below(random, 3)];
    spec.checked = t_random_below(random, 2);
    spec.is_name = t_random_below(random, 4) == 0;
    if (!spec.is_name && parent >= 0 && state_of(zone, service, (unsigned) parent) == PEER_NAME) {
        spec.parent = parent;
    }
    if (atomic_load(&service->slots) < 24) {
        (void) zone_peer_add_locked(zone, service, &spec, t_random_below(random, 2) * now_ms, &slot,
                                    NULL);
    }
}

static void order_any(struct t_random *random, struct zone *zone, struct service *service,
                      unsigned slot, uint64_t now_ms)
{
    static const enum peer_state states[] = {PEER_READY, PEER_DRAINING, PEER_DOWN, PEER_REMOVED};
    struct peer_order order = {.has_state = t_random_below(random, 2),
                               .state = states[t_random_below(random, 4)],
                               .has_track = t_random_below(random, 2),
                               .track = (enum track) t_random_below(random, 2),
                               .has_weight = t_random_below(random, 2),
                               .weight = 1 + (uint32_t) t_random_below(random, 9),
                               .drain = {.since_ms = now_ms}};
    zone_peer_order_locked(zone, service, slot, &order, t_random_below(random, 2) * now_ms);
}

static const char *step_any(struct t_random *random, struct zone *zone, struct service *service,
                            uint64_t now_ms)
{
    struct peer_note note = {.code = 1, .text = STR("seen"), .now_ms = now_ms};
    uint64_t what = t_random_below(random, 10);
    int slot = any_slot(random, zone, service);

    if (slot < 0 || what == 0) {
        add_any(random, zone, service, now_ms);
        return "added";
    }
    switch (what) {
    case 1:
        base(zone, service, (unsigned) slot, 1 + (uint32_t) t_random_below(random, 9),
             t_random_below(random, 2));
        return "a base";
    case 2:
        zone_peer_base_locked(zone, service, (unsigned) slot, NULL);
        return "no base";
    case 3:
        zone_peers_sweep_locked(zone, service);
        return "swept";
    case 4:
        (void) zone_peer_eject_locked(zone, service, (unsigned) slot, now_ms + 50, &note);
        return "ejected";
    case 5:
        zone_ejections_end_locked(zone, service, &RULE, 4, now_ms);
        zone_ramps_set_locked(zone, service, now_ms);
        return "time passed";
    case 6:
        zone_health_watch_locked(zone, service, t_random_below(random, 2));
        return "watched";
    case 7:
    case 8:
        see(zone, service, (unsigned) slot, (enum health_event) t_random_below(random, 3), now_ms);
        return "seen";
    default:
        order_any(random, zone, service, (unsigned) slot, now_ms);
        return "ordered";
    }
}

static void test_counts_are_true_after_whatever_happens(void **state)
{
    (void) state;
    struct t_random random = t_random_init();

    for (unsigned round = 0; round < 50; round++) {
        struct zone *zone = t_zone(T_ZONE_SIZE);
        struct service *service = t_service(zone, "shop");
        uint64_t now_ms = 1000;
        service->slow_start_ms = round % 2 ? 100 : 0;
        for (unsigned step = 0; step < 500; step++) {
            now_ms += t_random_below(&random, 20);
            recount(zone, service, step_any(&random, zone, service, now_ms));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_order_changes_what_it_names_only),
        cmocka_unit_test(test_a_drain_keeps_who_asked_until_it_ends),
        cmocka_unit_test(test_what_is_asked_of_a_name_is_done_to_its_addresses),
        cmocka_unit_test(test_a_configuration_changes_what_no_command_has),
        cmocka_unit_test(test_a_removal_is_kept_until_the_configuration_drops_the_peer),
        cmocka_unit_test(test_an_ejection_ends_with_its_time_or_with_the_peer),
        cmocka_unit_test(test_a_slow_start_grows_from_a_sixteenth_to_all),
        cmocka_unit_test(test_counts_are_true_after_whatever_happens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
