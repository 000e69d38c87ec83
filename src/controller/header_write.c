/* The header of a release as JSON: what was found before the first step. */
#include "base/json.h"
#include "controller/controller_int.h"

#include <string.h>

static const char *const track_word[RELEASE_TRACKS] = {"stable", "canary"};
static const char *const slot_word[RELEASE_SLOTS] = {"a", "b"};

static void write_hosts(const struct release_config *config, const struct release_header *header,
                        struct json_writer *w)
{
    json_key(w, "hosts");
    json_obj_begin(w);
    for (size_t h = 0; h < config->hosts; h++) {
        json_key(w, config->host[h].name);
        json_obj_begin(w);
        json_kv_cstr(w, "slot", slot_word[header->basis.host[h].slot]);
        json_kv_bool(w, "serves", header->basis.host[h].serves);
        json_kv_cstr(w, "track", track_word[header->basis.host[h].track]);
        json_kv_cstr(w, "version", header->old_version[h]);
        json_kv_cstr(w, "variant", header->old_variant[h]);
        json_obj_end(w);
    }
    json_obj_end(w);
}

void controller_header_write(const struct release_config *config,
                             const struct release_header *header, struct buf *b)
{
    struct json_writer w;
    json_writer_init(&w, b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "kind", "header");
    json_kv_cstr(&w, "id", header->id);
    json_kv_cstr(&w, "service", config->service);
    json_kv_cstr(&w, "environment", config->env == NULL ? "" : config->env);
    json_kv_cstr(&w, "release", header->kind);
    json_kv_cstr(&w, "version", header->version);
    json_kv_cstr(&w, "variant", header->variant);
    json_kv_cstr(&w, "by", header->by);
    json_kv_cstr(&w, "why", header->why);
    json_kv_cstr(&w, "config_hash", header->config_hash);
    json_kv_cstr(&w, "plan", header->plan);
    json_kv_bool(&w, "with_downtime", header->with_downtime);
    json_kv_u64(&w, "began_ms", header->began_ms);
    json_kv_u64(&w, "share_ppm", header->basis.share_ppm);
    json_kv_cstr(&w, "salt", header->salt);
    if (header->rest[0] != '\0') {
        json_kv_cstr(&w, "rest", header->rest);
        json_kv_cstr(&w, "rest_command", header->rest_command);
    }
    write_hosts(config, header, &w);
    json_obj_end(&w);
}
