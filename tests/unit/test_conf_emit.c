/* YAML for people: what it looks like, and that it is read back as the same. */
#include "support/t.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "conf/emit.h"
#include "conf/node.h"

static void write_cases(struct yaml_writer *w)
{
    yaml_key(w, STR("cases"));
    yaml_list_begin(w);
    yaml_comment(w, STR("the first"));
    yaml_map_begin(w);
    yaml_key(w, STR("name"));
    yaml_text(w, STR("12"));
    yaml_comment(w, STR("what is said"));
    yaml_key(w, STR("detail"));
    yaml_map_begin(w);
    yaml_key(w, STR("requests"));
    yaml_list_begin(w);
    yaml_list_begin(w);
    yaml_text(w, STR("two\nlines\n"));
    yaml_plain(w, STR("12"));
    yaml_list_end(w);
    yaml_map_begin(w);
    yaml_map_end(w);
    yaml_list_end(w);
    yaml_key(w, STR("error"));
    yaml_comment(w, STR("none"));
    yaml_plain(w, STR("null"));
    yaml_key(w, STR("none"));
    yaml_list_begin(w);
    yaml_comment(w, STR("nothing yet"));
    yaml_list_end(w);
    yaml_map_end(w);
    yaml_map_end(w);
    yaml_text(w, STR("last"));
    yaml_list_end(w);
    yaml_map_end(w);
    yaml_list_end(w);
}

static void test_a_suite_as_people_write_it(void **state)
{
    (void) state;
    struct buf b;
    struct yaml_writer w;
    buf_init(&b, 4096);
    yaml_writer_init(&w, &b);
    yaml_comment(&w, STR("Made from service.proto.\nEdit it."));
    yaml_list_begin(&w);
    yaml_map_begin(&w);
    yaml_key(&w, STR("testName"));
    yaml_text(&w, STR("HelloTest"));
    yaml_key(&w, STR("proto"));
    yaml_text(&w, STR("./service.proto"));
    yaml_key(&w, STR("tags"));
    yaml_flow(&w);
    yaml_list_begin(&w);
    yaml_text(&w, STR("smoke"));
    yaml_text(&w, STR("a, b"));
    yaml_map_begin(&w);
    yaml_key(&w, STR("x"));
    yaml_plain(&w, STR("1"));
    yaml_key(&w, STR("y"));
    yaml_map_begin(&w);
    yaml_map_end(&w);
    yaml_map_end(&w);
    yaml_list_end(&w);
    write_cases(&w);
    assert_int_equal(w.depth, 0);
    assert_string_equal(b.ptr, "# Made from service.proto.\n"
                               "# Edit it.\n"
                               "- testName: HelloTest\n"
                               "  proto: ./service.proto\n"
                               "  tags: [smoke, \"a, b\", {x: 1, \"y\": {}}]\n"
                               "  cases:\n"
                               "  # the first\n"
                               "  - name: \"12\"\n"
                               "    # what is said\n"
                               "    detail:\n"
                               "      requests:\n"
                               "      - - |\n"
                               "          two\n"
                               "          lines\n"
                               "        - 12\n"
                               "      - {}\n"
                               "      error:\n"
                               "        # none\n"
                               "        null\n"
                               "      none:\n"
                               "      # nothing yet\n"
                               "        []\n"
                               "  - last\n");
    buf_done(&b);
}

