/* Commands about peers, and their differences from nginx.conf; see traffic/peer_command.h and
 * traffic/peer_diff.h. */
#include "support/zone.h"
#include "traffic/peer_command.h"
#include "traffic/peer_diff.h"
#include "traffic/state.h"
#include "traffic/zone_int.h"

#define WALL    1763766000000u
#define WORKERS 8u

/* nginx.conf: a and b on stable, c on canary, b on canary too; and a name. */
#define A     "10.0.0.1:80"
#define B     "10.0.0.2:80"
#define C     "10.0.0.3:80"
#define NAME  "app:8080"
#define CHILD "10.0.0.9:8080"

static unsigned conf_peer(struct zone *zone, struct service *service, struct peer_spec spec)
{
    struct zone_base base = {.weight = spec.weight};
    unsigned slot = 0;

    assert_int_equal(zone_peer_add_locked(zone, service, &spec, 0, &slot, NULL), 0);
    zone_peer_base_locked(zone, service, slot, &base);
    return slot;
}

static struct service *configured(struct zone *zone)
{
    struct service *service = t_service(zone, "shop");
    struct peer_spec name = t_spec(NAME, TRACK_STABLE, 2), child = t_spec(CHILD, TRACK_STABLE, 2);
    unsigned slot;

    (void) conf_peer(zone, service, t_spec(A, TRACK_STABLE, 1));
    (void) conf_peer(zone, service, t_spec(B, TRACK_STABLE, 1));
    (void) conf_peer(zone, service, t_spec(C, TRACK_CANARY, 3));
    (void) conf_peer(zone, service, t_spec(B, TRACK_CANARY, 1));
    name.is_name = true;
    child.origin = ORIGIN_NAME;
    child.parent = (int) conf_peer(zone, service, name);
    assert_int_equal(zone_peer_add_locked(zone, service, &child, 0, &slot, NULL), 0);
    return service;
}

struct outcome {
    int rc;
    unsigned slot;
    const char *field;
    struct err err;
};

static struct outcome command(struct zone *zone, struct service *service, enum peer_verb verb,
                              const char *address, int track, const char *body)
{
    struct peer_command c = {.verb = verb,
                             .text = str_of(address),
                             .track = track,
                             .wall_ms = WALL,
                             .workers = WORKERS,
                             .mono_ms = 5000};
    struct outcome outcome = {.rc = 0};
    struct str field;

    if (address_read(c.text, &c.address, NULL) != 0) {
        c.address.len = 0;
    }
    if (verb != PEER_DELETE) {
        assert_int_equal(peer_body_read(str_of(body), verb, &c.body, &field, NULL), 0);
    }
    outcome.rc =
        peer_command_locked(zone, service, &c, &outcome.slot, &outcome.field, &outcome.err);
    return outcome;
}

/* "stable ready 1" and so on; "" when there is nothing. */
static const char *told(const struct zone *zone, const struct service *service, unsigned slot,
                        char *text)
{
    uint32_t meta = zone_peer_meta(zone, service, slot);
    struct buf buf;

    buf_init_fixed(&buf, text, 64);
    buf_addf(&buf, "%s %s %" PRIu32, zone_track_name(META_TRACK(meta)),
             zone_peer_state_name(META_STATE(meta)), zone_peer(zone, service, slot)->weight);
    return text;
}

