/* YAML files as trees: what is read, what is refused and in which words. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "conf/node.h"
#include "support/t.h"

#include <unistd.h>

static struct conf_file parse(const char *text)
{
    struct conf_file file = {.name = NULL};
    struct err err = {.code = ERR_NONE};
    int rc = conf_parse("a.yaml", str_of(text), &file, &err);
    t_check(rc == 0, "%u:%u: %s\nof\n%s", err.pos.line, err.pos.col, err.msg, text);
    return file;
}

/* The tree as one line: lists in [], maps in {}, texts with a letter of their style. */
static void add_tree(struct buf *b, const struct conf_node *node)
{
    static const char style[] = {'p', 's', 'd', 'l', 'f'};
    if (node->kind == CONF_SCALAR) {
        buf_addf(b, "%c:" STR_FMT, style[node->style], STR_ARG(node->text));
        assert_int_equal(node->text.ptr[node->text.len], '\0');
        return;
    }
    bool map = node->kind == CONF_MAP;
    buf_add_char(b, map ? '{' : '[');
    for (size_t i = 0; i < node->len; i++) {
        buf_add_cstr(b, i == 0 ? "" : " ");
        if (map) {
            add_tree(b, node->entry[i].key);
            buf_add_char(b, '=');
        }
        add_tree(b, map ? node->entry[i].value : node->item[i]);
    }
    buf_add_char(b, map ? '}' : ']');
}

static void test_scalars_stay_text_with_their_style(void **state)
{
    (void) state;
    static const struct {
        const char *text, *tree;
    } rows[] = {
        {"a: 007\nb: NO\nc: 1.20\nd: null\ne:\n",
         "{p:a=p:007 p:b=p:NO p:c=p:1.20 p:d=p:null p:e=p:}"},
        {"- 'it''s'\n- \"tab\\t\"\n- |\n  one\n  two\n- >-\n  one\n  two\n",
         "[s:it's d:tab\t l:one\ntwo\n f:one two]"},
        {"{a: [1, {b: c}], d: {}}\n", "{p:a=[p:1 {p:b=p:c}] p:d={}}"},
        {"cases:\n- name: x\n  tags: []\n", "{p:cases=[{p:name=p:x p:tags=[]}]}"},
        {"? a\n: b\n", "{p:a=p:b}"},
        {"\"<<\": 1\n", "{d:<<=p:1}"},
        /* The last line is a line like others, whether the file ends with its break or not. */
        {"a: |\n  x", "{p:a=l:x\n}"},
        {"a: |\n  x\n   ", "{p:a=l:x\n \n}"},
        {"a: |+\n  x\n\n", "{p:a=l:x\n\n}"},
        {"", "p:"},
        {"# only a comment\n", "p:"},
        {"price: ${sku}-${env.X}\n", "{p:price=p:${sku}-${env.X}}"},
        {"a: &x {b: c}\nd: *x\n", "{p:a={p:b=p:c} p:d={p:b=p:c}}"},
        {"&k a: 1\nb: *k\n*k : 2\n", NULL}, /* the key a twice */
        {"- &x 1\n- &x 2\n- *x\n", "[p:1 p:2 p:2]"},
    };
    T_TABLE(row, rows)
    {
        struct conf_file file = {.name = NULL};
        struct err err = {.code = ERR_NONE};
        int rc = conf_parse("a.yaml", str_of(row->text), &file, &err);
        if (row->tree == NULL) {
            assert_int_equal(rc, ERR_INVALID);
            continue;
        }
        t_check(rc == 0, "%u:%u: %s", err.pos.line, err.pos.col, err.msg);
        struct buf b;
        buf_init(&b, 4096);
        add_tree(&b, file.document[0]);
        assert_string_equal(b.ptr, row->tree);
        buf_done(&b);
        conf_file_done(&file);
    }
}

static void assert_place(const struct conf_node *node, unsigned line, unsigned col, unsigned width)
{
    t_check(node->pos.line == line && node->pos.col == col && node->width == width,
            "\"" STR_FMT "\" is at %u:%u, %u wide, not at %u:%u, %u wide", STR_ARG(node->text),
            node->pos.line, node->pos.col, node->width, line, col, width);
    assert_string_equal(node->pos.file, "a.yaml");
}

static void test_places_count_characters_from_one(void **state)
{
    (void) state;
    _cleanup_(conf_file_done) struct conf_file file =
        parse("\xef\xbb\xbf# \xe6\x97\xa5\r\n\xe6\x97\xa5\xe6\x9c\xac: &x \"\xc3\xa9\"\r\nb:\r\n  "
              "- *x\r\n  "
              "- [1, 2]\r\n  -\r\nc: |\r\n  text\r\n");
    const struct conf_node *root = file.document[0];
    assert_place(root, 2, 1, 0);
    assert_place(root->entry[0].key, 2, 1, 2);
    assert_place(root->entry[0].value, 2, 5, 6); /* its anchor is a part of it */
    const struct conf_node *list = conf_get(root, "b");
    assert_place(list, 4, 3, 0);
    assert_place(list->item[0], 4, 5, 2); /* where the alias stands */
    assert_str(list->item[0]->text, "\xc3\xa9");
    assert_place(list->item[1], 5, 5, 6);
    assert_place(list->item[1]->item[1], 5, 9, 1);
    assert_place(list->item[2], 6, 4, 0);
    assert_place(conf_get(root, "c"), 7, 4, 0);
    assert_str(conf_get(root, "c")->text, "text\n");
}

