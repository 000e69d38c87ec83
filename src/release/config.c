/* Reads release.yaml, its overlay and the fleet file: see config.h. */
#include "release/config.h"

#include "base/cleanup.h"
#include "base/sha256.h"
#include "conf/diag.h"
#include "release/config_int.h"

#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 1 << 20, ENVS_MAX = 16 };

/* The folder of a path as named: "." for a name alone. */
static char *folder_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t) (slash - path);
    return len == 0 ? arena_strdup(arena, str_of(slash == NULL ? "." : "/"))
                    : arena_strdup(arena, (struct str){path, len});
}

static char *absolute(struct arena *arena, const char *dir)
{
    _cleanup_(mem_freep) char *cwd = NULL;
    if (dir[0] == '/') {
        return config_path(arena, "/", dir);
    }
    cwd = getcwd(NULL, 0); /* where it is gone, paths stay as they are */
    return config_path(arena, cwd == NULL ? "." : cwd, dir);
}

/* The length of "release" in "conf/release.yaml"; 0: no YAML file by its name. */
static size_t stem_len(const char *path)
{
    struct str s = str_of(path);
    size_t cut = str_ends_with(s, STR(".yaml")) ? 5 : str_ends_with(s, STR(".yml")) ? 4 : 0;
    return cut == 0 || s.len == cut ? 0 : s.len - cut;
}

bool release_overlay_name(const char *name, char **ret_path, char **ret_env)
{
    size_t stem = stem_len(name), dot = stem;
    while (dot > 0 && name[dot - 1] != '.' && name[dot - 1] != '/') {
        dot--;
    }
    if (stem == 0 || dot < 2 || dot == stem || name[dot - 1] != '.' || name[dot - 2] == '/') {
        return false;
    }
    struct buf b;
    buf_init(&b, 65536);
    buf_addf(&b, STR_FMT "%s", (int) (dot - 1), name, name + stem);
    *ret_path = mem_strdup_str(buf_str(&b));
    *ret_env = mem_strdup_str((struct str){name + dot, stem - dot});
    buf_done(&b);
    return true;
}

/* A text goes on to programs as a C string. */
static int refuse_nul(struct conf_diags *diags, const struct conf_node *node)
{
    int rc = 0;
    if (node->kind == CONF_SCALAR && memchr(node->text.ptr, '\0', node->text.len) != NULL) {
        return conf_error(diags, node, "a text may not have the character NUL");
    }
    for (size_t i = 0; node->kind != CONF_SCALAR && i < node->len; i++) {
        if (node->kind == CONF_MAP) {
            rc = refuse_nul(diags, node->entry[i].key) < 0 ? ERR_INVALID : rc;
            rc = refuse_nul(diags, node->entry[i].value) < 0 ? ERR_INVALID : rc;
        } else {
            rc = refuse_nul(diags, node->item[i]) < 0 ? ERR_INVALID : rc;
        }
    }
    return rc;
}

/* The map of a file that is kept for messages; NULL after an error. */
static const struct conf_node *load_file(struct config_build *b, const char *path)
{
    struct release_config *c = b->c;
    struct conf_file *file = mem_zalloc(sizeof *file);
    char seen[64];
    if (conf_load(b->diags, path, file) < 0) {
        mem_free(file);
        return NULL;
    }
    c->file = mem_realloc_array(c->file, c->files + 1, sizeof(struct conf_file *));
    c->file[c->files++] = file;
    const struct conf_node *root = file->document[0];
    if (file->text.len > FILE_BYTES_MAX) {
        (void) conf_error(b->diags, root, "the file has %zu bytes, at most %d", file->text.len,
                          FILE_BYTES_MAX);
        return NULL;
    }
    if (file->documents > 1) {
        (void) conf_error(b->diags, file->document[1], "a file is one document, here is another");
        return NULL;
    }
    if (root->kind != CONF_MAP) {
        (void) conf_error(b->diags, root, "the file has to be a map of keys and values, but is %s",
                          conf_describe(root, seen));
        return NULL;
    }
    return refuse_nul(b->diags, root) < 0 ? NULL : root;
}

