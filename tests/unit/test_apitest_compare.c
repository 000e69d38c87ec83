/* Two replies of the same request: what differs, and what is ignored. */
#include "support/apitest.h"

struct row {
    const char *base, *fresh, *ignore, *wanted; /* ignore: paths with blanks between */
};

static void run(struct t_api *t, const char *type, const struct row *row)
{
    const struct proto_message_desc *desc = t_api_type(t, type);
    struct proto_msg *base = t_api_json(t, desc, row->base);
    struct proto_msg *fresh = t_api_json(t, desc, row->fresh);
    struct str ignore[4];
    char paths[128];
    size_t n = 0;
    (void) snprintf(paths, sizeof paths, "%s", row->ignore);
    for (char *save = NULL, *word = strtok_r(paths, " ", &save); word != NULL;
         word = strtok_r(NULL, " ", &save)) {
        ignore[n++] = str_of(word);
    }
    t_api_again(t);
    bool same = apitest_compare(base, fresh, ignore, n, "responses[0]", &t->diffs);
    t_same(t_api_diffs(t), row->wanted, row->fresh);
    assert_int_equal(same, row->wanted[0] == '\0');
}

static const struct row differences_rows[] = {
    {"{}", "{}", "", ""},
    {"{\"id\":\"a\"}", "{\"id\":\"b\"}", "", "responses[0].id@0:0: expected a, got b"},
    {"{\"id\":\"a\"}", "{\"id\":\"b\"}", "id", ""},
    {"{\"opt\":0}", "{}", "", "responses[0].opt@0:0: expected 0, got absent (gone)"},
    {"{}", "{\"parent\":{\"id\":\"a\"}}", "",
     "responses[0].parent@0:0: expected absent, got {id: a} (new)"},
    {"{\"parent\":{\"id\":\"a\",\"big\":1}}", "{\"parent\":{\"id\":\"b\",\"big\":2}}", "parent.id",
     "responses[0].parent.big@0:0: expected 1, got 2"},
    {"{\"parent\":{\"id\":\"a\"}}", "{\"parent\":{\"id\":\"b\"}}", "parent", ""},
    {"{\"parent\":{\"id\":\"a\"}}", "{\"parent\":{\"id\":\"b\"}}", "par parent.i",
     "responses[0].parent.id@0:0: expected a, got b"},
    {"{\"lines\":[{\"sku\":\"a\"},{\"sku\":\"b\"}]}",
     "{\"lines\":[{\"sku\":\"a\"},{\"sku\":\"c\"}]}", "",
     "responses[0].lines[1].sku@0:0: expected b, got c"},
    {"{\"lines\":[{\"sku\":\"a\"}]}", "{\"lines\":[{\"sku\":\"c\"}]}", "lines[*].sku", ""},
    {"{\"lines\":[{\"sku\":\"a\"}]}", "{\"lines\":[{\"sku\":\"c\"}]}", "lines[1].sku",
     "responses[0].lines[0].sku@0:0: expected a, got c"},
    {"{\"numbers\":[1,2]}", "{\"numbers\":[1]}", "",
     "responses[0].numbers[1]@0:0: expected 2, got absent (gone)"},
    {"{\"labels\":{\"a\":\"1\",\"b.c\":\"2\"}}", "{\"labels\":{\"b.c\":\"3\",\"d\":\"4\"}}", "",
     "responses[0].labels.a@0:0: expected \"1\", got absent (gone)\n"
     "responses[0].labels[\"b.c\"]@0:0: expected \"2\", got \"3\"\n"
     "responses[0].labels.d@0:0: expected absent, got \"4\" (new)"},
    {"{\"labels\":{\"a\":\"1\",\"b.c\":\"2\"}}", "{\"labels\":{\"b.c\":\"3\",\"a\":\"2\"}}",
     "labels.a labels[*]", ""},
    {"{\"createdAt\":\"2026-01-01T00:00:00Z\"}", "{\"createdAt\":\"2026-01-01T00:00:01Z\"}", "",
     "responses[0].created_at@0:0: expected 2026-01-01T00:00:00Z, got 2026-01-01T00:00:01Z"},
    {"{\"meta\":{\"a\":[1,{\"b\":2}]}}", "{\"meta\":{\"a\":[1,{\"b\":3}]}}", "",
     "responses[0].meta.a[1].b@0:0: expected 2, got 3"},
    {"{\"meta\":{\"a\":[1,{\"b\":2}]}}", "{\"meta\":{\"a\":[1,{\"b\":3}]}}", "meta.a[*].b", ""},
    {"{\"total\":\"NaN\"}", "{\"total\":\"NaN\"}", "", ""},
    {"{\"voucher\":\"a\"}", "{\"cash\":true}", "",
     "responses[0].voucher@0:0: expected a, got absent (gone)\n"
     "responses[0].cash@0:0: expected absent, got true (new)"},
    {"{\"extra\":{\"@type\":\"t/shop.Item\",\"sku\":\"a\"}}",
     "{\"extra\":{\"@type\":\"t/shop.Item\",\"sku\":\"b\"}}", "",
     "responses[0].extra.sku@0:0: expected a, got b"},
    {"{\"extra\":{\"@type\":\"t/shop.Item\",\"sku\":\"a\"}}",
     "{\"extra\":{\"@type\":\"t/shop.Money\"}}", "",
     "responses[0].extra@0:0: expected {\"@type\": shop.Item, sku: a}, got {\"@type\": "
     "shop.Money}"},
};

static void test_differences(void **state)
{
    (void) state;
    struct t_api t;
    t_api_init(&t, false);
    T_TABLE(row, differences_rows)
    {
        run(&t, "shop.Order", row);
    }
    static const struct row old[] = {
        {"{\"id\":\"a\",\"size\":1,\"[old.weight]\":1}",
         "{\"id\":\"a\",\"size\":1,\"[old.weight]\":2}", "",
         "responses[0].[old.weight]@0:0: expected 1, got 2"},
        {"{\"id\":\"a\",\"size\":1}", "{\"id\":\"a\",\"size\":1,\"[old.weight]\":2}", "",
         "responses[0].[old.weight]@0:0: expected absent, got 2 (new)"},
    };
    T_TABLE(row, old)
    {
        run(&t, "old.Thing", row);
    }
    t_api_done(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_differences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
