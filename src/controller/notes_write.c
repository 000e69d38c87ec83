/* A note as JSON: words, so that people and later versions can read them. */
#include "controller/controller_int.h"

#include "base/json.h"
#include "base/num.h"

#include <string.h>

const char *const note_status_name[] = {
    [STEP_PENDING] = "pending", [STEP_RUNNING] = "running", [STEP_DONE] = "done",
    [STEP_BROKEN] = "failed",   [STEP_SKIPPED] = "skipped",
};
const char *const note_mode_name[RELEASE_MODES] = {
    [RELEASE_RUNNING] = "running", [RELEASE_PAUSING] = "pausing", [RELEASE_PAUSED] = "paused",
    [RELEASE_HELD] = "held",       [RELEASE_HALTING] = "halting", [RELEASE_HALTED] = "halted",
    [RELEASE_TURNING] = "turning", [RELEASE_ENDED] = "ended",
};
const char *const note_direction_name[] = {"forward", "back"};
const char *const note_kind_name[NOTE_KINDS] = {"step", "mode", "back"};

static void write_key(const struct release_config *config, const struct release_key *key,
                      struct json_writer *w)
{
    json_kv_cstr(w, "direction", note_direction_name[key->direction]);
    json_kv_cstr(w, "part", release_part_name[key->part]);
    json_kv_cstr(w, "step", release_step_name[key->kind]);
    if (key->host >= 0) {
        json_kv_cstr(w, "host", config->host[key->host].name);
    }
    json_kv_u64(w, "nth", key->nth);
}

static void write_touches(const struct release_config *config, const struct release_note *note,
                          struct json_writer *w)
{
    json_key(w, "touch");
    json_obj_begin(w);
    for (size_t h = 0; h < config->hosts; h++) {
        json_kv_u64(w, config->host[h].name, note->touch[h]);
    }
    json_obj_end(w);
}

void controller_note_write(const struct release_config *config, const struct release_note *note,
                           const char *text, uint64_t took_ms, struct buf *b)
{
    struct json_writer w;
    char instance[17];
    json_writer_init(&w, b);
    json_obj_begin(&w);
    json_kv_cstr(&w, "kind", note_kind_name[note->kind]);
    if (note->kind == NOTE_STEP) {
        write_key(config, &note->key, &w);
        json_kv_cstr(&w, "status", note_status_name[note->status]);
        json_kv_u64(&w, "attempt", note->attempt);
        if (note->instance != 0) {
            num_hex64_text(note->instance, instance);
            json_kv_cstr(&w, "instance", instance);
        }
    } else if (note->kind == NOTE_MODE) {
        json_kv_cstr(&w, "mode", note_mode_name[note->mode]);
        if (note->key.host != -2) {
            write_key(config, &note->key, &w);
        } else {
            json_kv_cstr(&w, "direction", note_direction_name[note->direction]);
        }
    } else {
        write_touches(config, note, &w);
    }
    json_kv_cstr(&w, "outcome", release_outcome_name[note->outcome]);
    json_kv_u64(&w, "share_ppm", note->share_ppm);
    if (took_ms > 0) {
        json_kv_u64(&w, "took_ms", took_ms);
    }
    if (text != NULL && text[0] != '\0') {
        json_kv_cstr(&w, "text", text);
    }
    json_obj_end(&w);
}
