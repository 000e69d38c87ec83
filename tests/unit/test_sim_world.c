/* The simulated world of releases, driven by hand: what the simulation says rests on this. */
#include "sim/world.h"

#include "support/t.h"

#define LIFE 1u

struct stage {
    struct release_spec spec;
    struct release_basis basis;
    struct sim_world world;
};

static void stage_begin(struct stage *s, unsigned hosts, unsigned routers)
{
    memset(s, 0, sizeof(*s));
    s->spec = (struct release_spec){
        .hosts = (uint16_t) hosts, .dcs = 1, .has_proxy = true, .has_tests = true};
    for (unsigned h = 0; h < hosts; h++) {
        s->spec.host[h].weight = 100;
        s->basis.host[h].serves = true;
    }
    sim_world_begin(&s->world, &s->spec, &s->basis, routers);
}

static enum release_outcome act(struct stage *s, struct release_op op, unsigned routers)
{
    uint64_t instance = 0;
    return sim_world_do(&s->world, &op, LIFE, routers, &instance);
}

static enum release_outcome at(struct stage *s, enum release_op_kind kind, int host)
{
    return act(s, (struct release_op){.kind = kind, .host = host, .version = RELEASE_NEW},
               SIM_ALL_ROUTERS);
}

static void test_nothing_is_done_without_the_lease(void **state)
{
    (void) state;
    struct stage s;
    stage_begin(&s, 2, 1);
    assert_int_equal(at(&s, OP_DRAIN, 0), RELEASE_FENCED);
    assert_int_equal(s.world.router[0].now.ready, sim_bit(0, 0) | sim_bit(1, 0));
    assert_int_equal(at(&s, OP_LOCK, -1), RELEASE_OK);
    assert_int_equal(at(&s, OP_DRAIN, 0), RELEASE_OK);
    assert_int_equal(s.world.router[0].now.ready, sim_bit(1, 0));
    sim_world_happen(&s.world, HAPPENS_LEASE_LOST, 0);
    assert_int_equal(at(&s, OP_STOP, 0), RELEASE_FENCED);
    assert_int_equal(sim_up(&s.world), sim_bit(0, 0) | sim_bit(1, 0));
    assert_int_equal(at(&s, OP_LOCK, -1), RELEASE_FAILED);
}

static void test_a_host_goes_through_its_runbook(void **state)
{
    (void) state;
    struct stage s;
    stage_begin(&s, 2, 3);
    assert_int_equal(at(&s, OP_LOCK, -1), RELEASE_OK);
    assert_int_equal(at(&s, OP_START, 0), RELEASE_FAILED); /* not pulled */
    assert_int_equal(at(&s, OP_PULL, 0), RELEASE_OK);
    assert_int_equal(at(&s, OP_QUIET, 0), RELEASE_FAILED); /* not drained */
    assert_int_equal(at(&s, OP_DRAIN, 0), RELEASE_OK);
    assert_int_equal(at(&s, OP_FAIL, 0), RELEASE_OK);
    assert_int_equal(at(&s, OP_QUIET, 0), RELEASE_OK);
    assert_int_equal(at(&s, OP_STOP, 0), RELEASE_OK);
    assert_int_equal(at(&s, OP_TEST, 0), RELEASE_FAILED); /* nothing runs */
    assert_int_equal(at(&s, OP_START, 0), RELEASE_OK);
    assert_int_equal(sim_tested(&s.world), sim_bit(1, 0));
    assert_int_equal(at(&s, OP_TEST, 0), RELEASE_OK);
    assert_int_equal(at(&s, OP_READY, 0), RELEASE_LATE); /* the check fails by command */
    assert_int_equal(at(&s, OP_PASS, 0), RELEASE_OK);
    assert_int_equal(at(&s, OP_READY, 0), RELEASE_OK);
    assert_int_equal(s.world.router[2].now.ready, sim_bit(0, 0) | sim_bit(1, 0));
    uint64_t instance = s.world.host[0].copy[0].instance;
    assert_int_equal(at(&s, OP_START, 0), RELEASE_OK); /* said twice, done once */
    assert_int_equal(s.world.host[0].copy[0].instance, instance);
}

static void test_a_tested_copy_that_restarts_is_another(void **state)
{
    (void) state;
    struct stage s;
    stage_begin(&s, 1, 1);
    assert_int_equal(at(&s, OP_LOCK, -1), RELEASE_OK);
    uint64_t was = s.world.host[0].copy[0].instance;
    sim_world_happen(&s.world, HAPPENS_REBOOT_POLICY, 0);
    assert_int_equal(sim_up(&s.world), sim_bit(0, 0));
    assert_int_equal(sim_tested(&s.world), 0);
    struct release_op ready = {.kind = OP_READY, .host = 0, .instance = was};
    assert_int_equal(act(&s, ready, SIM_ALL_ROUTERS), RELEASE_FAILED);
}

