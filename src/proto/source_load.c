/*
 * A file with all that it imports, into the pool: depth first, the imports before what imports
 * them.  The files that are being read stand on a stack, from the first to the one that is looked
 * at; a file that imports one of the stack is in a circle.
 */
#include "base/cleanup.h"
#include "proto/source_load_int.h"

#include <string.h>

struct loading {
    struct str name;
    struct source_found found;
    struct proto_msg *msg;
    size_t next; /* import to be looked at */
};

struct load {
    struct proto_pool *pool;
    struct source_search search;
    struct source_index index;
    struct map linked; /* name to struct proto_file_desc */
    VEC(struct loading) stack;
    size_t files;
    struct err *err;
};

static void load_done(struct load *load)
{
    source_search_done(&load->search);
    source_index_done(&load->index);
    map_done(&load->linked);
    vec_done(&load->stack);
}

const struct proto_file_desc *source_linked(const struct proto_pool *pool, struct str name)
{
    for (size_t i = 0; i < proto_pool_files(pool); i++) {
        const struct proto_file_desc *file = proto_pool_file_at(pool, i);
        if (str_eq(file->name, name)) {
            return file;
        }
    }
    return NULL;
}

static void resolve_done(struct resolve *r)
{
    map_done(&r->own);
    map_done(&r->extensions);
    arena_done(&r->scratch);
    vec_done(&r->visible);
}

/* LITE_RUNTIME of FileOptions.optimize_for */
static bool is_lite(const struct proto_msg *file)
{
    const struct proto_msg *options = source_child(file, FILE_OPTIONS);
    const struct proto_field_desc *field =
        options == NULL ? NULL : proto_field_by_name(options->desc, STR("optimize_for"));
    return field != NULL && proto_has(options, field) && proto_get(options, field).i32 == 3;
}

static int check_imports(struct resolve *r)
{
    const struct proto_field_desc *list = proto_field_of(r->file, FILE_DEPENDENCY);
    _cleanup_(map_done) struct map names;
    map_init(&names);
    for (size_t i = 0; i < proto_len(r->file, list); i++) {
        struct str name = proto_item(r->file, list, i).bytes;
        if (map_put(&names, name, r) != NULL) {
            return lex_fail(&r->lex, name.ptr, "\"" STR_FMT "\" is imported twice", STR_ARG(name));
        }
    }
    return 0;
}

static int check_lite(struct resolve *r)
{
    const struct proto_field_desc *list = proto_field_of(r->file, FILE_DEPENDENCY);
    for (size_t i = 0; i < proto_len(r->file, list) && !is_lite(r->file); i++) {
        struct str name = proto_item(r->file, list, i).bytes;
        const struct proto_file_desc *file = source_linked(r->pool, name);
        if (file != NULL && file->source != NULL && is_lite(file->source)) {
            return lex_fail(&r->lex, name.ptr,
                            "\"" STR_FMT
                            "\" has optimize_for = LITE_RUNTIME, so it is imported by files that "
                            "have it, too",
                            STR_ARG(name));
        }
    }
    return 0;
}

int source_resolve(struct proto_pool *pool, struct proto_msg *file, struct str text,
                   const char *shown, const struct source_index *index, struct err *err)
{
    _cleanup_(resolve_done) struct resolve r = {
        .lex = {.whole = text, .shown = shown, .err = err, .at = text.ptr, .before = text.ptr},
        .pool = pool,
        .arena = proto_pool_arena(pool),
        .file = file,
        .package = proto_str(file, FILE_PACKAGE),
        .proto3 = str_eq_cstr(proto_str(file, FILE_SYNTAX), "proto3"),
        .index = index,
    };
    r.lex.end = text.ptr == NULL ? NULL : text.ptr + text.len;
    arena_init(&r.scratch, PROTO_POOL_BYTES_MAX);
    map_init(&r.own);
    map_init(&r.extensions);
    TRY(check_imports(&r));
    const struct proto_field_desc *list = proto_field_of(file, FILE_DEPENDENCY);
    for (size_t i = 0; i < proto_len(file, list); i++) {
        struct str name = proto_item(file, list, i).bytes;
        const struct proto_file_desc *import = source_linked(pool, name);
        if (import == NULL) {
            return lex_fail(&r.lex, name.ptr, "the imported file \"" STR_FMT "\" is not loaded",
                            STR_ARG(name));
        }
        source_symbols_see(&r, import);
    }
    TRY(source_symbols_collect(&r));
    TRY(source_resolve_types(&r));
    TRY(source_resolve_options(&r));
    TRY(check_lite(&r));
    return source_check(&r);
}

int proto_source_resolve(struct proto_pool *pool, struct proto_msg *file, const char *shown,
                         struct err *err)
{
    _cleanup_(source_index_done) struct source_index index;
    source_index_init(&index);
    struct resolve r = {.file = file};
    const struct proto_field_desc *list = proto_field_of(file, FILE_DEPENDENCY);
    for (size_t i = 0; i < proto_len(file, list); i++) {
        const struct proto_file_desc *import = source_linked(pool, proto_item(file, list, i).bytes);
        if (import != NULL) {
            source_symbols_see(&r, import);
        }
    }
    bool full = false;
    for (size_t i = 0; i < r.visible.len; i++) {
        full = !source_index_add(&index, r.visible.ptr[i]) || full;
    }
    vec_done(&r.visible);
    if (full) {
        return err_set(err, ERR_FULL, "%s: the names of its imports are too many or too long",
                       shown);
    }
    return source_resolve(pool, file, (struct str){NULL, 0}, shown, &index, err);
}

