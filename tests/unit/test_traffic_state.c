/* The state file's text: what is written reads back, what is damaged is never believed. */
#include "base/siphash.h"
#include "support/zone.h"
#include "traffic/state.h"

#define NOW   UINT64_C(1763766000000)
#define LINES 8

static struct split split_of(uint32_t share_ppm, const char *salt, bool enabled, uint64_t revision)
{
    struct split split = {.share_ppm = share_ppm, .enabled = enabled, .revision = revision};
    split.salt_len = (uint8_t) strlen(salt);
    memcpy(split.salt, salt, split.salt_len);
    return split;
}

static const struct state_header HEADER = {0x9d0c6f2a41b7e835, NOW, LINES};

/* A service with a peer that nginx.conf has and is drained, one that is removed, and one that was
 * added. */
static struct service *controlled(struct zone *zone)
{
    struct service *service = t_service(zone, "shop");
    struct zone_base base = {.weight = 1};
    struct peer_order drained = {.has_state = true,
                                 .state = PEER_DRAINING,
                                 .drain = {.since_ms = NOW,
                                           .requests_until_ms = NOW + 1000,
                                           .streams_until_ms = NOW + 2000,
                                           .by_len = 10,
                                           .by = "release 12"}};
    struct peer_order removed = {.has_state = true, .state = PEER_REMOVED};
    struct peer_diff added = {.address_len = 14,
                              .address = "127.0.0.1:8080",
                              .name_len = 5,
                              .name = "fresh",
                              .dc_len = 4,
                              .dc = "w\"e\t",
                              .track = TRACK_CANARY,
                              .weight = 7,
                              .state = PEER_READY};
    struct maintenance_order maintenance = {.on = true,
                                            .since_ms = NOW,
                                            .by_len = 3,
                                            .by = "mia",
                                            .message_len = 4,
                                            .message = "b\"ck"};
    unsigned slot;

    zone_peer_base_locked(zone, service, t_peer(zone, service, "10.0.0.1:80", TRACK_STABLE, 1),
                          &base);
    zone_peer_base_locked(zone, service, t_peer(zone, service, "10.0.0.2:80", TRACK_STABLE, 1),
                          &base);
    zone_peer_order_locked(zone, service, 0, &drained, 0);
    zone_peer_order_locked(zone, service, 1, &removed, 0);
    assert_int_equal(peer_diff_put_locked(zone, service, &added, 0, &slot, NULL), 0);
    maintenance_set_locked(zone, service, &maintenance);
    service->control_revision = 9;
    return service;
}

static size_t text_write(char *out, size_t size)
{
    struct buf buf;
    struct split a = split_of(0, "r7", true, 3), b = split_of(1000000, "r42", false, 41);
    struct split c = split_of(1, "A-Z.0_9", true, 9007199254740991u);
    struct failing_order failing = {.on = true, .since_ms = NOW, .by_len = 2, .by = "me"};
    struct zone *zone = t_zone(T_ZONE_SIZE);

    buf_init_fixed(&buf, out, size);
    state_put_header(&buf, &HEADER);
    state_put_failing(&buf, 5, &failing);
    state_put_split(&buf, STR("shop"), &a);
    assert_int_equal(state_put_control_locked(&buf, zone, controlled(zone)), 4);
    state_put_split(&buf, STR("student-api"), &b);
    state_put_split(&buf, STR("quo\"te \xc3\xa4"), &c);
    state_put_end(&buf, LINES);
    assert_false(buf.failed);
    return buf.len;
}

/* The lines that are believed, and how many are not; -1: refused. */
static int text_read(struct str text, struct state_line *ret_line, unsigned *ret_good,
                     struct err *err)
{
    struct state_reader reader;
    struct state_header header;
    struct state_line line;
    enum state_item item;
    int bad = 0;

    *ret_good = 0;
    if (state_read(&reader, text, &header, err) != 0) {
        return -1;
    }
    while ((item = state_next(&reader, &line, err)) != STATE_END) {
        if (item == STATE_BAD) {
            bad++;
        } else if (*ret_good < LINES) {
            ret_line[(*ret_good)++] = line;
        }
    }
    return bad;
}

static struct state_line next_line(struct state_reader *reader, enum state_item wanted,
                                   const char *name)
{
    struct state_line line;
    assert_int_equal(state_next(reader, &line, NULL), wanted);
    assert_str(state_name(&line), name);
    return line;
}