static const struct {
    const char *text, *block, *flow;
} quoted[] = {
    {"hoge", "hoge", NULL},
    {"", "\"\"", NULL},
    {"~", "\"~\"", NULL},
    {"null", "\"null\"", NULL},
    {"True", "\"True\"", NULL},
    {"NO", "\"NO\"", NULL},
    {"y", "\"y\"", NULL},
    {"yes sir", "yes sir", NULL},
    {".NaN", "\".NaN\"", NULL},
    {"12", "\"12\"", NULL},
    {"-1.5", "\"-1.5\"", NULL},
    {"+1", "\"+1\"", NULL},
    {".5", "\".5\"", NULL},
    {"0x1F", "\"0x1F\"", NULL},
    {"1e3", "\"1e3\"", NULL},
    {"1_000", "\"1_000\"", NULL},
    {"12:30:45", "\"12:30:45\"", NULL},
    {"2024-01-31", "\"2024-01-31\"", NULL},
    {"10s", "10s", NULL},
    {"1.2.z", "1.2.z", NULL},
    {"a b", "a b", NULL},
    {" a", "\" a\"", NULL},
    {"a ", "\"a \"", NULL},
    {"a: b", "\"a: b\"", NULL},
    {"a:", "\"a:\"", NULL},
    {"http://x:80/a", "http://x:80/a", NULL},
    {"a #b", "\"a #b\"", NULL},
    {"a#b", "a#b", NULL},
    {"#a", "\"#a\"", NULL},
    {"- a", "\"- a\"", NULL},
    {"---", "\"---\"", NULL},
    {"...", "\"...\"", NULL},
    {"<<", "\"<<\"", NULL},
    {"=", "\"=\"", NULL},
    {"@type", "\"@type\"", NULL},
    {"*a", "\"*a\"", NULL},
    {"!a", "\"!a\"", NULL},
    {"%a", "\"%a\"", NULL},
    {"$regex", "$regex", NULL},
    {"a, b", "a, b", "\"a, b\""},
    {"a[0].b", "a[0].b", "\"a[0].b\""},
    {"${sku}", "${sku}", "\"${sku}\""},
    {"it's", "it's", NULL},
    {"say \"hi\"", "say \"hi\"", NULL},
    {"'a", "\"'a\"", NULL},
    {"\"a\"", "'\"a\"'", NULL},
    {"\"it's\"", "'\"it''s\"'", NULL},
    {"^a\\d+$", "^a\\d+$", NULL},
    {"[a\\d]", "'[a\\d]'", NULL},
    {"a\tb", "\"a\\tb\"", NULL},
    {"\x01\x7f\xc2\x85", "\"\\x01\\x7F\\x85\"", NULL},
    {"\xe2\x80\xa8\xef\xbb\xbf", "\"\\u2028\\uFEFF\"", NULL},
    {"\xe6\x97\xa5\xe6\x9c\xac", "\xe6\x97\xa5\xe6\x9c\xac", NULL},
    {"a\xff", "\"a\xef\xbf\xbd\"", NULL},
    {"a\nb", "|-\n  a\n  b", "\"a\\nb\""},
    {"a\n", "|\n  a", "\"a\\n\""},
    {"a\n\nb\n\n", "|+\n  a\n\n  b\n", "\"a\\n\\nb\\n\\n\""},
    {" a\nb", "|2-\n   a\n  b", "\" a\\nb\""},
    {"\na", "|2-\n\n  a", "\"\\na\""},
    {"\n", "\"\\n\"", NULL},
    {"a\n\tb", "\"a\\n\\tb\"", NULL},
    {"a\r\nb", "\"a\\r\\nb\"", NULL},
};

static void test_texts_are_quoted_only_where_they_need_it(void **state)
{
    (void) state;
    T_TABLE(row, quoted)
    {
        for (int flow = 0; flow < 2; flow++) {
            _cleanup_(buf_done) struct buf b;
            struct yaml_writer w;
            char wanted[100];
            buf_init(&b, 4096);
            yaml_writer_init(&w, &b);
            if (flow) {
                yaml_flow(&w);
                yaml_list_begin(&w);
            }
            yaml_text(&w, str_of(row->text));
            if (flow) {
                yaml_list_end(&w);
            }
            (void) snprintf(wanted, sizeof wanted, flow ? "[%s]\n" : "%s\n",
                            flow && row->flow != NULL ? row->flow : row->block);
            assert_string_equal(b.ptr, wanted);
        }
    }
}

