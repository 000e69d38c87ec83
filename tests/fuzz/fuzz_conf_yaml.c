/*
 * A YAML file from anybody: parsed, walked as far as a walk without memory goes, each value
 * complained about, all complaints printed; and a tree that was read is written and read again.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/buf.h"
#include "conf/diag.h"
#include "conf/emit.h"
#include "conf/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Aliases let a few bytes stand for millions of values; so many are looked at. */
enum { WALK_MAX = 2000, PRINT_MAX = 1 << 20 };

struct walk {
    struct conf_diags diags;
    struct yaml_writer w;
    size_t nodes;
    unsigned depth;
};

static void require(bool truth)
{
    if (!truth) {
        abort();
    }
}

static void walk(struct walk *k, const struct conf_node *node);

static void walk_inside(struct walk *k, const struct conf_node *node)
{
    bool map = node->kind == CONF_MAP;
    (map ? yaml_map_begin : yaml_list_begin)(&k->w);
    for (size_t i = 0; i < node->len && k->nodes < WALK_MAX; i++) {
        if (map) {
            require(node->entry[i].key->kind == CONF_SCALAR);
            yaml_key(&k->w, node->entry[i].key->text);
        }
        walk(k, map ? node->entry[i].value : node->item[i]);
    }
    (map ? yaml_map_end : yaml_list_end)(&k->w);
}

static void walk(struct walk *k, const struct conf_node *node)
{
    bool truth;
    int64_t number;
    uint64_t ms;
    char seen[64];
    require(node != NULL && node->pos.line > 0 && node->pos.col > 0);
    require(k->depth++ <= CONF_DEPTH_MAX);
    k->nodes++;
    (void) conf_error(&k->diags, node, "this is %s", conf_describe(node, seen));
    (void) conf_bool(&k->diags, node, &truth);
    (void) conf_i64(&k->diags, node, -5, 5, &number);
    (void) conf_duration_ms(&k->diags, node, &ms);
    if (node->kind == CONF_SCALAR) {
        require(str_is_utf8(node->text) && node->text.ptr[node->text.len] == '\0');
        yaml_text(&k->w, node->text);
    } else {
        walk_inside(k, node);
    }
    k->depth--;
}

static bool same(const struct conf_node *a, const struct conf_node *b)
{
    if (a->kind != b->kind || a->len != b->len) {
        return false;
    }
    if (a->kind == CONF_SCALAR) {
        return str_eq(a->text, b->text);
    }
    for (size_t i = 0; i < a->len; i++) {
        bool map = a->kind == CONF_MAP;
        if (map && !same(a->entry[i].key, b->entry[i].key)) {
            return false;
        }
        if (!same(map ? a->entry[i].value : a->item[i], map ? b->entry[i].value : b->item[i])) {
            return false;
        }
    }
    return true;
}

/* What was written of the first document is read back, unless it was too much for the writer. */
static void read_again(const struct walk *k, const struct conf_file *file, const struct buf *text)
{
    struct conf_file again;
    struct err err = {.code = ERR_NONE};
    if (!text->failed && k->nodes < WALK_MAX) {
        require(conf_parse("again", buf_str(text), &again, &err) == 0);
        require(same(file->document[0], again.document[0]));
        conf_file_done(&again);
    }
}

static void print(const struct conf_diags *diags, const struct conf_file *file)
{
    struct buf b;
    buf_init(&b, PRINT_MAX);
    conf_diags_print(diags, &file, file == NULL ? 0 : 1, false, &b);
    require(str_is_utf8(buf_str(&b)));
    for (size_t i = 0; i < b.len; i++) {
        require((unsigned char) b.ptr[i] >= ' ' || b.ptr[i] == '\n');
    }
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct walk k = {.nodes = 0};
    struct conf_file file;
    struct buf text;
    buf_init(&text, PRINT_MAX);
    int rc = conf_load_text(&k.diags, "f.yaml", (struct str){(const char *) data, size}, &file);
    if (rc < 0) {
        require(k.diags.errors == 1 && k.diags.list.ptr[0].pos.line > 0);
        print(&k.diags, NULL);
    } else {
        yaml_writer_init(&k.w, &text);
        walk(&k, file.document[0]);
        read_again(&k, &file, &text);
        print(&k.diags, &file);
        conf_file_done(&file);
    }
    buf_done(&text);
    conf_diags_done(&k.diags);
    return 0;
}
