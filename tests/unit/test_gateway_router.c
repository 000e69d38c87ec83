/* Addresses, splits and answers of a router. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "gateway/events.h"
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

static void test_an_older_router_tells_less(void **state)
{
    (void) state;
    _cleanup_(router_service_done) struct router_service s = {0};
    struct err err = {0};
    struct str json = STR(NAMED SPLIT "," TRACKS_ ",\"peers\":[{\"address\":\"10.0.1.11:80\","
                                      "\"track\":\"stable\"}]}");
    assert_int_equal(router_parse_service(json, &s, &err), 0);
    const struct router_peer *p = &s.peer[0];
    assert_string_equal(p->name, "10.0.1.11:80");
    assert_string_equal(p->origin, "config");
    assert_int_equal(p->state, ROUTER_READY);
    assert_int_equal(p->health, ROUTER_UNCHECKED);
    assert_int_equal(p->weight, 1);
    assert_true(p->weight_now == 1.0);
    assert_false(p->has_check || p->has_drain || s.maintenance.on || s.track[0].has_health);
    assert_int_equal(s.nnames, 0);
}

#define CHECK                                                                                 \
    "{\"reason\":\"status\",\"text\":\"status 503\",\"at_ms\":1763766059000,\"took_us\":812," \
    "\"streak\":7,\"changes\":2}"
#define DRAIN                                                                                \
    "{\"by\":\"release 12\",\"since_ms\":1763766000000,\"requests_until_ms\":1763766030000," \
    "\"streams_until_ms\":0}"
#define PEER                                                                                      \
    "{\"address\":\"10.0.1.11:80\",\"name\":\"app-new:80\",\"origin\":\"name\",\"track\":"        \
    "\"canary\","                                                                                 \
    "\"dc\":\"east\",\"weight\":4,\"weight_now\":1.5,\"state\":\"draining\",\"health\":\"down\"," \
    "\"check\":" CHECK ",\"drain\":" DRAIN ",\"in_flight\":3,\"requests\":812,\"failures\":5}"

static void assert_whole_peer(const struct router_peer *p)
{
    assert_string_equal(p->name, "app-new:80");
    assert_string_equal(p->origin, "name");
    assert_string_equal(p->dc, "east");
    assert_int_equal(p->track, TRACK_CANARY);
    assert_int_equal(p->state, ROUTER_DRAINING);
    assert_int_equal(p->health, ROUTER_FAILING);
    assert_int_equal(p->weight, 4);
    assert_true(p->weight_now == 1.5);
    assert_true(p->has_check && p->has_drain);
    assert_string_equal(p->check.text, "status 503");
    assert_int_equal(p->check.streak, 7);
    assert_string_equal(p->drain.by, "release 12");
    assert_int_equal(p->drain.requests_until_ms, 1763766030000);
    assert_int_equal(p->drain.streams_until_ms, 0);
    assert_int_equal(p->in_flight, 3);
    assert_int_equal(p->requests, 812);
    assert_int_equal(p->failures, 5);
}

static void test_peers_names_and_maintenance(void **state)
{
    (void) state;
    _cleanup_(router_service_done) struct router_service s = {0};
    struct err err = {0};
    struct str json =
        STR(NAMED SPLIT
            ",\"maintenance\":{\"on\":true,\"by\":\"mia\",\"message\":\"back at 12\\u0007\","
            "\"since_ms\":5},\"tracks\":{\"stable\":{\"peers\":2,\"live\":1,\"failing\":1,"
            "\"unknown\":0,\"in_flight\":3},\"canary\":" TRACK "},\"peers\":[" PEER
            "],\"names\":[{\"address\":\"app-new:80\",\"track\":\"canary\",\"dc\":\"\","
            "\"weight\":2,\"state\":\"draining\",\"drain\":" DRAIN
            ",\"addresses\":1,\"resolved_at_ms\":9,"
            "\"error\":\"host not found\"}]}");
    t_check(router_parse_service(json, &s, &err) == 0, "%s", err.msg);
    assert_whole_peer(&s.peer[0]);
    assert_true(s.maintenance.on);
    assert_string_equal(s.maintenance.by, "mia");
    assert_string_equal(s.maintenance.message, "back at 12?");
    assert_true(s.track[TRACK_STABLE].has_health);
    assert_int_equal(s.track[TRACK_STABLE].failing, 1);
    assert_false(s.track[TRACK_CANARY].has_health);
    assert_int_equal(s.nnames, 1);
    assert_string_equal(s.named[0].error, "host not found");
    assert_int_equal(s.named[0].state, ROUTER_DRAINING);
    assert_int_equal(s.named[0].addresses, 1);
    assert_true(s.named[0].has_drain);
    assert_string_equal(s.named[0].drain.by, "release 12");
}

#define REQUEST                                                  \
    "{\"since_ms\":7,\"at_ms\":9,\"method\":\"GET\",\"uri\":\"/" \
    "a\\u001b[2J\\u009bx\\u00e9\",\"stream\":true,"              \
    "\"unit\":null,\"client\":\"203.0.113.9\"}"

static void test_a_peer_with_its_requests(void **state)
{
    (void) state;
    _cleanup_(router_detail_done) struct router_detail d = {0};
    struct err err = {0};
    struct str json = STR("{\"epoch\":18,\"peer\":" PEER ",\"active\":[" REQUEST "," REQUEST
                          "],\"more\":4,\"cut\":[" REQUEST "],\"cut_total\":6}");
    t_check(router_parse_detail(json, &d, &err) == 0, "%s", err.msg);
    assert_whole_peer(&d.peer);
    assert_int_equal(d.nactive, 2);
    assert_int_equal(d.more, 4);
    assert_int_equal(d.ncut, 1);
    assert_int_equal(d.cut_total, 6);
    const struct router_request *q = &d.active[1];
    assert_int_equal(q->since_ms, 7);
    assert_int_equal(q->at_ms, 9);
    assert_true(q->stream);
    assert_string_equal(q->unit, "");
    assert_string_equal(q->uri, "/a?[2J?x\u00e9");
}

/* What a visitor sends is shown as far as it fits; it makes no answer unreadable. */
static void test_long_texts_of_visitors_are_cut(void **state)
{
    (void) state;
    char json[4096];
    struct buf b;
    struct err err = {0};
    buf_init_fixed(&b, json, sizeof json);
    buf_add_cstr(&b,
                 "{\"peer\":" PEER ",\"active\":[{\"since_ms\":7,\"method\":\"GET\",\"uri\":\"/");
    for (int i = 0; i < 500; i++) {
        buf_add_cstr(&b, "\u00e9");
    }
    buf_add_cstr(&b, "\",\"stream\":false,\"unit\":\"8f3c01d2a4b5e697\",\"client\":\"::1\"}]}");
    _cleanup_(router_detail_done) struct router_detail d = {0};
    t_check(router_parse_detail(buf_str(&b), &d, &err) == 0, "%s", err.msg);
    assert_int_equal(strlen(d.active[0].uri), ROUTER_TEXT_MAX - 1);
    assert_true(str_is_utf8(str_of(d.active[0].uri)));
    assert_string_equal(d.active[0].unit, "8f3c01d2a4b5e697");
}

