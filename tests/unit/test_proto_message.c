/* Messages in memory: values, presence, oneofs, maps, extensions, equality. */
#include "support/t.h"

#include "base/arena.h"
#include "support/rich.h"

struct fixture {
    struct proto_pool *pool;
    struct arena arena;
    struct proto_msg *two, *three;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    fixture.pool = rich_pool();
    arena_init(&fixture.arena, 1 << 24);
    fixture.two = proto_msg_new(&fixture.arena, proto_pool_message(fixture.pool, STR("rich2.Two")));
    fixture.three =
        proto_msg_new(&fixture.arena, proto_pool_message(fixture.pool, STR("rich3.Three")));
    *state = &fixture;
    return fixture.two == NULL || fixture.three == NULL;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    arena_done(&fixture->arena);
    proto_pool_free(fixture->pool);
    return 0;
}

static const struct proto_field_desc *field_of(const struct proto_msg *msg, const char *name)
{
    const struct proto_field_desc *field = proto_field_by_name(msg->desc, str_of(name));
    t_check(field != NULL, "no field %s", name);
    return field;
}

static union proto_value number(int32_t value)
{
    return (union proto_value){.i32 = value};
}

static union proto_value text(const char *value)
{
    return (union proto_value){.bytes = str_of(value)};
}

static void test_presence_is_kept_where_there_is_any(void **state)
{
    struct fixture *f = *state;
    const struct proto_field_desc *with = field_of(f->two, "i32"),
                                  *without = field_of(f->three, "i32");
    assert_false(proto_has(f->two, with));
    assert_int_equal(proto_get(f->two, with).i32, -7);
    assert_true(proto_set(f->two, with, number(0)));
    assert_true(proto_has(f->two, with));
    assert_int_equal(proto_get(f->two, with).i32, 0);
    proto_clear(f->two, with);
    assert_false(proto_has(f->two, with));
    assert_int_equal(proto_get(f->two, with).i32, -7);

    assert_true(proto_set(f->three, without, number(0)));
    assert_false(proto_has(f->three, without));
    assert_true(proto_set(f->three, without, number(1)));
    assert_true(proto_has(f->three, without));
    const struct proto_field_desc *d = field_of(f->three, "d");
    assert_true(proto_set(f->three, d, (union proto_value){.f64 = -0.0}));
    assert_true(proto_has(f->three, d));
    assert_str(proto_str(f->two, 9), "hi");
    assert_null(proto_get(f->two, field_of(f->two, "m")).msg);
}

static void test_one_member_of_a_oneof_is_set(void **state)
{
    struct fixture *f = *state;
    const struct proto_oneof_desc *pick = proto_oneof_by_name(f->three->desc, STR("pick"));
    const struct proto_field_desc *i = field_of(f->three, "one_i"),
                                  *s = field_of(f->three, "one_s");
    assert_null(proto_which(f->three, pick));
    assert_true(proto_set(f->three, i, number(0)));
    assert_ptr_equal(proto_which(f->three, pick), i);
    assert_true(proto_set(f->three, s, text("x")));
    assert_ptr_equal(proto_which(f->three, pick), s);
    assert_false(proto_has(f->three, i));
    assert_non_null(proto_mutable(f->three, field_of(f->three, "one_m")));
    assert_false(proto_has(f->three, s));
    proto_clear(f->three, field_of(f->three, "one_m"));
    assert_null(proto_which(f->three, pick));
    /* Optional fields of proto3 have oneofs of their own, which do not count. */
    assert_true(proto_set(f->three, field_of(f->three, "oi"), number(1)));
    assert_null(proto_which(f->three, pick));
    assert_null(proto_oneof_by_name(f->three->desc, STR("_oi")));
}

static void test_lists_grow(void **state)
{
    struct fixture *f = *state;
    const struct proto_field_desc *field = field_of(f->two, "ri32");
    assert_int_equal(proto_len(f->two, field), 0);
    assert_null(proto_get(f->two, field).list);
    for (int32_t i = 0; i < 1000; i++) {
        assert_true(proto_add(f->two, field, number(i)));
    }
    assert_int_equal(proto_len(f->two, field), 1000);
    assert_int_equal(proto_item(f->two, field, 999).i32, 999);
    assert_true(proto_has(f->two, field));
    proto_clear(f->two, field);
    assert_false(proto_has(f->two, field));
    assert_non_null(proto_add_message(f->two, field_of(f->two, "rm")));
    assert_int_equal(proto_len(f->two, field_of(f->two, "rm")), 1);
}