static void test_what_is_written_reads_back(void **state)
{
    (void) state;
    char mem[4096];
    struct str text = {mem, text_write(mem, sizeof mem)};
    struct state_reader reader;
    struct state_header header;
    struct state_line line;
    struct err err;

    assert_int_equal(state_read(&reader, text, &header, &err), 0);
    assert_memory_equal(&header, &HEADER, sizeof header);
    line = next_line(&reader, STATE_FAILING, "");
    assert_true(line.is.failing.on && line.is.failing.since_ms == NOW && line.revision == 5);
    assert_string_equal(line.is.failing.by, "me");
    line = next_line(&reader, STATE_SPLIT, "shop");
    line = next_line(&reader, STATE_CONTROL, "shop");
    assert_true(line.is.maintenance.on && line.is.maintenance.since_ms == NOW);
    assert_int_equal(line.revision, 9);
    assert_string_equal(line.is.maintenance.by, "mia");
    assert_string_equal(line.is.maintenance.message, "b\"ck");
    line = next_line(&reader, STATE_PEER, "shop");
    assert_string_equal(line.is.peer.address, "10.0.0.1:80");
    assert_true(line.is.peer.in_config && line.is.peer.state == PEER_DRAINING);
    assert_int_equal(line.is.peer.drain.requests_until_ms, NOW + 1000);
    assert_int_equal(line.is.peer.drain.streams_until_ms, NOW + 2000);
    assert_str(((struct str){line.is.peer.drain.by, line.is.peer.drain.by_len}), "release 12");
    line = next_line(&reader, STATE_PEER, "shop");
    assert_true(line.is.peer.in_config && line.is.peer.state == PEER_REMOVED);
    line = next_line(&reader, STATE_PEER, "shop");
    assert_true(!line.is.peer.in_config && line.is.peer.track == TRACK_CANARY);
    assert_int_equal(line.is.peer.weight, 7);
    assert_string_equal(line.is.peer.name, "fresh");
    assert_string_equal(line.is.peer.dc, "w\"e\t");
    line = next_line(&reader, STATE_SPLIT, "student-api");
    assert_int_equal(line.is.split.share_ppm, 1000000);
    assert_false(line.is.split.enabled);
    assert_int_equal(line.is.split.revision, 41);
    assert_str(((struct str){line.is.split.salt, line.is.split.salt_len}), "r42");
    line = next_line(&reader, STATE_SPLIT, "quo\"te \xc3\xa4");
    assert_int_equal(line.is.split.revision, 9007199254740991u);
    assert_int_equal(state_next(&reader, &line, &err), STATE_END);
    assert_int_equal(state_next(&reader, &line, &err), STATE_END);
}

static void test_a_line_can_be_carried_into_another_text(void **state)
{
    (void) state;
    char mem[4096], other[4096];
    struct str text = {mem, text_write(mem, sizeof mem)};
    struct state_reader reader;
    struct state_header header;
    struct state_line line;
    enum state_item item;
    struct buf buf;
    struct err err;

    assert_int_equal(state_read(&reader, text, &header, &err), 0);
    buf_init_fixed(&buf, other, sizeof other);
    state_put_header(&buf, &header);
    while ((item = state_next(&reader, &line, &err)) != STATE_END) {
        assert_int_not_equal(item, STATE_BAD);
        state_put_line(&buf, line.text);
    }
    state_put_end(&buf, LINES);
    assert_int_equal(buf.len, text.len);
    assert_memory_equal(buf.ptr, text.ptr, text.len);
}

static void test_a_text_cut_anywhere_is_refused(void **state)
{
    (void) state;
    char mem[4096];
    size_t len = text_write(mem, sizeof mem);
    struct state_line lines[LINES];
    unsigned good;
    struct err err;

    for (size_t cut = 0; cut < len; cut++) {
        char *exact = malloc(cut + 1); /* ASan sees a read behind the cut */
        assert_non_null(exact);
        memcpy(exact, mem, cut);
        char *moved = memmove(exact + 1, exact, cut);
        int rc = text_read((struct str){moved, cut}, lines, &good, &err);
        free(exact);
        t_check(rc == -1, "cut at %zu of %zu: believed", cut, len);
        assert_int_equal(err.code, ERR_INVALID);
        t_check(strlen(err.msg) > 10, "cut at %zu: \"%s\"", cut, err.msg);
    }
}

