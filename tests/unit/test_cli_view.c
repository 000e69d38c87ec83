/* What is shown of a release while it runs and behind it: whole texts of hand-made releases. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/event.h"
#include "support/t.h"

static const char *const dcs[] = {"west", "east"};

struct world {
    struct view_host host[3];
    struct view_step step[12];
    struct view v;
};

static struct view_step step_of(enum release_step_kind kind, int host, enum release_part part)
{
    return (struct view_step){
        .plan = {.key = {.kind = kind, .host = (int16_t) host, .part = (uint8_t) part},
                 .version = RELEASE_NEW}};
}

/* West-1 was tested and joins; nothing else has begun. */
static struct view *world(struct world *w)
{
    *w = (struct world){
        .host = {{.name = "west-1", .served = true},
                 {.name = "west-2", .served = true},
                 {.name = "east-1", .dc = 1, .served = true}},
        .step = {step_of(STEP_LOCK, -1, PART_PREPARE), step_of(STEP_LEAVE, 0, PART_STABLE),
                 step_of(STEP_STOP, 0, PART_STABLE), step_of(STEP_START, 0, PART_STABLE),
                 step_of(STEP_TEST, 0, PART_STABLE), step_of(STEP_JOIN, 0, PART_STABLE),
                 step_of(STEP_LEAVE, 1, PART_STABLE), step_of(STEP_LEAVE, 2, PART_STABLE),
                 step_of(STEP_SHUT, 0, PART_SHUT)},
    };
    w->v = (struct view){.service = "shop",
                         .kind = "release",
                         .from = "1.0",
                         .to = "2.0",
                         .state = "running",
                         .number = 3,
                         .began_ms = 1000,
                         .now_ms = 66000,
                         .dc = dcs,
                         .dcs = 2,
                         .host = w->host,
                         .hosts = 3,
                         .step = w->step,
                         .len = 8,
                         .total = 9,
                         .culprit = -1};
    for (int i = 0; i < 5; i++) {
        w->step[i].status = STEP_DONE;
        w->step[i].took_ms = 1000;
        w->step[i].plan.group = (uint16_t) (i > 0);
    }
    w->step[1].plan.version = w->step[2].plan.version = RELEASE_OLD;
    w->step[5].status = STEP_RUNNING;
    w->step[5].began_ms = 63900;
    w->step[5].attempt = 1;
    view_places(&w->v);
    return &w->v;
}

static void assert_text(void (*fn)(const struct view *v, struct buf *b), const struct view *v,
                        const char *wanted)
{
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, 65536);
    fn(v, &b);
    assert_false(b.failed);
    assert_string_equal(b.ptr, wanted);
}

static void block(const struct view *v, struct buf *b)
{
    view_block(v, 0, b);
}

static void small_block(const struct view *v, struct buf *b)
{
    view_block(v, 10, b);
}

static void test_block(void **state)
{
    (void) state;
    struct world w;
    struct view *v = world(&w);
    char told[] = "front: up since 1 of 2 checks\nback: up";
    w.step[5].text = told;
    assert_text(block, v,
                "shop  1.0 -> 2.0  running  1m05s  release 3\n"
                "✓lock \n"
                "west\n"
                "  west-1  ✓✓✓✓…  join 2.1s  back: up\n"
                "  west-2  ·      1.0 serves\n"
                "east\n"
                "  east-1  ·      1.0 serves\n");
    assert_text(small_block, v,
                "shop  1.0 -> 2.0  running  1m05s  release 3\n"
                "✓lock \n"
                "west\n"
                "  west-1  ✓✓✓✓…  join 2.1s  back: up\n"
                "  and 1 more, waiting or done\n"
                "east\n"
                "  and 1 more, waiting or done\n");
    w.step[5].status = STEP_BROKEN;
    w.step[5].text = NULL;
    w.step[8].status = STEP_DONE;
    view_places(v);
    assert_text(small_block, v,
                "shop  1.0 -> 2.0  running  1m05s  release 3\n"
                "✓lock \n"
                "west\n"
                "  west-1  ✓✓✓✓✗✓  join failed, 2.0 stopped, out of the routers\n"
                "  and 1 more, waiting or done\n"
                "east\n"
                "  and 1 more, waiting or done\n");
}