static const struct step {
    enum peer_verb verb;
    int track;
    const char *address;
    const char *body;
    int rc;
    const char *told; /* of the peer, or a part of the message */
    const char *field;
} steps[] = {
    {PEER_PATCH, -1, A, "{\"state\":\"draining\",\"by\":\"x\"}", 0, "stable draining 1", ""},
    {PEER_PATCH, -1, A, "{\"weight\":9}", 0, "stable draining 9", ""},
    {PEER_PATCH, TRACK_CANARY, A, "{\"weight\":9}", ERR_NOT_FOUND,
     "there is no peer \"" A "\" on track canary", ""},
    {PEER_PATCH, -1, A, "{\"track\":\"canary\",\"state\":\"ready\"}", 0, "canary ready 9", ""},
    {PEER_PATCH, -1, B, "{\"weight\":2}", ERR_CONFLICT, "both tracks have \"" B "\"", ""},
    {PEER_PATCH, TRACK_CANARY, B, "{\"weight\":2}", 0, "canary ready 2", ""},
    {PEER_PATCH, TRACK_CANARY, B, "{\"track\":\"stable\"}", ERR_CONFLICT,
     "track stable has \"" B "\" already", "track"},
    {PEER_PATCH, -1, "10.0.0.7:80", "{\"weight\":2}", ERR_NOT_FOUND, "no peer \"10.0.0.7:80\"", ""},
    {PEER_PATCH, -1, CHILD, "{\"weight\":2}", ERR_CONFLICT,
     "is an address of the name \"" NAME "\"", ""},
    {PEER_PUT, -1, CHILD, "{}", ERR_CONFLICT, "is an address of the name \"" NAME "\"", ""},
    {PEER_DELETE, -1, CHILD, "", ERR_CONFLICT, "is an address of the name \"" NAME "\"", ""},
    {PEER_PATCH, -1, NAME, "{\"state\":\"down\"}", 0, "stable name 2", ""},
    {PEER_DELETE, -1, C, "", 0, "canary removed 3", ""},
    {PEER_DELETE, -1, C, "", ERR_NOT_FOUND, "no peer \"" C "\"", ""},
    {PEER_PATCH, -1, C, "{\"weight\":2}", ERR_NOT_FOUND, "no peer \"" C "\"", ""},
    {PEER_PUT, -1, C, "{\"dc\":\"west\"}", ERR_CONFLICT, "change it in nginx.conf", "dc"},
    {PEER_PUT, -1, C, "{}", 0, "canary ready 3", ""},
    {PEER_DELETE, -1, C, "", 0, "canary removed 3", ""},
    {PEER_PUT, -1, C, "{\"state\":\"down\",\"weight\":5}", 0, "canary down 5", ""},
    {PEER_PUT, -1, "10.0.0.7:80", "{}", 0, "stable ready 1", ""},
    {PEER_PUT, -1, "10.0.0.7:80", "{\"weight\":4}", 0, "stable ready 4", ""},
    {PEER_PUT, -1, "10.0.0.7:80", "{\"state\":\"down\"}", ERR_INVALID, "PATCH changes it", "state"},
    {PEER_PUT, -1, "10.0.0.7:80", "{\"name\":\"x\"}", ERR_CONFLICT, "remove the peer and add it",
     "name"},
    {PEER_PUT, TRACK_CANARY, "10.0.0.7:80", "{}", 0, "canary ready 1", ""},
    {PEER_PUT, -1, "10.0.0.7:80", "{}", ERR_CONFLICT, "both tracks have", ""},
    {PEER_DELETE, TRACK_STABLE, "10.0.0.7:80", "", 0, "stable removed 4", ""},
    {PEER_PATCH, -1, "10.0.0.7:80", "{\"state\":\"draining\"}", 0, "canary draining 1", ""},
    {PEER_PUT, -1, "10.0.0.8:80", "{\"state\":\"draining\",\"track\":\"canary\"}", 0,
     "canary draining 1", ""},
    {PEER_PUT, TRACK_STABLE, "10.0.0.8:80", "{\"track\":\"canary\"}", ERR_CONFLICT,
     "track canary has", "track"},
    {PEER_PUT, -1, "unix:/run/a.sock", "{}", 0, "stable ready 1", ""},
    {PEER_PUT, -1, "other:80", "{}", ERR_INVALID, "pourover_server NAME resolve", ""},
    {PEER_DELETE, -1, NAME, "", 0, "stable removed 2", ""},
    {PEER_PUT, -1, NAME, "{}", 0, "stable name 2", ""},
};

static void test_commands_one_by_one(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = configured(zone);
    uint64_t done = 0;
    char text[64];

    T_TABLE(step, steps)
    {
        uint64_t epoch = atomic_load(&zone->epoch);
        struct outcome o =
            command(zone, service, step->verb, step->address, step->track, step->body);
        t_check(o.rc == step->rc, "step %zu: %d, %s", (size_t) (step - steps), o.rc, o.err.msg);
        if (o.rc == 0) {
            done++;
            t_check(strcmp(told(zone, service, o.slot, text), step->told) == 0, "step %zu: %s",
                    (size_t) (step - steps), text);
            assert_true(atomic_load(&zone->epoch) > epoch);
        } else {
            t_check(strstr(o.err.msg, step->told) != NULL, "step %zu: %s", (size_t) (step - steps),
                    o.err.msg);
            assert_string_equal(o.field, step->field);
            assert_int_equal(atomic_load(&zone->epoch), epoch);
        }
        assert_int_equal(service->control_revision, done);
    }
}