/* "; there are staging, production" */
static void add_envs(struct buf *b, const char *path, size_t stem)
{
    _cleanup_(buf_done) struct buf pattern;
    glob_t found = {.gl_pathc = 0};
    size_t n = 0;
    buf_init(&pattern, 65536);
    for (size_t i = 0; i < stem; i++) {
        buf_addf(&pattern, "%s%c", strchr("*?[\\", path[i]) == NULL ? "" : "\\", path[i]);
    }
    buf_addf(&pattern, ".*%s", path + stem);
    if (glob(pattern.ptr, 0, NULL, &found) == 0) { /* NOLINT(concurrency-mt-unsafe) */
        for (size_t i = 0; i < found.gl_pathc && n < ENVS_MAX; i++) {
            const char *env = found.gl_pathv[i] + stem + 1;
            size_t len = strlen(found.gl_pathv[i]) - stem - 1 - strlen(path + stem);
            buf_addf(b, "%s" STR_FMT, n++ == 0 ? "; there are " : ", ", (int) len, env);
        }
    }
    globfree(&found);
}

static const struct conf_node *load_overlay(struct config_build *b)
{
    struct release_config *c = b->c;
    size_t stem = stem_len(c->path);
    struct err err = {.code = ERR_NONE};
    if (stem == 0 || strchr(c->env, '/') != NULL || c->env[0] == '\0') {
        (void) err_set(&err, ERR_INVALID,
                       "environment \"%.64s\": there is none beside \"%.200s\": the files have to "
                       "be NAME.yaml and NAME.ENV.yaml",
                       c->env, c->path);
        (void) conf_error_err(b->diags, &err);
        return NULL;
    }
    char *path =
        arena_printf(&c->arena, STR_FMT ".%s%s", (int) stem, c->path, c->env, c->path + stem);
    if (access(path, F_OK) != 0 && errno == ENOENT) {
        struct buf known;
        char list[256];
        buf_init_fixed(&known, list, sizeof list);
        add_envs(&known, c->path, stem);
        (void) err_set(&err, ERR_NOT_FOUND, "environment \"%.64s\": there is no file \"%.200s\"%s",
                       c->env, path, known.ptr);
        (void) conf_error_err(b->diags, &err);
        return NULL;
    }
    return load_file(b, path);
}

/* What a fleet file gives to a release; other keys were told. */
static struct conf_node *fleet_part(struct config_build *b, const struct conf_node *fleet)
{
    struct conf_node *part = config_copy(&b->c->arena, fleet);
    size_t n = 0;
    for (size_t i = 0; i < part->len; i++) {
        struct str key = part->entry[i].key->text;
        if (str_eq_cstr(key, "datacenters") || str_eq_cstr(key, "hosts") ||
            str_eq_cstr(key, "routers")) {
            part->entry[n++] = part->entry[i];
        }
    }
    part->len = n;
    return part;
}

static void check_schema(struct config_build *b, const struct conf_node *root)
{
    const struct conf_node *schema = config_scalar(root, "schema");
    if (schema != NULL && !str_eq_cstr(schema->text, "1")) {
        (void) conf_error(b->diags, schema, "this version knows schema 1 only, not %.16s",
                          schema->text.ptr);
    }
}

/* Puts the fleet file, which the merged files name, under them. */
static void merge_fleet(struct config_build *b)
{
    struct release_config *c = b->c;
    const char *name = config_text(b->root, "fleet");
    if (name == NULL) {
        b->fleet_failed = conf_get(b->root, "fleet") != NULL;
        return;
    }
    const char *dir = folder_of(&c->arena, c->path);
    c->fleet_path = name[0] == '/' ? name : config_path(&c->arena, dir, name);
    if (access(c->fleet_path, R_OK) != 0) {
        (void) conf_error(b->diags, config_scalar(b->root, "fleet"),
                          "the fleet file \"%.200s\" cannot be read: %s", c->fleet_path,
                          strerror(errno)); /* NOLINT(concurrency-mt-unsafe) */
        b->fleet_failed = true;
        return;
    }
    const struct conf_node *fleet = load_file(b, c->fleet_path);
    b->fleet_failed = fleet == NULL;
    if (fleet == NULL) {
        return;
    }
    if (conf_get(fleet, "service") != NULL && conf_get(fleet, "hosts") == NULL) {
        (void) conf_error(b->diags, fleet, "this is a release file, not a fleet file");
        b->fleet_failed = true;
        return;
    }
    b->fleet_failed = conf_check_keys(b->diags, fleet, "a fleet file", fleet_keys) < 0;
    check_schema(b, fleet);
    struct conf_node *part = fleet_part(b, fleet);
    config_rebase(&c->arena, part, folder_of(&c->arena, name));
    struct conf_node *merged = config_merge(&c->arena, part, b->root);
    merged->pos = b->root->pos;
    b->root = merged;
}