static void test_block_of_a_walk(void **state)
{
    (void) state;
    struct world w;
    struct view *v = world(&w);
    w.step[0] = step_of(STEP_SHARE, -1, PART_WALK);
    w.step[1] = step_of(STEP_DWELL, -1, PART_WALK);
    w.step[2] = step_of(STEP_SHARE, -1, PART_WALK);
    w.step[0].status = STEP_DONE;
    w.step[0].plan.share_ppm = w.step[1].plan.share_ppm = 1000;
    w.step[1].status = STEP_RUNNING;
    w.step[1].began_ms = 6000;
    w.step[1].plan.wait_ms = 90000;
    w.step[2].plan.share_ppm = 10000;
    v->len = v->total = 3;
    v->hosts = v->dcs = 0;
    assert_text(block, v,
                "shop  1.0 -> 2.0  running  1m05s  release 3\n"
                "share of the canary  0.1 % ✓  1 % ·\n"
                "  at 0.1 % for 1m00s, left 30.0s\n");
    v->now_ms = 100000;
    assert_text(block, v,
                "shop  1.0 -> 2.0  running  1m39s  release 3\n"
                "share of the canary  0.1 % ✓  1 % ·\n"
                "  at 0.1 % for 1m34s, waiting for enough requests\n");
}

static struct controller_event event_of(const struct view_step *s, enum release_step_status status)
{
    return (struct controller_event){.kind = CONTROLLER_STEP,
                                     .at_ms = UINT64_C(1769903999123),
                                     .step = &s->plan,
                                     .status = status,
                                     .attempt = 1,
                                     .took_ms = 1234,
                                     .text = ""};
}

static void test_lines(void **state)
{
    (void) state;
    struct world w;
    struct view *v = world(&w);
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, 65536);
    struct controller_event e = event_of(&w.step[2], STEP_DONE);
    event_line(v, &e, &b);
    e = event_of(&w.step[5], STEP_BROKEN);
    e.outcome = RELEASE_LATE;
    e.attempt = 2;
    e.text = "front: failing\nback: \033[1mup\n";
    event_line(v, &e, &b);
    e = (struct controller_event){
        .kind = CONTROLLER_SHARE, .at_ms = UINT64_C(1769903999123), .share_ppm = 1000};
    event_line(v, &e, &b);
    e = (struct controller_event){.kind = CONTROLLER_MODE,
                                  .at_ms = UINT64_C(1769903999123),
                                  .state = "halted",
                                  .text = "why"};
    event_line(v, &e, &b);
    assert_string_equal(
        b.ptr, "23:59:59 west-1     stop       done 1.2s\n"
               "23:59:59 west-1     join       late 1.2s, attempt 2  front: failing; back: ?[1mup\n"
               "23:59:59 -          share      0.1 % at all routers\n"
               "23:59:59 -          release    halted\n");
}

static void test_events_as_json(void **state)
{
    (void) state;
    struct world w;
    struct view *v = world(&w);
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, 65536);
    struct controller_event e = event_of(&w.step[5], STEP_BROKEN);
    e.outcome = RELEASE_FAILED;
    e.text = "front: \"failing\"";
    event_json(v, &e, &b);
    assert_string_equal(
        b.ptr, "{\"event\":\"step\",\"at\":\"2026-01-31T23:59:59.123Z\",\"at_ms\":1769903999123,"
               "\"service\":\"shop\","
               "\"part\":\"stable\",\"host\":\"west-1\",\"step\":\"join\",\"status\":\"failed\","
               "\"outcome\":\"failed\",\"attempt\":1,\"took_ms\":1234,"
               "\"text\":\"front: \\\"failing\\\"\"}\n");
    buf_clear(&b);
    e = (struct controller_event){.kind = CONTROLLER_SHARE, .at_ms = 0, .share_ppm = 1000};
    event_json(v, &e, &b);
    assert_string_equal(b.ptr,
                        "{\"event\":\"share\",\"at\":\"1970-01-01T00:00:00.000Z\",\"at_ms\":0,"
                        "\"service\":\"shop\",\"share_ppm\":1000,\"text\":\"\"}\n");
}

static void test_events_change_what_is_shown(void **state)
{
    (void) state;
    struct world w;
    struct view *v = world(&w);
    struct controller_event e = event_of(&w.step[5], STEP_DONE);
    assert_string_equal(v->host[0].now_version, "2.0");
    assert_string_equal(v->host[0].now_state, "up, not in the routers yet");
    e.text = "both routers";
    event_apply(v, &e);
    assert_int_equal(w.step[5].status, STEP_DONE);
    assert_string_equal(w.step[5].text, "both routers");
    assert_string_equal(v->host[0].now_state, "serves");
    e = event_of(&w.step[6], STEP_DONE);
    event_apply(v, &e);
    assert_string_equal(v->host[1].now_version, "1.0");
    assert_string_equal(v->host[1].now_state, "out of the routers");
    mem_free(w.step[5].text);
}

static void test_plan(void **state)
{
    (void) state;
    struct world w;
    struct view *v = world(&w);
    char words[] = "stop workers, then applications";
    w.step[2].words = words;
    v->len = 3;
    assert_text(view_plan, v,
                "shop 1.0 -> 2.0: 3 steps on 3 hosts\n"
                "prepare\n"
                "   1 > -       lock         \n"
                "stable\n"
                "   2 > west-1  leave        \n"
                "   3   west-1  stop         stop workers, then applications\n");
    v->len = 2;
    assert_text(view_plan_json, v,
                "{\"service\":\"shop\",\"from\":\"1.0\",\"version\":\"2.0\",\"steps\":["
                "{\"part\":\"prepare\",\"step\":\"lock\",\"text\":\"\",\"group\":0},"
                "{\"part\":\"stable\",\"host\":\"west-1\",\"step\":\"leave\","
                "\"text\":\"\",\"group\":1}]}\n");
}

