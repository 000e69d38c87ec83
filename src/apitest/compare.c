/* Two replies of the same request: see pattern.h. */
#include "apitest/pattern.h"
#include "apitest/value_int.h"

#include "base/cleanup.h"
#include "proto/pool.h"
#include "proto/scalar.h"
#include "proto/wkt.h"

enum { SHOWN_MAX = 400, DIFFS_MAX = 50, PATH_BYTES = 4096, DEPTH_MAX = 128, ARENA_MAX = 64 << 20 };

struct walk {
    struct apitest_diffs *diffs;
    const struct str *ignore;
    size_t n_ignore;
    struct buf path;
    size_t prefix; /* of the path, which ignored paths do not have */
    struct arena arena;
    unsigned depth;
};

/* Whether the pattern is the path or something above it; [*] stands for any [..]. */
static bool covers(struct str pattern, struct str path)
{
    size_t i = 0, j = 0;
    while (i < pattern.len && j < path.len) {
        if (str_starts_with((struct str){pattern.ptr + i, pattern.len - i}, STR("[*]")) &&
            path.ptr[j] == '[') {
            i += 3;
            bool quoted = j + 1 < path.len && path.ptr[j + 1] == '"';
            j += quoted ? 2 : 1;
            while (j < path.len && path.ptr[j] != (quoted ? '"' : ']')) {
                j += quoted && path.ptr[j] == '\\' ? 2 : 1;
            }
            j += quoted ? 2 : 1;
        } else if (pattern.ptr[i] == path.ptr[j]) {
            i++;
            j++;
        } else {
            return false;
        }
    }
    return i == pattern.len && (j >= path.len || path.ptr[j] == '.' || path.ptr[j] == '[');
}

static bool is_ignored(const struct walk *w)
{
    struct str path = buf_str(&w->path);
    if (path.len > 0) {
        path = (struct str){path.ptr + w->prefix, path.len - w->prefix};
    }
    if (path.len > 0 && path.ptr[0] == '.') {
        path = (struct str){path.ptr + 1, path.len - 1};
    }
    for (size_t i = 0; i < w->n_ignore; i++) {
        struct str pattern = w->ignore[i];
        if (pattern.len > 0 && covers(pattern, path)) {
            return true;
        }
    }
    return false;
}

static struct str keep(struct walk *w, struct str text)
{
    char *copy = arena_strdup(w->diffs->arena, text);
    return copy == NULL ? STR("(no memory is left for this text)") : (struct str){copy, text.len};
}

static struct str show(struct walk *w, const struct apitest_value *v)
{
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, 4096);
    apitest_value_show_safe(w->diffs->secrets, v, SHOWN_MAX, &b);
    return keep(w, buf_str(&b));
}

static bool differs(struct walk *w, const struct apitest_value *base,
                    const struct apitest_value *fresh, const char *note)
{
    struct apitest_diffs *diffs = w->diffs;
    diffs->total++;
    if (diffs->list.len < (diffs->max == 0 ? (size_t) DIFFS_MAX : diffs->max)) {
        struct apitest_diff diff = {.path = keep(w, buf_str(&w->path)),
                                    .expected = show(w, base),
                                    .got = show(w, fresh),
                                    .note = keep(w, str_of(note))};
        vec_push(&diffs->list, diff);
    }
    return false;
}

static void back(struct walk *w, size_t len)
{
    w->path.len = len;
    w->path.failed = false;
    if (w->path.ptr != NULL) {
        w->path.ptr[len] = '\0';
    }
}

static bool compare_messages(struct walk *w, const struct proto_msg *base,
                             const struct proto_msg *fresh);
static bool compare_json(struct walk *w, const struct apitest_json *base,
                         const struct apitest_json *fresh);

static bool compare_values(struct walk *w, const struct apitest_value *base,
                           const struct apitest_value *fresh)
{
    if (base->kind == APITEST_MESSAGE && fresh->kind == APITEST_MESSAGE) {
        return compare_messages(w, base->proto.msg, fresh->proto.msg);
    }
    if (base->kind == APITEST_JSON && fresh->kind == APITEST_JSON) {
        return compare_json(w, base->json, fresh->json);
    }
    w->diffs->checks++;
    if (base->kind == APITEST_ABSENT && fresh->kind == APITEST_ABSENT) {
        return true;
    }
    if (base->kind == APITEST_FIELD && fresh->kind == APITEST_FIELD) {
        return proto_value_equal(base->field, base->proto, fresh->proto) ||
               differs(w, base, fresh, "");
    }
    return differs(w, base, fresh,
                   base->kind == APITEST_ABSENT    ? "new"
                   : fresh->kind == APITEST_ABSENT ? "gone"
                                                   : "");
}