#define STATUS                                                                            \
    "\"pourover\":\"0.1.0\",\"nginx\":\"1.22.1\",\"instance\":\"9d0c6f2a41b7e835\","      \
    "\"restored\":\"fresh\",\"restored_reason\":\"\",\"state\":null,\"upgrading\":false," \
    "\"services\":[]"

static void test_the_status_with_the_command_to_fail(void **state)
{
    (void) state;
    struct router_status s;
    struct err err = {0};
    assert_int_equal(router_parse_status(STR("{" STATUS "}"), &s, &err), 0);
    assert_false(s.has_healthcheck || s.has_checker || s.has_state_file);
    struct str json = STR("{" STATUS ",\"now_ms\":1763766060000,\"healthcheck\":{\"failing\":true,"
                          "\"by\":\"release 12\",\"since_ms\":5,\"flag_file\":\"/run/fail\"},"
                          "\"checker\":{\"pid\":4711,\"lease\":3,\"checks\":120,\"late\":2}}");
    t_check(router_parse_status(json, &s, &err) == 0, "%s", err.msg);
    assert_true(s.has_healthcheck && s.failing.failing);
    assert_string_equal(s.failing.by, "release 12");
    assert_string_equal(s.failing.flag_file, "/run/fail");
    assert_int_equal(s.now_ms, 1763766060000);
    assert_int_equal(s.checker.late, 2);
}