/* Every byte, every bit: the text is refused, or one line is, and the others are as they were. */
static void test_a_changed_byte_is_never_believed(void **state)
{
    (void) state;
    char mem[4096], whole[4096];
    size_t len = text_write(mem, sizeof mem);
    struct state_line before[LINES], after[LINES];
    unsigned good, refused = 0, bad = 0;
    struct err err;

    memcpy(whole, mem, len);
    assert_int_equal(text_read((struct str){whole, len}, before, &good, &err), 0);
    assert_int_equal(good, LINES);
    for (size_t at = 0; at < len; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            mem[at] = (char) (mem[at] ^ (1 << bit));
            int rc = text_read((struct str){mem, len}, after, &good, &err);
            t_check(rc == -1 || (rc == 1 && good == LINES - 1),
                    "bit %u of byte %zu changed: %d, %u lines are believed", bit, at, rc, good);
            refused += rc == -1;
            bad += rc == 1;
            for (unsigned i = 0; i < good; i++) {
                bool same = false;
                for (unsigned k = 0; k < LINES; k++) {
                    same |= str_eq(after[i].text, before[k].text);
                }
                t_check(same, "byte %zu: a line that nobody wrote", at);
            }
            mem[at] = (char) (mem[at] ^ (1 << bit));
        }
    }
    t_check(refused > 100 && bad > 1000, "%u texts refused, %u lines", refused, bad);
}

static void test_one_bad_line_leaves_the_others(void **state)
{
    (void) state;
    char mem[4096];
    size_t len = text_write(mem, sizeof mem);
    struct state_line lines[LINES];
    unsigned good;
    struct err err;

    char *digit = strstr(mem, "1000000,");
    assert_non_null(digit);
    *digit = '2';
    assert_int_equal(text_read((struct str){mem, len}, lines, &good, &err), 1);
    assert_int_equal(good, LINES - 1);
}

static void put_raw(struct buf *buf, const char *line)
{
    static const uint8_t key[16];
    buf_addf(buf, "%s,\"sum\":\"%016" PRIx64 "\"}\n", line, siphash24(key, line, strlen(line)));
}

/* What pourover 0.1.0 wrote. */
static void test_layout_1_is_read_and_had_splits_only(void **state)
{
    (void) state;
    char mem[2048];
    struct buf buf;
    struct state_line lines[LINES];
    unsigned good;
    struct err err;

    buf_init_fixed(&buf, mem, sizeof mem);
    put_raw(&buf, "{\"pourover_state\":1,\"instance\":\"9d0c6f2a41b7e835\",\"alive_at_ms\":5,"
                  "\"services\":2");
    put_raw(&buf, "{\"name\":\"shop\",\"share_ppm\":70000,\"salt\":\"r7\",\"enabled\":true,"
                  "\"revision\":3");
    put_raw(&buf, "{\"failing\":true,\"revision\":3,\"by\":\"\",\"since_ms\":1");
    put_raw(&buf, "{\"end\":2");
    assert_int_equal(text_read(buf_str(&buf), lines, &good, &err), 1);
    assert_int_equal(good, 1);
    assert_int_equal(lines[0].is.split.share_ppm, 70000);
    assert_string_equal(err.msg, "line 3: it is of no kind that is known");
}

#define LINE(name, share, salt, enabled, revision)                                               \
    ("{\"name\":\"" name "\",\"share_ppm\":" share ",\"salt\":\"" salt "\",\"enabled\":" enabled \
     ",\"revision\":" revision)
#define PEER(address, config, track, weight, state, until)                                      \
    ("{\"peer\":\"" address "\",\"service\":\"a\",\"config\":\"" config "\",\"track\":\"" track \
     "\",\"weight\":" weight ",\"dc\":\"\",\"name\":\"\",\"state\":\"" state                    \
     "\",\"by\":\"\",\"since_ms\":0,\"requests_until_ms\":0,\"streams_until_ms\":" until)
#define CONTROL(revision, on, by, message)                                              \
    ("{\"control\":\"a\",\"revision\":" revision ",\"maintenance\":" on ",\"by\":\"" by \
     "\",\"message\":\"" message "\",\"since_ms\":1")