static void test_several_documents(void **state)
{
    (void) state;
    _cleanup_(conf_file_done) struct conf_file file =
        parse("%YAML 1.2\n---\na: &x 1\n---\n...\n---\n- b\n");
    assert_int_equal(file.documents, 3);
    assert_str(conf_get(file.document[0], "a")->text, "1");
    assert_true(conf_is_null(file.document[1]));
    assert_int_equal(file.document[2]->kind, CONF_LIST);
    struct err err;
    struct conf_file untouched = {.documents = 7};
    assert_int_equal(conf_parse("a.yaml", STR("a: &x 1\n---\nb: *x\n"), &untouched, &err),
                     ERR_INVALID);
    assert_int_equal(err.pos.line, 3); /* anchors hold for one document */
    assert_int_equal(untouched.documents, 7);
}

/* A text of n times a piece between two others. */
static char *repeat(const char *head, const char *piece, size_t n, const char *tail)
{
    struct buf b;
    buf_init(&b, CONF_BYTES_MAX + 4096);
    buf_add_cstr(&b, head);
    for (size_t i = 0; i < n; i++) {
        buf_add_cstr(&b, piece);
    }
    buf_add_cstr(&b, tail);
    assert_false(b.failed);
    char *text = mem_strdup_str(buf_str(&b));
    buf_done(&b);
    return text;
}

static void refuse(const char *text, int code, const char *message)
{
    struct conf_file file = {.documents = 7};
    struct err err = {.code = ERR_NONE};
    int rc = conf_parse("a.yaml", str_of(text), &file, &err);
    assert_err(rc, &err, code, message);
    assert_true(err.pos.line > 0 && err.pos.col > 0);
    assert_int_equal(file.documents, 7);
    assert_int_equal(conf_parse("a.yaml", str_of(text), &file, NULL), code);
}

static void test_nesting_is_bounded(void **state)
{
    (void) state;
    static const char deep[] = "lists and maps are nested more than 100 deep";
    static const struct {
        const char *head, *piece, *tail;
        size_t fits, at_least;
    } rows[] = {
        {"", "[", "", 0, 101},
        {"", "- ", "x\n", 100, 101},
        {"", "{a: ", "", 0, 101},
        /* An alias of a value of depth 60 inside of 41 lists. */
        {"a: &x "
         "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
         "]]"
         "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\nb:\n  ",
         "- ", "*x\n", 39, 40},
    };
    T_TABLE(row, rows)
    {
        _cleanup_(mem_freep) char *fits = repeat(row->head, row->piece, row->fits, row->tail);
        _cleanup_(mem_freep) char *beyond = repeat(row->head, row->piece, row->at_least, row->tail);
        _cleanup_(mem_freep) char *far = repeat(row->head, row->piece, 100000, row->tail);
        if (row->fits > 0) {
            struct conf_file file = parse(fits);
            conf_file_done(&file);
        }
        refuse(beyond, ERR_FULL, deep);
        refuse(far, ERR_FULL, deep);
    }
}

/* Nine levels of ten aliases each are 10^9 values in 500 bytes. */
static void test_aliases_count_what_they_stand_for(void **state)
{
    (void) state;
    struct buf b;
    buf_init(&b, 4096);
    buf_add_cstr(&b, "a: &a [x, x, x, x, x, x, x, x, x, x]\n");
    for (int c = 'b'; c <= 'i'; c++) {
        buf_addf(&b, "%c: &%c [*%c", c, c, c - 1);
        for (int i = 1; i < 10; i++) {
            buf_addf(&b, ", *%c", c - 1);
        }
        buf_add_cstr(&b, "]\n");
    }
    refuse(b.ptr, ERR_FULL,
           "more than 4000000 values, with those that aliases stand for; make the file smaller");
    buf_done(&b);
}

