/* Where a test's descriptors come from: .proto sources, descriptor sets, or the target itself. */
#include "apitest/suggest_int.h"
#include "apitest/suite_int.h"
#include "apitest/value_int.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/mem.h"
#include "proto/source.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define SET_BYTES_MAX ((size_t) 64 * 1024 * 1024)

void apitest_load_init(struct apitest_load *load, struct apitest_secrets *secrets)
{
    *load = (struct apitest_load){.secrets = secrets};
    map_init(&load->given);
    map_init(&load->pool);
}

void apitest_load_done(struct apitest_load *load)
{
    for (size_t i = 0; i < load->pool.len; i++) {
        proto_pool_free(load->pool.entry[i].value);
    }
    map_done(&load->pool);
    map_done(&load->given);
}

/* path as seen from the folder of the suite's file; owned by the caller. */
static char *beside(const struct suite_reader *r, struct str path)
{
    const char *file = r->suite->file.name;
    const char *slash = strrchr(file, '/');
    struct buf b;
    buf_init(&b, 4096);
    if (slash != NULL && (path.len == 0 || path.ptr[0] != '/')) {
        buf_add(&b, file, (size_t) (slash - file) + 1);
    }
    /* "./x" and "x" are the same file: without the dot it has one name in the pool. */
    if (str_starts_with(path, STR("./"))) {
        path = (struct str){path.ptr + 2, path.len - 2};
    }
    buf_add_str(&b, path);
    char *copy = mem_strdup_str(buf_str(&b));
    buf_done(&b);
    return copy;
}

int apitest_pool_add_set(struct proto_pool *pool, const char *path, struct err *err)
{
    _cleanup_(buf_done) struct buf b;
    buf_init(&b, SET_BYTES_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return err_set(err, ERR_NOT_FOUND, "%s: cannot be opened", path);
    }
    int failed = file_read_all(fd, &b);
    (void) close(fd);
    if (b.failed) {
        return err_set(err, ERR_FULL, "%s: larger than 64 MiB", path);
    }
    if (failed != 0) {
        return err_set(err, ERR_IO, "%s: cannot be read", path);
    }
    return proto_pool_add_set(pool, buf_str(&b), err);
}

static int add_set(struct proto_pool *pool, const char *path, struct err *err)
{
    return apitest_pool_add_set(pool, path, err) == 0 ? 0 : err_wrap(err, "protoSet");
}

/* The paths of importPaths and of the command line. */
struct paths {
    char **path;
    size_t len;
};

static struct paths import_paths(struct suite_reader *r, const struct conf_node *test)
{
    struct str *own;
    size_t n;
    suite_texts(r, conf_get(test, "importPaths"), &own, &n);
    struct paths paths = {mem_array(n + r->load->n_import_paths + 1, sizeof(char *)), 0};
    for (size_t i = 0; i < n; i++) {
        paths.path[paths.len++] = beside(r, own[i]);
    }
    for (size_t i = 0; i < r->load->n_import_paths; i++) {
        paths.path[paths.len++] = mem_strdup(r->load->import_path[i]);
    }
    return paths;
}

static void paths_done(struct paths *paths)
{
    for (size_t i = 0; i < paths->len; i++) {
        mem_free(paths->path[i]);
    }
    mem_free(paths->path);
}

/* All that names the same descriptors, so that tests of the same sources share a pool. */
static void pool_key(struct suite_reader *r, const struct conf_node *test,
                     const struct paths *imports, struct buf *key)
{
    static const char *const kinds[] = {"proto", "protoSet"};
    for (size_t k = 0; k < 2; k++) {
        struct str *path;
        size_t n;
        suite_texts(r, conf_get(test, kinds[k]), &path, &n);
        for (size_t i = 0; i < n; i++) {
            _cleanup_(mem_freep) char *full = beside(r, path[i]);
            buf_addf(key, "%s %s\n", kinds[k], full);
        }
    }
    for (size_t i = 0; i < imports->len; i++) {
        buf_addf(key, "in %s\n", imports->path[i]);
    }
}

static int load_one(struct suite_reader *r, struct proto_pool *pool, const struct conf_node *node,
                    bool is_set, const struct paths *imports)
{
    struct err err = {0};
    const struct proto_file_desc *file;
    struct proto_source_options options = {
        .import_path = (const char *const *) imports->path,
        .n_import_paths = imports->len,
    };
    _cleanup_(mem_freep) char *path = beside(r, node->text);
    int status =
        is_set ? add_set(pool, path, &err) : proto_source_load(pool, path, &options, &file, &err);
    if (status == 0) {
        return 0;
    }
    if (err.pos.file == NULL) {
        return conf_error(r->diags, node, "%s%s", err.msg,
                          is_set && str_ends_with(node->text, STR(".proto"))
                              ? "; a .proto file is given by proto"
                              : "");
    }
    /* The place is in the source; its text lives as long as the pool, which goes: keep the name
     * here. */
    err.pos.file = arena_strdup(r->suite->arena, str_of(err.pos.file));
    return conf_error_elsewhere(r->diags, &err);
}

