/* Addresses of a name: answers of a resolver merged into the zone. */
#include "support/t.h"

#include "traffic/resolve.h"

#define SIZE   (1u << 20)
#define POOL   100u /* addresses that answers are made of */
#define ANSWER 120u /* longest answer, with doubles */
#define MOST   RESOLVE_ADDRESSES_MAX

static _Alignas(64) uint8_t memory[SIZE];

struct world {
    struct zone *zone;
    struct service *service;
    struct row *row;
    unsigned name; /* its slot */
};

static unsigned add(struct world *world, const struct peer_spec *spec)
{
    unsigned slot = 0;
    assert_int_equal(zone_peer_add_locked(world->zone, world->service, spec, 0, &slot, NULL), 0);
    return slot;
}

static struct world fresh(bool checked)
{
    static const uint8_t token[16] = {1};
    struct world world = {.zone = (struct zone *) (void *) memory};
    struct peer_spec name = {.address = STR("app:80"),
                             .name = STR("app"),
                             .dc = STR("east"),
                             .track = TRACK_CANARY,
                             .weight = 3,
                             .state = PEER_READY,
                             .is_name = true,
                             .checked = checked,
                             .parent = -1};

    memset(memory, 0, sizeof(memory));
    assert_int_equal(zone_init(memory, SIZE, 7, token, 1000, NULL), 0);
    assert_int_equal(
        zone_service_add_locked(world.zone, STR("shop"), SERVICE_BALANCER, &world.service, NULL),
        0);
    world.service->slow_start_ms = 1000;
    world.row = zone_row_get_locked(world.zone, world.service, 0, 77);
    world.name = add(&world, &name);
    return world;
}

static const char *address_text(unsigned n)
{
    static char text[POOL][24];
    (void) snprintf(text[n], sizeof(text[n]), "10.0.0.%u:80", n);
    return text[n];
}

static struct resolve_change answer(const struct world *world, const unsigned *numbers,
                                    size_t count, uint64_t now_ms)
{
    struct resolve_address address[ANSWER];
    struct resolve_now now = {.mono_ms = now_ms, .wall_ms = 1000 + now_ms};

    for (size_t i = 0; i < count; i++) {
        address[i] = (struct resolve_address){str_of(address_text(numbers[i])), &numbers[i],
                                              sizeof(numbers[i])};
    }
    return resolve_answer_locked(world->zone, world->service, world->name, address, count, now);
}

static const struct peer *peer_of(const struct world *world, unsigned slot)
{
    return zone_peer(world->zone, world->service, slot);
}

static struct str error_of(const struct world *world)
{
    const struct peer *name = peer_of(world, world->name);
    return (struct str){name->error, name->error_len};
}

/* Slot of the living peer of the name with this address, or -1. */
static int slot_of(const struct world *world, unsigned number)
{
    int found = -1;
    for (unsigned slot = 0; slot < atomic_load(&world->service->slots); slot++) {
        const struct peer *peer = peer_of(world, slot);
        enum peer_state state = META_STATE(zone_peer_meta(world->zone, world->service, slot));
        if (state != PEER_FREE && state != PEER_REMOVED && peer->parent == world->name + 1 &&
            str_eq_cstr((struct str){peer->address, peer->address_len}, address_text(number))) {
            t_check(found < 0, "%s is there twice", address_text(number));
            found = (int) slot;
        }
    }
    return found;
}

