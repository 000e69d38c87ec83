/*
 * The proof of a drain, in every order of the real steps of all who take part (zone.h, "The pin
 * protocol"): requests of two processes, the one who drains, a checker, a death and the reaper.
 *
 * Never may it be proved that nothing is in flight while a request goes on at the peer, or ever
 * goes on there afterwards.
 */
#include "support/zone.h"

#include "traffic/pick.h"
#include "traffic/zone_int.h"

/* A request: it chooses, announces, confirms (or chooses anew), goes on and ends. */
enum at { AT_CHOICE, AT_ANNOUNCE, AT_CONFIRM, AT_WORK, AT_END };

struct request {
    enum at at;
    unsigned choices;
    uint32_t meta;
};

enum { FIRST, SECOND, DRAINER, CHECKER, REAPER, ACTORS };

/* Who takes part, and with how many steps; of a request: how often it chooses at most. */
static unsigned steps[ACTORS];

/* What the steps change, but the zone: that is saved apart. */
struct world {
    struct request request[2];
    unsigned done[ACTORS];
    bool proved[2]; /* by a first reading, by a second one after it */
};

static struct zone *zone;
static struct service *service;
static struct peer_chunk *chunk;
static struct pin *pin[2];
static uint64_t orders_seen, proofs_seen;

struct saved {
    struct world world;
    struct service service;
    struct peer peer;
    uint32_t meta;
    int32_t hint;
    struct pin pin[2];
    int32_t pid;
};

static void make_world(void)
{
    zone = t_zone(T_ZONE_SIZE);
    service = t_service(zone, "shop");
    unsigned slot = t_peer(zone, service, "a:1", TRACK_STABLE, 1);
    assert_int_equal(slot, 0);
    zone_health_watch_locked(zone, service, true);
    chunk = zone_peer_chunk(zone, service, 0);
    for (int32_t i = 0; i < 2; i++) {
        struct row *row = zone_row_get_locked(zone, service, i, 100 + i);
        pin[i] = zone_pin_get_locked(zone, row, 0);
    }
}

static bool alive(int32_t pid)
{
    return pid != 100;
}

static bool request_step(struct request *request, struct pin *own, unsigned choices)
{
    static const struct pick_tried none = {.count = 0};

    switch (request->at) {
    case AT_CHOICE:
        if (request->choices++ == choices ||
            pick_peer(zone, service, TRACK_STABLE, &none, request->choices, &request->meta) < 0) {
            request->at = AT_END;
        } else {
            request->at = AT_ANNOUNCE;
        }
        return true;
    case AT_ANNOUNCE:
        zone_pin_announce(own);
        request->at = AT_CONFIRM;
        return true;
    case AT_CONFIRM:
        if (zone_pin_confirm(chunk, 0, own, request->meta)) {
            atomic_fetch_add(&chunk->hint[0], 1); /* as zone_pin_take() does */
            request->at = AT_WORK;
        } else {
            request->at = AT_CHOICE;
        }
        return true;
    case AT_WORK:
        zone_pin_drop(chunk, 0, own);
        request->at = AT_END;
        return true;
    case AT_END:
        break;
    }
    return false;
}

static void drainer_step(struct world *world)
{
    struct peer_order order = {.has_state = true, .state = PEER_DRAINING};

    if (world->done[DRAINER] == 0) {
        zone_peer_order_locked(zone, service, 0, &order, 1);
        return;
    }
    unsigned reading = world->done[DRAINER] - 1;
    bool empty = META_STATE(zone_peer_meta(zone, service, 0)) == PEER_DRAINING &&
                 zone_pin_sum(zone, service, 0).in_flight == 0;
    world->proved[reading] = empty && (reading == 0 || world->proved[0]);
}

static void checker_step(const struct world *world)
{
    static const struct health_rule rule = {1, 1};
    struct peer_note note = {.text = STR("seen"), .now_ms = 1};
    enum health_event event = world->done[CHECKER] == 0 ? HEALTH_FAIL : HEALTH_PASS;

    (void) zone_peer_health_locked(zone, service, 0, event, &rule, &note);
}