static void test_a_drain_has_who_since_and_limits_and_can_be_limited_anew(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = configured(zone);
    const struct peer_drain *drain = &zone_peer(zone, service, 0)->drain;

    (void) command(zone, service, PEER_PATCH, A, -1,
                   "{\"state\":\"draining\",\"by\":\"release 12\",\"requests_ms\":1000}");
    assert_true(drain->since_ms == WALL && drain->requests_until_ms == WALL + 1000);
    assert_int_equal(drain->streams_until_ms, 0);
    assert_str(((struct str){drain->by, drain->by_len}), "release 12");
    zone_peer_cold(zone, service, 0)->drain.since_ms = WALL - 5000;
    (void) command(zone, service, PEER_PATCH, A, -1, "{\"state\":\"draining\",\"streams_ms\":5}");
    assert_true(drain->since_ms == WALL - 5000 && drain->requests_until_ms == 0);
    assert_int_equal(drain->streams_until_ms, WALL + 5);
    (void) command(zone, service, PEER_PATCH, A, -1, "{\"state\":\"ready\"}");
    assert_int_equal(drain->since_ms, 0);
}

static void test_a_name_is_commanded_with_its_addresses(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = configured(zone);
    char text[64];

    (void) command(zone, service, PEER_PATCH, NAME, -1,
                   "{\"state\":\"draining\",\"track\":\"canary\"}");
    assert_string_equal(told(zone, service, 5, text), "canary draining 2");
    struct peer_diff diff;
    assert_true(peer_diff_get(zone, service, 4, &diff));
    assert_true(diff.state == PEER_DRAINING && diff.track == TRACK_CANARY);
    assert_false(peer_diff_get(zone, service, 5, &diff));
}

static void test_a_full_zone_and_a_cut_take_no_peer_and_counts_find_room(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = t_service(zone, "shop");
    char address[32];
    int rc = 0;

    for (unsigned i = 0; rc == 0 && i <= ZONE_PEERS_MAX; i++) {
        (void) snprintf(address, sizeof(address), "10.1.%u.%u:80", i / 256, i % 256);
        rc = command(zone, service, PEER_PUT, address, -1, "{}").rc;
    }
    assert_int_equal(rc, ERR_FULL);
    for (int32_t i = 0; i < 2 * (int32_t) WORKERS; i++) {
        struct row *row = zone_row_get_locked(zone, service, i, i + 1);
        assert_non_null(row);
        for (unsigned slot = 0; slot < atomic_load(&service->slots); slot += ZONE_CHUNK_PEERS) {
            assert_non_null(zone_pin_get_locked(zone, row, slot));
        }
    }
    uint64_t revision = service->control_revision;
    assert_int_equal(command(zone, service, PEER_DELETE, "10.1.0.7:80", -1, "").rc, 0);
    assert_int_equal(command(zone, service, PEER_PUT, address, -1, "{}").rc, 0);
    assert_int_equal(service->control_revision, revision + 2);
    service->kind = SERVICE_CUT;
    assert_int_equal(command(zone, service, PEER_PUT, "10.9.9.9:1", -1, "{}").rc, ERR_CONFLICT);
}

/* What nginx.conf adds later takes the place of what a command added, with what was asked of it. */
static void test_a_peer_that_nginx_conf_adds_inherits(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = configured(zone);
    struct peer_spec spec = t_spec("10.0.0.7:80", TRACK_STABLE, 6);
    char text[64];

    (void) command(zone, service, PEER_PUT, "10.0.0.7:80", -1, "{\"dc\":\"west\"}");
    unsigned old = command(zone, service, PEER_PATCH, "10.0.0.7:80", -1,
                           "{\"state\":\"draining\",\"by\":\"me\"}")
                       .slot;
    spec.dc = STR("east");
    assert_true(peer_diff_ancestor(zone, service, spec.address, spec.track));
    assert_false(peer_diff_ancestor(zone, service, spec.address, TRACK_CANARY));
    spec.state = PEER_DOWN;
    unsigned slot = conf_peer(zone, service, spec);
    peer_diff_inherit_locked(zone, service, slot);
    assert_string_equal(told(zone, service, slot, text), "stable draining 6");
    assert_int_equal(zone_peer(zone, service, slot)->drain.by_len, 2);
    assert_int_equal(META_STATE(zone_peer_meta(zone, service, old)), PEER_REMOVED);
    assert_false(zone_peer(zone, service, old)->in_config);
}

static void test_what_was_moved_goes_back_when_nginx_conf_has_it_there_too(void **state)
{
    (void) state;
    struct zone *zone = t_zone(T_ZONE_SIZE);
    struct service *service = configured(zone);
    char text[64];

    (void) command(zone, service, PEER_PATCH, A, -1, "{\"track\":\"canary\"}");
    unsigned slot = conf_peer(zone, service, t_spec(A, TRACK_CANARY, 1));
    peer_diff_settle_locked(zone, service);
    assert_string_equal(told(zone, service, 0, text), "stable ready 1");
    assert_string_equal(told(zone, service, slot, text), "canary ready 1");
}