#define EVENTS_                                                                              \
    "\"instance\":\"9d0c6f2a41b7e835\",\"now_ms\":9,\"next\":\"1042.97\",\"appended\":1042," \
    "\"capacity\":4096,\"watermark_ms\":8,\"watch\":{\"slow_us\":[500000,2000000],"          \
    "\"hang_ms\":10000,\"sample\":64,\"kinds\":[\"4xx\"]},"
#define EVENT                                                                               \
    "\"start_ms\":1763766058000.125,\"unit\":\"8f3c01d2a4b5e697\",\"assigned\":\"canary\"," \
    "\"served\":\"stable\",\"reason\":\"split\",\"revision\":41,\"share_ppm\":1000,"        \
    "\"kind\":\"later-kind\",\"nth\":5,\"status\":500,\"grpc\":-1,\"took_us\":1200,"        \
    "\"final_status\":200,\"peer\":\"10.0.1.12:8080\",\"route\":\"/api/\"}"

static void test_a_page_of_events(void **state)
{
    (void) state;
    _cleanup_(router_events_done) struct router_events e = {0};
    struct err err = {0};
    struct str json = STR("{" EVENTS_ "\"lost\":{\"stable\":3,\"canary\":0},"
                          "\"events\":[{\"seq\":1042," EVENT "]}");
    t_check(router_parse_events(json, &e, &err) == 0, "%s", err.msg);
    assert_string_equal(e.next, "1042.97");
    assert_true(e.has_lost);
    assert_int_equal(e.lost[TRACK_STABLE], 3);
    assert_int_equal(e.watch.nslow, 2);
    assert_int_equal(e.watch.slow_us[1], 2000000);
    assert_true(e.watch.client_errors && !e.watch.redirects);
    assert_int_equal(e.len, 1);
    assert_true(e.event[0].start_ms == 1763766058000.125);
    assert_string_equal(e.event[0].kind, "later-kind");
    assert_string_equal(e.event[0].served, "stable");
    assert_int_equal(e.event[0].grpc, -1);
    assert_int_equal(e.event[0].nth, 5);

    static const char *const unknown[] = {"null", "{\"stable\":null,\"canary\":null}"};
    T_TABLE(lost, unknown)
    {
        _cleanup_(router_events_done) struct router_events page = {0};
        char text[1024];
        struct buf b;
        buf_init_fixed(&b, text, sizeof text);
        buf_addf(&b, "{" EVENTS_ "\"lost\":%s,\"events\":[]}", *lost);
        t_check(router_parse_events(buf_str(&b), &page, &err) == 0, "%s", err.msg);
        assert_false(page.has_lost);
    }
}

