/* What a release that stopped says: whole texts, and that every step and outcome has one. */
#include "support/t.h"
#include "base/cleanup.h"
#include "cli/halt_int.h"

static const struct halt_host hosts[] = {
    {"west-1", "west", "2.0", "stopped, draining by release shop-3"},
    {"west-2", "west", "1.0", "serves"},
    {"east-1", "east", "1.0", "serves"},
};

static struct halt base(enum release_step_kind kind, enum release_outcome outcome)
{
    return (struct halt){
        .state = "halted",
        .has_step = true,
        .kind = kind,
        .outcome = outcome,
        .host = "west-1",
        .dc = "west",
        .words = "what it is",
        .text = "what was seen",
        .from = "1.0",
        .to = "2.0",
        .options = "",
        .number = 3,
        .done = HALT_SHUT,
        .any_left = true,
        .at = hosts,
        .hosts = T_LEN(hosts),
    };
}

static void assert_message(const struct halt *h, const char *wanted)
{
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, 65536);
    halt_message(h, &b);
    assert_false(b.failed);
    assert_string_equal(b.ptr, wanted);
}

static void test_tests_failed(void **state)
{
    (void) state;
    struct halt h = base(STEP_TEST, RELEASE_FAILED);
    h.words = "API tests against this host alone";
    h.text = "case \"says\": expected \"2.0\", got \"oops\"\n0 of 1 API tests passed\n";
    h.options = " -e staging";
    assert_message(
        &h,
        "halted: the API tests of 2.0 failed at west-1 (west)\n"
        "  step     west-1 test: API tests against this host alone (failed)\n"
        "  saw      case \"says\": expected \"2.0\", got \"oops\"\n"
        "           0 of 1 API tests passed\n"
        "  done     west-1 is out of the routers and stopped; its logs are kept; no other host is "
        "touched from here on\n"
        "  now      west-1  2.0  stopped, draining by release shop-3\n"
        "           west-2  1.0  serves\n"
        "           east-1  1.0  serves\n"
        "           share of the canary: 0 %\n"
        "  visitors did not notice\n"
        "  ways on  pourover resume -e staging            with a 2.0, or tests, that are mended; "
        "west-1 begins its runbook anew, then the others follow\n"
        "           pourover rollback -e staging          to 1.0, only where something changed\n"
        "  more     pourover logs 3 west-1 -e staging     what it wrote\n");
}

static void test_migration_failed_and_nobody_has_left(void **state)
{
    (void) state;
    struct halt h = base(STEP_MIGRATE, RELEASE_FAILED);
    h.host = h.dc = NULL;
    h.words = "migration, once, in 2.0";
    h.text = "exit code 1: relation \"orders\" does not exist";
    h.any_left = false;
    h.hosts = 0;
    assert_message(
        &h,
        "halted: the migration of 2.0 failed\n"
        "  step     migrate: migration, once, in 2.0 (failed)\n"
        "  saw      exit code 1: relation \"orders\" does not exist\n"
        "  done     no host has left the routers for it; nothing else is touched from here on\n"
        "  now      share of the canary: 0 %\n"
        "  visitors did not notice\n"
        "  ways on  pourover resume                       runs it once more, then goes on; mend "
        "it first\n"
        "           pourover rollback                     ends it: 1.0 serves everywhere, no "
        "host is touched\n"
        "  more     pourover show 3                       all steps, with what they saw\n");
}

static void test_a_migration_of_unknown_end_is_asked_about(void **state)
{
    (void) state;
    struct halt h = base(STEP_MIGRATE, RELEASE_UNKNOWN);
    h.host = h.dc = NULL;
    h.words = "migration, once, in 2.0";
    h.text = "";
    h.hosts = 0;
    h.barrier = true;
    assert_message(
        &h, "halted: the migration was begun, and nobody knows how it ended: look at the data "
            "first\n"
            "  step     migrate: migration, once, in 2.0 (unknown)\n"
            "  done     it is not run again unasked; nothing else is touched from here on\n"
            "  now      share of the canary: 0 %\n"
            "  visitors did not notice\n"
            "  ways on  pourover resume --migration done      when it did end well: it is not run "
            "again\n"
            "           pourover resume --migration again     when it did not, and may run once "
            "more\n"
            "           pourover rollback --force             to 1.0, although the migration says "
            "that 1.0 may not work any more\n"
            "  more     pourover show 3                       all steps, with what they saw\n");
}