static void test_a_router_that_is_cut_off_is_waited_for_by_raises_only(void **state)
{
    (void) state;
    struct stage s;
    stage_begin(&s, 1, 2);
    assert_int_equal(at(&s, OP_LOCK, -1), RELEASE_OK);
    struct release_op share = {.kind = OP_SHARE, .host = -1, .share_ppm = 5000, .raise = true};
    assert_int_equal(act(&s, share, SIM_ALL_ROUTERS), RELEASE_OK);
    sim_world_happen(&s.world, HAPPENS_ROUTER_CUT, 1);
    share.share_ppm = 9000;
    assert_int_equal(act(&s, share, SIM_ALL_ROUTERS), RELEASE_AWAY);
    assert_int_equal(s.world.router[0].now.share_ppm, 5000);
    share.share_ppm = 0;
    share.raise = false;
    assert_int_equal(act(&s, share, SIM_ALL_ROUTERS), RELEASE_AWAY);
    assert_int_equal(s.world.router[0].now.share_ppm, 0);
    assert_int_equal(s.world.router[1].now.share_ppm, 5000);
}

static void test_what_a_router_forgot_is_known_until_it_is_told_again(void **state)
{
    (void) state;
    struct stage s;
    stage_begin(&s, 2, 1);
    assert_int_equal(at(&s, OP_LOCK, -1), RELEASE_OK);
    assert_int_equal(at(&s, OP_DRAIN, 0), RELEASE_OK);
    sim_world_happen(&s.world, HAPPENS_ROUTER_LOST, 0);
    assert_int_equal(s.world.router[0].now.ready, sim_bit(0, 0) | sim_bit(1, 0));
    assert_int_equal(s.world.router[0].lost, sim_bit(0, 0));
    assert_int_equal(at(&s, OP_DRAIN, 0), RELEASE_OK);
    assert_int_equal(s.world.router[0].lost, 0);
    sim_world_happen(&s.world, HAPPENS_ROUTER_LOST, 0);
    sim_world_mend(&s.world);
    assert_int_equal(s.world.router[0].now.ready, sim_bit(1, 0));
}

static void test_a_migration_is_asked_for_by_its_attempt(void **state)
{
    (void) state;
    struct stage s;
    stage_begin(&s, 1, 1);
    assert_int_equal(at(&s, OP_LOCK, -1), RELEASE_OK);
    struct release_op op = {.kind = OP_MIGRATE, .host = 0, .attempt = 1};
    s.world.migration.loses = true;
    assert_int_equal(act(&s, op, SIM_ALL_ROUTERS), RELEASE_UNKNOWN);
    assert_int_equal(act(&s, op, SIM_ALL_ROUTERS), RELEASE_UNKNOWN);
    assert_int_equal(s.world.migration.begun, 1);
    assert_false(s.world.migration.twice);
    s.world.migration.loses = false;
    op.attempt = 2;
    assert_int_equal(act(&s, op, SIM_ALL_ROUTERS), RELEASE_OK);
    assert_true(s.world.migration.twice);
}

static void test_keep_up_is_seen_by_every_router(void **state)
{
    (void) state;
    struct stage s;
    stage_begin(&s, 2, 2);
    assert_int_equal(at(&s, OP_LOCK, -1), RELEASE_OK);
    struct release_op op = {.kind = OP_KEEP_UP, .host = 0, .need = {100, 0}, .need_dc = 1};
    assert_int_equal(act(&s, op, SIM_ALL_ROUTERS), RELEASE_OK);
    op.need[RELEASE_STABLE] = 101;
    assert_int_equal(act(&s, op, SIM_ALL_ROUTERS), RELEASE_FAILED);
    op.need[RELEASE_STABLE] = 100;
    sim_world_happen(&s.world, HAPPENS_COPY_DIES, 2);
    assert_int_equal(act(&s, op, SIM_ALL_ROUTERS), RELEASE_FAILED);
    sim_world_happen(&s.world, HAPPENS_ROUTER_CUT, 1);
    assert_int_equal(act(&s, op, SIM_ALL_ROUTERS), RELEASE_AWAY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_done_without_the_lease),
        cmocka_unit_test(test_a_host_goes_through_its_runbook),
        cmocka_unit_test(test_a_tested_copy_that_restarts_is_another),
        cmocka_unit_test(test_a_router_that_is_cut_off_is_waited_for_by_raises_only),
        cmocka_unit_test(test_what_a_router_forgot_is_known_until_it_is_told_again),
        cmocka_unit_test(test_a_migration_is_asked_for_by_its_attempt),
        cmocka_unit_test(test_keep_up_is_seen_by_every_router),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