static void test_depth_and_length_are_bounded(void **state)
{
    (void) state;
    for (unsigned depth = YAML_WRITER_DEPTH; depth <= YAML_WRITER_DEPTH + 1; depth++) {
        struct buf b;
        struct yaml_writer w;
        buf_init(&b, 65536);
        yaml_writer_init(&w, &b);
        for (unsigned i = 0; i < depth; i++) {
            yaml_list_begin(&w);
        }
        for (unsigned i = 0; i < depth; i++) {
            yaml_list_end(&w);
        }
        assert_int_equal(b.failed, depth > YAML_WRITER_DEPTH);
        buf_done(&b);
    }
    char mem[10];
    struct buf b;
    struct yaml_writer w;
    buf_init_fixed(&b, mem, sizeof mem);
    yaml_writer_init(&w, &b);
    yaml_map_begin(&w);
    yaml_key(&w, STR("a key that is long"));
    yaml_text(&w, STR("x"));
    yaml_map_end(&w);
    assert_true(b.failed);
}

/* A random tree, drawn twice from the same numbers: once to write it, once to compare it. */
struct draw {
    struct t_random random;
    struct yaml_writer *w; /* or NULL: compare */
    struct str source;     /* for messages */
    bool flow;
};

/* What texts are drawn from: all that means something to YAML. */
static const char *const pieces[] = {
    "a",
    "b ",
    " ",
    "\n",
    "\n\n",
    "  ",
    ":",
    ": ",
    " #",
    "- ",
    "'",
    "\"",
    "\\",
    "${x}",
    "{",
    "}",
    "[",
    "]",
    ",",
    "?",
    "? ",
    "|",
    ">",
    "%",
    "@",
    "&a",
    "*a",
    "!",
    "~",
    "null",
    "yes",
    "12",
    "0x1",
    ".5",
    "---",
    "...",
    "--- ",
    "<<",
    "\t",
    "\r",
    "\x01",
    "\x7f",
    "\xc2\x85",
    "\xe2\x80\xa9",
    "\xef\xbb\xbf",
    "\xc3\xa9",
    "\xe6\x97\xa5",
    "\xf0\x9f\x98\x80",
    "\xef\xbf\xbf",
    "word",
    "http://x",
    "=",
    "#",
};

static struct str draw_text(struct draw *d, char *out, size_t size)
{
    struct buf b;
    buf_init_fixed(&b, out, size);
    uint64_t n = t_random_below(&d->random, 6);
    if (t_random_below(&d->random, 50) == 0) {
        n = 150 + t_random_below(&d->random, 1200);
    }
    for (uint64_t i = 0; i < n; i++) {
        bool nul = t_random_below(&d->random, 40) == 0;
        const char *piece = pieces[t_random_below(&d->random, T_LEN(pieces))];
        buf_add(&b, nul ? "" : piece, nul ? 1 : strlen(piece));
    }
    return buf_str(&b);
}

static void expect_text(const struct draw *d, const struct conf_node *node, struct str text)
{
    t_check(node->kind == CONF_SCALAR && str_eq(node->text, text),
            "\"" STR_FMT "\" became \"" STR_FMT "\" in\n" STR_FMT, STR_ARG(text),
            STR_ARG(node->text), STR_ARG(d->source));
}

static void draw_comment(struct draw *d)
{
    char text[16384];
    struct str comment = draw_text(d, text, sizeof text);
    if (t_random_below(&d->random, 4) == 0 && d->w != NULL) {
        yaml_comment(d->w, comment);
    }
}

static void draw_value(struct draw *d, const struct conf_node *node, unsigned depth);

/* The child to compare with; while writing there is none, and any node will do. */
static const struct conf_node *child_of(const struct draw *d, const struct conf_node *node,
                                        uint64_t i, bool key)
{
    if (d->w != NULL) {
        return node;
    }
    if (node->kind == CONF_MAP) {
        return key ? node->entry[i].key : node->entry[i].value;
    }
    return node->item[i];
}

