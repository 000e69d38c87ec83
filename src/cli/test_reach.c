#include "cli/test_reach.h"

#include "apitest/reflect.h"
#include "base/cleanup.h"
#include "base/mem.h"
#include "proto/source.h"
#include "rpc/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFLECT_MS 10000

static int read_target(struct test_world *w, const char *given, bool may_name,
                       struct apitest_target *ret, struct err *err)
{
    const struct cli_test *o = &w->cli->test;
    const char *address = given;
    const char *equals = strchr(given, '=');
    ret->name = "";
    /* "NAME=ADDRESS"; in unix:/a=b it is part of the address. */
    if (may_name && equals != NULL && strcspn(given, ":/") > (size_t) (equals - given)) {
        char *name = mem_strdup_str((struct str){given, (size_t) (equals - given)});
        vec_push(&w->text, name);
        ret->name = name;
        address = equals + 1;
    }
    buf_print(ret->text, sizeof ret->text, "%s", address);
    ret->conn = (struct rpc_conn_options){
        .authority = o->authority,
        .tls = {.ca_file = o->ca,
                .cert_file = o->cert,
                .key_file = o->key,
                .server_name = o->server_name,
                .insecure = o->insecure},
        .connect_timeout_ms = o->connect_timeout_ms,
        .max_message_bytes = (size_t) o->max_message_bytes,
    };
    const struct rpc_http_request said = {.method = "GET", .path = "/", .authority = o->authority};
    if (o->authority != NULL && (o->authority[0] == '\0' || rpc_http_check(&said, err) != 0)) {
        return err_set(err, ERR_INVALID, "--authority \"%s\" is no HOST or HOST:PORT",
                       o->authority);
    }
    return rpc_target_parse(str_of(address), &ret->conn.target, err);
}

static int read_cross(struct test_world *w, struct err *err)
{
    const char *cross = w->cli->test.cross;
    const char *comma = cross == NULL ? NULL : strchr(cross, ',');
    if (cross == NULL) {
        return 0;
    }
    if (comma == NULL) {
        return err_set(err, ERR_INVALID, "--cross \"%s\": write two targets, A,B", cross);
    }
    char *a = mem_strdup_str((struct str){cross, (size_t) (comma - cross)});
    vec_push(&w->text, a);
    struct apitest_target *first = &w->target[w->targets + 1];
    if (read_target(w, a, false, first, err) != 0 ||
        read_target(w, comma + 1, false, first + 1, err) != 0) {
        return err_wrap(err, "--cross");
    }
    w->cross_a = first;
    w->cross_b = first + 1;
    return 0;
}

/* Two with the same name, or two without: one of them would never be called. */
static int check_names(const struct test_world *w, struct err *err)
{
    for (size_t i = 0; i < w->targets; i++) {
        for (size_t k = 0; k < i; k++) {
            if (strcmp(w->target[i].name, w->target[k].name) == 0) {
                return err_set(err, ERR_INVALID,
                               "--target %s and --target %s%s%s: give each a name of its own, "
                               "NAME=ADDRESS, that a test says as target: NAME",
                               w->target[k].text, w->target[i].text,
                               w->target[i].name[0] == '\0' ? "" : " are both ", w->target[i].name);
            }
        }
    }
    return 0;
}

static int read_targets(struct test_world *w, bool need_target, struct err *err)
{
    const struct cli_test *o = &w->cli->test;
    const char *env = secure_getenv("POUROVER_TARGET");
    w->target = mem_array(o->targets.len + 5, sizeof *w->target);
    for (size_t i = 0; i < o->targets.len; i++) {
        if (read_target(w, o->targets.ptr[i], true, &w->target[w->targets++], err) != 0) {
            return err_wrap(err, "--target");
        }
    }
    if (check_names(w, err) != 0) {
        return (int) err->code;
    }
    if (w->targets == 0 && env != NULL && env[0] != '\0') {
        if (read_target(w, env, true, &w->target[w->targets++], err) != 0) {
            return err_wrap(err, "POUROVER_TARGET");
        }
    }
    if (o->baseline != NULL) {
        w->baseline = &w->target[w->targets];
        if (read_target(w, o->baseline, false, &w->target[w->targets], err) != 0) {
            return err_wrap(err, "--baseline");
        }
    }
    if (read_cross(w, err) != 0) {
        return (int) err->code;
    }
    if (need_target && w->targets == 0 && w->cross_a == NULL) {
        return err_set(
            err, ERR_INVALID,
            "no target: give --target HOST:PORT (plaintext) or --target grpcs://HOST:PORT (TLS), "
            "or set POUROVER_TARGET");
    }
    return 0;
}

