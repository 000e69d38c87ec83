/* The times of a connection: a heap and one timer. */
#include "base/clock.h"
#include "rpc/conn_int.h"
#include "support/rpc_wire.h"
#include "support/t.h"

#define DUES 300

struct item {
    struct rpc_due due; /* first */
    struct rpc_conn *conn;
    uint64_t wanted_ms; /* of uv_hrtime */
    unsigned fired;
    bool cleared;
};

static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static uint64_t last_wanted_ms;
static size_t waiting;

static void fires(struct rpc_due *due)
{
    struct item *item = (struct item *) due;
    assert_true(now_ms() >= item->wanted_ms);
    /* In order, but for those that are due in the same turn of a late loop. */
    assert_true(item->wanted_ms >= last_wanted_ms);
    last_wanted_ms = item->wanted_ms;
    item->fired++;
    waiting--;
}

static bool none_waits(void *ctx)
{
    (void) ctx;
    return waiting == 0;
}

static void test_times_come_in_order_and_not_too_early(void **state)
{
    struct t_random random = t_random_init();
    static struct item items[DUES];
    struct w_peer peer;
    (void) state;
    w_open(&peer, NULL);
    for (size_t i = 0; i < DUES; i++) {
        items[i] = (struct item){.conn = peer.conn};
        uint64_t delay_ms = t_random_below(&random, 50);
        rpc_due_set(peer.conn, &items[i].due, t_random_below(&random, 50), fires);
        rpc_due_set(peer.conn, &items[i].due, delay_ms, fires); /* the last one counts */
        items[i].wanted_ms = items[i].due.at_ms;
        waiting++;
        if (t_random_below(&random, 3) == 0) {
            struct item *other = &items[t_random_below(&random, i + 1)];
            rpc_due_clear(peer.conn, &other->due);
            waiting -= other->cleared ? 0 : 1;
            other->cleared = true;
        }
    }
    last_wanted_ms = 0;
    assert_true(io_loop_wait(peer.loop, 10000, none_waits, NULL));
    for (size_t i = 0; i < DUES; i++) {
        assert_int_equal(items[i].fired, items[i].cleared ? 0 : 1);
    }
    w_done(&peer);
}

static void again(struct rpc_due *due)
{
    struct item *item = (struct item *) due;
    item->fired++;
    rpc_due_set(item->conn, due, 0, again);
}

static bool has_fired(void *ctx)
{
    const struct item *item = ctx;
    return item->fired >= 3;
}

/* What sets itself again does not hold up the loop. */
static void test_a_time_set_in_its_own_turn_is_for_the_next(void **state)
{
    struct w_peer peer;
    (void) state;
    w_open(&peer, NULL);
    struct item item = {.conn = peer.conn};
    rpc_due_set(peer.conn, &item.due, 0, again);
    assert_true(io_loop_wait(peer.loop, 10000, has_fired, &item));
    rpc_due_clear(peer.conn, &item.due);
    w_done(&peer);
}

static void test_the_authority_is_made_of_the_target(void **state)
{
    static const struct {
        const char *target, *authority;
    } rows[] = {
        {"grpc://127.0.0.1:80", "127.0.0.1:80"},
        {"grpcs://[::1]:443", "[::1]:443"},
        {"grpc://[fe80::1%lo]:50051", "[fe80::1]:50051"},
        {"api.example.com:50051", "api.example.com:50051"},
        {"unix:/run/app.sock", "localhost"},
    };
    (void) state;
    T_TABLE(row, rows)
    {
        struct rpc_conn_options options = {.authority = NULL};
        struct err err;
        struct io_loop *loop = io_loop_new();
        assert_int_equal(rpc_target_parse(str_of(row->target), &options.target, &err), 0);
        struct rpc_conn *conn = rpc_conn_new(loop, &options);
        assert_string_equal(conn->authority, row->authority);
        rpc_conn_free(conn);
        io_loop_free(loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_come_in_order_and_not_too_early),
        cmocka_unit_test(test_a_time_set_in_its_own_turn_is_for_the_next),
        cmocka_unit_test(test_the_authority_is_made_of_the_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