static bool compare_object(struct walk *w, const struct apitest_json *base,
                           const struct apitest_json *fresh)
{
    bool same = true;
    size_t len = w->path.len;
    for (int side = 0; side < 2; side++) {
        const struct apitest_json *of = side == 0 ? base : fresh;
        for (size_t i = 0; i < of->len; i++) {
            struct apitest_value a =
                apitest_value_of_json(apitest_json_find(base, of->member[i].key));
            struct apitest_value b =
                apitest_value_of_json(apitest_json_find(fresh, of->member[i].key));
            if (side == 1 && a.kind != APITEST_ABSENT) {
                continue; /* told from the side of base */
            }
            apitest_path_key(&w->path, of->member[i].key);
            same = (is_ignored(w) || compare_values(w, &a, &b)) && same;
            back(w, len);
        }
    }
    return same;
}

static bool compare_lists(struct walk *w, const struct apitest_value *base,
                          const struct apitest_value *fresh)
{
    static const struct apitest_value absent = {.kind = APITEST_ABSENT};
    size_t n_base = 0, n_fresh = 0, len = w->path.len;
    (void) apitest_list_of(base, &n_base);
    (void) apitest_list_of(fresh, &n_fresh);
    bool same = true;
    for (size_t i = 0; i < n_base || i < n_fresh; i++) {
        struct apitest_value a = i < n_base ? apitest_list_item(base, i) : absent;
        struct apitest_value b = i < n_fresh ? apitest_list_item(fresh, i) : absent;
        buf_addf(&w->path, "[%zu]", i);
        same = (is_ignored(w) || compare_values(w, &a, &b)) && same;
        back(w, len);
    }
    return same;
}

static bool compare_json(struct walk *w, const struct apitest_json *base,
                         const struct apitest_json *fresh)
{
    struct apitest_value a = apitest_value_of_json(base), b = apitest_value_of_json(fresh);
    bool nested = base->kind == fresh->kind && w->depth < DEPTH_MAX &&
                  (base->kind == APITEST_JSON_OBJECT || base->kind == APITEST_JSON_LIST);
    if (!nested) {
        w->diffs->checks++;
        return apitest_json_equal(base, fresh) || differs(w, &a, &b, "");
    }
    w->depth++;
    bool same = base->kind == APITEST_JSON_OBJECT ? compare_object(w, base, fresh)
                                                  : compare_lists(w, &a, &b);
    w->depth--;
    return same;
}

static bool compare_maps(struct walk *w, const struct proto_msg *base,
                         const struct proto_msg *fresh, const struct proto_field_desc *field)
{
    const struct proto_field_desc *key = proto_map_key(field), *value = proto_map_value(field);
    bool same = true;
    size_t len = w->path.len;
    for (int side = 0; side < 2; side++) {
        const struct proto_msg *of = side == 0 ? base : fresh, *other = side == 0 ? fresh : base;
        for (size_t i = 0; i < proto_len(of, field); i++) {
            const struct proto_msg *entry = proto_item(of, field, i).msg;
            const struct proto_msg *found = proto_map_find(other, field, proto_get(entry, key));
            if (side == 1 && found != NULL) {
                continue; /* told from the side of base */
            }
            struct apitest_value a = apitest_value_of_item(value, proto_get(entry, value));
            struct apitest_value b = {.kind = APITEST_ABSENT};
            if (found != NULL) {
                b = apitest_value_of_item(value, proto_get(found, value));
            }
            _cleanup_(buf_done) struct buf text;
            buf_init(&text, PATH_BYTES);
            proto_scalar_text(key, proto_get(entry, key), &text);
            apitest_path_key(&w->path, buf_str(&text));
            same = (is_ignored(w) || compare_values(w, side == 0 ? &a : &b, side == 0 ? &b : &a)) &&
                   same;
            back(w, len);
        }
    }
    return same;
}

