/* What is pure of the calls of a release: capacity, evidence by traffic, figures between two looks.
 */
#include "support/t.h"
#include "base/mem.h"
#include "gateway/port_int.h"

static struct router_peer peer(const char *address, enum track track, const char *dc,
                               uint64_t weight)
{
    struct router_peer p = {.origin = "config",
                            .track = track,
                            .weight = weight,
                            .weight_now = (double) weight,
                            .health = ROUTER_PASSING};
    buf_print(p.address, sizeof p.address, "%s", address);
    buf_print(p.name, sizeof p.name, "%s", address);
    buf_print(p.dc, sizeof p.dc, "%s", dc);
    return p;
}

/* --- capacity --- */

static void test_only_peers_that_take_requests_bear_anything(void **state)
{
    (void) state;
    struct router_peer list[] = {
        peer("a:1", TRACK_STABLE, "east", 2),  peer("b:1", TRACK_STABLE, "east", 3),
        peer("c:1", TRACK_STABLE, "west", 5),  peer("d:1", TRACK_STABLE, "east", 7),
        peer("e:1", TRACK_STABLE, "east", 11), peer("f:1", TRACK_CANARY, "east", 13),
        peer("g:1", TRACK_STABLE, "east", 17),
    };
    list[3].state = ROUTER_DRAINING;
    list[4].health = ROUTER_FAILING;
    list[6].health = ROUTER_UNKNOWN;
    list[1].health = ROUTER_UNCHECKED;
    struct router_service s = {.peer = list, .npeers = T_LEN(list)};
    struct peer_ref ref = {.address = "a:1"};
    struct peer_view view = {0};
    struct port_capacity all = {0};
    assert_int_equal(peers_find(&s, &ref, &view), PEER_FOUND);
    port_capacity_add(&s, &view, "east", true, &all);
    assert_int_equal(all.weight[TRACK_STABLE], 2 + 3 + 5);
    assert_int_equal(all.weight[TRACK_CANARY], 13);
    assert_int_equal(all.weight_without[TRACK_STABLE], 3 + 5);
    assert_int_equal(all.weight_without[TRACK_CANARY], 13);
    assert_int_equal(all.peers_dc_without, 1);
    assert_int_equal(all.both_dc_without, 2);
    assert_true(all.known);
    assert_int_equal(all.track, TRACK_STABLE);
    port_capacity_add(&s, &view, NULL, true, &all);
    assert_int_equal(all.peers_dc_without, 2); /* of all data centers */
    assert_int_equal(all.both_dc_without, 3);
}

static void test_the_least_of_all_routers_counts(void **state)
{
    (void) state;
    struct router_peer east[] = {peer("a:1", TRACK_STABLE, "", 4),
                                 peer("f:1", TRACK_CANARY, "", 1)};
    struct router_peer west[] = {peer("b:1", TRACK_STABLE, "", 1),
                                 peer("f:1", TRACK_CANARY, "", 9)};
    struct router_service s[] = {{.peer = east, .npeers = 2}, {.peer = west, .npeers = 2}};
    struct peer_ref ref = {.address = "f:1"};
    struct peer_view view = {0};
    for (size_t order = 0; order < 2; order++) {
        struct port_capacity all = {0};
        for (size_t i = 0; i < 2; i++) {
            assert_int_equal(peers_find(&s[i ^ order], &ref, &view), PEER_FOUND);
            port_capacity_add(&s[i ^ order], &view, NULL, i == 0, &all);
        }
        assert_int_equal(all.weight[TRACK_STABLE], 1);
        assert_int_equal(all.weight[TRACK_CANARY], 1);
        assert_int_equal(all.weight_without[TRACK_CANARY], 0);
        assert_int_equal(all.track, TRACK_CANARY);
        assert_true(all.known);
        port_capacity_add(&s[0], NULL, NULL, false, &all); /* a router that does not have it */
        assert_false(all.known);
    }
}

/* --- traffic --- */

static void test_a_part_is_of_present_weights_of_the_own_track(void **state)
{
    (void) state;
    struct router_peer list[] = {
        peer("a:1", TRACK_STABLE, "", 4),
        peer("b:1", TRACK_STABLE, "", 3),
        peer("c:1", TRACK_STABLE, "", 8),
        peer("f:1", TRACK_CANARY, "", 9),
    };
    list[0].weight_now = 1; /* a slow start */
    list[2].health = ROUTER_FAILING;
    struct router_service s = {.peer = list, .npeers = T_LEN(list)};
    struct peer_ref ref = {.address = "a:1"};
    struct peer_view view = {0};
    assert_int_equal(peers_find(&s, &ref, &view), PEER_FOUND);
    assert_true(port_part(&s, &view) == 0.25);
    list[0].state = ROUTER_DRAINING;
    assert_true(port_part(&s, &view) == 0);
}

