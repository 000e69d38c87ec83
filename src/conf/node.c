/* YAML files as trees: see node.h. */
#include "conf/node.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "conf/compose_int.h"
#include "conf/read_int.h"
#include "conf/text_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* All nodes that CONF_NODES_MAX allows and their texts, with as much again for the caller. */
#define ARENA_BYTES ((size_t) 1024 * 1024 * 1024)

static int refuse_size(const char *name, struct err *err)
{
    int code = err_set(err, ERR_FULL, "the file has more than %zu MiB; split it",
                       CONF_BYTES_MAX / ((size_t) 1024 * 1024));
    if (err != NULL) {
        err->pos = (struct pos){name, 1, 1};
    }
    return code;
}

/*
 * A copy that ends with a line break: without one libyaml reads the last line of a block text in
 * another way than all other lines.
 */
static struct str copy_text(struct str text, struct arena *arena)
{
    bool ends = text.len == 0 || text.ptr[text.len - 1] == '\n';
    char *copy = arena_alloc(arena, text.len + 2);
    if (copy == NULL) {
        return (struct str){NULL, 0};
    }
    if (text.len > 0) {
        memcpy(copy, text.ptr, text.len);
    }
    copy[text.len] = ends ? '\0' : '\n';
    return (struct str){copy, text.len + !ends};
}

/* The file's nodes point to its own copy of the name, errors to the caller's. */
static int parse(const char *name, struct str text, struct conf_file *file, struct err *err)
{
    if (text.len > CONF_BYTES_MAX) {
        return refuse_size(name, err);
    }
    if (str_starts_with(text, STR("\xef\xbb\xbf"))) {
        text = (struct str){text.ptr + 3, text.len - 3};
    }
    file->name = arena_strdup(&file->arena, str_of(name));
    file->text = copy_text(text, &file->arena);
    if (file->name == NULL || file->text.ptr == NULL) {
        return refuse_size(name, err);
    }
    int rc = text_check(file->text, err);
    if (rc == 0) {
        rc = compose(file, err);
    }
    if (rc < 0 && err != NULL) {
        err->pos.file = name;
    }
    return rc;
}

int conf_parse(const char *name, struct str text, struct conf_file *ret, struct err *err)
{
    struct conf_file file = {.name = NULL};
    arena_init(&file.arena, ARENA_BYTES);
    int rc = parse(name, text, &file, err);
    if (rc < 0) {
        conf_file_done(&file);
        return rc;
    }
    *ret = file;
    return 0;
}

void conf_file_done(struct conf_file *file)
{
    if (file != NULL) {
        arena_done(&file->arena);
        *file = (struct conf_file){.name = NULL};
    }
}

int conf_text_read(const char *path, struct buf *b, struct err *err)
{
    bool standard_input = strcmp(path, "-") == 0;
    int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return err_errno(err, errno, "cannot open %s", path);
    }
    buf_init(b, CONF_BYTES_MAX);
    int failed = file_read_all(fd, b);
    if (!standard_input) {
        (void) close(fd);
    }
    if (failed != 0 && !b->failed) {
        return err_errno(err, failed, "cannot read %s", conf_text_name(path));
    }
    return b->failed ? refuse_size(conf_text_name(path), err) : 0;
}

const char *conf_text_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "<stdin>" : path;
}

int conf_read(const char *path, struct conf_file *ret, struct err *err)
{
    _cleanup_(buf_done) struct buf b = {.ptr = NULL};
    int rc = conf_text_read(path, &b, err);
    return rc < 0 ? rc : conf_parse(conf_text_name(path), buf_str(&b), ret, err);
}

struct conf_node *conf_get(const struct conf_node *map, const char *key)
{
    if (map == NULL || map->kind != CONF_MAP) {
        return NULL;
    }
    for (size_t i = 0; i < map->len; i++) {
        if (str_eq_cstr(map->entry[i].key->text, key)) {
            return map->entry[i].value;
        }
    }
    return NULL;
}

bool conf_is_null(const struct conf_node *node)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};
    if (node == NULL || node->kind != CONF_SCALAR || node->style != CONF_PLAIN) {
        return false;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (str_eq_cstr(node->text, words[i])) {
            return true;
        }
    }
    return false;
}

const char *conf_describe(const struct conf_node *node, char out[64])
{
    if (node == NULL) {
        return "nothing";
    }
    if (node->kind == CONF_MAP) {
        return node->len == 0 ? "an empty map" : "a map";
    }
    if (node->kind == CONF_LIST) {
        if (node->len == 0) {
            return "an empty list";
        }
        (void) snprintf(out, 64, "a list of %zu", node->len);
        return out;
    }
    if (conf_is_null(node)) {
        return node->text.len == 0 ? "nothing" : "null";
    }
    char quoted[64];
    struct buf b;
    buf_init_fixed(&b, out, 64);
    buf_addf(&b, "text %s", text_quote(node->text, quoted));
    return out;
}
