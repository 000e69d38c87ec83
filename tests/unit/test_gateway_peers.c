/* Peers as commands call them, what may be taken out, and how routers differ. */
#include "base/cleanup.h"
#include "base/mem.h"
#include "gateway/peers.h"
#include "support/t.h"

#define MAX_ROUTERS 3

static void copy(struct str text, char *out, size_t size)
{
    struct buf b;
    buf_init_fixed(&b, out, size);
    buf_add_str(&b, text);
}

/*
 * A fleet whose routers were read: each text is the peers of one, words parted by spaces:
 *     ADDRESS[,canary][,draining|,down][,failing|,up|,unknown][,of=NAME][,called=NAME]
 *     [,weight=N][,busy=N]
 * A word that begins with "=" is a name of that address.
 */
static void set_word(struct str word, char *address, size_t size, enum track *track,
                     enum router_state *state)
{
    struct str part, rest = word;
    (void) str_cut(&rest, ',', &part);
    copy(part, address, size);
    while (str_cut(&rest, ',', &part)) {
        *track = str_eq_cstr(part, "canary") ? TRACK_CANARY : *track;
        *state = str_eq_cstr(part, "draining") ? ROUTER_DRAINING
                 : str_eq_cstr(part, "down")   ? ROUTER_DOWN
                                               : *state;
    }
}

static struct router_peer peer_of(struct str word)
{
    struct router_peer p = {.origin = "config", .weight = 1};
    struct str part, rest = word;
    set_word(word, p.address, sizeof p.address, &p.track, &p.state);
    memcpy(p.name, p.address, sizeof p.name);
    (void) str_cut(&rest, ',', &part);
    while (str_cut(&rest, ',', &part)) {
        struct str value = part;
        struct str key;
        (void) str_cut(&value, '=', &key);
        p.health = str_eq_cstr(part, "failing")   ? ROUTER_FAILING
                   : str_eq_cstr(part, "up")      ? ROUTER_PASSING
                   : str_eq_cstr(part, "unknown") ? ROUTER_UNKNOWN
                                                  : p.health;
        if (str_eq_cstr(key, "of") || str_eq_cstr(key, "called")) {
            copy(value, p.name, sizeof p.name);
        }
        if (str_eq_cstr(key, "of")) {
            memcpy(p.origin, "name", sizeof "name");
        }
        if (str_eq_cstr(key, "weight")) {
            assert_int_equal(num_u64(value, 0, 1000, &p.weight), 0);
        }
        if (str_eq_cstr(key, "busy")) {
            assert_int_equal(num_u64(value, 0, 1000, &p.in_flight), 0);
        }
    }
    return p;
}

static void fill(struct router_service *s, const char *text)
{
    struct str word, rest = str_of(text);
    s->peer = mem_array(32, sizeof *s->peer);
    s->named = mem_array(32, sizeof *s->named);
    while (text[0] != '\0' && str_cut(&rest, ' ', &word)) {
        if (word.ptr[0] != '=') {
            s->peer[s->npeers++] = peer_of(word);
            continue;
        }
        struct router_name *n = &s->named[s->nnames++];
        word = (struct str){word.ptr + 1, word.len - 1};
        n->weight = 1;
        set_word(word, n->address, sizeof n->address, &n->track, &n->state);
    }
}

static void fleet_of(struct fleet *fleet, const char *const *text)
{
    static const char *const name[MAX_ROUTERS] = {"east", "west", "north"};
    struct router at[MAX_ROUTERS] = {0};
    size_t n = 0;
    for (; n < MAX_ROUTERS && text[n] != NULL; n++) {
        at[n].name = mem_strdup(name[n]);
    }
    fleet_init(fleet, NULL, NULL, at, n);
    memcpy(fleet->service, "shop", 5);
    for (size_t i = 0; i < n; i++) {
        fill(&fleet->router[i].service, text[i]);
    }
}