static void test_keys_of_maps_are_unique(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *name;
        bool is_text;
    } maps[] = {{"by_string", true}, {"by_i32", false}, {"by_u64", false}, {"by_s64", false}};
    T_TABLE(map, maps)
    {
        const struct proto_field_desc *field = field_of(f->two, map->name);
        for (int round = 0; round < 2; round++) {
            for (int i = 0; i < 300; i++) { /* beyond the size where a hash is made */
                char *key = arena_printf(&f->arena, "k%d", i);
                union proto_value value = {.u64 = (uint64_t) i};
                struct proto_msg *entry =
                    proto_map_entry(f->two, field, map->is_text ? text(key) : value);
                assert_non_null(entry);
                assert_ptr_equal(entry, proto_item(f->two, field, (size_t) i).msg);
            }
        }
        assert_int_equal(proto_len(f->two, field), 300);
        assert_null(proto_map_find(f->two, field,
                                   map->is_text ? text("k") : (union proto_value){.u64 = 300}));
    }
    /* An entry that was appended by hand is found, too. */
    const struct proto_field_desc *field = field_of(f->two, "by_string");
    struct proto_msg *entry = proto_add_message(f->two, field);
    assert_non_null(entry);
    assert_true(proto_set(entry, proto_map_key(field), text("hand")));
    assert_ptr_equal(proto_map_find(f->two, field, text("hand")), entry);
}

static void test_extensions_are_kept_by_number(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = {"ext_rm", "ext_i", "ext_m", "ext_s",
                                        "ext_e",  "ExtG",  "extg"};
    size_t set = 0;
    for (size_t i = 0; i < T_LEN(names); i++) {
        char full[64];
        (void) snprintf(full, sizeof full, "rich2.%s", names[i]);
        const struct proto_field_desc *field = proto_pool_extension(f->pool, str_of(full));
        if (field == NULL) {
            continue; /* the group's name is that of its message in small letters */
        }
        assert_false(proto_has(f->two, field));
        if (field->repeated) {
            union proto_value value = {.u64 = 1};
            assert_true(
                field->message != NULL
                    ? proto_add_message(f->two, field) != NULL
                    : proto_add(f->two, field, field->type == PROTO_STRING ? text("s") : value));
        } else if (field->message != NULL) {
            struct proto_msg *made = proto_mutable(f->two, field);
            assert_non_null(made);
            assert_ptr_equal(proto_mutable(f->two, field), made);
        } else {
            assert_true(proto_set(f->two, field, (union proto_value){.i64 = 0}));
        }
        assert_true(proto_has(f->two, field));
        set++;
    }
    assert_int_equal(set, 6);
    assert_int_equal(f->two->extensions, 6);
    for (size_t i = 1; i < f->two->extensions; i++) {
        assert_true(f->two->extension[i - 1].field->number < f->two->extension[i].field->number);
    }
    const struct proto_field_desc *ext = proto_pool_extension(f->pool, STR("rich2.ext_i"));
    assert_ptr_equal(proto_pool_extension_by_number(f->pool, f->two->desc, 100), ext);
    proto_clear(f->two, ext);
    assert_false(proto_has(f->two, ext));
    assert_int_equal(f->two->extensions, 5);
    proto_clear(f->two, ext);
    assert_int_equal(f->two->extensions, 5);
}

