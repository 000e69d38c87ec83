/* The header of a release read back from JSON. */
#include "controller/controller_int.h"

#include <jansson.h>
#include <string.h>

static void copy(const json_t *json, const char *member, char *out, size_t size)
{
    const char *text = json_string_value(json_object_get(json, member));
    buf_print(out, size, "%s", text == NULL ? "" : text);
}

static bool says(const json_t *json, const char *member, const char *word)
{
    const char *text = json_string_value(json_object_get(json, member));
    return text != NULL && strcmp(text, word) == 0;
}

int controller_header_read(const struct release_config *config, const json_t *json,
                           struct release_header *ret, struct err *err)
{
    const json_t *hosts = json_object_get(json, "hosts");
    memset(ret, 0, sizeof *ret);
    copy(json, "id", ret->id, sizeof ret->id);
    copy(json, "release", ret->kind, sizeof ret->kind);
    copy(json, "version", ret->version, sizeof ret->version);
    copy(json, "variant", ret->variant, sizeof ret->variant);
    copy(json, "by", ret->by, sizeof ret->by);
    copy(json, "why", ret->why, sizeof ret->why);
    copy(json, "config_hash", ret->config_hash, sizeof ret->config_hash);
    copy(json, "rest", ret->rest, sizeof ret->rest);
    copy(json, "rest_command", ret->rest_command, sizeof ret->rest_command);
    copy(json, "plan", ret->plan, sizeof ret->plan);
    copy(json, "salt", ret->salt, sizeof ret->salt);
    ret->with_downtime = json_is_true(json_object_get(json, "with_downtime"));
    ret->began_ms = (uint64_t) json_integer_value(json_object_get(json, "began_ms"));
    ret->basis.share_ppm = (uint32_t) json_integer_value(json_object_get(json, "share_ppm"));
    if (ret->id[0] == '\0' || ret->version[0] == '\0' || !json_is_object(hosts)) {
        return err_set(err, ERR_INVALID,
                       "the first line of the release has no id, version or hosts");
    }
    if (json_object_size(hosts) != config->hosts) {
        return err_set(err, ERR_INVALID,
                       "release %s was begun with %zu hosts and %s has %zu: hosts may not change "
                       "while it is on its way; put them back, then resume or roll back",
                       ret->id, json_object_size(hosts), config->path, config->hosts);
    }
    for (size_t h = 0; h < config->hosts; h++) {
        const json_t *host = json_object_get(hosts, config->host[h].name);
        if (host == NULL) {
            return err_set(
                err, ERR_INVALID,
                "release %s was begun without host \"%s\": hosts may not change while it "
                "is on its way; put them back, then resume or roll back",
                ret->id, config->host[h].name);
        }
        ret->basis.host[h].slot = says(host, "slot", "b") ? RELEASE_SLOT_B : RELEASE_SLOT_A;
        ret->basis.host[h].serves = json_is_true(json_object_get(host, "serves"));
        ret->basis.host[h].track = says(host, "track", "canary") ? RELEASE_CANARY : RELEASE_STABLE;
        copy(host, "version", ret->old_version[h], sizeof ret->old_version[h]);
        copy(host, "variant", ret->old_variant[h], sizeof ret->old_variant[h]);
    }
    return 0;
}