static void draw_key(struct draw *d, const struct conf_node *key, uint64_t i)
{
    char text[16384];
    struct str drawn = draw_text(d, text, sizeof text - 8);
    /* A number makes keys differ. */
    size_t len = drawn.len + (size_t) snprintf(text + drawn.len, 8, "%d", (int) i);
    if (d->w != NULL) {
        yaml_key(d->w, (struct str){text, len});
    } else {
        expect_text(d, key, (struct str){text, len});
    }
}

static void draw_collection(struct draw *d, const struct conf_node *node, unsigned depth, bool map)
{
    uint64_t n = t_random_below(&d->random, 4);
    bool flow = t_random_below(&d->random, 5) == 0;
    if (d->w == NULL) {
        t_check(node->kind == (map ? CONF_MAP : CONF_LIST) && node->len == n,
                "another shape in\n" STR_FMT, STR_ARG(d->source));
    } else {
        if (flow) {
            yaml_flow(d->w);
        }
        (map ? yaml_map_begin : yaml_list_begin)(d->w);
    }
    for (uint64_t i = 0; i < n; i++) {
        draw_comment(d);
        if (map) {
            draw_key(d, child_of(d, node, i, true), i);
            draw_comment(d);
        }
        draw_value(d, child_of(d, node, i, false), depth + 1);
    }
    draw_comment(d);
    if (d->w != NULL) {
        (map ? yaml_map_end : yaml_list_end)(d->w);
    }
}

static void draw_value(struct draw *d, const struct conf_node *node, unsigned depth)
{
    char text[16384];
    uint64_t kind = t_random_below(&d->random, depth > 6 ? 2 : 5);
    if (kind == 0) {
        struct str plain = t_random_below(&d->random, 2) == 0 ? STR("12") : STR("null");
        if (d->w != NULL) {
            yaml_plain(d->w, plain);
        } else {
            expect_text(d, node, plain);
            assert_int_equal(node->style, CONF_PLAIN);
        }
    } else if (kind <= 1) {
        struct str drawn = draw_text(d, text, sizeof text);
        if (d->w != NULL) {
            yaml_text(d->w, drawn);
        } else {
            expect_text(d, node, drawn);
            t_check(!conf_is_null(node), "null in\n" STR_FMT, STR_ARG(d->source));
        }
    } else {
        draw_collection(d, node, depth, kind % 2 == 0);
    }
}

static void test_what_is_written_is_read_back_the_same(void **state)
{
    (void) state;
    struct t_random random = t_random_init();
    for (int round = 0; round < 3000; round++) {
        const uint64_t seed = t_random(&random);
        _cleanup_(buf_done) struct buf b;
        struct yaml_writer w;
        buf_init(&b, 16 << 20);
        yaml_writer_init(&w, &b);
        struct draw d = {.random = {seed}, .w = &w};
        draw_comment(&d);
        draw_value(&d, &(struct conf_node){.kind = CONF_SCALAR}, 0);
        assert_false(b.failed);
        struct conf_file file;
        struct err err = {.code = ERR_NONE};
        int rc = conf_parse("a.yaml", buf_str(&b), &file, &err);
        t_check(rc == 0, "%u:%u: %s in\n" STR_FMT, err.pos.line, err.pos.col, err.msg,
                STR_ARG(buf_str(&b)));
        d = (struct draw){.random = {seed}, .source = buf_str(&b)};
        assert_int_equal(file.documents, 1);
        draw_comment(&d);
        draw_value(&d, file.document[0], 0);
        conf_file_done(&file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_suite_as_people_write_it),
        cmocka_unit_test(test_texts_are_quoted_only_where_they_need_it),
        cmocka_unit_test(test_depth_and_length_are_bounded),
        cmocka_unit_test(test_what_is_written_is_read_back_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
