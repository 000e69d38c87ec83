/* Tables of keys: what they refuse and in which words, and what they say of themselves. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/json.h"
#include "conf/schema.h"
#include "support/t.h"

static const struct conf_key detail_keys[] = {
    {"requests", CONF_WANT_LIST, 0, "the messages | to send", NULL},
    {"wait", CONF_WANT_DURATION, 0, "how long", NULL},
    {0},
};

static const struct conf_key step_keys[] = {
    {"send", CONF_WANT_ANY, CONF_REQUIRED, "a message", NULL},
    {"then", CONF_WANT_LIST, 0, "steps inside", step_keys},
    {0},
};

static const struct conf_key order_choices[] = {
    {"first", CONF_WANT_ANY, 0, "the first", NULL},
    {"last", CONF_WANT_ANY, 0, "the last | one", NULL},
    {"none", CONF_WANT_ANY, 0, NULL, NULL},
    {0},
};

static const struct conf_key case_keys[] = {
    {"name", CONF_WANT_TEXT, CONF_REQUIRED | CONF_NOT_EMPTY, "how reports call it", NULL},
    {"methodName", CONF_WANT_TEXT, CONF_REQUIRED, NULL, NULL},
    {"detail", CONF_WANT_MAP, CONF_NOT_EMPTY, "what is said", detail_keys},
    {"steps", CONF_WANT_LIST, CONF_NOT_EMPTY, "one after the other", step_keys},
    {"tags", CONF_WANT_TEXTS, CONF_NOT_EMPTY, "words to choose by", NULL},
    {"skip", CONF_WANT_BOOL, 0, "leave it out", NULL},
    {"repeat", CONF_WANT_INTEGER, 0, "times", NULL},
    {"pick", CONF_WANT_CHOICE, 0, "which", order_choices},
    {"any", CONF_WANT_ANY, 0, NULL, NULL},
    {0},
};

/* The errors as "line:col: message" lines. */
static void add_errors(struct buf *b, const struct conf_diags *diags)
{
    for (size_t i = 0; i < diags->list.len; i++) {
        const struct conf_diag *diag = &diags->list.ptr[i];
        buf_addf(b, "%u:%u: %s\n", diag->pos.line, diag->pos.col, diag->msg);
    }
}

static void assert_checked_by(const struct conf_key *key, const char *text, const char *errors)
{
    struct conf_file file;
    struct conf_diags diags = {.errors = 0};
    struct err err = {.code = ERR_NONE};
    struct buf b;
    buf_init(&b, 65536);
    buf_add_cstr(&b, "");
    int rc = conf_parse("a.yaml", str_of(text), &file, &err);
    t_check(rc == 0, "%s: %s", text, err.msg);
    rc = conf_check_keys(&diags, file.document[0], "a case", key);
    assert_int_equal(rc, diags.errors > 0 ? ERR_INVALID : 0);
    add_errors(&b, &diags);
    t_check(str_eq_cstr(buf_str(&b), errors), "of\n%s\ngot\n" STR_FMT "want\n%s", text,
            STR_ARG(buf_str(&b)), errors);
    buf_done(&b);
    conf_diags_done(&diags);
    conf_file_done(&file);
}

#define HEAD "name: x\nmethodName: m\n"

