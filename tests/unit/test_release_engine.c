/* The engine by hand: whole releases where every operation is answered by a rule. */
#include "base/buf.h"
#include "release/engine_int.h"
#include "support/t.h"

#include <string.h>

struct play {
    struct release *release;
    struct buf log;
    enum release_op_kind fail_kind;
    int fail_host;
    enum release_outcome fail_as;
    unsigned fails; /* how often still */
    enum release_op_kind command_at;
    struct release_event command;
    bool has_command, ended;
};

static struct release_spec spec_of(unsigned hosts, unsigned dcs)
{
    static const uint8_t order[] = {STEP_PREFLIGHT, STEP_ROOM,  STEP_PULL, STEP_LEAVE,
                                    STEP_STOP,      STEP_START, STEP_TEST, STEP_JOIN};
    struct release_spec spec = {.hosts = (uint16_t) hosts,
                                .dcs = (uint8_t) dcs,
                                .batch = 1,
                                .keep_up_total_ppm = 500000,
                                .step_ms = 1000,
                                .has_tests = true,
                                .headroom_ppm = 1200000,
                                .migrate_ms = 1000};
    memcpy(spec.order, order, sizeof order);
    spec.orders = sizeof order;
    for (unsigned h = 0; h < hosts; h++) {
        spec.host[h] = (struct release_spec_host){.dc = (uint8_t) (h * dcs / hosts), .weight = 1};
    }
    return spec;
}

static struct release_basis basis_of(const struct release_spec *spec)
{
    struct release_basis basis = {0};
    for (int h = 0; h < spec->hosts; h++) {
        basis.host[h].serves = true;
    }
    return basis;
}

static void take_acts(struct play *p, struct release_acts acts, struct release_op *queue, size_t *n)
{
    for (size_t i = 0; i < acts.len; i++) {
        const struct release_act *act = &acts.act[i];
        if (act->kind == ACT_DO) {
            queue[(*n)++] = act->op;
            buf_addf(&p->log, "%s", release_op_name[act->op.kind]);
            if (act->op.host >= 0) {
                buf_addf(&p->log, "%d", act->op.host);
            }
            if (act->op.kind == OP_SHARE) {
                buf_addf(&p->log, "=%u", act->op.share_ppm);
            }
            buf_add_char(&p->log, ' ');
        }
        p->ended = p->ended || act->kind == ACT_END;
    }
}

static void run(struct play *p, struct release_event event)
{
    struct release_op queue[64];
    size_t n = 0;
    p->ended = false;
    buf_clear(&p->log);
    take_acts(p, release_step(p->release, &event), queue, &n);
    for (unsigned steps = 0; !p->ended; steps++) {
        assert_true(n > 0 && steps < 10000);
        struct release_op op = queue[0];
        memmove(queue, queue + 1, --n * sizeof *queue);
        if (p->has_command && op.kind == p->command_at) {
            p->has_command = false;
            take_acts(p, release_step(p->release, &p->command), queue, &n);
        }
        event = (struct release_event){.kind = EVENT_DONE, .op = op.id, .instance = 7};
        if (p->fails > 0 && op.kind == p->fail_kind && op.host == p->fail_host) {
            p->fails--;
            event.outcome = p->fail_as;
        }
        take_acts(p, release_step(p->release, &event), queue, &n);
    }
}

static struct play play_of(const struct release_spec *spec)
{
    struct play p = {0};
    struct release_basis basis = basis_of(spec);
    struct err err = {0};
    buf_init(&p.log, 65536);
    if (release_new(spec, &basis, &p.release, &err) < 0) {
        fail_msg("%s", err.msg);
    }
    return p;
}

static void play_done(struct play *p)
{
    release_free(p->release);
    buf_done(&p->log);
}

static const struct release_event begin = {.kind = EVENT_BEGIN};

static void a_rolling_release_goes_host_by_host(void **state)
{
    (void) state;
    struct release_spec spec = spec_of(2, 1);
    struct play p = play_of(&spec);
    run(&p, begin);
    assert_string_equal(
        p.log.ptr,
        "lock preflight0 preflight1 "
        "preflight0 room0 pull0 keep-up0 drain0 fail-health0 quiet0 keep-up0 stop0 start0 test0 "
        "pass-health0 ready0 "
        "preflight1 room1 pull1 keep-up1 drain1 fail-health1 quiet1 keep-up1 stop1 start1 test1 "
        "pass-health1 ready1 ");
    assert_string_equal(release_state_name(p.release), "done");
    play_done(&p);
}