static void test_steps_with_trouble_behind_them(void **state)
{
    (void) state;
    struct world w;
    struct view *v = world(&w);
    char said[] = "web: exit code 1";
    w.step[3].status = STEP_BROKEN;
    w.step[3].text = said;
    w.step[3].began_ms = UINT64_C(1769903999123);
    w.step[8].status = STEP_DONE;
    v->len = 4;
    w.step[4] = w.step[8];
    v->total = 5;
    assert_text(view_steps_table, v,
                "#  AT        HOST    STEP   STATE   TOOK  SAW\n"
                "1  -         -       lock   done    1.0s  \n"
                "2  -         west-1  leave  done    1.0s  \n"
                "3  -         west-1  stop   done    1.0s  \n"
                "4  23:59:59  west-1  start  failed  1.0s  web: exit code 1\n"
                "!  -         west-1  shut   done       -  \n");
}

static void test_status(void **state)
{
    (void) state;
    struct world w;
    struct view *v = world(&w);
    v->looked = true;
    v->routers = 2;
    v->routers_reached = 1;
    buf_print(v->by, sizeof v->by, "ann");
    buf_print(v->routers_error, sizeof v->routers_error, "back: refused");
    for (int i = 0; i < 3; i++) {
        w.host[i].looked = true;
        w.host[i].reached = i < 2;
    }
    w.host[0].copy[1] = (struct view_copy){.version = "2.0", .runs = true, .known = true};
    buf_print(w.host[0].copy[1].state, 64, "draining by release shop-3");
    w.host[1].copy[0] =
        (struct view_copy){.version = "1.0", .runs = true, .known = true, .serves = true};
    w.host[1].copy[1] = (struct view_copy){
        .version = "2.0", .runs = true, .known = true, .serves = true, .track = RELEASE_CANARY};
    buf_print(w.host[0].lease, sizeof w.host[0].lease, "shop-3 by ann");
    w.host[0].lease_left_ms = 29000;
    buf_print(w.host[2].error, sizeof w.host[2].error, "no route");
    view_places(v);
    assert_text(
        view_status_table, v,
        "shop: release 3 1.0 -> 2.0 running, by ann\n"
        "DC    HOST    VERSION  STATE                                    LEASE\n"
        "west  west-1  2.0      up, draining by release shop-3           shop-3 by ann, 29.0s "
        "left\n"
        "west  west-2  1.0      serves; beside it 2.0 serves the canary  -\n"
        "east  east-1  -        not reached: no route                    -\n"
        "share of the canary: 0 %; 1 of 2 routers reached: back: refused\n"
        "next: pourover watch\n");
}

static void test_junit(void **state)
{
    (void) state;
    struct world w;
    struct view *v = world(&w);
    char said[] = "a < b & \"c\"\n\x01";
    w.step[2].status = STEP_BROKEN;
    w.step[2].outcome = RELEASE_LATE;
    w.step[2].text = said;
    w.step[3].status = STEP_PENDING;
    v->len = v->total = 4;
    assert_text(view_junit, v,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                "<testsuite name=\"pourover shop 2.0\" tests=\"4\" failures=\"1\" errors=\"0\" "
                "skipped=\"1\" time=\"65.000\">\n"
                "  <testcase classname=\"service\" name=\"prepare: lock\" time=\"1.000\"/>\n"
                "  <testcase classname=\"west-1\" name=\"stable: leave\" time=\"1.000\"/>\n"
                "  <testcase classname=\"west-1\" name=\"stable: stop\" time=\"1.000\">\n"
                "    <failure type=\"late\" message=\"a &lt; b &amp; &quot;c&quot;&#10;?\"/>\n"
                "  </testcase>\n"
                "  <testcase classname=\"west-1\" name=\"stable: start\" time=\"1.000\">\n"
                "    <skipped message=\"not reached\"/>\n"
                "  </testcase>\n"
                "</testsuite>\n");
}

int main(void)
{
    (void) setenv("NO_COLOR", "1", 1); /* NOLINT(concurrency-mt-unsafe): one thread */
    (void) setenv("TZ", "UTC", 1);     /* NOLINT(concurrency-mt-unsafe): one thread */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block),
        cmocka_unit_test(test_block_of_a_walk),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_events_as_json),
        cmocka_unit_test(test_events_change_what_is_shown),
        cmocka_unit_test(test_plan),
        cmocka_unit_test(test_steps_with_trouble_behind_them),
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_junit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