static void test_who_is_meant(void **state)
{
    (void) state;
    static const char here[] = "a:1 b:1,canary c:1 c:1,canary =app:80,canary,draining "
                               "x:80,canary,of=app:80,busy=2 y:80,canary,of=app,busy=3 "
                               "z:81,canary,of=app z:80,of=app";
    static const struct {
        const char *address;
        int track; /* -1: not said */
        enum peer_match match;
        enum track found_on;
        size_t peers;
        uint64_t in_flight;
    } rows[] = {
        {"a:1", -1, PEER_FOUND, TRACK_STABLE, 1, 0},
        {"a:1", TRACK_CANARY, PEER_MISSING, 0, 0, 0},
        {"b:1", -1, PEER_FOUND, TRACK_CANARY, 1, 0},
        {"c:1", -1, PEER_ON_BOTH, 0, 0, 0},
        {"c:1", TRACK_CANARY, PEER_FOUND, TRACK_CANARY, 1, 0},
        {"app:80", -1, PEER_FOUND, TRACK_CANARY, 2, 5},
        {"x:80", -1, PEER_OF_NAME, TRACK_CANARY, 1, 2},
        {"w:80", -1, PEER_MISSING, 0, 0, 0},
    };
    _cleanup_(router_service_done) struct router_service s = {0};
    fill(&s, here);
    T_TABLE(row, rows)
    {
        struct peer_ref ref = {.address = row->address,
                               .has_track = row->track >= 0,
                               .track = row->track > 0 ? TRACK_CANARY : TRACK_STABLE};
        struct peer_view view = {0};
        t_check(peers_find(&s, &ref, &view) == row->match, "%s", row->address);
        if (row->match == PEER_FOUND) {
            t_check(view.track == row->found_on && view.peers == row->peers &&
                        view.in_flight == row->in_flight,
                    "%s", row->address);
        }
    }
}

static void test_stable_keeps_a_peer(void **state)
{
    (void) state;
    static const struct {
        const char *peers;
        const char *out[3];
        bool may;
    } rows[] = {
        {"a:1 b:1", {"a:1"}, true},
        {"a:1 b:1", {"a:1", "b:1"}, false},
        {"a:1", {"a:1"}, false},
        {"a:1 b:1,canary", {"b:1"}, true},
        {"a:1 b:1,canary", {"a:1"}, false},
        {"a:1 b:1,draining", {"a:1"}, false},
        {"a:1,draining", {"a:1"}, true}, /* nothing is taken that was there */
        {"a:1,up b:1,failing", {"a:1"}, false},
        {"a:1,up b:1,failing", {"b:1"}, true},
        {"a:1,failing b:1,failing", {"a:1"}, true}, /* the last one still is tried in panic */
        {"a:1,failing", {"a:1"}, false},
        {"a:1,up b:1,unknown", {"a:1"}, false},
        {"=app:80 x:1,of=app:80 y:1,of=app:80", {"app:80"}, false},
        {"=app:80 x:1,of=app:80 a:1", {"app:80"}, true},
    };
    T_TABLE(row, rows)
    {
        _cleanup_(router_service_done) struct router_service s = {0};
        struct peer_ref ref[3] = {{0}};
        size_t n = 0;
        fill(&s, row->peers);
        for (; n < 3 && row->out[n] != NULL; n++) {
            ref[n].address = row->out[n];
        }
        t_check(peers_may_leave(&s, ref, n) == row->may, "%s without %s", row->peers, row->out[0]);
    }
}

