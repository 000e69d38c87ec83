/* Addresses, splits and answers of a router. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "gateway/probe.h"
#include "gateway/router.h"
#include "support/t.h"

static void test_addresses(void **state)
{
    (void) state;
    static const struct {
        const char *text, *name, *url, *socket;
    } rows[] = {
        {"http://127.0.0.1:9900/pourover", "127.0.0.1:9900", "http://127.0.0.1:9900/pourover",
         NULL},
        {"http://127.0.0.1:9900/pourover//", "127.0.0.1:9900", "http://127.0.0.1:9900/pourover",
         NULL},
        {"https://east.example/p", "east.example", "https://east.example/p", NULL},
        {"http://[::1]:80/p", "[::1]:80", "http://[::1]:80/p", NULL},
        {"http://a/x=y", "a", "http://a/x=y", NULL},
        {"east=http://a", "east", "http://a", NULL},
        {"unix:/run/p.sock:/pourover", "/run/p.sock", "http://localhost/pourover", "/run/p.sock"},
        {"w=unix:/run/p.sock:/", "w", "http://localhost", "/run/p.sock"},
    };
    T_TABLE(row, rows)
    {
        _cleanup_(router_done) struct router r = {0};
        struct err err = {0};
        t_check(router_parse(str_of(row->text), &r, &err) == 0, "%s: %s", row->text, err.msg);
        assert_string_equal(r.name, row->name);
        assert_string_equal(r.url, row->url);
        if (row->socket == NULL) {
            assert_null(r.socket);
        } else {
            assert_string_equal(r.socket, row->socket);
        }
    }
}

static void test_wrong_addresses(void **state)
{
    (void) state;
    static const char *const rows[] = {
        "",
        "east",
        "east=",
        "=",
        "http://",
        "http:///p",
        "ftp://a/p",
        "http://a:0x1/p",
        "http://a b",
        "http://u:p@a/",
        "http://a/p?x=1",
        "http://a/p#f",
        "unix:",
        "unix:p:/p",
        "unix:/run/p.sock",
        "unix:/run/p.sock:p",
    };
    T_TABLE(row, rows)
    {
        struct router r = {.name = NULL};
        struct err err = {0};
        t_check(router_parse(str_of(*row), &r, &err) == ERR_INVALID, "\"%s\" was taken", *row);
        assert_null(r.name);
        assert_non_null(strstr(err.msg, "write http://127.0.0.1:9900/pourover or unix:"));
    }
}

static struct router_split split(uint32_t share_ppm, const char *salt, bool enabled)
{
    struct router_split s = {.share_ppm = share_ppm, .enabled = enabled, .revision = 7};
    memcpy(s.salt, salt, strlen(salt) + 1);
    return s;
}

static void test_what_raises(void **state)
{
    (void) state;
    struct router_split now = split(1000, "r42", true), off = split(1000, "r42", false);
    const struct {
        struct router_split from, to;
        bool raises;
    } rows[] = {
        {now, now, false},
        {now, split(999, "r42", true), false},
        {now, split(1001, "r42", true), true},
        {now, split(0, "r43", true), true},
        {now, off, false},
        {off, now, true},
        {off, split(1001, "r42", false), true},
    };
    T_TABLE(row, rows)
    {
        assert_int_equal(router_split_raises(&row->from, &row->to), row->raises);
    }
    assert_true(router_patch_only_lowers(&(struct router_patch){.has_share = true}));
    assert_true(router_patch_only_lowers(&(struct router_patch){.has_enabled = true}));
    assert_false(
        router_patch_only_lowers(&(struct router_patch){.has_enabled = true, .enabled = true}));
    assert_false(router_patch_only_lowers(&(struct router_patch){.has_salt = true}));
    assert_false(
        router_patch_only_lowers(&(struct router_patch){.has_share = true, .share_ppm = 1}));
}

static void test_body_of_a_put(void **state)
{
    (void) state;
    char text[256];
    struct buf b;
    uint64_t before = 41;
    struct router_patch patch = {.has_share = true,
                                 .share_ppm = 10000,
                                 .has_salt = true,
                                 .salt = "r42",
                                 .has_enabled = true,
                                 .enabled = true};
    buf_init_fixed(&b, text, sizeof text);
    router_write_put(&b, &patch, 42, &before);
    assert_string_equal(text, "{\"share_ppm\":10000,\"salt\":\"r42\",\"enabled\":true,"
                              "\"revision\":42,\"if_revision\":41}");
    buf_clear(&b);
    router_write_put(&b, &(struct router_patch){.has_enabled = true}, 8, NULL);
    assert_string_equal(text, "{\"enabled\":false,\"revision\":8,\"if_revision\":\"any\"}");
}

#define SPLIT   "\"split\":{\"share_ppm\":1000,\"salt\":\"r42\",\"enabled\":true,\"revision\":41}"
#define TRACK   "{\"peers\":2,\"live\":1,\"in_flight\":3}"
#define TRACKS_ "\"tracks\":{\"stable\":" TRACK ",\"canary\":" TRACK "}"
#define NAMED   "{\"name\":\"shop\",\"kind\":\"balancer\",\"restored\":\"file\","

static void test_a_service(void **state)
{
    (void) state;
    _cleanup_(router_service_done) struct router_service s = {0};
    struct err err = {0};
    struct str json =
        STR(NAMED SPLIT "," TRACKS_ ",\"new\":[{}],\"peers\":[{\"address\":\"10.0.1.11:80\","
                        "\"track\":\"canary\",\"dc\":\"east\"}]}");
    assert_int_equal(router_parse_service(json, &s, &err), 0);
    assert_string_equal(s.name, "shop");
    assert_false(s.is_cut);
    assert_int_equal(s.split.share_ppm, 1000);
    assert_int_equal(s.split.revision, 41);
    assert_int_equal(s.track[TRACK_CANARY].in_flight, 3);
    assert_int_equal(s.npeers, 1);
    assert_string_equal(s.peer[0].address, "10.0.1.11:80");
    assert_int_equal(s.peer[0].track, TRACK_CANARY);
}

static void test_wrong_answers_name_their_place(void **state)
{
    (void) state;
    static const struct {
        const char *json, *message;
    } rows[] = {
        {"[]", "the answer is not a JSON object"},
        {NAMED TRACKS_ "}", "the answer's split is not an object"},
        {"{\"name\":\"a\\nb\"}",
         "the answer's name is not a printable string of at most 127 bytes"},
        {NAMED "\"split\":{\"share_ppm\":1000001},", NULL},
        {NAMED "\"split\":{\"share_ppm\":1000001}}",
         "the answer's split.share_ppm is not an integer from 0 to 1000000"},
        {NAMED "\"split\":{\"share_ppm\":-1}}",
         "the answer's split.share_ppm is not an integer from 0 to 1000000"},
        {NAMED "\"split\":{\"share_ppm\":1.0}}",
         "the answer's split.share_ppm is not an integer from 0 to 1000000"},
        {NAMED "\"split\":{\"share_ppm\":1,\"salt\":\"a b\",\"enabled\":true,\"revision\":1}}",
         "the answer's split.salt is not 1 to 64 characters of A-Z a-z 0-9 . _ -"},
        {NAMED "\"split\":{\"share_ppm\":1,\"salt\":\"a\",\"enabled\":1,\"revision\":1}}",
         "the answer's split.enabled is not true or false"},
        {NAMED SPLIT ",\"tracks\":{\"stable\":" TRACK "}}",
         "the answer's tracks.canary is not an object"},
        {NAMED SPLIT "," TRACKS_ ",\"peers\":[{\"address\":\"a\",\"track\":\"other\"}]}",
         "the answer's peers[].track is not stable or canary"},
    };
    T_TABLE(row, rows)
    {
        struct router_service s = {0};
        struct err err = {0};
        assert_int_equal(router_parse_service(str_of(row->json), &s, &err), ERR_REMOTE);
        if (row->message != NULL) {
            assert_string_equal(err.msg, row->message);
        }
        assert_null(s.peer);
    }
}

#define COUNTS(requests, statuses, grpc)                                           \
    "{\"requests\":" requests ",\"statuses\":" statuses ",\"grpc_statuses\":" grpc \
    ",\"reasons\":{\"split\":9},\"first_failed\":3,\"retries\":2,\"crossed\":1,"   \
    "\"header_time\":{\"buckets\":[[33,12],[895,1]]}}"

static void test_statistics_count_the_servers_faults(void **state)
{
    (void) state;
    _cleanup_(router_stats_done) struct router_stats s = {0};
    struct err err = {0};
    struct str json =
        STR("{\"instance\":\"9d0c6f2a41b7e835\",\"since_ms\":1," SPLIT ",\"tracks\":{"
            "\"stable\":" COUNTS("10", "{\"200\":8,\"502\":1,\"404\":1}",
                                 "{}") ","
                                       "\"canary\":" COUNTS(
                                           "20", "{\"500\":2}",
                                           "{\"0\":5,\"1\":7,\"2\":1,\"4\":1,\"12\":1,\"13\":1,"
                                           "\"14\":1,\"15\":1,\"missing\":1}") "}}");
    assert_int_equal(router_parse_stats(json, &s, &err), 0);
    assert_int_equal(s.track[TRACK_STABLE].errors, 1);
    assert_int_equal(s.track[TRACK_CANARY].errors, 9);
    assert_int_equal(s.track[TRACK_CANARY].split, 9);
    assert_int_equal(hist_total(s.track[TRACK_CANARY].time), 13);
}

static void test_errors_of_the_api(void **state)
{
    (void) state;
    struct err err = {0};
    router_parse_error(409, STR("{\"error\":{\"code\":\"conflict\",\"message\":\"stale\"}}"), &err);
    assert_err(err.code, &err, ERR_CONFLICT, "stale (HTTP 409)");
    router_parse_error(502, STR("<html>"), &err);
    assert_err(err.code, &err, ERR_REMOTE,
               "HTTP 502, and not an answer of pourover's API: is the router's URL the location "
               "of pourover_api?");
}

static void test_verdicts(void **state)
{
    (void) state;
    struct probe_verdict v = {0};
    struct err err = {0};
    struct str text = STR("service=shop track=canary reason=split share_ppm=1000 revision=42 "
                          "bucket=512 peer=10.0.1.12:8080 later=1");
    assert_int_equal(probe_parse_verdict(text, &v, &err), 0);
    assert_string_equal(v.service, "shop");
    assert_int_equal(v.track, TRACK_CANARY);
    assert_true(v.has_bucket);
    assert_int_equal(v.bucket, 512);
    assert_string_equal(v.peer, "10.0.1.12:8080");

    static const char *const wrong[] = {
        "",
        "service=shop",
        "service=shop track=other reason=split share_ppm=1 revision=1",
        "service=shop track=canary reason=split share_ppm=1000001 revision=1",
        "service=shop track=canary reason=split share_ppm=1 revision=-1",
        "service=shop track=canary reason=split share_ppm=1 revision=1 bucket=1000000",
        "service=shop  track=canary reason=split share_ppm=1 revision=1",
    };
    T_TABLE(row, wrong)
    {
        t_check(probe_parse_verdict(str_of(*row), &v, &err) == ERR_REMOTE, "taken: %s", *row);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_wrong_addresses),
        cmocka_unit_test(test_what_raises),
        cmocka_unit_test(test_body_of_a_put),
        cmocka_unit_test(test_a_service),
        cmocka_unit_test(test_wrong_answers_name_their_place),
        cmocka_unit_test(test_statistics_count_the_servers_faults),
        cmocka_unit_test(test_errors_of_the_api),
        cmocka_unit_test(test_verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