static int load_all(struct suite_reader *r, struct proto_pool *pool, const struct conf_node *test,
                    const struct paths *imports)
{
    static const char *const kinds[] = {"proto", "protoSet"};
    int status = 0;
    for (size_t k = 0; k < 2; k++) {
        const struct conf_node *node = conf_get(test, kinds[k]);
        size_t n = node == NULL ? 0 : node->kind == CONF_LIST ? node->len : 1;
        for (size_t i = 0; i < n; i++) {
            const struct conf_node *one = node->kind == CONF_LIST ? node->item[i] : node;
            status = load_one(r, pool, one, k == 1, imports) == 0 ? status : ERR_INVALID;
        }
    }
    return status;
}

static const struct proto_pool *pool_by_reflection(struct suite_reader *r,
                                                   const struct conf_node *test)
{
    struct err err = {0};
    const struct proto_pool *pool = NULL;
    const struct conf_node *node = conf_get(test, "reflection");
    if (r->load->reflect == NULL) {
        conf_error(r->diags, node,
                   "without a target there is no reflection: give --target, or write proto");
        return NULL;
    }
    if (r->load->reflect(r->test->target, &pool, &err, r->load->ctx) != 0) {
        r->load->reflect_failed = err.code;
        conf_error(r->diags, node, "%s", err.msg);
        return NULL;
    }
    return pool;
}

const struct proto_pool *suite_pool(struct suite_reader *r, const struct conf_node *test)
{
    const struct conf_node *reflection = conf_get(test, "reflection");
    bool by_reflection = false;
    if (reflection != NULL && conf_bool(r->diags, reflection, &by_reflection) != 0) {
        return NULL;
    }
    bool has_source = conf_get(test, "proto") != NULL || conf_get(test, "protoSet") != NULL;
    if (by_reflection && has_source) {
        conf_error(r->diags, suite_key(test, "reflection"),
                   "reflection beside %s: descriptors are from one of them",
                   conf_get(test, "proto") != NULL ? "proto" : "protoSet");
        return NULL;
    }
    if (!by_reflection && !has_source) {
        conf_error(r->diags, conf_get(test, "testName"),
                   "test \"" STR_FMT "\" does not say where its descriptors are from: write one "
                   "of proto, protoSet, reflection: true",
                   STR_ARG(r->test->name));
        return NULL;
    }
    if (by_reflection) {
        return pool_by_reflection(r, test);
    }
    _cleanup_(paths_done) struct paths imports = import_paths(r, test);
    _cleanup_(buf_done) struct buf key;
    buf_init(&key, 65536);
    pool_key(r, test, &imports, &key);
    struct proto_pool *pool = map_get(&r->load->pool, buf_str(&key));
    if (pool == NULL) {
        pool = proto_pool_new();
        if (load_all(r, pool, test, &imports) != 0) {
            proto_pool_free(pool);
            return NULL;
        }
        (void) map_put(&r->load->pool, buf_str(&key), pool);
    }
    return pool;
}

/* Services whose full name is name, or ends in .name (all of them for ""); up to max of them. */
static size_t find_services(const struct proto_pool *pool, struct str name,
                            const struct proto_service_desc **ret, size_t max)
{
    size_t n = 0;
    for (size_t i = 0; i < proto_pool_files(pool); i++) {
        const struct proto_file_desc *file = proto_pool_file_at(pool, i);
        for (size_t s = 0; s < file->services && n < max; s++) {
            const struct proto_service_desc *service = file->service[s];
            struct str full = service->full_name;
            bool same = name.len == 0 || str_eq(full, name) ||
                        (str_ends_with(full, name) && full.ptr[full.len - name.len - 1] == '.');
            if (same) {
                ret[n++] = service;
            }
        }
    }
    return n;
}

/* The services of a pool: first their full names, then the short ones. */
struct services {
    const struct proto_service_desc *item[256];
    size_t len;
};

static struct str service_name(const void *ctx, size_t i)
{
    const struct services *services = ctx;
    return i < services->len ? services->item[i]->full_name
                             : services->item[i - services->len]->name;
}

static void complain_of_service(struct suite_reader *r, const struct conf_node *node)
{
    struct services services = {.len = 0};
    char what[200];
    services.len = find_services(r->pool, (struct str){NULL, 0}, services.item, 256);
    buf_print(what, sizeof what, "no service \"" STR_FMT "\" in the schema",
              STR_ARG(apitest_cut(node->text, 64)));
    apitest_error_unknown(r->diags, node, what, service_name, &services, 2 * services.len,
                          services.len);
}

const struct proto_service_desc *suite_service(struct suite_reader *r, const struct conf_node *test)
{
    const struct conf_node *node = conf_get(test, "serviceName");
    const struct proto_service_desc *found[8];
    const struct proto_service_desc *exact = proto_pool_service(r->pool, node->text);
    if (exact != NULL) {
        return exact;
    }
    size_t n = find_services(r->pool, node->text, found, 8);
    if (n == 1) {
        return found[0];
    }
    if (n == 0) {
        complain_of_service(r, node);
        return NULL;
    }
    struct buf b;
    char text[400];
    buf_init_fixed(&b, text, sizeof text);
    for (size_t i = 0; i < n; i++) {
        buf_addf(&b, "%s" STR_FMT, i == 0 ? "" : ", ", STR_ARG(found[i]->full_name));
    }
    conf_error(r->diags, node, "serviceName \"" STR_FMT "\" is ambiguous: write one of %s",
               STR_ARG(node->text), text);
    return NULL;
}