static void test_addresses_become_peers_as_their_name_is(void **state)
{
    (void) state;
    struct world world = fresh(false);
    const unsigned first[] = {1, 2, 1};

    struct resolve_change change = answer(&world, first, 3, 5000);
    assert_int_equal(change.added, 2);
    assert_int_equal(change.removed, 0);
    assert_false(change.told);
    int slot = slot_of(&world, 2);
    assert_true(slot >= 0);
    const struct peer *peer = peer_of(&world, (unsigned) slot);
    uint32_t meta = zone_peer_meta(world.zone, world.service, (unsigned) slot);
    assert_int_equal(META_TRACK(meta), TRACK_CANARY);
    assert_int_equal(META_STATE(meta), PEER_READY);
    assert_int_equal(META_WEIGHT(meta), 3 * ZONE_WEIGHT_UNIT); /* nothing is cold at first */
    assert_int_equal(peer->weight, 3);
    assert_int_equal(peer->origin, ORIGIN_NAME);
    assert_str(((struct str){peer->name, peer->name_len}), "app");
    assert_str(((struct str){peer->dc, peer->dc_len}), "east");
    assert_memory_equal(peer->sockaddr.bytes, &first[1], sizeof(first[1]));
    assert_int_equal(atomic_load(&peer_of(&world, world.name)->resolved_at_ms), 6000);
    assert_int_equal(zone_ready(world.service, TRACK_CANARY, LEVEL_PASSING), 2);
}

static void test_one_that_stays_is_untouched_and_one_that_comes_later_starts_slowly(void **state)
{
    (void) state;
    struct world world = fresh(false);
    const unsigned first[] = {1}, second[] = {2, 1};

    (void) answer(&world, first, 1, 5000);
    int slot = slot_of(&world, 1);
    uint32_t before = zone_peer_meta(world.zone, world.service, (unsigned) slot);
    struct resolve_change change = answer(&world, second, 2, 6000);
    assert_int_equal(change.added, 1);
    assert_int_equal(zone_peer_meta(world.zone, world.service, (unsigned) slot), before);
    int cold = slot_of(&world, 2);
    assert_int_equal(META_WEIGHT(zone_peer_meta(world.zone, world.service, (unsigned) cold)), 1);
    uint64_t epoch = atomic_load(&world.zone->epoch);
    change = answer(&world, second, 2, 7000);
    assert_int_equal(change.added + change.removed, 0);
    assert_int_equal(atomic_load(&world.zone->epoch), epoch);
}

static uint32_t weight_after_a_pass(const struct world *world, unsigned number, uint64_t now_ms)
{
    static const struct health_rule rule = {1, 1};
    struct peer_note note = {.now_ms = now_ms, .took_us = 1};
    unsigned slot = (unsigned) slot_of(world, number);

    assert_int_equal(META_HEALTH(zone_peer_meta(world->zone, world->service, slot)),
                     HEALTH_UNKNOWN);
    assert_true(
        zone_peer_health_locked(world->zone, world->service, slot, HEALTH_PASS, &rule, &note));
    return META_WEIGHT(zone_peer_meta(world->zone, world->service, slot));
}

static void test_where_there_are_checks_the_first_that_passes_begins_the_slow_start(void **state)
{
    (void) state;
    struct world world = fresh(true);
    const unsigned first[] = {1}, second[] = {1, 2};

    (void) answer(&world, first, 1, 5000);
    assert_int_equal(weight_after_a_pass(&world, 1, 5500), 3 * ZONE_WEIGHT_UNIT);
    (void) answer(&world, second, 2, 6000);
    assert_int_equal(weight_after_a_pass(&world, 2, 9000), 1);
}

static void test_what_was_asked_of_a_name_holds_for_addresses_that_come_later(void **state)
{
    (void) state;
    struct world world = fresh(false);
    const unsigned first[] = {1}, second[] = {2};
    struct peer_order drain = {.has_state = true,
                               .state = PEER_DRAINING,
                               .has_weight = true,
                               .weight = 7,
                               .has_track = true,
                               .track = TRACK_STABLE,
                               .drain = {.since_ms = 5, .requests_until_ms = 9}};

    (void) answer(&world, first, 1, 5000);
    zone_peer_order_locked(world.zone, world.service, world.name, &drain, 5500);
    assert_int_equal(resolve_find(world.zone, world.service, STR("app:80"), TRACK_CANARY),
                     world.name);
    (void) answer(&world, second, 1, 6000);
    assert_int_equal(slot_of(&world, 1), -1);
    unsigned slot = (unsigned) slot_of(&world, 2);
    uint32_t meta = zone_peer_meta(world.zone, world.service, slot);
    assert_int_equal(META_STATE(meta), PEER_DRAINING);
    assert_int_equal(META_TRACK(meta), TRACK_STABLE);
    assert_int_equal(META_WEIGHT(meta), 7 * ZONE_WEIGHT_UNIT);
    assert_int_equal(peer_of(&world, slot)->drain.requests_until_ms, 9);

    struct peer_order ready = {.has_state = true, .state = PEER_READY};
    zone_peer_order_locked(world.zone, world.service, world.name, &ready, 7000);
    assert_int_equal(zone_ready(world.service, TRACK_STABLE, LEVEL_PASSING), 1);
}

