/* Bodies of maintenance, failing health checks, watching and peers, and what they set. */
#include "support/zone.h"
#include "traffic/control.h"
#include "traffic/peer_command.h"

struct body {
    const char *body, *field; /* field NULL: it is right */
    const char *message;      /* a part of it */
};

#define BY64 "0123456789012345678901234567890123456789012345678901234567890123"

static void check(const struct body *row, int rc, struct str field, const struct err *err)
{
    const char *message = row->message != NULL ? row->message : "";

    t_check((rc == 0) == (row->field == NULL), "%s: %d", row->body, rc);
    if (rc != 0) {
        assert_int_equal(rc, ERR_INVALID);
        t_check(str_eq_cstr(field, row->field), "%s: field " STR_FMT, row->body, STR_ARG(field));
        t_check(strstr(err->msg, message) != NULL, "%s: %s", row->body, err->msg);
    }
}

static void test_bodies_of_maintenance(void **state)
{
    (void) state;
    static const struct body rows[] = {
        {"{\"on\":true}", NULL, NULL},
        {"{\"on\":false,\"by\":\"" BY64 "\",\"message\":\"back at 12:00 \\u00e4\"}", NULL, NULL},
        {"", "", "no JSON"},
        {"[]", "", "no JSON object"},
        {"{}", "on", "on is missing"},
        {"{\"on\":1}", "on", "true or false"},
        {"{\"on\":true,\"by\":7}", "by", "a text in quotes"},
        {"{\"on\":true,\"by\":\"x" BY64 "\"}", "by", "at most 64 bytes"},
        {"{\"on\":true,\"message\":\"a\\nb\"}", "message", "control character at byte 1"},
        {"{\"on\":true,\"messag\":\"\"}", "messag", "did you mean \"message\"?"},
        {"{\"on\":true,\"on\":true}", "on", "there twice"},
        {"{\"on\":[true]}", "on", "on is an array; a single value is right"},
    };
    T_TABLE(row, rows)
    {
        struct maintenance_order order;
        struct str field = STR("");
        struct err err;
        check(row, maintenance_body_read(str_of(row->body), &order, &field, &err), field, &err);
    }
}

static void test_bodies_of_failing(void **state)
{
    (void) state;
    static const struct body rows[] = {
        {"", NULL, NULL},
        {"{}", NULL, NULL},
        {"{\"by\":\"release 12\"}", NULL, NULL},
        {"by=me", "", "no JSON"},
        {"{\"on\":true}", "on", "unknown field"},
        {"{\"by\":null}", "by", "a text in quotes"},
    };
    T_TABLE(row, rows)
    {
        struct failing_order order;
        struct str field = STR("");
        struct err err;
        check(row, failing_body_read(str_of(row->body), &order, &field, &err), field, &err);
    }
}

static void test_bodies_of_watch(void **state)
{
    (void) state;
    static const struct body rows[] = {
        {"{\"slow_us\":[]}", NULL, NULL},
        {"{\"slow_us\":[500000, 2000000],\"hang_ms\":0,\"sample\":64,\"kinds\":[\"4xx\",\"3xx\"]}",
         NULL, NULL},
        {"{\"sample\":65536}", NULL, NULL},
        {"{}", "slow_us", "nothing to set"},
        {"{\"slow_us\":500}", "slow_us", "slow_us is a single value; a list"},
        {"{\"slow_us\":{}}", "slow_us", "slow_us is an object; a list"},
        {"{\"slow_us\":[1,[2]]}", "slow_us", "has a list or an object in it"},
        {"{\"slow_us\":[1,2", "slow_us", "no JSON"},
        {"{\"slow_us\":[2,2]}", "slow_us", "2 behind 2; thresholds that rise"},
        {"{\"slow_us\":[0]}", "slow_us", "slow_us is 0; a whole number from 1"},
        {"{\"slow_us\":[1,2,3,4,5]}", "slow_us", "more than 4"},
        {"{\"slow_us\":[\"1s\"]}", "slow_us", "slow_us is \"1s\""},
        {"{\"hang_ms\":86400001}", "hang_ms", "from 0 to 86400000"},
        {"{\"sample\":3}", "sample", "power of two"},
        {"{\"sample\":131072}", "sample", "from 0 to 65536"},
        {"{\"kinds\":[\"5xx\"]}", "kinds", "kinds has \"5xx\""},
        {"{\"kinds\":[4]}", "kinds", "kinds has \"4\""},
    };
    T_TABLE(row, rows)
    {
        struct watch_order order;
        struct str field = STR("");
        struct err err;
        check(row, watch_body_read(str_of(row->body), &order, &field, &err), field, &err);
    }
}