static const struct apitest_target *named_target(const struct test_world *w, struct str name)
{
    for (size_t i = 0; i < w->targets; i++) {
        if (str_eq_cstr(name, w->target[i].name)) {
            return &w->target[i];
        }
    }
    return name.len == 0 ? w->cross_a : NULL;
}

static int reflect(struct str name, const struct proto_pool **ret, struct err *err, void *ctx)
{
    struct test_world *w = ctx;
    const struct apitest_target *target = named_target(w, name);
    if (target == NULL) {
        return err_set(err, ERR_INVALID,
                       "reflection needs a target: give --target " STR_FMT "%sHOST:PORT",
                       STR_ARG(name), name.len > 0 ? "=" : "");
    }
    struct proto_pool *pool = map_get(&w->reflected, str_of(target->text));
    if (pool == NULL) {
        const struct err *before = map_get(&w->silent, str_of(target->text));
        if (w->loop == NULL) {
            return err_set(err, ERR_INTERNAL, "reflection without a loop");
        }
        if (before != NULL) {
            *err = *before; /* many tests would wait many times */
            return (int) err->code;
        }
        if (apitest_reflect(w->loop, &target->conn, REFLECT_MS, &pool, err) != 0) {
            (void) err_wrap(err, "%s", target->text);
            struct err *kept = mem_zalloc(sizeof *kept);
            *kept = *err;
            (void) map_put(&w->silent, str_of(target->text), kept);
            return (int) err->code;
        }
        (void) map_put(&w->reflected, str_of(target->text), pool);
    }
    *ret = pool;
    return 0;
}

static void read_vars(struct test_world *w)
{
    for (size_t i = 0; i < w->cli->test.vars.len; i++) {
        const char *var = w->cli->test.vars.ptr[i];
        const char *equals = strchr(var, '=');
        (void) map_put(&w->load.given, (struct str){var, (size_t) (equals - var)},
                       (void *) (uintptr_t) (equals + 1));
    }
}

int test_world_init(struct test_world *w, struct cli *cli, bool need_target, struct err *err)
{
    *w = (struct test_world){.cli = cli};
    apitest_secrets_init(&w->secrets);
    apitest_load_init(&w->load, &w->secrets);
    map_init(&w->reflected);
    map_init(&w->silent);
    w->load.import_path = cli->test.import_paths.ptr;
    w->load.n_import_paths = cli->test.import_paths.len;
    if (cli->test.secrets != NULL &&
        apitest_secrets_read(&w->secrets, cli->test.secrets, err) != 0) {
        return (int) err->code;
    }
    read_vars(w);
    if (read_targets(w, need_target, err) != 0) {
        return (int) err->code;
    }
    w->loop = io_loop_new();
    if (w->targets > 0 || w->cross_a != NULL) {
        w->load.reflect = reflect;
        w->load.ctx = w;
    }
    return 0;
}

void test_world_done(struct test_world *w)
{
    for (size_t i = 0; i < w->reflected.len; i++) {
        proto_pool_free(w->reflected.entry[i].value);
    }
    map_done(&w->reflected);
    for (size_t i = 0; i < w->silent.len; i++) {
        mem_free(w->silent.entry[i].value);
    }
    map_done(&w->silent);
    apitest_load_done(&w->load);
    apitest_secrets_done(&w->secrets);
    for (size_t i = 0; i < w->text.len; i++) {
        mem_free(w->text.ptr[i]);
    }
    vec_done(&w->text);
    mem_free(w->target);
    io_loop_free(w->loop);
}

