/* The merged configuration as YAML, each value with its origin in a comment. */
#include "base/cleanup.h"
#include "base/num.h"
#include "conf/emit.h"
#include "release/config_int.h"

#include <string.h>

enum { LINE_MAX_LEN = 100, COMMENT_COLUMN = 40 };

struct printer {
    const struct release_config *config;
    struct buf *out;
};

/* A plain scalar that is no text stays plain; all others get the quotes that they need. */
static bool is_plain(const struct conf_node *node)
{
    int64_t number;
    return node->style == CONF_PLAIN &&
           (conf_is_null(node) || str_eq_cstr(node->text, "true") ||
            str_eq_cstr(node->text, "false") ||
            num_i64(node->text, INT64_MIN, INT64_MAX, &number) == 0 || num_is_decimal(node->text));
}

static void write_flow(struct yaml_writer *w, const struct conf_node *node)
{
    if (node->kind == CONF_SCALAR && is_plain(node)) {
        yaml_plain(w, node->text.len == 0 ? STR("null") : node->text);
    } else if (node->kind == CONF_SCALAR) {
        yaml_text(w, node->text);
    } else if (node->kind == CONF_LIST) {
        yaml_list_begin(w);
        for (size_t i = 0; i < node->len; i++) {
            write_flow(w, node->item[i]);
        }
        yaml_list_end(w);
    } else {
        yaml_map_begin(w);
        for (size_t i = 0; i < node->len; i++) {
            yaml_key(w, node->entry[i].key->text);
            write_flow(w, node->entry[i].value);
        }
        yaml_map_end(w);
    }
}

/* A node in one line, as it would stand in [..]; without the brackets. */
static void add_flow(struct buf *b, const struct conf_node *node)
{
    _cleanup_(buf_done) struct buf line;
    struct yaml_writer w;
    buf_init(&line, SIZE_MAX / 4);
    yaml_writer_init(&w, &line);
    yaml_flow(&w);
    yaml_list_begin(&w);
    write_flow(&w, node);
    yaml_list_end(&w);
    struct str s = str_trim(buf_str(&line));
    buf_add(b, s.ptr + 1, s.len - 2); /* [ and ] */
}

static void add_key(struct buf *b, const struct conf_node *key)
{
    add_flow(b, key);
    buf_add_char(b, ':');
}

/* Names in the folder of the release file are said without it. */
static const char *short_name(const struct release_config *config, const char *name)
{
    const char *slash = strrchr(config->path, '/');
    size_t len = slash == NULL ? 0 : (size_t) (slash - config->path) + 1;
    return strncmp(name, config->path, len) == 0 ? name + len : name;
}

static void add_origin(struct printer *p, const struct conf_node *node, size_t line_from)
{
    size_t columns = p->out->len - line_from;
    buf_addf(p->out, "%*s# ", columns < COMMENT_COLUMN ? (int) (COMMENT_COLUMN - columns) : 2, "");
    if (config_is_default(p->config, node)) {
        buf_add_cstr(p->out, "default\n");
    } else {
        buf_addf(p->out, "%s:%u\n", short_name(p->config, node->pos.file), node->pos.line);
    }
}

/* Whether all of it comes from one line, or from defaults: then one comment says it. */
static bool one_origin(const struct printer *p, const struct conf_node *node,
                       const struct conf_node *from)
{
    bool same = config_is_default(p->config, node)
                    ? config_is_default(p->config, from)
                    : !config_is_default(p->config, from) && node->pos.line == from->pos.line &&
                          strcmp(node->pos.file, from->pos.file) == 0;
    for (size_t i = 0; same && node->kind != CONF_SCALAR && i < node->len; i++) {
        same = one_origin(p, node->kind == CONF_MAP ? node->entry[i].value : node->item[i], from);
    }
    return same;
}

static bool has_map(const struct conf_node *list)
{
    for (size_t i = 0; i < list->len; i++) {
        if (list->item[i]->kind != CONF_SCALAR) {
            return true;
        }
    }
    return false;
}

static void print_entries(struct printer *p, const struct conf_node *map, unsigned indent);

static void print_list(struct printer *p, const struct conf_node *list, unsigned indent)
{
    for (size_t i = 0; i < list->len; i++) {
        const struct conf_node *item = list->item[i];
        size_t from = p->out->len;
        buf_addf(p->out, "%*s- ", (int) indent, "");
        if (item->kind == CONF_MAP && item->len > 0 && !one_origin(p, item, item)) {
            /* The first entry goes on in the line of the dash. */
            size_t begin = p->out->len;
            print_entries(p, item, indent + 2);
            (void) memmove(p->out->ptr + begin, p->out->ptr + begin + indent + 2,
                           p->out->len - begin - indent - 2 + 1);
            p->out->len -= indent + 2;
            continue;
        }
        add_flow(p->out, item);
        add_origin(p, item, from);
    }
}

static void print_value(struct printer *p, const struct conf_node *value, unsigned indent,
                        size_t from)
{
    bool is_list = value->kind == CONF_LIST && value->len > 0 &&
                   (has_map(value) || !one_origin(p, value, value));
    if (value->kind == CONF_MAP && value->len > 0) {
        buf_add_char(p->out, '\n');
        print_entries(p, value, indent + 2);
    } else if (is_list) {
        buf_add_char(p->out, '\n');
        print_list(p, value, indent);
    } else {
        buf_add_char(p->out, ' ');
        add_flow(p->out, value);
        add_origin(p, value, from);
    }
}

static void print_entry(struct printer *p, const struct conf_entry *entry, unsigned indent)
{
    size_t from = p->out->len;
    buf_addf(p->out, "%*s", (int) indent, "");
    add_key(p->out, entry->key);
    print_value(p, entry->value, indent, from);
}

static void print_entries(struct printer *p, const struct conf_node *map, unsigned indent)
{
    for (size_t i = 0; i < map->len; i++) {
        print_entry(p, &map->entry[i], indent);
    }
}

void release_config_print(const struct release_config *config, struct buf *b)
{
    struct printer p = {.config = config, .out = b};
    const struct conf_node *root = config->merged;
    buf_addf(b, "# %s", config->path);
    for (size_t i = 1; i < config->files; i++) {
        buf_addf(b, " + %s", config->file[i]->name);
    }
    buf_add_cstr(b, "\n");
    /* In the order of the reference; what the fleet file says stands here itself. */
    for (const struct conf_key *key = release_keys; key->name != NULL && root != NULL; key++) {
        for (size_t i = 0; i < root->len; i++) {
            bool fleet = strcmp(key->name, "fleet") == 0;
            if (!fleet && str_eq_cstr(root->entry[i].key->text, key->name)) {
                print_entry(&p, &root->entry[i], 0);
            }
        }
    }
}