static void a_failed_test_shuts_the_host_and_halts(void **state)
{
    (void) state;
    struct release_spec spec = spec_of(2, 1);
    struct play p = play_of(&spec);
    p.fail_kind = OP_TEST;
    p.fails = 1;
    p.fail_as = RELEASE_FAILED;
    run(&p, begin);
    assert_non_null(strstr(p.log.ptr, "test0 drain0 fail-health0 quiet0 stop0 "));
    assert_null(strstr(p.log.ptr, "drain1"));
    assert_string_equal(release_state_name(p.release), "halted");
    run(&p, (struct release_event){.kind = EVENT_ROLLBACK});
    assert_string_equal(p.log.ptr, "preflight0 room0 pull0 drain0 fail-health0 quiet0 stop0 start0 "
                                   "test0 pass-health0 ready0 ");
    assert_string_equal(release_state_name(p.release), "rolled back");
    play_done(&p);
}

static void resume_begins_the_failed_host_anew(void **state)
{
    (void) state;
    struct release_spec spec = spec_of(2, 1);
    struct play p = play_of(&spec);
    p.fail_kind = OP_TEST;
    p.fails = 1;
    p.fail_as = RELEASE_FAILED;
    run(&p, begin);
    run(&p, (struct release_event){.kind = EVENT_RESUME});
    assert_non_null(strstr(p.log.ptr, "preflight0 room0 pull0 keep-up0 drain0"));
    assert_string_equal(release_state_name(p.release), "done");
    play_done(&p);
}

/* Whoever paused it was killed before it stood still. */
static void resume_of_a_release_that_was_killed_while_it_paused_goes_on(void **state)
{
    (void) state;
    struct release_spec spec = spec_of(2, 1);
    struct play p = play_of(&spec);
    struct release_op queue[64];
    size_t n = 0;
    take_acts(&p, release_step(p.release, &begin), queue, &n);
    static const struct release_event pause = {.kind = EVENT_PAUSE};
    take_acts(&p, release_step(p.release, &pause), queue, &n);
    assert_int_equal(release_mode(p.release), RELEASE_PAUSING);
    n = 0;
    static const struct release_event resumed = {.kind = EVENT_RESUMED};
    static const struct release_event resume = {.kind = EVENT_RESUME};
    take_acts(&p, release_step(p.release, &resumed), queue, &n);
    take_acts(&p, release_step(p.release, &resume), queue, &n);
    assert_int_equal(n, 1);
    run(&p, (struct release_event){.kind = EVENT_DONE, .op = queue[0].id});
    assert_string_equal(release_state_name(p.release), "done");
    play_done(&p);
}

static void the_last_copy_is_not_taken_out(void **state)
{
    (void) state;
    struct release_spec spec = spec_of(1, 1);
    struct release_basis basis = basis_of(&spec);
    struct release *r;
    struct err err = {0};
    assert_int_equal(release_new(&spec, &basis, &r, &err), ERR_INVALID);
    assert_non_null(strstr(err.msg, "the last copy cannot be replaced in place"));
}

static struct release_spec canary_spec(bool grow)
{
    struct release_spec spec = spec_of(4, 2);
    static const struct release_stage stages[] = {
        {0, false, 10}, {100000, false, 10}, {500000, false, 10}, {1000000, false, 10}};
    spec.strategy = RELEASE_BY_CANARY;
    spec.host[1].pool = spec.host[3].pool = true;
    spec.stages = 4;
    memcpy(spec.stage, stages, sizeof stages);
    spec.grow = grow;
    spec.keep_up_per_dc = 1;
    return spec;
}

static void a_stage_above_the_capacity_of_the_pool_is_refused(void **state)
{
    (void) state;
    struct release_spec spec = canary_spec(false);
    struct release_basis basis = basis_of(&spec);
    struct release *r;
    struct err err = {0};
    assert_int_equal(release_new(&spec, &basis, &r, &err), ERR_INVALID);
    assert_string_equal(err.msg,
                        "at stage 50 %, the canary pool has 2 of 4 of the capacity at rest and "
                        "needs 3: make the pool larger, or let it grow (canary.pool.grow: true)");
}