static void test_fields_are_iterated_by_number(void **state)
{
    struct fixture *f = *state;
    const struct proto_field_desc *ext = proto_pool_extension(f->pool, STR("rich2.ext_i"));
    assert_true(proto_set(f->two, field_of(f->two, "far"), number(1)));
    assert_true(proto_set(f->two, ext, (union proto_value){.i64 = 5}));
    assert_true(proto_add(f->two, field_of(f->two, "ri32"), number(3)));
    assert_true(proto_set(f->two, field_of(f->two, "i32"), number(0)));
    const uint32_t wanted[] = {5, 25, 100, 536870911};
    struct proto_iter it = {.msg = f->two};
    for (size_t i = 0; i < T_LEN(wanted); i++) {
        assert_true(proto_next(&it));
        assert_int_equal(it.field->number, wanted[i]);
    }
    assert_false(proto_next(&it));
    assert_false(proto_next(&it));
}

static void test_equal_messages_say_the_same(void **state)
{
    struct fixture *f = *state;
    struct proto_msg *a = f->three, *b = proto_msg_new(&f->arena, a->desc);
    assert_non_null(b);
    assert_true(proto_equal(a, b));
    assert_false(proto_equal(a, f->two));
    const struct proto_field_desc *map = field_of(a, "by_string"), *value = proto_map_value(map);
    for (int i = 0; i < 50; i++) {
        char *key = arena_printf(&f->arena, "%d", i),
             *other = arena_printf(&f->arena, "%d", 49 - i);
        struct proto_msg *one = proto_map_entry(a, map, text(key));
        struct proto_msg *two = proto_map_entry(b, map, text(other));
        assert_true(proto_set(one, value, text("v")) && proto_set(two, value, text("v")));
    }
    assert_true(proto_equal(a, b));
    assert_true(proto_set(proto_map_find(b, map, text("7")), value, text("w")));
    assert_false(proto_equal(a, b));
    assert_true(proto_set(proto_map_find(b, map, text("7")), value, text("v")));
    assert_true(proto_set(a, field_of(a, "oi"), number(0)));
    assert_false(proto_equal(a, b));
    assert_false(proto_equal(b, a));
    assert_true(proto_set(b, field_of(a, "oi"), number(0)));
    assert_true(proto_equal(a, b));
    assert_non_null(proto_mutable(a, field_of(a, "m")));
    assert_false(proto_equal(a, b));
    assert_true(proto_set(proto_mutable(b, field_of(a, "m")), field_of(a, "s"), text("")));
    assert_true(proto_equal(a, b));
}

static void test_numbers_that_are_no_numbers_are_equal(void **state)
{
    struct fixture *f = *state;
    const struct proto_field_desc *d = field_of(f->three, "d"), *e = field_of(f->three, "f");
    const union proto_value nan = {.u64 = UINT64_C(0x7ff8000000000000)};
    const union proto_value other = {.u64 = UINT64_C(0xfff8000000000001)};
    assert_true(proto_value_equal(d, nan, other));
    assert_false(
        proto_value_equal(d, (union proto_value){.f64 = 0.0}, (union proto_value){.f64 = -0.0}));
    assert_false(proto_value_equal(d, (union proto_value){.f64 = 0.0}, nan));
    assert_true(proto_value_equal(e, (union proto_value){.u32 = 0x7fc00000},
                                  (union proto_value){.u32 = 0x7fc00001}));
    assert_false(
        proto_value_equal(e, (union proto_value){.f32 = 0.0f}, (union proto_value){.f32 = -0.0f}));
}

static void test_a_full_arena_is_told(void **state)
{
    struct fixture *f = *state;
    struct arena small;
    arena_init(&small, 2048);
    struct proto_msg *msg = proto_msg_new(&small, f->three->desc);
    assert_non_null(msg);
    const struct proto_field_desc *list = field_of(msg, "ri32");
    size_t n = 0;
    while (n < 1000 && proto_add(msg, list, number(1))) {
        n++;
    }
    assert_in_range(n, 1, 999);
    assert_int_equal(proto_len(msg, list), n);
    assert_null(proto_mutable(msg, field_of(msg, "m")));
    assert_false(proto_has(msg, field_of(msg, "m")));
    arena_done(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_presence_is_kept_where_there_is_any, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_one_member_of_a_oneof_is_set, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lists_grow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keys_of_maps_are_unique, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_extensions_are_kept_by_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fields_are_iterated_by_number, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_equal_messages_say_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_numbers_that_are_no_numbers_are_equal, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_arena_is_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
