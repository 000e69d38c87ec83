/* Trees of several files put over one another; paths.  See config_int.h. */
#include "base/buf.h"
#include "base/cleanup.h"
#include "release/config_int.h"

#include <string.h>

void *config_alloc(struct arena *arena, size_t size)
{
    void *mem = arena_alloc(arena, size);
    if (mem == NULL) {
        BUG("the arena of a configuration has no maximum");
    }
    return mem;
}

static struct conf_node *new_map(struct arena *arena, const struct conf_node *like, size_t room)
{
    struct conf_node *map = config_alloc(arena, sizeof *map);
    *map = (struct conf_node){.kind = CONF_MAP, .pos = like->pos, .width = like->width};
    map->flow = like->flow;
    map->entry = config_alloc(arena, (room + 1) * sizeof *map->entry);
    return map;
}

struct conf_node *config_copy(struct arena *arena, const struct conf_node *node)
{
    struct conf_node *copy;
    if (node->kind == CONF_MAP) {
        copy = new_map(arena, node, node->len);
        for (; copy->len < node->len; copy->len++) {
            copy->entry[copy->len].key = node->entry[copy->len].key;
            copy->entry[copy->len].value = config_copy(arena, node->entry[copy->len].value);
        }
        return copy;
    }
    copy = config_alloc(arena, sizeof *copy);
    *copy = *node;
    if (node->kind == CONF_LIST) {
        copy->item = config_alloc(arena, (node->len + 1) * sizeof(struct conf_node *));
        for (size_t i = 0; i < node->len; i++) {
            copy->item[i] = config_copy(arena, node->item[i]);
        }
    }
    return copy;
}

/* A null that somebody wrote; "key:" with nothing behind it is a slip, not a wish. */
static bool takes_away(const struct conf_node *node)
{
    return conf_is_null(node) && node->text.len > 0;
}

struct conf_node *config_merge(struct arena *arena, const struct conf_node *base,
                               const struct conf_node *over)
{
    if (base->kind != CONF_MAP || over->kind != CONF_MAP) {
        return config_copy(arena, over);
    }
    struct conf_node *map = new_map(arena, base, base->len + over->len);
    for (size_t i = 0; i < base->len; i++) {
        const struct conf_node *value = conf_get(over, base->entry[i].key->text.ptr);
        if (value == NULL) {
            map->entry[map->len].key = base->entry[i].key;
            map->entry[map->len++].value = config_copy(arena, base->entry[i].value);
        } else if (!takes_away(value)) {
            struct conf_node *both = config_merge(arena, base->entry[i].value, value);
            map->entry[map->len].key = base->entry[i].key;
            map->entry[map->len++].value = both;
        }
    }
    for (size_t i = 0; i < over->len; i++) {
        if (conf_get(base, over->entry[i].key->text.ptr) == NULL) {
            map->entry[map->len].key = over->entry[i].key;
            map->entry[map->len++].value = config_copy(arena, over->entry[i].value);
        }
    }
    return map;
}

static void push(struct arena *arena, struct conf_node *map, struct conf_entry entry)
{
    struct conf_entry *larger = config_alloc(arena, (map->len + 1) * sizeof *larger);
    for (size_t i = 0; i < map->len; i++) {
        larger[i] = map->entry[i];
    }
    larger[map->len++] = entry;
    map->entry = larger;
}

void config_fill(struct arena *arena, struct conf_node *map, const struct conf_node *defaults)
{
    if (map == NULL || map->kind != CONF_MAP || defaults == NULL || defaults->kind != CONF_MAP) {
        return;
    }
    for (size_t i = 0; i < defaults->len; i++) {
        const struct conf_entry *one = &defaults->entry[i];
        struct conf_node *value = conf_get(map, one->key->text.ptr);
        if (value == NULL) {
            push(arena, map, (struct conf_entry){one->key, config_copy(arena, one->value)});
        } else {
            config_fill(arena, value, one->value);
        }
    }
}

void config_put(struct arena *arena, struct conf_node *map, const char *key,
                struct conf_node *value)
{
    struct conf_node *name = config_alloc(arena, sizeof *name);
    *name = (struct conf_node){.kind = CONF_SCALAR, .style = CONF_PLAIN, .pos = value->pos};
    name->text = (struct str){arena_strdup(arena, str_of(key)), strlen(key)};
    push(arena, map, (struct conf_entry){name, value});
}

/* Drops "." and "..", as far as there is something in front of it. */
char *config_path(struct arena *arena, const char *dir, const char *path)
{
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, SIZE_MAX / 4);
    bool absolute = path[0] == '/' || dir[0] == '/';
    struct str part, rest[2] = {str_of(path[0] == '/' ? "" : dir), str_of(path)};
    buf_add_cstr(&b, "");
    for (size_t i = 0; i < 2; i++) {
        while (str_cut(&rest[i], '/', &part)) {
            bool up = str_eq_cstr(part, "..");
            if (part.len == 0 || str_eq_cstr(part, ".") || (up && absolute && b.len == 0)) {
                continue;
            }
            size_t end = b.len;
            while (end > 0 && b.ptr[end - 1] != '/') {
                end--;
            }
            bool can = b.len > 0 && strcmp(b.ptr + end, "..") != 0;
            if (!up || !can) {
                buf_addf(&b, "%s" STR_FMT, b.len > 0 || absolute ? "/" : "", STR_ARG(part));
            } else {
                struct str kept = {b.ptr, end == 0 ? 0 : end - 1};
                char *copy = arena_strdup(arena, kept);
                buf_clear(&b);
                buf_add_cstr(&b, copy);
            }
        }
    }
    if (b.len == 0) {
        buf_add_cstr(&b, absolute ? "/" : ".");
    }
    return arena_strdup(arena, buf_str(&b));
}

static void rebase_value(struct arena *arena, const struct conf_node *map, const char *key,
                         const char *scheme, const char *prefix)
{
    struct conf_node *node = conf_get(map, key);
    if (node == NULL || node->kind != CONF_SCALAR || !str_starts_with(node->text, str_of(scheme)) ||
        node->text.len == strlen(scheme) || node->text.ptr[strlen(scheme)] == '/') {
        return;
    }
    char *path = config_path(arena, prefix, node->text.ptr + strlen(scheme));
    char *text = arena_printf(arena, "%s%s", scheme, path);
    node->text = str_of(text);
}

void config_rebase(struct arena *arena, struct conf_node *fleet, const char *prefix)
{
    const struct conf_node *hosts = config_map(fleet, "hosts");
    const struct conf_node *routers = config_map(fleet, "routers");
    for (size_t i = 0; hosts != NULL && i < hosts->len; i++) {
        rebase_value(arena, hosts->entry[i].value, "at", "process:", prefix);
    }
    for (size_t i = 0; routers != NULL && i < routers->len; i++) {
        rebase_value(arena, routers->entry[i].value, "token", "", prefix);
    }
}