static int read_one(const char *line, struct state_line *ret_line)
{
    char mem[2048];
    struct buf buf;
    struct state_header header = HEADER;
    unsigned good;
    struct err err;

    header.lines = 1;
    buf_init_fixed(&buf, mem, sizeof mem);
    state_put_header(&buf, &header);
    put_raw(&buf, line);
    state_put_end(&buf, 1);
    assert_false(buf.failed);
    return text_read(buf_str(&buf), ret_line, &good, &err);
}

/* Lines with a right sum and wrong values: a writer with a fault, or a forger. */
static void test_values_out_of_range_are_refused(void **state)
{
    (void) state;
    const char *const right[] = {
        LINE("a", "1000000", "s", "true", "1"),
        PEER("10.0.0.1:80", "stable", "canary", "1000", "removed", "9"),
        PEER("10.0.0.1:80", "", "canary", "1", "down", "0"),
        CONTROL("1", "true", "", "back at 12:00"),
        "{\"failing\":false,\"revision\":1,\"by\":\"\",\"since_ms\":0",
    };
    const char *const wrong[] = {
        LINE("a", "1000001", "s", "true", "1"),
        LINE("a", "-1", "s", "true", "1"),
        LINE("a", "1", "", "true", "1"),
        LINE("a", "1", "a b", "true", "1"),
        LINE("a", "1", "s", "1", "1"),
        LINE("a", "1", "s", "true", "9007199254740992"),
        LINE("", "1", "s", "true", "1"),
        LINE("a", "1,\"share_ppm\":2", "s", "true", "1"),
        LINE("a", "1", "s", "true", "1,\"x\":1"),
        "{\"share_ppm\":1,\"salt\":\"s\",\"enabled\":true,\"revision\":1",
        "{\"end\":1",
        PEER("10.0.0.1:80", "both", "canary", "1", "ready", "0"),
        PEER("10.0.0.1:80", "stable", "", "1", "ready", "0"),
        PEER("10.0.0.1:80", "stable", "canary", "0", "ready", "0"),
        PEER("10.0.0.1:80", "stable", "canary", "1001", "ready", "0"),
        PEER("10.0.0.1:80", "stable", "canary", "1", "free", "0"),
        PEER("10.0.0.1:80", "stable", "canary", "1", "ready", "-1"),
        PEER("10.0.0.1:80", "", "canary", "1", "removed", "0"),
        PEER("0123456789012345678901234567890123456789012345678901234567890123456789012345678901234"
             "56789012345678901234567890123456789012345678",
             "stable", "canary", "1", "ready", "0"),
        CONTROL("0", "true", "", ""),
        CONTROL("1", "1", "", ""),
        CONTROL("1", "true", "\\u000a", ""),
        CONTROL("1", "true", "", "\\u007f"),
        "{\"failing\":true,\"revision\":0,\"by\":\"\",\"since_ms\":0",
        "{\"failing\":true,\"revision\":1,\"by\":\"\"",
        "{\"later\":true",
    };
    struct state_line line[LINES];
    T_TABLE(row, right)
    {
        t_check(read_one(*row, line) == 0, "not believed: %s", *row);
    }
    T_TABLE(row, wrong)
    {
        t_check(read_one(*row, line) == 1, "believed: %s", *row);
    }
}

static void test_another_layout_is_told(void **state)
{
    (void) state;
    struct state_header header;
    struct err err;

    assert_err(
        state_read_header(STR("{\"pourover_state\":3,\"all\":\"else\"}\n"), &header, &err), &err,
        ERR_INVALID,
        "it was written by another version of pourover: its layout is 3, this one reads 1 to "
        "2");
    assert_err(state_read_header(STR("not json\n"), &header, &err), &err, ERR_INVALID,
               "it does not begin as a state file of pourover does");
    assert_err(state_read_header(STR(""), &header, &err), &err, ERR_INVALID, "it is empty");
}