static const struct {
    const char *text, *errors;
} checked[] = {
    {HEAD, ""},
    {HEAD "detail: {requests: [], wait: 250ms}\nsteps: [{send: 1, then: [{send: 2}]}]\ntags: "
          "a\nskip: true\n"
          "repeat: -12\npick: last\nany:\n",
     ""},
    {HEAD "tags: [a, 'b', 3]\nskip: false\ndetail: {wait: 0}\n", ""},
    {"name: 12\nmethodName: NO\n", ""}, /* texts, whatever they look like elsewhere */
    {"nmae: x\nmethodName: m\n",
     "1:1: unknown key \"nmae\" in a case: did you mean \"name\"?\n1:1: a case needs \"name\": "
     "how reports call it\n"},
    {"name: x\n", "1:1: a case needs \"methodName\"\n"},
    {"[1, 2]", "1:1: a case has to be a map of keys and values, but is a list of 2\n"},
    {"", "1:1: a case has to be a map of keys and values, but is nothing\n"},
    {HEAD "zzz: 1\n",
     "3:1: unknown key \"zzz\" in a case: one of name, methodName, detail, steps, tags, skip, "
     "repeat, pick, any\n"},
    {"name:\nmethodName: ~\n", "1:6: \"name\" has to be text, but is nothing\n2:13: "
                               "\"methodName\" has to be text, but is null\n"},
    {"name: ''\nmethodName: ''\n", "1:7: \"name\" may not be empty: give how reports call it\n"},
    {"name: [a]\nmethodName: {}\n", "1:7: \"name\" has to be text, but is a list of 1\n2:13: "
                                    "\"methodName\" has to be text, but is an empty map\n"},
    {HEAD "detail: x\n", "3:9: \"detail\" has to be a map, but is text \"x\"\n"},
    {HEAD "detail: {}\n", "3:9: \"detail\" may not be empty: give what is said\n"},
    {HEAD "detail: {request: []}\n",
     "3:10: unknown key \"request\" in \"detail\": did you mean \"requests\"?\n"},
    {HEAD "detail: {requests: {name: x}}\n",
     "3:20: \"requests\" has to be a list, but is a map: begin each item with \"- \"\n"},
    {HEAD "steps: []\n", "3:8: \"steps\" may not be empty: give one after the other\n"},
    {HEAD "steps:\n- send: 1\n- 2\n- then: [{}]\n",
     "5:3: an item of \"steps\" has to be a map of keys and values, but is text \"2\"\n"
     "6:10: an item of \"then\" needs \"send\": a message\n"
     "6:3: an item of \"steps\" needs \"send\": a message\n"},
    {HEAD "tags: []\n", "3:7: \"tags\" may not be empty: give words to choose by\n"},
    {HEAD "tags: {a: b}\n", "3:7: \"tags\" has to be a text or a list of texts, but is a map\n"},
    {HEAD "tags:\n", "3:6: \"tags\" has to be a text or a list of texts, but is nothing\n"},
    {HEAD "tags: [a, [b], ~]\n",
     "3:11: each item of \"tags\" has to be text, but this is a list of 1\n"
     "3:16: each item of \"tags\" has to be text, but this is null\n"},
    {HEAD "skip: yes\n",
     "3:7: \"skip\" has to be true or false, but is text \"yes\": write true\n"},
    {HEAD "skip: Off\n",
     "3:7: \"skip\" has to be true or false, but is text \"Off\": write false\n"},
    {HEAD "skip: TRUE\n",
     "3:7: \"skip\" has to be true or false, but is text \"TRUE\": write true\n"},
    {HEAD "skip: 'true'\n", "3:7: \"skip\" has to be true or false, but is text \"true\": "
                            "write true without quotes\n"},
    {HEAD "skip: \"no\"\n",
     "3:7: \"skip\" has to be true or false, but is text \"no\": write false without quotes\n"},
    {HEAD "skip: maybe\n", "3:7: \"skip\" has to be true or false, but is text \"maybe\"\n"},
    {HEAD "skip:\n", "3:6: \"skip\" has to be true or false, but is nothing\n"},
    {HEAD "skip: [true]\n", "3:7: \"skip\" has to be true or false, but is a list of 1\n"},
    {HEAD "pick: lst\n", "3:7: \"pick\" has to be first, last or none, but is text \"lst\"\n"},
    {HEAD "pick: [last]\n", "3:7: \"pick\" has to be first, last or none, but is a list of 1\n"},
    {HEAD "repeat: 007\n", "3:9: \"repeat\" has to be a whole number, but is text \"007\"\n"},
    {HEAD "repeat: 1.5\n", "3:9: \"repeat\" has to be a whole number, but is text \"1.5\"\n"},
    {HEAD "repeat: '3'\n",
     "3:9: \"repeat\" has to be a whole number, but is text \"3\": write it without quotes\n"},
    {HEAD "repeat: 9223372036854775808\n",
     "3:9: \"repeat\" has to be a number from -9223372036854775808 to 9223372036854775807, but "
     "is "
     "9223372036854775808\n"},
    {HEAD "detail: {wait: 10}\n", "3:16: \"wait\" has to be a time such as 250ms, 10s, 5m, but "
                                  "is text \"10\", which has no unit\n"},
    {HEAD "detail: {wait: 1 s}\n",
     "3:16: \"wait\" has to be a time such as 250ms, 10s, 5m, but is text \"1 s\"\n"},
    {HEAD "detail: {wait: 99999999999999999999d}\n",
     "3:16: \"wait\" has to be a time such as 250ms, 10s, 5m, but is text "
     "\"99999999999999999999d\", which is too "
     "long\n"},
    {HEAD "detail: {wait: [1s]}\n",
     "3:16: \"wait\" has to be a time such as 250ms, 10s, 5m, but is a list of 1\n"},
};

