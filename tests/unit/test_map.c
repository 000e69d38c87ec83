/* The map: what a plain list would say, in the order of insertion. */
#include "base/cleanup.h"
#include "base/map.h"
#include "support/t.h"

static int values[300];

static void test_put_get_remove(void **state)
{
    (void) state;
    _cleanup_(map_done) struct map m;
    map_init(&m);
    assert_null(map_get(&m, STR("a")));
    assert_null(map_remove(&m, STR("a")));
    assert_null(map_put(&m, STR("a"), &values[1]));
    assert_null(map_put(&m, STR(""), &values[2]));
    assert_null(map_put(&m, STR("a\0b"), &values[3]));
    assert_ptr_equal(map_get(&m, STR("a")), &values[1]);
    assert_ptr_equal(map_get(&m, (struct str){NULL, 0}), &values[2]);
    assert_ptr_equal(map_get(&m, STR("a\0b")), &values[3]);
    assert_null(map_get(&m, STR("b")));
    assert_ptr_equal(map_put(&m, STR("a"), &values[4]), &values[1]);
    assert_int_equal(m.len, 3);
    assert_ptr_equal(map_remove(&m, STR("a")), &values[4]);
    assert_null(map_get(&m, STR("a")));
    assert_int_equal(m.len, 2);
    assert_str(m.entry[0].key, "");
}

static void test_keys_are_copies(void **state)
{
    (void) state;
    _cleanup_(map_done) struct map m = {0};
    char key[] = "shop";
    assert_null(map_put(&m, str_of(key), &values[0]));
    key[0] = 'x';
    assert_ptr_equal(map_get(&m, STR("shop")), &values[0]);
    assert_string_equal(m.entry[0].key.ptr, "shop");
    map_done(&m);
    assert_int_equal(m.len, 0);
    assert_null(map_get(&m, STR("shop")));
    assert_null(map_put(&m, STR("again"), &values[0]));
    map_done(NULL);
}

/* A plain list of the same keys, to compare with after each step. */
struct model {
    struct {
        unsigned key;
        void *value;
    } item[300];
    size_t len;
};

static size_t model_find(const struct model *model, unsigned key)
{
    size_t i = 0;
    while (i < model->len && model->item[i].key != key) {
        i++;
    }
    return i;
}

static void assert_same(const struct map *m, const struct model *model)
{
    assert_int_equal(m->len, model->len);
    for (size_t i = 0; i < m->len; i++) {
        char key[16];
        (void) snprintf(key, sizeof key, "key%u", model->item[i].key);
        assert_str(m->entry[i].key, key);
        assert_ptr_equal(m->entry[i].value, model->item[i].value);
        assert_ptr_equal(map_get(m, str_of(key)), model->item[i].value);
    }
}

static void test_random_walk_agrees_with_a_plain_list(void **state)
{
    (void) state;
    static struct model model;
    struct t_random random = t_random_init();
    _cleanup_(map_done) struct map m;
    map_init(&m);
    for (int step = 0; step < 20000; step++) {
        unsigned number = (unsigned) t_random_below(&random, 200);
        void *value = &values[t_random_below(&random, T_LEN(values))], *before = NULL;
        char key[16];
        (void) snprintf(key, sizeof key, "key%u", number);
        size_t i = model_find(&model, number);
        if (i < model.len) {
            before = model.item[i].value;
        }
        /* Phases of growth and of shrinking. */
        if (t_random_below(&random, 3) == (step / 2000 % 2 == 0 ? 0 : 2)) {
            assert_ptr_equal(map_remove(&m, str_of(key)), before);
            if (i < model.len) {
                model.len--;
                memmove(&model.item[i], &model.item[i + 1], (model.len - i) * sizeof model.item[0]);
            }
        } else {
            assert_ptr_equal(map_put(&m, str_of(key), value), before);
            model.item[i].key = number;
            model.item[i].value = value;
            model.len += i == model.len;
        }
        if (step % 50 == 0) {
            assert_same(&m, &model);
        }
    }
    assert_same(&m, &model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_put_get_remove),
        cmocka_unit_test(test_keys_are_copies),
        cmocka_unit_test(test_random_walk_agrees_with_a_plain_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