static int note_linked(struct load *load, const struct proto_file_desc *file)
{
    /* The map's values are not const; nothing writes through it. */
    void *value = NULL;
    memcpy(&value, &file, sizeof value);
    (void) map_put(&load->linked, file->name, value);
    if (!source_index_add(&load->index, file)) {
        return err_set(load->err, ERR_FULL, STR_FMT ": its names are too many or too long",
                       STR_ARG(file->name));
    }
    return 0;
}

/* Puts the place of an import in front of what err says. */
static int fail_import(struct load *load, struct str name, int rc)
{
    const struct loading *by = &load->stack.ptr[load->stack.len - 1];
    struct pos pos = {.file = by->found.shown};
    (void) lex_pos(by->found.text, name.ptr, &pos.line, &pos.col);
    if (load->err != NULL) {
        load->err->pos = pos;
    }
    return rc;
}

static int parse_and_push(struct load *load, struct loading *loading)
{
    struct proto_msg *msg = NULL;
    if (++load->files > SOURCE_FILES_MAX) {
        return err_set(load->err, ERR_FULL, "more than %u files are imported", SOURCE_FILES_MAX);
    }
    const char *name = arena_strdup(proto_pool_arena(load->pool), loading->name);
    if (name == NULL) {
        return err_set(load->err, ERR_FULL, "there is no room in the pool");
    }
    TRY(source_parse(load->pool, loading->found.text, name, loading->found.shown, &msg, load->err));
    loading->msg = msg;
    vec_push(&load->stack, *loading);
    return 0;
}

static int circle(struct load *load, size_t first, struct str name)
{
    char chain[360];
    struct buf b;
    buf_init_fixed(&b, chain, sizeof chain);
    for (size_t i = first; i < load->stack.len; i++) {
        buf_addf(&b, STR_FMT " imports ", STR_ARG(load->stack.ptr[i].name));
    }
    buf_add_str(&b, name);
    if (b.failed) {
        buf_clear(&b);
        buf_addf(&b, "%zu files from " STR_FMT " on", load->stack.len - first,
                 STR_ARG(load->stack.ptr[first].name));
    }
    return fail_import(
        load, name,
        err_set(load->err, ERR_INVALID, "files import each other in a circle: %s", chain));
}

static int open_import(struct load *load, struct str name)
{
    for (size_t i = 0; i < load->stack.len; i++) {
        if (str_eq(load->stack.ptr[i].name, name)) {
            return circle(load, i, name);
        }
    }
    struct loading loading = {.name = name};
    int rc = source_find(&load->search, name, &loading.found, load->err);
    if (rc < 0) {
        return fail_import(load, name, rc);
    }
    return parse_and_push(load, &loading);
}

/* All its imports are in the pool. */
static int finish(struct load *load, struct loading *loading, const struct proto_file_desc **ret)
{
    TRY(source_resolve(load->pool, loading->msg, loading->found.text, loading->found.shown,
                       &load->index, load->err));
    TRY(proto_pool_add(load->pool, loading->msg, load->err));
    const struct proto_file_desc *file = source_linked(load->pool, loading->name);
    if (file == NULL) {
        return err_set(load->err, ERR_INTERNAL, STR_FMT " is not in the pool after it was linked",
                       STR_ARG(loading->name));
    }
    *ret = file;
    return note_linked(load, file);
}

static int work(struct load *load, const struct proto_file_desc **ret)
{
    const struct proto_file_desc *file = NULL;
    while (load->stack.len > 0) {
        struct loading *top = &load->stack.ptr[load->stack.len - 1];
        const struct proto_field_desc *list = proto_field_of(top->msg, FILE_DEPENDENCY);
        if (top->next < proto_len(top->msg, list)) {
            struct str name = proto_item(top->msg, list, top->next++).bytes;
            if (map_get(&load->linked, name) == NULL) {
                TRY(open_import(load, name));
            }
            continue;
        }
        TRY(finish(load, top, &file));
        load->stack.len--;
    }
    *ret = file;
    return 0;
}

int proto_source_load(struct proto_pool *pool, const char *path,
                      const struct proto_source_options *options,
                      const struct proto_file_desc **ret, struct err *err)
{
    _cleanup_(load_done) struct load load = {.pool = pool, .err = err};
    source_index_init(&load.index);
    map_init(&load.linked);
    const char *name = NULL;
    struct loading root = {0};
    TRY(source_search_init(&load.search, proto_pool_arena(pool), path, options, &name, err));
    for (size_t i = 0; i < proto_pool_files(pool); i++) {
        TRY(note_linked(&load, proto_pool_file_at(pool, i)));
    }
    root.name = str_of(name);
    TRY(source_read_root(&load.search, path, &root.found, err));
    const struct proto_file_desc *known = map_get(&load.linked, root.name);
    if (known != NULL) {
        *ret = known;
        return 0;
    }
    TRY(parse_and_push(&load, &root));
    return work(&load, ret);
}