static void test_a_removed_name_takes_its_addresses_along_and_is_not_found(void **state)
{
    (void) state;
    struct world world = fresh(false);
    const unsigned first[] = {1, 2};
    struct peer_order remove = {.has_state = true, .state = PEER_REMOVED};

    (void) answer(&world, first, 2, 5000);
    zone_peer_order_locked(world.zone, world.service, world.name, &remove, 6000);
    assert_int_equal(zone_level(world.service, TRACK_CANARY), LEVEL_NONE);
    assert_int_equal(resolve_find(world.zone, world.service, STR("app:80"), TRACK_CANARY), -1);
}

static void test_no_address_and_a_failure_are_told_once(void **state)
{
    (void) state;
    struct world world = fresh(false);
    const unsigned first[] = {1};

    assert_true(
        resolve_failed_locked(world.zone, world.service, world.name, STR("the resolver sleeps")));
    assert_false(
        resolve_failed_locked(world.zone, world.service, world.name, STR("the resolver sleeps")));
    assert_true(answer(&world, first, 1, 5000).told);
    assert_str(error_of(&world), "");
    assert_true(
        resolve_failed_locked(world.zone, world.service, world.name, STR("the resolver sleeps")));
    assert_true(slot_of(&world, 1) >= 0); /* the last addresses stay */
    assert_true(answer(&world, first, 0, 6000).told);
    assert_str(error_of(&world), "it has no address");
    assert_int_equal(slot_of(&world, 1), -1);
    assert_false(answer(&world, first, 0, 7000).told);
}

static void test_only_the_first_answer_is_awaited(void **state)
{
    (void) state;
    struct world world = fresh(false);
    const unsigned first[] = {1};

    assert_true(resolve_awaited(world.zone, world.service));
    (void) answer(&world, first, 1, 5000);
    assert_false(resolve_awaited(world.zone, world.service));
    (void) answer(&world, first, 0, 6000);
    assert_false(resolve_awaited(world.zone, world.service));

    world = fresh(false);
    (void) resolve_failed_locked(world.zone, world.service, world.name, STR("it sleeps"));
    assert_false(resolve_awaited(world.zone, world.service));
}

static void
test_more_addresses_than_a_name_may_have_are_told_and_those_that_are_there_stay(void **state)
{
    (void) state;
    struct world world = fresh(false);
    unsigned up[POOL], down[POOL];

    for (unsigned i = 0; i < POOL; i++) {
        up[i] = i;
        down[i] = POOL - 1 - i;
    }
    assert_int_equal(answer(&world, up, MOST, 5000).added, MOST);
    assert_str(error_of(&world), "");
    struct resolve_change change = answer(&world, down, POOL, 6000);
    assert_int_equal(change.added + change.removed, 0);
    assert_str(error_of(&world), "it has more than 64 addresses, the others are left out");
    change = answer(&world, up, POOL - 1, 7000);
    assert_int_equal(change.added + change.removed, 0);
}

static void test_a_full_zone_is_told_and_the_slots_of_the_old_ones_do_for_the_new(void **state)
{
    (void) state;
    struct world world = fresh(false);
    unsigned numbers[POOL], after[8];

    for (unsigned i = 0; i < POOL; i++) {
        numbers[i] = i;
    }
    world.zone->size = world.zone->used + 2 * 64u; /* no room for another chunk */
    struct resolve_change change = answer(&world, numbers, 20, 5000);
    assert_int_equal(change.added, ZONE_CHUNK_PEERS - 1);
    assert_true(change.told);
    assert_true(str_starts_with(error_of(&world), STR("not all its addresses have room: ")));
    for (unsigned i = 0; i < 8; i++) {
        after[i] = 50 + i;
    }
    change = answer(&world, after, 8, 6000);
    assert_int_equal(change.added, 8);
    assert_int_equal(change.removed, ZONE_CHUNK_PEERS - 1);
    assert_str(error_of(&world), "");
}