static void hash_files(struct release_config *c)
{
    static const char digits[] = "0123456789abcdef";
    _cleanup_(buf_done) struct buf all;
    uint8_t sum[32];
    buf_init(&all, SIZE_MAX / 4);
    for (size_t i = 0; i < c->files; i++) {
        buf_add_str(&all, c->file[i]->text);
    }
    sha256(all.ptr, all.len, sum);
    for (size_t i = 0; i < 8; i++) {
        c->hash[2 * i] = digits[sum[i] >> 4];
        c->hash[2 * i + 1] = digits[sum[i] & 15];
    }
}

static void build(struct config_build *b)
{
    struct arena *arena = &b->c->arena;
    config_fill(arena, b->root, config_defaults(b, "all"));
    b->c->merged = b->root;
    config_fleet(b);
    config_service(b);
    config_roles(b);
    config_peer(b);
    config_connects(b);
    config_migration(b);
    config_tests(b);
    config_hooks(b);
    config_canary(b);
    config_spec(b);
    config_keep_up(b);
    config_chain(b);
}

static void begin(struct config_build *b, const char *path, struct conf_diags *diags,
                  struct release_config *ret)
{
    *ret = (struct release_config){.path = NULL};
    arena_init(&ret->arena, SIZE_MAX / 2);
    *b = (struct config_build){.c = ret, .diags = diags};
    ret->path = arena_strdup(&ret->arena, str_of(path));
    ret->dir = absolute(&ret->arena, folder_of(&ret->arena, path));
}

int release_config_load(const char *path, const char *env, struct conf_diags *diags,
                        struct release_config *ret)
{
    struct config_build b;
    size_t errors = diags->errors;
    begin(&b, path, diags, ret);
    ret->env = env == NULL ? NULL : arena_strdup(&ret->arena, str_of(env));
    const struct conf_node *base = load_file(&b, ret->path);
    const struct conf_node *over = env == NULL || base == NULL ? NULL : load_overlay(&b);
    if (base == NULL || (env != NULL && over == NULL) || config_defaults_load(&b) < 0) {
        return ERR_INVALID;
    }
    b.root = over == NULL ? config_copy(&ret->arena, base) : config_merge(&ret->arena, base, over);
    merge_fleet(&b);
    (void) conf_check_keys(diags, b.root, "a release file", release_keys);
    check_schema(&b, b.root);
    build(&b);
    hash_files(ret);
    vec_done(&b.ports);
    return diags->errors == errors ? 0 : ERR_INVALID;
}

int release_fleet_load(const char *path, struct conf_diags *diags, struct release_config *ret)
{
    struct config_build b;
    size_t errors = diags->errors;
    begin(&b, path, diags, ret);
    ret->fleet_path = ret->path;
    const struct conf_node *fleet = load_file(&b, ret->path);
    if (fleet == NULL || config_defaults_load(&b) < 0) {
        return ERR_INVALID;
    }
    b.root = config_copy(&ret->arena, fleet);
    (void) conf_check_keys(diags, b.root, "a fleet file", fleet_keys);
    check_schema(&b, b.root);
    config_fill(&ret->arena, b.root, config_defaults(&b, "fleet"));
    ret->merged = b.root;
    config_fleet(&b);
    hash_files(ret);
    return diags->errors == errors ? 0 : ERR_INVALID;
}

void release_config_done(struct release_config *config)
{
    if (config == NULL) {
        return;
    }
    for (size_t i = 0; i < config->files; i++) {
        conf_file_done(config->file[i]);
        mem_free(config->file[i]);
    }
    mem_free(config->file);
    if (config->defaults.document != NULL) {
        conf_file_done(&config->defaults);
    }
    arena_done(&config->arena);
    *config = (struct release_config){.path = NULL};
}