static const char *random_body(struct t_random *random, enum peer_verb verb)
{
    static const char *const put[] = {"{}", "{\"track\":\"canary\"}", "{\"weight\":7}",
                                      "{\"track\":\"stable\",\"weight\":3}"};
    static const char *const patch[] = {"{\"state\":\"draining\",\"by\":\"x\",\"requests_ms\":9}",
                                        "{\"state\":\"ready\"}",
                                        "{\"state\":\"down\"}",
                                        "{\"weight\":5}",
                                        "{\"track\":\"canary\"}",
                                        "{\"track\":\"stable\",\"state\":\"ready\"}"};
    return verb == PEER_PUT ? put[t_random_below(random, T_LEN(put))]
                            : patch[t_random_below(random, T_LEN(patch))];
}

/* The control lines of the service, which say all that a command can make different. */
static struct str controls(const struct zone *zone, const struct service *service, char *mem,
                           size_t size)
{
    struct buf buf;
    buf_init_fixed(&buf, mem, size);
    (void) state_put_control_locked(&buf, zone, service);
    assert_false(buf.failed);
    return buf_str(&buf);
}

/* The lines of `text`, in any order, are those of the other. */
static bool same_lines(struct str a, struct str b)
{
    struct str line, rest = a;

    if (a.len != b.len) {
        return false;
    }
    while (str_cut(&rest, '\n', &line)) {
        struct str other, others = b;
        bool found = false;
        while (!found && str_cut(&others, '\n', &other)) {
            found = str_eq(line, other);
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

static void take(struct zone *zone, struct service *service, struct str lines)
{
    char mem[32768];
    struct buf buf;
    struct state_header header = {.lines = 0}, read;
    struct state_reader reader;
    struct state_line line;

    for (size_t i = 0; i < lines.len; i++) {
        header.lines += lines.ptr[i] == '\n';
    }
    buf_init_fixed(&buf, mem, sizeof(mem));
    state_put_header(&buf, &header);
    buf_add_str(&buf, lines);
    state_put_end(&buf, header.lines);
    assert_int_equal(state_read(&reader, buf_str(&buf), &read, NULL), 0);
    assert_int_equal(state_next(&reader, &line, NULL), STATE_CONTROL);
    assert_int_equal(state_take_control_locked(zone, service, &line, &reader, 0, NULL), 1);
}

/* Whatever commands made of one zone, its state file makes of another, fresh or with a past. */
static void test_the_file_makes_of_any_zone_what_commands_made_of_one(void **state)
{
    (void) state;
    static const char *const addresses[] = {A, B, C, NAME, "10.0.0.7:80", "10.0.0.8:80", "unix:/s"};
    static _Alignas(64) uint8_t other_memory[T_ZONE_SIZE];
    static char mem[32768], again[32768];
    struct t_random random = t_random_init();

    for (int round = 0; round < 300; round++) {
        struct zone *other = NULL;
        struct str first = STR("");
        /* two zones with a past of their own each; the one made last is the file's */
        for (int which = 0; which < 2; which++) {
            struct zone *zone = t_zone(T_ZONE_SIZE);
            struct service *service = configured(zone);
            uint64_t n = which == 0 && round % 3 == 0 ? 0 : t_random_below(&random, 12);
            for (uint64_t i = 0; i < n; i++) {
                enum peer_verb verb = (enum peer_verb) t_random_below(&random, 3);
                const char *address = addresses[t_random_below(&random, T_LEN(addresses))];
                int track = (int) t_random_below(&random, 3) - 1;
                (void) command(zone, service, verb, address, track, random_body(&random, verb));
            }
            if (which == 0) {
                memcpy(other_memory, zone, T_ZONE_SIZE);
                other = (struct zone *) (void *) other_memory;
            } else {
                service->control_revision = 1000;
                first = controls(zone, service, mem, sizeof(mem));
            }
        }
        struct service *service = zone_service_find(other, STR("shop"));
        take(other, service, first);
        struct str second = controls(other, service, again, sizeof(again));
        t_check(same_lines(first, second), "round %d:\n" STR_FMT "\n\n" STR_FMT, round,
                STR_ARG(first), STR_ARG(second));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_commands_one_by_one),
        cmocka_unit_test(test_a_drain_has_who_since_and_limits_and_can_be_limited_anew),
        cmocka_unit_test(test_a_name_is_commanded_with_its_addresses),
        cmocka_unit_test(test_a_full_zone_and_a_cut_take_no_peer_and_counts_find_room),
        cmocka_unit_test(test_a_peer_that_nginx_conf_adds_inherits),
        cmocka_unit_test(test_what_was_moved_goes_back_when_nginx_conf_has_it_there_too),
        cmocka_unit_test(test_the_file_makes_of_any_zone_what_commands_made_of_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