static void test_maps_are_checked_by_their_table(void **state)
{
    (void) state;
    T_TABLE(row, checked)
    {
        assert_checked_by(case_keys, row->text, row->errors);
    }
}

static void test_readers_give_values_or_errors(void **state)
{
    (void) state;
    struct conf_file file;
    struct conf_diags diags = {.errors = 0};
    struct err err;
    struct buf b;
    bool truth = false;
    int64_t number = 7;
    uint64_t ms = 7;
    assert_int_equal(conf_parse("a.yaml", STR("[true, -3, 5m, no, 101, 5]"), &file, &err), 0);
    struct conf_node **item = file.document[0]->item;
    assert_int_equal(conf_bool(&diags, item[0], &truth), 0);
    assert_true(truth);
    assert_int_equal(conf_i64(&diags, item[1], -3, 100, &number), 0);
    assert_int_equal(number, -3);
    assert_int_equal(conf_duration_ms(&diags, item[2], &ms), 0);
    assert_int_equal(ms, 300000);
    assert_int_equal(diags.errors, 0);
    assert_int_equal(conf_bool(&diags, item[3], &truth), ERR_INVALID);
    assert_int_equal(conf_i64(&diags, item[4], -3, 100, &number), ERR_INVALID);
    assert_int_equal(conf_i64(&diags, file.document[0], 0, 1, &number), ERR_INVALID);
    assert_int_equal(conf_duration_ms(&diags, item[5], &ms), ERR_INVALID);
    assert_true(truth && number == -3 && ms == 300000);
    buf_init(&b, 4096);
    add_errors(&b, &diags);
    assert_string_equal(
        b.ptr, "1:16: expected true or false, saw text \"no\": write false\n"
               "1:20: expected a number from -3 to 100, saw 101\n"
               "1:1: expected a whole number, saw a list of 6\n"
               "1:25: expected a time such as 250ms, 10s, 5m, saw text \"5\", which has no unit\n");
    buf_done(&b);
    conf_diags_done(&diags);
    conf_file_done(&file);
}

static void test_json_schema(void **state)
{
    (void) state;
    _cleanup_(buf_done) struct buf b;
    struct json_writer w;
    buf_init(&b, 65536);
    json_writer_init(&w, &b);
    conf_schema_json(case_keys, &w);
    assert_false(b.failed);
#define TEXT "\"type\":[\"string\",\"number\",\"boolean\"]"
    assert_string_equal(
        b.ptr,
        "{\"type\":\"object\",\"properties\":{"
        "\"name\":{\"description\":\"how reports call it\"," TEXT ",\"minLength\":1},"
        "\"methodName\":{" TEXT "},"
        "\"detail\":{\"description\":\"what is said\",\"type\":\"object\",\"properties\":{"
        "\"requests\":{\"description\":\"the messages | to send\",\"type\":\"array\"},"
        "\"wait\":{\"description\":\"how long\",\"anyOf\":[{\"const\":0},{\"type\":\"string\","
        "\"pattern\":\"^(0|(0|[1-9][0-9]*)(ms|s|m|h|d))$\"}]}},\"additionalProperties\":false,"
        "\"minProperties\":1},"
        "\"steps\":{\"description\":\"one after the other\",\"type\":\"array\",\"minItems\":1,"
        "\"items\":{\"type\":\"object\",\"properties\":{\"send\":{\"description\":\"a message\"},"
        "\"then\":{\"description\":\"steps inside\",\"type\":\"array\"}},\"required\":[\"send\"],"
        "\"additionalProperties\":false}},"
        "\"tags\":{\"description\":\"words to choose by\",\"anyOf\":[{" TEXT ",\"minLength\":1},"
        "{\"type\":\"array\",\"minItems\":1,\"items\":{" TEXT "}}]},"
        "\"skip\":{\"description\":\"leave it out\",\"type\":\"boolean\"},"
        "\"repeat\":{\"description\":\"times\",\"type\":\"integer\"},"
        "\"pick\":{\"description\":\"which\",\"enum\":[\"first\",\"last\",\"none\"]},"
        "\"any\":{}},\"required\":[\"name\",\"methodName\"],\"additionalProperties\":false}");
}