static void test_an_unknown_peer_is_told_with_what_was_meant(void **state)
{
    (void) state;
    static const char *const routers[] = {"10.0.1.11:80 10.0.1.12:80,called=app2:80 =app-new:80",
                                          "10.0.1.11:80", NULL};
    static const struct {
        struct peer_ref ref;
        const char *message;
    } rows[] = {
        {{.address = "10.0.1.1:80"},
         "there is no peer \"10.0.1.1:80\"; did you mean \"10.0.1.11:80\"?"},
        {{.address = "app-nwe:80"},
         "there is no peer \"app-nwe:80\"; did you mean \"app-new:80\"?"},
        {{.address = "app2:80"},
         "there is no peer \"app2:80\"; it has the address \"10.0.1.12:80\""},
        {{.address = "elsewhere.example:8443"},
         "there is no peer \"elsewhere.example:8443\"; see \"pourover router peers\""},
        {{.address = "10.0.1.11:80", .has_track = true, .track = TRACK_CANARY},
         "\"10.0.1.11:80\" is no peer of canary"},
    };
    _cleanup_(fleet_done) struct fleet fleet;
    fleet_of(&fleet, routers);
    T_TABLE(row, rows)
    {
        struct err err = {0};
        assert_err(peers_unknown(&fleet, &row->ref, &err), &err, ERR_NOT_FOUND, row->message);
    }
}

static void test_routers_that_differ(void **state)
{
    (void) state;
    static const struct {
        const char *routers[MAX_ROUTERS + 1];
        const char *lines;
    } rows[] = {
        {{"a:1 b:1,canary", "b:1,canary a:1", NULL}, ""},
        {{"a:1,up", "a:1,failing", NULL}, ""}, /* health is each router's own */
        {{"=app:80 x:1,of=app:80", "=app:80 y:1,of=app:80", NULL}, ""},
        {{"a:1 b:1", "a:1", NULL}, "b:1 (stable) is a peer of east, not of west\n"},
        {{"a:1", "a:1 b:1,canary", NULL}, "b:1 (canary) is a peer of west, not of east\n"},
        {{"a:1", "a:1,canary", NULL},
         "a:1 (stable) is a peer of east, not of west\n"
         "a:1 (canary) is a peer of west, not of east\n"},
        {{"a:1,draining", "a:1", "a:1,draining", NULL},
         "a:1 (stable) is draining at east, ready "
         "at west\n"},
        {{"a:1", "a:1", "a:1,down", NULL}, "a:1 (stable) is ready at east, down at north\n"},
        {{"a:1,weight=2", "a:1", NULL}, "a:1 (stable) has the weight 2 at east, 1 at west\n"},
        {{"=app:80", "", NULL}, "app:80 (stable) is a peer of east, not of west\n"},
    };
    T_TABLE(row, rows)
    {
        _cleanup_(fleet_done) struct fleet fleet;
        _cleanup_(buf_done) struct buf lines;
        size_t n = 0;
        buf_init(&lines, 4096);
        buf_add_cstr(&lines, "");
        fleet_of(&fleet, row->routers);
        size_t told = peers_differ(&fleet, &lines);
        for (const char *c = row->lines; *c != '\0'; c++) {
            n += *c == '\n';
        }
        assert_int_equal(told, n);
        assert_str(buf_str(&lines), row->lines);
    }
}

static void test_paths(void **state)
{
    (void) state;
    static const struct {
        struct peer_ref ref;
        const char *path;
    } rows[] = {
        {{.address = "10.0.1.11:80"}, "v1/services/shop/peers/10.0.1.11:80"},
        {{.address = "[::1]:80", .has_track = true, .track = TRACK_CANARY},
         "v1/services/shop/peers/[::1]:80?track=canary"},
        {{.address = "unix:/run/app.sock"}, "v1/services/shop/peers/unix:/run/app.sock"},
        {{.address = "a?b#c%d e\n\xc3\xa9"}, "v1/services/shop/peers/a%3Fb%23c%25d%20e%0A%C3%A9"},
    };
    static const char *const none[] = {NULL};
    _cleanup_(fleet_done) struct fleet fleet;
    fleet_of(&fleet, none);
    T_TABLE(row, rows)
    {
        _cleanup_(buf_done) struct buf b;
        buf_init(&b, 1024);
        peers_path(&fleet, &row->ref, &b);
        assert_str(buf_str(&b), row->path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_who_is_meant),
        cmocka_unit_test(test_stable_keeps_a_peer),
        cmocka_unit_test(test_an_unknown_peer_is_told_with_what_was_meant),
        cmocka_unit_test(test_routers_that_differ),
        cmocka_unit_test(test_paths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