static void test_what_a_watch_does_not_name_stays(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    struct watch *watch = &service->watch;
    struct watch_order order;
    struct str field;

    assert_int_equal(atomic_load(&watch->hang_ms), WATCH_HANG_MS);
    assert_int_equal(
        watch_body_read(STR("{\"slow_us\":[5,9],\"kinds\":[\"4xx\"]}"), &order, &field, NULL), 0);
    watch_set_locked(zone, service, &order);
    assert_int_equal(watch_body_read(STR("{\"slow_us\":[7]}"), &order, &field, NULL), 0);
    watch_set_locked(zone, service, &order);
    assert_int_equal(atomic_load(&watch->slow_us[0]), 7);
    assert_int_equal(atomic_load(&watch->slow_us[1]), 0);
    assert_int_equal(atomic_load(&watch->kinds), 1u << EVENT_CLIENT_ERROR);
    assert_int_equal(atomic_load(&watch->hang_ms), WATCH_HANG_MS);
    assert_int_equal(watch_body_read(STR("{\"kinds\":[],\"hang_ms\":0}"), &order, &field, NULL), 0);
    watch_set_locked(zone, service, &order);
    assert_int_equal(atomic_load(&watch->kinds), 0);
    assert_int_equal(atomic_load(&watch->hang_ms), 0);
    assert_int_equal(atomic_load(&watch->slow_us[0]), 7);
}

static void test_bodies_of_peers(void **state)
{
    (void) state;
    static const struct body put[] = {
        {"{}", NULL, NULL},
        {"{\"track\":\"canary\",\"weight\":1000,\"dc\":\"east\",\"name\":\"app "
         "1\",\"state\":\"down\"}",
         NULL, NULL},
        {"", "", "no JSON"},
        {"{\"track\":\"blue\"}", "track", "track is \"blue\"; stable or canary is right"},
        {"{\"weight\":0}", "weight", "from 1 to 1000"},
        {"{\"weight\":1.5}", "weight", "weight is 1.5"},
        {"{\"dc\":\"012345678901234567890123456789012\"}", "dc", "at most 32 bytes"},
        {"{\"name\":\"a\\tb\"}", "name", "control character"},
        {"{\"state\":\"drain\"}", "state", "ready, draining or down is right"},
        {"{\"state\":\"removed\"}", "state", "ready, draining or down is right"},
        {"{\"by\":\"me\"}", "by", "unknown field \"by\""},
        {"{\"wieght\":1}", "wieght", "did you mean \"weight\"?"},
    };
    static const struct body patch[] = {
        {"{\"state\":\"draining\"}", NULL, NULL},
        {"{\"state\":\"draining\",\"by\":\"release 12\",\"requests_ms\":1000,\"streams_ms\":0}",
         NULL, NULL},
        {"{\"weight\":2,\"track\":\"canary\"}", NULL, NULL},
        {"{}", "state", "nothing to change"},
        {"{\"by\":\"me\",\"weight\":1}", "by", "is of a drain"},
        {"{\"state\":\"ready\",\"requests_ms\":5}", "requests_ms", "is of a drain"},
        {"{\"state\":\"down\",\"streams_ms\":5}", "streams_ms", "is of a drain"},
        {"{\"state\":\"draining\",\"requests_ms\":2592000001}", "requests_ms",
         "from 0 to 2592000000"},
        {"{\"dc\":\"east\"}", "dc", "unknown field \"dc\""},
    };
    struct peer_body body;
    T_TABLE(row, put)
    {
        struct str field = STR("");
        struct err err;
        check(row, peer_body_read(str_of(row->body), PEER_PUT, &body, &field, &err), field, &err);
    }
    T_TABLE(row, patch)
    {
        struct str field = STR("");
        struct err err;
        check(row, peer_body_read(str_of(row->body), PEER_PATCH, &body, &field, &err), field, &err);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bodies_of_maintenance),
        cmocka_unit_test(test_bodies_of_failing),
        cmocka_unit_test(test_bodies_of_watch),
        cmocka_unit_test(test_what_a_watch_does_not_name_stays),
        cmocka_unit_test(test_bodies_of_peers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