static void test_held_without_enough_requests(void **state)
{
    (void) state;
    struct halt h = base(STEP_DWELL, RELEASE_NOTHING);
    h.state = "held";
    h.host = h.dc = NULL;
    h.words = "stay at 10 %";
    h.text = "12 requests of the new version, 100 wanted";
    h.share_ppm = h.step_ppm = 100000;
    h.hosts = 0;
    assert_message(
        &h,
        "held: too few requests came at 10 % to say anything of 2.0\n"
        "  step     dwell: stay at 10 % (nothing)\n"
        "  saw      12 requests of the new version, 100 wanted\n"
        "  now      share of the canary: 10 %\n"
        "  visitors did not notice; 10 % of them stay on 2.0\n"
        "  ways on  pourover promote                      10 % is enough for you: on to the "
        "next stage\n"
        "           pourover resume                       to stay at this share once more as "
        "long\n"
        "           pourover rollback                     to 1.0, only where something changed\n"
        "  more     pourover show 3                       all steps, with what they saw\n");
}

static void test_paused_by_people(void **state)
{
    (void) state;
    struct halt h = base(STEP_TEST, RELEASE_OK);
    h.state = "paused";
    h.has_step = false;
    h.host = h.dc = NULL;
    h.text = "";
    h.at = &hosts[1];
    h.hosts = 1;
    assert_message(
        &h,
        "paused: people paused it; hosts on their way were seen through\n"
        "  now      west-2  1.0  serves\n"
        "           share of the canary: 0 %\n"
        "  visitors did not notice\n"
        "  ways on  pourover resume                       goes on where it was\n"
        "           pourover rollback                     to 1.0, only where something changed\n"
        "  more     pourover show 3                       all steps, with what they saw\n");
}

static void test_a_lost_lease_offers_no_way_on(void **state)
{
    (void) state;
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, 65536);
    struct halt h = base(STEP_START, RELEASE_FENCED);
    halt_message(&h, &b);
    assert_non_null(strstr(b.ptr, "another release took the lease"));
    assert_non_null(strstr(b.ptr, "pourover watch"));
    assert_null(strstr(b.ptr, "resume"));
    assert_null(strstr(b.ptr, "rollback"));
}

/* What tells one fault from another has to stand in the first line. */
static void test_first_lines(void **state)
{
    (void) state;
    static const struct {
        enum release_step_kind kind;
        enum release_outcome outcome;
        const char *saw, *says;
    } rows[] = {
        {STEP_PREFLIGHT, RELEASE_AWAY, "", "west-1 (west) or one of its routers cannot be reached"},
        {STEP_PREFLIGHT, RELEASE_FAILED, "", "west-1 (west) is not ready for a release"},
        {STEP_ROOM, RELEASE_FAILED, "", "west-1 (west) has too little free space for 2.0"},
        {STEP_PULL, RELEASE_FAILED, "", "what 2.0 needs could not be brought to west-1 (west)"},
        {STEP_LEAVE, RELEASE_FAILED, "keep_up wants 2",
         "without west-1 (west) too little of the service would be left"},
        {STEP_LEAVE, RELEASE_AWAY, "router back: refused",
         "that west-1 (west) gets no more requests could not be proved: a router does not answer"},
        {STEP_LEAVE, RELEASE_LATE, "",
         "requests at west-1 (west) did not end in time, so it was "
         "not stopped"},
        {STEP_CONNECT, RELEASE_FAILED, "",
         "from west-1 (west) something that 2.0 needs does not answer"},
        {STEP_START, RELEASE_FAILED, "program web does not stay up",
         "2.0 does not stay up at west-1 (west)"},
        {STEP_START, RELEASE_FAILED, "web: exit code 1", "2.0 did not start at west-1 (west)"},
        {STEP_START, RELEASE_FAILED, "waited for the applications to be ready: 503",
         "2.0 did not get ready at west-1 (west) in time"},
        {STEP_START, RELEASE_LATE, "", "2.0 did not get ready at west-1 (west) in time"},
        {STEP_TEST, RELEASE_NOTHING, "",
         "no API test ran against 2.0 at west-1 (west): nothing is proved"},
        {STEP_JOIN, RELEASE_LATE, "", "west-1 (west) does not pass the routers' check with 2.0"},
        {STEP_SOAK, RELEASE_EXCEEDED, "", "2.0 at west-1 (west) did not stay up under visitors"},
        {STEP_SHARE, RELEASE_FAILED, "needs 300 of the capacity",
         "the hosts that are ready now cannot bear a share of 50 %"},
        {STEP_SHARE, RELEASE_AWAY, "",
         "a share of 50 % could not be proved: a router does not answer"},
        {STEP_SHARE, RELEASE_FAILED, "sampled 40 %",
         "a share of 50 % did not show at every router, or not in what is sampled"},
        {STEP_DWELL, RELEASE_EXCEEDED, "", "2.0 exceeded a limit at 50 %"},
        {STEP_HOOK_BEFORE, RELEASE_FAILED, "", "a hook said no"},
        {STEP_LOCK, RELEASE_AWAY, "", "not every host can be reached, so not every lease is held"},
    };
    T_TABLE(row, rows)
    {
        _cleanup_(buf_done) struct buf b;
        buf_init(&b, 65536);
        struct halt h = base(row->kind, row->outcome);
        struct str line, rest;
        h.text = row->saw;
        h.step_ppm = 500000;
        halt_message(&h, &b);
        rest = buf_str(&b);
        (void) str_cut(&rest, '\n', &line);
        t_check(line.len > 8 && str_eq_cstr((struct str){line.ptr + 8, line.len - 8}, row->says),
                "%s %s: " STR_FMT, release_step_name[row->kind], release_outcome_name[row->outcome],
                STR_ARG(line));
    }
}