static void test_markdown(void **state)
{
    (void) state;
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, 65536);
    conf_schema_markdown(case_keys, &b);
    assert_string_equal(b.ptr, "| key | value | what it says |\n"
                               "|---|---|---|\n"
                               "| `name` | text, required | how reports call it |\n"
                               "| `methodName` | text, required |  |\n"
                               "| `detail` | map | what is said |\n"
                               "| `detail.requests` | list | the messages \\| to send |\n"
                               "| `detail.wait` | time (`250ms`, `10s`, `5m`) | how long |\n"
                               "| `steps` | list | one after the other |\n"
                               "| `steps[].send` | any value, required | a message |\n"
                               "| `steps[].then` | list | steps inside |\n"
                               "| `tags` | text or list of texts | words to choose by |\n"
                               "| `skip` | true or false | leave it out |\n"
                               "| `repeat` | whole number | times |\n"
                               "| `pick` | one word | which; `first`: the first, "
                               "`last`: the last \\| one, `none` |\n"
                               "| `any` | any value |  |\n");
}

static const struct conf_key host_keys[] = {
    {"at", CONF_WANT_TEXT, CONF_REQUIRED, "where", NULL},
    {0},
};

static const struct conf_key fleet_keys[] = {
    {"hosts", CONF_WANT_NAMES, CONF_NOT_EMPTY, "hosts by name", host_keys},
    {"env", CONF_WANT_NAMES, 0, "variables", NULL},
    {"images", CONF_WANT_NAMES, CONF_OR_TEXT, "images by name", host_keys},
    {"stages", CONF_WANT_LIST, CONF_OR_TEXT, "stages", host_keys},
    {"share", CONF_WANT_SHARE, 0, "a share", NULL},
    {"free", CONF_WANT_BYTES, 0, "room", NULL},
    {0},
};

