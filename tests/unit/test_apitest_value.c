/* Values by path, as texts for variables, and as reports show them. */
#include "support/apitest.h"

#include "apitest/value.h"

static const char order[] =
    "{\"id\":\"o "
    "1\",\"state\":\"PAID\",\"createdAt\":\"2026-01-01T00:00:00.5Z\",\"lines\":[{\"sku\":"
    "\"A\",\"quantity\":2},{\"sku\":\"B\"}],\"labels\":{\"a.b\":\"x\",\"c\":\"true\"},\"byNumber\":"
    "{"
    "\"7\":{\"sku\":\"C\"}},\"big\":\"9007199254740993\",\"ratio\":0.1,\"data\":\"YWJj\",\"count\":"
    "0,"
    "\"meta\":{\"list\":[1,{\"k\":null}]},\"took\":\"-1.5s\",\"extra\":{\"@type\":"
    "\"type.googleapis.com/shop.Money\",\"units\":\"5\"},\"numbers\":[1,-2],\"cash\":true,"
    "\"details\":[{\"@type\":\"type.googleapis.com/google.protobuf.Duration\",\"value\":\"1s\"}]}";

static struct t_api t;
static struct apitest_value root;

static int setup(void **state)
{
    (void) state;
    t_api_init(&t, false);
    root = (struct apitest_value){
        .kind = APITEST_MESSAGE,
        .proto = {.msg = t_api_json(&t, t_api_type(&t, "shop.Order"), order)}};
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    t_api_done(&t);
    return 0;
}

static const struct {
    const char *path, *text; /* text: for a variable, or the error */
} paths_and_texts_rows[] = {
    {"id", "o 1"},
    {"state", "PAID"},
    {"created_at", "2026-01-01T00:00:00.500Z"},
    {"createdAt", "2026-01-01T00:00:00.500Z"},
    {"created_at.seconds", "1767225600"},
    {"lines[0].sku", "A"},
    {"lines[1]", "{\"sku\":\"B\"}"},
    {"lines", "[{\"sku\":\"A\",\"quantity\":2},{\"sku\":\"B\"}]"},
    {"lines[1].quantity", "0"},
    {"labels[\"a.b\"]", "x"},
    {"labels['a.b']", "x"},
    {"labels.c", "true"},
    {"labels", "{\"a.b\":\"x\",\"c\":\"true\"}"},
    {"by_number[\"7\"].sku", "C"},
    {"by_number.7.sku", "C"},
    {"big", "9007199254740993"},
    {"ratio", "0.1"},
    {"data", "YWJj"},
    {"count", "0"},
    {"meta.list[1].k", "null"},
    {"meta", "{\"list\":[1,{\"k\":null}]}"},
    {"took", "-1.500s"},
    {"extra.units", "5"},
    {"extra.@type", "shop.Money"},
    {"details[0].value", "1s"},
    {"numbers", "[1,-2]"},
    {"numbers[1]", "-2"},
    {"coupon", "it is not set"},
    {"parent.id", "parent.id: parent is not set"},
    {"lines[2]", "lines[2]: there are 2 elements"},
    {"lines.sku", "lines.sku: lines is a list: say which element, as in [0]"},
    {"id.x", "id.x: id is a single value: nothing is inside"},
    {"id[0]", "id[0]: id is a single value: nothing is inside"},
    {"statee", "statee: no field \"statee\" in shop.Order: did you mean \"state\"?"},
    {"labels.nope", "labels.nope: there is no key \"nope\""},
    {"meta.list[7]", "meta.list[7]: there are 2 elements"},
    {"meta.x", "meta.x: there is no \"x\""},
    {"extra.sku", "extra.sku: no field \"sku\" in shop.Money"},
    {"lines[x", "\"lines[x\" is no path: a [ without its ] at character 6; right is "
                "order.lines[0].sku or labels[\"a.b\"]"},
    {"lines[-1]", "\"lines[-1]\" is no path: a malformed index (it counts from 0) at character "
                  "7; right is order.lines[0].sku or labels[\"a.b\"]"},
    {"id..b", "\"id..b\" is no path: a name is missing at character 4; right is "
              "order.lines[0].sku or labels[\"a.b\"]"},
};

static void test_paths_and_texts(void **state)
{
    (void) state;
    T_TABLE(row, paths_and_texts_rows)
    {
        struct apitest_value value;
        struct err err = {0};
        buf_clear(&t.text);
        int r = apitest_path_get(&root, str_of(row->path), &value, &err);
        r = r < 0 ? r : apitest_value_text(&value, &t.text, &err);
        t_same(r < 0 ? err.msg : t.text.ptr, row->text, row->path);
    }
}