static void test_ten_megabytes_in_reasonable_memory(void **state)
{
    (void) state;
    static const char piece[] = "- {name: hoge, quantity: 12, price: 9007199254740993}\n";
    size_t n = (size_t) 10 * 1024 * 1024 / (sizeof piece - 1);
    _cleanup_(mem_freep) char *text = repeat("", piece, n, "");
    _cleanup_(conf_file_done) struct conf_file file = parse(text);
    assert_int_equal(file.document[0]->len, n);
    assert_str(conf_get(file.document[0]->item[n - 1], "price")->text, "9007199254740993");
    /* 7 nodes of 64 bytes a line of 54, their texts, and the text itself */
    assert_true(file.arena.used_bytes < (size_t) 128 * 1024 * 1024);
    _cleanup_(mem_freep) char *large = repeat("a: ", "0123456789abcdef", 1024 * 1024, "");
    refuse(large, ERR_FULL, "the file has more than 16 MiB; split it");
}

static void test_wide_maps_find_what_is_given_twice(void **state)
{
    (void) state;
    for (unsigned n = 1; n <= 200; n += 33) {
        struct buf b;
        buf_init(&b, 65536);
        for (unsigned i = 0; i < n; i++) {
            buf_addf(&b, "key%u: %u\n", i, i);
        }
        struct conf_file file = parse(b.ptr);
        assert_int_equal(file.document[0]->len, n);
        conf_file_done(&file);
        char message[100];
        buf_addf(&b, "'key%u': 1\n", n / 2);
        (void) snprintf(
            message, sizeof message,
            "the key \"key%u\" is given twice in one map: first at %u:1; remove one of them", n / 2,
            n / 2 + 1);
        refuse(b.ptr, ERR_INVALID, message);
        buf_done(&b);
    }
}

static void test_files_are_read_by_their_path(void **state)
{
    (void) state;
    char path[] = "/tmp/conf-node-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "a: b\n", 5), 5);
    struct conf_file file;
    struct err err;
    assert_int_equal(conf_read(path, &file, &err), 0);
    assert_string_equal(file.name, path);
    assert_str(file.text, "a: b\n");
    assert_str(conf_get(file.document[0], "a")->text, "b");
    conf_file_done(&file);
    assert_int_equal(ftruncate(fd, CONF_BYTES_MAX + 1), 0);
    assert_err(conf_read(path, &file, &err), &err, ERR_FULL,
               "the file has more than 16 MiB; split it");
    assert_string_equal(err.pos.file, path);
    assert_int_equal(close(fd), 0);
    assert_int_equal(unlink(path), 0);
    assert_err(conf_read("/nowhere/a.yaml", &file, &err), &err, ERR_IO,
               "cannot open /nowhere/a.yaml: No such file or directory");
    assert_err(conf_read("/", &file, &err), &err, ERR_IO, "cannot read /: Is a directory");
}

static void test_what_was_seen_is_described(void **state)
{
    (void) state;
    static const struct {
        const char *text, *seen;
    } rows[] = {
        {"[1, 2, 3]", "a list of 3"},
        {"[]", "an empty list"},
        {"{a: 1}", "a map"},
        {"{}", "an empty map"},
        {"~", "null"},
        {"NULL", "null"},
        {"''", "text \"\""},
        {"", "nothing"},
        {"'null'", "text \"null\""},
        {"12", "text \"12\""},
        {"a long text that does not fit into a message",
         "text \"a long text that does not fit in...\""},
        {"|\n  two\n  lines\n", "text \"two...\""},
        {"'say \"hi\"'", "text 'say \"hi\"'"},
        {"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f"
         "\x98\x80"
         "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f"
         "\x98\x80"
         "\xf0\x9f\x98\x80",
         "text \"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
         "\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80"
         "\xf0\x9f\x98\x80\xf0\x9f\x98\x80...\""},
    };
    char out[64];
    T_TABLE(row, rows)
    {
        struct conf_file file = parse(row->text);
        assert_string_equal(conf_describe(file.document[0], out), row->seen);
        conf_file_done(&file);
    }
    assert_string_equal(conf_describe(NULL, out), "nothing");
}

static void test_missing_keys_are_null(void **state)
{
    (void) state;
    _cleanup_(conf_file_done) struct conf_file file = parse("{a: {b: ~}, c: [x]}");
    const struct conf_node *root = file.document[0];
    assert_null(conf_get(root, "b"));
    assert_null(conf_get(conf_get(root, "c"), "x"));
    assert_null(conf_get(conf_get(conf_get(root, "n"), "o"), "p"));
    assert_true(conf_is_null(conf_get(conf_get(root, "a"), "b")));
    assert_false(conf_is_null(root));
    assert_false(conf_is_null(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars_stay_text_with_their_style),
        cmocka_unit_test(test_places_count_characters_from_one),
        cmocka_unit_test(test_several_documents),
        cmocka_unit_test(test_nesting_is_bounded),
        cmocka_unit_test(test_aliases_count_what_they_stand_for),
        cmocka_unit_test(test_ten_megabytes_in_reasonable_memory),
        cmocka_unit_test(test_wide_maps_find_what_is_given_twice),
        cmocka_unit_test(test_files_are_read_by_their_path),
        cmocka_unit_test(test_what_was_seen_is_described),
        cmocka_unit_test(test_missing_keys_are_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
