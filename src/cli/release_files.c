#include "cli/release_files.h"

#include "base/cleanup.h"
#include "base/mem.h"
#include "cli/out.h"

#include <stdio.h>
#include <string.h>

static bool has_any(const struct conf_node *root, const char *const *key)
{
    for (; *key != NULL; key++) {
        if (conf_get(root, *key) != NULL) {
            return true;
        }
    }
    return false;
}

static enum release_kind kind_by_keys(const char *path)
{
    static const char *const of_release[] = {"service", "fleet",    "process", "compose",
                                             "roles",   "strategy", "rolling", NULL};
    static const char *const of_fleet[] = {"hosts", "datacenters", "routers", NULL};
    struct conf_file file;
    struct err err;
    enum release_kind kind = RELEASE_KIND_NONE;
    if (conf_read(path, &file, &err) < 0) {
        return RELEASE_KIND_NONE;
    }
    const struct conf_node *root = file.document[0];
    if (conf_get(root, "tests") == NULL || conf_get(root, "version") == NULL) {
        kind = has_any(root, of_release) ? RELEASE_KIND_FILE
               : has_any(root, of_fleet) ? RELEASE_KIND_FLEET
                                         : RELEASE_KIND_NONE;
    }
    conf_file_done(&file);
    return kind;
}

enum release_kind release_kind_of(const char *path)
{
    _cleanup_(mem_freep) char *base = NULL;
    _cleanup_(mem_freep) char *env = NULL;
    if (strcmp(path, "-") == 0) {
        return RELEASE_KIND_NONE;
    }
    if (release_overlay_name(path, &base, &env) && kind_by_keys(base) == RELEASE_KIND_FILE) {
        return RELEASE_KIND_OVERLAY;
    }
    return kind_by_keys(path);
}

static void print_diags(const struct release_config *config, const struct conf_diags *diags)
{
    struct buf b;
    buf_init(&b, OUT_MAX);
    conf_diags_print(diags, (const struct conf_file *const *) config->file, config->files, false,
                     &b);
    (void) fwrite(b.ptr, 1, b.len, stderr);
    buf_done(&b);
}

/* What only the client of routers knows. */
static void check_routers(const struct release_config *config, struct conf_diags *diags)
{
    if (config->merged == NULL) {
        return;
    }
    const struct conf_node *routers = conf_get(config->merged, "routers");
    for (size_t i = 0; i < config->routers; i++) {
        struct router router;
        struct err err = {.code = ERR_NONE};
        const char *url = config->router[i].nginx;
        if (url == NULL) {
            continue;
        }
        if (router_parse(str_of(url), &router, &err) < 0) {
            (void) conf_error(diags, conf_get(routers->entry[i].value, "nginx"), "%s", err.msg);
        } else {
            router_done(&router);
        }
    }
}

static enum exit_code judge(const struct release_config *config, struct conf_diags *diags)
{
    enum exit_code code = EXIT_DONE;
    if (diags->errors == 0) {
        check_routers(config, diags);
    }
    if (diags->errors + diags->warnings > 0) {
        print_diags(config, diags);
    }
    if (diags->errors > 0) {
        out_complain("%zu error%s; nothing was done", diags->errors, diags->errors == 1 ? "" : "s");
        code = EXIT_USAGE;
    }
    return code;
}

static void print_right(const struct release_config *c, const char *path, bool is_fleet)
{
    out_printf("%s", path);
    if (!is_fleet && c->env != NULL) {
        out_printf(" (%s)", c->env);
    }
    out_printf(": ");
    if (!is_fleet) {
        out_printf("service %s, ", c->service);
    }
    out_printf("%zu host%s in %zu data center%s, %zu router%s", c->hosts, c->hosts == 1 ? "" : "s",
               c->dcs, c->dcs == 1 ? "" : "s", c->routers, c->routers == 1 ? "" : "s");
    if (!is_fleet) {
        out_printf(", %s, %s", c->spec.strategy == RELEASE_BY_CANARY ? "canary" : "rolling",
                   c->spec.swap == RELEASE_BESIDE ? "beside" : "in place");
    }
    out_printf(": right\n");
}

enum exit_code release_check(const struct cli *cli, const char *path, enum release_kind kind)
{
    _cleanup_(release_config_done) struct release_config config;
    _cleanup_(conf_diags_done) struct conf_diags diags = {0};
    _cleanup_(mem_freep) char *base = NULL;
    _cleanup_(mem_freep) char *env = NULL;
    if (kind == RELEASE_KIND_FLEET) {
        (void) release_fleet_load(path, &diags, &config);
    } else if (kind == RELEASE_KIND_OVERLAY && release_overlay_name(path, &base, &env)) {
        (void) release_config_load(base, env, &diags, &config);
    } else {
        (void) release_config_load(path, cli->environment, &diags, &config);
    }
    enum exit_code code = judge(&config, &diags);
    if (code == EXIT_DONE && !cli->quiet) {
        print_right(&config, base == NULL ? path : base, kind == RELEASE_KIND_FLEET);
    }
    return code;
}

enum exit_code release_open(const struct cli *cli, bool supported, struct release_config *ret)
{
    return release_open_file(cli, cli->release_file, supported, ret);
}

enum exit_code release_open_file(const struct cli *cli, const char *file, bool supported,
                                 struct release_config *ret)
{
    _cleanup_(conf_diags_done) struct conf_diags diags = {0};
    const char *path = file == NULL ? "release.yaml" : file;
    if (release_config_load(path, cli->environment, &diags, ret) == 0 && supported) {
        (void) release_config_unsupported(ret, &diags);
    }
    return judge(ret, &diags);
}