static void test_a_peer_that_stands_alone_is_found_before_one_of_a_name(void **state)
{
    (void) state;
    struct world world = fresh(false);
    const unsigned first[] = {1, 2};
    struct peer_spec alone = {.address = STR("10.0.0.1:80"),
                              .name = STR("10.0.0.1:80"),
                              .sockaddr = "x",
                              .sockaddr_len = 1,
                              .track = TRACK_CANARY,
                              .weight = 1,
                              .state = PEER_READY,
                              .parent = -1};

    (void) answer(&world, first, 2, 5000);
    unsigned slot = add(&world, &alone);
    assert_int_equal(zone_peer_find(world.zone, world.service, STR("10.0.0.1:80"), TRACK_CANARY),
                     slot);
    assert_int_equal(zone_peer_find(world.zone, world.service, STR("10.0.0.2:80"), TRACK_CANARY),
                     slot_of(&world, 2));
}

/* What a property test knows of the world beside the zone. */
struct model {
    bool wanted[POOL]; /* the last answer has it */
    unsigned distinct;
    struct {
        bool taken;
        unsigned slot;
        uint32_t meta;
    } pin[8];
    enum peer_state state;
    unsigned most; /* peers of the name that are alive or pinned, the greatest so far */
};

static void some_answer(struct world *world, struct model *model, struct t_random *random,
                        uint64_t now_ms)
{
    unsigned numbers[ANSWER], spread = 1 + (unsigned) t_random_below(random, POOL);
    size_t count = t_random_below(random, 4) == 0 ? t_random_below(random, ANSWER + 1)
                                                  : t_random_below(random, 6);

    memset(model->wanted, 0, sizeof(model->wanted));
    model->distinct = 0;
    for (size_t i = 0; i < count; i++) {
        numbers[i] = (unsigned) t_random_below(random, spread);
        model->distinct += !model->wanted[numbers[i]];
        model->wanted[numbers[i]] = true;
    }
    (void) answer(world, numbers, count, now_ms);
}

static void some_order(struct world *world, struct model *model, struct t_random *random,
                       uint64_t now_ms)
{
    static const enum peer_state states[] = {PEER_READY, PEER_READY, PEER_DRAINING, PEER_DOWN};
    struct peer_order order = {.has_state = true,
                               .state = states[t_random_below(random, T_LEN(states))],
                               .has_weight = true,
                               .weight = 1 + (uint32_t) t_random_below(random, 5)};
    model->state = order.state;
    zone_peer_order_locked(world->zone, world->service, world->name, &order, now_ms);
}

/* A request comes to a peer of the name, or one ends. */
static void some_request(struct world *world, struct model *model, struct t_random *random)
{
    unsigned i = (unsigned) t_random_below(random, T_LEN(model->pin));
    unsigned slot = (unsigned) t_random_below(random, atomic_load(&world->service->slots));
    struct pin *pin = zone_pin_get_locked(world->zone, world->row,
                                          model->pin[i].taken ? model->pin[i].slot : slot);

    if (model->pin[i].taken) {
        zone_pin_drop(zone_peer_chunk(world->zone, world->service, model->pin[i].slot),
                      model->pin[i].slot, pin);
        model->pin[i].taken = false;
        return;
    }
    uint32_t meta = zone_peer_meta(world->zone, world->service, slot);
    if (META_STATE(meta) == PEER_READY &&
        zone_pin_take(zone_peer_chunk(world->zone, world->service, slot), slot, pin, meta)) {
        model->pin[i].taken = true;
        model->pin[i].slot = slot;
        model->pin[i].meta = meta;
    }
}