static bool compare_field(struct walk *w, const struct proto_msg *base,
                          const struct proto_msg *fresh, const struct proto_field_desc *field)
{
    size_t len = w->path.len;
    struct apitest_value a = apitest_value_of(base, field), b = apitest_value_of(fresh, field);
    bool same = true;
    apitest_path_field(&w->path, field);
    if (is_ignored(w)) {
        back(w, len);
        return true;
    }
    if (field->is_map) {
        same = compare_maps(w, base, fresh, field);
    } else if (field->repeated) {
        same = compare_lists(w, &a, &b);
    } else {
        same = compare_values(w, &a, &b);
    }
    back(w, len);
    return same;
}

/* What has a value of its own: as one value, or by what is inside. */
static bool compare_special(struct walk *w, const struct proto_msg *base,
                            const struct proto_msg *fresh, bool *ret_same)
{
    enum proto_wkt wkt = base->desc->wkt;
    struct proto_msg *a = NULL, *b = NULL;
    struct err err = {0};
    if (wkt == PROTO_WKT_STRUCT || wkt == PROTO_WKT_VALUE || wkt == PROTO_WKT_LIST_VALUE) {
        const struct apitest_json *x = apitest_json_of_message(base, &w->arena);
        const struct apitest_json *y = apitest_json_of_message(fresh, &w->arena);
        if (x != NULL && y != NULL) {
            *ret_same = compare_json(w, x, y);
            return true;
        }
    } else if (wkt == PROTO_WKT_ANY) {
        const struct proto_pool *pool = base->desc->file->pool;
        if (str_eq(apitest_type_name(proto_str(base, 1)), apitest_type_name(proto_str(fresh, 1))) &&
            proto_str(base, 1).len > 0 && proto_any_unpack(base, pool, &a, &err) == 0 &&
            proto_any_unpack(fresh, pool, &b, &err) == 0) {
            *ret_same = compare_messages(w, a, b);
            return true;
        }
    } else if (wkt == PROTO_WKT_NONE || wkt == PROTO_WKT_EMPTY) {
        return false;
    }
    struct apitest_value x = apitest_value_of_message(base), y = apitest_value_of_message(fresh);
    w->diffs->checks++;
    *ret_same = proto_equal(base, fresh) || differs(w, &x, &y, "");
    return true;
}

static bool compare_messages(struct walk *w, const struct proto_msg *base,
                             const struct proto_msg *fresh)
{
    struct apitest_value a = apitest_value_of_message(base), b = apitest_value_of_message(fresh);
    bool same = true;
    if (base->desc != fresh->desc || w->depth == DEPTH_MAX) {
        return proto_equal(base, fresh) || differs(w, &a, &b, "");
    }
    if (compare_special(w, base, fresh, &same)) {
        return same;
    }
    w->depth++;
    for (size_t i = 0; i < base->desc->fields; i++) {
        same = compare_field(w, base, fresh, base->desc->by_number[i]) && same;
    }
    for (size_t i = 0; i < base->extensions; i++) {
        same = compare_field(w, base, fresh, base->extension[i].field) && same;
    }
    for (size_t i = 0; i < fresh->extensions; i++) {
        const struct proto_field_desc *field = fresh->extension[i].field;
        same = (proto_has(base, field) || compare_field(w, base, fresh, field)) && same;
    }
    if (!str_eq(base->unknown, fresh->unknown)) {
        same = differs(w, &a, &b, "the unknown fields differ");
    }
    w->depth--;
    return same;
}

static struct walk walk_begin(const struct str *ignore, size_t n_ignore, const char *path,
                              struct apitest_diffs *diffs)
{
    struct walk w = {.diffs = diffs, .ignore = ignore, .n_ignore = n_ignore};
    buf_init(&w.path, PATH_BYTES);
    arena_init(&w.arena, ARENA_MAX);
    buf_add_cstr(&w.path, path);
    w.prefix = w.path.len;
    return w;
}

static void walk_end(struct walk *w)
{
    buf_done(&w->path);
    arena_done(&w->arena);
}

bool apitest_compare(const struct proto_msg *base, const struct proto_msg *fresh,
                     const struct str *ignore, size_t n_ignore, const char *path,
                     struct apitest_diffs *diffs)
{
    struct walk w = walk_begin(ignore, n_ignore, path, diffs);
    bool same = compare_messages(&w, base, fresh);
    walk_end(&w);
    return same;
}

bool apitest_compare_json(const struct apitest_json *base, const struct apitest_json *fresh,
                          const struct str *ignore, size_t n_ignore, const char *path,
                          struct apitest_diffs *diffs)
{
    struct walk w = walk_begin(ignore, n_ignore, path, diffs);
    bool same = compare_json(&w, base, fresh);
    walk_end(&w);
    return same;
}