static void a_canary_walks_up_grows_and_comes_down(void **state)
{
    (void) state;
    struct release_spec spec = canary_spec(true);
    struct play p = play_of(&spec);
    run(&p, begin);
    assert_string_equal(release_state_name(p.release), "done");
    const char *at = p.log.ptr;
    static const char *const marks[] = {
        "ready1",        "ready3", "share=0", "share=100000", "share=500000", "ready0",
        "share=1000000", "ready2", "track0",  "share=500000", "share=0",      "track3"};
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        const char *found = strstr(at, marks[i]);
        if (found == NULL) {
            fail_msg("no %s behind what came before in: %s", marks[i], p.log.ptr);
        }
        at = found;
    }
    play_done(&p);
}

static const struct release_step_plan *leave_of(const struct release_plan *plan, int host)
{
    for (size_t i = 0; i < plan->len; i++) {
        if (plan->step[i].key.kind == STEP_LEAVE && plan->step[i].key.host == host) {
            return &plan->step[i];
        }
    }
    fail_msg("host %d does not leave", host);
    return NULL;
}

static void a_data_center_keeps_hosts_of_both_tracks_while_a_canary_walks(void **state)
{
    (void) state;
    static const struct {
        int host; /* of canary_spec: h1 and h3 are the pool, h0 and h2 grow over */
        unsigned need;
        bool both;
    } rows[] = {
        {1, 1, false}, /* at 0 %: only those on stable are of use */
        {0, 1, true},  /* at 10 %: h1, on the canary, is the one that stays in west */
        {2, 0, false}, /* at 100 %: nobody is on stable */
    };
    struct release_spec spec = canary_spec(true);
    struct release_basis basis = basis_of(&spec);
    struct release *r;
    struct err err = {0};
    assert_int_equal(release_new(&spec, &basis, &r, &err), 0);
    T_TABLE(row, rows)
    {
        const struct release_step_plan *s = leave_of(release_plan_of(r), row->host);
        t_check(s->need_dc == row->need && s->both_dc == row->both, "host %d: %u %d", row->host,
                s->need_dc, s->both_dc);
    }
    release_free(r);
    spec.keep_up_per_dc = 2; /* at 0 % the pool leaves one on stable */
    assert_int_equal(release_new(&spec, &basis, &r, &err), ERR_INVALID);
    t_check(strstr(err.msg, "fewer stable hosts than the 2") != NULL, "%s", err.msg);
}

static void a_data_center_that_walks_may_have_fewer_on_stable_than_it_keeps(void **state)
{
    (void) state;
    struct release_spec spec = canary_spec(true);
    spec.dcs = 1;
    for (int h = 0; h < spec.hosts; h++) {
        spec.host[h].dc = 0;
        spec.host[h].pool = h == 3;
    }
    spec.keep_up_per_dc =
        3; /* three stay on stable when h3 has left; then one after the other goes */
    struct play p = play_of(&spec);
    const struct release_step_plan *s = leave_of(release_plan_of(p.release), 1);
    assert_int_equal(s->need_dc, 3);
    assert_true(s->both_dc);
    run(&p, begin);
    assert_string_equal(release_state_name(p.release), "done");
    play_done(&p);
}

static void rollback_in_the_walk_lowers_first(void **state)
{
    (void) state;
    struct release_spec spec = canary_spec(true);
    struct play p = play_of(&spec);
    p.command_at = OP_DWELL;
    p.fail_kind = OP_DWELL;
    p.fail_host = -1;
    p.fails = 0;
    p.has_command = true;
    p.command = (struct release_event){.kind = EVENT_ROLLBACK};
    run(&p, begin);
    assert_string_equal(release_state_name(p.release), "rolled back");
    assert_int_equal(release_share_ppm(p.release), 0);
    play_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rolling_release_goes_host_by_host),
        cmocka_unit_test(a_failed_test_shuts_the_host_and_halts),
        cmocka_unit_test(resume_begins_the_failed_host_anew),
        cmocka_unit_test(resume_of_a_release_that_was_killed_while_it_paused_goes_on),
        cmocka_unit_test(the_last_copy_is_not_taken_out),
        cmocka_unit_test(a_stage_above_the_capacity_of_the_pool_is_refused),
        cmocka_unit_test(a_canary_walks_up_grows_and_comes_down),
        cmocka_unit_test(a_data_center_keeps_hosts_of_both_tracks_while_a_canary_walks),
        cmocka_unit_test(a_data_center_that_walks_may_have_fewer_on_stable_than_it_keeps),
        cmocka_unit_test(rollback_in_the_walk_lowers_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