static void test_every_step_and_outcome_has_a_message_with_a_way_on(void **state)
{
    (void) state;
    for (int kind = 0; kind < STEP_KINDS; kind++) {
        for (int outcome = RELEASE_FAILED; outcome < RELEASE_OUTCOMES; outcome++) {
            for (int host = 0; host < 2; host++) {
                _cleanup_(buf_done) struct buf b;
                buf_init(&b, 65536);
                struct halt h = base((enum release_step_kind) kind, (enum release_outcome) outcome);
                h.host = host == 0 ? NULL : h.host;
                halt_message(&h, &b);
                assert_false(b.failed);
                assert_non_null(strstr(b.ptr, "  ways on  pourover "));
                assert_non_null(strstr(b.ptr, "  visitors "));
                assert_null(strstr(b.ptr, "%H"));
            }
        }
    }
}

static void test_long_texts_keep_their_end_and_lose_their_controls(void **state)
{
    (void) state;
    _cleanup_(buf_done) struct buf b, text;
    buf_init(&b, 65536);
    buf_init(&text, 65536);
    for (int i = 0; i < 500; i++) {
        buf_addf(&text, "line %d\n", i);
    }
    buf_add_cstr(&text, "the \033[31mlast one");
    struct halt h = base(STEP_START, RELEASE_FAILED);
    h.text = text.ptr;
    halt_message(&h, &b);
    assert_non_null(strstr(b.ptr, "  saw      ...\n"));
    assert_non_null(strstr(b.ptr, "           the ?[31mlast one\n"));
    assert_null(strstr(b.ptr, "line 0\n"));
    assert_true(b.len < HALT_TEXT_MAX * 5);
}

/* The same from the steps of a release: whose trouble it was, and what was done. */
static void test_of_a_view(void **state)
{
    (void) state;
    _cleanup_(buf_done) struct buf b;
    static const char *const dcs[] = {"west"};
    struct view_host host[] = {{.name = "west-1", .served = true},
                               {.name = "west-2", .served = true}};
    char said[] = "a router does not answer", words[] = "out of every router",
         left[] = "back: refused";
    struct view_step step[] = {
        {.plan = {.key = {.kind = STEP_LEAVE, .host = 0, .part = PART_STABLE}},
         .status = STEP_BROKEN,
         .text = said,
         .words = words},
        {.plan = {.key = {.kind = STEP_PUT_BACK, .host = 0, .part = PART_SHUT},
                  .version = RELEASE_OLD},
         .status = STEP_BROKEN,
         .text = left},
        {.plan = {.key = {.kind = STEP_SHUT, .host = 0, .part = PART_SHUT}}},
    };
    struct view v = {.service = "shop",
                     .from = "1.0",
                     .to = "2.0",
                     .state = "halted",
                     .number = 7,
                     .dc = dcs,
                     .dcs = 1,
                     .host = host,
                     .hosts = 2,
                     .step = step,
                     .len = 1,
                     .total = 3,
                     .culprit = 0,
                     .outcome = RELEASE_AWAY};
    buf_init(&b, 65536);
    view_places(&v);
    halt_of_view(&v, &b);
    assert_non_null(strstr(b.ptr, "halted: that west-1 (west) gets no more requests"));
    assert_non_null(strstr(b.ptr, "west-1 could not be brought out of the way: look at it first "
                                  "(back: refused)"));
    assert_non_null(strstr(b.ptr, "west-2  1.0  serves\n"));
    buf_clear(&b);
    step[1].status = STEP_DONE;
    view_places(&v);
    halt_of_view(&v, &b);
    assert_non_null(strstr(b.ptr, "west-1 was put back: it serves 1.0 again"));
    assert_non_null(strstr(b.ptr, "pourover show 7"));
}

int main(void)
{
    (void) setenv("NO_COLOR", "1", 1); /* NOLINT(concurrency-mt-unsafe): one thread */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tests_failed),
        cmocka_unit_test(test_migration_failed_and_nobody_has_left),
        cmocka_unit_test(test_a_migration_of_unknown_end_is_asked_about),
        cmocka_unit_test(test_held_without_enough_requests),
        cmocka_unit_test(test_paused_by_people),
        cmocka_unit_test(test_a_lost_lease_offers_no_way_on),
        cmocka_unit_test(test_first_lines),
        cmocka_unit_test(test_every_step_and_outcome_has_a_message_with_a_way_on),
        cmocka_unit_test(test_long_texts_keep_their_end_and_lose_their_controls),
        cmocka_unit_test(test_of_a_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
