/* FieldMask as text, and what is inside an Any. */
#include "support/t.h"

#include "base/arena.h"
#include "base/buf.h"
#include "proto/wkt.h"
#include "support/shop.h"

static struct proto_pool *pool;
static struct arena arena;

static int setup(void **state)
{
    (void) state;
    struct err err = {0};
    arena_init(&arena, 1 << 20);
    pool = shop_pool(&err);
    if (pool == NULL) {
        print_error("%u:%u: %s\n", err.pos.line, err.pos.col, err.msg);
    }
    return pool == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    (void) state;
    arena_done(&arena);
    proto_pool_free(pool);
    return 0;
}

static struct proto_msg *new_message(const char *type)
{
    struct proto_msg *msg = proto_msg_new(&arena, proto_pool_message(pool, str_of(type)));
    assert_non_null(msg);
    return msg;
}

static void set(struct proto_msg *msg, uint32_t number, struct str bytes)
{
    assert_true(proto_set(msg, proto_field_of(msg, number), (union proto_value){.bytes = bytes}));
}

static void test_paths_of_a_mask(void **state)
{
    (void) state;
    struct err err;
    struct buf b;
    char text[100];
    struct proto_msg *msg = new_message("google.protobuf.FieldMask");
    const struct proto_field_desc *paths = proto_field_of(msg, 1);
    assert_int_equal(proto_wkt_read_text(msg, STR("old"), &err), 0);
    assert_int_equal(proto_wkt_read_text(msg, STR("fooBar.bazQuX,a"), &err), 0);
    assert_int_equal(proto_len(msg, paths), 2); /* what was there is replaced */
    assert_str(proto_item(msg, paths, 0).bytes, "foo_bar.baz_qu_x");
    assert_str(proto_item(msg, paths, 1).bytes, "a");
    buf_init_fixed(&b, text, sizeof text);
    assert_int_equal(proto_wkt_text(msg, &b, &err), 0);
    assert_string_equal(text, "fooBar.bazQuX,a");
    assert_int_equal(proto_wkt_read_text(msg, STR(""), &err), 0);
    assert_int_equal(proto_len(msg, paths), 0);
}

static void test_paths_that_would_not_read_back_have_no_text(void **state)
{
    (void) state;
    const struct {
        struct str path;
        bool has_text;
    } rows[] = {
        {STR("foo_bar"), true},   {STR("_foo"), true},    {STR("foo1"), true},
        {STR("a._b"), true},      {STR("fooBar"), false}, {STR("foo_3_bar"), false},
        {STR("foo__bar"), false}, {STR("foo_"), false},   {STR("foo_._b"), false},
        {STR("foo,bar"), false},  {STR(""), false},       {STR("_"), false},
    };
    T_TABLE(row, rows)
    {
        struct err err;
        struct buf b;
        char text[100];
        struct proto_msg *msg = new_message("google.protobuf.FieldMask");
        struct proto_msg *again = new_message("google.protobuf.FieldMask");
        assert_true(
            proto_add(msg, proto_field_of(msg, 1), (union proto_value){.bytes = row->path}));
        buf_init_fixed(&b, text, sizeof text);
        int rc = proto_wkt_text(msg, &b, &err);
        t_check(rc == (row->has_text ? 0 : ERR_INVALID), STR_FMT ": %d", STR_ARG(row->path), rc);
        if (rc == 0) {
            assert_int_equal(proto_wkt_read_text(again, buf_str(&b), &err), 0);
            t_check(proto_equal(msg, again), STR_FMT ": %s", STR_ARG(row->path), text);
        }
    }
}

static void test_times_replace_what_was_there(void **state)
{
    (void) state;
    struct err err;
    struct buf b;
    char text[100];
    struct proto_msg *msg = new_message("google.protobuf.Timestamp");
    assert_int_equal(proto_wkt_read_text(msg, STR("2026-01-02T03:04:05.5Z"), &err), 0);
    assert_int_equal(proto_wkt_read_text(msg, STR("1970-01-01T00:00:01Z"), &err), 0);
    buf_init_fixed(&b, text, sizeof text);
    assert_int_equal(proto_wkt_text(msg, &b, &err), 0);
    assert_string_equal(text, "1970-01-01T00:00:01Z");
    assert_err(proto_wkt_read_text(new_message("google.protobuf.Duration"), STR("1"), &err), &err,
               ERR_INVALID, "\"1\" is no duration: write seconds and an s, as in 1.5s or -0.25s");
}

static void test_the_type_of_an_any(void **state)
{
    (void) state;
    const struct {
        struct str url;
        const char *name; /* NULL: none */
    } rows[] = {
        {STR("type.googleapis.com/shop.Line"), "shop.Line"},
        {STR("shop.Line"), "shop.Line"},
        {STR("/shop.Line"), "shop.Line"},
        {STR("https://types.example/a/b/shop.Line"), "shop.Line"},
        {STR("google.rpc.BadRequest"), "google.rpc.BadRequest"}, /* built in, nowhere imported */
        {STR("shop.Lin"), NULL},
        {STR("type.googleapis.com/"), NULL},
        {STR(""), NULL},
    };
    T_TABLE(row, rows)
    {
        const struct proto_message_desc *desc = proto_any_type(pool, row->url);
        t_check((desc == NULL) == (row->name == NULL), STR_FMT, STR_ARG(row->url));
        if (desc != NULL) {
            assert_str(desc->full_name, row->name);
        }
    }
}

static void test_the_message_inside_an_any(void **state)
{
    (void) state;
    struct err err;
    struct proto_msg *any = new_message("google.protobuf.Any"), *inner = NULL;
    set(any, 1, STR("type.googleapis.com/shop.Line"));
    set(any, 2, STR("\x0a\x01x\x10\x05"));
    assert_int_equal(proto_any_unpack(any, pool, &inner, &err), 0);
    assert_str(inner->desc->full_name, "shop.Line");
    assert_str(proto_str(inner, 1), "x");
    assert_int_equal(proto_get(inner, proto_field_of(inner, 2)).i32, 5);

    struct proto_msg *untouched = inner;
    set(any, 2, STR("\x0a\x05x"));
    assert_int_equal(proto_any_unpack(any, pool, &inner, &err), ERR_INVALID);
    t_check(strncmp(err.msg, "in an Any: shop.Line.sku: ", 26) == 0, "%s", err.msg);
    set(any, 1, STR("shop.Lin"));
    assert_err(proto_any_unpack(any, pool, &inner, &err), &err, ERR_NOT_FOUND,
               "the type \"shop.Lin\" in an Any is not known");
    assert_ptr_equal(inner, untouched);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_of_a_mask),
        cmocka_unit_test(test_paths_that_would_not_read_back_have_no_text),
        cmocka_unit_test(test_times_replace_what_was_there),
        cmocka_unit_test(test_the_type_of_an_any),
        cmocka_unit_test(test_the_message_inside_an_any),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