static void test_age_is_since_the_router_last_lived(void **state)
{
    (void) state;
    const uint64_t day = 86400000, week = 7 * day;
    const struct {
        uint64_t alive, now;
        bool good;
    } rows[] = {
        {NOW, NOW, true},        {NOW, NOW + week, true}, {NOW, NOW + week + 1, false},
        {NOW, NOW - 1000, true}, {NOW + day, NOW, true},  {NOW + day + 1, NOW, false},
        {INT64_MAX, NOW, false}, {0, NOW, false},
    };
    T_TABLE(row, rows)
    {
        struct state_header header = {1, row->alive, 0};
        struct err err;
        int rc = state_check_age(&header, row->now, week, &err);
        t_check((rc == 0) == row->good, "alive %" PRIu64 ", now %" PRIu64, row->alive, row->now);
    }
    struct state_header header = {1, NOW, 0};
    struct err err;
    assert_err(state_check_age(&header, NOW + 8 * day, week, &err), &err, ERR_INVALID,
               "it is too old: the router lived last at 2025-11-21T23:00:00.000Z, 691200 s ago, "
               "and state_max_age is 604800 s");
}

/* Reads the text into another zone, as an upgrade's other master does. */
static int take(struct zone *zone, struct str text)
{
    struct state_reader reader;
    struct state_header header;
    struct state_line line;
    enum state_item item;
    int rc = 0;

    assert_int_equal(state_read(&reader, text, &header, NULL), 0);
    while ((item = state_next(&reader, &line, NULL)) != STATE_END) {
        if (item == STATE_CONTROL) {
            struct service *service = zone_service_find(zone, state_name(&line));
            rc = state_take_control_locked(zone, service, &line, &reader, 0, NULL);
        }
    }
    return rc;
}

static uint64_t put_controls(char *mem, size_t size, const struct zone *zone,
                             const struct service *service, struct str *ret_text)
{
    struct buf buf;
    struct state_header header = HEADER;
    char body[8192];

    buf_init_fixed(&buf, body, sizeof body);
    header.lines = state_put_control_locked(&buf, zone, service);
    struct str lines = buf_str(&buf);
    struct buf whole;
    buf_init_fixed(&whole, mem, size);
    state_put_header(&whole, &header);
    buf_add_str(&whole, lines);
    state_put_end(&whole, header.lines);
    assert_false(buf.failed || whole.failed);
    *ret_text = buf_str(&whole);
    return header.lines;
}

static void test_what_commands_made_is_taken_as_a_whole(void **state)
{
    (void) state;
    char mem[8192], again[8192];
    struct str text, same;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = controlled(zone);
    struct zone_base base = {.weight = 1};

    assert_int_equal(put_controls(mem, sizeof mem, zone, service, &text), 4);

    /* the other one has the same nginx.conf, an older revision, and other things done to it */
    zone = t_zone(T_ZONE_SIZE);
    service = t_service(zone, "shop");
    for (int i = 0; i < 3; i++) {
        const char *address[] = {"10.0.0.1:80", "10.0.0.2:80", "10.0.0.3:80"};
        unsigned slot = t_peer(zone, service, address[i], TRACK_STABLE, 1);
        zone_peer_base_locked(zone, service, slot, &base);
    }
    (void) t_peer(zone, service, "10.0.0.9:80", TRACK_STABLE, 1);
    zone_peer_set_locked(zone, service, 2, PEER_DOWN, 4);
    service->control_revision = 8;
    assert_int_equal(take(zone, text), 1);
    assert_int_equal(service->control_revision, 9);
    assert_int_equal(META_STATE(zone_peer_meta(zone, service, 2)), PEER_READY);
    assert_int_equal(zone_peer(zone, service, 2)->weight, 1);
    assert_int_equal(zone_peer_find(zone, service, STR("10.0.0.9:80"), TRACK_STABLE), -1);
    assert_int_equal(put_controls(again, sizeof again, zone, service, &same), 4);
    assert_str(same, mem);

    /* and not again */
    zone_peer_set_locked(zone, service, 2, PEER_DOWN, 1);
    assert_int_equal(take(zone, text), 0);
    assert_int_equal(META_STATE(zone_peer_meta(zone, service, 2)), PEER_DOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_reads_back),
        cmocka_unit_test(test_a_line_can_be_carried_into_another_text),
        cmocka_unit_test(test_a_text_cut_anywhere_is_refused),
        cmocka_unit_test(test_a_changed_byte_is_never_believed),
        cmocka_unit_test(test_one_bad_line_leaves_the_others),
        cmocka_unit_test(test_layout_1_is_read_and_had_splits_only),
        cmocka_unit_test(test_what_commands_made_is_taken_as_a_whole),
        cmocka_unit_test(test_values_out_of_range_are_refused),
        cmocka_unit_test(test_another_layout_is_told),
        cmocka_unit_test(test_age_is_since_the_router_last_lived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