static void test_a_peer_is_left_out_when_chance_does_not_explain_it(void **state)
{
    (void) state;
    static const struct {
        double part;
        uint64_t others;
        bool left_out;
    } rows[] = {
        {0.5, 0, false},    {0.5, 19, false},    {0.5, 20, true},    {0.1, 131, false},
        {0.1, 132, true},   {1, 0, false},       {1, 1, true},       {0, 1000000, false},
        {0.01, 100, false}, {0.01, 1374, false}, {0.01, 1375, true},
    };
    T_TABLE(row, rows)
    {
        t_check(port_is_left_out(row->part, row->others) == row->left_out, "part %g, %" PRIu64,
                row->part, row->others);
    }
}

/* --- figures --- */

/* The counters of a router: n requests that took us each, and some that failed. */
static void count(struct router_stats *stats, enum track track, uint64_t n, uint64_t errors,
                  uint64_t us)
{
    struct router_counts *c = &stats->track[track];
    c->requests += n;
    c->errors += errors;
    for (uint64_t i = 0; i < n; i++) {
        hist_add(c->time, us);
    }
}

static struct port_look *look_at(const struct router_stats *stats, size_t n)
{
    struct port_look *look = mem_zalloc(sizeof *look);
    look->n = n;
    look->seen = mem_array(n, sizeof *look->seen);
    for (size_t i = 0; i < n; i++) {
        port_seen_set(&stats[i], &look->seen[i]);
    }
    return look;
}

static void start(struct router_stats *stats, const char *instance)
{
    *stats = (struct router_stats){0};
    buf_print(stats->instance, sizeof stats->instance, "%s", instance);
    for (int t = 0; t < TRACKS; t++) {
        stats->track[t].time = mem_zalloc(sizeof *stats->track[t].time);
    }
}

static void test_figures_are_what_came_between_at_all_routers(void **state)
{
    (void) state;
    struct router_stats stats[2];
    struct port_figures f = {0};
    start(&stats[0], "00000000000000aa");
    start(&stats[1], "00000000000000bb");
    count(&stats[0], TRACK_STABLE, 1000, 500, 9000000); /* before: of no interest */
    struct port_look *from = look_at(stats, 2);
    count(&stats[0], TRACK_STABLE, 60, 2, 1000);
    count(&stats[1], TRACK_STABLE, 39, 1, 1000);
    count(&stats[1], TRACK_STABLE, 1, 0, 50000);
    count(&stats[1], TRACK_CANARY, 98, 3, 2000);
    count(&stats[0], TRACK_CANARY, 2, 0, 70000);
    struct port_look *to = look_at(stats, 2);
    port_between(from, to, &f);
    assert_false(f.broken);
    assert_int_equal(f.requests[TRACK_STABLE], 100);
    assert_int_equal(f.errors[TRACK_STABLE], 3);
    assert_int_equal(f.requests[TRACK_CANARY], 100);
    assert_int_equal(f.errors[TRACK_CANARY], 3);
    assert_in_range(f.p99_us[TRACK_STABLE], 980, 1020);    /* 99 of 100 are as quick */
    assert_in_range(f.p99_us[TRACK_CANARY], 68500, 71500); /* the 99th is slow */
    port_between(to, to, &f);
    assert_int_equal(f.requests[TRACK_STABLE] + f.requests[TRACK_CANARY], 0);
    assert_int_equal(f.p99_us[TRACK_CANARY], 0);
    port_between(to, from, &f); /* counters that go back */
    assert_true(f.broken);
    port_look_free(from);
    port_look_free(to);
    router_stats_done(&stats[0]);
    router_stats_done(&stats[1]);
}

static void test_a_router_that_began_anew_breaks_the_figures(void **state)
{
    (void) state;
    struct router_stats stats[2];
    struct port_figures f = {0};
    start(&stats[0], "00000000000000aa");
    start(&stats[1], "00000000000000bb");
    struct port_look *from = look_at(stats, 2);
    count(&stats[0], TRACK_STABLE, 10, 0, 1000);
    count(&stats[1], TRACK_STABLE, 10, 0, 1000);
    memcpy(stats[1].instance, "00000000000000cc", 17);
    struct port_look *to = look_at(stats, 2), *fewer = look_at(stats, 1);
    port_between(from, to, &f);
    assert_true(f.broken);
    assert_int_equal(f.requests[TRACK_STABLE], 0);
    port_between(from, fewer, &f);
    assert_true(f.broken);
    port_look_free(from);
    port_look_free(to);
    port_look_free(fewer);
    port_look_free(NULL);
    router_stats_done(&stats[0]);
    router_stats_done(&stats[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_peers_that_take_requests_bear_anything),
        cmocka_unit_test(test_the_least_of_all_routers_counts),
        cmocka_unit_test(test_a_part_is_of_present_weights_of_the_own_track),
        cmocka_unit_test(test_a_peer_is_left_out_when_chance_does_not_explain_it),
        cmocka_unit_test(test_figures_are_what_came_between_at_all_routers),
        cmocka_unit_test(test_a_router_that_began_anew_breaks_the_figures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
