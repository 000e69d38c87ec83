/* What a file may say and this version cannot carry out. */
#include "release/config_int.h"

#include <string.h>

static void refuse(struct conf_diags *diags, const struct conf_node *node, const char *what)
{
    if (node != NULL) {
        (void) conf_error(diags, node, "this version cannot carry out %s", what);
    }
}

static void refuse_hosts(const struct release_config *c, struct conf_diags *diags)
{
    const struct conf_node *hosts = config_map(c->merged, "hosts");
    const struct conf_node *routers = config_map(c->merged, "routers");
    for (size_t i = 0; i < c->hosts; i++) {
        if (c->host[i].folder == NULL) {
            refuse(diags, config_scalar(hosts->entry[i].value, "at"),
                   "releases to other hosts than folders of this machine (process:FOLDER)");
        }
    }
    for (size_t i = 0; i < c->routers; i++) {
        const struct conf_node *node = routers->entry[i].value;
        refuse(diags, conf_get(node, "envoy"), "changes of Envoy");
        if (c->router[i].at != NULL) {
            refuse(diags, conf_get(node, "at"), "calls through ssh: write direct: true");
        }
    }
}

static void refuse_connects(const struct release_config *c, struct conf_diags *diags)
{
    const struct conf_node *list = config_list(c->merged, "connect");
    for (size_t i = 0; list != NULL && i < list->len; i++) {
        refuse(diags, conf_get(list->item[i], "tls"), "tls of \"connect\": use command");
        refuse(diags, conf_get(list->item[i], "grpc"), "grpc of \"connect\": use command");
    }
}

static void refuse_stages(const struct release_config *c, struct conf_diags *diags)
{
    const struct conf_node *canary = config_map(c->merged, "canary");
    const struct conf_node *stages = config_list(canary, "stages");
    if (c->spec.strategy != RELEASE_BY_CANARY) {
        return;
    }
    for (size_t i = 0; stages != NULL && i < stages->len && i < c->spec.stages; i++) {
        if (c->spec.stage[i].staff) {
            refuse(diags, stages->item[i], "a stage for the staff");
        }
    }
    refuse(diags, conf_get(canary, "judge"), "a judge: the walk is held to canary.limits");
}

int release_config_unsupported(const struct release_config *config, struct conf_diags *diags)
{
    static const struct {
        const char *key, *what;
    } keys[] = {
        {"compose", "releases by Docker Compose"},
        {"kubernetes", "releases by Kubernetes"},
        {"images", "images: the process driver copies the folder of process.source"},
        {"registry", "logins to registries"},
        {"notify", "notifications"},
        {"windows", "windows of time"},
    };
    size_t before = diags->errors;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        refuse(diags, conf_get(config->merged, keys[i].key), keys[i].what);
    }
    const struct conf_node *disk = config_map(config->merged, "disk");
    refuse(diags, conf_get(disk, "keep_images"), "keeping of images");
    refuse(diags, conf_get(disk, "prune"), "pruning of images");
    refuse_hosts(config, diags);
    refuse_connects(config, diags);
    refuse_stages(config, diags);
    return diags->errors == before ? 0 : ERR_INVALID;
}