static void test_names_shares_and_sizes(void **state)
{
    (void) state;
    static const struct {
        const char *text, *errors;
    } rows[] = {
        {"hosts: {a: {at: x}, b: {at: y}}\nenv: {A: 1, B: x}\nimages: {a: x, b: {at: y}}\n"
         "stages: [0, x, {at: y}]\nshare: 0.1%\nfree: 2GiB\n",
         ""},
        {"share: 0\nfree: 0\nenv: {}\n", ""},
        {"hosts: {}\n", "1:8: \"hosts\" may not be empty: give hosts by name\n"},
        {"hosts: [a]\n", "1:8: \"hosts\" has to be a map of names, but is a list of 1\n"},
        {"hosts: {a: x, b: {ta: y}}\n",
         "1:12: \"a\" of \"hosts\" has to be a map of keys and values, but is text \"x\"\n"
         "1:19: unknown key \"ta\" in \"b\" of \"hosts\": did you mean \"at\"?\n"
         "1:18: \"b\" of \"hosts\" needs \"at\": where\n"},
        {"env: {A: [], B: null}\n",
         "1:10: each value of \"env\" has to be text, but \"A\" is an empty list\n"
         "1:17: each value of \"env\" has to be text, but \"B\" is null\n"},
        {"images: {a: [x]}\n",
         "1:13: each value of \"images\" has to be text or a map, but this is a list of 1\n"},
        {"stages: [[x], null]\n",
         "1:10: each item of \"stages\" has to be text or a map, but this is a list of 1\n"
         "1:15: each item of \"stages\" has to be text or a map, but this is null\n"},
        {"share: 1\n", "1:8: \"share\": \"1\" has no unit: write 1% or 1ppm\n"},
        {"share: [1%]\n",
         "1:8: \"share\" has to be a share such as 0, 0.1%, 250ppm, but is a list of 1\n"},
        {"free: 2 GiB\n",
         "1:7: \"free\" has to be a size such as 512MiB, 2GiB, but is text \"2 GiB\"\n"},
        {"free: 2iB\n",
         "1:7: \"free\" has to be a size such as 512MiB, 2GiB, but is text \"2iB\"\n"},
    };
    T_TABLE(row, rows)
    {
        assert_checked_by(fleet_keys, row->text, row->errors);
    }
    uint64_t bytes = 0;
    assert_int_equal(conf_bytes(STR("64KiB"), &bytes), 0);
    assert_int_equal(bytes, 65536);
    assert_int_equal(conf_bytes(STR("4m"), &bytes), 0);
    assert_int_equal(bytes, 4 << 20);
    assert_int_equal(conf_bytes(STR("iB"), &bytes), ERR_INVALID);
    assert_int_equal(conf_bytes(STR("99999999999GiB"), &bytes), ERR_FULL);
}

static void test_names_in_schema_and_reference(void **state)
{
    (void) state;
    _cleanup_(buf_done) struct buf b;
    struct json_writer w;
    buf_init(&b, 65536);
    json_writer_init(&w, &b);
    conf_schema_json(fleet_keys, &w);
#define HOST                                                                       \
    "{\"type\":\"object\",\"properties\":{\"at\":{\"description\":\"where\"," TEXT \
    "}},\"required\":[\"at\"],\"additionalProperties\":false}"
    assert_string_equal(
        b.ptr,
        "{\"type\":\"object\",\"properties\":{"
        "\"hosts\":{\"description\":\"hosts by name\",\"type\":\"object\",\"minProperties\":1,"
        "\"additionalProperties\":" HOST "},"
        "\"env\":{\"description\":\"variables\",\"type\":\"object\",\"additionalProperties\":{" TEXT
        "}},"
        "\"images\":{\"description\":\"images by name\",\"type\":\"object\","
        "\"additionalProperties\":{\"anyOf\":[{" TEXT "}," HOST "]}},"
        "\"stages\":{\"description\":\"stages\",\"type\":\"array\",\"items\":{\"anyOf\":[{" TEXT
        "}," HOST "]}},"
        "\"share\":{\"description\":\"a share\",\"anyOf\":[{\"const\":0},{\"type\":\"string\","
        "\"pattern\":\"^(0|[0-9]+(\\\\.[0-9]{1,4})?%|[0-9]+ppm)$\"}]},"
        "\"free\":{\"description\":\"room\",\"anyOf\":[{\"type\":\"integer\",\"minimum\":0},"
        "{\"type\":\"string\",\"pattern\":\"^[0-9]+([kKmMgG](iB)?)?$\"}]}},"
        "\"additionalProperties\":false}");
    buf_clear(&b);
    conf_schema_markdown(fleet_keys, &b);
    assert_non_null(strstr(b.ptr, "| `hosts` | map of names | hosts by name |\n"
                                  "| `hosts.NAME.at` | text, required | where |\n"));
    assert_non_null(strstr(b.ptr, "| `share` | share (`0`, `0.1%`, `250ppm`) | a share |\n"
                                  "| `free` | size (`512MiB`, `2GiB`) | room |\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_maps_are_checked_by_their_table),
        cmocka_unit_test(test_readers_give_values_or_errors),
        cmocka_unit_test(test_json_schema),
        cmocka_unit_test(test_markdown),
        cmocka_unit_test(test_names_shares_and_sizes),
        cmocka_unit_test(test_names_in_schema_and_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