static void test_wrong_new_members_name_their_place(void **state)
{
    (void) state;
    static const char start[] = NAMED SPLIT "," TRACKS_ ",\"peers\":[{\"address\":\"a\","
                                            "\"track\":\"stable\",";
    static const struct {
        const char *member, *message;
    } rows[] = {
        {"\"state\":\"up\"", "the answer's peers[].state is not ready, draining or down"},
        {"\"state\":null", "the answer's peers[].state is not ready, draining or down"},
        {"\"health\":1", "the answer's peers[].health is not unchecked, unknown, up or down"},
        {"\"weight\":-1", "the answer's peers[].weight is not an integer from 0 to 1000000"},
        {"\"weight_now\":\"1\"",
         "the answer's peers[].weight_now is not a number that is not negative"},
        {"\"in_flight\":-1",
         "the answer's peers[].in_flight is not an integer from 0 to 9223372036854775807"},
        {"\"check\":null", "the answer's peers[].check is not an object"},
        {"\"check\":{\"reason\":\"ok\"}", "the answer's peers[].check.text is not a string"},
        {"\"drain\":[]", "the answer's drain is not an object"},
        {"\"drain\":{\"by\":\"\"}",
         "the answer's drain.since_ms is not an integer from 0 to 9223372036854775807"},
    };
    T_TABLE(row, rows)
    {
        char json[1024];
        struct buf b;
        struct router_service s = {0};
        struct err err = {0};
        buf_init_fixed(&b, json, sizeof json);
        buf_addf(&b, "%s%s}]}", start, row->member);
        assert_int_equal(router_parse_service(buf_str(&b), &s, &err), ERR_REMOTE);
        assert_string_equal(err.msg, row->message);
        assert_null(s.peer);
    }
}

static void test_wrong_events_name_their_place(void **state)
{
    (void) state;
    static const struct {
        const char *json, *message;
    } rows[] = {
        {"{\"instance\":\"1\",\"next\":\"1&a=\"}",
         "the answer's next is not a cursor of digits and dots"},
        {"{" EVENTS_ "\"lost\":{\"stable\":1},\"events\":[]}",
         "the answer's lost.canary is not an integer from 0 to 9223372036854775807"},
        {"{" EVENTS_ "\"lost\":null,\"events\":[1]}",
         "the answer's events[].seq is not an integer from 0 to 9223372036854775807"},
        {"{" EVENTS_ "\"lost\":null,\"events\":{}}",
         "the answer's events is not an array of at most 1000"},
    };
    T_TABLE(row, rows)
    {
        struct router_events e = {0};
        struct err err = {0};
        assert_int_equal(router_parse_events(str_of(row->json), &e, &err), ERR_REMOTE);
        assert_string_equal(err.msg, row->message);
        assert_null(e.event);
    }
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

static void test_distinct_visitors_of_the_last_revisions(void **state)
{
    (void) state;
    _cleanup_(router_stats_done) struct router_stats s = {0};
    struct err err = {0};
    struct str json =
        STR("{\"instance\":\"9d0c6f2a41b7e835\",\"since_ms\":1," SPLIT ",\"units_error\":0.023,"
            "\"units\":[{\"revision\":41,\"share_ppm\":1000,\"since_ms\":5,\"stable\":98000,"
            "\"canary\":97,\"registers\":{}}],\"tracks\":{\"stable\":" COUNTS(
                "10", "{}", "{}") ","
                                  "\"canary\":" COUNTS("20", "{}", "{}") "}}");
    t_check(router_parse_stats(json, &s, &err) == 0, "%s", err.msg);
    assert_true(s.units_error == 0.023);
    assert_int_equal(s.nunits, 1);
    assert_int_equal(s.units[0].revision, 41);
    assert_int_equal(s.units[0].count[TRACK_STABLE], 98000);
    assert_int_equal(s.units[0].count[TRACK_CANARY], 97);
    assert_int_equal(s.track[TRACK_CANARY].panic, 0);
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
        cmocka_unit_test(test_an_older_router_tells_less),
        cmocka_unit_test(test_peers_names_and_maintenance),
        cmocka_unit_test(test_a_peer_with_its_requests),
        cmocka_unit_test(test_long_texts_of_visitors_are_cut),
        cmocka_unit_test(test_the_status_with_the_command_to_fail),
        cmocka_unit_test(test_a_page_of_events),
        cmocka_unit_test(test_wrong_new_members_name_their_place),
        cmocka_unit_test(test_wrong_events_name_their_place),
        cmocka_unit_test(test_wrong_answers_name_their_place),
        cmocka_unit_test(test_statistics_count_the_servers_faults),
        cmocka_unit_test(test_distinct_visitors_of_the_last_revisions),
        cmocka_unit_test(test_errors_of_the_api),
        cmocka_unit_test(test_verdicts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