static int pool_of_files(struct test_world *w, struct proto_pool *pool, struct err *err)
{
    const struct cli_test *o = &w->cli->test;
    struct proto_source_options options = {.import_path = o->import_paths.ptr,
                                           .n_import_paths = o->import_paths.len};
    for (size_t i = 0; i < o->protos.len; i++) {
        const struct proto_file_desc *file;
        if (proto_source_load(pool, o->protos.ptr[i], &options, &file, err) != 0) {
            return err->pos.file == NULL
                       ? (int) err->code
                       : err_wrap(err, "%s:%u:%u", err->pos.file, err->pos.line, err->pos.col);
        }
    }
    return o->proto_set == NULL ? 0 : apitest_pool_add_set(pool, o->proto_set, err);
}

int test_world_pool(struct test_world *w, const struct proto_pool **ret, struct err *err)
{
    const struct cli_test *o = &w->cli->test;
    if (o->protos.len == 0 && o->proto_set == NULL) {
        if (w->load.reflect == NULL) {
            return err_set(err, ERR_INVALID,
                           "no descriptors: give --proto FILE, or a target to ask");
        }
        return reflect((struct str){"", 0}, ret, err, w);
    }
    struct proto_pool *pool = proto_pool_new();
    if (pool_of_files(w, pool, err) != 0) {
        proto_pool_free(pool);
        return (int) err->code;
    }
    (void) map_put(&w->load.pool, STR("command line"), pool);
    *ret = pool;
    return 0;
}

/* The last part of the name, and what stands before it. */
static void split_name(struct str name, struct str *ret_service, struct str *ret_method)
{
    size_t at = name.len;
    while (at > 0 && name.ptr[at - 1] != '/' && name.ptr[at - 1] != '.') {
        at--;
    }
    *ret_service = (struct str){name.ptr, at == 0 ? 0 : at - 1};
    *ret_method = (struct str){name.ptr + at, name.len - at};
}

static bool fits(const struct proto_method_desc *method, struct str service, struct str name)
{
    struct str full = method->service->full_name;
    if (!str_eq(method->name, name)) {
        return false;
    }
    return service.len == 0 || str_eq(full, service) ||
           (str_ends_with(full, service) && full.ptr[full.len - service.len - 1] == '.');
}

/* known: names of methods, path: the same in full. */
static void no_method(const char *name, struct str method, const char *const *known,
                      const char *const *path, size_t n, struct err *err)
{
    const char *near = str_nearest(method, known, n);
    for (size_t i = 0; near != NULL && i < n; i++) {
        if (known[i] == near) {
            (void) err_set(err, ERR_INVALID, "there is no method \"%s\"; did you mean \"%s\"?",
                           name, path[i]);
            return;
        }
    }
    if (n == 0) {
        (void) err_set(err, ERR_INVALID, "there is no method \"%s\", nor any service", name);
        return;
    }
    (void) err_set(err, ERR_INVALID, "there is no method \"%s\"; there is %s%s", name, path[0],
                   n > 1 ? " and others" : "");
}

const struct proto_method_desc *test_find_method(const struct proto_pool *pool, const char *name,
                                                 struct err *err)
{
    const struct proto_method_desc *found = NULL;
    const char *known[256], *path[256];
    size_t n = 0;
    struct str service, method, given = str_of(name[0] == '/' ? name + 1 : name);
    split_name(given, &service, &method);
    for (size_t i = 0; i < proto_pool_files(pool); i++) {
        const struct proto_file_desc *file = proto_pool_file_at(pool, i);
        for (size_t s = 0; s < file->services; s++) {
            for (size_t m = 0; m < file->service[s]->methods; m++) {
                const struct proto_method_desc *one = &file->service[s]->method[m];
                if (n < 256) {
                    /* "/pkg.Service/Method": the name itself need not end in a NUL. */
                    known[n] = strrchr(one->path, '/') + 1;
                    path[n++] = one->path + 1;
                }
                if (!fits(one, service, method)) {
                    continue;
                }
                if (found != NULL) {
                    (void) err_set(err, ERR_INVALID, "method \"%s\" is ambiguous: %s or %s", name,
                                   found->path + 1, one->path + 1);
                    return NULL;
                }
                found = one;
            }
        }
    }
    if (found == NULL) {
        no_method(name, method, known, path, n, err);
    }
    return found;
}