static void test_paths_are_checked_before_there_is_anything(void **state)
{
    (void) state;
    static const struct {
        const char *path, *last; /* name of the last field, "" for what only the call can tell */
    } rows[] = {
        {"id", "id"},
        {"lines", "lines"},
        {"lines[9].price.units", "units"},
        {"by_number[\"1\"].sku", "sku"},
        {"labels.x", "value"},
        {"numbers[0]", "numbers"},
        {"meta.what.ever[3]", ""},
        {"extra.what", ""},
        {"parent.parent.parent.id", "id"},
        {"created_at.seconds", "seconds"},
        {"numbers[0].x", "numbers[0].x: numbers[0] is a single value: nothing is inside"},
        {"labels.x.y", "labels.x.y: labels.x is a single value: nothing is inside"},
        {"id.x", "id.x: id is a single value: nothing is inside"},
        {"lines.sku", "lines.sku: lines is a list: say which element, as in [0]"},
        {"lines[0].skuu", "lines[0].skuu: no field \"skuu\" in shop.Item: did you mean \"sku\"?"},
        {"[0]", "[0]: the value is no list"},
    };
    T_TABLE(row, rows)
    {
        const struct proto_field_desc *last = NULL;
        struct err err = {0};
        int r = apitest_path_check(t_api_type(&t, "shop.Order"), str_of(row->path), &last, &err);
        char name[64] = "";
        if (r == 0 && last != NULL) {
            buf_print(name, sizeof name, STR_FMT, STR_ARG(last->name));
        }
        t_same(r < 0 ? err.msg : name, row->last, row->path);
    }
}

static void test_values_are_shown_short(void **state)
{
    (void) state;
    static const struct {
        const char *path;
        size_t max;
        const char *shown;
    } rows[] = {
        {"id", 100, "o 1"},
        {"id", 2, "o ..."},
        {"lines", 100, "[{sku: A, quantity: 2}, {sku: B}]"},
        {"lines", 12, "[{sku: A, qu..."},
        {"labels", 100, "{a.b: x, c: \"true\"}"},
        {"took", 100, "-1.500s"},
        {"extra", 100, "{\"@type\": shop.Money, units: 5}"},
        {"details", 100, "[{\"@type\": google.protobuf.Duration, value: 1s}]"},
        {"meta", 100, "{list: [1, {k: null}]}"},
        {"coupon", 100, "absent"},
        {"data", 100, "YWJj"},
        {"ratio", 100, "0.1"},
    };
    T_TABLE(row, rows)
    {
        struct apitest_value value;
        struct err err = {0};
        assert_int_equal(apitest_path_get(&root, str_of(row->path), &value, &err), 0);
        buf_clear(&t.text);
        apitest_value_show(&value, row->max, &t.text);
        t_same(t.text.ptr, row->shown, row->path);
    }
    static const struct {
        const char *text, *shown;
    } texts[] = {
        {"plain", "plain"},   {"", "\"\""},          {"5", "\"5\""},
        {"true", "\"true\""}, {"NO", "\"NO\""},      {"absent", "\"absent\""},
        {"a: b", "\"a: b\""}, {"a\nb", "\"a\\nb\""}, {"Hello hoge!", "Hello hoge!"},
        {" x", "\" x\""},     {"#x", "\"#x\""},      {"caf\xc3\xa9", "\"caf\xc3\xa9\""},
        {"{}", "\"{}\""},     {"/a/b", "/a/b"},      {"it's", "\"it's\""},
    };
    T_TABLE(row, texts)
    {
        struct apitest_value value = {.kind = APITEST_TEXT, .text = str_of(row->text)};
        buf_clear(&t.text);
        apitest_value_show(&value, 100, &t.text);
        t_same(t.text.ptr, row->shown, row->text);
    }
}

/* A cut never leaves half of a character. */
static void test_cuts_keep_characters_whole(void **state)
{
    (void) state;
    struct apitest_value value = {.kind = APITEST_TEXT,
                                  .text = STR("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z")};
    for (size_t max = 0; max < 20; max++) {
        buf_clear(&t.text);
        apitest_value_show(&value, max, &t.text);
        assert_true(str_is_utf8(buf_str(&t.text)));
        assert_true(t.text.len <= max + 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_and_texts),
        cmocka_unit_test(test_paths_are_checked_before_there_is_anything),
        cmocka_unit_test(test_values_are_shown_short),
        cmocka_unit_test(test_cuts_keep_characters_whole),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
