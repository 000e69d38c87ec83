/*
 * Prints the tree of each YAML file as a line of JSON, for tests.  usage: yaml_tree FILE...
 *     {"documents": [...]}  a list: [...]; a map: {"map": [[KEY, VALUE], ...]};
 *                           a scalar: its text behind a letter of its style, one of : ' " | >
 *     {"error": {"line": 1, "col": 2, "message": "..."}}
 */
#include <stdio.h>

#include "base/json.h"
#include "conf/node.h"

static void write_node(struct json_writer *w, const struct conf_node *node)
{
    static const char style[] = {':', '\'', '"', '|', '>'};
    if (node->kind == CONF_SCALAR) {
        struct buf b;
        buf_init(&b, CONF_BYTES_MAX);
        buf_add_char(&b, style[node->style]);
        buf_add_str(&b, node->text);
        json_str(w, buf_str(&b));
        buf_done(&b);
    } else if (node->kind == CONF_LIST) {
        json_arr_begin(w);
        for (size_t i = 0; i < node->len; i++) {
            write_node(w, node->item[i]);
        }
        json_arr_end(w);
    } else {
        json_obj_begin(w);
        json_key(w, "map");
        json_arr_begin(w);
        for (size_t i = 0; i < node->len; i++) {
            json_arr_begin(w);
            write_node(w, node->entry[i].key);
            write_node(w, node->entry[i].value);
            json_arr_end(w);
        }
        json_arr_end(w);
        json_obj_end(w);
    }
}

static void write_error(struct json_writer *w, const struct err *err)
{
    json_key(w, "error");
    json_obj_begin(w);
    json_kv_u64(w, "line", err->pos.line);
    json_kv_u64(w, "col", err->pos.col);
    json_kv_cstr(w, "message", err->msg);
    json_obj_end(w);
}

static int print_tree(const char *path)
{
    struct conf_file file;
    struct err err = {.code = ERR_NONE};
    struct json_writer w;
    struct buf b;
    buf_init(&b, CONF_BYTES_MAX);
    json_writer_init(&w, &b);
    json_obj_begin(&w);
    if (conf_read(path, &file, &err) < 0) {
        write_error(&w, &err);
    } else {
        json_key(&w, "documents");
        json_arr_begin(&w);
        for (size_t i = 0; i < file.documents; i++) {
            write_node(&w, file.document[i]);
        }
        json_arr_end(&w);
        conf_file_done(&file);
    }
    json_obj_end(&w);
    buf_add_char(&b, '\n');
    int rc = b.failed || fwrite(b.ptr, 1, b.len, stdout) != b.len;
    buf_done(&b);
    return rc;
}

int main(int argc, char **argv)
{
    int rc = 0;
    for (int i = 1; i < argc && rc == 0; i++) {
        rc = print_tree(argv[i]);
    }
    return rc;
}