/* The peers are those of the last answer, each once, in the state that is wanted. */
static void check_peers(const struct world *world, const struct model *model)
{
    unsigned live = 0;

    for (unsigned n = 0; n < POOL; n++) {
        int slot = slot_of(world, n);
        if (slot < 0) {
            t_check(!model->wanted[n] || model->distinct > MOST, "%s is missing", address_text(n));
            continue;
        }
        live++;
        t_check(model->wanted[n], "%s is still there", address_text(n));
        uint32_t meta = zone_peer_meta(world->zone, world->service, (unsigned) slot);
        assert_int_equal(META_STATE(meta), model->state);
        assert_int_equal(peer_of(world, (unsigned) slot)->weight,
                         peer_of(world, world->name)->weight);
    }
    assert_int_equal(live, model->distinct < MOST ? model->distinct : MOST);
    assert_int_equal(zone_ready(world->service, TRACK_CANARY, LEVEL_PASSING),
                     model->state == PEER_READY ? live : 0);
}

/* Slots that requests hold are nobody else's; the others are used again. */
static void check_slots(const struct world *world, struct model *model)
{
    unsigned busy = 1, slots = atomic_load(&world->service->slots);

    for (unsigned i = 0; i < T_LEN(model->pin); i++) {
        if (model->pin[i].taken) {
            uint32_t meta = zone_peer_meta(world->zone, world->service, model->pin[i].slot);
            assert_int_equal(META_GENERATION(meta), META_GENERATION(model->pin[i].meta));
            assert_int_not_equal(META_STATE(meta), PEER_FREE);
        }
    }
    for (unsigned slot = 0; slot < slots; slot++) {
        enum peer_state state = META_STATE(zone_peer_meta(world->zone, world->service, slot));
        int64_t in_flight = zone_pin_sum(world->zone, world->service, slot).in_flight;
        busy += state != PEER_FREE;
        t_check(state != PEER_FREE || in_flight == 0, "slot %u is free and pinned", slot);
    }
    model->most = busy > model->most ? busy : model->most;
    /* while an answer is taken old and new ones are there at once */
    t_check(slots <= 1 + 2 * MOST + T_LEN(model->pin), "%u slots, at most %u in use", slots,
            model->most);
}

static void test_after_any_answers_the_peers_are_those_of_the_last(void **state)
{
    (void) state;
    struct t_random random = t_random_init();

    for (unsigned round = 0; round < 25; round++) {
        struct world world = fresh(false);
        struct model model = {.state = PEER_READY};
        for (unsigned step = 0; step < 300; step++) {
            uint64_t now_ms = 1000 + 50 * step;
            switch (t_random_below(&random, 8)) {
            case 0:
            case 1:
            case 2:
                some_answer(&world, &model, &random, now_ms);
                break;
            case 3:
                some_order(&world, &model, &random, now_ms);
                break;
            case 4:
                zone_peers_sweep_locked(world.zone, world.service);
                zone_ramps_set_locked(world.zone, world.service, now_ms);
                break;
            case 5:
                (void) resolve_failed_locked(world.zone, world.service, world.name, STR("no"));
                break;
            default:
                some_request(&world, &model, &random);
            }
            check_peers(&world, &model);
            check_slots(&world, &model);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses_become_peers_as_their_name_is),
        cmocka_unit_test(test_one_that_stays_is_untouched_and_one_that_comes_later_starts_slowly),
        cmocka_unit_test(test_where_there_are_checks_the_first_that_passes_begins_the_slow_start),
        cmocka_unit_test(test_what_was_asked_of_a_name_holds_for_addresses_that_come_later),
        cmocka_unit_test(test_a_removed_name_takes_its_addresses_along_and_is_not_found),
        cmocka_unit_test(test_no_address_and_a_failure_are_told_once),
        cmocka_unit_test(test_only_the_first_answer_is_awaited),
        cmocka_unit_test(
            test_more_addresses_than_a_name_may_have_are_told_and_those_that_are_there_stay),
        cmocka_unit_test(test_a_full_zone_is_told_and_the_slots_of_the_old_ones_do_for_the_new),
        cmocka_unit_test(test_a_peer_that_stands_alone_is_found_before_one_of_a_name),
        cmocka_unit_test(test_after_any_answers_the_peers_are_those_of_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