/* One step of an actor; false: it has none left. */
static bool step(struct world *world, unsigned actor)
{
    if (actor <= SECOND) {
        bool dead = actor == FIRST && world->done[REAPER] > 0;
        return !dead && steps[actor] > 0 &&
               request_step(&world->request[actor], pin[actor], steps[actor]);
    }
    if (world->done[actor] == steps[actor]) {
        return false;
    }
    if (actor == DRAINER) {
        drainer_step(world);
    } else if (actor == CHECKER) {
        checker_step(world);
    } else if (world->done[REAPER] == 1) {
        (void) zone_reap_locked(zone, alive);
    }
    world->done[actor]++;
    return true;
}

static void save(const struct world *world, struct saved *saved)
{
    struct row *row = zone_row_find(zone, service, 0);
    saved->world = *world;
    memcpy(&saved->service, service, offsetof(struct service, split));
    saved->peer = chunk->peer[0];
    saved->meta = atomic_load(&chunk->meta[0]);
    saved->hint = atomic_load(&chunk->hint[0]);
    memcpy(&saved->pin[0], pin[0], sizeof(*pin[0]));
    memcpy(&saved->pin[1], pin[1], sizeof(*pin[1]));
    saved->pid = atomic_load(&row->pid);
}

static void restore(struct world *world, const struct saved *saved)
{
    struct row *row = zone_row_find(zone, service, 0);
    *world = saved->world;
    memcpy(service, &saved->service, offsetof(struct service, split));
    chunk->peer[0] = saved->peer;
    atomic_store(&chunk->meta[0], saved->meta);
    atomic_store(&chunk->hint[0], saved->hint);
    memcpy(pin[0], &saved->pin[0], sizeof(*pin[0]));
    memcpy(pin[1], &saved->pin[1], sizeof(*pin[1]));
    atomic_store(&row->pid, saved->pid);
}

static void go_on(struct world *world, char *path, size_t len)
{
    bool ended = true;
    struct saved saved;

    for (unsigned i = 0; i < 2; i++) {
        bool dead = i == FIRST && world->done[REAPER] > 0;
        t_check(!(world->proved[0] && world->request[i].at == AT_WORK && !dead),
                "request %u goes on at a peer that was proved empty: %.*s", i, (int) len, path);
    }
    save(world, &saved);
    for (unsigned actor = 0; actor < ACTORS; actor++) {
        if (!step(world, actor)) {
            continue;
        }
        ended = false;
        path[len] = "12DCR"[actor];
        go_on(world, path, len + 1);
        restore(world, &saved);
    }
    orders_seen += ended;
    proofs_seen += ended && world->proved[1];
}

/* The drainer orders and reads twice; the reaper's steps are the death and the reaping. */
static void try_all(const char *who, unsigned first, unsigned second, unsigned checker,
                    unsigned reaper)
{
    struct world world = {0};
    char path[64];

    steps[FIRST] = first;
    steps[SECOND] = second;
    steps[DRAINER] = 3;
    steps[CHECKER] = checker;
    steps[REAPER] = reaper;
    orders_seen = proofs_seen = 0;
    make_world();
    go_on(&world, path, 0);
    print_message("# %s: %" PRIu64 " orders, %" PRIu64 " end proved\n", who, orders_seen,
                  proofs_seen);
    assert_true(proofs_seen > 0 && proofs_seen < orders_seen);
}

static void test_requests_and_a_drainer(void **state)
{
    (void) state;
    try_all("a request", 2, 0, 0, 0);
    try_all("two requests", 2, 2, 0, 0);
}

static void test_a_checker_changes_the_word_meanwhile(void **state)
{
    (void) state;
    try_all("a checker", 3, 0, 2, 0);
    try_all("two requests and a checker", 2, 2, 1, 0);
}

static void test_a_process_dies_and_is_reaped(void **state)
{
    (void) state;
    try_all("a death", 2, 2, 0, 2);
    try_all("a death and a checker", 2, 0, 2, 2);
}

static void test_all_of_them(void **state)
{
    (void) state;
    try_all("all of them", 1, 1, 1, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_and_a_drainer),
        cmocka_unit_test(test_a_checker_changes_the_word_meanwhile),
        cmocka_unit_test(test_a_process_dies_and_is_reaped),
        cmocka_unit_test(test_all_of_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
